//! The venues' own books, from the same captured messages: what an order meets.
//!
//! A message that was received at some time left its venue a feed latency earlier, so the venue's book
//! runs ahead of ours by as much. Where no venue has a feed latency the two are one, and messages are
//! decoded once; else they are read ahead, decoded for the venues first, and kept for us.

use std::collections::VecDeque;

use oorandom::Rand64;

use super::feeds::{Feeds, Turned};
use super::timeline::Timeline;
use crate::book::Trust;
use crate::capture::Record;
use crate::engine::{Books, CapturedChange, CapturedStage, Plan};
use crate::sim::delay::Delay;
use crate::sim::venue::Sim;
use crate::types::{Level, Nanos, Stopwatch};
use crate::venue::ChangeKind;

/// Where a book is at the simulated venues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    venue: usize,
    instrument: usize,
}

/// By slot, where each book is.
pub struct Places(Vec<Place>);

impl Places {
    /// A simulated exchange numbers its instruments as the plan does.
    pub fn new(plan: &Plan) -> Places {
        let mut places = vec![Place { venue: 0, instrument: 0 }; usize::from(plan.books)];
        for (venue, planned) in plan.venues.iter().enumerate() {
            for (instrument, book) in planned.instruments.iter().enumerate() {
                places[usize::from(book.slot.0)] = Place { venue, instrument };
            }
        }
        Places(places)
    }

    /// Shows the venues what the last turn of a stage changed.
    pub fn show(&self, stage: &CapturedStage, connection: usize, sim: &mut Sim) {
        for CapturedChange { slot, kind, bids, asks, keep } in stage.changes(connection) {
            let Some(place) = self.0.get(usize::from(slot.0)) else { continue };
            let crowd = sim.exchange_mut(place.venue).and_then(|exchange| exchange.crowd(place.instrument));
            let Some(crowd) = crowd else { continue };
            match kind {
                ChangeKind::Snapshot { .. } => crowd.snapshot(bids, asks, keep),
                ChangeKind::Update => crowd.update(bids, asks, keep),
                ChangeKind::Lost(_) => crowd.clear(),
                ChangeKind::Top | ChangeKind::Alive => {}
            }
        }
        for slot in stage.slots(connection) {
            let lost = stage.book(*slot).is_some_and(|book| book.trust() == Trust::Lost);
            let place = self.0.get(usize::from(slot.0)).filter(|_| lost);
            let crowd = place.and_then(|place| sim.exchange_mut(place.venue)?.crowd(place.instrument));
            if let Some(crowd) = crowd {
                crowd.clear();
            }
        }
    }
}

