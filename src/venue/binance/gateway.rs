//! Spot orders and the private side of one account.
//!
//! Two ways to send orders. Over the WebSocket API: with an Ed25519 key the connection logs on once
//! and an order needs no signature; with an HMAC key each order carries its own. Over REST: each order
//! is a signed request. Cancels and amendments go the way that orders go. Account events come over a
//! second WebSocket API connection, so that reading them never delays an order's answer; questions
//! about orders go over that one too. The key's rights are told by REST alone.
//!
//! Every `now` is the venue's time, as whoever hands it to us estimates it.
//!
//! The gateway is ready once its orders' connection is (logged on, where it logs on) and the
//! subscription to the account's events is confirmed.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::account;
use super::call::{self, Call};
use super::errors::{self, ApiError, classify, reference};
use super::order::{Channel, Encoder};
use super::private::{Envelope, Notice, Reader, Unreadable, unknown};
use super::sign::Signer;
use crate::types::{Class, ClientId, Draft, InstrumentId, Nanos, Report, VenueRef};
use crate::venue::{
    Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane,
    LaneSpec, OrderBytes, PreviewError, Transport, Unsupported,
};

/// When to open the successor of a connection that lives 24 hours.
const PLANNED_LIFE: Nanos = Nanos::from_secs(23 * 3600 + 50 * 60);
/// A request not answered by then is given up. The venue itself answers within ten seconds.
const PATIENCE: Nanos = Nanos::from_secs(15);
/// How long to stop when the venue throttles us and does not say for how long.
const DEFAULT_PAUSE: Nanos = Nanos::from_secs(10);
/// Most requests waiting for an answer.
const MAX_PENDING: usize = 4_096;

const LOGON: &str = "logon";
const SUBSCRIBE: &str = "subscribe";
const VENUE: &str = "binance.spot";

