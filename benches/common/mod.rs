//! What the benches share: frames as the exchanges write them, and other people's parsers.

pub mod frames;
pub mod rivals;
