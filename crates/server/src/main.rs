//! The program `countersign`: command line, configuration, telemetry, wiring. What it does, the library does.

mod check;
mod cli;
mod config;
mod outcome;
mod serve;
mod stop;
mod telemetry;
mod text;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
