//! The second tier: the same fields in any order and spelling.
//!
//! The topic may come last, so every field is checked and its place noted as it comes by, lists of
//! levels are read on the chance that they are wanted, and the rest once the topic is known.

use std::ops::Range;

use super::{Book, INNER, Message, OUTER, Ticker, Topic, missing, topic};
use crate::types::Level;
use crate::wire::json::Error;
use crate::wire::json::kernel::{Kernel, is};
use crate::wire::json::scan::Scanner;
use crate::wire::json::slots::Slots;

const TOPIC: usize = 0;
const TYPE: usize = 1;
const SENT: usize = 2;
const TICKER_SEQ: usize = 3;
const ENGINE: usize = 4;
const DATA: usize = 5;
const SUCCESS: usize = 6;
const OP: usize = 7;

const BOOK_SYMBOL: usize = 0;
const BIDS: usize = 1;
const ASKS: usize = 2;
const UPDATE: usize = 3;
const SEQ: usize = 4;
const TICKER_SYMBOL: usize = 5;
const BEST: [usize; 4] = [6, 7, 8, 9];

#[inline(always)]
fn index(keys: &[&str], key: &[u8]) -> Option<usize> {
    keys.iter().position(|own| own.as_bytes() == key)
}

/// What the data says.
struct Data {
    slots: Slots<{ INNER.len() }>,
    bids: Result<Range<u32>, Error>,
    asks: Result<Range<u32>, Error>,
}

impl Data {
    #[inline(always)]
    fn new() -> Data {
        let none = Err(missing("a list of levels"));
        Data { slots: Slots::new(), bids: none.clone(), asks: none }
    }

    /// Takes in a field of whatever type; lists of levels are read as they come by.
    #[inline(always)]
    fn take<'a, K: Kernel>(
        &mut self,
        scan: &mut Scanner<'a, K>,
        key: &[u8],
        at: usize,
        levels: &mut Vec<Level>,
    ) -> Result<usize, Error> {
        let Some(key) = index(&INNER, key) else { return scan.skip(at, 2) };
        self.slots.once(key, at)?;
        let end = if (key == BIDS || key == ASKS) && scan.byte(at) == b'[' {
            let start = levels.len();
            let read = scan.levels(at, 2, levels);
            let (range, end) = match read {
                Ok(end) => (Ok(start as u32..levels.len() as u32), end),
                // Another topic's list, or a fault in this one: which, the topic will tell.
                Err(error) => {
                    levels.truncate(start);
                    (Err(error), scan.skip(at, 2)?)
                }
            };
            *(if key == BIDS { &mut self.bids } else { &mut self.asks }) = range;
            end
        } else {
            scan.skip(at, 2)?
        };
        self.slots.set(key, at, end);
        Ok(end)
    }
}

/// A message in any spelling.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    mut scan: Scanner<'a, K>,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let start = levels.len();
    let at = scan.space(0);
    if scan.byte(at) != b'{' {
        let end = scan.skip(at, 0)?;
        return scan.finish(end).map(|()| Message::Other);
    }
    let (mut slots, mut data) = (Slots::<{ OUTER.len() }>::new(), Data::new());
    let mut has_data = false;
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let Some(key) = index(&OUTER, key) else {
            walk.at = scan.skip(at, 1)?;
            continue;
        };
        slots.once(key, at)?;
        if key == DATA && scan.byte(at) == b'{' {
            has_data = true;
            let mut inside = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut inside)? {
                inside.at = data.take(&mut scan, key, at, levels)?;
            }
            walk.at = inside.at;
        } else {
            walk.at = scan.skip(at, 1)?;
        }
        slots.set(key, at, walk.at);
    }
    scan.finish(walk.at)?;
    let message = classify(&mut scan, &slots, &data, has_data)?;
    if !matches!(message, Message::Book(_)) {
        levels.truncate(start);
    }
    Ok(message)
}

#[inline(always)]
fn classify<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    slots: &Slots<{ OUTER.len() }>,
    data: &Data,
    has_data: bool,
) -> Result<Message<'a>, Error> {
    let Some(name) = slots.text(scan, TOPIC) else {
        return Ok(match slots.text(scan, OP) {
            Some(b"ping" | b"pong") => Message::Pong,
            Some(b"subscribe") => {
                let granted = slots.get(SUCCESS).is_some_and(|(at, _)| is(scan.text, at, b"true"));
                Message::Reply { success: granted }
            }
            _ => Message::Other,
        });
    };
    let topic = topic(name);
    if matches!(topic, Topic::Other) {
        return Ok(Message::Other);
    }
    let snapshot = match slots.text(scan, TYPE) {
        Some(b"snapshot") => true,
        Some(b"delta") => false,
        _ => return Err(missing("snapshot or delta")),
    };
    let sent_ms = slots.time(scan, SENT)?.ok_or(missing("ts"))?;
    if !has_data {
        return Err(missing("data"));
    }
    let inner = &data.slots;
    match topic {
        Topic::Book(depth, symbol) => {
            if inner.text(scan, BOOK_SYMBOL) != Some(symbol) {
                return Err(missing("the topic's symbol"));
            }
            Ok(Message::Book(Book {
                symbol,
                depth,
                snapshot,
                update: inner.integer(scan, UPDATE)?.ok_or(missing("u"))?,
                seq: inner.integer(scan, SEQ)?.ok_or(missing("seq"))?,
                sent_ms,
                engine_ms: slots.time(scan, ENGINE)?,
                bids: data.bids.clone()?,
                asks: data.asks.clone()?,
            }))
        }
        Topic::Ticker(symbol) => {
            if inner.text(scan, TICKER_SYMBOL) != Some(symbol) {
                return Err(missing("the topic's symbol"));
            }
            let mut best = [None; 4];
            for (best, key) in best.iter_mut().zip(BEST) {
                *best = match inner.text(scan, key) {
                    Some(b"") => Some(0),
                    _ if inner.get(key).is_some() => Some(inner.text_decimal(scan, key)?),
                    _ => None,
                };
            }
            let seq = slots.integer(scan, TICKER_SEQ)?.ok_or(missing("cs"))?;
            Ok(Message::Ticker(Ticker { symbol, snapshot, seq, sent_ms, best }))
        }
        Topic::Other => Ok(Message::Other),
    }
}
