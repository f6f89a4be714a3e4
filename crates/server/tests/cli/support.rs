//! A folder to run the program in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program's file.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// A folder of its own for each test, gone afterwards.
pub(crate) struct Scene(tempfile::TempDir);

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, with nothing in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(PROGRAM, arguments)
    }

    /// Another program, in the same place.
    pub(crate) fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.run_in(&[], arguments)
    }

    pub(crate) fn run_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Answer {
        let output = self.command(arguments).envs(environment.iter().copied()).output().unwrap();
        Answer::from(output)
    }
}

impl Answer {
    /// All that was said.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The line of the table of settings that begins with this name.
    pub(crate) fn line(&self, name: &str) -> Vec<&str> {
        let line = self.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in {self:?}")).split_whitespace().collect()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Read, write and enter rights of a file or folder.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A server under way; killed where the test doesn't stop it.
pub(crate) struct Server {
    process: Child,
    /// `127.0.0.1:40123`
    pub(crate) address: String,
}

impl Scene {
    /// Starts a server on a free port, and waits until it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(self.command(arguments))
    }
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        command.env("COUNTERSIGN_LISTEN", "127.0.0.1:0").env("COUNTERSIGN_LOG_LEVEL", "debug");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => Self { process, address: address.to_owned() },
            None => panic!("{line:?} {:?}", Answer::from(process.wait_with_output().unwrap())),
        }
    }

    /// A request of a method and a path, with headers and a body; the whole answer.
    pub(crate) fn request(&self, line: &str, headers: &[&str], body: &str) -> String {
        request(&self.address, line, headers, body)
    }

    pub(crate) fn login(&self, username: &str, password: &str) -> String {
        let body = serde_json::json!({ "username": username, "password": password }).to_string();
        self.request("POST /accounts/login", &["Content-Type: application/json\r\n"], &body)
    }

    /// Sends SIGTERM, and waits for its end.
    pub(crate) fn stop(mut self) -> Answer {
        signal(self.process.id(), "TERM");
        let output = Output {
            status: self.process.wait().unwrap(),
            stdout: read(self.process.stdout.take()),
            stderr: read(self.process.stderr.take()),
        };
        Answer::from(output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same, to any address.
pub(crate) fn request(address: &str, line: &str, headers: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers = headers.concat();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
