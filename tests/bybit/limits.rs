//! The gateway keeps within the venue's limits by itself: the venue's own end, which counts as the
//! venue does, never has to refuse anything.

use oorandom::Rand64;
use xarb::sim::keys::{make_key, trading_rights};
use xarb::types::{Class, Kind, Nanos, Report, Side, Tif};
use xarb::venue::*;

use crate::world::{INSTRUMENT, MARKETS, TRANSPORTS, World, ready};

/// Whatever says that a limit was hit.
fn is_limit(report: &Report) -> bool {
    match report {
        Report::OrderError { class, .. } | Report::CancelError { class, .. } => {
            matches!(class, Class::Throttled | Class::Halt)
        }
        Report::Malformed(text) => text.contains("10006") || text.contains("403"),
        _ => false,
    }
}

#[track_caller]
fn no_limit(world: &mut World, what: &str) -> Vec<Report> {
    let reports = std::mem::take(&mut world.reports);
    assert_eq!(reports.iter().find(|report| is_limit(report)), None, "{what}");
    reports
}

#[test]
fn a_storm_of_orders_and_questions_hits_no_limit() {
    for venue in MARKETS {
        for transport in TRANSPORTS {
            for seed in 1..=2u64 {
                let what = format!("{venue} {transport:?} seed {seed}");
                let mut world = ready(venue, transport);
                let mut rng = Rand64::new(u128::from(seed));
                let (mut placed, mut refused, mut answered) = (0, 0, 0);
                for _ in 0..3_000 {
                    // Bursts, then quiet; a minute and a half in all.
                    let quiet = rng.rand_range(0..20) == 0;
                    world.now = world.now + Nanos::from_millis(if quiet { 500 } else { 5 });
                    match rng.rand_range(0..16) {
                        0 => world.command(Command::OpenOrders).unwrap(),
                        1 => world.command(Command::Balances).unwrap(),
                        2 => world.command(Command::Rights).unwrap(),
                        3 => world.command(Command::CancelAll { instrument: INSTRUMENT }).unwrap(),
                        4 | 5 => world.tell(GatewayInput::Tick),
                        _ => {
                            let draft = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "20000", "0.001");
                            let urgent = rng.rand_range(0..4) == 0;
                            let urgency = if urgent { Urgency::Urgent } else { Urgency::Order };
                            match world.gateway.spend(&draft, urgency, world.now) {
                                Ok(()) => {
                                    world.send(&draft);
                                    placed += 1;
                                }
                                Err(limited) => {
                                    assert_eq!(limited, Limited("creates 1s"), "{what}");
                                    refused += 1;
                                }
                            }
                        }
                    }
                    let reports = no_limit(&mut world, &what);
                    answered += reports.iter().filter(|r| matches!(r, Report::Rights(_))).count();
                }
                // Nearly all that the venue allows in the time: ten or twenty a second.
                assert!(placed > 400 && refused > 150, "{what}: {placed} placed, {refused} refused");
                assert!(answered > 50, "{what}: {answered} questions answered");
            }
        }
    }
}

#[test]
fn what_others_of_the_account_use_is_left_to_them() {
    let mut world = ready("bybit.spot", Transport::Ws);
    let form = world.site.row().sim.request_key;
    let (key, credentials) = make_key(&mut Rand64::new(77), form, world.trader, trading_rights());
    world.exchange.add_key(key);
    let config = world.site.gateway_config(credentials, Transport::Rest);
    let mut other = world.site.row().gateway.unwrap()(&config).unwrap();
    // Another program orders 15 times in this second, and is told so; we are not.
    world.deaf = true;
    for _ in 0..15 {
        let draft = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "20000", "0.001");
        let mut bytes = OrderBytes::new();
        other.encode(&draft, world.now, &mut bytes).unwrap();
        world.deliver(&bytes);
    }
    world.deaf = false;
    let place = |world: &mut World| {
        let draft = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "20000", "0.001");
        let room = world.gateway.spend(&draft, Urgency::Order, world.now);
        if room.is_ok() {
            world.send(&draft);
        }
        no_limit(world, "after others");
        room
    };
    // The first answer tells of them, and no more is sent in this second.
    assert_eq!(place(&mut world), Ok(()));
    assert_eq!(place(&mut world), Err(Limited("creates 1s")));
    world.wait(Nanos::from_millis(1_300));
    assert_eq!(place(&mut world), Ok(()));
}

#[test]
fn a_refusal_by_the_limit_stops_what_it_counts_and_nothing_else() {
    let mut world = ready("bybit.linear", Transport::Ws);
    // Orders that are sent without asking: the eleventh is refused by the venue.
    for _ in 0..11 {
        let draft = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "20000", "0.001");
        world.send(&draft);
    }
    assert!(world.reports.iter().any(is_limit), "{:?}", world.told());
    world.reports.clear();
    let draft = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "20000", "0.001");
    assert_eq!(world.gateway.spend(&draft, Urgency::Urgent, world.now), Err(Limited("creates 1s")));
    world.command(Command::CancelAll { instrument: INSTRUMENT }).unwrap();
    assert!(world.told().iter().any(|told| told.starts_with("CancelledAll")));
    world.wait(Nanos::from_millis(1_300));
    assert_eq!(world.gateway.spend(&draft, Urgency::Order, world.now), Ok(()));
    world.gateway.refund(&draft, world.now);
    // An address that is locked out is silent for ten minutes, whatever is asked of it.
    world.tell(GatewayInput::Response {
        token: 999,
        status: 403,
        headers: &[],
        body: b"access too frequent",
    });
    let asked = world.requests;
    world.command(Command::Rights).unwrap();
    assert_eq!(world.gateway.spend(&draft, Urgency::Urgent, world.now), Err(Limited("pause")));
    world.wait(Nanos::from_secs(599));
    assert_eq!(world.requests, asked);
    world.wait(Nanos::from_secs(1));
    world.command(Command::Rights).unwrap();
    assert_eq!(world.requests, asked + 1);
    assert_eq!(world.gateway.spend(&draft, Urgency::Order, world.now), Ok(()));
}
