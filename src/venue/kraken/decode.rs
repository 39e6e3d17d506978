//! Kraken's market data messages: v2 objects and v1 arrays.
//!
//! v2 says what a message is by `channel` (data), `method` (answers); its prices and quantities are
//! JSON numbers whose digits count, because the book's checksum is taken over them. v1 says it by
//! `event`, or, in an array, by the channel's name near the end; its decimals are strings.

use std::ops::Range;

use crate::types::{Level, Nanos, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::decimal::{Number, places};
use crate::wire::json::kernel::{Isa, Job, Kernel, is};
use crate::wire::json::library::{self, Value, field};
use crate::wire::json::scan::{self, Scanner, Walk};
use crate::wire::json::time::usual_time;
use crate::wire::json::{Error, Tier};
use crate::wire::{Padded, decimal};

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
    isa: Isa,
    used: TierUse,
    texts: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder::with_isa(Isa::detect(scale))
    }

    /// A decoder by a given instruction set.
    #[doc(hidden)]
    pub fn with_isa(isa: Isa) -> Decoder {
        Decoder { isa, used: TierUse::default(), texts: Vec::new() }
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
        let value = library::exact(text)?;
        self.texts.clear();
        let mut reader = Reader { scale: self.isa.scale(), levels, texts: &mut self.texts };
        match reader.interpret(&value) {
            Ok(found) => Ok(found.message(text, &self.texts)),
            Err(error) => {
                levels.truncate(start);
                Err(error)
            }
        }
    }
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
        let Template { text, levels } = self;
        let template = Spelling { text, kernel };
        let (message, end) = if is(text, 0, b"{\"channel\":\"book\",\"type\":\"") {
            template.book(26, levels)?
        } else if is(text, 0, b"{\"channel\":\"ticker\",\"type\":\"") {
            template.ticker(28)?
        } else if is(text, 0, b"{\"channel\":\"heartbeat\"}") {
            (Message::Heartbeat, 23)
        } else {
            template.array(0, levels)?
        };
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

    /// What both channels have between the type and the data's first value.
    #[inline(always)]
    fn head(self, at: usize) -> Option<(bool, &'a [u8], usize)> {
        let (snapshot, at) = match self.literal(at, b"update\"") {
            Some(behind) => (false, behind),
            None => (true, self.literal(at, b"snapshot\"")?),
        };
        let (symbol, at) = self.string(self.literal(at, b",\"data\":[{\"symbol\":\"")?)?;
        Some((snapshot, symbol, at))
    }

    /// The timestamp, where there is one, and the message's end.
    #[inline(always)]
    fn tail(self, mut at: usize) -> Option<(Nanos, usize)> {
        let mut time = Nanos::ZERO;
        if let Some(behind) = self.literal(at, b",\"timestamp\":\"") {
            let (found, end) = usual_time(self.text, behind)?;
            (time, at) = (found, self.literal(end, b"\"")?);
        }
        Some((time, self.literal(at, b"}]}")?))
    }

    #[inline(always)]
    fn book(self, at: usize, levels: &mut Vec<Level>) -> Option<(Message<'a>, usize)> {
        let (snapshot, symbol, at) = self.head(at)?;
        let mut digits = (0, 0);
        let (bids, at) = self.levels(self.literal(at, b",\"bids\":[")?, &mut digits, levels)?;
        let (asks, at) = self.levels(self.literal(at, b",\"asks\":[")?, &mut digits, levels)?;
        let (checksum, at) = self.kernel.integer(self.text, self.literal(at, b",\"checksum\":")?)?;
        let checksum = Some(u32::try_from(checksum).ok()?);
        let (time, end) = self.tail(at)?;
        let (price_digits, qty_digits) = digits;
        Some((
            Message::Book(Book { symbol, snapshot, bids, asks, checksum, time, price_digits, qty_digits }),
            end,
        ))
    }

    /// v2's levels, from behind the list's bracket.
    #[inline(always)]
    fn levels(
        self,
        at: usize,
        digits: &mut (u8, u8),
        levels: &mut Vec<Level>,
    ) -> Option<(Range<u32>, usize)> {
        let start = levels.len() as u32;
        if let Some(end) = self.literal(at, b"]") {
            return Some((start..start, end));
        }
        let mut at = self.literal(at, b"{\"price\":")?;
        loop {
            let [price, qty] = self.pair(at, b",\"qty\":", b"}")?;
            levels.push(Level::new(price.value, qty.value));
            digits.0 = digits.0.max(price.places);
            digits.1 = digits.1.max(qty.places);
            match self.literal(qty.end, b"},{\"price\":") {
                Some(behind) => at = behind,
                None => return Some((start..levels.len() as u32, self.literal(qty.end, b"}]")?)),
            }
        }
    }

    /// Two numbers with exactly this between and behind them.
    #[inline(always)]
    fn pair<const GAP: usize>(self, at: usize, gap: &[u8; GAP], behind: &[u8; 1]) -> Option<[Number; 2]> {
        match self.kernel.pair(self.text, at, gap, true) {
            Some(pair) if is(self.text, pair[1].end, behind) => Some(pair),
            _ => decimal::any_pair(self.text, at, gap, true, self.kernel.scale()),
        }
    }

    #[inline(always)]
    fn ticker(self, at: usize) -> Option<(Message<'a>, usize)> {
        let (_, symbol, at) = self.head(at)?;
        let [price, qty] = self.pair(self.literal(at, b",\"bid\":")?, b",\"bid_qty\":", b",")?;
        let bid = Level::new(price.value, qty.value);
        let [price, qty] = self.pair(self.literal(qty.end, b",\"ask\":")?, b",\"ask_qty\":", b",")?;
        let ask = Level::new(price.value, qty.value);
        let at = self.past_number(qty.end, b",\"last\":")?;
        let at = self.past_number(at, b",\"volume\":")?;
        let at = self.past_number(at, b",\"vwap\":")?;
        let at = self.past_number(at, b",\"low\":")?;
        let at = self.past_number(at, b",\"high\":")?;
        let at = self.past_number(at, b",\"change\":")?;
        let at = self.past_number(at, b",\"change_pct\":")?;
        let (time, end) = self.tail(at)?;
        Some((Message::Ticker(Ticker { symbol, bid, ask, time }), end))
    }

    /// The offset behind a field that is not read.
    #[inline(always)]
    fn past_number<const N: usize>(self, at: usize, key: &[u8; N]) -> Option<usize> {
        scan::number_end(self.text, self.literal(at, key)?).ok()
    }

    /// v1: `[336,{"a":[..],"c":"974942666"},"book-10","XBT/USD"]`, the sides in one object or two.
    #[inline(always)]
    fn array(self, at: usize, levels: &mut Vec<Level>) -> Option<(Message<'a>, usize)> {
        let mut at = self.kernel.integer(self.text, self.literal(at, b"[")?)?.1;
        let mut book = Old::new();
        while let Some(behind) = self.literal(at, b",{") {
            at = behind;
            loop {
                let (side, behind) = if let Some(behind) = self.literal(at, b"\"a\":[") {
                    (Some((1, false)), behind)
                } else if let Some(behind) = self.literal(at, b"\"b\":[") {
                    (Some((0, false)), behind)
                } else if let Some(behind) = self.literal(at, b"\"c\":\"") {
                    (None, behind)
                } else if let Some(behind) = self.literal(at, b"\"as\":[") {
                    (Some((1, true)), behind)
                } else {
                    (Some((0, true)), self.literal(at, b"\"bs\":[")?)
                };
                if let Some((side, snapshot)) = side {
                    let start = levels.len() as u32;
                    at = self.old_levels(behind, &mut book, levels)?;
                    book.side(side, snapshot, start..levels.len() as u32, at).ok()?;
                } else {
                    let (checksum, end) = self.kernel.integer(self.text, behind)?;
                    book.check(u32::try_from(checksum).ok()?, at).ok()?;
                    at = self.literal(end, b"\"")?;
                }
                match self.literal(at, b",") {
                    Some(behind) => at = behind,
                    None => break,
                }
            }
            at = self.literal(at, b"}")?;
        }
        let (name, at) = self.string(self.literal(at, b",\"")?)?;
        let (symbol, at) = self.string(self.literal(at, b",\"")?)?;
        if !name.starts_with(b"book") {
            return None;
        }
        Some((Message::Book(book.finish(symbol).ok()?), self.literal(at, b"]")?))
    }

    /// v1's levels, from behind the list's bracket.
    #[inline(always)]
    fn old_levels(self, at: usize, book: &mut Old, levels: &mut Vec<Level>) -> Option<usize> {
        if let Some(end) = self.literal(at, b"]") {
            return Some(end);
        }
        let mut at = self.literal(at, b"[\"")?;
        loop {
            let [price, qty] = match self.kernel.pair(self.text, at, b"\",\"", false) {
                Some(pair) if is(self.text, pair[1].end, b"\"") => pair,
                _ => decimal::any_pair(self.text, at, b"\",\"", false, self.kernel.scale())?,
            };
            let time = decimal::plain(self.text, self.literal(qty.end, b"\",\"")?, false, NANOS)?;
            book.level(price, qty, time.value);
            levels.push(Level::new(price.value, qty.value));
            let end = self.literal(time.end, b"\",\"r\"").unwrap_or(time.end + 1);
            if !is(self.text, time.end, b"\"") {
                return None;
            }
            match self.literal(end, b"],[\"") {
                Some(behind) => at = behind,
                None => return self.literal(end, b"]]"),
            }
        }
    }
}

