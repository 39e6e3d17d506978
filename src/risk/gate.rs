//! The gate: an opportunity goes in, and comes out as orders that may be sent, cut to what balances
//! and limits allow, or as a refusal with its reason.
//!
//! Books are looked at again here, because an opportunity has been in a queue: a book that went
//! stale, broke, or moved away since is reason enough to let it go. Hedges pass the same gate, with
//! one rule more (they must reduce the exposure) and some less (no cooldown, no edge).

use super::{Caps, Detail, GateView, Limits, Refusal, Refusals, contracts};
use crate::account::{Inventory, Ledger, Market};
use crate::detect::{Leg, Opportunity, Refused};
use crate::types::{
    ClientId, Draft, InstrumentId, Kind, Money, Nanos, Price, Qty, Side, SpecError, Tif, VenueId,
};

/// An order that passed every limit. Only the gate makes one, and encoders of the executor take
/// nothing else: an order that skipped the gate has no way onto the wire.
///
/// ```compile_fail,E0423
/// # fn make(draft: xarb::types::Draft) {
/// let forged = xarb::risk::Admitted(draft, xarb::types::Price(0), false);
/// # }
/// ```
/// ```compile_fail,E0599
/// # fn twice(admitted: xarb::risk::Admitted) {
/// let copy = admitted.clone();
/// # }
/// ```
#[must_use]
#[derive(Debug)]
pub struct Admitted {
    draft: Draft,
    mid: Price,
    hedge: bool,
}

impl Admitted {
    /// The order.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The consolidated mid that it was admitted at, in what its price is in.
    pub fn mid(&self) -> Price {
        self.mid
    }

    /// It reduces an exposure that came about by itself.
    pub fn is_hedge(&self) -> bool {
        self.hedge
    }
}

/// The orders of one opportunity, all admitted together.
#[must_use]
#[derive(Debug)]
pub struct AdmittedIntent {
    /// Of what.
    pub instrument: InstrumentId,
    /// Which way.
    pub direction: Direction,
    /// The consolidated mid at admission.
    pub mid: Price,
    /// The edge of the opportunity as detected, as in its sums.
    pub net_quote: Money,
    /// The orders, buys before sells.
    pub legs: Vec<Admitted>,
}

/// An instrument and which venues are bought and sold on: what "the same again" means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Direction {
    /// Of what.
    pub instrument: InstrumentId,
    /// A bit for each venue bought on.
    pub buys: u32,
    /// A bit for each venue sold on.
    pub sells: u32,
}

impl Direction {
    /// The most venues that fit.
    pub const VENUES_MAX: usize = 32;

    fn of(opportunity: &Opportunity) -> Option<Direction> {
        let mut own = Direction { instrument: opportunity.instrument, buys: 0, sells: 0 };
        for leg in opportunity.legs() {
            let bit = 1u32.checked_shl(u32::from(leg.venue.0))?;
            match leg.side {
                Side::Buy => own.buys |= bit,
                Side::Sell => own.sells |= bit,
            }
        }
        Some(own)
    }

    fn overlaps(&self, other: &Direction) -> bool {
        self.instrument == other.instrument && self.buys & other.buys != 0 && self.sells & other.sells != 0
    }

    /// Each pair of a venue bought on and a venue sold on.
    fn pairs(self) -> impl Iterator<Item = (usize, usize)> {
        let bits = |mut mask: u32| {
            std::iter::from_fn(move || {
                let at = (mask != 0).then(|| mask.trailing_zeros() as usize);
                mask &= mask.wrapping_sub(1);
                at
            })
        };
        bits(self.buys).flat_map(move |buy| bits(self.sells).map(move |sell| (buy, sell)))
    }
}

/// How much of a leg may be sent.
#[derive(Clone, Copy, Default)]
struct Allowed {
    qty: Qty,
    /// What that much is worth at the leg's price.
    value: Option<Money>,
    /// What cut it, if anything did.
    cut: Option<Detail>,
}

/// The only maker of [`Admitted`].
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    venues: usize,
    open: Vec<Direction>,
    /// When the last intent of a direction ended: by instrument, venue bought on, venue sold on.
    ended: Vec<Option<Nanos>>,
    /// When the last one of all did.
    ended_last: Nanos,
    refusals: Refusals,
    /// Room for the next intent's orders: given out with one, and taken back.
    room: Vec<Admitted>,
}

