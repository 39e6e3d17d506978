//! The two sessions: login, subscriptions, signs of life, and what their messages are about.

use super::super::errors;
use super::super::private::{Envelope, Limits, malformed, millis};
use super::super::sign;
use super::{Answer, BybitGateway, Switch, limits, turn};
use crate::types::{Class, ClientId, Nanos, Report};
use crate::venue::bybit::symbol::Market;
use crate::venue::{GatewayOut, GatewayWant, Lane};

/// How often a session is pinged, as the venue asks for.
const PING: Nanos = Nanos::from_secs(20);
/// A session that says nothing for so long after a ping is dead; a login that is not answered, too.
const SILENCE: Nanos = Nanos::from_secs(10);
/// How long a login is good for: it must arrive by then.
const LOGIN_LIFE: Nanos = Nanos::from_secs(10);

/// One WebSocket session.
#[derive(Default)]
pub struct Session {
    pub opened: Option<Nanos>,
    /// Logged in.
    pub usable: bool,
    /// Subscriptions not confirmed yet.
    unconfirmed: u32,
    successor_asked: bool,
    heard: Nanos,
    pinged: Nanos,
}

impl BybitGateway {
    fn session(&mut self, lane: Lane) -> Option<&mut Session> {
        match lane {
            Lane::Orders => Some(&mut self.orders),
            Lane::Private => Some(&mut self.private),
            Lane::Rest => None,
        }
    }

    pub(super) fn opened(&mut self, lane: Lane, now: Nanos, out: &mut GatewayOut) {
        let Some(session) = self.session(lane) else { return };
        *session = Session { opened: Some(now), heard: now, pinged: now, ..Session::default() };
        let expires = (now + LOGIN_LIFE).millis();
        let text = sign::login(&self.config.credentials.key, &self.signer, expires);
        out.wants.push(GatewayWant::Send(lane, text));
    }

    pub(super) fn closed(&mut self, lane: Lane, out: &mut GatewayOut) {
        if let Some(session) = self.session(lane) {
            *session = Session::default();
        }
        if lane == Lane::Private {
            self.streaming = false;
        }
        // Requests over REST tell of their own failure.
        self.give_up(|pending| pending.lane == lane && lane != Lane::Rest, out);
        self.settle_ready("connection closed", out);
    }

    pub(super) fn text(&mut self, lane: Lane, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        if let Some(session) = self.session(lane) {
            session.heard = now;
        }
        let Ok(envelope) = serde_json::from_slice::<Envelope>(text) else {
            return malformed("a message of the private side", &mut out.reports);
        };
        if let Some(topic) = envelope.topic.as_deref() {
            return match envelope.data {
                // The switch's own topic carries nothing.
                _ if topic.starts_with("dcp") => {}
                Some(data) => self.reader.event(topic, data.get(), &mut out.reports),
                None => malformed("an event without its list", &mut out.reports),
            };
        }
        let granted = envelope.success == Some(true) || envelope.code == Some(0);
        match envelope.op.as_deref() {
            Some("auth") => self.logged_in(lane, granted, out),
            Some("subscribe") => self.subscribed(granted, envelope.req_id.as_deref(), out),
            Some("ping" | "pong") => {}
            Some(op) if op.starts_with("order.") => self.acknowledged(lane, &envelope, now, out),
            // Answers that name nothing concern the session.
            _ if !granted && (envelope.code.is_some() || envelope.success.is_some()) => {
                self.session_failed(lane, "the venue ended the session", out);
            }
            _ => malformed("a message of the private side: neither news nor answer", &mut out.reports),
        }
    }

    fn logged_in(&mut self, lane: Lane, granted: bool, out: &mut GatewayOut) {
        if !granted {
            return self.session_failed(lane, "the venue refused the login", out);
        }
        if let Some(session) = self.session(lane) {
            session.usable = true;
        }
        if lane == Lane::Private {
            self.subscribe(out);
        }
        self.settle_ready("", out);
    }

