//! New orders as bytes that are ready to go: a template for each pair, made ahead, into which an
//! id, a deadline, the numbers and, over REST, a nonce and a signature are written.
//!
//! Over WebSocket every order carries a token that was got ahead: nothing is signed when it fires.
//! Over REST each request is signed, its nonce given when it is written; a request with a later
//! nonce that arrives first makes it void. Nothing here allocates once a template stands.

use zeroize::Zeroizing;

use super::json::quoted;
use super::sign::{SIGNATURE, Signer};
use super::symbol;
use crate::types::{ClientId, Draft, Endpoint, InstrumentSpec, Kind, Nanos, Side, Tif};
use crate::venue::{Begun, EncodeError, Guess, OrderBytes};
use crate::wire::pen::{Decimals, Pen, Stamp};
use crate::wire::ws::{begin_client_text, finish_client_text};

/// The venue takes deadlines from half a second to a minute ahead.
pub const DEADLINE_MS: std::ops::RangeInclusive<u32> = 500..=60_000;

/// Largest header of a masked client frame below 64 KiB: two bytes, two of length, four of mask.
const FRAME_HEADER: usize = 8;

/// Where orders of one pair are sent by REST.
pub const ADD_ORDER: &str = "/0/private/AddOrder";

/// How the numbers of a pair are written.
struct Numbers {
    price: Decimals,
    qty: Decimals,
}

impl Numbers {
    fn new(spec: &InstrumentSpec) -> Numbers {
        Numbers {
            price: Decimals::at_least(spec.price_digits, spec.tick.0, spec.scale),
            qty: Decimals::at_least(spec.qty_digits, spec.lot.0, spec.scale),
        }
    }

    /// Quantity and price of a WebSocket order, up to its deadline.
    #[inline]
    fn write(&self, order: &Draft, text: &mut Pen<'_>) {
        text.put_decimal(order.qty.0, &self.qty);
        text.put_const(b",\"limit_price\":");
        text.put_decimal(order.price.0, &self.price);
        text.put_const(b",\"deadline\":\"");
    }
}

/// An order of one pair over a WebSocket session.
pub struct Socket {
    /// The message up to the client id; holds the token, so it is wiped on drop.
    head: Zeroizing<Vec<u8>>,
    numbers: Numbers,
}

impl Socket {
    /// With the session's token.
    pub fn new(spec: &InstrumentSpec, token: &str) -> Socket {
        let head = format!(
            "{{\"method\":\"add_order\",\"params\":{{\"symbol\":{},\"stp_type\":\"cancel_newest\",\"token\":{},\"cl_ord_id\":\"",
            quoted(spec.symbol.as_str()),
            Zeroizing::new(quoted(token)).as_str(),
        );
        Socket { head: Zeroizing::new(head.into_bytes()), numbers: Numbers::new(spec) }
    }

    /// Writes what is known of the order before its deadline, masked. Price and size only where they
    /// are `likely`: they must have passed the venue's filters.
    pub fn begin(
        &self,
        order: &Draft,
        likely: bool,
        session: u32,
        mask: [u8; 4],
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        let terms = socket_terms(order.side, order.kind, order.tif)?;
        let mut text = Pen::at(out.buffer(), FRAME_HEADER);
        text.put(&self.head);
        text.put_uuid(order.client);
        text.put(terms.as_bytes());
        let at = text.here();
        if likely {
            self.numbers.write(order, &mut text);
        }
        let end = text.end().ok_or(EncodeError::TooLong)?;
        begin_client_text(out.buffer(), FRAME_HEADER, end, mask).ok_or(EncodeError::TooLong)?;
        let guess = likely.then_some(Guess { price: order.price, qty: order.qty, end });
        out.begun = Begun { at, guess, mask, session };
        Ok(())
    }

