//! The second tier: the same fields in any order and spelling.
//!
//! A key means another thing in another event (`a` is a list of levels, a price, or an id), and the
//! event's type may come last. So every field is checked and its place noted as it comes by, lists
//! of levels are read on the chance that they are wanted, and the rest once the event is known.

use std::ops::Range;

use super::{Depth, KEYS, Message, Snapshot, Ticker, missing};
use crate::types::Level;
use crate::wire::Padded;
use crate::wire::json::Error;
use crate::wire::json::kernel::{Job, Kernel, is};
use crate::wire::json::scan::Scanner;

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

/// The second tier: the same fields in any spelling.
pub(super) struct Scan<'a, 'l> {
    pub(super) text: Padded<'a>,
    pub(super) levels: &'l mut Vec<Level>,
}

/// Where the fields' values are.
struct Slots {
    seen: u32,
    spans: [(usize, usize); KEYS.len()],
    bids: Result<Range<u32>, Error>,
    asks: Result<Range<u32>, Error>,
}

impl Slots {
    #[inline(always)]
    fn new() -> Slots {
        let none = Err(missing("a list of levels"));
        Slots { seen: 0, spans: [(0, 0); KEYS.len()], bids: none.clone(), asks: none }
    }

    #[inline(always)]
    fn get(&self, key: usize) -> Option<(usize, usize)> {
        (self.seen >> key & 1 == 1).then(|| self.spans[key])
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
        self.mark(key, at)?;
        let end = if (key == BIDS || key == ASKS) && scan.byte(at) == b'[' {
            let start = levels.len();
            let read = scan_levels(scan, at, depth, levels);
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
        self.spans[key] = (at, end);
        Ok(end)
    }

    #[inline(always)]
    fn mark(&mut self, key: usize, at: usize) -> Result<(), Error> {
        if self.seen >> key & 1 == 1 {
            return Err(Error::expected("each field only once", at));
        }
        self.seen |= 1 << key;
        Ok(())
    }

    #[inline(always)]
    fn text<'a, K: Kernel>(&self, scan: &Scanner<'a, K>, key: usize) -> Option<&'a [u8]> {
        let (at, end) = self.get(key)?;
        (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, end - 1))
    }

    #[inline(always)]
    fn integer<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<u64>, Error> {
        self.get(key).map(|(at, _)| scan.integer(at).map(|(value, _)| value)).transpose()
    }

    #[inline(always)]
    fn time<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<i64>, Error> {
        let time = self.integer(scan, key)?;
        time.map(|ms| i64::try_from(ms).map_err(|_| Error::expected("a time", self.spans[key].0))).transpose()
    }

    #[inline(always)]
    fn decimal<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<i64, Error> {
        let (at, _) = self.get(key).ok_or(missing("a price or quantity"))?;
        Ok(scan.text_decimal(at)?.value)
    }
}

impl<'a> Job for Scan<'a, '_> {
    type Out = Result<Message<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Message<'a>, Error> {
        let Scan { text, levels } = self;
        let start = levels.len();
        let mut scan = Scanner::new(text, kernel);
        let (mut outer, mut inner) = (Slots::new(), Slots::new());
        let at = scan.space(0);
        if scan.byte(at) != b'{' {
            let end = scan.skip(at, 0)?;
            return scan.finish(end).map(|()| Message::Other);
        }
        let mut walk = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut walk)? {
            let key = key_index(key);
            if key == Some(DATA) && scan.byte(at) == b'{' {
                outer.mark(DATA, at)?;
                let mut data = scan.object(at)?;
                while let Some((key, at)) = scan.field(&mut data)? {
                    data.at = inner.take(&mut scan, key_index(key), at, 2, levels)?;
                }
                outer.spans[DATA] = (at, data.at);
                walk.at = data.at;
            } else {
                walk.at = outer.take(&mut scan, key, at, 1, levels)?;
            }
        }
        scan.finish(walk.at)?;
        let wrapped = outer.text(&scan, STREAM).is_some() && outer.get(DATA).is_some();
        let slots = if !wrapped {
            &outer
        } else if scan.byte(outer.spans[DATA].0) == b'{' {
            &inner
        } else {
            levels.truncate(start);
            return Ok(Message::Other);
        };
        let message = classify(&mut scan, slots, wrapped)?;
        if !matches!(message, Message::Depth(_)) {
            levels.truncate(start);
        }
        Ok(message)
    }
}

