//! The sockets: subscriptions, books, tickers, signs of life.

use serde::Deserialize;
use std::borrow::Cow;

use super::super::Product;
use super::super::sign::VERIFY;
use super::auth::{Proof, proven};
use super::{CoinbaseServer, text};
use crate::types::{InstrumentSpec, Level, Nanos};
use crate::venue::kraken::json::quoted;
use crate::venue::{ConnId, Exchange, ServerOut};

/// The channels that either product has here, as subscriptions spell them.
const CHANNELS: [&str; 7] =
    ["level2", "level2_batch", "ticker", "heartbeat", "heartbeats", "matches", "market_trades"];

/// A request over a socket, of either product.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    product_ids: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    channels: Vec<Named<'a>>,
    #[serde(borrow)]
    jwt: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    passphrase: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
}

/// A channel, with products of its own or without.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    #[serde(borrow)]
    Plain(Cow<'a, str>),
    With {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow, default)]
        product_ids: Vec<Cow<'a, str>>,
    },
}

impl CoinbaseServer {
    pub(super) fn text(
        &mut self,
        conn: ConnId,
        message: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        if !self.conns.contains_key(&conn) {
            return;
        }
        let done = match serde_json::from_str::<Request>(message) {
            Ok(request) => self.request(conn, &request, now, exchange, out),
            Err(_) => Err("Malformed JSON"),
        };
        if let Err(why) = done {
            let text = format!("{{\"type\":\"error\",\"message\":{}}}", quoted(why));
            out.push(ServerOut::Text(conn, text));
        }
    }

    fn request(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Result<(), &'static str> {
        let subscribe = match &*request.kind {
            "subscribe" => true,
            "unsubscribe" => false,
            _ => return Err("unknown message type"),
        };
        let own: Vec<&str> = request.product_ids.iter().map(|id| &**id).collect();
        let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
        match self.product {
            Product::Advanced => wanted.push((request.channel.as_deref().ok_or("channel is required")?, own)),
            Product::Exchange => {
                for channel in &request.channels {
                    wanted.push(match channel {
                        Named::Plain(name) => (name, own.clone()),
                        Named::With { name, product_ids } if product_ids.is_empty() => (name, own.clone()),
                        Named::With { name, product_ids } => {
                            (name, product_ids.iter().map(|id| &**id).collect())
                        }
                    });
                }
                if wanted.is_empty() {
                    return Err("Failed to subscribe: no channels provided");
                }
            }
        }
        for (channel, _) in &wanted {
            if *channel != "user" && !CHANNELS.contains(channel) {
                return Err("Failed to subscribe: unknown channel");
            }
            // The unbatched book of Exchange is for those who log in.
            let private = *channel == "user" || (self.product == Product::Exchange && *channel == "level2");
            let proven = private || request.jwt.is_some() || request.signature.is_some();
            if !proven {
                continue;
            }
            let account = self.login(request, now, exchange)?;
            if let (Some(state), true) = (self.conns.get_mut(&conn), *channel == "user") {
                state.user = subscribe.then_some(account);
            }
        }
        let mut snapshots = Vec::new();
        for (channel, products) in &wanted {
            let Some(&name) = CHANNELS.iter().find(|name| *name == channel) else { continue };
            let mut places = Vec::new();
            for product in products {
                let specs = exchange.instruments();
                let place = specs.iter().position(|spec| spec.symbol.as_str() == *product);
                places.push(place.ok_or("Failed to subscribe: not a valid product")?);
            }
            let Some(state) = self.conns.get_mut(&conn) else { return Ok(()) };
            if subscribe {
                state.channels.entry(name).or_default().extend(&places);
                snapshots.extend(places.iter().map(|place| (name, *place)));
            } else if let Some(set) = state.channels.get_mut(name) {
                set.retain(|place| !places.contains(place));
                if set.is_empty() {
                    state.channels.remove(name);
                }
            }
        }
        for (channel, place) in snapshots {
            match channel {
                "level2" | "level2_batch" => self.snapshot(conn, place, now, exchange, out),
                "ticker" => self.ticker(conn, place, "snapshot", now, exchange, out),
                _ => {}
            }
        }
        self.in_force(conn, now, exchange, out);
        if subscribe && wanted.iter().any(|(channel, _)| *channel == "user") {
            self.user_snapshot(conn, now, exchange, out);
        }
        Ok(())
    }

