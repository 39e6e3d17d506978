//! What to look at when a book moved: every other book of its instrument, in both directions; or,
//! where more than two are to be walked as one, all of them together.
//!
//! A pair is looked at in stages, so that the usual answer (nothing) costs little: the best prices
//! and the state of both books, one cache line each, then one comparison of two products. Only
//! when that pays are the levels read and walked. Every refusal is counted by its reason with the
//! best edge that was given up. Nothing is allocated after `new`.

use super::contracts::{self, Contracts};
use super::crossing::Crossings;
use super::edge::{Market, Pair, PairError, Taken, Terms};
use super::ledger::{Entry, RefusalLedger};
use super::merge::{AsItIs, Merge, MergeError, Valued};
use super::{Leg, Opportunity, RatePlan, Refused, Sums};
use crate::book::{Book, BookLevels, Glance, LEVELS, Reader, Trust};
use crate::types::{Asset, Bps, InstrumentId, Level, Nanos, Price, Side, VenueId};

/// A book, by its place among the books that a detector looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BookSlot(pub u16);

/// One instrument to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// Which.
    pub instrument: InstrumentId,
    /// What is wanted of it.
    pub terms: Terms,
    /// Where it trades.
    pub books: Vec<Watched>,
    /// More than two books are walked as one, and not pair by pair.
    pub merge: bool,
}

/// One book of an instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watched {
    /// Its place in the [`Books`].
    pub slot: BookSlot,
    /// The venue's terms.
    pub market: Market,
    /// What its prices are in; only looked at where there are rates.
    pub quote: Asset,
    /// Oldest it may be, from the local receive time of its last message; zero = any age.
    pub max_age: Nanos,
}

/// Where a detector sees books: published cells of other threads ([`Cells`]), or the books
/// themselves on the thread that owns them ([`Own`]).
pub trait Books {
    /// Levels of a side, best first.
    type Levels<'a>: Iterator<Item = Level> + Clone
    where
        Self: 'a;

    /// State and best levels; `None` when there is no such book or it cannot be read now.
    fn glance(&mut self, slot: BookSlot) -> Option<Glance>;

    /// Brings [`Books::levels`] of a side up to date; what it belongs to.
    fn load(&mut self, slot: BookSlot, side: Side) -> Option<Glance>;

    /// The levels as last loaded.
    fn levels(&self, slot: BookSlot, side: Side) -> Self::Levels<'_>;
}

/// A reader's tries before a book counts as unreadable: its writer needs a few nanoseconds for a
/// publication, so more means that it was stopped in the middle.
const TRIES: usize = 1_000;

/// Published cells.
#[derive(Default)]
pub struct Cells {
    cells: Vec<Cell>,
}

struct Cell {
    reader: Reader,
    /// Bids, then asks, as last loaded, and how many.
    sides: [([Level; LEVELS], usize); 2],
}

impl Cells {
    /// The cells in the order of their slots.
    pub fn new(readers: impl IntoIterator<Item = Reader>) -> Cells {
        Cells {
            cells: readers.into_iter().map(|reader| Cell { reader, sides: Default::default() }).collect(),
        }
    }
}

impl Books for Cells {
    type Levels<'a> = std::iter::Copied<std::slice::Iter<'a, Level>>;

    #[inline]
    fn glance(&mut self, slot: BookSlot) -> Option<Glance> {
        let cell = self.cells.get(usize::from(slot.0))?;
        (0..TRIES).find_map(|_| cell.reader.glance())
    }

    #[inline]
    fn load(&mut self, slot: BookSlot, side: Side) -> Option<Glance> {
        let cell = self.cells.get_mut(usize::from(slot.0))?;
        let (levels, count) = &mut cell.sides[side as usize];
        let (glance, read) = (0..TRIES).find_map(|_| cell.reader.side(side, levels))?;
        *count = read;
        Some(glance)
    }

    #[inline]
    fn levels(&self, slot: BookSlot, side: Side) -> Self::Levels<'_> {
        let side = self.cells.get(usize::from(slot.0)).map(|cell| &cell.sides[side as usize]);
        side.map_or(&[][..], |(levels, count)| &levels[..(*count).min(LEVELS)]).iter().copied()
    }
}

/// The books themselves, at full depth.
pub struct Own<'a>(pub &'a [Book]);

