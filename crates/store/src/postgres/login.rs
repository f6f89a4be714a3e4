//! Checking passwords, counting failures, and what a right password begins.

use countersign_core::session::{EndReason, Session};
use countersign_core::{Network, Timestamp, UserId};

use super::Postgres;
use super::sql::{Db, Result, params};
use super::{audit, import, links, people, sessions, users};
use crate::row::{self, user_columns};
use crate::{
    AuditEvent, Failures, Login, LoginUser, Password, PasswordHash, StartOutcome, StoreError, User,
    UserSelector, told,
};

type Answer<T> = std::result::Result<T, StoreError>;

/// How many networks are known of one user: the newest. More than people have, few enough to stay small.
const KNOWN_NETWORKS: i64 = 50;

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

impl Postgres {
    pub(crate) async fn user_for_login(
        &self,
        who: UserSelector,
        by_email: bool,
        network: Network,
    ) -> Answer<Option<LoginUser>> {
        self.read((who, by_email, network), |db, args| async move {
            let (who, by_email, network) = &*args;
            let network = network.to_string();
            let key = match who {
                UserSelector::Id(id) => {
                    let query = login_query!("id = $2");
                    return db.first(query, params![network, id.0], row::login_user).await;
                }
                UserSelector::Name(key) if key.as_str().contains('\0') => return Ok(None),
                UserSelector::Name(key) => key.as_str(),
            };
            // The name first: an address that is somebody's user name names nobody else.
            let query = login_query!("username_key = $2");
            let by_name = db.first(query, params![network, key], row::login_user).await?;
            if by_name.is_some() || !by_email {
                return Ok(by_name);
            }
            let query = login_query!("email_key = $2 AND email_key <> '' LIMIT 2");
            let mut found = db.all(query, params![network, key], row::login_user).await?;
            Ok(if found.len() == 1 { found.pop() } else { None })
        })
        .await
    }

    pub(crate) async fn start_session(
        &self,
        session: Session,
        login: Login,
        event: AuditEvent,
    ) -> Answer<StartOutcome> {
        self.write_if_awaited((session, login, event), |db, args| async move {
            let (session, login, event) = &*args;
            let Some(user) = still(&db, session.user, &login.checked).await? else {
                return Ok(StartOutcome::NoLonger);
            };
            let (rights, fit) = people::rights_within(&db, login.wants_rights, user.id).await?;
            if !fit {
                return Ok(StartOutcome::TooManyRights);
            }
            let now = event.at;
            let ended = sessions::end_several(&db, &login.replaces, EndReason::Replaced, now).await?;
            for (old, owner) in &ended {
                audit::append(&db, &told::replaced(*old, *owner, event)).await?;
            }
            if let Some(upgraded) = &login.upgraded {
                users::store_password(&db, user.id, upgraded).await?;
            }
            succeeded(&db, user.id, login.network, now).await?;
            sessions::insert(&db, session).await?;
            audit::append(&db, event).await?;
            let ended = ended.into_iter().map(|(session, _)| session).collect();
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
    ) -> Answer<StartOutcome> {
        self.write_if_awaited((checked, password, next, event), |db, args| async move {
            let (checked, password, next, event) = &*args;
            let Some(user) = still(&db, next.user, checked).await? else {
                return Ok(StartOutcome::NoLonger);
            };
            users::store_password(&db, user.id, password).await?;
            import::password_is_ours(&db, user.id).await?;
            users::forget_failures(&db, user.id).await?;
            links::drop_of(&db, user.id).await?;
            let ended = sessions::end_all(&db, user.id, None, EndReason::PasswordChanged, event.at).await?;
            let ended = ended.into_iter().map(|end| end.session).collect();
            sessions::insert(&db, next).await?;
            users::changed(&db, user.id, event).await?;
            Ok(StartOutcome::Started { user, rights: None, ended })
        })
        .await
    }
}

/// Adds failed guesses to the ceilings of accounts.
pub(super) async fn record_failures(db: &Db, failures: &[Failures]) -> Result<()> {
    let update = "UPDATE users SET
            failures = CASE WHEN last_failure_at < $1 THEN 0 ELSE failures END + $2,
            last_failure_at = CASE WHEN last_failure_at > $3 THEN last_failure_at ELSE $3 END
        WHERE id = $4";
    // In the order of users, so that two nodes that count for the same users don't wait in a circle.
    let mut by_user: Vec<&Failures> = failures.iter().collect();
    by_user.sort_by_key(|failure| failure.user);
    for Failures { user, count, last_at, forget_before } in by_user {
        let params = params![forget_before.millis(), i64::from(*count), last_at.millis(), user.0];
        db.run(update, params).await?;
    }
    Ok(())
}

/// What a right password does whatever it opens: failed guesses are forgotten, and the network is known.
pub(super) async fn succeeded(db: &Db, user: UserId, network: Network, now: Timestamp) -> Result<()> {
    let update = "UPDATE users SET failures = 0, last_failure_at = NULL, last_login_at = $1 WHERE id = $2";
    db.run(update, params![now.millis(), user.0]).await?;
    know_network(db, user, network, now).await
}

/// The user, if they are still active and their hash is still the one that was checked. Until the transaction ends
/// nobody changes that.
pub(super) async fn still(db: &Db, id: UserId, checked: &PasswordHash) -> Result<Option<User>> {
    let query = concat!(
        "SELECT ",
        user_columns!(),
        " FROM users WHERE id = $1 AND is_active AND password = $2 FOR UPDATE"
    );
    db.first(query, params![id.0, checked.expose()], |row| row::user(row, 0)).await
}

/// Remembers where a user logged in from, and forgets the oldest of too many.
async fn know_network(db: &Db, user: UserId, network: Network, now: Timestamp) -> Result<()> {
    let upsert = "INSERT INTO known_networks (user_id, network, last_login_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, network) DO UPDATE SET last_login_at = excluded.last_login_at";
    db.run(upsert, params![user.0, network.to_string(), now.millis()]).await?;
    let trim = "DELETE FROM known_networks WHERE user_id = $1 AND network NOT IN (
            SELECT network FROM known_networks WHERE user_id = $1 ORDER BY last_login_at DESC LIMIT $2
        )";
    db.run(trim, params![user.0, KNOWN_NETWORKS]).await?;
    Ok(())
}
