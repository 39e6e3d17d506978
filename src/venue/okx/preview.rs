//! Orders and signatures as they would be sent, from a user's own texts.

use super::order::PLACE;
use super::sign::{LOGIN_PATH, Signer, login, login_timestamp, passphrase, text, timestamp};
use super::symbol::Market;
use crate::types::{DecimalError, Kind, Nanos, Scale, Tif, parse};
use crate::venue::{Credentials, OrderText, Preview, PreviewError, SignRequest, Signed, Transport};

/// How long the previewed order may be on its way; a configured engine sends its own.
const WINDOW: Nanos = Nanos::from_secs(5);

fn value(key: &'static str, value: &str, expected: &'static str) -> PreviewError {
    PreviewError::Value { key, value: value.to_owned(), expected }
}

/// The request that this order would be.
///
/// # Errors
/// When the key is none, the venue has no such order, or a value is not one that it takes.
pub fn order(market: Market, credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    let signer = Signer::new(credentials)?;
    check(market, order)?;
    let terms = terms(market, order);
    let now = Nanos::from_millis(order.time_ms);
    let deadline = (now + WINDOW).millis();
    match order.transport {
        Transport::Rest => {
            let body = format!("{{{terms}}}");
            let at = timestamp(now);
            let signature = signer.sign(&[at.as_bytes(), b"POST", PLACE.as_bytes(), body.as_bytes()]);
            let mut headers = headers(credentials, &text(&signature), &at);
            headers.push(("expTime".to_owned(), deadline.to_string()));
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            Ok(Preview::Http {
                method: "POST".to_owned(),
                url: format!("{}{PLACE}", super::REST),
                headers,
                body,
            })
        }
        Transport::Ws => {
            let id = if order.client_id.is_empty() { "1" } else { &order.client_id };
            let frame = format!(
                "{{\"id\":\"{id}\",\"op\":\"order\",\"expTime\":\"{deadline}\",\"args\":[{{{terms}}}]}}"
            );
            Ok(Preview::Frames {
                frames: vec![login(credentials, &signer, now), frame],
                notes: vec![
                    "the session is logged in once; orders over it are not signed".to_owned(),
                    format!(
                        "the order names its instrument by instId, which the venue no longer takes over a session: \
                         the engine puts in its place the instIdCode that GET /api/v5/account/instruments?instType={} \
                         tells this account",
                        market.kind()
                    ),
                ],
            })
        }
    }
}

/// The order's fields, in the order that the engine sends them.
fn terms(market: Market, order: &OrderText) -> String {
    let kind = match (order.kind, order.tif) {
        (Kind::Market, _) => "market",
        (Kind::PostOnly, _) => "post_only",
        (Kind::Limit, Tif::Ioc) => "ioc",
        (Kind::Limit, Tif::Fok) => "fok",
        (Kind::Limit, Tif::Gtc) => "limit",
    };
    let mut fields = vec![("instId", order.symbol.as_str()), ("tdMode", market.mode())];
    if !order.client_id.is_empty() {
        fields.push(("clOrdId", &order.client_id));
    }
    fields.extend([("side", order.side.name()), ("ordType", kind)]);
    if order.kind != Kind::Market {
        fields.push(("px", &order.price));
    }
    fields.push(("sz", &order.qty));
    if order.kind == Kind::Market && market == Market::Spot {
        // Without it the size of a market buy is in the quote asset.
        fields.push(("tgtCcy", "base_ccy"));
    }
    fields.push(("stpMode", "cancel_taker"));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let fields: Vec<String> =
        fields.iter().map(|(name, text)| format!("\"{name}\":{}", quoted(text))).collect();
    fields.join(",")
}

