//! Orders against captured books: what they meet, when, and what it costs.

use super::markets::{Named, PERP as USDM, Pair, SPOT};
use super::run::{Ran, backtest, units};
use xarb::backtest::example::{Story, captures};

/// Spot and USD-M.
struct Markets(Pair);

impl Markets {
    /// Spot asks 0.016 at 60,000, the perpetual bids 1 at 60,100: an opportunity for 0.016, from
    /// the last of the messages at 10 ms on.
    fn new() -> Markets {
        let mut own = Markets(Pair::new(Named { stream: "btcusdt", symbol: r#""s":"BTCUSDT""# }));
        let spot = r#""bids":[["59000.00","1"]],"asks":[["60000.00","0.016"],["60150.00","1"]]"#;
        let usdm = r#""E":1,"T":1,"bids":[["60100.0","1"]],"asks":[["60110.0","1"]]"#;
        own.0.line(SPOT, 0, &format!(r#"{{"lastUpdateId":100,{spot}}}"#));
        own.0.line(USDM, 0, &format!(r#"{{"lastUpdateId":500,{usdm}}}"#));
        own.update(SPOT, 5, r#"["50000.00","1"]"#, "");
        own.update(USDM, 10, r#"["50000.0","1"]"#, "");
        own
    }

    fn update(&mut self, market: usize, ms: i64, bids: &str, asks: &str) {
        self.0.update(market, ms, bids, asks);
    }

    /// A message on each market that changes nothing near the touch.
    fn beat(&mut self, ms: i64) {
        self.update(SPOT, ms, r#"["50000.00","2"]"#, "");
        self.update(USDM, ms, r#"["50000.0","2"]"#, "");
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.0.run("reference-spot-usdm-free.toml", args)
    }
}

/// Feed, entry and response latency of both venues, in ms.
fn latencies(feed: u32, entry: u32, response: u32) -> [String; 3] {
    [
        format!("--set=latency.feed={}", feed * 1_000),
        format!("--set=latency.entry={}", entry * 1_000),
        format!("--set=latency.response={}", response * 1_000),
    ]
}

#[track_caller]
fn counts(ran: &Ran, names: [&str; 4]) -> [u64; 4] {
    names.map(|name| ran.report[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", ran.report)))
}

const COUNTS: [&str; 4] = ["opportunities", "intents", "legs", "fills"];

#[test]
fn what_an_order_took_stays_taken_until_it_is_shown_anew() {
    let mut markets = Markets::new();
    markets.beat(500); // two evaluations with the same opportunity, nothing is left to take
    let latencies = latencies(0, 1, 1);
    // The spot leg of the second intent finds nothing: its other leg must be undone.
    let args: Vec<_> = latencies.iter().map(String::as_str).collect();
    let once = Markets::new().run(&args);
    assert_eq!(counts(&once, COUNTS), [1, 1, 2, 2]);
    assert_eq!(once.report["pnl"]["USDT"], "1.6");
    let gone = markets.run(&args);
    let [seen, intents, legs, fills] = counts(&gone, COUNTS);
    assert_eq!((seen, intents), (3, 2), "{}", gone.report);
    assert!(legs > 4 && fills == 4, "{}", gone.report);
    let parts = &gone.report["funnel"]["parts"];
    assert_eq!(parts["depth_gone"], "1.6", "the second intent filled on one side only: {parts}");
    assert_ne!(parts["hedge"], "0");

    let mut anew = Markets::new();
    anew.update(SPOT, 400, "", r#"["60000.00","0.016"]"#);
    let again = anew.run(&args);
    assert_eq!(counts(&again, COUNTS), [2, 2, 4, 4]);
    assert_eq!(again.report["pnl"]["USDT"], "3.2");
}

#[test]
fn an_order_meets_the_book_as_it_stands_when_it_arrives() {
    let mut markets = Markets::new();
    // 5 ms after it was seen, the ask is gone.
    markets.update(SPOT, 15, "", r#"["60000.00","0"]"#);
    markets.beat(100);
    markets.beat(400);
    // Feed, entry; whether the spot leg fills.
    for (feed, entry, fills) in
        [(0, 1, true), (0, 4, true), (0, 6, false), (3, 1, true), (3, 3, false), (8, 1, false)]
    {
        let latencies = latencies(feed, entry, 1);
        let args: Vec<_> = latencies.iter().map(String::as_str).collect();
        let ran = markets.run(&args);
        assert_eq!(counts(&ran, COUNTS)[..2], [1, 1], "{}", ran.report);
        let gone = ran.report["funnel"]["parts"]["depth_gone"] == "1.6";
        assert_eq!(gone, !fills, "feed {feed} ms, entry {entry} ms: {}", ran.report);
    }
}

#[test]
fn latencies_are_drawn_from_recorded_histograms() {
    let file = |name: &str, text: &str| {
        let path = std::env::temp_dir().join(format!("xarb-latency-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut markets = Markets::new();
    // 5 ms after it was seen, the ask is gone.
    markets.update(SPOT, 15, "", r#"["60000.00","0"]"#);
    markets.beat(400);
    for (name, text, fills) in
        [("early", "ns,count\n3999000,2\n4000000,7\n", true), ("late", "ns,count\n6000000,3\n", false)]
    {
        let path = file(name, text);
        let entry = format!("--set=latency.venue.binance.spot.entry=\"file:{}\"", path.display());
        let ran = markets.run(&["--set=latency.feed=0", &entry]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(counts(&ran, COUNTS)[..2], [1, 1], "{}", ran.report);
        assert_eq!(ran.report["funnel"]["parts"]["depth_gone"] == "1.6", !fills, "{name}: {}", ran.report);
    }
    // Half of the orders come in time: which of them, the seed says.
    let mut markets = Markets::new();
    for step in 1..=40 {
        markets.update(SPOT, 250 * step, "", r#"["60000.00","0.016"]"#);
        markets.update(SPOT, 250 * step + 5, "", r#"["60000.00","0"]"#);
    }
    let path = file("mixed", "# recorded\n4000000,10\n6000000,10\n");
    let entry = format!("--set=latency.venue.binance.spot.entry=\"file:{}\"", path.display());
    let old = "--set=venue.binance.usdm.max_age_ms=60000";
    let ran = markets.run(&["--set=latency.feed=0", &entry, old]);
    std::fs::remove_file(&path).unwrap();
    let unwound = ran.report["funnel"]["intents"]["unwound"].as_u64().unwrap();
    let done = ran.report["funnel"]["intents"]["done"].as_u64().unwrap();
    assert!(unwound >= 10 && done >= 10 && unwound + done >= 40, "{}", ran.report);
}

#[test]
fn refusals_never_keep_an_opportunity_from_the_list() {
    for (change, reason) in [
        ("--set=sim.balances={BTC=\"0\",USDT=\"0\"}", "no_balance"),
        ("--set=venue.binance.spot.max_age_ms=1", "stale"),
    ] {
        let ran = Markets::new().run(&[change]);
        assert_eq!(counts(&ran, COUNTS), [1, 0, 0, 0], "{change}: {}", ran.report);
        assert_eq!(ran.rows.len(), 1);
        assert_eq!(ran.report["refused"][reason], 1, "{change}: {}", ran.report);
    }
}

#[test]
fn a_venue_s_rejects_apply() {
    let ran = Markets::new().run(&["--set=sim.reject_ppm=1000000"]);
    assert_eq!(counts(&ran, ["intents", "legs", "fills", "rejects"]), [1, 2, 0, 2], "{}", ran.report);
    assert_eq!(ran.report["funnel"]["parts"]["realised"], "0");
    assert_eq!(ran.report["net_exposure"]["BTC"], "0");
}

#[test]
fn a_venue_s_rate_limit_keeps_an_order_from_leaving() {
    // The simulated spot market says that it takes 200 orders of an account in ten seconds; 12 of a hundred
    // are kept for hedges. The ask is shown anew every 30 ms: more opportunities than that in 9.6 s.
    let mut markets = Markets::new();
    markets.update(USDM, 15, r#"["60100.0","50"]"#, "");
    for step in 1..=320 {
        markets.update(SPOT, 15 + 30 * step, "", r#"["60000.00","0.016"]"#);
    }
    let path = std::env::temp_dir().join(format!("xarb-limits-{}.csv", std::process::id()));
    let path_text = path.display().to_string();
    let (quick, old) = ("--set=risk.max_orders_per_s=1000", "--set=venue.binance.usdm.max_age_ms=60000");
    let ran = markets.run(&["--ledger", &path_text, quick, old]);
    let rows = ledger(&std::fs::read_to_string(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let opportunities: Vec<_> = rows.iter().filter(|row| row["event"] == "opportunity").collect();
    let refused = opportunities.iter().filter(|row| row["outcome"] == "risk").collect::<Vec<_>>();
    assert!(refused.iter().all(|row| row["detail"] == "RateLimit"), "{refused:?}");
    let sent = opportunities.iter().filter(|row| row["outcome"] == "sent").count();
    // The second intent found the ask taken: its other leg's hedge counts too.
    assert_eq!(ran.report["legs"], 2 * sent + 1, "{}", ran.report);
    assert_eq!(sent + 1, 200 - 200 * 12 / 100, "{}", ran.report);
    // The window forgets nothing within the run: from the first refusal on, all are.
    assert_eq!(refused.len(), opportunities.len() - sent);
    assert!(opportunities[..sent].iter().all(|row| row["outcome"] == "sent"));
    assert_eq!(ran.report["rejects"], 0, "the venue never had to say no: {}", ran.report);
}

#[test]
fn one_input_gives_one_journal() {
    let texts = captures(Story { seed: 11, steps: 800, pace_ms: 40, unseeded: false, gap: true });
    let run = |args: &[&str]| {
        let ran = backtest("reference-spot-usdm.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.report["intents"].as_u64().unwrap() > 20, "{}", ran.report);
        (ran.report["journal_sha256"].as_str().unwrap().to_owned(), ran.rows, ran.report["pnl"].clone())
    };
    let jitter = "--set=latency.entry=\"200..1500\"";
    let quantiles = "--set=latency.venue.binance.spot.feed=\"50%:300 99%:900 100%:5000\"";
    let one = run(&[jitter, quantiles]);
    assert_eq!(one, run(&[jitter, quantiles]));
    let other = run(&[jitter, quantiles, "--set=run.seed=2"]);
    assert_ne!(one.0, other.0);
    assert_eq!(one.1, other.1, "the list does not depend on latencies or seeds");
}

#[test]
fn what_intents_brought_is_the_profit() {
    let texts = captures(Story { seed: 5, steps: 1_500, pace_ms: 40, unseeded: false, gap: false });
    let args = ["--set=latency.feed=5000", "--set=latency.entry=8000", "--set=sim.partial_ppm=100000"];
    let ran = backtest("reference-spot-usdm-free.toml", &[texts[0].as_bytes(), texts[1].as_bytes()], &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let funnel = &ran.report["funnel"];
    let part = |name: &str| units(&funnel["parts"][name]);
    let less: i128 =
        ["cut", "depth_gone", "latency", "fees", "hedge", "rounding"].iter().map(|name| part(name)).sum();
    assert_eq!(part("predicted") - less, part("realised"), "{funnel}");
    assert!(ran.report["intents"].as_u64().unwrap() > 50 && part("depth_gone") > 0, "{}", ran.report);
    assert!(funnel["intents"]["unwound"].as_u64().unwrap() > 5, "{funnel}");
    assert_eq!(funnel["unfinished"], 0);
    // Without fees and leftovers, all that was earned was earned by intents; but for what the dust that
    // they left was worth then, and is worth at the end: prices stay within 1,000 of each other.
    assert_eq!(funnel["leftovers"], "0");
    let dust = units(&ran.report["net_exposure"]["BTC"]).abs();
    let apart = (part("realised") - units(&ran.report["pnl"]["USDT"])).abs();
    assert!(dust < 10i128.pow(22) && apart <= 1_000 * dust, "{}", ran.report);
}

#[test]
fn what_is_left_over_is_part_of_the_profit() {
    let mut revalued = 0;
    for (seed, config, args) in [
        (1, "reference-spot-usdm.toml", ["--set=detect.min_edge_bps=0.5", "--set=run.seed=3"]),
        (2, "reference-spot-usdm.toml", ["--set=detect.min_edge_bps=0", "--set=sim.reject_ppm=100000"]),
        (3, "reference-spot-usdm-deep.toml", ["--set=latency.entry=9000", "--set=sim.partial_ppm=300000"]),
        (4, "reference-spot-usdm.toml", ["--set=latency.response=60000", "--set=exec.hedge=\"reverse\""]),
    ] {
        let texts = captures(Story { seed, steps: 1_200, pace_ms: 40, unseeded: false, gap: seed == 2 });
        let ran = backtest(config, &[texts[0].as_bytes(), texts[1].as_bytes()], &args);
        assert_eq!(ran.code, 0, "seed {seed}: {}", ran.stderr);
        let funnel = &ran.report["funnel"];
        assert!(ran.report["fills"].as_u64().unwrap() > 20, "seed {seed}: {}", ran.report);
        // That they add up is looked at in each run of these tests.
        revalued += usize::from(units(&funnel["revalued"]) != 0);
    }
    assert!(revalued > 1, "nothing was left over");
}

/// A row of the ledger, by the names of its columns.
fn ledger(text: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{line}");
        names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    lines.map(row).collect()
}

#[test]
fn the_ledger_tells_what_became_of_each_opportunity() {
    let mut markets = Markets::new();
    markets.beat(500);
    markets.update(SPOT, 900, "", r#"["60000.00","0"]"#);
    let path = std::env::temp_dir().join(format!("xarb-ledger-{}.csv", std::process::id()));
    let path_text = path.display().to_string();
    markets.run(&["--ledger", &path_text, "--set=latency.feed=0", "--set=risk.cooldown_ms=400"]);
    let rows = ledger(&std::fs::read_to_string(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let of = |event: &str| rows.iter().filter(|row| row["event"] == event).collect::<Vec<_>>();
    let outcomes: Vec<_> =
        of("opportunity").iter().map(|row| format!("{} {}", row["outcome"], row["intent"])).collect();
    // Both messages of the beat are evaluated; by the second one the intent of the first is open.
    assert_eq!(outcomes, ["sent 1", "sent 2", "in_flight "]);
    let episodes = of("episode");
    assert_eq!(episodes.len(), 1);
    assert_eq!(
        (episodes[0]["duration_ns"].as_str(), episodes[0]["evaluations"].as_str()),
        ("890000000", "3")
    );
    let intents = of("intent");
    assert_eq!(intents.len(), 2);
    assert_eq!((intents[0]["outcome"].as_str(), intents[0]["realised"].as_str()), ("done", "1.6"));
    assert_eq!((intents[1]["outcome"].as_str(), intents[1]["depth_gone"].as_str()), ("unwound", "1.6"));
    assert!(rows.iter().all(|row| row["episode"] == "1"));
}

#[test]
fn an_edge_is_measured_against_the_basis() {
    let mut markets = Markets::new();
    // The perpetual stands 17.5 bp above spot, mid to mid.
    markets.update(SPOT, 20, r#"["59999.99","1"]"#, r#"["60000.00","1"]"#);
    for tenth in 1..40 {
        markets.beat(100 * tenth);
    }
    // It jumps up by 25 bp; comes back to level; both are away from where it stood.
    let level = |bid: &str, ask: &str| (format!(r#"["{bid}","1"]"#), format!(r#"["{ask}","1"]"#));
    let (bid, ask) = level("60250.0", "60260.0");
    markets.update(USDM, 4_050, &bid, &format!(r#"["60110.0","0"],{ask}"#));
    let (bid, ask) = level("60000.0", "60010.0");
    let gone = r#"["60250.0","0"],["60100.0","0"]"#;
    markets.update(USDM, 4_100, &format!("{gone},{bid}"), &ask);
    let outright = markets.run(&[]);
    assert!(outright.rows.len() > 70, "{} rows", outright.rows.len());
    let ran = markets.run(&["--set=detect.basis_half_life_ms=1000"]);
    let rows: Vec<_> = ran.rows.iter().map(|row| row.split_once("BTC-USDT,").unwrap().1).collect();
    assert_eq!(
        rows,
        [
            "binance.spot,binance.usdm,0.016,60000,60250,41.666666,41.666666,4",
            "binance.usdm,binance.spot,0.016,60010,59999.99,-1.668056,-1.668056,-0.16016",
        ]
    );
}
