//! xarb: a low-latency cross-exchange arbitrage engine for crypto markets.

pub mod account;
pub mod book;
pub mod capture;
pub mod cli;
pub mod config;
pub mod detect;
pub mod engine;
pub mod exec;
pub mod host;
pub mod risk;
pub mod sim;
pub mod sync;
pub mod telemetry;
pub mod types;
pub mod venue;
pub mod wire;
