//! The second tier: the same fields in any order and spelling.
//!
//! Book data is read as it comes by where what it is came before it, as it does; every other field
//! is checked, its place noted, and read once it is known what the message is.

use std::ops::Range;

use super::{Book, KEYS, Message, ORDERS, What, mixed, sorted};
use crate::types::{Level, Nanos};
use crate::wire::json::Error;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::scan::Scanner;
use crate::wire::json::slots::{Seen, Slots as AnySlots};

const CHANNEL: usize = 0;
const TIMESTAMP: usize = 1;
const SEQUENCE: usize = 2;
const EVENTS: usize = 3;
const TYPE: usize = 4;
const PRODUCT: usize = 5;
const TIME: usize = 6;
const BIDS: usize = 7;
const ASKS: usize = 8;
const CHANGES: usize = 9;
const BEST_BID: usize = 10;
const BID_SIZE: usize = 11;
const BEST_ASK: usize = 12;
const ASK_SIZE: usize = 13;

type Slots = AnySlots<{ KEYS.len() }>;
type Sides = (Range<u32>, Range<u32>);

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
    if scan.byte(at) != b'{' {
        let end = scan.skip(at, 0)?;
        scan.finish(end)?;
        let list = scan.byte(at) == b'[';
        let what = if list { What::Order(scan.text.message()) } else { What::Other };
        return Ok(Message { what, ..Message::OTHER });
    }
    let mut slots = Slots::new();
    let (mut event, mut changes) = (None, None);
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let Some(key) = key_index(key) else {
            walk.at = scan.skip(at, 1)?;
            continue;
        };
        slots.once(key, at)?;
        walk.at = if key == EVENTS && slots.text(&scan, CHANNEL) == Some(b"l2_data") {
            let (found, end) = book(&mut scan, at, levels)?;
            event = Some(found);
            end
        } else if key == CHANGES
            && slots.text(&scan, CHANNEL).is_none()
            && slots.text(&scan, TYPE) == Some(b"l2update")
        {
            let (found, end) = self::changes(&mut scan, at, levels)?;
            changes = Some((found, levels.len()));
            end
        } else {
            scan.skip(at, 1)?
        };
        slots.set(key, at, walk.at);
    }
    scan.finish(walk.at)?;
    if let Some(channel) = slots.text(&scan, CHANNEL) {
        let sequence = slots.integer(&mut scan, SEQUENCE)?.ok_or(Error::expected("sequence_num", at))?;
        let time = time(&mut scan, &slots, TIMESTAMP)?;
        let events = slots.get(EVENTS).map(|(at, _)| at).ok_or(Error::expected("events", at));
        let what = match channel {
            b"l2_data" => What::Book(match event {
                Some(book) => book,
                // Here at last we know what the events were, where they stood before their channel.
                None => {
                    // What was taken for Exchange's changes before the channel came.
                    if let Some(((bids, _), _)) = changes {
                        levels.truncate(bids.start as usize);
                    }
                    book(&mut scan, events?, levels)?.0
                }
            }),
            b"ticker" => {
                drop_changes(levels, &changes);
                tickers(&mut scan, events?, levels)?
            }
            b"heartbeats" => {
                drop_changes(levels, &changes);
                What::Heartbeat(b"")
            }
            _ => {
                drop_changes(levels, &changes);
                What::Other
            }
        };
        return Ok(Message { what, sequence: Some(sequence), time });
    }
    let product = slots.text(&scan, PRODUCT).ok_or(Error::expected("product_id", at));
    let what = match slots.text(&scan, TYPE) {
        Some(b"snapshot") => {
            let mut sides = [0..0, 0..0];
            for (key, range) in [BIDS, ASKS].into_iter().zip(&mut sides) {
                let (at, _) = slots.get(key).ok_or(Error::expected("a list of levels", at))?;
                let start = levels.len() as u32;
                scan.levels(at, 1, levels)?;
                *range = start..levels.len() as u32;
            }
            let [bids, asks] = sides;
            What::Book(Book { product: product?, snapshot: true, bids, asks })
        }
        Some(b"l2update") => {
            let (bids, asks) = match (changes, slots.get(CHANGES)) {
                (Some((sides, _)), _) => sides,
                (None, Some((at, _))) => self::changes(&mut scan, at, levels)?.0,
                (None, None) => return Err(Error::expected("changes", at)),
            };
            What::Book(Book { product: product?, snapshot: false, bids, asks })
        }
        Some(b"ticker") => {
            let places = [BEST_BID, BID_SIZE, BEST_ASK, ASK_SIZE].map(|key| slots.get(key).map(|(at, _)| at));
            let (bids, asks) = best(&mut scan, places, levels)?;
            What::Ticker(Book { product: product?, snapshot: false, bids, asks })
        }
        Some(b"heartbeat") => What::Heartbeat(product?),
        Some(b"error") => return Ok(Message { what: What::Error, ..Message::OTHER }),
        Some(kind) if ORDERS.iter().any(|own| own.as_bytes() == kind) => {
            return Ok(Message { what: What::Order(scan.text.message()), ..Message::OTHER });
        }
        _ => return Ok(Message::OTHER),
    };
    Ok(Message { what, sequence: None, time: time(&mut scan, &slots, TIME)? })
}

