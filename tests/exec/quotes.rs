//! Legs that are paid in different assets: what the executor asks of the rate between them.

use super::world::*;
use super::{Fate, Side};
use xarb::detect::{BookSlot, RateBook, RatePlan, Refused};
use xarb::risk::{Detail, Quote, Refusal};
use xarb::types::*;

const QTY: i64 = 1_000_000;
const RATE: usize = 2;

/// Bitcoin in USDT on venue 0 and in USD on venue 1; venue 2 only tells what a USDT is in USD.
fn dollars() -> World {
    let mut config = config_of(3);
    let usd = asset("USD");
    let priced = |spec: InstrumentSpec| InstrumentSpec {
        quote: usd,
        contract: Contract::spot(usd, Scale::DEFAULT),
        ..spec
    };
    config.markets[1].2 = priced(spec());
    let rate =
        InstrumentSpec { base: asset("USDT"), symbol: Symbol::new("USDTUSD").unwrap(), ..priced(spec()) };
    config.markets[2] = (VenueId(2), InstrumentId(1), rate, FeeRate(0));
    config.rates = Some(RatePlan {
        common: usd,
        books: vec![RateBook {
            base: asset("USDT"),
            quote: usd,
            scale: Scale::DEFAULT,
            haircut: FeeRate(10_000),
            max_age: Nanos::from_millis(100),
            slot: BookSlot(2),
            venue: VenueId(2),
            instrument: InstrumentId(1),
        }],
    });
    let mut world = world_of(config);
    world.desk.venues[1].paid_in = "USD";
    let balances = [(asset("BTC"), money("10")), (usd, money("500000"))];
    world.desk.venues[1].balances = balances.into();
    tell(&mut world, 99_900_000, 99_920_000);
    world.step(1);
    world
}

fn tell(world: &mut World, bid: i64, ask: i64) {
    let level = |price| Level::new(price, E8);
    let quote = Quote { bid: level(bid), ask: level(ask), at: world.now, version: 1, live: true, old: false };
    world.desk.venues[RATE].quote = Some(quote);
}

#[test]
fn profits_are_told_by_asset_and_in_the_common_one() {
    let mut world = dollars();
    assert_eq!(world.fire(QTY), Ok(2));
    world.step(5);
    assert_eq!(world.intent_outcomes(), [1, 0, 0, 0]);
    assert_eq!(world.net_btc(), Money::ZERO);
    let now = world.now;
    let report = world.exec.report(&mut world.desk, now);
    // Bought for 600 USDT, sold for 602 USD, 0.1 % of each.
    assert_eq!(report.pnl, [(asset("USD"), money("601.398")), (asset("USDT"), money("-600.6"))]);
    // At 0.9991 in the middle.
    assert_eq!(report.pnl_common, Some((asset("USD"), money("1.33854"))));
    let exposure: Vec<_> = report.net_exposure.iter().filter(|row| row.1 != Money::ZERO).collect();
    assert_eq!(exposure, [&report.pnl[0], &report.pnl[1]], "each asset for itself");
    world.exec.check().unwrap();
}

#[test]
fn a_rate_that_is_old_lost_or_worse_by_now_keeps_the_legs() {
    let refused = |spoil: fn(&mut World)| {
        let mut world = dollars();
        spoil(&mut world);
        let refusal = world.fire(QTY).unwrap_err();
        assert!(world.desk.sent.is_empty() && world.exec.is_idle());
        refusal
    };
    assert_eq!(
        refused(|world| world.desk.venues[RATE].quote.as_mut().unwrap().at.0 -= 100_000_001),
        Refusal::new(Refused::RateStale, Detail::QuoteRate)
    );
    for spoil in [
        (|world| world.desk.venues[RATE].quote = None) as fn(&mut World),
        |world| world.desk.venues[RATE].quote.as_mut().unwrap().live = false,
        |world| tell(world, 99_900_000, 99_000_000),
    ] {
        assert_eq!(refused(spoil), Refusal::new(Refused::RateUnsynced, Detail::QuoteRate));
    }
    // 602 USD buy 600.6 USDT and more up to an ask of about 1.001.
    let moved = Refusal::new(Refused::BelowEdge, Detail::Moved);
    assert_eq!(refused(|world| tell(world, 100_000_000, 100_150_000)), moved);
    let mut world = dollars();
    tell(&mut world, 100_000_000, 100_100_000);
    assert_eq!(world.fire(QTY), Ok(2), "still worth it");
}

#[test]
fn one_order_may_be_worth_as_much_in_any_asset() {
    let mut world = dollars();
    // The limit is 10,000 USD: at a fair rate of 0.9991 that is 10,009 USDT, and 0.16611 BTC at 60,200.
    assert_eq!(world.fire(QTY * 30), Ok(2));
    let sizes: Vec<_> = world.desk.sent.iter().map(|(venue, draft)| (venue.0, draft.qty.0)).collect();
    assert_eq!(sizes, [(0, 16_611_000), (1, 16_611_000)]);
    let markets = world.exec.markets();
    let of = |venue| markets.get(VenueId(venue), BTC_USDT).unwrap().clone();
    let (tether, dollar) = (of(0), of(1));
    world.step(5);
    // The last function before the socket has the same figures.
    let caps = world.exec.caps();
    assert_eq!(caps.order_max(&dollar), money("10000"));
    let in_tether = caps.order_max(&tether);
    assert!(in_tether > money("10009.008") && in_tether < money("10009.009"), "{in_tether}");
}

#[test]
fn a_hedge_goes_where_the_price_is_best_in_one_asset_even_by_an_old_rate() {
    // After the legs left a USDT rises: 59,990 of them are more than 60,200 USD, or they are less.
    for (bid, ask, venue) in [(99_900_000, 99_920_000, 1), (100_600_000, 100_610_000, 0)] {
        let mut world = dollars();
        world.desk.venues[1].fates = vec![Fate::Nothing];
        assert_eq!(world.fire(QTY), Ok(2));
        tell(&mut world, bid, ask);
        world.desk.venues[RATE].quote.as_mut().unwrap().at.0 -= 1_000_000_000;
        world.step(5);
        let (at, draft) = world.desk.sent[2];
        assert_eq!((at, draft.side, draft.qty), (VenueId(venue), Side::Sell, Qty(QTY)), "{bid}");
        // 10 bp below the touch of its own venue, in its own asset.
        let touch = if venue == 0 { 59_990 * E8 } else { 60_200 * E8 };
        let limit = Price((touch - touch / 1_000) / 1_000_000 * 1_000_000);
        assert!(draft.price >= limit && draft.price.0 <= limit.0 + 1_000_000, "{:?}", draft.price);
        assert_eq!(world.intent_outcomes(), [0, 1, 0, 0], "{bid}");
    }
}

#[test]
fn a_loss_in_one_asset_that_the_other_made_good_is_none() {
    let mut world = dollars();
    world.fire(QTY * 15).unwrap();
    world.step(300);
    // 9,000 USDT and more are gone, and as much in USD is there: the limit of 5,000 is far.
    assert!(!world.exec.is_halted(BTC_USDT), "{:?}", world.desk.alerts);
    // A USDT that triples makes a loss of what was paid with it.
    tell(&mut world, 300_000_000, 300_010_000);
    world.step(300);
    assert!(world.exec.is_halted(BTC_USDT));
}
