//! A server under measurement: started on its core, asked until it answers, weighed, stopped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Result;
use crate::machine::{self, Cores, Machine};

/// How a server is started. `{port}` in words and values is the port that it shall listen on.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
    /// Where what it says goes.
    pub(crate) log: PathBuf,
    pub(crate) cores: Cores,
}

/// A server that answers.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) cold_start: Duration,
}

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_micros(200);
/// How long it may take to stop before it is made to.
const FAREWELL: Duration = Duration::from_secs(5);

impl Server {
    /// Starts it, and waits until it answers `first`, with whatever is no error of its own.
    pub(crate) fn start(machine: Machine, recipe: &Recipe, first: &[u8]) -> Result<Self> {
        let port = machine::free_port()?;
        let filled = |text: &str| text.replace("{port}", &port.to_string());
        let log = File::create(&recipe.log)?;
        let mut words = recipe.command.iter().map(|word| filled(word));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).envs(recipe.environment.iter().map(|(name, value)| (name, filled(value))));
        command.current_dir(&recipe.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = machine.on(recipe.cores, || command.spawn())??;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { child, address, cold_start: Duration::ZERO };
        loop {
            if answers(address, first) {
                server.cold_start = started.elapsed();
                return Ok(server);
            }
            let over = server.child.try_wait()?.is_some() || started.elapsed() > PATIENCE;
            if over {
                let said = fs::read_to_string(&recipe.log).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                let last = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
                return Err(format!("it does not answer as it should; it said: {last}").into());
            }
            sleep(PAUSE);
        }
    }

    /// The group of its processes.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    /// The memory of its processes, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no process has that much memory")]
        let kib = machine::memory(self.group()) as f64;
        kib / 1024.0
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may be gone already.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < FAREWELL {
            match self.child.try_wait() {
                Ok(None) => sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => break,
            }
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether the server answers.
fn answers(address: SocketAddr, request: &[u8]) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request)?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(matches!(status.get(8..10), Some(b" 2" | b" 4")))
    };
    ask().unwrap_or(false)
}
