//! The stamps of the frame that last moved a book, for whoever detects on it in another thread.

use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::telemetry::{FED, Stamps};

/// One book's newest [`Stamps`]. Stamps only measure, so a reading that mixes two frames is an odd
/// sample in a histogram and nothing worse: plain relaxed words will do.
#[derive(Default)]
pub struct JourneyCell {
    start: AtomicU64,
    wire_ns: AtomicU64,
    ends: [AtomicU64; FED / 2],
}

impl JourneyCell {
    /// By the one thread that owns the book.
    #[inline]
    pub fn store(&self, stamps: &Stamps) {
        self.start.store(stamps.start(), Relaxed);
        self.wire_ns.store(u64::from(stamps.wire_ns()), Relaxed);
        for (end, word) in self.ends.iter().zip(stamps.fed()) {
            end.store(word, Relaxed);
        }
    }

    /// By the thread that detects.
    #[inline]
    pub fn load(&self) -> Stamps {
        let ends = std::array::from_fn(|at| self.ends[at].load(Relaxed));
        Stamps::from_fed(self.start.load(Relaxed), self.wire_ns.load(Relaxed) as u32, ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Hop;

    #[test]
    fn stamps_come_out_as_they_went_in() {
        let mut stamps = Stamps::begin(100, 7);
        for (hop, ticks) in [(Hop::Frame, 101), (Hop::Decode, 140), (Hop::Publish, 200)] {
            stamps.mark(hop, ticks);
        }
        let cell = JourneyCell::default();
        cell.store(&stamps);
        assert_eq!(cell.load(), stamps);
    }
}
