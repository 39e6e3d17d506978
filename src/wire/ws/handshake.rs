//! The opening handshake (RFC 6455, section 4): one HTTP/1.1 request, one answer, each proving
//! that the other end means WebSocket.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::HandshakeError;
use crate::types::Endpoint;
use crate::wire::http::head_end;

/// Lines that a head may have.
const LINES_MAX: usize = 64;

/// What the answer's key must be, from the request's: fixed by the RFC.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The request for a WebSocket, as a server sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upgrade {
    /// Path and query.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    key: String,
}

pub(crate) fn accept_key(key: &str) -> String {
    let text = format!("{key}{GUID}");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// The request of a client.
pub(crate) fn request(
    to: &Endpoint,
    headers: &[(String, String)],
    key: &str,
) -> Result<String, HandshakeError> {
    let host = to.host_header();
    let clean = |text: &str| text.bytes().all(|b| b >= b' ' && b != 0x7F);
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let target_is_one = to.target.starts_with('/') && to.target.bytes().all(|b| b.is_ascii_graphic());
    if !target_is_one || !clean(&host) || headers.iter().any(|(name, value)| !word(name) || !clean(value)) {
        return Err(HandshakeError::Unsendable);
    }
    let mut text = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
        to.target
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    Ok(text)
}

/// Reads a server's answer; returns its length, `None` while it is not all there.
pub(crate) fn read_answer(
    bytes: &[u8],
    key: &str,
    subprotocol_asked: bool,
    head_max: usize,
) -> Result<Option<usize>, HandshakeError> {
    let Some(len) = whole_head(bytes, head_max)? else { return Ok(None) };
    let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
    let mut answer = httparse::Response::new(&mut lines);
    check_parse(answer.parse(&bytes[..len]), len)?;
    match (answer.version, answer.code) {
        (Some(1), Some(101)) => {}
        (_, Some(status)) if status != 101 => return Err(HandshakeError::Status(status)),
        _ => return Err(HandshakeError::Malformed),
    }
    expect(answer.headers, "upgrade", "websocket")?;
    expect(answer.headers, "connection", "upgrade")?;
    let mut accepts = values(answer.headers, "sec-websocket-accept");
    match (accepts.next(), accepts.next()) {
        (Some(got), None) if got.trim_ascii() == accept_key(key).as_bytes() => {}
        (None, _) => return Err(HandshakeError::Header("sec-websocket-accept")),
        _ => return Err(HandshakeError::AcceptKey),
    }
    if values(answer.headers, "sec-websocket-extensions").next().is_some() {
        return Err(HandshakeError::NotAskedFor("sec-websocket-extensions"));
    }
    if !subprotocol_asked && values(answer.headers, "sec-websocket-protocol").next().is_some() {
        return Err(HandshakeError::NotAskedFor("sec-websocket-protocol"));
    }
    Ok(Some(len))
}

/// Reads a client's request; returns it with its length, `None` while it is not all there.
pub(crate) fn read_request(
    bytes: &[u8],
    head_max: usize,
) -> Result<Option<(Upgrade, usize)>, HandshakeError> {
    let Some(len) = whole_head(bytes, head_max)? else { return Ok(None) };
    let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    check_parse(request.parse(&bytes[..len]), len)?;
    let (Some("GET"), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return Err(HandshakeError::Malformed);
    };
    if values(request.headers, "host").count() != 1 {
        return Err(HandshakeError::Header("host"));
    }
    expect(request.headers, "upgrade", "websocket")?;
    expect(request.headers, "connection", "upgrade")?;
    expect(request.headers, "sec-websocket-version", "13")?;
    let key = values(request.headers, "sec-websocket-key")
        .next()
        .and_then(|key| std::str::from_utf8(key.trim_ascii()).ok())
        .filter(|key| STANDARD.decode(key).is_ok_and(|raw| raw.len() == 16))
        .ok_or(HandshakeError::Header("sec-websocket-key"))?
        .to_owned();
    let headers = request
        .headers
        .iter()
        .map(|line| {
            let value = std::str::from_utf8(line.value).map_err(|_| HandshakeError::Malformed)?;
            Ok((line.name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect::<Result<_, HandshakeError>>()?;
    Ok(Some((Upgrade { target: target.to_owned(), headers, key }, len)))
}

/// The answer that opens the connection.
pub(crate) fn answer(upgrade: &Upgrade) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(&upgrade.key)
    )
}

fn whole_head(bytes: &[u8], head_max: usize) -> Result<Option<usize>, HandshakeError> {
    match head_end(bytes, 0) {
        Some(len) if len <= head_max => Ok(Some(len)),
        None if bytes.len() < head_max => Ok(None),
        _ => Err(HandshakeError::HeadTooLong),
    }
}

fn check_parse(parsed: httparse::Result<usize>, len: usize) -> Result<(), HandshakeError> {
    match parsed {
        Ok(httparse::Status::Complete(used)) if used == len => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::HeadTooLong),
        _ => Err(HandshakeError::Malformed),
    }
}

fn values<'a>(
    lines: &'a [httparse::Header<'a>],
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
}

