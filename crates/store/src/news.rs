//! News: an append-only sequence of what every node has to know within a second.

use countersign_core::{Timestamp, UserId};

use crate::session::SessionEnd;

/// The number of a piece of news; later ones have greater numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct NewsSeq(pub i64);

/// News, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// The number to ask after next time.
    pub head: NewsSeq,
    /// What is new, with the time of its writing.
    pub items: Vec<(Timestamp, NewsItem)>,
    /// The store has lost what it told before, in a failover to a standby that lacked it: the news begin anew, `items`
    /// is all that it has, and what was kept of the rest may never have been.
    pub anew: bool,
}

/// A piece of news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewsItem {
    /// A session ended.
    SessionEnded(SessionEnd),
    /// A user's rights or data changed.
    UserChanged(UserId),
    /// The rights of many users changed: a group or a permission did.
    RightsChanged,
    /// The signing keys changed.
    KeysChanged,
}
