//! What we own and earned: positions, fees, profit and loss, and where assets should stand.

mod contracts;
mod inventory;
mod ledger;
mod market;

pub use inventory::{Inventory, InventoryError};
pub use ledger::{AssetId, Drift, Fill, Ledger, LedgerError, Pnl, mark};
pub use market::{Market, MarketError, Markets};

#[cfg(test)]
pub(crate) use market::tests::{inverse_spec as test_inverse_spec, spec as test_spec};
