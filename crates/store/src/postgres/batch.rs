//! What was gathered in memory, written once.

use uuid::Uuid;

use super::Postgres;
use super::sql::params;
use super::{audit, login};
use crate::{Batch, StoreError};

impl Postgres {
    pub(crate) async fn write_batch(&self, batch: Batch) -> Result<(), StoreError> {
        self.write(batch, |db, batch| async move {
            // While another try is under way, this waits for how it ends.
            let insert = "INSERT INTO written_batches (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
            let is_new = db.run(insert, params![Uuid::from_bytes(batch.id.0), batch.at.millis()]).await? == 1;
            if is_new {
                login::record_failures(&db, &batch.failures).await?;
                audit::append_all(&db, &batch.events).await?;
            }
            Ok(())
        })
        .await
    }
}
