//! The queue from the detector to the executor: bounded, and of boxes that go round.
//!
//! A signal is some hundred bytes. It is written down once, in a box that was made beforehand; through
//! the queue goes the box, one word, and back when the executor is done with it. Nothing is allocated
//! after the start.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::signal::Signal;
use crate::detect::Opportunity;
use crate::telemetry::Stamps;

/// Boxes beside those that the queue holds: one with whoever fills it, one with whoever empties it.
const IN_HAND: usize = 2;

/// A queue of so many signals, one at least.
pub fn signals(capacity: usize) -> (Outbox, Inbox) {
    let capacity = capacity.max(1);
    let boxes = capacity + IN_HAND;
    let (out, queue) = bounded(capacity);
    let (given_back, back) = bounded(boxes);
    let empty = || Box::new(Signal { opportunity: Opportunity::NONE, stamps: Stamps::default() });
    let free = std::iter::repeat_with(empty).take(boxes).collect();
    (Outbox { queue: out, back, free }, Inbox { queue, back: given_back })
}

/// The detector's end.
pub struct Outbox {
    queue: Sender<Box<Signal>>,
    back: Receiver<Box<Signal>>,
    #[expect(clippy::vec_box, reason = "what passes through the queue is the box")]
    free: Vec<Box<Signal>>,
}

impl Outbox {
    /// Sends a signal; false when the queue is full, or nobody takes from it any more.
    #[inline]
    pub fn send(&mut self, opportunity: &Opportunity, stamps: &Stamps) -> bool {
        let Some(mut signal) = self.free.pop().or_else(|| self.back.try_recv().ok()) else { return false };
        signal.write(opportunity, stamps);
        match self.queue.try_send(signal) {
            Ok(()) => true,
            Err(refused) => {
                self.free.push(refused.into_inner());
                false
            }
        }
    }

    /// Writes down a signal that is not sent, in the box of the next one that is.
    #[inline]
    pub fn rehearse(&mut self, opportunity: &Opportunity, stamps: &Stamps) {
        if let Some(signal) = self.free.last_mut() {
            signal.write(opportunity, stamps);
        }
    }

    /// Takes back the boxes that came back: for when nobody waits.
    pub fn settle(&mut self) {
        self.free.extend(self.back.try_iter());
    }
}

/// The executor's end.
pub struct Inbox {
    queue: Receiver<Box<Signal>>,
    back: Sender<Box<Signal>>,
}

impl Inbox {
    /// Shows the next signal to `act`, when there is one, and gives its box back.
    #[inline]
    pub fn take<R>(&self, act: impl FnOnce(&Signal) -> R) -> Option<R> {
        let signal = self.queue.try_recv().ok()?;
        let done = act(&signal);
        // There is room for every box. With the detector gone, none is needed any more.
        let _ = self.back.try_send(signal);
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Leg, Sums};
    use crate::types::{InstrumentId, Money, Nanos, Price, Qty, Side, VenueId};

    fn seen_at(at: i64) -> Opportunity {
        let leg = Leg { venue: VenueId(0), side: Side::Buy, price: Price(1), qty: Qty(1), book_version: 1 };
        let sums = Sums { bought: Money::ONE, ..Sums::default() };
        Opportunity::new(InstrumentId(0), Nanos(at), &[leg], sums, false).unwrap()
    }

    #[test]
    fn a_full_queue_refuses_and_boxes_go_round() {
        for capacity in [1, 3] {
            let (mut outbox, inbox) = signals(capacity);
            for round in 0..10 {
                for at in 0..capacity as i64 {
                    assert!(outbox.send(&seen_at(at), &Stamps::begin(round, 0)), "{at} of {capacity}");
                }
                assert!(!outbox.send(&seen_at(99), &Stamps::default()), "it holds {capacity}");
                for at in 0..capacity as i64 {
                    let got = inbox.take(|signal| (signal.opportunity, signal.stamps.start()));
                    assert_eq!(got, Some((seen_at(at), round)));
                }
                assert_eq!(inbox.take(|_| ()), None);
                if round % 2 == 0 {
                    outbox.settle();
                }
            }
            outbox.settle();
            assert_eq!(outbox.free.len(), capacity + IN_HAND, "none was lost, and none was made");
        }
    }

    #[test]
    fn either_end_may_go_first() {
        let (mut outbox, inbox) = signals(2);
        assert!(outbox.send(&seen_at(1), &Stamps::default()));
        drop(inbox);
        assert!(!outbox.send(&seen_at(2), &Stamps::default()));
        let (mut outbox, inbox) = signals(2);
        assert!(outbox.send(&seen_at(1), &Stamps::default()));
        drop(outbox);
        assert_eq!(inbox.take(|signal| signal.opportunity.at), Some(Nanos(1)));
        assert_eq!(inbox.take(|_| ()), None);
    }
}
