//! What two books are worth together, exactly.
//!
//! Bought on one venue's asks and sold on the other's bids, best first. A level offers its
//! quantity less the haircut, rounded down to the smallest unit. A slice of both is taken while
//! its marginal edge `(bid * (1 - fee) - ask * (1 + fee)) / (ask * (1 + fee))` is at least the
//! minimum; the value bought, before fees, stops at the cap, the last slice cut to fit. The sum is
//! rounded down to a lot that both venues take, off the last slices, and refused below either's
//! minimum. Value, fees and profit are those of the rounded size, each fee rounded up to 1e-8.
//!
//! All in integers: edges are compared across (no division), and what does not fit is refused.
//! Where the two quotes differ, the rate between them multiplies the sell side: into the factor of
//! [`Pair::pays`] ([`Pair::converted`]), so that the walk is the same, and into the value sold once
//! all is found.

use super::{Leg, Opportunity, Refused, Sums};
use crate::types::{
    Bps, Contract, ContractKind, FeeRate, InstrumentId, Level, Money, Nanos, Price, Qty, Rate, Round, Scale,
    Side, VenueId, times,
};

/// A venue's side of a trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Market {
    /// Where.
    pub venue: VenueId,
    /// What taking costs there.
    pub taker_fee: FeeRate,
    /// Orders are multiples of this.
    pub lot: Qty,
    /// Smallest order, in quantity.
    pub min_qty: Qty,
    /// Smallest order, in value.
    pub min_notional: Money,
}

/// What is wanted of an instrument, wherever it trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Decimal places of its prices and quantities.
    pub scale: Scale,
    /// How value follows from them; spot or linear.
    pub contract: Contract,
    /// The least marginal edge of a slice, net of fees.
    pub min_edge: Bps,
    /// The most to buy at once, in value before fees: of the quote asset, or, where there are rates, of
    /// their common one.
    pub max_notional: Money,
    /// The share of a level that is taken to be really there, in units of 1e-8.
    pub haircut: FeeRate,
}

/// Why two markets cannot be traded against each other under these terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// An edge between inverse contracts is not linear in the quantity.
    #[error("inverse contracts are not traded against each other")]
    Inverse,
    /// A contract multiplier that is not positive or too large.
    #[error("contract multiplier {0} is out of range")]
    Multiplier(i64),
    /// A fee of 100 % or more, or a rebate of as much.
    #[error("taker fee {0} is out of range, in units of 1e-8")]
    Fee(i64),
    /// A minimum edge beyond +/- 100 %.
    #[error("minimum edge {0} is out of range")]
    MinEdge(Bps),
    /// A haircut outside of 0 to 1.
    #[error("haircut {0} is not between 0 and 1, in units of 1e-8")]
    Haircut(i64),
    /// A cap that is not positive, or beyond what is supported.
    #[error("largest notional {0} is out of range")]
    MaxNotional(Money),
    /// A lot that is not positive, or two without a common multiple.
    #[error("lots {0} and {1} have no common multiple")]
    Lots(i64, i64),
}

/// One direction between two markets: buy on one, sell on the other. Holds what can be worked out
/// before any price is known.
#[derive(Clone, Debug)]
pub struct Pair {
    buy: Market,
    sell: Market,
    /// A slice pays when `bid * sell_factor >= ask * buy_factor`.
    pub(super) sell_factor: i64,
    pub(super) buy_factor: i64,
    haircut: i64,
    /// The cap, as a sum of price times quantity.
    pub(super) max_raw: i128,
    /// Money is such a sum times this, over [`Pair::over`].
    per_raw: i128,
    over: i128,
    /// The least common multiple of the lots: the coarser, where it is a multiple of the other.
    lot: i64,
}

/// What can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// On each side.
    pub qty: Qty,
    /// Highest ask taken.
    pub buy_price: Price,
    /// Lowest bid taken.
    pub sell_price: Price,
    /// Value bought, before fees.
    pub bought: Money,
    /// Value sold, before fees.
    pub sold: Money,
    /// Fee on what is bought.
    pub buy_fee: Money,
    /// Fee on what is sold.
    pub sell_fee: Money,
    /// The levels ran out with edge left.
    pub depth_limited: bool,
}

