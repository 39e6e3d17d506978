//! The report of a backtest: one HTML file with its charts inside, that asks nothing of any network.
//!
//! Numbers become floats on their way into a chart, and nothing is ever read back from one.

mod axis;
mod html;
mod svg;

pub use svg::heat_map;
