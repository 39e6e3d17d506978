//! Feed, gateway and server with a simulated exchange between them, all in one thread and in
//! virtual time; frames cross from one to the other as they are.

use oorandom::Rand64;
use proptest::prelude::*;
use xarb::sim::exchange::Rates;
use xarb::sim::keys::{KeyForm, trading_rights};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::books::Plain;
use crate::ends::{Ends as World, PRIVATE, unmask};

const PUBLIC: ConnId = ConnId(2);

pub fn spec() -> InstrumentSpec {
    let quote = Asset::new("USD").unwrap();
    InstrumentSpec {
        name: Text::new("BTC-USD").unwrap(),
        symbol: Symbol::new("BTC/USD").unwrap(),
        base: Asset::new("BTC").unwrap(),
        quote,
        scale: Scale::DEFAULT,
        tick: Price(10_000_000),
        lot: Qty(1_000),
        min_qty: Qty(5_000),
        max_qty: Qty(0),
        min_notional: Money::parse("0.5").unwrap(),
        price_digits: 1,
        qty_digits: 8,
        contract: Contract::spot(quote, Scale::DEFAULT),
        open: true,
    }
}

pub fn gateway_config(credentials: Credentials, transport: Transport) -> GatewayConfig {
    GatewayConfig {
        venue: VenueId(0),
        instruments: vec![(InstrumentId(7), spec())],
        credentials,
        transport,
        rest: Endpoint::parse("http://127.0.0.1").unwrap(),
        orders: Endpoint::parse("ws://127.0.0.1/auth/v2").unwrap(),
        private: Endpoint::parse("ws://127.0.0.1/auth/v2").unwrap(),
        window_ms: 5_000,
        nonce_from: 0,
        mask_seed: 1,
    }
}

pub fn feed_config(levels: u32, ticker: bool) -> FeedConfig {
    FeedConfig {
        books: vec![BookConfig { symbol: spec().symbol, spec: Some(spec()) }],
        discover: false,
        channels: Channels { depth: true, levels, interval_ms: 0, ticker },
        encoding: xarb::venue::Encoding::Json,
        stream: Endpoint::parse("ws://127.0.0.1/v2").unwrap(),
        rest: Endpoint::parse("http://127.0.0.1").unwrap(),
    }
}

/// Two contracts, without metadata.
pub fn futures_config() -> FeedConfig {
    let book = |symbol| BookConfig { symbol: Symbol::new(symbol).unwrap(), spec: None };
    FeedConfig { books: vec![book("PI_XBTUSD"), book("PF_ETHUSD")], ..feed_config(1_000, true) }
}

impl World {
    fn new(transport: Transport, rights: KeyRights, nonce_from: u64) -> World {
        let rates = Rates { maker: FeeRate(160_000), taker: FeeRate(260_000) };
        World::at("kraken.spot", spec(), rates, (KeyForm::SharedBase64, rights), |credentials| {
            GatewayConfig { nonce_from, ..gateway_config(credentials, transport) }
        })
    }

    /// A world whose gateway is logged in.
    fn ready(transport: Transport) -> World {
        let mut world = World::new(transport, trading_rights(), 0);
        world.open();
        assert!(world.gateway.ready(), "{:?}", world.reports);
        assert!(world.reports.contains(&Report::Ready) && world.reports.contains(&Report::Streaming));
        world.reports.clear();
        world
    }

    /// What was reported since, briefly.
    fn told(&mut self) -> Vec<String> {
        let reports = std::mem::take(&mut self.reports);
        reports
            .iter()
            .filter_map(|report| {
                Some(match report {
                    Report::Balance { .. } => return None,
                    Report::Accepted { .. } => "accepted".to_owned(),
                    Report::Filled { qty, price, total, fee, fee_asset, .. } => {
                        let show = |value| Fixed(value, Scale::DEFAULT);
                        let total = total.map_or("?".to_owned(), |total| show(total.0).to_string());
                        format!(
                            "filled {} at {} of {total} for {fee} {fee_asset}",
                            show(qty.0),
                            show(price.0)
                        )
                    }
                    Report::Ended { state, filled, .. } => {
                        format!("{state:?} {:?}", filled.map(|qty| qty.0)).to_lowercase()
                    }
                    Report::OrderError { class, code, .. } => format!("{class:?} {code}"),
                    Report::CancelError { class, code, .. } => format!("cancel {class:?} {code}"),
                    Report::Status(status) => format!("status {:?} {}", status.state, status.filled.0),
                    other => format!("{other:?}"),
                })
            })
            .collect()
    }
}