impl Books for Own<'_> {
    type Levels<'b>
        = std::iter::Flatten<std::option::IntoIter<BookLevels<'b>>>
    where
        Self: 'b;

    fn glance(&mut self, slot: BookSlot) -> Option<Glance> {
        self.0.get(usize::from(slot.0)).map(Book::glance)
    }

    fn load(&mut self, slot: BookSlot, _: Side) -> Option<Glance> {
        self.glance(slot)
    }

    fn levels(&self, slot: BookSlot, side: Side) -> Self::Levels<'_> {
        self.0.get(usize::from(slot.0)).map(|book| book.levels(side)).into_iter().flatten()
    }
}

/// Finds what is worth taking.
pub struct Detector {
    pub(super) directions: Vec<Direction>,
    /// For each slot, the books to compare it with.
    neighbours: Vec<Vec<Neighbour>>,
    merges: Vec<Merging>,
    /// For each slot, the merge that it belongs to, and its seat there; empty without merges.
    merged: Vec<Option<(usize, usize)>>,
    /// What is looked at by rates; empty without any.
    pub(super) crossings: Crossings,
    pub(super) evaluations: u64,
}

/// The books of an instrument that are walked as one.
struct Merging {
    merge: Merge,
    seats: Vec<Watched>,
    /// The direction from each seat that is bought on to each that is sold on, row by row.
    directions: Vec<usize>,
}

/// What the quantities of a direction's two books are.
enum Counts {
    /// The base asset in both.
    Base,
    /// Inverse contracts in the book that is traded on that side.
    Contracts(Side, Contracts),
    /// Inverse contracts in both: they are not compared.
    BothContracts,
}

/// Buy on one book, sell on another.
pub(super) struct Direction {
    pub(super) instrument: InstrumentId,
    pub(super) pair: Pair,
    counts: Counts,
    buy: BookSlot,
    sell: BookSlot,
    pub(super) opportunities: u64,
    pub(super) depth_limited: u64,
    refused: [Given; Refused::ALL.len()],
}

/// Refusals of one reason in one direction, with the best prices instead of the best edge: those
/// are compared without a division.
#[derive(Clone, Copy, Default)]
struct Given {
    count: u64,
    /// Ask and bid; zero when there never were both.
    best: (Price, Price),
}

struct Neighbour {
    other: BookSlot,
    /// Oldest that the moved book may be, and the other.
    max_age: [Nanos; 2],
    /// Both directions, in the order of configuration.
    directions: [usize; 2],
}

/// What a detector counted in one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectionReport {
    /// Of what.
    pub instrument: InstrumentId,
    /// Where it would be bought.
    pub buy: VenueId,
    /// Where it would be sold.
    pub sell: VenueId,
    /// How often there was something to take.
    pub opportunities: u64,
    /// How many of those used up the levels that could be seen.
    pub depth_limited: u64,
    /// How often there was not, and why.
    pub refused: RefusalLedger,
}

impl Detector {
    /// A detector for these instruments, each priced in one asset.
    ///
    /// # Errors
    /// [`MergeError`] for terms that cannot be worked with.
    pub fn new(watches: &[Watch]) -> Result<Detector, MergeError> {
        Detector::across(watches, None)
    }

    /// A detector for instruments that are priced in several assets, with the books that tell what
    /// these are worth in each other. What is priced in the common one is looked at as without rates.
    ///
    /// # Errors
    /// [`MergeError`] for terms that cannot be worked with, and for assets that no rate joins.
    pub fn across(watches: &[Watch], rates: Option<&RatePlan>) -> Result<Detector, MergeError> {
        let mut detector = Detector {
            directions: Vec::new(),
            neighbours: Vec::new(),
            merges: Vec::new(),
            merged: Vec::new(),
            crossings: Crossings::new(rates, watches),
            evaluations: 0,
        };
        for watch in watches {
            if watch.merge && watch.books.len() > 2 {
                match detector.crossings.is_plain(watch) {
                    true => detector.add_merge(watch)?,
                    false => detector.add_crossed_merge(watch)?,
                }
                continue;
            }
            for (at, one) in watch.books.iter().enumerate() {
                for two in &watch.books[at + 1..] {
                    detector.add_pair(watch, one, two)?;
                }
            }
        }
        Ok(detector)
    }

