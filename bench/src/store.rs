//! Stores of any size, in each engine, made by a generator: Countersign makes the first user and the first session
//! itself, the generator (`sqlite`, `postgres`) multiplies them, column by column, whatever columns there are.
//!
//! The benchmark knows the secrets, so it can also make the tokens of any session that the store holds.

use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use countersign::service::derive::Derived;
use countersign_core::csrf::CsrfToken;
use countersign_core::jwt::{AccessClaims, Algorithm, KeyId, RefreshClaims, RefreshSigner, SigningKey};
use countersign_core::{Generation, Secret, SessionId, UserId};

use crate::api::{Accounts, Api, PASSWORD, Session};
use crate::cluster::Cluster;
use crate::http::Connection;
use crate::machine::{Cores, Machine};
use crate::peers::output;
use crate::postgres::Database;
use crate::server::{Recipe, Server};
use crate::{Result, now, say, sqlite};

/// The issuer of all tokens, whatever port a server has.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8000";
const ROOT_SECRET: &str = "the root secret of the benchmarks, and of nothing else";
const REFRESH_SECRET: &str = "the refresh secret of the benchmarks, and of nothing else";

const DATABASE: &str = "countersign.db";
const DATABASE_URL: &str = "COUNTERSIGN_DATABASE_URL";
/// Filled in only when a server starts.
const LISTEN: &str = "COUNTERSIGN_LISTEN";

/// A store is made anew when it is this old: its sessions expire.
const FRESH: Duration = Duration::from_hours(24);

/// How many sessions a store has, and how many users.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) sessions: u32,
    pub(crate) users: u32,
}

/// A store: its folder, and the rows in it or in a database of PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) folder: PathBuf,
    pub(crate) size: Size,
    pub(crate) database: Option<Database>,
}

/// Countersign's program and the folder for whatever is made.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) work: PathBuf,
}

impl Program {
    /// How it serves from a store.
    pub(crate) fn recipe(&self, store: &Store, name: &str, more: &[(&str, &str)]) -> Recipe {
        let mut recipe = self.recipe_in(&store.folder, name, more);
        let url = store.database.as_ref().map(|database| (DATABASE_URL.to_owned(), database.url()));
        recipe.environment.extend(url);
        recipe
    }

    fn recipe_in(&self, folder: &Path, name: &str, more: &[(&str, &str)]) -> Recipe {
        let base = [
            (LISTEN, "127.0.0.1:{port}"),
            ("COUNTERSIGN_PUBLIC_URL", PUBLIC_URL),
            ("COUNTERSIGN_DATA_DIR", &folder.to_string_lossy()),
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
    pub(crate) fn store(&self, machine: Machine, name: &str, size: Size) -> Result<Store> {
        let store = Store { folder: self.work.join(name), size, database: None };
        let mark = store.folder.join("generated");
        let wanted = format!("{size}\n{}", self.schema()?);
        let age =
            fs::metadata(&mark).and_then(|mark| mark.modified()).ok().and_then(|at| at.elapsed_or_none());
        if age.is_some_and(|age| age < FRESH) && fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
            return Ok(store);
        }
        self.begin(machine, &store)?;
        sqlite::multiply(&store.file(), size)?;
        fs::write(mark, wanted)?;
        Ok(store)
    }

    /// A new store of this size in PostgreSQL.
    pub(crate) fn store_in(
        &self,
        machine: Machine,
        cluster: &Rc<Cluster>,
        name: &str,
        size: Size,
    ) -> Result<Store> {
        let folder = self.work.join(format!("{name}-on-postgres"));
        let store = Store { folder, size, database: Some(Database::create(cluster, name)?) };
        self.begin(machine, &store)?;
        if let Some(database) = &store.database {
            database.multiply(size)?;
        }
        Ok(store)
    }

    /// Makes its folder anew, and the first user and session.
    fn begin(&self, machine: Machine, store: &Store) -> Result<()> {
        say(&format!("making a store of {}", store.named(&store.size.to_string())));
        if store.folder.exists() {
            fs::remove_dir_all(&store.folder)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&store.folder)?;
        self.first(machine, store)
    }

    /// What the program's tables are: a store of others is no use to it.
    fn schema(&self) -> Result<String> {
        let folder = self.work.join("schema");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let recipe = self.recipe_in(&folder, "schema", &[]);
        let mut migrate = Command::new(&self.binary);
        migrate.arg("migrate").envs(recipe.environment.into_iter().filter(|(name, _)| name != LISTEN));
        output(migrate.current_dir(&self.work))?;
        sqlite::schema(&folder.join(DATABASE))
    }

    /// Makes the first user, and logs them in.
    fn first(&self, machine: Machine, store: &Store) -> Result<()> {
        let recipe = self.recipe(store, "first", &[]);
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
            let mut connection = Connection::new(server.address);
            api.logged_in("user-1", &connection.ask(&request).await?)?;
            Ok(())
        })
    }
}

/// Answered as soon as the process lives.
pub(crate) const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Makes the tokens of a store's sessions, as the server would.
pub(crate) struct Mint {
    derived: Derived,
    refresh: RefreshSigner,
    access: SigningKey,
}

/// A key that signs access tokens, as the store has it: sealed.
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) sealed: Vec<u8>,
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

pub(crate) fn on_postgres(name: &str) -> String {
    format!("{name}, on PostgreSQL")
}

impl Store {
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The name of something that has this store, as the report tells it from the same on SQLite.
    pub(crate) fn named(&self, name: &str) -> String {
        if self.database.is_some() { on_postgres(name) } else { name.to_owned() }
    }

    /// What it takes on the disk, in MiB.
    pub(crate) fn mebibytes(&self) -> Result<f64> {
        let bytes = match &self.database {
            Some(database) => database.bytes()?,
            None => fs::read_dir(&self.folder)?
                .flatten()
                .filter_map(|file| Some(file.metadata().ok()?.len()))
                .sum(),
        };
        #[expect(clippy::cast_precision_loss, reason = "no store is that large")]
        let bytes = bytes as f64;
        Ok(bytes / 1_048_576.0)
    }

    /// So many of its sessions, from all over it. No server may be at work.
    pub(crate) fn rows(&self, count: u32) -> Result<Vec<Row>> {
        match &self.database {
            Some(database) => database.rows(count),
            None => sqlite::rows(&self.file(), self.size, count),
        }
    }

    pub(crate) fn mint(&self) -> Result<Mint> {
        Mint::new(&match &self.database {
            Some(database) => database.key()?,
            None => sqlite::key(&self.file())?,
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions of {} users", self.sessions, self.users)
    }
}

impl Mint {
    fn new(Key { kid, sealed }: &Key) -> Result<Self> {
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
            issuer: PUBLIC_URL.into(),
            audience: PUBLIC_URL.into(),
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
