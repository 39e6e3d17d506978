//! The first tier: the spellings that Kraken's servers use, every byte compared.

use std::ops::Range;

use super::old::{NANOS, Old};
use super::{Book, Message, Ticker};
use crate::types::{Level, Nanos};
use crate::wire::decimal;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    if let Some(behind) = template.literal(0, b"{\"channel\":\"book\",\"type\":\"") {
        book(template, behind, levels)
    } else if let Some(behind) = template.literal(0, b"{\"channel\":\"ticker\",\"type\":\"") {
        ticker(template, behind)
    } else if let Some(behind) = template.literal(0, b"{\"channel\":\"heartbeat\"}") {
        template.end(behind).map(|()| Message::Heartbeat)
    } else {
        array(template, levels)
    }
}

/// What both channels have between the type and the data's first value.
#[inline(always)]
fn head<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(bool, &[u8], usize)> {
    let (snapshot, at) = match template.literal(at, b"update\"") {
        Some(behind) => (false, behind),
        None => (true, template.literal(at, b"snapshot\"")?),
    };
    let (symbol, at) = template.name(template.literal(at, b",\"data\":[{\"symbol\":\"")?, b"\",")?;
    Some((snapshot, symbol, at - 1))
}

/// The timestamp, where there is one, and the message's end.
#[inline(always)]
fn tail<K: Kernel>(template: Template<'_, K>, mut at: usize) -> Option<Nanos> {
    let mut time = Nanos::ZERO;
    if let Some(behind) = template.literal(at, b",\"timestamp\":\"") {
        let (found, end) = template.timestamp(behind)?;
        (time, at) = (found, template.literal(end, b"\"")?);
    }
    template.end(template.literal(at, b"}]}")?)?;
    Some(time)
}

#[inline(always)]
fn book<'a, K: Kernel>(template: Template<'a, K>, at: usize, levels: &mut Vec<Level>) -> Option<Message<'a>> {
    let (snapshot, symbol, at) = head(template, at)?;
    let mut digits = (0, 0);
    let (bids, at) = levels_of(template, template.literal(at, b",\"bids\":[")?, &mut digits, levels)?;
    let (asks, at) = levels_of(template, template.literal(at, b",\"asks\":[")?, &mut digits, levels)?;
    let (checksum, at) = template.integer(template.literal(at, b",\"checksum\":")?)?;
    let checksum = Some(u32::try_from(checksum).ok()?);
    let time = tail(template, at)?;
    let (price_digits, qty_digits) = digits;
    let book = Book { symbol, snapshot, bids, asks, checksum, time, price_digits, qty_digits };
    Some(Message::Book(book))
}

/// Levels of `price` and `qty`, from behind the list's bracket.
#[inline(always)]
pub(in crate::venue::kraken) fn levels_of<K: Kernel>(
    template: Template<'_, K>,
    at: usize,
    digits: &mut (u8, u8),
    levels: &mut Vec<Level>,
) -> Option<(Range<u32>, usize)> {
    let start = levels.len() as u32;
    if let Some(end) = template.literal(at, b"]") {
        return Some((start..start, end));
    }
    let mut at = template.literal(at, b"{\"price\":")?;
    loop {
        let [price, qty] = template.pair(at, b",\"qty\":", b"}", true)?;
        levels.push(Level::new(price.value, qty.value));
        digits.0 = digits.0.max(price.places);
        digits.1 = digits.1.max(qty.places);
        match template.literal(qty.end, b"},{\"price\":") {
            Some(behind) => at = behind,
            None => return Some((start..levels.len() as u32, template.literal(qty.end, b"}]")?)),
        }
    }
}