    /// Writes the rest: a complete, masked frame.
    #[inline]
    pub fn complete(
        &self,
        order: &Draft,
        deadline: &[u8; Stamp::LEN],
        request: u64,
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        let begun = out.begun;
        let guessed = begun.guessed(order);
        // What was guessed is masked already; what is written now is not yet.
        let masked = guessed.unwrap_or(begun.at);
        let mut text = Pen::at(out.buffer(), masked);
        if guessed.is_none() {
            self.numbers.write(order, &mut text);
        }
        text.put_const(deadline);
        text.put_const(b"\"},\"req_id\":");
        text.put_number(request);
        text.put_const(b"}");
        let end = text.end().ok_or(EncodeError::TooLong)?;
        let len = end.checked_sub(FRAME_HEADER).ok_or(EncodeError::TooLong)?;
        let frame = finish_client_text(out.buffer(), FRAME_HEADER, masked, len, begun.mask);
        let frame = frame.ok_or(EncodeError::TooLong)?;
        out.set(frame.start, frame.end)
    }
}

/// Side, type and lifetime of a limit order, from behind the client id to the quantity.
fn socket_terms(side: Side, kind: Kind, tif: Tif) -> Result<&'static str, EncodeError> {
    macro_rules! terms {
        ($side:literal, $rest:literal) => {
            concat!(
                "\",\"side\":\"",
                $side,
                "\",\"order_type\":\"limit\",\"time_in_force\":\"",
                $rest,
                ",\"order_qty\":"
            )
        };
    }
    Ok(match (kind, tif, side) {
        (Kind::Limit, Tif::Ioc, Side::Buy) => terms!("buy", "ioc\""),
        (Kind::Limit, Tif::Ioc, Side::Sell) => terms!("sell", "ioc\""),
        (Kind::Limit, Tif::Gtc, Side::Buy) => terms!("buy", "gtc\""),
        (Kind::Limit, Tif::Gtc, Side::Sell) => terms!("sell", "gtc\""),
        (Kind::PostOnly, Tif::Gtc, Side::Buy) => terms!("buy", "gtc\",\"post_only\":true"),
        (Kind::PostOnly, Tif::Gtc, Side::Sell) => terms!("sell", "gtc\",\"post_only\":true"),
        // Fill-or-kill is offered over REST alone; a market order has no price bound.
        _ => return Err(EncodeError::Unsupported),
    })
}

/// An order of one pair over REST.
pub struct Rest {
    /// The head up to the signature.
    head: Vec<u8>,
    /// From behind the nonce to the client id.
    pair: Vec<u8>,
    numbers: Numbers,
}

impl Rest {
    /// With the public half of the key; `None` when the pair has no REST name.
    pub fn new(spec: &InstrumentSpec, host: &Endpoint, key: &str) -> Option<Rest> {
        let head = format!(
            "POST {ADD_ORDER} HTTP/1.1\r\nHost: {}\r\nUser-Agent: xarb\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nAPI-Key: {key}\r\nAPI-Sign: ",
            host.host_header()
        );
        let pair =
            format!("&pair={}&stptype=cancel-newest&cl_ord_id=", symbol::rest_name(spec.symbol.as_str())?);
        Some(Rest { head: head.into_bytes(), pair: pair.into_bytes(), numbers: Numbers::new(spec) })
    }

