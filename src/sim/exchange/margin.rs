//! Positions in contracts: one per account and instrument, the margin that is locked for it
//! and for the open orders beside it, and what a reduce-only order may still close.
//!
//! The margin of an instrument is what the position may come to be worth at entry prices when its
//! open buys or its open sells fill, over the leverage, with the fee of those orders on top. A
//! profit or loss counts when it is realised, not before: what a position would bring is no
//! collateral, and a loss beyond the wallet leaves the account owing. Nobody is liquidated.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::life::Order;
use super::{AccountKind, SimExchange};
use crate::types::{Contract, ContractKind, FeeRate, InstrumentSpec, Money, Nanos, Position, Qty, Side};
use crate::venue::{AccountId, EndReason, NewOrder, PositionView, Refusal};

/// The highest leverage that an account may choose.
const LEVERAGE_MAX: u32 = 125;

/// A slack of 1e-8 for fees: taker and maker parts are each rounded up.
const FEE_SLACK: Money = Money(10i128.pow(16));

#[derive(Clone, Copy, Default)]
struct Row {
    position: Position,
    /// Value at the limit of open buys and sells that are not reduce-only.
    open: [Money; 2],
    /// Of the settlement asset.
    locked: Money,
    leverage: Option<u32>,
}

/// All positions.
pub(super) struct Positions {
    rows: BTreeMap<(AccountId, usize), Row>,
    /// For accounts that did not choose one.
    leverage: u32,
    /// Positions that changed since they were last told.
    changed: Vec<(AccountId, usize)>,
}

impl Default for Positions {
    fn default() -> Positions {
        Positions { rows: BTreeMap::new(), leverage: 1, changed: Vec::new() }
    }
}

impl Positions {
    fn row(&self, account: AccountId, instrument: usize) -> Row {
        self.rows.get(&(account, instrument)).copied().unwrap_or_default()
    }

    fn row_mut(&mut self, account: AccountId, instrument: usize) -> &mut Row {
        self.rows.entry((account, instrument)).or_default()
    }

    pub fn of(&self, account: AccountId, instrument: usize) -> Position {
        self.row(account, instrument).position
    }

    pub fn leverage(&self, account: AccountId, instrument: usize) -> u32 {
        self.row(account, instrument).leverage.unwrap_or(self.leverage)
    }

    pub fn view(&self, account: AccountId, instrument: usize) -> PositionView {
        let Row { position, locked, .. } = self.row(account, instrument);
        let leverage = self.leverage(account, instrument);
        PositionView { instrument, position, margin: locked, leverage }
    }

    /// Positions of an account that are not flat.
    pub fn views(&self, account: AccountId) -> Vec<PositionView> {
        let own = self.rows.range((account, 0)..=(account, usize::MAX));
        let held = own.filter(|(_, row)| row.position != Position::FLAT);
        held.map(|((_, instrument), _)| self.view(account, *instrument)).collect()
    }

    /// Every row: account, instrument, position, open values, what is locked.
    pub fn all(&self) -> impl Iterator<Item = (AccountId, usize, Position, [Money; 2], Money)> + '_ {
        self.rows.iter().map(|((account, at), row)| (*account, *at, row.position, row.open, row.locked))
    }

    /// What changed since the last call, each once.
    pub fn take_changed(&mut self) -> Vec<(AccountId, usize)> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

impl SimExchange {
    /// The leverage of accounts that chose none, 1 to 125; it starts at 1.
    pub fn set_default_leverage(&mut self, leverage: u32) {
        self.positions.leverage = leverage.clamp(1, LEVERAGE_MAX);
        let rows: Vec<_> = self.positions.rows.keys().copied().collect();
        rows.into_iter().for_each(|(account, instrument)| self.remargin(account, instrument));
    }

    pub(super) fn is_contract(&self, instrument: usize) -> bool {
        self.instruments[instrument].contract.kind != ContractKind::Spot
    }

