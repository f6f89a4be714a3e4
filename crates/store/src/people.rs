//! Groups, permissions, and what is asked of the store about people: lists, changes, links to set a password.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::name::NameKey;
use countersign_core::session::Session;
use countersign_core::{GroupId, GroupName, PermissionName, Rights, SessionId, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::fields::apply;
use crate::listing::cut;
use crate::listing::users::Sorted;
use crate::{AuditEvent, CeilingState, FieldFilter, StoreError, User};

/// Why a use case about people could not be carried out: each is a sentence. But for trouble of the store's own,
/// nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// There is no such group.
    #[error("there is no such group")]
    NoSuchGroup,
    /// There is no such permission.
    #[error("there is no permission {0}; make it first")]
    NoSuchPermission(PermissionName),
    /// Another user has this name, or one that differs only in case.
    #[error("a user of this name exists already")]
    UsernameTaken,
    /// Another user has the value of this field, which is unique.
    #[error("another user has this {0} already")]
    FieldTaken(String),
    /// Another group has this name, or one that differs only in case.
    #[error("a group of this name exists already")]
    GroupNameTaken,
    /// There is a permission of this name.
    #[error("a permission of this name exists already")]
    PermissionExists,
    /// The permission guards the admin site and can't go.
    #[error("this permission is built in and can't be deleted")]
    BuiltIn,
    /// The change would leave nobody who may do everything.
    #[error(
        "this is the last active superuser, who can't be deleted, switched off or demoted; make another first"
    )]
    LastSuperuser,
    /// The user has rights that the one who acts has not ([`Reach::UpTo`]).
    #[error("this user may do more than you, so you can't change their account")]
    OutOfReach,
    /// The group has a permission that the one who acts hasn't, and so can't take from others.
    #[error("you don't have the permission {0} yourself, so you can't take it from others")]
    NotYoursToTake(PermissionName),
    /// The one who acts is not in the group.
    #[error("you are not in the group {0} yourself, so you can't delete it")]
    NotYourGroup(GroupName),
    /// The user is switched off, so a link to set a password would be of no use.
    #[error("this user is switched off; activate them first")]
    UserInactive,
    /// The store's own trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user with what they may do, and where they have it from.
#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    /// The user.
    pub user: User,
    /// The groups that the user is in.
    pub groups: BTreeMap<GroupId, GroupName>,
    /// The permissions that the user has directly.
    pub permissions: BTreeSet<PermissionName>,
    /// The permissions that the user has through groups.
    pub inherited: BTreeSet<PermissionName>,
}

/// All that a page about a user shows.
#[derive(Clone, PartialEq, Debug)]
pub struct UserDetail {
    /// The user and what they may do.
    pub person: Person,
    /// Failed guesses at the password.
    pub ceiling: CeilingState,
    /// Whether there is a password that could be right.
    pub has_password: bool,
    /// When the open link to set a password expires, if there is one.
    pub link_expires_at: Option<Timestamp>,
}

/// What is to be added to a set, and what taken out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit<T> {
    /// Added, where it isn't in it.
    pub add: BTreeSet<T>,
    /// Taken out, where it is in it.
    pub remove: BTreeSet<T>,
}

/// What is to change of a user; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// A new name, with the form that must be unique.
    pub username: Option<(String, NameKey)>,
    /// A new address, with the form that a login is compared with.
    pub email: Option<(String, NameKey)>,
    /// A new first name.
    pub first_name: Option<String>,
    /// A new last name.
    pub last_name: Option<String>,
    /// Whether the user may log in. Switching them off ends their sessions.
    pub is_active: Option<bool>,
    /// Whether the user may enter the admin site.
    pub is_staff: Option<bool>,
    /// Whether the user has every right.
    pub is_superuser: Option<bool>,
    /// The groups.
    pub groups: Edit<GroupId>,
    /// The permissions that the user has directly.
    pub permissions: Edit<PermissionName>,
    /// New values of custom fields, `null` for none; others stay. Their rules are checked before.
    pub fields: Map<String, Value>,
}

/// Whose accounts the one who acts may touch. The store checks it in the transaction of the change, so that nobody is
/// promoted between the check and it.
#[derive(Clone, PartialEq, Debug)]
pub enum Reach {
    /// Everyone's.
    Anyone,
    /// Those that one with these rights may ([`Rights::may_touch`]).
    UpTo(Rights),
}

/// A change of a user that was made.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedUser {
    /// The user as they are now.
    pub person: Person,
    /// What the audit has of it, with before and after; `None`: all was so before, and nothing has changed.
    pub event: Option<AuditEvent>,
}