/// A change of a venue's book on its way to its time.
struct Due {
    at: Nanos,
    place: Place,
    kind: DueKind,
    bids: Vec<Level>,
    asks: Vec<Level>,
    keep: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DueKind {
    Snapshot,
    Update,
    Clear,
}

/// Messages read ahead: decoded for the venues, and kept for us.
pub struct Ahead {
    far: Feeds,
    places: Places,
    /// By venue.
    delays: Vec<(Delay, Rand64)>,
    /// By venue, in the order of their times.
    due: Vec<VecDeque<Due>>,
    /// The longest feed latency.
    horizon: Nanos,
    home: VecDeque<(usize, Nanos, Record)>,
    /// Records to be used again.
    spare: Vec<Record>,
    /// Changes to be used again.
    pool: Vec<Due>,
}

impl Ahead {
    /// Nothing was read yet. `delays[i]` is venue `i`'s feed latency.
    pub fn new(plan: &Plan, delays: Vec<Delay>) -> Ahead {
        let stage = CapturedStage::new(plan, &mut Books::new(plan));
        let seed = plan.config.run.seed;
        let rng = |venue: usize| Rand64::new(u128::from(seed) << 64 | 0x6665_6564 << 8 | venue as u128);
        Ahead {
            far: Feeds::new(plan, stage),
            places: Places::new(plan),
            due: delays.iter().map(|_| VecDeque::new()).collect(),
            horizon: delays.iter().map(Delay::most).max().unwrap_or_default(),
            delays: delays.into_iter().enumerate().map(|(venue, delay)| (delay, rng(venue))).collect(),
            home: VecDeque::new(),
            spare: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// Reads what may have changed a venue's book before the next message reaches us; that one's time.
    pub fn next_at(&mut self, timeline: &mut Timeline<'_>, watch: &impl Stopwatch) -> Option<Nanos> {
        let next = self.home.front().map(|(_, at, _)| *at).or_else(|| timeline.next_at())?;
        let until = next + self.horizon;
        while timeline.next_at().is_some_and(|at| at <= until) {
            let mut record = self.spare.pop().unwrap_or_default();
            let Some((file, at)) = timeline.next(&mut record) else { break };
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.clone_from(&record);
            self.home.push_back((file, at, copy));
            let Ahead { far, places, delays, due, pool, .. } = self;
            far.play(&mut record, (file, at), timeline, watch, &mut |stage, turned| {
                queue(stage, turned, places, delays, due, pool);
            });
            // The same errors are told when we read it.
            drop(far.take_errors());
            self.spare.push(record);
        }
        Some(next)
    }

    /// The next message for us, into `record`.
    pub fn next(&mut self, record: &mut Record) -> Option<(usize, Nanos)> {
        let (file, at, next) = self.home.pop_front()?;
        self.spare.push(std::mem::replace(record, next));
        Some((file, at))
    }

    /// When a venue's book changes next, of what was read.
    pub fn next_change(&self) -> Nanos {
        self.due.iter().filter_map(|due| due.front()).map(|due| due.at).min().unwrap_or(Nanos::MAX)
    }

    /// Changes the venues' books up to `now`.
    pub fn show(&mut self, now: Nanos, sim: &mut Sim) {
        for due in &mut self.due {
            while let Some(change) = due.pop_front_if(|change| change.at <= now) {
                let Place { venue, instrument } = change.place;
                if let Some(crowd) = sim.exchange_mut(venue).and_then(|exchange| exchange.crowd(instrument)) {
                    match change.kind {
                        DueKind::Snapshot => crowd.snapshot(&change.bids, &change.asks, change.keep),
                        DueKind::Update => crowd.update(&change.bids, &change.asks, change.keep),
                        DueKind::Clear => crowd.clear(),
                    }
                }
                self.pool.push(change);
            }
        }
    }
}

/// Gives the changes of a message the time at which its venue made them, which never falls.
fn queue(
    stage: &CapturedStage,
    turned: Turned,
    Places(places): &Places,
    delays: &mut [(Delay, Rand64)],
    due: &mut [VecDeque<Due>],
    pool: &mut Vec<Due>,
) {
    let (Some((delay, rng)), Some(due)) = (delays.get_mut(turned.venue), due.get_mut(turned.venue)) else {
        return;
    };
    let before = due.back().map_or(Nanos(i64::MIN), |last| last.at);
    let at = (turned.at - delay.draw(rng)).max(before);
    let mut push = |place: Place, kind, bids: &[Level], asks: &[Level], keep| {
        let empty = || Due { at, place, kind, bids: Vec::new(), asks: Vec::new(), keep };
        let mut change = pool.pop().unwrap_or_else(empty);
        (change.at, change.place, change.kind, change.keep) = (at, place, kind, keep);
        change.bids.clear();
        change.bids.extend_from_slice(bids);
        change.asks.clear();
        change.asks.extend_from_slice(asks);
        due.push_back(change);
    };
    for CapturedChange { slot, kind, bids, asks, keep } in stage.changes(turned.connection) {
        let Some(&place) = places.get(usize::from(slot.0)) else { continue };
        let kind = match kind {
            ChangeKind::Snapshot { .. } => DueKind::Snapshot,
            ChangeKind::Update => DueKind::Update,
            ChangeKind::Lost(_) => DueKind::Clear,
            ChangeKind::Top | ChangeKind::Alive => continue,
        };
        push(place, kind, bids, asks, keep);
    }
    for slot in stage.slots(turned.connection) {
        let lost = stage.book(*slot).is_some_and(|book| book.trust() == Trust::Lost);
        if let Some(&place) = places.get(usize::from(slot.0)).filter(|_| lost) {
            push(place, DueKind::Clear, &[], &[], 0);
        }
    }
}
