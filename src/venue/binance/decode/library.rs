//! The third tier: the same fields out of a library's tree.

use super::{Depth, KEYS, Message, Snapshot, Ticker, missing};
use crate::types::{Level, Scale};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, integer, levels as side, once, text, time};

/// What a message's tree says; the symbol goes to `symbol_out`.
pub(super) fn interpret<'a>(
    value: &Value<'_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    symbol_out: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let Some(mut fields) = value.map() else { return Ok(Message::Other) };
    once(fields, &KEYS)?;
    let data = field(fields, "data")?;
    let mut wrapped = false;
    if let (Some(Value::Text(_)), Some(data)) = (field(fields, "stream")?, data) {
        let Some(inner) = data.map() else { return Ok(Message::Other) };
        fields = inner;
        wrapped = true;
    }
    if let Some(inner) = data.and_then(Value::map) {
        once(inner, &KEYS)?;
    }
    match field(fields, "e")? {
        Some(Value::Text(event)) if event == "depthUpdate" => {
            let bids = side(fields, "b", scale, levels)?;
            let asks = side(fields, "a", scale, levels)?;
            Ok(Message::Depth(Depth {
                first: integer(fields, "U")?.ok_or(missing("U"))?,
                last: integer(fields, "u")?.ok_or(missing("u"))?,
                prev: integer(fields, "pu")?,
                event_ms: time(fields, "E")?.ok_or(missing("E"))?,
                transaction_ms: time(fields, "T")?.unwrap_or(0),
                symbol: symbol(fields, symbol_out)?,
                bids,
                asks,
            }))
        }
        Some(Value::Text(event)) if event == "bookTicker" => ticker(fields, scale, symbol_out),
        Some(Value::Text(event)) if event == "serverShutdown" => Ok(Message::Shutdown),
        Some(_) => Ok(Message::Other),
        None if ["u", "s", "b", "B", "a", "A"]
            .iter()
            .all(|key| matches!(field(fields, key), Ok(Some(_)))) =>
        {
            ticker(fields, scale, symbol_out)
        }
        None if wrapped => Ok(Message::Other),
        None => {
            let error = field(fields, "error")?.is_some() || field(fields, "code")?.is_some();
            if error || field(fields, "result")?.is_some() {
                Ok(Message::Reply { id: field(fields, "id")?.and_then(Value::integer), error })
            } else {
                Ok(Message::Other)
            }
        }
    }
}

fn ticker<'a>(
    fields: Fields<'_, '_>,
    scale: Scale,
    symbol_out: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let decimal = |key| field(fields, key)?.ok_or(missing("a price or quantity"))?.text_decimal(scale);
    Ok(Message::Ticker(Ticker {
        update_id: integer(fields, "u")?.ok_or(missing("u"))?,
        bid: Level::new(decimal("b")?, decimal("B")?),
        ask: Level::new(decimal("a")?, decimal("A")?),
        event_ms: time(fields, "E")?.unwrap_or(0),
        symbol: symbol(fields, symbol_out)?,
    }))
}

fn symbol<'a>(fields: Fields<'_, '_>, out: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
    out.clear();
    out.extend_from_slice(text(fields, "s")?.as_bytes());
    Ok(out)
}

/// A REST depth answer.
pub(super) fn snapshot(value: &Value<'_>, scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, Error> {
    let fields = value.map().ok_or(missing("an object"))?;
    Ok(Snapshot {
        last_update_id: integer(fields, "lastUpdateId")?.ok_or(missing("lastUpdateId"))?,
        event_ms: time(fields, "E")?.unwrap_or(0),
        bids: side(fields, "bids", scale, levels)?,
        asks: side(fields, "asks", scale, levels)?,
    })
}
