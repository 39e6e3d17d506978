//! Kraken's private side: session, orders, account.
//!
//! The venue's rule: a token is got by REST for each new connection and used at once in a private
//! subscription; it then lives as long as that connection. Orders over the socket carry it and
//! need no signature. Orders over REST are signed, and share their nonces with every other call of
//! the key, so all of them go over one connection, in order. Losing the connection cancels
//! nothing: what rests there keeps resting, which is what the dead-man switch is for.

use super::calls;
use super::error;
use super::json::quoted;
use super::order::{self, DEADLINE_MS, Rest, Socket, Stamp};
use super::private::{Message, Stream, time};
use super::requests::{Asked, Call, Calls, Ring};
use super::sign::Signer;
use super::symbol;
use crate::types::{Class, ClientId, Draft, InstrumentId, InstrumentSpec, Nanos, Report, VenueRef};
use crate::venue::{
    Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane,
    LaneSpec, OrderBytes, PreviewError, Transport, Unsupported,
};

const VENUE: &str = "kraken.spot";
/// A link without a frame for this long is dead.
const STALE: Nanos = Nanos::from_secs(5);
/// Quiet for this long, the venue is asked for a sign of life.
const QUIET: Nanos = Nanos::from_secs(2);
/// First wait before a token is asked for again; it doubles up to the last.
const TOKEN_WAIT: (Nanos, Nanos) = (Nanos::from_millis(500), Nanos::from_secs(30));
/// After a lockout every further try prolongs it.
const LOCKOUT: Nanos = Nanos::from_secs(15 * 60);

/// Orders and account of one key.
pub struct KrakenGateway {
    config: GatewayConfig,
    generation: u32,
    window_ms: u32,
    pub(super) calls: Calls,
    pub(super) ring: Ring,
    pub(super) stream: Stream,
    sockets: Vec<Socket>,
    rests: Vec<Rest>,
    stamp: Stamp,
    mask: u64,
    session: Session,
    pub(super) nonces_refused: u32,
}

/// The connection that carries the private stream, and orders where they go over it.
#[derive(Default)]
struct Session {
    open: bool,
    /// Counts connections: an answer for an older one is of no use.
    number: u64,
    token: Option<zeroize::Zeroizing<String>>,
    /// The stream's subscription was confirmed.
    streaming: bool,
    /// The matching engine takes orders of every kind.
    online: bool,
    last_frame: Nanos,
    last_ping: Nanos,
    /// When to ask for a token (again); `None` = not now.
    token_at: Option<Nanos>,
    token_wait: Nanos,
    /// The time is to be asked once the connection is open.
    time_wanted: bool,
}

impl KrakenGateway {
    /// # Errors
    /// When the secret is not what the venue hands out.
    pub fn new(config: &GatewayConfig) -> Result<KrakenGateway, PreviewError> {
        let signer = Signer::new(&config.credentials)?;
        let specs = || config.instruments.iter().map(|(_, spec)| spec);
        let key = config.credentials.key.as_str();
        let rests = specs().map(|spec| {
            Rest::new(spec, &config.rest, key).ok_or_else(|| PreviewError::Value {
                key: "symbol",
                value: spec.symbol.to_string(),
                expected: "a pair such as BTC/USD",
            })
        });
        Ok(KrakenGateway {
            generation: config.credentials.generation,
            window_ms: config.window_ms.clamp(*DEADLINE_MS.start(), *DEADLINE_MS.end()),
            calls: Calls::new(key, signer, config.nonce_from),
            ring: Ring::new(),
            stream: Stream::new(specs().cloned().collect()),
            sockets: Vec::new(),
            rests: rests.collect::<Result<_, _>>()?,
            stamp: Stamp::new(),
            mask: config.mask_seed,
            session: Session { token_wait: TOKEN_WAIT.0, ..Session::default() },
            nonces_refused: 0,
            config: config.clone(),
        })
    }

    /// The lane that carries the private stream.
    fn lane(&self) -> Lane {
        match self.config.transport {
            Transport::Ws => Lane::Orders,
            Transport::Rest => Lane::Private,
        }
    }

    fn place(&self, instrument: InstrumentId) -> Option<usize> {
        self.config.instruments.iter().position(|(id, _)| *id == instrument)
    }

