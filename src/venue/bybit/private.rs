//! Events of the account and answers about it, to reports.
//!
//! An acknowledgement of a request says that it was received and nothing else. What became of an
//! order is told by `order` (its state) and `execution` (its fills), in no promised order, and in
//! answers to questions; all are reported, and whoever keeps the orders tells doubles by their
//! execution ids. `execution.fast` is quicker and lacks the fee, so it is not used: money that moved
//! must be booked as it moved.
//!
//! The status word does not tell what was filled: an order may be `Rejected` or `Cancelled` with
//! fills, so the total always goes along. A status or a number that this code does not know makes the
//! order Unknown; it is never taken for success or failure.

mod records;

use std::collections::{BTreeMap, VecDeque};

use serde_json::value::RawValue;

use self::records::{Coin, Execution, Holding, Order, Wallet};
pub use self::records::{Envelope, Limits, Page, Placed, Reply};
use super::symbol::Market;
use crate::types::{
    Asset, Class, ClientId, InstrumentSpec, Money, Nanos, OrderState, OrderStatus, Price, Qty, Report, Scale,
    Side, Symbol, VenueRef, parse,
};

/// Orders remembered.
const MAX_KNOWN: usize = 8_192;

/// Why a text could not be read; the text itself is not in it.
pub(super) type Unreadable = &'static str;

/// What a reader must know of a symbol.
#[derive(Clone, Copy)]
struct Traded {
    symbol: Symbol,
    scale: Scale,
    base: Asset,
    quote: Asset,
    settle: Asset,
}

/// Turns the venue's words into reports.
pub struct Reader {
    market: Market,
    /// Sorted by symbol.
    traded: Vec<Traded>,
    /// Our open orders with their limit and quantity as last told: an amendment shows as a change.
    terms: BTreeMap<ClientId, (Price, Qty)>,
    /// Whose an order is, by the venue's number: some news comes without the client's.
    owners: BTreeMap<VenueRef, ClientId>,
    /// The keys of `owners` and `terms`, oldest first.
    oldest: VecDeque<(VenueRef, ClientId)>,
}

