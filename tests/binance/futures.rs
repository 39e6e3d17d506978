//! USD-M: the gateway against the simulated server, over positions and margin, by every way to send
//! orders.

use xarb::types::{
    Class, FeeRate, InstrumentId, Kind, Money, Nanos, OrderState, Position, Price, Qty, Report, Side, Tif,
};
use xarb::venue::{Command, Exchange, Lane, Transport};

use crate::dialogue::{ED25519, HMAC};
use crate::trading::{World, everywhere, limit};

const ONE: i64 = 100_000_000;
const USDM: &str = "binance.usdm";
const INSTRUMENT: InstrumentId = InstrumentId(0);

pub fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// The position that was told last, at a whole price, and the wallet.
pub fn told(reports: &[Report]) -> (Option<(i64, Option<i64>)>, Option<String>) {
    let position = reports.iter().rev().find_map(|report| match report {
        Report::Position { qty, entry, .. } => Some((qty.0, entry.map(|price| price.0 / ONE))),
        _ => None,
    });
    let wallet = reports.iter().rev().find_map(|report| match report {
        Report::Balance { free, locked: None, .. } => Some(free.to_string()),
        _ => None,
    });
    (position, wallet)
}

#[test]
fn an_order_opens_a_position_and_another_closes_it() {
    everywhere(USDM, |world| {
        let maker = world.maker;
        world.exchange.place(maker, &limit(Side::Sell, 60_000 * ONE, ONE), world.now).unwrap();
        let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, 2 * ONE);
        world.place(&draft, Nanos::ZERO);
        let reports = world.expect("half filled", |report| {
            matches!(report, Report::Ended { client, state: OrderState::Cancelled, filled: Some(Qty(ONE)), .. }
                if *client == draft.client)
        });
        let fills: Vec<_> = reports
            .iter()
            .filter_map(|report| match report {
                Report::Filled { client, qty, fee, fee_asset, .. } => {
                    assert_eq!(*client, draft.client);
                    Some((*qty, fee.to_string(), fee_asset.to_string()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(fills, [(Qty(ONE), "60".to_owned(), "USDT".to_owned())], "fills are told once");
        assert_eq!(told(&reports), (Some((ONE, Some(60_000))), Some("199940".to_owned())));

        // Closing takes no margin, and a reduce-only order takes no more than there is.
        world.exchange.place(maker, &limit(Side::Buy, 61_000 * ONE, 5 * ONE), world.now).unwrap();
        let mut close = world.draft(Tif::Ioc, Side::Sell, 61_000 * ONE, ONE + ONE / 10);
        close.reduce_only = true;
        world.place(&close, Nanos::ZERO);
        world.expect("too much", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-2022"))
        });
        let mut close = world.draft(Tif::Ioc, Side::Sell, 61_000 * ONE, ONE);
        close.reduce_only = true;
        world.place(&close, Nanos::ZERO);
        let reports = world.expect("closed", |r| {
            matches!(r, Report::Ended { client, state: OrderState::Filled, .. } if *client == close.client)
        });
        assert_eq!(told(&reports), (Some((0, None)), Some("200879".to_owned())));
        world.command(Command::Balances);
        assert_eq!(told(&world.take()), (Some((0, None)), Some("200879".to_owned())));
        world.command(Command::Fills { instrument: INSTRUMENT, since: Nanos::ZERO });
        let reports = world.take();
        assert_eq!(reports.iter().filter(|r| matches!(r, Report::Filled { .. })).count(), 2);
        world.command(Command::Fees { instrument: INSTRUMENT });
        world.expect("fees", |r| {
            matches!(r, Report::Fees { taker: FeeRate(100_000), maker: FeeRate(75_000), .. })
        });
    });
}

#[test]
fn a_resting_order_is_changed_found_and_cancelled() {
    everywhere(USDM, |world| {
        let resting = world.draft(Tif::Gtc, Side::Buy, 58_000 * ONE, ONE / 2);
        let client = resting.client;
        world.place(&resting, Nanos::ZERO);
        world.expect("accepted", |r| matches!(r, Report::Accepted { client: c, .. } if *c == client));
        let qty = Qty(ONE / 4);
        world.command(Command::Amend { client, instrument: INSTRUMENT, price: None, qty });
        world.expect(
            "amended",
            |r| matches!(r, Report::Amended { price, qty: q, .. } if (*price, *q) == (resting.price, qty)),
        );
        let price = Some(Price(58_100 * ONE));
        world.command(Command::Amend { client, instrument: INSTRUMENT, price, qty: Qty(ONE / 5) });
        world.expect("price too", |r| matches!(r, Report::Amended { price: p, .. } if Some(*p) == price));
        world.command(Command::Query { client, instrument: INSTRUMENT });
        world.expect("status", |r| matches!(r, Report::Status(s) if Some(s.price) == price));
        world.command(Command::OpenOrders);
        world.expect("one open", |r| *r == Report::OpenOrdersEnd { count: 1 });
        world.command(Command::Cancel { client, venue_ref: None, instrument: INSTRUMENT });
        world.expect("cancelled", |r| matches!(r, Report::Ended { client: c, .. } if *c == client));
        world.command(Command::Cancel { client, venue_ref: None, instrument: INSTRUMENT });
        world.expect("cancelled twice", |r| matches!(r, Report::CancelError { class: Class::Unknown, .. }));

        // The switch cancels what is open unless it is set anew.
        let resting = world.draft(Tif::Gtc, Side::Buy, 58_000 * ONE, ONE / 2);
        world.place(&resting, Nanos::ZERO);
        world.take();
        let until = world.now + Nanos::from_secs(2);
        world.command(Command::DeadMan { timeout: Nanos::from_secs(2) });
        world.expect("armed", |r| *r == Report::DeadMan { until });
        world.wait(Nanos::from_millis(1_900));
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
        world.wait(Nanos::from_millis(100));
        world.expect("fired", |r| matches!(r, Report::Ended { client, .. } if *client == resting.client));
        // A post-only order that would take is refused.
        world.exchange.place(world.maker, &limit(Side::Sell, 60_000 * ONE, ONE), world.now).unwrap();
        let mut taking = world.draft(Tif::Gtc, Side::Buy, 60_000 * ONE, ONE / 2);
        taking.kind = Kind::PostOnly;
        world.place(&taking, Nanos::ZERO);
        world.expect("would take", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-5022"))
        });
    });
}

#[test]
fn margin_filters_times_and_limits_are_the_venues() {
    everywhere(USDM, |world| {
        // 200,000 at a leverage of 1.
        let dear = world.draft(Tif::Gtc, Side::Sell, 60_000 * ONE, 4 * ONE);
        world.place(&dear, Nanos::ZERO);
        world.expect("too dear", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-2019"))
        });
        world.exchange.set_leverage(world.trader, 0, 5, world.now).unwrap();
        let again = world.draft(Tif::Gtc, Side::Sell, 60_000 * ONE, 4 * ONE);
        world.place(&again, Nanos::ZERO);
        world.expect("with leverage", |r| matches!(r, Report::Accepted { .. }));
        let late = world.draft(Tif::Ioc, Side::Buy, 50_000 * ONE, ONE);
        world.place(&late, Nanos::from_millis(1_500));
        let reports = world.expect("late", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-1021"))
        });
        assert!(reports.iter().any(|r| matches!(r, Report::ServerTime { .. })), "{reports:?}");
        let mut throttled = None;
        for _ in 0..400 {
            let draft = world.draft(Tif::Ioc, Side::Buy, 50_000 * ONE, ONE / 100);
            world.place(&draft, Nanos::ZERO);
            throttled = world
                .take()
                .into_iter()
                .find(|r| matches!(r, Report::OrderError { class: Class::Throttled, .. }));
            if throttled.is_some() {
                break;
            }
        }
        let Some(Report::OrderError { retry_at: Some(retry_at), code, .. }) = throttled else { panic!() };
        assert!(code.as_str().starts_with("-1015"));
        assert!(retry_at > world.now && retry_at <= world.now + Nanos::from_secs(10), "{retry_at}");
    });
}

