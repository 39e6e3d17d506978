//! TOML as written: numbers keep their text, so that a decimal never passes through a float, and
//! every value knows its line.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// A value of the file.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    /// The line it stands on, from 1; `None` when it came from the command line.
    pub line: Option<usize>,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// An integer or a float, as written but for `_` and a leading `+`.
    Number(String),
    /// `true` or `false`.
    Flag(bool),
    /// `[...]`.
    List(Vec<Node>),
    /// `{...}`, `[a.b]`.
    Table(Table),
    /// A date or a number that TOML knows and we do not (hex, inf): refused wherever it stands.
    Other(String),
}

/// The keys of a table, sorted.
pub(super) type Table = BTreeMap<String, Node>;

impl Node {
    /// The value as a person would write it, cut short.
    pub fn shown(&self) -> String {
        let text = match &self.value {
            Value::Text(text) => format!("{text:?}"),
            Value::Number(text) | Value::Other(text) => text.clone(),
            Value::Flag(flag) => flag.to_string(),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(_) => "a table".to_owned(),
        };
        if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text }
    }
}

/// Reads a whole file.
pub(super) fn parse(file: &str, text: &str) -> Result<Table, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        ConfigError::syntax(file, line, error.message())
    })?;
    Ok(convert_table(text, table.get_ref()))
}

/// Reads the right side of `--set key=value`: a TOML value, or else the text itself.
pub(super) fn parse_value(text: &str) -> Node {
    let mut node = match DeValue::parse(text) {
        Ok(value) => convert(text, value.get_ref(), 0),
        Err(_) => Node { line: None, value: Value::Text(text.to_owned()) },
    };
    forget_lines(&mut node);
    node
}

fn forget_lines(node: &mut Node) {
    node.line = None;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(forget_lines),
        Value::Table(table) => table.values_mut().for_each(forget_lines),
        _ => {}
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

fn convert_table(text: &str, table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), convert(text, value.get_ref(), key.span().start))
    };
    table.iter().map(entry).collect()
}

fn convert(text: &str, value: &DeValue<'_>, at: usize) -> Node {
    let clean = |number: &str| number.replace('_', "").trim_start_matches('+').to_owned();
    let value = match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Value::Number(clean(number.as_str())),
        DeValue::Integer(number) => Value::Other(number.to_string()),
        DeValue::Float(number) => match clean(number.as_str()) {
            word if word.contains(['n', 'f']) => Value::Other(word), // nan, inf
            number => Value::Number(number),
        },
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| convert(text, item.get_ref(), item.span().start)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(text, table)),
    };
    Node { line: Some(line_of(text, at)), value }
}
