//! The feed against the simulated server: books that follow the exchange's, and notice what was lost.

use oorandom::Rand64;
use xarb::sim::exchange::SimExchange;
use xarb::types::{BookId, Endpoint, InstrumentSpec, KeyRights, Nanos, Side};
use xarb::venue::{
    AccountId, ApiKey, BookConfig, ChangeKind, Channels, ConnId, Encoding, Event, Exchange, Feed, FeedConfig,
    FeedInput, FeedOut, Lost, OrderRef, RequestId, Server, ServerInput, ServerOut, Want, find,
};
use xarb::wire::PaddedBuf;

use crate::captures::PlainBook;
use crate::dialogue::{ED25519, HMAC, START, spec};
use crate::trading::{exchange, limit, secret_of};

const ONE: i64 = 100_000_000;

struct Watcher {
    exchange: SimExchange,
    maker: AccountId,
    /// Of the maker's orders.
    qty: i64,
    server: Box<dyn Server>,
    feed: Box<dyn Feed>,
    now: Nanos,
    book: PlainBook,
    top: [Option<(i64, i64)>; 2],
    live: bool,
    lost: usize,
    seq: u64,
    /// Messages of the server to lose.
    lose: usize,
    /// Messages that were no text.
    binary: usize,
    padded: PaddedBuf,
}

impl Watcher {
    fn new(venue: &str, encoding: Encoding) -> Watcher {
        let stream = find(venue).unwrap().sim.stream_path;
        let InstrumentSpec { symbol, lot, .. } = spec(venue);
        let (mut exchange, maker) = exchange(venue);
        let (key, secret) = (ED25519.0.to_owned(), secret_of(ED25519));
        let (passphrase, rights) = (None, KeyRights::default());
        exchange.add_key(ApiKey { account: maker, key, secret, passphrase, rights });
        let venue = find(venue).unwrap();
        let endpoint = |url: &str| Endpoint::parse(url).unwrap();
        let feed = (venue.feed)(&FeedConfig {
            books: vec![BookConfig { symbol, spec: None }],
            discover: false,
            channels: Channels { depth: true, levels: 100, interval_ms: 100, ticker: true },
            encoding,
            stream: endpoint(&format!("ws://127.0.0.1:1{stream}")),
            rest: endpoint("http://127.0.0.1:1/"),
        });
        let mut watcher = Watcher {
            exchange,
            maker,
            qty: lot.0.max(ONE / 10),
            server: (venue.server.unwrap())(1),
            feed,
            now: START,
            book: PlainBook::default(),
            top: [None; 2],
            live: false,
            lost: 0,
            seq: 0,
            lose: 0,
            binary: 0,
            padded: PaddedBuf::default(),
        };
        let conn = ConnId(1);
        let mut headers = watcher.feed.headers(ED25519.0);
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        watcher.serve(ServerInput::Opened { conn, target: stream, headers: &headers, peer: "127.0.0.1:2" });
        watcher.tell(FeedInput::Opened);
        watcher
    }

    fn serve(&mut self, input: ServerInput<'_>) {
        let mut out = Vec::new();
        self.server.on(input, self.now, &mut self.exchange, &mut out);
        for answer in out {
            match answer {
                ServerOut::Text(..) | ServerOut::Binary(..) if self.lose > 0 => self.lose -= 1,
                ServerOut::Binary(_, bytes) => {
                    self.binary += 1;
                    let mut padded = std::mem::take(&mut self.padded);
                    self.tell(FeedInput::Binary(padded.fill(&bytes)));
                    self.padded = padded;
                }
                ServerOut::Text(_, text) => {
                    let mut padded = std::mem::take(&mut self.padded);
                    self.tell(FeedInput::Text(padded.fill(text.as_bytes())));
                    self.padded = padded;
                }
                ServerOut::Response { status, body, .. } => {
                    let (book, body) = (Some(BookId(0)), body.as_bytes());
                    self.tell(FeedInput::Fetched { book, url: "", status, body });
                }
                ServerOut::Close(_) => panic!("cut off"),
            }
        }
    }

    fn tell(&mut self, input: FeedInput<'_>) {
        let mut out = FeedOut::default();
        self.feed.on(input, self.now, &mut out).unwrap();
        for change in &out.changes {
            let (bids, asks) = (out.bids(change), out.asks(change));
            match change.kind {
                ChangeKind::Snapshot { .. } => self.book.clear(),
                ChangeKind::Update => self.live = true,
                ChangeKind::Lost(Lost::Gap { .. }) => {
                    self.live = false;
                    self.lost += 1;
                }
                ChangeKind::Top => {
                    self.top = [bids, asks].map(|side| side.first().map(|l| (l.price.0, l.qty.0)));
                    continue;
                }
                other => panic!("{other:?}"),
            }
            self.seq = change.seq;
            self.book.apply(Side::Buy, bids);
            self.book.apply(Side::Sell, asks);
        }
        for want in out.wants {
            match want {
                Want::Send(text) => self.serve(ServerInput::Text(ConnId(1), &text)),
                Want::Fetch { target, .. } => {
                    let (id, method, headers) = (RequestId(1), "GET", &[][..]);
                    let (body, peer, target) = (&b""[..], "127.0.0.1:2", &target[..]);
                    self.serve(ServerInput::Request { id, method, target, headers, body, peer });
                }
                Want::Reconnect(why) => panic!("{why}"),
            }
        }
    }

