//! The whole engine from the command line: simulated exchanges, stepped and over loopback sockets,
//! and paper trading against endpoints of a configuration.

#[path = "demo/record.rs"]
mod record;

#[path = "demo/orders.rs"]
mod orders;

use std::process::Command;

use serde_json::Value;
use xarb::config::{Config, DEMO};
use xarb::host::{HostClock, ListenConfig, serve};
use xarb::sim::setup::simulate;
use xarb::types::{Clock, Money};

fn xarb(args: &[&str]) -> (i32, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xarb")).args(args).arg("--json").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout} {stderr}"));
    (output.status.code().unwrap(), value, stderr)
}

fn sum(report: &Value, of: &str) -> u64 {
    report["venues"].as_array().unwrap().iter().map(|venue| venue[of].as_u64().unwrap()).sum()
}

/// What every report must hold, whatever happened.
#[track_caller]
fn check_shape(report: &Value) {
    for key in ["seconds", "seed", "opportunities", "intents", "unknown", "violations"] {
        assert!(report[key].is_u64(), "{key}: {report}");
    }
    for key in ["refused", "pnl", "fees", "net_exposure", "hops"] {
        assert!(report[key].is_object(), "{key}: {report}");
    }
    for venue in report["venues"].as_array().unwrap() {
        assert!(venue["venue"].is_string());
        for key in ["frames", "updates", "resyncs", "orders", "acks", "fills", "rejects"] {
            assert!(venue[key].is_u64(), "{key}: {venue}");
        }
    }
    for hop in report["hops"].as_object().unwrap().values() {
        for key in ["count", "p50_ns", "p99_ns", "p999_ns", "max_ns"] {
            assert!(hop[key].is_u64(), "{key}: {hop}");
        }
    }
    assert_eq!(report["journal_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_stepped_demo_is_the_same_for_one_seed() {
    let run = |seed| {
        let (code, report, talk) = xarb(&["demo", "--stepped", "--seconds", "20", "--seed", seed]);
        check_shape(&report);
        assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "seed {seed}: {talk}");
        for venue in report["venues"].as_array().unwrap() {
            assert!(venue["fills"].as_u64() > Some(4), "seed {seed}: {report}");
        }
        // Flat, but for what is below the smallest order of any venue.
        let left = Money::parse(report["net_exposure"]["BTC"].as_str().unwrap()).unwrap();
        assert!(left.abs() < Money::parse("0.0001").unwrap(), "seed {seed}: {report}");
        report["journal_sha256"].clone()
    };
    let first = run("7");
    assert_eq!(first, run("7"));
    assert_ne!(first, run("8"));
}

/// Books of one venue in SBE: the header gets through, and the engine trades on them as on others.
#[test]
fn a_stepped_demo_trades_on_binary_market_data() {
    let binary = ["demo", "--stepped", "--seconds", "20", "--set", "venue.binance.spot.encoding=sbe"];
    let (code, report, talk) = xarb(&binary);
    check_shape(&report);
    assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{report} {talk}");
    let (_, text, _) = xarb(&binary[..4]);
    // A message each 20 ms instead of each 100.
    let frames = |report: &Value| report["venues"][0]["frames"].as_u64().unwrap();
    assert!(frames(&report) > frames(&text) * 3 / 2, "{report} {text}");
    assert!(sum(&report, "fills") > 4, "{report}");
}

/// Two of the demo's venues.
const PAIR: &str = "binance.spot,kraken.spot";

#[test]
fn every_transport_trades_and_survives_faults() {
    let faults = [
        "sim.reject_ppm=50000",
        "sim.partial_ppm=200000",
        "sim.disconnect_ppm=100000",
        "sim.gap_ppm=5000",
        "sim.latency_us=300",
        "sim.jitter_us=700",
    ];
    for [one, two] in [["ws", "ws"], ["rest", "rest"], ["ws", "rest"], ["rest", "ws"]] {
        for seed in ["1", "2"] {
            let transports = [
                format!("venue.\"binance.spot\".transport=\"{one}\""),
                format!("venue.\"kraken.spot\".transport=\"{two}\""),
            ];
            let mut args = vec!["demo", "--venues", PAIR, "--stepped", "--seconds", "20", "--seed", seed];
            for change in faults.into_iter().chain(transports.iter().map(String::as_str)) {
                args.extend(["--set", change]);
            }
            let (_, report, talk) = xarb(&args);
            check_shape(&report);
            assert_eq!(report["violations"], 0, "{one} {two} seed {seed}: {report} {talk}");
            assert!(sum(&report, "orders") > 0, "{one} {two} seed {seed}: {report} {talk}");
            assert!(sum(&report, "resyncs") > 0, "{one} {two} seed {seed}: faults were on: {report}");
        }
    }
}

#[test]
fn spot_trades_against_a_contract() {
    let perp = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo-perp.toml");
    trades_against_a_contract(perp, "binance.usdm");
}

#[test]
fn spot_trades_against_an_inverse_contract() {
    let inverse = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo-inverse.toml");
    trades_against_a_contract(inverse, "binance.coinm");
}

/// A venue whose orders were never made for inverse contracts gets none.
#[test]
fn inverse_contracts_are_refused_where_they_are_not_known() {
    let text = include_str!("../configs/demo-inverse.toml");
    let file = std::env::temp_dir().join(format!("xarb-inverse-{}.toml", std::process::id()));
    std::fs::write(&file, text.replace("binance.coinm", "binance.usdm")).unwrap();
    let run = ["demo", "--stepped", "--seconds", "1", "-c", file.to_str().unwrap()];
    let output = Command::new(env!("CARGO_BIN_EXE_xarb")).args(run).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    let want = "venue.binance.usdm: takes no orders in inverse contracts such as `BTCUSD_PERP`";
    assert!(output.status.code() == Some(2) && talk.contains(want), "{:?} {talk}", output.status);
}

/// Spot against a contract: whatever goes wrong, positions, wallets and fills agree with the venues'.
fn trades_against_a_contract(config: &str, venue: &str) {
    let faults = [
        "sim.reject_ppm=50000",
        "sim.partial_ppm=200000",
        "sim.disconnect_ppm=100000",
        "sim.gap_ppm=5000",
        "sim.latency_us=300",
        "sim.jitter_us=700",
    ];
    for transport in ["ws", "rest"] {
        let change = format!("venue.\"{venue}\".transport=\"{transport}\"");
        let args = ["demo", "-c", config, "--stepped", "--seconds", "12", "--set", &change];
        let fair = [&args[..], &["--seed", "7"]].concat();
        let (code, report, talk) = xarb(&fair);
        check_shape(&report);
        assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{transport}: {report} {talk}");
        assert!(sum(&report, "fills") > 4, "{transport}: {report}");
        let left = Money::parse(report["net_exposure"]["BTC"].as_str().unwrap()).unwrap();
        assert!(left.abs() < Money::parse("0.0001").unwrap(), "{transport}: {report}");
        assert_eq!(report["journal_sha256"], xarb(&fair).1["journal_sha256"], "{transport}");
        for seed in ["1", "2", "3"] {
            let mut args = [&args[..], &["--seed", seed]].concat();
            for change in faults {
                args.extend(["--set", change]);
            }
            let (_, report, talk) = xarb(&args);
            assert_eq!(report["violations"], 0, "{transport} seed {seed}: {report} {talk}");
            assert!(sum(&report, "orders") > 0, "{transport} seed {seed}: {report} {talk}");
        }
    }
}

/// Prices in USD and in USDT, as the venues' own metadata tells them.
#[test]
fn a_demo_trades_across_quote_assets() {
    let quotes = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo-quotes.toml");
    let args = ["demo", "-c", quotes, "--stepped", "--seconds", "20", "--seed", "7"];
    let (code, report, talk) = xarb(&args);
    check_shape(&report);
    assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{report} {talk}");
    assert!(sum(&report, "fills") > 4, "{report}");
    let amount = |of: &str, asset: &str| Money::parse(report[of][asset].as_str().unwrap()).unwrap();
    assert!(amount("net_exposure", "BTC").abs() < Money::parse("0.0001").unwrap(), "{report}");
    assert_eq!(amount("net_exposure", "USDT"), amount("pnl", "USDT"), "{report}");
    assert!(amount("pnl_common", "USD") > Money::ZERO, "{report}");
    assert_eq!(report["journal_sha256"], xarb(&args).1["journal_sha256"]);
}

/// What a run used is known to the next one, whatever the clock or a broken disk did in between.
#[test]
fn nonces_go_on_where_the_last_run_ended() {
    let folder = std::env::temp_dir().join(format!("xarb-state-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let state = format!("run.state_dir=\"{}\"", folder.display());
    let rest = "venue.\"kraken.spot\".transport=\"rest\"";
    let run = || {
        let args = ["demo", "--venues", PAIR, "--seconds", "2", "--set", &state, "--set", rest];
        let (code, report, talk) = xarb(&args);
        assert_eq!(code, 0, "{report} {talk}");
        assert!(report["venues"][1]["orders"].as_u64() > Some(0), "{report} {talk}");
        let text = std::fs::read_to_string(folder.join("nonces")).unwrap();
        (text.split(' ').nth(3).unwrap().parse::<u64>().unwrap(), talk)
    };
    let (first, talk) = run();
    assert!(talk.contains("no mark of nonces"), "{talk}");
    let (second, talk) = run();
    assert!(second > first && !talk.contains("nonces"), "{talk}");
    // As if the clock had been a year ahead until now.
    let ahead = HostClock::new().now() + xarb::types::Nanos::from_secs(31_536_000);
    let (file, _) = xarb::host::NonceFile::open(&folder, ahead).unwrap();
    let (third, talk) = run();
    assert!(third > file.below() && talk.contains("ahead of the clock"), "{third} {talk}");
    std::fs::write(folder.join("nonces"), "xarb nonces 1 17").unwrap();
    let (fourth, talk) = run();
    assert!(fourth > second && fourth < third && talk.contains("damaged"), "{fourth} {talk}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A start is refused by venue and right, before anything is sent but the question.
#[test]
fn keys_that_may_do_too_much_or_too_little_are_not_traded_with() {
    let perp = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo-perp.toml");
    let strict = ["-c", perp, "--set", "venue.binance.usdm.allow_unread_rights=false"];
    let all = ["binance.spot", "bybit.spot", "coinbase.advanced", "kraken.spot", "okx.spot"];
    // Kraken tells its rights to any key.
    let secretive = ["binance.spot", "bybit.spot", "coinbase.advanced", "okx.spot"];
    // What is set, who is refused, and why.
    for (set, refused, why) in [
        (&[][..], &[][..], ""),
        (&["--set", "sim.key_rights=[\"read\", \"trade\", \"withdraw\"]"], &all, "the key may withdraw"),
        (&["--set", "sim.key_rights=[\"read\"]"], &all, "the key may not trade"),
        (&["--set", "sim.key_rights=[\"trade\"]"], &secretive, "what the key may do is not known: "),
        // This venue's keys that may transfer may withdraw.
        (
            &["--set", "sim.key_rights=[\"read\", \"trade\", \"transfer\"]"],
            &all[2..3],
            "the key may withdraw",
        ),
        (&strict, &["binance.usdm"], "what the key may do is not known: "),
    ] {
        let (code, report, talk) = xarb(&[&["demo", "--stepped", "--seconds", "1"], set].concat());
        assert_eq!(code, if refused.is_empty() { 0 } else { 4 }, "{set:?}: {report} {talk}");
        for venue in all.into_iter().chain(["binance.usdm"]) {
            let error = report["error"].as_str().unwrap_or_default();
            let named = error.contains(&format!("venue.{venue}: {why}"));
            assert_eq!(named, refused.contains(&venue), "{set:?} {venue}: {report} {talk}");
        }
    }
    let anywhere = ["--set", "sim.key_rights=[\"read\", \"trade\", \"anywhere\"]"];
    let (code, _, talk) = xarb(&[&["demo", "--stepped", "--seconds", "1"], &anywhere[..]].concat());
    assert_eq!(code, 0, "{talk}");
    for venue in ["binance.spot", "bybit.spot", "kraken.spot", "okx.spot"] {
        assert!(talk.contains(&format!("venue.{venue}: the key may be used from any address")), "{talk}");
    }
}

/// Exchanges that the demo simulates: one of each operator.
const OPERATORS: usize = 5;

#[test]
fn a_demo_trades_over_loopback_sockets() {
    let (code, report, talk) = xarb(&["demo", "--seconds", "6"]);
    check_shape(&report);
    assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{report} {talk}");
    assert_eq!(report["venues"].as_array().unwrap().len(), OPERATORS, "{report}");
    for venue in report["venues"].as_array().unwrap() {
        assert!(venue["frames"].as_u64() > Some(20), "{report} {talk}");
        assert!(venue["fills"].as_u64() > Some(0), "{report} {talk}");
    }
    assert!(report["hops"]["decode"]["count"].as_u64() > Some(20), "{report}");
}

/// The demo over real sockets, on which every venue must trade.
#[track_caller]
fn all_trade_over_loopback(args: &[&str], venues: usize) {
    let (code, report, talk) = xarb(&[&["demo", "--seconds", "6"], args].concat());
    check_shape(&report);
    assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{report} {talk}");
    let told = report["venues"].as_array().unwrap();
    assert_eq!(told.len(), venues, "{report}");
    for venue in told {
        assert!(venue["acks"].as_u64() > Some(0) && venue["fills"].as_u64() > Some(0), "{report} {talk}");
    }
}

#[test]
fn a_demo_trades_by_signed_requests_over_loopback_sockets() {
    let venues = ["binance.spot", "kraken.spot", "bybit.spot", "okx.spot"];
    let rest = venues.map(|venue| format!("venue.\"{venue}\".transport=\"rest\""));
    let args: Vec<&str> = rest.iter().flat_map(|change| ["--set", change]).collect();
    all_trade_over_loopback(&args, OPERATORS);
}

/// A configuration of the operators' other markets: contracts, each with its positions, and the older of
/// two products.
fn other_markets() -> String {
    let mut text = String::from("[run]\nmode = \"auto\"\nseed = 1\nseconds = 6\n");
    let mut rules = String::from("[instrument.BTC-USDT]\nscale = 8\n");
    for (venue, symbol, transport, lot, contract) in [
        ("coinbase.exchange", "BTC-USDT", "rest", "0.00001", ""),
        ("binance.usdm", "BTCUSDT", "ws", "0.001", "contract = \"linear\"\n"),
        ("bybit.linear", "BTCUSDT", "ws", "0.001", "contract = \"linear\"\n"),
        ("okx.swap", "BTC-USDT-SWAP", "ws", "0.0001", "contract = \"linear\"\ncontract_size = \"0.01\"\n"),
    ] {
        text += &format!(
            "[venue.\"{venue}\"]\nenvironment = \"sim\"\nchannels = [\"depth\"]\nlevels = 100\ntaker_bps = 5\n\
             maker_bps = 2\nmax_age_ms = 2000\nwindow_ms = 1000\ntransport = \"{transport}\"\n\
             allow_unread_rights = true\n"
        );
        rules += &format!(
            "symbols.\"{venue}\" = \"{symbol}\"\nrules.\"{venue}\".tick = \"0.1\"\nrules.\"{venue}\".lot = \"{lot}\"\n\
             rules.\"{venue}\".min_qty = \"{lot}\"\nrules.\"{venue}\".min_notional = \"5\"\n"
        );
        rules += &contract.lines().map(|line| format!("rules.\"{venue}\".{line}\n")).collect::<String>();
    }
    text + &rules + &DEMO[DEMO.find("[detect]").unwrap()..]
}

#[test]
fn a_demo_trades_on_the_other_markets_over_loopback_sockets() {
    let file = std::env::temp_dir().join(format!("xarb-markets-{}.toml", std::process::id()));
    std::fs::write(&file, other_markets()).unwrap();
    all_trade_over_loopback(&["-c", file.to_str().unwrap()], 4);
    std::fs::remove_file(&file).unwrap();
}

/// Books in a venue's binary encoding, over two real sockets.
#[test]
fn a_demo_trades_on_binary_market_data_over_loopback_sockets() {
    let binary = ["--set", "venue.binance.spot.encoding=sbe", "--set", "venue.binance.spot.connections=2"];
    let run = ["demo", "--venues", PAIR, "--seconds", "4"];
    let (code, report, talk) = xarb(&[&run[..], &binary].concat());
    check_shape(&report);
    assert_eq!((code, &report["violations"]), (0, &Value::from(0)), "{report} {talk}");
    // Two connections' worth of messages each 20 ms; in text there is one each 100.
    assert!(report["venues"][0]["frames"].as_u64() > Some(100), "{report} {talk}");
    for venue in report["venues"].as_array().unwrap() {
        assert!(venue["fills"].as_u64() > Some(0), "{report} {talk}");
        assert_eq!(venue["resyncs"], 0, "{report} {talk}");
    }
}

#[test]
fn paper_orders_meet_the_books_of_configured_endpoints() {
    let perp =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo-perp.toml")).unwrap();
    // A contract is known for one by the venue's own metadata.
    for (demo, venue, stream) in [
        (Config::demo_on(&["binance.spot", "kraken.spot"], &[]).unwrap(), "binance.spot", "stream"),
        (Config::parse("demo-perp.toml", &perp, &[]).unwrap(), "binance.usdm", "public/stream"),
    ] {
        on_paper(&demo, venue, stream);
    }
}

/// Trades on paper at the simulated venues of a demo, which stand in for public ones: the program sees
/// endpoints and nothing else.
fn on_paper(demo: &Config, venue: &str, stream: &str) {
    let clock = HostClock::new();
    let (sim, _) = simulate(demo, clock.now()).unwrap();
    let served = serve(sim, ListenConfig::default(), clock).unwrap();
    let ports: Vec<u16> = served.addresses().iter().map(|address| address.port()).collect();
    let text = format!(
        r#"
[run]
mode = "shared"
[venue."{venue}"]
environment = "paper"
stream = "ws://127.0.0.1:{0}/{stream}"
rest = "http://127.0.0.1:{0}/"
channels = ["depth"]
interval_ms = 100
taker_bps = 0
maker_bps = 0
[venue."kraken.spot"]
environment = "paper"
stream = "ws://127.0.0.1:{1}/v2"
rest = "http://127.0.0.1:{1}/"
channels = ["depth"]
levels = 100
taker_bps = 0
maker_bps = 0
[instrument.BTC-USDT]
symbols = {{ "{venue}" = "BTCUSDT", "kraken.spot" = "BTC/USDT" }}
[detect]
min_edge_bps = 0.1
max_notional = 1000
[risk]
max_order_notional = 1000
[sim]
balances = {{ BTC = "1", USDT = "100000" }}
"#,
        ports[0], ports[1]
    );
    let file = std::env::temp_dir().join(format!("xarb-paper-{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let recorded = record::Temporary::new("paper.mcap");
    let (code, report, talk) = xarb(&["run", "-c", path, "--seconds", "5", "--record", recorded.text()]);
    let _ = std::fs::remove_file(&file);
    check_shape(&report);
    assert_eq!(code, 0, "{report} {talk}");
    assert!(sum(&report, "frames") > 20, "{report} {talk}");
    assert!(sum(&report, "fills") > 0, "without fees the two books cross within seconds: {report} {talk}");
    let replayed = record::replays(recorded.text());
    let messages = replayed["files"][0]["messages"].as_u64().unwrap();
    assert_eq!(messages, sum(&report, "frames"), "every frame of the feeds, and nothing else: {replayed}");
    served.stop();
}

#[test]
fn orders_to_real_venues_are_refused() {
    let paper = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/paper.toml");
    let sandbox = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/sandbox-binance.toml");
    for (args, want, word) in [
        (&["run", "-c", paper, "--live"][..], 4, "leave out --live"),
        (&["run", "-c", sandbox], 4, "configs/paper.toml"),
        (&["run", "-c", sandbox, "--live"], 4, "configs/paper.toml"),
        (&["demo", "--venues", "nowhere.spot"], 2, "nowhere.spot"),
        (&["demo", "--set", "detect.min_edge=1"], 2, "detect.min_edge"),
    ] {
        let (code, report, talk) = xarb(args);
        assert_eq!(code, want, "{args:?}: {report} {talk}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(word) && talk.starts_with("xarb: "), "{args:?}: {talk}");
    }
}
