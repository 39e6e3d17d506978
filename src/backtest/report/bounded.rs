//! What a chart is made of, in memory that does not grow with what is told: buckets of time that
//! double, bins that widen, and a sample of every so many.

use std::collections::BTreeMap;

use crate::types::Nanos;

/// The most points of a series.
pub const MOST: usize = 2_000;
/// The narrowest bucket of time.
const NARROWEST: i64 = 1_000_000;

/// What falls into one bucket, in the order of time.
pub trait Merge: Copy {
    /// Takes in what came later.
    fn merge(&mut self, later: Self);
}

impl Merge for u64 {
    fn merge(&mut self, later: u64) {
        *self += later;
    }
}

/// The least, the most and the last of some values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ends {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// The last.
    pub last: f64,
}

impl Ends {
    /// Of one value.
    pub fn one(value: f64) -> Ends {
        Ends { low: value, high: value, last: value }
    }
}

impl Merge for Ends {
    fn merge(&mut self, later: Ends) {
        *self = Ends { low: self.low.min(later.low), high: self.high.max(later.high), last: later.last };
    }
}

/// A series over time. When its buckets run out, two become one.
#[derive(Clone, PartialEq, Debug)]
pub struct Series<V> {
    start: Nanos,
    width: i64,
    buckets: Vec<Option<V>>,
}

impl<V: Merge> Series<V> {
    /// Nothing yet; earlier times count as `start`.
    pub fn new(start: Nanos) -> Series<V> {
        Series { start, width: NARROWEST, buckets: Vec::new() }
    }

    /// Adds a value. Times do not fall.
    pub fn add(&mut self, at: Nanos, value: V) {
        let since = (at - self.start).0.max(0);
        while since / self.width >= MOST as i64 {
            self.halve();
        }
        let bucket = (since / self.width) as usize;
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, None);
        }
        match &mut self.buckets[bucket] {
            Some(own) => own.merge(value),
            empty => *empty = Some(value),
        }
    }

    fn halve(&mut self) {
        let pairs = self.buckets.chunks(2).map(|pair| match pair {
            [Some(first), Some(second)] => {
                let mut both = *first;
                both.merge(*second);
                Some(both)
            }
            [first, second] => first.or(*second),
            pair => pair.first().copied().flatten(),
        });
        self.buckets = pairs.collect();
        self.width *= 2;
    }

    /// The same in at most so many buckets.
    pub fn coarse(&self, most: usize) -> Series<V> {
        let mut own = self.clone();
        while own.buckets.len() > most.max(1) {
            own.halve();
        }
        own
    }

    /// A bucket's width in seconds.
    pub fn seconds(&self) -> f64 {
        self.width as f64 / 1e9
    }

    /// Where buckets begin that are not empty, in seconds since 1970, and what is in them.
    pub fn points(&self) -> impl Iterator<Item = (f64, V)> {
        let filled = self.buckets.iter().enumerate();
        filled.filter_map(|(at, value)| Some((seconds(self.start) + at as f64 * self.seconds(), (*value)?)))
    }
}

/// Seconds since 1970.
pub fn seconds(at: Nanos) -> f64 {
    at.0 as f64 / 1e9
}

/// Counts by value, in bins of equal width. When there are too many bins, two become one.
#[derive(Clone, PartialEq, Debug)]
pub struct Bins {
    width: i64,
    counts: BTreeMap<i64, u64>,
}

impl Bins {
    /// No counts; bins begin this narrow.
    pub fn new(width: i64) -> Bins {
        Bins { width: width.max(1), counts: BTreeMap::new() }
    }

