//! What the books of many venues are worth together, walked as one.
//!
//! All asks in the order of their cost with the fee, all bids in the order of what they bring
//! without it; slices are taken as between two books ([`Pair`]), while the best ask left and the best
//! bid left have the minimum edge, up to the cap. What is taken of one venue and side is one leg.
//!
//! Then the legs are made what the venues take: each is rounded down to a lot that all of them take,
//! and the larger side is cut to the smaller, off the legs that reach furthest. Each slice that is
//! left pays against any of the other side, since the margin did. A leg that comes out below its
//! venue's minimum is given up, and all is walked again without it. A venue is never bought and
//! sold on at once. Equals are taken in the order of the venues.
//!
//! Where the venues' prices are in several assets, all are brought to one of them first: asks by
//! what that asset costs, bids by what it brings ([`ByRate`]). So two venues of the same other asset
//! are judged as if both were converted: whoever wants them as they are takes that asset as the one.

use super::edge::{Market, Pair, PairError, Terms, common_multiple, shifted_up};
use super::{Leg, Opportunity, Refused, Sums};
use crate::types::{Asset, InstrumentId, Level, Money, Nanos, Price, Qty, Rate, Round, Side, Sides};

/// The most venues that are walked as one.
const SEATS: usize = 16;

/// Why venues cannot be walked as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Fewer than two venues, or more than 16.
    #[error("{0} venues: 2 to 16 can be walked as one")]
    Venues(usize),
    /// Two of them cannot be traded against each other.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// Their prices are in assets that no rate book leads between.
    #[error("no rate leads from {0} to {1}")]
    NoRate(Asset, Asset),
}

/// The venues of an instrument as one market.
#[derive(Clone, Debug)]
pub struct Merge {
    seats: Vec<Seat>,
    /// For what is the same for all of them: haircut, cap, value.
    common: Pair,
}

#[derive(Clone, Debug)]
struct Seat {
    market: Market,
    /// A slice pays when `bid * sell_factor >= ask * buy_factor`, of whichever two venues.
    buy_factor: i64,
    sell_factor: i64,
}

/// One leg of what can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MergedLeg {
    /// The venue, by its place among the markets.
    pub seat: usize,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub qty: Qty,
    /// The worst price taken.
    pub price: Price,
}

/// What can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Merged {
    legs: [MergedLeg; Opportunity::MAX_LEGS],
    count: usize,
    /// Values and fees.
    pub sums: Sums,
    /// The levels of a venue ran out with edge left.
    pub depth_limited: bool,
}

/// What the walk took, by side and seat.
struct Walked {
    qty: [[i64; SEATS]; 2],
    /// The worst price taken.
    worst: [[Price; SEATS]; 2],
    limited: bool,
}

const BUY: usize = Side::Buy as usize;
const SELL: usize = Side::Sell as usize;

/// What the seats' values are in one asset: chosen when this is compiled, so that where there is but
/// one asset nothing is asked.
pub(super) trait Valued {
    /// A sum of price times quantity that is paid at a seat, rounded up.
    fn cost(&self, seat: usize, raw: i128) -> Option<i128>;
    /// What may be paid at a seat of such a sum, rounded down.
    fn room(&self, seat: usize, raw: i128) -> Option<i128>;
    /// The value of a leg and its fee, each rounded against us.
    fn leg(&self, seat: usize, side: Side, value: Money, fee: Money) -> Option<(Money, Money)>;
}

/// All seats' prices are in the same asset.
pub(super) struct AsItIs;

impl Valued for AsItIs {
    #[inline]
    fn cost(&self, _: usize, raw: i128) -> Option<i128> {
        Some(raw)
    }

    #[inline]
    fn room(&self, _: usize, raw: i128) -> Option<i128> {
        Some(raw)
    }

    #[inline]
    fn leg(&self, _: usize, _: Side, value: Money, fee: Money) -> Option<(Money, Money)> {
        Some((value, fee))
    }
}

