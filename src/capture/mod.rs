//! Captured feeds: containers, formats, and the replay that rebuilds books from them.
//!
//! - [`Capture`] reads any format, or several captures as one, record by record; [`Replay`] hands the
//!   records to the live feeds, and an [`Observer`] looks on: [`Gather`] for statistics, [`export`] for
//!   the forms of other programs.
//! - [`StoreWriter`] writes the project's own container, whose layout is described in [`store`];
//!   [`recorder()`] fills it from live inputs, [`import`](import()) from captures of any format.
//!
//! Formats are told apart by content, never by name. Reading is handed an open file and opens
//! nothing itself; what is wrong with a line is said of that line, and the next one is read.

mod container;
mod decoded;
pub mod export;
mod import;
mod json;
mod lines;
mod merge;
mod record;
mod recorder;
mod replay;
mod report;
mod stats;
pub mod store;
mod tardis;
mod ticker;

use std::collections::VecDeque;
use std::io::{Cursor, Read, Seek};

pub use container::{MAX_LINE, Text};
pub use import::{ImportProgress, ImportReport, import};
use lines::LineFormat;
use merge::Merged;
pub use merge::Source;
pub use record::{CaptureError, Record, RecordKind, View};
pub use recorder::{Intake, Recorder, private_input, public_input, recorder};
pub use replay::{Observer, Progress, Replay, ReplayError, Seen};
pub use report::{BookReport, Checksums, FileReport, Outcome, Sides, State, TickerReport};
pub use stats::{Crossing, CrossingStats, Delay, Gather, Stats, StreamStats};
use store::StoreReader;
pub use store::{Compression, StoreError, StoreMeta, StoreOptions, StoreWriter, VenueMeta};

use crate::types::Nanos;
use crate::wire::PaddedBuf;

/// Most text of a format that must be held whole to be sorted or parsed.
const MAX_WHOLE: usize = 2 << 30;

/// A capture being read.
pub struct Capture<'a> {
    body: Body<'a>,
    connections: Vec<String>,
    /// The record at hand, and its message with slack: of formats that are text.
    current: Record,
    padded: PaddedBuf,
    /// Records before it are passed over.
    from: Option<Nanos>,
}

