//! Binance's market data messages: spot, USD-M and COIN-M, bare or in the combined stream's wrapper.
//!
//! What a message is, is told by its event type `e`; spot's `bookTicker` has none and is known by
//! its six fields. Prices and quantities are decimals in strings. A message of a channel that
//! carries no book is [`Message::Other`], but must still be well-formed.

use std::ops::Range;

use crate::types::{Level, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::json::kernel::{Isa, Job, Kernel, is};
use crate::wire::json::library::{self, Value, field};
use crate::wire::json::scan::{self, Scanner};
use crate::wire::json::{Error, Tier};
use crate::wire::{Padded, PaddedBuf, decimal};

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
    isa: Isa,
    used: TierUse,
    scratch: library::Scratch,
    symbol: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder::with_isa(Isa::detect(scale))
    }

    /// A decoder by a given instruction set.
    #[doc(hidden)]
    pub fn with_isa(isa: Isa) -> Decoder {
        Decoder { isa, used: TierUse::default(), scratch: library::Scratch::default(), symbol: Vec::new() }
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
        let start = levels.len();
        if let Some(message) = self.isa.run(Template { text, levels }) {
            self.used.template += 1;
            return Ok(message);
        }
        levels.truncate(start);
        let refusal = match self.isa.run(Scan { text, levels }) {
            Ok(message) => {
                self.used.scanner += 1;
                return Ok(message);
            }
            Err(refusal) => refusal,
        };
        levels.truncate(start);
        self.used.library += 1;
        // The scanner's refusal tells where; the library's counts only where the scanner gave up.
        let judged = self.by_library(text.message(), levels);
        judged.map_err(|error| if scan::gave_up(&refusal) { error } else { refusal }.into())
    }

    /// [`Decoder::decode`] by one tier alone; `None` when the tier leaves the message to the next.
    #[doc(hidden)]
    pub fn decode_with<'a>(
        &'a mut self,
        tier: Tier,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Option<Result<Message<'a>, FeedError>> {
        let start = levels.len();
        match tier {
            Tier::Template => {
                let taken = self.isa.run(Template { text, levels });
                if taken.is_none() {
                    levels.truncate(start);
                }
                taken.map(Ok)
            }
            Tier::Scanner => match self.isa.run(Scan { text, levels }) {
                Err(error) => {
                    levels.truncate(start);
                    (!scan::gave_up(&error)).then(|| Err(error.into()))
                }
                Ok(message) => Some(Ok(message)),
            },
            Tier::Library => Some(self.by_library(text.message(), levels).map_err(FeedError::from)),
        }
    }

    /// How many messages each tier took.
    pub fn tiers(&self) -> TierUse {
        self.used
    }

    fn by_library<'a>(&'a mut self, text: &'a [u8], levels: &mut Vec<Level>) -> Result<Message<'a>, Error> {
        let start = levels.len();
        let value = library::strings(text, &mut self.scratch)?;
        interpret(&value, self.isa.scale(), levels, &mut self.symbol).inspect_err(|_| levels.truncate(start))
    }
}

/// Reads a REST depth answer; its levels are appended to `levels`, which is left as it was on an
/// error.
///
/// # Errors
/// [`FeedError`] as for [`Decoder::decode`].
pub fn snapshot(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, FeedError> {
    let start = levels.len();
    let mut padded = PaddedBuf::with_capacity(body.len());
    let refusal = match Isa::detect(scale).run(ScanSnapshot { text: padded.fill(body), levels }) {
        Ok(snapshot) => return Ok(snapshot),
        Err(refusal) => refusal,
    };
    levels.truncate(start);
    let judged = snapshot_by_library(body, scale, levels);
    judged.map_err(|error| {
        levels.truncate(start);
        if scan::gave_up(&refusal) { error } else { refusal }.into()
    })
}

/// The first tier: the spellings that the venue's servers use.
struct Template<'a, 'l> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
}

impl<'a> Job for Template<'a, '_> {
    type Out = Option<Message<'a>>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Option<Message<'a>> {
        let text = self.text;
        let template = Spelling { text, kernel };
        let wrapped = is(text, 0, b"{\"stream\":\"");
        let mut at = 0;
        if wrapped {
            at = template.string(11)?.1;
            at = template.literal(at, b",\"data\":")?;
        }
        let (message, end) = if is(text, at, b"{\"e\":\"depthUpdate\",\"E\":") {
            template.depth(at + 23, self.levels)?
        } else {
            template.ticker(at)?
        };
        let end = if wrapped { template.literal(end, b"}")? } else { end };
        (end == text.len()).then_some(message)
    }
}

