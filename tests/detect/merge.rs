//! Many books walked as one: against all units of all books sorted, against the pair, and through
//! the detector.

use super::*;
use xarb::detect::{Leg, Merge, MergeError, Merged};
use xarb::types::Side;

/// A venue's book in whole prices and quantities, its asks above its bids.
#[derive(Clone, Debug)]
struct Seat {
    market: Market,
    asks: Vec<Level>,
    bids: Vec<Level>,
}

/// A seat as drawn: mid, fee, lot, minimums, and the steps and sizes of its asks and bids.
type Drawn = (i64, i64, i64, i64, i64, Vec<(i64, i64)>, Vec<(i64, i64)>);

fn seats(count: std::ops::Range<usize>, lots: i64, mins: i64) -> impl Strategy<Value = Vec<Seat>> {
    let levels = || prop::collection::vec((1..6i64, 0..30i64), 0..5);
    let seat = (985..1_015i64, 0..400_000i64, 1..=lots, 0..=mins, 0..=mins * 1_000, levels(), levels());
    prop::collection::vec(seat, count).prop_map(|seats| {
        let number = |(at, one): (usize, Drawn)| {
            let (mid, fee, lot, min_qty, min_notional, asks, bids) = one;
            let ladder = |steps: Vec<(i64, i64)>, sign: i64| {
                let mut price: i64 = mid;
                steps
                    .into_iter()
                    .map(|(step, qty)| {
                        price += sign * step;
                        Level::new(price, qty)
                    })
                    .collect()
            };
            let mut market = market(at as u8, fee, lot);
            market.min_qty = Qty(min_qty);
            market.min_notional = Money(i128::from(min_notional) * Money::ONE.0);
            Seat { market, asks: ladder(asks, 1), bids: ladder(bids, -1) }
        };
        seats.into_iter().enumerate().map(number).collect()
    })
}

fn whole_terms(min_edge: i64, max_notional: i64, haircut: i64) -> Terms {
    let scale = Scale::new(0).unwrap();
    Terms {
        scale,
        contract: Contract::spot(Asset::new("USDT").unwrap(), scale),
        min_edge: Bps(min_edge),
        max_notional: Money(i128::from(max_notional) * Money::ONE.0),
        haircut: FeeRate(haircut),
    }
}

fn take(seats: &[Seat], terms: &Terms) -> Result<Merged, Refused> {
    let markets: Vec<_> = seats.iter().map(|seat| seat.market).collect();
    let merge = Merge::new(&markets, terms).unwrap();
    merge.take((1 << seats.len()) - 1, |at, side| match side {
        Side::Buy => seats[at].asks.iter().copied(),
        Side::Sell => seats[at].bids.iter().copied(),
    })
}

