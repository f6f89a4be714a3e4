//! What the fields take, and what they refuse.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

/// Declares fields from JSON, as they are written in the settings.
fn declared(fields: Value) -> Result<UserFields, String> {
    let declarations = object(fields).into_iter().map(|(name, declaration)| {
        let declaration = serde_json::from_value(declaration).map_err(|error| error.to_string())?;
        Ok((name, declaration))
    });
    let declarations: Vec<_> = declarations.collect::<Result<_, String>>()?;
    UserFields::declare(declarations).map_err(|error| error.to_string())
}

fn fields(declarations: Value) -> UserFields {
    declared(declarations).unwrap()
}

fn field(declaration: &Value) -> FieldSpec {
    fields(json!({ "it": declaration })).get("it").unwrap().clone()
}

fn errors(of: &FieldErrors) -> Vec<(&str, &str)> {
    of.iter().flat_map(|(name, all)| all.iter().map(|sentence| (&**name, &**sentence))).collect()
}

mod declaring {
    use super::*;

    #[test]
    fn what_is_not_said_is_harmless() {
        let spec = field(&json!({"type": "string"}));
        assert!(!spec.required && !spec.unique && !spec.in_token && spec.default.is_none());
        assert_eq!(spec.editable_by, Editor::Staff);
        assert_eq!(spec.kind.text_rule().unwrap().max_length, 255);
        assert_eq!((&*spec.label, &*spec.help), ("It", ""));
        let from_rust =
            UserFields::declare([("it".to_owned(), Declaration::new(FieldType::String))]).unwrap();
        assert_eq!(format!("{from_rust:?}"), format!("{:?}", UserFields(vec![spec])));
    }

