//! The second tier: the same fields in any order and spelling.
//!
//! Book data is read as it comes by where the channel came before it, as it does; every other field
//! is checked, its place noted, and read once it is known what the message is.

use super::old::{NANOS, Old, check_text};
use super::{Book, KEYS, Message, Reply, Ticker};
use crate::types::{Level, Nanos};
use crate::wire::decimal;
use crate::wire::json::Error;
use crate::wire::json::kernel::{Kernel, is, starts_with};
use crate::wire::json::scan::{Scanner, Walk};
use crate::wire::json::slots::{Seen, Slots};

const CHANNEL: usize = 0;
const TYPE: usize = 1;
const DATA: usize = 2;
const METHOD: usize = 3;
const REQ_ID: usize = 4;
const SUCCESS: usize = 5;
const RESULT: usize = 6;
const ERROR: usize = 7;
const SYMBOL: usize = 8;
const EVENT: usize = 9;
const STATUS: usize = 10;
const PAIR: usize = 11;
const OLD_ID: usize = 12;
const ERROR_MESSAGE: usize = 13;
const CHANNEL_NAME: usize = 14;

#[inline(always)]
fn key_index(key: &[u8]) -> Option<usize> {
    KEYS.iter().position(|name| name.as_bytes() == key)
}

/// A message in any spelling.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    mut scan: Scanner<'a, K>,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let at = scan.space(0);
    match scan.byte(at) {
        b'{' => scan_object(&mut scan, at, levels),
        b'[' => scan_array(&mut scan, at, levels),
        _ => {
            let end = scan.skip(at, 0)?;
            scan.finish(end).map(|()| Message::Other)
        }
    }
}

/// The id in the field, where it is one.
#[inline(always)]
fn id<K: Kernel>(scan: &mut Scanner<'_, K>, slots: &Slots<{ KEYS.len() }>, key: usize) -> Option<u64> {
    slots.integer(scan, key).ok().flatten()
}

#[inline(always)]
fn scan_object<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let mut slots = Slots::<{ KEYS.len() }>::new();
    let mut book = None;
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let Some(key) = key_index(key) else {
            walk.at = scan.skip(at, 1)?;
            continue;
        };
        slots.once(key, at)?;
        let end = if key == DATA && slots.text(scan, CHANNEL) == Some(b"book") {
            let (found, end) = scan_book(scan, at, levels)?;
            book = Some(found);
            end
        } else {
            scan.skip(at, 1)?
        };
        slots.set(key, at, end);
        walk.at = end;
    }
    scan.finish(walk.at)?;
    let data = slots.get(DATA).map(|(at, _)| at).ok_or_else(|| Error::expected("data", walk.at));
    if let Some(channel) = slots.text(scan, CHANNEL) {
        return match channel {
            b"book" => {
                let snapshot = match slots.text(scan, TYPE) {
                    Some(b"snapshot") => true,
                    Some(b"update") => false,
                    _ => return Err(Error::expected("a type of snapshot or update", at)),
                };
                // Here at last we know what the data was, where it stood before its channel.
                let book = match book {
                    Some(book) => book,
                    None => scan_book(scan, data?, levels)?.0,
                };
                Ok(Message::Book(Book { snapshot, ..book }))
            }
            b"ticker" => scan_ticker(scan, data?),
            b"instrument" => Ok(Message::Instrument(scan.text.message())),
            b"status" => scan_status(scan, data?),
            b"heartbeat" => Ok(Message::Heartbeat),
            _ => Ok(Message::Other),
        };
    }
    if let Some(method) = slots.text(scan, METHOD) {
        if method == b"pong" {
            return Ok(Message::Pong);
        }
        let (mut channel, mut symbol) = (None, None);
        if let Some((at, _)) = slots.get(RESULT)
            && scan.byte(at) == b'{'
        {
            let mut seen = Seen::default();
            let mut walk = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut walk)? {
                walk.at = scan.skip(at, 2)?;
                let text = (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, walk.at - 1));
                match key {
                    b"channel" => (channel, _) = (text, seen.once(0, at)?),
                    b"symbol" => (symbol, _) = (text, seen.once(1, at)?),
                    _ => {}
                }
            }
        }
        let success = slots.get(SUCCESS).is_some_and(|(at, _)| scan.byte(at) == b't');
        return Ok(Message::Reply(Reply {
            method,
            req_id: id(scan, &slots, REQ_ID),
            success,
            channel,
            symbol: symbol.or(slots.text(scan, SYMBOL)),
            error: slots.text(scan, ERROR),
        }));
    }
    let status = slots.text(scan, STATUS).ok_or_else(|| Error::expected("status", at));
    match slots.text(scan, EVENT) {
        Some(b"heartbeat") => Ok(Message::Heartbeat),
        Some(b"pong") => Ok(Message::Pong),
        Some(b"systemStatus") => Ok(Message::Status { system: status? }),
        Some(b"subscriptionStatus") => {
            let status = status?;
            Ok(Message::Reply(Reply {
                method: if status == b"unsubscribed" { b"unsubscribe" } else { b"subscribe" },
                req_id: id(scan, &slots, OLD_ID),
                success: status != b"error",
                channel: slots.text(scan, CHANNEL_NAME),
                symbol: slots.text(scan, PAIR),
                error: slots.text(scan, ERROR_MESSAGE),
            }))
        }
        _ => Ok(Message::Other),
    }
}

