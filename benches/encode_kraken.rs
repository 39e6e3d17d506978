//! Kraken's orders to bytes, with the compressions that a signature cannot avoid; and the book's
//! checksum, over the ten best levels of a book that is already built.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sha2::block_api::{compress256, compress512};
use xarb::types::{
    BookView, ClientId, Draft, Endpoint, InstrumentId, InstrumentSpec, Kind, Level, Nanos, Price, Qty, Side,
    Tif, VenueId,
};
use xarb::venue::{
    BookConfig, Channels, Credentials, FeedConfig, FeedInput, FeedOut, Gateway, GatewayConfig, GatewayInput,
    GatewayOut, OrderBytes, Transport, Verdict, find,
};
use xarb::wire::PaddedBuf;

const SECRET: &str =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
const PAIRS: &str = r#"{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8,
    "ordermin":"0.00005","costmin":"0.5","tick_size":"0.1","status":"online"}}}"#;

fn spec() -> InstrumentSpec {
    let venue = find("kraken.spot").expect("a venue");
    (venue.instruments)(PAIRS.as_bytes()).expect("instruments").remove(0)
}

/// A gateway that is logged in.
fn gateway(transport: Transport) -> Box<dyn Gateway> {
    let venue = find("kraken.spot").expect("a venue");
    let endpoint = |url| Endpoint::parse(url).expect("a URL");
    let config = GatewayConfig {
        venue: VenueId(0),
        instruments: vec![(InstrumentId(0), spec())],
        credentials: Credentials {
            key: "A".repeat(56),
            secret: SECRET.to_owned().into(),
            passphrase: None,
            generation: 0,
        },
        transport,
        rest: endpoint("https://api.kraken.com/"),
        orders: endpoint("wss://ws-auth.kraken.com/v2"),
        private: endpoint("wss://ws-auth.kraken.com/v2"),
        window_ms: 5_000,
        nonce_from: 0,
        mask_seed: 7,
    };
    let mut gateway = (venue.gateway.expect("orders"))(&config).expect("a gateway");
    let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
    let lane = gateway.lanes()[0].lane;
    gateway.on(GatewayInput::Opened(lane), Nanos::ZERO, &mut out);
    let body =
        br#"{"error":[],"result":{"token":"1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw","expires":900}}"#;
    gateway.on(GatewayInput::Response { token: 1, status: 200, headers: &[], body }, Nanos::ZERO, &mut out);
    let confirmed = br#"{"method":"subscribe","success":true,"req_id":1,"result":{"channel":"executions"}}"#;
    gateway.on(GatewayInput::Text(lane, padded.fill(confirmed)), Nanos::ZERO, &mut out);
    assert!(gateway.ready());
    gateway
}

/// The order numbered `i`: another id, price, quantity and time each.
fn draft(i: u64) -> (Draft, Nanos) {
    let bits = 0x0123_4567_89ab_4def_8000_0000_0000_0000u128 | u128::from(i.wrapping_mul(0x9e37_79b9) >> 2);
    let draft = Draft {
        client: ClientId::from_bits(bits),
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: if i.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price: Price(6_173_760_000_000 + (i % 1_000) as i64 * 10_000_000),
        qty: Qty(847_001 + (i % 100) as i64),
        reduce_only: false,
    };
    (draft, Nanos::from_millis(1_785_060_000_000 + i as i64))
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/encode");
    for (name, transport) in [("kraken_ws", Transport::Ws), ("kraken_rest", Transport::Rest)] {
        let (mut gateway, mut out, mut i) = (gateway(transport), OrderBytes::new(), 0);
        group.bench_function(name, |b| {
            b.iter(|| {
                i += 1;
                let (draft, now) = draft(i);
                gateway.encode(black_box(&draft), now, &mut out).expect("an order");
                black_box(out.as_slice().len())
            })
        });
    }
    group.finish();

    // The nonce and the body, padded, through SHA-256 from the first block on, since the nonce
    // stands first; then the two blocks of SHA-512 behind the key.
    let (mut gateway, mut out) = (gateway(Transport::Rest), OrderBytes::new());
    let (first, now) = draft(1);
    gateway.encode(&first, now, &mut out).expect("an order");
    let text = std::str::from_utf8(out.as_slice()).expect("text");
    let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    let blocks = vec![[0x5a; 64]; (16 + body + 9).div_ceil(64)];
    c.benchmark_group("limit/sha512").bench_function("kraken_rest", |b| {
        let (mut inner, mut outer, block) = ([1; 8], [1; 8], [[0x5a; 128]]);
        b.iter(|| {
            compress256(&mut inner, black_box(&blocks));
            compress512(&mut outer, black_box(&block));
            compress512(&mut outer, black_box(&block));
            black_box((inner, outer))
        })
    });
}

/// A book as flat lists, so that the checksum is measured and not the book.
struct Flat([Vec<Level>; 2]);

impl BookView for Flat {
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        let levels = &self.0[side as usize];
        let n = levels.len().min(out.len());
        out[..n].copy_from_slice(&levels[..n]);
        n
    }
}

fn verify(c: &mut Criterion) {
    let venue = find("kraken.spot").expect("a venue");
    let mut feed = (venue.feed)(&FeedConfig {
        books: vec![BookConfig { symbol: spec().symbol, spec: Some(spec()) }],
        discover: false,
        channels: Channels { depth: true, levels: 10, interval_ms: 0, ticker: false },
        encoding: xarb::venue::Encoding::Json,
        stream: Endpoint::parse(venue.endpoints.0).expect("a URL"),
        rest: Endpoint::parse(venue.endpoints.1).expect("a URL"),
    });
    // The venue's own worked example.
    let dialogue = include_str!("../tests/data/kraken/book.txt");
    let snapshot = dialogue.lines().find(|line| line.contains("3310070434")).expect("the example");
    let snapshot = snapshot.trim_start_matches("< ").as_bytes();
    let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
    feed.on(FeedInput::Text(padded.fill(snapshot)), Nanos::ZERO, &mut out).expect("a snapshot");
    let change = out.changes[0].clone();
    let book = Flat([out.bids(&change).to_vec(), out.asks(&change).to_vec()]);
    assert_eq!(feed.verify(&change, &book), Verdict::Matches);
    c.benchmark_group("hop/verify")
        .bench_function("kraken_book", |b| b.iter(|| black_box(feed.verify(black_box(&change), &book))));
}

criterion_group!(benches, encode, verify);
criterion_main!(benches);
