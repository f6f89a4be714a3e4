//! Bodies of requests: one JSON object, read strictly, then taken apart field by field.
//!
//! The `Content-Type` has to be `application/json`. A form can't send that, and a page of another origin only after a
//! preflight: this is what stands between a login and a forged form, where there is no session yet whose token could
//! countersign it. So whatever merely looks like JSON is `415`, and it isn't even read.
//!
//! How large a body may be, and how long it may take, is settled in the layer around it.

use std::fmt;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use countersign_core::json::{JsonError, Limits, parse_object};
use countersign_verify::Problem;
use http::{HeaderMap, header};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::code::Code;

/// The largest body that is read even where no layer set a smaller limit, in bytes: the most that `max_body` takes.
const BACKSTOP: usize = 16 * 1024 * 1024;

/// The object that a request brought. What isn't taken out of it is wiped: it may hold a password.
///
/// The getters take a field out. A field that isn't there is `None`; one of another type (`null` too) is an error.
pub(crate) struct JsonBody(Map<String, Value>);

/// The same, where a request without a single byte of body is fine too, whatever type it claims. It has no fields.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody(pub JsonBody);

impl JsonBody {
    /// Takes a text out. It is as it was sent: NUL and line breaks too, since a password may hold them.
    pub(crate) fn string(&mut self, field: &'static str) -> Result<Option<String>, Problem> {
        match self.0.remove(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::malformed(field, "Must be a string.")),
        }
    }

    /// Takes `true` or `false` out.
    pub(crate) fn boolean(&mut self, field: &'static str) -> Result<Option<bool>, Problem> {
        match self.0.remove(field) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(Self::malformed(field, "Must be true or false.")),
        }
    }

    /// Takes a value of whatever type out.
    pub(crate) fn value(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
    }

    /// The names of the fields that nobody has taken out.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// `400 malformed_body`, for a field and what is wrong with it.
    pub(crate) fn malformed(field: &'static str, sentence: &str) -> Problem {
        malformed_body(format!("The field {field} of the body is not as it should be."))
            .with_errors([(field, [sentence.to_owned()])])
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let limits = Limits { bytes: BACKSTOP, ..Limits::default() };
        let object = parse_object(bytes, limits).map_err(|error| malformed_body(sentence(error)))?;
        Ok(Self(object))
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported_media_type());
        }
        Self::parse(&read(request.into_body()).await?)
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        match &*read(request.into_body()).await? {
            [] => Ok(Self(JsonBody(Map::new()))),
            _ if !is_json => Err(unsupported_media_type()),
            bytes => JsonBody::parse(bytes).map(Self),
        }
    }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, BACKSTOP).await.map_err(|_| malformed_body("The body could not be read to its end."))
}

/// Whether the body says that it is JSON, and nothing else: `application/json`, with `charset=utf-8` or without.
fn is_json(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return false };
    // A compressed body is no JSON until it has been unpacked, and we unpack nothing.
    if headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(|part| part.trim_matches([' ', '\t']));
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = |part: &str| {
        let part = part.to_ascii_lowercase();
        matches!(part.as_str(), "charset=utf-8" | "charset=\"utf-8\"")
    };
    is_json && parts.next().is_none_or(is_utf8) && parts.next().is_none()
}

fn unsupported_media_type() -> Problem {
    let detail = "Send the body as JSON, with the header Content-Type: application/json.";
    Code::UnsupportedMediaType.problem(detail)
}

/// `400 malformed_body`.
pub(crate) fn malformed_body(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Code::MalformedBody.problem(detail)
}

fn sentence(error: JsonError) -> &'static str {
    match error {
        JsonError::TooLong => "The body is too long.",
        JsonError::NotUtf8 => "The body is not plain UTF-8 (a byte order mark doesn't belong there either).",
        JsonError::Syntax => "The body is not JSON.",
        JsonError::NotAnObject => "The body is JSON, but not an object.",
        JsonError::DuplicateMember => "A member of the JSON is there twice.",
        JsonError::TooDeep => "The JSON is nested too deep.",
    }
}

/// Wipes the texts that are left.
impl Drop for JsonBody {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// The names of the fields alone.
impl fmt::Debug for JsonBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;

    fn request(content_type: &[&str], body: impl Into<Body>) -> Request {
        let mut request = Request::new(body.into());
        for value in content_type {
            request.headers_mut().append(header::CONTENT_TYPE, value.parse().unwrap());
        }
        request
    }

    async fn json(body: impl Into<Body>) -> Result<JsonBody, Problem> {
        JsonBody::from_request(request(&["application/json"], body), &()).await
    }

    fn body(json: Value) -> JsonBody {
        let Value::Object(object) = json else { panic!("no object") };
        JsonBody(object)
    }

