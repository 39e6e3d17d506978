use proptest::prelude::*;

use super::*;

/// A message as plain data.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Got {
    Open,
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Option<u16>, String),
    Error(WsError),
}

fn got(message: Message<'_>) -> Got {
    match message {
        Message::Open => Got::Open,
        Message::Text(text) => {
            assert!(text.with_slack().len() >= text.len() + PADDING);
            Got::Text(String::from_utf8(text.message().to_vec()).unwrap())
        }
        Message::Binary(bytes) => {
            assert!(bytes.with_slack().len() >= bytes.len() + PADDING);
            Got::Binary(bytes.message().to_vec())
        }
        Message::Pong(bytes) => Got::Pong(bytes.to_vec()),
        Message::Closed { code, reason } => Got::Closed(code, reason.to_owned()),
    }
}

fn drain(ws: &mut Ws) -> Vec<Got> {
    let mut all = Vec::new();
    loop {
        match ws.next() {
            Ok(None) => return all,
            Ok(Some(message)) => all.push(got(message)),
            Err(error) => {
                all.push(Got::Error(error));
                return all;
            }
        }
        ws.accept();
    }
}

/// Feeds bytes in pieces of `cut` bytes, taking messages after each.
fn feed(ws: &mut Ws, bytes: &[u8], cut: usize) -> Vec<Got> {
    let mut all = Vec::new();
    for piece in bytes.chunks(cut.max(1)) {
        assert_eq!(ws.receive(piece), piece.len());
        all.extend(drain(ws));
        if let Some(Got::Error(_)) = all.last() {
            break;
        }
    }
    all
}

fn flow(from: &mut Ws, to: &mut Ws) -> Vec<Got> {
    let bytes = from.out().to_vec();
    from.sent(bytes.len());
    feed(to, &bytes, usize::MAX)
}

/// An open pair.
fn pair(limits: Limits) -> (Ws, Ws) {
    let to = Endpoint::parse("ws://venue.test/ws").unwrap();
    let (mut client, mut server) = (Ws::client(&to, &[], 1, limits).unwrap(), Ws::server(limits));
    assert_eq!(flow(&mut client, &mut server), [Got::Open]);
    assert_eq!(flow(&mut server, &mut client), [Got::Open]);
    (client, server)
}

/// A frame as a server would send it, or with `masked`, as a client.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut head = [0; HEAD_MAX];
    let mask = masked.then_some([0xA1, 0xB2, 0xC3, 0xD4]);
    let len = Head::write(&mut head, true, first & 0xF, payload.len(), mask);
    head[0] = first;
    let mut bytes = head[..len].to_vec();
    bytes.extend_from_slice(payload);
    frame::apply_mask(&mut bytes[len..], mask.unwrap_or_default());
    bytes
}

fn text(text: &str) -> Got {
    Got::Text(text.to_owned())
}

/// Plays frames `(first byte, payload)` to both roles, whole and byte by byte.
#[track_caller]
fn check(frames: &[(u8, &[u8])], want: &[Got]) {
    let limits = Limits { frame: 1000, message: 1500, fragments: 3, ..Limits::DEFAULT };
    for cut in [usize::MAX, 1] {
        let (mut client, mut server) = pair(limits);
        let plain: Vec<u8> = frames.iter().flat_map(|(first, load)| frame(*first, load, false)).collect();
        assert_eq!(feed(&mut client, &plain, cut), want, "client");
        let masked: Vec<u8> = frames.iter().flat_map(|(first, load)| frame(*first, load, true)).collect();
        assert_eq!(feed(&mut server, &masked, cut), want, "server");
        if let Some(Got::Error(error)) = want.last() {
            assert_eq!(client.next().unwrap_err(), *error, "an error stays");
            assert!(!client.send_text("x") && client.is_over());
            // The peer is told by the code that the RFC has for it.
            let code = Got::Closed(Some(error.close_code()), String::new());
            let (mut other, _) = pair(limits);
            assert_eq!(flow(&mut server, &mut other).last(), Some(&code));
        }
    }
}

#[test]
fn fragments_become_one_message_and_control_frames_pass_between_them() {
    check(
        &[(0x01, b"Hel"), (0x89, b"ping"), (0x8A, b"pong"), (0x80, b"lo"), (0x81, b""), (0x82, b"\xFF")],
        &[Got::Pong(b"pong".to_vec()), text("Hello"), text(""), Got::Binary(vec![0xFF])],
    );
    check(&[(0x02, b"\xC3"), (0x80, b"\xFF")], &[Got::Binary(vec![0xC3, 0xFF])]);
    check(&[(0x01, b"\xE2\x9C"), (0x80, b"\x93")], &[text("✓")]);
}

