//! A feed against its venue's simulated server: books that follow the exchange's, and notice what was
//! lost.

use std::collections::BTreeMap;

use oorandom::Rand64;
use xarb::sim::exchange::SimExchange;
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::stage::{START, Site};

const ONE: i64 = 100_000_000;

/// A plain ordered book: slow, and easily seen to be right.
#[derive(Default)]
pub struct Plain([BTreeMap<i64, i64>; 2]);

impl Plain {
    pub fn apply(&mut self, side: Side, levels: &[Level]) {
        for level in levels {
            match level.qty.0 {
                0 => self.0[side as usize].remove(&level.price.0),
                qty => self.0[side as usize].insert(level.price.0, qty),
            };
        }
    }

    pub fn clear(&mut self) {
        self.0 = Default::default();
    }

    /// A side, best first.
    pub fn side(&self, side: Side) -> Vec<Level> {
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        match side {
            Side::Buy => self.0[0].iter().rev().map(level).collect(),
            Side::Sell => self.0[1].iter().map(level).collect(),
        }
    }

    pub fn is_crossed(&self) -> bool {
        match (self.0[0].last_key_value(), self.0[1].first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }
}

pub struct Watcher {
    pub exchange: SimExchange,
    maker: AccountId,
    server: Box<dyn Server>,
    feed: Box<dyn Feed>,
    pub now: Nanos,
    depth: usize,
    pub book: Plain,
    pub top: [Vec<Level>; 2],
    live: bool,
    pub lost: usize,
    pub snapshots: usize,
    pub updates: usize,
    /// Messages of the server to lose.
    pub lose: usize,
    /// Snapshots over the stream are lost, all of them.
    pub headless: bool,
    pub fetches: u64,
    padded: PaddedBuf,
}

impl Watcher {
    pub fn new(site: &Site, feed: Box<dyn Feed>, depth: u32, headless: bool) -> Watcher {
        let (exchange, maker) = site.exchange();
        let mut watcher = Watcher {
            exchange,
            maker,
            server: (site.row().server.unwrap())(1),
            feed,
            now: START,
            depth: depth as usize,
            book: Plain::default(),
            top: Default::default(),
            live: false,
            lost: 0,
            snapshots: 0,
            updates: 0,
            lose: 0,
            headless,
            fetches: 0,
            padded: PaddedBuf::default(),
        };
        let endpoint = watcher.feed.endpoint();
        let (conn, target) = (ConnId(1), endpoint.target.as_str());
        watcher.serve(ServerInput::Opened { conn, target, headers: &[], peer: "127.0.0.1:2" });
        watcher.tell(FeedInput::Opened);
        watcher
    }

    fn serve(&mut self, input: ServerInput<'_>) {
        let mut out = Vec::new();
        self.server.on(input, self.now, &mut self.exchange, &mut out);
        for answer in out {
            match answer {
                ServerOut::Text(..) if self.lose > 0 => self.lose -= 1,
                ServerOut::Text(_, text) if self.headless && text.contains("\"snapshot\"") => {}
                ServerOut::Response { status, body, .. } => {
                    let (book, body) = (Some(BookId(0)), body.as_bytes());
                    self.tell(FeedInput::Fetched { book, url: "", status, body });
                }
                ServerOut::Text(_, text) => {
                    let mut padded = std::mem::take(&mut self.padded);
                    self.tell(FeedInput::Text(padded.fill(text.as_bytes())));
                    self.padded = padded;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn tell(&mut self, input: FeedInput<'_>) {
        let mut out = FeedOut::default();
        self.feed.on(input, self.now, &mut out).unwrap();
        for change in &out.changes {
            let (bids, asks) = (out.bids(change), out.asks(change));
            match change.kind {
                ChangeKind::Snapshot { live } => {
                    assert!(live);
                    self.book.clear();
                    self.live = true;
                    self.snapshots += 1;
                }
                ChangeKind::Update => self.updates += 1,
                ChangeKind::Top => {
                    self.top = [bids.to_vec(), asks.to_vec()];
                    continue;
                }
                ChangeKind::Alive => continue,
                ChangeKind::Lost(Lost::Gap { .. }) => {
                    self.live = false;
                    self.lost += 1;
                }
                other => panic!("{other:?}"),
            }
            self.book.apply(Side::Buy, bids);
            self.book.apply(Side::Sell, asks);
        }
        for want in out.wants {
            match want {
                Want::Send(text) => self.serve(ServerInput::Text(ConnId(1), &text)),
                Want::Fetch { target, .. } => {
                    self.fetches += 1;
                    let id = RequestId(self.fetches);
                    let peer = "127.0.0.1:2";
                    let (method, target, headers, body) = ("GET", &*target, &[][..], &[][..]);
                    self.serve(ServerInput::Request { id, method, target, headers, body, peer });
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Something happens at the exchange, then time passes.
    pub fn step(&mut self, rng: &mut Rand64) {
        for _ in 0..rng.rand_range(0..4) {
            let open = self.exchange.open_orders(self.maker);
            if open.len() > 90 || (!open.is_empty() && rng.rand_range(0..3) == 0) {
                let id = open[rng.rand_range(0..open.len() as u64) as usize].id;
                self.exchange.cancel(self.maker, &OrderRef::Id(id), self.now).unwrap();
            } else {
                let side = if rng.rand_range(0..2) == 0 { Side::Buy } else { Side::Sell };
                let away = rng.rand_range(1..90) as i64 * ONE;
                let order = NewOrder {
                    instrument: 0,
                    side,
                    kind: Kind::Limit,
                    tif: Tif::Gtc,
                    price: Price(60_000 * ONE - side.sign() * away),
                    qty: Qty(ONE / 10),
                    client: String::new(),
                    reduce_only: false,
                };
                self.exchange.place(self.maker, &order, self.now).unwrap();
            }
        }
        let mut events: Vec<Event> = Vec::new();
        self.exchange.drain_events(&mut events);
        for event in &events {
            self.serve(ServerInput::Event(event));
        }
        self.pass(Nanos::from_millis(rng.rand_range(1..60) as i64));
    }

    pub fn pass(&mut self, span: Nanos) {
        self.now = self.now + span;
        self.serve(ServerInput::Tick);
        self.tell(FeedInput::Tick);
    }

    /// With nothing on its way, the book is the exchange's best levels, no more and no less.
    #[track_caller]
    pub fn compare(&mut self, seed: u64) {
        self.pass(Nanos::from_millis(250));
        let truth = self.exchange.book(0, self.depth);
        assert!(self.live, "seed {seed}");
        assert_eq!(self.book.side(Side::Buy), truth.bids, "seed {seed}");
        assert_eq!(self.book.side(Side::Sell), truth.asks, "seed {seed}");
        if self.depth > 1 {
            let best = self.exchange.book(0, 1);
            assert_eq!(self.top, [best.bids, best.asks], "seed {seed}");
        }
    }
}
