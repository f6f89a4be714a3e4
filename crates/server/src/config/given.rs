//! What was written for a setting, before it is read.

use super::values::Problem;

/// The text of a setting, from whichever place. It may be a secret: it can't be printed.
#[derive(Clone)]
pub(crate) enum Given {
    /// One text; a list is separated by commas.
    Text(String),
    /// The items of a list, one by one.
    Items(Vec<String>),
}

/// How a row reads it: the names stand in the table.
impl Given {
    /// One value.
    pub(super) fn one<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<T, Problem> {
        match self {
            Self::Text(text) => parse(text),
            Self::Items(_) => Err("takes one value, not a list".into()),
        }
    }

    /// One value, of true or false.
    pub(super) fn flag<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<T, Problem> {
        self.one(parse)
    }

    /// One value, for a place that was empty before.
    pub(super) fn some<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<Option<T>, Problem> {
        self.one(parse).map(Some)
    }

    /// One value, or an empty text for none.
    pub(super) fn optional<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<Option<T>, Problem> {
        match self {
            Self::Text(text) if text.is_empty() => Ok(None),
            Self::Text(_) | Self::Items(_) => self.some(parse),
        }
    }

    /// A table, written in one text.
    pub(super) fn table<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<T, Problem> {
        self.one(parse)
    }

    /// Any number of values.
    pub(super) fn list<T>(&self, parse: fn(&str) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        self.items().into_iter().map(parse).collect()
    }

    /// The values. A final comma, and spaces around one, mean nothing; in a list of TOML each item counts as it is.
    pub(super) fn items(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            Self::Items(items) => items.iter().map(String::as_str).collect(),
        }
    }
}
