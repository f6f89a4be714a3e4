//! A PostgreSQL of our own, on a core of its own: Countersign beside `pgbench` with the same update.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_core::{Generation, SessionId, UserId};
use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::api::Session;
use crate::clients::Refresher;
use crate::contest::{self, Entrant, Serving, Work};
use crate::loader::Kind;
use crate::loads::{OURS, REFRESHING};
use crate::machine::{Cores, free_port};
use crate::peers::output;
use crate::plan::{Plan, Results, SESSIONS, USERS};
use crate::server::Server;
use crate::store::{HEALTH, Mint, Row};

pub(crate) const PGBENCH: &str = "pgbench, the same update";

/// Connections to the database, for both.
const CONNECTIONS: usize = 32;

/// What Countersign's rotation changes, and what it reads of the row.
const UPDATE: &str = r"\set i random(2, :sessions)
UPDATE sessions SET generation = sessions.generation + 1, rotated_at = sessions.rotated_at + 1,
    refresh_expires_at = CASE WHEN sessions.ends_at < 9000000000000 THEN sessions.ends_at ELSE 9000000000000 END,
    ip = '127.0.0.1', user_agent = 'bench', replay_keys = ''
FROM users
WHERE sessions.id = (lpad(to_hex(:before + :i::bigint - 1), 12, '0') || '70008000' || lpad(to_hex(:i::bigint), 12, '0'))::uuid
    AND sessions.ended_at IS NULL AND users.id = sessions.user_id AND users.is_active
RETURNING sessions.*, users.*;
";

/// A running cluster; it goes with this.
struct Cluster {
    child: Child,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Plan {
    pub(crate) fn postgres(&mut self, results: &mut Results) -> Result<()> {
        let cluster = Cluster::start(self)?;
        cluster.query("postgres", "CREATE DATABASE ours")?;
        let url = format!(
            "postgres://postgres@127.0.0.1:{}/ours?pool_size={CONNECTIONS}&prepared_statements=true",
            cluster.port
        );
        let store = self.program.work.join("postgres-secrets");
        let more = [("COUNTERSIGN_DATABASE_URL", &*url)];
        self.program.first(self.machine, &store, &more)?;
        let before = multiply(&cluster)?;
        cluster.query("postgres", "CREATE DATABASE pgbench TEMPLATE ours")?;
        for database in ["ours", "pgbench"] {
            cluster.query(database, "VACUUM ANALYZE")?;
        }
        let sessions = sessions(&cluster)?;

        let mut recipe = self.program.recipe(&store, "postgres", &more);
        recipe.cores = Cores::Loader;
        let ours = Server::start(self.machine, &recipe, HEALTH).map(|server| {
            Serving::new(server, Refresher::all(&self.accounts, sessions, REFRESHING), Kind::Refresh)
        });
        let mut entrants = vec![Entrant {
            name: PGBENCH.to_owned(),
            work: Work::Print(Box::new(cluster.pgbench(before)?), Cores::Loader),
        }];
        results.enter(&mut entrants, OURS, ours);
        results.postgres =
            contest::run(self.machine, "Refresh with rotation, PostgreSQL", entrants, self.timing);
        Ok(())
    }
}

/// Copies the first user and the first session until there are enough. The ids count on from the returned time.
fn multiply(cluster: &Cluster) -> Result<u64> {
    let first = cluster.query("ours", "SELECT replace(id::text, '-', '') FROM sessions")?;
    let first = u64::from_str_radix(first.get(..12).unwrap_or_default(), 16)?;
    let before = first - u64::from(SESSIONS);
    let id =
        format!("(lpad(to_hex({before} + i - 1), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid");
    let user = format!("1 + i % {USERS}");
    let name = "'user-' || i";
    fill(
        cluster,
        "users",
        USERS,
        &[("id", "i"), ("username", name), ("username_key", name), ("email", name), ("email_key", name)],
    )?;
    fill(cluster, "sessions", SESSIONS, &[("id", &id), ("user_id", &user)])?;
    Ok(before)
}

/// As for SQLite: the first row, but for the columns that are told.
fn fill(cluster: &Cluster, table: &str, last: u32, told: &[(&str, &str)]) -> Result<()> {
    let columns = cluster.query(
        "ours",
        &format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'
                AND table_name = '{table}' AND is_generated = 'NEVER'"
        ),
    )?;
    let columns: Vec<&str> = columns.lines().collect();
    let values: Vec<_> = columns
        .iter()
        .map(|column| told.iter().find(|(name, _)| name == column).map_or(*column, |(_, value)| *value))
        .collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    cluster.query(
        "ours",
        &format!(
            "INSERT INTO {table} ({columns}) SELECT {values}
            FROM generate_series(2, {last}) AS n (i), (SELECT * FROM {table} LIMIT 1) AS first"
        ),
    )?;
    Ok(())
}