#[inline(always)]
fn classify<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    slots: &Slots,
    wrapped: bool,
) -> Result<Message<'a>, Error> {
    let spot_ticker = TICKER.iter().all(|&key| slots.get(key).is_some());
    match slots.text(scan, EVENT) {
        Some(b"depthUpdate") => Ok(Message::Depth(Depth {
            symbol: slots.text(scan, SYMBOL).ok_or(missing("s"))?,
            first: slots.integer(scan, FIRST)?.ok_or(missing("U"))?,
            last: slots.integer(scan, LAST)?.ok_or(missing("u"))?,
            prev: slots.integer(scan, PREV)?,
            event_ms: slots.time(scan, EVENT_TIME)?.ok_or(missing("E"))?,
            transaction_ms: slots.time(scan, TRANSACTION_TIME)?.unwrap_or(0),
            bids: slots.bids.clone()?,
            asks: slots.asks.clone()?,
        })),
        Some(b"serverShutdown") => Ok(Message::Shutdown),
        event if event == Some(b"bookTicker") || (slots.get(EVENT).is_none() && spot_ticker) => {
            Ok(Message::Ticker(Ticker {
                symbol: slots.text(scan, SYMBOL).ok_or(missing("s"))?,
                update_id: slots.integer(scan, LAST)?.ok_or(missing("u"))?,
                bid: Level::new(slots.decimal(scan, BIDS)?, slots.decimal(scan, BID_QTY)?),
                ask: Level::new(slots.decimal(scan, ASKS)?, slots.decimal(scan, ASK_QTY)?),
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

/// The list of levels that opens at `at` inside `depth` objects: pairs of decimals in strings,
/// whatever follows in a pair.
#[inline(always)]
fn scan_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    depth: usize,
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let text = scan.text;
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        if is(text, at, b"[\"")
            && let Some([price, qty]) = scan.kernel.pair(text, at + 2, b"\",\"", false)
            && is(text, qty.end, b"\"]")
        {
            levels.push(Level::new(price.value, qty.value));
            list.at = qty.end + 2;
            continue;
        }
        let mut level = [0; 2];
        let mut count = 0;
        let mut parts = scan.array(at)?;
        while let Some(at) = scan.element(&mut parts)? {
            if let Some(value) = level.get_mut(count) {
                let number = scan.text_decimal(at)?;
                (*value, parts.at) = (number.value, number.end);
            } else {
                parts.at = scan.skip(at, depth + 2)?;
            }
            count += 1;
        }
        if count < 2 {
            return Err(Error::expected("a level of price and quantity", at));
        }
        levels.push(Level::new(level[0], level[1]));
        list.at = parts.at;
    }
    Ok(list.at)
}

/// The second tier of a REST depth answer.
pub(super) struct ScanSnapshot<'a, 'l> {
    pub(super) text: Padded<'a>,
    pub(super) levels: &'l mut Vec<Level>,
}

impl Job for ScanSnapshot<'_, '_> {
    type Out = Result<Snapshot, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Snapshot, Error> {
        let ScanSnapshot { text, levels } = self;
        let mut scan = Scanner::new(text, kernel);
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
                    walk.at = scan_levels(&mut scan, at, 1, levels)?;
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
        Ok(Snapshot { last_update_id: id.ok_or(missing("lastUpdateId"))?, event_ms, bids, asks })
    }
}
