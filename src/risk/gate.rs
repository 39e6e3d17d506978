//! The gate: an opportunity goes in, and comes out as orders that may be sent, cut to what balances
//! and limits allow, or as a refusal with its reason.
//!
//! Books are looked at again here, because an opportunity has been in a queue: a book that went
//! stale, broke, or moved away since is reason enough to let it go. Hedges pass the same gate, with
//! one rule more (they must reduce the exposure) and some less (no cooldown, no edge).

use super::fit::Fitter;
use super::pass::Passes;
use super::{Caps, Detail, GateView, Limits, Refusal, Refusals};
use crate::account::{Inventory, Ledger, Markets};
use crate::detect::{Opportunity, Refused};
use crate::types::{ClientId, Draft, InstrumentId, Kind, Money, Nanos, Price, Qty, Side, Tif, VenueId};

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

/// Orders of a rehearsal. They can be looked at, and nobody gets hold of one: sending takes an
/// [`Admitted`] of its own.
///
/// ```compile_fail,E0507
/// # fn steal(rehearsed: xarb::risk::NotMeant) -> xarb::risk::Admitted {
/// rehearsed.legs()[0]
/// # }
/// ```
#[must_use]
#[derive(Debug)]
pub struct NotMeant(Vec<Admitted>);

impl NotMeant {
    /// The orders, buys before sells.
    pub fn legs(&self) -> &[Admitted] {
        &self.0
    }
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
    /// What is known of markets before an order.
    passes: Passes,
    /// Room for the next intent's orders: given out with one, and taken back.
    room: Vec<Admitted>,
}

