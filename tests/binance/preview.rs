//! Previews: the exact requests, and the documents' signatures through the same door.

use secrecy::SecretString;
use xarb::types::{Kind, Side, Tif};
use xarb::venue::{Credentials, OrderText, Preview, SignRequest, Transport, find};

use crate::dialogue::{ED25519, HMAC};

fn credentials((key, secret): (&str, &str)) -> Credentials {
    Credentials { key: key.to_owned(), secret: SecretString::from(secret), passphrase: None, generation: 0 }
}

fn sign(key: (&str, &str), method: &str, query: &str, body: &str) -> String {
    sign_at("binance.spot", key, method, query, body)
}

fn sign_at(venue: &str, key: (&str, &str), method: &str, query: &str, body: &str) -> String {
    let request = SignRequest {
        method: method.to_owned(),
        path: "/api/v3/order".to_owned(),
        query: query.to_owned(),
        body: body.to_owned(),
        time_ms: 0,
        nonce: None,
    };
    (find(venue).unwrap().sign.unwrap())(&credentials(key), &request).unwrap().signature
}

fn order(transport: Transport, client_id: &str) -> OrderText {
    OrderText {
        symbol: "BTCUSDT".to_owned(),
        side: Side::Sell,
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price: "23416.10".to_owned(),
        qty: "0.00847".to_owned(),
        client_id: client_id.to_owned(),
        transport,
        time_ms: 1_660_801_715_431,
        nonce: None,
    }
}

fn preview(key: (&str, &str), order: &OrderText) -> Preview {
    (find("binance.spot").unwrap().preview.unwrap())(&credentials(key), order).unwrap()
}

#[test]
fn requests_are_signed_as_they_stand() {
    assert_eq!(
        sign(
            HMAC,
            "POST",
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        ),
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    );
    assert_eq!(
        sign(
            ED25519,
            "WS",
            "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532",
            "",
        ),
        "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag=="
    );
}

/// The futures documents' example key.
const FUTURES: (&str, &str) = (
    "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83",
    "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
);

#[test]
fn usdm_signs_as_its_documents_do() {
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000\
                 &timestamp=1591702613943";
    assert_eq!(
        sign_at("binance.usdm", FUTURES, "POST", query, ""),
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    );
    let order = OrderText { kind: Kind::PostOnly, tif: Tif::Gtc, ..order(Transport::Rest, "arb-000001") };
    let preview = |order: &OrderText| {
        (find("binance.usdm").unwrap().preview.unwrap())(&credentials(FUTURES), order).unwrap()
    };
    let Preview::Http { url, .. } = preview(&order) else { panic!("an HTTP request") };
    let (front, signature) = url.split_once("&signature=").unwrap();
    let query = front.strip_prefix("https://fapi.binance.com/fapi/v1/order?").unwrap();
    assert_eq!(
        query,
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTX&newOrderRespType=RESULT&recvWindow=5000\
         &newClientOrderId=arb-000001&price=23416.10&quantity=0.00847&timestamp=1660801715431"
    );
    assert_eq!(signature, sign_at("binance.usdm", FUTURES, "POST", query, ""));
    let Preview::Frames { frames, .. } = preview(&OrderText { transport: Transport::Ws, ..order }) else {
        panic!("frames")
    };
    let payload = format!(
        "apiKey={}&newClientOrderId=arb-000001&newOrderRespType=RESULT&price=23416.10&quantity=0.00847\
         &recvWindow=5000&side=SELL&symbol=BTCUSDT&timeInForce=GTX&timestamp=1660801715431&type=LIMIT",
        FUTURES.0
    );
    let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(frame["params"]["signature"], sign_at("binance.usdm", FUTURES, "WS", &payload, ""));
}

