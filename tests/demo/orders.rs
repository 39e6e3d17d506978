//! Every type of order that an operator's gateway has, and everything that is done with one that rests:
//! through the real encoder, over real sockets, to a simulated exchange whose market stands still. What
//! comes back is held against the exchange's own ledger.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xarb::config::{Config, DEMO};
use xarb::engine::connection::ConnectionConfig;
use xarb::engine::{Endpoints, Lanes, Tap};
use xarb::exec::SendOutcome;
use xarb::host::{Dialer, HostClock, ListenConfig, Listening, TlsRoots, serve};
use xarb::sim::setup::{listed, simulate};
use xarb::sim::venue::Sim;
use xarb::types::*;
use xarb::venue::*;

const IOC: (Kind, Tif) = (Kind::Limit, Tif::Ioc);
const FOK: (Kind, Tif) = (Kind::Limit, Tif::Fok);
const GTC: (Kind, Tif) = (Kind::Limit, Tif::Gtc);
const POST: (Kind, Tif) = (Kind::PostOnly, Tif::Gtc);
const MARKET: (Kind, Tif) = (Kind::Market, Tif::Ioc);
const ALL: [(Kind, Tif); 5] = [IOC, FOK, GTC, POST, MARKET];

/// What may be done with an order that rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// Its limit and its quantity.
    Any,
    /// Its quantity, to less.
    Less,
}

/// An operator as it is tried here.
struct Operator {
    venue: &'static str,
    transport: Transport,
    /// The types of orders that it takes by that transport.
    types: &'static [(Kind, Tif)],
    /// What may be changed of an order that rests, where anything may.
    amends: Option<Change>,
    /// It cancels an order and places another in one request.
    replaces: bool,
    /// What a message of its private stream about an order holds.
    private: &'static str,
}

const OPERATORS: [Operator; 16] = {
    use Transport::{Rest, Ws};
    const fn of(
        venue: &'static str,
        transport: Transport,
        types: &'static [(Kind, Tif)],
        private: &'static str,
    ) -> Operator {
        Operator { venue, transport, types, amends: Some(Change::Any), replaces: false, private }
    }
    const fn binance(transport: Transport) -> Operator {
        let private = "\"executionReport\"";
        Operator {
            amends: Some(Change::Less),
            replaces: true,
            ..of("binance.spot", transport, &ALL, private)
        }
    }
    [
        binance(Ws),
        binance(Rest),
        of("coinbase.advanced", Rest, &[IOC, FOK, GTC, POST], "\"channel\":\"user\""),
        of("kraken.spot", Ws, &[IOC, GTC, POST], "\"channel\":\"executions\""),
        of("kraken.spot", Rest, &[IOC, FOK, GTC, POST], "\"channel\":\"executions\""),
        of("bybit.spot", Ws, &ALL, "\"topic\":\"order"),
        of("bybit.spot", Rest, &ALL, "\"topic\":\"order"),
        of("okx.spot", Ws, &[IOC, FOK, GTC, POST], "\"channel\":\"orders\""),
        of("okx.spot", Rest, &[IOC, FOK, GTC, POST], "\"channel\":\"orders\""),
        // Each operator's other market: contracts, and the older of two products.
        of("binance.usdm", Ws, &ALL, "\"ORDER_TRADE_UPDATE\""),
        of("binance.usdm", Rest, &ALL, "\"ORDER_TRADE_UPDATE\""),
        Operator {
            amends: None,
            // Later messages name an order by the venue's id alone.
            ..of("coinbase.exchange", Rest, &[IOC, FOK, GTC, POST], "\"type\":\"received\"")
        },
        of("bybit.linear", Ws, &ALL, "\"topic\":\"order"),
        of("bybit.linear", Rest, &ALL, "\"topic\":\"order"),
        of("okx.swap", Ws, &[IOC, FOK, GTC, POST], "\"channel\":\"orders\""),
        of("okx.swap", Rest, &[IOC, FOK, GTC, POST], "\"channel\":\"orders\""),
    ]
};

#[test]
fn every_type_of_order_is_placed_over_loopback_sockets() {
    for operator in &OPERATORS {
        let mut desk = Desk::open(operator);
        for side in Side::BOTH {
            for (kind, tif) in ALL {
                desk.try_type(side, kind, tif);
            }
        }
        desk.close();
    }
}

