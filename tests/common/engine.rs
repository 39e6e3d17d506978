//! The whole engine in the stepped world on two venues: in a fair wind and in a storm, what the engine
//! says that it did must be what the venues say.

use xarb::config::{Config, DEMO};
use xarb::engine::{Crew, CrewError, Identity};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::types::Nanos;

use stepped::{Run, START, Still};

#[path = "run.rs"]
mod stepped;

/// One of a pairing: venue, symbol, how orders travel, least lot, kind of contract and how much of the
/// base asset the venue counts as one.
type Listed = (&'static str, &'static str, &'static str, &'static str, (&'static str, &'static str));
pub type Pairing = [Listed; 2];

fn config(pairing: &Pairing, seed: u64, changes: &[&str]) -> Config {
    let mut text = String::from("[run]\nmode = \"stepped\"\nseed = 1\nseconds = 20\n");
    for (venue, _, transport, ..) in pairing {
        text += &format!(
            "[venue.\"{venue}\"]\nenvironment = \"sim\"\nchannels = [\"depth\"]\nlevels = 100\ntaker_bps = 10\nmaker_bps = 8\n\
             max_age_ms = 2000\nwindow_ms = 1000\ntransport = \"{transport}\"\n"
        );
    }
    let symbols: Vec<String> =
        pairing.iter().map(|(venue, symbol, ..)| format!("\"{venue}\" = \"{symbol}\"")).collect();
    text += &format!("[instrument.BTC-USDT]\nscale = 8\nsymbols = {{ {} }}\n", symbols.join(", "));
    for (venue, _, _, lot, (kind, size)) in pairing {
        text += &format!(
            "[instrument.BTC-USDT.rules.\"{venue}\"]\ncontract = \"{kind}\"\ncontract_size = \"{size}\"\ntick = \"0.1\"\nlot = \"{lot}\"\nmin_qty = \"{lot}\"\nmin_notional = \"5\"\n"
        );
    }
    text += &DEMO[DEMO.find("[detect]").unwrap()..];
    let mut changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
    changes.push(format!("run.seed={seed}"));
    Config::parse("run.toml", &text, &changes).unwrap()
}

/// Nothing goes wrong: both venues trade, and nothing is lost.
pub fn fair(pairing: &Pairing) {
    let path = Path { latency: Nanos::from_micros(500), ..Path::default() };
    for seed in 0..2 {
        let mut run = Run::of(&config(pairing, seed, &["sim.offset_bps=40"]), path);
        run.on(Nanos::from_secs(10));
        assert_eq!(run.violations(), [], "seed {seed}");
        let report = run.must_settle();
        for venue in &report.venues {
            assert_eq!(venue.resyncs, 0, "seed {seed}: {report:#?}");
            assert!(venue.updates >= 80 && venue.fills >= 5, "seed {seed}: {report:#?}");
        }
        assert!(report.intents >= 5 && report.unknown == 0, "seed {seed}: {report:#?}");
    }
}

/// Messages are lost, connections cut, orders refused and filled in part; and in the end everything
/// adds up.
pub fn storm(pairing: &Pairing, gap_ppm: u32, seeds: std::ops::Range<u64>) {
    let path = Path {
        latency: Nanos::from_micros(500),
        jitter: Nanos::from_millis(5),
        chop: true,
        cut_every: Nanos::from_secs(3),
    };
    let gaps = format!("sim.gap_ppm={gap_ppm}");
    let faults = [
        gaps.as_str(),
        "sim.disconnect_ppm=100000",
        "sim.latency_us=200",
        "sim.jitter_us=3000",
        "sim.reject_ppm=50000",
        "sim.partial_ppm=300000",
        "sim.offset_bps=40",
    ];
    let (mut resyncs, mut fills) = (0, 0);
    for seed in seeds {
        let mut run = Run::of(&config(pairing, seed, &faults), path);
        for _ in 0..16 {
            run.on(Nanos::from_millis(500));
            assert_eq!(run.violations(), [], "seed {seed}");
        }
        run.heal();
        let report = run.must_settle();
        resyncs += report.venues.iter().map(|venue| venue.resyncs).sum::<u64>();
        fills += report.venues.iter().map(|venue| venue.fills).sum::<u64>();
    }
    assert!(resyncs > 5 && fills > 5, "the storm was none: {resyncs} books built anew, {fills} fills");
}

/// The same seed gives the same journal, another one another.
pub fn one_journal_a_seed(pairing: &Pairing) {
    let path = Path { jitter: Nanos::from_millis(2), chop: true, ..Path::default() };
    let report = |seed| {
        let changes = ["sim.gap_ppm=10000", "sim.partial_ppm=300000", "sim.offset_bps=40"];
        let mut run = Run::of(&config(pairing, seed, &changes), path);
        run.on(Nanos::from_secs(4));
        run.report()
    };
    assert_eq!(report(1), report(1));
    assert_ne!(report(1).journal_sha256, report(2).journal_sha256);
}

/// Whether two markets may be traded by one key; by one each they may.
pub fn may_share_a_key(pairing: &Pairing) -> bool {
    let config = config(pairing, 1, &[]);
    let run = Run::of(&config, Path::default());
    let (_, keys) = simulate(&config, START).unwrap();
    let identity = Identity { run: 1, tag_key: [7; 32], seed: 1, nonce_from: 1, keep_journal: false };
    let both = [keys[0].clone(), keys[0].clone()];
    match Crew::new(&run.plan, &both, &identity, &mut || run.world.dial(), &Still).map(drop) {
        Err(error @ CrewError::OneAccount(..)) => {
            let text = error.to_string();
            assert!(pairing.iter().all(|(venue, ..)| text.contains(venue)), "{text}");
            false
        }
        Err(CrewError::Key { .. }) | Ok(()) => true,
        Err(error) => panic!("{error}"),
    }
}
