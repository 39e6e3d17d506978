//! The kill flag: one bit that anyone may set, that nobody can clear, and that is read last before
//! every order's bytes leave.

use crate::sync::{Arc, AtomicBool, Ordering};

/// A handle to the flag. Clones share it, so that an operator's thread can stop an engine that is
/// busy. A new start of the engine is the only way back.
#[derive(Clone, Default, Debug)]
pub struct Kill(Arc<AtomicBool>);

impl Kill {
    /// A flag that is not set.
    pub fn new() -> Kill {
        Kill::default()
    }

    /// No new order leaves after the executor's next look at the flag. Cancels still do.
    pub fn trip(&self) {
        // ORDERING: with the load below; nothing but the flag itself is passed.
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is set.
    pub fn is_tripped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag() {
        let (kill, other) = {
            let kill = Kill::new();
            (kill.clone(), kill)
        };
        assert!(!kill.is_tripped());
        other.trip();
        assert!(kill.is_tripped());
    }
}
