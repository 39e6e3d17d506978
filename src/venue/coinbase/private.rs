//! What is known of the account's orders, and what the private streams say of them.
//!
//! Advanced Trade tells totals only: how much of an order is filled, not by which trades. So its
//! fills are fetched from the trade list as soon as a total rose, and the list may lag behind the
//! stream. Exchange tells each trade, with the rate of its fee in place of the fee: what is told is
//! the fee of an order's trades together, rounded up at 1e-8, less what was told of it before. A
//! fill that comes by the list has the venue's own figure.
//!
//! Messages may overtake the answer to the request that caused them, and an order's first message
//! may have been missed: facts are merged, never overwritten by their absence, and an order that
//! nobody knows is asked for.

use std::collections::{BTreeMap, VecDeque};

use super::exchange::UserMessage;
use super::rows::{FillRow, OrderRow, Specs, client, side, time};
use crate::types::{
    ClientId, FeeRate, InstrumentSpec, Money, Nanos, OrderState, Price, Qty, Report, Side, VenueRef,
};

/// Orders remembered; the oldest go first.
const ORDERS: usize = 4096;

/// First wait before a trade list that lagged is asked again; it doubles up to the last.
const LAG: (Nanos, Nanos) = (Nanos::from_millis(100), Nanos::from_secs(5));
/// Then it is up to whoever misses the fills.
const TRIES: u32 = 12;
/// Between two answers that an order is not known, at least.
const APART: Nanos = Nanos::from_secs(2);

/// What is known of an order.
#[derive(Clone, Debug, Default)]
struct Known {
    client: Option<ClientId>,
    place: Option<usize>,
    side: Option<Side>,
    price: Option<Price>,
    qty: Option<Qty>,
    /// Filled, as the stream counts.
    told: Qty,
    /// Filled, by trades that were reported.
    seen: Qty,
    trades: Vec<VenueRef>,
    /// Worth and fees of its trades, as taker and as maker.
    tally: [(Money, Money); 2],
    accepted: bool,
    ended: bool,
    foreign: bool,
    /// The venue, asked, no longer knew it: since then.
    absent: Option<Nanos>,
}

/// Fills that a total promises and that are still to be fetched.
#[derive(Clone, Copy, Debug)]
struct Chase {
    at: Nanos,
    tries: u32,
    asked: bool,
}

/// The account's orders.
pub struct Memory {
    specs: Specs,
    orders: BTreeMap<VenueRef, Known>,
    ids: BTreeMap<ClientId, VenueRef>,
    /// In the order of their first mention.
    oldest: VecDeque<VenueRef>,
    chases: BTreeMap<VenueRef, Chase>,
    /// Orders that were spoken of and that nobody knows.
    strangers: Vec<VenueRef>,
}

impl Memory {
    /// For these instruments; orders of others are foreign.
    pub fn new(specs: Vec<InstrumentSpec>) -> Memory {
        Memory {
            specs: Specs(specs),
            orders: BTreeMap::new(),
            ids: BTreeMap::new(),
            oldest: VecDeque::new(),
            chases: BTreeMap::new(),
            strangers: Vec::new(),
        }
    }

    /// The instruments.
    pub fn specs(&self) -> &Specs {
        &self.specs
    }

    /// Remembers whose order this is.
    pub fn learn(&mut self, id: VenueRef, client: ClientId) {
        let known = self.known(id);
        (known.client, known.foreign) = (Some(client), false);
        self.ids.insert(client, id);
    }

    /// Remembers that an order is none of ours.
    pub fn disown(&mut self, id: VenueRef) {
        self.known(id).foreign = true;
    }

    /// The venue's id of our order.
    pub fn id(&self, client: ClientId) -> Option<VenueRef> {
        self.ids.get(&client).copied()
    }

    /// Whose order this is, where that is known: `Some(None)` = not ours.
    pub fn owner(&self, id: &VenueRef) -> Option<Option<ClientId>> {
        let known = self.orders.get(id)?;
        if known.foreign { Some(None) } else { known.client.map(Some) }
    }

