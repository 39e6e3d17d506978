//! What is looked at by rates: pairs and merges of books whose prices are not all in the common asset.
//!
//! They are apart from the others, so that those cost what they cost without any rate. The rates are
//! read where the books are, one cache line each; only when one told something else are a pair's
//! thresholds worked out again ([`Pair::converted`]). A rate book that moved moves whatever hangs on
//! it: a bounded number of looks at once, the rest when nothing else is to be done, and each of them
//! at least once after the move.
//!
//! A merge is walked once for each asset that its venues have prices in, all prices brought to that
//! one; the walk that earns most is taken. So venues of one asset are compared without conversion,
//! venues of two by the rate between the two, and only a mixture of three or more asks for a little
//! more than it must.

use super::edge::Pair;
use super::merge::{ByRate, Merge, MergeError, brought};
use super::rates::{RatePlan, RateQuote, RateSet, Rates};
use super::scan::{
    BookSlot, Books, Detector, Tops, Watch, Watched, fit, markets, take_merged, touch, usable,
};
use super::{Opportunity, Refused, Sums};
use crate::book::{Glance, Trust};
use crate::types::{Asset, Nanos, Rate, Side, Sides};

/// Looks that one move of a rate may cause at once.
const LOOKS_MAX: usize = 64;

/// A reading of [`Rates::changes`] that never comes.
const NEVER: u64 = u64::MAX;

/// All that needs rates.
#[derive(Default)]
pub(super) struct Crossings {
    rates: Option<Rates>,
    pairs: Vec<Crossing>,
    merges: Vec<CrossedMerge>,
    slots: Vec<OfSlot>,
    /// By rate book.
    hanging: Vec<Hanging>,
}

/// What a book has to do with rates.
#[derive(Clone, Default)]
struct OfSlot {
    /// All its pairs are looked at here, since one of them needs a rate, or it is one itself.
    crossed: bool,
    pairs: Vec<usize>,
    /// The merge that it belongs to, and its seat.
    merge: Option<(usize, usize)>,
    /// It is this rate book.
    rate: Option<usize>,
}

/// What a rate book moves.
#[derive(Clone, Default)]
struct Hanging {
    looks: Vec<Look>,
    /// The next look, and how many are still owed.
    next: usize,
    left: usize,
    /// What it told when its looks were last owed.
    told: u64,
}

#[derive(Clone, Copy)]
enum Look {
    Pair(usize),
    Merge(usize),
}

/// Two books, both ways.
struct Crossing {
    slots: [BookSlot; 2],
    max_age: [Nanos; 2],
    quotes: [Asset; 2],
    /// The direction that buys on the first book, then the other.
    directions: [usize; 2],
    /// The same without any rate.
    plain: [Pair; 2],
    needs: RateSet,
    folded: u64,
    /// By direction: what is sold for, brought to what is paid with; and that in the common asset.
    sold: [Sides; 2],
    common: [Rate; 2],
}

/// Venues with prices in several assets, or not in the common one.
struct CrossedMerge {
    plain: Merge,
    seats: Vec<Watched>,
    /// As in the detector's other merges.
    directions: Vec<usize>,
    needs: RateSet,
    /// One for each asset that there are prices in.
    ways: Vec<Way>,
}

/// A merge with all prices brought to one asset.
struct Way {
    asset: Asset,
    /// What each seat needs.
    needs: Vec<RateSet>,
    /// What the common asset needs.
    to_common: RateSet,
    rates: ByRate,
    merge: Merge,
    folded: u64,
}

