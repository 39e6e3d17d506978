//! Random and mutated input: nothing panics, and no live book is silently wrong.

use std::sync::LazyLock;

use proptest::prelude::*;
use xarb::types::{BookId, InstrumentId, Level, Nanos, Scale, Symbol};
use xarb::venue::binance::sbe::Written;
use xarb::venue::{
    BookConfig, ChangeKind, Channels, Command, ConnId, Encoding, FeedConfig, FeedInput, FeedOut,
    GatewayInput, GatewayOut, Lane, Lost, RequestId, ServerInput, Transport, find,
};
use xarb::wire::PaddedBuf;

use crate::dialogue::{ED25519, HMAC, START, gateway};
use crate::trading::exchange;

/// All messages of the dialogues, as seeds of mutation.
static MESSAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = [
        include_str!("../data/binance/private_session.txt"),
        include_str!("../data/binance/private_rest.txt"),
        include_str!("../data/binance/usdm_session.txt"),
        include_str!("../data/binance/usdm_rest.txt"),
        include_str!("../data/binance/coinm_rest.txt"),
        include_str!("../data/binance/feed_spot.txt"),
        include_str!("../data/binance/feed_usdm.txt"),
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

fn venues() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("binance.spot"), Just("binance.usdm"), Just("binance.coinm")]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_gateway_survives_anything(
        messages in proptest::collection::vec(mutated(), 1..8),
        random in proptest::collection::vec(any::<u8>(), 0..200),
        rest in any::<bool>(),
        venue in venues(),
        status in prop_oneof![Just(200u16), Just(400), Just(429), any::<u16>()],
        token in 0u128..8,
    ) {
        let (transport, key) = if rest { (Transport::Rest, HMAC) } else { (Transport::Ws, ED25519) };
        let mut gateway = gateway(venue, transport, key);
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        for lane in [Lane::Orders, Lane::Private, Lane::Rest] {
            gateway.on(GatewayInput::Opened(lane), START, &mut out);
        }
        let instrument = InstrumentId(0);
        for command in [Command::OpenOrders, Command::Balances, Command::Rights, Command::Fees { instrument },
                        Command::Fills { instrument, since: Nanos::MAX }, Command::CancelAll { instrument }] {
            let taken = gateway.command(&command, START, &mut out);
            assert!(taken.is_ok() || (venue != "binance.spot" && command == Command::Rights));
        }
        for message in messages.iter().chain([&random]) {
            for lane in [Lane::Orders, Lane::Private] {
                gateway.on(GatewayInput::Text(lane, padded.fill(message)), START, &mut out);
            }
            for token in [token, u128::MAX] {
                let headers = [("retry-after".to_owned(), "99999999999999999".to_owned())];
                gateway.on(GatewayInput::Response { token, status, headers: &headers, body: message }, START, &mut out);
            }
        }
        gateway.on(GatewayInput::Tick, Nanos::MAX, &mut out);
    }

    #[test]
    fn the_server_survives_anything(
        messages in proptest::collection::vec(mutated(), 1..8),
        target in "(/(api/v3|fapi/v1|dapi/v1)/(order|depth|myTrades|userTrades|account|openOrders|listenKey|countdownCancelAll|leverage)|/sapi/v1/account/apiRestrictions|(/private)?/ws/x)?(\\?[ -~]{0,60})?",
        venue in venues(),
        query in "(symbol=BTCUSD(T|_PERP)&)?(side=BUY&)?(type=LIMIT&)?(quantity=[0-9.]{1,8}&)?(timestamp=[0-9]{1,20}&)?(signature=[0-9a-f]{0,64})?",
        method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("PUT"), Just("X")],
    ) {
        let (mut exchange, _) = exchange(venue);
        let mut server = (find(venue).unwrap().server.unwrap())(3);
        let sim = find(venue).unwrap().sim;
        let (stream, api) = (format!("{}?streams=btcusdt@depth/x", sim.stream_path), sim.orders_path);
        let mut out = Vec::new();
        let headers = [("x-mbx-apikey".to_owned(), HMAC.0.to_owned())];
        for (conn, path) in [(1, stream.as_str()), (2, api), (3, target.as_str())] {
            let conn = ConnId(conn);
            server.on(ServerInput::Opened { conn, target: path, headers: &[], peer: "?" }, START, &mut exchange, &mut out);
        }
        for message in &messages {
            let text = String::from_utf8_lossy(message);
            for conn in [1, 2, 3, 4] {
                server.on(ServerInput::Text(ConnId(conn), &text), START, &mut exchange, &mut out);
            }
            for target in [target.clone(), format!("{target}&{query}"), text.to_string()] {
                let input = ServerInput::Request {
                    id: RequestId(1), method, target: &target, headers: &headers, body: message, peer: "10.0.0.1:1",
                };
                server.on(input, START, &mut exchange, &mut out);
            }
        }
        server.on(ServerInput::Tick, Nanos::MAX, &mut exchange, &mut out);
    }

    #[test]
    fn the_feed_survives_anything(messages in proptest::collection::vec(mutated(), 1..20), discover in any::<bool>()) {
        for venue in ["binance.spot", "binance.usdm", "binance.coinm"] {
            let mut feed = crate::captures::feed(venue, discover);
            let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
            for message in &messages {
                out.clear();
                let _ = feed.on(FeedInput::Text(padded.fill(message)), START, &mut out);
                for change in &out.changes {
                    let _ = (out.bids(change), out.asks(change));
                }
                for book in [None, Some(BookId(0)), Some(BookId(9))] {
                    let _ = feed.on(FeedInput::Fetched { book, url: "", status: 200, body: message }, START, &mut out);
                }
                feed.on(FeedInput::Tick, Nanos::MAX, &mut out).unwrap();
            }
        }
    }

    /// One message of a live stream is mutated or lost. Either it is applied as what it was (its
    /// ids, at least), or the book is lost by the next message at the latest. One case nothing on the wire
    /// tells apart: a last id that was changed into that of a later message, for which it then stands.
    #[test]
    fn a_live_book_is_never_silently_wrong(
        at in 1usize..10,
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..3),
        lose in any::<bool>(),
        sbe in any::<bool>(),
    ) {
        let venue = find("binance.spot").unwrap();
        let mut feed = (venue.feed)(&FeedConfig {
            books: vec![BookConfig { symbol: Symbol::new("BTCUSDT").unwrap(), spec: None }],
            discover: false,
            channels: Channels { depth: true, levels: 100, interval_ms: 100, ticker: true },
            encoding: if sbe { Encoding::Sbe } else { Encoding::Json },
            stream: xarb::types::Endpoint::parse(venue.endpoints.0).unwrap(),
            rest: xarb::types::Endpoint::parse(venue.endpoints.1).unwrap(),
        });
        let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
        let body = br#"{"lastUpdateId":100,"bids":[],"asks":[]}"#;
        feed.on(FeedInput::Fetched { book: Some(BookId(0)), url: "", status: 200, body }, START, &mut out).unwrap();
        let (mut broken, mut lost, mut ran_to) = (false, false, None);
        for i in 0..12u64 {
            let (first, last) = (101 + i * 10, 110 + i * 10);
            let mut message = format!(
                r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":{first},"u":{last},"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}}}"#
            )
            .into_bytes();
            if sbe {
                let (scale, time) = (Scale::DEFAULT, START.micros());
                let sides = [&[Level::new(240_000, 10)][..], &[Level::new(260_000, 100)]];
                message = Written::depth("BTCUSDT", scale, time, (first, last), sides);
            }
            let hit = i as usize == at;
            if hit && lose {
                broken = true;
                continue;
            }
            if hit {
                for (place, byte) in &edits {
                    let place = usize::from(*place) % message.len();
                    message[place] = *byte;
                }
            }
            out.clear();
            let bytes = padded.fill(&message);
            let input = if sbe { FeedInput::Binary(bytes) } else { FeedInput::Text(bytes) };
            let result = feed.on(input, START, &mut out);
            lost |= result.is_err() || out.changes.iter().any(|change| matches!(change.kind, ChangeKind::Lost(_)));
            let updates = || out.changes.iter().filter(|change| change.kind == ChangeKind::Update);
            let applied = updates().any(|change| change.seq == last);
            if hit {
                broken = !applied;
                ran_to = updates().map(|change| change.seq).next();
            } else if i as usize > at && broken {
                // An id that ran ahead makes what follows look old: nothing is applied, and the
                // book's age tells on it until the feed does.
                let joins = ran_to == Some(first - 1);
                prop_assert!(lost || joins || !applied, "message {i} was applied over a hole");
                broken &= !joins;
            } else if !lost {
                prop_assert!(applied, "message {i}");
            }
            if lose && i as usize == at + 1 {
                let gap = |kind: &ChangeKind| matches!(kind, ChangeKind::Lost(Lost::Gap { .. }));
                prop_assert!(out.changes.iter().any(|change| gap(&change.kind)));
            }
        }
    }
}
