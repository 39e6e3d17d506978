//! The slow, thorough tier: a message as a tree, made by a library.
//!
//! Both makers give the same tree for the same text, but for numbers that are not plain integers:
//! [`strings`] loses their digits, [`exact`] keeps them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use simd_json::{Node, StaticNode};

use super::{Error, MAX_DEPTH};
use crate::types::{Level, Nanos, Scale};
use crate::wire::decimal::exact as decimal;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 0 to 2^64-1 written without fraction, exponent or sign.
    Integer(u64),
    /// Any other number as it is written; empty where the maker lost it.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object, in the order of the text, keys unescaped; a key may be there twice.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// An object's fields.
    pub fn map(&self) -> Option<&[(Cow<'a, str>, Value<'a>)]> {
        if let Value::Map(fields) = self { Some(fields) } else { None }
    }

    /// An array's elements.
    pub fn list(&self) -> Option<&[Value<'a>]> {
        if let Value::List(elements) = self { Some(elements) } else { None }
    }

    /// A string's text.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// A plain integer.
    pub fn integer(&self) -> Option<u64> {
        if let Value::Integer(value) = self { Some(*value) } else { None }
    }

    /// A decimal that is written as a string, in units of 10^-scale.
    ///
    /// # Errors
    /// [`Error`] when it is no string, no decimal, negative, or not exact at that scale.
    pub fn text_decimal(&self, scale: Scale) -> Result<i64, Error> {
        let text = self.text().ok_or(Error::expected("a decimal in a string", 0))?;
        decimal(text.as_bytes(), 0, scale)
    }

    /// A decimal that is written as a number, in units of 10^-scale, and its text.
    ///
    /// # Errors
    /// [`Error`] when it is no number, negative, or not exact at that scale.
    pub fn number_decimal(&self, scale: Scale) -> Result<(i64, Cow<'a, str>), Error> {
        let text = match self {
            Value::Integer(value) => Cow::Owned(value.to_string()),
            Value::Number(text) => Cow::Borrowed(*text),
            _ => return Err(Error::expected("a number", 0)),
        };
        Ok((decimal(text.as_bytes(), 0, scale)?, text))
    }
}

/// An object's fields.
pub type Fields<'v, 'a> = &'v [(Cow<'a, str>, Value<'a>)];

/// The one object's field of that name, `None` when there is none.
///
/// # Errors
/// [`Error::Malformed`] when the field is there twice.
pub fn field<'v, 'a>(fields: Fields<'v, 'a>, name: &str) -> Result<Option<&'v Value<'a>>, Error> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    let first = found.next();
    if found.next().is_some() {
        return Err(Error::expected("each field only once", 0));
    }
    Ok(first.map(|(_, value)| value))
}

/// None of these fields is there twice.
///
/// # Errors
/// [`Error::Malformed`] when one is.
pub fn once(fields: Fields<'_, '_>, names: &[&str]) -> Result<(), Error> {
    names.iter().try_for_each(|name| field(fields, name).map(|_| ()))
}

/// A text that must be there.
///
/// # Errors
/// [`Error::Malformed`] when it is not, or is something else.
pub fn text<'v>(fields: Fields<'v, '_>, name: &'static str) -> Result<&'v str, Error> {
    field(fields, name)?.and_then(Value::text).ok_or(Error::expected(name, 0))
}

/// A plain integer, if it is there.
///
/// # Errors
/// [`Error::Malformed`] when it is something else.
pub fn integer(fields: Fields<'_, '_>, name: &str) -> Result<Option<u64>, Error> {
    field(fields, name)?.map(|value| value.integer().ok_or(Error::expected("a plain integer", 0))).transpose()
}

/// A time as a plain integer, if it is there.
///
/// # Errors
/// [`Error::Malformed`] when it is something else.
pub fn time(fields: Fields<'_, '_>, name: &str) -> Result<Option<i64>, Error> {
    let time = integer(fields, name)?;
    time.map(|time| i64::try_from(time).map_err(|_| Error::expected("a time", 0))).transpose()
}

/// An RFC 3339 time, zero where there is none.
///
/// # Errors
/// [`Error::Malformed`] when it is something else.
pub fn timestamp(fields: Fields<'_, '_>, name: &str) -> Result<Nanos, Error> {
    match field(fields, name)? {
        None => Ok(Nanos::ZERO),
        Some(value) => {
            let text = value.text().unwrap_or_default();
            Nanos::parse_rfc3339(text.as_bytes()).map_err(|_| Error::expected("a time", 0))
        }
    }
}

/// The list of levels that must be there, each an array of price and quantity as decimals in
/// strings and of whatever follows.
///
/// # Errors
/// [`Error`] when it is no such list, or has a decimal that the scale cannot hold.
pub fn levels(
    fields: Fields<'_, '_>,
    name: &str,
    scale: Scale,
    levels: &mut Vec<Level>,
) -> Result<Range<u32>, Error> {
    let start = levels.len();
    let list = field(fields, name)?.and_then(Value::list).ok_or(Error::expected("a list of levels", 0))?;
    for level in list {
        let [price, qty, ..] = level.list().unwrap_or_default() else {
            return Err(Error::expected("a level of price and quantity", 0));
        };
        levels.push(Level::new(price.text_decimal(scale)?, qty.text_decimal(scale)?));
    }
    Ok(start as u32..levels.len() as u32)
}

/// Memory that [`strings`] works in; reused from message to message.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
}

