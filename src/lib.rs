//! xarb: a low-latency cross-exchange arbitrage engine for crypto markets.

pub mod types;
