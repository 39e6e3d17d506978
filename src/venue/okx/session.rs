//! The session on the private socket: login, subscriptions, answers, signs of life.

use super::error::{self, classify, is_clock};
use super::gateway::OkxGateway;
use super::limits;
use super::private::{Envelope, Message, balances, malformed};
use super::requests::Call;
use super::sign;
use crate::types::{Class, ClientId, Nanos, Report, VenueRef};
use crate::venue::{GatewayOut, GatewayWant, Transport};

/// A link without a frame for this long is dead; the venue itself closes one after thirty seconds.
const STALE: Nanos = Nanos::from_secs(10);
/// Quiet for this long, the venue is asked for a sign of life.
const QUIET: Nanos = Nanos::from_secs(3);
/// First wait before a login or a question is tried again; it doubles up to the last.
const WAIT: (Nanos, Nanos) = (Nanos::from_millis(500), Nanos::from_secs(30));
/// After the key was refused every further try makes it worse.
const LOCKOUT: Nanos = Nanos::from_secs(15 * 60);
/// When to go on after a rate limit: its windows are two seconds long.
const THROTTLED: Nanos = Nanos::from_secs(2);

/// Ids of the subscriptions' requests.
const ORDERS: &str = "subOrders";
const ACCOUNT: &str = "subAccount";
const POSITIONS: &str = "subPositions";

/// The connection that carries the account's events, and orders where they go over it.
#[derive(Default)]
pub(super) struct Session {
    pub(super) open: bool,
    pub(super) logged_in: bool,
    /// The subscription to orders was confirmed.
    pub(super) streaming: bool,
    /// The instruments' numbers are known.
    pub(super) numbered: bool,
    was_ready: bool,
    last_frame: Nanos,
    last_ping: Nanos,
    /// When to log in (again); `None` = not now.
    login_at: Option<Nanos>,
    /// When to ask for the instruments (again).
    numbers_at: Option<Nanos>,
    login_wait: Nanos,
    numbers_wait: Nanos,
}

impl OkxGateway {
    pub(super) fn opened(&mut self, now: Nanos, out: &mut GatewayOut) {
        let session = &mut self.session;
        (session.open, session.logged_in, session.streaming, session.numbered) = (true, false, false, false);
        (session.last_frame, session.last_ping) = (now, now);
        // After a lockout a new connection waits like the one before.
        if session.login_at.is_none_or(|at| at <= now) {
            self.log_in(now, out);
        }
        self.ask_instruments(now, out);
    }

    pub(super) fn closed(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.open = false;
        (self.session.logged_in, self.session.streaming) = (false, false);
        self.calls.session = None;
        for call in self.calls.unanswered(true, now) {
            self.unanswered(call, out);
        }
        self.settle_ready("connection closed", out);
    }

    fn log_in(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.login_at = None;
        let text = sign::login(&self.config.credentials, self.calls.signer(), now);
        out.wants.push(GatewayWant::Send(self.lane(), text));
    }

    pub(super) fn ask_instruments(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session.numbers_at = None;
        if !self.calls.is_under_way(&Call::Instruments) {
            let target = format!("/api/v5/account/instruments?instType={}", self.market.kind());
            self.calls.get(target, Call::Instruments, now, &mut out.wants);
        }
    }

    pub(super) fn ask_time(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.calls.get_public("/api/v5/public/time", Call::ServerTime, now, &mut out.wants);
    }

    /// The list of instruments did not come: again, after a while.
    pub(super) fn no_instruments(&mut self, now: Nanos) {
        let wait = self.session.numbers_wait.max(WAIT.0);
        self.session.numbers_wait = (wait + wait).min(WAIT.1);
        self.session.numbers_at = Some(now + wait);
    }

    pub(super) fn instruments_known(&mut self, out: &mut GatewayOut) {
        self.session.numbers_wait = WAIT.0;
        self.session.numbered = true;
        self.settle_ready("", out);
    }

