//! The venue's count of what an account and an address may do.
//!
//! Each endpoint counts an account's requests of the last second; an address may send so many HTTP
//! requests in five seconds, and one that sent more is locked out until it was silent for ten minutes.

use std::collections::{BTreeMap, VecDeque};

use crate::types::Nanos;
use crate::venue::AccountId;
use crate::venue::bybit::symbol::Market;
use crate::venue::served::address;

/// Limits of accounts are of one rolling second.
const SECOND: Nanos = Nanos::from_secs(1);
/// HTTP requests of an address, in so long.
const ADDRESS_MAX: usize = 600;
const ADDRESS_SPAN: Nanos = Nanos::from_secs(5);
/// How long a locked out address must be silent.
const LOCKED_OUT: Nanos = Nanos::from_secs(600);

/// How much of a limit is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// The limit.
    pub cap: u32,
    /// What is left of it.
    pub left: u32,
    /// When it starts anew, once it is used up.
    pub reset: Nanos,
    /// This request was one too many.
    pub over: bool,
}

/// All counts.
#[derive(Default)]
pub struct Counts {
    /// When the requests of the last second came, by account and path.
    accounts: BTreeMap<(AccountId, &'static str), VecDeque<Nanos>>,
    addresses: BTreeMap<String, Address>,
}

#[derive(Default)]
struct Address {
    times: VecDeque<Nanos>,
    locked_until: Option<Nanos>,
}

/// What an account may ask of an endpoint in a second, at the lowest level.
fn cap(market: Market, path: &str) -> u32 {
    match path {
        "/v5/order/create" | "/v5/order/amend" | "/v5/order/cancel" | "/v5/order/cancel-all" => {
            if market == Market::Spot { 20 } else { 10 }
        }
        "/v5/user/query-api" => 10,
        "/v5/order/disconnected-cancel-all" => 5,
        _ => 50,
    }
}

/// Forgets what is older than `span`, and counts one more unless there are `most`.
fn count(times: &mut VecDeque<Nanos>, most: usize, span: Nanos, now: Nanos) -> bool {
    while times.front().is_some_and(|at| now - *at >= span) {
        times.pop_front();
    }
    let fits = times.len() < most;
    if fits {
        times.push_back(now);
    }
    fits
}

impl Counts {
    /// Counts a request against its account's limit.
    pub fn account(&mut self, market: Market, account: AccountId, path: &'static str, now: Nanos) -> Left {
        let cap = cap(market, path);
        let times = self.accounts.entry((account, path)).or_default();
        let over = !count(times, cap as usize, SECOND, now);
        let reset = times.front().map_or(now, |at| if over { *at + SECOND } else { now });
        Left { cap, left: cap - times.len() as u32, reset, over }
    }

    /// Counts an HTTP request of an address; false when it is locked out.
    pub fn address(&mut self, peer: &str, now: Nanos) -> bool {
        let own = self.addresses.entry(address(peer)).or_default();
        let locked = own.locked_until.is_some_and(|until| now < until);
        if locked || !count(&mut own.times, ADDRESS_MAX, ADDRESS_SPAN, now) {
            own.locked_until = Some(now + LOCKED_OUT);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_rolls_and_an_address_is_locked_out_until_it_is_silent() {
        let at = |ms: i64| Nanos::from_millis(1_700_000_000_000 + ms);
        let mut counts = Counts::default();
        let mut create =
            |market, account, ms| counts.account(market, AccountId(account), "/v5/order/create", at(ms));
        let taken = |left: Left| (left.cap, left.left, left.over);
        assert_eq!(taken(create(Market::Linear, 1, 0)), (10, 9, false));
        assert!((1..10).all(|ms| !create(Market::Linear, 1, ms).over));
        let over = create(Market::Linear, 1, 10);
        assert_eq!((taken(over), over.reset), ((10, 0, true), at(1_000)));
        assert!(!create(Market::Linear, 2, 10).over, "another account");
        assert!(!create(Market::Linear, 1, 1_000).over && create(Market::Linear, 1, 1_000).over);

        assert!((0..600).all(|ms| counts.address("10.0.0.1:5", at(ms))));
        assert!(!counts.address("10.0.0.1:6", at(4_999)), "another port is the same address");
        assert!(counts.address("10.0.0.2:5", at(4_999)));
        assert!(!counts.address("10.0.0.1:5", at(300_000)), "locked out, and it starts anew");
        assert!(!counts.address("10.0.0.1:5", at(899_999)));
        assert!(counts.address("10.0.0.1:5", at(899_999 + 600_000)));
    }
}
