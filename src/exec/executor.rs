//! The executor: opportunities, reports and time in; orders, questions and alerts out.
//!
//! This file has the way out, hops `admit`, `encode` and `send`, as calls that can be timed apart;
//! entering in table and journal lies between the last two, so that nothing is written down of
//! orders that cannot be encoded. What comes back is in `news`, what follows from time alone in `upkeep`.

use zeroize::Zeroize;

use super::hedge::is_dust;
use super::journal::{Entry, Kind};
use super::plan::Intents;
use super::presign::{Outgoing, Presign, Ready, send};
use super::rates::QuoteRates;
use super::stats::{Counts, VenueCounts};
use super::{
    Alert, Context, ExecutorConfig, ExecutorError, Ids, Journal, Misconduct, Orders, Recorded, SendOutcome,
    VenueClock,
};
use crate::account::{Ledger, LedgerError, Markets};
use crate::detect::{Opportunity, Refused};
use crate::risk::{
    Admitted, AdmittedIntent, Caps, Detail, Direction, Exposure, Gate, GateView, Kill, Limits, Quote,
    RateView, Refusal, Standing, Stopped,
};
use crate::types::{Asset, ClientId, Draft, InstrumentId, Money, Nanos, Price, Qty, Report, Side, VenueId};
use crate::venue::{Form, Urgency};

/// What is known of a venue.
#[derive(Clone, Debug, Default)]
pub(super) struct VenueState {
    pub(super) frozen: bool,
    pub(super) throttled_until: Option<Nanos>,
    pub(super) clock: VenueClock,
    /// Last order, fill or end there: balances are compared only after some quiet.
    pub(super) active_at: Nanos,
    /// Balances were asked for since.
    pub(super) balances_asked: Option<Nanos>,
}

/// Parts of an order on its way out.
struct PreparedLeg {
    slot: usize,
    ready: Ready,
    recorded: Recorded,
}

/// Orders whose bytes are ready. Nothing is entered or recorded yet.
#[must_use]
pub struct Encoded {
    instrument: InstrumentId,
    direction: Direction,
    mid: Price,
    net_quote: Money,
    legs: Vec<Ready>,
}

/// Orders that are ready and recorded. Nothing has left yet.
#[must_use]
pub struct Prepared {
    intent: u64,
    legs: Vec<PreparedLeg>,
}

impl Prepared {
    /// The intent's number.
    pub fn intent(&self) -> u64 {
        self.intent
    }

    /// How many orders there are, and how many bytes in all.
    pub fn size(&self) -> (usize, usize) {
        self.legs.iter().fold((0, 0), |(count, bytes), leg| (count + 1, bytes + leg.ready.size()))
    }
}

/// What it takes to pass an order through the gate.
pub(super) struct AtGate<'a> {
    pub(super) gate: &'a mut Gate,
    pub(super) view: GateView<'a>,
    pub(super) caps: &'a mut Caps,
    pub(super) ids: &'a mut Ids,
    pub(super) presign: &'a mut Presign,
    pub(super) orders: &'a Orders,
}

/// See the module documentation.
pub struct Executor {
    pub(super) config: ExecutorConfig,
    pub(super) markets: Markets,
    pub(super) ledger: Ledger,
    pub(super) gate: Gate,
    pub(super) caps: Caps,
    pub(super) rates: Option<QuoteRates>,
    pub(super) ids: Ids,
    pub(super) orders: Orders,
    pub(super) intents: Intents,
    pub(super) journal: Journal,
    pub(super) presign: Presign,
    pub(super) venues: Vec<VenueState>,
    /// What is held for the order of a slot.
    pub(super) held: Vec<Money>,
    pub(super) halted: Vec<bool>,
    /// Left over of the base asset, by instrument: too small to hedge, or of late fills.
    pub(super) loose: Vec<Money>,
    /// What fills brought, by instrument, in units of the scale.
    pub(super) settled: Vec<Exposure>,
    /// Sizes of the last orders, by instrument: what the next ones will likely be.
    pub(super) recent: Vec<[Qty; 2]>,
    pub(super) counts: Counts,
    pub(super) evidence: Vec<(VenueId, Misconduct, Report)>,
    pub(super) quotes: Vec<Option<Quote>>,
    pub(super) standing: Vec<Standing>,
    pub(super) scratch: Vec<usize>,
    pub(super) wanted: Vec<Draft>,
    pub(super) next_market: usize,
    pub(super) timers_at: Nanos,
    pub(super) slow_timers_at: Nanos,
    pub(super) refusals_told: [u64; Refused::ALL.len()],
    pub(super) killed: bool,
    /// Room for the next intent's orders: given out with one, and taken back.
    room: Vec<PreparedLeg>,
    encoding: Vec<Ready>,
    pub(super) draining: bool,
    /// Rehearsals so far.
    pub(super) rehearsed: usize,
}

