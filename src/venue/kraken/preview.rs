//! Orders and signatures as they would be sent, from a user's own texts.

use super::json::quoted;
use super::sign::{Signer, digest};
use super::symbol;
use crate::types::{ClientId, DecimalError, Kind, Nanos, Scale, Tif, parse};
use crate::venue::{Credentials, OrderText, Preview, PreviewError, SignRequest, Signed, Transport};

const REST: &str = "https://api.kraken.com";
/// The venue's own default deadline.
const WINDOW: Nanos = Nanos::from_secs(5);

fn value(key: &'static str, value: &str, expected: &'static str) -> PreviewError {
    PreviewError::Value { key, value: value.to_owned(), expected }
}

/// The request that this order would be.
///
/// # Errors
/// When the secret is none, the venue has no such order, or a value is not one that it takes.
pub fn order(credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    for (key, text) in [("price", &order.price), ("qty", &order.qty)] {
        let needed = key == "qty" || order.kind != Kind::Market;
        if needed && matches!(parse(text.as_bytes(), Scale::MAX), Err(DecimalError::Malformed(_))) {
            return Err(value(key, text, "a decimal number"));
        }
    }
    let id = order.client_id.as_str();
    if ClientId::parse(id.as_bytes()).is_none() && !(1..=18).contains(&id.len()) {
        return Err(value("client-id", id, "a UUID, 32 hex digits, or up to 18 characters"));
    }
    if order.kind == Kind::PostOnly && order.tif != Tif::Gtc {
        return Err(PreviewError::Unsupported(
            "kraken.spot: post-only orders live until cancelled".to_owned(),
        ));
    }
    match order.transport {
        Transport::Rest => rest(credentials, order),
        Transport::Ws => socket(credentials, order),
    }
}

fn rest(credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    let signer = Signer::new(credentials)?;
    let pair = if order.symbol.contains('/') {
        symbol::v2_name(&order.symbol).and_then(|name| symbol::rest_name(name.as_str()))
    } else {
        Some(order.symbol.clone())
    };
    let pair = pair.ok_or_else(|| value("symbol", &order.symbol, "a pair such as BTC/USD"))?;
    let time = Nanos::from_millis(order.time_ms);
    let nonce = order.nonce.unwrap_or(u64::try_from(order.time_ms).unwrap_or(0)).to_string();
    let tif = match order.tif {
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::Gtc => "GTC",
    };
    let deadline = (time + WINDOW).rfc3339(3);
    let mut fields = vec![
        ("nonce", nonce.as_str()),
        ("pair", &pair),
        ("stptype", "cancel-newest"),
        ("cl_ord_id", &order.client_id),
        ("deadline", &deadline),
        ("type", order.side.name()),
    ];
    match order.kind {
        Kind::Market => fields.extend([("ordertype", "market"), ("volume", &order.qty)]),
        Kind::Limit | Kind::PostOnly => {
            fields.extend([("ordertype", "limit"), ("timeinforce", tif)]);
            if order.kind == Kind::PostOnly {
                fields.push(("oflags", "post"));
            }
            fields.extend([("volume", order.qty.as_str()), ("price", order.price.as_str())]);
        }
    }
    let body: Vec<String> = fields.iter().map(|(name, text)| format!("{name}={}", escape(text))).collect();
    let body = body.join("&");
    let signature = signer.sign(super::order::ADD_ORDER, nonce.as_bytes(), body.as_bytes());
    Ok(Preview::Http {
        method: "POST".to_owned(),
        url: format!("{REST}{}", super::order::ADD_ORDER),
        headers: headers(credentials, &text(&signature), &body),
        body,
    })
}

