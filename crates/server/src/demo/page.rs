//! The demo's page: a few files on an origin of their own, as a single-page app is.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;

/// The files of `demo/`, and their types.
macro_rules! files {
    ($($name:literal: $kind:ident),+ $(,)?) => {
        const FILES: &[(&str, &str, &[u8])] = &[
            $((concat!("/", $name), $kind, include_bytes!(concat!("../../../../demo/", $name)))),+
        ];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

files! {
    "account.js": JS,
    "api.js": JS,
    "app.js": JS,
    "cards.js": JS,
    "experiments.js": JS,
    "explain.js": JS,
    "icon.svg": SVG,
    "index.html": HTML,
    "log.js": JS,
    "login.js": JS,
    "strands.svg": SVG,
    "style.css": CSS,
    "theme.js": JS,
    "tokens.js": JS,
    "ui.js": JS,
}

/// The page, for an API at this URL and a user of this name.
pub(super) fn router(api: &str, username: &str) -> Router {
    let mut router = Router::new();
    for (path, kind, bytes) in FILES {
        router = router.route(path, get(async move || ([(CONTENT_TYPE, *kind)], *bytes)));
        if *path == "/index.html" {
            router = router.route("/", get(async move || ([(CONTENT_TYPE, *kind)], *bytes)));
        }
    }
    let config = serde_json::json!({ "api": api, "username": username }).to_string();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {api}; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = headers(&policy);
    router.route("/config.json", get(async move || ([(CONTENT_TYPE, JSON)], config))).layer(map_response(
        move |response: Response| {
            let headers = headers.clone();
            async move { (headers, response) }
        },
    ))
}

fn headers(policy: &str) -> [(HeaderName, HeaderValue); 5] {
    // The URL of the API is the only part that isn't fixed, and an origin is always a header's value.
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_demo_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("/{}", entry.unwrap().file_name().into_string().unwrap()))
            .collect();
        there.sort();
        let ours: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        assert_eq!(there, ours);
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let index = FILES.iter().find(|(path, ..)| *path == "/index.html").unwrap();
        let html = std::str::from_utf8(index.2).unwrap();
        for inline in ["<script>", "<style", " style=\"", " onclick=", "https://", "//cdn"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }
}
