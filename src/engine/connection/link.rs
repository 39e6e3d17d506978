//! The part that both kinds of connection share: dialling, pauses, deadlines, sending.

use super::{Arrival, ConnectionConfig, SendError};
use crate::types::{Dial, Endpoint, Link, LinkError, Nanos, Received};
use crate::wire::http::HttpError;
use crate::wire::ws::WsError;

/// Why a connection is gone, or was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The link could not be made, or broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The peer broke the WebSocket protocol, or refused the handshake.
    #[error(transparent)]
    WebSocket(#[from] WsError),
    /// The peer broke HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The peer closed in good order.
    #[error("closed by the peer with code {0:?}")]
    Peer(Option<u16>),
    /// The connection was not open in time.
    #[error("not open in time")]
    OpenTimeout,
    /// Nothing came for too long.
    #[error("no sign of life")]
    Silent,
    /// An answer did not come in time.
    #[error("no answer in time")]
    AnswerTimeout,
    /// The owner asked for it.
    #[error("{0}")]
    Asked(&'static str),
}

/// Where the link stands.
pub(super) enum Line {
    /// Dial at this time.
    Down { dial_at: Nanos },
    /// Dialled, not ready.
    Dialling { link: Box<dyn Link>, until: Nanos },
    /// Bytes flow.
    Up { link: Box<dyn Link>, since: Nanos },
}

/// A link that is dialled again and again.
pub(super) struct Redial {
    dial: Box<dyn Dial>,
    pub endpoint: Endpoint,
    pub config: ConnectionConfig,
    pub line: Line,
    failures: u32,
    random: u64,
    pub arrival: Arrival,
}

/// What [`Redial::advance`] found.
pub(super) enum Progress {
    /// Nothing to do for now.
    Waiting,
    /// The link has just become ready.
    Ready,
    /// The link is ready as before.
    Up,
    /// The attempt failed; the next one is set.
    Failed(Reason),
}

impl Redial {
    pub fn new(dial: Box<dyn Dial>, endpoint: Endpoint, config: ConnectionConfig, seed: u64) -> Redial {
        let line = Line::Down { dial_at: Nanos(i64::MIN) };
        Redial { dial, endpoint, config, line, failures: 0, random: seed, arrival: Arrival::default() }
    }

    /// Dials when it is time and `wanted`, and drives the link until it is ready.
    pub fn advance(&mut self, wanted: bool, now: Nanos) -> Progress {
        if let Line::Down { dial_at } = self.line {
            if now < dial_at || !wanted {
                return Progress::Waiting;
            }
            match self.dial.dial(&self.endpoint) {
                Ok(link) => self.line = Line::Dialling { link, until: now + self.config.open_within },
                Err(error) => return self.failed(error.into(), now),
            }
        }
        let Line::Dialling { link, until } = &mut self.line else { return Progress::Up };
        match link.ready() {
            Ok(true) => {}
            Ok(false) if now < *until => return Progress::Waiting,
            Ok(false) => return self.failed(Reason::OpenTimeout, now),
            Err(error) => return self.failed(error.into(), now),
        }
        match std::mem::replace(&mut self.line, Line::Down { dial_at: now }) {
            Line::Dialling { link, .. } => {
                self.line = Line::Up { link, since: now };
                Progress::Ready
            }
            _ => Progress::Waiting,
        }
    }

    fn failed(&mut self, reason: Reason, now: Nanos) -> Progress {
        self.hang_up(now);
        Progress::Failed(reason)
    }

    /// Drops the link and sets the time to dial again.
    pub fn hang_up(&mut self, now: Nanos) {
        if let Line::Up { since, .. } = self.line
            && now - since >= self.config.stable_after
        {
            self.failures = 0;
        }
        let bound = self.config.backoff_first.0.max(0).saturating_mul(1 << self.failures.min(32));
        let bound = bound.min(self.config.backoff_most.0.max(0));
        self.failures = self.failures.saturating_add(1);
        self.line = Line::Down { dial_at: now + Nanos(self.draw(bound)) };
    }

    /// Drops a link that served its purpose (the server's last answer was given): the next may be
    /// dialled at once.
    pub fn hang_up_well(&mut self, now: Nanos) {
        self.failures = 0;
        self.line = Line::Down { dial_at: now };
    }

    /// Dials without a further pause, where it is down.
    pub fn hurry(&mut self) {
        if let Line::Down { dial_at } = &mut self.line {
            *dial_at = Nanos(i64::MIN);
        }
    }

    /// Evenly from zero to the bound (splitmix64).
    fn draw(&mut self, bound: i64) -> i64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((u128::from(z) * (bound.unsigned_abs() as u128 + 1)) >> 64) as i64
    }

    pub fn is_up(&self) -> bool {
        matches!(self.line, Line::Up { .. })
    }

    /// Bytes that wait in the link.
    pub fn backlog(&self) -> usize {
        match &self.line {
            Line::Up { link, .. } => link.backlog(),
            _ => 0,
        }
    }

    /// Receives into `space`; how many bytes came.
    pub fn recv(&mut self, space: &mut [u8], now: Nanos) -> Result<usize, LinkError> {
        let Line::Up { link, .. } = &mut self.line else { return Ok(0) };
        match link.recv(space)? {
            Some(received) => {
                let Received { kernel, wire_ns, ticks, len } = received;
                self.arrival = Arrival { kernel, wire_ns, ticks, local: now };
                Ok(len)
            }
            None => Ok(0),
        }
    }

    /// Hands bytes to the link, all or none: it must not hold too many already.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let most = self.config.backlog_most;
        let Line::Up { link, .. } = &mut self.line else { return Err(SendError::NotOpen) };
        match link.backlog() {
            waiting if waiting > most => Err(SendError::Backlog(waiting)),
            _ => link.send(bytes).map_err(SendError::Broken),
        }
    }

    pub fn flush(&mut self) -> Result<(), LinkError> {
        match &mut self.line {
            Line::Up { link, .. } if link.backlog() > 0 => link.flush().map(|_| ()),
            _ => Ok(()),
        }
    }
}
