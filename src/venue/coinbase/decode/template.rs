//! The first tier: the spellings that Coinbase's servers use, every byte compared.
//!
//! Each level of Advanced Trade's book repeats the time of the message's levels; from the second on
//! it is compared with the first one's, not read. A list has its bids before its asks: one that
//! mixes them is left to the next tier.

use std::ops::Range;

use super::{Book, Message, What};
use crate::types::{Level, Nanos};
use crate::wire::decimal;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    if let Some(at) = template.literal(0, b"{\"channel\":\"l2_data\",") {
        return advanced_book(template, at, levels);
    }
    if let Some(at) = template.literal(0, b"{\"channel\":\"ticker\",") {
        return advanced_ticker(template, at, levels);
    }
    if let Some(at) = template.literal(0, b"{\"type\":\"l2update\",\"product_id\":\"") {
        return exchange_update(template, at, levels);
    }
    if let Some(at) = template.literal(0, b"{\"type\":\"snapshot\",\"product_id\":\"") {
        return exchange_snapshot(template, at, levels);
    }
    exchange_ticker(template, template.literal(0, b"{\"type\":\"ticker\",\"sequence\":")?, levels)
}

/// Time and number of Advanced Trade's wrapper, up to its one event's first value.
#[inline(always)]
fn wrapper<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(Nanos, u64, usize)> {
    let at = template.literal(at, b"\"client_id\":\"\",").unwrap_or(at);
    let (time, at) = time(template, template.literal(at, b"\"timestamp\":\"")?)?;
    let (sequence, at) = template.integer(template.literal(at, b",\"sequence_num\":")?)?;
    Some((time, sequence, template.literal(at, b",\"events\":[{\"type\":\"")?))
}

/// A time with as many decimals as it needs, from behind its quote, and the offset behind the other.
#[inline(always)]
fn time<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(Nanos, usize)> {
    if let Some((time, end)) = template.timestamp(at)
        && let Some(end) = template.literal(end, b"\"")
    {
        return Some((time, end));
    }
    let (text, end) = template.name(at, b"\"")?;
    Some((Nanos::parse_rfc3339(text).ok()?, end))
}

/// The decimal in a string, from behind its quote, with `behind` behind it; the offset behind that.
#[inline(always)]
fn decimal<K: Kernel, const N: usize>(
    template: Template<'_, K>,
    at: usize,
    behind: &[u8; N],
) -> Option<(i64, usize)> {
    if let Some(number) = template.kernel.number(template.text, at, false)
        && let Some(end) = template.literal(number.end, behind)
    {
        return Some((number.value, end));
    }
    // Longer than the kernel takes, or something else behind it.
    let number = decimal::any(template.text, at, false, template.kernel.scale()).ok()?;
    Some((number.value, template.literal(number.end, behind)?))
}

#[inline(always)]
fn advanced_book<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (time, sequence, at) = wrapper(template, at)?;
    let (snapshot, at) = match template.literal(at, b"update\",\"product_id\":\"") {
        Some(at) => (false, at),
        None => (true, template.literal(at, b"snapshot\",\"product_id\":\"")?),
    };
    let (product, at) = template.name(at, b"\",\"updates\":[")?;
    let start = levels.len() as u32;
    let (mut middle, mut at) = (None, template.literal(at, b"{\"side\":\"")?);
    let (mut when, mut when_len) = (at, 0);
    loop {
        at = match template.literal(at, b"bid\",\"event_time\":\"") {
            Some(_) if middle.is_some() => return None,
            Some(at) => at,
            None => {
                middle.get_or_insert(levels.len() as u32);
                template.literal(at, b"offer\",\"event_time\":\"")?
            }
        };
        // Equal bytes are a sound text, and the quote that must follow ends it where the first ended.
        at = match template.again(at, when, when_len) {
            Some(end) if when_len > 0 => end,
            _ => {
                let (text, behind) = template.string(at)?;
                (when, when_len) = (at, text.len());
                behind - 1
            }
        };
        let (price, behind) =
            decimal(template, template.literal(at, b"\",\"price_level\":\"")?, b"\",\"new_quantity\":\"")?;
        let (qty, behind) = decimal(template, behind, b"\"}")?;
        levels.push(Level::new(price, qty));
        match template.literal(behind, b",{\"side\":\"") {
            Some(behind) => at = behind,
            None => {
                at = behind;
                break;
            }
        }
    }
    template.end(template.literal(at, b"]}]}")?)?;
    let end = levels.len() as u32;
    let middle = middle.unwrap_or(end);
    let book = Book { product, snapshot, bids: start..middle, asks: middle..end };
    Some(Message { what: What::Book(book), sequence: Some(sequence), time })
}

#[inline(always)]
fn advanced_ticker<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (time, sequence, at) = wrapper(template, at)?;
    let at = match template.literal(at, b"update\"") {
        Some(at) => at,
        None => template.literal(at, b"snapshot\"")?,
    };
    let at = template.literal(at, b",\"tickers\":[{\"type\":\"ticker\",\"product_id\":\"")?;
    let (product, at) = template.name(at, b"\",\"price\":\"")?;
    let at = past(template, at)?;
    let at = past(template, template.literal(at, b",\"volume_24_h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"low_24_h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"high_24_h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"low_52_w\":\"")?)?;
    let at = past(template, template.literal(at, b",\"high_52_w\":\"")?)?;
    let at = past(template, template.literal(at, b",\"price_percent_chg_24_h\":\"")?)?;
    let at = template.literal(at, b",\"best_bid\":\"")?;
    let (bid, at) = decimal(template, at, b"\",\"best_ask\":\"")?;
    let (ask, at) = decimal(template, at, b"\",\"best_bid_quantity\":\"")?;
    let (bid_qty, at) = decimal(template, at, b"\",\"best_ask_quantity\":\"")?;
    let (ask_qty, at) = decimal(template, at, b"\"}]}]}")?;
    template.end(at)?;
    let (bids, asks) = both(levels, [Level::new(bid, bid_qty), Level::new(ask, ask_qty)]);
    let ticker = Book { product, snapshot: false, bids, asks };
    Some(Message { what: What::Ticker(ticker), sequence: Some(sequence), time })
}

