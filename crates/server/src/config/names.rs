//! Names that are no settings, and what was meant.

use super::environment::PREFIX;
use super::table::{Setting, settings};
use crate::text::escape;

/// A name that isn't a setting. Its value is never looked at: it may be a secret with a misspelt name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotASetting {
    /// In the environment.
    #[error("{name} (from the environment) is not a setting; {advice}")]
    Variable { name: String, advice: String },
    /// In the file.
    #[error("{name} (from {file}) is not a setting; {advice}")]
    Key { name: String, file: String, advice: String },
}

impl NotASetting {
    pub(super) fn variable(name: &str) -> Self {
        let rest = name.strip_prefix(PREFIX).unwrap_or(name);
        let advice = if is_injected_by_kubernetes(rest) {
            "if Kubernetes added it, write enableServiceLinks: false in the pod's spec; else take it out"
                .into()
        } else if rest == "CONFIG" {
            "name the file with the flag --config".into()
        } else {
            advice(rest, Setting::variable)
        };
        Self::Variable { name: escape(name), advice }
    }

    pub(super) fn key(name: &str, file: &str) -> Self {
        Self::Key {
            name: escape(name),
            file: escape(file),
            advice: advice(name, |setting| setting.name.to_owned()),
        }
    }
}

fn advice(name: &str, spelt: impl Fn(&Setting) -> String) -> String {
    match nearest(name) {
        Some(setting) => format!("write {}, if that was meant", spelt(setting)),
        None => "take it out (countersign serve --help lists the settings)".into(),
    }
}

/// The variables that Kubernetes and Docker links set for each service, after `COUNTERSIGN_`: of the service
/// `countersign` itself, and of those whose names begin with it.
fn is_injected_by_kubernetes(rest: &str) -> bool {
    let port = |rest: &str| {
        rest.strip_prefix("PORT").is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('_') && (rest.contains("_TCP") || rest.contains("_UDP"))
        })
    };
    let service = |rest: &str| rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT");
    let starts = std::iter::once(0).chain(rest.match_indices('_').map(|(at, _)| at + 1));
    starts.filter_map(|at| rest.get(at..)).any(|rest| service(rest) || port(rest))
}

/// The setting that a misspelt name is nearest to.
fn nearest(name: &str) -> Option<&'static Setting> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    if name.len() > 64 {
        return None;
    }
    settings()
        .map(|setting| (distance(&name, setting.name), setting))
        .filter(|(distance, setting)| *distance <= 1 + setting.name.len() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, setting)| setting)
}

/// How many letters must be added, left out or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let (mut left, mut diagonal) = (i + 1, i);
        for (cell, y) in row.iter_mut().zip(std::iter::once(None).chain(b.chars().map(Some))) {
            let Some(y) = y else {
                diagonal = std::mem::replace(cell, left);
                continue;
            };
            left = (left + 1).min(*cell + 1).min(diagonal + usize::from(x != y));
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("leeway", "leway", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_misspelt_name_is_told_the_nearest_one() {
        for (name, meant) in [
            ("listn", Some("listen")),
            ("allowed-origins", Some("allowed_origins")),
            ("ALLOWED_ORIGIN", Some("allowed_origins")),
            ("refresh_secret", None),
            ("access_token_livetime", Some("access_token_lifetime")),
            ("userfields", Some("user_fields")),
            ("x", None),
        ] {
            assert_eq!(nearest(name).map(|setting| setting.name), meant, "{name}");
        }
    }

    #[test]
    fn what_kubernetes_adds_is_told_apart() {
        for name in [
            "COUNTERSIGN_SERVICE_HOST",
            "COUNTERSIGN_SERVICE_PORT",
            "COUNTERSIGN_SERVICE_PORT_HTTP",
            "COUNTERSIGN_PORT",
            "COUNTERSIGN_PORT_8000_TCP",
            "COUNTERSIGN_PORT_8000_TCP_ADDR",
            "COUNTERSIGN_DB_SERVICE_HOST",
            "COUNTERSIGN_DB_PORT_5432_TCP_PROTO",
        ] {
            let error = NotASetting::variable(name).to_string();
            assert!(error.contains(name) && error.contains("enableServiceLinks: false"), "{error}");
        }
        for name in ["COUNTERSIGN_PORTS", "COUNTERSIGN_LISTEN_PORT_X", "COUNTERSIGN_HOST"] {
            assert!(!NotASetting::variable(name).to_string().contains("Kubernetes"), "{name}");
        }
    }

    #[test]
    fn a_name_with_control_characters_is_escaped() {
        let error = NotASetting::variable("COUNTERSIGN_\x1b[31m\nX").to_string();
        assert!(!error.contains(['\x1b', '\n']), "{error:?}");
    }
}
