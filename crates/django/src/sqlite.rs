//! Asking SQLite. The file is a stranger's: it is opened for reading alone, and nothing that its schema holds runs.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::cell::Cell;
use crate::schema::{Column, Table};
use crate::{SourceError, quoted};

/// One connection, in one transaction from its first to its last query.
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        if !path.is_file() {
            return Err(SourceError::Database(format!("there is no file {}", path.display())));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        db.execute_batch("PRAGMA query_only = 1; BEGIN")?;
        Ok(Self(db))
    }

    /// Tables alone: a view could hide anything behind its name.
    pub(crate) fn tables(&self) -> Result<Vec<Table>, SourceError> {
        let list =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
        let mut tables = Vec::new();
        for row in self.rows(list)? {
            let Ok([name]) = <[Cell; 1]>::try_from(row) else { continue };
            if let Ok(Some(name)) = name.text() {
                let columns = self.table(&name)?;
                tables.push(Table { name, columns });
            }
        }
        Ok(tables)
    }

    fn table(&self, name: &str) -> Result<Vec<Column>, SourceError> {
        let mut columns = Vec::new();
        for row in self.rows(&format!("PRAGMA table_info({})", quoted(name)))? {
            let [_, name, declared, _, _, key, ..] = &*row else { continue };
            if let (Ok(Some(name)), Ok(Some(declared))) = (name.clone().text(), declared.clone().text()) {
                let is_key = key.integer().is_ok_and(|number| number > 0);
                columns.push(Column { name, declared: declared.to_lowercase(), is_key });
            }
        }
        Ok(columns)
    }

    pub(crate) fn rows(&self, query: &str) -> Result<Vec<Vec<Cell>>, SourceError> {
        let mut statement = self.0.prepare_cached(query)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let mut read = Vec::new();
        while let Some(row) = rows.next()? {
            let mut cells = Vec::with_capacity(width);
            for column in 0..width {
                cells.push(cell(row.get_ref(column)?));
            }
            read.push(cells);
        }
        Ok(read)
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => Cell::of_text(bytes),
        ValueRef::Blob(_) => Cell::Bytes,
    }
}

impl From<rusqlite::Error> for SourceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}
