//! Paper trading: a gateway behind which nobody trades. Orders are filled against the books as they
//! are published, after a delay, and nothing leaves the process.
//!
//! What it leaves out makes it optimistic: others want the same quantity, and nobody reacts to our
//! fills. What it took stays taken until the book is published anew.

use std::collections::{BTreeMap, VecDeque};

use crate::book::{Reader, Top, Trust};
use crate::types::{
    Asset, ClientId, Contract, ContractKind, Draft, FeeRate, InstrumentId, InstrumentSpec, Kind, Level,
    Money, Nanos, OrderState, Position, Price, Qty, Report, Side, Symbol, Tif, VenueRef,
};
use crate::venue::{
    Command, EncodeError, FeeIn, Form, Gateway, GatewayInput, GatewayOut, Lane, LaneSpec, OrderBytes,
    Unsupported,
};

/// A market that paper orders meet.
pub struct PaperMarket {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The venue's rules.
    pub spec: InstrumentSpec,
    /// The book as published.
    pub book: Reader,
}

/// What a paper account is made from.
pub struct PaperConfig {
    /// What it trades.
    pub markets: Vec<PaperMarket>,
    /// What it starts with.
    pub balances: Vec<(Asset, Money)>,
    /// What taking costs.
    pub taker: FeeRate,
    /// What fees are taken from.
    pub fee_in: FeeIn,
    /// From the send to the match.
    pub latency: Nanos,
}

/// See the module documentation.
pub struct PaperGateway {
    config: PaperConfig,
    balances: BTreeMap<Asset, Money>,
    /// Positions in contracts, by market.
    positions: Vec<Position>,
    /// Orders on their way, oldest first.
    under_way: VecDeque<(Nanos, Draft)>,
    /// Orders made ready, until they are sent.
    drafts: Vec<Draft>,
    /// What was taken of a book, by market and side, since it was last published.
    taken: Vec<[(u64, Qty); 2]>,
    top: Top,
    trades: u64,
    told_ready: bool,
}

/// Orders that may be ready and unsent at once.
const DRAFTS_MAX: usize = 256;

impl PaperGateway {
    /// An account with its starting balances.
    pub fn new(config: PaperConfig) -> PaperGateway {
        PaperGateway {
            balances: config.balances.iter().copied().collect(),
            under_way: VecDeque::new(),
            drafts: Vec::new(),
            positions: vec![Position::FLAT; config.markets.len()],
            taken: vec![[(0, Qty::ZERO); 2]; config.markets.len()],
            top: Top::default(),
            trades: 0,
            told_ready: false,
            config,
        }
    }

    /// Fills an order at the book as it stands, at its limit or better.
    fn fill(&mut self, draft: &Draft, now: Nanos, out: &mut GatewayOut) {
        let client = draft.client;
        let accepted = Report::Accepted { client, venue_ref: reference(client), at: now };
        let Some(at) = self.config.markets.iter().position(|market| market.instrument == draft.instrument)
        else {
            return;
        };
        out.reports.push(accepted);
        let mut filled = Qty::ZERO;
        let market = &self.config.markets[at];
        let readable = (0..1_000).any(|_| market.book.read(&mut self.top));
        if readable && self.top.trust == Trust::Live && !self.top.crossed {
            let levels: Vec<Level> = match draft.side {
                Side::Buy => self.top.asks().to_vec(),
                Side::Sell => self.top.bids().to_vec(),
            };
            let taken = &mut self.taken[at][draft.side as usize];
            if taken.0 != self.top.version {
                *taken = (self.top.version, Qty::ZERO);
            }
            let mut gone = taken.1;
            for level in levels {
                let crosses = match draft.side {
                    Side::Buy => level.price <= draft.price,
                    Side::Sell => level.price >= draft.price,
                };
                if !crosses && draft.kind != Kind::Market {
                    break;
                }
                let left = Qty((level.qty.0 - gone.0).max(0));
                gone = Qty((gone.0 - level.qty.0).max(0));
                let lot = self.config.markets[at].spec.lot;
                let mut wanted = Qty(draft.qty.0 - filled.0);
                if draft.reduce_only {
                    wanted = wanted.min(self.positions[at].closable(draft.side));
                }
                let qty = left.min(wanted).floor_to(lot);
                if qty.0 > 0 && self.book(at, draft, level.price, qty, Qty(filled.0 + qty.0), now, out) {
                    filled = Qty(filled.0 + qty.0);
                    self.taken[at][draft.side as usize].1.0 += qty.0;
                }
                if filled == draft.qty {
                    break;
                }
            }
        }
        let state = if filled == draft.qty { OrderState::Filled } else { OrderState::Cancelled };
        out.reports.push(Report::Ended { client, state, filled: Some(filled), at: now });
    }

