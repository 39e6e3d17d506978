//! Gateway and server with a simulated exchange between them, all in one thread and in virtual time;
//! messages cross from one to the other as they are.

use std::collections::BTreeMap;

use oorandom::Rand64;
use xarb::sim::exchange::{AccountKind, ExchangeConfig, Knobs, Rates, SimExchange};
use xarb::sim::keys::{make_key, trading_rights};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

pub const START: Nanos = Nanos::from_millis(1_700_000_000_000);
pub const ADDRESS: &str = "10.0.0.1:4444";
pub const TRANSPORTS: [Transport; 2] = [Transport::Ws, Transport::Rest];
pub const INSTRUMENT: InstrumentId = InstrumentId(7);

/// A market of a venue: its registry row, the rules of its one instrument, where it is reached.
#[derive(Clone)]
pub struct Site {
    pub venue: &'static str,
    pub spec: InstrumentSpec,
    pub rest: &'static str,
    pub orders: &'static str,
    pub private: &'static str,
}

impl Site {
    pub fn row(&self) -> &'static Venue {
        find(self.venue).unwrap()
    }

    pub fn is_spot(&self) -> bool {
        self.spec.contract.kind == ContractKind::Spot
    }

    pub fn gateway_config(&self, credentials: Credentials, transport: Transport) -> GatewayConfig {
        let endpoint = |url| Endpoint::parse(url).unwrap();
        GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(INSTRUMENT, self.spec.clone())],
            credentials,
            transport,
            rest: endpoint(self.rest),
            orders: endpoint(self.orders),
            private: endpoint(self.private),
            window_ms: 1_000,
            nonce_from: 0,
            mask_seed: 7,
        }
    }

    /// An exchange with this one market, and its house.
    pub fn exchange(&self) -> (SimExchange, AccountId) {
        let config = ExchangeConfig {
            instruments: vec![self.spec.clone()],
            fee_in: self.row().sim.fee_in,
            rates: Rates { maker: FeeRate(20_000), taker: FeeRate(100_000) },
            knobs: Knobs::default(),
        };
        let mut exchange = SimExchange::new(config, Rand64::new(6)).unwrap();
        let house = exchange.open_account(AccountKind::House);
        for asset in ["BTC", "USDT"] {
            exchange.deposit(house, Asset::new(asset).unwrap(), Money::parse("100000000").unwrap());
        }
        (exchange, house)
    }
}

/// What a frame says once its mask is off.
pub fn unmask(frame: &[u8]) -> String {
    // A masked text frame with a two-byte length.
    assert_eq!(frame[..2], [0x81, 0xfe]);
    let (mask, masked) = (&frame[4..8], &frame[8..]);
    assert_eq!(masked.len(), usize::from(u16::from_be_bytes([frame[2], frame[3]])));
    String::from_utf8(masked.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect()).unwrap()
}

pub struct World {
    pub site: Site,
    pub now: Nanos,
    pub exchange: SimExchange,
    pub server: Box<dyn Server>,
    pub gateway: Box<dyn Gateway>,
    pub trader: AccountId,
    pub house: AccountId,
    pub reports: Vec<Report>,
    pub reconnects: Vec<(Lane, &'static str)>,
    /// Nothing that the server sends arrives.
    pub deaf: bool,
    orders: u64,
    /// Tokens of requests by their ids, so that the gateway gets its own back.
    tokens: BTreeMap<RequestId, u128>,
    pub requests: u64,
}

pub fn conn(lane: Lane) -> ConnId {
    ConnId(if lane == Lane::Orders { 1 } else { 2 })
}

impl World {
    pub fn new(site: Site, transport: Transport, rights: KeyRights) -> World {
        let row = site.row();
        let (mut exchange, house) = site.exchange();
        let trader = exchange.open_account(AccountKind::Trader);
        exchange.deposit(trader, Asset::new("USDT").unwrap(), Money::parse("200000").unwrap());
        if site.is_spot() {
            exchange.deposit(trader, Asset::new("BTC").unwrap(), Money::parse("10").unwrap());
        }
        let (key, credentials) = make_key(&mut Rand64::new(5), row.sim.session_key, trader, rights);
        exchange.add_key(key);
        World {
            now: START,
            exchange,
            server: row.server.unwrap()(9),
            gateway: row.gateway.unwrap()(&site.gateway_config(credentials, transport)).unwrap(),
            site,
            trader,
            house,
            reports: Vec::new(),
            reconnects: Vec::new(),
            deaf: false,
            orders: 0,
            tokens: BTreeMap::new(),
            requests: 0,
        }
    }

