//! What the assets that prices are in are worth in each other, as rate books tell it.
//!
//! A rate book is a book like any other (USDT-USD, USDC-USDT, BTC-USDT), read in either direction
//! and, where no book joins two assets, through up to three of them. What is converted goes by the
//! worse side of each book less its haircut; what is valued goes by the middle. A rate has an age:
//! beyond its bound nothing is traded by it, and neither while its book is not live.

use super::{BookSlot, Refused};
use crate::types::{Asset, FeeRate, InstrumentId, Nanos, Price, Rate, Scale, Sides, VenueId};

/// The most rate books: a set of them is a word.
const BOOKS_MAX: usize = 16;
/// The most books between two assets.
const HOPS_MAX: usize = 3;

/// The rate books of a run, and the asset that limits and totals are in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RatePlan {
    /// What limits and totals are in.
    pub common: Asset,
    /// The books, preferred ones first.
    pub books: Vec<RateBook>,
}

/// A book that tells what its base asset is worth in its quote asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateBook {
    /// What is told of.
    pub base: Asset,
    /// What it is told in.
    pub quote: Asset,
    /// Decimals of its prices.
    pub scale: Scale,
    /// Taken off what a conversion brings, in units of 1e-8.
    pub haircut: FeeRate,
    /// Oldest it may be, from the local receive time of its last message.
    pub max_age: Nanos,
    /// Its place among the books of the detector.
    pub slot: BookSlot,
    /// Where it is, for those who look books up by venue.
    pub venue: VenueId,
    /// And by instrument.
    pub instrument: InstrumentId,
}

/// What a rate book shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateQuote {
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// When its last message came.
    pub at: Nanos,
}

/// A set of rate books, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RateSet(u32);

impl RateSet {
    /// One book.
    pub const fn of(book: usize) -> RateSet {
        RateSet(1 << book)
    }

    /// Both together.
    pub const fn and(self, other: RateSet) -> RateSet {
        RateSet(self.0 | other.0)
    }

    /// No book at all: the assets are one.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their numbers.
    pub fn books(self) -> impl Iterator<Item = usize> {
        (0..BOOKS_MAX).filter(move |book| self.0 >> book & 1 == 1)
    }
}

/// The way from an asset to another: books, and whether each is read the other way round.
#[derive(Clone, Copy, Default, Debug)]
struct Path {
    hops: [(u8, bool); HOPS_MAX],
    count: usize,
}

/// Rates as last told.
#[derive(Clone, Debug)]
pub struct Rates {
    common: Asset,
    books: Vec<Told>,
    assets: Vec<Asset>,
    /// By asset, then by asset.
    paths: Vec<Option<Path>>,
}

#[derive(Clone, Debug)]
struct Told {
    book: RateBook,
    /// The newest that made sense; kept when the book is lost.
    sides: Option<Sides>,
    prices: (Price, Price),
    at: Nanos,
    live: bool,
    changes: u64,
}

impl Rates {
    /// Nothing told yet. Books beyond the sixteenth are not looked at.
    pub fn new(plan: &RatePlan) -> Rates {
        let mut assets = vec![plan.common];
        let told = |book: &RateBook| Told {
            book: *book,
            sides: None,
            prices: (Price(0), Price(0)),
            at: Nanos::ZERO,
            live: false,
            changes: 0,
        };
        let books: Vec<_> = plan.books.iter().take(BOOKS_MAX).map(told).collect();
        for asset in books.iter().flat_map(|told| [told.book.base, told.book.quote]) {
            if !assets.contains(&asset) {
                assets.push(asset);
            }
        }
        let mut own = Rates { common: plan.common, books, assets, paths: Vec::new() };
        for from in 0..own.assets.len() {
            let ways = own.ways(from);
            own.paths.extend(ways);
        }
        own
    }

    /// The shortest ways from an asset to each: the first found goes by the order of the books.
    fn ways(&self, from: usize) -> Vec<Option<Path>> {
        let at = |asset: Asset| self.assets.iter().position(|own| *own == asset);
        let mut ways = vec![None; self.assets.len()];
        ways[from] = Some(Path::default());
        for hops in 0..HOPS_MAX {
            for (number, told) in self.books.iter().enumerate() {
                let (Some(base), Some(quote)) = (at(told.book.base), at(told.book.quote)) else { continue };
                for (here, there, inverse) in [(base, quote, false), (quote, base, true)] {
                    if let (Some(Path { hops: own, count }), None) = (ways[here], ways[there])
                        && count == hops
                    {
                        let mut path = Path { hops: own, count: count + 1 };
                        path.hops[count] = (number as u8, inverse);
                        ways[there] = Some(path);
                    }
                }
            }
        }
        ways
    }

