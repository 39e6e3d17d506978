//! HTTP/1.1 without I/O, as much as order entry needs (RFC 9112): a client that matches answers to
//! requests and says what became of each, and a server for simulated venues.
//!
//! Nothing is sent twice and no redirect is followed: what an answer means is the caller's to
//! decide. A message whose length could be read in two ways is refused.

mod body;
mod client;
mod server;

pub use client::{HttpClient, Request, Response, Unanswered};
pub use server::{HttpServer, Incoming, Received};

/// What a peer may make us hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// Bytes of a head.
    pub head: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Lines of a head, at most [`HttpLimits::HEADERS_MAX`].
    pub headers: usize,
    /// Requests that may wait to be sent.
    pub queue: usize,
    /// Requests that may be under way at once; 1 = the next waits for the answer.
    pub pipeline: usize,
}

impl HttpLimits {
    /// Most lines that a head may have, whatever the limits say.
    pub const HEADERS_MAX: usize = 128;
    /// Room for the largest book snapshots; no pipelining.
    pub const DEFAULT: HttpLimits =
        HttpLimits { head: 16 << 10, body: 32 << 20, headers: 100, queue: 1024, pipeline: 1 };
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits::DEFAULT
    }
}

/// Why an HTTP connection cannot go on, or a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Bytes that are not HTTP/1.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Beyond one of the [`HttpLimits`].
    #[error("{what} longer than {limit}")]
    TooLong {
        /// What.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// An answer that nobody asked for.
    #[error("answer to no request")]
    Unsolicited,
    /// An answer with status 101.
    #[error("protocol switch that was not asked for")]
    Switched,
    /// The connection ended inside a message.
    #[error("connection ended inside a message")]
    CutShort,
    /// A request with a byte that would end its line; nothing was queued.
    #[error("method, target or header holds a byte that it must not")]
    Unsendable,
    /// The queue is full; nothing was queued.
    #[error("{0} requests are waiting")]
    QueueFull(usize),
}

/// Where a head ends (the position after its empty line), searching from `from` on.
pub(crate) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3).min(bytes.len());
    bytes[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Header lines with names in lower case, in strings that are used again and again.
#[derive(Default)]
struct Headers {
    lines: Vec<(String, String)>,
    used: usize,
}

impl Headers {
    fn fill(&mut self, parsed: &[httparse::Header<'_>]) -> Result<(), HttpError> {
        self.used = 0;
        for line in parsed {
            let value = std::str::from_utf8(line.value).map_err(|_| HttpError::Malformed("header"))?;
            if self.used == self.lines.len() {
                self.lines.push(Default::default());
            }
            let (name, text) = &mut self.lines[self.used];
            name.clear();
            name.push_str(line.name);
            name.make_ascii_lowercase();
            text.clear();
            text.push_str(value.trim_ascii());
            self.used += 1;
        }
        Ok(())
    }

    fn all(&self) -> &[(String, String)] {
        &self.lines[..self.used]
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all().iter().filter(move |line| line.0 == name).map(|line| line.1.as_str())
    }

    /// True when one of the header's comma-separated words is this one.
    fn has_word(&self, name: &str, word: &str) -> bool {
        self.values(name).flat_map(|value| value.split(',')).any(|w| w.trim().eq_ignore_ascii_case(word))
    }
}

/// Reads how long a body is, from the headers alone; `None` = they do not say.
fn announced(headers: &Headers) -> Result<Option<Length>, HttpError> {
    let coded = headers.values("transfer-encoding").count();
    let mut lengths = headers.values("content-length");
    match (coded, lengths.next()) {
        (0, None) => Ok(None),
        (0, Some(length)) => {
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let value = length.parse().ok().filter(|_| digits);
            if lengths.any(|other| other != length) {
                return Err(HttpError::Malformed("content-length: two of them"));
            }
            value.map(|n| Some(Length::Known(n))).ok_or(HttpError::Malformed("content-length"))
        }
        (1, None) if headers.values("transfer-encoding").all(|v| v.eq_ignore_ascii_case("chunked")) => {
            Ok(Some(Length::Chunked))
        }
        (_, Some(_)) => Err(HttpError::Malformed("content-length beside transfer-encoding")),
        _ => Err(HttpError::Malformed("transfer-encoding")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

/// Writes header lines and what the body needs; refuses bytes that would end a line.
fn push_line(out: &mut String, name: &str, value: &str) -> Result<(), HttpError> {
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if !word || value.bytes().any(|b| b < b' ' || b == 0x7F) {
        return Err(HttpError::Unsendable);
    }
    for part in [name, ": ", value, "\r\n"] {
        out.push_str(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
