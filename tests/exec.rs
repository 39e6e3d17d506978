//! The executor against venues that fill, refuse, stay silent and misbehave.

#[path = "exec/legs.rs"]
mod legs;
#[path = "exec/quotes.rs"]
mod quotes;
#[path = "exec/world.rs"]
mod world;

use proptest::prelude::*;
use world::*;
use xarb::detect::Refused;
use xarb::exec::*;
use xarb::risk::{Detail, Refusal};
use xarb::types::*;
use xarb::venue::{Command, Form};

const QTY: i64 = 1_000_000;

#[test]
fn both_legs_leave_at_once_and_the_profit_is_the_ledgers() {
    let mut world = world();
    assert_eq!(world.fire(QTY), Ok(2));
    let sent: Vec<_> =
        world.desk.sent.iter().map(|(venue, draft)| (venue.0, draft.side, draft.qty.0)).collect();
    assert_eq!(sent, [(0, Side::Buy, QTY), (1, Side::Sell, QTY)]);
    let exposure = world.exec.exposure(BTC_USDT);
    assert_eq!((exposure.least, exposure.most), (-QTY, QTY), "either may fill without the other");
    world.step(5);
    assert_eq!(world.intent_outcomes(), [1, 0, 0, 0]);
    assert_eq!(world.net_btc(), Money::ZERO);
    world.assert_ledgers_agree("one trade");
    let now = world.now;
    let report = world.exec.report(&mut world.desk, now);
    // 602 - 600 less 0.1 % of both.
    assert_eq!(report.pnl, [(asset("USDT"), money("0.798"))]);
    assert_eq!(report.fees, [(asset("BTC"), Money::ZERO), (asset("USDT"), money("1.202"))]);
    assert_eq!(report.net_exposure[1], (asset("USDT"), money("0.798")));
    let venue = report.counts.venues[0];
    assert_eq!((venue.orders, venue.acks, venue.fills, venue.rejects), (1, 1, 1, 0));
    assert!(world.exec.is_idle() && world.desk.alerts.is_empty());
}

