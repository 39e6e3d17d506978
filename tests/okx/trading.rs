//! Orders and the account, by both transports and in both markets, against the simulated server.

use xarb::sim::exchange::Knobs;
use xarb::sim::keys::trading_rights;
use xarb::types::*;
use xarb::venue::*;

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

/// Without positions, which are told beside fills.
fn told(world: &mut World) -> Vec<String> {
    let mut told = world.told();
    told.retain(|told| !told.starts_with("position"));
    told
}

#[test]
fn an_order_fills_in_part_and_ends() {
    everywhere(|world| {
        world.quote(Side::Sell, "60000.1", "0.004");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        let (fill, positions) = if world.is_spot() {
            ("filled 0.004 at 60000.1 for 0.000004 BTC", 0)
        } else {
            ("filled 0.004 at 60000.1 for 0.2400004 USDT", 1)
        };
        let told = world.told();
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
        // By the answer and by the stream.
        assert_eq!(world.told(), ["accepted"; 2]);
        let (client, instrument) = (order.client, INSTRUMENT);
        let price = Some(Price(5_900_050_000_000));
        world.command(Command::Amend { client, instrument, price, qty: Qty(2_000_000) }).unwrap();
        assert_eq!(world.told(), ["accepted", "amended 0.02 at 59000.5"]);
        world.command(Command::OpenOrders).unwrap();
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Accepted 0", "OpenOrdersEnd { count: 1 }", "status Accepted 0"]);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled 0"]);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancel Refused 51400 Cancellation failed as the order has been"]);
        world.command(Command::Amend { client, instrument, price, qty: Qty(2_000_000) }).unwrap();
        assert_eq!(world.told(), ["cancel Refused 51503 Order modification failed as the order ha"]);
        // What never filled is forgotten after two hours.
        world.now = world.now + Nanos::from_secs(7_199);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        world.now = world.now + Nanos::from_secs(1);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.reports.pop(), Some(Report::NotFound { client }));
        // By the venue's number.
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
        let poor = if world.is_spot() {
            "Refused 51008 Order failed. Insufficient account balanc"
        } else {
            "Refused 51008 Order failed. Insufficient margin in the "
        };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "99000", "200");
        world.send(&order);
        assert_eq!(world.told(), [poor], "{}", world.site.venue);
        // A post-only order that would take is received, and ends.
        let order = world.draft(Side::Buy, Kind::PostOnly, Tif::Gtc, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted", "cancelled 0"]);
        world.command(Command::Query { client: order.client, instrument: INSTRUMENT }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        // All or nothing, and there is not enough.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Fok, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted", "cancelled 0"]);
        *world.exchange.knobs() = Knobs { reject_ppm: 1_000_000, ..Knobs::default() };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["Refused 51006 Order price is not within the price limit"]);
        *world.exchange.knobs() = Knobs { halted: true, ..Knobs::default() };
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["Refused 51022 Trading of this instrument is suspended."]);
        *world.exchange.knobs() = Knobs::default();
        // What our own check would have stopped.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.15", "0.01");
        let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
        assert_eq!(refused, Err(EncodeError::Filter(SpecError::OffTick)));
    });
}

#[test]
fn an_id_is_taken_once_while_its_order_is_open() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.01");
        let bytes = world.encode(&order);
        world.deliver(&bytes);
        world.told();
        world.deliver(&bytes);
        // A reader of the answer cannot tell which of the two lives.
        assert_eq!(world.told(), ["Unknown 51016 Client order ID already exists."]);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
    });
}

#[test]
fn a_burst_is_throttled_by_instrument_and_kind() {
    everywhere(|world| {
        let mut orders = Vec::new();
        for number in 0..=60 {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.001");
            world.send(&order);
            let throttled = world.reports.iter().find_map(|report| match report {
                Report::OrderError { class: Class::Throttled, retry_at, .. } => *retry_at,
                _ => None,
            });
            let want = (number == 60).then_some(START + Nanos::from_secs(2));
            assert_eq!(throttled, want, "order {number}");
            world.reports.clear();
            orders.push(order.client);
        }
        // Cancels have room of their own.
        let (client, instrument) = (orders[0], INSTRUMENT);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled 0"]);
        world.wait(Nanos::from_secs(2));
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "50000", "0.01");
        world.send(&order);
        assert_eq!(told(world), ["accepted", "cancelled 0"]);
    });
}

