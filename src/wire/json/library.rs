//! The slow, thorough tier: a message as a tree, made by a library.
//!
//! Both makers give the same tree for the same text, but for numbers that are not plain integers:
//! [`strings`] loses their digits, [`exact`] keeps them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use simd_json::{Node, StaticNode};

use super::{Error, MAX_DEPTH};
use crate::types::Scale;
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

/// The one object's field of that name, `None` when there is none.
///
/// # Errors
/// [`Error::Malformed`] when the field is there twice.
pub fn field<'v, 'a>(
    fields: &'v [(Cow<'a, str>, Value<'a>)],
    name: &str,
) -> Result<Option<&'v Value<'a>>, Error> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    let first = found.next();
    if found.next().is_some() {
        return Err(Error::expected("each field only once", 0));
    }
    Ok(first.map(|(_, value)| value))
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
            let fields: Fields = serde_json::from_str(text).map_err(refused)?;
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
struct Fields<'a>(Vec<(Unescaped<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}
