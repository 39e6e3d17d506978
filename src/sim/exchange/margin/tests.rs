use proptest::prelude::*;

use oorandom::Rand64;

use super::super::tests::{Op, ops};
use super::super::{ExchangeConfig, FeeIn, Knobs, Rates};
use super::*;
use crate::types::btc_usdt;
use crate::types::{Contract, Kind, OrderState, Position, Price, Tif};
use crate::venue::{EndReason, Event, Exchange, OrderRef};

const NOW: Nanos = Nanos(1_000);

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// Contracts of a tenth of a BTC, settled in USDT; quantities are contracts.
fn perp() -> InstrumentSpec {
    let spot = btc_usdt();
    let multiplier = spot.scale.one() / 10;
    InstrumentSpec { contract: Contract { kind: ContractKind::Linear, multiplier, ..spot.contract }, ..spot }
}

/// An exchange with two traders and a house account of 10,000 USDT each, at a leverage of 5.
fn exchange(rates: Rates) -> (SimExchange, [AccountId; 3]) {
    exchange_of(perp(), rates)
}

/// The same with another contract, and as much of what it settles in.
fn exchange_of(spec: InstrumentSpec, rates: Rates) -> (SimExchange, [AccountId; 3]) {
    let (fee_in, knobs) = (FeeIn::Received, Knobs::default());
    let settle = spec.contract.settle;
    let config = ExchangeConfig { instruments: vec![spec], fee_in, rates, knobs };
    let mut exchange = SimExchange::new(config, Rand64::new(1)).unwrap();
    exchange.set_default_leverage(5);
    let kinds = [AccountKind::Trader, AccountKind::Trader, AccountKind::House];
    let accounts = kinds.map(|kind| exchange.open_account(kind));
    for account in accounts {
        exchange.deposit(account, settle, money("10000"));
    }
    (exchange, accounts)
}

/// A price in whole units, quantities in hundredths of a contract.
fn order(side: Side, tif: Tif, price: i64, hundredths: i64) -> NewOrder {
    NewOrder {
        instrument: 0,
        side,
        kind: Kind::Limit,
        tif,
        price: Price(price * 100_000_000),
        qty: Qty(hundredths * 1_000_000),
        reduce_only: false,
        client: String::new(),
    }
}

fn reduce(order: NewOrder) -> NewOrder {
    NewOrder { reduce_only: true, ..order }
}

use Side::{Buy, Sell};
use Tif::{Fok, Gtc, Ioc};

/// Held in hundredths of a contract, its cost, the wallet, and what of it is free.
#[track_caller]
fn check(exchange: &SimExchange, account: AccountId, held: i64, cost: &str, wallet: &str, free: &str) {
    let position = exchange.positions(account).first().map_or(Position::FLAT, |view| view.position);
    assert_eq!((position.qty.0 / 1_000_000, position.cost.to_string().as_str()), (held, cost));
    let balances = exchange.balances(account);
    assert_eq!(balances.len(), 1, "nothing but what is settled in changes hands");
    let all = balances[0].free + balances[0].locked;
    assert_eq!((all.to_string().as_str(), balances[0].free.to_string().as_str()), (wallet, free));
    exchange.audit().unwrap();
}

#[test]
fn trades_move_positions_and_only_profits_move_money() {
    let (mut exchange, [one, two, house]) = exchange(Rates::default());
    exchange.place(two, &order(Sell, Gtc, 50_000, 200), NOW).unwrap();
    let view = exchange.place(one, &order(Buy, Ioc, 50_000, 200), NOW).unwrap();
    assert_eq!((view.filled_value, view.fills[0].fee), (money("10000"), Money::ZERO));
    check(&exchange, one, 200, "10000", "10000", "8000");
    check(&exchange, two, -200, "-10000", "10000", "8000");
    // One sells half of it 10 % higher, and two buys all back from the house at a loss.
    exchange.place(house, &order(Buy, Gtc, 55_000, 100), NOW).unwrap();
    exchange.place(one, &order(Sell, Ioc, 55_000, 100), NOW).unwrap();
    check(&exchange, one, 100, "5000", "10500", "9500");
    exchange.place(house, &order(Sell, Gtc, 55_000, 300), NOW).unwrap();
    exchange.place(two, &order(Buy, Ioc, 55_000, 300), NOW).unwrap();
    check(&exchange, two, 100, "5500", "9000", "7900");
    assert_eq!(exchange.totals(), vec![(perp().quote, money("30000"))]);
    let told: Vec<i64> = {
        let mut events = Vec::new();
        exchange.drain_events(&mut events);
        let positions = events.iter().filter_map(|event| match event {
            Event::Position { view, .. } => Some(view.position.qty.0 / 1_000_000),
            _ => None,
        });
        positions.collect()
    };
    assert_eq!(told, [200, -200, 100, 100], "house positions are not told");
}

