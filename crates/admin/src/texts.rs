//! What the site says of what was done, and how it writes times.

use countersign::core::Timestamp;

/// What the page before did; told once, on top of the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    SessionOver,
    SignedOut,
    SetUp,
    Saved,
    UserMade,
    UserDeleted,
    UserOn,
    UserOff,
    Unlocked,
    SessionEnded,
    SessionsEnded,
    GroupMade,
    GroupDeleted,
    PermissionMade,
    PermissionDeleted,
    KeyMade,
    KeysRemoved,
    NothingToRemove,
}

impl Notice {
    const ALL: &[Self] = &[
        Self::SessionOver,
        Self::SignedOut,
        Self::SetUp,
        Self::Saved,
        Self::UserMade,
        Self::UserDeleted,
        Self::UserOn,
        Self::UserOff,
        Self::Unlocked,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::GroupMade,
        Self::GroupDeleted,
        Self::PermissionMade,
        Self::PermissionDeleted,
        Self::KeyMade,
        Self::KeysRemoved,
        Self::NothingToRemove,
    ];

    /// The word in the cookie.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SessionOver => "session-over",
            Self::SignedOut => "signed-out",
            Self::SetUp => "set-up",
            Self::Saved => "saved",
            Self::UserMade => "user-made",
            Self::UserDeleted => "user-deleted",
            Self::UserOn => "user-on",
            Self::UserOff => "user-off",
            Self::Unlocked => "unlocked",
            Self::SessionEnded => "session-ended",
            Self::SessionsEnded => "sessions-ended",
            Self::GroupMade => "group-made",
            Self::GroupDeleted => "group-deleted",
            Self::PermissionMade => "permission-made",
            Self::PermissionDeleted => "permission-deleted",
            Self::KeyMade => "key-made",
            Self::KeysRemoved => "keys-removed",
            Self::NothingToRemove => "nothing-to-remove",
        }
    }

    /// The notice of this word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|notice| notice.word() == word)
    }

    /// The sentence.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::SessionOver => "Your session is over, so nothing was changed. Sign in, and do it again.",
            Self::SignedOut => "You are signed out.",
            Self::SetUp => "The first superuser is made. Sign in with it.",
            Self::Saved => "Saved.",
            Self::UserMade => "The user is made. Make a link below, with which they set their password.",
            Self::UserDeleted => "The user is deleted.",
            Self::UserOn => "The user is switched on, and may log in.",
            Self::UserOff => "The user is switched off, and all their sessions have ended.",
            Self::Unlocked => "The failed guesses are forgotten.",
            Self::SessionEnded => "The session has ended.",
            Self::SessionsEnded => "All sessions of the user have ended.",
            Self::GroupMade => "The group is made.",
            Self::GroupDeleted => "The group is deleted.",
            Self::PermissionMade => "The permission is made.",
            Self::PermissionDeleted => "The permission is deleted.",
            Self::KeyMade => "The new key is made.",
            Self::KeysRemoved => "The keys whose last token has died are removed.",
            Self::NothingToRemove => "There was no key to remove.",
        }
    }
}

/// A clause as a sentence. One that begins with an address stays as it is.
pub(crate) fn sentence(clause: &str) -> String {
    if clause.starts_with("http") {
        return format!("{clause}.");
    }
    let mut chars = clause.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

/// A moment as the pages write it: UTC, to the minute.
pub(crate) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// The same, where there may be none.
pub(crate) fn minute_or_never(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), minute)
}

/// A browser and its system, as far as its `User-Agent` tells; the whole of it stands in the title.
pub(crate) fn browser(user_agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let program = known(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("python-", "Python"),
        ("okhttp/", "okhttp"),
        ("node", "Node.js"),
    ]);
    let system = known(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => user_agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_has_a_word_of_its_own() {
        for &notice in Notice::ALL {
            assert_eq!(Notice::parse(notice.word()), Some(notice));
        }
        assert_eq!(Notice::parse("<script>"), None);
    }

    #[test]
    fn a_time_is_written_to_the_minute() {
        assert_eq!(minute(Timestamp::from_secs(1_800_000_000)), "2027-01-15 08:00");
        assert_eq!(minute_or_never(None), "never");
    }

    #[test]
    fn a_browser_is_named_as_people_know_it() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        assert_eq!(browser(firefox), "Firefox, Linux");
        assert_eq!(browser("curl/8.1"), "curl");
        assert_eq!(browser(&"x".repeat(100)), "x".repeat(40));
    }
}
