//! The exec stage: signals in, orders out; the venues' news in, states and hedges out.

use super::lanes::Lanes;
use super::signal::Signal;
use super::tap::Tap;
use crate::book::{Reader, Trust};
use crate::exec::{Alert, Context, ExecReport, Executor, Prepared, SendOutcome};
use crate::risk::{Quote, Refusal};
use crate::telemetry::{Hop, HopRecorder, Stamps};
use crate::types::{ClientId, InstrumentId, Nanos, Report, Stopwatch, VenueId};
use crate::venue::{Command, Gateway, Lane};

/// How long bytes may wait for their turn on a connection that is busy.
const SEND_WITHIN: Nanos = Nanos::from_millis(500);

/// Orders whose answers are timed: the newest so many.
const TIMED: usize = 64;

/// How often the dead-man switches are set anew, and what to.
const DEAD_MAN_EVERY: Nanos = Nanos::from_secs(20);
const DEAD_MAN: Nanos = Nanos::from_secs(60);

/// The executor with all that it reaches: gateways, connections, published books.
pub struct ExecStage<W> {
    executor: Executor,
    outside: Outside<W>,
    reports: Vec<Report>,
    hops: HopRecorder,
    /// By venue.
    next_dead_man: Vec<Nanos>,
}

/// What the executor sees of the world.
struct Outside<W> {
    /// By venue; every venue has one.
    lanes: Vec<Lanes>,
    /// By venue, then by instrument.
    books: Vec<Vec<Option<Reader>>>,
    alerts: Vec<String>,
    /// When each of the newest orders left, for hops alone.
    left: Vec<Left>,
    watch: W,
    now: Nanos,
}

/// An order whose first answers are still to be timed.
struct Left {
    client: ClientId,
    /// A stopwatch reading.
    at: u64,
    acked: bool,
    filled: bool,
}

impl<W: Stopwatch> ExecStage<W> {
    /// `lanes[i]` is venue `i`'s; `books[i][j]` is that of instrument `j` there.
    pub fn new(
        executor: Executor,
        lanes: Vec<Lanes>,
        books: Vec<Vec<Option<Reader>>>,
        watch: W,
    ) -> ExecStage<W> {
        let left = Vec::with_capacity(TIMED);
        ExecStage {
            next_dead_man: vec![Nanos::ZERO; lanes.len()],
            executor,
            outside: Outside { lanes, books, alerts: Vec::new(), left, watch, now: Nanos::ZERO },
            reports: Vec::new(),
            hops: HopRecorder::new(),
        }
    }

    /// Shows every input of the private sides to taps, one for each.
    pub fn set_taps(&mut self, make: &mut dyn FnMut() -> Box<dyn Tap>) {
        self.outside.lanes.iter_mut().for_each(|lanes| lanes.set_tap(make()));
    }

    /// The connections of every venue, in the order of their numbers.
    pub fn lanes(&mut self) -> &mut [Lanes] {
        &mut self.outside.lanes
    }

    /// Takes one signal the whole way: admit, encode, send. True when orders left.
    #[inline]
    pub fn on_signal(&mut self, signal: &Signal, now: Nanos) -> bool {
        self.take(signal, now).is_ok_and(|(_, left)| left > 0)
    }

    /// As [`ExecStage::on_signal`]; the number of the intent, and how many orders left.
    ///
    /// # Errors
    /// [`Refusal`], counted.
    #[inline]
    pub fn take(&mut self, signal: &Signal, now: Nanos) -> Result<(u64, usize), Refusal> {
        let mut stamps = signal.stamps;
        let prepared = self.try_prepare(signal, &mut stamps, now)?;
        let intent = prepared.intent();
        let left = self.executor.send(prepared, now, &mut self.outside);
        stamps.mark(Hop::Send, self.outside.watch.ticks());
        self.hops.record_rest(&stamps, Hop::Queue, &self.outside.watch);
        Ok((intent, left))
    }

    /// The first part of it: the bytes of all legs are ready and recorded afterwards, and nothing
    /// has left.
    #[inline]
    pub fn prepare(&mut self, signal: &Signal, stamps: &mut Stamps, now: Nanos) -> Option<Prepared> {
        // Refusals are counted by the gate; there is nothing to do about them.
        self.try_prepare(signal, stamps, now).ok()
    }

    #[inline]
    fn try_prepare(&mut self, signal: &Signal, stamps: &mut Stamps, now: Nanos) -> Result<Prepared, Refusal> {
        let (executor, outside) = (&mut self.executor, &mut self.outside);
        outside.now = now;
        stamps.mark(Hop::Queue, outside.watch.ticks());
        let admitted = executor.admit(&signal.opportunity, now, outside)?;
        stamps.mark(Hop::Admit, outside.watch.ticks());
        let encoded = executor.encode(admitted, now, outside)?;
        stamps.mark(Hop::Encode, outside.watch.ticks());
        executor.enter(encoded, now, outside)
    }

    /// Lets go of what was prepared: nothing has left, and nothing will.
    pub fn abandon(&mut self, prepared: Prepared, now: Nanos) {
        self.executor.abandon(prepared, now, &mut self.outside);
    }

