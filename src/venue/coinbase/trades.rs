//! Public trades: `market_trades` of Advanced Trade, `match` of Exchange. `side` is the maker's in both;
//! a snapshot and a `last_match` are history.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::Nanos;
use crate::venue::trade::{Taker, Trade, mentions, trade};

#[derive(Deserialize)]
struct Message<'a> {
    channel: &'a str,
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    trades: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    product_id: &'a str,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    size: &'a RawValue,
    side: &'a str,
    time: &'a str,
}

impl Row<'_> {
    fn trade(&self) -> Option<Trade> {
        let time = Nanos::parse_rfc3339(self.time.as_bytes()).ok();
        trade(self.product_id, time, self.price, self.size, Taker::of(self.side).other())
    }
}

/// Appends the trades of a message, of either product.
pub fn trades(message: &[u8], out: &mut Vec<Trade>) {
    if mentions(message, &["\"market_trades\""]) {
        let Ok(message) = serde_json::from_slice::<Message<'_>>(message) else { return };
        let events = message.events.iter().filter(|event| event.r#type == "update");
        if message.channel == "market_trades" {
            out.extend(events.flat_map(|event| &event.trades).filter_map(Row::trade));
        }
    } else if mentions(message, &["\"match\""]) {
        out.extend(serde_json::from_slice::<Row<'_>>(message).ok().and_then(|row| row.trade()));
    }
}
