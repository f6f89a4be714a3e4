//! `openapi.json`: the document (OpenAPI 3.1) of all routes, made from the code.
//!
//! Each thing is said once. Method, path and who may call are in the table of routes, and so is its `doc` (`rows`);
//! the refusals and their statuses in [`Code`]; the schemas come from the types that are read and written. What every
//! route of a kind has in common is added here: what its guard refuses, what reading a body may end in.
//!
//! Custom fields that the settings declare are in it too. The copy at the root of the repository is the document of the
//! default settings. A test fails when it is stale.

mod components;
pub(crate) mod doc;
mod fields;
pub(crate) mod rows;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};

use countersign_verify::is_unsafe;
use http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use self::components::reference;
use self::doc::{Content, Credential, Json, Parameter, Tag};
use self::schemas::ProblemDetails;
use super::code::Code;
use super::cookies::Cookies;
use super::cross_origin::is_guarded;
use super::routes::{Access, ROUTES, Route};
use crate::settings::Settings;

/// What the document says before anything else; Markdown.
const DESCRIPTION: &str = "\
A login returns three tokens, kept in three places.

- The **access token** (a JWT, minutes) comes in the body and lives in the client's memory. It says who calls: \
  `Authorization: Bearer …`.
- The **refresh token** (a JWT, days) comes in an `HttpOnly` cookie, which script can't read. It gets the next access token.
- The **CSRF token** comes in the body and in a readable cookie, and is sent back in the `X-CSRFTOKEN` header. Both JWTs \
  carry its SHA-256, so the header *countersigns* them: a cookie that rides along without the header does nothing.

JSON in, JSON out. Paths work with and without a slash at their end. Times are RFC 3339, in UTC; lifetimes are in seconds. \
Clients ignore members that they don't know. What carries a token or a user is never cached.

Every refusal is problem details (RFC 9457) with a stable `code`. What the HTTP parser itself refuses is a bare `4xx` or a \
closed connection. From a browser, only the server's own origin and those of `allowed_origins` may change anything.";

/// The document, in the order in which a person reads it.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    servers: Value,
    tags: Value,
    paths: InOrder<InOrder<Operation>>,
    components: Value,
}

/// A method of a path.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    tags: [&'static str; 1],
    summary: &'static str,
    description: &'static str,
    #[serde(rename = "operationId")]
    id: &'static str,
    security: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<Value>,
    responses: BTreeMap<u16, Value>,
}

/// An object whose members stand as they were put in.
struct InOrder<T>(Vec<(String, T)>);

/// What several operations share, gathered on the way.
struct Shared {
    /// The schemas of what we take.
    taken: SchemaGenerator,
    /// The schemas of what we give.
    given: SchemaGenerator,
    responses: BTreeMap<String, Value>,
}

/// The document under these settings, as text.
pub(crate) fn document(settings: &Settings, cookies: &Cookies) -> String {
    let mut shared = Shared::new();
    let mut paths: Vec<(String, InOrder<Operation>)> = Vec::new();
    for route in ROUTES {
        let method = (route.method.as_str().to_ascii_lowercase(), operation(route, &mut shared));
        match paths.iter_mut().find(|(path, _)| path == route.path) {
            Some((_, methods)) => methods.0.push(method),
            None => paths.push((route.path.to_owned(), InOrder(vec![method]))),
        }
    }
    let mut schemas = shared.schemas();
    fields::add(&mut schemas, &settings.user_fields);
    let document = Document {
        openapi: "3.1.1",
        info: json!({
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        }),
        servers: json!([{ "url": settings.public_url.as_str() }]),
        tags: Tag::ALL
            .iter()
            .map(|tag| json!({ "name": tag.name(), "description": tag.description() }))
            .collect(),
        paths: InOrder(paths),
        components: json!({
            "schemas": schemas,
            "responses": shared.responses,
            "parameters": components::parameters(),
            "headers": components::headers(cookies, settings.refresh_token_lifetime),
            "securitySchemes": components::security_schemes(cookies),
        }),
    };
    // Text into memory: there is nothing in it that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn operation(route: &Route, shared: &mut Shared) -> Operation {
    let doc = route.doc;
    let security = credentials(route);
    let mut parameters = doc.parameters.to_vec();
    if security.iter().any(|credentials| credentials.contains(&Credential::CsrfHeader)) {
        parameters.push(Parameter::CsrfToken);
    }
    let request_body = doc.body.as_ref().map(|body| {
        json!({
            "required": body.required,
            "content": { "application/json": media_type(&body.json, &mut shared.taken) },
        })
    });
    let mut responses = refusals(route, shared);
    responses.extend(answers(route, shared));
    Operation {
        tags: [doc.tag.name()],
        summary: doc.summary,
        description: doc.description,
        id: doc.id,
        security: security
            .iter()
            .map(|together| {
                together.iter().map(|one| (one.component().to_owned(), json!([]))).collect::<Value>()
            })
            .collect(),
        parameters: parameters.iter().map(|one| reference("parameters", one.component())).collect(),
        request_body,
        responses,
    }
}

