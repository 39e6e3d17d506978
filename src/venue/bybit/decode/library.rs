//! The third tier: the same fields out of a library's tree.

use super::{Book, INNER, Message, OUTER, Ticker, Topic, missing, topic};
use crate::types::{Level, Scale};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, integer, levels as side, once, time};

/// What a message's tree says; the symbol goes to `symbol_out`.
pub(super) fn interpret<'a>(
    value: &Value<'_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    symbol_out: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let Some(outer) = value.map() else { return Ok(Message::Other) };
    once(outer, &OUTER)?;
    let data = field(outer, "data")?.and_then(Value::map);
    if let Some(data) = data {
        once(data, &INNER)?;
    }
    let Some(name) = maybe(outer, "topic")? else {
        return Ok(match maybe(outer, "op")? {
            Some("ping" | "pong") => Message::Pong,
            Some("subscribe") => {
                Message::Reply { success: matches!(field(outer, "success")?, Some(Value::Bool(true))) }
            }
            _ => Message::Other,
        });
    };
    let topic = topic(name.as_bytes());
    if matches!(topic, Topic::Other) {
        return Ok(Message::Other);
    }
    let snapshot = match maybe(outer, "type")? {
        Some("snapshot") => true,
        Some("delta") => false,
        _ => return Err(missing("snapshot or delta")),
    };
    let sent_ms = time(outer, "ts")?.ok_or(missing("ts"))?;
    let data = data.ok_or(missing("data"))?;
    let mut same = |key, symbol: &[u8]| {
        if maybe(data, key)?.map(str::as_bytes) != Some(symbol) {
            return Err(missing("the topic's symbol"));
        }
        symbol_out.clear();
        symbol_out.extend_from_slice(symbol);
        Ok(())
    };
    match topic {
        Topic::Book(depth, symbol) => {
            same("s", symbol)?;
            let bids = side(data, "b", scale, levels)?;
            let asks = side(data, "a", scale, levels)?;
            Ok(Message::Book(Book {
                symbol: symbol_out,
                depth,
                snapshot,
                update: integer(data, "u")?.ok_or(missing("u"))?,
                seq: integer(data, "seq")?.ok_or(missing("seq"))?,
                sent_ms,
                engine_ms: time(outer, "cts")?,
                bids,
                asks,
            }))
        }
        Topic::Ticker(symbol) => {
            same("symbol", symbol)?;
            let mut best = [None; 4];
            for (best, key) in best.iter_mut().zip(["bid1Price", "bid1Size", "ask1Price", "ask1Size"]) {
                *best = match field(data, key)? {
                    Some(Value::Text(text)) if text.is_empty() => Some(0),
                    Some(value) => Some(value.text_decimal(scale)?),
                    None => None,
                };
            }
            let seq = integer(outer, "cs")?.ok_or(missing("cs"))?;
            Ok(Message::Ticker(Ticker { symbol: symbol_out, snapshot, seq, sent_ms, best }))
        }
        Topic::Other => Ok(Message::Other),
    }
}

/// A text, where there is one; what is no text is as good as not there.
fn maybe<'v>(fields: Fields<'v, '_>, name: &str) -> Result<Option<&'v str>, Error> {
    Ok(field(fields, name)?.and_then(Value::text))
}