    /// What limits and totals are in.
    pub fn common(&self) -> Asset {
        self.common
    }

    fn path(&self, from: Asset, to: Asset) -> Option<Path> {
        if from == to {
            return Some(Path::default());
        }
        let at = |asset: Asset| self.assets.iter().position(|own| *own == asset);
        self.paths[at(from)? * self.assets.len() + at(to)?]
    }

    /// The books that a conversion takes; `None` when no books lead there.
    pub fn needs(&self, from: Asset, to: Asset) -> Option<RateSet> {
        let Path { hops, count } = self.path(from, to)?;
        Some(RateSet(hops[..count].iter().fold(0, |set, (book, _)| set | 1 << book)))
    }

    /// The books from an asset to another in order, and whether each is read the other way round: from
    /// its quote asset to its base asset.
    pub fn way(&self, from: Asset, to: Asset) -> Option<impl Iterator<Item = (usize, bool)>> {
        let Path { hops, count } = self.path(from, to)?;
        Some(hops.into_iter().take(count).map(|(book, inverse)| (usize::from(book), inverse)))
    }

    /// How many books there are.
    pub fn len(&self) -> usize {
        self.books.len()
    }

    /// True without any book.
    pub fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    /// A book of the plan.
    pub fn book(&self, number: usize) -> Option<&RateBook> {
        self.books.get(number).map(|told| &told.book)
    }

    /// Takes what a book shows now; `None` when it may not be used.
    pub fn tell(&mut self, number: usize, quote: Option<RateQuote>) {
        let Some(told) = self.books.get_mut(number) else { return };
        let live = quote.is_some();
        let prices = quote.map_or(told.prices, |quote| (quote.bid, quote.ask));
        told.at = quote.map_or(told.at, |quote| quote.at);
        if (live, prices) == (told.live, told.prices) {
            return;
        }
        let sides =
            quote.and_then(|quote| Sides::of_book(quote.bid, quote.ask, told.book.scale, told.book.haircut));
        told.live = live && sides.is_some();
        told.prices = prices;
        told.sides = sides.or(told.sides);
        told.changes += 1;
    }

    /// Grows whenever one of these books tells something else.
    pub fn changes(&self, of: RateSet) -> u64 {
        of.books().map(|book| self.books[book].changes).sum()
    }

    /// Whether these books may be traded by now.
    ///
    /// # Errors
    /// [`Refused::RateUnsynced`] or [`Refused::RateStale`].
    pub fn usable(&self, set: RateSet, now: Nanos) -> Result<(), Refused> {
        let own = || set.books().map(|book| &self.books[book]);
        if own().any(|told| !told.live) {
            return Err(Refused::RateUnsynced);
        }
        match own().any(|told| now.0.saturating_sub(told.at.0) > told.book.max_age.0) {
            true => Err(Refused::RateStale),
            false => Ok(()),
        }
    }

    /// What a unit of `from` brings, is worth and costs in `to`, by the newest that was told, however
    /// old. `None` when a book on the way never told anything, or none leads there.
    pub fn sides(&self, from: Asset, to: Asset) -> Option<Sides> {
        let Path { hops, count } = self.path(from, to)?;
        hops[..count].iter().try_fold(Sides::ONE, |sides, (book, inverse)| {
            let told = self.books[usize::from(*book)].sides?;
            sides.then(if *inverse { told.inverse() } else { told })
        })
    }

