//! New orders as bytes that are ready to go: a template for each instrument, made ahead, into which
//! an id, the numbers and the times are written.
//!
//! Over a session nothing is signed; an instrument goes by a number that only the account's list of
//! instruments tells. Its orders are written ahead: their deadline takes the same room in all of them, so
//! when one fires that is written over what stands in its place, and price and size only where they are
//! not what was guessed. Over REST each request is signed, and its signature begins with the time, so
//! nothing of it can be done ahead of the order. Both carry `expTime`: what reaches the venue later
//! is not executed. Of two orders of one account that meet, the newer one ends. Nothing here
//! allocates once a template stands.

use zeroize::Zeroizing;

use super::sign::{SIGNATURE, Signer};
use super::size::Sizes;
use super::symbol::Market;
use crate::types::{ContractKind, Draft, Endpoint, InstrumentSpec, Kind, Nanos, Side, SpecError, Tif};
use crate::venue::{Begun, EncodeError, Guess, OrderBytes};
use crate::wire::pen::{Decimals, Pen, Stamp, millis};
use crate::wire::ws::{begin_client_text, finish_client_text, put_masked};

/// Room before a WebSocket text for the head of any frame.
const FRAME_HEAD: usize = 14;

const OPENING: &[u8; 7] = b"{\"id\":\"";
const TO_DEADLINE: &[u8; 26] = b"\",\"op\":\"order\",\"expTime\":\"";
/// Stands in the place of a deadline until that is known: as many digits as all of this age have.
const SOME_DEADLINE: &[u8; 13] = b"0000000000000";
/// Where the deadline of a socket order stands, behind an id of 32 digits.
const DEADLINE_AT: usize = FRAME_HEAD + OPENING.len() + 32 + TO_DEADLINE.len();

/// Where single orders are sent by REST.
pub const PLACE: &str = "/api/v5/trade/order";

/// How long an order may be on its way, in ms: what REST's own window of thirty seconds leaves room
/// for.
pub const WINDOW_MS: std::ops::RangeInclusive<u32> = 20..=25_000;

/// The header of requests that are meant for the demo, where a host serves both.
pub const DEMO_HEADER: (&str, &str) = ("x-simulated-trading", "1");

/// How the numbers of an instrument are written.
pub struct Numbers {
    price: Decimals,
    size: Decimals,
    sizes: Sizes,
    /// It may be told to only reduce a position.
    has_positions: bool,
}

impl Numbers {
    /// By its rules.
    pub fn new(spec: &InstrumentSpec) -> Numbers {
        let sizes = Sizes::of(spec);
        // A lot is a size of the venue's, by how it came about.
        let lot = sizes.size_of(spec.lot.0).unwrap_or(1);
        Numbers {
            price: Decimals::of_step(spec.tick.0, spec.scale),
            size: Decimals::of_step(lot, spec.scale),
            sizes,
            has_positions: spec.contract.kind != ContractKind::Spot,
        }
    }

    /// From the price to the end of the order.
    #[inline]
    fn write(&self, pen: &mut Pen<'_>, order: &Draft) -> Result<(), EncodeError> {
        let size = self.sizes.size_of(order.qty.0).ok_or(EncodeError::Filter(SpecError::OffLot))?;
        if order.reduce_only && !self.has_positions {
            return Err(EncodeError::Unsupported);
        }
        pen.put_decimal(order.price.0, &self.price);
        pen.put_const(b"\",\"sz\":\"");
        pen.put_decimal(size, &self.size);
        pen.put_const(b"\",\"stpMode\":\"cancel_taker\"");
        if order.reduce_only {
            pen.put_const(b",\"reduceOnly\":true");
        }
        pen.put_const(b"}");
        Ok(())
    }
}

/// Side and type of an order with a limit, from behind the client id to the price.
fn terms(order: &Draft) -> Result<&'static str, EncodeError> {
    macro_rules! terms {
        ($side:literal, $kind:literal) => {
            concat!("\",\"side\":\"", $side, "\",\"ordType\":\"", $kind, "\",\"px\":\"")
        };
    }
    Ok(match (order.kind, order.tif, order.side) {
        (Kind::Limit, Tif::Ioc, Side::Buy) => terms!("buy", "ioc"),
        (Kind::Limit, Tif::Ioc, Side::Sell) => terms!("sell", "ioc"),
        (Kind::Limit, Tif::Fok, Side::Buy) => terms!("buy", "fok"),
        (Kind::Limit, Tif::Fok, Side::Sell) => terms!("sell", "fok"),
        (Kind::Limit, Tif::Gtc, Side::Buy) => terms!("buy", "limit"),
        (Kind::Limit, Tif::Gtc, Side::Sell) => terms!("sell", "limit"),
        (Kind::PostOnly, Tif::Gtc, Side::Buy) => terms!("buy", "post_only"),
        (Kind::PostOnly, Tif::Gtc, Side::Sell) => terms!("sell", "post_only"),
        // A market order has no price bound.
        _ => return Err(EncodeError::Unsupported),
    })
}