/// The seats' prices in one asset of them, and that one's worth in the asset of the cap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByRate {
    /// What a unit of each seat's asset brings and costs in the one; `None` where that is not known,
    /// and the seat is not to be walked.
    pub seats: Vec<Option<Sides>>,
    /// What a unit of the one is worth in what cap and sums are in.
    pub common: Rate,
}

/// A leg's value and fee brought to one asset by the side that is worse for us, and from there to the
/// common one at `common`; each rounded against us.
pub(super) fn brought(side: Side, sides: Sides, common: Rate, of: (Money, Money)) -> Option<(Money, Money)> {
    let (rate, round) = match side {
        Side::Buy => (sides.high, Round::Up),
        Side::Sell => (sides.low, Round::Down),
    };
    let value = common.money(rate.money(of.0, round)?, round)?;
    let fee = common.money(rate.money(of.1, Round::Up)?, Round::Up)?;
    Some((value, fee))
}

impl Valued for ByRate {
    fn cost(&self, seat: usize, raw: i128) -> Option<i128> {
        self.seats[seat]?.high.of(raw, Round::Up)
    }

    fn room(&self, seat: usize, raw: i128) -> Option<i128> {
        self.seats[seat]?.high.inverse().of(raw, Round::Down)
    }

    fn leg(&self, seat: usize, side: Side, value: Money, fee: Money) -> Option<(Money, Money)> {
        brought(side, self.seats[seat]?, self.common, (value, fee))
    }
}

impl Merge {
    /// Works out the thresholds.
    ///
    /// # Errors
    /// [`MergeError`] names what is out of range.
    pub fn new(markets: &[Market], terms: &Terms) -> Result<Merge, MergeError> {
        let &[first, second, ..] = markets else { return Err(MergeError::Venues(markets.len())) };
        if markets.len() > SEATS {
            return Err(MergeError::Venues(markets.len()));
        }
        let common = Pair::new(first, second, terms)?;
        let seat = |market: &Market| {
            let alone = Pair::new(*market, *market, terms)?;
            let (buy_factor, sell_factor) = (alone.buy_factor, alone.sell_factor);
            Ok::<_, PairError>(Seat { market: *market, buy_factor, sell_factor })
        };
        Ok(Merge { seats: markets.iter().map(seat).collect::<Result<_, _>>()?, common })
    }

    /// The same venues with their prices brought to one asset. Each factor is rounded against us, by
    /// less than one part in 2^60 times the furthest rate. `None` when a rate is beyond all sense.
    pub fn converted(&self, rates: &ByRate) -> Option<Merge> {
        let mut converted = self.clone();
        self.convert(rates, &mut converted)?;
        Some(converted)
    }

    /// [`Merge::converted`] into one that is there already: it allocates nothing. When `None`, that one
    /// is not to be used.
    pub(super) fn convert(&self, rates: &ByRate, into: &mut Merge) -> Option<()> {
        // So much finer that no rate between assets anybody trades in leaves nothing of a factor.
        const FINER: u32 = 30;
        let brought = |factor: i64, rate: Rate, round| {
            rate.of(i128::from(factor) << FINER, round).map(i128::unsigned_abs)
        };
        let (mut factors, mut all) = ([[0; 2]; SEATS], 0);
        for (own, (seat, sides)) in factors.iter_mut().zip(self.seats.iter().zip(&rates.seats)) {
            let sides = sides.unwrap_or(Sides::ONE);
            let buy = brought(seat.buy_factor, sides.high, Round::Up)?;
            let sell = brought(seat.sell_factor, sides.low, Round::Down)?;
            *own = [buy, sell];
            all |= buy | sell;
        }
        let shift = (128 - all.leading_zeros()).saturating_sub(62);
        for (seat, [buy, sell]) in into.seats.iter_mut().zip(factors) {
            seat.buy_factor = i64::try_from(shifted_up(buy, shift)).ok()?;
            seat.sell_factor = i64::try_from(sell >> shift).ok()?;
        }
        into.common = self.common.converted(Rate::ONE, rates.common)?;
        Some(())
    }