/// The offset behind a string that is not read, from behind its quote.
#[inline(always)]
fn past<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<usize> {
    Some(template.string(at)?.1)
}

#[inline(always)]
fn both(levels: &mut Vec<Level>, best: [Level; 2]) -> (Range<u32>, Range<u32>) {
    let start = levels.len() as u32;
    levels.extend(best);
    (start..start + 1, start + 1..start + 2)
}

/// An update of Exchange, from the product on. Its time stood last once, and stands first now.
#[inline(always)]
fn exchange_update<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (product, mut at) = template.name(at, b"\"")?;
    let mut early = None;
    if let Some(behind) = template.literal(at, b",\"time\":\"") {
        let (time, behind) = time(template, behind)?;
        (early, at) = (Some(time), behind);
    }
    let (bids, asks, mut at) = changes(template, template.literal(at, b",\"changes\":[")?, levels)?;
    let time = match early {
        Some(time) => time,
        None => {
            let (time, behind) = time(template, template.literal(at, b",\"time\":\"")?)?;
            at = behind;
            time
        }
    };
    template.end(template.literal(at, b"}")?)?;
    let book = Book { product, snapshot: false, bids, asks };
    Some(Message { what: What::Book(book), sequence: None, time })
}

/// Changes with one side before the other, from behind the list's bracket.
#[inline(always)]
fn changes<K: Kernel>(
    template: Template<'_, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<(Range<u32>, Range<u32>, usize)> {
    let start = levels.len() as u32;
    let (mut first, mut middle) = (None, None);
    let mut at = template.literal(at, b"[\"")?;
    loop {
        let (bid, behind) = match template.literal(at, b"buy\",\"") {
            Some(behind) => (true, behind),
            None => (false, template.literal(at, b"sell\",\"")?),
        };
        match (*first.get_or_insert(bid) == bid, middle) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => return None,
            (false, None) => middle = Some(levels.len() as u32),
        }
        let (level, behind) = template.level(behind, b"\",\"", b"\"]")?;
        levels.push(level);
        match template.literal(behind, b",[\"") {
            Some(behind) => at = behind,
            None => {
                at = template.literal(behind, b"]")?;
                break;
            }
        }
    }
    let end = levels.len() as u32;
    let middle = middle.unwrap_or(end);
    Some(match first {
        Some(false) => (middle..end, start..middle, at),
        _ => (start..middle, middle..end, at),
    })
}

/// A snapshot of Exchange, from the product on: either side first, and a time or none.
#[inline(always)]
fn exchange_snapshot<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (product, at) = template.name(at, b"\"")?;
    let (bids, asks, mut at) = match template.literal(at, b",\"asks\":[") {
        Some(at) => {
            let (asks, at) = template.levels(at, levels)?;
            let (bids, at) = template.levels(template.literal(at, b",\"bids\":[")?, levels)?;
            (bids, asks, at)
        }
        None => {
            let (bids, at) = template.levels(template.literal(at, b",\"bids\":[")?, levels)?;
            let (asks, at) = template.levels(template.literal(at, b",\"asks\":[")?, levels)?;
            (bids, asks, at)
        }
    };
    let mut when = Nanos::ZERO;
    if let Some(behind) = template.literal(at, b",\"time\":\"") {
        (when, at) = time(template, behind)?;
    }
    template.end(template.literal(at, b"}")?)?;
    let book = Book { product, snapshot: true, bids, asks };
    Some(Message { what: What::Book(book), sequence: None, time: when })
}

/// A ticker of Exchange, from its number on; the old ones without quantities go to the next tier.
#[inline(always)]
fn exchange_ticker<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (_, at) = template.integer(at)?;
    let at = template.literal(at, b",\"product_id\":\"")?;
    let (product, at) = template.name(at, b"\",\"price\":\"")?;
    let at = past(template, at)?;
    let at = past(template, template.literal(at, b",\"open_24h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"volume_24h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"low_24h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"high_24h\":\"")?)?;
    let at = past(template, template.literal(at, b",\"volume_30d\":\"")?)?;
    let at = template.literal(at, b",\"best_bid\":\"")?;
    let (bid, at) = decimal(template, at, b"\",\"best_bid_size\":\"")?;
    let (bid_qty, at) = decimal(template, at, b"\",\"best_ask\":\"")?;
    let (ask, at) = decimal(template, at, b"\",\"best_ask_size\":\"")?;
    let (ask_qty, at) = decimal(template, at, b"\",\"side\":\"")?;
    let at = past(template, at)?;
    let (time, at) = time(template, template.literal(at, b",\"time\":\"")?)?;
    let (_, at) = template.integer(template.literal(at, b",\"trade_id\":")?)?;
    let at = past(template, template.literal(at, b",\"last_size\":\"")?)?;
    template.end(template.literal(at, b"}")?)?;
    let (bids, asks) = both(levels, [Level::new(bid, bid_qty), Level::new(ask, ask_qty)]);
    let ticker = Book { product, snapshot: false, bids, asks };
    Some(Message { what: What::Ticker(ticker), sequence: None, time })
}
