//! A book as WebSocket v1 sends it: in up to two objects, checksum and times in strings.

use std::ops::Range;

use super::Book;
use crate::types::{Nanos, Scale};
use crate::wire::decimal::Number;
use crate::wire::json::Error;

/// Seconds as decimals are nanoseconds at this scale.
pub const NANOS: Scale = Scale::new(9).unwrap();

/// A v1 book as its parts come by.
pub struct Old {
    sides: [Option<Range<u32>>; 2],
    snapshot: Option<bool>,
    checksum: Option<u32>,
    newest: i64,
    digits: (u8, u8),
}

impl Old {
    #[inline(always)]
    pub fn new() -> Old {
        Old { sides: [None, None], snapshot: None, checksum: None, newest: 0, digits: (0, 0) }
    }

    #[inline(always)]
    pub fn level(&mut self, price: Number, qty: Number, time: i64) {
        self.digits.0 = self.digits.0.max(price.places);
        self.digits.1 = self.digits.1.max(qty.places);
        self.newest = self.newest.max(time);
    }

    #[inline(always)]
    pub fn side(&mut self, side: usize, snapshot: bool, levels: Range<u32>, at: usize) -> Result<(), Error> {
        let other = self.snapshot.replace(snapshot).is_some_and(|before| before != snapshot);
        if self.sides[side].replace(levels).is_some() || other {
            return Err(Error::expected("each side once, all snapshot or all update", at));
        }
        Ok(())
    }

    #[inline(always)]
    pub fn check(&mut self, checksum: u32, at: usize) -> Result<(), Error> {
        match self.checksum.replace(checksum) {
            None => Ok(()),
            Some(_) => Err(Error::expected("one checksum", at)),
        }
    }

    #[inline(always)]
    pub fn finish(self, symbol: &[u8]) -> Result<Book<'_>, Error> {
        let snapshot = self.snapshot.ok_or_else(|| Error::expected("levels", 0))?;
        let [bids, asks] = self.sides.map(|side| side.unwrap_or(0..0));
        Ok(Book {
            symbol,
            snapshot,
            bids,
            asks,
            checksum: self.checksum,
            time: Nanos(self.newest),
            price_digits: self.digits.0,
            qty_digits: self.digits.1,
        })
    }
}

/// v1's checksum: an unsigned integer in a string.
pub fn check_text(text: &[u8], at: usize) -> Result<u32, Error> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    value.ok_or_else(|| Error::expected("a checksum", at))
}