#[test]
fn what_the_rfc_forbids_is_refused_by_name() {
    let refused = |frames: &[(u8, &[u8])], error| check(frames, &[Got::Error(error)]);
    refused(&[(0xC1, b"x")], WsError::ReservedBits);
    refused(&[(0x83, b"x")], WsError::UnknownOpcode(3));
    refused(&[(0x09, b"x")], WsError::ControlFragmented);
    refused(&[(0x89, &[0; 126])], WsError::ControlTooLong(126));
    refused(&[(0x80, b"x")], WsError::NothingToContinue);
    refused(&[(0x01, b"x"), (0x81, b"y")], WsError::Interleaved);
    refused(&[(0x81, b"\xC3\x28")], WsError::NotUtf8);
    refused(&[(0x01, b"\xC3"), (0x80, b"\x28")], WsError::NotUtf8);
    refused(&[(0x88, b"x")], WsError::CloseTooShort);
    refused(&[(0x88, b"\x03\xE8\xC3\x28")], WsError::NotUtf8);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        refused(&[(0x88, &code.to_be_bytes())], WsError::CloseCode(code));
    }
    refused(&[(0x82, &[0; 1001])], WsError::FrameTooLong { len: 1001, limit: 1000 });
    refused(&[(0x02, &[0; 900]), (0x80, &[0; 601])], WsError::MessageTooLong { len: 1501, limit: 1500 });
    refused(&[(0x01, b""), (0x00, b""), (0x00, b""), (0x80, b"")], WsError::TooManyFragments(3));
}

#[test]
fn closes_are_answered_once_and_end_the_stream() {
    check(&[(0x88, b"\x03\xE8bye"), (0x81, b"too late")], &[Got::Closed(Some(1000), "bye".to_owned())]);
    check(&[(0x88, b"")], &[Got::Closed(None, String::new())]);
    let (mut client, mut server) = pair(Limits::DEFAULT);
    client.close(1001, "going");
    assert!(!client.send_text("no more"));
    // What the server sent before it saw the close is still delivered.
    server.send_text("last");
    assert_eq!(flow(&mut server, &mut client), [text("last")]);
    assert_eq!(flow(&mut client, &mut server), [Got::Closed(Some(1001), "going".to_owned())]);
    assert_eq!(flow(&mut server, &mut client), [Got::Closed(Some(1001), String::new())]);
    assert!(client.out().is_empty() && client.is_over() && server.is_over());
}

#[test]
fn pings_are_answered_with_what_they_carry_and_a_flood_is_refused() {
    let (mut client, mut server) = pair(Limits { out: 1000, ..Limits::DEFAULT });
    assert!(server.send_ping(&[7; 125]) && !server.send_ping(&[7; 126]));
    assert_eq!(flow(&mut server, &mut client), []);
    assert_eq!(flow(&mut client, &mut server), [Got::Pong(vec![7; 125])]);
    let flood: Vec<u8> = (0..100).flat_map(|_| frame(0x89, &[0; 100], false)).collect();
    assert!(matches!(feed(&mut client, &flood, usize::MAX)[..], [Got::Error(WsError::Backlog(_))]));
}

#[test]
fn messages_of_all_sizes_go_both_ways() {
    let (mut client, mut server) = pair(Limits::DEFAULT);
    for len in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 1 << 20] {
        let text = "x".repeat(len);
        assert!(client.send_text(&text) && server.send_binary(text.as_bytes()));
        assert_eq!(flow(&mut client, &mut server), [Got::Text(text.clone())]);
        assert_eq!(flow(&mut server, &mut client), [Got::Binary(text.into_bytes())]);
    }
}

#[test]
fn whole_messages_stay_where_they_arrived() {
    let (mut client, _) = pair(Limits::DEFAULT);
    let bytes = [frame(0x81, b"one", false), frame(0x81, b"two", false)].concat();
    let space = client.space().as_ptr_range();
    client.receive(&bytes);
    for want in ["one", "two"] {
        let Ok(Some(Message::Text(text))) = client.next() else { panic!("{want}") };
        assert_eq!(text.message(), want.as_bytes());
        assert!(space.contains(&text.message().as_ptr()));
    }
}

