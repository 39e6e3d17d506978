//! New orders as bytes that are ready to go: a template for each product, made ahead, into which an
//! id, the numbers and what proves the sender are written.
//!
//! Both APIs take orders over REST alone. Advanced Trade's carry a token that was made ahead and
//! does not cover the body, so nothing is signed when they fire, and a body can be written before:
//! it stands at a fixed place, and the head is put before it with the token. Exchange's are signed
//! over the body, with a time to the second. Nothing here allocates once a template stands.

use super::sign::{SIGNATURE, Signer, second};
use crate::types::{ClientId, Draft, Endpoint, InstrumentSpec, Kind, Nanos, Side, Tif};
use crate::venue::kraken::json::quoted;
use crate::venue::{Begun, EncodeError, Guess, OrderBytes};
use crate::wire::pen::{Decimals, Pen};

/// Where Advanced Trade's requests start.
pub const PREFIX: &str = "/api/v3/brokerage";
/// Advanced Trade's orders.
pub const ADVANCED_ORDERS: &str = "/api/v3/brokerage/orders";
/// Exchange's orders.
pub const EXCHANGE_ORDERS: &str = "/orders";

/// How a product's numbers are written.
struct Numbers {
    price: Decimals,
    qty: Decimals,
}

impl Numbers {
    fn new(spec: &InstrumentSpec) -> Numbers {
        Numbers {
            price: Decimals::of_step(spec.tick.0, spec.scale),
            qty: Decimals::of_step(spec.lot.0, spec.scale),
        }
    }
}

/// Three digits of a length, into the place that was left for them.
fn put_length(buffer: &mut [u8], at: usize, length: usize) -> Result<(), EncodeError> {
    let place = buffer.get_mut(at..at + 3).ok_or(EncodeError::TooLong)?;
    if !(100..1000).contains(&length) {
        return Err(EncodeError::TooLong);
    }
    for (digit, unit) in place.iter_mut().zip([100, 10, 1]) {
        *digit = b'0' + (length / unit % 10) as u8;
    }
    Ok(())
}

/// Where the bodies of Advanced Trade's orders stand. The head before them ends there; a token is some
/// 600 bytes, and a body less than 400.
const BODY: usize = 1536;

/// What ends the head, and how far before the body its digits start.
const LENGTH: &[u8; 25] = b"\r\nContent-Length: 000\r\n\r\n";
const LENGTH_BEHIND: usize = 7;

/// An order of one product on Advanced Trade.
pub struct Advanced {
    /// The head up to the token.
    head: Vec<u8>,
    /// From the client id to the side.
    product: Vec<u8>,
    /// Behind the configuration.
    tail: Vec<u8>,
    numbers: Numbers,
}

impl Advanced {
    /// `group` names those whose orders must not trade with each other.
    pub fn new(spec: &InstrumentSpec, host: &Endpoint, group: &str) -> Advanced {
        let head = format!(
            "POST {ADVANCED_ORDERS} HTTP/1.1\r\nHost: {}\r\nUser-Agent: xarb\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer ",
            host.host_header()
        );
        let product = format!("\",\"product_id\":{},\"side\":\"", quoted(spec.symbol.as_str()));
        let tail = format!(",\"self_trade_prevention_id\":{}}}", quoted(group));
        Advanced {
            head: head.into_bytes(),
            product: product.into_bytes(),
            tail: tail.into_bytes(),
            numbers: Numbers::new(spec),
        }
    }

