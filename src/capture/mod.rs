//! Captured feeds: containers, formats, and the replay that rebuilds books from them.
//!
//! Formats are told apart by content, never by name. Reading is handed an open file and opens
//! nothing itself; what is wrong with a line is said of that line, and the next one is read.

mod container;
mod json;
mod lines;
mod record;
mod replay;
mod report;
mod ticker;

use std::collections::VecDeque;
use std::io::Read;

pub use container::{MAX_LINE, Text};
use lines::LineFormat;
pub use record::{CaptureError, Record, RecordKind};
pub use replay::{Progress, Replay, ReplayError};
pub use report::{BookReport, Checksums, FileReport, Outcome, Sides, State, TickerReport};

/// Most text of a format that must be held whole to be sorted or parsed.
const MAX_WHOLE: usize = 2 << 30;

/// A capture being read.
pub struct Capture<'a> {
    text: Text<'a>,
    body: Body,
    connections: Vec<String>,
}

enum Body {
    /// Lines as they come; the first ones were read ahead to know the connection's name.
    Lines { format: LineFormat, ahead: Ahead, given: u64, line: Vec<u8> },
    /// Everything, sorted; errors stand where they were found.
    Whole { name: &'static str, items: std::vec::IntoIter<Result<Record, CaptureError>> },
}

/// Lines read ahead to find one that names the symbol.
const AHEAD: usize = 64;

impl<'a> Capture<'a> {
    /// Tells the format of an open file by its content.
    ///
    /// # Errors
    /// [`CaptureError`] when nothing of it can be read, or it is of no known format.
    pub fn new(input: Box<dyn Read + 'a>) -> Result<Capture<'a>, CaptureError> {
        let mut text = Text::new(input)?;
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
            Body::Whole { name: "cryptofeed-jsonl", items: items.into_iter() }
        } else if let Some(format) = LineFormat::of(&first) {
            let ahead = read_ahead(&mut text, first, format);
            Body::Lines { format, ahead, given: 0, line: Vec::new() }
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
            Body::Whole { name: "init-updates", items: items.into_iter() }
        };
        Ok(Capture { text, body, connections })
    }

    /// The format's name.
    pub fn format(&self) -> &'static str {
        match &self.body {
            Body::Lines { format, .. } => format.name(),
            Body::Whole { name, .. } => name,
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
        self.text.position()
    }

    /// The next record into `record`; false at the end.
    ///
    /// # Errors
    /// [`CaptureError::Line`] for a line that cannot be read; the next call goes on behind it.
    /// [`CaptureError::Read`] where the file tears; the next call is the end.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, CaptureError> {
        match &mut self.body {
            Body::Whole { items, .. } => match items.next() {
                None => Ok(false),
                Some(item) => {
                    *record = item?;
                    Ok(true)
                }
            },
            Body::Lines { format, ahead, given, line } => loop {
                match ahead.lines.pop_front() {
                    Some(first) => *line = first,
                    None => {
                        if let Some(error) = ahead.torn.take() {
                            return Err(error);
                        }
                        if !self.text.next_line(line)? {
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