impl Crossings {
    pub fn new(plan: Option<&RatePlan>, watches: &[Watch]) -> Crossings {
        let Some(plan) = plan else { return Crossings::default() };
        let rates = Rates::new(plan);
        let slots = watches.iter().flat_map(|watch| watch.books.iter().map(|book| book.slot));
        let slots = slots.chain(plan.books.iter().map(|book| book.slot));
        let count = slots.map(|slot| usize::from(slot.0) + 1).max().unwrap_or(0);
        let mut own = Crossings {
            hanging: vec![Hanging::default(); rates.len()],
            slots: vec![OfSlot::default(); count],
            rates: Some(rates),
            ..Crossings::default()
        };
        for (number, book) in plan.books.iter().enumerate().take(own.hanging.len()) {
            let slot = &mut own.slots[usize::from(book.slot.0)];
            (slot.crossed, slot.rate) = (true, Some(number));
        }
        for watch in watches {
            // One book away from the common asset makes a crossed pair of every other.
            if !own.is_plain(watch) {
                watch.books.iter().for_each(|book| own.slots[usize::from(book.slot.0)].crossed = true);
            }
        }
        own
    }

    /// Nothing needs a rate.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All prices of an instrument are in the common asset, or there are no rates at all.
    pub fn is_plain(&self, watch: &Watch) -> bool {
        self.rates.as_ref().is_none_or(|rates| watch.books.iter().all(|book| book.quote == rates.common()))
    }

    /// The pairs of this book are looked at here.
    pub fn is_crossed(&self, slot: BookSlot) -> bool {
        self.slots.get(usize::from(slot.0)).is_some_and(|slot| slot.crossed)
    }

    /// What a conversion and the common asset need.
    fn needs(&self, from: Asset, to: Asset) -> Result<RateSet, MergeError> {
        let none = MergeError::NoRate(from, to);
        self.rates.as_ref().and_then(|rates| rates.needs(from, to)).ok_or(none)
    }

    fn common(&self) -> Asset {
        self.rates.as_ref().map_or(Asset::EMPTY, Rates::common)
    }

    /// Enters a pair, for those of its books that are `crossed`.
    pub fn add(
        &mut self,
        books: [&Watched; 2],
        crossed: [bool; 2],
        directions: [usize; 2],
        plain: [Pair; 2],
    ) -> Result<(), MergeError> {
        let quotes = books.map(|book| book.quote);
        let mut needs = self.needs(quotes[0], quotes[1])?;
        for quote in quotes {
            needs = needs.and(self.needs(quote, self.common())?);
        }
        let number = self.pairs.len();
        for (book, _) in books.iter().zip(crossed).filter(|(_, crossed)| *crossed) {
            self.slots[usize::from(book.slot.0)].pairs.push(number);
        }
        self.hang(needs, Look::Pair(number), &books.map(|book| book.slot));
        self.pairs.push(Crossing {
            slots: books.map(|book| book.slot),
            max_age: books.map(|book| book.max_age),
            quotes,
            directions,
            plain,
            needs,
            folded: NEVER,
            sold: [Sides::ONE; 2],
            common: [Rate::ONE; 2],
        });
        Ok(())
    }

    /// Notes that these books move a look, but for those that do so anyhow.
    fn hang(&mut self, needs: RateSet, look: Look, own: &[BookSlot]) {
        for book in needs.books() {
            let slot = self.rates.as_ref().and_then(|rates| rates.book(book)).map(|book| book.slot);
            if slot.is_some_and(|slot| !own.contains(&slot)) {
                self.hanging[book].looks.push(look);
            }
        }
    }
}

/// Reads these rate books.
fn refresh<B: Books>(rates: &mut Rates, set: RateSet, books: &mut B) {
    for number in set.books() {
        let Some(slot) = rates.book(number).map(|book| book.slot) else { continue };
        let quote = |glance: Glance| {
            let live = glance.trust == Trust::Live && !glance.crossed;
            let prices = glance.bid.zip(glance.ask).filter(|_| live);
            prices.map(|(bid, ask)| RateQuote { bid: bid.price, ask: ask.price, at: glance.heard })
        };
        rates.tell(number, books.glance(slot).and_then(quote));
    }
}

