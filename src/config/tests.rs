//! Every refusal as data: one change of the demo, and what is said about it.

use proptest::prelude::*;

use super::*;
use crate::types::{Bps, ContractKind, FeeRate, Nanos, Price, Qty};

fn read(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_with("t.toml", text, &overrides, &|id| {
        [
            "binance.spot",
            "binance.usdm",
            "binance.coinm",
            "bybit.spot",
            "coinbase.advanced",
            "kraken.spot",
            "okx.spot",
        ]
        .contains(&id)
    })
}

/// The venue of that name, and its listing of the first instrument.
fn at<'a>(config: &'a Config, id: &str) -> (&'a VenueConfig, &'a Listing) {
    let number = config.venue_id(id).unwrap();
    let mut listed = config.instruments[0].listings.iter().filter(|listing| listing.venue == number);
    (config.venue(number).unwrap(), listed.next().unwrap())
}

#[test]
fn the_demo_is_read_to_the_digit() {
    let config = read(DEMO, &[]).unwrap();
    assert_eq!((config.run.mode, config.run.seed, config.run.seconds), (Mode::Auto, 1, 20));
    assert_eq!(config.environment(), Environment::Sim);
    let ids: Vec<_> = config.venues.iter().map(|venue| venue.id.as_str()).collect();
    assert_eq!(ids, ["binance.spot", "bybit.spot", "coinbase.advanced", "kraken.spot", "okx.spot"]);
    let ((binance, at_binance), (kraken, at_kraken)) = (at(&config, ids[0]), at(&config, "kraken.spot"));
    assert_eq!((binance.taker, kraken.taker), (FeeRate(75_000), FeeRate(100_000)));
    assert_eq!(kraken.max_age, Nanos::from_secs(2));
    let btc = &config.instruments[0];
    assert_eq!((btc.name.as_str(), btc.base.as_str(), btc.quote.as_str()), ("BTC-USDT", "BTC", "USDT"));
    let specs = [at_binance, at_kraken].map(|listing| btc.spec(listing).unwrap());
    assert_eq!(
        (specs[0].tick, specs[0].lot, specs[0].price_digits, specs[0].qty_digits),
        (Price(1_000_000), Qty(1_000), 2, 5)
    );
    assert_eq!((specs[1].symbol.as_str(), specs[1].price_digits, specs[1].qty_digits), ("BTC/USDT", 1, 8));
    assert_eq!(config.detect.min_edge, Bps(1_000_000));
    assert_eq!(config.sim.requote, (Nanos::from_millis(50), Nanos::from_millis(200)));
    assert_eq!(config.start_balance(Asset::new("USDT").unwrap()).to_string(), "600000");
    assert_eq!(config.listings(at_kraken.venue).count(), 1);
}

#[test]
fn the_other_files_are_read_too() {
    for (text, environment) in [
        (include_str!("../../configs/paper.toml"), Environment::Paper),
        (include_str!("../../configs/sandbox-binance.toml"), Environment::Sandbox),
        (include_str!("../../configs/sandbox-binance-usdm.toml"), Environment::Sandbox),
        (include_str!("../../configs/sandbox-binance-coinm.toml"), Environment::Sandbox),
        (include_str!("../../configs/sandbox-bybit.toml"), Environment::Sandbox),
        (include_str!("../../configs/sandbox-okx.toml"), Environment::Sandbox),
        (include_str!("../../configs/demo-perp.toml"), Environment::Sim),
        (include_str!("../../configs/demo-inverse.toml"), Environment::Sim),
        (QUOTES, Environment::Sim),
        (include_str!("../../configs/kraken-validate.toml"), Environment::Live),
    ] {
        assert_eq!(read(text, &[]).unwrap().environment(), environment);
    }
}

#[test]
fn a_venue_may_trade_another_kind_of_contract_than_the_name_says() {
    let perp = include_str!("../../configs/demo-perp.toml");
    let config = read(perp, &[]).unwrap();
    let kinds = |config: &Config| -> Vec<ContractKind> {
        let instrument = &config.instruments[0];
        let specs = instrument.listings.iter().map(|listing| instrument.spec(listing).unwrap());
        specs.map(|spec| spec.contract.kind).collect()
    };
    assert_eq!(kinds(&config), [ContractKind::Linear, ContractKind::Spot]);
    assert_eq!(config.sim.leverage, 5);
    let error = read(&perp.replace("\"linear\"", "\"swap\""), &[]).unwrap_err();
    assert!(error.to_string().contains("one of \"spot\", \"linear\", \"inverse\""), "{error}");
    let error = read(perp, &["sim.leverage=126"]).unwrap_err();
    assert!(error.to_string().contains("sim.leverage"), "{error}");
}

