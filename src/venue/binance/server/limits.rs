//! The venue's count of what an address and an account may do.
//!
//! An address spends a weight a minute, by the clock, over REST and the WebSocket API together. Beyond
//! that it is refused until the minute ends, and an address that goes on regardless is banned. Orders
//! are counted by account, in ten seconds of the clock.

use std::collections::BTreeMap;

use serde_json::json;

use super::Failure;
use super::auth::Params;
use crate::types::Nanos;
use crate::venue::AccountId;
use crate::venue::binance::symbol::Market;
use crate::venue::served::address;

/// Orders that an account may place are counted for so long; on spot one that trades is given back.
const WINDOW: Nanos = Nanos::from_secs(10);
/// Weight is counted for so long.
const MINUTE: Nanos = Nanos::from_secs(60);
/// Refused requests in a minute that lead to a ban, and how long the first one is.
const REFUSED_MAX: u32 = 10;
const BAN: Nanos = Nanos::from_secs(120);

/// All counts.
#[derive(Default)]
pub struct Limits {
    weights: BTreeMap<String, Weight>,
    /// Orders placed in the current window, by account.
    placed: BTreeMap<AccountId, u32>,
    window: i64,
}

#[derive(Default)]
struct Weight {
    minute: i64,
    used: u32,
    refused: u32,
    banned: Option<Nanos>,
}

/// What a request weighs. Orders and cancels that succeed weigh nothing; the rest is the venue's table.
pub fn weight(market: Market, method: &str, params: &Params) -> u32 {
    let levels = params.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100u32);
    let by_symbol = params.get("symbol").is_some();
    match (market, method) {
        (Market::Spot, "depth") => match levels {
            0..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        },
        (_, "depth") => match levels {
            0..=50 => 2,
            51..=100 => 5,
            101..=500 => 10,
            _ => 20,
        },
        (Market::Spot, "exchangeInfo" | "account.status" | "myTrades" | "account.commission") => 20,
        (Market::Spot, "order.status" | "order.amend.keepPriority") => 4,
        (Market::Spot, "openOrders.status") => {
            if by_symbol {
                6
            } else {
                80
            }
        }
        (_, "openOrders.status") => {
            if by_symbol {
                1
            } else {
                40
            }
        }
        (_, "account.commission") => 20,
        (_, "positionSide.status") => 30,
        (_, "countdown") => 10,
        (Market::CoinM, "myTrades") => 20,
        (Market::CoinM, "positions") => 1,
        (_, "account.status" | "positions" | "myTrades") => 5,
        (_, "session.logon" | "userDataStream.subscribe" | "userDataStream.subscribe.signature") => 2,
        _ => 1,
    }
}

impl Limits {
    fn of(&mut self, peer: &str, now: Nanos) -> &mut Weight {
        let address = address(peer);
        let own = self.weights.entry(address).or_default();
        let minute = now.0.div_euclid(MINUTE.0);
        if minute != own.minute {
            (own.minute, own.used, own.refused) = (minute, 0, 0);
        }
        own
    }

    /// Counts a request's weight.
    pub fn weigh(&mut self, peer: &str, weight: u32, most: u32, now: Nanos) -> Result<(), Failure> {
        let own = self.of(peer, now);
        if let Some(until) = own.banned.filter(|until| *until > now) {
            let text = format!(
                "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans.",
                until.millis()
            );
            let data = json!({"serverTime": now.millis(), "retryAfter": until.millis()});
            return Err(Failure { status: 418, data: Some(data), ..Failure::bad(-1003, &text) });
        }
        if own.used.saturating_add(weight) > most {
            own.refused += 1;
            if own.refused > REFUSED_MAX {
                own.banned = Some(now + BAN);
            }
            let retry_at = Nanos((now.0.div_euclid(MINUTE.0) + 1) * MINUTE.0).millis();
            let text = format!(
                "Too much request weight used; current limit is {most} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
            );
            let data = json!({"serverTime": now.millis(), "retryAfter": retry_at});
            return Err(Failure { status: 429, data: Some(data), ..Failure::bad(-1003, &text) });
        }
        own.used += weight;
        Ok(())
    }

    /// A request turned out to weigh nothing.
    pub fn weightless(&mut self, peer: &str, weight: u32, now: Nanos) {
        let own = self.of(peer, now);
        own.used = own.used.saturating_sub(weight);
    }

    /// What an address has spent in this minute.
    pub fn used(&mut self, peer: &str, now: Nanos) -> u32 {
        self.of(peer, now).used
    }

    /// Counts an order.
    pub fn place(&mut self, account: AccountId, most: u32, now: Nanos) -> Result<(), Failure> {
        let window = now.0.div_euclid(WINDOW.0);
        if window != self.window {
            self.window = window;
            self.placed.clear();
        }
        let placed = self.placed.entry(account).or_default();
        if *placed >= most {
            let retry_at = Nanos((window + 1) * WINDOW.0).millis();
            let text = format!("Too many new orders; current limit is {most} orders per 10 SECOND.");
            let data = json!({"serverTime": now.millis(), "retryAfter": retry_at});
            return Err(Failure { status: 429, data: Some(data), ..Failure::bad(-1015, &text) });
        }
        *placed += 1;
        Ok(())
    }

    /// An order's place is given back.
    pub fn give_back(&mut self, account: AccountId) {
        if let Some(placed) = self.placed.get_mut(&account) {
            *placed = placed.saturating_sub(1);
        }
    }

    /// Orders that an account placed in this window.
    pub fn placed(&self, account: Option<AccountId>) -> u32 {
        account.and_then(|account| self.placed.get(&account)).copied().unwrap_or(0)
    }
}

/// Whole seconds until what a refusal says.
pub fn retry_after(failure: &Failure, now: Nanos) -> Option<i64> {
    let at = failure.data.as_ref()?.get("retryAfter")?.as_i64()?;
    matches!(failure.status, 418 | 429).then(|| (at - now.millis() + 999).div_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_counted_by_address_and_minute_and_stubbornness_is_banned() {
        let mut limits = Limits::default();
        let at = |ms: i64| Nanos::from_millis(1_700_000_040_000 + ms);
        let mut ask = |peer, ms| limits.weigh(peer, 50, 100, at(ms)).map_err(|failure| failure.status);
        assert_eq!([0, 1, 2].map(|ms| ask("10.0.0.1:1", ms)), [Ok(()), Ok(()), Err(429)]);
        assert_eq!(ask("10.0.0.2:1", 3), Ok(()), "another address");
        assert_eq!(ask("10.0.0.1:7", 4), Err(429), "another port is the same address");
        assert_eq!(ask("10.0.0.1:1", 60_000), Ok(()), "the next minute");
        let answers: Vec<_> = (0..13).map(|ms| ask("10.0.0.1:1", 60_001 + ms).err()).collect();
        assert_eq!((answers[0], answers[11], answers[12]), (None, Some(429), Some(418)));
        assert_eq!(ask("10.0.0.1:1", 60_000 + 120_000), Err(418), "a ban outlives its minute");
        assert_eq!(ask("10.0.0.1:1", 60_020 + 120_000), Ok(()));
        let failure = limits.weigh("x", 101, 100, at(1_500)).unwrap_err();
        assert_eq!(retry_after(&failure, at(1_500)), Some(59));
    }
}
