//! Edges against a reference written from the rule with nothing clever in it, the detector over
//! published cells, and the ring of moved books.

#[path = "detect/merge.rs"]
mod merge;
#[path = "detect/quotes.rs"]
mod quotes;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::prelude::*;
use xarb::book::{Book, BookConfig, Reader, Stamp, Writer, cell};
use xarb::detect::{
    BookSlot, Cells, Contracts, Detector, Entry, Market, Opportunity, Own, Pair, PairError, Refused, Terms,
    Watch, Watched, ring,
};
use xarb::types::{
    Asset, Bps, Contract, ContractKind, FeeRate, InstrumentId, Level, Money, Nanos, Price, Qty, Scale, Side,
    VenueId,
};

const ONE: i64 = 100_000_000;

fn market(venue: u8, fee: i64, lot: i64) -> Market {
    Market {
        venue: VenueId(venue),
        taker_fee: FeeRate(fee),
        lot: Qty(lot),
        min_qty: Qty(lot),
        min_notional: Money::ZERO,
    }
}

fn terms(min_edge: i64, max_notional: &str) -> Terms {
    let quote = Asset::new("USDT").unwrap();
    Terms {
        scale: Scale::DEFAULT,
        contract: Contract::spot(quote, Scale::DEFAULT),
        min_edge: Bps(min_edge),
        max_notional: Money::parse(max_notional).unwrap(),
        haircut: FeeRate(FeeRate::ONE),
    }
}

/// A level in whole prices and quantities of a thousandth.
fn level(price: i64, milli: i64) -> Level {
    Level::new(price * ONE, milli * ONE / 1_000)
}

/// A rate as a fraction.
type Fraction = (i128, i128);

/// What can be taken: quantity, worst ask and bid, value bought and sold in whole units, and whether
/// the levels ran out.
type Reference = Result<(i64, i64, i64, i128, i128, bool), Refused>;

/// The rule, unit by unit of quantity: every smallest unit is a slice of its own. Works with small
/// integers only: scale 0, where price and quantity are whole.
fn reference(markets: (&Market, &Market), terms: &Terms, asks: &[Level], bids: &[Level]) -> Reference {
    reference_at(markets, terms, ((1, 1), (1, 1)), asks, bids).expect("no rate, no rounding")
}

/// The same with what is sold brought to what is paid with at the first rate, and the cap in what a
/// unit of the latter is worth by the second. `None` when an edge is so near to the least one that
/// the thresholds' own rounding may decide.
fn reference_at(
    (buy, sell): (&Market, &Market),
    terms: &Terms,
    (rate, cap): (Fraction, Fraction),
    asks: &[Level],
    bids: &[Level],
) -> Option<Reference> {
    let e8 = i128::from(FeeRate::ONE);
    let sides = |ask: i128, bid: i128| {
        let brings = bid * (e8 - i128::from(sell.taker_fee.0)) * 10_000_000_000 * rate.0;
        let costs =
            ask * (e8 + i128::from(buy.taker_fee.0)) * (10_000_000_000 + i128::from(terms.min_edge.0));
        (brings, costs * rate.1)
    };
    let pays = |ask: i128, bid: i128| {
        let (brings, costs) = sides(ask, bid);
        brings >= costs
    };
    let unclear = |ask: i128, bid: i128| {
        let (brings, costs) = sides(ask, bid);
        rate != (1, 1) && (brings - costs).abs() <= costs >> 45
    };
    let fits = |bought: i128| bought * cap.0 * Money::ONE.0 <= terms.max_notional.0 * cap.1;
    let units = |levels: &[Level]| -> Vec<i128> {
        let offered = |level: &Level| level.qty.0 * terms.haircut.0 / FeeRate::ONE;
        levels.iter().flat_map(|l| std::iter::repeat_n(i128::from(l.price.0), offered(l) as usize)).collect()
    };
    let (asks, bids) = (units(asks), units(bids));
    let (mut taken, mut bought, mut limited) = (0usize, 0i128, false);
    loop {
        let (Some(ask), Some(bid)) = (asks.get(taken), bids.get(taken)) else {
            limited = taken > 0;
            break;
        };
        if unclear(*ask, *bid) {
            return None;
        }
        if !pays(*ask, *bid) || !fits(bought + ask) {
            break;
        }
        bought += ask;
        taken += 1;
        // Not another unit fits, of whatever price.
        if !fits(bought + 1) {
            break;
        }
    }
    if taken == 0 {
        let pays = asks.first().zip(bids.first()).is_some_and(|(ask, bid)| pays(*ask, *bid));
        return Some(Err(if pays { Refused::TooSmall } else { Refused::BelowEdge }));
    }
    let lot = (1..).find(|lot| lot % buy.lot.0 == 0 && lot % sell.lot.0 == 0).unwrap();
    let qty = taken as i64 / lot * lot;
    if qty == 0 || qty < buy.min_qty.0 || qty < sell.min_qty.0 {
        return Some(Err(Refused::TooSmall));
    }
    let n = qty as usize;
    let (bought, sold): (i128, i128) = (asks[..n].iter().sum(), bids[..n].iter().sum());
    if bought * Money::ONE.0 < buy.min_notional.0 || sold * Money::ONE.0 < sell.min_notional.0 {
        return Some(Err(Refused::TooSmall));
    }
    Some(Ok((qty, asks[n - 1] as i64, bids[n - 1] as i64, bought, sold, limited)))
}

