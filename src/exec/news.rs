//! What comes back: reports of the venues' private sides, and what follows from each.

use super::journal::{Entry, Kind};
use super::{Alert, Context, Executor, FillNews, Lookup, Misconduct, Origin};
use crate::account::{Fill, Market};
use crate::types::{
    Asset, Class, ClientId, Money, Nanos, OrderState, OrderStatus, Position, Price, Qty, Report, Side,
    Symbol, VenueId, VenueRef,
};
use crate::venue::Command;

/// What a venue tells is below this: sums of many such amounts are far from what [`Money`] holds.
const AMOUNT_MOST: Money = Money(Money::ONE.0 * 1_000_000_000_000);
const POSITION_MOST: i64 = i64::MAX / 4;

/// How long a throttled venue rests when it does not say.
const THROTTLED: Nanos = Nanos::from_secs(1);

impl Executor {
    /// Takes one piece of news from a venue.
    pub fn on_report(&mut self, venue: VenueId, report: &Report, now: Nanos, ctx: &mut dyn Context) {
        if usize::from(venue.0) >= self.venues.len() {
            return;
        }
        if is_absurd(report) {
            return self.freeze(venue, Misconduct::Absurd, None, report, now, ctx);
        }
        let entry = |kind| Entry::new(kind, now).venue(venue);
        match report {
            Report::Ready => {
                self.journal.append(&entry(Kind::Session).code(0));
                self.presign.retire(venue);
                ctx.command(venue, Command::Balances);
                ctx.command(venue, Command::ServerTime);
            }
            Report::Down(why) => {
                self.journal.append(&entry(Kind::Session).code(1));
                self.session_lost(venue, now, ctx);
                ctx.alert(Alert::Down { venue, why });
            }
            Report::Streaming => {
                self.journal.append(&entry(Kind::Session).code(2));
            }
            Report::Accepted { client, venue_ref, at } => {
                let Some(slot) = self.locate(venue, *client, report, ctx, now) else { return };
                self.journal.append(&entry(Kind::Accepted).client(*client).extra(at.0).text(*venue_ref));
                self.on_order(venue, slot, report, now, ctx, |own, slot| own.orders.accepted(slot, now));
            }
            Report::Filled { client, trade, symbol, side, price, qty, total, fee, fee_asset, at, .. } => {
                let Some(slot) = self.locate(venue, *client, report, ctx, now) else { return };
                let news = FillNews {
                    trade: *trade,
                    symbol: *symbol,
                    side: *side,
                    price: *price,
                    qty: *qty,
                    total: *total,
                    at: *at,
                };
                let fee = (*fee, *fee_asset);
                self.on_order(venue, slot, report, now, ctx, |own, slot| {
                    own.on_fill(venue, slot, &news, fee, now)
                });
            }
            Report::Ended { client, state, filled, at } => {
                let Some(slot) = self.locate(venue, *client, report, ctx, now) else { return };
                let total = filled.map_or(-1, |qty| qty.0);
                let ended = entry(Kind::Ended).client(*client).code(*state as u8).total(total).extra(at.0);
                self.journal.append(&ended);
                if *state == OrderState::Rejected {
                    self.count_reject(venue, slot);
                }
                self.on_order(venue, slot, report, now, ctx, |own, slot| {
                    own.orders.ended(slot, *state, *filled, now)
                });
            }
            Report::OrderError { client, class, code, retry_at } => {
                self.on_order_error(venue, *client, *class, *code, *retry_at, report, now, ctx);
            }
            Report::Amended { client, price, qty } => {
                let Some(slot) = self.locate(venue, *client, report, ctx, now) else { return };
                let side = self.orders.get(slot).draft.side;
                self.journal.append(&entry(Kind::Amended).client(*client).order(side, *price, *qty));
                self.on_order(venue, slot, report, now, ctx, |own, slot| {
                    own.orders.amended(slot, *price, *qty, now)
                });
            }
            Report::Status(status) => self.on_status(venue, status, report, now, ctx),
            Report::NotFound { client } => {
                let Some(slot) = self.answered(venue, *client, report, now, ctx) else { return };
                self.journal.append(&entry(Kind::Answered).client(*client).code(u8::MAX));
                let clock = self.venues[usize::from(venue.0)].clock;
                self.orders.absent(slot, &clock, now);
            }
            Report::Foreign { venue_ref } => self.foreign(venue, *venue_ref, now, ctx),
            Report::Balance { asset, free, locked } => {
                let total = free.checked_add(locked.unwrap_or_default());
                // Accounts list what they could hold too: nothing of it takes up a row.
                if total == Some(Money::ZERO) && self.ledger.find(*asset).is_none() {
                    return;
                }
                let Some((total, id)) = total.zip(self.ledger.asset(*asset).ok()) else {
                    self.malformed(venue, ctx);
                    return;
                };
                self.ledger.report(venue, id, total, now);
                self.journal.append(&entry(Kind::Balance).amount(total, *asset));
            }
            Report::ServerTime { venue: there, asked } => {
                self.venues[usize::from(venue.0)].clock.learn(*there, *asked, now);
            }
            Report::Malformed(_) => self.malformed(venue, ctx),
            Report::Position { symbol, qty, entry: price } => {
                self.on_position(venue, *symbol, *qty, *price, now, ctx);
            }
            Report::Funding { asset, amount, at } => {
                let Ok(id) = self.ledger.asset(*asset) else { return self.malformed(venue, ctx) };
                self.ledger.fund(venue, id, *amount);
                self.journal.append(&entry(Kind::Balance).code(3).extra(at.0).amount(*amount, *asset));
            }
            // Nothing that an order or a position depends on.
            Report::CancelError { .. }
            | Report::OpenOrdersEnd { .. }
            | Report::Fees { .. }
            | Report::Rights(_)
            | Report::DeadMan { .. }
            | Report::Used { .. }
            | Report::CancelledAll { .. } => {}
        }
    }