    fn add_merge(&mut self, watch: &Watch) -> Result<(), MergeError> {
        let merge = Merge::new(&markets(watch), &watch.terms)?;
        for (seat, book) in watch.books.iter().enumerate() {
            let slot = usize::from(book.slot.0);
            if self.merged.len() <= slot {
                self.merged.resize(slot + 1, None);
            }
            self.merged[slot] = Some((self.merges.len(), seat));
        }
        let directions = self.add_directions(watch)?;
        self.merges.push(Merging { merge, seats: watch.books.clone(), directions });
        Ok(())
    }

    /// A direction from each book to each, row by row.
    pub(super) fn add_directions(&mut self, watch: &Watch) -> Result<Vec<usize>, PairError> {
        let mut directions = Vec::new();
        for buy in &watch.books {
            for sell in &watch.books {
                // The diagonal is there to keep rows whole: nothing is ever found on it.
                directions.push(self.directions.len());
                self.add_direction(watch, buy, sell)?;
            }
        }
        Ok(directions)
    }

    fn add_direction(&mut self, watch: &Watch, buy: &Watched, sell: &Watched) -> Result<(), PairError> {
        self.directions.push(Direction {
            instrument: watch.instrument,
            pair: Pair::new(buy.market, sell.market, &watch.terms)?,
            counts: Counts::Base,
            buy: buy.slot,
            sell: sell.slot,
            opportunities: 0,
            depth_limited: 0,
            refused: Default::default(),
        });
        Ok(())
    }

    fn add_pair(&mut self, watch: &Watch, one: &Watched, two: &Watched) -> Result<(), MergeError> {
        let directions = [self.directions.len(), self.directions.len() + 1];
        for (buy, sell) in [(one, two), (two, one)] {
            self.add_direction(watch, buy, sell)?;
        }
        let crossed = [one, two].map(|book| self.crossings.is_crossed(book.slot));
        if crossed != [false; 2] {
            let pairs = directions.map(|at| self.directions[at].pair.clone());
            self.crossings.add([one, two], crossed, directions, pairs)?;
        }
        for ((moved, other), crossed) in [(one, two), (two, one)].into_iter().zip(crossed) {
            if crossed {
                continue;
            }
            let slot = usize::from(moved.slot.0);
            if self.neighbours.len() <= slot {
                self.neighbours.resize_with(slot + 1, Vec::new);
            }
            let max_age = [moved.max_age, other.max_age];
            self.neighbours[slot].push(Neighbour { other: other.slot, max_age, directions });
        }
        Ok(())
    }

    /// Looks at every pair of the book that moved; what is worth taking goes to `out`.
    #[inline]
    pub fn evaluate<B: Books>(
        &mut self,
        books: &mut B,
        moved: BookSlot,
        now: Nanos,
        mut out: impl FnMut(&Opportunity),
    ) {
        let neighbours = self.neighbours.get(usize::from(moved.0)).map_or(&[][..], Vec::as_slice);
        if neighbours.is_empty() {
            if let Some(Some((at, seat))) = self.merged.get(usize::from(moved.0)).copied() {
                self.evaluate_merged(books, at, seat, now, &mut out);
            }
            if !self.crossings.is_empty() {
                self.evaluate_crossed(books, moved, now, &mut out);
            }
            return;
        }
        let this = books.glance(moved);
        for neighbour in neighbours {
            let other = books.glance(neighbour.other);
            let usable = usable([this.as_ref(), other.as_ref()], neighbour.max_age, now);
            for at in neighbour.directions {
                let direction = &mut self.directions[at];
                self.evaluations += 1;
                let (buy, sell) = if direction.buy == moved { (&this, &other) } else { (&other, &this) };
                let touch = touch(buy, sell);
                let pays = touch.is_some_and(|(ask, bid)| direction.pair.pays(ask, bid));
                let refused = match usable {
                    Err(reason) => reason,
                    Ok(()) if !pays => Refused::BelowEdge,
                    Ok(()) => {
                        let ages = match direction.buy == moved {
                            true => neighbour.max_age,
                            false => [neighbour.max_age[1], neighbour.max_age[0]],
                        };
                        let found = match direction.take_best(buy, sell, now, &mut out) {
                            Some(found) => found,
                            None => direction.take(books, ages, now, Some, &mut out),
                        };
                        match found {
                            Ok(()) => continue,
                            Err(reason) => reason,
                        }
                    }
                };
                direction.refuse(refused, touch);
            }
        }
    }

