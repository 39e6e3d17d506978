//! Public trades: `trade` and `aggTrade`, with the combined stream's wrapper or without. `m` says that
//! the buyer was the maker.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venue::trade::{Taker, Trade, mentions, millis, trade};

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    data: Event<'a>,
}

#[derive(Deserialize)]
struct Event<'a> {
    e: &'a str,
    s: &'a str,
    #[serde(rename = "T", borrow)]
    time: &'a RawValue,
    #[serde(borrow)]
    p: &'a RawValue,
    #[serde(borrow)]
    q: &'a RawValue,
    m: bool,
}

/// Appends the trades of a message.
pub fn trades(message: &[u8], out: &mut Vec<Trade>) {
    if !mentions(message, &["\"trade\"", "\"aggTrade\""]) {
        return;
    }
    let wrapped = || serde_json::from_slice::<Wrapped<'_>>(message).map(|wrapped| wrapped.data);
    let Ok(event) = serde_json::from_slice::<Event<'_>>(message).or_else(|_| wrapped()) else { return };
    let taker = if event.m { Taker::Seller } else { Taker::Buyer };
    if matches!(event.e, "trade" | "aggTrade") {
        out.extend(trade(event.s, millis(event.time), event.p, event.q, taker));
    }
}