    /// What `qty` of an order is worth: what it would trade now at the prices it would meet, the
    /// rest at its limit. `None` when that does not fit.
    pub(super) fn worth(
        &self,
        order: &NewOrder,
        limit: Option<crate::types::Price>,
        qty: Qty,
    ) -> Option<Money> {
        let spec = &self.instruments[order.instrument];
        let (mut left, mut value) = (qty, Money::ZERO);
        for (price, _, shown) in self.books[order.instrument].in_reach(order.side, limit) {
            let piece = left.min(shown);
            value = value.checked_add(spec.contract.value(price, piece, spec.scale)?)?;
            left = Qty(left.0 - piece.0);
            if left == Qty::ZERO {
                return Some(value);
            }
        }
        match limit {
            Some(limit) => value.checked_add(spec.contract.value(limit, left, spec.scale)?),
            None => Some(value),
        }
    }

    /// Whether the account has the margin for an order worth `value`, in place of one that stands
    /// for `instead`.
    pub(super) fn check_margin(
        &self,
        account: AccountId,
        order: &NewOrder,
        value: Money,
        instead: Money,
    ) -> Result<(), Refusal> {
        let row = self.positions.row(account, order.instrument);
        let mut open = row.open;
        let side = &mut open[order.side as usize];
        *side = (*side - instead).checked_add(value).ok_or(Refusal::Margin)?;
        let more = self.required(account, order.instrument, row.position, open) - row.locked;
        let settle = self.instruments[order.instrument].contract.settle;
        let enough = more <= Money::ZERO || more <= self.wallets.free(account, settle);
        if enough { Ok(()) } else { Err(Refusal::Margin) }
    }

    /// What of an opposite position no open reduce-only order closes yet.
    pub(super) fn closable(
        &self,
        account: AccountId,
        instrument: usize,
        side: Side,
        but: Option<u64>,
    ) -> Qty {
        let closing = self.reducing(account, instrument, side).filter(|order| Some(order.view.id) != but);
        let taken: i64 = closing.map(|order| order.left().0).sum();
        Qty(self.positions.of(account, instrument).closable(side).0 - taken)
    }

    fn reducing(&self, account: AccountId, instrument: usize, side: Side) -> impl Iterator<Item = &Order> {
        self.open.values().filter(move |order| {
            let own = &order.view.order;
            own.reduce_only
                && order.view.account == account
                && own.instrument == instrument
                && own.side == side
        })
    }

    /// What must be locked of the settlement asset.
    fn required(&self, account: AccountId, instrument: usize, position: Position, open: [Money; 2]) -> Money {
        let leverage = i128::from(self.positions.leverage(account, instrument));
        let margin = Money((position.at_most(open).0 + leverage - 1) / leverage);
        let orders = open[0] + open[1];
        if orders == Money::ZERO {
            return margin;
        }
        let worst = self.account(account).map_or(FeeRate(0), |account| account.rates.worst());
        margin + orders.fee_up(worst.max(FeeRate(0))) + FEE_SLACK
    }

    /// Locks what position and open orders require now.
    pub(super) fn remargin(&mut self, account: AccountId, instrument: usize) {
        let row = self.positions.row(account, instrument);
        let required = self.required(account, instrument, row.position, row.open);
        let settle = self.instruments[instrument].contract.settle;
        self.wallets.set_margin(account, settle, required - row.locked);
        self.positions.row_mut(account, instrument).locked = required;
    }

    /// Counts an open order for what it is worth now instead of what it was.
    pub(super) fn remargin_order(&mut self, order: &mut Order, value: Money) {
        let NewOrder { instrument, side, .. } = order.view.order;
        let open = &mut self.positions.row_mut(order.view.account, instrument).open[side as usize];
        *open += value - order.locked;
        order.locked = value;
        self.remargin(order.view.account, instrument);
    }

    /// Books one side of a trade in a contract; the fee is taken as well.
    pub(super) fn settle_contract(
        &mut self,
        account: AccountId,
        instrument: usize,
        side: Side,
        qty: Qty,
        value: Money,
        fee: Money,
    ) {
        let Contract { kind, settle, .. } = self.instruments[instrument].contract;
        let row = self.positions.row_mut(account, instrument);
        let realised = row.position.fill_of(kind, side, qty, value);
        self.wallets.settle(account, settle, realised - fee);
        self.wallets.give(SimExchange::FEES, settle, fee);
        self.remargin(account, instrument);
        if self.accounts[account.0 as usize].kind == AccountKind::Trader {
            self.positions.changed.push((account, instrument));
        }
    }

