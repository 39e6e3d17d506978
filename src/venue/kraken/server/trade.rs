//! The private socket: orders with a token, and what becomes of them.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::super::json::{Number, quoted};
use super::limits::{amend_points, cancel_points};
use super::market::{Request, Subscription};
use super::{KrakenServer, Stream, text};
use crate::types::{Kind, Nanos, OrderState, Price, Qty, Side, Tif};
use crate::venue::{
    AccountId, ApiKey, Balance, ConnId, Exchange, FillView, NewOrder, OrderChange, OrderRef, OrderView,
    ServerOut,
};

/// An order as either transport asks for it.
#[derive(Default)]
pub struct Wish<'a> {
    pub pair: &'a str,
    pub side: &'a str,
    pub kind: &'a str,
    pub tif: &'a str,
    pub post_only: bool,
    pub price: Option<&'a str>,
    pub qty: &'a str,
    pub client: &'a str,
    pub deadline: Option<&'a str>,
    /// Fill-or-kill is offered here.
    pub fok: bool,
    /// Checked, and not sent to the engine.
    pub validate: bool,
}

#[derive(Deserialize, Default)]
struct Params<'a> {
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    order_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time_in_force: Option<Cow<'a, str>>,
    post_only: Option<bool>,
    #[serde(borrow)]
    order_qty: Option<Number<'a>>,
    #[serde(borrow)]
    limit_price: Option<Number<'a>>,
    /// One, or for cancels a list.
    #[serde(borrow)]
    cl_ord_id: Option<&'a RawValue>,
    #[serde(borrow)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    deadline: Option<Cow<'a, str>>,
    validate: Option<bool>,
    #[serde(borrow)]
    timeout: Option<Number<'a>>,
}

/// A text, or a list of them.
fn texts(raw: Option<&RawValue>) -> Vec<String> {
    let Some(raw) = raw else { return Vec::new() };
    serde_json::from_str::<Vec<String>>(raw.get())
        .or_else(|_| serde_json::from_str::<String>(raw.get()).map(|one| vec![one]))
        .unwrap_or_default()
}

const ARGUMENTS: &str = "EGeneral:Invalid arguments";
const DENIED: &str = "EGeneral:Permission denied";

