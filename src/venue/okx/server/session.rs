//! The private socket: its login, what an account is told over it, and orders.

use serde_json::{Map, Value, json};

use super::auth::{self, Claim};
use super::limits::{REQUESTS, Whose};
use super::market::complaint;
use super::trade::{Change, Naming};
use super::{OkxServer, Refused, words};
use crate::types::{InstrumentSpec, Nanos};
use crate::venue::okx::symbol::Market;
use crate::venue::{AccountId, ApiKey, ConnId, Exchange, ServerOut};

/// Connections with the same subscription that an account may have; one more ends the oldest.
const CONNECTIONS: usize = 30;
/// Longest id of a request.
const ID: usize = 32;

/// A connection's state.
pub struct Session {
    peer: String,
    /// The key that logged in, and whose it is.
    login: Option<(String, AccountId)>,
    subscribed: Vec<Subscription>,
}

struct Subscription {
    channel: &'static str,
    /// Of this instrument alone.
    symbol: Option<String>,
    /// As it was asked for.
    arg: Value,
}

impl Session {
    /// A connection from that address.
    pub fn new(peer: &str) -> Session {
        Session { peer: peer.to_owned(), login: None, subscribed: Vec::new() }
    }

    /// True when it wants news of that channel about that account; what they are labelled with.
    pub fn wants(
        &self,
        account: AccountId,
        channel: &'static str,
        about: Option<&InstrumentSpec>,
    ) -> Option<Value> {
        self.login.as_ref().filter(|(_, own)| *own == account)?;
        let fits = |own: &&Subscription| {
            own.channel == channel
                && match (&own.symbol, about) {
                    (Some(symbol), Some(spec)) => symbol == spec.symbol.as_str(),
                    _ => true,
                }
        };
        let mut arg = self.subscribed.iter().find(fits)?.arg.clone();
        arg["uid"] = words::UID.into();
        Some(arg)
    }

    /// Takes a message; `name` is the connection's.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message and what it may touch")]
    pub fn message(
        &mut self,
        conn: ConnId,
        name: &str,
        server: &mut OkxServer,
        text: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let request: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let word = |name: &str| request.get(name).and_then(Value::as_str);
        let (op, id) = (word("op").unwrap_or_default(), word("id"));
        let nothing = Vec::new();
        let args = request.get("args").and_then(Value::as_array).unwrap_or(&nothing);
        let refuse = |why: Refused| ServerOut::Text(conn, complaint(id, &why, name));
        let legal = |id: &str| id.len() <= ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if id.is_some_and(|id| !legal(id)) {
            return out.push(refuse(Refused::new(60_012, "Invalid request: id")));
        }
        if matches!(op, "login" | "subscribe" | "unsubscribe") {
            let taken = server.limits.take(Whose::Connection(conn), REQUESTS, now);
            if taken.is_err() {
                return out.push(refuse(Refused::new(60_014, "Requests too frequent")));
            }
        }
        match op {
            "login" => match self.log_in(args, now, &*exchange) {
                Ok(()) => {
                    let answer = json!({"event": "login", "code": "0", "msg": "", "connId": name});
                    out.push(ServerOut::Text(conn, answer.to_string()));
                }
                Err(why) => out.push(refuse(why)),
            },
            "subscribe" | "unsubscribe" => {
                for arg in args {
                    if let Err(why) = self.subscribe((op, id), arg, (conn, name), server, now, exchange, out)
                    {
                        out.push(refuse(why));
                    }
                }
            }
            _ => match Change::of_op(op) {
                Some(change) => {
                    let mut later = Vec::new();
                    let expires = word("expTime");
                    let done = self.key(&*exchange).and_then(|key| {
                        server.change(change, args, &key, Naming::Code, expires, now, exchange, &mut later)
                    });
                    let (code, text, data) = match done {
                        Ok((code, data)) => (code, String::new(), data),
                        Err(why) => (why.code, why.text, Vec::new()),
                    };
                    let mut answer = json!({
                        "op": op, "code": code.to_string(), "msg": text, "data": data,
                        "inTime": words::micros(now), "outTime": words::micros(now),
                    });
                    if let Some(id) = id {
                        answer["id"] = id.into();
                    }
                    out.push(ServerOut::Text(conn, answer.to_string()));
                    out.append(&mut later);
                }
                None => out.push(refuse(Refused::new(60_012, &format!("Invalid request: {text}")))),
            },
        }
    }