/// Levels that were read before it was known that they are none.
#[inline(always)]
fn drop_changes(levels: &mut Vec<Level>, changes: &Option<(Sides, usize)>) {
    if let Some(((bids, _), _)) = changes {
        levels.truncate(bids.start as usize);
    }
}

#[inline(always)]
fn time<K: Kernel>(scan: &mut Scanner<'_, K>, slots: &Slots, key: usize) -> Result<Nanos, Error> {
    match slots.get(key) {
        Some((at, _)) => Ok(scan.timestamp(at)?.0),
        None => Ok(Nanos::ZERO),
    }
}

/// The one event of a book in the list that opens at `at`, and the offset behind the list.
#[inline(always)]
fn book<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<(Book<'a>, usize), Error> {
    let mut list = scan.array(at)?;
    let start = scan.element(&mut list)?.ok_or(Error::expected("one event", at))?;
    let (mut product, mut snapshot, mut sides) = (None, None, None);
    let mut seen = Seen::default();
    let mut walk = scan.object(start)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        match key {
            b"type" => {
                seen.once(0, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                snapshot = Some(match text {
                    b"snapshot" => true,
                    b"update" => false,
                    _ => return Err(Error::expected("a type of snapshot or update", at)),
                });
            }
            b"product_id" => {
                seen.once(1, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                product = Some(text);
            }
            b"updates" => {
                seen.once(2, at)?;
                let found;
                (found, walk.at) = updates(scan, at, levels)?;
                sides = Some(found);
            }
            _ => walk.at = scan.skip(at, 3)?,
        }
    }
    list.at = walk.at;
    if let Some(at) = scan.element(&mut list)? {
        return Err(Error::expected("one event", at));
    }
    let (Some(product), Some(snapshot), Some((bids, asks))) = (product, snapshot, sides) else {
        return Err(Error::expected("type, product and updates", at));
    };
    Ok((Book { product, snapshot, bids, asks }, list.at))
}

/// Advanced Trade's levels, from the list's bracket on.
#[inline(always)]
fn updates<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<(Sides, usize), Error> {
    let start = levels.len();
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let (mut side, mut price, mut qty) = (None, None, None);
        let mut seen = Seen::default();
        let mut walk = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut walk)? {
            match key {
                b"side" => {
                    seen.once(0, at)?;
                    let text;
                    (text, walk.at) = scan.string(at)?;
                    side = Some(match text {
                        b"bid" => true,
                        b"offer" => false,
                        _ => return Err(Error::expected("bid or offer", at)),
                    });
                }
                b"price_level" | b"new_quantity" => {
                    let second = key == b"new_quantity";
                    seen.once(1 + usize::from(second), at)?;
                    let number = scan.text_decimal(at)?;
                    *(if second { &mut qty } else { &mut price }) = Some(number.value);
                    walk.at = number.end;
                }
                _ => walk.at = scan.skip(at, 5)?,
            }
        }
        let (Some(bid), Some(price), Some(qty)) = (side, price, qty) else {
            return Err(Error::expected("side, price and quantity", at));
        };
        levels.push(mixed(bid, price, qty));
        list.at = walk.at;
    }
    Ok((sorted(levels, start), list.at))
}

