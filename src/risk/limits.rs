//! What must never be exceeded, checked for sense before anything starts.

use crate::types::{Bps, Money, Nanos};

/// The risk limits of a run. Amounts are in the instrument's quote asset, or, where there are rates, in
/// their common one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The most that one order may be worth.
    pub order_notional_max: Money,
    /// Orders per second that the engine may send, on all venues together.
    pub orders_per_second: u32,
    /// How many may go at once after a pause.
    pub orders_burst: u32,
    /// How many of the burst are kept for hedges: new risk never uses them.
    pub hedge_reserve: u32,
    /// Intents whose end is not known yet.
    pub open_intents_max: u32,
    /// How far from the consolidated mid an order's limit may be.
    pub price_band: Bps,
    /// What an instrument's exposure may be worth in the worst case, the next intent half filled.
    pub exposure_max: Money,
    /// How old a venue's book may be, by venue: since its last message came.
    pub book_age_max: Vec<Nanos>,
    /// How long a direction of an instrument rests after an intent ended.
    pub cooldown: Nanos,
    /// The least edge of an intent that does not move inventory.
    pub min_edge: Bps,
    /// An instrument that lost more than this stops trading.
    pub loss_max: Money,
}

/// A limit that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("risk.{key} = {value}: expected {expected}")]
pub struct LimitError {
    /// Which.
    pub key: &'static str,
    /// What was given.
    pub value: String,
    /// What would do.
    pub expected: &'static str,
}

impl Limits {
    /// Whether the limits make sense together, for so many venues.
    ///
    /// # Errors
    /// [`LimitError`] names the first that does not.
    pub fn check(&self, venues: usize) -> Result<(), LimitError> {
        let refuse = |key, value: String, expected| Err(LimitError { key, value, expected });
        if self.order_notional_max <= Money::ZERO {
            return refuse("order_notional_max", self.order_notional_max.to_string(), "more than 0");
        }
        if self.exposure_max < self.order_notional_max {
            let expected = "at least order_notional_max, else no intent would pass";
            return refuse("exposure_max", self.exposure_max.to_string(), expected);
        }
        if !(1..=1_000_000).contains(&self.orders_per_second) {
            return refuse("orders_per_second", self.orders_per_second.to_string(), "1 to 1000000");
        }
        if !(2..=1_000_000).contains(&self.orders_burst) {
            return refuse(
                "orders_burst",
                self.orders_burst.to_string(),
                "2 to 1000000: both legs leave at once",
            );
        }
        if self.hedge_reserve + 2 > self.orders_burst {
            let expected = "at least two less than orders_burst: an intent has two legs";
            return refuse("hedge_reserve", self.hedge_reserve.to_string(), expected);
        }
        if !(1..=1_000).contains(&self.open_intents_max) {
            return refuse("open_intents_max", self.open_intents_max.to_string(), "1 to 1000");
        }
        if self.price_band.0 <= 0 || self.price_band.0 > 5_000 * Bps::ONE {
            return refuse("price_band", self.price_band.to_string(), "more than 0 and at most 5000 bps");
        }
        if self.book_age_max.len() != venues {
            return refuse(
                "book_age_max",
                format!("{} values", self.book_age_max.len()),
                "one for each venue",
            );
        }
        if let Some(age) = self.book_age_max.iter().find(|age| age.0 <= 0) {
            return refuse("book_age_max", format!("{} ns", age.0), "more than 0");
        }
        if self.cooldown.0 < 0 {
            return refuse("cooldown", format!("{} ns", self.cooldown.0), "0 or more");
        }
        if self.loss_max <= Money::ZERO {
            return refuse("loss_max", self.loss_max.to_string(), "more than 0");
        }
        Ok(())
    }
}

/// What may be owned of an instrument, beyond what was owned at the start: somewhere between the
/// two, in units of its scale. Signed; limits use the end that is worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exposure {
    /// The low end: every open sell fills, no open buy does.
    pub least: i64,
    /// The high end: every open buy fills, no open sell does.
    pub most: i64,
}

impl Exposure {
    /// Exactly so much.
    pub const fn exactly(qty: i64) -> Exposure {
        Exposure { least: qty, most: qty }
    }

    /// The end further from nothing, without its sign.
    pub fn worst(self) -> i64 {
        self.least.saturating_abs().max(self.most.saturating_abs())
    }

    /// Both together.
    pub const fn plus(self, other: Exposure) -> Exposure {
        Exposure { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn limits() -> Limits {
        Limits {
            order_notional_max: Money::parse("10000").unwrap(),
            orders_per_second: 100,
            orders_burst: 20,
            hedge_reserve: 4,
            open_intents_max: 4,
            price_band: Bps(100 * Bps::ONE),
            exposure_max: Money::parse("50000").unwrap(),
            book_age_max: vec![Nanos::from_millis(500); 2],
            cooldown: Nanos::from_millis(10),
            min_edge: Bps(Bps::ONE),
            loss_max: Money::parse("1000").unwrap(),
        }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_name() {
        limits().check(2).unwrap();
        type Spoil = fn(&mut Limits);
        let cases: [(&str, Spoil); 10] = [
            ("order_notional_max", |l| l.order_notional_max = Money::ZERO),
            ("exposure_max", |l| l.exposure_max = Money::ONE),
            ("orders_per_second", |l| l.orders_per_second = 0),
            ("orders_burst", |l| l.orders_burst = 1),
            ("hedge_reserve", |l| l.hedge_reserve = 19),
            ("open_intents_max", |l| l.open_intents_max = 0),
            ("price_band", |l| l.price_band = Bps(0)),
            ("book_age_max", |l| l.book_age_max = vec![Nanos(1)]),
            ("cooldown", |l| l.cooldown = Nanos(-1)),
            ("loss_max", |l| l.loss_max = Money::ZERO),
        ];
        for (key, spoil) in cases {
            let mut bad = limits();
            spoil(&mut bad);
            assert_eq!(bad.check(2).unwrap_err().key, key);
        }
    }

    #[test]
    fn the_worse_end_counts() {
        assert_eq!(Exposure { least: -7, most: 3 }.worst(), 7);
        assert_eq!(
            Exposure::exactly(-2).plus(Exposure { least: 0, most: 9 }),
            Exposure { least: -2, most: 7 }
        );
    }
}