/// What a client of each session would hold.
fn sessions(cluster: &Cluster) -> Result<Vec<Session>> {
    let key = cluster.query("ours", "SELECT kid, encode(sealed, 'hex') FROM signing_keys")?;
    let (kid, sealed) = key.trim().split_once('|').ok_or("there is no signing key")?;
    let mint = Mint::new(kid, &hex(sealed)?)?;
    let rows = cluster.query(
        "ours",
        "SELECT replace(id::text, '-', ''), user_id, generation, created_at / 1000, rotated_at / 1000,
            refresh_expires_at / 1000 FROM sessions ORDER BY md5(id::text)",
    )?;
    rows.lines()
        .map(|line| {
            let mut fields = line.split('|');
            let id: [u8; 16] = hex(fields.next().unwrap_or_default())?.try_into().map_err(|_| "no UUID")?;
            let mut number = || fields.next().unwrap_or_default().parse::<i64>();
            let row = Row {
                id: SessionId::from_bytes(id),
                user: UserId(number()?),
                generation: Generation(number()?),
                created_at: number()?,
                rotated_at: number()?,
                expires_at: number()?,
            };
            Ok(mint.session(&row))
        })
        .collect()
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().collect();
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Into::into));
    pairs.collect()
}

impl Cluster {
    /// Makes a new cluster, and starts it on the server's core with PostgreSQL's own defaults: commits are durable.
    fn start(plan: &Plan) -> Result<Self> {
        let programs = programs()?;
        // The user postgres can't enter everybody's folders.
        let folder = if is_root() {
            std::env::temp_dir().join("countersign-bench-postgres")
        } else {
            plan.program.work.join("postgres")
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
        ]);
        let log = fs::File::create(plan.program.work.join("postgres.log"))?;
        server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = plan.machine.on(Cores::Server, || server.spawn())??;
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
    fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--host=127.0.0.1", "--username=postgres", "--port", &self.port.to_string()]);
        output(psql.args(["--dbname", database, "--command", sql]))
    }

    /// A command that prints the rate of the update, for so long.
    fn pgbench(&self, before: u64) -> Result<impl Fn(Duration) -> Result<Command> + 'static> {
        let script = self.folder.join("update.sql");
        fs::write(&script, UPDATE)?;
        let (program, port) = (self.programs.join("pgbench"), self.port.to_string());
        Ok(move |length: Duration| {
            let mut words = Command::new("sh");
            // The figure alone.
            words.args(["-c", r#""$@" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'"#, "pgbench"]).arg(&program);
            words.args([
                "--no-vacuum",
                "--protocol=prepared",
                "--host=127.0.0.1",
                "--username=postgres",
                "--port",
            ]);
            words.arg(&port).arg("--file").arg(&script);
            words.args([
                "--define",
                &format!("before={before}"),
                "--define",
                &format!("sessions={SESSIONS}"),
            ]);
            words.args(["--client", &CONNECTIONS.to_string(), "--jobs=1", "--time"]);
            words.args([&length.as_secs().max(1).to_string(), "pgbench"]);
            Ok(words)
        })
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
