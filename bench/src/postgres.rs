//! A store in a database of PostgreSQL: its generator, and what the tokens of its sessions are made from; and the
//! contest with `pgbench`, which does the same update.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use countersign_core::{Generation, SessionId, UserId};

use crate::Result;
use crate::cluster::Cluster;
use crate::contest::{self, Entrant, Work};
use crate::loads::OURS;
use crate::machine::Cores;
use crate::plan::{Plan, Results, SIZE};
use crate::store::{Key, Row, Size};

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

/// A database with a store in it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    cluster: Rc<Cluster>,
    name: String,
}

impl Plan {
    /// PostgreSQL has the first core; what asks it, the last.
    pub(crate) fn postgres(&mut self, results: &mut Results) -> Result<()> {
        let cluster = self.cluster.as_ref().ok_or("there is no PostgreSQL")?;
        let store = self.program.store_in(self.machine, cluster, "refresh", SIZE)?;
        let database = store.database.as_ref().ok_or("the store is elsewhere")?;
        let floor = database.pgbench(self.program.work.join("update.sql"))?;
        let mut entrants =
            vec![Entrant { name: PGBENCH.to_owned(), work: Work::Print(Box::new(floor), Cores::Loader) }];
        results.enter(&mut entrants, OURS, self.refreshing(&store, "refresh-on-postgres"));
        results.postgres =
            contest::run(self.machine, "Refresh with rotation, PostgreSQL", entrants, self.timing);
        Ok(())
    }
}

impl Database {
    pub(crate) fn create(cluster: &Rc<Cluster>, name: &str) -> Result<Self> {
        cluster.query("postgres", &format!("DROP DATABASE IF EXISTS \"{name}\""))?;
        cluster.query("postgres", &format!("CREATE DATABASE \"{name}\""))?;
        Ok(Self { cluster: Rc::clone(cluster), name: name.to_owned() })
    }

    /// No pooler is between, so statements have names.
    pub(crate) fn url(&self) -> String {
        let (address, name) = (self.cluster.address(), &self.name);
        format!("postgres://postgres@{address}/{name}?pool_size={CONNECTIONS}&prepared_statements=true")
    }

    /// Copies the first user and the first session until there are enough.
    pub(crate) fn multiply(&self, size: Size) -> Result<()> {
        let before = self.first_millis()? - u64::from(size.sessions);
        let id = format!(
            "(lpad(to_hex({before} + i - 1), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid"
        );
        let (name, email) = ("'user-' || i", "'user-' || i || '@example.com'");
        let user =
            [("id", "i"), ("username", name), ("username_key", name), ("email", email), ("email_key", email)];
        self.fill("users", size.users, &user)?;
        let owner = format!("1 + i % {}", size.users);
        self.fill("sessions", size.sessions, &[("id", &id), ("user_id", &owner)])?;
        self.query("VACUUM ANALYZE").map(drop)
    }

    /// As for SQLite: the first row, but for the columns that are told.
    fn fill(&self, table: &str, last: u32, told: &[(&str, &str)]) -> Result<()> {
        let columns = self.query(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'
                AND table_name = '{table}' AND is_generated = 'NEVER'"
        ))?;
        let columns: Vec<&str> = columns.lines().collect();
        let values: Vec<_> = columns
            .iter()
            .map(|column| told.iter().find(|(name, _)| name == column).map_or(*column, |(_, value)| *value))
            .collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let insert = format!(
            "INSERT INTO {table} ({columns}) SELECT {values}
            FROM generate_series(2, {last}) AS n (i), (SELECT * FROM {table} LIMIT 1) AS first"
        );
        self.query(&insert).map(drop)
    }

    /// The time in the least session's id.
    fn first_millis(&self) -> Result<u64> {
        let least = self.query("SELECT replace(id::text, '-', '') FROM sessions ORDER BY id LIMIT 1")?;
        Ok(u64::from_str_radix(least.get(..12).unwrap_or_default(), 16)?)
    }

    /// So many of its sessions, from all over it.
    pub(crate) fn rows(&self, count: u32) -> Result<Vec<Row>> {
        let rows = self.query(&format!(
            "SELECT replace(id::text, '-', ''), user_id, generation, created_at / 1000, rotated_at / 1000,
                refresh_expires_at / 1000
            FROM sessions WHERE ended_at IS NULL ORDER BY md5(id::text) LIMIT {count}"
        ))?;
        rows.lines().map(row).collect()
    }

    /// The key that signs access tokens, sealed.
    pub(crate) fn key(&self) -> Result<Key> {
        let key = self.query("SELECT kid, encode(sealed, 'hex') FROM signing_keys")?;
        let (kid, sealed) = key.trim().split_once('|').ok_or("there is no signing key")?;
        Ok(Key { kid: kid.to_owned(), sealed: hex(sealed)? })
    }

    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(self.query("SELECT pg_database_size(current_database())")?.trim().parse()?)
    }

    fn query(&self, sql: &str) -> Result<String> {
        self.cluster.query(&self.name, sql)
    }

    /// A command that prints the rate of the update in a copy of it, for so long.
    fn pgbench(&self, script: PathBuf) -> Result<impl Fn(Duration) -> Result<Command> + 'static> {
        fs::write(&script, UPDATE)?;
        let floor = format!("{}-by-pgbench", self.name);
        self.cluster.query("postgres", &format!("DROP DATABASE IF EXISTS \"{floor}\""))?;
        self.cluster.query("postgres", &format!("CREATE DATABASE \"{floor}\" TEMPLATE \"{}\"", self.name))?;
        self.cluster.query(&floor, "VACUUM ANALYZE")?;
        let (before, sessions) = (self.first_millis()? - 1, SIZE.sessions);
        let (program, port) = (self.cluster.program("pgbench"), self.cluster.port().to_string());
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
                &format!("sessions={sessions}"),
            ]);
            words.args(["--client", &CONNECTIONS.to_string(), "--jobs=1", "--time"]);
            words.args([&length.as_secs().max(1).to_string(), &floor]);
            Ok(words)
        })
    }
}

fn row(line: &str) -> Result<Row> {
    let mut fields = line.split('|');
    let id: [u8; 16] = hex(fields.next().unwrap_or_default())?.try_into().map_err(|_| "no UUID")?;
    let mut number = || fields.next().unwrap_or_default().parse::<i64>();
    Ok(Row {
        id: SessionId::from_bytes(id),
        user: UserId(number()?),
        generation: Generation(number()?),
        created_at: number()?,
        rotated_at: number()?,
        expires_at: number()?,
    })
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().collect();
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Into::into));
    pairs.collect()
}