const QUOTES: &str = include_str!("../../configs/demo-quotes.toml");

#[test]
fn rate_books_and_a_listings_own_quote_are_read() {
    let mut config = read(QUOTES, &[]).unwrap();
    let quote = config.quote.clone().unwrap();
    let [rate] = quote.rates.as_slice() else { panic!("{quote:?}") };
    assert_eq!(
        (quote.common.as_str(), rate.instrument.as_str(), rate.venue),
        ("USD", "USDT-USD", VenueId(1))
    );
    assert_eq!((rate.haircut, rate.max_age), (FeeRate(10_000), Nanos::from_secs(2)));
    let quotes = |config: &Config| -> Vec<_> {
        let btc = &config.instruments[0];
        btc.listings.iter().map(|listing| btc.spec(listing).unwrap().quote.to_string()).collect()
    };
    assert_eq!(quotes(&config), ["USDT", "USD"]);
    assert_eq!(config.sim.prices.len(), 2);
    assert_eq!(read(DEMO, &[]).unwrap().quote, None);
    let alone = read(QUOTES, &["quote.rates.USDT-USD={haircut_bps=0.5}"]).unwrap();
    assert_eq!(alone.quote.unwrap().rates[0].venue, VenueId(1), "the only one there is");
    config.keep_venues(&["kraken.spot"]).unwrap();
    assert_eq!(config.quote.unwrap().rates[0].venue, VenueId(0));

    for (change, want) in [
        (
            "quote.common=usd",
            "`quote.common` is \"usd\": expected the name of an asset in capitals, such as \"USDT\"",
        ),
        ("quote.rate=1", "`quote.rate` is unknown: expected one of the keys common, rates"),
        (
            "quote.rates.EUR-USD.haircut_bps=1",
            "`quote.rates.EUR-USD` is \"EUR-USD\": expected a spot instrument that the file has, such as USDT-USD",
        ),
        (
            "quote.rates.BTC-USD.haircut_bps=1",
            "`quote.rates.BTC-USD.venue`: expected one of the venues that BTC-USD is listed on: binance.spot, kraken.spot; it is missing",
        ),
        (
            "quote.rates.USDT-USD.venue=binance.spot",
            "`quote.rates.USDT-USD.venue` is \"binance.spot\": expected one of the venues that USDT-USD is listed on: kraken.spot",
        ),
        (
            "quote.rates.USDT-USD.haircut_bps=-1",
            "`quote.rates.USDT-USD.haircut_bps` is -1: expected a decimal in basis points from 0 to 1000",
        ),
        (
            "quote.rates.USDT-USD={}",
            "`quote.rates.USDT-USD.haircut_bps`: expected what a conversion may cost beyond the touch, in basis points (0 to 1000); it is missing",
        ),
        (
            "quote.rates.USDT-USD.max_age_ms=0",
            "`quote.rates.USDT-USD.max_age_ms` is 0: expected a whole number from 1 to 3600000",
        ),
        (
            "quote.rates.USDT-USD.depth=1",
            "`quote.rates.USDT-USD.depth` is unknown: expected one of the keys haircut_bps, max_age_ms, venue",
        ),
        (
            "instrument.BTC-USD.rules.binance.spot.quote=5",
            "`instrument.BTC-USD.rules.binance.spot.quote` is 5: expected a string",
        ),
        (
            "sim.prices.EUR-USD=1",
            "`sim.prices` is a table: expected instruments that the file has, not \"EUR-USD\"",
        ),
        ("sim.prices.USDT-USD=0", "`sim.prices` is a table: expected a price above zero for USDT-USD"),
    ] {
        let error = read(QUOTES, &[change]).expect_err(change).to_string();
        assert!(error.ends_with(want), "{change}: {error}");
    }
    let none = QUOTES.replace("common = \"USD\" ", "# ");
    let error = read(&none, &[]).unwrap_err().to_string();
    assert!(error.contains("`quote.common`: expected the asset that limits and totals are in"), "{error}");
}

