//! Lists: their addresses, and the way to their next page.
//!
//! Pages go by key, not by number: the next one begins after the last row of this one, so that the millionth row is as
//! near as the first. The browser's own way back leads to the page before.

use std::fmt::Display;

use url::form_urlencoded::Serializer;

/// How many rows a page has.
pub(crate) const ROWS: u32 = 50;

/// The ends of a list.
pub(crate) struct Pager {
    /// Where the list begins, if this isn't there.
    pub(crate) first: Option<String>,
    /// Where it goes on, if it does.
    pub(crate) next: Option<String>,
}

impl Pager {
    /// For a list at this address, of which this is the page `after` something.
    pub(crate) fn new(path: &str, asked: &[(&str, &str)], after: &str, next: Option<impl Display>) -> Self {
        let first = (!after.is_empty()).then(|| address(path, asked));
        let next = next.map(|next| {
            let next = next.to_string();
            address(path, &[asked, &[("after", &*next)]].concat())
        });
        Self { first, next }
    }
}

/// A path with a query, without what is empty in it.
pub(crate) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let asked: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
    if asked.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", Serializer::new(String::new()).extend_pairs(asked).finish())
}

/// An option of a `select`.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) text: String,
    pub(crate) is_chosen: bool,
}

impl Choice {
    /// Options of these values and texts.
    pub(crate) fn of<V: Into<String>, T: Into<String>>(
        all: impl IntoIterator<Item = (V, T)>,
        chosen: &str,
    ) -> Vec<Self> {
        let choice = |(value, text): (V, T)| {
            let value = value.into();
            Self { is_chosen: value == chosen, value, text: text.into() }
        };
        all.into_iter().map(choice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_what_was_asked_for_and_is_encoded() {
        assert_eq!(address("/admin/users", &[("q", ""), ("sort", "")]), "/admin/users");
        assert_eq!(address("/a", &[("q", "a&b=c \"<"), ("s", "")]), "/a?q=a%26b%3Dc+%22%3C");
    }

    #[test]
    fn a_page_leads_on_and_back_to_the_first() {
        let pager = Pager::new("/a", &[("q", "x")], "", Some("7:x"));
        assert_eq!((pager.first, pager.next.as_deref()), (None, Some("/a?q=x&after=7%3Ax")));
        let pager = Pager::new("/a", &[("q", "x")], "7:x", None::<&str>);
        assert_eq!((pager.first.as_deref(), pager.next), (Some("/a?q=x"), None));
    }
}
