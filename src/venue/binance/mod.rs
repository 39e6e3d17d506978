//! Binance: spot, USD-M futures and COIN-M futures.
//!
//! - `symbol`: metadata to instrument rules. `desk`: what differs in the requests of the markets.
//! - `decode`, `sync`, `subscribe`, `feed`: market data to book changes.
//! - `sign`: signatures.
//! - `template`, `order`, `call`: orders and other requests to bytes.
//! - `errors`, `private`, `account`: answers and events to reports.
//! - `limits`: what is limited, and what requests cost.
//! - `gateway`: the private side's sessions.
//! - `preview`: orders and signatures for people.
//! - `server`: the venue's own end, for simulated exchanges.

mod account;
pub mod call;
pub mod decode;
pub mod desk;
pub mod errors;
pub mod feed;
pub mod gateway;
pub mod limits;
pub mod order;
pub mod preview;
pub mod private;
pub mod sbe;
pub mod server;
pub mod sign;
mod subscribe;
pub mod symbol;
pub mod sync;
pub mod template;
mod trades;

use crate::venue::{FeeIn, KeyForm, Secrets, SimProfile, Venue};
use feed::BinanceFeed;
use gateway::BinanceGateway;
use server::BinanceServer;
use symbol::{Market, instruments};

/// A session's login, signed requests, and the key of the private stream.
const SECRETS: Secrets = Secrets { keys: &["apiKey", "signature", "listenKey"], login: None };

/// Sessions need Ed25519; buys are charged in what they bring.
const SIM: SimProfile = SimProfile {
    session_key: KeyForm::Ed25519,
    request_key: KeyForm::SharedText,
    fee_in: FeeIn::Received,
    stream_path: "/stream",
    orders_path: "/ws-api/v3",
    private_path: "/ws-api/v3",
};

/// Spot: everything.
pub const SPOT: Venue = Venue {
    id: "binance.spot",
    feed: |config| Box::new(BinanceFeed::new(Market::Spot, config)),
    gateway: Some(|config| Ok(Box::new(BinanceGateway::new(&desk::SPOT, config)?))),
    server: Some(|seed| Box::new(BinanceServer::new(&desk::SPOT, seed))),
    inverse: false,
    unified: false,
    sim: SIM,
    preview: Some(|credentials, order| preview::order(&desk::SPOT, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::Spot, body),
    instruments_target: "/api/v3/exchangeInfo",
    instruments_next: |_| None,
    endpoints: ("wss://stream.binance.com:9443/stream", "https://api.binance.com/"),
};

/// Fees are paid in what is settled in.
const SIM_USDM: SimProfile = SimProfile {
    fee_in: FeeIn::Quote,
    stream_path: "/public/stream",
    orders_path: "/ws-fapi/v1",
    private_path: "/private",
    ..SIM
};

/// USD-M futures: everything.
pub const USDM: Venue = Venue {
    id: "binance.usdm",
    feed: |config| Box::new(BinanceFeed::new(Market::UsdM, config)),
    gateway: Some(|config| Ok(Box::new(BinanceGateway::new(&desk::USDM, config)?))),
    server: Some(|seed| Box::new(BinanceServer::new(&desk::USDM, seed))),
    inverse: false,
    unified: false,
    sim: SIM_USDM,
    preview: Some(|credentials, order| preview::order(&desk::USDM, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::UsdM, body),
    instruments_target: "/fapi/v1/exchangeInfo",
    instruments_next: |_| None,
    endpoints: ("wss://fstream.binance.com/public/stream", "https://fapi.binance.com/"),
};

/// One host for market and account streams.
const SIM_COINM: SimProfile =
    SimProfile { stream_path: "/stream", orders_path: "/ws-dapi/v1", private_path: "/", ..SIM_USDM };

/// COIN-M futures: everything.
pub const COINM: Venue = Venue {
    id: "binance.coinm",
    feed: |config| Box::new(BinanceFeed::new(Market::CoinM, config)),
    gateway: Some(|config| Ok(Box::new(BinanceGateway::new(&desk::COINM, config)?))),
    server: Some(|seed| Box::new(BinanceServer::new(&desk::COINM, seed))),
    inverse: true,
    unified: false,
    sim: SIM_COINM,
    preview: Some(|credentials, order| preview::order(&desk::COINM, credentials, order)),
    sign: Some(preview::sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: |body| instruments(Market::CoinM, body),
    instruments_target: "/dapi/v1/exchangeInfo",
    instruments_next: |_| None,
    endpoints: ("wss://dstream.binance.com/stream", "https://dapi.binance.com/"),
};
