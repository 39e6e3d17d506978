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
    /// Page follows page without an end.
    #[error("{venue}: {rest} has not told all instruments in {PAGES_MAX} pages")]
    Endless {
        /// The venue.
        venue: &'static str,
        /// The page that was asked for last.
        rest: String,
    },
}

/// Most pages of one list.
const PAGES_MAX: usize = 100;

/// One venue's instruments, on their way.
pub struct MetadataLoader {
    venue: &'static Venue,
    http: HttpConnection,
    target: Endpoint,
    /// What the pages so far told, and how many they are.
    told: Vec<InstrumentSpec>,
    pages: usize,
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
        let reason = "no connection".to_owned();
        MetadataLoader { venue, http, target, told: Vec::new(), pages: 0, asked: false, until, reason }
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
                    let (venue, rest) = (self.venue.id, self.target.to_string());
                    let Some(specs) = specs.flatten() else {
                        let status = response.status;
                        return Some(Err(MetadataError::NotInstruments { venue, rest, status }));
                    };
                    let next = (self.venue.instruments_next)(response.body);
                    self.told.extend(specs);
                    self.pages += 1;
                    match next {
                        None => return Some(Ok(std::mem::take(&mut self.told))),
                        Some(_) if self.pages >= PAGES_MAX => {
                            return Some(Err(MetadataError::Endless { venue, rest }));
                        }
                        Some(next) => {
                            self.target = self.target.with_target(&next);
                            self.asked = false;
                        }
                    }
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