impl Crossing {
    /// Works the thresholds out anew when a rate told something else.
    fn fold(&mut self, rates: &Rates, pairs: [&mut Pair; 2]) -> Result<(), Refused> {
        let changes = rates.changes(self.needs);
        if changes == self.folded || self.needs.is_empty() {
            return Ok(());
        }
        self.folded = NEVER;
        for (at, pair) in pairs.into_iter().enumerate() {
            let (buy, sell) = (self.quotes[at], self.quotes[1 - at]);
            let rate = rates.sides(sell, buy).zip(rates.fair(buy));
            let (sold, common) = rate.ok_or(Refused::RateUnsynced)?;
            *pair = self.plain[at].converted(sold.low, common).ok_or(Refused::RateUnsynced)?;
            (self.sold[at], self.common[at]) = (sold, common);
        }
        self.folded = changes;
        Ok(())
    }

    /// What a direction's legs are worth in the common asset.
    fn valued(&self, at: usize, sums: Sums) -> Option<Sums> {
        let common = self.common[at];
        let (bought, buy_fees) = brought(Side::Buy, Sides::ONE, common, (sums.bought, sums.buy_fees))?;
        let (sold, sell_fees) = brought(Side::Sell, self.sold[at], common, (sums.sold, sums.sell_fees))?;
        Some(Sums { bought, buy_fees, sold, sell_fees })
    }
}

impl Way {
    /// As [`Crossing::fold`]; a seat whose rate is not known is not walked.
    fn fold(&mut self, rates: &Rates, seats: &[Watched], plain: &Merge, needs: RateSet) -> Option<()> {
        let changes = rates.changes(needs);
        if changes == self.folded {
            return Some(());
        }
        self.folded = NEVER;
        self.rates.common = rates.fair(self.asset)?;
        for (sides, seat) in self.rates.seats.iter_mut().zip(seats) {
            *sides = rates.sides(seat.quote, self.asset);
        }
        plain.convert(&self.rates, &mut self.merge)?;
        self.folded = changes;
        Some(())
    }
}

impl Detector {
    /// Enters the venues of an instrument that are walked as one, by rates.
    pub(super) fn add_crossed_merge(&mut self, watch: &Watch) -> Result<(), MergeError> {
        let plain = Merge::new(&markets(watch), &watch.terms)?;
        let crossings = &self.crossings;
        let mut assets: Vec<_> = watch.books.iter().map(|book| book.quote).collect();
        assets.sort_unstable();
        assets.dedup();
        let (mut ways, mut needs) = (Vec::new(), RateSet::default());
        for asset in assets {
            let to_common = crossings.needs(asset, crossings.common())?;
            let seats = watch.books.iter().map(|book| crossings.needs(book.quote, asset));
            let seats: Vec<_> = seats.collect::<Result<_, _>>()?;
            needs = seats.iter().fold(needs.and(to_common), |all, own| all.and(*own));
            let rates = ByRate { seats: vec![None; watch.books.len()], common: Rate::ONE };
            ways.push(Way { asset, needs: seats, to_common, rates, merge: plain.clone(), folded: NEVER });
        }
        let directions = self.add_directions(watch)?;
        let number = self.crossings.merges.len();
        let slots: Vec<_> = watch.books.iter().map(|book| book.slot).collect();
        for (seat, slot) in slots.iter().enumerate() {
            self.crossings.slots[usize::from(slot.0)].merge = Some((number, seat));
        }
        self.crossings.hang(needs, Look::Merge(number), &slots);
        let seats = watch.books.clone();
        self.crossings.merges.push(CrossedMerge { plain, seats, directions, needs, ways });
        Ok(())
    }

