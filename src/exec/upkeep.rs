//! What follows from time alone: questions, hedges, ends; and, in idle time, orders signed ahead.

use super::executor::{AtGate, next_id};
use super::hedge::{Decision, Residual, decide, is_dust};
use super::journal::{Entry, Kind};
use super::plan::{Intent, Outcome};
use super::presign::Need;
use super::{Alert, Context, Executor};
use crate::detect::Refused;
use crate::risk::ioc;
use crate::types::{Asset, Draft, InstrumentId, Money, Nanos, Price, Qty, Side, VenueId};
use crate::venue::{Command, Form, Urgency};

/// How often timers are looked at, and the slow ones among them.
const TIMERS_EVERY: Nanos = Nanos::from_millis(1);
const SLOW_TIMERS_EVERY: Nanos = Nanos::from_millis(100);

impl Executor {
    /// Time passed: call it at least every few milliseconds, and whenever there is nothing else to
    /// do. Cheap when nothing is due.
    pub fn tick(&mut self, now: Nanos, ctx: &mut dyn Context) {
        if self.caps.kill().is_tripped() && !self.killed {
            self.on_killed(now, ctx);
        }
        if now < self.timers_at {
            return;
        }
        self.timers_at = now + TIMERS_EVERY;
        self.ask(now, ctx);
        self.age_intents(now, ctx);
        if now >= self.slow_timers_at {
            self.slow_timers_at = now + SLOW_TIMERS_EVERY;
            self.hedge_loose(now, ctx);
            self.check_losses(now, ctx);
            self.compare_balances(now, ctx);
            self.journal_refusals(now);
        }
    }

    /// Does a bounded piece of work that the hot path is to be spared: ids, hashing, wiping, and
    /// beginning or signing orders ahead. True when there was any.
    pub fn idle(&mut self, now: Nanos, ctx: &mut dyn Context) -> bool {
        self.journal.catch_up();
        let ids = self.ids.refill(4);
        let wiped = self.presign.wipe_one();
        let signed = self.sign_ahead(now, ctx);
        let begun = self.begin_ahead(ctx);
        (0..self.halted.len()).for_each(|at| self.renew(InstrumentId(at as u16)));
        ids > 0 || wiped || signed > 0 || begun
    }

    /// Begins one order that is lacking, in a session that takes orders; true when there was one. Those
    /// that wait get the price and size that the next one will likely have: the touch, in the size of
    /// before.
    fn begin_ahead(&mut self, ctx: &mut dyn Context) -> bool {
        for market in self.markets.iter() {
            if self.venues[usize::from(market.venue.0)].frozen {
                continue;
            }
            let size = self.recent[usize::from(market.instrument.0)][0];
            let quote = ctx.quote(market.venue, market.instrument);
            let quote = quote.filter(|quote| quote.live && size > Qty::ZERO);
            for side in Side::BOTH {
                let price = match (&quote, side) {
                    (None, _) => Price(0),
                    (Some(quote), Side::Buy) => quote.ask.price,
                    (Some(quote), Side::Sell) => quote.bid.price,
                };
                let like = ioc(market.venue, market.instrument, side, price, size);
                let need = self.presign.need(&like);
                if need == Need::Nothing {
                    continue;
                }
                let gateway = ctx.gateway(market.venue);
                if gateway.form() != Form::Session || !gateway.ready() {
                    continue;
                }
                match need {
                    // Without a price nothing better is known.
                    Need::AnotherGuess if quote.is_none() => {}
                    Need::AnotherGuess => self.presign.renew(&like, gateway),
                    _ if self.presign.begin(&like, gateway, &mut self.ids) => return true,
                    _ => {}
                }
            }
        }
        false
    }

    fn on_killed(&mut self, now: Nanos, ctx: &mut dyn Context) {
        self.killed = true;
        self.journal.append(&Entry::new(Kind::Killed, now));
        for order in self.orders.live() {
            ctx.withdraw(order.draft.venue, order.draft.client);
        }
        for market in self.markets.iter() {
            if self.orders.live_at(market.venue) > 0 {
                ctx.command(market.venue, Command::CancelAll { instrument: market.instrument });
            }
        }
    }

