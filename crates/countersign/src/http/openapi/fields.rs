//! The declared custom fields in the document: what a user shows, and what users may write of themselves.

use countersign_core::fields::{Editor, FieldKind, FieldSpec, UserFields};
use serde_json::{Map, Value, json};

/// Adds the declared fields to the schemas of a user and of a change of a profile.
pub(super) fn add(schemas: &mut Map<String, Value>, declared: &UserFields) {
    for spec in declared {
        add_to(schemas, "User", spec, true);
        if spec.may_write(Editor::User) {
            add_to(schemas, "ProfileChange", spec, false);
        }
    }
}

fn add_to(schemas: &mut Map<String, Value>, name: &str, spec: &FieldSpec, is_always_there: bool) {
    let Some(schema) = schemas.get_mut(name).and_then(Value::as_object_mut) else { return };
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({})) {
        properties.insert(spec.name.clone(), property(spec));
    }
    if let (true, Value::Array(required)) =
        (is_always_there, schema.entry("required").or_insert_with(|| json!([])))
    {
        required.push(spec.name.as_str().into());
    }
}

fn property(spec: &FieldSpec) -> Value {
    let mut property = match &spec.kind {
        FieldKind::String(_) => json!({ "type": ["string", "null"] }),
        FieldKind::Integer => json!({ "type": ["integer", "null"] }),
        FieldKind::Boolean => json!({ "type": ["boolean", "null"] }),
        FieldKind::Date => json!({ "type": ["string", "null"], "format": "date" }),
        FieldKind::Email(_) => json!({ "type": ["string", "null"], "format": "email" }),
        FieldKind::Url(_) => json!({ "type": ["string", "null"], "format": "uri" }),
        FieldKind::Enum { choices } => {
            let choices: Vec<Value> =
                choices.iter().map(|choice| choice.as_str().into()).chain([Value::Null]).collect();
            json!({ "type": ["string", "null"], "enum": choices })
        }
    };
    if let Value::Object(members) = &mut property {
        let (label, help) = (spec.label.trim_end_matches('.'), spec.help.trim_end_matches('.'));
        let said = if help.is_empty() { format!("{label}.") } else { format!("{label}. {help}.") };
        members.insert("description".to_owned(), said.into());
        if let Some(rule) = spec.kind.text_rule() {
            members.insert("maxLength".to_owned(), rule.max_length.into());
        }
        if let Some(default) = &spec.default {
            members.insert("default".to_owned(), default.clone());
        }
    }
    property
}
