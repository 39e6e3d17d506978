//! The private side of a venue: drafts to bytes that are ready to send, answers to reports.

use zeroize::Zeroize;

use super::Credentials;
use crate::types::{
    ClientId, Draft, Endpoint, InstrumentId, InstrumentSpec, Nanos, Price, Qty, Report, VenueId, VenueRef,
};
use crate::wire::Padded;

/// Orders and private news of one account on one venue. Sans I/O; owns its session (login,
/// heartbeat, tokens, nonces), so that any protocol fits behind it.
pub trait Gateway: Send {
    /// The connections it needs, each kept open by the caller. Asked again when the gateway wants a
    /// lane reconnected: its endpoint may be another one then.
    fn lanes(&self) -> Vec<LaneSpec>;

    /// How its orders are made ready ahead of time.
    fn form(&self) -> Form;

    /// True when orders may be sent: logged in, token valid, private stream proven.
    fn ready(&self) -> bool;

    /// Takes one input; what follows is appended to `out`, which the caller has cleared.
    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut);

    /// Writes the complete bytes of an order, framing and signature included. Hot: no allocation
    /// after the first call for an instrument. The bytes are good until `out.expires`.
    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError>;

    /// Writes down, in idle time, all of an order but its time, so that little is left to be written
    /// when it fires: see [`Gateway::complete`]. Its price and size are a guess, and left out where
    /// the venue's filters refuse them. An order that is never completed leaves nothing behind at
    /// the gateway, and may be begun again in the same bytes with another guess.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`] where nothing of an order can be written ahead, and those of
    /// [`Gateway::encode`].
    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let _ = (order, out);
        Err(EncodeError::Unsupported)
    }

    /// Makes of what [`Gateway::begin`] wrote (for the same id, instrument, side, kind, lifetime) what
    /// [`Gateway::encode`] makes of the whole order. Hot, and hotter where the guess was right.
    ///
    /// # Errors
    /// Those of [`Gateway::encode`].
    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.encode(order, now, out)
    }

    /// Completes what [`Gateway::begin`] wrote, with the price and size that were guessed, for an order that
    /// is not meant, and asks whether the limits have room for it: what completes orders stays in the
    /// caches of a thread that waits for the next one. The bytes are as good as before, for any order, and
    /// the gateway remembers nothing of it.
    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        let _ = (order, now, out);
    }

    /// Counts an order that is about to be sent against the venue's rate limits. Hot. An order that was
    /// encoded ahead is counted when it goes, and each once.
    ///
    /// # Errors
    /// [`Limited`](super::Limited) when the order would break a limit: it must not be sent.
    fn spend(&mut self, order: &Draft, urgency: super::Urgency, now: Nanos) -> Result<(), super::Limited> {
        let _ = (order, urgency, now);
        Ok(())
    }

    /// Takes that back, at the same `now`: nothing of the order has left, and nothing will.
    fn refund(&mut self, order: &Draft, now: Nanos) {
        let _ = (order, now);
    }

    /// Sets a bound that no nonce may reach: what lies beyond is not set aside yet. Where nothing is
    /// numbered it means nothing. Until the first word there is none.
    fn nonces_below(&mut self, below: u64) {
        let _ = below;
    }

    /// Starts anything that is not a new order. What the venue's limits leave no room for now waits its
    /// turn.
    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported>;
}

/// What a gateway is made from.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The engine's number of this venue.
    pub venue: VenueId,
    /// What it trades.
    pub instruments: Vec<(InstrumentId, InstrumentSpec)>,
    /// What it signs with.
    pub credentials: Credentials,
    /// `rest`, `ws` (orders over a WebSocket session), by what the venue offers.
    pub transport: super::Transport,
    /// REST endpoint.
    pub rest: Endpoint,
    /// Order WebSocket endpoint.
    pub orders: Endpoint,
    /// Private stream endpoint.
    pub private: Endpoint,
    /// How long a request may be on its way before the venue must refuse it, in ms.
    pub window_ms: u32,
    /// Where a nonce starts: above every nonce this key has used, across restarts.
    pub nonce_from: u64,
    /// Seed of the WebSocket masking keys.
    pub mask_seed: u64,
}

/// One of a gateway's connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// New orders and what answers them: a session, or an HTTP connection on which no question is
    /// in their way.
    Orders,
    /// The private stream, where it has a connection of its own.
    Private,
    /// HTTP requests.
    Rest,
}

