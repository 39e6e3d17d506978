//! The public socket: books, tickers, instruments.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::super::checksum::{Best, Digits};
use super::super::json::quoted;
use super::{BookSub, KrakenServer, text};
use crate::types::{BookView, InstrumentSpec, Level, Nanos, Side};
use crate::venue::{ConnId, Exchange, ServerOut};

/// A request over either socket.
#[derive(Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    pub req_id: Option<u64>,
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
}

/// The parameters of subscriptions.
#[derive(Deserialize)]
pub struct Subscription<'a> {
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    #[serde(borrow, default)]
    symbol: Vec<Cow<'a, str>>,
    depth: Option<usize>,
    snapshot: Option<bool>,
    #[serde(borrow)]
    pub token: Option<Cow<'a, str>>,
    pub snap_orders: Option<bool>,
    pub ratecounter: Option<bool>,
    pub snap_trades: Option<bool>,
}

/// A side of a book, best first.
struct View<'a> {
    bids: &'a [Level],
    asks: &'a [Level],
}

impl BookView for View<'_> {
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        let levels = if side == Side::Buy { self.bids } else { self.asks };
        out.iter_mut().zip(levels).map(|(to, from)| *to = *from).count()
    }
}

impl KrakenServer {
    /// An answer with its times and the request's id.
    pub(super) fn answer(method: &str, id: Option<u64>, body: &str, now: Nanos) -> String {
        let id = id.map_or(String::new(), |id| format!(",\"req_id\":{id}"));
        let at = text::time(now);
        format!("{{\"method\":{}{id},{body},\"time_in\":\"{at}\",\"time_out\":\"{at}\"}}", quoted(method))
    }

    /// A refusal.
    pub(super) fn refuse(method: &str, id: Option<u64>, error: &str, now: Nanos) -> String {
        KrakenServer::answer(method, id, &format!("\"success\":false,\"error\":{}", quoted(error)), now)
    }

    /// A text message on either socket.
    pub(super) fn text(
        &mut self,
        conn: ConnId,
        message: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(state) = self.conns.get(&conn) else { return };
        let private = state.private;
        let Ok(request) = serde_json::from_str::<Request>(message) else {
            let text = KrakenServer::refuse("unknown", None, "EGeneral:Invalid arguments", now);
            return self.send(conn, text, now, out);
        };
        match &*request.method {
            "ping" => {
                let id = request.req_id.map_or(String::new(), |id| format!(",\"req_id\":{id}"));
                let at = text::time(now);
                let text = format!("{{\"method\":\"pong\"{id},\"time_in\":\"{at}\",\"time_out\":\"{at}\"}}");
                self.send(conn, text, now, out);
            }
            "subscribe" | "unsubscribe" => {
                let params = request.params.map_or("", RawValue::get);
                match serde_json::from_str::<Subscription>(params) {
                    Ok(params) if matches!(&*params.channel, "executions" | "balances") => {
                        self.private_subscription(conn, private, &request, &params, now, exchange, out);
                    }
                    Ok(params) => self.subscription(conn, &request, &params, now, exchange, out),
                    Err(_) => {
                        let text = KrakenServer::refuse(
                            &request.method,
                            request.req_id,
                            "EGeneral:Invalid arguments",
                            now,
                        );
                        self.send(conn, text, now, out);
                    }
                }
            }
            _ if private => self.trade(conn, &request, now, exchange, out),
            _ => {
                let text =
                    KrakenServer::refuse(&request.method, request.req_id, "EGeneral:Unknown method", now);
                self.send(conn, text, now, out);
            }
        }
    }