impl Reader {
    /// A reader for those instruments.
    pub fn new<'a>(market: Market, specs: impl Iterator<Item = &'a InstrumentSpec>) -> Reader {
        let traded = specs.map(|spec| Traded {
            symbol: spec.symbol,
            scale: spec.scale,
            base: spec.base,
            quote: spec.quote,
            settle: spec.contract.settle,
        });
        let mut traded: Vec<_> = traded.collect();
        traded.sort_by_key(|traded| traded.symbol);
        Reader { market, traded, terms: BTreeMap::new(), owners: BTreeMap::new(), oldest: VecDeque::new() }
    }

    fn traded(&self, symbol: &str) -> Option<Traded> {
        let at = self.traded.binary_search_by(|traded| traded.symbol.as_str().cmp(symbol)).ok()?;
        self.traded.get(at).copied()
    }

    /// True for the other markets of the same account: their news is somebody else's.
    fn is_elsewhere(&self, category: Option<&str>) -> bool {
        category.is_some_and(|category| category != self.market.category())
    }

    /// Remembers whose an order is.
    pub fn learn(&mut self, venue_ref: VenueRef, client: ClientId) {
        if venue_ref.is_empty() || self.owners.insert(venue_ref, client).is_some() {
            return;
        }
        if self.oldest.len() == MAX_KNOWN
            && let Some((venue_ref, client)) = self.oldest.pop_front()
        {
            self.owners.remove(&venue_ref);
            self.terms.remove(&client);
        }
        self.oldest.push_back((venue_ref, client));
    }

    /// The client id of an order, told or remembered.
    fn owner(&self, link: &str, venue_ref: VenueRef) -> Option<ClientId> {
        match link {
            "" => self.owners.get(&venue_ref).copied(),
            link => ClientId::parse(link.as_bytes()),
        }
    }

    /// A message of a topic.
    pub(super) fn event(&mut self, topic: &str, data: &str, out: &mut Vec<Report>) {
        let family = topic.split('.').next().unwrap_or_default();
        let items: Vec<&RawValue> = match serde_json::from_str(data) {
            Ok(items) => items,
            Err(_) => return malformed("an event without its list", out),
        };
        for item in items {
            let text = item.get();
            let read = match family {
                "order" => self.order(text, out),
                "execution" => self.execution(text, out),
                "wallet" => self.wallet(text, out),
                "position" => self.position(text, out),
                _ => Err("an event of an unknown kind"),
            };
            if let Err(what) = read {
                malformed(what, out);
            }
        }
    }

    /// Something happened to an order.
    fn order(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let order: Order = serde_json::from_str(text).map_err(|_| "an order")?;
        if self.is_elsewhere(order.category.as_deref()) {
            return Ok(());
        }
        let venue_ref = VenueRef::cut(&order.order_id);
        let owner = self.owner(&order.order_link_id, venue_ref);
        let (Some(client), Some(traded)) = (owner, self.traded(&order.symbol)) else {
            out.push(Report::Foreign { venue_ref });
            return Ok(());
        };
        self.learn(venue_ref, client);
        let before = out.len();
        let read = self.order_of(&order, client, venue_ref, &traded, out);
        if read.is_err() {
            // Something happened to our order, and we cannot say what.
            out.truncate(before);
            out.push(Report::unknown(client, "unreadable order"));
        }
        read
    }

    fn order_of(
        &mut self,
        order: &Order<'_>,
        client: ClientId,
        venue_ref: VenueRef,
        traded: &Traded,
        out: &mut Vec<Report>,
    ) -> Result<(), Unreadable> {
        let at = millis(&order.updated_time)?;
        let filled = qty(&order.cum_exec_qty, traded.scale)?;
        let state = state(&order.order_status, filled).ok_or("an order: its status")?;
        let terms = (price(&order.price, traded.scale)?, qty(&order.qty, traded.scale)?);
        if state == OrderState::Rejected {
            let reason = VenueRef::cut(&order.reject_reason);
            if &*order.reject_reason == "EC_DuplicatedClOrdID" {
                // This request was refused because of one before it, which may well live.
                out.push(Report::unknown(client, &order.reject_reason));
                return Ok(());
            }
            out.push(Report::OrderError { client, class: Class::Refused, code: reason, retry_at: None });
        }
        if state.is_final() {
            self.terms.remove(&client);
            out.push(Report::Ended { client, state, filled: Some(filled), at });
            return Ok(());
        }
        match self.terms.insert(client, terms) {
            None => out.push(Report::Accepted { client, venue_ref, at }),
            Some(before) if before != terms => {
                out.push(Report::Amended { client, price: terms.0, qty: terms.1 });
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn execution(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let execution: Execution = serde_json::from_str(text).map_err(|_| "an execution")?;
        if self.is_elsewhere(execution.category.as_deref()) {
            return Ok(());
        }
        let (client, venue_ref) = match self.fill(&execution) {
            Fill::Ours(client, venue_ref) => (client, venue_ref),
            Fill::Foreign(venue_ref) => {
                out.push(Report::Foreign { venue_ref });
                return Ok(());
            }
            Fill::None => return self.funding(&execution, out),
        };
        let read = self.fill_of(&execution, client, venue_ref);
        match read {
            Ok(report) => out.push(report),
            Err(what) => {
                out.push(Report::unknown(client, "unreadable execution"));
                return Err(what);
            }
        }
        Ok(())
    }

    /// What a position paid or brought at its regular times. Told by events alone: a list tells it
    /// again, and it has no order to be known by.
    fn funding(&self, execution: &Execution<'_>, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        if &*execution.exec_type != "Funding" {
            return Ok(());
        }
        let Some(traded) = self.traded(&execution.symbol) else { return Ok(()) };
        let paid = money(&execution.exec_fee)?;
        let amount = Money(paid.0.checked_neg().ok_or("an amount")?);
        out.push(Report::Funding { asset: traded.settle, amount, at: millis(&execution.exec_time)? });
        Ok(())
    }

    /// A position, of an event or of a list.
    pub(super) fn position(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let holding: Holding = serde_json::from_str(text).map_err(|_| "a position")?;
        if self.is_elsewhere(holding.category.as_deref()) {
            return Ok(());
        }
        let Some(traded) = self.traded(&holding.symbol) else { return Ok(()) };
        let size = qty(&holding.size, traded.scale)?;
        if holding.position_idx != 0 {
            // Two positions in one contract cannot be told as one.
            return if size == Qty::ZERO { Ok(()) } else { Err("a position: the account is in hedge mode") };
        }
        let size = match (&*holding.side, size.0) {
            (_, 0) => 0,
            ("Buy", size) => size,
            ("Sell", size) => -size,
            _ => return Err("a position: its side"),
        };
        let entry = if holding.avg_price.is_empty() { &holding.entry_price } else { &holding.avg_price };
        // An average has more places than prices have.
        let entry = cut_places(entry, traded.scale.digits());
        let entry = if size == 0 || entry.is_empty() { None } else { Some(price(entry, traded.scale)?) };
        out.push(Report::Position { symbol: traded.symbol, qty: Qty(size), entry });
        Ok(())
    }

    /// Completes a list of positions: contracts without one are left out of it.
    pub(super) fn flat(&self, out: &mut Vec<Report>) {
        for traded in &self.traded {
            let told = |report: &Report| matches!(report, Report::Position { symbol, .. } if *symbol == traded.symbol);
            if !out.iter().any(told) {
                out.push(Report::Position { symbol: traded.symbol, qty: Qty::ZERO, entry: None });
            }
        }
    }

    /// Whose an execution is, and whether it is a fill at all.
    fn fill(&mut self, execution: &Execution<'_>) -> Fill {
        let venue_ref = VenueRef::cut(&execution.order_id);
        match &*execution.exec_type {
            "Trade" => {}
            // The venue itself closed a position of ours.
            "AdlTrade" | "BustTrade" => return Fill::Foreign(venue_ref),
            // Funding, delivery, settlement: no order's.
            _ => return Fill::None,
        }
        match self.owner(&execution.order_link_id, venue_ref) {
            Some(client) if self.traded(&execution.symbol).is_some() => {
                self.learn(venue_ref, client);
                Fill::Ours(client, venue_ref)
            }
            _ => Fill::Foreign(venue_ref),
        }
    }

    fn fill_of(
        &self,
        execution: &Execution<'_>,
        client: ClientId,
        venue_ref: VenueRef,
    ) -> Result<Report, Unreadable> {
        let traded = self.traded(&execution.symbol).ok_or("an execution: its symbol")?;
        let side = side(&execution.side)?;
        let fee_asset = match (&*execution.fee_currency, self.market, side) {
            ("", Market::Spot, Side::Buy) => traded.base,
            ("", Market::Spot, Side::Sell) => traded.quote,
            ("", ..) => traded.settle,
            (name, ..) => Asset::new(name).ok_or("an execution: the coin of its fee")?,
        };
        Ok(Report::Filled {
            client,
            venue_ref,
            trade: VenueRef::new(&execution.exec_id).ok_or("an execution: its id")?,
            symbol: traded.symbol,
            side,
            price: price(&execution.exec_price, traded.scale)?,
            qty: qty(&execution.exec_qty, traded.scale)?,
            total: None,
            fee: money(&execution.exec_fee)?,
            fee_asset,
            at: millis(&execution.exec_time)?,
        })
    }

    fn wallet(&self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let wallet: Wallet = serde_json::from_str(text).map_err(|_| "the wallet")?;
        let before = out.len();
        for coin in &wallet.coin {
            // Names that the engine cannot hold are of assets that it cannot trade.
            let Some(asset) = Asset::new(&coin.coin) else { continue };
            let (free, locked) = holding(coin).inspect_err(|_| out.truncate(before))?;
            out.push(Report::Balance { asset, free, locked: Some(locked) });
        }
        Ok(())
    }

    /// The answer to a new order, or to its amendment or cancel: nothing but that it was received.
    pub(super) fn received(&mut self, client: ClientId, text: &str) -> Result<(), Unreadable> {
        let placed: Placed = serde_json::from_str(text).map_err(|_| "an acknowledgement")?;
        if ClientId::parse(placed.order_link_id.as_bytes()) != Some(client) {
            return Err("an acknowledgement: it names another order");
        }
        self.learn(VenueRef::cut(&placed.order_id), client);
        Ok(())
    }

    /// An order asked for, by itself or in a list.
    pub(super) fn status(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let order: Order = serde_json::from_str(text).map_err(|_| "an order's status")?;
        let venue_ref = VenueRef::cut(&order.order_id);
        let client = ClientId::parse(order.order_link_id.as_bytes());
        let Some(traded) = self.traded(&order.symbol) else {
            out.push(Report::Foreign { venue_ref });
            return Ok(());
        };
        let filled = qty(&order.cum_exec_qty, traded.scale)?;
        let state = state(&order.order_status, filled).unwrap_or(OrderState::Unknown);
        let (price, qty) = (price(&order.price, traded.scale)?, qty(&order.qty, traded.scale)?);
        if let Some(client) = client {
            self.learn(venue_ref, client);
            if !state.is_final() {
                self.terms.insert(client, (price, qty));
            }
        }
        out.push(Report::Status(OrderStatus {
            client,
            venue_ref,
            symbol: traded.symbol,
            side: side(&order.side)?,
            state,
            price,
            qty,
            filled,
        }));
        Ok(())
    }

    /// An entry of the list of executions.
    pub(super) fn listed(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let execution: Execution = serde_json::from_str(text).map_err(|_| "the list of executions")?;
        match self.fill(&execution) {
            Fill::Ours(client, venue_ref) => out.push(self.fill_of(&execution, client, venue_ref)?),
            Fill::Foreign(venue_ref) => out.push(Report::Foreign { venue_ref }),
            Fill::None => {}
        }
        Ok(())
    }

    /// All balances of the account; nothing is reported unless all could be read.
    pub(super) fn account(&self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let page: Page = serde_json::from_str(text).map_err(|_| "the account")?;
        let wallet = page.list.first().ok_or("the account: it is empty")?;
        self.wallet(wallet.get(), out)
    }
}

enum Fill {
    Ours(ClientId, VenueRef),
    Foreign(VenueRef),
    None,
}

/// What is free of a coin, and what open orders and positions hold of it. The sum is the wallet:
/// what open positions would bring is not in it.
fn holding(coin: &Coin<'_>) -> Result<(Money, Money), Unreadable> {
    let total = money(&coin.wallet_balance)?;
    let mut locked = Money::ZERO;
    for part in [&coin.locked, &coin.order_margin, &coin.position_margin] {
        locked = locked.checked_add(money(part)?).ok_or("a balance")?;
    }
    let free = total.checked_add(Money(locked.0.checked_neg().ok_or("a balance")?)).ok_or("a balance")?;
    Ok((free, locked))
}

/// Something could not be read.
pub(super) fn malformed(what: Unreadable, out: &mut Vec<Report>) {
    out.push(Report::Malformed(format!("cannot read {what}")));
}

fn state(status: &str, filled: Qty) -> Option<OrderState> {
    Some(match status {
        "New" | "Untriggered" | "Triggered" => OrderState::Accepted,
        "PartiallyFilled" => OrderState::PartFilled,
        "Filled" => OrderState::Filled,
        "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => OrderState::Cancelled,
        // What has fills was not refused, whatever it is called.
        "Rejected" if filled.0 > 0 => OrderState::Cancelled,
        "Rejected" => OrderState::Rejected,
        _ => return None,
    })
}

fn side(text: &str) -> Result<Side, Unreadable> {
    match text {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        _ => Err("a side"),
    }
}

fn number(text: &str, scale: Scale) -> Option<i64> {
    if text.is_empty() { Some(0) } else { parse(text.as_bytes(), scale).ok() }
}

fn price(text: &str, scale: Scale) -> Result<Price, Unreadable> {
    number(text, scale).map(Price).ok_or("a price")
}

fn qty(text: &str, scale: Scale) -> Result<Qty, Unreadable> {
    number(text, scale).map(Qty).ok_or("a quantity")
}

fn money(text: &str) -> Result<Money, Unreadable> {
    if text.is_empty() { Ok(Money::ZERO) } else { Money::parse(text).ok_or("an amount") }
}

/// A decimal with at most so many places.
fn cut_places(text: &str, places: u8) -> &str {
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > usize::from(places) => {
            text.get(..whole.len() + 1 + usize::from(places)).unwrap_or(text)
        }
        _ => text,
    }
}

/// Milliseconds in a text.
pub(super) fn millis(text: &str) -> Result<Nanos, Unreadable> {
    let plain = !text.is_empty() && text.len() <= 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    let ms: Option<i64> = if plain { text.parse().ok() } else { None };
    ms.filter(|ms| *ms <= i64::MAX / 1_000_000).map(Nanos::from_millis).ok_or("a time")
}