    /// Asks what is due to be asked about open orders, and ends those that never arrived.
    fn ask(&mut self, now: Nanos, ctx: &mut dyn Context) {
        let mut live = std::mem::take(&mut self.scratch);
        self.orders.live_slots(&mut live);
        for slot in &live {
            if let Some(question) = self.orders.question(*slot, now) {
                if question.new_doubt {
                    self.told_doubt(*slot, now, ctx);
                }
                let (venue, client, instrument) = (question.venue, question.client, question.instrument);
                self.journal.append(&Entry::new(Kind::Asked, now).venue(venue).client(client));
                ctx.command(venue, Command::Query { client, instrument });
                if let Some(since) = question.fills_since {
                    ctx.command(venue, Command::Fills { instrument, since });
                }
                if question.absent {
                    ctx.command(venue, Command::ServerTime);
                    ctx.command(venue, Command::Balances);
                }
            }
            self.settle_absent(*slot, now, ctx);
        }
        self.scratch = live;
    }

    /// The last part of the proof that an order never arrived: balances told since are as they
    /// would be without it, and so is the position of a contract.
    fn settle_absent(&mut self, slot: usize, now: Nanos, ctx: &mut dyn Context) {
        let order = self.orders.get(slot);
        let Some(since) = self.orders.absent_since(slot).filter(|_| !order.state().is_final()) else {
            return;
        };
        let (venue, intent, client) = (order.draft.venue, order.intent, order.draft.client);
        let Some(market) = self.markets.get(venue, order.draft.instrument) else { return };
        // The trade list was asked for together with the balances, and answered before or with them.
        let paid = if market.is_contract() { &[market.settle][..] } else { &[market.base, market.quote] };
        let agree = paid.iter().all(|asset| {
            self.ledger.reported(venue, *asset).is_some_and(|(theirs, when)| {
                let ours = self.ledger.position(venue, *asset);
                when > since
                    && (theirs - ours).abs() <= self.ledger.tolerance(venue, *asset, self.config.drift_max)
            })
        });
        let instrument = order.draft.instrument;
        if !agree || (market.is_contract() && !self.ledger.contract_confirmed(venue, instrument, since)) {
            return;
        }
        self.journal.append(&Entry::new(Kind::Answered, now).venue(venue).client(client).code(254));
        self.orders.never_arrived(slot);
        self.rehold(slot);
        if let Some(intent) = self.intents.get_mut(intent) {
            intent.open -= 1;
        }
        self.advance(intent, now, ctx);
    }

    /// Tries hedges whose pause is over and ends intents whose time is.
    fn age_intents(&mut self, now: Nanos, ctx: &mut dyn Context) {
        let due = |intent: &&Intent| (intent.open == 0 && now >= intent.retry_at) || now >= intent.deadline;
        // A bounded number a turn; the rest is still due at the next.
        let mut numbers = [0; 64];
        for (slot, intent) in numbers.iter_mut().zip(self.intents.iter().filter(due)) {
            *slot = intent.number;
        }
        for number in numbers.into_iter().filter(|number| *number > 0) {
            self.advance(number, now, ctx);
            let late = self.intents.get(number).filter(|intent| now >= intent.deadline).copied();
            if let Some(intent) = late {
                ctx.alert(Alert::Overdue { instrument: intent.instrument, intent: intent.number });
                self.finish(intent.number, Outcome::CappedHalt, now, ctx);
            }
        }
    }

    /// Does what an intent needs next, once none of its orders is open.
    pub(super) fn advance(&mut self, number: u64, now: Nanos, ctx: &mut dyn Context) {
        let Some(intent) = self.intents.get(number).copied() else { return };
        if intent.open > 0 {
            return;
        }
        let even = if intent.attempts == 0 { Outcome::Done } else { Outcome::Unwound };
        if intent.residual == Money::ZERO {
            self.finish(number, even, now, ctx);
            return;
        }
        if now < intent.retry_at {
            return;
        }
        self.look(intent.instrument, now, ctx);
        let residual = Residual {
            instrument: intent.instrument,
            amount: intent.residual,
            reference: intent.reference,
            direction: intent.direction,
            attempts: intent.attempts,
        };
        let view = self.view(intent.instrument);
        let decision = decide(&residual, &self.config.hedge, self.gate.limits(), &view, now);
        match decision {
            Decision::Dust => self.finish(number, even, now, ctx),
            Decision::Keep => self.finish(number, Outcome::Kept, now, ctx),
            Decision::Order(_) if intent.attempts >= self.config.hedge.attempts_max => {
                self.finish(number, Outcome::CappedHalt, now, ctx);
            }
            Decision::Order(draft) => self.hedge(number, draft, now, ctx),
            Decision::Wait | Decision::OutOfBounds => self.pause(number, now),
        }
    }

    fn pause(&mut self, number: u64, now: Nanos) {
        let until = now + self.config.hedge.retry_after;
        if let Some(intent) = self.intents.get_mut(number) {
            intent.retry_at = until;
        }
    }

