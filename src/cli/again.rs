//! `xarb demo --again`: a recorded stepped demo once more, on what it recorded.

use std::path::Path;

use serde_json::{Value, json};

use super::demo::Stepped;
use super::replay::open;
use super::{Exit, Failure};
use crate::backtest::{Again, AgainError, Happened};
use crate::config::Config;
use crate::engine::{Control, Role, RunReport, Status};
use crate::telemetry::count;
use crate::types::Nanos;

/// What a recorded run came to when it was run again.
pub struct SameAgain {
    records: u64,
    rounds: u64,
    run: RunReport,
    /// What the recording says of the run's journal; empty when it was cut before its end.
    recorded_sha256: String,
    dropped: u64,
}

impl SameAgain {
    /// Nothing was lost, and the journal is the recorded one.
    pub fn is_same(&self) -> bool {
        self.dropped == 0 && self.run.journal_sha256 == self.recorded_sha256
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        json!({
            "records": self.records, "rounds": self.rounds, "dropped": self.dropped,
            "opportunities": self.run.opportunities, "intents": self.run.intents,
            "journal_sha256": self.run.journal_sha256, "recorded_sha256": self.recorded_sha256,
            "same": self.is_same(),
        })
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        let verdict = match self.recorded_sha256.as_str() {
            "" => "the recording was cut before its end: nothing to compare with".to_owned(),
            _ if self.dropped > 0 => format!("the recording lost {} inputs", count(self.dropped)),
            _ if self.is_same() => "the same as in the recorded run, record for record".to_owned(),
            other => format!("recorded: {other}; were the options those of the recorded run?"),
        };
        format!(
            "{:<16} {} in {} rounds\n{:<16} {}\n{:<16} {}\n{:<16} {}\n{:<16} {verdict}",
            "inputs",
            count(self.records - self.rounds),
            count(self.rounds),
            "opportunities",
            count(self.run.opportunities),
            "intents",
            count(self.run.intents),
            "journal sha256",
            self.run.journal_sha256,
            "",
        )
    }
}

/// The inputs of a recorded stepped run, fed back to the same roles in the place of connections.
///
/// # Errors
/// [`Failure`] names the file, and the record that is no part of such a run.
pub fn run(config: &Config, path: &Path) -> Result<SameAgain, Failure> {
    let wrong = |exit, error: &dyn std::fmt::Display| Failure {
        exit,
        message: format!("{}: {error}", path.display()),
    };
    let (capture, _) = open(path)?;
    let Stepped { plan, mut crew, helm, .. } = Stepped::new(config)?;
    crew.forget_connections();
    let venues = plan.venues.iter().map(|venue| venue.config.id.clone()).collect();
    let mut run = Again::new(capture, venues);
    let seconds = Nanos::from_secs(i64::try_from(config.run.seconds).unwrap_or(i64::MAX));
    let (mut rounds, mut now, mut ends, mut draining) = (0, Nanos::ZERO, None, false);
    loop {
        let happened = match run.next() {
            Ok(Some(happened)) => happened,
            Ok(None) => break,
            Err(error @ AgainError::Capture(_)) => return Err(wrong(Exit::Integrity, &error)),
            Err(error) => return Err(wrong(Exit::Usage, &error)),
        };
        match happened {
            Happened::Feed { venue, at, input } => crew.feeds[venue].replay(input, at),
            Happened::Gateway { venue, input } => crew.exec.stage().lanes()[venue].replay(&input),
            Happened::Round { at, next } => {
                crew.detect.turn(at);
                crew.exec.turn(at);
                (rounds, now) = (rounds + 1, at);
                // The end was told between two rounds, and is no input of any stage.
                let Some(next) = next else { continue };
                if ends.is_none() && helm.status() == Some(Status::Ready) {
                    ends = Some(next + seconds);
                }
                if !draining && ends.is_some_and(|end| next >= end) {
                    helm.tell(Control::Drain);
                    draining = true;
                }
            }
        }
    }
    let meta = run.capture().meta().cloned().unwrap_or_default();
    let (report, _) = crew.report(&plan, now);
    Ok(SameAgain {
        records: run.records(),
        rounds,
        run: report,
        recorded_sha256: meta.journal,
        dropped: meta.dropped,
    })
}
