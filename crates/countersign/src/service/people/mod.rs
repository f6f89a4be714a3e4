//! Looking after people: the use cases of the admin site and the command line.
//!
//! Every one of them is told who acts ([`Actor`]), and decides whether they may; pages and commands only ask. The rules,
//! beside the permission that each use case needs:
//!
//! 1. Staff give nothing that they don't have themselves: no permission, no group. The flags of staff and superusers
//!    are the superusers' to give and take.
//! 2. Staff don't touch the account of one who may more than they: a superuser's, or that of anybody with a permission
//!    or a group that they lack. Nor do they bring such a one down: they take nothing from a group that they couldn't
//!    give, delete no group that they couldn't give, and no permission.
//! 3. The last active superuser can't be deleted, switched off or demoted, by nobody.
//! 4. Nobody chooses or sees the password of another: a link lets its owner set it ([`links`]).
//!
//! Rule 1 and 2 are pure ([`Rights`]); 2 and 3 are checked in the very transaction of the change.
//!
//! - `accounts`: users. - `groups`: groups and permissions. - [`links`]: links to set a password.
//! - `overview`: sessions, the audit, the signing keys.

mod accounts;
mod groups;
pub mod links;
mod overview;

use std::collections::BTreeSet;
use std::net::IpAddr;

use countersign_core::{BuiltIn, GroupName, PermissionName, Rights, Timestamp, UserId};
use countersign_store::{AuditEvent, EventKind, PeopleError, Reach};

use super::{Error, Service};

pub use accounts::{PersonChange, PersonToCreate};
pub use countersign_store::{
    AuditCount, AuditCounts, AuditCursor, AuditFilter, AuditRow, Edit, FieldFilter, FieldIs, Group,
    GroupFilter, Page, Permission, Person, SessionFilter, SessionRow, UserCursor, UserDetail, UserFilter,
    UserPage, UserSort,
};
pub use groups::GroupEdit;

/// The most rows of a page, and the most users of one bulk action.
pub const PAGE_MAX: u32 = 1000;

/// Who acts.
#[derive(Clone, PartialEq, Debug)]
pub enum Actor {
    /// Who has the server in hand: the command line, or an embedder's own code. May do everything; the audit names
    /// nobody.
    Operator,
    /// Somebody who is signed in to the admin site.
    Staff(Staff),
}

/// Somebody who is signed in to the admin site, with what they may do at this moment: made by [`Service::staff`] for
/// each request.
#[derive(Clone, PartialEq, Debug)]
pub struct Staff {
    user: UserId,
    rights: Rights,
    ip: Option<IpAddr>,
}

/// Why somebody may not do something: a sentence for them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// They may not enter the admin site (any more).
    #[error("You are not one of the staff.")]
    NotStaff,
    /// They lack the permission for it.
    #[error("You need the permission {0} for this.")]
    Needs(BuiltIn),
    /// They would give a permission that they don't have.
    #[error("You don't have the permission {0} yourself, so you can't give it.")]
    NotYoursToGive(PermissionName),
    /// They would take from others a permission that they don't have.
    #[error("You don't have the permission {0} yourself, so you can't take it from others.")]
    NotYoursToTake(PermissionName),
    /// They would put somebody into a group that they aren't in.
    #[error("You are not in the group {0} yourself, so you can't put others into it.")]
    NotYourGroup(GroupName),
    /// They would delete a group that they aren't in.
    #[error("You are not in the group {0} yourself, so you can't delete it.")]
    NotYoursToDelete(GroupName),
    /// It is for superusers.
    #[error("Only a superuser can do this.")]
    OnlySuperusers,
    /// The account may more than they.
    #[error("This account may do more than you, so you can't change it.")]
    OutOfReach,
    /// They would choose somebody's password.
    #[error("Nobody chooses the password of another: make a link with which they set it.")]
    NotYourPassword,
}

/// What to do to a set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Wanted<T> {
    /// Nothing.
    #[default]
    Keep,
    /// It is to hold just these.
    Set(BTreeSet<T>),
    /// Some come, some go.
    Edit(Edit<T>),
}

/// The use cases, for one who acts: `service.people(&actor).list(…)`.
#[derive(Clone, Copy)]
pub struct People<'a> {
    service: &'a Service,
    actor: &'a Actor,
}

impl Service {
    /// Looking after people, as this actor.
    pub fn people<'a>(&'a self, actor: &'a Actor) -> People<'a> {
        People { service: self, actor }
    }

    /// A user who wants to act in the admin site, from this address: [`Error::Denied`] where they are no (active) staff.
    pub async fn staff(&self, user: UserId, ip: Option<IpAddr>) -> Result<Actor, Error> {
        let rights = self.timed("rights", self.store.rights(user)).await?;
        let rights = rights.filter(Rights::may_enter_admin).ok_or(Denied::NotStaff)?;
        Ok(Actor::Staff(Staff { user, rights, ip }))
    }
}

