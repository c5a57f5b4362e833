//! Argon2id alone, on all cores: how many hashes a second there can be at all.
//!
//! `hashes THREADS SECONDS MEMORY_KIB PASSES`: prints one line of JSON.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u32> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let &[threads, seconds, memory, passes] = numbers.as_slice() else {
        return Err("usage: hashes THREADS SECONDS MEMORY_KIB PASSES".into());
    };
    let params = Params::new(memory, passes, 1, None).map_err(|error| error.to_string())?;
    let (begun, end) = (Instant::now(), Duration::from_secs(seconds.into()));
    let counts = std::thread::scope(|scope| {
        let each: Vec<_> = (0..threads).map(|_| scope.spawn(|| hash_until(begun + end, &params))).collect();
        each.into_iter().map(|thread| thread.join().unwrap_or_default()).sum::<u64>()
    });
    println!(r#"{{"hashes": {counts}, "seconds": {}}}"#, begun.elapsed().as_secs_f64());
    Ok(())
}

/// Hashes one after the other, each in memory of its own, as a service does; how many.
fn hash_until(end: Instant, params: &Params) -> u64 {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut count = 0;
    while Instant::now() < end {
        let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
        if argon2.hash_password_into(b"a password of some length", b"a salt of 16 byt", &mut hash).is_ok() {
            count += 1;
        }
        std::hint::black_box(hash);
    }
    count
}
