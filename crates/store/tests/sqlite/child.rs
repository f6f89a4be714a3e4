//! Another process: this test program once more, told by its environment what to do. It tells its parent what was
//! acknowledged to it, a line each.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::{crash, processes};

const TASK: &str = "COUNTERSIGN_TEST_CHILD_TASK";
const DATABASE: &str = "COUNTERSIGN_TEST_CHILD_DATABASE";

/// What stands before each line that is meant for the parent.
const MARK: &str = "ack ";

/// A child at work. Dropped, it is killed with SIGKILL.
pub(crate) struct Child {
    process: std::process::Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(task: &str, database: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::a_child_does_as_it_is_told", "--nocapture"])
            .env(TASK, task)
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { process, stdin, stdout }
    }

    /// Lets a child go on that waits for it.
    pub(crate) fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }

    /// What the child says next; `None` when it has ended. A line that was cut off was never said.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            self.stdout.read_line(&mut line).unwrap();
            let line = line.strip_suffix('\n')?;
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Kills it, at once and without warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Tells the parent something.
pub(crate) fn say(what: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{MARK}{what}\n").as_bytes()).unwrap();
    stdout.flush().unwrap();
}

/// Waits until the parent says so.
pub(crate) fn wait_to_go() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// The child's whole life; in the parent there is nothing to do.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test program has no other way to be told that it is a child"
)]
fn a_child_does_as_it_is_told() {
    let (Ok(task), Ok(database)) = (std::env::var(TASK), std::env::var(DATABASE)) else { return };
    let database = PathBuf::from(database);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let words: Vec<_> = task.split(' ').collect();
    match words[..] {
        ["live", round] => runtime.block_on(crash::live(&database, round.parse().unwrap())),
        ["rotate", session, user] => {
            let (session, user) = (session.parse().unwrap(), user.parse().unwrap());
            runtime.block_on(processes::rotate(&database, session, user));
        }
        ["write", count] => runtime.block_on(processes::write(&database, count.parse().unwrap())),
        _ => panic!("unknown task {task}"),
    }
}