impl Gate {
    /// A gate with these limits, which were checked, for so many venues and instruments.
    pub fn new(limits: Limits, venues: usize, instruments: usize) -> Gate {
        Gate {
            open: Vec::with_capacity(limits.open_intents_max as usize),
            ended: vec![None; instruments * venues * venues],
            ended_last: Nanos(i64::MIN),
            limits,
            venues,
            refusals: Refusals::default(),
            room: Vec::with_capacity(Opportunity::MAX_LEGS),
        }
    }

    /// Takes back the room of an intent's orders, so that the next one need not allocate.
    #[inline]
    pub fn reclaim(&mut self, mut legs: Vec<Admitted>) {
        legs.clear();
        self.room = legs;
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What was refused so far.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Counts a refusal that was decided after admission or elsewhere in the executor.
    pub fn count(&mut self, refusal: &Refusal, edge: Money) {
        self.refusals.count(refusal.reason, edge);
    }

    /// Intents whose end is not known yet.
    pub fn open_intents(&self) -> usize {
        self.open.len()
    }

    /// Makes orders of an opportunity. `id` gives each its client id, once all else is decided.
    ///
    /// # Errors
    /// [`Refusal`], counted with the edge that was given up.
    pub fn admit(
        &mut self,
        opportunity: &Opportunity,
        view: &GateView<'_>,
        caps: &mut Caps,
        now: Nanos,
        id: &mut dyn FnMut(&Draft, u8) -> ClientId,
    ) -> Result<AdmittedIntent, Refusal> {
        let admitted = self.judge(opportunity, view, caps, now, id);
        match &admitted {
            Ok(intent) => self.open.push(intent.direction),
            Err(refusal) => self.refusals.count(refusal.reason, opportunity.sums.net()),
        }
        admitted
    }

    fn judge(
        &mut self,
        opportunity: &Opportunity,
        view: &GateView<'_>,
        caps: &mut Caps,
        now: Nanos,
        id: &mut dyn FnMut(&Draft, u8) -> ClientId,
    ) -> Result<AdmittedIntent, Refusal> {
        let instrument = opportunity.instrument;
        let refuse = |reason, detail| Err(Refusal::new(reason, detail));
        if caps.kill().is_tripped() {
            return refuse(Refused::Risk, Detail::Killed);
        }
        if view.halted {
            return refuse(Refused::Risk, Detail::InstrumentHalted);
        }
        let Some(direction) = Direction::of(opportunity) else {
            return refuse(Refused::Risk, Detail::NoMarket);
        };
        if self.open.iter().any(|open| open.overlaps(&direction)) {
            return refuse(Refused::InFlight, Detail::SameDirection);
        }
        if self.open.len() >= self.limits.open_intents_max as usize {
            return refuse(Refused::Risk, Detail::OpenIntents);
        }
        // Directions are looked at one by one only when any intent at all ended lately.
        if now - self.ended_last < self.limits.cooldown {
            let rests = |(buy, sell)| {
                self.rest(instrument, buy, sell).is_some_and(|ended| now - ended < self.limits.cooldown)
            };
            if direction.pairs().any(rests) {
                return refuse(Refused::Cooldown, Detail::Resting);
            }
        }
        if let Some(rates) = &view.rates {
            rates.admit(opportunity, view.markets, self.limits.min_edge)?;
        }
        let Some(mid) = view.mid(instrument) else {
            return refuse(Refused::Unsynced, Detail::NoBook);
        };

        let legs = opportunity.legs();
        let Some(first) = legs.first() else { return refuse(Refused::TooSmall, Detail::Remainder) };
        let Some(market) = view.markets.get(first.venue, instrument) else {
            return Err(Refusal::at(Refused::Risk, Detail::NoMarket, first.venue));
        };

        // Each leg on its own: may it be sent at all, and how much of it?
        let mut markets = [market; Opportunity::MAX_LEGS];
        let mut allowed = [Allowed::default(); Opportunity::MAX_LEGS];
        let mut sizes = [0i64; Opportunity::MAX_LEGS];
        let (mut lot, mut sums, mut inverse) = (1i64, [0i64; 2], false);
        let mut cut = Detail::Remainder;
        for (at, leg) in legs.iter().enumerate() {
            markets[at] = self.check_leg(leg, instrument, view, caps, mid, now)?;
            lot = lot.max(markets[at].spec.lot.0);
            inverse |= markets[at].is_inverse();
        }
        for (at, leg) in legs.iter().enumerate() {
            allowed[at] = self.headroom(leg, markets[at], view.ledger, caps.order_max(markets[at]));
            cut = allowed[at].cut.unwrap_or(cut);
            sizes[at] = allowed[at].qty.0 - allowed[at].qty.0 % lot;
            sums[leg.side as usize] += sizes[at];
        }
        // Both sides must stay equal: the smaller one cuts the other, its worst levels first.
        let mut total = sums[0].min(sums[1]);
        let mut rest = [total; 2];
        for (at, leg) in legs.iter().enumerate() {
            let rest = &mut rest[leg.side as usize];
            sizes[at] = sizes[at].min(*rest);
            *rest -= sizes[at];
        }
        let mut market = market;
        if inverse {
            let most = allowed.map(|allowed| allowed.qty);
            (total, market) = contracts::even(legs, &markets, &most, &mut sizes);
        }
        if total == 0 {
            let reason = if cut == Detail::Balance { Refused::NoBalance } else { Refused::TooSmall };
            return refuse(reason, cut);
        }
        let worst = view.exposure.worst().saturating_add(total);
        let worth = market.value(mid, Qty(worst));
        if worth.is_none_or(|worth| worth > self.limits.exposure_max) {
            return refuse(Refused::Risk, Detail::Exposure);
        }
        if let Some(inventory) = view.inventory {
            self.check_inventory(opportunity, inventory, view, &sizes)?;
        }
        if !caps.room(legs.len() as u32, false, now) {
            return refuse(Refused::Risk, Detail::Rate);
        }

        // All or nothing: nothing is made before every leg has passed the venue's filters.
        for (at, leg) in legs.iter().enumerate().filter(|(at, _)| sizes[*at] > 0) {
            let (market, size) = (markets[at], Qty(sizes[at]));
            let value =
                || if size == allowed[at].qty { allowed[at].value } else { market.value(leg.price, size) };
            match market.spec.check_worth(leg.price, size, value) {
                Ok(value) if caps.in_notional(market, value) => {}
                Ok(_) => return Err(Refusal::at(Refused::Risk, Detail::Notional, leg.venue)),
                Err(SpecError::BelowMinQty | SpecError::BelowMinNotional) => {
                    let reason = if cut == Detail::Balance { Refused::NoBalance } else { Refused::TooSmall };
                    return Err(Refusal::at(reason, cut, leg.venue));
                }
                Err(error) => return Err(Refusal::at(Refused::Risk, Detail::Filter(error), leg.venue)),
            }
        }
        let mut admitted = std::mem::take(&mut self.room);
        for (at, leg) in legs.iter().enumerate().filter(|(at, _)| sizes[*at] > 0) {
            let mid = view.price_at(markets[at], mid).unwrap_or_default();
            let mut draft = ioc(leg.venue, instrument, leg.side, leg.price, Qty(sizes[at]));
            draft.client = id(&draft, admitted.len() as u8);
            admitted.push(Admitted { draft, mid, hedge: false });
        }
        Ok(AdmittedIntent { instrument, direction, mid, net_quote: opportunity.sums.net(), legs: admitted })
    }

    /// Whether a leg may be sent at all; its market.
    #[inline]
    fn check_leg<'a>(
        &self,
        leg: &Leg,
        instrument: InstrumentId,
        view: &GateView<'a>,
        caps: &Caps,
        mid: Price,
        now: Nanos,
    ) -> Result<&'a Market, Refusal> {
        let (market, quote) = view.usable(leg.venue, instrument, &self.limits.book_age_max, now)?;
        let refuse = |reason, detail| Err(Refusal::at(reason, detail, leg.venue));
        if leg.qty.0 <= 0 || leg.price.0 <= 0 {
            return refuse(Refused::Risk, Detail::Filter(SpecError::QtyNotPositive));
        }
        let fills = match leg.side {
            Side::Buy => quote.ask.price <= leg.price,
            Side::Sell => quote.bid.price >= leg.price,
        };
        if !fills {
            return refuse(Refused::BelowEdge, Detail::Moved);
        }
        let mid = view.price_at(market, mid);
        if !mid.is_some_and(|mid| caps.in_band(leg.side, leg.price, mid)) {
            return refuse(Refused::Risk, Detail::Band);
        }
        Ok(market)
    }

    /// How much of a leg balance and notional allow.
    #[inline]
    fn headroom(&self, leg: &Leg, market: &Market, ledger: &Ledger, order_max: Money) -> Allowed {
        // Divisions only happen when something is to be cut. One unit is worth something.
        let unit = || market.value(leg.price, Qty(1)).unwrap_or(Money(i128::MAX));
        let most = |budget: Money, each: Money| Qty(i64::try_from(budget.0 / each.0).unwrap_or(i64::MAX));
        let mut own = Allowed { qty: leg.qty, value: market.value(leg.price, leg.qty), cut: None };
        if own.value.is_none_or(|value| value > order_max) {
            let qty = leg.qty.min(most(order_max, unit()));
            own = Allowed { qty, value: market.value(leg.price, qty), cut: Some(Detail::Notional) };
        }
        let budget = market.budget(ledger, leg.side, leg.price);
        let most_there = if !market.pays_value(leg.side) {
            let enough = market.amount(own.qty) <= budget;
            (!enough).then(|| most(budget, market.amount(Qty(1))))
        } else {
            let enough = own.value.is_some_and(|value| value + market.fee_at_most(value) <= budget);
            // One unit's share of the fee, rounded up once more, covers any multiple of it.
            let each = || Money(unit().0.saturating_add(market.fee_at_most(unit()).0));
            (!enough).then(|| most(budget, each()))
        };
        if let Some(most) = most_there {
            let qty = Qty(own.qty.min(most).0.max(0));
            own = Allowed { qty, value: market.value(leg.price, qty), cut: Some(Detail::Balance) };
        }
        own
    }

    fn check_inventory(
        &self,
        opportunity: &Opportunity,
        inventory: &Inventory,
        view: &GateView<'_>,
        sizes: &[i64; Opportunity::MAX_LEGS],
    ) -> Result<(), Refusal> {
        let mut moves = [(VenueId(0), Money::ZERO); Opportunity::MAX_LEGS];
        for ((slot, leg), size) in moves.iter_mut().zip(opportunity.legs()).zip(sizes) {
            if let Some(market) = view.markets.get(leg.venue, opportunity.instrument) {
                // What a wallet holds of the base asset stays when inverse contracts settle in it.
                let counts = if market.is_inverse() { 0 } else { *size };
                *slot = (leg.venue, market.amount(Qty(leg.side.sign() * counts)));
            }
        }
        let usual = self.limits.min_edge;
        let asked = inventory.threshold(view.ledger, view.markets, opportunity.instrument, &moves, usual);
        let sums = &opportunity.sums;
        if !asked.is_reached(sums.net(), sums.bought + sums.buy_fees) {
            return Err(Refusal::new(Refused::BelowEdge, Detail::Inventory));
        }
        Ok(())
    }

    /// Admits an order that reduces an exposure of `residual` (signed, in the units that the order's
    /// quantity is in).
    ///
    /// # Errors
    /// [`Refusal`]; not counted among the opportunities.
    pub fn admit_hedge(
        &self,
        draft: Draft,
        residual: i64,
        view: &GateView<'_>,
        caps: &mut Caps,
        now: Nanos,
    ) -> Result<Admitted, Refusal> {
        let refuse = |reason, detail| Err(Refusal::at(reason, detail, draft.venue));
        if caps.kill().is_tripped() {
            return refuse(Refused::Risk, Detail::Killed);
        }
        let (market, _) = view.usable(draft.venue, draft.instrument, &self.limits.book_age_max, now)?;
        let reduces = draft.side.sign() == -residual.signum()
            && draft.qty.0 > 0
            && draft.qty.0.unsigned_abs() <= residual.unsigned_abs();
        if !reduces {
            return refuse(Refused::Risk, Detail::NotReducing);
        }
        let mid = view.mid(draft.instrument).and_then(|mid| view.price_at(market, mid));
        let Some(mid) = mid else {
            return refuse(Refused::Unsynced, Detail::NoBook);
        };
        if !caps.in_band(draft.side, draft.price, mid) {
            return refuse(Refused::Risk, Detail::Band);
        }
        match market.check(draft.price, draft.qty) {
            Ok(value) if caps.in_notional(market, value) => {}
            Ok(_) => return refuse(Refused::Risk, Detail::Notional),
            Err(error) => return refuse(Refused::Risk, Detail::Filter(error)),
        }
        if !caps.room(1, true, now) {
            return refuse(Refused::Risk, Detail::Rate);
        }
        Ok(Admitted { draft, mid, hedge: true })
    }

    /// An intent ended: its direction rests from now on.
    pub fn close(&mut self, direction: Direction, now: Nanos) {
        let Some(at) = self.open.iter().position(|open| *open == direction) else { return };
        self.open.swap_remove(at);
        self.ended_last = self.ended_last.max(now);
        for (buy, sell) in direction.pairs() {
            if let Some(slot) = self.slot(direction.instrument, buy, sell) {
                self.ended[slot] = Some(now);
            }
        }
    }

    fn slot(&self, instrument: InstrumentId, buy: usize, sell: usize) -> Option<usize> {
        let slot = (usize::from(instrument.0) * self.venues + buy) * self.venues + sell;
        (buy < self.venues && sell < self.venues && slot < self.ended.len()).then_some(slot)
    }

    fn rest(&self, instrument: InstrumentId, buy: usize, sell: usize) -> Option<Nanos> {
        self.slot(instrument, buy, sell).and_then(|slot| self.ended[slot])
    }
}