/// Enters the one object in the list that opens at `at`.
#[inline(always)]
fn scan_only<K: Kernel>(scan: &Scanner<'_, K>, at: usize) -> Result<Walk, Error> {
    if scan.byte(at) != b'[' {
        return Err(Error::expected("one object in data", at));
    }
    scan.object(scan.space(at + 1))
}

/// The offset behind the list whose one object ends at `at`.
#[inline(always)]
fn scan_only_end<K: Kernel>(scan: &Scanner<'_, K>, at: usize) -> Result<usize, Error> {
    let at = scan.space(at);
    if scan.byte(at) != b']' {
        return Err(Error::expected("one object in data", at));
    }
    Ok(at + 1)
}

/// v2's book data, all but its type, and the offset behind it.
#[inline(always)]
fn scan_book<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<(Book<'a>, usize), Error> {
    let (mut symbol, mut checksum, mut time) = (None, None, Nanos::ZERO);
    let mut sides = [None, None];
    let mut digits = (0, 0);
    let mut seen = Seen::default();
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        match key {
            b"symbol" => {
                seen.once(0, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                symbol = Some(text);
            }
            b"bids" | b"asks" => {
                let side = usize::from(key == b"asks");
                seen.once(1 + side, at)?;
                let start = levels.len() as u32;
                walk.at = scan_levels(scan, at, 3, &mut digits, levels)?;
                sides[side] = Some(start..levels.len() as u32);
            }
            b"checksum" => {
                seen.once(3, at)?;
                let value;
                (value, walk.at) = scan.integer(at)?;
                checksum = Some(u32::try_from(value).map_err(|_| Error::expected("a checksum", at))?);
            }
            b"timestamp" => {
                seen.once(4, at)?;
                (time, walk.at) = scan.timestamp(at)?;
            }
            _ => walk.at = scan.skip(at, 3)?,
        }
    }
    let end = scan_only_end(scan, walk.at)?;
    let [Some(bids), Some(asks)] = sides else { return Err(Error::expected("bids and asks", at)) };
    let book = Book {
        symbol: symbol.ok_or_else(|| Error::expected("symbol", at))?,
        snapshot: false,
        bids,
        asks,
        checksum: Some(checksum.ok_or_else(|| Error::expected("a checksum", at))?),
        time,
        price_digits: digits.0,
        qty_digits: digits.1,
    };
    Ok((book, end))
}

/// The list of levels of `price` and `qty` that opens at `at` inside `depth` arrays and objects.
#[inline(always)]
pub(in crate::venue::kraken) fn scan_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    depth: usize,
    digits: &mut (u8, u8),
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let text = scan.text;
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let (price, qty);
        if is(text, at, b"{\"price\":")
            && let Some(pair) = scan.kernel.pair(text, at + 9, b",\"qty\":", true)
            && starts_with(pair.behind, b"}")
        {
            let [one, two] = pair.numbers;
            (price, qty, list.at) = (one, two, two.end + 1);
        } else {
            let mut found = [None, None];
            let mut level = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut level)? {
                let index = match key {
                    b"price" => 0,
                    b"qty" => 1,
                    _ => {
                        level.at = scan.skip(at, depth + 2)?;
                        continue;
                    }
                };
                let number = scan.number_decimal(at)?;
                if found[index].replace(number).is_some() {
                    return Err(Error::expected("each field only once", at));
                }
                level.at = number.end;
            }
            let [Some(one), Some(two)] = found else {
                return Err(Error::expected("a level of price and qty", at));
            };
            (price, qty, list.at) = (one, two, level.at);
        }
        digits.0 = digits.0.max(price.places);
        digits.1 = digits.1.max(qty.places);
        levels.push(Level::new(price.value, qty.value));
    }
    Ok(list.at)
}

