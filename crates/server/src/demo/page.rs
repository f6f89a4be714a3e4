//! The demo's page and the client that it uses: a few files on an origin of their own, as a single-page app is.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;

/// A path, the type of what is there, and its bytes.
type File = (&'static str, &'static str, &'static [u8]);

/// Files of this folder, below this path.
macro_rules! files {
    ($folder:literal at $path:literal; $($name:literal: $kind:ident),+ $(,)?) => {
        &[$((concat!($path, $name), $kind, include_bytes!(concat!("../../../../", $folder, $name)))),+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

const PAGE: &[File] = files! { "demo/" at "/";
    "account.js": JS,
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
    "watch.js": JS,
};

/// `@countersign/client` as it stands: what is read there is what runs.
const CLIENT: &[File] = files! { "clients/js/src/" at "/client/";
    "client.js": JS,
    "delivery.js": JS,
    "error.js": JS,
    "fetch.js": JS,
    "index.js": JS,
    "lock.js": JS,
    "memory.js": JS,
    "platform.js": JS,
    "session.js": JS,
    "wire.js": JS,
};

/// The page, for an API at this URL and a user of this name.
pub(super) fn router(api: &str, username: &str) -> Router {
    let mut router = Router::new();
    for (path, kind, bytes) in PAGE.iter().chain(CLIENT) {
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_demo_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("/{}", entry.unwrap().file_name().into_string().unwrap()))
            .collect();
        assert_eq!(there, paths(PAGE));
    }

    #[test]
    fn the_modules_that_the_client_imports_are_in_the_program_and_no_others() {
        let mut wanted = BTreeSet::from(["/client/index.js".to_owned()]);
        for (.., bytes) in CLIENT {
            let script = std::str::from_utf8(bytes).unwrap();
            // Comments import types, which aren't there at run time.
            let statements = script.lines().filter(|line| line.starts_with(['i', 'e', '}']));
            let imports = statements.filter_map(|line| line.split_once(" from './"));
            wanted.extend(imports.map(|(_, name)| format!("/client/{}", name.trim_end_matches("';"))));
        }
        assert_eq!(wanted, paths(CLIENT));
    }

    fn paths(files: &[File]) -> BTreeSet<String> {
        files.iter().map(|(path, ..)| (*path).to_owned()).collect()
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let index = PAGE.iter().find(|(path, ..)| *path == "/index.html").unwrap();
        let html = std::str::from_utf8(index.2).unwrap();
        for inline in ["<script>", "<style", " style=\"", " onclick=", "https://", "//cdn"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }
}
