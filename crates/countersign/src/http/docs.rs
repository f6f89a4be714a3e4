//! `/openapi.json`: the same for everyone and ready since the start; a client that has it is told so (`304`).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::secret::sha256;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::App;

/// What is served of the documentation.
pub(crate) struct Docs {
    openapi: File,
}

/// Bytes to be served, with what a client may know them by.
struct File {
    kind: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Docs {
    pub(crate) fn new(openapi: String) -> Self {
        Self { openapi: File::new("application/json", openapi) }
    }
}

impl File {
    fn new(kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&bytes)));
        Self { kind, bytes, etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")) }
    }

    /// The file, or `304` where the client has it. It asks each time, so that an upgrade shows at once.
    fn answer(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::ETAG, self.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if self.is_known(request) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        (headers, kind, self.bytes.clone()).into_response()
    }

    /// RFC 9110, section 13.1.2: any of the tags, weak or not, or all of them.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let sent = request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&b| b == b','));
        let mut sent = sent.map(<[u8]>::trim_ascii);
        sent.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes())
    }
}

pub(crate) async fn openapi(State(app): State<App>, headers: HeaderMap) -> Response {
    app.docs.openapi.answer(&headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_the_file_is_told_so() {
        let file = File::new("application/json", "{}");
        let status = |known: &str| {
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            file.answer(&request).status()
        };
        let fresh = file.answer(&HeaderMap::new());
        assert_eq!(fresh.status(), StatusCode::OK);
        assert_eq!(fresh.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(fresh.headers()[header::CACHE_CONTROL], "no-cache");
        let tag = fresh.headers()[header::ETAG].to_str().unwrap();
        for same in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert_eq!(status(&same), StatusCode::NOT_MODIFIED, "{same}");
        }
        for other in ["\"other\"", "", &tag[1..], "W/", "\u{e9}"] {
            assert_eq!(status(other), StatusCode::OK, "{other}");
        }
    }
}
