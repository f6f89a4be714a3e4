//! Signing keys.

use super::Postgres;
use super::migrate::{KEYS_LOCK, lock};
use super::sql::{Db, Result, params};
use super::{audit, news};
use crate::row::{self, key_columns};
use crate::{AuditEvent, NewsItem, StoreError, StoredKey};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn keys(&self) -> Answer<Vec<StoredKey>> {
        self.read((), |db, _| async move { all(&db).await }).await
    }

    pub(crate) async fn ensure_key(&self, key: StoredKey, event: AuditEvent) -> Answer<Vec<StoredKey>> {
        self.write((key, event), |db, args| async move {
            let (key, event) = &*args;
            // Nodes that start together come one after the other, and all but the first find the key.
            lock(&db, KEYS_LOCK).await?;
            let keys = all(&db).await?;
            let last = keys.iter().max_by_key(|other| other.signs_from);
            if last.is_some_and(|last| last.algorithm == key.algorithm) {
                return Ok(keys);
            }
            add(&db, key).await?;
            changed(&db, event).await?;
            all(&db).await
        })
        .await
    }

    pub(crate) async fn add_key(&self, key: StoredKey, event: AuditEvent) -> Answer<()> {
        self.write((key, event), |db, args| async move {
            let (key, event) = &*args;
            add(&db, key).await?;
            changed(&db, event).await
        })
        .await
    }

    pub(crate) async fn remove_keys(&self, kids: Vec<String>, event: AuditEvent) -> Answer<u64> {
        self.write((kids, event), |db, args| async move {
            let (kids, event) = &*args;
            let removed = db.run("DELETE FROM signing_keys WHERE kid = ANY($1)", params![kids]).await?;
            if removed > 0 {
                changed(&db, event).await?;
            }
            Ok(removed)
        })
        .await
    }

    pub(crate) async fn reseal_keys(&self, sealed: Vec<(String, Vec<u8>)>, event: AuditEvent) -> Answer<()> {
        self.write((sealed, event), |db, args| async move {
            let (sealed, event) = &*args;
            lock(&db, KEYS_LOCK).await?;
            for (kid, sealed) in sealed {
                let update = "UPDATE signing_keys SET sealed = $1 WHERE kid = $2";
                if db.run(update, params![sealed, kid]).await? == 0 {
                    return Err(StoreError::Unavailable("the keys have just changed".to_owned()).into());
                }
            }
            audit::append(&db, event).await
        })
        .await
    }
}

async fn all(db: &Db) -> Result<Vec<StoredKey>> {
    let query = concat!("SELECT ", key_columns!(), " FROM signing_keys ORDER BY created_at, kid");
    db.all(query, &[], row::key).await
}

async fn add(db: &Db, key: &StoredKey) -> Result<()> {
    let insert = "INSERT INTO signing_keys (kid, algorithm, sealed, created_at, signs_from)
        VALUES ($1, $2, $3, $4, $5)";
    let times = (key.created_at.millis(), key.signs_from.millis());
    db.run(insert, params![key.kid, key.algorithm, key.sealed, times.0, times.1]).await?;
    Ok(())
}

async fn changed(db: &Db, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::KeysChanged).await?;
    audit::append(db, event).await
}
