//! The venue's requests, by their WebSocket API names; REST paths are mapped to them.

use serde_json::{Value, json};

use super::auth::{Needs, Params};
use super::{Failure, futures_words, words};
use crate::types::{InstrumentSpec, Kind, Nanos, Price, Qty, Side, Tif, parse};
use crate::venue::binance::symbol::Market;
use crate::venue::{AccountId, Exchange, FillView, NewOrder, OrderRef, OrderView};

/// A REST method and path, and the request's name.
type Route = (&'static str, &'static str, &'static str);

const SPOT: [Route; 16] = [
    ("GET", "/api/v3/ping", "ping"),
    ("GET", "/api/v3/time", "time"),
    ("GET", "/api/v3/exchangeInfo", "exchangeInfo"),
    ("GET", "/api/v3/depth", "depth"),
    ("POST", "/api/v3/order", "order.place"),
    ("POST", "/api/v3/order/test", "order.test"),
    ("DELETE", "/api/v3/order", "order.cancel"),
    ("GET", "/api/v3/order", "order.status"),
    ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace"),
    ("PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority"),
    ("GET", "/api/v3/openOrders", "openOrders.status"),
    ("DELETE", "/api/v3/openOrders", "openOrders.cancelAll"),
    ("GET", "/api/v3/myTrades", "myTrades"),
    ("GET", "/api/v3/account", "account.status"),
    ("GET", "/api/v3/account/commission", "account.commission"),
    ("GET", "/sapi/v1/account/apiRestrictions", "apiRestrictions"),
];

/// Those of futures, after the market's own beginning. What they call otherwise goes by spot's name where
/// it is the same.
const FUTURES: [Route; 19] = [
    ("GET", "/v1/ping", "ping"),
    ("GET", "/v1/time", "time"),
    ("GET", "/v1/exchangeInfo", "exchangeInfo"),
    ("GET", "/v1/depth", "depth"),
    ("POST", "/v1/order", "order.place"),
    ("DELETE", "/v1/order", "order.cancel"),
    ("GET", "/v1/order", "order.status"),
    ("PUT", "/v1/order", "order.modify"),
    ("GET", "/v1/openOrders", "openOrders.status"),
    ("DELETE", "/v1/allOpenOrders", "openOrders.cancelAll"),
    ("GET", "/v1/userTrades", "myTrades"),
    ("GET", "/v1/commissionRate", "account.commission"),
    ("POST", "/v1/leverage", "leverage"),
    ("GET", "/v1/positionSide/dual", "positionSide.status"),
    ("POST", "/v1/positionSide/dual", "positionSide"),
    ("POST", "/v1/countdownCancelAll", "countdown"),
    ("POST", "/v1/listenKey", "userDataStream.start"),
    ("PUT", "/v1/listenKey", "userDataStream.ping"),
    ("DELETE", "/v1/listenKey", "userDataStream.stop"),
];

/// Where the two differ.
const USDM: [Route; 2] = [("GET", "/v3/account", "account.status"), ("GET", "/v3/positionRisk", "positions")];
const COINM: [Route; 2] =
    [("GET", "/v1/account", "account.status"), ("GET", "/v1/positionRisk", "positions")];

/// The name of a REST request.
pub fn route(market: Market, method: &str, path: &str) -> Option<&'static str> {
    let (path, routes, own) = match market {
        Market::Spot => (path, &SPOT[..], &[][..]),
        Market::UsdM => (path.strip_prefix("/fapi")?, &FUTURES[..], &USDM[..]),
        Market::CoinM => (path.strip_prefix("/dapi")?, &FUTURES[..], &COINM[..]),
    };
    let mut routes = routes.iter().chain(own);
    routes.find(|(verb, own, _)| *verb == method && *own == path).map(|(_, _, name)| *name)
}