#[test]
fn a_venue_table_may_be_written_either_way() {
    let nested = DEMO.replace("[venue.\"kraken.spot\"]", "[venue.kraken.spot]");
    assert_eq!(read(&nested, &[]), read(DEMO, &[]));
    let rules = DEMO.replace("rules.\"kraken.spot\"", "rules.kraken.spot");
    assert_eq!(read(&rules, &[]), read(DEMO, &[]));
}

#[test]
fn overrides_replace_one_key() {
    let set = |text| read(DEMO, &[text]).unwrap();
    assert_eq!(set("detect.min_edge_bps=2.000001").detect.min_edge, Bps(2_000_001));
    assert_eq!(at(&set("venue.kraken.spot.taker_bps=26"), "kraken.spot").0.taker, FeeRate(260_000));
    assert_eq!(at(&set("venue.\"kraken.spot\".taker_bps = \"26\""), "kraken.spot").0.taker, FeeRate(260_000));
    let several = set("venue.kraken.spot.connections=2");
    let connections = ["binance.spot", "kraken.spot"].map(|id| at(&several, id).0.connections);
    assert_eq!(connections, [1, 2]);
    assert_eq!(set("run.mode=stepped").run.mode, Mode::Stepped);
    assert_eq!(set("sim.balances.BTC=3").start_balance(Asset::new("BTC").unwrap()).to_string(), "3");
    assert_eq!(set("roles.cores=[2,3]").roles.cores, [2, 3]);
    assert_eq!(
        at(&set("instrument.BTC-USDT.rules.kraken.spot.tick=0.5"), "kraken.spot").1.rules.unwrap().tick,
        Price(50_000_000)
    );
}

#[test]
fn venues_can_be_left_out() {
    let mut config = read(DEMO, &[]).unwrap();
    config.keep_venues(&["kraken.spot"]).unwrap();
    assert_eq!((config.venues.len(), config.listings(VenueId(0)).count()), (1, 1));
    assert_eq!(config.instruments[0].listings[0].symbol.as_str(), "BTC/USDT");
    assert!(config.keep_venues(&["mars"]).unwrap_err().to_string().contains("kraken.spot"));
}

