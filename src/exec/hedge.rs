//! What to do with the difference that an intent's legs left: a pure decision over the books.
//!
//! A hedge is always a limit order that is immediate or cancelled. Its limit is within a bound of
//! the best price, and never further from the mid at admission than the largest slippage allowed:
//! in a falling market it waits, and gives up loudly, rather than sell at any price. What is below
//! every venue's minimum is dust: it is kept apart, and hedged once there is enough of it.

use crate::account::Market;
use crate::risk::{Direction, GateView, Limits, ioc};
use crate::types::{Bps, Draft, InstrumentId, Money, Nanos, Price, Qty, Side, SpecError};

/// Where a hedge goes first. Later tries go wherever the price is best.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Where the price is best, fees included.
    #[default]
    Flatten,
    /// To the venue of the leg that fell short: finish it at a worse price.
    Finish,
    /// To the venue of the leg that filled: undo it.
    Reverse,
    /// Nowhere, while the difference is worth no more than [`HedgeRules::keep_max`].
    Keep,
}

/// The bounds of hedging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HedgeRules {
    /// Where to.
    pub policy: Policy,
    /// How far beyond the best price the limit is.
    pub bound: Bps,
    /// How far from the mid at admission the limit may be.
    pub slippage_max: Bps,
    /// How many orders are tried for one difference.
    pub attempts_max: u8,
    /// The pause between two tries.
    pub retry_after: Nanos,
    /// An intent that has not ended after so long halts its instrument.
    pub life: Nanos,
    /// What [`Policy::Keep`] keeps, in the quote asset, or in the common one.
    pub keep_max: Money,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Send this, once it has an id.
    Order(Draft),
    /// Too small for any venue.
    Dust,
    /// It stays as inventory.
    Keep,
    /// No venue can take it now.
    Wait,
    /// Every venue that could take it asks for more slippage than allowed.
    OutOfBounds,
}

/// The difference and what may be done about it.
#[derive(Clone, Copy, Debug)]
pub struct Residual {
    /// Of what.
    pub instrument: InstrumentId,
    /// How much is left of the base asset, signed.
    pub amount: Money,
    /// The mid that slippage is measured from; in the common asset where there are rates.
    pub reference: Price,
    /// The venues of the legs, when it was left by some.
    pub direction: Option<Direction>,
    /// Tries before this one.
    pub attempts: u8,
}

/// `price` made worse for the given side by `bound`; rounding keeps it within.
fn worse(price: Price, side: Side, bound: Bps) -> Price {
    const WHOLE: i128 = 10_000 * Bps::ONE as i128;
    let by = i128::from(price.0) * i128::from(bound.0) / WHOLE;
    Price(i64::try_from(i128::from(price.0) + i128::from(side.sign()) * by).unwrap_or(i64::MAX))
}

/// The most of `amount` that the market's scale and lot can express, at about this price.
fn whole_lots(market: &Market, price: Price, amount: Money) -> Qty {
    market.count_at(price, amount).floor_to(market.spec.lot)
}

/// Whether no venue would take so little at about this price.
pub fn is_dust(view: &GateView<'_>, instrument: InstrumentId, amount: Money, price: Price) -> bool {
    is_dust_at(u32::MAX, view, instrument, amount, price)
}

/// The same of some venues only, a bit each.
fn is_dust_at(
    venues: u32,
    view: &GateView<'_>,
    instrument: InstrumentId,
    amount: Money,
    price: Price,
) -> bool {
    view.markets.of(instrument).filter(|market| venues >> market.venue.0 & 1 == 1).all(|market| {
        let price = view.price_at(market, price);
        let qty = whole_lots(market, price.unwrap_or_default(), amount);
        let worth = price.and_then(|price| market.value(price, qty));
        qty.0 == 0 || qty < market.spec.min_qty || worth.is_some_and(|worth| worth < market.spec.min_notional)
    })
}

