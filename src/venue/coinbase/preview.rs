//! Orders and signatures as they would be sent, from a user's own texts.

use super::jwt;
use super::order::{ADVANCED_ORDERS, EXCHANGE_ORDERS, advanced_terms, exchange_terms, is_client_id};
use super::sign::{self, second};
use crate::types::{DecimalError, Kind, Nanos, Scale, Side, parse};
use crate::venue::kraken::json::quoted;
use crate::venue::{
    Credentials, EncodeError, OrderText, Preview, PreviewError, SignRequest, Signed, Transport,
};

const ADVANCED_HOST: &str = "api.coinbase.com";
const EXCHANGE_HOST: &str = "api.exchange.coinbase.com";

fn value(key: &'static str, value: &str, expected: &'static str) -> PreviewError {
    PreviewError::Value { key, value: value.to_owned(), expected }
}

/// Checks what both APIs check alike.
fn checked(venue: &str, order: &OrderText) -> Result<(), PreviewError> {
    if order.transport == Transport::Ws {
        return Err(PreviewError::Unsupported(format!("{venue}: orders go over REST alone")));
    }
    if order.kind == Kind::Market {
        return Err(PreviewError::Unsupported(format!("{venue}: market orders have no price bound")));
    }
    for (key, text) in [("price", &order.price), ("qty", &order.qty)] {
        if matches!(parse(text.as_bytes(), Scale::MAX), Err(DecimalError::Malformed(_))) {
            return Err(value(key, text, "a decimal number"));
        }
    }
    if !order.symbol.contains('-') {
        return Err(value("symbol", &order.symbol, "a product such as BTC-USD"));
    }
    if !is_client_id(&order.client_id) {
        return Err(value("client-id", &order.client_id, "a UUID of version 4, lower case, with hyphens"));
    }
    Ok(())
}

fn no_such_order(venue: &'static str) -> impl Fn(EncodeError) -> PreviewError {
    move |_| PreviewError::Unsupported(format!("{venue}: post-only orders live until cancelled"))
}

/// The request that this order would be on Advanced Trade.
///
/// # Errors
/// When the secret is none, the venue has no such order, or a value is not one that it takes.
pub fn advanced_order(credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    checked("coinbase.advanced", order)?;
    let (name, rest) = advanced_terms(order.kind, order.tif).map_err(no_such_order("coinbase.advanced"))?;
    let side = if order.side == Side::Buy { "BUY" } else { "SELL" };
    let body = format!(
        "{{\"client_order_id\":{},\"product_id\":{},\"side\":\"{side}\",\"order_configuration\":{{\"{name}\":{{\"base_size\":{},\"limit_price\":\"{}{rest},\
         \"self_trade_prevention_id\":\"{}\"}}",
        quoted(&order.client_id),
        quoted(&order.symbol),
        quoted(&order.qty),
        order.price,
        self_trade_group(&credentials.key),
    );
    let uri = format!("POST {ADVANCED_HOST}{ADVANCED_ORDERS}");
    let token = token(credentials, &uri, order.time_ms, order.nonce)?;
    Ok(Preview::Http {
        method: "POST".to_owned(),
        url: format!("https://{ADVANCED_HOST}{ADVANCED_ORDERS}"),
        headers: headers(&[
            ("Authorization", &format!("Bearer {token}")),
            ("Content-Type", "application/json"),
        ]),
        body,
    })
}

/// The request that this order would be on Exchange.
///
/// # Errors
/// As [`advanced_order`].
pub fn exchange_order(credentials: &Credentials, order: &OrderText) -> Result<Preview, PreviewError> {
    checked("coinbase.exchange", order)?;
    let terms = exchange_terms(order.kind, order.tif).map_err(no_such_order("coinbase.exchange"))?;
    let signer = sign::Signer::new(credentials)?;
    let body = format!(
        "{{\"client_oid\":{},\"product_id\":{},\"side\":\"{}\",\"type\":\"limit\",\"price\":{},\"size\":\"{}{terms}",
        quoted(&order.client_id),
        quoted(&order.symbol),
        order.side.name(),
        quoted(&order.price),
        order.qty,
    );
    let at = second(Nanos::from_millis(order.time_ms));
    let mut headers = own(&signer.headers(at, "POST", EXCHANGE_ORDERS, &body));
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    Ok(Preview::Http {
        method: "POST".to_owned(),
        url: format!("https://{EXCHANGE_HOST}{EXCHANGE_ORDERS}"),
        headers,
        body,
    })
}