    fn login(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<crate::venue::AccountId, &'static str> {
        let key = match self.product {
            Product::Advanced => {
                let token = request.jwt.as_deref().unwrap_or("");
                self.token(token, None, now, exchange).ok_or("authentication failure")?
            }
            Product::Exchange => {
                let field = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or("").to_owned();
                let (key, signature) = (field(&request.key), field(&request.signature));
                let (timestamp, passphrase) = (field(&request.timestamp), field(&request.passphrase));
                let proof = Proof {
                    key: &key,
                    signature: &signature,
                    timestamp: &timestamp,
                    passphrase: &passphrase,
                };
                proven(&proof, &format!("GET{VERIFY}"), now, exchange).map_err(|_| "Authentication Failed")?
            }
        };
        if key.rights.read == Some(false) { Err("Authentication Failed") } else { Ok(key.account) }
    }

    /// The subscriptions of a connection, after each change of them.
    fn in_force(&mut self, conn: ConnId, now: Nanos, exchange: &dyn Exchange, out: &mut Vec<ServerOut>) {
        let Some(state) = self.conns.get(&conn) else { return };
        let specs = exchange.instruments();
        let names = |places: &std::collections::BTreeSet<usize>| {
            let names: Vec<String> = places
                .iter()
                .filter_map(|place| specs.get(*place))
                .map(|spec| quoted(spec.symbol.as_str()))
                .collect();
            names.join(",")
        };
        let user = state.user.is_some();
        let body = match self.product {
            Product::Advanced => {
                let mut rows: Vec<String> = state
                    .channels
                    .iter()
                    .map(|(name, places)| match *name {
                        "heartbeats" => "\"heartbeats\":[\"heartbeats\"]".to_owned(),
                        name => format!("\"{name}\":[{}]", names(places)),
                    })
                    .collect();
                rows.extend(user.then(|| "\"user\":[\"sim\"]".to_owned()));
                format!("{{\"subscriptions\":{{{}}}}}", rows.join(","))
            }
            Product::Exchange => {
                let row = |name: &str, names: String| {
                    format!("{{\"name\":\"{name}\",\"product_ids\":[{names}],\"account_ids\":null}}")
                };
                let mut rows: Vec<String> =
                    state.channels.iter().map(|(name, places)| row(name, names(places))).collect();
                rows.extend(user.then(|| row("user", String::new())));
                format!("{{\"type\":\"subscriptions\",\"channels\":[{}]}}", rows.join(","))
            }
        };
        self.send(conn, "subscriptions", &body, now, out);
    }

    fn snapshot(
        &mut self,
        conn: ConnId,
        place: usize,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let book = exchange.book(place, usize::MAX);
        let Some(spec) = exchange.instruments().get(place) else { return };
        let body = match self.product {
            Product::Advanced => advanced_book("snapshot", spec, &book.bids, &book.asks, book.at),
            Product::Exchange => format!(
                "{{\"type\":\"snapshot\",\"product_id\":{},\"asks\":[{}],\"bids\":[{}],\"time\":\"{}\"}}",
                quoted(spec.symbol.as_str()),
                pairs(&book.asks, spec),
                pairs(&book.bids, spec),
                now.rfc3339(6),
            ),
        };
        self.send(conn, "l2_data", &body, now, out);
    }

