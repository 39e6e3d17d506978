//! Captures made from a seed, as a recorder of two related markets would have written them: spot and a
//! perpetual of the same coin, whose prices wander around each other. For a first look without any
//! data, and for tests.

use std::collections::BTreeMap;
use std::fmt::Write;

use oorandom::Rand64;

/// The configuration that goes with them.
pub const CONFIG: &str = include_str!("../../configs/reference-spot-usdm.toml");
/// How errors call it.
pub const CONFIG_NAME: &str = "configs/reference-spot-usdm.toml (compiled in)";

/// One market's stream as it is being made.
struct Stream {
    futures: bool,
    rng: Rand64,
    /// Prices in cents, quantities in units of `step`, by side.
    sides: [BTreeMap<i64, i64>; 2],
    tick: i64,
    last: u64,
    text: String,
}

const T0: i64 = 1_723_161_253_000_000_000;

/// What the two streams go through.
#[derive(Clone, Copy)]
pub struct Story {
    /// Everything random follows from it.
    pub seed: u64,
    /// About one update each.
    pub steps: u64,
    /// Milliseconds between them.
    pub pace_ms: i64,
    /// The second market's book never gets a snapshot.
    pub unseeded: bool,
    /// Updates are lost in the middle, and a later snapshot cures it.
    pub gap: bool,
}

impl Story {
    /// Five minutes with a message about every 40 ms on each market.
    pub const FIRST_LOOK: Story = Story { seed: 1, steps: 7_500, pace_ms: 40, unseeded: false, gap: false };
}

/// Texts of the spot capture and of the futures one.
pub fn captures(story: Story) -> [String; 2] {
    [false, true].map(|futures| {
        let rng = Rand64::new(u128::from(story.seed) << 1 | u128::from(futures));
        let tick = if futures { 10 } else { 1 };
        let sides = [BTreeMap::new(), BTreeMap::new()];
        let mut stream = Stream { futures, rng, sides, tick, last: 1_000, text: String::new() };
        stream.tell(story);
        stream.text
    })
}

impl Stream {
    fn below(&mut self, most: u64) -> i64 {
        self.rng.rand_range(0..most) as i64
    }

    fn tell(&mut self, story: Story) {
        let mut centre = 6_000_000;
        self.quote(centre, 60);
        let mut at = T0;
        for step in 0..story.steps {
            // Coarse times: several messages of both files share one.
            at += self.below(3) * story.pace_ms * 1_000_000;
            centre += self.below(1_201) - 600;
            centre += (6_000_000 - centre) / 20;
            let seeds = step == 7 || story.gap && step == story.steps / 2 + 9;
            if seeds && !(story.unseeded && self.futures) {
                // A snapshot behind the updates before it, as one that took its time.
                let snapshot = self.snapshot();
                let changed = self.quote(centre, 2);
                self.update(at, &changed);
                let _ = writeln!(self.text, "{at} {snapshot}");
            }
            let changed = if self.below(40) == 0 {
                Vec::new()
            } else {
                let many = 1 + self.below(12);
                self.quote(centre, many)
            };
            if story.gap && step == story.steps / 2 {
                self.last += 5; // lost on the way
                continue;
            }
            match self.below(10) {
                0 => self.noise(at),
                _ => {
                    self.update(at, &changed);
                    continue;
                }
            }
            self.update(at, &changed);
        }
    }

    /// Moves some levels, and removes those that the price ran over: side, price, quantity.
    fn quote(&mut self, centre: i64, count: i64) -> Vec<(usize, i64, i64)> {
        let mut changed = Vec::new();
        let tick = self.tick;
        let centre = centre - centre % tick;
        let over = |side: usize, price: i64| if side == 0 { price >= centre } else { price <= centre };
        for side in 0..2 {
            let gone: Vec<i64> =
                self.sides[side].keys().copied().filter(|price| over(side, *price)).collect();
            for price in gone {
                self.sides[side].remove(&price);
                changed.push((side, price, 0));
            }
        }
        for _ in 0..count {
            let side = self.below(2) as usize;
            let (near, far) = (self.below(60), self.below(900));
            let away = tick * (1 + if self.below(3) == 0 { far } else { near });
            let price = if side == 0 { centre - away } else { centre + away };
            let qty = match self.below(5) {
                0 => 0,
                1 => 1 + self.below(500_000_000),
                _ => 1 + self.below(20_000_000),
            };
            let qty = if self.futures { qty - qty % 100_000 } else { qty };
            if qty == 0 {
                self.sides[side].remove(&price);
            } else {
                self.sides[side].insert(price, qty);
            }
            changed.push((side, price, qty));
        }
        changed
    }

    fn levels<'a>(&self, levels: impl Iterator<Item = (&'a i64, &'a i64)>) -> String {
        let one = |(price, qty): (&i64, &i64)| {
            let (whole, cents) = (price / 100, price % 100);
            let (units, parts) = (qty / 100_000_000, qty % 100_000_000);
            if self.futures {
                format!(r#"["{whole}.{:01}","{units}.{:03}"]"#, cents / 10, parts / 100_000)
            } else {
                format!(r#"["{whole}.{cents:02}000000","{units}.{parts:08}"]"#)
            }
        };
        levels.map(one).collect::<Vec<_>>().join(",")
    }

    fn snapshot(&self) -> String {
        let (bids, asks) = (self.levels(self.sides[0].iter().rev()), self.levels(self.sides[1].iter()));
        let stamps = if self.futures { r#""E":1723161254,"T":1723161254,"# } else { "" };
        format!(r#"{{"lastUpdateId":{},{stamps}"bids":[{bids}],"asks":[{asks}]}}"#, self.last)
    }

    fn update(&mut self, at: i64, changed: &[(usize, i64, i64)]) {
        let of = |side: usize| changed.iter().filter(move |row| row.0 == side).map(|row| (&row.1, &row.2));
        let (bids, asks) = (self.levels(of(0)), self.levels(of(1)));
        let (first, prev) = (self.last + 1, self.last);
        self.last = first + self.rng.rand_range(0..9);
        let (stream, more) = match self.futures {
            true => ("btcusdt@depth@0ms", format!(r#""T":{},"#, at / 1_000_000)),
            false => ("btcusdt@depth@100ms", String::new()),
        };
        let prev = if self.futures { format!(r#""pu":{prev},"#) } else { String::new() };
        let _ = writeln!(
            self.text,
            r#"{at} {{"stream":"{stream}","data":{{"e":"depthUpdate","E":{},{more}"s":"BTCUSDT","U":{first},"u":{},{prev}"b":[{bids}],"a":[{asks}]}}}}"#,
            at / 1_000_000,
            self.last,
        );
    }

    /// Messages that change no depth book.
    fn noise(&mut self, at: i64) {
        let event = if self.futures { r#""e":"bookTicker","# } else { "" };
        let ms = at / 1_000_000;
        let stamps = if self.futures { format!(r#","T":{ms},"E":{ms}"#) } else { String::new() };
        let _ = writeln!(
            self.text,
            r#"{at} {{"stream":"btcusdt@bookTicker","data":{{{event}"u":{},"s":"BTCUSDT","b":"1.00","B":"1.000","a":"99999.00","A":"1.000"{stamps}}}}}"#,
            self.last
        );
        let _ = writeln!(
            self.text,
            r#"{at} {{"stream":"btcusdt@trade","data":{{"e":"trade","E":{ms},"T":{ms},"s":"BTCUSDT","t":1,"p":"60000.00","q":"0.001","X":"MARKET","m":true}}}}"#
        );
    }
}