/// Whether a request can come over the WebSocket API.
pub fn over_websocket(market: Market, method: &str) -> bool {
    match market {
        Market::Spot => method != "apiRestrictions",
        _ => matches!(
            method,
            "order.place" | "order.modify" | "order.cancel" | "order.status" | "ping" | "time"
        ),
    }
}

/// What a request needs; `None` when there is no such request.
pub fn needs(market: Market, method: &str) -> Option<Needs> {
    let spot_only = matches!(
        method,
        "order.test" | "order.cancelReplace" | "order.amend.keepPriority" | "apiRestrictions"
    );
    if spot_only && market != Market::Spot {
        return None;
    }
    Some(match method {
        "order.modify" | "leverage" | "positionSide" | "countdown" if market != Market::Spot => {
            Needs::Trading
        }
        "positions" | "positionSide.status" if market != Market::Spot => Needs::Reading,
        "userDataStream.start" | "userDataStream.ping" | "userDataStream.stop" if market != Market::Spot => {
            Needs::Key
        }
        "ping" | "time" | "exchangeInfo" | "depth" => Needs::Nothing,
        "order.place"
        | "order.test"
        | "order.cancel"
        | "order.cancelReplace"
        | "order.amend.keepPriority"
        | "openOrders.cancelAll" => Needs::Trading,
        "order.status" | "openOrders.status" | "myTrades" | "account.status" | "account.commission"
        | "apiRestrictions" => Needs::Reading,
        _ => return None,
    })
}

/// True for requests that count against the limit of orders.
pub fn places_order(method: &str) -> bool {
    matches!(method, "order.place" | "order.cancelReplace" | "order.modify")
}

/// One request on its way through.
pub struct Request<'a> {
    pub market: Market,
    pub params: &'a Params,
    /// Whose; of public requests nobody's.
    pub account: Option<AccountId>,
    pub key: &'a str,
    pub now: Nanos,
    pub exchange: &'a mut dyn Exchange,
    /// Makes client ids for orders that come without one.
    pub next_client: &'a mut u64,
    pub orders_per_window: u32,
    pub weight_per_minute: u32,
}

