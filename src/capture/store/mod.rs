//! The project's own container: an MCAP file that any MCAP tool can open.
//!
//! # Layout
//!
//! - The header's profile is `xarb`; its library is `xarb` and a version.
//! - Every message stands in a chunk, compressed by lz4 or zstd or not at all, with the time range
//!   and the index that MCAP gives it, so that tools can seek by time. A chunk is written whole.
//! - A channel is one kind of input of one connection of one venue. Its topic is
//!   `<venue>/<connection>/<kind>`; its schema's name is `xarb.<kind>`; its metadata has the keys
//!   `venue` (the engine's name; empty when nobody knows) and `connection` (the recorder's name of it).
//! - `log_time` and `publish_time` are the local receive time, in ns since the epoch; 0 where the
//!   source of an import had none. `sequence` counts the messages of a channel from 0.
//!
//! | schema | data of a message |
//! |---|---|
//! | `xarb.text` | a WebSocket text message as it came |
//! | `xarb.binary` | a WebSocket binary message as it came |
//! | `xarb.http` | `<status> <url>`, a line feed, the body: an answer over HTTP, 0 = none came |
//! | `xarb.connect` | `<url>`, a line feed: the connection is open |
//! | `xarb.closed` | a line feed: the connection is gone |
//! | `xarb.sent` | `<url>`, a line feed, the text message that was sent |
//! | `xarb.tick` | nothing: time passed, and the feed was told |
//! | `xarb.decoded` | levels or a trade that another program decoded, in the form that `capture/decoded.rs` describes |
//! | `xarb.private` | what happened, a line feed, the bytes: an input of an account's private side, credentials and signatures blanked by the venue's own rule |
//!
//! The first line of `xarb.private` is `opened`, `closed` or `text` and a lane (`orders`, `private`,
//! `rest`); `response`, the request's token in hex and the status; `failed`, the token, and `sent` or
//! `unsent`; or `tick`: where one thread turned every role, a new round began.
//!
//! Metadata records (all values are text, numbers are plain decimals):
//!
//! | name | keys |
//! |---|---|
//! | `xarb` | `version`, `source` (`record`, `demo` or `import`) |
//! | `xarb.venue` | `venue`, `taker_fee` as a share of the value, `clock_offset_ns` = the venue's clock minus the recorder's, `encoding` = `json` or `sbe`; those that are known |
//! | `xarb.instrument` | `venue`, `symbol`, `name`, `base`, `quote`, `scale`, `tick`, `lot`, `min_qty`, `max_qty`, `min_notional`, `price_digits`, `qty_digits`, `kind` (`spot`, `linear`, `inverse`), `multiplier`, `wire_unit`, `settle`, `open` |
//! | `xarb.integrity` | `dropped`: messages that the recorder lost so far; the last one counts |
//! | `xarb.journal` | `sha256`: of a run that one thread stepped, the digest of its journal at its end |
//!
//! # Torn files
//!
//! A recorder that dies leaves a file without its last records. It opens all the same: every whole
//! chunk is read, of a chunk cut short as many messages as can be decoded, and then an error says
//! which byte the tear is at and what is missing.

mod meta;
mod reader;
mod since;
#[cfg(test)]
mod tests;
mod writer;

pub use meta::{StoreMeta, VenueMeta};
pub(super) use reader::{MAGIC, StoreReader};
pub(super) use since::Parts;
pub use writer::{Compression, StoreError, StoreOptions, StoreWriter};

use super::record::RecordKind;

/// Kinds with the words that topics and schemas have for them.
const KINDS: [(RecordKind, &str); 9] = [
    (RecordKind::Text, "text"),
    (RecordKind::Binary, "binary"),
    (RecordKind::HttpAnswer, "http"),
    (RecordKind::Connect, "connect"),
    (RecordKind::Closed, "closed"),
    (RecordKind::Sent, "sent"),
    (RecordKind::Tick, "tick"),
    (RecordKind::Decoded, "decoded"),
    (RecordKind::Private, "private"),
];

/// The number of a kind in [`KINDS`], and its word.
fn kind_word(kind: RecordKind) -> (usize, &'static str) {
    let at = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or_default();
    (at, KINDS[at].1)
}

/// True for kinds whose data begins with a line about the message.
fn has_head(kind: RecordKind) -> bool {
    use RecordKind::{Closed, Connect, HttpAnswer, Private, Sent};
    matches!(kind, HttpAnswer | Connect | Closed | Sent | Private)
}

/// Channel metadata.
const VENUE: &str = "venue";
const CONNECTION: &str = "connection";
