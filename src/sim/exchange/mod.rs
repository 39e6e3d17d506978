//! A simulated exchange: matching by price and time, balances, fees and the life of orders, in
//! integers. It knows no protocol; a venue's `Server` speaks for it.
//!
//! The rules:
//! - The best price trades first, and the oldest order within it; a trade is at the resting price.
//! - An order that would meet an order of its own account ends there (the newest is cancelled).
//! - What an order may spend is locked while it rests, fee included where the buyer pays it in the
//!   quote asset.
//! - A client id is unique among open orders only: one that ended may come again.
//! - A contract moves a signed position and not the base asset; profit, loss and fees are booked in the
//!   asset it settles in, of inverse contracts the base asset, and margin is locked for position and
//!   orders (`margin`).
//! - Fees go to an account of the exchange, so each asset's sum over all accounts never changes
//!   but by deposits.
//! - Orders and fills of traders are kept for ever, for queries and for the checks; those of house
//!   accounts (market makers) are not, and cause no private events.

mod book;
mod crowd;
mod fees;
mod life;
mod margin;
#[cfg(test)]
mod tests;
mod wallet;

use std::collections::BTreeMap;

use oorandom::Rand64;

use self::book::Book;
use self::life::Order;
use self::margin::Positions;
use self::wallet::Wallets;
use crate::types::{Asset, FeeRate, InstrumentSpec, Money, Nanos, OrderState, Price, Qty, Side};
use crate::venue::{
    AccountId, ApiKey, Balance, BookSnapshot, EndReason, Event, Exchange, FillView, NewOrder, OrderRef,
    OrderView, PositionView, Refusal,
};

pub use self::crowd::Crowd;
pub use self::fees::{FeeIn, Rates};

/// What an exchange is made from.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// What it trades: spot instruments and contracts.
    pub instruments: Vec<InstrumentSpec>,
    /// What fees are taken from.
    pub fee_in: FeeIn,
    /// What traders pay. House accounts pay nothing.
    pub rates: Rates,
    /// What goes wrong at random.
    pub knobs: Knobs,
}

/// What goes wrong at random, in parts of a million. House accounts are spared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Knobs {
    /// New orders refused for no reason.
    pub reject_ppm: u32,
    /// Immediate-or-cancel and market orders that get only some of what the book shows.
    pub partial_ppm: u32,
    /// No new orders and no amendments; cancels go through.
    pub halted: bool,
}

/// Why there is no such exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// A tick, lot or multiplier of zero or below, or finer together than money is.
    #[error("{0}: tick, lot and contract multiplier must be positive, and their product exact")]
    BadGrid(String),
}

/// What the crowd has of each asset.
const CROWD_FUNDS: Money = Money(Money::ONE.0 * 1_000_000_000);

/// Who an account belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountKind {
    /// Someone outside: pays fees, meets the knobs, has history and private events.
    Trader,
    /// The simulation itself: pays no fees, is spared the knobs, leaves no history.
    House,
}

/// A resting order of a house account was hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HouseFill {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub instrument: usize,
    /// The order.
    pub order: u64,
    /// Side of the house's order.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Nothing of the order is left.
    pub done: bool,
    /// When.
    pub at: Nanos,
}

struct Account {
    kind: AccountKind,
    rates: Rates,
    /// Orders that ended, in that order.
    ended: Vec<u64>,
    fills: Vec<FillView>,
    /// Client ids in use by open orders.
    open_clients: BTreeMap<String, u64>,
    /// The last order that had a client id, open or ended.
    last_clients: BTreeMap<String, u64>,
}

/// The exchange.
pub struct SimExchange {
    instruments: Vec<InstrumentSpec>,
    fee_in: FeeIn,
    rates: Rates,
    knobs: Knobs,
    rng: Rand64,
    books: Vec<Book>,
    seqs: Vec<u64>,
    changed_at: Vec<Nanos>,
    accounts: Vec<Account>,
    keys: Vec<ApiKey>,
    /// The account whose liquidity a recording shows.
    crowd: Option<AccountId>,
    wallets: Wallets,
    positions: Positions,
    open: BTreeMap<u64, Order>,
    past: BTreeMap<u64, OrderView>,
    next_order: u64,
    next_trade: u64,
    events: Vec<Event>,
    house_fills: Vec<HouseFill>,
    /// Levels that changed since the last book event.
    dirty: Vec<(usize, Side, Price)>,
    changes: Vec<(AccountId, usize)>,
    batching: bool,
}

impl SimExchange {
    /// The account that fees are paid to.
    pub const FEES: AccountId = AccountId(0);

