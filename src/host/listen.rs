//! Simulated venues on loopback ports.
//!
//! One thread serves every venue of a [`Backend`]; each has one port, chosen by the system, for
//! HTTP and for WebSocket, as exchanges have. The protocols are spoken by hyper and tungstenite, not
//! by our own codecs: an independent implementation judges what the engine sends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oorandom::Rand64;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::HostClock;
use crate::sim::venue::Backend;
use crate::types::{Clock, Nanos};
use crate::venue::{ConnId, RequestId, ServerInput, ServerOut};

/// Messages that may wait for a client that does not read, before it is cut off.
const WAITING_MAX: usize = 16_384;
/// Longest request body.
const BODY_MAX: usize = 1 << 20;

/// How venues are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenConfig {
    /// How often each venue gets a tick; the runtime's timer counts whole milliseconds.
    pub tick: Nanos,
    /// How long what a client sends is held up on its way to the venue. (What a venue sends is held
    /// up by the backend's own faults.)
    pub latency: Nanos,
    /// A random addition to it, from nothing to this. The order on a connection is kept.
    pub jitter: Nanos,
    /// Messages from clients that are lost on their way, in parts of a million.
    pub drop_ppm: u32,
    /// Seed of the jitter and the losses.
    pub seed: u64,
}

impl Default for ListenConfig {
    fn default() -> ListenConfig {
        ListenConfig {
            tick: Nanos::from_millis(1),
            latency: Nanos::ZERO,
            jitter: Nanos::ZERO,
            drop_ppm: 0,
            seed: 0,
        }
    }
}

/// Venues that are being served. Dropping it stops them.
pub struct Listening<B> {
    addresses: Vec<SocketAddr>,
    hub: Arc<Mutex<Hub<B>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What all connections share. Everything runs on one thread; the lock is for those who look on.
struct Hub<B> {
    backend: Option<B>,
    clock: HostClock,
    config: ListenConfig,
    rng: Rand64,
    next_id: u64,
    connections: BTreeMap<ConnId, mpsc::Sender<Outgoing>>,
    requests: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    out: Vec<ServerOut>,
    counts: Counts,
}

/// What was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// WebSocket connections opened.
    pub connections: u64,
    /// HTTP requests.
    pub requests: u64,
    /// Messages from clients.
    pub messages_in: u64,
    /// Messages to clients.
    pub messages_out: u64,
    /// Messages from clients that were lost on purpose.
    pub lost: u64,
    /// Connections cut off because the client did not read.
    pub slow: u64,
}

enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
    Close,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Serves all venues of a backend, each on a loopback port of its own, until stopped.
