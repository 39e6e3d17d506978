//! The codecs against independent implementations, over real sockets: tungstenite in both roles,
//! and hyper as an HTTP server.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame as RawFrame};
use tokio_tungstenite::tungstenite::{Message as Theirs, protocol::Role};
use xarb::types::{Endpoint, Nanos};
use xarb::wire::http::{HttpClient, HttpLimits, Request};
use xarb::wire::ws::{Limits, Message, Ws};

const SIZES: [usize; 8] = [0, 1, 125, 126, 65_535, 65_536, 200_000, 1 << 20];

/// A runtime for the other side, on its own thread.
fn theirs<F: Future<Output = ()>>(serve: impl FnOnce() -> F + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve());
    })
}

/// Our codec on a blocking socket.
struct Ours {
    ws: Ws,
    socket: TcpStream,
    /// Receive and send at most this many bytes at once.
    step: usize,
}

#[derive(PartialEq, Debug)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Option<u16>, String),
    End,
}

impl Ours {
    fn client(at: SocketAddr, step: usize) -> Ours {
        let to = Endpoint::parse(&format!("ws://{at}/ws?x=1")).unwrap();
        let ws = Ws::client(&to, &[("X-Test".into(), "yes".into())], 42, Limits::DEFAULT).unwrap();
        Ours::open(ws, TcpStream::connect(at).unwrap(), step)
    }

    fn server(socket: TcpStream, step: usize) -> Ours {
        Ours::open(Ws::server(Limits::DEFAULT), socket, step)
    }

    fn open(ws: Ws, socket: TcpStream, step: usize) -> Ours {
        socket.set_nodelay(true).unwrap();
        let mut ours = Ours { ws, socket, step };
        loop {
            // In one piece: tungstenite takes a handshake in many small ones for an attack.
            ours.step = usize::MAX;
            ours.write();
            ours.step = step;
            if let Some(message) = ours.ws.next().unwrap() {
                assert!(matches!(message, Message::Open));
                break;
            }
            assert!(ours.read());
        }
        ours.ws.accept();
        ours.step = usize::MAX;
        ours.write();
        ours.step = step;
        ours
    }

    fn write(&mut self) {
        while !self.ws.out().is_empty() {
            let count = self.ws.out().len().min(self.step);
            if self.socket.write_all(&self.ws.out()[..count]).is_err() {
                return;
            }
            self.ws.sent(count);
        }
    }

    fn read(&mut self) -> bool {
        let step = self.step;
        let space = self.ws.space();
        let room = space.len().min(step);
        let count = self.socket.read(&mut space[..room]).unwrap_or(0);
        self.ws.filled(count);
        count > 0
    }

    fn next(&mut self) -> Got {
        loop {
            let got = self.ws.next().unwrap().map(|message| match message {
                Message::Text(text) => Got::Text(String::from_utf8(text.message().to_vec()).unwrap()),
                Message::Binary(bytes) => Got::Binary(bytes.message().to_vec()),
                Message::Pong(bytes) => Got::Pong(bytes.to_vec()),
                Message::Closed { code, reason } => Got::Closed(code, reason.to_owned()),
                Message::Open => panic!("opened twice"),
            });
            self.write();
            match got {
                Some(got) => return got,
                None if !self.read() => return Got::End,
                None => {}
            }
        }
    }
}

fn text_of(len: usize) -> String {
    "0123456789 äöü ✓ ".chars().cycle().take(len).collect()
}

/// Sends back every message, until the peer closes.
async fn echo<S>(mut ws: tokio_tungstenite::WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = ws.next().await {
        if message.is_text() || message.is_binary() {
            ws.send(message).await.unwrap();
        }
    }
}

#[test]
fn our_client_and_their_server_understand_each_other() {
    for step in [1 << 16, 1] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = theirs(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            echo(tokio_tungstenite::accept_async(socket).await.unwrap()).await;
        });
        let mut ours = Ours::client(at, step);
        for len in SIZES {
            if step == 1 && len > 70_000 {
                continue; // a system call a byte
            }
            let text = text_of(len.min(300_000));
            assert!(ours.ws.send_text(&text));
            assert_eq!(ours.next(), Got::Text(text));
            let bytes: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
            assert!(ours.ws.send_binary(&bytes));
            assert!(ours.next() == Got::Binary(bytes), "binary of {len}");
        }
        assert!(ours.ws.send_ping(b"are you there"));
        assert_eq!(ours.next(), Got::Pong(b"are you there".to_vec()));
        ours.ws.close(1000, "done");
        assert_eq!(ours.next(), Got::Closed(Some(1000), "done".to_owned()));
        server.join().unwrap();
    }
}

