//! Feed, gateway and server with a simulated exchange between them, all in one thread and in
//! virtual time; requests cross from one to the other as they are.

use std::collections::BTreeMap;

use oorandom::Rand64;
use proptest::prelude::*;
use xarb::sim::exchange::Rates;
use xarb::sim::keys::{KeyForm, make_key, trading_rights};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::ends::{Ends as World, PRIVATE};

const PUBLIC: ConnId = ConnId(2);

pub const ADVANCED: &str = "coinbase.advanced";
pub const EXCHANGE: &str = "coinbase.exchange";
pub const BOTH: [&str; 2] = [ADVANCED, EXCHANGE];

pub fn spec() -> InstrumentSpec {
    let quote = Asset::new("USD").unwrap();
    InstrumentSpec {
        name: Text::new("BTC-USD").unwrap(),
        symbol: Symbol::new("BTC-USD").unwrap(),
        base: Asset::new("BTC").unwrap(),
        quote,
        scale: Scale::DEFAULT,
        tick: Price(1_000_000),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(0),
        min_notional: Money::parse("1").unwrap(),
        price_digits: 2,
        qty_digits: 8,
        contract: Contract::spot(quote, Scale::DEFAULT),
        open: true,
    }
}

pub fn gateway_config(credentials: Credentials) -> GatewayConfig {
    GatewayConfig {
        venue: VenueId(0),
        instruments: vec![(InstrumentId(7), spec())],
        credentials,
        transport: Transport::Rest,
        rest: Endpoint::parse("http://127.0.0.1").unwrap(),
        orders: Endpoint::parse("ws://127.0.0.1/").unwrap(),
        private: Endpoint::parse("ws://127.0.0.1/user").unwrap(),
        window_ms: 5_000,
        nonce_from: 0,
        mask_seed: 1,
    }
}

pub fn feed_config(ticker: bool) -> FeedConfig {
    FeedConfig {
        books: vec![BookConfig { symbol: spec().symbol, spec: Some(spec()) }],
        discover: false,
        channels: Channels { depth: true, levels: 100, interval_ms: 0, ticker },
        encoding: xarb::venue::Encoding::Json,
        stream: Endpoint::parse("ws://127.0.0.1/").unwrap(),
        rest: Endpoint::parse("http://127.0.0.1").unwrap(),
    }
}

/// The key that a product's requests are signed with; Advanced Trade has two kinds.
fn forms(venue: &str) -> &'static [KeyForm] {
    if venue == ADVANCED { &[KeyForm::Es256, KeyForm::Ed25519] } else { &[KeyForm::SharedBase64Passphrase] }
}

impl World {
    fn new(venue: &'static str, form: KeyForm, rights: KeyRights) -> World {
        let rates = Rates { maker: FeeRate(400_000), taker: FeeRate(600_000) };
        World::at(venue, spec(), rates, (form, rights), gateway_config)
    }

    /// A world whose gateway is logged in.
    fn ready(venue: &'static str, form: KeyForm) -> World {
        let mut world = World::new(venue, form, trading_rights());
        world.open();
        assert!(world.gateway.ready(), "{:?}", world.reports);
        assert_eq!(world.reports, [Report::Streaming, Report::Ready]);
        world.reports.clear();
        world
    }

    /// One for each product and kind of key.
    fn all() -> impl Iterator<Item = World> {
        BOTH.into_iter().flat_map(|venue| forms(venue).iter().map(move |form| World::ready(venue, *form)))
    }

    /// Lets time pass, for the gateway and the venue.
    fn pass(&mut self, span: Nanos) {
        let until = self.now + span;
        while self.now < until {
            self.now = (self.now + Nanos::from_millis(100)).min(until);
            self.serve(ServerInput::Tick);
            self.gateway_on(GatewayInput::Tick);
        }
    }

