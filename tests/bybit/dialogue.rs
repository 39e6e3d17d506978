//! The dialogues of Bybit's files: what a feed and a gateway make of what comes in.

use secrecy::SecretString;
use xarb::types::{BookId, ClientId, Endpoint, InstrumentId, Nanos, Symbol};
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::script::{check, feed_said, gateway_said};
use crate::world::{INSTRUMENT, START, site, spec};

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
    check("bybit", file, |word, rest| {
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
                return feed_said(&out);
            }
            _ => panic!("{word}"),
        };
        let result = feed.on(input, now, &mut out);
        let mut lines = feed_said(&out);
        lines.extend(result.err().map(|error| format!("error: {error}")));
        lines
    });
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

pub fn gateway(venue: &'static str, transport: Transport) -> Box<dyn Gateway> {
    let credentials = Credentials {
        key: "test_api_key".to_owned(),
        secret: SecretString::from("test_secret"),
        passphrase: None,
        generation: 3,
    };
    (find(venue).unwrap().gateway.unwrap())(&site(venue).gateway_config(credentials, transport)).unwrap()
}

fn lane(word: &str) -> Lane {
    match word {
        "orders" => Lane::Orders,
        "private" => Lane::Private,
        _ => Lane::Rest,
    }
}

fn gateway_dialogue(file: &str, venue: &'static str, transport: Transport) {
    let mut gateway = gateway(venue, transport);
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), GatewayOut::default(), START);
    let client = ClientId::parse(b"0123456789ab4def8123456789abcdef").unwrap();
    let instrument: InstrumentId = INSTRUMENT;
    check("bybit", file, |word, rest| {
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
        gateway_said(&out)
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
