//! Kraken's market data messages: v2 objects and v1 arrays.
//!
//! v2 says what a message is by `channel` (data), `method` (answers); its prices and quantities are
//! JSON numbers whose digits count, because the book's checksum is taken over them. v1 says it by
//! `event`, or, in an array, by the channel's name near the end; its decimals are strings.

use std::ops::Range;

use crate::types::{Level, Nanos, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::Padded;
use crate::wire::json::library::{self, Value, decimal, field};
use crate::wire::json::{Error, Tier};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// A book's snapshot, or levels that changed.
    Book(Book<'a>),
    /// Best bid and ask (v2).
    Ticker(Ticker<'a>),
    /// A message of the `instrument` channel, as it came.
    Instrument(&'a [u8]),
    /// The venue's state.
    Status {
        /// `online`, `maintenance`, `cancel_only` or `post_only`.
        system: &'a [u8],
    },
    /// A sign of life.
    Heartbeat,
    /// The answer to a ping.
    Pong,
    /// The answer to a request.
    Reply(Reply<'a>),
    /// Anything else that is well-formed.
    Other,
}

/// A book's snapshot, or levels that changed, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book<'a> {
    /// The venue's symbol (`BTC/USD`; in v1 `XBT/USD`).
    pub symbol: &'a [u8],
    /// The whole book, not a change.
    pub snapshot: bool,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
    /// The checksum of the book after it; always there in v2, in updates only in v1.
    pub checksum: Option<u32>,
    /// Time of the update: v2's `timestamp`, v1's newest level. Zero where there is none.
    pub time: Nanos,
    /// The most decimals that a price here was written with. v1 writes all it has; v2 may leave
    /// trailing zeros off.
    pub price_digits: u8,
    /// The most decimals that a quantity here was written with.
    pub qty_digits: u8,
}

/// Best bid and ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Time of it; zero where there is none.
    pub time: Nanos,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// v2's `method`; in v1 `subscribe` or `unsubscribe`.
    pub method: &'a [u8],
    /// The request's id.
    pub req_id: Option<u64>,
    /// It was granted.
    pub success: bool,
    /// The channel it was about.
    pub channel: Option<&'a [u8]>,
    /// The symbol it was about.
    pub symbol: Option<&'a [u8]>,
    /// Why it was refused.
    pub error: Option<&'a [u8]>,
}

/// Reads messages whose decimals are of one scale.
#[derive(Debug)]
pub struct Decoder {
    scale: Scale,
    used: TierUse,
    texts: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder { scale, used: TierUse::default(), texts: Vec::new() }
    }

    /// Reads a message; its levels are appended to `levels`, which is left as it was on an error
    /// and for messages without levels.
    ///
    /// # Errors
    /// [`FeedError`] when the message is not JSON, not what the venue documents, or has a decimal
    /// that the scale cannot hold.
    pub fn decode<'a>(
        &'a mut self,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, FeedError> {
        self.used.library += 1;
        Ok(self.by_library(text.message(), levels)?)
    }

    /// [`Decoder::decode`] by one tier alone; `None` when the tier does not take the message.
    #[doc(hidden)]
    pub fn decode_with<'a>(
        &'a mut self,
        tier: Tier,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Option<Result<Message<'a>, FeedError>> {
        match tier {
            Tier::Library => Some(self.by_library(text.message(), levels).map_err(FeedError::from)),
            _ => None,
        }
    }

    /// How many messages each tier took.
    pub fn tiers(&self) -> TierUse {
        self.used
    }

    fn by_library<'a>(&'a mut self, text: &'a [u8], levels: &mut Vec<Level>) -> Result<Message<'a>, Error> {
        let start = levels.len();
        let value = library::exact(text)?;
        self.texts.clear();
        let mut reader = Reader { scale: self.scale, levels, texts: &mut self.texts };
        match reader.interpret(&value) {
            Ok(found) => Ok(found.message(text, &self.texts)),
            Err(error) => {
                levels.truncate(start);
                Err(error)
            }
        }
    }
}

type Fields<'v, 'a> = &'v [(std::borrow::Cow<'a, str>, Value<'a>)];
type Span = Range<usize>;

/// A message whose texts are spans of the decoder's own copy.
enum Found {
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
    fn message<'a>(self, raw: &'a [u8], texts: &'a [u8]) -> Message<'a> {
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

/// Every field that is read of a message's outermost object.
const KEYS: [&str; 15] = [
    "channel",
    "type",
    "data",
    "method",
    "req_id",
    "success",
    "result",
    "error",
    "symbol",
    "event",
    "status",
    "pair",
    "reqid",
    "errorMessage",
    "channelName",
];

struct Reader<'r> {
    scale: Scale,
    levels: &'r mut Vec<Level>,
    texts: &'r mut Vec<u8>,
}

impl Reader<'_> {
    fn interpret(&mut self, value: &Value<'_>) -> Result<Found, Error> {
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
                    Ok(Found::Status(self.keep(required(data, "system")?)))
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
            Some("systemStatus") => Ok(Found::Status(self.keep(required(fields, "status")?))),
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
        let status = required(fields, "status")?;
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
        let bids = self.side(data, "bids", &mut digits)?;
        let asks = self.side(data, "asks", &mut digits)?;
        Ok(Found::Book {
            symbol: self.keep(required(data, "symbol")?),
            book: Book {
                symbol: b"",
                snapshot,
                bids,
                asks,
                checksum: Some(checksum.ok_or(Error::expected("a checksum", 0))?),
                time: timestamp(data)?,
                price_digits: digits.0,
                qty_digits: digits.1,
            },
        })
    }