#[test]
fn their_fragments_pings_and_close_are_understood() {
    for step in [1 << 16, 1] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = theirs(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            let mut ws = tokio_tungstenite::accept_async(socket).await.unwrap();
            let piece = |load: &str, op, fin| {
                Theirs::Frame(RawFrame::message(load.to_owned(), OpCode::Data(op), fin))
            };
            for message in [
                piece("one, ", Data::Text, false),
                Theirs::Ping("in between".into()),
                piece("two, ", Data::Continue, false),
                piece("", Data::Continue, false),
                Theirs::Frame(RawFrame::pong("unasked")),
                piece("three", Data::Continue, true),
                Theirs::Ping("four".into()),
                Theirs::text("five"),
                Theirs::Close(Some(CloseFrame { code: 4001.into(), reason: "enough".into() })),
            ] {
                ws.send(message).await.unwrap();
            }
            let mut answers = Vec::new();
            while let Some(Ok(message)) = ws.next().await {
                answers.push(message);
            }
            let [Theirs::Pong(a), Theirs::Pong(b), Theirs::Close(Some(close))] = &answers[..] else {
                panic!("{answers:?}");
            };
            assert_eq!((&a[..], &b[..], u16::from(close.code)), (&b"in between"[..], &b"four"[..], 4001));
        });
        let mut ours = Ours::client(at, step);
        assert_eq!(ours.next(), Got::Pong(b"unasked".to_vec()));
        assert_eq!(ours.next(), Got::Text("one, two, three".to_owned()));
        assert_eq!(ours.next(), Got::Text("five".to_owned()));
        assert_eq!(ours.next(), Got::Closed(Some(4001), "enough".to_owned()));
        server.join().unwrap();
    }
}

#[test]
fn their_client_and_our_server_understand_each_other() {
    for step in [1 << 16, 1] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let client = theirs(move || async move {
            let socket = tokio::net::TcpStream::connect(at).await.unwrap();
            let (mut ws, _) =
                tokio_tungstenite::client_async(format!("ws://{at}/some/path?q"), socket).await.unwrap();
            for len in SIZES.into_iter().filter(|len| step > 1 || *len < 70_000) {
                let text = Theirs::text(text_of(len.min(300_000)));
                ws.send(text.clone()).await.unwrap();
                assert!(ws.next().await.unwrap().unwrap() == text);
                let bytes = Theirs::binary(vec![len as u8; len]);
                ws.send(bytes.clone()).await.unwrap();
                assert!(ws.next().await.unwrap().unwrap() == bytes);
            }
            ws.send(Theirs::Ping("p".into())).await.unwrap();
            assert_eq!(ws.next().await.unwrap().unwrap(), Theirs::Pong("p".into()));
            let mut piece = RawFrame::message("frag", OpCode::Data(Data::Text), false);
            piece.header_mut().mask = Some([1, 2, 3, 4]);
            ws.send(Theirs::Frame(piece)).await.unwrap();
            let mut piece = RawFrame::message("mented", OpCode::Data(Data::Continue), true);
            piece.header_mut().mask = Some([5, 6, 7, 8]);
            ws.send(Theirs::Frame(piece)).await.unwrap();
            assert_eq!(ws.next().await.unwrap().unwrap(), Theirs::text("fragmented"));
            // Our server closes: their client must see the code and end in order.
            ws.send(Theirs::text("close")).await.unwrap();
            let Theirs::Close(Some(close)) = ws.next().await.unwrap().unwrap() else { panic!() };
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "restart"));
            while ws.next().await.is_some_and(|m| m.is_ok()) {}
        });
        let mut ours = Ours::server(listener.accept().unwrap().0, step);
        assert!(ours.ws.upgrade().is_none(), "it was accepted");
        loop {
            match ours.next() {
                Got::Text(text) if text == "close" => ours.ws.close(1012, "restart"),
                Got::Text(text) => assert!(ours.ws.send_text(&text)),
                Got::Binary(bytes) => assert!(ours.ws.send_binary(&bytes)),
                Got::Closed(code, _) => {
                    assert_eq!(code, Some(1012));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        drop(ours);
        client.join().unwrap();
    }
}

#[test]
fn their_client_closes_our_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let client = theirs(move || async move {
        let socket = tokio::net::TcpStream::connect(at).await.unwrap();
        let (mut ws, _) = tokio_tungstenite::client_async(format!("ws://{at}/"), socket).await.unwrap();
        ws.close(Some(CloseFrame { code: 1001.into(), reason: "tab closed".into() })).await.unwrap();
        let Theirs::Close(Some(close)) = ws.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(u16::from(close.code), 1001);
        assert!(ws.next().await.is_none_or(|m| m.is_err()));
    });
    let mut ours = Ours::server(listener.accept().unwrap().0, 1 << 16);
    assert_eq!(ours.next(), Got::Closed(Some(1001), "tab closed".to_owned()));
    drop(ours);
    client.join().unwrap();
}

