//! `cargo xtask bench`: how fast Countersign is, beside what others run and what the machine itself allows.
//!
//! - `histogram`, `http`, `loader`: the clients' side: it asks, checks each answer, takes the time.
//! - `api`, `clients`: what is asked, and in which order.
//! - `machine`, `server`: cores, memory, processes.
//! - `store`, `sqlite`, `cluster`, `postgres`: stores of any size in each engine, and the tokens of their sessions.
//! - `floors`: what the machine allows.
//! - `peers`: what others run, set up from their registries.
//! - `contest`: several do the same, in turns; `plan`, `loads`, `scale`: who competes with whom.
//! - `report`, `chart`, `summary`, `demands`: what is made of it all, and what must hold.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod api;
mod chart;
mod clients;
mod cluster;
mod contest;
mod demands;
mod floors;
mod histogram;
mod http;
mod loader;
mod loads;
mod machine;
mod peers;
mod plan;
mod postgres;
mod report;
mod scale;
mod server;
mod sqlite;
mod store;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures Countersign beside its peers and the machine's floors, and writes bench/RESULTS.md
#[derive(Parser)]
#[command(name = "cargo xtask bench", after_help = plan::HELP)]
struct Arguments {
    #[command(subcommand)]
    floor: Option<Command>,
    #[command(flatten)]
    choice: plan::Choice,
}

#[derive(Subcommand)]
enum Command {
    /// What the benchmark starts as processes of their own
    #[command(subcommand, hide = true)]
    Floor(floors::Floor),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.floor {
        Some(Command::Floor(floor)) => floors::run(floor),
        None => plan::run(&arguments.choice),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    println!("{line}");
}

/// The present, in milliseconds since 1970.
fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "here the benchmark is composed")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