    /// A world whose gateway is logged in.
    pub fn ready(site: Site, transport: Transport) -> World {
        let rights = KeyRights { ips: vec!["10.0.0.1".to_owned()], ..trading_rights() };
        let mut world = World::new(site, transport, rights);
        world.open();
        assert!(world.gateway.ready(), "{:?}", world.reports);
        let told = |wanted| world.reports.iter().filter(|report| **report == wanted).count();
        assert_eq!((told(Report::Streaming), told(Report::Ready)), (1, 1), "{:?}", world.reports);
        world.reports.clear();
        world
    }

    pub fn is_spot(&self) -> bool {
        self.site.is_spot()
    }

    pub fn open(&mut self) {
        for spec in self.gateway.lanes() {
            if spec.endpoint.websocket {
                let (conn, target) = (conn(spec.lane), spec.endpoint.target.as_str());
                self.serve(ServerInput::Opened { conn, target, headers: &[], peer: ADDRESS });
            }
            self.tell(GatewayInput::Opened(spec.lane));
        }
    }

    pub fn tell(&mut self, input: GatewayInput<'_>) {
        let mut out = GatewayOut::default();
        self.gateway.on(input, self.now, &mut out);
        self.after(out);
    }

    pub fn command(&mut self, command: Command) -> Result<(), Unsupported> {
        let mut out = GatewayOut::default();
        let done = self.gateway.command(&command, self.now, &mut out);
        self.after(out);
        done
    }

    fn after(&mut self, out: GatewayOut) {
        self.reports.extend(out.reports);
        for want in out.wants {
            match want {
                GatewayWant::Send(lane, text) => self.serve(ServerInput::Text(conn(lane), &text)),
                GatewayWant::Http { token, request } => {
                    let headers: Vec<(String, String)> =
                        request.headers.iter().map(|(n, v)| (n.to_lowercase(), v.clone())).collect();
                    self.http(token, request.method, &request.target, &headers, &request.body);
                }
                GatewayWant::Reconnect(lane, why) => self.reconnects.push((lane, why)),
            }
        }
    }

    pub fn http(
        &mut self,
        token: u128,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.tokens.insert(id, token);
        self.serve(ServerInput::Request { id, method, target, headers, body, peer: ADDRESS });
    }

    /// Hands the server an input, and the gateway all that comes of it.
    pub fn serve(&mut self, input: ServerInput<'_>) {
        let mut out = Vec::new();
        self.server.on(input, self.now, &mut self.exchange, &mut out);
        let mut events = Vec::new();
        self.exchange.drain_events(&mut events);
        for event in &events {
            self.server.on(ServerInput::Event(event), self.now, &mut self.exchange, &mut out);
        }
        for answer in out {
            match answer {
                _ if self.deaf => {}
                ServerOut::Text(conn, text) => {
                    let lane = if conn == ConnId(1) { Lane::Orders } else { Lane::Private };
                    let mut padded = PaddedBuf::default();
                    self.tell(GatewayInput::Text(lane, padded.fill(text.as_bytes())));
                }
                ServerOut::Response { id, status, headers, body } => {
                    let (token, body) = (self.tokens.remove(&id).unwrap(), body.as_bytes());
                    self.tell(GatewayInput::Response { token, status, headers: &headers, body });
                }
                ServerOut::Binary(conn, _) => panic!("not JSON: {conn:?}"),
                ServerOut::Close(conn) => panic!("cut off: {conn:?}"),
            }
        }
    }

