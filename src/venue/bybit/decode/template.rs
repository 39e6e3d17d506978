//! The first tier: the spellings that Bybit's servers use, every byte compared.

use super::{Book, INNER, Message, Ticker};
use crate::types::Level;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    if let Some(at) = template.literal(0, b"{\"topic\":\"orderbook.") {
        return book(template, at, levels);
    }
    ticker(template, template.literal(0, b"{\"topic\":\"tickers.")?)
}

/// `"snapshot"` or `"delta"`, from behind the first quote.
#[inline(always)]
fn kind<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(bool, usize)> {
    match template.literal(at, b"delta\"") {
        Some(at) => Some((false, at)),
        None => Some((true, template.literal(at, b"snapshot\"")?)),
    }
}

/// A book, from its depth on. Which of type and time comes first differs by market and depth.
#[inline(always)]
fn book<'a, K: Kernel>(template: Template<'a, K>, at: usize, levels: &mut Vec<Level>) -> Option<Message<'a>> {
    let (depth, at) = template.integer(at)?;
    let name = template.literal(at, b".")?;
    let (symbol, snapshot, sent_ms, at) = match template.name(name, b"\",\"type\":\"") {
        Some((symbol, at)) => {
            let (snapshot, at) = kind(template, at)?;
            let (sent_ms, at) = template.time(template.literal(at, b",\"ts\":")?)?;
            (symbol, snapshot, sent_ms, at)
        }
        None => {
            let (symbol, at) = template.name(name, b"\",\"ts\":")?;
            let (sent_ms, at) = template.time(at)?;
            let (snapshot, at) = kind(template, template.literal(at, b",\"type\":\"")?)?;
            (symbol, snapshot, sent_ms, at)
        }
    };
    let at = template.literal(at, b",\"data\":{\"s\":\"")?;
    let end = template.again(at, name, symbol.len()).filter(|_| !symbol.is_empty())?;
    let (bids, at) = template.levels(template.literal(end, b"\",\"b\":[")?, levels)?;
    let (asks, at) = template.levels(template.literal(at, b",\"a\":[")?, levels)?;
    let (update, at) = template.integer(template.literal(at, b",\"u\":")?)?;
    let (seq, at) = template.integer(template.literal(at, b",\"seq\":")?)?;
    let (engine_ms, at) = template.time(template.literal(at, b"},\"cts\":")?)?;
    template.end(template.literal(at, b"}")?)?;
    let depth = u32::try_from(depth).ok().filter(|depth| *depth > 0)?;
    let engine_ms = Some(engine_ms);
    Some(Message::Book(Book { symbol, depth, snapshot, update, seq, sent_ms, engine_ms, bids, asks }))
}

/// A futures ticker, from its symbol on: which fields it has differs from message to message, and
/// all are texts.
#[inline(always)]
fn ticker<'a, K: Kernel>(template: Template<'a, K>, at: usize) -> Option<Message<'a>> {
    let name = at;
    let (symbol, at) = template.name(name, b"\",\"type\":\"")?;
    let (snapshot, at) = kind(template, at)?;
    let at = template.literal(at, b",\"data\":{\"symbol\":\"")?;
    let end = template.again(at, name, symbol.len()).filter(|_| !symbol.is_empty())?;
    let mut at = template.literal(end, b"\"")?;
    let mut best = [None; 4];
    while let Some(behind) = template.literal(at, b",\"") {
        // A side's price and quantity nearly always come together: both in one step.
        let (side, pair) = if let Some(start) = template.literal(behind, b"bid1Price\":\"") {
            (0, template.kernel.pair(template.text, start, b"\",\"bid1Size\":\"", false))
        } else if let Some(start) = template.literal(behind, b"ask1Price\":\"") {
            (2, template.kernel.pair(template.text, start, b"\",\"ask1Size\":\"", false))
        } else {
            (0, None)
        };
        at = match pair {
            Some(pair) if pair.behind[0] == b'"' => {
                let told = &mut best[side..side + 2];
                if told.iter().any(Option::is_some) {
                    return None;
                }
                let [price, qty] = pair.numbers;
                told.copy_from_slice(&[Some(price.value), Some(qty.value)]);
                qty.end + 1
            }
            _ => field(template, behind, &mut best)?,
        };
    }
    let (seq, at) = template.integer(template.literal(at, b"},\"cs\":")?)?;
    let (sent_ms, at) = template.time(template.literal(at, b",\"ts\":")?)?;
    template.end(template.literal(at, b"}")?)?;
    Some(Message::Ticker(Ticker { symbol, snapshot, seq, sent_ms, best }))
}

/// One field of a ticker, from behind its first quote: the offset behind it.
#[inline(always)]
fn field<K: Kernel>(template: Template<'_, K>, at: usize, best: &mut [Option<i64>; 4]) -> Option<usize> {
    let (name, start) = template.name(at, b"\":\"")?;
    let slot = match name {
        b"bid1Price" => Some(0),
        b"bid1Size" => Some(1),
        b"ask1Price" => Some(2),
        b"ask1Size" => Some(3),
        _ => None,
    };
    match slot {
        Some(slot) => {
            if best[slot].is_some() {
                return None;
            }
            let number = template.kernel.number(template.text, start, false)?;
            best[slot] = Some(number.value);
            template.literal(number.end, b"\"")
        }
        // What means something in another topic is left to the next tier.
        None if INNER.iter().any(|key| key.as_bytes() == name) => None,
        None => Some(template.string(start)?.1),
    }
}
