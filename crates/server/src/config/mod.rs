//! The configuration: read once, from all of its sources, into typed values.
//!
//! - [`table`]: the settings, one row each.
//! - [`source`]: the sources, the first that has a setting wins: [`flags`], [`environment`], [`file`], its default.
//! - [`names`]: what isn't a setting, and what was meant.
//! - [`given`], [`values`], [`program`]: how a text becomes a value, and where it goes.
//! - [`secrets`]: the secrets that nobody wrote.
//! - [`rows`]: what holds, and where it came from.

pub(crate) mod environment;
mod error;
mod file;
mod flags;
mod given;
mod names;
mod program;
mod rows;
mod secrets;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod values;

use aws_lc_rs::rand::SecureRandom;
use countersign::core::origin::PublicUrl;
use countersign::settings::{Database, Settings};

pub(crate) use error::ConfigError;
pub(crate) use flags::{Flags, SettingFlags};
pub(crate) use program::{Log, LogFormat, Program};
pub(crate) use rows::{Row, Rows};
pub(crate) use secrets::Missing;
pub(crate) use source::{Source, Surroundings};
pub(crate) use table::GROUPS;

use source::Sources;
use table::Read;

/// The effective configuration. It has no `Debug`: it holds secrets.
pub(crate) struct Config {
    /// What the program itself is told.
    pub(crate) program: Program,
    /// Each setting and where it came from.
    pub(crate) rows: Rows,
    settings: Settings,
}

impl Config {
    /// Reads all sources. What is wrong with them is told in one sentence.
    pub(crate) fn load(
        flags: &Flags,
        surroundings: &Surroundings,
        missing: Missing,
        random: &dyn SecureRandom,
    ) -> Result<Self, ConfigError> {
        let sources = Sources::read(flags, surroundings)?;
        let mut program = Program::new(surroundings.is_terminal);
        let mut rows = Rows::default();
        for setting in table::settings() {
            let row = sources.row(setting, &program);
            if let (Read::Program(read), Some(given)) = (setting.read, &row.given) {
                read(&mut program, given).map_err(|problem| row.error(problem))?;
            }
            rows.0.push(row);
        }
        if let Database::Postgres(database) = &program.database {
            rows.show("database_url", &database.to_string());
        }
        let secrets = secrets::obtain(&mut program, &mut rows, missing, random)?;
        let mut settings = Settings::new(program.public_url.clone(), program.database.clone(), secrets);
        settings.access_algorithm = program.access_algorithm;
        for row in &rows.0 {
            if let (Read::Library(read), Some(given)) = (row.setting.read, &row.given) {
                read(&mut settings, given).map_err(|problem| row.error(problem))?;
            }
        }
        settings.validate().map_err(|error| rows.error(error.setting, error.problem))?;
        Ok(Self { program, rows, settings })
    }

    /// The library's settings, before a port is bound.
    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The library's settings for a server on this port, which the default public URL tells.
    pub(crate) fn settings_on(&self, port: u16) -> Settings {
        let mut settings = self.settings.clone();
        if self.rows.source("public_url") == &Source::Default {
            settings.public_url = PublicUrl::localhost(port);
        }
        settings
    }
}

/// A database, named as `database_url` names it; else what is wrong, with what to write instead.
pub(crate) fn database(text: &str) -> Result<Database, String> {
    values::database(text)
}