    /// The slot of an order that a venue speaks of. What is not ours is told; what cannot be
    /// freezes the venue.
    fn locate(
        &mut self,
        venue: VenueId,
        client: ClientId,
        report: &Report,
        ctx: &mut dyn Context,
        now: Nanos,
    ) -> Option<usize> {
        match self.orders.find(client) {
            Lookup::Here(_) => return self.answered(venue, client, report, now, ctx),
            Lookup::Old => self.counts.old_news += 1,
            Lookup::Never => match self.ids.origin(client) {
                Origin::ThisRun => {
                    self.freeze(venue, Misconduct::NeverSent, Some(client), report, now, ctx);
                }
                Origin::OtherRun | Origin::Foreign => {
                    let id = client.hex();
                    let venue_ref = VenueRef::from_bytes(&id).unwrap_or_default();
                    self.foreign(venue, venue_ref, now, ctx);
                }
            },
        }
        None
    }

    /// The slot of an order that a venue's answer is about, if the table has it; one that was sent
    /// elsewhere freezes the venue, and stays as it is.
    fn answered(
        &mut self,
        venue: VenueId,
        client: ClientId,
        report: &Report,
        now: Nanos,
        ctx: &mut dyn Context,
    ) -> Option<usize> {
        match self.orders.find(client) {
            Lookup::Here(slot) if self.orders.get(slot).draft.venue == venue => Some(slot),
            Lookup::Here(_) => {
                self.freeze(venue, Misconduct::WrongVenue, Some(client), report, now, ctx);
                None
            }
            Lookup::Old | Lookup::Never => None,
        }
    }

    /// Lets `change` act on an order and draws the conclusions: holds, counts, the intent.
    fn on_order(
        &mut self,
        venue: VenueId,
        slot: usize,
        report: &Report,
        now: Nanos,
        ctx: &mut dyn Context,
        change: impl FnOnce(&mut Executor, usize) -> Result<(), Misconduct>,
    ) {
        let before = self.orders.get(slot);
        let (was_over, was_known) = (before.state().is_final(), before.is_known());
        let (client, intent) = (before.draft.client, before.intent);
        let result = change(self, slot);
        self.rehold(slot);
        let order = self.orders.get(slot);
        if !was_known && order.is_known() {
            self.counts.venues[usize::from(venue.0)].acks += 1;
        }
        let over = order.state().is_final();
        self.venues[usize::from(venue.0)].active_at = now;
        self.venues[usize::from(venue.0)].balances_asked = None;
        if !was_over
            && over
            && let Some(intent) = self.intents.get_mut(intent)
        {
            intent.open -= 1;
        }
        if let Err(why) = result {
            self.freeze(venue, why, Some(client), report, now, ctx);
        }
        if over {
            self.advance(intent, now, ctx);
        }
    }

