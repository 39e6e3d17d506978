//! The server, for simulated venues: requests out, answers in.

use super::body::Body;
use super::{Headers, HttpError, HttpLimits, Length, announced, head_end, push_line};
use crate::wire::inbox::Inbox;
use crate::wire::outbox::Outbox;
use crate::wire::ws::{Limits, Ws};

/// What a client wants.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// An answer, by [`HttpServer::respond`], before the next request is read.
    Request(Received<'a>),
    /// A WebSocket: turn the connection into one by [`HttpServer::into_websocket`].
    Upgrade,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body,
    /// A request was handed out and is not answered yet.
    Answering,
    Upgrading,
    /// The last answer was given.
    Over,
}

/// The server's end of one HTTP connection.
pub struct HttpServer {
    limits: HttpLimits,
    inbox: Inbox,
    out: Outbox,
    state: State,
    searched: usize,
    method: String,
    target: String,
    headers: Headers,
    body: Body,
    keep: bool,
}

impl HttpServer {
    /// A server waiting for a request.
    pub fn new(limits: HttpLimits) -> HttpServer {
        HttpServer {
            limits,
            inbox: Inbox::new(16 << 10, limits.head),
            out: Outbox::default(),
            state: State::Head,
            searched: 0,
            method: String::new(),
            target: String::new(),
            headers: Headers::default(),
            body: Body::default(),
            keep: true,
        }
    }

    /// Where received bytes go. Empty only while a request waits for its answer.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// `count` bytes were written to the front of [`HttpServer::space`].
    pub fn filled(&mut self, count: usize) {
        self.inbox.filled(count);
    }

    /// The next request; `None` until more bytes come, or until the last one is answered.
    ///
    /// # Errors
    /// What the client did wrong; the answer 400 is queued, and nothing more is read.
    #[expect(clippy::should_implement_trait, reason = "requests borrow from the server")]
    pub fn next(&mut self) -> Result<Option<Incoming<'_>>, HttpError> {
        match self.read() {
            Ok(false) => Ok(None),
            Ok(true) if self.state == State::Upgrading => Ok(Some(Incoming::Upgrade)),
            Ok(true) => Ok(Some(Incoming::Request(Received {
                method: &self.method,
                target: &self.target,
                headers: self.headers.all(),
                body: &self.body.bytes,
            }))),
            Err(error) => {
                self.keep = false;
                let _ = self.respond(400, &[], b"");
                Err(error)
            }
        }
    }

    fn read(&mut self) -> Result<bool, HttpError> {
        if self.state == State::Head && !self.read_head()? {
            return Ok(false);
        }
        if self.state == State::Upgrading {
            return Ok(true);
        }
        if self.state != State::Body || !self.body.read(&mut self.inbox, &self.limits)? {
            return Ok(false);
        }
        self.state = State::Answering;
        Ok(true)
    }

    fn read_head(&mut self) -> Result<bool, HttpError> {
        let (unread, limit) = (self.inbox.unread(), self.limits.head);
        let len = match head_end(unread, self.searched) {
            Some(len) if len <= limit => len,
            None if unread.len() < limit => {
                self.searched = unread.len();
                return Ok(false);
            }
            _ => return Err(HttpError::TooLong { what: "head", limit }),
        };
        let mut lines = [httparse::EMPTY_HEADER; HttpLimits::HEADERS_MAX];
        let limit = self.limits.headers.min(lines.len());
        let mut head = httparse::Request::new(&mut lines[..limit]);
        match head.parse(&unread[..len]) {
            Ok(httparse::Status::Complete(used)) if used == len => {}
            Err(httparse::Error::TooManyHeaders) => {
                return Err(HttpError::TooLong { what: "list of headers", limit });
            }
            _ => return Err(HttpError::Malformed("head")),
        }
        let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
            return Err(HttpError::Malformed("request line"));
        };
        self.method.clear();
        self.method.push_str(method);
        self.target.clear();
        self.target.push_str(target);
        self.headers.fill(head.headers)?;
        self.searched = 0;
        if self.headers.has_word("upgrade", "websocket") {
            self.state = State::Upgrading; // the head stays: the WebSocket reads it
            return Ok(true);
        }
        let length = announced(&self.headers)?.unwrap_or(Length::Known(0));
        self.keep = if version == 1 {
            !self.headers.has_word("connection", "close")
        } else {
            self.headers.has_word("connection", "keep-alive")
        };
        self.inbox.consume(len);
        self.body.start(length, &self.limits)?;
        self.state = State::Body;
        Ok(true)
    }

    /// Queues the answer to the request that [`HttpServer::next`] gave.
    ///
    /// # Errors
    /// [`HttpError::Unsendable`] when a header holds a byte that would end its line; nothing was
    /// queued.
    pub fn respond(
        &mut self,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), HttpError> {
        let mut head = format!("HTTP/1.1 {status} {}\r\n", if status < 400 { "OK" } else { "Refused" });
        for (name, value) in headers {
            push_line(&mut head, name, value)?;
        }
        if status != 204 && status != 304 {
            push_line(&mut head, "Content-Length", &body.len().to_string())?;
        }
        if !self.keep {
            push_line(&mut head, "Connection", "close")?;
        }
        head.push_str("\r\n");
        self.out.push(head.as_bytes());
        if self.method != "HEAD" && status != 204 && status != 304 {
            self.out.push(body);
        }
        self.state = if self.keep { State::Head } else { State::Over };
        Ok(())
    }

    /// Bytes to be sent, in order.
    pub fn out(&self) -> &[u8] {
        self.out.unsent()
    }

    /// The first `count` bytes of [`HttpServer::out`] were sent.
    pub fn sent(&mut self, count: usize) {
        self.out.sent(count);
    }

    /// True when the last answer was given: once [`HttpServer::out`] is sent, close.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The WebSocket that the client asked for, with all that it sent so far: its first message is
    /// [`Message::Open`](crate::wire::ws::Message::Open).
    pub fn into_websocket(self, limits: Limits) -> Ws {
        let mut ws = Ws::server(limits);
        ws.receive(self.inbox.unread());
        ws
    }
}
