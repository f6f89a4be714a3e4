//! Which passwords may be chosen (NIST SP 800-63B-4, section 3.1.1.2).
//!
//! 1. It has at least `password_min_length` characters, and at most 1024.
//! 2. It is not a common password: not on a list of the hundred thousand most common ones, as it stands or in lower
//!    case; not such a word with up to four other characters after it (`password2024`), or with another common
//!    password of digits and signs after it (`password123456789`); not a common password, or anything of up to four
//!    characters, again and again; not a run such as `abcdefghij`.
//! 3. It is not like the user's own attributes. Their *words* are each attribute, the local part of an address, and
//!    their parts between signs, from four characters up, in whatever case. No word may differ from the password in
//!    fewer than three tenths of it, and all the words found in it make up less than a quarter of it. (So a long
//!    passphrase may well hold a first name.)
//!
//! There are no other rules: none on digits and signs, none on age. Rules 2 and 3 compare copies; what is hashed is
//! always the password as it was received.

use std::fmt;

use passwords::analyzer::is_common_password;
use zeroize::Zeroizing;

use super::hash::{Password, TooLong};

/// What a new password is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordPolicy {
    min_length: usize,
}

/// Why a password may not be chosen; its `Display` is a sentence for the person who chose it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It has fewer characters than this.
    TooShort(usize),
    /// It has more than [`Password::MAX_CHARS`] characters.
    TooLong,
    /// It is on the list of common passwords, or made of one in a common way.
    Common,
    /// It is like the user's own name, e-mail address or other attributes.
    LikeAttributes,
}

/// A minimum length that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the minimum length of passwords is from {} to {}", PasswordPolicy::FLOOR, Password::MAX_CHARS)]
pub struct NoMinimum;

impl PasswordPolicy {
    /// No setting lets a password be shorter than this, in characters.
    pub const FLOOR: usize = 8;
    /// The least length where nothing else is set, in characters.
    pub const DEFAULT_MIN_LENGTH: usize = 15;

    /// A policy with this minimum, in characters.
    pub fn new(min_length: usize) -> Result<Self, NoMinimum> {
        if (Self::FLOOR..=Password::MAX_CHARS).contains(&min_length) {
            Ok(Self { min_length })
        } else {
            Err(NoMinimum)
        }
    }

    /// Every reason against a new password. `attributes` are the user's name, e-mail address, first and last name, and
    /// whatever else others may know or guess, such as the name of the service.
    pub fn check(self, password: &Password, attributes: &[&str]) -> Result<(), Vec<Reason>> {
        let text = password.expose();
        let lower = Zeroizing::new(text.to_lowercase());
        let reasons = [
            (text.chars().count() < self.min_length).then_some(Reason::TooShort(self.min_length)),
            (is_common_password(text) || is_common(&lower)).then_some(Reason::Common),
            is_like(&lower, attributes).then_some(Reason::LikeAttributes),
        ];
        let reasons: Vec<Reason> = reasons.into_iter().flatten().collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: Self::DEFAULT_MIN_LENGTH }
    }
}

impl From<TooLong> for Reason {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(min) => {
                write!(f, "This password is too short: it needs at least {min} characters.")
            }
            Self::TooLong => TooLong.fmt(f),
            Self::Common => f.write_str("This password is too common: attackers try it first."),
            Self::LikeAttributes => {
                f.write_str("This password is too much like your user name, e-mail address or name.")
            }
        }
    }
}

/// Rule 2, for a password in lower case.
fn is_common(lower: &str) -> bool {
    is_common_password(lower)
        || is_run(lower)
        || repeated(lower).is_some_and(|unit| unit.chars().count() <= 4 || is_common(unit))
        || is_word_with_tail(lower)
}

/// Each character is the one after the last one, or each the one before: `abcdefgh`, `87654321`.
fn is_run(text: &str) -> bool {
    let steps = |step: i64| {
        let codes = || text.chars().map(|char| i64::from(u32::from(char)));
        codes().zip(codes().skip(1)).all(|(one, next)| next - one == step)
    };
    text.len() > 1 && (steps(1) || steps(-1))
}

/// The shortest text of which this is nothing but two or more copies (the last one may be cut).
fn repeated(text: &str) -> Option<&str> {
    let starts = text.char_indices().map(|(start, _)| start).skip(1);
    let mut units = starts.filter(|start| start * 2 <= text.len()).map(|start| text.split_at(start));
    units.find(|(_, rest)| text.starts_with(rest)).map(|(unit, _)| unit)
}

/// A common word, and after it what people add to words.
fn is_word_with_tail(text: &str) -> bool {
    let word = text.trim_end_matches(|char: char| !char.is_alphabetic());
    let tail = text.strip_prefix(word).unwrap_or_default();
    !word.is_empty()
        && !tail.is_empty()
        && is_common_password(word)
        && (tail.chars().count() <= 4 || is_common(tail))
}

/// Rule 3, for a password in lower case.
fn is_like(lower: &str, attributes: &[&str]) -> bool {
    let attributes: Vec<String> = attributes.iter().map(|attribute| attribute.to_lowercase()).collect();
    let mut own = vec![false; lower.len()];
    for word in attributes.iter().flat_map(|attribute| words(attribute)) {
        if is_close(lower, word) {
            return true;
        }
        for (start, _) in lower.match_indices(word) {
            own.iter_mut().skip(start).take(word.len()).for_each(|byte| *byte = true);
        }
    }
    let covered = lower.char_indices().filter(|(start, _)| own.get(*start) == Some(&true)).count();
    covered > 0 && covered * 4 >= lower.chars().count()
}

