//! What the benches share: frames as the exchanges write them, our decoders and other people's parsers.

pub mod frames;
pub mod ours;
pub mod rivals;
pub mod sbe;
