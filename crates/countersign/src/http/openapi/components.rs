//! What several routes share: headers, parameters, credentials.

use countersign_core::Seconds;
use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::doc::{Credential, Parameter, SetsCookies};
use crate::http::code::Code;
use crate::http::cookies::Cookies;

/// Where a component stands, for a `$ref`.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// The headers that answers may have, by the components' names.
pub(super) fn headers(cookies: &Cookies, life: Seconds) -> Value {
    let text = || json!({ "type": "string" });
    let (refresh, csrf) = (cookies.refresh_name(), cookies.csrf_name());
    let set_cookie = |description: String, cookies: &[(&str, HeaderValue)]| {
        let example = |(name, cookie): &(&str, HeaderValue)| {
            ((*name).to_owned(), json!({ "value": cookie.to_str().unwrap_or_default() }))
        };
        let examples: Value = cookies.iter().map(example).collect();
        json!({ "description": description, "schema": text(), "examples": examples })
    };
    let set_refresh = || ("refresh", cookies.set_refresh("eyJ0...", Some(life)));
    let set_csrf = || ("csrf", cookies.set_csrf("q2nH...", Some(life)));
    let [clear_refresh, clear_csrf] = cookies.clear();
    json!({
        "X-Request-Id": {
            "description": "The request's id, as the log has it. A well-formed one that was sent in is kept.",
            "schema": text(),
        },
        "WWW-Authenticate": {
            "description": "How to authenticate (RFC 6750). `error` and `error_description` are there when a token was sent.",
            "schema": text(),
            "example": "Bearer realm=\"countersign\", error=\"invalid_token\", error_description=\"access_token expired\"",
        },
        "Retry-After": { "description": "When to try again, in seconds.", "schema": { "type": "integer", "minimum": 0 } },
        "Allow": { "description": "The methods that the path takes.", "schema": text() },
        "ETag": {
            "description": "Which version it is. Sent again in `If-None-Match`, it spares the body.",
            "schema": text(),
        },
        "SetsBothCookies": set_cookie(
            format!("Two of them: `{refresh}`, hidden from script, and `{csrf}`. With body delivery, none."),
            &[set_refresh(), set_csrf()],
        ),
        "SetsCsrfCookie": set_cookie(format!("`{csrf}`."), &[set_csrf()]),
        "ClearsBothCookies": set_cookie(format!("Two of them: `{refresh}` and `{csrf}` are cleared."), &[("refresh", clear_refresh), ("csrf", clear_csrf)]),
    })
}

/// The parameters that requests may have, by the components' names.
pub(super) fn parameters() -> Map<String, Value> {
    let parameter = |parameter: Parameter| {
        let value = match parameter {
            Parameter::CsrfToken => json!({
                "name": "X-CSRFTOKEN",
                "in": "header",
                "description": "The session's CSRF token: needed in a cookie session, not with body delivery. \
                                `X-CSRF-Token` and `X-XSRF-TOKEN` are taken too.",
                "schema": { "type": "string" },
            }),
            Parameter::IdempotencyKey => json!({
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Made at random, and sent again with a request whose answer was lost: it then gets the \
                                current generation however late it is.",
                "schema": { "type": "string", "minLength": 22, "maxLength": 128, "pattern": "^[ -~]*$" },
                "example": "9mJ0c1Tn0yRkqXo3uS5b7A",
            }),
            Parameter::SessionId => json!({
                "name": "id",
                "in": "path",
                "required": true,
                "description": "The session's id, from the list of sessions.",
                "schema": { "type": "string", "format": "uuid" },
                "example": "019ab5f6-0c2e-7d31-9a57-3f8c2b6e4d10",
            }),
            Parameter::All => json!({
                "name": "all",
                "in": "query",
                "description": "Whether the current session ends too.",
                "schema": { "type": "boolean", "default": false },
            }),
            Parameter::Asset => json!({
                "name": "asset",
                "in": "path",
                "required": true,
                "description": "The file's name.",
                "schema": { "type": "string" },
                "example": "style.css",
            }),
        };
        (parameter.component().to_owned(), value)
    };
    let all = [
        Parameter::CsrfToken,
        Parameter::IdempotencyKey,
        Parameter::SessionId,
        Parameter::All,
        Parameter::Asset,
    ];
    all.into_iter().map(parameter).collect()
}

/// What a client may present, by the components' names.
pub(super) fn security_schemes(cookies: &Cookies) -> Value {
    json!({
        Credential::AccessToken.component(): {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token, from the body of a login or a refresh. It lives in the client's memory, for minutes.",
        },
        Credential::RefreshCookie.component(): {
            "type": "apiKey",
            "in": "cookie",
            "name": cookies.refresh_name(),
            "description": "The refresh token. The browser keeps it, hidden from script, and sends it by itself.",
        },
        Credential::CsrfHeader.component(): {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRFTOKEN",
            "description": "The CSRF token, whose SHA-256 both other tokens carry: the header countersigns them. It comes \
                            in the body and in a cookie that script can read.",
        },
    })
}

impl Parameter {
    pub(super) const fn component(self) -> &'static str {
        match self {
            Self::CsrfToken => "CsrfToken",
            Self::IdempotencyKey => "IdempotencyKey",
            Self::SessionId => "SessionId",
            Self::All => "All",
            Self::Asset => "Asset",
        }
    }
}

impl Credential {
    pub(super) const fn component(self) -> &'static str {
        match self {
            Self::AccessToken => "accessToken",
            Self::RefreshCookie => "refreshCookie",
            Self::CsrfHeader => "csrfHeader",
        }
    }
}

impl SetsCookies {
    /// The component of the `Set-Cookie` header.
    pub(super) const fn component(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Both => Some("SetsBothCookies"),
            Self::Csrf => Some("SetsCsrfCookie"),
            Self::ClearsBoth => Some("ClearsBothCookies"),
        }
    }
}

impl Code {
    /// The header that its refusal has beside the id of the request.
    pub(super) const fn header(self) -> Option<&'static str> {
        match self.status().as_u16() {
            401 => Some("WWW-Authenticate"),
            405 => Some("Allow"),
            429 | 503 => Some("Retry-After"),
            _ => None,
        }
    }
}
