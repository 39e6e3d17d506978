//! Previews: the exact requests, and the protocol page's signatures through the same door.

use secrecy::SecretString;
use xarb::types::{Kind, Side, Tif};
use xarb::venue::{Credentials, OrderText, Preview, SignRequest, Transport, find};

use crate::world::MARKETS;

fn credentials() -> Credentials {
    Credentials {
        key: "test-api-key".to_owned(),
        secret: SecretString::from("22582BD0CFF14C41EDBF1AB98506286D"),
        passphrase: Some(SecretString::from("phrase")),
        generation: 0,
    }
}

fn order(transport: Transport) -> OrderText {
    OrderText {
        symbol: "BTC-USDT".to_owned(),
        side: Side::Buy,
        kind: Kind::Limit,
        tif: Tif::Ioc,
        price: "26000.1".to_owned(),
        qty: "0.01".to_owned(),
        client_id: "a1B2c3".to_owned(),
        transport,
        time_ms: 1_607_418_537_715,
        nonce: None,
    }
}

#[test]
fn requests_are_signed_as_they_stand() {
    let body = r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","px":"2.15","sz":"2"}"#;
    for (method, path, query, body, at_ms, want) in [
        (
            "GET",
            "/api/v5/account/balance",
            "ccy=BTC",
            "",
            1_607_418_537_715,
            "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=",
        ),
        (
            "POST",
            "/api/v5/trade/order",
            "",
            body,
            1_607_418_537_715,
            "iwrdSpN7pm4G4u8+fswZUyH6mOM48+sBF6WvKpj4Dvk=",
        ),
        (
            "GET",
            "/users/self/verify",
            "",
            "",
            1_704_876_947_000,
            "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU=",
        ),
    ] {
        for venue in MARKETS {
            let request = SignRequest {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                body: body.to_owned(),
                time_ms: at_ms,
                nonce: None,
            };
            let signed = (find(venue).unwrap().sign.unwrap())(&credentials(), &request).unwrap();
            assert_eq!(signed.signature, want);
            let header =
                |wanted: &str| signed.headers.iter().find(|(name, _)| name == wanted).unwrap().1.as_str();
            assert_eq!((header("OK-ACCESS-SIGN"), header("OK-ACCESS-PASSPHRASE")), (want, "phrase"));
            assert!(signed.string_to_sign.starts_with(header("OK-ACCESS-TIMESTAMP")));
        }
    }
}

/// What the preview shows is what the simulated venue takes: the same fields in the same order as the
/// engine's own orders, which name the instrument by number over a session.
#[test]
fn both_transports_carry_the_same_terms() {
    let make = find("okx.spot").unwrap().preview.unwrap();
    let Preview::Http { body, headers, .. } = make(&credentials(), &order(Transport::Rest)).unwrap() else {
        panic!("an HTTP request")
    };
    let Preview::Frames { frames, notes } = make(&credentials(), &order(Transport::Ws)).unwrap() else {
        panic!("frames")
    };
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).unwrap().1.as_str();
    assert_eq!(header("OK-ACCESS-TIMESTAMP"), "2020-12-08T09:08:57.715Z");
    assert_eq!(header("expTime"), "1607418542715");
    let [login, frame] = &frames[..] else { panic!("{frames:?}") };
    assert!(login.contains(r#""timestamp":"1607418537""#), "{login}");
    assert_eq!(
        *frame,
        format!(r#"{{"id":"a1B2c3","op":"order","expTime":"1607418542715","args":[{body}]}}"#)
    );
    assert!(notes.iter().any(|note| note.contains("instIdCode")));
    assert_eq!(
        body,
        concat!(
            r#"{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"a1B2c3","side":"buy","ordType":"ioc","#,
            r#""px":"26000.1","sz":"0.01","stpMode":"cancel_taker"}"#
        )
    );
}

#[test]
fn values_that_the_venue_does_not_take_are_refused_by_name() {
    let good = order(Transport::Rest);
    for (order, want) in [
        (OrderText { client_id: "a-b".to_owned(), ..good.clone() }, "client-id"),
        (OrderText { client_id: "x".repeat(33), ..good.clone() }, "client-id"),
        (OrderText { price: "1e5".to_owned(), ..good.clone() }, "price"),
        (OrderText { qty: "-1".to_owned(), ..good.clone() }, "qty"),
        (OrderText { symbol: String::new(), ..good.clone() }, "symbol"),
        (OrderText { symbol: "BTC-USDT-SWAP".to_owned(), ..good.clone() }, "symbol"),
        (OrderText { kind: Kind::PostOnly, ..good.clone() }, "tif"),
        (OrderText { time_ms: i64::MAX, ..good.clone() }, "time-ms"),
        (OrderText { time_ms: -1, ..good.clone() }, "time-ms"),
    ] {
        let refused = (find("okx.spot").unwrap().preview.unwrap())(&credentials(), &order).unwrap_err();
        assert!(refused.to_string().starts_with(want), "{refused}");
    }
}