/// A gateway to spot.
pub struct BinanceGateway {
    config: GatewayConfig,
    signer: Signer,
    encoder: Encoder,
    reader: Reader,
    channel: Channel,
    orders: Session,
    private: Session,
    streaming: bool,
    was_ready: bool,
    pending: Vec<Pending>,
    next_token: u64,
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
    pub fn new(config: &GatewayConfig) -> Result<BinanceGateway, PreviewError> {
        let signer = Signer::new(&config.credentials.secret)?;
        let channel = match config.transport {
            Transport::Rest => Channel::Rest,
            Transport::Ws if signer.can_log_on() => Channel::Session,
            Transport::Ws => Channel::SignedWs,
        };
        let symbols = config.instruments.iter().map(|(_, spec)| (spec.symbol, spec.scale));
        Ok(BinanceGateway {
            encoder: Encoder::new(channel, config, &signer),
            reader: Reader::new(symbols),
            config: config.clone(),
            signer,
            channel,
            orders: Session::default(),
            private: Session::default(),
            streaming: false,
            was_ready: false,
            pending: Vec::new(),
            next_token: 1,
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
        self.signer.can_log_on() && (lane == Lane::Private || self.channel == Channel::Session)
    }

    fn opened(&mut self, lane: Lane, now: Nanos, out: &mut GatewayOut) {
        let logs_on = self.logs_on(lane);
        if let Some(session) = self.session(lane) {
            *session = Session { opened: Some(now), usable: !logs_on, successor_asked: false };
        }
        match lane {
            Lane::Orders | Lane::Private if logs_on => {
                let text = call::logon(LOGON, self.key(), &self.signer, now);
                out.wants.push(GatewayWant::Send(lane, text));
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
        let code = errors::cut("no answer");
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class: Class::Unknown, code });
            }
            What::Replace { cancel, order } => {
                out.reports.push(Report::CancelError { client: cancel, class: Class::Unknown, code });
                out.reports.push(unknown(order, "no answer"));
            }
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
        let Ok(envelope) = serde_json::from_slice::<Envelope>(text) else {
            out.reports.push(Report::Malformed("cannot read a message of the private side".to_owned()));
            return;
        };
        if let Some(limits) = envelope.rate_limits {
            used(limits, &mut out.reports);
        }
        if let Some(event) = envelope.event {
            match self.reader.event(event.get(), &mut out.reports) {
                Notice::None => {}
                Notice::StreamEnded => {
                    self.streaming = false;
                    self.settle_ready("the account's events were ended", out);
                    let session = self.logs_on(lane);
                    let text = call::subscribe(SUBSCRIBE, session, self.key(), &self.signer, now);
                    out.wants.push(GatewayWant::Send(lane, text));
                }
                Notice::Shutdown => self.ask_successor(lane, "the server announced its shutdown", out),
            }
            return;
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

    /// The answer to a new order, by either transport.
    fn placed(&mut self, client: ClientId, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        match (answer.result, &answer.error) {
            (Some(text), _) => {
                let read = self.reader.placed(client, text, &mut out.reports);
                malformed(read, &mut out.reports);
            }
            (None, Some(error)) => self.order_error(client, answer, error, now, out),
            (None, None) => out.reports.push(unknown(client, "unreadable answer")),
        }
    }

    fn order_error(
        &mut self,
        client: ClientId,
        answer: &Answer<'_>,
        error: &ApiError,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let class = classify(answer.status, error.code, &error.msg);
        let retry_at = match class {
            Class::Throttled => Some(answer.retry_at.unwrap_or(now + DEFAULT_PAUSE)),
            _ => answer.retry_at,
        };
        let code = reference(error.code, &error.msg);
        out.reports.push(Report::OrderError { client, class, code, retry_at });
        self.check_time(error, now, out);
    }

    fn answered(&mut self, token: u64, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        let Some(at) = self.pending.iter().position(|pending| pending.token == token) else {
            return; // given up before
        };
        let Pending { asked, what, .. } = self.pending.swap_remove(at);
        if let Some(text) = answer.result {
            let read = self.succeeded(what, text, asked, out);
            if read.is_err() {
                self.unanswered(what, out);
            }
            return malformed(read, &mut out.reports);
        }
        let Some(error) = &answer.error else {
            return self.unanswered(what, out);
        };
        self.check_time(error, now, out);
        let class = classify(answer.status, error.code, &error.msg);
        let code = reference(error.code, &error.msg);
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class, code });
            }
            What::Replace { cancel, order } => self.replace_failed(cancel, order, answer, error, now, out),
            What::Query(client) if error.code == errors::NO_SUCH_ORDER => {
                out.reports.push(Report::NotFound { client });
            }
            // There was nothing to cancel.
            What::CancelAll if error.code == errors::UNKNOWN_ORDER => {
                out.reports.push(Report::CancelledAll { count: Some(0) });
            }
            _ => out.reports.push(Report::Malformed(format!("{what:?} was refused: {code}"))),
        }
    }

    fn succeeded(
        &mut self,
        what: What,
        text: &str,
        asked: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unreadable> {
        let reports = &mut out.reports;
        match what {
            What::Cancel(client) => self.reader.cancelled(client, text, reports),
            What::Amend(client) => self.reader.amended(client, text, reports),
            What::CancelAll => self.reader.cancelled_all(text, reports),
            What::Query(_) => self.reader.status(text, reports),
            What::OpenOrders => self.reader.open_orders(text, reports),
            What::Fills => self.reader.trades(text, reports),
            What::Balances => self.reader.account(text, reports),
            What::Fees => account::fees(text).map(|report| reports.push(report)),
            What::Rights => account::rights(text).map(|report| reports.push(report)),
            What::ServerTime => {
                let venue = account::server_time(text)?;
                reports.push(Report::ServerTime { venue, asked });
                Ok(())
            }
            What::Replace { cancel, order } => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Both<'a> {
                    #[serde(borrow)]
                    cancel_response: &'a RawValue,
                    #[serde(borrow)]
                    new_order_response: &'a RawValue,
                }
                let both: Both = serde_json::from_str(text).map_err(|_| "the answer to a cancel-replace")?;
                let before = reports.len();
                self.reader.cancelled(cancel, both.cancel_response.get(), reports)?;
                let read = self.reader.placed(order, both.new_order_response.get(), reports);
                read.inspect_err(|_| reports.truncate(before))
            }
        }
    }

    /// A cancel-replace of which one or both halves failed: each half has its own result.
    fn replace_failed(
        &mut self,
        cancel: ClientId,
        order: ClientId,
        answer: &Answer<'_>,
        error: &ApiError,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let data = error.data.as_ref();
        let part = |name: &str| data.and_then(|data| data.get(name));
        let result = |name: &str| part(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let half = |name: &str| {
            let text = part(name).map(Value::to_string);
            let error = text.as_deref().and_then(|text| serde_json::from_str::<ApiError>(text).ok());
            (text.unwrap_or_default(), error)
        };
        let (text, failure) = half("cancelResponse");
        let read = match result("cancelResult").as_str() {
            "SUCCESS" => self.reader.cancelled(cancel, &text, &mut out.reports),
            _ => {
                let error = failure.as_ref().unwrap_or(error);
                let class = classify(answer.status, error.code, &error.msg);
                let code = reference(error.code, &error.msg);
                out.reports.push(Report::CancelError { client: cancel, class, code });
                Ok(())
            }
        };
        malformed(read, &mut out.reports);
        let (text, failure) = half("newOrderResponse");
        match (result("newOrderResult").as_str(), failure) {
            ("SUCCESS", _) => {
                let read = self.reader.placed(order, &text, &mut out.reports);
                malformed(read, &mut out.reports);
            }
            ("NOT_ATTEMPTED", _) => {
                let code = reference(error.code, &error.msg);
                let class = Class::Refused;
                out.reports.push(Report::OrderError { client: order, class, code, retry_at: None });
            }
            ("FAILURE", Some(failure)) => self.order_error(order, answer, &failure, now, out),
            // No word on the halves: limits and bad requests fail both, the rest is Unknown.
            _ => self.order_error(order, answer, error, now, out),
        }
    }

    /// Asks for the venue's time when it says that ours is off: whoever hands us `now` goes by the
    /// answer.
    fn check_time(&mut self, error: &ApiError, now: Nanos, out: &mut GatewayOut) {
        let under_way = self.pending.iter().any(|pending| pending.what == What::ServerTime);
        if error.code == errors::BAD_TIME && !under_way {
            let call = Call::new("time", "GET", "/api/v3/time").public();
            self.send(call, What::ServerTime, now, out);
        }
    }

    /// Sends a request by the way that its kind goes.
    fn send(&mut self, call: Call, what: What, now: Nanos, out: &mut GatewayOut) {
        let urgent =
            matches!(what, What::Cancel(_) | What::Replace { .. } | What::Amend(_) | What::CancelAll);
        let lane = match self.channel {
            _ if call.ws.is_empty() => Lane::Rest,
            Channel::Session | Channel::SignedWs if urgent => Lane::Orders,
            Channel::Session | Channel::SignedWs if self.private.usable => Lane::Private,
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

    fn response(
        &mut self,
        token: u128,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        for (name, limit) in [
            ("x-mbx-used-weight-1m", "weight 1m"),
            ("x-mbx-order-count-10s", "orders 10s"),
            ("x-mbx-order-count-1d", "orders 1d"),
        ] {
            if let Some(used) = header(name).and_then(|value| value.parse().ok()) {
                out.reports.push(Report::Used { limit, used });
            }
        }
        let text = std::str::from_utf8(body).ok();
        let retry_after = header("retry-after").and_then(|value| value.parse().ok());
        let answer = Answer {
            status,
            result: text.filter(|_| status == 200),
            error: text.filter(|_| status != 200).and_then(|text| serde_json::from_str(text).ok()),
            retry_at: retry_after.map(|secs: i64| now + Nanos::from_secs(secs)),
        };
        match u64::try_from(token) {
            Ok(token) => self.answered(token, &answer, now, out),
            Err(_) => {
                let client = ClientId::from_bits(token);
                // A limit or ban may be told by the status alone.
                if matches!(status, 418 | 429) && answer.error.is_none() {
                    let error = ApiError { code: -1003, msg: String::new(), data: None };
                    return self.order_error(client, &answer, &error, now, out);
                }
                self.placed(client, &answer, now, out);
            }
        }
    }

    fn failed(&mut self, token: u128, sent: bool, out: &mut GatewayOut) {
        match u64::try_from(token) {
            Ok(token) => {
                if let Some(at) = self.pending.iter().position(|pending| pending.token == token) {
                    let what = self.pending.swap_remove(at).what;
                    self.unanswered(what, out);
                }
            }
            Err(_) if sent => out.reports.push(unknown(ClientId::from_bits(token), "no answer")),
            Err(_) => out.reports.push(Report::OrderError {
                client: ClientId::from_bits(token),
                class: Class::Refused,
                code: errors::cut("not sent"),
                retry_at: None,
            }),
        }
    }

    fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
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

    fn symbol(&self, instrument: InstrumentId, what: &'static str) -> Result<String, Unsupported> {
        let spec = self.encoder.spec(instrument).ok_or(Unsupported { venue: VENUE, what })?;
        Ok(spec.symbol.as_str().to_owned())
    }

    /// Names one order in a call: by the venue's number, which is the faster form, or by ours.
    fn naming(call: Call, prefix: [&'static str; 2], venue_ref: Option<VenueRef>, client: ClientId) -> Call {
        match venue_ref.and_then(|venue_ref| venue_ref.as_str().parse::<u64>().ok()) {
            Some(number) => call.with(prefix[0], number),
            None => call.with(prefix[1], client.to_string()),
        }
    }

    fn replace(&mut self, cancel: ClientId, order: &Draft) -> Result<Call, Unsupported> {
        let what = "cancel-replace of such an order";
        let symbol = self.symbol(order.instrument, what)?;
        let params = self.encoder.params(order).ok_or(Unsupported { venue: VENUE, what })?;
        let mut call = Call::new("order.cancelReplace", "POST", "/api/v3/order/cancelReplace")
            .with("symbol", symbol)
            .with("cancelReplaceMode", "STOP_ON_FAILURE")
            .with("cancelOrigClientOrderId", cancel.to_string());
        for (name, value) in params {
            call = call.with(name, value);
        }
        Ok(call.with("newClientOrderId", order.client.to_string()))
    }
}

impl Gateway for BinanceGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let lane = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: Vec::new(),
        };
        let mut lanes = vec![lane(Lane::Private, &self.config.private), lane(Lane::Rest, &self.config.rest)];
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
        self.streaming && (self.channel == Channel::Rest || self.orders.usable)
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
        self.encoder.encode(&self.signer, order, now, out)
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let (call, what) = match command {
            Command::Cancel { client, venue_ref, instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                let call = Call::new("order.cancel", "DELETE", "/api/v3/order").with("symbol", symbol);
                let names = ["orderId", "origClientOrderId"];
                (Self::naming(call, names, *venue_ref, *client), What::Cancel(*client))
            }
            Command::Replace { cancel, order } => {
                (self.replace(*cancel, order)?, What::Replace { cancel: *cancel, order: order.client })
            }
            Command::Amend { price: Some(_), .. } => {
                return Err(Unsupported { venue: VENUE, what: "amendment of the price" });
            }
            Command::Amend { client, instrument, price: None, qty } => {
                let what = "amendment of an unknown instrument";
                let symbol = self.symbol(*instrument, what)?;
                let qty =
                    self.encoder.qty_text(*instrument, *qty).ok_or(Unsupported { venue: VENUE, what })?;
                let call = Call::new("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority")
                    .with("symbol", symbol)
                    .with("origClientOrderId", client.to_string())
                    .with("newQty", qty)
                    // Without it the venue makes one up.
                    .with("newClientOrderId", client.to_string());
                (call, What::Amend(*client))
            }
            Command::CancelAll { instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                let call = Call::new("openOrders.cancelAll", "DELETE", "/api/v3/openOrders");
                (call.with("symbol", symbol), What::CancelAll)
            }
            Command::Query { client, instrument } => {
                let symbol = self.symbol(*instrument, "query of an unknown instrument")?;
                let call = Call::new("order.status", "GET", "/api/v3/order").with("symbol", symbol);
                (call.with("origClientOrderId", client.to_string()), What::Query(*client))
            }
            Command::OpenOrders => {
                (Call::new("openOrders.status", "GET", "/api/v3/openOrders"), What::OpenOrders)
            }
            Command::Fills { instrument, since } => {
                let symbol = self.symbol(*instrument, "trade list of an unknown instrument")?;
                let start = since.millis().max(0);
                let call = Call::new("myTrades", "GET", "/api/v3/myTrades").with("symbol", symbol);
                (call.with("startTime", start).with("limit", 1_000), What::Fills)
            }
            Command::Balances => {
                let call = Call::new("account.status", "GET", "/api/v3/account");
                (call.with("omitZeroBalances", true), What::Balances)
            }
            Command::Fees { instrument } => {
                let symbol = self.symbol(*instrument, "commission of an unknown instrument")?;
                let call = Call::new("account.commission", "GET", "/api/v3/account/commission");
                (call.with("symbol", symbol), What::Fees)
            }
            Command::Rights => (Call::new("", "GET", "/sapi/v1/account/apiRestrictions"), What::Rights),
            Command::ServerTime => (Call::new("time", "GET", "/api/v3/time").public(), What::ServerTime),
            Command::DeadMan { .. } => {
                return Err(Unsupported { venue: VENUE, what: "dead-man switch" });
            }
        };
        self.send(call, what, now, out);
        Ok(())
    }
}

fn malformed(read: Result<(), Unreadable>, reports: &mut Vec<Report>) {
    if let Err(what) = read {
        reports.push(Report::Malformed(format!("cannot read {what}")));
    }
}

/// `rateLimits` of a WebSocket answer.
fn used(limits: &RawValue, reports: &mut Vec<Report>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Limit {
        rate_limit_type: String,
        interval: String,
        interval_num: u32,
        count: u64,
    }
    for limit in serde_json::from_str::<Vec<Limit>>(limits.get()).unwrap_or_default() {
        let name = match (&*limit.rate_limit_type, &*limit.interval, limit.interval_num) {
            ("REQUEST_WEIGHT", "MINUTE", 1) => "weight 1m",
            ("ORDERS", "SECOND", 10) => "orders 10s",
            ("ORDERS", "DAY", 1) => "orders 1d",
            _ => continue,
        };
        reports.push(Report::Used { limit: name, used: limit.count });
    }
}
