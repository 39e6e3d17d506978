//! Advanced Trade over REST.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::order::PREFIX;
use super::super::rows;
use super::auth::{Answer, Need, Request, error};
use super::{CoinbaseServer, text};
use crate::types::{InstrumentSpec, Kind, Nanos, Price, Qty, Tif, parse};
use crate::venue::kraken::json::{Number, quoted};
use crate::venue::{AccountId, ApiKey, Exchange, FillView, NewOrder, OrderRef, OrderView, Refusal};

fn ok(body: String) -> Answer {
    (200, Vec::new(), body)
}

#[derive(Deserialize)]
struct Wish<'a> {
    #[serde(borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    order_configuration: BTreeMap<Cow<'a, str>, Configuration<'a>>,
}

#[derive(Deserialize)]
struct Configuration<'a> {
    #[serde(borrow)]
    base_size: Option<Number<'a>>,
    #[serde(borrow)]
    limit_price: Option<Number<'a>>,
    #[serde(default)]
    post_only: bool,
}

impl CoinbaseServer {
    pub(super) fn advanced(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Answer {
        let Some(path) = request.path().strip_prefix(PREFIX) else {
            return (404, Vec::new(), "404 page not found".to_owned());
        };
        match (request.method, path) {
            ("GET", "/time") => {
                return ok(format!(
                    "{{\"iso\":\"{}\",\"epochSeconds\":\"{}\",\"epochMillis\":\"{}\"}}",
                    now.rfc3339(0),
                    now.0.div_euclid(1_000_000_000),
                    now.millis()
                ));
            }
            ("GET", "/market/products") => {
                let rows: Vec<String> = exchange.instruments().iter().map(product).collect();
                return ok(format!("{{\"products\":[{}],\"num_products\":{}}}", rows.join(","), rows.len()));
            }
            _ => {}
        }
        let need = if request.method == "POST" { Need::Trade } else { Need::Read };
        let key = match self.bearer(request, need, now, exchange) {
            Ok(key) => key,
            Err(answer) => return answer,
        };
        let account = key.account;
        match (request.method, path) {
            ("POST", "/orders") => place(account, request.body, now, exchange),
            ("POST", "/orders/batch_cancel") => cancel(account, request.body, now, exchange),
            ("POST", "/orders/edit") => edit(account, request.body, now, exchange),
            ("GET", "/orders/historical/batch") => orders(account, request, exchange),
            ("GET", "/orders/historical/fills") => fills(account, request, exchange),
            ("GET", path) if path.starts_with("/orders/historical/") => {
                let id = path.rsplit('/').next().and_then(text::order_number);
                let view = id.and_then(|id| exchange.order(account, &OrderRef::Id(id)));
                let shown = view.and_then(|view| shown(&view, exchange.instruments()));
                match shown {
                    Some(order) => ok(format!("{{\"order\":{order}}}")),
                    None => error(404, "NOT_FOUND", "order not found"),
                }
            }
            ("GET", "/accounts") => {
                let rows: Vec<String> = exchange
                    .balances(account)
                    .iter()
                    .map(|balance| {
                        let amount = |amount| format!("{{\"value\":\"{amount}\",\"currency\":\"{}\"}}", balance.asset);
                        format!(
                            "{{\"uuid\":\"sim\",\"name\":\"{asset}\",\"currency\":\"{asset}\",\"available_balance\":{},\"hold\":{},\"active\":true,\"ready\":true,\
                             \"type\":\"ACCOUNT_TYPE_CRYPTO\"}}",
                            amount(balance.free),
                            amount(balance.locked),
                            asset = balance.asset,
                        )
                    })
                    .collect();
                ok(format!(
                    "{{\"accounts\":[{}],\"has_next\":false,\"cursor\":\"\",\"size\":{}}}",
                    rows.join(","),
                    rows.len()
                ))
            }
            ("GET", "/transaction_summary") => {
                let (maker, taker) = exchange.fees(account, 0);
                ok(format!(
                    "{{\"total_volume\":0,\"total_fees\":0,\"fee_tier\":{{\"pricing_tier\":\"Sim\",\"taker_fee_rate\":\"{}\",\"maker_fee_rate\":\"{}\"}}}}",
                    text::rate(taker),
                    text::rate(maker)
                ))
            }
            ("GET", "/key_permissions") => ok(permissions(&key)),
            _ => error(404, "NOT_FOUND", "no such path"),
        }
    }
}

fn permissions(key: &ApiKey) -> String {
    let rights = &key.rights;
    format!(
        "{{\"can_view\":{},\"can_trade\":{},\"can_transfer\":{},\"portfolio_uuid\":\"sim\",\"portfolio_type\":\"DEFAULT\"}}",
        rights.read != Some(false),
        rights.trade != Some(false),
        rights.withdraw == Some(true) || rights.transfer == Some(true),
    )
}

fn product(spec: &InstrumentSpec) -> String {
    format!(
        "{{\"product_id\":{},\"price\":\"0\",\"base_increment\":\"{}\",\"quote_increment\":\"{tick}\",\"price_increment\":\"{tick}\",\"quote_min_size\":\"{}\",\
         \"base_min_size\":\"{}\"{},\"status\":\"online\",\"cancel_only\":{},\"limit_only\":false,\"post_only\":false,\"trading_disabled\":false,\
         \"auction_mode\":false,\"is_disabled\":false,\"view_only\":false,\"product_type\":\"SPOT\",\"quote_currency_id\":\"{}\",\"base_currency_id\":\"{}\",\
         \"alias\":\"\",\"alias_to\":[]}}",
        quoted(spec.symbol.as_str()),
        text::qty(spec.lot, spec),
        spec.min_notional,
        text::qty(spec.min_qty, spec),
        match spec.max_qty {
            Qty::ZERO => String::new(),
            most => format!(",\"base_max_size\":\"{}\"", text::qty(most, spec)),
        },
        !spec.open,
        spec.quote,
        spec.base,
        tick = text::price(spec.tick, spec),
    )
}

fn shown(view: &OrderView, specs: &[InstrumentSpec]) -> Option<String> {
    Some(text::advanced_order(view, specs.get(view.order.instrument)?))
}

/// Places an order; refusals are answers too.
fn place(account: AccountId, body: &[u8], now: Nanos, exchange: &mut dyn Exchange) -> Answer {
    let Ok(wish) = serde_json::from_slice::<Wish>(body) else {
        return error(400, "INVALID_ARGUMENT", "Invalid request");
    };
    let done = |view: &OrderView| {
        ok(format!(
            "{{\"success\":true,\"success_response\":{{\"order_id\":\"{}\",\"product_id\":{},\"side\":{},\"client_order_id\":{}}},\"order_configuration\":{{}}}}",
            text::order_id(view.id),
            quoted(&wish.product_id),
            quoted(&wish.side),
            quoted(&wish.client_order_id)
        ))
    };
    if wish.client_order_id.is_empty() {
        return error(400, "INVALID_ARGUMENT", "client_order_id is required");
    }
    // The same id again is the same order again.
    if let Some(view) = exchange.order(account, &OrderRef::Client(wish.client_order_id.to_string())) {
        return done(&view);
    }
    let placed = order(&wish, exchange)
        .and_then(|order| exchange.place(account, &order, now).map_err(text::advanced_refusal));
    match placed {
        Ok(view) => done(&view),
        Err((name, preview)) => ok(format!(
            "{{\"success\":false,\"error_response\":{{\"error\":\"{name}\",\"message\":\"\",\"error_details\":\"\",\"preview_failure_reason\":\"{preview}\",\
             \"new_order_failure_reason\":\"{name}\"}},\"order_configuration\":{{}}}}"
        )),
    }
}

fn order(wish: &Wish<'_>, exchange: &dyn Exchange) -> Result<NewOrder, (&'static str, &'static str)> {
    let unsupported = ("UNSUPPORTED_ORDER_CONFIGURATION", "");
    let specs = exchange.instruments();
    let instrument = specs.iter().position(|spec| *spec.symbol.as_str() == *wish.product_id);
    let instrument = instrument.ok_or(text::advanced_refusal(Refusal::UnknownInstrument))?;
    let spec = &specs[instrument];
    let (Some((name, own)), 1) = (wish.order_configuration.first_key_value(), wish.order_configuration.len())
    else {
        return Err(unsupported);
    };
    let (kind, tif) = match (&**name, own.post_only) {
        ("sor_limit_ioc", false) => (Kind::Limit, Tif::Ioc),
        ("limit_limit_fok", false) => (Kind::Limit, Tif::Fok),
        ("limit_limit_gtc", false) => (Kind::Limit, Tif::Gtc),
        ("limit_limit_gtc", true) => (Kind::PostOnly, Tif::Gtc),
        ("market_market_ioc", false) => (Kind::Market, Tif::Ioc),
        _ => return Err(unsupported),
    };
    let qty = own.base_size.and_then(|size| size.qty(spec.scale)).ok_or(("INVALID_SIZE_PRECISION", ""))?;
    let price = match kind {
        Kind::Market => Price(0),
        _ => own
            .limit_price
            .and_then(|price| price.price(spec.scale))
            .ok_or(("INVALID_PRICE_PRECISION", ""))?,
    };
    let side = match &*wish.side {
        "BUY" | "SELL" => rows::side(&wish.side),
        _ => None,
    };
    let side = side.ok_or(("INVALID_SIDE", ""))?;
    Ok(NewOrder {
        instrument,
        side,
        kind,
        tif,
        price,
        qty,
        reduce_only: false,
        client: wish.client_order_id.to_string(),
    })
}

fn cancel(account: AccountId, body: &[u8], now: Nanos, exchange: &mut dyn Exchange) -> Answer {
    #[derive(Deserialize)]
    struct Ids {
        order_ids: Vec<String>,
    }
    let Some(ids) =
        serde_json::from_slice::<Ids>(body).ok().filter(|ids| (1..=100).contains(&ids.order_ids.len()))
    else {
        return error(400, "INVALID_ARGUMENT", "order_ids");
    };
    let rows: Vec<String> = ids
        .order_ids
        .iter()
        .map(|id| {
            let cancelled = text::order_number(id)
                .is_some_and(|number| exchange.cancel(account, &OrderRef::Id(number), now).is_ok());
            let why = if cancelled { "UNKNOWN_CANCEL_FAILURE_REASON" } else { "UNKNOWN_CANCEL_ORDER" };
            format!("{{\"success\":{cancelled},\"failure_reason\":\"{why}\",\"order_id\":{}}}", quoted(id))
        })
        .collect();
    ok(format!("{{\"results\":[{}]}}", rows.join(",")))
}

fn edit(account: AccountId, body: &[u8], now: Nanos, exchange: &mut dyn Exchange) -> Answer {
    #[derive(Deserialize)]
    struct Change {
        order_id: String,
        price: String,
        size: String,
    }
    let Ok(change) = serde_json::from_slice::<Change>(body) else {
        return error(400, "INVALID_ARGUMENT", "order_id, price and size are required");
    };
    let refused =
        |why: &str| ok(format!("{{\"success\":false,\"errors\":[{{\"edit_failure_reason\":\"{why}\"}}]}}"));
    let reference = OrderRef::Id(text::order_number(&change.order_id).unwrap_or(u64::MAX));
    let Some(view) = exchange.order(account, &reference).filter(|view| !view.state.is_final()) else {
        return refused("ORDER_NOT_FOUND");
    };
    if view.order.tif != Tif::Gtc {
        return refused("ONLY_LIMIT_ORDER_EDITS_SUPPORTED");
    }
    let scale = exchange.instruments().get(view.order.instrument).map(|spec| spec.scale).unwrap_or_default();
    let (Ok(price), Ok(qty)) = (parse(change.price.as_bytes(), scale), parse(change.size.as_bytes(), scale))
    else {
        return refused("INVALID_EDITED_SIZE");
    };
    match exchange.amend(account, &reference, Some(Price(price)), Some(Qty(qty)), now) {
        Ok(_) => ok("{\"success\":true,\"errors\":[]}".to_owned()),
        Err(refusal) => refused(text::advanced_refusal(refusal).0),
    }
}

/// A page of rows, from where a cursor says, and where the next one starts.
fn page<T>(rows: Vec<T>, fields: &[(String, String)]) -> (Vec<T>, Option<usize>) {
    let field =
        |name: &str| fields.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.parse().ok());
    let (from, limit) = (field("cursor").unwrap_or(0), field("limit").unwrap_or(100).clamp(1, 1_000));
    let next = (rows.len() > from + limit).then_some(from + limit);
    (rows.into_iter().skip(from).take(limit).collect(), next)
}

