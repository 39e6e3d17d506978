//! Connections over links in memory, against the codecs' server ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::types::{Dial, Endpoint, Link, Received};
use crate::wire::http::{HttpServer, Incoming, Request, Unanswered};
use crate::wire::ws::{Message, Ws};

/// What a test holds of one dialled link.
#[derive(Default)]
struct Pipe {
    up: VecDeque<u8>,
    down: VecDeque<u8>,
    ready: bool,
    closed: bool,
    dropped: bool,
    /// Bytes that the link still takes before it breaks.
    takes: Option<usize>,
    stuck: bool,
}

struct End(Arc<Mutex<Pipe>>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

impl Link for End {
    fn ready(&mut self) -> Result<bool, LinkError> {
        let pipe = self.0.lock().unwrap();
        if pipe.closed { Err(LinkError::Connect("refused".into())) } else { Ok(pipe.ready) }
    }
    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        let mut pipe = self.0.lock().unwrap();
        let len = into.len().min(pipe.down.len());
        for (to, byte) in into.iter_mut().zip(pipe.down.drain(..len)) {
            *to = byte;
        }
        match (len, pipe.closed) {
            (0, true) => Err(LinkError::Closed("end".into())),
            (0, false) => Ok(None),
            _ => Ok(Some(Received { len, kernel: Some(Nanos(7)), ..Received::default() })),
        }
    }
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let mut pipe = self.0.lock().unwrap();
        let take = pipe.takes.unwrap_or(bytes.len()).min(bytes.len());
        pipe.up.extend(&bytes[..take]);
        if let Some(takes) = &mut pipe.takes {
            *takes -= take;
        }
        if take < bytes.len() { Err(LinkError::Closed("broken".into())) } else { Ok(()) }
    }
    fn flush(&mut self) -> Result<bool, LinkError> {
        Ok(true)
    }
    fn backlog(&self) -> usize {
        let pipe = self.0.lock().unwrap();
        if pipe.stuck { pipe.up.len() } else { 0 }
    }
}

/// Every link that was dialled, with the time of the poll that dialled it.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<Vec<Arc<Mutex<Pipe>>>>>);

impl Net {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
    fn last<T>(&self, with: impl FnOnce(&mut Pipe) -> T) -> T {
        with(&mut self.0.lock().unwrap().last().expect("dialled").lock().unwrap())
    }
    fn take_up(&self) -> Vec<u8> {
        self.last(|pipe| pipe.up.drain(..).collect())
    }
}

impl Dial for Net {
    fn dial(&mut self, _: &Endpoint) -> Result<Box<dyn Link>, LinkError> {
        let pipe = Arc::new(Mutex::new(Pipe::default()));
        self.0.lock().unwrap().push(pipe.clone());
        Ok(Box::new(End(pipe)))
    }
}

fn websocket(config: ConnectionConfig) -> (Net, WsConnection) {
    let net = Net::default();
    let to = Endpoint::parse("ws://venue.test/ws").unwrap();
    let connection = WsConnection::new(Box::new(net.clone()), to, vec![], config, 7);
    (net, connection)
}

/// Opens the connection and gives the other end.
fn open(net: &Net, connection: &mut WsConnection, now: Nanos) -> Ws {
    assert!(connection.poll(now).is_none());
    net.last(|pipe| pipe.ready = true);
    assert!(connection.poll(now).is_none());
    let mut server = Ws::server(Limits::DEFAULT);
    serve(net, &mut server);
    assert!(matches!(connection.poll(now), Some(WsEvent::Opened)));
    server
}