    /// Looks at what a book has to do with rates: its own pairs and merge, and, when it is a rate that
    /// moved, what hangs on it.
    pub(super) fn evaluate_crossed<B: Books>(
        &mut self,
        books: &mut B,
        moved: BookSlot,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) {
        let at = usize::from(moved.0);
        let Some(slot) = self.crossings.slots.get(at) else { return };
        let (count, merge, rate) = (slot.pairs.len(), slot.merge, slot.rate);
        for pair in 0..count {
            let pair = self.crossings.slots[at].pairs[pair];
            self.look_across(books, pair, now, out);
        }
        if let Some((merge, seat)) = merge {
            self.look_around(books, merge, Some(seat), now, out);
        }
        let Some((rate, rates)) = rate.zip(self.crossings.rates.as_mut()) else { return };
        let Some(hanging) = self.crossings.hanging.get_mut(rate) else { return };
        let own = RateSet::of(rate);
        refresh(rates, own, books);
        if rates.changes(own) != hanging.told {
            (hanging.told, hanging.left) = (rates.changes(own), hanging.looks.len());
        }
        self.settle(books, rate, now, out);
    }

    /// A rate book that moved and has looks left to be taken, for [`Detector::resume`].
    pub fn due(&self) -> Option<BookSlot> {
        let rate = self.crossings.hanging.iter().position(|hanging| hanging.left > 0)?;
        self.crossings.rates.as_ref()?.book(rate).map(|book| book.slot)
    }

    /// Takes the next looks that a rate book's move left over: a bounded number.
    pub fn resume<B: Books>(
        &mut self,
        books: &mut B,
        due: BookSlot,
        now: Nanos,
        mut out: impl FnMut(&Opportunity),
    ) {
        let rate = self.crossings.slots.get(usize::from(due.0)).and_then(|slot| slot.rate);
        if let Some(rate) = rate {
            self.settle(books, rate, now, &mut out);
        }
    }

    fn settle<B: Books>(
        &mut self,
        books: &mut B,
        rate: usize,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) {
        for _ in 0..LOOKS_MAX {
            let hanging = &mut self.crossings.hanging[rate];
            if hanging.left == 0 {
                return;
            }
            hanging.left -= 1;
            hanging.next = (hanging.next + 1) % hanging.looks.len();
            match hanging.looks[hanging.next] {
                Look::Pair(pair) => self.look_across(books, pair, now, out),
                Look::Merge(merge) => self.look_around(books, merge, None, now, out),
            }
        }
    }

    /// Looks at one pair, both ways.
    fn look_across<B: Books>(
        &mut self,
        books: &mut B,
        pair: usize,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) {
        let Detector { directions, crossings: Crossings { rates, pairs, .. }, evaluations, .. } = self;
        let (Some(rates), Some(crossing)) = (rates, pairs.get_mut(pair)) else { return };
        refresh(rates, crossing.needs, books);
        let glances = crossing.slots.map(|slot| books.glance(slot));
        let [one, two] = &glances;
        let both = usable([one.as_ref(), two.as_ref()], crossing.max_age, now);
        let both = both.and_then(|()| rates.usable(crossing.needs, now));
        let Ok(own) = directions.get_disjoint_mut(crossing.directions) else { return };
        let [first, second] = own;
        let folded = crossing.fold(rates, [&mut first.pair, &mut second.pair]);
        let both = both.and(folded);
        for (at, direction) in [first, second].into_iter().enumerate() {
            *evaluations += 1;
            let native = touch(&glances[at], &glances[1 - at]);
            let pays = native.is_some_and(|(ask, bid)| direction.pair.pays(ask, bid));
            let refused = match both {
                Err(reason) => reason,
                Ok(()) if !pays => Refused::BelowEdge,
                Ok(()) => {
                    let ages = [crossing.max_age[at], crossing.max_age[1 - at]];
                    match direction.take(books, ages, now, |sums| crossing.valued(at, sums), &mut *out) {
                        Ok(()) => continue,
                        Err(reason) => reason,
                    }
                }
            };
            // Both prices in what is paid with, so that the edge that is given up is the real one.
            let sold = crossing.sold[at].low;
            let touch = native.and_then(|(ask, bid)| Some((ask, sold.price(bid)?)));
            direction.refuse(refused, touch);
        }
    }

