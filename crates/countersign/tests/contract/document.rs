//! `openapi.json` and the server say the same: each answer that any test here gets is held against the document.

use std::sync::LazyLock;

use http::{Method, header};
use serde_json::{Map, Value, json};

use crate::support::{Answer, World};

/// The committed document; another test keeps it as the code makes it.
static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../openapi.json")).unwrap());

/// Asserts that the document knows this answer: its status, its headers, its type, its body. What is no route of the
/// document is none of its business.
#[track_caller]
pub fn assert_documented(method: &Method, target: &str, answer: &Answer) {
    let Some(operation) = operation(method, target) else { return };
    let said = format!("{method} {target} answers {}", answer.status.as_u16());
    let response = operation["responses"].get(answer.status.as_str()).map(resolve);
    assert!(response.is_some(), "openapi.json doesn't know that {said}");
    let response = response.unwrap();
    let documented = |name: &str| response["headers"].get(name).is_some();
    for name in ["X-Request-Id", "WWW-Authenticate", "Allow", "Retry-After", "ETag"] {
        assert_eq!(answer.header(name).is_some(), documented(name), "{said}, with {name}?");
    }
    assert!(answer.header("set-cookie").is_none() || documented("Set-Cookie"), "{said}, with a cookie");
    match response.get("content") {
        None => assert!(answer.bytes.is_empty(), "{said}, with a body"),
        Some(types) => {
            let sent = answer.header("content-type").unwrap_or_default();
            let kind = types.get(sent.split(';').next().unwrap());
            assert!(kind.is_some(), "openapi.json doesn't know that {said} as {sent:?}");
            if let Some(schema) = kind.unwrap().get("schema").filter(|_| method != Method::HEAD) {
                assert_eq!(misfit(schema, &answer.body, ""), None, "{said} with {}", answer.body);
            }
        }
    }
}

/// The operation of a request; that of `HEAD` is `GET`'s.
fn operation(method: &Method, target: &str) -> Option<&'static Value> {
    let path = target.split('?').next()?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let method = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let fits = |template: &str| {
        let (mut asked, mut known) = (path.split('/'), template.split('/'));
        asked.clone().count() == known.clone().count()
            && known.all(|known| asked.next().is_some_and(|asked| known == asked || known.starts_with('{')))
    };
    let paths = DOCUMENT["paths"].as_object()?;
    let methods =
        paths.get(path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, all)| all))?;
    methods.get(&method)
}

fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Where and why a value isn't as a schema has it. Stricter than JSON Schema: a member that isn't named is no member.
fn misfit(schema: &'static Value, value: &Value, at: &str) -> Option<String> {
    let target = resolve(schema);
    if !std::ptr::eq(target, schema) {
        let narrowed = schema["properties"].as_object().into_iter().flatten();
        let mut narrowed =
            narrowed.filter_map(|(name, schema)| misfit(schema, value.get(name)?, &format!("{at}/{name}")));
        return misfit(target, value, at).or_else(|| narrowed.next());
    }
    let is_type = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fits = match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(is_type),
        Some(name) => is_type(name),
    };
    let allowed = schema.get("enum").and_then(Value::as_array).is_none_or(|allowed| allowed.contains(value));
    let equal = schema.get("const").is_none_or(|constant| constant == value);
    if !(fits && allowed && equal) {
        return Some(format!("{at} is {value}"));
    }
    match value {
        Value::Object(members) => misfit_in_members(schema, members, at),
        Value::Array(items) => {
            items.iter().find_map(|item| misfit(schema.get("items")?, item, &format!("{at}/*")))
        }
        _ => None,
    }
}

fn misfit_in_members(schema: &'static Value, members: &Map<String, Value>, at: &str) -> Option<String> {
    let required = schema["required"].as_array().into_iter().flatten();
    let mut missing = required.filter(|name| !members.contains_key(name.as_str().unwrap()));
    if let Some(name) = missing.next() {
        return Some(format!("{at} has no {name}"));
    }
    members.iter().find_map(|(name, value)| {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => misfit(schema, value, &at),
            (None, Some(Value::Bool(true))) => None,
            (None, _) => Some(format!("{at} is not in the schema")),
        }
    })
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let schema = &DOCUMENT["components"]["schemas"]["Profile"];
    let user =
        json!({"id": 1, "username": "a", "email": "", "first_name": "", "last_name": "", "is_active": true});
    let with = |name: &str, value: Value| {
        let mut user = user.clone();
        user[name] = value;
        misfit(schema, &json!({ "user": user }), "")
    };
    assert_eq!(with("id", json!(2)), None);
    assert_eq!(with("id", json!("2")), Some("/user/id is \"2\"".to_owned()));
    assert_eq!(
        misfit(schema, &json!({ "user": user, "more": 1 }), ""),
        Some("/more is not in the schema".to_owned())
    );
    assert_eq!(misfit(schema, &json!({}), ""), Some(" has no \"user\"".to_owned()));
}

#[test]
fn each_example_fits_its_schema() {
    let mut seen = 0;
    for operation in
        DOCUMENT["paths"].as_object().unwrap().values().flat_map(|all| all.as_object().unwrap().values())
    {
        let answers = operation["responses"].as_object().unwrap().values().map(resolve);
        for content in answers.chain(operation.get("requestBody")).filter_map(|holder| holder.get("content"))
        {
            for kind in content.as_object().unwrap().values().filter(|kind| kind.get("example").is_some()) {
                assert_eq!(
                    misfit(&kind["schema"], &kind["example"], ""),
                    None,
                    "{}",
                    operation["operationId"]
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 10);
    let problem = &DOCUMENT["components"]["schemas"]["Problem"];
    assert_eq!(misfit(problem, &problem["examples"][0], ""), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_the_document_and_knows_who_has_it() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    let answer = anyone.get("/openapi.json").await;
    assert_eq!(answer.body["info"], DOCUMENT["info"]);
    assert_eq!(answer.body["paths"], DOCUMENT["paths"]);
    let tag = answer.header("etag").unwrap().to_owned();
    let again = anyone
        .request(Method::GET, "/openapi.json/")
        .header(header::IF_NONE_MATCH.as_str(), &tag)
        .send()
        .await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
}
