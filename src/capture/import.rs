//! Captures of any format, merged in the order of time into one container.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use super::Capture;
use super::record::{CaptureError, RecordKind, View};
use super::store::{StoreError, StoreWriter};
use crate::types::Nanos;
use crate::venue::{self, Clue};
use crate::wire::PaddedBuf;

/// A capture to import, and whose its connections are, as a replay of it found.
pub struct Source<'a> {
    /// As it was given, for people.
    pub path: String,
    /// The capture, from its beginning.
    pub capture: Capture<'a>,
    /// By connection.
    pub claims: Vec<Option<&'static str>>,
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ImportProgress {
    /// Records written.
    pub records: u64,
    /// Bytes of all sources that were used.
    pub bytes: u64,
}

/// What an import did.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct ImportReport {
    /// Records written.
    pub records: u64,
    /// First receive time, in ns since the epoch; 0 when there is none.
    pub from_ns: i64,
    /// Last receive time.
    pub to_ns: i64,
    /// Records that could not be read, and are missing.
    pub unreadable: u64,
    /// The first of them, with their places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// An import under way.
pub struct Import<'a> {
    sources: Vec<Input<'a>>,
    report: ImportReport,
}

struct Input<'a> {
    source: Source<'a>,
    /// Time of the record at hand, or of the one before it where it has none itself; `None` at the
    /// end.
    at: Option<Nanos>,
    /// Numbers of the connections in the container: by connection, and of HTTP answers, which may be
    /// several venues' on one connection, by venue.
    connections: BTreeMap<(usize, &'static str), usize>,
}

/// Errors told in full.
const MOST_ERRORS: usize = 10;
/// Records between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

impl<'a> Import<'a> {
    /// An import of these.
    pub fn new(sources: Vec<Source<'a>>) -> Import<'a> {
        let input = |source| Input { source, at: Some(Nanos(i64::MIN)), connections: BTreeMap::new() };
        let mut import =
            Import { sources: sources.into_iter().map(input).collect(), report: ImportReport::default() };
        for at in 0..import.sources.len() {
            import.advance(at);
        }
        import
    }

    /// Writes everything: by time, ties in the order of the sources. A record without a time goes with
    /// the one before it.
    ///
    /// # Errors
    /// [`StoreError`] when the container cannot be written.
    pub fn run<W: Write + Seek>(
        mut self,
        out: &mut StoreWriter<W>,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<ImportReport, StoreError> {
        let mut blanked = (Vec::new(), PaddedBuf::default());
        while let Some(at) = self.first() {
            let input = &mut self.sources[at];
            let view = input.source.capture.view();
            let venue = venue_of(&view, input.source.claims.get(view.conn).copied().flatten());
            let connection = *input
                .connections
                .entry((view.conn, venue))
                .or_insert_with(|| out.connection(venue, view.connection));
            match venue::find(venue).filter(|_| view.kind == RecordKind::Sent) {
                // What was sent may have been a login.
                Some(row) => {
                    let (text, padded) = &mut blanked;
                    text.clear();
                    row.secrets.blank(view.message.message(), text);
                    out.write(connection, &View { message: padded.fill(text), ..view })?;
                }
                None => out.write(connection, &view)?,
            }
            if let Some(ts) = view.ts {
                let report = &mut self.report;
                report.from_ns = if report.from_ns == 0 { ts.0 } else { report.from_ns.min(ts.0) };
                report.to_ns = report.to_ns.max(ts.0);
            }
            self.report.records += 1;
            if self.report.records % PROGRESS_EVERY == 0 {
                let bytes = self.sources.iter().map(|input| input.source.capture.position()).sum();
                progress(ImportProgress { records: self.report.records, bytes });
            }
            self.advance(at);
        }
        let lost = self.sources.iter().filter_map(|input| input.source.capture.meta());
        let dropped: u64 = lost.map(|meta| meta.dropped).sum();
        if dropped > 0 {
            out.dropped(dropped)?;
        }
        Ok(self.report)
    }

    /// The source whose record comes first.
    fn first(&self) -> Option<usize> {
        let times = self.sources.iter().enumerate().filter_map(|(at, input)| Some((input.at?, at)));
        times.min().map(|(_, at)| at)
    }

    /// Goes to the next record of a source that can be read.
    fn advance(&mut self, at: usize) {
        let input = &mut self.sources[at];
        loop {
            match input.source.capture.advance() {
                Ok(true) => {
                    input.at = input.source.capture.view().ts.or(input.at);
                    return;
                }
                Ok(false) => {
                    input.at = None;
                    return;
                }
                Err(error) => refuse(&mut self.report, &input.source.path, &error),
            }
        }
    }
}

fn refuse(report: &mut ImportReport, path: &str, error: &CaptureError) {
    report.unreadable += 1;
    if report.errors.len() < MOST_ERRORS {
        report.errors.push(format!("{path}: {error}"));
    }
}

/// Whose a record is: as its source says, as its address says, or as the replay found; empty when
/// nobody knows.
fn venue_of(view: &View<'_>, claim: Option<&'static str>) -> &'static str {
    if let Some(row) = venue::find(view.venue) {
        return row.id;
    }
    let answer = view.kind == RecordKind::HttpAnswer && !view.url.is_empty();
    let told = answer.then(|| venue::recognise(&Clue { url: view.url, message: b"" })).flatten();
    told.or(claim).unwrap_or_default()
}
