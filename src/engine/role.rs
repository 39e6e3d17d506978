//! Roles: what threads turn.

use std::any::Any;

use crate::types::Nanos;

/// A piece of the engine that is called again and again. Who calls it, and how the caller waits
/// when there is nothing to do, is configuration. `Any`, so that whoever ran it can tell what it was.
pub trait Role: Send + Any {
    /// Its name in reports, and its thread's.
    fn name(&self) -> &str;

    /// Does a bounded amount of work and never blocks; true when there was any.
    fn turn(&mut self, now: Nanos) -> bool;

    /// Goes through the motions of a turn that has work, with nothing to show for it: called now and then
    /// on a thread that spins without work, so that its caches hold what the next message needs. What
    /// follows is the same as if it had not been called.
    fn rehearse(&mut self, now: Nanos) {
        let _ = now;
    }
}
