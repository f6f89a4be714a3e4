//! The settings in a file, `countersign.toml`.
//!
//! A value is of TOML's own type (`leeway = 10`) or a text as in the environment (`leeway = "10"`); a list is an array,
//! or a text with commas; a table becomes the text that stands for it in the environment. No error quotes a line of the file: it may hold a secret.

use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::given::Given;
use super::names::NotASetting;
use super::source::Source;
use super::table::{Setting, Shape, find};

/// The file that is read if it is there and `--config` names no other.
pub(super) const DEFAULT: &str = "countersign.toml";

/// A larger file isn't a configuration.
const MAX: u64 = 1024 * 1024;

/// Reads the file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<(&'static Setting, Given)>>, ConfigError> {
    match std::fs::File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            file.take(MAX + 1)
                .read_to_string(&mut text)
                .map_err(|error| ConfigError::file(path, format!("can't be read: {error}")))?;
            if text.len() as u64 > MAX {
                return Err(ConfigError::file(path, "is over 1 MiB, which no configuration is"));
            }
            parse(&text, path).map(Some)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::file(path, format!("can't be read: {error}"))),
    }
}

fn parse(text: &str, path: &Path) -> Result<Vec<(&'static Setting, Given)>, ConfigError> {
    let table: Table = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::file(path, format!(
            "line {line} can't be read as TOML; write lines such as listen = \"127.0.0.1:8000\", each name once"
        ))
    })?;
    let mut given = Vec::with_capacity(table.len());
    for (name, value) in table {
        let setting = find(&name).ok_or_else(|| NotASetting::key(&name, &path.display().to_string()))?;
        let refuse =
            |problem: &str| ConfigError::value(setting.name, &Source::File(path.to_owned()), problem);
        let value = match value {
            Value::Table(_) if setting.shape == Shape::Table => Given::Text(value.to_string()),
            Value::Array(items) => {
                let items: Option<_> = items.iter().map(scalar).collect();
                Given::Items(items.ok_or_else(|| refuse("is to be a list of texts, such as [\"a\", \"b\"]"))?)
            }
            other => Given::Text(scalar(&other).ok_or_else(|| {
                refuse("is to be a text, a number, true or false, or a list, such as \"a\" or [\"a\", \"b\"]")
            })?),
        };
        given.push((setting, value));
    }
    Ok(given)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(switch) => Some(switch.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
