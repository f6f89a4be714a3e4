//! `docs/security-checklist.md` has each attack once, names tests that are there, and misses none that says which attack
//! it proves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use crate::walls::rust_files;

const PAGE: &str = "docs/security-checklist.md";
const ATTACKS: u32 = 120;
/// Where tests name the attacks that they prove.
const SOURCES: [&str; 2] = ["crates", "examples"];
/// What stands in the place of a test.
const WITHOUT_A_TEST: &str = "doesn't apply";

#[test]
fn every_attack_has_one_row_and_they_are_in_order() {
    let numbers: Vec<u32> = rows(&page()).iter().map(|row| row.attack).collect();
    assert_eq!(numbers, (1..=ATTACKS).collect::<Vec<_>>());
}

#[test]
fn every_row_names_tests_that_are_there_or_says_why_it_has_none() {
    for Row { attack, proofs } in rows(&page()) {
        let Proofs::Tests(files) = proofs else { continue };
        for (file, tests) in files {
            let path = path(&file);
            let text = fs::read_to_string(&path).unwrap_or_default();
            assert!(!tests.is_empty(), "{PAGE}: row {attack} names no test of {file}");
            for test in tests {
                // The name of a test in JavaScript is a text.
                let is_rust = path.extension().is_some_and(|extension| extension == "rs");
                let there = if is_rust { format!("fn {test}(") } else { test };
                assert!(text.contains(&there), "{PAGE}: row {attack}: no {there} in {file}");
            }
        }
    }
}

#[test]
fn a_test_that_names_an_attack_stands_in_its_row() {
    let page = page();
    let rows = rows(&page);
    for source in SOURCES.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let named = attacks_named(&fs::read_to_string(&source).unwrap());
        for attack in named {
            let row = rows.iter().find(|row| row.attack == attack);
            assert!(
                row.is_some_and(|row| row.names(&source)),
                "{PAGE}: row {attack} doesn't list {}, which names that attack",
                source.display()
            );
        }
    }
}

#[test]
fn rows_are_read_with_their_tests_and_without() {
    let page = "\
| # | attack | what we do | proven by |
| --- | --- | --- | --- |
| 7 | `kid` | nothing | `core/src/a.rs`: `one`, `two`<br>`xtask/src/b.rs`: `three` |
| 8 | forms | none | doesn't apply |
";
    let files = [("core/src/a.rs", &["one", "two"][..]), ("xtask/src/b.rs", &["three"])]
        .map(|(file, tests)| (file.to_owned(), tests.iter().map(|test| (*test).to_owned()).collect()));
    assert_eq!(
        rows(page),
        [Row { attack: 7, proofs: Proofs::Tests(files.to_vec()) }, Row { attack: 8, proofs: Proofs::None }]
    );
}

#[test]
fn attacks_are_named_in_comments_one_by_one_or_several() {
    let source = "\
// attack 1
// attack 2, attack 3: in 4 ways
//! attacks 5, 6: and 7
let attack = 8; // attack 9
let text = \"attack 10\"; // no attack is named
/// (see the tests of `// attack 11`.)
";
    assert_eq!(attacks_named(source), [1, 2, 3, 5, 6, 9, 11]);
}

/// A row of the page.
#[derive(PartialEq, Debug)]
struct Row {
    attack: u32,
    proofs: Proofs,
}

#[derive(PartialEq, Debug)]
enum Proofs {
    /// By file, from `crates/` or from the root on.
    Tests(Vec<(String, Vec<String>)>),
    None,
}

impl Row {
    fn names(&self, source: &Path) -> bool {
        match &self.proofs {
            Proofs::Tests(files) => files.iter().any(|(file, _)| path(file) == source),
            Proofs::None => false,
        }
    }
}

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).unwrap()
}

/// Where a file of the page lies.
fn path(file: &str) -> PathBuf {
    let in_a_crate = root().join("crates").join(file);
    if in_a_crate.is_file() { in_a_crate } else { root().join(file) }
}

/// The rows of all tables whose first cell is a number.
fn rows(page: &str) -> Vec<Row> {
    let cells = |line: &str| {
        let cells: Vec<_> =
            line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(String::from).collect();
        Some((cells.first()?.parse().ok()?, cells.last()?.clone()))
    };
    page.lines().filter_map(cells).map(|(attack, cell)| Row { attack, proofs: proofs(&cell) }).collect()
}

/// A file and its tests, then the next: `` `file`: `test`, `test`<br>`file`: … ``.
fn proofs(cell: &str) -> Proofs {
    if cell == WITHOUT_A_TEST {
        return Proofs::None;
    }
    let file = |part: &str| {
        let mut quoted = part.split('`').skip(1).step_by(2).map(String::from);
        (quoted.next().unwrap_or_default(), quoted.collect())
    };
    Proofs::Tests(cell.split("<br>").map(file).collect())
}

/// The attacks that comments name: `attack 1, attack 2`, `attacks 1, 2`.
fn attacks_named(source: &str) -> Vec<u32> {
    let comments = source.lines().filter_map(|line| line.split_once("//")).map(|(_, comment)| comment);
    let mut attacks = Vec::new();
    for comment in comments {
        let words = comment.split_whitespace().map(|word| word.trim_matches(|c| "`(".contains(c)));
        let mut counts = false;
        for word in words {
            let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
            match digits.parse() {
                Ok(attack) if counts => {
                    attacks.push(attack);
                    counts = word.len() == digits.len() + 1 && word.ends_with(',');
                }
                _ => counts = matches!(word, "attack" | "attacks") || counts && word == "and",
            }
        }
    }
    attacks
}
