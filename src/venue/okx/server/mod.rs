//! OKX's own end of the wire, for simulated exchanges: the public and the private socket and REST,
//! over any [`Exchange`].
//!
//! Paths tell the sockets apart. Keys, passphrases, signatures, times, rights, addresses, deadlines and
//! the limits of requests are checked as the venue does, and refused with its own codes. Orders over
//! the socket name their instrument by a number, which the account's list of instruments tells.

mod auth;
mod limits;
mod market;
mod rest;
mod text;
mod trade;

use std::collections::BTreeMap;

use self::limits::{Limits, Requests};
use self::market::{Channel, Subscription};
use super::symbol::Market;
use crate::types::{InstrumentSpec, Nanos};
use crate::venue::{AccountId, ApiKey, ConnId, Event, Exchange, Server, ServerInput, ServerOut};

/// A connection without a frame either way for this long is closed.
const IDLE: Nanos = Nanos::from_secs(30);
/// What the venue's numbers of instruments start from: they are no indexes.
const FIRST_CODE: u64 = 10_011;

/// The server's state.
pub struct OkxServer {
    market: Market,
    conns: BTreeMap<ConnId, Conn>,
    limits: Limits,
    /// When all orders of an account are cancelled.
    switches: BTreeMap<AccountId, Nanos>,
    /// Update number of each book, as last heard.
    seqs: BTreeMap<usize, u64>,
    /// Numbers of orders that never were in the book.
    phantoms: u64,
    /// Makes connection ids.
    seed: u64,
}

struct Conn {
    private: bool,
    peer: String,
    name: String,
    /// The key that logged in.
    key: Option<String>,
    requests: Requests,
    books: BTreeMap<(usize, Channel), Subscription>,
    /// The account whose orders, and whose balances, are told here.
    orders: Option<AccountId>,
    balances: Option<AccountId>,
    last_frame: Nanos,
}

/// A complaint: HTTP status, code, text.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Refused {
    status: u16,
    code: u32,
    text: String,
}

impl Refused {
    fn new(code: u32, text: &str) -> Refused {
        Refused { status: 200, code, text: text.to_owned() }
    }

    fn parameter(name: &str) -> Refused {
        Refused { status: 400, ..Refused::new(51_000, &format!("Parameter {name} error")) }
    }
}

impl OkxServer {
    /// A server whose connection ids follow from the seed.
    pub fn new(market: Market, seed: u64) -> OkxServer {
        OkxServer {
            market,
            conns: BTreeMap::new(),
            limits: Limits::default(),
            switches: BTreeMap::new(),
            seqs: BTreeMap::new(),
            phantoms: 0,
            seed,
        }
    }

    fn opened(&mut self, conn: ConnId, target: &str, peer: &str, now: Nanos, out: &mut Vec<ServerOut>) {
        let private = match target.split('?').next().unwrap_or("") {
            "/ws/v5/public" => false,
            "/ws/v5/private" => true,
            _ => return out.push(ServerOut::Close(conn)),
        };
        let name = format!("{:08x}", (self.seed ^ conn.0.wrapping_mul(0x9e37_79b9)) as u32);
        let state = Conn {
            private,
            peer: peer.to_owned(),
            name,
            key: None,
            requests: Requests::default(),
            books: BTreeMap::new(),
            orders: None,
            balances: None,
            last_frame: now,
        };
        self.conns.insert(conn, state);
    }

    fn send(&mut self, conn: ConnId, text: String, now: Nanos, out: &mut Vec<ServerOut>) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.last_frame = now;
            out.push(ServerOut::Text(conn, text));
        }
    }

    /// An instrument by its symbol.
    fn find(exchange: &dyn Exchange, symbol: &str) -> Option<(usize, InstrumentSpec)> {
        let mut listed = exchange.instruments().iter().enumerate();
        listed.find(|(_, spec)| spec.symbol.as_str() == symbol).map(|(place, spec)| (place, spec.clone()))
    }

    /// The key that a connection is logged in with, while it is good.
    fn session(&self, conn: ConnId, exchange: &dyn Exchange) -> Result<ApiKey, Refused> {
        let key = self.conns.get(&conn).and_then(|state| state.key.as_deref());
        let key = key.ok_or_else(|| Refused::new(60_011, "Please log in"))?;
        exchange.key(key).cloned().ok_or_else(|| Refused::new(60_011, "Please log in"))
    }

    fn tick(&mut self, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        let due: Vec<AccountId> =
            self.switches.iter().filter(|(_, at)| **at <= now).map(|(account, _)| *account).collect();
        for account in due {
            self.switches.remove(&account);
            exchange.cancel_all(account, None, now);
        }
        self.tell_books(now, exchange, out);
        let idle: Vec<ConnId> =
            self.conns.iter().filter(|(_, state)| now - state.last_frame > IDLE).map(|(conn, _)| *conn).collect();
        for conn in idle {
            self.conns.remove(&conn);
            out.push(ServerOut::Close(conn));
        }
    }
}

impl Server for OkxServer {
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        match input {
            ServerInput::Opened { conn, target, peer, .. } => self.opened(conn, target, peer, now, out),
            ServerInput::Closed(conn) => drop(self.conns.remove(&conn)),
            ServerInput::Text(conn, text) => self.text(conn, text, now, exchange, out),
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let request = rest::Request { method, target, headers, body, peer };
                let (status, body) = self.request(&request, now, exchange);
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                out.push(ServerOut::Response { id, status, headers, body });
            }
            ServerInput::Event(event) => match event {
                Event::Book { instrument, seq, .. } => drop(self.seqs.insert(*instrument, *seq)),
                Event::Order { view, change } => self.order_changed(view, change, now, exchange, out),
                Event::Balance { account, balance, at } => {
                    self.balance_changed(*account, balance, *at, now, out);
                }
            },
            ServerInput::Tick => self.tick(now, exchange, out),
        }
    }
}
