//! Positions in contracts as our fills make them: one a venue and instrument, in one-way mode. What a
//! venue reports opens it before trading starts; later it is only compared.
//!
//! A position of inverse contracts counts as the amount of the base asset that it was entered for,
//! `contracts * face / entry price`, and as owing their face: just that much of the base asset is at
//! the price's mercy, whatever the price became since.
//!
//! Profits are exact here, and rounded by the venue: a wallet may differ by a little for each fill, and
//! only more than that is drift.
//!
//! A contract is paid for in full: the margin that the ledger keeps back is the whole value that the
//! position may come to have when our open orders fill. A venue's own leverage may ask for less.

use super::AssetId;
use super::ledger::Fill;
use crate::types::{ContractKind, InstrumentId, Money, Nanos, Position, Qty, Side, VenueId};

/// What one unit of a contract's quantity stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// Linear or inverse.
    pub kind: ContractKind,
    /// The base asset of linear contracts, what the face of inverse ones is in.
    pub asset: AssetId,
    /// How much of it.
    pub amount: Money,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub settle: AssetId,
    pub unit: Unit,
    opened: bool,
    start: Position,
    pub position: Position,
    /// What our open buys and sells may add, fees included.
    open: [Money; 2],
    reported: Option<(Qty, Nanos)>,
    pub drifted: bool,
    /// Fills booked: the venue rounds the profit of each in its own way.
    fills: u32,
}

/// What a venue's rounding of average prices and profits may come to for each fill, of the asset that
/// is settled in.
const ROUNDING: Money = Money(10i128.pow(17));

impl Row {
    /// Books a fill of so many; hands out the profit it realised, of what is settled in.
    pub fn fill(&mut self, qty: Qty, fill: &Fill) -> Money {
        self.fills = self.fills.saturating_add(1);
        let kind = self.unit.kind;
        let value = if kind == ContractKind::Inverse { fill.qty } else { fill.value };
        self.position.fill_of(kind, fill.side, qty, value)
    }

    /// How far the venue's wallet may be from ours by its rounding alone.
    pub fn rounding(&self) -> Money {
        Money(ROUNDING.0 * i128::from(self.fills))
    }

    /// What a quantity of it stands for, of the unit's asset.
    pub fn amount(&self, qty: Qty) -> Money {
        Money(self.unit.amount.0 * i128::from(qty.0))
    }

    /// Kept back for the position and the open orders.
    pub fn margin(&self) -> Money {
        self.position.at_most(self.open)
    }

    /// What an order of this side may be worth, fee included, when `free` is free.
    pub fn room(&self, side: Side, free: Money) -> Money {
        let held = if side == Side::Buy { self.position.cost } else { -self.position.cost };
        self.margin() + free - held - self.open[side as usize]
    }

    /// What came of the start: of what its quantity stands for, and of what it settles in.
    pub fn exposure(&self) -> [(AssetId, Money); 2] {
        let amount = self.amount(Qty(self.position.qty.0 - self.start.qty.0));
        let kind = self.unit.kind;
        let tied_up = self.position.tied_up(kind) - self.start.tied_up(kind);
        let amount = if kind == ContractKind::Inverse { -amount } else { amount };
        [(self.unit.asset, amount), (self.settle, -tied_up)]
    }

    /// The venue's figure is another than ours, when it came at or after `since`.
    pub fn differs(&self, since: Nanos) -> bool {
        self.reported.is_some_and(|(theirs, when)| when >= since && theirs != self.position.qty)
    }

    /// The venue has told a figure.
    pub fn is_told(&self) -> bool {
        self.reported.is_some()
    }

    /// The venue's figure, when it came at or after `since`.
    pub fn reported(&self, since: Nanos) -> Option<Qty> {
        self.reported.filter(|(_, when)| *when >= since).map(|(theirs, _)| theirs)
    }

    /// The venue's figure came after `since` and is ours.
    pub fn confirmed(&self, since: Nanos) -> bool {
        self.reported.is_some_and(|(theirs, when)| when > since && theirs == self.position.qty)
    }

    /// No order of ours on this side is open.
    pub fn is_quiet(&self, side: Side) -> bool {
        self.open[side as usize] == Money::ZERO
    }

    pub fn report(&mut self, theirs: Position, closed: bool, now: Nanos) {
        if !self.opened && !closed {
            self.opened = true;
            self.start = theirs;
            self.position = theirs;
        }
        self.reported = Some((theirs.qty, now));
    }

    pub fn hold(&mut self, side: Side, more: Money) {
        let open = &mut self.open[side as usize];
        debug_assert!(!(*open + more).is_negative(), "released more than was held");
        *open = (*open + more).max(Money::ZERO);
    }
}