/// What a route takes to know who calls, as alternatives; none means that anyone may call.
fn credentials(route: &Route) -> Vec<&'static [Credential]> {
    use Credential::{AccessToken, CsrfHeader};
    match route.access {
        Access::Public => route.doc.takes.to_vec(),
        // Without a CSRF header: with body delivery.
        Access::Private if is_unsafe(&route.method) => vec![&[AccessToken, CsrfHeader], &[AccessToken]],
        Access::Private => vec![&[AccessToken]],
    }
}

/// The answers when all goes well.
fn answers(route: &Route, shared: &mut Shared) -> Vec<(u16, Value)> {
    let answer = &route.doc.answer;
    let mut headers = vec![("X-Request-Id", "X-Request-Id")];
    headers.extend(answer.cookies.component().map(|component| ("Set-Cookie", component)));
    let mut answers = Vec::new();
    let (status, content) = match &answer.content {
        Content::Nothing => (StatusCode::NO_CONTENT, None),
        Content::Json(json) => {
            let content = json!({ "application/json": media_type(json, &mut shared.given) });
            (StatusCode::OK, Some(content))
        }
        Content::File(types) => {
            headers.push(("ETag", "ETag"));
            let not_modified =
                shared.response("NotModified", response("It is the same still.", &headers, None));
            answers.push((StatusCode::NOT_MODIFIED.as_u16(), not_modified));
            (StatusCode::OK, Some(types.iter().map(|name| ((*name).to_owned(), json!({}))).collect()))
        }
    };
    answers.push((status.as_u16(), response(answer.description, &headers, content)));
    answers
}

/// What a route may refuse: its own refusals, and those of every route of its kind.
fn refusals(route: &Route, shared: &mut Shared) -> BTreeMap<u16, Value> {
    let mut by_status: BTreeMap<u16, BTreeSet<Code>> = BTreeMap::new();
    for code in refusal_codes(route) {
        by_status.entry(code.status().as_u16()).or_default().insert(code);
    }
    let mut response = |codes: BTreeSet<Code>| match Vec::from_iter(codes).as_slice() {
        [code] => shared.response(&format!("{code:?}"), refusal(&[*code])),
        codes => refusal(codes),
    };
    by_status.into_iter().map(|(status, codes)| (status, response(codes))).collect()
}

fn refusal_codes(route: &Route) -> Vec<Code> {
    let mut codes = route.doc.refusals.to_vec();
    if route.access == Access::Private {
        codes.extend([
            Code::NotAuthenticated,
            Code::TokenPrefixMissing,
            Code::TokenExpired,
            Code::TokenInvalid,
            Code::SessionEnded,
            Code::UserInactive,
        ]);
        if is_unsafe(&route.method) {
            codes.push(Code::CsrfFailed);
        }
    }
    if is_guarded(&route.method, route.path) {
        codes.push(Code::OriginNotAllowed);
    }
    if route.doc.body.is_some() {
        codes.extend([
            Code::MalformedBody,
            Code::UnsupportedMediaType,
            Code::BodyTooLarge,
            Code::RequestTimeout,
        ]);
    }
    codes.extend([
        Code::MalformedRequest,
        Code::MethodNotAllowed,
        Code::HeadersTooLarge,
        Code::InternalError,
        Code::Unavailable,
    ]);
    codes
}

