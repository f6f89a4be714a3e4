//! What a user may do: permissions, directly or through groups, and what one who looks after users may do to others.
//!
//! A permission is `scope.action`. A superuser has all of them. Who is staff may enter the admin site, and does there
//! what their permissions say, under three rules that keep everyone from rising by their own hand:
//!
//! 1. Nobody gives what they don't have: a permission, a group, and (but for superusers) the flags of staff and
//!    superusers ([`Rights::may_give`], [`Rights::may_give_group`]).
//! 2. Nobody touches the account of one who has more: a superuser's, or that of anybody with a permission or a group
//!    that they lack ([`Rights::may_touch`]). Else a link to set a password would be a way into it, and to what other
//!    programs let it do.
//! 3. Nobody takes from others what they couldn't give, by way of a group. Else one who has more could be made to have
//!    less, and then be touched.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::name::NameKey;

/// The longest scope and the longest action, in characters (Django's).
const PART_MAX: usize = 100;
/// The longest name of a group, in characters (Django's).
const GROUP_MAX: usize = 150;

/// A permission's name: `scope.action`, as in `reports.view`.
///
/// Both parts have 1 to 100 ASCII letters, digits, `_` and `-`; the action may have dots too. Ours are in lower case;
/// what comes from Django (`app_label.codename`) is kept as it is, and case counts, as it does there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionName(String);