    fn on_fill(
        &mut self,
        venue: VenueId,
        slot: usize,
        news: &FillNews,
        (fee, fee_asset): (Money, Asset),
        now: Nanos,
    ) -> Result<(), Misconduct> {
        let draft = self.orders.get(slot).draft;
        let Some(market) = self.markets.get(venue, draft.instrument) else { return Ok(()) };
        // What is sold may bring more than its limit says, but not anything.
        let value = market.value(news.price, news.qty).filter(|value| value.abs() < AMOUNT_MOST);
        let value = value.ok_or(Misconduct::Absurd)?;
        if !self.orders.filled(slot, news, now)? {
            return Ok(());
        }
        let intent = self.orders.get(slot).intent;
        let amount = market.amount_at(news.price, news.qty);
        let (base, quote) = (market.base, market.quote);
        self.journal.append(
            &Entry::new(Kind::Filled, now)
                .venue(venue)
                .instrument(draft.instrument)
                .client(draft.client)
                .intent(intent)
                .order(news.side, news.price, news.qty)
                .total(self.orders.get(slot).filled().0)
                .extra(news.at.0)
                .amount(fee, fee_asset)
                .text(news.trade),
        );
        // Without a row for its asset the fee is booked as what it would have been in the quote asset: it
        // counts as a loss, and the balance tells as drift.
        let fee_row = self.ledger.asset(fee_asset);
        let (fee, fee_row) = fee_row.map_or_else(|_| (market.fee_at_most(value), quote), |row| (fee, row));
        self.ledger.book(&Fill {
            venue,
            instrument: draft.instrument,
            side: draft.side,
            base,
            quote,
            qty: amount,
            contracts: market.is_contract().then_some(news.qty),
            value,
            fee,
            fee_asset: fee_row,
        });
        let signed = if draft.side == Side::Buy { amount } else { -amount };
        let received = if fee_row == base { signed - fee } else { signed };
        self.orders.receive(slot, received);
        let at = usize::from(draft.instrument.0);
        self.settled[at] = super::executor::settled(&self.markets, &self.ledger, draft.instrument);
        match self.intents.get_mut(intent) {
            Some(intent) => intent.residual += received,
            // Its intent has ended: what it brings is hedged on its own.
            None => self.loose[at] += received,
        }
        self.counts.venues[usize::from(venue.0)].fills += 1;
        Ok(())
    }

    /// A position of a symbol that we do not trade is none of ours.
    fn on_position(
        &mut self,
        venue: VenueId,
        symbol: Symbol,
        qty: Qty,
        entry: Option<Price>,
        now: Nanos,
        ctx: &mut dyn Context,
    ) {
        let own = |market: &&Market| market.venue == venue && market.spec.symbol == symbol;
        let Some(market) = self.markets.iter().find(own).filter(|market| market.is_contract()) else {
            return;
        };
        let (instrument, base) = (market.instrument, market.spec.base);
        let amount = market.amount_at(entry.unwrap_or_default(), qty);
        let value = match entry {
            _ if qty == Qty::ZERO => Some(Money::ZERO),
            Some(price) => market.settled(price, Qty(qty.0.saturating_abs())),
            None => None,
        };
        let cost = value.map(|value| if qty.0 < 0 { -value } else { value });
        // Without its entry value a position from before would be closed at a profit that is none.
        let Some(cost) = cost else { return self.malformed(venue, ctx) };
        self.ledger.report_contract(venue, instrument, Position { qty, cost }, now);
        let entry = Entry::new(Kind::Balance, now).venue(venue).instrument(instrument).code(2);
        self.journal.append(&entry.amount(amount, base));
    }

    #[allow(clippy::too_many_arguments)] // the fields of one report
    fn on_order_error(
        &mut self,
        venue: VenueId,
        client: ClientId,
        class: Class,
        code: VenueRef,
        retry_at: Option<Nanos>,
        report: &Report,
        now: Nanos,
        ctx: &mut dyn Context,
    ) {
        let state = &mut self.venues[usize::from(venue.0)];
        match class {
            Class::Throttled => {
                let until = retry_at.unwrap_or(now + THROTTLED).min(now + Nanos::from_secs(3_600));
                state.throttled_until = Some(state.throttled_until.map_or(until, |own| own.max(until)));
            }
            Class::Halt if !state.frozen => {
                state.frozen = true;
                ctx.alert(Alert::KeyRefused { venue, code });
            }
            _ => {}
        }
        let Some(slot) = self.answered(venue, client, report, now, ctx) else { return };
        let intent = self.orders.get(slot).intent;
        let entry = Entry::new(Kind::Refused, now).venue(venue).client(client).intent(intent);
        self.journal.append(&entry.code(class as u8).text(code));
        if class == Class::Unknown {
            self.doubt(slot, now, ctx);
            return;
        }
        self.count_reject(venue, slot);
        self.on_order(venue, slot, report, now, ctx, |own, slot| {
            own.orders.refused(slot, now);
            Ok(())
        });
    }

