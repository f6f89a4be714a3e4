//! The life of a session, as pure rules.
//!
//! A session is one row with a *generation* number; a refresh token says which session and which generation it is.
//! [`judge`] says what a refresh token may do. Its rules, in order:
//!
//! 1. An ended session, or one past its time, is never live again.
//! 2. A generation that the store has not reached (a restored backup) is not ours: [`Refusal::Unknown`].
//! 3. The current generation rotates, unless the last rotation (a login counts as one) lies within the grace: then
//!    it is answered as it is, so that a page that starts twice rotates once.
//! 4. The generation just before is answered with the *current* one, never with another branch: within the grace to
//!    anyone (racing tabs), after it only to a client that repeats the `Idempotency-Key` of a request that was
//!    answered with the current one (a lost answer).
//! 5. Anything else has been used up by someone: [`Refusal::Reused`] is theft, and the whole session ends.
//!
//! A store does the common case in one statement whose `WHERE` is [`Session::is_due`]; the behaviour suite proves
//! that the statement and this module agree.

use crate::client::Client;
use crate::id::{Generation, SessionId, UserId};
use crate::time::{Seconds, Timestamp};

/// How many `Idempotency-Key`s of one rotation are remembered.
pub const REPLAY_KEYS: usize = 4;

/// The longest life of a session whose login said `remember: false`.
const UNREMEMBERED_LIFETIME: Seconds = Seconds(12 * 60 * 60);

/// A session, as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// How its tokens reach the client; fixed for life.
    pub delivery: Delivery,
    /// Whether its cookies outlive the browser's window.
    pub remember: bool,
    /// The login. Also the tokens' `auth_time`.
    pub created_at: Timestamp,
    /// When it ends, however often it is rotated.
    pub ends_at: Timestamp,
    /// The current generation.
    pub generation: Generation,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// When the current generation's refresh token expires; never past `ends_at`.
    pub refresh_expires_at: Timestamp,
    /// Who made the current generation.
    pub client: Client,
    /// Hashes of the `Idempotency-Key`s of requests of the generation before that were answered with this one.
    pub replay_keys: Vec<ReplayKey>,
    /// When and why it ended, if it did.
    pub ended: Option<Ended>,
}

/// How a session's tokens reach the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The refresh token in an `HttpOnly` cookie, countersigned by the CSRF token: for browsers.
    Cookie,
    /// The refresh token in the body, for clients with a secure storage of their own.
    Body,
}

/// The SHA-256 of an `Idempotency-Key`.
pub type ReplayKey = [u8; 32];

/// The end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// The client logged out.
    Logout,
    /// The client logged in again.
    Replaced,
    /// The user ended it from the list of sessions.
    EndedByUser,
    /// Someone with the right to ended it: the admin site or the command line.
    EndedByStaff,
    /// The password was changed.
    PasswordChanged,
    /// A refresh token was used twice.
    Theft,
    /// The user was deactivated.
    UserDeactivated,
    /// The user was deleted.
    UserDeleted,
}

/// The spans that rotation goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RotationPolicy {
    /// How long a rotation is answered again (`rotation_grace`).
    pub grace: Seconds,
    /// The life of a refresh token (`refresh_token_lifetime`).
    pub refresh_lifetime: Seconds,
    /// The clock skew that is allowed (`leeway`).
    pub leeway: Seconds,
}

/// What a refresh token may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Move the session one generation on.
    Rotate,
    /// Answer with the current generation, as it stands.
    AnswerCurrent(Answer),
    /// Refuse. [`Refusal::Reused`] also ends the session.
    Refuse(Refusal),
}

/// Why a token is answered with a current generation that it didn't make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is the current generation, and too young to rotate.
    ///
    /// The answer brings the same cookie again. Should it arrive after the answer to a rotation that another tab asked
    /// for as the grace ended, the browser is put back behind that rotation. A client that refreshes one at a time
    /// never gets there.
    TooYoung,
    /// It is the generation before, within the grace. Its `Idempotency-Key`, if it has a new one and there is
    /// room, is remembered.
    Grace {
        /// Whether the key is to be remembered.
        remember_key: bool,
    },
    /// It is the generation before, past the grace, and repeats a remembered key.
    Replay,
}

