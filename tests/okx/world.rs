//! OKX's markets, for worlds with both ends of its wire.

use xarb::types::InstrumentSpec;
use xarb::venue::{Transport, find};

pub use crate::stage::*;

pub const MARKETS: [&str; 2] = ["okx.spot", "okx.swap"];

/// BTC against USDT, as the venue tells its rules.
pub fn spec(venue: &str) -> InstrumentSpec {
    let body: &[u8] = match venue {
        "okx.spot" => include_bytes!("../data/okx/instruments_spot.json"),
        _ => include_bytes!("../data/okx/instruments_swap.json"),
    };
    (find(venue).unwrap().instruments)(body).unwrap().remove(0)
}

pub fn site(venue: &'static str) -> Site {
    Site {
        venue,
        spec: spec(venue),
        rest: "https://openapi.okx.com/",
        orders: "wss://ws.okx.com:8443/ws/v5/private",
        private: "wss://ws.okx.com:8443/ws/v5/private",
    }
}

/// A world whose gateway is logged in.
pub fn ready(venue: &'static str, transport: Transport) -> World {
    World::ready(site(venue), transport)
}
