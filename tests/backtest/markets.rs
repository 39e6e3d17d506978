//! Captures of two markets by hand, spot and a perpetual: a depth update of one of them at a time.

use super::run::{Ran, backtest};

const T0_MS: i64 = 1_700_000_000_000;

pub const SPOT: usize = 0;
pub const PERP: usize = 1;

/// What a perpetual's messages are called by.
pub struct Named {
    pub stream: &'static str,
    /// Fields of the symbol.
    pub symbol: &'static str,
}

/// Both captures.
pub struct Pair {
    texts: [String; 2],
    last: [u64; 2],
    perp: Named,
}

impl Pair {
    /// Nothing yet; snapshots have the numbers 100 and 500.
    pub fn new(perp: Named) -> Pair {
        Pair { texts: Default::default(), last: [100, 500], perp }
    }

    pub fn line(&mut self, market: usize, ms: i64, message: &str) {
        self.texts[market].push_str(&format!("{} {message}\n", (T0_MS + ms) * 1_000_000));
    }

    /// An update of these levels.
    pub fn update(&mut self, market: usize, ms: i64, bids: &str, asks: &str) {
        let (prev, last) = (self.last[market], self.last[market] + 1);
        self.last[market] = last;
        let (stream, head) = match market {
            SPOT => ("btcusdt", format!(r#""s":"BTCUSDT","U":{last},"u":{last}"#)),
            // The first one must reach back to the snapshot.
            _ => {
                (self.perp.stream, format!(r#""T":1,{},"U":{prev},"u":{last},"pu":{prev}"#, self.perp.symbol))
            }
        };
        let message = format!(
            r#"{{"stream":"{stream}@depth","data":{{"e":"depthUpdate","E":1,{head},"b":[{bids}],"a":[{asks}]}}}}"#
        );
        self.line(market, ms, &message);
    }

    pub fn run(&self, config: &str, args: &[&str]) -> Ran {
        let ran = backtest(config, &[self.texts[0].as_bytes(), self.texts[1].as_bytes()], args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }
}
