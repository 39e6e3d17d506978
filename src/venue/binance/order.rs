//! New orders as bytes that are ready to go.
//!
//! All that an order shares with the others of its instrument, side and type is written once, at
//! start: its template. An order is a copy of the template with client id, price, quantity and time
//! behind it, in that place because a signature then has to compress only the blocks from the client
//! id on. `newOrderRespType` is left to its default: FULL for LIMIT and MARKET, which answers with
//! the fills and their trade ids, so that they are known before the private stream tells them; ACK for
//! LIMIT_MAKER, which cannot fill at once.
//!
//! Three ways to send the same order: a signed REST request, a WebSocket request in a session that
//! was logged on (nothing to sign), and a WebSocket request with its own signature.

use super::hmac::Absorbed;
use super::pen::{Decimals, Pen};
use super::sign::{MAX_SIGNATURE, Signer, percent_encode};
use crate::types::{Draft, Endpoint, InstrumentId, InstrumentSpec, Kind, Nanos, Qty, Side, Tif};
use crate::venue::{EncodeError, Lane, OrderBytes};
use crate::wire::ws::frame_client_text;

/// Room before a WebSocket text for the head of any frame.
const FRAME_HEAD: usize = 14;

/// How orders travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// Signed HTTP requests.
    Rest,
    /// WebSocket requests of a logged-on session.
    Session,
    /// WebSocket requests that each carry key and signature.
    SignedWs,
}

/// What differs between two orders of one template.
pub struct Fields<'a> {
    /// The client order id.
    pub client: &'a [u8],
    /// The limit as text; not used by market orders.
    pub price: &'a [u8],
    /// The quantity as text.
    pub qty: &'a [u8],
    /// The request's time by the venue's clock.
    pub time_ms: i64,
}

/// All that orders of one symbol, side, type and lifetime share.
pub struct Template {
    /// Everything before the client id.
    head: Box<[u8]>,
    /// Where in `head` the signed text starts (REST).
    signed_from: usize,
    /// The HMAC state behind the whole blocks of the signed text's front.
    absorbed: Option<Absorbed>,
    /// Signed WebSocket text: what comes before the client id, between quantity and time, and last.
    sign_parts: [Box<[u8]>; 3],
    priced: bool,
}

/// The names of a venue order.
pub struct Shape<'a> {
    /// The symbol, in upper case.
    pub symbol: &'a str,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// Lifetime; only limit orders have one.
    pub tif: Tif,
}

impl Shape<'_> {
    /// `symbol`, `side`, `type`, and `timeInForce` where the type takes one.
    fn fixed(&self) -> Vec<(&'static str, &str)> {
        let side = match self.side {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        };
        let kind = match self.kind {
            Kind::Limit => "LIMIT",
            Kind::Market => "MARKET",
            Kind::PostOnly => "LIMIT_MAKER",
        };
        let mut fixed = vec![("symbol", self.symbol), ("side", side), ("type", kind)];
        if self.kind == Kind::Limit {
            fixed.push((
                "timeInForce",
                match self.tif {
                    Tif::Ioc => "IOC",
                    Tif::Fok => "FOK",
                    Tif::Gtc => "GTC",
                },
            ));
        }
        fixed
    }
}