enum Body<'a> {
    /// Lines as they come; the first ones were read ahead to know the connection's name.
    Lines { text: Box<Text<'a>>, format: LineFormat, ahead: Ahead, given: u64, line: Vec<u8> },
    /// Everything, sorted; errors stand where they were found.
    Whole { name: &'static str, items: std::vec::IntoIter<Result<Record, CaptureError>>, bytes: u64 },
    /// The project's own container.
    Store(Box<StoreReader<'a>>),
    /// A table of an archive.
    Rows(Box<tardis::Rows<'a>>),
    /// Several captures in the order of time.
    Merged(Merged<'a>),
}

/// Lines read ahead to find one that names the symbol.
const AHEAD: usize = 64;

impl<'a> Capture<'a> {
    /// Tells the format of an open file by its content.
    ///
    /// # Errors
    /// [`CaptureError`] when nothing of it can be read, or it is of no known format.
    pub fn new(mut input: Box<dyn Read + 'a>) -> Result<Capture<'a>, CaptureError> {
        let mut head = Vec::new();
        let taken = input.by_ref().take(store::MAGIC.len() as u64).read_to_end(&mut head);
        taken.map_err(|error| CaptureError::Read { at: 0, error: error.to_string() })?;
        let (current, padded) = (Record::default(), PaddedBuf::default());
        if head == store::MAGIC {
            let body = Body::Store(Box::new(StoreReader::new(input)));
            return Ok(Capture { body, connections: Vec::new(), current, padded, from: None });
        }
        let mut text = Text::new(Box::new(Cursor::new(head).chain(input)))?;
        let mut first = Vec::new();
        // Blank lines in front mean nothing.
        while first.iter().all(u8::is_ascii_whitespace) {
            if !text.next_line(&mut first)? {
                return Err(CaptureError::Empty);
            }
        }
        let mut connections = Vec::new();
        let body = if json::is_header(&first) {
            let items = read_jsonl(&mut text, &mut connections);
            Body::Whole { name: "cryptofeed-jsonl", items: items.into_iter(), bytes: text.position() }
        } else if let Some(header) = tardis::Header::of(&first) {
            Body::Rows(Box::new(tardis::Rows::new(text, header)))
        } else if let Some(format) = LineFormat::of(&first) {
            let ahead = read_ahead(&mut text, first, format);
            Body::Lines { text: Box::new(text), format, ahead, given: 0, line: Vec::new() }
        } else {
            first.push(b'\n');
            let (rest, torn) = text.rest(MAX_WHOLE);
            let mut whole = first;
            whole.extend_from_slice(&rest);
            if !json::looks_like_document(&whole) {
                let head = whole.iter().take(60).copied().collect::<Vec<_>>();
                return Err(CaptureError::Unknown(String::from_utf8_lossy(&head).trim_end().to_owned()));
            }
            let (records, error) = json::read_document(&whole);
            connections.push(String::new());
            let errors = torn.or(error).map(Err);
            let items: Vec<_> = records.into_iter().map(Ok).chain(errors).collect();
            Body::Whole { name: "init-updates", items: items.into_iter(), bytes: text.position() }
        };
        Ok(Capture { body, connections, current, padded, from: None })
    }

    /// An open file from a time on: earlier records are passed over, and of the project's container
    /// chunks of earlier ones are not even read. A book whose snapshot was earlier waits for its next.
    ///
    /// # Errors
    /// As [`Capture::new`].
    pub fn since<R: Read + Seek + 'a>(mut input: R, from: Nanos) -> Result<Capture<'a>, CaptureError> {
        let failed = |error: std::io::Error| CaptureError::Read { at: 0, error: error.to_string() };
        let mut head = Vec::new();
        input.by_ref().take(store::MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let mut capture = if head == store::MAGIC {
            let parts = store::Parts::since(input, from).map_err(failed)?;
            Capture::new(Box::new(Cursor::new(head).chain(parts)))?
        } else {
            input.rewind().map_err(failed)?;
            Capture::new(Box::new(input))?
        };
        capture.from = Some(from);
        Ok(capture)
    }

    /// Several captures as one: their records in the order of time, ties in the order given. A record
    /// without a time goes with the one before it.
    pub fn merged(sources: Vec<Source<'a>>) -> Capture<'a> {
        let body = Body::Merged(Merged::new(sources));
        let (current, padded) = (Record::default(), PaddedBuf::default());
        Capture { body, connections: Vec::new(), current, padded, from: None }
    }

    /// The format's name.
    pub fn format(&self) -> &'static str {
        match &self.body {
            Body::Lines { format, .. } => format.name(),
            Body::Whole { name, .. } => name,
            Body::Store(_) => "mcap",
            Body::Rows(rows) => rows.table().name(),
            Body::Merged(_) => "merged",
        }
    }

    /// Messages that recorders lost, as far as was read.
    pub fn dropped(&self) -> u64 {
        match &self.body {
            Body::Merged(merged) => merged.dropped(),
            _ => self.meta().map_or(0, |meta| meta.dropped),
        }
    }

    /// What a container of ours says of itself, as far as it was read; `None` for other formats.
    pub fn meta(&self) -> Option<&StoreMeta> {
        match &self.body {
            Body::Store(store) => Some(store.meta()),
            Body::Lines { .. } | Body::Whole { .. } | Body::Rows(_) | Body::Merged(_) => None,
        }
    }

    /// The connections seen so far, by the capture's own names; empty names where it has none.
    pub fn connections(&self) -> &[String] {
        &self.connections
    }

    /// Whether a connection's name is the one symbol that it carries, in the venue's small letters.
    pub fn connections_are_symbols(&self) -> bool {
        matches!(self.body, Body::Lines { format: LineFormat::Stamped, .. })
    }

    /// Bytes of the file that were used so far.
    pub fn position(&self) -> u64 {
        match &self.body {
            Body::Lines { text, .. } => text.position(),
            Body::Whole { bytes, .. } => *bytes,
            Body::Store(store) => store.position(),
            Body::Rows(rows) => rows.position(),
            Body::Merged(merged) => merged.position(),
        }
    }

    /// Goes to the next record, which [`Capture::view`] then shows; false at the end. Of the
    /// project's container nothing is copied.
    ///
    /// # Errors
    /// As [`Capture::next`].
    #[inline(always)]
    pub fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            let more = self.advance_any()?;
            if !more || self.from.is_none() || self.is_wanted(self.head().0) {
                return Ok(more);
            }
        }
    }

    /// Not before the time that is read from; a record without a time always is.
    #[inline]
    fn is_wanted(&self, at: Option<Nanos>) -> bool {
        self.from.zip(at).is_none_or(|(from, at)| at >= from)
    }

    #[inline(always)]
    fn advance_any(&mut self) -> Result<bool, CaptureError> {
        match &mut self.body {
            Body::Store(store) => store.advance(),
            Body::Merged(merged) => merged.advance(),
            _ => self.advance_text(),
        }
    }

    /// A record of a format that is text, with slack behind its message.
    fn advance_text(&mut self) -> Result<bool, CaptureError> {
        let mut record = std::mem::take(&mut self.current);
        let more = self.next_any(&mut record);
        self.padded.fill(&record.bytes);
        self.current = record;
        more
    }

    /// Time and kind of the record that [`Capture::advance`] went to.
    #[inline]
    pub fn head(&self) -> (Option<Nanos>, RecordKind) {
        if let Body::Store(store) = &self.body {
            return store.head();
        }
        let view = self.view();
        (view.ts, view.kind)
    }

    /// The record that [`Capture::advance`] went to.
    #[inline(always)]
    pub fn view(&self) -> View<'_> {
        match &self.body {
            Body::Store(store) => store.view(),
            Body::Merged(merged) => merged.view().unwrap_or_else(|| self.view_text()),
            _ => self.view_text(),
        }
    }

    /// As [`Capture::advance_text`] left it.
    fn view_text(&self) -> View<'_> {
        let name = self.connections.get(self.current.conn).map_or("", String::as_str);
        let venue = match &self.body {
            Body::Rows(rows) => rows.venues().get(self.current.conn).copied().unwrap_or_default(),
            _ => "",
        };
        self.current.view(name, venue, self.padded.message())
    }

    /// The next record into `record`; false at the end.
    ///
    /// # Errors
    /// [`CaptureError::Line`] for a line that cannot be read; the next call goes on behind it.
    /// [`CaptureError::Read`] where the file is damaged, the next call goes on behind it, or torn, the
    /// next call is the end.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, CaptureError> {
        loop {
            let more = self.next_any(record)?;
            if !more || self.is_wanted(record.ts) {
                return Ok(more);
            }
        }
    }

    fn next_any(&mut self, record: &mut Record) -> Result<bool, CaptureError> {
        match &mut self.body {
            Body::Store(store) => {
                let more = store.advance()?;
                if more {
                    store.view().copy_to(record);
                }
                let names = store.connections().iter().map(|(_, name)| name.clone());
                self.connections.extend(names.skip(self.connections.len()));
                Ok(more)
            }
            Body::Merged(merged) => {
                let more = merged.advance()?;
                if let Some(view) = merged.view() {
                    view.copy_to(record);
                }
                let names = merged.connections().skip(self.connections.len()).cloned();
                self.connections.extend(names.collect::<Vec<_>>());
                Ok(more)
            }
            Body::Rows(rows) => {
                let more = rows.next(record)?;
                let name = rows.table().name();
                self.connections.resize(rows.venues().len(), name.to_owned());
                Ok(more)
            }
            Body::Whole { items, .. } => match items.next() {
                None => Ok(false),
                Some(item) => {
                    *record = item?;
                    Ok(true)
                }
            },
            Body::Lines { text, format, ahead, given, line } => loop {
                match ahead.lines.pop_front() {
                    Some(first) => *line = first,
                    None => {
                        if let Some(error) = ahead.torn.take() {
                            return Err(error);
                        }
                        if !text.next_line(line)? {
                            return Ok(false);
                        }
                    }
                }
                *given += 1;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let label =
                    format.read(line, record).map_err(|what| CaptureError::Line { line: *given, what })?;
                let name = match format {
                    LineFormat::Labelled => String::from_utf8_lossy(label),
                    LineFormat::Stamped | LineFormat::Dialogue => ahead.conn.as_str().into(),
                };
                record.conn = connection(&mut self.connections, &name);
                record.line = *given;
                return Ok(true);
            },
        }
    }
}

fn connection(connections: &mut Vec<String>, name: &str) -> usize {
    connections.iter().position(|known| known == name).unwrap_or_else(|| {
        connections.push(name.to_owned());
        connections.len() - 1
    })
}

/// Lines that were read to know more about the file before its first record is given out.
#[derive(Default)]
struct Ahead {
    lines: VecDeque<Vec<u8>>,
    /// Where the file tore meanwhile: comes up behind the lines.
    torn: Option<CaptureError>,
    /// The name of the only connection.
    conn: String,
}

/// Reads ahead until a line names the symbol that the file is about: it names the connection, so
/// that the next day's file continues it, and another symbol's does not.
fn read_ahead(text: &mut Text<'_>, first: Vec<u8>, format: LineFormat) -> Ahead {
    let mut ahead = Ahead { lines: VecDeque::from([first]), ..Ahead::default() };
    if format != LineFormat::Stamped {
        return ahead;
    }
    while ahead.lines.len() < AHEAD {
        if let Some(name) = ahead.lines.back().and_then(|line| lines::stream_symbol(line)) {
            ahead.conn = name.to_owned();
            break;
        }
        let mut line = Vec::new();
        match text.next_line(&mut line) {
            Ok(true) => ahead.lines.push_back(line),
            Ok(false) => break,
            Err(error) => {
                ahead.torn = Some(error);
                break;
            }
        }
    }
    ahead
}

fn read_jsonl(text: &mut Text<'_>, connections: &mut Vec<String>) -> Vec<Result<Record, CaptureError>> {
    let mut items = Vec::new();
    let mut line = Vec::new();
    let mut held = 0usize;
    loop {
        match text.next_line(&mut line) {
            Ok(true) if line.iter().all(u8::is_ascii_whitespace) => {}
            Ok(true) => {
                // The header was line 1 of the text.
                let number = text.line_number();
                match json::read_line(&line) {
                    Ok(None) => {}
                    Ok(Some((mut record, conn))) => {
                        held += record.bytes.len();
                        record.conn = connection(connections, &conn);
                        record.line = number;
                        items.push(Ok(record));
                    }
                    Err(what) => items.push(Err(CaptureError::Line { line: number, what })),
                }
            }
            Ok(false) => break,
            Err(error) => {
                items.push(Err(error));
                break;
            }
        }
        if held > MAX_WHOLE {
            let error = format!("more than {MAX_WHOLE} bytes of messages");
            items.push(Err(CaptureError::Read { at: text.position(), error }));
            break;
        }
    }
    // Stable: ties stay in the order of lines. What could not be read comes last.
    items.sort_by_key(|item| item.as_ref().map_or(i64::MAX, |record| record.ts.unwrap_or_default().0));
    items
}
