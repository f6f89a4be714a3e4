//! Stores of any size, made by a generator: Countersign makes the first user and the first session itself, the
//! generator multiplies them, column by column, whatever columns there are.
//!
//! The benchmark knows the secrets, so it can also make the tokens of any session that the store holds.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign::service::derive::Derived;
use countersign_core::csrf::CsrfToken;
use countersign_core::jwt::{AccessClaims, Algorithm, KeyId, RefreshClaims, RefreshSigner, SigningKey};
use countersign_core::{Generation, Secret, SessionId, UserId};
use rusqlite::{Connection, OpenFlags};

use crate::api::{Accounts, Api, PASSWORD, Session};
use crate::http::Connection as Http;
use crate::machine::{Cores, Machine};
use crate::peers::output;
use crate::server::{Recipe, Server};
use crate::{Result, now, say};

/// The issuer of all tokens, whatever port a server has.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8000";
const ROOT_SECRET: &str = "the root secret of the benchmarks, and of nothing else";
const REFRESH_SECRET: &str = "the refresh secret of the benchmarks, and of nothing else";

const DATABASE: &str = "countersign.db";
/// Filled in only when a server starts.
const LISTEN: &str = "COUNTERSIGN_LISTEN";

/// A store is made anew when it is this old: its sessions expire.
const FRESH: Duration = Duration::from_hours(24);

/// A store with so many users and sessions.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) folder: PathBuf,
    pub(crate) sessions: u32,
    pub(crate) users: u32,
}

/// Countersign's program and the folder for whatever is made.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) work: PathBuf,
}

impl Program {
    /// How it serves from a store.
    pub(crate) fn recipe(&self, store: &Path, name: &str, more: &[(&str, &str)]) -> Recipe {
        let base = [
            (LISTEN, "127.0.0.1:{port}"),
            ("COUNTERSIGN_PUBLIC_URL", PUBLIC_URL),
            ("COUNTERSIGN_DATA_DIR", &store.to_string_lossy()),
            ("COUNTERSIGN_ROOT_SECRET", ROOT_SECRET),
            ("COUNTERSIGN_REFRESH_TOKEN_SECRET", REFRESH_SECRET),
            // Each use of a refresh token is a rotation.
            ("COUNTERSIGN_ROTATION_GRACE", "0"),
            ("COUNTERSIGN_ACCESS_TOKEN_LIFETIME", "7200"),
            ("COUNTERSIGN_LOG_FORMAT", "json"),
            ("COUNTERSIGN_LOG_LEVEL", "warn"),
        ];
        let chosen = base.iter().filter(|(name, _)| more.iter().all(|(other, _)| name != other)).chain(more);
        Recipe {
            command: vec![self.binary.to_string_lossy().into_owned(), "serve".to_owned()],
            environment: chosen.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            folder: self.work.clone(),
            log: self.work.join(format!("{name}.log")),
            cores: Cores::Server,
        }
    }

    /// A store of this size: one that is there from before, or a new one.
    pub(crate) fn store(&self, machine: Machine, name: &str, sessions: u32, users: u32) -> Result<Store> {
        let store = Store { folder: self.work.join(name), sessions, users };
        let mark = store.folder.join("generated");
        let wanted = format!("{sessions} sessions of {users} users\n{}", self.schema()?);
        let age =
            fs::metadata(&mark).and_then(|mark| mark.modified()).ok().and_then(|at| at.elapsed_or_none());
        if age.is_some_and(|age| age < FRESH) && fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
            return Ok(store);
        }
        say(&format!("making a store of {sessions} sessions of {users} users"));
        if store.folder.exists() {
            fs::remove_dir_all(&store.folder)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&store.folder)?;
        self.first(machine, &store.folder, &[])?;
        multiply(&store)?;
        fs::write(mark, wanted)?;
        Ok(store)
    }

    /// What the program's tables are: a store of others is no use to it.
    fn schema(&self) -> Result<String> {
        let folder = self.work.join("schema");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let recipe = self.recipe(&folder, "schema", &[]);
        let mut migrate = Command::new(&self.binary);
        migrate.arg("migrate").envs(recipe.environment.into_iter().filter(|(name, _)| name != LISTEN));
        output(migrate.current_dir(&self.work))?;
        let db = Connection::open_with_flags(folder.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sql = "SELECT group_concat(sql, ';\n') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
        Ok(db.query_row(sql, [], |row| row.get(0))?)
    }

    /// Makes the first user, and logs them in.
    pub(crate) fn first(&self, machine: Machine, store: &Path, more: &[(&str, &str)]) -> Result<()> {
        let recipe = self.recipe(store, "first", more);
        let mut create = Command::new(&self.binary);
        create.args(["createuser", "--noinput", "--username", "user-1", "--email", "user-1@example.com"]);
        create.envs(recipe.environment.iter().filter(|(name, _)| name != LISTEN).cloned());
        output(create.env("COUNTERSIGN_PASSWORD", PASSWORD).current_dir(&self.work))?;
        let server = Server::start(machine, &recipe, HEALTH)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let api = Accounts { rotates: true };
            let mut request = Vec::new();
            api.login("user-1", PASSWORD, &mut request);
            let mut connection = Http::new(server.address);
            api.logged_in("user-1", &connection.ask(&request).await?)?;
            Ok(())
        })
    }
}

