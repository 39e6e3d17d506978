//! Every row of the list equals the reference's.

use std::io::Read;

use super::common;
use super::reference::{Terms, Venue, basis_rows, rows};
use super::run::{Ran, backtest};
use xarb::backtest::example::{Story, captures};

fn terms(fees: [i128; 2], min_edge_bps_e4: i128, max_notional: i128, haircut: i128) -> Terms {
    let [spot, usdm] = fees;
    let venue = |name, futures, fee, lot, min_notional| Venue {
        name,
        futures,
        fee,
        lot,
        min_qty: lot,
        min_notional,
        face: None,
    };
    let venues =
        [venue("binance.spot", false, spot, 1_000, 5), venue("binance.usdm", true, usdm, 100_000, 100)];
    Terms { venues, min_edge_bps_e4, max_notional, haircut }
}

/// The three reference configurations: a fee of 1 bp is 10,000 units of 1e-8.
fn references() -> [(&'static str, Terms); 3] {
    [
        ("reference-spot-usdm.toml", terms([10_000, 10_000], 20_000, 1_000, 100_000_000)),
        ("reference-spot-usdm-deep.toml", terms([15_000, 5_000], 25_000, 5_000, 50_000_000)),
        ("reference-spot-usdm-free.toml", terms([0, 0], 0, 1_000, 100_000_000)),
    ]
}

#[track_caller]
fn same(what: &str, ran: &Ran, want: &[String]) {
    for (at, (have, want)) in ran.rows.iter().zip(want).enumerate() {
        assert_eq!(have, want, "{what}: row {at}");
    }
    assert_eq!(ran.rows.len(), want.len(), "{what}: rows\n{}", ran.stderr);
    assert_eq!(ran.report["opportunities"], want.len(), "{what}");
}

#[test]
fn every_row_of_generated_captures_is_the_reference_s() {
    let mut all = 0;
    for seed in 1..=6 {
        let story = Story { seed, steps: 1_500, pace_ms: 1, unseeded: false, gap: seed % 2 == 0 };
        let texts = captures(story);
        for (config, terms) in references() {
            let ran = backtest(config, &[texts[0].as_bytes(), texts[1].as_bytes()], &[]);
            let want = rows(&terms, [&texts[0], &texts[1]]);
            assert_eq!(ran.code, 0, "seed {seed}: {}", ran.stderr);
            same(&format!("seed {seed}, {config}"), &ran, &want);
            all += want.len();
        }
    }
    assert!(all > 1_000, "{all} rows compare little");
}

#[test]
fn every_row_against_a_basis_is_the_reference_s() {
    let (mut all, mut apart) = (0, 0);
    for (seed, half_life_ms) in [(1, 250), (2, 1_000), (3, 2_500), (4, 10_000)] {
        let texts = captures(Story { seed, steps: 1_500, pace_ms: 40, unseeded: false, gap: seed == 2 });
        let (config, terms) = &references()[2];
        let basis = format!("--set=detect.basis_half_life_ms={half_life_ms}");
        let ran = backtest(config, &[texts[0].as_bytes(), texts[1].as_bytes()], &[&basis]);
        assert_eq!(ran.code, 0, "seed {seed}: {}", ran.stderr);
        let mut rows = ran.rows.iter().peekable();
        for (at, want) in
            basis_rows(terms, half_life_ms * 1_000_000, [&texts[0], &texts[1]]).iter().enumerate()
        {
            match rows.next_if(|row| want.iter().flatten().any(|want| want == *row)) {
                Some(row) => apart += usize::from(want[1].as_ref() != Some(row)),
                None if want.contains(&None) => apart += usize::from(want[1].is_some()),
                None => panic!("seed {seed}, evaluation {at}: {want:?}, not {:?}", rows.peek()),
            }
        }
        assert_eq!(rows.next(), None, "seed {seed}: a row more");
        all += ran.rows.len();
    }
    assert!(all > 500, "{all} rows compare little");
    // The last digit of a mean decides next to nothing.
    assert!(apart * 100 <= all, "{apart} of {all} rows hang on a mean's last digit");
}

#[test]
fn a_book_that_was_never_seeded_lists_nothing() {
    let texts = captures(Story { seed: 3, steps: 400, pace_ms: 1, unseeded: true, gap: false });
    let ran = backtest("reference-spot-usdm-free.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], &[]);
    assert_eq!((ran.code, ran.rows.len()), (0, 0), "{}", ran.stderr);
    assert_eq!(ran.report["opportunities"], 0);
    let states: Vec<_> =
        ran.report["books"].as_array().unwrap().iter().map(|book| book["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["live", "waiting"]);
}

/// Spot against inverse contracts of 100 each, counted whole.
fn inverse_terms() -> Terms {
    let spot = Venue {
        name: "binance.spot",
        futures: false,
        fee: 10_000,
        lot: 1_000,
        min_qty: 1_000,
        min_notional: 5,
        face: None,
    };
    let coinm = Venue {
        name: "binance.coinm",
        futures: true,
        fee: 10_000,
        lot: 100_000_000,
        min_qty: 100_000_000,
        min_notional: 0,
        face: Some(100),
    };
    Terms { venues: [spot, coinm], min_edge_bps_e4: 0, max_notional: 5_000, haircut: 100_000_000 }
}

/// A generated perpetual's messages as COIN-M would have sent them: a thousand contracts where there
/// was one of the base asset.
fn as_contracts(usdm: &str) -> String {
    let symbol = usdm.replace(r#""s":"BTCUSDT","U""#, r#""s":"BTCUSD_PERP","ps":"BTCUSD","U""#);
    let other = symbol.replace(r#""s":"BTCUSDT""#, r#""s":"BTCUSD_PERP","ps":"BTCUSD""#);
    let named = other.replace("btcusdt@", "btcusd_perp@");
    let seeded = named.replace(r#","bids":["#, r#","symbol":"BTCUSD_PERP","pair":"BTCUSD","bids":["#);
    let mut text = String::new();
    // Quantities have three decimals: `"1.234"]` becomes `"1234"]`.
    for (at, part) in seeded.split(r#"","#).enumerate() {
        text.push_str(if at == 0 { "" } else { r#"","# });
        let end = part.find(r#""]"#).filter(|_| part.starts_with('"'));
        let qty = end.and_then(|end| part[1..end].split_once('.').map(|qty| (end, qty)));
        match qty {
            Some((end, (whole, thousandths))) if thousandths.len() == 3 => {
                let count: u64 = format!("{whole}{thousandths}").parse().unwrap();
                text.push_str(&format!("\"{count}{}", &part[end..]));
            }
            _ => text.push_str(part),
        }
    }
    text
}

#[test]
fn every_row_against_inverse_contracts_is_the_reference_s() {
    let mut all = 0;
    for seed in 1..=4 {
        let story = Story { seed, steps: 1_500, pace_ms: 1, unseeded: false, gap: seed == 2 };
        let [spot, usdm] = captures(story);
        let coinm = as_contracts(&usdm);
        let ran = backtest("reference-spot-coinm.toml", &[spot.as_bytes(), coinm.as_bytes()], &[]);
        let want = rows(&inverse_terms(), [&spot, &coinm]);
        assert_eq!(ran.code, 0, "seed {seed}: {}", ran.stderr);
        same(&format!("seed {seed}"), &ran, &want);
        assert!(ran.report["intents"].as_u64().unwrap() > 0, "{}", ran.report);
        all += want.len();
    }
    assert!(all > 200, "{all} rows compare little");
}

#[test]
fn every_row_of_recorded_inverse_contracts_is_the_reference_s() {
    let names = ["hftbacktest-spot_btcusdt_20240808.gz", "hftbacktest-cm_btcusd_perp_20240808.gz"];
    let Some(texts) = recorded(names) else { return };
    let ran = backtest("reference-spot-coinm.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], &[]);
    let want = rows(&inverse_terms(), [&texts[0], &texts[1]]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    same("spot against COIN-M", &ran, &want);
    // The books stand apart: against where they usually stand there is less to take, and both ways.
    let basis = ["--set=detect.basis_half_life_ms=30000"];
    let ran = backtest("reference-spot-coinm.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], &basis);
    assert!(ran.code == 0 && ran.rows.len() < want.len(), "{} of {}", ran.rows.len(), want.len());
}

#[test]
fn recorded_captures_without_one_s_snapshot_list_nothing() {
    // Of its second day's file the spot book has updates only.
    let names = ["hftbacktest-spot_btcusdt_20240809.gz", "hftbacktest-usdm_btcusdt_20240808.gz"];
    let Some(texts) = recorded(names) else { return };
    let ran = backtest("reference-spot-usdm-free.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], &[]);
    assert_eq!((ran.code, ran.rows.len()), (0, 0), "{}", ran.stderr);
    let states: Vec<_> =
        ran.report["books"].as_array().unwrap().iter().map(|book| book["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["waiting", "live"]);
}

#[test]
fn every_row_of_recorded_captures_is_the_reference_s() {
    let names = ["hftbacktest-spot_btcusdt_20240808.gz", "hftbacktest-usdm_btcusdt_20240808.gz"];
    let Some(texts) = recorded(names) else { return };
    for (config, terms) in references() {
        let ran = backtest(config, &[texts[0].as_bytes(), texts[1].as_bytes()], &[]);
        let want = rows(&terms, [&texts[0], &texts[1]]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        same(config, &ran, &want);
        eprintln!("{config}: {} rows", want.len());
    }
}

/// Texts of two recorded markets, where they are. All of it when `XARB_CAPTURES_WHOLE` is set; else the
/// first part, which is what a build without optimisations gets through in seconds.
fn recorded(names: [&str; 2]) -> Option<[String; 2]> {
    let folder = common::folder().join("binance");
    if !names.iter().all(|name| folder.join(name).exists()) {
        eprintln!("no captures in {}", folder.display());
        return None;
    }
    let lines = if std::env::var_os("XARB_CAPTURES_WHOLE").is_some() { usize::MAX } else { 15_000 };
    Some(names.map(|name| {
        let file = std::fs::File::open(folder.join(name)).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        let end = text.match_indices('\n').nth(lines).map_or(text.len(), |(at, _)| at + 1);
        text.truncate(end);
        text
    }))
}