/// The order's client id and the terms that orders of an instrument share.
fn opening(instrument: &str, market: Market) -> Vec<u8> {
    format!("{{{instrument},\"tdMode\":\"{}\",\"clOrdId\":\"", market.mode()).into_bytes()
}

/// An order of one instrument over a session.
pub struct Socket {
    /// From behind the deadline to the client id.
    head: Vec<u8>,
    numbers: Numbers,
}

impl Socket {
    /// With the number that the venue knows the instrument by.
    pub fn new(spec: &InstrumentSpec, market: Market, code: u64) -> Socket {
        let mut head = b"\",\"args\":[".to_vec();
        head.extend(opening(&format!("\"instIdCode\":{code}"), market));
        Socket { head, numbers: Numbers::new(spec) }
    }

    /// Writes all of the order but its deadline, masked. Price and size only where they are `likely`: they
    /// must have passed the venue's filters. The request's id is the order's own, so that an answer needs
    /// no table to find its order.
    pub fn begin(
        &self,
        order: &Draft,
        likely: bool,
        session: u32,
        mask: [u8; 4],
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        let (terms, client) = (terms(order)?, order.client.hex());
        let mut pen = Pen::at(&mut out.buffer()[..], FRAME_HEAD);
        pen.put_const(OPENING);
        pen.put_const(&client);
        pen.put_const(TO_DEADLINE);
        pen.put_const(SOME_DEADLINE);
        pen.put(&self.head);
        pen.put_const(&client);
        pen.put(terms.as_bytes());
        let at = pen.here();
        let likely = likely && self.numbers.sizes.size_of(order.qty.0).is_some();
        if likely {
            self.finish(order, &mut pen)?;
        }
        let end = pen.end().ok_or(EncodeError::TooLong)?;
        begin_client_text(out.buffer(), FRAME_HEAD, end, mask).ok_or(EncodeError::TooLong)?;
        let guess = likely.then_some(Guess { price: order.price, qty: order.qty, end });
        out.begun = Begun { at, guess, mask, session };
        Ok(())
    }

    #[inline]
    fn finish(&self, order: &Draft, pen: &mut Pen<'_>) -> Result<(), EncodeError> {
        self.numbers.write(pen, order)?;
        pen.put_const(b"]}");
        Ok(())
    }

    /// Writes the rest: a complete, masked frame.
    #[inline]
    pub fn complete(&self, order: &Draft, deadline: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let begun = out.begun;
        let buffer = &mut out.buffer()[..];
        // What was guessed is masked already; what is written now is not yet.
        let (masked, end) = match begun.guessed(order) {
            Some(end) => (end, end),
            None => {
                let mut pen = Pen::at(buffer, begun.at);
                self.finish(order, &mut pen)?;
                (begun.at, pen.end().ok_or(EncodeError::TooLong)?)
            }
        };
        let deadline = millis(deadline.millis()).ok_or(EncodeError::TooLong)?;
        put_masked(buffer, FRAME_HEAD, DEADLINE_AT, &deadline, begun.mask).ok_or(EncodeError::TooLong)?;
        let len = end.checked_sub(FRAME_HEAD).ok_or(EncodeError::TooLong)?;
        let frame = finish_client_text(buffer, FRAME_HEAD, masked, len, begun.mask);
        let frame = frame.ok_or(EncodeError::TooLong)?;
        out.set(frame.start, frame.end)
    }
}

/// An order of one instrument over REST.
pub struct Rest {
    /// The head up to the timestamp; holds the passphrase, so it is wiped on drop.
    head: Zeroizing<Vec<u8>>,
    /// The body up to the client id.
    body: Vec<u8>,
    numbers: Numbers,
}