impl Actor {
    /// Whether they may do what this permission guards.
    pub fn may(&self, permission: BuiltIn) -> bool {
        match self {
            Self::Operator => true,
            Self::Staff(staff) => staff.rights.allows(&permission),
        }
    }

    /// Whether they may do everything.
    pub fn is_superuser(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Staff(staff) => staff.rights.is_active && staff.rights.is_superuser,
        }
    }

    /// Whether they may touch an account with these rights.
    pub fn may_touch(&self, other: &Rights) -> bool {
        self.reach().covers(other)
    }

    /// Whether they may give this permission.
    pub fn may_give(&self, permission: &PermissionName) -> bool {
        match self {
            Self::Operator => true,
            Self::Staff(staff) => staff.rights.may_give(permission),
        }
    }

    /// Whether they may put somebody into this group.
    pub fn may_give_group(&self, group: &GroupName) -> bool {
        match self {
            Self::Operator => true,
            Self::Staff(staff) => staff.rights.may_give_group(group),
        }
    }

    /// Whether they may delete this group, if they may change groups.
    pub fn may_delete_group(&self, group: &Group) -> bool {
        self.reach().may_delete(group).is_ok()
    }

    /// Which user they are; none: an operator.
    fn user(&self) -> Option<UserId> {
        match self {
            Self::Operator => None,
            Self::Staff(staff) => Some(staff.user),
        }
    }

    fn needs(&self, permission: BuiltIn) -> Result<(), Denied> {
        if self.may(permission) { Ok(()) } else { Err(Denied::Needs(permission)) }
    }

    fn needs_superuser(&self) -> Result<(), Denied> {
        if self.is_superuser() { Ok(()) } else { Err(Denied::OnlySuperusers) }
    }

    fn gives(&self, permissions: &BTreeSet<PermissionName>) -> Result<(), Denied> {
        match permissions.iter().find(|permission| !self.may_give(permission)) {
            None => Ok(()),
            Some(permission) => Err(Denied::NotYoursToGive(permission.clone())),
        }
    }

    fn takes(&self, permissions: &BTreeSet<PermissionName>) -> Result<(), Denied> {
        match permissions.iter().find(|permission| !self.may_give(permission)) {
            None => Ok(()),
            Some(permission) => Err(Denied::NotYoursToTake(permission.clone())),
        }
    }

    fn reach(&self) -> Reach {
        match self {
            Self::Operator => Reach::Anyone,
            Self::Staff(staff) => Reach::UpTo(staff.rights.clone()),
        }
    }

    /// Something that they do.
    pub(super) fn event(&self, kind: EventKind, at: Timestamp) -> AuditEvent {
        match self {
            Self::Operator => AuditEvent::new(kind, at),
            Self::Staff(staff) => {
                AuditEvent { actor: Some(staff.user), ip: staff.ip, ..AuditEvent::new(kind, at) }
            }
        }
    }
}

impl Staff {
    /// Who they are.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What they may do.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }
}

impl<T: Ord + Clone> Wanted<T> {
    /// What that means for a set that holds these.
    fn edit(&self, held: &BTreeSet<T>) -> Edit<T> {
        match self {
            Self::Keep => Edit::default(),
            Self::Set(wanted) => Edit {
                add: wanted.difference(held).cloned().collect(),
                remove: held.difference(wanted).cloned().collect(),
            },
            Self::Edit(edit) => Edit {
                add: edit.add.difference(held).cloned().collect(),
                remove: edit.remove.intersection(held).cloned().collect(),
            },
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<PeopleError> for Error {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::NoSuchUser => Self::NotFound,
            PeopleError::NoSuchGroup => Self::field("groups", error.to_string()),
            PeopleError::NoSuchPermission(_) => Self::field("permissions", error.to_string()),
            PeopleError::UsernameTaken => Self::field("username", error.to_string()),
            PeopleError::FieldTaken(field) => Self::field_taken(&field),
            PeopleError::GroupNameTaken | PeopleError::PermissionExists => {
                Self::field("name", error.to_string())
            }
            PeopleError::OutOfReach => Denied::OutOfReach.into(),
            PeopleError::NotYoursToTake(permission) => Denied::NotYoursToTake(permission).into(),
            PeopleError::NotYourGroup(group) => Denied::NotYoursToDelete(group).into(),
            PeopleError::BuiltIn | PeopleError::LastSuperuser | PeopleError::UserInactive => {
                Self::Conflict(error.to_string())
            }
            PeopleError::Store(error) => error.into(),
        }
    }
}