/// A v1 book as its parts come by.
struct Old {
    sides: [Option<Range<u32>>; 2],
    snapshot: Option<bool>,
    checksum: Option<u32>,
    newest: i64,
    digits: (u8, u8),
}

impl Old {
    #[inline(always)]
    fn new() -> Old {
        Old { sides: [None, None], snapshot: None, checksum: None, newest: 0, digits: (0, 0) }
    }

    #[inline(always)]
    fn level(&mut self, price: Number, qty: Number, time: i64) {
        self.digits.0 = self.digits.0.max(price.places);
        self.digits.1 = self.digits.1.max(qty.places);
        self.newest = self.newest.max(time);
    }

    #[inline(always)]
    fn side(&mut self, side: usize, snapshot: bool, levels: Range<u32>, at: usize) -> Result<(), Error> {
        let other = self.snapshot.replace(snapshot).is_some_and(|before| before != snapshot);
        if self.sides[side].replace(levels).is_some() || other {
            return Err(Error::expected("each side once, all snapshot or all update", at));
        }
        Ok(())
    }

    #[inline(always)]
    fn check(&mut self, checksum: u32, at: usize) -> Result<(), Error> {
        match self.checksum.replace(checksum) {
            None => Ok(()),
            Some(_) => Err(Error::expected("one checksum", at)),
        }
    }