/// A connection to keep open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneSpec {
    /// Which.
    pub lane: Lane,
    /// Where; `endpoint.websocket` tells WebSocket from HTTP. One without a target is not dialled: the
    /// gateway first has to ask the venue for it.
    pub endpoint: Endpoint,
    /// Extra headers of the WebSocket handshake.
    pub headers: Vec<(String, String)>,
}

/// How orders are made ready before they are needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A session was logged in ahead, or each order carries a token got ahead: nothing to sign.
    Session,
    /// Each request is signed: whole orders are signed ahead for the likeliest prices.
    Signed,
    /// Each request is signed, and none can be signed ahead: it holds a number that must rise from
    /// request to request.
    Numbered,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum GatewayInput<'a> {
    /// A lane's connection is open.
    Opened(Lane),
    /// A lane's connection is gone; what was in flight on it is Unknown.
    Closed(Lane),
    /// A text message.
    Text(Lane, Padded<'a>),
    /// The answer to an HTTP request.
    Response {
        /// The request's token; a sent order's is its client id's bits.
        token: u128,
        /// HTTP status.
        status: u16,
        /// Headers, names in lower case.
        headers: &'a [(String, String)],
        /// The body.
        body: &'a [u8],
    },
    /// No answer will come. `sent` = some of the request may have reached the venue.
    Failed {
        /// The request's token.
        token: u128,
        /// Whether any byte may have left.
        sent: bool,
    },
    /// Time passed: at least every 100 ms.
    Tick,
}

/// What follows from an input.
#[derive(Default, Debug)]
pub struct GatewayOut {
    /// News, in order.
    pub reports: Vec<Report>,
    /// What the gateway wants done.
    pub wants: Vec<GatewayWant>,
}

impl GatewayOut {
    /// Empties the buffers and keeps their memory.
    pub fn clear(&mut self) {
        self.reports.clear();
        self.wants.clear();
    }
}

/// What a gateway wants done.
#[derive(Clone, PartialEq, Eq)]
pub enum GatewayWant {
    /// Send this text message. May hold a token: has no `Debug` of its content.
    Send(Lane, String),
    /// Send this HTTP request and hand back its answer.
    Http {
        /// Comes back with the answer. Below 2^64, so that it never equals a client id.
        token: u128,
        /// The request.
        request: HttpRequest,
    },
    /// Open a new connection for this lane, to where [`Gateway::lanes`] now says.
    Reconnect(Lane, &'static str),
}

impl std::fmt::Debug for GatewayWant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GatewayWant::Send(lane, text) => write!(f, "Send({lane:?}, {} bytes)", text.len()),
            GatewayWant::Http { token, request } => {
                write!(
                    f,
                    "Http({token}, {} {})",
                    request.method,
                    request.target.split('?').next().unwrap_or("")
                )
            }
            GatewayWant::Reconnect(lane, why) => write!(f, "Reconnect({lane:?}, {why})"),
        }
    }
}

/// An HTTP request, host and length headers left out.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Headers beyond `Host` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

/// Everything but a new order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Cancel one order.
    Cancel {
        /// Our id.
        client: ClientId,
        /// The venue's, when known: the faster form.
        venue_ref: Option<VenueRef>,
        /// Of what.
        instrument: InstrumentId,
    },
    /// Cancel one order and place another in one request, where the venue has one.
    Replace {
        /// The order to cancel.
        cancel: ClientId,
        /// The order to place: it passed the risk gate like any other.
        order: Draft,
    },
    /// Change an open order in place.
    Amend {
        /// Our id.
        client: ClientId,
        /// Of what.
        instrument: InstrumentId,
        /// The new limit; `None` = as it was.
        price: Option<Price>,
        /// The new total quantity.
        qty: Qty,
    },
    /// Cancel all orders of an instrument (or of the account, where the venue knows no less).
    CancelAll {
        /// Of what.
        instrument: InstrumentId,
    },
    /// What became of this order?
    Query {
        /// Our id.
        client: ClientId,
        /// Of what.
        instrument: InstrumentId,
    },
    /// All open orders.
    OpenOrders,
    /// Fills since a time.
    Fills {
        /// Of what.
        instrument: InstrumentId,
        /// Since when.
        since: Nanos,
    },
    /// All balances.
    Balances,
    /// Our fees for an instrument.
    Fees {
        /// Of what.
        instrument: InstrumentId,
    },
    /// What may this key do, and from where?
    Rights,
    /// What time is it there?
    ServerTime,
    /// Cancel everything unless renewed in time; zero switches it off.
    DeadMan {
        /// Time to go.
        timeout: Nanos,
    },
}

