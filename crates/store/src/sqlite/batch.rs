//! What was gathered in memory, written once.

use super::Sqlite;
use super::sql::{self, Result};
use super::{audit, login};
use crate::Batch;

impl Sqlite {
    pub(crate) async fn write_batch(&self, batch: Batch) -> Result<()> {
        self.write(move |db| {
            let insert = "INSERT INTO written_batches (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
            let is_new = sql::run(db, insert, (batch.id.0, batch.at.millis()))? == 1;
            if is_new {
                login::record_failures(db, &batch.failures)?;
                audit::append_all(db, &batch.events)?;
            }
            Ok(())
        })
        .await
    }
}
