//! Histograms of hops, counters and their tables: never on the hot path.

mod hops;
pub mod table;

pub(crate) use hops::FED;
pub use hops::{Hop, HopRecorder, HopReport, HopRow, Stamps};
pub use table::{Table, count, nanos};