impl KrakenServer {
    /// Checks an order and places it; `None` when it was only to be checked.
    pub(super) fn place(
        &mut self,
        key: &ApiKey,
        wish: &Wish<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<Option<OrderView>, String> {
        let invalid = |what: &str| format!("{ARGUMENTS}:{what}");
        if key.rights.trade == Some(false) {
            return Err(DENIED.to_owned());
        }
        let (instrument, spec) = self.find(wish.pair, exchange).ok_or("EQuery:Unknown asset pair")?;
        let scale = spec.scale;
        let number = |text: &str| crate::types::parse(text.as_bytes(), scale).ok();
        let side = super::super::private::side(wish.side).ok_or_else(|| invalid("side"))?;
        let kind = match (wish.kind, wish.post_only) {
            ("limit", false) => Kind::Limit,
            ("limit", true) => Kind::PostOnly,
            ("market", false) => Kind::Market,
            _ => return Err(invalid("ordertype")),
        };
        let tif = match wish.tif.to_ascii_lowercase().as_str() {
            "" | "gtc" => Tif::Gtc,
            "ioc" => Tif::Ioc,
            "fok" if wish.fok => Tif::Fok,
            _ => return Err(invalid("timeinforce")),
        };
        if kind == Kind::PostOnly && tif != Tif::Gtc {
            return Err(invalid("post_only"));
        }
        let price = match (kind, wish.price) {
            (Kind::Market, _) => Price(0),
            (_, Some(price)) => Price(number(price).ok_or("EOrder:Tick size check failed")?),
            (_, None) => return Err(invalid("price")),
        };
        let qty = Qty(number(wish.qty).ok_or_else(|| invalid("volume"))?);
        let client = wish.client;
        let plain = client.len() <= 18 && client.is_ascii();
        if !plain && crate::types::ClientId::parse(client.as_bytes()).is_none() {
            return Err(invalid("cl_ord_id"));
        }
        if let Some(deadline) = wish.deadline {
            let at = Nanos::parse_rfc3339(deadline.as_bytes()).map_err(|_| invalid("deadline"))?;
            if at <= now {
                return Err("EService:Deadline elapsed".to_owned());
            }
            if at - now > Nanos::from_secs(60) {
                return Err(invalid("deadline"));
            }
        }
        if !self.counters.spend(key.account, instrument, 1, now) {
            return Err("EOrder:Rate limit exceeded".to_owned());
        }
        let client = client.to_owned();
        let order = NewOrder { instrument, side, kind, tif, price, qty, reduce_only: false, client };
        if wish.validate {
            return Ok(None);
        }
        let placed = exchange.place(key.account, &order, now);
        placed.map(Some).map_err(|refusal| text::refusal(refusal).to_owned())
    }

    /// Cancels one order.
    pub(super) fn cancel(
        &mut self,
        key: &ApiKey,
        order: &OrderRef,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<OrderView, String> {
        if key.rights.trade == Some(false) {
            return Err(DENIED.to_owned());
        }
        let open = exchange.order(key.account, order).filter(|view| !view.state.is_final());
        let view = open.ok_or("EOrder:Unknown order")?;
        let points = cancel_points(now - view.created);
        if !self.counters.spend(key.account, view.order.instrument, points, now) {
            return Err("EOrder:Rate limit exceeded".to_owned());
        }
        exchange.cancel(key.account, order, now).map_err(|refusal| text::refusal(refusal).to_owned())
    }

    /// Amends one order.
    pub(super) fn amend(
        &mut self,
        key: &ApiKey,
        order: &OrderRef,
        price: Option<&str>,
        qty: Option<&str>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<OrderView, String> {
        if key.rights.trade == Some(false) {
            return Err(DENIED.to_owned());
        }
        let open = exchange.order(key.account, order).filter(|view| !view.state.is_final());
        let view = open.ok_or("EOrder:Unknown order")?;
        let scale =
            exchange.instruments().get(view.order.instrument).map(|spec| spec.scale).unwrap_or_default();
        let read = |text: Option<&str>| match text {
            Some(text) => crate::types::parse(text.as_bytes(), scale).map(Some),
            None => Ok(None),
        };
        let (Ok(price), Ok(qty)) = (read(price), read(qty)) else { return Err(ARGUMENTS.to_owned()) };
        let points = amend_points(now - view.created);
        if !self.counters.spend(key.account, view.order.instrument, points, now) {
            return Err("EOrder:Rate limit exceeded".to_owned());
        }
        exchange
            .amend(key.account, order, price.map(Price), qty.map(Qty), now)
            .map_err(|refusal| text::refusal(refusal).to_owned())
    }

    /// Sets the dead-man switch; answers with the two times.
    pub(super) fn switch(&mut self, account: AccountId, seconds: u64, now: Nanos) -> String {
        let current = now.rfc3339(0);
        if seconds == 0 {
            self.switches.remove(&account);
            return format!("{{\"currentTime\":\"{current}\",\"triggerTime\":\"0\"}}");
        }
        let at = now + Nanos::from_secs(seconds as i64);
        self.switches.insert(account, at);
        format!("{{\"currentTime\":\"{current}\",\"triggerTime\":\"{}\"}}", at.rfc3339(0))
    }

    /// A trading request.
    pub(super) fn trade(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let (method, id) = (&*request.method, request.req_id);
        let mut answers = Vec::new();
        match self.trade_answers(conn, request, now, exchange, &mut answers) {
            Ok(()) => {}
            Err(error) => answers.push(KrakenServer::refuse(method, id, &error, now)),
        }
        for answer in answers {
            self.send(conn, answer, now, out);
        }
    }

    fn trade_answers(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        answers: &mut Vec<String>,
    ) -> Result<(), String> {
        let (method, id) = (&*request.method, request.req_id);
        let params = request.params.map_or("{}", RawValue::get);
        let params: Params = serde_json::from_str(params).map_err(|_| ARGUMENTS)?;
        let key = self.session(conn, params.token.as_deref(), now, exchange)?;
        let clients = texts(params.cl_ord_id);
        let mut push = |result: String| {
            let body = format!("\"result\":{result},\"success\":true");
            answers.push(KrakenServer::answer(method, id, &body, now));
        };
        match method {
            "add_order" => {
                let wish = Wish {
                    pair: params.symbol.as_deref().unwrap_or(""),
                    side: params.side.as_deref().unwrap_or(""),
                    kind: params.order_type.as_deref().unwrap_or(""),
                    tif: params.time_in_force.as_deref().unwrap_or(""),
                    post_only: params.post_only.unwrap_or(false),
                    price: params.limit_price.as_ref().map(|price| price.text()),
                    qty: params.order_qty.as_ref().map_or("", |qty| qty.text()),
                    client: clients.first().map_or("", |client| client),
                    deadline: params.deadline.as_deref(),
                    fok: false,
                    validate: params.validate.unwrap_or(false),
                };
                let placed = self.place(&key, &wish, now, exchange)?;
                let order = placed.map_or("null".to_owned(), |view| quoted(&text::order_id(view.id)));
                push(format!(
                    "{{\"order_id\":{order},\"cl_ord_id\":{},\"order_userref\":0}}",
                    quoted(wish.client)
                ));
            }
            "amend_order" => {
                let order = reference(&texts(params.order_id), &clients).pop().ok_or(ARGUMENTS)?;
                let price = params.limit_price.as_ref().map(|price| price.text());
                let qty = params.order_qty.as_ref().map(|qty| qty.text());
                let view = self.amend(&key, &order, price, qty, now, exchange)?;
                push(format!(
                    "{{\"amend_id\":\"TA{}\",\"order_id\":\"{}\",\"cl_ord_id\":{}}}",
                    view.updated.0,
                    text::order_id(view.id),
                    quoted(&view.order.client)
                ));
            }
            "cancel_order" => {
                let orders = reference(&texts(params.order_id), &clients);
                if orders.is_empty() {
                    return Err(ARGUMENTS.to_owned());
                }
                // One answer for each.
                for order in orders {
                    match self.cancel(&key, &order, now, exchange) {
                        Ok(view) => {
                            let body = format!(
                                "\"result\":{{\"order_id\":\"{}\",\"cl_ord_id\":{}}},\"success\":true",
                                text::order_id(view.id),
                                quoted(&view.order.client)
                            );
                            answers.push(KrakenServer::answer(method, id, &body, now));
                        }
                        Err(error) => answers.push(KrakenServer::refuse(method, id, &error, now)),
                    }
                }
            }
            "cancel_all" => {
                if key.rights.trade == Some(false) {
                    return Err(DENIED.to_owned());
                }
                let count = exchange.cancel_all(key.account, None, now).len();
                push(format!("{{\"count\":{count}}}"));
            }
            "cancel_all_orders_after" => {
                if key.rights.trade == Some(false) {
                    return Err(DENIED.to_owned());
                }
                let seconds = params.timeout.and_then(|timeout| timeout.count());
                let seconds = seconds.filter(|seconds| *seconds < 86_400).ok_or(ARGUMENTS)?;
                push(self.switch(key.account, seconds, now));
            }
            _ => return Err("EGeneral:Unknown method".to_owned()),
        }
        Ok(())
    }

    /// A subscription to a private channel.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn private_subscription(
        &mut self,
        conn: ConnId,
        private: bool,
        request: &Request<'_>,
        params: &Subscription<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let (method, id) = (&*request.method, request.req_id);
        let session = if private {
            self.session(conn, params.token.as_deref(), now, exchange)
        } else {
            Err("EGeneral:Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com")
        };
        let key = match session {
            Ok(key) if key.rights.read != Some(false) => key,
            Ok(_) => return self.send(conn, KrakenServer::refuse(method, id, DENIED, now), now, out),
            Err(error) => return self.send(conn, KrakenServer::refuse(method, id, error, now), now, out),
        };
        let channel = &*params.channel;
        let most = match (channel, params.ratecounter) {
            ("executions", Some(true)) => format!(",\"maxratecount\":{}", super::limits::POINTS_MAX),
            _ => String::new(),
        };
        let body = format!("\"result\":{{\"channel\":{}{most}}},\"success\":true", quoted(channel));
        self.send(conn, KrakenServer::answer(method, id, &body, now), now, out);
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let slot = if channel == "executions" { &mut state.executions } else { &mut state.balances };
        if method == "unsubscribe" {
            *slot = None;
            return;
        }
        *slot = Some(Stream { account: key.account, sequence: 1 });
        let data = if channel == "executions" {
            snapshot(key.account, params, exchange)
        } else {
            let rows: Vec<String> = exchange
                .balances(key.account)
                .iter()
                .map(|balance| {
                    let total = total(balance);
                    format!(
                        "{{\"asset\":\"{}\",\"asset_class\":\"currency\",\"balance\":{total},\"wallets\":[{{\"type\":\"spot\",\"id\":\"main\",\"balance\":{total}}}]}}",
                        balance.asset
                    )
                })
                .collect();
            rows.join(",")
        };
        let text =
            format!("{{\"channel\":\"{channel}\",\"type\":\"snapshot\",\"data\":[{data}],\"sequence\":1}}");
        self.send(conn, text, now, out);
    }

    fn tell(&mut self, account: AccountId, channel: &str, data: &str, now: Nanos, out: &mut Vec<ServerOut>) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            let Some(state) = self.conns.get_mut(&conn) else { continue };
            let slot = if channel == "executions" { &mut state.executions } else { &mut state.balances };
            let Some(stream) = slot.as_mut().filter(|stream| stream.account == account) else { continue };
            stream.sequence += 1;
            let text = format!(
                "{{\"channel\":\"{channel}\",\"type\":\"update\",\"data\":[{data}],\"sequence\":{}}}",
                stream.sequence
            );
            self.send(conn, text, now, out);
        }
    }

