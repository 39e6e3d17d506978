//! The third tier: the same fields out of a library's tree.

use std::borrow::Cow;

use super::{Into, Message, What};
use crate::types::{Level, Nanos, Scale, Symbol};
use crate::wire::json::Error;
use crate::wire::json::library::{Value, field};

type Fields<'v, 'a> = &'v [(Cow<'a, str>, Value<'a>)];

/// What a message's tree says.
pub(super) fn interpret(value: &Value<'_>, scale: Scale, into: &mut Into<'_>) -> Result<Message, Error> {
    let other = Message { what: What::Other, sequence: None, time: Nanos::ZERO };
    let Some(fields) = value.map() else { return Ok(other) };
    once(fields, &super::KEYS)?;
    if let Some(channel) = text(fields, "channel")? {
        let events = field(fields, "events")?;
        let message = Message {
            sequence: Some(
                field(fields, "sequence_num")?
                    .and_then(Value::integer)
                    .ok_or(Error::expected("sequence_num", 0))?,
            ),
            time: time(fields, "timestamp")?,
            ..other
        };
        let events = || events.and_then(Value::list).ok_or(Error::expected("events", 0));
        return match channel {
            "l2_data" => {
                events()?.iter().try_for_each(|event| book(event, scale, into))?;
                Ok(Message { what: What::Books, ..message })
            }
            "ticker" => {
                for event in events()? {
                    let event = event.map().ok_or(Error::expected("an event", 0))?;
                    once(event, &["tickers"])?;
                    let list = field(event, "tickers")?.and_then(Value::list);
                    for one in list.ok_or(Error::expected("tickers", 0))? {
                        let one = one.map().ok_or(Error::expected("a ticker", 0))?;
                        ticker(one, &["best_bid_quantity", "best_ask_quantity"], scale, into)?;
                    }
                }
                Ok(Message { what: What::Tickers, ..message })
            }
            "heartbeats" => Ok(Message { what: What::Heartbeat(Symbol::EMPTY), ..message }),
            _ => Ok(message),
        };
    }
    match text(fields, "type")? {
        Some("snapshot") => {
            let product = product(fields)?;
            let start = into.begin();
            for (key, bid) in [("bids", true), ("asks", false)] {
                let list = field(fields, key)?.and_then(Value::list);
                for level in list.ok_or(Error::expected("a list of levels", 0))? {
                    let [price, qty, ..] = level.list().unwrap_or_default() else {
                        return Err(Error::expected("a level of price and quantity", 0));
                    };
                    into.level(bid, Level::new(price.text_decimal(scale)?, qty.text_decimal(scale)?));
                }
            }
            into.end(product, true, start);
            Ok(Message { what: What::Books, time: time(fields, "time")?, ..other })
        }
        Some("l2update") => {
            let product = product(fields)?;
            let start = into.begin();
            let list = field(fields, "changes")?.and_then(Value::list);
            for change in list.ok_or(Error::expected("a list of changes", 0))? {
                let [side, price, qty] = change.list().unwrap_or_default() else {
                    return Err(Error::expected("a change of side, price and quantity", 0));
                };
                let bid = match side.text() {
                    Some("buy") => true,
                    Some("sell") => false,
                    _ => return Err(Error::expected("buy or sell", 0)),
                };
                into.level(bid, Level::new(price.text_decimal(scale)?, qty.text_decimal(scale)?));
            }
            into.end(product, false, start);
            Ok(Message { what: What::Books, time: time(fields, "time")?, ..other })
        }
        Some("ticker") => {
            ticker(fields, &["best_bid_size", "best_ask_size"], scale, into)?;
            Ok(Message { what: What::Tickers, time: time(fields, "time")?, ..other })
        }
        Some("heartbeat") => {
            let what = What::Heartbeat(product(fields)?);
            Ok(Message { what, time: time(fields, "time")?, ..other })
        }
        Some("error") => Ok(Message { what: What::Error, ..other }),
        _ => Ok(other),
    }
}

/// An event of Advanced Trade's book channel.
fn book(event: &Value<'_>, scale: Scale, into: &mut Into<'_>) -> Result<(), Error> {
    let event = event.map().ok_or(Error::expected("an event", 0))?;
    once(event, &["type", "product_id", "updates"])?;
    let snapshot = match text(event, "type")? {
        Some("snapshot") => true,
        Some("update") => false,
        _ => return Err(Error::expected("a type of snapshot or update", 0)),
    };
    let product = product(event)?;
    let start = into.begin();
    let list = field(event, "updates")?.and_then(Value::list);
    for update in list.ok_or(Error::expected("a list of updates", 0))? {
        let update = update.map().ok_or(Error::expected("an update", 0))?;
        once(update, &["side", "price_level", "new_quantity"])?;
        let bid = match text(update, "side")? {
            Some("bid") => true,
            Some("offer") => false,
            _ => return Err(Error::expected("bid or offer", 0)),
        };
        let decimal = |key| {
            field(update, key)?
                .ok_or(Error::expected("a level of price and quantity", 0))?
                .text_decimal(scale)
        };
        into.level(bid, Level::new(decimal("price_level")?, decimal("new_quantity")?));
    }
    into.end(product, snapshot, start);
    Ok(())
}

/// A ticker of either product; old ones tell no quantities, and so no levels.
fn ticker(fields: Fields<'_, '_>, qtys: &[&str; 2], scale: Scale, into: &mut Into<'_>) -> Result<(), Error> {
    once(fields, &["product_id", "best_bid", "best_ask", qtys[0], qtys[1]])?;
    let product = product(fields)?;
    let start = into.begin();
    for (price, qty, bid) in [("best_bid", qtys[0], true), ("best_ask", qtys[1], false)] {
        let decimal = |key: &str| field(fields, key)?.map(|value| value.text_decimal(scale)).transpose();
        if let (Some(price), Some(qty)) = (decimal(price)?, decimal(qty)?)
            && price > 0
        {
            into.level(bid, Level::new(price, qty));
        }
    }
    into.end(product, false, start);
    Ok(())
}

fn product(fields: Fields<'_, '_>) -> Result<Symbol, Error> {
    let name = text(fields, "product_id")?.ok_or(Error::expected("product_id", 0))?;
    Ok(Symbol::new(name).unwrap_or(Symbol::EMPTY))
}

fn once(fields: Fields<'_, '_>, keys: &[&str]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| field(fields, key).map(|_| ()))
}

fn text<'v>(fields: Fields<'v, '_>, key: &str) -> Result<Option<&'v str>, Error> {
    Ok(field(fields, key)?.and_then(Value::text))
}

fn time(fields: Fields<'_, '_>, key: &str) -> Result<Nanos, Error> {
    match field(fields, key)? {
        None => Ok(Nanos::ZERO),
        Some(Value::Text(text)) => {
            Nanos::parse_rfc3339(text.as_bytes()).map_err(|_| Error::expected("a time", 0))
        }
        Some(_) => Err(Error::expected("a time", 0)),
    }
}
