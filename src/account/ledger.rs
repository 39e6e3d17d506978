//! Positions, fees, and profit and loss, exact to the last unit.
//!
//! For every venue and asset: what we started with, plus what fills brought, less what fills took,
//! less fees, is the position. Nothing else moves a position: a balance that a venue reports is
//! compared with it, and a difference is reported as [`Drift`], never absorbed. What open orders
//! may still spend is held, so that two orders never count on the same money.
//!
//! A fill of a contract moves a position and not the base asset. The asset that it settles in then
//! holds what was realised: its account is the wallet that the venue reports.
//!
//! Inverse contracts settle in the base asset. For the profit of an instrument they are the trade that
//! they stand for: so much of the base asset, `contracts * face / price`, for their face. Both flows
//! together leave, of a position that was closed, what it realised, to the last unit.

use super::contracts::{Contracts, Row, Unit};
use crate::types::{
    Asset, InstrumentId, Money, Nanos, Position, Price, Qty, Rate, Round, Scale, Side, VenueId,
};

/// An asset's row in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssetId(u8);

impl AssetId {
    /// Its place, below [`Ledger::ASSETS_MAX`].
    #[inline]
    pub fn row(self) -> usize {
        usize::from(self.0)
    }
}

const ASSETS_MAX: usize = Ledger::ASSETS_MAX;

/// Why the ledger refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// More assets than it has room for.
    #[error("{0}: the ledger holds at most 64 assets")]
    TooManyAssets(Asset),
    /// Start, flows and fees do not add up to the position: a bug, and no order may follow.
    #[error("{asset} on venue {}: position {position} is not {expected}", venue.0)]
    Unbalanced {
        /// Where.
        venue: VenueId,
        /// Of what.
        asset: Asset,
        /// What the ledger says.
        position: Money,
        /// What start, flows and fees say.
        expected: Money,
    },
}

#[derive(Clone, Copy, Default, Debug)]
struct Account {
    /// The start is known.
    opened: bool,
    start: Money,
    /// Fills and funding, signed, before fees.
    flow: Money,
    fees: Money,
    /// Moved with each fill, apart from the three above, so that they judge it.
    position: Money,
    held: Money,
    reported: Option<(Money, Nanos)>,
    drifted: bool,
}

/// One fill, as the ledger books it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Side of our order.
    pub side: Side,
    /// What changed hands.
    pub base: AssetId,
    /// What it was paid in, or what its price is in.
    pub quote: AssetId,
    /// How much of the base asset; of inverse contracts what they stand for at the price.
    pub qty: Money,
    /// For a contract, the quantity that its position moves by; the base asset then stays.
    pub contracts: Option<Qty>,
    /// How much of the quote asset; of inverse contracts their face.
    pub value: Money,
    /// The fee; negative = rebate.
    pub fee: Money,
    /// What the fee was paid in.
    pub fee_asset: AssetId,
}

/// What an instrument's fills brought, with the fees paid in its own assets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Flow {
    base: Money,
    /// By what it was paid in: they are never added up without a rate.
    quotes: Vec<(AssetId, Money)>,
}

impl Flow {
    /// What came of an asset that it was paid in.
    fn quote(&mut self, asset: AssetId) -> &mut Money {
        let at = self.quotes.iter().position(|(own, _)| *own == asset).unwrap_or_else(|| {
            self.quotes.push((asset, Money::ZERO));
            self.quotes.len() - 1
        });
        &mut self.quotes[at].1
    }
}

/// Profit and loss of an instrument, in one asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pnl {
    /// Cash flows: sold less bought less fees paid in the quote asset.
    pub cash: Money,
    /// What is left of the base asset.
    pub residual: Money,
    /// What that is worth.
    pub mark: Money,
}

impl Pnl {
    /// Cash flows and the mark of the residual.
    pub fn total(&self) -> Money {
        self.cash + self.mark
    }
}

/// A venue's balance that is not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drift {
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub asset: Asset,
    /// By the ledger.
    pub ours: Money,
    /// By the venue.
    pub theirs: Money,
}