impl Gate {
    /// A gate with these limits, which were checked, for so many venues and instruments.
    pub fn new(limits: Limits, venues: usize, instruments: usize) -> Gate {
        Gate {
            open: Vec::with_capacity(limits.open_intents_max as usize),
            ended: vec![None; instruments * venues * venues],
            passes: Passes::new(venues, instruments),
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
    #[inline(never)] // shared with rehearsals, so that these warm what orders go through
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

    /// Judges orders that are not meant, see [`Executor::rehearse`](crate::exec::Executor::rehearse):
    /// nothing is counted or opened, and what passes is lent. [`Gate::end_rehearsal`] takes it back.
    pub fn rehearse(
        &mut self,
        opportunity: &Opportunity,
        view: &GateView<'_>,
        caps: &mut Caps,
        now: Nanos,
        id: &mut dyn FnMut(&Draft, u8) -> ClientId,
    ) -> Option<NotMeant> {
        let refusals = self.refusals;
        let admitted = self.admit(opportunity, view, caps, now, id);
        self.refusals = refusals;
        let intent = admitted.ok()?;
        let opened = self.open.pop();
        debug_assert_eq!(opened, Some(intent.direction), "it was the last");
        Some(NotMeant(intent.legs))
    }

    /// Takes back what [`Gate::rehearse`] lent.
    pub fn end_rehearsal(&mut self, NotMeant(legs): NotMeant) {
        self.reclaim(legs);
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
        let legs = opportunity.legs();
        let Some(mid) = view.mid(instrument) else {
            return Err(view.without_mid(legs, &self.limits.book_age_max, now));
        };

        let (age_max, passes) = (&self.limits.book_age_max[..], &self.passes);
        let fit = Fitter { age_max, passes, view, caps, instrument, mid, now }.fit(legs)?;
        let worst = view.exposure.worst().saturating_add(fit.total);
        let worth = fit.counted.value(mid, Qty(worst));
        if worth.is_none_or(|worth| worth > self.limits.exposure_max) {
            return refuse(Refused::Risk, Detail::Exposure);
        }
        if let Some(inventory) = view.inventory {
            self.check_inventory(opportunity, inventory, view, &fit.sizes)?;
        }
        if !caps.room(legs.len() as u32, false, now) {
            return refuse(Refused::Risk, Detail::Rate);
        }

        let mut admitted = std::mem::take(&mut self.room);
        for ((leg, market), &size) in
            legs.iter().zip(fit.markets).zip(&fit.sizes).filter(|(_, size)| **size > 0)
        {
            let mid = view.price_at(market, mid).unwrap_or_default();
            let mut draft = ioc(leg.venue, instrument, leg.side, leg.price, Qty(size));
            draft.client = id(&draft, admitted.len() as u8);
            admitted.push(Admitted { draft, mid, hedge: false });
        }
        Ok(AdmittedIntent { instrument, direction, mid, net_quote: opportunity.sums.net(), legs: admitted })
    }

    /// Works out anew what is known of an instrument's markets before an order, where anything moved
    /// since. For when nobody waits.
    pub fn renew(&mut self, instrument: InstrumentId, markets: &Markets, ledger: &Ledger, caps: &Caps) {
        self.passes.renew(instrument, markets, ledger, caps);
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
pub(super) mod tests {
    use super::super::limits::tests::limits;
    use super::super::{Exposure, Kill, Standing};
    use super::*;
    use crate::account::{Markets, test_spec};
    use crate::detect::{Leg, Sums};
    use crate::risk::Quote;
    use crate::types::{ContractKind, FeeRate, Level, SpecError};

    const E8: i64 = 100_000_000;

    /// A world of two venues in which an opportunity of 0.01 BTC passes; tests spoil one thing.
    pub(in crate::risk) struct World {
        pub(in crate::risk) seen: Seen,
        pub(in crate::risk) gate: Gate,
        pub(in crate::risk) caps: Caps,
        ids: u128,
    }

    /// What the gate looks at.
    pub(in crate::risk) struct Seen {
        pub(in crate::risk) markets: Markets,
        pub(in crate::risk) ledger: Ledger,
        inventory: Option<Inventory>,
        quotes: [Option<Quote>; 2],
        standing: [Standing; 2],
        exposure: Exposure,
        halted: bool,
    }

    impl Seen {
        pub(in crate::risk) fn view(&self) -> GateView<'_> {
            GateView {
                markets: &self.markets,
                ledger: &self.ledger,
                inventory: self.inventory.as_ref(),
                quotes: &self.quotes,
                standing: &self.standing,
                exposure: self.exposure,
                halted: self.halted,
                rates: None,
            }
        }
    }

    pub(in crate::risk) fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn quote(bid: i64, ask: i64) -> Option<Quote> {
        let (bid, ask) = (Level::new(bid * E8, E8), Level::new(ask * E8, E8));
        Some(Quote { bid, ask, at: Nanos::from_secs(100), version: 1, live: true, old: false })
    }

    pub(in crate::risk) fn world() -> World {
        world_of(ContractKind::Spot)
    }

    pub(in crate::risk) fn world_of(kind: ContractKind) -> World {
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
        let seen = Seen {
            markets,
            ledger,
            inventory: None,
            quotes: [quote(59_990, 60_000), quote(60_200, 60_210)],
            standing: [Standing::Ready; 2],
            exposure: Exposure::default(),
            halted: false,
        };
        let (gate, caps) = (Gate::new(limits(), 2, 1), Caps::new(&limits(), Kill::new()));
        World { seen, gate, caps, ids: 0 }
    }

    pub(in crate::risk) fn leg(venue: u8, side: Side, price: i64, qty: i64) -> Leg {
        Leg { venue: VenueId(venue), side, price: Price(price * E8), qty: Qty(qty), book_version: 1 }
    }

    pub(in crate::risk) fn of_legs(legs: &[Leg]) -> Opportunity {
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

    pub(in crate::risk) fn opportunity(qty: i64) -> Opportunity {
        of_legs(&[leg(0, Side::Buy, 60_000, qty), leg(1, Side::Sell, 60_200, qty)])
    }

    impl World {
        pub(in crate::risk) fn admit(
            &mut self,
            opportunity: &Opportunity,
        ) -> Result<AdmittedIntent, Refusal> {
            self.admit_at(opportunity, Nanos::from_secs(100))
        }

        fn admit_at(&mut self, opportunity: &Opportunity, now: Nanos) -> Result<AdmittedIntent, Refusal> {
            let view = self.seen.view();
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
        let cases: [(Spoil, Refused, Detail); 17] = [
            (|w| w.caps.kill().trip(), Refused::Risk, Detail::Killed),
            (|w| w.seen.halted = true, Refused::Risk, Detail::InstrumentHalted),
            (|w| w.seen.quotes[1] = None, Refused::Unsynced, Detail::NoBook),
            (|w| w.seen.quotes = [None; 2], Refused::Unsynced, Detail::NoBook),
            (|w| w.seen.quotes[0].as_mut().unwrap().live = false, Refused::Unsynced, Detail::NoBook),
            (
                |w| w.seen.quotes[0].as_mut().unwrap().at = Nanos::from_secs(99),
                Refused::Stale,
                Detail::BookAge,
            ),
            (
                |w| {
                    w.seen
                        .quotes
                        .iter_mut()
                        .flatten()
                        .for_each(|quote| (quote.at, quote.old) = (Nanos(0), true))
                },
                Refused::Stale,
                Detail::BookAge,
            ),
            (|w| w.seen.quotes[0] = quote(60_001, 60_000), Refused::Crossed, Detail::BookCrossed),
            (|w| w.seen.quotes[0] = quote(60_001, 60_011), Refused::BelowEdge, Detail::Moved),
            (|w| w.seen.quotes[1] = quote(60_199, 60_211), Refused::BelowEdge, Detail::Moved),
            (|w| w.seen.quotes[1] = quote(60_200, 75_000), Refused::Risk, Detail::Band),
            (|w| w.seen.standing[1] = Standing::Down, Refused::NotReady, Detail::Session),
            (|w| w.seen.standing[0] = Standing::Frozen, Refused::Risk, Detail::Frozen),
            (
                |w| w.seen.standing[0] = Standing::Throttled(Nanos::from_secs(101)),
                Refused::NotReady,
                Detail::Throttled,
            ),
            (|w| w.seen.exposure.least = -90_000_000, Refused::Risk, Detail::Exposure),
            (
                |w| {
                    let btc = w.seen.markets.get(VenueId(1), InstrumentId(0)).unwrap().base;
                    w.seen.ledger.hold(VenueId(1), btc, Money::ONE);
                },
                Refused::NoBalance,
                Detail::Balance,
            ),
            (
                |w| {
                    let usdt = w.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().quote;
                    w.seen.ledger.report(VenueId(0), usdt, Money::ONE, Nanos(5));
                    w.seen.ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |_| {});
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
        world.seen.standing[0] = Standing::Throttled(Nanos::from_secs(100));
        assert!(world.admit(&opportunity(1_000_000)).is_ok());
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
        world.seen.inventory = Some(Inventory::new(2, &shares, steep, floor).unwrap());
        let refusal = world.admit(&opportunity(1_000_000)).unwrap_err();
        assert_eq!((refusal.reason, refusal.detail), (Refused::BelowEdge, Detail::Inventory));
        world.seen.inventory = Some(Inventory::new(2, &[1_000_000, 0], steep, floor).unwrap());
        assert!(world.admit(&opportunity(1_000_000)).is_ok());
    }

    #[test]
    fn a_hedge_must_reduce() {
        let world = &mut world();
        // A halt is no obstacle.
        world.seen.halted = true;
        let view = world.seen.view();
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
