//! Random and mutated texts: no part of a venue may panic, whatever comes, and nothing comes of
//! what cannot be read.

use proptest::prelude::*;
use xarb::sim::exchange::{ExchangeConfig, FeeIn, Knobs, Rates, SimExchange};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::books::discovering;
use crate::world::{feed_config, futures_config, gateway_config, spec};

/// Messages of every kind that the venue sends or takes.
fn samples() -> Vec<String> {
    let mut all = Vec::new();
    for file in ["book.txt", "session.txt", "futures_book.txt"] {
        let path = format!("{}/tests/data/kraken/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines() {
            if let Some(message) = line.strip_prefix("< ").or(line.strip_prefix("> ")) {
                all.push(message.strip_prefix("200 ").unwrap_or(message).to_owned());
            }
        }
    }
    all.extend(
        [
            r#"[336,{"as":[["5541.30000","2.50700000","1534614248.123678"]],"bs":[]},"book-10","XBT/USD"]"#,
            r#"[336,{"a":[["5541.30000","0.00000000","1534614248.123678"]]},{"b":[],"c":"974942666"},"book-10","XBT/USD"]"#,
            r#"{"method":"cancel_order","params":{"cl_ord_id":["x"],"token":"t"},"req_id":3}"#,
            r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"]},"req_id":3}"#,
            r#"{"instruments":[{"symbol":"PF_XBTUSD","type":"flexible_futures","tickSize":0.5,"contractSize":1,"tradeable":true,"contractValueTradePrecision":4,"base":"XBT","quote":"USD"}]}"#,
        ]
        .map(String::from),
    );
    all
}

/// A sample with some of its bytes replaced, doubled or cut.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let samples = samples();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..5), 0..6);
    (any::<prop::sample::Index>(), edits).prop_map(move |(which, edits)| {
        let mut bytes = samples[which.index(samples.len())].clone().into_bytes();
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, byte),
                3 => bytes[at] = b"0123456789\"{}[],:.-e"[usize::from(byte) % 20],
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        bytes
    })
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let any = prop_oneof![4 => mutated(), 1 => prop::collection::vec(any::<u8>(), 0..64)];
    prop::collection::vec(any, 1..12)
}

fn credentials() -> Credentials {
    Credentials { key: "k".to_owned(), secret: "c2VjcmV0".to_owned().into(), passphrase: None, generation: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_feed_survives(texts in texts()) {
        let feeds = [
            discovering("kraken.spot"),
            (find("kraken.spot").unwrap().feed)(&feed_config(10, true)),
            discovering("kraken.futures"),
            (find("kraken.futures").unwrap().feed)(&futures_config()),
        ];
        for mut feed in feeds {
            let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
            let mut now = Nanos::from_secs(1);
            feed.on(FeedInput::Opened, now, &mut out).unwrap();
            for text in &texts {
                out.clear();
                now = now + Nanos::from_millis(700);
                let done = feed.on(FeedInput::Text(padded.fill(text)), now, &mut out);
                prop_assert!(done.is_ok() || (out.changes.is_empty() && out.levels.is_empty()));
                for change in &out.changes {
                    prop_assert!(out.bids(change).iter().chain(out.asks(change)).all(|l| l.price.0 > 0 && l.qty.0 >= 0));
                    feed.verify(change, &crate::books::Plain::default());
                }
                feed.on(FeedInput::Tick, now, &mut out).unwrap();
                feed.distrust(BookId(9), Lost::Crossed, now, &mut out);
            }
        }
    }

    #[test]
    fn a_gateway_survives(texts in texts(), token in 0u128..4, status in prop_oneof![Just(200u16), any::<u16>()]) {
        for transport in [Transport::Ws, Transport::Rest] {
            let make = find("kraken.spot").unwrap().gateway.unwrap();
            let mut gateway = make(&gateway_config(credentials(), transport)).unwrap();
            let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
            let now = Nanos::from_secs(1);
            let lane = gateway.lanes()[0].lane;
            gateway.on(GatewayInput::Opened(lane), now, &mut out);
            let body = br#"{"error":[],"result":{"token":"T"}}"#;
            gateway.on(GatewayInput::Response { token: 1, status: 200, headers: &[], body }, now, &mut out);
            let ack = br#"{"method":"subscribe","success":true,"req_id":1,"result":{}}"#;
            gateway.on(GatewayInput::Text(lane, padded.fill(ack)), now, &mut out);
            prop_assert!(gateway.ready());
            for text in &texts {
                let instrument = InstrumentId(7);
                gateway.command(&Command::Fills { instrument, since: Nanos(0) }, now, &mut out).unwrap();
                gateway.command(&Command::Query { client: ClientId::from_bits(1), instrument }, now, &mut out).unwrap();
                out.clear();
                gateway.on(GatewayInput::Text(lane, padded.fill(text)), now, &mut out);
                for token in [token, 2, 3, 1 << 100] {
                    gateway.on(GatewayInput::Response { token, status, headers: &[], body: text }, now, &mut out);
                }
                // A secret never shows.
                let shown = format!("{out:?}");
                prop_assert!(!shown.contains("c2VjcmV0"));
            }
        }
    }

    #[test]
    fn a_server_survives(texts in texts(), target in ".{0,20}", name in "[A-Za-z]{0,12}") {
        let config = ExchangeConfig {
            instruments: vec![spec()],
            fee_in: FeeIn::Quote,
            rates: Rates::default(),
            knobs: Knobs::default(),
        };
        let mut exchange = SimExchange::new(config, oorandom::Rand64::new(1)).unwrap();
        let mut server = find("kraken.spot").unwrap().server.unwrap()(1);
        let mut out = Vec::new();
        let now = Nanos::from_secs(1);
        for (conn, target) in [(ConnId(1), "/v2"), (ConnId(2), "/auth/v2")] {
            let opened = ServerInput::Opened { conn, target, headers: &[], peer: "" };
            server.on(opened, now, &mut exchange, &mut out);
        }
        for text in &texts {
            let lossy = String::from_utf8_lossy(text);
            for conn in [ConnId(1), ConnId(2), ConnId(3)] {
                server.on(ServerInput::Text(conn, &lossy), now, &mut exchange, &mut out);
            }
            for target in [&target, &format!("/0/private/{name}"), &format!("/0/public/{name}?{lossy}")] {
                let headers = [("api-key".to_owned(), "k".to_owned())];
                let id = RequestId(1);
                let request = ServerInput::Request { id, method: "POST", target, headers: &headers, body: text, peer: "x" };
                server.on(request, now, &mut exchange, &mut out);
            }
        }
        server.on(ServerInput::Tick, now, &mut exchange, &mut out);
    }

    #[test]
    fn metadata_survives(text in mutated()) {
        for venue in ["kraken.spot", "kraken.futures"] {
            let _ = (find(venue).unwrap().instruments)(&text);
        }
    }
}
