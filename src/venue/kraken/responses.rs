//! Answers to HTTP requests: to orders, which are known by their ids, and to calls.

use super::calls;
use super::error;
use super::gateway::KrakenGateway;
use crate::types::{Class, ClientId, Nanos, Report, VenueRef};
use crate::venue::GatewayOut;

impl KrakenGateway {
    /// The answer to an order that was sent over REST, or to a call.
    pub(super) fn response(
        &mut self,
        token: u128,
        status: u16,
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
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
                self.obey(text, now);
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
                self.obey(&text, now);
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
            self.obey(text, now);
            return self.order_error(client, text, out);
        }
        if status != 200 {
            self.obey(&format!("HTTP {status}"), now);
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

    pub(super) fn failed(&mut self, token: u128, sent: bool, now: Nanos, out: &mut GatewayOut) {
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
