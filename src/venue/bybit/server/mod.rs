//! The venue's own end of the wire: REST, public streams, the private stream and the order session
//! of one market on one port, told apart by path. It checks what the venue checks (key, address,
//! time, signature, rights, limits, ids that were used before, filters) and complains in the venue's
//! words; matching and money are the exchange's.
//!
//! As at the venue, an order is acknowledged before its fate is told: one that the exchange will not
//! have for reasons of the market is accepted first, and ends over the private stream.

mod api;
mod auth;
mod limits;
mod market;
mod session;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::auth::Needs;
use self::limits::{Counts, Left};
use self::market::Streams;
use self::session::Session;
use super::symbol::Market;
use crate::types::Nanos;
use crate::venue::served::Ghosts;
use crate::venue::{AccountId, ConnId, Event, Exchange, OrderChange, Server, ServerInput, ServerOut};

/// An error in the venue's form.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    code: i64,
    text: String,
}

impl Failure {
    fn new(code: i64, text: &str) -> Failure {
        Failure { code, text: text.to_owned() }
    }

    fn missing(name: &str) -> Failure {
        Failure::new(10_001, &format!("params error: {name}"))
    }
}

/// A request's parameters as plain texts.
#[derive(Default, Clone, Debug)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// The fields of a body.
    fn of(fields: &Map<String, Value>) -> Params {
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Params(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
    }

    /// The parts of a query; `None` for broken encoding.
    fn of_query(query: &str) -> Option<Params> {
        let mut params = Params::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            params.0.insert(percent_decode(name)?, percent_decode(value)?);
        }
        Some(params)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::missing(name))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.get(name).map(|text| text.parse().map_err(|_| Failure::missing(name))).transpose()
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// The simulated venue, one market of it.
pub struct BybitServer {
    market: Market,
    streams: Streams,
    sessions: BTreeMap<ConnId, Session>,
    counts: Counts,
    ghosts: Ghosts,
    next_client: u64,
    next_event: u64,
    /// Dead-man switches, and since when no connection holds them off.
    switches: BTreeMap<AccountId, (Nanos, Option<Nanos>)>,
}

impl BybitServer {
    /// A server of that market; the seed says where its numbers start.
    pub fn new(market: Market, seed: u64) -> BybitServer {
        BybitServer {
            market,
            streams: Streams::new(market, seed),
            sessions: BTreeMap::new(),
            counts: Counts::default(),
            ghosts: Ghosts::default(),
            next_client: (seed % 1_000_000) * 1_000_000,
            next_event: 0,
            switches: BTreeMap::new(),
        }
    }

