//! Bybit's markets, for worlds with both ends of its wire.

use xarb::types::InstrumentSpec;
use xarb::venue::{Transport, find};

pub use crate::stage::*;

pub const MARKETS: [&str; 2] = ["bybit.spot", "bybit.linear"];

/// BTC against USDT, as the venue tells its rules.
pub fn spec(venue: &str) -> InstrumentSpec {
    let body: &[u8] = match venue {
        "bybit.spot" => include_bytes!("../data/bybit/instruments_spot.json"),
        _ => include_bytes!("../data/bybit/instruments_linear.json"),
    };
    (find(venue).unwrap().instruments)(body).unwrap().remove(0)
}

pub fn site(venue: &'static str) -> Site {
    Site {
        venue,
        spec: spec(venue),
        rest: "https://api.bybit.com/",
        orders: "wss://stream.bybit.com/v5/trade",
        private: "wss://stream.bybit.com/v5/private",
    }
}

/// A world whose gateway is logged in.
pub fn ready(venue: &'static str, transport: Transport) -> World {
    World::ready(site(venue), transport)
}
