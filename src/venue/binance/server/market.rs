//! Market streams: who listens to what, and the depth changes gathered for them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::futures_words::pair;
use super::words;
use crate::types::{InstrumentSpec, Level, Nanos};
use crate::venue::binance::desk::Desk;
use crate::venue::binance::sbe::Written;
use crate::venue::binance::symbol::{Market, stream_name};
use crate::venue::{BookSnapshot, ConnId, ServerOut};

/// A stream of one symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// Depth changes gathered for so many ms; zero = each as it happens.
    Depth(u32),
    /// Best bid and ask as they change.
    Ticker,
}

/// Messages a second that a connection may send.
const MESSAGES_PER_SECOND: u32 = 5;
/// Streams that a connection may have.
const MAX_STREAMS: usize = 1_024;

/// A connection for market data.
pub struct Listener {
    market: Market,
    /// Market data goes out in SBE; the rest is text.
    sbe: bool,
    /// Wrapped in the stream's name.
    combined: bool,
    /// Names as they were asked for; unknown ones are accepted and stay silent.
    names: BTreeSet<String>,
    /// The known ones: instrument and stream, with the name they go by.
    streams: BTreeMap<(usize, Stream), String>,
    second: i64,
    messages: u32,
}

impl Listener {
    /// A connection opened at `target`; `None` when that is not a place for market data.
    pub fn open(desk: &Desk, sbe: bool, target: &str, instruments: &[InstrumentSpec]) -> Option<Listener> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (market, path) = (desk.market, path.strip_prefix(desk.stream_paths[0])?);
        let combined = path == "/stream";
        if !combined && path != "/ws" && !path.starts_with("/ws/") {
            return None;
        }
        let names = if combined {
            query.split('&').find_map(|part| part.strip_prefix("streams=")).unwrap_or("")
        } else {
            path.strip_prefix("/ws/").unwrap_or("")
        };
        let mut listener = Listener {
            market,
            sbe,
            combined,
            names: BTreeSet::new(),
            streams: BTreeMap::new(),
            second: 0,
            messages: 0,
        };
        for name in names.split('/').filter(|name| !name.is_empty()) {
            listener.subscribe(name, instruments);
        }
        Some(listener)
    }

    fn subscribe(&mut self, name: &str, instruments: &[InstrumentSpec]) {
        self.names.insert(name.to_owned());
        if let Some(key) = parse_name(self.market, self.sbe, name, instruments) {
            self.streams.insert(key, name.to_owned());
        }
    }

    fn unsubscribe(&mut self, name: &str, instruments: &[InstrumentSpec]) {
        self.names.remove(name);
        if let Some(key) = parse_name(self.market, self.sbe, name, instruments) {
            self.streams.remove(&key);
        }
    }

    /// A message of the client; `None` = it sends too many, cut it off.
    pub fn message(&mut self, text: &str, instruments: &[InstrumentSpec], now: Nanos) -> Option<String> {
        let second = now.millis().div_euclid(1_000);
        if second != self.second {
            (self.second, self.messages) = (second, 0);
        }
        self.messages += 1;
        if self.messages > MESSAGES_PER_SECOND {
            return None;
        }
        let refused = |code: i64, what: &str, id: Value| {
            json!({"error": {"code": code, "msg": format!("Invalid request: {what}")}, "id": id}).to_string()
        };
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return Some(json!({"error": {"code": 3, "msg": "Invalid JSON"}}).to_string());
        };
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let names: Option<Vec<&str>> = request
            .get("params")
            .and_then(Value::as_array)
            .and_then(|a| a.iter().map(Value::as_str).collect());
        let result = match (request.get("method").and_then(Value::as_str), names) {
            (Some("SUBSCRIBE"), Some(names)) => {
                if self.names.len() + names.len() > MAX_STREAMS {
                    return Some(refused(2, "too many streams", id));
                }
                names.iter().for_each(|name| self.subscribe(name, instruments));
                Value::Null
            }
            (Some("UNSUBSCRIBE"), Some(names)) => {
                names.iter().for_each(|name| self.unsubscribe(name, instruments));
                Value::Null
            }
            (Some("LIST_SUBSCRIPTIONS"), _) => self.names.iter().cloned().collect(),
            (Some("SUBSCRIBE" | "UNSUBSCRIBE"), None) => {
                return Some(refused(2, "`params` must be an array of texts", id));
            }
            _ => return Some(refused(2, "unknown method", id)),
        };
        Some(json!({"result": result, "id": id}).to_string())
    }

    /// An event as this connection gets it.
    pub fn wrapped(&self, name: &str, event: &str) -> String {
        match self.combined {
            true => format!(r#"{{"stream":{},"data":{event}}}"#, Value::from(name)),
            false => event.to_owned(),
        }
    }
}

