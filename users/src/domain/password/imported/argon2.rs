//! Argon2id and Argon2i of any version, as PHC strings: our own hashes and those of others.

use argon2::{Algorithm, Argon2, Params, Version};

use super::{
    super::blocks::with_blocks, ImportFault, MOST_MEMORY_KIB, MOST_WORK_KIB, fields::Reader, is_same,
};

const ITERATIONS: (u32, u32) = (1, 64);
const PARALLELISM: (u32, u32) = (1, 16);
const MEMORY_KIB: (u32, u32) = (8, 1024 * 1024);
const SALTS: (usize, usize) = (8, 64);
const DIGESTS: (usize, usize) = (16, 64);

/// An Argon2 hash.
#[derive(Clone)]
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// Reads `v=…$m=…,t=…,p=…$salt$digest`; without `v` it is version 1.0.
pub(super) fn read(name: &str, text: &str) -> Result<Argon2Hash, ImportFault> {
    let (algorithm, name) = match name {
        "argon2i" => (Algorithm::Argon2i, "argon2i"),
        _ => (Algorithm::Argon2id, "argon2id"),
    };
    let reader = Reader(name);
    let (version, text) = match text.split_once('$') {
        Some(("v=19", rest)) => (Version::V0x13, rest),
        Some(("v=16", rest)) => (Version::V0x10, rest),
        Some((version, _)) if version.starts_with("v=") => {
            return Err(reader.malformed("its version", "is neither 16 nor 19"));
        }
        _ => (Version::V0x10, text),
    };
    let [params, salt, digest] = reader.parts(text)?;
    let [memory, iterations, parallelism] = reader.named(params, ["m", "t", "p"])?;
    let memory = reader.number("m", memory, MEMORY_KIB.0, MEMORY_KIB.1)?;
    let iterations = reader.number("t", iterations, ITERATIONS.0, ITERATIONS.1)?;
    let parallelism = reader.number("p", parallelism, PARALLELISM.0, PARALLELISM.1)?;
    // The memory alone is within its bound by now.
    debug_assert!(u64::from(memory) <= MOST_MEMORY_KIB);
    if u64::from(memory) * u64::from(iterations) > MOST_WORK_KIB {
        let of = "memory passed over";
        return Err(ImportFault::TooCostly { scheme: name, most_kib: MOST_WORK_KIB, of });
    }
    let salt = reader.sized("its salt", reader.bytes("its salt", salt)?, SALTS.0, SALTS.1)?;
    let digest = reader.sized("its digest", reader.bytes("its digest", digest)?, DIGESTS.0, DIGESTS.1)?;
    let params = Params::new(memory, iterations, parallelism, Some(digest.len()))
        .map_err(|_| reader.malformed("its parameters", "don't go together"))?;
    Ok(Argon2Hash { algorithm, version, params, salt, digest })
}

impl Argon2Hash {
    pub(super) fn name(&self) -> &'static str {
        self.algorithm.as_str()
    }

    pub(super) fn work_kib(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }

    pub(super) fn is_current(&self, memory_kib: u32, iterations: u32) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.params.m_cost() >= memory_kib
            && self.params.t_cost() >= iterations
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let mut found = vec![0; self.digest.len()];
        let hashed = with_blocks(&self.params, |blocks| {
            argon2.hash_password_into_with_memory(password, &self.salt, &mut found, blocks)
        });
        hashed.is_ok() && is_same(&found, &self.digest)
    }
}
