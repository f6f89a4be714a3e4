//! Users, as the store keeps them.

use std::collections::BTreeSet;
use std::fmt;

use countersign_core::name::NameKey;
use countersign_core::{GroupId, PermissionName, Timestamp, UserId};
use serde_json::{Map, Value};

/// A user, without the password.
#[derive(Clone, PartialEq, Debug)]
pub struct User {
    /// The id: positive, never used twice.
    pub id: UserId,
    /// The user name, as it was given (NFKC).
    pub username: String,
    /// The e-mail address, as it was given; may be empty, need not be unique.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Whether the user may enter the admin site.
    pub is_staff: bool,
    /// Whether the user has every right.
    pub is_superuser: bool,
    /// When the user was made.
    pub joined_at: Timestamp,
    /// The last login, if there was one.
    pub last_login_at: Option<Timestamp>,
    /// The values of the declared custom fields.
    pub fields: Map<String, Value>,
}

/// A password's hash, in the form that its algorithm writes. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// A new password for the store: its hash, and which way of hashing that is.
#[derive(Clone, Debug)]
pub struct Password {
    /// The hash.
    pub hash: PasswordHash,
    /// The algorithm and its parameters (`argon2id,m=19456,t=2,p=1`): users with the same cost the same to check.
    pub cost: String,
}

/// What a password check needs.
#[derive(Clone, Debug)]
pub struct LoginUser {
    /// The user.
    pub user: User,
    /// The stored hash.
    pub hash: PasswordHash,
    /// The account's failed guesses over all networks.
    pub ceiling: CeilingState,
    /// Whether this account has logged in from the asking network before.
    pub network_known: bool,
}

/// Failed guesses at one account over all networks since the last right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CeilingState {
    /// How many in a row.
    pub failures: u32,
    /// The last one.
    pub last_failure_at: Option<Timestamp>,
}

/// Failed guesses to add to an account's ceiling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failures {
    /// Whose.
    pub user: UserId,
    /// How many.
    pub count: u32,
    /// The last of them.
    pub last_at: Timestamp,
    /// Failures before this moment are forgotten first: a day has passed without one.
    pub forget_before: Timestamp,
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user name, as it is kept.
    pub username: String,
    /// The form of the name that must be unique.
    pub username_key: NameKey,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The form of the address that a login is compared with.
    pub email_key: NameKey,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The password.
    pub password: Password,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Whether the user may enter the admin site.
    pub is_staff: bool,
    /// Whether the user has every right.
    pub is_superuser: bool,
    /// The groups that the user is in.
    pub groups: BTreeSet<GroupId>,
    /// The permissions that the user has directly.
    pub permissions: BTreeSet<PermissionName>,
    /// The values of the declared custom fields.
    pub fields: Map<String, Value>,
}

/// A link with which a user sets a password.
#[derive(Clone, Debug)]
pub struct PasswordLink {
    /// Whose.
    pub user: UserId,
    /// The SHA-256 of its token.
    pub hash: [u8; 32],
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Who made it; `None`: an operator. It is good only as long as they may make it ([`Rights::may_link`]).
    ///
    /// [`Rights::may_link`]: countersign_core::Rights::may_link
    pub made_by: Option<UserId>,
}

/// What a user changes of themselves; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// A new address, with the form that a login is compared with.
    pub email: Option<(String, NameKey)>,
    /// A new first name.
    pub first_name: Option<String>,
    /// A new last name.
    pub last_name: Option<String>,
    /// New values of custom fields, `null` for none; others stay.
    pub fields: Map<String, Value>,
}

/// Names a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserSelector {
    /// By id.
    Id(UserId),
    /// By the unique form of the name.
    Name(NameKey),
}

impl PasswordHash {
    /// Takes a hash over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether a password could be right: not where it is empty, or begins with Django's mark for none.
    pub fn is_usable(&self) -> bool {
        !self.0.is_empty() && !self.0.starts_with('!')
    }

    /// The text, for the one place that checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Password {
    /// No password is right, until one is set by a link.
    pub fn unusable() -> Self {
        Self { hash: PasswordHash::new("!"), cost: "none".to_owned() }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
