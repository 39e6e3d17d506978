//! A WebSocket that is kept open.

use super::link::{Progress, Redial};
use super::{Arrival, ConnectionConfig, Reason, SendError};
use crate::types::{Dial, Endpoint, Nanos};
use crate::wire::Padded;
use crate::wire::ws::{Message, Step, Ws};

/// Receives tried in one poll before the caller gets its turn back.
const RECEIVES_MAX: usize = 16;

/// What happened on a WebSocket.
#[derive(Clone, Debug)]
pub enum WsEvent<'a> {
    /// The handshake is done: messages may be sent.
    Opened,
    /// A text message.
    Text(Padded<'a>, Arrival),
    /// A binary message.
    Binary(Padded<'a>, Arrival),
    /// A pong, with what it carries.
    Pong(&'a [u8], Arrival),
    /// The open connection is gone; another one is dialled after a pause.
    Closed(Reason),
    /// An attempt to open one failed; another is made after a pause.
    Unreachable(Reason),
}

/// A WebSocket client with its link.
pub struct WsConnection {
    redial: Redial,
    headers: Vec<(String, String)>,
    /// `None` while the link is not up.
    ws: Option<Ws>,
    opened: bool,
    open_until: Nanos,
    heard: Nanos,
    pinged: Nanos,
    mask_seed: u64,
    /// What ended the connection, found while sending.
    broken: Option<Reason>,
}

/// An event by its place.
enum Found {
    Opened,
    Message(Step),
    Closed(Reason),
    Unreachable(Reason),
}

impl WsConnection {
    /// A connection that dials at its first poll, once its endpoint has a target. `seed` gives pauses, keys and masks.
    pub fn new(
        dial: Box<dyn Dial>,
        endpoint: Endpoint,
        headers: Vec<(String, String)>,
        config: ConnectionConfig,
        seed: u64,
    ) -> WsConnection {
        WsConnection {
            redial: Redial::new(dial, endpoint, config, seed),
            headers,
            ws: None,
            opened: false,
            open_until: Nanos::ZERO,
            heard: Nanos::ZERO,
            pinged: Nanos::ZERO,
            mask_seed: !seed,
            broken: None,
        }
    }

    /// Does what is due and returns the next event; `None` = nothing for now. Call it until then.
    pub fn poll(&mut self, now: Nanos) -> Option<WsEvent<'_>> {
        Some(match self.find(now)? {
            Found::Opened => WsEvent::Opened,
            Found::Closed(reason) => WsEvent::Closed(reason),
            Found::Unreachable(reason) => WsEvent::Unreachable(reason),
            Found::Message(step) => match self.ws.as_ref()?.view(step) {
                Message::Text(text) => WsEvent::Text(text, self.redial.arrival),
                Message::Binary(bytes) => WsEvent::Binary(bytes, self.redial.arrival),
                Message::Pong(bytes) => WsEvent::Pong(bytes, self.redial.arrival),
                Message::Open | Message::Closed { .. } => return None,
            },
        })
    }

    /// True when messages may be sent.
    pub fn is_open(&self) -> bool {
        self.opened && self.broken.is_none() && self.ws.as_ref().is_some_and(Ws::is_open)
    }

    /// Bytes that wait to be sent.
    pub fn backlog(&self) -> usize {
        self.redial.backlog() + self.ws.as_ref().map_or(0, |ws| ws.out().len())
    }

    /// Where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.redial.endpoint
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// Tells whether any of it may have left.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.check_room()?;
        let Some(ws) = &mut self.ws else { return Err(SendError::NotOpen) };
        ws.send_text(text);
        self.push_out()
    }

    /// Sends an order: bytes that are a whole masked frame already
    /// ([`frame_client_text`](crate::wire::ws::frame_client_text)). Where they would have to wait behind
    /// others that the kernel does not take, they are not sent: what let them pass is of now.
    ///
    /// # Errors
    /// Tells whether any of it may have left.
    pub fn send_framed(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.check_room()?;
        // What is queued is ours (pongs, pings): if it does not go, this did not go either.
        self.push_out().map_err(|_| SendError::NotOpen)?;
        if let waiting @ 1.. = self.redial.backlog() {
            return Err(SendError::Backlog(waiting));
        }
        let sent = self.redial.send(frame);
        self.note(sent)
    }

    /// Goes elsewhere from the next connection on. One that was waiting to dial does so at once.
    pub fn aim(&mut self, endpoint: Endpoint) {
        if self.redial.endpoint != endpoint {
            self.redial.endpoint = endpoint;
            self.redial.hurry();
        }
    }

    /// Closes this connection and dials another; the reason comes back in [`WsEvent::Closed`].
    pub fn reconnect(&mut self, why: &'static str) {
        if let Some(ws) = &mut self.ws {
            ws.close(1000, "");
            let _ = self.push_out();
        }
        if self.redial.is_up() {
            self.broken.get_or_insert(Reason::Asked(why));
        }
    }

    fn check_room(&self) -> Result<(), SendError> {
        match self.backlog() {
            _ if !self.is_open() => Err(SendError::NotOpen),
            waiting if waiting > self.redial.config.backlog_most => Err(SendError::Backlog(waiting)),
            _ => Ok(()),
        }
    }

    /// Hands what the codec queued to the link.
    fn push_out(&mut self) -> Result<(), SendError> {
        let Some(ws) = &mut self.ws else { return Ok(()) };
        if ws.out().is_empty() {
            return Ok(());
        }
        match self.redial.send(ws.out()) {
            // It waits in the codec until the link has room; the codec has its own bound.
            Err(SendError::Backlog(_)) => Ok(()),
            sent => {
                let count = ws.out().len();
                ws.sent(count);
                self.note(sent)
            }
        }
    }

    fn note(&mut self, sent: Result<(), SendError>) -> Result<(), SendError> {
        if let Err(SendError::Broken(error)) = &sent {
            self.broken.get_or_insert(Reason::Link(error.clone()));
        }
        sent
    }

    fn find(&mut self, now: Nanos) -> Option<Found> {
        if let Some(reason) = self.broken.take() {
            // What came before the link broke still counts: it may hold fills.
            if let (Reason::Link(_), Some(Ok(Some(step @ (Step::Text(_) | Step::Binary(_)))))) =
                (&reason, self.ws.as_mut().map(Ws::step))
            {
                self.broken = Some(reason);
                return Some(Found::Message(step));
            }
            return Some(self.gone(reason, now));
        }
        let known = !self.redial.endpoint.target.is_empty();
        match self.redial.advance(known, now) {
            Progress::Waiting => return None,
            Progress::Failed(reason) => return Some(Found::Unreachable(reason)),
            Progress::Ready => {
                self.mask_seed = self.mask_seed.wrapping_add(0x632B_E59B_D9B4_E019);
                let limits = self.redial.config.ws;
                match Ws::client(&self.redial.endpoint, &self.headers, self.mask_seed, limits) {
                    Ok(ws) => self.ws = Some(ws),
                    Err(error) => return Some(self.gone(error.into(), now)),
                }
                self.open_until = now + self.redial.config.open_within;
                (self.heard, self.pinged) = (now, now);
            }
            Progress::Up => {}
        }
        let found = self.receive(now);
        if found.is_none() {
            self.check_silence(now);
        }
        // Answers to pings and closes go out before anything is made of what came.
        let _ = self.push_out();
        if let Err(error) = self.redial.flush() {
            self.broken.get_or_insert(error.into());
        }
        match found {
            Some(Err(reason)) => Some(self.gone(reason, now)),
            Some(Ok(Step::Open)) => {
                self.opened = true;
                Some(Found::Opened)
            }
            Some(Ok(Step::Closed(code, _))) => Some(self.gone(Reason::Peer(code), now)),
            Some(Ok(step)) => Some(Found::Message(step)),
            None => self.broken.take().map(|reason| self.gone(reason, now)),
        }
    }

    /// The next message, from what has arrived or what arrives now.
    fn receive(&mut self, now: Nanos) -> Option<Result<Step, Reason>> {
        let ws = self.ws.as_mut()?;
        for _ in 0..RECEIVES_MAX {
            match ws.step() {
                Ok(Some(step)) => return Some(Ok(step)),
                Ok(None) => {}
                Err(error) => return Some(Err(error.into())),
            }
            match self.redial.recv(ws.space(), now) {
                Ok(0) => return None,
                Ok(count) => {
                    ws.filled(count);
                    self.heard = now;
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
        None
    }

    fn check_silence(&mut self, now: Nanos) {
        let config = self.redial.config;
        if !self.opened {
            if now >= self.open_until {
                self.broken.get_or_insert(Reason::OpenTimeout);
            }
        } else if now - self.heard >= config.drop_after {
            self.broken.get_or_insert(Reason::Silent);
        } else if now - self.heard.max(self.pinged) >= config.ping_after {
            self.pinged = now;
            if let Some(ws) = &mut self.ws {
                ws.send_ping(b"");
            }
        }
    }

    fn gone(&mut self, reason: Reason, now: Nanos) -> Found {
        self.ws = None;
        self.broken = None;
        self.redial.hang_up(now);
        if std::mem::take(&mut self.opened) { Found::Closed(reason) } else { Found::Unreachable(reason) }
    }
}