/// The token of a request as it stands: for its method, host and path, the query left out.
///
/// # Errors
/// When the secret is none.
pub fn advanced_sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let uri = format!("{} {ADVANCED_HOST}{}", request.method, request.path);
    let signer = jwt::Signer::new(credentials, 0)?;
    let nonce = nonce(request.time_ms, request.nonce);
    let from = second(Nanos::from_millis(request.time_ms));
    let string_to_sign = signer.signing_input(&nonce, Some(&uri), from, jwt::LIFE_MAX);
    let token = signer.token_with(&nonce, Some(&uri), from, jwt::LIFE_MAX);
    let signature = token.rsplit_once('.').map_or("", |(_, signature)| signature).to_owned();
    Ok(Signed {
        string_to_sign,
        signature,
        headers: headers(&[("Authorization", &format!("Bearer {}", token.as_str()))]),
    })
}

/// The signature of a request as it stands.
///
/// # Errors
/// When the secret is none, or the passphrase is missing.
pub fn exchange_sign(credentials: &Credentials, request: &SignRequest) -> Result<Signed, PreviewError> {
    let signer = sign::Signer::new(credentials)?;
    let at = second(Nanos::from_millis(request.time_ms));
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let target = format!("{}{query}", request.path);
    let string_to_sign = format!("{at}{}{target}{}", request.method, request.body);
    let signature = sign::text(&signer.sign(string_to_sign.as_bytes()));
    Ok(Signed {
        headers: own(&signer.headers(at, &request.method, &target, &request.body)),
        string_to_sign,
        signature,
    })
}

/// The name of those whose orders must not trade with each other: one for each key, in the shape of
/// a UUID, and the same after a restart.
pub fn self_trade_group(key: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(key.as_bytes());
    let mut bits = [0; 16];
    bits.copy_from_slice(&digest[..16]);
    bits[6] = (bits[6] & 0x0f) | 0x40;
    bits[8] = (bits[8] & 0x3f) | 0x80;
    super::order::uuid(crate::types::ClientId::from_bits(u128::from_be_bytes(bits)))
}

fn token(
    credentials: &Credentials,
    uri: &str,
    time_ms: i64,
    given: Option<u64>,
) -> Result<String, PreviewError> {
    let signer = jwt::Signer::new(credentials, 0)?;
    let from = second(Nanos::from_millis(time_ms));
    Ok(signer.token_with(&nonce(time_ms, given), Some(uri), from, jwt::LIFE_MAX).as_str().to_owned())
}

