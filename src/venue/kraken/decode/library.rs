//! The third tier: the same fields out of a library's tree, in which numbers keep their digits.

use std::borrow::Cow;
use std::ops::Range;

use super::old::{NANOS, Old, check_text};
use super::{Book, KEYS, Message, Reply, Ticker};
use crate::types::{Level, Scale};
use crate::wire::decimal::{Number, places};
use crate::wire::json::Error;
use crate::wire::json::library::{Fields, Value, field, once, text, timestamp};

type Span = Range<usize>;

/// A message whose texts are spans of the decoder's own copy.
pub(super) enum Found {
    Book {
        symbol: Span,
        book: Book<'static>,
    },
    Ticker {
        symbol: Span,
        ticker: Ticker<'static>,
    },
    Instrument,
    Status(Span),
    Heartbeat,
    Pong,
    Reply {
        method: Span,
        channel: Option<Span>,
        symbol: Option<Span>,
        error: Option<Span>,
        rest: Reply<'static>,
    },
    Other,
}

impl Found {
    /// The message, whose texts are in `texts`.
    pub fn message<'a>(self, raw: &'a [u8], texts: &'a [u8]) -> Message<'a> {
        match self {
            Found::Book { symbol, book } => Message::Book(Book { symbol: &texts[symbol], ..book }),
            Found::Ticker { symbol, ticker } => Message::Ticker(Ticker { symbol: &texts[symbol], ..ticker }),
            Found::Instrument => Message::Instrument(raw),
            Found::Status(system) => Message::Status { system: &texts[system] },
            Found::Heartbeat => Message::Heartbeat,
            Found::Pong => Message::Pong,
            Found::Reply { method, channel, symbol, error, rest } => Message::Reply(Reply {
                method: &texts[method],
                channel: channel.map(|span| &texts[span]),
                symbol: symbol.map(|span| &texts[span]),
                error: error.map(|span| &texts[span]),
                ..rest
            }),
            Found::Other => Message::Other,
        }
    }
}

/// Reads a tree; texts go to `texts`, since a tree does not outlive its reading.
pub(super) struct Reader<'r> {
    pub scale: Scale,
    pub levels: &'r mut Vec<Level>,
    pub texts: &'r mut Vec<u8>,
}

