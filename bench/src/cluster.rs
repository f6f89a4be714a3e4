//! A PostgreSQL cluster of our own, on the first core: it is made for a run, and goes with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::machine::{Cores, Machine, free_port};
use crate::peers::output;

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    child: Child,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes a new cluster, and starts it on the server's core with PostgreSQL's own defaults: commits are durable.
    pub(crate) fn start(machine: Machine, work: &Path) -> Result<Self> {
        let programs = programs()?;
        // The user postgres can't enter everybody's folders.
        let folder = if is_root() {
            std::env::temp_dir().join("countersign-bench-postgres")
        } else {
            work.join("postgres")
        };
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        if is_root() {
            output(Command::new("chown").arg("postgres:").arg(&folder))?;
        }
        let data = folder.join("data");
        let mut init = command(&programs.join("initdb"));
        init.args(["--username=postgres", "--auth=trust", "--no-sync", "--pgdata"])
            .arg(&data)
            .current_dir("/");
        output(&mut init)?;
        let port = free_port()?;
        let mut server = command(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k"]).arg(&folder).current_dir("/");
        server.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "shared_buffers=256MB",
            "-c",
            "max_wal_size=4GB",
            "-c",
            "max_connections=300",
        ]);
        let log = fs::File::create(work.join("postgres.log"))?;
        server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = machine.on(Cores::Server, || server.spawn())??;
        let cluster = Self { child, programs, folder, port };
        let begun = Instant::now();
        while let Err(error) = cluster.query("postgres", "SELECT 1") {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(error);
            }
            sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    /// The rows of a query, their fields between bars.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--host=127.0.0.1", "--username=postgres", "--port", &self.port.to_string()]);
        output(psql.args(["--dbname", database, "--command", sql]))
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Where a program of PostgreSQL is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // INT: at once, but in order.
            let _ = kill_process(process, Signal::INT);
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where PostgreSQL's programs are; Debian keeps the server's out of the path.
fn programs() -> Result<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let all = found.into_iter().rev().chain(told);
    let mut complete = all.filter(|folder| {
        ["initdb", "postgres", "psql", "pgbench"].iter().all(|name| folder.join(name).is_file())
    });
    complete.next().ok_or_else(|| "PostgreSQL is missing (`apt-get install postgresql` installs it)".into())
}

/// A program of the server, which refuses to run as root.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
