//! The types of fields, and the canonical form of their values.
//!
//! | type | kept as |
//! | --- | --- |
//! | string | NFC, without white space at the ends, without control characters or line breaks |
//! | integer | a JSON integer that every reader of JSON keeps exactly (±(2⁵³ − 1)) |
//! | boolean | `true` or `false` |
//! | date | `2020-01-31` |
//! | email | an address, as it was written; two are the same if they differ only in case |
//! | url | `http` or `https`, its host in lower case, without a default port, what isn't ASCII percent-encoded |
//! | enum | one of the choices |
//!
//! NFC, because it changes no character that a person sees, and makes one text of two that look alike to the pixel; not
//! NFKC, since `x²` in a remark isn't `x2`. An empty text is no value, for every type that is written as a text.

use std::fmt::{self, Write};

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use time::{Date, Month};
use unicode_normalization::UnicodeNormalization;

use crate::name::{EMAIL_MAX, Email, NameKey};
use crate::origin::Origin;
use crate::secret::sha256;

/// The longest text that a declaration may allow, in characters.
pub(super) const LENGTH_MAX: usize = 4096;
/// The most choices of an enum.
pub(super) const CHOICES_MAX: usize = 100;

/// A longer list of choices isn't repeated in a sentence.
const CHOICES_TOLD: usize = 20;
/// The most bytes that are one character in NFC: the longest canonical decomposition has four code points.
const BYTES_A_CHARACTER: usize = 16;
/// The largest integer that a double holds exactly, and with it every reader of JSON (RFC 8259, section 6).
const INTEGER_MAX: i64 = (1 << 53) - 1;
/// The longest pattern, and the most memory that it may take, both in bytes.
const PATTERN_MAX: usize = 1000;
const PATTERN_SIZE: usize = 64 * 1024;
/// A longer key is hashed: an index has its limits.
const KEY_MAX: usize = 512;

/// A type, with the rules of its values.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// A line of text.
    String(TextRule),
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A day of the calendar.
    Date,
    /// An e-mail address.
    Email(TextRule),
    /// A web address.
    Url(TextRule),
    /// One of some choices.
    Enum {
        /// The choices, in the order in which a form shows them.
        choices: Vec<String>,
    },
}

/// The rules of a text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TextRule {
    /// The most characters.
    pub max_length: usize,
    /// What the whole of it must match.
    pub pattern: Option<Pattern>,
}

/// A regular expression that the whole of a text must match. It takes time in step with the text, whatever it says.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

impl FieldKind {
    /// The type's name, as it is declared.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Email(_) => "email",
            Self::Url(_) => "url",
            Self::Enum { .. } => "enum",
        }
    }

    /// The rules of a text, if the type has such.
    pub const fn text_rule(&self) -> Option<&TextRule> {
        match self {
            Self::String(rule) | Self::Email(rule) | Self::Url(rule) => Some(rule),
            Self::Integer | Self::Boolean | Self::Date | Self::Enum { .. } => None,
        }
    }

    /// The most bytes that a value takes in JSON.
    pub(super) fn json_max(&self) -> usize {
        // Of a character in JSON there are four bytes at most: no value has a control character.
        let quoted = |bytes: usize| "\"\"".len() + bytes;
        match self {
            Self::String(rule) => quoted(4 * rule.max_length),
            Self::Email(rule) => quoted((4 * rule.max_length).min(EMAIL_MAX)),
            Self::Url(rule) => quoted(rule.max_length),
            Self::Integer => INTEGER_MAX.to_string().len() + "-".len(),
            Self::Boolean => "false".len(),
            Self::Date => "\"2020-01-31\"".len(),
            Self::Enum { choices } => quoted(2 * choices.iter().map(String::len).max().unwrap_or_default()),
        }
    }

    /// The canonical form of a value, `null` for none, or a sentence that says what to write.
    pub(super) fn read(&self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Self::Integer, value) => integer(value.as_i64()),
            (Self::Boolean, Value::Bool(_)) => Ok(value.clone()),
            (Self::Boolean, _) => Err("Must be true or false.".into()),
            (_, Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
            (Self::String(rule), Value::String(text)) => rule.text(text),
            (Self::Date, Value::String(text)) => date(text.trim()),
            (Self::Email(rule), Value::String(text)) => rule.email(text.trim()),
            (Self::Url(rule), Value::String(text)) => rule.url(text.trim()),
            (Self::Enum { choices }, Value::String(text)) => choice(choices, text),
            _ => Err("Must be a string.".into()),
        }
    }

    /// The same, of a text.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match self {
            _ if text.is_empty() => Ok(Value::Null),
            Self::Integer => integer(text.parse().ok()),
            Self::Boolean => boolean(text),
            _ => self.read(&Value::from(text)),
        }
    }

    /// The form by which values are the same; `None` for a value of another type.
    pub(super) fn key(&self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Integer, value) => value.as_i64().map(|number| number.to_string()),
            (Self::Boolean, Value::Bool(value)) => Some(value.to_string()),
            (Self::Email(_), Value::String(text)) => Some(bounded(NameKey::of_any(text).as_str())),
            (Self::String(_) | Self::Date | Self::Url(_) | Self::Enum { .. }, Value::String(text)) => {
                Some(bounded(text))
            }
            _ => None,
        }
    }
}

