//! The third tier: the same fields out of a library's tree.

use std::borrow::Cow;
use std::ops::Range;

use super::{Depth, KEYS, Message, Snapshot, Ticker, missing};
use crate::types::{Level, Scale};
use crate::wire::json::Error;
use crate::wire::json::library::{self, Value, field};

type Fields<'v, 'a> = &'v [(Cow<'a, str>, Value<'a>)];

/// What a message's tree says; the symbol goes to `symbol_out`.
pub(super) fn interpret<'a>(
    value: &Value<'_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    symbol_out: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let Some(mut fields) = value.map() else { return Ok(Message::Other) };
    once(fields)?;
    let data = field(fields, "data")?;
    let mut wrapped = false;
    if let (Some(Value::Text(_)), Some(data)) = (field(fields, "stream")?, data) {
        let Some(inner) = data.map() else { return Ok(Message::Other) };
        fields = inner;
        wrapped = true;
    }
    if let Some(inner) = data.and_then(Value::map) {
        once(inner)?;
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

fn once(fields: Fields<'_, '_>) -> Result<(), Error> {
    KEYS.iter().try_for_each(|key| field(fields, key).map(|_| ()))
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
    let text = field(fields, "s")?.and_then(Value::text).ok_or(missing("s"))?;
    out.clear();
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

fn integer(fields: Fields<'_, '_>, key: &'static str) -> Result<Option<u64>, Error> {
    field(fields, key)?.map(|value| value.integer().ok_or(Error::expected("a plain integer", 0))).transpose()
}

fn time(fields: Fields<'_, '_>, key: &'static str) -> Result<Option<i64>, Error> {
    let time = integer(fields, key)?;
    time.map(|ms| i64::try_from(ms).map_err(|_| Error::expected("a time", 0))).transpose()
}

fn side(
    fields: Fields<'_, '_>,
    key: &str,
    scale: Scale,
    levels: &mut Vec<Level>,
) -> Result<Range<u32>, Error> {
    let start = levels.len();
    let list = field(fields, key)?.and_then(Value::list).ok_or(missing("a list of levels"))?;
    for level in list {
        let [price, qty, ..] = level.list().unwrap_or_default() else {
            return Err(Error::expected("a level of price and quantity", 0));
        };
        levels.push(Level::new(price.text_decimal(scale)?, qty.text_decimal(scale)?));
    }
    Ok(start as u32..levels.len() as u32)
}

/// A REST depth answer.
pub(super) fn snapshot(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, Error> {
    let mut scratch = library::Scratch::default();
    let value = library::strings(body, &mut scratch)?;
    let fields = value.map().ok_or(missing("an object"))?;
    Ok(Snapshot {
        last_update_id: integer(fields, "lastUpdateId")?.ok_or(missing("lastUpdateId"))?,
        event_ms: time(fields, "E")?.unwrap_or(0),
        bids: side(fields, "bids", scale, levels)?,
        asks: side(fields, "asks", scale, levels)?,
    })
}
