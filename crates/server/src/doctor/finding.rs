//! What doctor says: a sentence, and with every problem its remedy.

use std::fmt;

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// What it is about, in a word that stays, for programs.
    pub(super) about: &'static str,
    pub(super) level: Level,
    /// One sentence.
    pub(super) says: String,
}

/// How much it matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// It works.
    Fine,
    /// It works, and is worth knowing; there may be something better.
    Note(Option<Remedy>),
    /// A browser app won't work like this.
    Problem(Remedy),
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Remedy {
    /// In words.
    pub(super) advice: String,
    /// Lines of `countersign.toml`, to copy; none where the cure lies elsewhere.
    pub(super) lines: Vec<Line>,
}

/// A line of `countersign.toml`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) setting: &'static str,
    /// As TOML has it.
    value: String,
}

impl Finding {
    pub(super) fn fine(about: &'static str, says: impl Into<String>) -> Self {
        Self { about, level: Level::Fine, says: says.into() }
    }

    pub(super) fn note(about: &'static str, says: impl Into<String>) -> Self {
        Self { about, level: Level::Note(None), says: says.into() }
    }

    /// A note, and what would be better.
    pub(super) fn hint(about: &'static str, says: impl Into<String>, remedy: Remedy) -> Self {
        Self { about, level: Level::Note(Some(remedy)), says: says.into() }
    }

    pub(super) fn problem(about: &'static str, says: impl Into<String>, remedy: Remedy) -> Self {
        Self { about, level: Level::Problem(remedy), says: says.into() }
    }

    pub(super) const fn is_problem(&self) -> bool {
        matches!(self.level, Level::Problem(_))
    }

    pub(super) const fn remedy(&self) -> Option<&Remedy> {
        match &self.level {
            Level::Fine | Level::Note(None) => None,
            Level::Note(Some(remedy)) | Level::Problem(remedy) => Some(remedy),
        }
    }
}

impl Remedy {
    /// Something that no setting does.
    pub(super) fn advice(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), lines: Vec::new() }
    }

    /// Settings, and what they are for.
    pub(super) fn set(advice: impl Into<String>, lines: impl Into<Vec<Line>>) -> Self {
        Self { advice: advice.into(), lines: lines.into() }
    }
}

impl Line {
    pub(super) fn text(setting: &'static str, value: impl fmt::Display) -> Self {
        Self { setting, value: quoted(&value) }
    }

    pub(super) fn list(setting: &'static str, items: impl IntoIterator<Item: fmt::Display>) -> Self {
        let items: Vec<_> = items.into_iter().map(|item| quoted(&item)).collect();
        Self { setting, value: format!("[{}]", items.join(", ")) }
    }

    pub(super) fn on(setting: &'static str) -> Self {
        Self { setting, value: "true".to_owned() }
    }
}

/// As a basic string of TOML. What comes here are origins, domains and names: Rust escapes in them what TOML does.
fn quoted(value: &impl fmt::Display) -> String {
    format!("{:?}", value.to_string())
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.setting, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_of_countersign_toml() {
        for (line, text) in [
            (
                Line::list("allowed_origins", ["https://a.example", "b"]),
                r#"allowed_origins = ["https://a.example", "b"]"#,
            ),
            (Line::text("cookie_samesite", "None"), r#"cookie_samesite = "None""#),
            (Line::on("cookie_partitioned"), "cookie_partitioned = true"),
        ] {
            assert_eq!(line.to_string(), text);
            assert!(toml::from_str::<toml::Table>(text).is_ok());
        }
    }
}
