//! Coinbase's market data messages, of both products.
//!
//! Advanced Trade wraps everything in `channel`, `timestamp`, `sequence_num` and `events`; a book's
//! levels come as one list with a side each. Exchange says by `type` what a message is; a snapshot
//! has its sides apart, an update one list with a side each. Numbers are decimals in strings. A
//! message of a channel that carries no book must still be well-formed, and have its number.
//!
//! `events` is a list, and has never been seen with more than one element. A book's message that has
//! another number of them is refused, since half of it must not be taken for the whole.

mod library;
mod scan;
mod template;

use std::ops::Range;

use crate::types::{Level, Nanos, Qty, Scale};
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::{Scratch, strings};
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// What it is.
    pub what: What<'a>,
    /// Its number on the connection (Advanced Trade).
    pub sequence: Option<u64>,
    /// The venue's time of it; zero where it tells none.
    pub time: Nanos,
}

/// What a message is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What<'a> {
    /// A book, or levels that changed.
    Book(Book<'a>),
    /// Best bid and best ask at the time of a trade: one level each, none where it is not told.
    Ticker(Book<'a>),
    /// A sign of life of a product; of all, where it names none.
    Heartbeat(&'a [u8]),
    /// Something was refused.
    Error,
    /// What may be of Exchange's order by order channels, as it came.
    Order(&'a [u8]),
    /// Anything else that is well-formed.
    Other,
}

/// Levels of a product, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book<'a> {
    /// The product.
    pub product: &'a [u8],
    /// The whole book, not a change.
    pub snapshot: bool,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Reads messages whose decimals are of one scale.
pub type Decoder = json::Decoder<Books>;

/// The messages of both products.
#[derive(Debug)]
pub struct Books;

impl Dialect for Books {
    type Message<'a> = Message<'a>;
    /// What the library works in, and a product's name, since its tree does not outlive its reading.
    type Memory = (Scratch, Vec<u8>);

    #[inline(always)]
    fn template<'a, K: Kernel>(template: Template<'a, K>, levels: &mut Vec<Level>) -> Option<Message<'a>> {
        template::message(template, levels)
    }

    #[inline(always)]
    fn scan<'a, K: Kernel>(scan: Scanner<'a, K>, levels: &mut Vec<Level>) -> Result<Message<'a>, Error> {
        scan::message(scan, levels)
    }

    fn library<'a>(
        text: &'a [u8],
        scale: Scale,
        (scratch, product): &'a mut (Scratch, Vec<u8>),
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, Error> {
        let tree = strings(text, scratch)?;
        library::interpret(text, &tree, scale, levels, product)
    }
}

/// Every field that is read of a message's outermost object.
const KEYS: [&str; 14] = [
    "channel",
    "timestamp",
    "sequence_num",
    "events",
    "type",
    "product_id",
    "time",
    "bids",
    "asks",
    "changes",
    "best_bid",
    "best_bid_size",
    "best_ask",
    "best_ask_size",
];

impl Message<'_> {
    /// Well-formed, and nothing that is read.
    const OTHER: Message<'static> = Message { what: What::Other, sequence: None, time: Nanos::ZERO };
}

/// Types of messages of Exchange's channels that go order by order, and what tells of them.
const ORDERS: [&str; 8] =
    ["subscriptions", "level3", "received", "open", "done", "match", "change", "activate"];

/// A level of a list in which both sides may be mixed: what is an ask shows by a quantity below zero
/// until the list is [`sorted`]. No quantity that is read is below zero.
#[inline(always)]
fn mixed(bid: bool, price: i64, qty: i64) -> Level {
    Level::new(price, if bid { qty } else { !qty })
}

/// Puts the bids of a mixed list before its asks, each side in its own order; gives both ranges.
fn sorted(levels: &mut Vec<Level>, start: usize) -> (Range<u32>, Range<u32>) {
    let end = levels.len();
    // The asks are copied behind the list, then the bids close up, and the asks follow them.
    for at in start..end {
        let level = levels[at];
        if level.qty.0 < 0 {
            levels.push(Level { qty: Qty(!level.qty.0), ..level });
        }
    }
    let mut middle = start;
    for at in start..end {
        let level = levels[at];
        if level.qty.0 >= 0 {
            levels[middle] = level;
            middle += 1;
        }
    }
    levels.copy_within(end.., middle);
    levels.truncate(end);
    (start as u32..middle as u32, middle as u32..end as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_levels_are_sorted_by_side_alone() {
        for (sides, bids, asks) in [
            (&[][..], &[][..], &[][..]),
            (&[true, false, true, true, false], &[0, 2, 3], &[1, 4]),
            (&[false, false], &[], &[0, 1]),
            (&[true], &[0], &[]),
        ] {
            let mut levels = vec![Level::new(9, 9)];
            levels.extend(sides.iter().enumerate().map(|(at, bid)| mixed(*bid, at as i64, at as i64)));
            let (own_bids, own_asks) = sorted(&mut levels, 1);
            let prices = |range: Range<u32>| -> Vec<i64> {
                let levels = &levels[range.start as usize..range.end as usize];
                levels
                    .iter()
                    .inspect(|level| assert_eq!(level.price.0, level.qty.0))
                    .map(|l| l.price.0)
                    .collect()
            };
            assert_eq!((&prices(own_bids)[..], &prices(own_asks)[..]), (bids, asks), "{sides:?}");
            assert_eq!(levels.len(), 1 + sides.len());
        }
    }
}
