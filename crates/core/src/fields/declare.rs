//! Declarations of fields, as they are written, and what can't be right about them.

use serde::Deserialize;
use serde_json::Value;

use super::value::{CHOICES_MAX, FieldKind, LENGTH_MAX, Pattern, TextRule, text_of};
use super::{Editor, FieldSpec};

/// The most fields, and the longest name, label and help, in characters.
const FIELDS_MAX: usize = 64;
const NAME_MAX: usize = 40;
const LABEL_MAX: usize = 100;
const HELP_MAX: usize = 500;

/// The longest text where the declaration doesn't say, in characters.
const TEXT_LENGTH: usize = 255;
const URL_LENGTH: usize = 2048;

/// The most bytes that all fields together may take in a token, which travels with every request.
const CLAIMS_MAX: usize = 2048;

/// What a user has already, here or in requests about them, and what the admin site and Django call it.
pub(super) const USER_MEMBERS: &[&str] = &[
    "id",
    "user_id",
    "username",
    "email",
    "first_name",
    "last_name",
    "is_active",
    "is_staff",
    "is_superuser",
    "joined_at",
    "date_joined",
    "last_login_at",
    "last_login",
    "groups",
    "permissions",
    "user_permissions",
];

/// Members of requests about a user, which a field of this name would hide.
const REQUEST_MEMBERS: &[&str] = &["password", "old_password", "new_password", "user", "fields"];

/// What access tokens say, and the registered claims (RFC 7519, 7800, 8693, 9068, OpenID Connect) by which others
/// decide who somebody is or what they may do.
const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "gen",
    "csh",
    "token_type",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "nonce",
    "cnf",
    "act",
    "may_act",
    "scope",
    "client_id",
    "roles",
    "entitlements",
];

/// A field, as it is declared. What isn't written is as in [`Declaration::new`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether a new user must have it, and nobody may clear it.
    #[serde(default)]
    pub required: bool,
    /// The longest value, in characters: of a string, an e-mail address or a URL.
    pub max_length: Option<usize>,
    /// A regular expression that the whole of a string, an e-mail address or a URL must match.
    pub pattern: Option<String>,
    /// The values of an enum.
    pub choices: Option<Vec<String>>,
    /// What stands where there is no value.
    pub default: Option<Value>,
    /// Whether no two users may have the same value.
    #[serde(default)]
    pub unique: bool,
    /// Who may write it; staff, if it isn't said.
    #[serde(default)]
    pub editable_by: Editor,
    /// Whether access tokens carry it.
    #[serde(default)]
    pub in_token: bool,
    /// What a form calls it; made from the name, if it isn't said.
    pub label: Option<String>,
    /// What a form says below it.
    pub help: Option<String>,
}

/// The types.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// A line of text.
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A day of the calendar.
    Date,
    /// An e-mail address.
    Email,
    /// A web address.
    Url,
    /// One of some choices.
    Enum,
}

/// A declaration that won't do: whose, and a clause that goes on from its name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct DeclarationError {
    /// The field.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl Declaration {
    /// A field of this type, with nothing else said: optional, written by staff alone, in no token.
    pub fn new(field_type: FieldType) -> Self {
        Self {
            field_type,
            required: false,
            max_length: None,
            pattern: None,
            choices: None,
            default: None,
            unique: false,
            editable_by: Editor::Staff,
            in_token: false,
            label: None,
            help: None,
        }
    }
}

