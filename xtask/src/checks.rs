//! `cargo xtask test`: a list of checks, run one after another, with one line of numbers at the end.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use crate::needs::{self, Install, Need};
use crate::tally::Tally;

/// One thing that must hold before a change is good.
pub(crate) struct Check {
    /// What `--only` calls it.
    name: &'static str,
    /// What holds when it passes.
    claim: &'static str,
    /// What must succeed first, in this order.
    prepare: &'static [&'static str],
    command: &'static str,
    environment: &'static [(&'static str, &'static str)],
    needs: &'static [Need],
}

/// In the order that tells a mistake soonest.
const CHECKS: &[Check] = &[
    Check {
        name: "fmt",
        claim: "the code is formatted",
        prepare: &[],
        command: "cargo fmt --all --check",
        environment: &[],
        needs: &[RUSTFMT],
    },
    Check {
        name: "clippy",
        claim: "no lint is broken",
        prepare: &[],
        command: "cargo clippy --workspace --all-targets -- -D warnings",
        environment: &[],
        needs: &[CLIPPY, C_COMPILER],
    },
    Check {
        name: "engines",
        claim: "the library can be built with PostgreSQL alone, for whoever links an SQLite of their own",
        prepare: &[],
        command: "cargo check --package countersign --no-default-features --features postgres",
        environment: &[],
        needs: &[C_COMPILER],
    },
    Check {
        name: "doc",
        claim: "the documentation has no warnings",
        prepare: &[],
        command: "cargo doc --workspace --no-deps",
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        needs: &[C_COMPILER],
    },
    Check {
        name: "test",
        claim: "every crate's tests pass, those in its documentation too",
        prepare: &[],
        command: "cargo test --workspace --no-fail-fast",
        environment: &[],
        needs: &[C_COMPILER, NGINX, POSTGRESQL, PYTHON],
    },
    Check {
        name: "postgres",
        claim: "the contract's core holds over PostgreSQL as it does over SQLite",
        prepare: &[],
        // Not what a lock on the file itself is needed for.
        command: "cargo test --package countersign --test contract -- rotation:: refresh:: login:: logout:: guessing:: \
                  ceiling:: sessions:: private_routes:: secrets:: unavailable::without",
        environment: &[("COUNTERSIGN_TEST_STORE", "postgres")],
        needs: &[C_COMPILER, POSTGRESQL],
    },
    Check {
        name: "pooler",
        claim: "the store behaves the same through PgBouncer in transaction mode",
        prepare: &[],
        command: "cargo test --package countersign-store --test behaviour",
        environment: &[("COUNTERSIGN_TEST_STORE", "pgbouncer")],
        needs: &[C_COMPILER, POSTGRESQL, PGBOUNCER],
    },
    Check {
        name: "counts",
        claim: "the hot paths take no more instructions than they may",
        prepare: &[],
        command: "cargo bench --package countersign --bench counts",
        environment: &[],
        needs: &[C_COMPILER, VALGRIND, GUNGRAUN],
    },
    Check {
        name: "client",
        claim: "the browser client holds, alone and against the real program",
        prepare: &["cargo build --package countersign-server", "npm --prefix clients/js ci"],
        command: "npm --prefix clients/js test --",
        // From its own folder.
        environment: &[("COUNTERSIGN_BIN", "../../target/debug/countersign")],
        needs: &[C_COMPILER, NODE, NPM],
    },
    E2E,
];

/// Also a chore of its own: see [`run_e2e`].
const E2E: Check = Check {
    name: "e2e",
    claim: "everything holds in a real browser, with the real program",
    prepare: &["cargo build --package countersign-server", "npm --prefix e2e ci"],
    command: "npm --prefix e2e test --",
    environment: &[],
    needs: &[C_COMPILER, NODE, NPM, CHROMIUM, OPENSSL],
};

const RUSTFMT: Need =
    Need { name: "rustfmt", probes: &["cargo fmt --version"], install: Install::Rustup("rustfmt") };
const CLIPPY: Need =
    Need { name: "clippy", probes: &["cargo clippy --version"], install: Install::Rustup("clippy") };
/// For SQLite and AWS-LC, which are compiled from C.
const C_COMPILER: Need = Need {
    name: "a C compiler",
    probes: &["cc --version", "clang --version"],
    install: Install::Debian("build-essential"),
};

/// Stands in front of the nodes, as it does where they are deployed.
const NGINX: Need = Need {
    name: "nginx",
    // Debian keeps it where only root looks for programs.
    probes: &["nginx -v", "/usr/sbin/nginx -v"],
    install: Install::Debian("nginx-light"),
};

/// The server itself: tests start their own. Debian has it outside of the `PATH`.
const POSTGRESQL: Need = Need {
    name: "PostgreSQL 15 or newer",
    probes: &[
        "initdb --version",
        "/usr/lib/postgresql/15/bin/initdb --version",
        "/usr/lib/postgresql/16/bin/initdb --version",
        "/usr/lib/postgresql/17/bin/initdb --version",
        "/usr/lib/postgresql/18/bin/initdb --version",
    ],
    install: Install::Debian("postgresql"),
};