    /// What was reported since, briefly, each thing once, in the order of the alphabet.
    fn told(&mut self) -> Vec<String> {
        let reports = std::mem::take(&mut self.reports);
        let mut told: Vec<String> = reports
            .iter()
            // The clock is asked whenever a key is refused.
            .filter(|report| !matches!(report, Report::ServerTime { .. }))
            .map(|report| match report {
                Report::Accepted { .. } => "accepted".to_owned(),
                Report::Filled { qty, price, side, fee, fee_asset, .. } => {
                    let show = |value| Fixed(value, Scale::DEFAULT);
                    format!(
                        "filled {} {} at {} for {fee} {fee_asset}",
                        side.name(),
                        show(qty.0),
                        show(price.0)
                    )
                }
                Report::Ended { state, filled, .. } => {
                    format!("{state:?} {:?}", filled.map(|qty| qty.0)).to_lowercase()
                }
                Report::OrderError { class, code, .. } => format!("{class:?} {code}"),
                Report::CancelError { class, code, .. } => format!("cancel {class:?} {code}"),
                Report::Status(status) => {
                    format!("status {:?} {} of {}", status.state, status.filled.0, status.qty.0)
                }
                other => format!("{other:?}"),
            })
            .collect();
        told.sort();
        told.dedup();
        told
    }
}

#[test]
fn an_order_fills_in_part_and_ends() {
    for mut world in World::all() {
        world.rest(Side::Sell, "30000.01", "0.004");
        world.rest(Side::Sell, "30000.02", "0.001");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.02", "0.01");
        world.send(&order);
        let want = [
            "accepted",
            "cancelled some(500000)",
            "filled buy 0.001 at 30000.02 for 0.18000012 USD",
            "filled buy 0.004 at 30000.01 for 0.72000024 USD",
        ];
        assert_eq!(world.told(), want, "{}", world.venue);
        world.exchange.audit().unwrap();
    }
}

#[test]
fn orders_rest_fill_and_are_cancelled() {
    for mut world in World::all() {
        let order = world.draft(Side::Buy, Kind::PostOnly, Tif::Gtc, "29000", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted"], "{}", world.venue);
        let (client, instrument) = (order.client, order.instrument);
        world.rest(Side::Sell, "29000", "0.004");
        assert_eq!(world.told(), ["filled buy 0.004 at 29000 for 0.464 USD"], "{}", world.venue);
        world.command(Command::OpenOrders).unwrap();
        let open = ["OpenOrdersEnd { count: 1 }", "status PartFilled 400000 of 1000000"];
        assert_eq!(world.told(), open, "{}", world.venue);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status PartFilled 400000 of 1000000"], "{}", world.venue);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled some(400000)"], "{}", world.venue);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status Cancelled 400000 of 1000000"], "{}", world.venue);
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        let refused = if world.venue == ADVANCED { "UNKNOWN_CANCEL_ORDER" } else { "Order already done" };
        assert_eq!(world.told(), [format!("cancel Refused {refused}")]);
        let client = ClientId::from_bits(u128::MAX);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.reports, [Report::NotFound { client }], "{}", world.venue);
        world.exchange.audit().unwrap();
    }
}

#[test]
fn orders_are_edited_where_the_product_can() {
    for mut world in World::all() {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
        world.send(&order);
        world.told();
        let (client, instrument) = (order.client, order.instrument);
        let price = Price(2_900_050_000_000);
        let amend = |price, qty| Command::Amend { client, instrument, price, qty: Qty(qty) };
        if world.venue == EXCHANGE {
            let what = "amendment of an order over REST";
            let refused = world.command(amend(Some(price), 2_000_000));
            assert_eq!(refused, Err(Unsupported { venue: EXCHANGE, what }));
            continue;
        }
        world.command(amend(Some(price), 2_000_000)).unwrap();
        assert_eq!(world.reports, [Report::Amended { client, price, qty: Qty(2_000_000) }]);
        world.told();
        // The price is sent again as it was: the venue wants both.
        world.command(amend(None, 1_500_000)).unwrap();
        assert_eq!(world.reports, [Report::Amended { client, price, qty: Qty(1_500_000) }]);
        world.told();
        world.rest(Side::Sell, "29000.5", "0.01");
        world.told();
        world.command(amend(None, 900_000)).unwrap();
        assert_eq!(world.told(), ["cancel Refused CANNOT_EDIT_TO_BELOW_FILLED_SIZE"]);
        world.command(Command::Query { client, instrument }).unwrap();
        assert_eq!(world.told(), ["status PartFilled 1000000 of 1500000"]);
    }
}