#[test]
fn the_accounts_stream_is_found_again() {
    let mut world = World::at(USDM, Transport::Ws, ED25519);
    world.take();
    world.cut(Lane::Private);
    assert!(!world.gateway.ready());
    world.open(Lane::Private);
    world.wait(Nanos::from_secs(6));
    assert!(world.gateway.ready(), "the key is still good");
    // Kept alive for two hours, then left alone until it expires.
    for _ in 0..24 {
        world.wait(Nanos::from_secs(300));
    }
    assert_eq!(world.closes, 0);
    let before = world.gateway.lanes();
    world.now = world.now + Nanos::from_secs(3_600);
    world.serve(xarb::venue::ServerInput::Tick);
    assert_eq!(world.closes, 1);
    assert!(!world.gateway.ready());
    world.wait(Nanos::from_secs(6));
    assert!(world.gateway.ready());
    assert_ne!(world.gateway.lanes(), before);
    let draft = world.draft(Tif::Ioc, Side::Buy, 50_000 * ONE, ONE / 100);
    world.place(&draft, Nanos::ZERO);
    world.expect("news", |r| matches!(r, Report::Ended { client, .. } if *client == draft.client));
}

#[test]
fn requests_with_parameters_that_nobody_reads_are_refused() {
    for (venue, path) in [(USDM, "/fapi/v1/exchangeInfo"), ("binance.spot", "/api/v3/exchangeInfo")] {
        let mut world = World::at(venue, Transport::Rest, HMAC);
        let mut answer = |target: &str| {
            let mut out = Vec::new();
            let input = xarb::venue::ServerInput::Request {
                id: xarb::venue::RequestId(9),
                method: "GET",
                target,
                headers: &[],
                body: b"",
                peer: "10.0.0.1:1",
            };
            world.ask(input, &mut out);
            match out.remove(0) {
                xarb::venue::ServerOut::Response { status, body, .. } => (status, body),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(answer(&format!("{path}?symbol=BTCUSDT")).0, 200);
        let (status, body) = answer(&format!("{path}?symbol=BTCUSDT&colour=red"));
        assert_eq!(status, 400);
        assert_eq!(
            body,
            r#"{"code":-1104,"msg":"Not all sent parameters were read; read '1' parameter(s) but was sent '2'."}"#
        );
    }
}

#[test]
fn a_spot_connection_is_told_of_its_end_and_one_of_usdm_is_not() {
    for (venue, told) in [("binance.spot", true), (USDM, false)] {
        let mut world = World::at(venue, Transport::Ws, ED25519);
        world.now = world.now + Nanos::from_secs(24 * 3_600 - 200);
        let mut out = Vec::new();
        world.ask(xarb::venue::ServerInput::Tick, &mut out);
        let warned = out.iter().any(|sent| format!("{sent:?}").contains("serverShutdown"));
        assert_eq!(warned, told, "{venue}: {out:?}");
        world.now = world.now + Nanos::from_secs(200);
        // A listen key that nobody renewed ends its stream long before.
        let (before, mut out) = (out, Vec::new());
        world.ask(xarb::venue::ServerInput::Tick, &mut out);
        let closes = |out: &[xarb::venue::ServerOut]| {
            out.iter().filter(|sent| matches!(sent, xarb::venue::ServerOut::Close(_))).count()
        };
        assert_eq!(closes(&before) + closes(&out), 2, "{venue}: {out:?}");
    }
}

#[test]
fn positions_are_read_back_as_they_are() {
    let mut world = World::at(USDM, Transport::Rest, HMAC);
    let maker = world.maker;
    for (price, qty) in [(60_000, ONE), (60_001, 2 * ONE)] {
        world.exchange.place(maker, &limit(Side::Buy, price * ONE, qty), world.now).unwrap();
    }
    let draft = world.draft(Tif::Ioc, Side::Sell, 60_000 * ONE, 3 * ONE);
    world.place(&draft, Nanos::ZERO);
    let held = world.exchange.positions(world.trader)[0].position;
    assert_eq!(held, Position { qty: Qty(-3 * ONE), cost: money("-180002") });
    world.take();
    world.command(Command::Balances);
    let reports = world.take();
    let Some(Report::Position { qty, entry, .. }) =
        reports.iter().find(|r| matches!(r, Report::Position { .. }))
    else {
        panic!("{reports:?}")
    };
    assert_eq!((*qty, *entry), (held.qty, Some(Price(6_000_066_666_666))));
}
