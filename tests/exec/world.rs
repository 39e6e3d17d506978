//! Two venues as they really are (balances, orders, fills), and the executor's view of them, which
//! may be late, repeated, or silent. Time is a number that tests move.

use std::collections::BTreeMap;

use xarb::detect::{Leg, Opportunity, Sums};
use xarb::exec::*;
use xarb::risk::{Kill, Limits, Quote};
use xarb::types::*;
use xarb::venue::*;

pub const E8: i64 = 100_000_000;
pub const BTC_USDT: InstrumentId = InstrumentId(0);

pub fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

pub fn asset(name: &str) -> Asset {
    Asset::new(name).unwrap()
}

/// What a venue does with the next order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Fills it, as far as it reaches.
    Fill,
    /// Fills half of it and cancels the rest.
    Half,
    /// Cancels all of it.
    Nothing,
    /// Refuses it.
    Refuse,
    /// Fills it and never says so, unless asked.
    FillSilently,
    /// Loses it on the way.
    Lose,
    /// Says nothing, and answers no question either.
    Mute,
}

pub struct Placed {
    pub draft: Draft,
    pub state: OrderState,
    pub filled: Qty,
    pub fills: Vec<Report>,
    pub mute: bool,
}

pub struct FakeVenue {
    pub id: VenueId,
    pub ready: bool,
    pub form: Form,
    pub fates: Vec<Fate>,
    pub outcome: SendOutcome,
    /// Fee on each fill, and whether it is taken from what is received.
    pub fee: FeeRate,
    pub fee_in_base: bool,
    /// What its prices are in.
    pub paid_in: &'static str,
    pub balances: BTreeMap<Asset, Money>,
    pub placed: BTreeMap<ClientId, Placed>,
    pub news: Vec<Report>,
    pub quote: Option<Quote>,
    pub window: Nanos,
    /// How many orders its rate limit has room for; `None` = any number.
    pub room: Option<u32>,
    /// Its orders can be begun ahead: how many were, and how many of those completed.
    pub begins: bool,
    pub begun: usize,
    pub completed: usize,
    encoded: BTreeMap<ClientId, Draft>,
    trades: u64,
    pub now: Nanos,
}

impl FakeVenue {
    fn change(&mut self, name: &str, by: Money) {
        *self.balances.entry(asset(name)).or_default() += by;
    }

    fn fill(&mut self, draft: &Draft, qty: Qty) -> Report {
        self.trades += 1;
        let touch = match draft.side {
            Side::Buy => self.quote.unwrap().ask.price.min(draft.price),
            Side::Sell => self.quote.unwrap().bid.price.max(draft.price),
        };
        let value = Money::notional(touch, qty, Scale::DEFAULT).unwrap();
        let amount = Money::from_scaled(qty.0, Scale::DEFAULT);
        let buys = draft.side == Side::Buy;
        let in_base = self.fee_in_base && buys;
        let (fee, fee_asset) =
            if in_base { (amount.fee_up(self.fee), "BTC") } else { (value.fee_up(self.fee), self.paid_in) };
        self.change("BTC", if buys { amount } else { -amount });
        self.change(self.paid_in, if buys { -value } else { value });
        self.change(fee_asset, -fee);
        Report::Filled {
            client: draft.client,
            venue_ref: VenueRef::new("order").unwrap(),
            trade: VenueRef::new(&format!("t{}", self.trades)).unwrap(),
            symbol: Symbol::new("BTCUSDT").unwrap(),
            side: draft.side,
            price: touch,
            qty,
            total: None,
            fee,
            fee_asset: asset(fee_asset),
            at: self.now,
        }
    }

    fn place(&mut self, client: ClientId) {
        let draft = self.encoded[&client];
        let fate = if self.fates.is_empty() { Fate::Fill } else { self.fates.remove(0) };
        assert!(!self.placed.contains_key(&client), "{client} was sent twice");
        if fate == Fate::Lose {
            return;
        }
        let qty = match fate {
            Fate::Fill | Fate::FillSilently | Fate::Mute => draft.qty,
            Fate::Half => Qty(draft.qty.0 / 2 / 1_000 * 1_000),
            _ => Qty::ZERO,
        };
        let fills: Vec<_> = (qty.0 > 0).then(|| self.fill(&draft, qty)).into_iter().collect();
        let state = match fate {
            Fate::Refuse => OrderState::Rejected,
            _ if qty == draft.qty => OrderState::Filled,
            _ => OrderState::Cancelled,
        };
        let at = self.now;
        let told = match fate {
            Fate::FillSilently | Fate::Mute => vec![],
            Fate::Refuse => {
                let code = VenueRef::new("-2010").unwrap();
                vec![Report::OrderError { client, class: Class::Refused, code, retry_at: None }]
            }
            _ => {
                let venue_ref = VenueRef::new("order").unwrap();
                let mut told = vec![Report::Accepted { client, venue_ref, at }];
                told.extend(fills.iter().cloned());
                told.push(Report::Ended { client, state, filled: Some(qty), at });
                told
            }
        };
        self.news.extend(told);
        self.placed.insert(client, Placed { draft, state, filled: qty, fills, mute: fate == Fate::Mute });
    }

