//! An HTTP connection that is kept open, or opened when there is something to ask.

use super::link::{Line, Progress, Redial};
use super::{Arrival, ConnectionConfig, Reason, SendError};
use crate::types::{Dial, Endpoint, LinkError, Nanos};
use crate::wire::http::{HttpClient, Request, Response, Unanswered};

/// Receives tried in one poll before the caller gets its turn back.
const RECEIVES_MAX: usize = 16;

/// What happened on an HTTP connection.
#[derive(Clone, Debug)]
pub enum HttpEvent<'a> {
    /// The connection is open.
    Opened,
    /// An answer.
    Response(Response<'a>, Arrival),
    /// A request that will get no answer, and whether any of it may have left.
    Failed(Unanswered),
    /// The open connection is gone. What was under way comes as [`HttpEvent::Failed`] next.
    Closed(Reason),
    /// An attempt to open one failed; another is made after a pause.
    Unreachable(Reason),
}

/// An HTTP client with its link. Requests that were not started wait for the next connection until
/// their time is over; those that were started are never sent again.
pub struct HttpConnection {
    redial: Redial,
    client: HttpClient,
    /// The oldest answer must be here by then.
    answer_by: Option<Nanos>,
    broken: Option<Reason>,
}

/// An event by its place.
enum Found {
    Opened,
    Response(u128),
    Failed(Unanswered),
    Closed(Reason),
    Unreachable(Reason),
}

impl HttpConnection {
    /// A connection that dials at its first poll, or, when lazy, once there is a request. `seed`
    /// gives the pauses.
    pub fn new(
        dial: Box<dyn Dial>,
        endpoint: Endpoint,
        config: ConnectionConfig,
        seed: u64,
    ) -> HttpConnection {
        HttpConnection {
            redial: Redial::new(dial, endpoint, config, seed),
            client: HttpClient::new(config.http),
            answer_by: None,
            broken: None,
        }
    }

