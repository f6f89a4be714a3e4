//! `/openapi.json`, and `/docs`: a page of our own that shows it, without any other host.
//!
//! All of it is the same for everyone and ready since the start; a client that has it is told so (`304`).

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::secret::sha256;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use super::App;
use super::error::Refusal;
use crate::service::Error;

/// Where the page names its assets and the document, a mark stands for the way there: it depends on whether the page
/// was asked for with a slash at the end.
const PAGE: &str = include_str!("docs/index.html");
const ASSETS_MARK: &str = "{assets}";
const ROOT_MARK: &str = "{root}";

/// Name, type, bytes.
static ASSETS: [(&str, &str, &[u8]); 10] = [
    ("style.css", STYLE, include_bytes!("docs/style.css")),
    ("page.js", SCRIPT, include_bytes!("docs/page.js")),
    ("api.js", SCRIPT, include_bytes!("docs/api.js")),
    ("dom.js", SCRIPT, include_bytes!("docs/dom.js")),
    ("route.js", SCRIPT, include_bytes!("docs/route.js")),
    ("schema.js", SCRIPT, include_bytes!("docs/schema.js")),
    ("wire.js", SCRIPT, include_bytes!("docs/wire.js")),
    ("refusals.js", SCRIPT, include_bytes!("docs/refusals.js")),
    ("icon.svg", PICTURE, include_bytes!("docs/icon.svg")),
    ("strands.svg", PICTURE, include_bytes!("docs/strands.svg")),
];
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// Nothing but our own files; no markup of others, no frame, no form.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The document, the page and what it is made of.
pub(crate) struct Docs {
    openapi: File,
    page: File,
    page_with_slash: File,
    assets: Vec<(&'static str, File)>,
}

/// Bytes to be served, with what a client may know them by.
struct File {
    kind: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Docs {
    pub(crate) fn new(openapi: String) -> Self {
        let page = |assets: &str, root: &str| {
            let html = PAGE.replace(ASSETS_MARK, assets).replace(ROOT_MARK, root);
            File::new("text/html; charset=utf-8", html)
        };
        let asset = |&(name, kind, bytes)| (name, File::new(kind, Bytes::from_static(bytes)));
        Self {
            openapi: File::new("application/json", openapi),
            page: page("docs", "."),
            page_with_slash: page(".", ".."),
            assets: ASSETS.iter().map(asset).collect(),
        }
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
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
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

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

pub(crate) async fn openapi(State(app): State<App>, headers: HeaderMap) -> Response {
    app.docs.openapi.answer(&headers)
}

pub(crate) async fn page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let page = if uri.path().ends_with('/') { &app.docs.page_with_slash } else { &app.docs.page };
    page.answer(&headers)
}

pub(crate) async fn asset(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asset = |Path(name): Path<String>| app.docs.assets.iter().find(|(known, _)| *known == name);
    // What isn't even text is no name either.
    let (_, file) = name.ok().and_then(asset).ok_or(Error::NotFound)?;
    Ok(file.answer(&headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    // What the policy forbids would not work; what it can't forbid is not done.
    #[test]
    fn the_page_has_no_inline_code_and_makes_no_markup_of_data() {
        assert_eq!(PAGE.matches("<script").count(), PAGE.matches("<script type=\"module\" src=").count());
        for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
        for (name, _, bytes) in ASSETS {
            let text =
                std::str::from_utf8(bytes).unwrap().replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "://"]
            {
                assert!(!text.contains(forbidden), "{name} has {forbidden}");
            }
        }
    }

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
