//! The venue's own end of the wire, for spot or futures: REST, market streams, the WebSocket API and, on
//! futures, account streams on one port, told apart by path. It checks what the venue checks (key, address, time, signature, rights, limit
//! of orders, parameters, filters) and complains in the venue's words; matching, margin and money are
//! the exchange's.

mod api;
mod auth;
mod futures;
mod futures_words;
mod known;
mod limits;
mod market;
mod session;
mod streams;
mod words;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::auth::{Needs, Params};
use self::limits::Limits;
use self::market::{Gathering, Listener};
use self::session::Session;
use self::streams::Streams;
use super::desk::Desk;
use super::symbol::Market;
use crate::types::Nanos;
use crate::venue::{
    AccountId, ConnId, Event, Exchange, KeySecret, OrderChange, RequestId, Server, ServerInput, ServerOut,
};

/// A connection lives no longer.
const CONNECTION_LIFE: Nanos = Nanos::from_secs(24 * 3600);
/// How long before its end it is told.
const SHUTDOWN_TOLD: Nanos = Nanos::from_secs(5 * 60);

/// An error in the venue's form.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    status: u16,
    code: i64,
    text: String,
    data: Option<Value>,
}

impl Failure {
    fn bad(code: i64, text: &str) -> Failure {
        Failure { status: 400, code, text: text.to_owned(), data: None }
    }

    fn missing(name: &str) -> Failure {
        Failure::bad(
            -1102,
            &format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
        )
    }

    fn unknown_method() -> Failure {
        Failure { status: 404, ..Failure::bad(-1000, "The requested method does not exist.") }
    }

    fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "msg": self.text});
        if let Some(data) = &self.data {
            body["data"] = data.clone();
        }
        body
    }
}

/// The simulated venue.
pub struct BinanceServer {
    desk: &'static Desk,
    listeners: BTreeMap<ConnId, Listener>,
    sessions: BTreeMap<ConnId, Session>,
    streams: Streams,
    /// When a connection opened, and whether it was told of its end.
    opened: BTreeMap<ConnId, (Nanos, bool)>,
    /// When all orders of an account's instrument are cancelled.
    dead_men: BTreeMap<(AccountId, usize), Nanos>,
    gathering: Gathering,
    limits: Limits,
    next_client: u64,
    executions: u64,
}

impl BinanceServer {
    /// A server whose made-up client ids start somewhere that the seed says.
    pub fn new(desk: &'static Desk, seed: u64) -> BinanceServer {
        BinanceServer {
            desk,
            listeners: BTreeMap::new(),
            sessions: BTreeMap::new(),
            streams: Streams::new(desk),
            opened: BTreeMap::new(),
            dead_men: BTreeMap::new(),
            gathering: Gathering::new(desk.market),
            limits: Limits::default(),
            next_client: (seed % 1_000_000) * 1_000_000,
            executions: 0,
        }
    }

    /// Runs a request whose sender is known; counts it where it places an order.
    fn run(
        &mut self,
        method: &str,
        params: &Params,
        account: Option<AccountId>,
        key: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<Value, Failure> {
        known::check(self.desk.market, method, params)?;
        let most = self.desk.orders_per_window;
        if let Some(account) = account
            && api::places_order(method)
        {
            self.limits.place(account, most, now)?;
        }
        match (method, account) {
            ("userDataStream.start" | "userDataStream.ping" | "userDataStream.stop", Some(account)) => {
                self.streams.request(method, params, account, now)
            }
            ("countdown", Some(account)) => self.countdown(params, account, now, &*exchange),
            _ => {
                let (market, next_client) = (self.desk.market, &mut self.next_client);
                let mut request = api::Request {
                    market,
                    params,
                    account,
                    key,
                    now,
                    exchange,
                    next_client,
                    orders_per_window: most,
                    weight_per_minute: self.desk.weight_per_minute,
                };
                request.answer(method)
            }
        }
    }

    /// Sets the switch of a symbol; zero switches it off.
    fn countdown(
        &mut self,
        params: &Params,
        account: AccountId,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<Value, Failure> {
        let symbol = params.need("symbol")?;
        let at = exchange.instruments().iter().position(|spec| spec.symbol.as_str() == symbol);
        let at = at.ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))?;
        let time = params.integer("countdownTime")?.filter(|time| (0..=86_400_000).contains(time));
        let time = time.ok_or_else(|| Failure::missing("countdownTime"))?;
        match time {
            0 => self.dead_men.remove(&(account, at)),
            time => self.dead_men.insert((account, at), now + Nanos::from_millis(time)),
        };
        Ok(json!({"symbol": symbol, "countdownTime": time.to_string()}))
    }

