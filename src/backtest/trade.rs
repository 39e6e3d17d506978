//! Orders in a backtest: the real gate, executor and encoders, over a virtual network, to the venues'
//! own servers in front of the captured books.

use crate::config::Config;
use crate::detect::Opportunity;
use crate::engine::{
    Books, Control, Crew, CrewError, Endpoints, ExecRole, FeedCounters, Helm, Identity, Plan, Role,
    RunReport, Signal, Status, signals,
};
use crate::risk::Refusal;
use crate::sim::delay::Delay;
use crate::sim::net::Path;
use crate::sim::setup::{SetupError, simulate_captured};
use crate::sim::venue::{Backend, Sim};
use crate::sim::world::World;
use crate::telemetry::{HopRecorder, Stamps};
use crate::types::{InstrumentId, Money, Nanos, Stopwatch};
use crate::venue::Credentials;

/// The longest between two turns of the private side while anything is in flight or a hedge is owed:
/// what its timers are exact to.
const QUANTUM: Nanos = Nanos::from_millis(10);
/// And while nothing is: half of what its slow timers wait (losses, balances, refusals).
const IDLE_QUANTUM: Nanos = Nanos::from_millis(50);
/// Turns at one point in time at most, where messages take no time at all.
const ROUNDS_MAX: u32 = 100;
/// Sessions are opened so long before the first message.
const READY_WITHIN: Nanos = Nanos::from_secs(15);
/// What is in flight at the end gets so long: longer than any intent lives.
const DRAINED_WITHIN: Nanos = Nanos::from_secs(45);
/// How long the venues can be asked for orders that ended, and how often what is older is dropped.
const HISTORY: Nanos = Nanos::from_secs(600);
const FORGET_EVERY: Nanos = Nanos::from_secs(60);

/// How long a venue's messages and orders take.
#[derive(Clone, Debug)]
pub struct VenueDelays {
    /// From a change of its book to us.
    pub feed: Delay,
    /// From an order's sending to its meeting the book.
    pub entry: Delay,
    /// From its answer to us.
    pub response: Delay,
}

/// A configuration with the venues that have a simulated server first, and those first ones alone. The
/// books of the rest are looked at, and nothing is traded there.
pub struct Tradable {
    /// All of it, in another order.
    pub config: Config,
    /// By venue, in the order of `config`.
    pub delays: Vec<VenueDelays>,
    /// What is traded: its venues and instruments have the same numbers as in `config`.
    pub traded: Config,
}

impl Tradable {
    /// `delays` are by venue. Where no venue has a server all of them count as traded, and are refused
    /// by name.
    pub fn new(config: &Config, delays: &[VenueDelays]) -> Tradable {
        let has_server = |id: &str| crate::venue::find(id).is_none_or(|row| row.server.is_some());
        let mut config = config.clone();
        let order = config.put_last(|venue| !has_server(&venue.id));
        let delays = order.iter().filter_map(|old| delays.get(*old).cloned()).collect();
        let mut traded = config.clone();
        let ids: Vec<&str> =
            config.venues.iter().map(|venue| &*venue.id).filter(|id| has_server(id)).collect();
        // All of these names are the configuration's own.
        let _ = if ids.is_empty() { Ok(()) } else { traded.keep_venues(&ids) };
        Tradable { config, delays, traded }
    }
}

/// The venues of a backtest before anything is traded there.
pub struct Venues {
    /// Their world, in which no market moves but the captured one.
    pub world: World,
    /// What orders are signed with, by venue.
    pub credentials: Vec<Credentials>,
    /// Where their parts are, by venue.
    pub endpoints: Vec<Endpoints>,
}

impl Venues {
    /// The venues of a configuration, some time before `start`; `delays` are by venue.
    ///
    /// # Errors
    /// [`SetupError`] names the key of the configuration.
    pub fn new(config: &Config, delays: &[VenueDelays], start: Nanos) -> Result<Venues, SetupError> {
        let now = start - READY_WITHIN - READY_WITHIN;
        let (sim, credentials) = simulate_captured(config, now)?;
        let mut world = World::new(sim, Path::default(), config.run.seed, now);
        world.set_quantum(QUANTUM);
        let mut endpoints = Vec::new();
        for (number, venue) in config.venues.iter().enumerate() {
            let row = crate::venue::find(&venue.id).ok_or_else(|| SetupError::NoServer(venue.id.clone()))?;
            endpoints.push(world.endpoints(number, &row.sim));
            if let Some(delays) = delays.get(number) {
                world.net_mut().set_delays(number, delays.entry.clone(), delays.response.clone());
            }
        }
        Ok(Venues { world, credentials, endpoints })
    }
}

/// The private side of a backtest and the venues that it talks to.
pub struct Trade<W> {
    world: World,
    exec: ExecRole<W>,
    helm: Helm,
    /// When the network or a venue next has something to do. Only our own turns and orders change
    /// that: a book that a recording shows sends nothing by itself.
    next_event: Nanos,
    next_turn: Nanos,
    next_forget: Nanos,
}