/// Why a token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The store knows nothing of this session or generation, or another user owns it.
    Unknown,
    /// The session ended.
    Ended,
    /// The session ended because its user was deactivated or deleted.
    UserInactive,
    /// The generation was used up: theft.
    Reused,
}

/// What a login says about the session that it starts.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The new session's id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// How its tokens reach the client.
    pub delivery: Delivery,
    /// Whether it may outlive the browser's window.
    pub remember: bool,
    /// Who logged in.
    pub client: Client,
    /// The longest life (`session_lifetime`).
    pub lifetime: Seconds,
}

impl Session {
    /// A session that starts `now`.
    pub fn start(new: NewSession, policy: &RotationPolicy, now: Timestamp) -> Self {
        let lifetime = if new.remember { new.lifetime } else { new.lifetime.min(UNREMEMBERED_LIFETIME) };
        let ends_at = now + lifetime;
        Self {
            id: new.id,
            user: new.user,
            delivery: new.delivery,
            remember: new.remember,
            created_at: now,
            ends_at,
            generation: Generation::FIRST,
            rotated_at: now,
            refresh_expires_at: ends_at.min(now + policy.refresh_lifetime),
            client: new.client,
            replay_keys: Vec::new(),
            ended: None,
        }
    }

    /// The session one generation on.
    #[must_use]
    pub fn rotated(
        self,
        client: Client,
        key: Option<ReplayKey>,
        policy: &RotationPolicy,
        now: Timestamp,
    ) -> Self {
        Self {
            generation: self.generation.next(),
            rotated_at: now,
            refresh_expires_at: self.ends_at.min(now + policy.refresh_lifetime),
            client,
            replay_keys: key.into_iter().collect(),
            ..self
        }
    }

    /// The session, ended. One that has ended keeps its first end.
    #[must_use]
    pub fn ended(self, reason: EndReason, now: Timestamp) -> Self {
        Self { ended: self.ended.or(Some(Ended { at: now, reason })), ..self }
    }

    /// Whether the session still lives: nobody ended it, and its time is not over.
    pub fn liveness(&self, leeway: Seconds, now: Timestamp) -> Result<(), Refusal> {
        match self.ended {
            Some(ended) => Err(ended.reason.refusal()),
            None if self.refresh_expires_at.min(self.ends_at) <= now - leeway => Err(Refusal::Ended),
            None => Ok(()),
        }
    }

    /// Whether the current generation is old enough to rotate.
    ///
    /// A clock that was set back far beyond the grace doesn't stop rotation until it has caught up.
    pub fn is_due(&self, policy: &RotationPolicy, now: Timestamp) -> bool {
        now.millis().abs_diff(self.rotated_at.millis()) >= policy.grace.millis().unsigned_abs()
    }

    /// Whether the generation before is still good. A clock that was set back makes no thief of a late tab: the next
    /// rotation brings the grace back to its length.
    fn within_grace(&self, policy: &RotationPolicy, now: Timestamp) -> bool {
        now < self.rotated_at + policy.grace
    }
}

/// What a refresh token of this generation, with this `Idempotency-Key`, may do to this session `now`.
///
/// The token's signature, expiry and countersignature have been checked before.
pub fn judge(
    session: &Session,
    presented: Generation,
    key: Option<&ReplayKey>,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Verdict {
    if let Err(refusal) = session.liveness(policy.leeway, now) {
        return Verdict::Refuse(refusal);
    }
    if presented > session.generation {
        return Verdict::Refuse(Refusal::Unknown);
    }
    if presented == session.generation {
        return if session.is_due(policy, now) {
            Verdict::Rotate
        } else {
            Verdict::AnswerCurrent(Answer::TooYoung)
        };
    }
    if presented.next() != session.generation {
        return Verdict::Refuse(Refusal::Reused);
    }
    let remembered = key.is_some_and(|key| session.replay_keys.contains(key));
    if session.within_grace(policy, now) {
        let room = session.replay_keys.len() < REPLAY_KEYS;
        return Verdict::AnswerCurrent(Answer::Grace { remember_key: key.is_some() && !remembered && room });
    }
    if remembered { Verdict::AnswerCurrent(Answer::Replay) } else { Verdict::Refuse(Refusal::Reused) }
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::Replaced,
        Self::EndedByUser,
        Self::EndedByStaff,
        Self::PasswordChanged,
        Self::Theft,
        Self::UserDeactivated,
        Self::UserDeleted,
    ];

    /// Its name in the store, the audit and the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Replaced => "replaced",
            Self::EndedByUser => "ended_by_user",
            Self::EndedByStaff => "ended_by_staff",
            Self::PasswordChanged => "password_changed",
            Self::Theft => "theft",
            Self::UserDeactivated => "user_deactivated",
            Self::UserDeleted => "user_deleted",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// What a client of a session that ended so is told.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::UserDeactivated | Self::UserDeleted => Refusal::UserInactive,
            Self::Logout
            | Self::Replaced
            | Self::EndedByUser
            | Self::EndedByStaff
            | Self::PasswordChanged
            | Self::Theft => Refusal::Ended,
        }
    }
}