#[test]
fn orders_that_rest_are_changed_and_cancelled_over_loopback_sockets() {
    for operator in &OPERATORS {
        let mut desk = Desk::open(operator);
        for side in Side::BOTH {
            desk.amend_and_cancel(side);
            if operator.replaces {
                desk.replace(side);
            }
        }
        desk.cancel_all();
        desk.close();
    }
}

/// Texts that came over sockets.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Tap for Heard {
    fn feed(&mut self, _: VenueId, _: Nanos, _: &FeedInput<'_>) {}

    fn gateway(&mut self, _: VenueId, _: Nanos, input: &GatewayInput<'_>) {
        if let GatewayInput::Text(_, text) = input {
            self.0.lock().unwrap().push(String::from_utf8(text.message().to_vec()).unwrap());
        }
    }
}

/// A simulated exchange, and the sockets to its private side.
struct Desk<'a> {
    operator: &'a Operator,
    clock: HostClock,
    served: Listening<Sim>,
    /// The exchange's place among those that are served.
    place: usize,
    account: AccountId,
    spec: InstrumentSpec,
    lanes: Lanes,
    reports: Vec<Report>,
    heard: Heard,
    orders: u64,
}

impl<'a> Desk<'a> {
    fn open(operator: &'a Operator) -> Desk<'a> {
        let transport = if operator.transport == Transport::Ws { "ws" } else { "rest" };
        let changes =
            [format!("venue.\"{}\".transport={transport}", operator.venue), "sim.partial_ppm=0".to_owned()];
        let config = match DEMO.contains(&format!("[venue.\"{}\"]", operator.venue)) {
            true => Config::demo_on(&[operator.venue], &changes).unwrap(),
            false => Config::parse("markets.toml", &super::other_markets(), &changes).unwrap(),
        };
        let place = usize::from(config.venue_id(operator.venue).unwrap().0);
        let clock = HostClock::new();
        let (mut sim, keys) = simulate(&config, clock.now()).unwrap();
        sim.market_mut().freeze();
        let account = sim.traders(place)[0].account;
        let served = serve(sim, ListenConfig::default(), clock.clone()).unwrap();
        let (row, at) = (find(operator.venue).unwrap(), served.addresses()[place]);
        let endpoints = Endpoints::simulated(&at.ip().to_string(), at.port(), &row.sim);
        let (_, spec) = listed(&config, place).unwrap().remove(0);
        let gateway = row.gateway.unwrap()(&GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(InstrumentId(0), spec.clone())],
            credentials: keys[place].clone(),
            transport: operator.transport,
            rest: endpoints.rest,
            orders: endpoints.orders,
            private: endpoints.private,
            // A busy machine is no reason for an order to be late.
            window_ms: 20_000,
            nonce_from: 1,
            mask_seed: 7,
        });
        let dialer = Dialer::new(TlsRoots::new(&[]).unwrap(), clock.clone());
        let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
        let config = ConnectionConfig::DEFAULT;
        let mut lanes = Lanes::new(VenueId(0), operator.venue, gateway.unwrap(), &mut dial, config, 3);
        let heard = Heard::default();
        lanes.set_tap(Box::new(heard.clone()));
        let reports = Vec::new();
        let mut desk =
            Desk { operator, clock, served, place, account, spec, lanes, reports, heard, orders: 0 };
        desk.wait("to be ready", |desk| desk.lanes.gateway().ready());
        desk
    }

    /// Nothing was misunderstood on either side, and the books of both agree.
    fn close(self) {
        let wrong = self.reports.iter().find(|report| matches!(report, Report::Malformed(_)));
        assert_eq!(wrong, None, "{}", self.operator.venue);
        let sim = self.served.stop().unwrap();
        let exchange = sim.exchange(self.place).unwrap();
        exchange.audit().unwrap();
        assert_eq!(exchange.open_orders(self.account), [], "{}", self.operator.venue);
    }

    #[track_caller]
    fn wait(&mut self, what: &str, mut done: impl FnMut(&mut Desk<'_>) -> bool) {
        let until = self.clock.now() + Nanos::from_secs(20);
        while !done(self) {
            let (venue, now) = (self.operator.venue, self.clock.now());
            let (reports, alerts) = (&self.reports, self.lanes.alerts());
            assert!(
                now < until,
                "{venue} {:?} waits {what}: {reports:?} {alerts:?}",
                self.operator.transport
            );
            if !self.lanes.poll(now) {
                std::thread::sleep(Duration::from_micros(200));
            }
            self.lanes.take_reports(&mut self.reports);
        }
    }

    /// Waits until the venue's stream told of an order.
    #[track_caller]
    fn wait_for_stream(&mut self, order: &Draft) {
        let names = [order.client.hex().to_vec(), order.client.uuid().to_vec()];
        let names = names.map(|name| String::from_utf8(name).unwrap());
        self.wait("for the private stream", |desk| {
            let heard = desk.heard.0.lock().unwrap();
            heard.iter().any(|text| {
                text.contains(desk.operator.private) && names.iter().any(|name| text.contains(name))
            })
        });
    }

    /// The order as the exchange has it; `None` where it never had it.
    fn ledger(&self, order: &Draft) -> Option<OrderView> {
        let names = [order.client.hex().to_vec(), order.client.uuid().to_vec()];
        let (place, account) = (self.place, self.account);
        let find = move |sim: &mut Sim| {
            let exchange = sim.exchange(place).unwrap();
            let found = |name| exchange.order(account, &OrderRef::Client(String::from_utf8(name).unwrap()));
            names.into_iter().find_map(found)
        };
        self.served.with(find).unwrap()
    }

    /// A limit that reaches through what rests on the other side, or one that is far from it.
    fn price(&self, side: Side, crossing: bool) -> Price {
        let book = self.served.with(|sim| sim.exchange(self.place).unwrap().book(0, 1)).unwrap();
        let (best, sign) = match side {
            Side::Buy => (book.asks[0].price.0, 1),
            Side::Sell => (book.bids[0].price.0, -1),
        };
        let share = if crossing { best / 200 } else { best / -20 };
        let price = best + sign * share;
        Price(price - price % self.spec.tick.0)
    }

    fn draft(&mut self, side: Side, (kind, tif): (Kind, Tif), crossing: bool) -> Draft {
        self.orders += 1;
        let parts =
            ClientIdParts { environment: Environment::Sim, run: 1, counter: self.orders, leg: 0, tag: 7 };
        Draft {
            client: ClientId::new(parts),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side,
            kind,
            tif,
            price: self.price(side, crossing),
            qty: Qty(200_000),
            reduce_only: false,
        }
    }

    /// Counts the order against the venue's limits, and sends it; written ahead where it can be, as the
    /// engine does.
    #[track_caller]
    fn send(&mut self, draft: &Draft) {
        let draft = *draft;
        self.wait("for room below the limits", |desk| {
            let now = desk.clock.now();
            desk.lanes.gateway().spend(&draft, Urgency::Order, now).is_ok()
        });
        let mut bytes = OrderBytes::new();
        // Where each order takes a token, the next one may still be in the making.
        self.wait("for the means to write it", |desk| {
            let now = desk.clock.now();
            let gateway = desk.lanes.gateway();
            let written = match gateway.begin(&draft, &mut bytes) {
                Ok(()) => gateway.complete(&draft, now, &mut bytes),
                Err(_) => gateway.encode(&draft, now, &mut bytes),
            };
            assert!(matches!(written, Ok(()) | Err(EncodeError::NotReady)), "{written:?}");
            written.is_ok()
        });
        let sent = self.lanes.send(bytes.lane, draft.client, bytes.as_slice(), bytes.expires);
        assert_eq!(sent, SendOutcome::Sent, "{}", self.operator.venue);
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        self.lanes.command(&command, now);
    }

    fn accepted(&self, order: &Draft) -> bool {
        self.reports
            .iter()
            .any(|report| matches!(report, Report::Accepted { client, .. } if *client == order.client))
    }

    /// What was told to have filled of an order: each trade once, however often it is told.
    fn filled(&self, order: &Draft) -> Qty {
        let mut trades = BTreeMap::new();
        for report in &self.reports {
            if let Report::Filled { client, trade, side, price, qty, .. } = report
                && *client == order.client
            {
                let within = match side {
                    Side::Buy => *price <= order.price,
                    Side::Sell => *price >= order.price,
                };
                assert!(*side == order.side && (within || order.kind == Kind::Market), "{report:?}");
                trades.insert(*trade, qty.0);
            }
        }
        Qty(trades.values().sum())
    }

    /// How it ended, and how much was told to be filled then.
    fn ended(&self, order: &Draft) -> Option<(OrderState, Option<Qty>)> {
        self.reports.iter().find_map(|report| match report {
            Report::Ended { client, state, filled, .. } if *client == order.client => Some((*state, *filled)),
            _ => None,
        })
    }

    fn refused(&self, order: &Draft) -> bool {
        self.reports.iter().any(|report| {
            matches!(report, Report::OrderError { client, class: Class::Refused, .. } if *client == order.client)
        })
    }

    /// One type of order: where it can trade, and where it cannot.
    fn try_type(&mut self, side: Side, kind: Kind, tif: Tif) {
        let name = format!("{} {:?} {side:?} {kind:?} {tif:?}", self.operator.venue, self.operator.transport);
        let crossing = self.draft(side, (kind, tif), true);
        if !self.operator.types.contains(&(kind, tif)) {
            let mut bytes = OrderBytes::new();
            let refused = self.lanes.gateway().encode(&crossing, self.clock.now(), &mut bytes);
            assert_eq!(refused, Err(EncodeError::Unsupported), "{name}");
            return;
        }
        self.send(&crossing);
        if kind == Kind::PostOnly {
            // It would take: it is refused, or received and ended.
            self.wait("for a refusal", |desk| desk.refused(&crossing) || desk.ended(&crossing).is_some());
            assert_eq!(self.filled(&crossing), Qty(0), "{name}");
            let ledger = self.ledger(&crossing);
            assert!(ledger.is_none_or(|ledger| ledger.filled == Qty(0)), "{name}");
        } else {
            self.wait("for fills", |desk| desk.accepted(&crossing) && desk.filled(&crossing) == crossing.qty);
            self.wait_for_stream(&crossing);
            let ledger = self.ledger(&crossing).unwrap();
            assert_eq!((ledger.state, ledger.filled), (OrderState::Filled, crossing.qty), "{name}");
            assert_eq!((ledger.order.kind, ledger.order.side), (kind, side), "{name}");
            if kind == Kind::Limit {
                assert_eq!((ledger.order.tif, ledger.order.price), (tif, crossing.price), "{name}");
            }
        }
        if kind == Kind::Market {
            return;
        }
        let resting = self.draft(side, (kind, tif), false);
        self.send(&resting);
        if tif == Tif::Gtc {
            self.wait("for a place in the book", |desk| desk.accepted(&resting));
            self.wait_for_stream(&resting);
            let ledger = self.ledger(&resting).unwrap();
            assert_eq!((ledger.state, ledger.filled), (OrderState::Accepted, Qty(0)), "{name}");
            assert_eq!((ledger.order.kind, ledger.order.price), (kind, resting.price), "{name}");
            self.command(Command::Cancel {
                client: resting.client,
                venue_ref: None,
                instrument: InstrumentId(0),
            });
        }
        self.wait("for its end", |desk| desk.refused(&resting) || desk.ended(&resting).is_some());
        assert_eq!(self.filled(&resting), Qty(0), "{name}");
        if let Some((state, filled)) = self.ended(&resting) {
            assert_eq!((state, filled.unwrap_or(Qty(0))), (OrderState::Cancelled, Qty(0)), "{name}");
        } else {
            assert_eq!(tif, Tif::Fok, "{name}: only what must fill at once is refused");
        }
        let ledger = self.ledger(&resting);
        assert!(ledger.is_none_or(|ledger| ledger.state == OrderState::Cancelled), "{name}");
    }

    /// An order that rests and is known to.
    fn rest(&mut self, side: Side, (kind, tif): (Kind, Tif)) -> Draft {
        let draft = self.draft(side, (kind, tif), false);
        self.send(&draft);
        self.wait("for a place in the book", |desk| desk.accepted(&draft));
        self.wait_for_stream(&draft);
        draft
    }

    fn amend_and_cancel(&mut self, side: Side) {
        let name = format!("{} {:?} {side:?}", self.operator.venue, self.operator.transport);
        let order = self.rest(side, GTC);
        let instrument = InstrumentId(0);
        let (price, qty) = match self.operator.amends {
            None => (None, order.qty),
            Some(Change::Any) => {
                let further = match side {
                    Side::Buy => order.price.0 - 100 * self.spec.tick.0,
                    Side::Sell => order.price.0 + 100 * self.spec.tick.0,
                };
                (Some(Price(further)), Qty(300_000))
            }
            Some(Change::Less) => (None, Qty(100_000)),
        };
        let (wanted, amend) =
            (price.unwrap_or(order.price), Command::Amend { client: order.client, instrument, price, qty });
        if self.operator.amends.is_some() {
            self.command(amend);
            self.wait("to be amended", |desk| {
                desk.reports.iter().any(|report| match report {
                    Report::Amended { client, price, qty: told } => {
                        (*client, *price, *told) == (order.client, wanted, qty)
                    }
                    _ => false,
                })
            });
        } else {
            let (now, mut out) = (self.clock.now(), GatewayOut::default());
            assert!(self.lanes.gateway().command(&amend, now, &mut out).is_err(), "{name}");
        }
        let ledger = self.ledger(&order).unwrap();
        assert_eq!((ledger.order.price, ledger.order.qty), (wanted, qty), "{name}");

        self.command(Command::Query { client: order.client, instrument });
        self.wait("for what it is", |desk| {
            desk.reports.iter().any(|report| match report {
                Report::Status(status) => {
                    (status.client, status.state, status.filled)
                        == (Some(order.client), OrderState::Accepted, Qty(0))
                }
                _ => false,
            })
        });
        self.command(Command::Cancel { client: order.client, venue_ref: None, instrument });
        self.wait("for its end", |desk| desk.ended(&order).is_some());
        assert_eq!(self.ended(&order).map(|(state, _)| state), Some(OrderState::Cancelled), "{name}");
        assert_eq!(self.ledger(&order).unwrap().state, OrderState::Cancelled, "{name}");
        // Once more: there is nothing to cancel, and the venue says so.
        self.command(Command::Cancel { client: order.client, venue_ref: None, instrument });
        self.wait("for a refusal", |desk| {
            desk.reports
                .iter()
                .any(|report| matches!(report, Report::CancelError { client, .. } if *client == order.client))
        });
    }

    fn replace(&mut self, side: Side) {
        let old = self.rest(side, GTC);
        let new = Draft { qty: Qty(400_000), ..self.draft(side, GTC, false) };
        self.command(Command::Replace { cancel: old.client, order: new });
        self.wait("to be replaced", |desk| desk.ended(&old).is_some() && desk.accepted(&new));
        assert_eq!(self.ledger(&old).unwrap().state, OrderState::Cancelled);
        let ledger = self.ledger(&new).unwrap();
        assert_eq!((ledger.state, ledger.order.qty), (OrderState::Accepted, new.qty));
        self.command(Command::Cancel { client: new.client, venue_ref: None, instrument: InstrumentId(0) });
        self.wait("for its end", |desk| desk.ended(&new).is_some());
    }

    fn cancel_all(&mut self) {
        let all = [
            self.rest(Side::Buy, GTC),
            self.rest(Side::Buy, POST),
            self.rest(Side::Sell, GTC),
            self.rest(Side::Sell, POST),
        ];
        self.command(Command::CancelAll { instrument: InstrumentId(0) });
        self.wait("for the end of all", |desk| all.iter().all(|order| desk.ended(order).is_some()));
        for order in &all {
            assert_eq!(self.ended(order).map(|(state, _)| state), Some(OrderState::Cancelled));
            assert_eq!(self.ledger(order).unwrap().state, OrderState::Cancelled);
        }
        self.wait("to be told of all", |desk| {
            desk.reports.iter().any(|report| matches!(report, Report::CancelledAll { .. }))
        });
    }
}
