//! Dialogues as text files: `>` is what comes in, `<` is what must follow from it, in order.
//! `BLESS=1 cargo test` writes down what does follow, for a person to read and keep.

use std::fmt::Write;
use std::path::PathBuf;

use secrecy::SecretString;
use xarb::types::{BookId, ClientId, Endpoint, InstrumentId, Level, Nanos, Symbol};
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::world::{INSTRUMENT, START, gateway_config, spec};

fn check(file: &str, mut say: impl FnMut(&str, &str) -> Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/bybit").join(file);
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

pub fn feed(venue: &str, levels: u32, ticker: bool, discover: bool) -> Box<dyn Feed> {
    let row = find(venue).unwrap();
    let books = vec![BookConfig { symbol: Symbol::new("BTCUSDT").unwrap(), spec: None }];
    (row.feed)(&FeedConfig {
        books: if discover { Vec::new() } else { books },
        discover,
        channels: Channels { depth: true, levels, interval_ms: 0, ticker },
        encoding: xarb::venue::Encoding::Json,
        stream: Endpoint::parse(row.endpoints.0).unwrap(),
        rest: Endpoint::parse(row.endpoints.1).unwrap(),
    })
}

fn feed_dialogue(file: &str, venue: &str, levels: u32) {
    let mut feed = feed(venue, levels, true, false);
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
            "distrust" => {
                feed.distrust(BookId(0), Lost::Crossed, now, &mut out);
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
        Want::Fetch { target, .. } => format!("fetch {target}"),
        Want::Reconnect(why) => format!("reconnect: {why}"),
    }));
    if out.ignored > 0 {
        lines.push("ignored".to_owned());
    }
    lines
}

fn change_line(out: &FeedOut, change: &BookChange) -> String {
    let side = |levels: &[Level]| {
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
    feed_dialogue("feed_spot.txt", "bybit.spot", 40);
}

#[test]
fn linear_feed() {
    feed_dialogue("feed_linear.txt", "bybit.linear", 200);
}

#[test]
fn inverse_feed() {
    feed_dialogue("feed_inverse.txt", "bybit.inverse", 1);
}

pub fn gateway(venue: &str, transport: Transport) -> Box<dyn Gateway> {
    let credentials = Credentials {
        key: "test_api_key".to_owned(),
        secret: SecretString::from("test_secret"),
        passphrase: None,
        generation: 3,
    };
    (find(venue).unwrap().gateway.unwrap())(&gateway_config(venue, credentials, transport)).unwrap()
}

fn lane(word: &str) -> Lane {
    match word {
        "orders" => Lane::Orders,
        "private" => Lane::Private,
        _ => Lane::Rest,
    }
}

fn gateway_dialogue(file: &str, venue: &str, transport: Transport) {
    let mut gateway = gateway(venue, transport);
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), GatewayOut::default(), START);
    let client = ClientId::parse(b"0123456789ab4def8123456789abcdef").unwrap();
    let instrument: InstrumentId = INSTRUMENT;
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
                let (status, body) = match word {
                    "response" => body.split_once(' ').unwrap_or((body, "")),
                    _ => (first, body),
                };
                let token = if word == "response" { first.parse().unwrap() } else { client.bits() };
                let (status, body) = (status.parse().unwrap(), body.as_bytes());
                gateway.on(GatewayInput::Response { token, status, headers: &[], body }, now, &mut out);
            }
            "failed" => {
                let input = GatewayInput::Failed { token: client.bits(), sent: first == "sent" };
                gateway.on(input, now, &mut out);
            }
            "wait" => {
                now = now + Nanos::from_millis(first.parse().unwrap());
                gateway.on(GatewayInput::Tick, now, &mut out);
            }
            _ => {
                let command = match word {
                    "cancel" => Command::Cancel { client, venue_ref: None, instrument },
                    "query" => Command::Query { client, instrument },
                    "cancel-all" => Command::CancelAll { instrument },
                    "open-orders" => Command::OpenOrders,
                    "balances" => Command::Balances,
                    "rights" => Command::Rights,
                    "dead-man" => Command::DeadMan { timeout: Nanos::from_secs(first.parse().unwrap()) },
                    _ => panic!("{word}"),
                };
                if let Err(unsupported) = gateway.command(&command, now, &mut out) {
                    return vec![unsupported.to_string()];
                }
            }
        }
        let mut lines: Vec<String> = out.reports.iter().map(|report| format!("{report:?}")).collect();
        lines.extend(out.wants.iter().map(|want| match want {
            GatewayWant::Send(lane, text) => format!("send {lane:?} {text}"),
            GatewayWant::Http { token, request } => {
                let body = String::from_utf8_lossy(&request.body);
                let signature = request.headers.last().map_or("", |(_, value)| value);
                format!("http {token} {} {} {body} {signature}", request.method, request.target)
            }
            GatewayWant::Reconnect(lane, why) => format!("reconnect {lane:?}: {why}"),
        }));
        lines
    });
}

#[test]
fn private_side_over_a_session() {
    gateway_dialogue("private_session.txt", "bybit.spot", Transport::Ws);
}

#[test]
fn private_side_over_rest() {
    gateway_dialogue("private_rest.txt", "bybit.linear", Transport::Rest);
}

#[test]
fn the_rules_of_the_dialogues_are_the_venues() {
    assert_eq!(spec("bybit.spot").symbol, spec("bybit.linear").symbol);
}