    /// Writes the body of an order; its price and size only where they are `likely` to be those.
    ///
    /// # Errors
    /// For orders that the venue does not have, and bodies that are too long.
    pub fn begin(&self, order: &Draft, likely: bool, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let (name, rest) = advanced_terms(order.kind, order.tif)?;
        let mut pen = Pen::at(&mut out.buffer()[..], BODY);
        pen.put(b"{\"client_order_id\":\"");
        pen.put_uuid(order.client);
        pen.put(&self.product);
        pen.put(match order.side {
            Side::Buy => b"BUY\",\"order_configuration\":{\"",
            Side::Sell => b"SELL\",\"order_configuration\":{\"",
        });
        pen.put(name.as_bytes());
        pen.put(b"\":{\"base_size\":\"");
        let at = pen.here();
        let guess = match likely {
            true => {
                Some(Guess { price: order.price, qty: order.qty, end: self.write_numbers(order, rest, pen)? })
            }
            false => None,
        };
        out.begun = Begun { at, guess, ..Begun::default() };
        Ok(())
    }

    /// Price and size of a body and all behind them; where it ends.
    fn write_numbers(&self, order: &Draft, rest: &str, mut pen: Pen<'_>) -> Result<usize, EncodeError> {
        pen.put_decimal(order.qty.0, &self.numbers.qty);
        pen.put(b"\",\"limit_price\":\"");
        pen.put_decimal(order.price.0, &self.numbers.price);
        pen.put(rest.as_bytes());
        pen.put(&self.tail);
        pen.end().ok_or(EncodeError::TooLong)
    }

    /// Makes the complete request of a body, with a token for it.
    ///
    /// # Errors
    /// Where head or body are too long.
    pub fn complete(&self, order: &Draft, token: &str, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let begun = out.begun;
        let end = match begun.guessed(order) {
            Some(end) => end,
            None => {
                let (_, rest) = advanced_terms(order.kind, order.tif)?;
                self.write_numbers(order, rest, Pen::at(&mut out.buffer()[..], begun.at))?
            }
        };
        let head = self.head.len() + token.len() + LENGTH.len();
        let start = BODY.checked_sub(head).ok_or(EncodeError::TooLong)?;
        let mut pen = Pen::at(&mut out.buffer()[..], start);
        pen.put(&self.head);
        pen.put(token.as_bytes());
        pen.put_const(LENGTH);
        put_length(&mut out.buffer()[..], BODY - LENGTH_BEHIND, end.saturating_sub(BODY))?;
        out.set(start, end)
    }
}

/// A configuration's name, and what follows the price in it.
pub fn advanced_terms(kind: Kind, tif: Tif) -> Result<(&'static str, &'static str), EncodeError> {
    Ok(match (kind, tif) {
        (Kind::Limit, Tif::Ioc) => ("sor_limit_ioc", "\"}}"),
        (Kind::Limit, Tif::Fok) => ("limit_limit_fok", "\"}}"),
        (Kind::Limit, Tif::Gtc) => ("limit_limit_gtc", "\",\"post_only\":false}}"),
        (Kind::PostOnly, Tif::Gtc) => ("limit_limit_gtc", "\",\"post_only\":true}}"),
        // A market order has no price bound.
        _ => return Err(EncodeError::Unsupported),
    })
}

/// An order of one product on Exchange.
pub struct Exchange {
    /// The head up to the signature.
    head: Vec<u8>,
    /// From behind the signature to the time.
    between: Vec<u8>,
    /// From behind the time to the length; holds the passphrase, so it is wiped on drop.
    behind: zeroize::Zeroizing<Vec<u8>>,
    /// From the client id to the side.
    product: Vec<u8>,
    numbers: Numbers,
    /// What is signed; the padding of the hash follows it.
    scratch: Box<[u8; 1024]>,
}