#[derive(Clone, Copy)]
struct Spelling<'a, K> {
    text: Padded<'a>,
    kernel: K,
}

impl<'a, K: Kernel> Spelling<'a, K> {
    /// The offset behind a literal.
    #[inline(always)]
    fn literal<const N: usize>(self, at: usize, literal: &[u8; N]) -> Option<usize> {
        is(self.text, at, literal).then_some(at + N)
    }

    /// The string whose first byte is at `at`, and the offset behind its quote.
    #[inline(always)]
    fn string(self, at: usize) -> Option<(&'a [u8], usize)> {
        let end = self.kernel.string_end(self.text, at)?;
        let bytes = self.text.message().get(at..end.quote)?;
        if !end.ascii && std::str::from_utf8(bytes).is_err() {
            return None;
        }
        Some((bytes, end.quote + 1))
    }

    #[inline(always)]
    fn time(self, at: usize) -> Option<(i64, usize)> {
        let (time, end) = self.kernel.integer(self.text, at)?;
        Some((i64::try_from(time).ok()?, end))
    }

    /// From the event time on.
    #[inline(always)]
    fn depth(self, at: usize, levels: &mut Vec<Level>) -> Option<(Message<'a>, usize)> {
        let text = self.text;
        let (event_ms, mut at) = self.time(at)?;
        let mut transaction_ms = 0;
        if let Some(behind) = self.literal(at, b",\"T\":") {
            (transaction_ms, at) = self.time(behind)?;
        }
        let (symbol, mut at) = self.string(self.literal(at, b",\"s\":\"")?)?;
        if let Some(behind) = self.literal(at, b",\"ps\":\"") {
            at = self.string(behind)?.1;
        }
        let (first, at) = self.kernel.integer(text, self.literal(at, b",\"U\":")?)?;
        let (last, mut at) = self.kernel.integer(text, self.literal(at, b",\"u\":")?)?;
        let mut prev = None;
        if let Some(behind) = self.literal(at, b",\"pu\":") {
            let (id, end) = self.kernel.integer(text, behind)?;
            (prev, at) = (Some(id), end);
        }
        let (bids, at) = self.levels(self.literal(at, b",\"b\":[")?, levels)?;
        let (asks, at) = self.levels(self.literal(at, b",\"a\":[")?, levels)?;
        let end = self.literal(at, b"}")?;
        Some((Message::Depth(Depth { symbol, first, last, prev, event_ms, transaction_ms, bids, asks }), end))
    }

    /// Levels, from behind the list's bracket.
    #[inline(always)]
    fn levels(self, at: usize, levels: &mut Vec<Level>) -> Option<(Range<u32>, usize)> {
        let text = self.text;
        let start = levels.len() as u32;
        if let Some(end) = self.literal(at, b"]") {
            return Some((start..start, end));
        }
        let mut at = self.literal(at, b"[\"")?;
        loop {
            let end = match self.kernel.pair(text, at, b"\",\"", false) {
                Some([price, qty]) if is(text, qty.end, b"\"],[\"") => {
                    levels.push(Level::new(price.value, qty.value));
                    at = qty.end + 5;
                    continue;
                }
                Some([price, qty]) if is(text, qty.end, b"\"]]") => {
                    levels.push(Level::new(price.value, qty.value));
                    return Some((start..levels.len() as u32, qty.end + 3));
                }
                _ => {
                    let pair = decimal::any_pair(text, at, b"\",\"", false, self.kernel.scale())?;
                    levels.push(Level::new(pair[0].value, pair[1].value));
                    pair[1].end
                }
            };
            match self.literal(end, b"\"],[\"") {
                Some(behind) => at = behind,
                None => return Some((start..levels.len() as u32, self.literal(end, b"\"]]")?)),
            }
        }
    }

