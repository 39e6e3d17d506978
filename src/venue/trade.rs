//! Trades of a market as its public stream tells them: for exports, off the hot path.

use crate::types::{Nanos, Price, Qty, Symbol};

/// One public trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trade {
    /// The venue's symbol.
    pub symbol: Symbol,
    /// The venue's time of it; zero where it tells none.
    pub venue_time: Nanos,
    /// At which price, in units of 1e-8.
    pub price: Price,
    /// How much, in units of 1e-8.
    pub qty: Qty,
    /// Who took.
    pub taker: Taker,
}

/// The side of a trade that came second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taker {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
    /// Nobody tells.
    Unknown,
}
