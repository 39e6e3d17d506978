//! The feed role: a venue's public connection, kept open, with the stage behind it.

use super::connection::{ConnectionConfig, HttpConnection, HttpEvent, WsConnection, WsEvent};
use super::feed::FeedStage;
use super::role::Role;
use super::tap::Tap;
use crate::telemetry::{Hop, Stamps};
use crate::types::{BookId, Dial, Endpoint, Nanos, Stopwatch, VenueId};
use crate::venue::{FeedError, FeedInput, Want};
use crate::wire::http::Request;

/// Messages taken in one turn before other roles get theirs.
const MESSAGES_MAX: usize = 32;

/// How often time alone is an input.
const TICK: Nanos = Nanos::from_millis(100);

/// A REST snapshot that the feed asked for.
struct Fetch {
    token: u128,
    connection: usize,
    book: BookId,
    target: String,
    due: Nanos,
    asked: bool,
}

/// How long the renewal of a connection waits for another one to carry its books.
const SPARED_WITHIN: Nanos = Nanos::from_secs(300);

/// What concerns a venue with several connections only.
#[derive(Default)]
struct Others {
    /// The WebSockets after the first.
    sockets: Vec<WsConnection>,
    /// By connection: told to reconnect, and not closed yet.
    leaving: Vec<bool>,
    /// Connections to be renewed once another one carries their books, or at that time.
    renewals: Vec<(usize, &'static str, Nanos)>,
    /// Which connection is read first: each in turn.
    first: usize,
}

/// A venue's public side: one WebSocket or several for the same stream, one HTTP connection for
/// snapshots, one stage.
pub struct FeedRole<W> {
    name: String,
    venue: VenueId,
    ws: WsConnection,
    others: Others,
    rest: HttpConnection,
    rest_endpoint: Endpoint,
    stage: FeedStage,
    fetches: Vec<Fetch>,
    next_token: u128,
    next_tick: Nanos,
    tap: Option<Box<dyn Tap>>,
    watch: W,
    alerts: Vec<String>,
    /// Somebody rehearses: messages are kept for it.
    rehearses: bool,
}

/// What a feed role is made from.
pub struct FeedRoleParts<W> {
    /// Its name in reports.
    pub name: String,
    /// The venue's number.
    pub venue: VenueId,
    /// The stage.
    pub stage: FeedStage,
    /// Headers of the stream's handshake.
    pub headers: Vec<(String, String)>,
    /// Where snapshots are fetched.
    pub rest: Endpoint,
    /// Makes the links of the stream and of the snapshots: one dialler a connection.
    pub dials: [Box<dyn Dial>; 2],
    /// The same for each further connection of the stage.
    pub more_dials: Vec<Box<dyn Dial>>,
    /// How connections are kept.
    pub connection: ConnectionConfig,
    /// Seed of back-off pauses and masks.
    pub seed: u64,
    /// Sees every input first; of several connections, the first one's: a capture is the log of one.
    pub tap: Option<Box<dyn Tap>>,
    /// Measures hops.
    pub watch: W,
}

impl<W: Stopwatch> FeedRole<W> {
    /// A role that connects at its first turn.
    pub fn new(parts: FeedRoleParts<W>) -> FeedRole<W> {
        let [stream_dial, rest_dial] = parts.dials;
        let stream = parts.stage.feed().endpoint();
        let socket = |(number, dial)| {
            let seed = parts.seed.wrapping_add((number as u64 + 1) << 32);
            WsConnection::new(dial, stream.clone(), parts.headers.clone(), parts.connection, seed)
        };
        let sockets: Vec<_> = parts.more_dials.into_iter().enumerate().map(socket).collect();
        let leaving = vec![false; sockets.len() + 1];
        let rest_config = ConnectionConfig { lazy: true, ..parts.connection };
        FeedRole {
            name: parts.name,
            venue: parts.venue,
            ws: WsConnection::new(stream_dial, stream, parts.headers, parts.connection, parts.seed),
            others: Others { sockets, leaving, ..Others::default() },
            rest: HttpConnection::new(rest_dial, parts.rest.clone(), rest_config, !parts.seed),
            rest_endpoint: parts.rest,
            stage: parts.stage,
            fetches: Vec::new(),
            next_token: 0,
            next_tick: Nanos::ZERO,
            tap: parts.tap,
            watch: parts.watch,
            alerts: Vec::new(),
            rehearses: false,
        }
    }