/// Reports of misconduct that are kept.
pub(super) const EVIDENCE_MAX: usize = 64;

impl Executor {
    /// Checks the configuration and takes all memory that the hot path needs.
    ///
    /// # Errors
    /// [`ExecutorError`] names what makes no sense.
    pub fn new(mut config: ExecutorConfig, kill: Kill) -> Result<Executor, ExecutorError> {
        if config.venues > Direction::VENUES_MAX {
            return Err(ExecutorError::TooManyVenues(config.venues));
        }
        config.limits.check(config.venues)?;
        config.hedge.check()?;
        let venues = config.venues;
        let instruments = config.markets.iter().map(|row| usize::from(row.1.0) + 1).max().unwrap_or(0);
        let mut ledger = Ledger::new(venues, instruments);
        let markets = Markets::new(venues, &config.markets, &mut ledger)?;
        let orders = Orders::new(config.orders_kept, venues, instruments, config.patience);
        let intents = config.limits.open_intents_max as usize + instruments;
        let mut caps = Caps::new(&config.limits, kill);
        let rates = config.rates.as_ref().map(|plan| QuoteRates::new(plan, &markets, &ledger, &mut caps));
        let spare = 4 * Opportunity::MAX_LEGS + intents;
        let ids = Ids::new(config.environment, config.run, &config.tag_key);
        config.tag_key.zeroize();
        Ok(Executor {
            gate: Gate::new(config.limits.clone(), venues, instruments),
            caps,
            rates,
            ids,
            held: vec![Money::ZERO; orders.capacity()],
            scratch: Vec::with_capacity(orders.capacity()),
            orders,
            intents: Intents::new(intents),
            journal: Journal::new(config.journal_pending, config.journal_keep),
            presign: Presign::new(config.pool, spare, (instruments, venues), config.renew_before),
            venues: vec![VenueState::default(); venues],
            halted: vec![false; instruments],
            loose: vec![Money::ZERO; instruments],
            settled: vec![Exposure::default(); instruments],
            recent: vec![[Qty::ZERO; 2]; instruments],
            counts: Counts { venues: vec![VenueCounts::default(); venues], ..Counts::default() },
            evidence: Vec::new(),
            quotes: vec![None; venues],
            standing: vec![Standing::Down; venues],
            wanted: Vec::with_capacity(64),
            next_market: 0,
            timers_at: Nanos(i64::MIN),
            slow_timers_at: Nanos(i64::MIN),
            refusals_told: [0; Refused::ALL.len()],
            killed: false,
            room: Vec::with_capacity(Opportunity::MAX_LEGS),
            encoding: Vec::with_capacity(Opportunity::MAX_LEGS),
            draining: false,
            rehearsed: 0,
            ledger,
            markets,
            config,
        })
    }

    /// Takes an opportunity the whole way: [`Executor::admit`], [`Executor::prepare`],
    /// [`Executor::send`]. Returns how many orders left.
    ///
    /// # Errors
    /// [`Refusal`], counted.
    pub fn on_opportunity(
        &mut self,
        opportunity: &Opportunity,
        now: Nanos,
        ctx: &mut dyn Context,
    ) -> Result<usize, Refusal> {
        let admitted = self.admit(opportunity, now, ctx)?;
        let prepared = self.prepare(admitted, now, ctx)?;
        Ok(self.send(prepared, now, ctx))
    }