    /// An order changed: tells its owner. Later messages about an order are sparse, as the venue's are.
    pub(super) fn order_changed(
        &mut self,
        view: &OrderView,
        change: &OrderChange,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(spec) = exchange.instruments().get(view.order.instrument) else { return };
        let at = text::time(view.updated);
        let head = format!(
            "\"order_id\":\"{}\",\"cl_ord_id\":{},\"timestamp\":\"{at}\"",
            text::order_id(view.id),
            quoted(&view.order.client)
        );
        let mut entries = Vec::with_capacity(2);
        match change {
            OrderChange::New => entries.push(format!(
                "{{{head},\"exec_type\":\"new\",\"order_status\":\"new\",{}}}",
                terms(view, spec)
            )),
            OrderChange::Trade(fill) => {
                entries.push(trade_entry(&head, view, fill, spec));
                if view.state == OrderState::Filled {
                    entries.push(format!("{{{head},\"exec_type\":\"filled\",\"order_status\":\"filled\"}}"));
                }
            }
            OrderChange::Amended => entries.push(format!(
                "{{{head},\"exec_type\":\"amended\",\"amended\":true,\"order_status\":\"{}\",\"order_qty\":{},\"limit_price\":{}}}",
                text::stream_status(view.state),
                text::qty(view.order.qty, spec),
                text::price(view.order.price, spec)
            )),
            OrderChange::Ended => entries.push(format!(
                "{{{head},\"exec_type\":\"canceled\",\"order_status\":\"canceled\",\"reason\":\"{}\"}}",
                text::reason(view.reason)
            )),
        }
        for entry in entries {
            self.tell(view.account, "executions", &entry, now, out);
        }
    }

