//! Binance from the outside: captured streams rebuilt into books, dialogues with its simulated
//! server, and hostile input.

#[path = "binance/captures.rs"]
mod captures;
#[path = "binance/coinm.rs"]
mod coinm;
#[path = "common/captures.rs"]
mod common;
#[path = "binance/dialogue.rs"]
mod dialogue;
#[path = "binance/futures.rs"]
mod futures;
#[path = "binance/hostile.rs"]
mod hostile;
#[path = "binance/limits.rs"]
mod limits;
#[path = "binance/market.rs"]
mod market;
#[path = "binance/preview.rs"]
mod preview;
#[path = "binance/trading.rs"]
mod trading;