/// Every unit of every book with its seat, best first, at the haircut.
fn units(seats: &[Seat], side: Side, terms: &Terms) -> Vec<(usize, i128, i128)> {
    let e8 = i128::from(FeeRate::ONE);
    let mut all = Vec::new();
    for (at, seat) in seats.iter().enumerate() {
        let fee = i128::from(seat.market.taker_fee.0);
        let levels = if side == Side::Buy { &seat.asks } else { &seat.bids };
        for level in levels {
            let (price, offered) = (i128::from(level.price.0), level.qty.0 * terms.haircut.0 / FeeRate::ONE);
            let net = if side == Side::Buy { price * (e8 + fee) } else { price * (e8 - fee) };
            all.extend(std::iter::repeat_n((at, price, net), offered as usize));
        }
    }
    // Stable: of equals the first venue's.
    all.sort_by_key(|(_, _, net)| if side == Side::Buy { *net } else { -*net });
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// Without lots and minimums the walk takes as many of the cheapest units as pay against the
    /// dearest ones, unit by unit, and none else.
    #[test]
    fn the_walk_takes_what_sorting_all_units_gives(
        seats in seats(2..6, 1, 0),
        min_edge in 0..50_000_000i64,
        max_notional in 1_000..80_000i64,
        haircut in prop_oneof![Just(FeeRate::ONE), 10_000_000..FeeRate::ONE],
    ) {
        let terms = whole_terms(min_edge, max_notional, haircut);
        let (asks, bids) = (units(&seats, Side::Buy, &terms), units(&seats, Side::Sell, &terms));
        let (mut n, mut bought) = (0, 0i128);
        while let (Some((_, ask, cost)), Some((_, _, brings))) = (asks.get(n), bids.get(n)) {
            let pays = (brings - cost) * 10_000_000_000 >= cost * i128::from(min_edge);
            if !pays || (bought + ask) * Money::ONE.0 > terms.max_notional.0 {
                break;
            }
            bought += ask;
            n += 1;
        }
        // More legs than an order can have are another matter.
        let count = |units: &[(usize, i128, i128)]| units.iter().map(|unit| unit.0).collect::<BTreeSet<_>>().len();
        prop_assume!(count(&asks[..n]) + count(&bids[..n]) <= Opportunity::MAX_LEGS);
        match take(&seats, &terms) {
            Err(reason) => {
                prop_assert_eq!(n, 0, "refused: {:?}", reason);
                prop_assert!(matches!(reason, Refused::BelowEdge | Refused::TooSmall));
            }
            Ok(taken) => {
                for (side, units) in [(Side::Buy, &asks[..n]), (Side::Sell, &bids[..n])] {
                    for at in 0..seats.len() {
                        let own = units.iter().filter(|unit| unit.0 == at);
                        let want = own.clone().next_back().map(|unit| (own.count() as i64, unit.1 as i64));
                        let mut legs = taken.legs().iter().filter(|leg| leg.side == side && leg.seat == at);
                        prop_assert_eq!(legs.next().map(|leg| (leg.qty.0, leg.price.0)), want);
                        prop_assert!(legs.next().is_none());
                    }
                }
                prop_assert_eq!(taken.sums.bought.0, bought * Money::ONE.0);
                let sold: i128 = bids[..n].iter().map(|unit| unit.1).sum();
                prop_assert_eq!(taken.sums.sold.0, sold * Money::ONE.0);
                let fees = |units: &[(usize, i128, i128)]| -> i128 {
                    units.iter().map(|unit| (unit.2 - unit.1 * 100_000_000).abs()).sum()
                };
                prop_assert_eq!(taken.sums.buy_fees.0, fees(&asks[..n]) * 10i128.pow(16));
                prop_assert_eq!(taken.sums.sell_fees.0, fees(&bids[..n]) * 10i128.pow(16));
            }
        }
    }

    /// Two venues walked as one are the pair in the direction that pays.
    #[test]
    fn two_venues_are_the_pair(
        seats in seats(2..3, 4, 9),
        min_edge in 0..50_000_000i64,
        max_notional in 1..80_000i64,
        haircut in prop_oneof![Just(FeeRate::ONE), 0..FeeRate::ONE],
    ) {
        let terms = whole_terms(min_edge, max_notional, haircut);
        let pair = |buy: usize, sell: usize| {
            let pair = Pair::new(seats[buy].market, seats[sell].market, &terms).unwrap();
            let taken = pair.take(seats[buy].asks.iter().copied(), seats[sell].bids.iter().copied())?;
            Ok(taken.opportunity(&pair, InstrumentId(0), Nanos(0), (0, 0)).unwrap())
        };
        let want = match (pair(0, 1), pair(1, 0)) {
            (Ok(found), _) | (_, Ok(found)) => Ok(found),
            (Err(Refused::BelowEdge), Err(reason)) | (Err(reason), Err(_)) => Err(reason),
        };
        let markets = [seats[0].market, seats[1].market];
        let merge = Merge::new(&markets, &terms).unwrap();
        let got = take(&seats, &terms).map(|taken| {
            taken.opportunity(&merge, InstrumentId(0), Nanos(0), |_, _| 0).unwrap()
        });
        prop_assert_eq!(got, want);
    }

    /// Whatever lots, minimums, fees and edges are: what comes out may be sent as it is.
    #[test]
    fn legs_are_what_the_venues_take(
        mut seats in seats(2..11, 7, 12),
        rebate in 0..900_000i64,
        min_edge in -90_000_000..50_000_000i64,
        max_notional in 1..80_000i64,
        haircut in prop_oneof![Just(FeeRate::ONE), 10_000_000..FeeRate::ONE],
    ) {
        seats[0].market.taker_fee = FeeRate(-rebate);
        let terms = whole_terms(min_edge, max_notional, haircut);
        let Ok(taken) = take(&seats, &terms) else { return Ok(()) };
        let legs = taken.legs();
        prop_assert!((2..=Opportunity::MAX_LEGS).contains(&legs.len()));
        let side = |side: Side| legs.iter().filter(move |leg| leg.side == side);
        let sum = |of: Side| side(of).map(|leg| leg.qty.0).sum::<i64>();
        prop_assert_eq!(sum(Side::Buy), sum(Side::Sell));
        let mut sums = [0i128; 2];
        for leg in legs {
            let Seat { market, asks, bids } = &seats[leg.seat];
            prop_assert!(leg.qty.0 % market.lot.0 == 0 && leg.qty >= market.min_qty, "{leg:?}");
            let both = legs.iter().filter(|other| other.seat == leg.seat).count();
            prop_assert_eq!(both, 1, "a venue is on one side, once: {:?}", legs);
            let (mut left, mut value, mut last) = (leg.qty.0, 0i128, 0);
            for level in if leg.side == Side::Buy { asks } else { bids } {
                let part = left.min(level.qty.0 * terms.haircut.0 / FeeRate::ONE);
                if part > 0 {
                    last = level.price.0;
                }
                value += i128::from(part) * i128::from(level.price.0);
                left -= part;
            }
            prop_assert_eq!((left, last), (0, leg.price.0), "the best levels, up to the limit");
            prop_assert!(value * Money::ONE.0 >= market.min_notional.0);
            sums[leg.side as usize] += value * Money::ONE.0;
        }
        prop_assert_eq!((taken.sums.bought.0, taken.sums.sold.0), (sums[0], sums[1]));
        prop_assert!(taken.sums.bought <= terms.max_notional);
        for buy in side(Side::Buy) {
            for sell in side(Side::Sell) {
                let pair = Pair::new(seats[buy.seat].market, seats[sell.seat].market, &terms).unwrap();
                prop_assert!(pair.pays(buy.price, sell.price), "{buy:?} {sell:?}");
            }
        }
    }
}

