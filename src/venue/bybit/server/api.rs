//! The venue's requests, by their REST paths; the order session's are mapped to them.

use serde_json::{Value, json};

use super::auth::Needs;
use super::{BybitServer, Failure, Params, words};
use crate::types::{InstrumentSpec, Kind, Nanos, OrderState, Price, Qty, Side, Tif, parse};
use crate::venue::bybit::symbol::Market;
use crate::venue::{AccountId, Exchange, NewOrder, OrderRef, OrderView, PositionView, Refusal, ServerOut};

use Needs::{Nothing, Reading, Trading};

/// Method and path of each request, and what it needs.
const ROUTES: [(&str, &str, Needs); 16] = [
    ("GET", "/v5/market/time", Nothing),
    ("GET", "/v5/market/instruments-info", Nothing),
    ("GET", "/v5/market/orderbook", Nothing),
    ("POST", "/v5/order/create", Trading),
    ("POST", "/v5/order/amend", Trading),
    ("POST", "/v5/order/cancel", Trading),
    ("POST", "/v5/order/cancel-all", Trading),
    ("POST", "/v5/order/disconnected-cancel-all", Trading),
    ("GET", "/v5/order/realtime", Reading),
    ("GET", "/v5/order/history", Reading),
    ("GET", "/v5/execution/list", Reading),
    ("GET", "/v5/position/list", Reading),
    ("GET", "/v5/account/wallet-balance", Reading),
    ("GET", "/v5/account/fee-rate", Reading),
    ("GET", "/v5/account/query-dcp-info", Reading),
    ("GET", "/v5/user/query-api", Reading),
];

/// A request's path and what it needs.
pub fn route(method: &str, path: &str) -> Option<(&'static str, Needs)> {
    ROUTES.iter().find(|(verb, own, _)| *verb == method && *own == path).map(|(_, own, needs)| (*own, *needs))
}

/// One request on its way through.
pub struct Request<'a> {
    pub server: &'a mut BybitServer,
    pub params: &'a Params,
    /// Whose, and the key's name; of public requests nobody's.
    pub sender: Option<(AccountId, &'a str)>,
    pub now: Nanos,
    pub exchange: &'a mut dyn Exchange,
    /// What follows the answer.
    pub out: &'a mut Vec<ServerOut>,
}

