//! The last look before the socket. It does not know why an order is sent, only what it is: its
//! value, its distance from the mid, how many went before it, and whether the engine was killed.
//! It counts what it lets pass, and needs no answer from any venue to hold its bounds.

use super::{Kill, Limits};
use crate::account::{AssetId, Ledger, Market};
use crate::types::{Bps, Draft, Money, Nanos, Price, Side};

/// Why an order was stopped at the last moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Stopped {
    /// The kill flag is set.
    #[error("killed")]
    Killed,
    /// Its bytes are older than the venue's window.
    #[error("its bytes have lapsed")]
    Lapsed,
    /// Not positive, or worth more than one order may be.
    #[error("worth more than one order may be")]
    Notional,
    /// Its limit is too far from the mid.
    #[error("limit too far from the mid")]
    Band,
    /// Too many orders in a second.
    #[error("too many orders in a second")]
    Rate,
}

/// A token bucket in whole numbers: it fills with time alone.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: i64,
    /// In billionths of a token, so that a nanosecond adds a whole number of them.
    full: i64,
    level: i64,
    at: Nanos,
}

const TOKEN: i64 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, burst: u32) -> Bucket {
        let full = i64::from(burst) * TOKEN;
        Bucket { per_second: i64::from(per_second), full, level: full, at: Nanos(i64::MIN) }
    }

    /// Adds what time brought. A clock that runs backwards brings nothing.
    fn fill(&mut self, now: Nanos) {
        let elapsed = now - self.at;
        if elapsed.0 > 0 {
            self.level = self.level.saturating_add(elapsed.0.saturating_mul(self.per_second)).min(self.full);
            self.at = now;
        }
    }

    /// Whether `count` tokens are there with `reserve` left behind them.
    pub fn has(&mut self, count: u32, reserve: u32, now: Nanos) -> bool {
        self.fill(now);
        self.level >= (i64::from(count) + i64::from(reserve)) * TOKEN
    }

    /// Takes one; false when there is none.
    pub fn take(&mut self, now: Nanos) -> bool {
        let has = self.has(1, 0, now);
        if has {
            self.level -= TOKEN;
        }
        has
    }
}

/// The caps of the last function before the socket.
#[derive(Debug)]
pub struct Caps {
    /// By what prices are in: the ledger's rows.
    order_notional_max: Vec<Money>,
    price_band: Bps,
    hedge_reserve: u32,
    bucket: Bucket,
    kill: Kill,
    passed: u64,
    stopped: u64,
    /// See [`Caps::changes`].
    changes: u64,
}

impl Caps {
    /// The caps of these limits.
    pub fn new(limits: &Limits, kill: Kill) -> Caps {
        Caps {
            order_notional_max: vec![limits.order_notional_max; Ledger::ASSETS_MAX],
            price_band: limits.price_band,
            hedge_reserve: limits.hedge_reserve,
            bucket: Bucket::new(limits.orders_per_second, limits.orders_burst),
            kill,
            passed: 0,
            stopped: 0,
            changes: 0,
        }
    }

    /// Counts changes of what one order may be worth.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether so many orders may leave now. Orders that add risk leave the hedges' reserve.
    pub fn room(&mut self, orders: u32, hedge: bool, now: Nanos) -> bool {
        self.bucket.has(orders, if hedge { 0 } else { self.hedge_reserve }, now)
    }

    /// Whether a limit is within the band around the mid. Only the far side counts: a buy above
    /// it, a sell below it; the near side would merely not fill.
    pub fn in_band(&self, side: Side, price: Price, mid: Price) -> bool {
        let worse = i128::from(side.sign()) * (i128::from(price.0) - i128::from(mid.0));
        const WHOLE: i128 = 10_000 * Bps::ONE as i128;
        mid.0 > 0 && worse * WHOLE <= i128::from(mid.0) * i128::from(self.price_band.0)
    }

    /// The most that one order on a market may be worth, in what its prices are in.
    #[inline]
    pub fn order_max(&self, market: &Market) -> Money {
        self.order_notional_max.get(market.quote.row()).copied().unwrap_or_default()
    }

    /// Sets that for all prices in an asset; nothing passes when it is zero.
    pub fn set_order_max(&mut self, asset: AssetId, most: Money) {
        let own = self.order_notional_max.get_mut(asset.row()).filter(|own| **own != most);
        if let Some(own) = own {
            *own = most;
            self.changes += 1;
        }
    }

    /// Whether one order on a market may be worth this.
    #[inline]
    pub fn in_notional(&self, market: &Market, value: Money) -> bool {
        value > Money::ZERO && value <= self.order_max(market)
    }

    /// Lets one order pass, and counts it. The kill flag is read last.
    ///
    /// # Errors
    /// [`Stopped`] says why it must not leave.
    pub fn pass(&mut self, order: &Draft, market: &Market, mid: Price, now: Nanos) -> Result<(), Stopped> {
        let verdict = self.judge(order, market, mid, now);
        match verdict {
            Ok(()) => self.passed += 1,
            Err(_) => self.stopped += 1,
        }
        verdict
    }