    /// Something happens at the exchange, then time passes.
    fn step(&mut self, rng: &mut Rand64) {
        for _ in 0..rng.rand_range(0..4) {
            let open = self.exchange.open_orders(self.maker);
            if open.len() > 20 || (!open.is_empty() && rng.rand_range(0..3) == 0) {
                let id = open[rng.rand_range(0..open.len() as u64) as usize].id;
                self.exchange.cancel(self.maker, &OrderRef::Id(id), self.now).unwrap();
            } else {
                let side = if rng.rand_range(0..2) == 0 { Side::Buy } else { Side::Sell };
                let away = rng.rand_range(1..20) as i64 * ONE;
                let price = 60_000 * ONE - side.sign() * away;
                self.exchange.place(self.maker, &limit(side, price, self.qty), self.now).unwrap();
            }
        }
        let mut events: Vec<Event> = Vec::new();
        self.exchange.drain_events(&mut events);
        for event in &events {
            self.serve(ServerInput::Event(event));
        }
        self.now = self.now + Nanos::from_millis(rng.rand_range(1..60) as i64);
        self.serve(ServerInput::Tick);
        self.tell(FeedInput::Tick);
    }

    /// The exchange's best levels, and whether the book stands where the exchange does.
    #[track_caller]
    fn compare(&self) {
        let truth = self.exchange.book(0, 1);
        let best = [&truth.bids, &truth.asks].map(|side| side.first().map(|l| (l.price.0, l.qty.0)));
        assert_eq!(self.top, best, "the ticker is always current");
        if self.live && self.seq == truth.seq {
            assert_eq!(self.book.best(), best, "at {}", truth.seq);
        }
    }
}

#[test]
fn a_book_follows_the_exchange() {
    for (venue, encoding) in [
        ("binance.spot", Encoding::Json),
        ("binance.spot", Encoding::Sbe),
        ("binance.usdm", Encoding::Json),
        ("binance.coinm", Encoding::Json),
    ] {
        let mut watcher = Watcher::new(venue, encoding);
        let mut rng = Rand64::new(11);
        for _ in 0..3_000 {
            watcher.step(&mut rng);
            watcher.compare();
        }
        assert!(watcher.live && watcher.lost == 0, "{venue}");
        assert!(watcher.exchange.book(0, 1).seq - watcher.seq < 20, "{venue}");
        assert_eq!(watcher.binary > 1_000, encoding == Encoding::Sbe, "{venue}");
    }
}

#[test]
fn lost_messages_are_noticed_and_cured() {
    for seed in 0..20 {
        let (venue, encoding) = match seed % 4 {
            0 => ("binance.spot", Encoding::Json),
            1 => ("binance.spot", Encoding::Sbe),
            2 => ("binance.coinm", Encoding::Json),
            _ => ("binance.usdm", Encoding::Json),
        };
        let mut watcher = Watcher::new(venue, encoding);
        let mut rng = Rand64::new(seed);
        for _ in 0..20 {
            for _ in 0..30 {
                watcher.step(&mut rng);
            }
            watcher.lose = 30;
            while watcher.lose > 0 {
                watcher.step(&mut rng);
            }
        }
        for _ in 0..100 {
            watcher.step(&mut rng);
        }
        watcher.compare();
        assert!(watcher.live && watcher.lost > 0, "seed {seed}: {} lost", watcher.lost);
    }
}

/// The same market in both encodings: once all is told, the same book to the last level.
#[test]
fn both_encodings_give_the_same_book() {
    for seed in 0..10 {
        let [json, sbe] = [Encoding::Json, Encoding::Sbe].map(|encoding| {
            let mut watcher = Watcher::new("binance.spot", encoding);
            let mut rng = Rand64::new(seed);
            for _ in 0..500 {
                watcher.step(&mut rng);
            }
            // Nothing happens any more, and what was gathered is told.
            watcher.now = watcher.now + Nanos::from_millis(200);
            watcher.serve(ServerInput::Tick);
            assert!(watcher.live && watcher.lost == 0, "seed {seed}");
            assert_eq!(watcher.seq, watcher.exchange.book(0, 1).seq, "seed {seed}");
            watcher
        });
        assert!(json.binary == 0 && sbe.binary > 100, "seed {seed}");
        assert_eq!(json.book, sbe.book, "seed {seed}");
        assert_eq!(json.top, sbe.top, "seed {seed}");
    }
}

/// Binary market data is for those whose key is of the kind that the venue asks for.
#[test]
fn a_key_of_another_kind_gets_no_binary_data() {
    for (name, secret, good) in
        [(ED25519.0, ED25519, true), (HMAC.0, HMAC, false), ("of nobody", ED25519, false)]
    {
        let (mut exchange, account) = exchange("binance.spot");
        let key = if name == "of nobody" { "another" } else { name }.to_owned();
        let (secret, rights) = (secret_of(secret), KeyRights::default());
        exchange.add_key(ApiKey { account, key, secret, passphrase: None, rights });
        let mut server = (find("binance.spot").unwrap().server.unwrap())(1);
        let headers = [("x-mbx-apikey".to_owned(), name.to_owned())];
        let (conn, target) = (ConnId(1), "/stream");
        let mut out = Vec::new();
        let opened = ServerInput::Opened { conn, target, headers: &headers, peer: "127.0.0.1:2" };
        server.on(opened, START, &mut exchange, &mut out);
        assert_eq!(out.is_empty(), good, "{name}");
    }
}
