//! Public streams: who listens to which book, and what changed of it since it was last told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::words;
use crate::types::{InstrumentSpec, Level, Nanos};
use crate::venue::bybit::symbol::Market;
use crate::venue::served::difference;
use crate::venue::{BookSnapshot, ConnId, Exchange, ServerOut};

/// Depths with their intervals.
const DEPTHS: [(u32, Nanos); 4] = [
    (1, Nanos::from_millis(10)),
    (50, Nanos::from_millis(20)),
    (200, Nanos::from_millis(100)),
    (1_000, Nanos::from_millis(200)),
];
/// Depth 1 is told again after this long without a change.
const AGAIN: Nanos = Nanos::from_secs(3);
/// Topics of one request in spot.
const MAX_ARGS: usize = 10;

/// A book at one depth.
type Stream = (usize, u32);

/// A book as it was last told.
struct Told {
    update: u64,
    seq: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
    at: Nanos,
}

/// The public streams of one market.
pub struct Streams {
    market: Market,
    /// Update ids start here: never at 1, which means a restart.
    first: u64,
    listeners: BTreeMap<ConnId, BTreeSet<Stream>>,
    told: BTreeMap<Stream, Told>,
}

impl Streams {
    /// No listeners yet.
    pub fn new(market: Market, seed: u64) -> Streams {
        let first = 1_000 + seed % 1_000_000;
        Streams { market, first, listeners: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// A connection for public data.
    pub fn open(&mut self, conn: ConnId) {
        self.listeners.insert(conn, BTreeSet::new());
    }

    /// The connection is gone; false when it was none of these.
    pub fn close(&mut self, conn: ConnId) -> bool {
        let was = self.listeners.remove(&conn).is_some();
        self.forget();
        was
    }

    /// True when the connection is one of these.
    pub fn has(&self, conn: ConnId) -> bool {
        self.listeners.contains_key(&conn)
    }

    /// Forgets books that nobody listens to.
    fn forget(&mut self) {
        let listeners = &self.listeners;
        self.told.retain(|stream, _| listeners.values().any(|streams| streams.contains(stream)));
    }

    /// A message of a client.
    pub fn message(
        &mut self,
        conn: ConnId,
        text: &str,
        now: Nanos,
        exchange: &dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let request: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let op = request.get("op").and_then(Value::as_str).unwrap_or_default();
        let id = request.get("req_id").and_then(Value::as_str);
        if op == "ping" {
            return out.push(ServerOut::Text(conn, self.answer(true, "pong", id, op)));
        }
        let args = request.get("args").and_then(Value::as_array);
        let args: Option<Vec<&str>> = args.and_then(|args| args.iter().map(Value::as_str).collect());
        let (Some(args), "subscribe" | "unsubscribe") = (args, op) else {
            return out.push(ServerOut::Text(conn, self.answer(false, "error:invalid request", id, op)));
        };
        if self.market == Market::Spot && args.len() > MAX_ARGS {
            return out.push(ServerOut::Text(conn, self.answer(false, "args size >10", id, op)));
        }
        let mut streams = Vec::new();
        for topic in &args {
            match stream(topic, exchange.instruments()) {
                Some(stream) => streams.push(stream),
                None => {
                    let why = format!("error:handler not found,topic:{topic}");
                    return out.push(ServerOut::Text(conn, self.answer(false, &why, id, op)));
                }
            }
        }
        let granted = if self.market == Market::Spot { "subscribe" } else { "" };
        out.push(ServerOut::Text(conn, self.answer(true, granted, id, op)));
        for stream in streams {
            let Some(own) = self.listeners.get_mut(&conn) else { continue };
            if op == "unsubscribe" {
                own.remove(&stream);
            } else if !own.contains(&stream) {
                // Those who listen already are told up to now, so that one snapshot fits all.
                self.tell(stream, now, exchange, out);
                self.snapshot(stream, conn, now, exchange, out);
                if let Some(own) = self.listeners.get_mut(&conn) {
                    own.insert(stream);
                }
            }
        }
        self.forget();
    }

    /// Spot leaves the request's id out of pongs.
    fn answer(&self, success: bool, text: &str, id: Option<&str>, op: &str) -> String {
        let (text, op_text) = (Value::from(text), Value::from(op));
        let id = match id {
            Some(id) if self.market != Market::Spot || op != "ping" => {
                format!(",\"req_id\":{}", Value::from(id))
            }
            _ => String::new(),
        };
        format!(r#"{{"success":{success},"ret_msg":{text},"conn_id":"sim"{id},"op":{op_text}}}"#)
    }

    /// Tells what is due.
    pub fn tick(&mut self, now: Nanos, exchange: &dyn Exchange, out: &mut Vec<ServerOut>) {
        let due: Vec<Stream> = self
            .told
            .iter()
            .filter(|(stream, told)| {
                let interval =
                    DEPTHS.iter().find(|(depth, _)| *depth == stream.1).map_or(Nanos::ZERO, |row| row.1);
                now - told.at >= interval
            })
            .map(|(stream, _)| *stream)
            .collect();
        for stream in due {
            self.tell(stream, now, exchange, out);
        }
    }

    /// Tells all listeners of a book what changed of it.
    fn tell(&mut self, stream: Stream, now: Nanos, exchange: &dyn Exchange, out: &mut Vec<ServerOut>) {
        let Some(told) = self.told.get_mut(&stream) else { return };
        let Some(spec) = exchange.instruments().get(stream.0) else { return };
        let book = exchange.book(stream.0, stream.1 as usize);
        let changed = book.seq != told.seq && (book.bids != told.bids || book.asks != told.asks);
        if !changed {
            if stream.1 != 1 || now - told.at < AGAIN {
                return;
            }
        } else {
            told.update += 1;
        }
        let depth_one = stream.1 == 1;
        let (bids, asks) = if depth_one {
            (book.bids.clone(), book.asks.clone())
        } else {
            (difference(&told.bids, &book.bids), difference(&told.asks, &book.asks))
        };
        *told = Told {
            update: told.update,
            seq: book.seq,
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            at: now,
        };
        let levels = (&bids[..], &asks[..]);
        let text = message(self.market, stream.1, spec, depth_one, told.update, &book, levels, now);
        for (conn, streams) in &self.listeners {
            if streams.contains(&stream) {
                out.push(ServerOut::Text(*conn, text.clone()));
            }
        }
    }

    /// Tells one listener the whole book.
    fn snapshot(
        &mut self,
        stream: Stream,
        conn: ConnId,
        now: Nanos,
        exchange: &dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) {
        let Some(spec) = exchange.instruments().get(stream.0) else { return };
        let book = exchange.book(stream.0, stream.1 as usize);
        let first = self.first;
        let told = self.told.entry(stream).or_insert_with(|| Told {
            update: first,
            seq: book.seq,
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            at: now,
        });
        let levels = (&told.bids[..], &told.asks[..]);
        let text = message(self.market, stream.1, spec, true, told.update, &book, levels, now);
        out.push(ServerOut::Text(conn, text));
    }
}

/// `orderbook.200.BTCUSDT` to instrument and depth.
fn stream(topic: &str, instruments: &[InstrumentSpec]) -> Option<Stream> {
    let (depth, symbol) = topic.strip_prefix("orderbook.")?.split_once('.')?;
    let depth = DEPTHS.iter().map(|(depth, _)| *depth).find(|own| own.to_string() == depth)?;
    Some((instruments.iter().position(|spec| spec.symbol.as_str() == symbol)?, depth))
}

/// By hand, because the order of the fields is the venue's: it differs by market and depth.
#[expect(clippy::too_many_arguments, reason = "the fields of one message")]
fn message(
    market: Market,
    depth: u32,
    spec: &InstrumentSpec,
    snapshot: bool,
    update: u64,
    book: &BookSnapshot,
    (bids, asks): (&[Level], &[Level]),
    now: Nanos,
) -> String {
    let kind = if snapshot { "snapshot" } else { "delta" };
    let (symbol, ts, cts, seq) = (spec.symbol, now.millis(), book.at.millis(), book.seq);
    let head = if market == Market::Spot || depth == 1 {
        format!(r#""ts":{ts},"type":"{kind}""#)
    } else {
        format!(r#""type":"{kind}","ts":{ts}"#)
    };
    let (bids, asks) = (words::levels(bids, spec.scale), words::levels(asks, spec.scale));
    format!(
        r#"{{"topic":"orderbook.{depth}.{symbol}",{head},"data":{{"s":"{symbol}","b":{bids},"a":{asks},"u":{update},"seq":{seq}}},"cts":{cts}}}"#
    )
}
