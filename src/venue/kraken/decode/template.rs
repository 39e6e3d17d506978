//! The first tier: the spellings that Kraken's servers use, every byte compared.

use std::ops::Range;

use super::old::{NANOS, Old};
use super::{Book, Message, Ticker};
use crate::types::{Level, Nanos};
use crate::wire::decimal::Number;
use crate::wire::json::kernel::{Job, Kernel, is};
use crate::wire::json::scan;
use crate::wire::json::time::usual_time;
use crate::wire::{Padded, decimal};

/// The first tier: the spellings that the venue's servers use.
pub(super) struct Template<'a, 'l> {
    pub(super) text: Padded<'a>,
    pub(super) levels: &'l mut Vec<Level>,
}

impl<'a> Job for Template<'a, '_> {
    type Out = Option<Message<'a>>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Option<Message<'a>> {
        let Template { text, levels } = self;
        let template = Spelling { text, kernel };
        if let Some(behind) = template.literal(0, b"{\"channel\":\"book\",\"type\":\"") {
            template.book(behind, levels)
        } else if let Some(behind) = template.literal(0, b"{\"channel\":\"ticker\",\"type\":\"") {
            template.ticker(behind)
        } else if is(text, 0, b"{\"channel\":\"heartbeat\"}") && text.len() == 23 {
            Some(Message::Heartbeat)
        } else {
            template.array(levels)
        }
    }
}

#[derive(Clone, Copy)]
struct Spelling<'a, K> {
    text: Padded<'a>,
    kernel: K,
}

impl<'a, K: Kernel> Spelling<'a, K> {
    /// The offset behind a literal.
    #[inline(always)]
    fn literal<const N: usize>(self, at: usize, literal: &[u8; N]) -> Option<usize> {
        is(self.text, at, literal).then_some(at + N)
    }

    /// The string whose first byte is at `at`, and the offset behind its quote.
    #[inline(always)]
    fn string(self, at: usize) -> Option<(&'a [u8], usize)> {
        let end = self.kernel.string_end(self.text, at)?;
        let bytes = self.text.message().get(at..end.quote)?;
        if !end.ascii && std::str::from_utf8(bytes).is_err() {
            return None;
        }
        Some((bytes, end.quote + 1))
    }

    /// What both channels have between the type and the data's first value.
    #[inline(always)]
    fn head(self, at: usize) -> Option<(bool, &'a [u8], usize)> {
        let (snapshot, at) = match self.literal(at, b"update\"") {
            Some(behind) => (false, behind),
            None => (true, self.literal(at, b"snapshot\"")?),
        };
        let (symbol, at) = self.string(self.literal(at, b",\"data\":[{\"symbol\":\"")?)?;
        Some((snapshot, symbol, at))
    }

    /// The timestamp, where there is one, and the message's end.
    #[inline(always)]
    fn tail(self, mut at: usize) -> Option<Nanos> {
        let mut time = Nanos::ZERO;
        if let Some(behind) = self.literal(at, b",\"timestamp\":\"") {
            let (found, end) = usual_time(self.text, behind)?;
            (time, at) = (found, self.literal(end, b"\"")?);
        }
        (self.literal(at, b"}]}")? == self.text.len()).then_some(time)
    }

