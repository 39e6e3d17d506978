//! Kraken's book checksum.
//!
//! The venue's rule: for the ten best asks, best first, then the ten best bids, best first, append
//! the price and then the quantity, each written with the pair's own number of decimals, the point
//! and all leading zeros taken out; the CRC-32 of that text is sent with every message. With
//! scaled integers the text of a number is just its digits, once the places that the pair does not
//! have are divided away: no float comes near it.

use crate::types::{BookView, Level, Price, Qty, Scale, Side};

/// Levels a side that the checksum looks at, whatever the depth of the subscription.
pub const LEVELS: usize = 10;

/// The most decimals that a pair is believed to have when they must be found out.
pub const MAX_DIGITS: u8 = 12;

/// Longest text: twenty levels of two numbers, each in one to three blocks of eight digits.
const TEXT: usize = 2 * LEVELS * 2 * 24;

/// In how many decimals a pair's prices and quantities are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digits {
    /// Of prices.
    pub price: u8,
    /// Of quantities.
    pub qty: u8,
}

/// The part of a book that the checksum covers.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    asks: [Level; LEVELS],
    bids: [Level; LEVELS],
    ask_count: usize,
    bid_count: usize,
}

impl Best {
    /// Copies the ten best levels of each side.
    pub fn of(book: &dyn BookView) -> Best {
        let mut best = Best {
            asks: [Level::default(); LEVELS],
            bids: [Level::default(); LEVELS],
            ask_count: 0,
            bid_count: 0,
        };
        best.ask_count = book.best(Side::Sell, &mut best.asks).min(LEVELS);
        best.bid_count = book.best(Side::Buy, &mut best.bids).min(LEVELS);
        best
    }

    fn levels(&self) -> impl Iterator<Item = &Level> {
        self.asks[..self.ask_count].iter().chain(&self.bids[..self.bid_count])
    }

    /// The checksum of the book, its numbers being in units of `scale`.
    pub fn checksum(&self, scale: Scale, digits: Digits) -> u32 {
        let units = Units::new(scale, digits);
        let mut text = [0; TEXT];
        let end = self.levels().fold(0, |at, level| units.write(level, &mut text, at));
        crc32fast::hash(&text[..end])
    }

    /// The same, with the texts of levels that were the same before taken from there.
    pub fn checksum_by(&self, digits: Digits, texts: &mut Texts) -> u32 {
        texts.are_in(digits);
        let mut at = 0;
        for level in self.levels() {
            let Written { text, len, .. } = *texts.of(level);
            if let Some(place) = texts.all.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *place = text; // what is too much is written over by the next one
            }
            at += usize::from(len);
        }
        crc32fast::hash(&texts.all[..at])
    }

    /// The decimals with which this book has the checksum `theirs`: most likely first, that is from
    /// the fewest that hold its numbers upwards. `None` when no pair of them does.
    pub fn digits(&self, scale: Scale, theirs: u32) -> Option<Digits> {
        let least_price = self.levels().map(|level| decimals(level.price.0, scale)).max()?;
        let least_qty = self.levels().map(|level| decimals(level.qty.0, scale)).max()?;
        (least_price..=MAX_DIGITS)
            .flat_map(|price| (least_qty..=MAX_DIGITS).map(move |qty| Digits { price, qty }))
            .find(|digits| self.checksum(scale, *digits) == theirs)
    }
}

/// The texts of the levels of one book, as last written: from message to message most stay the same.
pub struct Texts {
    scale: Scale,
    digits: Digits,
    units: Units,
    written: Box<[Written; KEPT]>,
    /// Room for all of them in a row.
    all: Box<[u8; TEXT]>,
}

/// Levels whose texts are kept: enough that twenty seldom share a place.
const KEPT: usize = 128;

/// Longest text of a level, and what a block of eight digits may write beyond it.
const LEVEL_TEXT: usize = 47;

/// A level and its text; as much as a cache line.
#[derive(Clone, Copy)]
struct Written {
    level: Level,
    len: u8,
    text: [u8; LEVEL_TEXT],
}

impl Written {
    /// A level of zeros has no digits at all.
    const ZEROS: Written =
        Written { level: Level { price: Price(0), qty: Qty(0) }, len: 0, text: [0; LEVEL_TEXT] };
}

impl Texts {
    /// None is written yet, of a book in units of this scale.
    pub fn new(scale: Scale) -> Texts {
        let digits = Digits { price: scale.digits(), qty: scale.digits() };
        let (written, all) = (Box::new([Written::ZEROS; KEPT]), Box::new([0; TEXT]));
        Texts { scale, digits, units: Units::new(scale, digits), written, all }
    }

    /// Texts in other decimals are forgotten.
    #[inline]
    fn are_in(&mut self, digits: Digits) {
        if self.digits != digits {
            (self.digits, self.units) = (digits, Units::new(self.scale, digits));
            self.written.fill(Written::ZEROS);
        }
    }

