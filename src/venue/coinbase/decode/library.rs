//! The third tier: the same fields out of a library's tree.

use super::{Book, KEYS, Message, ORDERS, What, mixed, sorted};
use crate::types::{Level, Scale};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, integer, levels as side, once, text, timestamp};

/// What a message's tree says; the product goes to `kept`.
pub(super) fn interpret<'a>(
    raw: &'a [u8],
    value: &Value<'_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    kept: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let order = Message { what: What::Order(raw), ..Message::OTHER };
    let Some(fields) = value.map() else {
        return Ok(if value.list().is_some() { order } else { Message::OTHER });
    };
    once(fields, &KEYS)?;
    let name = |fields, key| Ok::<_, Error>(field(fields, key)?.and_then(Value::text));
    if let Some(channel) = name(fields, "channel")? {
        let sequence = Some(integer(fields, "sequence_num")?.ok_or(Error::expected("sequence_num", 0))?);
        let time = timestamp(fields, "timestamp")?;
        let what = match channel {
            "l2_data" => match list(fields, "events")? {
                [event] => What::Book(book(object(event)?, scale, levels, kept)?),
                _ => return Err(Error::expected("one event", 0)),
            },
            "ticker" => tickers(list(fields, "events")?, scale, levels, kept)?,
            "heartbeats" => What::Heartbeat(b""),
            _ => What::Other,
        };
        return Ok(Message { what, sequence, time });
    }
    let what = match name(fields, "type")? {
        Some("snapshot") => What::Book(Book {
            product: keep(fields, kept)?,
            snapshot: true,
            bids: side(fields, "bids", scale, levels)?,
            asks: side(fields, "asks", scale, levels)?,
        }),
        Some("l2update") => {
            let start = levels.len();
            for change in list(fields, "changes")? {
                let [side, price, qty, ..] = change.list().unwrap_or_default() else {
                    return Err(Error::expected("a change of side, price and quantity", 0));
                };
                let bid = match side.text() {
                    Some("buy") => true,
                    Some("sell") => false,
                    _ => return Err(Error::expected("buy or sell", 0)),
                };
                levels.push(mixed(bid, price.text_decimal(scale)?, qty.text_decimal(scale)?));
            }
            let (bids, asks) = sorted(levels, start);
            What::Book(Book { product: keep(fields, kept)?, snapshot: false, bids, asks })
        }
        Some("ticker") => {
            What::Ticker(ticker(fields, ["best_bid_size", "best_ask_size"], scale, levels, kept)?)
        }
        Some("heartbeat") => What::Heartbeat(keep(fields, kept)?),
        Some("error") => return Ok(Message { what: What::Error, ..Message::OTHER }),
        Some(kind) if ORDERS.contains(&kind) => return Ok(order),
        _ => return Ok(Message::OTHER),
    };
    Ok(Message { what, sequence: None, time: timestamp(fields, "time")? })
}

/// An event of Advanced Trade's book channel.
fn book<'a>(
    event: Fields<'_, '_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    kept: &'a mut Vec<u8>,
) -> Result<Book<'a>, Error> {
    once(event, &["type", "product_id", "updates"])?;
    let snapshot = match text(event, "type")? {
        "snapshot" => true,
        "update" => false,
        _ => return Err(Error::expected("a type of snapshot or update", 0)),
    };
    let start = levels.len();
    for update in list(event, "updates")? {
        let update = object(update)?;
        once(update, &["side", "price_level", "new_quantity"])?;
        let bid = match text(update, "side")? {
            "bid" => true,
            "offer" => false,
            _ => return Err(Error::expected("bid or offer", 0)),
        };
        let decimal =
            |key: &'static str| field(update, key)?.ok_or(Error::expected(key, 0))?.text_decimal(scale);
        levels.push(mixed(bid, decimal("price_level")?, decimal("new_quantity")?));
    }
    let (bids, asks) = sorted(levels, start);
    Ok(Book { product: keep(event, kept)?, snapshot, bids, asks })
}

/// Events of Advanced Trade's ticker channel. Several at once are passed over: books live without.
fn tickers<'a>(
    events: &[Value<'_>],
    scale: Scale,
    levels: &mut Vec<Level>,
    kept: &'a mut Vec<u8>,
) -> Result<What<'a>, Error> {
    let [event] = events else { return Ok(What::Other) };
    let event = object(event)?;
    once(event, &["tickers"])?;
    let [one] = list(event, "tickers")? else { return Ok(What::Other) };
    let one = object(one)?;
    once(one, &["product_id", "best_bid", "best_ask", "best_bid_quantity", "best_ask_quantity"])?;
    Ok(What::Ticker(ticker(one, ["best_bid_quantity", "best_ask_quantity"], scale, levels, kept)?))
}

/// A ticker of either product; old ones tell no quantities, and so no levels.
fn ticker<'a>(
    fields: Fields<'_, '_>,
    qtys: [&str; 2],
    scale: Scale,
    levels: &mut Vec<Level>,
    kept: &'a mut Vec<u8>,
) -> Result<Book<'a>, Error> {
    let mut side = |price: &str, qty: &str| {
        let start = levels.len() as u32;
        let decimal = |key: &str| field(fields, key)?.map(|value| value.text_decimal(scale)).transpose();
        if let (Some(price), Some(qty)) = (decimal(price)?, decimal(qty)?) {
            levels.push(Level::new(price, qty));
        }
        Ok::<_, Error>(start..levels.len() as u32)
    };
    let (bids, asks) = (side("best_bid", qtys[0])?, side("best_ask", qtys[1])?);
    Ok(Book { product: keep(fields, kept)?, snapshot: false, bids, asks })
}

fn list<'v, 'a>(fields: Fields<'v, 'a>, key: &'static str) -> Result<&'v [Value<'a>], Error> {
    field(fields, key)?.and_then(Value::list).ok_or(Error::expected(key, 0))
}

fn object<'v, 'a>(value: &'v Value<'a>) -> Result<Fields<'v, 'a>, Error> {
    value.map().ok_or(Error::expected("an object", 0))
}

fn keep<'a>(fields: Fields<'_, '_>, kept: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
    kept.clear();
    kept.extend_from_slice(text(fields, "product_id")?.as_bytes());
    Ok(kept)
}
