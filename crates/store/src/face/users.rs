//! The store's face: users, and looking after them.

use crate::{
    AuditEvent, ChangedGroup, ChangedUser, EnteredPage, FieldHolder, Group, GroupChange, GroupFilter,
    LinkHash, LoginUser, NewUser, Page, Password, PasswordHash, PasswordLink, PeopleError, Permission,
    ProfileChange, ProfileError, Reach, StartOutcome, Store, StoreError, User, UserChange, UserDetail,
    UserFilter, UserPage, UserSelector,
};
use countersign_core::session::Session;
use countersign_core::{GroupId, GroupName, Network, PermissionName, Rights, Timestamp, UserId};
use std::collections::BTreeSet;

/// Users.
impl Store {
    /// A user, by id or name.
    pub async fn user(&self, who: UserSelector) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.user(who).await)
    }

    /// What a password check needs to know of a user, by id or name.
    ///
    /// `by_email` also takes an e-mail address, if exactly one user has it and it is nobody's user name.
    pub async fn user_for_login(
        &self,
        who: UserSelector,
        by_email: bool,
        network: Network,
    ) -> Result<Option<LoginUser>, StoreError> {
        engine!(self, engine => engine.user_for_login(who, by_email, network).await)
    }

    /// Makes a user with what they may do, at the event's moment. The event is told the new id.
    pub async fn create_user(&self, new: NewUser, event: AuditEvent) -> Result<User, PeopleError> {
        engine!(self, engine => engine.create_user(new, event).await)
    }

    /// Changes what a user may change of themselves, and makes it news; `None` where there is no such user.
    pub async fn update_profile(
        &self,
        user: UserId,
        change: ProfileChange,
        event: AuditEvent,
    ) -> Result<Option<User>, ProfileError> {
        engine!(self, engine => engine.update_profile(user, change, event).await)
    }

    /// Sets a password, ends every session of the user and forgets failed guesses; `false`: no such user.
    pub async fn set_password(
        &self,
        user: UserId,
        password: Password,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        engine!(self, engine => engine.set_password(user, password, event).await)
    }

    /// A user's own change of password: if `checked` is still the stored hash, every session of the user ends and
    /// `next` starts, in one transaction.
    pub async fn change_password(
        &self,
        checked: PasswordHash,
        password: Password,
        next: Session,
        event: AuditEvent,
    ) -> Result<StartOutcome, StoreError> {
        engine!(self, engine => engine.change_password(checked, password, next, event).await)
    }

    /// Activates or deactivates a user; deactivating ends their sessions. `false`: no such user. The last active
    /// superuser stays.
    pub async fn set_active(
        &self,
        user: UserId,
        active: bool,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.set_active(user, active, event).await)
    }

    /// Deletes a user and ends their sessions (their rows stay until their tokens have died, to say why). `false`: no
    /// such user. The last active superuser stays.
    pub async fn delete_user(
        &self,
        user: UserId,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.delete_user(user, reach, event).await)
    }

    /// The custom fields of users after this one, by their ids; at most so many.
    pub async fn field_page(&self, after: UserId, limit: u32) -> Result<Vec<FieldHolder>, StoreError> {
        engine!(self, engine => engine.field_page(after, limit).await)
    }

    /// Puts users after this one (at most so many) under the values of their custom fields as these are declared now:
    /// what came to be found by its value, or unique, since the values were written. Nothing of the values changes.
    ///
    /// Of those who share a value that is to be unique one has it, and nobody else can get it.
    pub async fn enter_fields(&self, after: UserId, limit: u32) -> Result<EnteredPage, StoreError> {
        engine!(self, engine => engine.enter_fields(after, limit).await)
    }

    /// One hash for each way of hashing that is still in use, to measure what checking it costs.
    pub async fn password_samples(&self) -> Result<Vec<PasswordHash>, StoreError> {
        engine!(self, engine => engine.password_samples().await)
    }

    /// Forgets the failed guesses at a user's password (`users unlock`). `false`: no such user.
    pub async fn unlock(&self, user: UserId, event: AuditEvent) -> Result<bool, StoreError> {
        engine!(self, engine => engine.unlock(user, event).await)
    }
}