/// All rows, by venue and instrument.
#[derive(Clone, Debug)]
pub(super) struct Contracts {
    rows: Vec<Option<Row>>,
    instruments: usize,
}

impl Contracts {
    pub fn new(venues: usize, instruments: usize) -> Contracts {
        Contracts { rows: vec![None; venues * instruments], instruments }
    }

    /// Enters a contract.
    pub fn enter(&mut self, venue: VenueId, instrument: InstrumentId, settle: AssetId, unit: Unit) {
        if let Some(at) = self.at(venue, instrument) {
            self.rows[at] = Some(Row {
                settle,
                unit,
                opened: false,
                start: Position::FLAT,
                position: Position::FLAT,
                open: [Money::ZERO; 2],
                reported: None,
                drifted: false,
                fills: 0,
            });
        }
    }

    fn at(&self, venue: VenueId, instrument: InstrumentId) -> Option<usize> {
        let own = usize::from(instrument.0) < self.instruments;
        own.then(|| usize::from(venue.0) * self.instruments + usize::from(instrument.0))
            .filter(|at| *at < self.rows.len())
    }

    pub fn get(&self, venue: VenueId, instrument: InstrumentId) -> Option<&Row> {
        self.rows[self.at(venue, instrument)?].as_ref()
    }

    pub fn get_mut(&mut self, venue: VenueId, instrument: InstrumentId) -> Option<&mut Row> {
        let at = self.at(venue, instrument)?;
        self.rows[at].as_mut()
    }

    /// The contracts of a venue.
    pub fn of(&self, venue: VenueId) -> impl Iterator<Item = &Row> {
        let from = usize::from(venue.0) * self.instruments;
        self.rows.get(from..from + self.instruments).unwrap_or_default().iter().flatten()
    }

