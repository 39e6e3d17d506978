//! New orders as bytes that are ready to go: a template, patched, checked, signed and framed in place.
//!
//! Three ways to send the same order: a signed REST request, a WebSocket request in a session that
//! was logged on (nothing to sign), and a WebSocket request with its own signature.

use super::desk::Desk;
use super::sign::Signer;
use super::template::{Channel, Fields, Shape, Template, Value, finish_ws, numbers_ws};
use crate::types::{Draft, Endpoint, InstrumentId, InstrumentSpec, Kind, Nanos, Price, Qty, Side, Tif};
use crate::venue::{Begun, EncodeError, Guess, Lane, OrderBytes};
use crate::wire::pen::Decimals;
use crate::wire::ws::{Masks, begin_client_text, finish_client_text, frame_client_text};

/// Room before a WebSocket text for the head of any frame.
const FRAME_HEAD: usize = 14;

/// What follows the query of a REST order.
pub fn rest_tail(rest: &Endpoint, key: &str) -> Vec<u8> {
    format!(" HTTP/1.1\r\nHost: {}\r\nX-MBX-APIKEY: {key}\r\nContent-Length: 0\r\n\r\n", rest.host_header())
        .into_bytes()
}

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
    /// Those that may open a position and then, where there are any, those that may only reduce one;
    /// by side, then by [`KINDS`].
    templates: Vec<Template>,
}

/// Makes order bytes from drafts. All memory is taken at start.
pub struct Encoder {
    desk: &'static Desk,
    channel: Channel,
    traded: Vec<Traded>,
    /// Position in `traded` by instrument number.
    by_id: Vec<Option<u16>>,
    tail: Vec<u8>,
    window_ms: u32,
    generation: u32,
    masks: Masks,
}

impl Encoder {
    /// Builds all templates.
    pub fn new(
        desk: &'static Desk,
        channel: Channel,
        config: &crate::venue::GatewayConfig,
        signer: &Signer,
    ) -> Encoder {
        let key = &config.credentials.key;
        let mut by_id = Vec::new();
        let mut traded = Vec::new();
        for (InstrumentId(id), spec) in &config.instruments {
            let at = usize::from(*id);
            if by_id.len() <= at {
                by_id.resize(at + 1, None);
            }
            by_id[at] = u16::try_from(traded.len()).ok();
            let mut templates = Vec::new();
            for reduce_only in [false, true].into_iter().filter(|only| !only || desk.reduce_only) {
                for side in Side::BOTH {
                    for (kind, tif) in KINDS {
                        let symbol = spec.symbol.as_str();
                        let shape = Shape { desk, symbol, side, kind, tif, reduce_only };
                        templates.push(Template::new(channel, &shape, config.window_ms, key, signer));
                    }
                }
            }
            traded.push(Traded {
                price: Decimals::of_step(spec.tick.0, spec.scale),
                qty: Decimals::of_step(spec.lot.0, spec.scale),
                spec: spec.clone(),
                templates,
            });
        }
        Encoder {
            desk,
            channel,
            traded,
            by_id,
            tail: rest_tail(&config.rest, key),
            window_ms: config.window_ms,
            generation: config.credentials.generation,
            masks: Masks::new(config.mask_seed),
        }
    }

    /// The rules of an instrument.
    pub fn spec(&self, instrument: InstrumentId) -> Option<&InstrumentSpec> {
        self.traded(instrument).map(|traded| &traded.spec)
    }

    /// An order's parameters but for symbol and client id, for requests in no hurry. `None` for
    /// unknown instruments, orders that the filters refuse and types that the venue lacks.
    pub fn params(&self, order: &Draft) -> Option<Vec<(&'static str, String)>> {
        let traded = self.traded(order.instrument)?;
        traded.spec.check(order.price, order.qty).ok()?;
        if order.reduce_only {
            return None;
        }
        let Draft { side, kind, tif, reduce_only, .. } = *order;
        let shape = Shape { desk: self.desk, symbol: "", side, kind, tif, reduce_only };
        let mut params: Vec<_> =
            shape.fixed().into_iter().skip(1).map(|(name, value)| (name, value.to_owned())).collect();
        if order.kind != Kind::Market {
            params.push(("price", traded.price.text(order.price.0)));
        }
        params.push(("quantity", traded.qty.text(order.qty.0)));
        Some(params)
    }

