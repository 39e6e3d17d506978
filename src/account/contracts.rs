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
