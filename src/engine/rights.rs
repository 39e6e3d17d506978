//! What venues say that a key may do, asked before anything else is done with it.

use super::connection::{ConnectionConfig, HttpConnection, HttpEvent};
use super::crew::{CrewError, Identity, gateway};
use super::plan::PlannedVenue;
use super::venue_time::InVenueTime;
use crate::types::{Dial, Endpoint, KeyRights, Nanos, Report};
use crate::venue::{Command, Credentials, Gateway, GatewayInput, GatewayOut, GatewayWant};
use crate::wire::http::Request;

/// How often a venue is asked before it is taken at its word that it does not tell.
const TRIES: u32 = 3;
/// The pause between two of them.
const PAUSE: Nanos = Nanos::from_secs(1);

/// Nonces that the questions of a start take at most: trading starts above them.
pub const NONCES: u64 = 1_000;

/// One key's rights, on their way. The gateway that asks is used for nothing else.
pub struct RightsLoader {
    gateway: InVenueTime,
    http: HttpConnection,
    rest: Endpoint,
    until: Nanos,
    tries: u32,
    next_try: Nanos,
    reason: String,
    out: GatewayOut,
}

impl RightsLoader {
    /// Asks the venue until `until`.
    ///
    /// # Errors
    /// [`CrewError`] when the venue takes no orders, or the key is none of its.
    pub fn new(
        venue: &PlannedVenue,
        credentials: &Credentials,
        identity: &Identity,
        dial: Box<dyn Dial>,
        until: Nanos,
    ) -> Result<RightsLoader, CrewError> {
        let rest = venue.endpoints.rest.clone();
        // What is drawn from a seed, such as the marks that make tokens unique, is not drawn twice.
        let identity = &Identity { seed: !identity.seed, ..identity.clone() };
        Ok(RightsLoader {
            gateway: InVenueTime::new(gateway(venue, credentials, identity)?),
            http: HttpConnection::new(dial, rest.clone(), ConnectionConfig::DEFAULT, identity.seed),
            rest,
            until,
            tries: 0,
            next_try: Nanos(i64::MIN),
            reason: "no connection".to_owned(),
            out: GatewayOut::default(),
        })
    }

    /// Does what is due; `Some` once, when the matter is decided: the rights, or why they are not known.
    pub fn poll(&mut self, now: Nanos) -> Option<Result<KeyRights, String>> {
        if now >= self.until || (self.tries == TRIES && now >= self.next_try) {
            return Some(Err(std::mem::take(&mut self.reason)));
        }
        if self.tries < TRIES && now >= self.next_try {
            self.tries += 1;
            // An answer or a failure decides when the next one is due.
            self.next_try = self.until;
            if let Err(unsupported) = self.gateway.command(&Command::Rights, now, &mut self.out) {
                return Some(Err(unsupported.to_string()));
            }
        }
        loop {
            if let Some(rights) = self.take_reports(now) {
                return Some(Ok(rights));
            }
            self.ask(now);
            let input = match self.http.poll(now)? {
                HttpEvent::Response(response, _) => GatewayInput::Response {
                    token: response.token,
                    status: response.status,
                    headers: response.headers,
                    body: response.body,
                },
                HttpEvent::Failed(unanswered) => {
                    self.next_try = now + PAUSE;
                    GatewayInput::Failed { token: unanswered.token, sent: unanswered.sent }
                }
                HttpEvent::Closed(reason) | HttpEvent::Unreachable(reason) => {
                    self.reason = format!("no answer from {}: {reason}", self.rest);
                    continue;
                }
                HttpEvent::Opened => {
                    self.reason = format!("no answer from {}", self.rest);
                    continue;
                }
            };
            self.gateway.on(input, now, &mut self.out);
        }
    }

    fn take_reports(&mut self, now: Nanos) -> Option<KeyRights> {
        for report in self.out.reports.drain(..) {
            match report {
                Report::Rights(rights) => return Some(rights),
                // A question, not an order: it may be asked again, by the venue's clock if that was it.
                Report::Malformed(why) => {
                    self.reason = why;
                    self.next_try = now + PAUSE;
                }
                _ => {}
            }
        }
        None
    }

    fn ask(&mut self, now: Nanos) {
        for want in std::mem::take(&mut self.out.wants) {
            // Sessions are not opened for this.
            let GatewayWant::Http { token, request } = want else { continue };
            let host = self.rest.host_header();
            let headers: Vec<_> =
                request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (method, target, body) = (request.method, request.target.as_str(), &request.body[..]);
            let request = Request { method, target, host: &host, headers: &headers, body };
            if let Err(error) = self.http.request(token, &request, self.until) {
                self.reason = error.to_string();
                self.next_try = now + PAUSE;
            }
        }
    }
}
