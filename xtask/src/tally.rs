//! How many tests passed, read from what `cargo test` and node's test runner print.

use std::fmt;
use std::ops::AddAssign;

/// Tests, or whole checks, by how they ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// Reads a line that counts tests. Any other line is `None`, and so is one that it can't make sense of.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        Self::parse_cargo(line).or_else(|| Self::parse_node(line))
    }

    /// The line that ends one test program:
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.04s`
    fn parse_cargo(line: &str) -> Option<Self> {
        let (_verdict, counts) = line.trim_end().strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what| {
            let mut words = counts.split("; ").map(|part| part.split_once(' '));
            words.find_map(|part| part.filter(|(_, name)| *name == what))?.0.parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }

    /// One of the lines that end a run of node's test runner, a line a count: `# pass 12`, or `ℹ pass 12` in its report
    /// for people.
    fn parse_node(line: &str) -> Option<Self> {
        let line = ["# ", "ℹ "].iter().find_map(|mark| line.strip_prefix(mark))?;
        let (what, count) = line.trim_end().split_once(' ')?;
        let (none, count) = (Self::default(), count.parse().ok()?);
        match what {
            "pass" => Some(Self { passed: count, ..none }),
            "fail" | "cancelled" => Some(Self { failed: count, ..none }),
            "skipped" | "todo" => Some(Self { skipped: count, ..none }),
            _ => None,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_test_program_is_read() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.04s\n";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 12, failed: 0, skipped: 1 }));

        let line =
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9s";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 7, failed: 2, skipped: 0 }));
    }

    #[test]
    fn the_lines_of_nodes_test_runner_are_added_up() {
        for mark in ["#", "ℹ"] {
            let lines = [
                "tests 9",
                "suites 2",
                "pass 4",
                "fail 2",
                "cancelled 1",
                "skipped 1",
                "todo 1",
                "duration_ms 7.5",
            ];
            let mut sum = Tally::default();
            for line in lines {
                sum += Tally::parse(&format!("{mark} {line}\n")).unwrap_or_default();
            }
            assert_eq!(sum, Tally { passed: 4, failed: 3, skipped: 2 });
        }
    }

    #[test]
    fn other_lines_are_no_results() {
        for line in [
            "",
            "running 3 tests",
            "test tests::the_test_result: ok ... ok",
            " test result: ok. 1 passed; 0 failed; 0 ignored",
            "test result: ok.",
            "# pass",
            "# pass many",
            "  # pass 1",
            "pass 1",
            "# pass 1 of 2",
            "test result: ok. many passed; 0 failed; 0 ignored",
            "test result: ok. 1 passed; 0 failed",
        ] {
            assert_eq!(Tally::parse(line), None, "{line}");
        }
    }

    #[test]
    fn sums_are_told_in_one_plain_line() {
        let mut sum = Tally::default();
        sum += Tally { passed: 2, failed: 0, skipped: 0 };
        sum += Tally { passed: 3, failed: 1, skipped: 0 };
        assert_eq!(sum.to_string(), "5 passed, 1 failed");
        sum += Tally { passed: 0, failed: 0, skipped: 4 };
        assert_eq!(sum.to_string(), "5 passed, 1 failed, 4 skipped");
    }
}
