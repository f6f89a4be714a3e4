//! The short table of the project's own page: it stands there between two marks.

use std::fmt::Write;
use std::fs;

use crate::Result;
use crate::chart::number;
use crate::contest::Outcome;
use crate::loads::{BARE, COMMITS, HASHING, OURS, SEEN};
use crate::peers::PEERS;
use crate::plan::{Results, Start};
use crate::postgres::PGBENCH;

const PAGE: &str = "README.md";
const BEGIN: &str = "<!-- made by cargo xtask bench -->\n";
const END: &str = "<!-- until here -->";

/// Puts the table in its place.
pub(crate) fn publish(results: &Results) -> Result<()> {
    let page = fs::read_to_string(PAGE)?;
    fs::write(PAGE, replaced(&page, &table(results)).ok_or("README.md has no place for the summary")?)?;
    Ok(())
}

fn replaced(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn table(results: &Results) -> String {
    let mut text = String::from("| | Countersign | the floor |");
    for peer in &PEERS {
        let _ = write!(text, " {} |", peer.title);
    }
    let _ = writeln!(text, "\n| --- | ---: | ---: |{}", " ---: |".repeat(PEERS.len()));
    let rates = [
        ("profiles a second, one core", &results.profile, SEEN, Some(BARE)),
        ("refreshes a second, one core", &results.refresh, OURS, Some(COMMITS)),
        ("refreshes a second, PostgreSQL on a core of its own", &results.postgres, OURS, Some(PGBENCH)),
        ("logins a second, two cores", &results.login, OURS, Some(HASHING)),
        ("requests a second in the mix, one core", &results.mix, OURS, None),
    ];
    for (load, outcomes, ours, floor) in rates {
        let rate = |name: &str| {
            let found = outcomes.iter().find(|outcome| outcome.name == name);
            found.and_then(Outcome::rate).map_or_else(|| "–".to_owned(), |rate| number(rate.middle))
        };
        let floor = floor.map_or_else(|| "–".to_owned(), rate);
        row(&mut text, load, &rate(ours), &floor, rate);
    }
    let start = |name: &str, figure: fn(&Start) -> f64| {
        let found = results.starts.iter().find(|start| start.name == name);
        found.map_or_else(|| "–".to_owned(), |start| format!("{:.0}", figure(start)))
    };
    let cold = |name: &str| start(name, |start| start.cold.middle);
    let rest = |name: &str| start(name, |start| start.rest);
    row(&mut text, "first answer after a start, ms", &cold(OURS), "–", cold);
    row(&mut text, "memory at rest, MiB", &rest(OURS), "–", rest);
    text.push_str("\nAll of it, with spread, percentiles, processor time and the machine: [bench/RESULTS.md](bench/RESULTS.md).\n");
    text
}

fn row(text: &mut String, what: &str, ours: &str, floor: &str, of: impl Fn(&str) -> String) {
    let _ = write!(text, "| {what} | **{ours}** | {floor} |");
    for peer in &PEERS {
        let _ = write!(text, " {} |", of(peer.title));
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let page = format!("before\n{BEGIN}old\n{END}\nafter");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("before\n{BEGIN}new\n{END}\nafter"));
        assert_eq!(replaced("no place", "new"), None);
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let table = table(&Results::default());
        assert!(table.contains("| memory at rest, MiB | **–** | – | – | – | – | – |"), "{table}");
    }

    #[test]
    fn the_projects_page_has_a_place_for_it() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        assert!(replaced(&fs::read_to_string(readme).unwrap(), "").is_some());
    }
}
