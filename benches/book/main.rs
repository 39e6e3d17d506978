//! The book hops: levels into the ladder, beside a `BTreeMap` and a sorted vector on the same
//! messages, and the published top. Times are per pass over the stream; the throughput is levels.

#![allow(missing_docs)]

#[path = "../../tests/common/captures.rs"]
mod common;
mod rivals;
mod stream;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rivals::{Rival, SortedMap, SortedVec};
use stream::{FAR, NEAR, SHORT, Stream, captured, generated};
use xarb::book::{Book, BookConfig, Ladder, LadderConfig, Stamp, Top, Touched, cell};
use xarb::types::{BookView, Level, Nanos, Side};

fn streams() -> Vec<(&'static str, Stream)> {
    let mut streams = vec![
        ("binance_depth", generated(&NEAR, 2_000)),
        ("binance_depth_far", generated(&FAR, 2_000)),
        ("kraken_book", generated(&SHORT, 2_000)),
    ];
    streams.extend(captured(3_000).map(|stream| ("binance_depth_captured", stream)));
    streams
}

fn config(stream: &Stream) -> LadderConfig {
    LadderConfig { tick: Some(stream.tick), ..LadderConfig::default() }
}

fn ladder(stream: &Stream) -> Ladder {
    let mut ladder = Ladder::new(config(stream));
    ladder.snapshot(&stream.snapshot.bids, &stream.snapshot.asks).expect("the snapshot fits");
    ladder
}

fn rival<R: Rival>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group(format!("rival/{name}"));
    for (case, stream) in streams() {
        let mut book = R::default();
        book.apply(&stream.snapshot.bids, &stream.snapshot.asks);
        group.throughput(Throughput::Elements(stream.levels()));
        group.bench_function(case, |b| {
            b.iter(|| {
                for message in &stream.messages {
                    book.apply(&message.bids, &message.asks);
                    if stream.keep > 0 {
                        book.truncate(stream.keep);
                    }
                    black_box(book.best());
                }
            })
        });
    }
    group.finish();
}

fn book(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/book");
    for (case, stream) in streams() {
        let mut ladder = ladder(&stream);
        group.throughput(Throughput::Elements(stream.levels()));
        group.bench_function(case, |b| {
            b.iter(|| {
                for message in &stream.messages {
                    black_box(ladder.apply(&message.bids, &message.asks).expect("fits"));
                    if stream.keep > 0 {
                        ladder.truncate(stream.keep);
                    }
                    black_box((ladder.best_level(Side::Buy), ladder.best_level(Side::Sell)));
                }
            })
        });
    }
    group.finish();
    rival::<SortedMap>(c, "btreemap");
    rival::<SortedVec>(c, "sorted_vec");
}

fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/publish");
    for (case, stream) in streams() {
        // The book with its trust and counters, and whatever must be published of it: what a feed
        // role does after decoding.
        let (mut writer, _reader) = cell();
        let mut book = Book::new(BookConfig { ladder: config(&stream), ticker_only: false });
        let (bids, asks) = (&stream.snapshot.bids, &stream.snapshot.asks);
        book.snapshot(bids, asks, true, stream.keep, Stamp::default()).expect("the snapshot fits");
        book.publish(Touched::ALL, &mut writer);
        group.throughput(Throughput::Elements(stream.levels()));
        group.bench_function(case, |b| {
            b.iter(|| {
                for message in &stream.messages {
                    let touched = book
                        .update(&message.bids, &message.asks, stream.keep, Stamp::default())
                        .expect("fits");
                    black_box(book.publish(touched, &mut writer));
                }
            })
        });
    }
    group.finish();

    let ladder = ladder(&generated(&NEAR, 1));
    let mut top = Top::default();
    let mut group = c.benchmark_group("publish");
    group.bench_function("gather", |b| {
        b.iter(|| {
            top.bid_count = ladder.best(Side::Buy, black_box(&mut top.bids));
            top.ask_count = ladder.best(Side::Sell, black_box(&mut top.asks));
        })
    });
    let (mut writer, reader) = cell();
    group.bench_function("store", |b| b.iter(|| writer.publish(black_box(&top))));
    let mut seen = Top::default();
    group.bench_function("read", |b| b.iter(|| black_box(reader.read(black_box(&mut seen)))));
    group.bench_function("glance", |b| b.iter(|| black_box(reader.glance())));
    group.bench_function("alive", |b| b.iter(|| writer.alive(black_box(Nanos(1)))));
    group.finish();

    let mut group = c.benchmark_group("limit");
    let mut copy = Top::default();
    group.bench_function("publish_memcpy", |b| b.iter(|| black_box(&mut copy).clone_from(black_box(&top))));
    group.finish();
}

fn snapshot(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshot");
    let side =
        |step: i64| (0..5_000).map(|i| Level::new((6_000_000 + step * i) * 1_000_000, 1)).collect::<Vec<_>>();
    let (bids, asks) = (side(-13), side(13));
    let empty = || Ladder::new(LadderConfig::default());
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("5000_levels_a_side", |b| {
        b.iter_batched_ref(
            empty,
            |ladder| ladder.snapshot(&bids, &asks).expect("fits"),
            BatchSize::PerIteration,
        )
    });
    group.finish();
}

criterion_group!(benches, book, publish, snapshot);
criterion_main!(benches);
