//! What a form sends: the fields of a post, or the query of a link.
//!
//! An id in a path is read here too: one that is none names nothing, so there is nothing there.
//!
//! Text is taken as UTF-8, and a field that a form has only once counts only once: a second value is ignored.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use http::{HeaderMap, header};
use url::form_urlencoded;

use crate::answer::Refused;

/// The most fields of a form or a query. A page of users, of groups or of permissions sends two for each row at most.
const FIELDS_MAX: usize = 10_000;

/// The fields of a request, as an extractor: of the body where it changes something, else of the query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads them all; where there are too many, none: what a form left out would be taken for unticked.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refused> {
        let fields = form_urlencoded::parse(text).take(FIELDS_MAX + 1);
        let fields: Vec<_> = fields.map(|(name, value)| (name.into(), value.into())).collect();
        if fields.len() > FIELDS_MAX {
            let sentence = format!("A form has at most {FIELDS_MAX} fields. Nothing was changed.");
            return Err(Refused::Misfit(sentence));
        }
        Ok(Self(fields))
    }

    /// Whether a request says that its body is a form.
    pub(crate) fn is_form(headers: &HeaderMap) -> bool {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// A field's text; empty where it wasn't sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// Takes a field out, for what isn't to be kept beside the others.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(at).1)
    }

    /// Whether a box was ticked.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// All values of a field that a form has many times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All fields, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get::<Self>().cloned().ok_or(Refused::UnguardedRoute)
    }
}

/// The one part of a path that varies.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let text = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Refused::NotFound)?;
        text.parse().map(Self).map_err(|_| Refused::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_field_counts() {
        let fields = Fields::parse(b"a=1&a=2&b=%20x+y&c").unwrap();
        assert_eq!(fields.text("a"), "1");
        assert_eq!(fields.text("b"), " x y");
        assert!(fields.is_on("c") && !fields.is_on("d"));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.text("d"), "");
    }

    // attack 99
    #[test]
    fn a_form_with_too_many_fields_is_refused_and_not_cut() {
        assert_eq!(Fields::parse(&b"a=1&".repeat(FIELDS_MAX)).unwrap().iter().count(), FIELDS_MAX);
        assert!(matches!(Fields::parse(&b"a=1&".repeat(FIELDS_MAX + 1)), Err(Refused::Misfit(_))));
    }

    // attack 99
    #[test]
    fn no_bytes_upset_it() {
        for bytes in [&b"%"[..], b"%zz=%", b"\xff\xfe=\x00", b"&&&===", &[b'&'; 10_000]] {
            let _ = Fields::parse(bytes);
        }
    }
}
