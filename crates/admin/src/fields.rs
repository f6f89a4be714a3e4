//! Custom user fields in forms: an input for each, by its type.
//!
//! Their names have a prefix of their own, so that no field can take the place of another input of the form.

use countersign::core::fields::{FieldErrors, FieldKind, FieldSpec};

use crate::form::Fields;

const PREFIX: &str = "field.";

/// An input of a form.
pub(crate) struct FieldInput {
    /// The input's name and id.
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) required: bool,
    pub(crate) value: String,
    /// The type of an `input`, if it is one.
    pub(crate) input_type: &'static str,
    pub(crate) max_length: Option<usize>,
    /// Value and text of each choice, if there are any.
    pub(crate) choices: Vec<(String, String)>,
    pub(crate) errors: Vec<String>,
}

impl FieldInput {
    /// For a field with this text in it.
    pub(crate) fn new(spec: &FieldSpec, value: String, errors: &FieldErrors) -> Self {
        let input_type = match spec.kind {
            FieldKind::String(_) => "text",
            FieldKind::Integer => "number",
            FieldKind::Date => "date",
            FieldKind::Email(_) => "email",
            FieldKind::Url(_) => "url",
            FieldKind::Boolean | FieldKind::Enum { .. } => "",
        };
        let same = |text: &String| (text.clone(), text.clone());
        let choices = match &spec.kind {
            FieldKind::Boolean => {
                [("true", "Yes"), ("false", "No")].map(|(value, text)| (value.into(), text.into())).into()
            }
            FieldKind::Enum { choices } => choices.iter().map(same).collect(),
            _ => Vec::new(),
        };
        Self {
            id: format!("{PREFIX}{}", spec.name),
            label: spec.label.clone(),
            help: spec.help.clone(),
            required: spec.required && spec.default.is_none(),
            value,
            input_type,
            max_length: spec.kind.text_rule().map(|rule| rule.max_length),
            choices,
            errors: errors.get(&spec.name).cloned().unwrap_or_default(),
        }
    }
}

/// What a form says of custom fields: name and text of each.
pub(crate) fn texts(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().filter_map(|(name, text)| Some((name.strip_prefix(PREFIX)?, text)))
}

/// What a form says of one custom field.
pub(crate) fn text<'a>(fields: &'a Fields, spec: &FieldSpec) -> &'a str {
    texts(fields).find(|(name, _)| *name == spec.name).map_or("", |(_, text)| text)
}
