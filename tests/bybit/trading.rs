//! Orders and the account, by both transports and in both markets, against the simulated server.

use xarb::sim::exchange::Knobs;
use xarb::sim::keys::trading_rights;
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::world::*;

fn everywhere(test: impl Fn(&mut World)) {
    for venue in MARKETS {
        for transport in TRANSPORTS {
            let mut world = ready(venue, transport);
            test(&mut world);
            world.exchange.audit().unwrap();
        }
    }
}

#[test]
fn an_order_fills_in_part_and_ends() {
    everywhere(|world| {
        world.quote(Side::Sell, "60000.1", "0.004");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        let told = world.told();
        // The acknowledgement says nothing; the stream tells the order first, then its fill.
        let (fill, positions) = if world.is_spot() {
            ("filled 0.004 at 60000.1 for 0.000004 BTC", 0)
        } else {
            ("filled 0.004 at 60000.1 for 0.2400004 USDT", 1)
        };
        assert_eq!(told.iter().filter(|told| *told == "position 0.004 at 60000.1").count(), positions);
        let told: Vec<_> = told.iter().filter(|told| !told.starts_with("position")).collect();
        assert_eq!(told, ["accepted", fill, "cancelled 0.004"], "{}", world.site.venue);
    });
}

#[test]
fn orders_rest_are_amended_and_cancelled() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::PostOnly, Tif::Gtc, "59000", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted"]);
        let (client, instrument) = (order.client, INSTRUMENT);
        let price = Some(Price(5_900_050_000_000));
        world.command(Command::Amend { client, instrument, price, qty: Qty(2_000_000) }).unwrap();
        assert_eq!(world.told(), ["amended 0.02 at 59000.5"]);
        world.command(Command::OpenOrders).unwrap();
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Accepted 0", "OpenOrdersEnd { count: 1 }", "status Accepted 0"]);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled 0"]);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        let gone = if world.is_spot() {
            "cancel Unknown 170142 Order has been canceled."
        } else {
            "cancel Unknown 110001 Order does not exist."
        };
        assert_eq!(world.told(), [gone]);
        // After a while it is history alone.
        world.wait(Nanos::from_secs(3_600));
        world.told();
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        let client = ClientId::from_bits(5);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.reports.last(), Some(&Report::NotFound { client }));
        // By the venue's number.
        world.told();
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "59000", "0.01");
        world.send(&order);
        let venue_ref = world.reports.iter().find_map(|report| match report {
            Report::Accepted { venue_ref, .. } => Some(*venue_ref),
            _ => None,
        });
        assert!(venue_ref.is_some());
        world.told();
        world.command(Command::Cancel { client: order.client, venue_ref, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled 0"]);
    });
}

#[test]
fn refusals_come_in_the_venue_s_words_and_classes() {
    everywhere(|world| {
        world.quote(Side::Sell, "60000.1", "0.004");
        let spot = world.is_spot();
        let poor = if spot {
            "Refused 170131 Insufficient balance."
        } else {
            "Refused 110007 Available balance is insufficient."
        };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "99000", "200");
        world.send(&order);
        assert_eq!(world.told(), [poor], "{}", world.site.venue);
        // A post-only order that would take is received, and ends.
        let order = world.draft(Side::Buy, Kind::PostOnly, Tif::Gtc, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["cancelled 0"]);
        world.command(Command::Query { client: order.client, instrument: INSTRUMENT }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        // So is one that is refused behind the gate.
        *world.exchange.knobs() = Knobs { reject_ppm: 1_000_000, ..Knobs::default() };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["Refused EC_Others", "rejected 0"]);
        *world.exchange.knobs() = Knobs { halted: true, ..Knobs::default() };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        let halted = if spot {
            "Refused 170151 This trading pair is not available."
        } else {
            "Refused 110074 This contract is not live."
        };
        assert_eq!(world.told(), [halted]);
        *world.exchange.knobs() = Knobs::default();
        // What our own check would have stopped.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.15", "0.01");
        let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
        assert_eq!(refused, Err(EncodeError::Filter(SpecError::OffTick)));
    });
}