    /// Does what is due on the private side: connections, news, timers. True when there was any.
    pub fn turn(&mut self, now: Nanos) -> bool {
        self.outside.now = now;
        let mut worked = false;
        for venue in 0..self.outside.lanes.len() {
            worked |= self.outside.lanes[venue].poll(now);
            self.outside.lanes[venue].take_reports(&mut self.reports);
            for report in self.reports.drain(..) {
                self.outside.time(&report, &mut self.hops);
                self.executor.on_report(VenueId(venue as u8), &report, now, &mut self.outside);
            }
        }
        self.executor.tick(now, &mut self.outside);
        // Each venue by itself: one that is down must not let the switches of the others fire.
        for (lanes, next) in self.outside.lanes.iter_mut().zip(&mut self.next_dead_man) {
            if now >= *next && lanes.gateway().ready() {
                *next = now + DEAD_MAN_EVERY;
                lanes.command(&Command::DeadMan { timeout: DEAD_MAN }, now);
            }
        }
        worked
    }

    /// Nothing of ours is at the venues any more: their switches must not fire on what others have there
    /// once nobody renews them.
    pub fn stand_down(&mut self, now: Nanos) {
        for (lanes, next) in self.outside.lanes.iter_mut().zip(&mut self.next_dead_man) {
            if std::mem::replace(next, Nanos(i64::MAX)) > Nanos::ZERO {
                lanes.command(&Command::DeadMan { timeout: Nanos::ZERO }, now);
            }
        }
    }

    /// Does what the hot path is to be spared; true when there was any.
    pub fn idle(&mut self, now: Nanos) -> bool {
        self.outside.now = now;
        self.executor.idle(now, &mut self.outside)
    }

    /// Walks the way of an order that is not meant: see [`Executor::rehearse`].
    pub fn rehearse(&mut self, now: Nanos) -> bool {
        self.outside.now = now;
        self.executor.rehearse(now, &mut self.outside)
    }

    /// Opens nothing new from now on.
    pub fn drain(&mut self) {
        self.executor.drain();
    }

    /// Nonces from this one on are not set aside yet: none of them may be used.
    pub fn nonces_below(&mut self, below: u64) {
        for lanes in &mut self.outside.lanes {
            lanes.gateway().nonces_below(below);
        }
    }

    /// After [`ExecStage::drain`]: nothing is in flight and no hedge is owed.
    pub fn is_drained(&mut self, now: Nanos) -> bool {
        self.outside.now = now;
        self.executor.is_drained(now, &mut self.outside)
    }

    /// True when every gateway takes orders.
    pub fn is_ready(&mut self) -> bool {
        self.outside.lanes.iter_mut().all(|lanes| lanes.gateway().ready())
    }

    /// The executor.
    pub fn executor(&mut self) -> &mut Executor {
        &mut self.executor
    }

    /// The executor's account of the run.
    pub fn report(&mut self, now: Nanos) -> ExecReport {
        self.outside.now = now;
        self.executor.report(&mut self.outside, now)
    }

    /// What people must know, in order.
    pub fn alerts(&self) -> impl Iterator<Item = &String> {
        self.outside.lanes.iter().flat_map(Lanes::alerts).chain(&self.outside.alerts)
    }

    /// The times of its hops.
    pub fn hops(&self) -> &HopRecorder {
        &self.hops
    }
}

impl<W: Stopwatch> Outside<W> {
    /// Times the first word of an order and its first fill, from the send.
    fn time(&mut self, report: &Report, hops: &mut HopRecorder) {
        let (hop, client) = match report {
            Report::Accepted { client, .. } => (Hop::Ack, client),
            Report::Filled { client, .. } => (Hop::Fill, client),
            _ => return,
        };
        let Some(left) = self.left.iter_mut().rev().find(|left| left.client == *client) else { return };
        let timed = if hop == Hop::Ack { &mut left.acked } else { &mut left.filled };
        if !std::mem::replace(timed, true) {
            hops.record(hop, self.watch.nanos(left.at, self.watch.ticks()));
        }
    }
}

impl<W: Stopwatch> Context for Outside<W> {
    fn gateway(&mut self, venue: VenueId) -> &mut dyn Gateway {
        self.lanes[usize::from(venue.0)].gateway()
    }

    fn quote(&mut self, venue: VenueId, instrument: InstrumentId) -> Option<Quote> {
        let books = self.books.get(usize::from(venue.0))?;
        let reader = books.get(usize::from(instrument.0))?.as_ref()?;
        // A publication takes nanoseconds; one that does not end is a writer that was stopped.
        let glance = (0..1_000).find_map(|_| reader.glance())?;
        Some(Quote {
            bid: glance.bid?,
            ask: glance.ask?,
            at: glance.heard,
            version: glance.version,
            live: glance.trust == Trust::Live && !glance.crossed,
            old: false,
        })
    }

    fn send(
        &mut self,
        venue: VenueId,
        lane: Lane,
        client: ClientId,
        bytes: &[u8],
        expires: Nanos,
    ) -> SendOutcome {
        let Some(lanes) = self.lanes.get_mut(usize::from(venue.0)) else { return SendOutcome::NotSent };
        let outcome = lanes.send(lane, client, bytes, expires.min(self.now + SEND_WITHIN));
        if self.left.len() == TIMED {
            self.left.remove(0);
        }
        self.left.push(Left { client, at: self.watch.ticks(), acked: false, filled: false });
        outcome
    }

    fn withdraw(&mut self, venue: VenueId, client: ClientId) {
        if let Some(lanes) = self.lanes.get_mut(usize::from(venue.0)) {
            lanes.withdraw(client, self.now);
        }
    }

    fn command(&mut self, venue: VenueId, command: Command) {
        if let Some(lanes) = self.lanes.get_mut(usize::from(venue.0)) {
            lanes.command(&command, self.now);
        }
    }

    fn alert(&mut self, alert: Alert) {
        self.alerts.push(alert.to_string());
    }
}