fn check(market: Market, order: &OrderText) -> Result<(), PreviewError> {
    for (key, text) in [("price", &order.price), ("qty", &order.qty)] {
        let needed = key == "qty" || order.kind != Kind::Market;
        let number = parse(text.as_bytes(), Scale::MAX);
        if needed && (matches!(number, Err(DecimalError::Malformed(_))) || text.contains(['-', 'e', 'E'])) {
            return Err(value(key, text, "a plain decimal such as 26000.1"));
        }
    }
    let id = &order.client_id;
    if id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(value("client-id", id, "up to 32 letters and digits"));
    }
    let symbol = &order.symbol;
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let swap = symbol.ends_with("-SWAP");
    if symbol.is_empty() || !symbol.bytes().all(legal) || swap != (market == Market::Swap) {
        let expected = match market {
            Market::Spot => "a spot symbol such as BTC-USDT",
            Market::Swap => "a swap's symbol such as BTC-USDT-SWAP",
        };
        return Err(value("symbol", symbol, expected));
    }
    if order.kind == Kind::PostOnly && order.tif != Tif::Gtc {
        return Err(value("tif", "ioc or fok", "gtc for a post-only order"));
    }
    check_time(order.time_ms)
}

fn check_time(time_ms: i64) -> Result<(), PreviewError> {
    if !(0..=9_000_000_000_000).contains(&time_ms) {
        return Err(value("time-ms", &time_ms.to_string(), "milliseconds since 1970"));
    }
    Ok(())
}

/// The signature of a request as it stands; of a session's login for the path that logins sign.
///
/// # Errors
/// When the key is none, or the time is out of range.
pub fn sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let signer = Signer::new(credentials)?;
    check_time(request.time_ms)?;
    let now = Nanos::from_millis(request.time_ms);
    // A login tells whole seconds.
    let at = if request.path == LOGIN_PATH { login_timestamp(now) } else { timestamp(now) };
    let method = request.method.to_ascii_uppercase();
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let string_to_sign = format!("{at}{method}{}{query}{}", request.path, request.body);
    let signature = text(&signer.sign(&[string_to_sign.as_bytes()]));
    let mut headers = headers(credentials, &signature, &at);
    if !request.body.is_empty() {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    Ok(Signed { string_to_sign, signature, headers })
}

