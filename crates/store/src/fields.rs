//! Custom fields of users, as the store keeps them: in one JSON object of the user, and under their values, by which
//! users are found and which only one may have.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::UserId;
use countersign_core::fields::UserFields;
use serde_json::{Map, Value};

/// A user's custom fields.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldHolder {
    /// Who.
    pub id: UserId,
    /// The user name.
    pub username: String,
    /// All that is kept, declared or not.
    pub fields: Map<String, Value>,
}

/// A page of users who were put under the values of their fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnteredPage {
    /// Whose unique field has a value that another user has, by right of being there first: it was written when users
    /// might share it.
    pub shared: Vec<(UserId, String)>,
    /// Where the next page begins, if there may be one.
    pub next: Option<UserId>,
}

/// What a custom field must be in a list of users. The field is one by whose values users are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldFilter {
    /// The field.
    pub field: String,
    /// What it must be.
    pub is: FieldIs,
}

/// What a custom field must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldIs {
    /// The value of this key.
    Value(String),
    /// The value of this key, or none: it is what stands where there is none.
    ValueOrNone(String),
    /// No value.
    None,
}

/// A value under which a user stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct FieldKey {
    pub(crate) field: String,
    pub(crate) value: String,
    /// Whether only one user may have it.
    pub(crate) is_unique: bool,
}

/// Changes the fields of a user: `null` takes one away.
pub(crate) fn apply(fields: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}

/// Under which values these fields put a user.
pub(crate) fn keys(declared: &UserFields, fields: &Map<String, Value>) -> Vec<FieldKey> {
    let key = |(name, value): (&String, &Value)| {
        let spec = declared.get(name).filter(|spec| spec.is_indexed())?;
        Some(FieldKey { field: name.clone(), value: spec.key(value)?, is_unique: spec.unique })
    };
    fields.iter().filter_map(key).collect()
}

/// What users stand under.
pub(crate) type Standing = BTreeMap<UserId, BTreeSet<FieldKey>>;

/// What is to change so that users stand under all of their values, and under no others.
#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) gone: Vec<(UserId, FieldKey)>,
    pub(crate) new: Vec<(UserId, FieldKey)>,
}

/// From what these users stand under now to what they are to stand under.
pub(crate) fn entries(declared: &UserFields, users: Vec<FieldHolder>, mut standing: Standing) -> Entries {
    let mut entries = Entries::default();
    for user in users {
        let of_user = |key: &FieldKey| (user.id, key.clone());
        let stands = standing.remove(&user.id).unwrap_or_default();
        let wanted = keys(declared, &user.fields).into_iter().collect();
        entries.gone.extend(stands.difference(&wanted).map(of_user));
        entries.new.extend(wanted.difference(&stands).map(of_user));
    }
    entries
}
