//! The floors: what the machine allows, with next to nothing of ours in the way.

mod commits;
mod hashing;
mod servers;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::Result;

/// A floor is a process of its own, so that it is started, pinned and weighed as everything else.
#[derive(Subcommand)]
pub(crate) enum Floor {
    /// Bare axum that answers a profile as JSON
    Json { port: u16 },
    /// The same with one raw Ed25519 check of the bearer token
    Ed25519 {
        port: u16,
        /// The public key's 32 bytes, in base64url
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// The same behind the layer of countersign-verify
    Verify {
        port: u16,
        /// The key set, a file
        jwks: PathBuf,
        issuer: String,
    },
    /// Argon2id at Countersign's parameters, in memory that is kept
    Hashing { threads: usize, seconds: f64 },
    /// Updates of a copy of a store, in groups that are committed to the disk
    Commits { database: PathBuf, group: usize, seconds: f64 },
}

pub(crate) fn run(floor: Floor) -> Result<()> {
    match floor {
        Floor::Json { port } => servers::json(port),
        Floor::Ed25519 { port, key } => servers::ed25519(port, &key),
        Floor::Verify { port, jwks, issuer } => servers::verify(port, &jwks, &issuer),
        Floor::Hashing { threads, seconds } => {
            crate::say(&format!("{:.1}", hashing::rate(threads, Duration::from_secs_f64(seconds))?));
            Ok(())
        }
        Floor::Commits { database, group, seconds } => {
            crate::say(&format!("{:.0}", commits::rate(&database, group, Duration::from_secs_f64(seconds))?));
            Ok(())
        }
    }
}
