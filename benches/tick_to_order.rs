//! Frame bytes in a buffer to the order bytes of both legs in buffers: all hops, one thread; beside
//! it the usual way to build the same from well-known crates (two orders, signed, and no gate, order
//! table or journal). The table behind each case tells where the time goes.

#[path = "common/conventional.rs"]
mod conventional;
#[path = "common/path.rs"]
mod path;

use std::hint::black_box;
use std::time::{Duration, Instant};

use conventional::{Conventional, Shape};
use criterion::{Criterion, criterion_group, criterion_main};
use path::{Case, HotPath};
use xarb::host::HostClock;
use xarb::telemetry::{Hop, HopRecorder};
use xarb::types::{Side, Stopwatch};

/// Distinct frames a run, so that no branch learns one by heart.
const FRAMES: usize = 512;

/// Frames that come back to back, before the engine finds time for what may wait. Their ids, buffers
/// and records must be there beforehand, as in the engine.
const BURST: usize = 4;

fn tick_to_order(c: &mut Criterion) {
    for (name, pause, rehearse) in [
        ("tick_to_order", Duration::ZERO, Duration::MAX),
        ("tick_to_order_50us", Duration::from_micros(50), Duration::MAX),
        ("tick_to_order_500us", Duration::from_micros(500), Duration::MAX),
        ("tick_to_order_500us_rehearsed", Duration::from_micros(500), Duration::from_micros(50)),
    ] {
        let mut group = c.benchmark_group(name);
        for case in Case::ALL {
            let clock = HostClock::new();
            let mut hops = HopRecorder::new();
            group.bench_function(case.name(), |b| {
                b.iter_custom(|count| {
                    let mut path = HotPath::new(case, clock.clone());
                    let (mut spent, mut left) = (Duration::ZERO, count);
                    let mut journeys = Vec::with_capacity(BURST);
                    while left > 0 {
                        for (turn, frame) in path.frames(FRAMES.min(left as usize)).iter().enumerate() {
                            let (size, stamps) = path.run(black_box(frame));
                            assert!(size > 0, "no order");
                            let end = stamps.end(Hop::Encode).expect("an encoded order");
                            spent += Duration::from_nanos(clock.nanos(stamps.start(), end));
                            journeys.push(stamps);
                            if !pause.is_zero() || turn % BURST == BURST - 1 {
                                path.rest();
                                journeys.drain(..).for_each(|stamps| hops.record_journey(&stamps, &clock));
                            }
                            if !pause.is_zero() {
                                wait(pause, rehearse, || path.rehearse(frame));
                            }
                            left -= 1;
                        }
                    }
                    spent
                })
            });
            eprintln!("{}", hops.report());
        }
        group.finish();
    }
}

/// Spins for so long, as a thread with a core of its own does, and rehearses now and then.
fn wait(pause: Duration, every: Duration, mut rehearse: impl FnMut()) {
    let (began, mut due) = (Instant::now(), every);
    while began.elapsed() < pause {
        std::hint::spin_loop();
        if began.elapsed() >= due {
            rehearse();
            due += every;
        }
    }
}

fn conventional(c: &mut Criterion) {
    let mut group = c.benchmark_group("rival/conventional");
    for (case, shape) in [
        (Case::BinanceTicker, Shape::Ticker),
        (Case::BinanceDepth, Shape::Depth),
        (Case::KrakenBook, Shape::KrakenBook),
    ] {
        group.bench_function(case.name(), |b| {
            b.iter_custom(|count| {
                let mut path = HotPath::new(case, HostClock::new());
                let frames = path.frames(FRAMES);
                let books = [0, 1].map(|venue| {
                    let levels =
                        |side| path.book(venue).levels(side).map(|level| (level.price.0, level.qty.0));
                    Side::BOTH.map(|side| levels(side).collect())
                });
                let mut rival = Conventional::new(shape, &books, 4096);
                let mut spent = Duration::ZERO;
                for turn in 0..count {
                    let at = turn as usize % FRAMES;
                    if at == 0 {
                        rival.restart();
                    }
                    let began = Instant::now();
                    let orders = black_box(rival.frame_to_orders(black_box(&frames[at]), 1_800_000_000_000));
                    spent += began.elapsed();
                    assert!(orders.is_some(), "no orders");
                }
                spent
            })
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    targets = tick_to_order, conventional
}
criterion_main!(benches);