    #[inline]
    fn of(&mut self, level: &Level) -> &Written {
        // Prices beside each other must have places of their own: the high bits of a product by 2^64
        // over the golden ratio. A place holds two, the newer one first.
        let place = (level.price.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - KEPT.ilog2());
        let place = (place as usize % KEPT) & !1;
        let two = &mut self.written[place..place + 2];
        if two[0].level != *level && two[1].level != *level {
            two[1] = two[0];
            two[0].level = *level;
            two[0].len = self.units.write(level, &mut two[0].text, 0) as u8;
        }
        if two[0].level == *level { &two[0] } else { &two[1] }
    }
}

/// How many decimals `value`, in units of `scale`, needs.
fn decimals(value: i64, scale: Scale) -> u8 {
    let (mut places, mut rest) = (scale.digits(), value);
    while places > 0 && rest % 10 == 0 {
        rest /= 10;
        places -= 1;
    }
    places
}

/// What a scaled integer is divided by, or multiplied with, to be in units of the last decimal.
#[derive(Clone, Copy)]
struct Unit {
    divide: u64,
    multiply: u64,
}

impl Unit {
    fn new(scale: Scale, digits: u8) -> Unit {
        let power = |places: u8| 10u64.pow(u32::from(places.min(18)));
        Unit {
            divide: power(scale.digits().saturating_sub(digits)),
            multiply: power(digits.saturating_sub(scale.digits())),
        }
    }

    /// Wrong numbers give a wrong checksum, which is what it is for: nothing here can fail.
    fn of(self, value: i64) -> u64 {
        let value = value.unsigned_abs().wrapping_mul(self.multiply);
        if self.divide == 1 { value } else { value / self.divide }
    }
}

/// How the numbers of a book are written.
#[derive(Clone, Copy)]
struct Units {
    price: Unit,
    qty: Unit,
}

impl Units {
    fn new(scale: Scale, digits: Digits) -> Units {
        Units { price: Unit::new(scale, digits.price), qty: Unit::new(scale, digits.qty) }
    }

    /// Appends a level's text, 40 digits at the most, and returns the new length.
    fn write(&self, level: &Level, text: &mut [u8], at: usize) -> usize {
        let at = append(self.price.of(level.price.0), text, at);
        append(self.qty.of(level.qty.0), text, at)
    }
}

/// Appends the digits of `value` without leading zeros (none at all for zero) and returns the new
/// length. Blocks of eight digits: one multiplication tree each, and no table.
fn append(value: u64, text: &mut [u8], at: usize) -> usize {
    const BLOCK: u64 = 100_000_000;
    if value < BLOCK {
        return put(eight(value), true, text, at);
    }
    let (high, low) = (value / BLOCK, value % BLOCK);
    let at = if high < BLOCK {
        put(eight(high), true, text, at)
    } else {
        let at = put(eight(high / BLOCK), true, text, at);
        put(eight(high % BLOCK), false, text, at)
    };
    put(eight(low), false, text, at)
}

fn put(digits: u64, first: bool, text: &mut [u8], at: usize) -> usize {
    // The first digit is the lowest byte; leading zeros are zero bytes there.
    let zeros = if first { digits.trailing_zeros().min(64) / 8 } else { 0 };
    let ascii = (digits + 0x3030_3030_3030_3030).checked_shr(zeros * 8).unwrap_or(0);
    if let Some(to) = text.get_mut(at..at + 8) {
        to.copy_from_slice(&ascii.to_le_bytes());
    }
    at + 8 - zeros as usize
}