/// Positions of every venue and asset.
#[derive(Clone, Debug)]
pub struct Ledger {
    assets: Vec<Asset>,
    venues: usize,
    accounts: Vec<Account>,
    flows: Vec<Flow>,
    contracts: Contracts,
    /// Venues whose opening balances are closed: what they report later is only compared.
    closed: Vec<bool>,
    /// By venue: see [`Ledger::changes`].
    changes: Vec<u64>,
}

impl Ledger {
    /// The most assets a ledger holds: accounts are a flat table made at start.
    pub const ASSETS_MAX: usize = 64;

    /// An empty ledger of so many venues and instruments.
    pub fn new(venues: usize, instruments: usize) -> Ledger {
        Ledger {
            assets: Vec::with_capacity(ASSETS_MAX),
            venues,
            accounts: vec![Account::default(); venues * ASSETS_MAX],
            flows: vec![Flow::default(); instruments],
            contracts: Contracts::new(venues, instruments),
            closed: vec![false; venues],
            changes: vec![0; venues],
        }
    }

    /// Counts what moved anything at a venue: whatever was worked out of its balances, positions and
    /// holds is good while this stays the same.
    #[inline]
    pub fn changes(&self, venue: VenueId) -> u64 {
        self.changes[usize::from(venue.0)]
    }

    #[inline]
    fn changed(&mut self, venue: VenueId) {
        self.changes[usize::from(venue.0)] += 1;
    }

    /// The row of an asset, entered when new.
    ///
    /// # Errors
    /// [`LedgerError::TooManyAssets`] when there is no room for it.
    pub fn asset(&mut self, asset: Asset) -> Result<AssetId, LedgerError> {
        if let Some(id) = self.find(asset) {
            return Ok(id);
        }
        if self.assets.len() == ASSETS_MAX {
            return Err(LedgerError::TooManyAssets(asset));
        }
        self.assets.push(asset);
        Ok(AssetId((self.assets.len() - 1) as u8))
    }

    /// The row of an asset that has one.
    pub fn find(&self, asset: Asset) -> Option<AssetId> {
        self.assets.iter().position(|own| *own == asset).map(|at| AssetId(at as u8))
    }

    /// The name of a row.
    pub fn name(&self, asset: AssetId) -> Asset {
        self.assets[usize::from(asset.0)]
    }

    fn at(&self, venue: VenueId, asset: AssetId) -> &Account {
        &self.accounts[usize::from(venue.0) * ASSETS_MAX + usize::from(asset.0)]
    }

    /// An account that is about to change.
    fn at_mut(&mut self, venue: VenueId, asset: AssetId) -> &mut Account {
        self.changed(venue);
        &mut self.accounts[usize::from(venue.0) * ASSETS_MAX + usize::from(asset.0)]
    }

    /// Takes a balance that a venue reports (free and locked together). Before the venue's first
    /// order the first one of an asset opens its account; later ones are only compared.
    pub fn report(&mut self, venue: VenueId, asset: AssetId, total: Money, now: Nanos) {
        let closed = self.closed[usize::from(venue.0)];
        let account = self.at_mut(venue, asset);
        if !account.opened && !closed {
            account.opened = true;
            account.start = total;
            account.position += total;
        }
        account.reported = Some((total, now));
    }

    /// From now on no balance of this venue opens an account: an order is about to move them.
    pub fn close_opening(&mut self, venue: VenueId) {
        self.closed[usize::from(venue.0)] = true;
    }

    /// Books a fill.
    pub fn book(&mut self, fill: &Fill) {
        let sign = |amount: Money, plus: bool| if plus { amount } else { -amount };
        let buys = fill.side == Side::Buy;
        let row = self.contracts.get_mut(fill.venue, fill.instrument);
        let changes = match (fill.contracts, row) {
            (Some(qty), Some(row)) => {
                let realised = row.fill(qty, fill);
                [(fill.base, Money::ZERO), (row.settle, realised)]
            }
            _ => [(fill.base, sign(fill.qty, buys)), (fill.quote, sign(fill.value, !buys))],
        };
        for (asset, change) in changes {
            let account = self.at_mut(fill.venue, asset);
            account.flow += change;
            account.position += change;
        }
        let account = self.at_mut(fill.venue, fill.fee_asset);
        account.fees += fill.fee;
        account.position -= fill.fee;

        if let Some(flow) = self.flows.get_mut(usize::from(fill.instrument.0)) {
            flow.base += sign(fill.qty, buys);
            *flow.quote(fill.quote) += sign(fill.value, !buys);
            if fill.fee_asset == fill.base {
                flow.base -= fill.fee;
            } else if fill.fee_asset == fill.quote {
                *flow.quote(fill.quote) -= fill.fee;
            }
        }
    }