/// Every pair of fates of two legs: it ends even, or halted with an alert, and our books are the
/// venues' own.
#[test]
fn all_pairs_of_fates_end_flat_or_halted() {
    use Fate::*;
    let fates = [Fill, Half, Nothing, Refuse, FillSilently, Lose, Mute];
    for policy in [Policy::Flatten, Policy::Finish, Policy::Reverse] {
        for buy in fates {
            for sell in fates {
                let what = format!("{policy:?}: buy {buy:?}, sell {sell:?}");
                let mut config = config();
                config.hedge.policy = policy;
                let mut world = world_of(config);
                world.desk.venues[0].fates = vec![buy];
                world.desk.venues[1].fates = vec![sell];
                assert_eq!(world.fire(QTY), Ok(2), "{what}");
                world.step(35_000);
                let outcomes = world.intent_outcomes();
                assert_eq!(outcomes.iter().sum::<u64>(), 1, "{what}: one end");
                if buy == Mute || sell == Mute {
                    assert_eq!(outcomes[3], 1, "{what}");
                    assert!(world.exec.is_halted(BTC_USDT), "{what}");
                    assert!(!world.desk.alerts.is_empty(), "{what}");
                    // What is true lies within what we reckon with.
                    let exposure = world.exec.exposure(BTC_USDT);
                    let truth: i64 = world
                        .desk
                        .venues
                        .iter()
                        .map(|venue| {
                            (venue.balances[&asset("BTC")] - money("10")).to_scaled(Scale::DEFAULT).unwrap()
                        })
                        .sum();
                    assert!(
                        exposure.least <= truth && truth <= exposure.most,
                        "{what}: {exposure:?} {truth}"
                    );
                    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::Risk, "{what}");
                } else {
                    assert_eq!(outcomes[3], 0, "{what}");
                    assert_eq!(world.net_btc(), Money::ZERO, "{what}");
                    world.assert_ledgers_agree(&what);
                    assert!(world.exec.is_idle(), "{what}");
                    let hedged = world.desk.sent.len() > 2;
                    assert_eq!(outcomes[1] == 1, hedged, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_hedge_goes_where_its_policy_says_and_within_its_bound() {
    for (policy, venue, cents) in [
        // Bought too much: the better bid is on venue 1 in any case.
        (Policy::Flatten, 1, 6_013_980),
        (Policy::Finish, 1, 6_013_980),
        (Policy::Reverse, 0, 5_993_001),
    ] {
        let mut config = config();
        config.hedge.policy = policy;
        let mut world = world_of(config);
        world.desk.venues[1].fates = vec![Fate::Nothing];
        world.fire(QTY).unwrap();
        world.step(5);
        let (at, draft) = world.desk.sent[2];
        assert_eq!((at, draft.side, draft.qty), (VenueId(venue), Side::Sell, Qty(QTY)), "{policy:?}");
        assert_eq!(draft.price, Price(cents * 1_000_000), "{policy:?}");
        assert_eq!(draft.tif, Tif::Ioc);
        assert_eq!(world.intent_outcomes(), [0, 1, 0, 0]);
    }
}

#[test]
fn what_is_too_small_for_the_policys_venue_is_hedged_elsewhere() {
    let mut config = config();
    config.hedge.policy = Policy::Finish;
    config.markets[1].2.min_qty = Qty(QTY);
    let mut world = world_of(config);
    world.desk.venues[1].fates = vec![Fate::Half];
    world.fire(QTY).unwrap();
    world.step(5);
    let (at, draft) = world.desk.sent[2];
    assert_eq!((at, draft.side, draft.qty), (VenueId(0), Side::Sell, Qty(QTY / 2)));
    assert_eq!(world.intent_outcomes(), [0, 1, 0, 0]);
}

#[test]
fn a_hedge_that_closes_a_position_can_do_no_more() {
    for (policy, venue, reduce_only) in [(Policy::Reverse, 0, true), (Policy::Flatten, 1, false)] {
        let mut config = config();
        config.hedge.policy = policy;
        config.markets[0].2.contract.kind = ContractKind::Linear;
        let mut world = world_of(config);
        world.desk.venues[1].fates = vec![Fate::Nothing];
        world.fire(QTY).unwrap();
        assert!(world.desk.sent.iter().all(|(_, draft)| !draft.reduce_only), "legs may open");
        world.step(5);
        let (at, draft) = world.desk.sent[2];
        assert_eq!((at, draft.side, draft.qty), (VenueId(venue), Side::Sell, Qty(QTY)), "{policy:?}");
        assert_eq!(draft.reduce_only, reduce_only, "{policy:?}");
        let held = world.exec.ledger().contract(VenueId(0), BTC_USDT).qty;
        assert_eq!(held, Qty(if reduce_only { 0 } else { QTY }), "{policy:?}");
        assert_eq!(world.intent_outcomes(), [0, 1, 0, 0]);
    }
}

#[test]
fn positions_and_funding_are_told_and_kept() {
    let mut config = config();
    config.markets[0].2.contract.kind = ContractKind::Linear;
    let mut world = world_of(config);
    let usdt = world.exec.ledger().find(asset("USDT")).unwrap();
    let before = world.exec.ledger().position(VenueId(0), usdt);
    let funding = Report::Funding { asset: asset("USDT"), amount: money("-1.5"), at: world.now };
    let now = world.now;
    world.exec.on_report(VenueId(0), &funding, now, &mut world.desk);
    assert_eq!(world.exec.ledger().position(VenueId(0), usdt), before - money("1.5"));
    world.exec.check().unwrap();
    // A position that is ours is confirmed; one without its entry price is nothing to go by.
    world.fire(QTY).unwrap();
    world.step(5);
    let symbol = spec().symbol;
    let position = |qty, entry| Report::Position { symbol, qty: Qty(qty), entry };
    let (now, entry) = (world.now, Some(Price(6_000_000_000_000)));
    world.exec.on_report(VenueId(0), &position(QTY, entry), now, &mut world.desk);
    assert!(world.exec.ledger().contract_confirmed(VenueId(0), BTC_USDT, Nanos::ZERO));
    world.exec.on_report(VenueId(0), &position(3 * QTY, None), now, &mut world.desk);
    assert_eq!(world.exec.counts().malformed, 1, "no entry price");
}

#[test]
fn hedges_are_bounded_and_then_it_is_said() {
    // Refused every time: so many attempts, then a halt.
    let mut world = world();
    world.desk.venues[1].fates = vec![Fate::Nothing; 10];
    world.fire(QTY).unwrap();
    world.step(2_000);
    assert_eq!(world.desk.sent.len(), 2 + 3);
    assert_eq!(world.intent_outcomes(), [0, 0, 0, 1]);
    assert!(world.desk.alerts.iter().any(|alert| matches!(alert, Alert::Unhedged { .. })));
    assert!(world.exec.is_halted(BTC_USDT));
    assert_eq!(world.net_btc(), money("0.01"), "known, and kept in sight");
    // An operator lets it go on: what was left is hedged.
    world.desk.venues[1].fates.clear();
    let now = world.now;
    world.exec.resume(BTC_USDT, now);
    world.step(500);
    assert_eq!(world.net_btc(), Money::ZERO);

    // A market that ran away: no order at any price, and a halt in the end.
    let mut world = world_of(config());
    world.desk.venues[1].fates = vec![Fate::Nothing];
    world.fire(QTY).unwrap();
    let (first, second) = (quote(59_000, 59_010, world.now), quote(59_020, 59_030, world.now));
    (world.desk.venues[0].quote, world.desk.venues[1].quote) = (first, second);
    world.step(31_000);
    assert_eq!(world.desk.sent.len(), 2, "not sold 2 % below");
    assert_eq!(world.intent_outcomes(), [0, 0, 0, 1]);
}

#[test]
fn fees_in_the_base_asset_end_as_dust_that_is_hedged_once_there_is_enough() {
    let mut world = world();
    world.desk.venues[0].fee_in_base = true;
    for _ in 0..3 {
        world.fire(QTY).unwrap();
        world.step(300);
    }
    // 0.1 % of 0.01 each time: 0.00001, worth 0.6, below the minimum of 5.
    assert_eq!(world.net_btc(), money("-0.00003"));
    assert_eq!(world.intent_outcomes(), [3, 0, 0, 0]);
    assert_eq!(world.desk.sent.len(), 6, "dust is not chased");
    for _ in 0..20 {
        world.fire(QTY).unwrap();
        world.step(300);
    }
    assert!(world.net_btc().abs() <= money("0.0001"), "{}", world.net_btc());
    assert!(world.exec.counts().hedges >= 2);
    let now = world.now;
    let dust = world.exec.report(&mut world.desk, now).dust;
    assert_eq!(dust, [(asset("BTC"), world.net_btc())]);
    world.assert_ledgers_agree("dust");
}

#[test]
fn no_order_leaves_after_a_kill() {
    let mut world = world();
    let admitted = {
        let now = world.now;
        let admitted = world.exec.admit(&opportunity(QTY, now), now, &mut world.desk).unwrap();
        world.exec.prepare(admitted, now, &mut world.desk).unwrap()
    };
    world.exec.kill().clone().trip();
    let now = world.now;
    assert_eq!(world.exec.send(admitted, now, &mut world.desk), 0, "ready, recorded, and stopped");
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::Risk);
    world.step(1_000);
    assert!(world.desk.sent.is_empty());
    assert!(world.exec.is_idle());
    world.assert_ledgers_agree("killed");
    assert_eq!(world.exec.counts().venues[0].stopped, 1);

    // What was handed over and still waits for its turn on a connection is taken back.
    let mut world = world_of(config());
    world.fire(QTY).unwrap();
    world.exec.kill().clone().trip();
    let now = world.now;
    world.exec.tick(now, &mut world.desk);
    let sent: Vec<_> = world.desk.sent.iter().map(|(venue, draft)| (*venue, draft.client)).collect();
    assert_eq!(world.desk.withdrawn, sent);

    // Hedges do not leave either: the difference is told instead.
    let mut world = world_of(config());
    world.desk.venues[1].fates = vec![Fate::Nothing];
    world.fire(QTY).unwrap();
    world.exec.kill().clone().trip();
    world.step(31_000);
    assert_eq!(world.desk.sent.len(), 2);
    assert_eq!(world.intent_outcomes(), [0, 0, 0, 1]);
}

#[test]
fn lapsed_bytes_are_not_sent() {
    let mut world = world();
    let now = world.now;
    let admitted = world.exec.admit(&opportunity(QTY, now), now, &mut world.desk).unwrap();
    let prepared = world.exec.prepare(admitted, now, &mut world.desk).unwrap();
    let late = now + Nanos::from_millis(1_001);
    assert_eq!(world.exec.send(prepared, late, &mut world.desk), 0);
    assert!(world.desk.sent.is_empty() && world.exec.is_idle());
}

/// A detector gone mad, and venues that answer nothing: what leaves is bounded all the same.
#[test]
fn a_runaway_stays_within_its_budget_without_any_feedback() {
    let mut config = config();
    config.limits.orders_per_second = 10;
    config.limits.orders_burst = 8;
    config.limits.hedge_reserve = 2;
    let mut world = world_of(config);
    for venue in &mut world.desk.venues {
        venue.fates = vec![Fate::Mute; 20_000];
    }
    for i in 0..10_000 {
        let now = world.now + Nanos(i * 100_000);
        let _ = world.exec.on_opportunity(&opportunity(QTY, now), now, &mut world.desk);
    }
    assert_eq!(world.desk.sent.len(), 2, "one intent of a direction");
    assert_eq!(world.exec.counts().intents, 1);

    // Even if every intent ended at once, the bucket holds.
    let mut config = world::config();
    config.limits.orders_per_second = 10;
    config.limits.orders_burst = 8;
    config.limits.hedge_reserve = 2;
    let mut world = world_of(config);
    for i in 0..10_000 {
        let now = world.now + Nanos(i * 100_000);
        for venue in &mut world.desk.venues {
            venue.quote.as_mut().unwrap().at = now;
        }
        let _ = world.exec.on_opportunity(&opportunity(QTY, now), now, &mut world.desk);
        for at in 0..2 {
            for report in std::mem::take(&mut world.desk.venues[at].news) {
                world.exec.on_report(VenueId(at as u8), &report, now, &mut world.desk);
            }
        }
    }
    assert!(world.desk.sent.len() <= 8 + 10, "{}", world.desk.sent.len());
    assert!(world.desk.sent.len() >= 14);
}

#[test]
fn a_venue_that_misbehaves_is_frozen_and_the_evidence_kept() {
    type Forge = fn(&mut Report);
    let forgeries: [(Forge, Misconduct); 4] = [
        (
            |r| {
                if let Report::Filled { qty, .. } = r {
                    qty.0 *= 2
                }
            },
            Misconduct::Overfill,
        ),
        (
            |r| {
                if let Report::Filled { price, .. } = r {
                    price.0 += 100 * E8
                }
            },
            Misconduct::WorsePrice,
        ),
        (
            |r| {
                if let Report::Filled { side, .. } = r {
                    *side = Side::Sell
                }
            },
            Misconduct::WrongSide,
        ),
        (
            |r| {
                if let Report::Filled { symbol, .. } = r {
                    *symbol = Symbol::EMPTY
                }
            },
            Misconduct::WrongSymbol,
        ),
    ];
    for (forge, want) in forgeries {
        let mut world = world();
        world.fire(QTY).unwrap();
        for report in &mut world.desk.venues[0].news {
            forge(report);
        }
        world.step(5);
        assert_eq!(world.exec.evidence().len(), 1, "{want:?}");
        assert_eq!((world.exec.evidence()[0].0, world.exec.evidence()[0].1), (VenueId(0), want));
        assert!(matches!(world.desk.alerts[0], Alert::Frozen { venue: VenueId(0), why, .. } if why == want));
        world.step(31_000);
        assert!(world.desk.sent.iter().skip(2).all(|(venue, _)| *venue != VenueId(0)), "{want:?}");
    }

    // News of orders that we never sent: with our tag it is misconduct, without it it is foreign.
    let mut world = world();
    world.fire(QTY).unwrap();
    let never = {
        let mut ids = Ids::new(Environment::Sim, 1, &[7; 32]);
        (0..20).map(|_| ids.take(0)).last().unwrap()
    };
    let (now, venue_ref) = (world.now, VenueRef::new("x").unwrap());
    let accepted = |client| Report::Accepted { client, venue_ref, at: now };
    world.exec.on_report(VenueId(1), &accepted(ClientId::from_bits(5)), now, &mut world.desk);
    assert!(matches!(world.desk.alerts[..], [Alert::Foreign { venue: VenueId(1), .. }]));
    world.exec.on_report(VenueId(1), &accepted(never), now, &mut world.desk);
    assert!(matches!(world.desk.alerts[1], Alert::Frozen { why: Misconduct::NeverSent, .. }));
    // An order of venue 0 that venue 1 speaks of.
    let client = world.desk.sent[0].1.client;
    world.exec.on_report(VenueId(1), &accepted(client), now, &mut world.desk);
    assert_eq!(world.exec.evidence()[1].1, Misconduct::WrongVenue);
}

/// What a venue says of an order of another venue's changes nothing there, and neither does an amendment
/// that nobody asked for, or a sum that no account has.
#[test]
fn what_a_venue_has_no_say_in_stays_as_it_is() {
    let forged = |world: &World, what: usize| {
        let [buy, sell] = [0, 1].map(|at| world.desk.sent[at].1);
        let (client, code) = (buy.client, VenueRef::new("-2010").unwrap());
        let amended = |price: i64, qty: i64| Report::Amended {
            client: sell.client,
            price: Price(sell.price.0 + price),
            qty: Qty(sell.qty.0 + qty),
        };
        let asset = Asset::new("BTC").unwrap();
        match what {
            0 => (
                Report::OrderError { client, class: Class::Refused, code, retry_at: None },
                Misconduct::WrongVenue,
            ),
            1 => (Report::NotFound { client }, Misconduct::WrongVenue),
            2 => (amended(0, 1), Misconduct::Amended),
            3 => (amended(-1, 0), Misconduct::Amended),
            4 => (Report::Balance { asset, free: Money(i128::MAX / 2), locked: None }, Misconduct::Absurd),
            _ => (Report::Funding { asset, amount: Money(-i128::MAX), at: world.now }, Misconduct::Absurd),
        }
    };
    for what in 0..6 {
        let mut world = world();
        world.fire(QTY).unwrap();
        let (report, why) = forged(&world, what);
        let now = world.now;
        world.exec.on_report(VenueId(1), &report, now, &mut world.desk);
        assert_eq!(world.exec.evidence().len(), 1, "{report:?}");
        assert_eq!((world.exec.evidence()[0].0, world.exec.evidence()[0].1), (VenueId(1), why), "{report:?}");
        for at in 0..2 {
            let sent = world.desk.sent[at].1;
            let order = world.exec.orders().order(sent.client).unwrap();
            assert_eq!((order.draft, order.state()), (sent, OrderState::Sent), "{report:?}");
        }
        world.step(31_000);
        world.assert_ledgers_agree(why.to_string().as_str());
    }
    // Of an order that is over nothing is taken at all.
    let mut world = world();
    world.fire(QTY).unwrap();
    world.step(50);
    let (sent, now) = (world.desk.sent[0].1, world.now);
    let report = Report::Amended { client: sent.client, price: sent.price, qty: Qty(2 * sent.qty.0) };
    world.exec.on_report(VenueId(0), &report, now, &mut world.desk);
    let order = world.exec.orders().order(sent.client).unwrap();
    assert_eq!(
        (order.draft.qty, order.state(), world.exec.evidence().len()),
        (sent.qty, OrderState::Filled, 0)
    );
}

#[test]
fn a_lost_session_puts_its_orders_in_doubt_until_the_venue_tells() {
    let mut world = world();
    world.desk.venues[0].fates = vec![Fate::FillSilently];
    world.fire(QTY).unwrap();
    let now = world.now;
    world.exec.on_report(VenueId(0), &Report::Down("closed"), now, &mut world.desk);
    assert_eq!(world.exec.orders().unknown(), 1);
    assert!(matches!(world.desk.alerts[0], Alert::Unknown { venue: VenueId(0), .. }));
    world.step(10);
    assert_eq!(world.exec.orders().unknown(), 0, "asked at once, and answered");
    assert_eq!(world.intent_outcomes(), [1, 0, 0, 0]);
    world.assert_ledgers_agree("session lost");
}

#[test]
fn not_found_ends_an_order_only_after_its_window_and_with_balances_that_agree() {
    let mut world = world();
    world.desk.venues[0].fates = vec![Fate::Lose];
    world.desk.venues[1].fates = vec![Fate::Nothing];
    world.fire(QTY).unwrap();
    world.step(11_000);
    assert_eq!(world.exec.orders().unknown(), 1, "the venue may still take it");
    world.step(6_000);
    assert_eq!(world.intent_outcomes(), [1, 0, 0, 0]);
    world.assert_ledgers_agree("lost");

    // The venue's balances say that something happened: not found is not believed.
    let mut world = world_of(config());
    world.desk.venues[0].fates = vec![Fate::Lose];
    world.desk.venues[1].fates = vec![Fate::Nothing];
    *world.desk.venues[0].balances.get_mut(&asset("BTC")).unwrap() += money("0.01");
    world.fire(QTY).unwrap();
    world.step(29_000);
    assert_eq!(world.exec.orders().unknown(), 1);
}

#[test]
fn a_send_that_fails_is_no_order() {
    for (outcome, unknown) in [(SendOutcome::NotSent, 0), (SendOutcome::Unclear, 1)] {
        let mut world = world();
        world.desk.venues[0].outcome = outcome;
        let left = world.fire(QTY).unwrap();
        assert_eq!(left, 1 + unknown, "{outcome:?}");
        assert_eq!(world.exec.orders().unknown(), unknown);
        world.desk.venues[0].outcome = SendOutcome::Sent;
        world.step(3_000);
        assert_eq!(world.net_btc(), Money::ZERO, "{outcome:?}: finished or undone");
        world.assert_ledgers_agree("failed send");
        assert!(world.exec.is_idle());
    }
}

#[test]
fn a_venue_that_asks_us_to_wait_is_obeyed() {
    let mut world = world();
    world.fire(QTY).unwrap();
    world.step(5);
    let now = world.now;
    let error = Report::OrderError {
        client: ClientId::from_bits(0),
        class: Class::Throttled,
        code: VenueRef::new("429").unwrap(),
        retry_at: Some(now + Nanos::from_secs(5)),
    };
    world.exec.on_report(VenueId(1), &error, now, &mut world.desk);
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::NotReady);
    world.step(5_000);
    assert!(world.fire(QTY).is_ok());
    world.step(5);
    // A key that is refused stops the venue for good.
    let code = VenueRef::new("-2015").unwrap();
    let halt =
        Report::OrderError { client: ClientId::from_bits(0), class: Class::Halt, code, retry_at: None };
    let now = world.now;
    world.exec.on_report(VenueId(1), &halt, now, &mut world.desk);
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::Risk);
    assert!(matches!(world.desk.alerts[0], Alert::KeyRefused { venue: VenueId(1), .. }));
}

#[test]
fn an_order_that_would_break_a_limit_is_refused_by_name_and_takes_nothing() {
    let mut world = world();
    (world.desk.venues[0].room, world.desk.venues[1].room) = (Some(5), Some(1));
    world.fire(QTY).unwrap();
    world.step(2_000);
    let room = |world: &World| [world.desk.venues[0].room, world.desk.venues[1].room];
    assert_eq!(room(&world), [Some(4), Some(0)]);
    for _ in 0..3 {
        let refusal = world.fire(QTY).unwrap_err();
        let want = Refusal::at(Refused::Risk, Detail::RateLimit, VenueId(1));
        assert_eq!((refusal, room(&world)), (want, [Some(4), Some(0)]));
        assert!(world.exec.is_idle());
        world.step(2_000);
    }
    world.desk.venues[1].room = None;
    assert_eq!(world.fire(QTY), Ok(2));
}

#[test]
fn a_hedge_that_a_limit_has_no_room_for_waits_and_is_not_a_try() {
    let mut world = world();
    // Many more tries than there are: each would have its turn in these two seconds.
    world.desk.venues[1].fates = vec![Fate::Nothing];
    world.fire(QTY).unwrap();
    (world.desk.venues[0].room, world.desk.venues[1].room) = (Some(0), Some(0));
    world.step(2_000);
    assert_eq!((world.desk.sent.len(), world.net_btc()), (2, money("0.01")));
    assert_eq!(world.intent_outcomes(), [0; 4], "still to be hedged");
    (world.desk.venues[0].room, world.desk.venues[1].room) = (Some(1), Some(1));
    world.step(500);
    assert_eq!((world.desk.sent.len(), world.net_btc()), (3, Money::ZERO));
    assert_eq!(world.intent_outcomes(), [0, 1, 0, 0]);
    let room: u32 = world.desk.venues.iter().filter_map(|venue| venue.room).sum();
    assert_eq!(room, 1, "one order was counted once");
    // Where there never is room, the intent's own time ends it, and somebody is told.
    world.desk.venues[1].fates = vec![Fate::Nothing];
    (world.desk.venues[0].room, world.desk.venues[1].room) = (Some(1), Some(1));
    world.fire(QTY).unwrap();
    world.step(31_000);
    assert_eq!(world.intent_outcomes(), [0, 1, 0, 1]);
    assert!(world.desk.alerts.iter().any(|alert| matches!(alert, Alert::Overdue { .. })));
}

#[test]
fn drift_is_asked_about_told_and_stops_new_orders_there() {
    let mut world = world();
    world.fire(QTY).unwrap();
    world.step(300);
    *world.desk.venues[0].balances.get_mut(&asset("BTC")).unwrap() += money("1");
    world.desk.commands.push((VenueId(0), Command::Balances));
    world.step(500);
    let drifts: Vec<_> = world.desk.alerts.iter().filter(|alert| matches!(alert, Alert::Drift(_))).collect();
    assert_eq!(drifts.len(), 1, "{drifts:?}");
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::Risk);
    assert_eq!(world.net_btc(), Money::ZERO, "not absorbed");
    // Put right again, it may trade again.
    *world.desk.venues[0].balances.get_mut(&asset("BTC")).unwrap() -= money("1");
    world.desk.commands.push((VenueId(0), Command::Balances));
    world.step(500);
    assert!(world.fire(QTY).is_ok());
}

#[test]
fn orders_signed_ahead_are_used_once_and_renewed() {
    let mut world = world();
    for venue in &mut world.desk.venues {
        venue.form = Form::Signed;
    }
    world.fire(QTY).unwrap(); // tells which size is likely
    world.step(100);
    let now = world.now;
    let before = world.exec.report(&mut world.desk, now).pool;
    assert_eq!((before.hits, before.misses), (0, 2));
    assert!(before.signed >= 8, "{before:?}");
    world.fire(QTY).unwrap();
    world.step(100);
    let now = world.now;
    let after = world.exec.report(&mut world.desk, now).pool;
    assert_eq!((after.hits, after.misses), (2, 2), "both legs were ready");
    world.step(3_000);
    let now = world.now;
    let later = world.exec.report(&mut world.desk, now).pool;
    assert!(later.lapses >= 20 && later.signed > after.signed, "{later:?}");
    world.fire(QTY).unwrap();
    world.step(100);
    assert_eq!(world.desk.sent.len(), 6);
    world.assert_ledgers_agree("signed ahead");
}

#[test]
fn orders_begun_ahead_are_completed_once_and_retired_with_their_session() {
    let mut world = world();
    world.desk.venues[0].begins = true;
    world.exec.on_report(VenueId(0), &Report::Down("a new session"), world.now, &mut world.desk);
    world.exec.on_report(VenueId(0), &Report::Ready, world.now, &mut world.desk);
    world.exec.on_report(VenueId(0), &Report::Streaming, world.now, &mut world.desk);
    let idle = |world: &mut World| while world.exec.idle(world.now, &mut world.desk) {};
    idle(&mut world);
    let waiting = world.desk.venues[0].begun;
    assert!(waiting > 2 && waiting.is_multiple_of(2), "{waiting}: as many buys as sells");
    for turn in 1..=10 {
        assert_eq!(world.fire(100_000), Ok(2), "turn {turn}");
        assert_eq!(world.desk.venues[0].completed, turn, "one a buy there");
        assert_eq!(world.desk.venues[1].completed, 0, "that venue's cannot be begun");
        world.step(5);
        idle(&mut world);
        assert_eq!(world.desk.venues[0].begun, waiting + turn, "one for the one that went");
    }
    let now = world.now;
    let pool = world.exec.report(&mut world.desk, now).pool;
    assert_eq!(pool.guessed, 9, "the touch in the size of before, from the second order on");
    let ids: std::collections::BTreeSet<_> = world.desk.sent.iter().map(|(_, draft)| draft.client).collect();
    assert_eq!(ids.len(), world.desk.sent.len(), "no id twice");
    world.exec.on_report(VenueId(0), &Report::Down("gone"), world.now, &mut world.desk);
    idle(&mut world);
    assert_eq!(world.desk.venues[0].begun, 2 * waiting + 10, "all begun anew");
    assert_eq!(world.exec.check(), Ok(()));
}

#[test]
fn the_same_run_writes_the_same_journal() {
    let run = || {
        let mut world = world();
        world.desk.venues[0].fates = vec![Fate::Half, Fate::FillSilently, Fate::Refuse];
        world.desk.venues[1].fates = vec![Fate::Fill, Fate::Lose, Fate::Nothing];
        for _ in 0..4 {
            let _ = world.fire(QTY);
            world.step(20_000);
        }
        let now = world.now;
        let report = world.exec.report(&mut world.desk, now);
        (report.journal_sha256, report.journal_records)
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.1 > 30);
}

#[test]
fn draining_opens_nothing_and_ends_what_is_open() {
    let mut world = world();
    world.desk.venues[1].fates = vec![Fate::Half];
    world.fire(QTY).unwrap();
    world.exec.drain();
    let now = world.now;
    assert!(!world.exec.is_drained(now, &mut world.desk));
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::Risk);
    world.step(300);
    let now = world.now;
    assert!(world.exec.is_drained(now, &mut world.desk));
    assert_eq!(world.net_btc(), Money::ZERO);
}

