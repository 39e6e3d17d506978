use proptest::prelude::*;

use super::*;
use crate::types::Nanos;

/// Answers as plain data: token, status, body.
type Got = Vec<(u128, u16, String)>;

fn client_with(tokens: std::ops::Range<u128>, pipeline: usize) -> HttpClient {
    let mut client = HttpClient::new(HttpLimits { pipeline, head: 1000, body: 5000, ..HttpLimits::DEFAULT });
    for token in tokens {
        client.send(token, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Nanos::MAX).unwrap();
    }
    client
}

fn feed(client: &mut HttpClient, bytes: &[u8], cut: usize) -> (Got, Option<HttpError>) {
    let mut all = Vec::new();
    for piece in bytes.chunks(cut) {
        let mut piece = piece;
        while !piece.is_empty() {
            let space = client.space();
            let count = space.len().min(piece.len());
            space[..count].copy_from_slice(&piece[..count]);
            client.filled(count);
            piece = &piece[count..];
            loop {
                match client.next() {
                    Ok(Some(answer)) => {
                        let body = String::from_utf8_lossy(answer.body).into_owned();
                        all.push((answer.token, answer.status, body));
                    }
                    Ok(None) => break,
                    Err(error) => return (all, Some(error)),
                }
            }
        }
    }
    (all, None)
}

/// What a client with ten requests under way makes of these bytes, whole and in pieces.
#[track_caller]
fn check(bytes: &str, want: &[(u16, &str)], error: Option<HttpError>) -> HttpClient {
    let want: Got = want.iter().zip(0..).map(|((s, b), token)| (token, *s, b.to_string())).collect();
    for cut in [1, 7] {
        let got = feed(&mut client_with(0..10, 10), bytes.as_bytes(), cut);
        assert_eq!(got, (want.clone(), error.clone()), "in pieces of {cut}: {bytes}");
    }
    let mut client = client_with(0..10, 10);
    assert_eq!(feed(&mut client, bytes.as_bytes(), usize::MAX), (want, error), "{bytes}");
    client
}

#[test]
fn bodies_of_all_kinds_are_read() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
         HTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 204 No Content\r\n\r\n\
         HTTP/1.1 418 I'm a teapot\r\nTransfer-Encoding: Chunked\r\n\r\n4;x=y\r\nwiki\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n\
         HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n",
        &[(200, "hello"), (204, ""), (418, "wiki0123456789"), (302, "")],
        None,
    );
    let mut client = check("HTTP/1.1 200 OK\r\n\r\nuntil the end", &[], None);
    assert_eq!(client.ended().unwrap().unwrap().body, b"until the end");
    assert!(!client.is_over(), "nine are under way still");
    client.disconnected();
    assert_eq!(client.unanswered(), Some(Unanswered { token: 1, sent: true }));
}

#[test]
fn answers_that_could_be_read_in_two_ways_are_refused() {
    let malformed = |what| Some(HttpError::Malformed(what));
    let head = "HTTP/1.1 200 OK\r\n";
    for (rest, error) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", malformed("content-length: two of them")),
        ("Content-Length: +5\r\n\r\n", malformed("content-length")),
        ("Content-Length: 5, 5\r\n\r\n", malformed("content-length")),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            malformed("content-length beside transfer-encoding"),
        ),
        ("Transfer-Encoding: gzip\r\n\r\n", malformed("transfer-encoding")),
        ("Transfer-Encoding: chunked\r\n\r\nx\r\n", malformed("chunk size")),
        ("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n", malformed("chunk size")),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", malformed("end of chunk")),
        ("Transfer-Encoding: chunked\r\n\r\n1\n", malformed("line end")),
        ("Content-Length: 5001\r\n\r\n", Some(HttpError::TooLong { what: "body", limit: 5000 })),
        ("A: b\n\nHTTP\r\n\r\n", malformed("head")),
    ] {
        check(&format!("{head}{rest}"), &[], error);
    }
    check("HTTP/1.1 101 x\r\n\r\n", &[], Some(HttpError::Switched));
    check("HTTP/1.1 x\r\n\r\n", &[], malformed("head"));
    check(
        &format!("{head}A: {}", "x".repeat(2000)),
        &[],
        Some(HttpError::TooLong { what: "head", limit: 1000 }),
    );
    let mut idle = client_with(0..0, 1);
    assert_eq!(feed(&mut idle, b"HTTP/1.1 200 OK\r\n", 99).1, Some(HttpError::Unsolicited));
}

#[test]
fn the_last_answer_of_a_connection_is_known_as_such() {
    for head in ["HTTP/1.1 200 OK\r\nConnection: Close\r\n", "HTTP/1.0 200 OK\r\n"] {
        let mut client = client_with(0..3, 1);
        let answer = format!("{head}Content-Length: 2\r\n\r\nok");
        assert_eq!(feed(&mut client, answer.as_bytes(), 9).0.len(), 1);
        client.pump(Nanos::ZERO);
        assert!(client.is_over() && !client.is_idle() && client.waiting() == 2, "nothing more is started");
        client.disconnected();
        client.pump(Nanos::ZERO);
        assert_eq!((client.waiting(), client.under_way(), client.unanswered()), (1, 1, None));
    }
}

