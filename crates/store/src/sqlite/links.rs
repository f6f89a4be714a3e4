//! Links with which a user sets a password: one a user, used once, kept as hashes.

use countersign_core::{GroupId, Timestamp, UserId};
use rusqlite::Connection;

use super::people::{Changed, person, within_reach};
use super::sql::{self, Result};
use super::{Sqlite, audit, users};
use crate::row::{self, user_columns};
use crate::{AuditEvent, LinkHash, Password, PasswordLink, PeopleError, Reach, User};

impl Sqlite {
    pub(crate) async fn make_password_link(
        &self,
        link: PasswordLink,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<()> {
        self.write_or_refuse(move |db| {
            if !within_reach(db, link.user, &reach)?.user.is_active {
                return Err(PeopleError::UserInactive);
            }
            let upsert = "INSERT INTO password_links (user_id, token_hash, expires_at, made_by)
                VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash,
                expires_at = excluded.expires_at, made_by = excluded.made_by";
            let made_by = link.made_by.map(|maker| maker.0);
            sql::run(db, upsert, (link.user.0, link.hash, link.expires_at.millis(), made_by))?;
            Ok(audit::append(db, &event)?)
        })
        .await
    }

    pub(crate) async fn password_link(&self, hash: LinkHash, now: Timestamp) -> Result<Option<User>> {
        self.read(move |db| owner(db, &hash, now)).await
    }

    pub(crate) async fn use_password_link(
        &self,
        hash: LinkHash,
        password: Password,
        event: AuditEvent,
    ) -> Result<Option<User>> {
        self.write(move |db| {
            let Some(user) = owner(db, &hash, event.at)? else { return Ok(None) };
            let event = AuditEvent { user: Some(user.id), ..event };
            users::set_password(db, user.id, &password, &event)?;
            Ok(Some(user))
        })
        .await
    }
}

/// Whose link this is, if it is still good, and its maker may still make it.
fn owner(db: &Connection, hash: &LinkHash, now: Timestamp) -> Result<Option<User>> {
    let query = concat!(
        "SELECT password_links.made_by, ",
        user_columns!(),
        " FROM password_links JOIN users ON users.id = password_links.user_id
        WHERE password_links.token_hash = $1 AND password_links.expires_at > $2 AND users.is_active"
    );
    let found = sql::first(db, query, (hash, now.millis()), |row| {
        Ok((row.get::<_, Option<i64>>(0)?.map(UserId), row::user(row, 1)?))
    })?;
    let Some((maker, owner)) = found else { return Ok(None) };
    Ok(if may_still(db, maker, owner.id)? { Some(owner) } else { None })
}

/// Whether the maker of a link may make it now: they or its owner may have changed since.
fn may_still(db: &Connection, maker: Option<UserId>, owner: UserId) -> Result<bool> {
    let Some(maker) = maker else { return Ok(true) };
    let (Some(maker), Some(owner)) = (person(db, maker)?, person(db, owner)?) else { return Ok(false) };
    Ok(maker.rights().may_link(&owner.rights()))
}

/// Ends a user's open link.
pub(super) fn drop_of(db: &Connection, user: UserId) -> Result<()> {
    sql::run(db, "DELETE FROM password_links WHERE user_id = $1", [user.0])?;
    Ok(())
}

/// Ends the open links of a group's members.
pub(super) fn drop_of_group(db: &Connection, group: GroupId) -> Result<()> {
    let delete = "DELETE FROM password_links WHERE EXISTS (SELECT 1 FROM user_groups
        WHERE user_groups.user_id = password_links.user_id AND user_groups.group_id = $1)";
    sql::run(db, delete, [group.0])?;
    Ok(())
}