    fn subscription(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        params: &Subscription<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let (method, id) = (&*request.method, request.req_id);
        let subscribe = method == "subscribe";
        let snapshot = params.snapshot.unwrap_or(true);
        if params.channel == "instrument" {
            let body = "\"result\":{\"channel\":\"instrument\",\"snapshot\":true},\"success\":true";
            self.send(conn, KrakenServer::answer(method, id, body, now), now, out);
            if subscribe && snapshot {
                self.send(conn, instruments(exchange.instruments()), now, out);
            }
            return;
        }
        let depth = params.depth.unwrap_or(10);
        let error = match &*params.channel {
            "book" if ![10, 25, 100, 500, 1000].contains(&depth) => Some("Subscription depth not supported"),
            "book" | "ticker" => None,
            _ => Some("Unknown channel"),
        };
        for symbol in &params.symbol {
            let found = self.find(symbol, exchange).map(|(place, spec)| (place, spec.clone()));
            let found = found.filter(|(_, spec)| *spec.symbol.as_str() == **symbol);
            let error = match (error, &found) {
                (Some(error), _) => Some(error.to_owned()),
                (None, None) => Some(format!("Currency pair not supported {symbol}")),
                (None, Some((place, _))) => {
                    let conn = self.conns.get(&conn);
                    let has = conn.is_some_and(|conn| match &*params.channel {
                        "book" => conn.books.contains_key(place),
                        _ => conn.tickers.contains_key(place),
                    });
                    match (subscribe, has) {
                        (true, true) => Some("Already subscribed".to_owned()),
                        (false, false) => Some("Subscription Not Found".to_owned()),
                        _ => None,
                    }
                }
            };
            let (Some((place, spec)), None) = (found, &error) else {
                let error = error.unwrap_or_default();
                let body =
                    format!("\"success\":false,\"error\":{},\"symbol\":{}", quoted(&error), quoted(symbol));
                self.send(conn, KrakenServer::answer(method, id, &body, now), now, out);
                continue;
            };
            let about = if params.channel == "book" { format!("\"depth\":{depth},") } else { String::new() };
            let body = format!(
                "\"result\":{{\"channel\":{},{about}\"snapshot\":{snapshot},\"symbol\":{}}},\"success\":true",
                quoted(&params.channel),
                quoted(symbol)
            );
            self.send(conn, KrakenServer::answer(method, id, &body, now), now, out);
            let Some(state) = self.conns.get_mut(&conn) else { return };
            match (&*params.channel, subscribe) {
                ("book", true) => {
                    let book = exchange.book(place, depth);
                    let text =
                        book_text(&spec, "snapshot", [&book.bids, &book.asks], [&book.bids, &book.asks], now);
                    state.books.insert(place, BookSub { depth, bids: book.bids, asks: book.asks });
                    self.send(conn, text, now, out);
                }
                ("book", false) => drop(state.books.remove(&place)),
                (_, true) => {
                    state.tickers.insert(place, [None, None]);
                    self.ticker(conn, place, &spec, now, exchange, snapshot.then_some("snapshot"), out);
                }
                (_, false) => drop(state.tickers.remove(&place)),
            }
        }
    }

    /// Tells those who subscribed what changed within what they have.
    pub(super) fn book_changed(
        &mut self,
        instrument: usize,
        at: Nanos,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(spec) = exchange.instruments().get(instrument).cloned() else { return };
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            let Some(state) = self.conns.get_mut(&conn) else { continue };
            if let Some(sub) = state.books.get_mut(&instrument) {
                let book = exchange.book(instrument, sub.depth);
                let bids = difference(&sub.bids, &book.bids, sub.depth, Side::Buy);
                let asks = difference(&sub.asks, &book.asks, sub.depth, Side::Sell);
                if !bids.is_empty() || !asks.is_empty() {
                    let text = book_text(&spec, "update", [&bids, &asks], [&book.bids, &book.asks], at);
                    (sub.bids, sub.asks) = (book.bids, book.asks);
                    self.send(conn, text, now, out);
                }
            }
            let ticker = self.conns.get(&conn).is_some_and(|state| state.tickers.contains_key(&instrument));
            if ticker {
                self.ticker(conn, instrument, &spec, now, exchange, Some("update"), out);
            }
        }
    }

    /// Tells the best bid and ask, where they are not what was told before.
    #[allow(clippy::too_many_arguments)]
    fn ticker(
        &mut self,
        conn: ConnId,
        instrument: usize,
        spec: &InstrumentSpec,
        now: Nanos,
        exchange: &mut dyn Exchange,
        kind: Option<&str>,
        out: &mut Vec<ServerOut>,
    ) {
        let book = exchange.book(instrument, 1);
        let best = [book.bids.first().copied(), book.asks.first().copied()];
        let state = self.conns.get_mut(&conn).and_then(|state| state.tickers.get_mut(&instrument));
        let Some(told) = state else { return };
        if std::mem::replace(told, best) == best {
            return;
        }
        let ([Some(bid), Some(ask)], Some(kind)) = (best, kind) else { return };
        let text = format!(
            "{{\"channel\":\"ticker\",\"type\":\"{kind}\",\"data\":[{{\"symbol\":{},\"bid\":{},\"bid_qty\":{},\"ask\":{},\"ask_qty\":{},\
             \"last\":{},\"volume\":0.0,\"vwap\":0.0,\"low\":0.0,\"high\":0.0,\"change\":0.0,\"change_pct\":0.0,\"timestamp\":\"{}\"}}]}}",
            quoted(spec.symbol.as_str()),
            text::price(bid.price, spec),
            text::qty(bid.qty, spec),
            text::price(ask.price, spec),
            text::qty(ask.qty, spec),
            text::price(bid.price, spec),
            text::time(book.at),
        );
        self.send(conn, text, now, out);
    }
}

