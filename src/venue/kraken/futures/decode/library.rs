//! The third tier: the same fields out of a library's tree, in which numbers keep their digits.

use super::{Book, KEYS, Ticker, What, event, millis};
use crate::types::{Level, Nanos, Scale};
use crate::venue::kraken::decode::library::{number, side};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, integer, once, text};

/// What a message's tree says; its product is put into the caller's buffer.
pub(super) fn interpret(
    tree: &Value<'_>,
    scale: Scale,
    product: &mut Vec<u8>,
    levels: &mut Vec<Level>,
) -> Result<What, Error> {
    let Some(fields) = tree.map() else { return Ok(What::Other) };
    once(fields, &KEYS)?;
    if let Some(name) = field(fields, "event")?.and_then(Value::text) {
        return Ok(event(name.as_bytes()));
    }
    let what = match field(fields, "feed")?.and_then(Value::text) {
        Some("heartbeat") => return Ok(What::Heartbeat),
        Some("book") => {
            let buy = match field(fields, "side")?.and_then(Value::text) {
                Some("buy") => true,
                Some("sell") => false,
                _ => return Err(Error::expected("a side of buy or sell", 0)),
            };
            let (price, qty) = (number(fields, "price", scale)?.0, number(fields, "qty", scale)?.0);
            let (seq, time) = (needed(fields, "seq")?, time(fields, "timestamp")?);
            let start = levels.len() as u32;
            levels.push(Level::new(price, qty));
            let (bids, asks) =
                if buy { (start..start + 1, start + 1..start + 1) } else { (start..start, start..start + 1) };
            What::Book(Book { snapshot: false, seq, time, bids, asks })
        }
        Some("book_snapshot") => {
            let (seq, time) = (needed(fields, "seq")?, time(fields, "timestamp")?);
            let bids = side(fields, "bids", scale, &mut (0, 0), levels)?;
            let asks = side(fields, "asks", scale, &mut (0, 0), levels)?;
            What::Book(Book { snapshot: true, seq, time, bids, asks })
        }
        Some("ticker") => {
            let time = if field(fields, "time")?.is_some() { time(fields, "time")? } else { Nanos::ZERO };
            let bid = best(fields, ["bid", "bid_size"], scale)?;
            let ask = best(fields, ["ask", "ask_size"], scale)?;
            What::Ticker(Ticker { bid, ask, time })
        }
        _ => return Ok(What::Other),
    };
    product.extend_from_slice(text(fields, "product_id")?.as_bytes());
    Ok(what)
}

/// A plain integer that must be there.
fn needed(fields: Fields<'_, '_>, key: &'static str) -> Result<u64, Error> {
    integer(fields, key)?.ok_or(Error::expected(key, 0))
}

/// A time in ms that must be there.
fn time(fields: Fields<'_, '_>, key: &'static str) -> Result<Nanos, Error> {
    millis(needed(fields, key)?).ok_or(Error::expected("a time", 0))
}

/// A side of a ticker, which may be `null` or not be there.
fn best(fields: Fields<'_, '_>, keys: [&'static str; 2], scale: Scale) -> Result<Option<Level>, Error> {
    let mut told = [None; 2];
    for (value, key) in told.iter_mut().zip(keys) {
        if !matches!(field(fields, key)?, None | Some(Value::Null)) {
            *value = Some(number(fields, key, scale)?.0);
        }
    }
    let [Some(price), Some(qty)] = told else { return Ok(None) };
    Ok(Some(Level::new(price, qty)))
}