    /// Writes the complete request, signed.
    pub fn encode(
        &self,
        order: &Draft,
        deadline: &[u8; Stamp::LEN],
        nonce: u64,
        signer: &Signer,
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        let terms = rest_terms(order.side, order.kind, order.tif)?;
        let mut text = Pen::new(out.buffer());
        text.put(&self.head);
        let signature = text.skip(SIGNATURE);
        text.put_const(b"\r\nContent-Length: ");
        let length = text.skip(3);
        text.put_const(b"\r\n\r\n");
        let body = text.here();
        text.put_const(b"nonce=");
        let nonce_from = text.here();
        text.put_number(nonce);
        let nonce_to = text.here();
        text.put(&self.pair);
        text.put_uuid(order.client);
        text.put_const(b"&deadline=");
        // Colons are escaped in a form.
        text.put(&deadline[..13]);
        text.put_const(b"%3A");
        text.put(&deadline[14..16]);
        text.put_const(b"%3A");
        text.put(&deadline[17..]);
        text.put(terms.as_bytes());
        text.put_decimal(order.qty.0, &self.numbers.qty);
        text.put_const(b"&price=");
        text.put_decimal(order.price.0, &self.numbers.price);
        let end = text.end().ok_or(EncodeError::TooLong)?;
        let buffer = out.buffer();
        if !(100..1000).contains(&(end - body)) {
            return Err(EncodeError::TooLong);
        }
        let body_len = end - body;
        let digits = [body_len / 100, body_len / 10 % 10, body_len % 10].map(|digit| b'0' + digit as u8);
        buffer[length..length + 3].copy_from_slice(&digits);
        let signed = signer.sign(ADD_ORDER, &buffer[nonce_from..nonce_to], &buffer[body..end]);
        buffer[signature..signature + SIGNATURE].copy_from_slice(&signed);
        out.set(0, end)
    }
}

/// Side, type and lifetime of a limit order, from behind the deadline to the quantity.
fn rest_terms(side: Side, kind: Kind, tif: Tif) -> Result<&'static str, EncodeError> {
    macro_rules! terms {
        ($side:literal, $rest:literal) => {
            concat!("&type=", $side, "&ordertype=limit&timeinforce=", $rest, "&volume=")
        };
    }
    Ok(match (kind, tif, side) {
        (Kind::Limit, Tif::Ioc, Side::Buy) => terms!("buy", "IOC"),
        (Kind::Limit, Tif::Ioc, Side::Sell) => terms!("sell", "IOC"),
        (Kind::Limit, Tif::Fok, Side::Buy) => terms!("buy", "FOK"),
        (Kind::Limit, Tif::Fok, Side::Sell) => terms!("sell", "FOK"),
        (Kind::Limit, Tif::Gtc, Side::Buy) => terms!("buy", "GTC"),
        (Kind::Limit, Tif::Gtc, Side::Sell) => terms!("sell", "GTC"),
        (Kind::PostOnly, Tif::Gtc, Side::Buy) => terms!("buy", "GTC&oflags=post"),
        (Kind::PostOnly, Tif::Gtc, Side::Sell) => terms!("sell", "GTC&oflags=post"),
        _ => return Err(EncodeError::Unsupported),
    })
}

/// Until when an order's bytes may be sent: half a second before its deadline, the least that the
/// venue takes, but never so soon that sending at once would be too late.
pub fn expires(now: Nanos, window_ms: u32) -> Nanos {
    now + Nanos::from_millis(i64::from(window_ms.saturating_sub(*DEADLINE_MS.start()).max(50)))
}

