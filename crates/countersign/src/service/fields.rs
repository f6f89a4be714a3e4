//! Custom fields of users, over all users: what a change of their declarations asks for.
//!
//! The store keeps users under the values of fields by which they are found, and of those that only one may have. When
//! the declarations change, a server goes through all users before it serves, and enters what its store hasn't seen.

use std::collections::HashMap;

use countersign_core::UserId;
use countersign_core::fields::{FieldErrors, FieldSpec, UserFields};
use countersign_store::{FieldFilter, FieldIs, Store, StoreError};

use super::{Error, Service};

/// Under this name the store knows which declarations its values were entered by.
const ENTERED: &str = "user_fields";

/// How many users are gone through at a time: few enough that a page is a matter of milliseconds.
const PAGE: u32 = 1000;

/// A user, some of whose values don't fit the declared fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// Who.
    pub user: UserId,
    /// The user name.
    pub username: String,
    /// What doesn't fit, field by field.
    pub errors: FieldErrors,
}

impl Service {
    /// The declared custom fields.
    pub fn user_fields(&self) -> &UserFields {
        &self.settings.user_fields
    }

    /// What a list of users is asked for, to have those whose field is as a text says, which may come from a form. An empty
    /// text asks for those who have no value.
    pub fn field_filter(&self, name: &str, text: &str) -> Result<FieldFilter, Error> {
        let spec = self.user_fields().get(name);
        let spec = spec.ok_or_else(|| Error::field(name, "There is no such field."))?;
        if !spec.is_indexed() {
            return Err(Error::field(name, "Users can't be listed by this field."));
        }
        let value = spec.read_text(text).map_err(|sentence| Error::field(name, sentence))?;
        let is = match spec.key(&value) {
            None => FieldIs::None,
            Some(key) if spec.default.as_ref() == Some(&value) => FieldIs::ValueOrNone(key),
            Some(key) => FieldIs::Value(key),
        };
        Ok(FieldFilter { field: name.to_owned(), is })
    }

    /// Goes through all users, and enters their values as the fields are declared here. A server does it at its start when
    /// the declarations have changed; it mends what was written meanwhile by one with others.
    pub async fn enter_fields(&self) -> Result<(), Error> {
        Ok(enter_all(&self.store, self.user_fields()).await?)
    }

    /// Goes through all users and tells of those whose values don't fit the declared fields: they were written before
    /// a field was declared as it is now. Nothing is changed.
    pub async fn misfits(&self, mut tell: impl FnMut(Misfit)) -> Result<(), Error> {
        let declared = self.user_fields();
        let unique: Vec<&FieldSpec> = declared.iter().filter(|spec| spec.unique).collect();
        let mut seen: HashMap<(&str, String), UserId> = HashMap::new();
        let mut after = UserId(0);
        loop {
            let page = self.timed("field_page", self.store.field_page(after, PAGE)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for user in page {
                let mut errors = declared.misfits(&user.fields);
                for spec in &unique {
                    let Some(key) = user.fields.get(&spec.name).and_then(|value| spec.key(value)) else {
                        continue;
                    };
                    let first = *seen.entry((&spec.name, key)).or_insert(user.id);
                    if first != user.id {
                        let sentence = format!("User {first} has this value too.");
                        errors.entry(spec.name.clone()).or_default().push(sentence);
                    }
                }
                if !errors.is_empty() {
                    tell(Misfit { user: user.id, username: user.username, errors });
                }
            }
        }
    }
}

/// Enters all users' values, if they were entered by other declarations than these.
pub(super) async fn enter(store: &Store, declared: &UserFields) -> Result<(), StoreError> {
    if store.meta(ENTERED).await?.unwrap_or_default() == what_is_entered(declared) {
        return Ok(());
    }
    tracing::info!("the custom user fields are declared anew; the values of all users are entered");
    enter_all(store, declared).await
}

/// Enters all users' values.
pub(crate) async fn enter_all(store: &Store, declared: &UserFields) -> Result<(), StoreError> {
    let (mut after, mut shared) = (Some(UserId(0)), 0);
    while let Some(place) = after {
        let page = store.enter_fields(place, PAGE).await?;
        shared += page.shared.len();
        after = page.next;
    }
    if shared > 0 {
        tracing::warn!(
            values = shared,
            "values that are to be unique are had by several users; `countersign check` lists them"
        );
    }
    store.set_meta(ENTERED, what_is_entered(declared)).await
}

/// All of the declarations that says what is entered, and how.
fn what_is_entered(declared: &UserFields) -> String {
    let indexed = declared.iter().filter(|spec| spec.is_indexed());
    let words = indexed.map(|spec| {
        let unique = if spec.unique { " unique" } else { "" };
        format!("{} {}{unique}", spec.name, spec.kind.name())
    });
    let mut words: Vec<_> = words.collect();
    words.sort();
    words.join(", ")
}
