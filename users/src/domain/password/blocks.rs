//! The memory that Argon2 works in, kept for the next hash for a moment: to zero it anew costs a twentieth of a hash.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use argon2::{Block, Error, Params};
use tokio::runtime::Handle;

/// How long it is kept.
const KEPT: Duration = Duration::from_secs(1);

/// What is larger is not kept: 64 MiB in blocks of 1 KiB.
const MOST: usize = 64 * 1024;

/// One for each hash that was computed at once with others, so no more than the threads that hash.
static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

struct Spare {
    blocks: Vec<Block>,
    since: Instant,
}

/// Does this in memory for a hash of these parameters. What it holds until then is left from another hash.
pub(super) fn with_blocks(
    params: &Params,
    work: impl FnOnce(&mut [Block]) -> Result<(), Error>,
) -> Result<(), Error> {
    let count = params.block_count();
    let mut blocks = spare().pop().map(|spare| spare.blocks).unwrap_or_default();
    if blocks.len() < count {
        // Not grown: that would copy.
        blocks = Vec::new();
        blocks.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
        blocks.resize(count, Block::default());
    }
    let result = work(&mut blocks[..count]);
    keep(blocks);
    result
}

fn keep(blocks: Vec<Block>) {
    // Without a runtime nothing would give it back.
    let Ok(runtime) = Handle::try_current() else { return };
    if blocks.len() <= MOST {
        spare().push(Spare { blocks, since: Instant::now() });
        runtime.spawn(async {
            tokio::time::sleep(KEPT).await;
            spare().retain(|spare| spare.since.elapsed() < KEPT);
        });
    }
}

fn spare() -> MutexGuard<'static, Vec<Spare>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Argon2, Version};

    use super::*;

    fn hash(params: &Params, password: &[u8]) -> [u8; 32] {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut hash = [0; 32];
        with_blocks(params, |blocks| {
            argon2.hash_password_into_with_memory(password, b"a salt of 16 byt", &mut hash, blocks)
        })
        .unwrap();
        hash
    }

    fn alone(params: &Params, password: &[u8]) -> [u8; 32] {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut hash = [0; 32];
        argon2.hash_password_into(password, b"a salt of 16 byt", &mut hash).unwrap();
        hash
    }

    #[tokio::test]
    async fn memory_that_another_hash_has_used_changes_no_hash_and_is_given_back_after_a_while() {
        let sizes = [64, 1024, 8, 200].map(|memory| Params::new(memory, 2, 1, None).unwrap());
        for (number, params) in sizes.iter().cycle().take(12).enumerate() {
            let password = format!("password {number}");
            assert_eq!(hash(params, password.as_bytes()), alone(params, password.as_bytes()));
        }
        assert!(!spare().is_empty());
        while !spare().is_empty() {
            tokio::time::sleep(KEPT / 10).await;
        }
    }

    #[test]
    fn without_a_runtime_nothing_is_kept() {
        let params = Params::new(4096, 2, 1, None).unwrap();
        hash(&params, b"password");
        assert!(spare().iter().all(|spare| spare.blocks.len() != params.block_count()));
    }
}