impl Exchange {
    /// With the key's public half and passphrase.
    pub fn new(spec: &InstrumentSpec, host: &Endpoint, signer: &Signer) -> Exchange {
        let head = format!(
            "POST {EXCHANGE_ORDERS} HTTP/1.1\r\nHost: {}\r\nUser-Agent: xarb\r\n\
             Content-Type: application/json\r\nCB-ACCESS-KEY: {}\r\nCB-ACCESS-SIGN: ",
            host.host_header(),
            signer.key()
        );
        let behind = format!("\r\nCB-ACCESS-PASSPHRASE: {}\r\nContent-Length: ", signer.passphrase());
        let product = format!("\",\"product_id\":{},\"side\":\"", quoted(spec.symbol.as_str()));
        Exchange {
            head: head.into_bytes(),
            between: b"\r\nCB-ACCESS-TIMESTAMP: ".to_vec(),
            behind: behind.into_bytes().into(),
            product: product.into_bytes(),
            numbers: Numbers::new(spec),
            scratch: Box::new([0; 1024]),
        }
    }

    /// Writes the complete request, signed.
    pub fn encode(
        &mut self,
        order: &Draft,
        now: Nanos,
        signer: &Signer,
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        let terms = exchange_terms(order.kind, order.tif)?;
        let mut pen = Pen::new(&mut self.scratch[..]);
        pen.put_integer(second(now));
        let time = second(now).checked_ilog10().map_or(1, |log| log as usize + 1);
        pen.put(b"POST");
        pen.put(EXCHANGE_ORDERS.as_bytes());
        let body = time + 4 + EXCHANGE_ORDERS.len();
        pen.put(b"{\"client_oid\":\"");
        pen.put_uuid(order.client);
        pen.put(&self.product);
        pen.put(match order.side {
            Side::Buy => b"buy\",\"type\":\"limit\",\"price\":\"",
            Side::Sell => b"sell\",\"type\":\"limit\",\"price\":\"",
        });
        pen.put_decimal(order.price.0, &self.numbers.price);
        pen.put(b"\",\"size\":\"");
        pen.put_decimal(order.qty.0, &self.numbers.qty);
        pen.put(terms.as_bytes());
        let end = pen.end().ok_or(EncodeError::TooLong)?;
        let signature = signer.sign_in_place(&mut self.scratch[..], end).ok_or(EncodeError::TooLong)?;
        let signed = self.scratch.get(..end).ok_or(EncodeError::TooLong)?;

        let mut pen = Pen::new(&mut out.buffer()[..]);
        pen.put(&self.head);
        pen.put_const::<SIGNATURE>(&signature);
        pen.put(&self.between);
        pen.put(signed.get(..time).unwrap_or_default());
        pen.put(&self.behind);
        pen.put(b"000\r\n\r\n");
        pen.put(signed.get(body..).unwrap_or_default());
        let whole = pen.end().ok_or(EncodeError::TooLong)?;
        let length = end - body;
        put_length(&mut out.buffer()[..], whole - length - LENGTH_BEHIND, length)?;
        out.set(0, whole)
    }
}

/// What follows the quantity. Of two orders of one account that would trade, the newer is cancelled:
/// the venue's own default would cut both.
pub fn exchange_terms(kind: Kind, tif: Tif) -> Result<&'static str, EncodeError> {
    Ok(match (kind, tif) {
        (Kind::Limit, Tif::Ioc) => "\",\"time_in_force\":\"IOC\",\"stp\":\"cn\"}",
        (Kind::Limit, Tif::Fok) => "\",\"time_in_force\":\"FOK\",\"stp\":\"cn\"}",
        (Kind::Limit, Tif::Gtc) => "\",\"time_in_force\":\"GTC\",\"stp\":\"cn\"}",
        (Kind::PostOnly, Tif::Gtc) => "\",\"time_in_force\":\"GTC\",\"post_only\":true,\"stp\":\"cn\"}",
        _ => return Err(EncodeError::Unsupported),
    })
}

/// Text as a UUID of version 4 in lower case with hyphens, as both APIs want an order's own id. One
/// of another shape is taken by Exchange and then silently lost.
pub fn is_client_id(text: &str) -> bool {
    ClientId::parse(text.as_bytes()).is_some_and(|id| {
        let own = id.uuid();
        own == text.as_bytes() && own[14] == b'4' && b"89ab".contains(&own[19])
    })
}

