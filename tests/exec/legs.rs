//! Intents of three and four legs: what the pair does, they do.

use super::world::*;
use super::{Fate, Side};
use proptest::prelude::*;
use xarb::detect::Refused;
use xarb::types::*;

const QTY: i64 = 1_000_000;

#[test]
fn all_legs_leave_at_once_and_the_profit_is_the_ledgers() {
    for (venues, orders, profit) in [(3, 3, "1.54595"), (4, 4, "1.496")] {
        let mut world = world_of(config_of(venues));
        assert_eq!(world.fire_many(QTY), Ok(orders));
        let exposure = world.exec.exposure(BTC_USDT);
        assert_eq!((exposure.least, exposure.most), (-2 * QTY, 2 * QTY), "either side may fill alone");
        world.step(5);
        assert_eq!(world.intent_outcomes(), [1, 0, 0, 0]);
        assert_eq!(world.net_btc(), Money::ZERO);
        world.assert_ledgers_agree("one trade");
        let now = world.now;
        let report = world.exec.report(&mut world.desk, now);
        assert_eq!(report.pnl, [(asset("USDT"), money(profit))], "{venues}");
        assert!(world.exec.is_idle() && world.desk.alerts.is_empty());
    }
}

/// Fates of three legs: it ends even, or halted with an alert, and our books are the venues' own.
#[test]
fn all_fates_of_three_legs_end_flat_or_halted() {
    use Fate::*;
    let fates = [Fill, Half, Nothing, Refuse, FillSilently, Lose, Mute];
    for at in 0..fates.len().pow(3) {
        let of = |place: u32| fates[at / fates.len().pow(place) % fates.len()];
        let own = [of(0), of(1), of(2)];
        // Orders that nobody speaks of take half a minute: one at a time, beside two of a kind.
        let (quiet, rest): (Vec<Fate>, Vec<Fate>) = own.iter().partition(|fate| matches!(fate, Lose | Mute));
        if quiet.len() > 1 || (quiet.len() == 1 && rest[0] != rest[1]) {
            continue;
        }
        let mut world = world_of(config_of(3));
        for (venue, fate) in world.desk.venues.iter_mut().zip(own) {
            venue.fates = vec![fate];
        }
        assert_eq!(world.fire_many(QTY), Ok(3), "{own:?}");
        world.step(if quiet.is_empty() { 3_000 } else { 31_000 });
        must_be_even_or_halted(&world, own.contains(&Mute), &format!("{own:?}"));
        assert_eq!(world.intent_outcomes().iter().sum::<u64>(), 1, "{own:?}: one end");
    }
}

#[track_caller]
fn must_be_even_or_halted(world: &World, mute: bool, what: &str) {
    let halted = world.exec.is_halted(BTC_USDT);
    assert_eq!(halted, mute, "{what}: {:?}", world.desk.alerts);
    if halted {
        assert!(!world.desk.alerts.is_empty(), "{what}");
        let exposure = world.exec.exposure(BTC_USDT);
        let btc = |venue: &FakeVenue| (venue.balances[&asset("BTC")] - money("10")).to_scaled(Scale::DEFAULT);
        let truth: i64 = world.desk.venues.iter().map(|venue| btc(venue).unwrap()).sum();
        assert!(exposure.least <= truth && truth <= exposure.most, "{what}: {exposure:?} {truth}");
    } else {
        assert_eq!(world.net_btc(), Money::ZERO, "{what}");
        world.assert_ledgers_agree(what);
        assert!(world.exec.is_idle(), "{what}");
    }
}

#[test]
fn one_leg_that_cannot_be_sent_keeps_all_of_them() {
    let mut world = world_of(config_of(4));
    world.desk.venues[3].ready = false;
    assert_eq!(world.fire_many(QTY).unwrap_err().reason, Refused::NotReady);
    assert!(world.desk.sent.is_empty() && world.exec.is_idle());
    world.desk.venues[3].ready = true;
    assert_eq!(world.fire_many(QTY), Ok(4));
    world.step(50);
    assert_eq!(world.fire(QTY), Ok(2), "a part of the direction is free again once it ended");
    world.step(50);
    world.assert_ledgers_agree("after");
}

#[test]
fn a_direction_overlaps_with_its_parts_while_it_is_open() {
    let mut world = world_of(config_of(4));
    world.desk.venues[0].fates = vec![Fate::Mute];
    assert_eq!(world.fire_many(QTY), Ok(4));
    assert_eq!(world.fire(QTY).unwrap_err().reason, Refused::InFlight);
    let sides: Vec<_> = world.desk.sent.iter().map(|(venue, draft)| (venue.0, draft.side)).collect();
    assert_eq!(sides, [(0, Side::Buy), (2, Side::Buy), (1, Side::Sell), (3, Side::Sell)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Four legs, whatever the venues do with them time after time.
    #[test]
    fn any_run_of_fates_of_four_legs_ends_even_or_halted(
        fates in prop::collection::vec(prop::collection::vec(0usize..6, 1..8), 4),
        sizes in prop::collection::vec(10_000i64..2_000_000, 4),
        base_fee: bool,
    ) {
        use Fate::*;
        let kinds = [Fill, Half, Nothing, Refuse, FillSilently, Lose];
        let mut world = world_of(config_of(4));
        for (venue, own) in world.desk.venues.iter_mut().zip(&fates) {
            venue.fates = own.iter().map(|at| kinds[*at]).collect();
        }
        world.desk.venues[0].fee_in_base = base_fee;
        for size in sizes {
            let _ = world.fire_many(size / 1_000 * 1_000);
            world.step(200);
            let exposure = world.exec.exposure(BTC_USDT);
            prop_assert!(exposure.least <= exposure.most && exposure.worst() < 40_000_000);
        }
        world.step(40_000);
        prop_assert!(world.exec.is_idle());
        world.assert_ledgers_agree("random fates");
        let left = world.net_btc();
        prop_assert!(left.abs() < money("0.0001") || world.exec.is_halted(BTC_USDT), "{left} left");
        prop_assert!(world.exec.evidence().is_empty());
    }
}