fn headers(credentials: &Credentials, signature: &str, at: &str) -> Vec<(String, String)> {
    [
        ("OK-ACCESS-KEY", credentials.key.as_str()),
        ("OK-ACCESS-SIGN", signature),
        ("OK-ACCESS-TIMESTAMP", at),
        ("OK-ACCESS-PASSPHRASE", passphrase(credentials)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Side;

    fn credentials() -> Credentials {
        Credentials {
            key: "KEY".to_owned(),
            secret: "22582BD0CFF14C41EDBF1AB98506286D".to_owned().into(),
            passphrase: Some("phrase".to_owned().into()),
            generation: 0,
        }
    }

    fn buy(transport: Transport, kind: Kind, tif: Tif) -> OrderText {
        OrderText {
            symbol: "BTC-USDT".to_owned(),
            side: Side::Buy,
            kind,
            tif,
            price: "26000.1".to_owned(),
            qty: "0.01".to_owned(),
            client_id: "a1B2c3".to_owned(),
            transport,
            time_ms: 1_695_190_486_500,
            nonce: None,
        }
    }

    #[test]
    fn a_request_is_signed_as_it_stands() {
        let body =
            r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","px":"2.15","sz":"2"}"#;
        for (method, path, query, body, time_ms, string, signature) in [
            (
                "GET",
                "/api/v5/account/balance",
                "ccy=BTC",
                "",
                1_607_418_537_715,
                "2020-12-08T09:08:57.715ZGET/api/v5/account/balance?ccy=BTC".to_owned(),
                "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=",
            ),
            (
                "post",
                "/api/v5/trade/order",
                "",
                body,
                1_607_418_537_715,
                format!("2020-12-08T09:08:57.715ZPOST/api/v5/trade/order{body}"),
                "iwrdSpN7pm4G4u8+fswZUyH6mOM48+sBF6WvKpj4Dvk=",
            ),
            (
                "GET",
                "/users/self/verify",
                "",
                "",
                1_704_876_947_999,
                "1704876947GET/users/self/verify".to_owned(),
                "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU=",
            ),
        ] {
            let request = SignRequest {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                body: body.to_owned(),
                time_ms,
                nonce: None,
            };
            let signed = sign(&credentials(), &request).unwrap();
            assert_eq!((signed.string_to_sign, signed.signature.as_str()), (string, signature));
            assert_eq!(signed.headers[1], ("OK-ACCESS-SIGN".to_owned(), signature.to_owned()));
            assert_eq!(signed.headers[3], ("OK-ACCESS-PASSPHRASE".to_owned(), "phrase".to_owned()));
        }
    }

    #[test]
    fn an_order_is_shown_as_it_would_be_sent() {
        let text = buy(Transport::Rest, Kind::Limit, Tif::Ioc);
        let Ok(Preview::Http { method, url, headers, body }) = order(Market::Spot, &credentials(), &text)
        else {
            panic!("no request")
        };
        assert_eq!((method.as_str(), url.as_str()), ("POST", "https://openapi.okx.com/api/v5/trade/order"));
        assert_eq!(
            body,
            r#"{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"a1B2c3","side":"buy","ordType":"ioc","px":"26000.1","sz":"0.01","stpMode":"cancel_taker"}"#
        );
        let header = |name: &str| headers.iter().find(|(own, _)| own == name).unwrap().1.clone();
        assert_eq!(
            (header("OK-ACCESS-TIMESTAMP").as_str(), header("expTime").as_str()),
            ("2023-09-20T06:14:46.500Z", "1695190491500")
        );
        let signer = Signer::new(&credentials()).unwrap();
        let parts = [header("OK-ACCESS-TIMESTAMP"), method, "/api/v5/trade/order".to_owned(), body];
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        assert!(signer.verify(&parts, &header("OK-ACCESS-SIGN")));

        let text = buy(Transport::Ws, Kind::Market, Tif::Ioc);
        let Ok(Preview::Frames { frames, notes }) = order(Market::Spot, &credentials(), &text) else {
            panic!("no frames")
        };
        assert!(frames[0].starts_with(
            r#"{"op":"login","args":[{"apiKey":"KEY","passphrase":"phrase","timestamp":"1695190486","sign":""#
        ));
        assert_eq!(
            frames[1],
            r#"{"id":"a1B2c3","op":"order","expTime":"1695190491500","args":[{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"a1B2c3","side":"buy","ordType":"market","sz":"0.01","tgtCcy":"base_ccy","stpMode":"cancel_taker"}]}"#
        );
        assert!(notes[1].contains("instIdCode") && frames.len() == 2);

        let swap =
            OrderText { symbol: "BTC-USDT-SWAP".to_owned(), ..buy(Transport::Ws, Kind::PostOnly, Tif::Gtc) };
        let Ok(Preview::Frames { frames, .. }) = order(Market::Swap, &credentials(), &swap) else { panic!() };
        assert!(frames[1].contains(r#""tdMode":"cross""#) && frames[1].contains(r#""ordType":"post_only""#));
    }

    #[test]
    fn values_that_the_venue_does_not_take_are_named() {
        for (change, key) in [
            ((|order| order.price = "1,5".to_owned()) as fn(&mut OrderText), "price"),
            (|order| order.qty = "-1".to_owned(), "qty"),
            (|order| order.client_id = "with-hyphen".to_owned(), "client-id"),
            (|order| order.client_id = "a".repeat(33), "client-id"),
            (|order| order.symbol = "BTC-USDT-SWAP".to_owned(), "symbol"),
            (|order| order.symbol = "btc-usdt".to_owned(), "symbol"),
            (|order| (order.kind, order.tif) = (Kind::PostOnly, Tif::Ioc), "tif"),
        ] {
            let mut text = buy(Transport::Rest, Kind::Limit, Tif::Ioc);
            change(&mut text);
            let error = order(Market::Spot, &credentials(), &text).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
        let without = Credentials { passphrase: None, ..credentials() };
        let error = order(Market::Spot, &without, &buy(Transport::Rest, Kind::Limit, Tif::Ioc)).unwrap_err();
        assert!(error.to_string().contains("passphrase"));
    }
}
