//! Frame bytes in a buffer to the order bytes of both legs in buffers: all hops, one thread; beside
//! it the usual way to build the same from well-known crates (one order, and no gate, order table or
//! journal). The table behind each case tells where the time goes.

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
use xarb::types::Stopwatch;

/// Distinct frames a run, so that no branch learns one by heart.
const FRAMES: usize = 512;

/// Frames that come back to back, before the engine finds time for what may wait. Their ids, buffers
/// and records must be there beforehand, as in the engine.
const BURST: usize = 4;

fn tick_to_order(c: &mut Criterion) {
    for (name, pause) in [
        ("tick_to_order", Duration::ZERO),
        ("tick_to_order_50us", Duration::from_micros(50)),
        ("tick_to_order_500us", Duration::from_micros(500)),
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
                                let until = Instant::now() + pause;
                                while Instant::now() < until {
                                    std::hint::spin_loop();
                                }
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

fn conventional(c: &mut Criterion) {
    let mut group = c.benchmark_group("rival/conventional");
    for (case, shape) in [
        (Case::BinanceTicker, Shape::Ticker),
        (Case::BinanceDepth, Shape::Depth),
        (Case::KrakenBook, Shape::KrakenBook),
    ] {
        group.bench_function(case.name(), |b| {
            b.iter_custom(|count| {
                // The same frames; raw streams for the rival, whose types know no wrapper.
                let frames = HotPath::new(case, HostClock::new()).frames(FRAMES);
                let frames: Vec<_> = frames.iter().map(|frame| unwrapped(frame)).collect();
                let mut rival = Conventional::new(shape, i64::MAX, 4096);
                let seed: Vec<_> =
                    (1..=500).map(|i| (6_000_000_000_000 - i * 1_000_000, 100_000_000)).collect();
                let asks: Vec<_> =
                    (1..=500).map(|i| (6_200_000_000_000 + i * 1_000_000, 100_000_000)).collect();
                rival.seed(&seed, &asks);
                let mut spent = Duration::ZERO;
                for turn in 0..count {
                    let at = turn as usize % FRAMES;
                    if at == 0 {
                        rival.restart();
                    }
                    let began = Instant::now();
                    let order = black_box(rival.frame_to_order(black_box(&frames[at]), 1_800_000_000_000));
                    spent += began.elapsed();
                    assert!(order.is_some(), "no order");
                }
                spent
            })
        });
    }
    group.finish();
}

/// The frame of a raw stream: without the wrapper of a combined one.
fn unwrapped(frame: &[u8]) -> Vec<u8> {
    let at = frame.iter().position(|byte| *byte == b'{').expect("JSON");
    let text = std::str::from_utf8(&frame[at..]).expect("UTF-8");
    match text.split_once("\"data\":{\"") {
        Some((head, rest)) if head.starts_with("{\"stream\"") => {
            path::server_frame(format!("{{\"{}", &rest[..rest.len() - 1]).as_bytes())
        }
        _ => frame.to_vec(),
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    targets = tick_to_order, conventional
}
criterion_main!(benches);
