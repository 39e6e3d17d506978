//! Short texts kept inline: names of assets and symbols, the venues' own ids. Copyable, ordered,
//! and free of allocation, so that they may ride in hot-path records.

use std::fmt;

/// Up to `N` bytes of UTF-8, stored inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize> {
    // Unused bytes are zero, so the derived comparisons are the text's own.
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Text<N> = Text { bytes: [0; N], len: 0 };

    /// `None` when the text is longer than `N` bytes.
    pub fn new(text: &str) -> Option<Text<N>> {
        const { assert!(N < 256) };
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Text { bytes, len: text.len() as u8 })
    }

    /// As much of a text as fits.
    pub fn cut(text: &str) -> Text<N> {
        Text::new(&text[..text.floor_char_boundary(N)]).unwrap_or(Text::EMPTY)
    }

    /// `None` when the bytes are not UTF-8 or too many.
    pub fn from_bytes(text: &[u8]) -> Option<Text<N>> {
        Text::new(std::str::from_utf8(text).ok()?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Made from a `str` of exactly this length; the check costs a few ns on short texts.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Its length and all bytes, those beyond it zero: for records of fixed size.
    #[inline]
    pub const fn padded(&self) -> (u8, &[u8; N]) {
        (self.len, &self.bytes)
    }

    /// True for the empty text.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Text<N> {
        Text::EMPTY
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// An asset, `BTC`, in the engine's own spelling on every venue.
pub type Asset = Text<15>;
/// A venue's own symbol, `BTCUSDT` or `BTC/USD`.
pub type Symbol = Text<31>;
/// A venue's id of an order or of a trade.
pub type VenueRef = Text<47>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_or_is_refused() {
        assert_eq!(Asset::new("BTC").unwrap().as_str(), "BTC");
        assert_eq!(Asset::new("a text that is too long"), None);
        assert_eq!(Asset::from_bytes(&[0xff]), None);
        assert!(Asset::new("BTC") < Asset::new("ETH"));
        assert_eq!(Symbol::new("１２３４").unwrap().to_string(), "１２３４");
    }
}
