//! How often may something be asked. What is counted, by whom and how often, is the venue's table;
//! windows roll.

use std::collections::{BTreeMap, VecDeque};

use super::Refused;
use crate::types::Nanos;
use crate::venue::{AccountId, ConnId};

const TWO: Nanos = Nanos::from_secs(2);
/// Orders and amendments of a sub-account, without spot.
const SUB_ACCOUNT: Limit = Limit { name: "sub-account", most: 1_000, window: TWO };
/// Subscriptions, their ends and logins of a connection.
pub const REQUESTS: Limit = Limit { name: "requests", most: 480, window: Nanos::from_secs(3_600) };

/// So many in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is counted together.
    pub name: &'static str,
    pub most: u32,
    pub window: Nanos,
}

impl Limit {
    /// Of the two seconds that most limits have.
    pub const fn of(name: &'static str, most: u32) -> Limit {
        Limit { name, most, window: TWO }
    }
}

/// Whose requests are counted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Whose {
    Address(String),
    Connection(ConnId),
    Account(AccountId),
    /// An account's about one instrument.
    Instrument(AccountId, usize),
}

/// What was taken when, by whom and of which limit.
#[derive(Default)]
pub struct Limits {
    taken: BTreeMap<(Whose, &'static str), VecDeque<Nanos>>,
}

impl Limits {
    /// Counts one.
    ///
    /// # Errors
    /// When the window has no room; nothing is counted then.
    pub fn take(&mut self, whose: Whose, limit: Limit, now: Nanos) -> Result<(), Refused> {
        let times = self.taken.entry((whose, limit.name)).or_default();
        while times.front().is_some_and(|at| now - *at >= limit.window) {
            times.pop_front();
        }
        if times.len() >= limit.most as usize {
            return Err(Refused { status: 429, ..Refused::new(50_011, "Requests too frequent.") });
        }
        times.push_back(now);
        Ok(())
    }

    /// Counts an order or an amendment of contracts.
    ///
    /// # Errors
    /// As [`Limits::take`].
    pub fn take_of_sub_account(&mut self, account: AccountId, now: Nanos) -> Result<(), Refused> {
        let text = "User rate limit exceeded: orders and amendments of the sub-account.";
        self.take(Whose::Account(account), SUB_ACCOUNT, now)
            .map_err(|_| Refused { status: 429, ..Refused::new(50_061, text) })
    }

    /// A connection is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.taken.remove(&(Whose::Connection(conn), REQUESTS.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_window() {
        let mut limits = Limits::default();
        let limit = Limit::of("order", 60);
        let whose = |instrument| Whose::Instrument(AccountId(1), instrument);
        let at = Nanos::from_secs(1_000);
        let late = at + Nanos::from_millis(500);
        assert!((0..30).all(|_| limits.take(whose(0), limit, at).is_ok()));
        assert!((0..30).all(|_| limits.take(whose(0), limit, late).is_ok()));
        assert_eq!(limits.take(whose(0), limit, late).unwrap_err().code, 50_011);
        assert!(limits.take(whose(0), Limit::of("cancel", 60), late).is_ok());
        assert!(limits.take(whose(1), limit, late).is_ok());
        assert!((0..30).all(|_| limits.take(whose(0), limit, at + TWO).is_ok()));
        assert!(limits.take(whose(0), limit, at + TWO).is_err(), "windows roll");
        assert!((0..1_000).all(|_| limits.take_of_sub_account(AccountId(1), at).is_ok()));
        assert_eq!(limits.take_of_sub_account(AccountId(1), at).unwrap_err().code, 50_061);
    }
}
