//! Parquet, as Polars, DuckDB, Spark and Ray read it. Times are timestamps in ns, UTC; prices and
//! quantities are exact decimals with 8 places.
//!
//! | table | columns |
//! |---|---|
//! | updates | `time`, `venue_time`, `venue`, `symbol`, `change` (rows of one message share it), `seq`, `kind` (`snapshot`: the book was emptied before, `update`, `lost`: one row without a level), `side` (`bid`, `ask`), `price`, `qty` (0 removes) |
//! | tops | `time`, `venue_time`, `venue`, `symbol`, `source` (`depth`, `ticker`), `bid_price`, `bid_qty`, `ask_price`, `ask_qty`; null where a side is empty |
//! | trades | `time`, `venue_time`, `venue`, `symbol`, `price`, `qty`, `taker` (`buy`, `sell`, `unknown`) |
//!
//! `time` is the local receive time; `venue_time` the venue's, or the receive time where it tells none.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::{ExportError, Rows, Sink, Subject};
use crate::types::Level;
use crate::venue::{Taker, Trade};

/// Rows of a group: what is held in memory at a time.
const GROUP: usize = 1 << 17;

const TIME: &str = "REQUIRED INT64 time (TIMESTAMP(NANOS,true)); \
     REQUIRED INT64 venue_time (TIMESTAMP(NANOS,true)); \
     REQUIRED BYTE_ARRAY venue (STRING); REQUIRED BYTE_ARRAY symbol (STRING);";

/// One column being filled.
enum Column {
    Numbers(Vec<i64>),
    /// With gaps: values, and for each row whether it has one.
    Some(Vec<i64>, Vec<i16>),
    Words(Vec<ByteArray>),
    /// With gaps.
    SomeWords(Vec<ByteArray>, Vec<i16>),
}

impl Column {
    fn number(&mut self, value: i64) {
        match self {
            Column::Numbers(values) => values.push(value),
            Column::Some(..) => self.some(Some(value)),
            Column::Words(_) | Column::SomeWords(..) => {}
        }
    }

    fn some(&mut self, value: Option<i64>) {
        if let Column::Some(values, given) = self {
            given.push(i16::from(value.is_some()));
            values.extend(value);
        }
    }

    fn word(&mut self, word: &str) {
        let bytes = ByteArray::from(word.as_bytes().to_vec());
        match self {
            Column::Words(words) => words.push(bytes),
            Column::SomeWords(words, given) => {
                given.push(i16::from(!word.is_empty()));
                if !word.is_empty() {
                    words.push(bytes);
                }
            }
            Column::Numbers(_) | Column::Some(..) => {}
        }
    }
}

/// One file.
struct Table<W: Write + Send> {
    out: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

impl<W: Write + Send> Table<W> {
    /// A table of the columns that every table has, and these.
    fn new(out: W, name: &str, columns: &str) -> Result<Table<W>, ExportError> {
        let schema = Arc::new(parse_message_type(&format!("message {name} {{ {TIME} {columns} }}"))?);
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let kinds =
            schema.get_fields().iter().map(|field| match (field.get_physical_type(), field.is_optional()) {
                (::parquet::basic::Type::BYTE_ARRAY, false) => Column::Words(Vec::new()),
                (::parquet::basic::Type::BYTE_ARRAY, true) => Column::SomeWords(Vec::new(), Vec::new()),
                (_, false) => Column::Numbers(Vec::new()),
                (_, true) => Column::Some(Vec::new(), Vec::new()),
            });
        let columns = kinds.collect();
        Ok(Table { out: SerializedFileWriter::new(out, schema, Arc::new(properties))?, columns, rows: 0 })
    }

    /// Begins a row, and gives the columns that are the table's own.
    fn row(&mut self, of: &Subject) -> Result<&mut [Column], ExportError> {
        if self.rows == GROUP {
            self.write()?;
        }
        self.rows += 1;
        let (common, own) = self.columns.split_at_mut(4);
        if let [time, venue_time, venue, symbol] = common {
            time.number(of.received.0);
            venue_time.number(of.venue_time.0);
            venue.word(of.venue);
            symbol.word(of.symbol.as_str());
        }
        Ok(own)
    }

