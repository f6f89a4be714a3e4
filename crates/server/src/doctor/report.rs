//! What was found, for a person and for a program.

use serde::Serialize;

use super::finding::{Finding, Level, Line};
use super::pair::Pair;
use crate::config::{Rows, Source};

/// Where a line of prose ends, in characters.
const WIDTH: usize = 100;

/// Where the sentences begin.
const INDENT: &str = "         ";

/// For a person. `rows` say where a setting stands now.
pub(super) fn text(pair: &Pair<'_>, findings: &[Finding], rows: &Rows) -> String {
    let mut lines = vec![format!("page     {}", pair.page), format!("API      {}", pair.api), String::new()];
    for finding in findings {
        let word = match finding.level {
            Level::Fine => "ok",
            Level::Note(_) => "note",
            Level::Problem(_) => "PROBLEM",
        };
        let first = format!("{word:<8} ");
        lines.extend(wrapped(&first, &finding.says));
        let Some(remedy) = finding.remedy() else { continue };
        lines.extend(wrapped(INDENT, &remedy.advice));
        lines.extend(remedy.lines.iter().map(|line| format!("{INDENT}    {line}{}", elsewhere(line, rows))));
    }
    lines.push(String::new());
    if !findings.iter().any(Finding::is_problem) {
        lines.push(format!("A browser app at {} will work.", pair.page));
    }
    lines.join("\n")
}

/// For a program.
pub(super) fn json(pair: &Pair<'_>, findings: &[Finding]) -> String {
    let report = Report {
        page: pair.page.as_str(),
        api: pair.api.as_str(),
        asked: pair.asked.url(""),
        works: !findings.iter().any(Finding::is_problem),
        findings: findings.iter().map(Told::from).collect(),
    };
    // Text into memory: there is nothing in it that could fail.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

#[derive(Serialize)]
struct Report<'a> {
    page: &'a str,
    api: &'a str,
    /// Where the running server was asked.
    asked: String,
    works: bool,
    findings: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    level: &'static str,
    about: &'static str,
    says: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
    /// Lines of `countersign.toml`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<String>,
}

impl<'a> From<&'a Finding> for Told<'a> {
    fn from(finding: &'a Finding) -> Self {
        let remedy = finding.remedy();
        let level = match finding.level {
            Level::Fine => "ok",
            Level::Note(_) => "note",
            Level::Problem(_) => "problem",
        };
        Self {
            level,
            about: finding.about,
            says: &finding.says,
            advice: remedy.map(|remedy| remedy.advice.as_str()),
            settings: remedy.iter().flat_map(|remedy| &remedy.lines).map(ToString::to_string).collect(),
        }
    }
}

/// A comment for a setting that the file can't change, since it is given where it wins over the file.
fn elsewhere(line: &Line, rows: &Rows) -> String {
    match rows.source(line.setting) {
        source @ (Source::Flag | Source::Environment) => {
            format!("  # now given by {}, which wins over the file", source.of(line.setting))
        }
        Source::File(_) | Source::Default | Source::Kept(_) | Source::ToBeMade(_) => String::new(),
    }
}

/// Prose in lines, the first of which begins with this.
fn wrapped(first: &str, prose: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    for word in prose.split(' ') {
        let is_begun = line.chars().count() > INDENT.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, INDENT.to_owned()));
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_under_its_beginning() {
        let prose = ["word"; 40].join(" ");
        let lines = wrapped("note     ", &prose);
        assert!(lines.len() == 3 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert!(lines[0].starts_with("note     word") && lines[1].starts_with("         word"));
        let words: Vec<_> = lines.iter().flat_map(|line| line.split_whitespace()).skip(1).collect();
        assert_eq!(words.join(" "), prose);
        assert_eq!(wrapped("ok       ", &"x".repeat(200)).len(), 1);
    }
}
