//! Roles: what threads turn.

use crate::types::Nanos;

/// A piece of the engine that is called again and again. Who calls it, and how the caller waits
/// when there is nothing to do, is configuration.
pub trait Role: Send {
    /// Its name in reports, and its thread's.
    fn name(&self) -> &str;

    /// Does a bounded amount of work and never blocks; true when there was any.
    fn turn(&mut self, now: Nanos) -> bool;
}
