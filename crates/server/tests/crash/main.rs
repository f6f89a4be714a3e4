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

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the other test programs use all of it")]
mod common;

mod kill;
mod stop;

use crate::common::user::User;
use crate::support::Scene;

/// A folder with a database that has these users.
fn scene_with(users: &[User]) -> Scene {
    let scene = Scene::new();
    for user in users {
        let password = [("COUNTERSIGN_PASSWORD", &*user.password)];
        let answer = scene.run_in(&password, &["createuser", "--noinput", "--username", &user.name]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    scene
}
