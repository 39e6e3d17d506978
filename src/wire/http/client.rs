//! The client: requests in, answers out in the same order, and an honest account of the rest.

use std::collections::VecDeque;

use zeroize::Zeroize;

use super::body::Body;
use super::{Headers, HttpError, HttpLimits, Length, announced, head_end, push_line};
use crate::types::Nanos;
use crate::wire::inbox::Inbox;
use crate::wire::outbox::Outbox;

/// A request in parts.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The `Host` header.
    pub host: &'a str,
    /// Headers beyond `Host` and `Content-Length`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; may be empty.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The request's bytes.
    ///
    /// # Errors
    /// [`HttpError::Unsendable`] when a part holds a byte that would end its line.
    pub fn bytes(&self) -> Result<Vec<u8>, HttpError> {
        let method = !self.method.is_empty() && self.method.bytes().all(|b| b.is_ascii_uppercase());
        let target = self.target.starts_with('/') && self.target.bytes().all(|b| b.is_ascii_graphic());
        if !method || !target {
            return Err(HttpError::Unsendable);
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        push_line(&mut head, "Host", self.host)?;
        for (name, value) in self.headers {
            push_line(&mut head, name, value)?;
        }
        if !self.body.is_empty() || matches!(self.method, "POST" | "PUT" | "PATCH") {
            push_line(&mut head, "Content-Length", &self.body.len().to_string())?;
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        let mut whole = Vec::with_capacity(bytes.len() + self.body.len());
        whole.extend_from_slice(&bytes);
        whole.extend_from_slice(self.body);
        bytes.zeroize();
        Ok(whole)
    }
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The token of the request.
    pub token: u128,
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// A request that will get no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// Its token.
    pub token: u128,
    /// True when any of its bytes may have left.
    pub sent: bool,
}

/// A request that was not yet started. No `Debug`: it may be signed.
struct Waiting {
    token: u128,
    bytes: Vec<u8>,
    expires: Nanos,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A request whose bytes are in the outbox, or beyond.
struct Started {
    token: u128,
    /// Its answer has no body, whatever its headers say.
    head_only: bool,
}

enum Reading {
    Head { searched: usize },
    Body,
}

/// The client's end of HTTP connections to one server, one after another. Requests that were not
/// started outlive a connection; those that were are accounted for and never sent again.
pub struct HttpClient {
    limits: HttpLimits,
    inbox: Inbox,
    out: Outbox,
    waiting: VecDeque<Waiting>,
    started: VecDeque<Started>,
    /// Started, but the connection went before the answer came.
    lost: VecDeque<Unanswered>,
    reading: Reading,
    status: u16,
    headers: Headers,
    body: Body,
    /// The server will close after the answer under way; nothing more is started.
    last: bool,
    failed: Option<HttpError>,
}

impl HttpClient {
    /// A client without a request.
    pub fn new(limits: HttpLimits) -> HttpClient {
        HttpClient {
            limits,
            inbox: Inbox::new(64 << 10, limits.head),
            out: Outbox::with_capacity(4096),
            waiting: VecDeque::new(),
            started: VecDeque::new(),
            lost: VecDeque::new(),
            reading: Reading::Head { searched: 0 },
            status: 0,
            headers: Headers::default(),
            body: Body::default(),
            last: false,
            failed: None,
        }
    }

    /// Queues the complete bytes of a request; not to be started after `expires`.
    ///
    /// # Errors
    /// [`HttpError::QueueFull`]; nothing was queued.
    pub fn send(&mut self, token: u128, bytes: &[u8], expires: Nanos) -> Result<(), HttpError> {
        if self.waiting.is_empty() && self.may_start() {
            self.start(token, bytes);
            return Ok(());
        }
        self.queue(token, bytes, expires)
    }

    /// As [`HttpClient::send`], but leaves the start to [`HttpClient::pump`] in any case: for while
    /// there is no connection.
    ///
    /// # Errors
    /// [`HttpError::QueueFull`]; nothing was queued.
    pub fn queue(&mut self, token: u128, bytes: &[u8], expires: Nanos) -> Result<(), HttpError> {
        if self.waiting.len() >= self.limits.queue {
            return Err(HttpError::QueueFull(self.waiting.len()));
        }
        self.waiting.push_back(Waiting { token, bytes: bytes.to_vec(), expires });
        Ok(())
    }

    /// Queues a request in parts.
    ///
    /// # Errors
    /// [`HttpError::Unsendable`], [`HttpError::QueueFull`]; nothing was queued.
    pub fn request(&mut self, token: u128, request: &Request<'_>, expires: Nanos) -> Result<(), HttpError> {
        let mut bytes = request.bytes()?;
        let queued = self.send(token, &bytes, expires);
        bytes.zeroize();
        queued
    }

    /// Takes back a request that was not started; false when there is none.
    pub fn withdraw(&mut self, token: u128) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.token != token);
        before != self.waiting.len()
    }

    /// Starts what may be started now. Requests whose time is over come out of
    /// [`HttpClient::unanswered`].
    pub fn pump(&mut self, now: Nanos) {
        self.expire(now);
        while self.may_start() {
            let Some(next) = self.waiting.pop_front() else { return };
            self.start(next.token, &next.bytes);
        }
    }

    /// Gives up what waits and whose time is over.
    pub fn expire(&mut self, now: Nanos) {
        let lost = &mut self.lost;
        self.waiting.retain(|next| {
            let live = now <= next.expires;
            if !live {
                lost.push_back(Unanswered { token: next.token, sent: false });
            }
            live
        });
    }

    fn may_start(&self) -> bool {
        !self.last && self.failed.is_none() && self.started.len() < self.limits.pipeline.max(1)
    }

    fn start(&mut self, token: u128, bytes: &[u8]) {
        self.out.push(bytes);
        self.started.push_back(Started { token, head_only: bytes.starts_with(b"HEAD ") });
    }

    /// Bytes to be sent, in order. Whoever takes them must assume that they left.
    pub fn out(&self) -> &[u8] {
        self.out.unsent()
    }

    /// The first `count` bytes of [`HttpClient::out`] were sent; they are wiped.
    pub fn sent(&mut self, count: usize) {
        self.out.sent(count);
    }

    /// Requests that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that wait for their answer.
    pub fn under_way(&self) -> usize {
        self.started.len()
    }

    /// True when a request would be started at once.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.may_start()
    }

    /// True when the connection is of no more use and should be closed.
    pub fn is_over(&self) -> bool {
        self.failed.is_some() || (self.last && self.started.is_empty())
    }

    /// Where received bytes go.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// `count` bytes were written to the front of [`HttpClient::space`].
    pub fn filled(&mut self, count: usize) {
        self.inbox.filled(count);
    }

    /// The next answer; `None` until more bytes come.
    ///
    /// # Errors
    /// What the server did wrong; the connection is of no more use, and what was under way stays
    /// unanswered.
    #[expect(clippy::should_implement_trait, reason = "answers borrow from the client")]
    pub fn next(&mut self) -> Result<Option<Response<'_>>, HttpError> {
        let step = self.step()?;
        Ok(step.map(|token| self.view(token)))
    }

    /// Reads on; the token of an answer that is now whole.
    pub(crate) fn step(&mut self) -> Result<Option<u128>, HttpError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.read().inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// The answer that a step found.
    pub(crate) fn view(&self, token: u128) -> Response<'_> {
        Response { token, status: self.status, headers: self.headers.all(), body: &self.body.bytes }
    }

    fn read(&mut self) -> Result<Option<u128>, HttpError> {
        if let Reading::Head { .. } = self.reading
            && !self.read_head()?
        {
            return Ok(None);
        }
        if !self.body.read(&mut self.inbox, &self.limits)? {
            return Ok(None);
        }
        self.reading = Reading::Head { searched: 0 };
        Ok(self.started.pop_front().map(|started| started.token))
    }

    /// True when a final head was read.
    fn read_head(&mut self) -> Result<bool, HttpError> {
        let Reading::Head { searched } = &mut self.reading else { return Ok(true) };
        loop {
            let unread = self.inbox.unread();
            if unread.is_empty() {
                return Ok(false);
            }
            let Some(first) = self.started.front() else { return Err(HttpError::Unsolicited) };
            let limit = self.limits.head;
            let len = match head_end(unread, *searched) {
                Some(len) if len <= limit => len,
                None if unread.len() < limit => {
                    *searched = unread.len();
                    return Ok(false);
                }
                _ => return Err(HttpError::TooLong { what: "head", limit }),
            };
            let mut lines = [httparse::EMPTY_HEADER; HttpLimits::HEADERS_MAX];
            let limit = self.limits.headers.min(lines.len());
            let mut head = httparse::Response::new(&mut lines[..limit]);
            match head.parse(&unread[..len]) {
                Ok(httparse::Status::Complete(used)) if used == len => {}
                Err(httparse::Error::TooManyHeaders) => {
                    return Err(HttpError::TooLong { what: "list of headers", limit });
                }
                _ => return Err(HttpError::Malformed("head")),
            }
            self.status = head.code.ok_or(HttpError::Malformed("status"))?;
            let one_one = head.version == Some(1);
            self.headers.fill(head.headers)?;
            self.inbox.consume(len);
            *searched = 0;
            match self.status {
                101 => return Err(HttpError::Switched),
                100..=199 => continue, // an interim answer; the real one follows
                200..=999 => {}
                _ => return Err(HttpError::Malformed("status")),
            }
            let announced = announced(&self.headers)?;
            let length = if first.head_only || matches!(self.status, 204 | 304) {
                Length::Known(0)
            } else {
                announced.unwrap_or(Length::UntilClose)
            };
            let kept = if one_one {
                !self.headers.has_word("connection", "close")
            } else {
                self.headers.has_word("connection", "keep-alive")
            };
            self.last |= !kept || length == Length::UntilClose;
            self.body.start(length, &self.limits)?;
            self.reading = Reading::Body;
            return Ok(true);
        }
    }

    /// The connection ended in an orderly way: an answer that runs until then is whole now. Call
    /// it after [`HttpClient::next`] gave `None`, and [`HttpClient::disconnected`] after it.
    ///
    /// # Errors
    /// [`HttpError::CutShort`] when an answer was under way.
    pub fn ended(&mut self) -> Result<Option<Response<'_>>, HttpError> {
        let step = self.step_ended()?;
        Ok(step.map(|token| self.view(token)))
    }

    pub(crate) fn step_ended(&mut self) -> Result<Option<u128>, HttpError> {
        match self.reading {
            Reading::Body if self.body.ends_with_connection() && self.failed.is_none() => {
                self.reading = Reading::Head { searched: 0 };
                Ok(self.started.pop_front().map(|started| started.token))
            }
            Reading::Head { .. } if self.inbox.unread().is_empty() => Ok(None),
            _ => Err(HttpError::CutShort),
        }
    }

    /// The connection is gone. What was started is unanswered for ever; what was not waits for the
    /// next connection.
    pub fn disconnected(&mut self) {
        for started in self.started.drain(..) {
            self.lost.push_back(Unanswered { token: started.token, sent: true });
        }
        self.out.wipe();
        let unread = self.inbox.unread().len();
        self.inbox.consume(unread);
        self.reading = Reading::Head { searched: 0 };
        self.last = false;
        self.failed = None;
    }

    /// Gives up what waits, too: comes out of [`HttpClient::unanswered`] as not sent.
    pub fn abandon(&mut self) {
        for waiting in self.waiting.drain(..) {
            self.lost.push_back(Unanswered { token: waiting.token, sent: false });
        }
    }

    /// The next request that will get no answer.
    pub fn unanswered(&mut self) -> Option<Unanswered> {
        self.lost.pop_front()
    }
}
