//! Intents: the legs of an opportunity, sent together, and what follows until they are even.
//!
//! An intent knows how many of its orders are still open and what its fills brought of the base
//! asset, net of fees in it: what is *received* counts, not what was ordered. When nothing is open
//! any more, what is left over is hedged, or is too small to be, or is beyond what may be hedged.
//! Each intent reaches exactly one [`Outcome`], within its lifetime.

use crate::risk::Direction;
use crate::types::{InstrumentId, Money, Nanos, Price};

/// How an intent ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Outcome {
    /// The legs were even, or as good as.
    Done = 0,
    /// A difference between them was hedged.
    Unwound = 1,
    /// A difference was kept as inventory, within its limit.
    Kept = 2,
    /// A difference, or an order of unknown fate, is left: the instrument is halted.
    CappedHalt = 3,
}

/// One intent.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// Its number, from 1.
    pub number: u64,
    /// Of what.
    pub instrument: InstrumentId,
    /// Which way; `None` when it only hedges what others left over.
    pub direction: Option<Direction>,
    /// The mid when it was admitted: hedges are measured against it.
    pub reference: Price,
    /// Orders that have not ended.
    pub open: u32,
    /// What its fills brought of the base asset, and what it was given to hedge.
    pub residual: Money,
    /// Hedges tried.
    pub attempts: u8,
    /// It must have ended by then.
    pub deadline: Nanos,
    /// When the next hedge may be tried.
    pub retry_at: Nanos,
}

/// The intents that have not ended. Few, so looking through them is fast.
#[derive(Debug)]
pub struct Intents {
    slots: Vec<Intent>,
    capacity: usize,
    last: u64,
}

impl Intents {
    /// Room for so many.
    pub fn new(capacity: usize) -> Intents {
        Intents { slots: Vec::with_capacity(capacity), capacity, last: 0 }
    }

    /// Whether another one fits.
    pub fn has_room(&self) -> bool {
        self.slots.len() < self.capacity
    }

    /// Enters an intent and gives it its number; `None` when there is no room.
    pub fn open(
        &mut self,
        instrument: InstrumentId,
        direction: Option<Direction>,
        reference: Price,
        residual: Money,
        deadline: Nanos,
    ) -> Option<u64> {
        if !self.has_room() {
            return None;
        }
        self.last += 1;
        self.slots.push(Intent {
            number: self.last,
            instrument,
            direction,
            reference,
            open: 0,
            residual,
            attempts: 0,
            deadline,
            retry_at: Nanos(i64::MIN),
        });
        Some(self.last)
    }

    /// The intent of a number, unless it ended.
    pub fn get(&self, number: u64) -> Option<&Intent> {
        self.slots.iter().find(|intent| intent.number == number)
    }

    /// The intent of a number, unless it ended.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Intent> {
        self.slots.iter_mut().find(|intent| intent.number == number)
    }

    /// Takes out an intent that ended.
    pub fn close(&mut self, number: u64) -> Option<Intent> {
        let at = self.slots.iter().position(|intent| intent.number == number)?;
        Some(self.slots.remove(at))
    }

    /// All that have not ended, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Intent> {
        self.slots.iter()
    }

    /// How many there were in all.
    pub fn count(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_are_numbered_and_bounded() {
        let mut intents = Intents::new(2);
        let open =
            |intents: &mut Intents| intents.open(InstrumentId(0), None, Price(1), Money::ZERO, Nanos(1));
        assert_eq!(open(&mut intents), Some(1));
        assert_eq!(open(&mut intents), Some(2));
        assert_eq!(open(&mut intents), None);
        intents.get_mut(1).unwrap().open = 2;
        assert_eq!(intents.close(1).map(|intent| intent.open), Some(2));
        assert!(intents.close(1).is_none() && intents.get(1).is_none());
        assert_eq!(open(&mut intents), Some(3));
        assert_eq!(intents.iter().map(|intent| intent.number).collect::<Vec<_>>(), [2, 3]);
    }
}
