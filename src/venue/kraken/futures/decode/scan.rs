//! The second tier: the same fields in any order and spelling. Every field is checked and its place
//! noted; what it is, is read once it is known what the message is.

use std::ops::Range;

use super::{Book, KEYS, Message, Ticker, What, event, millis};
use crate::types::{Level, Nanos};
use crate::venue::kraken::decode::scan::scan_levels;
use crate::wire::json::Error;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::scan::Scanner;
use crate::wire::json::slots::Slots;

const FEED: usize = 0;
const EVENT: usize = 1;
const PRODUCT: usize = 2;
const SIDE: usize = 3;
const SEQ: usize = 4;
const PRICE: usize = 5;
const QTY: usize = 6;
const TIMESTAMP: usize = 7;
const BIDS: usize = 8;
const ASKS: usize = 9;
const TIME: usize = 10;
const BID: usize = 11;
const BID_SIZE: usize = 12;
const ASK: usize = 13;
const ASK_SIZE: usize = 14;

type Found = Slots<{ KEYS.len() }>;

/// A message in any spelling.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    mut scan: Scanner<'a, K>,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let at = scan.space(0);
    let mut slots = Found::new();
    let end = if scan.byte(at) == b'{' {
        let mut walk = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut walk)? {
            walk.at = scan.skip(at, 1)?;
            if let Some(key) = KEYS.iter().position(|name| name.as_bytes() == key) {
                slots.once(key, at)?;
                slots.set(key, at, walk.at);
            }
        }
        walk.at
    } else {
        scan.skip(at, 0)?
    };
    scan.finish(end)?;
    let what = match (slots.text(&scan, EVENT), slots.text(&scan, FEED)) {
        (Some(name), _) => event(name),
        (None, Some(b"heartbeat")) => What::Heartbeat,
        (None, Some(feed @ (b"book" | b"book_snapshot" | b"ticker"))) => {
            let product = slots.text(&scan, PRODUCT).ok_or_else(|| Error::expected("product_id", at))?;
            let what = match feed {
                b"book" => level(&mut scan, &slots, levels)?,
                b"book_snapshot" => snapshot(&mut scan, &slots, levels)?,
                _ => ticker(&mut scan, &slots)?,
            };
            return Ok(Message { product, what });
        }
        _ => What::Other,
    };
    Ok(Message { product: b"", what })
}

/// A field that must be there.
#[inline(always)]
fn needed(slots: &Found, key: usize) -> Result<usize, Error> {
    slots.get(key).map(|(at, _)| at).ok_or_else(|| Error::expected(KEYS[key], 0))
}

/// A time in ms that must be there.
#[inline(always)]
fn time<K: Kernel>(scan: &mut Scanner<'_, K>, slots: &Found, key: usize) -> Result<Nanos, Error> {
    let at = needed(slots, key)?;
    millis(scan.integer(at)?.0).ok_or_else(|| Error::expected("a time", at))
}

#[inline(always)]
fn level<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    slots: &Found,
    levels: &mut Vec<Level>,
) -> Result<What, Error> {
    let buy = match slots.text(scan, SIDE) {
        Some(b"buy") => true,
        Some(b"sell") => false,
        _ => return Err(Error::expected("a side of buy or sell", 0)),
    };
    let price = scan.number_decimal(needed(slots, PRICE)?)?;
    let qty = scan.number_decimal(needed(slots, QTY)?)?;
    let seq = scan.integer(needed(slots, SEQ)?)?.0;
    let time = time(scan, slots, TIMESTAMP)?;
    let start = levels.len() as u32;
    levels.push(Level::new(price.value, qty.value));
    let (bids, asks) =
        if buy { (start..start + 1, start + 1..start + 1) } else { (start..start, start..start + 1) };
    Ok(What::Book(Book { snapshot: false, seq, time, bids, asks }))
}

#[inline(always)]
fn snapshot<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    slots: &Found,
    levels: &mut Vec<Level>,
) -> Result<What, Error> {
    let seq = scan.integer(needed(slots, SEQ)?)?.0;
    let time = time(scan, slots, TIMESTAMP)?;
    let bids = side(scan, needed(slots, BIDS)?, levels)?;
    let asks = side(scan, needed(slots, ASKS)?, levels)?;
    Ok(What::Book(Book { snapshot: true, seq, time, bids, asks }))
}

#[inline(always)]
fn side<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<Range<u32>, Error> {
    let start = levels.len() as u32;
    scan_levels(scan, at, 1, &mut (0, 0), levels)?;
    Ok(start..levels.len() as u32)
}

#[inline(always)]
fn ticker<K: Kernel>(scan: &mut Scanner<'_, K>, slots: &Found) -> Result<What, Error> {
    let time = if slots.get(TIME).is_some() { time(scan, slots, TIME)? } else { Nanos::ZERO };
    let bid = best(scan, slots, BID, BID_SIZE)?;
    let ask = best(scan, slots, ASK, ASK_SIZE)?;
    Ok(What::Ticker(Ticker { bid, ask, time }))
}

/// A side of a ticker, which may be `null` or not be there.
#[inline(always)]
fn best<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    slots: &Found,
    price: usize,
    qty: usize,
) -> Result<Option<Level>, Error> {
    let mut told = [None; 2];
    for (value, key) in told.iter_mut().zip([price, qty]) {
        if let Some((at, _)) = slots.get(key)
            && scan.byte(at) != b'n'
        {
            *value = Some(scan.number_decimal(at)?.value);
        }
    }
    let [Some(price), Some(qty)] = told else { return Ok(None) };
    Ok(Some(Level::new(price, qty)))
}
