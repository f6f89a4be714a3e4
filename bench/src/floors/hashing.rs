//! Argon2id as fast as a kept Rust crate does it: the memory is kept, nothing else is done.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::Result;

/// Countersign's parameters: 19 MiB, two passes, one lane.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes a second, by this many threads at once.
pub(super) fn rate(threads: usize, length: Duration) -> Result<f64> {
    let workers: Vec<_> = (0..threads).map(|_| thread::spawn(move || hash_for(length))).collect();
    let mut rate = 0.0;
    for worker in workers {
        rate += worker.join().map_err(|_| "a hashing thread failed")??;
    }
    Ok(rate)
}

fn hash_for(length: Duration) -> Result<f64> {
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| error.to_string())?;
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = || {
        let mut out = [0; 32];
        argon2.hash_password_into_with_memory(
            b"correct horse battery staple",
            b"a salt of 16 by.",
            &mut out,
            &mut memory,
        )
    };
    hash().map_err(|error| error.to_string())?; // the pages of the memory are there from now on
    let started = Instant::now();
    let mut hashes = 0_u32;
    while started.elapsed() < length {
        hash().map_err(|error| error.to_string())?;
        hashes += 1;
    }
    Ok(f64::from(hashes) / started.elapsed().as_secs_f64())
}
