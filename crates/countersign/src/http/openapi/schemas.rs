//! An example of each type of the wire, and the schemas of those that are made elsewhere.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::doc::Documented;
use crate::http::account::{PasswordChange, ProfileChange};
use crate::http::answers::{Csrf, Profile, Sessions, Tokens};
use crate::http::code::Code;
use crate::http::session::{Login, RefreshToken};

/// What a probe is answered: one word, and a clock that is off.
pub(crate) struct Status;

/// The public keys, as `countersign_core` writes them.
pub(crate) struct KeySet;

/// A refusal, as `countersign_verify` writes it.
pub(crate) struct ProblemDetails;

/// The word for programs in a refusal.
struct ProblemCode;

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "status": { "type": "string", "enum": ["ok", "ready"] },
                "database_clock_ahead_ms": {
                    "type": "integer",
                    "description": "Of `/readyz`, where the clocks of this machine and of its database differ by more than \
                        two seconds: how far the database's, which counts, is ahead.",
                },
            },
            "required": ["status"],
        })
    }
}

impl JsonSchema for KeySet {
    fn schema_name() -> Cow<'static, str> {
        "KeySet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = |description: &str| json!({ "type": "string", "description": description });
        json_schema!({
            "description": "A JSON Web Key Set (RFC 7517).",
            "type": "object",
            "properties": {
                "keys": {
                    "type": "array",
                    "description": "The keys that verify access tokens now, and those that soon will.",
                    "items": {
                        "type": "object",
                        "description": "A public key. It verifies tokens of its own `alg`, and of no other.",
                        "properties": {
                            "kty": { "type": "string", "description": "Its type.", "enum": ["OKP", "EC", "RSA"] },
                            "alg": {
                                "type": "string",
                                "description": "The one algorithm that it verifies.",
                                "enum": ["EdDSA", "ES256", "RS256"],
                            },
                            "use": { "type": "string", "const": "sig" },
                            "kid": text("Its name, which a token's header repeats."),
                            "crv": { "type": "string", "description": "The curve of an `OKP` or `EC` key.", "enum": ["Ed25519", "P-256"] },
                            "x": text("The public key of an `OKP` key; of an `EC` key, its first coordinate."),
                            "y": text("The second coordinate of an `EC` key."),
                            "n": text("The modulus of an `RSA` key."),
                            "e": text("The exponent of an `RSA` key."),
                        },
                        "required": ["kty", "alg", "use", "kid"],
                    },
                },
            },
            "required": ["keys"],
        })
    }
}

impl JsonSchema for ProblemDetails {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A refusal: problem details (RFC 9457).",
            "type": "object",
            "properties": {
                "type": { "type": "string", "format": "uri-reference", "description": "Always `about:blank`: look at `code`." },
                "title": { "type": "string", "description": "The status in words." },
                "status": { "type": "integer", "description": "The status." },
                "detail": { "type": "string", "description": "A sentence for a person. It may change." },
                "code": generator.subschema_for::<ProblemCode>(),
                "errors": {
                    "type": "object",
                    "description": "What is wrong with which field of the body: sentences for a person.",
                    "additionalProperties": { "type": "array", "items": { "type": "string" } },
                },
            },
            "required": ["type", "title", "status", "detail", "code"],
            "examples": [Self::example()],
        })
    }
}

impl JsonSchema for ProblemCode {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.text()).collect();
        let when: Map<String, Value> =
            Code::ALL.iter().map(|code| (code.text().to_owned(), code.when().into())).collect();
        json_schema!({
            "description": "The refusal's word for programs. It does not change.",
            "type": "string",
            "enum": texts,
            "x-enumDescriptions": when,
        })
    }
}

const CSRF_TOKEN: &str = "q2nHj0yNq0oQ7oZ4v1nJcVwH3i6lXn2bKxk0m5p9TqE";

fn user() -> Value {
    json!({
        "id": 1,
        "username": "ada",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "is_active": true,
    })
}

impl Documented for ProblemDetails {
    fn example() -> Value {
        json!({
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "access_token expired",
            "code": Code::TokenExpired.text(),
        })
    }
}

impl Documented for Login {
    fn example() -> Value {
        json!({ "username": "ada", "password": "correct horse battery staple" })
    }
}

impl Documented for RefreshToken {
    fn example() -> Value {
        json!({ "refresh_token": "eyJ0eXAiOiJydCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzaWQiOiIw….Qk3v…" })
    }
}

impl Documented for ProfileChange {
    fn example() -> Value {
        json!({ "first_name": "Ada", "last_name": "Lovelace" })
    }
}

impl Documented for PasswordChange {
    fn example() -> Value {
        json!({
            "old_password": "correct horse battery staple",
            "new_password": "an engine that weaves algebraic patterns",
        })
    }
}

impl Documented for Tokens<'_> {
    fn example() -> Value {
        json!({
            "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiIx….mB9k…",
            "token_type": "Bearer",
            "expires_in": 300,
            "csrf_token": CSRF_TOKEN,
            "user": user(),
        })
    }
}

impl Documented for Csrf {
    fn example() -> Value {
        json!({ "csrf_token": CSRF_TOKEN })
    }
}

impl Documented for Profile<'_> {
    fn example() -> Value {
        json!({ "user": user() })
    }
}

impl Documented for Sessions {
    fn example() -> Value {
        json!({
            "sessions": [{
                "id": "019ab5f6-0c2e-7d31-9a57-3f8c2b6e4d10",
                "created_at": "2026-11-24T06:12:09.412Z",
                "last_used_at": "2026-11-24T09:40:31.007Z",
                "expires_at": "2026-12-01T09:40:31.007Z",
                "ip": "203.0.113.7",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "current": true,
            }],
        })
    }
}

impl Documented for KeySet {
    fn example() -> Value {
        json!({
            "keys": [{
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": "nZ2Q5dHc",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }],
        })
    }
}

impl Documented for Status {
    fn example() -> Value {
        json!({ "status": "ok" })
    }
}
