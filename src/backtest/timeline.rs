//! The records of several captures in the order of local time; ties in the order of files and lines.

use crate::capture::{Capture, CaptureError, FileReport, RecordKind, View};
use crate::types::Nanos;

/// Errors told in full, of each file.
const MOST_ERRORS: usize = 10;

/// Captures being read together, each at its next record. Nothing is copied where a capture can be read
/// in place.
pub struct Timeline<'a> {
    sources: Vec<Source<'a>>,
    /// The time of the next record, and its file.
    first: Option<(Nanos, usize)>,
    /// Nothing later is given out.
    until: Nanos,
}

/// One capture.
struct Source<'a> {
    capture: Capture<'a>,
    report: FileReport,
    /// The time of the record that the capture is at, and whether it is a message; `None` at the end.
    head: Option<(Nanos, bool)>,
    /// Records without a time of their own have that of the one before.
    last: Nanos,
}

impl<'a> Timeline<'a> {
    /// The captures, by the names they are reported under, in the order that settles ties.
    pub fn new(captures: impl IntoIterator<Item = (String, Capture<'a>)>) -> Timeline<'a> {
        let source = |(path, capture): (String, Capture<'a>)| {
            let report = FileReport { path, format: capture.format(), ..FileReport::default() };
            let mut source = Source { capture, report, head: None, last: Nanos::ZERO };
            source.read();
            source
        };
        let sources: Vec<_> = captures.into_iter().map(source).collect();
        let first = first(&sources);
        Timeline { sources, first, until: Nanos::MAX }
    }

    /// Ends it with the last record at or before that time.
    pub fn end_at(&mut self, until: Nanos) {
        self.until = until;
    }

    /// The time of the next record.
    pub fn next_at(&self) -> Option<Nanos> {
        self.next().map(|(_, at)| at)
    }

    /// Which file the next record is of, and its time.
    #[inline]
    pub fn next(&self) -> Option<(usize, Nanos)> {
        let (at, file) = self.first?;
        (at <= self.until).then_some((file, at))
    }

    /// Whether records are left that were later than the end.
    pub fn is_cut(&self) -> bool {
        self.first.is_some() && self.next().is_none()
    }

    /// The record that a file is at, and whether its connection's name is the one symbol that it
    /// carries.
    pub fn view(&self, file: usize) -> Option<(View<'_>, bool)> {
        let source = self.sources.get(file).filter(|source| source.head.is_some())?;
        let view = source.capture.view();
        Some((view, source.capture.connections_are_symbols() && !view.connection.is_empty()))
    }

    /// Takes a file to its next record.
    pub fn pass(&mut self, file: usize) {
        if let Some(source) = self.sources.get_mut(file)
            && let Some((_, message)) = source.head
        {
            source.report.messages += u64::from(message);
            source.read();
            self.first = first(&self.sources);
        }
    }

    /// A message of that file could not be read, or carries no book.
    pub fn malformed(&mut self, file: usize, error: String) {
        if let Some(source) = self.sources.get_mut(file) {
            source.malformed(error);
        }
    }

    /// Bytes of all files that were used so far.
    pub fn position(&self) -> u64 {
        self.sources.iter().map(|source| source.capture.position()).sum()
    }

    /// Messages given out so far.
    pub fn messages(&self) -> u64 {
        self.sources.iter().map(|source| source.report.messages).sum()
    }

    /// The files as they were read.
    pub fn files(&self) -> impl Iterator<Item = &FileReport> {
        self.sources.iter().map(|source| &source.report)
    }
}

/// The first record of all; ties in the order of files.
fn first(sources: &[Source<'_>]) -> Option<(Nanos, usize)> {
    sources.iter().enumerate().filter_map(|(file, source)| Some((source.head?.0, file))).min()
}

impl Source<'_> {
    /// Goes to the next record.
    fn read(&mut self) {
        self.head = None;
        loop {
            match self.capture.advance() {
                Ok(true) => {
                    let (at, kind) = self.capture.head();
                    self.last = at.unwrap_or(self.last);
                    self.head = Some((self.last, kind == RecordKind::Text));
                    return;
                }
                Ok(false) => {
                    self.report.dropped = self.capture.dropped();
                    return;
                }
                Err(error) => {
                    let ends = matches!(error, CaptureError::Unknown(_) | CaptureError::Empty);
                    self.malformed(error.to_string());
                    if ends {
                        return;
                    }
                }
            }
        }
    }

    fn malformed(&mut self, error: String) {
        self.report.malformed += 1;
        if self.report.errors.len() < MOST_ERRORS {
            self.report.errors.push(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(lines: &[&'static str]) -> Capture<'static> {
        Capture::new(Box::new(std::io::Cursor::new(lines.join("\n").into_bytes()))).unwrap()
    }

    #[test]
    fn records_come_in_the_order_of_time_files_and_lines() {
        let one = capture(&[
            r#"1700000000000000005 {"stream":"a@x","n":1}"#,
            r#"1700000000000000007 {"stream":"a@x","n":2}"#,
            r#"1700000000000000007 {"stream":"a@x","n":3}"#,
            "no line of it",
            r#"1700000000000000009 {"stream":"a@x","n":4}"#,
        ]);
        let two = capture(&[
            r#"1700000000000000004 {"stream":"b@x","n":5}"#,
            r#"1700000000000000007 {"stream":"b@x","n":6}"#,
        ]);
        let mut timeline = Timeline::new([("one".to_owned(), one), ("two".to_owned(), two)]);
        assert_eq!(timeline.next_at(), Some(Nanos(1_700_000_000_000_000_004)));
        let mut order = String::new();
        while let Some((file, at)) = timeline.next() {
            let (view, is_symbol) = timeline.view(file).unwrap();
            assert_eq!((view.ts, view.connection, is_symbol), (Some(at), ["a", "b"][file], true));
            let bytes = view.message.message();
            order.push(char::from(bytes[bytes.len() - 2]));
            timeline.pass(file);
        }
        assert_eq!(order, "512364");
        assert_eq!(timeline.messages(), 6);
        let malformed: Vec<u64> = timeline.files().map(|file| file.malformed).collect();
        assert_eq!(malformed, [1, 0]);
    }
}
