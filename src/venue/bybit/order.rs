//! New orders as bytes that are ready to go: a template, patched, checked, signed and framed in place.
//!
//! Over a session that was logged in ahead there is nothing to sign, and an order is written ahead: only
//! its time is left, and its price and quantity where they are not what was guessed. Over REST each
//! order is a signed request. Client ids are 32 hex digits, which the venue takes: up to 36 letters, digits,
//! hyphens and underscores. It never takes one twice.

use super::sign::Signer;
use super::symbol::Market;
use super::template::{self, Body, Fields, Shape, Value, Wrapping};
use crate::types::{Draft, InstrumentId, InstrumentSpec, Kind, Nanos, Price, Qty, Side, Tif};
use crate::venue::{Begun, EncodeError, GatewayConfig, Guess, Lane, OrderBytes, Transport};
use crate::wire::pen::{Decimals, Pen, millis};
use crate::wire::ws::{Masks, begin_client_text, finish_client_text, put_masked};

/// Room before a WebSocket text for the head of any frame.
const FRAME_HEAD: usize = 14;

/// Digits of a client id.
const CLIENT: usize = 32;

/// Where the time of a WebSocket request stands.
const TIME_AT: usize = FRAME_HEAD + template::time_at(CLIENT);

/// Stands in the place of a time until it is known: as many digits as all of this age have.
const SOME_TIME: Nanos = Nanos::from_millis(1_000_000_000_000);

/// Every kind of order that a template is made for.
const KINDS: [(Kind, Tif); 5] = [
    (Kind::Limit, Tif::Ioc),
    (Kind::Limit, Tif::Fok),
    (Kind::Limit, Tif::Gtc),
    (Kind::PostOnly, Tif::Gtc),
    (Kind::Market, Tif::Ioc),
];

struct Traded {
    spec: InstrumentSpec,
    price: Decimals,
    qty: Decimals,
    /// By side, then by [`KINDS`], then plain and reduce-only.
    bodies: Vec<Body>,
}

/// Makes order bytes from drafts. All memory is taken at start.
pub struct Encoder {
    market: Market,
    transport: Transport,
    wrapping: Wrapping,
    traded: Vec<Traded>,
    /// Position in `traded` by instrument number.
    by_id: Vec<Option<u16>>,
    scratch: Box<[u8; 1024]>,
    window_ms: u32,
    generation: u32,
    masks: Masks,
}

impl Encoder {
    /// Builds all templates.
    pub fn new(market: Market, config: &GatewayConfig) -> Encoder {
        let mut by_id = Vec::new();
        let mut traded = Vec::new();
        for (InstrumentId(id), spec) in &config.instruments {
            let at = usize::from(*id);
            if by_id.len() <= at {
                by_id.resize(at + 1, None);
            }
            by_id[at] = u16::try_from(traded.len()).ok();
            let mut bodies = Vec::new();
            for side in Side::BOTH {
                for (kind, tif) in KINDS {
                    for reduce_only in [false, true] {
                        bodies.push(Body::new(&Shape {
                            market,
                            symbol: spec.symbol.as_str(),
                            side,
                            kind,
                            tif,
                            reduce_only,
                            prevent_self_trade: true,
                        }));
                    }
                }
            }
            traded.push(Traded {
                price: Decimals::of_step(spec.tick.0, spec.scale),
                qty: Decimals::of_step(spec.lot.0, spec.scale),
                spec: spec.clone(),
                bodies,
            });
        }
        Encoder {
            market,
            transport: config.transport,
            wrapping: Wrapping::new(&config.rest, &config.credentials.key, config.window_ms),
            traded,
            by_id,
            scratch: Box::new([0; 1024]),
            window_ms: config.window_ms,
            generation: config.credentials.generation,
            masks: Masks::new(config.mask_seed),
        }
    }