/// Sends an event to those who listen to that stream, each in its encoding, which is made when the
/// first asks for it.
fn tell(
    listeners: &BTreeMap<ConnId, Listener>,
    key: (usize, Stream),
    json: impl Fn() -> String,
    sbe: impl Fn() -> Vec<u8>,
    out: &mut Vec<ServerOut>,
) {
    let (mut text, mut bytes) = (None, None);
    for (conn, listener) in listeners {
        let Some(name) = listener.streams.get(&key) else { continue };
        out.push(if listener.sbe {
            ServerOut::Binary(*conn, bytes.get_or_insert_with(&sbe).clone())
        } else {
            ServerOut::Text(*conn, listener.wrapped(name, text.get_or_insert_with(&json)))
        });
    }
}

/// `btcusdt@depth@100ms` to instrument and stream.
fn parse_name(
    market: Market,
    sbe: bool,
    name: &str,
    instruments: &[InstrumentSpec],
) -> Option<(usize, Stream)> {
    let (symbol, stream) = name.split_once('@')?;
    let at = instruments.iter().position(|spec| stream_name(spec.symbol.as_str()) == symbol)?;
    let stream = match stream {
        "bestBidAsk" if sbe => Stream::Ticker,
        "depth" if sbe => Stream::Depth(20),
        _ if sbe => return None,
        "bookTicker" => Stream::Ticker,
        "depth" | "depth@1000ms" if market == Market::Spot => Stream::Depth(1_000),
        "depth" => Stream::Depth(250),
        "depth@500ms" if market != Market::Spot => Stream::Depth(500),
        "depth@100ms" => Stream::Depth(100),
        "depth@0ms" => Stream::Depth(0),
        _ => return None,
    };
    Some((at, stream))
}

/// Changes of one book that wait to be told.
#[derive(Default)]
struct Gathered {
    first: Option<u64>,
    last: u64,
    levels: [BTreeMap<i64, i64>; 2],
    told_at: i64,
}

/// What was gathered, by instrument and interval, and the last best bid and ask told.
pub struct Gathering {
    market: Market,
    intervals: &'static [u32],
    waiting: BTreeMap<(usize, u32), Gathered>,
    tops: BTreeMap<usize, (Option<Level>, Option<Level>)>,
}

/// Intervals of gathered streams.
const SPOT_INTERVALS: [u32; 3] = [20, 100, 1_000];
const FUTURES_INTERVALS: [u32; 3] = [100, 250, 500];

impl Gathering {
    /// Nothing gathered yet.
    pub fn new(market: Market) -> Gathering {
        let intervals = if market == Market::Spot { &SPOT_INTERVALS[..] } else { &FUTURES_INTERVALS[..] };
        Gathering { market, intervals, waiting: BTreeMap::new(), tops: BTreeMap::new() }
    }

    /// A change of a book: told at once to those who want that, gathered for the others. What nobody
    /// listens to is not gathered: whoever subscribes later starts from a snapshot taken after it.
    #[expect(clippy::too_many_arguments, reason = "the fields of one change")]
    pub fn change(
        &mut self,
        at: usize,
        spec: &InstrumentSpec,
        seq: u64,
        sides: [&[Level]; 2],
        book: &BookSnapshot,
        now: Nanos,
        listeners: &BTreeMap<ConnId, Listener>,
        out: &mut Vec<ServerOut>,
    ) {
        for interval in self.intervals {
            let gathered = self.waiting.entry((at, *interval)).or_default();
            let key = (at, Stream::Depth(*interval));
            if !listeners.values().any(|listener| listener.streams.contains_key(&key)) {
                continue;
            }
            gathered.first.get_or_insert(seq);
            gathered.last = seq;
            for (side, levels) in gathered.levels.iter_mut().zip(sides) {
                side.extend(levels.iter().map(|level| (level.price.0, level.qty.0)));
            }
        }
        let json = || depth_update(self.market, spec, (seq, seq), sides[0], sides[1], now);
        let sbe = || Written::depth(spec.symbol.as_str(), spec.scale, now.micros(), (seq, seq), sides);
        tell(listeners, (at, Stream::Depth(0)), json, sbe, out);
        let top = (book.bids.first().copied(), book.asks.first().copied());
        if self.tops.insert(at, top) != Some(top) {
            let json = || ticker(self.market, spec, book.seq, top, now);
            let sbe = || {
                let [bid, ask] = [top.0, top.1].map(Option::unwrap_or_default);
                Written::best(spec.symbol.as_str(), spec.scale, now.micros(), book.seq, bid, ask)
            };
            tell(listeners, (at, Stream::Ticker), json, sbe, out);
        }
    }

