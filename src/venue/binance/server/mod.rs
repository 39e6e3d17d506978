//! The spot venue's own end of the wire: REST, market streams and the WebSocket API on one port,
//! told apart by path. It checks what the venue checks (key, address, time, signature, rights, limit
//! of orders, filters) and complains in the venue's words; matching and money are the exchange's.

mod api;
mod auth;
mod market;
mod session;
mod words;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::auth::{Needs, Params};
use self::market::{Gathering, Listener};
use self::session::Session;
use crate::types::Nanos;
use crate::venue::{
    AccountId, ConnId, Event, Exchange, OrderChange, RequestId, Server, ServerInput, ServerOut,
};

/// Orders that an account may have placed in ten seconds; an order that trades is given back.
const ORDERS_PER_WINDOW: u32 = 200;
const WINDOW: Nanos = Nanos::from_secs(10);

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
    listeners: BTreeMap<ConnId, Listener>,
    sessions: BTreeMap<ConnId, Session>,
    gathering: Gathering,
    /// Orders placed in the current window, by account.
    placed: BTreeMap<AccountId, u32>,
    window: i64,
    next_client: u64,
    executions: u64,
}

impl BinanceServer {
    /// A server whose made-up client ids start somewhere that the seed says.
    pub fn new(seed: u64) -> BinanceServer {
        BinanceServer {
            listeners: BTreeMap::new(),
            sessions: BTreeMap::new(),
            gathering: Gathering::default(),
            placed: BTreeMap::new(),
            window: 0,
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
        let window = now.0.div_euclid(WINDOW.0);
        if window != self.window {
            self.window = window;
            self.placed.clear();
        }
        if let Some(account) = account
            && api::places_order(method)
        {
            let placed = self.placed.entry(account).or_default();
            if *placed >= ORDERS_PER_WINDOW {
                let retry_at = Nanos((window + 1) * WINDOW.0).millis();
                let text = format!(
                    "Too many new orders; current limit is {ORDERS_PER_WINDOW} orders per 10 SECOND."
                );
                let data = json!({"serverTime": now.millis(), "retryAfter": retry_at});
                return Err(Failure { status: 429, data: Some(data), ..Failure::bad(-1015, &text) });
            }
            *placed += 1;
        }
        let next_client = &mut self.next_client;
        api::Request { params, account, key, now, exchange, next_client }.answer(method)
    }

    fn count(&self, account: Option<AccountId>) -> u32 {
        account.and_then(|account| self.placed.get(&account)).copied().unwrap_or(0)
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
        let answer = api::route(method, path).ok_or_else(Failure::unknown_method).and_then(|name| {
            let body = std::str::from_utf8(body)
                .map_err(|_| Failure::bad(-1100, "Illegal characters found in the body."))?;
            let mut params = Params::default();
            params.add_form(query)?;
            params.add_form(body)?;
            let needs = api::needs(name).unwrap_or(Needs::Nothing);
            let key = headers.iter().find(|(name, _)| name == "x-mbx-apikey").map_or("", |(_, key)| key);
            if needs != Needs::Nothing {
                let signed = format!("{query}{body}");
                let payload = without_signature(&signed);
                account = Some(auth::check(&*exchange, key, peer, needs, &params, &payload, now)?);
            }
            self.run(name, &params, account, key, now, exchange)
        });
        let mut headers = vec![
            ("content-type".to_owned(), "application/json;charset=UTF-8".to_owned()),
            ("x-mbx-used-weight-1m".to_owned(), "1".to_owned()),
        ];
        if account.is_some() {
            headers.push(("x-mbx-order-count-10s".to_owned(), self.count(account).to_string()));
        }
        let (status, body) = match answer {
            Ok(value) => (200, value.to_string()),
            Err(failure) => {
                if failure.status == 429 {
                    let left = Nanos((self.window + 1) * WINDOW.0) - now;
                    let secs = (left.millis() + 999).div_euclid(1_000);
                    headers.push(("retry-after".to_owned(), secs.to_string()));
                }
                (failure.status, failure.body().to_string())
            }
        };
        ServerOut::Response { id, status, headers, body }
    }

    fn event(&mut self, event: &Event, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
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
                // The first fill of an order gives its place in the limit back.
                if let OrderChange::Trade(fill) = change
                    && fill.qty == view.filled
                    && let Some(placed) = self.placed.get_mut(&view.account)
                {
                    *placed = placed.saturating_sub(1);
                }
                if let Some(spec) = exchange.instruments().get(view.order.instrument) {
                    let event = words::execution(spec, view, change, self.executions, now.millis());
                    self.tell(view.account, &event, out);
                }
            }
            Event::Balance { account, balance, .. } => {
                self.tell(*account, &words::position(balance, now.millis()), out);
            }
            Event::Position { .. } => {}
        }
    }

    fn tell(&self, account: AccountId, event: &Value, out: &mut Vec<ServerOut>) {
        for (conn, session) in &self.sessions {
            for id in session.subscriptions_of(account) {
                let text = json!({"subscriptionId": id, "event": event}).to_string();
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
            ServerInput::Opened { conn, target, peer, .. } => {
                if target.split('?').next() == Some("/ws-api/v3") {
                    let limits = !target.contains("returnRateLimits=false");
                    self.sessions.insert(conn, Session::new(peer, limits, now));
                } else if let Some(listener) = Listener::open(target, exchange.instruments()) {
                    self.listeners.insert(conn, listener);
                } else {
                    out.push(ServerOut::Close(conn));
                }
            }
            ServerInput::Text(conn, text) => {
                if let Some(listener) = self.listeners.get_mut(&conn) {
                    match listener.message(text, exchange.instruments(), now) {
                        Some(answer) => out.push(ServerOut::Text(conn, answer)),
                        None => {
                            self.listeners.remove(&conn);
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
                self.listeners.remove(&conn);
                self.sessions.remove(&conn);
            }
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let answer = self.rest(id, method, target, headers, body, peer, now, exchange);
                out.push(answer);
            }
            ServerInput::Event(event) => self.event(event, now, exchange, out),
            ServerInput::Tick => {
                self.gathering.tick(exchange.instruments(), now, &self.listeners, out);
            }
        }
    }
}

/// A query or form without its signature, as it was signed.
fn without_signature(text: &str) -> String {
    let Some(at) = text.find("signature=") else { return text.to_owned() };
    let end = text[at..].find('&').map_or(text.len(), |n| at + n);
    let start = if at > 0 && text.as_bytes()[at - 1] == b'&' { at - 1 } else { at };
    format!("{}{}", &text[..start], &text[end..])
}
