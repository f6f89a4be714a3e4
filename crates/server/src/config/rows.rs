//! What holds, and where it came from.

use super::error::ConfigError;
use super::given::Given;
use super::source::Source;
use super::table::{Setting, Shape};
use super::values::Problem;
use crate::text::escape;

/// All settings, in the order of the table.
#[derive(Default)]
pub(crate) struct Rows(pub(super) Vec<Row>);

/// A setting, what was written for it, and where.
pub(crate) struct Row {
    pub(crate) setting: &'static Setting,
    pub(super) given: Option<Given>,
    pub(crate) source: Source,
    /// What is shown in the value's place, since that holds a password.
    pub(super) shown_as: Option<String>,
}

impl Rows {
    /// One by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }

    /// Where a setting came from.
    pub(crate) fn source(&self, name: &str) -> &Source {
        self.iter().find(|row| row.setting.name == name).map_or(&Source::Default, |row| &row.source)
    }

    pub(super) fn set_source(&mut self, name: &str, source: &Source) {
        for row in self.0.iter_mut().filter(|row| row.setting.name == name) {
            row.source = source.clone();
        }
    }

    /// Shows this in the place of a setting's value.
    pub(super) fn show(&mut self, name: &str, text: &str) {
        for row in self.0.iter_mut().filter(|row| row.setting.name == name) {
            row.shown_as = Some(escape(text));
        }
    }

    pub(super) fn error(&self, name: &'static str, problem: impl Into<Problem>) -> ConfigError {
        ConfigError::value(name, self.source(name), problem)
    }
}

impl Row {
    /// The value as it may be shown: of a secret only whether it is set.
    pub(crate) fn shown(&self) -> String {
        if let Some(shown) = &self.shown_as {
            return shown.clone();
        }
        let default = self.setting.default.described();
        match (&self.given, &self.source) {
            (_, Source::Kept(_)) => "set".into(),
            (_, Source::ToBeMade(_)) => "not set yet".into(),
            (None, _) => default.into(),
            (Some(Given::Text(table)), _) if self.setting.shape == Shape::Table => match &**table {
                "" => "none".into(),
                table => escape(table),
            },
            (Some(given), _) => match given.items().as_slice() {
                [] if default.is_empty() => "none".into(),
                [] => default.into(),
                _ if self.setting.is_secret => "set".into(),
                items => escape(&items.join(", ")),
            },
        }
    }

    pub(super) fn error(&self, problem: impl Into<Problem>) -> ConfigError {
        ConfigError::value(self.setting.name, &self.source, problem)
    }
}
