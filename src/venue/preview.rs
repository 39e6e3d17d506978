//! Orders and signatures as they would be sent, for people and for outside checks.

use crate::types::{Kind, Side, Tif};

/// Command lines that show how an order and a signature are previewed.
pub const PREVIEW_EXAMPLES: &str = "\
  xarb preview order --venue binance.spot --symbol BTCUSDT --side buy --type limit --tif ioc \\
      --price 60000.00 --qty 0.01 --client-id my-1 --transport rest \\
      --time-ms 1700000000000 --credentials-env ACME
  xarb preview sign --venue kraken.spot --method POST --path /0/private/AddOrder \\
      --body 'nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25' \\
      --time-ms 1616492376594 --nonce 1616492376594 --credentials-env ACME";

/// How an order travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// One HTTP request each.
    Rest,
    /// Over a WebSocket session.
    Ws,
}

/// An order in the user's own decimals, for [`Preview`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderText {
    /// The venue's symbol.
    pub symbol: String,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// How long it lives.
    pub tif: Tif,
    /// The limit, sent as it stands.
    pub price: String,
    /// The quantity, sent as it stands.
    pub qty: String,
    /// The client order id, sent as it stands.
    pub client_id: String,
    /// REST or WebSocket.
    pub transport: Transport,
    /// The request's time.
    pub time_ms: i64,
    /// The nonce, where the venue has one; the time in ms when not given.
    pub nonce: Option<u64>,
}

/// The exact request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Preview {
    /// An HTTP request.
    Http {
        /// The method.
        method: String,
        /// The whole URL.
        url: String,
        /// Headers beyond `Host` and `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// WebSocket text messages, the login first where there is one.
    Frames {
        /// The messages in order.
        frames: Vec<String>,
        /// What the user should know about them.
        notes: Vec<String>,
    },
}

/// A request to sign as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignRequest {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The complete query, without `?`.
    pub query: String,
    /// The complete body.
    pub body: String,
    /// The request's time.
    pub time_ms: i64,
    /// The nonce, where the venue has one.
    pub nonce: Option<u64>,
}

/// A signature and how it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// What was signed; bytes that are not text are shown in hex behind the text.
    pub string_to_sign: String,
    /// The signature.
    pub signature: String,
    /// The headers that carry it.
    pub headers: Vec<(String, String)>,
}

/// Why there is no preview.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// The secret is not what the venue hands out; never holds any of it.
    #[error("secret: {0}")]
    Secret(&'static str),
    /// The venue has no such request.
    #[error("{0}")]
    Unsupported(String),
    /// A value that the venue does not take.
    #[error("{key}: `{value}`: expected {expected}")]
    Value {
        /// Which.
        key: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}
