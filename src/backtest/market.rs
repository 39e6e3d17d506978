//! The venues' own books, from the same captured messages: what an order meets.
//!
//! A message that was received at some time left its venue a feed latency earlier, so the venue's book
//! runs ahead of ours by as much. Where no venue has a feed latency the two are one; else messages are
//! read ahead for the venues, and what they did to the books is kept until they reach us.

use std::collections::VecDeque;

use oorandom::Rand64;

use super::feeds::{Feeds, Turned};
use super::timeline::Timeline;
use crate::book::Trust;
use crate::engine::{CapturedChange, CapturedStage, Handed, Plan};
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

/// Messages read ahead: what they did to the venues' books is kept for ours.
pub struct Ahead {
    places: Places,
    /// By venue.
    delays: Vec<(Delay, Rand64)>,
    /// By venue, in the order of their times.
    due: Vec<VecDeque<Due>>,
    /// The longest feed latency.
    horizon: Nanos,
    /// What is to reach us, in the order of local time.
    home: VecDeque<(Nanos, Handed)>,
    /// The last message that was read, if it changed no book.
    idle: Option<Nanos>,
    /// Memory to be used again.
    spare: Vec<Handed>,
    /// Changes to be used again.
    pool: Vec<Due>,
}

impl Ahead {
    /// Nothing was read yet. `delays[i]` is venue `i`'s feed latency.
    pub fn new(plan: &Plan, delays: Vec<Delay>) -> Ahead {
        let seed = plan.config.run.seed;
        let rng = |venue: usize| Rand64::new(u128::from(seed) << 64 | 0x6665_6564 << 8 | venue as u128);
        Ahead {
            places: Places::new(plan),
            due: delays.iter().map(|_| VecDeque::new()).collect(),
            horizon: delays.iter().map(Delay::most).max().unwrap_or_default(),
            delays: delays.into_iter().enumerate().map(|(venue, delay)| (delay, rng(venue))).collect(),
            home: VecDeque::new(),
            idle: None,
            spare: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// Reads what may have changed a venue's book before the next message that changes ours; that
    /// one's time. Messages that change no book are passed over, but for the last: a run lasts until
    /// it. `feeds` leads, and what it cannot read is told to `timeline`.
    pub fn next_at(
        &mut self,
        feeds: &mut Feeds,
        timeline: &mut Timeline<'_>,
        watch: &impl Stopwatch,
    ) -> Option<Nanos> {
        loop {
            if let Some(next) = self.home.front().map(|(at, _)| *at) {
                while let Some(head) = timeline.next().filter(|(_, at)| *at <= next + self.horizon) {
                    self.read(head, feeds, timeline, watch);
                }
                return Some(next);
            }
            match timeline.next() {
                Some(head) => self.read(head, feeds, timeline, watch),
                None => self.home.push_back((self.idle.take()?, Handed::default())),
            }
        }
    }

    /// Reads one message.
    fn read(
        &mut self,
        (file, at): (usize, Nanos),
        feeds: &mut Feeds,
        timeline: &mut Timeline<'_>,
        watch: &impl Stopwatch,
    ) {
        let Ahead { places, delays, due, home, spare, pool, .. } = self;
        let Some((view, is_symbol)) = timeline.view(file) else { return };
        let before = home.len();
        feeds.play(&view, (file, at), is_symbol, watch, &mut |stage, turned| {
            queue(stage, turned, places, delays, due, pool);
            if stage.has_steps() {
                let mut handed = spare.pop().unwrap_or_default();
                stage.hand(&mut handed);
                home.push_back((at, handed));
            }
        });
        self.idle = (home.len() == before).then_some(at);
        timeline.pass(file);
        for (file, error) in feeds.take_errors() {
            timeline.malformed(file, error);
        }
    }

    /// The next message for us; give it back by [`Ahead::done`].
    pub fn take(&mut self) -> Option<Handed> {
        self.home.pop_front().map(|(_, handed)| handed)
    }

    /// Its memory may be used again.
    pub fn done(&mut self, handed: Handed) {
        self.spare.push(handed);
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