/// `client` as the venue wants it.
pub fn uuid(client: ClientId) -> String {
    client.uuid().iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{InstrumentId, Price, Qty, VenueId};
    use crate::venue::kraken::sign::Signer;

    fn spec() -> InstrumentSpec {
        let pairs =
            br#"{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8,
            "ordermin":"0.00005","costmin":"0.5","tick_size":"0.1","status":"online"}}}"#;
        symbol::instruments(pairs).unwrap().remove(0)
    }

    fn draft(kind: Kind, tif: Tif) -> Draft {
        Draft {
            client: ClientId::parse(b"6d1b345e-2821-40e2-ad83-4ecb18a06876").unwrap(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind,
            tif,
            price: Price(3_000_010_000_000),
            qty: Qty(1_000_001),
            reduce_only: false,
        }
    }

    const AT: Nanos = Nanos::from_millis(1_785_060_000_900);

    fn encode(
        template: &Socket,
        order: &Draft,
        request: u64,
        mask: [u8; 4],
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        template.begin(order, false, 1, mask, out)?;
        template.complete(order, Stamp::new().write(AT), request, out)
    }

    #[test]
    fn a_socket_order_is_one_masked_frame() {
        let mut out = OrderBytes::new();
        let template = Socket::new(&spec(), "TO\"KEN");
        encode(&template, &draft(Kind::Limit, Tif::Ioc), 7, [1, 2, 3, 4], &mut out).unwrap();
        assert_eq!(
            out.unmasked(),
            "{\"method\":\"add_order\",\"params\":{\"symbol\":\"BTC/USD\",\"stp_type\":\"cancel_newest\",\
             \"token\":\"TO\\\"KEN\",\"cl_ord_id\":\"6d1b345e-2821-40e2-ad83-4ecb18a06876\",\
             \"side\":\"buy\",\"order_type\":\"limit\",\"time_in_force\":\"ioc\",\
             \"order_qty\":0.01000001,\"limit_price\":30000.1,\"deadline\":\"2026-07-26T10:00:00.900Z\"},\"req_id\":7}"
        );
        let post = draft(Kind::PostOnly, Tif::Gtc);
        encode(&template, &post, 8, [0; 4], &mut out).unwrap();
        let text = out.unmasked();
        assert!(text.contains("\"time_in_force\":\"gtc\",\"post_only\":true,\"order_qty\""), "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        for (kind, tif) in [(Kind::Limit, Tif::Fok), (Kind::PostOnly, Tif::Ioc), (Kind::Market, Tif::Ioc)] {
            let refused = encode(&template, &draft(kind, tif), 9, [0; 4], &mut out);
            assert_eq!(refused, Err(EncodeError::Unsupported));
        }
    }

    /// Whatever price and size an order was begun with, it is completed as if none had been.
    #[test]
    fn a_guess_is_used_or_written_over() {
        let template = Socket::new(&spec(), "TOKEN");
        let order = draft(Kind::Limit, Tif::Ioc);
        let mut want = OrderBytes::new();
        encode(&template, &order, 7, [1, 2, 3, 4], &mut want).unwrap();
        for (guess, guessed) in [
            (order, true),
            (Draft { qty: Qty(1_000_000_000), ..order }, false),
            (Draft { price: Price(10_000_000), ..order }, false),
        ] {
            let mut out = OrderBytes::new();
            template.begin(&guess, true, 1, [1, 2, 3, 4], &mut out).unwrap();
            assert_eq!(out.begun.guessed(&order).is_some(), guessed);
            // A rehearsal in between leaves no trace.
            let before = AT - Nanos::from_secs(1);
            template.complete(&guess, Stamp::new().write(before), 0, &mut out).unwrap();
            template.complete(&order, Stamp::new().write(AT), 7, &mut out).unwrap();
            assert_eq!(out.unmasked(), want.unmasked());
        }
    }

    #[test]
    fn a_rest_order_is_one_signed_request() {
        let host = Endpoint::parse("https://api.kraken.com").unwrap();
        let signer = Signer::from_bytes(b"secret");
        let template = Rest::new(&spec(), &host, "KEY").unwrap();
        let mut out = OrderBytes::new();
        let mut stamp = Stamp::new();
        template
            .encode(&draft(Kind::Limit, Tif::Fok), stamp.write(AT), 1_785_060_000_400_000, &signer, &mut out)
            .unwrap();
        let text = std::str::from_utf8(out.as_slice()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            body,
            "nonce=1785060000400000&pair=XBTUSD&stptype=cancel-newest&\
             cl_ord_id=6d1b345e-2821-40e2-ad83-4ecb18a06876&deadline=2026-07-26T10%3A00%3A00.900Z&\
             type=buy&ordertype=limit&timeinforce=FOK&volume=0.01000001&price=30000.1"
        );
        assert!(head.starts_with("POST /0/private/AddOrder HTTP/1.1\r\nHost: api.kraken.com\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
        let signature = head.split_once("API-Sign: ").unwrap().1.split_once("\r\n").unwrap().0;
        assert!(signer.verify(ADD_ORDER, b"1785060000400000", body.as_bytes(), signature));
    }
}