const TRANSPORTS: [Transport; 2] = [Transport::Ws, Transport::Rest];

#[test]
fn an_order_fills_in_part_and_ends() {
    for transport in TRANSPORTS {
        let mut world = World::ready(transport);
        world.rest(Side::Sell, "30000.1", "0.004");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
        world.send(&order);
        let mut told = world.told();
        told.sort();
        // The order is accepted by the answer and by the stream.
        told.dedup();
        let want =
            ["accepted", "cancelled some(400000)", "filled 0.004 at 30000.1 of 0.004 for 0.31200104 USD"];
        assert_eq!(told, want, "{transport:?}");
        world.exchange.audit().unwrap();
    }
}

#[test]
fn orders_rest_are_amended_and_cancelled() {
    for transport in TRANSPORTS {
        let mut world = World::ready(transport);
        let order = world.draft(Side::Buy, Kind::PostOnly, Tif::Gtc, "29000", "0.01");
        world.send(&order);
        world.told();
        let (client, instrument) = (order.client, order.instrument);
        let price = Price(2_900_050_000_000);
        world
            .command(Command::Amend { client, instrument, price: Some(price), qty: Qty(2_000_000) })
            .unwrap();
        let amended = Report::Amended { client, price, qty: Qty(2_000_000) };
        assert!(world.reports.contains(&amended), "{transport:?} {:?}", world.reports);
        world.command(Command::OpenOrders).unwrap();
        world.command(Command::Query { client, instrument }).unwrap();
        let told = world.told();
        assert!(
            told.ends_with(
                &["status Accepted 0", "OpenOrdersEnd { count: 1 }", "status Accepted 0"].map(String::from)
            ),
            "{told:?}"
        );
        world.now = world.now + Nanos::from_secs(20);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled some(0)"], "{transport:?}");
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 0"]);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancel Refused EOrder:Unknown order"], "{transport:?}");
        let client = ClientId::from_bits(u128::MAX);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.reports, [Report::NotFound { client }]);
    }
}

#[test]
fn refusals_come_in_the_venue_s_words_and_classes() {
    for transport in TRANSPORTS {
        let mut world = World::ready(transport);
        world.rest(Side::Sell, "30000.1", "0.004");
        for (kind, tif, price, qty, want) in [
            (Kind::Limit, Tif::Ioc, "99999999", "900", "Refused EOrder:Insufficient funds"),
            (Kind::PostOnly, Tif::Gtc, "30000.1", "0.01", "Refused EOrder:Post only order"),
        ] {
            let order = world.draft(Side::Buy, kind, tif, price, qty);
            world.send(&order);
            assert_eq!(world.told(), [want], "{transport:?}");
        }
        // What our own check would have stopped.
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.15", "0.01");
        let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
        assert_eq!(refused, Err(EncodeError::Filter(SpecError::OffTick)));
    }
}

#[test]
fn the_counter_throttles_a_burst() {
    // The venue's own end, were nobody to count before it.
    let mut world = World::ready(Transport::Ws);
    let mut throttled = 0;
    for _ in 0..200 {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
        world.send(&order);
        throttled +=
            world.told().iter().filter(|told| *told == "Throttled EOrder:Rate limit exceeded").count();
    }
    assert_eq!(throttled, 20);
}