    /// A price as the venue takes it; `None` for unknown instruments and off the tick.
    pub fn price_text(&self, instrument: InstrumentId, price: Price) -> Option<String> {
        let traded = self.traded(instrument)?;
        (price.0 > 0 && price.is_on(traded.spec.tick)).then(|| traded.price.text(price.0))
    }

    /// What is traded.
    pub fn specs(&self) -> impl Iterator<Item = &InstrumentSpec> {
        self.traded.iter().map(|traded| &traded.spec)
    }

    /// A quantity as the venue takes it; `None` for unknown instruments and off the lot.
    pub fn qty_text(&self, instrument: InstrumentId, qty: Qty) -> Option<String> {
        let traded = self.traded(instrument)?;
        (qty.0 > 0 && qty.0 % traded.spec.lot.0 == 0).then(|| traded.qty.text(qty.0))
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
        if self.channel == Channel::Session {
            self.begin(order, out)?;
            return self.complete(order, now, out);
        }
        let (traded, template) = self.template(order)?;
        traded.spec.check(order.price, order.qty)?;
        let fields = traded.fields(order, now);
        let buffer = out.buffer();
        let (start, end) = if self.channel == Channel::Rest {
            let end = template.write_rest(signer, &fields, &self.tail, &mut buffer[..]);
            (0, end.ok_or(EncodeError::TooLong)?)
        } else {
            let mut scratch = [0; 1024];
            let text = &mut buffer[FRAME_HEAD..];
            let len = template.write_signed_ws(signer, &fields, &mut scratch, text);
            let len = len.ok_or(EncodeError::TooLong)?;
            let mask = self.masks.next_key();
            let frame = frame_client_text(&mut buffer[..], FRAME_HEAD, len, mask);
            let frame = frame.ok_or(EncodeError::TooLong)?;
            (frame.start, frame.end)
        };
        out.set(start, end)?;
        out.lane = if self.channel == Channel::Rest { Lane::Rest } else { Lane::Orders };
        out.client = order.client;
        out.generation = self.generation;
        out.expires = self.expires(now);
        Ok(())
    }

    /// Writes what is known of the order before its time, and the price and size that it is likely to
    /// have. Only in sessions.
    pub fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.channel != Channel::Session {
            return Err(EncodeError::Unsupported);
        }
        let mask = self.masks.next_key();
        let (traded, template) = self.template(order)?;
        let buffer = &mut out.buffer()[..];
        let len = template.begin_ws(Value::Id(order.client), &mut buffer[FRAME_HEAD..]);
        let at = FRAME_HEAD + len.ok_or(EncodeError::TooLong)?;
        let mut guess = None;
        if traded.spec.check(order.price, order.qty).is_ok() {
            let end = traded.write_numbers(order, buffer, at).ok_or(EncodeError::TooLong)?;
            guess = Some(Guess { price: order.price, qty: order.qty, end });
        }
        let masked = guess.map_or(at, |guess| guess.end);
        begin_client_text(buffer, FRAME_HEAD, masked, mask).ok_or(EncodeError::TooLong)?;
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
        let buffer = &mut out.buffer()[..];
        // A guess was checked when it was written; it is masked, and what is written now is not yet.
        let (masked, at) = match begun.guessed(order) {
            Some(end) => (end, end),
            None => {
                let traded = self.traded(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
                traded.spec.check(order.price, order.qty)?;
                let end = traded.write_numbers(order, buffer, begun.at);
                (begun.at, end.ok_or(EncodeError::TooLong)?)
            }
        };
        let end = finish_ws(now.millis(), b"", buffer, at);
        let len = end.and_then(|end| end.checked_sub(FRAME_HEAD)).ok_or(EncodeError::TooLong)?;
        let frame = finish_client_text(buffer, FRAME_HEAD, masked, len, begun.mask);
        let frame = frame.ok_or(EncodeError::TooLong)?;
        out.set(frame.start, frame.end)?;
        out.expires = self.expires(now);
        Ok(())
    }