/// Moves bytes both ways; returns the texts and the close that came to the server.
fn serve(net: &Net, server: &mut Ws) -> Vec<String> {
    server.receive(&net.take_up());
    let mut got = Vec::new();
    loop {
        let message = match server.next().unwrap() {
            None => break,
            Some(Message::Open) => None,
            Some(Message::Text(text)) => Some(String::from_utf8(text.message().to_vec()).unwrap()),
            Some(Message::Closed { code, .. }) => Some(format!("closed {code:?}")),
            Some(other) => Some(format!("{other:?}")),
        };
        match message {
            None => server.accept(),
            Some(text) => got.push(text),
        }
    }
    let out = server.out().to_vec();
    server.sent(out.len());
    net.last(|pipe| pipe.down.extend(out));
    got
}

#[test]
fn messages_go_both_ways_with_their_stamps() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    assert_eq!(connection.send_text("early"), Err(SendError::NotOpen));
    let mut server = open(&net, &mut connection, Nanos(1));
    connection.send_text("subscribe").unwrap();
    let mut frame = *b"........order";
    let framed = crate::wire::ws::frame_client_text(&mut frame, 8, 5, [1, 2, 3, 4]).unwrap();
    connection.send_framed(&frame[framed]).unwrap();
    server.send_text("one");
    server.send_text("two");
    assert_eq!(serve(&net, &mut server), ["subscribe", "order"]);
    for want in ["one", "two"] {
        let Some(WsEvent::Text(text, arrival)) = connection.poll(Nanos(5)) else { panic!("{want}") };
        assert_eq!(text.message(), want.as_bytes());
        assert_eq!(arrival, Arrival { kernel: Some(Nanos(7)), local: Nanos(5), ..Arrival::default() });
    }
    assert!(connection.poll(Nanos(6)).is_none());
}

#[test]
fn silence_is_answered_by_a_ping_and_then_by_a_new_connection() {
    let config = ConnectionConfig::DEFAULT;
    let (net, mut connection) = websocket(config);
    let mut server = open(&net, &mut connection, Nanos::ZERO);
    assert!(connection.poll(Nanos::from_secs(19)).is_none());
    assert!(net.take_up().is_empty());
    assert!(connection.poll(Nanos::from_secs(20)).is_none());
    serve(&net, &mut server); // the server's codec answers
    assert!(matches!(connection.poll(Nanos::from_secs(21)), Some(WsEvent::Pong(b"", _))));
    // From here on nothing comes back: a link that only looks alive.
    for second in 22..81 {
        assert!(connection.poll(Nanos::from_secs(second)).is_none(), "{second}");
    }
    let event = connection.poll(Nanos::from_secs(81));
    assert!(matches!(event, Some(WsEvent::Closed(Reason::Silent))), "{event:?}");
    assert!(net.last(|pipe| pipe.dropped), "the link is dropped without waiting for its close");
    assert!(connection.poll(Nanos::from_secs(82)).is_none());
    assert_eq!(net.count(), 2);
}

#[test]
fn a_close_is_answered_and_a_new_connection_made() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    let mut server = open(&net, &mut connection, Nanos::ZERO);
    server.send_text("last");
    server.close(1012, "restart");
    serve(&net, &mut server);
    assert!(matches!(connection.poll(Nanos(1)), Some(WsEvent::Text(..))));
    let event = connection.poll(Nanos(1));
    assert!(matches!(event, Some(WsEvent::Closed(Reason::Peer(Some(1012))))), "{event:?}");
    assert_eq!(serve(&net, &mut server), ["closed Some(1012)"]);
    connection.reconnect("not open: nothing to close");
    let now = Nanos::from_secs(1);
    let mut server = open(&net, &mut connection, now);
    assert_eq!(net.count(), 2);
    connection.reconnect("asked");
    assert!(!connection.is_open());
    let event = connection.poll(now);
    assert!(matches!(event, Some(WsEvent::Closed(Reason::Asked("asked")))), "{event:?}");
    assert_eq!(serve(&net, &mut server), ["closed Some(1000)"]);
}