/// What a walk over both sides found, before the size is rounded. Values are sums of price times
/// quantity.
#[derive(Clone, Copy, Default)]
struct Walk {
    total: i64,
    bought: i128,
    sold: i128,
    /// The last prices, and how much was taken at them.
    ask: Price,
    bid: Price,
    of_ask: i64,
    of_bid: i64,
    depth_limited: bool,
}

/// 100 % in units of a [`Bps`].
const WHOLE: i64 = 10_000 * Bps::ONE;

impl Pair {
    /// Works out the thresholds.
    ///
    /// # Errors
    /// [`PairError`] names the value that is out of range.
    pub fn new(buy: Market, sell: Market, terms: &Terms) -> Result<Pair, PairError> {
        for fee in [buy.taker_fee.0, sell.taker_fee.0] {
            if fee.unsigned_abs() >= FeeRate::ONE.unsigned_abs() {
                return Err(PairError::Fee(fee));
            }
        }
        if terms.min_edge.0 <= -WHOLE || terms.min_edge.0 > WHOLE {
            return Err(PairError::MinEdge(terms.min_edge));
        }
        if !(0..=FeeRate::ONE).contains(&terms.haircut.0) {
            return Err(PairError::Haircut(terms.haircut.0));
        }
        let lot = common_multiple(buy.lot.0, sell.lot.0).ok_or(PairError::Lots(buy.lot.0, sell.lot.0))?;
        let multiplier = match terms.contract.kind {
            ContractKind::Spot => terms.scale.one(),
            ContractKind::Linear => terms.contract.multiplier,
            ContractKind::Inverse => return Err(PairError::Inverse),
        };
        if multiplier <= 0 {
            return Err(PairError::Multiplier(multiplier));
        }
        // Price and quantity are of the scale each, and so is the multiplier; money is of 24.
        let places = 24 - 3 * i32::from(terms.scale.digits());
        let lift = 10i128.pow(places.unsigned_abs());
        let (mut per_raw, mut over) = (i128::from(multiplier), 1);
        if places >= 0 {
            per_raw = per_raw.checked_mul(lift).ok_or(PairError::Multiplier(multiplier))?;
        } else {
            over = lift;
            let common = i128::from(greatest_divisor(multiplier.unsigned_abs(), over as u64));
            (per_raw, over) = (per_raw / common, over / common);
        }
        let cap = terms.max_notional;
        // Far below what money can hold, so that sums of values and fees cannot run over.
        let max_raw = (cap.0 > 0 && cap.0 <= i128::MAX / 8)
            .then(|| cap.0.checked_mul(over))
            .flatten()
            .ok_or(PairError::MaxNotional(cap))?
            / per_raw;
        Ok(Pair {
            buy,
            sell,
            sell_factor: (FeeRate::ONE - sell.taker_fee.0) * WHOLE,
            buy_factor: (FeeRate::ONE + buy.taker_fee.0) * (WHOLE + terms.min_edge.0),
            haircut: terms.haircut.0,
            max_raw,
            per_raw,
            over,
            lot,
        })
    }

    /// Asks for another edge from here on, cut to what [`Pair::new`] takes.
    #[inline]
    pub fn require(&mut self, min_edge: Bps) {
        let min_edge = min_edge.0.clamp(1 - WHOLE, WHOLE);
        self.buy_factor = (FeeRate::ONE + self.buy.taker_fee.0) * (WHOLE + min_edge);
    }