    pub(super) fn spec(&self, place: usize) -> Option<&InstrumentSpec> {
        self.config.instruments.get(place).map(|(_, spec)| spec)
    }

    /// A new masking key for each frame: a counter, well mixed.
    fn next_mask(&mut self) -> [u8; 4] {
        self.mask = self.mask.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.mask ^ (self.mask >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 32) as u32).to_be_bytes()
    }

    fn down(&mut self, why: &'static str, out: &mut GatewayOut) {
        self.session.token = None;
        self.session.streaming = false;
        self.session.token_at = None;
        self.sockets.clear();
        self.ring.clear();
        self.stream.restart();
        out.reports.push(Report::Down(why));
    }

    fn opened(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.open = true;
        self.session.number += 1;
        self.session.online = true;
        (self.session.last_frame, self.session.last_ping) = (now, now);
        self.ask_token(now, out);
        if std::mem::take(&mut self.session.time_wanted) {
            self.ask_time(now, out);
        }
    }

    fn ask_time(&mut self, now: Nanos, out: &mut GatewayOut) {
        let id = self.ring.ask(Asked::Time(now));
        out.wants.push(GatewayWant::Send(self.lane(), format!("{{\"method\":\"ping\",\"req_id\":{id}}}")));
    }

    fn ask_token(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.token_at = None;
        let call = Call::Token(self.session.number);
        self.calls.post("GetWebSocketsToken", String::new(), call, now, &mut out.wants);
    }

    /// A token came: orders are made ready with it, and it is put to use.
    pub(super) fn token(&mut self, session: u64, token: &str, out: &mut GatewayOut) {
        if session != self.session.number || !self.session.open {
            return;
        }
        self.session.token_wait = TOKEN_WAIT.0;
        if self.config.transport == Transport::Ws {
            self.sockets = self.config.instruments.iter().map(|(_, spec)| Socket::new(spec, token)).collect();
        }
        self.session.token = Some(token.to_owned().into());
        self.subscribe(session > 1, out);
    }

    /// No token: later, and much later when the venue is angry.
    pub(super) fn no_token(&mut self, session: u64, class: Class, now: Nanos, out: &mut GatewayOut) {
        if session != self.session.number || !self.session.open {
            return;
        }
        let wait = if class == Class::Halt {
            out.reports.push(Report::Down("the key was refused"));
            LOCKOUT
        } else {
            let wait = self.session.token_wait;
            self.session.token_wait = (wait + wait).min(TOKEN_WAIT.1);
            wait
        };
        self.session.token_at = Some(now + wait);
    }

    /// Subscribes to the private channels. Trades are asked for wherever some may have been missed.
    fn subscribe(&mut self, missed: bool, out: &mut GatewayOut) {
        let Some(token) = &self.session.token else { return };
        let token = zeroize::Zeroizing::new(quoted(token));
        let (executions, balances) = (self.ring.ask(Asked::Executions), self.ring.ask(Asked::Balances));
        let lane = self.lane();
        out.wants.push(GatewayWant::Send(
            lane,
            format!(
                "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"executions\",\"token\":{},\"snap_orders\":true,\"snap_trades\":{missed},\"order_status\":true}},\"req_id\":{executions}}}",
                token.as_str()
            ),
        ));
        out.wants.push(GatewayWant::Send(
            lane,
            format!(
                "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"balances\",\"token\":{},\"snapshot\":true}},\"req_id\":{balances}}}",
                token.as_str()
            ),
        ));
    }

    /// Messages of the stream were lost: what they said comes again with a new subscription.
    fn resubscribe(&mut self, out: &mut GatewayOut) {
        self.session.streaming = false;
        self.stream.restart();
        out.reports.push(Report::Down("the private stream lost messages"));
        let Some(token) = &self.session.token else { return };
        let token = zeroize::Zeroizing::new(quoted(token));
        for channel in ["executions", "balances"] {
            out.wants.push(GatewayWant::Send(
                self.lane(),
                format!(
                    "{{\"method\":\"unsubscribe\",\"params\":{{\"channel\":\"{channel}\",\"token\":{}}}}}",
                    token.as_str()
                ),
            ));
        }
        self.subscribe(true, out);
    }

    fn text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        self.session.last_frame = now;
        let message: Message = match serde_json::from_slice(text) {
            Ok(message) => message,
            Err(error) => {
                let what = format!("private message: line {} column {}", error.line(), error.column());
                return out.reports.push(Report::Malformed(what));
            }
        };
        if let Some(channel) = message.channel.as_deref() {
            // Before the confirmation, what comes is left over from the subscription before.
            let current = self.session.streaming || message.kind.as_deref() == Some("snapshot");
            let followed = match channel {
                "executions" if current => self.stream.on_executions(&message, now, &mut out.reports),
                "balances" if current => self.stream.on_balances(&message, &mut out.reports),
                "status" => {
                    self.status(&message);
                    Ok(())
                }
                _ => Ok(()),
            };
            if followed.is_err() {
                self.resubscribe(out);
            }
        } else if message.method.is_some() {
            self.answer(&message, now, out);
        } else {
            out.reports.push(Report::Malformed("private message: neither channel nor method".to_owned()));
        }
    }

    fn status(&mut self, message: &Message<'_>) {
        #[derive(serde::Deserialize)]
        struct Status<'a> {
            #[serde(borrow)]
            system: std::borrow::Cow<'a, str>,
        }
        let list = message.data.and_then(|data| serde_json::from_str::<Vec<Status>>(data.get()).ok());
        if let Some(status) = list.as_ref().and_then(|list| list.first()) {
            self.session.online = status.system == "online";
        }
    }

    fn answer(&mut self, message: &Message<'_>, now: Nanos, out: &mut GatewayOut) {
        #[derive(serde::Deserialize, Default)]
        struct Outcome<'a> {
            #[serde(borrow)]
            order_id: Option<std::borrow::Cow<'a, str>>,
            #[serde(borrow)]
            cl_ord_id: Option<std::borrow::Cow<'a, str>>,
            count: Option<u64>,
            #[serde(borrow, rename = "triggerTime")]
            trigger_time: Option<std::borrow::Cow<'a, str>>,
        }
        let outcome: Outcome = match message.result.map(|result| serde_json::from_str(result.get())) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) | None => Outcome::default(),
        };
        let at = time(message.time_out.as_deref(), now);
        let asked = message.req_id.map_or(Asked::Nothing, |id| self.ring.find(id));
        let refusal = match message.success {
            Some(false) => Some(message.error.as_deref().unwrap_or("")),
            _ => None,
        };
        let method = message.method.as_deref().unwrap_or("");
        let own = outcome.cl_ord_id.as_deref().and_then(|id| ClientId::parse(id.as_bytes()));
        match (method, asked, refusal) {
            ("pong", Asked::Time(asked), _) => {
                out.reports.push(Report::ServerTime { venue: time(message.time_in.as_deref(), at), asked });
            }
            ("pong" | "unsubscribe", ..) => {}
            ("subscribe", Asked::Executions, None) => {
                self.session.streaming = true;
                out.reports.extend([Report::Streaming, Report::Ready]);
            }
            ("subscribe", _, Some(refusal)) => {
                if error::is_session(refusal) {
                    self.reconnect("the token was refused", out);
                } else {
                    out.reports.push(Report::Malformed(format!("subscription refused: {refusal}")));
                }
            }
            ("subscribe", ..) => {}
            ("add_order", asked, None) => {
                let client = own.or(if let Asked::Order(client) = asked { Some(client) } else { None });
                let id = outcome.order_id.as_deref().and_then(VenueRef::new);
                match (client, id) {
                    (Some(client), Some(venue_ref)) => {
                        self.stream.learn(venue_ref, client);
                        out.reports.push(Report::Accepted { client, venue_ref, at });
                    }
                    _ => {
                        out.reports.push(Report::Malformed("add_order: answer without its order".to_owned()))
                    }
                }
            }
            ("add_order", Asked::Order(client), Some(refusal)) => {
                self.order_error(client, refusal, out);
            }
            ("cancel_order" | "amend_order", Asked::Change(client), Some(refusal)) => {
                let (class, _) = error::classify(refusal);
                out.reports.push(Report::CancelError { client, class, code: error::code(refusal) });
            }
            // What became of it comes over the stream.
            ("cancel_order" | "amend_order", _, None) => {}
            ("cancel_all", _, None) => out.reports.push(Report::CancelledAll { count: outcome.count }),
            ("cancel_all_orders_after", _, None) => {
                let until = outcome.trigger_time.as_deref();
                let until = until.and_then(|text| Nanos::parse_rfc3339(text.as_bytes()).ok());
                out.reports.push(Report::DeadMan { until: until.unwrap_or_default() });
            }
            (method, _, refusal) => {
                let refusal = refusal.unwrap_or("unexpected answer");
                out.reports.push(Report::Malformed(format!("{}: {refusal}", error::code(method))));
            }
        }
    }

    /// An order was answered with an error, over whichever transport.
    pub(super) fn order_error(&mut self, client: ClientId, text: &str, out: &mut GatewayOut) {
        let (mut class, retry_at) = error::classify(text);
        if error::is_nonce(text) {
            // Once may be bad luck; twice in a row, someone else uses this key.
            self.nonces_refused += 1;
            if self.nonces_refused > 1 {
                class = Class::Halt;
            }
        }
        out.reports.push(Report::OrderError { client, class, code: error::code(text), retry_at });
        if error::is_session(text) {
            self.reconnect("the token was refused", out);
        }
    }

    fn reconnect(&mut self, why: &'static str, out: &mut GatewayOut) {
        self.session.open = false;
        self.down(why, out);
        out.wants.push(GatewayWant::Reconnect(self.lane(), why));
    }

    fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
        if !self.session.open {
            return;
        }
        if self.session.token_at.is_some_and(|at| at <= now) {
            self.ask_token(now, out);
        }
        if now - self.session.last_frame > STALE {
            self.reconnect("no frame for five seconds", out);
        } else if now - self.session.last_frame > QUIET && now - self.session.last_ping > QUIET {
            self.session.last_ping = now;
            out.wants.push(GatewayWant::Send(self.lane(), "{\"method\":\"ping\"}".to_owned()));
        }
    }

    /// Sends a request over the socket, unless there is no session, or orders do not go over it.
    fn over_socket(&mut self, method: &str, params: &str, asked: Asked, out: &mut GatewayOut) -> bool {
        if self.config.transport != Transport::Ws || !self.session.streaming {
            return false;
        }
        let Some(token) = &self.session.token else { return false };
        let token = zeroize::Zeroizing::new(quoted(token));
        let id = self.ring.ask(asked);
        let text = format!(
            "{{\"method\":\"{method}\",\"params\":{{{params}\"token\":{}}},\"req_id\":{id}}}",
            token.as_str()
        );
        out.wants.push(GatewayWant::Send(self.lane(), text));
        true
    }

    fn amend(
        &mut self,
        client: ClientId,
        place: usize,
        price: Option<crate::types::Price>,
        qty: crate::types::Qty,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let Some(spec) = self.spec(place) else { return };
        let show = |value| crate::types::Fixed(value, spec.scale).to_string();
        let (qty, price) = (show(qty.0), price.map(|price| show(price.0)));
        let deadline = now + Nanos::from_millis(i64::from(self.window_ms));
        let (uuid, deadline) = (order::uuid(client), deadline.rfc3339(3));
        let limit = price.as_ref().map_or(String::new(), |price| format!("\"limit_price\":{price},"));
        let params =
            format!("\"cl_ord_id\":\"{uuid}\",\"order_qty\":{qty},{limit}\"deadline\":\"{deadline}\",");
        if !self.over_socket("amend_order", &params, Asked::Change(client), out) {
            let limit = price.map_or(String::new(), |price| format!("&limit_price={price}"));
            let deadline = deadline.replace(':', "%3A");
            let form = format!("&cl_ord_id={uuid}&order_qty={qty}{limit}&deadline={deadline}");
            self.calls.post("AmendOrder", form, Call::Change(client), now, &mut out.wants);
        }
    }
}

