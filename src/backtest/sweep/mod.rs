//! Many backtests of one configuration: every combination of some keys' values, over every day.
//!
//! A [`Grid`] is what is tried, a [`Shard`] one backtest of it: a combination on one day's captures, and
//! on one side of the split in time. Shards know nothing of each other and are plain commands, so
//! anything can run them, anywhere; what each leaves is a small JSON file that carries the shard's
//! fingerprint. [`Ranking`] is made of those files: by what was earned on the part for choosing, with
//! the part that was held back beside it.

mod grid;
mod page;
mod ranking;
mod shard;

pub use grid::{Axis, Grid, GridError};
pub use page::page;
pub use ranking::{CSV_RESULTS, Place, Ranking, csv_row};
pub use shard::{Day, Part, Shard, plan, read_result, result_text, split_at};
