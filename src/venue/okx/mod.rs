//! OKX v5: spot and perpetual swaps.
//!
//! - `symbol`: metadata to instrument rules; `size`: contracts to quantities and back.
//! - `decode`, `checksum`, `feed`: market data to book changes.
//! - `sign`, `order`: signatures; orders to bytes.
//! - `error`, `private`, `calls`: answers and events to reports.
//! - `requests`, `session`, `answers`, `gateway`: the private side's session and its account calls.
//! - `preview`: orders and signatures for people.
//! - `server`: the venue's own end, for simulation.

mod answers;
mod calls;
mod checksum;
pub mod decode;
mod error;
mod feed;
mod gateway;
pub mod limits;
mod order;
mod preview;
mod private;
mod requests;
mod server;
mod session;
mod sign;
mod size;
mod symbol;
mod trades;

use super::{FeeIn, KeyForm, Secrets, SimProfile, Venue};
use symbol::Market;

const STREAM: &str = "wss://ws.okx.com:8443/ws/v5/public";
const REST: &str = "https://openapi.okx.com";

/// A login names the key, its passphrase and a signature.
const SECRETS: Secrets = Secrets { keys: &["apiKey", "passphrase", "sign"], login: None };

/// Spot buys are charged in what they bring.
const SIM: SimProfile = SimProfile {
    session_key: KeyForm::SharedTextPassphrase,
    request_key: KeyForm::SharedTextPassphrase,
    fee_in: FeeIn::Received,
    stream_path: "/ws/v5/public",
    orders_path: "/ws/v5/private",
    private_path: "/ws/v5/private",
};

/// Spot.
pub const SPOT: Venue = Venue {
    id: Market::Spot.id(),
    feed: |config| Box::new(feed::OkxFeed::new(config)),
    gateway: Some(|config| Ok(Box::new(gateway::OkxGateway::new(Market::Spot, config)?))),
    server: Some(|seed| Box::new(server::OkxServer::new(Market::Spot, seed))),
    inverse: false,
    unified: true,
    sim: SIM,
    preview: Some(|credentials, order| preview::order(Market::Spot, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: symbol::instruments,
    instruments_target: "/api/v5/public/instruments?instType=SPOT",
    instruments_next: |_| None,
    endpoints: (STREAM, REST),
};

/// Perpetual swaps.
pub const SWAP: Venue = Venue {
    id: Market::Swap.id(),
    feed: |config| Box::new(feed::OkxFeed::new(config)),
    gateway: Some(|config| Ok(Box::new(gateway::OkxGateway::new(Market::Swap, config)?))),
    server: Some(|seed| Box::new(server::OkxServer::new(Market::Swap, seed))),
    inverse: false,
    unified: true,
    sim: SimProfile { fee_in: FeeIn::Quote, ..SIM },
    preview: Some(|credentials, order| preview::order(Market::Swap, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: symbol::instruments,
    instruments_target: "/api/v5/public/instruments?instType=SWAP",
    instruments_next: |_| None,
    endpoints: (STREAM, REST),
};
