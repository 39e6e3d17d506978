//! Random and mutated input: nothing panics, and no live book is silently wrong.

use std::sync::LazyLock;

use proptest::prelude::*;
use xarb::types::{BookId, Nanos};
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::dialogue::{feed, gateway};
use crate::world::{INSTRUMENT, MARKETS, START, TRANSPORTS, site};

/// All messages of the dialogues, as seeds of mutation.
static MESSAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = [
        include_str!("../data/bybit/private_session.txt"),
        include_str!("../data/bybit/private_rest.txt"),
        include_str!("../data/bybit/feed_spot.txt"),
        include_str!("../data/bybit/feed_linear.txt"),
    ];
    let lines = files.iter().flat_map(|file| file.lines());
    lines.filter_map(|line| line.find('{').map(|at| line[at..].to_owned())).collect()
});

/// A message of the dialogues with some bytes changed, cut out or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<u16>(), any::<u8>(), 0u8..4), 0..6);
    (any::<prop::sample::Index>(), edits).prop_map(|(which, edits)| {
        let mut bytes = MESSAGES[which.index(MESSAGES.len())].clone().into_bytes();
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = usize::from(at) % bytes.len();
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"0123456789\"{}[],:-.e"[usize::from(byte) % 20]),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_gateway_survives_anything(
        messages in proptest::collection::vec(mutated(), 1..8),
        random in proptest::collection::vec(any::<u8>(), 0..200),
        venue in 0usize..2,
        transport in 0usize..2,
        status in prop_oneof![Just(200u16), Just(403), Just(429), any::<u16>()],
        token in 0u128..9,
    ) {
        let mut gateway = gateway(MARKETS[venue], TRANSPORTS[transport]);
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        for lane in [Lane::Orders, Lane::Private, Lane::Rest] {
            gateway.on(GatewayInput::Opened(lane), START, &mut out);
        }
        let instrument = INSTRUMENT;
        for command in [Command::OpenOrders, Command::Balances, Command::Rights, Command::Fees { instrument },
                        Command::Fills { instrument, since: Nanos::MAX }, Command::CancelAll { instrument },
                        Command::Fills { instrument, since: Nanos::ZERO },
                        Command::DeadMan { timeout: Nanos::from_secs(9) }] {
            gateway.command(&command, START, &mut out).unwrap();
        }
        for message in messages.iter().chain([&random]) {
            for lane in [Lane::Orders, Lane::Private] {
                gateway.on(GatewayInput::Text(lane, padded.fill(message)), START, &mut out);
            }
            for token in [token, u128::MAX] {
                let headers = [("x-bapi-limit-reset-timestamp".to_owned(), "99999999999999999".to_owned())];
                gateway.on(GatewayInput::Response { token, status, headers: &headers, body: message }, START, &mut out);
            }
        }
        gateway.on(GatewayInput::Tick, Nanos::MAX, &mut out);
    }

    #[test]
    fn the_server_survives_anything(
        messages in proptest::collection::vec(mutated(), 1..8),
        venue in 0usize..2,
        target in "(/v5/(order/create|order/realtime|market/orderbook|market/instruments-info|execution/list))?(\\?[ -~]{0,60})?",
        method in prop_oneof![Just("GET"), Just("POST"), Just("X")],
    ) {
        let (mut exchange, _) = site(MARKETS[venue]).exchange();
        let mut server = (find(MARKETS[venue]).unwrap().server.unwrap())(3);
        let mut out = Vec::new();
        let headers = [("x-bapi-timestamp".to_owned(), START.millis().to_string())];
        for (conn, path) in [(1, "/v5/public/spot"), (2, "/v5/trade"), (3, "/v5/private"), (4, &target)] {
            let conn = ConnId(conn);
            server.on(ServerInput::Opened { conn, target: path, headers: &[], peer: "?" }, START, &mut exchange, &mut out);
        }
        for message in &messages {
            let text = String::from_utf8_lossy(message);
            for conn in [1, 2, 3, 4, 5] {
                server.on(ServerInput::Text(ConnId(conn), &text), START, &mut exchange, &mut out);
            }
            for target in [&*target, &*text] {
                let input = ServerInput::Request {
                    id: RequestId(1), method, target, headers: &headers, body: message, peer: "10.0.0.1:1",
                };
                server.on(input, START, &mut exchange, &mut out);
            }
        }
        server.on(ServerInput::Tick, START + Nanos::from_secs(1_000_000), &mut exchange, &mut out);
    }

    #[test]
    fn the_feed_survives_anything(messages in proptest::collection::vec(mutated(), 1..20), discover in any::<bool>()) {
        for venue in ["bybit.spot", "bybit.linear", "bybit.inverse"] {
            let mut feed = feed(venue, 50, true, discover);
            let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
            let _ = feed.on(FeedInput::Opened, START, &mut out);
            for message in &messages {
                out.clear();
                let _ = feed.on(FeedInput::Text(padded.fill(message)), START, &mut out);
                for change in &out.changes {
                    let _ = (out.bids(change), out.asks(change));
                }
                feed.distrust(BookId(9), Lost::Crossed, START, &mut out);
                feed.on(FeedInput::Tick, Nanos::MAX, &mut out).unwrap();
            }
        }
    }

    /// One message of a live stream is mutated or lost. Either it is applied as what it was (its
    /// id, at least), or the book is lost by the next message at the latest.
    #[test]
    fn a_live_book_is_never_silently_wrong(
        at in 1usize..10,
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..3),
        lose in any::<bool>(),
    ) {
        let mut feed = feed("bybit.spot", 50, false, false);
        let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
        feed.on(FeedInput::Opened, START, &mut out).unwrap();
        let (mut live, mut seen) = (false, 0);
        for step in 0..12u64 {
            let kind = if step == 0 { "snapshot" } else { "delta" };
            let text = format!(
                r#"{{"topic":"orderbook.50.BTCUSDT","ts":1672304484978,"type":"{kind}","data":{{"s":"BTCUSDT","b":[["16493.5","0.00{step}"]],"a":[],"u":{},"seq":{}}},"cts":1672304484976}}"#,
                100 + step,
                7_000 + step * 3
            );
            let mut bytes = text.into_bytes();
            if step as usize == at {
                if lose {
                    continue;
                }
                for (at, byte) in &edits {
                    let at = usize::from(*at) % bytes.len();
                    bytes[at] = *byte;
                }
            }
            out.clear();
            let read = feed.on(FeedInput::Text(padded.fill(&bytes)), START, &mut out);
            for change in &out.changes {
                match change.kind {
                    ChangeKind::Snapshot { .. } => (live, seen) = (true, seen + 1),
                    ChangeKind::Update => seen += 1,
                    ChangeKind::Lost(_) => live = false,
                    _ => {}
                }
            }
            if read.is_err() {
                live = false;
            }
        }
        // A mutated snapshot or restart counts as what it says; else all twelve were applied.
        prop_assert!(!live || seen == 12, "{seen} applied");
    }
}