///
/// # Errors
/// When a port or the thread cannot be had.
pub fn serve<B: Backend + 'static>(
    backend: B,
    config: ListenConfig,
    clock: HostClock,
) -> io::Result<Listening<B>> {
    let venues = backend.venues();
    let listeners: Vec<std::net::TcpListener> =
        (0..venues).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
    let addresses = listeners.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<_>>()?;
    let hub = Arc::new(Mutex::new(Hub {
        backend: Some(backend),
        clock,
        config,
        rng: Rand64::new(u128::from(config.seed)),
        next_id: 1,
        connections: BTreeMap::new(),
        requests: BTreeMap::new(),
        out: Vec::new(),
        counts: Counts::default(),
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let served = hub.clone();
    let thread = thread::Builder::new().name("venues".to_owned()).spawn(move || {
        runtime.block_on(async move {
            for (venue, listener) in listeners.into_iter().enumerate() {
                tokio::spawn(listen(served.clone(), venue, listener));
            }
            tokio::spawn(tick(served.clone(), venues, config.tick));
            let _ = stopped.await;
            lock(&served).close_all();
            // The closes get a moment to leave; the runtime's end drops all else.
            tokio::time::sleep(Duration::from_millis(20)).await;
        });
    })?;
    Ok(Listening { addresses, hub, stop: Some(stop), thread: Some(thread) })
}

impl<B> Listening<B> {
    /// Where each venue listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Looks at the backend, or turns its knobs, between two of its turns; `None` only while
    /// another look is under way on this thread's panic.
    pub fn with<T>(&self, look: impl FnOnce(&mut B) -> T) -> Option<T> {
        lock(&self.hub).backend.as_mut().map(look)
    }

    /// What was served so far.
    pub fn counts(&self) -> Counts {
        lock(&self.hub).counts
    }

    /// Cuts every WebSocket connection without a word, as a network does.
    pub fn cut_all(&self) {
        lock(&self.hub).connections.clear();
    }

    /// Closes every connection, ends the thread, and gives the backend back.
    pub fn stop(mut self) -> Option<B> {
        self.end();
        lock(&self.hub).backend.take()
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl<B> Drop for Listening<B> {
    fn drop(&mut self) {
        self.end();
    }
}

/// A panic of another holder is no reason to stop looking: the hub has no half-done states that
/// matter to a simulation.
fn lock<B>(hub: &Mutex<Hub<B>>) -> MutexGuard<'_, Hub<B>> {
    hub.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<B> Hub<B> {
    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// How long something from a client is held up; `None` = it is lost.
    fn fate(&mut self, may_be_lost: bool) -> Option<Duration> {
        let ListenConfig { latency, jitter, drop_ppm, .. } = self.config;
        if may_be_lost && drop_ppm > 0 && self.rng.rand_range(0..1_000_000) < u64::from(drop_ppm) {
            self.counts.lost += 1;
            return None;
        }
        let jitter = if jitter.0 > 0 { self.rng.rand_range(0..jitter.0 as u64 + 1) } else { 0 };
        Some(Duration::from_nanos(latency.0.max(0) as u64 + jitter))
    }

    fn close_all(&mut self) {
        for connection in self.connections.values() {
            let _ = connection.try_send(Outgoing::Close);
        }
    }

    /// Hands what the venues said to the connections.
    fn dispatch(&mut self) {
        for out in self.out.drain(..) {
            let (conn, outgoing) = match out {
                ServerOut::Text(conn, text) => (conn, Outgoing::Text(text)),
                ServerOut::Binary(conn, bytes) => (conn, Outgoing::Binary(bytes)),
                ServerOut::Close(conn) => (conn, Outgoing::Close),
                ServerOut::Response { id, status, headers, body } => {
                    if let Some(request) = self.requests.remove(&id) {
                        let _ = request.send(Answer { status, headers, body });
                    }
                    continue;
                }
            };
            let Some(connection) = self.connections.get(&conn) else { continue };
            self.counts.messages_out += 1;
            if connection.try_send(outgoing).is_err() {
                // Dropping the sender ends the connection.
                self.connections.remove(&conn);
                self.counts.slow += 1;
            }
        }
    }
}

impl<B: Backend> Hub<B> {
    fn input(&mut self, venue: usize, input: ServerInput<'_>) {
        let now = self.clock.now();
        if let Some(backend) = &mut self.backend {
            backend.input(venue, input, now, &mut self.out);
        }
        self.dispatch();
    }
}

async fn tick<B: Backend>(hub: Arc<Mutex<Hub<B>>>, venues: usize, every: Nanos) {
    let every = Duration::from_nanos(every.0.max(1_000_000) as u64);
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let mut hub = lock(&hub);
        let hub = &mut *hub;
        for venue in 0..venues {
            let now = hub.clock.now();
            if let Some(backend) = &mut hub.backend {
                backend.tick(venue, now, &mut hub.out);
            }
            hub.dispatch();
        }
    }
}

async fn listen<B: Backend + 'static>(
    hub: Arc<Mutex<Hub<B>>>,
    venue: usize,
    listener: std::net::TcpListener,
) {
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((socket, peer)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let hub = hub.clone();
        tokio::spawn(async move {
            let peer = peer.ip().to_string();
            let service = hyper::service::service_fn(|request| {
                let (hub, peer) = (hub.clone(), peer.clone());
                async move { Ok::<_, Infallible>(route(hub, venue, peer, request).await) }
            });
            // A client that breaks the protocol loses its connection, nothing else.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades()
                .await;
        });
    }
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn lower_headers(request: &Request<Incoming>) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn route<B: Backend + 'static>(
    hub: Arc<Mutex<Hub<B>>>,
    venue: usize,
    peer: String,
    mut request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let headers = lower_headers(&request);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    if let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) {
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let config = WebSocketConfig::default().read_buffer_size(8 << 10);
            let io = TokioIo::new(upgraded);
            let ws = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            websocket(hub, venue, peer, target, headers, ws).await;
        });
        let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = accept {
            response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        return response;
    }
    let method = request.method().as_str().to_owned();
    let Ok(body) = Limited::new(request.into_body(), BODY_MAX).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let body = body.to_bytes();
    let delay = lock(&hub).fate(false).unwrap_or_default();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let answer = {
        let mut hub = lock(&hub);
        let id = RequestId(hub.next_id());
        let (send, answer) = oneshot::channel();
        hub.requests.insert(id, send);
        hub.counts.requests += 1;
        let input = ServerInput::Request {
            id,
            method: &method,
            target: &target,
            headers: &headers,
            body: &body,
            peer: &peer,
        };
        hub.input(venue, input);
        answer
    };
    let Ok(answer) = answer.await else { return plain(StatusCode::SERVICE_UNAVAILABLE) };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::from(answer.body)).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

async fn websocket<B: Backend>(
    hub: Arc<Mutex<Hub<B>>>,
    venue: usize,
    peer: String,
    target: String,
    headers: Vec<(String, String)>,
    mut socket: Socket,
) {
    let (send, mut outgoing) = mpsc::channel(WAITING_MAX);
    let conn = {
        let mut hub = lock(&hub);
        let conn = ConnId(hub.next_id());
        hub.connections.insert(conn, send);
        hub.counts.connections += 1;
        hub.input(venue, ServerInput::Opened { conn, target: &target, headers: &headers, peer: &peer });
        conn
    };
    // Messages on their way in, each with its time of arrival, which never falls.
    let (arrive, mut arriving) = mpsc::channel::<(tokio::time::Instant, Utf8Bytes)>(WAITING_MAX);
    let mut last = tokio::time::Instant::now();
    loop {
        tokio::select! {
            biased;
            next = outgoing.recv() => {
                if !write(&mut socket, next, &mut outgoing).await {
                    break;
                }
            }
            Some((due, text)) = arriving.recv() => {
                tokio::time::sleep_until(due).await;
                lock(&hub).input(venue, ServerInput::Text(conn, &text));
            }
            message = socket.next() => {
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => continue, // pings are answered by the library
                };
                let fate = {
                    let mut hub = lock(&hub);
                    hub.counts.messages_in += 1;
                    hub.fate(true)
                };
                match fate {
                    None => {}
                    Some(Duration::ZERO) => lock(&hub).input(venue, ServerInput::Text(conn, &text)),
                    Some(delay) => {
                        last = last.max(tokio::time::Instant::now() + delay);
                        if arrive.try_send((last, text)).is_err() {
                            break;
                        }
                    }
                }
            }
        }
    }
    {
        let mut hub = lock(&hub);
        hub.connections.remove(&conn);
        hub.input(venue, ServerInput::Closed(conn));
    }
    // Answers the client's close, where there was one.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.flush()).await;
}

/// Writes a message and all that wait behind it; false when the connection is over.
async fn write(socket: &mut Socket, first: Option<Outgoing>, more: &mut mpsc::Receiver<Outgoing>) -> bool {
    let mut next = first;
    loop {
        match next {
            Some(Outgoing::Text(text)) => {
                if socket.feed(Message::text(text)).await.is_err() {
                    return false;
                }
            }
            Some(Outgoing::Binary(bytes)) => {
                if socket.feed(Message::binary(bytes)).await.is_err() {
                    return false;
                }
            }
            Some(Outgoing::Close) => {
                let _ = socket.close(None).await;
                return false;
            }
            None => return false,
        }
        match more.try_recv() {
            Ok(message) => next = Some(message),
            Err(_) => return socket.flush().await.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests;