/// A refusal with one of these codes, which have one status.
fn refusal(codes: &[Code]) -> Value {
    let lines: Vec<String> = match codes {
        [code] => vec![format!("`{}`: {}", code.text(), code.when())],
        codes => codes.iter().map(|code| format!("- `{}`: {}", code.text(), code.when())).collect(),
    };
    let mut headers = vec![("X-Request-Id", "X-Request-Id")];
    headers.extend(codes.first().and_then(|code| code.header()).map(|name| (name, name)));
    let texts: Vec<&str> = codes.iter().map(|code| code.text()).collect();
    let content = json!({
        "application/problem+json": {
            "schema": {
                "$ref": "#/components/schemas/Problem",
                "properties": { "code": { "enum": texts } },
            },
        },
    });
    response(&lines.join("\n"), &headers, Some(content))
}

/// A response with headers, by their names and the components' names.
fn response(description: &str, headers: &[(&str, &str)], content: Option<Value>) -> Value {
    let headers: Value = headers
        .iter()
        .map(|(name, component)| ((*name).to_owned(), reference("headers", component)))
        .collect();
    match content {
        Some(content) => json!({ "description": description, "headers": headers, "content": content }),
        None => json!({ "description": description, "headers": headers }),
    }
}

fn media_type(json: &Json, generator: &mut SchemaGenerator) -> Value {
    json!({ "schema": (json.schema)(generator), "example": (json.example)() })
}

impl Shared {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            taken: settings().for_deserialize().with_transform(without_null).into_generator(),
            given: settings().for_serialize().into_generator(),
            responses: BTreeMap::new(),
        }
    }

    /// Keeps a response under a name, and refers to it.
    fn response(&mut self, name: &str, response: Value) -> Value {
        self.responses.entry(name.to_owned()).or_insert(response);
        reference("responses", name)
    }

    /// All schemas that were asked for, and that of a refusal.
    fn schemas(&mut self) -> Map<String, Value> {
        self.given.subschema_for::<ProblemDetails>();
        let mut all = self.given.take_definitions(true);
        all.extend(self.taken.take_definitions(true));
        all
    }
}