/// Answered as soon as the process lives.
pub(crate) const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Copies the first user and the first session until there are enough.
fn multiply(store: &Store) -> Result<()> {
    let db = Connection::open(store.database())?;
    // Should this be cut short, the store is made anew.
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000")?;
    db.execute_batch("BEGIN EXCLUSIVE")?;
    let set_aside = set_aside(&db)?;
    fill(
        &db,
        "users",
        store.users,
        2,
        &[
            ("id", "i"),
            ("username", "'user-' || i"),
            ("username_key", "'user-' || i"),
            ("email", "'user-' || i || '@example.com'"),
            ("email_key", "'user-' || i || '@example.com'"),
        ],
    )?;
    // Version 7: milliseconds, one for each session, and a counter where there would be randomness. The first session
    // of all comes last.
    let first: [u8; 16] = db.query_row("SELECT id FROM sessions", [], |row| row.get(0))?;
    let before = millis(&first) - u64::from(store.sessions);
    let id = format!("unhex(printf('%012x70008000%012x', {before} + i - 1, i))");
    fill(
        &db,
        "sessions",
        store.sessions,
        2,
        &[("id", &id), ("user_id", &format!("1 + i % {}", store.users))],
    )?;
    for sql in set_aside {
        db.execute_batch(&sql)?;
    }
    db.execute(
        "UPDATE open_sessions SET count = (SELECT count(*) FROM sessions WHERE ended_at IS NULL)",
        [],
    )?;
    db.execute_batch("COMMIT; ANALYZE; PRAGMA journal_mode = WAL")?;
    Ok(())
}

/// Takes out what would be kept up to date row by row; the statements that bring it back.
fn set_aside(db: &Connection) -> Result<Vec<String>> {
    let mut query = db.prepare(
        "SELECT type, name, sql FROM sqlite_schema
        WHERE tbl_name IN ('users', 'sessions') AND type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(String, String, String)> = found.collect::<Result<_, _>>()?;
    for (kind, name, _) in &found {
        db.execute_batch(&format!("DROP {kind} {name}"))?;
    }
    Ok(found.into_iter().map(|(_, _, sql)| sql).collect())
}

/// Fills a table up to `last` rows with copies of its first row, but for the columns that are told, in terms of `i`.
fn fill(db: &Connection, table: &str, last: u32, first: u32, told: &[(&str, &str)]) -> Result<()> {
    let mut query = db.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    let columns: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let values: Vec<_> = columns
        .iter()
        .map(|column| told.iter().find(|(name, _)| name == column).map_or(&**column, |(_, value)| *value))
        .collect();
    db.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
        INSERT INTO {table} ({}) SELECT {} FROM n, (SELECT * FROM {table} LIMIT 1)",
        columns.join(", "),
        values.join(", "),
    ))?;
    Ok(())
}

/// The time in a session's id.
fn millis(id: &[u8; 16]) -> u64 {
    id.iter().take(6).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Makes the tokens of a store's sessions, as the server would.
pub(crate) struct Mint {
    derived: Derived,
    refresh: RefreshSigner,
    access: SigningKey,
}

/// A session of the store, as it stands.
pub(crate) struct Row {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) generation: Generation,
    /// These in seconds.
    pub(crate) created_at: i64,
    pub(crate) rotated_at: i64,
    pub(crate) expires_at: i64,
}

impl Store {
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The size of its files, in MiB.
    pub(crate) fn size(&self) -> f64 {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let bytes: u64 = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        #[expect(clippy::cast_precision_loss, reason = "no store is that large")]
        let bytes = bytes as f64;
        bytes / 1_048_576.0
    }