    fn hedge(&mut self, number: u64, draft: Draft, now: Nanos, ctx: &mut dyn Context) {
        let Some(intent) = self.intents.get(number).copied() else { return };
        let Some(market) = self.markets.get(draft.venue, draft.instrument) else { return };
        let residual = market.count_at(draft.price, intent.residual).0;
        let residual = if intent.residual.is_negative() { -residual } else { residual };
        // A venue whose limits have no room now was not tried: the difference waits, as long as the
        // intent lives. What is looked at here is counted once the order goes.
        let gateway = ctx.gateway(draft.venue);
        if gateway.spend(&draft, Urgency::Urgent, now).is_err() {
            return self.pause(number, now);
        }
        gateway.refund(&draft, now);
        let leg = 8 + intent.attempts.min(7);
        let draft = Draft { client: next_id(&mut self.ids, &self.orders, leg), ..draft };
        let AtGate { gate, view, caps, .. } = self.at_gate(draft.instrument);
        let admitted = gate.admit_hedge(draft, residual, &view, caps, now);
        let Ok(admitted) = admitted else {
            self.pause(number, now);
            return;
        };
        self.journal.append(
            &Entry::new(Kind::Hedge, now)
                .venue(draft.venue)
                .instrument(draft.instrument)
                .client(draft.client)
                .intent(number)
                .order(draft.side, draft.price, draft.qty)
                .amount(intent.residual, Asset::EMPTY),
        );
        let until = now + self.config.hedge.retry_after;
        if let Some(intent) = self.intents.get_mut(number) {
            intent.attempts += 1;
            intent.retry_at = until;
        }
        if self.send_hedge(admitted, number, now, ctx) {
            self.counts.hedges += 1;
        }
    }

    fn finish(&mut self, number: u64, outcome: Outcome, now: Nanos, ctx: &mut dyn Context) {
        let Some(intent) = self.intents.close(number) else { return };
        self.journal.append(
            &Entry::new(Kind::IntentEnd, now)
                .instrument(intent.instrument)
                .intent(number)
                .code(outcome as u8)
                .amount(intent.residual, Asset::EMPTY),
        );
        if let Some(direction) = intent.direction {
            self.gate.close(direction, now);
            self.counts.outcomes[outcome as usize] += 1;
        }
        let at = usize::from(intent.instrument.0);
        match outcome {
            Outcome::Done | Outcome::Unwound => self.loose[at] += intent.residual,
            Outcome::Kept => {}
            Outcome::CappedHalt => {
                ctx.alert(Alert::Unhedged { instrument: intent.instrument, residual: intent.residual });
                // Kept in sight: once the instrument is resumed it is hedged.
                self.loose[at] += intent.residual;
                self.halt(intent.instrument, now);
            }
        }
    }

    /// Stops an instrument: nothing new is opened until [`Executor::resume`].
    pub fn halt(&mut self, instrument: InstrumentId, now: Nanos) {
        let Some(halted) = self.halted.get_mut(usize::from(instrument.0)) else { return };
        if !*halted {
            *halted = true;
            self.journal.append(&Entry::new(Kind::Halted, now).instrument(instrument).code(1));
        }
    }

    /// Lets a halted instrument trade again; what was left over is hedged first chance.
    pub fn resume(&mut self, instrument: InstrumentId, now: Nanos) {
        let Some(halted) = self.halted.get_mut(usize::from(instrument.0)) else { return };
        if std::mem::replace(halted, false) {
            self.journal.append(&Entry::new(Kind::Halted, now).instrument(instrument).code(0));
        }
    }

    /// Opens an intent for what is left over of an instrument, once that is no longer dust.
    fn hedge_loose(&mut self, now: Nanos, ctx: &mut dyn Context) {
        for at in 0..self.loose.len() {
            let (instrument, amount) = (InstrumentId(at as u16), self.loose[at]);
            let busy = self.intents.iter().any(|intent| intent.instrument == instrument);
            if amount == Money::ZERO || self.halted[at] || busy {
                continue;
            }
            self.look(instrument, now, ctx);
            let Some(mid) = self.mid(instrument) else { continue };
            if is_dust(&self.view(instrument), instrument, amount, mid) {
                continue;
            }
            let deadline = now + self.config.hedge.life;
            if let Some(number) = self.intents.open(instrument, None, mid, amount, deadline) {
                self.loose[at] = Money::ZERO;
                self.advance(number, now, ctx);
            }
        }
    }