    /// The rules of an instrument.
    pub fn spec(&self, instrument: InstrumentId) -> Option<&InstrumentSpec> {
        self.traded(instrument).map(|traded| &traded.spec)
    }

    /// All instruments.
    pub fn specs(&self) -> impl Iterator<Item = &InstrumentSpec> {
        self.traded.iter().map(|traded| &traded.spec)
    }

    /// A quantity as the venue takes it; `None` for unknown instruments and off the lot.
    pub fn qty_text(&self, instrument: InstrumentId, qty: Qty) -> Option<String> {
        let traded = self.traded(instrument)?;
        (qty.0 > 0 && qty.0 % traded.spec.lot.0 == 0).then(|| traded.qty.text(qty.0))
    }

    /// A limit as the venue takes it; `None` for unknown instruments and off the tick.
    pub fn price_text(&self, instrument: InstrumentId, price: Price) -> Option<String> {
        let traded = self.traded(instrument)?;
        (price.0 > 0 && price.is_on(traded.spec.tick)).then(|| traded.price.text(price.0))
    }

    fn traded(&self, instrument: InstrumentId) -> Option<&Traded> {
        let at = (*self.by_id.get(usize::from(instrument.0))?)?;
        self.traded.get(usize::from(at))
    }

    /// Writes the order; `now` is by the venue's clock.
    pub fn encode(
        &mut self,
        signer: &Signer,
        order: &Draft,
        now: Nanos,
        out: &mut OrderBytes,
    ) -> Result<(), EncodeError> {
        if self.transport == Transport::Ws {
            self.begin(order, out)?;
            return self.complete(order, now, out);
        }
        let at = self.by_id.get(usize::from(order.instrument.0)).copied().flatten();
        let traded =
            at.and_then(|at| self.traded.get(usize::from(at))).ok_or(EncodeError::UnknownInstrument)?;
        traded.spec.check(order.price, order.qty)?;
        let body = traded.body(order, self.market)?;
        let client = order.client.hex();
        let (fields, scratch) = (traded.fields(order, &client, now), &mut self.scratch[..]);
        let end = self.wrapping.write_rest(body, signer, &fields, scratch, &mut out.buffer()[..]);
        out.set(0, end.ok_or(EncodeError::TooLong)?)?;
        out.lane = Lane::Rest;
        out.client = order.client;
        out.generation = self.generation;
        out.expires = self.expires(now);
        Ok(())
    }

    /// Writes all of the order but its time, with the price and size that it is likely to have. Only over
    /// WebSocket.
    pub fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.transport != Transport::Ws {
            return Err(EncodeError::Unsupported);
        }
        let mask = self.masks.next_key();
        let traded = self.traded(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        let body = traded.body(order, self.market)?;
        let client: [u8; CLIENT] = order.client.hex();
        let fields = traded.fields(order, &client, SOME_TIME);
        let mut pen = Pen::at(&mut out.buffer()[..], FRAME_HEAD);
        self.wrapping.begin_ws(body, &fields, &mut pen);
        let at = pen.here();
        let likely = traded.spec.check(order.price, order.qty).is_ok();
        if likely {
            self.wrapping.finish_ws(body, &fields, &mut pen);
        }
        let end = pen.end().ok_or(EncodeError::TooLong)?;
        begin_client_text(out.buffer(), FRAME_HEAD, end, mask).ok_or(EncodeError::TooLong)?;
        let guess = likely.then_some(Guess { price: order.price, qty: order.qty, end });
        out.begun = Begun { at, guess, mask, session: 0 };
        out.lane = Lane::Orders;
        out.client = order.client;
        out.generation = self.generation;
        Ok(())
    }

