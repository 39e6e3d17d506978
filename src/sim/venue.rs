//! Simulated venues: each an exchange, the venue's own server in front of it, and what goes wrong
//! between the two. One [`Sim`] owns them all, with the market that moves them, so that one thread
//! can serve every port, and a stepped run has one order of events.
//!
//! Whoever serves it hands in what arrives at a venue, calls [`Backend::tick`] for each venue in turn
//! at least every few milliseconds, and sends what comes out.

use std::collections::{BTreeSet, VecDeque};

use oorandom::Rand64;

use super::exchange::{AccountKind, ExchangeConfig, ExchangeError, SimExchange};
use super::keys::{KeyForm, make_key};
use super::market::{Market, MarketConfig};
use crate::types::{Asset, KeyRights, Money, Nanos};
use crate::venue::{AccountId, ConnId, Credentials, Event, Server, ServerInput, ServerOut};

/// Something that answers for a number of venues. Sockets, real or virtual, stand in front of it.
pub trait Backend: Send {
    /// How many venues there are; they are numbered from zero.
    fn venues(&self) -> usize;

    /// Takes what arrived at a venue; what that venue answers is appended to `out`.
    fn input(&mut self, venue: usize, input: ServerInput<'_>, now: Nanos, out: &mut Vec<ServerOut>);

    /// Lets time pass at a venue; what it has to say is appended to `out`.
    fn tick(&mut self, venue: usize, now: Nanos, out: &mut Vec<ServerOut>);
}

/// What goes wrong at a venue, beside the knobs of its exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// How long the venue holds back whatever it sends.
    pub latency: Nanos,
    /// A random addition to it, from nothing to this. The order of messages is kept.
    pub jitter: Nanos,
    /// Public messages that are lost on their way to one connection, in parts of a million: a gap.
    pub gap_ppm: u32,
    /// Mean time until a WebSocket connection is cut by the venue; zero = never.
    pub cut_every: Nanos,
}

/// What a venue is made from.
pub struct VenueSetup {
    /// Its name, for reports.
    pub name: String,
    /// Its protocol.
    pub server: Box<dyn Server>,
    /// Its matching.
    pub exchange: ExchangeConfig,
    /// Accounts that trade there from outside.
    pub traders: Vec<TraderSetup>,
    /// What goes wrong.
    pub faults: Faults,
}

/// An account with its keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraderSetup {
    /// What it starts with.
    pub balances: Vec<(Asset, Money)>,
    /// Its keys.
    pub keys: Vec<(KeyForm, KeyRights)>,
}

/// An account as it was opened.
#[derive(Clone, Debug)]
pub struct Trader {
    /// Its number on its exchange.
    pub account: AccountId,
    /// What to sign with, in the order of the setup.
    pub credentials: Vec<Credentials>,
    /// What it started with.
    pub start: Vec<(Asset, Money)>,
}

/// All simulated venues and the market that moves them.
pub struct Sim {
    // Apart from the venues, because the market moves all exchanges at once.
    exchanges: Vec<SimExchange>,
    venues: Vec<SimVenue>,
    market: Market,
}

struct SimVenue {
    name: String,
    server: Box<dyn Server>,
    faults: Faults,
    traders: Vec<Trader>,
    conns: BTreeSet<ConnId>,
    /// Sent, but not to arrive before their times, which never fall.
    held: VecDeque<(Nanos, ServerOut)>,
    ticked: Nanos,
    lost: u64,
    cut: u64,
    rng: Rand64,
    events: Vec<Event>,
    fresh: Vec<ServerOut>,
}

