//! Backtests: captured messages through the same decoders, books, detector, gate and encoders as live.
//!
//! Messages of all captures are merged by local time ([`Timeline`]), reach the books over the feeds of
//! their venues ([`Feeds`]), and after every message that changed a book both directions of each of its
//! pairs are evaluated at full depth. What is found is listed ([`Rows`]) by a rule that anyone can
//! recompute; balances, cooldowns and intents in flight have no part in it.
//!
//! Then it goes on as it would live: through the gate and the executor, in bytes, over a virtual
//! network with the latencies of the configuration ([`VenueDelays`]), to the venues' simulated servers,
//! whose books are the captured ones at the time of the order's arrival. What came of each opportunity
//! is in the [`Account`]. One thread, virtual time: the same captures and configuration give the same
//! journal, byte for byte. Memory does not grow with the captures.
//!
//! A recording of a stepped run can also be run again as it was ([`Again`]): its inputs, private ones
//! included, in the place of connections.

mod account;
mod again;
pub mod example;
mod feeds;
mod market;
pub mod report;
mod rows;
mod run;
pub mod sweep;
mod timeline;
mod trade;

pub use account::{Account, Funnel, LEDGER_COLUMNS, Parts, Taken};
pub use again::{Again, AgainError, Happened};
pub use feeds::{Feeds, Turned};
pub use market::{Ahead, Places};
pub use rows::{COLUMNS, Names, Rows, row};
pub use run::{Backtest, BacktestError, BookOutcome, Lists, Outcome};
pub use timeline::Timeline;
pub use trade::{Tradable, Trade, VenueDelays, Venues};
