//! The first tier: the spellings that Binance's servers use, every byte compared.

use super::{Depth, Message, Ticker};
use crate::types::Level;
use crate::wire::json::kernel::{Kernel, starts_with, window};
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    // The first key's first letter tells what to compare with: s, e or u.
    let first = window::<8>(template.text, 0)?[2];
    if first != b's' {
        let (message, at) = event(template, 0, first, levels)?;
        template.end(at)?;
        return Some(message);
    }
    let (_, at) = template.name(template.literal(0, b"{\"stream\":\"")?, b"\",\"data\":")?;
    let (message, at) = event(template, at, window::<8>(template.text, at)?[2], levels)?;
    template.end(template.literal(at, b"}")?)?;
    Some(message)
}

/// An event whose first key begins with `first`, and the offset behind its brace.
#[inline(always)]
fn event<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    first: u8,
    levels: &mut Vec<Level>,
) -> Option<(Message<'a>, usize)> {
    if first == b'u' {
        let (id, at) = template.integer(template.literal(at, b"{\"u\":")?)?;
        let at = match template.literal(at, b",\"s\":\"") {
            Some(at) => at,
            None => template.literal(at, b",\"e\":\"bookTicker\",\"s\":\"")?,
        };
        return ticker(template, at, id);
    }
    if let Some(at) = template.literal(at, b"{\"e\":\"depthUpdate\",\"E\":") {
        return depth(template, at, levels);
    }
    if let Some(at) = template.literal(at, b"{\"e\":\"trade\",\"E\":") {
        return trade(template, at);
    }
    let (id, at) = template.integer(template.literal(at, b"{\"e\":\"bookTicker\",\"u\":")?)?;
    ticker(template, template.literal(at, b",\"s\":\"")?, id)
}

/// A trade, from the event time on. Nothing of it is used, but recordings are full of them.
#[inline(always)]
fn trade<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(Message<'_>, usize)> {
    let flag = |at| template.literal(at, b"true").or_else(|| template.literal(at, b"false"));
    let (_, mut at) = template.time(at)?;
    if let Some(behind) = template.literal(at, b",\"T\":") {
        (_, at) = template.time(behind)?;
    }
    let (_, at) = template.name(template.literal(at, b",\"s\":\"")?, b"\",\"t\":")?;
    let (_, at) = template.integer(at)?;
    let (_, at) = template.level(template.literal(at, b",\"p\":\"")?, b"\",\"q\":\"", b"\",\"")?;
    let at = match template.literal(at, b"X\":\"") {
        // Futures tell what kind of trade it is.
        Some(at) => template.name(at, b"\",\"m\":")?.1,
        None => template.literal(template.time(template.literal(at, b"T\":")?)?.1, b",\"m\":")?,
    };
    let mut at = flag(at)?;
    if let Some(behind) = template.literal(at, b",\"M\":") {
        at = flag(behind)?;
    }
    Some((Message::Other, template.literal(at, b"}")?))
}

/// A symbol and, where futures have it, the pair's after it; then `next`.
#[inline(always)]
fn symbol<'a, K: Kernel, const N: usize>(
    template: Template<'a, K>,
    at: usize,
    next: &[u8; N],
) -> Option<(&'a [u8], usize)> {
    const PAIR: &[u8; 8] = b"\",\"ps\":\"";
    let (symbol, pair) = match template.kernel.name(template.text, at) {
        Some(name) if starts_with(name.behind, next) => {
            return Some((name.text, at + name.text.len() + N));
        }
        Some(name) if starts_with(name.behind, PAIR) => (name.text, at + name.text.len() + PAIR.len()),
        _ => match template.name(at, next) {
            Some(found) => return Some(found),
            None => template.name(at, PAIR)?,
        },
    };
    let (_, at) = template.name(pair, next)?;
    Some((symbol, at))
}

/// A depth update, from the event time on.
#[inline(always)]
fn depth<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<(Message<'a>, usize)> {
    let (event_ms, mut at) = template.time(at)?;
    let mut transaction_ms = 0;
    if let Some(behind) = template.literal(at, b",\"T\":") {
        (transaction_ms, at) = template.time(behind)?;
    }
    let at = template.literal(at, b",\"s\":\"")?;
    let (symbol, at) = self::symbol(template, at, b"\",\"U\":")?;
    let (first, at) = template.integer(at)?;
    let (last, mut at) = template.integer(template.literal(at, b",\"u\":")?)?;
    let mut prev = None;
    if let Some(behind) = template.literal(at, b",\"pu\":") {
        let (id, end) = template.integer(behind)?;
        (prev, at) = (Some(id), end);
    }
    let (bids, at) = template.levels(template.literal(at, b",\"b\":[")?, levels)?;
    let (asks, at) = template.levels(template.literal(at, b",\"a\":[")?, levels)?;
    let at = template.literal(at, b"}")?;
    let depth = Depth { symbol, first, last, prev, event_ms, transaction_ms, bids, asks };
    Some((Message::Depth(depth), at))
}

/// A ticker, from the symbol on.
#[inline(always)]
fn ticker<K: Kernel>(template: Template<'_, K>, at: usize, update_id: u64) -> Option<(Message<'_>, usize)> {
    let (symbol, at) = self::symbol(template, at, b"\",\"b\":\"")?;
    let (bid, at) = template.level(at, b"\",\"B\":\"", b"\",\"a\":\"")?;
    let (ask, at) = template.level(at, b"\",\"A\":\"", b"\"")?;
    let mut event_ms = 0;
    let end = match template.literal(at, b"}") {
        Some(end) => end,
        None => {
            let at = template.time(template.literal(at, b",\"T\":")?)?.1;
            let (time, at) = template.time(template.literal(at, b",\"E\":")?)?;
            event_ms = time;
            template.literal(at, b"}")?
        }
    };
    Some((Message::Ticker(Ticker { symbol, update_id, bid, ask, event_ms }), end))
}
