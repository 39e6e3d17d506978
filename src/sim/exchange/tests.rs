use proptest::prelude::*;

use super::*;
use crate::types::btc_usdt as spec;
use crate::types::{Asset, Kind, Level, SpecError, Tif};
use crate::venue::{EndReason, OrderChange};

const NOW: Nanos = Nanos(1_000);

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// An exchange with two traders and a house account of 100 BTC and 1,000,000 USDT each.
fn exchange(fee_in: FeeIn, knobs: Knobs, seed: u64) -> (SimExchange, [AccountId; 3]) {
    let rates = Rates { maker: FeeRate(100_000), taker: FeeRate(260_000) };
    let config = ExchangeConfig { instruments: vec![spec()], fee_in, rates, knobs };
    let mut exchange = SimExchange::new(config, Rand64::new(seed.into())).unwrap();
    let kinds = [AccountKind::Trader, AccountKind::Trader, AccountKind::House];
    let accounts = kinds.map(|kind| exchange.open_account(kind));
    for account in accounts {
        exchange.deposit(account, spec().base, money("100"));
        exchange.deposit(account, spec().quote, money("1000000"));
    }
    (exchange, accounts)
}

/// `buy`, `sell` at a price in whole units, quantities in units of 0.00001.
fn order(side: Side, tif: Tif, price: i64, lots: i64, client: &str) -> NewOrder {
    NewOrder {
        instrument: 0,
        side,
        kind: Kind::Limit,
        tif,
        price: Price(price * 100_000_000),
        qty: Qty(lots * 1_000),
        reduce_only: false,
        client: client.to_owned(),
    }
}

use Side::{Buy, Sell};
use Tif::{Fok, Gtc, Ioc};

#[test]
fn what_cannot_be_placed_is_refused_by_name() {
    let (mut exchange, [one, two, _]) = exchange(FeeIn::Quote, Knobs::default(), 1);
    exchange.place(one, &order(Sell, Gtc, 50_000, 100, "a"), NOW).unwrap();
    let base = order(Buy, Gtc, 40_000, 100, "");
    let kind = |kind, price: i64| NewOrder { kind, price: Price(price * 100_000_000), ..base.clone() };
    for (account, order, want) in [
        (one, NewOrder { instrument: 1, ..base.clone() }, Refusal::UnknownInstrument),
        (one, NewOrder { client: "a".into(), ..base.clone() }, Refusal::DuplicateClient),
        (two, NewOrder { price: Price(1), ..base.clone() }, Refusal::Filter(SpecError::OffTick)),
        (two, NewOrder { qty: Qty(1), ..base.clone() }, Refusal::Filter(SpecError::OffLot)),
        (two, kind(Kind::PostOnly, 50_000), Refusal::WouldTake),
        (two, NewOrder { qty: Qty(10_000_000_000), ..base.clone() }, Refusal::Balance),
        (two, NewOrder { qty: Qty(2_500_000_000), ..base.clone() }, Refusal::Balance), // the fee is too much
        (two, NewOrder { side: Sell, qty: Qty(10_000_001_000), ..base.clone() }, Refusal::Balance),
        (AccountId(99), base.clone(), Refusal::Balance),
    ] {
        assert_eq!(exchange.place(account, &order, NOW), Err(want), "{order:?}");
    }
    assert_eq!(exchange.cancel(two, &OrderRef::Client("a".into()), NOW), Err(Refusal::UnknownOrder));
    exchange.knobs().halted = true;
    assert_eq!(exchange.place(two, &base, NOW), Err(Refusal::Halted));
    assert_eq!(
        exchange.cancel(one, &OrderRef::Client("a".into()), NOW).unwrap().state,
        OrderState::Cancelled
    );
    exchange.knobs().halted = false;
    exchange
        .place(one, &order(Sell, Gtc, 50_000, 100, "a"), NOW)
        .expect("an ended order's id may come again");
    exchange.audit().unwrap();
}

#[test]
fn fees_come_out_of_what_the_venue_takes_them_from() {
    for (fee_in, buyer, seller) in [
        (FeeIn::Received, ("100.9974", "950000"), ("99", "1049950")),
        (FeeIn::Quote, ("101", "949870"), ("99", "1049950")),
    ] {
        let (mut exchange, [one, two, _]) = exchange(fee_in, Knobs::default(), 1);
        exchange.place(two, &order(Sell, Gtc, 50_000, 100_000, ""), NOW).unwrap();
        let view = exchange.place(one, &order(Buy, Ioc, 50_000, 100_000, ""), NOW).unwrap();
        assert_eq!((view.state, view.fills.len()), (OrderState::Filled, 1));
        for (account, want) in [(one, buyer), (two, seller)] {
            let balances = exchange.balances(account);
            let have = (balances[0].free.to_string(), balances[1].free.to_string());
            assert_eq!((have.0.as_str(), have.1.as_str()), want, "{fee_in:?}");
            assert!(balances.iter().all(|balance| balance.locked == Money::ZERO));
        }
        exchange.audit().unwrap();
    }
}