    /// Books one fill; false when the account cannot pay for it.
    #[allow(clippy::too_many_arguments)]
    fn book(
        &mut self,
        at: usize,
        draft: &Draft,
        price: Price,
        qty: Qty,
        total: Qty,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> bool {
        let spec = &self.config.markets[at].spec;
        let Some(value) = spec.contract.value(price, qty, spec.scale) else { return false };
        if spec.contract.kind != ContractKind::Spot {
            let fee = value.fee_up(self.config.taker);
            let (settle, symbol) = (spec.contract.settle, spec.symbol);
            if !self.book_contract(at, draft.side, qty, value, fee) {
                return false;
            }
            self.tell(draft, symbol, (price, qty, total), (fee, settle), now, out);
            return true;
        }
        let amount = Money::from_scaled(qty.0, spec.scale);
        let (pays, gets) = match draft.side {
            Side::Buy => ((spec.quote, value), (spec.base, amount)),
            Side::Sell => ((spec.base, amount), (spec.quote, value)),
        };
        let fee_asset = match self.config.fee_in {
            FeeIn::Quote => spec.quote,
            FeeIn::Received => gets.0,
        };
        let fee = if fee_asset == spec.quote { value } else { amount }.fee_up(self.config.taker);
        let cost = if fee_asset == pays.0 { pays.1 + fee } else { pays.1 };
        if self.balance(pays.0) < cost {
            return false;
        }
        let symbol = spec.symbol;
        *self.balances.entry(pays.0).or_default() -= pays.1;
        *self.balances.entry(gets.0).or_default() += gets.1;
        *self.balances.entry(fee_asset).or_default() -= fee;
        self.tell(draft, symbol, (price, qty, total), (fee, fee_asset), now, out);
        true
    }

    /// Moves a position, when the account can pay for what it is then in full: reducing needs nothing.
    fn book_contract(&mut self, at: usize, side: Side, qty: Qty, value: Money, fee: Money) -> bool {
        let Contract { kind, settle, .. } = self.config.markets[at].spec.contract;
        let mut after = self.positions[at];
        let realised = after.fill_of(kind, side, qty, value) - fee;
        let same = |other: &usize| self.config.markets[*other].spec.contract.settle == settle;
        let others = (0..self.positions.len()).filter(|other| *other != at).filter(same);
        let others: Money = others.map(|other| self.positions[other].cost.abs()).sum();
        let grows = after.cost.abs() > self.positions[at].cost.abs();
        if grows && self.balance(settle) + realised < others + after.cost.abs() {
            return false;
        }
        self.positions[at] = after;
        *self.balances.entry(settle).or_default() += realised;
        true
    }

    fn tell(
        &mut self,
        draft: &Draft,
        symbol: Symbol,
        (price, qty, total): (Price, Qty, Qty),
        (fee, fee_asset): (Money, Asset),
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        self.trades += 1;
        out.reports.push(Report::Filled {
            client: draft.client,
            venue_ref: reference(draft.client),
            trade: VenueRef::new(&self.trades.to_string()).unwrap_or_default(),
            symbol,
            side: draft.side,
            price,
            qty,
            total: Some(total),
            fee,
            fee_asset,
            at: now,
        });
    }

    fn balance(&self, asset: Asset) -> Money {
        self.balances.get(&asset).copied().unwrap_or_default()
    }
}

fn reference(client: ClientId) -> VenueRef {
    VenueRef::new(&client.to_string()).unwrap_or_default()
}

impl Gateway for PaperGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        Vec::new()
    }

    fn form(&self) -> Form {
        Form::Session
    }

    fn ready(&self) -> bool {
        true
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            // What was encoded comes back here instead of leaving.
            GatewayInput::Text(_, bytes) => {
                let Some(client) = ClientId::parse(bytes.message()) else { return };
                if let Some(at) = self.drafts.iter().position(|draft| draft.client == client) {
                    let draft = self.drafts.remove(at);
                    self.under_way.push_back((now + self.config.latency, draft));
                }
            }
            GatewayInput::Tick => {
                if !std::mem::replace(&mut self.told_ready, true) {
                    out.reports.push(Report::Ready);
                    out.reports.push(Report::Streaming);
                }
                while self.under_way.front().is_some_and(|(due, _)| *due <= now) {
                    let Some((_, draft)) = self.under_way.pop_front() else { break };
                    self.fill(&draft, now, out);
                }
            }
            _ => {}
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let market = self.config.markets.iter().find(|market| market.instrument == order.instrument);
        let market = market.ok_or(EncodeError::UnknownInstrument)?;
        market.spec.check(order.price, order.qty)?;
        if order.tif != Tif::Ioc || order.kind == Kind::PostOnly {
            return Err(EncodeError::Unsupported);
        }
        if self.drafts.len() == DRAFTS_MAX {
            self.drafts.remove(0);
        }
        self.drafts.push(*order);
        let id = order.client.hex();
        out.buffer()[..id.len()].copy_from_slice(&id);
        out.set(0, id.len())?;
        out.lane = Lane::Orders;
        out.client = order.client;
        out.expires = now + Nanos::from_secs(1);
        Ok(())
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        match command {
            Command::Balances => {
                for (asset, free) in &self.balances {
                    out.reports.push(Report::Balance {
                        asset: *asset,
                        free: *free,
                        locked: Some(Money::ZERO),
                    });
                }
                for (market, position) in self.config.markets.iter().zip(&self.positions) {
                    let spec = &market.spec;
                    if spec.contract.kind != ContractKind::Spot {
                        let entry = spec.contract.entry(position, spec.scale);
                        let entry = entry.and_then(|entry| entry.floor_to_scaled(spec.scale)).map(Price);
                        out.reports.push(Report::Position { symbol: spec.symbol, qty: position.qty, entry });
                    }
                }
            }
            Command::ServerTime => out.reports.push(Report::ServerTime { venue: now, asked: now }),
            Command::Query { client, .. } if !self.under_way.iter().any(|(_, own)| own.client == *client) => {
                out.reports.push(Report::NotFound { client: *client });
            }
            Command::OpenOrders => out.reports.push(Report::OpenOrdersEnd { count: 0 }),
            Command::Query { .. } | Command::Fills { .. } | Command::CancelAll { .. } => {}
            _ => return Err(Unsupported { venue: "paper", what: "such a request" }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Writer, cell};
    use crate::types::{VenueId, btc_usdt};
    use crate::wire::PaddedBuf;

    const ONE: i64 = 100_000_000;

    fn gateway(usdt: &str) -> (PaperGateway, Writer) {
        of(usdt, btc_usdt())
    }

    fn of(usdt: &str, spec: InstrumentSpec) -> (PaperGateway, Writer) {
        let spec = InstrumentSpec { max_qty: Qty(0), min_notional: Money::ZERO, ..spec };
        let quote = spec.quote;
        let (mut writer, book) = cell();
        let mut top = Top { trust: Trust::Live, ask_count: 2, ..Top::default() };
        top.asks[0] = Level::new(100 * ONE, ONE);
        top.asks[1] = Level::new(101 * ONE, ONE);
        writer.publish(&top);
        let config = PaperConfig {
            markets: vec![PaperMarket { instrument: InstrumentId(0), spec, book }],
            balances: vec![(quote, Money::parse(usdt).unwrap())],
            taker: FeeRate(100_000),
            fee_in: FeeIn::Quote,
            latency: Nanos::from_millis(5),
        };
        (PaperGateway::new(config), writer)
    }

    #[test]
    fn a_contract_is_sold_without_being_owned_and_closed_without_being_paid() {
        let spot = btc_usdt();
        let contract = Contract { kind: ContractKind::Linear, ..spot.contract };
        let (mut gateway, mut writer) = of("100", InstrumentSpec { contract, ..spot });
        let position = |gateway: &mut PaperGateway| {
            let mut out = GatewayOut::default();
            gateway.command(&Command::Balances, Nanos(9), &mut out).unwrap();
            match out.reports[..] {
                [Report::Balance { free, .. }, Report::Position { qty, entry, .. }] => {
                    (free.to_string(), qty.0 * 10 / ONE, entry.map(|price| price.0 / ONE))
                }
                ref other => panic!("{other:?}"),
            }
        };
        assert_eq!(buy(&mut gateway, 1, ONE), (0, vec![]), "one is 100, and the fee is missing");
        assert_eq!(buy(&mut gateway, 2, ONE / 2), (ONE / 2, vec![100]));
        assert_eq!(position(&mut gateway), ("99.95".into(), 5, Some(100)));
        let mut top = Top { trust: Trust::Live, bid_count: 1, ..Top::default() };
        top.bids[0] = Level::new(110 * ONE, ONE);
        writer.publish(&top);
        let sell = |gateway: &mut PaperGateway, id, qty, reduce_only| {
            let draft = Draft { reduce_only, ..draft(id, Side::Sell, 110, qty) };
            trade(gateway, &draft).0
        };
        assert_eq!(sell(&mut gateway, 3, ONE * 3 / 5, true), ONE / 2, "no more than there is");
        assert_eq!(position(&mut gateway), ("104.895".into(), 0, None));
        assert_eq!(sell(&mut gateway, 4, ONE / 5, false), ONE / 5);
        assert_eq!(position(&mut gateway), ("104.873".into(), -2, Some(110)));
    }

    /// Buys on paper at 101 and says what was filled, in all and at which prices.
    fn buy(gateway: &mut PaperGateway, id: u128, qty: i64) -> (i64, Vec<i64>) {
        trade(gateway, &draft(id, Side::Buy, 101, qty))
    }

    fn draft(id: u128, side: Side, price: i64, qty: i64) -> Draft {
        Draft {
            client: ClientId::from_bits(id),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: Price(price * ONE),
            qty: Qty(qty),
            reduce_only: false,
        }
    }

    fn trade(gateway: &mut PaperGateway, draft: &Draft) -> (i64, Vec<i64>) {
        let (mut bytes, mut out) = (OrderBytes::new(), GatewayOut::default());
        gateway.encode(draft, Nanos(0), &mut bytes).unwrap();
        let mut padded = PaddedBuf::default();
        let text = padded.fill(bytes.as_slice());
        gateway.on(GatewayInput::Text(Lane::Orders, text), Nanos(0), &mut out);
        gateway.on(GatewayInput::Tick, Nanos::from_millis(4), &mut out);
        assert!(!out.reports.iter().any(|r| matches!(r, Report::Accepted { .. })), "too early");
        gateway.on(GatewayInput::Tick, Nanos::from_millis(5), &mut out);
        let prices = out.reports.iter().filter_map(|report| match report {
            Report::Filled { price, .. } => Some(price.0 / ONE),
            _ => None,
        });
        let prices = prices.collect();
        match out.reports.last() {
            Some(Report::Ended { filled: Some(filled), .. }) => (filled.0, prices),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paper_orders_take_what_is_published_once() {
        let (mut gateway, mut writer) = gateway("1000");
        assert_eq!(buy(&mut gateway, 1, ONE * 3 / 2), (ONE * 3 / 2, vec![100, 101]));
        assert_eq!(buy(&mut gateway, 2, ONE), (ONE / 2, vec![101]), "the rest was taken before");
        let mut top = Top { trust: Trust::Live, ask_count: 1, ..Top::default() };
        top.asks[0] = Level::new(100 * ONE, ONE);
        writer.publish(&top);
        assert_eq!(buy(&mut gateway, 3, ONE), (ONE, vec![100]), "published anew");
        writer.withdraw(Trust::Lost);
        assert_eq!(buy(&mut gateway, 4, ONE), (0, vec![]), "nobody trades on a lost book");
    }

    #[test]
    fn a_paper_account_cannot_spend_what_it_does_not_have() {
        let (mut gateway, _writer) = gateway("100");
        assert_eq!(buy(&mut gateway, 1, ONE), (0, vec![]), "the fee is missing");
        assert_eq!(buy(&mut gateway, 2, ONE / 2), (ONE / 2, vec![100]));
    }
}
