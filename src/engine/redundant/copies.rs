//! Which connection brought an update first, and by how much the later copies trailed.

use std::array;

use crate::types::Nanos;

/// Upper bounds of the classes of [`Trail::classes`], in ns; the last class has none.
pub const TRAIL_BELOW: [u64; 5] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// By how much the later copies of one connection trailed the first ones of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trail {
    /// Copies that were timed: those whose first copy was not forgotten yet.
    pub count: u64,
    /// All of it, in ns.
    pub sum_ns: u64,
    /// The most, in ns.
    pub max_ns: u64,
    /// How many were below each of [`TRAIL_BELOW`] and not below the one before; then the rest.
    pub classes: [u64; TRAIL_BELOW.len() + 1],
}

impl Trail {
    /// A copy came `by` later than the first one; what came before it by the kernel's stamps, yet
    /// was read later, trailed by nothing.
    fn note(&mut self, by: Nanos) {
        let ns = u64::try_from(by.0).unwrap_or(0);
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.max_ns = self.max_ns.max(ns);
        let class = TRAIL_BELOW.iter().filter(|bound| ns >= **bound).count();
        self.classes[class] += 1;
    }

    /// The typical one, in ns; zero where none was timed.
    pub fn mean_ns(&self) -> u64 {
        self.sum_ns.checked_div(self.count).unwrap_or(0)
    }
}

/// What one of several connections for one stream did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionCounters {
    /// Messages taken.
    pub frames: u64,
    /// Updates that it brought first.
    pub first: u64,
    /// Updates that another connection had brought already.
    pub late: u64,
    /// Times that it lost a book: closed, a gap, a message that cannot be read.
    pub lost: u64,
    /// How many of these went unnoticed, because another connection had the book.
    pub covered: u64,
    /// By how much `late` ones trailed.
    pub trail: Trail,
}

/// First copies whose time is remembered; what trails by more than so many updates is not timed.
const REMEMBERED: usize = 256;

/// The newest first copies of one book's updates: what they are known by, rising, and when they came.
pub(super) struct Firsts {
    rows: [(u64, Nanos); REMEMBERED],
    count: usize,
}

impl Firsts {
    pub fn new() -> Firsts {
        Firsts { rows: [(0, Nanos::ZERO); REMEMBERED], count: 0 }
    }

    /// An update nobody brought before.
    pub fn push(&mut self, key: u64, at: Nanos) {
        if self.count > 0 && self.rows[(self.count - 1) % REMEMBERED].0 >= key {
            return;
        }
        self.rows[self.count % REMEMBERED] = (key, at);
        self.count += 1;
    }

    /// When what `key` stands for was first known: with the first update that reaches so far.
    /// `None` when that is forgotten, or was not seen.
    pub fn since(&self, key: u64) -> Option<Nanos> {
        let oldest = self.count.saturating_sub(REMEMBERED);
        let row = |at: usize| self.rows[at % REMEMBERED];
        if self.count == 0 || (oldest > 0 && row(oldest).0 > key) {
            return None;
        }
        let (mut low, mut high) = (oldest, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if row(middle).0 < key { low = middle + 1 } else { high = middle }
        }
        (low < self.count).then(|| row(low).1)
    }

    /// The numbers start anew.
    pub fn clear(&mut self) {
        self.count = 0;
    }
}

/// A copy's place among the others of one stream of one book.
pub(super) struct Race {
    /// Depth, then ticker.
    firsts: [Firsts; 2],
}

impl Race {
    pub fn new() -> Race {
        Race { firsts: array::from_fn(|_| Firsts::new()) }
    }

    /// Counts an update that came first.
    pub fn first(&mut self, ticker: bool, key: u64, at: Nanos, told: &mut ConnectionCounters) {
        told.first += 1;
        self.firsts[usize::from(ticker)].push(key, at);
    }

    /// Counts a later copy.
    pub fn late(&mut self, ticker: bool, key: u64, at: Nanos, told: &mut ConnectionCounters) {
        told.late += 1;
        if let Some(first) = self.firsts[usize::from(ticker)].since(key) {
            told.trail.note(at - first);
        }
    }

    /// The numbers start anew.
    pub fn clear(&mut self) {
        self.firsts.iter_mut().for_each(Firsts::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_first_copy_is_found_until_it_is_forgotten() {
        let mut firsts = Firsts::new();
        assert_eq!(firsts.since(1), None);
        for key in 1..=1_000_u64 {
            firsts.push(key * 10, Nanos(key as i64));
        }
        // A number that was there already has a time already.
        firsts.push(10_000, Nanos(5_000));
        let want = [(10_000, Some(1_000)), (9_995, Some(1_000)), (9_990, Some(999)), (10_001, None)];
        for (key, at) in want.into_iter().chain([(7_450, Some(745)), (7_449, None), (10, None)]) {
            assert_eq!(firsts.since(key), at.map(Nanos), "{key}");
        }
        firsts.clear();
        assert_eq!(firsts.since(10_000), None);
    }

    #[test]
    fn trails_fall_into_classes() {
        let mut trail = Trail::default();
        for ns in [-5, 0, 9_999, 10_000, 99_999, 5_000_000, 100_000_000, 7_000_000_000] {
            trail.note(Nanos(ns));
        }
        assert_eq!(trail.classes, [3, 2, 0, 1, 0, 2]);
        assert_eq!((trail.count, trail.max_ns), (8, 7_000_000_000));
        assert_eq!(trail.sum_ns, 9_999 + 10_000 + 99_999 + 5_000_000 + 100_000_000 + 7_000_000_000);
        assert_eq!((trail.mean_ns(), Trail::default().mean_ns()), (trail.sum_ns / 8, 0));
    }
}
