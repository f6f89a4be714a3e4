//! The program, serving, as a process that can be killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::http::PUBLIC_URL;
use crate::support::{Scene, signal};

/// A server that has no grace for tokens that were used: each refresh rotates, and only its `Idempotency-Key` tells
/// the repeat of a request that got no answer from a theft. Its log holds what is broken alone.
pub(crate) const SERVE: &[&str] =
    &["serve", "--rotation-grace=0", "--access-token-lifetime=3600", "--log-level=error"];

/// A server under way. Dropped, it is killed with SIGKILL.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Server {
    /// On a port that is free.
    pub(crate) fn start(scene: &Scene) -> Self {
        let mut command = scene.command(SERVE);
        command.env("COUNTERSIGN_LISTEN", "127.0.0.1:0").env("COUNTERSIGN_PUBLIC_URL", PUBLIC_URL);
        Self::run(command)
    }

    /// By this command. It listens once this returns.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, address }
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        signal(self.process.id(), "TERM");
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