#[test]
fn a_burst_is_refused_here_before_the_venue_refuses_it() {
    let mut world = World::ready(Transport::Ws);
    let (mut sent, mut refused, mut after_a_second) = (0, 0, 0);
    for round in 0..400 {
        if round == 200 {
            world.now = world.now + Nanos::from_secs(1);
        }
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
        match world.gateway.spend(&order, Urgency::Order, world.now) {
            Ok(()) => {
                world.send(&order);
                sent += 1;
                after_a_second += u32::from(round >= 200);
            }
            Err(limited) => {
                assert_eq!(limited.to_string(), "the venue's limit `points of a pair` has no room");
                refused += 1;
            }
        }
        for told in world.told() {
            assert!(!told.contains("Throttled"), "{told}");
        }
    }
    // 180 points, less what the network may shift, less what is kept for cancels and hedges; 3.75 a second.
    assert_eq!((sent, refused, after_a_second), (136 + 3, 64 + 197, 3));
    let hedge = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
    assert_eq!(world.gateway.spend(&hedge, Urgency::Urgent, world.now), Ok(()));
}

#[test]
fn questions_wait_their_turn_and_orders_do_not() {
    let mut world = World::ready(Transport::Ws);
    for _ in 0..60 {
        world.command(Command::Balances).unwrap();
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
        assert_eq!(world.gateway.spend(&order, Urgency::Order, world.now), Ok(()));
    }
    let refused = |report: &&Report| matches!(report, Report::Malformed(_));
    assert_eq!(world.reports.iter().find(refused), None);
    // The question that waits already was not taken a second time: it is asked once more, and no more.
    for (seconds, more) in [(0, false), (2, true), (2, false)] {
        let before = world.reports.len();
        world.now = world.now + Nanos::from_secs(seconds);
        world.gateway_on(GatewayInput::Tick);
        assert_eq!(world.reports.iter().find(refused), None);
        assert_eq!(world.reports.len() > before, more, "{seconds}");
    }
}

#[test]
fn a_question_waits_no_longer_than_it_is_worth() {
    let mut world = World::ready(Transport::Ws);
    world.told();
    for _ in 0..60 {
        let client = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01").client;
        world.command(Command::Query { client, instrument: InstrumentId(7) }).unwrap();
    }
    let said = |world: &mut World| -> (usize, usize) {
        let reports = std::mem::take(&mut world.reports);
        let found = reports.iter().filter(|report| matches!(report, Report::NotFound { .. })).count();
        let late = |report: &&Report| match report {
            Report::Malformed(text) => text.ends_with("the venue's limits had no room"),
            _ => false,
        };
        (found, reports.iter().filter(late).count())
    };
    let (mut found, mut late) = said(&mut world);
    for second in 1..=15 {
        assert_eq!(late, 0, "{second}");
        world.now = world.now + Nanos::from_secs(1);
        world.gateway_on(GatewayInput::Tick);
        let (more, later) = said(&mut world);
        (found, late) = (found + more, late + later);
    }
    assert!(found >= 5 && late >= 30, "{found} answered, {late} given up");
    // Nothing is left in line: what is asked now has its turn as soon as there is room.
    for _ in 0..2 {
        world.now = world.now + Nanos::from_secs(30);
        world.gateway_on(GatewayInput::Tick);
    }
    world.command(Command::Balances).unwrap();
    let answered = world.reports.iter().any(|report| matches!(report, Report::Balance { .. }));
    assert!(answered, "{:?}", world.reports);
}

#[test]
fn a_late_order_is_not_taken() {
    let mut world = World::ready(Transport::Ws);
    let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
    let mut bytes = OrderBytes::new();
    world.gateway.encode(&order, world.now, &mut bytes).unwrap();
    world.now = world.now + Nanos::from_secs(6);
    let text = unmask(bytes.as_slice());
    world.serve(ServerInput::Text(PRIVATE, &text));
    assert_eq!(world.told(), ["Unknown EService:Deadline elapsed"]);
    assert!(world.exchange.open_orders(world.trader).is_empty());
}