    /// The market of a seat.
    pub fn market(&self, seat: usize) -> Option<&Market> {
        self.seats.get(seat).map(|seat| &seat.market)
    }

    /// What an ask costs, and what a bid brings, in units that compare across the venues and that
    /// pay when the latter is at least the former.
    #[inline]
    pub(super) fn weigh(&self, seat: usize, side: Side, price: Price) -> i128 {
        let seat = &self.seats[seat];
        let factor = if side == Side::Buy { seat.buy_factor } else { seat.sell_factor };
        i128::from(price.0) * i128::from(factor)
    }

    /// Walks the venues whose bit is set in `open`. `levels` gives what a leg of that side takes,
    /// best first: the asks of a seat for a buy, its bids for a sell.
    ///
    /// # Errors
    /// [`Refused::BelowEdge`], [`Refused::TooSmall`], or [`Refused::Risk`] for values beyond what
    /// money can hold.
    pub fn take<I, F>(&self, open: u32, levels: F) -> Result<Merged, Refused>
    where
        I: Iterator<Item = Level>,
        F: Fn(usize, Side) -> I,
    {
        self.take_valued(open, levels, &AsItIs)
    }

    /// The same for what [`Merge::converted`] made by these rates: legs are each in its own asset,
    /// sums in that of the cap.
    ///
    /// # Errors
    /// As [`Merge::take`].
    pub fn take_converted<I, F>(&self, open: u32, levels: F, rates: &ByRate) -> Result<Merged, Refused>
    where
        I: Iterator<Item = Level>,
        F: Fn(usize, Side) -> I,
    {
        self.take_valued(open, levels, rates)
    }

    #[inline]
    pub(super) fn take_valued<I, F, V>(&self, open: u32, levels: F, valued: &V) -> Result<Merged, Refused>
    where
        I: Iterator<Item = Level>,
        F: Fn(usize, Side) -> I,
        V: Valued,
    {
        let mut open = [open; 2];
        let mut short = Refused::BelowEdge;
        // Each round without a result closes one side of one venue.
        for _ in 0..=2 * self.seats.len() {
            let walked = self.walk(&open, &levels, valued)?;
            let Some(walked) = walked else { return Err(short) };
            match self.fit(&walked, &levels, valued)? {
                Ok(merged) => return Ok(merged),
                Err((side, seat)) => {
                    open[side] &= !(1 << seat);
                    short = Refused::TooSmall;
                }
            }
        }
        Err(short)
    }

