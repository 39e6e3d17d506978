//! Kraken. Spot: v2 (and, for old captures, v1) WebSocket and REST. Derivatives: books only, in
//! [`futures`].

mod answers;
mod calls;
mod checksum;
pub mod decode;
mod error;
mod feed;
pub mod futures;
mod gateway;
pub mod json;
mod limits;
mod order;
mod preview;
mod private;
mod requests;
mod responses;
mod server;
mod session;
mod sign;
mod subscribe;
mod symbol;
mod trades;

use super::{FeeIn, KeyForm, Secrets, SimProfile, Venue};

/// A token opens the private stream and places orders; challenges do the same on derivatives.
const SECRETS: Secrets =
    Secrets { keys: &["token", "api_key", "signed_challenge", "original_challenge"], login: None };

/// The registry's row.
pub const SPOT: Venue = Venue {
    id: "kraken.spot",
    feed: |config| Box::new(feed::KrakenFeed::new(config)),
    gateway: Some(|config| Ok(Box::new(gateway::KrakenGateway::new(config)?))),
    server: Some(|seed| Box::new(server::KrakenServer::new(seed))),
    inverse: false,
    unified: false,
    sim: SimProfile {
        session_key: KeyForm::SharedBase64,
        request_key: KeyForm::SharedBase64,
        fee_in: FeeIn::Quote,
        stream_path: "/v2",
        orders_path: "/auth/v2",
        private_path: "/auth/v2",
    },
    preview: Some(preview::order),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: symbol::instruments,
    instruments_target: "/0/public/AssetPairs",
    instruments_next: |_| None,
    endpoints: ("wss://ws.kraken.com/v2", "https://api.kraken.com"),
};