/// One override of the demo, and what the refusal says.
#[test]
fn refusals_name_key_value_and_expectation() {
    for (change, want) in [
        (
            "detect.min_edge=1",
            "--set: `detect.min_edge` is unknown: expected one of the keys basis_half_life_ms, haircut, max_notional, merge, min_edge_bps",
        ),
        (
            "detekt.x=1",
            "t.toml: `detekt` is unknown: expected one of the keys detect, exec, instrument, latency, quote, risk, roles, run, sim, venue",
        ),
        (
            "run.mode=fast",
            "--set: `run.mode` is \"fast\": expected one of \"auto\", \"pinned\", \"shared\", \"stepped\"",
        ),
        ("run.seed=-1", "--set: `run.seed` is -1: expected a whole number from 0 to 18446744073709551615"),
        (
            "run.seed=0x10",
            "--set: `run.seed` is 0x10: expected a whole number from 0 to 18446744073709551615",
        ),
        ("run.seconds=true", "--set: `run.seconds` is true: expected a whole number from 0 to 31536000"),
        ("run=1", "--set: `run` is 1: expected a table"),
        ("run.mode.x=1", "--set: `run.mode.x`: expected a key below a table, not below a value"),
        ("run.seed", "--set: `run.seed`: expected a.b=value"),
        (
            "run..seed=1",
            "--set: `run..seed`: expected a key such as detect.min_edge_bps, an equals sign and a value",
        ),
        (
            "detect.min_edge_bps=nan",
            "--set: `detect.min_edge_bps` is nan: expected a decimal in basis points",
        ),
        (
            "detect.min_edge_bps=0.0000001",
            "--set: `detect.min_edge_bps` is 0.0000001: expected a decimal in basis points with no more than 6 decimals",
        ),
        (
            "detect.min_edge_bps=20000",
            "--set: `detect.min_edge_bps` is 20000: expected a decimal in basis points from -100 to 10000",
        ),
        (
            "detect.haircut=0",
            "--set: `detect.haircut` is 0: expected more than zero: the share of a level that is counted on",
        ),
        ("detect.haircut=1.5", "--set: `detect.haircut` is 1.5: expected a share from 0 to 1"),
        (
            "detect.max_notional=5001",
            "--set: `detect.max_notional` is 5001: expected no more than risk.max_order_notional, 5000",
        ),
        ("detect.max_notional=-1", "--set: `detect.max_notional` is -1: expected an amount, not negative"),
        (
            "risk.max_order_notional=1000001",
            "--set: `risk.max_order_notional` is 1000001: expected no more than 1000000: no file lifts that ceiling",
        ),
        ("risk.max_order_notional=0", "--set: `risk.max_order_notional` is 0: expected more than zero"),
        (
            "risk.max_orders_per_s=1001",
            "--set: `risk.max_orders_per_s` is 1001: expected a whole number from 1 to 1000",
        ),
        (
            "risk.price_band_bps=0",
            "--set: `risk.price_band_bps` is 0: expected a decimal in basis points from 1 to 1000",
        ),
        ("detect.merge=1", "--set: `detect.merge` is 1: expected true or false"),
        ("risk.max_exposure=-1", "--set: `risk.max_exposure` is -1: expected an amount, not negative"),
        ("sim.balances=1", "--set: `sim.balances` is 1: expected a table such as { BTC = \"1.5\" }"),
        (
            "sim.balances.BTC=x",
            "--set: `sim.balances.BTC` is \"x\": expected an amount, not negative, as \"1.5\"",
        ),
        (
            "exec.hedge=hope",
            "--set: `exec.hedge` is \"hope\": expected one of \"finish\", \"reverse\", \"keep\"",
        ),
        ("exec.keep_max=5", "--set: `exec.keep_max` is 5: expected hedge = \"keep\" beside it"),
        (
            "exec.ack_timeout_ms=0",
            "--set: `exec.ack_timeout_ms` is 0: expected a whole number from 1 to 60000",
        ),
        (
            "roles.cores=[1,1]",
            "--set: `roles.cores` is a list of 2: expected each core once: two spinning roles on one core starve each other",
        ),
        (
            "roles.cores=[\"a\"]",
            "--set: `roles.cores` is \"a\": expected a list of whole numbers from 0 to 1023",
        ),
        (
            "sim.requote_min_ms=300",
            "--set: `sim.requote_min_ms` is 300: expected no more than requote_max_ms",
        ),
        (
            "sim.reject_ppm=1000001",
            "--set: `sim.reject_ppm` is 1000001: expected a whole number from 0 to 1000000",
        ),
        ("sim.price=0", "--set: `sim.price` is 0: expected more than zero"),
        ("latency.kernel_stamps=1", "--set: `latency.kernel_stamps` is 1: expected true or false"),
        ("venue.mars.spot.environment=sim", "`venue.mars.spot` is unknown: expected one of "),
        (
            "venue.kraken.spot.environment=dream",
            "`venue.kraken.spot.environment` is \"dream\": expected one of \"sim\", \"paper\", \"sandbox\", \"live\"",
        ),
        (
            "venue.kraken.spot.encoding=sbe",
            "`venue.kraken.spot.encoding` is \"sbe\": expected `json`: this venue has no other market data",
        ),
        (
            "venue.kraken.spot.environment=paper",
            "`venue.kraken.spot.environment` is \"paper\": expected the environment of binance.spot, \"sim\": money and play money are not traded against each other",
        ),
        (
            "venue.kraken.spot.taker_bps=101",
            "`venue.kraken.spot.taker_bps` is 101: expected a fee in basis points (10 is 0.1 %) from -100 to 100",
        ),
        (
            "venue.kraken.spot.taker_bps=ten",
            "`venue.kraken.spot.taker_bps` is \"ten\": expected a fee in basis points (10 is 0.1 %)",
        ),
        (
            "venue.kraken.spot.maker_bps=11",
            "`venue.kraken.spot.maker_bps` is 11: expected no more than taker_bps",
        ),
        (
            "venue.kraken.spot.channels=[\"tape\"]",
            "`venue.kraken.spot.channels` is a list of 1: expected a list of \"depth\" and \"ticker\"",
        ),
        (
            "venue.kraken.spot.channels=[]",
            "`venue.kraken.spot.channels` is a list of 0: expected at least one of \"depth\" and \"ticker\"",
        ),
        (
            "venue.kraken.spot.top=overlay",
            "`venue.kraken.spot.channels` is a list of 1: expected the channels that `top` needs",
        ),
        (
            "venue.kraken.spot.levels=0",
            "`venue.kraken.spot.levels` is 0: expected a whole number from 1 to 5000",
        ),
        (
            "venue.kraken.spot.transport=pigeon",
            "`venue.kraken.spot.transport` is \"pigeon\": expected one of \"rest\", \"ws\"",
        ),
        (
            "venue.kraken.spot.validate=true",
            "`venue.kraken.spot.validate` is true: expected false outside `environment = \"live\"`: nothing is at stake there",
        ),
        (
            "venue.kraken.spot.stream=wss://ws.kraken.com/v2",
            "`venue.kraken.spot.stream` is \"wss://ws.kraken.com/v2\": expected an address of this machine (127.0.0.1): the venue is simulated",
        ),
        (
            "venue.kraken.spot.stream=http://127.0.0.1",
            "`venue.kraken.spot.stream` is \"http://127.0.0.1\": expected a URL that starts with wss:// or ws://",
        ),
        (
            "venue.kraken.spot.rest=kraken",
            "`venue.kraken.spot.rest` is \"kraken\": expected a URL that starts with https:// or http://",
        ),
        (
            "venue.kraken.spot.credentials_env=XARB",
            "`venue.kraken.spot.credentials_env` is not usable: expected no key: simulated venues make their own, and a paper run sends no orders",
        ),
        (
            "instrument.BTC-USDT.scale=13",
            "`instrument.BTC-USDT.scale` is 13: expected a whole number from 0 to 12",
        ),
        (
            "instrument.BTCUSDT.scale=8",
            "`instrument.BTCUSDT` is \"BTCUSDT\": expected BASE-QUOTE, BASE-QUOTE-PERP or BASE-QUOTE-PERP:inverse, such as BTC-USDT",
        ),
        ("instrument.BTC-BTC.scale=8", "`instrument.BTC-BTC` is \"BTC-BTC\": expected BASE-QUOTE"),
        (
            "instrument.ETH-USDT.scale=8",
            "`instrument.ETH-USDT.symbols`: expected a table of symbols by venue, such as { \"x.spot\" = \"BTCUSDT\" }; it is missing",
        ),
        (
            "instrument.ETH-USDT={symbols={\"kraken.spot\"=\"BTC/USDT\"}}",
            "`instrument.ETH-USDT.symbols` is \"BTC/USDT\": expected a symbol of its own: BTC-USDT has this one on the same venue",
        ),
        (
            "instrument.BTC-USDT.symbols.kraken.spot=",
            "`instrument.BTC-USDT.symbols` is a table: expected the venue's own symbol, such as \"BTCUSDT\"",
        ),
        (
            "instrument.BTC-USDT.symbols={\"mars.spot\"=\"X\"}",
            "`instrument.BTC-USDT.symbols` is a table: expected venues that the file has, not \"mars.spot\"",
        ),
        (
            "instrument.BTC-USDT.symbols={\"kraken.spot\"=\"X\"}",
            "`instrument.BTC-USDT.rules` is a table: expected venues that `symbols` names, not \"binance.spot\"",
        ),
        (
            "instrument.BTC-USDT.rules.kraken.spot.tick=0",
            "`instrument.BTC-USDT.rules.kraken.spot.tick` is 0: expected more than zero",
        ),
        (
            "instrument.BTC-USDT.rules.kraken.spot.lot=0.000000001",
            "`instrument.BTC-USDT.rules.kraken.spot.lot` is 0.000000001: expected a decimal with at most 8 places, not negative",
        ),
        (
            "instrument.BTC-USDT.rules.kraken.spot.max_qty=0.00001",
            "`instrument.BTC-USDT.rules.kraken.spot.max_qty` is 0.00001: expected no less than min_qty",
        ),
        (
            "instrument.BTC-USDT.rules.binance.spot.min_qty=0.000015",
            "`instrument.BTC-USDT.rules.binance.spot.min_qty` is 0.000015: expected a multiple of the lot",
        ),
    ] {
        let error = read(DEMO, &[change]).expect_err(change).to_string();
        assert!(error.contains(want), "{change}\n got: {error}\nwant: {want}");
    }
}

