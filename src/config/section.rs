//! Reading one table: each key is asked for once, by type, and whatever nobody asked for is refused.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::ConfigError;
use super::node::{Node, Table, Value};
use crate::types::{self, Bps, DecimalError, FeeRate, Money, Scale};

/// A table being read, and the keys asked for so far.
pub(super) struct Section<'a> {
    file: &'a str,
    /// The key of the table itself: `venue.x.spot`.
    path: String,
    table: Option<&'a Table>,
    line: Option<usize>,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// Names that would hold a secret in clear: refused anywhere, and their values never shown.
const SECRET_NAMES: [&str; 12] = [
    "key",
    "secret",
    "api_key",
    "apikey",
    "api_secret",
    "apisecret",
    "secret_key",
    "private_key",
    "privatekey",
    "passphrase",
    "password",
    "token",
];

impl<'a> Section<'a> {
    /// The table at `path`; an absent one reads as empty.
    pub fn new(file: &'a str, path: &str, node: Option<&'a Node>) -> Result<Section<'a>, ConfigError> {
        let table = match node.map(|node| &node.value) {
            None => None,
            Some(Value::Table(table)) => Some(table),
            Some(_) => return Err(refusal(file, path, node, "a table")),
        };
        let line = node.and_then(|node| node.line);
        Ok(Section { file, path: path.to_owned(), table, line, asked: RefCell::default() })
    }

    /// Refuses what was not asked for, and says what could have been.
    pub fn finish(self) -> Result<(), ConfigError> {
        let asked = self.asked.borrow();
        for (key, node) in self.table.into_iter().flatten() {
            if asked.contains(key.as_str()) {
                continue;
            }
            let lower = key.to_ascii_lowercase().replace('-', "_");
            if SECRET_NAMES.contains(&lower.as_str()) {
                let expected = "no secrets in a file: set `credentials_env = \"PREFIX\"` and put PREFIX_KEY, \
                                PREFIX_SECRET and PREFIX_PASSPHRASE into the environment";
                let mut error = self.refuse(key, Some(node), expected);
                error.value = "set in clear".to_owned();
                return Err(error);
            }
            let known = asked.iter().copied().collect::<Vec<_>>().join(", ");
            let mut error = self.refuse(key, Some(node), &format!("one of the keys {known}"));
            error.value = "unknown".to_owned();
            return Err(error);
        }
        Ok(())
    }

    fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().insert(key);
        self.table?.get(key)
    }

    /// The refusal of a key's value, for checks that span several keys.
    pub fn refuse(&self, key: &str, node: Option<&Node>, expected: &str) -> ConfigError {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let mut error = refusal(self.file, &path, node, expected);
        error.line = error.line.or(if node.is_none() { self.line } else { None });
        error
    }

    /// [`Section::refuse`] with the value that the file has.
    pub fn refuse_key(&self, key: &str, expected: &str) -> ConfigError {
        self.refuse(key, self.table.and_then(|table| table.get(key)), expected)
    }

    /// The refusal of a key that must be there.
    pub fn missing(&self, key: &'static str, expected: &str) -> ConfigError {
        self.refuse(key, None, &format!("{expected}; it is missing"))
    }

    /// A string.
    pub fn text(&self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        match self.node(key) {
            None => Ok(None),
            Some(Node { value: Value::Text(text), .. }) => Ok(Some(text)),
            node => Err(self.refuse(key, node, "a string")),
        }
    }

    /// A string or a number, as it is written.
    pub fn plain(&self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        match self.node(key) {
            None => Ok(None),
            Some(Node { value: Value::Text(text) | Value::Number(text), .. }) => Ok(Some(text)),
            node => Err(self.refuse(key, node, "a string or a number")),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.node(key) {
            None => Ok(default),
            Some(Node { value: Value::Flag(flag), .. }) => Ok(*flag),
            node => Err(self.refuse(key, node, "true or false")),
        }
    }

    /// An integer within bounds.
    pub fn int(
        &self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        let node = self.node(key);
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        let text = match node.map(|node| &node.value) {
            None => return Ok(default),
            Some(Value::Number(text) | Value::Text(text)) => text,
            Some(_) => return Err(self.refuse(key, node, &expected())),
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(self.refuse(key, node, &expected())),
        }
    }

    /// A decimal in units of 10^-`places`, within bounds given in those units.
    fn decimal(
        &self,
        key: &'static str,
        places: u8,
        range: RangeInclusive<i64>,
        what: &str,
    ) -> Result<Option<i64>, ConfigError> {
        let node = self.node(key);
        let text = match node.map(|node| &node.value) {
            None => return Ok(None),
            Some(Value::Number(text) | Value::Text(text)) => text,
            Some(_) => return Err(self.refuse(key, node, what)),
        };
        let scale = Scale::new(places).unwrap_or_default();
        let shown = |value| types::Fixed(value, scale).to_string();
        let (low, high) = (shown(*range.start()), shown(*range.end()));
        match types::parse(text.as_bytes(), scale) {
            Ok(value) if range.contains(&value) => Ok(Some(value)),
            Err(DecimalError::TooPrecise(_)) => {
                Err(self.refuse(key, node, &format!("{what} with no more than {places} decimals")))
            }
            Err(DecimalError::Malformed(_)) => Err(self.refuse(key, node, what)),
            _ => Err(self.refuse(key, node, &format!("{what} from {low} to {high}"))),
        }
    }

    /// Basis points, to six decimals.
    pub fn bps(&self, key: &'static str, low: i64, high: i64, default: Bps) -> Result<Bps, ConfigError> {
        let range = low * Bps::ONE..=high * Bps::ONE;
        Ok(self.decimal(key, 6, range, "a decimal in basis points")?.map_or(default, Bps))
    }

    /// A fee in basis points, to four decimals.
    pub fn fee(&self, key: &'static str) -> Result<Option<FeeRate>, ConfigError> {
        // 1 % either way: a fee beyond that is a slip of the unit.
        let what = "a fee in basis points (10 is 0.1 %)";
        Ok(self.decimal(key, 4, -1_000_000..=1_000_000, what)?.map(FeeRate::from_bps_e4))
    }

    /// A part of an amount in basis points, to four decimals and up to 10 %.
    pub fn part(&self, key: &'static str) -> Result<Option<FeeRate>, ConfigError> {
        let what = "a decimal in basis points";
        Ok(self.decimal(key, 4, 0..=10_000_000, what)?.map(FeeRate::from_bps_e4))
    }

    /// A share from 0 to 1, in units of 1e-8.
    pub fn share(&self, key: &'static str, default: i64) -> Result<i64, ConfigError> {
        Ok(self.decimal(key, 8, 0..=100_000_000, "a share")?.unwrap_or(default))
    }

    /// An amount of an asset, not negative.
    pub fn money(&self, key: &'static str, what: &str) -> Result<Option<Money>, ConfigError> {
        match self.node(key) {
            None => Ok(None),
            Some(node) => self.money_of(key, node, what).map(Some),
        }
    }

    fn money_of(&self, key: &str, node: &Node, what: &str) -> Result<Money, ConfigError> {
        match &node.value {
            Value::Number(text) | Value::Text(text) => match Money::parse(text) {
                Some(money) if !money.is_negative() => Ok(money),
                _ => Err(self.refuse(key, Some(node), what)),
            },
            _ => Err(self.refuse(key, Some(node), what)),
        }
    }

    /// A table of amounts by asset.
    pub fn amounts(&self, key: &'static str) -> Result<Vec<(types::Asset, Money)>, ConfigError> {
        let named = |(name, amount): (&str, Money)| {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
            match types::Asset::new(name).filter(|_| plain) {
                Some(asset) => Ok((asset, amount)),
                None => {
                    let node = self.table.and_then(|table| table.get(key));
                    Err(self.refuse(&format!("{key}.{name}"), node, "the name of an asset, such as BTC"))
                }
            }
        };
        self.money_table(key, "a table such as { BTC = \"1.5\" }")?.into_iter().map(named).collect()
    }

    /// A table of amounts by name; `what` says what it looks like.
    pub fn money_table(&self, key: &'static str, what: &str) -> Result<Vec<(&'a str, Money)>, ConfigError> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        let Value::Table(table) = &node.value else { return Err(self.refuse(key, Some(node), what)) };
        let amount = |(name, node): (&'a String, &Node)| {
            let path = format!("{key}.{name}");
            Ok((name.as_str(), self.money_of(&path, node, "an amount, not negative, as \"1.5\"")?))
        };
        table.iter().map(amount).collect()
    }

    /// Whether the file has this table.
    pub fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// One of several words.
    pub fn choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
        default: Option<T>,
    ) -> Result<T, ConfigError> {
        let expected = || {
            let names: Vec<_> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            format!("one of {}", names.join(", "))
        };
        let node = self.node(key);
        match (node.map(|node| &node.value), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.missing(key, &expected())),
            (Some(Value::Text(text)), _) => words
                .iter()
                .find(|(name, _)| name == text)
                .map(|&(_, value)| value)
                .ok_or_else(|| self.refuse(key, node, &expected())),
            (Some(_), _) => Err(self.refuse(key, node, &expected())),
        }
    }

    /// A list of integers within bounds.
    pub fn ints(&self, key: &'static str, range: RangeInclusive<u64>) -> Result<Vec<u64>, ConfigError> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        let what = format!("a list of whole numbers from {} to {}", range.start(), range.end());
        let Value::List(items) = &node.value else { return Err(self.refuse(key, Some(node), &what)) };
        let number = |item: &Node| match &item.value {
            Value::Number(text) => text.parse().ok().filter(|number| range.contains(number)),
            _ => None,
        };
        items.iter().map(|item| number(item).ok_or_else(|| self.refuse(key, Some(item), &what))).collect()
    }

    /// A list of strings.
    pub fn texts(&self, key: &'static str) -> Result<Option<Vec<&'a str>>, ConfigError> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let what = "a list of strings";
        let Value::List(items) = &node.value else { return Err(self.refuse(key, Some(node), what)) };
        let text = |item: &'a Node| match &item.value {
            Value::Text(text) => Ok(text.as_str()),
            _ => Err(self.refuse(key, Some(item), what)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A table within, as a section of its own.
    pub fn section(&self, key: &'static str) -> Result<Section<'a>, ConfigError> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Section::new(self.file, &path, self.node(key))
    }

    /// The tables within a table of names: `venue.*`, `instrument.*`.
    pub fn named(&self, key: &'static str) -> Result<Vec<(&'a str, Section<'a>)>, ConfigError> {
        let inner = self.section(key)?;
        let mut sections = Vec::new();
        for (name, node) in inner.table.into_iter().flatten() {
            sections.push((
                name.as_str(),
                Section::new(self.file, &format!("{}.{name}", inner.path), Some(node))?,
            ));
        }
        Ok(sections)
    }

    /// A table of strings by name.
    pub fn text_table(&self, key: &'static str) -> Result<Vec<(&'a str, &'a str)>, ConfigError> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        let what = "a table of strings";
        let Value::Table(table) = &node.value else { return Err(self.refuse(key, Some(node), what)) };
        let text = |(name, node): (&'a String, &'a Node)| match &node.value {
            Value::Text(text) => Ok((name.as_str(), text.as_str())),
            _ => Err(self.refuse(&format!("{key}.{name}"), Some(node), "a string")),
        };
        table.iter().map(text).collect()
    }
}

fn refusal(file: &str, path: &str, node: Option<&Node>, expected: &str) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        line: node.and_then(|node| node.line),
        key: path.to_owned(),
        value: node.map(Node::shown).unwrap_or_default(),
        expected: expected.to_owned(),
    }
}
