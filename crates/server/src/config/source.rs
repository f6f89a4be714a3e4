//! The sources, and which of them a setting is taken from.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::flags::Flags;
use super::given::Given;
use super::program::Program;
use super::rows::Row;
use super::table::{Default, Setting, find};
use super::{environment, file};
use crate::text::escape;

/// What surrounds the program: what the configuration is read from, beside the flags.
pub(crate) struct Surroundings {
    /// The environment's variables.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where `countersign.toml` is looked for; empty for the current folder.
    pub(crate) folder: PathBuf,
    /// Whether a person reads the log as it is written.
    pub(crate) is_terminal: bool,
}

impl Surroundings {
    /// A variable that is no setting; one that isn't UTF-8 counts as absent.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let (_, value) = self.environment.iter().find(|(it, _)| it == name)?;
        value.to_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The configuration file.
    File(PathBuf),
    /// Nobody wrote it.
    Default,
    /// A secret's own file in the data folder.
    Kept(PathBuf),
    /// A secret that will be made at the first start.
    ToBeMade(PathBuf),
}

/// All that was written.
pub(super) struct Sources {
    /// In the order in which they win.
    written: Vec<(Source, Vec<(&'static Setting, Given)>)>,
}

impl Sources {
    /// Reads them. A file that `--config` names must be there.
    pub(super) fn read(flags: &Flags, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut written = vec![
            (Source::Flag, flags.given.clone()),
            (Source::Environment, environment::read(&surroundings.environment)?),
        ];
        let path = flags.config.clone().unwrap_or_else(|| surroundings.folder.join(file::DEFAULT));
        match file::read(&path)? {
            Some(given) => written.push((Source::File(path), given)),
            None if flags.config.is_some() => {
                return Err(ConfigError::file(&path, "isn't there; --config takes a file that is"));
            }
            None => {}
        }
        Ok(Self { written })
    }

    /// The setting as the first source has it, or its default.
    pub(super) fn row(&self, setting: &'static Setting, program: &Program) -> Row {
        let written = self.written.iter().find_map(|(source, given)| {
            let (_, given) = given.iter().find(|(row, _)| row.name == setting.name)?;
            Some((source.clone(), given.clone()))
        });
        if let Some((source, given)) = written {
            return Row { setting, given: Some(given), source, shown_as: None };
        }
        let given = match setting.default {
            Default::Text(text) => Some(Given::Text(text.to_owned())),
            Default::Computed(_, text) => Some(Given::Text(text(program))),
            Default::Unset(_) => None,
        };
        Row { setting, given, source: Source::Default, shown_as: None }
    }
}

impl Source {
    /// As a person would say where to look: `--leeway`, `COUNTERSIGN_LEEWAY`, `countersign.toml`.
    pub(crate) fn of(&self, setting: &str) -> String {
        let setting = find(setting);
        match (self, setting) {
            (Self::Flag, Some(setting)) => Setting::flag(setting),
            (Self::Environment, Some(setting)) => Setting::variable(setting),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| escape(&path.display().to_string());
        match self {
            Self::Flag => f.write_str("the command line"),
            Self::Environment => f.write_str("the environment"),
            Self::File(path) => f.write_str(&shown(path)),
            Self::Default => f.write_str("default"),
            Self::Kept(path) => write!(f, "generated, kept in {}", shown(path)),
            Self::ToBeMade(path) => write!(f, "to be generated, and kept in {}", shown(path)),
        }
    }
}
