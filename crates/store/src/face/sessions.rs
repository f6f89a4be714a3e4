//! The store's face: sessions, and those of the admin site.

use crate::{
    AdminLogin, AuditEvent, EndOutcome, Login, NewUser, Page, Rotate, Rotation, SessionFilter, SessionRow,
    SetUpError, StartOutcome, Store, StoreError, User,
};
use countersign_core::admin::{AdminSession, AdminSessionId};
use countersign_core::session::{EndReason, RotationPolicy, Session};
use countersign_core::{SessionId, Timestamp, UserId};

/// Sessions.
impl Store {
    /// A login: if the user is still active and `login.checked` is still their hash, the session starts, the older
    /// ones named end (whoever they belonged to, each with an event of its own), the password's hash is upgraded,
    /// failed guesses are forgotten, and the network is known from now on (the newest 50 are).
    pub async fn start_session(
        &self,
        session: Session,
        login: Login,
        event: AuditEvent,
    ) -> Result<StartOutcome, StoreError> {
        engine!(self, engine => engine.start_session(session, login, event).await)
    }

    /// A use of a refresh token, as `countersign_core::session::judge` says, in one atomic step.
    ///
    /// Its events are made here: a theft, which ends the session, and an answer without a rotation to a client from
    /// another network with another user agent. A session whose user is inactive or gone ends too, should it live.
    pub async fn rotate_session(
        &self,
        rotate: Rotate,
        policy: RotationPolicy,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        engine!(self, engine => engine.rotate_session(rotate, policy, now).await)
    }

    /// A session and its user, whatever state either is in.
    pub async fn session(&self, id: SessionId) -> Result<Option<(Session, Option<User>)>, StoreError> {
        engine!(self, engine => engine.session(id).await)
    }

    /// A page of sessions, of all users or one, newest first.
    pub async fn list_sessions(
        &self,
        filter: SessionFilter,
    ) -> Result<Page<SessionRow, SessionId>, StoreError> {
        engine!(self, engine => engine.list_sessions(filter).await)
    }

    /// A user's live sessions, newest first, at most a thousand.
    pub async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        engine!(self, engine => engine.sessions_of(user, now).await)
    }

    /// Ends a session, if nobody has and it belongs to `of` (or to anyone, with `None`).
    ///
    /// One whose time is over is ended too: clocks are set back, and a logout must stand.
    pub async fn end_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<EndOutcome, StoreError> {
        engine!(self, engine => engine.end_session(id, of, reason, event).await)
    }

    /// Ends all sessions of a user but `except`; how many of them lived.
    pub async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<u64, StoreError> {
        engine!(self, engine => engine.end_sessions(user, except, reason, event).await)
    }

    /// How many sessions nobody has ended, for a gauge: a count that is kept, not made, so it is cheap. Those whose
    /// time has just run out are in it until [`Store::clean_up`] comes to them.
    pub async fn live_sessions(&self) -> Result<u64, StoreError> {
        engine!(self, engine => engine.live_sessions().await)
    }

    /// Removes one small batch of sessions that ended or expired before `sessions_before`, news (and shared
    /// counts of guesses, and the names of batches) before `news_before` and audit rows before `audit_before`; how many rows went. Zero: nothing to do for now.
    ///
    /// Sessions whose time just ran out are found on a walk through all of them, ten thousand a call: where there are
    /// more, it takes several calls to come round.
    ///
    /// Sessions are kept after their end for as long as a token of theirs could still be shown, so that its bearer
    /// can be told why it is refused.
    pub async fn clean_up(
        &self,
        sessions_before: Timestamp,
        news_before: Timestamp,
        audit_before: Timestamp,
    ) -> Result<u64, StoreError> {
        engine!(self, engine => engine.clean_up(sessions_before, news_before, audit_before).await)
    }
}

/// Sessions of the admin site.
impl Store {
    /// A sign-in: if the user is still active staff and `login.checked` is still their hash, the session starts, the
    /// older one ends, and what [`Store::start_session`] does besides is done. `None`: no longer, and nothing has
    /// changed. Sessions whose time is over are removed on the way.
    pub async fn start_admin_session(
        &self,
        session: AdminSession,
        login: AdminLogin,
        event: AuditEvent,
    ) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.start_admin_session(session, login, event).await)
    }

    /// A session of the admin site and its user, whatever state either is in. A password that changes, and whatever
    /// else ends all sessions of a user, removes it.
    pub async fn admin_session(
        &self,
        id: AdminSessionId,
    ) -> Result<Option<(AdminSession, User)>, StoreError> {
        engine!(self, engine => engine.admin_session(id).await)
    }

    /// Writes down that a session of the admin site was used, and whether its user gave the password, now.
    pub async fn touch_admin_session(
        &self,
        id: AdminSessionId,
        proved: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.touch_admin_session(id, proved, now).await)
    }

    /// Ends a session of the admin site. `false`: there is none, and the event isn't written.
    pub async fn end_admin_session(&self, id: AdminSessionId, event: AuditEvent) -> Result<bool, StoreError> {
        engine!(self, engine => engine.end_admin_session(id, event).await)
    }

    /// Whether someone has every right and may log in.
    pub async fn has_superuser(&self) -> Result<bool, StoreError> {
        engine!(self, engine => engine.has_superuser().await)
    }

    /// Makes the first superuser, if the shared value `name` is still `expected` and there is no superuser yet; the
    /// value goes with it, so that of two who try at once one wins.
    pub async fn set_up(
        &self,
        name: &'static str,
        expected: String,
        new: NewUser,
        event: AuditEvent,
    ) -> Result<User, SetUpError> {
        engine!(self, engine => engine.set_up(name, expected, new, event).await)
    }
}