    pub fn draft(&mut self, side: Side, kind: Kind, tif: Tif, price: &str, qty: &str) -> Draft {
        self.orders += 1;
        let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
        let parts =
            ClientIdParts { environment: Environment::Sim, run: 1, counter: self.orders, leg: 0, tag: 7 };
        Draft {
            client: ClientId::new(parts),
            venue: VenueId(0),
            instrument: INSTRUMENT,
            side,
            kind,
            tif,
            price: Price(number(price)),
            qty: Qty(number(qty)),
            reduce_only: false,
        }
    }

    /// The bytes of an order.
    pub fn encode(&mut self, draft: &Draft) -> OrderBytes {
        let mut bytes = OrderBytes::new();
        self.gateway.encode(draft, self.now, &mut bytes).unwrap();
        assert!(bytes.expires > self.now && bytes.client == draft.client && bytes.generation == 1);
        bytes
    }

    /// Sends an order as the bytes that it is, over whichever transport.
    pub fn send(&mut self, draft: &Draft) {
        let bytes = self.encode(draft);
        self.deliver(&bytes);
    }

    pub fn deliver(&mut self, bytes: &OrderBytes) {
        if bytes.lane == Lane::Orders {
            let text = unmask(bytes.as_slice());
            return self.serve(ServerInput::Text(conn(Lane::Orders), &text));
        }
        let text = std::str::from_utf8(bytes.as_slice()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        assert_eq!(first.next(), Some("HTTP/1.1"));
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
        assert_eq!(length.1, body.len().to_string());
        self.http(bytes.client.bits(), method, target, &headers, body.as_bytes());
    }

    /// An order of the house; its number.
    pub fn quote(&mut self, side: Side, price: &str, qty: &str) -> u64 {
        let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
        let order = NewOrder {
            instrument: 0,
            side,
            kind: Kind::Limit,
            tif: Tif::Gtc,
            price: Price(number(price)),
            qty: Qty(number(qty)),
            client: String::new(),
            reduce_only: false,
        };
        let id = self.exchange.place(self.house, &order, self.now).unwrap().id;
        self.serve(ServerInput::Tick);
        id
    }

    pub fn wait(&mut self, span: Nanos) {
        self.now = self.now + span;
        self.serve(ServerInput::Tick);
        self.tell(GatewayInput::Tick);
    }

    /// What was reported since, briefly, but for wallets and limits.
    pub fn told(&mut self) -> Vec<String> {
        let show = |value| Fixed(value, Scale::DEFAULT);
        let reports = std::mem::take(&mut self.reports);
        let told = reports.iter().filter_map(|report| {
            Some(match report {
                Report::Balance { .. } | Report::Used { .. } => return None,
                Report::Accepted { .. } => "accepted".to_owned(),
                Report::Filled { qty, price, fee, fee_asset, .. } => {
                    format!("filled {} at {} for {fee} {fee_asset}", show(qty.0), show(price.0))
                }
                Report::Ended { state, filled, .. } => {
                    let filled = filled.map_or("?".to_owned(), |qty| show(qty.0).to_string());
                    format!("{state:?} {filled}").to_lowercase()
                }
                Report::OrderError { class, code, .. } => format!("{class:?} {code}"),
                Report::CancelError { class, code, .. } => format!("cancel {class:?} {code}"),
                Report::Status(status) => format!("status {:?} {}", status.state, show(status.filled.0)),
                Report::Amended { price, qty, .. } => format!("amended {} at {}", show(qty.0), show(price.0)),
                Report::Position { qty, entry, .. } => {
                    let entry = entry.map_or(String::new(), |price| format!(" at {}", show(price.0)));
                    format!("position {}{entry}", show(qty.0))
                }
                other => format!("{other:?}"),
            })
        });
        told.collect()
    }
}
