//! What is said before and after an import.

use std::fmt::Write;

use countersign::service::import::{GroupArrival, Report, Subject};

use crate::text::escape;

/// What an import will do.
pub(super) fn plan(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "To come: {} new users; {} who came before and have changed there since; {} as they are.",
        thousands(report.created),
        thousands(report.changed),
        thousands(report.unchanged)
    )];
    lines.extend(details(report));
    lines
}

/// What it did.
pub(super) fn done(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "{} new users came; {} who came before were brought up to date; {} had not changed.",
        thousands(report.created),
        thousands(report.changed),
        thousands(report.unchanged)
    )];
    if report.passwords > 0 {
        lines.push(format!(
            "{} of them have a new password there: it counts here too, and their sessions here have ended.",
            thousands(report.passwords)
        ));
    }
    lines.extend(details(report));
    lines
}

/// What is left to do where there is a server that was started before, if anything: its last word.
pub(super) fn to_do(report: &Report) -> Option<&'static str> {
    (report.created + report.changed > 0).then_some(
        "A server that runs already is best restarted: how long its slowest hash takes is measured at the start, and \
         failed logins take as long.",
    )
}

fn details(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let hashes = report.hashes.iter().map(|(kind, count)| format!("{} {kind}", thousands(*count)));
    let hashes: Vec<_> = hashes.collect();
    if !hashes.is_empty() {
        lines.push(format!("Passwords: {}.", hashes.join("; ")));
    }
    let count = |wanted: GroupArrival| report.groups.iter().filter(|(_, arrival)| *arrival == wanted).count();
    if !report.groups.is_empty() {
        lines.push(format!(
            "Groups: {} new, {} changed, {} as they are. Permissions: {}.",
            count(GroupArrival::Created),
            count(GroupArrival::Changed),
            count(GroupArrival::Unchanged) + count(GroupArrival::Joined),
            report.permissions
        ));
    }
    if !report.shared_addresses.is_empty() {
        lines.push(
            "Addresses that log nobody in, since several users have them (their user names do; one address each \
             would mend it):"
                .to_owned(),
        );
        for (address, users) in &report.shared_addresses {
            let ids: Vec<_> = users.iter().map(ToString::to_string).collect();
            lines.push(format!("  {}: users {}", escape(address), ids.join(", ")));
        }
    }
    section(&mut lines, "To know:", &report.notes);
    section(&mut lines, "Stays behind:", &report.left_out);
    lines
}

fn section(lines: &mut Vec<String>, head: &str, entries: &[(Subject, String)]) {
    if !entries.is_empty() {
        lines.push(head.to_owned());
        lines.extend(entries.iter().map(|(subject, reason)| format!("  {} {}", of(subject), escape(reason))));
    }
}

fn of(subject: &Subject) -> String {
    match subject {
        Subject::User(id, name) if name.is_empty() => format!("user {id}:"),
        Subject::User(id, name) => format!("user {id}, {}:", escape(name)),
        Subject::Group(name) => format!("group {}:", escape(name)),
        Subject::Permission(name) => format!("permission {}:", escape(name)),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        let _ = write!(text, "{digit}");
    }
    text
}

/// Names of a stranger's columns, as a list.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    // attack 78
    #[test]
    fn where_users_came_the_last_word_is_to_restart_a_server() {
        let came = |created, changed| to_do(&Report { created, changed, ..Report::default() });
        assert_eq!(came(0, 0), None);
        for to_do in [came(1, 0), came(0, 1)] {
            assert!(to_do.unwrap().contains("restarted"), "{to_do:?}");
        }
    }

    // attack 117
    #[test]
    fn a_strangers_name_cannot_forge_a_line_of_the_report() {
        let subject = Subject::User(7, "ana\nStays behind:\n  user 1\x1b[2J".to_owned());
        let report = Report { left_out: vec![(subject, "why\r\n".to_owned())], ..Report::default() };
        let lines = done(&report);
        assert!(lines.iter().all(|line| !line.contains(['\n', '\r', '\x1b'])), "{lines:?}");
    }
}
