//! A frame's bytes to integers: ours by tier, other people's, and the limits.
//!
//! Instruction counts judge a change (`scripts/instructions.sh`); these times are for the feel.

mod common;
#[path = "common/socket.rs"]
mod socket;

use std::hint::black_box;

use common::frames::{Case, Frame, frames};
use common::ours::Ours;
use common::{rivals, sbe};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xarb::types::{Level, Scale};
use xarb::wire::json::Tier;
use xarb::wire::json::kernel::Isa;
use xarb::wire::ws::Message;

/// More than the branch predictor learns by heart.
const FRAMES: usize = 2_000;

/// Bytes in the receive buffer to a message slice.
fn frame(c: &mut Criterion) {
    for case in Case::ALL {
        let frames = frames(case, FRAMES);
        let bytes: Vec<Vec<u8>> = frames.iter().map(|frame| socket::server_frame(frame.message())).collect();
        let mut ws = socket::open_socket();
        let mut next = bytes.iter().cycle();
        c.benchmark_group("hop/frame").bench_function(case.name(), |b| {
            b.iter(|| {
                ws.receive(black_box(next.next().expect("for ever")));
                matches!(black_box(ws.next()), Ok(Some(Message::Text(_))))
            });
        });
    }
}

fn decode(c: &mut Criterion) {
    for case in Case::ALL {
        let frames = frames(case, FRAMES);
        let mut levels: Vec<Level> = Vec::with_capacity(256);
        let mut ours = Ours::new(Isa::detect(Scale::DEFAULT));
        ours.check(case, &frames);
        run(c, "hop/decode", case, &frames, |frame| {
            levels.clear();
            ours.decode(case, frame.padded(), &mut levels)
        });
        run(c, "decode/tier2", case, &frames, |frame| {
            levels.clear();
            ours.decode_with(Tier::Scanner, case, frame.padded(), &mut levels)
        });
        run(c, "rival/serde_json", case, &frames, |frame| {
            levels.clear();
            rivals::serde_json(case, frame.message(), &mut levels)
        });
        let mut simd = rivals::SimdTape::new();
        run(c, "rival/simd_json_tape", case, &frames, |frame| {
            levels.clear();
            simd.read(case, frame.message(), &mut levels)
        });
        run(c, "rival/sonic_rs", case, &frames, |frame| {
            levels.clear();
            rivals::sonic_rs(case, frame.message(), &mut levels)
        });
        #[cfg(target_arch = "x86_64")]
        run(c, "limit/avx2_pass", case, &frames, |frame| rivals::avx2_pass(frame.padded()));
        let mut to = vec![0; 4096];
        run(c, "limit/memcpy", case, &frames, |frame| rivals::memcpy(frame.message(), &mut to));
    }
}

/// The updates of the JSON cases, in the venue's binary encoding.
fn decode_sbe(c: &mut Criterion) {
    let mut levels: Vec<Level> = Vec::with_capacity(256);
    for (case, name) in
        [(Case::BinanceDepth, "binance_sbe_depth"), (Case::BinanceTicker, "binance_sbe_ticker")]
    {
        let binary = sbe::binary(&frames(case, FRAMES));
        let bytes: usize = binary.iter().map(Vec::len).sum();
        let mut group = c.benchmark_group("hop/decode");
        group.throughput(Throughput::Bytes((bytes / binary.len()) as u64));
        let mut next = binary.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| sbe::read(black_box(next.next().expect("for ever")), &mut levels));
        });
        group.finish();
    }
}

fn run(c: &mut Criterion, group: &str, case: Case, frames: &[Frame], mut work: impl FnMut(&Frame) -> u64) {
    let bytes: usize = frames.iter().map(|frame| frame.message().len()).sum();
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Bytes((bytes / frames.len()) as u64));
    let mut frames = frames.iter().cycle();
    group.bench_function(case.name(), |b| {
        b.iter(|| work(black_box(frames.next().expect("for ever"))));
    });
    group.finish();
}

criterion_group!(benches, frame, decode, decode_sbe);
criterion_main!(benches);