#[test]
fn fees_are_paid_in_the_asset_that_is_settled_in() {
    let rates = Rates { maker: FeeRate(20_000), taker: FeeRate(50_000) };
    let (mut exchange, [one, two, _]) = exchange(rates);
    exchange.place(two, &order(Sell, Gtc, 50_000, 200), NOW).unwrap();
    exchange.place(one, &order(Buy, Ioc, 50_000, 200), NOW).unwrap();
    check(&exchange, one, 200, "10000", "9995", "7995");
    check(&exchange, two, -200, "-10000", "9998", "7998");
    assert_eq!(exchange.fees_taken(), vec![(perp().quote, money("7"))]);
}

/// Contracts of 100 USDT that settle in BTC, counted whole.
fn inverse() -> InstrumentSpec {
    let spot = btc_usdt();
    let one = spot.scale.one();
    let contract =
        Contract { kind: ContractKind::Inverse, multiplier: 100 * one, settle: spot.base, ..spot.contract };
    let lot = Qty(one);
    InstrumentSpec { contract, lot, min_qty: lot, min_notional: Money::ZERO, ..spot }
}

#[test]
fn inverse_contracts_are_margined_charged_and_paid_in_the_base_asset() {
    let rates = Rates { maker: FeeRate(20_000), taker: FeeRate(50_000) };
    let (fee_in, knobs) = (FeeIn::Quote, Knobs::default());
    let config = ExchangeConfig { instruments: vec![inverse()], fee_in, rates, knobs };
    let mut exchange = SimExchange::new(config, Rand64::new(1)).unwrap();
    exchange.set_default_leverage(5);
    let [one, two] = [AccountKind::Trader; 2].map(|kind| exchange.open_account(kind));
    for account in [one, two] {
        exchange.deposit(account, inverse().base, money("0.01"));
    }
    // 20 contracts at 50,000 are 0.04, a fifth of which is margin, and a fee of 0.00002.
    let whole = |side, tif, price, contracts: i64| order(side, tif, price, contracts * 100);
    exchange.place(two, &whole(Sell, Gtc, 50_000, 20), NOW).unwrap();
    let view = exchange.place(one, &whole(Buy, Ioc, 50_000, 20), NOW).unwrap();
    assert_eq!((view.filled_value, view.fills[0].fee), (money("0.04"), money("0.00002")));
    assert_eq!(view.fills[0].fee_asset, inverse().base);
    check(&exchange, one, 2_000, "0.04", "0.00998", "0.00198");
    check(&exchange, two, -2_000, "-0.04", "0.009992", "0.001992");
    let refused = exchange.place(one, &whole(Buy, Gtc, 50_000, 6), NOW).map(|view| view.id);
    assert_eq!(refused, Err(Refusal::Margin));
    // Closed at 62,500: 20 * 100 * (1 / 50,000 - 1 / 62,500) for the long, as much less for the short.
    exchange.place(two, &whole(Buy, Gtc, 62_500, 20), NOW).unwrap();
    exchange.place(one, &reduce(whole(Sell, Ioc, 62_500, 20)), NOW).unwrap();
    check(&exchange, one, 0, "0", "0.017964", "0.017964");
    check(&exchange, two, 0, "0", "0.0019856", "0.0019856");
    assert_eq!(exchange.fees_taken(), vec![(inverse().base, money("0.0000504"))]);
    assert_eq!(exchange.totals(), vec![(inverse().base, money("0.02"))]);
}

