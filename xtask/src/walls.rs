//! Who may lean on whom. Each wall says what a room never imports, and why; these tests hold it up.
//!
//! A crate's walls are read from what cargo resolves, so that nothing comes in through a third party. Inside the
//! `countersign` crate, where no manifest tells its two halves apart, they are read from the source.

use std::fs;
use std::path::{Path, PathBuf};

use crate::needs::command;
use crate::root;

struct Wall {
    /// A crate of the workspace.
    crate_name: &'static str,
    reach: Reach,
    never: &'static [&'static str],
    because: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// Not even through another crate.
    Anyhow,
    /// Not by itself; what it leans on may.
    Directly,
}

const WALLS: &[Wall] = &[
    Wall {
        crate_name: "countersign-core",
        reach: Reach::Anyhow,
        never: &[
            "tokio",
            "http",
            "hyper",
            "axum",
            "rusqlite",
            "tokio-postgres",
            "getrandom",
            "rand",
            "tracing",
        ],
        because: "the rules are pure functions: no I/O, no clock, no randomness of their own",
    },
    Wall {
        crate_name: "countersign-verify",
        reach: Reach::Anyhow,
        never: &["countersign", "countersign-store", "rusqlite", "tokio-postgres", "argon2"],
        because: "a service that trusts our tokens must not compile a database",
    },
    Wall {
        crate_name: "countersign-store",
        reach: Reach::Anyhow,
        never: &["countersign", "countersign-verify", "axum", "http", "hyper", "argon2", "bcrypt", "scrypt"],
        because: "the store keeps what it is given: it speaks no HTTP and never sees a password",
    },
    Wall {
        crate_name: "countersign",
        reach: Reach::Anyhow,
        never: &[
            "countersign-admin",
            "countersign-server",
            "askama",
            "clap",
            "rpassword",
            "toml",
            "tracing-subscriber",
        ],
        because: "an embedder brings a command line, a configuration file, a log and pages of its own",
    },
    Wall {
        crate_name: "countersign-admin",
        reach: Reach::Directly,
        never: &["countersign-core", "countersign-server", "countersign-store", "rusqlite", "tokio-postgres"],
        because: "the admin site goes to the store through `service`, which decides who may",
    },
    Wall {
        crate_name: "countersign-django",
        reach: Reach::Anyhow,
        never: &["countersign", "countersign-verify", "axum", "http", "hyper", "argon2"],
        because: "it reads another program's database; who may come from there, the use case judges",
    },
    Wall {
        crate_name: "countersign-server",
        reach: Reach::Directly,
        never: &["countersign-store", "rusqlite", "tokio-postgres"],
        because: "the program uses the library's face, and proves that the face is enough",
    },
    Wall {
        crate_name: "embedded",
        reach: Reach::Directly,
        never: &["countersign-core", "countersign-store", "countersign-verify"],
        because: "an embedder needs one crate of ours",
    },
];

/// A half of the `countersign` crate.
struct Half {
    module: &'static str,
    never: &'static [&'static str],
    because: &'static str,
}

const HALVES: &[Half] = &[
    Half {
        module: "service",
        never: &["axum", "http::", "hyper", "tower"],
        because: "a use case is called by HTTP, the admin site, the command line and tests alike",
    },
    Half {
        module: "http",
        never: &["countersign_store", "rusqlite", "tokio_postgres"],
        because: "HTTP goes to the store through `service`",
    },
];

#[test]
fn no_crate_leans_on_what_it_must_not_know() {
    for wall in WALLS {
        for dependency in dependencies(wall.crate_name, wall.reach) {
            let Wall { crate_name, because, .. } = wall;
            assert!(
                !wall.never.contains(&&*dependency),
                "{crate_name} never imports {dependency}: {because}"
            );
        }
    }
}

/// What only tests may lean on.
const FOR_TESTS: &str = "countersign-testing";

#[test]
fn what_is_for_tests_alone_comes_into_no_program() {
    for wall in WALLS {
        let tree = dependencies(wall.crate_name, Reach::Anyhow);
        assert!(!tree.iter().any(|name| name == FOR_TESTS), "{} leans on {FOR_TESTS}", wall.crate_name);
    }
}

#[test]
fn neither_half_of_the_library_mentions_what_it_must_not_know() {
    let source = root().join("crates/countersign/src");
    for half in HALVES {
        for file in rust_files(&source).iter().filter(|file| belongs(file, &source, half.module)) {
            let found = mentions(&fs::read_to_string(file).unwrap(), half.never);
            assert_eq!(found, [], "{}: {}", file.display(), half.because);
        }
    }
}

// The crate re-exports the store for embedders; the pages may name its types (a user, a row of the audit), and never it.
#[test]
fn the_admin_site_never_opens_the_store() {
    for file in rust_files(&root().join("crates/admin/src")) {
        let never = ["Store", "Sqlite", "rusqlite", "tokio_postgres"];
        assert_eq!(mentions(&fs::read_to_string(&file).unwrap(), &never), [], "{}", file.display());
    }
}

#[test]
fn a_mention_is_code_and_not_a_comment_or_a_longer_name() {
    let text = "use std::fmt;\n//! as axum does\nuse axum::Router; // axum\nlet a = relaxum();\nlet b = crate::http::ok();\n";
    assert_eq!(mentions(text, &["axum", "http::"]), [(3, "axum"), (5, "http::")]);
}

/// The names of all crates that a crate of the workspace leans on, whatever its features, tests aside.
fn dependencies(crate_name: &str, reach: Reach) -> Vec<String> {
    let depth = if reach == Reach::Directly { "--depth 1" } else { "" };
    let tree = "cargo tree --locked --edges normal --all-features --prefix none --format {p}";
    let output = command(&format!("{tree} --package {crate_name} {depth}")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    // `name v1.2.3 (…)`, the crate itself first.
    let mut names = listed.lines().filter_map(|line| line.split(' ').next()).map(String::from);
    assert_eq!(names.next().as_deref(), Some(crate_name));
    names.collect()
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether a file is part of a module at the top: `service.rs`, or anything in `service/`.
fn belongs(file: &Path, source: &Path, module: &str) -> bool {
    file.strip_prefix(source).unwrap().with_extension("").starts_with(module)
}

/// The line and the word, wherever code says one of the words.
fn mentions<'a>(text: &str, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let says = |word: &str| code.match_indices(word).any(|(at, _)| !ends_in_a_name(&code[..at]));
        found.extend(words.iter().filter(|word| says(word)).map(|word| (number, *word)));
    }
    found
}

fn ends_in_a_name(text: &str) -> bool {
    text.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}
