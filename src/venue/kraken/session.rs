//! The session on the private socket: token, subscriptions, answers, signs of life.

use super::error;
use super::gateway::KrakenGateway;
use super::json::quoted;
use super::order::Socket;
use super::private::{Message, time};
use super::requests::{Asked, Call};
use crate::types::{Class, ClientId, Nanos, Report, VenueRef};
use crate::venue::{GatewayOut, GatewayWant, Transport};

/// A link without a frame for this long is dead.
const STALE: Nanos = Nanos::from_secs(5);
/// Quiet for this long, the venue is asked for a sign of life.
const QUIET: Nanos = Nanos::from_secs(2);
/// First wait before a token is asked for again; it doubles up to the last.
pub(super) const TOKEN_WAIT: (Nanos, Nanos) = (Nanos::from_millis(500), Nanos::from_secs(30));
/// After a lockout every further try prolongs it.
const LOCKOUT: Nanos = Nanos::from_secs(15 * 60);

/// The connection that carries the private stream, and orders where they go over it.
#[derive(Default)]
pub(super) struct Session {
    pub(super) open: bool,
    /// Counts connections: an answer for an older one is of no use.
    pub(super) number: u64,
    pub(super) token: Option<zeroize::Zeroizing<String>>,
    /// The stream's subscription was confirmed.
    pub(super) streaming: bool,
    /// The matching engine takes orders of every kind.
    pub(super) online: bool,
    pub(super) last_frame: Nanos,
    pub(super) last_ping: Nanos,
    /// When to ask for a token (again); `None` = not now.
    pub(super) token_at: Option<Nanos>,
    pub(super) token_wait: Nanos,
    /// How many tokens came so far: orders begun with an earlier one are not sent.
    pub(super) tokens: u32,
    /// The time is to be asked once the connection is open.
    pub(super) time_wanted: bool,
}

impl KrakenGateway {
    pub(super) fn down(&mut self, why: &'static str, out: &mut GatewayOut) {
        self.session.token = None;
        self.session.streaming = false;
        self.session.token_at = None;
        self.sockets.clear();
        self.ring.clear();
        self.stream.restart();
        out.reports.push(Report::Down(why));
    }

    pub(super) fn opened(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.open = true;
        self.session.number += 1;
        self.session.online = true;
        (self.session.last_frame, self.session.last_ping) = (now, now);
        self.ask_token(now, out);
        if std::mem::take(&mut self.session.time_wanted) {
            self.ask_time(now, out);
        }
    }

    pub(super) fn ask_time(&mut self, now: Nanos, out: &mut GatewayOut) {
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
            self.session.tokens = self.session.tokens.wrapping_add(1);
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
                "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"executions\",\"token\":{},\"snap_orders\":true,\"snap_trades\":{missed},\"order_status\":true,\"ratecounter\":true}},\"req_id\":{executions}}}",
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

    pub(super) fn text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
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
            maxratecount: Option<u64>,
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
        if let Some(refusal) = refusal {
            self.obey(refusal, now);
        }
        let method = message.method.as_deref().unwrap_or("");
        let own = outcome.cl_ord_id.as_deref().and_then(|id| ClientId::parse(id.as_bytes()));
        match (method, asked, refusal) {
            ("pong", Asked::Time(asked), _) => {
                out.reports.push(Report::ServerTime { venue: time(message.time_in.as_deref(), at), asked });
            }
            ("pong" | "unsubscribe", ..) => {}
            ("subscribe", Asked::Executions, None) => {
                self.session.streaming = true;
                if let Some(points) = outcome.maxratecount {
                    self.set_tier(points);
                }
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

    pub(super) fn reconnect(&mut self, why: &'static str, out: &mut GatewayOut) {
        self.session.open = false;
        self.down(why, out);
        out.wants.push(GatewayWant::Reconnect(self.lane(), why));
    }

    pub(super) fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
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
}
