//! One connection of the WebSocket API: its login, its subscriptions, its requests.

use serde_json::{Value, json};

use super::auth::{self, Needs, Params};
use super::words::Fields;
use super::{BinanceServer, Failure, api};
use crate::types::Nanos;
use crate::venue::binance::call::{payload, plain};
use crate::venue::{AccountId, Exchange, KeySecret};

/// A connection's state.
pub struct Session {
    peer: String,
    /// Answers tell how much of the limits is used.
    limits: bool,
    connected: Nanos,
    /// The key that logged on, and when.
    logon: Option<(String, Nanos)>,
    /// Subscriptions to account events, with the key that made them.
    subscriptions: Vec<(u64, AccountId)>,
    next_subscription: u64,
}

impl Session {
    /// A connection from that address.
    pub fn new(peer: &str, limits: bool, now: Nanos) -> Session {
        Session {
            peer: peer.to_owned(),
            limits,
            connected: now,
            logon: None,
            subscriptions: Vec::new(),
            next_subscription: 0,
        }
    }

    /// The numbers of its subscriptions to an account's events.
    pub fn subscriptions_of(&self, account: AccountId) -> impl Iterator<Item = u64> {
        self.subscriptions.iter().filter(move |(_, own)| *own == account).map(|(id, _)| *id)
    }

    /// Answers a request.
    pub fn message(
        &mut self,
        server: &mut BinanceServer,
        text: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let usable = id.is_null() || id.is_i64() || id.as_str().is_some_and(|id| id.len() <= 36);
        let (Some(method), true) = (request.get("method").and_then(Value::as_str), usable) else {
            let failure = Failure::bad(-1135, "Invalid JSON Request");
            return json!({"id": null, "status": 400, "error": failure.body()}).to_string();
        };
        let empty = serde_json::Map::new();
        let sent = request.get("params").and_then(Value::as_object).unwrap_or(&empty);
        let params = Params(sent.iter().map(|(name, value)| (name.clone(), plain(value))).collect());
        // What a logged-on session sends bears no signature.
        let signed = || payload(sent.iter().map(|(name, value)| (name.as_str(), value)));

        let mut account = None;
        let answer = server
            .weigh(&self.peer, method, &params, now)
            .and_then(|()| self.run(server, method, &params, &signed, &mut account, now, exchange));
        if answer.is_ok() {
            server.settle(&self.peer, method, &params, now);
        }
        // A key that was revoked ends its session, with an answer to no request.
        let revoked = matches!(&answer, Err(failure) if failure.code == -2015)
            && params.get("apiKey").is_none()
            && self.logon.take().is_some();
        let id = if revoked { Value::Null } else { id };
        let mut reply = Fields::inner();
        reply.tree("id", &id);
        match answer {
            Ok(result) => reply.plain("status", 200).tree("result", &result),
            Err(failure) => reply.plain("status", failure.status).tree("error", &failure.body()),
        };
        if self.limits && params.get("returnRateLimits") != Some("false") {
            let rule = |name: &str, interval: &str, number: u32, limit: u32, count: u32| {
                let mut rule = Fields::inner();
                rule.text("rateLimitType", name).text("interval", interval).plain("intervalNum", number);
                rule.plain("limit", limit).plain("count", count).end()
            };
            let weight = server.limits.used(&self.peer, now);
            let weight = rule("REQUEST_WEIGHT", "MINUTE", 1, server.desk.weight_per_minute, weight);
            let placed = server.limits.placed(account);
            let orders = rule("ORDERS", "SECOND", 10, server.desk.orders_per_window, placed);
            // Requests of nobody tell nothing of orders.
            let told = [&*weight, &orders];
            reply.list("rateLimits", if account.is_some() { &told } else { &told[..1] });
        }
        reply.end()
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn run(
        &mut self,
        server: &mut BinanceServer,
        method: &str,
        params: &Params,
        signed: &dyn Fn() -> String,
        account: &mut Option<AccountId>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<Value, Failure> {
        // Those of futures know no subscription: account events have a stream of their own.
        let subscribes = method.starts_with("userDataStream.") || method == "session.subscriptions";
        if subscribes && server.desk.listen_key.is_some() {
            return Err(Failure::unknown_method());
        }
        match method {
            "session.logon" => {
                let name = params.need("apiKey")?;
                let key = auth::key(&*exchange, name, &self.peer, Needs::Nothing)?;
                if !matches!(key.secret, KeySecret::Ed25519(_)) {
                    let text = "Only Ed25519 API-keys are supported for this request.";
                    return Err(Failure::bad(-4056, text));
                }
                auth::check(&*exchange, name, &self.peer, Needs::Nothing, params, &signed(), now)?;
                self.logon = Some((name.to_owned(), now));
                Ok(self.status(now))
            }
            "session.status" => Ok(self.status(now)),
            "session.logout" => {
                self.logon = None;
                Ok(self.status(now))
            }
            "userDataStream.subscribe" => {
                let (name, _) = self.logon.clone().ok_or_else(|| Failure::missing("apiKey"))?;
                let key = auth::key(&*exchange, &name, &self.peer, Needs::Reading)?;
                self.subscribe(key.account)
            }
            "userDataStream.subscribe.signature" => {
                let name = params.need("apiKey")?;
                let own = auth::check(&*exchange, name, &self.peer, Needs::Reading, params, &signed(), now)?;
                self.subscribe(own)
            }
            "userDataStream.unsubscribe" => {
                let wanted = params.integer("subscriptionId")?;
                self.subscriptions
                    .retain(|(id, _)| wanted.is_some_and(|wanted| i64::try_from(*id) != Ok(wanted)));
                Ok(json!({}))
            }
            "session.subscriptions" => {
                Ok(self.subscriptions.iter().map(|(id, _)| json!({"subscriptionId": id})).collect())
            }
            _ => {
                let market = server.desk.market;
                let needs = api::needs(market, method).filter(|_| api::over_websocket(market, method));
                let needs = needs.ok_or_else(Failure::unknown_method)?;
                let mut name = String::new();
                if needs != Needs::Nothing {
                    *account = Some(match (params.get("apiKey"), &self.logon) {
                        (Some(own), _) => {
                            name = own.to_owned();
                            auth::check(&*exchange, own, &self.peer, needs, params, &signed(), now)?
                        }
                        (None, Some((own, _))) => {
                            name = own.clone();
                            let key = auth::key(&*exchange, own, &self.peer, needs)?;
                            auth::time(params, now)?;
                            key.account
                        }
                        (None, None) => return Err(Failure::missing("apiKey")),
                    });
                }
                server.run(method, params, *account, &name, now, exchange)
            }
        }
    }

    fn subscribe(&mut self, account: AccountId) -> Result<Value, Failure> {
        if self.subscriptions.iter().any(|(_, own)| *own == account) {
            return Err(Failure::bad(-2035, "Subscription is already active."));
        }
        let id = self.next_subscription;
        self.next_subscription += 1;
        self.subscriptions.push((id, account));
        Ok(json!({"subscriptionId": id}))
    }

    fn status(&self, now: Nanos) -> Value {
        let (key, since) = match &self.logon {
            Some((key, since)) => (Value::from(key.as_str()), Value::from(since.millis())),
            None => (Value::Null, Value::Null),
        };
        json!({
            "apiKey": key,
            "authorizedSince": since,
            "connectedSince": self.connected.millis(),
            "returnRateLimits": self.limits,
            "serverTime": now.millis(),
            "userDataStream": !self.subscriptions.is_empty(),
        })
    }
}
