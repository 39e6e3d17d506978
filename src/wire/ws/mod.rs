//! WebSocket (RFC 6455), both roles, without I/O.
//!
//! Received bytes are put into [`Ws::space`], messages come out of [`Ws::next`], and what is to be
//! sent lies in [`Ws::out`]. A data message that lies whole in the buffer is handed out where it
//! lies (a server unmasks it there); only a message in fragments is put together elsewhere. Pings
//! are answered, a close is answered, and whatever the RFC forbids ends the connection with the
//! close code that the RFC gives it and an error that names it. No extensions are spoken, so
//! compression is never agreed on.
//!
//! After a message there are always [`PADDING`] readable bytes.

mod error;
mod frame;
mod handshake;
mod utf8;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use error::{HandshakeError, WsError};
pub use frame::{
    HEAD_MAX, Masks, begin_client_text, client_head_len, finish_client_text, frame_client_text, put_masked,
};
pub use handshake::Upgrade;

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::{PADDING, Padded};
use crate::types::Endpoint;
use frame::Head;

/// What a peer may make us hold. Memory grows with what came, never with what was announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one frame's payload.
    pub frame: usize,
    /// Bytes of one message.
    pub message: usize,
    /// Frames of one message.
    pub fragments: u32,
    /// Bytes of the handshake's head.
    pub head: usize,
    /// Bytes that may wait to be sent before answers to pings become too many.
    pub out: usize,
    /// Bytes of the receive buffer at the start.
    pub buffer: usize,
}

impl Limits {
    /// Room for the largest book snapshots, and no more.
    pub const DEFAULT: Limits = Limits {
        frame: 16 << 20,
        message: 16 << 20,
        fragments: 1024,
        head: 16 << 10,
        out: 1 << 20,
        buffer: 256 << 10,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// What came out of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// The handshake is done. A server must now [`Ws::accept`] or [`Ws::refuse`].
    Open,
    /// A text message, known to be UTF-8.
    Text(Padded<'a>),
    /// A binary message.
    Binary(Padded<'a>),
    /// A pong, with what it carries.
    Pong(&'a [u8]),
    /// The peer closed; the answer is queued. Nothing comes after this.
    Closed {
        /// Its code, where it gave one.
        code: Option<u16>,
        /// Its reason; may be empty.
        reason: &'a str,
    },
}

/// A message by its place, so that a caller can hold on to the connection meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Open,
    Text(Place),
    Binary(Place),
    Pong(Place),
    Closed(Option<u16>, Place),
}

/// Where a payload lies: valid until the next receive or step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    assembled: bool,
    at: usize,
    len: usize,
}

enum State {
    /// The client waits for the answer to this key.
    Asking {
        key: String,
        subprotocol: bool,
    },
    /// The server waits for a request.
    Listening,
    /// The server has a request and waits for its owner.
    Asked(Upgrade),
    Open,
    /// The peer's close came.
    Closed,
    Failed(WsError),
}

/// One end of a WebSocket connection.
pub struct Ws {
    state: State,
    /// Frames that come in must be masked: this is a server.
    server: bool,
    limits: Limits,
    inbox: Inbox,
    out: Outbox,
    close_sent: bool,
    /// The fragmented message under way, and slack behind it once it is whole.
    assembly: Vec<u8>,
    /// Opcode of the fragmented message and its frames so far.
    fragments: Option<(u8, u32)>,
    masks: u64,
}

impl Ws {
    /// A client: its request is queued at once. `mask_seed` gives the handshake key and the masks.
    ///
    /// # Errors
    /// [`HandshakeError::Unsendable`] when the target or a header holds a control byte.
    pub fn client(
        to: &Endpoint,
        headers: &[(String, String)],
        mask_seed: u64,
        limits: Limits,
    ) -> Result<Ws, WsError> {
        let mut ws = Ws::new(false, mask_seed, limits, State::Listening);
        let mut raw = [0; 16];
        for word in raw.as_chunks_mut::<4>().0 {
            *word = ws.next_mask();
        }
        let key = STANDARD.encode(raw);
        ws.out.push(handshake::request(to, headers, &key)?.as_bytes());
        let subprotocol = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"));
        ws.state = State::Asking { key, subprotocol };
        Ok(ws)
    }

    /// A server, waiting for a client's request.
    pub fn server(limits: Limits) -> Ws {
        Ws::new(true, 0, limits, State::Listening)
    }

    fn new(server: bool, masks: u64, limits: Limits, state: State) -> Ws {
        let largest = limits.frame.saturating_add(HEAD_MAX).max(limits.head);
        Ws {
            state,
            server,
            limits,
            inbox: Inbox::new(limits.buffer, largest),
            out: Outbox::with_capacity(4096),
            close_sent: false,
            assembly: Vec::new(),
            fragments: None,
            masks,
        }
    }

    /// Where received bytes go. Empty only when messages wait that nobody took.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// `count` bytes were written to the front of [`Ws::space`].
    pub fn filled(&mut self, count: usize) {
        self.inbox.filled(count);
    }

    /// Takes bytes by copying them; returns how many there was room for.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        self.inbox.put(bytes)
    }

    /// The next message; `None` until more bytes come. After an error, the same error again.
    ///
    /// # Errors
    /// What the peer did wrong. The connection is of no more use once [`Ws::out`] is sent.
    #[expect(clippy::should_implement_trait, reason = "messages borrow from the connection")]
    pub fn next(&mut self) -> Result<Option<Message<'_>>, WsError> {
        let step = self.step()?;
        Ok(step.map(|step| self.view(step)))
    }