    /// Looks at all books of a merge together. A book that may not be used is left out; when the one
    /// that moved may not be, or fewer than two are left, that is the refusal.
    fn evaluate_merged<B: Books>(
        &mut self,
        books: &mut B,
        at: usize,
        moved: usize,
        now: Nanos,
        mut out: impl FnMut(&Opportunity),
    ) {
        let Detector { directions, merges, evaluations, .. } = self;
        let Merging { merge, seats, directions: table } = &merges[at];
        *evaluations += 1;
        let direction = |buy: usize, sell: usize| table[buy * seats.len() + sell];
        let next = usize::from(moved == 0);
        let (mut open, mut tops, mut first) = (0u32, Tops::default(), None);
        for (seat, watched) in seats.iter().enumerate() {
            let glance = books.glance(watched.slot);
            if let Err(reason) = fit(glance.as_ref(), watched.max_age, now) {
                if seat == moved {
                    directions[direction(moved, next)].refuse(reason, None);
                    return;
                }
                first = first.or(Some(reason));
                continue;
            }
            open |= 1 << seat;
            let Some(Glance { bid, ask, .. }) = glance else { continue };
            if let Some(ask) = ask {
                tops.ask(seat, merge.weigh(seat, Side::Buy, ask.price), ask.price);
            }
            if let Some(bid) = bid {
                tops.bid(seat, merge.weigh(seat, Side::Sell, bid.price), bid.price);
            }
        }
        if let Some(reason) = first.filter(|_| open.count_ones() < 2) {
            directions[direction(moved, next)].refuse(reason, None);
            return;
        }
        let Some((ask, bid)) = tops.best() else {
            directions[direction(moved, next)].refuse(Refused::BelowEdge, None);
            return;
        };
        let own = &mut directions[direction(ask.seat, bid.seat)];
        let touch = Some((ask.price, bid.price));
        if bid.weight < ask.weight {
            own.refuse(Refused::BelowEdge, touch);
            return;
        }
        match take_merged(merge, seats, own.instrument, open, books, now, &AsItIs) {
            Ok(found) => {
                own.opportunities += 1;
                own.depth_limited += u64::from(found.depth_limited);
                out(&found);
            }
            Err(reason) => own.refuse(reason, touch),
        }
    }

    /// A book counts inverse contracts: its quantities are worked out in the base asset, and legs on it
    /// are in contracts. Two such books are not compared, and books that are walked as one must not be
    /// such.
    pub fn count_contracts(&mut self, slot: BookSlot, contracts: Contracts) {
        for direction in &mut self.directions {
            let side = match slot {
                slot if slot == direction.buy => Side::Buy,
                slot if slot == direction.sell => Side::Sell,
                _ => continue,
            };
            direction.counts = match direction.counts {
                Counts::Base => Counts::Contracts(side, contracts),
                Counts::Contracts(own, _) if own == side => Counts::Contracts(side, contracts),
                Counts::Contracts(..) | Counts::BothContracts => Counts::BothContracts,
            };
        }
    }

    /// Asks for another edge between two books from here on, one of which is bought and the other sold.
    /// Books that are walked as one keep theirs.
    #[inline]
    pub fn require(&mut self, buy: BookSlot, sell: BookSlot, min_edge: Bps) {
        let neighbours = self.neighbours.get(usize::from(buy.0)).map_or(&[][..], Vec::as_slice);
        for at in neighbours.iter().filter(|one| one.other == sell).flat_map(|one| one.directions) {
            if let Some(direction) = self.directions.get_mut(at).filter(|own| own.buy == buy) {
                direction.pair.require(min_edge);
            }
        }
    }

    /// How many directions were looked at so far, a merge counting as one.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// What was counted, direction by direction, in the order of configuration.
    pub fn reports(&self) -> impl Iterator<Item = DirectionReport> {
        let real = self.directions.iter().filter(|direction| direction.buy != direction.sell);
        real.map(|direction| DirectionReport {
            instrument: direction.instrument,
            buy: direction.pair.buy().venue,
            sell: direction.pair.sell().venue,
            opportunities: direction.opportunities,
            depth_limited: direction.depth_limited,
            refused: direction.ledger(),
        })
    }

    /// All refusals together.
    pub fn refused(&self) -> RefusalLedger {
        let mut all = RefusalLedger::default();
        for direction in &self.directions {
            all.merge(&direction.ledger());
        }
        all
    }
}