    fn command(&mut self, command: &Command) {
        let at = self.now;
        match command {
            Command::Query { client, .. } => match self.placed.get(client) {
                Some(placed) if !placed.mute => self.news.push(Report::Status(OrderStatus {
                    client: Some(*client),
                    venue_ref: VenueRef::EMPTY,
                    symbol: Symbol::new("BTCUSDT").unwrap(),
                    side: placed.draft.side,
                    state: placed.state,
                    price: placed.draft.price,
                    qty: placed.draft.qty,
                    filled: placed.filled,
                })),
                Some(_) => {}
                None => self.news.push(Report::NotFound { client: *client }),
            },
            Command::Fills { .. } => {
                let fills =
                    self.placed.values().filter(|placed| !placed.mute).flat_map(|placed| &placed.fills);
                self.news.extend(fills.cloned());
            }
            Command::Balances => {
                let balances = self.balances.iter();
                self.news.extend(balances.map(|(asset, free)| Report::Balance {
                    asset: *asset,
                    free: *free,
                    locked: None,
                }));
            }
            Command::ServerTime => self.news.push(Report::ServerTime { venue: at, asked: at }),
            _ => {}
        }
    }
}

impl Gateway for FakeVenue {
    fn lanes(&self) -> Vec<LaneSpec> {
        vec![]
    }
    fn form(&self) -> Form {
        self.form
    }
    fn ready(&self) -> bool {
        self.ready
    }
    fn on(&mut self, _: GatewayInput<'_>, _: Nanos, _: &mut GatewayOut) {}
    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let text = order.client.hex();
        out.buffer()[..32].copy_from_slice(&text);
        out.set(0, 32)?;
        out.lane = Lane::Orders;
        out.expires = now + self.window;
        out.generation = 1;
        self.encoded.insert(order.client, *order);
        Ok(())
    }
    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if !self.begins {
            return Err(EncodeError::Unsupported);
        }
        // Begun again with another guess, in its own bytes, it is no new one.
        self.begun += usize::from(out.client != order.client);
        out.begun.at = 32;
        out.client = order.client;
        Ok(())
    }
    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        assert_eq!((out.begun.at, out.client), (32, order.client), "completed what was begun");
        self.completed += 1;
        self.encode(order, now, out)
    }
    fn spend(&mut self, _: &Draft, _: Urgency, _: Nanos) -> Result<(), Limited> {
        match &mut self.room {
            Some(0) => return Err(Limited("orders")),
            Some(room) => *room -= 1,
            None => {}
        }
        Ok(())
    }
    fn refund(&mut self, _: &Draft, _: Nanos) {
        self.room = self.room.map(|room| room + 1);
    }
    fn command(&mut self, _: &Command, _: Nanos, _: &mut GatewayOut) -> Result<(), Unsupported> {
        Ok(())
    }
}

pub struct Desk {
    pub venues: Vec<FakeVenue>,
    pub sent: Vec<(VenueId, Draft)>,
    pub withdrawn: Vec<(VenueId, ClientId)>,
    pub commands: Vec<(VenueId, Command)>,
    pub alerts: Vec<Alert>,
}

impl Context for Desk {
    fn gateway(&mut self, venue: VenueId) -> &mut dyn Gateway {
        &mut self.venues[usize::from(venue.0)]
    }
    fn quote(&mut self, venue: VenueId, _: InstrumentId) -> Option<Quote> {
        self.venues[usize::from(venue.0)].quote
    }
    fn send(&mut self, venue: VenueId, lane: Lane, client: ClientId, bytes: &[u8], _: Nanos) -> SendOutcome {
        assert_eq!((lane, bytes), (Lane::Orders, &client.hex()[..]));
        let own = &mut self.venues[usize::from(venue.0)];
        if own.outcome != SendOutcome::NotSent {
            self.sent.push((venue, own.encoded[&client]));
            own.place(client);
        }
        own.outcome
    }
    fn withdraw(&mut self, venue: VenueId, client: ClientId) {
        self.withdrawn.push((venue, client));
    }
    fn command(&mut self, venue: VenueId, command: Command) {
        self.commands.push((venue, command));
    }
    fn alert(&mut self, alert: Alert) {
        self.alerts.push(alert);
    }
}