fn socket(credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    // The secret signs the request for the token: one that is none is better found now.
    Signer::new(credentials)?;
    let symbol = symbol::v2_name(&order.symbol)
        .ok_or_else(|| value("symbol", &order.symbol, "a pair such as BTC/USD"))?;
    let tif = match order.tif {
        Tif::Ioc => "ioc",
        Tif::Gtc => "gtc",
        Tif::Fok => {
            return Err(PreviewError::Unsupported(
                "kraken.spot: fill-or-kill is offered over REST alone".to_owned(),
            ));
        }
    };
    let terms = match order.kind {
        Kind::Market => format!("\"order_type\":\"market\",\"order_qty\":{}", order.qty),
        Kind::Limit | Kind::PostOnly => {
            let post = if order.kind == Kind::PostOnly { ",\"post_only\":true" } else { "" };
            format!(
                "\"order_type\":\"limit\",\"time_in_force\":\"{tif}\"{post},\"order_qty\":{},\"limit_price\":{}",
                order.qty, order.price
            )
        }
    };
    let deadline = (Nanos::from_millis(order.time_ms) + WINDOW).rfc3339(3);
    let login = "{\"method\":\"subscribe\",\"params\":{\"channel\":\"executions\",\"token\":\"<token>\",\"snap_orders\":true,\
                 \"snap_trades\":false,\"order_status\":true},\"req_id\":1}";
    let add = format!(
        "{{\"method\":\"add_order\",\"params\":{{\"symbol\":{},\"stp_type\":\"cancel_newest\",\"token\":\"<token>\",\"cl_ord_id\":{},\
         \"side\":\"{}\",{terms},\"deadline\":\"{deadline}\"}},\"req_id\":2}}",
        quoted(symbol.as_str()),
        quoted(&order.client_id),
        order.side.name(),
    );
    Ok(Preview::Frames {
        frames: vec![login.to_owned(), add],
        notes: vec![
            "<token> stands for the answer of POST https://api.kraken.com/0/private/GetWebSocketsToken, \
             asked anew for each connection to wss://ws-auth.kraken.com/v2; orders carry it and no signature"
                .to_owned(),
        ],
    })
}

/// The signature of a request as it stands.
///
/// # Errors
/// When the secret is none, or the body has no nonce or another one.
pub fn sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let signer = Signer::new(credentials)?;
    if !request.query.is_empty() {
        return Err(value("query", &request.query, "none: private calls have a body only"));
    }
    let inside = nonce_of(&request.body);
    let nonce = match (request.nonce.map(|nonce| nonce.to_string()), inside) {
        (Some(given), Some(inside)) if given != inside => {
            return Err(value("nonce", &given, "the nonce inside the body"));
        }
        (_, Some(inside)) => inside,
        (Some(given), None) => return Err(value("nonce", &given, "a body that has this nonce")),
        (None, None) => return Err(value("body", &request.body, "a nonce in it")),
    };
    let signature = text(&signer.sign(&request.path, nonce.as_bytes(), request.body.as_bytes()));
    let hash = const_hex::encode(digest(nonce.as_bytes(), request.body.as_bytes()));
    Ok(Signed {
        string_to_sign: format!("{}{hash}", request.path),
        headers: headers(credentials, &signature, &request.body),
        signature,
    })
}

/// The nonce in a body, form or JSON, as it is written.
fn nonce_of(body: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        nonce: super::json::Number<'a>,
    }
    if is_json(body) {
        return serde_json::from_str::<Body>(body).ok().map(|body| body.nonce.text().to_owned());
    }
    body.split('&').find_map(|field| field.strip_prefix("nonce=")).map(str::to_owned)
}

fn is_json(body: &str) -> bool {
    body.trim_start().starts_with('{')
}

