//! Links with which a user sets a password: one a user, used once, kept as hashes.

use countersign_core::{GroupId, Timestamp, UserId};

use super::people::{Changed, or_refuse, person, within_reach};
use super::sql::{Db, Result, params};
use super::{Postgres, audit, users};
use crate::row::{self, Columns, user_columns};
use crate::{AuditEvent, LinkHash, Password, PasswordLink, PeopleError, Reach, StoreError, User};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn make_password_link(
        &self,
        link: PasswordLink,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<()> {
        self.write((link, reach, event), |db, args| async move {
            let (link, reach, event) = &*args;
            if !or_refuse!(within_reach(&db, link.user, reach).await?).user.is_active {
                return Ok(Err(PeopleError::UserInactive));
            }
            let upsert = "INSERT INTO password_links (user_id, token_hash, expires_at, made_by)
                VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash,
                expires_at = excluded.expires_at, made_by = excluded.made_by";
            let made_by = link.made_by.map(|maker| maker.0);
            db.run(upsert, params![link.user.0, &link.hash[..], link.expires_at.millis(), made_by]).await?;
            audit::append(&db, event).await.map(Ok)
        })
        .await?
    }

    pub(crate) async fn password_link(&self, hash: LinkHash, now: Timestamp) -> Answer<Option<User>> {
        self.read((hash, now), |db, args| async move { owner(&db, &args.0, args.1).await }).await
    }

    pub(crate) async fn use_password_link(
        &self,
        hash: LinkHash,
        password: Password,
        event: AuditEvent,
    ) -> Answer<Option<User>> {
        self.write((hash, password, event), |db, args| async move {
            let (hash, password, event) = &*args;
            let Some(user) = owner(&db, hash, event.at).await? else { return Ok(None) };
            // Whoever else uses it waits here, and then finds it gone.
            users::locked(&db, user.id).await?;
            let Some(user) = owner(&db, hash, event.at).await? else { return Ok(None) };
            let event = AuditEvent { user: Some(user.id), ..event.clone() };
            users::set_password_of(&db, user.id, password, &event).await?;
            Ok(Some(user))
        })
        .await
    }
}

/// Whose link this is, if it is still good, and its maker may still make it.
async fn owner(db: &Db, hash: &LinkHash, now: Timestamp) -> Result<Option<User>> {
    let query = concat!(
        "SELECT password_links.made_by, ",
        user_columns!(),
        " FROM password_links JOIN users ON users.id = password_links.user_id
        WHERE password_links.token_hash = $1 AND password_links.expires_at > $2 AND users.is_active"
    );
    let maker_and_owner = |row: &_| Ok((Columns::number(row, 0)?.map(UserId), row::user(row, 1)?));
    let found = db.first(query, params![&hash[..], now.millis()], maker_and_owner).await?;
    let Some((maker, owner)) = found else { return Ok(None) };
    Ok(if may_still(db, maker, owner.id).await? { Some(owner) } else { None })
}

/// Whether the maker of a link may make it now: they or its owner may have changed since, even while it was made.
async fn may_still(db: &Db, maker: Option<UserId>, owner: UserId) -> Result<bool> {
    let Some(maker) = maker else { return Ok(true) };
    let (Some(maker), Some(owner)) = (person(db, maker).await?, person(db, owner).await?) else {
        return Ok(false);
    };
    Ok(maker.rights().may_link(&owner.rights()))
}

/// Ends a user's open link.
pub(super) async fn drop_of(db: &Db, user: UserId) -> Result<()> {
    db.run("DELETE FROM password_links WHERE user_id = $1", params![user.0]).await.map(drop)
}

/// Ends the open links of a group's members.
pub(super) async fn drop_of_group(db: &Db, group: GroupId) -> Result<()> {
    let delete = "DELETE FROM password_links WHERE EXISTS (SELECT 1 FROM user_groups
        WHERE user_groups.user_id = password_links.user_id AND user_groups.group_id = $1)";
    db.run(delete, params![group.0]).await.map(drop)
}
