//! The gateway against the simulated server and exchange, in memory, by every way to send orders.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use oorandom::Rand64;
use xarb::sim::exchange::{AccountKind, ExchangeConfig, FeeIn, Knobs, Rates, SimExchange};
use xarb::types::{
    Asset, Class, ClientId, Draft, FeeRate, InstrumentId, KeyRights, Kind, Money, Nanos, OrderState, Price,
    Qty, Report, Side, Tif, VenueId,
};
use xarb::venue::{
    AccountId, ApiKey, Command, ConnId, Event, Exchange, Gateway, GatewayInput, GatewayOut, GatewayWant,
    KeySecret, Lane, NewOrder, OrderBytes, RequestId, Server, ServerInput, ServerOut, Transport, find,
};
use xarb::wire::PaddedBuf;

use crate::dialogue::{ED25519, HMAC, START, gateway, spec};

const SPOT: &str = "binance.spot";
const ONE: i64 = 100_000_000;

pub fn exchange(venue: &str) -> (SimExchange, AccountId) {
    let spec = spec(venue);
    let rates = Rates { maker: FeeRate(75_000), taker: FeeRate(100_000) };
    let config =
        ExchangeConfig { instruments: vec![spec], fee_in: FeeIn::Received, rates, knobs: Knobs::default() };
    let mut exchange = SimExchange::new(config, Rand64::new(1)).unwrap();
    let maker = exchange.open_account(AccountKind::House);
    for asset in exchange.assets_of(0) {
        exchange.deposit(maker, asset, Money::parse("10000000").unwrap());
    }
    (exchange, maker)
}

pub fn limit(side: Side, price: i64, qty: i64) -> NewOrder {
    NewOrder {
        instrument: 0,
        side,
        kind: Kind::Limit,
        tif: Tif::Gtc,
        price: Price(price),
        qty: Qty(qty),
        reduce_only: false,
        client: String::new(),
    }
}

pub fn secret_of((_, secret): (&str, &str)) -> KeySecret {
    match base64::engine::general_purpose::STANDARD.decode(secret) {
        Ok(der) if secret.starts_with("MC4") => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
            KeySecret::Ed25519(pair.public_key().as_ref().try_into().unwrap())
        }
        _ => KeySecret::Shared(secret.as_bytes().to_vec()),
    }
}

/// Both ends of the wire, and the exchange behind it.
pub struct World {
    pub exchange: SimExchange,
    pub maker: AccountId,
    pub trader: AccountId,
    server: Box<dyn Server>,
    pub gateway: Box<dyn Gateway>,
    key: &'static str,
    pub now: Nanos,
    reports: Vec<Report>,
    /// Tokens of HTTP requests by their number at the server.
    tokens: Vec<u128>,
    counter: u128,
    /// Connections that the server closed.
    pub closes: usize,
    padded: PaddedBuf,
}