#[test]
fn lifetimes_are_kept() {
    let (mut exchange, [one, two, _]) = exchange(FeeIn::Quote, Knobs::default(), 1);
    exchange.place(one, &order(Sell, Gtc, 50_000, 100, "rest"), NOW).unwrap();
    let mut check = |order: NewOrder, state, filled: i64, reason| {
        let view = exchange.place(two, &order, NOW).unwrap();
        assert_eq!((view.state, view.filled, view.reason), (state, Qty(filled * 1_000), reason), "{order:?}");
    };
    check(order(Buy, Fok, 50_000, 101, ""), OrderState::Cancelled, 0, Some(EndReason::Fok));
    check(order(Buy, Ioc, 49_999, 50, ""), OrderState::Cancelled, 0, Some(EndReason::Ioc));
    check(order(Buy, Fok, 50_001, 40, ""), OrderState::Filled, 40, None);
    check(order(Buy, Ioc, 50_000, 100, ""), OrderState::Cancelled, 60, Some(EndReason::Ioc));
    check(
        NewOrder { kind: Kind::Market, ..order(Buy, Gtc, 0, 10, "") },
        OrderState::Cancelled,
        0,
        Some(EndReason::Ioc),
    );
    check(order(Buy, Gtc, 50_000, 100, "own"), OrderState::Accepted, 0, None);
    check(order(Sell, Gtc, 50_000, 30, ""), OrderState::Cancelled, 0, Some(EndReason::SelfTrade));
    assert_eq!(exchange.open_orders(two).len(), 1, "the newer order ends, the older stays");
    assert_eq!(exchange.order(one, &OrderRef::Client("rest".into())).unwrap().state, OrderState::Filled);
    assert_eq!(exchange.ended_orders(two, NOW).len(), 6);
    assert!(exchange.ended_orders(two, Nanos(1_001)).is_empty());
    exchange.audit().unwrap();
}

#[test]
fn an_amendment_keeps_its_place_only_when_it_asks_for_less() {
    let (mut exchange, [one, two, _]) = exchange(FeeIn::Quote, Knobs::default(), 1);
    for (client, account) in [("a", one), ("b", two)] {
        exchange.place(account, &order(Sell, Gtc, 50_000, 100, client), NOW).unwrap();
    }
    let mut amend = |account, client: &str, price: Option<i64>, lots: Option<i64>| {
        let price = price.map(|price| Price(price * 100_000_000));
        exchange.amend(
            account,
            &OrderRef::Client(client.into()),
            price,
            lots.map(|lots| Qty(lots * 1_000)),
            NOW,
        )
    };
    assert_eq!(amend(one, "a", None, None), Err(Refusal::BadAmend));
    assert_eq!(amend(one, "a", None, Some(0)), Err(Refusal::BadAmend));
    assert_eq!(amend(one, "b", None, Some(50)), Err(Refusal::UnknownOrder));
    amend(one, "a", None, Some(50)).unwrap();
    let house = AccountId(3);
    let hit = |exchange: &mut SimExchange| {
        exchange.place(house, &order(Buy, Ioc, 50_000, 10, ""), NOW).unwrap();
        let filled =
            |account| exchange.fills(account, NOW).iter().map(|fill| fill.qty.0).sum::<i64>() / 1_000;
        (filled(one), filled(two))
    };
    assert_eq!(hit(&mut exchange), (10, 0));
    let more = exchange.amend(one, &OrderRef::Client("a".into()), None, Some(Qty(60_000)), NOW).unwrap();
    assert_eq!((more.state, more.filled), (OrderState::PartFilled, Qty(10_000)));
    assert_eq!(hit(&mut exchange), (10, 10));
    exchange.place(house, &order(Buy, Gtc, 49_000, 20, ""), NOW).unwrap();
    let down = Some(Price(4_900_000_000_000));
    let took = exchange.amend(one, &OrderRef::Client("a".into()), down, None, NOW).unwrap();
    assert_eq!((took.filled, took.fills.len()), (Qty(30_000), 1), "an amendment may take");
    exchange.audit().unwrap();
}