    #[inline(always)]
    fn ticker(self, at: usize) -> Option<(Message<'a>, usize)> {
        let text = self.text;
        let (update_id, at) = if let Some(behind) = self.literal(at, b"{\"u\":") {
            let (id, end) = self.kernel.integer(text, behind)?;
            (id, self.literal(end, b",\"e\":\"bookTicker\"").unwrap_or(end))
        } else {
            self.kernel.integer(text, self.literal(at, b"{\"e\":\"bookTicker\",\"u\":")?)?
        };
        let (symbol, mut at) = self.string(self.literal(at, b",\"s\":\"")?)?;
        if let Some(behind) = self.literal(at, b",\"ps\":\"") {
            at = self.string(behind)?.1;
        }
        let (bid, at) = self.level(self.literal(at, b",\"b\":\"")?, b"\",\"B\":\"")?;
        let (ask, mut at) = self.level(self.literal(at, b",\"a\":\"")?, b"\",\"A\":\"")?;
        let mut event_ms = 0;
        if let Some(behind) = self.literal(at, b",\"T\":") {
            let end = self.time(behind)?.1;
            (event_ms, at) = self.time(self.literal(end, b",\"E\":")?)?;
        }
        let end = self.literal(at, b"}")?;
        Some((Message::Ticker(Ticker { symbol, update_id, bid, ask, event_ms }), end))
    }

    /// A level of the ticker, and the offset behind its closing quote.
    #[inline(always)]
    fn level(self, at: usize, gap: &[u8; 7]) -> Option<(Level, usize)> {
        let (text, kernel) = (self.text, self.kernel);
        let pair = match kernel.pair(text, at, gap, false) {
            Some(pair) if is(text, pair[1].end, b"\"") => pair,
            _ => decimal::any_pair(text, at, gap, false, kernel.scale())
                .filter(|p| is(text, p[1].end, b"\""))?,
        };
        Some((Level::new(pair[0].value, pair[1].value), pair[1].end + 1))
    }
}

/// The second tier: the same fields in any spelling.
struct Scan<'a, 'l> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
}

/// Where the fields' values are.
struct Slots {
    seen: u32,
    spans: [(usize, usize); KEYS.len()],
    bids: Result<Range<u32>, Error>,
    asks: Result<Range<u32>, Error>,
}

impl Slots {
    #[inline(always)]
    fn new() -> Slots {
        let none = Err(missing("a list of levels"));
        Slots { seen: 0, spans: [(0, 0); KEYS.len()], bids: none.clone(), asks: none }
    }

    #[inline(always)]
    fn get(&self, key: usize) -> Option<(usize, usize)> {
        (self.seen >> key & 1 == 1).then(|| self.spans[key])
    }

    /// Takes in a field of whatever type; lists of levels are read as they come by.
    #[inline(always)]
    fn take<'a, K: Kernel>(
        &mut self,
        scan: &mut Scanner<'a, K>,
        key: Option<usize>,
        at: usize,
        depth: usize,
        levels: &mut Vec<Level>,
    ) -> Result<usize, Error> {
        let Some(key) = key else { return scan.skip(at, depth) };
        self.mark(key, at)?;
        let end = if (key == BIDS || key == ASKS) && scan.byte(at) == b'[' {
            let start = levels.len();
            let read = scan_levels(scan, at, depth, levels);
            let (range, end) = match read {
                Ok(end) => (Ok(start as u32..levels.len() as u32), end),
                // Another event's list, or a fault in this one: which, the event type will tell.
                Err(error) => {
                    levels.truncate(start);
                    (Err(error), scan.skip(at, depth)?)
                }
            };
            *(if key == BIDS { &mut self.bids } else { &mut self.asks }) = range;
            end
        } else {
            scan.skip(at, depth)?
        };
        self.spans[key] = (at, end);
        Ok(end)
    }

    #[inline(always)]
    fn mark(&mut self, key: usize, at: usize) -> Result<(), Error> {
        if self.seen >> key & 1 == 1 {
            return Err(Error::expected("each field only once", at));
        }
        self.seen |= 1 << key;
        Ok(())
    }

    #[inline(always)]
    fn text<'a, K: Kernel>(&self, scan: &Scanner<'a, K>, key: usize) -> Option<&'a [u8]> {
        let (at, end) = self.get(key)?;
        (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, end - 1))
    }

    #[inline(always)]
    fn integer<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<u64>, Error> {
        self.get(key).map(|(at, _)| scan.integer(at).map(|(value, _)| value)).transpose()
    }

    #[inline(always)]
    fn time<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<i64>, Error> {
        let time = self.integer(scan, key)?;
        time.map(|ms| i64::try_from(ms).map_err(|_| Error::expected("a time", self.spans[key].0))).transpose()
    }

    #[inline(always)]
    fn decimal<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<i64, Error> {
        let (at, _) = self.get(key).ok_or(missing("a price or quantity"))?;
        Ok(scan.text_decimal(at)?.value)
    }
}

