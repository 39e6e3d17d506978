//! A venue's private side: its gateway, and the connections that the gateway needs. What the
//! venue's clock shows is between it and [`InVenueTime`].

use super::connection::{ConnectionConfig, HttpConnection, HttpEvent, SendError, WsConnection, WsEvent};
use super::script::Script;
use super::tap::Tap;
use super::venue_time::InVenueTime;
use crate::exec::SendOutcome;
use crate::types::{ClientId, Dial, Endpoint, Nanos, Report, VenueId};
use crate::venue::{Command, Gateway, GatewayInput, GatewayOut, GatewayWant, Lane};
use crate::wire::PaddedBuf;
use crate::wire::http::Request;

/// Events taken from each connection in one turn.
const EVENTS_MAX: usize = 32;

/// How often the venue is asked for its time.
const ASK_TIME: Nanos = Nanos::from_secs(15);

/// Rounds of wishes that one input may lead to.
const ROUNDS_MAX: usize = 4;

/// How often time alone is an input.
const TICK: Nanos = Nanos::from_millis(100);
const PAPER_TICK: Nanos = Nanos::from_millis(1);

/// A gateway with its connections.
pub struct Lanes {
    venue: VenueId,
    name: String,
    gateway: InVenueTime,
    out: GatewayOut,
    sockets: Vec<(Lane, WsConnection)>,
    /// One at most for each lane.
    https: Vec<(Lane, Endpoint, HttpConnection)>,
    next_tick: Nanos,
    next_time: Nanos,
    /// Between two ticks; shorter on paper, where fills come by the tick.
    tick: Nanos,
    now: Nanos,
    paper: PaddedBuf,
    reports: Vec<Report>,
    alerts: Vec<String>,
    tap: Option<Box<dyn Tap>>,
    /// In the place of connections.
    script: Option<Script>,
}

impl Lanes {
    /// Connects at the first poll; `dial` is called once for each lane.
    pub fn new(
        venue: VenueId,
        name: &str,
        gateway: Box<dyn Gateway>,
        dial: &mut dyn FnMut() -> Box<dyn Dial>,
        connection: ConnectionConfig,
        seed: u64,
    ) -> Lanes {
        let (mut sockets, mut https) = (Vec::new(), Vec::new());
        for (number, spec) in gateway.lanes().into_iter().enumerate() {
            let seed = seed.wrapping_add(number as u64);
            if spec.endpoint.websocket {
                let socket = WsConnection::new(dial(), spec.endpoint, spec.headers, connection, seed);
                sockets.push((spec.lane, socket));
            } else {
                let http = HttpConnection::new(dial(), spec.endpoint.clone(), connection, seed);
                https.push((spec.lane, spec.endpoint, http));
            }
        }
        let on_paper = sockets.is_empty() && https.is_empty();
        let tick = if on_paper { PAPER_TICK } else { TICK };
        Lanes {
            venue,
            name: name.to_owned(),
            gateway: InVenueTime::new(gateway),
            out: GatewayOut::default(),
            sockets,
            https,
            next_tick: Nanos::ZERO,
            next_time: Nanos::ZERO,
            tick,
            now: Nanos::ZERO,
            paper: PaddedBuf::default(),
            reports: Vec::new(),
            alerts: Vec::new(),
            tap: None,
            script: None,
        }
    }