    #[inline(always)]
    fn book(self, at: usize, levels: &mut Vec<Level>) -> Option<Message<'a>> {
        let (snapshot, symbol, at) = self.head(at)?;
        let mut digits = (0, 0);
        let (bids, at) = self.levels(self.literal(at, b",\"bids\":[")?, &mut digits, levels)?;
        let (asks, at) = self.levels(self.literal(at, b",\"asks\":[")?, &mut digits, levels)?;
        let (checksum, at) = self.kernel.integer(self.text, self.literal(at, b",\"checksum\":")?)?;
        let checksum = Some(u32::try_from(checksum).ok()?);
        let time = self.tail(at)?;
        let (price_digits, qty_digits) = digits;
        let book = Book { symbol, snapshot, bids, asks, checksum, time, price_digits, qty_digits };
        Some(Message::Book(book))
    }

    /// v2's levels, from behind the list's bracket.
    #[inline(always)]
    fn levels(
        self,
        at: usize,
        digits: &mut (u8, u8),
        levels: &mut Vec<Level>,
    ) -> Option<(Range<u32>, usize)> {
        let start = levels.len() as u32;
        if let Some(end) = self.literal(at, b"]") {
            return Some((start..start, end));
        }
        let mut at = self.literal(at, b"{\"price\":")?;
        loop {
            let [price, qty] = self.pair(at, b",\"qty\":", b"}")?;
            levels.push(Level::new(price.value, qty.value));
            digits.0 = digits.0.max(price.places);
            digits.1 = digits.1.max(qty.places);
            match self.literal(qty.end, b"},{\"price\":") {
                Some(behind) => at = behind,
                None => return Some((start..levels.len() as u32, self.literal(qty.end, b"}]")?)),
            }
        }
    }

    /// Two numbers with exactly this between and behind them.
    #[inline(always)]
    fn pair<const GAP: usize>(self, at: usize, gap: &[u8; GAP], behind: &[u8; 1]) -> Option<[Number; 2]> {
        match self.kernel.pair(self.text, at, gap, true) {
            Some(pair) if is(self.text, pair[1].end, behind) => Some(pair),
            _ => decimal::any_pair(self.text, at, gap, true, self.kernel.scale()),
        }
    }

    #[inline(always)]
    fn ticker(self, at: usize) -> Option<Message<'a>> {
        let (_, symbol, at) = self.head(at)?;
        let [price, qty] = self.pair(self.literal(at, b",\"bid\":")?, b",\"bid_qty\":", b",")?;
        let bid = Level::new(price.value, qty.value);
        let [price, qty] = self.pair(self.literal(qty.end, b",\"ask\":")?, b",\"ask_qty\":", b",")?;
        let ask = Level::new(price.value, qty.value);
        let at = self.past_number(qty.end, b",\"last\":")?;
        let at = self.past_number(at, b",\"volume\":")?;
        let at = self.past_number(at, b",\"vwap\":")?;
        let at = self.past_number(at, b",\"low\":")?;
        let at = self.past_number(at, b",\"high\":")?;
        let at = self.past_number(at, b",\"change\":")?;
        let at = self.past_number(at, b",\"change_pct\":")?;
        let time = self.tail(at)?;
        Some(Message::Ticker(Ticker { symbol, bid, ask, time }))
    }

    /// The offset behind a field that is not read.
    #[inline(always)]
    fn past_number<const N: usize>(self, at: usize, key: &[u8; N]) -> Option<usize> {
        scan::number_end(self.text, self.literal(at, key)?).ok()
    }

    /// v1: `[336,{"a":[..],"c":"974942666"},"book-10","XBT/USD"]`, the sides in one object or two.
    #[inline(always)]
    fn array(self, levels: &mut Vec<Level>) -> Option<Message<'a>> {
        let mut at = self.kernel.integer(self.text, self.literal(0, b"[")?)?.1;
        let mut book = Old::new();
        while let Some(behind) = self.literal(at, b",{") {
            at = behind;
            loop {
                let (side, behind) = if let Some(behind) = self.literal(at, b"\"a\":[") {
                    (Some((1, false)), behind)
                } else if let Some(behind) = self.literal(at, b"\"b\":[") {
                    (Some((0, false)), behind)
                } else if let Some(behind) = self.literal(at, b"\"c\":\"") {
                    (None, behind)
                } else if let Some(behind) = self.literal(at, b"\"as\":[") {
                    (Some((1, true)), behind)
                } else {
                    (Some((0, true)), self.literal(at, b"\"bs\":[")?)
                };
                if let Some((side, snapshot)) = side {
                    let start = levels.len() as u32;
                    at = self.old_levels(behind, &mut book, levels)?;
                    book.side(side, snapshot, start..levels.len() as u32, at).ok()?;
                } else {
                    let (checksum, end) = self.kernel.integer(self.text, behind)?;
                    book.check(u32::try_from(checksum).ok()?, at).ok()?;
                    at = self.literal(end, b"\"")?;
                }
                match self.literal(at, b",") {
                    Some(behind) => at = behind,
                    None => break,
                }
            }
            at = self.literal(at, b"}")?;
        }
        let (name, at) = self.string(self.literal(at, b",\"")?)?;
        let (symbol, at) = self.string(self.literal(at, b",\"")?)?;
        if !name.starts_with(b"book") {
            return None;
        }
        (self.literal(at, b"]")? == self.text.len()).then(|| book.finish(symbol).ok().map(Message::Book))?
    }

    /// v1's levels, from behind the list's bracket.
    #[inline(always)]
    fn old_levels(self, at: usize, book: &mut Old, levels: &mut Vec<Level>) -> Option<usize> {
        if let Some(end) = self.literal(at, b"]") {
            return Some(end);
        }
        let mut at = self.literal(at, b"[\"")?;
        loop {
            let [price, qty] = match self.kernel.pair(self.text, at, b"\",\"", false) {
                Some(pair) if is(self.text, pair[1].end, b"\"") => pair,
                _ => decimal::any_pair(self.text, at, b"\",\"", false, self.kernel.scale())?,
            };
            let time = decimal::plain(self.text, self.literal(qty.end, b"\",\"")?, false, NANOS)?;
            book.level(price, qty, time.value);
            levels.push(Level::new(price.value, qty.value));
            let end = self.literal(time.end, b"\",\"r\"").unwrap_or(time.end + 1);
            if !is(self.text, time.end, b"\"") {
                return None;
            }
            match self.literal(end, b"],[\"") {
                Some(behind) => at = behind,
                None => return self.literal(end, b"]]"),
            }
        }
    }
}
