//! One price level, and the little of a book that a venue's checksum needs to see.

use super::{Price, Qty, Side};

/// A price and the whole quantity resting there; zero means that the level is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// The quantity resting at it.
    pub qty: Qty,
}

impl Level {
    /// A level from raw scaled integers.
    pub const fn new(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }
}

/// A book as its reader sees it: each side's levels, best first.
pub trait BookView {
    /// Copies the best levels of the bids (`Side::Buy`) or asks (`Side::Sell`) into `out`, best
    /// first, and returns how many there were.
    fn best(&self, side: Side, out: &mut [Level]) -> usize;
}