    /// Counts a value.
    pub fn add(&mut self, value: i64) {
        *self.counts.entry(value.div_euclid(self.width)).or_default() += 1;
        while self.counts.len() > MOST {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut pairs = BTreeMap::new();
        for (bin, count) in &self.counts {
            *pairs.entry(bin.div_euclid(2)).or_default() += count;
        }
        self.counts = pairs;
        self.width = self.width.saturating_mul(2);
    }

    /// At most so many bins from the first to the last: from, to, count.
    pub fn coarse(&self, most: i64) -> Vec<(i64, i64, u64)> {
        let mut own = self.clone();
        let span = |own: &Bins| match (own.counts.first_key_value(), own.counts.last_key_value()) {
            (Some((first, _)), Some((last, _))) => last - first + 1,
            _ => 0,
        };
        while span(&own) > most.max(2) {
            own.halve();
        }
        let edges = |bin: i64| (bin.saturating_mul(own.width), (bin + 1).saturating_mul(own.width));
        own.counts.iter().map(|(bin, count)| (edges(*bin).0, edges(*bin).1, *count)).collect()
    }
}

/// Every so-many-th of a list: all as long as there is room, then every second, every fourth.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample<T> {
    kept: Vec<T>,
    every: u64,
    told: u64,
}

impl<T> Sample<T> {
    /// None yet.
    pub fn new() -> Sample<T> {
        Sample { kept: Vec::new(), every: 1, told: 0 }
    }

    /// One more.
    pub fn add(&mut self, one: T) {
        if self.told.is_multiple_of(self.every) {
            if self.kept.len() == MOST {
                let mut at = 0;
                self.kept.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.every *= 2;
            }
            if self.told.is_multiple_of(self.every) {
                self.kept.push(one);
            }
        }
        self.told += 1;
    }

    /// Those that were kept.
    pub fn kept(&self) -> &[T] {
        &self.kept
    }

    /// How many there were.
    pub fn told(&self) -> u64 {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_ends_and_counts_in_bounded_room() {
        let start = Nanos(1_700_000_000_000_000_000);
        let (mut ends, mut counts) = (Series::new(start), Series::new(start));
        let n = 50_000;
        for i in 0..n {
            let at = start + Nanos(i * 700_000_000);
            let value = if i == 31_234 { -5.0 } else { (i % 100) as f64 };
            ends.add(at, Ends::one(value));
            counts.add(at, 1u64);
        }
        let points: Vec<_> = ends.points().collect();
        assert!(points.len() <= MOST && points.len() > MOST / 2, "{}", points.len());
        assert_eq!(counts.points().map(|(_, count)| count).sum::<u64>(), n as u64);
        let low = points.iter().map(|(_, ends)| ends.low).fold(f64::MAX, f64::min);
        assert_eq!((low, points.last().map(|(_, ends)| ends.last)), (-5.0, Some(99.0)));
        // The dip is where it was.
        let dip = points.iter().find(|(_, ends)| ends.low == -5.0).map_or(0.0, |point| point.0);
        let want = 1_700_000_000.0 + 31_234.0 * 0.7;
        assert!(dip <= want && want < dip + ends.seconds(), "{dip} {want}");
        let few = counts.coarse(50);
        assert!(few.points().count() <= 50);
        assert_eq!(few.points().map(|(_, count)| count).sum::<u64>(), n as u64);
    }

    #[test]
    fn bins_hold_every_value_also_below_zero() {
        let mut bins = Bins::new(10);
        for value in [-25, -1, 0, 9, 10, 10, 1_000_000] {
            bins.add(value);
        }
        assert_eq!(
            bins.coarse(i64::MAX),
            [(-30, -20, 1), (-10, 0, 1), (0, 10, 2), (10, 20, 2), (1_000_000, 1_000_010, 1)]
        );
        let coarse = bins.coarse(10);
        assert_eq!(coarse.iter().map(|(.., count)| count).sum::<u64>(), 7);
        let (first, last) = (coarse[0], coarse[coarse.len() - 1]);
        assert!(first.0 <= -25 && last.1 > 1_000_000 && coarse.len() <= 10, "{coarse:?}");
        assert_eq!(Bins::new(1).coarse(5), []);
    }

    #[test]
    fn a_sample_is_even_and_bounded() {
        let mut sample = Sample::new();
        for i in 0..10_000u64 {
            sample.add(i);
        }
        let every = 8;
        assert!(sample.kept().len() <= MOST);
        assert!(
            sample.kept().iter().enumerate().all(|(at, i)| *i == at as u64 * every),
            "{:?}",
            sample.kept()
        );
        assert_eq!((sample.kept().len() as u64, sample.told()), (10_000 / every, 10_000));
    }
}
