//! Binance: its JSON, read.

pub mod decode;