fn headers(credentials: &Credentials, signature: &str, body: &str) -> Vec<(String, String)> {
    let content = if is_json(body) { "application/json" } else { "application/x-www-form-urlencoded" };
    [("API-Key", credentials.key.as_str()), ("API-Sign", signature), ("Content-Type", content)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn text(signature: &[u8]) -> String {
    signature.iter().map(|&byte| char::from(byte)).collect()
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Side;

    fn credentials() -> Credentials {
        Credentials {
            key: "KEY".to_owned(),
            secret:
                "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
                    .to_owned()
                    .into(),
            passphrase: None,
            generation: 0,
        }
    }

    fn request(body: &str, nonce: Option<u64>) -> SignRequest {
        SignRequest {
            method: "POST".to_owned(),
            path: "/0/private/AddOrder".to_owned(),
            query: String::new(),
            body: body.to_owned(),
            time_ms: 0,
            nonce,
        }
    }

    fn buy(transport: Transport, tif: Tif) -> OrderText {
        OrderText {
            symbol: "XBT/USD".to_owned(),
            side: Side::Buy,
            kind: Kind::Limit,
            tif,
            price: "37500".to_owned(),
            qty: "1.25".to_owned(),
            client_id: "6d1b345e-2821-40e2-ad83-4ecb18a06876".to_owned(),
            transport,
            time_ms: 1_785_060_000_900,
            nonce: Some(1_616_492_376_594),
        }
    }

    #[test]
    fn a_body_is_signed_as_it_stands() {
        let form = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        let signed = sign(&credentials(), &request(form, Some(1_616_492_376_594))).unwrap();
        let want = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==";
        assert_eq!(signed.signature, want);
        assert_eq!(signed.headers[1], ("API-Sign".to_owned(), want.to_owned()));
        assert_eq!(
            signed.string_to_sign,
            "/0/private/AddOrder23a1c1b34c6a11d641af0f24684896cb90f66fb991125c83dc357bdc3dc146f1"
        );
        let json = r#"{"nonce":"1616492376594","ordertype":"limit","pair":"XBTUSD","price":"37500","type":"buy","volume":"1.25"}"#;
        let signed = sign(&credentials(), &request(json, None)).unwrap();
        assert!(signed.signature.starts_with("r/o+GpKxXjV"), "{}", signed.signature);
        for (body, nonce) in [("nonce=1", Some(2)), ("pair=XBTUSD", Some(1)), ("pair=XBTUSD", None)] {
            assert!(sign(&credentials(), &request(body, nonce)).is_err(), "{body}");
        }
    }

    #[test]
    fn an_order_is_shown_as_it_would_be_sent() {
        let Ok(Preview::Http { url, headers, body, .. }) =
            order(&credentials(), &buy(Transport::Rest, Tif::Fok))
        else {
            panic!("no request")
        };
        assert_eq!(url, "https://api.kraken.com/0/private/AddOrder");
        assert_eq!(
            body,
            "nonce=1616492376594&pair=XBTUSD&stptype=cancel-newest&cl_ord_id=6d1b345e-2821-40e2-ad83-4ecb18a06876&\
             deadline=2026-07-26T10%3A00%3A05.900Z&type=buy&ordertype=limit&timeinforce=FOK&volume=1.25&price=37500"
        );
        let signer = Signer::new(&credentials()).unwrap();
        assert!(signer.verify("/0/private/AddOrder", b"1616492376594", body.as_bytes(), &headers[1].1));
        let Ok(Preview::Frames { frames, notes }) = order(&credentials(), &buy(Transport::Ws, Tif::Ioc))
        else {
            panic!("no frames")
        };
        assert_eq!((frames.len(), notes.len()), (2, 1));
        let add: serde_json::Value = serde_json::from_str(&frames[1]).unwrap();
        assert_eq!(add["params"]["symbol"], "BTC/USD");
        assert!(
            frames[1].contains("\"order_qty\":1.25,\"limit_price\":37500,\"deadline\":\""),
            "{}",
            frames[1]
        );
        assert!(matches!(
            order(&credentials(), &buy(Transport::Ws, Tif::Fok)),
            Err(PreviewError::Unsupported(_))
        ));
    }

    #[test]
    fn values_that_the_venue_does_not_take_are_named() {
        for (change, key) in [
            ((|order| order.price = "1,5".to_owned()) as fn(&mut OrderText), "price"),
            (|order| order.client_id = "nineteen-characters".to_owned(), "client-id"),
            (|order| order.symbol = "/".repeat(40), "symbol"),
        ] {
            let mut text = buy(Transport::Rest, Tif::Ioc);
            change(&mut text);
            let error = order(&credentials(), &text).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
