//! Custom user fields: declared in the settings, kept in the user, checked here and nowhere else.
//!
//! A field has a type, rules, and an [`Editor`]: the user, or staff alone. What is written goes through one of three
//! doors, each of which tells all that is wrong at once, field by field:
//!
//! - [`UserFields::new_user`]: the fields of a user to be made; the required ones must be among them.
//! - [`UserFields::change`]: some fields of a user who is there; `null` clears one.
//! - [`UserFields::read_texts`]: texts, from a form, a command line or an import, as values for the two above.
//!
//! What is kept is canonical (`value.rs` says how), so that equal values are equal bytes. What is kept already may be older
//! than the declarations: a field may since have been tightened, given another type, or removed. Nothing kept is ever
//! lost or judged for that. It is shown as it is, if its field is declared, and has to be put right only when that
//! field is written; [`UserFields::misfits`] tells of it.
//!
//! A default is not kept: it stands in where there is no value, so it can be changed for all who have none.

mod declare;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use declare::{Declaration, DeclarationError, FieldType};
pub use value::{FieldKind, Pattern, TextRule};

/// Sentences about fields, by the field's name.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// Who may write a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Editor {
    /// The users themselves, in their profile, and staff.
    User,
    /// Staff alone: the admin site, the command line, an import.
    #[default]
    Staff,
}

/// A declared field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FieldSpec {
    /// The name: a member of `user`, and a claim.
    pub name: String,
    /// The type, and the rules of its values.
    pub kind: FieldKind,
    /// Whether a new user must have it, and nobody may clear it. A default satisfies it.
    pub required: bool,
    /// What stands where there is no value; canonical.
    pub default: Option<Value>,
    /// Whether no two users may have the same value.
    pub unique: bool,
    /// Who may write it.
    pub editable_by: Editor,
    /// Whether access tokens carry it.
    pub in_token: bool,
    /// What a form calls it.
    pub label: String,
    /// What a form says below it; may be empty.
    pub help: String,
}

/// The declared fields, in the order of their declaration.
#[derive(Clone, Debug, Default)]
pub struct UserFields(Vec<FieldSpec>);

/// Declaring and finding.
impl UserFields {
    /// Takes declarations, by their names. The first that won't do is told.
    pub fn declare(
        declarations: impl IntoIterator<Item = (String, Declaration)>,
    ) -> Result<Self, DeclarationError> {
        declare::all(declarations).map(Self)
    }

    /// The fields, in the order of their declaration.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldSpec> {
        self.0.iter()
    }

    /// A field, by its name.
    pub fn get(&self, name: &str) -> Option<&FieldSpec> {
        self.0.iter().find(|spec| spec.name == name)
    }

    /// Whether none are declared.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a UserFields {
    type Item = &'a FieldSpec;
    type IntoIter = std::slice::Iter<'a, FieldSpec>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writing.
impl UserFields {
    /// The fields of a user to be made, by staff: canonical, without those that have no value.
    pub fn new_user(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut fields = self.canonical(given, Editor::Staff, &mut errors);
        fields.retain(|_, value| !value.is_null());
        for spec in self.iter().filter(|spec| spec.must_have()) {
            if !fields.contains_key(&spec.name) {
                // Where what was given won't do, that has been told.
                errors.entry(spec.name.clone()).or_insert_with(|| vec![REQUIRED.to_owned()]);
            }
        }
        if errors.is_empty() { Ok(fields) } else { Err(errors) }
    }

    /// What changes of a user's fields: canonical, `null` where one is cleared, and nothing that stays as it is.
    ///
    /// `stored` are the user's fields now. One that is given as it stands isn't judged: it may be older than its rules.
    pub fn change(
        &self,
        given: &Map<String, Value>,
        stored: &Map<String, Value>,
        who: Editor,
    ) -> Result<Map<String, Value>, FieldErrors> {
        let stays = |name: &str, value: &Value| {
            self.get(name).is_some_and(|spec| spec.may_write(who))
                && stored.get(name).unwrap_or(&Value::Null) == value
        };
        let given = given.iter().filter(|(name, value)| !stays(name, value));
        let given = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut errors = FieldErrors::new();
        let mut changes = self.canonical(&given, who, &mut errors);
        for spec in self.iter().filter(|spec| spec.must_have()) {
            if changes.get(&spec.name).is_some_and(Value::is_null) {
                errors.insert(spec.name.clone(), vec![REQUIRED.to_owned()]);
            }
        }
        changes.retain(|name, value| stored.get(name).unwrap_or(&Value::Null) != value);
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    }

