//! Dialogues as text files: `>` is what comes in, `<` is what must follow from it, in order.
//! `BLESS=1 cargo test` writes down what does follow, for a person to read and keep.

use std::fmt::Write;
use std::path::PathBuf;

use secrecy::SecretString;
use xarb::types::{BookId, Endpoint, InstrumentId, Nanos, Symbol, VenueId};
use xarb::venue::{
    BookChange, BookConfig, ChangeKind, Channels, Command, Credentials, FeedConfig, FeedInput, FeedOut,
    Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane, Transport, Want, find,
};
use xarb::wire::PaddedBuf;

pub const START: Nanos = Nanos::from_millis(1_700_000_000_000);

fn check(file: &str, mut say: impl FnMut(&str, &str) -> Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/binance").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut got = String::new();
    for line in text.lines().filter(|line| !line.starts_with('<')) {
        writeln!(got, "{line}").unwrap();
        if let Some(input) = line.strip_prefix("> ") {
            let (word, rest) = input.split_once(' ').unwrap_or((input, ""));
            for answer in say(word, rest) {
                writeln!(got, "< {answer}").unwrap();
            }
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    assert_eq!(got, text, "{file}: left is what followed, right is the file");
}

fn feed_dialogue(file: &str, venue: &str, symbol: &str) {
    let venue = find(venue).unwrap();
    let spec = None;
    let mut feed = (venue.feed)(&FeedConfig {
        books: vec![BookConfig { symbol: Symbol::new(symbol).unwrap(), spec }],
        discover: false,
        channels: Channels { depth: true, levels: 1_000, interval_ms: 0, ticker: true },
        stream: Endpoint::parse(venue.endpoints.0).unwrap(),
        rest: Endpoint::parse(venue.endpoints.1).unwrap(),
    });
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), FeedOut::default(), START);
    check(file, |word, rest| {
        out.clear();
        let input = match word {
            "open" => FeedInput::Opened,
            "close" => FeedInput::Closed,
            "text" => FeedInput::Text(padded.fill(rest.as_bytes())),
            "binary" => FeedInput::Binary(padded.fill(rest.as_bytes())),
            "wait" => {
                now = now + Nanos::from_millis(rest.parse().unwrap());
                FeedInput::Tick
            }
            "fetched" => {
                let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let status = status.parse().unwrap();
                FeedInput::Fetched { book: Some(BookId(0)), url: "", status, body: body.as_bytes() }
            }
            "distrust" => {
                feed.distrust(BookId(0), xarb::venue::Lost::Crossed, now, &mut out);
                return said(&out);
            }
            _ => panic!("{word}"),
        };
        let result = feed.on(input, now, &mut out);
        let mut lines = said(&out);
        lines.extend(result.err().map(|error| format!("error: {error}")));
        lines
    });
}

fn said(out: &FeedOut) -> Vec<String> {
    let mut lines: Vec<String> = out.changes.iter().map(|change| change_line(out, change)).collect();
    lines.extend(out.wants.iter().map(|want| match want {
        Want::Send(text) => format!("send {text}"),
        Want::Fetch { target, after, .. } => format!("fetch {target} after {} ms", after.millis()),
        Want::Reconnect(why) => format!("reconnect: {why}"),
    }));
    if out.ignored > 0 {
        lines.push("ignored".to_owned());
    }
    lines
}

fn change_line(out: &FeedOut, change: &BookChange) -> String {
    let side = |levels: &[xarb::types::Level]| {
        levels.iter().map(|l| format!("{}x{}", l.price.0, l.qty.0)).collect::<Vec<_>>().join(" ")
    };
    let (bids, asks) = (side(out.bids(change)), side(out.asks(change)));
    let levels = format!("{} bids [{bids}] asks [{asks}]", change.seq);
    match change.kind {
        ChangeKind::Snapshot { live } => format!("snapshot live={live} {levels}"),
        ChangeKind::Update => format!("update {levels}"),
        ChangeKind::Top => format!("top {levels}"),
        ChangeKind::Alive => "alive".to_owned(),
        ChangeKind::Lost(why) => format!("lost: {why}"),
    }
}

#[test]
fn spot_feed() {
    feed_dialogue("feed_spot.txt", "binance.spot", "BNBBTC");
}

#[test]
fn usdm_feed() {
    feed_dialogue("feed_usdm.txt", "binance.usdm", "BTCUSDT");
}