    fn side(&mut self, data: Fields<'_, '_>, key: &str, digits: &mut (u8, u8)) -> Result<Range<u32>, Error> {
        let start = self.levels.len();
        let list = field(data, key)?.and_then(Value::list).ok_or(Error::expected("a list of levels", 0))?;
        for level in list {
            let level = level.map().ok_or(Error::expected("a level", 0))?;
            once(level, &["price", "qty"])?;
            let (price, price_text) = number(level, "price", self.scale)?;
            let (qty, qty_text) = number(level, "qty", self.scale)?;
            digits.0 = digits.0.max(places(price_text.as_bytes()));
            digits.1 = digits.1.max(places(qty_text.as_bytes()));
            self.levels.push(Level::new(price, qty));
        }
        Ok(start as u32..self.levels.len() as u32)
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
            symbol: self.keep(required(data, "symbol")?),
            ticker: Ticker { symbol: b"", bid, ask, time: timestamp(data)? },
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
        let mut sides = [None, None];
        let (mut whole, mut checksum, mut newest) = (None, None, Nanos::ZERO);
        let mut digits = (0, 0);
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
                        if checksum.is_some() {
                            return Err(Error::expected("one checksum", 0));
                        }
                        checksum = Some(check_text(value.text().unwrap_or_default().as_bytes(), 0)?);
                        continue;
                    }
                    _ => continue,
                };
                if whole.is_some_and(|whole| whole != snapshot) || sides[side].is_some() {
                    return Err(Error::expected("each side once, all snapshot or all update", 0));
                }
                whole = Some(snapshot);
                let start = self.levels.len() as u32;
                for level in value.list().ok_or(Error::expected("a list of levels", 0))? {
                    let [price, qty, time, ..] = level.list().unwrap_or_default() else {
                        return Err(Error::expected("a level of price, quantity and time", 0));
                    };
                    let (Value::Text(p), Value::Text(q), Value::Text(t)) = (price, qty, time) else {
                        return Err(Error::expected("a decimal in a string", 0));
                    };
                    self.levels
                        .push(Level::new(price.text_decimal(self.scale)?, qty.text_decimal(self.scale)?));
                    digits.0 = digits.0.max(places(p.as_bytes()));
                    digits.1 = digits.1.max(places(q.as_bytes()));
                    newest = newest.max(Nanos(decimal(t.as_bytes(), 0, NANOS)?));
                }
                sides[side] = Some(start..self.levels.len() as u32);
            }
        }
        let Some(snapshot) = whole else { return Err(Error::expected("levels", 0)) };
        let [bids, asks] = sides.map(|side| side.unwrap_or(0..0));
        Ok(Found::Book {
            symbol: self.keep(pair),
            book: Book {
                symbol: b"",
                snapshot,
                bids,
                asks,
                checksum,
                time: newest,
                price_digits: digits.0,
                qty_digits: digits.1,
            },
        })
    }
}

/// Seconds as decimals are nanoseconds at this scale.
const NANOS: Scale = Scale::new(9).unwrap();

fn reply(req_id: Option<u64>, success: bool) -> Reply<'static> {
    Reply { method: b"", req_id, success, channel: None, symbol: None, error: None }
}

fn once(fields: Fields<'_, '_>, keys: &[&str]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| field(fields, key).map(|_| ()))
}

fn required<'v>(fields: Fields<'v, '_>, key: &'static str) -> Result<&'v str, Error> {
    field(fields, key)?.and_then(Value::text).ok_or(Error::expected(key, 0))
}

/// The one object in `data`.
fn only<'v, 'a>(fields: Fields<'v, 'a>) -> Result<Fields<'v, 'a>, Error> {
    match field(fields, "data")?.and_then(Value::list) {
        Some([one]) => one.map().ok_or(Error::expected("an object in data", 0)),
        _ => Err(Error::expected("one object in data", 0)),
    }
}

fn number<'a>(
    fields: Fields<'_, 'a>,
    key: &'static str,
    scale: Scale,
) -> Result<(i64, std::borrow::Cow<'a, str>), Error> {
    field(fields, key)?.ok_or(Error::expected(key, 0))?.number_decimal(scale)
}

fn timestamp(fields: Fields<'_, '_>) -> Result<Nanos, Error> {
    match field(fields, "timestamp")? {
        None => Ok(Nanos::ZERO),
        Some(Value::Text(text)) => {
            Nanos::parse_rfc3339(text.as_bytes()).map_err(|_| Error::expected("a time", 0))
        }
        Some(_) => Err(Error::expected("a time", 0)),
    }
}

/// v1's checksum: an unsigned integer in a string.
fn check_text(text: &[u8], at: usize) -> Result<u32, Error> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    value.ok_or(Error::expected("a checksum", at))
}

/// Decimals that a number is written with: `1.50` has 2, `1.5e-7` has 8.
fn places(text: &[u8]) -> u8 {
    let exponent_at = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
    let fraction = text[..exponent_at].iter().rev().position(|&b| b == b'.').unwrap_or(0) as i64;
    let exponent = text.get(exponent_at + 1..).and_then(|e| std::str::from_utf8(e).ok()?.parse::<i64>().ok());
    (fraction - exponent.unwrap_or(0)).clamp(0, 255) as u8
}
