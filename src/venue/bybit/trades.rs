//! Public trades: topic `publicTrade`; `S` is the taker's side.

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
    s: &'a str,
    #[serde(rename = "S")]
    side: &'a str,
    #[serde(rename = "T", borrow)]
    time: &'a RawValue,
    #[serde(borrow)]
    p: &'a RawValue,
    #[serde(borrow)]
    v: &'a RawValue,
}

/// Appends the trades of a message.
pub fn trades(message: &[u8], out: &mut Vec<Trade>) {
    if !mentions(message, &["publicTrade."]) {
        return;
    }
    let Ok(message) = serde_json::from_slice::<Message<'_>>(message) else { return };
    let rows = message.data.iter();
    out.extend(rows.filter_map(|row| trade(row.s, millis(row.time), row.p, row.v, Taker::of(row.side))));
}
