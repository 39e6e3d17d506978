//! The gateway keeps within the venue's limits by itself: the venue's own end, which counts as the
//! venue does, never has to refuse anything.

use oorandom::Rand64;
use xarb::types::{Class, InstrumentId, Nanos, Report, Side, Tif};
use xarb::venue::{Command, GatewayInput, RequestId, ServerInput, ServerOut, Transport, Urgency};

use crate::dialogue::{ED25519, HMAC};
use crate::trading::World;

const ONE: i64 = 100_000_000;

/// Whatever says that a limit was hit.
fn is_limit(report: &Report) -> bool {
    match report {
        Report::OrderError { class, .. } | Report::CancelError { class, .. } => {
            matches!(class, Class::Throttled | Class::Halt)
        }
        Report::Malformed(text) => text.contains("-1003") || text.contains("-1015"),
        _ => false,
    }
}

#[test]
fn a_storm_of_orders_and_questions_hits_no_limit() {
    for (venue, transport, key, qty) in [
        ("binance.spot", Transport::Ws, ED25519, ONE / 100),
        ("binance.spot", Transport::Rest, HMAC, ONE / 100),
        ("binance.usdm", Transport::Ws, ED25519, ONE / 100),
        ("binance.coinm", Transport::Ws, ED25519, ONE),
    ] {
        for seed in 1..=3u64 {
            let mut world = World::at(venue, transport, key);
            let mut rng = Rand64::new(u128::from(seed));
            let (mut placed, mut refused, mut answered) = (0, 0, 0);
            let instrument = InstrumentId(0);
            for _ in 0..6_000 {
                // Bursts, then quiet; three minutes in all.
                let quiet = rng.rand_range(0..20) == 0;
                world.now = world.now + Nanos::from_millis(if quiet { 500 } else { 5 });
                match rng.rand_range(0..12) {
                    0 => world.command(Command::OpenOrders),
                    1 => world.command(Command::Balances),
                    2 => world.command(Command::Fees { instrument }),
                    3 => world.tell(GatewayInput::Tick),
                    _ => {
                        let draft = world.draft(Tif::Ioc, Side::Buy, 20_000 * ONE, qty);
                        let urgency =
                            if rng.rand_range(0..4) == 0 { Urgency::Urgent } else { Urgency::Order };
                        match world.gateway.spend(&draft, urgency, world.now) {
                            Ok(()) => {
                                world.place(&draft, Nanos::ZERO);
                                placed += 1;
                            }
                            Err(_) => refused += 1,
                        }
                    }
                }
                let reports = world.take();
                let hit = reports.iter().find(|report| is_limit(report));
                assert_eq!(hit, None, "{venue} {transport:?} seed {seed}");
                answered += reports.iter().filter(|r| matches!(r, Report::Balance { .. })).count();
            }
            // Both were near their limits: 50 orders in ten seconds until another number is told.
            let least = if transport == Transport::Rest { 400 } else { 1_500 };
            assert!(
                placed > least && refused > 300,
                "{venue} {transport:?}: {placed} placed, {refused} refused"
            );
            assert!(answered > 0, "{venue} {transport:?}: {answered} questions answered");
        }
    }
}

#[test]
fn what_others_of_the_same_address_spend_is_left_to_them() {
    let mut world = World::at("binance.spot", Transport::Rest, HMAC);
    let mut out = Vec::new();
    // Snapshots of someone else: 5,750 of the minute's 6,000.
    for number in 0..23 {
        let target = "/api/v3/depth?symbol=BTCUSDT&limit=5000";
        let (id, method, peer) = (RequestId(1_000_000 + number), "GET", "10.0.0.1:5555");
        world.ask(ServerInput::Request { id, method, target, headers: &[], body: b"", peer }, &mut out);
    }
    let fine = |answer: &ServerOut| matches!(answer, ServerOut::Response { status: 200, .. });
    assert!(out.iter().all(fine));
    world.take();
    // The first answer tells of them; what would be too much then waits for the next minute.
    let mut told = 0;
    for _ in 0..20 {
        world.command(Command::OpenOrders);
        let reports = world.take();
        assert_eq!(reports.iter().find(|report| is_limit(report)), None);
        told += reports.iter().filter(|report| matches!(report, Report::OpenOrdersEnd { .. })).count();
    }
    assert_eq!(told, 1);
    // Cancels have more room than questions, and do not wait behind them.
    world.command(Command::CancelAll { instrument: InstrumentId(0) });
    assert!(world.take().iter().any(|report| matches!(report, Report::CancelledAll { .. })));
    for second in 0..60 {
        world.wait(Nanos::from_secs(1));
        let reports = world.take();
        assert_eq!(reports.iter().find(|report| is_limit(report)), None, "{second}");
    }
    world.command(Command::OpenOrders);
    assert!(world.take().iter().any(|report| matches!(report, Report::OpenOrdersEnd { .. })));
}
