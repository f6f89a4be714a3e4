//! Checking passwords, counting failures, and what a right password begins.

use countersign_core::session::{EndReason, Session};
use countersign_core::{Network, Timestamp, UserId};
use rusqlite::{Connection, Params};

use super::Sqlite;
use super::sql::{self, Result};
use super::{audit, import, links, people, sessions, users};
use crate::row::{self, user_columns};
use crate::{
    AuditEvent, Failures, Login, LoginUser, Password, PasswordHash, StartOutcome, User, UserSelector, told,
};

/// How many networks are known of one user: the newest. More than people have, few enough to stay small.
const KNOWN_NETWORKS: u32 = 50;

/// A query for what a password check needs, with this condition; `$1` is the network.
macro_rules! login_query {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            ", users.password, users.failures, users.last_failure_at, EXISTS (SELECT 1 FROM known_networks
                WHERE known_networks.user_id = users.id AND known_networks.network = $1)
            FROM users WHERE ",
            $condition
        )
    };
}
impl Sqlite {
    pub(crate) async fn user_for_login(
        &self,
        who: UserSelector,
        by_email: bool,
        network: Network,
    ) -> Result<Option<LoginUser>> {
        self.read(move |db| {
            let network = network.to_string();
            let key = match &who {
                UserSelector::Id(id) => return login_user(db, login_query!("id = $2"), (&network, id.0)),
                UserSelector::Name(key) => key.as_str(),
            };
            // The name first: an address that is somebody's user name names nobody else.
            let by_name = login_user(db, login_query!("username_key = $2"), (&network, key))?;
            if by_name.is_some() || !by_email {
                return Ok(by_name);
            }
            let query = login_query!("email_key = $2 AND email_key <> '' LIMIT 2");
            let mut found = sql::all(db, query, (&network, key), |row| row::login_user(row))?;
            Ok(if found.len() == 1 { found.pop() } else { None })
        })
        .await
    }

    pub(crate) async fn start_session(
        &self,
        session: Session,
        login: Login,
        event: AuditEvent,
    ) -> Result<StartOutcome> {
        self.write_if_awaited(move |db| {
            let Some(user) = still(db, session.user, &login.checked)? else {
                return Ok(StartOutcome::NoLonger);
            };
            let (rights, fit) = people::rights_within(db, login.wants_rights, user.id)?;
            if !fit {
                return Ok(StartOutcome::TooManyRights);
            }
            let now = event.at;
            let mut ended = Vec::new();
            for old in login.replaces {
                if let Some(owner) = sessions::end(db, old, EndReason::Replaced, now)? {
                    audit::append(db, &told::replaced(old, owner, &event))?;
                    ended.push(old);
                }
            }
            if let Some(upgraded) = &login.upgraded {
                users::store_password(db, user.id, upgraded)?;
            }
            succeeded(db, user.id, login.network, now)?;
            sessions::insert(db, &session)?;
            audit::append(db, &event)?;
            Ok(StartOutcome::Started { user: User { last_login_at: Some(now), ..user }, rights, ended })
        })
        .await
    }

    pub(crate) async fn change_password(
        &self,
        checked: PasswordHash,
        password: Password,
        next: Session,
        event: AuditEvent,
    ) -> Result<StartOutcome> {
        self.write_if_awaited(move |db| {
            let Some(user) = still(db, next.user, &checked)? else {
                return Ok(StartOutcome::NoLonger);
            };
            users::store_password(db, user.id, &password)?;
            import::password_is_ours(db, user.id)?;
            users::forget_failures(db, user.id)?;
            links::drop_of(db, user.id)?;
            let ended = sessions::end_all(db, user.id, None, EndReason::PasswordChanged, event.at)?;
            let ended = ended.into_iter().map(|end| end.session).collect();
            sessions::insert(db, &next)?;
            users::changed(db, user.id, &event)?;
            Ok(StartOutcome::Started { user, rights: None, ended })
        })
        .await
    }
}

/// Adds failed guesses to the ceilings of accounts.
pub(super) fn record_failures(db: &Connection, failures: &[Failures]) -> Result<()> {
    let update = "UPDATE users SET
            failures = CASE WHEN last_failure_at < $1 THEN 0 ELSE failures END + $2,
            last_failure_at = CASE WHEN last_failure_at > $3 THEN last_failure_at ELSE $3 END
        WHERE id = $4";
    for Failures { user, count, last_at, forget_before } in failures {
        sql::run(db, update, (forget_before.millis(), count, last_at.millis(), user.0))?;
    }
    Ok(())
}

fn login_user(db: &Connection, query: &str, params: impl Params) -> Result<Option<LoginUser>> {
    sql::first(db, query, params, |row| row::login_user(row))
}

/// What a right password does whatever it opens: failed guesses are forgotten, and the network is known.
pub(super) fn succeeded(db: &Connection, user: UserId, network: Network, now: Timestamp) -> Result<()> {
    users::forget_failures(db, user)?;
    let update = "UPDATE users SET last_login_at = $1 WHERE id = $2";
    sql::run(db, update, (now.millis(), user.0))?;
    know_network(db, user, network, now)
}

/// The user, if they are still active and their hash is still the one that was checked.
pub(super) fn still(db: &Connection, id: UserId, checked: &PasswordHash) -> Result<Option<User>> {
    let query =
        concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1 AND is_active AND password = $2");
    sql::first(db, query, (id.0, checked.expose()), |row| row::user(row, 0))
}

/// Remembers where a user logged in from, and forgets the oldest of too many.
fn know_network(db: &Connection, user: UserId, network: Network, now: Timestamp) -> Result<()> {
    let upsert = "INSERT INTO known_networks (user_id, network, last_login_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, network) DO UPDATE SET last_login_at = excluded.last_login_at";
    sql::run(db, upsert, (user.0, network.to_string(), now.millis()))?;
    let trim = "DELETE FROM known_networks WHERE user_id = $1 AND network NOT IN (
            SELECT network FROM known_networks WHERE user_id = $1 ORDER BY last_login_at DESC LIMIT $2
        )";
    sql::run(db, trim, (user.0, KNOWN_NETWORKS))?;
    Ok(())
}
