//! Requests over HTTP: public data, the account, and orders.

use serde_json::{Map, Value, json};

use super::auth::{self, Claim, Needs};
use super::limits::{Limit, Whose};
use super::trade::{Change, Naming};
use super::{OkxServer, Params, Refused, words};
use crate::types::{InstrumentSpec, Nanos, OrderState, Qty};
use crate::venue::okx::order::PLACE;
use crate::venue::served::address;
use crate::venue::{ApiKey, Exchange, OrderRef, OrderView, ServerOut};

/// Rows of a page.
const PAGE: usize = 100;
/// How long the venue remembers: fills; orders that ended; and of those the ones that never filled.
const FILLS: Nanos = Nanos::from_secs(3 * 86_400);
const ENDED: Nanos = Nanos::from_secs(7 * 86_400);
const UNFILLED: Nanos = Nanos::from_secs(2 * 3_600);
/// Shortest and longest time of the dead-man switch, in seconds.
const SWITCH: std::ops::RangeInclusive<i64> = 10..=120;

/// A request as it came.
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    pub peer: &'a str,
}

impl Request<'_> {
    fn header(&self, wanted: &str) -> &str {
        self.headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value)
    }
}

/// What needs no key, and how often an address may ask it in two seconds.
const PUBLIC: [(&str, Limit); 3] = [
    ("/api/v5/public/time", Limit::of("time", 10)),
    ("/api/v5/public/instruments", Limit::of("public instruments", 20)),
    ("/api/v5/market/books", Limit::of("books", 40)),
];

/// What an account may read, and how often.
const READS: [(&str, Limit); 8] = [
    ("/api/v5/account/instruments", Limit::of("instruments", 20)),
    ("/api/v5/account/balance", Limit::of("balance", 10)),
    ("/api/v5/account/config", Limit::of("config", 5)),
    ("/api/v5/account/trade-fee", Limit::of("trade-fee", 5)),
    (PLACE, Limit::of("order query", 60)),
    ("/api/v5/trade/orders-pending", Limit::of("orders-pending", 60)),
    ("/api/v5/trade/orders-history", Limit::of("orders-history", 40)),
    ("/api/v5/trade/fills", Limit::of("fills", 60)),
];

/// The dead-man switch.
const CANCEL_ALL_AFTER: &str = "/api/v5/trade/cancel-all-after";
const SWITCH_LIMIT: Limit = Limit { name: "cancel-all-after", most: 1, window: Nanos::from_secs(1) };

impl OkxServer {
    /// Answers a request: status and body; what follows from it goes to `later`.
    pub(super) fn request(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        later: &mut Vec<ServerOut>,
    ) -> (u16, String) {
        let (status, code, text, data) = match self.answer(request, now, exchange, later) {
            Ok((0, data)) => (200, 0, String::new(), data),
            Ok((code, data)) => (200, code, "All operations failed".to_owned(), data),
            Err(why) => (why.status, why.code, why.text, json!([])),
        };
        let at = words::micros(now);
        let body = json!({"code": code.to_string(), "msg": text, "data": data, "inTime": at, "outTime": at});
        (status, body.to_string())
    }

    fn answer(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        later: &mut Vec<ServerOut>,
    ) -> Result<(u32, Value), Refused> {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let find = |rows: &[(&str, Limit)]| {
            rows.iter().find(|(own, _)| *own == path && request.method == "GET").map(|(_, limit)| *limit)
        };
        let fields = query_fields(query);
        let params = Params(&fields);
        if let Some(limit) = find(&PUBLIC) {
            self.limits.take(Whose::Address(address(request.peer)), limit, now)?;
            return Ok((0, self.public(path, &params, now, &*exchange)?));
        }
        let claim = Claim {
            key: request.header("ok-access-key"),
            passphrase: request.header("ok-access-passphrase"),
            timestamp: request.header("ok-access-timestamp"),
            signature: request.header("ok-access-sign"),
            signed: [request.method.as_bytes(), request.target.as_bytes(), request.body],
            peer: request.peer,
        };
        let by_account = |key: &ApiKey| Whose::Account(key.account);
        if let Some(limit) = find(&READS) {
            let key = auth::request(&*exchange, &claim, Needs::Reading, now)?;
            self.limits.take(by_account(&key), limit, now)?;
            return Ok((0, self.read(path, &params, &key, now, &*exchange)?));
        }
        let change = Change::of_path(path);
        if request.method != "POST" || (path != CANCEL_ALL_AFTER && change.is_none()) {
            return Err(Refused { status: 404, ..Refused::new(50_000, "Invalid request path.") });
        }
        let key = auth::request(&*exchange, &claim, Needs::Trading, now)?;
        let body: Value = serde_json::from_slice(request.body)
            .map_err(|_| Refused { status: 400, ..Refused::new(50_002, "JSON syntax error.") })?;
        let Some(change) = change else {
            self.limits.take(by_account(&key), SWITCH_LIMIT, now)?;
            return Ok((0, self.cancel_all_after(&body, &key, now)?));
        };
        let args = match body {
            Value::Array(args) => args,
            one => vec![one],
        };
        let expires = Some(request.header("exptime"));
        let done = self.change(change, &args, &key, Naming::Symbol, expires, now, exchange, later);
        done.map(|(code, data)| (code, data.into()))
    }