    #[inline(always)]
    fn finish(self, symbol: &[u8]) -> Result<Book<'_>, Error> {
        let snapshot = self.snapshot.ok_or(Error::expected("levels", 0))?;
        let [bids, asks] = self.sides.map(|side| side.unwrap_or(0..0));
        Ok(Book {
            symbol,
            snapshot,
            bids,
            asks,
            checksum: self.checksum,
            time: Nanos(self.newest),
            price_digits: self.digits.0,
            qty_digits: self.digits.1,
        })
    }
}

/// The second tier: the same fields in any spelling.
struct Scan<'a, 'l> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
}

impl<'a> Job for Scan<'a, '_> {
    type Out = Result<Message<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Message<'a>, Error> {
        let Scan { text, levels } = self;
        let mut scan = Scanner::new(text, kernel);
        let at = scan.space(0);
        match scan.byte(at) {
            b'{' => scan_object(&mut scan, at, levels),
            b'[' => scan_array(&mut scan, at, levels),
            _ => {
                let end = scan.skip(at, 0)?;
                scan.finish(end).map(|()| Message::Other)
            }
        }
    }
}

/// Where the outermost object's values are.
struct Slots {
    seen: u32,
    spans: [(usize, usize); KEYS.len()],
}

impl Slots {
    #[inline(always)]
    fn get(&self, key: usize) -> Option<(usize, usize)> {
        (self.seen >> key & 1 == 1).then(|| self.spans[key])
    }

