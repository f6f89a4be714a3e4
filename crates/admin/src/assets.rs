//! The site's style, script and picture. Their names hold a hash of what is in them, so that a browser keeps them for
//! good, and an upgrade shows at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::core::secret::sha256;
use http::{HeaderValue, header};

use crate::answer::{Answer, Refused};

/// The names under which the pages ask for them.
pub(crate) struct Assets {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) theme: String,
    pub(crate) icon: String,
}

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/script.js");
const THEME: &str = include_str!("assets/theme.js");
const ICON: &str = include_str!("assets/icon.svg");

pub(crate) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: named("style", STYLE, "css"),
    script: named("script", SCRIPT, "js"),
    theme: named("theme", THEME, "js"),
    icon: named("icon", ICON, "svg"),
});

fn named(stem: &str, text: &str, extension: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()));
    format!("{stem}.{}.{extension}", hash.get(..12).unwrap_or(&hash))
}

/// An asset, by its whole name.
pub(crate) async fn asset(Path(name): Path<String>) -> Answer {
    let Assets { style, script, theme, icon } = &*ASSETS;
    let (kind, text) = match name {
        name if name == *style => ("text/css; charset=utf-8", STYLE),
        name if name == *script => ("text/javascript; charset=utf-8", SCRIPT),
        name if name == *theme => ("text/javascript; charset=utf-8", THEME),
        name if name == *icon => ("image/svg+xml", ICON),
        _ => return Err(Refused::NotFound),
    };
    Ok(file(kind, text))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    (headers, text).into_response()
}