#[test]
fn the_account_is_read() {
    for transport in TRANSPORTS {
        let mut world = World::ready(transport);
        world.rest(Side::Sell, "30000.1", "1");
        let since = world.now;
        for _ in 0..60 {
            world.now = world.now + Nanos::from_millis(600);
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
            world.send(&order);
        }
        let filled = world.told().iter().filter(|told| told.starts_with("filled 0.01")).count();
        assert_eq!(filled, 60);
        // More than a page, and as a new run sees them: it knows none of the orders.
        let mut later = World::new(transport, trading_rights(), 0);
        later.now = world.now;
        std::mem::swap(&mut world.gateway, &mut later.gateway);
        world.command(Command::Fills { instrument: InstrumentId(7), since }).unwrap();
        let fills: Vec<String> = world.told();
        assert_eq!(
            fills.iter().filter(|told| told.starts_with("filled 0.01 at 30000.1 of ? for")).count(),
            60,
            "{fills:?}"
        );
        world.command(Command::Balances).unwrap();
        let btc = Report::Balance {
            asset: Asset::new("BTC").unwrap(),
            free: Money::parse("1000.6").unwrap(),
            locked: Some(Money::ZERO),
        };
        assert!(world.reports.contains(&btc), "{:?}", world.reports);
        world.reports.clear();
        // Calls are counted, and forgotten one a second.
        world.now = world.now + Nanos::from_secs(4);
        world.command(Command::Fees { instrument: InstrumentId(7) }).unwrap();
        let symbol = spec().symbol;
        assert_eq!(
            world.reports,
            [Report::Fees { symbol, taker: FeeRate(260_000), maker: FeeRate(160_000) }]
        );
        world.reports.clear();
        world.command(Command::Rights).unwrap();
        let [Report::Rights(rights)] = &world.reports[..] else { panic!("{:?}", world.reports) };
        assert_eq!((rights.trade, rights.withdraw, rights.ip_bound), (Some(true), Some(false), Some(false)));
        assert!(rights.excess.is_empty());
    }
}

#[test]
fn the_switch_cancels_everything_in_time() {
    let mut world = World::ready(Transport::Ws);
    let order = world.draft(Side::Sell, Kind::Limit, Tif::Gtc, "31000", "0.01");
    world.send(&order);
    world.told();
    world.command(Command::DeadMan { timeout: Nanos::from_millis(9_500) }).unwrap();
    let until = world.now + Nanos::from_secs(10);
    assert_eq!(world.reports, [Report::DeadMan { until }]);
    world.told();
    world.now = until - Nanos(1);
    world.serve(ServerInput::Tick);
    assert_eq!(world.told(), [] as [&str; 0]);
    world.now = until;
    world.serve(ServerInput::Tick);
    assert_eq!(world.told(), ["cancelled some(0)"]);
    world.command(Command::DeadMan { timeout: Nanos::ZERO }).unwrap();
    assert_eq!(world.reports, [Report::DeadMan { until: Nanos::ZERO }]);
}

#[test]
fn everything_is_cancelled_at_once() {
    for transport in TRANSPORTS {
        let mut world = World::ready(transport);
        for price in ["31000", "31001"] {
            let order = world.draft(Side::Sell, Kind::Limit, Tif::Gtc, price, "0.01");
            world.send(&order);
        }
        world.told();
        world.command(Command::CancelAll { instrument: InstrumentId(7) }).unwrap();
        let mut told = world.told();
        told.sort();
        assert_eq!(told, ["CancelledAll { count: Some(2) }", "cancelled some(0)", "cancelled some(0)"]);
    }
}

#[test]
fn a_new_connection_gets_a_new_token_and_what_was_missed() {
    let mut world = World::ready(Transport::Ws);
    world.rest(Side::Sell, "30000.1", "0.004");
    let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "30000.1", "0.01");
    let mut bytes = OrderBytes::new();
    world.gateway.encode(&order, world.now, &mut bytes).unwrap();
    let text = unmask(bytes.as_slice());
    // The order arrives, and the connection breaks before anything comes back.
    let mut out = Vec::new();
    world.server.on(ServerInput::Text(PRIVATE, &text), world.now, &mut world.exchange, &mut out);
    world.exchange.drain_events(&mut Vec::new());
    world.serve(ServerInput::Closed(PRIVATE));
    world.gateway_on(GatewayInput::Closed(Lane::Orders));
    assert!(!world.gateway.ready());
    assert_eq!(world.told(), ["Down(\"connection closed\")"]);
    assert_eq!(world.gateway.encode(&order, world.now, &mut bytes), Err(EncodeError::NotReady));
    world.open();
    assert!(world.gateway.ready());
    let told = world.told();
    assert!(told.contains(&"status PartFilled 400000".to_owned()), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("filled 0.004 at 30000.1")), "{told:?}");
    // The old token died with its connection.
    world.serve(ServerInput::Text(PRIVATE, &text));
    assert!(world.told()[0].contains("Invalid session"));
}

