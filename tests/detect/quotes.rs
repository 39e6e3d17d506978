//! Books whose prices are in different assets: pairs and merges at exact rates against brute force,
//! and the detector with its rate books.

use super::*;
use xarb::detect::{ByRate, Merge, RateBook, RatePlan, Sums};
use xarb::types::{Rate, Round, Sides};

fn rate((num, den): Fraction) -> Rate {
    Rate::new(num as u128, den as u128, Round::Down).unwrap()
}

fn asset(name: &str) -> Asset {
    Asset::new(name).unwrap()
}

fn whole_terms(min_edge: i64, max_notional: i64) -> Terms {
    let scale = Scale::new(0).unwrap();
    Terms {
        scale,
        contract: Contract::spot(asset("USD"), scale),
        min_edge: Bps(min_edge),
        max_notional: Money(i128::from(max_notional) * Money::ONE.0),
        haircut: FeeRate(FeeRate::ONE),
    }
}

fn fraction(upto: i128) -> impl Strategy<Value = Fraction> {
    (1..upto, 1..upto)
}

/// Levels at about so much times a hundredth.
fn near(percent: std::ops::Range<i64>) -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((percent, 0..40i64), 0..7)
}

/// Prices of about `mid`, each once, best first.
fn ladder(levels: &[(i64, i64)], mid: i64, rising: bool) -> Vec<Level> {
    let priced = levels.iter().map(|(percent, qty)| (percent * mid / 1_000, *qty));
    let sorted: std::collections::BTreeMap<i64, i64> = priced.filter(|(price, _)| *price > 0).collect();
    let mut all: Vec<_> = sorted.into_iter().map(|(price, qty)| Level::new(price, qty)).collect();
    if !rising {
        all.reverse();
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn a_pair_across_assets_follows_the_rule_to_the_letter(
        sold in fraction(60), cap in fraction(60),
        asks in near(900..1_010), bids in near(980..1_100),
        fees in (-200_000..900_000i64, -200_000..900_000i64),
        lots in (1..5i64, 1..5i64),
        min_qty in 0..9i64,
        min_edge in -50_000_000..200_000_000i64,
        max_notional in 1..600_000i64,
    ) {
        let mid = 3_000i64;
        let asks = ladder(&asks, mid, true);
        let bids = ladder(&bids, (i128::from(mid) * sold.1 / sold.0) as i64, false);
        let mut buy = market(0, fees.0, lots.0);
        let sell = market(1, fees.1, lots.1);
        buy.min_qty = Qty(min_qty);
        let terms = whole_terms(min_edge, max_notional);
        let pair = Pair::new(buy, sell, &terms).unwrap().converted(rate(sold), rate(cap)).unwrap();
        let Some(want) = reference_at((&buy, &sell), &terms, (sold, cap), &asks, &bids) else {
            return Err(TestCaseError::reject("too near"));
        };
        let got = pair.take(asks.iter().copied(), bids.iter().copied());
        let got = got.map(|taken| {
            let whole = |value: Money| value.0 / Money::ONE.0;
            let (bought, sold) = (whole(taken.bought), whole(taken.sold));
            (taken.qty.0, taken.buy_price.0, taken.sell_price.0, bought, sold, taken.depth_limited)
        });
        prop_assert_eq!(got, want);
    }

    /// As [`super::merge`] has it for one asset: without lots and minimums the walk takes as many of
    /// the cheapest units as pay against the dearest ones, all brought to one asset.
    #[test]
    fn a_merge_across_assets_takes_what_sorting_all_units_gives(
        seats in prop::collection::vec(
            ((980..1_020i64), 0..400_000i64, fraction(40), 0..300i128, near(1_000..1_030), near(970..1_000)), 2..5),
        min_edge in 0..50_000_000i64,
    ) {
        // What a seat's asset brings, and costs: so much more, in ten thousandths.
        let sides = |(low, more): (Fraction, i128)| {
            let high = (low.0 * (10_000 + more), low.1 * 10_000);
            let up = Rate::new(high.0 as u128, high.1 as u128, Round::Up).unwrap();
            (Sides { low: rate(low), fair: rate(low), high: up }, low, high)
        };
        let markets: Vec<_> =
            seats.iter().enumerate().map(|(at, seat)| market(at as u8, seat.1, 1)).collect();
        let rates: Vec<_> = seats.iter().map(|seat| sides((seat.2, seat.3))).collect();
        let book = |at: usize, side: Side| {
            let (mid, _, low, _, asks, bids) = &seats[at];
            let mid = (i128::from(*mid) * 4 * low.1 / low.0) as i64;
            if side == Side::Buy { ladder(asks, mid, true) } else { ladder(bids, mid, false) }
        };
        let terms = whole_terms(min_edge, 1_000_000_000);
        let by = ByRate { seats: rates.iter().map(|rate| Some(rate.0)).collect(), common: Rate::ONE };
        let merge = Merge::new(&markets, &terms).unwrap().converted(&by).unwrap();
        let got = merge.take_converted((1 << seats.len()) - 1, |at, side| book(at, side).into_iter(), &by);

        // What each unit costs or brings over one denominator, all of them together.
        let common: i128 = rates.iter().map(|(_, low, _)| low.1).product::<i128>() * 10_000;
        let e8 = i128::from(FeeRate::ONE);
        let units = |side: Side| {
            let mut all = Vec::new();
            for at in 0..seats.len() {
                let (_, low, high) = rates[at];
                let fee = i128::from(seats[at].1);
                for level in book(at, side) {
                    let price = i128::from(level.price.0);
                    let net = match side {
                        Side::Buy => price * (e8 + fee) * high.0 * (common / high.1),
                        Side::Sell => price * (e8 - fee) * low.0 * (common / low.1),
                    };
                    all.extend(std::iter::repeat_n((at, level.price.0, net), level.qty.0 as usize));
                }
            }
            all.sort_by_key(|(_, _, net)| if side == Side::Buy { *net } else { -*net });
            all
        };
        let (asks, bids) = (units(Side::Buy), units(Side::Sell));
        // Where two venues are as good as equal the thresholds' rounding may choose.
        let tied = |units: &[(usize, i64, i128)]| {
            units.windows(2).any(|two| two[0].0 != two[1].0 && (two[0].2 - two[1].2).abs() <= two[0].2 >> 45)
        };
        prop_assume!(!tied(&asks) && !tied(&bids));
        let mut n = 0;
        while let (Some((buy, _, cost)), Some((sell, _, brings))) = (asks.get(n), bids.get(n)) {
            // A venue against itself is another matter, tested without rates.
            prop_assume!(buy != sell);
            // In steps that fit: the edge is at most half a hundredth.
            let least = cost + cost / 10_000_000_000 * i128::from(min_edge);
            prop_assume!((brings - least).abs() > least >> 30);
            if *brings < least {
                break;
            }
            n += 1;
        }
        let both = |at: usize| asks[..n].iter().any(|unit| unit.0 == at) && bids[..n].iter().any(|unit| unit.0 == at);
        prop_assume!(!(0..seats.len()).any(both));
        match got {
            Err(reason) => prop_assert!(n == 0 && reason == Refused::BelowEdge, "{:?} for {}", reason, n),
            Ok(taken) => {
                let (mut bought, mut sold) = (0, 0);
                for (side, units) in [(Side::Buy, &asks[..n]), (Side::Sell, &bids[..n])] {
                    for (at, (_, low, high)) in rates.iter().enumerate() {
                        let own = units.iter().filter(|unit| unit.0 == at);
                        let want = own.clone().next_back().map(|unit| (own.clone().count() as i64, unit.1));
                        let leg = taken.legs().iter().find(|leg| leg.side == side && leg.seat == at);
                        prop_assert_eq!(leg.map(|leg| (leg.qty.0, leg.price.0)), want);
                        // The value of a leg at its venue's rate, rounded against us.
                        let value: i128 = own.map(|unit| i128::from(unit.1) * Money::ONE.0).sum();
                        match side {
                            Side::Buy => bought += -(-value * high.0).div_euclid(high.1),
                            Side::Sell => sold += (value * low.0).div_euclid(low.1),
                        }
                    }
                }
                prop_assert_eq!((taken.sums.bought.0, taken.sums.sold.0), (bought, sold));
            }
        }
    }
}

/// A detector over any number of cells, some of them rate books.
struct Hall {
    books: Vec<Book>,
    writers: Vec<Writer>,
    cells: Cells,
    detector: Detector,
    seq: u64,
}

/// A book of an instrument: its fee, and what its prices are in.
fn watched(slot: u16, quote: &str, fee: i64) -> Watched {
    Watched {
        slot: BookSlot(slot),
        market: market(slot as u8, fee, 1_000),
        quote: asset(quote),
        max_age: Nanos(MAX_AGE_NS),
    }
}

fn rate_book(slot: u16, base: &str, quote: &str, haircut_bps: i64) -> RateBook {
    RateBook {
        base: asset(base),
        quote: asset(quote),
        scale: Scale::DEFAULT,
        haircut: FeeRate(haircut_bps * 10_000),
        max_age: Nanos(100),
        slot: BookSlot(slot),
        venue: VenueId(0),
        instrument: InstrumentId(slot),
    }
}

impl Hall {
    fn new(slots: usize, watches: &[Watch], common: &str, rates: Vec<RateBook>) -> Hall {
        let (writers, readers): (Vec<Writer>, Vec<Reader>) = (0..slots).map(|_| cell()).unzip();
        let plan = RatePlan { common: asset(common), books: rates };
        Hall {
            books: (0..slots).map(|_| Book::new(BookConfig::default())).collect(),
            writers,
            cells: Cells::new(readers),
            detector: Detector::across(watches, Some(&plan)).unwrap(),
            seq: 0,
        }
    }

    /// Best bid and ask as decimals, a thousandth to a whole unit of each.
    fn set(&mut self, slot: u16, (bid, ask): (&str, &str), milli: i64, now: i64) {
        self.seq += 1;
        let level = |text: &str| {
            let price = Money::parse(text).unwrap().to_scaled(Scale::DEFAULT).unwrap();
            Level::new(price, milli * ONE / 1_000)
        };
        let stamp = Stamp { seq: self.seq, received: Nanos(now), venue_time: Nanos::ZERO };
        let at = usize::from(slot);
        let touched = self.books[at].snapshot(&[level(bid)], &[level(ask)], true, 0, stamp).unwrap();
        self.books[at].publish(touched, &mut self.writers[at]);
    }

    fn moved(&mut self, slot: u16, now: i64) -> Vec<Opportunity> {
        let mut found = Vec::new();
        self.detector.evaluate(&mut self.cells, BookSlot(slot), Nanos(now), |one| found.push(*one));
        found
    }

    fn count(&self, reason: Refused) -> u64 {
        self.detector.refused().of(reason).count
    }
}

fn watch(books: Vec<Watched>, min_edge: i64, cap: &str) -> Watch {
    Watch { instrument: InstrumentId(0), terms: terms(min_edge, cap), books, merge: true }
}

/// BTC against USD in slot 0 and USDT in slot 1, USDT-USD in slot 2.
fn two_dollars(haircut_bps: i64) -> Hall {
    let books = vec![watched(0, "USD", 0), watched(1, "USDT", 0)];
    Hall::new(3, &[watch(books, 0, "1000")], "USD", vec![rate_book(2, "USDT", "USD", haircut_bps)])
}

fn legs(found: &Opportunity) -> Vec<(u8, Side, i64, i64)> {
    found
        .legs()
        .iter()
        .map(|leg| (leg.venue.0, leg.side, leg.price.0 / ONE, leg.qty.0 * 1_000 / ONE))
        .collect()
}

fn shown(sums: &Sums) -> [String; 2] {
    [sums.bought.to_string(), sums.sold.to_string()]
}

#[test]
fn what_is_sold_is_converted_at_the_side_that_is_worse() {
    use Side::{Buy, Sell};
    let mut hall = two_dollars(100);
    hall.set(0, ("99", "100"), 1_000, 10);
    hall.set(1, ("110", "111"), 500, 10);
    assert_eq!(hall.moved(1, 11), []);
    assert_eq!(hall.count(Refused::RateUnsynced), 2, "no rate yet, either way");
    // 110 USDT at 0.9 less a hundredth: 98.01 USD, and not the 110 that stand there.
    hall.set(2, ("0.9", "0.98"), 1, 12);
    assert_eq!(hall.moved(2, 13), []);
    let below = hall.detector.refused().of(Refused::BelowEdge);
    assert_eq!((below.count, below.best.unwrap().to_string()), (2, "-199.000000".to_owned()));
    // 110 at 0.95 less a hundredth is 103.455.
    hall.set(2, ("0.95", "0.97"), 1, 14);
    let found = hall.moved(2, 15);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(legs(found), [(0, Buy, 100, 500), (1, Sell, 110, 500)]);
    assert_eq!(shown(&found.sums), ["50", "51.7275"]);
    assert_eq!(found.sums.net_bps().to_string(), "345.500000");
    // The same again by a book of the pair: once, and not once for each book.
    assert_eq!(hall.moved(0, 16).len(), 1);
    // And the other way round: bought for USDT, sold for USD, which buy USDT at the ask.
    hall.set(1, ("90", "98"), 500, 20);
    hall.set(0, ("99", "100"), 1_000, 20);
    hall.set(2, ("0.95", "1"), 1, 20);
    let found = hall.moved(1, 21);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(legs(found), [(1, Buy, 98, 500), (0, Sell, 99, 500)]);
    // 99 USD buy 98.01 USDT at 1 less a hundredth, both valued at 0.975.
    assert_eq!(shown(&found.sums), ["47.775", "47.779875"]);
    hall.set(2, ("0.95", "1.001"), 1, 22);
    assert_eq!(hall.moved(2, 23), [], "a thousandth more is too much");
}

#[test]
fn a_rate_that_may_not_be_used_refuses_by_its_own_reason() {
    let mut hall = two_dollars(0);
    hall.set(0, ("99", "100"), 1_000, 10);
    hall.set(1, ("110", "111"), 500, 10);
    hall.set(2, ("1", "1"), 1, 10);
    assert_eq!(hall.moved(0, 110).len(), 0, "crossed in itself, which is no rate");
    assert_eq!(hall.count(Refused::RateUnsynced), 2);
    hall.set(2, ("1", "1.01"), 1, 10);
    assert_eq!(hall.moved(0, 110).len(), 1, "as old as it may be");
    assert_eq!(hall.moved(0, 111).len(), 0);
    let stale = hall.detector.refused().of(Refused::RateStale);
    assert_eq!((stale.count, stale.best.unwrap().to_string()), (2, "1000.000000".to_owned()));
    assert_eq!(hall.count(Refused::Stale), 0);
    // A book's own reason goes first.
    assert_eq!(hall.moved(0, 11 + MAX_AGE_NS).len(), 0);
    assert_eq!((hall.count(Refused::Stale), hall.count(Refused::RateStale)), (2, 2));
    let touched = hall.books[2].snapshot(&[], &[], false, 0, Stamp::default()).unwrap();
    hall.books[2].publish(touched, &mut hall.writers[2]);
    hall.set(0, ("99", "100"), 1_000, 10);
    let before = hall.count(Refused::RateUnsynced);
    assert_eq!(hall.moved(2, 12).len(), 0, "lost: what hangs on it is looked at, and refused");
    assert_eq!(hall.count(Refused::RateUnsynced), before + 2);
}

#[test]
fn a_coin_pair_is_judged_by_the_coins_own_price() {
    use Side::{Buy, Sell};
    // ETH against USDT, and against BTC, which has its price in USDT. Limits are in USD.
    let books = vec![watched(0, "USDT", 0), watched(1, "BTC", 100_000)];
    let rates = vec![rate_book(2, "BTC", "USDT", 10), rate_book(3, "USDT", "USD", 0)];
    let mut hall = Hall::new(4, &[watch(books, 0, "100")], "USD", rates);
    hall.set(0, ("2990", "3000"), 1_000, 10);
    hall.set(2, ("60000", "60010"), 1_000, 10);
    hall.set(3, ("0.99", "1.01"), 1, 10);
    // 0.0501 BTC less 10 bp is 0.0500499, at 60,000 less 10 bp 2,999.99...: short of 3,000.
    hall.set(1, ("0.0501", "0.0502"), 1_000, 10);
    assert_eq!(hall.moved(1, 11), []);
    hall.set(1, ("0.0502", "0.0503"), 1_000, 12);
    let found = hall.moved(1, 13);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    // The cap of 100 USD buys a thirtieth at 3,000 USDT.
    assert_eq!(legs(found), [(0, Buy, 3_000, 33), (1, Sell, 0, 33)]);
    assert_eq!((found.legs()[0].qty, found.legs()[1].price), (Qty(3_333_000), Price(5_020_000)));
    // 0.03333 * 0.0502 * 59,940, and as much at 0.0502 with 10 bp of it as the fee in BTC, rounded up.
    assert_eq!(shown(&found.sums), ["99.99", "100.28957004"].map(|text| text.to_owned()));
    let fee = Money::parse("0.00000168").unwrap();
    assert_eq!(found.sums.sell_fees.0, fee.0 * 5_994 * 10);
    // Bitcoin falls: the pair is looked at again, and is worth it no more.
    let looks = hall.detector.evaluations();
    hall.set(2, ("59700", "59710"), 1_000, 14);
    assert_eq!(hall.moved(2, 15), []);
    assert_eq!(hall.detector.evaluations(), looks + 2);
    // Only the quantity changes: no look.
    hall.set(2, ("59700", "59710"), 500, 16);
    hall.moved(2, 17);
    assert_eq!(hall.detector.evaluations(), looks + 2);
}

#[test]
fn venues_of_two_assets_are_walked_as_one() {
    use Side::{Buy, Sell};
    let books = vec![watched(0, "USD", 0), watched(1, "USDT", 0), watched(2, "USDT", 0)];
    let rates = vec![rate_book(3, "USDT", "USD", 100)];
    let mut hall = Hall::new(4, &[watch(books, 0, "1000")], "USD", rates);
    hall.set(0, ("90", "100"), 1_000, 10);
    hall.set(1, ("90", "102"), 1_000, 10);
    hall.set(2, ("103", "109"), 1_500, 10);
    // No rate: what is in USDT alone cannot be valued either.
    assert_eq!(hall.moved(2, 11), []);
    assert_eq!(hall.count(Refused::RateUnsynced), 1);
    // A USDT is worth 0.9 USD. Between the two that are in USDT no haircut is paid.
    hall.set(3, ("0.899", "0.901"), 1, 12);
    let found = hall.moved(3, 13);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(legs(found), [(1, Buy, 102, 1_000), (2, Sell, 103, 1_000)]);
    assert_eq!(shown(&found.sums), ["91.8", "92.7"]);
    // At par and more, 103 USDT bring 102.99 USD: both are bought, brought to one asset.
    hall.set(3, ("1.01", "1.0101"), 1, 14);
    let found = hall.moved(2, 15);
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(legs(found), [(0, Buy, 100, 1_000), (1, Buy, 102, 500), (2, Sell, 103, 1_500)]);
    // In USDT: 100 USD cost 100 / (1.01 * 0.99), and all of it at 1.01005.
    assert!(found.sums.bought.to_string().starts_with("152.5276515"), "{}", found.sums.bought);
    assert_eq!(found.sums.sold.to_string(), "156.052725");
    // With a stale rate nothing is traded, but when the common asset is the one that has both.
    assert_eq!(hall.moved(2, 115), []);
    assert_eq!(hall.count(Refused::RateStale), 1);
}

#[test]
fn without_a_way_between_assets_there_is_no_detector() {
    let books = vec![watched(0, "USD", 0), watched(1, "EUR", 0)];
    let plan = RatePlan { common: asset("USD"), books: vec![rate_book(2, "USDT", "USD", 0)] };
    let error = Detector::across(&[watch(books, 0, "1")], Some(&plan)).err().unwrap();
    assert_eq!(error.to_string(), "no rate leads from USD to EUR");
}

#[test]
fn a_rate_moves_a_bounded_number_at_once_and_all_in_the_end() {
    // A hundred instruments, each on two venues, all hanging on one rate.
    let watches: Vec<_> = (0..100u16)
        .map(|at| Watch {
            instrument: InstrumentId(at),
            ..watch(vec![watched(2 * at, "USD", 0), watched(2 * at + 1, "USDT", 0)], 0, "1000")
        })
        .collect();
    let mut hall = Hall::new(201, &watches, "USD", vec![rate_book(200, "USDT", "USD", 0)]);
    for at in 0..100 {
        hall.set(2 * at, ("90", "100"), 1_000, 10);
        hall.set(2 * at + 1, ("101", "102"), 1_000, 10);
    }
    let resume = |hall: &mut Hall, now: i64| {
        let mut found = Vec::new();
        let Some(due) = hall.detector.due() else { return found };
        hall.detector.resume(&mut hall.cells, due, Nanos(now), |one| found.push(one.instrument.0));
        found
    };
    hall.set(200, ("1", "1.001"), 1, 10);
    assert_eq!(hall.moved(200, 11).len(), 64);
    assert_eq!(hall.detector.due(), Some(BookSlot(200)));
    // It moves again before the rest was looked at: those come next, and then all others once more.
    hall.set(200, ("1.001", "1.002"), 1, 12);
    let mut seen: Vec<_> = hall.moved(200, 13).iter().map(|one| one.instrument.0).collect();
    assert_eq!(seen.len(), 64);
    seen.extend(resume(&mut hall, 14));
    assert_eq!((seen.len(), hall.detector.due()), (100, None));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 100, "each once");
    assert_eq!(resume(&mut hall, 15), [0u16; 0]);
    // A message that changes no price owes nothing.
    hall.set(200, ("1.001", "1.002"), 7, 16);
    assert_eq!((hall.moved(200, 17).len(), hall.detector.due()), (0, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The whole of it: published books and a published rate in, an opportunity in the common asset
    /// out, against exact fractions; both when the pair is looked at for itself and in a merge of it
    /// with a third venue that has nothing.
    #[test]
    fn a_detector_across_assets_follows_the_rule_to_the_letter(
        (bid, spread, haircut) in (500..2_000i64, 1..20i64, 0..200i64),
        asks in near(980..1_020), bids in near(970..1_050),
        fees in (0..400_000i64, 0..400_000i64),
        min_edge in 0..40_000_000i64,
        cap in 10..900i64,
        flipped: bool,
        merged: bool,
    ) {
        // Bought for USD and sold for USDT, or the other way round.
        let (buys, sells) = if flipped { ("USDT", "USD") } else { ("USD", "USDT") };
        let mut books = vec![watched(0, buys, fees.0), watched(1, sells, fees.1)];
        if merged {
            books.push(watched(2, "USDT", 0));
        }
        let mut watches = [watch(books, min_edge, &cap.to_string())];
        watches[0].terms.max_notional = Money(i128::from(cap) * Money::ONE.0);
        let mut hall = Hall::new(4, &watches, "USD", vec![rate_book(3, "USDT", "USD", haircut)]);

        let milli = |value: i64| format!("{}.{:03}", value / 1_000, value % 1_000);
        hall.set(3, (&milli(bid), &milli(bid + spread)), 1, 10);
        let low = (i128::from(bid) * (10_000 - i128::from(haircut)), 10_000_000i128);
        let high = (i128::from(bid + spread) * 10_000, 1_000 * (10_000 - i128::from(haircut)));
        let fair = (i128::from(2 * bid + spread), 2_000i128);
        let sold = if flipped { (high.1, high.0) } else { low };
        let common = if flipped { fair } else { (1, 1) };

        // Whole prices of about 400, whole quantities in hundredths.
        let asks = ladder(&asks, 400, true);
        let bids = ladder(&bids, (400 * sold.1 / sold.0) as i64, false);
        for (at, asks, bids) in [(0, &asks[..], &[][..]), (1, &[][..], &bids[..]), (2, &[][..], &[][..])] {
            let scaled = |levels: &[Level]| -> Vec<Level> {
                levels.iter().map(|level| Level::new(level.price.0 * ONE, level.qty.0 * ONE)).collect()
            };
            let stamp = Stamp { seq: 1, received: Nanos(10), venue_time: Nanos::ZERO };
            let touched = hall.books[at].snapshot(&scaled(bids), &scaled(asks), true, 0, stamp).unwrap();
            hall.books[at].publish(touched, &mut hall.writers[at]);
        }

        // The reference works with whole units: it is asked without the cap, which cuts finer.
        let scale = Scale::new(0).unwrap();
        let reference_terms =
            Terms { scale, contract: Contract::spot(asset("USD"), scale), ..watches[0].terms };
        let unbounded = Terms { max_notional: Money(1_000_000 * Money::ONE.0), ..reference_terms };
        let own = (market(0, fees.0, 1), market(1, fees.1, 1));
        let Some(want) = reference_at((&own.0, &own.1), &unbounded, (sold, common), &asks, &bids) else {
            return Err(TestCaseError::reject("too near"));
        };
        let found = hall.moved(1, 11);
        match want {
            Err(_) => prop_assert!(found.is_empty(), "{:?}", found),
            Ok((qty, _, _, bought, sold_for, _)) => {
                let [found] = found.as_slice() else {
                    return Err(TestCaseError::fail(format!("{found:?} for {want:?}")));
                };
                let sums = &found.sums;
                prop_assert!(sums.bought <= watches[0].terms.max_notional);
                prop_assert!(found.legs().len() == 2 && found.legs()[0].qty == found.legs()[1].qty);
                if found.legs()[0].qty.0 < qty * ONE {
                    // Cut by the cap: to within a lot of it, at the dearest ask.
                    let lot = Money(bought.max(1) * Money::ONE.0 / 1_000);
                    prop_assert!(sums.bought + lot >= watches[0].terms.max_notional);
                } else {
                    let up = |value: i128, rate: Fraction| -(-value * rate.0).div_euclid(rate.1);
                    let down = |value: i128, rate: Fraction| (value * rate.0).div_euclid(rate.1);
                    let (bought, sold_for) = (bought * Money::ONE.0, sold_for * Money::ONE.0);
                    // In two steps, each rounded against us.
                    let got = (sums.bought.0, sums.sold.0);
                    let pair = (up(bought, common), down(down(sold_for, sold), common));
                    // A merge may have walked in the other asset: the same, brought there and valued.
                    let (back, there) = ((sold.1, sold.0), if flipped { (1, 1) } else { fair });
                    let other = (up(up(bought, back), there), down(sold_for, there));
                    prop_assert!(got == pair || (merged && got == other), "{:?} {:?} {:?}", got, pair, other);
                    prop_assert!(sums.net_bps().0 >= min_edge - 10, "{}", sums.net_bps());
                }
            }
        }
    }
}
