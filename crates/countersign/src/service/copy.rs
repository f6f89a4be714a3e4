//! Carrying everything over to another database (`countersign copy`): from SQLite to PostgreSQL when one machine is no
//! longer enough, or back.
//!
//! 1. The target must be empty. It is marked first, and no server starts on it before the copy is whole.
//! 2. Tables are carried in the order of their keys, a page a transaction. A copy that was interrupted goes on after
//!    the last row that it finds in the target.
//! 3. At the end both sides are read from end to end and compared by counts and checksums. Whoever wrote to the source
//!    meanwhile is found out there.
//!
//! Sessions live on: ids, generations and times are the same, and so are the signing keys, sealed as they are. The new
//! servers only need the old secrets.

use countersign_store::copy::{Digest, Row, TABLES, Table, UNDER_WAY, Value};
use countersign_store::{Store, StoreError};

/// How many rows are carried in a transaction.
const PAGE: u32 = 2000;

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is done.
    pub stage: Stage,
    /// With which table.
    pub table: &'static str,
    /// How many of its rows are done.
    pub done: u64,
    /// How many there are, as far as is known.
    pub total: u64,
}

/// What is done with a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Its rows are carried over.
    Copying,
    /// Both sides are compared.
    Checking,
}

/// A table that was carried over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target has rows of its own.
    #[error("the target has {rows} rows in {table} already; a copy needs an empty database")]
    NotEmpty {
        /// In which table.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// The target is the unfinished copy of another database.
    #[error("the target is an unfinished copy of {0}; go on with that one, or begin with an empty database")]
    OfAnother(String),
    /// The source is itself the target of a copy that isn't whole.
    #[error("the source is an unfinished copy of {0}; finish that one first")]
    SourceUnfinished(String),
    /// The two sides aren't the same after all.
    #[error(
        "{} differ from the source: something wrote to it while it was copied; stop what does, and begin again with \
         an empty database",
        .0.join(", ")
    )]
    Differs(Vec<&'static str>),
    /// One of the databases failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries everything over. `source` is how the source is called, without a password: by it an interrupted copy knows
/// that it goes on with the same one.
pub async fn copy(
    from: &Store,
    to: &Store,
    source: &str,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Copied>, CopyError> {
    if let Some(of) = from.meta(UNDER_WAY).await? {
        return Err(CopyError::SourceUnfinished(of));
    }
    match to.meta(UNDER_WAY).await? {
        None => begin(from, to, source).await?,
        Some(of) if of == source => {}
        Some(of) => return Err(CopyError::OfAnother(of)),
    }
    let (mut copied, mut numbers) = (Vec::new(), Vec::new());
    for table in TABLES {
        let rows = if table.has_first_rows {
            from.count_rows(table).await?
        } else {
            carry(from, to, table, &mut progress).await?
        };
        copied.push(Copied { table: table.name, rows });
        if table.numbered {
            numbers.push((table, from.last_number(table).await?));
        }
    }
    to.settle(numbers).await?;
    let mut differ = Vec::new();
    for table in TABLES {
        let ours = digest(from, table, &mut progress).await?;
        if digest(to, table, &mut progress).await? != ours {
            differ.push(table.name);
        }
    }
    if !differ.is_empty() {
        return Err(CopyError::Differs(differ));
    }
    to.end_copy().await?;
    Ok(copied)
}

/// Marks an empty target, and carries those tables over that aren't empty in any database.
async fn begin(from: &Store, to: &Store, source: &str) -> Result<(), CopyError> {
    let mut first = Vec::new();
    for table in TABLES {
        if table.has_first_rows {
            first.push((table, from.rows(table, None, u32::MAX).await?));
        } else {
            let rows = to.count_rows(table).await?;
            if rows > 0 {
                return Err(CopyError::NotEmpty { table: table.name, rows });
            }
        }
    }
    Ok(to.begin_copy(source.to_owned(), first).await?)
}

/// Carries one table over, from where an earlier try ended; how many rows it has.
async fn carry(
    from: &Store,
    to: &Store,
    table: &'static Table,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, StoreError> {
    let total = from.count_rows(table).await?;
    let mut last = to.last_row(table).await?;
    let mut done = if last.is_some() { to.count_rows(table).await? } else { 0 };
    loop {
        progress(Progress { stage: Stage::Copying, table: table.name, done, total });
        let rows = from.rows(table, last, PAGE).await?;
        let Some(row) = rows.last() else { return Ok(done) };
        last = Some(row.clone());
        done += rows.len() as u64;
        to.put_rows(table, rows).await?;
    }
}

/// What one side of a table is.
async fn digest(
    store: &Store,
    table: &'static Table,
    progress: &mut impl FnMut(Progress),
) -> Result<Digest, StoreError> {
    let total = store.count_rows(table).await?;
    let (mut digest, mut last) = (Digest::default(), None::<Row>);
    loop {
        progress(Progress { stage: Stage::Checking, table: table.name, done: digest.rows, total });
        let rows = store.rows(table, last, PAGE).await?;
        let Some(row) = rows.last() else { return Ok(digest) };
        last = Some(row.clone());
        for row in rows.iter().filter(|row| !is_mark(table, row)) {
            digest.add(row);
        }
    }
}

/// The target has one row more than the source, while the copy isn't whole.
fn is_mark(table: &Table, row: &[Value]) -> bool {
    table.name == "meta" && matches!(row.first(), Some(Value::Text(name)) if name == UNDER_WAY)
}