    fn template(&self, order: &Draft) -> Result<(&Traded, &Template), EncodeError> {
        let traded = self.traded(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        let kind = match (order.kind, order.tif) {
            (Kind::Limit, Tif::Ioc) => 0,
            (Kind::Limit, Tif::Fok) => 1,
            (Kind::Limit, Tif::Gtc) => 2,
            (Kind::PostOnly, Tif::Gtc) => 3,
            (Kind::PostOnly, _) => return Err(EncodeError::Unsupported),
            (Kind::Market, _) => 4,
        };
        let set = usize::from(order.reduce_only) * Side::BOTH.len() + order.side as usize;
        // A market without positions has no second set.
        let template = traded.templates.get(set * KINDS.len() + kind).ok_or(EncodeError::Unsupported)?;
        Ok((traded, template))
    }

    /// The time was cut to whole milliseconds; one more covers it.
    fn expires(&self, now: Nanos) -> Nanos {
        now + Nanos::from_millis(i64::from(self.window_ms) - 1)
    }
}

impl Traded {
    /// Price and size of a WebSocket request, from `at` on: where they end.
    #[inline]
    fn write_numbers(&self, order: &Draft, buffer: &mut [u8], at: usize) -> Option<usize> {
        numbers_ws(&self.fields(order, Nanos::ZERO), order.kind != Kind::Market, buffer, at)
    }

    #[inline]
    fn fields(&self, order: &Draft, now: Nanos) -> Fields<Value<'_>> {
        Fields {
            client: Value::Id(order.client),
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
    use crate::types::{ClientId, VenueId};
    use crate::venue::binance::{desk, symbol};
    use crate::venue::{Credentials, GatewayConfig, Transport};

    const AT: Nanos = Nanos::from_millis(1_785_060_000_900);

    fn encoder() -> Encoder {
        let secret = SecretString::from("MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u");
        let signer = Signer::new(&secret).unwrap();
        let exchange_info = include_bytes!("../../../tests/data/binance/exchange_info_spot.json");
        let spec = symbol::instruments(symbol::Market::Spot, exchange_info).unwrap().remove(0);
        let endpoint = |url| Endpoint::parse(url).unwrap();
        let config = GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(InstrumentId(0), spec)],
            credentials: Credentials { key: "KEY".to_owned(), secret, passphrase: None, generation: 3 },
            transport: Transport::Ws,
            rest: endpoint("https://api.binance.com/"),
            orders: endpoint("wss://ws-api.binance.com/ws-api/v3"),
            private: endpoint("wss://ws-api.binance.com/ws-api/v3"),
            window_ms: 1_000,
            nonce_from: 0,
            mask_seed: 7,
        };
        Encoder::new(&desk::SPOT, Channel::Session, &config, &signer)
    }

    fn draft(price: i64, qty: i64) -> Draft {
        Draft {
            client: ClientId::parse(b"6d1b345e-2821-40e2-ad83-4ecb18a06876").unwrap(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
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
        let mut encoder = encoder();
        let order = draft(6_123_456_000_000, 12_345_000);
        let want = "{\"id\":\"6d1b345e282140e2ad834ecb18a06876\",\"method\":\"order.place\",\"params\":{\"symbol\":\
                    \"BTCUSDT\",\"side\":\"BUY\",\"type\":\"LIMIT\",\"timeInForce\":\"IOC\",\"recvWindow\":1000,\
                    \"newClientOrderId\":\"6d1b345e282140e2ad834ecb18a06876\",\"price\":\"61234.56\",\"quantity\":\
                    \"0.12345\",\"timestamp\":1785060000900}}";
        for (price, qty, guessed) in [
            (0, 0, false),
            (order.price.0, order.qty.0, true),
            (order.price.0, 1_000, false),
            (99_999_999_000_000, order.qty.0, false),
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
            assert_eq!(out.expires, AT + Nanos::from_millis(999));
        }
        let mut out = OrderBytes::new();
        encoder.begin(&order, &mut out).unwrap();
        let off_tick = draft(order.price.0 + 1, order.qty.0);
        assert!(encoder.complete(&off_tick, AT, &mut out).is_err(), "a guess lends no order its checks");
    }
}