    fn check_losses(&mut self, now: Nanos, ctx: &mut dyn Context) {
        for at in 0..self.halted.len() {
            let instrument = InstrumentId(at as u16);
            if self.halted[at] {
                continue;
            }
            self.look(instrument, now, ctx);
            let mid = self.mid(instrument);
            let Some(pnl) = mid.and_then(|mid| self.pnl(instrument, mid)) else { continue };
            if pnl < -self.gate.limits().loss_max {
                ctx.alert(Alert::Loss { instrument, pnl });
                self.halt(instrument, now);
            }
        }
    }

    /// Where a venue has been quiet for a while its balances must be ours. What differs is asked
    /// for once more, since a figure may have been on its way when the last fill came; and so is what
    /// a venue does not tell by itself.
    fn compare_balances(&mut self, now: Nanos, ctx: &mut dyn Context) {
        for at in 0..self.venues.len() {
            let venue = VenueId(at as u8);
            let (active_at, asked) = (self.venues[at].active_at, self.venues[at].balances_asked);
            if self.orders.live_at(venue) > 0 || now - active_at < self.config.settle {
                continue;
            }
            let silent = active_at > Nanos::ZERO && !self.ledger.told_since(venue, active_at);
            match asked {
                None if silent || self.ledger.differs(venue, active_at, self.config.drift_max) => {
                    self.venues[at].balances_asked = Some(now);
                    ctx.command(venue, Command::Balances);
                }
                None => self.ledger.compare(venue, active_at, self.config.drift_max, |_| {}),
                Some(asked) => {
                    let journal = &mut self.journal;
                    self.ledger.compare(venue, asked, self.config.drift_max, |drift| {
                        let entry = Entry::new(Kind::Balance, now).venue(venue).code(1);
                        journal.append(&entry.amount(drift.theirs, drift.asset));
                        ctx.alert(Alert::Drift(drift));
                    });
                }
            }
        }
    }

    /// Writes down what was refused since the last time.
    fn journal_refusals(&mut self, now: Nanos) {
        for reason in Refused::ALL {
            let (count, edge) = self.gate.refusals().of(reason);
            let told = &mut self.refusals_told[reason as usize];
            let new = count - std::mem::replace(told, count);
            if new > 0 {
                let entry = Entry::new(Kind::Refusals, now).code(reason as u8).total(new as i64);
                self.journal.append(&entry.amount(edge, Asset::EMPTY));
            }
        }
    }

    /// Signs orders ahead for one market where each order must be signed; the next call takes the
    /// next market.
    fn sign_ahead(&mut self, now: Nanos, ctx: &mut dyn Context) -> usize {
        if self.config.pool == 0 {
            return 0;
        }
        self.presign.expire(now);
        let markets = self.markets.iter().count();
        let Some(market) = self.markets.iter().nth(self.next_market % markets.max(1)) else { return 0 };
        self.next_market = (self.next_market + 1) % markets.max(1);
        let (venue, instrument) = (market.venue, market.instrument);
        let frozen = self.venues[usize::from(venue.0)].frozen || self.halted[usize::from(instrument.0)];
        let gateway = ctx.gateway(venue);
        if frozen || gateway.form() != Form::Signed || !gateway.ready() {
            return 0;
        }
        let Some(quote) = ctx.quote(venue, instrument).filter(|quote| quote.live) else { return 0 };
        // The likeliest orders take the touch, or a few ticks beyond it, in the sizes of before.
        let most = market.value(quote.ask.price, Qty(1)).filter(|unit| unit.0 > 0).map(|unit| {
            let most = self.caps.order_max(market).0 / unit.0;
            Qty(i64::try_from(most).unwrap_or(i64::MAX)).floor_to(market.spec.lot)
        });
        let mut sizes = self.recent[usize::from(instrument.0)];
        if sizes[0] == Qty::ZERO {
            sizes[0] = most.unwrap_or_default();
        }
        self.wanted.clear();
        for ticks in 0..=i64::from(self.config.ticks_ahead) {
            for side in Side::BOTH {
                let touch = if side == Side::Buy { quote.ask.price } else { quote.bid.price };
                let price = Price(touch.0.saturating_add(side.sign() * ticks * market.spec.tick.0));
                for qty in sizes.iter().filter(|qty| market.spec.check(price, **qty).is_ok()) {
                    if self.wanted.len() < self.config.pool {
                        self.wanted.push(ioc(venue, instrument, side, price, *qty));
                    }
                }
            }
        }
        let gateway = ctx.gateway(venue);
        self.presign.refill(&self.wanted, gateway, &mut self.ids, now, 1)
    }
}
