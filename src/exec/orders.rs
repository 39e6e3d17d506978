//! Every order of the run, and the questions that are due about them.
//!
//! An order lives in the slot that the counter in its id names, so finding it is one look. Silence,
//! a lost session or an unclear answer put an order in doubt: it is Unknown, and counts both ways in
//! the exposure, until the venue itself says what became of it. That a query does not find it says
//! little; [`Absence`](super::Absence) is the rule for when it says enough.

use super::context::VenueClock;
use super::order::{FillNews, Misconduct, Order, Patience};
use crate::risk::Exposure;
use crate::types::{
    ClientId, Draft, InstrumentId, Money, Nanos, OrderState, OrderStatus, Price, Qty, Symbol, VenueId,
};

/// A question to ask about an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question {
    /// About which.
    pub client: ClientId,
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Fills are missing, or the order was not found: ask for fills since then as well.
    pub fills_since: Option<Nanos>,
    /// It was not found: ask for the venue's time and balances as well.
    pub absent: bool,
    /// It has just become Unknown.
    pub new_doubt: bool,
}

/// What is known of an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The order's slot.
    Here(usize),
    /// It ended so long ago that its slot has been used again.
    Old,
    /// It was never entered.
    Never,
}

/// All orders of the run.
#[derive(Debug)]
pub struct Orders {
    slots: Vec<Order>,
    /// Slots of orders that are not over, in the order they were entered.
    live: Vec<usize>,
    /// What live orders may add beyond the fills seen, by instrument.
    open: Vec<Exposure>,
    /// Live orders by venue.
    live_at: Vec<u32>,
    patience: Patience,
    duplicates: u64,
}

impl Orders {
    /// A table that remembers the last `capacity` orders (rounded up to a power of two).
    pub fn new(capacity: usize, venues: usize, instruments: usize, patience: Patience) -> Orders {
        let capacity = capacity.max(64).next_power_of_two();
        Orders {
            slots: vec![Order::empty(); capacity],
            live: Vec::with_capacity(capacity),
            open: vec![Exposure::default(); instruments],
            live_at: vec![0; venues],
            patience,
            duplicates: 0,
        }
    }

