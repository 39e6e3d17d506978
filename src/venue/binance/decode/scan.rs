//! The second tier: the same fields in any order and spelling.
//!
//! A key means another thing in another event (`a` is a list of levels, a price, or an id), and the
//! event's type may come last. So every field is checked and its place noted as it comes by, lists
//! of levels are read on the chance that they are wanted, and the rest once the event is known.

use std::ops::Range;

use super::{Depth, KEYS, Message, Snapshot, Ticker, missing};
use crate::types::Level;
use crate::wire::json::Error;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::scan::Scanner;
use crate::wire::json::slots::Slots;

const EVENT: usize = 0;
const EVENT_TIME: usize = 1;
const TRANSACTION_TIME: usize = 2;
const SYMBOL: usize = 3;
const FIRST: usize = 4;
const LAST: usize = 5;
const PREV: usize = 6;
const BIDS: usize = 7;
const BID_QTY: usize = 8;
const ASKS: usize = 9;
const ASK_QTY: usize = 10;
const STREAM: usize = 11;
const DATA: usize = 12;
const ID: usize = 13;
const RESULT: usize = 14;
const ERROR: usize = 15;
const CODE: usize = 16;

/// What spot's ticker is known by.
const TICKER: [usize; 6] = [LAST, SYMBOL, BIDS, BID_QTY, ASKS, ASK_QTY];

#[inline(always)]
fn key_index(key: &[u8]) -> Option<usize> {
    Some(match key {
        b"e" => EVENT,
        b"E" => EVENT_TIME,
        b"T" => TRANSACTION_TIME,
        b"s" => SYMBOL,
        b"U" => FIRST,
        b"u" => LAST,
        b"pu" => PREV,
        b"b" => BIDS,
        b"B" => BID_QTY,
        b"a" => ASKS,
        b"A" => ASK_QTY,
        b"stream" => STREAM,
        b"data" => DATA,
        b"id" => ID,
        b"result" => RESULT,
        b"error" => ERROR,
        b"code" => CODE,
        _ => return None,
    })
}

/// What an object says.
struct Fields {
    slots: Slots<{ KEYS.len() }>,
    bids: Result<Range<u32>, Error>,
    asks: Result<Range<u32>, Error>,
}

impl Fields {
    #[inline(always)]
    fn new() -> Fields {
        const NONE: Result<Range<u32>, Error> = Err(Error::Malformed { at: 0, what: "a list of levels" });
        Fields { slots: Slots::new(), bids: NONE, asks: NONE }
    }

    /// Takes in a field of whatever type; lists of levels are read as they come by.
    #[inline(always)]
    fn take<'a, K: Kernel>(
        &mut self,
        scan: &mut Scanner<'a, K>,
        key: Option<usize>,
        at: usize,
        depth: usize,
        levels: &mut Vec<Level>,
    ) -> Result<usize, Error> {
        let Some(key) = key else { return scan.skip(at, depth) };
        self.slots.once(key, at)?;
        let end = if (key == BIDS || key == ASKS) && scan.byte(at) == b'[' {
            let start = levels.len();
            let read = scan.levels(at, depth, levels);
            let (range, end) = match read {
                Ok(end) => (Ok(start as u32..levels.len() as u32), end),
                // Another event's list, or a fault in this one: which, the event type will tell.
                Err(error) => {
                    levels.truncate(start);
                    (Err(error), scan.skip(at, depth)?)
                }
            };
            *(if key == BIDS { &mut self.bids } else { &mut self.asks }) = range;
            end
        } else {
            scan.skip(at, depth)?
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
    let (mut outer, mut inner) = (Fields::new(), Fields::new());
    let at = scan.space(0);
    if scan.byte(at) != b'{' {
        let end = scan.skip(at, 0)?;
        return scan.finish(end).map(|()| Message::Other);
    }
    let mut data = None;
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let key = key_index(key);
        if key == Some(DATA) && scan.byte(at) == b'{' {
            outer.slots.once(DATA, at)?;
            let mut inside = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut inside)? {
                inside.at = inner.take(&mut scan, key_index(key), at, 2, levels)?;
            }
            data = Some(at);
            walk.at = inside.at;
        } else {
            walk.at = outer.take(&mut scan, key, at, 1, levels)?;
        }
    }
    scan.finish(walk.at)?;
    let wrapped = outer.slots.text(&scan, STREAM).is_some() && outer.slots.get(DATA).is_some();
    let fields = match (wrapped, data) {
        (false, _) => &outer,
        (true, Some(_)) => &inner,
        (true, None) => {
            levels.truncate(start);
            return Ok(Message::Other);
        }
    };
    let message = classify(&mut scan, fields, wrapped)?;
    if !matches!(message, Message::Depth(_)) {
        levels.truncate(start);
    }
    Ok(message)
}

