//! Kraken's derivatives (`futures.kraken.com`): books, for replay and recording. Orders are REST
//! there and not supported.

pub mod decode;
mod feed;
mod symbol;

use crate::venue::{FeeIn, KeyForm, SimProfile, Venue};

/// The registry's row.
pub const FUTURES: Venue = Venue {
    id: "kraken.futures",
    feed: |config| Box::new(feed::FuturesFeed::new(config)),
    gateway: None,
    server: None,
    inverse: false,
    unified: false,
    sim: SimProfile {
        session_key: KeyForm::SharedBase64,
        request_key: KeyForm::SharedBase64,
        fee_in: FeeIn::Quote,
        stream_path: "/ws/v1",
        orders_path: "/ws/v1",
        private_path: "/ws/v1",
    },
    preview: None,
    sign: None,
    secrets: super::SECRETS,
    trades: super::trades::derivative_trades,
    instruments: symbol::instruments,
    instruments_target: "/derivatives/api/v3/instruments",
    instruments_next: |_| None,
    endpoints: ("wss://futures.kraken.com/ws/v1", "https://futures.kraken.com"),
};
