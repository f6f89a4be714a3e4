//! The program `countersign`: command line, configuration, telemetry, wiring. What it does, the library does.

mod check;
mod cli;
mod config;
mod demo;
mod doctor;
mod files;
mod healthcheck;
mod import;
mod log_writer;
mod outcome;
mod prompt;
mod run;
mod serve;
mod site;
mod stop;
mod telemetry;
mod text;
mod tools;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match run::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