#[test]
fn a_server_may_refuse_and_reads_nothing_before_it_accepts() {
    let to = Endpoint::parse("ws://venue.test/ws?x=1").unwrap();
    let headers = [("X-Api-Key".to_owned(), "abc".to_owned())];
    let mut client = Ws::client(&to, &headers, 1, Limits::DEFAULT).unwrap();
    let mut server = Ws::server(Limits::DEFAULT);
    server.receive(client.out());
    server.receive(&frame(0x81, b"early", true));
    assert!(matches!(server.next(), Ok(Some(Message::Open))));
    assert!(matches!(server.next(), Ok(None)));
    let upgrade = server.upgrade().unwrap();
    assert_eq!(upgrade.target, "/ws?x=1");
    assert!(upgrade.headers.contains(&("x-api-key".to_owned(), "abc".to_owned())));
    server.refuse(403);
    let refusal = WsError::Handshake(HandshakeError::Status(403));
    assert_eq!(flow(&mut server, &mut client), [Got::Error(refusal)]);
    let mut server = Ws::server(Limits::DEFAULT);
    server.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(matches!(server.next(), Err(WsError::Handshake(HandshakeError::Header("upgrade")))));
    assert!(server.out().starts_with(b"HTTP/1.1 400"));
}

#[test]
fn an_announced_length_takes_no_memory() {
    let (mut client, _) = pair(Limits::DEFAULT);
    client.receive(&[0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0]); // 16 MiB, the most allowed
    for _ in 0..10 {
        assert!(matches!(client.next(), Ok(None)));
        assert!(client.space().len() < 1 << 20);
    }
}

/// Frames of a valid stream, and what they mean.
fn stream() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let ascii = proptest::collection::vec(b' '..b'~', 0..400);
    let any = proptest::collection::vec(any::<u8>(), 0..400);
    let message = prop_oneof![
        ascii.clone().prop_map(|load| vec![(0x81, load)]),
        any.prop_map(|load| vec![(0x82, load)]),
        (ascii.clone(), ascii).prop_map(|(a, b)| vec![
            (0x01, a.clone()),
            (0x89, b[..b.len().min(125)].to_vec()),
            (0x00, b),
            (0x80, a)
        ]),
        Just(vec![(0x8A, b"pong".to_vec())]),
    ];
    proptest::collection::vec(message, 0..12).prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn cuts_change_nothing(frames in stream(), cut in 1usize..700, masked: bool) {
        let limits = Limits { buffer: 0, ..Limits::DEFAULT };
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, load)| frame(*first, load, masked)).collect();
        let run = |cut| {
            let (mut client, mut server) = pair(limits);
            let end = if masked { &mut server } else { &mut client };
            let all = feed(end, &bytes, cut);
            (all, end.out().to_vec())
        };
        prop_assert_eq!(run(cut), run(usize::MAX));
    }

    #[test]
    fn broken_streams_never_panic(
        frames in stream(),
        noise in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in 1usize..300,
        masked: bool,
    ) {
        let mut bytes: Vec<u8> =
            frames.iter().flat_map(|(first, load)| frame(*first, load, masked)).collect();
        for (at, byte) in noise {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let (mut client, mut server) = pair(Limits { frame: 2000, message: 2000, ..Limits::DEFAULT });
        let whole = feed(&mut client, &bytes, usize::MAX);
        let (mut again, _) = pair(Limits { frame: 2000, message: 2000, ..Limits::DEFAULT });
        prop_assert_eq!(feed(&mut again, &bytes, cut), whole);
        feed(&mut server, &bytes, cut);
    }

    #[test]
    fn noise_instead_of_a_handshake_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..500)) {
        let to = Endpoint::parse("ws://venue.test/").unwrap();
        let mut head = b"HTTP/1.1 101 x\r\n".to_vec();
        head.extend_from_slice(&noise);
        head.extend_from_slice(b"\r\n\r\n");
        for bytes in [&noise[..], &head[..]] {
            feed(&mut Ws::client(&to, &[], 1, Limits::DEFAULT).unwrap(), bytes, 7);
            feed(&mut Ws::server(Limits::DEFAULT), bytes, 7);
        }
    }

    #[test]
    fn texts_arrive_as_sent(texts in proptest::collection::vec(".{0,300}", 0..10), seed: u64) {
        let to = Endpoint::parse("ws://venue.test/").unwrap();
        let (mut client, mut server) =
            (Ws::client(&to, &[], seed, Limits::DEFAULT).unwrap(), Ws::server(Limits::DEFAULT));
        flow(&mut client, &mut server);
        flow(&mut server, &mut client);
        for text in &texts {
            client.send_text(text);
        }
        let want: Vec<Got> = texts.into_iter().map(Got::Text).collect();
        prop_assert_eq!(flow(&mut client, &mut server), want);
    }
}
