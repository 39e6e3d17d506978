//! New orders as bytes that are ready to go: a template, patched, checked, signed and framed in place.
//!
//! Over a session that was logged in ahead there is nothing to sign; over REST each order is a
//! signed request. Client ids are 32 hex digits, which the venue takes: up to 36 letters, digits,
//! hyphens and underscores. It never takes one twice.

use super::sign::Signer;
use super::symbol::Market;
use super::template::{Body, Fields, Shape, Wrapping};
use crate::types::{Draft, InstrumentId, InstrumentSpec, Kind, Nanos, Price, Qty, Side, Tif};
use crate::venue::{EncodeError, GatewayConfig, Lane, OrderBytes, Transport};
use crate::wire::pen::Decimals;
use crate::wire::ws::{Masks, frame_client_text};

/// Room before a WebSocket text for the head of any frame.
const FRAME_HEAD: usize = 14;

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
        let at = self.by_id.get(usize::from(order.instrument.0)).copied().flatten();
        let traded =
            at.and_then(|at| self.traded.get(usize::from(at))).ok_or(EncodeError::UnknownInstrument)?;
        traded.spec.check(order.price, order.qty)?;
        let kind = match (order.kind, order.tif) {
            (Kind::Limit, Tif::Ioc) => 0,
            (Kind::Limit, Tif::Fok) => 1,
            (Kind::Limit, Tif::Gtc) => 2,
            (Kind::PostOnly, Tif::Gtc) => 3,
            (Kind::PostOnly, _) => return Err(EncodeError::Unsupported),
            (Kind::Market, _) => 4,
        };
        if order.reduce_only && self.market == Market::Spot {
            return Err(EncodeError::Unsupported);
        }
        let shape = (order.side as usize * KINDS.len() + kind) * 2 + usize::from(order.reduce_only);
        let body = &traded.bodies[shape];
        let client = order.client.hex();
        let (mut price, mut qty) = ([0; Decimals::MAX_TEXT], [0; Decimals::MAX_TEXT]);
        let price_len = traded.price.write(order.price.0, &mut price);
        let qty_len = traded.qty.write(order.qty.0, &mut qty);
        let fields = Fields {
            client: &client,
            price: &price[..price_len],
            qty: &qty[..qty_len],
            time_ms: now.millis(),
        };
        let buffer = out.buffer();
        let (start, end) = match self.transport {
            Transport::Rest => {
                let scratch = &mut self.scratch[..];
                let end = self.wrapping.write_rest(body, signer, &fields, scratch, &mut buffer[..]);
                (0, end.ok_or(EncodeError::TooLong)?)
            }
            Transport::Ws => {
                let len = self
                    .wrapping
                    .write_ws(body, &fields, &mut buffer[FRAME_HEAD..])
                    .ok_or(EncodeError::TooLong)?;
                let frame = frame_client_text(&mut buffer[..], FRAME_HEAD, len, self.masks.next_key())
                    .ok_or(EncodeError::TooLong)?;
                (frame.start, frame.end)
            }
        };
        out.set(start, end)?;
        out.lane = if self.transport == Transport::Rest { Lane::Rest } else { Lane::Orders };
        out.client = order.client;
        out.generation = self.generation;
        // The time was cut to whole milliseconds; one more covers it.
        out.expires = now + Nanos::from_millis(i64::from(self.window_ms) - 1);
        Ok(())
    }
}
