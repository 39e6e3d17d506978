//! The life of an order: checked, matched, rested, amended, ended.

use super::book::CROWD;
use super::fees::{FeeIn, Rates, Tally};
use super::{AccountKind, HouseFill, SimExchange, working};
use crate::types::{
    ContractKind, FeeRate, InstrumentSpec, Kind, Level, Money, Nanos, OrderState, Price, Qty, Side,
    SpecError, Tif,
};
use crate::venue::{
    AccountId, EndReason, Event, FillView, NewOrder, OrderChange, OrderRef, OrderView, Refusal,
};

/// An order that is open, with what the exchange alone needs to know of it.
pub(super) struct Order {
    pub view: OrderView,
    /// The account's rates when it was placed.
    rates: Rates,
    tally: Tally,
    /// What it holds back of what it would pay with; for contracts, the value that margin is locked
    /// for.
    pub locked: Money,
}

impl Order {
    pub fn left(&self) -> Qty {
        Qty(self.view.order.qty.0 - self.view.filled.0)
    }

    fn limit(&self) -> Option<Price> {
        (self.view.order.kind != Kind::Market).then_some(self.view.order.price)
    }
}

/// Why matching stopped with some of the order left.
#[derive(PartialEq, Eq)]
enum Stop {
    /// All of it traded.
    Filled,
    /// Nothing more within its limit.
    Dry,
    /// The next order is of the same account.
    SelfTrade,
}

/// A slack of 1e-8 for a buyer's fee in the quote asset: an order's taker part and its maker part
/// are each rounded up.
const FEE_SLACK: Money = Money(10i128.pow(16));

impl SimExchange {
    pub(super) fn find_open(&self, account: AccountId, order: &OrderRef) -> Option<u64> {
        let id = match order {
            OrderRef::Id(id) => *id,
            OrderRef::Client(client) => *self.account(account)?.open_clients.get(client)?,
        };
        (self.open.get(&id)?.view.account == account).then_some(id)
    }

    pub(super) fn place_order(
        &mut self,
        account: AccountId,
        order: &NewOrder,
        now: Nanos,
    ) -> Result<OrderView, Refusal> {
        let spec = self.instruments.get(order.instrument).ok_or(Refusal::UnknownInstrument)?;
        let owner = self.accounts.get(account.0 as usize).ok_or(Refusal::Balance)?;
        let trader = owner.kind == AccountKind::Trader;
        let rates = owner.rates;
        if trader && (self.knobs.halted || !spec.open) {
            return Err(Refusal::Halted);
        }
        if trader && chance(&mut self.rng, self.knobs.reject_ppm) {
            return Err(Refusal::Random);
        }
        if owner.open_clients.contains_key(&order.client) {
            return Err(Refusal::DuplicateClient);
        }
        let book = &self.books[order.instrument];
        let limit = (order.kind != Kind::Market).then_some(order.price);
        match limit {
            Some(price) => spec.check(price, order.qty).map(drop),
            None => check_market(spec, order.qty, book.best(order.side.opposite())),
        }
        .map_err(Refusal::Filter)?;
        if order.kind == Kind::PostOnly && book.crosses(order.side, limit) {
            return Err(Refusal::WouldTake);
        }
        self.check_funds(account, order, rates, order.qty, None)?;

        let id = self.next_order;
        self.next_order += 1;
        let view = OrderView {
            id,
            account,
            order: order.clone(),
            state: OrderState::Accepted,
            filled: Qty::ZERO,
            filled_value: Money::ZERO,
            reason: None,
            created: now,
            updated: now,
            fills: Vec::new(),
        };
        let order = Order { view, rates, tally: Tally::default(), locked: Money::ZERO };
        if !order.view.order.client.is_empty() {
            let client = order.view.order.client.clone();
            let owner = &mut self.accounts[account.0 as usize];
            owner.open_clients.insert(client.clone(), id);
            owner.last_clients.insert(client, id);
        }
        self.announce(&order.view, OrderChange::New);
        Ok(self.work(order, now))
    }

    pub(super) fn cancel_order(&mut self, id: u64, why: EndReason, now: Nanos) -> Option<OrderView> {
        let mut order = self.take_out(id)?;
        order.view.updated = now;
        Some(self.end(order, why))
    }

