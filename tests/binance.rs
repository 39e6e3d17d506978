//! Binance from the outside: captured streams rebuilt into books, dialogues with its simulated
//! server, and hostile input.

#[path = "binance/captures.rs"]
mod captures;