impl Gateway for KrakenGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let spec = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: vec![],
        };
        match self.config.transport {
            Transport::Ws => {
                vec![spec(Lane::Orders, &self.config.orders), spec(Lane::Rest, &self.config.rest)]
            }
            Transport::Rest => {
                vec![spec(Lane::Private, &self.config.private), spec(Lane::Rest, &self.config.rest)]
            }
        }
    }

    fn form(&self) -> Form {
        match self.config.transport {
            Transport::Ws => Form::Session,
            Transport::Rest => Form::Signed,
        }
    }

    fn ready(&self) -> bool {
        self.session.open && self.session.streaming && self.session.online
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(lane) if lane == self.lane() => self.opened(now, out),
            GatewayInput::Closed(lane) if lane == self.lane() => {
                // After a reconnect of our own making the news is out already.
                if std::mem::take(&mut self.session.open) {
                    self.down("connection closed", out);
                }
            }
            GatewayInput::Text(lane, text) if lane == self.lane() => self.text(text.message(), now, out),
            GatewayInput::Response { token, status, body, .. } => {
                self.response(token, status, body, now, out)
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, now, out),
            GatewayInput::Tick => self.tick(now, out),
            GatewayInput::Opened(_) | GatewayInput::Closed(_) | GatewayInput::Text(..) => {}
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        let place = self.place(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        let (_, spec) = self.config.instruments.get(place).ok_or(EncodeError::UnknownInstrument)?;
        spec.check(order.price, order.qty)?;
        let deadline = *self.stamp.write(now + Nanos::from_millis(i64::from(self.window_ms)));
        match self.config.transport {
            Transport::Ws => {
                let mask = self.next_mask();
                let template = self.sockets.get(place).ok_or(EncodeError::NotReady)?;
                let id = self.ring.ask(Asked::Order(order.client));
                template.encode(order, &deadline, id, mask, out)?;
                out.lane = Lane::Orders;
            }
            Transport::Rest => {
                let template = self.rests.get(place).ok_or(EncodeError::NotReady)?;
                let (nonce, signer) = self.calls.nonce(now).ok_or(EncodeError::NotReady)?;
                template.encode(order, &deadline, nonce, signer, out)?;
                // With every other call of the key: nonces must arrive in order.
                out.lane = Lane::Rest;
            }
        }
        out.expires = order::expires(now, self.window_ms);
        out.client = order.client;
        out.generation = self.generation;
        Ok(())
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let unknown = Unsupported { venue: VENUE, what: "such instrument" };
        let place = |instrument: InstrumentId| self.place(instrument).ok_or(unknown);
        match *command {
            Command::Cancel { client, .. } => {
                let uuid = order::uuid(client);
                let params = format!("\"cl_ord_id\":[\"{uuid}\"],");
                if !self.over_socket("cancel_order", &params, Asked::Change(client), out) {
                    let form = format!("&cl_ord_id={uuid}");
                    self.calls.post("CancelOrder", form, Call::Change(client), now, &mut out.wants);
                }
            }
            Command::Replace { .. } => {
                return Err(Unsupported { venue: VENUE, what: "replacement of an order by another" });
            }
            Command::Amend { client, instrument, price, qty } => {
                let place = place(instrument)?;
                self.amend(client, place, price, qty, now, out);
            }
            // The venue knows no less than the whole account.
            Command::CancelAll { .. } => {
                if !self.over_socket("cancel_all", "", Asked::CancelAll, out) {
                    self.calls.post("CancelAll", String::new(), Call::CancelAll, now, &mut out.wants);
                }
            }
            Command::Query { client, .. } => {
                let form = format!("&cl_ord_id={}", order::uuid(client));
                self.calls.post("OpenOrders", form, Call::QueryOpen(client), now, &mut out.wants);
            }
            Command::OpenOrders => {
                self.calls.post("OpenOrders", String::new(), Call::Open, now, &mut out.wants);
            }
            Command::Fills { instrument, since } => {
                let place = place(instrument)?;
                self.ask_trades(place, since, 0, vec![], now, out);
            }
            Command::Balances => {
                self.calls.post("BalanceEx", String::new(), Call::Balances, now, &mut out.wants);
            }
            Command::Fees { instrument } => {
                let place = place(instrument)?;
                let name = self.spec(place).and_then(|spec| symbol::rest_name(spec.symbol.as_str()));
                let form = format!("&pair={}", name.ok_or(unknown)?);
                self.calls.post("TradeVolume", form, Call::Fees(place), now, &mut out.wants);
            }
            Command::Rights => {
                self.calls.post("GetApiKeyInfo", String::new(), Call::Rights, now, &mut out.wants);
            }
            Command::ServerTime => {
                // Over the socket, which tells microseconds; REST tells whole seconds.
                self.session.time_wanted = !self.session.open;
                if self.session.open {
                    self.ask_time(now, out);
                }
            }
            Command::DeadMan { timeout } => {
                // Whole seconds, rounded up: a switch of half a second must not be one of none.
                let seconds = (timeout.0.max(0) + 999_999_999) / 1_000_000_000;
                let params = format!("\"timeout\":{seconds},");
                if !self.over_socket("cancel_all_orders_after", &params, Asked::DeadMan, out) {
                    let form = format!("&timeout={seconds}");
                    self.calls.post("CancelAllOrdersAfter", form, Call::DeadMan, now, &mut out.wants);
                }
            }
        }
        Ok(())
    }
}