#[test]
fn refusals_come_in_the_venue_s_words_and_classes() {
    for mut world in World::all() {
        world.rest(Side::Sell, "30000.01", "0.004");
        let words = match world.venue {
            ADVANCED => ["Refused INSUFFICIENT_FUND", "Refused INVALID_LIMIT_PRICE_POST_ONLY"],
            _ => ["Refused Insufficient funds", "Refused rejected"],
        };
        for ((kind, tif, price, qty), want) in
            [(Kind::Limit, Tif::Ioc, "99999999", "900"), (Kind::PostOnly, Tif::Gtc, "30000.01", "0.01")]
                .into_iter()
                .zip(words)
        {
            let order = world.draft(Side::Buy, kind, tif, price, qty);
            world.send(&order);
            assert_eq!(world.told(), [want], "{}", world.venue);
        }
        world.exchange.knobs().halted = true;
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.01", "0.01");
        world.send(&order);
        let want =
            if world.venue == ADVANCED { "Refused ORDER_ENTRY_DISABLED" } else { "Refused Cancel only mode" };
        assert_eq!(world.told(), [want]);
        // What our own checks would have stopped.
        let mut refused =
            |draft: &Draft| world.gateway.encode(draft, world.now, &mut OrderBytes::new()).unwrap_err();
        let off = Draft { price: Price(order.price.0 + 1), ..order };
        assert_eq!(refused(&off), EncodeError::Filter(SpecError::OffTick));
        assert_eq!(refused(&Draft { kind: Kind::Market, ..order }), EncodeError::Unsupported);
        assert_eq!(refused(&Draft { reduce_only: true, ..order }), EncodeError::Unsupported);
        assert_eq!(refused(&Draft { instrument: InstrumentId(1), ..order }), EncodeError::UnknownInstrument);
    }
}

#[test]
fn a_burst_is_throttled() {
    for mut world in World::all() {
        let (mut throttled, mut unready) = (0, 0);
        for _ in 0..40 {
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.01", "0.01");
            let mut bytes = OrderBytes::new();
            match world.gateway.encode(&order, world.now, &mut bytes) {
                Ok(()) => world.send_bytes(order.client, &bytes),
                Err(EncodeError::NotReady) => unready += 1,
                Err(error) => panic!("{error}"),
            }
            throttled += world.told().iter().filter(|told| told.starts_with("Throttled ")).count();
        }
        // Tokens are made in time, a few at each tick: here time stands still.
        let want = if world.venue == ADVANCED { (0, 32) } else { (10, 0) };
        assert_eq!((throttled, unready), want, "{}", world.venue);
        world.pass(Nanos::from_secs(1));
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.01", "0.01");
        world.send(&order);
        assert_eq!(world.told(), ["accepted", "cancelled some(0)"], "{}", world.venue);
    }
}

#[test]
fn a_question_waits_no_longer_than_it_is_worth() {
    let mut world = World::ready("coinbase.exchange", KeyForm::SharedBase64Passphrase);
    for _ in 0..256 {
        let client = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.1", "0.01").client;
        world.command(Command::Query { client, instrument: InstrumentId(7) }).unwrap();
    }
    let count = |world: &mut World, what: &dyn Fn(&Report) -> bool| {
        world.reports.iter().filter(|report| what(report)).count()
    };
    let found = |report: &Report| matches!(report, Report::NotFound { .. });
    let late = |report: &Report| match report {
        Report::Malformed(text) => text.ends_with("the venue's limits had no room"),
        _ => false,
    };
    for _ in 0..149 {
        world.pass(Nanos::from_millis(100));
    }
    assert_eq!(count(&mut world, &late), 0);
    world.pass(Nanos::from_millis(100));
    let (found, late) = (count(&mut world, &found), count(&mut world, &late));
    assert!(found >= 100 && late >= 5 && found + late == 256, "{found} answered, {late} given up");
}

