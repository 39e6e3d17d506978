//! The stepped world: the engine's own roles over virtual links to simulated venues, on one thread,
//! in virtual time.
//!
//! Time jumps from one event to the next: bytes that arrive, a market that moves, a quantum at most.
//! At each of them the network delivers, then the roles are turned in a fixed order until none has
//! work. So one seed gives one run, in debug and in release, and a failure is a seed.

use super::net::{Host, Net, Path};
use super::venue::{Backend, Sim};
use crate::engine::{Endpoints, Role};
use crate::types::{Dial, InstrumentSpec, Nanos};
use crate::venue::{Exchange, SimProfile};

/// Roles are turned so often at one point in time at most: one that never rests must not stop time.
const ROUNDS_MAX: u32 = 1_000;
/// Where virtual venues are.
const HOST: &str = "127.0.0.1";
/// Port of the first venue; the others follow.
const FIRST_PORT: u16 = 10_001;

/// Simulated venues, a virtual network to them, and the time.
pub struct World {
    sim: Sim,
    net: Net,
    now: Nanos,
    quantum: Nanos,
    steps: u64,
}

impl World {
    /// A world at `now`, each venue reached over a path of its own of this kind.
    pub fn new(sim: Sim, path: Path, seed: u64, now: Nanos) -> World {
        let host = |venue| Host { host: HOST.to_owned(), port: port(venue), venue, path };
        let net = Net::new(seed, (0..sim.venues()).map(host).collect(), now);
        World { sim, net, now, quantum: Nanos::from_millis(1), steps: 0 }
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Points in time that were visited.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The venues.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// The venues, to turn their knobs.
    pub fn sim_mut(&mut self) -> &mut Sim {
        &mut self.sim
    }

    /// The network, to break it. Its hosts have their venues' numbers.
    pub fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    /// The longest time between two turns of a role: what its timers are exact to.
    pub fn set_quantum(&mut self, quantum: Nanos) {
        self.quantum = quantum.max(Nanos(1));
    }

    /// A dialler into the network.
    pub fn dial(&self) -> Box<dyn Dial> {
        Box::new(self.net.dialer())
    }

    /// Where a venue's parts are.
    pub fn endpoints(&self, venue: usize, profile: &SimProfile) -> Endpoints {
        Endpoints::simulated(HOST, port(venue), profile)
    }

    /// A venue's rules, as its metadata would tell them.
    pub fn instruments(&self, venue: usize) -> Vec<InstrumentSpec> {
        self.sim.exchange(venue).map_or_else(Vec::new, |exchange| exchange.instruments().to_vec())
    }

    /// When something next happens at a venue or in the network, whoever else has something to do.
    pub fn next_event(&self) -> Nanos {
        let next = (0..self.sim.venues()).map(|venue| self.sim.next_at(venue)).min();
        next.unwrap_or(Nanos::MAX).min(self.net.next_at(self.now))
    }

    /// Whether something that was sent now has arrived already, over a path that takes no time: it is
    /// delivered by another step at this time.
    pub fn arrives_now(&self) -> bool {
        self.net.next_at(self.now - Nanos(1)) <= self.now
    }

    /// Moves on to `now`, which must not be past the next event, and lets everything happen that
    /// falls due there; then the roles, until none has work.
    pub fn step_to(&mut self, now: Nanos, roles: &mut [&mut dyn Role]) {
        self.now = self.now.max(now);
        self.steps += 1;
        self.net.advance(self.now, &mut self.sim);
        for _ in 0..ROUNDS_MAX {
            // Every role gets its turn in each round: `any` must not stop at the first that works.
            let worked = roles.iter_mut().map(|role| role.turn(self.now)).fold(false, |any, one| any | one);
            if !worked {
                break;
            }
        }
    }

    /// Lets everything happen that falls due now, then moves on to the next event.
    pub fn step(&mut self, roles: &mut [&mut dyn Role]) {
        self.step_to(self.now, roles);
        let next = self.next_event().min(self.now + self.quantum);
        self.now = next.max(self.now + Nanos(1));
    }

    /// Steps until a time.
    pub fn run(&mut self, until: Nanos, roles: &mut [&mut dyn Role]) {
        while self.now < until {
            self.step(roles);
        }
    }
}

fn port(venue: usize) -> u16 {
    FIRST_PORT.saturating_add(u16::try_from(venue).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::venue::tests::plain;
    use super::*;
    use crate::engine::connection::{ConnectionConfig, WsConnection, WsEvent};
    use crate::types::Endpoint;

    /// Counts the texts that one connection brings, by the time they came.
    struct Listener {
        ws: WsConnection,
        heard: Vec<(Nanos, usize)>,
    }

    impl Role for Listener {
        fn name(&self) -> &str {
            "listener"
        }

        fn turn(&mut self, now: Nanos) -> bool {
            match self.ws.poll(now) {
                Some(WsEvent::Text(text, _)) => self.heard.push((now, text.len())),
                Some(_) => {}
                None => return false,
            }
            true
        }
    }

    #[test]
    fn one_seed_gives_one_run() {
        let run = |seed| {
            let latency = Nanos::from_micros(300);
            let path = Path { latency, jitter: latency, chop: true, ..Path::default() };
            let mut world = World::new(plain(), path, seed, Nanos::ZERO);
            let to = Endpoint::parse("ws://127.0.0.1:10002/").unwrap();
            let ws = WsConnection::new(world.dial(), to, Vec::new(), ConnectionConfig::DEFAULT, seed);
            let mut listener = Listener { ws, heard: Vec::new() };
            world.run(Nanos::from_secs(2), &mut [&mut listener]);
            assert!(world.now() >= Nanos::from_secs(2) && world.steps() >= 2_000);
            listener.heard
        };
        let one = run(1);
        assert!(one.len() > 40, "{}", one.len());
        assert_eq!(one, run(1));
        assert_ne!(one, run(2));
    }
}
