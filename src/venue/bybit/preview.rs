//! The exact request an order would be, by the same templates that real orders are made from. A
//! configured engine sends its own window, and asks that its orders never meet each other.

use super::sign::{Signer, login, login_text, request_text};
use super::symbol::Market;
use super::template::{Body, Fields, Shape, Value, Wrapping};
use crate::types::{Endpoint, Kind, Nanos, Tif};
use crate::venue::{Credentials, OrderText, Preview, PreviewError, SignRequest, Signed, Transport};
use crate::wire::pen::Pen;

/// The venue's own default.
const WINDOW_MS: u32 = 5_000;
/// How long the login shown is good for.
const LOGIN_LIFE: Nanos = Nanos::from_secs(10);
const BUFFER: usize = 8_192;
const REST: &str = "https://api.bybit.com";

/// The request of an order: REST, or WebSocket messages with the login first.
///
/// # Errors
/// [`PreviewError`] for a secret, number or id that the venue does not take.
pub fn order(market: Market, credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    let signer = Signer::new(&credentials.secret)?;
    check_order(order)?;
    let too_long =
        || PreviewError::Value { key: "symbol", value: order.symbol.clone(), expected: "a shorter order" };
    let key = credentials.key.as_str();
    let rest = Endpoint::parse(REST).map_err(|_| too_long())?;
    let wrapping = Wrapping::new(&rest, key, WINDOW_MS);
    let body = Body::new(&Shape {
        market,
        symbol: &order.symbol,
        side: order.side,
        kind: order.kind,
        tif: order.tif,
        reduce_only: false,
        prevent_self_trade: false,
    });
    let fields = Fields {
        client: order.client_id.as_bytes(),
        price: Value::Text(order.price.as_bytes()),
        qty: Value::Text(order.qty.as_bytes()),
        time_ms: order.time_ms,
    };
    let mut out = vec![0; BUFFER];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match order.transport {
        Transport::Rest => {
            let signed = wrapping.sign(&body, &signer, &fields, &mut out);
            let (from, end, signature) = signed.ok_or_else(too_long)?;
            let header = |name: &str, value: String| (name.to_owned(), value);
            Ok(Preview::Http {
                method: "POST".to_owned(),
                url: rest.with_target("/v5/order/create").to_string(),
                headers: vec![
                    header("Content-Type", "application/json".to_owned()),
                    header("X-BAPI-API-KEY", key.to_owned()),
                    header("X-BAPI-RECV-WINDOW", WINDOW_MS.to_string()),
                    header("X-BAPI-SIGN-TYPE", "2".to_owned()),
                    header("X-BAPI-TIMESTAMP", order.time_ms.to_string()),
                    header("X-BAPI-SIGN", const_hex::encode(signature)),
                ],
                body: text(&out[from..end]),
            })
        }
        Transport::Ws => {
            let expires = (Nanos::from_millis(order.time_ms) + LOGIN_LIFE).millis();
            let mut pen = Pen::new(&mut out);
            wrapping.write_ws(&body, &fields, &mut pen);
            let end = pen.end().ok_or_else(too_long)?;
            Ok(Preview::Frames {
                frames: vec![login(key, &signer, expires), text(&out[..end])],
                notes: vec!["logged in once; the order itself is not signed".to_owned()],
            })
        }
    }
}

/// The signature of a request as it stands: time, key and window, then the query or the body. For
/// the method `WS` or the path `/realtime`, that of a login that expires at the given time.
///
/// # Errors
/// [`PreviewError::Secret`] when the secret is not one of the venue's.
pub fn sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let signer = Signer::new(&credentials.secret)?;
    if request.method.eq_ignore_ascii_case("WS") || request.path == "/realtime" {
        let string_to_sign = login_text(request.time_ms);
        let signature = signer.sign(&string_to_sign);
        return Ok(Signed { string_to_sign, signature, headers: Vec::new() });
    }
    let payload = format!("{}{}", request.query, request.body);
    let string_to_sign = request_text(request.time_ms, &credentials.key, WINDOW_MS, &payload);
    let signature = signer.sign(&string_to_sign);
    let headers = [
        ("X-BAPI-API-KEY", credentials.key.clone()),
        ("X-BAPI-RECV-WINDOW", WINDOW_MS.to_string()),
        ("X-BAPI-SIGN-TYPE", "2".to_owned()),
        ("X-BAPI-TIMESTAMP", request.time_ms.to_string()),
        ("X-BAPI-SIGN", signature.clone()),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Signed { string_to_sign, signature, headers })
}

fn check_order(order: &OrderText) -> Result<(), PreviewError> {
    let refuse =
        |key, value: &str, expected| Err(PreviewError::Value { key, value: value.to_owned(), expected });
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if order.symbol.is_empty() || order.symbol.len() > 31 || !order.symbol.bytes().all(legal) {
        return refuse("symbol", &order.symbol, "a symbol such as BTCUSDT");
    }
    if order.client_id.is_empty() || order.client_id.len() > 36 || !order.client_id.bytes().all(legal) {
        return refuse("client-id", &order.client_id, "1 to 36 of the characters A-Z a-z 0-9 - _");
    }
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    let plain = |text: &str| match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    };
    if !plain(&order.qty) {
        return refuse("qty", &order.qty, "a plain decimal such as 0.01");
    }
    if order.kind != Kind::Market && !plain(&order.price) {
        return refuse("price", &order.price, "a plain decimal such as 61737.6");
    }
    if order.kind == Kind::PostOnly && order.tif != Tif::Gtc {
        return refuse("tif", "ioc or fok", "gtc for a post-only order");
    }
    if !(0..=9_000_000_000_000).contains(&order.time_ms) {
        return refuse("time-ms", &order.time_ms.to_string(), "milliseconds since 1970");
    }
    Ok(())
}