const PGBOUNCER: Need = Need {
    name: "PgBouncer",
    probes: &["pgbouncer --version", "/usr/sbin/pgbouncer --version"],
    install: Install::Debian("pgbouncer"),
};
/// Counts instructions.
const VALGRIND: Need =
    Need { name: "Valgrind", probes: &["valgrind --version"], install: Install::Debian("valgrind") };
const GUNGRAUN: Need =
    Need { name: "gungraun-runner", probes: &[], install: Install::Cargo("gungraun-runner") };

/// Makes the Django projects that users come from, with what `pip` brings into a place of their own below `target/`.
const PYTHON: Need = Need {
    name: "Python 3.10 or newer with venv",
    probes: &["python3 -c assert(__import__('sys').version_info>=(3,10))and(__import__('ensurepip'))"],
    install: Install::Debian("python3-venv"),
};

const NODE: Need = Need {
    name: "Node.js 20 or newer",
    probes: &["node --eval process.exit(parseInt(process.versions.node)<20?1:0)"],
    install: Install::Debian("nodejs"),
};
const NPM: Need = Need { name: "npm", probes: &["npm --version"], install: Install::Debian("npm") };
const CHROMIUM: Need = Need {
    name: "Chromium",
    probes: &["node e2e/support/chromium.js"],
    install: Install::Debian("chromium"),
};
/// Makes the certificates of a test's hosts.
const OPENSSL: Need =
    Need { name: "openssl", probes: &["openssl version"], install: Install::Debian("openssl") };

/// What became of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Passed,
    /// With the reason, and so the next.
    Failed(String),
    Skipped(String),
}

pub(crate) fn help() -> String {
    let mut help = String::from(
        "\
Runs what must hold before a change is good. All checks run, even after one failed.

Usage: cargo xtask test [--only <check>[,<check>…]]

",
    );
    for check in CHECKS {
        let _ = writeln!(help, "  {:9}{} ({})", check.name, check.claim, check.command);
    }
    help.push_str(
        "
What a check needs and the machine lacks is installed where that is possible (a Debian package when
you are root, a part of the Rust toolchain); else the check is skipped, and one line says why. In CI
(the environment has CI) nothing may be skipped, no test ignored: that is a failure.

The last line counts the tests: `N passed, N failed`. A check that fails without a failed test, such
as a lint, counts as one. The exit code is 0 when all is well, 1 after a failure, 2 for wrong use.",
    );
    help
}

/// The checks that the options ask for: all of them, or those that `--only` names.
pub(crate) fn select(options: &[&str]) -> Result<Vec<&'static Check>, String> {
    let names = match options {
        [] => return Ok(CHECKS.iter().collect()),
        ["--only", names] => Some(*names),
        [option] => option.strip_prefix("--only="),
        _ => None,
    };
    let Some(names) = names else {
        return Err(format!("`test` takes `--only <check>[,<check>…]`, not `{}`.", options.join(" ")));
    };
    let names: Vec<&str> = names.split(',').collect();
    let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(format!("There is no check `{name}`: the checks are {}.", known.join(", "))),
        None => Ok(CHECKS.iter().filter(|check| names.contains(&check.name)).collect()),
    }
}

