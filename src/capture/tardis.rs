//! Tardis CSV: `incremental_book_L2`, `trades` and `book_snapshot_N`, told apart by their header line.
//! Columns are found by their names. Times are in microseconds; the archive's rules:
//!
//! - rows of one message have one `local_timestamp`: they become one record;
//! - a snapshot row behind an update row begins the book anew; further snapshot rows extend it;
//! - updates before the first snapshot are skipped, which the feed of decoded messages does;
//! - an amount of 0 removes the level.

use std::collections::BTreeMap;

use super::container::Text;
use super::decoded::{Decoded, What};
use super::record::{CaptureError, Record, RecordKind};
use crate::types::{self, Level, Nanos, Scale, Symbol};
use crate::venue::{Taker, from_archive};

/// Which of the archive's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    Updates,
    Trades,
    Snapshots,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Table::Updates => "tardis-incremental_book_L2",
            Table::Trades => "tardis-trades",
            Table::Snapshots => "tardis-book_snapshot",
        }
    }
}

/// Where the columns are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    table: Table,
    exchange: usize,
    symbol: usize,
    timestamp: usize,
    local: usize,
    is_snapshot: usize,
    side: usize,
    price: usize,
    amount: usize,
    /// Of snapshots: price and amount of each bid and each ask, best first.
    levels: [Vec<(usize, usize)>; 2],
}

impl Header {
    /// The header in a first line; `None` when it is something else.
    pub fn of(line: &[u8]) -> Option<Header> {
        let text = std::str::from_utf8(line).ok()?;
        let columns: Vec<&str> = text.split(',').map(str::trim).collect();
        let find = |name: &str| columns.iter().position(|column| *column == name);
        let side = |side: &str| {
            let at = |n: usize, what: &str| find(&format!("{side}[{n}].{what}"));
            (0..).map_while(|n| at(n, "price").zip(at(n, "amount"))).collect::<Vec<_>>()
        };
        let levels = [side("bids"), side("asks")];
        let single = find("side").zip(find("price")).zip(find("amount"));
        let table = match (single, find("is_snapshot")) {
            (Some(_), Some(_)) => Table::Updates,
            (Some(_), None) => Table::Trades,
            (None, _) if !levels[0].is_empty() && !levels[1].is_empty() => Table::Snapshots,
            _ => return None,
        };
        let ((side, price), amount) = single.unwrap_or_default();
        Some(Header {
            table,
            exchange: find("exchange")?,
            symbol: find("symbol")?,
            timestamp: find("timestamp")?,
            local: find("local_timestamp")?,
            is_snapshot: find("is_snapshot").unwrap_or_default(),
            side,
            price,
            amount,
            levels,
        })
    }
}

/// What rows must share to be of one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Message {
    conn: usize,
    symbol: Symbol,
    local: Nanos,
    venue_time: Nanos,
    snapshot: bool,
    /// Of a trade.
    taker_told: bool,
    line: u64,
}

/// A table being read.
pub(super) struct Rows<'a> {
    text: Text<'a>,
    header: Header,
    line: Vec<u8>,
    /// Venue of each connection: one for each venue that appears.
    venues: Vec<&'static str>,
    /// The message that rows are being gathered for, and its bids and asks.
    open: Option<Message>,
    levels: [Vec<Level>; 2],
    /// Books whose last message was a part of a snapshot.
    in_snapshot: BTreeMap<(usize, String), bool>,
    /// Found while a message was open: said once that is given out.
    held: Option<CaptureError>,
}

/// One row of updates or trades.
struct Row {
    message: Message,
    side: Option<usize>,
    level: Level,
}

const COLUMNS: &str = "expected as many columns as the header has";