/// The documents' example keys.
pub const HMAC: (&str, &str) = (
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
);
pub const ED25519: (&str, &str) = (
    "4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO",
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u",
);

pub fn gateway(transport: Transport, (key, secret): (&str, &str)) -> Box<dyn Gateway> {
    let venue = find("binance.spot").unwrap();
    let body = include_bytes!("../data/binance/exchange_info_spot.json");
    let spec = (venue.instruments)(body).unwrap().remove(0);
    let endpoint = |url| Endpoint::parse(url).unwrap();
    let made = (venue.gateway.unwrap())(&GatewayConfig {
        venue: VenueId(0),
        instruments: vec![(InstrumentId(0), spec)],
        credentials: Credentials {
            key: key.to_owned(),
            secret: SecretString::from(secret),
            passphrase: None,
            generation: 3,
        },
        transport,
        rest: endpoint("https://api.binance.com/"),
        orders: endpoint("wss://ws-api.binance.com/ws-api/v3"),
        private: endpoint("wss://ws-api.binance.com/ws-api/v3"),
        window_ms: 1_000,
        nonce_from: 0,
        mask_seed: 7,
    });
    made.expect("a gateway")
}

fn lane(word: &str) -> Lane {
    match word {
        "orders" => Lane::Orders,
        "private" => Lane::Private,
        _ => Lane::Rest,
    }
}

fn gateway_dialogue(file: &str, transport: Transport, key: (&str, &str)) {
    let mut gateway = gateway(transport, key);
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), GatewayOut::default(), START);
    let client = xarb::types::ClientId::parse(b"0123456789ab4def8123456789abcdef").unwrap();
    check(file, |word, rest| {
        out.clear();
        let (first, body) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "open" => gateway.on(GatewayInput::Opened(lane(first)), now, &mut out),
            "close" => gateway.on(GatewayInput::Closed(lane(first)), now, &mut out),
            "orders" | "private" => {
                let input = GatewayInput::Text(lane(word), padded.fill(rest.as_bytes()));
                gateway.on(input, now, &mut out);
            }
            "response" | "order-response" => {
                let (status, body) = body.split_once(' ').unwrap_or((body, ""));
                let token = if word == "response" { first.parse().unwrap() } else { client.bits() };
                let status = status.parse().unwrap();
                let headers = [("retry-after".to_owned(), first.to_owned())];
                let headers = if status == 429 { &headers[..] } else { &[] };
                let input = GatewayInput::Response { token, status, headers, body: body.as_bytes() };
                gateway.on(input, now, &mut out);
            }
            "failed" => {
                let input = GatewayInput::Failed { token: client.bits(), sent: first == "sent" };
                gateway.on(input, now, &mut out);
            }
            "wait" => {
                now = now + Nanos::from_millis(first.parse().unwrap());
                gateway.on(GatewayInput::Tick, now, &mut out);
            }
            "cancel" | "query" | "cancel-all" | "open-orders" | "rights" | "dead-man" => {
                let instrument = InstrumentId(0);
                let command = match word {
                    "cancel" => Command::Cancel { client, venue_ref: None, instrument },
                    "query" => Command::Query { client, instrument },
                    "cancel-all" => Command::CancelAll { instrument },
                    "open-orders" => Command::OpenOrders,
                    "rights" => Command::Rights,
                    _ => Command::DeadMan { timeout: Nanos::from_secs(1) },
                };
                if let Err(unsupported) = gateway.command(&command, now, &mut out) {
                    return vec![unsupported.to_string()];
                }
            }
            _ => panic!("{word}"),
        }
        let mut lines: Vec<String> = out.reports.iter().map(|report| format!("{report:?}")).collect();
        lines.extend(out.wants.iter().map(|want| match want {
            GatewayWant::Send(lane, text) => format!("send {lane:?} {text}"),
            GatewayWant::Http { token, request } => {
                format!("http {token} {} {} {:?}", request.method, request.target, request.headers)
            }
            GatewayWant::Reconnect(lane, why) => format!("reconnect {lane:?}: {why}"),
        }));
        lines
    });
}

#[test]
fn private_side_over_a_session() {
    gateway_dialogue("private_session.txt", Transport::Ws, ED25519);
}

#[test]
fn private_side_over_rest() {
    gateway_dialogue("private_rest.txt", Transport::Rest, HMAC);
}