    #[test]
    fn fields_stand_in_the_order_of_their_declaration() {
        let names = ["zip", "city", "allergies"];
        let declarations = names.map(|name| (name.to_owned(), Declaration::new(FieldType::String)));
        let fields = UserFields::declare(declarations).unwrap();
        assert_eq!(fields.iter().map(|spec| &*spec.name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_label_is_made_of_the_name() {
        let fields =
            fields(json!({"phone_number": {"type": "string"}, "dob": {"type": "date", "label": " Born "}}));
        assert_eq!(fields.get("phone_number").unwrap().label, "Phone number");
        assert_eq!(fields.get("dob").unwrap().label, "Born");
    }

    // attack 95
    #[test]
    fn a_field_can_not_take_the_place_of_what_a_user_or_a_token_has() {
        for name in declare::USER_MEMBERS.iter().chain(&["password", "user"]) {
            let error = declared(json!({ *name: {"type": "string"} })).unwrap_err();
            assert!(error.starts_with(&format!("{name} is what every user has")), "{error}");
        }
        for name in ["iss", "sub", "aud", "exp", "sid", "csh", "token_type", "scope", "roles", "act"] {
            let error = declared(json!({ name: {"type": "string"} })).unwrap_err();
            assert!(error.contains("has a meaning of its own in tokens"), "{error}");
        }
    }

    #[test]
    fn a_name_is_one_word_in_lower_case() {
        for name in ["", "Phone", "2nd", "_x", "a-b", "a b", "a.b", "é", "__proto__", &*"x".repeat(41)] {
            let error = declared(json!({ name: {"type": "string"} })).unwrap_err();
            assert!(error.contains("is no name for a field"), "{error}");
        }
        assert!(declared(json!({ "x".repeat(40): {"type": "string"} })).is_ok());
    }

    #[test]
    fn what_can_not_be_right_is_one_sentence() {
        let long = "x".repeat(101);
        for (declaration, part) in [
            (json!({"type": "integer", "max_length": 3}), "has a max_length, which is for string"),
            (json!({"type": "date", "pattern": "x"}), "has a pattern, which is for string"),
            (json!({"type": "string", "choices": ["a"]}), "has choices, which are for the type enum"),
            (json!({"type": "enum"}), "is an enum without choices"),
            (json!({"type": "enum", "choices": []}), "is an enum without choices"),
            (json!({"type": "enum", "choices": ["a", "b", "a"]}), "has the choice \"a\" twice"),
            (json!({"type": "enum", "choices": ["a", ""]}), "has the choice \"\""),
            (json!({"type": "enum", "choices": [" a"]}), "has the choice \" a\""),
            (json!({"type": "enum", "choices": ["a\nb"]}), "has the choice"),
            (json!({"type": "enum", "choices": ["e\u{301}"]}), "has the choice"),
            (json!({"type": "enum", "choices": [long]}), "has the choice"),
            (json!({"type": "string", "max_length": 0}), "has a max_length of 0; write one from 1 to 4096"),
            (json!({"type": "string", "max_length": 4097}), "has a max_length of 4097"),
            (json!({"type": "string", "pattern": "("}), "has a pattern that can't be read"),
            (json!({"type": "string", "pattern": "a)|(b"}), "has a pattern that can't be read"),
            (json!({"type": "string", "pattern": "(?:(?:a{1000}){1000}){1000}"}), "has a pattern that can't"),
            (json!({"type": "string", "pattern": "x".repeat(1001)}), "has a pattern of over 1000 bytes"),
            (json!({"type": "string", "default": 1}), "has a default that won't do: Must be a string."),
            (json!({"type": "string", "default": " "}), "has an empty default"),
            (json!({"type": "integer", "default": "1"}), "has a default that won't do: Write a whole"),
            (json!({"type": "date", "default": "2023-02-29"}), "has a default that won't do: Write a date"),
            (json!({"type": "enum", "choices": ["a"], "default": "b"}), "Choose one of these: a."),
            (json!({"type": "string", "max_length": 2, "default": "abc"}), "Write at most 2 characters."),
            (json!({"type": "string", "unique": true, "default": "x"}), "can't be unique and have a default"),
            (json!({"type": "boolean", "unique": true}), "can't be unique: there would be"),
            (json!({"type": "enum", "choices": ["a"], "unique": true}), "can't be unique: there would be"),
            (json!({"type": "string", "label": long}), "has a label that won't do"),
            (json!({"type": "string", "help": "two\nlines"}), "has a help that won't do"),
            (json!({"type": "text"}), "unknown variant `text`"),
            (json!({"type": "string", "requird": true}), "unknown field `requird`"),
            (json!({"type": "string", "editable_by": "admin"}), "is to be \"user\" or \"staff\""),
            (json!({"required": true}), "missing field `type`"),
        ] {
            let error = declared(json!({ "it": declaration })).unwrap_err();
            assert!(error.contains(part), "{declaration}: {error}");
        }
        let many = (0..65).map(|n| (format!("f{n}"), Declaration::new(FieldType::Date)));
        assert!(UserFields::declare(many).unwrap_err().to_string().contains("is one too many"));
        let twice = ["a", "a"].map(|name| (name.to_owned(), Declaration::new(FieldType::Date)));
        assert!(UserFields::declare(twice).unwrap_err().to_string().contains("is declared twice"));
    }

    #[test]
    fn the_fields_in_tokens_have_room_there_however_they_are_filled_in() {
        let wide = |max_length| json!({"type": "string", "in_token": true, "max_length": max_length});
        let error = declared(json!({"a": wide(255), "b": wide(255)})).unwrap_err();
        assert!(error.starts_with("b may make tokens too long") && error.contains("max_length"), "{error}");
        assert!(declared(json!({"a": {"type": "url", "in_token": true}})).is_err());
        let fields = fields(json!({
            "text": wide(20),
            "mail": {"type": "email", "in_token": true, "max_length": 19},
            "url": {"type": "url", "in_token": true, "max_length": 30},
            "enum": {"type": "enum", "in_token": true, "choices": ["a\"\u{1f409}\\"]},
            "int": {"type": "integer", "in_token": true},
            "bool": {"type": "boolean", "in_token": true},
            "date": {"type": "date", "in_token": true},
            "other": {"type": "string"},
        }));
        let stored = json!({
            "text": "\u{1f409}".repeat(20), "mail": format!("{}@a.example", "\u{20000}".repeat(9)),
            "url": format!("https://a.example/{}", "x".repeat(12)), "enum": "a\"\u{1f409}\\",
            "int": -9_007_199_254_740_991_i64, "bool": false, "date": "2020-01-31", "other": "x".repeat(200),
        });
        let claims = fields.claims(&object(stored));
        assert_eq!(claims.len(), 7);
        let taken = serde_json::to_string(&claims).unwrap().len() - "{}".len() + ",".len();
        assert!(
            taken <= fields.claims_max() && fields.claims_max() < taken + 60,
            "{taken} {}",
            fields.claims_max()
        );
    }

    #[test]
    fn a_default_is_kept_in_its_canonical_form() {
        let spec = field(&json!({"type": "url", "default": "HTTPS://Example.com:443"}));
        assert_eq!(spec.default, Some(json!("https://example.com/")));
    }
}

mod reading {
    use super::*;

    #[test]
    fn each_type_has_one_form_of_a_value() {
        for (declaration, given, kept) in [
            (json!({"type": "string"}), json!("  Mu\u{308}ller x² "), json!("Müller x²")),
            (json!({"type": "string"}), json!(""), json!(null)),
            (json!({"type": "string"}), json!(" \n "), json!(null)),
            (json!({"type": "integer"}), json!(-7), json!(-7)),
            (json!({"type": "integer"}), json!(9_007_199_254_740_991_i64), json!(9_007_199_254_740_991_i64)),
            (json!({"type": "boolean"}), json!(false), json!(false)),
            (json!({"type": "date"}), json!(" 2024-02-29 "), json!("2024-02-29")),
            (json!({"type": "date"}), json!("0001-01-01"), json!("0001-01-01")),
            (json!({"type": "email"}), json!(" Ana@Example.com"), json!("Ana@Example.com")),
            (json!({"type": "url"}), json!("HTTP://EXAMPLE.com:80"), json!("http://example.com/")),
            (
                json!({"type": "url"}),
                json!("https://a.example/é?q=<x>#'"),
                json!("https://a.example/%C3%A9?q=%3Cx%3E#%27"),
            ),
            (json!({"type": "url"}), json!("https://[::1]:8000?a"), json!("https://[::1]:8000/?a")),
            (json!({"type": "enum", "choices": ["é"]}), json!("e\u{301} "), json!("é")),
            (json!({"type": "enum", "choices": ["a"]}), json!(null), json!(null)),
        ] {
            assert_eq!(field(&declaration).read(&given), Ok(kept), "{declaration} {given}");
        }
    }

    // attack 98
    #[test]
    fn what_does_not_fit_is_told_in_one_sentence() {
        let line = "Write one line, without control characters.";
        let integer = "Write a whole number, in digits alone, from -9007199254740991 to 9007199254740991.";
        let date = "Write a date like 2020-01-31.";
        let url = "Write a web address like https://example.com/page.";
        let address = "Write an e-mail address like name@example.com.";
        let form = "This is not of the form that is asked for.";
        for (declaration, given, sentence) in [
            (json!({"type": "string"}), json!(1), "Must be a string."),
            (json!({"type": "string"}), json!({"$ne": ""}), "Must be a string."),
            (json!({"type": "string"}), json!("a\0b"), line),
            (json!({"type": "string"}), json!("a\nb"), line),
            (json!({"type": "string"}), json!("a\u{1b}[31m"), line),
            (json!({"type": "string"}), json!("a\u{2028}b"), line),
            (json!({"type": "string", "max_length": 1}), json!("ab"), "Write at most 1 character."),
            (
                json!({"type": "string", "max_length": 3}),
                json!("x".repeat(1 << 20)),
                "Write at most 3 characters.",
            ),
            (json!({"type": "string", "pattern": "[a-z]+"}), json!("abc1"), form),
            (json!({"type": "string", "pattern": "a|b"}), json!("ab"), form),
            (json!({"type": "email", "pattern": ".*@example\\.com"}), json!("a@example.org"), form),
            (json!({"type": "integer"}), json!("1"), integer),
            (json!({"type": "integer"}), json!(1.0), integer),
            (json!({"type": "integer"}), json!(1e300), integer),
            (json!({"type": "integer"}), json!(true), integer),
            (json!({"type": "integer"}), json!(9_007_199_254_740_992_i64), integer),
            (json!({"type": "integer"}), json!(u64::MAX), integer),
            (json!({"type": "boolean"}), json!("true"), "Must be true or false."),
            (json!({"type": "boolean"}), json!(1), "Must be true or false."),
            (json!({"type": "date"}), json!("2023-02-29"), date),
            (json!({"type": "date"}), json!("0000-01-01"), date),
            (json!({"type": "date"}), json!("2023-2-1"), date),
            (json!({"type": "date"}), json!("+203-02-01"), date),
            (json!({"type": "date"}), json!("2023-02-01T00:00:00Z"), date),
            (json!({"type": "date"}), json!("10000-01-01"), date),
            (json!({"type": "date"}), json!(20_230_201), "Must be a string."),
            (json!({"type": "email"}), json!("ana"), address),
            (json!({"type": "email"}), json!("a@b.example\r\nBcc: c@d.example"), address),
            (json!({"type": "enum", "choices": ["a", "b"]}), json!("A"), "Choose one of these: a, b."),
            (json!({"type": "enum", "choices": ["a", "b"]}), json!(0), "Must be a string."),
            (json!({"type": "url"}), json!("example.com"), url),
            (json!({"type": "url"}), json!("javascript:alert(1)"), url),
            (json!({"type": "url"}), json!("javascript://example.com/%0aalert(1)"), url),
            (json!({"type": "url"}), json!("data:text/html,x"), url),
            (json!({"type": "url"}), json!("file:///etc/passwd"), url),
            (json!({"type": "url"}), json!("https://"), url),
            (json!({"type": "url"}), json!("https://user:pass@example.com/"), url),
            (json!({"type": "url"}), json!("https://good.example\\@evil.example/"), url),
            (json!({"type": "url"}), json!("https://a.example/x y"), url),
            (json!({"type": "url"}), json!("java\tscript:x"), url),
            (json!({"type": "url"}), json!("https://bücher.example/"), url),
            (
                json!({"type": "url", "max_length": 30}),
                json!(format!("https://a.example/{}", "x".repeat(20))),
                "Write at most 30 characters.",
            ),
        ] {
            assert_eq!(field(&declaration).read(&given), Err(sentence.to_owned()), "{declaration} {given}");
        }
        let many: Vec<_> = (0..21).map(|n| n.to_string()).collect();
        let sentence = field(&json!({"type": "enum", "choices": many})).read(&json!("x")).unwrap_err();
        assert_eq!(sentence, "Choose one of the listed values.");
    }

    #[test]
    fn a_text_is_read_by_the_type_of_its_field() {
        for (declaration, text, value) in [
            (json!({"type": "string"}), " 1 ", json!("1")),
            (json!({"type": "integer"}), " 42 ", json!(42)),
            (json!({"type": "integer"}), "-0", json!(0)),
            (json!({"type": "boolean"}), "Yes", json!(true)),
            (json!({"type": "boolean"}), "on", json!(true)),
            (json!({"type": "boolean"}), "0", json!(false)),
            (json!({"type": "date"}), "2020-01-31", json!("2020-01-31")),
            (json!({"type": "integer"}), " ", json!(null)),
            (json!({"type": "boolean"}), "", json!(null)),
        ] {
            assert_eq!(field(&declaration).read_text(text), Ok(value), "{declaration} {text}");
        }
        for (declaration, text) in [
            (json!({"type": "integer"}), "4.2"),
            (json!({"type": "integer"}), "99999999999999999999"),
            (json!({"type": "boolean"}), "maybe"),
        ] {
            assert!(field(&declaration).read_text(text).is_err(), "{declaration} {text}");
        }
    }

    #[test]
    fn values_are_the_same_by_their_keys() {
        let email = field(&json!({"type": "email"}));
        assert_eq!(email.key(&json!("Ana@Example.com")), email.key(&json!("ana@example.COM")));
        let text = field(&json!({"type": "string"}));
        assert_ne!(text.key(&json!("A1")), text.key(&json!("a1")));
        assert_eq!(text.key(&json!(1)), None);
        assert_eq!(text.key(&json!(null)), None);
        let long = text.key(&json!("x".repeat(4000))).unwrap();
        assert!(long.len() <= 512 && long != text.key(&json!("x".repeat(4001))).unwrap());
        assert_eq!(field(&json!({"type": "integer"})).key(&json!(-1)), Some("-1".to_owned()));
        assert_eq!(field(&json!({"type": "boolean"})).key(&json!(true)), Some("true".to_owned()));
    }
}

mod writing {
    use super::*;

    fn people() -> UserFields {
        fields(json!({
            "phone": {"type": "string", "pattern": "\\+[0-9 ]+", "editable_by": "user"},
            "level": {"type": "integer"},
            "badge": {"type": "string", "required": true},
            "theme": {"type": "enum", "choices": ["light", "dark"], "default": "light", "required": true, "editable_by": "user"},
        }))
    }

    #[test]
    fn a_new_user_has_what_is_required_and_nothing_that_is_empty() {
        let fields = people();
        let made = fields.new_user(&object(json!({"badge": " b1 ", "phone": "", "level": null}))).unwrap();
        assert_eq!(made, object(json!({"badge": "b1"})));
        for missing in [json!({}), json!({"badge": null}), json!({"badge": "  "})] {
            let wrong = fields.new_user(&object(missing)).unwrap_err();
            assert_eq!(errors(&wrong), [("badge", "This field is required.")]);
        }
        let wrong = fields.new_user(&object(json!({"badge": 1, "level": "x", "size": 1}))).unwrap_err();
        assert_eq!(wrong.keys().collect::<Vec<_>>(), ["badge", "level", "size"]);
        assert_eq!(wrong["badge"], ["Must be a string."]);
    }

    // attack 95
    #[test]
    fn a_user_writes_only_what_is_theirs() {
        let (fields, stored) = (people(), object(json!({"badge": "b1", "level": 3})));
        let given = object(json!({"phone": "+1 2", "theme": "dark"}));
        assert_eq!(fields.change(&given, &stored, Editor::User), Ok(given));
        let given = json!({"level": 4, "badge": "b1", "is_staff": true, "groups": [], "size": 1});
        let wrong = fields.change(&object(given), &stored, Editor::User).unwrap_err();
        let read_only = "This field is read-only.";
        assert_eq!(
            errors(&wrong),
            [
                ("badge", read_only),
                ("groups", read_only),
                ("is_staff", read_only),
                ("level", read_only),
                ("size", "There is no such field."),
            ]
        );
        let given = object(json!({"level": 4}));
        assert_eq!(fields.change(&given, &stored, Editor::Staff), Ok(given));
    }

    #[test]
    fn null_clears_a_field_unless_it_is_required() {
        let fields = people();
        let stored = object(json!({"badge": "b1", "phone": "+1", "theme": "dark"}));
        let cleared = object(json!({"phone": null, "theme": null}));
        assert_eq!(fields.change(&cleared, &stored, Editor::User), Ok(cleared.clone()));
        assert_eq!(
            fields.change(&object(json!({"phone": " "})), &stored, Editor::User),
            Ok(object(json!({"phone": null})))
        );
        let wrong = fields.change(&object(json!({"badge": ""})), &stored, Editor::Staff).unwrap_err();
        assert_eq!(errors(&wrong), [("badge", "This field is required.")]);
        assert_eq!(fields.shown(&object(json!({"badge": "b1"})))["theme"], "light");
    }

    #[test]
    fn what_stays_as_it_is_is_not_judged() {
        let fields = people();
        let stored = object(json!({"phone": "ask Bob", "level": "three"}));
        let given = json!({"phone": "ask Bob", "level": "three", "badge": null, "theme": "dark"});
        assert_eq!(
            fields.change(&object(given), &stored, Editor::Staff),
            Ok(object(json!({"theme": "dark"})))
        );
        let wrong = fields.change(&object(json!({"phone": "ask Eve"})), &stored, Editor::Staff).unwrap_err();
        assert_eq!(errors(&wrong), [("phone", "This is not of the form that is asked for.")]);
    }

    #[test]
    fn a_value_that_is_the_same_in_its_canonical_form_changes_nothing() {
        let stored = object(json!({"phone": "+1"}));
        assert_eq!(people().change(&object(json!({"phone": " +1 "})), &stored, Editor::User), Ok(Map::new()));
    }

    #[test]
    fn texts_become_values_and_those_of_a_form_that_stay_are_left_out() {
        let fields = people();
        let texts = [("phone", "+1"), ("level", "7"), ("theme", "")];
        let values = fields.read_texts(texts, None).unwrap();
        assert_eq!(values, object(json!({"phone": "+1", "level": 7, "theme": null})));
        let stored = object(json!({"phone": "ask Bob", "level": "three"}));
        let form = [("phone", "ask Bob"), ("level", "three"), ("theme", "light"), ("badge", "b2")];
        assert_eq!(fields.read_texts(form, Some(&stored)), Ok(object(json!({"badge": "b2"}))));
        let wrong = fields.read_texts([("level", "x"), ("size", "1"), ("id", "1")], None).unwrap_err();
        assert_eq!(wrong.keys().collect::<Vec<_>>(), ["id", "level", "size"]);
    }
}

mod showing {
    use super::*;

    fn people() -> UserFields {
        fields(json!({
            "level": {"type": "integer", "in_token": true},
            "theme": {"type": "enum", "choices": ["light", "dark"], "default": "light", "in_token": true},
            "badge": {"type": "string", "required": true},
        }))
    }

    #[test]
    fn a_user_shows_the_declared_fields_as_they_are_kept() {
        let kept = object(json!({"level": "three", "old": "kept, not shown", "theme": null}));
        let shown = json!({"level": "three", "theme": "light", "badge": null});
        assert_eq!(people().shown(&kept), object(shown));
    }

    #[test]
    fn a_token_carries_what_has_a_value_that_fits() {
        let fields = people();
        for (kept, claims) in [
            (json!({}), json!({"theme": "light"})),
            (json!({"level": 3, "theme": "dark", "badge": "b1"}), json!({"level": 3, "theme": "dark"})),
            (json!({"level": "three", "theme": "blue", "old": 1}), json!({})),
        ] {
            assert_eq!(fields.claims(&object(kept)), object(claims));
        }
    }

    #[test]
    fn what_no_longer_fits_is_told() {
        let fields = people();
        assert_eq!(fields.misfits(&object(json!({"badge": "b1", "old": [1]}))), FieldErrors::new());
        let misfits = fields.misfits(&object(json!({"level": "three", "theme": "blue"})));
        assert_eq!(misfits.keys().collect::<Vec<_>>(), ["badge", "level", "theme"]);
    }
}

fn any_declaration() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "string", "max_length": 20})),
        Just(json!({"type": "string", "pattern": "[a-zà-ÿ ]*"})),
        Just(json!({"type": "integer"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "date"})),
        Just(json!({"type": "email"})),
        Just(json!({"type": "url"})),
        Just(json!({"type": "enum", "choices": ["a", "é", "1", "true"]})),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ a-zà-ÿ\u{301}\u{308}]{0,12}",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "-?[0-9]{1,20}",
        "[a-z.]{1,5}@[a-zA-Z.]{1,9}",
        "(https?|HTTP|javascript|ftp)://[a-zA-Z0-9.:@\\[\\]]{1,12}[/?#]?[ -~é]{0,10}",
        "true|no|On|1|a|é",
    ]
}