    /// An exchange with empty books and no accounts but the one for fees.
    ///
    /// # Errors
    /// [`ExchangeError`] for instruments that cannot be simulated.
    pub fn new(config: ExchangeConfig, rng: Rand64) -> Result<SimExchange, ExchangeError> {
        for spec in &config.instruments {
            let positive = spec.tick.0 > 0 && spec.lot.0 > 0 && spec.contract.multiplier > 0;
            if !positive || spec.contract.value(spec.tick, spec.lot, spec.scale).is_none() {
                return Err(ExchangeError::BadGrid(spec.name.to_string()));
            }
        }
        let assets = config.instruments.iter().flat_map(margin::assets).collect();
        let count = config.instruments.len();
        let mut exchange = SimExchange {
            instruments: config.instruments,
            fee_in: config.fee_in,
            rates: config.rates,
            knobs: config.knobs,
            rng,
            books: (0..count).map(|_| Book::default()).collect(),
            seqs: vec![0; count],
            changed_at: vec![Nanos::ZERO; count],
            accounts: Vec::new(),
            keys: Vec::new(),
            crowd: None,
            wallets: Wallets::new(assets),
            positions: Positions::default(),
            open: BTreeMap::new(),
            past: BTreeMap::new(),
            next_order: 1,
            next_trade: 1,
            events: Vec::new(),
            house_fills: Vec::new(),
            dirty: Vec::new(),
            changes: Vec::new(),
            batching: false,
        };
        let fees = exchange.open_account(AccountKind::House);
        debug_assert_eq!(fees, SimExchange::FEES);
        Ok(exchange)
    }

    /// Opens an empty account.
    pub fn open_account(&mut self, kind: AccountKind) -> AccountId {
        let rates = match kind {
            AccountKind::Trader => self.rates,
            AccountKind::House => Rates::default(),
        };
        self.accounts.push(Account {
            kind,
            rates,
            ended: Vec::new(),
            fills: Vec::new(),
            open_clients: BTreeMap::new(),
            last_clients: BTreeMap::new(),
        });
        self.wallets.open()
    }

    /// Opens the account whose liquidity a recording shows, with an empty book for each instrument,
    /// and with enough of everything.
    pub fn open_crowd(&mut self) {
        let account = self.open_account(AccountKind::House);
        self.crowd = Some(account);
        for (at, spec) in self.instruments.clone().iter().enumerate() {
            for asset in margin::assets(spec) {
                self.deposit(account, asset, CROWD_FUNDS);
            }
            self.books[at].crowd = Some(Box::new(Crowd::new(spec.tick)));
        }
    }

    /// The recorded book of an instrument, where there is one.
    pub fn crowd(&mut self, instrument: usize) -> Option<&mut Crowd> {
        self.books.get_mut(instrument)?.crowd.as_deref_mut()
    }

    /// Forgets what ended or was filled before a time, so that a long run needs no more memory than a
    /// short one. Nobody may ask for it any more.
    pub fn forget(&mut self, before: Nanos) {
        let SimExchange { accounts, past, .. } = self;
        for account in accounts {
            let old = |id: &u64| past.get(id).is_some_and(|view| view.updated < before);
            let old = account.ended.iter().take_while(|id| old(id)).count();
            for id in account.ended.drain(..old) {
                if let Some(view) = past.remove(&id)
                    && account.last_clients.get(&view.order.client) == Some(&id)
                {
                    account.last_clients.remove(&view.order.client);
                }
            }
            let old = account.fills.iter().take_while(|fill| fill.at < before).count();
            account.fills.drain(..old);
        }
    }

    /// The assets whose balances trades of an instrument move.
    pub fn assets_of(&self, instrument: usize) -> Vec<Asset> {
        self.instruments.get(instrument).map_or_else(Vec::new, margin::assets)
    }

    /// Brings in an asset from outside.
    pub fn deposit(&mut self, account: AccountId, asset: Asset, amount: Money) {
        self.wallets.deposit(account, asset, amount);
    }

    /// Makes money out of nothing, to prove that the audit sees it.
    #[cfg(test)]
    pub(super) fn counterfeit(&mut self, account: AccountId, asset: Asset, amount: Money) {
        self.wallets.give(account, asset, amount);
    }

    /// Makes a key valid; one of the same name is replaced.
    pub fn add_key(&mut self, key: ApiKey) {
        self.keys.retain(|old| old.key != key.key);
        self.keys.push(key);
    }

