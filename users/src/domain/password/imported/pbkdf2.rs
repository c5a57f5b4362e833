//! PBKDF2 with HMAC-SHA-256, as Django and as passlib write it.

use sha2::Sha256;

use super::{ImportFault, fields::Reader, is_same};

pub(super) const NAME: &str = "pbkdf2-sha256";

/// Five million rounds take a few seconds; Django 6 asks for 1.2 million.
const ROUNDS: (u32, u32) = (1, 5_000_000);

const LONGEST_SALT: usize = 256;

/// A PBKDF2-SHA-256 hash. Its digest has the length of one SHA-256: more would cost the defender alone.
#[derive(Clone)]
pub(super) struct Pbkdf2Hash {
    rounds: u32,
    salt: Vec<u8>,
    digest: [u8; 32],
}

/// Reads `iterations$salt$digest`; the salt is used as it is written.
pub(super) fn read_django(text: &str) -> Result<Pbkdf2Hash, ImportFault> {
    let reader = Reader(NAME);
    let [rounds, salt, digest] = reader.parts(text)?;
    finish(reader, rounds, salt.as_bytes().to_vec(), reader.bytes("its digest", digest)?)
}

/// Reads `rounds$salt$digest`, both in passlib's Base64.
pub(super) fn read_passlib(text: &str) -> Result<Pbkdf2Hash, ImportFault> {
    let reader = Reader(NAME);
    let [rounds, salt, digest] = reader.parts(text)?;
    let salt = reader.adapted_bytes("its salt", salt)?;
    finish(reader, rounds, salt, reader.adapted_bytes("its digest", digest)?)
}

fn finish(reader: Reader, rounds: &str, salt: Vec<u8>, digest: Vec<u8>) -> Result<Pbkdf2Hash, ImportFault> {
    Ok(Pbkdf2Hash {
        rounds: reader.number("rounds", rounds, ROUNDS.0, ROUNDS.1)?,
        salt: reader.sized("its salt", salt, 1, LONGEST_SALT)?,
        digest: digest.try_into().map_err(|_| reader.malformed("its digest", "is too short or too long"))?,
    })
}

impl Pbkdf2Hash {
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let found: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, &self.salt, self.rounds);
        is_same(&found, &self.digest)
    }
}