#[inline(always)]
fn ticker<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<Message<'_>> {
    let (_, symbol, at) = head(template, at)?;
    let [price, qty] = template.pair(template.literal(at, b",\"bid\":")?, b",\"bid_qty\":", b",", true)?;
    let bid = Level::new(price.value, qty.value);
    let [price, qty] =
        template.pair(template.literal(qty.end, b",\"ask\":")?, b",\"ask_qty\":", b",", true)?;
    let ask = Level::new(price.value, qty.value);
    let at = past(template, qty.end, b",\"last\":")?;
    let at = past(template, at, b",\"volume\":")?;
    let at = past(template, at, b",\"vwap\":")?;
    let at = past(template, at, b",\"low\":")?;
    let at = past(template, at, b",\"high\":")?;
    let at = past(template, at, b",\"change\":")?;
    let at = past(template, at, b",\"change_pct\":")?;
    let time = tail(template, at)?;
    Some(Message::Ticker(Ticker { symbol, bid, ask, time }))
}

/// The offset behind a field that is not read.
#[inline(always)]
fn past<K: Kernel, const N: usize>(template: Template<'_, K>, at: usize, key: &[u8; N]) -> Option<usize> {
    template.past_number(template.literal(at, key)?)
}

/// v1: `[336,{"a":[..],"c":"974942666"},"book-10","XBT/USD"]`, the sides in one object or two.
#[inline(always)]
fn array<'a, K: Kernel>(template: Template<'a, K>, levels: &mut Vec<Level>) -> Option<Message<'a>> {
    let mut at = template.integer(template.literal(0, b"[")?)?.1;
    let mut book = Old::new();
    while let Some(behind) = template.literal(at, b",{") {
        at = behind;
        loop {
            let (side, behind) = if let Some(behind) = template.literal(at, b"\"a\":[") {
                (Some((1, false)), behind)
            } else if let Some(behind) = template.literal(at, b"\"b\":[") {
                (Some((0, false)), behind)
            } else if let Some(behind) = template.literal(at, b"\"c\":\"") {
                (None, behind)
            } else if let Some(behind) = template.literal(at, b"\"as\":[") {
                (Some((1, true)), behind)
            } else {
                (Some((0, true)), template.literal(at, b"\"bs\":[")?)
            };
            if let Some((side, snapshot)) = side {
                let start = levels.len() as u32;
                at = old_levels(template, behind, &mut book, levels)?;
                book.side(side, snapshot, start..levels.len() as u32, at).ok()?;
            } else {
                let (checksum, end) = template.integer(behind)?;
                book.check(u32::try_from(checksum).ok()?, at).ok()?;
                at = template.literal(end, b"\"")?;
            }
            match template.literal(at, b",") {
                Some(behind) => at = behind,
                None => break,
            }
        }
        at = template.literal(at, b"}")?;
    }
    let (name, at) = template.string(template.literal(at, b",\"")?)?;
    let (symbol, at) = template.string(template.literal(at, b",\"")?)?;
    if !name.starts_with(b"book") {
        return None;
    }
    template.end(template.literal(at, b"]")?)?;
    Some(Message::Book(book.finish(symbol).ok()?))
}

/// v1's levels, from behind the list's bracket.
#[inline(always)]
fn old_levels<K: Kernel>(
    template: Template<'_, K>,
    at: usize,
    book: &mut Old,
    levels: &mut Vec<Level>,
) -> Option<usize> {
    if let Some(end) = template.literal(at, b"]") {
        return Some(end);
    }
    let mut at = template.literal(at, b"[\"")?;
    loop {
        let [price, qty] = template.pair(at, b"\",\"", b"\"", false)?;
        let time = decimal::plain(template.text, template.literal(qty.end, b"\",\"")?, false, NANOS)?;
        book.level(price, qty, time.value);
        levels.push(Level::new(price.value, qty.value));
        let end = template.literal(time.end, b"\",\"r\"").unwrap_or(time.end + 1);
        template.literal(time.end, b"\"")?;
        match template.literal(end, b"],[\"") {
            Some(behind) => at = behind,
            None => return template.literal(end, b"]]"),
        }
    }
}