/// One page of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Page<T, C> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins, if there is one: to be asked for as `after`.
    ///
    /// A page can be shorter than what was asked for, even empty, and still have a next one: where few of many rows
    /// fit, a page goes through a bounded number of them.
    pub next: Option<C>,
}

/// Which users to list, and how.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UserFilter {
    /// Words, each of which begins the user name, the e-mail address, the first or the last name, or is the id.
    /// Searched are the first [`UserFilter::WORDS`] of them.
    pub search: String,
    /// Only those who may log in, or who may not.
    pub is_active: Option<bool>,
    /// Only those who may enter the admin site, or who may not.
    pub is_staff: Option<bool>,
    /// Only those who have every right, or who have not.
    pub is_superuser: Option<bool>,
    /// Only those in this group.
    pub group: Option<GroupId>,
    /// Only those whose custom fields are all so.
    pub fields: Vec<FieldFilter>,
    /// By what they are sorted.
    pub sort: UserSort,
    /// Backwards: the latest, or the end of the alphabet, first.
    pub descending: bool,
    /// Where the page begins; `None`: at the beginning.
    pub after: Option<UserCursor>,
    /// At most so many rows.
    pub limit: u32,
}

/// Users that were listed.
#[derive(Clone, PartialEq, Debug)]
pub struct UserPage {
    /// The page.
    pub page: Page<User, UserCursor>,
    /// More users fit the search than are looked at ([`UserFilter::SEARCHED`]), so some are missing: ask for more
    /// letters.
    pub cut: bool,
}

/// By what users are sorted; among equals, by id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserSort {
    /// The user name, whatever its case.
    #[default]
    Username,
    /// The e-mail address, whatever its case.
    Email,
    /// When they were made.
    Joined,
    /// The last login; those who never logged in come first.
    LastLogin,
}

/// A place in a sorted list of users. Its text goes into the address of the next page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserCursor {
    /// What the last user on the page before is sorted by.
    pub key: String,
    /// Their id.
    pub id: UserId,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
    /// What its members may do.
    pub permissions: BTreeSet<PermissionName>,
    /// How many members it has, counted up to [`Group::COUNTED`].
    pub members: u64,
}

/// What is to change of a group; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// A new name.
    pub name: Option<GroupName>,
    /// What its members may do.
    pub permissions: Edit<PermissionName>,
}

/// A change of a group that was made.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedGroup {
    /// As it is now.
    pub group: Group,
    /// What the audit has of it, with before and after; `None`: nothing has changed.
    pub event: Option<AuditEvent>,
}

/// Which groups to list: by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupFilter {
    /// Only those whose name begins so, whatever its case.
    pub search: String,
    /// After the group of this name; `None`: from the beginning.
    pub after: Option<GroupName>,
    /// At most so many.
    pub limit: u32,
}

/// A permission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permission {
    /// Its name.
    pub name: PermissionName,
    /// What it is for; a sentence or less.
    pub description: String,
    /// Whether it guards the admin site, and can't go.
    pub built_in: bool,
}

/// Which sessions to list: newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionFilter {
    /// Only those of this user.
    pub user: Option<UserId>,
    /// Only those that live at this moment; `None`: also those that ended, as long as they are kept.
    pub live_at: Option<Timestamp>,
    /// Only those older than this one; `None`: from the newest.
    pub after: Option<SessionId>,
    /// At most so many.
    pub limit: u32,
}

/// A session and whose it is.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionRow {
    /// The session.
    pub session: Session,
    /// Its user's name; `None`: they were deleted.
    pub username: Option<String>,
}

/// The SHA-256 of the token in a link to set a password.
pub type LinkHash = [u8; 32];

impl Person {
    /// A user whose groups and permissions are to be filled in.
    pub(crate) fn bare(user: User) -> Self {
        Self { user, groups: BTreeMap::new(), permissions: BTreeSet::new(), inherited: BTreeSet::new() }
    }

    /// What the user may do.
    pub fn rights(&self) -> Rights {
        Rights {
            is_active: self.user.is_active,
            is_staff: self.user.is_staff,
            is_superuser: self.user.is_superuser,
            groups: self.groups.values().cloned().collect(),
            permissions: self.permissions.union(&self.inherited).cloned().collect(),
        }
    }
}

impl UserFilter {
    /// How many words of a search count.
    pub const WORDS: usize = 4;
    /// How many users, for each way in which they can fit it, a search looks at.
    pub const SEARCHED: u32 = 5000;
}

impl Group {
    /// Up to how many the members of a group are counted: to count a million takes long.
    pub const COUNTED: u32 = 1000;
}

