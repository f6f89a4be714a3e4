//! People who come from another system with their ids: what they bring, what became of it, and how a later import of
//! the same people meets what has changed here meanwhile.
//!
//! Of each person (and group) the store remembers what they came with. A later import compares with that, attribute by
//! attribute: what has changed *there* since comes over, what hasn't stays as it is here. So a change made here lasts
//! until the same attribute changes there, and a second import of the same data changes nothing. A password that was
//! set or changed here is never replaced.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::name::NameKey;
use countersign_core::{GroupId, GroupName, PermissionName, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::{AuditEvent, Edit, EventKind, NewUser, PeopleError, StoreError, UserChange};

/// People who come together: one transaction.
#[derive(Clone, Debug)]
pub struct ImportBatch {
    /// Who comes.
    pub users: Vec<IncomingUser>,
    /// Ids of users made here go on after this one.
    pub highest: UserId,
    /// When.
    pub at: Timestamp,
    /// Which system they come from, for the audit.
    pub from: &'static str,
    /// Says what would become of them, and changes nothing.
    pub dry_run: bool,
}

/// Someone who comes.
#[derive(Clone, Debug)]
pub struct IncomingUser {
    /// The id, which is kept.
    pub id: UserId,
    /// The user. Groups and permissions are below.
    pub user: NewUser,
    /// When they joined; the moment of the import, if that isn't known.
    pub joined_at: Option<Timestamp>,
    /// The last login there.
    pub last_login_at: Option<Timestamp>,
    /// Their groups. Those that aren't here are passed over.
    pub groups: BTreeSet<GroupName>,
    /// The permissions that they have directly. Those that aren't here are passed over.
    pub permissions: BTreeSet<PermissionName>,
    /// The SHA-256 of the hash that is stored there, by which a later import sees that it has changed.
    pub source_hash: [u8; 32],
}

/// A group that comes.
#[derive(Clone, Debug)]
pub struct IncomingGroup {
    /// Its name.
    pub name: GroupName,
    /// Its permissions. Those that aren't here are passed over.
    pub permissions: BTreeSet<PermissionName>,
}

/// What became of someone who came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// They are new here.
    Created,
    /// They came before, and nothing has changed there since.
    Unchanged,
    /// They came before, and what has changed there since has come over.
    Changed {
        /// Whether the password was among it.
        password: PasswordFate,
    },
    /// Nothing of theirs was taken.
    LeftOut(TurnedAway),
}

/// What became of a password in a later import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordFate {
    /// It is the same there as it was.
    Same,
    /// It has changed there, and came.
    Came,
    /// It has changed there, and here too: the one here stays.
    KeptOurs,
}

/// Why someone could not come: a clause about them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TurnedAway {
    /// The id belongs to a user who was made here.
    #[error("the id belongs to a user who was made here")]
    IdTaken,
    /// The name belongs to another user.
    #[error("the user name belongs to user {0}")]
    NameTaken(UserId),
    /// A user of this id was deleted here.
    #[error("a user of this id was deleted here")]
    Deleted,
    /// Another user has the value of a field that no two may share.
    #[error("another user has the same value of {0}, which must be unique")]
    FieldTaken(String),
    /// The change would leave nobody who may do everything.
    #[error("the last active superuser can't be switched off or demoted")]
    LastSuperuser,
}

/// What became of a group that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupArrival {
    /// It is new here.
    Created,
    /// It came before, and nothing has changed there since.
    Unchanged,
    /// It came before, and some of its permissions have changed there since.
    Changed,
    /// It was here before it came for the first time: both are one now.
    Joined,
    /// It was deleted here, and stays so.
    Deleted,
}

/// What someone came with, as it is remembered: everything that a later import compares.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record(Map<String, Value>);

/// What is remembered of someone who came before.
pub(crate) struct Seen {
    /// What they came with; `None` after they were deleted here.
    pub(crate) record: Option<Record>,
    /// Whether the password was set or changed here.
    pub(crate) password_is_ours: bool,
}

/// The groups and permissions that are here.
pub(crate) struct Known {
    pub(crate) groups: BTreeMap<NameKey, GroupId>,
    pub(crate) permissions: BTreeSet<PermissionName>,
}

/// What has changed between two records of a person.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// What is to change here.
    pub(crate) change: UserChange,
    /// The groups, by the form of their names that is unique.
    pub(crate) groups: Edit<NameKey>,
    /// Whether the password has changed.
    pub(crate) password: bool,
    /// A later login there, if there was one.
    pub(crate) last_login_at: Option<Timestamp>,
}

