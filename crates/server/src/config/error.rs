//! Why the configuration won't do: one sentence that names the setting, where it was read, and what to write instead.

use std::path::{Path, PathBuf};

use super::names::NotASetting;
use super::source::Source;
use super::values::Problem;
use crate::text::escape;

/// A configuration that can't be used: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A name that we don't know.
    #[error("{0}")]
    NotASetting(#[from] NotASetting),
    /// A value that can't be right.
    #[error("{setting} ({place}): {problem}")]
    Value { setting: &'static str, place: String, problem: Problem },
    /// The file can't be read.
    #[error("{}: {problem}", escape(&.path.display().to_string()))]
    File { path: PathBuf, problem: Problem },
}

impl ConfigError {
    pub(super) fn value(setting: &'static str, source: &Source, problem: impl Into<Problem>) -> Self {
        Self::Value { setting, place: place(setting, source), problem: escape(&problem.into()) }
    }

    pub(super) fn file(path: &Path, problem: impl Into<Problem>) -> Self {
        Self::File { path: path.to_owned(), problem: escape(&problem.into()) }
    }
}

fn place(setting: &str, source: &Source) -> String {
    match source {
        Source::Flag | Source::Environment | Source::File(_) => format!("from {}", source.of(setting)),
        Source::Default | Source::Kept(_) | Source::ToBeMade(_) => source.to_string(),
    }
}