impl Rest {
    /// With the parts of the key that travel in clear.
    pub fn new(
        spec: &InstrumentSpec,
        market: Market,
        host: &Endpoint,
        key: &str,
        passphrase: &str,
        demo: bool,
    ) -> Rest {
        let demo = if demo { format!("{}: {}\r\n", DEMO_HEADER.0, DEMO_HEADER.1) } else { String::new() };
        let head = format!(
            "POST {PLACE} HTTP/1.1\r\nHost: {}\r\nUser-Agent: xarb\r\nContent-Type: application/json\r\n{demo}\
             OK-ACCESS-KEY: {key}\r\nOK-ACCESS-PASSPHRASE: {passphrase}\r\nOK-ACCESS-TIMESTAMP: ",
            host.host_header()
        );
        let instrument = format!("\"instId\":{}", serde_json::Value::from(spec.symbol.as_str()));
        Rest {
            head: Zeroizing::new(head.into_bytes()),
            body: opening(&instrument, market),
            numbers: Numbers::new(spec),
        }
    }

    /// Writes the complete request, signed.
    pub fn encode(
        &self,
        order: &Draft,
        stamp: &[u8; Stamp::LEN],
        deadline: Nanos,
        signer: &Signer,
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        const BLANK: &[u8; SIGNATURE] = &[b'.'; SIGNATURE];
        let (terms, client) = (terms(order)?, order.client.hex());
        let mut pen = Pen::new(&mut out.buffer()[..]);
        pen.put(&self.head);
        pen.put_const(stamp);
        pen.put_const(b"\r\nexpTime: ");
        pen.put_integer(deadline.millis());
        pen.put_const(b"\r\nOK-ACCESS-SIGN: ");
        let signature = pen.here();
        pen.put_const(BLANK);
        pen.put_const(b"\r\nContent-Length: ");
        let length = pen.here();
        pen.put_const(b"000\r\n\r\n");
        let body = pen.here();
        pen.put(&self.body);
        pen.put_const(&client);
        pen.put(terms.as_bytes());
        self.numbers.write(&mut pen, order)?;
        let end = pen.end().ok_or(EncodeError::TooLong)?;
        let bytes = end - body;
        if !(100..1000).contains(&bytes) {
            return Err(EncodeError::TooLong);
        }
        let buffer = out.buffer();
        for (place, unit) in [100, 10, 1].into_iter().enumerate() {
            buffer[length + place] = b'0' + (bytes / unit % 10) as u8;
        }
        let signed = signer.sign(&[stamp, b"POST", PLACE.as_bytes(), &buffer[body..end]]);
        buffer[signature..signature + SIGNATURE].copy_from_slice(&signed);
        out.set(0, end)
    }
}

