//! Random and mutated texts: no part of a venue may panic, whatever comes, and nothing comes of
//! what cannot be read.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use xarb::sim::exchange::{AccountKind, ExchangeConfig, FeeIn, Knobs, Rates, SimExchange};
use xarb::sim::keys::{KeyForm, make_key, trading_rights};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::world::{ADVANCED, BOTH, EXCHANGE, feed_config, gateway_config, spec};

/// Messages of every kind that the venue sends or takes: those of the dialogues.
fn samples() -> Vec<String> {
    let mut all = Vec::new();
    for file in ["advanced_book.txt", "advanced_session.txt", "exchange_book.txt", "exchange_session.txt"] {
        let path = format!("{}/tests/data/coinbase/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines() {
            let Some(message) = line.strip_prefix("< ").or(line.strip_prefix("> ")) else { continue };
            all.push(message.find(['{', '[']).map_or(message, |at| &message[at..]).to_owned());
        }
    }
    all.extend(
        [
            r#"{"order_ids":["00000000-0000-4000-8000-000000000001","x"]}"#,
            r#"{"order_id":"00000000-0000-4000-8000-000000000001","price":"1","size":"1"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":[{"name":"level2","product_ids":["BTC-USD"]}]}"#,
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
    let any = prop_oneof![6 => mutated(), 1 => prop::collection::vec(any::<u8>(), 0..64)];
    prop::collection::vec(any, 1..12)
}

fn key(venue: &str) -> (ApiKey, Credentials) {
    let form = if venue == ADVANCED { KeyForm::Ed25519 } else { KeyForm::SharedBase64Passphrase };
    make_key(&mut oorandom::Rand64::new(3), form, AccountId(0), trading_rights())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_feed_survives(texts in texts()) {
        for venue in BOTH {
            for discover in [false, true] {
                let row = find(venue).unwrap();
                let mut feed = (row.feed)(&FeedConfig { discover, ..feed_config(true) });
                let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
                let mut now = Nanos::from_secs(1);
                feed.on(FeedInput::Opened, now, &mut out).unwrap();
                for text in &texts {
                    out.clear();
                    now = now + Nanos::from_millis(700);
                    let done = feed.on(FeedInput::Text(padded.fill(text)), now, &mut out);
                    prop_assert!(done.is_ok() || (out.changes.is_empty() && out.levels.is_empty()));
                    for change in &out.changes {
                        let levels = || out.bids(change).iter().chain(out.asks(change));
                        prop_assert!(levels().all(|level| level.price.0 > 0 && level.qty.0 >= 0));
                    }
                    feed.on(FeedInput::Tick, now, &mut out).unwrap();
                    feed.distrust(BookId(9), Lost::Crossed, now, &mut out);
                }
            }
        }
    }

    #[test]
    fn a_gateway_survives(texts in texts(), status in prop_oneof![4 => Just(200u16), 1 => any::<u16>()]) {
        for venue in BOTH {
            let (_, credentials) = key(venue);
            let secret = credentials.secret.expose_secret().to_owned();
            let mut gateway = find(venue).unwrap().gateway.unwrap()(&gateway_config(credentials)).unwrap();
            let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
            let mut now = Nanos::from_secs(1_000);
            gateway.on(GatewayInput::Opened(Lane::Private), now, &mut out);
            let granted = match venue {
                EXCHANGE => r#"{"type":"subscriptions","channels":[{"name":"user"}]}"#,
                _ => r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"user":["u"]}}]}"#,
            };
            gateway.on(GatewayInput::Text(Lane::Private, padded.fill(granted.as_bytes())), now, &mut out);
            prop_assert!(gateway.ready());
            for text in &texts {
                now = now + Nanos::from_millis(100);
                let (instrument, client) = (InstrumentId(7), ClientId::from_bits(1));
                for command in [
                    Command::Fills { instrument, since: Nanos(0) },
                    Command::Query { client, instrument },
                    Command::Cancel { client, venue_ref: VenueRef::new("o"), instrument },
                    Command::CancelAll { instrument },
                    Command::OpenOrders,
                    Command::Balances,
                    Command::Fees { instrument },
                    Command::ServerTime,
                ] {
                    gateway.command(&command, now, &mut out).unwrap();
                }
                gateway.on(GatewayInput::Text(Lane::Private, padded.fill(text)), now, &mut out);
                // Every question gets this answer, and so do those that follow from it.
                for _ in 0..3 {
                    let tokens: Vec<u128> = out
                        .wants
                        .drain(..)
                        .filter_map(|want| match want {
                            GatewayWant::Http { token, .. } => Some(token),
                            _ => None,
                        })
                        .collect();
                    for token in tokens {
                        gateway.on(GatewayInput::Response { token, status, headers: &[], body: text }, now, &mut out);
                    }
                }
                gateway.on(GatewayInput::Response { token: 1 << 100, status, headers: &[], body: text }, now, &mut out);
                gateway.on(GatewayInput::Tick, now, &mut out);
                // A secret never shows.
                let shown = format!("{out:?}");
                prop_assert!(!shown.contains(&secret));
                out.clear();
            }
        }
    }

    #[test]
    fn a_server_survives(texts in texts(), target in ".{0,20}", name in "[a-z/]{0,12}") {
        for venue in BOTH {
            let config = ExchangeConfig {
                instruments: vec![spec()],
                fee_in: FeeIn::Quote,
                rates: Rates::default(),
                knobs: Knobs::default(),
            };
            let mut exchange = SimExchange::new(config, oorandom::Rand64::new(1)).unwrap();
            exchange.open_account(AccountKind::Trader);
            let (api_key, _) = key(venue);
            let name_of_key = api_key.key.clone();
            exchange.add_key(api_key);
            let mut server = find(venue).unwrap().server.unwrap()(1);
            let mut out = Vec::new();
            let now = Nanos::from_secs(1);
            let opened = ServerInput::Opened { conn: ConnId(1), target: "/", headers: &[], peer: "" };
            server.on(opened, now, &mut exchange, &mut out);
            for text in &texts {
                let lossy = String::from_utf8_lossy(text);
                for conn in [ConnId(1), ConnId(3)] {
                    server.on(ServerInput::Text(conn, &lossy), now, &mut exchange, &mut out);
                }
                for target in [&target, &format!("/api/v3/brokerage/{name}?{lossy}"), &format!("/{name}?{lossy}"), &format!("/products/{lossy}")] {
                    let headers = [
                        ("authorization", format!("Bearer {lossy}")),
                        ("cb-access-key", name_of_key.clone()),
                        ("cb-access-timestamp", lossy.to_string()),
                        ("user-agent", "x".to_owned()),
                    ]
                    .map(|(name, value)| (name.to_owned(), value));
                    for method in ["GET", "POST", "DELETE"] {
                        let id = RequestId(1);
                        let request = ServerInput::Request { id, method, target, headers: &headers, body: text, peer: "x" };
                        server.on(request, now, &mut exchange, &mut out);
                    }
                }
            }
            server.on(ServerInput::Tick, now, &mut exchange, &mut out);
        }
    }

    #[test]
    fn metadata_survives(text in mutated()) {
        for venue in BOTH {
            let _ = (find(venue).unwrap().instruments)(&text);
        }
    }
}
