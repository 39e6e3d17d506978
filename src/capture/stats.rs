//! What a capture is like: how much comes over each stream, how late, and how often the books of one
//! instrument cross each other between venues.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::View;
use super::replay::{Observer, Seen};
use crate::book::Trust;
use crate::types::{Fixed, Level, Nanos, Scale, Side, Symbol};
use crate::venue::{ChangeKind, Venue, stream_name};

/// One stream of a venue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StreamStats {
    /// Whose.
    pub venue: &'static str,
    /// The stream, without its symbol.
    pub stream: String,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From the first to the last.
    pub span_ns: i64,
    /// Messages in a second, on average; `None` for less than a second of them, which tells no rate.
    pub messages_per_s: Option<u64>,
    /// Most messages within one second of the clock.
    pub peak_per_s: u64,
    /// Longest time without one.
    pub silence_max_ns: i64,
    /// Receive time minus the venue's stamp, of messages that changed a book at once; left out where
    /// those have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
}

/// Receive times minus the venue's stamps. The clocks may differ: the venue's clock is at least
/// `clock_offset_ns` ahead of the recorder's, so that the fastest message took no time at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Delay {
    /// Stamps seen.
    pub count: u64,
    /// The least.
    pub min_ns: i64,
    /// Half of them are not above.
    pub p50_ns: i64,
    /// All but one of a hundred are not above.
    pub p99_ns: i64,
    /// The most.
    pub max_ns: i64,
    /// The median above the fastest message of the venue, whatever the clocks.
    pub p50_above_fastest_ns: i64,
    /// The 99th percentile above it.
    pub p99_above_fastest_ns: i64,
}

/// Two books of one instrument.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CrossingStats {
    /// `venue symbol` of the first.
    pub a: String,
    /// Of the second.
    pub b: String,
    /// How long both had a bid and an ask.
    pub both_ns: i64,
    /// Joint states in that time: changes of either one's best prices.
    pub states: u64,
    /// The bid of `a` above the ask of `b`.
    pub a_over_b: Crossing,
    /// The bid of `b` above the ask of `a`.
    pub b_over_a: Crossing,
    /// Middle of `a` over the middle of `b`, averaged over time, in bps.
    pub mid_bps_mean: String,
}

/// One direction of a crossing, before any fee.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Crossing {
    /// For how long.
    pub crossed_ns: i64,
    /// How many times it began.
    pub episodes: u64,
    /// The longest of them.
    pub longest_ns: i64,
    /// The widest, in bps of the price paid.
    pub widest_bps: String,
}

/// Everything that was found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Stats {
    /// By venue and stream.
    pub streams: Vec<StreamStats>,
    /// The venue's clock minus the recorder's, at least; where stamps tell.
    pub clock_offset_ns: BTreeMap<&'static str, i64>,
    /// By instrument and books.
    pub crossings: Vec<CrossingStats>,
}