/// What turns the subscriber's `old` levels into `new`, once cut to the depth: no delete is sent
/// for a level that slides out, and one that comes back in is sent again.
fn difference(old: &[Level], new: &[Level], depth: usize, side: Side) -> Vec<Level> {
    let beyond = |level: &Level| match new.last() {
        Some(last) if new.len() >= depth => match side {
            Side::Buy => level.price < last.price,
            Side::Sell => level.price > last.price,
        },
        _ => false,
    };
    let gone = old
        .iter()
        .filter(|level| !new.iter().any(|other| other.price == level.price) && !beyond(level))
        .map(|level| Level::new(level.price.0, 0));
    let set = new.iter().filter(|level| !old.contains(level)).copied();
    gone.chain(set).collect()
}

fn book_text(
    spec: &InstrumentSpec,
    kind: &str,
    told: [&[Level]; 2],
    whole: [&[Level]; 2],
    at: Nanos,
) -> String {
    let digits = Digits { price: spec.price_digits, qty: spec.qty_digits };
    let checksum = Best::of(&View { bids: whole[0], asks: whole[1] }).checksum(spec.scale, digits);
    format!(
        "{{\"channel\":\"book\",\"type\":\"{kind}\",\"data\":[{{\"symbol\":{},\"bids\":{},\"asks\":{},\"checksum\":{checksum},\"timestamp\":\"{}\"}}]}}",
        quoted(spec.symbol.as_str()),
        text::levels(told[0], spec),
        text::levels(told[1], spec),
        text::time(at),
    )
}

fn instruments(specs: &[InstrumentSpec]) -> String {
    let pairs: Vec<String> = specs
        .iter()
        .map(|spec| {
            format!(
                "{{\"symbol\":{},\"base\":\"{}\",\"quote\":\"{}\",\"status\":\"{}\",\"price_increment\":{},\"price_precision\":{},\
                 \"qty_increment\":{},\"qty_precision\":{},\"qty_min\":{},\"cost_min\":\"{}\",\"cost_precision\":5,\"marginable\":false,\"has_index\":false}}",
                quoted(spec.symbol.as_str()),
                spec.base,
                spec.quote,
                if spec.open { "online" } else { "cancel_only" },
                text::fixed(spec.tick.0, spec.scale, 0),
                spec.price_digits,
                text::fixed(spec.lot.0, spec.scale, 0),
                spec.qty_digits,
                text::fixed(spec.min_qty.0, spec.scale, 0),
                spec.min_notional,
            )
        })
        .collect();
    format!(
        "{{\"channel\":\"instrument\",\"type\":\"snapshot\",\"data\":{{\"assets\":[],\"pairs\":[{}]}}}}",
        pairs.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_slide_out_are_not_deleted() {
        let level = Level::new;
        let old = [level(10, 1), level(9, 1), level(8, 1)];
        // A better bid pushes 8 out; 9 changes.
        let new = [level(11, 1), level(10, 1), level(9, 2)];
        assert_eq!(difference(&old, &new, 3, Side::Buy), [level(11, 1), level(9, 2)]);
        // It goes again: 8 comes back, and is sent.
        assert_eq!(difference(&new, &old, 3, Side::Buy), [level(11, 0), level(9, 1), level(8, 1)]);
        // A short book deletes what is gone, wherever it was.
        assert_eq!(difference(&old, &[level(10, 1)], 3, Side::Buy), [level(9, 0), level(8, 0)]);
    }
}
