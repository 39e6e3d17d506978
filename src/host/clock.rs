//! Time from the CPU's counter.
//!
//! The counter is read in about 12 ns, a third of what the system's clock costs, and never goes
//! back. It is anchored to the system's time once, so that steps of that clock do not reach the
//! engine; [`HostClock::drift`] tells how far the two have parted.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::types::{Clock, Nanos, Stopwatch};

/// The machine's clock. Copies agree with each other.
#[derive(Clone, Debug)]
pub struct HostClock {
    counter: quanta::Clock,
    /// The counter at the anchor.
    from: u64,
    /// The system's time at the anchor.
    at: Nanos,
}

impl HostClock {
    /// Anchors a clock to the system's time. The first one in a process measures the counter's
    /// rate, which takes some milliseconds.
    pub fn new() -> HostClock {
        let counter = quanta::Clock::new();
        // The reading with the least time around it: a thread may be put aside between the two.
        let (_, from, at) = (0..16)
            .map(|_| {
                let before = counter.raw();
                let at = system_time();
                (counter.raw() - before, before, at)
            })
            .min()
            .unwrap_or_default();
        HostClock { counter, from, at }
    }

    /// How far the system's time is ahead of this clock.
    pub fn drift(&self) -> Nanos {
        system_time() - self.now()
    }
}

impl Default for HostClock {
    fn default() -> HostClock {
        HostClock::new()
    }
}

impl Clock for HostClock {
    #[inline]
    fn now(&self) -> Nanos {
        Nanos(self.at.0 + self.counter.delta_as_nanos(self.from, self.counter.raw()) as i64)
    }
}

impl Stopwatch for HostClock {
    #[inline]
    fn ticks(&self) -> u64 {
        self.counter.raw()
    }

    #[inline]
    fn nanos(&self, from: u64, to: u64) -> u64 {
        self.counter.delta_as_nanos(from, to)
    }
}

/// The system's time: for comparison with stamps that others took by it.
pub(super) fn system_time() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_systems_and_never_goes_back() {
        let clock = HostClock::new();
        let copy = clock.clone();
        let start = clock.now();
        let mut last = start;
        for _ in 0..10_000 {
            let now = if last.0 % 2 == 0 { clock.now() } else { copy.now() };
            assert!(now >= last);
            last = now;
        }
        let from = clock.ticks();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!((5_000_000..5_000_000_000).contains(&clock.nanos(from, clock.ticks())));
        assert!(clock.drift().0.abs() < 50_000_000, "{}", clock.drift().0);
    }
}