#[test]
fn silence_is_a_dead_link() {
    let mut world = World::ready(Transport::Ws);
    world.now = world.now + Nanos::from_secs(3);
    world.gateway_on(GatewayInput::Tick);
    assert!(world.gateway.ready(), "a ping was answered");
    world.now = world.now + Nanos::from_millis(5_001);
    let mut out = GatewayOut::default();
    world.gateway.on(GatewayInput::Tick, world.now, &mut out);
    assert_eq!(out.reports, [Report::Down("no frame for five seconds")]);
    assert_eq!(out.wants, [GatewayWant::Reconnect(Lane::Orders, "no frame for five seconds")]);
    assert!(!world.gateway.ready());
}

#[test]
fn a_lost_message_is_cured_by_a_new_subscription() {
    let mut world = World::ready(Transport::Ws);
    let mut out = GatewayOut::default();
    let gap = r#"{"channel":"executions","type":"update","data":[],"sequence":9}"#;
    let mut padded = PaddedBuf::default();
    world.gateway.on(GatewayInput::Text(Lane::Orders, padded.fill(gap.as_bytes())), world.now, &mut out);
    assert_eq!(out.reports, [Report::Down("the private stream lost messages")]);
    assert!(!world.gateway.ready());
    out.reports.clear();
    world.after(out);
    assert!(world.gateway.ready());
    assert_eq!(world.told(), ["Streaming", "Ready"]);
}

#[test]
fn keys_are_checked() {
    // A key that may not trade gets no token; one bound elsewhere gets nothing at all.
    for rights in [
        KeyRights { trade: Some(false), ..trading_rights() },
        KeyRights { ips: vec!["10.0.0.1".to_owned()], ..trading_rights() },
    ] {
        let mut world = World::new(Transport::Ws, rights, 0);
        world.open();
        assert!(!world.gateway.ready());
        assert_eq!(world.told(), ["Down(\"the key was refused\")"]);
    }
}

/// A run that starts below the nonces of the run before is told so, and tries once more; one that
/// starts above them never notices.
#[test]
fn nonces_go_on_across_restarts() {
    let far = 9_000_000_000_000_000;
    let mut world = World::new(Transport::Ws, trading_rights(), far);
    world.open();
    assert!(world.gateway.ready());
    for (nonce_from, ready) in [(0, false), (far + 1_000, true)] {
        let mut later = World::new(Transport::Ws, trading_rights(), nonce_from);
        std::mem::swap(&mut world.gateway, &mut later.gateway);
        world.serve(ServerInput::Closed(PRIVATE));
        world.open();
        assert_eq!(world.gateway.ready(), ready);
    }
}

/// The socket tells microseconds; asked before it is open, the question waits for it.
#[test]
fn nothing_is_sent_with_a_nonce_that_is_not_set_aside() {
    let mut world = World::ready(Transport::Rest);
    world.told();
    let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01");
    world.gateway.nonces_below(1);
    let refused = world.gateway.encode(&order, world.now, &mut OrderBytes::new());
    assert_eq!(refused, Err(EncodeError::NotReady));
    world.command(Command::Balances).unwrap();
    world.gateway_on(GatewayInput::Tick);
    let told = |world: &World| world.reports.iter().any(|report| matches!(report, Report::Balance { .. }));
    assert!(!told(&world), "{:?}", world.reports);
    // The question waits, and goes once there are nonces again.
    world.gateway.nonces_below(u64::MAX);
    world.gateway_on(GatewayInput::Tick);
    assert!(told(&world), "{:?}", world.reports);
    assert_eq!(world.gateway.encode(&order, world.now, &mut OrderBytes::new()), Ok(()));
}

