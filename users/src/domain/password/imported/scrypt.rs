//! scrypt, as a PHC string (passlib writes that) and as Django writes it.

use super::{ImportFault, MOST_MEMORY_KIB, MOST_WORK_KIB, fields::Reader, is_same};

pub(super) const NAME: &str = "scrypt";

const LOG_N: (u32, u32) = (1, 20);
const BLOCK_SIZES: (u32, u32) = (1, 64);
const PARALLELISM: (u32, u32) = (1, 16);
const LONGEST_SALT: usize = 256;
const DIGESTS: (usize, usize) = (16, 64);

/// An scrypt hash.
#[derive(Clone)]
pub(super) struct ScryptHash {
    params: scrypt::Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// Reads `ln=…,r=…,p=…$salt$digest`.
pub(super) fn read_phc(text: &str) -> Result<ScryptHash, ImportFault> {
    let reader = Reader(NAME);
    let [params, salt, digest] = reader.parts(text)?;
    let [log_n, block_size, parallelism] = reader.named(params, ["ln", "r", "p"])?;
    let log_n = reader.number("ln", log_n, LOG_N.0, LOG_N.1)?;
    let salt = reader.bytes("its salt", salt)?;
    finish(reader, (log_n, block_size, parallelism), salt, digest)
}

/// Reads `N$salt$r$p$digest`; the salt is used as it is written.
pub(super) fn read_django(text: &str) -> Result<ScryptHash, ImportFault> {
    let reader = Reader(NAME);
    let [work_factor, salt, block_size, parallelism, digest] = reader.parts(text)?;
    let work_factor = reader.number("N", work_factor, 1 << LOG_N.0, 1 << LOG_N.1)?;
    if !work_factor.is_power_of_two() {
        return Err(reader.malformed("its N", "is no power of two"));
    }
    finish(reader, (work_factor.ilog2(), block_size, parallelism), salt.as_bytes().to_vec(), digest)
}

fn finish(
    reader: Reader,
    (log_n, block_size, parallelism): (u32, &str, &str),
    salt: Vec<u8>,
    digest: &str,
) -> Result<ScryptHash, ImportFault> {
    let block_size = reader.number("r", block_size, BLOCK_SIZES.0, BLOCK_SIZES.1)?;
    let parallelism = reader.number("p", parallelism, PARALLELISM.0, PARALLELISM.1)?;
    // 128 · r · N bytes at once, p times, each passed over twice.
    let memory_kib = (u64::from(block_size) << log_n) / 8;
    if memory_kib > MOST_MEMORY_KIB {
        let of = "memory";
        return Err(ImportFault::TooCostly { scheme: NAME, most_kib: MOST_MEMORY_KIB, of });
    }
    if 2 * memory_kib * u64::from(parallelism) > MOST_WORK_KIB {
        let of = "memory passed over";
        return Err(ImportFault::TooCostly { scheme: NAME, most_kib: MOST_WORK_KIB, of });
    }
    let params = u8::try_from(log_n)
        .ok()
        .and_then(|log_n| scrypt::Params::new(log_n, block_size, parallelism).ok())
        .ok_or_else(|| reader.malformed("its parameters", "don't go together"))?;
    Ok(ScryptHash {
        params,
        salt: reader.sized("its salt", salt, 1, LONGEST_SALT)?,
        digest: reader.sized("its digest", reader.bytes("its digest", digest)?, DIGESTS.0, DIGESTS.1)?,
    })
}

impl ScryptHash {
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut found = vec![0; self.digest.len()];
        scrypt::scrypt(password, &self.salt, &self.params, &mut found).is_ok()
            && is_same(&found, &self.digest)
    }
}