pub struct World {
    pub exec: Executor,
    pub desk: Desk,
    pub now: Nanos,
}

pub fn spec() -> InstrumentSpec {
    InstrumentSpec {
        name: Text::new("BTC-USDT").unwrap(),
        symbol: Symbol::new("BTCUSDT").unwrap(),
        base: asset("BTC"),
        quote: asset("USDT"),
        scale: Scale::DEFAULT,
        tick: Price(1_000_000),
        lot: Qty(1_000),
        min_qty: Qty(1_000),
        max_qty: Qty(0),
        min_notional: money("5"),
        price_digits: 2,
        qty_digits: 5,
        contract: Contract::spot(asset("USDT"), Scale::DEFAULT),
        open: true,
    }
}

pub fn config() -> ExecutorConfig {
    config_of(2)
}

/// So many venues, up to four.
pub fn config_of(venues: usize) -> ExecutorConfig {
    let bps = |bps: i64| Bps(bps * Bps::ONE);
    let row = |venue| (VenueId(venue), BTC_USDT, spec(), FeeRate(100_000));
    ExecutorConfig {
        venues,
        markets: (0..venues as u8).map(row).collect(),
        environment: Environment::Sim,
        run: 1,
        tag_key: [7; 32],
        limits: Limits {
            order_notional_max: money("10000"),
            orders_per_second: 1_000,
            orders_burst: 1_000,
            hedge_reserve: 10,
            open_intents_max: 8,
            price_band: bps(100),
            exposure_max: money("100000"),
            book_age_max: vec![Nanos::from_millis(500); venues],
            cooldown: Nanos::ZERO,
            min_edge: bps(1),
            loss_max: money("5000"),
        },
        rates: None,
        hedge: HedgeRules {
            policy: Policy::Flatten,
            bound: bps(10),
            slippage_max: bps(50),
            attempts_max: 3,
            retry_after: Nanos::from_millis(100),
            life: Nanos::from_secs(30),
            keep_max: Money::ZERO,
        },
        patience: Patience {
            silence: Nanos::from_secs(1),
            ask_again: Nanos::from_millis(250),
            ask_again_max: Nanos::from_secs(2),
            absence: Absence { processing_bound: Nanos::from_secs(10), apart: Nanos::from_secs(1) },
        },
        inventory: vec![],
        orders_kept: 1_024,
        pool: 16,
        renew_before: Nanos::from_millis(200),
        ticks_ahead: 1,
        settle: Nanos::from_millis(200),
        drift_max: Money::ZERO,
        journal_pending: 1_024,
        journal_keep: true,
    }
}

pub fn quote(bid: i64, ask: i64, at: Nanos) -> Option<Quote> {
    let (bid, ask) = (Level::new(bid * E8, E8), Level::new(ask * E8, E8));
    Some(Quote { bid, ask, at, version: 1, live: true, old: false })
}

pub fn world() -> World {
    world_of(config())
}

pub fn world_of(config: ExecutorConfig) -> World {
    let start = Nanos::from_secs(1_000);
    let venue = |id, bid, ask| FakeVenue {
        id: VenueId(id),
        ready: true,
        form: Form::Session,
        fates: vec![],
        outcome: SendOutcome::Sent,
        fee: FeeRate(100_000),
        fee_in_base: false,
        paid_in: "USDT",
        balances: [(asset("BTC"), money("10")), (asset("USDT"), money("500000"))].into(),
        placed: BTreeMap::new(),
        news: vec![Report::Ready, Report::Streaming],
        quote: quote(bid, ask, start),
        window: Nanos::from_secs(1),
        room: None,
        begins: false,
        begun: 0,
        completed: 0,
        encoded: BTreeMap::new(),
        trades: u64::from(id) * 1_000_000,
        now: start,
    };
    let quotes = [(59_990, 60_000), (60_200, 60_210), (59_995, 60_005), (60_195, 60_205)];
    let venues = (0..).zip(quotes).take(config.venues).map(|(id, (bid, ask))| venue(id, bid, ask)).collect();
    let desk = Desk { venues, sent: vec![], withdrawn: vec![], commands: vec![], alerts: vec![] };
    let contracts = config.markets.iter().filter(|row| row.2.contract.kind != ContractKind::Spot);
    let flat = |symbol| Report::Position { symbol, qty: Qty::ZERO, entry: None };
    let contracts: Vec<_> = contracts.map(|row| (row.0, flat(row.2.symbol))).collect();
    let mut world = World { exec: Executor::new(config, Kill::new()).unwrap(), desk, now: start };
    world.step(2);
    for (venue, position) in contracts {
        let now = world.now;
        world.exec.on_report(venue, &position, now, &mut world.desk);
    }
    world
}

