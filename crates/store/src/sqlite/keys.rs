//! Signing keys.

use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use super::{audit, news};
use crate::row::{self, key_columns};
use crate::{AuditEvent, NewsItem, StoreError, StoredKey};

impl Sqlite {
    pub(crate) async fn keys(&self) -> Result<Vec<StoredKey>> {
        self.read(all).await
    }

    pub(crate) async fn ensure_key(&self, key: StoredKey, event: AuditEvent) -> Result<Vec<StoredKey>> {
        self.write(move |db| {
            let keys = all(db)?;
            let last = keys.iter().max_by_key(|other| other.signs_from);
            if last.is_some_and(|last| last.algorithm == key.algorithm) {
                return Ok(keys);
            }
            add(db, &key)?;
            changed(db, &event)?;
            all(db)
        })
        .await
    }

    pub(crate) async fn add_key(&self, key: StoredKey, event: AuditEvent) -> Result<()> {
        self.write(move |db| {
            add(db, &key)?;
            changed(db, &event)
        })
        .await
    }

    pub(crate) async fn remove_keys(&self, kids: Vec<String>, event: AuditEvent) -> Result<u64> {
        self.write(move |db| {
            let mut removed = 0;
            for kid in &kids {
                removed += sql::run(db, "DELETE FROM signing_keys WHERE kid = $1", [kid])? as u64;
            }
            if removed > 0 {
                changed(db, &event)?;
            }
            Ok(removed)
        })
        .await
    }

    pub(crate) async fn reseal_keys(&self, sealed: Vec<(String, Vec<u8>)>, event: AuditEvent) -> Result<()> {
        self.write(move |db| {
            for (kid, sealed) in &sealed {
                let update = "UPDATE signing_keys SET sealed = $1 WHERE kid = $2";
                if sql::run(db, update, (sealed, kid))? == 0 {
                    return Err(StoreError::Unavailable("the keys have just changed".to_owned()));
                }
            }
            audit::append(db, &event)
        })
        .await
    }
}

fn all(db: &Connection) -> Result<Vec<StoredKey>> {
    let query = concat!("SELECT ", key_columns!(), " FROM signing_keys ORDER BY created_at, kid");
    sql::all(db, query, [], |row| row::key(row))
}

fn add(db: &Connection, key: &StoredKey) -> Result<()> {
    let insert = "INSERT INTO signing_keys (kid, algorithm, sealed, created_at, signs_from)
        VALUES ($1, $2, $3, $4, $5)";
    let times = (key.created_at.millis(), key.signs_from.millis());
    sql::run(db, insert, (&key.kid, &key.algorithm, &key.sealed, times.0, times.1))?;
    Ok(())
}

fn changed(db: &Connection, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::KeysChanged)?;
    audit::append(db, event)
}
