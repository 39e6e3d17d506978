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
    book: BookId,
    target: String,
    due: Nanos,
    asked: bool,
}

/// A venue's public side: one WebSocket, one HTTP connection for snapshots, one stage.
pub struct FeedRole<W> {
    name: String,
    venue: VenueId,
    ws: WsConnection,
    rest: HttpConnection,
    rest_endpoint: Endpoint,
    stage: FeedStage,
    fetches: Vec<Fetch>,
    next_token: u128,
    next_tick: Nanos,
    tap: Option<Box<dyn Tap>>,
    watch: W,
    alerts: Vec<String>,
}

/// What a feed role is made from.
pub struct FeedRoleParts<W> {
    /// Its name in reports.
    pub name: String,
    /// The venue's number.
    pub venue: VenueId,
    /// The stage.
    pub stage: FeedStage,
    /// Where snapshots are fetched.
    pub rest: Endpoint,
    /// Makes the links: one dialler a connection.
    pub dials: [Box<dyn Dial>; 2],
    /// How connections are kept.
    pub connection: ConnectionConfig,
    /// Seed of back-off pauses and masks.
    pub seed: u64,
    /// Sees every input first.
    pub tap: Option<Box<dyn Tap>>,
    /// Measures hops.
    pub watch: W,
}

impl<W: Stopwatch> FeedRole<W> {
    /// A role that connects at its first turn.
    pub fn new(parts: FeedRoleParts<W>) -> FeedRole<W> {
        let [stream_dial, rest_dial] = parts.dials;
        let stream = parts.stage.feed().endpoint();
        let rest_config = ConnectionConfig { lazy: true, ..parts.connection };
        FeedRole {
            name: parts.name,
            venue: parts.venue,
            ws: WsConnection::new(stream_dial, stream, Vec::new(), parts.connection, parts.seed),
            rest: HttpConnection::new(rest_dial, parts.rest.clone(), rest_config, !parts.seed),
            rest_endpoint: parts.rest,
            stage: parts.stage,
            fetches: Vec::new(),
            next_token: 0,
            next_tick: Nanos::ZERO,
            tap: parts.tap,
            watch: parts.watch,
            alerts: Vec::new(),
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

    fn take_messages(&mut self, now: Nanos) -> bool {
        let mut worked = false;
        for _ in 0..MESSAGES_MAX {
            let before = self.watch.ticks();
            let Some(event) = self.ws.poll(now) else { break };
            worked = true;
            let mut stamps = Stamps::default();
            let (input, received) = match event {
                WsEvent::Opened => (FeedInput::Opened, now),
                WsEvent::Closed(reason) => {
                    self.alerts.push(format!("{}: {reason}", self.name));
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
                    self.alerts.push(format!("{}: {reason}", self.name));
                    continue;
                }
                WsEvent::Pong(..) => continue,
            };
            stamps.mark(Hop::Frame, self.watch.ticks());
            if let Some(tap) = &mut self.tap {
                tap.feed(self.venue, received, &input);
            }
            let taken = self.stage.turn(input, received, stamps, &self.watch);
            self.after(taken, now);
        }
        worked
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
            if let Some(tap) = &mut self.tap {
                tap.feed(self.venue, now, &input);
            }
            let taken = self.stage.turn(input, now, Stamps::default(), &self.watch);
            self.after(taken, now);
        }
        worked
    }

    /// Does what the feed wants, and leaves a connection that cannot be trusted.
    fn after(&mut self, taken: Result<(), FeedError>, now: Nanos) {
        for want in self.stage.wants() {
            match want {
                Want::Send(text) => {
                    // An unsent subscription is made again when the connection is.
                    if let Err(error) = self.ws.send_text(&text) {
                        self.alerts.push(format!("{}: {error}", self.name));
                    }
                }
                Want::Fetch { book, target, after } => {
                    self.next_token += 1;
                    let due = now + after;
                    self.fetches.push(Fetch { token: self.next_token, book, target, due, asked: false });
                }
                Want::Reconnect(why) => self.ws.reconnect(why),
            }
        }
        if let Err(error) = taken {
            self.alerts.push(format!("{}: {error}", self.name));
            self.ws.reconnect("a message that cannot be read");
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

impl<W: Stopwatch + Send + 'static> Role for FeedRole<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self, now: Nanos) -> bool {
        self.stage.settle(&self.watch);
        let mut worked = self.take_messages(now);
        if !self.fetches.is_empty() {
            self.ask_what_is_due(now);
        }
        worked |= self.take_answers(now);
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            if let Some(tap) = &mut self.tap {
                tap.feed(self.venue, now, &FeedInput::Tick);
            }
            let taken = self.stage.turn(FeedInput::Tick, now, Stamps::default(), &self.watch);
            self.after(taken, now);
        }
        worked
    }
}
