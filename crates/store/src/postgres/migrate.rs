//! The tables: made and brought up to date once, however many nodes start together.
//!
//! All of it is one transaction that holds a lock of its own: who comes second finds the work done. A server needs no
//! right to change tables where somebody else has run the migrations: it only reads the version.

use tokio_postgres::error::SqlState;

use super::sql::{Db, Error, Result, params};
use super::{Config, Migration, Postgres};
use crate::StoreError;
use crate::row::{Columns, known};

/// All migrations, oldest first. The database's version is how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_people.sql"),
    include_str!("migrations/0003_fields.sql"),
    include_str!("migrations/0004_admin.sql"),
    include_str!("migrations/0006_guess_counts.sql"),
    include_str!("migrations/0007_import.sql"),
    include_str!("migrations/0008_link_makers.sql"),
    include_str!("migrations/0009_batches.sql"),
];

/// The locks that we take, of those that a database has for its applications: "CSig", and a number.
const LOCK_SPACE: i64 = 0x4353_6967 << 32;
pub(super) const MIGRATION_LOCK: i64 = LOCK_SPACE + 1;
pub(super) const CLEAN_UP_LOCK: i64 = LOCK_SPACE + 2;
pub(super) const KEYS_LOCK: i64 = LOCK_SPACE + 3;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be reached, or refuses us.
    #[error("the database {database} can't be opened: {reason}")]
    Refused {
        /// Its URL, without the password.
        database: String,
        /// What it says.
        reason: String,
    },
    /// A newer program made it.
    #[error(
        "the database was made by a newer Countersign (it is at version {found}, and this program knows {known}); \
         use that one, or restore a backup"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
    /// It is behind, and nobody here may or will bring it up to date.
    #[error(
        "the database is at version {found}, and this program needs {needed}; run `countersign migrate` with a role \
         that may create tables"
    )]
    Behind {
        /// The database's version; 0 is an empty one.
        found: i64,
        /// The version that this program needs.
        needed: i64,
    },
    /// Something else's tables are in the way.
    #[error(
        "the database has tables of something else ({reason}); give Countersign a database of its own, or a schema \
         of its own by its role's search_path"
    )]
    NotOurs {
        /// What is in the way.
        reason: String,
    },
    /// TLS can't be set up as it is asked for.
    #[error("sslrootcert or sslmode of the database's URL can't be used: {0}")]
    Tls(String),
}

/// Sees to it that the database is at this program's version.
pub(super) async fn bring_up_to_date(
    postgres: &Postgres,
    migration: Migration,
) -> std::result::Result<(), OpenError> {
    let config = postgres.0.pool.config();
    let found = postgres.read((), |db, _| async move { version(&db).await });
    let found = found.await.map_err(|error| refused(config, &error))?;
    let needed = known_version();
    match found {
        found if found == needed => return Ok(()),
        found if found > needed => return Err(OpenError::Newer { found, known: needed }),
        found => {
            let may = postgres.read((), |db, _| async move { may_create(&db).await });
            if migration == Migration::Refuse || !may.await.map_err(|error| refused(config, &error))? {
                return Err(OpenError::Behind { found, needed });
            }
        }
    }
    tracing::info!(from = found, to = needed, "bringing the database up to date");
    let migrated = postgres.write((), |db, _| async move { migrate(&db).await });
    match migrated.await.map_err(|error| refused(config, &error))? {
        Migrated::Done => Ok(()),
        Migrated::InTheWay(reason) => Err(OpenError::NotOurs { reason }),
    }
}

enum Migrated {
    Done,
    InTheWay(String),
}

/// Applies what the database hasn't seen yet, all or nothing.
async fn migrate(db: &Db) -> Result<Migrated> {
    lock(db, MIGRATION_LOCK).await?;
    // Another node may have been faster.
    let applied = version(db).await?;
    for (version, migration) in (1..).zip(MIGRATIONS) {
        if version <= applied {
            continue;
        }
        match db.0.client.batch_execute(migration).await {
            Ok(()) => {}
            Err(error) if is_in_the_way(&error) && applied == 0 => {
                let Error { cause, fault } = error.into();
                let reason = cause.to_string();
                // The transaction is undone all the same: the server has given it up.
                tracing::debug!(?fault, reason, "the tables can't be made");
                return Ok(Migrated::InTheWay(reason));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let version = known_version().max(applied);
    db.run("UPDATE countersign_schema SET version = $1::bigint::int", params![version]).await?;
    Ok(Migrated::Done)
}

/// Waits for one of our locks, until the transaction ends.
pub(super) async fn lock(db: &Db, number: i64) -> Result<()> {
    db.first("SELECT pg_advisory_xact_lock($1)", params![number], |_| Ok(())).await.map(drop)
}

/// Takes one of our locks until the transaction ends, if nobody has it.
pub(super) async fn try_lock(db: &Db, number: i64) -> Result<bool> {
    let taken = db.first("SELECT pg_try_advisory_xact_lock($1)", params![number], |row| row.flag(0)).await?;
    Ok(taken.unwrap_or(false))
}

/// The database's version; 0 if it has no tables of ours.
async fn version(db: &Db) -> Result<i64> {
    // Not `to_regclass`: inside a transaction that waited for a lock it still says what was before.
    let there = "SELECT EXISTS (SELECT 1 FROM pg_tables
        WHERE tablename = 'countersign_schema' AND schemaname = ANY (current_schemas(FALSE)))";
    if !db.first(there, &[], |row| row.flag(0)).await?.unwrap_or(false) {
        return Ok(0);
    }
    let query = "SELECT version::bigint FROM countersign_schema";
    let version = db.first(query, &[], |row| row.number_there(0)).await?;
    Ok(known(version, "its version")?)
}

async fn may_create(db: &Db) -> Result<bool> {
    let query = "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE)";
    Ok(db.first(query, &[], |row| row.flag(0)).await?.unwrap_or(false))
}

fn is_in_the_way(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| *code == SqlState::DUPLICATE_TABLE || *code == SqlState::DUPLICATE_FUNCTION)
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn refused(config: &Config, error: &StoreError) -> OpenError {
    let reason = match error {
        StoreError::Unavailable(reason) | StoreError::Defect(reason) => reason.clone(),
    };
    OpenError::Refused { database: config.to_string(), reason }
}
