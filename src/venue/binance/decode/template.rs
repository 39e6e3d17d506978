//! The first tier: the spellings that Binance's servers use, every byte compared.

use super::{Depth, Message, Ticker};
use crate::types::Level;
use crate::wire::json::kernel::{Kernel, is};
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let wrapped = is(template.text, 0, b"{\"stream\":\"");
    let mut at = 0;
    if wrapped {
        at = template.string(11)?.1;
        at = template.literal(at, b",\"data\":")?;
    }
    match template.literal(at, b"{\"e\":\"depthUpdate\",\"E\":") {
        Some(behind) => depth(template, behind, wrapped, levels),
        None => ticker(template, at, wrapped),
    }
}

/// The braces that end the message.
#[inline(always)]
fn finish<K: Kernel>(template: Template<'_, K>, at: usize, wrapped: bool) -> Option<()> {
    let mut end = template.literal(at, b"}")?;
    if wrapped {
        end = template.literal(end, b"}")?;
    }
    template.end(end)
}

/// From the event time on.
#[inline(always)]
fn depth<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    wrapped: bool,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (event_ms, mut at) = template.time(at)?;
    let mut transaction_ms = 0;
    if let Some(behind) = template.literal(at, b",\"T\":") {
        (transaction_ms, at) = template.time(behind)?;
    }
    let (symbol, mut at) = template.string(template.literal(at, b",\"s\":\"")?)?;
    if let Some(behind) = template.literal(at, b",\"ps\":\"") {
        at = template.string(behind)?.1;
    }
    let (first, at) = template.integer(template.literal(at, b",\"U\":")?)?;
    let (last, mut at) = template.integer(template.literal(at, b",\"u\":")?)?;
    let mut prev = None;
    if let Some(behind) = template.literal(at, b",\"pu\":") {
        let (id, end) = template.integer(behind)?;
        (prev, at) = (Some(id), end);
    }
    let (bids, at) = template.levels(template.literal(at, b",\"b\":[")?, levels)?;
    let (asks, at) = template.levels(template.literal(at, b",\"a\":[")?, levels)?;
    finish(template, at, wrapped)?;
    Some(Message::Depth(Depth { symbol, first, last, prev, event_ms, transaction_ms, bids, asks }))
}

#[inline(always)]
fn ticker<K: Kernel>(template: Template<'_, K>, at: usize, wrapped: bool) -> Option<Message<'_>> {
    let (update_id, at) = if let Some(behind) = template.literal(at, b"{\"u\":") {
        let (id, end) = template.integer(behind)?;
        (id, template.literal(end, b",\"e\":\"bookTicker\"").unwrap_or(end))
    } else {
        template.integer(template.literal(at, b"{\"e\":\"bookTicker\",\"u\":")?)?
    };
    let (symbol, mut at) = template.string(template.literal(at, b",\"s\":\"")?)?;
    if let Some(behind) = template.literal(at, b",\"ps\":\"") {
        at = template.string(behind)?.1;
    }
    let (bid, at) = level(template, template.literal(at, b",\"b\":\"")?, b"\",\"B\":\"")?;
    let (ask, mut at) = level(template, template.literal(at, b",\"a\":\"")?, b"\",\"A\":\"")?;
    let mut event_ms = 0;
    if let Some(behind) = template.literal(at, b",\"T\":") {
        let end = template.time(behind)?.1;
        (event_ms, at) = template.time(template.literal(end, b",\"E\":")?)?;
    }
    finish(template, at, wrapped)?;
    Some(Message::Ticker(Ticker { symbol, update_id, bid, ask, event_ms }))
}

/// A level of the ticker, and the offset behind its closing quote.
#[inline(always)]
fn level<K: Kernel>(template: Template<'_, K>, at: usize, gap: &[u8; 7]) -> Option<(Level, usize)> {
    let [price, qty] = template.pair(at, gap, b"\"", false)?;
    Some((Level::new(price.value, qty.value), qty.end + 1))
}
