//! Previews: the exact requests, and known signatures through the same door.

use secrecy::SecretString;
use xarb::types::{Kind, Side, Tif};
use xarb::venue::{Credentials, OrderText, Preview, SignRequest, Transport, find};

use crate::world::MARKETS;

fn credentials() -> Credentials {
    Credentials {
        key: "test_api_key".to_owned(),
        secret: SecretString::from("test_secret"),
        passphrase: None,
        generation: 0,
    }
}

fn order(transport: Transport) -> OrderText {
    OrderText {
        symbol: "BTCUSDT".to_owned(),
        side: Side::Buy,
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price: "10000".to_owned(),
        qty: "0.001".to_owned(),
        client_id: "arb-000001".to_owned(),
        transport,
        time_ms: 1_700_000_000_000,
        nonce: None,
    }
}

fn preview(venue: &str, order: &OrderText) -> Preview {
    (find(venue).unwrap().preview.unwrap())(&credentials(), order).unwrap()
}

#[test]
fn requests_are_signed_as_they_stand() {
    for (method, path, query, body, text, want) in [
        (
            "GET",
            "/v5/order/realtime",
            "category=linear&symbol=BTCUSDT",
            "",
            "1700000000000test_api_key5000category=linear&symbol=BTCUSDT",
            "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7",
        ),
        (
            "POST",
            "/v5/order/create",
            "",
            r#"{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}"#,
            r#"1700000000000test_api_key5000{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}"#,
            "2df4a0603d69c08d5dea29ba85b46eb7db64ce9e9ebd34a7802a3d69700cb2a1",
        ),
        (
            "GET",
            "/realtime",
            "",
            "",
            "GET/realtime1700000000000",
            "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925",
        ),
        (
            "WS",
            "/v5/private",
            "",
            "",
            "GET/realtime1700000000000",
            "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925",
        ),
    ] {
        for venue in MARKETS {
            let request = SignRequest {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                body: body.to_owned(),
                time_ms: 1_700_000_000_000,
                nonce: None,
            };
            let signed = (find(venue).unwrap().sign.unwrap())(&credentials(), &request).unwrap();
            assert_eq!((signed.string_to_sign.as_str(), signed.signature.as_str()), (text, want));
            let carried = signed.headers.iter().any(|(name, value)| name == "X-BAPI-SIGN" && value == want);
            assert_eq!(carried, text.contains("test_api_key"));
        }
    }
}

#[test]
fn a_rest_order_is_one_signed_request() {
    let Preview::Http { method, url, headers, body } = preview("bybit.spot", &order(Transport::Rest)) else {
        panic!("an HTTP request")
    };
    assert_eq!((method.as_str(), url.as_str()), ("POST", "https://api.bybit.com/v5/order/create"));
    assert_eq!(
        body,
        concat!(
            r#"{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001","#,
            r#""price":"10000","timeInForce":"IOC","orderLinkId":"arb-000001"}"#
        )
    );
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).unwrap().1.as_str();
    assert_eq!(header("X-BAPI-SIGN"), "747e1b25e7924d3d4e11409758235e5b0e1e65e4de54bc5f29aeaae07b4a83b3");
    assert_eq!((header("X-BAPI-TIMESTAMP"), header("X-BAPI-RECV-WINDOW")), ("1700000000000", "5000"));
    assert_eq!((header("X-BAPI-API-KEY"), header("Content-Type")), ("test_api_key", "application/json"));
}

#[test]
fn a_websocket_order_is_not_signed_but_its_login_is() {
    let Preview::Frames { frames, notes } = preview("bybit.linear", &order(Transport::Ws)) else { panic!() };
    let [login, order] = &frames[..] else { panic!("{frames:?}") };
    let login: serde_json::Value = serde_json::from_str(login).unwrap();
    assert_eq!((&login["op"], &login["args"][0]), (&"auth".into(), &"test_api_key".into()));
    let request = SignRequest {
        method: "WS".to_owned(),
        path: String::new(),
        query: String::new(),
        body: String::new(),
        time_ms: login["args"][1].as_i64().unwrap(),
        nonce: None,
    };
    let signed = (find("bybit.linear").unwrap().sign.unwrap())(&credentials(), &request).unwrap();
    assert_eq!((request.time_ms, &login["args"][2]), (1_700_000_010_000, &signed.signature.into()));
    assert_eq!(
        order,
        concat!(
            r#"{"reqId":"arb-000001","header":{"X-BAPI-TIMESTAMP":"1700000000000","X-BAPI-RECV-WINDOW":"5000"},"#,
            r#""op":"order.create","args":[{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","#,
            r#""qty":"0.001","price":"10000","timeInForce":"IOC","orderLinkId":"arb-000001"}]}"#
        )
    );
    assert!(!notes.is_empty());
}

#[test]
fn kinds_and_lifetimes_have_the_venues_names() {
    for (venue, kind, tif, want) in [
        (
            "bybit.spot",
            Kind::Limit,
            Tif::Fok,
            r#""orderType":"Limit","qty":"0.001","price":"10000","timeInForce":"FOK","#,
        ),
        ("bybit.spot", Kind::PostOnly, Tif::Gtc, r#""price":"10000","timeInForce":"PostOnly","#),
        (
            "bybit.spot",
            Kind::Market,
            Tif::Ioc,
            r#""orderType":"Market","qty":"0.001","timeInForce":"IOC","marketUnit":"baseCoin","#,
        ),
        (
            "bybit.linear",
            Kind::Market,
            Tif::Ioc,
            r#""orderType":"Market","qty":"0.001","timeInForce":"IOC","orderLinkId""#,
        ),
        ("bybit.linear", Kind::Limit, Tif::Gtc, r#""timeInForce":"GTC","#),
    ] {
        let Preview::Http { body, .. } = preview(venue, &OrderText { kind, tif, ..order(Transport::Rest) })
        else {
            panic!()
        };
        assert!(body.contains(want), "{body}");
    }
}

#[test]
fn values_that_the_venue_does_not_take_are_refused_by_name() {
    let good = order(Transport::Rest);
    for (order, want) in [
        (OrderText { client_id: "a b".to_owned(), ..good.clone() }, "client-id"),
        (OrderText { client_id: "x".repeat(37), ..good.clone() }, "client-id"),
        (OrderText { price: "1e5".to_owned(), ..good.clone() }, "price"),
        (OrderText { qty: "-1".to_owned(), ..good.clone() }, "qty"),
        (OrderText { symbol: String::new(), ..good.clone() }, "symbol"),
        (OrderText { kind: Kind::PostOnly, ..good.clone() }, "tif"),
        (OrderText { time_ms: i64::MAX, ..good.clone() }, "time-ms"),
    ] {
        let refused = (find("bybit.spot").unwrap().preview.unwrap())(&credentials(), &order).unwrap_err();
        assert!(refused.to_string().starts_with(want), "{refused}");
    }
}
