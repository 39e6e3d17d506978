//! New orders as bytes that are ready to go: a template, patched, checked, signed and framed in place.
//!
//! Three ways to send the same order: a signed REST request, a WebSocket request in a session that
//! was logged on (nothing to sign), and a WebSocket request with its own signature.

use super::desk::Desk;
use super::sign::Signer;
use super::template::{Channel, Fields, Shape, Template, Value, complete_ws};
use crate::types::{Draft, Endpoint, InstrumentId, InstrumentSpec, Kind, Nanos, Price, Qty, Side, Tif};
use crate::venue::{Begun, EncodeError, Lane, OrderBytes};
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

    /// Writes what is known of the order before its price, size and time. Only in sessions.
    pub fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.channel != Channel::Session {
            return Err(EncodeError::Unsupported);
        }
        let mask = self.masks.next_key();
        let (_, template) = self.template(order)?;
        let buffer = &mut out.buffer()[..];
        let len = template.begin_ws(Value::Id(order.client), &mut buffer[FRAME_HEAD..]);
        let at = FRAME_HEAD + len.ok_or(EncodeError::TooLong)?;
        begin_client_text(buffer, FRAME_HEAD, at, mask).ok_or(EncodeError::TooLong)?;
        out.begun = Begun { at, mask, session: 0 };
        out.lane = Lane::Orders;
        out.client = order.client;
        out.generation = self.generation;
        Ok(())
    }

    /// Writes the rest.
    #[inline]
    pub fn complete(&self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let traded = self.traded(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        traded.spec.check(order.price, order.qty)?;
        let Begun { at, mask, .. } = out.begun;
        let buffer = &mut out.buffer()[..];
        let end = complete_ws(&traded.fields(order, now), order.kind != Kind::Market, b"", buffer, at);
        let len = end.and_then(|end| end.checked_sub(FRAME_HEAD)).ok_or(EncodeError::TooLong)?;
        let frame = finish_client_text(buffer, FRAME_HEAD, at, len, mask).ok_or(EncodeError::TooLong)?;
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
