//! Public trades: channel `trade` of v2 and v1, feed `trade` of the derivatives. `side` is the taker's;
//! a snapshot is history.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::types::{Nanos, Scale, parse};
use crate::venue::trade::{Taker, Trade, mentions, millis, trade};

#[derive(Deserialize)]
struct Message<'a> {
    channel: &'a str,
    r#type: &'a str,
    #[serde(borrow)]
    data: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    symbol: &'a str,
    side: &'a str,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    timestamp: &'a str,
}

/// Price, volume, seconds, side.
type OldRow<'a> = (&'a RawValue, &'a RawValue, &'a str, &'a str, IgnoredAny, IgnoredAny);

/// Appends the trades of a message of the spot market.
pub fn trades(message: &[u8], out: &mut Vec<Trade>) {
    if message.first() == Some(&b'[') {
        let Ok((_, rows, channel, symbol)) =
            serde_json::from_slice::<(IgnoredAny, &RawValue, &str, &str)>(message)
        else {
            return;
        };
        let rows = (channel == "trade").then(|| serde_json::from_str::<Vec<OldRow<'_>>>(rows.get()).ok());
        for (price, qty, seconds, side, ..) in rows.flatten().unwrap_or_default() {
            let time = Scale::new(9).and_then(|nanos| parse(seconds.as_bytes(), nanos).ok()).map(Nanos);
            out.extend(trade(symbol, time, price, qty, Taker::of(side)));
        }
        return;
    }
    if !mentions(message, &["\"trade\""]) {
        return;
    }
    let Ok(message) = serde_json::from_slice::<Message<'_>>(message) else { return };
    if message.channel == "trade" && message.r#type == "update" {
        for row in &message.data {
            let time = Nanos::parse_rfc3339(row.timestamp.as_bytes()).ok();
            out.extend(trade(row.symbol, time, row.price, row.qty, Taker::of(row.side)));
        }
    }
}

#[derive(Deserialize)]
struct Derivative<'a> {
    feed: &'a str,
    product_id: &'a str,
    side: &'a str,
    #[serde(borrow)]
    time: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// Appends the trades of a message of the derivatives market.
pub fn derivative_trades(message: &[u8], out: &mut Vec<Trade>) {
    if !mentions(message, &["\"trade\""]) {
        return;
    }
    let Ok(row) = serde_json::from_slice::<Derivative<'_>>(message) else { return };
    if row.feed == "trade" {
        out.extend(trade(row.product_id, millis(row.time), row.price, row.qty, Taker::of(row.side)));
    }
}
