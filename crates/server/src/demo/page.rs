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
    use super::*;

    #[test]
    fn every_file_of_the_page_and_its_client_is_in_the_program() {
        assert_eq!(names_in("demo", ""), names_of(PAGE, "/"));
        assert_eq!(names_in("clients/js/src", ".js"), names_of(CLIENT, "/client/"));
    }

    fn names_in(folder: &str, ending: &str) -> Vec<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(ending))
            .collect();
        names.sort();
        names
    }

    fn names_of(files: &[File], path: &str) -> Vec<String> {
        files.iter().map(|(file, ..)| file.strip_prefix(path).unwrap().to_owned()).collect()
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
