//! The session on the private socket: subscriptions, signs of life, news.

use super::advanced::{self, UserNews};
use super::calls::Signer;
use super::exchange::UserMessage;
use super::gateway::CoinbaseGateway;
use super::sign::{self, VERIFY};
use crate::types::{Nanos, Report};
use crate::venue::kraken::json::quoted;
use crate::venue::{GatewayOut, GatewayWant, Lane};

/// A link without a frame for this long is dead: both products send a sign of life a second.
const STALE: Nanos = Nanos::from_secs(5);
/// The venue is to confirm a subscription within this time.
const PATIENCE: Nanos = Nanos::from_secs(10);
/// Life of the subscription's token, in seconds: it is used at once.
const LIFE: i64 = 60;

/// The private connection.
#[derive(Default)]
pub(super) struct Session {
    pub(super) open: bool,
    /// The stream's subscription was confirmed.
    pub(super) streaming: bool,
    opened: Nanos,
    last_frame: Nanos,
    /// The number that the next message must have (Advanced Trade).
    next: Option<u64>,
}

impl CoinbaseGateway {
    pub(super) fn opened(&mut self, now: Nanos, out: &mut GatewayOut) {
        self.session = Session { open: true, opened: now, last_frame: now, ..Session::default() };
        self.stock(now);
        let products: Vec<String> =
            self.config.instruments.iter().map(|(_, spec)| quoted(spec.symbol.as_str())).collect();
        let products = products.join(",");
        let texts = match &mut self.calls.signer {
            Signer::Advanced(signer) => {
                // The key's one connection carries the orders of all its products.
                let token = signer.token(None, now, LIFE);
                let heartbeats = signer.token(None, now, LIFE);
                vec![
                    format!(
                        "{{\"type\":\"subscribe\",\"channel\":\"heartbeats\",\"jwt\":\"{}\"}}",
                        heartbeats.as_str()
                    ),
                    format!("{{\"type\":\"subscribe\",\"channel\":\"user\",\"jwt\":\"{}\"}}", token.as_str()),
                ]
            }
            Signer::Exchange(signer) => {
                let second = sign::second(now);
                let signature = sign::text(&signer.sign(format!("{second}GET{VERIFY}").as_bytes()));
                vec![format!(
                    "{{\"type\":\"subscribe\",\"product_ids\":[{products}],\"channels\":[\"user\",\"heartbeat\"],\"signature\":\"{signature}\",\
                     \"key\":{},\"passphrase\":{},\"timestamp\":\"{second}\"}}",
                    quoted(signer.key()),
                    quoted(signer.passphrase()),
                )]
            }
        };
        out.wants.extend(texts.into_iter().map(|text| GatewayWant::Send(Lane::Private, text)));
    }

    pub(super) fn closed(&mut self, why: &'static str, out: &mut GatewayOut) {
        self.session = Session::default();
        self.settle_ready(why, out);
    }

    fn reconnect(&mut self, why: &'static str, out: &mut GatewayOut) {
        let was_ready = self.was_ready;
        self.closed(why, out);
        if !was_ready {
            out.reports.push(Report::Down(why));
        }
        out.wants.push(GatewayWant::Reconnect(Lane::Private, why));
    }

    /// Ends a session that is dead or was never confirmed.
    pub(super) fn watch(&mut self, now: Nanos, out: &mut GatewayOut) {
        if now - self.session.last_frame > STALE {
            self.reconnect("no frame for five seconds", out);
        } else if !self.session.streaming && now - self.session.opened > PATIENCE {
            self.reconnect("the private stream was not confirmed", out);
        }
    }

    pub(super) fn text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        if !self.session.open {
            return;
        }
        self.session.last_frame = now;
        match self.calls.signer {
            Signer::Advanced(_) => self.advanced_text(text, now, out),
            Signer::Exchange(_) => self.exchange_text(text, now, out),
        }
    }

    fn confirmed(&mut self, out: &mut GatewayOut) {
        if !std::mem::replace(&mut self.session.streaming, true) {
            out.reports.push(Report::Streaming);
        }
        self.settle_ready("", out);
    }

    fn refused(&mut self, text: &str, out: &mut GatewayOut) {
        out.reports.push(Report::Malformed(format!("private stream: {}", super::error::code(text))));
        if !self.session.streaming {
            self.reconnect("the private stream was refused", out);
        }
    }

    fn advanced_text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        let Some(message) = advanced::read_user(text, self.memory.specs()) else {
            return out.reports.push(Report::Malformed("private stream: unreadable message".to_owned()));
        };
        if let Some(got) = message.sequence {
            let expected = self.session.next.unwrap_or(got);
            if got < expected {
                return;
            }
            self.session.next = Some(got.saturating_add(1));
            if got > expected {
                return self.reconnect("the private stream lost messages", out);
            }
        }
        match message.news {
            UserNews::Orders(rows) => {
                for (snapshot, row) in rows {
                    match row {
                        Ok(row) => self.memory.on_order(&row, snapshot, now, &mut out.reports),
                        // What it lacks is asked for.
                        Err(Some(id)) => self.memory.stranger(id),
                        Err(None) => {
                            out.reports.push(Report::Malformed("private stream: unreadable order".to_owned()))
                        }
                    }
                }
            }
            UserNews::Subscriptions { user: true } => self.confirmed(out),
            UserNews::Error(text) => self.refused(&text, out),
            UserNews::Subscriptions { user: false } | UserNews::Other => {}
        }
    }

    fn exchange_text(&mut self, text: &[u8], now: Nanos, out: &mut GatewayOut) {
        let Ok(message) = serde_json::from_slice::<UserMessage>(text) else {
            return out.reports.push(Report::Malformed("private stream: unreadable message".to_owned()));
        };
        match &*message.kind {
            "subscriptions" => {
                let channels = message.channels.as_deref().unwrap_or_default();
                if channels.iter().any(|channel| channel.name == "user") {
                    self.confirmed(out);
                }
            }
            "error" => {
                let text = message.message.as_deref().unwrap_or("").to_owned();
                self.refused(&text, out);
            }
            "heartbeat" => {}
            _ => {
                if let Err(what) = self.memory.on_event(&message, now, &mut out.reports) {
                    out.reports.push(Report::Malformed(what.to_owned()));
                }
            }
        }
    }
}