    /// Writes what is held as a row group.
    fn write(&mut self) -> Result<(), ExportError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        let mut columns = self.columns.iter_mut();
        while let Some(mut writer) = group.next_column()? {
            match columns.next() {
                Some(Column::Numbers(values)) => {
                    writer.typed::<Int64Type>().write_batch(values, None, None)?;
                    values.clear();
                }
                Some(Column::Some(values, given)) => {
                    writer.typed::<Int64Type>().write_batch(values, Some(given), None)?;
                    values.clear();
                    given.clear();
                }
                Some(Column::Words(words)) => {
                    writer.typed::<ByteArrayType>().write_batch(words, None, None)?;
                    words.clear();
                }
                Some(Column::SomeWords(words, given)) => {
                    writer.typed::<ByteArrayType>().write_batch(words, Some(given), None)?;
                    words.clear();
                    given.clear();
                }
                None => {}
            }
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<W, ExportError> {
        self.write()?;
        Ok(self.out.into_inner()?)
    }
}

/// The three tables.
pub struct Tables<W: Write + Send> {
    updates: Table<W>,
    tops: Table<W>,
    trades: Table<W>,
}

impl<W: Write + Send> Tables<W> {
    /// Begins the files.
    ///
    /// # Errors
    /// [`ExportError`] when nothing can be written.
    pub fn new(updates: W, tops: W, trades: W) -> Result<Tables<W>, ExportError> {
        let decimal = |name: &str| format!("OPTIONAL INT64 {name} (DECIMAL(18,8));");
        let [price, qty] = ["price", "qty"].map(decimal);
        let own = format!(
            "REQUIRED INT64 change; REQUIRED INT64 seq; REQUIRED BYTE_ARRAY kind (STRING); \
             OPTIONAL BYTE_ARRAY side (STRING); {price} {qty}"
        );
        let updates = Table::new(updates, "updates", &own)?;
        let best = ["bid_price", "bid_qty", "ask_price", "ask_qty"].map(decimal).concat();
        let tops = Table::new(tops, "tops", &format!("REQUIRED BYTE_ARRAY source (STRING); {best}"))?;
        let own = format!("{price} {qty} REQUIRED BYTE_ARRAY taker (STRING);");
        let trades = Table::new(trades, "trades", &own)?;
        Ok(Tables { updates, tops, trades })
    }

    /// Ends the files.
    ///
    /// # Errors
    /// As [`Tables::new`].
    pub fn finish(self) -> Result<[W; 3], ExportError> {
        Ok([self.updates.finish()?, self.tops.finish()?, self.trades.finish()?])
    }

    fn update(
        &mut self,
        of: &Subject,
        rows: (u64, u64, &str),
        side: &str,
        level: Option<&Level>,
    ) -> Result<(), ExportError> {
        let (change, seq, kind) = rows;
        if let [to_change, to_seq, to_kind, to_side, price, qty] = self.updates.row(of)? {
            to_change.number(change as i64);
            to_seq.number(seq as i64);
            to_kind.word(kind);
            to_side.word(side);
            price.some(level.map(|level| level.price.0));
            qty.some(level.map(|level| level.qty.0));
        }
        Ok(())
    }
}

impl<W: Write + Send> Sink for Tables<W> {
    fn rows(&mut self, of: &Subject, rows: &Rows<'_>) -> Result<(), ExportError> {
        let kind = if rows.anew { "snapshot" } else { "update" };
        let head = (rows.number, rows.seq, kind);
        for (side, levels) in [("bid", rows.bids), ("ask", rows.asks)] {
            for level in levels {
                self.update(of, head, side, Some(level))?;
            }
        }
        Ok(())
    }

    fn top(&mut self, of: &Subject, ticker: bool, best: [Option<Level>; 2]) -> Result<(), ExportError> {
        if let [source, columns @ ..] = self.tops.row(of)? {
            source.word(if ticker { "ticker" } else { "depth" });
            let values = best
                .into_iter()
                .flat_map(|level| [level.map(|level| level.price.0), level.map(|level| level.qty.0)]);
            columns.iter_mut().zip(values).for_each(|(column, value)| column.some(value));
        }
        Ok(())
    }

    fn trade(&mut self, of: &Subject, trade: &Trade) -> Result<(), ExportError> {
        if let [price, qty, taker] = self.trades.row(of)? {
            price.number(trade.price.0);
            qty.number(trade.qty.0);
            taker.word(match trade.taker {
                Taker::Buyer => "buy",
                Taker::Seller => "sell",
                Taker::Unknown => "unknown",
            });
        }
        Ok(())
    }

    fn lost(&mut self, of: &Subject) -> Result<(), ExportError> {
        self.update(of, (0, 0, "lost"), "", None)
    }
}
