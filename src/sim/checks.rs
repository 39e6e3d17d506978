//! What must never happen, checked against the simulated venues' own ledgers.
//!
//! The engine's side comes in as plain values, so that these checks judge what it says without
//! knowing how it works:
//!
//! - I1: money is conserved: nothing appears or vanishes on any exchange.
//! - I3: a position is its start and its fills less their fees, at the venue and in the engine; once
//!   all is settled, both say the same. A position in a contract is its fills; what it cost is taken
//!   off the wallet that it settles in, so that no rule of realising a profit is taken for granted.
//! - I7: no client id was accepted twice, and nothing was that the engine never sent.
//! - I8: no client id was sent twice, anywhere.
//! - I14: every fill that the engine counts, some venue made.
//! - I16: every order keeps to its tick, its lot, its band and the most it may be worth.

use std::collections::BTreeMap;

use super::exchange::SimExchange;
use super::venue::{Sim, Trader};
use crate::types::{
    Asset, Bps, ClientId, ContractKind, Money, Nanos, Position, Price, Qty, Rate, Round, Side,
};
use crate::venue::{Exchange, FillView, OrderView};

/// An order that the engine handed to a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineOrder {
    /// The simulated venue.
    pub venue: usize,
    /// The instrument, by that venue's exchange.
    pub instrument: usize,
    /// Its id.
    pub client: ClientId,
    /// Buy or sell.
    pub side: Side,
    /// Its limit, as last amended.
    pub price: Price,
    /// How much, as last amended.
    pub qty: Qty,
    /// The mid it was judged by; `None` leaves the band unchecked.
    pub mid: Option<Price>,
}

/// A fill that the engine counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EngineFill {
    /// The simulated venue.
    pub venue: usize,
    /// The order.
    pub client: ClientId,
    /// Side of the order.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// The fee; negative = rebate.
    pub fee: Money,
    /// Paid in.
    pub fee_asset: Asset,
}

/// What the engine believes that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnginePosition {
    /// The simulated venue.
    pub venue: usize,
    /// Of what.
    pub asset: Asset,
    /// Free and held together.
    pub amount: Money,
}

/// A position in a contract that the engine believes that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineContract {
    /// The simulated venue.
    pub venue: usize,
    /// The instrument, by that venue's exchange.
    pub instrument: usize,
    /// How much, and what it cost.
    pub position: Position,
}

/// The engine as it sees itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EngineView {
    /// Every order it sent.
    pub orders: Vec<EngineOrder>,
    /// Every fill it counted.
    pub fills: Vec<EngineFill>,
    /// Its positions; those it leaves out are not checked.
    pub positions: Vec<EnginePosition>,
    /// Its positions in contracts; those it leaves out are not checked.
    pub contracts: Vec<EngineContract>,
    /// What units of the assets that prices are in are worth in what limits are in; those it leaves out
    /// are that one.
    pub worths: Vec<(Asset, Rate)>,
    /// Nothing is open or under way: both sides must agree to the last unit.
    pub settled: bool,
}

/// What an order may be at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderCaps {
    /// Its value.
    pub notional_max: Money,
    /// How far its limit may be beyond the mid: above it for buys, below it for sells.
    pub band: Bps,
}

/// Something that must never happen, and did.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{invariant}: {text}")]
pub struct Violation {
    /// Which rule.
    pub invariant: &'static str,
    /// What is wrong, with its numbers.
    pub text: String,
}

/// Checks everything. The engine trades on the first account of each venue.
pub fn check(sim: &Sim, engine: &EngineView, caps: &OrderCaps) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    let mut venues = Vec::new();
    for venue in 0.. {
        let Some(exchange) = sim.exchange(venue) else { break };
        if let Err(text) = exchange.audit() {
            found.add("I1", format!("{}: {text}", sim.name(venue)));
        }
        for trader in sim.traders(venue) {
            venue_adds_up(sim.name(venue), exchange, trader, &mut found);
        }
        if let Some(trader) = sim.traders(venue).first() {
            venues.push(Seen {
                at: venue,
                name: sim.name(venue),
                exchange,
                trader,
                orders: exchange.all_orders(trader.account),
                fills: exchange.fills(trader.account, Nanos::ZERO),
            });
        }
    }
    engine_adds_up(&venues, engine, &mut found);
    contracts_add_up(&venues, engine, &mut found);
    ids_are_used_once(&venues, engine, &mut found);
    fills_are_real(&venues, engine, &mut found);
    orders_keep_their_caps(&venues, engine, caps, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, invariant: &'static str, text: String) {
        self.0.push(Violation { invariant, text });
    }
}

