//! Venue-neutral codecs without I/O: bytes in, values out. Knows `types` only.

pub mod json;
mod padded;

pub use padded::{PADDING, Padded, PaddedBuf};