    /// The key that is logged in, while it is good.
    fn key(&self, exchange: &dyn Exchange) -> Result<ApiKey, Refused> {
        let key = self.login.as_ref().and_then(|(key, _)| exchange.key(key));
        key.cloned().ok_or_else(|| Refused::new(60_011, "Please log in"))
    }

    fn log_in(&mut self, args: &[Value], now: Nanos, exchange: &dyn Exchange) -> Result<(), Refused> {
        if self.login.is_some() {
            return Err(Refused::new(60_031, "Multiple logins on one connection are not supported."));
        }
        let [arg] = args else { return Err(Refused::new(60_009, "Login failed.")) };
        let word = |name: &str| arg.get(name).and_then(Value::as_str).unwrap_or_default();
        let claim = Claim {
            key: word("apiKey"),
            passphrase: word("passphrase"),
            timestamp: word("timestamp"),
            signature: word("sign"),
            signed: [b"", b"", b""],
            peer: &self.peer,
        };
        let key = auth::login(exchange, &claim, now)?;
        self.login = Some((key.key, key.account));
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request and what it may touch")]
    fn subscribe(
        &mut self,
        (op, id): (&str, Option<&str>),
        arg: &Value,
        (conn, name): (ConnId, &str),
        server: &mut OkxServer,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Result<(), Refused> {
        let account = self.key(&*exchange)?.account;
        let (channel, symbol) = channel(arg, server.market, &*exchange)?;
        let mut answer = json!({"event": op, "arg": arg, "connId": name});
        if let Some(id) = id {
            answer["id"] = id.into();
        }
        out.push(ServerOut::Text(conn, answer.to_string()));
        self.subscribed.retain(|own| own.arg != *arg);
        if op == "unsubscribe" {
            return Ok(());
        }
        // This connection's own state is not among the server's while it is served.
        let others: Vec<ConnId> = server
            .sessions
            .iter()
            .filter(|(_, session)| session.wants(account, channel, None).is_some())
            .map(|(conn, _)| *conn)
            .collect();
        let count = |event: &str, count: usize, name: &str| {
            json!({"event": event, "channel": channel, "connCount": count.to_string(), "connId": name})
                .to_string()
        };
        if others.len() >= CONNECTIONS
            && let Some(oldest) = others.first()
        {
            if let Some(session) = server.sessions.get_mut(oldest) {
                session.subscribed.retain(|own| own.channel != channel);
            }
            let name = server.conns.get(oldest).map_or("", |state| &state.name);
            out.push(ServerOut::Text(*oldest, count("channel-conn-count-error", CONNECTIONS, name)));
        }
        let now_there = (others.len() + 1).min(CONNECTIONS);
        out.push(ServerOut::Text(conn, count("channel-conn-count", now_there, name)));
        self.subscribed.push(Subscription { channel, symbol, arg: arg.clone() });
        // The account is told whole at first; orders are not.
        let data = match channel {
            "account" => words::account(&exchange.balances(account), now),
            _ => return Ok(()),
        };
        if let Some(arg) = self.wants(account, channel, None) {
            out.push(ServerOut::Text(conn, json!({"arg": arg, "data": data}).to_string()));
        }
        Ok(())
    }
}

/// The channel of an `arg`, and the one instrument that it is about.
fn channel(
    arg: &Value,
    market: Market,
    exchange: &dyn Exchange,
) -> Result<(&'static str, Option<String>), Refused> {
    let word = |name: &str| arg.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = word("channel").unwrap_or_default();
    let unknown = || {
        let text = format!(
            "Wrong URL or channel:{name} doesn't exist. Please use the correct URL, channel and parameters \
             referring to API document."
        );
        Refused::new(60_018, &text)
    };
    match name {
        "account" => Ok(("account", None)),
        "orders" => {
            let kind = word("instType");
            if kind != Some(market.kind()) && kind != Some("ANY") {
                return Err(unknown());
            }
            let symbol = word("instId").map(str::to_owned);
            if symbol.as_deref().is_some_and(|symbol| OkxServer::find(exchange, symbol).is_none()) {
                return Err(unknown());
            }
            Ok(("orders", symbol))
        }
        // For accounts of high fee tiers, which none is here.
        "fills" => Err(Refused::new(
            60_029,
            "Only users of higher trading fee tiers are allowed to subscribe to this channel.",
        )),
        _ => Err(unknown()),
    }
}
