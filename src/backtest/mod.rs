//! Backtests: captured messages through the same decoders, books, detector, gate and encoders as live.
//!
//! Messages of all captures are merged by local time ([`Timeline`]), reach the books over the feeds of
//! their venues ([`Feeds`]), and after every message that changed a book both directions of each of its
//! pairs are evaluated at full depth. What is found is listed ([`Rows`]) by a rule that anyone can
//! recompute; balances, cooldowns and intents in flight have no part in it.

mod feeds;
mod rows;
mod run;
mod timeline;

pub use feeds::{Feeds, Turned};
pub use rows::{COLUMNS, Names, Rows, row};
pub use run::{Backtest, BacktestError, Outcome, rules_of};
pub use timeline::Timeline;