    /// Subscribes to this market's orders, fills and positions; and, in a request of its own because the two
    /// kinds of topic must not be mixed, to the wallet that all markets share.
    fn subscribe(&mut self, out: &mut GatewayOut) {
        let category = self.market.category();
        self.private.unconfirmed = 2;
        let mut own = format!(r#""order.{category}","execution.{category}""#);
        if self.market != Market::Spot {
            own.push_str(&format!(r#","position.{category}""#));
        }
        for args in [own, r#""wallet""#.to_owned()] {
            let text = format!(r#"{{"req_id":"topics","op":"subscribe","args":[{args}]}}"#);
            out.wants.push(GatewayWant::Send(Lane::Private, text));
        }
        if matches!(self.switch, Switch::Set(_)) {
            self.subscribe_switch(out);
        }
    }

    /// The switch watches connections that subscribed to its topic.
    pub(super) fn subscribe_switch(&mut self, out: &mut GatewayOut) {
        let product = if self.market == Market::Spot { "spot" } else { "future" };
        let text = format!(r#"{{"req_id":"switch","op":"subscribe","args":["dcp.{product}"]}}"#);
        out.wants.push(GatewayWant::Send(Lane::Private, text));
    }

    fn subscribed(&mut self, granted: bool, id: Option<&str>, out: &mut GatewayOut) {
        // Answers may come without the request's id, but they come in order.
        if id == Some("switch") || (id != Some("topics") && self.private.unconfirmed == 0) {
            if !granted {
                self.switch = Switch::Refused;
                out.reports.push(Report::Malformed("the dead-man switch was refused".to_owned()));
            }
            return;
        }
        if !granted {
            return self.session_failed(Lane::Private, "the venue refused the account's events", out);
        }
        self.private.unconfirmed = self.private.unconfirmed.saturating_sub(1);
        if self.private.unconfirmed == 0 && !self.streaming {
            self.streaming = true;
            out.reports.push(Report::Streaming);
            self.settle_ready("", out);
        }
    }

    /// The answer to an order, a cancel or an amendment over the session.
    fn acknowledged(&mut self, lane: Lane, envelope: &Envelope<'_>, now: Nanos, out: &mut GatewayOut) {
        let header = envelope.header.and_then(|header| serde_json::from_str::<Limits>(header.get()).ok());
        let header = header.unwrap_or_default();
        let code = envelope.code;
        let answer = Answer {
            status: 200,
            code: code.unwrap_or(0),
            text: envelope.text.as_deref().unwrap_or_default(),
            result: envelope.data.map(|data| data.get()).filter(|_| code == Some(0)),
            retry_at: header.reset.as_deref().and_then(|text| millis(text).ok()),
        };
        let rule = match envelope.op.as_deref() {
            Some("order.amend") => limits::AMEND,
            Some("order.cancel") => limits::CANCEL,
            _ => limits::CREATE,
        };
        self.obey(Some(rule), turn::counts(&header), &answer, now, &mut out.reports);
        let id = envelope.request.as_deref().unwrap_or_default();
        match (id.strip_prefix('n').and_then(|n| n.parse().ok()), ClientId::parse(id.as_bytes())) {
            (_, Some(client)) => self.placed(client, &answer, now, out),
            (Some(token), None) => self.answered(token, &answer, now, out),
            (None, None) => malformed("an answer to nothing asked", &mut out.reports),
        }
        if code == Some(errors::RESTARTING) {
            self.ask_successor(lane, "the service restarts", out);
        }
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

    pub(super) fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
        for lane in [Lane::Orders, Lane::Private] {
            let confirmed = lane == Lane::Orders || self.streaming;
            let Some(session) = self.session(lane) else { continue };
            let Some(opened) = session.opened else { continue };
            let dumb = session.heard < session.pinged && now - session.pinged >= SILENCE;
            let unanswered = now - opened >= SILENCE && !(session.usable && confirmed);
            if now - session.pinged >= PING {
                session.pinged = now;
                out.wants.push(GatewayWant::Send(lane, r#"{"req_id":"ping","op":"ping"}"#.to_owned()));
            }
            if dumb {
                self.ask_successor(lane, "a ping was not answered", out);
            } else if unanswered {
                self.ask_successor(lane, "the login was not answered", out);
            }
        }
    }
}

impl BybitGateway {
    /// The answer to a new order, by either transport.
    pub(super) fn placed(&mut self, client: ClientId, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        if let Some(text) = answer.result {
            if let Err(what) = self.reader.received(client, text) {
                out.reports.push(Report::unknown(client, "unreadable answer"));
                malformed(what, &mut out.reports);
            }
            return;
        }
        if answer.status == 200 && answer.code == 0 {
            return out.reports.push(Report::unknown(client, "unreadable answer"));
        }
        let class = errors::classify(answer.status, answer.code);
        let retry_at = match class {
            Class::Throttled => {
                let pause = if answer.status == 403 { errors::BLOCKED } else { limits::STOP };
                Some(answer.retry_at.filter(|at| *at > now).unwrap_or(now + pause))
            }
            _ => None,
        };
        let code = errors::reference(answer.status, answer.code, answer.text);
        out.reports.push(Report::OrderError { client, class, code, retry_at });
        self.check_time(answer.code, now, out);
    }
}
