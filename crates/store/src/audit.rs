//! The audit: what happened, to whom, by whom, from where. Append-only.

use std::net::IpAddr;

use countersign_core::{Seconds, SessionId, Timestamp, UserId};
use serde_json::{Map, Value};

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Who did it: a user, or none (an anonymous client, the command line, the server itself).
    pub actor: Option<UserId>,
    /// To whom.
    pub user: Option<UserId>,
    /// To which session.
    pub session: Option<SessionId>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// More, without secrets.
    pub detail: Map<String, Value>,
    /// Events with the same bucket become one row with a count, so that nobody fills the disk by repeating them.
    pub bucket: Option<String>,
    /// How often.
    pub count: u64,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// A login succeeded.
    Login,
    /// A login failed.
    LoginFailed,
    /// A login was refused unchecked, since too many had failed.
    LoginThrottled,
    /// A sign-in to the admin site.
    AdminSignIn,
    /// A sign-out from the admin site.
    AdminSignOut,
    /// A session ended; the detail says why.
    SessionEnded,
    /// A refresh token was used twice, and its session ended.
    Theft,
    /// A rotation was answered again to another network and user agent.
    GraceElsewhere,
    /// A password was changed by its owner.
    PasswordChanged,
    /// A password was set from outside.
    PasswordSet,
    /// A profile was changed.
    ProfileChanged,
    /// A user was made.
    UserCreated,
    /// A user was activated.
    UserActivated,
    /// A user was deactivated.
    UserDeactivated,
    /// A user was deleted.
    UserDeleted,
    /// A user's failed guesses were forgotten.
    UserUnlocked,
    /// Someone who looks after users changed one; the detail has before and after.
    UserChanged,
    /// A link with which a user sets a password was made.
    PasswordLinkMade,
    /// A group was made.
    GroupCreated,
    /// A group was changed; the detail has before and after.
    GroupChanged,
    /// A group was deleted.
    GroupDeleted,
    /// A permission was made.
    PermissionCreated,
    /// A permission was deleted.
    PermissionDeleted,
    /// All users were written out, to be taken elsewhere.
    UsersExported,
    /// A signing key was made.
    KeyCreated,
    /// Signing keys were removed.
    KeysRemoved,
    /// Signing keys were sealed anew.
    KeysResealed,
}

/// A row of the audit.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditRow {
    /// Its number; later rows have greater ones.
    pub seq: i64,
    /// What happened (the last time, if it was counted).
    pub event: AuditEvent,
}

/// Which rows to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    /// Only of these kinds; none named: of every kind.
    pub kinds: Vec<EventKind>,
    /// Only what this user did.
    pub actor: Option<UserId>,
    /// Only what was done to this user.
    pub user: Option<UserId>,
    /// Only what happened at this moment or later.
    pub from: Option<Timestamp>,
    /// Only what happened before this moment.
    pub until: Option<Timestamp>,
    /// Only what comes after this row, newest first.
    pub after: Option<AuditCursor>,
    /// At most so many rows.
    pub limit: u32,
}

/// A place in the audit. Its text goes into the address of the next page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditCursor {
    /// When the last row of the page before happened.
    pub at: Timestamp,
    /// Its number.
    pub seq: i64,
}

/// What is to be counted, for a chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditCounts {
    /// Of these kinds.
    pub kinds: Vec<EventKind>,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to just before this one.
    pub until: Timestamp,
    /// How long a step is.
    pub step: Seconds,
}

/// How often something happened in a step of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditCount {
    /// What.
    pub kind: EventKind,
    /// When the step begins.
    pub start: Timestamp,
    /// How often.
    pub count: u64,
}

impl AuditRow {
    /// Its place, for the page after it.
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor { at: self.event.at, seq: self.seq }
    }
}

impl std::fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.at.millis(), self.seq)
    }
}

impl std::str::FromStr for AuditCursor {
    type Err = crate::NotACursor;

    fn from_str(text: &str) -> Result<Self, crate::NotACursor> {
        let (at, seq) = text.split_once(':').ok_or(crate::NotACursor)?;
        let at = Timestamp::from_millis(at.parse().map_err(|_| crate::NotACursor)?);
        Ok(Self { at, seq: seq.parse().map_err(|_| crate::NotACursor)? })
    }
}

impl AuditEvent {
    /// An event, to be told more of.
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            at,
            kind,
            actor: None,
            user: None,
            session: None,
            ip: None,
            detail: Map::new(),
            bucket: None,
            count: 1,
        }
    }
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 27] = [
        Self::Login,
        Self::LoginFailed,
        Self::LoginThrottled,
        Self::AdminSignIn,
        Self::AdminSignOut,
        Self::SessionEnded,
        Self::Theft,
        Self::GraceElsewhere,
        Self::PasswordChanged,
        Self::PasswordSet,
        Self::ProfileChanged,
        Self::UserCreated,
        Self::UserActivated,
        Self::UserDeactivated,
        Self::UserDeleted,
        Self::UserUnlocked,
        Self::UserChanged,
        Self::PasswordLinkMade,
        Self::GroupCreated,
        Self::GroupChanged,
        Self::GroupDeleted,
        Self::PermissionCreated,
        Self::PermissionDeleted,
        Self::UsersExported,
        Self::KeyCreated,
        Self::KeysRemoved,
        Self::KeysResealed,
    ];

    /// Its name in the store and the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::LoginThrottled => "login_throttled",
            Self::AdminSignIn => "admin_sign_in",
            Self::AdminSignOut => "admin_sign_out",
            Self::SessionEnded => "session_ended",
            Self::Theft => "theft",
            Self::GraceElsewhere => "grace_elsewhere",
            Self::PasswordChanged => "password_changed",
            Self::PasswordSet => "password_set",
            Self::ProfileChanged => "profile_changed",
            Self::UserCreated => "user_created",
            Self::UserActivated => "user_activated",
            Self::UserDeactivated => "user_deactivated",
            Self::UserDeleted => "user_deleted",
            Self::UserUnlocked => "user_unlocked",
            Self::UserChanged => "user_changed",
            Self::PasswordLinkMade => "password_link_made",
            Self::GroupCreated => "group_created",
            Self::GroupChanged => "group_changed",
            Self::GroupDeleted => "group_deleted",
            Self::PermissionCreated => "permission_created",
            Self::PermissionDeleted => "permission_deleted",
            Self::UsersExported => "users_exported",
            Self::KeyCreated => "key_created",
            Self::KeysRemoved => "keys_removed",
            Self::KeysResealed => "keys_resealed",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