impl KrakenGateway {
    /// The answer to an order that was sent over REST, or to a call.
    fn response(&mut self, token: u128, status: u16, body: &[u8], now: Nanos, out: &mut GatewayOut) {
        if token >= 1 << 64 {
            return self.order_response(ClientId::from_bits(token), status, body, now, out);
        }
        let Some(pending) = self.calls.take(token) else {
            return out.reports.push(Report::Malformed("answer to no call of ours".to_owned()));
        };
        let answer = if status == 200 { serde_json::from_slice::<calls::Answer>(body).ok() } else { None };
        match answer {
            Some(answer) if answer.error.iter().any(|text| text.starts_with('E')) => {
                let text = answer.error.iter().find(|text| text.starts_with('E')).map_or("", |text| text);
                if error::is_nonce(text) && !pending.again {
                    self.nonces_refused += 1;
                    return self.calls.repeat(pending, now, &mut out.wants);
                }
                let (class, _) = error::classify(text);
                self.call_failed(&pending.call, pending.name(), class, text, now, out);
            }
            Some(calls::Answer { result: Some(result), .. }) => {
                self.nonces_refused = 0;
                let name = pending.name();
                if !self.answered(pending.call, result, now, out) {
                    out.reports.push(Report::Malformed(format!("{name}: unreadable answer")));
                }
            }
            _ => {
                let class = if status == 200 { Class::Unknown } else { error::classify_status(status) };
                let text = format!("HTTP {status}");
                self.call_failed(&pending.call, pending.name(), class, &text, now, out);
            }
        }
    }

