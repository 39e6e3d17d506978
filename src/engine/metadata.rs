//! Instruments as a venue tells them, fetched before any hot stage exists.

use super::connection::{ConnectionConfig, HttpConnection, HttpEvent};
use crate::types::{Dial, Endpoint, InstrumentSpec, Nanos};
use crate::venue::Venue;
use crate::wire::http::Request;

/// Why a venue's instruments are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// No answer in time.
    #[error("{venue}: no answer from {rest}: {reason}")]
    NoAnswer {
        /// The venue.
        venue: &'static str,
        /// What was asked.
        rest: String,
        /// The last thing that went wrong.
        reason: String,
    },
    /// An answer that is not the venue's list of instruments.
    #[error("{venue}: {rest} answered {status} with something else than instruments")]
    NotInstruments {
        /// The venue.
        venue: &'static str,
        /// What was asked.
        rest: String,
        /// The HTTP status.
        status: u16,
    },
}

/// One venue's instruments, on their way.
pub struct MetadataLoader {
    venue: &'static Venue,
    http: HttpConnection,
    target: Endpoint,
    asked: bool,
    until: Nanos,
    reason: String,
}

impl MetadataLoader {
    /// Asks `rest` until `until`.
    pub fn new(
        venue: &'static Venue,
        rest: &Endpoint,
        dial: Box<dyn Dial>,
        until: Nanos,
        seed: u64,
    ) -> MetadataLoader {
        let http = HttpConnection::new(dial, rest.clone(), ConnectionConfig::DEFAULT, seed);
        let target = rest.with_target(venue.instruments_target);
        MetadataLoader { venue, http, target, asked: false, until, reason: "no connection".to_owned() }
    }

    /// Does what is due; `Some` once, when the matter is decided.
    pub fn poll(&mut self, now: Nanos) -> Option<Result<Vec<InstrumentSpec>, MetadataError>> {
        if !self.asked {
            let host = self.target.host_header();
            // Some venues refuse requests that do not say who asks.
            let headers = &[("User-Agent", "xarb")];
            let request =
                Request { method: "GET", target: &self.target.target, host: &host, headers, body: &[] };
            self.asked = self.http.request(0, &request, self.until).is_ok();
        }
        while let Some(event) = self.http.poll(now) {
            match event {
                HttpEvent::Response(response, _) => {
                    let specs = (response.status == 200).then(|| (self.venue.instruments)(response.body));
                    return Some(specs.flatten().ok_or_else(|| MetadataError::NotInstruments {
                        venue: self.venue.id,
                        rest: self.target.to_string(),
                        status: response.status,
                    }));
                }
                // A question, not an order: it may be asked again.
                HttpEvent::Failed(_) => self.asked = false,
                HttpEvent::Closed(reason) | HttpEvent::Unreachable(reason) => {
                    self.reason = reason.to_string()
                }
                HttpEvent::Opened => {}
            }
        }
        (now >= self.until).then(|| {
            Err(MetadataError::NoAnswer {
                venue: self.venue.id,
                rest: self.target.to_string(),
                reason: self.reason.clone(),
            })
        })
    }
}
