//! What every capture format is read into.

use crate::types::Nanos;

/// One record of a capture.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Local time; `None` where the format has none.
    pub ts: Option<Nanos>,
    /// Which connection: an index into [`super::Capture::connections`].
    pub conn: usize,
    /// What happened.
    pub kind: RecordKind,
    /// The URL of a connection or of an HTTP answer, where the format tells.
    pub url: String,
    /// HTTP status of an answer; 200 where the format has none; 0 = no answer came.
    pub status: u16,
    /// The message, the answer's body, or what was sent.
    pub bytes: Vec<u8>,
    /// Where it stands in the file, from 1: line, or number of the message.
    pub line: u64,
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RecordKind {
    /// A text message that was received.
    #[default]
    Text,
    /// The answer to an HTTP request.
    HttpAnswer,
    /// The connection was opened.
    Connect,
    /// A message that was sent.
    Sent,
    /// A binary message that was received.
    Binary,
    /// The connection is gone.
    Closed,
    /// Nothing but time passed, and the feed was told.
    Tick,
    /// Levels or trades that another program decoded: a message of the project's own form, in
    /// place of the venue's.
    Decoded,
    /// An input of an account's private side, without what authenticates it.
    Private,
}

/// Why a capture, or a part of it, cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CaptureError {
    /// The stream ends or breaks here: what came before was read.
    #[error("byte {at}: {error}")]
    Read {
        /// Byte of the file.
        at: u64,
        /// What is wrong.
        error: String,
    },
    /// A line that is not what its format says; the next one may be.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What was expected.
        what: &'static str,
    },
    /// A text that is none of the known formats.
    #[error("not a capture in a known format; it begins with {0:?}")]
    Unknown(String),
    /// Nothing in it.
    #[error("the capture is empty")]
    Empty,
}