    fn order_response(
        &mut self,
        client: ClientId,
        status: u16,
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        #[derive(serde::Deserialize)]
        struct Placed<'a> {
            #[serde(borrow)]
            txid: Vec<std::borrow::Cow<'a, str>>,
        }
        let answer = if status == 200 { serde_json::from_slice::<calls::Answer>(body).ok() } else { None };
        let error = answer.as_ref().and_then(|answer| answer.error.iter().find(|text| text.starts_with('E')));
        if let Some(text) = error {
            return self.order_error(client, text, out);
        }
        let placed = answer
            .and_then(|answer| serde_json::from_str::<Placed>(answer.result?.get()).ok())
            .and_then(|placed| VenueRef::new(placed.txid.first()?));
        match placed {
            Some(venue_ref) => {
                self.nonces_refused = 0;
                self.stream.learn(venue_ref, client);
                out.reports.push(Report::Accepted { client, venue_ref, at: now });
            }
            // An answer that cannot be read is no refusal.
            None => out.reports.push(Report::OrderError {
                client,
                class: if status == 200 { Class::Unknown } else { error::classify_status(status) },
                code: error::code(&format!("HTTP {status}")),
                retry_at: None,
            }),
        }
    }

    fn failed(&mut self, token: u128, sent: bool, now: Nanos, out: &mut GatewayOut) {
        let class = if sent { Class::Unknown } else { Class::Refused };
        let text = if sent { "no answer" } else { "not sent" };
        if token >= 1 << 64 {
            let client = ClientId::from_bits(token);
            let code = error::code(text);
            out.reports.push(Report::OrderError { client, class, code, retry_at: None });
        } else if let Some(pending) = self.calls.take(token) {
            self.call_failed(&pending.call, pending.name(), class, text, now, out);
        }
    }
}
