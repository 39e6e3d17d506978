//! Backtests through the real binary: generated captures always, recorded ones where they are.

#[path = "backtest/captures.rs"]
mod captures;
#[path = "common/captures.rs"]
mod common;
#[path = "backtest/inverse.rs"]
mod inverse;
#[path = "backtest/ledger.rs"]
mod ledger;
#[path = "backtest/markets.rs"]
mod markets;
#[path = "backtest/orders.rs"]
mod orders;
#[path = "backtest/reference.rs"]
mod reference;
#[path = "backtest/run.rs"]
mod run;
#[path = "backtest/sweep.rs"]
mod sweep;
