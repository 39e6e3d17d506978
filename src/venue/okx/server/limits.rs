//! How often may something be asked: requests of an account about an instrument, in windows of two
//! seconds; subscriptions and logins of a connection, in an hour.

use std::collections::BTreeMap;

use crate::types::Nanos;
use crate::venue::AccountId;

const WINDOW: Nanos = Nanos::from_secs(2);
const HOUR: Nanos = Nanos::from_secs(3_600);
const REQUESTS_AN_HOUR: u32 = 480;

/// What is counted, each for itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// New orders, one by one.
    Place,
    /// Cancels, one by one.
    Cancel,
    /// Amendments, one by one.
    Amend,
    /// Orders in batches of new ones.
    PlaceBatch,
    /// Orders in batches of cancels.
    CancelBatch,
}

impl Counted {
    fn most(self) -> u32 {
        match self {
            Counted::Place | Counted::Cancel | Counted::Amend => 60,
            Counted::PlaceBatch | Counted::CancelBatch => 300,
        }
    }
}

/// Requests of the current window, by account, instrument and kind.
#[derive(Default)]
pub struct Limits {
    window: i64,
    used: BTreeMap<(AccountId, usize, Counted), u32>,
}

impl Limits {
    /// Counts one; false when there is none left in this window.
    pub fn take(&mut self, account: AccountId, instrument: usize, counted: Counted, now: Nanos) -> bool {
        let window = now.0.div_euclid(WINDOW.0);
        if window != self.window {
            self.window = window;
            self.used.clear();
        }
        let used = self.used.entry((account, instrument, counted)).or_default();
        *used += 1;
        *used <= counted.most()
    }
}

/// Subscriptions, their ends and logins of one connection.
#[derive(Default)]
pub struct Requests {
    hour: i64,
    used: u32,
}

impl Requests {
    /// Counts one; false when there is none left in this hour.
    pub fn take(&mut self, now: Nanos) -> bool {
        let hour = now.0.div_euclid(HOUR.0);
        if hour != self.hour {
            (self.hour, self.used) = (hour, 0);
        }
        self.used += 1;
        self.used <= REQUESTS_AN_HOUR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_window() {
        let mut limits = Limits::default();
        let at = Nanos::from_secs(1_000);
        assert!((0..60).all(|_| limits.take(AccountId(1), 0, Counted::Place, at)));
        assert!(!limits.take(AccountId(1), 0, Counted::Place, at));
        assert!(limits.take(AccountId(1), 0, Counted::Cancel, at) && limits.take(AccountId(1), 1, Counted::Place, at));
        assert!(limits.take(AccountId(1), 0, Counted::Place, at + WINDOW));
        let mut requests = Requests::default();
        assert!((0..480).all(|_| requests.take(at)) && !requests.take(at) && requests.take(at + HOUR));
    }
}
