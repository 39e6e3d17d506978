//! Spot against inverse contracts: orders in contracts on one side and in the base asset on the other, and
//! what they earn, to the last unit.
//!
//! A contract is 100 USD: 0.001953125 BTC at 51,200, and 0.002 at 50,000. Both venues take 1 bp: COIN-M and
//! buyers on spot pay it in BTC, sellers on spot in USDT, each order's rounded up to 1e-8.

use super::markets::{Named, PERP as COINM, Pair, SPOT};
use super::run::Ran;

/// Spot and COIN-M.
struct Markets(Pair);

type Levels<'a> = &'a [(&'a str, &'a str)];

impl Markets {
    /// Both books at 0 ms; what they have is seen from the message at 10 ms on.
    fn new(spot: [Levels<'_>; 2], coinm: [Levels<'_>; 2]) -> Markets {
        let named = Named { stream: "btcusd_perp", symbol: r#""s":"BTCUSD_PERP","ps":"BTCUSD""# };
        let mut own = Markets(Pair::new(named));
        let sides =
            |[bids, asks]: [Levels<'_>; 2]| format!(r#""bids":[{}],"asks":[{}]"#, list(bids), list(asks));
        own.0.line(SPOT, 0, &format!(r#"{{"lastUpdateId":100,{}}}"#, sides(spot)));
        let names = r#""symbol":"BTCUSD_PERP","pair":"BTCUSD""#;
        own.0.line(COINM, 0, &format!(r#"{{"lastUpdateId":500,{names},"E":1,"T":1,{}}}"#, sides(coinm)));
        own.update(SPOT, 5, &[("40000", "1")], &[]);
        own.update(COINM, 10, &[("40000", "1")], &[]);
        own
    }

    fn update(&mut self, market: usize, ms: i64, bids: Levels<'_>, asks: Levels<'_>) {
        self.0.update(market, ms, &list(bids), &list(asks));
    }

    fn run(&self) -> Ran {
        self.run_with(&[])
    }

    /// Orders meet the books 6 ms after they were decided, and are answered 3 ms later.
    fn run_with(&self, changes: &[&str]) -> Ran {
        let times = ["--set=latency.feed=0", "--set=latency.entry=6000", "--set=latency.response=3000"];
        self.0.run("reference-spot-coinm.toml", &[&times, changes].concat())
    }
}

fn list(levels: Levels<'_>) -> String {
    levels.iter().map(|(price, qty)| format!(r#"["{price}","{qty}"]"#)).collect::<Vec<_>>().join(",")
}

/// Spot offers 0.016 at 51,000, COIN-M takes a hundred contracts at 51,200: 0.016 are 819.2 there, so eight
/// contracts, which are 0.015625, and 0.01562 in lots of spot. The mid of both is 51,122.5.
fn above() -> Markets {
    Markets::new([&[("50990", "5")], &[("51000", "0.016")]], [&[("51200", "100")], &[("51300", "100")]])
}

#[track_caller]
fn check(ran: &Ran, counts: [u64; 4], exact: [(&str, &str); 4]) {
    let report = &ran.report;
    let got = ["intents", "legs", "fills", "rejects"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(got, counts, "{report}");
    let [pnl, left, btc, usdt] = exact.map(|(_, value)| value);
    let got = [
        &report["pnl"]["USDT"],
        &report["net_exposure"]["BTC"],
        &report["fees"]["BTC"],
        &report["fees"]["USDT"],
    ];
    assert_eq!(got.map(|value| value.as_str().unwrap()), [pnl, left, btc, usdt], "{report}");
    assert_eq!(report["funnel"]["unfinished"], 0);
}

#[test]
fn both_legs_fill_each_in_its_own_units() {
    let ran = above().run();
    let row = "BTC-USDT,binance.spot,binance.coinm,0.01562,51000,51200,";
    assert!(ran.rows.len() == 1 && ran.rows[0].contains(row), "{:?}", ran.rows);
    // Bought 0.01562 for 796.62, sold eight contracts: 800, and 0.015625. Fees are 0.000001562 and
    // 0.0000015625, each rounded up. 3.38 less 0.00000814 at the mid.
    check(
        &ran,
        [1, 2, 2, 0],
        [("P&L", "2.96386285"), ("left", "-0.00000814"), ("BTC", "0.00000314"), ("USDT", "0")],
    );
    let parts = &ran.report["funnel"]["parts"];
    assert_eq!((&parts["realised"], &parts["cut"]), (&"2.96386285".into(), &"0".into()), "{parts}");
    assert_eq!(parts["depth_gone"], "0", "{parts}");
}

#[test]
fn contracts_are_bought_where_they_are_cheap() {
    // 0.0205 are 1,025 at 50,000: ten contracts, which are 0.02. The mid is 50,100.
    let markets =
        Markets::new([&[("50200", "0.0205")], &[("50300", "5")]], [&[("49900", "100")], &[("50000", "100")]]);
    // Sold 0.02 for 1,004 less a fee of 0.1004, against 1,000 of face; a fee of 0.000002.
    check(
        &markets.run(),
        [1, 2, 2, 0],
        [("P&L", "3.7994"), ("left", "-0.000002"), ("BTC", "0.000002"), ("USDT", "0.1004")],
    );
}

#[test]
fn contracts_that_did_not_fill_are_made_up_for_in_contracts_and_the_rest_on_spot() {
    let mut markets = above();
    // Three contracts are left when eight arrive; they are back, and the ask gone, before the hedge does.
    markets.update(COINM, 15, &[("51200", "3")], &[]);
    markets.update(COINM, 18, &[("51200", "100")], &[]);
    markets.update(SPOT, 20, &[], &[("51000", "0"), ("51290", "1")]);
    // 0.01562 bought and 0.005859375 sold leave, less fees of 0.00000157 and 0.00000059, 0.009758465: four
    // more contracts, 0.0078125, and a fee of 0.00000079. What is left, 0.001945175, is less than one:
    // 0.00194 are sold on spot for 98.9206, less a fee of 0.00989206. 0.000005175 stay.
    // 700 + 98.9206 - 0.00989206 - 796.62, and the rest at a mid of 51,195.
    check(
        &markets.run(),
        [1, 4, 4, 0],
        [("P&L", "2.555642065"), ("left", "0.000005175"), ("BTC", "0.00000295"), ("USDT", "0.00989206")],
    );
}

#[test]
fn spot_that_did_not_fill_is_made_up_for_on_spot() {
    let mut markets = above();
    markets.update(SPOT, 15, &[], &[("51000", "0.006"), ("51040", "1")]);
    markets.update(SPOT, 18, &[], &[("51000", "0")]);
    markets.update(COINM, 20, &[("51200", "0"), ("51030", "100")], &[]);
    // 0.006 bought and 0.015625 sold leave, with fees of 0.0000006 and 0.00000157, -0.00962717: 0.00962
    // more at 51,040, and a fee of 0.00000097. 800 - 306 - 491.0048, less 0.00000814 at a mid of 51,090.
    check(
        &markets.run(),
        [1, 3, 3, 0],
        [("P&L", "2.5793274"), ("left", "-0.00000814"), ("BTC", "0.00000314"), ("USDT", "0")],
    );
}

#[test]
fn what_is_a_contract_no_more_at_the_price_of_its_hedge_is_made_up_for_on_spot() {
    // The mid is 50,080.
    let mut markets =
        Markets::new([&[("50200", "0.0205")], &[("50220", "5")]], [&[("49900", "100")], &[("50000", "100")]]);
    markets.update(COINM, 15, &[], &[("50000", "9")]);
    markets.update(COINM, 18, &[], &[("50000", "0"), ("49940", "100")]);
    markets.update(SPOT, 20, &[("50200", "0"), ("49930", "5")], &[]);
    // 0.02 sold and 0.018 bought leave, with a fee of 0.0000018, -0.0020018: a contract at the mid, 99.97 of
    // it at 49,940. So 0.002 are bought on spot at 50,220, less a fee of 0.0000002. 1,004 - 0.1004 - 900 -
    // 100.44, and -0.000002 at a mid of 49,997.5.
    check(
        &markets.run(),
        [1, 3, 3, 0],
        [("P&L", "3.359605"), ("left", "-0.000002"), ("BTC", "0.000002"), ("USDT", "0.1004")],
    );
}

#[test]
fn an_intent_is_cut_to_what_the_base_asset_margins() {
    // At COIN-M 0.01 BTC pay for contracts in full: five at 51,200, with their fee; and 0.00976 on spot.
    let ran = above().run_with(&["--set=sim.balances={BTC=\"0.01\",USDT=\"600000\"}"]);
    // 500 - 0.00976 * 51,000, and 0.00976 - 0.009765625 - 0.00000098 twice, at a mid of 51,122.5.
    check(
        &ran,
        [1, 2, 2, 0],
        [("P&L", "1.8522358375"), ("left", "-0.000007585"), ("BTC", "0.00000196"), ("USDT", "0")],
    );
}

#[test]
fn an_order_s_cap_is_in_money_on_both_sides() {
    let markets =
        Markets::new([&[("50200", "0.0205")], &[("50300", "5")]], [&[("49900", "100")], &[("50000", "100")]]);
    // Five contracts are 500, but the 0.01 that they stand for are 502 on spot: less than 0.00996 may go,
    // so four contracts and 0.008. 401.6 - 0.04016 - 400, and a fee of 0.0000008 at the mid of 50,100.
    check(
        &markets.run_with(&["--set=detect.max_notional=500", "--set=risk.max_order_notional=500"]),
        [1, 2, 2, 0],
        [("P&L", "1.51976"), ("left", "-0.0000008"), ("BTC", "0.0000008"), ("USDT", "0.04016")],
    );
}
