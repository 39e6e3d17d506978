//! Kraken: its JSON, read.

pub mod decode;
