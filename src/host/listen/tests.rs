//! The whole way: our connections over real sockets to venues behind hyper and tungstenite.

use std::time::Instant;

use super::*;
use crate::engine::connection::{ConnectionConfig, HttpConnection, HttpEvent, WsConnection, WsEvent};
use crate::host::{Dialer, TlsRoots};
use crate::types::Endpoint;
use crate::wire::http::Request as Asked;

/// Echoes with the venue's number in front, greets, and counts ticks aloud when asked to.
#[derive(Default)]
struct Parrot {
    conns: Vec<(usize, ConnId)>,
    closed: u64,
    ticks: u64,
}

impl Backend for Parrot {
    fn venues(&self) -> usize {
        2
    }
    fn input(&mut self, venue: usize, input: ServerInput<'_>, _: Nanos, out: &mut Vec<ServerOut>) {
        match input {
            ServerInput::Opened { conn, target, headers, peer } => {
                assert!(headers.contains(&("x-test".to_owned(), "yes".to_owned())));
                self.conns.push((venue, conn));
                out.push(ServerOut::Text(conn, format!("{venue} {target} {peer}")));
            }
            ServerInput::Text(conn, "close") => out.push(ServerOut::Close(conn)),
            ServerInput::Text(conn, "flood") => {
                out.extend((0..2 * WAITING_MAX).map(|_| ServerOut::Text(conn, "x".repeat(1000))));
            }
            ServerInput::Text(conn, text) => out.push(ServerOut::Text(conn, format!("{venue} {text}"))),
            ServerInput::Closed(_) => self.closed += 1,
            ServerInput::Request { target: "/never", .. } => {}
            ServerInput::Request { id, method, target, body, .. } => out.push(ServerOut::Response {
                id,
                status: 202,
                headers: vec![("X-Venue".to_owned(), venue.to_string())],
                body: format!("{method} {target} {}", String::from_utf8_lossy(body)),
            }),
            ServerInput::Event(_) | ServerInput::Tick => {}
        }
    }
    fn tick(&mut self, _: usize, _: Nanos, _: &mut Vec<ServerOut>) {
        self.ticks += 1;
    }
}

fn dialer(clock: &HostClock) -> Box<Dialer> {
    Box::new(Dialer::new(TlsRoots::new(&[]).unwrap(), clock.clone()))
}

fn websocket(at: SocketAddr, clock: &HostClock) -> WsConnection {
    let to = Endpoint::parse(&format!("ws://{at}/stream?x=1")).unwrap();
    let headers = vec![("X-Test".to_owned(), "yes".to_owned())];
    WsConnection::new(dialer(clock), to, headers, ConnectionConfig::DEFAULT, 1)
}

/// Polls until an event has something to say.
#[track_caller]
fn until<T>(ws: &mut WsConnection, clock: &HostClock, mut want: impl FnMut(WsEvent<'_>) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ws.poll(clock.now()).and_then(&mut want) {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "took too long");
        thread::yield_now();
    }
}

fn text(event: WsEvent<'_>) -> Option<String> {
    match event {
        WsEvent::Text(text, arrival) => {
            assert!(arrival.ticks > 0);
            Some(String::from_utf8(text.message().to_vec()).unwrap())
        }
        _ => None,
    }
}

#[test]
fn venues_are_served_on_ports_of_their_own() {
    let clock = HostClock::new();
    let listening = serve(Parrot::default(), ListenConfig::default(), clock.clone()).unwrap();
    let addresses = listening.addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    let mut sockets: Vec<_> = addresses.iter().map(|at| websocket(*at, &clock)).collect();
    for (venue, ws) in sockets.iter_mut().enumerate() {
        assert_eq!(until(ws, &clock, text), format!("{venue} /stream?x=1 127.0.0.1"));
        for number in 0..100 {
            ws.send_text(&format!("message {number}")).unwrap();
        }
        for number in 0..100 {
            assert_eq!(until(ws, &clock, text), format!("{venue} message {number}"));
        }
    }
    let ws = &mut sockets[1];
    ws.send_text("close").unwrap();
    until(ws, &clock, |event| matches!(event, WsEvent::Closed(_)).then_some(()));
    until(ws, &clock, |event| matches!(event, WsEvent::Opened).then_some(()));
    listening.cut_all();
    until(&mut sockets[0], &clock, |event| matches!(event, WsEvent::Closed(_)).then_some(()));
    assert!(listening.with(|parrot| parrot.ticks).unwrap() > 0);
    assert_eq!(listening.counts().messages_in, 201);
    let backend = listening.stop().unwrap();
    assert!(backend.conns.len() >= 3 && backend.closed >= 2, "{}", backend.closed);
    assert!(std::net::TcpStream::connect(addresses[0]).is_err(), "the ports are closed");
}