    #[inline]
    pub(crate) fn step(&mut self) -> Result<Option<Step>, WsError> {
        if !matches!(self.state, State::Open) {
            return self.step_unopened();
        }
        if let Some(step) = self.step_usual() {
            return Ok(Some(step));
        }
        self.step_open().map_err(|error| self.fail(error))
    }

    /// The usual frame and no other: from a server, whole, a message by itself, up to 64 KiB.
    /// Everything else, and everything wrong, is [`Ws::step_open`]'s.
    #[inline]
    fn step_usual(&mut self) -> Option<Step> {
        let (front, unread) = self.inbox.front();
        let short = usize::from(front[1]);
        let (head, len) = match short {
            ..126 => (2, short),
            126 => (4, usize::from(u16::from_be_bytes([front[2], front[3]]))),
            _ => return None,
        };
        let opcode = front[0];
        let most = self.limits.frame.min(self.limits.message);
        let usual = !self.server && self.fragments.is_none() && matches!(opcode, 0x81 | 0x82);
        if !usual || unread < head + len || len > most || (head == 4 && len < 126) {
            return None;
        }
        let place = Place { assembled: false, at: self.inbox.position() + head, len };
        if opcode == 0x82 {
            self.inbox.consume(head + len);
            return Some(Step::Binary(place));
        }
        if !utf8::is_utf8(self.inbox.from(place.at).get(..len)?) {
            return None;
        }
        self.inbox.consume(head + len);
        Some(Step::Text(place))
    }