/// Whether fewer than three tenths of the characters are to be changed to make one of the other.
fn is_close(password: &str, word: &str) -> bool {
    // The comparison takes the product of both lengths; a word so much longer or shorter can't be close.
    let (one, other) = (password.chars().count(), word.chars().count());
    one.min(other) * 10 > one.max(other) * 7 && strsim::normalized_levenshtein(password, word) > 0.7
}

fn words(attribute: &str) -> impl Iterator<Item = &str> {
    let local_part = attribute.rsplit_once('@').map(|(local_part, _)| local_part);
    [Some(attribute), local_part]
        .into_iter()
        .flatten()
        .chain(attribute.split(|char: char| !char.is_alphanumeric()))
        .filter(|word| word.chars().count() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [&str; 4] = ["alice", "a.liddell@example.org", "Alice", "Liddell"];

    fn reasons(min_length: usize, text: &str, attributes: &[&str]) -> Vec<Reason> {
        let policy = PasswordPolicy::new(min_length).unwrap();
        policy.check(&Password::new(text).unwrap(), attributes).err().unwrap_or_default()
    }

    fn is_refused_as_common(text: &str) -> bool {
        reasons(8, text, &[]).contains(&Reason::Common)
    }

    fn is_refused_for_alice(text: &str) -> bool {
        reasons(8, text, &ALICE).contains(&Reason::LikeAttributes)
    }

    // attack 90
    #[test]
    fn a_password_needs_fifteen_characters_by_default() {
        let policy = PasswordPolicy::default();
        let check = |text: &str| policy.check(&Password::new(text).unwrap(), &[]);
        assert_eq!(check("mj4 tvq xw9 zkp"), Ok(()));
        assert_eq!(check("mj4 tvq xw9 zk"), Err(vec![Reason::TooShort(15)]));
    }

    // attack 90
    #[test]
    fn the_minimum_is_never_under_eight() {
        assert!(PasswordPolicy::new(8).is_ok());
        assert!(PasswordPolicy::new(1024).is_ok());
        assert_eq!(PasswordPolicy::new(7), Err(NoMinimum));
        assert_eq!(PasswordPolicy::new(1025), Err(NoMinimum));
        assert_eq!(NoMinimum.to_string(), "the minimum length of passwords is from 8 to 1024");
    }

    // attack 90
    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(reasons(8, "пїёжщъюэ", &[]), []);
        assert_eq!(reasons(8, "🗝🐉🍣🚲🌋🎻🧭", &[]), [Reason::TooShort(8)]);
    }

    // attack 90
    #[test]
    fn no_kind_of_character_is_asked_for() {
        for text in ["brxlwqtnvkzhpms", "730582946173850", "      x       x       ", "ÿþðßøæåœ∂ƒ©˙∆˚¬…"]
        {
            assert_eq!(reasons(15, text, &[]), [], "{text}");
        }
    }

    // attack 90
    #[test]
    fn a_common_password_is_refused_in_whatever_case_and_with_the_usual_tails() {
        for text in [
            "password",
            "PassWord",
            "P@ssw0rd",
            "iloveyou",
            "12345678",
            "qwertyuiop",
            "1q2w3e4r5t6y7u8i9o0p",
            "football2024",
            "Dragon99!",
            "password123456789",
            "Sunshine!!!!!!!!!!",
            "passwordpassword",
            "password1password1",
            "xyzqxyzqxyzqxyzq",
            "aaaaaaaaaaaaaaaaaaaa",
            "ééééééééééééééé",
            "abcdefghijklmnopq",
            "zyxwvutsrqponmlkj",
        ] {
            assert!(is_refused_as_common(text), "{text}");
        }
    }

    #[test]
    fn a_phrase_of_common_words_is_not_a_common_password() {
        for text in [
            "correct horse battery staple",
            "correcthorsebatterystaple",
            "dragon monkey football",
            "sunshine 8273645129",
            "abcdefgh but not only that",
            "kxvqbnwzkxvqbnwz",
        ] {
            assert!(!is_refused_as_common(text), "{text}");
        }
    }

    // attack 90
    #[test]
    fn a_password_like_the_users_own_attributes_is_refused() {
        for text in [
            "alice.liddell.1865",
            "ALICE-is-my-name",
            "a.liddell@example.org",
            "a.lidell@example.org",
            "my-liddell-password",
            "example.org-2024",
            "alice alice alice alice alice alice",
        ] {
            assert!(is_refused_for_alice(text), "{text}");
        }
        assert!(!reasons(8, "countersign-2024", &["countersign"]).is_empty());
    }

    #[test]
    fn a_long_phrase_may_hold_a_name() {
        assert!(!is_refused_for_alice("a rabbit hole that alice once fell into"));
        assert!(!is_refused_for_alice("nothing of hers in here"));
        assert_eq!(reasons(8, "no attributes at all", &["", "@", "bo", "a@b.c"]), []);
    }

    #[test]
    fn letters_that_grow_in_lower_case_are_compared_all_the_same() {
        assert!(reasons(8, "İSTANBUL-İSTANBUL", &["İstanbul"]).contains(&Reason::LikeAttributes));
    }

    #[test]
    fn all_reasons_are_told_at_once_in_sentences() {
        let reasons = reasons(15, "alice123", &["alice"]);
        let sentences: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "This password is too short: it needs at least 15 characters.",
                "This password is too common: attackers try it first.",
                "This password is too much like your user name, e-mail address or name.",
            ]
        );
    }

    // attack 88
    #[test]
    fn a_password_over_the_maximum_has_its_reason_too() {
        let reason = Password::new("a".repeat(1025)).map_err(Reason::from).unwrap_err();
        assert_eq!(reason.to_string(), "This password is too long: it can have at most 1024 characters.");
    }
}