/// Whether two books may be used, and the first reason why not.
#[inline]
pub(super) fn usable(books: [Option<&Glance>; 2], max_age: [Nanos; 2], now: Nanos) -> Result<(), Refused> {
    let [Some(one), Some(two)] = books else { return Err(Refused::Unsynced) };
    if one.trust != Trust::Live || two.trust != Trust::Live {
        return Err(Refused::Unsynced);
    }
    if one.crossed || two.crossed {
        return Err(Refused::Crossed);
    }
    let old =
        |book: &Glance, bound: Nanos| bound > Nanos::ZERO && now.0.saturating_sub(book.heard.0) > bound.0;
    if old(one, max_age[0]) || old(two, max_age[1]) {
        return Err(Refused::Stale);
    }
    Ok(())
}

/// Whether a book may be used, and the first reason why not.
pub(super) fn fit(book: Option<&Glance>, max_age: Nanos, now: Nanos) -> Result<(), Refused> {
    usable([book, book], [max_age; 2], now)
}

/// A best price of a seat.
#[derive(Clone, Copy)]
pub(super) struct Best {
    pub(super) seat: usize,
    pub(super) weight: i128,
    pub(super) price: Price,
}

/// The two best seats of each side.
#[derive(Default)]
pub(super) struct Tops {
    asks: [Option<Best>; 2],
    bids: [Option<Best>; 2],
}

impl Tops {
    pub(super) fn ask(&mut self, seat: usize, weight: i128, price: Price) {
        Tops::place(&mut self.asks, Best { seat, weight, price }, |new, old| new < old);
    }

    pub(super) fn bid(&mut self, seat: usize, weight: i128, price: Price) {
        Tops::place(&mut self.bids, Best { seat, weight, price }, |new, old| new > old);
    }

    fn place(two: &mut [Option<Best>; 2], new: Best, better: fn(i128, i128) -> bool) {
        if two[0].is_none_or(|best| better(new.weight, best.weight)) {
            *two = [Some(new), two[0]];
        } else if two[1].is_none_or(|best| better(new.weight, best.weight)) {
            two[1] = Some(new);
        }
    }

    /// The best ask and the best bid of two different seats.
    pub(super) fn best(&self) -> Option<(Best, Best)> {
        let (ask, bid) = (self.asks[0]?, self.bids[0]?);
        if ask.seat != bid.seat {
            return Some((ask, bid));
        }
        match (self.asks[1], self.bids[1]) {
            (Some(other), _) if bid.weight >= other.weight => Some((other, bid)),
            (_, Some(second)) if second.weight >= ask.weight => Some((ask, second)),
            (Some(other), Some(second)) => {
                // bid / other > second / ask, in as many bits as products of them fit.
                let [bid_w, ask_w, second_w, other_w] =
                    [bid, ask, second, other].map(|best| best.weight >> 64);
                Some(if bid_w * ask_w > second_w * other_w { (other, bid) } else { (ask, second) })
            }
            (Some(other), None) => Some((other, bid)),
            (None, Some(second)) => Some((ask, second)),
            (None, None) => None,
        }
    }
}

/// Reads the levels of all books of a merge and walks them; they may be newer than what was glanced
/// at, so each is judged again.
#[inline(never)]
pub(super) fn take_merged<B: Books, V: Valued>(
    merge: &Merge,
    seats: &[Watched],
    instrument: InstrumentId,
    mut open: u32,
    books: &mut B,
    now: Nanos,
    valued: &V,
) -> Result<Opportunity, Refused> {
    let mut versions = [[0; 32]; 2];
    for (seat, watched) in seats.iter().enumerate() {
        if open >> seat & 1 == 0 {
            continue;
        }
        // What a buy takes are the asks.
        for side in Side::BOTH {
            let glance = books.load(watched.slot, side.opposite());
            match fit(glance.as_ref(), watched.max_age, now) {
                Ok(()) => versions[side as usize][seat] = glance.map_or(0, |book| book.version),
                Err(_) => open &= !(1 << seat),
            }
        }
    }
    let books = &*books;
    let levels = |seat: usize, side: Side| books.levels(seats[seat].slot, side.opposite());
    let taken = merge.take_valued(open, levels, valued)?;
    taken.opportunity(merge, instrument, now, |seat, side| versions[side as usize][seat]).ok_or(Refused::Risk)
}