    /// Makes a key invalid; true when there was one.
    pub fn revoke_key(&mut self, key: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|old| old.key != key);
        self.keys.len() < before
    }

    /// What an account pays from its next order on.
    pub fn set_rates(&mut self, account: AccountId, rates: Rates) {
        if let Some(account) = self.accounts.get_mut(account.0 as usize) {
            account.rates = rates;
        }
    }

    /// What goes wrong at random; may be turned at any time.
    pub fn knobs(&mut self) -> &mut Knobs {
        &mut self.knobs
    }

    /// Moves everything that happened since the last call to the end of `into`, in order.
    pub fn drain_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Moves the hits on house orders since the last call to the end of `into`, in order.
    pub fn drain_house_fills(&mut self, into: &mut Vec<HouseFill>) {
        into.append(&mut self.house_fills);
    }

    /// Runs `work` and tells all its changes of a book in one update, as a market maker's mass
    /// quote does.
    pub fn batch<R>(&mut self, now: Nanos, work: impl FnOnce(&mut SimExchange) -> R) -> R {
        self.batching = true;
        let result = work(self);
        self.batching = false;
        self.tell(now);
        result
    }

    /// All accounts but the one for fees, in order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, AccountKind)> + '_ {
        self.accounts.iter().enumerate().skip(1).map(|(at, account)| (AccountId(at as u32), account.kind))
    }

    /// Each asset's sum over all accounts, fees included, with what realised profits owe to positions
    /// that are still open taken off.
    pub fn totals(&self) -> Vec<(Asset, Money)> {
        let tied_up = self.tied_up(None);
        let open = |asset| tied_up.get(&asset).copied().unwrap_or_default();
        self.wallets.totals().map(|(asset, held, _)| (asset, held - open(asset))).collect()
    }

    /// Fees taken so far less rebates paid, by asset.
    pub fn fees_taken(&self) -> Vec<(Asset, Money)> {
        self.wallets
            .assets()
            .iter()
            .map(|asset| (*asset, self.wallets.free(SimExchange::FEES, *asset)))
            .collect()
    }

    /// Every order that a trader's account ever had accepted, in order of its number.
    pub fn all_orders(&self, account: AccountId) -> Vec<OrderView> {
        let mut all: Vec<OrderView> =
            self.past.values().filter(|view| view.account == account).cloned().collect();
        all.extend(self.open.values().filter(|order| order.view.account == account).map(|o| o.view.clone()));
        all.sort_by_key(|view| view.id);
        all
    }

    /// Whether money is conserved: each asset's sum over all accounts is what was deposited, what
    /// is locked is what open orders and positions need, every contract that one account is long another is
    /// short, and no book is crossed.
    ///
    /// # Errors
    /// What does not add up, in words.
    pub fn audit(&self) -> Result<(), String> {
        let deposits = self.wallets.totals().map(|(_, _, deposited)| deposited);
        for ((asset, held), deposited) in self.totals().into_iter().zip(deposits) {
            if held != deposited {
                return Err(format!("{asset}: accounts hold {held}, {deposited} was deposited"));
            }
        }
        let mut locked: BTreeMap<(AccountId, Asset), Money> = BTreeMap::new();
        self.audit_positions()?;
        for (account, instrument, .., margin) in self.positions.all() {
            let settle = self.instruments[instrument].contract.settle;
            *locked.entry((account, settle)).or_default() += margin;
        }
        for order in self.open.values().filter(|order| !self.is_contract(order.view.order.instrument)) {
            let asset = self.paid_in(&order.view.order);
            *locked.entry((order.view.account, asset)).or_default() += order.locked;
        }
        for at in 0..self.accounts.len() {
            for asset in self.wallets.assets() {
                let account = AccountId(at as u32);
                let need = locked.get(&(account, *asset)).copied().unwrap_or_default();
                let have = self.wallets.locked(account, *asset);
                if need != have {
                    return Err(format!("account {at}: {have} {asset} is locked, open orders need {need}"));
                }
            }
        }
        for (spec, book) in self.instruments.iter().zip(&self.books) {
            if let (Some(bid), Some(ask)) = (book.best(Side::Buy), book.best(Side::Sell))
                && bid >= ask
            {
                return Err(format!("{}: bid {} meets ask {}", spec.name, bid.0, ask.0));
            }
        }
        Ok(())
    }

    fn paid_in(&self, order: &NewOrder) -> Asset {
        let spec = &self.instruments[order.instrument];
        match order.side {
            Side::Buy => spec.quote,
            Side::Sell => spec.base,
        }
    }

    fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(account.0 as usize)
    }
}