    fn judge(&mut self, order: &Draft, market: &Market, mid: Price, now: Nanos) -> Result<(), Stopped> {
        let positive = order.price.0 > 0 && order.qty.0 > 0;
        let value = market.value(order.price, order.qty).filter(|_| positive).ok_or(Stopped::Notional)?;
        if !self.in_notional(market, value) {
            return Err(Stopped::Notional);
        }
        if !self.in_band(order.side, order.price, mid) {
            return Err(Stopped::Band);
        }
        if !self.bucket.take(now) {
            return Err(Stopped::Rate);
        }
        if self.kill.is_tripped() {
            return Err(Stopped::Killed);
        }
        Ok(())
    }

    /// The kill flag.
    pub fn kill(&self) -> &Kill {
        &self.kill
    }

    /// Orders let through, and orders stopped here.
    pub fn counts(&self) -> (u64, u64) {
        (self.passed, self.stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::limits;
    use super::*;
    use crate::account::{Ledger, Markets, test_spec};
    use crate::types::{ClientId, FeeRate, InstrumentId, Kind, Qty, Tif, VenueId};
    use proptest::prelude::*;

    const MID: Price = Price(6_000_000_000_000);

    fn market() -> Market {
        let row = (VenueId(0), InstrumentId(0), test_spec("BTC", "USDT"), FeeRate(100_000));
        let markets = Markets::new(1, &[row], &mut Ledger::new(1, 1)).unwrap();
        markets.get(VenueId(0), InstrumentId(0)).unwrap().clone()
    }

    fn order(side: Side, price: i64, qty: i64) -> Draft {
        Draft {
            client: ClientId::default(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: Price(price),
            qty: Qty(qty),
            reduce_only: false,
        }
    }

    #[test]
    fn an_order_beyond_a_cap_is_stopped() {
        let market = market();
        for (side, price, qty, want) in [
            (Side::Buy, 6_000_000_000_000, 10_000_000, Ok(())),
            (Side::Buy, 6_000_000_000_000, 16_666_666, Ok(())),
            (Side::Buy, 6_000_000_000_000, 16_667_000, Err(Stopped::Notional)),
            (Side::Buy, 6_000_000_000_000, -1, Err(Stopped::Notional)),
            (Side::Buy, -6_000_000_000_000, -1, Err(Stopped::Notional)),
            (Side::Buy, 0, 1_000, Err(Stopped::Notional)),
            (Side::Buy, i64::MAX, i64::MAX, Err(Stopped::Notional)),
            (Side::Buy, 6_060_000_000_000, 1_000_000, Ok(())),
            (Side::Buy, 6_060_000_000_001, 1_000_000, Err(Stopped::Band)),
            (Side::Sell, 5_940_000_000_000, 1_000_000, Ok(())),
            (Side::Sell, 5_939_999_999_999, 1_000_000, Err(Stopped::Band)),
            (Side::Buy, 1_000_000_000, 1_000_000, Ok(())),
        ] {
            let mut caps = Caps::new(&limits(), Kill::new());
            let got = caps.pass(&order(side, price, qty), &market, MID, Nanos(1));
            assert_eq!(got, want, "{side:?} {qty} at {price}");
        }
        let mut caps = Caps::new(&limits(), Kill::new());
        let fine = order(Side::Buy, MID.0, 1_000_000);
        assert_eq!(caps.pass(&fine, &market, Price(0), Nanos(1)), Err(Stopped::Band), "no mid");
        caps.kill().clone().trip();
        assert_eq!(caps.pass(&fine, &market, MID, Nanos(1)), Err(Stopped::Killed));
        assert_eq!(caps.counts(), (0, 2));
    }

    #[test]
    fn the_rate_holds_without_any_feedback() {
        let market = market();
        let mut caps = Caps::new(&limits(), Kill::new());
        let fine = order(Side::Buy, MID.0, 1_000_000);
        // 10,000 orders within a second: the burst, and what a second brings.
        let sent =
            (0..10_000i64).filter(|i| caps.pass(&fine, &market, MID, Nanos(i * 100_000)).is_ok()).count();
        assert_eq!(sent, 20 + 99);
        assert!(!caps.room(1, false, Nanos::from_secs(1)), "the reserve is for hedges");
        assert!(caps.room(1, true, Nanos::from_secs(1)));
    }

    proptest! {
        #[test]
        fn caps_hold_for_any_order(price: i64, qty: i64, mid: i64, buys: bool) {
            let market = market();
            let mut caps = Caps::new(&limits(), Kill::new());
            let side = if buys { Side::Buy } else { Side::Sell };
            if caps.pass(&order(side, price, qty), &market, Price(mid), Nanos(0)).is_ok() {
                let value = market.value(Price(price), Qty(qty)).unwrap();
                prop_assert!(value > Money::ZERO && value <= limits().order_notional_max);
                let worse = i128::from(price) - i128::from(mid);
                prop_assert!(worse * i128::from(side.sign()) * 100 <= i128::from(mid));
            }
        }

        /// In any window, whatever the clock does, at most the burst and the window's share pass.
        #[test]
        fn a_bucket_never_gives_more_than_time_brought(
            steps in proptest::collection::vec(-50_000_000i64..100_000_000, 1..200),
        ) {
            let mut bucket = Bucket::new(50, 5);
            let (mut now, mut taken, start) = (0i64, 0i64, steps[0]);
            let mut latest = start;
            for step in steps {
                now += step;
                latest = latest.max(now);
                taken += i64::from(bucket.take(Nanos(now)));
                prop_assert!(taken <= 5 + (latest - start) * 50 / 1_000_000_000);
            }
        }
    }
}