    /// Shows every input to `tap` from now on.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Takes an input that a tap saw, in the place of the role's connections. What the feed wants of them
    /// was done when the input was taken first.
    pub fn replay(&mut self, input: FeedInput<'_>, now: Nanos) {
        self.stage.settle(&self.watch);
        if let Err(error) = self.stage.turn_from(0, input, now, Stamps::default(), &self.watch) {
            self.alerts.push(format!("{}: {error}", self.name));
        }
        if self.stage.wants_something() {
            drop(self.stage.take_wants());
        }
    }

    /// The stage, for reports.
    pub fn stage(&self) -> &FeedStage {
        &self.stage
    }

    /// The stage, to be turned by hand.
    pub fn stage_mut(&mut self) -> &mut FeedStage {
        &mut self.stage
    }

    /// The venue's number.
    pub fn venue(&self) -> VenueId {
        self.venue
    }

    /// What went wrong so far, for people.
    pub fn alerts(&self) -> &[String] {
        &self.alerts
    }

    /// Reads one connection: the only one, unless there are `SEVERAL`.
    fn take_messages<const SEVERAL: bool>(&mut self, connection: usize, now: Nanos) -> bool {
        let mut worked = false;
        for _ in 0..MESSAGES_MAX {
            let before = self.watch.ticks();
            let ws = match connection.checked_sub(1) {
                Some(at) if SEVERAL => match self.others.sockets.get_mut(at) {
                    Some(ws) => ws,
                    None => break,
                },
                _ => &mut self.ws,
            };
            let Some(event) = ws.poll(now) else { break };
            worked = true;
            let mut stamps = Stamps::default();
            let (input, received) = match event {
                WsEvent::Opened => (FeedInput::Opened, now),
                WsEvent::Closed(reason) => {
                    self.alerts.push(format!("{}: {reason}", named(&self.name, SEVERAL, connection)));
                    if SEVERAL {
                        self.others.leaving[connection] = false;
                    }
                    (FeedInput::Closed, now)
                }
                WsEvent::Text(text, arrival) => {
                    stamps = Stamps::begin(before.max(arrival.ticks), arrival.wire_ns);
                    (FeedInput::Text(text), arrival.local)
                }
                WsEvent::Binary(bytes, arrival) => {
                    stamps = Stamps::begin(before.max(arrival.ticks), arrival.wire_ns);
                    (FeedInput::Binary(bytes), arrival.local)
                }
                WsEvent::Unreachable(reason) => {
                    self.alerts.push(format!("{}: {reason}", named(&self.name, SEVERAL, connection)));
                    continue;
                }
                WsEvent::Pong(..) => continue,
            };
            stamps.mark(Hop::Frame, self.watch.ticks());
            if let Some(tap) = self.tap.as_mut().filter(|_| !SEVERAL || connection == 0) {
                tap.feed(self.venue, received, &input);
            }
            let taken = if SEVERAL {
                self.stage.turn_from(connection, input, received, stamps, &self.watch)
            } else {
                self.stage.turn(input, received, stamps, &self.watch)
            };
            if self.rehearses && connection == 0 {
                self.stage.keep(input);
            }
            self.after(connection, taken, now);
        }
        worked
    }

    /// Reads all of several connections.
    fn take_from_all(&mut self, now: Nanos) -> bool {
        let count = self.stage.connections();
        self.others.first = (self.others.first + 1) % count;
        let mut worked = false;
        for at in 0..count {
            worked |= self.take_messages::<true>((self.others.first + at) % count, now);
        }
        for (connection, why, until) in std::mem::take(&mut self.others.renewals) {
            self.renew(connection, why, until, now);
        }
        worked
    }

    /// Closes one of several connections for another one, when that costs no book: of connections
    /// that were opened together, all come to be renewed together.
    fn renew(&mut self, connection: usize, why: &'static str, until: Nanos, now: Nanos) {
        if now < until && !self.stage.can_spare(connection, &self.others.leaving) {
            self.others.renewals.push((connection, why, until));
            return;
        }
        self.reconnect(connection, why);
    }

    fn reconnect(&mut self, connection: usize, why: &'static str) {
        let ws = match connection.checked_sub(1) {
            Some(at) => self.others.sockets.get_mut(at),
            None => Some(&mut self.ws),
        };
        if let Some(ws) = ws {
            self.others.leaving[connection] = ws.is_open();
            self.others.renewals.retain(|(other, ..)| *other != connection);
            ws.reconnect(why);
        }
    }