/// Reads a text by simd-json, on a copy, because it unescapes in place. What simd-json does not
/// take (numbers beyond its types) goes to [`exact`].
///
/// # Errors
/// [`Error::Malformed`] when the text is not JSON in UTF-8, or nested too deep.
pub fn strings<'a>(text: &'a [u8], scratch: &'a mut Scratch) -> Result<Value<'a>, Error> {
    scratch.bytes.clear();
    scratch.bytes.extend_from_slice(text);
    match simd_json::to_tape(&mut scratch.bytes) {
        Ok(tape) => {
            let mut nodes = tape.0.iter();
            from_tape(&mut nodes, 0)
        }
        Err(_) => exact(text),
    }
}

fn from_tape<'a>(nodes: &mut std::slice::Iter<'_, Node<'a>>, depth: usize) -> Result<Value<'a>, Error> {
    let node = nodes.next().ok_or(Error::expected("a value", 0))?;
    Ok(match node {
        Node::Static(StaticNode::Null) => Value::Null,
        Node::Static(StaticNode::Bool(value)) => Value::Bool(*value),
        Node::Static(StaticNode::U64(value)) => Value::Integer(*value),
        Node::Static(StaticNode::I64(value)) if *value > 0 => Value::Integer(value.unsigned_abs()),
        Node::Static(_) => Value::Number(""),
        Node::String(text) => Value::Text(Cow::Borrowed(text)),
        Node::Array { len, .. } => {
            let deeper = deeper(depth)?;
            Value::List((0..*len).map(|_| from_tape(nodes, deeper)).collect::<Result<_, _>>()?)
        }
        Node::Object { len, .. } => {
            let deeper = deeper(depth)?;
            let mut fields = Vec::with_capacity(*len);
            for _ in 0..*len {
                let Some(Node::String(key)) = nodes.next() else {
                    return Err(Error::expected("a key", 0));
                };
                fields.push((Cow::Borrowed(*key), from_tape(nodes, deeper)?));
            }
            Value::Map(fields)
        }
    })
}

fn deeper(depth: usize) -> Result<usize, Error> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(Error::expected("less nesting", 0)) }
}

/// Reads a text by serde_json; numbers keep their digits.
///
/// # Errors
/// [`Error::Malformed`] when the text is not JSON in UTF-8, or nested too deep.
pub fn exact(text: &[u8]) -> Result<Value<'_>, Error> {
    let text = std::str::from_utf8(text).map_err(|error| Error::expected("UTF-8", error.valid_up_to()))?;
    from_raw(serde_json::from_str(text).map_err(refused)?, 0)
}

fn from_raw(raw: &RawValue, depth: usize) -> Result<Value<'_>, Error> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'"') => Value::Text(serde_json::from_str::<Unescaped>(text).map_err(refused)?.0),
        Some(b'[') => {
            let deeper = deeper(depth)?;
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(refused)?;
            Value::List(elements.into_iter().map(|e| from_raw(e, deeper)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let deeper = deeper(depth)?;
            let fields: RawFields = serde_json::from_str(text).map_err(refused)?;
            let fields = fields.0.into_iter().map(|(key, value)| Ok((key.0, from_raw(value, deeper)?)));
            Value::Map(fields.collect::<Result<_, _>>()?)
        }
        _ if text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().map_or(Value::Number(text), Value::Integer)
        }
        _ => Value::Number(text),
    })
}

#[cold]
fn refused(error: serde_json::Error) -> Error {
    // One line is all that a message has; its column is the offset from 1.
    Error::expected("JSON", if error.line() == 1 { error.column().saturating_sub(1) } else { 0 })
}

/// A string, borrowed where it has no escapes.
struct Unescaped<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Unescaped<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Unescaped<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Unescaped(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Unescaped(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// An object's fields in order, values untouched.
struct RawFields<'a>(Vec<(Unescaped<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawFields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = RawFields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawFields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What both makers must agree on: all but the digits of numbers that are no plain integers.
    fn without_digits(value: Value<'_>) -> Value<'_> {
        match value {
            Value::Number(_) => Value::Number(""),
            Value::List(list) => Value::List(list.into_iter().map(without_digits).collect()),
            Value::Map(map) => {
                Value::Map(map.into_iter().map(|(key, value)| (key, without_digits(value))).collect())
            }
            other => other,
        }
    }

    fn check(text: &[u8]) {
        let mut scratch = Scratch::default();
        let (strings, exact) = (strings(text, &mut scratch), exact(text));
        let shown = String::from_utf8_lossy(text);
        assert_eq!(strings.is_ok(), exact.is_ok(), "{strings:?} {exact:?}: {shown}");
        if let (Ok(strings), Ok(exact)) = (strings, exact) {
            assert_eq!(without_digits(strings), without_digits(exact), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn both_libraries_make_the_same_tree(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            json in r#"[\[\]{}",:a-c0-3eE.+\-\\u tfn\x00\xe9]{0,40}"#,
            string in r#"[a"\\u/0-9d-f\x01\t]{0,14}"#,
            number in r"-?[0-9]{0,22}\.?[0-9]{0,4}([eE][+-]?[0-9]{0,3})?",
        ) {
            check(&bytes);
            check(json.as_bytes());
            check(format!("[\"{string}\"]").as_bytes());
            check(format!("{{\"a\":{number}}}").as_bytes());
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = br#"{"a":[0.10, 1e-8, 18446744073709551616, 5],"\u0061":"\/"}"#;
        let tree = exact(text).unwrap();
        let fields = tree.map().unwrap();
        assert_eq!(field(fields, "a"), Err(Error::expected("each field only once", 0)));
        assert_eq!(fields[1].1.text(), Some("/"));
        let numbers = fields[0].1.list().unwrap();
        assert_eq!(numbers[0], Value::Number("0.10"));
        assert_eq!(numbers[1].number_decimal(Scale::DEFAULT).unwrap().0, 1);
        assert_eq!(numbers[2], Value::Number("18446744073709551616"));
        assert_eq!(numbers[3].number_decimal(Scale::DEFAULT).unwrap().0, 500_000_000);
    }
}
