//! From a plan to roles: how feeds, detector and executor are wired together.

use crossbeam_channel::{Receiver, bounded};

use super::connection::ConnectionConfig;
use super::detect::{DetectRole, DetectStage};
use super::feed::{FeedBook, FeedStage};
use super::feed_role::{FeedRole, FeedRoleParts};
use super::journey::JourneyCell;
use super::plan::{Plan, PlannedVenue};
use super::signal::{Control, Signal};
use crate::book::{BookConfig, LadderConfig, Reader, cell};
use crate::detect::{Detector, Notifier, PairError, Taker, ring};
use crate::sync::Arc;
use crate::types::{Dial, Stopwatch};
use crate::venue::{BookConfig as FeedBookConfig, FeedConfig};

/// Makes a dialler: one for each connection.
pub type MakeDial<'a> = dyn FnMut() -> Box<dyn Dial> + 'a;

/// The published books of a run, and what tells that they moved.
pub struct Books {
    /// One a slot.
    pub readers: Vec<Reader>,
    /// One a slot.
    pub journeys: Vec<Arc<JourneyCell>>,
    writers: Vec<Option<crate::book::Writer>>,
    notifier: Notifier,
    taker: Option<Taker>,
}

impl Books {
    /// Cells for all books of the plan.
    pub fn new(plan: &Plan) -> Books {
        let (notifier, taker) = ring(usize::from(plan.books));
        let (writers, readers) = (0..plan.books).map(|_| cell()).map(|(w, r)| (Some(w), r)).unzip();
        let journeys = (0..plan.books).map(|_| Arc::new(JourneyCell::default())).collect();
        Books { readers, journeys, writers, notifier, taker: Some(taker) }
    }

    /// The stage of a venue's feed. Each venue's is made once.
    pub fn feed_stage(&mut self, venue: &PlannedVenue) -> FeedStage {
        let feed = (venue.row.feed)(&FeedConfig {
            books: venue
                .instruments
                .iter()
                .map(|book| FeedBookConfig { symbol: book.spec.symbol, spec: Some(book.spec.clone()) })
                .collect(),
            discover: false,
            channels: venue.config.channels,
            stream: venue.endpoints.stream.clone(),
            rest: venue.endpoints.rest.clone(),
        });
        let (overlay, ticker_only) = venue.top();
        let books = venue.instruments.iter().filter_map(|book| {
            let slot = usize::from(book.slot.0);
            let writer = self.writers.get_mut(slot)?.take()?;
            let ladder = LadderConfig { tick: Some(book.spec.tick), ..LadderConfig::default() };
            let config = BookConfig { ladder, ticker_only };
            Some(FeedBook::new(config, overlay, writer, Arc::clone(&self.journeys[slot]), book.slot.0))
        });
        FeedStage::new(feed, books.collect(), self.notifier.clone())
    }

    /// The detect stage, and the queue that its opportunities come out of. There is one.
    ///
    /// # Errors
    /// [`PairError`] for terms that cannot be worked with; a [`Plan`] has checked them.
    pub fn detect_stage(&mut self, plan: &Plan) -> Result<(DetectStage, Receiver<Signal>), PairError> {
        let detector = Detector::new(&plan.watches())?;
        let (sender, receiver) = bounded(plan.config.exec.queue.max(1));
        let taker = self.taker.take().unwrap_or_else(|| ring(0).1);
        let (readers, journeys) = (self.readers.clone(), self.journeys.clone());
        Ok((DetectStage::new(detector, taker, readers, journeys, sender), receiver))
    }
}

/// The role of a venue's feed.
pub fn feed_role<W: Stopwatch>(
    books: &mut Books,
    venue: &PlannedVenue,
    dial: &mut MakeDial<'_>,
    seed: u64,
    watch: W,
) -> FeedRole<W> {
    FeedRole::new(FeedRoleParts {
        name: format!("feed {}", venue.config.id),
        venue: venue.id,
        stage: books.feed_stage(venue),
        rest: venue.endpoints.rest.clone(),
        dials: [dial(), dial()],
        connection: ConnectionConfig::DEFAULT,
        seed,
        tap: None,
        watch,
    })
}

/// The role that detects.
///
/// # Errors
/// As [`Books::detect_stage`].
pub fn detect_role<W: Stopwatch>(
    books: &mut Books,
    plan: &Plan,
    control: Receiver<Control>,
    watch: W,
) -> Result<(DetectRole<W>, Receiver<Signal>), PairError> {
    let (stage, queue) = books.detect_stage(plan)?;
    Ok((DetectRole::new(stage, control, watch), queue))
}
