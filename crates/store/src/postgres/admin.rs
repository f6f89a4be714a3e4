//! Sessions of the admin site, and the first superuser.

use countersign_core::admin::{self, AdminSession, AdminSessionId};
use countersign_core::{Timestamp, UserId};

use super::Postgres;
use super::sql::{Db, Result, params};
use super::work::IfUnknown;
use super::{audit, login, users};
use crate::row::{self, ADMIN_SESSION_WIDTH, Columns, admin_session_columns, user_columns};
use crate::{AdminLogin, AuditEvent, NewUser, SetUpError, StoreError, User};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn start_admin_session(
        &self,
        session: AdminSession,
        login: AdminLogin,
        event: AuditEvent,
    ) -> Answer<Option<User>> {
        self.write_if_awaited((session, login, event), |db, args| async move {
            let (session, login, event) = &*args;
            let now = event.at;
            let still = login::still(&db, session.user, &login.checked).await?;
            let Some(user) = still.filter(|user| user.is_staff) else { return Ok(None) };
            if let Some(upgraded) = &login.upgraded {
                users::store_password(&db, user.id, upgraded).await?;
            }
            login::succeeded(&db, user.id, login.network, now).await?;
            let over = (now - admin::LIFETIME).millis();
            let idle = (now - admin::IDLE).millis();
            let replaced = login.replaces.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
            let delete = "DELETE FROM admin_sessions WHERE created_at <= $1 OR used_at <= $2 OR id = $3";
            db.run(delete, params![over, idle, replaced]).await?;
            insert(&db, session).await?;
            audit::append(&db, event).await?;
            Ok(Some(User { last_login_at: Some(now), ..user }))
        })
        .await
    }

    pub(crate) async fn admin_session(&self, id: AdminSessionId) -> Answer<Option<(AdminSession, User)>> {
        self.read(id, |db, id| async move {
            let query = concat!(
                "SELECT ",
                admin_session_columns!(),
                ", ",
                user_columns!(),
                " FROM admin_sessions JOIN users ON users.id = admin_sessions.user_id WHERE admin_sessions.id = $1"
            );
            db.first(query, params![&id.as_bytes()[..]], |row| {
                Ok((row::admin_session(row)?, row::user(row, ADMIN_SESSION_WIDTH)?))
            })
            .await
        })
        .await
    }

    pub(crate) async fn touch_admin_session(
        &self,
        id: AdminSessionId,
        proved: bool,
        now: Timestamp,
    ) -> Answer<()> {
        // Twice is as good as once.
        self.statement((id, proved, now), IfUnknown::Repeat, |db, args| async move {
            let (id, proved, now) = &*args;
            let update = "UPDATE admin_sessions SET used_at = $1,
                proved_at = CASE WHEN $2 THEN $1 ELSE proved_at END WHERE id = $3";
            db.run(update, params![now.millis(), *proved, &id.as_bytes()[..]]).await.map(drop)
        })
        .await
    }

    pub(crate) async fn end_admin_session(&self, id: AdminSessionId, event: AuditEvent) -> Answer<bool> {
        self.write((id, event), |db, args| async move {
            let (id, event) = &*args;
            let delete = "DELETE FROM admin_sessions WHERE id = $1";
            let there = db.run(delete, params![&id.as_bytes()[..]]).await? > 0;
            if there {
                audit::append(&db, event).await?;
            }
            Ok(there)
        })
        .await
    }

    pub(crate) async fn has_superuser(&self) -> Answer<bool> {
        self.read((), |db, _| async move { has_superuser(&db).await }).await
    }

    pub(crate) async fn set_up(
        &self,
        name: &'static str,
        expected: String,
        new: NewUser,
        event: AuditEvent,
    ) -> std::result::Result<User, SetUpError> {
        let made = self.write((self.declared(), name, expected, new, event), |db, args| async move {
            let (declared, name, expected, new, event) = &*args;
            // Whoever comes second waits here, and finds nothing.
            let kept = "SELECT value FROM meta WHERE name = $1 FOR UPDATE";
            let kept = db.first(kept, params![*name], |row| Columns::text_there(row, 0)).await?;
            if kept.as_ref() != Some(expected) || has_superuser(&db).await? {
                return Ok(Err(SetUpError::NoLonger));
            }
            // Where the user won't do, the link counts on: another name will.
            let made = users::create(&db, declared, new, event).await?;
            if made.is_ok() {
                db.run("DELETE FROM meta WHERE name = $1", params![*name]).await?;
            }
            Ok(made.map_err(SetUpError::User))
        });
        made.await?
    }
}

/// Ends all sessions of the admin site that a user has; whether there were any.
pub(super) async fn end_all(db: &Db, user: UserId) -> Result<bool> {
    Ok(db.run("DELETE FROM admin_sessions WHERE user_id = $1", params![user.0]).await? > 0)
}

async fn has_superuser(db: &Db) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser AND is_active)";
    Ok(db.first(query, &[], |row| Columns::flag(row, 0)).await?.unwrap_or(false))
}

async fn insert(db: &Db, session: &AdminSession) -> Result<()> {
    let insert = "INSERT INTO admin_sessions (id, user_id, created_at, used_at, proved_at, ip, user_agent)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let params = params![
        &session.id.as_bytes()[..],
        session.user.0,
        session.created_at.millis(),
        session.used_at.millis(),
        session.proved_at.millis(),
        session.client.ip.map(|ip| ip.to_string()),
        session.client.user_agent.as_deref(),
    ];
    db.run(insert, params).await.map(drop)
}
