//! The private streams: what becomes of an account's orders.

use super::super::Product;
use super::{CoinbaseServer, text};
use crate::types::{InstrumentSpec, Nanos, OrderState, Qty, Side};
use crate::venue::kraken::json::quoted;
use crate::venue::{ConnId, Exchange, FillView, OrderChange, OrderView, ServerOut};

/// Orders in a message of the beginning; fewer end it.
const BATCH: usize = 50;

impl CoinbaseServer {
    /// Advanced Trade tells all open orders at the beginning.
    pub(super) fn user_snapshot(
        &mut self,
        conn: ConnId,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(account) = self.conns.get(&conn).and_then(|state| state.user) else { return };
        if self.product != Product::Advanced {
            return;
        }
        let open = exchange.open_orders(account);
        let specs = exchange.instruments();
        let rows: Vec<String> = open
            .iter()
            .filter_map(|view| Some(text::advanced_update(view, specs.get(view.order.instrument)?)))
            .collect();
        let mut batches: Vec<&[String]> = rows.chunks(BATCH).collect();
        if batches.last().is_none_or(|last| last.len() == BATCH) {
            batches.push(&[]);
        }
        for batch in batches {
            let body = format!("{{\"type\":\"snapshot\",\"orders\":[{}]}}", batch.join(","));
            self.send(conn, "user", &body, now, out);
        }
    }

    /// Tells the owner of an order what changed about it.
    pub(super) fn order_changed(
        &mut self,
        view: &OrderView,
        change: &OrderChange,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(spec) = exchange.instruments().get(view.order.instrument).cloned() else { return };
        let bodies = match self.product {
            Product::Advanced => {
                vec![format!("{{\"type\":\"update\",\"orders\":[{}]}}", text::advanced_update(view, &spec))]
            }
            Product::Exchange => {
                let (maker, taker) = exchange.fees(view.account, view.order.instrument);
                let mut bodies = Vec::new();
                match change {
                    OrderChange::New => bodies.push(received(view, &spec, now)),
                    OrderChange::Trade(fill) => {
                        let rate = if fill.maker { maker } else { taker };
                        bodies.push(matched(fill, &spec, &text::rate(rate)));
                    }
                    OrderChange::Amended => {}
                    OrderChange::Ended => bodies.push(done(view, &spec)),
                }
                let rests = self.resting.get(&view.id).is_some_and(|at| *at == view.filled);
                if rests && !view.state.is_final() {
                    bodies.push(open(view, &spec, now));
                }
                if rests || view.state.is_final() {
                    self.resting.remove(&view.id);
                }
                if matches!(change, OrderChange::Trade(_)) && view.state == OrderState::Filled {
                    bodies.push(done(view, &spec));
                }
                bodies
            }
        };
        let owner = Some(view.account);
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, state)| state.user == owner).map(|(id, _)| *id).collect();
        for conn in conns {
            for body in &bodies {
                self.send(conn, "user", body, now, out);
            }
        }
    }
}

fn received(view: &OrderView, spec: &InstrumentSpec, now: Nanos) -> String {
    let client = match view.order.client.is_empty() {
        true => String::new(),
        false => format!("\"client_oid\":{},", quoted(&view.order.client)),
    };
    format!(
        "{{\"type\":\"received\",\"time\":\"{}\",\"product_id\":{},\"sequence\":{},\"order_id\":\"{}\",{client}\"size\":\"{}\",\"price\":\"{}\",\
         \"side\":\"{}\",\"order_type\":\"limit\",\"user_id\":\"sim\",\"profile_id\":\"sim\"}}",
        now.rfc3339(6),
        quoted(spec.symbol.as_str()),
        view.id,
        text::order_id(view.id),
        text::qty(view.order.qty, spec),
        text::price(view.order.price, spec),
        view.order.side.name(),
    )
}

fn open(view: &OrderView, spec: &InstrumentSpec, now: Nanos) -> String {
    format!(
        "{{\"type\":\"open\",\"time\":\"{}\",\"product_id\":{},\"sequence\":{},\"order_id\":\"{}\",\"price\":\"{}\",\"remaining_size\":\"{}\",\
         \"side\":\"{}\",\"user_id\":\"sim\",\"profile_id\":\"sim\"}}",
        now.rfc3339(6),
        quoted(spec.symbol.as_str()),
        view.id,
        text::order_id(view.id),
        text::price(view.order.price, spec),
        text::qty(Qty(view.order.qty.0 - view.filled.0), spec),
        view.order.side.name(),
    )
}

fn matched(fill: &FillView, spec: &InstrumentSpec, rate: &str) -> String {
    let (own, other) = (text::order_id(fill.order), text::other_id(fill.trade));
    let (maker, taker) = if fill.maker { (own, other) } else { (other, own) };
    // The side of a match is the resting order's.
    let side: Side = if fill.maker { fill.side } else { fill.side.opposite() };
    let whose = if fill.maker { "maker" } else { "taker" };
    format!(
        "{{\"type\":\"match\",\"trade_id\":{},\"sequence\":{},\"maker_order_id\":\"{maker}\",\"taker_order_id\":\"{taker}\",\"time\":\"{}\",\
         \"product_id\":{},\"size\":\"{}\",\"price\":\"{}\",\"side\":\"{}\",\"{whose}_user_id\":\"sim\",\"user_id\":\"sim\",\"{whose}_profile_id\":\"sim\",\
         \"profile_id\":\"sim\",\"{whose}_fee_rate\":\"{rate}\"}}",
        fill.trade,
        fill.trade,
        fill.at.rfc3339(6),
        quoted(spec.symbol.as_str()),
        text::qty(fill.qty, spec),
        text::price(fill.price, spec),
        side.name(),
    )
}

fn done(view: &OrderView, spec: &InstrumentSpec) -> String {
    let filled = view.state == OrderState::Filled;
    let why = view.reason.map_or("", text::reason);
    let why = if why.is_empty() { String::new() } else { format!("\"cancel_reason\":\"{why}\",") };
    format!(
        "{{\"type\":\"done\",\"time\":\"{}\",\"product_id\":{},\"sequence\":{},\"order_id\":\"{}\",\"price\":\"{}\",\"remaining_size\":\"{}\",\
         \"reason\":\"{}\",{why}\"side\":\"{}\",\"user_id\":\"sim\",\"profile_id\":\"sim\"}}",
        view.updated.rfc3339(6),
        quoted(spec.symbol.as_str()),
        view.id,
        text::order_id(view.id),
        text::price(view.order.price, spec),
        text::qty(Qty(view.order.qty.0 - view.filled.0), spec),
        if filled { "filled" } else { "canceled" },
        view.order.side.name(),
    )
}