/// Our own count stops before the venue's does, by name; what waits goes when there is room.
#[test]
fn limits_are_kept_before_anything_is_sent() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.01");
        let spend = |world: &mut World, urgency| world.gateway.spend(&order, urgency, world.now);
        let sent = (0..100).take_while(|_| spend(world, Urgency::Order).is_ok()).count();
        assert_eq!(spend(world, Urgency::Order), Err(Limited("orders of an instrument 2s")));
        let hedges = (0..100).take_while(|_| spend(world, Urgency::Urgent).is_ok()).count();
        assert_eq!((sent, hedges), (47, 7), "some are left to hedges, and a tenth to the network");
        world.gateway.refund(&order, world.now);
        assert_eq!(spend(world, Urgency::Urgent), Ok(()));

        // Cancels beyond the limit wait, and no answer is one of the venue's complaints.
        for _ in 0..60 {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.001");
            world.send(&order);
        }
        let open: Vec<ClientId> = world
            .exchange
            .open_orders(world.trader)
            .iter()
            .map(|view| ClientId::parse(view.order.client.as_bytes()).unwrap())
            .collect();
        assert_eq!(open.len(), 60);
        world.told();
        for client in open {
            world.command(Command::Cancel { client, venue_ref: None, instrument: INSTRUMENT }).unwrap();
        }
        assert_eq!(world.told(), ["cancelled 0"; 54]);
        for _ in 0..26 {
            world.wait(Nanos::from_millis(100));
        }
        assert_eq!(told(world), ["cancelled 0"; 6]);
        // Questions wait too: five of settings in two seconds, one of them for others.
        for _ in 0..6 {
            world.command(Command::Rights).unwrap();
        }
        let rights =
            |world: &World| world.reports.iter().filter(|report| matches!(report, Report::Rights(_))).count();
        assert_eq!(rights(world), 4);
        for _ in 0..26 {
            world.wait(Nanos::from_millis(100));
        }
        assert_eq!(rights(world), 6);
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
        world.quote(Side::Sell, "60000", "10");
        for _ in 0..130 {
            world.now = world.now + Nanos::from_millis(50);
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
            world.send(&order);
        }
        let fills = world.told().iter().filter(|told| told.starts_with("filled 0.01 at 60000")).count();
        assert_eq!(fills, 130);
        // More than a page; all of them are of the last three days.
        world.requests = 0;
        world.command(Command::Fills { instrument: INSTRUMENT, since: START }).unwrap();
        let fills = world.told().iter().filter(|told| told.starts_with("filled 0.01 at 60000")).count();
        assert_eq!((fills, world.requests), (130, 2));

        world.command(Command::Balances).unwrap();
        let (asset, total) = if world.is_spot() { ("BTC", "11.2987") } else { ("USDT", "199922") };
        let balance = world.reports.iter().find_map(|report| match report {
            Report::Balance { asset: own, free, locked } if own.as_str() == asset => {
                Some((*free + locked.unwrap()).to_string())
            }
            _ => None,
        });
        assert_eq!(balance.as_deref(), Some(total), "{:?}", world.reports);
        let position = if world.is_spot() { &[][..] } else { &["position 1.3 at 60000"] };
        assert_eq!(world.told(), position);

        world.command(Command::Fees { instrument: INSTRUMENT }).unwrap();
        let fees =
            Report::Fees { symbol: world.site.spec.symbol, taker: FeeRate(100_000), maker: FeeRate(20_000) };
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
        assert_eq!(granted, (Some(true), Some(true), Some(false), None, Some(true)));
        assert_eq!((rights.ips, rights.excess), (vec!["10.0.0.1".to_owned()], vec![]));
        let odd = Command::Replace {
            cancel: ClientId::from_bits(1),
            order: world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01"),
        };
        assert!(world.command(odd).is_err());
    });
}