impl Sim {
    /// Opens all venues and their accounts, and quotes the market's first ladders.
    ///
    /// # Errors
    /// [`ExchangeError`] for instruments that cannot be simulated.
    pub fn new(
        seed: u64,
        setups: Vec<VenueSetup>,
        market: &MarketConfig,
        now: Nanos,
    ) -> Result<Sim, ExchangeError> {
        let mut exchanges = Vec::new();
        let mut venues = Vec::new();
        for (at, setup) in setups.into_iter().enumerate() {
            // Streams apart for each venue and use: what one draws does not move another.
            let rng = |use_: u128| Rand64::new((u128::from(seed) << 64) | ((at as u128) << 8) | use_);
            let mut exchange = SimExchange::new(setup.exchange, rng(0))?;
            let mut key_rng = rng(1);
            let mut traders = Vec::new();
            for trader in setup.traders {
                let account = exchange.open_account(AccountKind::Trader);
                for (asset, amount) in &trader.balances {
                    exchange.deposit(account, *asset, *amount);
                }
                let mut credentials = Vec::new();
                for (form, rights) in trader.keys {
                    let (key, own) = make_key(&mut key_rng, form, account, rights);
                    exchange.add_key(key);
                    credentials.push(own);
                }
                traders.push(Trader { account, credentials, start: trader.balances });
            }
            exchanges.push(exchange);
            venues.push(SimVenue {
                name: setup.name,
                server: setup.server,
                faults: setup.faults,
                traders,
                conns: BTreeSet::new(),
                held: VecDeque::new(),
                ticked: now,
                lost: 0,
                cut: 0,
                rng: rng(2),
                events: Vec::new(),
                fresh: Vec::new(),
            });
        }
        let market = Market::new(market, now, &mut exchanges);
        Ok(Sim { exchanges, venues, market })
    }

    /// A venue's name; empty when there is no such venue.
    pub fn name(&self, venue: usize) -> &str {
        self.venues.get(venue).map_or("", |venue| &venue.name)
    }

    /// A venue's accounts.
    pub fn traders(&self, venue: usize) -> &[Trader] {
        self.venues.get(venue).map_or(&[], |venue| &venue.traders)
    }

    /// A venue's exchange, to look into.
    pub fn exchange(&self, venue: usize) -> Option<&SimExchange> {
        self.exchanges.get(venue)
    }

    /// A venue's exchange, to turn its knobs or act behind the venue's back.
    pub fn exchange_mut(&mut self, venue: usize) -> Option<&mut SimExchange> {
        self.exchanges.get_mut(venue)
    }

    /// What goes wrong at a venue; may be turned at any time.
    pub fn faults_mut(&mut self, venue: usize) -> Option<&mut Faults> {
        self.venues.get_mut(venue).map(|venue| &mut venue.faults)
    }

    /// The market.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// The market, to stop it.
    pub fn market_mut(&mut self) -> &mut Market {
        &mut self.market
    }

    /// Public messages lost on purpose and connections cut on purpose, at a venue.
    pub fn faults_done(&self, venue: usize) -> (u64, u64) {
        self.venues.get(venue).map_or((0, 0), |venue| (venue.lost, venue.cut))
    }

    /// When a tick of the venue next has something to do.
    pub fn next_at(&self, venue: usize) -> Nanos {
        let held = self.venues.get(venue).and_then(|venue| venue.held.front());
        held.map_or(Nanos::MAX, |(due, _)| *due).min(self.market.next_at())
    }
}

impl Backend for Sim {
    fn venues(&self) -> usize {
        self.venues.len()
    }

    fn input(&mut self, venue: usize, input: ServerInput<'_>, now: Nanos, out: &mut Vec<ServerOut>) {
        self.market.step(now, &mut self.exchanges);
        let (Some(own), Some(exchange)) = (self.venues.get_mut(venue), self.exchanges.get_mut(venue)) else {
            return;
        };
        own.tell(now, exchange);
        match input {
            ServerInput::Opened { conn, .. } => {
                own.conns.insert(conn);
            }
            // A connection that the venue itself cut: the server knows.
            ServerInput::Closed(conn) if !own.conns.remove(&conn) => return own.release(now, out),
            // Sent before the peer heard of the cut.
            ServerInput::Text(conn, _) if !own.conns.contains(&conn) => return own.release(now, out),
            _ => {}
        }
        own.server.on(input, now, exchange, &mut own.fresh);
        own.hold(now, false);
        own.tell(now, exchange);
        own.release(now, out);
    }

    fn tick(&mut self, venue: usize, now: Nanos, out: &mut Vec<ServerOut>) {
        self.market.step(now, &mut self.exchanges);
        let (Some(own), Some(exchange)) = (self.venues.get_mut(venue), self.exchanges.get_mut(venue)) else {
            return;
        };
        own.tell(now, exchange);
        own.server.on(ServerInput::Tick, now, exchange, &mut own.fresh);
        own.hold(now, true);
        own.cut(now, exchange);
        own.tell(now, exchange);
        own.release(now, out);
    }
}