impl<'a> Rows<'a> {
    /// A table whose header line was read.
    pub fn new(text: Text<'a>, header: Header) -> Rows<'a> {
        Rows {
            text,
            header,
            line: Vec::new(),
            venues: Vec::new(),
            open: None,
            levels: Default::default(),
            in_snapshot: BTreeMap::new(),
            held: None,
        }
    }

    pub fn table(&self) -> Table {
        self.header.table
    }

    /// Bytes of the file that were used so far.
    pub fn position(&self) -> u64 {
        self.text.position()
    }

    /// Venues of the connections so far.
    pub fn venues(&self) -> &[&'static str] {
        &self.venues
    }

    /// The next message into `record`; false at the end.
    ///
    /// # Errors
    /// As [`super::Capture::next`].
    pub fn next(&mut self, record: &mut Record) -> Result<bool, CaptureError> {
        loop {
            if let Some(error) = self.held.take() {
                return Err(error);
            }
            let mut line = std::mem::take(&mut self.line);
            let read = self.text.next_line(&mut line);
            let row = match read {
                Ok(true) if line.iter().all(u8::is_ascii_whitespace) => Ok(None),
                Ok(true) => self
                    .row(&line)
                    .map(Some)
                    .map_err(|what| CaptureError::Line { line: self.text.line_number(), what }),
                Ok(false) => {
                    self.line = line;
                    return Ok(self.close(record));
                }
                Err(error) => Err(error),
            };
            self.line = line;
            match row {
                Ok(None) => {}
                Ok(Some(row)) => {
                    if self.take(row, record) {
                        return Ok(true);
                    }
                }
                Err(error) => {
                    self.held = Some(error);
                    if self.close(record) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Takes a row in; true when the message before it is complete and was put into `record`.
    fn take(&mut self, row: Row, record: &mut Record) -> bool {
        let Row { mut message, side, level } = row;
        if self.header.table != Table::Updates {
            if self.header.table == Table::Trades {
                // Nobody tells who took: written as a bid, see the form of decoded messages.
                self.levels.iter_mut().for_each(Vec::clear);
                self.levels[side.unwrap_or_default()].push(level);
                message.taker_told = side.is_some();
            }
            self.open = Some(message);
            return self.close(record);
        }
        let joins = self.open.as_ref().is_some_and(|open| {
            let (line, venue_time) = (open.line, open.venue_time);
            Message { line, venue_time, ..message.clone() } == *open
        });
        let gave = !joins && self.close(record);
        if !joins {
            self.open = Some(message);
            self.levels.iter_mut().for_each(Vec::clear);
        }
        self.levels[side.unwrap_or_default()].push(level);
        gave
    }

    /// Puts the message at hand into `record`, if there is one.
    fn close(&mut self, record: &mut Record) -> bool {
        let Some(open) = self.open.take() else { return false };
        let what = match self.header.table {
            Table::Snapshots => What::Snapshot,
            Table::Trades if !open.taker_told => What::Trade(Taker::Unknown),
            Table::Trades if self.levels[0].is_empty() => What::Trade(Taker::Seller),
            Table::Trades => What::Trade(Taker::Buyer),
            Table::Updates => {
                let key = (open.conn, open.symbol.to_string());
                let before = self.in_snapshot.insert(key, open.snapshot);
                if open.snapshot && before != Some(true) { What::Snapshot } else { What::Update }
            }
        };
        let [bids, asks] = &self.levels;
        let symbol = open.symbol.as_str();
        Decoded { what, symbol, venue_time: open.venue_time, bids, asks }.write(&mut record.bytes);
        record.url.clear();
        (record.ts, record.conn, record.line) = (Some(open.local), open.conn, open.line);
        (record.kind, record.status) = (RecordKind::Decoded, 0);
        true
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, &'static str> {
        let text = std::str::from_utf8(line).map_err(|_| "expected UTF-8")?;
        let fields: Vec<&str> = text.split(',').collect();
        let field = |at: usize| fields.get(at).map(|field| field.trim()).ok_or(COLUMNS);
        let symbol = field(self.header.symbol)?;
        let venue = from_archive(field(self.header.exchange)?, symbol)
            .ok_or("expected an exchange that is known here")?;
        let conn = self.venues.iter().position(|known| *known == venue).unwrap_or_else(|| {
            self.venues.push(venue);
            self.venues.len() - 1
        });
        let micros = |at: usize| {
            let digits = field(at)?.parse::<i64>().ok().filter(|micros| *micros >= 0);
            digits.map(Nanos::from_micros).ok_or("expected a time in microseconds")
        };
        let level = |(price, amount): (usize, usize)| -> Result<Level, &'static str> {
            let number = |at: usize| {
                let text = field(at)?;
                types::parse(text.as_bytes(), Scale::DEFAULT)
                    .map_err(|_| "expected decimals with at most 8 places")
            };
            Ok(Level::new(number(price)?, number(amount)?))
        };
        let mut message = Message {
            conn,
            symbol: Symbol::new(symbol).ok_or("expected a symbol")?,
            local: micros(self.header.local)?,
            venue_time: micros(self.header.timestamp)?,
            snapshot: false,
            taker_told: false,
            line: self.text.line_number(),
        };
        let (mut side, mut own) = (None, Level::new(0, 0));
        match self.header.table {
            Table::Snapshots => {
                for (to, columns) in self.levels.iter_mut().zip(&self.header.levels) {
                    to.clear();
                    for &at in columns {
                        // A book with fewer levels leaves the rest empty.
                        if field(at.0)?.is_empty() {
                            break;
                        }
                        to.push(level(at)?);
                    }
                }
            }
            Table::Updates | Table::Trades => {
                own = level((self.header.price, self.header.amount))?;
                side = match field(self.header.side)? {
                    "bid" | "buy" => Some(0),
                    "ask" | "sell" => Some(1),
                    "unknown" if self.header.table == Table::Trades => None,
                    _ => return Err("expected `side` to be bid or ask, and of a trade buy, sell or unknown"),
                };
            }
        }
        if self.header.table == Table::Updates {
            message.snapshot = match field(self.header.is_snapshot)? {
                "true" => true,
                "false" => false,
                _ => return Err("expected `is_snapshot` to be true or false"),
            };
        }
        Ok(Row { message, side, level: own })
    }
}