#[test]
fn the_clock_is_asked_over_the_socket() {
    for early in [true, false] {
        let mut world = World::new(Transport::Ws, trading_rights(), 0);
        let asked = world.now;
        if early {
            world.command(Command::ServerTime).unwrap();
            assert_eq!(world.reports, []);
            world.open();
        } else {
            world.open();
            world.command(Command::ServerTime).unwrap();
        }
        assert!(world.reports.contains(&Report::ServerTime { venue: asked, asked }), "{:?}", world.reports);
    }
}

/// The public side: a feed and its book, against what the exchange really has.
fn check_books(seed: u64, depth: u32, ticker: bool) {
    let mut world = World::new(Transport::Ws, trading_rights(), 0);
    let mut feed = (find("kraken.spot").unwrap().feed)(&feed_config(depth, ticker));
    let mut rng = Rand64::new(u128::from(seed));
    let (mut book, mut open, mut matches) = (Plain::default(), Vec::new(), 0);
    let mut top = None;
    let mut messages: Vec<String> = Vec::new();
    for step in 0..150 {
        let mut out = Vec::new();
        if step == 20 {
            let opened = ServerInput::Opened { conn: PUBLIC, target: "/v2", headers: &[], peer: "" };
            world.server.on(opened, world.now, &mut world.exchange, &mut out);
            let mut wanted = FeedOut::default();
            feed.on(FeedInput::Opened, world.now, &mut wanted).unwrap();
            for want in wanted.wants {
                let Want::Send(text) = want else { panic!("{want:?}") };
                world.server.on(ServerInput::Text(PUBLIC, &text), world.now, &mut world.exchange, &mut out);
            }
        }
        world.now = world.now + Nanos::from_millis(10);
        let side = if rng.rand_range(0..2) == 0 { Side::Buy } else { Side::Sell };
        if rng.rand_range(0..3) == 0 && !open.is_empty() {
            let at = rng.rand_range(0..open.len() as u64) as usize;
            let _ = world.exchange.cancel(world.house, &OrderRef::Id(open.swap_remove(at)), world.now);
        } else {
            let distance = rng.rand_range(0..40) as i64;
            let order = NewOrder {
                instrument: 0,
                side,
                kind: Kind::PostOnly,
                tif: Tif::Gtc,
                price: Price((300_000 - side.sign() * distance) * 10_000_000),
                qty: Qty((rng.rand_range(5..5_000) as i64) * 1_000),
                reduce_only: false,
                client: String::new(),
            };
            if let Ok(view) = world.exchange.place(world.house, &order, world.now) {
                open.push(view.id);
            }
        }
        let mut events = Vec::new();
        world.exchange.drain_events(&mut events);
        for event in &events {
            world.server.on(ServerInput::Event(event), world.now, &mut world.exchange, &mut out);
        }
        messages.extend(out.into_iter().filter_map(|out| match out {
            ServerOut::Text(PUBLIC, text) => Some(text),
            _ => None,
        }));
        for message in messages.drain(..) {
            let mut out = FeedOut::default();
            let mut padded = PaddedBuf::default();
            feed.on(FeedInput::Text(padded.fill(message.as_bytes())), world.now, &mut out).unwrap();
            for change in &out.changes {
                if change.kind == ChangeKind::Top {
                    top = Some((out.bids(change).to_vec(), out.asks(change).to_vec()));
                    continue;
                }
                book.apply(change.kind, out.bids(change), out.asks(change), change.keep);
                assert_eq!(feed.verify(change, &book), Verdict::Matches, "seed {seed}: {message}");
                matches += 1;
            }
        }
        if step >= 20 {
            let real = world.exchange.book(0, depth as usize);
            assert_eq!(book.side(Side::Buy), real.bids, "seed {seed} step {step}");
            assert_eq!(book.side(Side::Sell), real.asks, "seed {seed} step {step}");
        }
    }
    assert!(book.live && matches > 20, "seed {seed}");
    if let (true, Some((bid, ask))) = (ticker, top) {
        let real = world.exchange.book(0, 1);
        assert_eq!((bid, ask), (real.bids, real.asks), "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Levels slide out of the subscribed depth and come back, and every checksum holds.
    #[test]
    fn the_served_book_is_the_exchange_s_own(seed: u64, deep: bool, ticker: bool) {
        check_books(seed, if deep { 25 } else { 10 }, ticker);
    }
}