impl Exchange for SimExchange {
    fn key(&self, api_key: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.key == api_key)
    }

    fn instruments(&self) -> &[InstrumentSpec] {
        &self.instruments
    }

    fn place(&mut self, account: AccountId, order: &NewOrder, now: Nanos) -> Result<OrderView, Refusal> {
        let placed = self.place_order(account, order, now);
        self.tell(now);
        placed
    }

    fn cancel(&mut self, account: AccountId, order: &OrderRef, now: Nanos) -> Result<OrderView, Refusal> {
        let id = self.find_open(account, order).ok_or(Refusal::UnknownOrder)?;
        let view = self.cancel_order(id, EndReason::Cancelled, now).ok_or(Refusal::UnknownOrder);
        self.tell(now);
        view
    }

    fn cancel_all(&mut self, account: AccountId, instrument: Option<usize>, now: Nanos) -> Vec<OrderView> {
        let meant = |order: &&Order| {
            order.view.account == account && instrument.is_none_or(|at| at == order.view.order.instrument)
        };
        let ids: Vec<u64> = self.open.values().filter(meant).map(|order| order.view.id).collect();
        let views =
            ids.into_iter().filter_map(|id| self.cancel_order(id, EndReason::Cancelled, now)).collect();
        self.tell(now);
        views
    }

    fn amend(
        &mut self,
        account: AccountId,
        order: &OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
        now: Nanos,
    ) -> Result<OrderView, Refusal> {
        let id = self.find_open(account, order).ok_or(Refusal::UnknownOrder)?;
        let amended = self.amend_order(id, price, qty, now);
        self.tell(now);
        amended
    }

    fn order(&self, account: AccountId, order: &OrderRef) -> Option<OrderView> {
        let id = match order {
            OrderRef::Id(id) => *id,
            OrderRef::Client(client) => *self.account(account)?.last_clients.get(client)?,
        };
        let view = self.open.get(&id).map(|order| &order.view).or_else(|| self.past.get(&id))?;
        (view.account == account).then(|| view.clone())
    }

    fn open_orders(&self, account: AccountId) -> Vec<OrderView> {
        let own = self.open.values().filter(|order| order.view.account == account);
        own.map(|order| order.view.clone()).collect()
    }

    fn ended_orders(&self, account: AccountId, since: Nanos) -> Vec<OrderView> {
        let ended = self.account(account).map_or(&[][..], |account| &account.ended);
        let views = ended.iter().filter_map(|id| self.past.get(id));
        views.filter(|view| view.updated >= since).cloned().collect()
    }

    fn fills(&self, account: AccountId, since: Nanos) -> Vec<FillView> {
        let fills = self.account(account).map_or(&[][..], |account| &account.fills);
        fills.iter().filter(|fill| fill.at >= since).cloned().collect()
    }

    fn balances(&self, account: AccountId) -> Vec<Balance> {
        if !self.wallets.has(account) {
            return Vec::new();
        }
        (0..self.wallets.assets().len()).map(|at| self.wallets.balance(account, at)).collect()
    }

    fn positions(&self, account: AccountId) -> Vec<PositionView> {
        self.positions.views(account)
    }

    fn leverage(&self, account: AccountId, instrument: usize) -> u32 {
        let contract = self.instruments.get(instrument).is_some() && self.is_contract(instrument);
        if contract { self.positions.leverage(account, instrument) } else { 1 }
    }

    fn set_leverage(
        &mut self,
        account: AccountId,
        instrument: usize,
        leverage: u32,
        now: Nanos,
    ) -> Result<(), Refusal> {
        let changed = self.change_leverage(account, instrument, leverage);
        self.tell(now);
        changed
    }

    fn fees(&self, account: AccountId, _instrument: usize) -> (FeeRate, FeeRate) {
        let rates = self.account(account).map_or(self.rates, |account| account.rates);
        (rates.maker, rates.taker)
    }

    fn book(&self, instrument: usize, levels: usize) -> BookSnapshot {
        let side = |side| self.books.get(instrument).map_or_else(Vec::new, |book| book.levels(side, levels));
        BookSnapshot {
            seq: self.seqs.get(instrument).copied().unwrap_or_default(),
            at: self.changed_at.get(instrument).copied().unwrap_or_default(),
            bids: side(Side::Buy),
            asks: side(Side::Sell),
        }
    }
}

/// The state of an order that works on: accepted, or part-filled.
fn working(filled: Qty) -> OrderState {
    if filled.0 == 0 { OrderState::Accepted } else { OrderState::PartFilled }
}
