//! Sessions: the private stream and the order session, their logins, topics and requests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::auth::{self, Needs};
use super::{BybitServer, Failure, Params};
use crate::types::Nanos;
use crate::venue::bybit::symbol::Market;
use crate::venue::{AccountId, ConnId, Exchange, ServerOut};

/// A connection's state.
pub struct Session {
    /// Orders go over it; else the account's events.
    pub trade: bool,
    peer: String,
    /// The key that logged in, and whose it is.
    pub login: Option<(String, AccountId)>,
    pub topics: BTreeSet<String>,
    /// Ids of requests so far.
    requests: BTreeSet<String>,
}

impl Session {
    /// A connection from that address.
    pub fn new(trade: bool, peer: &str) -> Session {
        Session {
            trade,
            peer: peer.to_owned(),
            login: None,
            topics: BTreeSet::new(),
            requests: BTreeSet::new(),
        }
    }

    /// True when it wants news of that family about that account: all markets', or this one's.
    pub fn wants(&self, account: AccountId, family: &str, market: Market) -> Option<String> {
        self.login.as_ref().filter(|(_, own)| *own == account)?;
        let own = format!("{family}.{}", market.category());
        [family.to_owned(), own].into_iter().find(|topic| self.topics.contains(topic))
    }

    /// Takes a message.
    pub fn message(
        &mut self,
        conn: ConnId,
        server: &mut BybitServer,
        text: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let request: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let word = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let op = word("op");
        let args = request.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
        let answer = match (op, self.trade) {
            ("ping", true) => {
                json!({"op": "pong", "retCode": 0, "data": [now.millis().to_string()], "connId": "sim"})
            }
            ("ping", false) => json!({"op": "pong", "args": [now.millis().to_string()], "conn_id": "sim"}),
            ("auth", _) => {
                let read = self.log_in(&args, now, exchange);
                self.auth_answer(read)
            }
            ("subscribe" | "unsubscribe", false) => {
                let done = self.subscribe(op == "subscribe", &args, server.market);
                let (success, why) = (done.is_ok(), done.err().unwrap_or_default());
                json!({"success": success, "ret_msg": why, "op": op, "conn_id": "sim", "req_id": word("req_id")})
            }
            (_, true) => {
                let mut later = Vec::new();
                let answer = self.trade(server, &request, op, &args, now, exchange, &mut later);
                out.push(ServerOut::Text(conn, answer.to_string()));
                out.append(&mut later);
                return;
            }
            (_, false) => {
                json!({"success": false, "ret_msg": "error:invalid op", "op": op, "conn_id": "sim"})
            }
        };
        out.push(ServerOut::Text(conn, answer.to_string()));
    }

    fn log_in(&mut self, args: &[Value], now: Nanos, exchange: &dyn Exchange) -> Result<(), Failure> {
        if self.login.is_some() {
            return Err(Failure::new(20_001, "Repeat auth"));
        }
        let bad = || Failure::new(10_001, "Params Error");
        let [Value::String(key), expires, Value::String(signature)] = args else { return Err(bad()) };
        let expires = expires.as_i64().ok_or_else(bad)?;
        let account = auth::login(exchange, key, expires, signature, &self.peer, now)?;
        self.login = Some((key.clone(), account));
        Ok(())
    }

    fn auth_answer(&self, read: Result<(), Failure>) -> Value {
        let failure = read.err().unwrap_or_else(|| Failure::new(0, ""));
        if self.trade {
            let text = if failure.code == 0 { "OK" } else { &failure.text };
            json!({"retCode": failure.code, "retMsg": text, "op": "auth", "connId": "sim"})
        } else {
            json!({"success": failure.code == 0, "ret_msg": failure.text, "op": "auth", "conn_id": "sim"})
        }
    }

    fn subscribe(&mut self, add: bool, args: &[Value], market: Market) -> Result<(), String> {
        if self.login.is_none() {
            return Err("Request not authorized".to_owned());
        }
        let names: Option<Vec<&str>> = args.iter().map(Value::as_str).collect();
        let names = names.ok_or("error:invalid args")?;
        let families = ["order", "execution", "position"];
        let of_one = |name: &str| name.split_once('.').is_some_and(|(family, _)| families.contains(&family));
        if names.iter().any(|name| families.contains(name)) && names.iter().any(|name| of_one(name)) {
            return Err("error:all-in-one and categorised topics in one request".to_owned());
        }
        let switch = if market == Market::Spot { "dcp.spot" } else { "dcp.future" };
        for name in &names {
            let known = families.contains(name)
                || *name == "wallet"
                || *name == switch
                || name
                    .split_once('.')
                    .is_some_and(|(_, category)| category == market.category() && of_one(name));
            if !known {
                return Err(format!("error:handler not found,topic:{name}"));
            }
        }
        for name in names {
            if add {
                self.topics.insert(name.to_owned());
            } else {
                self.topics.remove(name);
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn trade(
        &mut self,
        server: &mut BybitServer,
        request: &Value,
        op: &str,
        args: &[Value],
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Value {
        let id = request.get("reqId").and_then(Value::as_str);
        let header = |name: &str| {
            request
                .get("header")
                .and_then(|header| header.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut limits = None;
        let answer = self.check(id).and_then(|(name, account)| {
            let path = match op {
                "order.create" => "/v5/order/create",
                "order.amend" => "/v5/order/amend",
                "order.cancel" => "/v5/order/cancel",
                _ => return Err(Failure::new(10_404, "op is not correct.")),
            };
            auth::time(header("X-BAPI-TIMESTAMP"), header("X-BAPI-RECV-WINDOW"), now)?;
            auth::permit(auth::key(&*exchange, &name, &self.peer)?, Needs::Trading)?;
            let [Value::Object(fields)] = args else {
                return Err(Failure::new(10_001, "params error: args"));
            };
            let params = Params::of(fields);
            limits = Some(server.counts.account(server.market, account, path, now));
            server.run(path, &params, Some((account, &name)), limits, now, exchange, out)
        });
        let (code, text, data) = match answer {
            Ok(data) => (0, "OK".to_owned(), data),
            Err(failure) => (failure.code, failure.text, json!({})),
        };
        let mut reply = json!({
            "retCode": code, "retMsg": text, "op": op, "data": data, "retExtInfo": {},
            "header": {"Traceid": "sim", "Timenow": now.millis().to_string()}, "connId": "sim",
        });
        if let Some(limits) = limits {
            reply["header"]["X-Bapi-Limit"] = limits.cap.to_string().into();
            reply["header"]["X-Bapi-Limit-Status"] = limits.left.to_string().into();
            reply["header"]["X-Bapi-Limit-Reset-Timestamp"] = limits.reset.millis().to_string().into();
        }
        if let Some(id) = id {
            reply["reqId"] = id.into();
        }
        reply
    }

    fn check(&mut self, id: Option<&str>) -> Result<(String, AccountId), Failure> {
        let login = self.login.clone().ok_or_else(|| Failure::new(10_007, "User authentication failed."))?;
        if let Some(id) = id
            && (id.len() > 36 || !self.requests.insert(id.to_owned()))
        {
            return Err(Failure::new(20_006, "reqId is duplicated."));
        }
        Ok(login)
    }
}
