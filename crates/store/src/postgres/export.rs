//! Taking people along.

use countersign_core::UserId;

use tokio_postgres::Row;

use super::Postgres;
use super::sql::{Db, Result, params};
use crate::export::{self, GROUPS, PERMISSIONS};
use crate::row::{self, Columns, USER_WIDTH, user_columns};
use crate::{ExportedUser, PasswordHash, StoreError};

impl Postgres {
    pub(crate) async fn export_users(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<Vec<ExportedUser>, StoreError> {
        self.read((after, limit), |db, args| async move {
            let (after, limit) = *args;
            let query = concat!(
                "SELECT ",
                user_columns!(),
                ", users.password FROM users WHERE id > $1 ORDER BY id LIMIT $2"
            );
            let read = |row: &Row| Ok((row::user(row, 0)?, PasswordHash::new(row.text_there(USER_WIDTH)?)));
            let users = db.all(query, params![after.0, i64::from(limit)], read).await?;
            let last = users.last().map_or(after, |(user, _)| user.id);
            let groups = names(&db, GROUPS, after, last).await?;
            Ok(export::joined(users, groups, names(&db, PERMISSIONS, after, last).await?))
        })
        .await
    }
}

async fn names(db: &Db, query: &str, after: UserId, last: UserId) -> Result<Vec<(UserId, String)>> {
    db.all(query, params![after.0, last.0], |row| Ok((UserId(row.number_there(0)?), row.text_there(1)?)))
        .await
}
