//! Kraken spot: v2 (and, for old captures, v1) WebSocket and REST.

mod checksum;
mod error;
mod json;
mod order;
mod private;
mod sign;
mod symbol;
