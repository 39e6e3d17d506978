//! Tardis CSV: `incremental_book_L2` and `trades`. What is written here is read back to the same books
//! by [`super::super::tardis`], as far as the form can tell them: it has no word for a book that was
//! lost, and times are in microseconds.

use std::collections::BTreeMap;
use std::io::Write;

use super::{ExportError, Rows, Sink, Subject};
use crate::types::{Fixed, Level, Scale};
use crate::venue::{Taker, Trade, to_archive};

const UPDATES: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";
const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";

/// Writes both tables.
pub struct Tables<W> {
    updates: W,
    trades: W,
    /// What the file says of each book: needed where a snapshot follows a snapshot, which the form
    /// would take for more of the first.
    books: BTreeMap<(&'static str, String), Told>,
}

#[derive(Default)]
struct Told {
    in_snapshot: bool,
    levels: [BTreeMap<i64, i64>; 2],
    /// Times must not fall, and messages must not share one: in µs.
    local: i64,
}

impl<W: Write> Tables<W> {
    /// Tables with their header lines.
    ///
    /// # Errors
    /// [`ExportError`] when nothing can be written.
    pub fn new(mut updates: W, mut trades: W) -> Result<Tables<W>, ExportError> {
        writeln!(updates, "{UPDATES}")?;
        writeln!(trades, "{TRADES}")?;
        Ok(Tables { updates, trades, books: BTreeMap::new() })
    }

    /// The writers again: updates, then trades.
    pub fn finish(self) -> (W, W) {
        (self.updates, self.trades)
    }
}

impl<W: Write> Sink for Tables<W> {
    fn rows(&mut self, of: &Subject, rows: &Rows<'_>) -> Result<(), ExportError> {
        let told = self.books.entry((of.venue, of.symbol.to_string())).or_default();
        // Only where a snapshot came last the whole book has to be known.
        let repeats = rows.anew && told.in_snapshot;
        let mut gone = [Vec::new(), Vec::new()];
        if repeats {
            for ((gone, held), new) in gone.iter_mut().zip(&told.levels).zip([rows.bids, rows.asks]) {
                let stays = |price: i64| new.iter().any(|level| level.price.0 == price);
                gone.extend(held.keys().filter(|price| !stays(**price)).map(|price| Level::new(*price, 0)));
            }
        }
        told.in_snapshot = rows.anew && !repeats;
        for (held, new) in told.levels.iter_mut().zip([rows.bids, rows.asks]) {
            held.clear();
            if rows.anew {
                held.extend(new.iter().map(|level| (level.price.0, level.qty.0)));
            }
        }
        // Two messages in one microsecond would be taken for one; harmless but for snapshots.
        told.local = of.received.micros().max(told.local + i64::from(rows.anew));
        let exchange = to_archive(of.venue, of.symbol.as_str());
        let (symbol, time, local, snapshot) =
            (of.symbol, of.venue_time.micros(), told.local, told.in_snapshot);
        let [gone_bids, gone_asks] = &gone;
        for (side, levels) in
            [("bid", gone_bids.as_slice()), ("bid", rows.bids), ("ask", gone_asks), ("ask", rows.asks)]
        {
            for level in levels {
                let [price, qty] = decimals(level.price.0, level.qty.0);
                writeln!(self.updates, "{exchange},{symbol},{time},{local},{snapshot},{side},{price},{qty}")?;
            }
        }
        Ok(())
    }

    fn trade(&mut self, of: &Subject, trade: &Trade) -> Result<(), ExportError> {
        let exchange = to_archive(of.venue, of.symbol.as_str());
        let (symbol, time, local) = (of.symbol, of.venue_time.micros(), of.received.micros());
        let [price, qty] = decimals(trade.price.0, trade.qty.0);
        let side = match trade.taker {
            Taker::Buyer => "buy",
            Taker::Seller => "sell",
            Taker::Unknown => "unknown",
        };
        writeln!(self.trades, "{exchange},{symbol},{time},{local},,{side},{price},{qty}")?;
        Ok(())
    }
}

fn decimals(price: i64, qty: i64) -> [Fixed; 2] {
    [Fixed(price, Scale::DEFAULT), Fixed(qty, Scale::DEFAULT)]
}