#[test]
fn what_we_refuse_they_are_told_by_its_code() {
    for (bytes, code) in [
        (&[0x81u8, 2, 0xC3, 0x28][..], 1007),
        (&[0x83, 0], 1002),
        (&[0x82, 127, 0, 0, 0, 0, 9, 0, 0, 0], 1009),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = theirs(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap().into_inner();
            tokio::io::AsyncWriteExt::write_all(&mut socket, bytes).await.unwrap();
            let mut ws =
                tokio_tungstenite::WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
            let Theirs::Close(Some(close)) = ws.next().await.unwrap().unwrap() else { panic!() };
            assert_eq!(u16::from(close.code), code);
        });
        let mut ours = Ours::client(at, 1 << 16);
        while ours.ws.next().is_ok_and(|message| message.is_none()) && ours.read() {}
        assert!(ours.ws.is_over());
        ours.write();
        server.join().unwrap();
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// Answers by path: `/echo`, `/chunks/N`, `/close`, `/empty`, `/redirect`.
async fn answer(request: hyper::Request<hyper::body::Incoming>) -> Result<hyper::Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let full = |bytes: Vec<u8>| Full::new(Bytes::from(bytes)).boxed();
    let mut answer = hyper::Response::builder();
    let body = match path.as_str() {
        "/echo" => full(request.into_body().collect().await.unwrap().to_bytes().to_vec()),
        "/close" => {
            answer = answer.header("connection", "close");
            full(b"bye".to_vec())
        }
        "/empty" => {
            answer = answer.status(204);
            full(vec![])
        }
        "/redirect" => {
            answer = answer.status(307).header("location", "http://192.0.2.1/");
            full(vec![])
        }
        _ => {
            let chunks: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            let stream = futures_util::stream::iter((0..chunks).map(|chunk| {
                Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'0' + (chunk % 10) as u8; 1 + chunk * 37])))
            }));
            BodyExt::boxed(StreamBody::new(stream))
        }
    };
    Ok(answer.body(body).unwrap())
}

/// Method, target, body; status and body of the answer.
type Case<'a> = (&'a str, &'a str, &'a [u8], u16, Vec<u8>);

#[test]
fn our_http_client_understands_hyper() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = theirs(move || async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        for _ in 0..2 {
            let (socket, _) = listener.accept().await.unwrap();
            let io = hyper_util::rt::TokioIo::new(socket);
            let service = hyper::service::service_fn(answer);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        }
    });
    for step in [1 << 16, 1] {
        let mut socket = TcpStream::connect(at).unwrap();
        let mut client = HttpClient::new(HttpLimits::DEFAULT);
        let host = at.to_string();
        let big = vec![b'x'; 100_000];
        let chunked =
            |n: usize| -> Vec<u8> { (0..n).flat_map(|c| vec![b'0' + (c % 10) as u8; 1 + c * 37]).collect() };
        let cases: Vec<Case> = vec![
            ("POST", "/echo", b"a=b&c=d", 200, b"a=b&c=d".to_vec()),
            ("POST", "/echo", &big, 200, big.clone()),
            ("GET", "/chunks/0", b"", 200, vec![]),
            ("GET", "/chunks/1", b"", 200, chunked(1)),
            ("GET", "/chunks/40", b"", 200, chunked(40)),
            ("HEAD", "/echo", b"", 200, vec![]),
            ("GET", "/empty", b"", 204, vec![]),
            ("GET", "/redirect", b"", 307, vec![]),
            ("GET", "/close", b"", 200, b"bye".to_vec()),
        ];
        for (token, (method, target, body, ..)) in cases.iter().enumerate() {
            let request = Request { method, target, host: &host, headers: &[("X-Y", "z")], body };
            client.request(token as u128, &request, Nanos::MAX).unwrap();
        }
        for (token, (_, target, _, status, body)) in cases.iter().enumerate() {
            client.pump(Nanos::ZERO);
            assert_eq!(client.under_way(), 1, "one at a time");
            let out = client.out().to_vec();
            socket.write_all(&out).unwrap();
            client.sent(out.len());
            loop {
                if let Some(answer) = client.next().unwrap() {
                    assert_eq!((answer.token, answer.status), (token as u128, *status), "{target}");
                    assert!(answer.body == body, "{target}");
                    break;
                }
                let space = client.space();
                let room = space.len().min(step);
                let count = socket.read(&mut space[..room]).unwrap();
                assert!(count > 0, "{target}");
                client.filled(count);
            }
        }
        assert!(client.is_over(), "the server closes after its last answer");
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        client.disconnected();
        assert_eq!(client.unanswered(), None);
    }
    server.join().unwrap();
}