#[test]
fn an_id_is_never_taken_twice() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        let first = world.encode(&order);
        world.deliver(&first);
        assert_eq!(world.told(), ["accepted", "cancelled 0"]);
        // Long ended, and still known. A reader of the answer cannot tell which of the two lives.
        world.wait(Nanos::from_secs(100));
        world.told();
        let again = world.encode(&order);
        world.deliver(&again);
        let told = world.told();
        let want = match (world.is_spot(), again.lane) {
            // Over the session the request's own id is the first to be seen twice.
            (_, Lane::Orders) => "Unknown 20006 reqId is duplicated.",
            (true, _) => "Unknown 170141 Duplicate clientOrderId.",
            (false, _) => "Unknown 110072 OrderLinkedID is duplicate.",
        };
        assert_eq!(told, [want]);
    });
}

#[test]
fn a_burst_is_throttled_and_told_for_how_long() {
    everywhere(|world| {
        let cap = if world.is_spot() { 20 } else { 10 };
        for number in 0..=cap {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "50000", "0.01");
            world.send(&order);
            let throttled = world.reports.iter().find_map(|report| match report {
                Report::OrderError { class: Class::Throttled, retry_at, .. } => *retry_at,
                _ => None,
            });
            let used = world.reports.iter().find_map(|report| match report {
                Report::Used { used, .. } => Some(*used),
                _ => None,
            });
            let want = (number == cap).then_some(START + Nanos::from_secs(1));
            assert_eq!((throttled, used), (want, Some((number + 1).min(cap))), "order {number}");
            world.reports.clear();
        }
        world.wait(Nanos::from_secs(1));
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "50000", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted", "cancelled 0"]);
    });
}

#[test]
fn a_late_order_is_not_taken_and_the_clock_is_asked() {
    everywhere(|world| {
        for (late, taken) in [(Nanos::from_millis(1_000), true), (Nanos::from_millis(1_001), false)] {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "50000", "0.01");
            let bytes = world.encode(&order);
            assert_eq!(bytes.expires, world.now + Nanos::from_millis(999));
            world.now = world.now + late;
            world.deliver(&bytes);
            let reports = std::mem::take(&mut world.reports);
            assert_eq!(reports.iter().any(|r| matches!(r, Report::Ended { .. })), taken);
            let refused =
                reports.iter().any(|r| matches!(r, Report::OrderError { class: Class::Refused, .. }));
            let asked =
                reports.iter().any(|r| matches!(r, Report::ServerTime { venue, .. } if *venue == world.now));
            assert_eq!((refused, asked), (!taken, !taken), "{reports:?}");
        }
    });
}

#[test]
fn the_account_is_read() {
    everywhere(|world| {
        let since = world.now - Nanos::from_secs(20 * 86_400);
        world.quote(Side::Sell, "60000", "10");
        for _ in 0..130 {
            world.now = world.now + Nanos::from_millis(150);
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
            world.send(&order);
        }
        let fills = world.told().iter().filter(|told| told.starts_with("filled 0.01 at 60000")).count();
        assert_eq!(fills, 130);
        // More than a page, of more than a week: a gateway of a new run sees them too.
        let mut later = World::new(world.site.clone(), Transport::Rest, trading_rights());
        std::mem::swap(&mut world.gateway, &mut later.gateway);
        world.requests = 0;
        world.command(Command::Fills { instrument: INSTRUMENT, since }).unwrap();
        let fills = world.told().iter().filter(|told| told.starts_with("filled 0.01 at 60000")).count();
        assert_eq!((fills, world.requests), (130, 4), "three weeks, the last in two pages");

        world.command(Command::Balances).unwrap();
        let (asset, total) = if world.is_spot() { ("BTC", "11.2987") } else { ("USDT", "199922") };
        let told = world.reports.iter().find_map(|report| match report {
            Report::Balance { asset: own, free, locked } if own.as_str() == asset => {
                Some((*free + locked.unwrap()).to_string())
            }
            _ => None,
        });
        assert_eq!(told.as_deref(), Some(total), "{:?}", world.reports);
        let position = if world.is_spot() { &[][..] } else { &["position 1.3 at 60000"] };
        assert_eq!(world.told(), position);

        world.command(Command::Fees { instrument: INSTRUMENT }).unwrap();
        let fees = Report::Fees {
            symbol: spec(world.site.venue).symbol,
            taker: FeeRate(100_000),
            maker: FeeRate(20_000),
        };
        assert!(world.reports.contains(&fees), "{:?}", world.reports);
        world.command(Command::ServerTime).unwrap();
        let time = Report::ServerTime { venue: world.now, asked: world.now };
        assert!(world.reports.contains(&time));
        world.command(Command::Rights).unwrap();
        let rights = world.reports.iter().find_map(|report| match report {
            Report::Rights(rights) => Some(rights.clone()),
            _ => None,
        });
        let rights = rights.unwrap();
        let granted = (rights.read, rights.trade, rights.withdraw, rights.transfer, rights.ip_bound);
        assert_eq!(granted, (Some(true), Some(true), Some(false), Some(false), Some(true)));
        assert_eq!((rights.ips, rights.excess), (vec!["10.0.0.1".to_owned()], vec![]));
        let odd = Command::Replace {
            cancel: ClientId::from_bits(1),
            order: world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01"),
        };
        assert!(world.command(odd).is_err());
    });
}

