//! Subscriptions of a connection: at most 1,024 streams and five messages a second.

use super::symbol::{Market, stream_name};
use crate::types::{BookId, Nanos};
use crate::venue::{Channels, Encoding};

/// Most streams of one connection.
const MAX_STREAMS: usize = 1_024;
/// Streams of one request.
const BATCH: usize = 200;
/// Between two requests: four a second leaves room for pongs under the limit of five.
const PAUSE: Nanos = Nanos::from_millis(250);
/// A request not answered by then is taken for lost.
const PATIENCE: Nanos = Nanos::from_secs(10);

/// What is still to be asked, and what was asked and not answered. A request's id is its number.
#[derive(Default, Debug)]
pub struct Subscriptions {
    batches: Vec<Batch>,
    sent: usize,
    next_at: Nanos,
}

#[derive(Debug)]
struct Batch {
    text: String,
    books: Vec<BookId>,
    sent_at: Nanos,
    answered: bool,
}

impl Subscriptions {
    /// The requests for those books. Books beyond the limit of streams get none: they stay
    /// without data, and never become live.
    pub fn new<'a>(
        market: Market,
        channels: Channels,
        encoding: Encoding,
        books: impl Iterator<Item = &'a str>,
    ) -> Subscriptions {
        let mut streams = Vec::new();
        for (at, symbol) in books.enumerate() {
            let book = BookId(u16::try_from(at).unwrap_or(u16::MAX));
            let symbol = stream_name(symbol);
            let (depth, ticker) = match encoding {
                Encoding::Json => (depth_stream(market, channels.interval_ms), "bookTicker"),
                // Every 20 ms, the only interval of this encoding.
                Encoding::Sbe => ("depth", "bestBidAsk"),
            };
            if channels.depth {
                streams.push((book, format!("{symbol}@{depth}")));
            }
            if channels.ticker {
                streams.push((book, format!("{symbol}@{ticker}")));
            }
        }
        streams.truncate(MAX_STREAMS);
        let batches = streams.chunks(BATCH).enumerate().map(|(at, streams)| {
            let names: Vec<&str> = streams.iter().map(|(_, name)| name.as_str()).collect();
            let params = serde_json::Value::from(names);
            Batch {
                text: format!(r#"{{"method":"SUBSCRIBE","params":{params},"id":{}}}"#, at + 1),
                books: streams.iter().map(|(book, _)| *book).collect(),
                sent_at: Nanos::ZERO,
                answered: false,
            }
        });
        Subscriptions { batches: batches.collect(), sent: 0, next_at: Nanos::ZERO }
    }

    /// The next request, when it is time for one.
    pub fn next(&mut self, now: Nanos) -> Option<String> {
        if now < self.next_at {
            return None;
        }
        let batch = self.batches.get_mut(self.sent)?;
        self.sent += 1;
        self.next_at = now + PAUSE;
        batch.sent_at = now;
        Some(std::mem::take(&mut batch.text))
    }

    /// A request was answered; the books that it leaves without data.
    pub fn answered(&mut self, id: Option<u64>, error: bool) -> Vec<BookId> {
        let at = id.and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
        match at.and_then(|at| self.batches.get_mut(at)) {
            Some(batch) => {
                batch.answered = true;
                if error { batch.books.clone() } else { Vec::new() }
            }
            // An error that names no request may be about any.
            None if error => self.batches.iter().flat_map(|batch| batch.books.clone()).collect(),
            None => Vec::new(),
        }
    }

    /// True when a request waits for its answer for too long.
    pub fn overdue(&self, now: Nanos) -> bool {
        self.batches.iter().take(self.sent).any(|batch| !batch.answered && now - batch.sent_at >= PATIENCE)
    }
}

/// The depth stream nearest to an interval; zero = the fastest.
fn depth_stream(market: Market, interval_ms: u32) -> &'static str {
    match (market, interval_ms) {
        (Market::Spot, 0..=100) => "depth@100ms",
        (Market::Spot, _) => "depth",
        // Not in the venue's documents, but what its own front end and others use: every update.
        (_, 0) => "depth@0ms",
        (_, 1..=100) => "depth@100ms",
        (_, 101..=250) => "depth",
        (_, _) => "depth@500ms",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Channels = Channels { depth: true, levels: 1_000, interval_ms: 0, ticker: true };

    #[test]
    fn streams_are_named_as_the_market_names_them() {
        for (market, interval_ms, want) in [
            (Market::Spot, 0, r#"["btcusdt@depth@100ms","btcusdt@bookTicker"]"#),
            (Market::Spot, 1_000, r#"["btcusdt@depth","btcusdt@bookTicker"]"#),
            (Market::UsdM, 0, r#"["btcusdt@depth@0ms","btcusdt@bookTicker"]"#),
            (Market::UsdM, 100, r#"["btcusdt@depth@100ms","btcusdt@bookTicker"]"#),
            (Market::UsdM, 250, r#"["btcusdt@depth","btcusdt@bookTicker"]"#),
        ] {
            let channels = Channels { interval_ms, ..BOTH };
            let text = Subscriptions::new(market, channels, Encoding::Json, ["BTCUSDT"].into_iter())
                .next(Nanos(1))
                .unwrap();
            assert_eq!(text, format!(r#"{{"method":"SUBSCRIBE","params":{want},"id":1}}"#));
        }
        let text =
            Subscriptions::new(Market::Spot, BOTH, Encoding::Sbe, ["BTCUSDT"].into_iter()).next(Nanos(1));
        assert!(text.unwrap().contains(r#"["btcusdt@depth","btcusdt@bestBidAsk"]"#));
    }

    #[test]
    fn many_streams_go_out_in_batches_within_the_venues_limits() {
        let names: Vec<String> = (0..600).map(|i| format!("S{i}")).collect();
        let mut all =
            Subscriptions::new(Market::Spot, BOTH, Encoding::Json, names.iter().map(String::as_str));
        let mut sent = Vec::new();
        for ms in (0..10_000).step_by(10) {
            sent.extend(all.next(Nanos::from_millis(ms)).map(|text| (ms, text.matches('@').count())));
        }
        assert_eq!(sent.len(), 6, "1,024 streams in batches of 200");
        assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 250));
        assert!(all.overdue(Nanos::from_secs(20)));
        for id in 1..=6 {
            assert_eq!(all.answered(Some(id), false), []);
        }
        assert!(!all.overdue(Nanos::from_secs(20)));
        assert_eq!(all.answered(Some(1), true).len(), 200);
    }
}
