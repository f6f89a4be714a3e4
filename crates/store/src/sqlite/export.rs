//! Taking people along.

use countersign_core::UserId;
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use crate::export::{self, GROUPS, PERMISSIONS};
use crate::row::{self, Columns, USER_WIDTH, user_columns};
use crate::{ExportedUser, PasswordHash};

impl Sqlite {
    pub(crate) async fn export_users(&self, after: UserId, limit: u32) -> Result<Vec<ExportedUser>> {
        self.read(move |db| {
            let query = concat!(
                "SELECT ",
                user_columns!(),
                ", users.password FROM users WHERE id > $1 ORDER BY id LIMIT $2"
            );
            let users = sql::all(db, query, (after.0, limit), |row| {
                Ok((row::user(row, 0)?, PasswordHash::new(row.text_there(USER_WIDTH)?)))
            })?;
            let last = users.last().map_or(after, |(user, _)| user.id);
            Ok(export::joined(users, names(db, GROUPS, after, last)?, names(db, PERMISSIONS, after, last)?))
        })
        .await
    }
}

fn names(db: &Connection, query: &str, after: UserId, last: UserId) -> Result<Vec<(UserId, String)>> {
    sql::all(db, query, (after.0, last.0), |row| Ok((UserId(row.number_there(0)?), row.text_there(1)?)))
}
