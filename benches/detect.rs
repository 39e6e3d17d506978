//! The detect hop: one evaluation of a book that moved, in both directions, through the published
//! cells, on the same thread.

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use xarb::book::{Top, Trust, Writer, cell};
use xarb::detect::{BookSlot, Cells, Detector, Market, Terms, Watch, Watched, ring};
use xarb::types::{
    Asset, Bps, Contract, FeeRate, InstrumentId, Level, Money, Nanos, Price, Qty, Scale, VenueId,
};

const TICK: i64 = 1_000_000;

/// Ten levels a side around a price, a tick apart.
fn top(mid: i64) -> Top {
    let level = |ticks: i64| Level::new(ticks * TICK, 12_345_000);
    Top {
        trust: Trust::Live,
        received: Nanos(1),
        bids: std::array::from_fn(|rank| level(mid - 1 - rank as i64)),
        asks: std::array::from_fn(|rank| level(mid + rank as i64)),
        bid_count: 10,
        ask_count: 10,
        ..Top::default()
    }
}

/// Two venues `apart` ticks from one another.
fn desk(apart: i64) -> (Vec<Writer>, Cells, Detector) {
    let (mut writers, readers): (Vec<_>, Vec<_>) = (0..2).map(|_| cell()).unzip();
    for (writer, mid) in writers.iter_mut().zip([6_000_000, 6_000_000 + apart]) {
        writer.publish(&top(mid));
    }
    let quote = Asset::new("USDT").expect("a name");
    let watched = |slot: u16| Watched {
        slot: BookSlot(slot),
        market: Market {
            venue: VenueId(slot as u8),
            taker_fee: FeeRate(100_000),
            lot: Qty(1_000),
            min_qty: Qty(1_000),
            min_notional: Money::parse("5").expect("a decimal"),
        },
        quote,
        max_age: Nanos::from_secs(1),
    };
    let watch = Watch {
        instrument: InstrumentId(0),
        terms: Terms {
            scale: Scale::DEFAULT,
            contract: Contract::spot(quote, Scale::DEFAULT),
            min_edge: Bps(5 * Bps::ONE),
            max_notional: Money::parse("50000").expect("a decimal"),
            haircut: FeeRate(FeeRate::ONE),
        },
        books: vec![watched(0), watched(1)],
        merge: false,
    };
    (writers, Cells::new(readers), Detector::new(&[watch]).expect("good terms"))
}

fn detect(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/detect");
    // 60,000 with fees of 20 bp and an edge of 5: 150 apart is what it takes, 15,000 ticks.
    for (case, apart, wanted) in [("miss", 14_000, 0), ("hit", 16_000, 1)] {
        let (_writers, mut cells, mut detector) = desk(apart);
        let mut run = || {
            let mut found = 0;
            detector.evaluate(&mut cells, black_box(BookSlot(0)), Nanos(2), |one| {
                black_box(one);
                found += 1;
            });
            found
        };
        assert_eq!(run(), wanted, "{case}");
        group.bench_function(case, |b| b.iter(&mut run));
    }
    let (notifier, mut taker) = ring(64);
    group.bench_function("ring", |b| {
        b.iter(|| {
            notifier.moved(black_box(7));
            black_box(taker.take())
        })
    });
    group.finish();

    // The walk alone, over ten levels a side.
    let mut group = c.benchmark_group("detect");
    let (buy, sell) = (top(6_000_000), top(6_016_000));
    let market = |venue: u8| Market {
        venue: VenueId(venue),
        taker_fee: FeeRate(100_000),
        lot: Qty(1_000),
        min_qty: Qty(1_000),
        min_notional: Money::ZERO,
    };
    let quote = Asset::new("USDT").expect("a name");
    let terms = Terms {
        scale: Scale::DEFAULT,
        contract: Contract::spot(quote, Scale::DEFAULT),
        min_edge: Bps(0),
        max_notional: Money::parse("50000").expect("a decimal"),
        haircut: FeeRate(FeeRate::ONE),
    };
    let pair = xarb::detect::Pair::new(market(0), market(1), &terms).expect("good terms");
    group.bench_function("walk", |b| {
        b.iter(|| pair.take(black_box(&buy).asks().iter().copied(), black_box(&sell).bids().iter().copied()))
    });
    group.bench_function("pays", |b| {
        b.iter(|| pair.pays(black_box(Price(6_000_000 * TICK)), black_box(Price(6_016_000 * TICK))))
    });
    group.finish();
}

criterion_group!(benches, detect);
criterion_main!(benches);