#[test]
fn heads_alone_have_no_body() {
    let mut client = HttpClient::new(HttpLimits::DEFAULT);
    let request = Request { method: "HEAD", target: "/", host: "x", headers: &[], body: b"" };
    client.request(1, &request, Nanos::MAX).unwrap();
    let got = feed(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 99);
    assert_eq!(got, (vec![(1, 200, String::new())], None));
}

#[test]
fn requests_are_written_or_refused() {
    let request = Request {
        method: "POST",
        target: "/order?a=b",
        host: "x.test",
        headers: &[("X-Key", "k")],
        body: b"c=d",
    };
    assert_eq!(
        request.bytes().unwrap(),
        b"POST /order?a=b HTTP/1.1\r\nHost: x.test\r\nX-Key: k\r\nContent-Length: 3\r\n\r\nc=d"
    );
    for bad in [
        Request { method: "GET /x HTTP/1.1\r\n", ..request },
        Request { target: "/a b", ..request },
        Request { target: "", ..request },
        Request { host: "x\r\ny", ..request },
        Request { headers: &[("A", "b\r\nC: d")], ..request },
        Request { headers: &[("A:", "b")], ..request },
    ] {
        assert_eq!(bad.bytes(), Err(HttpError::Unsendable));
    }
}

#[test]
fn requests_that_were_not_started_can_be_taken_back_or_lapse() {
    let mut client = client_with(0..3, 1);
    assert!(!client.withdraw(0), "it is under way");
    assert!(client.withdraw(1));
    client.send(7, b"GET", Nanos(5)).unwrap();
    client.pump(Nanos(6));
    assert_eq!(client.unanswered(), Some(Unanswered { token: 7, sent: false }));
    assert_eq!((client.waiting(), client.under_way()), (1, 1));
    client.abandon();
    assert_eq!(client.unanswered(), Some(Unanswered { token: 2, sent: false }));
}

#[test]
fn the_server_reads_what_the_client_writes() {
    let mut server = HttpServer::new(HttpLimits::DEFAULT);
    let body = vec![b'x'; 70_000];
    let post = Request { method: "POST", target: "/a", host: "x", headers: &[("X-Y", "z")], body: &body };
    let get = Request { method: "GET", target: "/b", body: b"", ..post };
    let mut client = client_with(0..0, 2);
    client.request(1, &post, Nanos::MAX).unwrap();
    client.request(2, &get, Nanos::MAX).unwrap();
    let bytes = client.out().to_vec();
    let mut seen = Vec::new();
    for piece in bytes.chunks(997) {
        let space = server.space();
        space[..piece.len()].copy_from_slice(piece);
        server.filled(piece.len());
        while let Some(Incoming::Request(request)) = server.next().unwrap() {
            assert!(request.headers.contains(&("x-y".to_owned(), "z".to_owned())));
            seen.push((request.method.to_owned(), request.target.to_owned(), request.body.len()));
            server.respond(200, &[], b"fine").unwrap();
        }
    }
    assert_eq!(seen, [("POST".into(), "/a".into(), 70_000), ("GET".into(), "/b".into(), 0)]);
    let answers = server.out().to_vec();
    assert_eq!(feed(&mut client, &answers, 9).0, [(1, 200, "fine".into()), (2, 200, "fine".into())]);
}

#[test]
fn an_upgrade_becomes_a_websocket() {
    let to = crate::types::Endpoint::parse("ws://x/ws").unwrap();
    let limits = crate::wire::ws::Limits::DEFAULT;
    let client = crate::wire::ws::Ws::client(&to, &[], 1, limits).unwrap();
    let mut server = HttpServer::new(HttpLimits::DEFAULT);
    let space = server.space();
    space[..client.out().len()].copy_from_slice(client.out());
    server.filled(client.out().len());
    assert!(matches!(server.next(), Ok(Some(Incoming::Upgrade))));
    let mut ws = server.into_websocket(limits);
    assert!(matches!(ws.next(), Ok(Some(crate::wire::ws::Message::Open))));
    assert_eq!(ws.upgrade().unwrap().target, "/ws");
}

proptest! {
    #[test]
    fn broken_answers_never_panic_and_cuts_change_nothing(
        noise in proptest::collection::vec((0usize..400, any::<u8>()), 0..8),
        cut in 1usize..200,
    ) {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n3;e=f\r\nabc\r\n0\r\nT: x\r\n\r\n\
            HTTP/1.1 503 Busy\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno".to_vec();
        for (at, byte) in noise {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let whole = feed(&mut client_with(0..10, 10), &bytes, usize::MAX);
        prop_assert_eq!(feed(&mut client_with(0..10, 10), &bytes, cut), whole);
        let mut server = HttpServer::new(HttpLimits::DEFAULT);
        server.space()[..bytes.len()].copy_from_slice(&bytes);
        server.filled(bytes.len());
        let _ = server.next();
    }
}