    pub(super) fn amend_order(
        &mut self,
        id: u64,
        price: Option<Price>,
        qty: Option<Qty>,
        now: Nanos,
    ) -> Result<OrderView, Refusal> {
        let order = self.open.get(&id).ok_or(Refusal::UnknownOrder)?;
        let (account, rates, locked) = (order.view.account, order.rates, order.locked);
        let trader = self.accounts[account.0 as usize].kind == AccountKind::Trader;
        let old = &order.view.order;
        let new = NewOrder { price: price.unwrap_or(old.price), qty: qty.unwrap_or(old.qty), ..old.clone() };
        let spec = &self.instruments[new.instrument];
        if trader && (self.knobs.halted || !spec.open) {
            return Err(Refusal::Halted);
        }
        if (price.is_none() && qty.is_none()) || new.qty <= order.view.filled {
            return Err(Refusal::BadAmend);
        }
        spec.check(new.price, new.qty).map_err(Refusal::Filter)?;
        if new.kind == Kind::PostOnly && self.books[new.instrument].crosses(new.side, Some(new.price)) {
            return Err(Refusal::WouldTake);
        }
        let left = Qty(new.qty.0 - order.view.filled.0);
        let keeps_place = new.price == old.price && new.qty <= old.qty;
        if !keeps_place {
            self.check_funds(account, &new, rates, left, Some((id, locked)))?;
        }

        let mut order = self.take_out_unless(id, keeps_place).ok_or(Refusal::UnknownOrder)?;
        order.view.order = new;
        order.view.updated = now;
        self.announce(&order.view, OrderChange::Amended);
        if !keeps_place {
            return Ok(self.work(order, now));
        }
        let (side, price) = (order.view.order.side, order.view.order.price);
        self.books[order.view.order.instrument].set(side, price, id, order.left());
        self.dirty.push((order.view.order.instrument, side, price));
        self.relock(&mut order);
        let view = order.view.clone();
        self.open.insert(id, order);
        Ok(view)
    }

    /// Tells what changed since the last call: one update of each book that did, then balances.
    pub(super) fn tell(&mut self, now: Nanos) {
        if self.batching {
            return;
        }
        self.dirty.sort_unstable();
        self.dirty.dedup();
        let mut dirty = std::mem::take(&mut self.dirty);
        for of_one in dirty.chunk_by(|a, b| a.0 == b.0) {
            let instrument = of_one[0].0;
            self.seqs[instrument] += 1;
            self.changed_at[instrument] = now;
            let levels = |wanted: Side| -> Vec<Level> {
                let own = of_one.iter().filter(|(_, side, _)| *side == wanted);
                own.map(|(_, side, price)| Level {
                    price: *price,
                    qty: self.books[instrument].at(*side, *price),
                })
                .collect()
            };
            let (mut bids, asks) = (levels(Side::Buy), levels(Side::Sell));
            bids.reverse(); // best first, as asks are
            self.events.push(Event::Book { instrument, seq: self.seqs[instrument], at: now, bids, asks });
        }
        dirty.clear();
        self.dirty = dirty;

        let mut changes = std::mem::take(&mut self.changes);
        self.wallets.changes(&mut changes);
        for (account, at) in &changes {
            if self.accounts[account.0 as usize].kind == AccountKind::Trader {
                let balance = self.wallets.balance(*account, *at);
                self.events.push(Event::Balance { account: *account, balance, at: now });
            }
        }
        self.changes = changes;
        for (account, instrument) in self.positions.take_changed() {
            let view = self.positions.view(account, instrument);
            self.events.push(Event::Position { account, view, at: now });
        }
    }