/// The documents' third example, with the space that its text has: the signatures of the other two are of
/// texts that they do not print.
#[test]
fn coinm_signs_as_its_documents_do() {
    let query = "symbol=BTCUSD_200925&side=BUY&type=LIMIT&timeInForce=GTC";
    let body = "quantity=1&price=9000&recvWindow=5000&timestamp= 1591702613943";
    assert_eq!(
        sign_at("binance.coinm", FUTURES, "POST", query, body),
        "f3129e7c72c7727037891ad8a86b76a7dc514ba125a536775c8ba403b2d1b222"
    );
    let order = order(Transport::Rest, "arb-000001");
    let preview = (find("binance.coinm").unwrap().preview.unwrap())(&credentials(FUTURES), &order);
    let Preview::Http { url, .. } = preview.unwrap() else { panic!("an HTTP request") };
    assert!(url.starts_with("https://dapi.binance.com/dapi/v1/order?symbol="), "{url}");
}

#[test]
fn a_rest_order_is_one_signed_request() {
    let Preview::Http { method, url, headers, body } = preview(HMAC, &order(Transport::Rest, "arb-000001"))
    else {
        panic!("an HTTP request")
    };
    let (front, signature) = url.split_once("&signature=").unwrap();
    let query = front.strip_prefix("https://api.binance.com/api/v3/order?").unwrap();
    assert_eq!(
        query,
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&recvWindow=5000&newClientOrderId=arb-000001\
         &price=23416.10&quantity=0.00847&timestamp=1660801715431"
    );
    assert_eq!(signature, sign(HMAC, "POST", query, ""));
    assert_eq!((method.as_str(), body.as_str()), ("POST", ""));
    assert_eq!(headers, [("X-MBX-APIKEY".to_owned(), HMAC.0.to_owned())]);

    let Preview::Http { url, .. } = preview(ED25519, &order(Transport::Rest, "arb-000001")) else { panic!() };
    let signature = url.split_once("&signature=").unwrap().1;
    let plain = sign(ED25519, "POST", query, "");
    assert_eq!(signature, plain.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
}

#[test]
fn a_websocket_order_is_signed_only_without_a_session() {
    let Preview::Frames { frames, .. } = preview(HMAC, &order(Transport::Ws, "arb-000001")) else { panic!() };
    let payload = format!(
        "apiKey={}&newClientOrderId=arb-000001&price=23416.10&quantity=0.00847&recvWindow=5000&side=SELL\
         &symbol=BTCUSDT&timeInForce=IOC&timestamp=1660801715431&type=LIMIT",
        HMAC.0
    );
    let frame: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(frame["params"]["signature"], sign(HMAC, "WS", &payload, ""));
    assert_eq!((&frame["method"], &frame["id"]), (&"order.place".into(), &"arb-000001".into()));

    let Preview::Frames { frames, .. } = preview(ED25519, &order(Transport::Ws, "arb-000001")) else {
        panic!()
    };
    assert_eq!(frames.len(), 2);
    let logon: serde_json::Value = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(logon["method"], "session.logon");
    let frame: serde_json::Value = serde_json::from_str(&frames[1]).unwrap();
    assert!(frame["params"].get("signature").is_none() && frame["params"]["timestamp"].is_i64());
}

#[test]
fn values_that_the_venue_does_not_take_are_refused_by_name() {
    let good = order(Transport::Rest, "a");
    for (order, want) in [
        (OrderText { client_id: "a b".to_owned(), ..good.clone() }, "client-id"),
        (OrderText { client_id: "x".repeat(37), ..good.clone() }, "client-id"),
        (OrderText { price: "1e5".to_owned(), ..good.clone() }, "price"),
        (OrderText { qty: "-1".to_owned(), ..good.clone() }, "qty"),
        (OrderText { symbol: String::new(), ..good.clone() }, "symbol"),
    ] {
        let refused =
            (find("binance.spot").unwrap().preview.unwrap())(&credentials(HMAC), &order).unwrap_err();
        assert!(refused.to_string().starts_with(want), "{refused}");
    }
}
