//! The one place for chores: `cargo xtask --help` lists them.
//!
//! Std only, so that the first command on a fresh machine has next to nothing to compile.
//!
//! - `checks`: what `cargo xtask test` runs, as data, and how it is run and added up.
//! - `needs`: what a check needs on the machine, and how it gets there.
//! - `tally`: reads what `cargo test` and node's test runner say.
//! - `walls`, `dependencies`, `checklist` (tests): the rules of the house that no compiler knows.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

#[cfg(test)]
mod checklist;
mod checks;
#[cfg(test)]
mod dependencies;
mod needs;
mod tally;
#[cfg(test)]
mod walls;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
The chores of this repository.

Usage: cargo xtask <command>

  test    format, lints, documentation and every test: what CI runs (`cargo xtask test --help`)
  e2e     its check in a real browser alone: `cargo xtask e2e [--headed] [<name of some tests>]`
  bench   how fast it is, beside its peers and the machine's floors (`cargo xtask bench --help`)
  deny    licences, advisories and sources of all dependencies, by cargo-deny and deny.toml
  help    this text";

/// Wrong use of the command line.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        ["test", "--help" | "-h"] => {
            println!("{}", checks::help());
            ExitCode::SUCCESS
        }
        ["test", options @ ..] => match checks::select(options) {
            Ok(selected) => checks::run(&selected, in_ci()),
            Err(sentence) => wrong_use(&sentence, &checks::help()),
        },
        ["e2e", options @ ..] => match checks::run_e2e(options) {
            Ok(code) => code,
            Err(sentence) => wrong_use(&sentence, HELP),
        },
        ["bench", options @ ..] => bench(options),
        ["deny"] => deny(),
        [] => wrong_use("Say which chore.", HELP),
        [word, ..] => wrong_use(&format!("There is no chore `{word}` with these options."), HELP),
    }
}

fn wrong_use(sentence: &str, help: &str) -> ExitCode {
    eprintln!("{sentence}\n\n{help}");
    ExitCode::from(WRONG_USE)
}

/// Builds what is measured and what measures as they are released, and lets the latter do the rest.
fn bench(options: &[&str]) -> ExitCode {
    let built = needs::succeeds_aloud("cargo build --release --package countersign-server --package bench");
    let mut measure = needs::command("cargo run --quiet --release --package bench --");
    match built.then(|| measure.args(options).status()) {
        Some(Ok(status)) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Not among the checks of `test`: it needs a program of its own, and the advisories of the day from the network.
fn deny() -> ExitCode {
    if !needs::succeeds("cargo deny --version") {
        eprintln!("cargo-deny is missing: `cargo install --locked cargo-deny` installs it.");
        return ExitCode::FAILURE;
    }
    match needs::command("cargo deny check").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Whether no person watches: CI sets `CI`.
#[expect(clippy::disallowed_methods, reason = "a chore has no configuration but this")]
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// The root of the repository, from wherever inside it a chore was called.
fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file()).unwrap_or(&here).to_path_buf()
}
