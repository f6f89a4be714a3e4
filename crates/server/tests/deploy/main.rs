//! The files of `deploy/` agree with the program: their settings are settings, their command lines are understood, and
//! what reads them takes them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the other test programs use all of it")]
mod support;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the other test programs use all of it")]
mod common;

mod compose;
mod database;
mod image;
mod kubernetes;
mod proxy;
mod systemd;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::Scene;

/// Settings, by the names of their variables.
type Environment = BTreeMap<String, String>;

/// A file of `deploy/`.
fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)).unwrap()
}

/// The program understands these words: it shows the help of their command, and doesn't stop before it gets there.
fn assert_understood(words: &[String]) {
    let mut words: Vec<_> = words.iter().map(String::as_str).collect();
    words.push("--help");
    let answer = Scene::new().run(&words);
    assert_eq!(answer.code, 0, "{words:?} {answer:?}");
}

/// The program takes these settings, and could serve them.
fn assert_settings(environment: &Environment) {
    let pairs: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = Scene::new().run_in(&pairs, &["check"]);
    assert_eq!(answer.code, 0, "{environment:?} {answer:?}");
}

/// Whoever speaks of the project's program by its path means it.
fn words_after_the_program(words: &[String]) -> &[String] {
    let (program, rest) = words.split_first().unwrap();
    assert_eq!(program, "/usr/local/bin/countersign");
    rest
}

/// Words of a command line without quotes.
fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