/// The venue has no such request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{venue} has no {what}")]
pub struct Unsupported {
    /// The venue.
    pub venue: &'static str,
    /// What it lacks.
    pub what: &'static str,
}

/// Why a draft cannot be written down for this venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The gateway does not trade this instrument.
    #[error("unknown instrument")]
    UnknownInstrument,
    /// The instrument's filters refuse it.
    #[error(transparent)]
    Filter(#[from] crate::types::SpecError),
    /// The venue has no such order type or lifetime.
    #[error("the venue has no such order")]
    Unsupported,
    /// Not logged in, or no token.
    #[error("the session is not ready")]
    NotReady,
    /// Longer than an [`OrderBytes`] holds.
    #[error("order does not fit its buffer")]
    TooLong,
}

/// The complete bytes of one order, in a buffer made once. They are as good as money until they
/// expire: no `Debug`, no `Clone`, wiped on drop. One word to move, however often an order changes
/// hands on its way out.
pub struct OrderBytes(Box<Filled>);

/// What an [`OrderBytes`] holds beside its bytes.
pub struct Filled {
    bytes: [u8; OrderBytes::CAPACITY],
    start: usize,
    end: usize,
    /// How far [`Gateway::begin`] came.
    pub begun: Begun,
    /// Which connection they go over.
    pub lane: Lane,
    /// Not to be sent after this time: the venue's window would be past.
    pub expires: Nanos,
    /// The order's id.
    pub client: ClientId,
    /// Which key signed them.
    pub generation: u32,
}

/// An order of which the front is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Begun {
    /// Where price and size go: what stands before is the same for any.
    pub at: usize,
    /// The price and size that stand behind it already.
    pub guess: Option<Guess>,
    /// The frame's masking key, with which the front is masked.
    pub mask: [u8; 4],
    /// What the front holds of the session: the gateway's count of its sessions.
    pub session: u32,
}

/// A price and size that an order is likely to have, written down before it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guess {
    /// The limit.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Where the rest goes.
    pub end: usize,
}

impl Begun {
    /// Where the rest goes, when price and size of this order are there already.
    #[inline]
    pub fn guessed(&self, order: &Draft) -> Option<usize> {
        self.guess.filter(|guess| guess.price == order.price && guess.qty == order.qty).map(|guess| guess.end)
    }
}

impl std::ops::Deref for OrderBytes {
    type Target = Filled;

    #[inline]
    fn deref(&self) -> &Filled {
        &self.0
    }
}

impl std::ops::DerefMut for OrderBytes {
    #[inline]
    fn deref_mut(&mut self) -> &mut Filled {
        &mut self.0
    }
}

impl OrderBytes {
    /// Room for any venue's order with its headers.
    pub const CAPACITY: usize = 2048;

    /// An empty buffer.
    pub fn new() -> OrderBytes {
        OrderBytes(Box::new(Filled {
            bytes: [0; OrderBytes::CAPACITY],
            start: 0,
            end: 0,
            begun: Begun::default(),
            lane: Lane::Orders,
            expires: Nanos::ZERO,
            client: ClientId::default(),
            generation: 0,
        }))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The whole buffer, for encoders that write in place; tell [`OrderBytes::set`] what was used.
    pub fn buffer(&mut self) -> &mut [u8; OrderBytes::CAPACITY] {
        &mut self.bytes
    }

    /// Declares which part of the buffer holds the order.
    pub fn set(&mut self, start: usize, end: usize) -> Result<(), EncodeError> {
        if start > end || end > OrderBytes::CAPACITY {
            return Err(EncodeError::TooLong);
        }
        (self.start, self.end) = (start, end);
        Ok(())
    }

    /// Wipes the buffer.
    pub fn wipe(&mut self) {
        self.bytes.zeroize();
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
impl OrderBytes {
    /// What an order says that is a client's text frame with a length of two bytes.
    pub(super) fn unmasked(&self) -> String {
        let frame = self.as_slice();
        assert_eq!((frame[0], frame[1]), (0x81, 0xfe));
        assert_eq!(usize::from(u16::from_be_bytes([frame[2], frame[3]])), frame.len() - 8);
        let text = frame[8..].iter().zip(frame[4..8].iter().cycle()).map(|(byte, mask)| byte ^ mask);
        String::from_utf8(text.collect()).unwrap()
    }
}

impl Default for OrderBytes {
    fn default() -> OrderBytes {
        OrderBytes::new()
    }
}

impl Drop for OrderBytes {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