    fn count_reject(&mut self, venue: VenueId, slot: usize) {
        if !self.orders.get(slot).state().is_final() {
            self.counts.venues[usize::from(venue.0)].rejects += 1;
        }
    }

    fn on_status(
        &mut self,
        venue: VenueId,
        status: &OrderStatus,
        report: &Report,
        now: Nanos,
        ctx: &mut dyn Context,
    ) {
        let Some(client) = status.client else {
            self.foreign(venue, status.venue_ref, now, ctx);
            return;
        };
        let Some(slot) = self.locate(venue, client, report, ctx, now) else { return };
        let entry = Entry::new(Kind::Answered, now).venue(venue).client(client);
        let entry = entry.order(status.side, status.price, status.qty).text(status.venue_ref);
        self.journal.append(&entry.code(status.state as u8).total(status.filled.0));
        if status.state == OrderState::Rejected {
            self.count_reject(venue, slot);
        }
        self.on_order(venue, slot, report, now, ctx, |own, slot| own.orders.status(slot, status, now));
        let order = self.orders.get(slot);
        if order.missing().0 > 0
            && let Some(sent_at) = order.sent_at()
        {
            let (instrument, since) = (order.draft.instrument, sent_at - Nanos::from_secs(1));
            ctx.command(venue, Command::Fills { instrument, since });
        }
    }

    /// Nobody knows what became of an order.
    pub(super) fn doubt(&mut self, slot: usize, now: Nanos, ctx: &mut dyn Context) {
        if self.orders.doubt(slot, now) {
            self.told_doubt(slot, now, ctx);
        }
    }

    /// Tells of an order that has just become Unknown.
    pub(super) fn told_doubt(&mut self, slot: usize, now: Nanos, ctx: &mut dyn Context) {
        let order = self.orders.get(slot);
        let (venue, client, intent) = (order.draft.venue, order.draft.client, order.intent);
        self.journal.append(&Entry::new(Kind::Doubt, now).venue(venue).client(client).intent(intent));
        self.counts.venues[usize::from(venue.0)].unknown += 1;
        ctx.alert(Alert::Unknown { venue, client });
    }

    fn session_lost(&mut self, venue: VenueId, now: Nanos, ctx: &mut dyn Context) {
        self.presign.retire(venue);
        let mut doubted = std::mem::take(&mut self.scratch);
        self.orders.live_slots(&mut doubted);
        for slot in &doubted {
            let order = self.orders.get(*slot);
            if order.draft.venue == venue && order.sent_at().is_some() {
                self.doubt(*slot, now, ctx);
            }
        }
        self.scratch = doubted;
    }

    fn foreign(&mut self, venue: VenueId, venue_ref: VenueRef, now: Nanos, ctx: &mut dyn Context) {
        self.counts.foreign += 1;
        self.journal.append(&Entry::new(Kind::Foreign, now).venue(venue).text(venue_ref));
        ctx.alert(Alert::Foreign { venue, venue_ref });
    }

    fn malformed(&mut self, venue: VenueId, ctx: &mut dyn Context) {
        self.counts.malformed += 1;
        ctx.alert(Alert::Malformed { venue });
    }

    fn freeze(
        &mut self,
        venue: VenueId,
        why: Misconduct,
        client: Option<ClientId>,
        report: &Report,
        now: Nanos,
        ctx: &mut dyn Context,
    ) {
        if self.evidence.len() < super::executor::EVIDENCE_MAX {
            self.evidence.push((venue, why, report.clone()));
        }
        let entry = Entry::new(Kind::Frozen, now).venue(venue).code(why as u8);
        self.journal.append(&client.map_or(entry, |client| entry.client(client)));
        let state = &mut self.venues[usize::from(venue.0)];
        if !state.frozen {
            state.frozen = true;
            self.presign.retire(venue);
            ctx.alert(Alert::Frozen { venue, why, client });
        }
    }
}

/// An amount that no account has: whoever tells it is not believed anything.
fn is_absurd(report: &Report) -> bool {
    let too_much = |amount: &Money| amount.0.unsigned_abs() >= AMOUNT_MOST.0.unsigned_abs();
    match report {
        Report::Balance { free, locked, .. } => too_much(free) || locked.as_ref().is_some_and(too_much),
        Report::Funding { amount, .. } | Report::Filled { fee: amount, .. } => too_much(amount),
        Report::Position { qty, .. } => qty.0.unsigned_abs() >= POSITION_MOST.unsigned_abs(),
        _ => false,
    }
}
