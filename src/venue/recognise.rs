//! Which venue is this? By the address of a connection, or, where a capture names none, by the look
//! of its messages. Also tells a venue's live hosts from its sandbox.
//!
//! Knows more venues than the registry: a capture of one that is not supported is named, instead of
//! being taken for something else.

/// What a capture tells of a connection before anything of it is decoded. Each part may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clue<'a> {
    /// Where it went: a WebSocket's URL, or that of an HTTP answer.
    pub url: &'a str,
    /// One message as it came.
    pub message: &'a [u8],
}

/// What may be reached at a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostKind {
    /// Real markets, real money.
    Live,
    /// The venue's own sandbox.
    Sandbox,
    /// Both: a request to the sandbox says that it is one.
    Shared,
}

use HostKind::{Live, Sandbox, Shared};

/// Hosts, the beginning of the path or a part of the query where one host serves several markets,
/// and whose they are.
const HOSTS: &[(&str, &str, &str, HostKind)] = &[
    ("api.binance.com", "", "binance.spot", Live),
    ("api-gcp.binance.com", "", "binance.spot", Live),
    ("api1.binance.com", "", "binance.spot", Live),
    ("api2.binance.com", "", "binance.spot", Live),
    ("api3.binance.com", "", "binance.spot", Live),
    ("api4.binance.com", "", "binance.spot", Live),
    ("data-api.binance.vision", "", "binance.spot", Live),
    ("data-stream.binance.vision", "", "binance.spot", Live),
    ("stream.binance.com", "", "binance.spot", Live),
    ("stream-sbe.binance.com", "", "binance.spot", Live),
    ("ws-api.binance.com", "", "binance.spot", Live),
    ("testnet.binance.vision", "", "binance.spot", Sandbox),
    ("api1.testnet.binance.vision", "", "binance.spot", Sandbox),
    ("stream.testnet.binance.vision", "", "binance.spot", Sandbox),
    ("stream-sbe.testnet.binance.vision", "", "binance.spot", Sandbox),
    ("demo-stream-sbe.binance.com", "", "binance.spot", Sandbox),
    ("ws-api.testnet.binance.vision", "", "binance.spot", Sandbox),
    ("demo-api.binance.com", "", "binance.spot", Sandbox),
    ("demo-stream.binance.com", "", "binance.spot", Sandbox),
    ("demo-ws-api.binance.com", "", "binance.spot", Sandbox),
    ("fapi.binance.com", "", "binance.usdm", Live),
    ("fstream.binance.com", "", "binance.usdm", Live),
    ("ws-fapi.binance.com", "", "binance.usdm", Live),
    ("demo-fapi.binance.com", "", "binance.usdm", Sandbox),
    ("demo-fstream.binance.com", "", "binance.usdm", Sandbox),
    ("testnet.binancefuture.com", "/dapi", "binance.coinm", Sandbox),
    ("testnet.binancefuture.com", "/ws-dapi", "binance.coinm", Sandbox),
    ("testnet.binancefuture.com", "", "binance.usdm", Sandbox),
    ("fstream.binancefuture.com", "", "binance.usdm", Sandbox),
    ("dapi.binance.com", "", "binance.coinm", Live),
    ("dstream.binance.com", "", "binance.coinm", Live),
    ("ws-dapi.binance.com", "", "binance.coinm", Live),
    ("dstream.binancefuture.com", "", "binance.coinm", Sandbox),
    ("demo-dapi.binance.com", "", "binance.coinm", Sandbox),
    ("demo-dstream.binance.com", "", "binance.coinm", Sandbox),
    ("api.kraken.com", "", "kraken.spot", Live),
    ("ws.kraken.com", "", "kraken.spot", Live),
    ("ws-auth.kraken.com", "", "kraken.spot", Live),
    ("ws-l3.kraken.com", "", "kraken.spot", Live),
    ("beta-ws.kraken.com", "", "kraken.spot", Sandbox),
    ("beta-ws-auth.kraken.com", "", "kraken.spot", Sandbox),
    ("futures.kraken.com", "", "kraken.futures", Live),
    ("demo-futures.kraken.com", "", "kraken.futures", Sandbox),
    ("api.coinbase.com", "", "coinbase.advanced", Live),
    ("advanced-trade-ws.coinbase.com", "", "coinbase.advanced", Live),
    ("advanced-trade-ws-user.coinbase.com", "", "coinbase.advanced", Live),
    ("api-sandbox.coinbase.com", "", "coinbase.advanced", Sandbox),
    ("api.exchange.coinbase.com", "", "coinbase.exchange", Live),
    ("ws-direct.exchange.coinbase.com", "", "coinbase.exchange", Live),
    ("api-us.dma.prime.coinbase.com", "", "coinbase.exchange", Live),
    ("ws-us.dma.prime.coinbase.com", "", "coinbase.exchange", Live),
    ("ws-us-direct.dma.prime.coinbase.com", "", "coinbase.exchange", Live),
    ("api.pro.coinbase.com", "", "coinbase.exchange", Live),
    ("ws-feed.exchange.coinbase.com", "", "coinbase.exchange", Live),
    ("ws-feed.pro.coinbase.com", "", "coinbase.exchange", Live),
    ("api-public.sandbox.exchange.coinbase.com", "", "coinbase.exchange", Sandbox),
    ("ws-feed-public.sandbox.exchange.coinbase.com", "", "coinbase.exchange", Sandbox),
    ("ws-direct.sandbox.exchange.coinbase.com", "", "coinbase.exchange", Sandbox),
    ("api.bybit.com", "category=spot", "bybit.spot", Live),
    ("api.bybit.com", "category=linear", "bybit.linear", Live),
    ("api.bybit.com", "category=inverse", "bybit.inverse", Live),
    ("api.bytick.com", "category=spot", "bybit.spot", Live),
    ("api.bytick.com", "category=linear", "bybit.linear", Live),
    ("api.bytick.com", "category=inverse", "bybit.inverse", Live),
    ("api-testnet.bybit.com", "category=spot", "bybit.spot", Sandbox),
    ("api-testnet.bybit.com", "category=linear", "bybit.linear", Sandbox),
    ("api-testnet.bybit.com", "category=inverse", "bybit.inverse", Sandbox),
    ("api-demo.bybit.com", "category=spot", "bybit.spot", Sandbox),
    ("api-demo.bybit.com", "category=linear", "bybit.linear", Sandbox),
    ("api-demo.bybit.com", "category=inverse", "bybit.inverse", Sandbox),
    ("stream-demo.bybit.com", "category=spot", "bybit.spot", Sandbox),
    ("stream-demo.bybit.com", "category=linear", "bybit.linear", Sandbox),
    ("stream-demo.bybit.com", "category=inverse", "bybit.inverse", Sandbox),
    ("stream.bybit.com", "/v5/public/linear", "bybit.linear", Live),
    ("stream.bybit.com", "/v5/public/spot", "bybit.spot", Live),
    ("stream.bybit.com", "/v5/public/inverse", "bybit.inverse", Live),
    ("stream-testnet.bybit.com", "/v5/public/linear", "bybit.linear", Sandbox),
    ("stream-testnet.bybit.com", "/v5/public/spot", "bybit.spot", Sandbox),
    ("stream-testnet.bybit.com", "/v5/public/inverse", "bybit.inverse", Sandbox),
    // One host serves all markets: as the source of a recording it is known by the first, and by symbols
    // it is told apart.
    ("openapi.okx.com", "", "okx.spot", Shared),
    ("www.okx.com", "", "okx.spot", Shared),
    ("us.okx.com", "", "okx.spot", Shared),
    ("eea.okx.com", "", "okx.spot", Shared),
    ("ws.okx.com", "", "okx.spot", Live),
    ("wsaws.okx.com", "", "okx.spot", Live),
    ("wsus.okx.com", "", "okx.spot", Live),
    ("wseea.okx.com", "", "okx.spot", Live),
    ("wspap.okx.com", "", "okx.spot", Sandbox),
    ("wsuspap.okx.com", "", "okx.spot", Sandbox),
    ("wseeapap.okx.com", "", "okx.spot", Sandbox),
    ("openapi.okx.com", "", "okx.swap", Shared),
    ("www.okx.com", "", "okx.swap", Shared),
    ("us.okx.com", "", "okx.swap", Shared),
    ("eea.okx.com", "", "okx.swap", Shared),
    ("ws.okx.com", "", "okx.swap", Live),
    ("wsaws.okx.com", "", "okx.swap", Live),
    ("wsus.okx.com", "", "okx.swap", Live),
    ("wseea.okx.com", "", "okx.swap", Live),
    ("wspap.okx.com", "", "okx.swap", Sandbox),
    ("wsuspap.okx.com", "", "okx.swap", Sandbox),
    ("wseeapap.okx.com", "", "okx.swap", Sandbox),
];

