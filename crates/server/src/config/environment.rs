//! The settings as environment variables.

use std::ffi::{OsStr, OsString};

use super::error::ConfigError;
use super::given::Given;
use super::names::NotASetting;
use super::source::Source;
use super::table::{Setting, settings};

/// How the variables of ours begin.
pub(crate) const PREFIX: &str = "COUNTERSIGN_";

/// Begins like one of ours, and is none: the tools that make users read it, and it may stand in the same file of
/// variables as the settings.
pub(crate) const PASSWORD: &str = "COUNTERSIGN_PASSWORD";

/// Reads the variables that begin like ours.
pub(super) fn read(
    environment: &[(OsString, OsString)],
) -> Result<Vec<(&'static Setting, Given)>, ConfigError> {
    let mut ours: Vec<_> = environment.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    ours.into_iter()
        .map(|(name, value)| {
            let name = name.to_string_lossy();
            let setting = settings()
                .find(|setting| setting.variable() == name)
                .ok_or_else(|| NotASetting::variable(&name))?;
            let text = value.to_str().ok_or_else(|| {
                ConfigError::value(setting.name, &Source::Environment, "is not UTF-8; write it in UTF-8")
            })?;
            Ok((setting, Given::Text(text.to_owned())))
        })
        .collect()
}

fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) && name != PASSWORD
}
