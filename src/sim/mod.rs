//! Simulated exchanges: matching, markets, faults, virtual networks and the stepped world.
//!
//! Everything here is driven by the time and the seed it is handed, so one seed gives one run. The
//! venues' protocols are not here: each venue's own `Server` speaks them, over an exchange that
//! knows none.

pub mod audit;
pub mod checks;
pub mod delay;
pub mod exchange;
#[cfg(test)]
mod fixture;
pub mod keys;
pub mod market;
pub mod net;
pub mod setup;
pub mod venue;
pub mod world;
