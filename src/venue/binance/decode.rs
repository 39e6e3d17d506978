//! Binance's market data messages: spot, USD-M and COIN-M, bare or in the combined stream's wrapper.
//!
//! What a message is, is told by its event type `e`; spot's `bookTicker` has none and is known by
//! its six fields. Prices and quantities are decimals in strings. A message of a channel that
//! carries no book is [`Message::Other`], but must still be well-formed.

use std::ops::Range;

use crate::types::{Level, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::Padded;
use crate::wire::json::library::{self, Value, field};
use crate::wire::json::{Error, Tier};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// `depthUpdate`: levels that changed.
    Depth(Depth<'a>),
    /// `bookTicker`: best bid and ask.
    Ticker(Ticker<'a>),
    /// The server is about to close the connection.
    Shutdown,
    /// The answer to a request.
    Reply {
        /// The request's id, where it is a number.
        id: Option<u64>,
        /// The request was refused.
        error: bool,
    },
    /// Anything else that is well-formed.
    Other,
}

/// Levels that changed, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depth<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// First update id in it.
    pub first: u64,
    /// Last update id in it.
    pub last: u64,
    /// Last update id of the message before (futures only).
    pub prev: Option<u64>,
    /// Event time as sent: ms, or µs where the stream was asked for them.
    pub event_ms: i64,
    /// Transaction time as sent (futures only; else 0).
    pub transaction_ms: i64,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Best bid and ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Update id, of the same count as depth's.
    pub update_id: u64,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Event time as sent; 0 where there is none (spot).
    pub event_ms: i64,
}

/// A whole book, answered over REST.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The update id that the book stands at.
    pub last_update_id: u64,
    /// Event time in ms (futures only; else 0).
    pub event_ms: i64,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Reads messages whose decimals are of one scale.
#[derive(Debug)]
pub struct Decoder {
    scale: Scale,
    used: TierUse,
    scratch: library::Scratch,
    symbol: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder { scale, used: TierUse::default(), scratch: library::Scratch::default(), symbol: Vec::new() }
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
        let value = library::strings(text, &mut self.scratch)?;
        interpret(&value, self.scale, levels, &mut self.symbol).inspect_err(|_| levels.truncate(start))
    }
}

/// Reads a REST depth answer; its levels are appended to `levels`, which is left as it was on an
/// error.
///
/// # Errors
/// [`FeedError`] as for [`Decoder::decode`].
pub fn snapshot(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, FeedError> {
    let start = levels.len();
    Ok(snapshot_by_library(body, scale, levels).inspect_err(|_| levels.truncate(start))?)
}

type Fields<'v, 'a> = &'v [(std::borrow::Cow<'a, str>, Value<'a>)];

/// Every field that is read of a message or of its wrapper.
const KEYS: [&str; 16] =
    ["e", "E", "T", "s", "U", "u", "pu", "b", "B", "a", "A", "stream", "data", "id", "result", "error"];

fn interpret<'a>(
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

#[cold]
fn missing(what: &'static str) -> Error {
    Error::expected(what, 0)
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

fn snapshot_by_library(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, Error> {
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
