//! bcrypt, `$2a$`, `$2b$` and `$2y$` (of libraries that count to 255 right, the three are one).

use super::{ImportFault, fields::Reader, is_same};

pub(super) const NAME: &str = "bcrypt";

/// bcrypt reads no further than this.
const LONGEST_PASSWORD: usize = 72;

/// A cost of 16 takes about four seconds.
const COSTS: (u32, u32) = (4, 16);

/// A bcrypt hash.
#[derive(Clone)]
pub(super) struct BcryptHash {
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

/// Reads `cost$` and 53 characters of salt and digest.
pub(super) fn read(text: &str) -> Result<BcryptHash, ImportFault> {
    let reader = Reader(NAME);
    let [cost, rest] = reader.parts(text)?;
    if cost.len() != 2 {
        return Err(reader.malformed("its cost", "has not two digits"));
    }
    let cost = reader.number("cost", cost, COSTS.0, COSTS.1)?;
    let (Some(salt), Some(digest)) = (rest.get(..22), rest.get(22..)) else {
        return Err(reader.malformed("its salt", "is too short or too long"));
    };
    if digest.len() != 31 {
        return Err(reader.malformed("its digest", "is too short or too long"));
    }
    let salt = reader.bcrypt_bytes("its salt", salt)?;
    let digest = reader.bcrypt_bytes("its digest", digest)?;
    let salt = salt.try_into().map_err(|_| reader.malformed("its salt", "is too short or too long"))?;
    let digest = digest.try_into().map_err(|_| reader.malformed("its digest", "is too short or too long"))?;
    Ok(BcryptHash { cost, salt, digest })
}

impl BcryptHash {
    /// bcrypt would cut a password after 72 bytes: whoever knows the beginning would know it. A longer one matches nothing, after
    /// the same work.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let is_whole = password.len() <= LONGEST_PASSWORD;
        let mut read: Vec<u8> = password.iter().copied().take(LONGEST_PASSWORD).collect();
        if read.len() < LONGEST_PASSWORD {
            read.push(0);
        }
        let found = bcrypt::bcrypt(self.cost, self.salt, &read);
        is_same(&found[..self.digest.len()], &self.digest) && is_whole
    }
}