impl Request<'_> {
    /// Answers it.
    pub fn answer(&mut self, method: &str) -> Result<Value, Failure> {
        match method {
            "ping" => return Ok(json!({})),
            "time" => return Ok(json!({"serverTime": self.now.millis()})),
            "exchangeInfo" => return self.exchange_info(),
            "depth" => {
                let (at, spec) = self.instrument()?;
                let limit = self.params.integer("limit")?.unwrap_or(100).clamp(1, 5_000);
                let book = self.exchange.book(at, limit as usize);
                let mut depth = words::depth(&book, spec.scale);
                if self.market != Market::Spot {
                    depth["E"] = self.now.millis().into();
                    depth["T"] = book.at.millis().into();
                }
                if self.market == Market::CoinM {
                    depth["symbol"] = spec.symbol.as_str().into();
                    depth["pair"] = futures_words::pair(&spec).into();
                }
                return Ok(depth);
            }
            _ => {}
        }
        let account = self.account.ok_or_else(|| Failure::missing("apiKey"))?;
        if self.market != Market::Spot {
            return self.answer_futures(method, account);
        }
        match method {
            "order.place" => {
                let (spec, order) = self.new_order()?;
                let form = self.response_form(order.kind)?;
                let view = self.exchange.place(account, &order, self.now).map_err(words::refusal)?;
                Ok(words::placed(&spec, &view, form))
            }
            "order.test" => {
                let (spec, order) = self.new_order()?;
                if order.kind != Kind::Market {
                    let checked = spec.check(order.price, order.qty);
                    checked.map_err(|error| words::refusal(crate::venue::Refusal::Filter(error)))?;
                }
                Ok(json!({}))
            }
            "order.cancel" => {
                let (_, spec) = self.instrument()?;
                let order = self.named("orderId", "origClientOrderId")?;
                let view = self.exchange.cancel(account, &order, self.now).map_err(words::refusal)?;
                Ok(words::cancelled(&spec, &view))
            }
            "order.cancelReplace" => self.cancel_replace(account),
            "order.amend.keepPriority" => self.amend(account),
            "order.status" => {
                let (_, spec) = self.instrument()?;
                let order = self.named("orderId", "origClientOrderId")?;
                let view = self.exchange.order(account, &order);
                let view = view.ok_or_else(|| Failure::bad(-2013, "Order does not exist."))?;
                Ok(words::queried(&spec, &view))
            }
            "openOrders.status" => {
                let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
                let orders = self.exchange.open_orders(account);
                let wanted =
                    |view: &&OrderView| only.as_ref().is_none_or(|(at, _)| *at == view.order.instrument);
                Ok(orders
                    .iter()
                    .filter(wanted)
                    .filter_map(|view| self.with_spec(view, words::queried))
                    .collect())
            }
            "openOrders.cancelAll" => {
                let (at, _) = self.instrument()?;
                let orders = self.exchange.cancel_all(account, Some(at), self.now);
                if orders.is_empty() {
                    return Err(Failure::bad(-2011, "Unknown order sent."));
                }
                Ok(orders.iter().filter_map(|view| self.with_spec(view, words::cancelled)).collect())
            }
            "myTrades" => self.trades(account),
            "account.status" => {
                let omit = self.params.get("omitZeroBalances") == Some("true");
                let balances = self.exchange.balances(account);
                let rights = self.exchange.key(self.key).map(|key| key.rights.clone()).unwrap_or_default();
                Ok(words::account(&balances, omit, &rights, self.now.millis()))
            }
            "account.commission" => {
                let (at, spec) = self.instrument()?;
                let (maker, taker) = self.exchange.fees(account, at);
                Ok(json!({
                    "symbol": spec.symbol.as_str(),
                    "standardCommission": words::rates(maker.0, taker.0),
                    "specialCommission": words::rates(0, 0),
                    "taxCommission": words::rates(0, 0),
                    "discount": words::discount(),
                }))
            }
            "apiRestrictions" => {
                let rights = self.exchange.key(self.key).map(|key| key.rights.clone()).unwrap_or_default();
                Ok(words::restrictions(&rights))
            }
            _ => Err(Failure::unknown_method()),
        }
    }

    pub(super) fn with_spec(
        &self,
        view: &OrderView,
        say: fn(&InstrumentSpec, &OrderView) -> Value,
    ) -> Option<Value> {
        self.exchange.instruments().get(view.order.instrument).map(|spec| say(spec, view))
    }

    fn exchange_info(&self) -> Result<Value, Failure> {
        let wanted = self.params.get("symbol");
        let listed = self.exchange.instruments().iter();
        let symbols: Vec<Value> = listed
            .filter(|spec| wanted.is_none_or(|symbol| symbol == spec.symbol.as_str()))
            .map(if self.market == Market::Spot { words::symbol } else { futures_words::symbol })
            .collect();
        if wanted.is_some() && symbols.is_empty() {
            return Err(Failure::bad(-1121, "Invalid symbol."));
        }
        Ok(json!({
            "timezone": "UTC",
            "serverTime": self.now.millis(),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
                 "limit": self.weight_per_minute},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10,
                 "limit": self.orders_per_window},
            ],
            "exchangeFilters": [],
            "symbols": symbols,
        }))
    }

    pub(super) fn instrument(&self) -> Result<(usize, InstrumentSpec), Failure> {
        let symbol = self.params.need("symbol")?;
        let mut listed = self.exchange.instruments().iter().enumerate();
        listed
            .find(|(_, spec)| spec.symbol.as_str() == symbol)
            .map(|(at, spec)| (at, spec.clone()))
            .ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))
    }

    /// An order named by the venue's number or the client's id.
    pub(super) fn named(&self, number: &str, client: &str) -> Result<OrderRef, Failure> {
        if let Some(id) = self.params.integer(number)? {
            return u64::try_from(id).map(OrderRef::Id).map_err(|_| Failure::missing(number));
        }
        match self.params.get(client) {
            Some(client) => Ok(OrderRef::Client(client.to_owned())),
            None => Err(Failure::bad(
                -1102,
                &format!("Param '{client}' or '{number}' must be sent, but both were empty/null!"),
            )),
        }
    }

    pub(super) fn number(&self, name: &str, spec: &InstrumentSpec) -> Result<i64, Failure> {
        let text = self.params.need(name)?;
        let digits =
            |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
        let plain = match text.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(text),
        };
        if !plain {
            let legal = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";
            let text = format!("Illegal characters found in parameter '{name}'; legal range is '{legal}'.");
            return Err(Failure::bad(-1100, &text));
        }
        parse(text.as_bytes(), spec.scale)
            .map_err(|_| Failure::bad(-1111, &format!("Parameter '{name}' has too much precision.")))
    }

    fn new_order(&mut self) -> Result<(InstrumentSpec, NewOrder), Failure> {
        let (instrument, spec) = self.instrument()?;
        let side = self.side()?;
        let kind = match self.params.need("type")? {
            "LIMIT" => Kind::Limit,
            "MARKET" => Kind::Market,
            "LIMIT_MAKER" => Kind::PostOnly,
            _ => return Err(Failure::bad(-1116, "Invalid orderType.")),
        };
        let tif = match (kind, self.params.get("timeInForce")) {
            (Kind::Limit, None) => return Err(Failure::missing("timeInForce")),
            (Kind::Limit, Some("IOC")) => Tif::Ioc,
            (Kind::Limit, Some("FOK")) => Tif::Fok,
            (Kind::Limit, Some("GTC")) => Tif::Gtc,
            (Kind::Limit, Some(_)) => return Err(Failure::bad(-1115, "Invalid timeInForce.")),
            (_, Some(_)) => {
                return Err(Failure::bad(-1106, "Parameter 'timeInForce' sent when not required."));
            }
            (Kind::Market, None) => Tif::Ioc,
            (Kind::PostOnly, None) => Tif::Gtc,
        };
        let qty = Qty(self.number("quantity", &spec)?);
        let price = match kind {
            Kind::Market => Price(0),
            _ => Price(self.number("price", &spec)?),
        };
        let client = self.client()?;
        Ok((spec, NewOrder { instrument, side, kind, tif, price, qty, reduce_only: false, client }))
    }

    pub(super) fn side(&self) -> Result<Side, Failure> {
        match self.params.need("side")? {
            "BUY" => Ok(Side::Buy),
            "SELL" => Ok(Side::Sell),
            _ => Err(Failure::bad(-1117, "Invalid side.")),
        }
    }

    /// The client's id for an order; one is made up when none was sent.
    pub(super) fn client(&mut self) -> Result<String, Failure> {
        let Some(client) = self.params.get("newClientOrderId") else {
            *self.next_client += 1;
            return Ok(format!("sim{}", self.next_client));
        };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if client.len() > 36 || !client.bytes().all(legal) {
            let text = "Illegal characters found in parameter 'newClientOrderId'; \
                        legal range is '^[a-zA-Z0-9-_]{1,36}$'.";
            return Err(Failure::bad(-1100, text));
        }
        Ok(client.to_owned())
    }

    fn response_form(&self, kind: Kind) -> Result<&'static str, Failure> {
        match (self.params.get("newOrderRespType"), kind) {
            (Some("ACK"), _) | (None, Kind::PostOnly) => Ok("ACK"),
            (Some("RESULT"), _) => Ok("RESULT"),
            (Some("FULL"), _) | (None, _) => Ok("FULL"),
            (Some(_), _) => Err(Failure::missing("newOrderRespType")),
        }
    }

    fn cancel_replace(&mut self, account: AccountId) -> Result<Value, Failure> {
        let stop = match self.params.need("cancelReplaceMode")? {
            "STOP_ON_FAILURE" => true,
            "ALLOW_FAILURE" => false,
            _ => return Err(Failure::missing("cancelReplaceMode")),
        };
        let old = self.named("cancelOrderId", "cancelOrigClientOrderId")?;
        let (spec, order) = self.new_order()?;
        let form = self.response_form(order.kind)?;
        let cancelled = self.exchange.cancel(account, &old, self.now);
        let attempted = cancelled.is_ok() || !stop;
        let placed = attempted.then(|| self.exchange.place(account, &order, self.now));
        let result = |ok: bool| if ok { "SUCCESS" } else { "FAILURE" };
        let data = json!({
            "cancelResult": result(cancelled.is_ok()),
            "newOrderResult": placed.as_ref().map_or("NOT_ATTEMPTED", |placed| result(placed.is_ok())),
            "cancelResponse": match &cancelled {
                Ok(view) => words::cancelled(&spec, view),
                Err(why) => words::refusal(*why).body(),
            },
            "newOrderResponse": match &placed {
                Some(Ok(view)) => words::placed(&spec, view, form),
                Some(Err(why)) => words::refusal(*why).body(),
                None => Value::Null,
            },
        });
        match (cancelled.is_ok(), matches!(placed, Some(Ok(_)))) {
            (true, true) => Ok(data),
            (false, false) => {
                Err(Failure { data: Some(data), ..Failure::bad(-2022, "Order cancel-replace failed.") })
            }
            _ => Err(Failure {
                status: 409,
                data: Some(data),
                ..Failure::bad(-2021, "Order cancel-replace partially failed.")
            }),
        }
    }

    fn amend(&mut self, account: AccountId) -> Result<Value, Failure> {
        let (_, spec) = self.instrument()?;
        let order = self.named("orderId", "origClientOrderId")?;
        let qty = Qty(self.number("newQty", &spec)?);
        let before = self.exchange.order(account, &order);
        // Only reductions keep their place.
        if before.is_some_and(|before| qty >= before.order.qty) {
            return Err(words::refusal(crate::venue::Refusal::BadAmend));
        }
        let view = self.exchange.amend(account, &order, None, Some(qty), self.now).map_err(words::refusal)?;
        let mut amended = words::order(&spec, &view);
        amended["origClientOrderId"] = view.order.client.clone().into();
        amended["qty"] = amended["origQty"].take();
        amended["cumulativeQuoteQty"] = amended["cummulativeQuoteQty"].take();
        if let Some(fields) = amended.as_object_mut() {
            fields.remove("origQty");
            fields.remove("cummulativeQuoteQty");
        }
        Ok(json!({"transactTime": view.updated.millis(), "executionId": view.id, "amendedOrder": amended}))
    }

    fn trades(&mut self, account: AccountId) -> Result<Value, Failure> {
        let (at, spec) = self.instrument()?;
        Ok(self.wanted_fills(account, at)?.iter().map(|fill| words::trade(&spec, fill)).collect())
    }

    /// Fills of an instrument, as the parameters narrow them down.
    pub(super) fn wanted_fills(&self, account: AccountId, at: usize) -> Result<Vec<FillView>, Failure> {
        let since = Nanos::from_millis(self.params.integer("startTime")?.unwrap_or(0));
        let (order, from) = (self.params.integer("orderId")?, self.params.integer("fromId")?);
        let limit = self.params.integer("limit")?.unwrap_or(500).clamp(1, 1_000) as usize;
        let is = |number: u64, wanted: Option<i64>| {
            wanted.is_none_or(|wanted| u64::try_from(wanted) == Ok(number))
        };
        let fills = self.exchange.fills(account, since);
        let wanted = fills.iter().filter(|fill| {
            fill.instrument == at
                && is(fill.order, order)
                && from.is_none_or(|from| i128::from(fill.trade) >= i128::from(from))
        });
        Ok(wanted.take(limit).cloned().collect())
    }
}
