//! A backtest from the first captured message to the last.

use super::feeds::Feeds;
use super::rows::{Names, Rows};
use super::timeline::Timeline;
use crate::capture::{FileReport, Record};
use crate::config::Config;
use crate::detect::{BookSlot, Detector, MergeError, Opportunity, RefusalLedger};
use crate::engine::{Books, CapturedStage, Plan};
use crate::telemetry::{Hop, HopRecorder};
use crate::types::{InstrumentSpec, Nanos, Stopwatch, VenueId};

/// Why a backtest cannot be done, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The rules of a venue are the configuration's, and there are none.
    #[error("instrument.{instrument}.rules.{venue}: missing; a backtest needs tick, lot and minimums")]
    NoRules {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
    },
    /// What is to be detected.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A list could not be written.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

/// Each venue's rules for what the configuration trades there.
///
/// # Errors
/// [`BacktestError::NoRules`] for the first listing without any.
pub fn rules_of(config: &Config) -> Result<Vec<Vec<InstrumentSpec>>, BacktestError> {
    let mut rules = Vec::new();
    for (number, venue) in config.venues.iter().enumerate() {
        let listings = config.listings(VenueId(u8::try_from(number).unwrap_or(u8::MAX)));
        let specs = listings.map(|(_, instrument, listing)| {
            instrument.spec(listing).ok_or_else(|| BacktestError::NoRules {
                instrument: instrument.name.to_string(),
                venue: venue.id.clone(),
            })
        });
        rules.push(specs.collect::<Result<_, _>>()?);
    }
    Ok(rules)
}

/// A book as a backtest left it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookOutcome {
    /// Whose.
    pub venue: String,
    /// The venue's symbol.
    pub symbol: String,
    /// The engine's name.
    pub instrument: String,
    /// Whether it could be traded on at the end.
    pub trust: crate::book::Trust,
    /// What happened to it.
    pub counters: crate::book::Counters,
}

/// What a backtest found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The files as they were read.
    pub files: Vec<FileReport>,
    /// The books of the configuration.
    pub books: Vec<BookOutcome>,
    /// Messages over all files.
    pub messages: u64,
    /// From the first message to the last.
    pub span: Nanos,
    /// Evaluations with an opportunity, direction by direction.
    pub opportunities: u64,
    /// Evaluations without one, by reason.
    pub refused: RefusalLedger,
    /// How long the hops took.
    pub hops: HopRecorder,
}

/// A backtest that runs.
pub struct Backtest<W> {
    plan: Plan,
    names: Names,
    feeds: Feeds,
    seeker: Seeker,
    rows: Option<Rows>,
    watch: W,
}

/// Evaluates, and counts what it finds.
struct Seeker {
    detector: Detector,
    found: Vec<Opportunity>,
    opportunities: u64,
    hops: HopRecorder,
}

impl<W: Stopwatch> Backtest<W> {
    /// A backtest of this plan; opportunities are written to `rows`.
    ///
    /// # Errors
    /// [`BacktestError`] for terms that cannot be worked with; a [`Plan`] has checked them.
    pub fn new(plan: Plan, rows: Option<Rows>, watch: W) -> Result<Backtest<W>, BacktestError> {
        let mut watches = plan.watches();
        for watched in watches.iter_mut().flat_map(|watch| &mut watch.books) {
            // An old book may refuse an opportunity from being traded, never from being listed.
            watched.max_age = Nanos::ZERO;
        }
        let mut books = Books::new(&plan);
        let stage = CapturedStage::new(&plan, &mut books);
        let seeker = Seeker {
            detector: Detector::new(&watches)?,
            found: Vec::new(),
            opportunities: 0,
            hops: HopRecorder::new(),
        };
        let (names, feeds) = (Names::new(&plan.config), Feeds::new(&plan, stage));
        Ok(Backtest { plan, names, feeds, seeker, rows, watch })
    }

    /// Plays all of it. `progress` is told now and then how many messages and bytes are done.
    ///
    /// # Errors
    /// [`BacktestError::Write`].
    pub fn run(
        &mut self,
        timeline: &mut Timeline<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Outcome, BacktestError> {
        let start = timeline.next_at().unwrap_or_default();
        let (mut record, mut now, mut count) = (Record::default(), start, 0u64);
        while let Some((file, at)) = timeline.next(&mut record) {
            now = now.max(at);
            count += 1;
            if count.is_multiple_of(PROGRESS_EVERY) {
                progress(timeline.messages(), timeline.position());
            }
            let Backtest { feeds, seeker, watch, .. } = self;
            feeds.play(&mut record, (file, now), timeline, watch, &mut |stage, turned| {
                seeker.look(stage, turned.at, watch);
            });
            for found in self.seeker.found.drain(..) {
                if let Some(rows) = &mut self.rows {
                    rows.add(&self.names, &found)?;
                }
            }
        }
        if let Some(rows) = &mut self.rows {
            rows.finish()?;
        }
        Ok(self.outcome(timeline, now - start))
    }

    fn outcome(&self, timeline: &Timeline<'_>, span: Nanos) -> Outcome {
        let stage = self.feeds.stage();
        let mut hops = self.seeker.hops.clone();
        hops.merge(stage.hops());
        let books =
            self.plan.venues.iter().flat_map(|venue| venue.instruments.iter().map(move |own| (venue, own)));
        let books = books.filter_map(|(venue, own)| {
            let book = stage.book(own.slot)?;
            Some(BookOutcome {
                venue: venue.config.id.clone(),
                symbol: own.spec.symbol.to_string(),
                instrument: self.names.instrument(own.instrument).to_owned(),
                trust: book.trust(),
                counters: *book.counters(),
            })
        });
        Outcome {
            files: timeline.files().cloned().collect(),
            books: books.collect(),
            messages: timeline.messages(),
            span,
            opportunities: self.seeker.opportunities,
            refused: self.seeker.detector.refused(),
            hops,
        }
    }
}

/// Records between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

impl Seeker {
    /// Looks at both directions of every pair of each book that the last turn moved.
    fn look(&mut self, stage: &CapturedStage, now: Nanos, watch: &impl Stopwatch) {
        let Seeker { detector, found, opportunities, hops } = self;
        for &BookSlot(slot) in stage.moved() {
            let (mut books, began) = (stage, watch.ticks());
            detector.evaluate(&mut books, BookSlot(slot), now, |opportunity| {
                *opportunities += 1;
                found.push(opportunity);
            });
            hops.record(Hop::Detect, watch.nanos(began, watch.ticks()));
        }
    }
}
