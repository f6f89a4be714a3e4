//! `countersign copy`: everything is carried over to another database.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use countersign::builder::{self, CopyError};
use countersign::core::fields::UserFields;
use countersign::service::copy::{Progress, Stage};
use countersign::settings::Database;

use super::columns;
use crate::config;
use crate::outcome::{Failure, say};

/// How wide the bar is, in characters.
const BAR: u64 = 30;

/// Carries everything over, and says what came along.
pub(crate) async fn run(from: &str, to: &str, fields: &UserFields) -> Result<(), Failure> {
    let (from, to) = (database("--from", from)?, database("--to", to)?);
    if from == to {
        return Err(Failure::Misused("--from and --to are the same database; name two".into()));
    }
    if let Database::Sqlite(path) = &from
        && !path.exists()
    {
        return Err(Failure::Misused(format!("--from: there is no database {}", path.display())));
    }
    let mut bar = Bar::new();
    let copied = builder::copy(&from, &to, fields, |progress| bar.show(progress)).await;
    bar.end();
    let copied = copied?;
    let mut rows: Vec<Vec<String>> = vec![vec!["TABLE".into(), "ROWS".into()]];
    rows.extend(copied.iter().map(|copied| vec![copied.table.into(), copied.rows.to_string()]));
    say(&columns(&rows));
    say(&format!(
        "\n{to} holds all that {from} does, compared row by row. Start the new servers with the secrets of the old \
         ones, and everyone stays signed in."
    ));
    Ok(())
}

fn database(flag: &str, url: &str) -> Result<Database, Failure> {
    config::database(url).map_err(|problem| Failure::Misused(format!("{flag} {problem}")))
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// On a terminal one line that changes; elsewhere a line now and then.
struct Bar {
    is_terminal: bool,
    shown: Option<(Instant, Progress)>,
}

impl Bar {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, progress: Progress) {
        let pause = Duration::from_millis(if self.is_terminal { 100 } else { 5000 });
        let is_due = self.shown.is_none_or(|(at, last)| {
            at.elapsed() >= pause
                || self.is_terminal && (last.table, last.stage) != (progress.table, progress.stage)
        });
        if is_due {
            self.shown = Some((Instant::now(), progress));
            let line = line(progress);
            // Where standard error is closed, nobody looks.
            let _ = if self.is_terminal {
                write!(io::stderr(), "\r\x1b[K{line}")
            } else {
                writeln!(io::stderr(), "{line}")
            };
        }
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(Progress { stage, table, done, total }: Progress) -> String {
    let verb = match stage {
        Stage::Copying => "copying",
        Stage::Checking => "checking",
    };
    let filled = (done * BAR).checked_div(total).unwrap_or(BAR).min(BAR);
    let bar: String = (0..BAR).map(|place| if place < filled { '#' } else { '.' }).collect();
    format!("{verb:8} {table:17} [{bar}] {done} of {total}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_as_rows_are_done() {
        let at = |done, total| line(Progress { stage: Stage::Copying, table: "users", done, total });
        assert_eq!(at(0, 2), "copying  users             [..............................] 0 of 2");
        assert_eq!(at(1, 2), "copying  users             [###############...............] 1 of 2");
        assert!(at(0, 0).contains(&"#".repeat(30)), "of nothing all is done");
        assert!(at(9, 2).contains(&"#".repeat(30)), "rows that came meanwhile");
    }
}
