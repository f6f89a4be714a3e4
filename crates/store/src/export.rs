//! Taking people along to elsewhere: all that is kept of them.

use std::collections::HashMap;

use countersign_core::UserId;

use crate::{PasswordHash, User};

/// A user with all that goes along.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedUser {
    /// The user.
    pub user: User,
    /// The password's hash.
    pub password: PasswordHash,
    /// The names of the groups that the user is in.
    pub groups: Vec<String>,
    /// The permissions that the user has directly.
    pub permissions: Vec<String>,
}

/// The names of groups of the users of a page.
pub(crate) const GROUPS: &str = "SELECT user_groups.user_id, groups.name FROM user_groups
    JOIN groups ON groups.id = user_groups.group_id
    WHERE user_groups.user_id > $1 AND user_groups.user_id <= $2 ORDER BY user_groups.user_id, groups.name_key";

/// The permissions of the users of a page.
pub(crate) const PERMISSIONS: &str = "SELECT user_permissions.user_id, permissions.name FROM user_permissions
    JOIN permissions ON permissions.id = user_permissions.permission_id
    WHERE user_permissions.user_id > $1 AND user_permissions.user_id <= $2
    ORDER BY user_permissions.user_id, permissions.name";

/// Gives the users of a page their groups and permissions.
pub(crate) fn joined(
    users: Vec<(User, PasswordHash)>,
    groups: Vec<(UserId, String)>,
    permissions: Vec<(UserId, String)>,
) -> Vec<ExportedUser> {
    let (mut groups, mut permissions) = (by_user(groups), by_user(permissions));
    let export = |(user, password): (User, PasswordHash)| ExportedUser {
        groups: groups.remove(&user.id).unwrap_or_default(),
        permissions: permissions.remove(&user.id).unwrap_or_default(),
        password,
        user,
    };
    users.into_iter().map(export).collect()
}

fn by_user(names: Vec<(UserId, String)>) -> HashMap<UserId, Vec<String>> {
    let mut of = HashMap::<_, Vec<_>>::new();
    for (user, name) in names {
        of.entry(user).or_default().push(name);
    }
    of
}
