//! User names and e-mail addresses, and the key that says which of them are the same.
//!
//! People write one name in many ways: `Ana`, `ana`, `ＡＮＡ`, with an accent as one character or as two. A
//! [`NameKey`] is the one form of them all. Uniqueness, the look-up at a login and the count of failed guesses all go
//! by it, so no spelling makes a second account or a second count.
//!
//! The key is NFKC, then the case folded away character by character (lower, upper, lower: so that `ß` is `ss`, a
//! final `ς` is `σ` and a dotless `ı` is `i`), then NFKC again, without white space at the ends. A language's own rules
//! play no part, and the key of a key is the key. Letters that only *look* alike in two scripts (`а` and `a`) stay different names.

use std::fmt::{self, Write};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::secret::sha256;

/// The longest user name, in characters (Django's).
const USERNAME_MAX: usize = 150;
/// The longest text that is normalised, in bytes. Any way to write a name of 150 characters is shorter: the longest
/// is Hangul taken apart, with nine bytes each.
const RAW_MAX: usize = 2048;
/// The longest e-mail address and its longest local part, in bytes (RFC 5321, section 4.5.3.1).
pub(crate) const EMAIL_MAX: usize = 254;
const LOCAL_MAX: usize = 64;
/// The longest label of a domain.
const LABEL_MAX: usize = 63;

/// A user name: 1 to 150 letters and digits of any script and `@ . + - _`, in NFKC.
///
/// That leaves out whatever hides or turns text around: spaces, control characters, zero widths, bidirectional marks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Username(String);

/// An e-mail address, as received: what mail is sent to is what was stored, never what somebody typed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Email(String);

/// The one form of all spellings of a name or an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NameKey(String);

/// Why a text is no user name: a sentence for the person who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UsernameError {
    /// It is empty.
    #[error("A user name is required.")]
    Empty,
    /// It is over 150 characters.
    #[error("A user name has at most 150 characters.")]
    TooLong,
    /// It has something else than letters, digits and the five signs.
    #[error("A user name has only letters, digits and the signs @ . + - _, and no spaces.")]
    BadCharacter,
}

/// Why a text is no e-mail address: a sentence for the person who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EmailError {
    /// It is over 254 bytes, or its local part over 64.
    #[error("An e-mail address has at most 254 characters, and at most 64 before the @.")]
    TooLong,
    /// It isn't written like one.
    #[error("Write an e-mail address like name@example.com.")]
    Malformed,
}

impl Username {
    /// Reads a user name. It is kept as written, in NFKC.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() {
            return Err(UsernameError::Empty);
        }
        if text.len() > RAW_MAX {
            return Err(UsernameError::TooLong);
        }
        let name: String = text.nfkc().collect();
        if !name.chars().all(|c| c.is_alphanumeric() || "@.+-_".contains(c)) {
            return Err(UsernameError::BadCharacter);
        }
        if name.chars().count() > USERNAME_MAX {
            return Err(UsernameError::TooLong);
        }
        Ok(Self(name))
    }

    /// The name, as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that it is found by.
    pub fn key(&self) -> NameKey {
        NameKey::fold(&self.0)
    }
}

impl Email {
    /// Reads an address: `local@domain`, with a dot in the domain unless it is `localhost`. No quotes, comments
    /// or address literals.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let (local, domain) = text.split_once('@').ok_or(EmailError::Malformed)?;
        let domain_fits = domain.contains('.') || domain.eq_ignore_ascii_case("localhost");
        let well_formed = !local.is_empty()
            && local.chars().all(is_local_char)
            && domain_fits
            && domain.split('.').all(is_domain_label);
        if !well_formed {
            return Err(EmailError::Malformed);
        }
        if local.len() > LOCAL_MAX || text.len() > EMAIL_MAX {
            return Err(EmailError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address, as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that it is found by. (The part before the `@` may tell case apart by RFC 5321; no provider does.)
    pub fn key(&self) -> NameKey {
        NameKey::fold(&self.0)
    }
}

impl NameKey {
    /// The key of whatever someone sends as a name. Never fails, and never takes more work than a longest name does:
    /// what is longer than any name can be is hashed instead.
    pub fn of_any(text: &str) -> Self {
        if text.len() <= RAW_MAX {
            return Self::fold(text);
        }
        // Neither a user name (`#`) nor an address (no `@`) has such a key.
        let mut key = "#sha256:".to_owned();
        for byte in sha256(text.as_bytes()) {
            let _ = write!(key, "{byte:02x}");
        }
        Self(key)
    }

    /// The key, as the store keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn fold(text: &str) -> Self {
        let lower = |c: char| c.to_lowercase();
        let caseless = text.nfkc().flat_map(lower).flat_map(char::to_uppercase).flat_map(lower);
        let folded: String = caseless.nfkc().collect();
        Self(folded.trim().to_owned())
    }
}

/// The signs that an unquoted local part may have (RFC 5322's `atext`, and the dot), and letters of any script.
fn is_local_char(c: char) -> bool {
    c.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c) || is_combining_mark(c)
}

