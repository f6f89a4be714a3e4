//! Questions to a person at a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::outcome::Failure;
use crate::text::escape;

/// Someone who can be asked: a person, or a test.
pub(crate) trait Ask {
    /// The line that they write.
    fn line(&mut self, question: &str) -> io::Result<String>;
    /// What they write without showing it.
    fn hidden(&mut self, question: &str) -> io::Result<String>;
    /// Tells them something.
    fn tell(&mut self, sentence: &str);
}

/// The person at the terminal.
pub(crate) struct Terminal;

impl Terminal {
    /// Refuses where nobody is there to ask.
    pub(crate) fn open() -> Result<Self, Failure> {
        if io::stdin().is_terminal() {
            return Ok(Self);
        }
        Err(Failure::Misused(
            "there is no terminal to ask at; use --noinput, and give the password in COUNTERSIGN_PASSWORD"
                .into(),
        ))
    }
}

impl Ask for Terminal {
    fn line(&mut self, question: &str) -> io::Result<String> {
        let mut stderr = io::stderr();
        write!(stderr, "{question}").and_then(|()| stderr.flush())?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn hidden(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    fn tell(&mut self, sentence: &str) {
        // Where standard error is closed, nobody reads it.
        let _ = writeln!(io::stderr(), "{}", escape(sentence));
    }
}