impl Request<'_> {
    /// Answers it.
    pub fn answer(&mut self, path: &str) -> Result<Value, Failure> {
        match path {
            "/v5/market/time" => {
                let nanos = self.now.0;
                return Ok(json!({
                    "timeSecond": (nanos / 1_000_000_000).to_string(), "timeNano": nanos.to_string(),
                }));
            }
            "/v5/market/instruments-info" => return self.instruments(),
            "/v5/market/orderbook" => {
                let (at, spec) = self.instrument()?;
                let limit = self.params.integer("limit")?.unwrap_or(25).clamp(1, 1_000);
                return Ok(words::book(&spec, &self.exchange.book(at, limit as usize), self.now));
            }
            _ => {}
        }
        let (account, key) = self.sender.ok_or_else(|| Failure::new(10_003, "API key is invalid."))?;
        let market = self.server.market;
        match path {
            "/v5/order/create" => self.create(account),
            "/v5/order/amend" => self.amend(account),
            "/v5/order/cancel" => {
                self.instrument()?;
                let order = self.named()?;
                self.open(account, &order)?;
                let done = self.exchange.cancel(account, &order, self.now);
                let view = done.map_err(|why| words::refusal(market, why))?;
                Ok(self.acknowledged(&view))
            }
            "/v5/order/cancel-all" => {
                self.category()?;
                let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
                if only.is_none() && market != Market::Spot && self.params.get("settleCoin").is_none() {
                    return Err(Failure::missing("symbol"));
                }
                let orders = self.exchange.cancel_all(account, only.map(|(at, _)| at), self.now);
                let list: Vec<Value> = orders.iter().map(|view| self.acknowledged(view)).collect();
                Ok(json!({"list": list, "success": "1"}))
            }
            "/v5/order/realtime" => self.realtime(account),
            "/v5/order/history" => self.history(account),
            "/v5/execution/list" => self.executions(account),
            "/v5/account/wallet-balance" => {
                if self.params.need("accountType")? != "UNIFIED" {
                    return Err(Failure::new(10_001, "accountType only support UNIFIED."));
                }
                let coins = self
                    .exchange
                    .balances(account)
                    .iter()
                    .map(|balance| words::coin(market, balance))
                    .collect();
                Ok(json!({"list": [words::wallet(coins)]}))
            }
            "/v5/position/list" if market != Market::Spot => self.positions(account),
            "/v5/account/fee-rate" => {
                let (at, spec) = self.instrument()?;
                let (maker, taker) = self.exchange.fees(account, at);
                let rate = |rate: i64| {
                    let sign = if rate < 0 { "-" } else { "" };
                    format!("{sign}{}", words::decimal(rate.abs(), crate::types::Scale::DEFAULT))
                };
                Ok(json!({"list": [{
                    "symbol": spec.symbol.as_str(), "takerFeeRate": rate(taker.0), "makerFeeRate": rate(maker.0),
                }]}))
            }
            "/v5/order/disconnected-cancel-all" => {
                let product = if market == Market::Spot { "SPOT" } else { "DERIVATIVES" };
                let window =
                    self.params.integer("timeWindow")?.ok_or_else(|| Failure::missing("timeWindow"))?;
                if self.params.get("product") != Some(product) || !(3..=300).contains(&window) {
                    return Err(Failure::missing("product or timeWindow"));
                }
                let held = self.server.switches.get(&account).and_then(|(_, since)| *since);
                self.server.switches.insert(account, (Nanos::from_secs(window), held));
                self.server.settle_switches(self.now);
                Ok(json!({}))
            }
            "/v5/account/query-dcp-info" => {
                let product = if market == Market::Spot { "SPOT" } else { "DERIVATIVES" };
                let infos = self.server.switches.get(&account).map(|(window, _)| {
                    let window = (window.0 / 1_000_000_000).to_string();
                    json!({"product": product, "dcpStatus": "ON", "timeWindow": window})
                });
                Ok(json!({"dcpInfos": infos.into_iter().collect::<Vec<_>>()}))
            }
            "/v5/user/query-api" => {
                let rights = self.exchange.key(key).map(|key| key.rights.clone()).unwrap_or_default();
                Ok(words::key(market, key, &rights))
            }
            _ => Err(Failure::new(10_001, "no such request in this market")),
        }
    }

    fn category(&self) -> Result<(), Failure> {
        if self.params.need("category")? != self.server.market.category() {
            return Err(Failure::new(10_001, "params error: category"));
        }
        Ok(())
    }

    fn instrument(&self) -> Result<(usize, InstrumentSpec), Failure> {
        self.category()?;
        let symbol = self.params.need("symbol")?;
        let mut listed = self.exchange.instruments().iter().enumerate();
        let found = listed.find(|(_, spec)| spec.symbol.as_str() == symbol);
        let market = self.server.market;
        found
            .map(|(at, spec)| (at, spec.clone()))
            .ok_or_else(|| words::refusal(market, Refusal::UnknownInstrument))
    }

    fn instruments(&self) -> Result<Value, Failure> {
        self.category()?;
        let wanted = self.params.get("symbol");
        let listed = self.exchange.instruments().iter();
        let listed = listed.filter(|spec| wanted.is_none_or(|symbol| symbol == spec.symbol.as_str()));
        let market = self.server.market;
        if market == Market::Spot {
            // Not in pages.
            let listed: Vec<Value> = listed.map(|spec| words::instrument(market, spec)).collect();
            return Ok(json!({"category": market.category(), "list": listed, "nextPageCursor": ""}));
        }
        self.page(listed.rev().collect(), (500, 1_000), |spec| Some(words::instrument(market, spec)))
    }

    fn acknowledged(&self, view: &OrderView) -> Value {
        let number = words::number(self.server.market, view.id);
        json!({"orderId": number, "orderLinkId": view.order.client})
    }

    /// An order named by the venue's number, which counts first, or by the client's id.
    fn named(&self) -> Result<OrderRef, Failure> {
        if let Some(number) = self.params.get("orderId") {
            let id = words::parse_number(self.server.market, number);
            return id.map(OrderRef::Id).ok_or_else(|| Failure::missing("orderId"));
        }
        match self.params.get("orderLinkId") {
            Some(client) => Ok(OrderRef::Client(client.to_owned())),
            None => Err(Failure::missing("orderId or orderLinkId")),
        }
    }

    /// Why an order cannot be worked on: it ended.
    fn open(&self, account: AccountId, order: &OrderRef) -> Result<OrderView, Failure> {
        let spot = self.server.market == Market::Spot;
        let view = self.server.ghosts.find(account, order, &*self.exchange);
        let view = view.ok_or_else(|| words::refusal(self.server.market, Refusal::UnknownOrder))?;
        match view.state {
            OrderState::Filled if spot => Err(Failure::new(170_139, "Order has been filled.")),
            OrderState::Cancelled if spot => Err(Failure::new(170_142, "Order has been canceled.")),
            state if state.is_final() => Err(words::refusal(self.server.market, Refusal::UnknownOrder)),
            _ => Ok(view),
        }
    }

    fn number(&self, name: &str, spec: &InstrumentSpec) -> Result<i64, Failure> {
        let text = self.params.need(name)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = if plain { parse(text.as_bytes(), spec.scale).ok() } else { None };
        number.ok_or_else(|| Failure::missing(name))
    }

    fn new_order(&mut self) -> Result<NewOrder, Failure> {
        let (instrument, spec) = self.instrument()?;
        let market = self.server.market;
        let side = match self.params.need("side")? {
            "Buy" => Side::Buy,
            "Sell" => Side::Sell,
            _ => return Err(Failure::new(170_117, "Invalid side.")),
        };
        let (kind, tif) = match (self.params.need("orderType")?, self.params.get("timeInForce")) {
            ("Market", _) => (Kind::Market, Tif::Ioc),
            ("Limit", None | Some("GTC")) => (Kind::Limit, Tif::Gtc),
            ("Limit", Some("IOC")) => (Kind::Limit, Tif::Ioc),
            ("Limit", Some("FOK")) => (Kind::Limit, Tif::Fok),
            ("Limit", Some("PostOnly")) => (Kind::PostOnly, Tif::Gtc),
            ("Limit", Some(_)) => return Err(Failure::new(170_115, "Invalid timeInForce.")),
            _ => return Err(Failure::new(170_116, "Invalid orderType.")),
        };
        let unit = self.params.get("marketUnit");
        if kind == Kind::Market && market == Market::Spot && side == Side::Buy && unit != Some("baseCoin") {
            return Err(Failure::new(10_001, "a quantity in the quote coin is not simulated"));
        }
        let qty = Qty(self.number("qty", &spec)?);
        let price = if kind == Kind::Market { Price(0) } else { Price(self.number("price", &spec)?) };
        let client = match self.params.get("orderLinkId") {
            Some(client) => {
                let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                if client.len() > 36 || !client.bytes().all(legal) {
                    return Err(Failure::missing("orderLinkId"));
                }
                client.to_owned()
            }
            None => {
                self.server.next_client += 1;
                format!("sim{}", self.server.next_client)
            }
        };
        let reduce_only = market != Market::Spot && self.params.get("reduceOnly") == Some("true");
        Ok(NewOrder { instrument, side, kind, tif, price, qty, client, reduce_only })
    }

    fn create(&mut self, account: AccountId) -> Result<Value, Failure> {
        let order = self.new_order()?;
        let market = self.server.market;
        let named = OrderRef::Client(order.client.clone());
        // Ids are unique for ever, not among open orders only.
        if self.server.ghosts.find(account, &named, &*self.exchange).is_some() {
            return Err(words::refusal(market, Refusal::DuplicateClient));
        }
        let state = match self.exchange.place(account, &order, self.now) {
            Ok(view) => return Ok(self.acknowledged(&view)),
            // Received, and ended afterwards.
            Err(Refusal::WouldTake) => OrderState::Cancelled,
            Err(Refusal::Random) => OrderState::Rejected,
            Err(why) => return Err(words::refusal(market, why)),
        };
        let view = self.server.ghosts.end(account, &order, state, self.now);
        if let Some(spec) = self.exchange.instruments().get(order.instrument) {
            let told = words::order(market, spec, &view);
            self.server.tell(account, "order", &told, self.now, self.out);
        }
        Ok(self.acknowledged(&view))
    }

    fn amend(&mut self, account: AccountId) -> Result<Value, Failure> {
        let (_, spec) = self.instrument()?;
        let order = self.named()?;
        self.open(account, &order)?;
        let number = |name| self.params.get(name).map(|_| self.number(name, &spec)).transpose();
        let (price, qty) = (number("price")?.map(Price), number("qty")?.map(Qty));
        let market = self.server.market;
        let done = self.exchange.amend(account, &order, price, qty, self.now);
        let view = done.map_err(|why| words::refusal(market, why))?;
        Ok(self.acknowledged(&view))
    }

    /// Those of this request's filter: by symbol, number or client id.
    fn matching(&self, orders: Vec<OrderView>) -> Result<Vec<OrderView>, Failure> {
        let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
        let named = if self.params.get("orderId").or(self.params.get("orderLinkId")).is_some() {
            Some(self.named()?)
        } else {
            None
        };
        let fits = |view: &OrderView| {
            only.as_ref().is_none_or(|(at, _)| *at == view.order.instrument)
                && match &named {
                    None => true,
                    Some(OrderRef::Id(id)) => view.id == *id,
                    Some(OrderRef::Client(client)) => view.order.client == *client,
                }
        };
        Ok(orders.into_iter().filter(fits).collect())
    }

    /// A page of a list, newest first.
    fn page<T>(
        &self,
        mut all: Vec<T>,
        (usual, most): (i64, i64),
        say: impl Fn(&T) -> Option<Value>,
    ) -> Result<Value, Failure> {
        all.reverse();
        let limit = self.params.integer("limit")?.unwrap_or(usual).clamp(1, most) as usize;
        let from = match self.params.get("cursor") {
            Some(cursor) => {
                let at = cursor.strip_prefix("page:").and_then(|at| at.parse().ok());
                at.ok_or_else(|| Failure::missing("cursor"))?
            }
            None => 0,
        };
        let list: Vec<Value> = all.iter().skip(from).take(limit).filter_map(say).collect();
        let cursor = if from + limit < all.len() { format!("page:{}", from + limit) } else { String::new() };
        Ok(json!({"category": self.server.market.category(), "list": list, "nextPageCursor": cursor}))
    }

    fn said(&self, view: &OrderView) -> Option<Value> {
        let spec = self.exchange.instruments().get(view.order.instrument)?;
        Some(words::order(self.server.market, spec, view))
    }

    /// Open orders; by name also those that just ended.
    fn realtime(&self, account: AccountId) -> Result<Value, Failure> {
        self.category()?;
        let by_name = self.params.get("orderId").or(self.params.get("orderLinkId")).is_some();
        let by_coin = self.params.get("settleCoin").or(self.params.get("baseCoin")).is_some();
        let futures = self.server.market != Market::Spot;
        if futures && !by_name && !by_coin && self.params.get("symbol").is_none() {
            return Err(Failure::missing("symbol or settleCoin or baseCoin"));
        }
        let mut orders = self.exchange.open_orders(account);
        if by_name {
            let recent = Nanos(self.now.0 - 60_000_000_000);
            orders.extend(self.exchange.ended_orders(account, recent));
            orders.extend(self.server.ghosts.of(account));
        }
        self.page(self.matching(orders)?, (20, 50), |view| self.said(view))
    }

    /// Orders that ended.
    fn history(&self, account: AccountId) -> Result<Value, Failure> {
        self.category()?;
        let mut orders = self.exchange.ended_orders(account, Nanos::ZERO);
        orders.extend(self.server.ghosts.of(account));
        self.page(self.matching(orders)?, (20, 50), |view| self.said(view))
    }

    /// By symbol, flat or not; by settlement coin those that are held.
    fn positions(&self, account: AccountId) -> Result<Value, Failure> {
        self.category()?;
        let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
        let mut views = self.exchange.positions(account);
        match (&only, self.params.get("settleCoin")) {
            (Some((at, _)), _) => {
                views.retain(|view| view.instrument == *at);
                if views.is_empty() {
                    let leverage = self.exchange.leverage(account, *at);
                    let (position, margin) = Default::default();
                    views.push(PositionView { instrument: *at, position, margin, leverage });
                }
            }
            (None, Some(coin)) => {
                let listed = self.exchange.instruments();
                views.retain(|view| {
                    listed.get(view.instrument).is_some_and(|spec| spec.contract.settle.as_str() == coin)
                });
            }
            (None, None) => return Err(Failure::missing("symbol or settleCoin")),
        }
        self.page(views, (20, 200), |view| {
            let spec = self.exchange.instruments().get(view.instrument)?;
            Some(words::position(self.server.market, spec, view, self.now))
        })
    }

    fn executions(&self, account: AccountId) -> Result<Value, Failure> {
        self.category()?;
        let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
        let week = Nanos::from_secs(7 * 86_400);
        let time = |name| Ok::<_, Failure>(self.params.integer(name)?.map(Nanos::from_millis));
        let (from, to) = (time("startTime")?, time("endTime")?);
        let (from, to) = match (from, to) {
            (None, to) => (to.unwrap_or(self.now) - week, to.unwrap_or(self.now)),
            (Some(from), to) => (from, to.unwrap_or(from + week)),
        };
        if to - from > week {
            return Err(Failure::new(10_001, "the time range is longer than 7 days"));
        }
        let client = self.params.get("orderLinkId");
        let mut fills = self.exchange.fills(account, from);
        fills.retain(|fill| {
            fill.at.millis() <= to.millis()
                && only.as_ref().is_none_or(|(at, _)| *at == fill.instrument)
                && client.is_none_or(|client| client == fill.client)
        });
        self.page(fills, (20, 100), |fill| {
            let spec = self.exchange.instruments().get(fill.instrument)?;
            let order = self.exchange.order(account, &OrderRef::Id(fill.order));
            Some(words::execution(self.server.market, spec, fill, order.as_ref()))
        })
    }
}