    /// Runs a request whose sender is known.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn run(
        &mut self,
        path: &'static str,
        params: &Params,
        sender: Option<(AccountId, &str)>,
        limits: Option<Left>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Result<Value, Failure> {
        if limits.is_some_and(|limits| limits.over) {
            return Err(Failure::new(10_006, "Too many visits. Exceeded the API Rate Limit."));
        }
        api::Request { server: self, params, sender, now, exchange, out }.answer(path)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn rest(
        &mut self,
        id: crate::venue::RequestId,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
        peer: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        if !self.counts.address(peer, now) {
            let (headers, body) = (Vec::new(), "access too frequent".to_owned());
            return out.push(ServerOut::Response { id, status: 403, headers, body });
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some((path, needs)) = api::route(method, path) else {
            let (headers, body) = (Vec::new(), String::new());
            return out.push(ServerOut::Response { id, status: 404, headers, body });
        };
        let (mut limits, mut later) = (None, Vec::new());
        let answer = self.rest_answer(
            (method, path, needs),
            query,
            headers,
            body,
            peer,
            now,
            exchange,
            &mut limits,
            &mut later,
        );
        let mut headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        if let Some(limits) = limits {
            headers.push(("x-bapi-limit".to_owned(), limits.cap.to_string()));
            headers.push(("x-bapi-limit-status".to_owned(), limits.left.to_string()));
            headers.push(("x-bapi-limit-reset-timestamp".to_owned(), limits.reset.millis().to_string()));
        }
        let (code, text, result) = match answer {
            Ok(result) => (0, "OK".to_owned(), result),
            Err(failure) => (failure.code, failure.text, json!({})),
        };
        let body = json!({
            "retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now.millis(),
        });
        out.push(ServerOut::Response { id, status: 200, headers, body: body.to_string() });
        out.append(&mut later);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn rest_answer(
        &mut self,
        (method, path, needs): (&str, &'static str, Needs),
        query: &str,
        headers: &[(String, String)],
        body: &[u8],
        peer: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        limits: &mut Option<Left>,
        out: &mut Vec<ServerOut>,
    ) -> Result<Value, Failure> {
        let body = std::str::from_utf8(body).map_err(|_| Failure::new(10_001, "body is not UTF-8"))?;
        let payload = if method == "GET" { query } else { body };
        let mut account = None;
        if needs != Needs::Nothing {
            account = Some(auth::request(&*exchange, headers, payload, peer, needs, now)?);
        }
        let params = if method == "GET" {
            Params::of_query(query).ok_or_else(|| Failure::missing("query"))?
        } else {
            let fields = serde_json::from_str::<Map<String, Value>>(body);
            Params::of(&fields.map_err(|_| Failure::new(10_001, "Request parameter error."))?)
        };
        *limits = account.map(|account| self.counts.account(self.market, account, path, now));
        let key = headers.iter().find(|(name, _)| name == "x-bapi-api-key").map_or("", |(_, key)| key);
        self.run(path, &params, account.map(|account| (account, key)), *limits, now, exchange, out)
    }

    /// Tells an account's sessions something of a family of topics.
    fn tell(&mut self, account: AccountId, family: &str, data: &Value, now: Nanos, out: &mut Vec<ServerOut>) {
        self.next_event += 1;
        for (conn, session) in &self.sessions {
            if let Some(topic) = session.wants(account, family, self.market) {
                let text = json!({
                    "id": self.next_event.to_string(), "topic": topic, "creationTime": now.millis(), "data": [data],
                });
                out.push(ServerOut::Text(*conn, text.to_string()));
            }
        }
    }

    fn event(&mut self, event: &Event, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        match event {
            Event::Book { .. } => self.streams.tick(now, &*exchange, out),
            Event::Order { view, change } => {
                let Some(spec) = exchange.instruments().get(view.order.instrument).cloned() else { return };
                let order = words::order(self.market, &spec, view);
                self.tell(view.account, "order", &order, now, out);
                if let OrderChange::Trade(fill) = change {
                    let fill = words::execution(self.market, &spec, fill, Some(view));
                    self.tell(view.account, "execution", &fill, now, out);
                }
            }
            Event::Position { account, view, .. } => {
                let Some(spec) = exchange.instruments().get(view.instrument) else { return };
                let position = words::position(self.market, spec, view, now);
                self.tell(*account, "position", &position, now, out);
            }
            Event::Balance { account, balance, .. } => {
                let wallet = words::wallet(vec![words::coin(self.market, balance)]);
                self.tell(*account, "wallet", &wallet, now, out);
            }
        }
    }

    /// Holds a switch off while any connection that subscribed to it lives.
    fn settle_switches(&mut self, now: Nanos) {
        let topic = if self.market == Market::Spot { "dcp.spot" } else { "dcp.future" };
        for (account, (_, since)) in &mut self.switches {
            let held = self.sessions.values().any(|session| {
                session.topics.contains(topic)
                    && session.login.as_ref().is_some_and(|(_, own)| own == account)
            });
            *since = if held { None } else { Some(since.unwrap_or(now)) };
        }
    }

    fn fire_switches(&mut self, now: Nanos, exchange: &mut dyn Exchange) {
        for (account, (window, since)) in &mut self.switches {
            if since.is_some_and(|since| now - since >= *window) {
                *since = Some(now);
                exchange.cancel_all(*account, None, now);
            }
        }
    }
}

impl Server for BybitServer {
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        match input {
            ServerInput::Opened { conn, target, peer, .. } => {
                let public = format!("/v5/public/{}", self.market.category());
                match target.split('?').next().unwrap_or_default() {
                    "/v5/trade" => _ = self.sessions.insert(conn, Session::new(true, peer)),
                    "/v5/private" => _ = self.sessions.insert(conn, Session::new(false, peer)),
                    path if path == public => self.streams.open(conn),
                    _ => out.push(ServerOut::Close(conn)),
                }
            }
            ServerInput::Text(conn, text) if self.streams.has(conn) => {
                self.streams.message(conn, text, now, &*exchange, out);
            }
            ServerInput::Text(conn, text) => {
                if let Some(mut session) = self.sessions.remove(&conn) {
                    session.message(conn, self, text, now, exchange, out);
                    self.sessions.insert(conn, session);
                    self.settle_switches(now);
                }
            }
            ServerInput::Closed(conn) => {
                if !self.streams.close(conn) && self.sessions.remove(&conn).is_some() {
                    self.settle_switches(now);
                }
            }
            ServerInput::Request { id, method, target, headers, body, peer } => {
                self.rest(id, method, target, headers, body, peer, now, exchange, out);
            }
            ServerInput::Event(event) => self.event(event, now, exchange, out),
            ServerInput::Tick => {
                self.fire_switches(now, exchange);
                self.streams.tick(now, &*exchange, out);
            }
        }
    }
}
