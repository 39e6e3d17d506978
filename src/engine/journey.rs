//! The stamps of the frame that last moved a book, for whoever detects on it in another thread.

use crate::sync::{AtomicU64, Ordering::Relaxed};
use crate::telemetry::{Hop, Stamps};

/// The hops that a feed thread stamps.
const HOPS: [Hop; 5] = [Hop::Frame, Hop::Decode, Hop::Book, Hop::Verify, Hop::Publish];

/// One book's newest [`Stamps`]. Stamps only measure, so a reading that mixes two frames is an odd
/// sample in a histogram and nothing worse: plain relaxed words will do.
#[derive(Default)]
pub struct JourneyCell {
    start: AtomicU64,
    wire_ns: AtomicU64,
    ends: [AtomicU64; HOPS.len()],
}

impl JourneyCell {
    /// By the one thread that owns the book.
    #[inline]
    pub fn store(&self, stamps: &Stamps) {
        self.start.store(stamps.start(), Relaxed);
        self.wire_ns.store(u64::from(stamps.wire_ns()), Relaxed);
        for (end, hop) in self.ends.iter().zip(HOPS) {
            end.store(stamps.end(hop).unwrap_or(0), Relaxed);
        }
    }

    /// By the thread that detects.
    #[inline]
    pub fn load(&self) -> Stamps {
        let mut stamps = Stamps::begin(self.start.load(Relaxed), self.wire_ns.load(Relaxed) as u32);
        for (end, hop) in self.ends.iter().zip(HOPS) {
            let end = end.load(Relaxed);
            if end != 0 {
                stamps.mark(hop, end);
            }
        }
        stamps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