#[test]
fn a_connection_waits_until_it_knows_where_to() {
    let net = Net::default();
    let nowhere = Endpoint { target: String::new(), ..Endpoint::parse("ws://venue.test/").unwrap() };
    let config = ConnectionConfig::DEFAULT;
    let mut connection = WsConnection::new(Box::new(net.clone()), nowhere.clone(), vec![], config, 7);
    assert!(connection.poll(Nanos::from_secs(60)).is_none());
    assert_eq!(net.count(), 0);
    let mut went = Vec::new();
    for (number, target) in ["/ws/one", "/ws/two"].into_iter().enumerate() {
        let now = Nanos::from_secs(60 + number as i64);
        connection.aim(nowhere.with_target(target));
        connection.reconnect("elsewhere");
        if number > 0 {
            let event = connection.poll(now);
            assert!(matches!(event, Some(WsEvent::Closed(Reason::Asked("elsewhere")))), "{event:?}");
            connection.aim(nowhere.with_target(target));
        }
        let later = now + Nanos::from_millis(900);
        assert!(connection.poll(later).is_none());
        net.last(|pipe| pipe.ready = true);
        assert!(connection.poll(later).is_none());
        let asked: Vec<u8> = net.last(|pipe| pipe.up.iter().copied().collect());
        went.push(String::from_utf8_lossy(&asked).lines().next().unwrap_or_default().to_owned());
        serve(&net, &mut Ws::server(Limits::DEFAULT));
        assert!(matches!(connection.poll(later), Some(WsEvent::Opened)));
    }
    assert_eq!(went, ["GET /ws/one HTTP/1.1", "GET /ws/two HTTP/1.1"]);
    assert_eq!(net.count(), 2);
}

#[test]
fn a_bad_frame_ends_the_connection_and_says_so_to_the_peer() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    let mut server = open(&net, &mut connection, Nanos::ZERO);
    net.last(|pipe| pipe.down.extend([0x81, 2, 0xC3, 0x28]));
    let event = connection.poll(Nanos(1));
    assert!(matches!(&event, Some(WsEvent::Closed(Reason::WebSocket(_)))), "{event:?}");
    assert_eq!(serve(&net, &mut server), ["closed Some(1007)"]);
}

#[test]
fn what_came_before_the_link_broke_still_counts() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    let mut server = open(&net, &mut connection, Nanos::ZERO);
    server.send_text("fill 1");
    server.send_text("fill 2");
    serve(&net, &mut server);
    assert!(matches!(connection.poll(Nanos(1)), Some(WsEvent::Text(..))));
    net.last(|pipe| pipe.takes = Some(3));
    let error = connection.send_text("order").unwrap_err();
    assert!(error.may_have_left());
    assert!(matches!(connection.poll(Nanos(1)), Some(WsEvent::Text(..))));
    assert!(matches!(connection.poll(Nanos(1)), Some(WsEvent::Closed(Reason::Link(_)))));
}

#[test]
fn a_full_link_takes_nothing() {
    let config = ConnectionConfig { backlog_most: 100, ..ConnectionConfig::DEFAULT };
    let (net, mut connection) = websocket(config);
    open(&net, &mut connection, Nanos::ZERO);
    net.last(|pipe| pipe.stuck = true);
    let refused = (0..20).find_map(|_| connection.send_text("0123456789").err());
    assert!(matches!(refused, Some(SendError::Backlog(101..130))), "{refused:?}");
    assert!(!refused.unwrap().may_have_left());
}

/// What let an order pass is of now: it does not wait behind anything.
#[test]
fn an_order_waits_for_no_other_bytes() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    open(&net, &mut connection, Nanos::ZERO);
    net.last(|pipe| pipe.stuck = true);
    connection.send_text("a question").unwrap();
    let refused = connection.send_framed(&[0; 20]).unwrap_err();
    assert!(matches!(refused, SendError::Backlog(1..)) && !refused.may_have_left());
}

