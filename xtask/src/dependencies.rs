//! Every dependency has its reason in `docs/dependencies.md`, and its version in one place.

use std::collections::BTreeSet;
use std::fs;

use crate::root;

// attack 120
#[test]
fn every_dependency_has_its_reason_and_every_reason_a_dependency() {
    let (chosen, explained) = (chosen(), explained(&read("docs/dependencies.md")));
    let missing: Vec<_> = chosen.difference(&explained).collect();
    let gone: Vec<_> = explained.difference(&chosen).collect();
    assert!(missing.is_empty(), "docs/dependencies.md has no line for {missing:?}");
    assert!(
        gone.is_empty(),
        "docs/dependencies.md explains {gone:?}, which is not in [workspace.dependencies]"
    );
}

#[test]
fn a_dependency_that_no_crate_uses_is_taken_out() {
    let members = members();
    let used: BTreeSet<&str> =
        members.iter().flat_map(|member| entries(member)).map(|entry| entry.name).collect();
    let chosen = chosen();
    let unused: Vec<_> = chosen.iter().filter(|name| !used.contains(name.as_str())).collect();
    assert!(unused.is_empty(), "no crate uses {unused:?} of [workspace.dependencies]");
}

#[test]
fn versions_stand_in_the_workspace_alone() {
    for member in members() {
        for Entry { name, line } in entries(&member) {
            assert!(
                line.contains("workspace = true"),
                "`{name}`: its version belongs in [workspace.dependencies]"
            );
        }
    }
}

// attack 120
#[test]
fn no_crate_of_ours_may_be_unsafe() {
    assert!(read("Cargo.toml").contains("\nunsafe_code = \"forbid\""));
    for member in members() {
        assert!(member.contains("\n[lints]\nworkspace = true\n"), "{member}");
    }
}

#[test]
fn entries_are_the_dependencies_of_all_tables_and_nothing_else() {
    let manifest = "\
[features]
sqlite = [\"dep:rusqlite\"]

[dependencies]
serde.workspace = true # why
uuid = { workspace = true, features = [
    \"serde\",
] }

# Tests.
[dev-dependencies]
tempfile = \"3\"

[lints]
workspace = true
";
    let read: Vec<_> = entries(manifest).iter().map(|entry| (entry.name, entry.line)).collect();
    assert_eq!(
        read,
        [
            ("serde", "serde.workspace = true # why"),
            ("uuid", "uuid = { workspace = true, features = ["),
            ("tempfile", "tempfile = \"3\""),
        ]
    );
}

#[test]
fn a_reason_is_a_row_of_a_table() {
    let page =
        "# Why\n\n| crate | why |\n| --- | --- |\n| `axum` | routes |\n| http | types |\n\nNo | row.\n";
    assert_eq!(explained(page), ["axum", "http"].map(String::from).into());
}

/// One line of a table of dependencies.
struct Entry<'a> {
    name: &'a str,
    line: &'a str,
}

/// The dependencies that a manifest names. It reads the plain style of our manifests, one dependency a line.
fn entries(manifest: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut entries = Vec::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name;
        }
        let key = line.split_once('=').map(|(key, _)| key.trim().trim_end_matches(".workspace"));
        match key {
            Some(name) if table.ends_with("dependencies") && name.starts_with(char::is_alphanumeric) => {
                entries.push(Entry { name, line });
            }
            _ => {}
        }
    }
    entries
}

/// The workspace's dependencies on the work of others.
fn chosen() -> BTreeSet<String> {
    let workspace = read("Cargo.toml");
    let entries = entries(&workspace).into_iter().filter(|entry| !entry.line.contains("path = "));
    entries.map(|entry| entry.name.to_owned()).collect()
}

/// The first cell of each row of the page's tables.
fn explained(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let cells = rows.map(|cell| cell.trim().trim_matches('`'));
    cells.filter(|cell| *cell != "crate" && !cell.starts_with("--")).map(String::from).collect()
}

/// The manifests of all crates of the workspace.
fn members() -> Vec<String> {
    let folders = ["crates", "examples"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let crates = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let manifests = crates
        .chain(["bench", "xtask"].map(|folder| root().join(folder)))
        .map(|folder| folder.join("Cargo.toml"));
    manifests
        .filter(|manifest| manifest.is_file())
        .map(|manifest| fs::read_to_string(manifest).unwrap())
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
