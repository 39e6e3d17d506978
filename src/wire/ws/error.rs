//! What a peer can do wrong, by name.

use std::fmt;

/// Why a WebSocket connection cannot go on. The close frame that tells the peer is queued already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WsError {
    /// The opening handshake was not one.
    #[error("handshake: {0}")]
    Handshake(HandshakeError),
    /// A reserved bit is set, and no extension was agreed on.
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode that the protocol does not have.
    #[error("unknown opcode {0:#x}")]
    UnknownOpcode(u8),
    /// A ping, pong or close in pieces.
    #[error("control frame in fragments")]
    ControlFragmented,
    /// A ping, pong or close longer than 125 bytes.
    #[error("control frame of {0} bytes")]
    ControlTooLong(u64),
    /// A masked frame from a server.
    #[error("masked frame from a server")]
    Masked,
    /// An unmasked frame from a client.
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A length written longer than need be, or with its highest bit set.
    #[error("length {0} is not written in its shortest form")]
    LengthForm(u64),
    /// A frame beyond the limit.
    #[error("frame of {len} bytes, {limit} allowed")]
    FrameTooLong {
        /// Its announced length.
        len: u64,
        /// [`Limits::frame`](super::Limits::frame).
        limit: usize,
    },
    /// A message beyond the limit.
    #[error("message of {len} bytes or more, {limit} allowed")]
    MessageTooLong {
        /// What came so far.
        len: usize,
        /// [`Limits::message`](super::Limits::message).
        limit: usize,
    },
    /// A message in more pieces than allowed.
    #[error("message of more than {0} fragments")]
    TooManyFragments(u32),
    /// A continuation of nothing.
    #[error("continuation frame without a start")]
    NothingToContinue,
    /// A new message inside another.
    #[error("new message inside a fragmented one")]
    Interleaved,
    /// A text, or the reason of a close, that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A close frame with one byte.
    #[error("close frame of one byte")]
    CloseTooShort,
    /// A close code that must not be sent.
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// The peer asks for more answers than it takes.
    #[error("{0} bytes wait to be sent to a peer that does not read")]
    Backlog(usize),
}

impl WsError {
    /// The code that tells the peer.
    pub fn close_code(&self) -> u16 {
        match self {
            WsError::NotUtf8 => 1007,
            WsError::FrameTooLong { .. } | WsError::MessageTooLong { .. } => 1009,
            WsError::TooManyFragments(_) | WsError::Backlog(_) => 1008,
            _ => 1002,
        }
    }
}

/// What is wrong with an opening handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// Our own target or header holds a byte that would end its line; nothing was sent.
    Unsendable,
    /// Not HTTP/1.1.
    Malformed,
    /// A head longer than the limit, or with too many lines.
    HeadTooLong,
    /// The server answered with another status than 101.
    Status(u16),
    /// A header that must be there is missing or says something else.
    Header(&'static str),
    /// The server's accept key does not match ours.
    AcceptKey,
    /// An extension or subprotocol that was not asked for.
    NotAskedFor(&'static str),
    /// We turned the client away with this status.
    Refused(u16),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Unsendable => f.write_str("target or header holds a control byte"),
            HandshakeError::Malformed => f.write_str("not HTTP/1.1"),
            HandshakeError::HeadTooLong => f.write_str("head is too long"),
            HandshakeError::Status(status) => write!(f, "status {status}, expected 101"),
            HandshakeError::Header(name) => write!(f, "header `{name}` is missing or wrong"),
            HandshakeError::AcceptKey => f.write_str("accept key does not match"),
            HandshakeError::NotAskedFor(name) => write!(f, "`{name}` was not asked for"),
            HandshakeError::Refused(status) => write!(f, "refused with status {status}"),
        }
    }
}

impl From<HandshakeError> for WsError {
    fn from(error: HandshakeError) -> WsError {
        WsError::Handshake(error)
    }
}
