//! The engine for more than one node: PostgreSQL 15 or newer, through a pool of connections.
//!
//! - `config`: the URL. `tls`, `pool`: how connections are made, lent and given up.
//! - `migrate`: the tables, and who may make them.
//! - `work`: carries a use case to a connection, in a transaction where it needs one; tries again where that is safe.
//! - `sql`: statements, rows, errors.
//! - `foreign`: another program's database, that an import reads.
//! - `users`, `people`, `groups`, `links`, `fields`, `login`, `sessions`, `rotation`, `news`, `keys`, `audit`, `admin`,
//!   `cleanup`: the use cases.
//!
//! Two use cases that race for one user or session meet at that row's lock: each begins by taking it, in the order
//! user, then session, so that they wait for each other and never in a circle. Transactions are READ COMMITTED: what a
//! statement sees is from after the lock was had. Nothing is left on a connection between transactions (no setting, and
//! no prepared statement unless the URL asks for it), so a pooler in transaction mode may stand between.

mod admin;
mod audit;
mod batch;
mod cleanup;
mod config;
mod copy;
mod counts;
mod export;
mod fields;
mod foreign;
mod groups;
mod import;
mod keys;
mod links;
mod login;
mod migrate;
mod news;
mod people;
mod pool;
mod rotation;
mod sessions;
mod sql;
mod tls;
mod users;
mod work;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::Timestamp;
use countersign_core::fields::UserFields;

pub use config::{Config, ConfigError};
pub use foreign::Foreign;
pub use migrate::OpenError;

use self::cleanup::Walk;
use self::news::Reader;
use self::pool::Pool;
use self::sql::params;
use self::work::IfUnknown;
use crate::StoreError;
use crate::row::RAISE_META;

/// How many connections the news have: one to ask twice a second, one for who has just written.
const NEWS: usize = 2;

/// How to open the database.
#[derive(Clone, Debug)]
pub struct Opening {
    /// How long a use case may take, waiting for a connection included, until it is [`StoreError::Unavailable`].
    pub patience: Duration,
    /// What to do with a database that is behind this program.
    pub migration: Migration,
    /// The declared custom fields: by their values users are found, and those that are unique only one may have.
    pub fields: Arc<UserFields>,
}

/// What to do with a database that is behind this program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migration {
    /// Bring it up to date. Of many nodes that try at once one does it, and the others wait.
    Apply,
    /// Refuse it.
    Refuse,
}

/// A PostgreSQL database. Clones share its connections.
///
/// One handle of it is one node: it has the news delivered once (see `news`).
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    pool: Pool,
    /// For the news alone: were they late, every request would ask the store, and make them later.
    news: Pool,
    patience: Duration,
    fields: Arc<UserFields>,
    walk: Mutex<Walk>,
    reader: Mutex<Reader>,
}

impl Opening {
    /// As a server and the command line open it: for five seconds' patience, up to date.
    pub fn usual() -> Self {
        Self { patience: Duration::from_secs(5), migration: Migration::Apply, fields: Arc::default() }
    }
}

/// Opening and closing.
impl Postgres {
    /// Opens the database, making its tables or bringing them up to date where that is asked for and needed.
    pub async fn open(config: Config, opening: &Opening) -> Result<Self, OpenError> {
        let tls = config.tls().map_err(|error| OpenError::Tls(error.to_string()))?;
        let size = config.pool_size();
        let inner = Inner {
            news: Pool::new(config.clone(), tls.clone(), NEWS),
            pool: Pool::new(config, tls, size),
            patience: opening.patience,
            fields: Arc::clone(&opening.fields),
            walk: Mutex::default(),
            reader: Mutex::default(),
        };
        let postgres = Self(Arc::new(inner));
        migrate::bring_up_to_date(&postgres, opening.migration).await?;
        Ok(postgres)
    }

    /// The declared custom fields.
    fn declared(&self) -> Arc<UserFields> {
        Arc::clone(&self.0.fields)
    }

    pub(crate) async fn close(&self) {
        self.0.news.close();
        self.0.pool.close();
        self.0.pool.wait_until_idle(self.0.patience).await;
    }
}

/// Being there.
impl Postgres {
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let query = "SELECT current_setting('transaction_read_only') = 'on' FROM countersign_schema";
        let read_only = self.read((), move |db, _| async move {
            db.first(query, &[], |row| crate::row::Columns::flag(row, 0)).await
        });
        match read_only.await? {
            Some(false) => Ok(()),
            Some(true) => {
                self.0.pool.suspect_all();
                Err(StoreError::Unavailable("it takes no writes".to_owned()))
            }
            None => Err(StoreError::Defect("its version is gone".to_owned())),
        }
    }

    pub(crate) async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read((), |db, _| async move {
            let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
            db.first(query, &[], |row| crate::row::Columns::timestamp(row, 0)).await
        })
        .await
    }

    pub(crate) async fn meta(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.read(name, |db, name| async move {
            let query = "SELECT value FROM meta WHERE name = $1";
            db.first(query, params![*name], |row| crate::row::Columns::text_there(row, 0)).await
        })
        .await
    }

    pub(crate) async fn set_meta(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        // Twice is as good as once.
        self.statement((name, value), IfUnknown::Repeat, |db, args| async move {
            let upsert = "INSERT INTO meta (name, value) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            db.run(upsert, params![args.0, args.1]).await.map(drop)
        })
        .await
    }

    pub(crate) async fn raise_meta(&self, name: &'static str, to: i64) -> Result<i64, StoreError> {
        let stands = self.statement((name, to), IfUnknown::Repeat, |db, args| async move {
            db.first(RAISE_META, params![args.0, args.1], |row| crate::row::Columns::number_there(row, 0))
                .await
        });
        stands.await?.ok_or_else(|| StoreError::Defect("an upsert returned nothing".to_owned()))
    }
}

impl Inner {
    fn walk(&self) -> MutexGuard<'_, Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