    /// Matches an order that is in no book, then rests or ends it. The view has the fills.
    fn work(&mut self, mut order: Order, now: Nanos) -> OrderView {
        let NewOrder { instrument, side, kind, tif, .. } = order.view.order;
        let immediate = kind == Kind::Market || (tif != Tif::Gtc && kind != Kind::PostOnly);
        if tif == Tif::Fok && immediate && !self.can_fill(&order) {
            return self.end(order, EndReason::Fok);
        }
        let mut most = order.left();
        if immediate
            && tif != Tif::Fok
            && self.accounts[order.view.account.0 as usize].kind == AccountKind::Trader
            && chance(&mut self.rng, self.knobs.partial_ppm)
        {
            let lot = self.instruments[instrument].lot.0;
            let lots = (most.0 / lot).max(1) as u64;
            most = most.min(Qty(self.rng.rand_range(0..lots) as i64 * lot));
        }
        let mut fills = Vec::new();
        let stop = self.take(&mut order, most, now, &mut fills);
        let mut view = if stop == Stop::Filled && order.left() == Qty::ZERO {
            order.view.state = OrderState::Filled;
            self.archive(order)
        } else if stop == Stop::SelfTrade {
            self.end(order, EndReason::SelfTrade)
        } else if immediate {
            self.end(order, EndReason::Ioc)
        } else {
            let (id, price) = (order.view.id, order.view.order.price);
            self.books[instrument].push(side, price, id, order.left());
            self.dirty.push((instrument, side, price));
            order.view.state = working(order.view.filled);
            self.relock(&mut order);
            let view = order.view.clone();
            self.open.insert(id, order);
            view
        };
        view.fills = fills;
        view
    }

    /// Trades up to `most` of an order against the book.
    fn take(&mut self, order: &mut Order, most: Qty, now: Nanos, fills: &mut Vec<FillView>) -> Stop {
        let (instrument, side) = (order.view.order.instrument, order.view.order.side);
        let limit = order.limit();
        let mut most = most;
        while most.0 > 0 {
            if !self.books[instrument].crosses(side, limit) {
                return Stop::Dry;
            }
            let Some((price, id, shown)) = self.books[instrument].front(side.opposite()) else {
                return Stop::Dry;
            };
            let qty = most.min(shown);
            let resting = match id {
                CROWD => self.crowd_order(instrument, side.opposite(), price, qty, now),
                _ => self.open.remove(&id),
            };
            let Some(mut resting) = resting else { return Stop::Dry };
            if resting.view.account == order.view.account {
                self.open.insert(id, resting);
                return Stop::SelfTrade;
            }
            most = Qty(most.0 - qty.0);
            let trade = self.next_trade;
            self.next_trade += 1;
            match id {
                CROWD => self.books[instrument].take_shown(side.opposite(), price, qty),
                _ => drop(self.books[instrument].set(side.opposite(), price, id, Qty(shown.0 - qty.0))),
            }
            self.dirty.push((instrument, side.opposite(), price));
            fills.push(self.settle(order, trade, price, qty, false, now));
            self.settle(&mut resting, trade, price, qty, true, now);
            let maker = resting.view.account;
            if resting.left() == Qty::ZERO {
                self.archive(resting);
            } else {
                self.open.insert(id, resting);
            }
            if self.is_contract(instrument) {
                self.trim_reducing(maker, instrument, now);
                self.trim_reducing(order.view.account, instrument, now);
            }
        }
        Stop::Filled
    }

    /// The other side of a trade with recorded liquidity: an order of just that quantity.
    fn crowd_order(
        &self,
        instrument: usize,
        side: Side,
        price: Price,
        qty: Qty,
        now: Nanos,
    ) -> Option<Order> {
        let (kind, tif, client) = (Kind::Limit, Tif::Gtc, String::new());
        let order = NewOrder { instrument, side, kind, tif, price, qty, reduce_only: false, client };
        let view = OrderView {
            id: CROWD,
            account: self.crowd?,
            order,
            state: OrderState::Accepted,
            filled: Qty::ZERO,
            filled_value: Money::ZERO,
            reason: None,
            created: now,
            updated: now,
            fills: Vec::new(),
        };
        Some(Order { view, rates: Rates::default(), tally: Tally::default(), locked: Money::ZERO })
    }