proptest! {
    // attack 99
    #[test]
    fn a_canonical_value_is_read_as_itself_and_through_its_text(declaration in any_declaration(), text in any_text()) {
        let spec = field(&declaration);
        if let Ok(value) = spec.read_text(&text) {
            prop_assert_eq!(spec.read(&value), Ok(value.clone()));
            prop_assert_eq!(spec.read_text(&spec.text(&value)), Ok(value.clone()));
            prop_assert_eq!(spec.key(&value).is_none(), value.is_null());
        }
        if let Ok(value) = spec.read(&json!(text)) {
            prop_assert_eq!(spec.read(&value), Ok(value));
        }
    }

    #[test]
    fn what_is_kept_has_no_control_characters_and_is_not_too_long(text in any_text()) {
        for declaration in [json!({"type": "string", "max_length": 20}), json!({"type": "url", "max_length": 20})] {
            if let Ok(Value::String(kept)) = field(&declaration).read(&json!(text)) {
                prop_assert!(kept.chars().count() <= 20 && !kept.contains(char::is_control), "{kept:?}");
            }
        }
    }

    #[test]
    fn a_web_address_leads_to_the_web_and_stays_inside_quotes(text in any_text()) {
        if let Ok(Value::String(kept)) = field(&json!({"type": "url"})).read(&json!(text)) {
            prop_assert!(kept.starts_with("https://") || kept.starts_with("http://"), "{kept}");
            prop_assert!(kept.is_ascii() && !kept.contains(['"', '\'', '<', '>', '`', ' ', '\\']), "{kept}");
        }
    }
}
