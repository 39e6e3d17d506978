//! The feed against the simulated server.