    /// The message that a step found.
    #[inline]
    pub(crate) fn view(&self, step: Step) -> Message<'_> {
        match step {
            Step::Open => Message::Open,
            Step::Text(place) => Message::Text(self.padded(place)),
            Step::Binary(place) => Message::Binary(self.padded(place)),
            Step::Pong(place) => Message::Pong(self.padded(place).message()),
            Step::Closed(code, place) => {
                let reason = std::str::from_utf8(self.padded(place).message()).unwrap_or_default();
                Message::Closed { code, reason }
            }
        }
    }

    #[inline]
    fn padded(&self, place: Place) -> Padded<'_> {
        let from = if place.assembled { &self.assembly[..] } else { self.inbox.from(place.at) };
        // Both buffers keep the slack behind all they hold; the other arm is for a stale place.
        Padded::new(from, place.len).unwrap_or(Padded::new(&[0; PADDING], 0).expect("padding is enough"))
    }

    #[cold]
    fn step_unopened(&mut self) -> Result<Option<Step>, WsError> {
        let read = match &self.state {
            State::Asking { key, subprotocol } => {
                handshake::read_answer(self.inbox.unread(), key, *subprotocol, self.limits.head)
                    .map(|len| len.map(|len| (len, State::Open)))
            }
            State::Listening => handshake::read_request(self.inbox.unread(), self.limits.head)
                .map(|request| request.map(|(upgrade, len)| (len, State::Asked(upgrade)))),
            State::Failed(error) => return Err(error.clone()),
            State::Asked(_) | State::Closed | State::Open => return Ok(None),
        };
        match read {
            Ok(None) => Ok(None),
            Ok(Some((len, state))) => {
                self.inbox.consume(len);
                self.state = state;
                Ok(Some(Step::Open))
            }
            Err(error) => {
                if self.server {
                    self.out
                        .push(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                }
                Err(self.fail(error.into()))
            }
        }
    }

    fn step_open(&mut self) -> Result<Option<Step>, WsError> {
        loop {
            let unread = self.inbox.unread().len();
            let Some(front) = self.inbox.unread_with_slack().first_chunk() else { return Ok(None) };
            let Some(head) = Head::read(front, unread, self.server, &self.limits)? else {
                return Ok(None);
            };
            let whole = head.len + head.payload; // no overflow: both are bounded
            if unread < whole {
                return Ok(None);
            }
            let place = Place { assembled: false, at: self.inbox.position() + head.len, len: head.payload };
            if self.server {
                frame::apply_mask(&mut self.inbox.unread_mut()[head.len..whole], head.mask);
            }
            self.inbox.consume(whole);
            let payload = &self.inbox.from(place.at)[..place.len];
            match head.opcode {
                frame::TEXT | frame::BINARY => {
                    if self.fragments.is_some() {
                        return Err(WsError::Interleaved);
                    }
                    if payload.len() > self.limits.message {
                        return Err(self.message_too_long(payload.len()));
                    }
                    if !head.fin {
                        self.assembly.clear();
                        self.assembly.extend_from_slice(payload);
                        self.fragments = Some((head.opcode, 1));
                        continue;
                    }
                    if head.opcode == frame::BINARY {
                        return Ok(Some(Step::Binary(place)));
                    }
                    if !utf8::is_utf8(payload) {
                        return Err(WsError::NotUtf8);
                    }
                    return Ok(Some(Step::Text(place)));
                }
                frame::CONTINUATION => {
                    if let Some(step) = self.continue_message(head.fin, place)? {
                        return Ok(Some(step));
                    }
                }
                frame::PING => self.answer_ping(place)?,
                frame::PONG => return Ok(Some(Step::Pong(place))),
                _ => return self.on_close(place).map(Some),
            }
        }
    }

    fn message_too_long(&self, len: usize) -> WsError {
        WsError::MessageTooLong { len, limit: self.limits.message }
    }

    #[cold]
    fn continue_message(&mut self, fin: bool, place: Place) -> Result<Option<Step>, WsError> {
        let Some((opcode, count)) = self.fragments else { return Err(WsError::NothingToContinue) };
        if count >= self.limits.fragments {
            return Err(WsError::TooManyFragments(self.limits.fragments));
        }
        let len = self.assembly.len() + place.len;
        if len > self.limits.message {
            return Err(self.message_too_long(len));
        }
        self.assembly.extend_from_slice(&self.inbox.from(place.at)[..place.len]);
        if !fin {
            self.fragments = Some((opcode, count + 1));
            return Ok(None);
        }
        self.fragments = None;
        if opcode == frame::TEXT && !utf8::is_utf8(&self.assembly) {
            return Err(WsError::NotUtf8);
        }
        self.assembly.extend_from_slice(&[0; PADDING]);
        let place = Place { assembled: true, at: 0, len };
        Ok(Some(if opcode == frame::TEXT { Step::Text(place) } else { Step::Binary(place) }))
    }

    #[cold]
    fn answer_ping(&mut self, place: Place) -> Result<(), WsError> {
        let waiting = self.out.unsent().len();
        if waiting > self.limits.out {
            return Err(WsError::Backlog(waiting));
        }
        let mut payload = [0; 125];
        let payload = &mut payload[..place.len];
        payload.copy_from_slice(&self.inbox.from(place.at)[..place.len]);
        if !self.close_sent {
            self.queue(frame::PONG, payload);
        }
        Ok(())
    }

    #[cold]
    fn on_close(&mut self, place: Place) -> Result<Step, WsError> {
        let payload = &self.inbox.from(place.at)[..place.len];
        let (code, reason) = match payload {
            [] => (None, place),
            [_] => return Err(WsError::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return Err(WsError::CloseCode(code));
                }
                if !utf8::is_utf8(reason) {
                    return Err(WsError::NotUtf8);
                }
                (Some(code), Place { at: place.at + 2, len: place.len - 2, ..place })
            }
        };
        self.queue_close(code, "");
        self.state = State::Closed;
        Ok(Step::Closed(code, reason))
    }

    fn fail(&mut self, error: WsError) -> WsError {
        if let State::Open = self.state {
            self.queue_close(Some(error.close_code()), "");
        }
        self.state = State::Failed(error.clone());
        error
    }

    /// The request that a server was sent; `None` before it came and after it was answered.
    pub fn upgrade(&self) -> Option<&Upgrade> {
        match &self.state {
            State::Asked(upgrade) => Some(upgrade),
            _ => None,
        }
    }

    /// Accepts the request; does nothing where there is none to answer.
    pub fn accept(&mut self) {
        if let State::Asked(upgrade) = &self.state {
            self.out.push(handshake::answer(upgrade).as_bytes());
            self.state = State::Open;
        }
    }

    /// Turns the client away with an HTTP status.
    pub fn refuse(&mut self, status: u16) {
        if let State::Asked(_) = self.state {
            let text = format!("HTTP/1.1 {status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            self.out.push(text.as_bytes());
            self.state = State::Failed(HandshakeError::Refused(status).into());
        }
    }

    /// True when messages may be sent: open, and no close was sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open) && !self.close_sent
    }

    /// True when the connection has ended from this end's view: once [`Ws::out`] is sent, the link
    /// may be dropped.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed(_))
    }

    /// Bytes to be sent, in order.
    pub fn out(&self) -> &[u8] {
        self.out.unsent()
    }

    /// The first `count` bytes of [`Ws::out`] were sent; they are wiped.
    pub fn sent(&mut self, count: usize) {
        self.out.sent(count);
    }

    /// Queues a text message. False, and nothing queued, unless [`Ws::is_open`].
    pub fn send_text(&mut self, text: &str) -> bool {
        self.send(frame::TEXT, text.as_bytes())
    }

    /// Queues a binary message. False, and nothing queued, unless [`Ws::is_open`].
    pub fn send_binary(&mut self, bytes: &[u8]) -> bool {
        self.send(frame::BINARY, bytes)
    }

    /// Queues a ping of at most 125 bytes. False, and nothing queued, when it is longer or the
    /// connection is not open.
    pub fn send_ping(&mut self, bytes: &[u8]) -> bool {
        bytes.len() <= 125 && self.send(frame::PING, bytes)
    }

    /// Queues a close, once; the reason is cut to what fits a control frame.
    pub fn close(&mut self, code: u16, reason: &str) {
        if let State::Open = self.state {
            self.queue_close(Some(code), reason);
        }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> bool {
        let open = self.is_open();
        if open {
            self.queue(opcode, payload);
        }
        open
    }

    fn queue_close(&mut self, code: Option<u16>, reason: &str) {
        if self.close_sent {
            return;
        }
        self.close_sent = true;
        let mut payload = Vec::with_capacity(125);
        if let Some(code) = code {
            payload.extend_from_slice(&code.to_be_bytes());
            payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
        }
        self.queue(frame::CLOSE, &payload);
    }

    fn queue(&mut self, opcode: u8, payload: &[u8]) {
        let mask = (!self.server).then(|| self.next_mask());
        let mut head = [0; HEAD_MAX];
        let head_len = Head::write(&mut head, true, opcode, payload.len(), mask);
        let into = self.out.extend(head_len + payload.len());
        into[..head_len].copy_from_slice(&head[..head_len]);
        into[head_len..].copy_from_slice(payload);
        if let Some(mask) = mask {
            frame::apply_mask(&mut into[head_len..], mask);
        }
    }

    /// The next mask of this connection (splitmix64); for frames that are made outside of it too.
    pub fn next_mask(&mut self) -> [u8; 4] {
        self.masks = self.masks.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.masks;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as u32).to_ne_bytes()
    }
}

#[cfg(test)]
mod tests;
