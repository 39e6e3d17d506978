//! What orders of one symbol, side and type share, written once.
//!
//! A REST order is a copy of its template with client id, price, quantity and time behind it, in that
//! place because a signature then has to compress only the blocks from the client id on. A WebSocket
//! request has its ids in front, then price and quantity, and the time last: all but that is written
//! ahead, price and quantity as a guess.
//! On spot `newOrderRespType` is left to its default: FULL for LIMIT and MARKET, which answers with the
//! fills and their trade ids, so that they are known before the private stream tells them; ACK for
//! LIMIT_MAKER, which cannot fill at once. On USD-M the default is ACK, and RESULT the most there is:
//! the final state and the filled total of an immediate order, without its fills.

use super::desk::Desk;
use super::sign::{MAX_SIGNATURE, Signer, percent_encode};
use crate::types::{ClientId, Kind, Side, Tif};
use crate::wire::hmac::Absorbed;
use crate::wire::pen::{Decimals, Pen};

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
#[derive(Clone, Copy)]
pub struct Fields<N> {
    /// The client order id.
    pub client: N,
    /// The limit; not used by market orders.
    pub price: N,
    /// The quantity.
    pub qty: N,
    /// The request's time by the venue's clock.
    pub time_ms: i64,
}

/// Something that a pen can write.
pub trait Write {
    /// Writes it.
    fn write(&self, pen: &mut Pen<'_>);
}

/// A text as it stands.
impl Write for &[u8] {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.put(self);
    }
}

/// A value of an order.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// 32 hex digits.
    Id(ClientId),
    /// A number with the decimals of its step.
    Number(i64, &'a Decimals),
}

impl Write for Value<'_> {
    #[inline]
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Value::Id(id) => pen.put_id(*id),
            Value::Number(value, decimals) => pen.put_decimal(*value, decimals),
        }
    }
}

/// All that orders of one symbol, side, type and lifetime share.
pub struct Template {
    /// Everything before the client id; in a WebSocket request, between the two places where it stands.
    head: Box<[u8]>,
    /// Where in `head` the signed text starts (REST).
    signed_from: usize,
    /// The HMAC state behind the whole blocks of the signed text's front.
    absorbed: Option<Absorbed>,
    /// Signed WebSocket text: what comes before the client id, between quantity and time, and last.
    sign_parts: [Box<[u8]>; 3],
    /// Signed WebSocket text: what comes right behind the client id.
    sign_answer: Box<[u8]>,
    priced: bool,
}

/// The names of a venue order.
pub struct Shape<'a> {
    /// The market.
    pub desk: &'static Desk,
    /// The symbol, in upper case.
    pub symbol: &'a str,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// Lifetime; only limit orders have one.
    pub tif: Tif,
    /// It may only reduce a position.
    pub reduce_only: bool,
}

