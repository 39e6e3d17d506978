//! OKX's own end of the wire, for simulated exchanges: the public and the private socket and REST of
//! one kind of instrument, over any [`Exchange`].
//!
//! Paths tell the sockets apart. Keys, passphrases, signatures, times, rights, addresses, deadlines and
//! the limits of requests are checked as the venue does, and refused with its own codes. Orders over
//! the socket name their instrument by a number, which the account's list of instruments tells.

mod auth;
mod limits;
mod market;
mod rest;
mod session;
mod trade;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::limits::Limits;
use self::market::Streams;
use self::session::Session;
use super::symbol::Market;
use crate::types::{InstrumentSpec, Nanos};
use crate::venue::served::Ghosts;
use crate::venue::{AccountId, ConnId, Event, Exchange, OrderChange, Server, ServerInput, ServerOut};

/// A connection without a frame either way for this long is closed.
const IDLE: Nanos = Nanos::from_secs(30);

/// The simulated venue, one kind of instrument of it.
pub struct OkxServer {
    market: Market,
    /// Makes the names of connections.
    seed: u64,
    /// Every connection: its name, and when a frame last went either way.
    conns: BTreeMap<ConnId, Conn>,
    streams: Streams,
    sessions: BTreeMap<ConnId, Session>,
    limits: Limits,
    /// When all orders of an account are cancelled.
    switches: BTreeMap<AccountId, Nanos>,
    ghosts: Ghosts,
    next_client: u64,
}

struct Conn {
    name: String,
    last_frame: Nanos,
}

/// A complaint: HTTP status, code, text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    status: u16,
    code: u32,
    text: String,
}

impl Refused {
    fn new(code: u32, text: &str) -> Refused {
        Refused { status: 200, code, text: text.to_owned() }
    }

    fn parameter(name: &str) -> Refused {
        Refused::new(51_000, &format!("Parameter {name} error"))
    }
}

/// A request's parameters.
struct Params<'a>(&'a Map<String, Value>);

impl<'a> Params<'a> {
    /// A text; an empty one is as good as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn need(&self, name: &str) -> Result<&'a str, Refused> {
        self.get(name).ok_or_else(|| Refused::parameter(name))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Refused> {
        self.get(name).map(|text| text.parse().map_err(|_| Refused::parameter(name))).transpose()
    }

    /// True or false, as such or as a text.
    fn flag(&self, name: &str) -> Result<bool, Refused> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" || text.is_empty() => Ok(false),
            Some(_) => Err(Refused::parameter(name)),
        }
    }
}

impl OkxServer {
    /// A server whose connections' names follow from the seed.
    pub fn new(market: Market, seed: u64) -> OkxServer {
        OkxServer {
            market,
            seed,
            conns: BTreeMap::new(),
            streams: Streams::new(market, seed),
            sessions: BTreeMap::new(),
            limits: Limits::default(),
            switches: BTreeMap::new(),
            ghosts: Ghosts::default(),
            next_client: 0,
        }
    }

    fn opened(&mut self, conn: ConnId, target: &str, peer: &str, now: Nanos, out: &mut Vec<ServerOut>) {
        match target.split('?').next().unwrap_or_default() {
            "/ws/v5/public" => self.streams.open(conn),
            "/ws/v5/private" => _ = self.sessions.insert(conn, Session::new(peer)),
            _ => return out.push(ServerOut::Close(conn)),
        }
        let name = format!("{:08x}", (self.seed ^ conn.0.wrapping_mul(0x9e37_79b9)) as u32);
        self.conns.insert(conn, Conn { name, last_frame: now });
    }

    fn closed(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.streams.close(conn);
        self.sessions.remove(&conn);
        self.limits.forget(conn);
    }

    fn message(
        &mut self,
        conn: ConnId,
        text: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        state.last_frame = now;
        let name = state.name.clone();
        if text == "ping" {
            return out.push(ServerOut::Text(conn, "pong".to_owned()));
        }
        if self.streams.has(conn) {
            self.streams.message(conn, &name, text, now, &*exchange, &mut self.limits, out);
        } else if let Some(mut session) = self.sessions.remove(&conn) {
            session.message(conn, &name, self, text, now, exchange, out);
            self.sessions.insert(conn, session);
        }
    }

    fn event(&mut self, event: &Event, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        match event {
            Event::Book { .. } => self.streams.tick(now, &*exchange, out),
            Event::Order { view, change } => {
                // What trades or ends at once is never told as live.
                if *change == OrderChange::New && view.order.tif != crate::types::Tif::Gtc {
                    return;
                }
                let Some(spec) = exchange.instruments().get(view.order.instrument) else { return };
                let order = words::change(self.market, spec, view, change);
                self.tell(view.account, "orders", Some(spec), &json!([order]), out);
            }
            Event::Balance { account, balance, at } => {
                let data = words::account(std::slice::from_ref(balance), *at);
                self.tell(*account, "account", None, &data, out);
            }
            Event::Position { .. } => {}
        }
    }

    /// Tells an account's sessions something on a channel.
    fn tell(
        &self,
        account: AccountId,
        channel: &'static str,
        about: Option<&InstrumentSpec>,
        data: &Value,
        out: &mut Vec<ServerOut>,
    ) {
        for (conn, session) in &self.sessions {
            if let Some(arg) = session.wants(account, channel, about) {
                let text = json!({"arg": arg, "data": data});
                out.push(ServerOut::Text(*conn, text.to_string()));
            }
        }
    }

    fn tick(&mut self, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        let due = |at: &Nanos| *at <= now;
        let accounts: Vec<AccountId> =
            self.switches.iter().filter(|(_, at)| due(at)).map(|(account, _)| *account).collect();
        for account in accounts {
            self.switches.remove(&account);
            exchange.cancel_all(account, None, now);
        }
        self.streams.tick(now, &*exchange, out);
        let idle = self.conns.iter().filter(|(_, state)| now - state.last_frame > IDLE);
        for conn in idle.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.closed(conn);
            out.push(ServerOut::Close(conn));
        }
    }

    /// An instrument by its symbol.
    fn find(exchange: &dyn Exchange, symbol: &str) -> Option<(usize, InstrumentSpec)> {
        let mut listed = exchange.instruments().iter().enumerate();
        listed.find(|(_, spec)| spec.symbol.as_str() == symbol).map(|(place, spec)| (place, spec.clone()))
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
        let before = out.len();
        match input {
            ServerInput::Opened { conn, target, peer, .. } => self.opened(conn, target, peer, now, out),
            ServerInput::Closed(conn) => self.closed(conn),
            ServerInput::Text(conn, text) => self.message(conn, text, now, exchange, out),
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let request = rest::Request { method, target, headers, body, peer };
                let mut later = Vec::new();
                let (status, body) = self.request(&request, now, exchange, &mut later);
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                out.push(ServerOut::Response { id, status, headers, body });
                out.append(&mut later);
            }
            ServerInput::Event(event) => self.event(event, now, exchange, out),
            ServerInput::Tick => self.tick(now, exchange, out),
        }
        for sent in out.iter().skip(before) {
            if let ServerOut::Text(conn, _) = sent
                && let Some(state) = self.conns.get_mut(conn)
            {
                state.last_frame = now;
            }
        }
    }
}