#[test]
fn requests_are_answered_and_a_lost_answer_is_known_as_such() {
    let clock = HostClock::new();
    let listening = serve(Parrot::default(), ListenConfig::default(), clock.clone()).unwrap();
    let at = listening.addresses()[1];
    let to = Endpoint::parse(&format!("http://{at}/")).unwrap();
    let config = ConnectionConfig { answer_within: Nanos::from_millis(200), ..ConnectionConfig::DEFAULT };
    let mut http = HttpConnection::new(dialer(&clock), to, config, 1);
    let host = at.to_string();
    for (token, (method, target, body)) in
        [("GET", "/a?b", ""), ("POST", "/order", "x=y"), ("DELETE", "/order", ""), ("POST", "/never", "z")]
            .into_iter()
            .enumerate()
    {
        let request = Asked { method, target, host: &host, headers: &[], body: body.as_bytes() };
        http.request(token as u128, &request, Nanos::MAX).unwrap();
    }
    let mut seen = Vec::new();
    let start = Instant::now();
    while seen.len() < 4 {
        match http.poll(clock.now()) {
            Some(HttpEvent::Response(answer, _)) => {
                assert_eq!(answer.status, 202);
                assert!(answer.headers.contains(&("x-venue".to_owned(), "1".to_owned())));
                seen.push((answer.token, String::from_utf8(answer.body.to_vec()).unwrap()));
            }
            Some(HttpEvent::Failed(failed)) => seen.push((failed.token, format!("sent: {}", failed.sent))),
            _ => {}
        }
        assert!(start.elapsed() < Duration::from_secs(10), "took too long: {seen:?}");
        thread::yield_now();
    }
    let want = ["GET /a?b ", "POST /order x=y", "DELETE /order ", "sent: true"];
    assert!(seen.iter().map(|(_, text)| text.as_str()).eq(want), "{seen:?}");
}

#[test]
fn delays_keep_the_order_and_losses_are_counted() {
    let clock = HostClock::new();
    let config = ListenConfig {
        latency: Nanos::from_millis(3),
        jitter: Nanos::from_millis(3),
        drop_ppm: 200_000,
        seed: 7,
        ..ListenConfig::default()
    };
    let listening = serve(Parrot::default(), config, clock.clone()).unwrap();
    let mut ws = websocket(listening.addresses()[0], &clock);
    until(&mut ws, &clock, text);
    let before = clock.now();
    for number in 0..200 {
        ws.send_text(&format!("{number:03}")).unwrap();
    }
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last: &String| last.as_str() < "0 190") {
        seen.push(until(&mut ws, &clock, text));
        assert!(clock.now() - before >= Nanos::from_millis(2));
    }
    assert!(seen.is_sorted(), "{seen:?}");
    let lost = listening.counts().lost;
    assert!((15..90).contains(&lost), "{lost} of 200 lost");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let clock = HostClock::new();
    let listening = serve(Parrot::default(), ListenConfig::default(), clock.clone()).unwrap();
    let mut ws = websocket(listening.addresses()[0], &clock);
    until(&mut ws, &clock, text);
    ws.send_text("flood").unwrap();
    let start = Instant::now();
    while listening.counts().slow == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "took too long");
        thread::sleep(Duration::from_millis(1));
    }
}
