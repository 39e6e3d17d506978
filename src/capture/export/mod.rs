//! Captures in the forms of other programs: an [`Observer`] of a replay, which hands rows to a sink.
//!
//! | form | what it keeps | can be imported again |
//! |---|---|---|
//! | [`npz`] | every level of every change, and trades, of one book a file | no: prices become floats |
//! | [`parquet`] | updates, tops, trades: exact decimals | no |
//! | [`csv`] | updates and trades as Tardis writes them, times cut to µs | yes, to the same books |

pub mod csv;
pub mod npz;
pub mod parquet;

use std::collections::BTreeMap;

use super::decoded;
use super::record::{RecordKind, View};
use super::replay::{Observer, Seen};
use crate::types::{Level, Nanos, Scale, Side, Symbol};
use crate::venue::{ChangeKind, Trade, Venue, of_symbol};

/// Why an export cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file.
    #[error("cannot write: {0}")]
    Io(#[from] std::io::Error),
    /// What Parquet says.
    #[error("cannot write: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Numbers that the form cannot hold.
    #[error("{venue} {symbol} has {digits} decimals, and this form has 8")]
    Scale {
        /// Whose.
        venue: &'static str,
        /// Which.
        symbol: Symbol,
        /// How many.
        digits: u8,
    },
}

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Whose.
    pub venue: &'static str,
    /// The venue's symbol.
    pub symbol: Symbol,
    /// Local receive time.
    pub received: Nanos,
    /// The venue's time; the receive time where it tells none.
    pub venue_time: Nanos,
}

/// A whole change of a book: every level that is another one afterwards, those that were cut away among
/// them as zero. At a scale of 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The book was emptied before.
    pub anew: bool,
    /// Running number of the change, from 1.
    pub number: u64,
    /// The venue's sequence number.
    pub seq: u64,
    /// Levels set; zero removes.
    pub bids: &'a [Level],
    /// Levels set; zero removes.
    pub asks: &'a [Level],
}

/// Where rows go. Times of one book never fall.
pub trait Sink {
    /// A change of a book.
    ///
    /// # Errors
    /// [`ExportError`] ends the export.
    fn rows(&mut self, of: &Subject, rows: &Rows<'_>) -> Result<(), ExportError>;

    /// Another best bid or ask; of the depth, or of the venue's ticker.
    ///
    /// # Errors
    /// As [`Sink::rows`].
    fn top(&mut self, of: &Subject, ticker: bool, best: [Option<Level>; 2]) -> Result<(), ExportError> {
        let _ = (of, ticker, best);
        Ok(())
    }

    /// A trade.
    ///
    /// # Errors
    /// As [`Sink::rows`].
    fn trade(&mut self, of: &Subject, trade: &Trade) -> Result<(), ExportError>;

    /// A book lost its place: nothing is known of it until it is begun anew.
    ///
    /// # Errors
    /// As [`Sink::rows`].
    fn lost(&mut self, of: &Subject) -> Result<(), ExportError> {
        let _ = of;
        Ok(())
    }
}

/// Looks on a replay and hands what it sees to a sink.
pub struct Export<S> {
    sink: S,
    books: BTreeMap<(&'static str, String), Known>,
    trades: Vec<Trade>,
    changes: u64,
    /// The first thing that went wrong.
    failure: Option<ExportError>,
}

/// What is remembered of a book.
#[derive(Default)]
struct Known {
    best: [Option<Level>; 2],
    /// Of a book that is cut: what it held, to tell what fell off.
    held: [BTreeMap<i64, i64>; 2],
}

impl<S: Sink> Export<S> {
    /// An export into a sink.
    pub fn new(sink: S) -> Export<S> {
        Export { sink, books: BTreeMap::new(), trades: Vec::new(), changes: 0, failure: None }
    }

    /// What went wrong, if anything did: everything after it is missing.
    pub fn failure(&mut self) -> Option<ExportError> {
        self.failure.take()
    }

    /// The sink, to be finished.
    pub fn into_sink(self) -> S {
        self.sink
    }

    fn keep(&mut self, outcome: Result<(), ExportError>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }

    fn take(&mut self, seen: &Seen<'_>) -> Result<(), ExportError> {
        let (venue, symbol) = (seen.venue, seen.symbol);
        if seen.scale != Scale::DEFAULT {
            return Err(ExportError::Scale { venue, symbol, digits: seen.scale.digits() });
        }
        let of = subject(venue, symbol, seen.stamp.received, seen.stamp.venue_time);
        if seen.kind == ChangeKind::Top {
            return self.sink.top(&of, true, [seen.bids.first().copied(), seen.asks.first().copied()]);
        }
        let known = self.books.entry((venue, symbol.to_string())).or_default();
        let ladder = seen.book.ladder();
        let anew = matches!(seen.kind, ChangeKind::Snapshot { .. });
        self.changes += 1;
        let (number, seq) = (self.changes, seen.stamp.seq);
        if seen.keep == 0 && !anew {
            self.sink.rows(&of, &Rows { anew, number, seq, bids: seen.bids, asks: seen.asks })?;
        } else {
            // A snapshot is told as the book it made, and of a cut book also what fell off.
            let mut rows = [Vec::new(), Vec::new()];
            for (side, rows) in Side::BOTH.into_iter().zip(&mut rows) {
                let held = &mut known.held[side as usize];
                let now: BTreeMap<i64, i64> =
                    ladder.levels(side).map(|level| (level.price.0, level.qty.0)).collect();
                if anew {
                    rows.extend(ladder.levels(side));
                } else {
                    let gone = held.keys().filter(|price| !now.contains_key(price));
                    rows.extend(gone.map(|price| Level::new(*price, 0)));
                    let new = now.iter().filter(|(price, qty)| held.get(price) != Some(qty));
                    rows.extend(new.map(|(price, qty)| Level::new(*price, *qty)));
                }
                *held = if seen.keep > 0 { now } else { BTreeMap::new() };
            }
            let [bids, asks] = &rows;
            self.sink.rows(&of, &Rows { anew, number, seq, bids, asks })?;
        }
        let best = Side::BOTH.map(|side| ladder.best_level(side));
        if best != known.best {
            known.best = best;
            self.sink.top(&of, false, best)?;
        }
        Ok(())
    }

    fn read_trades(&mut self, venue: &'static Venue, view: &View<'_>) -> Result<(), ExportError> {
        self.trades.clear();
        match view.kind {
            RecordKind::Text => (venue.trades)(view.message.message(), &mut self.trades),
            RecordKind::Decoded => self.trades.extend(decoded::trade(view.message.message())),
            _ => {}
        }
        for trade in &self.trades {
            let venue = of_symbol(venue.id, trade.symbol.as_str());
            let of = subject(venue, trade.symbol, view.ts.unwrap_or_default(), trade.venue_time);
            self.sink.trade(&of, trade)?;
        }
        Ok(())
    }
}

fn subject(venue: &'static str, symbol: Symbol, received: Nanos, venue_time: Nanos) -> Subject {
    // Of captures without local times the venue's must do, and the other way round.
    let received = if received == Nanos::ZERO { venue_time } else { received };
    let venue_time = if venue_time == Nanos::ZERO { received } else { venue_time };
    Subject { venue, symbol, received, venue_time }
}

impl<S: Sink> Observer for Export<S> {
    fn message(&mut self, venue: &'static Venue, view: &View<'_>) {
        if self.failure.is_none() {
            let outcome = self.read_trades(venue, view);
            self.keep(outcome);
        }
    }

    fn changed(&mut self, seen: &Seen<'_>) {
        if self.failure.is_none() {
            let outcome = self.take(seen);
            self.keep(outcome);
        }
    }

    fn lost(&mut self, venue: &'static str, symbol: Symbol, now: Nanos) {
        let Some(known) = self.books.get_mut(&(venue, symbol.to_string())) else { return };
        *known = Known::default();
        if self.failure.is_none() {
            let outcome = self.sink.lost(&subject(venue, symbol, now, Nanos::ZERO));
            self.keep(outcome);
        }
    }
}
