//! Kraken spot: v2 (and, for old captures, v1) WebSocket and REST.

mod checksum;
mod json;
mod sign;
mod symbol;