    /// Takes slices while they pay; `None` when not even the first does.
    fn walk<I, F, V>(&self, open: &[u32; 2], levels: &F, valued: &V) -> Result<Option<Walked>, Refused>
    where
        I: Iterator<Item = Level>,
        F: Fn(usize, Side) -> I,
        V: Valued,
    {
        let count = self.seats.len();
        let mut sides = Side::BOTH.map(|side| {
            let seat = |at: usize| {
                let open = at < count && open[side as usize] >> at & 1 == 1;
                open.then(|| {
                    let mut levels = levels(at, side);
                    self.common.offer(&mut levels).map(|level| (level, levels))
                })?
            };
            std::array::from_fn::<_, SEATS, _>(seat)
        });
        let mut walked = Walked { qty: [[0; SEATS]; 2], worst: [[Price(0); SEATS]; 2], limited: false };
        let (mut legs, mut bought, mut total) = (0, 0i128, 0i64);
        loop {
            let best = |side: Side, room: usize, not: Option<usize>| {
                let (own, other) = (side as usize, 1 - side as usize);
                let mut best: Option<(usize, i128)> = None;
                for (at, head) in sides[own].iter().enumerate().take(count) {
                    let Some((level, _)) = head else { continue };
                    let full = room == 0 && walked.qty[own][at] == 0;
                    if full || walked.qty[other][at] > 0 || not == Some(at) {
                        continue;
                    }
                    let weight = self.weigh(at, side, level.price);
                    let better = best.is_none_or(|(_, least)| match side {
                        Side::Buy => weight < least,
                        Side::Sell => weight > least,
                    });
                    if better {
                        best = Some((at, weight));
                    }
                }
                best
            };
            let room = Opportunity::MAX_LEGS - legs;
            let pair = |buy: Option<(usize, i128)>, not_sell: Option<usize>| {
                let (ask, cost) = buy?;
                let room = room - usize::from(walked.qty[BUY][ask] == 0);
                let (bid, brings) = best(Side::Sell, room, not_sell)?;
                (brings >= cost).then_some((ask, bid))
            };
            let buy = best(Side::Buy, room, None);
            let found = match pair(buy, None) {
                // It pays at one venue, against itself: the bid gives way, else the ask.
                Some((ask, bid)) if ask == bid => {
                    pair(buy, Some(ask)).or_else(|| pair(best(Side::Buy, room, Some(ask)), None))
                }
                found => found,
            };
            let Some((ask, bid)) = found else { break };
            let at = [ask, bid];
            let (Some((buy, _)), Some((sell, _))) = (&sides[BUY][ask], &sides[SELL][bid]) else { break };
            let (prices, slice) = ([buy.price, sell.price], buy.qty.0.min(sell.qty.0));
            let cost = |qty: i64| valued.cost(ask, i128::from(qty) * i128::from(prices[BUY].0));
            let fits = cost(slice).and_then(|cost| bought.checked_add(cost));
            let fits = fits.filter(|sum| *sum <= self.common.max_raw);
            // The last slice is cut to fit. What is left of the cap and the price are positive.
            let taken = match fits {
                Some(_) => slice,
                None => {
                    let room = valued.room(ask, self.common.max_raw - bought).ok_or(Refused::Risk)?;
                    // What does not fit is less than the slice.
                    i64::try_from(room / i128::from(prices[BUY].0)).map_or(slice, |room| room.min(slice))
                }
            };
            bought += cost(taken).ok_or(Refused::Risk)?;
            total = total.checked_add(taken).ok_or(Refused::Risk)?;
            for side in [BUY, SELL] {
                let (own, taken_here) = (&mut sides[side][at[side]], &mut walked.qty[side][at[side]]);
                legs += usize::from(*taken_here == 0 && taken > 0);
                *taken_here += taken;
                if taken > 0 {
                    walked.worst[side][at[side]] = prices[side];
                }
                if let Some((level, _)) = own {
                    level.qty.0 -= taken;
                }
            }
            if fits.is_none() || bought == self.common.max_raw {
                // Too little for a unit is too small, and not without an edge.
                return if total == 0 { Err(Refused::TooSmall) } else { Ok(Some(walked)) };
            }
            for side in [BUY, SELL] {
                let own = &mut sides[side][at[side]];
                let next = own.as_mut().and_then(|(level, rest)| match level.qty.0 {
                    0 => self.common.offer(rest),
                    _ => Some(*level),
                });
                match (own.as_mut(), next) {
                    (Some((level, _)), Some(next)) => *level = next,
                    _ => {
                        *own = None;
                        walked.limited = true;
                    }
                }
            }
        }
        Ok((total > 0).then_some(walked))
    }