    /// Books what a venue moved otherwise than by trades: the funding of positions.
    pub fn fund(&mut self, venue: VenueId, asset: AssetId, amount: Money) {
        let account = self.at_mut(venue, asset);
        account.flow += amount;
        account.position += amount;
    }

    /// Enters a contract.
    pub(super) fn enter_contract(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        settle: AssetId,
        unit: Unit,
    ) {
        self.changed(venue);
        self.contracts.enter(venue, instrument, settle, unit);
    }

    /// The position in a contract; flat for what is none.
    pub fn contract(&self, venue: VenueId, instrument: InstrumentId) -> Position {
        self.contracts.get(venue, instrument).map_or(Position::FLAT, |row| row.position)
    }

    /// Takes a position that a venue reports. Before the venue's first order the first one opens the
    /// row; later ones are only compared.
    pub fn report_contract(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        theirs: Position,
        now: Nanos,
    ) {
        let closed = self.closed[usize::from(venue.0)];
        self.changed(venue);
        if let Some(row) = self.contracts.get_mut(venue, instrument) {
            row.report(theirs, closed, now);
        }
    }

    /// Whether a position that came after `since` is ours.
    pub fn contract_confirmed(&self, venue: VenueId, instrument: InstrumentId, since: Nanos) -> bool {
        self.contracts.get(venue, instrument).is_some_and(|row| row.confirmed(since))
    }

    /// The venue has told what is held of a contract.
    pub fn contract_told(&self, venue: VenueId, instrument: InstrumentId) -> bool {
        self.contracts.get(venue, instrument).is_some_and(Row::is_told)
    }

    /// The venue's position differed from ours when last compared.
    pub fn contract_drifted(&self, venue: VenueId, instrument: InstrumentId) -> bool {
        self.contracts.get(venue, instrument).is_some_and(|row| row.drifted)
    }

    /// What a further order in a contract may be worth, fee included, of what it settles in: what is
    /// free, and what it would close of the position.
    pub fn contract_room(&self, venue: VenueId, instrument: InstrumentId, side: Side) -> Money {
        let row = self.contracts.get(venue, instrument);
        row.map_or(Money::ZERO, |row| row.room(side, self.free(venue, row.settle)))
    }

    /// How much an order may be to only reduce our position, whatever else happens; zero while other
    /// orders of ours are open on that side.
    pub fn contract_closable(&self, venue: VenueId, instrument: InstrumentId, side: Side) -> Qty {
        let row = self.contracts.get(venue, instrument).filter(|row| row.is_quiet(side));
        row.map_or(Qty::ZERO, |row| row.position.closable(side))
    }

    /// Counts what an open order in a contract may still be worth, of what it settles in; less than zero
    /// when it is worth less than it was.
    pub fn hold_contract(&mut self, venue: VenueId, instrument: InstrumentId, side: Side, more: Money) {
        self.changed(venue);
        if let Some(row) = self.contracts.get_mut(venue, instrument) {
            row.hold(side, more);
        }
    }

    /// What we own.
    pub fn position(&self, venue: VenueId, asset: AssetId) -> Money {
        self.at(venue, asset).position
    }

    /// What we own and neither an open order may still spend nor a contract needs. Never negative.
    pub fn free(&self, venue: VenueId, asset: AssetId) -> Money {
        let account = self.at(venue, asset);
        let contracts = self.contracts.of(venue).filter(|row| row.settle == asset);
        let margin: Money = contracts.map(Row::margin).sum();
        (account.position - account.held - margin).max(Money::ZERO)
    }