    /// Passes an opportunity through the gate.
    ///
    /// # Errors
    /// [`Refusal`], counted with the edge given up.
    pub fn admit(
        &mut self,
        opportunity: &Opportunity,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<AdmittedIntent, Refusal> {
        if self.draining {
            let refusal = Refusal::new(Refused::Risk, Detail::Draining);
            self.gate.count(&refusal, opportunity.sums.net());
            return Err(refusal);
        }
        self.look(opportunity.instrument, now, ctx);
        let AtGate { gate, view, caps, ids, presign, orders } = self.at_gate(opportunity.instrument);
        gate.admit(opportunity, &view, caps, now, &mut |draft, leg| {
            let begun = presign.find(draft, now, |id| orders.has_room(id));
            begun.unwrap_or_else(|| next_id(ids, orders, leg))
        })
    }

    /// Makes ready what may be sent: [`Executor::encode`], then [`Executor::enter`].
    ///
    /// # Errors
    /// [`Refusal`], counted; nothing is left behind.
    pub fn prepare(
        &mut self,
        admitted: AdmittedIntent,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<Prepared, Refusal> {
        let encoded = self.encode(admitted, now, ctx)?;
        self.enter(encoded, now, ctx)
    }

    /// Makes the bytes of admitted orders ready. All of them, or none; nothing is entered anywhere.
    ///
    /// # Errors
    /// [`Refusal`], counted.
    #[inline]
    pub fn encode(
        &mut self,
        admitted: AdmittedIntent,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<Encoded, Refusal> {
        let AdmittedIntent { instrument, direction, mid, net_quote, mut legs } = admitted;
        let mut encoded =
            Encoded { instrument, direction, mid, net_quote, legs: std::mem::take(&mut self.encoding) };
        let mut refused = None;
        for admitted in legs.drain(..) {
            match self.ready(admitted, now, ctx) {
                Ok(ready) => encoded.legs.push(ready),
                Err(refusal) => {
                    refused = Some(refusal);
                    break;
                }
            }
        }
        self.gate.reclaim(legs);
        match refused {
            None => Ok(encoded),
            Some(refusal) => {
                self.drop_encoded(encoded, &refusal, now, ctx);
                Err(refusal)
            }
        }
    }

    /// Enters orders in table and journal. All of them, or none.
    ///
    /// # Errors
    /// [`Refusal`], counted; nothing is left behind.
    pub fn enter(
        &mut self,
        mut encoded: Encoded,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<Prepared, Refusal> {
        let Encoded { instrument, direction, mid, net_quote, .. } = encoded;
        let deadline = now + self.config.hedge.life;
        let opened = self.intents.open(instrument, Some(direction), mid, Money::ZERO, deadline);
        let Some(intent) = opened else {
            let refusal = Refusal::new(Refused::Risk, Detail::OpenIntents);
            self.drop_encoded(encoded, &refusal, now, ctx);
            return Err(refusal);
        };
        self.journal.append(
            &Entry::new(Kind::Intent, now)
                .instrument(instrument)
                .intent(intent)
                .amount(net_quote, Asset::EMPTY),
        );
        let mut prepared = Prepared { intent, legs: std::mem::take(&mut self.room) };
        let mut refused = None;
        for ready in encoded.legs.drain(..) {
            match refused {
                None => match self.enter_leg(ready, intent, now, ctx) {
                    Ok(leg) => prepared.legs.push(leg),
                    Err(refusal) => refused = Some(refusal),
                },
                Some(_) => self.drop_ready(ready, now, ctx),
            }
        }
        self.encoding = encoded.legs;
        let Some(refusal) = refused else {
            self.counts.intents += 1;
            return Ok(prepared);
        };
        self.give_up(prepared, now, ctx);
        self.gate.count(&refusal, net_quote);
        self.gate.close(direction, now);
        self.intents.close(intent);
        Err(refusal)
    }

    #[cold]
    fn drop_encoded(
        &mut self,
        mut encoded: Encoded,
        refusal: &Refusal,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) {
        for ready in encoded.legs.drain(..) {
            self.drop_ready(ready, now, ctx);
        }
        self.encoding = encoded.legs;
        self.gate.count(refusal, encoded.net_quote);
        self.gate.close(encoded.direction, now);
    }

    /// Lets go of an order that was made ready and will not leave.
    fn drop_ready(&mut self, ready: Ready, now: Nanos, ctx: &mut (impl Context + ?Sized)) {
        ctx.gateway(ready.draft().venue).refund(ready.draft(), now);
        self.presign.recycle(ready.give_up());
    }

    #[inline]
    fn ready(
        &mut self,
        admitted: Admitted,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<Ready, Refusal> {
        let venue = admitted.draft().venue;
        let gateway = ctx.gateway(venue);
        let urgency = if admitted.is_hedge() { Urgency::Urgent } else { Urgency::Order };
        if gateway.spend(admitted.draft(), urgency, now).is_err() {
            return Err(Refusal::at(Refused::Risk, Detail::RateLimit, venue));
        }
        let signs_each = gateway.form() == Form::Signed;
        let ready = self.presign.prepare(gateway, signs_each, admitted, now);
        ready.map_err(|admitted| {
            gateway.refund(admitted.draft(), now);
            Refusal::at(Refused::NotReady, Detail::Encode, venue)
        })
    }

    fn enter_leg(
        &mut self,
        ready: Ready,
        intent: u64,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
    ) -> Result<PreparedLeg, Refusal> {
        let draft = ready.draft();
        let market = self.markets.get(draft.venue, draft.instrument);
        let slot = market
            .ok_or(Detail::NoMarket)
            .and_then(|market| {
                let what = (market.spec.symbol, market.face());
                let entered = self.orders.insert(draft, what, intent, ready.admitted().is_hedge(), now);
                entered.ok_or(Detail::TableFull)
            })
            .map_err(|detail| Refusal::at(Refused::Risk, detail, draft.venue));
        let slot = match slot {
            Ok(slot) => slot,
            Err(refusal) => {
                self.drop_ready(ready, now, ctx);
                return Err(refusal);
            }
        };
        let recorded = self.journal.append_order(&ready, intent, now);
        self.ledger.close_opening(draft.venue);
        self.rehold(slot);
        if let Some(intent) = self.intents.get_mut(intent) {
            intent.open += 1;
        }
        if let Some(recent) = self.recent.get_mut(usize::from(draft.instrument.0))
            && recent[0] != draft.qty
        {
            *recent = [draft.qty, recent[0]];
        }
        Ok(PreparedLeg { slot, ready, recorded })
    }

    /// Lets go of prepared orders: nothing of them has left, and nothing will. Their direction is
    /// free again.
    pub fn abandon(&mut self, prepared: Prepared, now: Nanos, ctx: &mut (impl Context + ?Sized)) {
        let intent = prepared.intent;
        self.give_up(prepared, now, ctx);
        let Some(intent) = self.intents.close(intent) else { return };
        if let Some(direction) = intent.direction {
            self.gate.close(direction, now);
        }
        self.renew(intent.instrument);
    }

    /// Works out what the next orders of an instrument may be: not while anybody waits.
    pub(super) fn renew(&mut self, instrument: InstrumentId) {
        self.gate.renew(instrument, &self.markets, &self.ledger, &self.caps);
    }

    /// Takes back orders of which nothing has left.
    fn give_up(&mut self, prepared: Prepared, now: Nanos, ctx: &mut (impl Context + ?Sized)) {
        let Prepared { intent, mut legs } = prepared;
        for leg in legs.drain(..) {
            let client = leg.ready.draft().client;
            self.journal.append(&Entry::new(Kind::Sent, now).client(client).intent(intent).code(1));
            self.drop_ready(leg.ready, now, ctx);
            self.orders.refused(leg.slot, now);
            self.rehold(leg.slot);
        }
        self.room = legs;
    }

    /// Hands the bytes of all legs over, one after the other, before anything else is done; then
    /// notes what became of them. Returns how many left.
    pub fn send(&mut self, prepared: Prepared, now: Nanos, ctx: &mut dyn Context) -> usize {
        let Prepared { intent, mut legs } = prepared;
        let mut fates = [const { None }; Opportunity::MAX_LEGS];
        for (fate, leg) in fates.iter_mut().zip(legs.drain(..)) {
            let PreparedLeg { slot, ready, recorded } = leg;
            *fate = match send(ready, recorded) {
                Ok(outgoing) => Some((slot, outgoing.expires(), self.release(outgoing, now, ctx))),
                Err(spent) => {
                    self.presign.recycle(spent);
                    Some((slot, now, Ok(SendOutcome::NotSent)))
                }
            };
        }
        self.room = legs;
        let mut left = 0;
        for (slot, expires, fate) in fates.into_iter().flatten() {
            left += usize::from(self.launched(slot, expires, fate, now, ctx));
        }
        if left == 0 {
            self.advance(intent, now, ctx);
        } else if let Some(intent) = self.intents.get(intent) {
            self.renew(intent.instrument);
        }
        left
    }

    fn release(
        &mut self,
        outgoing: Outgoing,
        now: Nanos,
        ctx: &mut dyn Context,
    ) -> Result<SendOutcome, Stopped> {
        let draft = *outgoing.draft();
        let Some(market) = self.markets.get(draft.venue, draft.instrument) else {
            return Ok(SendOutcome::NotSent);
        };
        let expires = outgoing.expires();
        let (result, spent) = outgoing.release(&mut self.caps, market, now, |lane, bytes| {
            ctx.send(draft.venue, lane, draft.client, bytes, expires)
        });
        self.presign.recycle(spent);
        result
    }

    /// Notes what became of an order's bytes; true when they left, or may have.
    fn launched(
        &mut self,
        slot: usize,
        expires: Nanos,
        fate: Result<SendOutcome, Stopped>,
        now: Nanos,
        ctx: &mut dyn Context,
    ) -> bool {
        let Draft { client, venue, .. } = self.orders.get(slot).draft;
        let intent = self.orders.get(slot).intent;
        let code = match fate {
            Ok(SendOutcome::Sent) => 0,
            Ok(SendOutcome::NotSent) => 1,
            Ok(SendOutcome::Unclear) => 2,
            Err(stopped) => 16 + stopped as u8,
        };
        self.journal
            .append(&Entry::new(Kind::Sent, now).venue(venue).client(client).intent(intent).code(code));
        let at = usize::from(venue.0);
        self.venues[at].active_at = now;
        self.venues[at].balances_asked = None;
        let counts = &mut self.counts.venues[at];
        match fate {
            Ok(SendOutcome::Sent) => {
                counts.orders += 1;
                self.orders.sent(slot, now, expires);
                return true;
            }
            Ok(SendOutcome::Unclear) => {
                counts.orders += 1;
                self.orders.sent(slot, now, expires);
                self.doubt(slot, now, ctx);
                return true;
            }
            Ok(SendOutcome::NotSent) => counts.not_sent += 1,
            Err(why) => {
                counts.stopped += 1;
                ctx.alert(Alert::Stopped { client, why });
            }
        }
        self.never_left(slot, now);
        false
    }

    /// An order of which certainly nothing reached the venue.
    pub(super) fn never_left(&mut self, slot: usize, now: Nanos) {
        let was_over = self.orders.get(slot).state().is_final();
        self.orders.refused(slot, now);
        self.rehold(slot);
        let intent = self.orders.get(slot).intent;
        if !was_over
            && self.orders.get(slot).state().is_final()
            && let Some(intent) = self.intents.get_mut(intent)
        {
            intent.open -= 1;
        }
    }

    /// Reads the instrument's books and the venues' standing.
    #[inline(never)] // shared with rehearsals, so that these warm what orders go through
    pub(super) fn look(&mut self, instrument: InstrumentId, now: Nanos, ctx: &mut (impl Context + ?Sized)) {
        if let Some(rates) = &mut self.rates {
            rates.look(instrument, now, ctx, self.gate.limits(), &mut self.caps);
        }
        // Venues that do not trade this instrument must not lend it another one's prices.
        self.quotes.fill(None);
        for market in self.markets.of(instrument) {
            let at = usize::from(market.venue.0);
            let venue = &self.venues[at];
            self.quotes[at] = ctx.quote(market.venue, instrument);
            if let (Some(quote), Some(most)) = (&mut self.quotes[at], self.gate.limits().book_age_max.get(at))
            {
                quote.old = now - quote.at > *most;
            }
            self.standing[at] = if venue.frozen {
                Standing::Frozen
            } else if let Some(until) = venue.throttled_until.filter(|until| *until > now) {
                Standing::Throttled(until)
            } else if ctx.gateway(market.venue).ready() {
                Standing::Ready
            } else {
                Standing::Down
            };
        }
    }

    /// The gate and what comes before it, after [`Executor::look`], borrowed apart.
    #[inline(always)] // on every order's way
    pub(super) fn at_gate(&mut self, instrument: InstrumentId) -> AtGate<'_> {
        let exposure = self.exposure(instrument);
        let Executor { gate, caps, ids, presign, orders, rates, .. } = self;
        let view = view(
            &self.markets,
            &self.ledger,
            &self.config,
            &self.quotes,
            &self.standing,
            exposure,
            &self.halted,
            rates.as_ref().and_then(|rates| rates.view(instrument)),
            instrument,
        );
        AtGate { gate, view, caps, ids, presign, orders }
    }

    /// The gate's view after [`Executor::look`].
    pub(super) fn view(&self, instrument: InstrumentId) -> GateView<'_> {
        view(
            &self.markets,
            &self.ledger,
            &self.config,
            &self.quotes,
            &self.standing,
            self.exposure(instrument),
            &self.halted,
            self.rates.as_ref().and_then(|rates| rates.view(instrument)),
            instrument,
        )
    }

    /// The consolidated mid after [`Executor::look`].
    pub(super) fn mid(&self, instrument: InstrumentId) -> Option<Price> {
        self.view(instrument).mid(instrument)
    }

    /// Sends one hedge of an intent, already admitted. True when its bytes left.
    pub(super) fn send_hedge(
        &mut self,
        admitted: Admitted,
        intent: u64,
        now: Nanos,
        ctx: &mut dyn Context,
    ) -> bool {
        let Ok(ready) = self.ready(admitted, now, ctx) else { return false };
        let Ok(leg) = self.enter_leg(ready, intent, now, ctx) else { return false };
        let PreparedLeg { slot, ready, recorded } = leg;
        let (expires, fate) = match send(ready, recorded) {
            Ok(outgoing) => (outgoing.expires(), self.release(outgoing, now, ctx)),
            Err(spent) => {
                self.presign.recycle(spent);
                (now, Ok(SendOutcome::NotSent))
            }
        };
        self.launched(slot, expires, fate, now, ctx)
    }

    /// Sets aside what an order may still spend, and no more.
    pub(super) fn rehold(&mut self, slot: usize) {
        let order = self.orders.get(slot);
        let Draft { venue, instrument, side, price, .. } = order.draft;
        let Some(market) = self.markets.get(venue, instrument) else { return };
        let open = order.open_qty();
        if market.is_contract() {
            let value = market.settled(price, open).unwrap_or_default();
            let want = if open.0 > 0 { value + market.fee_at_most(value) } else { Money::ZERO };
            let held = std::mem::replace(&mut self.held[slot], want);
            return self.ledger.hold_contract(venue, instrument, side, want - held);
        }
        let (asset, want) = match side {
            _ if open.0 <= 0 => (if side == Side::Buy { market.quote } else { market.base }, Money::ZERO),
            Side::Buy => {
                let value = market.value(price, open).unwrap_or_default();
                (market.quote, value + market.fee_at_most(value))
            }
            Side::Sell => (market.base, market.amount(open)),
        };
        let held = std::mem::replace(&mut self.held[slot], want);
        if want > held {
            self.ledger.hold(venue, asset, want - held);
        } else if held > want {
            self.ledger.release(venue, asset, held - want);
        }
    }

    /// What an instrument's exposure may be: what fills brought, and what open orders may add.
    pub fn exposure(&self, instrument: InstrumentId) -> Exposure {
        let settled = self.settled.get(usize::from(instrument.0)).copied().unwrap_or_default();
        settled.plus(self.orders.open_exposure(instrument))
    }

    /// The orders.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// The positions.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The markets.
    pub fn markets(&self) -> &Markets {
        &self.markets
    }

    /// The journal.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        self.gate.limits()
    }

    /// The caps of the last function before the socket.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The kill flag, for whoever may set it.
    pub fn kill(&self) -> &Kill {
        self.caps.kill()
    }

    /// The counts so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Reports of misconduct, as they came: the first 64.
    pub fn evidence(&self) -> &[(VenueId, Misconduct, Report)] {
        &self.evidence
    }

    /// Whether an instrument is halted.
    pub fn is_halted(&self, instrument: InstrumentId) -> bool {
        self.halted.get(usize::from(instrument.0)).copied().unwrap_or(true)
    }

    /// Opens nothing new from now on. What is in flight ends, and what is left over is hedged, as
    /// long as reports and ticks keep coming.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Nothing is in flight and no hedge is owed: what is left over is dust, or its instrument is
    /// halted.
    pub fn is_drained(&mut self, now: Nanos, ctx: &mut dyn Context) -> bool {
        self.is_idle()
            && (0..self.loose.len()).all(|at| {
                let (instrument, amount) = (InstrumentId(at as u16), self.loose[at]);
                if amount == Money::ZERO || self.halted[at] {
                    return true;
                }
                self.look(instrument, now, ctx);
                self.mid(instrument)
                    .is_some_and(|mid| is_dust(&self.view(instrument), instrument, amount, mid))
            })
    }

    /// Nothing is in flight: no open order, no open intent.
    pub fn is_idle(&self) -> bool {
        self.orders.live().next().is_none() && self.intents.iter().next().is_none()
    }

    /// Whose order an id belongs to.
    pub fn origin(&self, client: ClientId) -> super::Origin {
        self.ids.origin(client)
    }

    /// Whether the ledger adds up.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] names the first account that does not.
    pub fn check(&self) -> Result<(), LedgerError> {
        self.ledger.check()
    }
}

/// An id whose slot in the table is free; after a few tries the gate's order will be refused.
pub(super) fn next_id(ids: &mut Ids, orders: &Orders, leg: u8) -> ClientId {
    let mut id = ids.take(leg);
    for _ in 0..8 {
        if orders.has_room(id) {
            break;
        }
        id = ids.take(leg);
    }
    id
}

/// What fills brought, in units of the scale, rounded outwards.
pub(super) fn settled(markets: &Markets, ledger: &Ledger, instrument: InstrumentId) -> Exposure {
    let Some(market) = markets.of(instrument).next() else { return Exposure::default() };
    let (residual, unit) = (ledger.residual(instrument).0, market.amount(Qty(1)).0);
    let narrow = |value: i128| i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
    let least = residual.div_euclid(unit);
    let most = least + i128::from(residual.rem_euclid(unit) != 0);
    Exposure { least: narrow(least), most: narrow(most) }
}

#[allow(clippy::too_many_arguments)] // fields of one struct, borrowed apart
fn view<'a>(
    markets: &'a Markets,
    ledger: &'a Ledger,
    config: &'a ExecutorConfig,
    quotes: &'a [Option<Quote>],
    standing: &'a [Standing],
    exposure: Exposure,
    halted: &[bool],
    rates: Option<RateView<'a>>,
    instrument: InstrumentId,
) -> GateView<'a> {
    let at = usize::from(instrument.0);
    GateView {
        markets,
        ledger,
        inventory: config.inventory.get(at).and_then(Option::as_ref),
        quotes,
        standing,
        exposure,
        halted: halted.get(at).copied().unwrap_or(true),
        rates,
    }
}
