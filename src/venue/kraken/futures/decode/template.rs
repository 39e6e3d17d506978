//! The first tier: the spellings that the venue's servers use, every byte compared.

use super::{Book, Message, What, millis};
use crate::types::{Level, Nanos};
use crate::venue::kraken::decode::template::levels_of;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::template::Template;

/// A book's message; tickers come once a second and are left to the scanner.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    match template.literal(0, b"{\"feed\":\"book\",\"product_id\":\"") {
        Some(behind) => level(template, behind, levels),
        None => {
            snapshot(template, template.literal(0, b"{\"feed\":\"book_snapshot\",\"product_id\":\"")?, levels)
        }
    }
}

/// A time in ms, and the offset behind it.
#[inline(always)]
fn time<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(Nanos, usize)> {
    let (ms, end) = template.integer(at)?;
    Some((millis(ms)?, end))
}

/// From behind the product's opening quote.
#[inline(always)]
fn level<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (product, at) = template.name(at, b"\",\"side\":\"")?;
    let (buy, at) = match template.literal(at, b"buy\",\"seq\":") {
        Some(behind) => (true, behind),
        None => (false, template.literal(at, b"sell\",\"seq\":")?),
    };
    let (seq, at) = template.integer(at)?;
    let [price, qty] = template.pair(template.literal(at, b",\"price\":")?, b",\"qty\":", b",", true)?;
    let (time, at) = time(template, template.literal(qty.end, b",\"timestamp\":")?)?;
    template.end(template.literal(at, b"}")?)?;
    let start = levels.len() as u32;
    levels.push(Level::new(price.value, qty.value));
    let (bids, asks) =
        if buy { (start..start + 1, start + 1..start + 1) } else { (start..start, start..start + 1) };
    Some(Message { product, what: What::Book(Book { snapshot: false, seq, time, bids, asks }) })
}

/// From behind the product's opening quote.
#[inline(always)]
fn snapshot<'a, K: Kernel>(
    template: Template<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let (product, at) = template.name(at, b"\",\"timestamp\":")?;
    let (time, at) = time(template, at)?;
    let (seq, at) = template.integer(template.literal(at, b",\"seq\":")?)?;
    let at = template.literal(at, b",\"tickSize\":null")?;
    let mut digits = (0, 0);
    let (bids, at) = levels_of(template, template.literal(at, b",\"bids\":[")?, &mut digits, levels)?;
    let (asks, at) = levels_of(template, template.literal(at, b",\"asks\":[")?, &mut digits, levels)?;
    template.end(template.literal(at, b"}")?)?;
    Some(Message { product, what: What::Book(Book { snapshot: true, seq, time, bids, asks }) })
}