    /// A balance changed: tells its owner the total.
    pub(super) fn balance_changed(
        &mut self,
        account: AccountId,
        balance: &Balance,
        at: Nanos,
        now: Nanos,
        out: &mut Vec<ServerOut>,
    ) {
        let entry = format!(
            "{{\"asset\":\"{}\",\"asset_class\":\"currency\",\"balance\":{},\"type\":\"trade\",\"wallet_type\":\"spot\",\"wallet_id\":\"main\",\"timestamp\":\"{}\"}}",
            balance.asset,
            total(balance),
            text::time(at)
        );
        self.tell(account, "balances", &entry, now, out);
    }
}

fn total(balance: &Balance) -> String {
    balance.free.checked_add(balance.locked).unwrap_or_default().to_string()
}

fn reference(ids: &[String], clients: &[String]) -> Vec<OrderRef> {
    // An id that is none of ours names no order.
    let ids = ids.iter().map(|id| OrderRef::Id(text::order_number(id).unwrap_or(u64::MAX)));
    ids.chain(clients.iter().map(|client| OrderRef::Client(client.clone()))).collect()
}

fn terms(view: &OrderView, spec: &crate::types::InstrumentSpec) -> String {
    let order = &view.order;
    let kind = if order.kind == Kind::Market { "market" } else { "limit" };
    format!(
        "\"symbol\":{},\"side\":\"{}\",\"order_type\":\"{kind}\",\"time_in_force\":\"{}\",\"order_qty\":{},\"limit_price\":{},\"cum_qty\":{},\"cum_cost\":{}",
        quoted(spec.symbol.as_str()),
        order.side.name(),
        text::tif(order.tif),
        text::qty(order.qty, spec),
        text::price(order.price, spec),
        text::qty(view.filled, spec),
        view.filled_value,
    )
}

