//! Messages that another program decoded: books and trades in a form of our own, where an archive
//! does not keep the venue's bytes. Little endian:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 0 = snapshot, 1 = update, 2 = trade, 3 = trade whose taker nobody tells |
//! | 1 | decimals of prices and quantities |
//! | 2 | length of the symbol |
//! | 4, 4 | number of bids, number of asks; of a trade one in all: a bid where the taker bought |
//! | 8 | the venue's time, ns since the epoch; 0 = not told |
//! | … | the symbol, then 8 bytes of price and 8 of quantity a level, bids first |
//!
//! The archives have no sequence numbers: a book is live from its first snapshot on.

use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::{
    BookChange, BookNames, ChangeKind, Discovered, Feed, FeedError, FeedInput, FeedOut, Lost, Taker, TierUse,
    Trade, to_book_scale,
};

/// What a decoded message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Snapshot,
    Update,
    Trade(Taker),
}

/// A decoded message, levels at [`Scale::DEFAULT`] when written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Decoded<'a> {
    pub what: What,
    pub symbol: &'a str,
    pub venue_time: Nanos,
    pub bids: &'a [Level],
    pub asks: &'a [Level],
}

const HEAD: usize = 20;

impl Decoded<'_> {
    /// Writes the message into `out`, replacing what was there.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        let what = match self.what {
            What::Snapshot => 0,
            What::Update => 1,
            What::Trade(Taker::Unknown) => 3,
            What::Trade(_) => 2,
        };
        out.extend([what, Scale::DEFAULT.digits()]);
        out.extend((self.symbol.len() as u16).to_le_bytes());
        out.extend((self.bids.len() as u32).to_le_bytes());
        out.extend((self.asks.len() as u32).to_le_bytes());
        out.extend(self.venue_time.0.to_le_bytes());
        out.extend(self.symbol.as_bytes());
        for level in self.bids.iter().chain(self.asks) {
            out.extend(level.price.0.to_le_bytes());
            out.extend(level.qty.0.to_le_bytes());
        }
    }
}

/// The head of a message that was read.
struct Head {
    what: What,
    scale: Scale,
    symbol: Symbol,
    venue_time: Nanos,
    bids: u32,
}

/// Reads a message: its levels go to the end of `levels`.
fn read(bytes: &[u8], levels: &mut Vec<Level>) -> Result<Head, FeedError> {
    let wrong = |at: usize, what: &'static str| FeedError::Malformed { at, what };
    let head = bytes.first_chunk::<HEAD>().ok_or(wrong(0, "the head of a decoded message"))?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (bids, asks) = (word(4), word(8));
    let what = match (head[0], bids, asks) {
        (0, ..) => What::Snapshot,
        (1, ..) => What::Update,
        (2, 1, 0) => What::Trade(Taker::Buyer),
        (2, 0, 1) => What::Trade(Taker::Seller),
        (3, 1, 0) => What::Trade(Taker::Unknown),
        _ => return Err(wrong(0, "a snapshot, an update or a trade")),
    };
    let scale = Scale::new(head[1]).ok_or(wrong(1, "a scale"))?;
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let symbol = bytes.get(HEAD..HEAD + length).and_then(Symbol::from_bytes);
    let symbol = symbol.ok_or(wrong(HEAD, "a symbol"))?;
    let rest = &bytes[HEAD + length..];
    let (found, left) = rest.as_chunks::<16>();
    if !left.is_empty() || found.len() as u64 != u64::from(bids) + u64::from(asks) {
        return Err(wrong(HEAD + length, "as many levels as the head says"));
    }
    levels.extend(found.iter().map(|level| {
        let (price, qty) = level.split_at(8);
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        Level::new(number(price), number(qty))
    }));
    let venue_time = head.last_chunk().map_or(0, |time| i64::from_le_bytes(*time));
    Ok(Head { what, scale, symbol, venue_time: Nanos(venue_time), bids })
}

/// The trade in a message, if it is one.
pub(super) fn trade(bytes: &[u8]) -> Option<Trade> {
    let mut levels = Vec::new();
    let head = read(bytes, &mut levels).ok()?;
    let What::Trade(taker) = head.what else { return None };
    to_book_scale(&mut levels, head.scale, Scale::DEFAULT).ok()?;
    let level = levels.first()?;
    Some(Trade {
        symbol: head.symbol,
        venue_time: head.venue_time,
        price: level.price,
        qty: level.qty,
        taker,
    })
}

/// The feed of such messages: books are opened as they appear.
#[derive(Default)]
pub(super) struct DecodedFeed {
    names: BookNames,
    /// By book: messages so far, and whether a snapshot came that nothing broke since.
    books: Vec<(u64, bool)>,
}

