//! hftbacktest's events: one array `data` of 64-byte records in a `.npz` file (a ZIP of one `.npy`).
//!
//! | field | type | here |
//! |---|---|---|
//! | `ev` | u64 | kind in the low bits: 1 depth, 2 trade, 3 depth cleared, 4 depth snapshot; flags 31 exchange, 30 local, 29 buy, 28 sell |
//! | `exch_ts`, `local_ts` | i64 | ns; the local one moved by the shift that was asked for |
//! | `px`, `qty` | f64 | the nearest to the exact decimal |
//! | `order_id`, `ival`, `fval` | u64, i64, f64 | 0 |
//!
//! A book that begins anew is cleared on both sides up to the furthest price that it may hold, then
//! told level by level. A lost book is cleared. hftbacktest asks for local times that are not before
//! the exchange's, which is what the shift is for; where the exchange's own times fall, run its
//! `correct_event_order`.

use std::io::{self, Seek, SeekFrom, Write};

use super::{ExportError, Rows, Sink, Subject};
use crate::types::{Fixed, Nanos, Scale, Symbol};
use crate::venue::{Taker, Trade};

const DEPTH: u64 = 1;
const TRADE: u64 = 2;
const CLEAR: u64 = 3;
const SNAPSHOT: u64 = 4;
/// Both the exchange and the local side see each event.
const BOTH: u64 = 1 << 31 | 1 << 30;
const SIDES: [u64; 2] = [1 << 29, 1 << 28];

const EVENT: u64 = 64;
/// Length of the array's header: its text is padded to it, so that it can be written again at the end.
const HEADER: usize = 256;
/// What the ZIP has in front of the array: the entry's head, its name, and a field for long files.
const NAME: &[u8] = b"data.npy";
const LOCAL: usize = 30 + NAME.len() + 20;

/// Writes the events of one book.
pub struct Events<W> {
    out: W,
    venue: &'static str,
    symbol: Symbol,
    shift: Nanos,
    events: u64,
    crc: crc32fast::Hasher,
    /// Lowest bid and highest ask since the book was cleared.
    furthest: [Option<i64>; 2],
}

impl<W: Write + Seek> Events<W> {
    /// Events of one book; `shift` is added to local times.
    ///
    /// # Errors
    /// [`ExportError`] when nothing can be written.
    pub fn new(
        mut out: W,
        venue: &'static str,
        symbol: Symbol,
        shift: Nanos,
    ) -> Result<Events<W>, ExportError> {
        out.write_all(&[0; LOCAL + HEADER])?;
        let crc = crc32fast::Hasher::new();
        Ok(Events { out, venue, symbol, shift, events: 0, crc, furthest: [None; 2] })
    }

    /// Events written so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`Events::new`].
    pub fn finish(mut self) -> Result<W, ExportError> {
        let header = header(self.events);
        let body = std::mem::take(&mut self.crc);
        // The header comes first, and is known last: checksums can be joined.
        let mut crc = crc32fast::Hasher::new();
        crc.update(&header);
        crc.combine(&body);
        let (crc, size) = (crc.finalize(), HEADER as u64 + self.events * EVENT);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&local_head(crc, size))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::End(0))?;
        self.out.write_all(&directory(crc, size))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn is(&self, of: &Subject) -> bool {
        self.venue == of.venue && self.symbol == of.symbol
    }

    fn event(&mut self, of: &Subject, ev: u64, price: i64, qty: i64) -> io::Result<()> {
        let mut record = [0; EVENT as usize];
        let fields = [
            (BOTH | ev).to_le_bytes(),
            of.venue_time.0.to_le_bytes(),
            (of.received + self.shift).0.to_le_bytes(),
            nearest(price).to_le_bytes(),
            nearest(qty).to_le_bytes(),
        ];
        for (to, from) in record.as_chunks_mut::<8>().0.iter_mut().zip(fields) {
            *to = from;
        }
        self.crc.update(&record);
        self.events += 1;
        self.out.write_all(&record)
    }

    fn clear(&mut self, of: &Subject) -> io::Result<()> {
        for (side, furthest) in SIDES.into_iter().zip(std::mem::take(&mut self.furthest)) {
            if let Some(price) = furthest {
                self.event(of, CLEAR | side, price, 0)?;
            }
        }
        Ok(())
    }
}