fn seat(venue: u8, lot: i64, asks: &[(i64, i64)], bids: &[(i64, i64)]) -> Seat {
    let levels = |levels: &[(i64, i64)]| levels.iter().map(|(price, qty)| Level::new(*price, *qty)).collect();
    Seat { market: market(venue, 0, lot), asks: levels(asks), bids: levels(bids) }
}

#[track_caller]
fn check(seats: &[Seat], want: Result<&[(usize, Side, i64, i64)], Refused>) {
    let got = take(seats, &whole_terms(0, 1_000_000, FeeRate::ONE));
    let legs = got.as_ref().map(|taken| {
        taken.legs().iter().map(|leg| (leg.seat, leg.side, leg.qty.0, leg.price.0)).collect::<Vec<_>>()
    });
    assert_eq!(legs.as_deref().map_err(|reason| **reason), want);
}

#[test]
fn several_venues_fill_one_side() {
    use Side::{Buy, Sell};
    check(
        &[
            seat(0, 1, &[(100, 3), (102, 5)], &[(90, 9)]),
            seat(1, 1, &[(101, 4)], &[(91, 9)]),
            seat(2, 1, &[(120, 9)], &[(110, 9)]),
        ],
        Ok(&[(0, Buy, 5, 102), (1, Buy, 4, 101), (2, Sell, 9, 110)]),
    );
    // The coarser lot makes 3 and 4 into 2 and 4 on the one side, and 7 into 6 on the other.
    check(
        &[seat(0, 1, &[(100, 3)], &[]), seat(1, 2, &[(101, 4)], &[]), seat(2, 1, &[], &[(110, 9)])],
        Ok(&[(0, Buy, 2, 100), (1, Buy, 4, 101), (2, Sell, 6, 110)]),
    );
    check(&[seat(0, 1, &[(100, 3)], &[]), seat(1, 1, &[], &[(99, 3)])], Err(Refused::BelowEdge));
    check(&[seat(0, 5, &[(100, 3)], &[]), seat(1, 1, &[], &[(101, 3)])], Err(Refused::TooSmall));
}

#[test]
fn a_venue_below_its_minimum_is_left_out_and_the_others_fill_its_place() {
    use Side::{Buy, Sell};
    let mut seats =
        [seat(0, 1, &[(100, 3)], &[]), seat(1, 1, &[(101, 4), (102, 9)], &[]), seat(2, 1, &[], &[(110, 6)])];
    check(&seats, Ok(&[(0, Buy, 3, 100), (1, Buy, 3, 101), (2, Sell, 6, 110)]));
    seats[0].market.min_qty = Qty(4);
    check(&seats, Ok(&[(1, Buy, 6, 102), (2, Sell, 6, 110)]));
    seats[1].market.min_qty = Qty(7);
    check(&seats, Err(Refused::TooSmall));
    // A coarse lot that its own venue cannot fill does not spoil the others'.
    seats[0].market = market(0, 0, 50);
    seats[1].market = market(1, 0, 1);
    check(&seats, Ok(&[(1, Buy, 6, 102), (2, Sell, 6, 110)]));
}

#[test]
fn no_more_legs_than_an_opportunity_has() {
    let mut seats: Vec<_> = (0..10).map(|at| seat(at, 1, &[(100 + i64::from(at), 1)], &[])).collect();
    seats.push(seat(10, 1, &[], &[(200, 20)]));
    let taken = take(&seats, &whole_terms(0, 1_000_000, FeeRate::ONE)).unwrap();
    assert_eq!(taken.legs().len(), 8);
    assert_eq!(taken.legs()[7].qty.0, 7);
    assert_eq!(taken.legs()[6].seat, 6, "the cheapest seven");
}