/// Looking after people. What changes what someone may do is news ([`NewsItem::UserChanged`](crate::NewsItem::UserChanged),
/// [`NewsItem::RightsChanged`](crate::NewsItem::RightsChanged)).
impl Store {
    /// A page of users.
    pub async fn users(&self, filter: UserFilter) -> Result<UserPage, StoreError> {
        engine!(self, engine => engine.users(filter).await)
    }

    /// A user and what they may do, and what else there is to say about the account.
    pub async fn user_detail(&self, user: UserId) -> Result<Option<UserDetail>, StoreError> {
        engine!(self, engine => engine.user_detail(user).await)
    }

    /// What a user may do.
    pub async fn rights(&self, user: UserId) -> Result<Option<Rights>, StoreError> {
        engine!(self, engine => engine.rights(user).await)
    }

    /// Changes a user: what they are called, whether they may log in, what they may do.
    ///
    /// The event gets a detail `changes`, with before and after. Where nothing is changed, nothing is written. A user
    /// who is switched off loses their sessions. An open link to set a password goes where the user is switched off,
    /// gets another address or may do more than when it was made. The last active superuser stays one.
    pub async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<ChangedUser, PeopleError> {
        engine!(self, engine => engine.change_user(user, change, reach, event).await)
    }

    /// Keeps a link with which an active user can set a password, in place of the one before.
    pub async fn make_password_link(
        &self,
        link: PasswordLink,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<(), PeopleError> {
        engine!(self, engine => engine.make_password_link(link, reach, event).await)
    }

    /// Whose link this is, if it is still good; it stays so.
    pub async fn password_link(&self, hash: LinkHash, now: Timestamp) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.password_link(hash, now).await)
    }

    /// Uses up a link: if it is still good, its user's password is set, as [`Store::set_password`] does it. Of many
    /// uses at once, one gets there. The event is told the user's id.
    pub async fn use_password_link(
        &self,
        hash: LinkHash,
        password: Password,
        event: AuditEvent,
    ) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.use_password_link(hash, password, event).await)
    }
}

/// Groups and permissions.
impl Store {
    /// A page of groups, by name.
    pub async fn groups(&self, filter: GroupFilter) -> Result<Page<Group, GroupName>, StoreError> {
        engine!(self, engine => engine.groups(filter).await)
    }

    /// A group.
    pub async fn group(&self, group: GroupId) -> Result<Option<Group>, StoreError> {
        engine!(self, engine => engine.group(group).await)
    }

    /// Makes a group whose members have these permissions. The event is told its name and id.
    pub async fn create_group(
        &self,
        name: GroupName,
        permissions: BTreeSet<PermissionName>,
        event: AuditEvent,
    ) -> Result<Group, PeopleError> {
        engine!(self, engine => engine.create_group(name, permissions, event).await)
    }

    /// Changes a group. The event gets a detail `changes`, with before and after.
    pub async fn change_group(
        &self,
        group: GroupId,
        change: GroupChange,
        event: AuditEvent,
    ) -> Result<ChangedGroup, PeopleError> {
        engine!(self, engine => engine.change_group(group, change, event).await)
    }

    /// Deletes a group, if those who act could give it and all that it has; its members lose what they had through it.
    /// The event, which is told all of that; `None`: no such group.
    pub async fn delete_group(
        &self,
        group: GroupId,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<Option<AuditEvent>, PeopleError> {
        engine!(self, engine => engine.delete_group(group, reach, event).await)
    }

    /// All permissions, by name.
    pub async fn permissions(&self) -> Result<Vec<Permission>, StoreError> {
        engine!(self, engine => engine.permissions().await)
    }

    /// Makes a permission that isn't built in. The event is told its name.
    pub async fn create_permission(
        &self,
        name: PermissionName,
        description: String,
        event: AuditEvent,
    ) -> Result<(), PeopleError> {
        engine!(self, engine => engine.create_permission(name, description, event).await)
    }

    /// Deletes a permission, and takes it from all who have it. `false`: no such permission.
    pub async fn delete_permission(
        &self,
        name: PermissionName,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.delete_permission(name, event).await)
    }
}