impl<T> Edit<T> {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

impl<T> Default for Edit<T> {
    fn default() -> Self {
        Self { add: BTreeSet::new(), remove: BTreeSet::new() }
    }
}

impl Reach {
    /// Whether it reaches one with these rights.
    pub fn covers(&self, other: &Rights) -> bool {
        match self {
            Self::Anyone => true,
            Self::UpTo(own) => own.may_touch(other),
        }
    }

    /// Refuses where the one who acts couldn't give what is gone with this group.
    pub fn may_delete(&self, group: &Group) -> Result<(), PeopleError> {
        let Self::UpTo(own) = self else { return Ok(()) };
        if let Some(lacking) = group.permissions.iter().find(|permission| !own.may_give(permission)) {
            return Err(PeopleError::NotYoursToTake(lacking.clone()));
        }
        if own.may_give_group(&group.name) {
            Ok(())
        } else {
            Err(PeopleError::NotYourGroup(group.name.clone()))
        }
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in this list; begin at its first page")]
pub struct NotACursor;

/// The longest key of a cursor, in bytes. A folded name is shorter.
const CURSOR_MAX: usize = 4096;

impl std::fmt::Display for UserCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.id, self.key)
    }
}

impl std::str::FromStr for UserCursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (id, key) = text.split_once(':').ok_or(NotACursor)?;
        let id = id.parse().map_err(|_| NotACursor)?;
        if key.len() > CURSOR_MAX || key.contains('\0') {
            return Err(NotACursor);
        }
        Ok(Self { key: key.to_owned(), id: UserId(id) })
    }
}

/// What a user may do and from where: groups, permissions of their own, permissions of groups.
pub(crate) const MEMBERSHIPS: &str = "
    SELECT CAST(0 AS BIGINT), groups.id, groups.name FROM user_groups
        JOIN groups ON groups.id = user_groups.group_id WHERE user_groups.user_id = $1
    UNION ALL
    SELECT CAST(1 AS BIGINT), CAST(0 AS BIGINT), permissions.name FROM user_permissions
        JOIN permissions ON permissions.id = user_permissions.permission_id
        WHERE user_permissions.user_id = $1
    UNION ALL
    SELECT DISTINCT CAST(2 AS BIGINT), CAST(0 AS BIGINT), permissions.name FROM user_groups
        JOIN group_permissions ON group_permissions.group_id = user_groups.group_id
        JOIN permissions ON permissions.id = group_permissions.permission_id
        WHERE user_groups.user_id = $1";

/// What a detail says of an account besides.
pub(crate) const DETAIL: &str = "SELECT password, failures, last_failure_at,
        (SELECT expires_at FROM password_links WHERE user_id = id)
    FROM users WHERE id = $1";

/// A page of sessions, from rows of which one more was asked for than it has.
pub(crate) fn page_of_sessions(mut rows: Vec<SessionRow>, limit: u32) -> Page<SessionRow, SessionId> {
    let more = cut(&mut rows, limit);
    let next = if more { rows.last().map(|row| row.session.id) } else { None };
    Page { rows, next }
}

/// A page of users, from rows with what they are sorted by.
pub(crate) fn page_of_users(rows: Vec<Sorted>, next: Option<UserCursor>) -> Page<User, UserCursor> {
    Page { rows: rows.into_iter().map(|(user, _)| user).collect(), next }
}

impl UserChange {
    /// The user with what changes in the row of the user itself; but for name and address.
    pub(crate) fn applied_to(&self, before: &User) -> User {
        let mut user = before.clone();
        user.is_active = self.is_active.unwrap_or(user.is_active);
        user.is_staff = self.is_staff.unwrap_or(user.is_staff);
        user.is_superuser = self.is_superuser.unwrap_or(user.is_superuser);
        user.first_name = self.first_name.clone().unwrap_or(user.first_name);
        user.last_name = self.last_name.clone().unwrap_or(user.last_name);
        apply(&mut user.fields, self.fields.clone());
        user
    }
}

/// Whether an open link to set a password is to go, since its maker might not have made it for this person.
pub(crate) fn link_is_doubtful(before: &Person, after: &Person) -> bool {
    let addressed_anew = before.user.email != after.user.email;
    !after.user.is_active || addressed_anew || !after.rights().is_within(&before.rights())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_it_was_written() {
        let cursor = UserCursor { key: "a:b c/ü".to_owned(), id: UserId(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "7", "x:a", "7:a\0", &format!("7:{}", "x".repeat(5000))] {
            assert_eq!(text.parse::<UserCursor>(), Err(NotACursor), "{text:?}");
        }
    }
}