/// Gathers statistics as it looks on a replay. Memory does not grow with the capture.
#[derive(Default)]
pub struct Gather {
    streams: BTreeMap<(&'static str, String), Stream>,
    /// The stream of the message at hand.
    current: Option<(&'static str, String)>,
    books: Vec<Touch>,
    pairs: Vec<Pair>,
}

#[derive(Default)]
struct Stream {
    messages: u64,
    bytes: u64,
    first: Option<Nanos>,
    last: Nanos,
    silence: Nanos,
    /// The second at hand, its messages so far, and the most of any.
    second: (i64, u64, u64),
    delays: Sample,
}

/// Values of which percentiles are wanted: all of them, then every second one, every fourth, ….
#[derive(Default)]
struct Sample {
    kept: Vec<i64>,
    /// One of so many is kept, as a power of two.
    every: u32,
    count: u64,
    min: i64,
    max: i64,
}

/// Values kept at most.
const KEPT: usize = 1 << 16;

impl Sample {
    fn add(&mut self, value: i64) {
        (self.min, self.max) =
            if self.count == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        if self.count.is_multiple_of(1 << self.every) {
            if self.kept.len() == KEPT {
                let mut at = 0;
                self.kept.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.every += 1;
            }
            if self.count.is_multiple_of(1 << self.every) {
                self.kept.push(value);
            }
        }
        self.count += 1;
    }

    /// The value that so many of a thousand are not above.
    fn permille(&self, permille: usize) -> i64 {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * permille).div_ceil(1_000).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// A book's best prices.
struct Touch {
    venue: &'static str,
    symbol: Symbol,
    /// What is traded, as far as the symbol tells.
    instrument: String,
    scale: Scale,
    /// Best bid and ask: of the depth while it is live, else of the ticker.
    best: Option<[Level; 2]>,
    live: bool,
}

/// Two books of one instrument.
struct Pair {
    books: [usize; 2],
    since: Nanos,
    /// Both had best prices at `since`.
    joint: bool,
    both: Nanos,
    states: u64,
    /// Sum over time of the middles' difference, in 1e-4 bps times ns.
    mid: i128,
    mid_now: i64,
    ways: [Way; 2],
}

#[derive(Default)]
struct Way {
    /// Crossed at the pair's last change, and since when.
    since: Option<Nanos>,
    crossed: Nanos,
    episodes: u64,
    longest: Nanos,
    /// In 1e-4 bps.
    widest: i64,
}

impl Way {
    fn end(&mut self, now: Nanos) {
        if let Some(since) = self.since.take() {
            let length = now - since;
            self.crossed = self.crossed + length;
            self.longest = self.longest.max(length);
        }
    }

    fn look(&mut self, edge: i64, now: Nanos) {
        if edge <= 0 {
            self.end(now);
            return;
        }
        self.widest = self.widest.max(edge);
        if self.since.is_none() {
            self.since = Some(now);
            self.episodes += 1;
        }
    }

    fn report(&self) -> Crossing {
        Crossing {
            crossed_ns: self.crossed.0,
            episodes: self.episodes,
            longest_ns: self.longest.0,
            widest_bps: bps_text(self.widest),
        }
    }
}

fn bps_text(bps_e4: i64) -> String {
    Scale::new(4).map_or_else(String::new, |scale| Fixed(bps_e4, scale).to_string())
}

/// So many in a second, rounded; `None` for less than a second.
fn rate(many: u64, span: Nanos) -> Option<u64> {
    const SECOND: u128 = 1_000_000_000;
    let span = u128::from(span.0.unsigned_abs());
    let rate = (u128::from(many) * SECOND + span / 2).checked_div(span)?;
    u64::try_from(rate).ok().filter(|_| span >= SECOND)
}

/// `high` over `low`, in 1e-4 bps.
fn over(high: i128, low: i128) -> i64 {
    if low == 0 { 0 } else { i64::try_from((high - low) * 100_000_000 / low).unwrap_or(i64::MAX) }
}

/// What symbols of one pair of assets have in common, as far as their spelling tells: separators, the
/// words for perpetuals and one asset's second name go.
fn instrument_of(symbol: Symbol) -> String {
    let mut text: String = symbol.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    text.make_ascii_uppercase();
    for end in ["PERP", "SWAP"] {
        text = text.strip_suffix(end).map_or(text.clone(), str::to_owned);
    }
    text.replace("XBT", "BTC")
}

impl Gather {
    /// Nothing seen yet.
    pub fn new() -> Gather {
        Gather::default()
    }

    /// What was found, as of the last message.
    pub fn finish(mut self) -> Stats {
        let end = self.streams.values().map(|stream| stream.last).max().unwrap_or_default();
        for at in 0..self.pairs.len() {
            self.settle(at, end);
            self.pairs[at].ways.iter_mut().for_each(|way| way.end(end));
        }
        let mut fastest: BTreeMap<&'static str, i64> = BTreeMap::new();
        for ((venue, _), stream) in self.streams.iter().filter(|(_, stream)| stream.delays.count > 0) {
            let least = fastest.entry(venue).or_insert(stream.delays.min);
            *least = stream.delays.min.min(*least);
        }
        let report = |((venue, name), stream): (&(&'static str, String), &Stream)| {
            let span = stream.last - stream.first.unwrap_or(stream.last);
            let between = stream.messages.saturating_sub(1);
            let delays = &stream.delays;
            let least = fastest.get(venue).copied().unwrap_or_default();
            StreamStats {
                venue,
                stream: name.clone(),
                messages: stream.messages,
                bytes: stream.bytes,
                span_ns: span.0,
                messages_per_s: rate(between, span),
                peak_per_s: stream.second.2.max(stream.second.1),
                silence_max_ns: stream.silence.0,
                delay: (delays.count > 0).then(|| Delay {
                    count: delays.count,
                    min_ns: delays.min,
                    p50_ns: delays.permille(500),
                    p99_ns: delays.permille(990),
                    max_ns: delays.max,
                    p50_above_fastest_ns: delays.permille(500) - least,
                    p99_above_fastest_ns: delays.permille(990) - least,
                }),
            }
        };
        let name = |at: usize| format!("{} {}", self.books[at].venue, self.books[at].symbol);
        let crossings = self.pairs.iter().filter(|pair| pair.states > 0).map(|pair| CrossingStats {
            a: name(pair.books[0]),
            b: name(pair.books[1]),
            both_ns: pair.both.0,
            states: pair.states,
            a_over_b: pair.ways[0].report(),
            b_over_a: pair.ways[1].report(),
            mid_bps_mean: bps_text(
                i64::try_from(pair.mid / i128::from(pair.both.0.max(1))).unwrap_or_default(),
            ),
        });
        Stats {
            streams: self.streams.iter().map(report).collect(),
            clock_offset_ns: fastest.iter().map(|(venue, least)| (*venue, -least)).collect(),
            crossings: crossings.collect(),
        }
    }

    /// The number of a book; pairs with the other venues' books of its instrument are made with it.
    fn book(&mut self, venue: &'static str, symbol: Symbol, scale: Scale) -> usize {
        let known = self.books.iter().position(|book| book.venue == venue && book.symbol == symbol);
        known.unwrap_or_else(|| {
            let (instrument, at) = (instrument_of(symbol), self.books.len());
            let others = self.books.iter().enumerate();
            let others = others.filter(|(_, other)| other.instrument == instrument && other.venue != venue);
            self.pairs.extend(others.map(|(other, _)| Pair {
                books: [other, at],
                since: Nanos::ZERO,
                joint: false,
                both: Nanos::ZERO,
                states: 0,
                mid: 0,
                mid_now: 0,
                ways: Default::default(),
            }));
            self.books.push(Touch { venue, symbol, instrument, scale, best: None, live: false });
            at
        })
    }

    /// Adds the time since a pair's last change.
    fn settle(&mut self, at: usize, now: Nanos) {
        let pair = &mut self.pairs[at];
        if pair.joint {
            let length = (now - pair.since).max(Nanos::ZERO);
            pair.both = pair.both + length;
            pair.mid += i128::from(pair.mid_now) * i128::from(length.0);
        }
        pair.since = now;
    }

    /// A book's best prices are others now.
    fn moved(&mut self, book: usize, now: Nanos) {
        for at in 0..self.pairs.len() {
            if !self.pairs[at].books.contains(&book) {
                continue;
            }
            self.settle(at, now);
            let pair = &mut self.pairs[at];
            let price = |book: usize, side: usize| {
                let touch = &self.books[book];
                // Prices of both at one scale.
                let lift = 10i128.pow(u32::from(Scale::MAX.digits() - touch.scale.digits()));
                touch.best.map(|best| i128::from(best[side].price.0) * lift)
            };
            let [a, b] = pair.books;
            let prices = (price(a, 0), price(a, 1), price(b, 0), price(b, 1));
            let (Some(bid_a), Some(ask_a), Some(bid_b), Some(ask_b)) = prices else {
                pair.joint = false;
                pair.ways.iter_mut().for_each(|way| way.end(now));
                continue;
            };
            pair.joint = true;
            pair.states += 1;
            pair.mid_now = over(bid_a + ask_a, bid_b + ask_b);
            pair.ways[0].look(over(bid_a, ask_b), now);
            pair.ways[1].look(over(bid_b, ask_a), now);
        }
    }

    fn set(&mut self, book: usize, best: Option<[Level; 2]>, now: Nanos) {
        let prices = |best: Option<[Level; 2]>| best.map(|best| best.map(|level| level.price));
        let before = std::mem::replace(&mut self.books[book].best, best);
        if prices(before) != prices(best) {
            self.moved(book, now);
        }
    }
}

impl Observer for Gather {
    fn message(&mut self, venue: &'static Venue, view: &View<'_>) {
        let name = stream_name(view.message.message());
        let same = self.current.as_ref().is_some_and(|current| current.0 == venue.id && current.1 == name);
        if !same {
            self.current = Some((venue.id, name.to_owned()));
        }
        let Some(current) = &self.current else { return };
        if !self.streams.contains_key(current) {
            self.streams.insert(current.clone(), Stream::default());
        }
        let Some(stream) = self.streams.get_mut(current) else { return };
        stream.messages += 1;
        stream.bytes += view.message.len() as u64;
        let Some(now) = view.ts else { return };
        if stream.first.is_some() {
            stream.silence = stream.silence.max(now - stream.last);
        }
        stream.first.get_or_insert(now);
        stream.last = stream.last.max(now);
        let (second, count, most) = &mut stream.second;
        let this = now.0.div_euclid(1_000_000_000);
        if this != *second {
            (*most, *count, *second) = ((*most).max(*count), 0, this);
        }
        *count += 1;
    }

    fn changed(&mut self, seen: &Seen<'_>) {
        let now = seen.stamp.received;
        if seen.fresh
            && seen.stamp.venue_time > Nanos::ZERO
            && now > Nanos::ZERO
            && let Some(stream) = self.current.as_ref().and_then(|current| self.streams.get_mut(current))
        {
            stream.delays.add((now - seen.stamp.venue_time).0);
        }
        let book = self.book(seen.venue, seen.symbol, seen.scale);
        let best = if seen.kind == ChangeKind::Top {
            if self.books[book].live {
                return;
            }
            seen.bids.first().zip(seen.asks.first()).map(|(bid, ask)| [*bid, *ask])
        } else {
            let live = seen.book.trust() == Trust::Live;
            self.books[book].live = live;
            let ladder = seen.book.ladder();
            let sides = ladder.best_level(Side::Buy).zip(ladder.best_level(Side::Sell));
            sides.filter(|_| live).map(|(bid, ask)| [bid, ask])
        };
        self.set(book, best, now);
    }

    fn lost(&mut self, venue: &'static str, symbol: Symbol, now: Nanos) {
        let known = self.books.iter().position(|book| book.venue == venue && book.symbol == symbol);
        if let Some(book) = known {
            self.books[book].live = false;
            self.set(book, None, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_an_even_sample_however_many_there_are() {
        let mut sample = Sample::default();
        (0..400_000).for_each(|value| sample.add(value));
        assert_eq!((sample.count, sample.min, sample.max), (400_000, 0, 399_999));
        assert!(sample.kept.len() <= KEPT && sample.kept.len() > KEPT / 4);
        for (permille, want) in [(500, 200_000), (990, 396_000)] {
            let got = sample.permille(permille);
            assert!((got - want).abs() < 400, "{permille}: {got}");
        }
        assert_eq!(Sample::default().permille(500), 0);
    }

    #[test]
    fn rates_are_rounded_and_need_a_second() {
        for (many, span, want) in [
            (997, 100_000_000_000, Some(10)),
            (1, 3_000_000_000, Some(0)),
            (3, 2_000_000_000, Some(2)),
            (2_000_000, 1_000_000_000, Some(2_000_000)),
            (5, 999_999_999, None),
            (0, 0, None),
        ] {
            assert_eq!(rate(many, Nanos(span)), want, "{many} in {span} ns");
        }
    }

    #[test]
    fn symbols_of_one_pair_of_assets_meet() {
        for (symbol, want) in [
            ("BTCUSDT", "BTCUSDT"),
            ("BTC-USDT", "BTCUSDT"),
            ("XBT/USD", "BTCUSD"),
            ("BTC-USDT-SWAP", "BTCUSDT"),
            ("BTCUSD_PERP", "BTCUSD"),
        ] {
            assert_eq!(instrument_of(Symbol::new(symbol).unwrap()), want);
        }
    }

    #[test]
    fn books_that_cross_are_timed() {
        let mut gather = Gather::new();
        let symbol = |text| Symbol::new(text).unwrap();
        let a = gather.book("x", symbol("A-B"), Scale::DEFAULT);
        let b = gather.book("y", symbol("AB"), Scale::DEFAULT);
        gather.book("y", symbol("AC"), Scale::DEFAULT);
        gather.streams.insert(("x", String::new()), Stream { last: Nanos(100), ..Stream::default() });
        let best = |bid, ask| Some([Level::new(bid, 1), Level::new(ask, 1)]);
        gather.set(a, best(100, 101), Nanos(10));
        gather.set(b, best(99, 100), Nanos(20)); // joint, not crossed: 100 against 100
        gather.set(a, best(102, 103), Nanos(30)); // a's bid 102 over b's ask 100: 200 bps
        gather.set(b, best(101, 102), Nanos(40)); // over
        gather.set(b, best(104, 105), Nanos(60)); // b's bid 104 over a's ask 103
        gather.set(b, None, Nanos(80));
        let stats = gather.finish();
        let [pair] = &stats.crossings[..] else { panic!("{:?}", stats.crossings) };
        assert_eq!((pair.a.as_str(), pair.b.as_str(), pair.both_ns, pair.states), ("x A-B", "y AB", 60, 4));
        let way = |crossed_ns, episodes, longest_ns, widest: &str| Crossing {
            crossed_ns,
            episodes,
            longest_ns,
            widest_bps: widest.to_owned(),
        };
        assert_eq!(pair.a_over_b, way(10, 1, 10, "200"));
        assert_eq!(pair.b_over_a, way(20, 1, 20, "97.0873"));
    }
}
