//! Several captures as one: records in the order of time, ties in the order of the captures.

use std::collections::BTreeMap;

use super::Capture;
use super::record::{CaptureError, RecordKind, View};
use crate::types::Nanos;
use crate::venue::{self, Clue};

/// A capture to merge, and whose its connections are, as a replay of it found.
pub struct Source<'a> {
    /// As it was given, for people.
    pub path: String,
    /// The capture, from its beginning.
    pub capture: Capture<'a>,
    /// By connection.
    pub claims: Vec<Option<&'static str>>,
}

/// Captures being merged.
pub(super) struct Merged<'a> {
    inputs: Vec<Input<'a>>,
    /// The input whose record is at hand, and the record's connection.
    at: Option<(usize, usize)>,
    /// Venue and name of each connection so far.
    connections: Vec<(&'static str, String)>,
}

struct Input<'a> {
    source: Source<'a>,
    /// Time of the record ahead, or of the one before it where it has none itself; `None` at the end.
    ahead: Option<Nanos>,
    /// The record ahead has not been read.
    stale: bool,
    /// By connection and venue: answers over HTTP may be several venues' on one connection.
    known: BTreeMap<(usize, &'static str), usize>,
}

impl<'a> Merged<'a> {
    pub fn new(sources: Vec<Source<'a>>) -> Merged<'a> {
        let input = |source| {
            let ahead = Some(Nanos(i64::MIN));
            Input { source, ahead, stale: true, known: BTreeMap::new() }
        };
        Merged { inputs: sources.into_iter().map(input).collect(), at: None, connections: Vec::new() }
    }

    /// Goes to the next record; false at the end of all.
    ///
    /// # Errors
    /// As [`Capture::next`], with the source's path.
    pub fn advance(&mut self) -> Result<bool, CaptureError> {
        if let Some((at, _)) = self.at.take() {
            self.inputs[at].stale = true;
        }
        for input in self.inputs.iter_mut().filter(|input| input.stale) {
            match input.source.capture.advance() {
                Ok(true) => {
                    input.ahead = input.source.capture.view().ts.or(input.ahead);
                    input.stale = false;
                }
                Ok(false) => (input.ahead, input.stale) = (None, false),
                Err(error) => {
                    let path = input.source.path.clone();
                    return Err(CaptureError::Of { path, error: Box::new(error) });
                }
            }
        }
        let times = self.inputs.iter().enumerate().filter_map(|(at, input)| Some((input.ahead?, at)));
        let Some((_, at)) = times.min() else { return Ok(false) };
        let input = &mut self.inputs[at];
        let view = input.source.capture.view();
        let venue = venue_of(&view, input.source.claims.get(view.conn).copied().flatten());
        let conn = *input.known.entry((view.conn, venue)).or_insert_with(|| {
            let same = |known: &(&str, String)| known.0 == venue && known.1 == view.connection;
            self.connections.iter().position(same).unwrap_or_else(|| {
                self.connections.push((venue, view.connection.to_owned()));
                self.connections.len() - 1
            })
        });
        self.at = Some((at, conn));
        Ok(true)
    }

    /// The record at hand; of an empty capture when there is none.
    pub fn view(&self) -> Option<View<'_>> {
        let (at, conn) = self.at?;
        let view = self.inputs.get(at)?.source.capture.view();
        let (venue, _) = self.connections.get(conn)?;
        Some(View { conn, venue, ..view })
    }

    /// Names of the connections so far.
    pub fn connections(&self) -> impl Iterator<Item = &String> {
        self.connections.iter().map(|(_, name)| name)
    }

    /// Bytes of all files that were used so far.
    pub fn position(&self) -> u64 {
        self.inputs.iter().map(|input| input.source.capture.position()).sum()
    }

    /// Messages that the recorders lost, as far as was read.
    pub fn dropped(&self) -> u64 {
        self.inputs.iter().filter_map(|input| input.source.capture.meta()).map(|meta| meta.dropped).sum()
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