    /// Moves what one side of a trade pays and receives, and records it.
    fn settle(
        &mut self,
        order: &mut Order,
        trade: u64,
        price: Price,
        qty: Qty,
        maker: bool,
        now: Nanos,
    ) -> FillView {
        let NewOrder { instrument, side, .. } = order.view.order;
        let spec = &self.instruments[instrument];
        let account = order.view.account;
        let base = Money::from_scaled(qty.0, spec.scale);
        let value = spec.contract.value(price, qty, spec.scale).expect("checked when the order came");
        let (base_asset, quote_asset, settle) = (spec.base, spec.quote, spec.contract.settle);
        let contract = spec.contract.kind != ContractKind::Spot;
        let rate = order.rates.of(maker);

        order.view.filled = Qty(order.view.filled.0 + qty.0);
        order.view.filled_value += value;
        order.view.updated = now;
        order.view.state =
            if order.left() == Qty::ZERO { OrderState::Filled } else { OrderState::PartFilled };

        let (fee, fee_asset) = match (side, self.fee_in) {
            _ if contract => (order.tally.charge(maker, rate, value, Money(i128::MAX)), settle),
            (Side::Buy, FeeIn::Received) => (order.tally.charge(maker, rate, base, base), base_asset),
            (Side::Buy, FeeIn::Quote) => {
                (order.tally.charge(maker, rate, value, Money(i128::MAX)), quote_asset)
            }
            (Side::Sell, _) => (order.tally.charge(maker, rate, value, value), quote_asset),
        };
        if maker {
            self.relock(order); // frees just what this fill takes
        }
        if contract {
            self.settle_contract(account, instrument, side, qty, value, fee);
        } else {
            // What the other side of the trade gets of this, it is given by its own settlement.
            let ((pays, paid), (gets, got)) = match side {
                Side::Buy => ((quote_asset, value), (base_asset, base)),
                Side::Sell => ((base_asset, base), (quote_asset, value)),
            };
            self.wallets.give(account, pays, -paid);
            self.wallets.give(account, gets, got);
            self.wallets.give(account, fee_asset, -fee);
            self.wallets.give(SimExchange::FEES, fee_asset, fee);
        }

        let fill = FillView {
            trade,
            order: order.view.id,
            client: order.view.order.client.clone(),
            account,
            instrument,
            side,
            price,
            qty,
            fee,
            fee_asset,
            maker,
            at: now,
        };
        let owner = &mut self.accounts[account.0 as usize];
        match owner.kind {
            AccountKind::Trader => {
                owner.fills.push(fill.clone());
                self.announce(&order.view, OrderChange::Trade(fill.clone()));
            }
            AccountKind::House => {
                let (order, done) = (order.view.id, order.left() == Qty::ZERO);
                self.house_fills.push(HouseFill {
                    account,
                    instrument,
                    order,
                    side,
                    price,
                    qty,
                    done,
                    at: now,
                });
            }
        }
        fill
    }

    /// Whether all of it would trade at once. What stands behind an own order is out of reach, and
    /// reduce-only orders may end before their turn.
    fn can_fill(&self, order: &Order) -> bool {
        let book = &self.books[order.view.order.instrument];
        let mut left = order.left().0;
        for (_, id, shown) in book.in_reach(order.view.order.side, order.limit()) {
            let met = self.open.get(&id).map(|met| &met.view);
            if left <= 0 || met.is_some_and(|met| met.account == order.view.account) {
                break;
            }
            if !met.is_some_and(|met| met.order.reduce_only) {
                left -= shown.0;
            }
        }
        left <= 0
    }

    /// Whether an account can pay for `qty` of an order, or has the margin for it. `instead` is the
    /// order that it replaces and what that holds.
    fn check_funds(
        &self,
        account: AccountId,
        order: &NewOrder,
        rates: Rates,
        qty: Qty,
        instead: Option<(u64, Money)>,
    ) -> Result<(), Refusal> {
        let held = instead.map_or(Money::ZERO, |(_, locked)| locked);
        if order.reduce_only {
            let closable = self.closable(account, order.instrument, order.side, instead.map(|(id, _)| id));
            return if qty <= closable { Ok(()) } else { Err(Refusal::ReduceOnly) };
        }
        let overflow = Refusal::Filter(SpecError::Overflow);
        if self.is_contract(order.instrument) {
            let limit = (order.kind != Kind::Market).then_some(order.price);
            let value = self.worth(order, limit, qty).ok_or(overflow)?;
            return self.check_margin(account, order, value, held);
        }
        let need = self.need(order, rates, qty).ok_or(overflow)?;
        let enough = need <= self.wallets.free(account, self.paid_in(order)) + held;
        if enough { Ok(()) } else { Err(Refusal::Balance) }
    }

