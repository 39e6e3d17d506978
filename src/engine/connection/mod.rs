//! Connections that are kept open: a link, the codec on it, and what to do when it breaks.
//!
//! A connection is polled: each call does a little of what is due (dial, shake hands, send, receive,
//! ping, give up, dial again) and returns at most one event. It knows no socket and no clock, so it
//! runs the same over real links and virtual ones.
//!
//! A broken connection is dialled again after a pause drawn evenly from zero to a bound that
//! doubles with each failure: many connections that broke together do not come back together.
//! Nothing that was handed to a link is ever sent again.

mod http;
mod link;
mod websocket;

pub use http::{HttpConnection, HttpEvent};
pub use link::Reason;
pub use websocket::{WsConnection, WsEvent};

use crate::types::{LinkError, Nanos};
use crate::wire::http::HttpLimits;
use crate::wire::ws::Limits;

/// How a connection is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionConfig {
    /// Longest pause after a first failure.
    pub backoff_first: Nanos,
    /// Longest pause after many.
    pub backoff_most: Nanos,
    /// A connection that lasted this long was a success: the pauses start anew.
    pub stable_after: Nanos,
    /// Time to connect and to shake hands.
    pub open_within: Nanos,
    /// WebSocket: ask for a sign of life after this much silence.
    pub ping_after: Nanos,
    /// WebSocket: give up after this much silence.
    pub drop_after: Nanos,
    /// HTTP: give up on an answer after this long.
    pub answer_within: Nanos,
    /// Bytes that may wait in a link before nothing more is taken.
    pub backlog_most: usize,
    /// HTTP: dial only when there is something to send.
    pub lazy: bool,
    /// Of the WebSocket codec.
    pub ws: Limits,
    /// Of the HTTP codec.
    pub http: HttpLimits,
}

impl ConnectionConfig {
    /// What suits most venues.
    pub const DEFAULT: ConnectionConfig = ConnectionConfig {
        backoff_first: Nanos::from_millis(250),
        backoff_most: Nanos::from_secs(30),
        stable_after: Nanos::from_secs(10),
        open_within: Nanos::from_secs(10),
        ping_after: Nanos::from_secs(20),
        drop_after: Nanos::from_secs(60),
        answer_within: Nanos::from_secs(10),
        backlog_most: 1 << 20,
        lazy: false,
        ws: Limits::DEFAULT,
        http: HttpLimits::DEFAULT,
    };
}

impl Default for ConnectionConfig {
    fn default() -> ConnectionConfig {
        ConnectionConfig::DEFAULT
    }
}

/// When something arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arrival {
    /// When the kernel had the last bytes of it, where the kernel says.
    pub kernel: Option<Nanos>,
    /// How long the kernel had them before we did, in ns; zero where it does not say.
    pub wire_ns: u32,
    /// The stopwatch's reading once they were ours; zero where there is none.
    pub ticks: u64,
    /// The `now` of the poll that took them from the link.
    pub local: Nanos,
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The connection is not open; nothing left.
    #[error("not open")]
    NotOpen,
    /// Too much waits to be sent already; nothing left.
    #[error("{0} bytes wait to be sent")]
    Backlog(usize),
    /// Too many requests wait, or this one cannot be written down; nothing left.
    #[error(transparent)]
    Http(#[from] crate::wire::http::HttpError),
    /// The link broke while it took the bytes; some of them may have left.
    #[error("{0}")]
    Broken(LinkError),
}

impl SendError {
    /// True when some of the bytes may have reached the peer.
    pub fn may_have_left(&self) -> bool {
        matches!(self, SendError::Broken(_))
    }
}

#[cfg(test)]
mod tests;