/// No order byte without its record before it, in the journal as it would be on disk.
#[test]
fn every_order_sent_stands_in_the_journal_before_it_was_sent() {
    let mut world = world();
    world.desk.venues[1].fates = vec![Fate::Half, Fate::Fill];
    world.fire(QTY).unwrap();
    world.step(50);
    let sent: Vec<_> = world.desk.sent.iter().map(|(_, draft)| draft.client).collect();
    assert_eq!(sent.len(), 3);
    world.exec.journal().catch_up();
    let records: Vec<_> =
        world.exec.journal().kept().unwrap().chunks(JOURNAL_RECORD).map(<[u8]>::to_vec).collect();
    let position = |kind: RecordKind, client: ClientId| {
        records.iter().position(|r| r[0] == kind as u8 && r[24..40] == client.bits().to_le_bytes()).unwrap()
    };
    for client in sent {
        assert!(position(RecordKind::Order, client) < position(RecordKind::Sent, client));
        let record = &records[position(RecordKind::Order, client)];
        let order = world.exec.orders().order(client).unwrap().draft;
        assert_eq!(record[48..56], order.price.0.to_le_bytes());
        assert_eq!(record[56..64], order.qty.0.to_le_bytes());
    }
}

/// Acknowledgement, two fills, the end, and each of them once more: in every order they lead to the
/// same state, position and profit.
#[test]
fn news_in_any_order_gives_the_same_end() {
    for (second, state) in [(QTY / 2, OrderState::Filled), (QTY / 4, OrderState::Cancelled)] {
        let mut orders = vec![];
        permute(&mut vec![0, 1, 2, 3, 4, 5], 0, &mut orders);
        assert_eq!(orders.len(), 720);
        for order in orders {
            let mut world = world();
            world.fire(QTY).unwrap();
            let (client, now) = (world.desk.sent[0].1.client, world.now);
            world.desk.venues[0].news.clear();
            let fill = |trade: &str, qty| Report::Filled {
                client,
                venue_ref: VenueRef::EMPTY,
                trade: VenueRef::new(trade).unwrap(),
                symbol: Symbol::new("BTCUSDT").unwrap(),
                side: Side::Buy,
                price: Price(60_000 * E8),
                qty: Qty(qty),
                total: None,
                fee: money("0.3"),
                fee_asset: asset("USDT"),
                at: now,
            };
            let ended = Report::Ended { client, state, filled: Some(Qty(QTY / 2 + second)), at: now };
            let news = [
                Report::Accepted { client, venue_ref: VenueRef::EMPTY, at: now },
                fill("a", QTY / 2),
                fill("b", second),
                ended.clone(),
                fill("a", QTY / 2),
                ended,
            ];
            for at in &order {
                world.exec.on_report(VenueId(0), &news[*at], now, &mut world.desk);
            }
            let end = world.exec.orders().order(client).unwrap();
            assert_eq!((end.state(), end.filled()), (state, Qty(QTY / 2 + second)), "{order:?}");
            let usdt = world.exec.ledger().find(asset("USDT")).unwrap();
            let spent = money("500000") - world.exec.ledger().position(VenueId(0), usdt);
            let value = Money::notional(Price(60_000 * E8), Qty(QTY / 2 + second), Scale::DEFAULT).unwrap();
            assert_eq!(spent, value + money("0.6"), "{order:?}");
            assert_eq!(world.exec.ledger().held(VenueId(0), usdt), Money::ZERO, "{order:?}");
            assert!(world.exec.evidence().is_empty(), "{order:?}");
            assert_eq!(world.exec.counts().venues[0].fills, 2, "{order:?}");
        }
    }
}

