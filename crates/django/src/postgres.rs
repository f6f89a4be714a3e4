//! Asking PostgreSQL, in texts: what a value is, its column says, and `cell` reads it.

use countersign_store::StoreError;
use countersign_store::postgres::{Config, Foreign};

use crate::SourceError;
use crate::cell::{Cell, TEXT_MAX};
use crate::schema::{Column, Table};

/// One connection, in one transaction from its first to its last query.
pub(crate) struct Postgres(Foreign);

impl Postgres {
    pub(crate) async fn open(config: &Config) -> Result<Self, SourceError> {
        Ok(Self(Foreign::open(config).await?))
    }

    /// The tables of the schemas that the URL's user looks into.
    pub(crate) async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        let query = "SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
                COALESCE(a.attnum = ANY (i.indkey), FALSE)
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
            WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
                AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            ORDER BY c.oid, a.attnum";
        let mut tables: Vec<Table> = Vec::new();
        for row in self.0.texts(query).await? {
            let [Some(table), Some(name), Some(declared), Some(key)] = &*row else { continue };
            let column = Column { name: name.clone(), declared: declared.clone(), is_key: key == "t" };
            match tables.last_mut().filter(|last| last.name == *table) {
                Some(last) => last.columns.push(column),
                None => tables.push(Table { name: table.clone(), columns: vec![column] }),
            }
        }
        Ok(tables)
    }

    pub(crate) async fn rows(&self, query: &str) -> Result<Vec<Vec<Cell>>, SourceError> {
        let cell = |text: Option<String>| text.map_or(Cell::Null, |text| Cell::of_text(text.as_bytes()));
        let rows = self.0.texts(query).await?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect())
    }

    /// A column as a text of which no more comes than shows that it is too long.
    pub(crate) fn selected(column: &str) -> String {
        format!("LEFT({column}::text, {})", TEXT_MAX + 1)
    }
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        let (StoreError::Unavailable(reason) | StoreError::Defect(reason)) = error;
        Self::Database(reason)
    }
}