impl World {
    fn new(transport: Transport, key: (&'static str, &str)) -> World {
        World::at(SPOT, transport, key)
    }

    pub fn at(venue: &str, transport: Transport, key: (&'static str, &str)) -> World {
        let (mut exchange, maker) = exchange(venue);
        let trader = exchange.open_account(AccountKind::Trader);
        let (asset, amount) = if venue == "binance.coinm" { ("BTC", "4") } else { ("USDT", "200000") };
        exchange.deposit(trader, Asset::new(asset).unwrap(), Money::parse(amount).unwrap());
        let rights = KeyRights {
            read: Some(true),
            trade: Some(true),
            withdraw: Some(false),
            transfer: Some(false),
            ip_bound: Some(true),
            ips: vec!["10.0.0.1".to_owned()],
            ..KeyRights::default()
        };
        exchange.add_key(ApiKey {
            account: trader,
            key: key.0.to_owned(),
            secret: secret_of(key),
            passphrase: None,
            rights,
        });
        let mut world = World {
            exchange,
            maker,
            trader,
            server: (find(venue).unwrap().server.unwrap())(7),
            gateway: gateway(venue, transport, key),
            key: key.0,
            now: START,
            reports: Vec::new(),
            tokens: Vec::new(),
            counter: 0,
            closes: 0,
            padded: PaddedBuf::default(),
        };
        for spec in world.gateway.lanes() {
            // One without a target waits until the gateway says where to.
            if !spec.endpoint.websocket {
                world.tell(GatewayInput::Opened(spec.lane));
            } else if !spec.endpoint.target.is_empty() {
                world.open(spec.lane);
            }
        }
        world.tell(GatewayInput::Tick);
        world
    }

    /// Opens a WebSocket to where the gateway wants it.
    pub fn open(&mut self, lane: Lane) {
        let spec = self.gateway.lanes().into_iter().find(|spec| spec.lane == lane).unwrap();
        let (conn, target) = (conn(lane), spec.endpoint.target);
        self.serve(ServerInput::Opened { conn, target: &target, headers: &[], peer: "10.0.0.1:4444" });
        self.tell(GatewayInput::Opened(lane));
    }

    /// Loses a WebSocket, on both ends.
    pub fn cut(&mut self, lane: Lane) {
        self.serve(ServerInput::Closed(conn(lane)));
        self.tell(GatewayInput::Closed(lane));
    }

    /// Lets time pass at both ends.
    pub fn wait(&mut self, time: Nanos) {
        self.now = self.now + time;
        self.serve(ServerInput::Tick);
        self.tell(GatewayInput::Tick);
    }

    /// Hands an input to the gateway and does what it wants.
    pub fn tell(&mut self, input: GatewayInput<'_>) {
        let mut out = GatewayOut::default();
        self.gateway.on(input, self.now, &mut out);
        self.after(out);
    }

    pub fn command(&mut self, command: Command) {
        let mut out = GatewayOut::default();
        self.gateway.command(&command, self.now, &mut out).unwrap();
        self.after(out);
    }

    fn after(&mut self, out: GatewayOut) {
        self.reports.extend(out.reports);
        for want in out.wants {
            match want {
                GatewayWant::Send(lane, text) => self.serve(ServerInput::Text(conn(lane), &text)),
                GatewayWant::Http { token, request } => {
                    let headers: Vec<(String, String)> =
                        request.headers.iter().map(|(n, v)| (n.to_lowercase(), v.clone())).collect();
                    self.request(token, request.method, &request.target, &headers);
                }
                GatewayWant::Reconnect(Lane::Private, "a new listen key") => self.open(Lane::Private),
                GatewayWant::Reconnect(..) => {}
            }
        }
    }

    pub fn request(&mut self, token: u128, method: &str, target: &str, headers: &[(String, String)]) {
        let id = RequestId(self.tokens.len() as u64);
        self.tokens.push(token);
        self.serve(ServerInput::Request { id, method, target, headers, body: b"", peer: "10.0.0.1:4444" });
    }

    pub fn serve(&mut self, input: ServerInput<'_>) {
        let mut out = Vec::new();
        self.server.on(input, self.now, &mut self.exchange, &mut out);
        let mut events: Vec<Event> = Vec::new();
        self.exchange.drain_events(&mut events);
        for event in &events {
            self.server.on(ServerInput::Event(event), self.now, &mut self.exchange, &mut out);
        }
        for answer in out {
            match answer {
                ServerOut::Text(conn, text) => {
                    let lane = if conn == ConnId(1) { Lane::Orders } else { Lane::Private };
                    let mut padded = std::mem::take(&mut self.padded);
                    self.tell(GatewayInput::Text(lane, padded.fill(text.as_bytes())));
                    self.padded = padded;
                }
                ServerOut::Response { id, status, headers, body } => {
                    let token = self.tokens[id.0 as usize];
                    let body = body.as_bytes();
                    self.tell(GatewayInput::Response { token, status, headers: &headers, body });
                }
                ServerOut::Binary(..) => panic!("binary data on an order session"),
                ServerOut::Close(id) => {
                    let lane = if id == conn(Lane::Orders) { Lane::Orders } else { Lane::Private };
                    self.closes += 1;
                    self.tell(GatewayInput::Closed(lane));
                }
            }
        }
    }

    /// What the server alone answers.
    pub fn ask(&mut self, input: ServerInput<'_>, out: &mut Vec<ServerOut>) {
        self.server.on(input, self.now, &mut self.exchange, out);
    }

    /// An order of ours, and its id.
    pub fn draft(&mut self, tif: Tif, side: Side, price: i64, qty: i64) -> Draft {
        self.counter += 1;
        let client = ClientId::from_bits((1 << 127) | (0x4 << 76) | (0b10 << 62) | self.counter);
        let (price, qty) = (Price(price), Qty(qty));
        let instrument = InstrumentId(0);
        Draft {
            client,
            venue: VenueId(0),
            instrument,
            side,
            kind: Kind::Limit,
            tif,
            price,
            qty,
            reduce_only: false,
        }
    }

    pub fn place(&mut self, draft: &Draft, late: Nanos) {
        let mut bytes = OrderBytes::new();
        self.gateway.encode(draft, self.now, &mut bytes).unwrap();
        assert!(bytes.expires > self.now && bytes.generation == 3 && bytes.client == draft.client);
        self.now = self.now + late;
        let sent = bytes.as_slice().to_vec();
        match bytes.lane {
            Lane::Rest => {
                let text = String::from_utf8(sent).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert_eq!(body, "");
                let mut lines = head.lines();
                let mut first = lines.next().unwrap().split(' ');
                let (method, target) = (first.next().unwrap(), first.next().unwrap());
                assert_eq!(first.next(), Some("HTTP/1.1"));
                let headers: Vec<_> = lines
                    .map(|line| line.split_once(": ").unwrap())
                    .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                    .collect();
                self.request(draft.client.bits(), method, target, &headers);
            }
            lane => {
                // A masked text frame with a two-byte length.
                assert_eq!(sent[..2], [0x81, 0xfe]);
                let mask = &sent[4..8];
                let text: Vec<u8> = sent[8..].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
                assert_eq!(text.len(), usize::from(u16::from_be_bytes([sent[2], sent[3]])));
                let text = String::from_utf8(text).unwrap();
                self.serve(ServerInput::Text(conn(lane), &text));
            }
        }
    }

    pub fn take(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    #[track_caller]
    pub fn expect(&mut self, what: &str, is: impl Fn(&Report) -> bool) -> Vec<Report> {
        let reports = self.take();
        assert!(reports.iter().any(is), "{what}: {reports:#?}");
        assert!(!reports.iter().any(|r| matches!(r, Report::Malformed(_))), "{reports:#?}");
        reports
    }
}

fn conn(lane: Lane) -> ConnId {
    ConnId(if lane == Lane::Orders { 1 } else { 2 })
}

/// Plays a test on a market by every way to send orders.
pub fn everywhere(venue: &str, test: impl Fn(&mut World)) {
    for (transport, key) in
        [(Transport::Rest, HMAC), (Transport::Rest, ED25519), (Transport::Ws, HMAC), (Transport::Ws, ED25519)]
    {
        let mut world = World::at(venue, transport, key);
        assert!(world.gateway.ready());
        let reports = world.take();
        assert_eq!(reports.iter().filter(|r| **r == Report::Ready).count(), 1, "{reports:?}");
        test(&mut world);
        assert_eq!(world.closes, 0, "cut off");
        world.exchange.audit().unwrap();
    }
}

#[test]
fn an_order_lives_and_dies_the_same_by_every_way() {
    everywhere(SPOT, |world| {
        // Half of an immediate order fills, the rest expires.
        let maker = world.maker;
        world.exchange.place(maker, &limit(Side::Sell, 60_000 * ONE, ONE), world.now).unwrap();
        let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, 2 * ONE);
        world.place(&draft, Nanos::ZERO);
        let reports = world.expect("half filled", |report| {
            matches!(report, Report::Ended { client, state: OrderState::Cancelled, filled: Some(Qty(ONE)), .. }
                if *client == draft.client)
        });
        let mut fills = reports.iter().filter_map(|report| match report {
            Report::Filled { client, trade, price, qty, fee, fee_asset, total, .. } => {
                assert_eq!((*client, *price, *total), (draft.client, draft.price, Some(*qty)));
                Some((*trade, *qty, fee.to_string(), *fee_asset))
            }
            _ => None,
        });
        let first = fills.next().unwrap();
        assert_eq!((first.1, first.2.as_str(), first.3.as_str()), (Qty(ONE), "0.001", "BTC"));
        assert_eq!(fills.next(), Some(first), "answer and event tell the same fill");
        assert_eq!(fills.next(), None);

        // A resting order is reduced, found, replaced and cancelled.
        let resting = world.draft(Tif::Gtc, Side::Buy, 58_000 * ONE, ONE / 2);
        let client = resting.client;
        world.place(&resting, Nanos::ZERO);
        world.expect("accepted", |r| matches!(r, Report::Accepted { client: c, .. } if *c == client));
        let instrument = InstrumentId(0);
        let qty = Qty(ONE / 4);
        world.command(Command::Amend { client, instrument, price: None, qty });
        world.expect(
            "amended",
            |r| matches!(r, Report::Amended { client: c, qty: q, .. } if (*c, *q) == (client, qty)),
        );
        world.command(Command::Query { client, instrument });
        world
            .expect("status", |r| matches!(r, Report::Status(s) if s.client == Some(client) && s.qty == qty));
        world.command(Command::OpenOrders);
        world.expect("one open", |r| *r == Report::OpenOrdersEnd { count: 1 });
        let order = world.draft(Tif::Gtc, Side::Buy, 57_000 * ONE, ONE / 2);
        world.command(Command::Replace { cancel: client, order });
        let reports =
            world.expect("replaced", |r| matches!(r, Report::Ended { client: c, .. } if *c == client));
        assert!(
            reports.iter().any(|r| matches!(r, Report::Accepted { client, .. } if *client == order.client))
        );
        world.command(Command::Cancel { client, venue_ref: None, instrument });
        world.expect(
            "cancelled twice",
            |r| matches!(r, Report::CancelError { client: c, class: Class::Unknown, .. } if *c == client),
        );
        world.command(Command::Replace { cancel: client, order: resting });
        let reports = world.expect("nothing to replace", |r| matches!(r, Report::CancelError { .. }));
        assert!(reports.iter().any(|r| matches!(r, Report::OrderError { class: Class::Refused, .. })));
        world.command(Command::CancelAll { instrument });
        world.expect("cancelled all", |r| *r == Report::CancelledAll { count: Some(1) });
        world.command(Command::CancelAll { instrument });
        world.expect("none left", |r| *r == Report::CancelledAll { count: Some(0) });
        let unknown = ClientId::from_bits(5);
        world.command(Command::Query { client: unknown, instrument });
        world.expect("not found", |r| *r == Report::NotFound { client: unknown });

        // The trade list, the account, the key.
        world.command(Command::Fills { instrument, since: START });
        world.expect("trades", |r| matches!(r, Report::Filled { client, .. } if *client == draft.client));
        world.command(Command::Balances);
        world.expect("balance", |r| {
            matches!(r, Report::Balance { asset, free, .. } if asset.as_str() == "BTC" && free.to_string() == "0.999")
        });
        world.command(Command::Fees { instrument });
        world.expect("fees", |r| {
            matches!(r, Report::Fees { taker: FeeRate(100_000), maker: FeeRate(75_000), .. })
        });
        world.command(Command::Rights);
        world.expect(
            "rights",
            |r| matches!(r, Report::Rights(rights) if rights.trade == Some(true) && rights.excess.is_empty()),
        );
        world.command(Command::ServerTime);
        world.expect("time", |r| matches!(r, Report::ServerTime { venue, .. } if *venue == START));
    });
}

#[test]
fn refusals_mean_the_same_by_every_way() {
    everywhere(SPOT, |world| {
        let poor = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, 100 * ONE);
        world.place(&poor, Nanos::ZERO);
        world.expect("too dear", |r| {
            matches!(r, Report::OrderError { client, class: Class::Refused, code, .. }
                if *client == poor.client && code.as_str().starts_with("-2010 Account has"))
        });
        // Too late: outside its window.
        let late = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE);
        world.place(&late, Nanos::from_millis(1_500));
        let reports = world.expect("late", |r| {
            matches!(r, Report::OrderError { class: Class::Refused, code, .. } if code.as_str().starts_with("-1021"))
        });
        assert!(reports.iter().any(|r| matches!(r, Report::ServerTime { .. })), "{reports:?}");
        // Unfilled orders use the limit up.
        let mut throttled = None;
        for _ in 0..250 {
            let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE / 10);
            world.place(&draft, Nanos::ZERO);
            throttled = world
                .take()
                .into_iter()
                .find(|r| matches!(r, Report::OrderError { class: Class::Throttled, .. }));
            if throttled.is_some() {
                break;
            }
        }
        let Some(Report::OrderError { retry_at: Some(retry_at), code, .. }) = throttled else { panic!() };
        assert!(code.as_str().starts_with("-1015"));
        assert!(retry_at > world.now && retry_at <= world.now + Nanos::from_secs(10), "{retry_at}");
        world.now = retry_at + Nanos::from_millis(1);
        let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE / 10);
        world.place(&draft, Nanos::ZERO);
        world.expect("again", |r| matches!(r, Report::Accepted { .. }));
        // A key that is gone ends all.
        assert!(world.exchange.revoke_key(world.key));
        let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE / 10);
        world.place(&draft, Nanos::ZERO);
        let reports = world.take();
        let halted = reports.iter().any(|r| matches!(r, Report::OrderError { class: Class::Halt, .. }));
        let down = reports.iter().any(|r| matches!(r, Report::Down(_)));
        assert!(halted || down, "{reports:?}");
    });
}