impl<W: Stopwatch + Clone + Send + 'static> Trade<W> {
    /// Wires everything; nothing connects before [`Trade::open`].
    ///
    /// # Errors
    /// [`CrewError`] names the venue or limit.
    pub fn new(plan: &Plan, venues: Venues, books: &Books, watch: &W) -> Result<Trade<W>, CrewError> {
        let Venues { world, credentials, .. } = venues;
        let seed = plan.config.run.seed;
        let mut tag_key = [0; 32];
        tag_key[..8].copy_from_slice(&seed.to_le_bytes());
        // Kept records are taken out as they come: they tell what became of each opportunity.
        let identity = Identity { run: seed as u32, tag_key, seed, nonce_from: 0, keep_journal: true };
        // Opportunities are handed to the stage, one by one, by the thread that found them.
        let (_, queue) = signals(1);
        let mut dial = || world.dial();
        let (exec, helm) = Crew::exec_role(plan, &credentials, &identity, &mut dial, watch, books, queue)?;
        let next = world.now();
        Ok(Trade { world, exec, helm, next_event: next, next_turn: next, next_forget: next })
    }

    /// Opens the sessions; false when they are not ready in time.
    pub fn open(&mut self) -> bool {
        let until = self.world.now() + READY_WITHIN;
        while self.world.now() < until {
            self.world.step(&mut [&mut self.exec as &mut dyn Role]);
            if self.helm.status() == Some(Status::Ready) {
                self.next_turn = self.world.now();
                self.next_event = self.world.next_event();
                return true;
            }
        }
        false
    }

    /// The time at the venues.
    pub fn now(&self) -> Nanos {
        self.world.now()
    }

    /// When there is something to do next, unless a message comes before.
    pub fn next_at(&self) -> Nanos {
        self.next_event.min(self.next_turn)
    }

    /// Does what is due at `now`.
    pub fn turn(&mut self, now: Nanos) {
        for _ in 0..ROUNDS_MAX {
            self.world.step_to(now, &mut [&mut self.exec as &mut dyn Role]);
            if !self.world.arrives_now() {
                break;
            }
        }
        let rests = self.exec.stage().is_drained(now);
        self.next_turn = now + if rests { IDLE_QUANTUM } else { QUANTUM };
        self.next_event = self.world.next_event();
        if now >= self.next_forget {
            self.next_forget = now + FORGET_EVERY;
            for venue in 0..self.world.sim().venues() {
                if let Some(exchange) = self.world.sim_mut().exchange_mut(venue) {
                    exchange.forget(now - HISTORY);
                }
            }
        }
    }

    /// Takes an opportunity to its orders; the number of the intent, and how many orders left.
    ///
    /// # Errors
    /// [`Refusal`]: why nothing was sent.
    pub fn take(&mut self, found: &Opportunity, stamps: Stamps, now: Nanos) -> Result<(u64, usize), Refusal> {
        // What is sent now must leave now.
        self.world.step_to(now, &mut []);
        let taken = self.exec.stage().take(&Signal { opportunity: *found, stamps }, now);
        self.next_event = self.world.next_event();
        self.next_turn = self.next_turn.min(if self.world.arrives_now() { now } else { now + QUANTUM });
        taken
    }

    /// The venues.
    pub fn sim_mut(&mut self) -> &mut Sim {
        self.world.sim_mut()
    }

    /// Opens nothing new from `now` on, and lets what is in flight come to its end. The time then.
    pub fn close(&mut self, now: Nanos) -> Nanos {
        self.turn(now);
        self.helm.tell(Control::Drain);
        let until = self.world.now() + DRAINED_WITHIN;
        while self.world.now() < until {
            self.world.step(&mut [&mut self.exec as &mut dyn Role]);
            if self.helm.status() == Some(Status::Drained) {
                break;
            }
        }
        self.world.now()
    }

    /// The journal's records since the last call.
    pub fn take_records(&mut self) -> Vec<u8> {
        let journal = self.exec.stage().executor().journal();
        journal.catch_up();
        journal.take_kept()
    }

    /// What of the base assets is left of all fills, at the last mids.
    pub fn held(&mut self) -> Money {
        let now = self.world.now();
        let stage = self.exec.stage();
        let profit: Money = stage.report(now).pnl.into_iter().map(|(_, amount)| amount).sum();
        let executor = &*stage.executor();
        let instruments = (0..executor.markets().instruments()).map(|at| InstrumentId(at as u16));
        let cash = instruments.flat_map(|instrument| executor.ledger().cash(instrument));
        profit - cash.map(|(_, amount)| *amount).sum()
    }

    /// What was done; `counters` are those of the public side.
    pub fn report(&mut self, plan: &Plan, counters: &[FeedCounters], hops: &mut HopRecorder) -> RunReport {
        let now = self.world.now();
        self.exec.report(plan, counters, now, hops)
    }
}