#[test]
fn pauses_grow_to_their_bound_and_are_spread() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    let mut attempts = Vec::new();
    let step = Nanos::from_millis(1);
    let mut now = Nanos::ZERO;
    while attempts.len() < 40 {
        let before = net.count();
        let event = connection.poll(now);
        if net.count() > before {
            net.last(|pipe| pipe.closed = true);
            attempts.push(now);
        }
        assert!(matches!(event, None | Some(WsEvent::Unreachable(_))), "{event:?}");
        now = now + step;
    }
    let pauses: Vec<i64> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).millis()).collect();
    assert!(pauses[0] <= 251 && pauses[1] <= 501, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 30_001), "{pauses:?}");
    let late = &pauses[10..];
    let mean = late.iter().sum::<i64>() / late.len() as i64;
    assert!((8_000..22_000).contains(&mean), "full jitter has its mean at half the bound: {pauses:?}");
}

#[test]
fn a_server_that_does_not_shake_hands_is_given_up() {
    let (net, mut connection) = websocket(ConnectionConfig::DEFAULT);
    assert!(connection.poll(Nanos::ZERO).is_none());
    assert!(matches!(connection.poll(Nanos::from_secs(10)), Some(WsEvent::Unreachable(Reason::OpenTimeout))));
    assert!(connection.poll(Nanos::from_secs(11)).is_none());
    net.last(|pipe| pipe.ready = true);
    assert!(connection.poll(Nanos::from_secs(11)).is_none());
    net.last(|pipe| pipe.down.extend(b"HTTP/1.1 429 Slow Down\r\n\r\n"));
    let event = connection.poll(Nanos::from_secs(12));
    assert!(matches!(event, Some(WsEvent::Unreachable(Reason::WebSocket(_)))), "{event:?}");
}

fn http(config: ConnectionConfig) -> (Net, HttpConnection) {
    let net = Net::default();
    let to = Endpoint::parse("https://venue.test").unwrap();
    let connection = HttpConnection::new(Box::new(net.clone()), to, config, 7);
    (net, connection)
}

/// Answers every request that came with its own target; returns the targets.
fn answer(net: &Net, server: &mut HttpServer, keep: bool) -> Vec<String> {
    let bytes = net.take_up();
    server.space()[..bytes.len()].copy_from_slice(&bytes);
    server.filled(bytes.len());
    let mut targets = Vec::new();
    while let Some(Incoming::Request(request)) = server.next().unwrap() {
        let target = request.target.to_owned();
        let headers = if keep { vec![] } else { vec![("Connection".to_owned(), "close".to_owned())] };
        server.respond(200, &headers, target.as_bytes()).unwrap();
        targets.push(target);
    }
    let out = server.out().to_vec();
    server.sent(out.len());
    net.last(|pipe| pipe.down.extend(out));
    targets
}

fn get(target: &str) -> Request<'_> {
    Request { method: "GET", target, host: "venue.test", headers: &[], body: b"" }
}

#[test]
fn answers_match_their_requests_one_at_a_time() {
    let (net, mut connection) = http(ConnectionConfig::DEFAULT);
    connection.request(1, &get("/early"), Nanos::MAX).unwrap();
    assert!(connection.poll(Nanos::ZERO).is_none());
    net.last(|pipe| pipe.ready = true);
    assert!(matches!(connection.poll(Nanos::ZERO), Some(HttpEvent::Opened)));
    connection.request(2, &get("/next"), Nanos::MAX).unwrap();
    let mut server = HttpServer::new(HttpLimits::DEFAULT);
    for (token, target) in [(1, "/early"), (2, "/next")] {
        assert!(connection.poll(Nanos(1)).is_none());
        assert_eq!(answer(&net, &mut server, true), [target]);
        let Some(HttpEvent::Response(response, arrival)) = connection.poll(Nanos(2)) else { panic!() };
        assert_eq!((response.token, response.status, response.body), (token, 200, target.as_bytes()));
        assert_eq!(arrival.local, Nanos(2));
    }
    assert!(connection.poll(Nanos(2)).is_none());
    assert!(connection.is_idle());
    let order = b"POST /order HTTP/1.1\r\nHost: venue.test\r\nContent-Length: 0\r\n\r\n";
    connection.send(3, order, Nanos::MAX).unwrap();
    assert_eq!(net.last(|pipe| pipe.up.len()), order.len(), "an idle connection sends at once");
}

