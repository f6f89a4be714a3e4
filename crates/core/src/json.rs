//! JSON as we take it from strangers: one object, UTF-8, no member twice, a bounded size and depth.
//!
//! Two readers of one text must not see two things. `{"sub":"1","sub":"2"}` is taken by most parsers, first or
//! last wins, and so it names two users (RFC 8259, section 4; RFC 7515, section 4). Here it is refused at any
//! depth, and so are a byte order mark and anything after the object. Key sets and request bodies come through
//! [`parse_object`]; JWT headers and claims through `parse_known`, which needs less memory where names are known.
//!
//! serde_json's feature `arbitrary_precision` must stay off in the whole program: it hands numbers over as objects,
//! so every token would be refused.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How much JSON is too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// How many arrays and objects may stand in one another, the outermost counted. At most 127.
    pub depth: usize,
}

/// Why a text is refused. It never holds a piece of the text, which may be a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the limit.
    #[error("the JSON is too long")]
    TooLong,
    /// Not UTF-8, or it starts with a byte order mark.
    #[error("the JSON is not plain UTF-8")]
    NotUtf8,
    /// Not JSON, or something follows it.
    #[error("this is not JSON")]
    Syntax,
    /// JSON, but no object.
    #[error("the JSON is not an object")]
    NotAnObject,
    /// An object with two members of one name.
    #[error("a member of the JSON is there twice")]
    DuplicateMember,
    /// More arrays and objects in one another than the limit.
    #[error("the JSON is nested too deep")]
    TooDeep,
}

/// 64 KiB, 32 deep.
impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 * 1024, depth: 32 }
    }
}

/// Reads one object, strictly.
pub fn parse_object(bytes: &[u8], limits: Limits) -> Result<Map<String, Value>, JsonError> {
    match read(bytes, limits, |strict, json| strict.deserialize(json))? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads one object as strictly, of which these members are wanted: those take no memory of their own unless they must.
/// What is no object is [`JsonError::Syntax`] here.
pub(crate) fn parse_known<'a, const N: usize>(
    bytes: &'a [u8],
    limits: Limits,
    names: &'static [&'static str; N],
) -> Result<Known<'a, N>, JsonError> {
    read(bytes, limits, |strict, json| json.deserialize_map(KnownVisitor { strict, names }))
}

/// An object of which some members were known by name.
pub(crate) struct Known<'a, const N: usize> {
    names: &'static [&'static str; N],
    found: [Option<Member<'a>>; N],
    others: Map<String, Value>,
}

/// The value of a member. A text without escapes stays where it was read.
pub(crate) enum Member<'a> {
    Text(Cow<'a, str>),
    Other(Value),
}

impl<'a, const N: usize> Known<'a, N> {
    /// Takes out a member of one of the names.
    pub(crate) fn take(&mut self, name: &str) -> Option<Member<'a>> {
        self.place(name).and_then(Option::take)
    }

    /// All members that weren't taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        let Self { names, found, mut others } = self;
        for (name, member) in names.iter().zip(found) {
            if let Some(member) = member {
                others.insert((*name).to_owned(), member.into());
            }
        }
        others
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<Member<'a>>> {
        let at = self.names.iter().position(|known| *known == name)?;
        self.found.get_mut(at)
    }
}

impl From<Member<'_>> for Value {
    fn from(member: Member<'_>) -> Self {
        match member {
            Member::Text(text) => Self::String(text.into_owned()),
            Member::Other(value) => value,
        }
    }
}

type Json<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// Reads a text to its end.
fn read<'a, T>(
    bytes: &'a [u8],
    limits: Limits,
    read: impl FnOnce(Strict<'_>, &mut Json<'a>) -> serde_json::Result<T>,
) -> Result<T, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError::NotUtf8);
    }
    let fault = Cell::new(JsonError::Syntax);
    let mut json = serde_json::Deserializer::from_str(text);
    read(Strict { depth_left: limits.depth, fault: &fault }, &mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|_| fault.get())
}

/// One value. serde's errors are text, so the reason of a refusal goes by `fault`.
struct Strict<'a> {
    depth_left: usize,
    fault: &'a Cell<JsonError>,
}

impl Strict<'_> {
    fn refuse<E: Error>(&self, why: JsonError) -> E {
        self.fault.set(why);
        E::custom(why)
    }

    /// What reads the values inside this one.
    fn inner<E: Error>(&self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, fault: self.fault }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    /// The same again: a seed is used up by each value.
    const fn again(&self) -> Self {
        Self { depth_left: self.depth_left, fault: self.fault }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner.again())? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(self.refuse(JsonError::DuplicateMember));
            }
            let value = members.next_value_seed(inner.again())?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// An object whose members have these names, mostly.
struct KnownVisitor<'a, const N: usize> {
    strict: Strict<'a>,
    names: &'static [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for KnownVisitor<'_, N> {
    type Value = Known<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Known<'de, N>, A::Error> {
        let inner = self.strict.inner()?;
        let mut known = Known { names: self.names, found: [const { None }; N], others: Map::new() };
        while let Some(name) = members.next_key_seed(Name)? {
            let is_there = if let Some(place) = known.place(&name) {
                place.replace(members.next_value_seed(MemberOf(inner.again()))?).is_some()
            } else {
                known.others.insert(name.into_owned(), members.next_value_seed(inner.again())?).is_some()
            };
            if is_there {
                return Err(self.strict.refuse(JsonError::DuplicateMember));
            }
        }
        Ok(known)
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// The value of a known member.
struct MemberOf<'a>(Strict<'a>);