#[test]
fn everything_is_cancelled_in_batches() {
    everywhere(|world| {
        for _ in 0..45 {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.001");
            world.send(&order);
        }
        world.told();
        world.requests = 0;
        world.command(Command::CancelAll { instrument: INSTRUMENT }).unwrap();
        let told = world.told();
        assert_eq!(told.iter().filter(|told| *told == "cancelled 0").count(), 45);
        assert!(told.contains(&"CancelledAll { count: Some(45) }".to_owned()), "{told:?}");
        assert_eq!(world.requests, 4, "a list, and three batches");
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
        assert_eq!(world.told(), ["accepted", "accepted", "accepted", "cancelled 0"]);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
    });
}

#[test]
fn positions_open_turn_and_close() {
    for transport in TRANSPORTS {
        let mut world = ready("okx.swap", transport);
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
        assert_eq!(world.told(), ["Refused 51205 Reduce Only is not available: there is no"]);
        world.exchange.audit().unwrap();
        // A tenth of the smallest size.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.00001");
        let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
        assert_eq!(refused, Err(EncodeError::Filter(SpecError::OffLot)));
        // Spot knows no such order.
        let mut spot = ready("okx.spot", transport);
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
        world.deaf = false;
        assert_eq!(world.told(), Vec::<String>::new());
        // The connection is gone, and with it what may be sent.
        let lane = lane_of(&bytes);
        world.tell(GatewayInput::Closed(lane));
        world.serve(ServerInput::Closed(conn(lane)));
        assert!(world.told()[0].starts_with("Down"));
        let again = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
        assert_eq!(again, Err(EncodeError::NotReady));
        world.open();
        assert!(world.gateway.ready());
        world.told();
        world.command(Command::Query { client: order.client, instrument: INSTRUMENT }).unwrap();
        world.command(Command::Fills { instrument: INSTRUMENT, since: START }).unwrap();
        let told = told(world);
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

/// The lane of the session, by how orders go.
fn lane_of(bytes: &OrderBytes) -> Lane {
    if bytes.lane == Lane::Orders { Lane::Orders } else { Lane::Private }
}

#[test]
fn keys_are_checked() {
    for venue in MARKETS {
        // One bound elsewhere gets in nowhere, and does not try again at once.
        let rights = KeyRights { ips: vec!["10.9.9.9".to_owned()], ..trading_rights() };
        let mut world = World::new(site(venue), Transport::Ws, rights);
        world.open();
        assert!(!world.gateway.ready());
        let first = world.told();
        assert!(first.contains(&"Down(\"the key was refused\")".to_owned()), "{first:?}");
        world.command(Command::Balances).unwrap();
        let balances = world.told();
        assert!(balances[0].contains("50110 Your IP 10.0.0.1 is not"), "{balances:?}");
        for _ in 0..100 {
            world.wait(Nanos::from_secs(3));
        }
        assert!(!world.told().iter().any(|told| told.starts_with("Down")));

        // One that may not trade reads, and that is all.
        for transport in TRANSPORTS {
            let rights = KeyRights { trade: Some(false), ..trading_rights() };
            let mut world = World::new(site(venue), transport, rights);
            world.open();
            assert!(world.gateway.ready());
            world.told();
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
            world.send(&order);
            assert_eq!(world.told(), ["Halt 50120 This API key does not have permission to "]);
            world.command(Command::OpenOrders).unwrap();
            assert_eq!(world.told(), ["OpenOrdersEnd { count: 0 }"]);
            world.command(Command::Rights).unwrap();
            assert!(
                matches!(&world.reports[..], [.., Report::Rights(rights)] if rights.trade == Some(false))
            );
        }

        // A request that was changed on its way; one that comes too late; a wrong passphrase.
        let mut world = ready(venue, Transport::Rest);
        for (old, new, want) in [
            ("\"sz\":\"", "\"sz\":\"9", "Halt 50113 Invalid sign."),
            (
                "OK-ACCESS-TIMESTAMP: 2023-11-14T22:13",
                "OK-ACCESS-TIMESTAMP: 2023-11-14T22:12",
                "Refused 50102 Timestamp request expired.",
            ),
            (
                "OK-ACCESS-TIMESTAMP: 2023-11-14T22:13",
                "OK-ACCESS-TIMESTAMP: 2023-11-14 22:13",
                "Refused 50112 Invalid timestamp.",
            ),
            ("OK-ACCESS-PASSPHRASE: ", "OK-ACCESS-PASSPHRASE: x", "Halt 50105 Passphrase incorrect."),
            ("OK-ACCESS-KEY: ", "OK-ACCESS-KEY: x", "Halt 50119 API key does not exist."),
            ("OK-ACCESS-SIGN", "OK-ACCESS-XIGN", "Halt 50106 Request header OK-ACCESS-SIGN can not be "),
        ] {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000", "0.01");
            let mut bytes = world.encode(&order);
            let mut text = String::from_utf8(bytes.as_slice().to_vec()).unwrap();
            assert!(text.contains(old), "{text}");
            text = text.replacen(old, new, 1);
            let body = text.split_once("\r\n\r\n").unwrap().1.len();
            let (head, rest) = text.split_once("Content-Length: ").unwrap();
            text = format!("{head}Content-Length: {body:03}{}", &rest[3..]);
            let len = text.len();
            bytes.buffer()[..len].copy_from_slice(text.as_bytes());
            bytes.set(0, len).unwrap();
            world.deliver(&bytes);
            assert_eq!(told(&mut world)[0], want, "{old}");
        }
    }
}

#[test]
fn the_switch_cancels_everything_unless_it_is_held_off() {
    everywhere(|world| {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.01");
        world.send(&order);
        world.told();
        // Ten seconds at least, and whole ones.
        world.command(Command::DeadMan { timeout: Nanos::from_millis(500) }).unwrap();
        assert_eq!(world.reports.pop(), Some(Report::DeadMan { until: START + Nanos::from_secs(10) }));
        for _ in 0..3 {
            world.wait(Nanos::from_secs(9));
            world.reports.clear();
            world.command(Command::DeadMan { timeout: Nanos::from_secs(10) }).unwrap();
            let until = world.now + Nanos::from_secs(10);
            assert_eq!(world.reports.pop(), Some(Report::DeadMan { until }));
        }
        let open = |world: &World| world.exchange.open_orders(world.trader).len();
        assert_eq!(open(world), 1);
        world.wait(Nanos::from_millis(9_999));
        assert_eq!(open(world), 1);
        world.wait(Nanos::from_millis(1));
        assert_eq!((open(world), told(world)), (0, vec!["cancelled 0".to_owned()]));
        // Off again: nothing happens.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "50000", "0.01");
        world.send(&order);
        world.command(Command::DeadMan { timeout: Nanos::from_secs(10) }).unwrap();
        world.wait(Nanos::from_secs(5));
        world.command(Command::DeadMan { timeout: Nanos::ZERO }).unwrap();
        world.wait(Nanos::from_secs(6));
        assert_eq!(open(world), 1);
    });
}

#[test]
fn silence_is_a_dead_session() {
    for transport in TRANSPORTS {
        let mut world = ready("okx.spot", transport);
        for _ in 0..60 {
            world.wait(Nanos::from_secs(4));
        }
        assert!(world.gateway.ready() && world.reconnects.is_empty(), "pings were answered");
        world.deaf = true;
        for _ in 0..4 {
            world.wait(Nanos::from_secs(4));
        }
        let [(_, why)] = world.reconnects[..] else { panic!("{:?}", world.reconnects) };
        assert_eq!(why, "no frame for ten seconds");
    }
}

/// The venue ends the oldest subscription of too many, and says so without an `arg`.
#[test]
fn a_subscription_that_the_venue_ended_is_made_again() {
    let mut world = ready("okx.spot", Transport::Ws);
    let text =
        r#"{"event":"channel-conn-count-error","channel":"orders","connCount":"30","connId":"a4d3ae55"}"#;
    let mut padded = xarb::wire::PaddedBuf::default();
    world.tell(GatewayInput::Text(Lane::Orders, padded.fill(text.as_bytes())));
    assert_eq!(world.told(), ["Down(\"too many connections with this subscription\")"]);
    assert_eq!(world.reconnects, [(Lane::Orders, "too many connections with this subscription")]);
}

/// The account's instruments as the venue might list them anew: by another number, or not at all.
fn renumber(world: &mut World, code: Option<u64>) {
    let client = ClientId::default();
    let mut out = GatewayOut::default();
    let refusal = format!(
        r#"{{"id":"{client}","op":"order","code":"1","msg":"","data":[{{"clOrdId":"{client}","ordId":"","sCode":"51001","sMsg":"Instrument ID does not exist."}}]}}"#
    );
    let mut buffer = xarb::wire::PaddedBuf::default();
    let text = GatewayInput::Text(Lane::Orders, buffer.fill(refusal.as_bytes()));
    world.gateway.on(text, world.now, &mut out);
    let asked = out.wants.iter().find_map(|want| match want {
        GatewayWant::Http { token, request } if request.target.contains("/account/instruments") => {
            Some(*token)
        }
        _ => None,
    });
    let (symbol, code) =
        (world.site.spec.symbol, code.map_or(String::new(), |code| format!(r#""instIdCode":{code},"#)));
    let body = format!(
        r#"{{"code":"0","msg":"","data":[{{{code}"instType":"SPOT","instId":"{symbol}","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001"}}]}}"#
    );
    let answer =
        GatewayInput::Response { token: asked.unwrap(), status: 200, headers: &[], body: body.as_bytes() };
    world.gateway.on(answer, world.now, &mut out);
}

/// An order that was written ahead is what it would be if it were written now: whatever was guessed, and
/// whatever number the instrument has by now.
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
            // Spot knows lots as small as that.
            let fine = wrong.qty.0 == order.qty.0 + 1 && world.is_spot();
            assert_eq!(matches!(refused, Err(EncodeError::Filter(_))), !fine, "{wrong:?} {refused:?}");
        }
        // What was begun goes out as it should, and trades.
        world.gateway.begin(&order, &mut bytes).unwrap();
        world.gateway.complete(&order, now, &mut bytes).unwrap();
        world.deliver(&bytes);
        assert!(told(&mut world).iter().any(|told| told.starts_with("filled 0.01 at 60000.1")));

        world.gateway.begin(&other, &mut bytes).unwrap();
        renumber(&mut world, Some(987_654));
        world.gateway.complete(&other, now, &mut bytes).unwrap();
        let text = unmask(bytes.as_slice());
        assert!(text.contains(r#""instIdCode":987654,"#), "{text}");
        assert_eq!(text, unmask(world.encode(&other).as_slice()));
        // An instrument that the account no longer has is not named by what its number was.
        world.gateway.begin(&other, &mut bytes).unwrap();
        renumber(&mut world, None);
        assert_eq!(world.gateway.complete(&other, now, &mut bytes), Err(EncodeError::NotReady));
        assert_eq!(world.gateway.begin(&other, &mut bytes), Err(EncodeError::NotReady));
    }
}

#[test]
fn nothing_is_written_ahead_where_orders_are_signed_or_the_session_is_gone() {
    for venue in MARKETS {
        let mut world = ready(venue, Transport::Rest);
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "60000.1", "0.01");
        let mut bytes = OrderBytes::new();
        assert_eq!(world.gateway.begin(&order, &mut bytes), Err(EncodeError::Unsupported));
        let mut world = ready(venue, Transport::Ws);
        world.gateway.begin(&order, &mut bytes).unwrap();
        world.tell(GatewayInput::Closed(Lane::Orders));
        assert_eq!(world.gateway.complete(&order, world.now, &mut bytes), Err(EncodeError::NotReady));
    }
}