#[test]
fn no_position_opens_without_its_margin() {
    let (mut exchange, [one, two, _]) = exchange(Rates::default());
    // 10,000 at a leverage of 5 carries 50,000: ten contracts at 50,000.
    let place = |exchange: &mut SimExchange, side, price, qty| {
        exchange.place(one, &order(side, Gtc, price, qty), NOW).map(|view| view.id)
    };
    assert_eq!(place(&mut exchange, Buy, 50_000, 1_001), Err(Refusal::Margin));
    let first = place(&mut exchange, Buy, 50_000, 900).unwrap();
    assert_eq!(place(&mut exchange, Buy, 50_000, 100), Err(Refusal::Margin), "with a slack for the fee");
    place(&mut exchange, Buy, 49_000, 100).unwrap();
    // Only one of the two sides can come to be.
    place(&mut exchange, Sell, 51_000, 900).unwrap();
    let grow = |exchange: &mut SimExchange| {
        exchange.amend(one, &OrderRef::Id(first), None, Some(Qty(950_000_000)), NOW)
    };
    assert_eq!(grow(&mut exchange), Err(Refusal::Margin));
    assert_eq!(exchange.set_leverage(one, 0, 4, NOW), Err(Refusal::Margin));
    assert_eq!(exchange.set_leverage(one, 0, 126, NOW), Err(Refusal::Leverage));
    exchange.set_leverage(one, 0, 10, NOW).unwrap();
    assert_eq!((exchange.leverage(one, 0), exchange.leverage(two, 0)), (10, 5));
    grow(&mut exchange).unwrap();
    exchange.audit().unwrap();
    exchange.cancel_all(one, None, NOW);
    check(&exchange, one, 0, "0", "10000", "10000");
    // A sell is margined at the prices that it will meet.
    exchange.place(two, &order(Buy, Gtc, 50_000, 500), NOW).unwrap();
    exchange.set_leverage(one, 0, 1, NOW).unwrap();
    let dump = exchange.place(one, &order(Sell, Ioc, 1_000, 500), NOW);
    assert_eq!(dump, Err(Refusal::Margin));
    exchange.audit().unwrap();
}

#[test]
fn a_reduce_only_order_never_opens() {
    let (mut exchange, [one, two, house]) = exchange(Rates::default());
    let place = |exchange: &mut SimExchange, account, order: NewOrder| exchange.place(account, &order, NOW);
    let refused = Err(Refusal::ReduceOnly);
    assert_eq!(place(&mut exchange, one, reduce(order(Sell, Gtc, 50_000, 100))), refused);
    place(&mut exchange, two, order(Sell, Gtc, 50_000, 200)).unwrap();
    place(&mut exchange, one, order(Buy, Ioc, 50_000, 200)).unwrap();
    assert_eq!(place(&mut exchange, one, reduce(order(Buy, Gtc, 49_000, 100))), refused);
    assert_eq!(place(&mut exchange, one, reduce(order(Sell, Gtc, 51_000, 201))), refused);
    let near = place(&mut exchange, one, reduce(order(Sell, Gtc, 51_000, 100))).unwrap().id;
    let far = place(&mut exchange, one, reduce(order(Sell, Gtc, 52_000, 100))).unwrap().id;
    assert_eq!(place(&mut exchange, one, reduce(order(Sell, Gtc, 53_000, 1))), refused);
    let more = exchange.amend(one, &OrderRef::Id(near), None, Some(Qty(101_000_000)), NOW);
    assert_eq!(more, refused);
    check(&exchange, one, 200, "10000", "10000", "8000");
    // The position shrinks by another way: the newest goes first, and what stays is still covered.
    place(&mut exchange, house, order(Buy, Gtc, 50_500, 100)).unwrap();
    place(&mut exchange, one, order(Sell, Ioc, 50_500, 50)).unwrap();
    let ended = exchange.order(one, &OrderRef::Id(far)).unwrap();
    assert_eq!((ended.state, ended.reason), (OrderState::Cancelled, Some(EndReason::ReduceOnly)));
    assert_eq!(exchange.open_orders(one).len(), 1);
    // Liquidity that may vanish is not counted on by those who want all or nothing.
    let all = place(&mut exchange, house, order(Buy, Fok, 51_000, 100)).unwrap();
    assert_eq!(all.reason, Some(EndReason::Fok));
    place(&mut exchange, house, order(Buy, Ioc, 51_000, 100)).unwrap();
    check(&exchange, one, 50, "2500", "10125", "9625");
}

