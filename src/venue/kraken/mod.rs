//! Kraken spot: v2 (and, for old captures, v1) WebSocket and REST.

mod checksum;
pub mod decode;
mod error;
mod feed;
mod json;
mod order;
mod private;
mod sign;
mod symbol;

use super::Venue;

/// The registry's row.
pub const SPOT: Venue = Venue {
    id: "kraken.spot",
    feed: |config| Box::new(feed::KrakenFeed::new(config)),
    gateway: None,
    server: None,
    preview: None,
    sign: None,
    instruments: symbol::instruments,
    instruments_target: "/0/public/AssetPairs",
    endpoints: ("wss://ws.kraken.com/v2", "https://api.kraken.com"),
};
