//! From a plan to stages: published books, the feeds that write them, the detector that reads them.

use super::detect::DetectStage;
use super::feed::{FeedBook, FeedStage};
use super::journey::JourneyCell;
use super::plan::{Plan, PlannedVenue};
use super::queue::{Inbox, signals};
use crate::book::{BookConfig, LadderConfig, Reader, cell};
use crate::detect::{BookSlot, MergeError, Notifier, Taker, ring};
use crate::sync::Arc;
use crate::types::{Bps, InstrumentId, VenueId};
use crate::venue::{BookConfig as FeedBookConfig, FeedConfig};

/// What rehearsals ask for: something is found wherever two books are.
const ANY_EDGE: Bps = Bps(-5_000 * Bps::ONE);

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

    /// What the feeds of a venue are made from.
    pub fn feed_config(venue: &PlannedVenue) -> FeedConfig {
        FeedConfig {
            books: venue
                .instruments
                .iter()
                .map(|book| FeedBookConfig { symbol: book.spec.symbol, spec: Some(book.spec.clone()) })
                .collect(),
            discover: false,
            channels: venue.config.channels,
            encoding: venue.config.encoding,
            stream: venue.endpoints.stream.clone(),
            rest: venue.endpoints.rest.clone(),
        }
    }

    /// The books of a venue, in the order of its feed. Each venue's are made once.
    pub fn feed_books(&mut self, venue: &PlannedVenue) -> Vec<(FeedBook, BookSlot)> {
        let (overlay, ticker_only) = venue.top();
        let books = venue.instruments.iter().filter_map(|book| {
            let slot = usize::from(book.slot.0);
            let writer = self.writers.get_mut(slot)?.take()?;
            let ladder = LadderConfig { tick: Some(book.spec.tick), ..LadderConfig::default() };
            let config = BookConfig { ladder, ticker_only };
            let journey = Arc::clone(&self.journeys[slot]);
            Some((FeedBook::new(config, overlay, writer, journey, book.slot.0), book.slot))
        });
        books.collect()
    }

    /// What tells the detector that a book moved.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// The stage of a venue's feed. Each venue's is made once.
    pub fn feed_stage(&mut self, venue: &PlannedVenue) -> FeedStage {
        let config = Books::feed_config(venue);
        let feed = || (venue.row.feed)(&config);
        let books = self.feed_books(venue).into_iter().map(|(book, _)| book);
        let more = (1..venue.config.connections).map(|_| feed()).collect();
        FeedStage::new(feed(), books.collect(), self.notifier.clone()).with_more(more)
    }

    /// The detect stage, and the queue that its opportunities come out of. There is one.
    ///
    /// # Errors
    /// [`MergeError`] for terms that cannot be worked with; a [`Plan`] has checked them.
    pub fn detect_stage(&mut self, plan: &Plan) -> Result<(DetectStage, Inbox), MergeError> {
        let detector = plan.detector(&plan.watches())?;
        let (outbox, inbox) = signals(plan.config.exec.queue);
        let taker = self.taker.take().unwrap_or_else(|| ring(0).1);
        let (readers, journeys) = (self.readers.clone(), self.journeys.clone());
        let stage = DetectStage::new(detector, taker, readers, journeys, outbox);
        let mut eager = plan.watches();
        eager.iter_mut().for_each(|watch| watch.terms.min_edge = ANY_EDGE);
        let stage = stage.with_bases(plan.bases()).with_rehearsal(plan.detector(&eager)?);
        Ok((stage, inbox))
    }

    /// Where each venue's books of each instrument are published, by venue and instrument.
    pub fn by_venue(&self, plan: &Plan) -> Vec<Vec<Option<Reader>>> {
        let mut by_venue = vec![vec![None; plan.config.instruments.len()]; plan.venues.len()];
        for venue in &plan.venues {
            for book in &venue.instruments {
                let (VenueId(at), InstrumentId(of)) = (venue.id, book.instrument);
                by_venue[usize::from(at)][usize::from(of)] =
                    self.readers.get(usize::from(book.slot.0)).cloned();
            }
        }
        by_venue
    }
}