/// Decides.
pub fn decide(
    residual: &Residual,
    rules: &HedgeRules,
    limits: &Limits,
    view: &GateView<'_>,
    now: Nanos,
) -> Decision {
    let Residual { instrument, amount, reference, .. } = *residual;
    if amount == Money::ZERO || is_dust(view, instrument, amount, reference) {
        return Decision::Dust;
    }
    let side = if amount.is_negative() { Side::Buy } else { Side::Sell };
    if rules.policy == Policy::Keep {
        let worth = view.markets.of(instrument).next().and_then(|market| {
            market.value(reference, Qty(whole_lots(market, reference, amount).0 + market.spec.lot.0))
        });
        if worth.is_some_and(|worth| worth <= rules.keep_max) {
            return Decision::Keep;
        }
    }
    let venues = match (residual.direction, rules.policy, side) {
        (Some(_), _, _) if residual.attempts > 0 => u32::MAX,
        (Some(legs), Policy::Finish, Side::Sell) | (Some(legs), Policy::Reverse, Side::Buy) => legs.sells,
        (Some(legs), Policy::Finish, Side::Buy) | (Some(legs), Policy::Reverse, Side::Sell) => legs.buys,
        _ => u32::MAX,
    };
    // What is too small for the venue of the policy is taken where it can be.
    let too_small = is_dust_at(venues, view, instrument, amount, reference);
    let venues = if too_small { u32::MAX } else { venues };

    let mut best: Option<(i128, Draft)> = None;
    let (mut out_of_bounds, mut short) = (false, 0u32);
    for market in view.markets.of(instrument).filter(|market| venues >> market.venue.0 & 1 == 1) {
        let Ok((_, quote)) = view.usable(market.venue, instrument, &limits.book_age_max, now) else {
            continue;
        };
        // The cost per unit, fee included, as a number that is better when smaller.
        let (touch, cost) = match side {
            Side::Buy => (quote.ask.price, 100_000_000 + market.taker.0),
            Side::Sell => (quote.bid.price, -(100_000_000 - market.taker.0)),
        };
        let prices = view.price_of(market, touch).zip(view.price_at(market, reference));
        let Some((compared, reference)) = prices else { continue };
        let cost = i128::from(compared.0) * i128::from(cost);
        let furthest = worse(reference, side, rules.slippage_max);
        let limit = worse(touch, side, rules.bound);
        let limit = match side {
            Side::Buy => market.spec.round_passive(side, limit.min(furthest)),
            Side::Sell => market.spec.round_passive(side, limit.max(furthest)),
        };
        let reachable = match side {
            Side::Buy => limit >= touch,
            Side::Sell => limit <= touch,
        };
        if !reachable {
            out_of_bounds = true;
            continue;
        }
        let order_max = view.limit_at(market, limits.order_notional_max);
        // Contracts are worth more of the base asset the lower their price: no fill is below this one.
        let qty = whole_lots(market, limit.min(touch), amount);
        if qty == Qty::ZERO && market.is_inverse() {
            short |= 1 << market.venue.0;
            continue;
        }
        let Some(qty) = affordable(market, side, limit, qty, order_max, view) else {
            continue;
        };
        if best.is_none_or(|(least, _)| cost < least) {
            let reduce_only = qty <= view.ledger.contract_closable(market.venue, instrument, side);
            let draft = Draft { reduce_only, ..ioc(market.venue, instrument, side, limit, qty) };
            best = Some((cost, draft));
        }
    }
    match best {
        Some((_, draft)) => Decision::Order(draft),
        None if out_of_bounds => Decision::OutOfBounds,
        // At its own price the difference is less than a contract: others take it, or nobody does.
        None if short != 0 && is_dust_at(!short, view, instrument, amount, reference) => Decision::Dust,
        None if short != 0 && residual.attempts == 0 => {
            decide(&Residual { attempts: 1, ..*residual }, rules, limits, view, now)
        }
        None => Decision::Wait,
    }
}

/// As much of `qty` as balance and the cap on an order allow, if a venue takes that.
fn affordable(
    market: &Market,
    side: Side,
    limit: Price,
    qty: Qty,
    order_max: Money,
    view: &GateView<'_>,
) -> Option<Qty> {
    let unit = market.value(limit, Qty(1)).filter(|unit| unit.0 > 0)?;
    let most = |budget: Money, each: Money| Qty(i64::try_from(budget.0 / each.0).unwrap_or(i64::MAX));
    let each = match market.pays_value(side) {
        true => unit + market.fee_at_most(unit),
        false => market.amount(Qty(1)),
    };
    let free = most(market.budget(view.ledger, side, limit), each);
    let qty = qty.min(free).min(most(order_max, unit)).floor_to(market.spec.lot);
    match market.check(limit, qty) {
        Ok(_) => Some(qty),
        Err(SpecError::AboveMaxQty) => Some(market.spec.max_qty.floor_to(market.spec.lot)),
        Err(_) => None,
    }
}

/// Why a hedging rule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exec.hedge.{key}: expected {expected}")]
pub struct HedgeRuleError {
    /// Which.
    pub key: &'static str,
    /// What would do.
    pub expected: &'static str,
}

impl HedgeRules {
    /// Whether the rules make sense.
    ///
    /// # Errors
    /// [`HedgeRuleError`] names the first that does not.
    pub fn check(&self) -> Result<(), HedgeRuleError> {
        let refuse = |key, expected| Err(HedgeRuleError { key, expected });
        let half = 5_000 * Bps::ONE;
        if !(0..=half).contains(&self.bound.0) {
            return refuse("bound", "0 to 5000 bps");
        }
        if self.slippage_max < self.bound || self.slippage_max.0 > half {
            return refuse("slippage_max", "at least bound, and at most 5000 bps");
        }
        if !(1..=100).contains(&self.attempts_max) {
            return refuse("attempts_max", "1 to 100");
        }
        if self.retry_after.0 <= 0 {
            return refuse("retry_after", "more than 0");
        }
        if self.life <= self.retry_after {
            return refuse("life", "more than retry_after");
        }
        if self.keep_max.is_negative() {
            return refuse("keep_max", "0 or more");
        }
        Ok(())
    }
}