    /// How many orders it remembers.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn slot_of(&self, client: ClientId) -> usize {
        client.counter() as usize & (self.slots.len() - 1)
    }

    /// Whether an order with this id can be entered: its slot's last order is over, and older. (News of
    /// a newer one that had to make room for it would be taken for news of an order never sent.)
    pub fn has_room(&self, client: ClientId) -> bool {
        let slot = &self.slots[self.slot_of(client)];
        !slot.used || slot.is_over() && slot.draft.client.counter() < client.counter()
    }

    /// Enters an order that is about to be sent; returns its slot. `None` when there is no room. `what` is
    /// its market's symbol, and the face of the inverse contracts that it counts, or zero.
    pub fn insert(
        &mut self,
        draft: &Draft,
        what: (Symbol, i64),
        intent: u64,
        hedge: bool,
        now: Nanos,
    ) -> Option<usize> {
        if !self.has_room(draft.client) {
            return None;
        }
        let at = self.slot_of(draft.client);
        let slot = &mut self.slots[at];
        slot.restart(draft, what, intent, hedge, now);
        self.live.push(at);
        self.live_at[usize::from(draft.venue.0)] += 1;
        let open = &mut self.open[usize::from(draft.instrument.0)];
        *open = open.plus(self.slots[at].open_exposure());
        Some(at)
    }

    /// Finds an order.
    pub fn find(&self, client: ClientId) -> Lookup {
        let at = self.slot_of(client);
        let slot = &self.slots[at];
        if slot.used && slot.draft.client == client {
            Lookup::Here(at)
        } else if slot.used && slot.draft.client.counter() > client.counter() {
            Lookup::Old
        } else {
            Lookup::Never
        }
    }

    /// The order in a slot.
    pub fn get(&self, slot: usize) -> &Order {
        &self.slots[slot]
    }

    /// Adds to what an order's fills brought of the base asset.
    pub fn receive(&mut self, slot: usize, amount: Money) {
        self.slots[slot].received += amount;
    }

    /// The order of an id, when the table has it.
    pub fn order(&self, client: ClientId) -> Option<&Order> {
        match self.find(client) {
            Lookup::Here(slot) => Some(&self.slots[slot]),
            _ => None,
        }
    }

    /// Orders that are not over.
    pub fn live(&self) -> impl Iterator<Item = &Order> {
        self.live.iter().map(|slot| &self.slots[*slot])
    }

    /// How many orders of a venue are not over.
    pub fn live_at(&self, venue: VenueId) -> u32 {
        self.live_at.get(usize::from(venue.0)).copied().unwrap_or_default()
    }

    /// How many orders are Unknown now.
    pub fn unknown(&self) -> usize {
        self.live().filter(|order| order.state() == OrderState::Unknown).count()
    }

    /// What live orders of an instrument may add beyond the fills seen.
    pub fn open_exposure(&self, instrument: InstrumentId) -> Exposure {
        self.open.get(usize::from(instrument.0)).copied().unwrap_or_default()
    }

    /// What live orders of an instrument on one venue may add beyond the fills seen.
    pub fn open_exposure_at(&self, venue: VenueId, instrument: InstrumentId) -> Exposure {
        let here = |order: &&Order| order.draft.venue == venue && order.draft.instrument == instrument;
        self.live().filter(here).map(Order::open_exposure).fold(Exposure::default(), Exposure::plus)
    }

    /// News that came twice.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Changes an order's facts and what follows from them.
    fn change<R>(&mut self, slot: usize, change: impl FnOnce(&mut Order) -> R) -> R {
        let order = &mut self.slots[slot];
        let (over, before) = (order.is_over(), order.open_exposure());
        let result = change(order);
        let after = order.open_exposure();
        let draft = order.draft;
        let open = &mut self.open[usize::from(draft.instrument.0)];
        *open = Exposure {
            least: open.least - before.least + after.least,
            most: open.most - before.most + after.most,
        };
        if !over && order.is_over() {
            order.doubt = false;
            self.live.retain(|live| *live != slot);
            self.live_at[usize::from(draft.venue.0)] -= 1;
        }
        result
    }

    /// Its bytes were handed over; the venue refuses them after `expires`.
    pub fn sent(&mut self, slot: usize, now: Nanos, expires: Nanos) {
        self.change(slot, |order| {
            order.sent_at = Some(now);
            (order.news_at, order.expires) = (now, expires);
        });
    }

    /// Certainly none of its bytes left, or the venue certainly refused it.
    pub fn refused(&mut self, slot: usize, now: Nanos) {
        self.change(slot, |order| {
            order.news_at = now;
            if order.accepted || order.told.0 > 0 {
                // It was there before: the refusal is of something else. The venue must tell.
                order.doubt = !order.is_over();
                order.ask_at = now;
            } else {
                order.refused = true;
            }
        });
    }

    /// Nobody knows what became of it. True when that is new.
    pub fn doubt(&mut self, slot: usize, now: Nanos) -> bool {
        self.change(slot, |order| {
            let new = !order.is_over() && !order.doubt;
            if new {
                order.doubt = true;
                (order.ask_at, order.asked) = (now, 0);
            }
            new
        })
    }

    /// The venue has it.
    ///
    /// # Errors
    /// [`Misconduct::AfterRefusal`] when it had refused it.
    pub fn accepted(&mut self, slot: usize, now: Nanos) -> Result<(), Misconduct> {
        self.change(slot, |order| {
            if order.refused {
                return Err(Misconduct::AfterRefusal);
            }
            order.accept(now);
            Ok(())
        })
    }

    /// Some of it filled. `Ok(true)` when the fill is new, `Ok(false)` when it was seen before.
    ///
    /// # Errors
    /// [`Misconduct`]; the fill is not counted then.
    pub fn filled(&mut self, slot: usize, news: &FillNews, now: Nanos) -> Result<bool, Misconduct> {
        let result = self.change(slot, |order| order.fill(news, now));
        if result == Ok(false) {
            self.duplicates += 1;
        }
        result
    }

    /// It ended, with so much filled where the venue says.
    ///
    /// # Errors
    /// [`Misconduct`] when that cannot be.
    pub fn ended(
        &mut self,
        slot: usize,
        state: OrderState,
        total: Option<Qty>,
        now: Nanos,
    ) -> Result<(), Misconduct> {
        if state == OrderState::Rejected && total.unwrap_or_default() == Qty::ZERO {
            self.refused(slot, now);
            return Ok(());
        }
        self.change(slot, |order| order.end(state, total, now))
    }

    /// It was amended. We never ask for that: what makes an order smaller or its limit better is taken
    /// as it is, and one that is over stays as it ended.
    ///
    /// # Errors
    /// [`Misconduct`] where it would risk more than was admitted, or lives on though it was refused;
    /// nothing is changed then.
    pub fn amended(&mut self, slot: usize, price: Price, qty: Qty, now: Nanos) -> Result<(), Misconduct> {
        self.change(slot, |order| {
            if order.refused {
                return Err(Misconduct::AfterRefusal);
            }
            if order.is_over() {
                return Ok(());
            }
            let sign = order.draft.side.sign();
            let worse = sign * price.0 > sign * order.draft.price.0 || price.0 <= 0;
            if worse || qty > order.draft.qty {
                return Err(Misconduct::Amended);
            }
            if qty < order.filled() {
                return Err(Misconduct::Totals);
            }
            order.accept(now);
            (order.draft.price, order.draft.qty) = (price, qty);
            Ok(())
        })
    }

    /// The venue's answer to a question.
    ///
    /// # Errors
    /// [`Misconduct`] when it cannot be true.
    pub fn status(&mut self, slot: usize, status: &OrderStatus, now: Nanos) -> Result<(), Misconduct> {
        self.change(slot, |order| {
            if status.symbol != order.symbol {
                return Err(Misconduct::WrongSymbol);
            }
            if status.side != order.draft.side {
                return Err(Misconduct::WrongSide);
            }
            match status.state {
                // What is over stays as it is, whatever is said of it later.
                OrderState::Rejected if order.is_over() => Ok(()),
                OrderState::Rejected if status.filled.0 == 0 && order.told.0 == 0 => {
                    order.news_at = now;
                    order.refused = true;
                    order.accepted = false;
                    Ok(())
                }
                state if state.is_final() => order.end(state, Some(status.filled), now),
                _ if order.refused => Err(Misconduct::AfterRefusal),
                OrderState::Accepted | OrderState::PartFilled => {
                    order.accept(now);
                    order.tell(status.filled)
                }
                _ => Ok(()), // the venue does not know either
            }
        })
    }

    /// The venue knows no such order now. True once that is proof enough but for the balances,
    /// which the caller must compare.
    pub fn absent(&mut self, slot: usize, clock: &VenueClock, now: Nanos) -> bool {
        let absence = self.patience.absence;
        self.change(slot, |order| {
            let known = order.accepted || order.ended || order.told.0 > 0;
            if known || !order.doubt || order.is_over() {
                return false; // it was there: not finding it says nothing
            }
            let past = order.expires + absence.processing_bound;
            let late = now > past && clock.earliest(now).is_some_and(|there| there > past);
            if !late {
                return false;
            }
            match order.absent_first {
                None => order.absent_first = Some(now),
                Some(first) if now - first >= absence.apart => {
                    order.absent_again.get_or_insert(now);
                }
                Some(_) => {}
            }
            order.absent_again.is_some()
        })
    }

    /// When an order that was not found twice was last looked for, so that balances reported since
    /// may settle it.
    pub fn absent_since(&self, slot: usize) -> Option<Nanos> {
        self.slots[slot].absent_again
    }

    /// The proof is complete: the venue never took it.
    pub fn never_arrived(&mut self, slot: usize) {
        self.change(slot, |order| order.refused = true);
    }

    /// Slots of orders that are not over; for a walk that changes them.
    pub fn live_slots(&self, out: &mut Vec<usize>) {
        out.clear();
        out.extend_from_slice(&self.live);
    }

    /// The question that is due about an order, if one is. Silence for too long puts it in doubt.
    pub fn question(&mut self, slot: usize, now: Nanos) -> Option<Question> {
        let patience = self.patience;
        self.change(slot, |order| {
            let sent_at = order.sent_at.filter(|_| !order.is_over())?;
            let silent = order.should_have_news() && now - order.news_at >= patience.silence;
            let new_doubt = silent && !order.doubt;
            if new_doubt {
                order.doubt = true;
                (order.ask_at, order.asked) = (now, 0);
            }
            if !order.doubt || now < order.ask_at {
                return None;
            }
            let pause = patience.ask_again.0.saturating_mul(1 << order.asked.min(20));
            order.ask_at = now + Nanos(pause).min(patience.ask_again_max);
            order.asked += 1;
            let absent = order.absent_first.is_some() || order.asked > 3;
            let fills = order.missing().0 > 0 || order.ended || absent;
            Some(Question {
                client: order.draft.client,
                venue: order.draft.venue,
                instrument: order.draft.instrument,
                fills_since: fills.then(|| sent_at - Nanos::from_secs(1)),
                absent,
                new_doubt,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::Absence;
    use super::*;
    use crate::types::{ClientIdParts, Environment, Kind, Side, Tif, VenueRef};
    use proptest::prelude::*;

    const QTY: i64 = 10;

    fn patience() -> Patience {
        Patience {
            silence: Nanos::from_secs(1),
            ask_again: Nanos::from_millis(250),
            ask_again_max: Nanos::from_secs(2),
            absence: Absence { processing_bound: Nanos::from_secs(10), apart: Nanos::from_secs(1) },
        }
    }

    fn client(counter: u64) -> ClientId {
        ClientId::new(ClientIdParts { environment: Environment::Sim, run: 1, counter, leg: 0, tag: 9 })
    }

    fn symbol() -> Symbol {
        Symbol::new("BTCUSDT").unwrap()
    }

    /// Orders that count the base asset.
    fn plain() -> (Symbol, i64) {
        (symbol(), 0)
    }

    /// Ten contracts of 100 at 50,000 are 0.02 of the base asset; what is not whole is rounded up.
    #[test]
    fn contracts_expose_what_they_stand_for() {
        const ONE: i64 = 100_000_000;
        let mut orders = Orders::new(64, 2, 1, patience());
        let contracts = (symbol(), 100 * ONE);
        let exposed = |orders: &Orders| {
            let Exposure { least, most } = orders.open_exposure(InstrumentId(0));
            (least, most)
        };
        let sell = |counter, price: i64| Draft {
            venue: VenueId(1),
            price: Price(price * ONE),
            qty: Qty(10 * ONE),
            ..draft(counter, Side::Sell)
        };
        let first = orders.insert(&sell(1, 50_000), contracts, 1, false, Nanos(1)).unwrap();
        assert_eq!(exposed(&orders), (-2_000_000, 0));
        orders.insert(&draft(2, Side::Buy), plain(), 1, false, Nanos(1)).unwrap();
        assert_eq!(exposed(&orders), (-2_000_000, QTY), "elsewhere it is the quantity");
        orders.insert(&sell(3, 60_000), contracts, 1, false, Nanos(1)).unwrap();
        assert_eq!(exposed(&orders), (-2_000_000 - 1_666_667, QTY));
        orders.refused(first, Nanos(2));
        assert_eq!(exposed(&orders), (-1_666_667, QTY));
    }

    fn draft(counter: u64, side: Side) -> Draft {
        Draft {
            client: client(counter),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: Price(100),
            qty: Qty(QTY),
            reduce_only: false,
        }
    }

    fn sent(side: Side) -> (Orders, usize) {
        let mut orders = Orders::new(64, 1, 1, patience());
        let slot = orders.insert(&draft(5, side), plain(), 1, false, Nanos(0)).unwrap();
        orders.sent(slot, Nanos(0), Nanos::from_secs(1));
        (orders, slot)
    }

    #[derive(Clone, Copy, Debug)]
    enum News {
        Ack,
        Fill(i64, &'static str),
        End(OrderState, Option<i64>),
        Refused,
        Status(OrderState, i64),
        Doubt,
    }
    use News::*;

    fn tell(orders: &mut Orders, slot: usize, news: News) -> Result<(), Misconduct> {
        let now = Nanos(1);
        match news {
            Ack => orders.accepted(slot, now),
            Fill(qty, trade) => {
                let news = FillNews {
                    trade: VenueRef::new(trade).unwrap(),
                    symbol: symbol(),
                    side: orders.get(slot).draft.side,
                    price: Price(100),
                    qty: Qty(qty),
                    total: None,
                    at: Nanos(1),
                };
                orders.filled(slot, &news, now).map(|_| ())
            }
            End(state, total) => orders.ended(slot, state, total.map(Qty), now),
            Refused => {
                orders.refused(slot, now);
                Ok(())
            }
            Status(state, filled) => {
                let status = OrderStatus {
                    client: Some(client(5)),
                    venue_ref: VenueRef::EMPTY,
                    symbol: symbol(),
                    side: orders.get(slot).draft.side,
                    state,
                    price: Price(100),
                    qty: Qty(QTY),
                    filled: Qty(filled),
                };
                orders.status(slot, &status, now)
            }
            Doubt => {
                orders.doubt(slot, now);
                Ok(())
            }
        }
    }

    #[test]
    fn the_state_follows_from_the_facts() {
        use OrderState::*;
        for (news, state, exposure) in [
            (&[][..], Sent, (0, 10)),
            (&[Ack], Accepted, (0, 10)),
            (&[Fill(4, "a")], PartFilled, (0, 6)),
            (&[Fill(4, "a"), Fill(4, "a")], PartFilled, (0, 6)),
            (&[Fill(4, "a"), Fill(6, "b")], Filled, (0, 0)),
            (&[Fill(4, "a"), End(Cancelled, Some(4))], Cancelled, (0, 0)),
            (&[End(Cancelled, Some(4))], PartFilled, (4, 4)),
            (&[End(Cancelled, Some(4)), Fill(4, "a")], Cancelled, (0, 0)),
            (&[End(Cancelled, Some(0))], Cancelled, (0, 0)),
            (&[End(Cancelled, None)], Accepted, (0, 10)),
            (&[End(Cancelled, None), Status(Cancelled, 3)], PartFilled, (3, 3)),
            (&[End(Filled, None)], PartFilled, (10, 10)),
            (&[End(Filled, None), Fill(10, "a")], Filled, (0, 0)),
            (&[Refused], Rejected, (0, 0)),
            (&[End(Rejected, None)], Rejected, (0, 0)),
            (&[Refused, Doubt], Rejected, (0, 0)),
            (&[Doubt], Unknown, (0, 10)),
            (&[Ack, Doubt], Unknown, (0, 10)),
            (&[Fill(3, "a"), Doubt], Unknown, (0, 7)),
            (&[Doubt, Ack], Accepted, (0, 10)),
            (&[Doubt, Status(PartFilled, 3)], PartFilled, (3, 10)),
            (&[Doubt, Status(Rejected, 0)], Rejected, (0, 0)),
            (&[Ack, Refused], Unknown, (0, 10)), // the refusal must have been of something else
            (&[Ack, Refused, Status(Cancelled, 0)], Cancelled, (0, 0)),
            (&[Fill(10, "a"), Refused], Filled, (0, 0)),
            (&[Fill(10, "a"), Doubt], Filled, (0, 0)),
        ] {
            for side in Side::BOTH {
                let (mut orders, slot) = sent(side);
                for item in news {
                    assert_eq!(tell(&mut orders, slot, *item), Ok(()), "{news:?}");
                }
                let order = orders.get(slot);
                assert_eq!(order.state(), state, "{news:?}");
                let (least, most) = exposure;
                let want = match side {
                    Side::Buy => Exposure { least, most },
                    Side::Sell => Exposure { least: -most, most: -least },
                };
                assert_eq!(order.open_exposure(), want, "{news:?}");
                assert_eq!(orders.open_exposure(InstrumentId(0)), want, "{news:?}");
                assert_eq!(orders.open_exposure_at(VenueId(0), InstrumentId(0)), want, "{news:?}");
                assert_eq!(orders.live_at(VenueId(0)), u32::from(!state.is_final()), "{news:?}");
            }
        }
    }

    #[test]
    fn misconduct_is_named_and_not_counted() {
        use OrderState::*;
        for (news, wrong, want) in [
            (&[][..], Fill(11, "a"), Misconduct::Overfill),
            (&[Fill(6, "a")], Fill(6, "b"), Misconduct::Overfill),
            (&[Fill(6, "a")], Fill(5, "a"), Misconduct::TradeChanged),
            (&[], Fill(0, "a"), Misconduct::Overfill),
            (&[], Fill(-1, "a"), Misconduct::Overfill),
            (&[], End(Cancelled, Some(11)), Misconduct::Overfill),
            (&[Fill(6, "a")], End(Cancelled, Some(5)), Misconduct::Totals),
            (&[End(Cancelled, Some(5))], Fill(6, "a"), Misconduct::Totals),
            (&[End(Cancelled, Some(5))], End(Cancelled, Some(6)), Misconduct::Totals),
            (&[Refused], Fill(6, "a"), Misconduct::AfterRefusal),
            (&[Refused], Ack, Misconduct::AfterRefusal),
            (&[Refused], End(Cancelled, Some(1)), Misconduct::AfterRefusal),
            (&[Refused], Status(Accepted, 0), Misconduct::AfterRefusal),
        ] {
            let (mut orders, slot) = sent(Side::Buy);
            for item in news {
                assert_eq!(tell(&mut orders, slot, *item), Ok(()), "{news:?}");
            }
            let before = (orders.get(slot).state(), orders.get(slot).filled());
            assert_eq!(tell(&mut orders, slot, wrong), Err(want), "{news:?}, then {wrong:?}");
            assert_eq!((orders.get(slot).state(), orders.get(slot).filled()), before, "{news:?}");
        }
        for side in Side::BOTH {
            let (mut orders, slot) = sent(side);
            let fine = FillNews {
                trade: VenueRef::EMPTY,
                symbol: symbol(),
                side,
                price: Price(100),
                qty: Qty(1),
                total: Some(Qty(1)),
                at: Nanos(3),
            };
            let worse = Price(100 + side.sign());
            let better = Price(100 - side.sign());
            for (news, want) in [
                (FillNews { price: worse, ..fine }, Err(Misconduct::WorsePrice)),
                (FillNews { side: side.opposite(), ..fine }, Err(Misconduct::WrongSide)),
                (FillNews { symbol: Symbol::EMPTY, ..fine }, Err(Misconduct::WrongSymbol)),
                (FillNews { price: better, ..fine }, Ok(true)),
                (FillNews { price: better, ..fine }, Ok(false)), // no id, and the same in all else
                (FillNews { price: better, total: Some(Qty(2)), ..fine }, Ok(true)),
            ] {
                assert_eq!(orders.filled(slot, &news, Nanos(1)), want, "{news:?}");
            }
        }
    }

    #[test]
    fn silence_is_doubt_and_questions_back_off() {
        let (mut orders, slot) = sent(Side::Buy);
        let ms = Nanos::from_millis;
        let mut asked = Vec::new();
        for t in 0..6_000 {
            if let Some(question) = orders.question(slot, ms(t)) {
                asked.push((t, question.new_doubt, question.fills_since.is_some()));
            }
        }
        let want = [
            (1_000, true, false),
            (1_250, false, false),
            (1_750, false, false),
            (2_750, false, true),
            (4_750, false, true),
        ];
        assert_eq!(asked, want);
        assert_eq!(orders.get(slot).state(), OrderState::Unknown);
        assert_eq!(orders.unknown(), 1);
        orders.accepted(slot, ms(6_000)).unwrap();
        assert_eq!(orders.question(slot, ms(6_500)), None);
        assert!(orders.question(slot, ms(7_000)).unwrap().new_doubt, "an IOC that does not end");
    }

    #[test]
    fn not_found_is_proof_only_late_and_twice() {
        let clock = {
            let mut clock = VenueClock::default();
            clock.learn(Nanos(0), Nanos(0), Nanos(0));
            clock
        };
        let secs = Nanos::from_secs;
        let absent = |times: &[(i64, bool)], clock: &VenueClock| {
            let (mut orders, slot) = sent(Side::Buy);
            orders.doubt(slot, Nanos(1));
            for (at, want) in times {
                assert_eq!(orders.absent(slot, clock, secs(*at)), *want, "at {at}");
            }
            assert_eq!(orders.get(slot).state(), OrderState::Unknown, "never on its own");
        };
        // The window ended at 1 s; the venue may take 10 s more.
        absent(&[(5, false), (11, false), (12, false), (13, true)], &clock);
        absent(&[(12, false), (12, false), (14, true)], &clock);
        absent(&[(100, false), (200, false)], &VenueClock::default());
        let mut behind = VenueClock::default();
        behind.learn(Nanos(0), secs(100), secs(100)); // their clock is 100 s behind ours
        absent(&[(100, false), (105, false), (112, false), (114, true)], &behind);

        let (mut orders, slot) = sent(Side::Buy);
        orders.accepted(slot, Nanos(1)).unwrap();
        orders.doubt(slot, Nanos(2));
        assert!(!orders.absent(slot, &clock, secs(50)));
        assert!(!orders.absent(slot, &clock, secs(60)), "it was there once");
    }

    #[test]
    fn slots_are_used_again_once_their_orders_are_over() {
        let (mut orders, slot) = sent(Side::Buy);
        let next = draft(5 + 64, Side::Buy);
        assert!(!orders.has_room(next.client));
        assert_eq!(orders.insert(&next, plain(), 2, false, Nanos(1)), None);
        orders.refused(slot, Nanos(1));
        assert_eq!(orders.insert(&next, plain(), 2, false, Nanos(1)), Some(slot));
        assert_eq!(orders.find(client(5)), Lookup::Old);
        assert_eq!(orders.find(client(5 + 64)), Lookup::Here(slot));
        assert_eq!(orders.find(client(5 + 128)), Lookup::Never);
        assert_eq!(orders.find(client(6)), Lookup::Never);
    }

    proptest! {
        /// Any news in any order: what is filled never falls, what is over stays over, and the
        /// exposure always covers both what was seen and what was told.
        #[test]
        fn facts_only_grow(
            news in proptest::collection::vec((0u8..7, 0i64..12, 0usize..4), 0..30),
            buys: bool,
        ) {
            let (mut orders, slot) = sent(if buys { Side::Buy } else { Side::Sell });
            let (mut filled, mut over) = (Qty(0), None);
            for (kind, amount, trade) in news {
                let states = [OrderState::Filled, OrderState::Cancelled, OrderState::Rejected, OrderState::Accepted];
                let _ = tell(&mut orders, slot, match kind {
                    0 => Ack,
                    1 => Fill(amount, ["a", "b", "c", "d"][trade]),
                    2 => End(states[trade % 3], Some(amount)),
                    3 => End(states[trade % 3], None),
                    4 => Refused,
                    5 => Status(states[trade], amount),
                    _ => Doubt,
                });
                let order = orders.get(slot);
                prop_assert!(order.filled() >= filled && order.filled() <= Qty(QTY));
                filled = order.filled();
                if let Some(state) = over {
                    prop_assert_eq!(order.state(), state);
                }
                over = order.state().is_final().then(|| order.state());
                let (least, most) = order.bounds();
                prop_assert!(least <= most && least >= filled.0 && most <= QTY);
                prop_assert_eq!(orders.open_exposure(InstrumentId(0)), order.open_exposure());
            }
        }
    }
}
