//! The command line: which commands there are, what they take, and what their help teaches.

use std::io::IsTerminal;
use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use clap::{Args, Parser, Subcommand};

use crate::check;
use crate::config::{Config, Flags, Missing, SettingFlags, Surroundings};
use crate::outcome::Failure;
use crate::{serve, telemetry};

/// Self-hosted authentication for browser apps, mobile and desktop apps.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: SettingFlags<false>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API; what no command does too
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Shows the settings in force and where each was read; changes nothing
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
}

const EXAMPLES: &str = "\
Examples:
  countersign serve                        serves http://localhost:8000
  countersign check --deploy               says what isn't fit for production yet

Each setting of `countersign serve --help` can be given as a flag, as an environment variable
(COUNTERSIGN_LISTEN) or as a line of countersign.toml (listen = \"127.0.0.1:8000\"); the first of these wins.

Exit codes: 0 done, 1 refused or failed, 2 called or configured wrongly.";

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    settings: SettingFlags<true>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  countersign serve
  countersign serve --allowed-origins http://localhost:3000
  COUNTERSIGN_PUBLIC_URL=https://auth.example.com countersign serve --listen 0.0.0.0:8000

Each setting is also an environment variable (COUNTERSIGN_PUBLIC_URL) and a line of countersign.toml
(public_url = \"https://auth.example.com\"). A flag wins over the environment, and that over the file.
SIGTERM and Ctrl-C let the requests under way finish; a second one ends at once.";

#[derive(Args)]
struct Check {
    /// Lists what isn't fit for production, each with its remedy; exit code 1 if there is anything
    #[arg(long)]
    deploy: bool,
    #[command(flatten)]
    settings: SettingFlags<true>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  countersign check
  countersign check --deploy --config /etc/countersign.toml";

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Some(Command::Serve(Serve { settings })) => start(&settings.0),
            None => start(&self.settings.0),
            Some(Command::Check(Check { deploy, settings })) => {
                check::run(&load(&settings.0, Missing::Leave)?, deploy)
            }
        }
    }
}

fn start(flags: &Flags) -> Result<(), Failure> {
    let config = load(flags, Missing::Make)?;
    telemetry::start(&config.program.log, config.program.is_terminal);
    run_async(serve::run(config))
}

fn run_async(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::Refused(format!("the system gave no threads: {error}")))?;
    runtime.block_on(work)
}

fn load(flags: &Flags, missing: Missing) -> Result<Config, Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "here the program is composed: it reads the environment once"
    )]
    let environment = std::env::vars_os().collect();
    #[expect(clippy::disallowed_methods, reason = "here the program is composed")]
    let random = SystemRandom::new();
    let surroundings =
        Surroundings { environment, folder: PathBuf::new(), is_terminal: std::io::stderr().is_terminal() };
    Ok(Config::load(flags, &surroundings, missing, &random)?)
}