    /// Limit of an order, where that is known.
    pub fn price(&self, id: &VenueRef) -> Option<Price> {
        self.orders.get(id)?.price
    }

    fn known(&mut self, id: VenueRef) -> &mut Known {
        if !self.orders.contains_key(&id) {
            if self.oldest.len() >= ORDERS
                && let Some(oldest) = self.oldest.pop_front()
            {
                let client = self.orders.remove(&oldest).and_then(|known| known.client);
                if let Some(client) = client
                    && self.ids.get(&client) == Some(&oldest)
                {
                    self.ids.remove(&client);
                }
                self.chases.remove(&oldest);
            }
            self.oldest.push_back(id);
        }
        self.orders.entry(id).or_default()
    }

    /// Takes in what a row says of an order.
    pub fn merge(&mut self, row: &OrderRow) {
        let known = self.known(row.id);
        if let Some(terms) = &row.terms {
            (known.place, known.side) = (Some(terms.place), Some(terms.side));
            known.price = if terms.price > Price(0) { Some(terms.price) } else { known.price };
            known.qty = if terms.qty > Qty::ZERO { Some(terms.qty) } else { known.qty };
            // The total never falls: an older message that comes late does not undo a fill.
            known.told = known.told.max(terms.filled);
        }
        match row.client {
            Some(client) => self.learn(row.id, client),
            // Not all that tells of an order tells our id of it.
            None if known.client.is_some() => {}
            None => self.disown(row.id),
        }
    }

    /// The row with our id of its order, where only we know it.
    pub fn named(&self, row: OrderRow) -> OrderRow {
        OrderRow { client: row.client.or_else(|| self.owner(&row.id).flatten()), ..row }
    }

    /// An order that was changed.
    pub fn amended(&mut self, id: VenueRef, price: Price, qty: Qty) {
        let known = self.known(id);
        (known.price, known.qty) = (Some(price), Some(qty));
    }

    /// An order as Advanced Trade's stream tells of it.
    pub fn on_order(&mut self, row: &OrderRow, snapshot: bool, now: Nanos, out: &mut Vec<Report>) {
        let row = &self.named(*row);
        let was_foreign = self.orders.get(&row.id).is_some_and(|known| known.foreign);
        // What is over stays as it is, whatever comes late.
        if self.orders.get(&row.id).is_some_and(|known| known.ended) {
            return;
        }
        self.merge(row);
        let (Some(client), Some(terms)) = (row.client, &row.terms) else {
            self.disown(row.id);
            out.extend((!was_foreign).then_some(Report::Foreign { venue_ref: row.id }));
            return;
        };
        let known = self.known(row.id);
        let (venue_ref, filled) = (row.id, known.told);
        if snapshot {
            known.accepted = true;
            let status = row.status(&self.specs);
            out.extend(status.map(Report::Status));
        } else if terms.state.is_final() {
            known.ended = true;
            out.push(Report::Ended { client, state: terms.state, filled: Some(filled), at: now });
        } else if matches!(terms.state, OrderState::Accepted | OrderState::PartFilled)
            && !std::mem::replace(&mut known.accepted, true)
        {
            out.push(Report::Accepted { client, venue_ref, at: now });
        }
        self.chase(row.id, now);
    }

    /// Sets out after fills that a total promises.
    pub fn chase(&mut self, id: VenueRef, now: Nanos) {
        let missing =
            self.orders.get(&id).is_some_and(|known| known.client.is_some() && known.told > known.seen);
        if missing {
            let chase = self.chases.entry(id).or_insert(Chase { at: now, tries: 0, asked: false });
            (chase.at, chase.tries) = (chase.at.min(now), 0);
        }
    }

    /// An order whose fills are to be asked for now; it is taken to be asked.
    pub fn due(&mut self, now: Nanos) -> Option<VenueRef> {
        let (id, chase) = self.chases.iter_mut().find(|(_, chase)| !chase.asked && chase.at <= now)?;
        chase.asked = true;
        Some(*id)
    }

