//! Opening the database: its files, the lock, the pragmas, the migrations.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::Opening;

/// Marks a file as ours, in SQLite's header: "CSig".
const APPLICATION_ID: i32 = 0x4353_6967;

/// All migrations, oldest first. The database's version is how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_people.sql"),
    include_str!("migrations/0003_fields.sql"),
    include_str!("migrations/0004_admin.sql"),
    include_str!("migrations/0007_import.sql"),
    include_str!("migrations/0008_link_makers.sql"),
    include_str!("migrations/0009_batches.sql"),
];

/// How often, and how many times, a connection asks for a lock that another process holds: five seconds in all.
///
/// SQLite's own waiting slows down to ten times a second, and beside a busy server it would rarely hit the moment
/// between two of its commits.
const LOCK_PAUSE: Duration = Duration::from_millis(1);
const LOCK_TRIES: i32 = 5000;

/// Every connection keeps this many statements ready.
const STATEMENTS: usize = 128;

/// How much of the database the writer keeps in memory, in KiB. With ten million sessions this holds all that lies
/// above the leaves of the two large trees: a rotation then reads two pages instead of five. A small database never
/// fills it.
const WRITER_CACHE: i64 = 32 * 1024;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A server has it.
    #[error("the database {path} is in use by a running Countersign server; stop that one first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer program made it.
    #[error(
        "the database was made by a newer Countersign (it is at version {found}, and this program knows {known}); \
         use that one, or restore a backup"
    )]
    Newer {
        /// The database's version.
        found: u32,
        /// The latest that this program knows.
        known: u32,
    },
    /// An older program made it, and it is only to be looked at.
    #[error("the database {path} is not up to date; run: countersign migrate")]
    Behind {
        /// The file.
        path: PathBuf,
    },
    /// Something else made it.
    #[error("{path} is not a database of Countersign; choose another file")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Its bytes are not in order.
    #[error("the database {path} is damaged ({reason}); restore a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// It can't be made as durable as we promise.
    #[error("the database {path} does not take the setting {pragma}: it stays {found}")]
    NotInForce {
        /// The file.
        path: PathBuf,
        /// What was set.
        pragma: &'static str,
        /// What is in force.
        found: String,
    },
    /// The file system refuses.
    #[error("{path} can't be opened: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("the database {path} can't be opened: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
}

/// A database that is open for writing, at this program's version.
pub(super) struct Opened {
    /// The one connection that writes.
    pub(super) writer: Connection,
    /// The file, by its one true name.
    pub(super) path: PathBuf,
    /// Held for as long as this process serves from the database.
    pub(super) lock: Option<Lock>,
}

/// The right to serve from a database, and to change its schema.
///
/// It lies on a file of its own: closing any handle of the database file would drop SQLite's locks on it. The kernel
/// lets it go with the process, however that ends.
pub(super) struct Lock(File);

/// Let go in so many words: a process that is just being forked off has a copy of the handle.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Opens the database, making it or bringing it up to date where that is needed.
///
/// One that serves from it holds a lock, and no other may. Any other works beside a server, but doesn't change the schema
/// under one.
pub(super) fn open(path: &Path, opening: &Opening) -> Result<Opened, OpenError> {
    let exclusive = opening.serves;
    let path = true_name(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    let mut lock = if exclusive { Some(take_lock(&path)?) } else { None };
    if !path.exists() && !opening.migrates {
        return Err(OpenError::Behind { path });
    }
    if !path.exists() {
        lock = lock.map_or_else(|| take_lock(&path), Ok).map(Some)?;
        create(&path)?;
    }
    keep_private(&path)?;

    let mut writer = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = identify(&writer, &path)?;
    make_durable(&writer, &path)?;
    // A negative size is in KiB.
    writer.pragma_update(None, "cache_size", -WRITER_CACHE).map_err(|error| refused(&path, &error))?;
    if version < known_version() && !opening.migrates {
        return Err(OpenError::Behind { path });
    }
    if version < known_version() {
        lock = lock.map_or_else(|| take_lock(&path), Ok).map(Some)?;
        migrate(&mut writer).map_err(|error| refused(&path, &error))?;
    }
    keep_private(&path)?;
    Ok(Opened { writer, path, lock: lock.filter(|_| exclusive) })
}

/// Opens one more connection, for reading.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_update(None, "query_only", true).map_err(|error| refused(path, &error))?;
    Ok(db)
}

/// Opens one more connection for reading, that is busy where another would wait for a lock.
pub(super) fn impatient_reader(path: &Path) -> Result<Connection, OpenError> {
    let db = reader(path)?;
    db.busy_timeout(Duration::ZERO).map_err(|error| refused(path, &error))?;
    Ok(db)
}

/// Opens one more connection, that copies the write-ahead log into the database, and syncs as a writer does.
pub(super) fn copier(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    make_durable(&db, path)?;
    Ok(db)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    let connect = || {
        let mut db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Before anything else: even the first look into the file can meet a lock.
        db.busy_handler(Some(|tries| {
            sleep(LOCK_PAUSE);
            tries < LOCK_TRIES
        }))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        // Else SQLite plans some statements anew for each value that is bound: looking a session up took ten times as long.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(db)
    };
    connect().map_err(|error| refused(path, &error))
}

/// Whose database it is; its version if it is ours, 0 if it is empty.
fn identify(db: &Connection, path: &Path) -> Result<u32, OpenError> {
    let number =
        |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| refused(path, &error));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let known = known_version();
    match u32::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(version) if application == i64::from(APPLICATION_ID) && version <= known => Ok(version),
        Ok(found) if application == i64::from(APPLICATION_ID) => Err(OpenError::Newer { found, known }),
        _ => Err(OpenError::NotOurs { path: path.to_owned() }),
    }
}

/// Sets what durability and integrity need, and reads it back: SQLite passes over what it can't do in silence.
fn make_durable(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let settings =
        [("journal_mode", "wal", "wal"), ("synchronous", "FULL", "2"), ("foreign_keys", "ON", "1")];
    let set = |pragma: &str, value: &str| db.pragma_update(None, pragma, value);
    for (pragma, value, in_force) in settings {
        set(pragma, value).map_err(|error| refused(path, &error))?;
        let found: rusqlite::types::Value =
            db.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|error| refused(path, &error))?;
        let found = match found {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != in_force {
            return Err(OpenError::NotInForce { path: path.to_owned(), pragma, found });
        }
    }
    Ok(())
}

/// Applies what the database hasn't seen yet, all or nothing.
fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let applied: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, migration) in (1..).zip(MIGRATIONS) {
        if version > applied {
            transaction.execute_batch(migration)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", applied.max(known_version()))?;
    transaction.commit()
}

fn known_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// The file without links and dots, so that a database has one lock, whatever it is called.
fn true_name(path: &Path) -> io::Result<PathBuf> {
    match (fs::canonicalize(path), path.file_name()) {
        (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        }
        (name, _) => name,
    }
}

fn take_lock(path: &Path) -> Result<Lock, OpenError> {
    let lock_path = beside(path, ".lock");
    let failed = |source| OpenError::File { path: lock_path.clone(), source };
    let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&lock_path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Makes the file, for this user alone. SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn create(path: &Path) -> Result<(), OpenError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(OpenError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// Takes from everyone else what an earlier `umask` or `cp` has given them.
#[cfg(unix)]
fn keep_private(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt;
    for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), beside(path, ".lock")] {
        let tightened = match fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            }
            _ => Ok(()),
        };
        tightened.map_err(|source| OpenError::File { path, source })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) -> Result<(), OpenError> {
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, reason },
        _ => OpenError::Refused { path, reason },
    }
}