#[inline(always)]
fn classify<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    fields: &Fields,
    wrapped: bool,
) -> Result<Message<'a>, Error> {
    let slots = &fields.slots;
    let spot_ticker = TICKER.iter().all(|&key| slots.get(key).is_some());
    match slots.text(scan, EVENT) {
        Some(b"depthUpdate") => Ok(Message::Depth(Depth {
            symbol: slots.text(scan, SYMBOL).ok_or_else(|| missing("s"))?,
            first: slots.integer(scan, FIRST)?.ok_or_else(|| missing("U"))?,
            last: slots.integer(scan, LAST)?.ok_or_else(|| missing("u"))?,
            prev: slots.integer(scan, PREV)?,
            event_ms: slots.time(scan, EVENT_TIME)?.ok_or_else(|| missing("E"))?,
            transaction_ms: slots.time(scan, TRANSACTION_TIME)?.unwrap_or(0),
            bids: fields.bids.clone()?,
            asks: fields.asks.clone()?,
        })),
        Some(b"serverShutdown") => Ok(Message::Shutdown),
        event if event == Some(b"bookTicker") || (slots.get(EVENT).is_none() && spot_ticker) => {
            Ok(Message::Ticker(Ticker {
                symbol: slots.text(scan, SYMBOL).ok_or_else(|| missing("s"))?,
                update_id: slots.integer(scan, LAST)?.ok_or_else(|| missing("u"))?,
                bid: Level::new(slots.text_decimal(scan, BIDS)?, slots.text_decimal(scan, BID_QTY)?),
                ask: Level::new(slots.text_decimal(scan, ASKS)?, slots.text_decimal(scan, ASK_QTY)?),
                event_ms: slots.time(scan, EVENT_TIME)?.unwrap_or(0),
            }))
        }
        None if slots.get(EVENT).is_none() && !wrapped => {
            let error = slots.get(ERROR).is_some() || slots.get(CODE).is_some();
            if !error && slots.get(RESULT).is_none() {
                return Ok(Message::Other);
            }
            let id = slots.get(ID).filter(|(at, _)| scan.byte(*at).is_ascii_digit());
            let id = id.and_then(|(at, _)| scan.integer(at).ok());
            Ok(Message::Reply { id: id.map(|(id, _)| id), error })
        }
        _ => Ok(Message::Other),
    }
}

/// A REST depth answer in any spelling.
#[inline(always)]
pub(super) fn snapshot<K: Kernel>(
    mut scan: Scanner<'_, K>,
    levels: &mut Vec<Level>,
) -> Result<Snapshot, Error> {
    let (mut id, mut time, mut sides) = (None, None, [None, None]);
    let mut walk = scan.object(scan.space(0))?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let again;
        match key {
            b"lastUpdateId" | b"E" => {
                let value;
                (value, walk.at) = scan.integer(at)?;
                again = if key == b"E" { &mut time } else { &mut id }.replace(value).is_some();
            }
            b"bids" | b"asks" => {
                let start = levels.len() as u32;
                walk.at = scan.levels(at, 1, levels)?;
                let range = start..levels.len() as u32;
                again = sides[usize::from(key == b"asks")].replace(range).is_some();
            }
            _ => (again, walk.at) = (false, scan.skip(at, 1)?),
        }
        if again {
            return Err(Error::expected("each field only once", at));
        }
    }
    scan.finish(walk.at)?;
    let [Some(bids), Some(asks)] = sides else { return Err(missing("bids and asks")) };
    let event_ms = i64::try_from(time.unwrap_or(0)).map_err(|_| missing("a time"))?;
    Ok(Snapshot { last_update_id: id.ok_or_else(|| missing("lastUpdateId"))?, event_ms, bids, asks })
}