pub(super) fn markets(watch: &Watch) -> Vec<Market> {
    watch.books.iter().map(|book| book.market).collect()
}

/// Best ask to buy at, best bid to sell at.
#[inline]
pub(super) fn touch(buy: &Option<Glance>, sell: &Option<Glance>) -> Option<(Price, Price)> {
    Some((buy.as_ref()?.ask?.price, sell.as_ref()?.bid?.price))
}

impl Direction {
    /// Takes what the best levels that were glanced at offer, where they alone tell; `None` where the
    /// levels must be read.
    #[inline]
    fn take_best(
        &mut self,
        buy: &Option<Glance>,
        sell: &Option<Glance>,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) -> Option<Result<(), Refused>> {
        let (buy, sell) = (buy.as_ref()?, sell.as_ref()?);
        if !matches!(self.counts, Counts::Base) {
            return None;
        }
        let taken = match self.pair.take_best(buy.ask?, sell.bid?)? {
            Ok(taken) => taken,
            Err(reason) => return Some(Err(reason)),
        };
        let legs = taken.legs(&self.pair, (buy.version, sell.version), [taken.qty; 2]);
        Some(self.found(&legs, taken.sums(), false, now, out))
    }

    /// Reads the levels and walks them; they may be newer than what was glanced at. What is found goes to
    /// `out`, with sums as `valued` has them.
    #[inline(never)] // off the way of the usual answer, and hot all the same
    pub(super) fn take<B: Books>(
        &mut self,
        books: &mut B,
        max_age: [Nanos; 2],
        now: Nanos,
        valued: impl FnOnce(Sums) -> Option<Sums>,
        out: &mut impl FnMut(&Opportunity),
    ) -> Result<(), Refused> {
        let (buy, sell) = (books.load(self.buy, Side::Sell), books.load(self.sell, Side::Buy));
        usable([buy.as_ref(), sell.as_ref()], max_age, now)?;
        let versions = (buy.map_or(0, |book| book.version), sell.map_or(0, |book| book.version));
        let (asks, bids) = (books.levels(self.buy, Side::Sell), books.levels(self.sell, Side::Buy));
        let (taken, legs): (Taken, _) = match &self.counts {
            Counts::BothContracts => return Err(Refused::Risk),
            Counts::Base => self.pair.take(asks, bids).map(|taken| (taken, [taken.qty; 2]))?,
            Counts::Contracts(side, own) => {
                let (taken, count) = contracts::take(&self.pair, own, *side, asks, bids)?;
                let legs = if *side == Side::Buy { [count, taken.qty] } else { [taken.qty, count] };
                (taken, legs)
            }
        };
        let sums = valued(taken.sums()).ok_or(Refused::Risk)?;
        let legs = taken.legs(&self.pair, versions, legs);
        self.found(&legs, sums, taken.depth_limited, now, out)
    }

    /// Counts what was found, and hands it on: handing it back would copy it once more.
    #[inline(never)]
    fn found(
        &mut self,
        legs: &[Leg; 2],
        sums: Sums,
        depth_limited: bool,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) -> Result<(), Refused> {
        let found = Opportunity::new(self.instrument, now, legs, sums, depth_limited).ok_or(Refused::Risk)?;
        self.opportunities += 1;
        self.depth_limited += u64::from(depth_limited);
        out(&found);
        Ok(())
    }

    #[inline]
    pub(super) fn refuse(&mut self, reason: Refused, touch: Option<(Price, Price)>) {
        let given = &mut self.refused[reason as usize];
        given.count += 1;
        if let Some((ask, bid)) = touch {
            let (best_ask, best_bid) = given.best;
            // bid / ask > best_bid / best_ask; the first always wins against 0 / 0.
            let better =
                i128::from(bid.0) * i128::from(best_ask.0) > i128::from(best_bid.0) * i128::from(ask.0);
            if better || best_ask.0 == 0 {
                given.best = (ask, bid);
            }
        }
    }

    fn ledger(&self) -> RefusalLedger {
        let mut ledger = RefusalLedger::default();
        for (reason, given) in Refused::ALL.into_iter().zip(&self.refused) {
            let (ask, bid) = given.best;
            let best = (ask.0 != 0).then(|| self.pair.edge(ask, bid));
            ledger.add(reason, Entry { count: given.count, best });
        }
        ledger
    }
}