impl<'a> Job for Scan<'a, '_> {
    type Out = Result<Message<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Message<'a>, Error> {
        let Scan { text, levels } = self;
        let start = levels.len();
        let mut scan = Scanner::new(text, kernel);
        let (mut outer, mut inner) = (Slots::new(), Slots::new());
        let at = scan.space(0);
        if scan.byte(at) != b'{' {
            let end = scan.skip(at, 0)?;
            return scan.finish(end).map(|()| Message::Other);
        }
        let mut walk = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut walk)? {
            let key = key_index(key);
            if key == Some(DATA) && scan.byte(at) == b'{' {
                outer.mark(DATA, at)?;
                let mut data = scan.object(at)?;
                while let Some((key, at)) = scan.field(&mut data)? {
                    data.at = inner.take(&mut scan, key_index(key), at, 2, levels)?;
                }
                outer.spans[DATA] = (at, data.at);
                walk.at = data.at;
            } else {
                walk.at = outer.take(&mut scan, key, at, 1, levels)?;
            }
        }
        scan.finish(walk.at)?;
        let wrapped = outer.text(&scan, STREAM).is_some() && outer.get(DATA).is_some();
        let slots = if !wrapped {
            &outer
        } else if scan.byte(outer.spans[DATA].0) == b'{' {
            &inner
        } else {
            levels.truncate(start);
            return Ok(Message::Other);
        };
        let message = classify(&mut scan, slots, wrapped)?;
        if !matches!(message, Message::Depth(_)) {
            levels.truncate(start);
        }
        Ok(message)
    }
}

#[inline(always)]
fn classify<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    slots: &Slots,
    wrapped: bool,
) -> Result<Message<'a>, Error> {
    let spot_ticker = TICKER.iter().all(|&key| slots.get(key).is_some());
    match slots.text(scan, EVENT) {
        Some(b"depthUpdate") => Ok(Message::Depth(Depth {
            symbol: slots.text(scan, SYMBOL).ok_or(missing("s"))?,
            first: slots.integer(scan, FIRST)?.ok_or(missing("U"))?,
            last: slots.integer(scan, LAST)?.ok_or(missing("u"))?,
            prev: slots.integer(scan, PREV)?,
            event_ms: slots.time(scan, EVENT_TIME)?.ok_or(missing("E"))?,
            transaction_ms: slots.time(scan, TRANSACTION_TIME)?.unwrap_or(0),
            bids: slots.bids.clone()?,
            asks: slots.asks.clone()?,
        })),
        Some(b"serverShutdown") => Ok(Message::Shutdown),
        event if event == Some(b"bookTicker") || (slots.get(EVENT).is_none() && spot_ticker) => {
            Ok(Message::Ticker(Ticker {
                symbol: slots.text(scan, SYMBOL).ok_or(missing("s"))?,
                update_id: slots.integer(scan, LAST)?.ok_or(missing("u"))?,
                bid: Level::new(slots.decimal(scan, BIDS)?, slots.decimal(scan, BID_QTY)?),
                ask: Level::new(slots.decimal(scan, ASKS)?, slots.decimal(scan, ASK_QTY)?),
                event_ms: slots.time(scan, EVENT_TIME)?.unwrap_or(0),
            }))
        }
        None if slots.get(EVENT).is_none() && !wrapped => {
            let error = slots.get(ERROR).is_some() || slots.get(CODE).is_some();
            if !error && slots.get(RESULT).is_none() {
                return Ok(Message::Other);
            }
            let id = slots.get(ID).filter(|(at, _)| scan.byte(*at).is_ascii_digit());
            let id = id.and_then(|(at, _)| scan.integer(at).ok());
            Ok(Message::Reply { id: id.map(|(id, _)| id), error })
        }
        _ => Ok(Message::Other),
    }
}