impl Delivery {
    /// Its name in the store and in `token_delivery`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Body => "body",
        }
    }

    /// The delivery of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Cookie, Self::Body].into_iter().find(|delivery| delivery.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
    const DAY: Seconds = Seconds(24 * 60 * 60);
    const POLICY: RotationPolicy =
        RotationPolicy { grace: Seconds(10), refresh_lifetime: Seconds(7 * DAY.0), leeway: Seconds(10) };

    /// A session that logged in at `LOGIN` and lives for thirty days.
    fn login() -> Session {
        start(true, Seconds(30 * DAY.0))
    }

    fn start(remember: bool, lifetime: Seconds) -> Session {
        let new = NewSession {
            id: SessionId::new(LOGIN, [1; 10]),
            user: UserId(1),
            delivery: Delivery::Cookie,
            remember,
            client: Client::default(),
            lifetime,
        };
        Session::start(new, &POLICY, LOGIN)
    }

    /// A session that was rotated once, an hour after its login, by a request with the key `K1`; and that moment.
    fn rotated() -> (Session, Timestamp) {
        let at = LOGIN + Seconds(3600);
        (login().rotated(Client::default(), Some(K1), &POLICY, at), at)
    }

    const PARENT: Generation = Generation(1);
    const CURRENT: Generation = Generation(2);
    const K1: ReplayKey = [1; 32];
    const K2: ReplayKey = [2; 32];

    fn after(at: Timestamp, millis: i64) -> Timestamp {
        Timestamp::from_millis(at.millis() + millis)
    }

    const TOO_YOUNG: Verdict = Verdict::AnswerCurrent(Answer::TooYoung);
    const REPLAY: Verdict = Verdict::AnswerCurrent(Answer::Replay);
    const REUSED: Verdict = Verdict::Refuse(Refusal::Reused);
    const ENDED: Verdict = Verdict::Refuse(Refusal::Ended);
    const UNKNOWN: Verdict = Verdict::Refuse(Refusal::Unknown);

    const fn grace(remember_key: bool) -> Verdict {
        Verdict::AnswerCurrent(Answer::Grace { remember_key })
    }

    // Rule 1

    #[test]
    fn an_ended_session_is_refused_whatever_is_presented() {
        for reason in EndReason::ALL {
            let (session, at) = rotated();
            let session = session.ended(reason, at);
            for presented in [Generation(0), PARENT, CURRENT, Generation(3)] {
                for now in [at, after(at, 10_000), after(at, -3_600_000), LOGIN - DAY] {
                    let verdict = judge(&session, presented, Some(&K1), &POLICY, now);
                    assert_eq!(
                        verdict,
                        Verdict::Refuse(reason.refusal()),
                        "{reason:?} {presented:?} {now:?}"
                    );
                }
            }
        }
    }

    // attack 32: a logout ends the grace at once
    #[test]
    fn there_is_no_grace_after_a_logout() {
        let (session, at) = rotated();
        let session = session.ended(EndReason::Logout, after(at, 1));
        assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, 2)), ENDED);
    }

    // attack 36
    #[test]
    fn only_the_end_of_the_user_is_told_apart() {
        let told: Vec<_> =
            EndReason::ALL.into_iter().filter(|reason| reason.refusal() == Refusal::UserInactive).collect();
        assert_eq!(told, [EndReason::UserDeactivated, EndReason::UserDeleted]);
    }

    #[test]
    fn the_first_end_stands() {
        let session = login().ended(EndReason::Logout, LOGIN).ended(EndReason::Theft, LOGIN + DAY);
        assert_eq!(session.ended, Some(Ended { at: LOGIN, reason: EndReason::Logout }));
    }

    // attack 32: a session past its time is no theft, to the millisecond
    #[test]
    fn a_session_past_its_time_has_ended() {
        let session = login();
        let over = session.refresh_expires_at + POLICY.leeway;
        assert_eq!(session.refresh_expires_at, LOGIN + POLICY.refresh_lifetime);
        assert_eq!(judge(&session, Generation::FIRST, None, &POLICY, after(over, -1)), Verdict::Rotate);
        assert_eq!(judge(&session, Generation::FIRST, None, &POLICY, over), ENDED);
        assert_eq!(judge(&session, Generation(0), None, &POLICY, over), ENDED);
    }

    #[test]
    fn a_session_ends_at_its_end_whatever_its_token_says() {
        let session = Session { refresh_expires_at: LOGIN + Seconds(60 * DAY.0), ..login() };
        let over = session.ends_at + POLICY.leeway;
        assert_eq!(session.liveness(POLICY.leeway, after(over, -1)), Ok(()));
        assert_eq!(session.liveness(POLICY.leeway, over), Err(Refusal::Ended));
    }

    // Rule 2

    // attack 114: a restored backup is no theft
    #[test]
    fn a_generation_that_was_not_reached_is_unknown() {
        let (session, at) = rotated();
        for now in [at, after(at, 10_000)] {
            assert_eq!(judge(&session, CURRENT.next(), Some(&K1), &POLICY, now), UNKNOWN);
            assert_eq!(judge(&session, Generation(i64::MAX), None, &POLICY, now), UNKNOWN);
        }
    }

    // Rule 3

    // attack 27
    #[test]
    fn the_current_generation_rotates_from_the_end_of_the_grace_on() {
        let (session, at) = rotated();
        for (millis, verdict) in [
            (0, TOO_YOUNG),
            (9_999, TOO_YOUNG),
            (10_000, Verdict::Rotate),
            (10_001, Verdict::Rotate),
            (86_400_000, Verdict::Rotate),
        ] {
            for key in [None, Some(&K1), Some(&K2)] {
                assert_eq!(
                    judge(&session, CURRENT, key, &POLICY, after(at, millis)),
                    verdict,
                    "{millis} {key:?}"
                );
            }
        }
    }

    #[test]
    fn a_login_counts_as_a_rotation() {
        let session = login();
        assert_eq!(session.generation, Generation::FIRST);
        assert_eq!(judge(&session, Generation::FIRST, None, &POLICY, after(LOGIN, 9_999)), TOO_YOUNG);
        assert_eq!(judge(&session, Generation::FIRST, None, &POLICY, after(LOGIN, 10_000)), Verdict::Rotate);
    }

    #[test]
    fn a_grace_of_nothing_rotates_every_time() {
        let policy = RotationPolicy { grace: Seconds(0), ..POLICY };
        let (session, at) = rotated();
        assert_eq!(judge(&session, CURRENT, None, &policy, at), Verdict::Rotate);
        assert_eq!(judge(&session, PARENT, None, &policy, at), REUSED);
        assert_eq!(judge(&session, PARENT, Some(&K1), &policy, at), REPLAY);
    }

    // attack 106: a second back is within the grace, an hour back doesn't stop rotation until the clock has caught up
    #[test]
    fn a_clock_that_was_set_back_stops_nothing() {
        let (session, at) = rotated();
        assert_eq!(judge(&session, CURRENT, None, &POLICY, after(at, -1_000)), TOO_YOUNG);
        assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, -1_000)), grace(false));
        assert_eq!(judge(&session, CURRENT, None, &POLICY, after(at, -9_999)), TOO_YOUNG);
        assert_eq!(judge(&session, CURRENT, None, &POLICY, after(at, -10_000)), Verdict::Rotate);
        assert_eq!(judge(&session, CURRENT, None, &POLICY, after(at, -3_600_000)), Verdict::Rotate);
        assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, -3_600_000)), grace(false));
    }

    // Rule 4

    // attack 31
    #[test]
    fn the_generation_before_is_answered_with_the_current_one_within_the_grace() {
        let (session, at) = rotated();
        for millis in [0, 1, 9_999] {
            assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, millis)), grace(false), "{millis}");
        }
        assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, 10_000)), REUSED);
    }

    // attack 31
    #[test]
    fn past_the_grace_the_generation_before_needs_a_remembered_key() {
        let (session, at) = rotated();
        for millis in [10_000, 10_001, 6 * 86_400_000] {
            assert_eq!(judge(&session, PARENT, Some(&K1), &POLICY, after(at, millis)), REPLAY, "{millis}");
            assert_eq!(judge(&session, PARENT, Some(&K2), &POLICY, after(at, millis)), REUSED, "{millis}");
            assert_eq!(judge(&session, PARENT, None, &POLICY, after(at, millis)), REUSED, "{millis}");
        }
    }

    #[test]
    fn a_new_key_is_remembered_within_the_grace_while_there_is_room() {
        let (mut session, at) = rotated();
        let verdict =
            |session: &Session, key: u8| judge(session, PARENT, Some(&[key; 32]), &POLICY, after(at, 5_000));
        assert_eq!(verdict(&session, 1), grace(false), "the rotation's own is known");
        for key in 2..=4 {
            assert_eq!(verdict(&session, key), grace(true), "key {key}");
            session.replay_keys.push([key; 32]);
            assert_eq!(verdict(&session, key), grace(false), "key {key} is known now");
        }
        assert_eq!(session.replay_keys.len(), REPLAY_KEYS);
        assert_eq!(verdict(&session, 5), grace(false), "no room for a fifth");
    }

    #[test]
    fn a_rotation_forgets_the_keys_of_the_one_before() {
        let (session, at) = rotated();
        let again = after(at, 60_000);
        let session = session.rotated(Client::default(), None, &POLICY, again);
        assert_eq!(session.replay_keys, Vec::<ReplayKey>::new());
        assert_eq!(judge(&session, CURRENT, Some(&K1), &POLICY, after(again, 10_000)), REUSED);
    }

    // Rule 5

    // attack 28, attack 32
    #[test]
    fn anything_older_is_theft_within_the_grace_too() {
        let (session, at) = rotated();
        let session = session.rotated(Client::default(), Some(K2), &POLICY, after(at, 10_000));
        for key in [None, Some(&K1), Some(&K2)] {
            for millis in [10_000, 10_001, 20_000] {
                assert_eq!(
                    judge(&session, PARENT, key, &POLICY, after(at, millis)),
                    REUSED,
                    "{key:?} {millis}"
                );
            }
        }
    }

    // What a session is made of

    #[test]
    fn a_rotation_moves_on_and_keeps_what_is_for_life() {
        let (session, at) = rotated();
        let client = Client::new(Some([192, 0, 2, 7].into()), Some("Browser"));
        let now = after(at, 60_000);
        let expected = Session {
            generation: Generation(3),
            rotated_at: now,
            refresh_expires_at: now + POLICY.refresh_lifetime,
            client: client.clone(),
            replay_keys: vec![K2],
            ..session.clone()
        };
        assert_eq!(session.rotated(client, Some(K2), &POLICY, now), expected);
    }

    // attack 39
    #[test]
    fn no_refresh_token_outlives_its_session() {
        let session = login();
        assert_eq!(session.ends_at, LOGIN + Seconds(30 * DAY.0));
        let late = session.ends_at - DAY;
        assert_eq!(
            session.clone().rotated(Client::default(), None, &POLICY, late).refresh_expires_at,
            session.ends_at
        );
        assert_eq!(start(true, Seconds(60)).refresh_expires_at, LOGIN + Seconds(60));
    }

    #[test]
    fn a_session_that_is_not_remembered_ends_after_twelve_hours_at_most() {
        let session = start(false, Seconds(30 * DAY.0));
        assert_eq!(session.ends_at, LOGIN + Seconds(12 * 3600));
        assert_eq!(session.refresh_expires_at, session.ends_at);
        assert_eq!(
            start(false, Seconds(3600)).ends_at,
            LOGIN + Seconds(3600),
            "a shorter life stays shorter"
        );
    }

    #[test]
    fn names_are_read_back_as_they_are_written() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
        for delivery in [Delivery::Cookie, Delivery::Body] {
            assert_eq!(Delivery::parse(delivery.as_str()), Some(delivery));
        }
        assert_eq!((EndReason::parse("Logout"), Delivery::parse("")), (None, None));
    }
}