/// The header's nonce: the one that was given, else the time, as 32 hex digits.
fn nonce(time_ms: i64, given: Option<u64>) -> String {
    format!("{:032x}", given.unwrap_or(u64::try_from(time_ms).unwrap_or(0)))
}

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn own(list: &[(&'static str, String)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::keys::{KeyForm, make_key, trading_rights};
    use crate::types::Tif;
    use crate::venue::AccountId;
    use crate::venue::coinbase::sign::tests::{SECRET, credentials};

    fn text(client_id: &str) -> OrderText {
        OrderText {
            symbol: "BTC-USD".to_owned(),
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: "100.00".to_owned(),
            qty: "0.01".to_owned(),
            client_id: client_id.to_owned(),
            transport: Transport::Rest,
            time_ms: 1_700_000_000_000,
            nonce: None,
        }
    }

    const ID: &str = "7b1c0f0e-6b61-4f0e-8f5e-0d3c3f0f7b11";

    fn request(method: &str, path: &str, query: &str, body: &str) -> SignRequest {
        SignRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.to_owned(),
            time_ms: 1_700_000_000_000,
            nonce: None,
        }
    }

    #[test]
    fn exchange_vectors_are_reproduced_as_headers() {
        let order = r#"{"type":"limit","side":"buy","product_id":"BTC-USD","price":"100.00","size":"0.01","time_in_force":"IOC"}"#;
        for (request, want) in [
            (request("GET", "/users/self/verify", "", ""), "4w5N81jN+R8BEl+8gu26Lel0jalXF5uTezix+T8v9eY="),
            (request("POST", "/orders", "", order), "7jaS7rrSgcA/zpZOMx1Eb+n64ZI5NkTTWtwrFI91Ovs="),
            (request("GET", "/orders", "status=open", ""), "pZPTGrSfkT3y7IlU0d5lAr+PFB58dY+pM/jsgCdUE54="),
            (
                request(
                    "DELETE",
                    "/orders/client:496ffbba-7dae-4864-b7e8-a5bf52c6d0e2",
                    "product_id=BTC-USD",
                    "",
                ),
                "nNN6lBzjWXPEI3pJxRo8y3wQA/GBbZEYzLJPyw5jF18=",
            ),
        ] {
            let signed = exchange_sign(&credentials(SECRET, Some("PASS")), &request).unwrap();
            assert_eq!(signed.signature, want, "{request:?}");
            let header = |name: &str| signed.headers.iter().find(|(own, _)| own == name).unwrap().1.clone();
            assert_eq!(header("CB-ACCESS-SIGN"), want);
            assert_eq!(
                (header("CB-ACCESS-TIMESTAMP"), header("CB-ACCESS-PASSPHRASE")),
                ("1700000000".to_owned(), "PASS".to_owned())
            );
        }
    }

    #[test]
    fn an_exchange_order_is_shown_with_its_signature() {
        let Preview::Http { url, headers, body, .. } =
            exchange_order(&credentials(SECRET, Some("PASS")), &text(ID)).unwrap()
        else {
            panic!()
        };
        assert_eq!(url, "https://api.exchange.coinbase.com/orders");
        assert_eq!(
            body,
            format!(
                r#"{{"client_oid":"{ID}","product_id":"BTC-USD","side":"buy","type":"limit","price":"100.00","size":"0.01","time_in_force":"IOC","stp":"cn"}}"#
            )
        );
        let signed =
            exchange_sign(&credentials(SECRET, Some("PASS")), &request("POST", "/orders", "", &body))
                .unwrap();
        assert_eq!(headers[1], ("CB-ACCESS-SIGN".to_owned(), signed.signature));
    }

    #[test]
    fn an_advanced_order_carries_a_token_that_proves() {
        for form in [KeyForm::Es256, KeyForm::Ed25519] {
            let rng = &mut oorandom::Rand64::new(5);
            let (checks, signs) = make_key(rng, form, AccountId(0), trading_rights());
            let Preview::Http { url, headers, body, .. } = advanced_order(&signs, &text(ID)).unwrap() else {
                panic!()
            };
            assert_eq!(url, "https://api.coinbase.com/api/v3/brokerage/orders");
            let group = self_trade_group(&signs.key);
            assert!(is_client_id(&group));
            assert_eq!(
                body,
                format!(
                    r#"{{"client_order_id":"{ID}","product_id":"BTC-USD","side":"BUY","order_configuration":{{"sor_limit_ioc":{{"base_size":"0.01","limit_price":"100.00"}}}},"self_trade_prevention_id":"{group}"}}"#
                )
            );
            let token = headers[0].1.strip_prefix("Bearer ").unwrap();
            let at = Nanos::from_secs(1_700_000_000);
            let (claims, _) = jwt::verify(&checks.secret, &checks.key, token, at).unwrap();
            assert_eq!(claims.uri.as_deref(), Some("POST api.coinbase.com/api/v3/brokerage/orders"));
            let signed =
                advanced_sign(&signs, &request("GET", "/api/v3/brokerage/accounts", "limit=250", ""))
                    .unwrap();
            let token = signed.headers[0].1.strip_prefix("Bearer ").unwrap();
            assert_eq!(token, format!("{}.{}", signed.string_to_sign, signed.signature));
            let (claims, _) = jwt::verify(&checks.secret, &checks.key, token, at).unwrap();
            assert_eq!(claims.uri.as_deref(), Some("GET api.coinbase.com/api/v3/brokerage/accounts"));
        }
    }

    #[test]
    fn what_the_venue_would_not_take_is_refused_here() {
        let refused =
            |order: &OrderText| exchange_order(&credentials(SECRET, Some("PASS")), order).unwrap_err();
        for order in [
            text("my-1"),
            OrderText { price: "1,0".to_owned(), ..text(ID) },
            OrderText { symbol: "BTCUSD".to_owned(), ..text(ID) },
        ] {
            assert!(matches!(refused(&order), PreviewError::Value { .. }), "{order:?}");
        }
        for order in [
            OrderText { transport: Transport::Ws, ..text(ID) },
            OrderText { kind: Kind::Market, ..text(ID) },
            OrderText { kind: Kind::PostOnly, ..text(ID) },
        ] {
            assert!(matches!(refused(&order), PreviewError::Unsupported(_)), "{order:?}");
        }
    }
}