pub fn opportunity(qty: i64, at: Nanos) -> Opportunity {
    let leg = |venue, side, price| {
        let price = Price(price * E8);
        Leg { venue: VenueId(venue), side, price, qty: Qty(qty), book_version: 1 }
    };
    let value = |price: i64| Money::notional(Price(price * E8), Qty(qty), Scale::DEFAULT).unwrap();
    let (bought, sold) = (value(60_000), value(60_200));
    let fee = |value: Money| value.fee_up(FeeRate(100_000));
    let sums = Sums { bought, buy_fees: fee(bought), sold, sell_fees: fee(sold) };
    let legs = [leg(0, Side::Buy, 60_000), leg(1, Side::Sell, 60_200)];
    Opportunity::new(BTC_USDT, at, &legs, sums, false).unwrap()
}

/// Buys on venues 0 and 2, sells on 1 and, with four venues, on 3: each leg at the touch.
pub fn many_legs(venues: usize, qty: i64, at: Nanos) -> Opportunity {
    let leg = |venue, side, price, qty| {
        let price = Price(price * E8);
        Leg { venue: VenueId(venue), side, price, qty: Qty(qty), book_version: 1 }
    };
    let buys = [leg(0, Side::Buy, 60_000, qty), leg(2, Side::Buy, 60_005, qty)];
    let sells = match venues {
        3 => vec![leg(1, Side::Sell, 60_200, 2 * qty)],
        _ => vec![leg(1, Side::Sell, 60_200, qty), leg(3, Side::Sell, 60_195, qty)],
    };
    let legs = [buys.as_slice(), &sells].concat();
    let mut sums = Sums::default();
    for leg in &legs {
        let value = Money::notional(leg.price, leg.qty, Scale::DEFAULT).unwrap();
        let fee = value.fee_up(FeeRate(100_000));
        match leg.side {
            Side::Buy => (sums.bought, sums.buy_fees) = (sums.bought + value, sums.buy_fees + fee),
            Side::Sell => (sums.sold, sums.sell_fees) = (sums.sold + value, sums.sell_fees + fee),
        }
    }
    Opportunity::new(BTC_USDT, at, &legs, sums, false).unwrap()
}

impl World {
    pub fn fire_many(&mut self, qty: i64) -> Result<usize, xarb::risk::Refusal> {
        let opportunity = many_legs(self.desk.venues.len(), qty, self.now);
        self.exec.on_opportunity(&opportunity, self.now, &mut self.desk)
    }

    pub fn fire(&mut self, qty: i64) -> Result<usize, xarb::risk::Refusal> {
        self.exec.on_opportunity(&opportunity(qty, self.now), self.now, &mut self.desk)
    }

    /// So many milliseconds pass, news is delivered, commands are answered, books stay fresh.
    pub fn step(&mut self, ms: i64) {
        for _ in 0..ms {
            self.now = self.now + Nanos::from_millis(1);
            for venue in &mut self.desk.venues {
                venue.now = self.now;
                if let Some(quote) = &mut venue.quote {
                    quote.at = self.now;
                }
            }
            for (venue, command) in std::mem::take(&mut self.desk.commands) {
                self.desk.venues[usize::from(venue.0)].command(&command);
            }
            for at in 0..self.desk.venues.len() {
                for report in std::mem::take(&mut self.desk.venues[at].news) {
                    self.exec.on_report(VenueId(at as u8), &report, self.now, &mut self.desk);
                }
            }
            self.exec.tick(self.now, &mut self.desk);
            self.exec.idle(self.now, &mut self.desk);
            self.exec.check().unwrap();
        }
    }

    /// Our ledger against the venues' own, to the last unit.
    #[track_caller]
    pub fn assert_ledgers_agree(&self, what: &str) {
        for venue in &self.desk.venues {
            for (asset, theirs) in &venue.balances {
                let id = self.exec.ledger().find(*asset).unwrap();
                let ours = self.exec.ledger().position(venue.id, id);
                assert_eq!(ours, *theirs, "{what}: {asset} on venue {}", venue.id.0);
                assert_eq!(self.exec.ledger().held(venue.id, id), Money::ZERO, "{what}: held {asset}");
            }
        }
    }

    /// End minus start of the base asset.
    pub fn net_btc(&self) -> Money {
        self.exec.ledger().residual(BTC_USDT)
    }

    pub fn intent_outcomes(&self) -> [u64; 4] {
        self.exec.counts().outcomes
    }
}
