//! The stages feed, detect and exec, each with a `turn`; and how roles are wired together.

pub mod connection;
mod role;

pub use role::Role;