#[test]
fn everything_is_cancelled_at_once() {
    everywhere(|world| {
        for price in ["50000", "50001"] {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, price, "0.01");
            world.send(&order);
        }
        world.told();
        world.command(Command::CancelAll { instrument: INSTRUMENT }).unwrap();
        let mut told = world.told();
        told.sort();
        assert_eq!(told, ["CancelledAll { count: Some(2) }", "cancelled 0", "cancelled 0"]);
        world.command(Command::CancelAll { instrument: INSTRUMENT }).unwrap();
        assert_eq!(world.told(), ["CancelledAll { count: Some(0) }"]);
    });
}

#[test]
fn an_order_never_meets_one_of_ours() {
    everywhere(|world| {
        let resting = world.draft(Side::Sell, Kind::Limit, Tif::Gtc, "60000", "0.01");
        world.send(&resting);
        let taking = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
        world.send(&taking);
        assert_eq!(world.told(), ["accepted", "accepted", "cancelled 0"]);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
    });
}

#[test]
fn positions_open_turn_and_close() {
    for transport in TRANSPORTS {
        let mut world = ready("bybit.linear", transport);
        world.command(Command::Balances).unwrap();
        assert_eq!(world.told(), ["position 0"], "a flat position is told too");
        world.quote(Side::Sell, "60000", "10");
        world.quote(Side::Buy, "59000", "10");
        for (side, price, qty, want) in [
            (Side::Buy, "60000", "0.02", "position 0.02 at 60000"),
            (Side::Sell, "59000", "0.05", "position -0.03 at 59000"),
            (Side::Buy, "60000", "0.01", "position -0.02 at 59000"),
        ] {
            let order = world.draft(side, Kind::Limit, Tif::Ioc, price, qty);
            world.send(&order);
            assert!(world.told().contains(&want.to_owned()));
        }
        // Reduce-only closes what there is and opens nothing.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.02");
        world.send(&Draft { reduce_only: true, ..order });
        assert!(world.told().contains(&"position 0".to_owned()));
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.02");
        world.send(&Draft { reduce_only: true, ..order });
        assert_eq!(world.told(), ["Refused 110017 Reduce-only rule not satisfied."]);
        world.exchange.audit().unwrap();
        // Spot knows no such order.
        let mut spot = ready("bybit.spot", transport);
        let order = spot.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.02");
        let refused =
            spot.gateway.encode(&Draft { reduce_only: true, ..order }, spot.now, &mut OrderBytes::new());
        assert_eq!(refused, Err(EncodeError::Unsupported));
    }
}