impl Template {
    /// Writes the unchanging parts. `signer` matters for REST and signed WebSocket requests.
    pub fn new(channel: Channel, shape: &Shape<'_>, window_ms: u32, key: &str, signer: &Signer) -> Template {
        let fixed = shape.fixed();
        let window = window_ms.to_string();
        let (mut head, mut signed_from) = (Vec::new(), 0);
        let mut sign_parts: [Vec<u8>; 3] = Default::default();
        match channel {
            Channel::Rest => {
                head.extend_from_slice(b"POST /api/v3/order?");
                signed_from = head.len();
                for (name, value) in &fixed {
                    head.extend_from_slice(format!("{name}={}&", percent_encode(value)).as_bytes());
                }
                head.extend_from_slice(format!("recvWindow={window}&newClientOrderId=").as_bytes());
            }
            Channel::Session | Channel::SignedWs => {
                head.extend_from_slice(br#"{"method":"order.place","params":{"#);
                for (name, value) in &fixed {
                    let value = serde_json::Value::from(*value);
                    head.extend_from_slice(format!("\"{name}\":{value},").as_bytes());
                }
                if channel == Channel::SignedWs {
                    let key = serde_json::Value::from(key);
                    head.extend_from_slice(format!("\"apiKey\":{key},").as_bytes());
                }
                head.extend_from_slice(format!("\"recvWindow\":{window},\"newClientOrderId\":\"").as_bytes());
                let value = |name| fixed.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
                sign_parts[0] = format!("apiKey={key}&newClientOrderId=").into_bytes();
                let mut middle = format!("&recvWindow={window}");
                for name in ["side", "symbol", "timeInForce"] {
                    if let Some(value) = value(name) {
                        middle.push_str(&format!("&{name}={value}"));
                    }
                }
                middle.push_str("&timestamp=");
                sign_parts[1] = middle.into_bytes();
                sign_parts[2] = format!("&type={}", value("type").unwrap_or_default()).into_bytes();
            }
        }
        let front = if channel == Channel::Rest { &head[signed_from..] } else { &sign_parts[0] };
        let absorbed = match signer {
            Signer::Hmac(key) => Some(key.absorb(front)),
            Signer::Ed25519(_) => None,
        };
        Template {
            head: head.into(),
            signed_from,
            absorbed,
            sign_parts: sign_parts.map(Vec::into_boxed_slice),
            priced: shape.kind != Kind::Market,
        }
    }

    /// The signed request, from the request line to the empty line; `tail` is what follows the
    /// signature. `None` when it does not fit.
    pub fn write_rest(
        &self,
        signer: &Signer,
        fields: &Fields<'_>,
        tail: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut pen = Pen::new(out);
        pen.put(&self.head);
        pen.put(fields.client);
        if self.priced {
            pen.put_const(b"&price=");
            pen.put(fields.price);
        }
        pen.put_const(b"&quantity=");
        pen.put(fields.qty);
        pen.put_const(b"&timestamp=");
        pen.put_integer(fields.time_ms);
        let end = pen.end()?;
        let mut pen = Pen::at(out, end);
        match (signer, &self.absorbed) {
            (Signer::Hmac(key), Some(absorbed)) => {
                let from = self.signed_from + absorbed.bytes();
                let mac = key.finish_in_place(absorbed, pen.buffer().get_mut(from..)?, end - from)?;
                pen.put_const(b"&signature=");
                pen.put_hex(&mac);
            }
            _ => {
                let mut signature = [0; MAX_SIGNATURE];
                let n = sign_into(signer, pen.buffer().get(self.signed_from..end)?, true, &mut signature)?;
                pen.put_const(b"&signature=");
                pen.put(&signature[..n]);
            }
        }
        pen.put(tail);
        pen.end()
    }

    /// The JSON text of the WebSocket request, at the front of `out`; signed when `signer` is
    /// given. `scratch` takes the text to sign. `None` when it does not fit.
    pub fn write_ws(
        &self,
        signer: Option<&Signer>,
        fields: &Fields<'_>,
        scratch: &mut [u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut signature = [0; MAX_SIGNATURE];
        let mut signature_len = 0;
        if let Some(signer) = signer {
            let mut pen = Pen::new(scratch);
            pen.put(&self.sign_parts[0]);
            pen.put(fields.client);
            if self.priced {
                pen.put_const(b"&price=");
                pen.put(fields.price);
            }
            pen.put_const(b"&quantity=");
            pen.put(fields.qty);
            pen.put(&self.sign_parts[1]);
            pen.put_integer(fields.time_ms);
            pen.put(&self.sign_parts[2]);
            let end = pen.end()?;
            signature_len = match (signer, &self.absorbed) {
                (Signer::Hmac(key), Some(absorbed)) => {
                    let from = absorbed.bytes();
                    let mac = key.finish_in_place(absorbed, scratch.get_mut(from..)?, end - from)?;
                    let mut pen = Pen::new(&mut signature);
                    pen.put_hex(&mac);
                    pen.end()?
                }
                _ => sign_into(signer, scratch.get(..end)?, false, &mut signature)?,
            };
        }
        let mut pen = Pen::new(out);
        pen.put(&self.head);
        pen.put(fields.client);
        if self.priced {
            pen.put_const(br#"","price":""#);
            pen.put(fields.price);
        }
        pen.put_const(br#"","quantity":""#);
        pen.put(fields.qty);
        pen.put_const(br#"","timestamp":"#);
        pen.put_integer(fields.time_ms);
        if signature_len > 0 {
            pen.put_const(br#","signature":""#);
            pen.put(&signature[..signature_len]);
            pen.put_const(br#"""#);
        }
        // The request's id is the order's, so that an answer needs no table to find its order.
        pen.put_const(br#"},"id":""#);
        pen.put(fields.client);
        pen.put_const(br#""}"#);
        pen.end()
    }
}

/// Any key's signature as text; the HMAC of templates goes another way.
fn sign_into(signer: &Signer, payload: &[u8], in_url: bool, out: &mut [u8; MAX_SIGNATURE]) -> Option<usize> {
    let mut pen = Pen::new(out);
    match signer {
        Signer::Hmac(key) => pen.put_hex(&key.mac(payload)),
        Signer::Ed25519(pair) => {
            let mut text = [0; 88];
            base64::Engine::encode_slice(
                &base64::engine::general_purpose::STANDARD,
                pair.sign(payload),
                &mut text,
            )
            .ok()?;
            for byte in text {
                match byte {
                    b'+' if in_url => pen.put_const(b"%2B"),
                    b'/' if in_url => pen.put_const(b"%2F"),
                    b'=' if in_url => pen.put_const(b"%3D"),
                    _ => pen.put_const(&[byte]),
                }
            }
        }
    }
    pen.end()
}

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
    /// By side, then by [`KINDS`].
    templates: Vec<Template>,
}

/// Makes order bytes from drafts. All memory is taken at start.
pub struct Encoder {
    channel: Channel,
    traded: Vec<Traded>,
    /// Position in `traded` by instrument number.
    by_id: Vec<Option<u16>>,
    tail: Vec<u8>,
    scratch: Box<[u8; 1024]>,
    window_ms: u32,
    generation: u32,
    mask: Mask,
}

impl Encoder {
    /// Builds all templates.
    pub fn new(channel: Channel, config: &crate::venue::GatewayConfig, signer: &Signer) -> Encoder {
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
            for side in Side::BOTH {
                for (kind, tif) in KINDS {
                    let shape = Shape { symbol: spec.symbol.as_str(), side, kind, tif };
                    templates.push(Template::new(channel, &shape, config.window_ms, key, signer));
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
            channel,
            traded,
            by_id,
            tail: rest_tail(&config.rest, key),
            scratch: Box::new([0; 1024]),
            window_ms: config.window_ms,
            generation: config.credentials.generation,
            mask: Mask(config.mask_seed),
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
        let shape = Shape { symbol: "", side: order.side, kind: order.kind, tif: order.tif };
        let mut params: Vec<_> =
            shape.fixed().into_iter().skip(1).map(|(name, value)| (name, value.to_owned())).collect();
        if order.kind != Kind::Market {
            params.push(("price", traded.price.text(order.price.0)));
        }
        params.push(("quantity", traded.qty.text(order.qty.0)));
        Some(params)
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
        let template = &traded.templates[order.side as usize * KINDS.len() + kind];
        let mut client = [0; 32];
        const_hex::encode_to_slice(order.client.bits().to_be_bytes(), &mut client)
            .map_err(|_| EncodeError::TooLong)?;
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
        let (start, end) = match self.channel {
            Channel::Rest => {
                let end = template.write_rest(signer, &fields, &self.tail, &mut buffer[..]);
                (0, end.ok_or(EncodeError::TooLong)?)
            }
            Channel::Session | Channel::SignedWs => {
                let signer = (self.channel == Channel::SignedWs).then_some(signer);
                let scratch = &mut self.scratch[..];
                let len = template
                    .write_ws(signer, &fields, scratch, &mut buffer[FRAME_HEAD..])
                    .ok_or(EncodeError::TooLong)?;
                let frame = frame_client_text(&mut buffer[..], FRAME_HEAD, len, self.mask.next())
                    .ok_or(EncodeError::TooLong)?;
                (frame.start, frame.end)
            }
        };
        out.set(start, end)?;
        out.lane = if self.channel == Channel::Rest { Lane::Rest } else { Lane::Orders };
        out.client = order.client;
        out.generation = self.generation;
        // The time was cut to whole milliseconds; one more covers it.
        out.expires = now + Nanos::from_millis(i64::from(self.window_ms) - 1);
        Ok(())
    }
}

/// Masking keys, from a seed (SplitMix64): unpredictable enough for what masks are for, which is to
/// keep proxies from seeing requests that a web page chose.
struct Mask(u64);

impl Mask {
    fn next(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) as u32).to_le_bytes()
    }
}
