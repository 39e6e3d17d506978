//! Public trades: channel `trades`; `side` is the taker's.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venue::trade::{Taker, Trade, mentions, millis, trade};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "instId")]
    symbol: &'a str,
    side: &'a str,
    #[serde(borrow)]
    ts: &'a RawValue,
    #[serde(borrow)]
    px: &'a RawValue,
    #[serde(borrow)]
    sz: &'a RawValue,
}

/// Appends the trades of a message.
pub fn trades(message: &[u8], out: &mut Vec<Trade>) {
    if !mentions(message, &["\"trades\""]) {
        return;
    }
    let Ok(message) = serde_json::from_slice::<Message<'_>>(message) else { return };
    let rows = message.data.iter();
    out.extend(rows.filter_map(|row| trade(row.symbol, millis(row.ts), row.px, row.sz, Taker::of(row.side))));
}
