//! The store's face: who and what comes from elsewhere, and goes there.

use crate::copy::{Row, Table};
use crate::{Arrival, AuditEvent, ExportedUser, GroupArrival, ImportBatch, IncomingGroup, Store, StoreError};
use countersign_core::UserId;

/// People who come from elsewhere, and go there.
impl Store {
    /// Brings people in with their ids, or brings up to date those who came before; what became of each, in the same
    /// order. One who can't come is passed over, and the others come.
    pub async fn import_users(&self, batch: ImportBatch) -> Result<Vec<Arrival>, StoreError> {
        engine!(self, engine => engine.import_users(batch).await)
    }

    /// Brings groups in with their permissions, or brings up to date those that came before; what became of each. With
    /// `dry_run` it says what would, and changes nothing. The event is each group's, and is told which it is about.
    pub async fn import_groups(
        &self,
        groups: Vec<IncomingGroup>,
        event: AuditEvent,
        dry_run: bool,
    ) -> Result<Vec<GroupArrival>, StoreError> {
        engine!(self, engine => engine.import_groups(groups, event, dry_run).await)
    }

    /// The users after this id with all that is kept of them, in the order of their ids.
    pub async fn export_users(&self, after: UserId, limit: u32) -> Result<Vec<ExportedUser>, StoreError> {
        engine!(self, engine => engine.export_users(after, limit).await)
    }
}

/// Carrying everything over to another database: see [`copy`](crate::copy).
impl Store {
    /// How many rows a table has.
    pub async fn count_rows(&self, table: &'static Table) -> Result<u64, StoreError> {
        engine!(self, engine => engine.count_rows(table).await)
    }

    /// The rows of a table after this one, in the order of its key, at most `limit`.
    pub async fn rows(
        &self,
        table: &'static Table,
        after: Option<Row>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        engine!(self, engine => engine.rows(table, after, limit).await)
    }

    /// The last row of a table, in the order of its key.
    pub async fn last_row(&self, table: &'static Table) -> Result<Option<Row>, StoreError> {
        engine!(self, engine => engine.last_row(table).await)
    }

    /// Marks this database as the target of a copy that isn't whole yet, and puts these rows in the place of those that
    /// their tables have.
    pub async fn begin_copy(
        &self,
        from: String,
        first: Vec<(&'static Table, Vec<Row>)>,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.begin_copy(from, first).await)
    }

    /// Adds rows to a table, all or none.
    pub async fn put_rows(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        engine!(self, engine => engine.put_rows(table, rows).await)
    }

    /// The greatest number that the database has ever given in a numbered table; 0, if it gave none.
    pub async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError> {
        engine!(self, engine => engine.last_number(table).await)
    }

    /// Puts in order what isn't in the rows: the numbers to go on from, and the count of open sessions.
    pub async fn settle(&self, numbers: Vec<(&'static Table, i64)>) -> Result<(), StoreError> {
        engine!(self, engine => engine.settle(numbers).await)
    }

    /// Takes the mark away that [`Store::begin_copy`] has set: the copy is whole.
    pub async fn end_copy(&self) -> Result<(), StoreError> {
        engine!(self, engine => engine.end_copy().await)
    }
}