#[test]
fn knobs_spare_the_house() {
    let knobs = Knobs { reject_ppm: 1_000_000, ..Knobs::default() };
    let (mut exchange, [one, _, house]) = exchange(FeeIn::Quote, knobs, 7);
    let ask = order(Sell, Gtc, 50_000, 100, "");
    assert_eq!(exchange.place(one, &ask, NOW), Err(Refusal::Random));
    exchange.place(house, &ask, NOW).unwrap();
    *exchange.knobs() = Knobs { partial_ppm: 1_000_000, ..Knobs::default() };
    let view = exchange.place(one, &order(Buy, Ioc, 50_000, 100, ""), NOW).unwrap();
    assert_eq!((view.state, view.reason), (OrderState::Cancelled, Some(EndReason::Ioc)));
    assert!(view.filled < Qty(100_000));
    let mut hits = Vec::new();
    exchange.drain_house_fills(&mut hits);
    assert_eq!(hits.iter().map(|hit| hit.qty.0).sum::<i64>(), view.filled.0);
}

/// One random operation.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Place { account: usize, side: Side, kind: Kind, tif: Tif, price: i64, lots: i64, client: usize },
    Cancel { account: usize, client: usize },
    Amend { account: usize, client: usize, price: Option<i64>, lots: Option<i64> },
    CancelAll { account: usize },
}

pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let side = prop_oneof![Just(Buy), Just(Sell)];
    let kind = prop_oneof![6 => Just(Kind::Limit), 1 => Just(Kind::Market), 1 => Just(Kind::PostOnly)];
    let tif = prop_oneof![4 => Just(Gtc), 1 => Just(Ioc), 1 => Just(Fok)];
    let (price, lots) = (95i64..106, 1_000_000i64..4_000_000);
    let place = (0..3usize, side, kind, tif, price.clone(), lots.clone(), 0..40usize).prop_map(
        |(account, side, kind, tif, price, lots, client)| Op::Place {
            account,
            side,
            kind,
            tif,
            price,
            lots,
            client,
        },
    );
    let amend = (0..3usize, 0..40usize, proptest::option::of(price), proptest::option::of(lots))
        .prop_map(|(account, client, price, lots)| Op::Amend { account, client, price, lots });
    let op = prop_oneof![
        8 => place,
        2 => (0..3usize, 0..40usize).prop_map(|(account, client)| Op::Cancel { account, client }),
        2 => amend,
        1 => (0..3usize).prop_map(|account| Op::CancelAll { account }),
    ];
    proptest::collection::vec(op, 1..120)
}

/// What the rules of matching say an order must trade: prices and quantities against the resting
/// orders, found by sorting them all anew.
fn expected(exchange: &SimExchange, account: AccountId, order: &NewOrder) -> Vec<(Price, Qty)> {
    let mut against: Vec<(Price, u64, Qty, AccountId)> = Vec::new();
    for other in [AccountId(1), AccountId(2), AccountId(3)] {
        for view in exchange.open_orders(other) {
            if view.order.side != order.side {
                against.push((view.order.price, view.id, Qty(view.order.qty.0 - view.filled.0), other));
            }
        }
    }
    // No amendment in between: age is the order's number, but for those that lost their place.
    against.sort_by_key(|(price, ..)| if order.side == Buy { price.0 } else { -price.0 });
    let mut left = order.qty;
    let mut fills = Vec::new();
    for (price, _, shown, owner) in against {
        let within = order.kind == Kind::Market
            || if order.side == Buy { price <= order.price } else { price >= order.price };
        if left == Qty::ZERO || !within || owner == account {
            break;
        }
        let qty = left.min(shown);
        left = Qty(left.0 - qty.0);
        fills.push((price, qty));
    }
    if order.tif == Fok && order.kind != Kind::PostOnly && left.0 > 0 { Vec::new() } else { fills }
}