    /// The contracts of a venue.
    pub fn of_mut(&mut self, venue: VenueId) -> impl Iterator<Item = &mut Row> {
        let from = usize::from(venue.0) * self.instruments;
        self.rows.get_mut(from..from + self.instruments).unwrap_or_default().iter_mut().flatten()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ledger::tests::{asset, fill, money, opened, same};
    use super::super::{Fill, Ledger};
    use super::*;
    use crate::types::{Price, Scale};

    /// A ledger with a contract of 0.1 BTC a unit of quantity at both venues.
    fn contracts() -> (Ledger, [AssetId; 3]) {
        let (mut ledger, ids) = opened();
        for venue in [VenueId(0), VenueId(1)] {
            ledger.enter_contract(venue, InstrumentId(0), ids[1], tenth(ids));
        }
        (ledger, ids)
    }

    fn tenth(ids: [AssetId; 3]) -> Unit {
        Unit { kind: ContractKind::Linear, asset: ids[0], amount: money("0.1") }
    }

    fn contract(ids: [AssetId; 3], venue: u8, side: Side, contracts: i64, value: &str) -> Fill {
        let qty = Money(money("0.1").0 * i128::from(contracts));
        Fill { qty, contracts: Some(Qty(contracts)), ..fill(ids, venue, side, "0", value, ("1", 1)) }
    }

    #[test]
    fn a_contract_moves_a_position_and_profits_only() {
        let (mut ledger, ids) = contracts();
        let (venue, instrument) = (VenueId(0), InstrumentId(0));
        ledger.book(&contract(ids, 0, Side::Buy, 4, "20000"));
        assert_eq!(ledger.contract(venue, instrument), Position { qty: Qty(4), cost: money("20000") });
        assert_eq!(ledger.position(venue, ids[0]), money("1"), "the base asset stays");
        assert_eq!(ledger.position(venue, ids[1]), money("49999"));
        assert_eq!(ledger.free(venue, ids[1]), money("29999"));
        assert_eq!(ledger.residual(instrument), money("0.4"));
        ledger.book(&contract(ids, 1, Side::Sell, 4, "20200"));
        assert_eq!(ledger.residual(instrument), Money::ZERO);
        let exposure = |ledger: &Ledger| -> Vec<String> {
            ledger.net_exposure().iter().map(|(asset, sum)| format!("{asset} {sum}")).collect()
        };
        let want = ["BNB 0", "BTC 0", "USDT 198"];
        assert_eq!(exposure(&ledger), want, "bought and sold, with what it earned tied up in positions");
        ledger.book(&contract(ids, 0, Side::Sell, 4, "21000"));
        ledger.book(&contract(ids, 1, Side::Buy, 4, "21000"));
        assert_eq!(ledger.position(venue, ids[1]), money("50998"));
        assert_eq!(ledger.position(VenueId(1), ids[1]), money("49198"));
        assert_eq!(exposure(&ledger), ["BNB 0", "BTC 0", "USDT 196"]);
        ledger.fund(venue, ids[1], money("-3"));
        assert_eq!(ledger.position(venue, ids[1]), money("50995"));
        ledger.check().unwrap();
    }

    #[test]
    fn a_contract_is_paid_for_in_full_but_what_it_closes_is_not() {
        let (mut ledger, ids) = contracts();
        let (venue, instrument) = (VenueId(0), InstrumentId(0));
        let room = |ledger: &Ledger| {
            [Side::Buy, Side::Sell].map(|side| ledger.contract_room(venue, instrument, side).to_string())
        };
        assert_eq!(room(&ledger), ["50000", "50000"]);
        ledger.hold_contract(venue, instrument, Side::Buy, money("30000"));
        assert_eq!(room(&ledger), ["20000", "50000"], "only one side can come to be");
        ledger.hold_contract(venue, instrument, Side::Buy, money("-30000"));
        ledger.book(&contract(ids, 0, Side::Buy, 4, "20000"));
        assert_eq!(room(&ledger), ["29999", "69999"]);
        assert_eq!(ledger.contract_closable(venue, instrument, Side::Sell), Qty(4));
        assert_eq!(ledger.contract_closable(venue, instrument, Side::Buy), Qty(0));
        ledger.hold_contract(venue, instrument, Side::Sell, money("1"));
        assert_eq!(ledger.contract_closable(venue, instrument, Side::Sell), Qty(0));
    }

    #[test]
    fn a_venues_rounding_of_profits_is_no_drift() {
        let (mut ledger, ids) = contracts();
        let venue = VenueId(0);
        ledger.book(&contract(ids, 0, Side::Buy, 3, "10000"));
        ledger.book(&contract(ids, 0, Side::Sell, 1, "3333"));
        let drifts = |ledger: &mut Ledger, theirs: &str, at: i64| {
            ledger.report(venue, ids[1], money(theirs), Nanos(at));
            let mut drifts = 0;
            ledger.compare(venue, Nanos(at), Money::ZERO, |_| drifts += 1);
            drifts
        };
        // Ours is 49997.6666..., with 24 digits.
        assert_eq!(drifts(&mut ledger, "49997.66666667", 5), 0);
        assert_eq!(drifts(&mut ledger, "49997.66667", 6), 1);
        // What trades no contract has no such room.
        ledger.report(venue, ids[0], money("1.0000001"), Nanos(7));
        assert!(ledger.differs(venue, Nanos(7), Money::ZERO));
    }

    #[test]
    fn a_position_that_differs_is_drift() {
        let (mut ledger, _) = contracts();
        let (venue, instrument) = (VenueId(0), InstrumentId(0));
        let theirs = Position { qty: Qty(-2), cost: money("-10000") };
        ledger.report_contract(venue, instrument, theirs, Nanos(5));
        assert!(ledger.differs(venue, Nanos(5), Money::ZERO), "it opens nothing once trading began");
        assert!(!ledger.contract_confirmed(venue, instrument, Nanos(4)));
        let mut drifts = Vec::new();
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| drifts.push((drift.ours, drift.theirs)));
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| panic!("{drift:?}"));
        assert_eq!(drifts, [(Money::ZERO, money("-0.2"))]);
        assert!(ledger.contract_drifted(venue, instrument));
        ledger.report_contract(venue, instrument, Position::FLAT, Nanos(6));
        ledger.compare(venue, Nanos(5), Money::ZERO, |drift| panic!("{drift:?}"));
        assert!(!ledger.contract_drifted(venue, instrument));
        assert!(ledger.contract_confirmed(venue, instrument, Nanos(5)));

