//! Gateway and server of one market with a simulated exchange between them, all in one thread and in
//! virtual time: requests, and the texts of one socket, cross from one to the other as they are.

use std::collections::BTreeMap;

use oorandom::Rand64;
use xarb::sim::exchange::{AccountKind, ExchangeConfig, FeeIn, Knobs, Rates, SimExchange};
use xarb::sim::keys::{KeyForm, make_key};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

/// The one socket's connection.
pub const PRIVATE: ConnId = ConnId(1);
const PEER: &str = "127.0.0.1:9";

/// What a frame says once its mask is off.
pub fn unmask(frame: &[u8]) -> String {
    let (start, len) = match frame[1] & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
        len => (2, usize::from(len)),
    };
    assert_eq!((frame[0], frame[1] & 0x80, frame.len()), (0x81, 0x80, start + 4 + len));
    let mask = &frame[start..start + 4];
    let text = frame[start + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    String::from_utf8(text.collect()).unwrap()
}

/// Both ends of a private wire.
pub struct Ends {
    pub venue: &'static str,
    pub now: Nanos,
    pub exchange: SimExchange,
    pub server: Box<dyn Server>,
    pub gateway: Box<dyn Gateway>,
    pub trader: AccountId,
    pub house: AccountId,
    pub reports: Vec<Report>,
    orders: u64,
    /// Tokens of requests by their ids, so that the gateway gets its own back.
    tokens: BTreeMap<RequestId, u128>,
    pub requests: u64,
    /// Messages to the gateway that are not delivered.
    pub deaf: bool,
}

impl Ends {
    /// At a venue with one market; `config` makes the gateway's once there is a key.
    pub fn at(
        venue: &'static str,
        spec: InstrumentSpec,
        rates: Rates,
        (form, rights): (KeyForm, KeyRights),
        config: impl FnOnce(Credentials) -> GatewayConfig,
    ) -> Ends {
        let row = find(venue).unwrap();
        let rules =
            ExchangeConfig { instruments: vec![spec], fee_in: FeeIn::Quote, rates, knobs: Knobs::default() };
        let mut exchange = SimExchange::new(rules, Rand64::new(6)).unwrap();
        let (house, trader) =
            (exchange.open_account(AccountKind::House), exchange.open_account(AccountKind::Trader));
        for account in [house, trader] {
            exchange.deposit(account, Asset::new("BTC").unwrap(), Money::parse("1000").unwrap());
            exchange.deposit(account, Asset::new("USD").unwrap(), Money::parse("100000000").unwrap());
        }
        let (key, credentials) = make_key(&mut Rand64::new(5), form, trader, rights);
        exchange.add_key(key);
        Ends {
            venue,
            now: Nanos::from_secs(1_785_060_000),
            exchange,
            server: row.server.unwrap()(9),
            gateway: row.gateway.unwrap()(&config(credentials)).unwrap(),
            trader,
            house,
            reports: Vec::new(),
            orders: 0,
            tokens: BTreeMap::new(),
            requests: 0,
            deaf: false,
        }
    }

    /// Opens the socket.
    pub fn open(&mut self) {
        let stream = self.stream();
        let target = stream.endpoint.target.as_str();
        self.serve(ServerInput::Opened { conn: PRIVATE, target, headers: &[], peer: PEER });
        self.gateway_on(GatewayInput::Opened(stream.lane));
    }

    fn stream(&self) -> LaneSpec {
        self.gateway.lanes().into_iter().find(|lane| lane.endpoint.websocket).unwrap()
    }

    /// The lane of the socket.
    pub fn lane(&self) -> Lane {
        self.stream().lane
    }

    pub fn gateway_on(&mut self, input: GatewayInput<'_>) {
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

    pub fn after(&mut self, mut out: GatewayOut) {
        self.reports.append(&mut out.reports);
        for want in out.wants {
            match want {
                GatewayWant::Send(_, text) => self.serve(ServerInput::Text(PRIVATE, &text)),
                GatewayWant::Http { token, request } => {
                    let mut headers: Vec<(String, String)> = request
                        .headers
                        .iter()
                        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                        .collect();
                    headers.push(("host".to_owned(), "127.0.0.1".to_owned()));
                    self.http(token, request.method, &request.target, &headers, &request.body);
                }
                GatewayWant::Reconnect(lane, _) => {
                    self.serve(ServerInput::Closed(PRIVATE));
                    self.gateway_on(GatewayInput::Closed(lane));
                    self.open();
                }
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
        self.serve(ServerInput::Request { id, method, target, headers, body, peer: PEER });
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
        if self.deaf {
            return;
        }
        let lane = self.lane();
        for answer in out {
            match answer {
                ServerOut::Text(PRIVATE, text) => {
                    let mut padded = PaddedBuf::default();
                    self.gateway_on(GatewayInput::Text(lane, padded.fill(text.as_bytes())));
                }
                ServerOut::Response { id, status, headers, body } => {
                    let token = self.tokens.remove(&id).unwrap();
                    let body = body.as_bytes();
                    self.gateway_on(GatewayInput::Response { token, status, headers: &headers, body });
                }
                ServerOut::Text(..) | ServerOut::Binary(..) | ServerOut::Close(_) => {}
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
            instrument: InstrumentId(7),
            side,
            kind,
            tif,
            price: Price(number(price)),
            qty: Qty(number(qty)),
            reduce_only: false,
        }
    }

    /// Sends an order as the bytes that it is, over whichever lane it goes.
    pub fn send(&mut self, draft: &Draft) {
        let mut bytes = OrderBytes::new();
        self.gateway.encode(draft, self.now, &mut bytes).unwrap();
        assert!(bytes.expires > self.now && bytes.client == draft.client, "{}", self.venue);
        let lanes = self.gateway.lanes();
        let lane = lanes.iter().find(|lane| lane.lane == bytes.lane).expect("a lane that is kept open");
        if lane.endpoint.websocket {
            let text = unmask(bytes.as_slice());
            return self.serve(ServerInput::Text(PRIVATE, &text));
        }
        self.send_bytes(draft.client, &bytes);
    }

    /// Sends an order that is an HTTP request.
    pub fn send_bytes(&mut self, client: ClientId, bytes: &OrderBytes) {
        let text = std::str::from_utf8(bytes.as_slice()).unwrap().to_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
        assert_eq!(length.1, body.len().to_string());
        self.http(client.bits(), method, target, &headers, body.as_bytes());
    }

    /// Places an order of the house; its number.
    pub fn rest(&mut self, side: Side, price: &str, qty: &str) -> u64 {
        let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
        let order = NewOrder {
            instrument: 0,
            side,
            kind: Kind::Limit,
            tif: Tif::Gtc,
            price: Price(number(price)),
            qty: Qty(number(qty)),
            reduce_only: false,
            client: String::new(),
        };
        let id = self.exchange.place(self.house, &order, self.now).unwrap().id;
        self.serve(ServerInput::Tick);
        id
    }
}
