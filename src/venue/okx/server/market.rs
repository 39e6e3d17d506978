//! The public socket: who listens to which book, and what changed of it since it was last told.
//!
//! Every channel of a book goes by one count of the exchange's, so that connections can be told apart
//! by nothing, and merged; a channel's messages are linked among themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::limits::{Limits, REQUESTS, Whose};
use super::{Refused, words};
use crate::types::{InstrumentSpec, Level, Nanos};
use crate::venue::okx::decode::Channel as Depth;
use crate::venue::okx::symbol::Market;
use crate::venue::served::difference;
use crate::venue::{BookSnapshot, ConnId, Exchange, ServerOut};

/// A book that is told in updates says that it is alive after this long.
const ALIVE: Nanos = Nanos::from_secs(60);

/// What can be subscribed to here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Channel {
    Book(Depth),
    Tickers,
}

impl Channel {
    fn of(name: &str) -> Option<Channel> {
        let mut depths = Depth::ALL.into_iter();
        match name {
            "tickers" => Some(Channel::Tickers),
            _ => depths.find(|depth| depth.name() == name).map(Channel::Book),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Channel::Book(depth) => depth.name(),
            Channel::Tickers => "tickers",
        }
    }

    fn levels(self) -> usize {
        match self {
            Channel::Book(depth) => depth.depth() as usize,
            Channel::Tickers => 1,
        }
    }

    fn interval(self) -> Nanos {
        Nanos::from_millis(match self {
            Channel::Book(Depth::Best | Depth::Fast50 | Depth::Fast400) => 10,
            Channel::Book(Depth::Books | Depth::Books5) | Channel::Tickers => 100,
        })
    }

    /// True when it comes in updates, linked by numbers.
    fn is_linked(self) -> bool {
        matches!(self, Channel::Book(depth) if !depth.is_whole())
    }
}

/// A book on one channel.
type Stream = (usize, Channel);

/// A book as it was last told.
struct Told {
    seq: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
    at: Nanos,
}

/// The public streams.
pub struct Streams {
    market: Market,
    /// Numbers of books start here.
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

    /// The connection is gone, if it was one of these.
    pub fn close(&mut self, conn: ConnId) {
        self.listeners.remove(&conn);
        self.forget();
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

    /// The number of a book, on every channel and in answers.
    pub fn seq(&self, book: &BookSnapshot) -> u64 {
        self.first + book.seq
    }

    /// A message of a client; `name` is the connection's.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message and what it may touch")]
    pub fn message(
        &mut self,
        conn: ConnId,
        name: &str,
        text: &str,
        now: Nanos,
        exchange: &dyn Exchange,
        limits: &mut Limits,
        out: &mut Vec<ServerOut>,
    ) {
        let request: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let op = request.get("op").and_then(Value::as_str).unwrap_or_default();
        let id = request.get("id").and_then(Value::as_str);
        let refuse = |why: Refused| ServerOut::Text(conn, complaint(id, &why, name));
        let args = request.get("args").and_then(Value::as_array);
        let (Some(args), "subscribe" | "unsubscribe") = (args, op) else {
            return out.push(refuse(Refused::new(60_012, &format!("Invalid request: {text}"))));
        };
        if limits.take(Whose::Connection(conn), REQUESTS, now).is_err() {
            return out.push(refuse(Refused::new(60_014, "Requests too frequent")));
        }
        for arg in args {
            let stream = match stream(arg, exchange.instruments()) {
                Ok(stream) => stream,
                Err(why) => {
                    out.push(refuse(why));
                    continue;
                }
            };
            let mut answer = json!({"event": op, "arg": arg, "connId": name});
            if let Some(id) = id {
                answer["id"] = id.into();
            }
            out.push(ServerOut::Text(conn, answer.to_string()));
            let Some(own) = self.listeners.get_mut(&conn) else { continue };
            if op == "unsubscribe" {
                own.remove(&stream);
                self.forget();
            } else if !own.contains(&stream) {
                // Those who listen already are told up to now, so that one snapshot fits all.
                self.tell(stream, now, exchange, out);
                self.snapshot(stream, conn, now, exchange, out);
                if let Some(own) = self.listeners.get_mut(&conn) {
                    own.insert(stream);
                }
            }
        }
    }

    /// Tells what is due.
    pub fn tick(&mut self, now: Nanos, exchange: &dyn Exchange, out: &mut Vec<ServerOut>) {
        let due = self.told.iter().filter(|(stream, told)| now - told.at >= stream.1.interval());
        for stream in due.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.tell(stream, now, exchange, out);
        }
    }