impl SimVenue {
    /// Tells the server what happened in the exchange.
    fn tell(&mut self, now: Nanos, exchange: &mut SimExchange) {
        let mut events = std::mem::take(&mut self.events);
        exchange.drain_events(&mut events);
        for event in events.drain(..) {
            self.server.on(ServerInput::Event(&event), now, exchange, &mut self.fresh);
            self.hold(now, matches!(event, Event::Book { .. }));
        }
        self.events = events;
    }

    /// Gives what the server just sent its time of arrival, and loses some of what is public.
    fn hold(&mut self, now: Nanos, public: bool) {
        for out in self.fresh.drain(..) {
            let message = matches!(out, ServerOut::Text(..) | ServerOut::Binary(..));
            if public && message && chance(&mut self.rng, self.faults.gap_ppm) {
                self.lost += 1;
                continue;
            }
            if let ServerOut::Close(conn) = &out {
                self.conns.remove(conn);
            }
            let Faults { latency, jitter, .. } = self.faults;
            let extra = if jitter.0 > 0 { self.rng.rand_range(0..jitter.0 as u64 + 1) as i64 } else { 0 };
            let last = self.held.back().map_or(Nanos::ZERO, |(due, _)| *due);
            self.held.push_back(((now + latency + Nanos(extra)).max(last), out));
        }
    }

    /// Cuts connections at random.
    fn cut(&mut self, now: Nanos, exchange: &mut SimExchange) {
        let passed = now - self.ticked;
        self.ticked = now;
        let every = self.faults.cut_every.0;
        if every <= 0 || passed.0 <= 0 {
            return;
        }
        let doomed: Vec<ConnId> = self
            .conns
            .iter()
            .copied()
            .filter(|_| (self.rng.rand_range(0..every as u64) as i64) < passed.0)
            .collect();
        for conn in doomed {
            self.cut += 1;
            self.conns.remove(&conn);
            self.server.on(ServerInput::Closed(conn), now, exchange, &mut self.fresh);
            self.fresh.push(ServerOut::Close(conn));
            self.hold(now, false);
        }
    }

    /// Lets go of what is due.
    fn release(&mut self, now: Nanos, out: &mut Vec<ServerOut>) {
        while let Some((_, sent)) = self.held.pop_front_if(|(due, _)| *due <= now) {
            out.push(sent);
        }
    }
}