    /// Cancels what was not renewed in time.
    fn fire_dead_men(&mut self, now: Nanos, exchange: &mut dyn Exchange) {
        for ((account, at), _) in self.dead_men.extract_if(.., |_, due| now >= *due) {
            exchange.cancel_all(account, Some(at), now);
        }
    }

    /// Ends connections that have lived their 24 hours; those of spot are told a little ahead.
    fn end_old(&mut self, now: Nanos, out: &mut Vec<ServerOut>) {
        for (conn, (opened, told)) in &mut self.opened {
            let age = now - *opened;
            if age >= CONNECTION_LIFE {
                out.push(ServerOut::Close(*conn));
            } else if age >= CONNECTION_LIFE - SHUTDOWN_TOLD && self.desk.market == Market::Spot && !*told {
                *told = true;
                let event = json!({"e": "serverShutdown", "E": now.millis()});
                let text = match self.listeners.get(conn) {
                    Some(listener) => listener.wrapped("!serverShutdown", &event.to_string()),
                    None => json!({"event": event}).to_string(),
                };
                out.push(ServerOut::Text(*conn, text));
            }
        }
        for sent in out.iter() {
            if let ServerOut::Close(conn) = sent {
                self.forget(*conn);
            }
        }
    }

    fn forget(&mut self, conn: ConnId) {
        self.listeners.remove(&conn);
        self.sessions.remove(&conn);
        self.streams.close(conn);
        self.opened.remove(&conn);
    }

    /// Counts a request's weight before it is looked at.
    fn weigh(&mut self, peer: &str, method: &str, params: &Params, now: Nanos) -> Result<(), Failure> {
        let weight = limits::weight(self.desk.market, method, params);
        self.limits.weigh(peer, weight, self.desk.weight_per_minute, now)
    }