    /// The same pair with what is sold brought to the asset that is paid by `sold`, and the cap given
    /// in an asset in which a unit of the latter is worth `cap`. Values stay each in its own asset.
    /// The threshold is rounded against us, by less than one part in 2^60 times the rate; `None`
    /// when a rate is beyond all sense.
    pub fn converted(&self, sold: Rate, cap: Rate) -> Option<Pair> {
        let wide = |factor: i64, by: u64| u128::from(factor.unsigned_abs()) * u128::from(by);
        let (sell, buy) = (wide(self.sell_factor, sold.num()), wide(self.buy_factor, sold.den()));
        let shift = (128 - (sell | buy).leading_zeros()).saturating_sub(62);
        let max_raw = cap.inverse().of(self.max_raw, Round::Down)?;
        Some(Pair {
            sell_factor: i64::try_from(sell >> shift).ok()?,
            buy_factor: i64::try_from(shifted_up(buy, shift)).ok()?,
            max_raw,
            ..self.clone()
        })
    }

    /// The market to buy on.
    pub fn buy(&self) -> &Market {
        &self.buy
    }

    /// The market to sell on.
    pub fn sell(&self) -> &Market {
        &self.sell
    }

    /// True when a slice at these prices has the minimum edge. Two multiplications: this is what
    /// most evaluations end with. Both factors are below 2^62, so the products always fit.
    #[inline]
    pub fn pays(&self, ask: Price, bid: Price) -> bool {
        i128::from(bid.0) * i128::from(self.sell_factor) >= i128::from(ask.0) * i128::from(self.buy_factor)
    }

