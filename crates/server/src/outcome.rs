//! How a command ends, and what it says.

use std::io::{self, Write};
use std::process::ExitCode;

use countersign::BuildError;
use countersign::service;
use countersign::service::keys::KeyError;
use countersign::service::open::StartError;

use crate::config::ConfigError;
use crate::text::escape;

/// A command that didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was refused, or it failed. Exit code 1.
    #[error("{0}")]
    Refused(String),
    /// It was called or configured wrongly. Exit code 2, as clap's own errors have.
    #[error("{0}")]
    Misused(String),
}

impl Failure {
    /// Says why, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Where standard error is closed, the exit code still tells.
        let _ = writeln!(io::stderr(), "error: {}", escape(&self.to_string()));
        match self {
            Self::Refused(_) => ExitCode::from(1),
            Self::Misused(_) => ExitCode::from(2),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Misused(error.to_string())
    }
}

/// What the system refused, and a question that got no answer.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Refused("cancelled".into()),
            _ => Self::Refused(format!("the system refused: {error}")),
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let sentence = error.to_string();
        match error {
            BuildError::DataDir(_)
            | BuildError::PublicUrl(_)
            | BuildError::NoEngine(_)
            | BuildError::Start(StartError::Setting(_) | StartError::Keys(KeyError::OtherRoot { .. })) => {
                Self::Misused(sentence)
            }
            BuildError::Database(_) | BuildError::Postgres(_) | BuildError::Start(_) => {
                Self::Refused(sentence)
            }
        }
    }
}

impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        if let service::Error::Keys(KeyError::OtherRoot { .. }) = error {
            return Self::Misused(error.to_string());
        }
        let sentences = match &error {
            service::Error::InvalidFields(fields) => fields.iter().flat_map(told).collect(),
            service::Error::InvalidPassword(reasons) => reasons.clone(),
            service::Error::Unavailable(cause) => vec![format!("{error} ({cause})")],
            service::Error::Internal(cause) => vec![format!("{error}: {cause}")],
            _ => vec![error.to_string()],
        };
        Self::Refused(sentences.join(" "))
    }
}

/// The sentences about a field. Those about a custom field don't say which it is.
fn told((name, sentences): (&String, &Vec<String>)) -> Vec<String> {
    match name.as_str() {
        "username" | "email" | "password" => sentences.clone(),
        _ => sentences.iter().map(|sentence| format!("{name}: {sentence}")).collect(),
    }
}

/// Says a line to whoever called the command. A reader that went away (`countersign check | head -1`) is no failure.
pub(crate) fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
