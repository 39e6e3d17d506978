//! Orders and the private side of one account, on spot or on futures.
//!
//! Two ways to send orders. Over the WebSocket API: with an Ed25519 key the connection logs on once
//! and an order needs no signature; with an HMAC key each order carries its own. Over REST: each order
//! is a signed request. Cancels and amendments go the way that orders go. Account events come over a
//! second WebSocket API connection, so that reading them never delays an order's answer; questions
//! about orders go over that one too. The key's rights are told by REST alone.
//!
//! Futures differ in three things (`listen`): account events come over a stream under a listen key,
//! which is asked for and kept alive over REST; questions go over REST too; and the account must be in
//! one-way mode, with one position a symbol.
//!
//! Every `now` is the venue's time, as whoever hands it to us estimates it.
//!
//! The gateway is ready once its orders' connection is (logged on, where it logs on) and the
//! subscription to the account's events is confirmed (on futures: their stream open, the mode known).

mod answers;
mod commands;
mod listen;
mod turn;

use serde_json::value::RawValue;

use self::listen::{Listening, Recent};

use super::call::{self, Call};
use super::desk::Desk;
use super::errors::ApiError;
use super::limits;
use super::order::Encoder;
use super::private::{Envelope, Notice, Reader};
use super::sign::Signer;
use super::template::Channel;
use crate::types::{Class, ClientId, Draft, Nanos, Report, VenueRef};
use crate::venue::{
    Budget, Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane,
    LaneSpec, Limited, OrderBytes, PreviewError, Transport, Turns, Unsupported, Urgency,
};

/// When to open the successor of a connection that lives 24 hours.
const PLANNED_LIFE: Nanos = Nanos::from_secs(23 * 3600 + 50 * 60);
/// A request not answered by then is given up. The venue itself answers within ten seconds.
const PATIENCE: Nanos = Nanos::from_secs(15);
/// Most requests waiting for an answer.
const MAX_PENDING: usize = 4_096;

const LOGON: &str = "logon";
const SUBSCRIBE: &str = "subscribe";

/// A gateway to one market.
pub struct BinanceGateway {
    desk: &'static Desk,
    config: GatewayConfig,
    signer: Signer,
    encoder: Encoder,
    reader: Reader,
    channel: Channel,
    orders: Session,
    private: Session,
    streaming: bool,
    listening: Listening,
    recent: Recent,
    was_ready: bool,
    pending: Vec<Pending>,
    next_token: u64,
    turns: Turns<(Call, What)>,
}

/// One WebSocket API connection.
#[derive(Default)]
struct Session {
    opened: Option<Nanos>,
    /// Logged on, or needs no logon.
    usable: bool,
    successor_asked: bool,
}

/// A request without its answer.
struct Pending {
    token: u64,
    lane: Lane,
    asked: Nanos,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Cancel(ClientId),
    Replace { cancel: ClientId, order: ClientId },
    Amend(ClientId),
    CancelAll,
    Query(ClientId),
    OpenOrders,
    Fills,
    Balances,
    Fees,
    Rights,
    ServerTime,
    Positions,
    DeadMan,
    StartStream,
    KeepStream,
    Mode,
}

/// An answer from either transport.
struct Answer<'a> {
    status: u16,
    /// The answer's own text, when it is one of success.
    result: Option<&'a str>,
    error: Option<ApiError>,
    retry_at: Option<Nanos>,
}

impl BinanceGateway {
    /// A gateway; not yet connected.
    ///
    /// # Errors
    /// [`PreviewError::Secret`] when the secret is not one of the venue's.
    pub fn new(desk: &'static Desk, config: &GatewayConfig) -> Result<BinanceGateway, PreviewError> {
        let signer = Signer::new(&config.credentials.secret)?;
        let channel = match config.transport {
            Transport::Rest => Channel::Rest,
            Transport::Ws if signer.can_log_on() => Channel::Session,
            Transport::Ws => Channel::SignedWs,
        };
        let symbols = config.instruments.iter().map(|(_, spec)| (spec.symbol, spec.scale));
        Ok(BinanceGateway {
            encoder: Encoder::new(desk, channel, config, &signer),
            reader: Reader::new(desk.market, symbols),
            desk,
            listening: Listening::default(),
            recent: Recent::new(desk.market),
            config: config.clone(),
            signer,
            channel,
            orders: Session::default(),
            private: Session::default(),
            streaming: false,
            was_ready: false,
            pending: Vec::new(),
            next_token: 1,
            turns: Turns::new(Budget::new(desk.limits, 1)),
        })
    }