/// Writes the enum of built-in permissions and their names from one row each.
macro_rules! built_in {
    ($($(#[doc = $what:literal])+ $name:ident = $text:literal;)+) => {
        /// The permissions that guard looking after people, whichever way it is done. Every store has them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum BuiltIn {
            $($(#[doc = $what])+ $name,)+
        }

        impl BuiltIn {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The permission's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

built_in! {
    /// See users.
    UsersView = "users.view";
    /// Make users.
    UsersCreate = "users.create";
    /// Change users, what they may do, and whether they may log in.
    UsersChange = "users.change";
    /// Delete users.
    UsersDelete = "users.delete";
    /// Make links with which users set a password.
    UsersLink = "users.link";
    /// Forget the failed guesses at a user's password.
    UsersUnlock = "users.unlock";
    /// See groups and permissions.
    GroupsView = "groups.view";
    /// Make, change and delete groups and permissions.
    GroupsChange = "groups.change";
    /// See who is signed in, from where and since when.
    SessionsView = "sessions.view";
    /// End sessions.
    SessionsEnd = "sessions.end";
    /// Read the audit.
    AuditView = "audit.view";
    /// See the signing keys.
    KeysView = "keys.view";
    /// Make and remove signing keys.
    KeysChange = "keys.change";
}

/// A group's name: 1 to 150 characters in NFC, without white space at the ends and without what hides.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

/// What a user is and may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// Whether the user may log in; one who mayn't, may nothing.
    pub is_active: bool,
    /// Whether the user may enter the admin site.
    pub is_staff: bool,
    /// Whether the user has every permission.
    pub is_superuser: bool,
    /// The groups that the user is in.
    pub groups: BTreeSet<GroupName>,
    /// The permissions that the user has, directly or through a group.
    pub permissions: BTreeSet<PermissionName>,
}

/// What of somebody's rights goes into an access token, and how much room there is.
///
/// A token that grows past what servers take in a header would lock its bearer out everywhere, so none is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClaimsRoom {
    /// Whether the names of the groups do.
    pub groups: bool,
    /// Whether the permissions do. Those of a superuser don't: one word says that they have all.
    pub permissions: bool,
    /// How many bytes there are for the names, with their quotes and commas.
    pub bytes: usize,
}

/// Why a text is no permission's name: a sentence for the person who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PermissionNameError {
    /// It has no dot, or nothing on one side of it.
    #[error("A permission is written scope.action, like reports.view.")]
    NoDot,
    /// A part is too long.
    #[error("The two parts of a permission have at most 100 characters each.")]
    TooLong,
    /// It has something else than letters, digits, `_` and `-`.
    #[error("A permission has only the letters a to z, digits, _ and -, and a dot between scope and action.")]
    BadCharacter,
}

/// Why a text is no group's name: a sentence for the person who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupNameError {
    /// There is nothing in it.
    #[error("A group needs a name.")]
    Empty,
    /// It is over 150 characters.
    #[error("A group's name has at most 150 characters.")]
    TooLong,
    /// It has control characters, zero widths or marks that turn text around.
    #[error("A group's name has no control characters and none that can't be seen.")]
    BadCharacter,
}

impl PermissionName {
    /// Reads a permission's name.
    pub fn parse(text: &str) -> Result<Self, PermissionNameError> {
        let (scope, action) = text.split_once('.').ok_or(PermissionNameError::NoDot)?;
        if scope.is_empty() || action.is_empty() {
            return Err(PermissionNameError::NoDot);
        }
        if scope.len() > PART_MAX || action.len() > PART_MAX {
            return Err(PermissionNameError::TooLong);
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !scope.chars().all(fits) || !action.chars().all(|c| fits(c) || c == '.') {
            return Err(PermissionNameError::BadCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupName {
    /// Reads a group's name. White space at the ends is left out.
    pub fn parse(text: &str) -> Result<Self, GroupNameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(GroupNameError::Empty);
        }
        // A character has at most four bytes, and NFC never takes more than three for one.
        if text.len() > GROUP_MAX * 12 {
            return Err(GroupNameError::TooLong);
        }
        let name: String = text.nfc().collect();
        if name.chars().any(hides) {
            return Err(GroupNameError::BadCharacter);
        }
        if name.chars().count() > GROUP_MAX {
            return Err(GroupNameError::TooLong);
        }
        Ok(Self(name))
    }

    /// The name, as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that must be unique: no two groups differ only in case.
    pub fn key(&self) -> NameKey {
        NameKey::of_any(&self.0)
    }
}

/// Characters that are not seen, or change how others are seen.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl Rights {
    /// Whether the user may do what this permission is for.
    pub fn allows(&self, permission: &(impl AsRef<str> + ?Sized)) -> bool {
        self.is_active && (self.is_superuser || self.permissions.contains(permission.as_ref()))
    }

    /// Whether the user may enter the admin site.
    pub fn may_enter_admin(&self) -> bool {
        self.is_active && self.is_staff
    }

    /// Whether this user, who may change users, may change one with these rights.
    pub fn may_touch(&self, other: &Self) -> bool {
        let covers = other.permissions.is_subset(&self.permissions) && other.groups.is_subset(&self.groups);
        self.is_active && (self.is_superuser || !other.is_superuser && covers)
    }

    /// Whether this user may give one with these rights a link to set a password: when it is made, and when it is used.
    pub fn may_link(&self, other: &Self) -> bool {
        self.may_enter_admin() && self.allows(&BuiltIn::UsersLink) && self.may_touch(other)
    }

    /// Whether one with these rights may nothing that one with the others may not.
    pub fn is_within(&self, other: &Self) -> bool {
        (!self.is_active || other.is_active)
            && (!self.is_staff || other.is_staff)
            && (!self.is_superuser || other.is_superuser)
            && self.groups.is_subset(&other.groups)
            && self.permissions.is_subset(&other.permissions)
    }

    /// Whether this user may give a permission to others, or to a group.
    pub fn may_give(&self, permission: &PermissionName) -> bool {
        self.allows(permission)
    }

    /// Whether this user may put others into a group.
    pub fn may_give_group(&self, group: &GroupName) -> bool {
        self.is_active && (self.is_superuser || self.groups.contains(group))
    }
}

impl ClaimsRoom {
    /// Whether these rights fit.
    pub fn holds(&self, rights: &Rights) -> bool {
        // A quote or a backslash in a name takes two bytes.
        let escapes = |name: &str| name.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let len = |name: &str| name.len() + escapes(name) + "\"\",".len();
        let groups = rights.groups.iter().filter(|_| self.groups).map(|name| len(name.as_str()));
        let lists_permissions = self.permissions && !rights.is_superuser;
        let permissions =
            rights.permissions.iter().filter(|_| lists_permissions).map(|name| len(name.as_str()));
        groups.chain(permissions).sum::<usize>() <= self.bytes
    }
}

impl Borrow<str> for PermissionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PermissionName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for BuiltIn {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PermissionName {
    type Err = PermissionNameError;

    fn from_str(text: &str) -> Result<Self, PermissionNameError> {
        Self::parse(text)
    }
}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(text: &str) -> Result<Self, GroupNameError> {
        Self::parse(text)
    }
}

impl fmt::Display for PermissionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PermissionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rights(permissions: &[&str]) -> Rights {
        let permissions = permissions.iter().map(|name| name.parse().unwrap()).collect();
        Rights { is_active: true, permissions, ..Rights::default() }
    }

    fn staff(permissions: &[&str]) -> Rights {
        Rights { is_staff: true, ..rights(permissions) }
    }

    fn superuser() -> Rights {
        Rights { is_superuser: true, ..staff(&[]) }
    }

    #[test]
    fn a_permission_is_a_scope_and_an_action() {
        for name in
            ["reports.view", "auth.add_user", "a.b", "shop2.can-publish", "shop.view.all", "App.Do_It"]
        {
            assert_eq!(PermissionName::parse(name).unwrap().as_str(), name);
        }
        let longest = format!("{}.{}", "s".repeat(100), "a".repeat(100));
        assert!(PermissionName::parse(&longest).is_ok());
    }

    #[test]
    fn what_is_no_permission_is_refused_with_the_reason() {
        use PermissionNameError::{BadCharacter, NoDot, TooLong};
        for (name, error) in [
            ("", NoDot),
            ("view", NoDot),
            (".view", NoDot),
            ("reports.", NoDot),
            ("reports .view", BadCharacter),
            ("reports.vîew", BadCharacter),
            ("reports.view\n", BadCharacter),
            ("reports.view,users.view", BadCharacter),
        ] {
            assert_eq!(PermissionName::parse(name), Err(error), "{name:?}");
        }
        assert_eq!(PermissionName::parse(&format!("{}.a", "s".repeat(101))), Err(TooLong));
        assert_eq!(PermissionName::parse(&format!("s.{}", "a".repeat(1 << 20))), Err(TooLong));
    }

    // attack 92
    #[test]
    fn a_group_has_a_name_that_can_be_read() {
        assert_eq!(GroupName::parse("  Night shift, Zürich ").unwrap().as_str(), "Night shift, Zürich");
        assert_eq!(GroupName::parse("Zu\u{308}rich"), GroupName::parse("Zürich"));
        assert_eq!(GroupName::parse("Editors").unwrap().key(), GroupName::parse("EDITORS").unwrap().key());
        assert_eq!(GroupName::parse(" \t"), Err(GroupNameError::Empty));
        assert!(GroupName::parse(&"ü".repeat(150)).is_ok());
        assert_eq!(GroupName::parse(&"ü".repeat(151)), Err(GroupNameError::TooLong));
        assert_eq!(GroupName::parse(&"x".repeat(1 << 20)), Err(GroupNameError::TooLong));
        for name in ["a\u{200b}b", "a\nb", "\u{202e}nimda", "a\0", "a\u{2066}b"] {
            assert_eq!(GroupName::parse(name), Err(GroupNameError::BadCharacter), "{name:?}");
        }
    }

    #[test]
    fn a_superuser_may_everything_and_an_inactive_one_nothing() {
        let view = "reports.view";
        assert!(rights(&["reports.view"]).allows(view));
        assert!(!rights(&["reports.change"]).allows(view));
        assert!(superuser().allows(view));
        assert!(!Rights { is_active: false, ..superuser() }.allows(view));
        assert!(!Rights { is_active: false, ..superuser() }.may_enter_admin());
        assert!(!rights(&["users.view"]).may_enter_admin(), "permissions alone don't open the admin site");
        assert!(staff(&[]).may_enter_admin());
    }

    #[test]
    fn nobody_touches_one_who_has_more() {
        let helper = staff(&["users.change", "users.link"]);
        assert!(helper.may_touch(&rights(&[])));
        assert!(!helper.may_touch(&rights(&["reports.view"])), "a link would lead to the reports");
        let in_group = |rights| Rights { groups: BTreeSet::from(["shop".parse().unwrap()]), ..rights };
        assert!(!helper.may_touch(&in_group(rights(&[]))), "programs go by groups as well");
        assert!(in_group(helper.clone()).may_touch(&in_group(rights(&[]))));
        assert!(helper.may_touch(&staff(&["users.change"])));
        assert!(!helper.may_touch(&staff(&["audit.view"])));
        assert!(!helper.may_touch(&superuser()));
        assert!(!helper.may_touch(&Rights { is_active: false, ..superuser() }), "a sleeping one may wake");
        assert!(superuser().may_touch(&superuser()));
        assert!(!Rights { is_active: false, ..superuser() }.may_touch(&rights(&[])));
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let editors = GroupName::parse("editors").unwrap();
        let helper = Rights { groups: BTreeSet::from([editors.clone()]), ..staff(&["users.change"]) };
        assert!(helper.may_give(&"users.change".parse().unwrap()));
        assert!(!helper.may_give(&"users.delete".parse().unwrap()));
        assert!(helper.may_give_group(&editors));
        assert!(!helper.may_give_group(&GroupName::parse("admins").unwrap()));
        assert!(superuser().may_give(&"any.thing".parse().unwrap()) && superuser().may_give_group(&editors));
    }

    #[test]
    fn rights_fit_into_a_token_by_the_bytes_of_what_goes_into_it() {
        let ana =
            Rights { groups: BTreeSet::from([GroupName::parse("a\"b").unwrap()]), ..rights(&["x.y", "x.z"]) };
        let room = |groups, permissions, bytes| ClaimsRoom { groups, permissions, bytes };
        assert!(room(true, true, 19).holds(&ana) && !room(true, true, 18).holds(&ana));
        assert!(room(false, true, 12).holds(&ana) && !room(false, true, 11).holds(&ana));
        assert!(room(true, false, 7).holds(&ana) && !room(true, false, 6).holds(&ana));
        assert!(room(true, true, 7).holds(&Rights { is_superuser: true, ..ana }));
    }

    proptest! {
        // attack 99
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = PermissionName::parse(&text);
            if let Ok(name) = GroupName::parse(&text) {
                prop_assert_eq!(GroupName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