/// `client` as the venue wants it.
pub fn uuid(client: ClientId) -> String {
    client.uuid().iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{InstrumentId, Price, Qty, VenueId};
    use crate::venue::coinbase::sign;
    use crate::venue::coinbase::sign::tests::{SECRET, credentials};
    use crate::venue::coinbase::symbol;

    const NOW: Nanos = Nanos::from_millis(1_700_000_000_900);

    fn spec() -> InstrumentSpec {
        let product = br#"{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001"}"#;
        symbol::exchange(product).unwrap().remove(0)
    }

    fn draft(side: Side, kind: Kind, tif: Tif) -> Draft {
        Draft {
            client: ClientId::parse(b"496ffbba-7dae-4864-b7e8-a5bf52c6d0e2").unwrap(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side,
            kind,
            tif,
            price: Price(3_000_010_000_000),
            qty: Qty(1_000_001),
            reduce_only: false,
        }
    }

    /// Head and body of a request whose length is as it says.
    fn parts(bytes: &OrderBytes) -> (String, String) {
        let text = std::str::from_utf8(bytes.as_slice()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn an_order_of_advanced_trade_is_its_template_and_a_token() {
        let host = Endpoint::parse("https://api.coinbase.com").unwrap();
        let template = Advanced::new(&spec(), &host, "g");
        for (side, kind, tif, want) in [
            (
                Side::Buy,
                Kind::Limit,
                Tif::Ioc,
                r#""side":"BUY","order_configuration":{"sor_limit_ioc":{"base_size":"0.01000001","limit_price":"30000.10"}}"#,
            ),
            (
                Side::Sell,
                Kind::Limit,
                Tif::Fok,
                r#""side":"SELL","order_configuration":{"limit_limit_fok":{"base_size":"0.01000001","limit_price":"30000.10"}}"#,
            ),
            (
                Side::Buy,
                Kind::Limit,
                Tif::Gtc,
                r#""side":"BUY","order_configuration":{"limit_limit_gtc":{"base_size":"0.01000001","limit_price":"30000.10","post_only":false}}"#,
            ),
            (
                Side::Sell,
                Kind::PostOnly,
                Tif::Gtc,
                r#""side":"SELL","order_configuration":{"limit_limit_gtc":{"base_size":"0.01000001","limit_price":"30000.10","post_only":true}}"#,
            ),
        ] {
            let order = draft(side, kind, tif);
            let out = written(&template, &order, &order, "a.b.c").unwrap();
            let (head, body) = parts(&out);
            assert!(head.starts_with("POST /api/v3/brokerage/orders HTTP/1.1\r\nHost: api.coinbase.com\r\n"));
            assert!(head.contains("\r\nAuthorization: Bearer a.b.c\r\n"), "{head}");
            let want = format!(
                r#"{{"client_order_id":"496ffbba-7dae-4864-b7e8-a5bf52c6d0e2","product_id":"BTC-USD",{want},"self_trade_prevention_id":"g"}}"#
            );
            assert_eq!(body, want);
        }
        let refused = |kind, tif, token: &str| {
            let order = draft(Side::Buy, kind, tif);
            written(&template, &order, &order, token).err()
        };
        assert_eq!(refused(Kind::Market, Tif::Ioc, "t"), Some(EncodeError::Unsupported));
        let long = "x".repeat(BODY);
        assert_eq!(refused(Kind::Limit, Tif::Ioc, &long), Some(EncodeError::TooLong));
    }

    /// An order that was begun as `guess`, or, where that has no price, without any.
    fn written(
        template: &Advanced,
        order: &Draft,
        guess: &Draft,
        token: &str,
    ) -> Result<OrderBytes, EncodeError> {
        let mut out = OrderBytes::new();
        template.begin(guess, guess.price.0 > 0, &mut out)?;
        template.complete(order, token, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_guess_is_used_or_written_over() {
        let host = Endpoint::parse("https://api.coinbase.com").unwrap();
        let template = Advanced::new(&spec(), &host, "g");
        let order = draft(Side::Sell, Kind::Limit, Tif::Ioc);
        let want = parts(&written(&template, &order, &order, "a.b.c").unwrap());
        for (price, qty) in [
            (0, 0),
            (3_000_010_000_000, 1_000_002),
            (100_000_000, 1_000_001),
            (9_999_999_990_000_000, 9_999_999_999_999_999),
        ] {
            let guess = Draft { price: Price(price), qty: Qty(qty), ..order };
            let got = parts(&written(&template, &order, &guess, "a.b.c").unwrap());
            assert_eq!(got, want, "{price} {qty}");
        }
        // Completed for nothing before, with another token.
        let mut out = OrderBytes::new();
        template.begin(&order, true, &mut out).unwrap();
        template.complete(&order, "a much longer token", &mut out).unwrap();
        template.complete(&order, "a.b.c", &mut out).unwrap();
        assert_eq!(parts(&out), want);
    }

    #[test]
    fn an_order_of_exchange_is_signed_as_it_stands() {
        let signer = Signer::new(&credentials(SECRET, Some("PASS"))).unwrap();
        let host = Endpoint::parse("https://api.exchange.coinbase.com").unwrap();
        let mut template = Exchange::new(&spec(), &host, &signer);
        for (side, kind, tif, want) in [
            (
                Side::Buy,
                Kind::Limit,
                Tif::Ioc,
                r#""side":"buy","type":"limit","price":"30000.10","size":"0.01000001","time_in_force":"IOC","stp":"cn""#,
            ),
            (
                Side::Sell,
                Kind::Limit,
                Tif::Fok,
                r#""side":"sell","type":"limit","price":"30000.10","size":"0.01000001","time_in_force":"FOK","stp":"cn""#,
            ),
            (
                Side::Sell,
                Kind::PostOnly,
                Tif::Gtc,
                r#""side":"sell","type":"limit","price":"30000.10","size":"0.01000001","time_in_force":"GTC","post_only":true,"stp":"cn""#,
            ),
        ] {
            let mut out = OrderBytes::new();
            template.encode(&draft(side, kind, tif), NOW, &signer, &mut out).unwrap();
            let (head, body) = parts(&out);
            let want = format!(
                r#"{{"client_oid":"496ffbba-7dae-4864-b7e8-a5bf52c6d0e2","product_id":"BTC-USD",{want}}}"#
            );
            assert_eq!(body, want);
            let signature = sign::text(&signer.sign(format!("1700000000POST/orders{body}").as_bytes()));
            for line in [
                format!("CB-ACCESS-KEY: APIKEY\r\nCB-ACCESS-SIGN: {signature}\r\n"),
                "CB-ACCESS-TIMESTAMP: 1700000000\r\nCB-ACCESS-PASSPHRASE: PASS\r\n".to_owned(),
            ] {
                assert!(head.contains(&line), "{head}");
            }
        }
        let refused = template.encode(
            &draft(Side::Buy, Kind::PostOnly, Tif::Ioc),
            NOW,
            &signer,
            &mut OrderBytes::new(),
        );
        assert_eq!(refused, Err(EncodeError::Unsupported));
    }

    #[test]
    fn only_uuids_of_version_4_are_ids() {
        for (text, want) in [
            ("496ffbba-7dae-4864-b7e8-a5bf52c6d0e2", true),
            ("496FFBBA-7DAE-4864-B7E8-A5BF52C6D0E2", false),
            ("496ffbba7dae4864b7e8a5bf52c6d0e2", false),
            ("496ffbba-7dae-1864-b7e8-a5bf52c6d0e2", false),
            ("496ffbba-7dae-4864-c7e8-a5bf52c6d0e2", false),
            ("my-1", false),
        ] {
            assert_eq!(is_client_id(text), want, "{text}");
        }
    }
}