impl Shape<'_> {
    /// `symbol`, `side`, `type`, `timeInForce` where the type takes one, and what else never changes.
    pub(super) fn fixed(&self) -> Vec<(&'static str, &str)> {
        let side = match self.side {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        };
        let (kind, tif) = match (self.kind, self.tif) {
            (Kind::Limit, Tif::Ioc) => ("LIMIT", Some("IOC")),
            (Kind::Limit, Tif::Fok) => ("LIMIT", Some("FOK")),
            (Kind::Limit, Tif::Gtc) => ("LIMIT", Some("GTC")),
            (Kind::Market, _) => ("MARKET", None),
            (Kind::PostOnly, _) => self.desk.post_only,
        };
        let mut fixed = vec![("symbol", self.symbol), ("side", side), ("type", kind)];
        fixed.extend(tif.map(|tif| ("timeInForce", tif)));
        if self.reduce_only {
            fixed.push(("reduceOnly", "true"));
        }
        fixed.extend(self.desk.answer.map(|answer| ("newOrderRespType", answer)));
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
        let answer =
            shape.desk.answer.map(|answer| format!("&newOrderRespType={answer}")).unwrap_or_default();
        match channel {
            Channel::Rest => {
                let (_, verb, path) = shape.desk.place;
                head.extend_from_slice(format!("{verb} {path}?").as_bytes());
                signed_from = head.len();
                for (name, value) in &fixed {
                    head.extend_from_slice(format!("{name}={}&", percent_encode(value)).as_bytes());
                }
                head.extend_from_slice(format!("recvWindow={window}&newClientOrderId=").as_bytes());
            }
            Channel::Session | Channel::SignedWs => {
                let (method, ..) = shape.desk.place;
                head.extend_from_slice(format!(r#"","method":"{method}","params":{{"#).as_bytes());
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
                for name in ["reduceOnly", "side", "symbol", "timeInForce"] {
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
            sign_answer: answer.into_bytes().into(),
            priced: shape.kind != Kind::Market,
        }
    }

    /// The signed request, from the request line to the empty line; `tail` is what follows the
    /// signature. `None` when it does not fit.
    pub fn write_rest(
        &self,
        signer: &Signer,
        fields: &Fields<impl Write>,
        tail: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut pen = Pen::new(out);
        pen.put(&self.head);
        fields.client.write(&mut pen);
        if self.priced {
            pen.put_const(b"&price=");
            fields.price.write(&mut pen);
        }
        pen.put_const(b"&quantity=");
        fields.qty.write(&mut pen);
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

    /// The JSON text of the WebSocket request up to its price, at the front of `out`: where it ends.
    /// The request's id is the order's, so that an answer needs no table to find its order. `None`
    /// when it does not fit.
    pub fn begin_ws(&self, client: impl Write, out: &mut [u8]) -> Option<usize> {
        let mut pen = Pen::new(out);
        pen.put_const(br#"{"id":""#);
        client.write(&mut pen);
        pen.put(&self.head);
        client.write(&mut pen);
        pen.put_const(br#"""#);
        pen.end()
    }

    /// The whole text of the WebSocket request, at the front of `out`, with its own signature.
    /// `scratch` takes the text to sign. `None` when it does not fit.
    pub fn write_signed_ws(
        &self,
        signer: &Signer,
        fields: &Fields<impl Write + Copy>,
        scratch: &mut [u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut pen = Pen::new(scratch);
        pen.put(&self.sign_parts[0]);
        fields.client.write(&mut pen);
        pen.put(&self.sign_answer);
        if self.priced {
            pen.put_const(b"&price=");
            fields.price.write(&mut pen);
        }
        pen.put_const(b"&quantity=");
        fields.qty.write(&mut pen);
        pen.put(&self.sign_parts[1]);
        pen.put_integer(fields.time_ms);
        pen.put(&self.sign_parts[2]);
        let end = pen.end()?;
        let mut signature = [0; MAX_SIGNATURE];
        let len = match (signer, &self.absorbed) {
            (Signer::Hmac(key), Some(absorbed)) => {
                let from = absorbed.bytes();
                let mac = key.finish_in_place(absorbed, scratch.get_mut(from..)?, end - from)?;
                let mut pen = Pen::new(&mut signature);
                pen.put_hex(&mac);
                pen.end()?
            }
            _ => sign_into(signer, scratch.get(..end)?, false, &mut signature)?,
        };
        let at = self.begin_ws(fields.client, out)?;
        let at = numbers_ws(fields, self.priced, out, at)?;
        finish_ws(fields.time_ms, &signature[..len], out, at)
    }
}

/// What follows [`Template::begin_ws`], from `at` on: price and quantity. Where they end; `None` when
/// they do not fit.
#[inline]
pub fn numbers_ws(fields: &Fields<impl Write>, priced: bool, out: &mut [u8], at: usize) -> Option<usize> {
    let mut pen = Pen::at(out, at);
    if priced {
        pen.put_const(br#","price":""#);
        fields.price.write(&mut pen);
        pen.put_const(br#"""#);
    }
    pen.put_const(br#","quantity":""#);
    fields.qty.write(&mut pen);
    pen.put_const(br#"","timestamp":"#);
    pen.end()
}

/// What follows [`numbers_ws`], from `at` on: where the request ends. `None` when it does not fit.
#[inline]
pub fn finish_ws(time_ms: i64, signature: &[u8], out: &mut [u8], at: usize) -> Option<usize> {
    let mut pen = Pen::at(out, at);
    pen.put_integer(time_ms);
    if !signature.is_empty() {
        pen.put_const(br#","signature":""#);
        pen.put(signature);
        pen.put_const(br#"""#);
    }
    pen.put_const(br#"}}"#);
    pen.end()
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