fn chance(rng: &mut Rand64, ppm: u32) -> bool {
    ppm > 0 && rng.rand_range(0..1_000_000) < u64::from(ppm)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::exchange::{FeeIn, Knobs, Rates};
    use super::super::fixture;
    use super::super::keys::trading_rights;
    use super::*;
    use crate::types::{Contract, ContractKind, InstrumentSpec, btc_usdt};
    use crate::venue::{Exchange, RequestId};

    /// A protocol of one word: every connection gets `book` for each update and an echo of its texts.
    #[derive(Default)]
    struct Plain(Vec<ConnId>);

    impl Server for Plain {
        fn on(&mut self, input: ServerInput<'_>, _: Nanos, _: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
            match input {
                ServerInput::Opened { conn, .. } => self.0.push(conn),
                ServerInput::Closed(conn) => self.0.retain(|own| *own != conn),
                ServerInput::Text(conn, text) => out.push(ServerOut::Text(conn, text.to_owned())),
                ServerInput::Request { id, .. } => {
                    out.push(ServerOut::Response { id, status: 200, headers: vec![], body: String::new() });
                }
                ServerInput::Event(Event::Book { .. }) => {
                    out.extend(self.0.iter().map(|conn| ServerOut::Text(*conn, "book".to_owned())));
                }
                ServerInput::Event(_) | ServerInput::Tick => {}
            }
        }
    }

    fn sim(faults: Faults) -> Sim {
        of(faults, btc_usdt())
    }

    fn of(faults: Faults, spec: InstrumentSpec) -> Sim {
        let setup = |name: &str| VenueSetup {
            name: name.to_owned(),
            server: Box::new(Plain::default()),
            exchange: ExchangeConfig {
                instruments: vec![spec.clone()],
                fee_in: FeeIn::Quote,
                rates: Rates::default(),
                knobs: Knobs::default(),
            },
            traders: vec![TraderSetup {
                balances: vec![(btc_usdt().quote, Money(10_000 * Money::ONE.0))],
                keys: vec![(KeyForm::SharedText, trading_rights())],
            }],
            faults,
        };
        Sim::new(9, vec![setup("one"), setup("two")], &fixture::market(9), Nanos::ZERO).unwrap()
    }

    /// Two venues without faults.
    pub(in super::super) fn plain() -> Sim {
        sim(Faults::default())
    }

    /// Two venues without faults that trade linear contracts.
    pub(in super::super) fn plain_linear() -> Sim {
        let spot = btc_usdt();
        let contract = Contract { kind: ContractKind::Linear, ..spot.contract };
        of(Faults::default(), InstrumentSpec { contract, ..spot })
    }

    /// Opens a connection at the first venue and ticks each ms; when each text came, and which.
    fn listen(sim: &mut Sim, ms: i64) -> Vec<(i64, ServerOut)> {
        let mut out = Vec::new();
        let opened = ServerInput::Opened { conn: ConnId(1), target: "/", headers: &[], peer: "127.0.0.1" };
        sim.input(0, opened, Nanos::ZERO, &mut out);
        sim.input(0, ServerInput::Text(ConnId(1), "hello"), Nanos::ZERO, &mut out);
        let mut all: Vec<(i64, ServerOut)> = out.drain(..).map(|out| (0, out)).collect();
        for ms in 1..=ms {
            for venue in 0..sim.venues() {
                sim.tick(venue, Nanos::from_millis(ms), &mut out);
            }
            all.extend(out.drain(..).map(|out| (ms, out)));
        }
        all
    }

    #[test]
    fn what_a_venue_sends_takes_its_time_and_keeps_its_order() {
        let echo = |outs: &[(i64, ServerOut)]| {
            outs.iter().position(|(_, out)| *out == ServerOut::Text(ConnId(1), "hello".into()))
        };
        let quick = listen(&mut sim(Faults::default()), 200);
        assert_eq!((echo(&quick), quick[0].0), (Some(0), 0));
        let faults =
            Faults { latency: Nanos::from_millis(5), jitter: Nanos::from_millis(10), ..Faults::default() };
        let slow = listen(&mut sim(faults), 200);
        assert_eq!(echo(&slow), Some(0));
        assert!((5..=15).contains(&slow[0].0));
        assert!(slow.len() > 3 && slow.len() <= quick.len());
    }

    #[test]
    fn lost_messages_and_cut_connections_are_counted() {
        let mut broken = sim(Faults { gap_ppm: 500_000, ..Faults::default() });
        let heard = listen(&mut broken, 2_000).len() as u64;
        let (lost, _) = broken.faults_done(0);
        assert!(lost > 10 && heard > 10, "{lost} lost, {heard} heard");
        assert_eq!(heard + lost, listen(&mut sim(Faults::default()), 2_000).len() as u64);

        let mut cut = sim(Faults { cut_every: Nanos::from_millis(100), ..Faults::default() });
        let heard = listen(&mut cut, 2_000);
        assert_eq!(heard.last().map(|(_, out)| out), Some(&ServerOut::Close(ConnId(1))));
        assert_eq!(cut.faults_done(0), (0, 1));
        let mut out = Vec::new();
        cut.input(0, ServerInput::Text(ConnId(1), "late"), Nanos::from_secs(2), &mut out);
        cut.input(0, ServerInput::Closed(ConnId(1)), Nanos::from_secs(2), &mut out);
        assert_eq!(out, []);
    }

    #[test]
    fn requests_are_answered_and_keys_belong_to_accounts() {
        let mut sim = sim(Faults::default());
        let mut out = Vec::new();
        let request = ServerInput::Request {
            id: RequestId(3),
            method: "GET",
            target: "/",
            headers: &[],
            body: b"",
            peer: "127.0.0.1",
        };
        sim.input(1, request, Nanos::ZERO, &mut out);
        assert!(matches!(out[..], [ServerOut::Response { id: RequestId(3), status: 200, .. }]));
        let trader = &sim.traders(1)[0];
        let key = sim.exchange(1).unwrap().key(&trader.credentials[0].key).unwrap();
        assert_eq!(key.account, trader.account);
        assert_ne!(sim.traders(0)[0].credentials[0].key, trader.credentials[0].key);
    }
}