fn orders(account: AccountId, request: &Request<'_>, exchange: &mut dyn Exchange) -> Answer {
    let fields = request.query();
    let field = |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let mut views = exchange.open_orders(account);
    if field("order_status") != Some("OPEN") {
        views.extend(exchange.ended_orders(account, Nanos::ZERO));
    }
    // The newest first.
    views.sort_by_key(|view| std::cmp::Reverse(view.id));
    let specs = exchange.instruments();
    let of = |view: &OrderView| {
        let product = specs.get(view.order.instrument).map(|spec| spec.symbol.as_str());
        field("product_ids").is_none_or(|wanted| product == Some(wanted))
    };
    views.retain(of);
    let (views, next) = page(views, &fields);
    let rows: Vec<String> = views.iter().filter_map(|view| shown(view, specs)).collect();
    ok(format!(
        "{{\"orders\":[{}],\"sequence\":\"0\",\"has_next\":{},\"cursor\":\"{}\"}}",
        rows.join(","),
        next.is_some(),
        next.map_or(String::new(), |next| next.to_string())
    ))
}

fn fills(account: AccountId, request: &Request<'_>, exchange: &mut dyn Exchange) -> Answer {
    let fields = request.query();
    let field = |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let since = field("start_sequence_timestamp").and_then(|text| Nanos::parse_rfc3339(text.as_bytes()).ok());
    let mut fills = exchange.fills(account, since.unwrap_or_default());
    let specs = exchange.instruments();
    let of = |fill: &FillView| {
        let product = specs.get(fill.instrument).map(|spec| spec.symbol.as_str());
        field("product_ids").is_none_or(|wanted| product == Some(wanted))
            && field("order_ids").is_none_or(|wanted| text::order_number(wanted) == Some(fill.order))
    };
    fills.retain(of);
    fills.reverse();
    let (fills, next) = page(fills, &fields);
    let rows: Vec<String> = fills
        .iter()
        .filter_map(|fill| Some(text::advanced_fill(fill, specs.get(fill.instrument)?)))
        .collect();
    let next = next.map_or(String::new(), |next| next.to_string());
    ok(format!("{{\"fills\":[{}],\"cursor\":\"{next}\"}}", rows.join(",")))
}
