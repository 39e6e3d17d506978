//! What a replay found, file by file and book by book.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::book::Ladder;
use crate::types::{Fixed, Level, Scale, Side};

/// A file as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FileReport {
    /// As it was given.
    pub path: String,
    /// Its format.
    pub format: &'static str,
    /// Messages received over WebSockets.
    pub messages: u64,
    /// Those of channels that carry no book.
    pub ignored: u64,
    /// Lines, messages and answers that could not be read, and one for a file that tears.
    pub malformed: u64,
    /// Messages that the recorder lost; left out where there were none.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// The first of them, with their places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Where a book stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No snapshot, or no update that joined it.
    Waiting,
    /// Whole and current.
    Live,
    /// It lost its place, and no snapshot cured it.
    Unsynced,
}

/// How often the venue's checksum was compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Checksums {
    /// It matched.
    pub ok: u64,
    /// It did not.
    pub bad: u64,
    /// The message had none.
    pub absent: u64,
}

/// How often the rebuilt best levels were held against the venue's ticker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TickerReport {
    /// Updates compared.
    pub compared: u64,
    /// Price and quantity of both sides were the ticker's.
    pub agreed: u64,
}

/// A number for each side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sides {
    /// Bids.
    pub bids: usize,
    /// Asks.
    pub asks: usize,
}

/// A book as it ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BookReport {
    /// The venue's name.
    pub venue: &'static str,
    /// The venue's symbol.
    pub symbol: String,
    /// The engine's name of the instrument, where the capture has the venue's metadata.
    pub instrument: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Updates applied.
    pub updates: u64,
    /// Updates that did not follow.
    pub gaps: u64,
    /// Comparisons with the venue's checksum.
    pub checksums: Checksums,
    /// Comparisons with the venue's ticker; left out where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickers: Option<TickerReport>,
    /// Messages after which the live book's bid was at or above its ask.
    pub crossed: u64,
    /// Levels in the whole book; none in an unsynced one.
    pub levels: Sides,
    /// The best bids, price and quantity.
    pub bids: Vec<[String; 2]>,
    /// The best asks.
    pub asks: Vec<[String; 2]>,
    /// SHA-256 in hex over the whole book: a line `b <price> <qty>` for each bid, `a <price> <qty>`
    /// for each ask, best first.
    pub digest: String,
    /// The best bid's price, for people.
    #[serde(skip)]
    pub best_bid: Option<String>,
    /// The best ask's price, for people.
    #[serde(skip)]
    pub best_ask: Option<String>,
}

/// Everything a replay found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Outcome {
    /// The files in the order given.
    pub files: Vec<FileReport>,
    /// The books, by venue and symbol.
    pub books: Vec<BookReport>,
}

impl Outcome {
    /// False when something did not check out: a message that could not be read or that the recorder
    /// lost, a checksum that differs, a book that ended unsynced.
    pub fn is_sound(&self) -> bool {
        self.files.iter().all(|file| file.malformed == 0 && file.dropped == 0)
            && self.books.iter().all(|book| book.checksums.bad == 0 && book.state != State::Unsynced)
    }

    /// Messages over all files.
    pub fn messages(&self) -> u64 {
        self.files.iter().map(|file| file.messages).sum()
    }
}

/// A level's two decimals as people and programs read them: no exponent, no trailing zeros.
pub(super) fn level_text(level: Level, scale: Scale) -> [String; 2] {
    [Fixed(level.price.0, scale).to_string(), Fixed(level.qty.0, scale).to_string()]
}

/// The SHA-256, in hex, of a line `b <price> <qty>` for each bid and `a <price> <qty>` for each
/// ask, best first, each ended by a line feed. The whole book; of an empty one, of the empty text.
pub(super) fn digest(ladder: Option<&Ladder>, scale: Scale) -> String {
    let mut sha = Sha256::new();
    for (side, mark) in [(Side::Buy, 'b'), (Side::Sell, 'a')] {
        for level in ladder.into_iter().flat_map(|ladder| ladder.levels(side)) {
            let [price, qty] = level_text(level, scale);
            sha.update(format!("{mark} {price} {qty}\n"));
        }
    }
    const_hex::encode(sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::LadderConfig;

    #[test]
    fn a_digest_is_over_plain_decimals_best_first() {
        let mut ladder = Ladder::new(LadderConfig::default());
        let bids = [Level::new(9_950_000_000, 50_000_000), Level::new(10_000_000_000, 100_000_000)];
        ladder.snapshot(&bids, &[Level::new(10_010_000_000, 1)]).unwrap();
        let want = const_hex::encode(Sha256::digest("b 100 1\nb 99.5 0.5\na 100.1 0.00000001\n"));
        assert_eq!(digest(Some(&ladder), Scale::DEFAULT), want);
        assert_eq!(digest(None, Scale::DEFAULT), const_hex::encode(Sha256::digest("")));
    }
}
