//! Client order ids: made ahead, unique for ever, and recognisable as ours.
//!
//! The tag is the first 48 bits of HMAC-SHA256, under a key of this installation, over environment,
//! run, counter and leg. So nobody without the key can make an id that passes for ours, and an
//! order on our account that lacks the tag stands out. Ids cost some hundred nanoseconds to make,
//! so a few wait in a ring.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::{ClientId, ClientIdParts, Environment};

/// Ids kept ready for each of the first legs.
const READY: usize = 32;
/// Legs whose ids are kept ready; others are made when asked for.
const LEGS: usize = 2;

/// The source of client ids of one run.
pub struct Ids {
    environment: Environment,
    run: u32,
    /// The next counter.
    counter: u64,
    /// Keyed once; its midstates are copied for each id. As good as the key: no `Debug`.
    mac: Hmac<Sha256>,
    ready: [Vec<ClientId>; LEGS],
    made_late: u64,
}

/// Whose order an id belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// This run of this engine.
    ThisRun,
    /// Another run, or another environment, of this installation.
    OtherRun,
    /// Not ours.
    Foreign,
}

impl Ids {
    /// Ids for a run. `run` must differ between any two runs under one key.
    pub fn new(environment: Environment, run: u32, key: &[u8; 32]) -> Ids {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        let ready = std::array::from_fn(|_| Vec::with_capacity(READY));
        let mut ids = Ids { environment, run, counter: 0, mac, ready, made_late: 0 };
        while ids.refill(LEGS * READY) > 0 {}
        ids
    }

    fn tag(&self, parts: &ClientIdParts) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(&[parts.environment as u8]);
        mac.update(&parts.run.to_le_bytes());
        mac.update(&parts.counter.to_le_bytes());
        mac.update(&[parts.leg]);
        let tag = mac.finalize().into_bytes();
        tag.iter().take(6).fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn make(&mut self, leg: u8) -> ClientId {
        let (environment, run, counter) = (self.environment, self.run, self.counter);
        self.counter += 1;
        let mut parts = ClientIdParts { environment, run, counter, leg: leg & 15, tag: 0 };
        parts.tag = self.tag(&parts);
        ClientId::new(parts)
    }

    /// The next id. No two are alike.
    pub fn take(&mut self, leg: u8) -> ClientId {
        match self.ready.get_mut(usize::from(leg)).and_then(Vec::pop) {
            Some(id) => id,
            None => {
                self.made_late += 1;
                self.make(leg)
            }
        }
    }

    /// Makes up to `count` ids ahead, and returns how many it made. For idle time.
    pub fn refill(&mut self, count: usize) -> usize {
        let mut made = 0;
        for leg in 0..LEGS {
            while made < count && self.ready[leg].len() < READY {
                let id = self.make(leg as u8);
                // The oldest is taken first, so that counters leave in order.
                self.ready[leg].insert(0, id);
                made += 1;
            }
        }
        made
    }

    /// Whose order this is.
    pub fn origin(&self, id: ClientId) -> Origin {
        let parts = id.parts();
        if ClientId::new(parts) != id || self.tag(&parts) != parts.tag {
            return Origin::Foreign;
        }
        if parts.environment == self.environment && parts.run == self.run && parts.counter < self.counter {
            Origin::ThisRun
        } else {
            Origin::OtherRun
        }
    }

    /// Ids that had to be made when they were needed.
    pub fn made_late(&self) -> u64 {
        self.made_late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_ours() {
        let mut ids = Ids::new(Environment::Sim, 7, &[1; 32]);
        let mut seen = BTreeSet::new();
        for i in 0..1_000u32 {
            if i % 100 == 0 {
                ids.refill(10);
            }
            let leg = (i % 5) as u8;
            let id = ids.take(leg);
            assert!(seen.insert(id), "{id}");
            assert_eq!(ids.origin(id), Origin::ThisRun);
            assert_eq!(id.parts().leg, leg);
        }
        assert!(ids.made_late() > 500);
    }

    #[test]
    fn other_ids_are_told_apart() {
        let mut ours = Ids::new(Environment::Sim, 7, &[1; 32]);
        let id = ours.take(0);
        assert_eq!(Ids::new(Environment::Sim, 8, &[1; 32]).origin(id), Origin::OtherRun);
        assert_eq!(Ids::new(Environment::Live, 7, &[1; 32]).origin(id), Origin::OtherRun);
        assert_eq!(Ids::new(Environment::Sim, 7, &[2; 32]).origin(id), Origin::Foreign);
        assert_eq!(ours.origin(ClientId::default()), Origin::Foreign);
        for bit in 0..128 {
            assert_eq!(
                ours.origin(ClientId::from_bits(id.bits() ^ (1 << bit))),
                Origin::Foreign,
                "bit {bit}"
            );
        }
    }

    #[test]
    fn the_same_run_makes_the_same_ids() {
        let make = || {
            let mut ids = Ids::new(Environment::Paper, 3, &[9; 32]);
            (0..100).map(|i| ids.take(i % 3)).collect::<Vec<_>>()
        };
        assert_eq!(make(), make());
    }
}