#[test]
fn a_late_order_is_not_taken() {
    for mut world in World::all() {
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
        let mut bytes = OrderBytes::new();
        world.gateway.encode(&order, world.now, &mut bytes).unwrap();
        // As the table of orders is told: from then on the venue takes it no more.
        world.now = bytes.expires + Nanos::from_secs(2);
        world.send_bytes(order.client, &bytes);
        let want =
            if world.venue == ADVANCED { "Halt Unauthorized" } else { "Refused request timestamp expired" };
        assert_eq!(world.told(), [want]);
        assert!(world.exchange.open_orders(world.trader).is_empty());
    }
}

#[test]
fn a_token_is_good_once_and_for_orders_alone() {
    for form in forms(ADVANCED) {
        let mut world = World::ready(ADVANCED, *form);
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
        let mut bytes = OrderBytes::new();
        world.gateway.encode(&order, world.now, &mut bytes).unwrap();
        world.send_bytes(order.client, &bytes);
        assert_eq!(world.told(), ["accepted"]);
        world.send_bytes(order.client, &bytes);
        assert_eq!(world.told(), ["Halt Unauthorized"]);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
        world.gateway.encode(&order, world.now, &mut bytes).unwrap();
        let text = std::str::from_utf8(bytes.as_slice()).unwrap();
        let token = text.split_once("Bearer ").unwrap().1.split_once('\r').unwrap().0.to_owned();
        let headers = [("authorization", format!("Bearer {token}")), ("host", "127.0.0.1".to_owned())]
            .map(|(n, v)| (n.to_owned(), v));
        world.http(1, "GET", "/api/v3/brokerage/accounts", &headers, b"");
        assert_eq!(world.told(), [] as [&str; 0], "an answer to nothing asked");
        // The same id again is the same order again: nothing is placed twice.
        world.send(&order);
        assert_eq!(world.told(), ["accepted"]);
        assert_eq!(world.exchange.open_orders(world.trader).len(), 1);
    }
}

#[test]
fn the_account_is_read() {
    for mut world in World::all() {
        world.rest(Side::Sell, "30000.01", "10");
        let since = world.now;
        for _ in 0..300 {
            world.pass(Nanos::from_millis(200));
            let order = world.draft(Side::Buy, Kind::Limit, Tif::Ioc, "30000.01", "0.01");
            world.send(&order);
        }
        let all = std::mem::take(&mut world.reports);
        let filled =
            |reports: &[Report]| reports.iter().filter(|r| matches!(r, Report::Filled { .. })).count();
        assert_eq!(filled(&all), 300, "{}", world.venue);
        // More than a page.
        world.pass(Nanos::from_secs(2));
        world.told();
        world.command(Command::Fills { instrument: InstrumentId(7), since }).unwrap();
        assert_eq!(filled(&world.reports), 300, "{}", world.venue);
        // As a new run sees them: it knows none of the orders, and asks whose they are.
        let late = world.now - Nanos::from_millis(3_000);
        let mut later = World::new(world.venue, forms(world.venue)[0], trading_rights());
        if forms(world.venue).len() == 1 {
            std::mem::swap(&mut world.gateway, &mut later.gateway);
            world.command(Command::Fills { instrument: InstrumentId(7), since: late }).unwrap();
            let count = filled(&world.reports) - 300;
            assert!((4..8).contains(&count), "{count}");
        }
        world.reports.clear();
        world.pass(Nanos::from_secs(2));
        world.reports.clear();
        world.command(Command::Balances).unwrap();
        let btc = Report::Balance {
            asset: Asset::new("BTC").unwrap(),
            free: Money::parse("1003").unwrap(),
            locked: Some(Money::ZERO),
        };
        assert!(world.reports.contains(&btc), "{:?}", world.reports);
        world.reports.clear();
        world.command(Command::Fees { instrument: InstrumentId(7) }).unwrap();
        let symbol = spec().symbol;
        assert_eq!(
            world.reports,
            [Report::Fees { symbol, taker: FeeRate(600_000), maker: FeeRate(400_000) }]
        );
        world.reports.clear();
        world.command(Command::ServerTime).unwrap();
        assert_eq!(world.reports, [Report::ServerTime { venue: world.now, asked: world.now }]);
        world.reports.clear();
        match world.command(Command::Rights) {
            Ok(()) => {
                let [Report::Rights(rights)] = &world.reports[..] else { panic!("{:?}", world.reports) };
                assert_eq!((rights.read, rights.trade), (Some(true), Some(true)));
                assert_eq!((rights.withdraw, rights.ip_bound), (Some(false), None));
            }
            Err(refused) => {
                assert_eq!(refused, Unsupported { venue: EXCHANGE, what: "look-up of a key's rights" })
            }
        }
        let lacks = world.command(Command::DeadMan { timeout: Nanos::from_secs(9) });
        assert_eq!(lacks.unwrap_err().what, "dead-man switch");
    }
}