    /// Makes legs that the venues take, or names the side and seat of one that cannot be.
    fn fit<I, F, V>(
        &self,
        walked: &Walked,
        levels: &F,
        valued: &V,
    ) -> Result<Result<Merged, (usize, usize)>, Refused>
    where
        I: Iterator<Item = Level>,
        F: Fn(usize, Side) -> I,
        V: Valued,
    {
        let used = |side: usize| (0..self.seats.len()).filter(move |at| walked.qty[side][*at] > 0);
        let mut lot = 1;
        for at in used(BUY).chain(used(SELL)) {
            lot = common_multiple(lot, self.seats[at].market.lot.0).ok_or(Refused::TooSmall)?;
        }
        let mut qty = walked.qty.map(|side| side.map(|qty| qty - qty % lot));
        // The one with the least in it has the least to lose.
        let least = |low: &dyn Fn(usize, usize) -> bool| {
            let legs = [BUY, SELL].into_iter().flat_map(|side| used(side).map(move |at| (side, at)));
            legs.filter(|(side, at)| low(*side, *at)).min_by_key(|(side, at)| walked.qty[*side][*at])
        };
        if let Some(leg) = least(&|side, at| qty[side][at] == 0) {
            return Ok(Err(leg));
        }
        let sums = qty.map(|side| side.iter().sum::<i64>());
        let larger = if sums[BUY] > sums[SELL] { BUY } else { SELL };
        let mut excess = sums[larger] - sums[1 - larger];
        while excess > 0 {
            let reach = |at: &usize| {
                let side = Side::BOTH[larger];
                let weight = self.weigh(*at, side, walked.worst[larger][*at]);
                (if side == Side::Buy { weight } else { -weight }, *at)
            };
            let Some(last) = used(larger).filter(|at| qty[larger][*at] > 0).max_by_key(reach) else { break };
            let cut = excess.min(qty[larger][last]);
            qty[larger][last] -= cut;
            excess -= cut;
        }
        let none = MergedLeg { seat: 0, side: Side::Buy, qty: Qty(0), price: Price(0) };
        let mut legs = [none; Opportunity::MAX_LEGS];
        let (mut count, mut totals) = (0, Sums::default());
        let mut low = [0u32; 2];
        for side in Side::BOTH {
            for at in used(side as usize) {
                let (size, market) = (qty[side as usize][at], &self.seats[at].market);
                if size == 0 {
                    continue;
                }
                let worth = self.common.value(levels(at, side), size);
                let (value, price) =
                    worth.filter(|(value, _)| value.0 <= i128::MAX / 64).ok_or(Refused::Risk)?;
                if size < market.min_qty.0 || value < market.min_notional {
                    low[side as usize] |= 1 << at;
                }
                let fee = value.fee_up(market.taker_fee);
                let (value, fee) = valued.leg(at, side, value, fee).ok_or(Refused::Risk)?;
                let (values, fees) = match side {
                    Side::Buy => (&mut totals.bought, &mut totals.buy_fees),
                    Side::Sell => (&mut totals.sold, &mut totals.sell_fees),
                };
                *values += value;
                *fees += fee;
                *legs.get_mut(count).ok_or(Refused::Risk)? =
                    MergedLeg { seat: at, side, qty: Qty(size), price };
                count += 1;
            }
        }
        if let Some(leg) = least(&|side, at| low[side] >> at & 1 == 1) {
            return Ok(Err(leg));
        }
        Ok(Ok(Merged { legs, count, sums: totals, depth_limited: walked.limited }))
    }
}

impl Merged {
    /// The legs, buys before sells, each in the order of the venues.
    pub fn legs(&self) -> &[MergedLeg] {
        &self.legs[..self.count.min(Opportunity::MAX_LEGS)]
    }

    /// The same as an opportunity; `version` tells what book version a seat's side was read at.
    pub fn opportunity(
        &self,
        merge: &Merge,
        instrument: InstrumentId,
        at: Nanos,
        version: impl Fn(usize, Side) -> u64,
    ) -> Option<Opportunity> {
        let mut legs = [Leg::NONE; Opportunity::MAX_LEGS];
        for (leg, own) in legs.iter_mut().zip(self.legs()) {
            let venue = merge.market(own.seat)?.venue;
            let book_version = version(own.seat, own.side);
            *leg = Leg { venue, side: own.side, price: own.price, qty: own.qty, book_version };
        }
        if self.sums.bought <= Money::ZERO {
            return None;
        }
        Opportunity::new(instrument, at, &legs[..self.legs().len()], self.sums, self.depth_limited)
    }
}
