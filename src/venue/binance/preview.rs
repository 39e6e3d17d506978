//! The exact request an order would be, by the same templates that real orders are made from.

use secrecy::SecretString;

use super::call;
use super::desk::Desk;
use super::sign::{Signer, percent_encode};
use super::template::{Channel, Fields, Shape, Template, finish_ws, numbers_ws};
use crate::types::{Endpoint, Kind, Nanos, Tif};
use crate::venue::{Credentials, OrderText, Preview, PreviewError, SignRequest, Signed, Transport};

/// The venue's own default; a configured engine sends its own.
const WINDOW_MS: u32 = 5_000;
const BUFFER: usize = 8_192;

/// The request of an order: REST, or WebSocket messages with the logon first where the key logs on.
///
/// # Errors
/// [`PreviewError`] for a secret, number or id that the venue does not take.
pub fn order(
    desk: &'static Desk,
    credentials: &Credentials,
    order: &OrderText,
) -> Result<Preview, PreviewError> {
    let signer = signer(&credentials.secret)?;
    check_order(order)?;
    let OrderText { symbol, side, kind, tif, .. } = order;
    let shape = Shape { desk, symbol, side: *side, kind: *kind, tif: *tif, reduce_only: false };
    let fields = Fields {
        client: order.client_id.as_bytes(),
        price: order.price.as_bytes(),
        qty: order.qty.as_bytes(),
        time_ms: order.time_ms,
    };
    let key = &credentials.key;
    let mut out = vec![0; BUFFER];
    let too_long =
        || PreviewError::Value { key: "symbol", value: order.symbol.clone(), expected: "a shorter order" };
    match order.transport {
        Transport::Rest => {
            let template = Template::new(Channel::Rest, &shape, WINDOW_MS, key, &signer);
            let end = template.write_rest(&signer, &fields, b"", &mut out).ok_or_else(too_long)?;
            let target = String::from_utf8_lossy(&out[..end]).into_owned();
            let (method, target) = target.split_once(' ').unwrap_or(("", &target));
            let rest = Endpoint::parse(desk.rest).map_err(|_| too_long())?;
            Ok(Preview::Http {
                method: method.to_owned(),
                url: call::url(&rest, target),
                headers: vec![("X-MBX-APIKEY".to_owned(), key.clone())],
                body: String::new(),
            })
        }
        Transport::Ws => {
            let session = signer.can_log_on();
            let channel = if session { Channel::Session } else { Channel::SignedWs };
            let template = Template::new(channel, &shape, WINDOW_MS, key, &signer);
            let end = if session {
                let at = template.begin_ws(fields.client, &mut out);
                let priced = order.kind != Kind::Market;
                let at = at.and_then(|at| numbers_ws(&fields, priced, &mut out, at));
                at.and_then(|at| finish_ws(fields.time_ms, b"", &mut out, at))
            } else {
                let mut scratch = vec![0; BUFFER];
                template.write_signed_ws(&signer, &fields, &mut scratch, &mut out)
            };
            let end = end.ok_or_else(too_long)?;
            let mut frames = Vec::new();
            let mut notes = Vec::new();
            if session {
                frames.push(call::logon("logon", key, &signer, Nanos::from_millis(order.time_ms)));
                notes.push("logged on once; the order itself is not signed".to_owned());
            } else {
                notes.push("an HMAC key cannot log on: each order is signed".to_owned());
            }
            frames.push(String::from_utf8_lossy(&out[..end]).into_owned());
            Ok(Preview::Frames { frames, notes })
        }
    }
}

/// The signature of a request as it stands: the query directly followed by the body; for the
/// method `WS`, the query is the sorted text of the WebSocket API.
///
/// # Errors
/// [`PreviewError::Secret`] when the secret is not one of the venue's.
pub fn sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let signer = signer(&credentials.secret)?;
    let string_to_sign = format!("{}{}", request.query, request.body);
    let signature = signer.sign(string_to_sign.as_bytes());
    let mut headers = Vec::new();
    if !request.method.eq_ignore_ascii_case("WS") {
        headers.push(("X-MBX-APIKEY".to_owned(), credentials.key.clone()));
    }
    Ok(Signed { string_to_sign, signature, headers })
}

fn signer(secret: &SecretString) -> Result<Signer, PreviewError> {
    Signer::new(secret)
}

fn check_order(order: &OrderText) -> Result<(), PreviewError> {
    let refuse =
        |key, value: &str, expected| Err(PreviewError::Value { key, value: value.to_owned(), expected });
    if order.symbol.is_empty() || percent_encode(&order.symbol).len() > 300 {
        return refuse("symbol", &order.symbol, "a symbol such as BTCUSDT");
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
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
        return refuse("price", &order.price, "a plain decimal such as 61737.63");
    }
    if order.kind == Kind::PostOnly && order.tif != Tif::Gtc {
        return refuse("tif", "ioc or fok", "gtc for a post-only order");
    }
    Ok(())
}
