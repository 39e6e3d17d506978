use super::*;
use crate::venue::RequestId;
use crate::wire::http::{HttpClient, HttpLimits, Request};
use crate::wire::ws::{Limits, Message, Ws};

/// A venue that answers each text with the same text and each request with its target, and notes
/// what it was told.
#[derive(Default)]
struct Echo {
    told: Vec<String>,
    late: Vec<RequestId>,
    hold: bool,
}

impl Backend for Echo {
    fn venues(&self) -> usize {
        1
    }

    fn input(&mut self, _: usize, input: ServerInput<'_>, _: Nanos, out: &mut Vec<ServerOut>) {
        let told = match input {
            ServerInput::Opened { conn, target, .. } => {
                out.push(ServerOut::Text(conn, "welcome".into()));
                format!("open {target}")
            }
            ServerInput::Text(conn, "close") => {
                out.push(ServerOut::Close(conn));
                "close".into()
            }
            ServerInput::Text(conn, text) => {
                out.push(ServerOut::Text(conn, text.to_owned()));
                format!("{} bytes", text.len())
            }
            ServerInput::Closed(_) => "closed".into(),
            ServerInput::Request { id, target, .. } if self.hold => {
                self.late.push(id);
                target.to_owned()
            }
            ServerInput::Request { id, target, .. } => {
                let body = target.to_owned();
                out.push(ServerOut::Response { id, status: 200, headers: vec![], body });
                target.to_owned()
            }
            ServerInput::Event(_) | ServerInput::Tick => return,
        };
        self.told.push(told);
    }

    fn tick(&mut self, _: usize, _: Nanos, out: &mut Vec<ServerOut>) {
        if !self.hold {
            for id in self.late.drain(..) {
                out.push(ServerOut::Response { id, status: 503, headers: vec![], body: String::new() });
            }
        }
    }
}

fn net(seed: u64, path: Path) -> Net {
    let host = Host { host: "venue.test".into(), port: 443, venue: 0, path };
    Net::new(seed, vec![host], Nanos::ZERO)
}

const MS: i64 = 1_000_000;

fn slow() -> Path {
    Path { latency: Nanos(5 * MS), jitter: Nanos(3 * MS), chop: true, cut_every: Nanos::ZERO }
}

/// A WebSocket client on a virtual link.
struct Client {
    link: Box<dyn Link>,
    ws: Ws,
    got: Vec<String>,
    gone: bool,
}

impl Client {
    fn new(net: &Net, seed: u64) -> Client {
        let to = Endpoint::parse("wss://venue.test/stream?x=1").unwrap();
        let link = net.dialer().dial(&to).unwrap();
        let ws = Ws::client(&to, &[], seed, Limits::default()).unwrap();
        Client { link, ws, got: Vec::new(), gone: false }
    }