    fn public(
        &self,
        path: &str,
        params: &Params<'_>,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<Value, Refused> {
        match path {
            "/api/v5/public/time" => Ok(json!([{"ts": words::millis(now)}])),
            "/api/v5/public/instruments" => self.instruments(params, exchange),
            _ => {
                let (place, spec) = listed(params, exchange)?;
                let most = params.integer("sz")?.unwrap_or(1).clamp(1, 400);
                let book = exchange.book(place, most as usize);
                let side = |levels| -> Value {
                    serde_json::from_str(&words::levels(levels, &spec)).unwrap_or_default()
                };
                let (asks, bids, seq) = (side(&book.asks), side(&book.bids), self.streams.seq(&book));
                Ok(json!([{"asks": asks, "bids": bids, "ts": words::millis(now), "seqId": seq}]))
            }
        }
    }

    fn instruments(&self, params: &Params<'_>, exchange: &dyn Exchange) -> Result<Value, Refused> {
        self.kind(params, true)?;
        let wanted = params.get("instId");
        let listed = exchange.instruments().iter().enumerate();
        let listed = listed.filter(|(_, spec)| wanted.is_none_or(|own| own == spec.symbol.as_str()));
        Ok(listed.map(|(place, spec)| words::instrument(self.market, place, spec)).collect())
    }

    /// Refuses questions about other kinds of instruments.
    fn kind(&self, params: &Params<'_>, needed: bool) -> Result<(), Refused> {
        match params.get("instType") {
            Some(kind) if kind == self.market.kind() => Ok(()),
            None if !needed => Ok(()),
            _ => Err(Refused::parameter("instType")),
        }
    }