#[test]
fn a_lost_answer_is_found_by_a_question() {
    everywhere(|world| {
        world.quote(Side::Sell, "60000", "0.004");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "60000", "0.01");
        let bytes = world.encode(&order);
        world.deaf = true;
        world.deliver(&bytes);
        // The order arrived; the connections break before anything comes back.
        for lane in [Lane::Orders, Lane::Private] {
            world.serve(ServerInput::Closed(conn(lane)));
        }
        world.deaf = false;
        for lane in [Lane::Orders, Lane::Private] {
            world.tell(GatewayInput::Closed(lane));
        }
        if bytes.lane == Lane::Rest {
            world.tell(GatewayInput::Failed { token: order.client.bits(), sent: true });
            assert_eq!(world.told(), ["Down(\"connection closed\")", "Unknown no answer"]);
        } else {
            assert_eq!(world.told(), ["Down(\"connection closed\")"]);
            let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
            assert_eq!(refused, Err(EncodeError::NotReady));
        }
        world.open();
        assert!(world.gateway.ready());
        world.told();
        world.command(Command::Query { client: order.client, instrument: INSTRUMENT }).unwrap();
        world.command(Command::Fills { instrument: INSTRUMENT, since: START }).unwrap();
        let told = world.told();
        assert!(
            told[0] == "status PartFilled 0.004" && told[1].starts_with("filled 0.004 at 60000"),
            "{told:?}"
        );
        // A request that never left is known not to have.
        if bytes.lane == Lane::Rest {
            world.tell(GatewayInput::Failed { token: order.client.bits(), sent: false });
            assert_eq!(world.told(), ["Refused not sent"]);
        }
    });
}

#[test]
fn keys_are_checked() {
    for venue in MARKETS {
        // One bound elsewhere gets in nowhere.
        let rights = KeyRights { ips: vec!["10.9.9.9".to_owned()], ..trading_rights() };
        let mut world = World::new(site(venue), Transport::Ws, rights);
        world.open();
        assert!(!world.gateway.ready());
        assert_eq!(world.told(), ["Down(\"the venue refused the login\")"; 2]);
        assert_eq!(world.reconnects.len(), 2);
        world.command(Command::Balances).unwrap();
        let [told] = &world.told()[..] else { panic!() };
        assert!(told.contains("10010 Unmatched IP"), "{told}");

        // One that may not trade reads, and that is all.
        for transport in TRANSPORTS {
            let mut world =
                World::new(site(venue), transport, KeyRights { trade: Some(false), ..trading_rights() });
            world.open();
            assert!(world.gateway.ready());
            world.told();
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
            world.send(&order);
            assert_eq!(world.told(), ["Halt 10005 Permission denied, please check your API "]);
            world.command(Command::OpenOrders).unwrap();
            assert_eq!(world.told(), ["OpenOrdersEnd { count: 0 }"]);
            world.command(Command::Rights).unwrap();
            assert!(
                matches!(&world.reports[..], [.., Report::Rights(rights)] if rights.trade == Some(false))
            );
        }

        // A wrong secret, or a request that was changed on its way.
        let mut world = ready(venue, Transport::Rest);
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
        let mut bytes = world.encode(&order);
        let text = String::from_utf8(bytes.as_slice().to_vec()).unwrap().replace("0.01", "9.99");
        let len = text.len();
        bytes.buffer()[..len].copy_from_slice(text.as_bytes());
        bytes.set(0, len).unwrap();
        world.deliver(&bytes);
        assert_eq!(world.told(), ["Halt 10004 Error sign, please check your signature g"]);
    }
}

#[test]
fn the_switch_cancels_everything_once_no_connection_holds_it() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.01");
        world.send(&order);
        world.told();
        assert!(world.command(Command::DeadMan { timeout: Nanos::ZERO }).is_err());
        world.command(Command::DeadMan { timeout: Nanos::from_millis(9_500) }).unwrap();
        assert_eq!(world.reports.pop(), Some(Report::DeadMan { until: START + Nanos::from_secs(10) }));
        // As long as the stream lives nothing happens, and nothing is asked again.
        world.requests = 0;
        for _ in 0..3 {
            world.wait(Nanos::from_secs(9));
            world.command(Command::DeadMan { timeout: Nanos::from_secs(10) }).unwrap();
            assert_eq!(
                world.reports.pop(),
                Some(Report::DeadMan { until: world.now + Nanos::from_secs(10) })
            );
        }
        assert_eq!((world.requests, world.exchange.open_orders(world.trader).len()), (0, 1));
        world.serve(ServerInput::Closed(conn(Lane::Private)));
        let cut = world.now;
        world.now = cut + Nanos::from_millis(9_999);
        world.serve(ServerInput::Tick);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
        world.now = cut + Nanos::from_secs(10);
        world.serve(ServerInput::Tick);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 0);
    });
}

