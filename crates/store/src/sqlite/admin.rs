//! Sessions of the admin site, and the first superuser.

use countersign_core::admin::{self, AdminSession, AdminSessionId};
use countersign_core::{Timestamp, UserId};
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use super::{audit, login, users};
use crate::row::{self, ADMIN_SESSION_WIDTH, admin_session_columns, user_columns};
use crate::{AdminLogin, AuditEvent, NewUser, SetUpError, StoreError, User};

const HAS_SUPERUSER: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser = 1 AND is_active = 1)";

impl Sqlite {
    pub(crate) async fn start_admin_session(
        &self,
        session: AdminSession,
        login: AdminLogin,
        event: AuditEvent,
    ) -> Result<Option<User>> {
        self.write_if_awaited(move |db| {
            let now = event.at;
            let Some(user) = login::still(db, session.user, &login.checked)?.filter(|user| user.is_staff)
            else {
                return Ok(None);
            };
            if let Some(upgraded) = &login.upgraded {
                users::store_password(db, user.id, upgraded)?;
            }
            login::succeeded(db, user.id, login.network, now)?;
            let over = (now - admin::LIFETIME).millis();
            let idle = (now - admin::IDLE).millis();
            let replaced = login.replaces.map(|id| *id.as_bytes());
            let delete = "DELETE FROM admin_sessions WHERE created_at <= $1 OR used_at <= $2 OR id = $3";
            sql::run(db, delete, (over, idle, replaced))?;
            insert(db, &session)?;
            audit::append(db, &event)?;
            Ok(Some(User { last_login_at: Some(now), ..user }))
        })
        .await
    }

    pub(crate) async fn admin_session(&self, id: AdminSessionId) -> Result<Option<(AdminSession, User)>> {
        self.read(move |db| {
            let query = concat!(
                "SELECT ",
                admin_session_columns!(),
                ", ",
                user_columns!(),
                " FROM admin_sessions JOIN users ON users.id = admin_sessions.user_id WHERE admin_sessions.id = $1"
            );
            sql::first(db, query, [id.as_bytes()], |row| {
                Ok((row::admin_session(row)?, row::user(row, ADMIN_SESSION_WIDTH)?))
            })
        })
        .await
    }

    pub(crate) async fn touch_admin_session(
        &self,
        id: AdminSessionId,
        proved: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |db| {
            let update = "UPDATE admin_sessions SET used_at = $1,
                proved_at = CASE WHEN $2 THEN $1 ELSE proved_at END WHERE id = $3";
            sql::run(db, update, (now.millis(), proved, id.as_bytes()))?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn end_admin_session(&self, id: AdminSessionId, event: AuditEvent) -> Result<bool> {
        self.write(move |db| {
            let there = sql::run(db, "DELETE FROM admin_sessions WHERE id = $1", [id.as_bytes()])? > 0;
            if there {
                audit::append(db, &event)?;
            }
            Ok(there)
        })
        .await
    }

    pub(crate) async fn has_superuser(&self) -> Result<bool> {
        self.read(|db| sql::value(db, HAS_SUPERUSER, [])).await
    }

    pub(crate) async fn set_up(
        &self,
        name: &'static str,
        expected: String,
        new: NewUser,
        event: AuditEvent,
    ) -> std::result::Result<User, SetUpError> {
        let declared = self.declared();
        let made = self.write_or_refuse(move |db| {
            let kept = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = $1 AND value = $2)";
            if sql::value::<bool>(db, HAS_SUPERUSER, [])? || !sql::value::<bool>(db, kept, (name, &expected))?
            {
                return Err(SetUpError::NoLonger);
            }
            // Where the user won't do, the link counts on: another name will.
            let user = users::create(db, &declared, &new, event).map_err(SetUpError::User)?;
            sql::run(db, "DELETE FROM meta WHERE name = $1", [name]).map_err(StoreError::from)?;
            Ok(user)
        });
        made.await
    }
}

/// Ends all sessions of the admin site that a user has; whether there were any.
pub(super) fn end_all(db: &Connection, user: UserId) -> Result<bool> {
    Ok(sql::run(db, "DELETE FROM admin_sessions WHERE user_id = $1", [user.0])? > 0)
}

fn insert(db: &Connection, session: &AdminSession) -> Result<()> {
    let insert = "INSERT INTO admin_sessions (id, user_id, created_at, used_at, proved_at, ip, user_agent)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let params = (
        session.id.as_bytes(),
        session.user.0,
        session.created_at.millis(),
        session.used_at.millis(),
        session.proved_at.millis(),
        session.client.ip.map(|ip| ip.to_string()),
        session.client.user_agent.as_deref(),
    );
    sql::run(db, insert, params)?;
    Ok(())
}
