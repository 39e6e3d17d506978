//! A recorded run once more: the inputs of a run that one thread stepped, in their order and with its
//! rounds, for whoever feeds them back to the same roles in the place of connections. What the roles
//! then decide and send is what they decided and sent.

use crate::capture::{Capture, CaptureError, RecordKind, private_input, public_input};
use crate::types::Nanos;
use crate::venue::{FeedInput, GatewayInput};

/// What happened next in the run.
#[derive(Debug)]
pub enum Happened<'a> {
    /// A public connection brought this.
    Feed {
        /// Of which venue, by its place among those that were asked for.
        venue: usize,
        /// When.
        at: Nanos,
        /// What.
        input: FeedInput<'a>,
    },
    /// A private connection brought this.
    Gateway {
        /// Of which venue.
        venue: usize,
        /// What.
        input: GatewayInput<'a>,
    },
    /// All inputs of a round were told: the roles that have none of their own turn now.
    Round {
        /// Its time.
        at: Nanos,
        /// That of the next one; `None` behind the last.
        next: Option<Nanos>,
    },
}

/// Why a capture cannot be run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgainError {
    /// It cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Threads turned the roles, each by its own time; or nothing ran at all.
    #[error(
        "no rounds are recorded before the first input: only a run that one thread stepped can be run again"
    )]
    NoRounds,
    /// A record without a time.
    #[error("record {0}: expected a time")]
    Untimed(u64),
    /// It has inputs of a venue that is not there.
    #[error("record {record}: `{venue}` is none of the venues of this run")]
    Venue {
        /// Which record, from 1.
        record: u64,
        /// The venue's name.
        venue: String,
    },
    /// It has a record that no stage took in.
    #[error("record {record}: {kind:?} is no input of a run")]
    NoInput {
        /// Which record, from 1.
        record: u64,
        /// What it is.
        kind: RecordKind,
    },
}

/// Reads a recorded run, input by input.
pub struct Again<'a> {
    capture: Capture<'a>,
    /// The venues' names, in the order of the plan.
    venues: Vec<String>,
    /// The round at hand.
    round: Option<Nanos>,
    records: u64,
}

impl<'a> Again<'a> {
    /// Of these venues, by name.
    pub fn new(capture: Capture<'a>, venues: Vec<String>) -> Again<'a> {
        Again { capture, venues, round: None, records: 0 }
    }

    /// Records read so far, rounds among them.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The capture, for what its metadata says by now.
    pub fn capture(&self) -> &Capture<'a> {
        &self.capture
    }

    /// What happened next; `None` at the end.
    ///
    /// # Errors
    /// [`AgainError`] names the record that is no part of such a run.
    #[expect(clippy::should_implement_trait, reason = "what it gives borrows from the capture")]
    pub fn next(&mut self) -> Result<Option<Happened<'_>>, AgainError> {
        loop {
            if !self.capture.advance()? {
                return Ok(self.round.take().map(|at| Happened::Round { at, next: None }));
            }
            self.records += 1;
            let view = self.capture.view();
            if !matches!(private_input(&view), Some(GatewayInput::Tick)) {
                break;
            }
            let began = view.ts.ok_or(AgainError::Untimed(self.records))?;
            if let Some(at) = self.round.replace(began) {
                return Ok(Some(Happened::Round { at, next: Some(began) }));
            }
        }
        let (record, venues) = (self.records, &self.venues);
        if self.round.is_none() {
            return Err(AgainError::NoRounds);
        }
        let view = self.capture.view();
        let place = venues.iter().position(|venue| venue == view.venue);
        let venue = place.ok_or_else(|| AgainError::Venue { record, venue: view.venue.to_owned() })?;
        if let Some(input) = private_input(&view) {
            return Ok(Some(Happened::Gateway { venue, input }));
        }
        let at = view.ts.ok_or(AgainError::Untimed(record))?;
        let input = public_input(&view).ok_or(AgainError::NoInput { record, kind: view.kind })?;
        Ok(Some(Happened::Feed { venue, at, input }))
    }
}
