//! Which of a venue's streams a public message is of, for statistics.

/// Fields that name a stream, the one that counts first.
const NAMES: [&str; 7] =
    ["\"stream\":", "\"topic\":", "\"channelName\":", "\"channel\":", "\"feed\":", "\"e\":", "\"type\":"];

/// The stream's name without its symbol: `depth@100ms`, `orderbook.200`, `book`, `book-10`; empty when
/// nothing names it.
pub fn stream_name(message: &[u8]) -> &str {
    let head = &message[..message.len().min(256)];
    if head.first() == Some(&b'[') {
        // [channel, {...}, "book-10", "XBT/USD"]
        let tail = &message[message.len().saturating_sub(128)..];
        return tail.rsplit(|&byte| byte == b'"').nth(3).map_or("", text);
    }
    let name = NAMES.iter().find_map(|name| value(head, name)).unwrap_or_default();
    if let Some((_, stream)) = name.split_once('@') {
        return stream;
    }
    name.rsplit_once('.').map_or(name, |(stream, _)| stream)
}

/// The text behind a field's name.
fn value<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let at = head.windows(name.len()).position(|part| part == name.as_bytes())?;
    let rest = head[at + name.len()..].trim_ascii_start().strip_prefix(b"\"")?;
    Some(text(&rest[..rest.iter().position(|&byte| byte == b'"')?]))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_without_their_symbol() {
        for (message, want) in [
            (r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate"}}"#, "depth@100ms"),
            (r#"{"e":"depthUpdate","s":"B"}"#, "depthUpdate"),
            (r#"{"topic":"orderbook.200.BTCUSDT","ts":1}"#, "orderbook.200"),
            (r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[]}"#, "books"),
            (r#"{"channel": "book", "type":"update"}"#, "book"),
            (r#"[7,{"b":[["1","2","3"]],"c":"1"},"book-10","XBT/USD"]"#, "book-10"),
            (r#"{"feed":"book","product_id":"PI_X"}"#, "book"),
            (r#"{"type":"l2update","product_id":"A-B"}"#, "l2update"),
            (r#"{"id":1}"#, ""),
            ("[]", ""),
            ("", ""),
        ] {
            assert_eq!(stream_name(message.as_bytes()), want, "{message}");
        }
    }
}
