//! What orders of one symbol, side and type share, written once: an order is a copy of it with
//! quantity, price and client id in their places.
//!
//! The body is the same over either transport. Its fields stand in the order in which the venue's
//! own examples have them. A WebSocket request has its time in the middle, where it takes the same
//! room in every order: all of the request is written ahead, quantity and price as a guess, and the
//! time over what stands in its place.

use super::sign::Signer;
use super::symbol::Market;
use crate::types::{Endpoint, Kind, Side, Tif};
use crate::wire::pen::{Decimals, Pen};

/// A number of an order.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// As it stands.
    Text(&'a [u8]),
    /// With the decimals of its step.
    Number(i64, &'a Decimals),
}

impl Value<'_> {
    #[inline]
    fn write(self, pen: &mut Pen<'_>) {
        match self {
            Value::Text(text) => pen.put(text),
            Value::Number(value, decimals) => pen.put_decimal(value, decimals),
        }
    }
}

/// What differs between two orders of one template.
pub struct Fields<'a> {
    /// The client order id.
    pub client: &'a [u8],
    /// The limit; not used by market orders.
    pub price: Value<'a>,
    /// The quantity.
    pub qty: Value<'a>,
    /// The request's time by the venue's clock.
    pub time_ms: i64,
}

/// The names of a venue order.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Which market.
    pub market: Market,
    /// The symbol, in upper case.
    pub symbol: &'a str,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// How long it lives.
    pub tif: Tif,
    /// It may only reduce a position; of contracts.
    pub reduce_only: bool,
    /// An order that would meet one of our own is cancelled instead. The taker's word decides, so
    /// every order says it.
    pub prevent_self_trade: bool,
}

/// The unchanging parts of an order's body.
pub struct Body {
    /// Everything before the quantity.
    head: Box<[u8]>,
    /// From behind the price (or the quantity, in market orders) to the client id.
    tail: Box<[u8]>,
    priced: bool,
}

