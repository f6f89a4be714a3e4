//! Custom user fields in forms: an input for each, by its type.
//!
//! Their names have a prefix of their own, so that no field can take the place of another input of the form.

use countersign::core::fields::{FieldErrors, FieldKind, FieldSpec};

use crate::form::Fields;
use crate::list::Choice;

/// What their names begin with.
pub(crate) const PREFIX: &str = "field.";

/// An input of a form.
pub(crate) struct FieldInput {
    /// The input's name and id.
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) required: bool,
    pub(crate) read_only: bool,
    pub(crate) value: String,
    /// The type of an `input`, if it is one.
    pub(crate) input_type: &'static str,
    pub(crate) max_length: Option<usize>,
    /// What one can choose from, if it is that.
    pub(crate) choices: Vec<Choice>,
    pub(crate) errors: Vec<String>,
}

impl FieldInput {
    /// For a field with this text in it.
    pub(crate) fn new(spec: &FieldSpec, value: String, errors: &FieldErrors) -> Self {
        // What was written before the field was declared as it is may not fit. A browser empties an input of a type that
        // its value doesn't fit, and picks another choice, and so the form would change what nobody meant to.
        let fits = spec.read_text(&value).is_ok();
        let input_type = match spec.kind {
            FieldKind::Boolean | FieldKind::Enum { .. } => "",
            _ if !fits => "text",
            FieldKind::String(_) => "text",
            FieldKind::Integer => "number",
            FieldKind::Date => "date",
            FieldKind::Email(_) => "email",
            FieldKind::Url(_) => "url",
        };
        let mut choices = match &spec.kind {
            FieldKind::Boolean => Choice::of([("true", "Yes"), ("false", "No")], &value),
            FieldKind::Enum { choices } => Choice::of(choices.iter().map(|text| (text, text)), &value),
            _ => Vec::new(),
        };
        if !fits && !choices.is_empty() {
            choices.extend(Choice::of([(&value, &value)], &value));
        }
        Self {
            id: format!("{PREFIX}{}", spec.name),
            label: spec.label.clone(),
            help: spec.help.clone(),
            required: spec.required && spec.default.is_none(),
            read_only: false,
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

#[cfg(test)]
mod tests {
    use countersign::core::fields::{Declaration, FieldType, UserFields};

    use super::*;

    fn input(declaration: Declaration, value: &str) -> FieldInput {
        let fields = UserFields::declare([("it".to_owned(), declaration)]).unwrap();
        FieldInput::new(fields.get("it").unwrap(), value.to_owned(), &FieldErrors::new())
    }

    #[test]
    fn what_no_longer_fits_its_field_is_kept_by_the_form() {
        for (field_type, fits, misfit) in
            [(FieldType::Integer, "3", "three"), (FieldType::Date, "2020-01-31", "31.1.2020")]
        {
            assert_ne!(input(Declaration::new(field_type), fits).input_type, "text");
            let kept = input(Declaration::new(field_type), misfit);
            assert_eq!((kept.input_type, &*kept.value), ("text", misfit));
        }
        let choices = Some(vec!["sales".to_owned()]);
        let sold = Declaration { choices, ..Declaration::new(FieldType::Enum) };
        let texts =
            |input: FieldInput| input.choices.into_iter().map(|choice| choice.text).collect::<Vec<_>>();
        assert_eq!(texts(input(sold.clone(), "sales")), ["sales"]);
        assert_eq!(texts(input(sold.clone(), "")), ["sales"]);
        assert_eq!(texts(input(sold, "art")), ["sales", "art"]);
    }
}