#[test]
fn keys_without_the_right_or_from_elsewhere_are_refused() {
    for (rights, why) in [
        (KeyRights { trade: Some(false), ..KeyRights::default() }, "no right to trade"),
        (KeyRights { ips: vec!["10.9.9.9".to_owned()], ..KeyRights::default() }, "another address"),
    ] {
        let mut world = World::new(Transport::Rest, HMAC);
        let key = ApiKey {
            account: world.trader,
            key: HMAC.0.to_owned(),
            secret: secret_of(HMAC),
            passphrase: None,
            rights,
        };
        world.exchange.add_key(key);
        let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE / 10);
        world.place(&draft, Nanos::ZERO);
        world.expect(why, |r| {
            matches!(r, Report::OrderError { class: Class::Halt, code, .. } if code.as_str().starts_with("-2015"))
        });
    }
    // Another secret: the signature does not fit.
    let mut world = World::new(Transport::Rest, HMAC);
    let secret = KeySecret::Shared(b"another".to_vec());
    let key = ApiKey {
        account: world.trader,
        key: HMAC.0.to_owned(),
        secret,
        passphrase: None,
        rights: KeyRights::default(),
    };
    world.exchange.add_key(key);
    let draft = world.draft(Tif::Ioc, Side::Buy, 60_000 * ONE, ONE / 10);
    world.place(&draft, Nanos::ZERO);
    world.expect("signature", |r| {
        matches!(r, Report::OrderError { class: Class::Halt, code, .. } if code.as_str().starts_with("-1022"))
    });
}
