//! How far apart two books usually stand: what spot and a perpetual of the same coin are measured by.
//!
//! Two related markets may differ for days by what holding one of them costs. Against that standing
//! difference an edge means little; what pays is its return to where it was. So the least edge of a
//! direction is raised (or, the other way round, lowered) by the mean of the difference between the mids,
//! weighted by time, the weight of the past halving with every half-life.
//!
//! In integers: the same books at the same times give the same mean on every machine.

use super::scan::{BookSlot, Books, Detector, Watch};
use crate::book::{Glance, Trust};
use crate::types::{Bps, Nanos};

/// Binary digits of a weight, and one of them all: fine enough for microseconds of an hour.
const DIGITS: usize = 48;
const WHOLE: u64 = 1 << DIGITS;
/// What a mean is finer by than a [`Bps`].
const FINE: i128 = 1 << 16;
/// More half-lives than these leave nothing of the past.
const FORGOTTEN: i64 = 63;
/// Beyond every edge: nothing is taken before the mean means something.
const NEVER: Bps = Bps(10_000 * Bps::ONE);

/// The time-weighted mean of a value that holds until it is seen anew.
#[derive(Clone, Debug)]
pub struct Basis {
    half_life: Nanos,
    /// `2^-(2^-k)` for k from 1, as weights: the binary digits of an exponent pick their factors.
    roots: [u64; DIGITS],
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    since: Nanos,
    at: Nanos,
    last: Bps,
    /// Values by their weights, in units of a [`Bps`] over [`FINE`].
    sum: i128,
    /// The weights: of all that was seen, so that the first value counts for no more than its time.
    weight: u64,
}

impl Basis {
    /// Nothing was seen yet. A half-life is at least a nanosecond.
    pub fn new(half_life: Nanos) -> Basis {
        let mut roots = [0; DIGITS];
        // The square root of a weight is that of weight times one; 2^-1 is a half.
        let mut root = WHOLE / 2;
        for own in &mut roots {
            root = (u128::from(root) * u128::from(WHOLE)).isqrt() as u64;
            *own = root;
        }
        Basis { half_life: half_life.max(Nanos(1)), roots, state: None }
    }

    /// The value is this from `now` on, which must not fall.
    pub fn observe(&mut self, value: Bps, now: Nanos) {
        let Some(State { since, at, last, sum, weight }) = self.state else {
            self.state = Some(State { since: now, at: now, last: value, sum: 0, weight: 0 });
            return;
        };
        let kept = self.weight(now - at);
        let sum = sum * i128::from(kept) + i128::from(last.0) * FINE * i128::from(WHOLE - kept);
        let weight = u128::from(weight) * u128::from(kept) + u128::from(WHOLE) * u128::from(WHOLE - kept);
        self.state = Some(State {
            since,
            at: at.max(now),
            last: value,
            sum: sum / i128::from(WHOLE),
            weight: (weight >> DIGITS) as u64,
        });
    }

    /// The mean up to the last observation; `None` before it spans a half-life.
    pub fn mean(&self) -> Option<Bps> {
        let State { since, at, sum, weight, .. } = self.state?;
        if at - since < self.half_life || weight == 0 {
            return None;
        }
        let mean = sum * i128::from(WHOLE) / i128::from(weight);
        i64::try_from(mean.div_euclid(FINE)).ok().map(Bps)
    }

    /// What is left of the weight of the past after so long.
    fn weight(&self, passed: Nanos) -> u64 {
        let passed = i128::from(passed.0.max(0)) * i128::from(WHOLE) / i128::from(self.half_life.0);
        let (halvings, part) = (passed >> DIGITS, (passed % i128::from(WHOLE)) as u64);
        if halvings > i128::from(FORGOTTEN) {
            return 0;
        }
        let mut weight = WHOLE;
        for (digit, root) in self.roots.iter().enumerate() {
            if part >> (DIGITS - 1 - digit) & 1 == 1 {
                weight = (u128::from(weight) * u128::from(*root) / u128::from(WHOLE)) as u64;
            }
        }
        weight >> halvings
    }
}

/// The bases of all pairs that a detector looks at, by direction.
pub struct Bases {
    min_edge: Bps,
    directions: Vec<(BookSlot, BookSlot, Basis)>,
}

impl Bases {
    /// Those of these instruments: `min_edge` is wanted beyond the basis.
    pub fn new(watches: &[Watch], half_life: Nanos, min_edge: Bps) -> Bases {
        let mut directions = Vec::new();
        for watch in watches {
            for buy in &watch.books {
                let others = watch.books.iter().filter(|sell| sell.slot != buy.slot);
                directions.extend(others.map(|sell| (buy.slot, sell.slot, Basis::new(half_life))));
            }
        }
        Bases { min_edge, directions }
    }

    /// A book moved: from here on the detector wants of its directions what their bases say. The bases
    /// do not hold what the book says now, only what it said before.
    pub fn follow<B: Books>(&mut self, books: &mut B, moved: BookSlot, now: Nanos, detector: &mut Detector) {
        let min_edge = self.min_edge;
        let own = self.directions.iter_mut().filter(|(buy, sell, _)| *buy == moved || *sell == moved);
        for (buy, sell, basis) in own {
            if let (Some(buy), Some(sell)) = (mids(books.glance(*buy)), mids(books.glance(*sell))) {
                let apart = (sell - buy) * 10_000 * i128::from(Bps::ONE);
                if let Ok(apart) = i64::try_from(apart.div_euclid(buy)) {
                    basis.observe(Bps(apart), now);
                }
            }
            let wanted = basis.mean().map_or(NEVER, |mean| Bps(mean.0.saturating_add(min_edge.0)));
            detector.require(*buy, *sell, wanted);
        }
    }
}

/// Twice the mid of a book that may be used.
fn mids(book: Option<Glance>) -> Option<i128> {
    let book = book.filter(|book| book.trust == Trust::Live && !book.crossed)?;
    Some(i128::from(book.bid?.price.0) + i128::from(book.ask?.price.0)).filter(|sum| *sum > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_weighs_half_after_a_half_life() {
        let s = Nanos::from_secs;
        let mut basis = Basis::new(s(10));
        basis.observe(Bps(8_000_000), s(0));
        assert_eq!(basis.mean(), None, "too young to mean anything");
        basis.observe(Bps(0), s(100));
        assert_eq!(basis.mean(), Some(Bps(8_000_000)), "what was just seen weighs nothing yet");
        // Zero from 100 s on; half of what was is left every ten seconds, and 2^-0.5 after five. The time
        // before the first value has no weight: it would have had one of 2^-10.
        for (at, want) in [(110, 4_000_000), (120, 2_000_000), (125, 1_414_213), (135, 707_106), (900, 0)] {
            basis.observe(Bps(0), s(at));
            let mean = basis.mean().unwrap().0;
            assert!((mean - want).abs() <= want / 1_000 + 2, "{at} s: {mean}, not {want}");
        }
    }

    #[test]
    fn how_often_it_is_looked_at_makes_no_difference() {
        let mean = |steps: i64| {
            let mut basis = Basis::new(Nanos::from_secs(7));
            basis.observe(Bps(-3_000_000), Nanos::ZERO);
            basis.observe(Bps(5_000_000), Nanos::from_secs(20));
            for step in 1..=steps {
                basis.observe(Bps(5_000_000), Nanos::from_secs(20) + Nanos(step * 9_000_000_000 / steps));
            }
            basis.mean().unwrap().0
        };
        assert!((mean(1) - mean(1_000)).abs() <= 3, "{} and {}", mean(1), mean(1_000));
    }
}