impl<W: Write + Seek> Sink for Events<W> {
    fn rows(&mut self, of: &Subject, rows: &Rows<'_>) -> Result<(), ExportError> {
        if !self.is(of) {
            return Ok(());
        }
        if rows.anew {
            self.clear(of)?;
        }
        let kind = if rows.anew { SNAPSHOT } else { DEPTH };
        for level in rows.bids {
            self.furthest[0] = Some(self.furthest[0].map_or(level.price.0, |low| low.min(level.price.0)));
            self.event(of, kind | SIDES[0], level.price.0, level.qty.0)?;
        }
        for level in rows.asks {
            self.furthest[1] = Some(self.furthest[1].map_or(level.price.0, |high| high.max(level.price.0)));
            self.event(of, kind | SIDES[1], level.price.0, level.qty.0)?;
        }
        Ok(())
    }

    fn trade(&mut self, of: &Subject, trade: &Trade) -> Result<(), ExportError> {
        if !self.is(of) {
            return Ok(());
        }
        let side = match trade.taker {
            Taker::Buyer => SIDES[0],
            Taker::Seller => SIDES[1],
            Taker::Unknown => 0,
        };
        Ok(self.event(of, TRADE | side, trade.price.0, trade.qty.0)?)
    }

    fn lost(&mut self, of: &Subject) -> Result<(), ExportError> {
        if self.is(of) {
            self.clear(of)?;
        }
        Ok(())
    }
}

/// The float nearest to a number in units of 1e-8: by its text, since a division of a large one would
/// round twice.
fn nearest(value: i64) -> f64 {
    Fixed(value, Scale::DEFAULT).to_string().parse().unwrap_or(f64::NAN)
}

/// The array's header.
fn header(events: u64) -> [u8; HEADER] {
    let fields: String = [
        ("ev", "<u8"),
        ("exch_ts", "<i8"),
        ("local_ts", "<i8"),
        ("px", "<f8"),
        ("qty", "<f8"),
        ("order_id", "<u8"),
        ("ival", "<i8"),
        ("fval", "<f8"),
    ]
    .map(|(name, kind)| format!("('{name}', '{kind}'), "))
    .concat();
    let fields = fields.trim_end_matches(", ");
    let text = format!("{{'descr': [{fields}], 'fortran_order': False, 'shape': ({events},), }}");
    let mut header = [b' '; HEADER];
    header[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    header[8..10].copy_from_slice(&((HEADER - 10) as u16).to_le_bytes());
    header[10..10 + text.len()].copy_from_slice(text.as_bytes());
    header[HEADER - 1] = b'\n';
    header
}

/// The version that knows files beyond 4 GiB.
const ZIP64: u16 = 45;
/// 1 January 1980: the same bytes from the same capture.
const DATE: u16 = 0x21;

/// What stands in front of the entry: sizes in the field for long files.
fn local_head(crc: u32, size: u64) -> Vec<u8> {
    let mut out = b"PK\x03\x04".to_vec();
    for word in [ZIP64, 0, 0, 0, DATE] {
        out.extend(word.to_le_bytes());
    }
    for word in [crc, u32::MAX, u32::MAX] {
        out.extend(word.to_le_bytes());
    }
    out.extend((NAME.len() as u16).to_le_bytes());
    out.extend(20u16.to_le_bytes());
    out.extend(NAME);
    out.extend([1, 0, 16, 0]);
    out.extend(size.to_le_bytes());
    out.extend(size.to_le_bytes());
    out
}

/// The directory behind the entry, in both its forms.
fn directory(crc: u32, size: u64) -> Vec<u8> {
    let mut out = b"PK\x01\x02".to_vec();
    for word in [ZIP64, ZIP64, 0, 0, 0, DATE] {
        out.extend(word.to_le_bytes());
    }
    for word in [crc, u32::MAX, u32::MAX] {
        out.extend(word.to_le_bytes());
    }
    for word in [NAME.len() as u16, 20, 0, 0, 0] {
        out.extend(word.to_le_bytes());
    }
    out.extend([0; 8]); // attributes, and where the entry is: at the start
    out.extend(NAME);
    out.extend([1, 0, 16, 0]);
    out.extend(size.to_le_bytes());
    out.extend(size.to_le_bytes());
    let (length, at) = (out.len() as u64, LOCAL as u64 + size);

    out.extend(b"PK\x06\x06");
    out.extend(44u64.to_le_bytes());
    out.extend(ZIP64.to_le_bytes());
    out.extend(ZIP64.to_le_bytes());
    out.extend([0; 8]);
    for word in [1, 1, length, at] {
        out.extend(word.to_le_bytes());
    }
    out.extend(b"PK\x06\x07");
    out.extend(0u32.to_le_bytes());
    out.extend((at + length).to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(b"PK\x05\x06");
    for word in [0, 0, 1u16, 1] {
        out.extend(word.to_le_bytes());
    }
    out.extend((length as u32).to_le_bytes());
    out.extend(u32::MAX.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out
}
