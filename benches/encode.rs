//! Orders to bytes: the hop, the compressions it cannot avoid, and how it is usually done.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use sha2::block_api::compress256;
use xarb::types::{ClientId, Draft, Endpoint, InstrumentId, Kind, Nanos, Price, Qty, Side, Tif, VenueId};
use xarb::venue::{
    Credentials, Gateway, GatewayConfig, GatewayInput, GatewayOut, Lane, OrderBytes, Transport, find,
};
use xarb::wire::PaddedBuf;

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const HMAC: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";

fn gateway(transport: Transport, secret: &str) -> Box<dyn Gateway> {
    let venue = find("binance.spot").expect("a venue");
    let body = include_bytes!("../tests/data/binance/exchange_info_spot.json");
    let spec = (venue.instruments)(body).expect("instruments").remove(0);
    let endpoint = |url| Endpoint::parse(url).expect("a URL");
    let mut gateway = (venue.gateway.expect("orders"))(&GatewayConfig {
        venue: VenueId(0),
        instruments: vec![(InstrumentId(0), spec)],
        credentials: Credentials {
            key: KEY.to_owned(),
            secret: SecretString::from(secret),
            passphrase: None,
            generation: 0,
        },
        transport,
        rest: endpoint("https://api.binance.com/"),
        orders: endpoint("wss://ws-api.binance.com/ws-api/v3"),
        private: endpoint("wss://ws-api.binance.com/ws-api/v3"),
        window_ms: 1_000,
        nonce_from: 0,
        mask_seed: 7,
    })
    .expect("a gateway");
    let mut out = GatewayOut::default();
    gateway.on(GatewayInput::Opened(Lane::Orders), Nanos::ZERO, &mut out);
    let mut padded = PaddedBuf::default();
    let answer = padded.fill(br#"{"id":"logon","status":200,"result":{}}"#);
    gateway.on(GatewayInput::Text(Lane::Orders, answer), Nanos::ZERO, &mut out);
    gateway
}

/// The order numbered `i`: another id, price, quantity and time each.
fn draft(i: u64) -> (Draft, Nanos) {
    let bits = (0x0123_4567_89ab_4def_8000_0000_0000_0000u128) | u128::from(i.wrapping_mul(0x9e37_79b9) >> 2);
    let draft = Draft {
        client: ClientId::from_bits(bits),
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: if i.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price: Price(6_173_763_000_000 + (i % 1_000) as i64 * 1_000_000),
        qty: Qty(847_000 + (i % 100) as i64 * 1_000),
        reduce_only: false,
    };
    (draft, Nanos::from_millis(1_700_000_000_000 + i as i64))
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/encode");
    for (name, transport, secret) in [
        ("binance_rest", Transport::Rest, HMAC),
        ("binance_ws", Transport::Ws, ED25519),
        ("binance_ws_signed", Transport::Ws, HMAC),
        ("binance_rest_ed25519", Transport::Rest, ED25519),
    ] {
        let (mut gateway, mut out, mut i) = (gateway(transport, secret), OrderBytes::new(), 0);
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

    // The order's text behind the absorbed block ends in its second block, and the outer hash is a
    // third: an order whose id, price, quantity and time differ from the last cannot do with fewer.
    c.benchmark_group("limit/sha256").bench_function("binance_rest", |b| {
        let blocks = [[0x5a; 64]; 3];
        let mut state = [1; 8];
        b.iter(|| {
            compress256(&mut state, black_box(&blocks[..2]));
            compress256(&mut state, black_box(&blocks[2..]));
            black_box(state)
        })
    });

    c.benchmark_group("rival/conventional").bench_function("binance_rest", |b| {
        let mut i = 0;
        b.iter(|| {
            i += 1;
            let (draft, now) = draft(i);
            black_box(conventional(&draft, now))
        })
    });
}

/// As most clients do it: `format!`, a new HMAC each time, hex into a `String`.
fn conventional(draft: &Draft, now: Nanos) -> Vec<u8> {
    let side = if draft.side == Side::Buy { "BUY" } else { "SELL" };
    let query = format!(
        "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=IOC&recvWindow=1000&newClientOrderId={}&price={}.{:02}\
         &quantity={}.{:05}&timestamp={}",
        draft.client,
        draft.price.0 / 100_000_000,
        draft.price.0 % 100_000_000 / 1_000_000,
        draft.qty.0 / 100_000_000,
        draft.qty.0 % 100_000_000 / 1_000,
        now.millis(),
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(HMAC.as_bytes()).expect("any length");
    mac.update(query.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\nHost: api.binance.com\r\n\
         X-MBX-APIKEY: {KEY}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

criterion_group!(benches, encode);
criterion_main!(benches);