#[track_caller]
fn failed(event: Option<HttpEvent<'_>>) -> Unanswered {
    match event {
        Some(HttpEvent::Failed(unanswered)) => unanswered,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cut_connection_tells_what_may_have_left_and_sends_nothing_again() {
    let (net, mut connection) = http(ConnectionConfig::DEFAULT);
    assert!(connection.poll(Nanos::ZERO).is_none());
    net.last(|pipe| pipe.ready = true);
    assert!(matches!(connection.poll(Nanos::ZERO), Some(HttpEvent::Opened)));
    for (token, target, expires) in
        [(1, "/sent", Nanos::MAX), (2, "/waits", Nanos::MAX), (3, "/expires", Nanos(50))]
    {
        connection.request(token, &get(target), expires).unwrap();
    }
    net.last(|pipe| pipe.closed = true);
    assert!(matches!(connection.poll(Nanos(1)), Some(HttpEvent::Closed(Reason::Link(_)))));
    assert_eq!(failed(connection.poll(Nanos(1))), Unanswered { token: 1, sent: true });
    assert_eq!(failed(connection.poll(Nanos(51))), Unanswered { token: 3, sent: false });
    let now = Nanos::from_secs(1);
    while connection.poll(now).is_some() {}
    net.last(|pipe| pipe.ready = true);
    assert!(matches!(connection.poll(now), Some(HttpEvent::Opened)));
    assert!(connection.poll(now).is_none());
    assert_eq!(answer(&net, &mut HttpServer::new(HttpLimits::DEFAULT), true), ["/waits"]);
    assert_eq!(net.count(), 2);
}

#[test]
fn a_lazy_connection_dials_for_requests_only() {
    let (net, mut connection) = http(ConnectionConfig { lazy: true, ..ConnectionConfig::DEFAULT });
    assert!(connection.poll(Nanos::ZERO).is_none());
    assert_eq!(net.count(), 0);
    for turn in 1..4 {
        connection.request(turn, &get("/snapshot"), Nanos::MAX).unwrap();
        let now = Nanos(turn as i64);
        assert!(connection.poll(now).is_none());
        assert_eq!(net.count(), turn as usize, "an orderly end needs no pause");
        net.last(|pipe| pipe.ready = true);
        assert!(matches!(connection.poll(now), Some(HttpEvent::Opened)));
        assert!(connection.poll(now).is_none());
        answer(&net, &mut HttpServer::new(HttpLimits::DEFAULT), false);
        assert!(matches!(connection.poll(now), Some(HttpEvent::Response(..))));
        assert!(matches!(connection.poll(now), Some(HttpEvent::Closed(Reason::Peer(None)))));
        assert!(connection.poll(now).is_none());
    }
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let (net, mut connection) = http(ConnectionConfig::DEFAULT);
    assert!(connection.poll(Nanos::ZERO).is_none());
    net.last(|pipe| pipe.ready = true);
    assert!(matches!(connection.poll(Nanos::ZERO), Some(HttpEvent::Opened)));
    connection.request(9, &get("/order"), Nanos::MAX).unwrap();
    assert!(connection.poll(Nanos::ZERO).is_none());
    assert!(connection.poll(Nanos::from_secs(9)).is_none());
    let event = connection.poll(Nanos::from_secs(10));
    assert!(matches!(event, Some(HttpEvent::Closed(Reason::AnswerTimeout))), "{event:?}");
    let event = connection.poll(Nanos::from_secs(10));
    assert!(matches!(event, Some(HttpEvent::Failed(Unanswered { token: 9, sent: true }))), "{event:?}");
}
