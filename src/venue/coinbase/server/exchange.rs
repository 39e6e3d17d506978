//! Exchange over REST.

use serde::Deserialize;
use std::borrow::Cow;

use super::super::order::is_client_id;
use super::super::rows;
use super::auth::{Answer, Need, Request, message};
use super::market::pairs;
use super::{CoinbaseServer, text};
use crate::types::{InstrumentSpec, Kind, Nanos, OrderState, Price, Qty, Tif};
use crate::venue::kraken::json::{Number, quoted};
use crate::venue::{AccountId, Exchange, FillView, NewOrder, OrderRef, OrderView, Refusal};

fn ok(body: String) -> Answer {
    (200, Vec::new(), body)
}

#[derive(Deserialize)]
struct Wish<'a> {
    #[serde(borrow)]
    client_oid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<Number<'a>>,
    #[serde(borrow)]
    size: Option<Number<'a>>,
    #[serde(borrow)]
    time_in_force: Option<Cow<'a, str>>,
    #[serde(default)]
    post_only: bool,
    #[serde(borrow)]
    stp: Option<Cow<'a, str>>,
}

impl CoinbaseServer {
    pub(super) fn exchange(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Answer {
        let path = request.path();
        if let Some(answer) = public(request, now, exchange) {
            return answer;
        }
        let need = if request.method == "GET" { Need::Read } else { Need::Trade };
        let key = match self.signed(request, need, now, exchange) {
            Ok(key) => key,
            Err(answer) => return answer,
        };
        let account = key.account;
        let fields = request.query();
        let field = |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let at =
            |product: &str| exchange.instruments().iter().position(|spec| spec.symbol.as_str() == product);
        match (request.method, path) {
            ("POST", "/orders") => self.place(account, request.body, now, exchange),
            ("DELETE", "/orders") => {
                let place = field("product_id").map(&at);
                if place == Some(None) {
                    return message(400, "Invalid product_id");
                }
                let gone = exchange.cancel_all(account, place.flatten(), now);
                let ids: Vec<String> =
                    gone.iter().map(|view| format!("\"{}\"", text::order_id(view.id))).collect();
                ok(format!("[{}]", ids.join(",")))
            }
            ("GET", "/orders") => {
                let mut views = exchange.open_orders(account);
                views.reverse();
                let specs = exchange.instruments();
                let rows = views.iter().filter_map(|view| {
                    Some(text::exchange_order(view, specs.get(view.order.instrument)?, false))
                });
                page(rows.collect(), &fields)
            }
            ("GET" | "DELETE", path) if path.starts_with("/orders/") => {
                let name = path.strip_prefix("/orders/").unwrap_or("");
                let order = match name.strip_prefix("client:") {
                    Some(client) => OrderRef::Client(client.to_owned()),
                    None => OrderRef::Id(text::order_number(name).unwrap_or(u64::MAX)),
                };
                one(account, request.method, &order, now, exchange)
            }
            ("GET", "/fills") => {
                if field("product_id").is_none() && field("order_id").is_none() {
                    return message(400, "either order_id or product_id is required");
                }
                let mut fills = exchange.fills(account, Nanos::ZERO);
                let specs = exchange.instruments();
                let of = |fill: &FillView| {
                    let product = specs.get(fill.instrument).map(|spec| spec.symbol.as_str());
                    field("product_id").is_none_or(|wanted| product == Some(wanted))
                        && field("order_id")
                            .is_none_or(|wanted| text::order_number(wanted) == Some(fill.order))
                };
                fills.retain(of);
                fills.reverse();
                let rows = fills
                    .iter()
                    .filter_map(|fill| Some(text::exchange_fill(fill, specs.get(fill.instrument)?)));
                page(rows.collect(), &fields)
            }
            ("GET", "/accounts") => {
                let rows: Vec<String> = exchange
                    .balances(account)
                    .iter()
                    .map(|balance| {
                        let total = balance.free.checked_add(balance.locked).unwrap_or_default();
                        format!(
                            "{{\"id\":\"sim-{asset}\",\"currency\":\"{asset}\",\"balance\":\"{total}\",\"hold\":\"{}\",\"available\":\"{}\",\"profile_id\":\"sim\",\
                             \"trading_enabled\":true}}",
                            balance.locked,
                            balance.free,
                            asset = balance.asset,
                        )
                    })
                    .collect();
                ok(format!("[{}]", rows.join(",")))
            }
            ("GET", "/fees") => {
                let (maker, taker) = exchange.fees(account, 0);
                ok(format!(
                    "{{\"maker_fee_rate\":\"{}\",\"taker_fee_rate\":\"{}\",\"usd_volume\":\"0\"}}",
                    text::rate(maker),
                    text::rate(taker)
                ))
            }
            _ => message(404, "NotFound"),
        }
    }

    /// Places an order. The answer says `pending`, whatever became of it: that is told by the stream.
    fn place(&mut self, account: AccountId, body: &[u8], now: Nanos, exchange: &mut dyn Exchange) -> Answer {
        let Ok(wish) = serde_json::from_slice::<Wish>(body) else { return message(400, "Bad Request") };
        let order = match order(&wish, exchange) {
            Ok(order) => order,
            Err(text) => return message(400, text),
        };
        let specs = exchange.instruments().to_vec();
        let Some(spec) = specs.get(order.instrument) else { return message(400, "Invalid product_id") };
        match exchange.place(account, &order, now) {
            Ok(view) => {
                if matches!(view.state, OrderState::Accepted | OrderState::PartFilled) {
                    self.resting.insert(view.id, view.filled);
                }
                ok(text::exchange_order(&view, spec, true))
            }
            // Taken by the gateway, and refused by the matching.
            Err(Refusal::WouldTake) => {
                let id = text::other_id(self.rng.rand_u64() >> 16);
                ok(format!(
                    "{{\"id\":\"{id}\",\"price\":\"{}\",\"size\":\"{}\",\"product_id\":{},\"side\":\"{}\",\"type\":\"limit\",\"post_only\":true,\
                     \"filled_size\":\"0\",\"executed_value\":\"0\",\"status\":\"rejected\",\"reject_reason\":\"post only\",\"settled\":true}}",
                    text::price(order.price, spec),
                    text::qty(order.qty, spec),
                    quoted(spec.symbol.as_str()),
                    order.side.name(),
                ))
            }
            Err(refusal) => message(400, text::exchange_refusal(refusal)),
        }
    }
}

/// What anyone may ask.
fn public(request: &Request<'_>, now: Nanos, exchange: &mut dyn Exchange) -> Option<Answer> {
    if request.method != "GET" {
        return None;
    }
    let path = request.path();
    if path == "/time" {
        let (whole, millis) = (now.0.div_euclid(1_000_000_000), now.millis().rem_euclid(1_000));
        return Some(ok(format!("{{\"iso\":\"{}\",\"epoch\":{whole}.{millis:03}}}", now.rfc3339(3))));
    }
    let rest = path.strip_prefix("/products")?;
    if rest.is_empty() {
        let rows: Vec<String> = exchange.instruments().iter().map(product).collect();
        return Some(ok(format!("[{}]", rows.join(","))));
    }
    let (name, what) = rest.strip_prefix('/')?.split_once('/').unwrap_or((rest.trim_start_matches('/'), ""));
    let place = exchange.instruments().iter().position(|spec| spec.symbol.as_str() == name);
    let Some(place) = place else { return Some(message(404, "NotFound")) };
    let levels = if request.target.contains("level=2") { usize::MAX } else { 1 };
    let book = exchange.book(place, levels);
    let spec = exchange.instruments().get(place)?;
    Some(match what {
        "" => ok(product(spec)),
        "book" => ok(format!(
            "{{\"bids\":[{}],\"asks\":[{}],\"sequence\":{},\"auction_mode\":false,\"auction\":null,\"time\":\"{}\"}}",
            pairs(&book.bids, spec),
            pairs(&book.asks, spec),
            book.seq,
            book.at.rfc3339(6)
        )),
        _ => message(404, "NotFound"),
    })
}

fn product(spec: &InstrumentSpec) -> String {
    format!(
        "{{\"id\":{},\"base_currency\":\"{}\",\"quote_currency\":\"{}\",\"quote_increment\":\"{}\",\"base_increment\":\"{}\",\"display_name\":{},\
         \"min_market_funds\":\"{}\",\"margin_enabled\":false,\"post_only\":false,\"limit_only\":false,\"cancel_only\":{},\"status\":\"online\",\
         \"status_message\":\"\",\"trading_disabled\":false,\"fx_stablecoin\":false,\"auction_mode\":false}}",
        quoted(spec.symbol.as_str()),
        spec.base,
        spec.quote,
        text::price(spec.tick, spec),
        text::qty(spec.lot, spec),
        quoted(spec.symbol.as_str()),
        spec.min_notional,
        !spec.open,
    )
}

fn order(wish: &Wish<'_>, exchange: &dyn Exchange) -> Result<NewOrder, &'static str> {
    let specs = exchange.instruments();
    let instrument = specs.iter().position(|spec| *spec.symbol.as_str() == *wish.product_id);
    let instrument = instrument.ok_or("Invalid product_id")?;
    let spec = &specs[instrument];
    let kind = match (wish.kind.as_deref().unwrap_or("limit"), wish.post_only) {
        ("limit", false) => Kind::Limit,
        ("limit", true) => Kind::PostOnly,
        ("market", false) => Kind::Market,
        _ => return Err("Invalid order type"),
    };
    let tif = match wish.time_in_force.as_deref().unwrap_or("GTC") {
        _ if kind == Kind::Market => Tif::Ioc,
        "GTC" => Tif::Gtc,
        "IOC" => Tif::Ioc,
        "FOK" => Tif::Fok,
        _ => return Err("Invalid time_in_force"),
    };
    if kind == Kind::PostOnly && tif != Tif::Gtc {
        return Err("post_only is not allowed with time_in_force IOC or FOK");
    }
    if wish.stp.as_deref().is_some_and(|stp| !["dc", "co", "cn", "cb"].contains(&stp)) {
        return Err("Invalid stp");
    }
    let qty = wish.size.and_then(|size| size.qty(spec.scale)).ok_or("size is too precise")?;
    let price = match kind {
        Kind::Market => Price(0),
        _ => wish.price.and_then(|price| price.price(spec.scale)).ok_or("price is too precise")?,
    };
    let side = rows::side(&wish.side).ok_or("Invalid side")?;
    // An id of another shape is taken, and lost.
    let client = wish.client_oid.as_deref().filter(|id| is_client_id(id)).unwrap_or("").to_owned();
    Ok(NewOrder { instrument, side, kind, tif, price, qty, reduce_only: false, client })
}

/// Shows or cancels one order. Those that were cancelled without a fill are forgotten.
fn one(
    account: AccountId,
    method: &str,
    order: &OrderRef,
    now: Nanos,
    exchange: &mut dyn Exchange,
) -> Answer {
    let kept = |view: &OrderView| !view.state.is_final() || view.filled > Qty::ZERO;
    let Some(view) = exchange.order(account, order).filter(kept) else { return message(404, "NotFound") };
    if method == "GET" {
        let specs = exchange.instruments();
        return match specs.get(view.order.instrument) {
            Some(spec) => ok(text::exchange_order(&view, spec, false)),
            None => message(404, "NotFound"),
        };
    }
    if view.state.is_final() {
        return message(400, "Order already done");
    }
    match exchange.cancel(account, &OrderRef::Id(view.id), now) {
        Ok(view) => ok(format!("\"{}\"", text::order_id(view.id))),
        Err(refusal) => message(400, text::exchange_refusal(refusal)),
    }
}

/// A page of rows, the newest first, from where `after` says; the header names the next one's start.
fn page(rows: Vec<String>, fields: &[(String, String)]) -> Answer {
    let field =
        |name: &str| fields.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.parse().ok());
    let (from, limit) = (field("after").unwrap_or(0), field("limit").unwrap_or(100).clamp(1, 1_000));
    let more = rows.len() > from + limit;
    let body: Vec<&str> = rows.iter().skip(from).take(limit).map(String::as_str).collect();
    let headers = if more { vec![("cb-after".to_owned(), (from + limit).to_string())] } else { Vec::new() };
    (200, headers, format!("[{}]", body.join(",")))
}