    /// The venue's number.
    pub fn venue(&self) -> VenueId {
        self.venue
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The gateway, to encode with.
    pub fn gateway(&mut self) -> &mut dyn Gateway {
        &mut self.gateway
    }

    /// Shows every input to `tap` from now on.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Lets go of the connections: inputs are from now on what [`Lanes::replay`] was told, and what
    /// leaves is shown to the tap and goes nowhere. An account on paper has none, and stays as it is.
    pub fn forget_connections(&mut self) {
        if !self.sockets.is_empty() || !self.https.is_empty() {
            self.sockets.clear();
            self.https.clear();
            self.script = Some(Script::default());
        }
    }

    /// Keeps an input that a tap saw for the next poll, which must be at the time of the one that took
    /// it first.
    pub fn replay(&mut self, input: &GatewayInput<'_>) {
        if let Some(script) = &mut self.script {
            script.keep(input);
        }
    }

    /// What went wrong so far, for people.
    pub fn alerts(&self) -> &[String] {
        &self.alerts
    }

    /// News since the last call, in order.
    pub fn take_reports(&mut self, into: &mut Vec<Report>) {
        into.append(&mut self.reports);
    }

    /// Does what is due on all connections; true when there was anything.
    pub fn poll(&mut self, now: Nanos) -> bool {
        self.now = now;
        let mut worked = self.script.is_some() && self.poll_script(now);
        for index in 0..self.sockets.len() {
            for _ in 0..EVENTS_MAX {
                let Some((lane, socket)) = self.sockets.get_mut(index) else { break };
                let lane = *lane;
                let Some(event) = socket.poll(now) else { break };
                worked = true;
                let input = match event {
                    WsEvent::Opened => GatewayInput::Opened(lane),
                    WsEvent::Text(text, _) => GatewayInput::Text(lane, text),
                    WsEvent::Closed(reason) => {
                        self.alerts.push(format!("{} {lane:?}: {reason}", self.name));
                        GatewayInput::Closed(lane)
                    }
                    WsEvent::Unreachable(reason) => {
                        self.alerts.push(format!("{} {lane:?}: {reason}", self.name));
                        continue;
                    }
                    WsEvent::Binary(..) | WsEvent::Pong(..) => continue,
                };
                if let Some(tap) = &mut self.tap {
                    tap.gateway(self.venue, now, &input);
                }
                self.out.clear();
                self.gateway.on(input, now, &mut self.out);
                self.after(now);
            }
        }
        for index in 0..self.https.len() {
            worked |= self.poll_http(index, now);
        }
        if now >= self.next_time {
            self.next_time = now + ASK_TIME;
            self.command(&Command::ServerTime, now);
        }
        if now >= self.next_tick {
            self.next_tick = now + self.tick;
            self.out.clear();
            self.gateway.on(GatewayInput::Tick, now, &mut self.out);
            self.after(now);
        }
        worked
    }

    #[cold]
    fn poll_script(&mut self, now: Nanos) -> bool {
        let mut worked = false;
        loop {
            let Lanes { script, gateway, out, paper, .. } = self;
            let Some(script) = script else { break };
            let taken = script.next(paper, |input| {
                out.clear();
                gateway.on(input, now, out);
            });
            if !taken {
                break;
            }
            worked = true;
            self.after(now);
        }
        worked
    }

    fn poll_http(&mut self, index: usize, now: Nanos) -> bool {
        let mut worked = false;
        for _ in 0..EVENTS_MAX {
            let Some((lane, _, http)) = self.https.get_mut(index) else { break };
            let lane = *lane;
            let Some(event) = http.poll(now) else { break };
            worked = true;
            let input = match &event {
                HttpEvent::Opened => GatewayInput::Opened(lane),
                HttpEvent::Response(response, _) => GatewayInput::Response {
                    token: response.token,
                    status: response.status,
                    headers: response.headers,
                    body: response.body,
                },
                HttpEvent::Failed(unanswered) => {
                    GatewayInput::Failed { token: unanswered.token, sent: unanswered.sent }
                }
                // What was under way comes as `Failed`, request by request.
                HttpEvent::Closed(reason) | HttpEvent::Unreachable(reason) => {
                    self.alerts.push(format!("{} {lane:?}: {reason}", self.name));
                    GatewayInput::Closed(lane)
                }
            };
            if let Some(tap) = &mut self.tap {
                tap.gateway(self.venue, now, &input);
            }
            self.out.clear();
            self.gateway.on(input, now, &mut self.out);
            self.after(now);
        }
        worked
    }

    /// Starts something that is not a new order.
    pub fn command(&mut self, command: &Command, now: Nanos) {
        self.out.clear();
        // What a venue lacks is no news: whoever asks lives without the answer.
        if self.gateway.command(command, now, &mut self.out).is_ok() {
            self.after(now);
        }
    }

    /// Hands over the bytes of one order.
    pub fn send(&mut self, lane: Lane, client: ClientId, bytes: &[u8], expires: Nanos) -> SendOutcome {
        if let Some(tap) = &mut self.tap {
            tap.sent(self.venue, lane, bytes);
        }
        if self.sockets.is_empty() && self.https.is_empty() {
            return self.keep(lane, client, bytes);
        }
        let sent = match self.sockets.iter_mut().find(|(own, _)| *own == lane) {
            Some((_, socket)) => socket.send_framed(bytes),
            None => match self.https.iter_mut().find(|(own, ..)| *own == lane) {
                Some((.., http)) => http.send(client.bits(), bytes, expires),
                None => Err(SendError::NotOpen),
            },
        };
        let Err(error) = sent else { return SendOutcome::Sent };
        let sent = error.may_have_left();
        if let Some(tap) = &mut self.tap {
            tap.gateway(self.venue, self.now, &GatewayInput::Failed { token: client.bits(), sent });
        }
        if sent { SendOutcome::Unclear } else { SendOutcome::NotSent }
    }

    /// Takes back the bytes of an order that wait for their turn: for the gateway they failed before any
    /// of them left.
    pub fn withdraw(&mut self, client: ClientId, now: Nanos) {
        let token = client.bits();
        if self.https.iter_mut().any(|(.., http)| http.withdraw(token)) {
            let input = GatewayInput::Failed { token, sent: false };
            if let Some(tap) = &mut self.tap {
                tap.gateway(self.venue, now, &input);
            }
            self.out.clear();
            self.gateway.on(input, now, &mut self.out);
            self.after(now);
        }
    }

    /// A gateway without connections trades on paper: its orders come back to it. Or what came of them
    /// is known already.
    fn keep(&mut self, lane: Lane, client: ClientId, bytes: &[u8]) -> SendOutcome {
        if let Some(script) = &mut self.script {
            return match script.ask(client.bits()) {
                None => SendOutcome::Sent,
                Some(true) => SendOutcome::Unclear,
                Some(false) => SendOutcome::NotSent,
            };
        }
        let text = self.paper.fill(bytes);
        self.out.clear();
        self.gateway.on(GatewayInput::Text(lane, text), self.now, &mut self.out);
        SendOutcome::Sent
    }

    /// Does what the gateway wants, and keeps its news.
    fn after(&mut self, now: Nanos) {
        // Doing one thing may fail at once, and that is an input of its own: hence the rounds. Their
        // bound holds a gateway that answers each failure with the same wish.
        let mut wants = std::mem::take(&mut self.out.wants);
        for _ in 0..ROUNDS_MAX {
            self.reports.append(&mut self.out.reports);
            for want in wants.drain(..) {
                match want {
                    GatewayWant::Send(lane, text) => {
                        if let Some((_, socket)) = self.sockets.iter_mut().find(|(own, _)| *own == lane)
                            && let Err(error) = socket.send_text(&text)
                        {
                            self.alerts.push(format!("{} {lane:?}: {error}", self.name));
                        }
                    }
                    GatewayWant::Http { token, request } => {
                        // Questions have a connection of their own wherever orders have one.
                        let failed = if let Some(script) = &mut self.script {
                            script.ask(token)
                        } else {
                            match self.https.iter_mut().find(|(lane, ..)| *lane == Lane::Rest) {
                                Some((_, endpoint, http)) => {
                                    let host = endpoint.host_header();
                                    let headers: Vec<_> = request
                                        .headers
                                        .iter()
                                        .map(|(name, value)| (*name, value.as_str()))
                                        .collect();
                                    let request = Request {
                                        method: request.method,
                                        target: &request.target,
                                        host: &host,
                                        headers: &headers,
                                        body: &request.body,
                                    };
                                    http.request(token, &request, now + Nanos::from_secs(10)).err()
                                }
                                None => Some(SendError::NotOpen),
                            }
                            .map(|error| error.may_have_left())
                        };
                        if let Some(sent) = failed {
                            let input = GatewayInput::Failed { token, sent };
                            if let Some(tap) = &mut self.tap {
                                tap.gateway(self.venue, now, &input);
                            }
                            self.gateway.on(input, now, &mut self.out);
                        }
                    }
                    GatewayWant::Reconnect(lane, why) => {
                        if let Some((.., http)) = self.https.iter_mut().find(|(own, ..)| *own == lane) {
                            http.reconnect(why);
                            continue;
                        }
                        let spec = self.gateway.lanes().into_iter().find(|spec| spec.lane == lane);
                        if let Some((_, socket)) = self.sockets.iter_mut().find(|(own, _)| *own == lane) {
                            if let Some(spec) = spec {
                                socket.aim(spec.endpoint);
                            }
                            socket.reconnect(why);
                        }
                    }
                }
            }
            wants = std::mem::take(&mut self.out.wants);
        }
        self.out.wants = wants;
        self.reports.append(&mut self.out.reports);
    }
}
