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
    let at = template.literal(at, b".")?;
    let (symbol, snapshot, sent_ms, at) = match template.name(at, b"\",\"type\":\"") {
        Some((symbol, at)) => {
            let (snapshot, at) = kind(template, at)?;
            let (sent_ms, at) = template.time(template.literal(at, b",\"ts\":")?)?;
            (symbol, snapshot, sent_ms, at)
        }
        None => {
            let (symbol, at) = template.name(at, b"\",\"ts\":")?;
            let (sent_ms, at) = template.time(at)?;
            let (snapshot, at) = kind(template, template.literal(at, b",\"type\":\"")?)?;
            (symbol, snapshot, sent_ms, at)
        }
    };
    let at = template.literal(at, b",\"data\":{\"s\":\"")?;
    let end = at + symbol.len();
    if symbol.is_empty() || template.text.message().get(at..end)? != symbol {
        return None;
    }
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
    let (symbol, at) = template.name(at, b"\",\"type\":\"")?;
    let (snapshot, at) = kind(template, at)?;
    let at = template.literal(at, b",\"data\":{\"symbol\":\"")?;
    let end = at + symbol.len();
    if symbol.is_empty() || template.text.message().get(at..end)? != symbol {
        return None;
    }
    let mut at = template.literal(end, b"\"")?;
    let mut best = [None; 4];
    while let Some(behind) = template.literal(at, b",\"") {
        let (name, start) = template.name(behind, b"\":\"")?;
        let slot = match name {
            b"bid1Price" => Some(0),
            b"bid1Size" => Some(1),
            b"ask1Price" => Some(2),
            b"ask1Size" => Some(3),
            _ => None,
        };
        at = match slot {
            Some(slot) => {
                if best[slot].is_some() {
                    return None;
                }
                let number = template.kernel.number(template.text, start, false)?;
                best[slot] = Some(number.value);
                template.literal(number.end, b"\"")?
            }
            // What means something in another topic is left to the next tier.
            None if INNER.iter().any(|key| key.as_bytes() == name) => return None,
            None => template.string(start)?.1,
        };
    }
    let (seq, at) = template.integer(template.literal(at, b"},\"cs\":")?)?;
    let (sent_ms, at) = template.time(template.literal(at, b",\"ts\":")?)?;
    template.end(template.literal(at, b"}")?)?;
    Some(Message::Ticker(Ticker { symbol, snapshot, seq, sent_ms, best }))
}
