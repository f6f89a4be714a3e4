//! The countersignature, as it comes with a request.

use countersign_core::csrf::{Csh, CsrfToken};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The headers that a CSRF token may come in: ours, then what axios and Angular send.
pub static CSRF_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-csrftoken"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-xsrf-token"),
];

/// What the CSRF headers of a request say together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CsrfHeader<'a> {
    /// There is none.
    Missing,
    /// One text, in however many headers.
    One(&'a [u8]),
    /// Two of them differ. Neither counts: the first never wins.
    Conflicting,
}

/// Why a request isn't countersigned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum CsrfFailure {
    /// There is no CSRF header.
    #[error("the CSRF header is missing")]
    Missing,
    /// The header's token is another session's, or nobody's.
    #[error("the CSRF token is not this session's")]
    Wrong,
    /// What the header holds can't be a token: `undefined`, a quoted or an encoded one, another framework's.
    #[error("the CSRF header does not hold a CSRF token")]
    Unreadable,
    /// Two CSRF headers differ.
    #[error("the CSRF headers contradict each other")]
    Conflicting,
}

/// Reads the CSRF headers of a request.
pub fn csrf_header(headers: &HeaderMap) -> CsrfHeader<'_> {
    let mut sent = CSRF_HEADERS.iter().flat_map(|name| headers.get_all(name)).map(HeaderValue::as_bytes);
    match sent.next() {
        None => CsrfHeader::Missing,
        Some(first) if sent.all(|other| other == first) => CsrfHeader::One(first),
        Some(_) => CsrfHeader::Conflicting,
    }
}

impl CsrfHeader<'_> {
    /// Checks that this countersigns the tokens that carry this `csh`. In constant time.
    pub fn check(self, csh: Csh) -> Result<(), CsrfFailure> {
        match self {
            Self::One(token) if csh.countersigned_by(token) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Why this doesn't countersign, where it doesn't.
    pub fn failure(self) -> CsrfFailure {
        match self {
            Self::Missing => CsrfFailure::Missing,
            Self::Conflicting => CsrfFailure::Conflicting,
            Self::One(token) if CsrfToken::has_form(token) => CsrfFailure::Wrong,
            Self::One(_) => CsrfFailure::Unreadable,
        }
    }
}

/// Checks that a request is countersigned for the session whose token carries this `csh`. In constant time.
pub fn check_countersignature(headers: &HeaderMap, csh: Csh) -> Result<(), CsrfFailure> {
    csrf_header(headers).check(csh)
}

/// Whether a method may change something, and so needs a countersignature: all but GET, HEAD and OPTIONS.
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn each_of_the_three_headers_is_read() {
        for name in &CSRF_HEADERS {
            let mut headers = HeaderMap::new();
            headers.insert(name, "a".parse().unwrap());
            assert_eq!(csrf_header(&headers), CsrfHeader::One(b"a"));
        }
        assert_eq!(csrf_header(&headers(&[("x-other", "a")])), CsrfHeader::Missing);
    }

    #[test]
    fn headers_that_agree_are_one() {
        let headers = headers(&[("x-csrftoken", "a"), ("x-xsrf-token", "a"), ("x-csrftoken", "a")]);
        assert_eq!(csrf_header(&headers), CsrfHeader::One(b"a"));
    }

    #[test]
    fn headers_that_differ_never_decide() {
        for pairs in [
            [("x-csrftoken", "a"), ("x-csrf-token", "b")],
            [("x-csrftoken", "a"), ("x-csrftoken", "b")],
            [("x-xsrf-token", "a"), ("x-csrf-token", "")],
        ] {
            assert_eq!(csrf_header(&headers(&pairs)), CsrfHeader::Conflicting);
        }
    }

    #[test]
    fn only_get_head_and_options_are_safe() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(!is_unsafe(&method));
        }
        for method in
            [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::CONNECT]
        {
            assert!(is_unsafe(&method));
        }
        assert!(is_unsafe(&Method::from_bytes(b"get").unwrap()));
    }
}