#[inline(always)]
fn scan_ticker<'a, K: Kernel>(scan: &mut Scanner<'a, K>, at: usize) -> Result<Message<'a>, Error> {
    let (mut symbol, mut time) = (None, Nanos::ZERO);
    let mut numbers = [None; 4];
    let mut seen = Seen::default();
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let index = match key {
            b"bid" => 0,
            b"bid_qty" => 1,
            b"ask" => 2,
            b"ask_qty" => 3,
            b"symbol" => {
                seen.once(4, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                symbol = Some(text);
                continue;
            }
            b"timestamp" => {
                seen.once(5, at)?;
                (time, walk.at) = scan.timestamp(at)?;
                continue;
            }
            _ => {
                walk.at = scan.skip(at, 3)?;
                continue;
            }
        };
        seen.once(index, at)?;
        let number = scan.number_decimal(at)?;
        numbers[index] = Some(number.value);
        walk.at = number.end;
    }
    scan_only_end(scan, walk.at)?;
    let [Some(bid), Some(bid_qty), Some(ask), Some(ask_qty)] = numbers else {
        return Err(Error::expected("best bid and ask", at));
    };
    let symbol = symbol.ok_or_else(|| Error::expected("symbol", at))?;
    Ok(Message::Ticker(Ticker { symbol, bid: Level::new(bid, bid_qty), ask: Level::new(ask, ask_qty), time }))
}

#[inline(always)]
fn scan_status<'a, K: Kernel>(scan: &mut Scanner<'a, K>, at: usize) -> Result<Message<'a>, Error> {
    let mut system = None;
    let mut seen = Seen::default();
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        if key == b"system" {
            seen.once(0, at)?;
            let text;
            (text, walk.at) = scan.string(at)?;
            system = Some(text);
        } else {
            walk.at = scan.skip(at, 3)?;
        }
    }
    scan_only_end(scan, walk.at)?;
    Ok(Message::Status { system: system.ok_or_else(|| Error::expected("system", at))? })
}

/// v1's arrays, in two walks: what the elements are is told by the last but one.
#[inline(always)]
fn scan_array<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    start: usize,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let mut count = 0;
    let (mut name, mut pair) = (None, None);
    let mut list = scan.array(start)?;
    while let Some(at) = scan.element(&mut list)? {
        list.at = scan.skip(at, 1)?;
        let text = (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, list.at - 1));
        (name, pair) = (pair, text);
        count += 1;
    }
    scan.finish(list.at)?;
    let first = scan.space(start + 1);
    let (Some(name), Some(symbol), Ok(_), true) = (name, pair, scan.integer(first), count > 2) else {
        return Ok(Message::Other);
    };
    if !name.starts_with(b"book") {
        return Ok(Message::Other);
    }
    let mut book = Old::new();
    let mut index = 0;
    let mut list = scan.array(start)?;
    while let Some(at) = scan.element(&mut list)? {
        index += 1;
        if index == 1 || index + 2 > count {
            list.at = scan.skip(at, 1)?;
            continue;
        }
        let mut seen = Seen::default();
        let mut part = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut part)? {
            let (key, side, snapshot) = match key {
                b"bs" => (0, 0, true),
                b"as" => (1, 1, true),
                b"b" => (2, 0, false),
                b"a" => (3, 1, false),
                b"c" => {
                    seen.once(4, at)?;
                    let text;
                    (text, part.at) = scan.string(at)?;
                    book.check(check_text(text, at)?, at)?;
                    continue;
                }
                _ => {
                    part.at = scan.skip(at, 2)?;
                    continue;
                }
            };
            seen.once(key, at)?;
            let start = levels.len() as u32;
            part.at = scan_old_levels(scan, at, &mut book, levels)?;
            book.side(side, snapshot, start..levels.len() as u32, at)?;
        }
        list.at = part.at;
    }
    Ok(Message::Book(book.finish(symbol)?))
}

/// The list of v1's levels that opens at `at`.
#[inline(always)]
fn scan_old_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    book: &mut Old,
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let mut level = [None; 2];
        let mut time = None;
        let mut count = 0;
        let mut parts = scan.array(at)?;
        while let Some(at) = scan.element(&mut parts)? {
            if let Some(slot) = level.get_mut(count) {
                let number = scan.text_decimal(at)?;
                *slot = Some(number);
                parts.at = number.end;
            } else if count == 2 {
                let text;
                (text, parts.at) = scan.string(at)?;
                time = Some(match decimal::plain(scan.text, at + 1, false, NANOS) {
                    Some(number) if number.end + 1 == parts.at => number.value,
                    _ => decimal::exact(text, at + 1, NANOS)?,
                });
            } else {
                parts.at = scan.skip(at, 4)?;
            }
            count += 1;
        }
        let ([Some(price), Some(qty)], Some(time)) = (level, time) else {
            return Err(Error::expected("a level of price, quantity and time", at));
        };
        book.level(price, qty, time);
        levels.push(Level::new(price.value, qty.value));
        list.at = parts.at;
    }
    Ok(list.at)
}