    #[inline(always)]
    fn text<'a, K: Kernel>(&self, scan: &Scanner<'a, K>, key: usize) -> Option<&'a [u8]> {
        let (at, end) = self.get(key)?;
        (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, end - 1))
    }

    #[inline(always)]
    fn id<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Option<u64> {
        let (at, _) = self.get(key)?;
        scan.integer(at).ok().map(|(id, _)| id)
    }
}

#[inline(always)]
fn scan_object<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let mut slots = Slots { seen: 0, spans: [(0, 0); KEYS.len()] };
    let mut book = None;
    let mut walk = scan.object(at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let Some(key) = key_index(key) else {
            walk.at = scan.skip(at, 1)?;
            continue;
        };
        if slots.seen >> key & 1 == 1 {
            return Err(Error::expected("each field only once", at));
        }
        slots.seen |= 1 << key;
        let end = if key == DATA && slots.text(scan, CHANNEL) == Some(b"book") {
            let (found, end) = scan_book(scan, at, levels)?;
            book = Some(found);
            end
        } else {
            scan.skip(at, 1)?
        };
        slots.spans[key] = (at, end);
        walk.at = end;
    }
    scan.finish(walk.at)?;
    let data = slots.get(DATA).map(|(at, _)| at).ok_or(Error::expected("data", walk.at));
    if let Some(channel) = slots.text(scan, CHANNEL) {
        return match channel {
            b"book" => {
                let snapshot = match slots.text(scan, TYPE) {
                    Some(b"snapshot") => true,
                    Some(b"update") => false,
                    _ => return Err(Error::expected("a type of snapshot or update", at)),
                };
                // Here at last we know what the data was, where it stood before its channel.
                let book = match book {
                    Some(book) => book,
                    None => scan_book(scan, data?, levels)?.0,
                };
                Ok(Message::Book(Book { snapshot, ..book }))
            }
            b"ticker" => scan_ticker(scan, data?),
            b"instrument" => Ok(Message::Instrument(scan.text.message())),
            b"status" => scan_status(scan, data?),
            b"heartbeat" => Ok(Message::Heartbeat),
            _ => Ok(Message::Other),
        };
    }
    if let Some(method) = slots.text(scan, METHOD) {
        if method == b"pong" {
            return Ok(Message::Pong);
        }
        let (mut channel, mut symbol) = (None, None);
        if let Some((at, _)) = slots.get(RESULT)
            && scan.byte(at) == b'{'
        {
            let mut seen = Seen(0);
            let mut walk = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut walk)? {
                walk.at = scan.skip(at, 2)?;
                let text = (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, walk.at - 1));
                match key {
                    b"channel" => (channel, _) = (text, seen.once(0, at)?),
                    b"symbol" => (symbol, _) = (text, seen.once(1, at)?),
                    _ => {}
                }
            }
        }
        let success = slots.get(SUCCESS).is_some_and(|(at, _)| scan.byte(at) == b't');
        return Ok(Message::Reply(Reply {
            method,
            req_id: slots.id(scan, REQ_ID),
            success,
            channel,
            symbol: symbol.or(slots.text(scan, SYMBOL)),
            error: slots.text(scan, ERROR),
        }));
    }
    let status = slots.text(scan, STATUS).ok_or(Error::expected("status", at));
    match slots.text(scan, EVENT) {
        Some(b"heartbeat") => Ok(Message::Heartbeat),
        Some(b"pong") => Ok(Message::Pong),
        Some(b"systemStatus") => Ok(Message::Status { system: status? }),
        Some(b"subscriptionStatus") => {
            let status = status?;
            Ok(Message::Reply(Reply {
                method: if status == b"unsubscribed" { b"unsubscribe" } else { b"subscribe" },
                req_id: slots.id(scan, OLD_ID),
                success: status != b"error",
                channel: slots.text(scan, CHANNEL_NAME),
                symbol: slots.text(scan, PAIR),
                error: slots.text(scan, ERROR_MESSAGE),
            }))
        }
        _ => Ok(Message::Other),
    }
}