fn is_domain_label(label: &str) -> bool {
    (1..=LABEL_MAX).contains(&label.len())
        && label.chars().all(|c| c.is_alphanumeric() || c == '-' || is_combining_mark(c))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        NameKey::of_any(text).0
    }

    #[test]
    fn a_user_name_has_letters_and_digits_of_any_script_and_five_signs() {
        for name in
            ["ana", "Ana.Müller", "a", "1", "@.+-_", "用户", "пользователь", "مستخدم", "ἀρχή", "ana@b.c"]
        {
            assert_eq!(Username::parse(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
        assert!(Username::parse(&"x".repeat(150)).is_ok());
        assert!(Username::parse(&"한".repeat(150).nfd().collect::<String>()).is_ok());
    }

    #[test]
    fn a_user_name_is_kept_as_written_in_nfkc() {
        for (written, kept) in [("Ａｎａ", "Ana"), ("Mu\u{308}ller", "Müller"), ("ﬁn", "fin"), ("x²", "x2")]
        {
            assert_eq!(Username::parse(written).unwrap().as_str(), kept);
        }
    }

    // attack 92
    #[test]
    fn what_hides_or_turns_text_around_is_no_user_name() {
        for name in [
            " ",
            "ana ",
            " ana",
            "an a",
            "an\u{a0}a",
            "an\u{3000}a",
            "an\u{200b}a",
            "an\u{200d}a",
            "an\u{ad}a",
            "\u{feff}ana",
            "an\u{202e}a",
            "an\u{2066}a",
            "an\u{0}a",
            "an\na",
            "an\u{1b}[31ma",
            "an\u{e0061}a",
            "an\u{fe0f}a",
            "x\u{301}",
            "<b>",
            "a/b",
            "a\\b",
            "a'b",
            "a\"b",
            "a,b",
            "½",
            "😀",
        ] {
            assert_eq!(Username::parse(name), Err(UsernameError::BadCharacter), "{name:?}");
        }
    }

    #[test]
    fn a_user_name_has_1_to_150_characters_after_nfkc() {
        assert_eq!(Username::parse(""), Err(UsernameError::Empty));
        assert_eq!(Username::parse(&"x".repeat(151)), Err(UsernameError::TooLong));
        assert_eq!(Username::parse(&"ﬃ".repeat(51)), Err(UsernameError::TooLong));
        assert_eq!(Username::parse(&"x".repeat(1 << 20)), Err(UsernameError::TooLong));
    }

    // attack 85, attack 92: one account, one count
    #[test]
    fn every_spelling_of_a_name_has_one_key() {
        for (a, b) in [
            ("ana", "ANA"),
            ("ana", "Ａｎａ"),
            ("ana", " ana\t\n"),
            ("ana@example.com", "Ana@EXAMPLE.com"),
            ("müller", "MU\u{308}LLER"),
            ("straße", "STRASSE"),
            ("straße", "STRAẞE"),
            ("σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("mike@example.org", "mıke@example.org"),
            ("mike@example.org", "MIKE@example.org"),
            ("kim", "\u{212a}im"),
            ("ﬁn", "FIN"),
            ("Ꭰ", "ꭰ"),
            ("한", "\u{1112}\u{1161}\u{11ab}"),
        ] {
            assert_eq!(key(a), key(b), "{a} and {b}");
        }
        for (a, b) in [("ana", "anna"), ("ana", "аna"), ("müller", "muller"), ("a.b", "ab"), ("a+b", "a")] {
            assert_ne!(key(a), key(b), "{a} and {b}");
        }
    }

    #[test]
    fn whatever_is_sent_as_a_name_has_a_bounded_key() {
        let long = key(&"x".repeat(1 << 20));
        assert_eq!(long.len(), "#sha256:".len() + 64);
        assert_ne!(long, key(&"x".repeat((1 << 20) + 1)));
        // The character that grows most in NFKC: 3 bytes to 33.
        assert!(key(&"\u{fdfa}".repeat(RAW_MAX / 3)).len() <= 11 * RAW_MAX);
        assert_eq!(key(""), "");
        assert_eq!(Username::parse(&key(&"x".repeat(3000))), Err(UsernameError::BadCharacter));
        assert_eq!(Email::parse(&key(&"x".repeat(3000))), Err(EmailError::Malformed));
    }

    #[test]
    fn the_key_of_each_character_is_a_key() {
        for c in '\0'..=char::MAX {
            let once = NameKey::fold(&c.to_string());
            assert_eq!(NameKey::fold(once.as_str()), once, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn an_e_mail_address_is_kept_as_received() {
        for address in [
            "ana@example.com",
            "Ana.Mu\u{308}ller+tag@Example.COM",
            "o'brien@example.co.uk",
            "root@localhost",
            "a@xn--bcher-kva.example",
            "用户@例子.公司",
            "x!#$%&'*+-/=?^_`{|}~@example.com",
        ] {
            assert_eq!(Email::parse(address).map(|email| email.to_string()), Ok(address.to_owned()));
        }
        let longest = format!("{}@{}.example", "x".repeat(64), ["y".repeat(60), "z".repeat(60)].join("."));
        assert!(Email::parse(&longest).is_ok());
    }

    // attack 92
    #[test]
    fn what_is_no_e_mail_address_is_refused() {
        for text in [
            "",
            "@",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "ana@@example.com",
            "ana@example.com@evil.example",
            "ana@example..com",
            "ana@.example.com",
            "ana@example.com.",
            "ana@-example.com",
            "ana@example-.com",
            "ana@exa_mple.com",
            "ana@[192.0.2.7]",
            "ana @example.com",
            " ana@example.com",
            "ana@example.com\r\nBcc: eve@evil.example",
            "ana\0@example.com",
            "an\u{200b}a@example.com",
            "an\u{202e}a@example.com",
            "ana@exam\u{200d}ple.com",
            "\"ana\"@example.com",
            "Ana <ana@example.com>",
            "ana@example.com,eve@evil.example",
        ] {
            assert_eq!(Email::parse(text), Err(EmailError::Malformed), "{text:?}");
        }
        let long_local = format!("{}@example.com", "x".repeat(65));
        assert_eq!(Email::parse(&long_local), Err(EmailError::TooLong));
        let long_domain = format!("ana@{}example.com", format!("{}.", "y".repeat(60)).repeat(4));
        assert_eq!(Email::parse(&long_domain), Err(EmailError::TooLong));
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_the_key(text in r"(\PC|[\p{M}\p{Greek}iİıIßẞ\s])*") {
            let once = NameKey::of_any(&text);
            prop_assert_eq!(NameKey::of_any(once.as_str()), once);
        }

        // attack 85: what finds the account and what counts its guesses is one key
        #[test]
        fn a_name_is_found_and_counted_by_one_key(text in r"[\w@.+-]{1,20}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(name.key(), NameKey::of_any(&text));
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name));
            }
        }

        // attack 85
        #[test]
        fn upper_case_lower_case_and_decomposed_forms_have_the_same_key(text in r"[\p{Latin}\p{Greek}\p{Cyrillic}]{1,12}") {
            let expected = NameKey::of_any(&text);
            let upper = text.to_uppercase();
            prop_assert_eq!(NameKey::of_any(&upper), expected.clone());
            prop_assert_eq!(NameKey::of_any(&text.nfd().collect::<String>()), expected.clone());
            prop_assert_eq!(NameKey::of_any(&text.nfkd().collect::<String>()), expected);
        }

        #[test]
        fn an_address_is_found_by_the_key_of_what_is_typed(text in r"[\p{L}.+]{1,10}@[a-zA-Z]{1,8}\.[a-z]{2,4}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(email.key(), NameKey::of_any(&text));
            }
        }

        // attack 99
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = (Username::parse(&text), Email::parse(&text));
        }
    }
}