    /// An order or a cancel that succeeded weighs nothing.
    fn settle(&mut self, peer: &str, method: &str, params: &Params, now: Nanos) {
        if matches!(method, "order.place" | "order.cancel" | "openOrders.cancelAll" | "order.cancelReplace") {
            let weight = limits::weight(self.desk.market, method, params);
            self.limits.weightless(peer, weight, now);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn rest(
        &mut self,
        id: RequestId,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
        peer: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> ServerOut {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut account = None;
        let market = self.desk.market;
        let answer = api::route(market, method, path).ok_or_else(Failure::unknown_method).and_then(|name| {
            let body = std::str::from_utf8(body)
                .map_err(|_| Failure::bad(-1100, "Illegal characters found in the body."))?;
            let mut params = Params::default();
            params.add_form(query)?;
            params.add_form(body)?;
            self.weigh(peer, name, &params, now)?;
            let needs = api::needs(market, name).unwrap_or(Needs::Nothing);
            let key = headers.iter().find(|(name, _)| name == "x-mbx-apikey").map_or("", |(_, key)| key);
            if needs == Needs::Key {
                account = Some(auth::key(&*exchange, key, peer, needs)?.account);
            } else if needs != Needs::Nothing {
                let signed = format!("{query}{body}");
                let payload = without_signature(&signed);
                account = Some(auth::check(&*exchange, key, peer, needs, &params, &payload, now)?);
            }
            let answer = self.run(name, &params, account, key, now, exchange)?;
            self.settle(peer, name, &params, now);
            Ok(answer)
        });
        let mut headers = vec![
            ("content-type".to_owned(), "application/json;charset=UTF-8".to_owned()),
            ("x-mbx-used-weight-1m".to_owned(), self.limits.used(peer, now).to_string()),
        ];
        if account.is_some() {
            headers.push(("x-mbx-order-count-10s".to_owned(), self.limits.placed(account).to_string()));
        }
        let (status, body) = match answer {
            Ok(value) => (200, value.to_string()),
            Err(failure) => {
                if let Some(secs) = limits::retry_after(&failure, now) {
                    headers.push(("retry-after".to_owned(), secs.to_string()));
                }
                (failure.status, failure.body().to_string())
            }
        };
        ServerOut::Response { id, status, headers, body }
    }

    fn event(&mut self, event: &Event, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        if self.desk.listen_key.is_some() {
            self.streams.event(event, exchange.instruments(), now, out);
        }
        match event {
            Event::Book { instrument, seq, bids, asks, .. } => {
                let book = exchange.book(*instrument, 1);
                if let Some(spec) = exchange.instruments().get(*instrument) {
                    let (gathering, listeners) = (&mut self.gathering, &self.listeners);
                    gathering.change(*instrument, spec, *seq, [bids, asks], &book, now, listeners, out);
                }
            }
            Event::Order { view, change } => {
                self.executions += 1;
                // The first fill of a spot order gives its place in the limit back.
                if self.desk.market == Market::Spot
                    && let OrderChange::Trade(fill) = change
                    && fill.qty == view.filled
                {
                    self.limits.give_back(view.account);
                }
                if let Some(spec) = exchange.instruments().get(view.order.instrument)
                    && self.listens(view.account)
                {
                    let event = words::execution(spec, view, change, self.executions, now.millis());
                    self.tell(view.account, &event, out);
                }
            }
            Event::Balance { account, balance, .. } if self.listens(*account) => {
                self.tell(*account, &words::position(balance, now.millis()), out);
            }
            Event::Balance { .. } | Event::Position { .. } => {}
        }
    }

    /// Whether any session gets an account's events.
    fn listens(&self, account: AccountId) -> bool {
        self.sessions.values().any(|session| session.subscriptions_of(account).next().is_some())
    }

    fn tell(&self, account: AccountId, event: &str, out: &mut Vec<ServerOut>) {
        for (conn, session) in &self.sessions {
            for id in session.subscriptions_of(account) {
                let text = format!(r#"{{"subscriptionId":{id},"event":{event}}}"#);
                out.push(ServerOut::Text(*conn, text));
            }
        }
    }
}

impl Server for BinanceServer {
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        match input {
            ServerInput::Opened { conn, target, headers, peer } => {
                self.opened.insert(conn, (now, false));
                if target.split('?').next() == Some(self.desk.api_path) {
                    let limits = !target.contains("returnRateLimits=false");
                    self.sessions.insert(conn, Session::new(peer, limits, now));
                } else if let (Some(_), Some(good)) =
                    (self.desk.listen_key, self.streams.open(conn, target, now))
                {
                    if !good {
                        self.forget(conn);
                        out.push(ServerOut::Close(conn));
                    }
                } else if let Some(listener) = sbe_wanted(&*exchange, self.desk.market, headers)
                    .and_then(|sbe| Listener::open(self.desk, sbe, target, exchange.instruments()))
                {
                    self.listeners.insert(conn, listener);
                } else {
                    self.forget(conn);
                    out.push(ServerOut::Close(conn));
                }
            }
            ServerInput::Text(conn, text) => {
                if let Some(listener) = self.listeners.get_mut(&conn) {
                    match listener.message(text, exchange.instruments(), now) {
                        Some(answer) => out.push(ServerOut::Text(conn, answer)),
                        None => {
                            self.forget(conn);
                            out.push(ServerOut::Close(conn));
                        }
                    }
                } else if let Some(mut session) = self.sessions.remove(&conn) {
                    let answer = session.message(self, text, now, exchange);
                    self.sessions.insert(conn, session);
                    out.push(ServerOut::Text(conn, answer));
                }
            }
            ServerInput::Closed(conn) => {
                self.forget(conn);
            }
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let answer = self.rest(id, method, target, headers, body, peer, now, exchange);
                out.push(answer);
            }
            ServerInput::Event(event) => self.event(event, now, exchange, out),
            ServerInput::Tick => {
                self.gathering.tick(exchange.instruments(), now, &self.listeners, out);
                self.fire_dead_men(now, exchange);
                self.streams.tick(now, out);
                self.end_old(now, out);
            }
        }
    }
}

/// Whether a connection for market data gets SBE: one address serves both encodings here, and the key
/// in the handshake, which only SBE asks for, tells them apart. `None` when the key is not good for it.
fn sbe_wanted(exchange: &dyn Exchange, market: Market, headers: &[(String, String)]) -> Option<bool> {
    let named = headers.iter().find(|(name, _)| name == "x-mbx-apikey").filter(|_| market == Market::Spot);
    let Some((_, key)) = named else { return Some(false) };
    let good = exchange.key(key).is_some_and(|key| matches!(key.secret, KeySecret::Ed25519(_)));
    good.then_some(true)
}

/// A query or form without its signature, as it was signed.
fn without_signature(text: &str) -> String {
    let Some(at) = text.find("signature=") else { return text.to_owned() };
    let end = text[at..].find('&').map_or(text.len(), |n| at + n);
    let start = if at > 0 && text.as_bytes()[at - 1] == b'&' { at - 1 } else { at };
    format!("{}{}", &text[..start], &text[end..])
}
