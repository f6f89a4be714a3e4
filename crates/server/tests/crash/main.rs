//! The real program under load, killed at any moment or told to stop: what it acknowledged stands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod support;

mod dice;
mod http;
mod kill;
mod stop;
mod user;

use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};

use crate::support::Scene;

/// A server that has no grace for tokens that were used: each refresh rotates, and only its `Idempotency-Key` tells
/// the repeat of a request that got no answer from a theft. Its log holds what is broken alone.
const SERVE: &[&str] = &["serve", "--rotation-grace=0", "--access-token-lifetime=3600", "--log-level=error"];

/// What it is reached at, whichever port it got: its tokens outlive a restart.
const PUBLIC_URL: &str = "http://localhost:8000";

/// A server under way. Dropped, it is killed with SIGKILL.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(scene: &Scene) -> Self {
        let mut command = scene.command(SERVE);
        command.env("COUNTERSIGN_LISTEN", "127.0.0.1:0").env("COUNTERSIGN_PUBLIC_URL", PUBLIC_URL);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, address }
    }

    /// Tells it to stop.
    fn terminate(&self) {
        support::signal(self.process.id(), "TERM");
    }

    fn wait(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder with a database that has these users.
fn scene_with(users: &[user::User]) -> Scene {
    let scene = Scene::new();
    for user in users {
        let password = [("COUNTERSIGN_PASSWORD", &*user.password)];
        let answer = scene.run_in(&password, &["createuser", "--noinput", "--username", &user.name]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    scene
}
