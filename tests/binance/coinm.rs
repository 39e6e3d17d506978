//! COIN-M: the gateway against the simulated server, in contracts of 100 USD that settle in BTC, by every
//! way to send orders.

use serde_json::Value;
use xarb::types::{Class, InstrumentId, Kind, Nanos, OrderState, Position, Price, Qty, Report, Side, Tif};
use xarb::venue::{Command, ConnId, Exchange, Lane, RequestId, ServerInput, ServerOut, Transport, find};

use crate::dialogue::{ED25519, HMAC, spec};
use crate::futures::{money, told};
use crate::trading::{World, everywhere, limit};

const ONE: i64 = 100_000_000;
const COINM: &str = "binance.coinm";
const INSTRUMENT: InstrumentId = InstrumentId(0);

#[test]
fn contracts_are_opened_and_closed_in_the_base_asset() {
    everywhere(COINM, |world| {
        // 25 contracts at 50,000 are 0.05, of which the taker pays 10 bp.
        let maker = world.maker;
        world.exchange.place(maker, &limit(Side::Sell, 50_000 * ONE, 25 * ONE), world.now).unwrap();
        let draft = world.draft(Tif::Ioc, Side::Buy, 50_000 * ONE, 30 * ONE);
        world.place(&draft, Nanos::ZERO);
        let reports = world.expect("filled in part", |report| {
            matches!(report, Report::Ended { client, state: OrderState::Cancelled, filled: Some(filled), .. }
                if *client == draft.client && *filled == Qty(25 * ONE))
        });
        let fills: Vec<_> = reports
            .iter()
            .filter_map(|report| match report {
                Report::Filled { qty, fee, fee_asset, .. } => {
                    Some((*qty, fee.to_string(), fee_asset.to_string()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(fills, [(Qty(25 * ONE), "0.00005".to_owned(), "BTC".to_owned())], "fills are told once");
        assert_eq!(told(&reports), (Some((25 * ONE, Some(50_000))), Some("3.99995".to_owned())));

        // 25 * 100 * (1 / 50,000 - 1 / 62,500) is 0.01; 0.04 are worth a fee of 0.00004.
        world.exchange.place(maker, &limit(Side::Buy, 62_500 * ONE, 40 * ONE), world.now).unwrap();
        let mut close = world.draft(Tif::Ioc, Side::Sell, 62_500 * ONE, 26 * ONE);
        close.reduce_only = true;
        world.place(&close, Nanos::ZERO);
        world.expect("too many", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-2022"))
        });
        let mut close = world.draft(Tif::Ioc, Side::Sell, 62_500 * ONE, 25 * ONE);
        close.reduce_only = true;
        world.place(&close, Nanos::ZERO);
        let reports = world.expect("closed", |r| {
            matches!(r, Report::Ended { client, state: OrderState::Filled, .. } if *client == close.client)
        });
        assert_eq!(told(&reports), (Some((0, None)), Some("4.00991".to_owned())));
        world.command(Command::Balances);
        assert_eq!(told(&world.take()), (Some((0, None)), Some("4.00991".to_owned())));
        world.command(Command::Fills { instrument: INSTRUMENT, since: Nanos::ZERO });
        let fills = world.take();
        assert_eq!(fills.iter().filter(|r| matches!(r, Report::Filled { .. })).count(), 2);
        world.command(Command::Fees { instrument: INSTRUMENT });
        world.expect("fees", |r| matches!(r, Report::Fees { .. }));
    });
}

#[test]
fn a_resting_order_is_changed_found_and_cancelled() {
    everywhere(COINM, |world| {
        let resting = world.draft(Tif::Gtc, Side::Buy, 48_000 * ONE, 10 * ONE);
        let client = resting.client;
        world.place(&resting, Nanos::ZERO);
        world.expect("accepted", |r| matches!(r, Report::Accepted { client: c, .. } if *c == client));
        let (price, qty) = (Price(48_100 * ONE), Qty(4 * ONE));
        world.command(Command::Amend { client, instrument: INSTRUMENT, price: Some(price), qty });
        world.expect(
            "amended",
            |r| matches!(r, Report::Amended { price: p, qty: q, .. } if (*p, *q) == (price, qty)),
        );
        world.command(Command::Amend { client, instrument: INSTRUMENT, price: None, qty });
        world.expect("amended to the same", |r| {
            matches!(r, Report::CancelError { class: Class::Refused, code, .. } if code.as_str().starts_with("-4197"))
        });
        world.command(Command::Query { client, instrument: INSTRUMENT });
        world.expect("status", |r| matches!(r, Report::Status(s) if (s.price, s.qty) == (price, qty)));
        world.command(Command::OpenOrders);
        world.expect("one open", |r| *r == Report::OpenOrdersEnd { count: 1 });
        world.command(Command::CancelAll { instrument: INSTRUMENT });
        world.expect("cancelled", |r| matches!(r, Report::Ended { client: c, .. } if *c == client));
        let resting = world.draft(Tif::Gtc, Side::Buy, 48_000 * ONE, ONE);
        world.place(&resting, Nanos::ZERO);
        let until = world.now + Nanos::from_secs(2);
        world.command(Command::DeadMan { timeout: Nanos::from_secs(2) });
        world.expect("armed", |r| *r == Report::DeadMan { until });
        world.wait(Nanos::from_secs(2));
        world.expect("fired", |r| matches!(r, Report::Ended { client, .. } if *client == resting.client));
        // 4 BTC at a leverage of 1 carry 2,000 contracts at 50,000, and part of them is for the fee.
        let dear = world.draft(Tif::Gtc, Side::Sell, 50_000 * ONE, 2_000 * ONE);
        world.place(&dear, Nanos::ZERO);
        world.expect("too dear", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-2019"))
        });
        world.exchange.place(world.maker, &limit(Side::Sell, 50_000 * ONE, ONE), world.now).unwrap();
        let mut taking = world.draft(Tif::Gtc, Side::Buy, 50_000 * ONE, ONE);
        taking.kind = Kind::PostOnly;
        world.place(&taking, Nanos::ZERO);
        world.expect("would take", |r| matches!(r, Report::OrderError { class: Class::Refused, .. }));
    });
}

#[test]
fn the_accounts_stream_shares_a_host_with_the_markets() {
    let mut world = World::at(COINM, Transport::Ws, ED25519);
    world.take();
    let private = world.gateway.lanes().into_iter().find(|spec| spec.lane == Lane::Private).unwrap();
    let (host, target) = (private.endpoint.host, private.endpoint.target);
    assert!(host == "dstream.binance.com" && target.starts_with("/ws/"), "{host} {target}");
    // A stream of the market, and one under a key that is none.
    let mut opened = |conn, target| {
        let mut out = Vec::new();
        let input = ServerInput::Opened { conn: ConnId(conn), target, headers: &[], peer: "10.0.0.1:5" };
        world.ask(input, &mut out);
        out.iter().any(|sent| matches!(sent, ServerOut::Close(_)))
    };
    assert!(!opened(7, "/ws/btcusd_perp@depth"));
    assert!(opened(8, "/ws/x"), "no such key");
    // Left alone until its key expires.
    world.now = world.now + Nanos::from_secs(3_600);
    world.serve(ServerInput::Tick);
    assert!(!world.gateway.ready());
    world.wait(Nanos::from_secs(6));
    assert!(world.gateway.ready());
    let draft = world.draft(Tif::Ioc, Side::Buy, 50_000 * ONE, ONE);
    world.place(&draft, Nanos::ZERO);
    world.expect("news", |r| matches!(r, Report::Ended { client, .. } if *client == draft.client));
}

#[test]
fn positions_and_prices_are_read_back_as_they_are() {
    let mut world = World::at(COINM, Transport::Rest, HMAC);
    let maker = world.maker;
    for (price, contracts) in [(50_000, 10), (40_000, 10)] {
        world.exchange.place(maker, &limit(Side::Buy, price * ONE, contracts * ONE), world.now).unwrap();
    }
    let draft = world.draft(Tif::Ioc, Side::Sell, 40_000 * ONE, 20 * ONE);
    world.place(&draft, Nanos::ZERO);
    let held = world.exchange.positions(world.trader)[0].position;
    assert_eq!(held, Position { qty: Qty(-20 * ONE), cost: money("-0.045") });
    world.take();
    world.command(Command::Balances);
    // 2,000 for 0.045: the mean of what contracts stand for, not of their prices.
    let reports = world.take();
    let position = reports.iter().find_map(|report| match report {
        Report::Position { qty, entry, .. } => Some((*qty, *entry)),
        _ => None,
    });
    assert_eq!(position, Some((held.qty, Some(Price(4_444_444_444_444)))));
}

#[test]
fn the_venues_own_metadata_is_read_back() {
    let mut world = World::at(COINM, Transport::Rest, HMAC);
    let mut out = Vec::new();
    let input = ServerInput::Request {
        id: RequestId(9),
        method: "GET",
        target: "/dapi/v1/exchangeInfo",
        headers: &[],
        body: b"",
        peer: "10.0.0.1:1",
    };
    world.ask(input, &mut out);
    let ServerOut::Response { status: 200, body, .. } = out.remove(0) else { panic!("no answer") };
    let specs = (find(COINM).unwrap().instruments)(body.as_bytes()).unwrap();
    assert_eq!(specs, [spec(COINM)]);
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&told["symbols"][0]["pair"], &told["symbols"][0]["contractSize"]),
        (&"BTCUSD".into(), &100.into())
    );
}