/// The eight decimal digits of a number below 10^8, one a byte, the first in the lowest byte.
fn eight(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    // Division by 100 and by 10 in each lane, by multiplication; exact below 10,000 and 100.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::types::parse;

    /// A book in the order it was written: asks upwards, bids downwards.
    #[derive(Default)]
    pub(crate) struct Plain {
        pub asks: Vec<Level>,
        pub bids: Vec<Level>,
    }

    impl BookView for Plain {
        fn best(&self, side: Side, out: &mut [Level]) -> usize {
            let levels = if side == Side::Buy { &self.bids } else { &self.asks };
            out.iter_mut().zip(levels).map(|(to, from)| *to = *from).count()
        }
    }

    fn levels(text: &str) -> Vec<Level> {
        let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
        text.lines()
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(price, qty)| Level { price: Price(number(price)), qty: Qty(number(qty)) })
            .collect()
    }

    /// The book of the venue's own worked example: one price decimal, eight of quantity.
    pub(crate) fn example() -> Plain {
        Plain {
            asks: levels(
                "45285.2 0.00100000\n45286.4 1.54571953\n45286.6 1.54571109\n45289.6 1.54560911\n\
                 45290.2 0.15890660\n45291.8 1.54553491\n45294.7 0.04454749\n45296.1 0.35380000\n\
                 45297.5 0.09945542\n45299.5 0.18772827",
            ),
            bids: levels(
                "45283.5 0.10000000\n45283.4 1.54582015\n45282.1 0.10000000\n45281.0 0.10000000\n\
                 45280.3 1.54592586\n45279.0 0.07990000\n45277.6 0.03310103\n45277.5 0.30000000\n\
                 45277.3 1.54602737\n45276.6 0.15445238",
            ),
        }
    }

    #[test]
    fn the_worked_example_of_v2_is_met() {
        let best = Best::of(&example());
        assert_eq!(best.checksum(Scale::DEFAULT, Digits { price: 1, qty: 8 }), 3_310_070_434);
        let finer = Scale::new(10).unwrap();
        let mut book = example();
        for level in book.asks.iter_mut().chain(&mut book.bids) {
            (level.price.0, level.qty.0) = (level.price.0 * 100, level.qty.0 * 100);
        }
        assert_eq!(Best::of(&book).checksum(finer, Digits { price: 1, qty: 8 }), 3_310_070_434);
    }

    /// Each number with its own fewest decimals is what a float printer gives, and is wrong.
    #[test]
    fn shortest_numbers_give_the_wrong_checksum() {
        let mut text = String::new();
        let book = example();
        for level in book.asks.iter().chain(&book.bids) {
            for value in [level.price.0, level.qty.0] {
                let shortest = crate::types::Fixed(value, Scale::DEFAULT).to_string();
                // A float printer writes a whole number as `45281.0`.
                let shortest = if shortest.contains('.') { shortest } else { format!("{shortest}.0") };
                text.push_str(shortest.replace('.', "").trim_start_matches('0'));
            }
        }
        let wrong = crc32fast::hash(text.as_bytes());
        assert_eq!(wrong, 1_604_409_348);
        assert_ne!(Best::of(&book).checksum(Scale::DEFAULT, Digits { price: 1, qty: 8 }), wrong);
    }

    #[test]
    fn the_worked_example_of_v1_is_met() {
        let rows = |prices: &[i64]| -> Vec<Level> {
            prices.iter().map(|price| Level::new(price * 1_000, 500)).collect()
        };
        let book = Plain {
            asks: rows(&[5005, 5010, 5015, 5020, 5025, 5030, 5035, 5040, 5045, 5050]),
            bids: rows(&[5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950]),
        };
        assert_eq!(Best::of(&book).checksum(Scale::DEFAULT, Digits { price: 5, qty: 8 }), 974_947_235);
    }

    #[test]
    fn the_decimals_are_those_that_match() {
        let best = Best::of(&example());
        assert_eq!(best.digits(Scale::DEFAULT, 3_310_070_434), Some(Digits { price: 1, qty: 8 }));
        assert_eq!(best.digits(Scale::DEFAULT, 3_310_070_435), None);
        let round = Plain { asks: levels("5 20"), bids: levels("4 10") };
        let best = Best::of(&round);
        let digits = Digits { price: 3, qty: 2 };
        assert_eq!(best.digits(Scale::DEFAULT, best.checksum(Scale::DEFAULT, digits)), Some(digits));
        assert_eq!(Best::of(&Plain::default()).digits(Scale::DEFAULT, 0), None);
    }

    /// Levels come and go, and sometimes the decimals change: what was kept is never in the way.
    #[test]
    fn kept_texts_change_nothing() {
        let mut rand = oorandom::Rand64::new(7);
        let mut texts = Texts::new(Scale::DEFAULT);
        for round in 0..2_000u64 {
            let mut side = |from: u64| {
                let count = rand.rand_range(0..LEVELS as u64 + 1);
                let level = |_| {
                    let price = (from + rand.rand_range(0..300)) * 10_000_000;
                    Level::new(price as i64, (rand.rand_range(0..4) * 12_345 + rand.rand_range(0..3)) as i64)
                };
                (0..count).map(level).collect::<Vec<_>>()
            };
            let best = Best::of(&Plain { asks: side(600_000), bids: side(599_700) });
            let digits = Digits { price: 1 + (round / 500) as u8, qty: 8 };
            let want = best.checksum(Scale::DEFAULT, digits);
            assert_eq!(best.checksum_by(digits, &mut texts), want, "seed 7, round {round}");
        }
        // The longest numbers that there are.
        let longest = Best::of(&Plain { asks: vec![Level::new(i64::MAX, i64::MAX); 10], bids: Vec::new() });
        let digits = Digits { price: 8, qty: 8 };
        assert_eq!(longest.checksum_by(digits, &mut texts), longest.checksum(Scale::DEFAULT, digits));
    }

    #[test]
    fn every_number_has_its_own_digits() {
        for value in
            [1, 9, 10, 12_345_678, 99_999_999, 100_000_000, 5 * 10u64.pow(15), u64::MAX, 10u64.pow(16)]
        {
            let mut text = [0; TEXT];
            let n = append(value, &mut text, 3);
            assert_eq!(std::str::from_utf8(&text[3..n]).unwrap(), value.to_string());
        }
        assert_eq!(append(0, &mut [0; TEXT], 0), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_number_has_its_own_digits(value in 1u64.., at in 0usize..40) {
            let mut text = [0; TEXT];
            let n = append(value, &mut text, at);
            proptest::prop_assert_eq!(std::str::from_utf8(&text[at..n]).unwrap(), value.to_string());
        }
    }
}
