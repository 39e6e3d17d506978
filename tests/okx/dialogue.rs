//! The dialogues of OKX's files: what a feed and a gateway make of what comes in.

use secrecy::SecretString;
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::script::{check, feed_said, gateway_said};
use crate::world::{INSTRUMENT, START, site, spec};

fn made(venue: &str, channels: Channels, discover: bool) -> Box<dyn Feed> {
    let row = find(venue).unwrap();
    let spec = spec(venue);
    let books = vec![BookConfig { symbol: spec.symbol, spec: Some(spec) }];
    (row.feed)(&FeedConfig {
        books: if discover { Vec::new() } else { books },
        discover,
        channels,
        encoding: Encoding::Json,
        stream: Endpoint::parse(row.endpoints.0).unwrap(),
        rest: Endpoint::parse(row.endpoints.1).unwrap(),
    })
}

pub fn feed(venue: &str, levels: u32, ticker: bool, discover: bool) -> Box<dyn Feed> {
    made(venue, Channels { depth: true, levels, interval_ms: 0, ticker }, discover)
}

/// One that asks for depth every ten milliseconds.
pub fn fast_feed(venue: &str) -> Box<dyn Feed> {
    made(venue, Channels { depth: true, levels: 400, interval_ms: 10, ticker: true }, false)
}

fn feed_dialogue(file: &str, venue: &str, levels: u32) {
    let mut feed = feed(venue, levels, true, false);
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), FeedOut::default(), START);
    check("okx", file, |word, rest| {
        out.clear();
        let input = match word {
            "open" => FeedInput::Opened,
            "close" => FeedInput::Closed,
            "text" => FeedInput::Text(padded.fill(rest.as_bytes())),
            "binary" => FeedInput::Binary(padded.fill(rest.as_bytes())),
            "fetched" => {
                let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let (status, body) = (status.parse().unwrap(), body.as_bytes());
                FeedInput::Fetched { book: Some(BookId(0)), url: "", status, body }
            }
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
fn books_in_updates() {
    feed_dialogue("feed_books.txt", "okx.spot", 400);
}

#[test]
fn books_without_a_snapshot() {
    feed_dialogue("feed_splice.txt", "okx.spot", 400);
}

#[test]
fn books_of_contracts_come_whole() {
    feed_dialogue("feed_swap.txt", "okx.swap", 5);
}

pub fn gateway(venue: &'static str, transport: Transport) -> Box<dyn Gateway> {
    let credentials = Credentials {
        key: "test-api-key".to_owned(),
        secret: SecretString::from("22582BD0CFF14C41EDBF1AB98506286D"),
        passphrase: Some(SecretString::from("phrase")),
        generation: 3,
    };
    (find(venue).unwrap().gateway.unwrap())(&site(venue).gateway_config(credentials, transport)).unwrap()
}

fn gateway_dialogue(file: &str, venue: &'static str, transport: Transport) {
    let mut gateway = gateway(venue, transport);
    let (mut padded, mut out, mut now) = (PaddedBuf::default(), GatewayOut::default(), START);
    let client = ClientId::parse(b"0123456789ab4def8123456789abcdef").unwrap();
    let instrument: InstrumentId = INSTRUMENT;
    let lane = match transport {
        Transport::Ws => Lane::Orders,
        Transport::Rest => Lane::Private,
    };
    check("okx", file, |word, rest| {
        out.clear();
        let (first, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = || first.parse().unwrap();
        match word {
            "open" => gateway.on(GatewayInput::Opened(lane), now, &mut out),
            "close" => gateway.on(GatewayInput::Closed(lane), now, &mut out),
            "text" => gateway.on(GatewayInput::Text(lane, padded.fill(rest.as_bytes())), now, &mut out),
            "response" => {
                let (status, body) = body.split_once(' ').unwrap_or((body, ""));
                let (token, status) = (first.parse().unwrap(), status.parse().unwrap());
                let body = body.as_bytes();
                gateway.on(GatewayInput::Response { token, status, headers: &[], body }, now, &mut out);
            }
            "order-response" => {
                let (token, status, body) = (client.bits(), first.parse().unwrap(), body.as_bytes());
                gateway.on(GatewayInput::Response { token, status, headers: &[], body }, now, &mut out);
            }
            "failed" => {
                let input = GatewayInput::Failed { token: client.bits(), sent: first == "sent" };
                gateway.on(input, now, &mut out);
            }
            "wait" => {
                now = now + Nanos::from_millis(number());
                gateway.on(GatewayInput::Tick, now, &mut out);
            }
            "order" => {
                let draft = Draft {
                    client,
                    venue: VenueId(0),
                    instrument,
                    side: Side::Buy,
                    kind: Kind::Limit,
                    tif: Tif::Ioc,
                    price: Price(4_000_010_000_000),
                    qty: Qty(1_000_000),
                    reduce_only: first == "reduce-only",
                };
                let mut bytes = OrderBytes::new();
                return match gateway.encode(&draft, now, &mut bytes) {
                    Err(why) => vec![format!("cannot be encoded: {why}")],
                    Ok(()) if bytes.lane == Lane::Rest => {
                        let text = String::from_utf8_lossy(bytes.as_slice()).into_owned();
                        text.lines().map(|line| format!("rest {line}")).collect()
                    }
                    Ok(()) => {
                        // The mask is off: what is behind its four bytes.
                        let frame = bytes.as_slice();
                        let text =
                            frame[8..].iter().zip(frame[4..8].iter().cycle()).map(|(byte, mask)| byte ^ mask);
                        vec![format!("frame {}", String::from_utf8(text.collect()).unwrap())]
                    }
                };
            }
            _ => {
                let command = match word {
                    "cancel" => Command::Cancel {
                        client,
                        venue_ref: VenueRef::new(first).filter(|id| !id.is_empty()),
                        instrument,
                    },
                    "amend" => Command::Amend { client, instrument, price: None, qty: Qty(number()) },
                    "query" => Command::Query { client, instrument },
                    "cancel-all" => Command::CancelAll { instrument },
                    "open-orders" => Command::OpenOrders,
                    "balances" => Command::Balances,
                    "fees" => Command::Fees { instrument },
                    "rights" => Command::Rights,
                    "dead-man" => Command::DeadMan { timeout: Nanos::from_secs(number()) },
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
    gateway_dialogue("private_session.txt", "okx.spot", Transport::Ws);
}

#[test]
fn private_side_over_rest() {
    gateway_dialogue("private_rest.txt", "okx.spot", Transport::Rest);
}

#[test]
fn private_side_of_contracts() {
    gateway_dialogue("private_swap.txt", "okx.swap", Transport::Ws);
}
