//! How far a long piece of work has come, told on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::report::thousands;

/// On a terminal one line that changes; elsewhere a line now and then.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    every: Duration,
    told: Instant,
    is_terminal: bool,
}

impl Progress {
    /// Of so many users, that something is done to.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let every = Duration::from_millis(if is_terminal { 200 } else { 5000 });
        Self { what, total, done: 0, every, told: Instant::now(), is_terminal }
    }

    /// So many more.
    pub(crate) fn advance(&mut self, more: usize) {
        self.done = self.done.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        if self.told.elapsed() >= self.every {
            self.told = Instant::now();
            self.tell();
        }
    }

    /// The line goes, or nothing was said.
    pub(crate) fn end(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn tell(&self) {
        let line = format!("{} of {} users {}", thousands(self.done), thousands(self.total), self.what);
        // Where standard error is closed, nobody reads it.
        let _ = if self.is_terminal {
            write!(io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(io::stderr(), "{line}")
        };
    }
}