    fn key(&self) -> &str {
        &self.config.credentials.key
    }

    fn session(&mut self, lane: Lane) -> Option<&mut Session> {
        match lane {
            Lane::Orders => Some(&mut self.orders),
            Lane::Private => Some(&mut self.private),
            Lane::Rest => None,
        }
    }

    /// True when that connection logs on, so that its requests need no signature.
    fn logs_on(&self, lane: Lane) -> bool {
        let has_api = lane != Lane::Private || self.desk.listen_key.is_none();
        has_api && self.signer.can_log_on() && (lane == Lane::Private || self.channel == Channel::Session)
    }

    fn opened(&mut self, lane: Lane, now: Nanos, out: &mut GatewayOut) {
        let logs_on = self.logs_on(lane);
        self.connected(lane, now);
        if let Some(session) = self.session(lane) {
            *session = Session { opened: Some(now), usable: !logs_on, successor_asked: false };
        }
        match lane {
            Lane::Orders | Lane::Private if logs_on => {
                let text = call::logon(LOGON, self.key(), &self.signer, now);
                out.wants.push(GatewayWant::Send(lane, text));
            }
            // Its path is the subscription.
            Lane::Private if self.desk.listen_key.is_some() => {
                self.streaming = self.listening.has_key();
                if self.streaming {
                    out.reports.push(Report::Streaming);
                }
            }
            Lane::Private => {
                let text = call::subscribe(SUBSCRIBE, false, self.key(), &self.signer, now);
                out.wants.push(GatewayWant::Send(lane, text));
            }
            _ => {}
        }
    }

    fn closed(&mut self, lane: Lane, out: &mut GatewayOut) {
        if let Some(session) = self.session(lane) {
            *session = Session::default();
        }
        if lane == Lane::Private {
            self.streaming = false;
            self.listening.ask_again();
        }
        // Requests over REST tell of their own failure.
        let is_lost = |pending: &mut Pending| pending.lane == lane && lane != Lane::Rest;
        let lost: Vec<What> = self.pending.extract_if(.., is_lost).map(|pending| pending.what).collect();
        for what in lost {
            self.unanswered(what, out);
        }
        self.settle_ready("connection closed", out);
    }