    /// Texts as values: what a form, a command line or an import has. A text without more than white space is `null`.
    ///
    /// `stored` are the fields of the user who is changed, if there is one: a text that shows what stands (as a form
    /// is filled in) is left out, so that it isn't judged.
    pub fn read_texts<'a>(
        &self,
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
        stored: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, FieldErrors> {
        let (mut values, mut errors) = (Map::new(), FieldErrors::new());
        for (name, text) in texts {
            let Some(spec) = self.get(name) else {
                errors.insert(name.to_owned(), vec![unknown(name).to_owned()]);
                continue;
            };
            if stored.is_some_and(|stored| spec.text(spec.shown(stored)) == text) {
                continue;
            }
            match spec.read_text(text) {
                Ok(value) => drop(values.insert(name.to_owned(), value)),
                Err(sentence) => drop(errors.insert(name.to_owned(), vec![sentence])),
            }
        }
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }

    fn canonical(
        &self,
        given: &Map<String, Value>,
        who: Editor,
        errors: &mut FieldErrors,
    ) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, value) in given {
            let read = match self.get(name) {
                None => Err(unknown(name).to_owned()),
                Some(spec) if !spec.may_write(who) => Err(READ_ONLY.to_owned()),
                Some(spec) => spec.read(value),
            };
            match read {
                Ok(value) => drop(fields.insert(name.clone(), value)),
                Err(sentence) => drop(errors.insert(name.clone(), vec![sentence])),
            }
        }
        fields
    }
}

/// Reading what is kept.
impl UserFields {
    /// The declared fields of a user, as they are shown: what is kept, else the default, else `null`.
    pub fn shown(&self, stored: &Map<String, Value>) -> Map<String, Value> {
        self.iter().map(|spec| (spec.name.clone(), spec.shown(stored).clone())).collect()
    }

    /// What goes into the user's access tokens: of the fields that do, those that have a value, and one that fits. Who
    /// trusts a token may rely on its claims' types.
    pub fn claims(&self, stored: &Map<String, Value>) -> Map<String, Value> {
        let in_token = self.iter().filter(|spec| spec.in_token);
        let claims = in_token.filter_map(|spec| {
            let value = spec.shown(stored);
            let fits = !value.is_null() && spec.read(value).is_ok();
            fits.then(|| (spec.name.clone(), value.clone()))
        });
        claims.collect()
    }

    /// The most bytes that [`UserFields::claims`] take in a token. However users fill them in, there is room for them: a
    /// declaration that would take too much is refused.
    pub fn claims_max(&self) -> usize {
        self.iter().map(FieldSpec::claim_max).sum()
    }

    /// Which of a user's fields don't fit their declarations, and why. Fields that aren't declared are none.
    pub fn misfits(&self, stored: &Map<String, Value>) -> FieldErrors {
        let misfit = |spec: &FieldSpec| match stored.get(&spec.name).unwrap_or(&Value::Null) {
            Value::Null => spec.must_have().then(|| REQUIRED.to_owned()),
            value => spec.read(value).err(),
        };
        self.iter().filter_map(|spec| Some((spec.name.clone(), vec![misfit(spec)?]))).collect()
    }
}

impl FieldSpec {
    /// Reads a value: its canonical form, `null` for none, or a sentence.
    pub fn read(&self, value: &Value) -> Result<Value, String> {
        self.kind.read(value)
    }

    /// Reads a text.
    pub fn read_text(&self, text: &str) -> Result<Value, String> {
        self.kind.read_text(text)
    }

    /// A value as a text, such as [`FieldSpec::read_text`] takes; of `null`, an empty one.
    pub fn text(&self, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The field's value of a user, as it is shown: what is kept, else the default, else `null`.
    pub fn shown<'a>(&'a self, stored: &'a Map<String, Value>) -> &'a Value {
        let kept = stored.get(&self.name).filter(|value| !value.is_null());
        kept.or(self.default.as_ref()).unwrap_or(&Value::Null)
    }

    /// Whether users can be found by the field's values.
    pub fn is_indexed(&self) -> bool {
        self.unique
            || matches!(
                self.kind,
                FieldKind::Integer | FieldKind::Boolean | FieldKind::Date | FieldKind::Enum { .. }
            )
    }

    /// The form of a value that users are found by, and that must be unique if the field is. It takes what is kept as
    /// it is, whether it fits or not; `None` where it is of another type.
    pub fn key(&self, value: &Value) -> Option<String> {
        self.kind.key(value)
    }

    /// The most bytes that it takes in a token: `"name":value,`.
    fn claim_max(&self) -> usize {
        if self.in_token { self.name.len() + "\"\":,".len() + self.kind.json_max() } else { 0 }
    }

    /// Whether this editor may write it.
    pub fn may_write(&self, who: Editor) -> bool {
        match self.editable_by {
            Editor::User => true,
            Editor::Staff => who == Editor::Staff,
        }
    }

    /// Whether every user is to have a value of their own.
    fn must_have(&self) -> bool {
        self.required && self.default.is_none()
    }
}

const REQUIRED: &str = "This field is required.";
const READ_ONLY: &str = "This field is read-only.";

/// The sentence about a name that isn't a declared field.
fn unknown(name: &str) -> &'static str {
    if declare::USER_MEMBERS.contains(&name) { READ_ONLY } else { "There is no such field." }
}
