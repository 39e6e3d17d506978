//! Formats of one message a line, each line whole in itself.
//!
//! - `hftbacktest`: `<ns> <message>`; messages in a combined-stream wrapper `{"stream":…`, and what
//!   has no wrapper is the answer to a REST request. One file has one symbol.
//! - `feedlog`: `<ns>\t<label>\t<message>`.
//! - `cryptofeed-text`: `<url> <-> <s>` a connection, `<url> <- <s>: <message>` a message sent,
//!   `<s>: <message>` one received.

use super::record::{Record, RecordKind};
use crate::types::{self, Nanos, Scale};

/// Which of the line formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LineFormat {
    Stamped,
    Labelled,
    Dialogue,
}

impl LineFormat {
    pub fn name(self) -> &'static str {
        match self {
            LineFormat::Stamped => "hftbacktest",
            LineFormat::Labelled => "feedlog",
            LineFormat::Dialogue => "cryptofeed-text",
        }
    }

    /// The format that a first line is of.
    pub fn of(line: &[u8]) -> Option<LineFormat> {
        if let Some((head, rest)) = split(line, b" ")
            && nanos(head).is_some()
            && matches!(rest.first(), Some(b'{' | b'['))
        {
            return Some(LineFormat::Stamped);
        }
        if let Some((head, rest)) = split(line, b"\t")
            && nanos(head).is_some()
            && split(rest, b"\t").is_some()
        {
            return Some(LineFormat::Labelled);
        }
        let url = line.starts_with(b"ws://") || line.starts_with(b"wss://");
        let stamped = split(line, b": ")
            .is_some_and(|(head, rest)| seconds(head).is_some() && matches!(rest.first(), Some(b'{' | b'[')));
        let arrow = split(line, b" <-> ").is_some() || split(line, b" <- ").is_some();
        (stamped || url && arrow).then_some(LineFormat::Dialogue)
    }

    /// Reads a line; the connection's name is the second part of what comes back.
    pub fn read<'a>(self, line: &'a [u8], record: &mut Record) -> Result<&'a [u8], &'static str> {
        record.url.clear();
        record.bytes.clear();
        record.kind = RecordKind::Text;
        record.status = 0;
        match self {
            LineFormat::Stamped => {
                let what = "expected a time in ns, a space and a message";
                let (head, message) = split(line, b" ").ok_or(what)?;
                record.ts = Some(nanos(head).ok_or(what)?);
                if !message.starts_with(b"{\"stream\":") {
                    record.kind = RecordKind::HttpAnswer;
                    record.status = 200;
                }
                record.bytes.extend_from_slice(message);
                Ok(b"")
            }
            LineFormat::Labelled => {
                let what = "expected a time in ns, a tab, a label, a tab and a message";
                let (head, rest) = split(line, b"\t").ok_or(what)?;
                let (label, message) = split(rest, b"\t").ok_or(what)?;
                record.ts = Some(nanos(head).ok_or(what)?);
                record.bytes.extend_from_slice(message);
                Ok(label)
            }
            LineFormat::Dialogue => {
                let what = "expected `<url> <-> <s>`, `<url> <- <s>: <message>` or `<s>: <message>`";
                if !line.starts_with(b"ws") {
                    let (head, message) = split(line, b": ").ok_or(what)?;
                    record.ts = Some(seconds(head).ok_or(what)?);
                    record.bytes.extend_from_slice(message);
                    return Ok(b"");
                }
                let (url, rest) = match split(line, b" <-> ") {
                    Some((url, rest)) if !url.contains(&b' ') => {
                        record.kind = RecordKind::Connect;
                        record.ts = Some(seconds(rest).ok_or(what)?);
                        (url, &b""[..])
                    }
                    _ => {
                        let (url, rest) = split(line, b" <- ").ok_or(what)?;
                        let (head, message) = split(rest, b": ").ok_or(what)?;
                        record.kind = RecordKind::Sent;
                        record.ts = Some(seconds(head).ok_or(what)?);
                        (url, message)
                    }
                };
                record.url.push_str(std::str::from_utf8(url).map_err(|_| what)?);
                record.bytes.extend_from_slice(rest);
                Ok(b"")
            }
        }
    }
}