/// Exchange's changes, from the list's bracket on.
#[inline(always)]
fn changes<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<(Sides, usize), Error> {
    let start = levels.len();
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let (mut count, mut bid, mut numbers) = (0, false, [0; 2]);
        let mut parts = scan.array(at)?;
        while let Some(at) = scan.element(&mut parts)? {
            match count {
                0 => {
                    let text;
                    (text, parts.at) = scan.string(at)?;
                    bid = match text {
                        b"buy" => true,
                        b"sell" => false,
                        _ => return Err(Error::expected("buy or sell", at)),
                    };
                }
                1 | 2 => {
                    let number = scan.text_decimal(at)?;
                    (numbers[count - 1], parts.at) = (number.value, number.end);
                }
                _ => parts.at = scan.skip(at, 3)?,
            }
            count += 1;
        }
        if count < 3 {
            return Err(Error::expected("a change of side, price and quantity", at));
        }
        levels.push(mixed(bid, numbers[0], numbers[1]));
        list.at = parts.at;
    }
    Ok((sorted(levels, start), list.at))
}

/// The one ticker in the events that open at `at`; several are passed over.
#[inline(always)]
fn tickers<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<What<'a>, Error> {
    let Some(event) = only(scan, at, 1)? else { return Ok(What::Other) };
    let mut list = None;
    let mut walk = scan.object(event)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        if key == b"tickers" && list.replace(at).is_some() {
            return Err(Error::expected("each field only once", at));
        }
        walk.at = scan.skip(at, 3)?;
    }
    let list = list.ok_or(Error::expected("tickers", at))?;
    let Some(one) = only(scan, list, 3)? else { return Ok(What::Other) };
    let mut product = None;
    let mut places = [None; 4];
    let mut seen = Seen::default();
    let mut walk = scan.object(one)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let slot = match key {
            b"best_bid" => 0,
            b"best_bid_quantity" => 1,
            b"best_ask" => 2,
            b"best_ask_quantity" => 3,
            b"product_id" => {
                seen.once(4, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                product = Some(text);
                continue;
            }
            _ => {
                walk.at = scan.skip(at, 5)?;
                continue;
            }
        };
        seen.once(slot, at)?;
        places[slot] = Some(at);
        walk.at = scan.skip(at, 5)?;
    }
    let product = product.ok_or(Error::expected("product_id", at))?;
    let (bids, asks) = best(scan, places, levels)?;
    Ok(What::Ticker(Book { product, snapshot: false, bids, asks }))
}

/// Where the only element is of the list that opens at `at` inside `depth` arrays and objects.
#[inline(always)]
fn only<K: Kernel>(scan: &mut Scanner<'_, K>, at: usize, depth: usize) -> Result<Option<usize>, Error> {
    let mut list = scan.array(at)?;
    let first = scan.element(&mut list)?;
    if let Some(at) = first {
        list.at = scan.skip(at, depth + 1)?;
        if scan.element(&mut list)?.is_some() {
            return Ok(None);
        }
    }
    Ok(first)
}

/// Best bid and ask from where their prices and quantities are.
#[inline(always)]
fn best<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    places: [Option<usize>; 4],
    levels: &mut Vec<Level>,
) -> Result<Sides, Error> {
    let mut sides = [0..0, 0..0];
    for (places, range) in places.chunks_exact(2).zip(&mut sides) {
        let start = levels.len() as u32;
        let mut numbers = [None; 2];
        for (number, place) in numbers.iter_mut().zip(places) {
            if let Some(at) = *place {
                *number = Some(scan.text_decimal(at)?.value);
            }
        }
        if let [Some(price), Some(qty)] = numbers {
            levels.push(Level::new(price, qty));
        }
        *range = start..levels.len() as u32;
    }
    let [bids, asks] = sides;
    Ok((bids, asks))
}
