//! Coinbase's own end of the wire, for simulated exchanges: sockets and REST of either product, over
//! any [`Exchange`].
//!
//! What the venue checks is checked, and refused in its own words: tokens with their signature, time,
//! path and single use; signatures with time and passphrase; rights, addresses, limits.

mod advanced;
mod auth;
mod exchange;
mod market;
mod text;
mod user;

use std::collections::{BTreeMap, BTreeSet};

use self::auth::Bucket;
use super::Product;
use crate::types::{Nanos, Qty};
use crate::venue::{AccountId, ConnId, Event, Exchange, Server, ServerInput, ServerOut};

/// Signs of life come this often.
const HEARTBEAT: Nanos = Nanos::from_secs(1);
/// A connection without a subscription is closed after this long.
const IDLE: Nanos = Nanos::from_secs(5);

/// The server's state.
pub struct CoinbaseServer {
    product: Product,
    rng: oorandom::Rand64,
    conns: BTreeMap<ConnId, Conn>,
    /// Nonces of tokens, and when they may be forgotten.
    nonces: BTreeMap<String, Nanos>,
    limits: BTreeMap<AccountId, Bucket>,
    /// Orders that came to rest, with what was filled of them by then: to be told once that is.
    resting: BTreeMap<u64, Qty>,
}

struct Conn {
    opened: Nanos,
    /// Number of the next message (Advanced Trade).
    sequence: u64,
    /// Subscriptions by channel: products by their places. Those without products are empty sets.
    channels: BTreeMap<&'static str, BTreeSet<usize>>,
    /// Whose orders it is told.
    user: Option<AccountId>,
    last_beat: Nanos,
    beats: u64,
}

impl CoinbaseServer {
    /// A server of one product.
    pub fn new(product: Product, seed: u64) -> CoinbaseServer {
        CoinbaseServer {
            product,
            rng: oorandom::Rand64::new(u128::from(seed)),
            conns: BTreeMap::new(),
            nonces: BTreeMap::new(),
            limits: BTreeMap::new(),
            resting: BTreeMap::new(),
        }
    }

    /// Sends a message of a channel: for Advanced Trade in its wrapper, numbered.
    fn send(&mut self, conn: ConnId, channel: &str, body: &str, now: Nanos, out: &mut Vec<ServerOut>) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        out.push(ServerOut::Text(
            conn,
            match self.product {
                Product::Advanced => {
                    let number = state.sequence;
                    state.sequence += 1;
                    format!(
                        "{{\"channel\":\"{channel}\",\"client_id\":\"\",\"timestamp\":\"{}\",\"sequence_num\":{number},\"events\":[{body}]}}",
                        now.rfc3339(9)
                    )
                }
                Product::Exchange => body.to_owned(),
            },
        ));
    }

    fn tick(&mut self, now: Nanos, exchange: &mut dyn Exchange, out: &mut Vec<ServerOut>) {
        self.nonces.retain(|_, until| *until > now);
        let due: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, conn)| now - conn.last_beat >= HEARTBEAT)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            conn.last_beat = now;
            conn.beats += 1;
            let beats = conn.beats;
            if conn.channels.is_empty() && conn.user.is_none() {
                if now - conn.opened >= IDLE {
                    out.push(ServerOut::Close(id));
                }
                continue;
            }
            self.beat(id, beats, now, exchange, out);
        }
    }
}

impl Server for CoinbaseServer {
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        match input {
            ServerInput::Opened { conn, .. } => {
                let state = Conn {
                    opened: now,
                    sequence: 0,
                    channels: BTreeMap::new(),
                    user: None,
                    last_beat: now,
                    beats: 0,
                };
                self.conns.insert(conn, state);
            }
            ServerInput::Closed(conn) => drop(self.conns.remove(&conn)),
            ServerInput::Text(conn, text) => self.text(conn, text, now, exchange, out),
            ServerInput::Request { id, method, target, headers, body, peer } => {
                let request = auth::Request { method, target, headers, body, peer };
                let (status, headers, body) = match self.product {
                    Product::Advanced => self.advanced(&request, now, exchange),
                    Product::Exchange => self.exchange(&request, now, exchange),
                };
                let mut all = vec![("content-type".to_owned(), "application/json".to_owned())];
                all.extend(headers);
                out.push(ServerOut::Response { id, status, headers: all, body });
            }
            ServerInput::Event(event) => match event {
                Event::Book { instrument, at, bids, asks, .. } => {
                    self.book_changed(*instrument, *at, bids, asks, now, exchange, out);
                }
                Event::Order { view, change } => self.order_changed(view, change, now, exchange, out),
                // The account is told of orders; balances are asked for.
                Event::Balance { .. } | Event::Position { .. } => {}
            },
            ServerInput::Tick => self.tick(now, exchange, out),
        }
    }
}
