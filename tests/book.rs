//! The ladder against a plain sorted map, over random lives of a book.

use std::collections::BTreeMap;

use proptest::prelude::*;
use xarb::book::{
    Book, BookConfig, LEVELS, Ladder, LadderConfig, LadderError, Loss, Stamp, Top, Touched, Trust, cell,
};
use xarb::types::{BookView, Level, Nanos, Price, Side};

/// A book that is too simple to be wrong.
#[derive(Default, Clone)]
struct Plain([BTreeMap<i64, i64>; 2]);

impl Plain {
    fn apply(&mut self, side: Side, levels: &[Level]) {
        for level in levels {
            match level.qty.0 {
                0 => self.0[side as usize].remove(&level.price.0),
                qty => self.0[side as usize].insert(level.price.0, qty),
            };
        }
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        let levels = self.0[side as usize].iter().map(|(price, qty)| Level::new(*price, *qty));
        if side == Side::Buy { levels.rev().collect() } else { levels.collect() }
    }

    fn truncate(&mut self, keep: usize) {
        while self.0[0].len() > keep {
            self.0[0].pop_first();
        }
        while self.0[1].len() > keep {
            self.0[1].pop_last();
        }
    }

    fn is_crossed(&self) -> bool {
        match (self.0[0].last_key_value(), self.0[1].first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }
}

fn same(ladder: &Ladder, plain: &Plain) -> Result<(), TestCaseError> {
    for side in Side::BOTH {
        let want = plain.levels(side);
        prop_assert_eq!(ladder.levels(side).collect::<Vec<_>>(), want.clone(), "{:?}", side);
        prop_assert_eq!(ladder.len(side), want.len());
        prop_assert_eq!(ladder.best_level(side), want.first().copied());
        let mut best = [Level::default(); 7];
        let count = ladder.best(side, &mut best);
        prop_assert_eq!(&best[..count], &want[..want.len().min(7)]);
    }
    prop_assert_eq!(ladder.is_crossed(), plain.is_crossed());
    prop_assert_eq!(ladder.is_empty(), plain.0.iter().all(BTreeMap::is_empty));
    Ok(())
}

/// One step in the life of a book; prices are ticks from where the market stands.
#[derive(Clone, Debug)]
enum Step {
    /// The market moves by this many ticks.
    Move(i64),
    /// A message.
    Apply { bids: Vec<(i64, i64)>, asks: Vec<(i64, i64)>, keep: usize },
    /// Everything anew.
    Snapshot(Vec<(i64, i64)>, Vec<(i64, i64)>),
    /// A side's levels are all removed, best first.
    Empty(bool),
}

fn levels(most: usize) -> impl Strategy<Value = Vec<(i64, i64)>> {
    let distance = prop_oneof![
        6 => -3..12i64,
        3 => -20..200i64,
        2 => -900..3_000i64,
        1 => Just(100_000_000i64),
    ];
    prop::collection::vec((distance, prop_oneof![2 => Just(0i64), 5 => 1..1_000i64]), 0..most)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (-5..5i64).prop_map(Step::Move),
        1 => (-700..700i64).prop_map(Step::Move),
        1 => (-40_000..40_000i64).prop_map(Step::Move),
        20 => (levels(12), levels(12), prop_oneof![5 => Just(0usize), 1 => 1..20usize])
            .prop_map(|(bids, asks, keep)| Step::Apply { bids, asks, keep }),
        1 => (levels(150), levels(150)).prop_map(|(bids, asks)| Step::Snapshot(bids, asks)),
        1 => any::<bool>().prop_map(Step::Empty),
    ];
    prop::collection::vec(step, 1..120)
}

