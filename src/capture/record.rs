//! What every capture format is read into.

use crate::types::Nanos;
use crate::wire::Padded;

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

/// One record of a capture, where it stands: good until the next one is read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Local time; `None` where the format has none.
    pub ts: Option<Nanos>,
    /// Which connection: an index into [`super::Capture::connections`].
    pub conn: usize,
    /// The connection's name in the capture; empty where it has none.
    pub connection: &'a str,
    /// The engine's name of the venue; empty where the capture does not tell.
    pub venue: &'a str,
    /// What happened.
    pub kind: RecordKind,
    /// HTTP status of an answer; 200 where the format has none; 0 = no answer came.
    pub status: u16,
    /// The URL of a connection or of an HTTP answer, where the format tells.
    pub url: &'a str,
    /// The message, the answer's body, or what was sent.
    pub message: Padded<'a>,
    /// Where it stands in the file, from 1: line, or number of the message.
    pub line: u64,
}

impl View<'_> {
    /// Copies it into a record that outlives it.
    pub fn copy_to(&self, record: &mut Record) {
        (record.ts, record.conn, record.kind) = (self.ts, self.conn, self.kind);
        (record.status, record.line) = (self.status, self.line);
        record.url.clear();
        record.url.push_str(self.url);
        record.bytes.clear();
        record.bytes.extend_from_slice(self.message.message());
    }

    /// A record of its own.
    pub fn to_record(self) -> Record {
        let mut record = Record::default();
        self.copy_to(&mut record);
        record
    }
}

impl Record {
    /// The record as a view of a connection; `padded` is its own message.
    pub fn view<'a>(&'a self, connection: &'a str, venue: &'a str, padded: Padded<'a>) -> View<'a> {
        View {
            ts: self.ts,
            conn: self.conn,
            connection,
            venue,
            kind: self.kind,
            status: self.status,
            url: &self.url,
            message: padded,
            line: self.line,
        }
    }
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
    /// One of several captures that are read as one.
    #[error("{path}: {error}")]
    Of {
        /// Which.
        path: String,
        /// What is wrong with it.
        error: Box<CaptureError>,
    },
    /// A text that is none of the known formats.
    #[error("not a capture in a known format; it begins with {0:?}")]
    Unknown(String),
    /// Nothing in it.
    #[error("the capture is empty")]
    Empty,
}