    fn take_answers(&mut self, now: Nanos) -> bool {
        let mut worked = false;
        while let Some(event) = self.rest.poll(now) {
            worked = true;
            let (token, status, body) = match &event {
                HttpEvent::Response(response, _) => (response.token, response.status, response.body),
                HttpEvent::Failed(unanswered) => (unanswered.token, 0, [].as_slice()),
                HttpEvent::Opened | HttpEvent::Closed(_) | HttpEvent::Unreachable(_) => continue,
            };
            let Some(at) = self.fetches.iter().position(|fetch| fetch.token == token) else { continue };
            let fetch = self.fetches.remove(at);
            let input = FeedInput::Fetched { book: Some(fetch.book), url: &fetch.target, status, body };
            if let Some(tap) = self.tap.as_mut().filter(|_| fetch.connection == 0) {
                tap.feed(self.venue, now, &input);
            }
            let taken = self.stage.turn_from(fetch.connection, input, now, Stamps::default(), &self.watch);
            self.after(fetch.connection, taken, now);
        }
        worked
    }

    /// Does what the feed wants, and leaves a connection that cannot be trusted.
    #[inline]
    fn after(&mut self, connection: usize, taken: Result<(), FeedError>, now: Nanos) {
        if self.stage.wants_something() {
            for (connection, want) in self.stage.take_wants() {
                self.satisfy(connection, want, now);
            }
        }
        if let Err(error) = taken {
            self.alerts
                .push(format!("{}: {error}", named(&self.name, !self.others.sockets.is_empty(), connection)));
            self.reconnect(connection, "a message that cannot be read");
        }
    }

    fn satisfy(&mut self, connection: usize, want: Want, now: Nanos) {
        match want {
            Want::Send(text) => {
                let several = !self.others.sockets.is_empty();
                let ws = match connection.checked_sub(1) {
                    Some(at) => self.others.sockets.get_mut(at),
                    None => Some(&mut self.ws),
                };
                // An unsent subscription is made again when the connection is.
                if let Some(Err(error)) = ws.map(|ws| ws.send_text(&text)) {
                    self.alerts.push(format!("{}: {error}", named(&self.name, several, connection)));
                }
            }
            Want::Fetch { book, target, after } => {
                self.next_token += 1;
                let (token, due) = (self.next_token, now + after);
                self.fetches.push(Fetch { token, connection, book, target, due, asked: false });
            }
            Want::Reconnect(why) => self.renew(connection, why, now + SPARED_WITHIN, now),
        }
    }

    fn ask_what_is_due(&mut self, now: Nanos) {
        let (rest, host) = (&mut self.rest, self.rest_endpoint.host_header());
        for fetch in self.fetches.iter_mut().filter(|fetch| !fetch.asked && fetch.due <= now) {
            let request =
                Request { method: "GET", target: &fetch.target, host: &host, headers: &[], body: &[] };
            // A request that cannot be queued now is due again in the next turn.
            fetch.asked = rest.request(fetch.token, &request, now + Nanos::from_secs(10)).is_ok();
        }
    }
}

/// What a connection is called in alerts.
fn named(role: &str, several: bool, connection: usize) -> String {
    if several { format!("{role} connection {}", connection + 1) } else { role.to_owned() }
}

impl<W: Stopwatch + Send + 'static> Role for FeedRole<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, now: Nanos) -> bool {
        self.stage.settle(&self.watch);
        let mut worked = match self.others.sockets.is_empty() {
            true => self.take_messages::<false>(0, now),
            false => self.take_from_all(now),
        };
        if !self.fetches.is_empty() {
            self.ask_what_is_due(now);
        }
        worked |= self.take_answers(now);
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            for connection in 0..self.stage.connections() {
                if let Some(tap) = self.tap.as_mut().filter(|_| connection == 0) {
                    tap.feed(self.venue, now, &FeedInput::Tick);
                }
                let taken =
                    self.stage.turn_from(connection, FeedInput::Tick, now, Stamps::default(), &self.watch);
                self.after(connection, taken, now);
            }
        }
        worked
    }

    fn rehearse(&mut self, _: Nanos) {
        self.rehearses = true;
        self.stage.rehearse();
    }
}