impl TextRule {
    fn text(&self, text: &str) -> Result<Value, String> {
        let text = text_of(text, self.max_length)?;
        self.check(text)
    }

    fn email(&self, text: &str) -> Result<Value, String> {
        let email = Email::parse(text).map_err(|error| error.to_string())?;
        self.check(email.as_str().to_owned())
    }

    fn url(&self, text: &str) -> Result<Value, String> {
        if text.len() > LENGTH_MAX {
            return Err(too_long(self.max_length));
        }
        let url = url(text).ok_or("Write a web address like https://example.com/page.")?;
        self.check(url)
    }

    fn check(&self, text: String) -> Result<Value, String> {
        if text.chars().count() > self.max_length {
            return Err(too_long(self.max_length));
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(&text)) {
            return Err("This is not of the form that is asked for.".into());
        }
        Ok(Value::String(text))
    }
}

impl Pattern {
    /// Reads a pattern (the syntax of the crate `regex-lite`), or says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_MAX {
            return Err(format!("has a pattern of over {PATTERN_MAX} bytes; write a shorter one"));
        }
        let compile = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_SIZE).build();
        // First by itself, so that it can't close the group that it is put into.
        compile(text)
            .and_then(|_| compile(&format!("\\A(?:{text})\\z")))
            .map(|whole| Self { text: text.to_owned(), whole })
            .map_err(|error| format!("has a pattern that can't be read: {error}"))
    }

    /// As it was declared.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of a text.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

/// A line of text: NFC, without white space at the ends.
pub(super) fn text_of(text: &str, max_length: usize) -> Result<String, String> {
    let text = text.trim();
    if text.len() > max_length.saturating_mul(BYTES_A_CHARACTER) {
        return Err(too_long(max_length));
    }
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        return Err("Write one line, without control characters.".into());
    }
    let text: String = text.nfc().collect();
    if text.chars().count() > max_length { Err(too_long(max_length)) } else { Ok(text) }
}

fn too_long(max_length: usize) -> String {
    let s = if max_length == 1 { "" } else { "s" };
    format!("Write at most {max_length} character{s}.")
}

fn integer(number: Option<i64>) -> Result<Value, String> {
    let number = number.filter(|number| (-INTEGER_MAX..=INTEGER_MAX).contains(number));
    number.map(Value::from).ok_or_else(|| {
        format!("Write a whole number, in digits alone, from -{INTEGER_MAX} to {INTEGER_MAX}.")
    })
}

fn boolean(text: &str) -> Result<Value, String> {
    match &*text.to_ascii_lowercase() {
        "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
        "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
        _ => Err("Write true or false.".into()),
    }
}

fn date(text: &str) -> Result<Value, String> {
    let read = || {
        let [year, month, day] = <[&str; 3]>::try_from(text.split('-').collect::<Vec<_>>()).ok()?;
        let number = |digits: &str, length: usize| {
            let fits = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| fits)
        };
        let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok().filter(|_| year > 0)
    };
    read().map(|_| Value::from(text)).ok_or_else(|| "Write a date like 2020-01-31.".to_owned())
}

fn choice(choices: &[String], text: &str) -> Result<Value, String> {
    let found = text_of(text, LENGTH_MAX).ok().filter(|text| choices.contains(text));
    found.map(Value::String).ok_or_else(|| match choices.len() {
        ..=CHOICES_TOLD => format!("Choose one of these: {}.", choices.join(", ")),
        _ => "Choose one of the listed values.".into(),
    })
}

/// A web address in its canonical form. Only `http` and `https`: a link of any other kind may run script, or open an
/// application. No user names: they only serve to mislead.
fn url(text: &str) -> Option<String> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    let authority_at = text.find("://")? + "://".len();
    let (_, after_scheme) = text.split_at_checked(authority_at)?;
    let authority = after_scheme.split(['/', '?', '#']).next()?;
    let (origin, rest) = text.split_at_checked(authority_at + authority.len())?;
    if authority.contains('@') {
        return None;
    }
    let origin = Origin::read(origin).ok().filter(|origin| matches!(origin.scheme(), "http" | "https"))?;
    let mut url = origin.as_str().to_owned();
    if !rest.starts_with('/') {
        url.push('/');
    }
    for byte in rest.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'`' | b'{' | b'|' | b'}' | b'^' | b'\'' | 0x80.. => {
                let _ = write!(url, "%{byte:02X}");
            }
            _ => url.push(char::from(byte)),
        }
    }
    Some(url)
}

/// A key that fits into any index.
fn bounded(text: &str) -> String {
    if text.len() <= KEY_MAX {
        return text.to_owned();
    }
    let mut key = "#sha256:".to_owned();
    for byte in sha256(text.as_bytes()) {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// Two are the same if they were declared the same.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
