//! PgBouncer between a cluster and its clients.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::watchdog::Watchdog;

const PATIENCE: Duration = Duration::from_secs(20);

/// PgBouncer in transaction mode, in front of all databases of a cluster. Dropping it ends it.
///
/// Few of the server's connections serve many clients, so that what a client leaves on one would meet another.
pub struct Pooler {
    port: u16,
    _watchdog: Watchdog,
}

impl Pooler {
    /// Starts one.
    pub fn in_front_of(cluster: &Cluster) -> Self {
        let folder = tempfile::Builder::new().prefix("countersign-pgb-").tempdir().expect("no folder").keep();
        let watchdog = Watchdog::over(&folder);
        // The watchdog ends what runs in this folder.
        let home = folder.join("data");
        fs::create_dir(&home).expect("no folder");
        let (programs, port) = (cluster.programs(), crate::free_port());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 5\nmax_client_conn = 500\nserver_idle_timeout = 5\n",
            cluster.port()
        );
        fs::write(home.join("pgbouncer.ini"), settings).expect("can't write the configuration");
        let log = fs::File::create(folder.join("log")).expect("no log");
        programs.own(&folder);
        programs.own(&home);
        let mut pgbouncer = programs.command_in_path("pgbouncer", "/usr/sbin/pgbouncer");
        pgbouncer.arg("pgbouncer.ini").current_dir(&home).stdin(Stdio::null());
        pgbouncer.stdout(log.try_clone().expect("no log")).stderr(log);
        let mut process = pgbouncer.spawn().expect("no pgbouncer: install it");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = process.try_wait().expect("no child").is_some();
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(!ended && begun.elapsed() < PATIENCE, "PgBouncer doesn't start: {}", log());
            sleep(Duration::from_millis(20));
        }
        // The watchdog ends it; a thread takes in that it has ended.
        std::thread::spawn(move || process.wait());
        Self { port, _watchdog: watchdog }
    }

    /// The URL of a cluster's database through the pooler.
    pub fn url(&self, of_the_cluster: &str) -> String {
        let database = of_the_cluster.rsplit('/').next().unwrap_or_default();
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}
