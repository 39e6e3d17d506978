//! The report of a backtest: one HTML file with its charts inside, that asks nothing of any network.
//!
//! What it needs is [`Observed`] during the run, in room that does not grow with it; [`page()`] writes
//! it up. Numbers become floats on their way into a chart, and nothing is ever read back from one.

mod axis;
mod bounded;
mod funnel;
mod html;
mod observed;
mod page;
mod svg;

pub use funnel::{FunnelRow, funnel_rows};
pub use observed::Observed;
pub use page::{Fingerprint, Inputs, page};
pub use svg::heat_map;