    /// A request that will not be answered.
    fn unanswered(&mut self, what: What, out: &mut GatewayOut) {
        let code = VenueRef::cut("no answer");
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class: Class::Unknown, code });
            }
            What::Replace { cancel, order } => {
                out.reports.push(Report::CancelError { client: cancel, class: Class::Unknown, code });
                out.reports.push(Report::unknown(order, "no answer"));
            }
            What::StartStream | What::KeepStream | What::Mode => self.listening.unanswered(),
            // No news is no information.
            _ => {}
        }
    }

    /// Reports a change of readiness.
    fn settle_ready(&mut self, why: &'static str, out: &mut GatewayOut) {
        let ready = self.ready();
        if ready && !self.was_ready {
            out.reports.push(Report::Ready);
        } else if !ready && self.was_ready {
            out.reports.push(Report::Down(why));
        }
        self.was_ready = ready;
    }

    fn text(&mut self, lane: Lane, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        // A stream's messages are the events themselves, and say so first.
        let streams = lane == Lane::Private && self.desk.listen_key.is_some();
        if streams
            && text.starts_with(br#"{"e":""#)
            && let Ok(event) = std::str::from_utf8(text)
        {
            return self.event(lane, event, now, out);
        }
        let Ok(envelope) = serde_json::from_slice::<Envelope>(text) else {
            out.reports.push(Report::Malformed("cannot read a message of the private side".to_owned()));
            return;
        };
        if let Some(limits) = envelope.rate_limits {
            self.used(limits, now, &mut out.reports);
        }
        let bare = streams.then_some(text).and_then(|text| std::str::from_utf8(text).ok());
        if let Some(event) = envelope.event.map(RawValue::get).or(bare) {
            return self.event(lane, event, now, out);
        }
        let id = envelope.id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        let error = envelope.error.and_then(|error| serde_json::from_str::<ApiError>(error.get()).ok());
        let retry_at = error
            .as_ref()
            .and_then(|error| error.data.as_ref()?.get("retryAfter")?.as_i64())
            .map(Nanos::from_millis);
        let answer = Answer {
            status: envelope.status.unwrap_or(0),
            result: envelope.result.map(RawValue::get).filter(|_| envelope.status == Some(200)),
            error,
            retry_at,
        };
        self.obey(&answer, now);
        match id.as_deref() {
            Some(LOGON) => self.logged_on(lane, &answer, now, out),
            Some(SUBSCRIBE) => self.subscribed(lane, &answer, out),
            Some(id) => {
                match (id.strip_prefix('n').and_then(|n| n.parse().ok()), ClientId::parse(id.as_bytes())) {
                    (Some(token), _) => self.answered(token, &answer, now, out),
                    (None, Some(client)) => self.placed(client, &answer, now, out),
                    (None, None) => {
                        out.reports.push(Report::Malformed("an answer to nothing asked".to_owned()))
                    }
                }
            }
            // Errors without an id concern the session, such as a key that was revoked.
            None => self.session_failed(lane, "the venue ended the session", out),
        }
    }

    fn event(&mut self, lane: Lane, event: &str, now: Nanos, out: &mut GatewayOut) {
        match self.reader.event(event, &mut out.reports) {
            Notice::None => {}
            Notice::StreamEnded => {
                self.streaming = false;
                self.settle_ready("the account's events were ended", out);
                if self.desk.listen_key.is_some() {
                    return self.listening.expired();
                }
                let session = self.logs_on(lane);
                let text = call::subscribe(SUBSCRIBE, session, self.key(), &self.signer, now);
                out.wants.push(GatewayWant::Send(lane, text));
            }
            Notice::Shutdown => self.ask_successor(lane, "the server announced its shutdown", out),
        }
    }

    fn logged_on(&mut self, lane: Lane, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        if answer.result.is_none() {
            return self.session_failed(lane, "the venue refused the logon", out);
        }
        if let Some(session) = self.session(lane) {
            session.usable = true;
        }
        if lane == Lane::Private {
            let text = call::subscribe(SUBSCRIBE, true, self.key(), &self.signer, now);
            out.wants.push(GatewayWant::Send(lane, text));
        }
        self.settle_ready("", out);
    }

    fn subscribed(&mut self, lane: Lane, answer: &Answer<'_>, out: &mut GatewayOut) {
        if answer.result.is_none() {
            return self.session_failed(lane, "the venue refused the account's events", out);
        }
        self.streaming = true;
        out.reports.push(Report::Streaming);
        self.settle_ready("", out);
    }

    fn session_failed(&mut self, lane: Lane, why: &'static str, out: &mut GatewayOut) {
        if let Some(session) = self.session(lane) {
            session.usable = false;
        }
        if lane == Lane::Private {
            self.streaming = false;
        }
        if self.was_ready {
            self.settle_ready(why, out);
        } else {
            out.reports.push(Report::Down(why));
        }
        self.ask_successor(lane, why, out);
    }

    fn ask_successor(&mut self, lane: Lane, why: &'static str, out: &mut GatewayOut) {
        if let Some(session) = self.session(lane)
            && !std::mem::replace(&mut session.successor_asked, true)
        {
            out.wants.push(GatewayWant::Reconnect(lane, why));
        }
    }

    /// Whether the private connection takes requests, and is up.
    fn asks_privately(&self) -> bool {
        self.private.usable && self.desk.listen_key.is_none()
    }

    /// Sends a request by the way that its kind goes.
    fn send_now(&mut self, call: Call, what: What, now: Nanos, out: &mut GatewayOut) {
        let urgent =
            matches!(what, What::Cancel(_) | What::Replace { .. } | What::Amend(_) | What::CancelAll);
        let lane = match self.channel {
            _ if call.ws.is_empty() => Lane::Rest,
            Channel::Session | Channel::SignedWs if urgent => Lane::Orders,
            Channel::Session | Channel::SignedWs if self.asks_privately() => Lane::Private,
            _ => Lane::Rest,
        };
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.remove(0);
            self.unanswered(oldest.what, out);
        }
        let token = self.next_token;
        self.next_token += 1;
        self.pending.push(Pending { token, lane, asked: now, what });
        let window = self.config.window_ms;
        let (key, signer) = (&self.config.credentials.key, &self.signer);
        out.wants.push(match lane {
            Lane::Rest => {
                let request = call.http(key, signer, window, now);
                GatewayWant::Http { token: u128::from(token), request }
            }
            _ => {
                let id = format!("n{token}");
                let session = self.logs_on(lane);
                GatewayWant::Send(lane, call.frame(&id, session, key, signer, window, now))
            }
        });
    }

    fn failed(&mut self, token: u128, sent: bool, out: &mut GatewayOut) {
        match u64::try_from(token) {
            Ok(token) => {
                if let Some(at) = self.pending.iter().position(|pending| pending.token == token) {
                    let what = self.pending.swap_remove(at).what;
                    self.unanswered(what, out);
                }
            }
            Err(_) if sent => out.reports.push(Report::unknown(ClientId::from_bits(token), "no answer")),
            Err(_) => out.reports.push(Report::OrderError {
                client: ClientId::from_bits(token),
                class: Class::Refused,
                code: VenueRef::cut("not sent"),
                retry_at: None,
            }),
        }
    }

    fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.listen(now, out);
        self.take_turns(now, out);
        for lane in [Lane::Orders, Lane::Private] {
            let old = self.session(lane).and_then(|session| session.opened);
            if old.is_some_and(|opened| now - opened >= PLANNED_LIFE) {
                self.ask_successor(lane, "the connection nears its 24 hours", out);
            }
        }
        let given_up: Vec<What> = self
            .pending
            .extract_if(.., |pending| now - pending.asked >= PATIENCE)
            .map(|pending| pending.what)
            .collect();
        for what in given_up {
            self.unanswered(what, out);
        }
    }
}