    /// Tells those who subscribed what changed.
    #[expect(clippy::too_many_arguments, reason = "the fields of one event")]
    pub(super) fn book_changed(
        &mut self,
        place: usize,
        at: Nanos,
        bids: &[Level],
        asks: &[Level],
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(spec) = exchange.instruments().get(place).cloned() else { return };
        let body = match self.product {
            Product::Advanced => advanced_book("update", &spec, bids, asks, at),
            Product::Exchange => {
                let change = |side: &str, level: &Level| {
                    let (price, qty) = (text::price(level.price, &spec), text::qty(level.qty, &spec));
                    format!("[\"{side}\",\"{price}\",\"{qty}\"]")
                };
                let bids = bids.iter().map(|level| change("buy", level));
                let all: Vec<String> = bids.chain(asks.iter().map(|level| change("sell", level))).collect();
                format!(
                    "{{\"type\":\"l2update\",\"product_id\":{},\"changes\":[{}],\"time\":\"{}\"}}",
                    quoted(spec.symbol.as_str()),
                    all.join(","),
                    at.rfc3339(6)
                )
            }
        };
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            let Some(state) = self.conns.get(&conn) else { continue };
            let has = |channel| state.channels.get(channel).is_some_and(|set| set.contains(&place));
            let (book, ticker) = (has("level2") || has("level2_batch"), has("ticker"));
            if book {
                self.send(conn, "l2_data", &body, now, out);
            }
            if ticker {
                self.ticker(conn, place, "update", now, exchange, out);
            }
        }
    }

    fn ticker(
        &mut self,
        conn: ConnId,
        place: usize,
        kind: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let book = exchange.book(place, 1);
        let Some(spec) = exchange.instruments().get(place) else { return };
        let (Some(bid), Some(ask)) = (book.bids.first(), book.asks.first()) else { return };
        let (name, last) = (quoted(spec.symbol.as_str()), text::price(bid.price, spec));
        let (bid, bid_qty) = (text::price(bid.price, spec), text::qty(bid.qty, spec));
        let (ask, ask_qty) = (text::price(ask.price, spec), text::qty(ask.qty, spec));
        let body = match self.product {
            Product::Advanced => format!(
                "{{\"type\":\"{kind}\",\"tickers\":[{{\"type\":\"ticker\",\"product_id\":{name},\"price\":\"{last}\",\"volume_24_h\":\"0\",\"low_24_h\":\"0\",\
                 \"high_24_h\":\"0\",\"low_52_w\":\"0\",\"high_52_w\":\"0\",\"price_percent_chg_24_h\":\"0\",\"best_bid\":\"{bid}\",\"best_ask\":\"{ask}\",\
                 \"best_bid_quantity\":\"{bid_qty}\",\"best_ask_quantity\":\"{ask_qty}\"}}]}}"
            ),
            Product::Exchange => format!(
                "{{\"type\":\"ticker\",\"sequence\":{},\"product_id\":{name},\"price\":\"{last}\",\"open_24h\":\"0\",\"volume_24h\":\"0\",\"low_24h\":\"0\",\
                 \"high_24h\":\"0\",\"volume_30d\":\"0\",\"best_bid\":\"{bid}\",\"best_bid_size\":\"{bid_qty}\",\"best_ask\":\"{ask}\",\"best_ask_size\":\"{ask_qty}\",\
                 \"side\":\"buy\",\"time\":\"{}\",\"trade_id\":1,\"last_size\":\"0\"}}",
                book.seq,
                book.at.rfc3339(6)
            ),
        };
        self.send(conn, "ticker", &body, now, out);
    }

    /// Signs of life, once a second: of the connection, or of each product.
    pub(super) fn beat(
        &mut self,
        conn: ConnId,
        beats: u64,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(state) = self.conns.get(&conn) else { return };
        match self.product {
            Product::Advanced if state.channels.contains_key("heartbeats") => {
                let body =
                    format!("{{\"current_time\":\"{}\",\"heartbeat_counter\":{beats}}}", now.rfc3339(9));
                self.send(conn, "heartbeats", &body, now, out);
            }
            Product::Advanced => {}
            Product::Exchange => {
                let places = state.channels.get("heartbeat").cloned().unwrap_or_default();
                for place in places {
                    let seq = exchange.book(place, 0).seq;
                    let Some(spec) = exchange.instruments().get(place) else { continue };
                    let body = format!(
                        "{{\"type\":\"heartbeat\",\"sequence\":{seq},\"last_trade_id\":1,\"product_id\":{},\"time\":\"{}\"}}",
                        quoted(spec.symbol.as_str()),
                        now.rfc3339(6)
                    );
                    self.send(conn, "heartbeat", &body, now, out);
                }
            }
        }
    }
}

/// Levels as pairs.
pub fn pairs(levels: &[Level], spec: &InstrumentSpec) -> String {
    let rows: Vec<String> = levels
        .iter()
        .map(|level| format!("[\"{}\",\"{}\"]", text::price(level.price, spec), text::qty(level.qty, spec)))
        .collect();
    rows.join(",")
}

fn advanced_book(kind: &str, spec: &InstrumentSpec, bids: &[Level], asks: &[Level], at: Nanos) -> String {
    let at = at.rfc3339(6);
    let row = |side: &str, level: &Level| {
        format!(
            "{{\"side\":\"{side}\",\"event_time\":\"{at}\",\"price_level\":\"{}\",\"new_quantity\":\"{}\"}}",
            text::price(level.price, spec),
            text::qty(level.qty, spec)
        )
    };
    let bids = bids.iter().map(|level| row("bid", level));
    let rows: Vec<String> = bids.chain(asks.iter().map(|level| row("offer", level))).collect();
    format!(
        "{{\"type\":\"{kind}\",\"product_id\":{},\"updates\":[{}]}}",
        quoted(spec.symbol.as_str()),
        rows.join(",")
    )
}