fn trade_entry(head: &str, view: &OrderView, fill: &FillView, spec: &crate::types::InstrumentSpec) -> String {
    format!(
        "{{{head},\"exec_type\":\"trade\",\"exec_id\":\"{}\",\"trade_id\":{},\"symbol\":{},\"side\":\"{}\",\"order_type\":\"limit\",\
         \"last_qty\":{},\"last_price\":{},\"liquidity_ind\":\"{}\",\"order_status\":\"{}\",\"cum_qty\":{},\"cum_cost\":{},\
         \"fees\":[{{\"asset\":\"{}\",\"qty\":{}}}]}}",
        text::trade_id(fill),
        fill.trade,
        quoted(spec.symbol.as_str()),
        if fill.side == Side::Buy { "buy" } else { "sell" },
        text::qty(fill.qty, spec),
        text::price(fill.price, spec),
        if fill.maker { "m" } else { "t" },
        if view.state == OrderState::Filled { "filled" } else { "partially_filled" },
        text::qty(view.filled, spec),
        view.filled_value,
        fill.fee_asset,
        fill.fee,
    )
}

/// Open orders, and the last fifty trades, as the subscription asks.
fn snapshot(account: AccountId, params: &Subscription<'_>, exchange: &mut dyn Exchange) -> String {
    let specs = exchange.instruments().to_vec();
    let mut rows = Vec::new();
    if params.snap_orders.unwrap_or(true) {
        for view in exchange.open_orders(account) {
            let Some(spec) = specs.get(view.order.instrument) else { continue };
            rows.push(format!(
                "{{\"order_id\":\"{}\",\"cl_ord_id\":{},\"exec_type\":\"new\",\"order_status\":\"{}\",{},\"timestamp\":\"{}\"}}",
                text::order_id(view.id),
                quoted(&view.order.client),
                text::stream_status(view.state),
                terms(&view, spec),
                text::time(view.updated)
            ));
        }
    }
    if params.snap_trades.unwrap_or(false) {
        let fills = exchange.fills(account, Nanos::ZERO);
        for fill in fills.iter().skip(fills.len().saturating_sub(50)) {
            let view = exchange.order(account, &OrderRef::Id(fill.order));
            let (Some(spec), Some(view)) = (specs.get(fill.instrument), view) else { continue };
            let head = format!(
                "\"order_id\":\"{}\",\"cl_ord_id\":{},\"timestamp\":\"{}\"",
                text::order_id(fill.order),
                quoted(&fill.client),
                text::time(fill.at)
            );
            rows.push(trade_entry(&head, &view, fill, spec));
        }
    }
    rows.join(",")
}
