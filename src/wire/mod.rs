//! Venue-neutral codecs without I/O: bytes in, values out. Knows `types` only.

pub mod decimal;
pub mod hmac;
pub mod http;
mod inbox;
pub mod json;
pub mod lz4;
mod outbox;
mod padded;
pub mod pen;
pub mod ws;

pub use padded::{PADDING, Padded, PaddedBuf};
