//! Dialogues from `tests/data/coinbase`: what happens, line by line, and what must follow.
//!
//! `open`, `close`, `tick MS`, `order SIDE TIF PRICE QTY` and the commands happen; `< MESSAGE` arrives
//! over the socket, `< 200 BODY` answers the oldest HTTP request, `lost` says that it gets no answer.
//! What follows stands below it: `> MESSAGE` is sent, `> POST PATH BODY` asked, `= TEXT` reported.
//! Tokens, which hold a time and a signature, are shown as `<token>`. Lines with `#` are for people.

use std::collections::VecDeque;

use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::world::{ADVANCED, EXCHANGE, Plain, feed_config, gateway_config};

/// Plays a file; `act` does what a line says and shows what followed.
fn play(file: &str, mut act: impl FnMut(&str) -> Vec<String>) {
    let path = format!("{}/tests/data/coinbase/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut got: VecDeque<String> = VecDeque::new();
    let mut last = 0;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with(['>', '=']) {
            assert_eq!(got.pop_front().as_deref(), Some(line), "{file}:{number}");
            continue;
        }
        assert!(got.is_empty(), "{file}:{last} is followed by {got:#?}");
        got.extend(act(line));
        last = number;
    }
    assert!(got.is_empty(), "{file}:{last} is followed by {got:#?}");
}

fn book(venue: &str, file: &str) {
    let mut feed = (find(venue).unwrap().feed)(&feed_config(true));
    let (mut book, mut now) = (Plain::default(), Nanos::from_secs(1_785_060_000));
    play(file, |line| {
        let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
        let done = match line.split_once(' ').unwrap_or((line, "")) {
            ("open", _) => feed.on(FeedInput::Opened, now, &mut out),
            ("close", _) => feed.on(FeedInput::Closed, now, &mut out),
            ("distrust", _) => {
                feed.distrust(BookId(0), Lost::Crossed, now, &mut out);
                Ok(())
            }
            ("tick", millis) => {
                now = now + Nanos::from_millis(millis.parse().unwrap());
                feed.on(FeedInput::Tick, now, &mut out)
            }
            ("<", text) => feed.on(FeedInput::Text(padded.fill(text.as_bytes())), now, &mut out),
            other => panic!("{other:?}"),
        };
        let mut followed = Vec::new();
        if let Err(error) = done {
            followed.push(format!("= error: {error}"));
        }
        for change in &out.changes {
            let (bids, asks) = (out.bids(change).len(), out.asks(change).len());
            let name = match change.kind {
                ChangeKind::Lost(why) => format!("lost: {why}"),
                ChangeKind::Snapshot { live } => format!("snapshot live={live} {bids}+{asks}"),
                ChangeKind::Update => format!("update {bids}+{asks}"),
                other => format!("{other:?} {bids}+{asks}").to_lowercase(),
            };
            book.apply(change.kind, out.bids(change), out.asks(change));
            followed.push(format!("= {name} seq={}", change.seq));
        }
        followed.extend(out.wants.iter().map(|want| match want {
            Want::Send(text) => format!("> {text}"),
            other => format!("= {other:?}"),
        }));
        followed
    });
}

#[test]
fn the_book_dialogue_of_advanced_trade_is_kept() {
    book(ADVANCED, "advanced_book.txt");
}

#[test]
fn the_book_dialogue_of_exchange_is_kept() {
    book(EXCHANGE, "exchange_book.txt");
}

/// Text with what looks like a token of ours replaced.
fn without_tokens(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(['"', '\r']).map_or(rest.len(), |end| at + end);
        assert_eq!(rest[at..end].split('.').count(), 3, "{text}");
        out += &rest[..at];
        out += "<token>";
        rest = &rest[end..];
    }
    out + rest
}