/// An immediate-or-cancel limit order, without an id yet.
pub fn ioc(venue: VenueId, instrument: InstrumentId, side: Side, price: Price, qty: Qty) -> Draft {
    Draft {
        client: ClientId::default(),
        venue,
        instrument,
        side,
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price,
        qty,
        reduce_only: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::limits;
    use super::super::{Exposure, Kill, Standing};
    use super::*;
    use crate::account::{Markets, test_spec};
    use crate::detect::Sums;
    use crate::risk::Quote;
    use crate::types::{ContractKind, FeeRate, Level, Position};

    const E8: i64 = 100_000_000;

    /// A world of two venues in which an opportunity of 0.01 BTC passes; tests spoil one thing.
    struct World {
        markets: Markets,
        ledger: Ledger,
        inventory: Option<Inventory>,
        quotes: [Option<Quote>; 2],
        standing: [Standing; 2],
        exposure: Exposure,
        halted: bool,
        gate: Gate,
        caps: Caps,
        ids: u128,
    }

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn quote(bid: i64, ask: i64) -> Option<Quote> {
        let (bid, ask) = (Level::new(bid * E8, E8), Level::new(ask * E8, E8));
        Some(Quote { bid, ask, at: Nanos::from_secs(100), version: 1, live: true })
    }

    fn world() -> World {
        world_of(ContractKind::Spot)
    }

    fn world_of(kind: ContractKind) -> World {
        let mut ledger = Ledger::new(2, 1);
        let mut spec = test_spec("BTC", "USDT");
        spec.contract.kind = kind;
        let row = |venue| (VenueId(venue), InstrumentId(0), spec.clone(), FeeRate(100_000));
        let markets = Markets::new(2, &[row(0), row(1)], &mut ledger).unwrap();
        let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
        for venue in [VenueId(0), VenueId(1)] {
            ledger.report(venue, market.base, money("1"), Nanos(0));
            ledger.report(venue, market.quote, money("100000"), Nanos(0));
        }
        World {
            ledger,
            inventory: None,
            quotes: [quote(59_990, 60_000), quote(60_200, 60_210)],
            standing: [Standing::Ready; 2],
            exposure: Exposure::default(),
            halted: false,
            gate: Gate::new(limits(), 2, 1),
            caps: Caps::new(&limits(), Kill::new()),
            markets,
            ids: 0,
        }
    }

    fn leg(venue: u8, side: Side, price: i64, qty: i64) -> Leg {
        Leg { venue: VenueId(venue), side, price: Price(price * E8), qty: Qty(qty), book_version: 1 }
    }

    fn of_legs(legs: &[Leg]) -> Opportunity {
        let value = |side| {
            let own = legs.iter().filter(|leg| leg.side == side);
            own.map(|leg| Money::notional(leg.price, leg.qty, crate::types::Scale::DEFAULT).unwrap())
                .sum::<Money>()
        };
        let (bought, sold) = (value(Side::Buy), value(Side::Sell));
        let fee = |value: Money| value.fee_up(FeeRate(100_000));
        let sums = Sums { bought, buy_fees: fee(bought), sold, sell_fees: fee(sold) };
        Opportunity::new(InstrumentId(0), Nanos::from_secs(100), legs, sums, false).unwrap()
    }

    fn opportunity(qty: i64) -> Opportunity {
        of_legs(&[leg(0, Side::Buy, 60_000, qty), leg(1, Side::Sell, 60_200, qty)])
    }

    impl World {
        fn admit(&mut self, opportunity: &Opportunity) -> Result<AdmittedIntent, Refusal> {
            self.admit_at(opportunity, Nanos::from_secs(100))
        }

        fn admit_at(&mut self, opportunity: &Opportunity, now: Nanos) -> Result<AdmittedIntent, Refusal> {
            let view = GateView {
                markets: &self.markets,
                ledger: &self.ledger,
                inventory: self.inventory.as_ref(),
                quotes: &self.quotes,
                standing: &self.standing,
                exposure: self.exposure,
                halted: self.halted,
                rates: None,
            };
            let ids = &mut self.ids;
            self.gate.admit(opportunity, &view, &mut self.caps, now, &mut |_, _| {
                *ids += 1;
                ClientId::from_bits(*ids)
            })
        }
    }

    #[test]
    fn an_opportunity_becomes_one_order_a_leg() {
        let mut world = world();
        let intent = world.admit(&opportunity(1_000_000)).unwrap();
        let drafts: Vec<_> = intent.legs.iter().map(|leg| *leg.draft()).collect();
        assert_eq!(drafts.len(), 2);
        assert_eq!(
            (drafts[0].venue, drafts[0].side, drafts[0].price),
            (VenueId(0), Side::Buy, Price(60_000 * E8))
        );
        assert_eq!(
            (drafts[1].venue, drafts[1].side, drafts[1].price),
            (VenueId(1), Side::Sell, Price(60_200 * E8))
        );
        assert!(drafts.iter().all(|d| d.qty == Qty(1_000_000) && d.tif == Tif::Ioc && d.kind == Kind::Limit));
        assert_eq!((drafts[0].client.bits(), drafts[1].client.bits()), (1, 2));
        assert_eq!(world.gate.open_intents(), 1);
    }

    #[test]
    fn each_thing_that_is_wrong_is_refused_by_name() {
        type Spoil = fn(&mut World);
        let cases: [(Spoil, Refused, Detail); 16] = [
            (|w| w.caps.kill().trip(), Refused::Risk, Detail::Killed),
            (|w| w.halted = true, Refused::Risk, Detail::InstrumentHalted),
            (|w| w.quotes[1] = None, Refused::Unsynced, Detail::NoBook),
            (|w| w.quotes = [None; 2], Refused::Unsynced, Detail::NoBook),
            (|w| w.quotes[0].as_mut().unwrap().live = false, Refused::Unsynced, Detail::NoBook),
            (|w| w.quotes[0].as_mut().unwrap().at = Nanos::from_secs(99), Refused::Stale, Detail::BookAge),
            (|w| w.quotes[0] = quote(60_001, 60_000), Refused::Crossed, Detail::BookCrossed),
            (|w| w.quotes[0] = quote(60_001, 60_011), Refused::BelowEdge, Detail::Moved),
            (|w| w.quotes[1] = quote(60_199, 60_211), Refused::BelowEdge, Detail::Moved),
            (|w| w.quotes[1] = quote(60_200, 75_000), Refused::Risk, Detail::Band),
            (|w| w.standing[1] = Standing::Down, Refused::NotReady, Detail::Session),
            (|w| w.standing[0] = Standing::Frozen, Refused::Risk, Detail::Frozen),
            (
                |w| w.standing[0] = Standing::Throttled(Nanos::from_secs(101)),
                Refused::NotReady,
                Detail::Throttled,
            ),
            (|w| w.exposure.least = -90_000_000, Refused::Risk, Detail::Exposure),
            (
                |w| {
                    let btc = w.markets.get(VenueId(1), InstrumentId(0)).unwrap().base;
                    w.ledger.hold(VenueId(1), btc, Money::ONE);
                },
                Refused::NoBalance,
                Detail::Balance,
            ),
            (
                |w| {
                    let usdt = w.markets.get(VenueId(0), InstrumentId(0)).unwrap().quote;
                    w.ledger.report(VenueId(0), usdt, Money::ONE, Nanos(5));
                    w.ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |_| {});
                },
                Refused::Risk,
                Detail::Drift,
            ),
        ];
        for (at, (spoil, reason, detail)) in cases.into_iter().enumerate() {
            let mut world = world();
            spoil(&mut world);
            let refusal = world.admit(&opportunity(1_000_000)).unwrap_err();
            assert_eq!((refusal.reason, refusal.detail), (reason, detail), "case {at}");
            let (count, edge) = world.gate.refusals().of(reason);
            assert_eq!((count, edge), (1, opportunity(1_000_000).sums.net()), "case {at}");
            assert_eq!((world.ids, world.gate.open_intents()), (0, 0), "case {at}: no id is used up");
        }
        // A throttle that is over is none.
        let mut world = world();
        world.standing[0] = Standing::Throttled(Nanos::from_secs(100));
        assert!(world.admit(&opportunity(1_000_000)).is_ok());
    }

    #[test]
    fn sizes_are_cut_to_what_balances_and_caps_allow() {
        // (free quote on the buying venue, free base on the selling venue, wanted, got)
        for (quote, base, wanted, got) in [
            ("100000", "1", 10_000_000, Ok(10_000_000)),
            ("100000", "1", 20_000_000, Ok(16_611_000)), // 10,000 per order at 60,200, to the lot
            ("100000", "0.05", 10_000_000, Ok(5_000_000)),
            ("100000", "0.050009999", 10_000_000, Ok(5_000_000)),
            ("3003", "1", 10_000_000, Ok(5_000_000 - 1_000)), // the bound on the fee costs a lot
            ("3010", "1", 10_000_000, Ok(5_011_000)),
            ("4", "1", 10_000_000, Err(Refused::NoBalance)),
            ("100000", "0.00000999", 10_000_000, Err(Refused::NoBalance)),
            ("100000", "1", 8_000, Err(Refused::TooSmall)),
        ] {
            let mut world = world();
            let market = world.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            world.ledger.hold(VenueId(0), market.quote, money("100000") - money(quote));
            world.ledger.hold(VenueId(1), market.base, money("1") - money(base));
            let result = world.admit(&opportunity(wanted)).map_err(|refusal| refusal.reason);
            let sizes = result.map(|intent| {
                let sizes: Vec<_> = intent.legs.iter().map(|leg| leg.draft().qty.0).collect();
                assert_eq!(sizes[0], sizes[1], "{quote} {base} {wanted}");
                sizes[0]
            });
            assert_eq!(sizes, got, "{quote} {base} {wanted}");
        }
    }

    #[test]
    fn a_contract_is_cut_to_what_pays_for_it_in_full() {
        // (free on the buying and on the selling venue, what the seller is long, got)
        for (buyer, seller, long, got) in [
            ("100000", "100000", 0, Ok(10_000_000)),
            ("3010", "100000", 0, Ok(5_011_000)),
            ("100000", "3010", 0, Ok(4_995_000)),
            ("100000", "3010", 5_000_000, Ok(10_000_000)),
            ("100000", "4", 5_000_000, Ok(9_963_000)), // what is closed pays for as much again
            ("100000", "4", 0, Err(Refused::NoBalance)),
            ("100000", "3010", -5_000_000, Ok(4_961_000)), // what it is worth more by is gone
        ] {
            let mut world = world_of(ContractKind::Linear);
            let market = world.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            world.ledger.hold(VenueId(0), market.quote, money("100000") - money(buyer));
            let value = market.value(Price(60_000 * E8), Qty(long)).unwrap();
            let tied_up = value.abs();
            let cost = Position { qty: Qty(long), cost: value };
            world.ledger.report_contract(VenueId(1), InstrumentId(0), cost, Nanos(0));
            world.ledger.hold(VenueId(1), market.quote, money("100000") - tied_up - money(seller));
            let result = world.admit(&opportunity(10_000_000)).map_err(|refusal| refusal.reason);
            let sizes = result.map(|intent| intent.legs[1].draft().qty.0);
            assert_eq!(sizes, got, "{buyer} {seller} {long}");
        }
        let mut world = world_of(ContractKind::Linear);
        let drifted = Position { qty: Qty(1), cost: Money::ZERO };
        world.ledger.close_opening(VenueId(0));
        world.ledger.report_contract(VenueId(0), InstrumentId(0), drifted, Nanos(5));
        world.ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |_| {});
        let refusal = world.admit(&opportunity(1_000_000)).unwrap_err();
        assert_eq!((refusal.reason, refusal.detail), (Refused::Risk, Detail::Drift));
    }

    #[test]
    fn the_sides_of_many_legs_stay_equal() {
        let mut world = world();
        let market = world.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
        world.ledger.hold(VenueId(1), market.base, money("0.97")); // 0.03 left to sell
        let legs = [
            leg(0, Side::Buy, 60_000, 2_000_000),
            leg(1, Side::Buy, 60_210, 3_000_000),
            leg(1, Side::Sell, 60_200, 5_000_000),
        ];
        let opportunity = of_legs(&legs);
        let intent = world.admit(&opportunity).unwrap();
        let sizes: Vec<_> = intent.legs.iter().map(|leg| leg.draft().qty.0).collect();
        assert_eq!(sizes, [2_000_000, 1_000_000, 3_000_000]);
    }

    #[test]
    fn one_intent_a_direction_and_then_a_rest() {
        let mut world = world();
        let now = Nanos::from_secs(100);
        let intent = world.admit(&opportunity(1_000_000)).unwrap();
        let again = world.admit(&opportunity(1_000_000)).unwrap_err();
        assert_eq!((again.reason, again.detail), (Refused::InFlight, Detail::SameDirection));
        world.gate.close(intent.direction, now);
        let early = world.admit_at(&opportunity(1_000_000), now + Nanos::from_millis(9)).unwrap_err();
        assert_eq!(early.reason, Refused::Cooldown);
        assert!(world.admit_at(&opportunity(1_000_000), now + Nanos::from_millis(10)).is_ok());
    }

    #[test]
    fn a_trade_that_unbalances_must_earn_more() {
        let mut world = world();
        let shares = [0, 1_000_000];
        let floor = crate::types::Bps(0);
        let steep = crate::types::Bps(10_000 * crate::types::Bps::ONE);
        world.inventory = Some(Inventory::new(2, &shares, steep, floor).unwrap());
        let refusal = world.admit(&opportunity(1_000_000)).unwrap_err();
        assert_eq!((refusal.reason, refusal.detail), (Refused::BelowEdge, Detail::Inventory));
        world.inventory = Some(Inventory::new(2, &[1_000_000, 0], steep, floor).unwrap());
        assert!(world.admit(&opportunity(1_000_000)).is_ok());
    }

    #[test]
    fn a_hedge_must_reduce() {
        let world = &mut world();
        let view = GateView {
            markets: &world.markets,
            ledger: &world.ledger,
            inventory: None,
            quotes: &world.quotes,
            standing: &world.standing,
            exposure: Exposure::default(),
            halted: true,
            rates: None,
        };
        let now = Nanos::from_secs(100);
        for (side, qty, residual, want) in [
            (Side::Sell, 1_000_000, 1_000_000, None),
            (Side::Sell, 1_000_000, 2_000_000, None),
            (Side::Sell, 2_000_000, 1_000_000, Some(Detail::NotReducing)),
            (Side::Buy, 1_000_000, 1_000_000, Some(Detail::NotReducing)),
            (Side::Buy, 1_000_000, -1_000_000, None),
            (Side::Buy, 0, -1_000_000, Some(Detail::NotReducing)),
            (Side::Buy, 1_000, -1_000_000, Some(Detail::Filter(SpecError::BelowMinNotional))),
        ] {
            let draft = ioc(VenueId(0), InstrumentId(0), side, Price(60_000 * E8), Qty(qty));
            let got = world.gate.admit_hedge(draft, residual, &view, &mut world.caps, now);
            assert_eq!(got.err().map(|refusal| refusal.detail), want, "{side:?} {qty} of {residual}");
        }
        let far = ioc(VenueId(0), InstrumentId(0), Side::Sell, Price(50_000 * E8), Qty(1_000_000));
        let refusal = world.gate.admit_hedge(far, 1_000_000, &view, &mut world.caps, now).unwrap_err();
        assert_eq!(refusal.detail, Detail::Band);
    }
}
