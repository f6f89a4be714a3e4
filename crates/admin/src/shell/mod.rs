//! What every page has around it: for those who are signed in, and for those who aren't.

pub(crate) mod proof;

use countersign::core::BuiltIn;

use crate::assets::{ASSETS, Assets};
use crate::guard::Visit;
use crate::texts::Notice;

/// The parts of the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Overview,
    Users,
    Groups,
    Sessions,
    Audit,
    Keys,
}

/// Around a page for those who are signed in.
pub(crate) struct Frame {
    pub(crate) assets: &'static Assets,
    pub(crate) username: String,
    pub(crate) csrf: String,
    pub(crate) notice: Option<Notice>,
    pub(crate) nav: Vec<Link>,
}

/// An entry of the navigation.
pub(crate) struct Link {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_here: bool,
}

/// Around a page for those who aren't signed in.
pub(crate) struct Outside {
    pub(crate) assets: &'static Assets,
    /// Where they lie: a page beside the site has them beside itself, since `/admin` may be closed to its readers.
    pub(crate) at: &'static str,
    pub(crate) notice: Option<Notice>,
}

impl Section {
    const ALL: &[Self] =
        &[Self::Overview, Self::Users, Self::Groups, Self::Sessions, Self::Audit, Self::Keys];

    const fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("/admin/", "Overview"),
            Self::Users => ("/admin/users", "Users"),
            Self::Groups => ("/admin/groups", "Groups"),
            Self::Sessions => ("/admin/sessions", "Sessions"),
            Self::Audit => ("/admin/audit", "Audit"),
            Self::Keys => ("/admin/keys", "Keys"),
        }
    }

    /// The right that opens it.
    const fn right(self) -> Option<BuiltIn> {
        match self {
            Self::Overview => None,
            Self::Users => Some(BuiltIn::UsersView),
            Self::Groups => Some(BuiltIn::GroupsView),
            Self::Sessions => Some(BuiltIn::SessionsView),
            Self::Audit => Some(BuiltIn::AuditView),
            Self::Keys => Some(BuiltIn::KeysView),
        }
    }
}

impl Frame {
    pub(crate) fn new(visit: &Visit, here: Section) -> Self {
        let open = Section::ALL
            .iter()
            .copied()
            .filter(|section| section.right().is_none_or(|right| visit.may(right)));
        let nav = open.map(|section| {
            let (path, name) = section.link();
            Link { path, name, is_here: section == here }
        });
        Self {
            assets: &ASSETS,
            username: visit.user().username.clone(),
            csrf: visit.csrf.expose().to_owned(),
            notice: visit.notice,
            nav: nav.collect(),
        }
    }
}

impl Outside {
    pub(crate) fn new(notice: Option<Notice>) -> Self {
        Self { assets: &ASSETS, at: "/admin/assets", notice }
    }

    /// Around the page of links that set a password.
    pub(crate) fn of_links() -> Self {
        Self { at: "/accounts/set-password/assets", ..Self::new(None) }
    }
}
