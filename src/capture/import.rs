//! Captures of any format into one container.

use std::io::{Seek, Write};

use super::Capture;
use super::merge::Source;
use super::record::{RecordKind, View};
use super::store::{StoreError, StoreWriter};
use crate::venue;
use crate::wire::PaddedBuf;

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

/// Errors told in full.
const MOST_ERRORS: usize = 10;
/// Records between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

/// Writes everything in the order of time. A record without a time goes with the one before it.
///
/// # Errors
/// [`StoreError`] when the container cannot be written.
pub fn import<W: Write + Seek>(
    sources: Vec<Source<'_>>,
    out: &mut StoreWriter<W>,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, StoreError> {
    let mut capture = Capture::merged(sources);
    let mut report = ImportReport::default();
    // By connection: its number in the container.
    let mut connections: Vec<Option<usize>> = Vec::new();
    let (mut text, mut padded) = (Vec::new(), PaddedBuf::default());
    loop {
        match capture.advance() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                report.unreadable += 1;
                if report.errors.len() < MOST_ERRORS {
                    report.errors.push(error.to_string());
                }
                continue;
            }
        }
        let view = capture.view();
        if connections.len() <= view.conn {
            connections.resize(view.conn + 1, None);
        }
        let connection =
            *connections[view.conn].get_or_insert_with(|| out.connection(view.venue, view.connection));
        match venue::find(view.venue).filter(|_| view.kind == RecordKind::Sent) {
            // What was sent may have been a login.
            Some(row) => {
                text.clear();
                row.secrets.blank(view.message.message(), &mut text);
                out.write(connection, &View { message: padded.fill(&text), ..view })?;
            }
            None => out.write(connection, &view)?,
        }
        if let Some(ts) = view.ts {
            report.from_ns = if report.from_ns == 0 { ts.0 } else { report.from_ns.min(ts.0) };
            report.to_ns = report.to_ns.max(ts.0);
        }
        report.records += 1;
        if report.records % PROGRESS_EVERY == 0 {
            progress(ImportProgress { records: report.records, bytes: capture.position() });
        }
    }
    let dropped = capture.dropped();
    if dropped > 0 {
        out.dropped(dropped)?;
    }
    Ok(report)
}