/// Which fields of an object were there.
struct Seen(u32);

impl Seen {
    #[inline(always)]
    fn once(&mut self, key: u32, at: usize) -> Result<(), Error> {
        if self.0 >> key & 1 == 1 {
            return Err(Error::expected("each field only once", at));
        }
        self.0 |= 1 << key;
        Ok(())
    }
}

/// Enters the one object in the list that opens at `at`.
#[inline(always)]
fn scan_only<K: Kernel>(scan: &Scanner<'_, K>, at: usize) -> Result<Walk, Error> {
    if scan.byte(at) != b'[' {
        return Err(Error::expected("one object in data", at));
    }
    scan.object(scan.space(at + 1))
}

/// The offset behind the list whose one object ends at `at`.
#[inline(always)]
fn scan_only_end<K: Kernel>(scan: &Scanner<'_, K>, at: usize) -> Result<usize, Error> {
    let at = scan.space(at);
    if scan.byte(at) != b']' {
        return Err(Error::expected("one object in data", at));
    }
    Ok(at + 1)
}

/// v2's book data, all but its type, and the offset behind it.
#[inline(always)]
fn scan_book<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Result<(Book<'a>, usize), Error> {
    let (mut symbol, mut checksum, mut time) = (None, None, Nanos::ZERO);
    let mut sides = [None, None];
    let mut digits = (0, 0);
    let mut seen = Seen(0);
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        match key {
            b"symbol" => {
                seen.once(0, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                symbol = Some(text);
            }
            b"bids" | b"asks" => {
                let side = usize::from(key == b"asks");
                seen.once(1 + side as u32, at)?;
                let start = levels.len() as u32;
                walk.at = scan_levels(scan, at, &mut digits, levels)?;
                sides[side] = Some(start..levels.len() as u32);
            }
            b"checksum" => {
                seen.once(3, at)?;
                let value;
                (value, walk.at) = scan.integer(at)?;
                checksum = Some(u32::try_from(value).map_err(|_| Error::expected("a checksum", at))?);
            }
            b"timestamp" => {
                seen.once(4, at)?;
                (time, walk.at) = scan_time(scan, at)?;
            }
            _ => walk.at = scan.skip(at, 3)?,
        }
    }
    let end = scan_only_end(scan, walk.at)?;
    let [Some(bids), Some(asks)] = sides else { return Err(Error::expected("bids and asks", at)) };
    let book = Book {
        symbol: symbol.ok_or(Error::expected("symbol", at))?,
        snapshot: false,
        bids,
        asks,
        checksum: Some(checksum.ok_or(Error::expected("a checksum", at))?),
        time,
        price_digits: digits.0,
        qty_digits: digits.1,
    };
    Ok((book, end))
}

#[inline(always)]
fn scan_time<K: Kernel>(scan: &mut Scanner<'_, K>, at: usize) -> Result<(Nanos, usize), Error> {
    if scan.byte(at) == b'"'
        && let Some((time, end)) = usual_time(scan.text, at + 1)
        && scan.byte(end) == b'"'
    {
        return Ok((time, end + 1));
    }
    let (text, end) = scan.string(at)?;
    let time = Nanos::parse_rfc3339(text).map_err(|_| Error::expected("a time", at))?;
    Ok((time, end))
}