/// The symbol that a combined-stream message is about: `btcusdt` of `{"stream":"btcusdt@depth"…`.
pub(super) fn stream_symbol(line: &[u8]) -> Option<&str> {
    let (_, rest) = split(line, b"{\"stream\":\"")?;
    let (name, _) = split(rest, b"@")?;
    std::str::from_utf8(name).ok().filter(|name| name.len() <= 64 && !name.contains('"'))
}

/// The first `mark` splits the text in two.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// Nanoseconds since the epoch: 16 digits at the least, so that seconds are not taken for them.
fn nanos(text: &[u8]) -> Option<Nanos> {
    let digits = (16..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let scale = Scale::new(0)?;
    digits.then(|| types::parse(text, scale).ok().map(Nanos)).flatten()
}

/// Seconds since the epoch with any decimals; beyond nanoseconds they are cut off.
pub(super) fn seconds(text: &[u8]) -> Option<Nanos> {
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let text = if text.contains(&b'e') || text.contains(&b'E') {
        text
    } else {
        text.get(..(point + 10).min(text.len()))?
    };
    types::parse(text, Scale::new(9)?).ok().filter(|&ns| ns >= 0).map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_and_read() {
        for (line, format, ts, conn, kind, bytes) in [
            (
                r#"1723161253937085768 {"stream":"btcusdt@depth","data":{}}"#,
                LineFormat::Stamped,
                1_723_161_253_937_085_768,
                "",
                RecordKind::Text,
                r#"{"stream":"btcusdt@depth","data":{}}"#,
            ),
            (
                r#"1723161254206652067 {"lastUpdateId":1}"#,
                LineFormat::Stamped,
                1_723_161_254_206_652_067,
                "",
                RecordKind::HttpAnswer,
                r#"{"lastUpdateId":1}"#,
            ),
            (
                "1786225266612221000\tvenue\t{\"a\": 1}",
                LineFormat::Labelled,
                1_786_225_266_612_221_000,
                "venue",
                RecordKind::Text,
                "{\"a\": 1}",
            ),
            (
                r#"1618677817.077736: {"type":"snapshot"}"#,
                LineFormat::Dialogue,
                1_618_677_817_077_736_000,
                "",
                RecordKind::Text,
                r#"{"type":"snapshot"}"#,
            ),
            (
                "wss://x.test <-> 1618677816.8434298",
                LineFormat::Dialogue,
                1_618_677_816_843_429_800,
                "",
                RecordKind::Connect,
                "",
            ),
            (
                r#"wss://x.test <- 1618677817.02: {"a":": "}"#,
                LineFormat::Dialogue,
                1_618_677_817_020_000_000,
                "",
                RecordKind::Sent,
                r#"{"a":": "}"#,
            ),
        ] {
            assert_eq!(LineFormat::of(line.as_bytes()), Some(format), "{line}");
            let mut record = Record::default();
            assert_eq!(format.read(line.as_bytes(), &mut record), Ok(conn.as_bytes()), "{line}");
            assert_eq!((record.ts, record.kind), (Some(Nanos(ts)), kind), "{line}");
            assert_eq!(String::from_utf8_lossy(&record.bytes), bytes);
        }
        for line in
            ["", "{}", "123 {}", "hello world", "1723161253937085768 hello", "12: {}x", "wss://x.test"]
        {
            let format = LineFormat::of(line.as_bytes());
            assert!(format.is_none() || line == "12: {}x", "{line}: {format:?}");
        }
    }

    #[test]
    fn seconds_keep_their_digits() {
        for (text, want) in [
            ("1633998512.0633569", Some(1_633_998_512_063_356_900)),
            ("1633998512", Some(1_633_998_512_000_000_000)),
            ("1633998512.12345678912", Some(1_633_998_512_123_456_789)),
            ("1.6e9", Some(1_600_000_000_000_000_000)),
            ("-1", None),
            ("1e99", None),
            ("x", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), want.map(Nanos), "{text}");
        }
    }

    #[test]
    fn a_wrapped_message_names_its_symbol() {
        assert_eq!(stream_symbol(b"1 {\"stream\":\"btcusdt@trade\",\"data\":1}"), Some("btcusdt"));
        assert_eq!(stream_symbol(b"1 {\"lastUpdateId\":1}"), None);
    }
}