/// A venue with the engine's account there.
struct Seen<'a> {
    at: usize,
    name: &'a str,
    exchange: &'a SimExchange,
    trader: &'a Trader,
    orders: Vec<OrderView>,
    fills: Vec<FillView>,
}

fn started(trader: &Trader, asset: Asset) -> Money {
    trader.start.iter().filter(|(own, _)| *own == asset).map(|(_, amount)| *amount).sum()
}

/// What a fill does to an asset, before its fee.
fn flow(base: Asset, quote: Asset, side: Side, qty: Money, value: Money, asset: Asset) -> Money {
    let (bought, paid) = match side {
        Side::Buy => (qty, -value),
        Side::Sell => (-qty, value),
    };
    match asset {
        _ if asset == base => bought,
        _ if asset == quote => paid,
        _ => Money::ZERO,
    }
}

fn fill_flow(
    exchange: &SimExchange,
    instrument: usize,
    side: Side,
    price: Price,
    qty: Qty,
    asset: Asset,
) -> Money {
    let Some(spec) = exchange.instruments().get(instrument) else { return Money::ZERO };
    let value = spec.contract.value(price, qty, spec.scale).unwrap_or_default();
    match spec.contract.kind {
        ContractKind::Spot => {
            flow(spec.base, spec.quote, side, Money::from_scaled(qty.0, spec.scale), value, asset)
        }
        // What it stands for does not change hands, and an inverse one pays the other way.
        ContractKind::Inverse => {
            flow(Asset::EMPTY, spec.contract.settle, side.opposite(), Money::ZERO, value, asset)
        }
        ContractKind::Linear => flow(Asset::EMPTY, spec.contract.settle, side, Money::ZERO, value, asset),
    }
}

/// I3 at the venue: what it says that an account has is what came of its start.
fn venue_adds_up(name: &str, exchange: &SimExchange, trader: &Trader, found: &mut Found) {
    let fills = exchange.fills(trader.account, Nanos::ZERO);
    let mut held: BTreeMap<usize, i64> = BTreeMap::new();
    for fill in fills.iter().filter(|fill| is_contract(exchange, fill.instrument)) {
        *held.entry(fill.instrument).or_default() += fill.side.sign() * fill.qty.0;
    }
    for view in exchange.positions(trader.account) {
        let (want, have) = (held.remove(&view.instrument).unwrap_or_default(), view.position.qty.0);
        if have != want {
            found.add("I3", format!("{name}: position {have} in {}, fills give {want}", view.instrument));
        }
    }
    for (instrument, want) in held.into_iter().filter(|(_, want)| *want != 0) {
        found.add("I3", format!("{name}: no position in {instrument}, fills give {want}"));
    }
    let tied_up = exchange.tied_up(Some(trader.account));
    for balance in exchange.balances(trader.account) {
        let asset = balance.asset;
        let mut want = started(trader, asset) + tied_up.get(&asset).copied().unwrap_or_default();
        for fill in &fills {
            want += fill_flow(exchange, fill.instrument, fill.side, fill.price, fill.qty, asset);
            if fill.fee_asset == asset {
                want -= fill.fee;
            }
        }
        let have = balance.free + balance.locked;
        if have != want {
            found.add("I3", format!("{name}: {have} {asset} held, start and fills give {want}"));
        }
    }
}