#[test]
fn everything_is_cancelled_at_once() {
    for mut world in World::all() {
        for price in ["31000", "31001"] {
            let order = world.draft(Side::Sell, Kind::Limit, Tif::Gtc, price, "0.01");
            world.send(&order);
        }
        world.told();
        world.command(Command::CancelAll { instrument: InstrumentId(7) }).unwrap();
        assert_eq!(world.told(), ["CancelledAll { count: Some(2) }", "cancelled some(0)"], "{}", world.venue);
        world.command(Command::CancelAll { instrument: InstrumentId(7) }).unwrap();
        assert_eq!(world.told(), ["CancelledAll { count: Some(0) }"], "{}", world.venue);
    }
}

/// The answer to the order is lost, and the private connection with it: what became of it is found
/// by its own id.
#[test]
fn an_order_without_its_answer_is_found() {
    for mut world in World::all() {
        world.rest(Side::Sell, "30000.01", "0.004");
        let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "30000.01", "0.01");
        let (client, instrument) = (order.client, order.instrument);
        world.deaf = true;
        world.send(&order);
        world.deaf = false;
        world.serve(ServerInput::Closed(PRIVATE));
        world.gateway_on(GatewayInput::Closed(Lane::Private));
        world.gateway_on(GatewayInput::Failed { token: client.bits(), sent: true });
        assert!(!world.gateway.ready());
        assert_eq!(world.told(), ["Down(\"connection closed\")", "Unknown no answer"]);
        world.command(Command::Query { client, instrument }).unwrap();
        let found =
            ["filled buy 0.004 at 30000.01 for 0.72000024 USD", "status PartFilled 400000 of 1000000"];
        assert_eq!(world.told(), found, "{}", world.venue);
        world.open();
        assert!(world.gateway.ready());
        let told = world.told();
        let again: &[&str] = match world.venue {
            ADVANCED => &["Ready", "Streaming", "status PartFilled 400000 of 1000000"],
            _ => &["Ready", "Streaming"],
        };
        assert_eq!(told, again, "{}", world.venue);
        // And it can be cancelled.
        world.command(Command::Cancel { client, venue_ref: None, instrument }).unwrap();
        assert_eq!(world.told(), ["cancelled some(400000)"], "{}", world.venue);
    }
}

/// Exchange forgets orders that it cancelled unfilled: one that it had is over then.
#[test]
fn an_order_that_vanished_is_cancelled() {
    let mut world = World::ready(EXCHANGE, forms(EXCHANGE)[0]);
    let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
    let (client, instrument) = (order.client, order.instrument);
    world.send(&order);
    assert_eq!(world.told(), ["accepted"]);
    world.deaf = true;
    let cancelled = world.exchange.cancel_all(world.trader, None, world.now);
    assert_eq!(cancelled.len(), 1);
    world.serve(ServerInput::Tick);
    world.deaf = false;
    world.command(Command::Query { client, instrument }).unwrap();
    assert_eq!(world.told(), [format!("NotFound {{ client: {client} }}")]);
    world.pass(Nanos::from_secs(2));
    world.told();
    world.command(Command::Query { client, instrument }).unwrap();
    assert_eq!(world.told(), ["cancelled some(0)"]);
}

#[test]
fn silence_is_a_dead_link() {
    for mut world in World::all() {
        world.pass(Nanos::from_secs(3));
        assert!(world.gateway.ready(), "{}: signs of life came", world.venue);
        world.now = world.now + Nanos::from_millis(5_001);
        let mut out = GatewayOut::default();
        world.gateway.on(GatewayInput::Tick, world.now, &mut out);
        assert_eq!(out.reports, [Report::Down("no frame for five seconds")]);
        assert_eq!(out.wants, [GatewayWant::Reconnect(Lane::Private, "no frame for five seconds")]);
        assert!(!world.gateway.ready());
    }
}