impl Gateway for BinanceGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let lane = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: Vec::new(),
        };
        let private = match self.desk.listen_key {
            Some(_) => self.listening.endpoint(&self.config.private),
            None => self.config.private.clone(),
        };
        let mut lanes = vec![lane(Lane::Private, &private), lane(Lane::Rest, &self.config.rest)];
        if self.channel != Channel::Rest {
            lanes.insert(0, lane(Lane::Orders, &self.config.orders));
        }
        lanes
    }

    fn form(&self) -> Form {
        match self.channel {
            Channel::Session => Form::Session,
            Channel::Rest | Channel::SignedWs => Form::Signed,
        }
    }

    fn ready(&self) -> bool {
        // An HTTP connection is opened again for the asking; a session is not.
        let account = self.streaming && (self.desk.mode.is_none() || self.listening.one_way);
        account && (self.channel == Channel::Rest || self.orders.usable)
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(lane) => {
                self.opened(lane, now, out);
                self.settle_ready("", out);
            }
            GatewayInput::Closed(lane) => self.closed(lane, out),
            GatewayInput::Text(lane, text) => self.text(lane, text.message(), now, out),
            GatewayInput::Response { token, status, headers, body } => {
                self.response(token, status, headers, body, now, out);
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, out),
            GatewayInput::Tick => self.tick(now, out),
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.channel == Channel::Session && !self.orders.usable {
            return Err(EncodeError::NotReady);
        }
        self.encoder.encode(&self.signer, order, now, out)?;
        self.recent.remember(order);
        Ok(())
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.encoder.begin(order, out)
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.channel != Channel::Session {
            return self.encode(order, now, out);
        }
        if !self.orders.usable {
            return Err(EncodeError::NotReady);
        }
        self.encoder.complete(order, now, out)?;
        self.recent.remember(order);
        Ok(())
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        if self.channel == Channel::Session && out.begun.guessed(order).is_some() {
            // A guess that is there was checked: nothing can fail.
            let _ = self.encoder.complete(order, now, out);
        }
        self.turns.budget.rehearse(&limits::ORDER, 0, now);
    }

    #[inline]
    fn spend(&mut self, _: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        self.turns.budget.spend(&limits::ORDER, urgency, 0, now)
    }

    fn refund(&mut self, _: &Draft, now: Nanos) {
        self.turns.budget.refund(&limits::ORDER, 0, now);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        if let (Command::DeadMan { timeout }, Some(names)) = (command, self.desk.dead_man) {
            self.dead_man(names, *timeout, now, out);
            return Ok(());
        }
        let (call, what) = self.call(command)?;
        self.send(call, what, now, out);
        if let (Command::Balances, Some(names)) = (command, self.desk.positions) {
            self.send(Call::of(names), What::Positions, now, out);
        }
        Ok(())
    }
}
