//! The second tier: the same fields in any order and spelling.
//!
//! `arg` may come last, so lists of levels are read on the chance that they are wanted, and
//! everything else once the channel is known.

use std::ops::Range;

use super::{ARG, Book, Channel, Event, INNER, Message, OUTER, Ticker, is_snapshot, millis, missing};
use crate::types::Level;
use crate::wire::json::Error;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::scan::Scanner;
use crate::wire::json::slots::Slots;

const ARGUMENT: usize = 0;
const ACTION: usize = 1;
const DATA: usize = 2;
const EVENT: usize = 3;
const ID: usize = 4;

const CHANNEL: usize = 0;
const SYMBOL: usize = 1;

const ASKS: usize = 0;
const BIDS: usize = 1;
const TIME: usize = 2;
const CHECKSUM: usize = 3;
const SEQ: usize = 4;
const PREV: usize = 5;
const BEST: [usize; 4] = [6, 7, 8, 9];

#[inline(always)]
fn index(keys: &[&str], key: &[u8]) -> Option<usize> {
    keys.iter().position(|own| own.as_bytes() == key)
}

/// What the one object in the data says.
struct Data {
    slots: Slots<{ INNER.len() }>,
    sides: [Result<Range<u32>, Error>; 2],
    /// The list holds one object and nothing else.
    single: bool,
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
    let none = Err(missing("a list of levels"));
    let mut slots = Slots::<{ OUTER.len() }>::new();
    let mut arg = Slots::<{ ARG.len() }>::new();
    let mut data = Data { slots: Slots::new(), sides: [none.clone(), none], single: false };
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let Some(key) = index(&OUTER, key) else {
            walk.at = scan.skip(at, 1)?;
            continue;
        };
        slots.once(key, at)?;
        walk.at = match (key, scan.byte(at)) {
            (ARGUMENT, b'{') => {
                let mut inside = scan.object(at)?;
                while let Some((key, at)) = scan.field(&mut inside)? {
                    let known = index(&ARG, key);
                    if let Some(key) = known {
                        arg.once(key, at)?;
                    }
                    inside.at = scan.skip(at, 2)?;
                    if let Some(key) = known {
                        arg.set(key, at, inside.at);
                    }
                }
                inside.at
            }
            (DATA, b'[') => list(&mut scan, at, &mut data, levels)?,
            _ => scan.skip(at, 1)?,
        };
        slots.set(key, at, walk.at);
    }
    scan.finish(walk.at)?;
    let message = classify(&mut scan, &slots, &arg, &data)?;
    if !matches!(message, Message::Book(_)) {
        levels.truncate(start);
    }
    Ok(message)
}

/// The data: its first object is read, what else there is is only checked.
#[inline(always)]
fn list<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    data: &mut Data,
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let mut walk = scan.array(at)?;
    let mut count = 0;
    while let Some(at) = scan.element(&mut walk)? {
        count += 1;
        if count > 1 || scan.byte(at) != b'{' {
            data.single = false;
            walk.at = scan.skip(at, 2)?;
            continue;
        }
        data.single = true;
        let mut inside = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut inside)? {
            let Some(key) = index(&INNER, key) else {
                inside.at = scan.skip(at, 3)?;
                continue;
            };
            data.slots.once(key, at)?;
            inside.at = if (key == ASKS || key == BIDS) && scan.byte(at) == b'[' {
                let start = levels.len();
                let (range, end) = match scan.levels(at, 3, levels) {
                    Ok(end) => (Ok(start as u32..levels.len() as u32), end),
                    // Another channel's list, or a fault in this one: which, the channel will tell.
                    Err(error) => {
                        levels.truncate(start);
                        (Err(error), scan.skip(at, 3)?)
                    }
                };
                data.sides[key] = range;
                end
            } else {
                scan.skip(at, 3)?
            };
            data.slots.set(key, at, inside.at);
        }
        walk.at = inside.at;
    }
    Ok(walk.at)
}

#[inline(always)]
fn classify<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    slots: &Slots<{ OUTER.len() }>,
    arg: &Slots<{ ARG.len() }>,
    data: &Data,
) -> Result<Message<'a>, Error> {
    let (channel, symbol) = (arg.text(scan, CHANNEL), arg.text(scan, SYMBOL));
    if let Some(event) = slots.text(scan, EVENT) {
        return Ok(Message::Event(Event { event, id: slots.text(scan, ID), channel, symbol }));
    }
    let Some(name) = channel else { return Ok(Message::Other) };
    let inner = &data.slots;
    if name == b"tickers" {
        let symbol = symbol.ok_or(missing("instId"))?;
        if !data.single {
            return Err(missing("one object in data"));
        }
        let mut best = [0; 4];
        for (best, key) in best.iter_mut().zip(BEST) {
            // A side without orders has no price.
            if inner.text(scan, key) != Some(b"") {
                *best = inner.text_decimal(scan, key)?;
            }
        }
        let time_ms = millis(inner.text(scan, TIME).ok_or(missing("ts"))?)?;
        let (bid, ask) = (Level::new(best[0], best[1]), Level::new(best[2], best[3]));
        return Ok(Message::Ticker(Ticker { symbol, bid, ask, time_ms }));
    }
    let Some(channel) = Channel::of(name) else { return Ok(Message::Other) };
    let snapshot = is_snapshot(channel, slots.text(scan, ACTION))?;
    if !data.single {
        return Err(missing("one object in data"));
    }
    let [asks, bids] = data.sides.clone();
    Ok(Message::Book(Book {
        channel,
        symbol: symbol.ok_or(missing("instId"))?,
        snapshot,
        seq: signed(scan, inner, SEQ)?,
        prev: signed(scan, inner, PREV)?,
        checksum: signed(scan, inner, CHECKSUM)?,
        time_ms: millis(inner.text(scan, TIME).ok_or(missing("ts"))?)?,
        bids: bids?,
        asks: asks?,
    }))
}

/// A plain integer with a sign, if it is there.
#[inline(always)]
fn signed<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    slots: &Slots<{ INNER.len() }>,
    key: usize,
) -> Result<Option<i64>, Error> {
    let Some((at, _)) = slots.get(key) else { return Ok(None) };
    let negative = scan.byte(at) == b'-';
    let (value, _) = scan.integer(at + usize::from(negative))?;
    match i64::try_from(value) {
        Ok(value) if negative && value > 0 => Ok(Some(-value)),
        Ok(value) if !negative => Ok(Some(value)),
        _ => Err(Error::expected("a plain integer", at)),
    }
}