#[test]
fn a_lost_message_is_cured_by_a_new_connection() {
    let mut world = World::ready(ADVANCED, KeyForm::Ed25519);
    let gap = r#"{"channel":"heartbeats","timestamp":"2026-01-01T00:00:00Z","sequence_num":99,"events":[]}"#;
    let mut padded = PaddedBuf::default();
    world.gateway_on(GatewayInput::Text(Lane::Private, padded.fill(gap.as_bytes())));
    assert!(world.gateway.ready());
    assert_eq!(world.told(), ["Down(\"the private stream lost messages\")", "Ready", "Streaming"]);
}

#[test]
fn keys_are_checked() {
    for venue in BOTH {
        for form in forms(venue) {
            // A key bound elsewhere gets nothing.
            let rights = KeyRights { read: Some(false), ..trading_rights() };
            let mut world = World::new(venue, *form, rights);
            let mut out = GatewayOut::default();
            let opened =
                ServerInput::Opened { conn: PRIVATE, target: "/", headers: &[], peer: "127.0.0.1:9" };
            world.serve(opened);
            world.gateway.on(GatewayInput::Opened(Lane::Private), world.now, &mut out);
            for want in out.wants {
                let GatewayWant::Send(_, text) = want else { panic!("{want:?}") };
                let mut answers = Vec::new();
                world.server.on(
                    ServerInput::Text(PRIVATE, &text),
                    world.now,
                    &mut world.exchange,
                    &mut answers,
                );
                for answer in answers {
                    let ServerOut::Text(_, text) = answer else { panic!("{answer:?}") };
                    let mut out = GatewayOut::default();
                    let mut padded = PaddedBuf::default();
                    let input = GatewayInput::Text(Lane::Private, padded.fill(text.as_bytes()));
                    world.gateway.on(input, world.now, &mut out);
                    world.reports.extend(out.reports);
                }
            }
            assert!(!world.gateway.ready());
            let told = world.told();
            assert!(told.contains(&"Down(\"the private stream was refused\")".to_owned()), "{told:?}");

            for (rights, want) in [
                (
                    KeyRights { ips: vec!["10.0.0.1".to_owned()], ..trading_rights() },
                    ["Unauthorized", "IP does not match IP whitelist"],
                ),
                (
                    KeyRights { trade: Some(false), ..trading_rights() },
                    ["Missing required scopes", "Forbidden"],
                ),
            ] {
                let mut world = World::new(venue, *form, rights);
                world.open();
                world.told();
                let order = world.draft(Side::Buy, Kind::Limit, Tif::Gtc, "29000", "0.01");
                world.send(&order);
                let want = want[usize::from(venue == EXCHANGE)];
                assert_eq!(world.told(), [format!("Halt {want}")], "{venue}");
            }
        }
    }
}

#[test]
fn other_ways_to_send_are_refused_by_name() {
    for venue in BOTH {
        let (_, credentials) = make_key(&mut Rand64::new(1), forms(venue)[0], AccountId(0), trading_rights());
        let config = GatewayConfig { transport: Transport::Ws, ..gateway_config(credentials) };
        let Err(refused) = find(venue).unwrap().gateway.unwrap()(&config) else { panic!("taken") };
        assert_eq!(refused.to_string(), format!("{venue}: orders go over REST alone (transport = \"rest\")"));
    }
}

/// A book as plain as can be.
#[derive(Default)]
pub struct Plain {
    sides: [BTreeMap<i64, i64>; 2],
    pub live: bool,
}

impl Plain {
    pub fn apply(&mut self, kind: ChangeKind, bids: &[Level], asks: &[Level]) {
        match kind {
            ChangeKind::Snapshot { live } => (self.sides, self.live) = (Default::default(), live),
            ChangeKind::Update => {}
            ChangeKind::Lost(_) => self.live = false,
            ChangeKind::Top | ChangeKind::Alive => return,
        }
        for (side, levels) in self.sides.iter_mut().zip([bids, asks]) {
            for level in levels {
                match level.qty.0 {
                    0 => side.remove(&level.price.0),
                    qty => side.insert(level.price.0, qty),
                };
            }
        }
    }

