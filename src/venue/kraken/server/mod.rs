//! Kraken's own end of the wire, for simulated exchanges: the public and the private socket and
//! REST, over any [`Exchange`].
//!
//! Paths tell the two sockets apart, since one port stands for several hosts: a target with `auth`
//! in it is private. Keys, signatures, rising nonces, rights, addresses, tokens, deadlines and the
//! matching engine's rate counter are checked as the venue does, and refused in its own words.

mod limits;
mod market;
mod rest;
mod text;
mod trade;

use std::collections::BTreeMap;

use self::limits::Counters;
use super::symbol::Names;
use crate::types::{InstrumentSpec, Level, Nanos};
use crate::venue::{AccountId, ApiKey, ConnId, Event, Exchange, Server, ServerInput, ServerOut};

/// Quiet for this long, a subscribed connection gets a heartbeat.
const HEARTBEAT: Nanos = Nanos::from_secs(1);
/// A connection without a subscription is closed after this long.
const IDLE: Nanos = Nanos::from_secs(60);
/// A token is to be used within this time.
const TOKEN_LIFE: Nanos = Nanos::from_secs(900);

/// The server's state.
pub struct KrakenServer {
    rng: oorandom::Rand64,
    conns: BTreeMap<ConnId, Conn>,
    tokens: BTreeMap<String, Token>,
    /// The last nonce of each key.
    nonces: BTreeMap<String, u64>,
    /// When all orders of an account are cancelled.
    switches: BTreeMap<AccountId, Nanos>,
    counters: Counters,
    /// Built with the first input, when the instruments are known.
    names: Option<Names>,
}

struct Token {
    account: AccountId,
    key: String,
    until: Nanos,
    /// The connection that it was first used on.
    conn: Option<ConnId>,
}

struct Conn {
    private: bool,
    books: BTreeMap<usize, BookSub>,
    tickers: BTreeMap<usize, [Option<Level>; 2]>,
    executions: Option<Stream>,
    balances: Option<Stream>,
    last_sent: Nanos,
}

/// A subscription to a book, with what its subscriber has.
struct BookSub {
    depth: usize,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// A private subscription.
struct Stream {
    account: AccountId,
    sequence: u64,
}

impl Conn {
    fn subscribed(&self) -> bool {
        !self.books.is_empty()
            || !self.tickers.is_empty()
            || self.executions.is_some()
            || self.balances.is_some()
    }
}

impl KrakenServer {
    /// A server whose tokens and connection ids follow from the seed.
    pub fn new(seed: u64) -> KrakenServer {
        KrakenServer {
            rng: oorandom::Rand64::new(u128::from(seed)),
            conns: BTreeMap::new(),
            tokens: BTreeMap::new(),
            nonces: BTreeMap::new(),
            switches: BTreeMap::new(),
            counters: Counters::default(),
            names: None,
        }
    }

    fn find<'e>(&mut self, name: &str, exchange: &'e dyn Exchange) -> Option<(usize, &'e InstrumentSpec)> {
        let names = self.names.get_or_insert_with(|| {
            Names::new(exchange.instruments().iter().map(|spec| spec.symbol.as_str()))
        });
        let place = names.find(name)?;
        Some((place, exchange.instruments().get(place)?))
    }

    fn opened(&mut self, conn: ConnId, target: &str, now: Nanos, out: &mut Vec<ServerOut>) {
        let private = target.split('?').next().unwrap_or("").contains("auth");
        // Beyond 2^53, as real ones are.
        let id = (1 << 62) | (self.rng.rand_u64() >> 2);
        let state = Conn {
            private,
            books: BTreeMap::new(),
            tickers: BTreeMap::new(),
            executions: None,
            balances: None,
            last_sent: now,
        };
        self.conns.insert(conn, state);
        self.send(
            conn,
            format!(
                "{{\"channel\":\"status\",\"type\":\"update\",\"data\":[{{\"version\":\"2.0.10\",\"system\":\"online\",\"api_version\":\"v2\",\"connection_id\":{id}}}]}}"
            ),
            now,
            out,
        );
    }

    fn closed(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        // A token lives as long as the connection that it was used on.
        self.tokens.retain(|_, token| token.conn != Some(conn));
    }

    fn send(&mut self, conn: ConnId, text: String, now: Nanos, out: &mut Vec<ServerOut>) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.last_sent = now;
            out.push(ServerOut::Text(conn, text));
        }
    }

    fn tick(&mut self, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        for (id, conn) in &mut self.conns {
            let quiet = now - conn.last_sent;
            if conn.subscribed() && quiet >= HEARTBEAT {
                conn.last_sent = now;
                out.push(ServerOut::Text(*id, "{\"channel\":\"heartbeat\"}".to_owned()));
            } else if !conn.subscribed() && quiet >= IDLE {
                out.push(ServerOut::Close(*id));
            }
        }
        self.tokens.retain(|_, token| token.conn.is_some() || token.until > now);
        let due: Vec<AccountId> =
            self.switches.iter().filter(|(_, at)| **at <= now).map(|(account, _)| *account).collect();
        for account in due {
            self.switches.remove(&account);
            exchange.cancel_all(account, None, now);
        }
    }

    /// The key behind a token, when the token is good on this connection.
    fn session(
        &mut self,
        conn: ConnId,
        token: Option<&str>,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<ApiKey, &'static str> {
        let invalid = "ESession:Invalid session";
        let token = token.and_then(|token| self.tokens.get_mut(token)).ok_or(invalid)?;
        if token.conn.is_some_and(|own| own != conn) || (token.conn.is_none() && token.until <= now) {
            return Err(invalid);
        }
        token.conn = Some(conn);
        let key = exchange.key(&token.key).filter(|key| key.account == token.account);
        key.cloned().ok_or("EAPI:Invalid key")
    }
}

impl Server for KrakenServer {
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        match input {
            ServerInput::Opened { conn, target, .. } => self.opened(conn, target, now, out),
            ServerInput::Closed(conn) => self.closed(conn),
            ServerInput::Text(conn, text) => self.text(conn, text, now, exchange, out),
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let request = rest::Request { method, target, headers, body, peer };
                let body = self.request(&request, now, exchange);
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                out.push(ServerOut::Response { id, status: 200, headers, body });
            }
            ServerInput::Event(event) => match event {
                Event::Book { instrument, at, .. } => self.book_changed(*instrument, *at, now, exchange, out),
                Event::Order { view, change } => self.order_changed(view, change, now, exchange, out),
                Event::Balance { account, balance, at } => {
                    self.balance_changed(*account, balance, *at, now, out);
                }
                // Spot has none.
                Event::Position { .. } => {}
            },
            ServerInput::Tick => self.tick(now, exchange, out),
        }
    }
}