    /// Tells what was gathered, at the end of each interval.
    pub fn tick(
        &mut self,
        instruments: &[InstrumentSpec],
        now: Nanos,
        listeners: &BTreeMap<ConnId, Listener>,
        out: &mut Vec<ServerOut>,
    ) {
        for ((at, interval), gathered) in &mut self.waiting {
            let period = now.millis().div_euclid(i64::from(*interval));
            if period == gathered.told_at {
                continue;
            }
            gathered.told_at = period;
            let (Some(first), Some(spec)) = (gathered.first.take(), instruments.get(*at)) else { continue };
            let [bids, asks] = std::mem::take(&mut gathered.levels);
            let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
            let bids: Vec<Level> = bids.iter().rev().map(level).collect();
            let asks: Vec<Level> = asks.iter().map(level).collect();
            let ids = (first, gathered.last);
            let json = || depth_update(self.market, spec, ids, &bids, &asks, now);
            let sbe = || Written::depth(spec.symbol.as_str(), spec.scale, now.micros(), ids, [&bids, &asks]);
            tell(listeners, (*at, Stream::Depth(*interval)), json, sbe, out);
        }
    }
}

fn depth_update(
    market: Market,
    spec: &InstrumentSpec,
    (first, last): (u64, u64),
    bids: &[Level],
    asks: &[Level],
    now: Nanos,
) -> String {
    // By hand, because the order of the fields is the venue's.
    let (bids, asks) = (words::levels(bids, spec.scale), words::levels(asks, spec.scale));
    let symbol = Value::from(spec.symbol.as_str());
    let time = now.millis();
    if market != Market::Spot {
        // Every change is in some update, so the one before ended where this one begins.
        let (before, pair) = (first.saturating_sub(1), of_pair(market, spec));
        return format!(
            r#"{{"e":"depthUpdate","E":{time},"T":{time},"s":{symbol},{pair}"U":{first},"u":{last},"pu":{before},"b":{bids},"a":{asks}}}"#
        );
    }
    format!(r#"{{"e":"depthUpdate","E":{time},"s":{symbol},"U":{first},"u":{last},"b":{bids},"a":{asks}}}"#)
}

/// What COIN-M adds to a symbol.
fn of_pair(market: Market, spec: &InstrumentSpec) -> String {
    match market {
        Market::CoinM => format!(r#""ps":{},"#, Value::from(pair(spec))),
        Market::Spot | Market::UsdM => String::new(),
    }
}

fn ticker(
    market: Market,
    spec: &InstrumentSpec,
    seq: u64,
    top: (Option<Level>, Option<Level>),
    now: Nanos,
) -> String {
    let side = |level: Option<Level>| {
        let level = level.unwrap_or_default();
        (words::decimal(level.price.0, spec.scale), words::decimal(level.qty.0, spec.scale))
    };
    let ((bid, bid_qty), (ask, ask_qty)) = (side(top.0), side(top.1));
    let symbol = Value::from(spec.symbol.as_str());
    if market != Market::Spot {
        let (time, pair) = (now.millis(), of_pair(market, spec));
        return format!(
            r#"{{"e":"bookTicker","u":{seq},"s":{symbol},{pair}"b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}","T":{time},"E":{time}}}"#
        );
    }
    format!(r#"{{"u":{seq},"s":{symbol},"b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}"}}"#)
}