    fn side(&self, side: Side) -> Vec<Level> {
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        match side {
            Side::Buy => self.sides[0].iter().rev().map(level).collect(),
            Side::Sell => self.sides[1].iter().map(level).collect(),
        }
    }
}

/// The public side: a feed and its book, against what the exchange really has. Now and then a message
/// is lost where the product's numbers tell.
fn check_books(venue: &'static str, seed: u64, lossy: bool) {
    let mut world = World::new(venue, forms(venue)[0], trading_rights());
    let mut feed = (find(venue).unwrap().feed)(&feed_config(true));
    let mut rng = Rand64::new(u128::from(seed));
    let (mut book, mut open) = (Plain::default(), Vec::new());
    let (mut lost, mut gaps, mut updates) = (0, 0, 0);
    for step in 0..200 {
        let mut out = Vec::new();
        let mut wanted = FeedOut::default();
        world.now = world.now + Nanos::from_millis(40);
        if step == 20 {
            let opened = ServerInput::Opened { conn: PUBLIC, target: "/", headers: &[], peer: "" };
            world.server.on(opened, world.now, &mut world.exchange, &mut out);
            feed.on(FeedInput::Opened, world.now, &mut wanted).unwrap();
        }
        let side = if rng.rand_range(0..2) == 0 { Side::Buy } else { Side::Sell };
        if rng.rand_range(0..3) == 0 && !open.is_empty() {
            let at = rng.rand_range(0..open.len() as u64) as usize;
            let _ = world.exchange.cancel(world.house, &OrderRef::Id(open.swap_remove(at)), world.now);
        } else {
            let order = NewOrder {
                instrument: 0,
                side,
                kind: Kind::PostOnly,
                tif: Tif::Gtc,
                price: Price((3_000_000 - side.sign() * rng.rand_range(0..40) as i64) * 1_000_000),
                qty: Qty((rng.rand_range(5..5_000) as i64) * 12_345),
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
        world.server.on(ServerInput::Tick, world.now, &mut world.exchange, &mut out);
        feed.on(FeedInput::Tick, world.now, &mut wanted).unwrap();
        // What is wanted leads to messages, and those to wishes.
        for _ in 0..3 {
            for want in std::mem::take(&mut wanted.wants) {
                let Want::Send(text) = want else { panic!("{want:?}") };
                world.server.on(ServerInput::Text(PUBLIC, &text), world.now, &mut world.exchange, &mut out);
            }
            for answer in std::mem::take(&mut out) {
                let ServerOut::Text(PUBLIC, text) = answer else { continue };
                if lossy && (60..150).contains(&step) && rng.rand_range(0..20) == 0 {
                    lost += 1;
                    continue;
                }
                let mut padded = PaddedBuf::default();
                wanted.changes.clear();
                feed.on(FeedInput::Text(padded.fill(text.as_bytes())), world.now, &mut wanted).unwrap();
                let changes = std::mem::take(&mut wanted.changes);
                for change in &changes {
                    gaps += usize::from(matches!(change.kind, ChangeKind::Lost(Lost::Gap { .. })));
                    updates += usize::from(change.kind == ChangeKind::Update);
                    book.apply(change.kind, wanted.bids(change), wanted.asks(change));
                }
            }
        }
        let real = world.exchange.book(0, usize::MAX);
        if step >= 20 && (!lossy || book.live && !(60..151).contains(&step)) {
            assert_eq!(book.side(Side::Buy), real.bids, "{venue} seed {seed} step {step}");
            assert_eq!(book.side(Side::Sell), real.asks, "{venue} seed {seed} step {step}");
        }
    }
    assert!(book.live && updates > 40, "{venue} seed {seed}: {updates}");
    assert!(!lossy || lost < 3 || gaps > 0, "{venue} seed {seed}: {lost} lost, {gaps} gaps");
    let tiers = feed.tiers();
    assert!(tiers.template > 100 && tiers.library == 0, "{venue}: {tiers:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_served_book_is_the_exchange_s_own(seed: u64) {
        for venue in BOTH {
            check_books(venue, seed, false);
        }
        check_books(ADVANCED, seed, true);
    }
}