fn session(venue: &str, credentials: Credentials, file: &str) {
    let mut gateway = find(venue).unwrap().gateway.unwrap()(&gateway_config(credentials)).unwrap();
    let mut now = Nanos::from_secs(1_785_060_000);
    let mut asked: VecDeque<u128> = VecDeque::new();
    let mut orders = 0;
    play(file, |line| {
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        let mut followed = Vec::new();
        let (lane, instrument) = (Lane::Private, InstrumentId(7));
        let client =
            |text: &str| ClientId::from_bits((0x4 << 76) | (0b10 << 62) | text.parse::<u128>().unwrap());
        let command = match line.split_once(' ').unwrap_or((line, "")) {
            ("cancel", order) => Some(Command::Cancel { client: client(order), venue_ref: None, instrument }),
            ("query", order) => Some(Command::Query { client: client(order), instrument }),
            ("fills", _) => Some(Command::Fills { instrument, since: now - Nanos::from_secs(60) }),
            ("balances", _) => Some(Command::Balances),
            _ => None,
        };
        match line.split_once(' ').unwrap_or((line, "")) {
            _ if command.is_some() => gateway.command(&command.unwrap(), now, &mut out).unwrap(),
            ("open", _) => gateway.on(GatewayInput::Opened(lane), now, &mut out),
            ("close", _) => gateway.on(GatewayInput::Closed(lane), now, &mut out),
            ("lost", _) => {
                let token = asked.pop_front().expect("something was asked");
                gateway.on(GatewayInput::Failed { token, sent: true }, now, &mut out);
            }
            ("tick", millis) => {
                now = now + Nanos::from_millis(millis.parse().unwrap());
                gateway.on(GatewayInput::Tick, now, &mut out);
            }
            ("order", terms) => {
                let terms: Vec<&str> = terms.split(' ').collect();
                let draft = Draft {
                    client: client(&(orders + 1).to_string()),
                    venue: VenueId(0),
                    instrument,
                    side: if terms[0] == "buy" { Side::Buy } else { Side::Sell },
                    kind: Kind::Limit,
                    tif: if terms[1] == "ioc" { Tif::Ioc } else { Tif::Gtc },
                    price: Price(parse(terms[2].as_bytes(), Scale::DEFAULT).unwrap()),
                    qty: Qty(parse(terms[3].as_bytes(), Scale::DEFAULT).unwrap()),
                    reduce_only: false,
                };
                let mut bytes = OrderBytes::new();
                orders += 1;
                followed.push(match gateway.encode(&draft, now, &mut bytes) {
                    Ok(()) => {
                        asked.push_back(draft.client.bits());
                        let text = std::str::from_utf8(bytes.as_slice()).unwrap();
                        let (head, body) = text.split_once("\r\n\r\n").unwrap();
                        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                        format!("> {line} {body}")
                    }
                    Err(error) => format!("= {error}"),
                });
            }
            ("<", text) => match text.split_once(' ') {
                Some((status, body)) if status.len() == 3 => {
                    let token = asked.pop_front().expect("something was asked");
                    let (status, body) = (status.parse().unwrap(), body.as_bytes());
                    gateway.on(GatewayInput::Response { token, status, headers: &[], body }, now, &mut out);
                }
                _ => gateway.on(GatewayInput::Text(lane, padded.fill(text.as_bytes())), now, &mut out),
            },
            other => panic!("{other:?}"),
        }
        followed.extend(out.reports.iter().map(|report| format!("= {report:?}")));
        for want in &out.wants {
            followed.push(match want {
                GatewayWant::Send(_, text) => format!("> {}", without_tokens(text)),
                GatewayWant::Http { token, request } => {
                    asked.push_back(*token);
                    let body = String::from_utf8(request.body.clone()).unwrap();
                    format!("> {} {} {body}", request.method, request.target).trim_end().to_owned()
                }
                GatewayWant::Reconnect(lane, why) => format!("= reconnect {lane:?}: {why}"),
            });
        }
        followed.push(format!("= ready {}", gateway.ready()));
        followed
    });
}

#[test]
fn the_session_dialogue_of_advanced_trade_is_kept() {
    // Base64 of the bytes 0 to 31: an Ed25519 seed.
    let credentials = Credentials {
        key: "organizations/o/apiKeys/k".to_owned(),
        secret: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned().into(),
        passphrase: None,
        generation: 0,
    };
    session(ADVANCED, credentials, "advanced_session.txt");
}

#[test]
fn the_session_dialogue_of_exchange_is_kept() {
    let credentials = Credentials {
        key: "KEY".to_owned(),
        secret: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned().into(),
        passphrase: Some("PASS".to_owned().into()),
        generation: 0,
    };
    session(EXCHANGE, credentials, "exchange_session.txt");
}