    /// Tells all listeners of a book what changed of it, or that it lives.
    fn tell(&mut self, stream: Stream, now: Nanos, exchange: &dyn Exchange, out: &mut Vec<ServerOut>) {
        let first = self.first;
        let Some(told) = self.told.get_mut(&stream) else { return };
        let (place, channel) = stream;
        let Some(spec) = exchange.instruments().get(place) else { return };
        let book = exchange.book(place, channel.levels());
        let changed = first + book.seq != told.seq && (book.bids != told.bids || book.asks != told.asks);
        let before = told.seq;
        if !changed && (!channel.is_linked() || now - told.at < ALIVE) {
            return;
        }
        let mut news = Told { seq: before, bids: book.bids.clone(), asks: book.asks.clone(), at: now };
        if changed {
            news.seq = first + book.seq;
        }
        let text = if channel.is_linked() {
            let bids = difference(&told.bids, &news.bids);
            let asks = difference(&told.asks, &news.asks);
            depth(spec, channel, Some(("update", before as i64)), news.seq, &bids, &asks, now)
        } else {
            whole(self.market, spec, channel, &news, now)
        };
        *told = news;
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
        let (place, channel) = stream;
        let Some(spec) = exchange.instruments().get(place) else { return };
        let first = self.first;
        let told = self.told.entry(stream).or_insert_with(|| {
            let book = exchange.book(place, channel.levels());
            Told { seq: first + book.seq, bids: book.bids, asks: book.asks, at: now }
        });
        let text = if channel.is_linked() {
            depth(spec, channel, Some(("snapshot", -1)), told.seq, &told.bids, &told.asks, now)
        } else {
            whole(self.market, spec, channel, told, now)
        };
        out.push(ServerOut::Text(conn, text));
    }
}

/// An `arg` to instrument and channel.
fn stream(arg: &Value, instruments: &[InstrumentSpec]) -> Result<Stream, Refused> {
    let word = |name: &str| arg.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, symbol) = (word("channel"), word("instId"));
    let channel = Channel::of(name);
    let place = instruments.iter().position(|spec| spec.symbol.as_str() == symbol);
    match (place, channel) {
        // For accounts of high fee tiers, which none is here.
        (Some(_), Some(Channel::Book(Depth::Fast50 | Depth::Fast400))) => {
            let text = format!("You don't have access to the channel {name}, which is for higher fee tiers.");
            Err(Refused::new(64_003, &text))
        }
        (Some(place), Some(channel)) => Ok((place, channel)),
        _ => {
            let text = format!(
                "Wrong URL or channel:{name},instId:{symbol} doesn't exist. Please use the correct URL, channel \
                 and parameters referring to API document."
            );
            Err(Refused::new(60_018, &text))
        }
    }
}

/// An error on either socket.
pub fn complaint(id: Option<&str>, why: &Refused, name: &str) -> String {
    let mut answer = json!({"event": "error", "code": why.code.to_string(), "msg": why.text, "connId": name});
    if let Some(id) = id {
        answer["id"] = id.into();
    }
    answer.to_string()
}

/// A message that is the whole of what its channel shows.
fn whole(market: Market, spec: &InstrumentSpec, channel: Channel, told: &Told, now: Nanos) -> String {
    match channel {
        Channel::Book(_) => depth(spec, channel, None, told.seq, &told.bids, &told.asks, now),
        Channel::Tickers => ticker(market, spec, told, now),
    }
}

/// By hand, because the order of the fields is the venue's.
fn depth(
    spec: &InstrumentSpec,
    channel: Channel,
    link: Option<(&str, i64)>,
    seq: u64,
    bids: &[Level],
    asks: &[Level],
    now: Nanos,
) -> String {
    let (name, symbol) = (channel.name(), spec.symbol);
    let (bids, asks, ts) = (words::levels(bids, spec), words::levels(asks, spec), now.millis());
    let head = format!(r#"{{"arg":{{"channel":"{name}","instId":"{symbol}"}}"#);
    match link {
        // The checksum was retired: it is always zero.
        Some((action, before)) => format!(
            r#"{head},"action":"{action}","data":[{{"asks":{asks},"bids":{bids},"ts":"{ts}","checksum":0,"seqId":{seq},"prevSeqId":{before}}}]}}"#
        ),
        None if channel == Channel::Book(Depth::Books5) => format!(
            r#"{head},"data":[{{"asks":{asks},"bids":{bids},"instId":"{symbol}","ts":"{ts}","seqId":{seq}}}]}}"#
        ),
        None => {
            format!(r#"{head},"data":[{{"asks":{asks},"bids":{bids},"ts":"{ts}","seqId":{seq}}}]}}"#)
        }
    }
}

/// The best bid and ask among what nobody traded; an empty side is an empty text.
fn ticker(market: Market, spec: &InstrumentSpec, told: &Told, now: Nanos) -> String {
    let best = |levels: &[Level]| match levels.first() {
        Some(level) => (words::decimal(level.price.0, spec.scale), words::size(level.qty, spec)),
        None => Default::default(),
    };
    let ((bid, bid_size), (ask, ask_size)) = (best(&told.bids), best(&told.asks));
    let (kind, symbol, ts) = (market.kind(), spec.symbol, now.millis());
    format!(
        r#"{{"arg":{{"channel":"tickers","instId":"{symbol}"}},"data":[{{"instType":"{kind}","instId":"{symbol}","last":"{bid}","lastSz":"0","askPx":"{ask}","askSz":"{ask_size}","bidPx":"{bid}","bidSz":"{bid_size}","open24h":"{bid}","high24h":"{bid}","low24h":"{bid}","volCcy24h":"0","vol24h":"0","sodUtc0":"{bid}","sodUtc8":"{bid}","ts":"{ts}"}}]}}"#
    )
}