    /// The trade list of an order was answered, or was not: it is asked again unless all is there.
    pub fn chased(&mut self, id: VenueRef, now: Nanos) {
        let missing = self.orders.get(&id).is_some_and(|known| known.told > known.seen);
        let Some(chase) = self.chases.get_mut(&id) else { return };
        if !missing || chase.tries >= TRIES {
            self.chases.remove(&id);
            return;
        }
        let wait = Nanos(LAG.0.0 << chase.tries.min(10)).min(LAG.1);
        (chase.at, chase.tries, chase.asked) = (now + wait, chase.tries + 1, false);
    }

    /// The venue says that it has no such order. Exchange forgets those that it cancelled without a
    /// fill; so one that it had, of which nothing filled, and that it did not know twice some time
    /// apart, has vanished: its id is given back, to be looked for among the fills.
    pub fn vanished(&mut self, client: ClientId, now: Nanos) -> Option<VenueRef> {
        let id = self.id(client)?;
        let known = self.orders.get_mut(&id)?;
        let nothing = known.told == Qty::ZERO && known.seen == Qty::ZERO;
        let since = *known.absent.get_or_insert(now);
        (known.accepted && nothing && now - since >= APART).then_some(id)
    }

    /// Orders that were spoken of and that nobody knows, once each.
    pub fn strangers(&mut self) -> Vec<VenueRef> {
        std::mem::take(&mut self.strangers)
    }

    /// An order that was spoken of in a way that says too little of it.
    pub fn stranger(&mut self, id: VenueRef) {
        if !self.strangers.contains(&id) {
            self.strangers.push(id);
        }
    }

    /// A fill of the trade list as a report. `None` when it was reported before and `again` is not
    /// wanted, or when its order is not known to be ours.
    pub fn on_fill(&mut self, row: &FillRow, again: bool) -> Option<Report> {
        let spec = self.specs.get(row.place)?;
        let (symbol, fee_asset) = (spec.symbol, spec.quote);
        let value = Money::notional(row.price, row.qty, spec.scale);
        let known = self.orders.get_mut(&row.order)?;
        let client = known.client.filter(|_| !known.foreign)?;
        let new = !known.trades.contains(&row.trade);
        if new {
            known.trades.push(row.trade);
            known.seen = Qty(known.seen.0.saturating_add(row.qty.0));
            let (basis, charged) = &mut known.tally[usize::from(row.maker)];
            *basis = basis.checked_add(value.unwrap_or_default()).unwrap_or(*basis);
            *charged = charged.checked_add(row.fee).unwrap_or(*charged);
        }
        (new || again).then_some(Report::Filled {
            client,
            venue_ref: row.order,
            trade: row.trade,
            symbol,
            side: row.side,
            price: row.price,
            qty: row.qty,
            total: None,
            fee: row.fee,
            fee_asset,
            at: row.at,
        })
    }