/// The list of v2's levels that opens at `at`.
#[inline(always)]
fn scan_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    digits: &mut (u8, u8),
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let text = scan.text;
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let (price, qty);
        if is(text, at, b"{\"price\":")
            && let Some([one, two]) = scan.kernel.pair(text, at + 9, b",\"qty\":", true)
            && is(text, two.end, b"}")
        {
            (price, qty, list.at) = (one, two, two.end + 1);
        } else {
            let mut found = [None, None];
            let mut level = scan.object(at)?;
            while let Some((key, at)) = scan.field(&mut level)? {
                let index = match key {
                    b"price" => 0,
                    b"qty" => 1,
                    _ => {
                        level.at = scan.skip(at, 5)?;
                        continue;
                    }
                };
                let number = scan.number_decimal(at)?;
                if found[index].replace(number).is_some() {
                    return Err(Error::expected("each field only once", at));
                }
                level.at = number.end;
            }
            let [Some(one), Some(two)] = found else {
                return Err(Error::expected("a level of price and qty", at));
            };
            (price, qty, list.at) = (one, two, level.at);
        }
        digits.0 = digits.0.max(price.places);
        digits.1 = digits.1.max(qty.places);
        levels.push(Level::new(price.value, qty.value));
    }
    Ok(list.at)
}

#[inline(always)]
fn scan_ticker<'a, K: Kernel>(scan: &mut Scanner<'a, K>, at: usize) -> Result<Message<'a>, Error> {
    let (mut symbol, mut time) = (None, Nanos::ZERO);
    let mut numbers = [None; 4];
    let mut seen = Seen(0);
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        let index = match key {
            b"bid" => 0,
            b"bid_qty" => 1,
            b"ask" => 2,
            b"ask_qty" => 3,
            b"symbol" => {
                seen.once(4, at)?;
                let text;
                (text, walk.at) = scan.string(at)?;
                symbol = Some(text);
                continue;
            }
            b"timestamp" => {
                seen.once(5, at)?;
                (time, walk.at) = scan_time(scan, at)?;
                continue;
            }
            _ => {
                walk.at = scan.skip(at, 3)?;
                continue;
            }
        };
        seen.once(index as u32, at)?;
        let number = scan.number_decimal(at)?;
        numbers[index] = Some(number.value);
        walk.at = number.end;
    }
    scan_only_end(scan, walk.at)?;
    let [Some(bid), Some(bid_qty), Some(ask), Some(ask_qty)] = numbers else {
        return Err(Error::expected("best bid and ask", at));
    };
    let symbol = symbol.ok_or(Error::expected("symbol", at))?;
    Ok(Message::Ticker(Ticker { symbol, bid: Level::new(bid, bid_qty), ask: Level::new(ask, ask_qty), time }))
}

#[inline(always)]
fn scan_status<'a, K: Kernel>(scan: &mut Scanner<'a, K>, at: usize) -> Result<Message<'a>, Error> {
    let mut system = None;
    let mut seen = Seen(0);
    let mut walk = scan_only(scan, at)?;
    while let Some((key, at)) = scan.field(&mut walk)? {
        if key == b"system" {
            seen.once(0, at)?;
            let text;
            (text, walk.at) = scan.string(at)?;
            system = Some(text);
        } else {
            walk.at = scan.skip(at, 3)?;
        }
    }
    scan_only_end(scan, walk.at)?;
    Ok(Message::Status { system: system.ok_or(Error::expected("system", at))? })
}