/// The venue's name, whether or not it is supported; `None` when the clue does not settle it.
pub fn recognise(clue: &Clue<'_>) -> Option<&'static str> {
    by_url(clue.url).or_else(|| by_message(clue.message))
}

/// The venue of a symbol that came from there: where markets share an address, and a connection is known
/// by the first of them, the symbol's form tells whose it is.
pub fn of_symbol(id: &'static str, symbol: &str) -> &'static str {
    if id == "okx.spot" && symbol.ends_with("-SWAP") { "okx.swap" } else { id }
}

/// What stands at this host of a venue; `None` for a host that is not known to be the venue's.
pub fn host_kind(venue: &str, host: &str) -> Option<HostKind> {
    let host = host.to_ascii_lowercase();
    HOSTS.iter().find(|row| row.2 == venue && row.0 == host).map(|row| row.3)
}

fn by_url(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    let host = authority.split(':').next()?.to_ascii_lowercase();
    let told = |mark: &str| {
        path.starts_with(mark) || (mark.contains('=') && path.split(['?', '&']).any(|part| part == mark))
    };
    HOSTS.iter().find(|row| row.0 == host && told(row.1)).map(|row| row.2)
}

/// Each venue's book, ticker and subscription messages have a look of their own; trades and
/// heartbeats mostly have not, and settle nothing.
fn by_message(message: &[u8]) -> Option<&'static str> {
    let head = &message[..message.len().min(4096)];
    let has = |needle: &str| head.windows(needle.len()).any(|part| part == needle.as_bytes());
    // One operator's three markets spell the same messages with more or fewer fields.
    if has(r#""e":"depthUpdate""#) || has(r#"@bookTicker""#) || has(r#""e":"bookTicker""#) {
        return Some(match (has(r#""ps":"#), has(r#""pu":"#) || has(r#""e":"bookTicker""#)) {
            (true, _) => "binance.coinm",
            (false, true) => "binance.usdm",
            (false, false) => "binance.spot",
        });
    }
    if has(r#""lastUpdateId":"#) && has(r#""bids":"#) {
        return Some(match (has(r#""pair":"#), has(r#""T":"#)) {
            (true, _) => "binance.coinm",
            (false, true) => "binance.usdm",
            (false, false) => "binance.spot",
        });
    }
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if *first == b'[' {
        // [channel, {...}, "book-10", "XBT/USD"]
        let tail = &message[message.len().saturating_sub(256)..];
        let named = |name: &[u8]| tail.windows(name.len()).any(|part| part == name);
        return (named(b"\"book-") || named(b"\"ticker\"") || named(b"\"trade\"")).then_some("kraken.spot");
    }
    let spaced = |key: &str, value: &str| {
        has(&format!(r#""{key}":"{value}"#)) || has(&format!(r#""{key}": "{value}"#))
    };
    if has(r#""channelName":"#) && (spaced("channelName", "book-") || has(r#""pair":"#)) {
        return Some("kraken.spot");
    }
    if spaced("channel", "book\"") && has(r#""data":"#) && has(r#""symbol":"#) {
        return Some("kraken.spot");
    }
    if spaced("channel", "instrument\"") && has(r#""pairs":"#) {
        return Some("kraken.spot");
    }
    if (spaced("feed", "book\"") || spaced("feed", "book_snapshot\"")) && has(r#""product_id":"#) {
        return Some("kraken.futures");
    }
    if spaced("channel", "l2_data\"") && has(r#""events":"#) {
        return Some("coinbase.advanced");
    }
    if has(r#""product_id":"#) && (spaced("type", "l2update\"") || spaced("type", "snapshot\"")) {
        return Some("coinbase.exchange");
    }
    if spaced("topic", "orderbook.") {
        // Its markets send the same messages: only the address settles which.
        return Some("bybit.spot");
    }
    let book = spaced("channel", "books") || spaced("channel", "bbo-tbt");
    if has(r#""arg":"#) && book && has(r#""instId":"#) {
        return Some("okx.spot");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_the_venue() {
        for (url, want) in [
            ("wss://stream.binance.com:9443/stream?streams=a", Some("binance.spot")),
            ("https://fapi.binance.com/fapi/v1/depth?symbol=X", Some("binance.usdm")),
            ("wss://testnet.binancefuture.com/ws-fapi/v1", Some("binance.usdm")),
            ("wss://testnet.binancefuture.com/ws-dapi/v1", Some("binance.coinm")),
            ("wss://ws.kraken.com", Some("kraken.spot")),
            ("wss://WS.kraken.com/v2", Some("kraken.spot")),
            ("wss://futures.kraken.com/ws/v1", Some("kraken.futures")),
            ("wss://stream.bybit.com/v5/public/linear", Some("bybit.linear")),
            ("wss://stream.bybit.com/v5/public/spot", Some("bybit.spot")),
            (
                "https://api.bybit.com/v5/market/instruments-info?&category=linear&limit=9",
                Some("bybit.linear"),
            ),
            ("https://api.bybit.com/v5/market/orderbook?category=spot", Some("bybit.spot")),
            ("https://api.bybit.com/v5/market/time", None),
            ("https://api.bybit.com/category=spot", None),
            ("wss://wspap.okx.com:8443/ws/v5/public", Some("okx.spot")),
            ("wss://evil.test/stream.binance.com", None),
            ("stream.binance.com", None),
            ("", None),
        ] {
            assert_eq!(recognise(&Clue { url, message: b"" }), want, "{url}");
        }
    }

    #[test]
    fn messages_tell_the_venue() {
        for (message, want) in [
            (r#"{"stream":"b@trade","data":{"e":"trade","E":1,"T":2,"s":"B"}}"#, None),
            (r#"{"stream":"b@bookTicker","data":{"u":1,"s":"B","b":"1"}}"#, Some("binance.spot")),
            (r#"{"stream":"b@bookTicker","data":{"e":"bookTicker","u":1}}"#, Some("binance.usdm")),
            (r#"{"data":{"u":1,"e":"bookTicker","s":"B_PERP","ps":"BUSD"}}"#, Some("binance.coinm")),
            (r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":2,"b":[]}"#, Some("binance.spot")),
            (r#"{"e":"depthUpdate","E":1,"T":1,"s":"B","U":1,"u":2,"pu":0}"#, Some("binance.usdm")),
            (r#"{"e":"depthUpdate","s":"B","ps":"BUSD","U":1,"u":2,"pu":0}"#, Some("binance.coinm")),
            (r#"{"lastUpdateId":1,"bids":[]}"#, Some("binance.spot")),
            (r#"{"lastUpdateId":1,"E":1,"T":1,"bids":[]}"#, Some("binance.usdm")),
            (r#"{"lastUpdateId":1,"E":1,"T":1,"symbol":"B","pair":"B","bids":[]}"#, Some("binance.coinm")),
            (r#"[336,{"b":[["1","2","3"]],"c":"1"},"book-10","XBT/USD"]"#, Some("kraken.spot")),
            (r#"[ 336, { "b": [] }, "book-10", "XBT/USD" ]"#, Some("kraken.spot")),
            (r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD"}]}"#, Some("kraken.spot")),
            (r#"{"feed":"book","product_id":"PI_X","side":"sell"}"#, Some("kraken.futures")),
            (r#"{"channel":"l2_data","events":[]}"#, Some("coinbase.advanced")),
            (r#"{"type":"l2update","product_id":"A-B"}"#, Some("coinbase.exchange")),
            (r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[]}"#, Some("okx.spot")),
            (r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[]}"#, Some("okx.spot")),
            (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}"#, None),
            (r#"{"event":"heartbeat"}"#, None),
            (r#"[1,2,3]"#, None),
            ("", None),
        ] {
            assert_eq!(recognise(&Clue { url: "", message: message.as_bytes() }), want, "{message}");
        }
    }

    #[test]
    fn symbols_tell_the_markets_of_one_address_apart() {
        for (id, symbol, want) in [
            ("okx.spot", "BTC-USDT", "okx.spot"),
            ("okx.spot", "BTC-USDT-SWAP", "okx.swap"),
            ("okx.swap", "BTC-USDT-SWAP", "okx.swap"),
            ("binance.spot", "A-B-SWAP", "binance.spot"),
        ] {
            assert_eq!(of_symbol(id, symbol), want, "{symbol}");
        }
    }

    #[test]
    fn a_sandbox_is_told_from_the_real_thing() {
        assert_eq!(host_kind("binance.spot", "api.binance.com"), Some(Live));
        assert_eq!(host_kind("binance.spot", "testnet.binance.vision"), Some(Sandbox));
        assert_eq!(host_kind("binance.spot", "api.kraken.com"), None);
        assert_eq!(host_kind("kraken.spot", "Beta-WS.kraken.com"), Some(Sandbox));
        assert_eq!(host_kind("bybit.linear", "api-testnet.bybit.com"), Some(Sandbox));
        assert_eq!(host_kind("bybit.linear", "stream.bybit.com"), Some(Live));
        for venue in ["okx.spot", "okx.swap"] {
            assert_eq!(host_kind(venue, "openapi.okx.com"), Some(Shared));
            assert_eq!(host_kind(venue, "ws.okx.com"), Some(Live));
            assert_eq!(host_kind(venue, "wspap.okx.com"), Some(Sandbox));
        }
    }
}