/// I3 in the engine: its positions are its fills', and the venue's once all is settled.
fn engine_adds_up(venues: &[Seen<'_>], engine: &EngineView, found: &mut Found) {
    let instruments: BTreeMap<ClientId, usize> =
        engine.orders.iter().map(|order| (order.client, order.instrument)).collect();
    for EnginePosition { venue, asset, amount } in &engine.positions {
        let Some(seen) = venues.iter().find(|seen| seen.at == *venue) else {
            found.add("I3", format!("a position of {amount} {asset} at venue {venue}, which is none"));
            continue;
        };
        let tied_up = engine.tied_up(seen, *asset);
        let mut want = started(seen.trader, *asset) + tied_up;
        for fill in engine.fills.iter().filter(|fill| fill.venue == *venue) {
            let instrument = instruments.get(&fill.client).copied().unwrap_or(usize::MAX);
            want += fill_flow(seen.exchange, instrument, fill.side, fill.price, fill.qty, *asset);
            if fill.fee_asset == *asset {
                want -= fill.fee;
            }
        }
        if *amount != want {
            found.add("I3", format!("{}: the engine has {amount} {asset}, its fills give {want}", seen.name));
        }
        let balances = seen.exchange.balances(seen.trader.account);
        let theirs = balances.iter().find(|balance| balance.asset == *asset);
        let theirs = theirs.map_or(Money::ZERO, |balance| balance.free + balance.locked);
        let at_venue = seen.exchange.tied_up(Some(seen.trader.account));
        let at_venue = at_venue.get(asset).copied().unwrap_or_default();
        if engine.settled && *amount - tied_up != theirs - at_venue {
            found.add("I3", format!("{}: the engine has {amount} {asset}, the venue {theirs}", seen.name));
        }
    }
}

/// I3 for contracts: the engine's position is that of its fills, and the venue's once all is settled.
fn contracts_add_up(venues: &[Seen<'_>], engine: &EngineView, found: &mut Found) {
    let instruments: BTreeMap<ClientId, usize> =
        engine.orders.iter().map(|order| (order.client, order.instrument)).collect();
    for EngineContract { venue, instrument, position } in &engine.contracts {
        let Some(seen) = venues.iter().find(|seen| seen.at == *venue) else {
            found.add("I3", format!("a position of {} at venue {venue}, which is none", position.qty.0));
            continue;
        };
        let own = |fill: &&EngineFill| {
            fill.venue == *venue && instruments.get(&fill.client).is_some_and(|at| at == instrument)
        };
        let want: i64 = engine.fills.iter().filter(own).map(|fill| fill.side.sign() * fill.qty.0).sum();
        let views = seen.exchange.positions(seen.trader.account);
        let theirs = views.iter().find(|view| view.instrument == *instrument);
        let theirs = theirs.map_or(0, |view| view.position.qty.0);
        let have = position.qty.0;
        if have != want {
            found.add("I3", format!("{}: the engine's position is {have}, its fills give {want}", seen.name));
        }
        if engine.settled && have != theirs {
            found.add("I3", format!("{}: the engine's position is {have}, the venue's {theirs}", seen.name));
        }
    }
}

fn is_contract(exchange: &SimExchange, instrument: usize) -> bool {
    exchange.instruments().get(instrument).is_some_and(|spec| spec.contract.kind != ContractKind::Spot)
}

impl EngineView {
    /// What a value is worth in what limits are in, at the least. The rate of the order's own time is
    /// not known here: the last one stands in for it, with 2 % of room for what it moved since.
    fn worth_at_least(&self, quote: Asset, value: Money) -> Money {
        let rate = self.worths.iter().find(|(asset, rate)| *asset == quote && *rate != Rate::ONE);
        let Some((_, rate)) = rate else { return value };
        rate.money(value, Round::Down).map_or(Money(i128::MAX), |worth| Money(worth.0 / 102 * 100))
    }

    /// What the engine's positions at a venue tie up of the asset that they settle in.
    fn tied_up(&self, seen: &Seen<'_>, asset: Asset) -> Money {
        let own = self.contracts.iter().filter(|own| own.venue == seen.at).filter_map(|own| {
            let contract = seen.exchange.instruments().get(own.instrument)?.contract;
            (contract.settle == asset).then(|| own.position.tied_up(contract.kind))
        });
        own.sum()
    }
}

/// I7 and I8.
fn ids_are_used_once(venues: &[Seen<'_>], engine: &EngineView, found: &mut Found) {
    let mut sent: BTreeMap<ClientId, Vec<&EngineOrder>> = BTreeMap::new();
    for order in &engine.orders {
        sent.entry(order.client).or_default().push(order);
    }
    for (client, orders) in sent.iter().filter(|(_, orders)| orders.len() > 1) {
        found.add("I8", format!("{client} was sent {} times", orders.len()));
    }
    let mut accepted: BTreeMap<ClientId, usize> = BTreeMap::new();
    for seen in venues {
        for view in &seen.orders {
            // An id that is not shaped as ours is somebody else's business on this account.
            let Some(client) = ClientId::parse(view.order.client.as_bytes()) else { continue };
            *accepted.entry(client).or_default() += 1;
            let known = sent.get(&client).is_some_and(|orders| {
                orders.iter().any(|order| order.venue == seen.at && order.side == view.order.side)
            });
            if !known {
                found.add("I7", format!("{}: has {client}, which the engine never sent", seen.name));
            }
        }
    }
    for (client, count) in accepted.iter().filter(|(_, count)| **count > 1) {
        found.add("I7", format!("{client} was accepted {count} times"));
    }
}

/// I14. Trade numbers are spelled by each venue in its own way; what they stand for is compared.
fn fills_are_real(venues: &[Seen<'_>], engine: &EngineView, found: &mut Found) {
    let mut real: BTreeMap<EngineFill, i64> = BTreeMap::new();
    for seen in venues {
        for fill in &seen.fills {
            let Some(client) = ClientId::parse(fill.client.as_bytes()) else { continue };
            let FillView { side, price, qty, fee, fee_asset, .. } = *fill;
            *real
                .entry(EngineFill { venue: seen.at, client, side, price, qty, fee, fee_asset })
                .or_default() += 1;
        }
    }
    for fill in &engine.fills {
        let left = real.entry(*fill).or_default();
        *left -= 1;
        if *left < 0 {
            found.add("I14", format!("no venue made this fill: {fill:?}"));
        }
    }
    if engine.settled {
        for (fill, left) in real.iter().filter(|(_, left)| **left > 0) {
            found.add("I14", format!("the engine missed {left} of this fill: {fill:?}"));
        }
    }
}

/// I16.
fn orders_keep_their_caps(venues: &[Seen<'_>], engine: &EngineView, caps: &OrderCaps, found: &mut Found) {
    for order in &engine.orders {
        let Some(seen) = venues.iter().find(|seen| seen.at == order.venue) else {
            found.add("I16", format!("{} was sent to venue {}, which is none", order.client, order.venue));
            continue;
        };
        let Some(spec) = seen.exchange.instruments().get(order.instrument) else {
            found.add("I16", format!("{}: {} is for no instrument of it", seen.name, order.client));
            continue;
        };
        let notional = || spec.contract.notional(order.price, order.qty, spec.scale);
        match spec.check_worth(order.price, order.qty, notional) {
            Err(error) => found.add("I16", format!("{}: {}: {error}", seen.name, order.client)),
            Ok(value) if engine.worth_at_least(spec.quote, value) > caps.notional_max => {
                found.add("I16", format!("{}: {} is worth {value}", seen.name, order.client));
            }
            Ok(_) => {}
        }
        if let Some(mid) = order.mid {
            let beyond = i128::from(order.side.sign()) * (i128::from(order.price.0) - i128::from(mid.0));
            let whole = 10_000 * i128::from(Bps::ONE);
            if beyond * whole > i128::from(mid.0) * i128::from(caps.band.0) {
                found.add(
                    "I16",
                    format!("{}: {} at {} is too far from {}", seen.name, order.client, order.price.0, mid.0),
                );
            }
        }
    }
    // What arrived must be what was sent: an encoder's slip would show here.
    for seen in venues {
        for view in &seen.orders {
            let client = ClientId::parse(view.order.client.as_bytes());
            let Some(sent) = engine.orders.iter().find(|order| Some(order.client) == client) else {
                continue;
            };
            if (view.order.price, view.order.qty) != (sent.price, sent.qty) {
                found.add(
                    "I16",
                    format!(
                        "{}: {} arrived as {} at {}, not {} at {}",
                        seen.name,
                        sent.client,
                        view.order.qty.0,
                        view.order.price.0,
                        sent.qty.0,
                        sent.price.0
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::venue::tests::{plain, plain_linear};
    use super::*;
    use crate::types::btc_usdt;
    use crate::types::{ClientIdParts, Environment, Kind, Tif};
    use crate::venue::{NewOrder, PositionView};

    fn id(counter: u64) -> ClientId {
        ClientId::new(ClientIdParts { environment: Environment::Sim, run: 1, counter, leg: 0, tag: 7 })
    }

    const CAPS: OrderCaps = OrderCaps { notional_max: Money(1_000 * Money::ONE.0), band: Bps(50 * Bps::ONE) };

    /// A run of one order that filled at the first venue, as an honest engine tells it.
    fn honest() -> (Sim, EngineView) {
        honest_on(plain())
    }

    fn honest_on(mut sim: Sim) -> (Sim, EngineView) {
        let account = sim.traders(0)[0].account;
        let exchange = sim.exchange_mut(0).unwrap();
        let best = exchange.book(0, 1).asks[0];
        let (price, qty) = (best.price, Qty(1_000_000));
        let client = id(1);
        let order = NewOrder {
            instrument: 0,
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price,
            qty,
            reduce_only: false,
            client: client.to_string(),
        };
        let view = exchange.place(account, &order, Nanos(5)).unwrap();
        assert_eq!(view.filled, qty);
        let FillView { side, fee, fee_asset, .. } = view.fills[0];
        let positions = exchange.balances(account).into_iter().map(|balance| EnginePosition {
            venue: 0,
            asset: balance.asset,
            amount: balance.free + balance.locked,
        });
        let positions: Vec<_> = positions.collect();
        let contracts = exchange.positions(account).into_iter();
        let contracts = contracts.map(|view| {
            let PositionView { instrument, position, .. } = view;
            EngineContract { venue: 0, instrument, position }
        });
        let engine = EngineView {
            orders: vec![EngineOrder { venue: 0, instrument: 0, client, side, price, qty, mid: Some(price) }],
            fills: vec![EngineFill { venue: 0, client, side, price, qty, fee, fee_asset }],
            positions,
            contracts: contracts.collect(),
            worths: Vec::new(),
            settled: true,
        };
        (sim, engine)
    }

    #[test]
    fn an_honest_engine_passes() {
        let (sim, engine) = honest();
        assert_eq!(check(&sim, &engine, &CAPS), []);
        assert_eq!(check(&plain(), &EngineView::default(), &CAPS), []);
    }

    #[test]
    fn positions_in_contracts_are_checked() {
        type Lie = fn(&mut Sim, &mut EngineView);
        let lies: [Lie; 5] = [
            |_, engine| engine.positions[0].amount += Money(1),
            |_, engine| engine.contracts[0].position.qty.0 += 1,
            |_, engine| engine.contracts[0].position.cost += Money(1),
            |_, engine| engine.contracts[0].venue = 9,
            |_, engine| engine.fills.clear(),
        ];
        let (sim, engine) = honest_on(plain_linear());
        assert_eq!(engine.contracts.len(), 1);
        assert_eq!(check(&sim, &engine, &CAPS), []);
        for (at, lie) in lies.into_iter().enumerate() {
            let (mut sim, mut engine) = honest_on(plain_linear());
            lie(&mut sim, &mut engine);
            let found = check(&sim, &engine, &CAPS);
            assert!(found.iter().any(|found| found.invariant == "I3"), "lie {at}: {found:?}");
        }
    }

    /// Each lie, and the rule that must catch it.
    #[test]
    fn every_lie_is_caught() {
        type Lie = fn(&mut Sim, &mut EngineView);
        let lies: [(&str, Lie); 13] = [
            ("I1", |sim, _| {
                let usdt = btc_usdt().quote;
                sim.exchange_mut(0).unwrap().counterfeit(SimExchange::FEES, usdt, Money(1));
            }),
            ("I3", |_, engine| engine.positions[0].amount += Money(1)),
            ("I3", |_, engine| engine.positions[0].venue = 9),
            ("I3", |_, engine| engine.fills.clear()),
            ("I3", |sim, _| {
                let account = sim.traders(0)[0].account;
                sim.exchange_mut(0).unwrap().deposit(account, btc_usdt().base, Money::ONE);
            }),
            ("I7", |_, engine| engine.orders.clear()),
            ("I7", |sim, engine| {
                let account = sim.traders(0)[0].account;
                let EngineOrder { client, side, price, qty, .. } = engine.orders[0];
                let again = NewOrder {
                    instrument: 0,
                    side,
                    kind: Kind::Limit,
                    tif: Tif::Ioc,
                    price,
                    qty,
                    reduce_only: false,
                    client: client.to_string(),
                };
                sim.exchange_mut(0).unwrap().place(account, &again, Nanos(6)).unwrap();
            }),
            ("I8", |_, engine| {
                let again = engine.orders[0];
                engine.orders.push(again);
            }),
            ("I14", |_, engine| {
                let again = engine.fills[0];
                engine.fills.push(again);
            }),
            ("I14", |_, engine| engine.fills[0].fee = Money(1)),
            ("I16", |_, engine| engine.orders[0].price.0 += 1),
            ("I16", |_, engine| engine.orders[0].qty.0 *= 100),
            ("I16", |_, engine| engine.orders[0].mid = Some(Price(59_000 * 100_000_000))),
        ];
        for (at, (invariant, lie)) in lies.into_iter().enumerate() {
            let (mut sim, mut engine) = honest();
            lie(&mut sim, &mut engine);
            let found = check(&sim, &engine, &CAPS);
            assert!(found.iter().any(|found| found.invariant == invariant), "lie {at}: {found:?}");
        }
    }
}
