//! Users: the list, one user, and all that can be done to them.

pub(crate) mod acts;
pub(crate) mod bulk;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rights;
pub(crate) mod user;

use countersign::core::UserId;
use countersign::service::User;

use crate::answer::Refused;

/// A mark on a user: what it says, and how it looks.
pub(crate) struct Tag {
    pub(crate) text: &'static str,
    pub(crate) look: &'static str,
}

/// What is to be seen of a user at a glance.
pub(crate) fn tags(user: &User) -> Vec<Tag> {
    let all = [
        (!user.is_active, "switched off", "bad"),
        (user.is_superuser, "superuser", "ochre"),
        (user.is_staff, "staff", "blue"),
    ];
    all.into_iter().filter(|(is, ..)| *is).map(|(_, text, look)| Tag { text, look }).collect()
}

/// First and last name.
pub(crate) fn full_name(user: &User) -> String {
    format!("{} {}", user.first_name, user.last_name).trim().to_owned()
}

/// The page of a user.
pub(crate) fn path(user: UserId) -> String {
    format!("/admin/users/{user}")
}

/// An id in a path or a form; one that is none names nobody.
pub(crate) fn id(text: &str) -> Result<UserId, Refused> {
    text.parse().map(UserId).map_err(|_| Refused::NotFound)
}