/// v1's arrays, in two walks: what the elements are is told by the last but one.
#[inline(always)]
fn scan_array<'a, K: Kernel>(
    scan: &mut Scanner<'a, K>,
    start: usize,
    levels: &mut Vec<Level>,
) -> Result<Message<'a>, Error> {
    let mut count = 0;
    let (mut name, mut pair) = (None, None);
    let mut list = scan.array(start)?;
    while let Some(at) = scan.element(&mut list)? {
        list.at = scan.skip(at, 1)?;
        let text = (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, list.at - 1));
        (name, pair) = (pair, text);
        count += 1;
    }
    scan.finish(list.at)?;
    let first = scan.space(start + 1);
    let (Some(name), Some(symbol), Ok(_), true) = (name, pair, scan.integer(first), count > 2) else {
        return Ok(Message::Other);
    };
    if !name.starts_with(b"book") {
        return Ok(Message::Other);
    }
    let mut book = Old::new();
    let mut index = 0;
    let mut list = scan.array(start)?;
    while let Some(at) = scan.element(&mut list)? {
        index += 1;
        if index == 1 || index + 2 > count {
            list.at = scan.skip(at, 1)?;
            continue;
        }
        let mut seen = Seen(0);
        let mut part = scan.object(at)?;
        while let Some((key, at)) = scan.field(&mut part)? {
            let (key, side, snapshot) = match key {
                b"bs" => (0, 0, true),
                b"as" => (1, 1, true),
                b"b" => (2, 0, false),
                b"a" => (3, 1, false),
                b"c" => {
                    seen.once(4, at)?;
                    let text;
                    (text, part.at) = scan.string(at)?;
                    book.check(check_text(text, at)?, at)?;
                    continue;
                }
                _ => {
                    part.at = scan.skip(at, 2)?;
                    continue;
                }
            };
            seen.once(key, at)?;
            let start = levels.len() as u32;
            part.at = scan_old_levels(scan, at, &mut book, levels)?;
            book.side(side, snapshot, start..levels.len() as u32, at)?;
        }
        list.at = part.at;
    }
    Ok(Message::Book(book.finish(symbol)?))
}

/// The list of v1's levels that opens at `at`.
#[inline(always)]
fn scan_old_levels<K: Kernel>(
    scan: &mut Scanner<'_, K>,
    at: usize,
    book: &mut Old,
    levels: &mut Vec<Level>,
) -> Result<usize, Error> {
    let mut list = scan.array(at)?;
    while let Some(at) = scan.element(&mut list)? {
        let mut level = [None; 2];
        let mut time = None;
        let mut count = 0;
        let mut parts = scan.array(at)?;
        while let Some(at) = scan.element(&mut parts)? {
            if let Some(slot) = level.get_mut(count) {
                let number = scan.text_decimal(at)?;
                *slot = Some(number);
                parts.at = number.end;
            } else if count == 2 {
                let text;
                (text, parts.at) = scan.string(at)?;
                time = Some(match decimal::plain(scan.text, at + 1, false, NANOS) {
                    Some(number) if number.end + 1 == parts.at => number.value,
                    _ => decimal::exact(text, at + 1, NANOS)?,
                });
            } else {
                parts.at = scan.skip(at, 4)?;
            }
            count += 1;
        }
        let ([Some(price), Some(qty)], Some(time)) = (level, time) else {
            return Err(Error::expected("a level of price, quantity and time", at));
        };
        book.level(price, qty, time);
        levels.push(Level::new(price.value, qty.value));
        list.at = parts.at;
    }
    Ok(list.at)
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
const CHANNEL: usize = 0;
const TYPE: usize = 1;
const DATA: usize = 2;
const METHOD: usize = 3;
const REQ_ID: usize = 4;
const SUCCESS: usize = 5;
const RESULT: usize = 6;
const ERROR: usize = 7;
const SYMBOL: usize = 8;
const EVENT: usize = 9;
const STATUS: usize = 10;
const PAIR: usize = 11;
const OLD_ID: usize = 12;
const ERROR_MESSAGE: usize = 13;
const CHANNEL_NAME: usize = 14;

#[inline(always)]
fn key_index(key: &[u8]) -> Option<usize> {
    KEYS.iter().position(|name| name.as_bytes() == key)
}

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