    /// Writes the rest.
    #[inline]
    pub fn complete(&self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let begun = out.begun;
        // A guess was checked when it was written; it is masked, and what is written now is not yet.
        let (masked, end) = match begun.guessed(order) {
            Some(end) => (end, end),
            None => (begun.at, self.write_over(order, begun.at, out)?),
        };
        let buffer = &mut out.buffer()[..];
        let time = millis(now.millis()).ok_or(EncodeError::TooLong)?;
        put_masked(buffer, FRAME_HEAD, TIME_AT, &time, begun.mask).ok_or(EncodeError::TooLong)?;
        let len = end.checked_sub(FRAME_HEAD).ok_or(EncodeError::TooLong)?;
        let frame = finish_client_text(buffer, FRAME_HEAD, masked, len, begun.mask);
        let frame = frame.ok_or(EncodeError::TooLong)?;
        out.set(frame.start, frame.end)?;
        out.expires = self.expires(now);
        Ok(())
    }

    /// Writes a WebSocket request from its quantity on: where it ends.
    fn write_over(&self, order: &Draft, at: usize, out: &mut OrderBytes) -> Result<usize, EncodeError> {
        let traded = self.traded(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        traded.spec.check(order.price, order.qty)?;
        let body = traded.body(order, self.market)?;
        let client = order.client.hex();
        let mut pen = Pen::at(&mut out.buffer()[..], at);
        self.wrapping.finish_ws(body, &traded.fields(order, &client, Nanos::ZERO), &mut pen);
        pen.end().ok_or(EncodeError::TooLong)
    }

    /// The time was cut to whole milliseconds; one more covers it.
    fn expires(&self, now: Nanos) -> Nanos {
        now + Nanos::from_millis(i64::from(self.window_ms) - 1)
    }
}

impl Traded {
    /// What orders like this one share.
    #[inline]
    fn body(&self, order: &Draft, market: Market) -> Result<&Body, EncodeError> {
        let kind = match (order.kind, order.tif) {
            (Kind::Limit, Tif::Ioc) => 0,
            (Kind::Limit, Tif::Fok) => 1,
            (Kind::Limit, Tif::Gtc) => 2,
            (Kind::PostOnly, Tif::Gtc) => 3,
            (Kind::PostOnly, _) => return Err(EncodeError::Unsupported),
            (Kind::Market, _) => 4,
        };
        if order.reduce_only && market == Market::Spot {
            return Err(EncodeError::Unsupported);
        }
        let shape = (order.side as usize * KINDS.len() + kind) * 2 + usize::from(order.reduce_only);
        self.bodies.get(shape).ok_or(EncodeError::Unsupported)
    }

    #[inline]
    fn fields<'a>(&'a self, order: &Draft, client: &'a [u8], now: Nanos) -> Fields<'a> {
        Fields {
            client,
            price: Value::Number(order.price.0, &self.price),
            qty: Value::Number(order.qty.0, &self.qty),
            time_ms: now.millis(),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::types::{ClientId, Endpoint, VenueId};
    use crate::venue::Credentials;
    use crate::venue::bybit::symbol;

    const AT: Nanos = Nanos::from_millis(1_785_060_000_900);

    fn encoder(transport: Transport) -> (Encoder, Signer) {
        let secret = SecretString::from("test_secret");
        let rows = include_bytes!("../../../tests/data/bybit/instruments_linear.json");
        let spec = symbol::instruments(Market::Linear, rows).unwrap().remove(0);
        let endpoint = |url| Endpoint::parse(url).unwrap();
        let config = GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(InstrumentId(3), spec)],
            credentials: Credentials { key: "KEY".to_owned(), secret, passphrase: None, generation: 3 },
            transport,
            rest: endpoint("https://api.bybit.com/"),
            orders: endpoint("wss://stream.bybit.com/v5/trade"),
            private: endpoint("wss://stream.bybit.com/v5/private"),
            window_ms: 1_000,
            nonce_from: 0,
            mask_seed: 7,
        };
        let signer = Signer::new(&config.credentials.secret).unwrap();
        (Encoder::new(Market::Linear, &config), signer)
    }