#[test]
fn silence_is_a_dead_session() {
    for transport in TRANSPORTS {
        let mut world = ready("bybit.spot", transport);
        for _ in 0..30 {
            world.wait(Nanos::from_secs(5));
        }
        assert!(world.gateway.ready() && world.reconnects.is_empty(), "pings were answered");
        world.deaf = true;
        for _ in 0..8 {
            world.wait(Nanos::from_secs(5));
        }
        let lanes = if transport == Transport::Ws { 2 } else { 1 };
        assert_eq!(world.reconnects.len(), lanes, "{:?}", world.reconnects);
        assert!(world.reconnects.iter().all(|(_, why)| *why == "a ping was not answered"));
    }
}

#[test]
fn a_login_that_is_not_answered_is_tried_again() {
    let mut world = World::new(site("bybit.linear"), Transport::Ws, trading_rights());
    world.deaf = true;
    world.open();
    world.wait(Nanos::from_millis(9_999));
    assert_eq!(world.reconnects, []);
    world.wait(Nanos::from_millis(1));
    assert_eq!(world.reconnects.len(), 2);
}

#[test]
fn a_restarting_service_is_left() {
    let mut world = ready("bybit.spot", Transport::Ws);
    let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
    let answer = format!(
        r#"{{"reqId":"{}","retCode":10019,"retMsg":"ws trade service is restarting, do not accept new request for now","op":"order.create","data":{{}},"connId":"c"}}"#,
        order.client
    );
    let mut padded = PaddedBuf::default();
    world.tell(GatewayInput::Text(Lane::Orders, padded.fill(answer.as_bytes())));
    assert_eq!(world.told(), ["Unknown 10019 ws trade service is restarting, do not ac"]);
    assert_eq!(world.reconnects, [(Lane::Orders, "the service restarts")]);
}

/// An order that was written ahead is what it would be if it were written now, whatever was guessed.
#[test]
fn an_order_written_ahead_is_the_order_written_at_once() {
    for venue in MARKETS {
        let mut world = ready(venue, Transport::Ws);
        world.quote(Side::Sell, "60000.1", "1");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        let other = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "59123.4", "1.23");
        let off_tick = Draft { price: Price(order.price.0 + 1), ..order };
        let (now, mut bytes) = (world.now, OrderBytes::new());
        let at_once = unmask(world.encode(&order).as_slice());
        for guess in [order, other, off_tick, Draft { qty: Qty(0), ..order }] {
            world.gateway.begin(&Draft { client: order.client, ..guess }, &mut bytes).unwrap();
            world.gateway.complete(&order, now, &mut bytes).unwrap();
            assert_eq!(unmask(bytes.as_slice()), at_once, "{guess:?}");
        }
        // A guess lends no order its checks.
        for wrong in [off_tick, Draft { qty: Qty(order.qty.0 + 1), ..order }, Draft { qty: Qty(0), ..order }]
        {
            world.gateway.begin(&order, &mut bytes).unwrap();
            let refused = world.gateway.complete(&wrong, now, &mut bytes);
            assert!(matches!(refused, Err(EncodeError::Filter(_))), "{wrong:?} {refused:?}");
        }
        // What was begun goes out as it should, and trades.
        world.gateway.begin(&order, &mut bytes).unwrap();
        world.gateway.complete(&order, now, &mut bytes).unwrap();
        world.deliver(&bytes);
        assert!(world.told().iter().any(|told| told.starts_with("filled 0.01 at 60000.1")));
        // Without its session it goes nowhere.
        world.gateway.begin(&other, &mut bytes).unwrap();
        world.tell(GatewayInput::Closed(Lane::Orders));
        assert_eq!(world.gateway.complete(&other, now, &mut bytes), Err(EncodeError::NotReady));
        let mut world = ready(venue, Transport::Rest);
        assert_eq!(world.gateway.begin(&order, &mut bytes), Err(EncodeError::Unsupported));
    }
}
