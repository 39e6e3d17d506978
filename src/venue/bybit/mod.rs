//! Bybit v5: spot and linear in full, inverse for its books.
//!
//! - `symbol`: metadata to instrument rules.
//! - `decode`, `subscribe`, `feed`: market data to book changes.
//! - `sign`: signatures.
//! - `template`, `order`, `call`: orders and other requests to bytes.
//! - `errors`, `private`, `account`: answers and events to reports.
//! - `gateway`: the private side's sessions.
//! - `preview`: orders and signatures for people.
//! - `server`: the venue's own end, for simulated exchanges.

mod account;
mod call;
pub mod decode;
mod errors;
mod feed;
mod gateway;
pub mod limits;
mod order;
mod preview;
mod private;
mod server;
mod sign;
mod subscribe;
mod symbol;
mod template;
mod trades;

use crate::venue::{FeeIn, KeyForm, Secrets, SimProfile, Venue};
use feed::BybitFeed;
use gateway::BybitGateway;
use server::BybitServer;
use symbol::{Market, instruments, next_page};

/// A login is a list of key, expiry and signature.
const SECRETS: Secrets = Secrets {
    keys: &["apiKey", "secret", "X-BAPI-API-KEY", "X-BAPI-SIGN"],
    login: Some(("op", "auth", "args")),
};

/// One kind of key for everything; spot buys are charged in what they bring.
const SIM: SimProfile = SimProfile {
    session_key: KeyForm::SharedText,
    request_key: KeyForm::SharedText,
    fee_in: FeeIn::Received,
    stream_path: "/v5/public/spot",
    orders_path: "/v5/trade",
    private_path: "/v5/private",
};

/// Spot.
pub const SPOT: Venue = Venue {
    id: "bybit.spot",
    feed: |config| Box::new(BybitFeed::new(Market::Spot, config)),
    gateway: Some(|config| Ok(Box::new(BybitGateway::new(Market::Spot, config)?))),
    server: Some(|seed| Box::new(BybitServer::new(Market::Spot, seed))),
    inverse: false,
    unified: true,
    sim: SIM,
    preview: Some(|credentials, order| preview::order(Market::Spot, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::Spot, body),
    instruments_target: "/v5/market/instruments-info?category=spot",
    instruments_next: |_| None,
    endpoints: ("wss://stream.bybit.com/v5/public/spot", "https://api.bybit.com/"),
};

/// Perpetuals and futures settled in dollar coins.
pub const LINEAR: Venue = Venue {
    id: "bybit.linear",
    feed: |config| Box::new(BybitFeed::new(Market::Linear, config)),
    gateway: Some(|config| Ok(Box::new(BybitGateway::new(Market::Linear, config)?))),
    server: Some(|seed| Box::new(BybitServer::new(Market::Linear, seed))),
    inverse: false,
    unified: true,
    sim: SimProfile { fee_in: FeeIn::Quote, stream_path: "/v5/public/linear", ..SIM },
    preview: Some(|credentials, order| preview::order(Market::Linear, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::Linear, body),
    instruments_target: "/v5/market/instruments-info?category=linear&limit=1000",
    instruments_next: |body| next_page(Market::Linear, LINEAR.instruments_target, body),
    endpoints: ("wss://stream.bybit.com/v5/public/linear", "https://api.bybit.com/"),
};

/// Perpetuals and futures settled in their base coin: books.
pub const INVERSE: Venue = Venue {
    id: "bybit.inverse",
    feed: |config| Box::new(BybitFeed::new(Market::Inverse, config)),
    gateway: None,
    server: None,
    inverse: false,
    unified: true,
    sim: SimProfile { stream_path: "/v5/public/inverse", ..SIM },
    preview: None,
    sign: None,
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::Inverse, body),
    instruments_target: "/v5/market/instruments-info?category=inverse&limit=1000",
    instruments_next: |body| next_page(Market::Inverse, INVERSE.instruments_target, body),
    endpoints: ("wss://stream.bybit.com/v5/public/inverse", "https://api.bybit.com/"),
};