    /// Reports a change of readiness.
    pub(super) fn settle_ready(&mut self, why: &'static str, out: &mut GatewayOut) {
        use crate::venue::Gateway;
        let ready = self.ready();
        match (ready, std::mem::replace(&mut self.session.was_ready, ready)) {
            (true, false) => out.reports.push(Report::Ready),
            (false, true) => out.reports.push(Report::Down(why)),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        self.session.last_frame = now;
        if text == b"pong" {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message>(text) else {
            return out.reports.push(malformed("a message of the private side"));
        };
        if let Some(event) = message.event.as_deref() {
            let event = event.to_owned();
            self.event(&event, message, now, out);
        } else if message.op.is_some() {
            self.answer(message, now, out);
        } else if let (Some(arg), Some(data)) = (&message.arg, message.data) {
            match &*arg.channel {
                "orders" => self.reader.orders(data, &mut out.reports),
                "account" => {
                    if let Err(what) = balances(data, self.is_spot(), &mut out.reports) {
                        out.reports.push(malformed(what));
                    }
                }
                "positions" => {
                    if let Err(what) = self.reader.positions(data, &mut out.reports) {
                        out.reports.push(malformed(what));
                    }
                }
                _ => {}
            }
        } else {
            out.reports.push(malformed("a message of the private side: what it is"));
        }
    }

    fn event(&mut self, event: &str, message: Message<'_>, now: Nanos, out: &mut GatewayOut) {
        let id = message.id.clone();
        let channel = message.arg.as_ref().map(|arg| &arg.channel).or(message.channel.as_ref()).cloned();
        let fault = message.envelope().fault();
        match (event, id.as_deref(), channel.as_deref()) {
            ("login", ..) => match fault {
                None => self.logged_in(out),
                Some(fault) => self.login_failed(fault.code, now, out),
            },
            ("subscribe", _, Some("orders")) if self.session.logged_in => {
                self.session.streaming = true;
                out.reports.push(Report::Streaming);
                self.settle_ready("", out);
                // The stream starts without what is open already.
                self.ask_open(0, Vec::new(), None, now, out);
            }
            ("error", Some(ORDERS), _) => self.restart("the subscription to orders was refused", out),
            ("error", Some(ACCOUNT | POSITIONS), _) => {
                let what = fault.map_or(VenueRef::EMPTY, |fault| fault.text);
                out.reports.push(Report::Malformed(format!("subscription refused: {what}")));
            }
            ("error", ..) if !self.session.logged_in => {
                self.login_failed(fault.map_or(0, |fault| fault.code), now, out);
            }
            ("error", ..) => {
                let what = fault.map_or(VenueRef::EMPTY, |fault| fault.text);
                out.reports.push(Report::Malformed(format!("error of the session: {what}")));
            }
            ("channel-conn-count-error", _, Some("orders")) => {
                self.restart("too many connections with this subscription", out);
            }
            // Sent a minute before the venue closes the connection.
            ("notice", ..) => self.restart("the venue announced an upgrade", out),
            _ => {}
        }
    }

    fn logged_in(&mut self, out: &mut GatewayOut) {
        self.session.logged_in = true;
        self.calls.session = Some(self.lane());
        self.session.login_wait = WAIT.0;
        let of_kind =
            |channel| format!("{{\"channel\":\"{channel}\",\"instType\":\"{}\"}}", self.market.kind());
        let account = "{\"channel\":\"account\"}".to_owned();
        let mut subscriptions = vec![(ORDERS, of_kind("orders")), (ACCOUNT, account)];
        if !self.is_spot() {
            subscriptions.push((POSITIONS, of_kind("positions")));
        }
        for (id, arg) in subscriptions {
            let text = format!("{{\"id\":\"{id}\",\"op\":\"subscribe\",\"args\":[{arg}]}}");
            out.wants.push(GatewayWant::Send(self.lane(), text));
        }
    }

    /// Not logged in: later, and much later when the key is no good.
    fn login_failed(&mut self, code: u32, now: Nanos, out: &mut GatewayOut) {
        if is_clock(code) {
            self.check_clock(code, now, out);
        }
        self.session.login_at = Some(if classify(code) == Class::Halt {
            out.reports.push(Report::Down("the key was refused"));
            now + LOCKOUT
        } else {
            let wait = self.session.login_wait.max(WAIT.0);
            self.session.login_wait = (wait + wait).min(WAIT.1);
            now + wait
        });
    }

    /// A new connection, because this one is of no more use.
    fn restart(&mut self, why: &'static str, out: &mut GatewayOut) {
        (self.session.logged_in, self.session.streaming, self.session.open) = (false, false, false);
        self.calls.session = None;
        self.settle_ready(why, out);
        out.wants.push(GatewayWant::Reconnect(self.lane(), why));
    }

    /// The answer to a request over the session.
    fn answer(&mut self, message: Message<'_>, now: Nanos, out: &mut GatewayOut) {
        let id = message.id.clone().unwrap_or_default();
        let is_order = message.op.as_deref() == Some("order");
        let envelope = message.envelope();
        let token = id.strip_prefix('n').and_then(|digits| digits.parse().ok());
        match (token.and_then(|token| self.calls.take(token)), ClientId::parse(id.as_bytes())) {
            (Some((call, asked)), _) => self.answered(call, &envelope, 200, asked, now, out),
            (None, Some(client)) if is_order => self.placed(client, &envelope, 200, now, out),
            _ => out.reports.push(malformed("an answer: to what")),
        }
    }

    /// The answer to a new order, by either transport.
    pub(super) fn placed(
        &mut self,
        client: ClientId,
        envelope: &Envelope<'_>,
        status: u16,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let ack = match envelope.single() {
            Ok(ack) => ack,
            Err(fault) => return self.order_error(client, status, fault.code, fault.text, now, out),
        };
        let own = ClientId::parse(ack.cl_ord_id.as_bytes());
        match VenueRef::new(&ack.ord_id).filter(|id| !id.is_empty() && own == Some(client) && status < 300) {
            Some(venue_ref) => {
                let at = super::private::millis(&ack.ts).unwrap_or(now);
                out.reports.push(Report::Accepted { client, venue_ref, at });
            }
            // An answer that cannot be read is no refusal.
            None => out.reports.push(Report::unknown(client, "unreadable answer")),
        }
    }

    /// An order was answered with an error, over whichever transport.
    pub(super) fn order_error(
        &mut self,
        client: ClientId,
        status: u16,
        code: u32,
        text: VenueRef,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let class = error::classify_http(status, code);
        let retry_at = (class == Class::Throttled).then(|| now + THROTTLED);
        if code == error::SUB_ACCOUNT_LIMIT {
            self.calls.turns.budget.block(limits::SUB_ACCOUNT, 0, now + THROTTLED);
        }
        out.reports.push(Report::OrderError { client, class, code: text, retry_at });
        self.check_clock(code, now, out);
        match code {
            error::NO_SUCH_INSTRUMENT => self.ask_instruments(now, out),
            60_011 if self.config.transport == Transport::Ws => {
                self.restart("the session is not logged in", out)
            }
            _ => {}
        }
    }

    /// Asks for the venue's time when it says that ours is off: whoever hands us `now` goes by the
    /// answer.
    pub(super) fn check_clock(&mut self, code: u32, now: Nanos, out: &mut GatewayOut) {
        if is_clock(code) && !self.calls.is_under_way(&Call::ServerTime) {
            self.ask_time(now, out);
        }
    }

    pub(super) fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.calls.take_turns(now, &mut out.wants);
        for call in self.calls.unanswered(false, now) {
            self.unanswered(call, out);
        }
        if !self.session.open {
            return;
        }
        if now - self.session.last_frame > STALE {
            return self.restart("no frame for ten seconds", out);
        }
        if self.session.login_at.is_some_and(|at| at <= now) && !self.session.logged_in {
            self.log_in(now, out);
        }
        if self.session.numbers_at.is_some_and(|at| at <= now) {
            self.ask_instruments(now, out);
        }
        if now - self.session.last_frame > QUIET && now - self.session.last_ping > QUIET {
            self.session.last_ping = now;
            out.wants.push(GatewayWant::Send(self.lane(), "ping".to_owned()));
        }
    }
}