impl Reader<'_> {
    /// What a message's tree says.
    pub fn interpret(&mut self, value: &Value<'_>) -> Result<Found, Error> {
        if let Some(elements) = value.list() {
            return self.array(elements);
        }
        let Some(fields) = value.map() else { return Ok(Found::Other) };
        once(fields, &KEYS)?;
        if let Some(Value::Text(channel)) = field(fields, "channel")? {
            return match &**channel {
                "book" => self.book(fields),
                "ticker" => self.ticker(fields),
                "instrument" => Ok(Found::Instrument),
                "status" => {
                    let data = only(fields)?;
                    once(data, &["system"])?;
                    Ok(Found::Status(self.keep(text(data, "system")?)))
                }
                "heartbeat" => Ok(Found::Heartbeat),
                _ => Ok(Found::Other),
            };
        }
        if let Some(Value::Text(method)) = field(fields, "method")? {
            return if method == "pong" { Ok(Found::Pong) } else { self.reply(fields, method) };
        }
        match field(fields, "event")?.and_then(Value::text) {
            Some("heartbeat") => Ok(Found::Heartbeat),
            Some("pong") => Ok(Found::Pong),
            Some("systemStatus") => Ok(Found::Status(self.keep(text(fields, "status")?))),
            Some("subscriptionStatus") => self.subscription(fields),
            _ => Ok(Found::Other),
        }
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.texts.len();
        self.texts.extend_from_slice(text.as_bytes());
        start..self.texts.len()
    }

    fn optional(&mut self, fields: Fields<'_, '_>, key: &str) -> Result<Option<Span>, Error> {
        Ok(field(fields, key)?.and_then(Value::text).map(|text| self.keep(text)))
    }

    fn reply(&mut self, fields: Fields<'_, '_>, method: &str) -> Result<Found, Error> {
        let result = field(fields, "result")?.and_then(Value::map).unwrap_or_default();
        once(result, &["channel", "symbol"])?;
        let symbol = match self.optional(result, "symbol")? {
            Some(symbol) => Some(symbol),
            None => self.optional(fields, "symbol")?,
        };
        Ok(Found::Reply {
            method: self.keep(method),
            channel: self.optional(result, "channel")?,
            symbol,
            error: self.optional(fields, "error")?,
            rest: reply(
                field(fields, "req_id")?.and_then(Value::integer),
                matches!(field(fields, "success")?, Some(Value::Bool(true))),
            ),
        })
    }

    /// v1's answer to a subscription.
    fn subscription(&mut self, fields: Fields<'_, '_>) -> Result<Found, Error> {
        let status = text(fields, "status")?;
        Ok(Found::Reply {
            method: self.keep(if status == "unsubscribed" { "unsubscribe" } else { "subscribe" }),
            channel: self.optional(fields, "channelName")?,
            symbol: self.optional(fields, "pair")?,
            error: self.optional(fields, "errorMessage")?,
            rest: reply(field(fields, "reqid")?.and_then(Value::integer), status != "error"),
        })
    }

    fn book(&mut self, fields: Fields<'_, '_>) -> Result<Found, Error> {
        let snapshot = match field(fields, "type")?.and_then(Value::text) {
            Some("snapshot") => true,
            Some("update") => false,
            _ => return Err(Error::expected("a type of snapshot or update", 0)),
        };
        let data = only(fields)?;
        once(data, &["symbol", "bids", "asks", "checksum", "timestamp"])?;
        let checksum = field(data, "checksum")?.and_then(Value::integer).and_then(|c| u32::try_from(c).ok());
        let mut digits = (0, 0);
        let bids = side(data, "bids", self.scale, &mut digits, self.levels)?;
        let asks = side(data, "asks", self.scale, &mut digits, self.levels)?;
        Ok(Found::Book {
            symbol: self.keep(text(data, "symbol")?),
            book: Book {
                symbol: b"",
                snapshot,
                bids,
                asks,
                checksum: Some(checksum.ok_or(Error::expected("a checksum", 0))?),
                time: timestamp(data, "timestamp")?,
                price_digits: digits.0,
                qty_digits: digits.1,
            },
        })
    }

    fn ticker(&mut self, fields: Fields<'_, '_>) -> Result<Found, Error> {
        let data = only(fields)?;
        once(data, &["symbol", "bid", "bid_qty", "ask", "ask_qty", "timestamp"])?;
        let scale = self.scale;
        let level = |price, qty| -> Result<Level, Error> {
            Ok(Level::new(number(data, price, scale)?.0, number(data, qty, scale)?.0))
        };
        let (bid, ask) = (level("bid", "bid_qty")?, level("ask", "ask_qty")?);
        Ok(Found::Ticker {
            symbol: self.keep(text(data, "symbol")?),
            ticker: Ticker { symbol: b"", bid, ask, time: timestamp(data, "timestamp")? },
        })
    }

    /// v1: `[channel id, object, (object,) channel name, pair]`.
    fn array(&mut self, elements: &[Value<'_>]) -> Result<Found, Error> {
        let [Value::Integer(_), parts @ .., Value::Text(name), Value::Text(pair)] = elements else {
            return Ok(Found::Other);
        };
        if !name.starts_with("book") {
            return Ok(Found::Other);
        }
        let mut book = Old::new();
        for part in parts {
            let part = part.map().ok_or(Error::expected("an object of levels", 0))?;
            once(part, &["as", "bs", "a", "b", "c"])?;
            for (key, value) in part {
                let (side, snapshot) = match &**key {
                    "bs" => (0, true),
                    "as" => (1, true),
                    "b" => (0, false),
                    "a" => (1, false),
                    "c" => {
                        book.check(check_text(value.text().unwrap_or_default().as_bytes(), 0)?, 0)?;
                        continue;
                    }
                    _ => continue,
                };
                let start = self.levels.len() as u32;
                for level in value.list().ok_or(Error::expected("a list of levels", 0))? {
                    let [price, qty, time, ..] = level.list().unwrap_or_default() else {
                        return Err(Error::expected("a level of price, quantity and time", 0));
                    };
                    let number = |value: &Value<'_>, scale| {
                        let places = places(value.text().unwrap_or_default().as_bytes());
                        Ok(Number { value: value.text_decimal(scale)?, end: 0, places })
                    };
                    let (price, qty) = (number(price, self.scale)?, number(qty, self.scale)?);
                    book.level(price, qty, time.text_decimal(NANOS)?);
                    self.levels.push(Level::new(price.value, qty.value));
                }
                book.side(side, snapshot, start..self.levels.len() as u32, 0)?;
            }
        }
        let symbol = self.keep(pair);
        Ok(Found::Book { symbol, book: book.finish(b"")? })
    }
}

fn reply(req_id: Option<u64>, success: bool) -> Reply<'static> {
    Reply { method: b"", req_id, success, channel: None, symbol: None, error: None }
}

/// The one object in `data`.
fn only<'v, 'a>(fields: Fields<'v, 'a>) -> Result<Fields<'v, 'a>, Error> {
    match field(fields, "data")?.and_then(Value::list) {
        Some([one]) => one.map().ok_or(Error::expected("an object in data", 0)),
        _ => Err(Error::expected("one object in data", 0)),
    }
}

/// A list of levels of `price` and `qty`.
pub(in crate::venue::kraken) fn side(
    data: Fields<'_, '_>,
    key: &str,
    scale: Scale,
    digits: &mut (u8, u8),
    levels: &mut Vec<Level>,
) -> Result<Range<u32>, Error> {
    let start = levels.len();
    let list = field(data, key)?.and_then(Value::list).ok_or(Error::expected("a list of levels", 0))?;
    for level in list {
        let level = level.map().ok_or(Error::expected("a level", 0))?;
        once(level, &["price", "qty"])?;
        let (price, price_text) = number(level, "price", scale)?;
        let (qty, qty_text) = number(level, "qty", scale)?;
        digits.0 = digits.0.max(places(price_text.as_bytes()));
        digits.1 = digits.1.max(places(qty_text.as_bytes()));
        levels.push(Level::new(price, qty));
    }
    Ok(start as u32..levels.len() as u32)
}

pub(in crate::venue::kraken) fn number<'a>(
    fields: Fields<'_, 'a>,
    key: &'static str,
    scale: Scale,
) -> Result<(i64, Cow<'a, str>), Error> {
    field(fields, key)?.ok_or(Error::expected(key, 0))?.number_decimal(scale)
}