fn live(steps: Vec<Step>, tick: i64, learn: bool, window_ticks: usize) -> Result<(), TestCaseError> {
    let mut ladder = Ladder::new(LadderConfig {
        tick: (!learn).then_some(Price(tick)),
        window_ticks,
        far_capacity: 4_000,
    });
    let mut plain = Plain::default();
    let mut mid = 300_000i64;
    for step in steps {
        let at = |side: Side, levels: &[(i64, i64)], mid: i64| -> Vec<Level> {
            let price = |(distance, qty): &(i64, i64)| {
                let ticks = mid + if side == Side::Buy { -distance - 1 } else { *distance };
                Level::new(ticks.max(1) * tick, *qty)
            };
            levels.iter().map(price).collect()
        };
        match step {
            Step::Move(by) => mid = (mid + by).max(1_000),
            Step::Apply { bids, asks, keep } => {
                let (bids, asks) = (at(Side::Buy, &bids, mid), at(Side::Sell, &asks, mid));
                let touched = ladder.apply(&bids, &asks).unwrap();
                let bid = bids.iter().map(|level| level.price).max();
                let ask = asks.iter().map(|level| level.price).min();
                if learn {
                    // A removal off the tick learnt so far touches nothing.
                    let set = |levels: &[Level]| -> Vec<Price> {
                        levels.iter().filter(|level| level.qty.0 > 0).map(|level| level.price).collect()
                    };
                    prop_assert!(set(&bids).into_iter().all(|price| touched.bid >= price));
                    prop_assert!(set(&asks).into_iter().all(|price| touched.ask <= price));
                } else {
                    prop_assert_eq!(touched.bid, bid.unwrap_or(Touched::NONE.bid));
                    prop_assert_eq!(touched.ask, ask.unwrap_or(Touched::NONE.ask));
                }
                plain.apply(Side::Buy, &bids);
                plain.apply(Side::Sell, &asks);
                if keep > 0 {
                    ladder.truncate(keep);
                    plain.truncate(keep);
                }
            }
            Step::Snapshot(bids, asks) => {
                let (bids, asks) = (at(Side::Buy, &bids, mid), at(Side::Sell, &asks, mid));
                ladder.snapshot(&bids, &asks).unwrap();
                plain = Plain::default();
                plain.apply(Side::Buy, &bids);
                plain.apply(Side::Sell, &asks);
            }
            Step::Empty(buy) => {
                let side = if buy { Side::Buy } else { Side::Sell };
                let gone: Vec<_> =
                    plain.levels(side).iter().map(|level| Level::new(level.price.0, 0)).collect();
                for one in gone {
                    let (bids, asks) = if buy { (vec![one], vec![]) } else { (vec![], vec![one]) };
                    ladder.apply(&bids, &asks).unwrap();
                }
                plain.0[side as usize].clear();
            }
        }
        same(&ladder, &plain)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_ladder_is_a_sorted_map(
        steps in steps(), tick in prop_oneof![Just(1i64), Just(1_000_000), Just(2_500), Just(7)],
        learn in any::<bool>(), window in prop_oneof![Just(128usize), Just(1_000), Just(8_192)],
    ) {
        live(steps, tick, learn, window)?;
    }

    #[test]
    fn a_tick_is_learnt_again_when_a_finer_price_appears(
        coarse in prop::collection::vec((1..400i64, 1..9i64), 1..60),
        messages in prop::collection::vec(prop::collection::vec((1..400_000i64, 0..9i64), 0..8), 0..30),
    ) {
        let mut ladder = Ladder::new(LadderConfig { window_ticks: 256, far_capacity: 1_000, tick: None });
        let coarse: Vec<_> = coarse.into_iter().map(|(ticks, qty)| Level::new(ticks * 100_000, qty)).collect();
        let mut plain = Plain::default();
        ladder.snapshot(&[], &coarse).unwrap();
        plain.apply(Side::Sell, &coarse);
        same(&ladder, &plain)?;
        for (at, message) in messages.into_iter().enumerate() {
            let unit = [100_000, 50_000, 1_000, 250][at % 4];
            let levels: Vec<_> =
                message.into_iter().map(|(ticks, qty)| Level::new(ticks / (unit / 250) * unit + unit, qty)).collect();
            let side = if at % 3 == 0 { Side::Buy } else { Side::Sell };
            match side {
                Side::Buy => ladder.apply(&levels, &[]).unwrap(),
                Side::Sell => ladder.apply(&[], &levels).unwrap(),
            };
            plain.apply(side, &levels);
            same(&ladder, &plain)?;
        }
    }
}

fn ladder(tick: Option<i64>, far_capacity: usize) -> Ladder {
    Ladder::new(LadderConfig { tick: tick.map(Price), window_ticks: 128, far_capacity })
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_empties_the_book() {
    let bad = |level: Level, tick: Option<i64>| {
        let mut ladder = ladder(tick, 4);
        ladder.snapshot(&[Level::new(500, 1)], &[Level::new(510, 1)]).unwrap();
        let error = ladder.apply(&[Level::new(490, 2)], &[Level::new(520, 2), level]).unwrap_err();
        assert!(ladder.is_empty() && ladder.levels(Side::Buy).next().is_none(), "{error}");
        ladder.snapshot(&[Level::new(500, 1)], &[]).unwrap();
        assert_eq!(ladder.best_level(Side::Buy), Some(Level::new(500, 1)));
        error
    };
    for tick in [Some(10), None] {
        for price in [0, -10, i64::MIN] {
            assert_eq!(bad(Level::new(price, 1), tick), LadderError::NotPositive(Price(price)));
        }
        assert_eq!(bad(Level::new(510, -1), tick), LadderError::NegativeQty { price: Price(510), qty: -1 });
    }
    let off = LadderError::OffTick { price: Price(515), tick: Price(10) };
    assert_eq!(bad(Level::new(515, 1), Some(10)), off);
    assert_eq!(off.to_string(), "price 515 is not a multiple of the tick 10");
    assert_eq!(bad(Level::new(515, 0), Some(10)), off);
}

#[test]
fn more_far_levels_than_there_is_room_for_is_an_overflow() {
    for learn in [false, true] {
        let mut ladder = ladder((!learn).then_some(10), 3);
        let far = |i: i64| Level::new(100_000 + i * 10_000, 1);
        let mut asks = vec![Level::new(10, 1), far(1), far(2), far(3)];
        ladder.snapshot(&[], &asks).unwrap();
        assert_eq!(ladder.len(Side::Sell), 4);
        assert_eq!(ladder.apply(&[], &[far(2), Level::new(20, 5)]).map(|t| t.ask), Ok(Price(20)));
        assert_eq!(ladder.apply(&[], &[far(4)]), Err(LadderError::Overflow));
        asks.push(far(4));
        assert_eq!(ladder.snapshot(&[], &asks), Err(LadderError::Overflow));
        assert!(ladder.is_empty());
    }
}

#[test]
fn extreme_prices_have_their_place() {
    for tick in [Some(1), None] {
        let mut ladder = ladder(tick, 10);
        let (low, high) = (Level::new(1, 5), Level::new(i64::MAX, i64::MAX));
        ladder.snapshot(&[low, high], &[high, low]).unwrap();
        assert_eq!(ladder.levels(Side::Buy).collect::<Vec<_>>(), [high, low]);
        assert_eq!(ladder.levels(Side::Sell).collect::<Vec<_>>(), [low, high]);
        assert!(ladder.is_crossed());
    }
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq, received: Nanos(seq as i64 * 1_000), venue_time: Nanos(seq as i64) }
}

fn l(price: i64, qty: i64) -> Level {
    Level::new(price, qty)
}

#[test]
fn a_book_is_live_from_the_first_update_that_joined_to_the_frame_that_broke_it() {
    let (mut writer, reader) = cell();
    let mut book = Book::new(BookConfig::default());
    let glance = || reader.glance().unwrap();
    assert_eq!((glance().trust, glance().version, glance().bid), (Trust::Waiting, 0, None));

    let touched = book.snapshot(&[l(100, 1), l(90, 1)], &[l(110, 2)], false, 0, stamp(5)).unwrap();
    assert!(book.publish(touched, &mut writer));
    assert_eq!((glance().trust, glance().bid), (Trust::Waiting, Some(l(100, 1))));

    let touched = book.update(&[l(100, 3)], &[], 0, stamp(6)).unwrap();
    assert!(book.publish(touched, &mut writer));
    assert_eq!((glance().trust, glance().bid, glance().heard), (Trust::Live, Some(l(100, 3)), Nanos(6_000)));

    let version = reader.version();
    let touched = book.update(&[], &[], 0, stamp(7)).unwrap();
    assert!(!book.publish(touched, &mut writer), "nothing to wake anyone for");
    assert_eq!((glance().heard, reader.version()), (Nanos(7_000), version));

    let touched = book.update(&[l(120, 1)], &[], 0, stamp(8)).unwrap();
    book.publish(touched, &mut writer);
    assert!(glance().crossed && book.crossed_since() == Some(Nanos(8_000)));
    book.checked(Some(true));
    book.checked(None);
    book.checked(Some(false));
    assert!(book.publish(Touched::NONE, &mut writer));
    assert_eq!((glance().trust, book.trust()), (Trust::Lost, Trust::Lost));
    let version = reader.version();
    let touched = book.update(&[l(120, 0)], &[], 0, stamp(9)).unwrap();
    assert!(!book.publish(touched, &mut writer), "lost until a snapshot");
    assert_eq!(reader.version(), version);

    let touched = book.snapshot(&[l(100, 1)], &[l(110, 2)], true, 0, stamp(20)).unwrap();
    assert!(book.publish(touched, &mut writer));
    assert_eq!((glance().trust, glance().crossed), (Trust::Live, false));
    let counters = *book.counters();
    assert_eq!((counters.snapshots, counters.updates, counters.crossed), (2, 4, 1));
    assert_eq!((counters.checksums_ok, counters.checksums_absent, counters.checksums_bad), (1, 1, 1));
}

#[test]
fn a_ticker_hides_better_levels_until_depth_catches_up() {
    let mut book = Book::new(BookConfig::default());
    let bids = [l(100, 1), l(90, 2), l(80, 3)];
    let asks = [l(110, 1), l(120, 2)];
    book.snapshot(&bids, &asks, true, 0, stamp(10)).unwrap();
    let sides = |book: &Book| Side::BOTH.map(|side| book.levels(side).collect::<Vec<_>>());

    assert_eq!(book.ticker(Some(l(95, 9)), Some(l(120, 7)), stamp(10)), None, "depth knows as much");
    assert!(book.ticker(Some(l(95, 9)), Some(l(120, 7)), stamp(12)).is_some());
    let want = [vec![l(95, 9), l(90, 2), l(80, 3)], vec![l(120, 7)]];
    assert_eq!(sides(&book), want);
    let top = book.gather();
    assert_eq!((top.bids(), top.asks()), (&want[0][..], &want[1][..]));
    assert_eq!(book.ticker(Some(l(1, 1)), None, stamp(11)), None, "late");

    // Depth that is still behind changes what lies below; then it catches up.
    book.update(&[l(90, 5), l(99, 1)], &[], 0, stamp(11)).unwrap();
    assert_eq!(sides(&book)[0], [l(95, 9), l(90, 5), l(80, 3)]);
    book.update(&[], &[l(120, 0)], 0, stamp(12)).unwrap();
    assert_eq!(sides(&book), [vec![l(100, 1), l(99, 1), l(90, 5), l(80, 3)], vec![l(110, 1)]]);

    book.ticker(Some(l(70, 1)), None, stamp(13)).unwrap();
    assert_eq!(sides(&book), [vec![l(70, 1)], vec![]]);
    assert_eq!(book.ladder().len(Side::Buy), 4, "depth is untouched");
}

#[test]
fn a_book_without_depth_is_what_its_ticker_says() {
    let mut book = Book::new(BookConfig { ticker_only: true, ..BookConfig::default() });
    assert_eq!(book.trust(), Trust::Waiting);
    let top = |book: &mut Book| (book.gather().bids().to_vec(), book.gather().asks().to_vec());
    for (seq, bid, ask) in [(3, 100, 110), (4, 105, 106), (9, 90, 91)] {
        book.ticker(Some(l(bid, 1)), Some(l(ask, 2)), stamp(seq)).unwrap();
        assert_eq!(top(&mut book), (vec![l(bid, 1)], vec![l(ask, 2)]));
        assert_eq!((book.trust(), book.gather().seq), (Trust::Live, seq));
    }
    book.ticker(Some(l(95, 1)), Some(l(91, 2)), stamp(10)).unwrap();
    assert!(book.gather().crossed);
}

/// What happens to one of two books that are published through one cell.
#[derive(Clone, Debug)]
enum Happening {
    /// How far it trails the ticker, and whether the venue's checksum is compared with it.
    Update(Vec<Level>, Vec<Level>, u64, bool),
    Ticker(Option<Level>, Option<Level>),
    Rehearsal,
    Lost,
}

fn happenings() -> impl Strategy<Value = Vec<(usize, Happening)>> {
    let side = |prices: std::ops::Range<i64>| {
        prop::collection::vec((prices, 0..4i64).prop_map(|(price, qty)| l(price, qty)), 0..6)
    };
    let best = |prices: std::ops::Range<i64>| {
        prop::option::weighted(0.9, (prices, 1..9i64).prop_map(|(p, q)| l(p, q)))
    };
    let one = prop_oneof![
        4 => (side(80..101), side(100..121), 0..4u64, any::<bool>())
            .prop_map(|(bids, asks, lag, checked)| Happening::Update(bids, asks, lag, checked)),
        12 => (best(92..102), best(99..109)).prop_map(|(bid, ask)| Happening::Ticker(bid, ask)),
        6 => Just(Happening::Rehearsal),
        1 => Just(Happening::Lost),
    ];
    prop::collection::vec((prop_oneof![5 => Just(0usize), 1 => Just(1usize)], one), 1..60)
}

proptest! {
    /// However little of a cell a ticker writes, it holds the top of the book that was published last.
    #[test]
    fn what_is_published_is_the_top_of_the_book(happenings in happenings()) {
        let (mut writer, reader) = cell();
        let mut books = [0, 1].map(|_| Book::new(BookConfig::default()));
        let deep = |from: i64, step: i64| (0..20).map(|at| l(from + at * step, 1)).collect::<Vec<_>>();
        for book in &mut books {
            book.snapshot(&deep(100, -1), &deep(101, 1), true, 0, stamp(1)).unwrap();
        }
        for (seq, (at, happening)) in (2u64..).zip(happenings) {
            let book = &mut books[at];
            let touched = match happening {
                Happening::Update(bids, asks, lag, checked) => {
                    let touched = book.update(&bids, &asks, 0, stamp(seq.saturating_sub(lag))).unwrap();
                    if checked {
                        let _ = book.depth();
                    }
                    Some(touched)
                }
                Happening::Ticker(bid, ask) => book.ticker(bid, ask, stamp(seq)),
                Happening::Rehearsal => {
                    let all = |book: &Book| Side::BOTH.map(|side| book.levels(side).collect::<Vec<_>>());
                    let before = (book.glance(), all(book));
                    book.rehearse();
                    prop_assert_eq!((book.glance(), all(book)), before);
                    None
                }
                Happening::Lost => {
                    book.lost(Loss::Gap);
                    writer.withdraw(Trust::Lost);
                    book.snapshot(&deep(100, -1), &deep(101, 1), true, 0, stamp(seq)).unwrap();
                    None
                }
            };
            // A touch that is none of the best levels leaves the cell as it is, which may be the other
            // book's.
            if !touched.is_some_and(|touched| book.publish(touched, &mut writer)) {
                continue;
            }
            let mut top = Top::default();
            prop_assert!(reader.read(&mut top));
            let want = Side::BOTH.map(|side| book.levels(side).take(LEVELS).collect::<Vec<_>>());
            prop_assert_eq!([top.bids(), top.asks()], [&want[0][..], &want[1][..]]);
            prop_assert_eq!((top.trust, top.crossed), (book.trust(), book.crossed_since().is_some()));
            prop_assert_eq!((top.received, top.venue_time), (book.stamp().received, book.stamp().venue_time));
        }
    }
}