impl Record {
    /// What this person comes with.
    pub(crate) fn of(incoming: &IncomingUser) -> Self {
        let user = &incoming.user;
        let groups: Vec<Value> = incoming.groups.iter().map(|name| name.key().as_str().into()).collect();
        let permissions: Vec<Value> = incoming.permissions.iter().map(|name| name.as_str().into()).collect();
        let millis = |moment: Option<Timestamp>| moment.map(Timestamp::millis).into();
        let members = [
            ("username", user.username.clone().into()),
            ("email", user.email.clone().into()),
            ("first_name", user.first_name.clone().into()),
            ("last_name", user.last_name.clone().into()),
            ("is_active", user.is_active.into()),
            ("is_staff", user.is_staff.into()),
            ("is_superuser", user.is_superuser.into()),
            ("last_login_at", millis(incoming.last_login_at)),
            ("groups", groups.into()),
            ("permissions", permissions.into()),
            ("fields", Value::Object(user.fields.clone())),
            ("password", hex(&incoming.source_hash).into()),
        ];
        Self(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// As the store keeps it.
    pub(crate) fn to_object(&self) -> &Map<String, Value> {
        &self.0
    }

    /// As it was kept.
    pub(crate) fn from_object(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// What has changed there since `before`, of a person who now comes as `incoming`.
    pub(crate) fn difference(&self, before: &Self, incoming: &IncomingUser) -> Difference {
        let user = &incoming.user;
        let differs = |name: &str| self.0.get(name) != before.0.get(name);
        let names = |name: &str| (self.names(name), before.names(name));
        let (groups, groups_before) = names("groups");
        let (permissions, permissions_before) = names("permissions");
        let key = |names: BTreeSet<&str>| names.into_iter().map(NameKey::of_any).collect();
        let parse = |names: BTreeSet<&str>| {
            names.into_iter().filter_map(|name| PermissionName::parse(name).ok()).collect()
        };
        let change = UserChange {
            username: differs("username").then(|| (user.username.clone(), user.username_key.clone())),
            email: differs("email").then(|| (user.email.clone(), user.email_key.clone())),
            first_name: differs("first_name").then(|| user.first_name.clone()),
            last_name: differs("last_name").then(|| user.last_name.clone()),
            is_active: differs("is_active").then_some(user.is_active),
            is_staff: differs("is_staff").then_some(user.is_staff),
            is_superuser: differs("is_superuser").then_some(user.is_superuser),
            permissions: Edit {
                add: parse(&permissions - &permissions_before),
                remove: parse(&permissions_before - &permissions),
            },
            fields: self.changed_fields(before),
            ..UserChange::default()
        };
        Difference {
            change,
            groups: Edit { add: key(&groups - &groups_before), remove: key(&groups_before - &groups) },
            password: differs("password"),
            last_login_at: incoming.last_login_at.filter(|_| differs("last_login_at")),
        }
    }

    fn names(&self, member: &str) -> BTreeSet<&str> {
        let names = self.0.get(member).and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The values that have changed, `null` for those that have gone.
    fn changed_fields(&self, before: &Self) -> Map<String, Value> {
        let fields = |record: &Self| record.0.get("fields").and_then(Value::as_object).cloned();
        let (now, before) = (fields(self).unwrap_or_default(), fields(before).unwrap_or_default());
        let gone =
            before.keys().filter(|name| !now.contains_key(*name)).map(|name| (name.clone(), Value::Null));
        let changed = now.iter().filter(|(name, value)| before.get(*name) != Some(value));
        changed.map(|(name, value)| (name.clone(), value.clone())).chain(gone).collect()
    }
}

impl IncomingGroup {
    /// The permissions to add to the group here and to take from it, where it last came with `before`.
    pub(crate) fn difference(&self, before: &BTreeSet<PermissionName>) -> Edit<PermissionName> {
        Edit { add: &self.permissions - before, remove: before - &self.permissions }
    }
}

impl Known {
    /// Those that are here.
    pub(crate) fn groups(&self, edit: &Edit<NameKey>) -> Edit<GroupId> {
        let ids =
            |keys: &BTreeSet<NameKey>| keys.iter().filter_map(|key| self.groups.get(key).copied()).collect();
        Edit { add: ids(&edit.add), remove: ids(&edit.remove) }
    }

    /// Those groups of someone new that are here.
    pub(crate) fn groups_of(&self, incoming: &IncomingUser) -> BTreeSet<GroupId> {
        incoming.groups.iter().filter_map(|name| self.groups.get(&name.key()).copied()).collect()
    }

    /// Those that are here.
    pub(crate) fn permissions(&self, names: &BTreeSet<PermissionName>) -> BTreeSet<PermissionName> {
        names & &self.permissions
    }

    /// What changes of a person here.
    pub(crate) fn change(&self, difference: &Difference) -> UserChange {
        let mut change = difference.change.clone();
        change.groups = self.groups(&difference.groups);
        change.permissions.add = self.permissions(&change.permissions.add);
        change
    }
}

impl ImportBatch {
    /// An event about someone who comes.
    pub(crate) fn event(&self, kind: EventKind, user: UserId) -> AuditEvent {
        let detail = Map::from_iter([("imported_from".to_owned(), self.from.into())]);
        AuditEvent { user: Some(user), detail, ..AuditEvent::new(kind, self.at) }
    }
}

/// What the refusal of a change means for someone who comes. `owner` has the name that they want.
pub(crate) fn turned_away(error: PeopleError, owner: Option<UserId>) -> Result<TurnedAway, StoreError> {
    match error {
        PeopleError::UsernameTaken => Ok(TurnedAway::NameTaken(owner.unwrap_or(UserId(0)))),
        PeopleError::FieldTaken(field) => Ok(TurnedAway::FieldTaken(field)),
        PeopleError::LastSuperuser => Ok(TurnedAway::LastSuperuser),
        PeopleError::Store(error) => Err(error),
        other => Err(StoreError::Defect(other.to_string())),
    }
}

/// Permissions that a group came with, as they are kept: one text.
pub(crate) fn permissions_to_text(permissions: &BTreeSet<PermissionName>) -> String {
    permissions.iter().map(PermissionName::as_str).collect::<Vec<_>>().join(" ")
}

/// As they were kept.
pub(crate) fn permissions_of_text(text: &str) -> BTreeSet<PermissionName> {
    text.split(' ').filter_map(|name| PermissionName::parse(name).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