    /// Does what is due and returns the next event; `None` = nothing for now. Call it until then.
    pub fn poll(&mut self, now: Nanos) -> Option<HttpEvent<'_>> {
        Some(match self.find(now)? {
            Found::Opened => HttpEvent::Opened,
            Found::Response(token) => HttpEvent::Response(self.client.view(token), self.redial.arrival),
            Found::Failed(unanswered) => HttpEvent::Failed(unanswered),
            Found::Closed(reason) => HttpEvent::Closed(reason),
            Found::Unreachable(reason) => HttpEvent::Unreachable(reason),
        })
    }

    /// True when the link is up.
    pub fn is_open(&self) -> bool {
        self.redial.is_up() && self.broken.is_none()
    }

    /// True when a request would leave at once.
    pub fn is_idle(&self) -> bool {
        self.is_open() && self.client.is_idle()
    }

    /// Requests that wait for their turn or their answer.
    pub fn pending(&self) -> usize {
        self.client.waiting() + self.client.under_way()
    }

    /// Where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.redial.endpoint
    }

    /// Sends the complete bytes of a request, at once when the connection is idle, else in its
    /// turn, but not after `expires`.
    ///
    /// # Errors
    /// Tells whether any of it may have left. After `Ok`, exactly one [`HttpEvent::Response`] or
    /// [`HttpEvent::Failed`] comes for the token; after an error, none.
    pub fn send(&mut self, token: u128, bytes: &[u8], expires: Nanos) -> Result<(), SendError> {
        if !self.is_idle() {
            return Ok(self.client.queue(token, bytes, expires)?);
        }
        if let waiting @ 1.. = self.redial.backlog()
            && waiting > self.redial.config.backlog_most
        {
            return Err(SendError::Backlog(waiting));
        }
        self.client.send(token, bytes, expires)?;
        self.push_out();
        Ok(())
    }

    /// Sends a request in parts, as [`HttpConnection::send`] does.
    ///
    /// # Errors
    /// As there, and [`HttpError::Unsendable`](crate::wire::http::HttpError::Unsendable).
    pub fn request(&mut self, token: u128, request: &Request<'_>, expires: Nanos) -> Result<(), SendError> {
        let mut bytes = request.bytes()?;
        let sent = self.send(token, &bytes, expires);
        zeroize::Zeroize::zeroize(&mut bytes);
        sent
    }

    /// Takes back a request that was not started: no event will come for it. False when there is
    /// none.
    pub fn withdraw(&mut self, token: u128) -> bool {
        self.client.withdraw(token)
    }

    /// Closes this connection and dials another. What is under way fails.
    pub fn reconnect(&mut self, why: &'static str) {
        if self.redial.is_up() {
            self.broken.get_or_insert(Reason::Asked(why));
        }
    }

    fn push_out(&mut self) {
        let count = self.client.out().len();
        if count == 0 {
            return;
        }
        match self.redial.send(self.client.out()) {
            Err(SendError::Backlog(_) | SendError::NotOpen) => return,
            Err(SendError::Broken(error)) => {
                self.broken.get_or_insert(error.into());
            }
            Ok(()) | Err(SendError::Http(_)) => {}
        }
        self.client.sent(count);
    }

    fn find(&mut self, now: Nanos) -> Option<Found> {
        if let Some(unanswered) = self.client.unanswered() {
            return Some(Found::Failed(unanswered));
        }
        if let Some(reason) = self.broken.take() {
            return Some(self.gone(reason, now));
        }
        let wanted = !self.redial.config.lazy || self.client.waiting() > 0;
        match self.redial.advance(wanted, now) {
            Progress::Failed(reason) => return Some(Found::Unreachable(reason)),
            Progress::Ready => return Some(Found::Opened),
            Progress::Waiting => {
                self.client.expire(now);
                return self.client.unanswered().map(Found::Failed);
            }
            Progress::Up => {}
        }
        let found = self.receive(now);
        if found.is_none() || self.client.under_way() == 0 {
            self.client.pump(now);
        }
        self.push_out();
        if let Err(error) = self.redial.flush() {
            self.broken.get_or_insert(error.into());
        }
        match found {
            Some(Ok(token)) => {
                self.answer_by = None;
                return Some(Found::Response(token));
            }
            Some(Err(reason)) => return Some(self.gone(reason, now)),
            None => {}
        }
        if self.client.under_way() == 0 {
            self.answer_by = None;
        } else if now >= *self.answer_by.get_or_insert(now + self.redial.config.answer_within) {
            self.broken.get_or_insert(Reason::AnswerTimeout);
        }
        if self.broken.is_none() && self.client.is_over() {
            self.client.disconnected();
            self.redial.hang_up_well(now);
            return Some(Found::Closed(Reason::Peer(None)));
        }
        match self.broken.take() {
            Some(reason) => Some(self.gone(reason, now)),
            None => self.client.unanswered().map(Found::Failed),
        }
    }

    fn receive(&mut self, now: Nanos) -> Option<Result<u128, Reason>> {
        for _ in 0..RECEIVES_MAX {
            match self.client.step() {
                Ok(Some(token)) => return Some(Ok(token)),
                Ok(None) => {}
                Err(error) => return Some(Err(error.into())),
            }
            match self.redial.recv(self.client.space(), now) {
                Ok(0) => return None,
                Ok(count) => self.client.filled(count),
                Err(error) => {
                    // The end of the connection may be the end of an answer.
                    if let (LinkError::Closed(_), Ok(Some(token))) = (&error, self.client.step_ended()) {
                        self.broken.get_or_insert(error.into());
                        return Some(Ok(token));
                    }
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }

    fn gone(&mut self, reason: Reason, now: Nanos) -> Found {
        let was_up = matches!(self.redial.line, Line::Up { .. });
        self.client.disconnected();
        self.answer_by = None;
        self.broken = None;
        self.redial.hang_up(now);
        if was_up { Found::Closed(reason) } else { Found::Unreachable(reason) }
    }
}