    /// An event of Exchange's stream.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is taken then.
    pub fn on_event(
        &mut self,
        message: &UserMessage<'_>,
        now: Nanos,
        out: &mut Vec<Report>,
    ) -> Result<(), &'static str> {
        let place = message.product_id.as_deref().and_then(|product| self.specs.find(product));
        let Some((place, spec)) = place else { return Ok(()) };
        let scale = spec.scale;
        let at = time(message.time.as_deref()).unwrap_or(now);
        if message.kind == "match" {
            return self.on_match(message, place, at, now, out);
        }
        let id =
            message.order_id.as_deref().and_then(VenueRef::new).ok_or("user: an event without its order")?;
        let number = |number: Option<crate::venue::kraken::json::Number<'_>>| match number {
            Some(number) => number.scaled(scale).map(Some).ok_or("user: a number that does not fit"),
            None => Ok(None),
        };
        let (price, size) = (number(message.price)?.map(Price), number(message.size)?.map(Qty));
        let left = number(message.remaining_size)?.map(Qty);
        let (new_price, new_size) =
            (number(message.new_price)?.map(Price), number(message.new_size)?.map(Qty));
        let known = self.known(id);
        known.place = Some(place);
        known.side = message.side.as_deref().and_then(side).or(known.side);
        match &*message.kind {
            "received" => {
                (known.price, known.qty) = (price.or(known.price), size.or(known.qty));
                let Some(client) = client(message.client_oid.as_deref()).or(known.client) else {
                    known.foreign = true;
                    out.push(Report::Foreign { venue_ref: id });
                    return Ok(());
                };
                let told = std::mem::replace(&mut known.accepted, true);
                self.learn(id, client);
                out.extend((!told).then_some(Report::Accepted { client, venue_ref: id, at }));
            }
            "open" => {
                let (Some(client), told) = (known.client, std::mem::replace(&mut known.accepted, true))
                else {
                    if !known.foreign {
                        self.stranger(id);
                    }
                    return Ok(());
                };
                out.extend((!told).then_some(Report::Accepted { client, venue_ref: id, at }));
            }
            "change" => {
                known.price = new_price.or(known.price);
                if let Some(left) = new_size {
                    known.qty = Some(Qty(known.seen.0.saturating_add(left.0)));
                }
                if let (Some(client), Some(price), Some(qty)) = (known.client, known.price, known.qty) {
                    out.push(Report::Amended { client, price, qty });
                }
            }
            "done" => {
                if message.cancel_reason.as_deref().is_some_and(|reason| reason.starts_with("103")) {
                    out.push(Report::Malformed(format!("order {id} was cancelled by the venue's staff")));
                }
                let filled = match (known.qty, left) {
                    (Some(qty), Some(left)) if left <= qty => Some(Qty(qty.0 - left.0)),
                    _ => None,
                };
                let Some(client) = known.client else {
                    if !known.foreign {
                        self.stranger(id);
                    }
                    return Ok(());
                };
                known.ended = true;
                known.told = known.told.max(filled.unwrap_or_default());
                let state = match message.reason.as_deref() {
                    Some("filled") => OrderState::Filled,
                    _ => OrderState::Cancelled,
                };
                out.push(Report::Ended { client, state, filled, at });
                // A trade that was missed is fetched.
                self.chase(id, now);
            }
            // Stops, which this engine does not use, and what is new to us.
            _ => {}
        }
        Ok(())
    }

    fn on_match(
        &mut self,
        message: &UserMessage<'_>,
        place: usize,
        at: Nanos,
        now: Nanos,
        out: &mut Vec<Report>,
    ) -> Result<(), &'static str> {
        let missing = "user: a match without its facts";
        let order = |text: Option<&str>| text.and_then(VenueRef::new).ok_or(missing);
        let taker = order(message.taker_order_id.as_deref())?;
        let resting = order(message.maker_order_id.as_deref())?;
        let trade = message.trade_id.as_ref().and_then(|trade| trade.reference()).ok_or(missing)?;
        let rested = message.side.as_deref().and_then(side).ok_or(missing)?;
        let spec = self.specs.get(place).ok_or(missing)?;
        let price = message.price.and_then(|number| number.price(spec.scale)).ok_or(missing)?;
        let qty = message.size.and_then(|number| number.qty(spec.scale)).ok_or(missing)?;
        let value = Money::notional(price, qty, spec.scale).ok_or(missing)?;
        // Which of the two is ours: the one that is known, else the one whose fee is told.
        let maker = match (self.orders.contains_key(&taker), self.orders.contains_key(&resting)) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => message.taker_fee_rate.is_none(),
        };
        let (id, own_side) = if maker { (resting, rested) } else { (taker, rested.opposite()) };
        let known = self.known(id);
        if known.foreign {
            return Ok(());
        }
        if known.trades.contains(&trade) {
            return Ok(());
        }
        let total = Qty(known.seen.0.saturating_add(qty.0));
        known.told = known.told.max(total);
        if known.client.is_none() {
            self.stranger(id);
            return Ok(());
        }
        match message.rate(maker) {
            Some(rate) => {
                let fee = due(known.tally[usize::from(maker)], value, rate);
                let row = FillRow { order: id, trade, place, side: own_side, price, qty, fee, maker, at };
                out.extend(self.on_fill(&row, false));
            }
            // The list tells what it cost.
            None => self.chase(id, now),
        }
        Ok(())
    }
}