    fn turn(&mut self) {
        if self.gone || !matches!(self.link.ready(), Ok(true)) {
            return;
        }
        let mut buffer = [0; 4096];
        loop {
            if !self.ws.out().is_empty() {
                if self.link.send(self.ws.out()).is_err() {
                    self.gone = true;
                    return;
                }
                self.ws.sent(self.ws.out().len());
            }
            match self.link.recv(&mut buffer) {
                Ok(Some(received)) => assert_eq!(self.ws.receive(&buffer[..received.len]), received.len),
                Ok(None) => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
            while let Some(message) = self.ws.next().unwrap() {
                match message {
                    Message::Text(text) => {
                        self.got.push(String::from_utf8(text.message().to_vec()).unwrap());
                    }
                    Message::Open => self.got.push("open".into()),
                    _ => {}
                }
            }
        }
    }
}

/// Runs until nothing is under way, and says how long that took.
fn settle(net: &mut Net, echo: &mut Echo, clients: &mut [&mut Client], from: i64) -> i64 {
    let mut now = Nanos(from);
    loop {
        net.advance(now, echo);
        clients.iter_mut().for_each(|client| client.turn());
        match net.next_at(now) {
            Nanos::MAX => return now.0,
            next => now = next,
        }
    }
}

#[test]
fn messages_go_there_and_back_however_they_are_chopped() {
    for seed in 0..50 {
        let (mut net, mut echo) = (net(seed, slow()), Echo::default());
        let mut client = Client::new(&net, seed);
        let opened = settle(&mut net, &mut echo, &mut [&mut client], 0);
        // TCP there and back, the handshake there and back.
        assert!((20 * MS..=32 * MS).contains(&opened), "seed {seed}: {opened}");
        let long = "x".repeat(70_000);
        for text in ["a", &long, "b"] {
            assert!(client.ws.send_text(text));
        }
        client.turn();
        let done = settle(&mut net, &mut echo, &mut [&mut client], opened) - opened;
        assert!((10 * MS..=16 * MS).contains(&done), "seed {seed}: {done}");
        assert_eq!(client.got, ["open", "welcome", "a", &long, "b"], "seed {seed}");
        assert_eq!(echo.told, ["open /stream?x=1", "1 bytes", "70000 bytes", "1 bytes"]);
        drop(client);
        settle(&mut net, &mut echo, &mut [], opened + done);
        assert_eq!(echo.told.last().unwrap(), "closed");
        assert!(lock(&net.wires).conns.numbers().is_empty(), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_times() {
    let run = |seed| {
        let (mut net, mut echo) = (net(seed, slow()), Echo::default());
        let mut client = Client::new(&net, seed);
        settle(&mut net, &mut echo, &mut [&mut client], 0)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_venue_that_closes_is_seen_to_close() {
    let (mut net, mut echo) = (net(1, slow()), Echo::default());
    let mut client = Client::new(&net, 1);
    let now = settle(&mut net, &mut echo, &mut [&mut client], 0);
    client.ws.send_text("close");
    client.turn();
    settle(&mut net, &mut echo, &mut [&mut client], now);
    assert!(client.gone);
    assert_eq!(echo.told, ["open /stream?x=1", "close", "closed"]);
}

#[test]
fn a_cut_breaks_both_ends_and_a_stall_delays_them() {
    for seed in 0..50 {
        let (mut net, mut echo) = (net(seed, slow()), Echo::default());
        let mut client = Client::new(&net, seed);
        let now = settle(&mut net, &mut echo, &mut [&mut client], 0);
        client.ws.send_text("before the stall");
        client.turn();
        net.stall(0, Nanos(now + 500 * MS));
        let now = settle(&mut net, &mut echo, &mut [&mut client], now);
        assert!(now >= 500 * MS && client.got.last().unwrap() == "before the stall", "seed {seed}");

        client.ws.send_text("cut somewhere in here");
        client.turn();
        assert_eq!(net.cut(0), 1);
        let now = settle(&mut net, &mut echo, &mut [&mut client], now);
        assert!(client.gone, "seed {seed}");
        assert_eq!(echo.told.iter().filter(|told| *told == "closed").count(), 1, "seed {seed}");
        assert_eq!(net.cut(0), 0);

        net.refuse(0, true);
        let mut refused = Client::new(&net, seed);
        assert!(matches!(refused.link.ready(), Err(LinkError::Connect(_))));
        net.refuse(0, false);
        let mut client = Client::new(&net, seed);
        settle(&mut net, &mut echo, &mut [&mut client], now);
        assert_eq!(client.got, ["open", "welcome"], "seed {seed}");
    }
}

#[test]
fn connections_die_of_old_age_where_a_path_says_so() {
    let path = Path { cut_every: Nanos(100 * MS), ..slow() };
    let (mut net, mut echo) = (net(3, path), Echo::default());
    let mut clients: Vec<Client> = (0..20).map(|seed| Client::new(&net, seed)).collect();
    let mut all: Vec<&mut Client> = clients.iter_mut().collect();
    let end = settle(&mut net, &mut echo, &mut all, 0);
    assert!((100 * MS..=220 * MS).contains(&end), "{end}");
    let opened = echo.told.iter().filter(|told| told.starts_with("open")).count();
    assert_eq!(opened, echo.told.iter().filter(|told| *told == "closed").count());
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let (mut net, mut echo) = (net(4, slow()), Echo::default());
    let to = Endpoint::parse("https://venue.test/").unwrap();
    let mut link = net.dialer().dial(&to).unwrap();
    let mut http = HttpClient::new(HttpLimits { pipeline: 4, ..HttpLimits::default() });
    for (token, target) in [(1, "/a"), (2, "/b"), (3, "/c")] {
        let request = Request { method: "GET", target, host: "venue.test", headers: &[], body: b"" };
        http.send(token, &request.bytes().unwrap(), Nanos::MAX).unwrap();
    }
    let (mut now, mut got, mut buffer) = (Nanos::ZERO, Vec::new(), [0; 1024]);
    echo.hold = true;
    while got.len() < 3 {
        net.advance(now, &mut echo);
        if link.ready().unwrap() {
            http.pump(now);
            link.send(http.out()).unwrap();
            http.sent(http.out().len());
            while let Some(received) = link.recv(&mut buffer).unwrap() {
                let space = http.space();
                space[..received.len].copy_from_slice(&buffer[..received.len]);
                http.filled(received.len);
                while let Some(response) = http.next().unwrap() {
                    got.push((response.token, response.status, response.body.to_vec()));
                }
            }
        }
        echo.hold = now.0 < 100 * MS;
        now = net.next_at(now).min(now + Nanos(50 * MS));
        assert!(now.0 < 1_000 * MS, "{got:?} {:?}", echo.told);
    }
    let want = [(1, 503, vec![]), (2, 200, b"/b".to_vec()), (3, 200, b"/c".to_vec())];
    assert_eq!(got, want);
}
