//! Nothing that authenticates anybody is left of a private message that was blanked.

use xarb::types::{Kind, Side, Tif};
use xarb::venue::{Credentials, OrderText, Preview, Transport, VENUES, find};

const KEY: &str = "PUBLICKEY0123456789PUBLICKEY0123456789PUBLICKEY";
const PASSPHRASE: &str = "open sesame";

/// The longest run of characters that keys, signatures and tokens are written in.
fn longest_run(text: &str) -> usize {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-.".contains(c)))
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// Longer than any word, id, number or address of these messages, and shorter than a signature.
const WORD_MAX: usize = 39;

#[track_caller]
fn blanked(venue: &str, text: &str) -> String {
    let mut out = Vec::new();
    find(venue).unwrap().secrets.blank(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

/// The frames that log in and order, as the venue's own encoder makes them.
#[test]
fn logins_of_every_venue_are_blanked() {
    let mut venues = 0;
    for venue in VENUES {
        let Some(preview) = venue.preview else { continue };
        // Text for those that sign with it as it is, and base64 for those that decode it first.
        let secret =
            "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
        let credentials = Credentials {
            key: KEY.to_owned(),
            secret: secret.to_owned().into(),
            passphrase: Some(PASSPHRASE.to_owned().into()),
            generation: 0,
        };
        let order = OrderText {
            symbol: if venue.id.starts_with("okx") { "BTC-USDT" } else { "BTCUSDT" }.to_owned(),
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: "60000".to_owned(),
            qty: "1".to_owned(),
            client_id: "6d1b345e".to_owned(),
            transport: Transport::Ws,
            time_ms: 1_700_000_000_000,
            nonce: None,
        };
        // Venues without an order session have no such frames; theirs are below.
        let Ok(Preview::Frames { frames, .. }) = preview(&credentials, &order) else { continue };
        venues += 1;
        for frame in frames {
            let left = blanked(venue.id, &frame);
            assert!(!left.contains(KEY) && !left.contains(PASSPHRASE), "{}: {left}", venue.id);
            assert!(longest_run(&left) <= WORD_MAX, "{}: {left}", venue.id);
            serde_json::from_str::<serde_json::Value>(&left).unwrap();
        }
    }
    assert!(venues >= 5, "only {venues} venues log in");
}

#[test]
fn tokens_and_keys_of_answers_are_blanked() {
    const TOKEN: &str = "1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw/abcdefghijk";
    for (venue, text) in [
        ("kraken.spot", r#"{"error":[],"result":{"token":"TOKEN","expires":900}}"#),
        (
            "kraken.spot",
            r#"{"method":"subscribe","params":{"channel":"executions","token":"TOKEN"},"req_id":1}"#,
        ),
        ("coinbase.advanced", r#"{"type":"subscribe","channel":"user","jwt":"TOKEN"}"#),
        (
            "coinbase.exchange",
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["user"],"signature":"TOKEN","key":"TOKEN","passphrase":"TOKEN","timestamp":"1"}"#,
        ),
        ("binance.spot", r#"{"listenKey":"TOKEN"}"#),
        ("binance.usdm", r#"{"e":"listenKeyExpired","E":1,"listenKey":"TOKEN"}"#),
        ("binance.spot", r#"{"id":"1","status":200,"result":{"apiKey":"TOKEN","authorizedSince":1}}"#),
        ("bybit.linear", r#"{"req_id":"auth","op":"auth","args":["TOKEN",1700000000000,"TOKEN"]}"#),
        ("bybit.spot", r#"{"result":{"id":"1","apiKey":"TOKEN","secret":"TOKEN"}}"#),
        (
            "okx.swap",
            r#"{"op":"login","args":[{"apiKey":"TOKEN","passphrase":"TOKEN","timestamp":"1","sign":"TOKEN"}]}"#,
        ),
    ] {
        let left = blanked(venue, &text.replace("TOKEN", TOKEN));
        assert_eq!(left.matches("blanked").count().min(1), 1, "{venue}: {left}");
        assert!(!left.contains(TOKEN), "{venue}: {left}");
    }
}
