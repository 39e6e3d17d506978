//! Binance: spot in full, USD-M and COIN-M futures for their books.
//!
//! - `symbol`: metadata to instrument rules.
//! - `decode`, `sync`, `subscribe`, `feed`: market data to book changes.
//! - `hmac`, `sign`: signatures.
//! - `pen`, `order`, `call`: orders and other requests to bytes.

pub mod call;
pub mod decode;
pub mod feed;
pub mod hmac;
pub mod order;
pub mod pen;
pub mod sign;
mod subscribe;
pub mod symbol;
pub mod sync;