/// In what we take, a member that says nothing is left out: `null` has the wrong type.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    transform_subschemas(&mut without_null, schema);
}

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::account::{PasswordChange, ProfileChange};
    use super::super::body::JsonBody;
    use super::super::error::Refusal;
    use super::super::session::{Login, RefreshToken};
    use super::super::testing::settings_at;
    use super::doc::Documented;
    use super::*;

    fn of_settings(settings: &Settings) -> String {
        document(settings, &Cookies::new(settings))
    }

    fn default_document() -> Value {
        serde_json::from_str(&of_settings(&settings_at("http://localhost:8000"))).unwrap()
    }

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().iter();
                methods
                    .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
            })
            .collect()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test asks its caller whether to renew the file")]
    fn the_committed_document_is_that_of_the_default_settings() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
        let document = of_settings(&settings_at("http://localhost:8000"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &document).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).unwrap_or_default() == document,
            "openapi.json is stale; this renews it: UPDATE=1 cargo test -p countersign openapi"
        );
    }

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = default_document();
        let mut documented: Vec<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
        let mut routes: Vec<String> =
            ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        documented.sort();
        routes.sort();
        assert_eq!(documented, routes);
        let ids: BTreeSet<&str> = ROUTES.iter().map(|route| route.doc.id).collect();
        assert_eq!(ids.len(), ROUTES.len());
    }

    #[test]
    fn every_code_is_documented_and_all_but_one_at_a_route() {
        let codes = default_document()["components"]["schemas"]["Code"]["enum"].as_array().unwrap().clone();
        assert_eq!(codes, Code::ALL.iter().map(|code| Value::from(code.text())).collect::<Vec<_>>());
        let answered: BTreeSet<Code> = ROUTES.iter().flat_map(refusal_codes).collect();
        let elsewhere: Vec<&Code> = Code::ALL.iter().filter(|code| !answered.contains(code)).collect();
        // No route of ours asks for rights; services that use our guard do.
        assert_eq!(elsewhere, [&Code::PermissionDenied]);
    }

    #[test]
    fn a_private_route_needs_an_access_token_and_an_unsafe_one_its_csrf_header() {
        let document = default_document();
        for route in ROUTES.iter().filter(|route| route.access == Access::Private) {
            assert!(
                route.doc.takes.is_empty(),
                "{}: a private route says nothing of credentials",
                route.path
            );
            let method = route.method.as_str().to_lowercase();
            let first = document["paths"][route.path][&method]["security"][0].as_object().unwrap();
            assert!(first.contains_key("accessToken"));
            assert_eq!(first.contains_key("csrfHeader"), is_unsafe(&route.method), "{}", route.path);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = default_document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["schemas", "responses", "parameters", "headers"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                assert!(found.contains(&format!("#/components/{kind}/{name}")), "nothing uses {kind}/{name}");
            }
        }
    }

    #[test]
    fn the_document_speaks_of_this_server_and_its_cookies() {
        let mut settings = settings_at("https://auth.example.com");
        settings.cookies.csrf_name = "XSRF-TOKEN".to_owned();
        let document: Value = serde_json::from_str(&of_settings(&settings)).unwrap();
        assert_eq!(document["servers"][0]["url"], "https://auth.example.com");
        let components = &document["components"];
        assert_eq!(components["securitySchemes"]["refreshCookie"]["name"], "__Host-refreshtoken");
        let cookie = components["headers"]["SetsCsrfCookie"]["examples"]["csrf"]["value"].as_str().unwrap();
        assert!(cookie.starts_with("__Host-XSRF-TOKEN="), "{cookie}");
        assert!(!document.to_string().contains("csrftoken="));
    }

    /// A handler reads the members that its body's schema has, and each as the type that it says.
    async fn is_read_as_documented<T: Documented>(read: fn(&mut JsonBody) -> Result<T, Refusal>) {
        async fn body(value: &Value) -> JsonBody {
            use axum::extract::FromRequest;
            let request = http::Request::post("/").header("content-type", "application/json");
            JsonBody::from_request(request.body(value.to_string().into()).unwrap(), &()).await.unwrap()
        }
        let mut shared = Shared::new();
        shared.taken.subschema_for::<T>();
        let schema = shared.taken.take_definitions(true)[&*T::schema_name()].clone();
        let members = schema["properties"].as_object().unwrap();
        assert!(read(&mut body(&T::example()).await).is_ok(), "the example of {}", T::schema_name());
        for (name, member) in members {
            let mut good = T::example();
            good[name] = match member["type"].as_str() {
                Some("string") => "text".into(),
                Some("boolean") => true.into(),
                other => panic!("{name} is {other:?}"),
            };
            let mut taken = body(&good).await;
            assert!(read(&mut taken).is_ok(), "{}.{name}", T::schema_name());
            assert_eq!(taken.rest().count(), 0, "{} documents more than is read", T::schema_name());
            for wrong in [json!(1), json!(null), json!(["text"])] {
                let mut bad = good.clone();
                bad[name] = wrong;
                let Err(refusal) = read(&mut body(&bad).await) else { panic!("{}.{name}", T::schema_name()) };
                assert_eq!(refusal.0.code(), "malformed_body");
            }
        }
    }

    #[tokio::test]
    async fn each_body_is_read_as_it_is_documented() {
        is_read_as_documented(Login::read).await;
        is_read_as_documented(RefreshToken::read).await;
        is_read_as_documented(ProfileChange::read).await;
        is_read_as_documented(PasswordChange::read).await;
    }
}