/// The fee of a further trade: of all together, rounded up once, less what was charged.
fn due((basis, charged): (Money, Money), value: Money, rate: FeeRate) -> Money {
    let whole = basis.checked_add(value).unwrap_or(value).fee_up(rate);
    Money(whole.0.saturating_sub(charged.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Scale;
    use crate::venue::coinbase::{advanced, symbol};

    const ID: &str = "496ffbba-7dae-4864-b7e8-a5bf52c6d0e2";

    fn memory() -> Memory {
        let product = br#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001"}]"#;
        Memory::new(symbol::exchange(product).unwrap())
    }

    fn show(report: &Report) -> String {
        let fixed = |value| crate::types::Fixed(value, Scale::DEFAULT);
        match report {
            Report::Accepted { venue_ref, .. } => format!("accepted({venue_ref})"),
            Report::Filled { trade, price, qty, fee, side, .. } => {
                format!("{}({trade} {}@{} fee {fee})", side.name(), fixed(qty.0), fixed(price.0))
            }
            Report::Ended { state, filled, .. } => format!("{state:?}({:?})", filled.map(|qty| qty.0)),
            Report::Status(status) => format!("status({:?} {})", status.state, fixed(status.filled.0)),
            other => format!("{other:?}"),
        }
    }

    /// Plays messages of Exchange's stream and shows the reports that follow each.
    #[track_caller]
    fn check(messages: &[(&str, &str)]) -> Memory {
        let mut memory = memory();
        for (message, want) in messages {
            let read = serde_json::from_str::<UserMessage>(message).unwrap();
            let mut out = Vec::new();
            let got = match memory.on_event(&read, Nanos(5), &mut out) {
                Ok(()) => out.iter().map(show).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_owned(),
            };
            assert_eq!(&got, want, "{message}");
        }
        memory
    }

    #[test]
    fn an_order_of_exchange_is_received_matched_and_done() {
        let received = format!(
            r#"{{"type":"received","product_id":"BTC-USD","order_id":"o","client_oid":"{ID}","order_type":"limit","size":"1","price":"100","side":"buy","sequence":1}}"#
        );
        let memory = check(&[
            (&received, "accepted(o)"),
            (&received, ""),
            // Two trades, whose fees are rounded up together: 0.006 of 0.0000001 is 6e-10.
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":7,"maker_order_id":"m","taker_order_id":"o","size":"0.000001","price":"0.1","side":"sell","taker_fee_rate":"0.006","time":"2026-07-26T10:11:12.123456Z"}"#,
                "buy(7 0.000001@0.1 fee 0.00000001)",
            ),
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":"8","maker_order_id":"m","taker_order_id":"o","size":"0.000001","price":"0.1","side":"sell","taker_fee_rate":"0.006"}"#,
                "buy(8 0.000001@0.1 fee 0)",
            ),
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":"8","maker_order_id":"m","taker_order_id":"o","size":"0.000001","price":"0.1","side":"sell","taker_fee_rate":"0.006"}"#,
                "",
            ),
            (
                r#"{"type":"done","product_id":"BTC-USD","order_id":"o","reason":"canceled","cancel_reason":"101:Time In Force","remaining_size":"0.999998","price":"100","side":"buy"}"#,
                "Cancelled(Some(200))",
            ),
            (r#"{"type":"open","product_id":"ETH-USD","order_id":"x","remaining_size":"1"}"#, ""),
            (r#"{"type":"open","product_id":"BTC-USD"}"#, "user: an event without its order"),
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":"8","maker_order_id":"m","taker_order_id":"o","size":"1","side":"sell"}"#,
                "user: a match without its facts",
            ),
            (
                r#"{"type":"received","product_id":"BTC-USD","order_id":"f","size":"1","price":"100","side":"buy"}"#,
                r#"Foreign { venue_ref: "f" }"#,
            ),
        ]);
        assert_eq!(memory.id(ClientId::parse(ID.as_bytes()).unwrap()).unwrap().as_str(), "o");
        assert_eq!(memory.owner(&VenueRef::new("f").unwrap()), Some(None));
    }

    #[test]
    fn an_order_that_nobody_knows_is_asked_for() {
        let mut memory = check(&[
            (
                r#"{"type":"open","product_id":"BTC-USD","order_id":"a","remaining_size":"1","side":"buy"}"#,
                "",
            ),
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":9,"maker_order_id":"b","taker_order_id":"x","size":"1","price":"100","side":"sell","maker_fee_rate":"0.004"}"#,
                "",
            ),
        ]);
        let asked: Vec<_> = memory.strangers().iter().map(VenueRef::to_string).collect();
        assert_eq!(asked, ["a", "b"]);
        assert!(memory.strangers().is_empty());
    }

    #[test]
    fn a_maker_s_fill_is_on_his_own_side() {
        let received = format!(
            r#"{{"type":"received","product_id":"BTC-USD","order_id":"o","client_oid":"{ID}","size":"1","price":"100","side":"sell"}}"#
        );
        check(&[
            (&received, "accepted(o)"),
            (
                r#"{"type":"match","product_id":"BTC-USD","trade_id":7,"maker_order_id":"o","taker_order_id":"t","size":"1","price":"100","side":"sell","maker_fee_rate":"0.004"}"#,
                "sell(7 1@100 fee 0.4)",
            ),
            (
                r#"{"type":"done","product_id":"BTC-USD","order_id":"o","reason":"filled","remaining_size":"0"}"#,
                "Filled(Some(100000000))",
            ),
        ]);
    }

    #[test]
    fn totals_of_advanced_trade_are_followed_by_their_trades() {
        let mut memory = memory();
        let mut told = Vec::new();
        for (status, filled, leaves, want) in [
            ("PENDING", "0", "1", ""),
            ("OPEN", "0", "1", "accepted(o)"),
            ("OPEN", "0.4", "0.6", ""),
            // Older than what was told.
            ("OPEN", "0.1", "0.9", ""),
            ("CANCELLED", "0.4", "0.6", "Cancelled(Some(40000000))"),
            ("OPEN", "0.4", "0.6", ""),
        ] {
            let text = format!(
                r#"{{"channel":"user","timestamp":"2026-01-01T00:00:00Z","sequence_num":1,"events":[{{"type":"update","orders":[{{"order_id":"o","client_order_id":"{ID}","status":"{status}","product_id":"BTC-USD","order_side":"BUY","limit_price":"100","cumulative_quantity":"{filled}","leaves_quantity":"{leaves}","avg_price":""}}]}}]}}"#
            );
            let message = advanced::read_user(text.as_bytes(), memory.specs()).unwrap();
            let advanced::UserNews::Orders(rows) = message.news else { panic!() };
            told.clear();
            for (snapshot, row) in rows {
                memory.on_order(&row.unwrap(), snapshot, Nanos(5), &mut told);
            }
            assert_eq!(told.iter().map(show).collect::<Vec<_>>().join(" "), want, "{status} {filled}");
        }
        let id = memory.due(Nanos(5)).unwrap();
        assert_eq!((id.as_str(), memory.due(Nanos(5))), ("o", None));
        // The list lags: it is asked again, a little later each time.
        memory.chased(id, Nanos(5));
        assert_eq!(memory.due(Nanos(6)), None);
        assert_eq!(memory.due(Nanos(5) + LAG.0), Some(id));
        let fills = r#"{"fills":[{"entry_id":"e","trade_id":"t","order_id":"o","trade_time":"2026-01-01T00:00:00.5Z","trade_type":"FILL","price":"99","size":"0.4","commission":"0.2376","product_id":"BTC-USD","liquidity_indicator":"TAKER","size_in_quote":false,"side":"BUY"}],"cursor":""}"#;
        let page = advanced::read_fills(fills.as_bytes(), memory.specs()).unwrap();
        let report = memory.on_fill(&page.rows[0], false).unwrap();
        assert_eq!(show(&report), "buy(t 0.4@99 fee 0.2376)");
        assert_eq!(memory.on_fill(&page.rows[0], false), None);
        assert_eq!(memory.on_fill(&page.rows[0], true), Some(report));
        memory.chased(id, Nanos::from_secs(9));
        assert_eq!(memory.due(Nanos::from_secs(99)), None);
    }
}