    fn read(
        &self,
        path: &str,
        params: &Params<'_>,
        key: &ApiKey,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<Value, Refused> {
        let account = key.account;
        match path {
            "/api/v5/account/instruments" => self.instruments(params, exchange),
            "/api/v5/account/balance" => {
                let wanted: Option<Vec<&str>> = params.get("ccy").map(|list| list.split(',').collect());
                let mut balances = exchange.balances(account);
                balances.retain(|own| wanted.as_ref().is_none_or(|list| list.contains(&own.asset.as_str())));
                Ok(words::account(&balances, now))
            }
            "/api/v5/account/config" => Ok(words::config(self.market, &key.rights)),
            "/api/v5/account/trade-fee" => {
                self.kind(params, true)?;
                if params.get("groupId").is_some_and(|group| group != words::GROUP) {
                    return Err(Refused::parameter("groupId"));
                }
                let place = match params.get("instId") {
                    Some(_) => listed(params, exchange)?.0,
                    None => 0,
                };
                let (maker, taker) = exchange.fees(account, place);
                let (maker, taker) = (words::rate(maker), words::rate(taker));
                let group = json!({"groupId": words::GROUP, "maker": maker, "taker": taker});
                Ok(json!([{
                    "feeGroup": [group], "level": "Lv1", "instType": self.market.kind(), "ts": words::millis(now),
                    "maker": maker, "taker": taker,
                }]))
            }
            PLACE => {
                let (place, spec) = listed(params, exchange)?;
                let order = match (params.get("ordId"), params.get("clOrdId")) {
                    (Some(id), _) => OrderRef::Id(id.parse().map_err(|_| Refused::parameter("ordId"))?),
                    (None, Some(client)) => OrderRef::Client(client.to_owned()),
                    (None, None) => return Err(Refused::parameter("ordId or clOrdId")),
                };
                let view = self.ghosts.find(account, &order, exchange);
                let view = view.filter(|view| view.order.instrument == place && is_remembered(view, now));
                let view = view.ok_or_else(|| Refused::new(51_603, "Order does not exist."))?;
                Ok(json!([words::order(self.market, &spec, &view)]))
            }
            "/api/v5/trade/orders-pending" => self.orders(params, exchange.open_orders(account), exchange),
            "/api/v5/trade/orders-history" => {
                self.kind(params, true)?;
                let mut ended = exchange.ended_orders(account, now - ENDED);
                ended.extend(self.ghosts.of(account));
                ended.retain(|view| is_remembered(view, now));
                ended.sort_by_key(|view| view.id);
                self.orders(params, ended, exchange)
            }
            _ => self.fills(params, key, now, exchange),
        }
    }

    /// A page of orders, newest first.
    fn orders(
        &self,
        params: &Params<'_>,
        mut orders: Vec<OrderView>,
        exchange: &dyn Exchange,
    ) -> Result<Value, Refused> {
        self.kind(params, false)?;
        let only = params.get("instId").map(|_| listed(params, exchange)).transpose()?;
        let after = params.integer("after")?.and_then(|id| u64::try_from(id).ok()).unwrap_or(u64::MAX);
        orders.retain(|view| {
            view.id < after && only.as_ref().is_none_or(|(place, _)| *place == view.order.instrument)
        });
        let said = |view: &OrderView| {
            let spec = exchange.instruments().get(view.order.instrument)?;
            Some(words::order(self.market, spec, view))
        };
        Ok(orders.iter().rev().take(page(params)?).filter_map(said).collect())
    }

    fn fills(
        &self,
        params: &Params<'_>,
        key: &ApiKey,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<Value, Refused> {
        self.kind(params, false)?;
        let only = params.get("instId").map(|_| listed(params, exchange)).transpose()?;
        let after = params.integer("after")?.and_then(|id| u64::try_from(id).ok()).unwrap_or(u64::MAX);
        let begin = params.integer("begin")?.map_or(Nanos::ZERO, Nanos::from_millis);
        let order = params.integer("ordId")?.and_then(|id| u64::try_from(id).ok());
        let mut fills = exchange.fills(key.account, begin.max(now - FILLS));
        fills.retain(|fill| {
            words::bill(fill) < after
                && order.is_none_or(|order| fill.order == order)
                && only.as_ref().is_none_or(|(place, _)| *place == fill.instrument)
        });
        let said = |fill: &crate::venue::FillView| {
            Some(words::fill(self.market, exchange.instruments().get(fill.instrument)?, fill))
        };
        Ok(fills.iter().rev().take(page(params)?).filter_map(said).collect())
    }

    fn cancel_all_after(&mut self, body: &Value, key: &ApiKey, now: Nanos) -> Result<Value, Refused> {
        let seconds = body.get("timeOut").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let tag = body.get("tag").and_then(Value::as_str).unwrap_or_default();
        let trigger = match seconds {
            // Orders have no tags here.
            _ if !tag.is_empty() => return Err(Refused::parameter("tag")),
            Some(0) => {
                self.switches.remove(&key.account);
                0
            }
            Some(seconds) if SWITCH.contains(&seconds) => {
                let at = now + Nanos::from_secs(seconds);
                self.switches.insert(key.account, at);
                at.millis()
            }
            _ => return Err(Refused::parameter("timeOut")),
        };
        Ok(json!([{"triggerTime": trigger.to_string(), "tag": "", "ts": words::millis(now)}]))
    }
}

/// The fields of a query. Nothing that is asked for here needs an escape.
fn query_fields(query: &str) -> Map<String, Value> {
    let parts = query.split('&').filter_map(|part| part.split_once('='));
    parts.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// The instrument that a question names.
fn listed(params: &Params<'_>, exchange: &dyn Exchange) -> Result<(usize, InstrumentSpec), Refused> {
    let found = OkxServer::find(exchange, params.need("instId")?);
    found.ok_or_else(|| words::refusal(crate::venue::Refusal::UnknownInstrument))
}

fn page(params: &Params<'_>) -> Result<usize, Refused> {
    Ok(params.integer("limit")?.unwrap_or(PAGE as i64).clamp(1, PAGE as i64) as usize)
}

/// Orders that ended are forgotten, and sooner when they never filled.
fn is_remembered(view: &OrderView, now: Nanos) -> bool {
    let age = now - view.updated;
    match view.state {
        OrderState::Cancelled | OrderState::Rejected if view.filled == Qty::ZERO => age < UNFILLED,
        state => !state.is_final() || age < ENDED,
    }
}
