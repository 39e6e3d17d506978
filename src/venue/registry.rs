//! Every venue the engine knows: a row each.

use super::{
    Credentials, Feed, FeedConfig, Gateway, GatewayConfig, OrderText, Preview, PreviewError, ReadTrades,
    Secrets, Server, SignRequest, Signed, binance, bybit, coinbase, kraken, okx,
};
use crate::types::{InstrumentSpec, Symbol};

/// Makes a gateway.
pub type MakeGateway = fn(&GatewayConfig) -> Result<Box<dyn Gateway>, PreviewError>;
/// Shows an order as it would be sent.
pub type PreviewOrder = fn(&Credentials, &OrderText) -> Result<Preview, PreviewError>;
/// Signs a request as it stands.
pub type PreviewSign = fn(&Credentials, &SignRequest) -> Result<Signed, PreviewError>;

/// What the rest of the program needs to know of a venue: how to make its parts.
#[derive(Clone, Copy)]
pub struct Venue {
    /// Its name in configuration and reports: `binance.spot`.
    pub id: &'static str,
    /// Public market data.
    pub feed: fn(&FeedConfig) -> Box<dyn Feed>,
    /// Orders; `None` where only books are supported.
    pub gateway: Option<MakeGateway>,
    /// Its simulated server, from a seed; `None` where there is none.
    pub server: Option<fn(u64) -> Box<dyn Server>>,
    /// Gateway and server take orders in inverse contracts.
    pub inverse: bool,
    /// What one key trades on the operator's markets is paid out of one account.
    pub unified: bool,
    /// How it is simulated, where it is.
    pub sim: SimProfile,
    /// The exact request an order would be.
    pub preview: Option<PreviewOrder>,
    /// The signature of a request as it stands.
    pub sign: Option<PreviewSign>,
    /// What of its private texts authenticates somebody, and is never kept.
    pub secrets: Secrets,
    /// Reads the trades of a public message.
    pub trades: ReadTrades,
    /// Reads instruments from the venue's own metadata answer (REST body or captured message).
    /// `None` when the text is not such an answer.
    pub instruments: fn(&[u8]) -> Option<Vec<InstrumentSpec>>,
    /// Path and query of that metadata.
    pub instruments_target: &'static str,
    /// From one page of that metadata, path and query of the next; `None` after the last.
    pub instruments_next: fn(&[u8]) -> Option<String>,
    /// The venue's public endpoints: stream, then REST.
    pub endpoints: (&'static str, &'static str),
}

impl Venue {
    /// Who runs it: the front of its name.
    pub fn operator(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(operator, _)| operator)
    }

    /// Whether orders may be of these instruments.
    ///
    /// # Errors
    /// [`NoInverse`] names the first that they may not be of.
    pub fn takes<'a>(&self, specs: impl IntoIterator<Item = &'a InstrumentSpec>) -> Result<(), NoInverse> {
        let refused = specs.into_iter().find(|spec| spec.contract.is_inverse() && !self.inverse);
        refused.map_or(Ok(()), |spec| Err(NoInverse { venue: self.id, symbol: spec.symbol }))
    }
}

/// Orders on a venue, or on its simulated server, cannot be of inverse contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("venue.{venue}: takes no orders in inverse contracts such as `{symbol}`")]
pub struct NoInverse {
    /// The venue.
    pub venue: &'static str,
    /// What was to be traded.
    pub symbol: Symbol,
}

/// How a venue of this kind is simulated, beside its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimProfile {
    /// The key that orders over a session need.
    pub session_key: KeyForm,
    /// The key that signed requests need.
    pub request_key: KeyForm,
    /// What fees are taken from.
    pub fee_in: FeeIn,
    /// Path of the market data stream.
    pub stream_path: &'static str,
    /// Path of the order session.
    pub orders_path: &'static str,
    /// Path of the private stream.
    pub private_path: &'static str,
}

/// How a secret is spelled, which differs by venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyForm {
    /// A shared secret that is signed with as the text it is.
    SharedText,
    /// A shared secret in base64, signed with once decoded.
    SharedBase64,
    /// As [`KeyForm::SharedText`], with a passphrase that requests name beside the key.
    SharedTextPassphrase,
    /// As [`KeyForm::SharedBase64`], with a passphrase that requests name beside the key.
    SharedBase64Passphrase,
    /// An Ed25519 key pair; the secret is PKCS#8 in PEM.
    Ed25519,
    /// A key pair of ECDSA over P-256; the secret is SEC1 in PEM.
    Es256,
}

/// What a fee is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeeIn {
    /// The quote asset, on buys on top of the price.
    Quote,
    /// Whatever the fill brings in: the base asset on buys, the quote asset on sells.
    Received,
}

/// All venues.
pub static VENUES: &[Venue] = &[
    binance::SPOT,
    binance::USDM,
    binance::COINM,
    bybit::SPOT,
    bybit::LINEAR,
    bybit::INVERSE,
    coinbase::ADVANCED,
    coinbase::EXCHANGE,
    kraken::SPOT,
    kraken::futures::FUTURES,
    okx::SPOT,
    okx::SWAP,
];

/// The venue of that name.
pub fn find(id: &str) -> Option<&'static Venue> {
    VENUES.iter().find(|venue| venue.id == id)
}

/// Whether the venue of that name offers market data in SBE.
pub fn speaks_sbe(id: &str) -> bool {
    id == binance::SPOT.id
}
