//! Coinbase: two ways to one matching engine.
//!
//! - `coinbase.advanced`: Advanced Trade, for every account. Tokens signed by the key's owner, a
//!   numbered connection for each of market data and account.
//! - `coinbase.exchange`: the institutional API. Signed requests with a passphrase; its private
//!   stream tells each trade.
//!
//! Neither takes orders over WebSocket. What both share is here once:
//!
//! - `symbol`: metadata to instrument rules.
//! - `decode`, `subscribe`, `feed`: market data to book changes; `level3`: order by order.
//! - `jwt`, `tokens`, `sign`: tokens and signatures.
//! - `order`: new orders to bytes.
//! - `advanced`, `exchange`: the other requests of each, and what its answers say, as `rows`.
//! - `calls`, `responses`, `session`, `private`, `gateway`: the private side.
//! - `limits`: what is limited. `error`: what errors mean. `preview`: orders and signatures for people.
//! - `server`: the venue's own end, for simulated exchanges.

mod advanced;
mod calls;
pub mod decode;
mod error;
mod exchange;
mod feed;
mod gateway;
mod jwt;
mod level3;
mod limits;
mod order;
mod preview;
mod private;
mod responses;
mod rows;
mod server;
mod session;
mod sign;
mod subscribe;
mod symbol;
mod tokens;
mod trades;

use super::{FeeIn, KeyForm, Secrets, SimProfile, Venue};
use feed::CoinbaseFeed;
use gateway::CoinbaseGateway;
use server::CoinbaseServer;

/// Subscriptions carry a token on one product, key, signature and passphrase on the other.
const SECRETS: Secrets = Secrets { keys: &["jwt", "key", "signature", "passphrase"], login: None };

/// Which of the two APIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// Advanced Trade.
    Advanced,
    /// Exchange.
    Exchange,
}

impl Product {
    /// The venue's name here.
    const fn id(self) -> &'static str {
        match self {
            Product::Advanced => "coinbase.advanced",
            Product::Exchange => "coinbase.exchange",
        }
    }

    /// The channel of books, as subscriptions spell it.
    const fn book_channel(self) -> &'static str {
        match self {
            Product::Advanced => "level2",
            // Without a login.
            Product::Exchange => "level2_batch",
        }
    }
}

/// Advanced Trade.
pub const ADVANCED: Venue = Venue {
    id: Product::Advanced.id(),
    feed: |config| Box::new(CoinbaseFeed::new(Product::Advanced, config)),
    gateway: Some(|config| Ok(Box::new(CoinbaseGateway::new(Product::Advanced, config)?))),
    server: Some(|seed| Box::new(CoinbaseServer::new(Product::Advanced, seed))),
    inverse: false,
    unified: false,
    sim: SimProfile {
        // No session takes orders: a key for one is as good as one for requests.
        session_key: KeyForm::Es256,
        // Signs the same bytes each time, so that one seed gives one run.
        request_key: KeyForm::Ed25519,
        fee_in: FeeIn::Quote,
        stream_path: "/",
        orders_path: "/",
        private_path: "/user",
    },
    preview: Some(preview::advanced_order),
    sign: Some(preview::advanced_sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: symbol::advanced,
    instruments_target: "/api/v3/brokerage/market/products",
    instruments_next: |_| None,
    endpoints: ("wss://advanced-trade-ws.coinbase.com", "https://api.coinbase.com"),
};

/// Exchange.
pub const EXCHANGE: Venue = Venue {
    id: Product::Exchange.id(),
    feed: |config| Box::new(CoinbaseFeed::new(Product::Exchange, config)),
    gateway: Some(|config| Ok(Box::new(CoinbaseGateway::new(Product::Exchange, config)?))),
    server: Some(|seed| Box::new(CoinbaseServer::new(Product::Exchange, seed))),
    inverse: false,
    unified: false,
    sim: SimProfile {
        session_key: KeyForm::SharedBase64Passphrase,
        request_key: KeyForm::SharedBase64Passphrase,
        fee_in: FeeIn::Quote,
        stream_path: "/",
        orders_path: "/",
        private_path: "/user",
    },
    preview: Some(preview::exchange_order),
    sign: Some(preview::exchange_sign),
    secrets: SECRETS,
    trades: trades::trades,
    instruments: symbol::exchange,
    instruments_target: "/products",
    instruments_next: |_| None,
    endpoints: ("wss://ws-feed.exchange.coinbase.com", "https://api.exchange.coinbase.com"),
};
