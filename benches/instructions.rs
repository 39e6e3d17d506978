//! Runs one case of the decode benches a given number of times over its frames, for an instruction
//! counter to watch: the difference between two counts of passes is the cost of the passes alone.
//!
//! ```text
//! instructions CASE WAY PASSES      one of the cases and ways, under valgrind
//! instructions path CASE COUNT      frames the whole way to orders, in `frame_to_orders`
//! instructions times                best times of all, by chunks, on this machine
//! ```

mod common;
#[path = "common/path.rs"]
mod path;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::frames::{Case, Frame, frames};
use common::ours::Ours;
use common::{rivals, sbe};
use xarb::host::HostClock;
use xarb::types::{Level, Scale};
use xarb::wire::json::Tier;
use xarb::wire::json::kernel::Isa;

const WAYS: [&str; 10] = [
    "all",
    "tier1",
    "tier2",
    "plain",
    "sbe",
    "serde_json",
    "simd_json_tape",
    "sonic_rs",
    "avx2_pass",
    "memcpy",
];

struct Bench {
    case: Case,
    ours: Ours,
    simd: rivals::SimdTape,
    levels: Vec<Level>,
    copy: Vec<u8>,
}

impl Bench {
    fn new(case: Case, plain: bool) -> Bench {
        let isa = if plain { Isa::plain(Scale::DEFAULT) } else { Isa::detect(Scale::DEFAULT) };
        Bench {
            case,
            ours: Ours::new(isa),
            simd: rivals::SimdTape::new(),
            levels: Vec::with_capacity(256),
            copy: vec![0; 4096],
        }
    }

    /// `binary` are the same updates for the way that reads those.
    #[inline(never)]
    fn pass(&mut self, way: &str, frames: &[Frame], binary: &[Vec<u8>]) -> u64 {
        let Bench { case, ours, simd, levels, copy } = self;
        let case = *case;
        let tier = if way == "tier2" { Tier::Scanner } else { Tier::Template };
        match way {
            "all" | "plain" => over(frames, |frame| {
                levels.clear();
                ours.decode(case, frame.padded(), levels)
            }),
            "tier1" | "tier2" => over(frames, |frame| {
                levels.clear();
                ours.decode_with(tier, case, frame.padded(), levels)
            }),
            "sbe" => over(binary, |message| sbe::read(message, levels)),
            "serde_json" => over(frames, |frame| {
                levels.clear();
                rivals::serde_json(case, frame.message(), levels)
            }),
            "simd_json_tape" => over(frames, |frame| {
                levels.clear();
                simd.read(case, frame.message(), levels)
            }),
            "sonic_rs" => over(frames, |frame| {
                levels.clear();
                rivals::sonic_rs(case, frame.message(), levels)
            }),
            #[cfg(target_arch = "x86_64")]
            "avx2_pass" => over(frames, |frame| rivals::avx2_pass(frame.padded())),
            _ => over(frames, |frame| rivals::memcpy(frame.message(), copy)),
        }
    }
}

#[inline(always)]
fn over<F>(frames: &[F], mut work: impl FnMut(&F) -> u64) -> u64 {
    frames.iter().map(|frame| work(black_box(frame))).fold(0, u64::wrapping_add)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word, case, count] if word == "path" => {
            let case = *path::Case::ALL.iter().find(|c| c.name() == case).expect("a case");
            let mut path = path::HotPath::new(case, HostClock::new());
            for frame in path.frames(count.parse().expect("a count")) {
                assert!(frame_to_orders(&mut path, &frame) > 0, "no order");
                path.rest();
                path.rehearse(&frame);
            }
        }
        [case, way, passes] => {
            let case = *Case::ALL.iter().find(|c| c.name() == case).expect("a case");
            assert!(WAYS.contains(&&**way), "a way of {WAYS:?}");
            let frames = frames(case, 200);
            let binary = in_binary(case, &frames);
            assert!(way != "sbe" || !binary.is_empty(), "{} is not sent in binary", case.name());
            let mut bench = Bench::new(case, way == "plain");
            bench.ours.check(case, &frames);
            for _ in 0..passes.parse().expect("a count") {
                black_box(bench.pass(way, &frames, &binary));
            }
        }
        [word] if word == "times" => times(),
        // `cargo bench` and `cargo test --benches` come by with arguments of their own.
        _ => {}
    }
}

/// The same updates in the venue's binary encoding, where it has one.
fn in_binary(case: Case, frames: &[Frame]) -> Vec<Vec<u8>> {
    match case {
        Case::BinanceDepth | Case::BinanceTicker => sbe::binary(frames),
        _ => Vec::new(),
    }
}

/// A function of its own, for `--toggle-collect`.
#[inline(never)]
fn frame_to_orders(path: &mut path::HotPath<HostClock>, frame: &[u8]) -> usize {
    path.run(black_box(frame)).0
}

/// All cases in turn, many rounds; of each chunk of frames the best time counts, so that what else
/// the machine does falls out.
fn times() {
    const CHUNK: usize = 125;
    for case in Case::ALL {
        let frames = frames(case, 2_000);
        let binary = in_binary(case, &frames);
        let mut best = vec![vec![Duration::MAX; frames.len() / CHUNK]; WAYS.len()];
        let mut benches: Vec<Bench> = WAYS.iter().map(|way| Bench::new(case, *way == "plain")).collect();
        for _ in 0..31 {
            for (way, bench) in benches.iter_mut().enumerate() {
                for (at, (chunk, best)) in frames.chunks_exact(CHUNK).zip(&mut best[way]).enumerate() {
                    let binary = binary.get(at * CHUNK..(at + 1) * CHUNK).unwrap_or_default();
                    let start = Instant::now();
                    black_box(bench.pass(WAYS[way], chunk, binary));
                    *best = start.elapsed().min(*best);
                }
            }
        }
        for (way, best) in WAYS.iter().zip(best) {
            if *way == "sbe" && binary.is_empty() {
                continue;
            }
            let sum: Duration = best.iter().sum();
            eprintln!("{:15} {way:15} {:8.1} ns", case.name(), sum.as_nanos() as f64 / frames.len() as f64);
        }
    }
}
