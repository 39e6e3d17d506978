//! JSON off the hot path: numbers keep their digits, whichever way the venue spells them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::{Money, Price, Qty, Scale, parse};

/// A number as it was sent, bare or in quotes; its digits never pass through a float.
#[derive(Clone, Copy, Deserialize, Debug)]
#[serde(transparent)]
pub struct Number<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Number<'a> {
    /// The digits.
    pub fn text(&self) -> &'a str {
        let raw = self.0.get();
        raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw)
    }

    /// In units of 10^-scale; `None` when it is no number, or does not fit exactly.
    pub fn scaled(&self, scale: Scale) -> Option<i64> {
        parse(self.text().as_bytes(), scale).ok()
    }

    /// As a price.
    pub fn price(&self, scale: Scale) -> Option<Price> {
        self.scaled(scale).map(Price)
    }

    /// As a quantity.
    pub fn qty(&self, scale: Scale) -> Option<Qty> {
        self.scaled(scale).map(Qty)
    }

    /// As an amount.
    pub fn money(&self) -> Option<Money> {
        // The second form knows exponents, at fewer places.
        Money::parse(self.text())
            .or_else(|| self.scaled(Scale::MAX).map(|value| Money::from_scaled(value, Scale::MAX)))
    }

    /// As a count.
    pub fn count(&self) -> Option<u64> {
        self.text().parse().ok()
    }
}

/// Text as a JSON string, quotes included.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let list: Vec<Number> =
            serde_json::from_str(r#"[0.1, "0.30000000000000000000004", 1e-7, "x", 12]"#).unwrap();
        let money: Vec<_> = list.iter().map(|n| n.money().map(|m| m.to_string())).collect();
        let want = [Some("0.1"), Some("0.30000000000000000000004"), Some("0.0000001"), None, Some("12")];
        assert_eq!(money, want.map(|text| text.map(String::from)));
        assert_eq!(list[1].scaled(Scale::DEFAULT), None);
        assert_eq!((list[2].scaled(Scale::DEFAULT), list[4].count()), (Some(10), Some(12)));
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }
}