/// One of the header's comma-separated words must be `word`, in any case.
fn expect(
    lines: &[httparse::Header<'_>],
    name: &'static str,
    word: &'static str,
) -> Result<(), HandshakeError> {
    let found = values(lines, name)
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()));
    if found { Ok(()) } else { Err(HandshakeError::Header(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and answer printed in RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn the_accept_key_is_the_one_in_the_rfc() {
        assert_eq!(accept_key(KEY), ACCEPT);
    }

    #[test]
    fn answers_are_accepted_or_refused_by_name() {
        let good = format!(
            "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
        );
        for (text, want) in [
            (format!("{good}\r\n"), Ok(Some(good.len() + 2))),
            (good.clone(), Ok(None)),
            ("HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\n\r\n".to_owned(), Err(HandshakeError::Status(429))),
            (good.replace("HTTP/1.1", "HTTP/1.0") + "\r\n", Err(HandshakeError::Malformed)),
            (good.replace(ACCEPT, KEY) + "\r\n", Err(HandshakeError::AcceptKey)),
            (good.replace("Upgrade: WebSocket\r\n", "") + "\r\n", Err(HandshakeError::Header("upgrade"))),
            (
                good.clone() + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                Err(HandshakeError::NotAskedFor("sec-websocket-extensions")),
            ),
            ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), Err(HandshakeError::Malformed)),
            ("x".repeat(5000), Err(HandshakeError::HeadTooLong)),
        ] {
            assert_eq!(read_answer(text.as_bytes(), KEY, false, 4096), want, "{text}");
        }
    }

    #[test]
    fn our_own_request_is_one_we_would_serve() {
        let to = Endpoint::parse("wss://x.test:9443/ws/a@b?c=d").unwrap();
        let text = request(&to, &[("X-Key".into(), "v".into())], KEY).unwrap();
        let (upgrade, len) = read_request(text.as_bytes(), 4096).unwrap().unwrap();
        assert_eq!((upgrade.target.as_str(), len), ("/ws/a@b?c=d", text.len()));
        assert!(upgrade.headers.contains(&("host".into(), "x.test:9443".into())));
        assert!(upgrade.headers.contains(&("x-key".into(), "v".into())));
        assert!(answer(&upgrade).contains(ACCEPT));
        for (name, value) in [("A", "b\r\nC: d"), ("A\r\n", ""), ("", "x"), ("a b", "x")] {
            let headers = [(name.to_owned(), value.to_owned())];
            assert_eq!(request(&to, &headers, KEY), Err(HandshakeError::Unsendable));
        }
        assert!(request(&to.with_target("/a b"), &[], KEY).is_err());
    }
}