    /// Ends reduce-only orders for which no position is left, the newest first.
    pub(super) fn trim_reducing(&mut self, account: AccountId, instrument: usize, now: Nanos) {
        for side in Side::BOTH {
            while self.closable(account, instrument, side, None).0 < 0 {
                let newest = self.reducing(account, instrument, side).map(|order| order.view.id).last();
                let Some(id) = newest else { break };
                self.cancel_order(id, EndReason::ReduceOnly, now);
            }
        }
    }

    pub(super) fn change_leverage(
        &mut self,
        account: AccountId,
        instrument: usize,
        leverage: u32,
    ) -> Result<(), Refusal> {
        let spec = self.instruments.get(instrument).ok_or(Refusal::UnknownInstrument)?;
        let settle = spec.contract.settle;
        if !self.is_contract(instrument) || !(1..=LEVERAGE_MAX).contains(&leverage) {
            return Err(Refusal::Leverage);
        }
        if !self.wallets.has(account) {
            return Err(Refusal::Balance);
        }
        let row = *self.positions.row_mut(account, instrument);
        self.positions.row_mut(account, instrument).leverage = Some(leverage);
        let more = self.required(account, instrument, row.position, row.open) - row.locked;
        if more > Money::ZERO && more > self.wallets.free(account, settle) {
            self.positions.row_mut(account, instrument).leverage = row.leverage;
            return Err(Refusal::Margin);
        }
        self.remargin(account, instrument);
        self.positions.changed.push((account, instrument));
        Ok(())
    }

    /// What positions tie up of each asset ([`Position::tied_up`]). Added over all accounts it is what
    /// realised profits have moved between wallets.
    pub fn tied_up(&self, account: Option<AccountId>) -> BTreeMap<crate::types::Asset, Money> {
        let mut sums = BTreeMap::new();
        for (_, instrument, position, ..) in
            self.positions.all().filter(|(own, ..)| account.is_none_or(|account| account == *own))
        {
            let Contract { kind, settle, .. } = self.instruments[instrument].contract;
            *sums.entry(settle).or_insert(Money::ZERO) += position.tied_up(kind);
        }
        sums
    }

    /// Whether positions cancel out over all accounts, and the margin of each is what it must be.
    pub(super) fn audit_positions(&self) -> Result<(), String> {
        let mut held: BTreeMap<usize, i64> = BTreeMap::new();
        for (account, instrument, position, open, locked) in self.positions.all() {
            let name = &self.instruments[instrument].name;
            *held.entry(instrument).or_default() += position.qty.0;
            let orders = self
                .open
                .values()
                .filter(|order| order.view.account == account && order.view.order.instrument == instrument);
            let mut want = [Money::ZERO; 2];
            orders.for_each(|order| want[order.view.order.side as usize] += order.locked);
            if want != open {
                return Err(format!("account {}: open orders of {name} are counted wrong", account.0));
            }
            let required = self.required(account, instrument, position, open);
            if locked != required {
                return Err(format!(
                    "account {}: {locked} is the margin of {name}, {required} is required",
                    account.0
                ));
            }
            for side in Side::BOTH {
                if self.closable(account, instrument, side, None).0 < 0 {
                    return Err(format!(
                        "account {}: reduce-only orders of {name} close too much",
                        account.0
                    ));
                }
            }
        }
        match held.into_iter().find(|(_, sum)| *sum != 0) {
            Some((at, sum)) => Err(format!("{}: positions add up to {sum}", self.instruments[at].name)),
            None => Ok(()),
        }
    }
}

/// The assets whose balances an instrument moves.
pub(super) fn assets(spec: &InstrumentSpec) -> Vec<crate::types::Asset> {
    match spec.contract.kind {
        ContractKind::Spot => vec![spec.base, spec.quote],
        ContractKind::Linear | ContractKind::Inverse => vec![spec.contract.settle],
    }
}