impl<'de> DeserializeSeed<'de> for MemberOf<'_> {
    type Value = Member<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberOf<'_> {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Member<'de>, E> {
        self.0.visit_unit().map(Member::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Member<'de>, E> {
        self.0.visit_bool(value).map(Member::Other)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Member<'de>, E> {
        self.0.visit_i64(value).map(Member::Other)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Member<'de>, E> {
        self.0.visit_u64(value).map(Member::Other)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Member<'de>, E> {
        self.0.visit_f64(value).map(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Member<'de>, A::Error> {
        self.0.visit_seq(items).map(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Member<'de>, A::Error> {
        self.0.visit_map(members).map(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(text: impl AsRef<[u8]>) -> Result<Map<String, Value>, JsonError> {
        parse_object(text.as_ref(), Limits::default())
    }

    fn nested(depth: usize) -> String {
        format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
    }

    #[test]
    fn an_object_is_read_with_every_kind_of_value() {
        let text = r#" {"null":null,"yes":true,"int":-1,"big":18446744073709551615,"float":1.5,
            "text":"ä\n\u0000\ud83d\ude00","list":[1,[]],"object":{"a":{}}} "#;
        let expected = json!({"null": null, "yes": true, "int": -1, "big": u64::MAX, "float": 1.5,
            "text": "ä\n\0😀", "list": [1, []], "object": {"a": {}}});
        assert_eq!(parse(text).map(Value::Object), Ok(expected));
    }

    // attack 18, attack 98
    #[test]
    fn a_member_that_is_there_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[0,{"y":{"a":1,"a":2}}]}"#,
        ] {
            assert_eq!(parse(text), Err(JsonError::DuplicateMember), "{text}");
        }
        assert!(parse(r#"{"a":{"a":1},"A":[{"a":1},{"a":1}]}"#).is_ok());
    }

    // attack 20, attack 98
    #[test]
    fn deep_nesting_is_refused_at_its_exact_limit() {
        assert!(parse(nested(32)).is_ok());
        assert_eq!(parse(nested(33)), Err(JsonError::TooDeep));
        assert_eq!(parse(nested(10_000)), Err(JsonError::TooDeep));
        assert_eq!(parse(r#"{"a":"#.repeat(10_000)), Err(JsonError::TooDeep));
        assert_eq!(parse(format!(r#"{{"a":{}"#, "[".repeat(10_000))), Err(JsonError::TooDeep));
    }

    #[test]
    fn a_text_over_the_limit_is_refused_unread() {
        let limits = Limits { bytes: 7, depth: 32 };
        assert!(parse_object(br#"{"a":1}"#, limits).is_ok());
        assert_eq!(parse_object(br#"{"a":1} "#, limits), Err(JsonError::TooLong));
    }

    // attack 98
    #[test]
    fn only_plain_utf_8_is_read() {
        assert_eq!(parse(b"\xef\xbb\xbf{}"), Err(JsonError::NotUtf8));
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(JsonError::NotUtf8));
        assert_eq!(parse(b"{\"a\":\"\xc0\xaf\"}"), Err(JsonError::NotUtf8));
        assert_eq!(parse(b"\xff\xfe{\0}\0"), Err(JsonError::NotUtf8));
        assert_eq!(parse(r#"{"a":"\ud800"}"#), Err(JsonError::Syntax));
    }

    // attack 98
    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{]",
            "{a:1}",
            "{'a':1}",
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e999}"#,
            r#"{"a":tru}"#,
            r#"{"a":"b}"#,
            "{\"a\":\"\n\"}",
            "{} {}",
            "{}x",
            "{}\0",
            "{},",
            "// no\n{}",
            "{1:2}",
            "{null:1}",
        ] {
            assert_eq!(parse(text), Err(JsonError::Syntax), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "[{}]", "1", "null", "true", r#""{}""#] {
            assert_eq!(parse(text), Err(JsonError::NotAnObject), "{text}");
        }
    }

    #[test]
    fn known_members_are_taken_out_and_the_rest_is_left() {
        let text = br#"{"b":"as it stands","other":[1],"a":"es\u0063aped","c":3}"#;
        let mut known = parse_known(text, Limits::default(), &["a", "b", "c", "d"]).unwrap();
        assert!(matches!(known.take("b"), Some(Member::Text(Cow::Borrowed("as it stands")))));
        assert!(matches!(known.take("a"), Some(Member::Text(text)) if text == "escaped"));
        assert!(known.take("b").is_none());
        assert!(known.take("d").is_none());
        assert_eq!(Value::Object(known.rest()), json!({"other": [1], "c": 3}));
    }

    proptest! {
        // attack 99
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        // attack 18, attack 98
        #[test]
        fn an_object_of_known_members_is_read_as_any_other(
            members in proptest::collection::vec(r#""(a|b|c|\\u0061)":("([a-c]|\\n)"|-?[0-9]{1,2}|0\.5|true|null|\[\{"a":0\}\]|\{"a":1,"[ab]":2\})"#, 0..4),
        ) {
            let text = format!("{{{}}}", members.join(","));
            let known = parse_known(text.as_bytes(), Limits::default(), &["b", "a"]).map(Known::rest);
            prop_assert_eq!(known.ok(), parse(&text).ok());
        }

        #[test]
        fn what_is_read_is_what_serde_json_reads(text in r#"\{("[ab]":([0-9]|\[\]|\{\}|"[a-c]"|null)(,"[cd]":-?[0-9]\.[0-9])?)?\}"#) {
            prop_assert_eq!(parse(&text).ok(), serde_json::from_str(&text).ok());
        }
    }
}