/// Runs the checks and tells what became of them. The last line is the count of the tests.
pub(crate) fn run(checks: &[&Check], ci: bool) -> ExitCode {
    let mut total = Tally::default();
    let mut summary = String::new();
    for check in checks {
        println!("== {}: {} ({})", check.name, check.claim, check.command);
        let start = Instant::now();
        let (outcome, tests) = check.run(&[]);
        let (outcome, tests) = judge(outcome, tests, ci);
        total += tests;
        let line = format!("{:9}{:>6.1} s  {outcome}", check.name, start.elapsed().as_secs_f32());
        println!("== {line}\n");
        let _ = writeln!(summary, "{line}");
    }
    println!("{summary}{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What an outcome counts for: in CI nothing may be skipped, and no failure goes uncounted.
fn judge(outcome: Outcome, mut tests: Tally, ci: bool) -> (Outcome, Tally) {
    let outcome = match outcome {
        Outcome::Skipped(reason) if ci => Outcome::Failed(format!("{reason}; in CI nothing may be skipped")),
        Outcome::Passed if ci && tests.skipped > 0 => Outcome::Failed("in CI no test may be ignored".into()),
        outcome => outcome,
    };
    match outcome {
        Outcome::Passed => {}
        Outcome::Failed(_) => tests.failed = tests.failed.max(1),
        Outcome::Skipped(_) => tests.skipped += 1,
    }
    (outcome, tests)
}

/// `cargo xtask e2e`: that check alone, with the browser's window shown, or those of its tests that a filter names.
pub(crate) fn run_e2e(options: &[&str]) -> Result<ExitCode, String> {
    let (environment, filter): (&[_], _) = match options {
        ["--headed", filter @ ..] => (&[("E2E_HEADED", "1")], filter),
        filter => (&[], filter),
    };
    let arguments = match filter {
        [] => vec![],
        [filter] if !filter.starts_with('-') => vec![format!("--test-name-pattern={filter}")],
        _ => return Err(format!("`e2e` takes `[--headed] [<name>]`, not `{}`.", options.join(" "))),
    };
    let (outcome, tests) = Check { environment, ..E2E }.run(&arguments);
    let (outcome, tests) = judge(outcome, tests, false);
    println!("== {outcome}\n\n{tests}");
    Ok(if tests.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Check {
    /// Runs it, its command with more arguments.
    fn run(&self, arguments: &[String]) -> (Outcome, Tally) {
        for need in self.needs {
            if let Err(reason) = need.provide() {
                return (Outcome::Skipped(reason), Tally::default());
            }
        }
        if let Some(step) = self.prepare.iter().find(|step| !needs::succeeds_aloud(step)) {
            return (Outcome::Failed(format!("`{step}` failed")), Tally::default());
        }
        match self.execute(arguments) {
            Ok((true, tests)) => (Outcome::Passed, tests),
            Ok((false, tests)) => (Outcome::Failed("see above".into()), tests),
            Err(error) => (Outcome::Failed(error.to_string()), Tally::default()),
        }
    }

    /// Runs the command, passes its output through line by line, and adds up the results of tests in it.
    fn execute(&self, arguments: &[String]) -> io::Result<(bool, Tally)> {
        let mut command = needs::command(self.command);
        command.args(arguments);
        command.envs(self.environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut tests = Tally::default();
        if let Some(output) = child.stdout.take() {
            tests = pass_through(BufReader::new(output), io::stdout())?;
        }
        Ok((child.wait()?.success(), tests))
    }
}

fn pass_through(mut from: impl BufRead, mut to: impl Write) -> io::Result<Tally> {
    let mut tests = Tally::default();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        if let Some(result) = Tally::parse(&String::from_utf8_lossy(&line)) {
            tests += result;
        }
        line.clear();
    }
    to.flush()?;
    Ok(tests)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
            Self::Skipped(reason) => write!(f, "skipped, because {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(checks: &[&Check]) -> Vec<&'static str> {
        checks.iter().map(|check| check.name).collect()
    }

    #[test]
    fn without_options_every_check_is_selected() {
        assert_eq!(names(&select(&[]).unwrap()).len(), CHECKS.len());
    }

    #[test]
    fn only_selects_by_name_in_the_order_of_the_list() {
        assert_eq!(names(&select(&["--only", "test,fmt"]).unwrap()), ["fmt", "test"]);
        assert_eq!(names(&select(&["--only=doc"]).unwrap()), ["doc"]);
    }

    #[test]
    fn a_chore_takes_a_name_and_no_other_option() {
        for options in [&["--fast"][..], &["--headed", "--fast"], &["two", "names"], &["name", "--headed"]] {
            assert!(run_e2e(options).is_err_and(|sentence| sentence.ends_with('.')), "{options:?}");
        }
    }

    #[test]
    fn wrong_options_are_refused_with_a_sentence() {
        for options in [&["--only"][..], &["--only", "all"], &["--only="], &["--fast"], &["fmt", "doc"]] {
            assert!(select(options).is_err_and(|sentence| sentence.ends_with('.')), "{options:?}");
        }
    }

    #[test]
    fn a_failure_without_a_failed_test_counts_as_one() {
        let (_, tests) = judge(Outcome::Failed(String::new()), Tally::default(), false);
        assert_eq!(tests, Tally { passed: 0, failed: 1, skipped: 0 });
        let (_, tests) =
            judge(Outcome::Failed(String::new()), Tally { passed: 3, failed: 2, skipped: 0 }, false);
        assert_eq!(tests, Tally { passed: 3, failed: 2, skipped: 0 });
    }

    #[test]
    fn what_is_skipped_is_counted_and_fails_in_ci() {
        let skipped = || Outcome::Skipped("a browser is missing".into());
        let (outcome, tests) = judge(skipped(), Tally::default(), false);
        assert_eq!((outcome, tests.failed, tests.skipped), (skipped(), 0, 1));
        let (outcome, tests) = judge(skipped(), Tally::default(), true);
        assert!(matches!(outcome, Outcome::Failed(_)));
        assert_eq!(tests.failed, 1);
    }

    #[test]
    fn an_ignored_test_fails_in_ci() {
        let ignored = Tally { passed: 5, failed: 0, skipped: 1 };
        assert_eq!(judge(Outcome::Passed, ignored, false), (Outcome::Passed, ignored));
        assert_eq!(judge(Outcome::Passed, ignored, true).1.failed, 1);
    }

    #[test]
    fn output_passes_through_whole_while_its_results_are_added_up() {
        let said = b"running 2 tests\n\xff\ntest result: ok. 2 passed; 0 failed; 0 ignored\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored\nno newline at the end";
        let mut shown = Vec::new();
        let tests = pass_through(&said[..], &mut shown).unwrap();
        assert_eq!(tests, Tally { passed: 3, failed: 1, skipped: 0 });
        assert_eq!(shown, said);
    }
}