/// Value and quantity by price: what does not depend on the order of age.
fn by_price(fills: impl Iterator<Item = (Price, Qty)>) -> BTreeMap<Price, i64> {
    let mut sums = BTreeMap::new();
    fills.for_each(|(price, qty)| *sums.entry(price).or_default() += qty.0);
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_unit_is_lost_and_no_rule_broken(ops in ops(), received: bool) {
        let fee_in = if received { FeeIn::Received } else { FeeIn::Quote };
        let (mut exchange, accounts) = exchange(fee_in, Knobs::default(), 1);
        let totals = exchange.totals();
        let mut seen = Seen::default();
        for (at, op) in ops.iter().enumerate() {
            let now = Nanos(at as i64);
            match op {
                Op::Place { account, side, kind, tif, price, lots, client } => {
                    let name = format!("c{client}");
                    let order = NewOrder { kind: *kind, ..order(*side, *tif, *price, *lots, &name) };
                    let account = accounts[*account];
                    // Where an own order is in the way the model would need its place in the queue.
                    let own = exchange.open_orders(account).iter().any(|view| view.order.side != *side);
                    let want = expected(&exchange, account, &order);
                    if let Ok(view) = exchange.place(account, &order, now) {
                        let got = by_price(view.fills.iter().map(|fill| (fill.price, fill.qty)));
                        if !own {
                            prop_assert_eq!(&got, &by_price(want.into_iter()));
                        }
                        let sum = got.values().sum::<i64>();
                        prop_assert_eq!(sum, view.filled.0);
                        prop_assert!(*tif != Fok || sum == 0 || sum == order.qty.0);
                        let better = |pair: &[FillView]| if *side == Buy { pair[0].price <= pair[1].price } else { pair[0].price >= pair[1].price };
                        prop_assert!(view.fills.windows(2).all(better));
                    }
                }
                Op::Cancel { account, client } => {
                    let _ = exchange.cancel(accounts[*account], &OrderRef::Client(format!("c{client}")), now);
                }
                Op::Amend { account, client, price, lots } => {
                    let price = price.map(|price| Price(price * 100_000_000));
                    let qty = lots.map(|lots| Qty(lots * 1_000));
                    let _ = exchange.amend(accounts[*account], &OrderRef::Client(format!("c{client}")), price, qty, now);
                }
                Op::CancelAll { account } => {
                    exchange.cancel_all(accounts[*account], None, now);
                    prop_assert!(exchange.open_orders(accounts[*account]).is_empty());
                }
            }
            prop_assert_eq!(exchange.audit(), Ok(()));
            prop_assert_eq!(exchange.totals(), totals.clone());
            seen.follow(&mut exchange)?;
        }
        for account in [accounts[0], accounts[1]] {
            let fills = exchange.fills(account, Nanos::ZERO);
            for view in exchange.all_orders(account) {
                let own = fills.iter().filter(|fill| fill.order == view.id);
                prop_assert_eq!(own.map(|fill| fill.qty.0).sum::<i64>(), view.filled.0);
            }
        }
    }
}

/// A reader of the event stream, who must see what the exchange sees.
#[derive(Default)]
struct Seen {
    seq: u64,
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
    balances: BTreeMap<(AccountId, Asset), Balance>,
    /// Trades by number: each has one buyer and one seller, unless one is the house.
    trades: BTreeMap<u64, Vec<FillView>>,
}

impl Seen {
    fn follow(&mut self, exchange: &mut SimExchange) -> Result<(), TestCaseError> {
        let mut events = Vec::new();
        exchange.drain_events(&mut events);
        for event in events {
            match event {
                Event::Book { seq, bids, asks, .. } => {
                    prop_assert_eq!(seq, self.seq + 1);
                    self.seq = seq;
                    for (levels, side) in [(bids, &mut self.bids), (asks, &mut self.asks)] {
                        for Level { price, qty } in levels {
                            if qty == Qty::ZERO {
                                side.remove(&price)
                            } else {
                                side.insert(price, qty)
                            };
                        }
                    }
                }
                Event::Balance { account, balance, .. } => {
                    self.balances.insert((account, balance.asset), balance);
                }
                Event::Order { change: OrderChange::Trade(fill), .. } => {
                    self.trades.entry(fill.trade).or_default().push(fill);
                }
                Event::Order { .. } | Event::Position { .. } => {}
            }
        }
        let book = exchange.book(0, usize::MAX);
        let levels = |side: &BTreeMap<Price, Qty>| -> Vec<Level> {
            side.iter().map(|(price, qty)| Level { price: *price, qty: *qty }).collect()
        };
        prop_assert_eq!(book.bids.into_iter().rev().collect::<Vec<_>>(), levels(&self.bids));
        prop_assert_eq!(book.asks, levels(&self.asks));
        for ((account, asset), balance) in &self.balances {
            let now = exchange.balances(*account).into_iter().find(|now| now.asset == *asset);
            prop_assert_eq!(now.as_ref(), Some(balance));
        }
        for sides in self.trades.values() {
            if let [a, b] = &sides[..] {
                prop_assert!(
                    a.qty == b.qty && a.price == b.price && a.side != b.side && a.account != b.account
                );
            }
            prop_assert!(sides.len() <= 2);
        }
        Ok(())
    }
}