pub(super) fn all(
    declarations: impl IntoIterator<Item = (String, Declaration)>,
) -> Result<Vec<FieldSpec>, DeclarationError> {
    let mut specs: Vec<FieldSpec> = Vec::new();
    for (name, declaration) in declarations {
        let refuse = |problem: String| DeclarationError { field: name.clone(), problem };
        if specs.iter().any(|spec| spec.name == name) {
            return Err(refuse("is declared twice; take one out".to_owned()));
        }
        if specs.len() == FIELDS_MAX {
            return Err(refuse(format!("is one too many: there may be {FIELDS_MAX} fields")));
        }
        let spec = spec(&name, declaration).map_err(&refuse)?;
        let claims = spec.claim_max() + specs.iter().map(FieldSpec::claim_max).sum::<usize>();
        if claims > CLAIMS_MAX {
            return Err(refuse(format!(
                "may make tokens too long: the fields in tokens can take {claims} bytes, and may take {CLAIMS_MAX}; \
                 write a smaller max_length, or take in_token out"
            )));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn spec(name: &str, declaration: Declaration) -> Result<FieldSpec, String> {
    check_name(name)?;
    let label = prose("label", declaration.label.as_deref(), LABEL_MAX)?;
    let help = prose("help", declaration.help.as_deref(), HELP_MAX)?;
    let declared = declaration.default.clone();
    let (required, unique) = (declaration.required, declaration.unique);
    let (editable_by, in_token) = (declaration.editable_by, declaration.in_token);
    let kind = kind(declaration)?;
    let default = declared.map(|value| default(&kind, &value)).transpose()?;
    if unique && matches!(kind, FieldKind::Boolean | FieldKind::Enum { .. }) {
        return Err("can't be unique: there would be no more users than values; take unique out".into());
    }
    if unique && default.is_some() {
        return Err("can't be unique and have a default, which many users would share; take one out".into());
    }
    let label = if label.is_empty() { label_of(name) } else { label };
    let name = name.to_owned();
    Ok(FieldSpec { name, kind, required, default, unique, editable_by, in_token, label, help })
}

fn check_name(name: &str) -> Result<(), String> {
    let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins || !name.bytes().all(sign) || name.len() > NAME_MAX {
        return Err(format!(
            "is no name for a field; begin with a letter, and write lower-case letters, digits and _ \
             ({NAME_MAX} at most), such as phone_number"
        ));
    }
    if USER_MEMBERS.contains(&name) || REQUEST_MEMBERS.contains(&name) {
        return Err(format!("is what every user has already; write another name, such as my_{name}"));
    }
    if CLAIMS.contains(&name) {
        return Err(format!("has a meaning of its own in tokens; write another name, such as my_{name}"));
    }
    Ok(())
}

fn kind(declaration: Declaration) -> Result<FieldKind, String> {
    let Declaration { field_type, max_length, pattern, choices, .. } = declaration;
    let is_text = matches!(field_type, FieldType::String | FieldType::Email | FieldType::Url);
    for (option, is_there) in [("max_length", max_length.is_some()), ("pattern", pattern.is_some())] {
        if is_there && !is_text {
            return Err(format!("has a {option}, which is for string, email and url; take it out"));
        }
    }
    if choices.is_some() && field_type != FieldType::Enum {
        return Err(
            "has choices, which are for the type enum; write type = \"enum\", or take them out".into()
        );
    }
    let text_rule = |length: usize| {
        let max_length = max_length.unwrap_or(length);
        if !(1..=LENGTH_MAX).contains(&max_length) {
            return Err(format!("has a max_length of {max_length}; write one from 1 to {LENGTH_MAX}"));
        }
        let pattern = pattern.as_deref().map(Pattern::new).transpose()?;
        Ok(TextRule { max_length, pattern })
    };
    Ok(match field_type {
        FieldType::String => FieldKind::String(text_rule(TEXT_LENGTH)?),
        FieldType::Email => FieldKind::Email(text_rule(TEXT_LENGTH)?),
        FieldType::Url => FieldKind::Url(text_rule(URL_LENGTH)?),
        FieldType::Integer => FieldKind::Integer,
        FieldType::Boolean => FieldKind::Boolean,
        FieldType::Date => FieldKind::Date,
        FieldType::Enum => FieldKind::Enum { choices: check_choices(choices.unwrap_or_default())? },
    })
}

fn check_choices(choices: Vec<String>) -> Result<Vec<String>, String> {
    if choices.is_empty() {
        return Err("is an enum without choices; write choices = [\"a\", \"b\"]".into());
    }
    if choices.len() > CHOICES_MAX {
        return Err(format!("has {} choices; write {CHOICES_MAX} at most", choices.len()));
    }
    for (index, choice) in choices.iter().enumerate() {
        if choice.is_empty() || text_of(choice, LABEL_MAX).as_ref() != Ok(choice) {
            return Err(format!(
                "has the choice {choice:?}; write 1 to {LABEL_MAX} characters, without white space at the ends, \
                 control characters, or accents as characters of their own"
            ));
        }
        if choices.iter().take(index).any(|earlier| earlier == choice) {
            return Err(format!("has the choice {choice:?} twice; take one out"));
        }
    }
    Ok(choices)
}

fn default(kind: &FieldKind, value: &Value) -> Result<Value, String> {
    match kind.read(value) {
        Ok(Value::Null) => Err("has an empty default; take it out".into()),
        Ok(value) => Ok(value),
        Err(sentence) => Err(format!("has a default that won't do: {sentence}")),
    }
}

fn prose(option: &str, text: Option<&str>, max: usize) -> Result<String, String> {
    text_of(text.unwrap_or_default(), max)
        .map_err(|_| format!("has a {option} that won't do: write at most {max} characters, in one line"))
}

/// `phone_number` is the "Phone number".
fn label_of(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.trim().chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

impl<'de> Deserialize<'de> for Editor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "user" => Ok(Self::User),
            "staff" => Ok(Self::Staff),
            _ => Err(serde::de::Error::custom("editable_by is to be \"user\" or \"staff\"")),
        }
    }
}