fn side(prices: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Level>> {
    prop::collection::btree_map(prices, 0..40i64, 0..8)
        .prop_map(|levels| levels.into_iter().map(|(price, qty)| Level::new(price, qty)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn edges_follow_the_rule_to_the_letter(
        asks in side(900..1_010), mut bids in side(980..1_100),
        fees in (-200_000..900_000i64, -200_000..900_000i64),
        lots in (1..5i64, 1..5i64),
        min_qty in (0..9i64, 0..9i64),
        min_notional in (0..9_000i64, 0..9_000i64),
        min_edge in -50_000_000..200_000_000i64,
        max_notional in 1..60_000i64,
        haircut in prop_oneof![Just(FeeRate::ONE), 0..FeeRate::ONE],
    ) {
        bids.reverse();
        let mut buy = market(0, fees.0, lots.0);
        let mut sell = market(1, fees.1, lots.1);
        (buy.min_qty, sell.min_qty) = (Qty(min_qty.0), Qty(min_qty.1));
        (buy.min_notional, sell.min_notional) =
            (Money(i128::from(min_notional.0) * Money::ONE.0), Money(i128::from(min_notional.1) * Money::ONE.0));
        let scale = Scale::new(0).unwrap();
        let terms = Terms {
            scale,
            contract: Contract::spot(Asset::new("USDT").unwrap(), scale),
            min_edge: Bps(min_edge),
            max_notional: Money(i128::from(max_notional) * Money::ONE.0),
            haircut: FeeRate(haircut),
        };
        let pair = Pair::new(buy, sell, &terms).unwrap();
        let got = pair.take(asks.iter().copied(), bids.iter().copied());
        let want = reference((&buy, &sell), &terms, &asks, &bids);
        if let (Some(ask), Some(bid)) = (asks.first(), bids.first())
            && pair.pays(ask.price, bid.price)
            && let Some(best) = pair.take_best(*ask, *bid)
        {
            prop_assert_eq!(best, got, "by the best levels alone");
        }
        match (got, want) {
            (Ok(taken), Ok((qty, buy_price, sell_price, bought, sold, limited))) => {
                prop_assert_eq!((taken.qty, taken.buy_price, taken.sell_price), (Qty(qty), Price(buy_price), Price(sell_price)));
                prop_assert_eq!((taken.bought.0, taken.sold.0), (bought * Money::ONE.0, sold * Money::ONE.0));
                prop_assert_eq!(taken.depth_limited, limited);
                // Fees in units of 1e-8, rounded up: whole quote units times a rate in 1e-8 are exact.
                prop_assert_eq!(taken.buy_fee.0, bought * i128::from(fees.0) * 10i128.pow(16));
                prop_assert_eq!(taken.sell_fee.0, sold * i128::from(fees.1) * 10i128.pow(16));
                let found = taken.opportunity(&pair, InstrumentId(3), Nanos(7), (4, 5)).unwrap();
                let net = (sold - bought) * 100_000_000 - bought * i128::from(fees.0) - sold * i128::from(fees.1);
                let cost = bought * (100_000_000 + i128::from(fees.0));
                prop_assert_eq!(found.sums.net().0, net * 10i128.pow(16));
                prop_assert_eq!(i128::from(found.sums.net_bps().0), (net * 10_000_000_000).div_euclid(cost));
                prop_assert_eq!(i128::from(found.sums.gross_bps().0), ((sold - bought) * 10_000_000_000).div_euclid(bought));
            }
            (got, want) => prop_assert_eq!(got.map(|_| ()), want.map(|_| ())),
        }
    }

    #[test]
    fn nothing_overflows_whatever_the_book_says(
        asks in prop::collection::vec((any::<i64>(), any::<i64>()), 0..4),
        bids in prop::collection::vec((any::<i64>(), any::<i64>()), 0..4),
        fees in (-99_999_999..100_000_000i64, -99_999_999..100_000_000i64),
        haircut in prop_oneof![Just(FeeRate::ONE), 0..FeeRate::ONE],
        min_edge in -9_999_999_999..=10_000_000_000i64,
        (kind, multiplier) in prop_oneof![Just((ContractKind::Spot, 1)), (1..i64::MAX).prop_map(|m| (ContractKind::Linear, m))],
        digits in 0..=12u8,
        cap in prop_oneof![1..i128::MAX, Just(1i128)],
    ) {
        let scale = Scale::new(digits).unwrap();
        let terms = Terms {
            scale,
            contract: Contract { kind, multiplier, wire_unit: ONE, settle: Asset::new("USDT").unwrap() },
            min_edge: Bps(min_edge),
            max_notional: Money(cap),
            haircut: FeeRate(haircut),
        };
        let levels = |raw: &[(i64, i64)]| raw.iter().map(|(p, q)| Level::new(*p, *q)).collect::<Vec<_>>();
        if let Ok(pair) = Pair::new(market(0, fees.0, 1), market(1, fees.1, 3), &terms) {
            let (asks, bids) = (levels(&asks), levels(&bids));
            if let Ok(taken) = pair.take(asks.iter().copied(), bids.iter().copied()) {
                prop_assert!(taken.bought <= terms.max_notional);
                taken.opportunity(&pair, InstrumentId(0), Nanos(0), (0, 0));
            }
            for (ask, bid) in asks.iter().zip(&bids) {
                pair.edge(ask.price, bid.price);
                if pair.pays(ask.price, bid.price)
                    && let Some(best) = pair.take_best(*ask, *bid)
                {
                    let alone = pair.take([*ask].into_iter(), [*bid].into_iter());
                    prop_assert_eq!(best, alone);
                }
            }
        }
    }
}

#[test]
fn a_pair_of_books_is_worth_what_can_be_worked_out_by_hand() {
    // 10 bp on each side: 100.1 paid against 100.899 received for the first slice.
    let pair = |min_edge, cap: &str| {
        Pair::new(market(0, 100_000, 1_000), market(1, 100_000, 100_000), &terms(min_edge, cap))
    };
    let asks = [level(100, 500), level(101, 1_000)];
    let bids = [level(101, 300), level(100, 9_000)];
    let take = |min_edge, cap: &str| {
        let pair = pair(min_edge, cap).unwrap();
        let taken = pair.take(asks.into_iter(), bids.into_iter())?;
        Ok(taken.opportunity(&pair, InstrumentId(0), Nanos(0), (1, 2)).unwrap())
    };
    let shown = |found: Result<Opportunity, Refused>| {
        found.map(|o| {
            let buy = o.legs()[0].qty.0;
            format!("{buy} {} {} {} {}", o.sums.gross_bps(), o.sums.net_bps(), o.sums.net(), o.depth_limited)
        })
    };
    for (min_edge, cap, want) in [
        (0, "1000", Ok("30000000 100.000000 79.820179 0.2397 false")),
        (79 * Bps::ONE, "1000", Ok("30000000 100.000000 79.820179 0.2397 false")),
        (80 * Bps::ONE, "1000", Err(Refused::BelowEdge)),
        // 12.345 buys 0.12345 at 100, rounded down to the coarser lot of 0.001.
        (0, "12.345", Ok("12300000 100.000000 79.820179 0.098277 false")),
        (0, "0.05", Err(Refused::TooSmall)),
        // At any loss up to 1 %: 0.5 bought at 100, then 101 paid for 100 is below it.
        (-100 * Bps::ONE, "1000", Ok("50000000 60.000000 39.900099 0.1997 false")),
        (-300 * Bps::ONE, "1000", Ok("150000000 -46.357616 -66.245014 -1.0013 true")),
    ] {
        let got = shown(take(min_edge, cap));
        assert_eq!(got, want.map(String::from), "{min_edge} {cap}");
    }
}

#[test]
fn terms_out_of_range_are_refused_by_name() {
    let plain = market(0, 0, 1);
    let inverse = Terms {
        contract: Contract { kind: ContractKind::Inverse, ..terms(0, "1").contract },
        ..terms(0, "1")
    };
    for (buy, terms, want) in [
        (market(0, ONE, 1), terms(0, "1"), PairError::Fee(ONE)),
        (market(0, 0, 0), terms(0, "1"), PairError::Lots(0, 1)),
        (plain, terms(0, "0"), PairError::MaxNotional(Money::ZERO)),
        (plain, terms(-10_000_000_000, "1"), PairError::MinEdge(Bps(-10_000_000_000))),
        (plain, Terms { haircut: FeeRate(-1), ..terms(0, "1") }, PairError::Haircut(-1)),
        (plain, inverse, PairError::Inverse),
    ] {
        assert_eq!(Pair::new(buy, plain, &terms).unwrap_err(), want);
    }
}

#[test]
fn a_linear_contract_is_valued_by_its_multiplier() {
    let contract = Contract { kind: ContractKind::Linear, multiplier: ONE / 1_000, ..terms(0, "1").contract };
    let terms = Terms { contract, ..terms(0, "1") };
    let pair = Pair::new(market(0, 0, ONE), market(1, 0, ONE), &terms).unwrap();
    // Contracts of a thousandth: the cap of 1 buys ten at 100.
    let taken = pair.take([level(100, 50_000)].into_iter(), [level(101, 50_000)].into_iter()).unwrap();
    assert_eq!((taken.qty, taken.bought), (Qty(10 * ONE), Money::ONE));
    assert_eq!(taken.sold.to_string(), "1.01");
}

/// Two venues with a cell each, and a detector over them.
struct Desk {
    books: [Book; 2],
    writers: [Writer; 2],
    cells: Cells,
    detector: Detector,
    seq: u64,
}

const MAX_AGE_NS: i64 = 1_000;

impl Desk {
    fn new() -> Desk {
        let (writers, readers): (Vec<Writer>, Vec<Reader>) = (0..2).map(|_| cell()).unzip();
        let watched = |slot, fee| Watched {
            slot: BookSlot(slot),
            market: market(slot as u8, fee, 1_000),
            quote: Asset::new("USDT").unwrap(),
            max_age: Nanos(MAX_AGE_NS),
        };
        let watch = Watch {
            instrument: InstrumentId(0),
            terms: terms(0, "1000"),
            books: vec![watched(0, 100_000), watched(1, 200_000)],
            merge: false,
        };
        Desk {
            books: [0, 1].map(|_| Book::new(BookConfig::default())),
            writers: writers.try_into().unwrap_or_else(|_| unreachable!()),
            cells: Cells::new(readers),
            detector: Detector::new(&[watch]).unwrap(),
            seq: 0,
        }
    }

    fn set(&mut self, slot: u16, bid: Level, ask: Level, live: bool, now: i64) {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, received: Nanos(now), venue_time: Nanos::ZERO };
        let at = usize::from(slot);
        let touched = self.books[at].snapshot(&[bid], &[ask], live, 0, stamp).unwrap();
        self.books[at].publish(touched, &mut self.writers[at]);
    }

    /// What is found through the cells, which must be what is found in the books themselves.
    fn moved(&mut self, slot: u16, now: i64) -> Vec<Opportunity> {
        let mut found = Vec::new();
        self.detector.evaluate(&mut self.cells, BookSlot(slot), Nanos(now), |one| found.push(*one));
        found
    }

    fn refused(&self, reason: Refused) -> Entry {
        self.detector.refused().of(reason)
    }
}

/// One book of inverse contracts is set against the base asset; two of them are not compared, whichever
/// is told of first: their quantities would be taken for the base asset.
#[test]
fn two_books_of_inverse_contracts_are_not_compared() {
    let contracts = Contracts { face: 10 * ONE, lot: Qty(ONE), min_qty: Qty(ONE), scale: Scale::DEFAULT };
    for (slots, found) in
        [(&[0][..], 1), (&[1], 1), (&[0, 0], 1), (&[0, 1], 0), (&[1, 0], 0), (&[0, 1, 0], 0)]
    {
        let mut desk = Desk::new();
        slots.iter().for_each(|slot| desk.detector.count_contracts(BookSlot(*slot), contracts));
        desk.set(0, level(100, 50_000), level(101, 50_000), true, 10);
        desk.set(1, level(102, 50_000), level(103, 50_000), true, 20);
        assert_eq!(desk.moved(1, 30).len(), found, "{slots:?}");
        assert_eq!(desk.refused(Refused::Risk).count, 1 - found as u64, "{slots:?}");
    }
}

#[test]
fn a_detector_looks_both_ways_and_counts_what_it_refuses() {
    let mut desk = Desk::new();
    assert_eq!(desk.moved(0, 0), []);
    assert_eq!(desk.refused(Refused::Unsynced), Entry { count: 2, best: None });

    desk.set(0, level(100, 1_000), level(101, 1_000), true, 10);
    desk.set(1, level(102, 500), level(103, 1_000), true, 20);
    let found = desk.moved(1, 30);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    let legs: Vec<_> = found
        .legs()
        .iter()
        .map(|leg| (leg.venue.0, leg.side, leg.price, leg.qty, leg.book_version))
        .collect();
    assert_eq!(
        legs,
        [
            (0, Side::Buy, level(101, 0).price, Qty(ONE / 2), 1),
            (1, Side::Sell, level(102, 0).price, Qty(ONE / 2), 1),
        ]
    );
    assert!(found.depth_limited);
    // The other way: 100 received for 103 paid, and fees of 10 and 20 bp.
    let below = desk.refused(Refused::BelowEdge);
    assert_eq!((below.count, below.best.unwrap().to_string()), (1, "-320.330214".to_string()));

    assert_eq!(desk.moved(0, 10 + MAX_AGE_NS).len(), 1, "as old as it may be");
    assert_eq!(desk.moved(0, 11 + MAX_AGE_NS), []);
    let stale = desk.refused(Refused::Stale);
    assert_eq!((stale.count, stale.best.unwrap().0 > 0), (2, true));

    desk.set(0, level(104, 1_000), level(101, 1_000), true, 40);
    assert_eq!(desk.moved(0, 50), []);
    assert_eq!(desk.refused(Refused::Crossed).count, 2);
    desk.set(0, level(100, 1_000), level(101, 1_000), false, 60);
    assert_eq!(desk.moved(1, 70), [], "not live yet");
    assert_eq!(desk.refused(Refused::Unsynced).count, 4);

    assert_eq!(desk.moved(7, 70), [], "nobody's book");
    let reports: Vec<_> =
        desk.detector.reports().map(|r| (r.buy.0, r.sell.0, r.opportunities, r.depth_limited)).collect();
    assert_eq!(reports, [(0, 1, 2, 2), (1, 0, 0, 0)]);
    assert_eq!(desk.detector.evaluations(), 12);
}

#[test]
fn cells_and_books_tell_the_same() {
    let mut desk = Desk::new();
    desk.set(0, level(100, 1_000), level(101, 1_000), true, 10);
    desk.set(1, level(102, 500), level(103, 1_000), true, 20);
    let through_cells = desk.moved(0, 30);
    let mut direct = Vec::new();
    desk.detector.evaluate(&mut Own(&desk.books), BookSlot(0), Nanos(30), |one| direct.push(*one));
    assert_eq!(through_cells, direct);
    assert_eq!(direct.len(), 1);
}

#[test]
fn books_come_out_once_a_round_in_order() {
    let (notifier, mut taker) = ring(200);
    assert_eq!(taker.take(), None);
    for book in [199, 3, 64, 3, 0, 130] {
        notifier.clone().moved(book);
    }
    assert!(!notifier.moved(64), "conflated");
    assert!(!notifier.moved(9_999), "no such book");
    let mut taken = Vec::new();
    while let Some(book) = taker.take() {
        taken.push(book);
    }
    assert_eq!(taken, [0, 3, 64, 130, 199]);
    assert!(notifier.moved(64));
    assert_eq!((taker.take(), taker.take()), (Some(64), None));
    assert_eq!(ring(0).1.take(), None);
}

#[test]
fn nothing_is_lost_between_threads() {
    let (notifier, mut taker) = ring(130);
    let newest: Vec<_> = (0..130).map(|_| AtomicU64::new(0)).collect();
    let mut seen = [0; 130];
    std::thread::scope(|scope| {
        for thread in 0..2u16 {
            let (notifier, newest) = (notifier.clone(), &newest);
            scope.spawn(move || {
                for round in 1..=200u64 {
                    for book in (thread * 65)..(thread * 65 + 65) {
                        newest[usize::from(book)].store(round, Relaxed);
                        notifier.moved(book);
                    }
                }
            });
        }
        while seen.iter().any(|round| *round < 200) {
            match taker.take() {
                Some(book) => seen[usize::from(book)] = newest[usize::from(book)].load(Relaxed),
                None => std::thread::yield_now(),
            }
        }
    });
    let left: BTreeSet<_> = std::iter::from_fn(|| taker.take()).collect();
    assert!(left.len() <= 130);
}
