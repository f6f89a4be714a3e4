//! Another program's database, of which we only read: what an import comes from.

use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::config::Config;
use super::sql;
use crate::StoreError;

/// One connection to it, in one transaction that sees everything as it was at its first query, and can't write.
pub struct Foreign(Client);

impl Foreign {
    /// Connects to the first host that answers; a standby will do.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let tls = config.tls().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut trouble = StoreError::Unavailable("it has no host".to_owned());
        for host in config.hosts() {
            let mut host = host.clone();
            host.target_session_attrs(TargetSessionAttrs::Any);
            match host.connect(tls.clone()).await {
                Ok((client, connection)) => {
                    // Ends with the client; what is wrong, the next query tells.
                    tokio::spawn(connection);
                    client.batch_execute(BEGIN).await.map_err(|error| told(&error))?;
                    return Ok(Self(client));
                }
                Err(error) => trouble = told(&error),
            }
        }
        Err(trouble)
    }

    /// The rows of a query, each value as PostgreSQL writes it; times are in UTC.
    pub async fn texts(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, StoreError> {
        let messages = self.0.simple_query(query).await.map_err(|error| told(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let value = |column| row.try_get(column).ok().flatten().map(str::to_owned);
                Some((0..row.len()).map(value).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TIME ZONE 'UTC';
    SET LOCAL DateStyle = 'ISO'";

fn told(error: &tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(sql::describe(error))
}
