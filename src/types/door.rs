//! The doors to the outside world. `host` opens real ones, `sim/net` virtual ones; no other module
//! opens, sleeps, spawns or reads a clock.

use std::fmt;

use super::Nanos;

/// What time it is. Decisions take their `now` from here, by argument.
pub trait Clock {
    /// Nanoseconds since the epoch.
    fn now(&self) -> Nanos;
}

/// A counter that only measures: its readings never reach a decision or the journal, so a replay
/// in virtual time still measures real hops.
pub trait Stopwatch {
    /// Ticks of some steady counter.
    fn ticks(&self) -> u64;
    /// The span from one reading to a later one, in nanoseconds.
    fn nanos(&self, from: u64, to: u64) -> u64;
}

/// Bytes that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Received {
    /// How many.
    pub len: usize,
    /// When the kernel had them, where it says.
    pub kernel: Option<Nanos>,
    /// How long the kernel had them before we did, in ns; zero where it does not say.
    pub wire_ns: u32,
    /// The [`Stopwatch`]'s reading once they were ours; zero where there is none.
    pub ticks: u64,
}

/// Why a link is of no more use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The peer closed, or the connection broke.
    #[error("connection closed: {0}")]
    Closed(String),
    /// The peer's certificate or handshake was refused; no application byte was sent.
    #[error("TLS: {0}")]
    Tls(String),
    /// The connection could not be made.
    #[error("cannot connect: {0}")]
    Connect(String),
}

/// A two-way stream of bytes that never blocks.
pub trait Link: Send {
    /// True once bytes can flow; drives connecting and handshakes meanwhile.
    fn ready(&mut self) -> Result<bool, LinkError>;

    /// Takes what has arrived, into the front of `into`; `None` when nothing has.
    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError>;

    /// Hands over all of `bytes`, in order: what the kernel does not take now is kept and sent by
    /// later calls of `flush`. Nothing is dropped unless the link breaks.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError>;

    /// Pushes out what is kept; true when nothing is.
    fn flush(&mut self) -> Result<bool, LinkError>;

    /// Bytes kept and not yet handed to the kernel.
    fn backlog(&self) -> usize;
}

/// Makes links.
pub trait Dial: Send {
    /// Starts to connect; never blocks. Failures come from the link's `ready`.
    fn dial(&mut self, to: &Endpoint) -> Result<Box<dyn Link>, LinkError>;
}

/// Where a connection goes: `scheme://host:port/path?query`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// `https` or `wss`.
    pub tls: bool,
    /// `ws` or `wss`.
    pub websocket: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, starting with `/`.
    pub target: String,
}

/// Why a URL was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}`: expected http, https, ws or wss, a host, and maybe a port and a path")]
pub struct EndpointError {
    url: String,
}

impl Endpoint {
    /// Reads a URL. No user names, no fragments; the port defaults to the scheme's.
    pub fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        let error = || EndpointError { url: url.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(error)?;
        let (tls, websocket) = match scheme {
            "http" => (false, false),
            "https" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            _ => return Err(error()),
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(split);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| error())?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        let clean = |s: &str| s.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if host.is_empty() || host.contains('@') || !clean(host) || !clean(target) {
            return Err(error());
        }
        let target = match target.as_bytes().first() {
            None => "/".to_owned(),
            Some(b'/') => target.to_owned(),
            Some(_) => format!("/{target}"),
        };
        Ok(Endpoint { tls, websocket, host: host.to_owned(), port, target })
    }

    /// The same host with another path and query.
    pub fn with_target(&self, target: &str) -> Endpoint {
        Endpoint { target: target.to_owned(), ..self.clone() }
    }

    /// True for addresses of this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host == "[::1]" || self.host.starts_with("127.")
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.websocket, self.tls) {
            (false, false) => "http",
            (false, true) => "https",
            (true, false) => "ws",
            (true, true) => "wss",
        };
        write!(f, "{scheme}://{}{}", self.host_header(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused() {
        for (url, want) in [
            (
                "wss://stream.binance.com:9443/ws/btcusdt@depth",
                "wss://stream.binance.com:9443/ws/btcusdt@depth",
            ),
            ("wss://stream.binance.com:443/ws", "wss://stream.binance.com/ws"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("https://x.test?a=b", "https://x.test/?a=b"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().to_string(), want);
        }
        for url in ["", "ftp://x", "wss://", "ws://a:b/", "https://user@host/", "ws://a b/"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