#[test]
fn a_refusal_names_the_line() {
    let text = DEMO.replace("queue = 64 ", "queue = 64.5 ");
    let line = 1 + text[..text.find("queue = ").unwrap()].matches('\n').count();
    let error = read(&text, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("t.toml:{line}: `exec.queue` is 64.5: expected a whole number from 1 to 65536")
    );
    let error = read("[run]\nmode = \n", &[]).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:2: not TOML: "), "{error}");
    let error = read("[venue.\"binance.spot\"]\nenvironment = \"sim\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("`venue.binance.spot.taker_bps`: expected a fee"), "{error}");
    assert!(error.ends_with("it is missing"), "{error}");
    assert!(read("", &[]).unwrap_err().to_string().contains("`venue`: expected 1 to 16 tables"));
}

#[test]
fn secrets_in_clear_are_refused_and_not_shown() {
    for key in ["secret", "api_key", "API-Secret", "passphrase", "private_key", "token"] {
        let text = DEMO.replace("window_ms = 1000     #", &format!("{key} = \"hunter2\" #"));
        let error = read(&text, &[]).unwrap_err().to_string();
        assert!(error.contains("set in clear") && error.contains("credentials_env"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let sandbox = include_str!("../../configs/sandbox-binance.toml");
    let error = read(&sandbox.replace("XARB_TESTNET\"", "MC4CAQAwBQYDK2VwBCIEIhunter2\""), &[]).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn keys_reach_only_hosts_of_their_environment() {
    let sandbox = include_str!("../../configs/sandbox-binance.toml");
    let live = include_str!("../../configs/kraken-validate.toml");
    let paper = include_str!("../../configs/paper.toml");
    for (text, change, want) in [
        (
            sandbox,
            "venue.binance.spot.rest=https://api.binance.com",
            "expected a host of this venue's sandbox",
        ),
        (
            sandbox,
            "venue.binance.spot.orders=wss://ws-api.binance.com/ws-api/v3",
            "expected a host of this venue's sandbox",
        ),
        (
            sandbox,
            "venue.binance.spot.rest=https://testnet.binance.vision.evil.test",
            "expected a host of this venue's sandbox",
        ),
        (
            sandbox,
            "venue.binance.spot.rest=http://testnet.binance.vision",
            "expected wss or https: in clear only to this machine",
        ),
        (
            live,
            "venue.kraken.spot.rest=https://127.0.0.1:8443",
            "expected a host of this venue's real market",
        ),
        (
            live,
            "venue.kraken.spot.orders=wss://beta-ws-auth.kraken.com/v2",
            "expected a host of this venue's real market",
        ),
        (
            paper,
            "venue.kraken.spot.orders=wss://ws-auth.kraken.com/v2",
            "expected nothing: a paper run sends no orders",
        ),
        (paper, "venue.kraken.spot.rest=https://api.binance.com", "expected a host of this venue"),
        (paper, "venue.kraken.spot.credentials_env=XARB", "expected no key"),
    ] {
        let error = read(text, &[change]).expect_err(change).to_string();
        assert!(error.contains(want), "{change}: {error}");
    }
    let missing = sandbox.replace("credentials_env = \"XARB_TESTNET\"", "");
    assert!(read(&missing, &[]).unwrap_err().to_string().contains("PREFIX_SECRET"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done to the file, it is read or refused.
    #[test]
    fn mutated_files_never_panic(edits in proptest::collection::vec((0usize..10_000, any::<u8>(), 0u8..4), 1..8)) {
        let mut bytes = DEMO.as_bytes().to_vec();
        for (at, byte, what) in edits {
            let at = at % bytes.len();
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"0.-e\"=[]{}\n_"[usize::from(byte) % 12]),
                2 => drop(bytes.remove(at)),
                _ => {
                    let end = (at + usize::from(byte)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let _ = read(&String::from_utf8_lossy(&bytes), &[]);
    }

    /// The same for what stands behind `--set`.
    #[test]
    fn any_override_is_applied_or_refused(text in "[a-z.\"_=0-9{}\\[\\] -]{0,40}") {
        let _ = read(DEMO, &[&text]);
    }
}