    /// Sets aside what an open order may spend.
    pub fn hold(&mut self, venue: VenueId, asset: AssetId, amount: Money) {
        self.at_mut(venue, asset).held += amount;
    }

    /// Frees what was set aside.
    pub fn release(&mut self, venue: VenueId, asset: AssetId, amount: Money) {
        let held = &mut self.at_mut(venue, asset).held;
        debug_assert!(*held >= amount, "released more than was held");
        *held = (*held - amount).max(Money::ZERO);
    }

    /// What is set aside.
    pub fn held(&self, venue: VenueId, asset: AssetId) -> Money {
        self.at(venue, asset).held
    }

    /// The venue's own figure and when it came.
    pub fn reported(&self, venue: VenueId, asset: AssetId) -> Option<(Money, Nanos)> {
        self.at(venue, asset).reported
    }

    /// How far a venue's balance may be from ours: `plain`, and more where contracts settle in it,
    /// whose profits each venue rounds in its own way.
    pub fn tolerance(&self, venue: VenueId, asset: AssetId, plain: Money) -> Money {
        let contracts = self.contracts.of(venue).filter(|row| row.settle == asset);
        plain + contracts.map(Row::rounding).sum()
    }

    /// A venue has told any balance at or after `since`.
    pub fn told_since(&self, venue: VenueId, since: Nanos) -> bool {
        let told = |asset| self.at(venue, AssetId(asset)).reported.is_some_and(|(_, when)| when >= since);
        (0..self.assets.len()).any(|asset| told(asset as u8))
    }

    /// Whether any of a venue's balances or positions, as last reported at or after `since`, differs
    /// from ours, balances by more than `tolerance`, and has not been told as drift yet.
    pub fn differs(&self, venue: VenueId, since: Nanos, tolerance: Money) -> bool {
        let contracts = self.contracts.of(venue).any(|row| !row.drifted && row.differs(since));
        contracts
            || (0..self.assets.len()).any(|asset| {
                let account = self.at(venue, AssetId(asset as u8));
                !account.drifted
                    && account.reported.is_some_and(|(theirs, when)| {
                        when >= since
                            && (theirs - account.position).abs()
                                > self.tolerance(venue, AssetId(asset as u8), tolerance)
                    })
            })
    }

    /// Compares a venue's balances and positions, as last reported at or after `since`, with ours. Call it only
    /// while nothing is in flight there. A difference, of balances above `tolerance`, is handed out once, when it
    /// appears, and marks the account until a later report agrees.
    pub fn compare(&mut self, venue: VenueId, since: Nanos, tolerance: Money, mut found: impl FnMut(Drift)) {
        self.changed(venue);
        for at in 0..self.assets.len() {
            let asset = self.assets[at];
            let tolerance = self.tolerance(venue, AssetId(at as u8), tolerance);
            let account = &mut self.accounts[usize::from(venue.0) * ASSETS_MAX + at];
            let Some((theirs, when)) = account.reported else { continue };
            if when < since {
                continue;
            }
            let drifted = (theirs - account.position).abs() > tolerance;
            if drifted && !account.drifted {
                found(Drift { venue, asset, ours: account.position, theirs });
            }
            account.drifted = drifted;
        }
        for row in self.contracts.of_mut(venue) {
            let Some(theirs) = row.reported(since) else { continue };
            let drifted = theirs != row.position.qty;
            if drifted && !row.drifted {
                let asset = self.assets[usize::from(row.unit.asset.0)];
                found(Drift { venue, asset, ours: row.amount(row.position.qty), theirs: row.amount(theirs) });
            }
            row.drifted = drifted;
        }
    }

    /// The venue's figure differed from ours when last compared.
    pub fn drifted(&self, venue: VenueId, asset: AssetId) -> bool {
        self.at(venue, asset).drifted
    }

    /// An asset's position on all venues.
    pub fn total(&self, asset: AssetId) -> Money {
        (0..self.venues).map(|venue| self.position(VenueId(venue as u8), asset)).sum()
    }

    /// How many venues there are.
    pub fn venues(&self) -> usize {
        self.venues
    }

