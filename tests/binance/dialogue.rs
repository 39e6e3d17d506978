//! Dialogues as text files: `>` is what comes in, `<` is what must follow from it, in order.
//! `BLESS=1 cargo test` writes down what does follow, for a person to read and keep.

use std::fmt::Write;
use std::path::PathBuf;

use secrecy::SecretString;
use xarb::types::{
    BookId, ClientId, Draft, Endpoint, InstrumentId, InstrumentSpec, Kind, Money, Nanos, Price, Qty, Scale,
    Side, Symbol, Tif, VenueId,
};
use xarb::venue::{
    BookChange, BookConfig, ChangeKind, Channels, Command, Credentials, FeedConfig, FeedInput, FeedOut,
    Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane, OrderBytes, Transport, Want, find,
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
        encoding: xarb::venue::Encoding::Json,
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

/// What a market trades, from its metadata.
pub fn spec(venue: &str) -> InstrumentSpec {
    let body = match venue {
        "binance.usdm" => &include_bytes!("../data/binance/exchange_info_usdm.json")[..],
        "binance.coinm" => &include_bytes!("../data/binance/exchange_info_coinm.json")[..],
        _ => &include_bytes!("../data/binance/exchange_info_spot.json")[..],
    };
    (find(venue).unwrap().instruments)(body).unwrap().remove(0)
}

pub fn gateway(venue: &str, transport: Transport, (key, secret): (&str, &str)) -> Box<dyn Gateway> {
    let spec = spec(venue);
    let (rest, orders, private) = match venue {
        "binance.usdm" => (
            "https://fapi.binance.com/",
            "wss://ws-fapi.binance.com/ws-fapi/v1",
            "wss://fstream.binance.com/private",
        ),
        "binance.coinm" => (
            "https://dapi.binance.com/",
            "wss://ws-dapi.binance.com/ws-dapi/v1",
            "wss://dstream.binance.com/",
        ),
        _ => {
            let api = "wss://ws-api.binance.com/ws-api/v3";
            ("https://api.binance.com/", api, api)
        }
    };
    let venue = find(venue).unwrap();
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
        rest: endpoint(rest),
        orders: endpoint(orders),
        private: endpoint(private),
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

fn gateway_dialogue(file: &str, venue: &str, transport: Transport, key: (&str, &str)) {
    let mut gateway = gateway(venue, transport, key);
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
            "place" => {
                let draft = draft(client, rest);
                let mut bytes = OrderBytes::new();
                return match gateway.encode(&draft, now, &mut bytes) {
                    Ok(()) => vec![format!("bytes {:?} {}", bytes.lane, plain(bytes.as_slice()))],
                    Err(error) => vec![error.to_string()],
                };
            }
            "lanes" => {
                let lanes = gateway.lanes();
                return lanes
                    .iter()
                    .map(|spec| format!("{:?} {:?}", spec.lane, spec.endpoint.target))
                    .collect();
            }
            "amend" | "balances" | "fills" | "fees" | "time" | "cancel" | "query" | "cancel-all"
            | "open-orders" | "rights" | "dead-man" => {
                let instrument = InstrumentId(0);
                let command = match word {
                    "amend" => {
                        let number =
                            |text: &str| Money::parse(text).unwrap().to_scaled(Scale::DEFAULT).unwrap();
                        let price = (!body.is_empty()).then(|| Price(number(body)));
                        Command::Amend { client, instrument, price, qty: Qty(number(first)) }
                    }
                    "balances" => Command::Balances,
                    "fills" => Command::Fills { instrument, since: START },
                    "fees" => Command::Fees { instrument },
                    "time" => Command::ServerTime,
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
    gateway_dialogue("private_session.txt", "binance.spot", Transport::Ws, ED25519);
}

#[test]
fn private_side_over_rest() {
    gateway_dialogue("private_rest.txt", "binance.spot", Transport::Rest, HMAC);
}

#[test]
fn usdm_over_a_session() {
    gateway_dialogue("usdm_session.txt", "binance.usdm", Transport::Ws, ED25519);
}

#[test]
fn usdm_over_rest() {
    gateway_dialogue("usdm_rest.txt", "binance.usdm", Transport::Rest, HMAC);
}

#[test]
fn coinm_over_rest() {
    gateway_dialogue("coinm_rest.txt", "binance.coinm", Transport::Rest, HMAC);
}

/// `buy ioc 60000.0 0.002`, with `reduce` behind it where it may only reduce.
fn draft(client: ClientId, text: &str) -> Draft {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |text: &str| Money::parse(text).unwrap().to_scaled(Scale::DEFAULT).unwrap();
    let (kind, tif) = match words[1] {
        "ioc" => (Kind::Limit, Tif::Ioc),
        "fok" => (Kind::Limit, Tif::Fok),
        "post" => (Kind::PostOnly, Tif::Gtc),
        _ => (Kind::Limit, Tif::Gtc),
    };
    Draft {
        client,
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: if words[0] == "buy" { Side::Buy } else { Side::Sell },
        kind,
        tif,
        price: Price(number(words[2])),
        qty: Qty(number(words[3])),
        reduce_only: words.get(4) == Some(&"reduce"),
    }
}

/// An order's bytes as text: HTTP as it is, on one line, a WebSocket frame without its mask.
pub fn plain(bytes: &[u8]) -> String {
    if bytes[0] != 0x81 {
        return String::from_utf8(bytes.to_vec()).unwrap().trim_end().replace("\r\n", " | ");
    }
    let head = if bytes[1] & 0x7f == 126 { 4 } else { 2 };
    let (mask, text) = bytes[head..].split_at(4);
    let text: Vec<u8> = text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    String::from_utf8(text).unwrap()
}