    /// Looks at all books of a merge together, as without rates: a book that may not be used, or whose
    /// rate may not be, is left out.
    fn look_around<B: Books>(
        &mut self,
        books: &mut B,
        merge: usize,
        moved: Option<usize>,
        now: Nanos,
        out: &mut impl FnMut(&Opportunity),
    ) {
        let Detector { directions, crossings: Crossings { rates, merges, .. }, evaluations, .. } = self;
        let (Some(rates), Some(crossed)) = (rates, merges.get_mut(merge)) else { return };
        let CrossedMerge { plain, seats, directions: table, needs, ways } = crossed;
        *evaluations += 1;
        refresh(rates, *needs, books);
        let at = moved.unwrap_or_default();
        let direction = |buy: usize, sell: usize| table[buy * seats.len() + sell];
        let other = direction(at, usize::from(at == 0));
        let mut first = None;
        let mut glances = [None; 32];
        for (seat, (glance, watched)) in glances.iter_mut().zip(seats.iter()).enumerate() {
            let now_there = books.glance(watched.slot);
            match fit(now_there.as_ref(), watched.max_age, now) {
                Ok(()) => *glance = now_there,
                Err(reason) if moved == Some(seat) => return directions[other].refuse(reason, None),
                Err(reason) => first = first.or(Some(reason)),
            }
        }
        // The best of the walks; else the refusal of the first of them that came furthest.
        let mut best: Option<(usize, Opportunity)> = None;
        let mut refused = None;
        for way in ways.iter_mut() {
            let (mut open, mut tops) = (0u32, Tops::default());
            let common = rates.usable(way.to_common, now);
            let folded =
                common.and_then(|()| way.fold(rates, seats, plain, *needs).ok_or(Refused::RateUnsynced));
            for (seat, glance) in glances.iter().enumerate().take(seats.len()) {
                let Some(Glance { bid, ask, .. }) = glance else { continue };
                if let Err(reason) = folded.and_then(|()| rates.usable(way.needs[seat], now)) {
                    first = first.or(Some(reason));
                    continue;
                }
                open |= 1 << seat;
                if let Some(ask) = ask {
                    tops.ask(seat, way.merge.weigh(seat, Side::Buy, ask.price), ask.price);
                }
                if let Some(bid) = bid {
                    tops.bid(seat, way.merge.weigh(seat, Side::Sell, bid.price), bid.price);
                }
            }
            if open.count_ones() < 2 {
                continue;
            }
            let Some((ask, bid)) = tops.best() else {
                refused = refused.or(Some((other, Refused::BelowEdge, None)));
                continue;
            };
            let own = direction(ask.seat, bid.seat);
            let sold = rates.sides(seats[bid.seat].quote, seats[ask.seat].quote);
            let touch = sold.and_then(|sold| Some((ask.price, sold.low.price(bid.price)?)));
            if bid.weight < ask.weight {
                refused = refused.or(Some((own, Refused::BelowEdge, touch)));
                continue;
            }
            let instrument = directions[own].instrument;
            match take_merged(&way.merge, seats, instrument, open, books, now, &way.rates) {
                Ok(found) if best.as_ref().is_none_or(|(_, best)| found.sums.net() > best.sums.net()) => {
                    best = Some((own, found));
                }
                Ok(_) => {}
                Err(reason) => refused = Some((own, reason, touch)),
            }
        }
        if let Some((own, found)) = best {
            let own = &mut directions[own];
            own.opportunities += 1;
            own.depth_limited += u64::from(found.depth_limited);
            return out(&found);
        }
        let (own, reason, touch) = refused.unwrap_or((other, first.unwrap_or(Refused::Unsynced), None));
        directions[own].refuse(reason, touch);
    }
}