    /// So many of its sessions, from all over it. No server may be at work.
    pub(crate) fn rows(&self, count: u32) -> Result<Vec<Row>> {
        let db = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let first: [u8; 16] = db.query_row("SELECT min(id) FROM sessions", [], |row| row.get(0))?;
        let first = millis(&first);
        let mut query = db.prepare(
            "SELECT id, user_id, generation, created_at, rotated_at, refresh_expires_at FROM sessions
            WHERE id >= ?1 AND ended_at IS NULL AND generation >= 1 LIMIT 1",
        )?;
        let mut rows: Vec<Row> = Vec::new();
        let mut seen = HashSet::new();
        for place in 0..u64::from(count) {
            // Far from one another, so that neighbours aren't asked for in turn.
            let place = place * 7_368_787 % u64::from(count);
            // A session a millisecond; what logins added lies beyond.
            let at = first + u64::from(self.sessions - 1) * place / u64::from(count);
            let mut from = at.to_be_bytes().get(2..).unwrap_or_default().to_vec();
            from.resize(16, 0);
            let row = query.query_row([from], |row| {
                Ok(Row {
                    id: SessionId::from_bytes(row.get(0)?),
                    user: UserId(row.get(1)?),
                    generation: Generation(row.get(2)?),
                    created_at: row.get::<_, i64>(3)? / 1000,
                    rotated_at: row.get::<_, i64>(4)? / 1000,
                    expires_at: row.get::<_, i64>(5)? / 1000,
                })
            })?;
            if seen.insert(row.id) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    pub(crate) fn mint(&self) -> Result<Mint> {
        let db = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let (kid, sealed): (String, Vec<u8>) =
            db.query_row("SELECT kid, sealed FROM signing_keys", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Mint::new(&kid, &sealed)
    }
}

impl Mint {
    /// With a signing key as the store has it.
    pub(crate) fn new(kid: &str, sealed: &[u8]) -> Result<Self> {
        let derived = Derived::from_root(&Secret::new(ROOT_SECRET))?;
        let refresh = RefreshSigner::new(&Secret::new(REFRESH_SECRET), PUBLIC_URL.to_owned())?;
        let private = derived.sealing.open(kid, sealed)?;
        let access = SigningKey::from_pkcs8(Algorithm::EdDsa, KeyId::parse(kid)?, &private)?;
        Ok(Self { derived, refresh, access })
    }

    /// What a client of this session would hold.
    pub(crate) fn session(&self, row: &Row) -> Session {
        let csrf = self.derived.csrf.token(row.id);
        let claims = RefreshClaims {
            user: row.user,
            session: row.id,
            generation: row.generation,
            issued_at: row.rotated_at,
            expires_at: row.expires_at,
            csh: Some(csrf.csh()),
        };
        Session {
            user: format!("user-{}", row.user.0),
            access: String::new(),
            refresh: self.refresh.sign(&claims),
            csrf: csrf.expose().to_owned(),
        }
    }

    /// The same with an access token that no other call of this gives.
    pub(crate) fn calling(&self, row: &Row, number: u64) -> Result<Session> {
        let csrf: CsrfToken = self.derived.csrf.token(row.id);
        let claims = AccessClaims {
            issuer: PUBLIC_URL.to_owned(),
            audience: PUBLIC_URL.to_owned(),
            user: row.user,
            session: row.id,
            jti: Some(format!("{number:022}")),
            issued_at: now() / 1000,
            expires_at: now() / 1000 + 7200,
            auth_time: Some(row.created_at),
            csh: Some(csrf.csh()),
            extra: serde_json::Map::new(),
        };
        let access = self.access.sign_access(&claims)?;
        Ok(Session { access, ..self.session(row) })
    }

    /// The public key's bytes, in base64url, and the key set.
    pub(crate) fn public(&self) -> Result<(String, String)> {
        let set = countersign_core::jwt::KeySet::new(vec![self.access.verifying_key().clone()])?.to_jwks();
        let x = set.pointer("/keys/0/x").and_then(|x| x.as_str()).ok_or("the key set has no key")?;
        Ok((x.to_owned(), set.to_string()))
    }
}

/// How long ago a moment was; none, if it is yet to come.
trait Ago {
    fn elapsed_or_none(&self) -> Option<Duration>;
}

impl Ago for std::time::SystemTime {
    #[expect(clippy::disallowed_methods, reason = "here the benchmark is composed")]
    fn elapsed_or_none(&self) -> Option<Duration> {
        self.elapsed().ok()
    }
}
