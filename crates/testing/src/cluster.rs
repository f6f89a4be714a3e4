//! A PostgreSQL cluster of one's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::programs::Programs;
use crate::watchdog::Watchdog;

/// How long a cluster may take to start or to stop. A busy machine takes its time.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Small, and nothing left out that makes a commit durable.
const SETTINGS: &str = "
fsync = on
synchronous_commit = on
listen_addresses = '127.0.0.1'
max_connections = 400
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
wal_level = replica
";

/// A cluster with a superuser `postgres`, whom it trusts without a password. It listens on a free port of the loopback
/// and on a Unix socket in its folder. Dropping it stops it and removes its files.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    programs: Programs,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
    _watchdog: Watchdog,
}

/// Processes that stand still until this is dropped: the machine is there, and doesn't answer.
pub struct Frozen(Vec<Pid>);

/// Starting.
impl Cluster {
    /// The one that all tests of this process share: each takes a database of its own from it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A new cluster.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A new cluster with more lines in its `postgresql.conf`.
    pub fn start_with(settings: &str) -> Self {
        Self::made_by(settings, |programs, data| {
            let mut initdb = programs.command("initdb");
            initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
            // The files of the template needn't be on disk for a test that hasn't begun.
            initdb.args(["--no-sync", "--no-instructions", "-D"]).arg(data);
            let made = initdb.stdin(Stdio::null()).output().expect("no initdb: install PostgreSQL");
            assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        })
    }

    /// A cluster whose data folder somebody makes (`initdb`, `pg_basebackup`), with more lines in its
    /// `postgresql.conf`.
    pub fn made_by(settings: &str, make: impl FnOnce(&Programs, &Path)) -> Self {
        let programs = Programs::find();
        let folder = tempfile::Builder::new().prefix("countersign-pg-").tempdir().expect("no folder").keep();
        let watchdog = Watchdog::over(&folder);
        programs.own(&folder);
        make(&programs, &folder.join("data"));
        let mut cluster = Self {
            folder,
            port: 0,
            programs,
            server: Mutex::default(),
            databases: AtomicU32::new(0),
            _watchdog: watchdog,
        };
        // A port that was free may be taken by now: then with another one.
        for _ in 0..5 {
            cluster.port = crate::free_port();
            cluster.configure(settings);
            if cluster.try_start() {
                return cluster;
            }
        }
        panic!("PostgreSQL doesn't start: {}", cluster.log());
    }

    fn configure(&self, settings: &str) {
        let own = format!(
            "{SETTINGS}port = {}\nunix_socket_directories = '{}'\n{settings}\n",
            self.port,
            self.folder.display()
        );
        fs::write(self.data().join("countersign.conf"), own).expect("can't write the configuration");
        let main = self.data().join("postgresql.conf");
        let include = "include 'countersign.conf'\n";
        let text = fs::read_to_string(&main).expect("no postgresql.conf");
        if !text.ends_with(include) {
            fs::write(&main, text + include).expect("can't write postgresql.conf");
        }
    }

    /// Starts the server again, with its data as they are.
    pub fn start_again(&self) {
        let begun = Instant::now();
        // What is left of a server that was killed holds its memory for a moment.
        while !self.try_start() {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL doesn't start again: {}", self.log());
            sleep(PAUSE);
        }
    }

    /// `false`: it ended before it was there.
    fn try_start(&self) -> bool {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log = log.expect("no log");
        let mut server = self.programs.command("postgres");
        server.arg("-D").arg(self.data()).stdin(Stdio::null());
        server.stdout(log.try_clone().expect("no log")).stderr(log);
        let mut server = server.spawn().expect("no postgres: install PostgreSQL");
        let begun = Instant::now();
        while !self.answers() {
            if server.try_wait().expect("no child").is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL doesn't answer: {}", self.log());
            sleep(PAUSE);
        }
        *self.server() = Some(server);
        true
    }

    fn answers(&self) -> bool {
        let mut probe = self.programs.command("pg_isready");
        probe.arg("-q").arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        probe.status().is_ok_and(|status| status.success())
    }
}

/// Using.
impl Cluster {
    /// A new, empty database: its URL.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// A new database with all that is in another one, which nobody is connected to: its URL.
    pub fn copy_of(&self, url: &str) -> String {
        let template = url.rsplit('/').next().unwrap_or_default();
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        self.url(&name)
    }

    /// The URL of a database, over TCP, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the superuser, over the Unix socket: its rows, with `|` between the columns.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.programs.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        psql.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string()).arg("-c").arg(sql);
        let done = psql.stdin(Stdio::null()).output().expect("no psql");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// All that is in a database, as the SQL that makes it.
    pub fn dump(&self, url: &str) -> Vec<u8> {
        let dump =
            self.programs.command("pg_dump").arg(url).stdin(Stdio::null()).output().expect("no pg_dump");
        assert!(dump.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dump.stderr));
        dump.stdout
    }

    /// The port of the loopback that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: the Unix socket is in it, and `data`, and room for a test's own files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its programs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Trouble.
impl Cluster {
    /// Kills the server, as a power cut would: SIGKILL, no checkpoint.
    pub fn kill(&self) {
        let Some(mut server) = self.server().take() else { return };
        for process in processes(&server) {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = server.wait();
    }

    /// Stops the server in good order, and waits for that. Clients are cut off.
    pub fn stop(&self) {
        let Some(mut server) = self.server().take() else { return };
        let _ = kill_process(Pid::from_child(&server), Signal::INT);
        let _ = server.wait();
    }

    /// Makes the server stand still: its ports are open, and nothing answers.
    pub fn freeze(&self) -> Frozen {
        let server = self.server();
        let processes = server.as_ref().map(processes).unwrap_or_default();
        for process in &processes {
            let _ = kill_process(*process, Signal::STOP);
        }
        Frozen(processes)
    }

    /// Has the server read its configuration again.
    pub fn reload(&self) {
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.0 {
            let _ = kill_process(*process, Signal::CONT);
        }
    }
}

/// The server and its children, the server first.
fn processes(server: &Child) -> Vec<Pid> {
    let parent = Pid::from_child(server);
    let number = server.id();
    let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?));
    std::iter::once(parent).chain(children).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_keeps_what_it_was_told_through_a_kill_and_leaves_nothing_behind() {
        let cluster = Cluster::start();
        cluster.database();
        cluster.sql("test_0", "CREATE TABLE t (x INT); INSERT INTO t VALUES (7)");
        cluster.kill();
        cluster.start_again();
        assert_eq!(cluster.sql("test_0", "SELECT x FROM t"), "7");
        let folder = cluster.folder().to_owned();
        drop(cluster);
        assert!(!folder.exists());
    }
}
