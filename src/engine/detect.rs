//! The detect stage and its role: books that moved in, opportunities out to the executor's queue.

use crossbeam_channel::Receiver;

use super::journey::JourneyCell;
use super::queue::Outbox;
use super::role::Role;
use super::signal::Control;
use crate::book::Reader;
use crate::detect::{Bases, BookSlot, Cells, Detector, Opportunity, RefusalLedger, Refused, Taker};
use crate::sync::Arc;
use crate::telemetry::{Hop, HopRecorder};
use crate::types::{Nanos, Stopwatch};

/// Books looked at in one turn before other roles get theirs.
const BOOKS_MAX: usize = 64;

/// Why a book is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It moved.
    Moved,
    /// The move of a rate left it over.
    Rest,
    /// For nothing.
    Rehearsal,
}

/// Looks at every pair of a book that moved.
pub struct DetectStage {
    taker: Taker,
    detector: Detector,
    /// Takes any edge, and is only asked in rehearsals.
    rehearsal: Option<Detector>,
    /// The book that the next one is of.
    rehearsed: usize,
    cells: Cells,
    /// What edges are measured against, where not outright.
    bases: Option<Bases>,
    journeys: Vec<Arc<JourneyCell>>,
    queue: Outbox,
    hops: HopRecorder,
    /// Ticks that the last turns took, to be recorded once nobody waits.
    looks: Vec<(u64, u64)>,
    opportunities: u64,
    dropped: RefusalLedger,
}

impl DetectStage {
    /// `readers[i]` and `journeys[i]` belong to the book of slot `i`.
    pub fn new(
        detector: Detector,
        taker: Taker,
        readers: Vec<Reader>,
        journeys: Vec<Arc<JourneyCell>>,
        queue: Outbox,
    ) -> DetectStage {
        DetectStage {
            taker,
            detector,
            rehearsal: None,
            rehearsed: 0,
            cells: Cells::new(readers),
            bases: None,
            journeys,
            queue,
            hops: HopRecorder::new(),
            looks: Vec::with_capacity(BOOKS_MAX),
            opportunities: 0,
            dropped: RefusalLedger::default(),
        }
    }

    /// Measures edges against these from here on.
    pub fn with_bases(mut self, bases: Option<Bases>) -> DetectStage {
        self.bases = bases;
        self
    }

    /// Rehearses with such a detector from here on: one of the same books that takes any edge.
    pub fn with_rehearsal(mut self, detector: Detector) -> DetectStage {
        self.rehearsal = Some(detector);
        self
    }

    /// Takes one book that moved, or, when none did, what the move of a rate left over; false when
    /// there is neither. What is worth taking goes to the queue; a full queue holds older news than
    /// this, so this is dropped and counted.
    #[inline]
    pub fn turn(&mut self, now: Nanos, watch: &impl Stopwatch) -> bool {
        let (book, rest) = match self.taker.take() {
            Some(book) => (book, false),
            None => match self.detector.due() {
                Some(slot) => (slot.0, true),
                None => return false,
            },
        };
        self.look(book, if rest { Look::Rest } else { Look::Moved }, now, watch);
        true
    }

    /// Looks at a book for nothing, so that what looks at books stays in the caches of a thread that waits
    /// for one to move: all in turn. What is found there is written down, and goes nowhere.
    pub fn rehearse(&mut self, now: Nanos, watch: &impl Stopwatch) {
        if let Some(next) = (self.rehearsed + 1).checked_rem(self.journeys.len()) {
            self.rehearsed = next;
            self.look(next as u16, Look::Rehearsal, now, watch);
        }
    }

    #[inline(never)] // shared with rehearsals, so that these warm what books go through
    fn look(&mut self, book: u16, what: Look, now: Nanos, watch: &impl Stopwatch) {
        let began = watch.ticks();
        let stamps = self.journeys.get(usize::from(book)).map(|cell| cell.load()).unwrap_or_default();
        let meant = what != Look::Rehearsal;
        let detector = match &mut self.rehearsal {
            _ if meant => &mut self.detector,
            Some(detector) => detector,
            None => return,
        };
        if let Some(bases) = self.bases.as_mut().filter(|_| meant) {
            bases.follow(&mut self.cells, BookSlot(book), now, detector);
        }
        let (queue, opportunities, dropped) = (&mut self.queue, &mut self.opportunities, &mut self.dropped);
        let mut ended = 0;
        let found = |opportunity: &Opportunity| {
            let mut stamps = stamps;
            ended = watch.ticks();
            stamps.mark(Hop::Detect, ended);
            if !meant {
                return queue.rehearse(opportunity, &stamps);
            }
            *opportunities += 1;
            if !queue.send(opportunity, &stamps) {
                dropped.count(Refused::QueueFull, Some(opportunity.sums.net_bps()));
            }
        };
        match what {
            Look::Rest => detector.resume(&mut self.cells, BookSlot(book), now, found),
            Look::Moved | Look::Rehearsal => {
                detector.evaluate(&mut self.cells, BookSlot(book), now, found);
            }
        }
        if !meant {
            return;
        }
        if ended == 0 {
            ended = watch.ticks();
        }
        if self.looks.len() == BOOKS_MAX {
            self.settle(watch);
        }
        self.looks.push((began, ended));
    }

    /// Records the times of the turns since the last call. Not part of a turn, because on one thread
    /// the executor waits for its end.
    pub fn settle(&mut self, watch: &impl Stopwatch) {
        for (began, ended) in self.looks.drain(..) {
            self.hops.record(Hop::Detect, watch.nanos(began, ended));
        }
        self.queue.settle();
    }

    /// Opportunities so far.
    pub fn opportunities(&self) -> u64 {
        self.opportunities
    }

    /// What was not taken so far, by reason.
    pub fn refused(&self) -> RefusalLedger {
        let mut all = self.detector.refused();
        all.merge(&self.dropped);
        all
    }

    /// The times of its hop, as last settled.
    pub fn hops(&self) -> &HopRecorder {
        &self.hops
    }
}

/// The one role that detects on all instruments.
pub struct DetectRole<W> {
    stage: DetectStage,
    control: Receiver<Control>,
    draining: bool,
    watch: W,
}

impl<W: Stopwatch> DetectRole<W> {
    /// A role around the stage.
    pub fn new(stage: DetectStage, control: Receiver<Control>, watch: W) -> DetectRole<W> {
        DetectRole { stage, control, draining: false, watch }
    }

    /// The stage, for reports.
    pub fn stage(&self) -> &DetectStage {
        &self.stage
    }

    /// The stage, to be turned by hand.
    pub fn stage_mut(&mut self) -> &mut DetectStage {
        &mut self.stage
    }
}

impl<W: Stopwatch + Send + 'static> Role for DetectRole<W> {
    fn name(&self) -> &str {
        "detect"
    }

    fn turn(&mut self, now: Nanos) -> bool {
        while let Ok(control) = self.control.try_recv() {
            self.draining |= control == Control::Drain;
        }
        self.stage.settle(&self.watch);
        if self.draining {
            return false;
        }
        (0..BOOKS_MAX).take_while(|_| self.stage.turn(now, &self.watch)).count() > 0
    }

    fn rehearse(&mut self, now: Nanos) {
        if !self.draining {
            self.stage.rehearse(now, &self.watch);
        }
    }
}