/// Until when an order's bytes may be sent: its own deadline, less the part of a millisecond that
/// the time was cut by.
pub fn expires(now: Nanos, window_ms: u32) -> Nanos {
    now + Nanos::from_millis(i64::from(window_ms) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ClientId, InstrumentId, Price, Qty, VenueId};
    use crate::venue::okx::symbol;

    fn spec() -> InstrumentSpec {
        let row = br#"{"code":"0","data":[{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","tickSz":"0.1",
            "lotSz":"0.00000001","minSz":"0.00001","state":"live"}]}"#;
        symbol::instruments(row).unwrap().remove(0)
    }

    fn draft(kind: Kind, tif: Tif) -> Draft {
        Draft {
            client: ClientId::parse(b"6d1b345e282140e2ad834ecb18a06876").unwrap(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind,
            tif,
            price: Price(2_600_010_000_000),
            qty: Qty(1_000_001),
            reduce_only: false,
        }
    }

    const AT: Nanos = Nanos::from_millis(1_785_060_000_900);

    fn encode(
        template: &Socket,
        order: &Draft,
        mask: [u8; 4],
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        template.begin(order, false, 1, mask, out)?;
        template.complete(order, AT, out)
    }

    #[test]
    fn a_socket_order_is_one_masked_frame() {
        let mut out = OrderBytes::new();
        let template = Socket::new(&spec(), Market::Spot, 12_345);
        encode(&template, &draft(Kind::Limit, Tif::Ioc), [1, 2, 3, 4], &mut out).unwrap();
        assert_eq!(
            out.unmasked(),
            "{\"id\":\"6d1b345e282140e2ad834ecb18a06876\",\"op\":\"order\",\"expTime\":\"1785060000900\",\"args\":[{\
             \"instIdCode\":12345,\"tdMode\":\"cash\",\"clOrdId\":\"6d1b345e282140e2ad834ecb18a06876\",\"side\":\"buy\",\
             \"ordType\":\"ioc\",\"px\":\"26000.1\",\"sz\":\"0.01000001\",\"stpMode\":\"cancel_taker\"}]}"
        );
        let swap = Socket::new(&spec(), Market::Swap, 7);
        encode(&swap, &draft(Kind::PostOnly, Tif::Gtc), [0; 4], &mut out).unwrap();
        let order: serde_json::Value = serde_json::from_str(&out.unmasked()).unwrap();
        assert_eq!(
            (&order["args"][0]["tdMode"], &order["args"][0]["ordType"]),
            (&"cross".into(), &"post_only".into())
        );
        for (kind, tif) in [(Kind::PostOnly, Tif::Ioc), (Kind::Market, Tif::Ioc)] {
            let refused = encode(&template, &draft(kind, tif), [0; 4], &mut out);
            assert_eq!(refused, Err(EncodeError::Unsupported));
        }
    }

    /// Whatever price and size an order was begun with, it is completed as if none had been.
    #[test]
    fn a_guess_is_used_or_written_over() {
        let template = Socket::new(&spec(), Market::Spot, 12_345);
        let order = draft(Kind::Limit, Tif::Ioc);
        let mut want = OrderBytes::new();
        encode(&template, &order, [1, 2, 3, 4], &mut want).unwrap();
        for (guess, guessed) in [
            (order, true),
            (Draft { qty: Qty(1_000_000_000_000), ..order }, false),
            (Draft { qty: Qty(1_000), ..order }, false),
            (Draft { price: Price(10_000_000), ..order }, false),
            (Draft { price: Price(99_999_990_000_000), ..order }, false),
        ] {
            let mut out = OrderBytes::new();
            template.begin(&guess, true, 1, [1, 2, 3, 4], &mut out).unwrap();
            assert_eq!(out.begun.guessed(&order).is_some(), guessed);
            // A rehearsal in between leaves no trace.
            template.complete(&guess, AT - Nanos::from_secs(1), &mut out).unwrap();
            template.complete(&order, AT, &mut out).unwrap();
            assert_eq!(out.unmasked(), want.unmasked());
        }
        let mut out = OrderBytes::new();
        template.begin(&order, true, 1, [0; 4], &mut out).unwrap();
        // A clock that is centuries off has no place in the request.
        assert!(template.complete(&order, Nanos::ZERO, &mut out).is_err());
    }

    #[test]
    fn a_rest_order_is_one_signed_request() {
        let host = Endpoint::parse("https://openapi.okx.com").unwrap();
        let signer = Signer::from_bytes(b"secret");
        let mut out = OrderBytes::new();
        let mut stamp = Stamp::new();
        for demo in [false, true] {
            let template = Rest::new(&spec(), Market::Spot, &host, "KEY", "phrase", demo);
            let deadline = AT + Nanos::from_millis(100);
            template
                .encode(&draft(Kind::Limit, Tif::Fok), stamp.write(AT), deadline, &signer, &mut out)
                .unwrap();
            let text = std::str::from_utf8(out.as_slice()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(
                body,
                "{\"instId\":\"BTC-USDT\",\"tdMode\":\"cash\",\"clOrdId\":\"6d1b345e282140e2ad834ecb18a06876\",\"side\":\"buy\",\
                 \"ordType\":\"fok\",\"px\":\"26000.1\",\"sz\":\"0.01000001\",\"stpMode\":\"cancel_taker\"}"
            );
            let header = |name: &str| {
                head.split("\r\n")
                    .find_map(|line| line.strip_prefix(name))
                    .map(|value| value.trim_start_matches(": "))
            };
            assert!(
                head.starts_with("POST /api/v5/trade/order HTTP/1.1\r\nHost: openapi.okx.com\r\n"),
                "{head}"
            );
            assert_eq!(header("Content-Length"), Some(body.len().to_string().as_str()));
            assert_eq!(
                (header("OK-ACCESS-KEY"), header("OK-ACCESS-PASSPHRASE")),
                (Some("KEY"), Some("phrase"))
            );
            assert_eq!(header("expTime"), Some("1785060001000"));
            assert_eq!(header("x-simulated-trading"), demo.then_some("1"));
            let at = header("OK-ACCESS-TIMESTAMP").unwrap();
            assert_eq!(at, "2026-07-26T10:00:00.900Z");
            let signed = [at.as_bytes(), b"POST", PLACE.as_bytes(), body.as_bytes()];
            assert!(signer.verify(&signed, header("OK-ACCESS-SIGN").unwrap()));
        }
    }
}