    fn by_asset(&self, figure: impl Fn(&Account) -> Money) -> Vec<(Asset, Money)> {
        let mut all: Vec<_> = (0..self.assets.len())
            .map(|asset| {
                let accounts = (0..self.venues).map(|venue| &self.accounts[venue * ASSETS_MAX + asset]);
                (self.assets[asset], accounts.map(&figure).sum())
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// End minus start, by asset, over all venues. A linear contract counts as what it stands for of its
    /// base asset, and as what it cost; an inverse one as its face, the other way round, and as what of
    /// its base asset it was entered for. Sorted by name.
    pub fn net_exposure(&self) -> Vec<(Asset, Money)> {
        let mut all = self.by_asset(|account| account.position - account.start);
        for row in self.contracts.all() {
            for (asset, change) in row.exposure() {
                let name = self.name(asset);
                if let Some(sum) = all.iter_mut().find(|sum| sum.0 == name) {
                    sum.1 += change;
                }
            }
        }
        all
    }

    /// Fees paid, by asset, over all venues. Sorted by name.
    pub fn fees(&self) -> Vec<(Asset, Money)> {
        self.by_asset(|account| account.fees)
    }

    /// What an instrument's fills brought of its base asset, net of fees in it.
    pub fn residual(&self, instrument: InstrumentId) -> Money {
        self.flows.get(usize::from(instrument.0)).map_or(Money::ZERO, |flow| flow.base)
    }

    /// What an instrument's fills brought of each asset that it was paid in, net of fees in it.
    pub fn cash(&self, instrument: InstrumentId) -> &[(AssetId, Money)] {
        self.flows.get(usize::from(instrument.0)).map_or(&[], |flow| &flow.quotes)
    }

    /// Profit and loss of an instrument with what is left of the base asset marked at `price`, which
    /// is in the asset that `worth` tells of: what a unit of an asset that was paid in is worth.
    /// `None` where it does not tell, or when something is out of range. Fees paid in a third asset
    /// are in [`Ledger::fees`].
    pub fn pnl(
        &self,
        instrument: InstrumentId,
        price: Price,
        scale: Scale,
        worth: impl Fn(AssetId) -> Option<Rate>,
    ) -> Option<Pnl> {
        let residual = self.residual(instrument);
        let mut cash = Money::ZERO;
        for (asset, amount) in self.cash(instrument) {
            cash = cash.checked_add(worth(*asset)?.money(*amount, Round::Down)?)?;
        }
        Some(Pnl { cash, residual, mark: mark(residual, price, scale)? })
    }

    /// Whether every account is its start plus fills and funding less fees.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] names the first that is not.
    pub fn check(&self) -> Result<(), LedgerError> {
        for venue in 0..self.venues {
            for (at, asset) in self.assets.iter().enumerate() {
                let account = &self.accounts[venue * ASSETS_MAX + at];
                let expected = account.start + account.flow - account.fees;
                if expected != account.position {
                    let position = account.position;
                    let venue = VenueId(venue as u8);
                    return Err(LedgerError::Unbalanced { venue, asset: *asset, position, expected });
                }
            }
        }
        Ok(())
    }
}

/// What `amount` of a base asset is worth at `price`, rounded down; `None` when out of range.
pub fn mark(amount: Money, price: Price, scale: Scale) -> Option<Money> {
    // Whole units of 1e-8 first: the plain product of the two numbers does not fit 128 bits.
    const UNIT: i128 = 10i128.pow(16);
    let (whole, rest) = (amount.0.div_euclid(UNIT), amount.0.rem_euclid(UNIT));
    let (price, one) = (i128::from(price.0), i128::from(scale.one()));
    let whole = whole.checked_mul(price)?.checked_mul(UNIT / one)?;
    let rest = (rest * price).div_euclid(one);
    whole.checked_add(rest).map(Money)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::account) fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    pub(in crate::account) fn asset(name: &str) -> Asset {
        Asset::new(name).unwrap()
    }

    pub(in crate::account) fn same(_: AssetId) -> Option<Rate> {
        Some(Rate::ONE)
    }

    pub(in crate::account) fn opened() -> (Ledger, [AssetId; 3]) {
        let mut ledger = Ledger::new(2, 1);
        let ids = ["BTC", "USDT", "BNB"].map(|name| ledger.asset(asset(name)).unwrap());
        for venue in [VenueId(0), VenueId(1)] {
            ledger.report(venue, ids[0], money("1"), Nanos(1));
            ledger.report(venue, ids[1], money("50000"), Nanos(1));
            ledger.close_opening(venue);
        }
        (ledger, ids)
    }

    pub(in crate::account) fn fill(
        ids: [AssetId; 3],
        venue: u8,
        side: Side,
        qty: &str,
        value: &str,
        fee: (&str, usize),
    ) -> Fill {
        Fill {
            venue: VenueId(venue),
            instrument: InstrumentId(0),
            side,
            base: ids[0],
            quote: ids[1],
            qty: money(qty),
            contracts: None,
            value: money(value),
            fee: money(fee.0),
            fee_asset: ids[fee.1],
        }
    }

    #[test]
    fn both_legs_of_an_arbitrage_add_up() {
        let (mut ledger, ids) = opened();
        ledger.book(&fill(ids, 0, Side::Buy, "0.5", "30000", ("30", 1)));
        ledger.book(&fill(ids, 1, Side::Sell, "0.5", "30100", ("7.5", 1)));
        assert_eq!(ledger.position(VenueId(0), ids[0]), money("1.5"));
        assert_eq!(ledger.position(VenueId(0), ids[1]), money("19970"));
        assert_eq!(ledger.position(VenueId(1), ids[1]), money("80092.5"));
        let pnl = ledger.pnl(InstrumentId(0), Price(6_000_000_000_000), Scale::DEFAULT, same).unwrap();
        assert_eq!((pnl.cash, pnl.residual, pnl.total()), (money("62.5"), Money::ZERO, money("62.5")));
        let exposure =
            vec![(asset("BNB"), Money::ZERO), (asset("BTC"), Money::ZERO), (asset("USDT"), money("62.5"))];
        assert_eq!(ledger.net_exposure(), exposure);
        assert_eq!(ledger.fees()[2], (asset("USDT"), money("37.5")));
        ledger.check().unwrap();
    }

    #[test]
    fn what_was_paid_in_two_assets_is_added_up_by_their_rate_alone() {
        let (mut ledger, ids) = opened();
        let usd = ledger.asset(asset("USD")).unwrap();
        ledger.book(&fill(ids, 0, Side::Buy, "0.5", "30000", ("30", 1)));
        let sold = fill([ids[0], usd, ids[2]], 1, Side::Sell, "0.4", "24000", ("24", 1));
        ledger.book(&sold);
        assert_eq!(ledger.cash(InstrumentId(0)), [(ids[1], money("-30030")), (usd, money("23976"))]);
        let price = Price(6_000_000_000_000);
        let of = |worth: &dyn Fn(AssetId) -> Option<Rate>| {
            ledger.pnl(InstrumentId(0), price, Scale::DEFAULT, worth)
        };
        assert_eq!(of(&|_| None), None, "without a rate there is no sum");
        let half = |id: AssetId| Rate::new(1, if id == usd { 1 } else { 2 }, Round::Down);
        let pnl = of(&half).unwrap();
        // 23,976 less half of 30,030, and 0.1 at 60,000.
        assert_eq!((pnl.cash, pnl.mark), (money("8961"), money("6000")));
        ledger.check().unwrap();
    }

    #[test]
    fn a_fee_in_the_base_asset_leaves_less_than_was_bought() {
        let (mut ledger, ids) = opened();
        ledger.book(&fill(ids, 0, Side::Buy, "0.5", "30000", ("0.0005", 0)));
        assert_eq!(ledger.residual(InstrumentId(0)), money("0.4995"));
        let pnl = ledger.pnl(InstrumentId(0), Price(6_000_000_000_000), Scale::DEFAULT, same).unwrap();
        assert_eq!((pnl.mark, pnl.total()), (money("29970"), money("-30")));
        ledger.book(&fill(ids, 0, Side::Sell, "0.1", "6000", ("0.01", 2)));
        assert_eq!(ledger.position(VenueId(0), ids[2]), money("-0.01"));
        ledger.check().unwrap();
    }

    #[test]
    fn a_balance_that_differs_is_told_once_and_never_absorbed() {
        let (mut ledger, ids) = opened();
        let late = ledger.asset(asset("ETH")).unwrap();
        let venue = VenueId(0);
        // Appears after trading began: it opens nothing, and is drift.
        ledger.report(venue, late, money("3"), Nanos(5));
        ledger.report(venue, ids[0], money("1.1"), Nanos(5));
        let mut drifts = Vec::new();
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| drifts.push(drift));
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| drifts.push(drift));
        let told: Vec<_> =
            drifts.iter().map(|d| (d.asset.to_string(), d.ours.to_string(), d.theirs.to_string())).collect();
        let want = [("BTC", "1", "1.1"), ("ETH", "0", "3")].map(|(a, b, c)| (a.into(), b.into(), c.into()));
        assert_eq!(told, want);
        assert!(ledger.drifted(venue, ids[0]));
        assert_eq!(ledger.position(venue, ids[0]), money("1"));
        ledger.report(venue, ids[0], money("1"), Nanos(6));
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| panic!("{drift:?}"));
        assert!(!ledger.drifted(venue, ids[0]));
    }

    #[test]
    fn held_money_is_not_free() {
        let (mut ledger, ids) = opened();
        ledger.hold(VenueId(0), ids[1], money("49000"));
        assert_eq!(ledger.free(VenueId(0), ids[1]), money("1000"));
        ledger.hold(VenueId(0), ids[1], money("2000"));
        assert_eq!(ledger.free(VenueId(0), ids[1]), Money::ZERO);
        ledger.release(VenueId(0), ids[1], money("51000"));
        assert_eq!(ledger.free(VenueId(0), ids[1]), money("50000"));
    }

    #[test]
    fn the_ledger_refuses_a_65th_asset() {
        let mut ledger = Ledger::new(1, 1);
        for i in 0..64 {
            ledger.asset(asset(&format!("A{i}"))).unwrap();
        }
        assert_eq!(ledger.asset(asset("B")), Err(LedgerError::TooManyAssets(asset("B"))));
    }

    proptest! {
        /// Whatever fills come, positions are start plus fills less fees, and profit is the change
        /// of what we own, marked.
        #[test]
        fn fills_conserve(fills in proptest::collection::vec(
            (0u8..2, any::<bool>(), 1i64..1_000_000, 1i64..10_000_000_000_000, -1_000i64..1_000_000, 0usize..3),
            0..40,
        )) {
            let (mut ledger, ids) = opened();
            let e8 = Scale::DEFAULT;
            let (mut base, mut quote) = (Money::ZERO, Money::ZERO);
            for (venue, buys, qty, price, fee, fee_asset) in fills {
                let side = if buys { Side::Buy } else { Side::Sell };
                let qty_amount = Money::from_scaled(qty, e8);
                let value = Money::notional(Price(price), crate::types::Qty(qty), e8).unwrap();
                let fee = Money::from_scaled(fee, e8);
                ledger.book(&Fill {
                    venue: VenueId(venue), instrument: InstrumentId(0), side, base: ids[0], quote: ids[1],
                    qty: qty_amount, contracts: None, value, fee, fee_asset: ids[fee_asset],
                });
                let signed = |m: Money, plus: bool| if plus { m } else { -m };
                base += signed(qty_amount, buys);
                quote += signed(value, !buys);
                if fee_asset == 0 { base -= fee }
                if fee_asset == 1 { quote -= fee }
            }
            ledger.check().unwrap();
            let pnl = ledger.pnl(InstrumentId(0), Price(e8.one()), e8, same).unwrap();
            prop_assert_eq!((pnl.cash, pnl.residual, pnl.total()), (quote, base, quote + base));
            let exposure = ledger.net_exposure();
            prop_assert_eq!(exposure[1].1, base);
            prop_assert_eq!(exposure[2].1, quote);
        }
    }
}
