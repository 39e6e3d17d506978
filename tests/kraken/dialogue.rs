//! Dialogues from `tests/data/kraken`: what happens, line by line, and what must follow.
//!
//! `open`, `close`, `tick MS` and `order SIDE TIF PRICE QTY` happen; `< MESSAGE` arrives over the
//! socket, `< 200 BODY` answers the oldest HTTP request. What follows stands below it: `> MESSAGE`
//! is sent, `> POST PATH` asked, `= TEXT` reported. Lines with `#` are for people.

use std::collections::VecDeque;

use xarb::types::*;
use xarb::venue::*;
use xarb::wire::PaddedBuf;

use crate::books::Plain;
use crate::ends::unmask;
use crate::world::{feed_config, futures_config, gateway_config};

/// Plays a file; `act` does what a line says and shows what followed.
fn play(file: &str, mut act: impl FnMut(&str) -> Vec<String>) {
    let path = format!("{}/tests/data/kraken/{file}", env!("CARGO_MANIFEST_DIR"));
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

#[test]
fn the_book_dialogue_is_kept() {
    book_dialogue("kraken.spot", &feed_config(10, true), "book.txt");
}

#[test]
fn the_futures_book_dialogue_is_kept() {
    book_dialogue("kraken.futures", &futures_config(), "futures_book.txt");
}

fn book_dialogue(venue: &str, config: &FeedConfig, file: &str) {
    let mut feed = (find(venue).unwrap().feed)(config);
    let (mut book, mut now) = (Plain::default(), Nanos::from_secs(1_785_060_000));
    play(file, |line| {
        let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
        let done = match line.split_once(' ').unwrap_or((line, "")) {
            ("open", _) => feed.on(FeedInput::Opened, now, &mut out),
            ("close", _) => feed.on(FeedInput::Closed, now, &mut out),
            ("tick", millis) => {
                now = now + Nanos::from_millis(millis.parse().unwrap());
                feed.on(FeedInput::Tick, now, &mut out)
            }
            ("<", text) => feed.on(FeedInput::Text(padded.fill(text.as_bytes())), now, &mut out),
            other => panic!("{other:?}"),
        };
        let mut followed = Vec::new();
        if let Err(error) = done {
            assert!(!error.to_string().is_empty());
            followed.push("= error".to_owned());
        }
        let changes = std::mem::take(&mut out.changes);
        for change in &changes {
            let (bids, asks) = (out.bids(change).len(), out.asks(change).len());
            let name = match change.kind {
                ChangeKind::Lost(why) => format!("lost: {why}"),
                ChangeKind::Snapshot { live } => {
                    format!("snapshot live={live} {bids}+{asks} keep={}", change.keep)
                }
                ChangeKind::Update => format!("update {bids}+{asks}"),
                other => format!("{other:?} {bids}+{asks}").to_lowercase(),
            };
            book.apply(change.kind, out.bids(change), out.asks(change), change.keep);
            let verdict = match change.kind {
                ChangeKind::Snapshot { .. } | ChangeKind::Update => feed.verify(change, &book),
                _ => Verdict::Absent,
            };
            followed.push(match verdict {
                Verdict::Absent => format!("= {name} seq={}", change.seq),
                Verdict::Matches => format!("= {name} seq={} matches", change.seq),
                Verdict::Differs { .. } => format!("= {name} seq={} differs", change.seq),
            });
            if let Verdict::Differs { ours, theirs } = verdict {
                feed.distrust(change.book, Lost::Checksum { ours, theirs }, now, &mut out);
            }
        }
        followed.extend(out.wants.iter().map(|want| match want {
            Want::Send(text) => format!("> {text}"),
            other => format!("= {other:?}"),
        }));
        followed
    });
}

#[test]
fn the_session_dialogue_is_kept() {
    let secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
    let credentials = Credentials {
        key: "KEY".to_owned(),
        secret: secret.to_owned().into(),
        passphrase: None,
        generation: 0,
    };
    let make = find("kraken.spot").unwrap().gateway.unwrap();
    let mut gateway = make(&gateway_config(credentials, Transport::Ws)).unwrap();
    let mut now = Nanos::from_secs(1_785_060_000);
    let mut asked: VecDeque<u128> = VecDeque::new();
    let mut orders = 0;
    play("session.txt", |line| {
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        let mut followed = Vec::new();
        let lane = Lane::Orders;
        match line.split_once(' ').unwrap_or((line, "")) {
            ("open", _) => gateway.on(GatewayInput::Opened(lane), now, &mut out),
            ("close", _) => gateway.on(GatewayInput::Closed(lane), now, &mut out),
            ("tick", millis) => {
                now = now + Nanos::from_millis(millis.parse().unwrap());
                gateway.on(GatewayInput::Tick, now, &mut out);
            }
            ("cancel", order) => {
                let client = ClientId::from_bits(order.parse().unwrap());
                let command = Command::Cancel { client, venue_ref: None, instrument: InstrumentId(7) };
                gateway.command(&command, now, &mut out).unwrap();
            }
            ("order", terms) => {
                let terms: Vec<&str> = terms.split(' ').collect();
                let draft = Draft {
                    client: ClientId::from_bits(orders + 1),
                    venue: VenueId(0),
                    instrument: InstrumentId(7),
                    side: if terms[0] == "buy" { Side::Buy } else { Side::Sell },
                    kind: Kind::Limit,
                    tif: if terms[1] == "ioc" { Tif::Ioc } else { Tif::Gtc },
                    price: Price(parse(terms[2].as_bytes(), Scale::DEFAULT).unwrap()),
                    qty: Qty(parse(terms[3].as_bytes(), Scale::DEFAULT).unwrap()),
                    reduce_only: false,
                };
                let mut bytes = OrderBytes::new();
                followed.push(match gateway.encode(&draft, now, &mut bytes) {
                    Ok(()) => {
                        orders += 1;
                        format!("> {}", unmask(bytes.as_slice()))
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
                GatewayWant::Send(_, text) => format!("> {text}"),
                GatewayWant::Http { token, request } => {
                    asked.push_back(*token);
                    format!("> {} {}", request.method, request.target)
                }
                GatewayWant::Reconnect(lane, why) => format!("= reconnect {lane:?}: {why}"),
            });
        }
        followed.push(format!("= ready {}", gateway.ready()));
        followed
    });
}
