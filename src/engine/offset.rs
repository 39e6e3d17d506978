//! How far a venue's clock is from ours, from its answers to "what time is it?".

use crate::types::Nanos;

/// Samples kept: the best of them decides.
const SAMPLES: usize = 8;

/// An estimate of a venue's clock against ours. Of the last few answers the one with the shortest
/// round trip counts, since its error is at most half of that trip.
#[derive(Clone, Debug, Default)]
pub struct ClockOffset {
    samples: [Option<Sample>; SAMPLES],
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    round_trip: Nanos,
    offset: Nanos,
}

impl ClockOffset {
    /// Takes an answer: the question left at `asked`, the answer came at `now`, both by our clock.
    /// An answer from before its question, or a venue time that is absurd, is not taken.
    pub fn answer(&mut self, venue: Nanos, asked: Nanos, now: Nanos) {
        let round_trip = now - asked;
        let middle = Nanos(asked.0 + round_trip.0 / 2);
        if round_trip < Nanos::ZERO || venue <= Nanos::ZERO || venue > Nanos::MAX - Nanos::from_secs(86_400) {
            return;
        }
        self.samples[self.next % SAMPLES] = Some(Sample { round_trip, offset: venue - middle });
        self.next = (self.next + 1) % SAMPLES;
    }

    fn best(&self) -> Option<Sample> {
        self.samples.iter().flatten().copied().min_by_key(|sample| sample.round_trip)
    }

    /// The venue's time at our time `now`; ours as long as there was no answer.
    pub fn venue_time(&self, now: Nanos) -> Nanos {
        now + self.best().map_or(Nanos::ZERO, |sample| sample.offset)
    }

    /// The offset and the most that it can be wrong by; `None` before the first answer.
    pub fn estimate(&self) -> Option<(Nanos, Nanos)> {
        self.best().map(|sample| (sample.offset, Nanos(sample.round_trip.0 / 2 + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_decides() {
        let ms = Nanos::from_millis;
        let mut offset = ClockOffset::default();
        assert_eq!(offset.venue_time(ms(5)), ms(5));
        offset.answer(ms(1_070), ms(0), ms(100)); // 100 ms there and back: 1,020 ± 50
        offset.answer(ms(1_205), ms(200), ms(204)); // 4 ms: 1,003 ± 2
        offset.answer(ms(1_500), ms(300), ms(250)); // before its question
        assert_eq!(offset.venue_time(ms(1_000)), ms(2_003));
        assert_eq!(offset.estimate().unwrap().0, ms(1_003));
        for i in 0..SAMPLES as i64 {
            offset.answer(ms(2_000 + i), ms(1_000 + i), ms(1_010 + i)); // the good one is forgotten
        }
        assert_eq!(offset.venue_time(ms(0)), ms(995));
    }
}