    fn draft(price: i64, qty: i64) -> Draft {
        Draft {
            client: ClientId::parse(b"6d1b345e282140e2ad834ecb18a06876").unwrap(),
            venue: VenueId(0),
            instrument: InstrumentId(3),
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: Price(price),
            qty: Qty(qty),
            reduce_only: false,
        }
    }

    /// Whatever price and size an order was begun with, it is completed as if none had been.
    #[test]
    fn a_guess_is_used_or_written_over() {
        let (mut encoder, signer) = encoder(Transport::Ws);
        let order = draft(6_123_450_000_000, 12_300_000);
        let want = concat!(
            r#"{"reqId":"6d1b345e282140e2ad834ecb18a06876","header":{"X-BAPI-TIMESTAMP":"1785060000900","#,
            r#""X-BAPI-RECV-WINDOW":"1000"},"op":"order.create","args":[{"category":"linear","symbol":"BTCUSDT","#,
            r#""side":"Buy","orderType":"Limit","qty":"0.123","price":"61234.5","timeInForce":"IOC","#,
            r#""smpType":"CancelTaker","orderLinkId":"6d1b345e282140e2ad834ecb18a06876"}]}"#
        );
        let mut at_once = OrderBytes::new();
        encoder.encode(&signer, &order, AT, &mut at_once).unwrap();
        assert_eq!(at_once.unmasked(), want);
        for (price, qty, guessed) in [
            (0, 0, false),
            (order.price.0, order.qty.0, true),
            (order.price.0, 100_000, false),
            (99_999_950_000_000, order.qty.0, false),
            (10_000_000, 100_000_000_000, false),
            // Off the tick: the filters refuse the guess, not the order.
            (order.price.0 + 1, order.qty.0, false),
        ] {
            let mut out = OrderBytes::new();
            let guess = draft(price, qty);
            encoder.begin(&guess, &mut out).unwrap();
            assert_eq!(out.begun.guessed(&order).is_some(), guessed, "{qty} at {price}");
            // A rehearsal in between leaves no trace.
            if out.begun.guessed(&guess).is_some() {
                encoder.complete(&guess, AT - Nanos::from_secs(1), &mut out).unwrap();
            }
            encoder.complete(&order, AT, &mut out).unwrap();
            assert_eq!(out.unmasked(), want, "{qty} at {price}");
            assert_eq!((out.expires, out.lane), (AT + Nanos::from_millis(999), Lane::Orders));
            assert_eq!((out.client, out.generation), (order.client, 3));
        }
    }

    #[test]
    fn a_guess_lends_no_order_its_checks() {
        let (mut encoder, _) = encoder(Transport::Ws);
        let order = draft(6_123_450_000_000, 12_300_000);
        let mut out = OrderBytes::new();
        for wrong in [
            draft(order.price.0 + 1, order.qty.0),
            draft(order.price.0, order.qty.0 + 1),
            draft(order.price.0, 0),
            draft(-order.price.0, order.qty.0),
        ] {
            encoder.begin(&order, &mut out).unwrap();
            assert!(
                matches!(encoder.complete(&wrong, AT, &mut out), Err(EncodeError::Filter(_))),
                "{wrong:?}"
            );
        }
        encoder.begin(&order, &mut out).unwrap();
        // A clock that is centuries off has no place in the request.
        assert!(encoder.complete(&order, Nanos::ZERO, &mut out).is_err());
    }

    #[test]
    fn nothing_is_begun_where_each_order_is_signed() {
        let (mut encoder, signer) = encoder(Transport::Rest);
        let (order, mut out) = (draft(6_123_450_000_000, 12_300_000), OrderBytes::new());
        assert_eq!(encoder.begin(&order, &mut out), Err(EncodeError::Unsupported));
        encoder.encode(&signer, &order, AT, &mut out).unwrap();
        assert!(out.as_slice().starts_with(b"POST /v5/order/create HTTP/1.1\r\n"));
        assert_eq!(out.lane, Lane::Rest);
    }
}
