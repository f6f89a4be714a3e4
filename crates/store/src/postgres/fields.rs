//! The values of custom fields, by which users are found and which only one may have.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::UserId;
use countersign_core::fields::UserFields;
use serde_json::{Map, Value};

use super::Postgres;
use super::sql::{self, Db, Error, Fault, Result, params};
use crate::fields::{FieldKey, keys};
use crate::row::Columns;
use crate::{EnteredPage, FieldHolder, StoreError};

impl Postgres {
    pub(crate) async fn field_page(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<Vec<FieldHolder>, StoreError> {
        self.read((after, limit), |db, args| async move { page(&db, args.0, args.1, "").await }).await
    }

    pub(crate) async fn enter_fields(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<EnteredPage, StoreError> {
        self.write((self.declared(), after, limit), |db, args| async move {
            let (declared, after, limit) = &*args;
            let users = page(&db, *after, *limit, " FOR UPDATE").await?;
            let is_full = users.len() >= usize::try_from(*limit).unwrap_or(usize::MAX);
            let next = users.last().map(|user| user.id);
            let mut entered = entered(&db, *after, next.unwrap_or(*after)).await?;
            let mut shared = Vec::new();
            for user in users {
                let entered = entered.remove(&user.id).unwrap_or_default();
                let fields = enter(&db, user.id, keys(declared, &user.fields), &entered).await?;
                shared.extend(fields.into_iter().map(|field| (user.id, field)));
            }
            Ok(EnteredPage { shared, next: next.filter(|_| is_full) })
        })
        .await
    }
}

async fn page(db: &Db, after: UserId, limit: u32, locking: &str) -> Result<Vec<FieldHolder>> {
    let query = format!("SELECT id, username, fields FROM users WHERE id > $1 ORDER BY id LIMIT $2{locking}");
    db.all(&query, params![after.0, i64::from(limit)], |row| {
        Ok(FieldHolder {
            id: UserId(row.number_there(0)?),
            username: row.text_there(1)?,
            fields: row.object(2)?,
        })
    })
    .await
}

/// A unique field among these whose value another user has. To be asked before anything is changed.
pub(super) async fn taken(
    db: &Db,
    declared: &UserFields,
    user: Option<UserId>,
    fields: &Map<String, Value>,
) -> Result<Option<String>> {
    let nobody = UserId(0);
    for key in keys(declared, fields).into_iter().filter(|key| key.is_unique) {
        let query =
            "SELECT EXISTS (SELECT 1 FROM field_values WHERE field = $1 AND value = $2 AND user_id <> $3)";
        let params = params![key.field, &*sql::without_nul(&key.value), user.unwrap_or(nobody).0];
        if db.first(query, params, |row| row.flag(0)).await?.unwrap_or(false) {
            return Ok(Some(key.field));
        }
    }
    Ok(None)
}

/// Puts a user under the values of these fields, which have changed and weren't [`taken`].
pub(super) async fn keep(
    db: &Db,
    declared: &UserFields,
    user: UserId,
    changes: &Map<String, Value>,
) -> Result<()> {
    for field in changes.keys() {
        remove(db, user, field).await?;
    }
    for key in keys(declared, changes) {
        if !insert(db, user, &key).await? {
            // Somebody was faster by a moment. All is undone, and the next try sees it taken.
            let cause = StoreError::Unavailable("another user has just got the same value".to_owned());
            return Err(Error { cause, fault: Fault::Lost });
        }
    }
    Ok(())
}

/// Puts a user under all of their values, and under no others; the unique ones that another user has.
async fn enter(
    db: &Db,
    user: UserId,
    wanted: Vec<FieldKey>,
    entered: &BTreeSet<FieldKey>,
) -> Result<Vec<String>> {
    let wanted: BTreeSet<FieldKey> = wanted.into_iter().collect();
    for key in entered.difference(&wanted) {
        remove(db, user, &key.field).await?;
    }
    let mut shared = Vec::new();
    for key in wanted.difference(entered) {
        if !insert(db, user, key).await? {
            insert(db, user, &FieldKey { is_unique: false, ..key.clone() }).await?;
            shared.push(key.field.clone());
        }
    }
    Ok(shared)
}

/// Under which values the users of a page stand.
async fn entered(db: &Db, after: UserId, last: UserId) -> Result<BTreeMap<UserId, BTreeSet<FieldKey>>> {
    let query = "SELECT user_id, field, value, is_unique FROM field_values
        WHERE user_id > $1 AND user_id <= $2";
    let mut by_user: BTreeMap<UserId, BTreeSet<FieldKey>> = BTreeMap::new();
    let read = |row: &tokio_postgres::Row| {
        let (field, value) = (row.text_there(1)?, row.text_there(2)?);
        Ok((UserId(row.number_there(0)?), FieldKey { field, value, is_unique: row.flag(3)? }))
    };
    for (user, key) in db.all(query, params![after.0, last.0], read).await? {
        by_user.entry(user).or_default().insert(key);
    }
    Ok(by_user)
}

/// `false`: it is unique, and another user's.
async fn insert(db: &Db, user: UserId, key: &FieldKey) -> Result<bool> {
    let insert = "INSERT INTO field_values (user_id, field, value, is_unique) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let params = params![user.0, key.field, &*sql::without_nul(&key.value), key.is_unique];
    Ok(db.run(insert, params).await? > 0)
}

async fn remove(db: &Db, user: UserId, field: &str) -> Result<()> {
    db.run("DELETE FROM field_values WHERE user_id = $1 AND field = $2", params![user.0, field]).await?;
    Ok(())
}