impl DecodedFeed {
    fn book(&mut self, symbol: Symbol, out: &mut FeedOut) -> Option<BookId> {
        if let Some(book) = self.names.find(symbol.as_bytes()) {
            return Some(book);
        }
        let book = BookId(u16::try_from(self.books.len()).ok()?);
        self.books.push((0, false));
        self.names.insert(symbol, book);
        out.discovered.push(Discovered { book, symbol });
        Some(book)
    }
}

impl Feed for DecodedFeed {
    /// Nowhere: an archive is not connected to.
    fn endpoint(&self) -> Endpoint {
        Endpoint { tls: false, websocket: true, host: String::new(), port: 0, target: String::new() }
    }

    fn on(&mut self, input: FeedInput<'_>, _: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let FeedInput::Binary(message) = input else { return Ok(()) };
        let from = out.levels.len();
        let head = read(message.message(), &mut out.levels)?;
        let kind = match head.what {
            What::Snapshot => ChangeKind::Snapshot { live: true },
            What::Update => ChangeKind::Update,
            What::Trade(_) => {
                out.levels.truncate(from);
                out.ignored += 1;
                return Ok(());
            }
        };
        to_book_scale(&mut out.levels[from..], head.scale, Scale::DEFAULT)?;
        let Some(book) = self.book(head.symbol, out) else {
            return Err(FeedError::Malformed { at: HEAD, what: "no more books than a connection can have" });
        };
        let place = usize::from(book.0);
        let Some((seq, live)) = self.books.get_mut(place) else { return Ok(()) };
        *live |= kind != ChangeKind::Update;
        if !*live {
            // What was on its way before the first snapshot: the archive keeps it, its rule skips it.
            out.levels.truncate(from);
            return Ok(());
        }
        *seq += 1;
        let (start, end) = (from as u32, out.levels.len() as u32);
        let asks = start + head.bids;
        out.changes.push(BookChange {
            venue_time: head.venue_time,
            bids: start..asks,
            asks: asks..end,
            ..BookChange::of(place, kind, *seq)
        });
        Ok(())
    }

    fn distrust(&mut self, book: BookId, _: Lost, _: Nanos, _: &mut FeedOut) {
        if let Some((_, live)) = self.books.get_mut(usize::from(book.0)) {
            *live = false;
        }
    }

    fn tiers(&self) -> TierUse {
        TierUse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PaddedBuf;

    #[test]
    fn a_message_is_written_and_read() {
        let bids = [Level::new(5, 6), Level::new(3, 0)];
        let asks = [Level::new(7, 8)];
        let message =
            Decoded { what: What::Update, symbol: "A-B", venue_time: Nanos(9), bids: &bids, asks: &asks };
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        let mut levels = Vec::new();
        let head = read(&bytes, &mut levels).unwrap();
        assert_eq!(
            (head.what, head.symbol.as_str(), head.venue_time, head.bids),
            (What::Update, "A-B", Nanos(9), 2)
        );
        assert_eq!(levels, [bids[0], bids[1], asks[0]]);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], &mut Vec::new()).is_err(), "{cut}");
        }
        bytes.push(0);
        assert!(read(&bytes, &mut Vec::new()).is_err());

        let one = [Level::new(5, 6)];
        for (taker, bids, asks) in
            [(Taker::Buyer, &one[..], &[][..]), (Taker::Seller, &[], &one), (Taker::Unknown, &one, &[])]
        {
            let what = What::Trade(taker);
            Decoded { what, symbol: "A-B", venue_time: Nanos(1), bids, asks }.write(&mut bytes);
            let trade = trade(&bytes).unwrap();
            assert_eq!((trade.taker, trade.price.0, trade.qty.0), (taker, 5, 6));
        }
    }

    #[test]
    fn updates_wait_for_their_snapshot() {
        let mut feed = DecodedFeed::default();
        let mut padded = PaddedBuf::default();
        let mut say = |feed: &mut DecodedFeed, what| {
            let (mut bytes, mut out) = (Vec::new(), FeedOut::default());
            let level = [Level::new(5, 6)];
            Decoded { what, symbol: "A-B", venue_time: Nanos(9), bids: &level, asks: &[] }.write(&mut bytes);
            feed.on(FeedInput::Binary(padded.fill(&bytes)), Nanos(1), &mut out).unwrap();
            (out.changes.first().map(|change| change.kind), out.discovered.len())
        };
        let snapshot = Some(ChangeKind::Snapshot { live: true });
        assert_eq!(say(&mut feed, What::Update), (None, 1));
        assert_eq!(say(&mut feed, What::Snapshot), (snapshot, 0));
        assert_eq!(say(&mut feed, What::Update), (Some(ChangeKind::Update), 0));
        feed.distrust(BookId(0), Lost::Overflow, Nanos(2), &mut FeedOut::default());
        assert_eq!(say(&mut feed, What::Update), (None, 0));
        assert_eq!(say(&mut feed, What::Trade(Taker::Buyer)), (None, 0));
    }
}
