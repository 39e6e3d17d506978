//! Simulated exchanges: matching, markets, faults, virtual networks and the stepped world.
