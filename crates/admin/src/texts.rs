//! What the site says of what was done, and how it says it.

/// What the page before did; told once, on top of the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    SessionOver,
    SignedOut,
    SetUp,
}

impl Notice {
    const ALL: &[Self] = &[Self::SessionOver, Self::SignedOut, Self::SetUp];

    /// The word in the cookie.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SessionOver => "session-over",
            Self::SignedOut => "signed-out",
            Self::SetUp => "set-up",
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
        }
    }
}

/// A clause as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
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
}
