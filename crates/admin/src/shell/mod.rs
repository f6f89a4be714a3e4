//! What every page has around it: for those who are signed in, and for those who aren't.

pub(crate) mod proof;

use crate::assets::{ASSETS, Assets};
use crate::guard::Visit;
use crate::texts::Notice;

/// The parts of the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Overview,
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
    pub(crate) notice: Option<Notice>,
}

impl Section {
    const ALL: &[Self] = &[Self::Overview];

    const fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("/admin/", "Overview"),
        }
    }

    /// The right that opens it.
    const fn right(self) -> Option<&'static str> {
        match self {
            Self::Overview => None,
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
        Self { assets: &ASSETS, notice }
    }
}