    async fn answer(problem: Problem) -> Value {
        use axum::response::IntoResponse;
        let body = to_bytes(problem.into_response().into_body(), 4096).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    // attack 58, attack 59
    #[tokio::test]
    async fn only_application_json_is_read() {
        for fine in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; Charset=\"utf-8\"",
        ] {
            assert!(JsonBody::from_request(request(&[fine], "{}"), &()).await.is_ok(), "{fine}");
        }
        for look_alike in [
            "",
            "json",
            "application/jsonp",
            "application/json5",
            "application/ld+json",
            "application/problem+json",
            "text/json",
            "text/plain",
            "text/plain; application/json",
            "text/plain;charset=utf-8,application/json",
            "application/json, text/plain",
            "application/json; text/plain",
            "application/json; charset=latin1",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; charset=utf-8; x=y",
            "application/json;",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "\"application/json\"",
        ] {
            let refused = JsonBody::from_request(request(&[look_alike], "{}"), &()).await.unwrap_err();
            assert_eq!(refused.code(), "unsupported_media_type", "{look_alike}");
            assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        for several in
            [&[][..], &["application/json", "application/json"], &["application/json", "text/plain"]]
        {
            let refused = JsonBody::from_request(request(several, "{}"), &()).await.unwrap_err();
            assert_eq!(refused.code(), "unsupported_media_type", "{several:?}");
        }
        let mut packed = request(&["application/json"], "{}");
        packed.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(JsonBody::from_request(packed, &()).await.unwrap_err().code(), "unsupported_media_type");
    }

    // attack 98
    #[tokio::test]
    async fn json_that_two_readers_could_read_differently_is_malformed() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        for text in [
            b"".as_slice(),
            b" ",
            b"{",
            b"{} {}",
            b"{}\0",
            b"[]",
            b"null",
            b"\"text\"",
            b"1",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
            br#"{"a":1,"a":2}"#,
            br#"{"a":"\ud800"}"#,
            deep.as_bytes(),
        ] {
            let refused = json(text.to_vec()).await.unwrap_err();
            assert_eq!((refused.status(), refused.code()), (StatusCode::BAD_REQUEST, "malformed_body"));
        }
    }

    #[tokio::test]
    async fn a_refusal_repeats_nothing_of_the_body() {
        let refused = answer(json(r#"{"password":"hunter2""#).await.unwrap_err()).await;
        assert!(!refused.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn no_body_is_fine_where_a_body_is_optional() {
        for claim in [&[][..], &["application/json"], &["text/plain"]] {
            let OptionalJsonBody(body) =
                OptionalJsonBody::from_request(request(claim, ""), &()).await.unwrap();
            assert_eq!(body.rest().count(), 0);
        }
        let typed = |content_type, body: &'static str| {
            OptionalJsonBody::from_request(request(content_type, body), &())
        };
        assert_eq!(typed(&["application/json"], r#"{"a":1}"#).await.unwrap().0.rest().count(), 1);
        assert_eq!(typed(&["application/json"], " ").await.unwrap_err().code(), "malformed_body");
        assert_eq!(typed(&["text/plain"], "{}").await.unwrap_err().code(), "unsupported_media_type");
        assert_eq!(typed(&[], "{}").await.unwrap_err().code(), "unsupported_media_type");
    }

    #[test]
    fn fields_are_taken_out_by_type() {
        let mut body = body(serde_json::json!({"name": "a\u{0}b", "remember": false, "other": 1}));
        assert_eq!(body.string("name"), Ok(Some("a\0b".to_owned())));
        assert_eq!(body.string("name"), Ok(None));
        assert_eq!(body.boolean("remember"), Ok(Some(false)));
        assert_eq!(body.boolean("absent"), Ok(None));
        assert_eq!(body.rest().collect::<Vec<_>>(), ["other"]);
    }

    // attack 98
    #[tokio::test]
    async fn a_field_of_another_type_is_named() {
        let wrong = serde_json::json!([null, true, 1, 1.5, [], ["a"], {}, {"$ne": null}]);
        for value in wrong.as_array().unwrap() {
            let refused = body(serde_json::json!({"name": value})).string("name").unwrap_err();
            assert_eq!(refused.code(), "malformed_body", "{value}");
        }
        for value in [serde_json::json!(null), serde_json::json!("true"), serde_json::json!(1)] {
            assert!(body(serde_json::json!({"remember": value})).boolean("remember").is_err());
        }
        let refused = body(serde_json::json!({"name": 1})).string("name").unwrap_err();
        let refused = answer(refused).await;
        assert_eq!(refused["errors"], serde_json::json!({"name": ["Must be a string."]}));
        assert_eq!(refused["status"], 400);
    }

    // attack 116
    #[test]
    fn a_body_does_not_show_its_values_in_debug_output() {
        let body = body(serde_json::json!({"password": "hunter2"}));
        assert_eq!(format!("{body:?}"), r#"{"password"}"#);
    }

    proptest! {
        // attack 58
        #[test]
        fn a_content_type_with_anything_changed_is_another(
            at in 0..30_usize, drop in 0..3_usize, insert in "[ -~]{0,3}"
        ) {
            let mut value = "application/json; charset=utf-8".to_owned();
            value.replace_range(at..(at + drop).min(value.len()), &insert);
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            let bare = value.to_ascii_lowercase().replace([' ', '"'], "");
            let same = matches!(&*bare, "application/json" | "application/json;charset=utf-8");
            prop_assert!(!is_json(&headers) || same, "{}", value);
        }
    }
}