    /// The net edge of a slice at these prices, rounded down, and cut to what a [`Bps`] holds.
    pub fn edge(&self, ask: Price, bid: Price) -> Bps {
        let sold = i128::from(bid.0) * i128::from(FeeRate::ONE - self.sell.taker_fee.0);
        let cost = i128::from(ask.0) * i128::from(FeeRate::ONE + self.buy.taker_fee.0);
        if cost <= 0 {
            return Bps(i64::MAX);
        }
        let edge = ((sold - cost) * i128::from(WHOLE)).div_euclid(cost);
        Bps(edge.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Walks the two sides, best first.
    ///
    /// # Errors
    /// [`Refused::BelowEdge`], [`Refused::TooSmall`], or [`Refused::Risk`] for values beyond what
    /// money can hold.
    pub fn take<A, B>(&self, asks: A, bids: B) -> Result<Taken, Refused>
    where
        A: Iterator<Item = Level> + Clone,
        B: Iterator<Item = Level> + Clone,
    {
        let walk = self.walk(asks.clone(), bids.clone())?;
        let qty = walk.total - walk.total % self.lot;
        if qty <= 0 || qty < self.buy.min_qty.0 || qty < self.sell.min_qty.0 {
            return Err(Refused::TooSmall);
        }
        let rest = walk.total - qty;
        let (bought, sold) = if rest < walk.of_ask && rest < walk.of_bid {
            // What rounding takes off lies within the last level of each side.
            let less = |raw: i128, price: Price| raw - i128::from(rest) * i128::from(price.0);
            let (bought, sold) = (less(walk.bought, walk.ask), less(walk.sold, walk.bid));
            (self.money(bought).map(|it| (it, walk.ask)), self.money(sold).map(|it| (it, walk.bid)))
        } else {
            (self.value(asks, qty), self.value(bids, qty))
        };
        self.priced(qty, bought, sold, walk.depth_limited)
    }

    /// As [`Pair::take`], where the best levels alone tell: they pay, and the cap is reached within them.
    /// `None` where it takes more levels.
    #[inline(always)] // on the way of nearly every opportunity
    pub fn take_best(&self, ask: Level, bid: Level) -> Option<Result<Taken, Refused>> {
        let (ask, bid) = (self.offered(ask)?, self.offered(bid)?);
        let (price, most) = (ask.price.0.unsigned_abs(), self.max_raw.unsigned_abs());
        let total = match u64::try_from(most) {
            Ok(most) => i64::try_from(most / price),
            Err(_) => i64::try_from(most / u128::from(price)),
        };
        // What the cap leaves room for is less than both offer: the walk would end here.
        let total = total.ok().filter(|total| *total < ask.qty.0.min(bid.qty.0))?;
        let qty = total - total % self.lot;
        if qty <= 0 || qty < self.buy.min_qty.0 || qty < self.sell.min_qty.0 {
            return Some(Err(Refused::TooSmall));
        }
        let value = |price: Price| self.money(i128::from(qty) * i128::from(price.0)).map(|it| (it, price));
        Some(self.priced(qty, value(ask.price), value(bid.price), false))
    }

    /// The best `most` of both sides, rounded down to the lot: what [`Pair::take`] is for a size that is
    /// known.
    pub(super) fn take_of(
        &self,
        asks: impl Iterator<Item = Level>,
        bids: impl Iterator<Item = Level>,
        most: Qty,
        depth_limited: bool,
    ) -> Result<Taken, Refused> {
        let qty = most.0 - most.0 % self.lot;
        if qty <= 0 || qty < self.buy.min_qty.0 || qty < self.sell.min_qty.0 {
            return Err(Refused::TooSmall);
        }
        self.priced(qty, self.value(asks, qty), self.value(bids, qty), depth_limited)
    }

    /// How much of the best levels of a side a sum of price times quantity is worth, up to `most`;
    /// rounded down at each level.
    pub(super) fn worth_of(&self, mut levels: impl Iterator<Item = Level>, raw: i128, most: Qty) -> Qty {
        let (mut left, mut qty) = (raw, 0i64);
        while let Some(level) = self.offer(&mut levels) {
            let whole = level.qty.0.min(most.0 - qty);
            let part = i64::try_from(left / i128::from(level.price.0)).map_or(whole, |part| part.min(whole));
            qty += part;
            left -= i128::from(part) * i128::from(level.price.0);
            if part < level.qty.0 {
                break;
            }
        }
        Qty(qty)
    }

    /// Values with their fees, if they are above the minimums.
    #[inline]
    fn priced(
        &self,
        qty: i64,
        bought: Option<(Money, Price)>,
        sold: Option<(Money, Price)>,
        depth_limited: bool,
    ) -> Result<Taken, Refused> {
        let ((bought, buy_price), (sold, sell_price)) =
            (bought.ok_or(Refused::Risk)?, sold.ok_or(Refused::Risk)?);
        if bought < self.buy.min_notional || sold < self.sell.min_notional {
            return Err(Refused::TooSmall);
        }
        if sold.0 > i128::MAX / 8 {
            return Err(Refused::Risk);
        }
        let (buy_fee, sell_fee) = (bought.fee_up(self.buy.taker_fee), sold.fee_up(self.sell.taker_fee));
        Ok(Taken { qty: Qty(qty), buy_price, sell_price, bought, sold, buy_fee, sell_fee, depth_limited })
    }

    /// How much has the edge, before rounding.
    #[inline]
    fn walk<A, B>(&self, mut asks: A, mut bids: B) -> Result<Walk, Refused>
    where
        A: Iterator<Item = Level>,
        B: Iterator<Item = Level>,
    {
        let mut walk = Walk::default();
        let (mut ask, mut bid) = (self.offer(&mut asks), self.offer(&mut bids));
        loop {
            let pair = ask.as_mut().zip(bid.as_mut());
            let depth_limited = pair.is_none();
            let Some((buy, sell)) = pair.filter(|(buy, sell)| self.pays(buy.price, sell.price)) else {
                let some = walk.total > 0;
                return if some { Ok(Walk { depth_limited, ..walk }) } else { Err(Refused::BelowEdge) };
            };
            if buy.price != walk.ask {
                (walk.ask, walk.of_ask) = (buy.price, 0);
            }
            if sell.price != walk.bid {
                (walk.bid, walk.of_bid) = (sell.price, 0);
            }
            let slice = buy.qty.0.min(sell.qty.0);
            let cost = i128::from(slice) * i128::from(buy.price.0);
            let fits = walk.bought.checked_add(cost).filter(|sum| *sum <= self.max_raw);
            let take = match fits {
                Some(_) => slice,
                // Less than the slice, so it fits; and both are positive.
                None => {
                    let left = (self.max_raw - walk.bought).unsigned_abs();
                    (left / u128::from(buy.price.0.unsigned_abs())) as i64
                }
            };
            walk.total = walk.total.checked_add(take).ok_or(Refused::Risk)?;
            walk.bought += i128::from(take) * i128::from(buy.price.0);
            let worth = i128::from(take) * i128::from(sell.price.0);
            walk.sold = walk.sold.checked_add(worth).ok_or(Refused::Risk)?;
            (walk.of_ask, walk.of_bid) = (walk.of_ask + take, walk.of_bid + take);
            if fits.is_none() || walk.bought == self.max_raw {
                return Ok(walk);
            }
            buy.qty.0 -= slice;
            sell.qty.0 -= slice;
            if buy.qty.0 == 0 {
                ask = self.offer(&mut asks);
            }
            if sell.qty.0 == 0 {
                bid = self.offer(&mut bids);
            }
        }
    }

    /// The value of the best `qty` of a side, and the worst price in it.
    pub(super) fn value(&self, mut levels: impl Iterator<Item = Level>, qty: i64) -> Option<(Money, Price)> {
        let (mut left, mut raw) = (qty, 0i128);
        loop {
            let level = self.offer(&mut levels)?;
            let part = left.min(level.qty.0);
            raw = raw.checked_add(i128::from(part) * i128::from(level.price.0))?;
            left -= part;
            if left == 0 {
                return Some((self.money(raw)?, level.price));
            }
        }
    }

    /// A sum of price times quantity as money; `None` when it does not fit.
    #[inline]
    fn money(&self, raw: i128) -> Option<Money> {
        let scaled = times(raw, self.per_raw)?;
        if self.over == 1 {
            return Some(Money(scaled)); // as good as always: no division
        }
        (scaled % self.over == 0).then(|| Money(scaled / self.over))
    }

    /// The next level that offers anything, with what it offers.
    #[inline]
    pub(super) fn offer(&self, levels: &mut impl Iterator<Item = Level>) -> Option<Level> {
        levels.find_map(|level| self.offered(level))
    }

    /// What a level offers, if anything.
    #[inline]
    fn offered(&self, mut level: Level) -> Option<Level> {
        if self.haircut != FeeRate::ONE {
            let share = i128::from(level.qty.0) * i128::from(self.haircut);
            level.qty = Qty(match u64::try_from(share) {
                Ok(share) => (share / FeeRate::ONE as u64) as i64,
                Err(_) => (share / i128::from(FeeRate::ONE)) as i64,
            });
        }
        (level.qty.0 > 0 && level.price.0 > 0).then_some(level)
    }
}

impl Taken {
    /// The two legs, with the versions of the books that they were computed from.
    pub fn opportunity(
        &self,
        pair: &Pair,
        instrument: InstrumentId,
        at: Nanos,
        versions: (u64, u64),
    ) -> Option<Opportunity> {
        let legs = self.legs(pair, versions, [self.qty; 2]);
        Opportunity::new(instrument, at, &legs, self.sums(), self.depth_limited)
    }

    /// The legs, of these quantities, bought and sold.
    #[inline]
    pub(super) fn legs(
        &self,
        pair: &Pair,
        (buy_version, sell_version): (u64, u64),
        [buy_qty, sell_qty]: [Qty; 2],
    ) -> [Leg; 2] {
        let leg = |venue, side, price, qty, book_version| Leg { venue, side, price, qty, book_version };
        [
            leg(pair.buy.venue, Side::Buy, self.buy_price, buy_qty, buy_version),
            leg(pair.sell.venue, Side::Sell, self.sell_price, sell_qty, sell_version),
        ]
    }

    /// Values and fees.
    #[inline]
    pub(super) fn sums(&self) -> Sums {
        let Taken { bought, sold, buy_fee, sell_fee, .. } = *self;
        Sums { bought, buy_fees: buy_fee, sold, sell_fees: sell_fee }
    }
}

/// `value / 2^by`, rounded up.
pub(super) fn shifted_up(value: u128, by: u32) -> u128 {
    (value >> by) + u128::from(value.trailing_zeros() < by)
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

pub(super) fn common_multiple(a: i64, b: i64) -> Option<i64> {
    if a <= 0 || b <= 0 {
        return None;
    }
    (a / greatest_divisor(a as u64, b as u64) as i64).checked_mul(b)
}