    /// What a unit of an asset is worth in the common one; as [`Rates::sides`].
    pub fn fair(&self, asset: Asset) -> Option<Rate> {
        self.sides(asset, self.common).map(|sides| sides.fair)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::types::{Money, Round};

    fn asset(name: &str) -> Asset {
        Asset::new(name).unwrap()
    }

    /// Books of these pairs in slots from 100, a haircut of 1 % and an age of 1 us at most.
    pub(crate) fn plan(common: &str, pairs: &[(&str, &str)]) -> RatePlan {
        let book = |(at, (base, quote)): (usize, &(&str, &str))| RateBook {
            base: asset(base),
            quote: asset(quote),
            scale: Scale::DEFAULT,
            haircut: FeeRate(1_000_000),
            max_age: Nanos(1_000),
            slot: BookSlot(100 + at as u16),
            venue: VenueId(0),
            instrument: InstrumentId(at as u16),
        };
        RatePlan { common: asset(common), books: pairs.iter().enumerate().map(book).collect() }
    }

    fn quote(bid: &str, ask: &str, at: i64) -> Option<RateQuote> {
        let price = |text| Price(Money::parse(text).unwrap().to_scaled(Scale::DEFAULT).unwrap());
        Some(RateQuote { bid: price(bid), ask: price(ask), at: Nanos(at) })
    }

    #[track_caller]
    fn shown(rates: &Rates, from: &str, to: &str) -> Option<[String; 3]> {
        let sides = rates.sides(asset(from), asset(to))?;
        let of = |rate: Rate, round| rate.money(Money::ONE, round).unwrap().to_string();
        Some([of(sides.low, Round::Down), of(sides.fair, Round::Down), of(sides.high, Round::Up)])
    }

    #[test]
    fn rates_go_both_ways_and_through_each_other() {
        let mut rates = Rates::new(&plan("USD", &[("USDT", "USD"), ("USDC", "USDT"), ("BTC", "USDT")]));
        assert_eq!(shown(&rates, "USDT", "USD"), None, "nothing told");
        assert_eq!(rates.needs(asset("EUR"), asset("USD")), None);
        assert_eq!(shown(&rates, "EUR", "EUR").unwrap(), ["1", "1", "1"], "itself, whatever it is");
        rates.tell(0, quote("0.5", "0.5", 10));
        rates.tell(1, quote("2", "2.5", 20));
        rates.tell(2, quote("60000", "60000", 30));
        assert_eq!(shown(&rates, "USDT", "USD").unwrap()[..2], ["0.495", "0.5"]);
        assert_eq!(shown(&rates, "USD", "USDT").unwrap()[..2], ["1.98", "2"]);
        // 2 * 0.99 * 0.5 * 0.99, and 2.25 * 0.5.
        assert_eq!(shown(&rates, "USDC", "USD").unwrap()[..2], ["0.9801", "1.125"]);
        assert_eq!(shown(&rates, "BTC", "USD").unwrap()[1], "30000");
        // BTC to USDT and on to USDC, which costs 2.5 and a hundredth.
        assert_eq!(shown(&rates, "BTC", "USDC").unwrap()[0], "23522.4");
        let set = rates.needs(asset("BTC"), asset("USDC")).unwrap();
        assert_eq!(set.books().collect::<Vec<_>>(), [1, 2]);
        let high = shown(&rates, "BTC", "USDC").unwrap()[2].clone();
        assert!(high.starts_with("30609.1"), "60000 / 0.99 / (2 * 0.99): {high}");
    }

    #[test]
    fn a_rate_is_refused_by_its_own_reason() {
        let mut rates = Rates::new(&plan("USD", &[("USDT", "USD"), ("USDC", "USDT")]));
        let set = rates.needs(asset("USDC"), asset("USD")).unwrap();
        assert_eq!(rates.usable(set, Nanos(0)), Err(Refused::RateUnsynced));
        rates.tell(0, quote("1", "1", 10));
        assert_eq!(rates.usable(set, Nanos(10)), Err(Refused::RateUnsynced));
        rates.tell(1, quote("1", "1", 500));
        assert_eq!(rates.usable(set, Nanos(1_010)), Ok(()));
        assert_eq!(rates.usable(set, Nanos(1_011)), Err(Refused::RateStale));
        assert_eq!(rates.usable(RateSet::default(), Nanos::MAX), Ok(()));
        let before = rates.changes(set);
        rates.tell(0, quote("1", "1", 1_000));
        assert_eq!(rates.usable(set, Nanos(1_011)), Ok(()), "the same prices, heard anew");
        assert_eq!(rates.changes(set), before);
        rates.tell(0, None);
        assert_eq!(rates.usable(set, Nanos(1_011)), Err(Refused::RateUnsynced));
        assert_eq!(shown(&rates, "USDT", "USD").unwrap()[1], "1", "the last that was known is kept");
        rates.tell(0, quote("1", "1", 1_001));
        assert_eq!((rates.usable(set, Nanos(1_011)), rates.changes(set)), (Ok(()), before + 2));
        rates.tell(0, quote("2", "1", 1_002));
        assert_eq!(rates.usable(set, Nanos(1_011)), Err(Refused::RateUnsynced), "crossed");
        rates.tell(0, quote("2", "1", 1_003));
        assert_eq!(rates.usable(set, Nanos(1_011)), Err(Refused::RateUnsynced), "still");
    }
}