        let mut fresh = Ledger::new(1, 1);
        let ids = ["BTC", "USDT", "BNB"].map(|name| fresh.asset(asset(name)).unwrap());
        fresh.enter_contract(venue, instrument, ids[1], tenth(ids));
        fresh.report_contract(venue, instrument, theirs, Nanos(1));
        assert_eq!(fresh.contract(venue, instrument), theirs, "what was there before is where it starts");
        assert!(fresh.net_exposure().iter().all(|(_, sum)| *sum == Money::ZERO));
    }

    /// A ledger with an inverse contract of 100 USDT a unit of quantity at the first venue.
    fn inverse() -> (Ledger, [AssetId; 3]) {
        let (mut ledger, ids) = opened();
        let unit = Unit { kind: ContractKind::Inverse, asset: ids[1], amount: money("100") };
        ledger.enter_contract(VenueId(0), InstrumentId(0), ids[0], unit);
        (ledger, ids)
    }

    /// So many of them for so much of the base asset.
    fn faced(ids: [AssetId; 3], side: Side, contracts: i64, base: &str, fee: &str) -> Fill {
        let face = Money(money("100").0 * i128::from(contracts));
        let fill = fill(ids, 0, side, base, "0", (fee, 0));
        Fill { contracts: Some(Qty(contracts)), value: face, ..fill }
    }

    #[test]
    fn inverse_contracts_pay_and_earn_the_base_asset() {
        let (mut ledger, ids) = inverse();
        let (venue, instrument) = (VenueId(0), InstrumentId(0));
        // Ten sold at 50,000, each then worth 0.002, and 0.0002 of it paid as fee.
        ledger.book(&faced(ids, Side::Sell, 10, "0.02", "0.0002"));
        assert_eq!(ledger.contract(venue, instrument), Position { qty: Qty(-10), cost: money("-0.02") });
        assert_eq!(ledger.position(venue, ids[0]), money("0.9998"), "only the fee was paid");
        assert_eq!(ledger.free(venue, ids[0]), money("0.9798"), "they are paid for in full");
        assert_eq!(ledger.residual(instrument), money("-0.0202"));
        let exposure = |ledger: &Ledger| -> Vec<String> {
            ledger.net_exposure().iter().map(|(asset, sum)| format!("{asset} {sum}")).collect()
        };
        assert_eq!(exposure(&ledger), ["BNB 0", "BTC -0.0202", "USDT 1000"]);
        // 0.02 bought on spot evens them out, whatever the price becomes.
        ledger.book(&fill(ids, 1, Side::Buy, "0.02", "990", ("0", 1)));
        for price in [40_000, 50_000, 62_500] {
            let price = Price(price * Scale::DEFAULT.one());
            let pnl = ledger.pnl(instrument, price, Scale::DEFAULT, same).unwrap();
            assert_eq!((pnl.cash, pnl.residual), (money("10"), money("-0.0002")), "{price:?}");
        }
        // Closed at 62,500: 10 * 100 * (1 / 62,500 - 1 / 50,000) = -0.004.
        ledger.book(&faced(ids, Side::Buy, 10, "0.016", "0.00016"));
        assert_eq!(ledger.contract(venue, instrument), Position::FLAT);
        assert_eq!(ledger.position(venue, ids[0]), money("0.99564"));
        assert_eq!(ledger.residual(instrument), money("0.01564"), "0.02 of spot, less 0.00436");
        assert_eq!(exposure(&ledger), ["BNB 0", "BTC 0.01564", "USDT -990"]);
        assert_eq!(ledger.fees()[1], (asset("BTC"), money("0.00036")));
        ledger.check().unwrap();
    }

    #[test]
    fn an_inverse_position_that_differs_is_told_as_its_face() {
        let (mut ledger, _) = inverse();
        let theirs = Position { qty: Qty(-2), cost: money("-0.004") };
        ledger.report_contract(VenueId(0), InstrumentId(0), theirs, Nanos(5));
        let mut drifts = Vec::new();
        ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |drift| drifts.push((drift.asset, drift.theirs)));
        assert_eq!(drifts, [(asset("USDT"), money("-200"))]);
    }

    proptest! {
        /// What inverse contracts realise is what their instrument's flows leave of the base asset when
        /// the last is closed, and at any time its exposure is those flows.
        #[test]
        fn inverse_profits_are_the_flows_of_the_base_asset(fills in proptest::collection::vec(
            (any::<bool>(), 1i64..1_000, 1_000_000_000_000i64..9_000_000_000_000), 1..40,
        )) {
            let (mut ledger, ids) = inverse();
            let (venue, scale) = (VenueId(0), Scale::DEFAULT);
            let at = |contracts: i64, price: i64| {
                let face = 100i128 * i128::from(contracts) * 10i128.pow(24);
                Money(face * 100_000_000 / i128::from(price)).to_string()
            };
            let mut held = 0;
            for (buys, contracts, price) in fills {
                let side = if buys { Side::Buy } else { Side::Sell };
                ledger.book(&faced(ids, side, contracts, &at(contracts, price), "0"));
                held += side.sign() * contracts;
                let exposure = ledger.net_exposure();
                prop_assert_eq!(exposure[1].1, ledger.residual(InstrumentId(0)));
                prop_assert_eq!(exposure[2].1, ledger.cash(InstrumentId(0))[0].1);
            }
            let side = if held > 0 { Side::Sell } else { Side::Buy };
            if held != 0 {
                ledger.book(&faced(ids, side, held.abs(), &at(held.abs(), 5_000_000_000_000), "0"));
            }
            prop_assert_eq!(ledger.contract(venue, InstrumentId(0)), Position::FLAT);
            let earned = ledger.position(venue, ids[0]) - money("1");
            prop_assert_eq!(ledger.residual(InstrumentId(0)), earned);
            let pnl = ledger.pnl(InstrumentId(0), Price(1), scale, same).unwrap();
            prop_assert_eq!((pnl.cash, pnl.residual), (Money::ZERO, earned));
            ledger.check().unwrap();
        }
    }
}
