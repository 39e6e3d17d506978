//! The gateway against the simulated server.
