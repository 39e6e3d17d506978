//! Inverse contracts against the base asset itself: what a book that counts contracts offers, and how
//! many whole contracts belong to what is taken.
//!
//! A contract is a fixed amount of the quote asset, its face, so how much of the base asset it stands
//! for depends on the price: `face / price`. A level of `n` contracts offers `n * face / price` of the
//! base asset, rounded down to the smallest unit; from there the walk is the one of all other books.
//! Of the value that it finds on the side of the contracts only whole lots of them can be had; the
//! base asset is then the most that this face buys or sells, best levels first, rounded down to the
//! other side's lot. So the contracts never stand for less than what they are set against, and for
//! more by less than one lot. Their fee is that on their whole face.

use super::Refused;
use super::edge::{Pair, Taken};
use crate::types::{Level, Money, Qty, Scale, Side};

/// How a venue counts an inverse contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contracts {
    /// What one is worth in the quote asset, in units of the scale.
    pub face: i64,
    /// Orders are multiples of this, in contracts.
    pub lot: Qty,
    /// Smallest order, in contracts.
    pub min_qty: Qty,
    /// Decimal places of prices and quantities.
    pub scale: Scale,
}

impl Contracts {
    /// So many contracts at a price, as an amount of the base asset: rounded down, and cut to what a
    /// quantity holds.
    fn in_base(&self, level: Level) -> Level {
        let face = i128::from(level.qty.0) * i128::from(self.face);
        let qty = if level.price.0 > 0 { face / i128::from(level.price.0) } else { 0 };
        Level { qty: Qty(i64::try_from(qty).unwrap_or(i64::MAX)), ..level }
    }

    /// The most whole lots of contracts that a value in the quote asset is worth.
    fn whole(&self, value: Money) -> Option<Qty> {
        let one = i128::from(self.face).checked_mul(10i128.pow(24 - 2 * u32::from(self.scale.digits())))?;
        let contracts = i64::try_from(value.0.checked_div(one)?).ok()?;
        Some(Qty(contracts - contracts.checked_rem(self.lot.0)?))
    }
}

/// What can be taken between a book that counts contracts on `side` and one that counts the base
/// asset; and how many contracts that is. The pair's own lots and minimums are those of the latter.
///
/// # Errors
/// As [`Pair::take`]; [`Refused::TooSmall`] also where it is less than the least contracts.
pub fn take<A, B>(
    pair: &Pair,
    contracts: &Contracts,
    side: Side,
    asks: A,
    bids: B,
) -> Result<(Taken, Qty), Refused>
where
    A: Iterator<Item = Level> + Clone,
    B: Iterator<Item = Level> + Clone,
{
    let own = |counts: bool| move |level| if counts { contracts.in_base(level) } else { level };
    let (asks, bids) = (asks.map(own(side == Side::Buy)), bids.map(own(side == Side::Sell)));
    let most = pair.take(asks.clone(), bids.clone())?;
    let value = if side == Side::Buy { most.bought } else { most.sold };
    let count = contracts.whole(value).ok_or(Refused::Risk)?;
    if count.0 <= 0 || count < contracts.min_qty {
        return Err(Refused::TooSmall);
    }
    let face = i128::from(count.0) * i128::from(contracts.face);
    let qty = match side {
        Side::Buy => pair.worth_of(asks.clone(), face, most.qty),
        Side::Sell => pair.worth_of(bids.clone(), face, most.qty),
    };
    let taken = pair.take_of(asks, bids, qty, most.depth_limited)?;
    // Price times quantity has two scales.
    let lift = 10i128.pow(24 - 2 * u32::from(contracts.scale.digits()));
    let face = face.checked_mul(lift).map(Money).ok_or(Refused::Risk)?;
    let taken = match side {
        Side::Buy => Taken { buy_fee: face.fee_up(pair.buy().taker_fee), ..taken },
        Side::Sell => Taken { sell_fee: face.fee_up(pair.sell().taker_fee), ..taken },
    };
    Ok((taken, count))
}