/// The list of levels that opens at `at` inside `depth` objects: pairs of decimals in strings,
/// whatever follows in a pair.
#[inline(always)]
fn scan_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    depth: usize,
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let text = scan.text;
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        if is(text, at, b"[\"")
            && let Some([price, qty]) = scan.kernel.pair(text, at + 2, b"\",\"", false)
            && is(text, qty.end, b"\"]")
        {
            levels.push(Level::new(price.value, qty.value));
            list.at = qty.end + 2;
            continue;
        }
        let mut level = [0; 2];
        let mut count = 0;
        let mut parts = scan.array(at)?;
        while let Some(at) = scan.element(&mut parts)? {
            if let Some(value) = level.get_mut(count) {
                let number = scan.text_decimal(at)?;
                (*value, parts.at) = (number.value, number.end);
            } else {
                parts.at = scan.skip(at, depth + 2)?;
            }
            count += 1;
        }
        if count < 2 {
            return Err(Error::expected("a level of price and quantity", at));
        }
        levels.push(Level::new(level[0], level[1]));
        list.at = parts.at;
    }
    Ok(list.at)
}

/// The second tier of a REST depth answer.
struct ScanSnapshot<'a, 'l> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
}

impl Job for ScanSnapshot<'_, '_> {
    type Out = Result<Snapshot, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Snapshot, Error> {
        let ScanSnapshot { text, levels } = self;
        let mut scan = Scanner::new(text, kernel);
        let (mut id, mut time, mut sides) = (None, None, [None, None]);
        let mut walk = scan.object(scan.space(0))?;
        while let Some((key, at)) = scan.field(&mut walk)? {
            let again;
            match key {
                b"lastUpdateId" | b"E" => {
                    let value;
                    (value, walk.at) = scan.integer(at)?;
                    again = if key == b"E" { &mut time } else { &mut id }.replace(value).is_some();
                }
                b"bids" | b"asks" => {
                    let start = levels.len() as u32;
                    walk.at = scan_levels(&mut scan, at, 1, levels)?;
                    let range = start..levels.len() as u32;
                    again = sides[usize::from(key == b"asks")].replace(range).is_some();
                }
                _ => (again, walk.at) = (false, scan.skip(at, 1)?),
            }
            if again {
                return Err(Error::expected("each field only once", at));
            }
        }
        scan.finish(walk.at)?;
        let [Some(bids), Some(asks)] = sides else { return Err(missing("bids and asks")) };
        let event_ms = i64::try_from(time.unwrap_or(0)).map_err(|_| missing("a time"))?;
        Ok(Snapshot { last_update_id: id.ok_or(missing("lastUpdateId"))?, event_ms, bids, asks })
    }
}

type Fields<'v, 'a> = &'v [(std::borrow::Cow<'a, str>, Value<'a>)];

/// Every field that is read of a message or of its wrapper.
const KEYS: [&str; 17] = [
    "e", "E", "T", "s", "U", "u", "pu", "b", "B", "a", "A", "stream", "data", "id", "result", "error", "code",
];
const EVENT: usize = 0;
const EVENT_TIME: usize = 1;
const TRANSACTION_TIME: usize = 2;
const SYMBOL: usize = 3;
const FIRST: usize = 4;
const LAST: usize = 5;
const PREV: usize = 6;
const BIDS: usize = 7;
const BID_QTY: usize = 8;
const ASKS: usize = 9;
const ASK_QTY: usize = 10;
const STREAM: usize = 11;
const DATA: usize = 12;
const ID: usize = 13;
const RESULT: usize = 14;
const ERROR: usize = 15;
const CODE: usize = 16;

/// What spot's ticker is known by.
const TICKER: [usize; 6] = [LAST, SYMBOL, BIDS, BID_QTY, ASKS, ASK_QTY];

#[inline(always)]
fn key_index(key: &[u8]) -> Option<usize> {
    Some(match key {
        b"e" => EVENT,
        b"E" => EVENT_TIME,
        b"T" => TRANSACTION_TIME,
        b"s" => SYMBOL,
        b"U" => FIRST,
        b"u" => LAST,
        b"pu" => PREV,
        b"b" => BIDS,
        b"B" => BID_QTY,
        b"a" => ASKS,
        b"A" => ASK_QTY,
        b"stream" => STREAM,
        b"data" => DATA,
        b"id" => ID,
        b"result" => RESULT,
        b"error" => ERROR,
        b"code" => CODE,
        _ => return None,
    })
}

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