fn permute(items: &mut Vec<usize>, from: usize, out: &mut Vec<Vec<usize>>) {
    if from == items.len() {
        out.push(items.clone());
        return;
    }
    for at in from..items.len() {
        items.swap(from, at);
        permute(items, from + 1, out);
        items.swap(from, at);
    }
}

/// A fill that a venue only tells after the intent ended is booked and hedged all the same.
#[test]
fn a_late_fill_is_hedged_on_its_own() {
    let mut config = config();
    config.hedge.life = Nanos::from_secs(2);
    let mut world = world_of(config);
    world.desk.venues[0].fates = vec![Fate::Mute];
    world.desk.venues[1].fates = vec![Fate::Nothing];
    world.fire(QTY).unwrap();
    world.step(3_000);
    assert_eq!(world.intent_outcomes(), [0, 0, 0, 1]);
    for placed in world.desk.venues[0].placed.values_mut() {
        placed.mute = false;
    }
    world.step(5_000);
    assert_eq!(world.net_btc(), money("0.01"), "booked, but the instrument is halted");
    let now = world.now;
    world.exec.resume(BTC_USDT, now);
    world.step(500);
    assert_eq!(world.net_btc(), Money::ZERO);
    world.assert_ledgers_agree("late fill");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever venues do with the orders, time after time: books agree, exposure is bounded, and
    /// all is even or halted.
    #[test]
    fn any_run_of_fates_ends_even_or_halted(
        buys in proptest::collection::vec(0usize..6, 1..12),
        sells in proptest::collection::vec(0usize..6, 1..12),
        sizes in proptest::collection::vec(10_000i64..3_000_000, 6),
        base_fee: bool,
    ) {
        use Fate::*;
        let fates = [Fill, Half, Nothing, Refuse, FillSilently, Lose];
        let mut world = world();
        world.desk.venues[0].fates = buys.iter().map(|at| fates[*at]).collect();
        world.desk.venues[1].fates = sells.iter().map(|at| fates[*at]).collect();
        world.desk.venues[0].fee_in_base = base_fee;
        for size in sizes {
            let _ = world.fire(size / 1_000 * 1_000);
            world.step(200);
            let exposure = world.exec.exposure(BTC_USDT);
            prop_assert!(exposure.least <= exposure.most && exposure.worst() < 10 * 3_000_000);
        }
        world.step(40_000);
        prop_assert!(world.exec.is_idle());
        world.assert_ledgers_agree("random fates");
        let left = world.net_btc();
        let dust = left.abs() < money("0.0001");
        prop_assert!(dust || world.exec.is_halted(BTC_USDT), "{left} left");
        prop_assert!(world.exec.evidence().is_empty());
    }
}
