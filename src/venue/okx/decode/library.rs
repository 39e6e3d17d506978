//! The third tier: the same fields out of a library's tree.

use super::{ARG, Book, Channel, Event, INNER, Message, OUTER, Ticker, is_snapshot, millis, missing};
use crate::types::{Level, Scale};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, levels as side, once};

/// What a message's tree says; its texts go to `texts`, one behind the other.
pub(super) fn interpret<'a>(
    value: &Value<'_>,
    scale: Scale,
    levels: &mut Vec<Level>,
    texts: &'a mut Vec<u8>,
) -> Result<Message<'a>, Error> {
    let Some(outer) = value.map() else { return Ok(Message::Other) };
    once(outer, &OUTER)?;
    let arg = field(outer, "arg")?.and_then(Value::map).unwrap_or_default();
    once(arg, &ARG)?;
    let list = field(outer, "data")?.and_then(Value::list).unwrap_or_default();
    let first = list.first().and_then(Value::map);
    if let Some(first) = first {
        once(first, &INNER)?;
    }
    let single = first.filter(|_| list.len() == 1);
    let (channel, symbol) = (maybe(arg, "channel")?, maybe(arg, "instId")?);
    texts.clear();
    if let Some(event) = maybe(outer, "event")? {
        let parts = [Some(event), maybe(outer, "id")?, channel, symbol];
        for part in parts.iter().flatten() {
            texts.extend_from_slice(part.as_bytes());
        }
        let mut rest: &[u8] = texts;
        let [event, id, channel, symbol] = parts.map(|part| {
            let (text, behind) = rest.split_at(part?.len());
            rest = behind;
            Some(text)
        });
        return Ok(Message::Event(Event { event: event.unwrap_or_default(), id, channel, symbol }));
    }
    let Some(name) = channel else { return Ok(Message::Other) };
    if name == "tickers" {
        let symbol = symbol.ok_or(missing("instId"))?;
        let data = single.ok_or(missing("one object in data"))?;
        let mut best = [0; 4];
        for (best, key) in best.iter_mut().zip(["bidPx", "bidSz", "askPx", "askSz"]) {
            let value = field(data, key)?.ok_or(missing("a price or quantity"))?;
            if value.text() != Some("") {
                *best = value.text_decimal(scale)?;
            }
        }
        let time_ms = millis(maybe(data, "ts")?.ok_or(missing("ts"))?.as_bytes())?;
        texts.extend_from_slice(symbol.as_bytes());
        let (bid, ask) = (Level::new(best[0], best[1]), Level::new(best[2], best[3]));
        return Ok(Message::Ticker(Ticker { symbol: texts, bid, ask, time_ms }));
    }
    let Some(channel) = Channel::of(name.as_bytes()) else { return Ok(Message::Other) };
    let snapshot = is_snapshot(channel, maybe(outer, "action")?.map(str::as_bytes))?;
    let data = single.ok_or(missing("one object in data"))?;
    texts.extend_from_slice(symbol.ok_or(missing("instId"))?.as_bytes());
    Ok(Message::Book(Book {
        channel,
        symbol: texts,
        snapshot,
        seq: signed(data, "seqId")?,
        prev: signed(data, "prevSeqId")?,
        checksum: signed(data, "checksum")?,
        time_ms: millis(maybe(data, "ts")?.ok_or(missing("ts"))?.as_bytes())?,
        asks: side(data, "asks", scale, levels)?,
        bids: side(data, "bids", scale, levels)?,
    }))
}

/// A text, where there is one; what is no text is as good as not there.
fn maybe<'v>(fields: Fields<'v, '_>, name: &str) -> Result<Option<&'v str>, Error> {
    Ok(field(fields, name)?.and_then(Value::text))
}

/// A plain integer with a sign, if it is there.
fn signed(fields: Fields<'_, '_>, name: &str) -> Result<Option<i64>, Error> {
    let refused = || Error::expected("a plain integer", 0);
    match field(fields, name)? {
        None => Ok(None),
        Some(Value::Integer(value)) => i64::try_from(*value).map(Some).map_err(|_| refused()),
        Some(Value::Number(text)) => {
            let digits = text.strip_prefix('-').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            let value = digits.and_then(|digits| digits.parse::<i64>().ok()).filter(|value| *value > 0);
            value.map(|value| Some(-value)).ok_or_else(refused)
        }
        Some(_) => Err(refused()),
    }
}