#[test]
fn terms_that_cannot_be_merged_are_refused_by_name() {
    let markets = |count: u8| (0..count).map(|venue| market(venue, 0, 1)).collect::<Vec<_>>();
    let terms = terms(0, "1");
    for count in [0, 1, 17] {
        let error = Merge::new(&markets(count), &terms).unwrap_err();
        assert_eq!(error, MergeError::Venues(usize::from(count)));
    }
    let inverse = Terms { contract: Contract { kind: ContractKind::Inverse, ..terms.contract }, ..terms };
    assert_eq!(Merge::new(&markets(3), &inverse).unwrap_err(), MergeError::Pair(PairError::Inverse));
}

/// Three venues behind cells.
struct Three {
    books: Vec<Book>,
    writers: Vec<Writer>,
    cells: Cells,
    detector: Detector,
}

impl Three {
    fn new(merge: bool) -> Three {
        let (writers, readers): (Vec<Writer>, Vec<Reader>) = (0..3).map(|_| cell()).unzip();
        let watched = |slot| Watched {
            slot: BookSlot(slot),
            market: market(slot as u8, 100_000, 1_000),
            quote: Asset::new("USDT").unwrap(),
            max_age: Nanos(MAX_AGE_NS),
        };
        let books = (0..3).map(watched).collect();
        let watch = Watch { instrument: InstrumentId(0), terms: terms(0, "1000"), books, merge };
        Three {
            books: (0..3).map(|_| Book::new(BookConfig::default())).collect(),
            writers,
            cells: Cells::new(readers),
            detector: Detector::new(&[watch]).unwrap(),
        }
    }

    fn set(&mut self, slot: usize, bid: Level, ask: Level, now: i64) {
        let stamp = Stamp { seq: now as u64, received: Nanos(now), venue_time: Nanos::ZERO };
        let touched = self.books[slot].snapshot(&[bid], &[ask], true, 0, stamp).unwrap();
        self.books[slot].publish(touched, &mut self.writers[slot]);
    }

    fn moved(&mut self, slot: u16, now: i64) -> Vec<Vec<(u8, Side, i64)>> {
        let mut found = Vec::new();
        let legs =
            |legs: &[Leg]| legs.iter().map(|leg| (leg.venue.0, leg.side, leg.qty.0 * 10 / ONE)).collect();
        self.detector
            .evaluate(&mut self.cells, BookSlot(slot), Nanos(now), |one| found.push(legs(one.legs())));
        found
    }
}

#[test]
fn a_detector_walks_three_venues_as_one_and_leaves_out_what_is_old() {
    use Side::{Buy, Sell};
    let mut three = Three::new(true);
    assert_eq!(three.moved(0, 1), Vec::<Vec<_>>::new());
    assert_eq!(three.detector.refused().of(Refused::Unsynced).count, 1);
    three.set(0, level(100, 1_000), level(101, 1_000), 10);
    assert_eq!(three.moved(0, 11).len(), 0, "alone");
    assert_eq!(three.detector.refused().of(Refused::Unsynced).count, 2);
    three.set(1, level(100, 1_000), level(102, 1_000), 900);
    assert_eq!(three.moved(1, 901).len(), 0);
    let below = three.detector.refused().of(Refused::BelowEdge);
    // 100 received for 101 paid at the other venue, 10 bp each: the better of the two ways.
    assert_eq!((below.count, below.best.unwrap().to_string()), (1, "-118.792099".to_string()));
    three.set(2, level(105, 1_700), level(106, 1_000), 900);
    let both = vec![vec![(0, Buy, 10), (1, Buy, 7), (2, Sell, 17)]];
    assert_eq!(three.moved(2, 901), both);
    assert_eq!(three.moved(0, 902), both, "whoever of them moved");
    // The first is too old: the others trade without it; when it moves itself, that is the reason.
    assert_eq!(three.moved(2, 1_500), [vec![(1, Buy, 10), (2, Sell, 10)]]);
    assert_eq!(three.moved(0, 1_500).len(), 0);
    assert_eq!(three.detector.refused().of(Refused::Stale).count, 1);
    assert_eq!(three.detector.reports().count(), 6);
    let seen: u64 = three.detector.reports().map(|report| report.opportunities).sum();
    assert_eq!((seen, three.detector.evaluations()), (3, 7));

    let mut pairs = Three::new(false);
    pairs.set(0, level(100, 1_000), level(101, 1_000), 10);
    pairs.set(1, level(100, 1_000), level(102, 1_000), 10);
    pairs.set(2, level(105, 1_700), level(106, 1_000), 10);
    assert_eq!(pairs.moved(2, 11), [vec![(0, Buy, 10), (2, Sell, 10)], vec![(1, Buy, 10), (2, Sell, 10)]]);
}