#[test]
fn a_loss_beyond_the_wallet_is_owed() {
    let (mut exchange, [one, two, house]) = exchange(Rates::default());
    exchange.deposit(house, perp().quote, money("1000000"));
    exchange.place(house, &order(Sell, Gtc, 50_000, 900), NOW).unwrap();
    exchange.place(one, &order(Buy, Ioc, 50_000, 900), NOW).unwrap();
    exchange.place(house, &order(Buy, Gtc, 30_000, 900), NOW).unwrap();
    exchange.place(one, &reduce(order(Sell, Ioc, 30_000, 900)), NOW).unwrap();
    check(&exchange, one, 0, "0", "-8000", "-8000");
    let broke = exchange.place(one, &order(Buy, Gtc, 30_000, 10), NOW);
    assert_eq!(broke, Err(Refusal::Margin));
    check(&exchange, two, 0, "0", "10000", "10000");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn positions_cancel_out_and_money_is_conserved(
        ops in ops(), maker in -20_000i64..20_000, faced: bool,
    ) {
        let rates = Rates { maker: FeeRate(maker), taker: FeeRate(50_000) };
        let spec = if faced { InstrumentSpec { lot: Qty(1_000_000), min_qty: Qty(1_000_000), ..inverse() } } else { perp() };
        let (mut exchange, accounts) = exchange_of(spec.clone(), rates);
        let totals = exchange.totals();
        let mut told: BTreeMap<AccountId, Position> = BTreeMap::new();
        for (at, op) in ops.iter().enumerate() {
            let now = Nanos(at as i64);
            match op {
                Op::Place { account, side, kind, tif, price, lots, client } => {
                    let client = format!("c{client}");
                    let order = NewOrder { kind: *kind, client, ..order(*side, *tif, *price, lots / 100) };
                    let account = accounts[*account];
                    let before = exchange.positions(account).first().map_or(0, |view| view.position.qty.0);
                    let reduce_only = at % 3 == 0 && before.signum() == -side.sign();
                    let order = NewOrder { reduce_only, ..order };
                    if exchange.place(account, &order, now).is_ok() && reduce_only {
                        let after = exchange.positions(account).first().map_or(0, |view| view.position.qty.0);
                        prop_assert!(after.abs() <= before.abs() && after.signum() != -before.signum());
                    }
                }
                Op::Cancel { account, client } => {
                    let _ = exchange.cancel(accounts[*account], &OrderRef::Client(format!("c{client}")), now);
                }
                Op::Amend { account, client, price, lots } => {
                    let price = price.map(|price| Price(price * 100_000_000));
                    let qty = lots.map(|lots| Qty(lots / 100 * 1_000_000));
                    let _ = exchange.amend(accounts[*account], &OrderRef::Client(format!("c{client}")), price, qty, now);
                }
                Op::CancelAll { account } => {
                    exchange.cancel_all(accounts[*account], None, now);
                }
            }
            prop_assert_eq!(exchange.audit(), Ok(()));
            prop_assert_eq!(exchange.totals(), totals.clone());
            let mut events = Vec::new();
            exchange.drain_events(&mut events);
            for event in events {
                if let Event::Position { account, view, .. } = event {
                    told.insert(account, view.position);
                }
            }
        }
        // An account's fills alone give its position, its wallet and what was told.
        for account in [accounts[0], accounts[1]] {
            let (mut position, mut wallet) = (Position::FLAT, money("10000"));
            for fill in exchange.fills(account, Nanos::ZERO) {
                let value = spec.contract.value(fill.price, fill.qty, spec.scale).unwrap();
                wallet += position.fill_of(spec.contract.kind, fill.side, fill.qty, value) - fill.fee;
            }
            let balance = exchange.balances(account)[0];
            prop_assert_eq!(balance.free + balance.locked, wallet);
            let held = exchange.positions(account).first().map_or(Position::FLAT, |view| view.position);
            prop_assert_eq!(held, position);
            prop_assert_eq!(told.get(&account).copied().unwrap_or_default(), position);
        }
    }
}