impl Body {
    /// Writes the unchanging parts.
    pub fn new(shape: &Shape<'_>) -> Body {
        let side = match shape.side {
            Side::Buy => "Buy",
            Side::Sell => "Sell",
        };
        let kind = if shape.kind == Kind::Market { "Market" } else { "Limit" };
        let tif = match (shape.kind, shape.tif) {
            (Kind::PostOnly, _) => "PostOnly",
            // Market orders are immediate whatever they say.
            (Kind::Market, _) | (_, Tif::Ioc) => "IOC",
            (_, Tif::Fok) => "FOK",
            (_, Tif::Gtc) => "GTC",
        };
        let (category, symbol) = (shape.market.category(), serde_json::Value::from(shape.symbol));
        let head = format!(
            r#"{{"category":"{category}","symbol":{symbol},"side":"{side}","orderType":"{kind}","qty":""#
        );
        let mut tail = format!(r#"","timeInForce":"{tif}","#);
        if shape.kind == Kind::Market && shape.market == Market::Spot {
            // A spot market buy is in the quote coin unless it says otherwise.
            tail.push_str(r#""marketUnit":"baseCoin","#);
        }
        if shape.reduce_only {
            tail.push_str(r#""reduceOnly":true,"#);
        }
        if shape.prevent_self_trade {
            tail.push_str(r#""smpType":"CancelTaker","#);
        }
        tail.push_str(r#""orderLinkId":""#);
        Body {
            head: head.into_bytes().into(),
            tail: tail.into_bytes().into(),
            priced: shape.kind != Kind::Market,
        }
    }

    /// Writes an order's body.
    #[inline]
    pub fn write(&self, fields: &Fields<'_>, pen: &mut Pen<'_>) {
        pen.put(&self.head);
        self.write_from_qty(fields, pen);
    }

    #[inline]
    fn write_from_qty(&self, fields: &Fields<'_>, pen: &mut Pen<'_>) {
        fields.qty.write(pen);
        if self.priced {
            pen.put_const(br#"","price":""#);
            fields.price.write(pen);
        }
        pen.put(&self.tail);
        pen.put(fields.client);
        pen.put_const(br#""}"#);
    }
}

/// What all orders of a key have around their bodies.
pub struct Wrapping {
    /// What is signed between the time and the body: key and window.
    signed: Box<[u8]>,
    /// The request up to its time.
    rest_head: Box<[u8]>,
    /// A WebSocket request between its time and its body.
    ws_middle: Box<[u8]>,
}

impl Wrapping {
    /// Writes the unchanging parts.
    pub fn new(rest: &Endpoint, key: &str, window_ms: u32) -> Wrapping {
        let rest_head = format!(
            "POST /v5/order/create HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             X-BAPI-API-KEY: {key}\r\nX-BAPI-RECV-WINDOW: {window_ms}\r\nX-BAPI-SIGN-TYPE: 2\r\n\
             X-BAPI-TIMESTAMP: ",
            rest.host_header()
        );
        let ws_middle = format!(r#"","X-BAPI-RECV-WINDOW":"{window_ms}"}},"op":"order.create","args":["#);
        Wrapping {
            signed: format!("{key}{window_ms}").into_bytes().into(),
            rest_head: rest_head.into_bytes().into(),
            ws_middle: ws_middle.into_bytes().into(),
        }
    }

    /// The signed request at the front of `out`; `scratch` takes the text to sign. `None` when it
    /// does not fit.
    pub fn write_rest(
        &self,
        body: &Body,
        signer: &Signer,
        fields: &Fields<'_>,
        scratch: &mut [u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let (from, end, signature) = self.sign(body, signer, fields, scratch)?;
        let mut pen = Pen::new(out);
        pen.put(&self.rest_head);
        pen.put_integer(fields.time_ms);
        pen.put_const(b"\r\nX-BAPI-SIGN: ");
        pen.put_hex(&signature);
        pen.put_const(b"\r\nContent-Length: ");
        pen.put_integer((end - from) as i64);
        pen.put_const(b"\r\n\r\n");
        pen.put(scratch.get(from..end)?);
        pen.end()
    }

    /// Writes the text to sign into `scratch`: where its body starts and ends, and the signature.
    pub fn sign(
        &self,
        body: &Body,
        signer: &Signer,
        fields: &Fields<'_>,
        scratch: &mut [u8],
    ) -> Option<(usize, usize, [u8; 32])> {
        let mut pen = Pen::new(scratch);
        pen.put_integer(fields.time_ms);
        pen.put(&self.signed);
        let from = pen.end()?;
        let mut pen = Pen::at(scratch, from);
        body.write(fields, &mut pen);
        let end = pen.end()?;
        let signature = signer.sign_in_place(scratch, end)?;
        Some((from, end, signature))
    }

    /// The JSON text of a WebSocket request. The request's id is the order's, so that an answer needs no
    /// table to find its order.
    pub fn write_ws(&self, body: &Body, fields: &Fields<'_>, pen: &mut Pen<'_>) {
        self.begin_ws(body, fields, pen);
        self.finish_ws(body, fields, pen);
    }

    /// The front of a WebSocket request, up to its quantity.
    pub fn begin_ws(&self, body: &Body, fields: &Fields<'_>, pen: &mut Pen<'_>) {
        pen.put_const(OPENING);
        pen.put(fields.client);
        pen.put_const(TO_TIME);
        pen.put_integer(fields.time_ms);
        pen.put(&self.ws_middle);
        pen.put(&body.head);
    }

    /// The rest of a WebSocket request, from its quantity on; of its fields the time is not used.
    #[inline]
    pub fn finish_ws(&self, body: &Body, fields: &Fields<'_>, pen: &mut Pen<'_>) {
        body.write_from_qty(fields, pen);
        pen.put_const(b"]}");
    }
}

const OPENING: &[u8; 10] = br#"{"reqId":""#;
const TO_TIME: &[u8; 32] = br#"","header":{"X-BAPI-TIMESTAMP":""#;

/// Where the time stands in a WebSocket request of a client id that is so long.
pub const fn time_at(client: usize) -> usize {
    OPENING.len() + client + TO_TIME.len()
}