    /// What an account must have free to place this spot order. `None` when that cannot be said in 128 bits.
    fn need(&self, order: &NewOrder, rates: Rates, qty: Qty) -> Option<Money> {
        let spec = &self.instruments[order.instrument];
        if order.side == Side::Sell {
            return Some(Money::from_scaled(qty.0, spec.scale));
        }
        let value = match order.kind {
            Kind::Market => {
                let (mut left, mut value) = (qty, Money::ZERO);
                for (price, _, shown) in self.books[order.instrument].in_reach(order.side, None) {
                    let piece = left.min(shown);
                    value = value.checked_add(Money::notional(price, piece, spec.scale)?)?;
                    left = Qty(left.0 - piece.0);
                    if left == Qty::ZERO {
                        break;
                    }
                }
                value
            }
            _ => Money::notional(order.price, qty, spec.scale)?,
        };
        match self.fee_in {
            FeeIn::Received => Some(value),
            FeeIn::Quote => {
                let fee = value.fee_up(rates.worst().max(FeeRate(0)));
                value.checked_add(fee)?.checked_add(FEE_SLACK)
            }
        }
    }

    /// Locks what a resting order may still spend, to the last unit.
    fn relock(&mut self, order: &mut Order) {
        let spec = &self.instruments[order.view.order.instrument];
        let left = order.left();
        let need = match order.view.order.side {
            _ if order.view.order.reduce_only => Money::ZERO,
            _ if spec.contract.kind != ContractKind::Spot => spec
                .contract
                .value(order.view.order.price, left, spec.scale)
                .expect("checked when the order came"),
            Side::Sell => Money::from_scaled(left.0, spec.scale),
            Side::Buy => {
                let value = Money::notional(order.view.order.price, left, spec.scale)
                    .expect("checked when the order came");
                match self.fee_in {
                    FeeIn::Received => value,
                    FeeIn::Quote => {
                        value + order.tally.due(true, order.rates.of(true), value).max(Money::ZERO)
                    }
                }
            }
        };
        self.lock_exactly(order, need);
    }

    fn lock_exactly(&mut self, order: &mut Order, need: Money) {
        if self.is_contract(order.view.order.instrument) {
            return self.remargin_order(order, need);
        }
        let asset = self.paid_in(&order.view.order);
        self.wallets.lock(order.view.account, asset, need - order.locked);
        order.locked = need;
    }

    fn take_out(&mut self, id: u64) -> Option<Order> {
        self.take_out_unless(id, false)
    }

    /// Takes an order from the open ones and, unless it keeps its place, out of the book.
    fn take_out_unless(&mut self, id: u64, keeps_place: bool) -> Option<Order> {
        let mut order = self.open.remove(&id)?;
        if !keeps_place {
            let NewOrder { instrument, side, price, .. } = order.view.order;
            self.books[instrument].set(side, price, id, Qty::ZERO);
            self.dirty.push((instrument, side, price));
            self.lock_exactly(&mut order, Money::ZERO);
        }
        Some(order)
    }

    /// Ends an order that is in no book, otherwise than by filling.
    fn end(&mut self, mut order: Order, reason: EndReason) -> OrderView {
        order.view.state = OrderState::Cancelled;
        order.view.reason = Some(reason);
        self.announce(&order.view, OrderChange::Ended);
        self.archive(order)
    }

    /// Lets go of an order that ended.
    fn archive(&mut self, mut order: Order) -> OrderView {
        self.lock_exactly(&mut order, Money::ZERO);
        let owner = &mut self.accounts[order.view.account.0 as usize];
        let client = &order.view.order.client;
        if !client.is_empty() {
            owner.open_clients.remove(client);
        }
        if owner.kind == AccountKind::Trader {
            owner.ended.push(order.view.id);
            self.past.insert(order.view.id, order.view.clone());
        }
        order.view
    }

    fn announce(&mut self, view: &OrderView, change: OrderChange) {
        if self.accounts[view.account.0 as usize].kind == AccountKind::Trader {
            self.events.push(Event::Order { view: view.clone(), change });
        }
    }
}

fn chance(rng: &mut oorandom::Rand64, ppm: u32) -> bool {
    ppm > 0 && rng.rand_range(0..1_000_000) < u64::from(ppm)
}

/// The filters of a market order: those of its quantity, and of its value at the best price.
fn check_market(spec: &InstrumentSpec, qty: Qty, best: Option<Price>) -> Result<(), SpecError> {
    // Without a price to value it at, any value is enough.
    let price = best.unwrap_or(spec.tick);
    match spec.check(price, qty) {
        Err(SpecError::BelowMinNotional) if best.is_none() => Ok(()),
        checked => checked.map(drop),
    }
}
