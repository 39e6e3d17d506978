//! Market data in SBE (simple binary encoding), schema 1 version 0, spot only: what the venue's binary
//! streams carry, read into the messages that the JSON streams are read into, and written for the
//! simulated venue.
//!
//! Little-endian. Each message is a header of four `u16` (length of the root block, template, schema,
//! version), the root block, groups (`u16` length of an entry, `u16` count, the entries), and the
//! symbol (`u8` length, UTF-8). A decimal is a mantissa times ten to an exponent that is told once for
//! all prices and once for all quantities. Blocks may be longer than what is known of them, never
//! shorter. Times are in µs.

use std::ops::Range;

use super::decode::{Depth, Message, Ticker};
use crate::types::{DecimalError, Level, Scale};
use crate::venue::FeedError;
use crate::wire::decimal::POWERS;

const SCHEMA: u16 = 1;
const VERSION: u16 = 0;
const TRADES: u16 = 10_000;
const BEST: u16 = 10_001;
const TOP_20: u16 = 10_002;
const DEPTH: u16 = 10_003;
const HEADER: usize = 8;

/// A message whose every length was checked; its numbers are not read yet, since the symbol, which
/// tells their scale, stands last.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    /// The known part of the root block.
    Best(&'a [u8; 50]),
    /// The known part of the root block, and the entries of both groups, best first.
    Top(&'a [u8; 18], [Group<'a>; 2]),
    /// The known part of the root block, and the entries of both groups.
    Depth(&'a [u8; 26], [Group<'a>; 2]),
    Trades,
}

/// Entries of one length.
#[derive(Clone, Copy, Debug)]
struct Group<'a> {
    bytes: &'a [u8],
    entry: usize,
    /// Offset in the message, for errors.
    at: usize,
}

/// What is known of a level's entry: price and quantity.
const ENTRY: usize = 16;

#[cold]
fn malformed(at: usize, what: &'static str) -> FeedError {
    FeedError::Malformed { at, what }
}

/// Walks a message; whoever asks for more than there is gets an error.
struct Reader<'a> {
    rest: &'a [u8],
    /// Length of the message.
    len: usize,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    #[inline(always)]
    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], FeedError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(malformed(self.at(), what));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], FeedError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(malformed(self.at(), what));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// What is known of the root block, which is so long.
    #[inline(always)]
    fn block<const KNOWN: usize>(&mut self, len: u16) -> Result<&'a [u8; KNOWN], FeedError> {
        if usize::from(len) < KNOWN {
            return Err(malformed(0, "a root block as long as its template's"));
        }
        const WHOLE: &str = "the whole root block";
        let at = self.at();
        self.take(usize::from(len), WHOLE)?.first_chunk().ok_or_else(|| malformed(at, WHOLE))
    }

    /// A group of levels.
    #[inline(always)]
    fn levels(&mut self) -> Result<Group<'a>, FeedError> {
        let at = self.at();
        let [entry, entry_high, count, count_high] = *self.chunk("a group's length and count")?;
        let entry = u16::from_le_bytes([entry, entry_high]);
        self.group(at, entry, ENTRY, usize::from(u16::from_le_bytes([count, count_high])))
    }

    #[inline(always)]
    fn group(&mut self, at: usize, entry: u16, known: usize, count: usize) -> Result<Group<'a>, FeedError> {
        let entry = usize::from(entry);
        if entry < known {
            return Err(malformed(at, "entries as long as the group's"));
        }
        let start = self.at();
        let len = entry.checked_mul(count).ok_or_else(|| malformed(at, "the whole group"))?;
        Ok(Group { bytes: self.take(len, "the whole group")?, entry, at: start })
    }
}

/// Checks a message's lengths and what it claims to be.
///
/// # Errors
/// [`FeedError::Malformed`] for another schema, version or template, for lengths that do not add up to
/// the message's, and for a symbol that is not UTF-8.
#[inline]
pub fn frame(bytes: &[u8]) -> Result<Frame<'_>, FeedError> {
    let mut reader = Reader { rest: bytes, len: bytes.len() };
    let head: &[u8; HEADER] = reader.chunk("a header")?;
    let [block, template, schema, version] =
        [0, 2, 4, 6].map(|at| u16::from_le_bytes([head[at], head[at + 1]]));
    if (schema, version) != (SCHEMA, VERSION) {
        return Err(malformed(4, "SBE schema 1 version 0"));
    }
    let what = match template {
        DEPTH => What::Depth(reader.block(block)?, [reader.levels()?, reader.levels()?]),
        BEST => What::Best(reader.block(block)?),
        TOP_20 => What::Top(reader.block(block)?, [reader.levels()?, reader.levels()?]),
        TRADES => {
            reader.block::<18>(block)?;
            let at = reader.at();
            let [entry, entry_high, count @ ..] = *reader.chunk::<6>("a group's length and count")?;
            let entry = u16::from_le_bytes([entry, entry_high]);
            reader.group(at, entry, 25, u32::from_le_bytes(count) as usize)?;
            What::Trades
        }
        _ => return Err(malformed(2, "a template of market data")),
    };
    let [len] = *reader.chunk("a symbol")?;
    let at = reader.at();
    let symbol = reader.take(usize::from(len), "a symbol")?;
    if !is_utf8(symbol, bytes) {
        return Err(malformed(at, "a symbol in UTF-8"));
    }
    if !reader.rest.is_empty() {
        return Err(malformed(reader.at(), "nothing behind the symbol"));
    }
    Ok(Frame { symbol, what })
}

/// True when `symbol`, the last bytes of `message`, is UTF-8. One of up to eight bytes without the high
/// bit, as all usual ones are, is told at once.
#[inline(always)]
fn is_utf8(symbol: &[u8], message: &[u8]) -> bool {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let Some(last) = message.last_chunk().filter(|_| (1..=8).contains(&symbol.len())) else {
        return std::str::from_utf8(symbol).is_ok();
    };
    let others = 64 - 8 * symbol.len() as u32;
    u64::from_le_bytes(*last) >> others & HIGH == 0 || std::str::from_utf8(symbol).is_ok()
}

#[inline(always)]
fn int<const N: usize>(block: &[u8; N], at: usize) -> i64 {
    block.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

#[inline(always)]
fn id<const N: usize>(block: &[u8; N], at: usize) -> Result<u64, FeedError> {
    u64::try_from(int(block, at)).map_err(|_| malformed(HEADER + at, "an update id"))
}

/// How mantissas of one exponent become integers of a scale: times or divided by a power of ten.
#[derive(Clone, Copy)]
struct Lift {
    scale: Scale,
    /// The largest mantissa that fits.
    most: u64,
    times: i64,
    over: i64,
}

impl Lift {
    #[inline(always)]
    fn new(exponent: u8, scale: Scale) -> Lift {
        let shift = i32::from(exponent as i8) + i32::from(scale.digits());
        // Beyond eighteen places, up or down, nothing but zero fits.
        let power = POWERS.get(shift.unsigned_abs() as usize).copied();
        let (most, times, over) = match power {
            Some(1) => (i64::MAX, 1, 1),
            Some(power) if shift > 0 => (i64::MAX / power, power, 1),
            Some(power) => (i64::MAX, 1, power),
            None if shift > 0 => (0, 1, 1),
            None => (0, 1, i64::MAX),
        };
        Lift { scale, most: most as u64, times, over }
    }

    /// No number needs to be divided.
    #[inline(always)]
    fn is_up(self) -> bool {
        self.over == 1
    }

    /// What a mantissa comes to, and whether that is what it says: exact, not negative, not too large.
    #[inline(always)]
    fn apply(self, mantissa: i64) -> (i64, bool) {
        let fits = mantissa as u64 <= self.most;
        if self.over == 1 {
            return (mantissa.wrapping_mul(self.times), fits);
        }
        (mantissa / self.over, fits && mantissa % self.over == 0)
    }

    #[inline(always)]
    fn lift(self, mantissa: i64, at: usize) -> Result<i64, FeedError> {
        match self.apply(mantissa) {
            (value, true) => Ok(value),
            (_, false) => Err(self.refusal(mantissa, at)),
        }
    }

    /// Why a mantissa does not fit.
    #[cold]
    fn refusal(self, mantissa: i64, at: usize) -> FeedError {
        if mantissa < 0 {
            return FeedError::Malformed { at, what: "no negative price or quantity" };
        }
        let digits = self.scale.digits();
        let error =
            if self.is_up() { DecimalError::TooLarge(digits) } else { DecimalError::TooPrecise(digits) };
        FeedError::Decimal { at, error }
    }
}

impl<'a> Frame<'a> {
    /// What the message says, in units of the scale. Levels are appended to `levels`, which is left as
    /// it was on an error. The twenty best levels are told as best bid and ask.
    ///
    /// # Errors
    /// [`FeedError`] for a number that the scale cannot hold exactly, and for what no number of its
    /// kind is below: negative prices, quantities and ids.
    #[inline]
    pub fn message(&self, scale: Scale, levels: &mut Vec<Level>) -> Result<Message<'a>, FeedError> {
        let symbol = self.symbol;
        match self.what {
            What::Best(root) => {
                let lifts = lifts(root, 16, scale);
                Ok(Message::Ticker(Ticker {
                    symbol,
                    update_id: id(root, 8)?,
                    bid: level(root, 18, HEADER, lifts)?,
                    ask: level(root, 34, HEADER, lifts)?,
                    event_ms: int(root, 0),
                }))
            }
            What::Top(root, sides) => {
                let lifts = lifts(root, 16, scale);
                let mut best = [Level::default(); 2];
                for (best, side) in best.iter_mut().zip(sides) {
                    // All are checked, the first is told.
                    for (at, entry) in side.entries().rev() {
                        *best = level(entry, 0, at, lifts)?;
                    }
                }
                let [bid, ask] = best;
                Ok(Message::Ticker(Ticker {
                    symbol,
                    update_id: id(root, 8)?,
                    bid,
                    ask,
                    event_ms: int(root, 0),
                }))
            }
            What::Depth(root, [bids, asks]) => {
                let lifts = lifts(root, 24, scale);
                let (first, last) = (id(root, 8)?, id(root, 16)?);
                let start = levels.len();
                let sides = side(bids, lifts, levels).and_then(|bids| Ok((bids, side(asks, lifts, levels)?)));
                let (bids, asks) = sides.inspect_err(|_| levels.truncate(start))?;
                Ok(Message::Depth(Depth {
                    symbol,
                    first,
                    last,
                    prev: None,
                    event_ms: int(root, 0),
                    transaction_ms: 0,
                    bids,
                    asks,
                }))
            }
            What::Trades => Ok(Message::Other),
        }
    }
}

impl<'a> Group<'a> {
    /// What is known of each entry, and its offset in the message.
    #[inline(always)]
    fn entries(self) -> impl DoubleEndedIterator<Item = (usize, &'a [u8; ENTRY])> {
        // Never empty: a group's entries are as long as what is known of them.
        let entries = self.bytes.chunks_exact(self.entry.max(ENTRY)).enumerate();
        entries.filter_map(move |(index, entry)| Some((self.at + index * self.entry, entry.first_chunk()?)))
    }
}

/// The exponents of prices and of quantities, which stand side by side.
#[inline(always)]
fn lifts<const N: usize>(root: &[u8; N], at: usize, scale: Scale) -> [Lift; 2] {
    [at, at + 1].map(|at| Lift::new(root.get(at).copied().unwrap_or(0), scale))
}

#[inline(always)]
fn level<const N: usize>(
    block: &[u8; N],
    at: usize,
    base: usize,
    [price, qty]: [Lift; 2],
) -> Result<Level, FeedError> {
    Ok(Level::new(price.lift(int(block, at), base + at)?, qty.lift(int(block, at + 8), base + at + 8)?))
}

#[inline(always)]
fn side(group: Group<'_>, lifts: [Lift; 2], levels: &mut Vec<Level>) -> Result<Range<u32>, FeedError> {
    let start = levels.len();
    let [price, qty] = lifts;
    if group.entry == ENTRY && price.is_up() && qty.is_up() {
        // As messages usually are: numbers are read without looking at each, and then all are right or one
        // is looked for.
        let mut right = true;
        levels.extend(group.bytes.as_chunks::<ENTRY>().0.iter().map(|entry| {
            let ((price, one), (qty, other)) = (price.apply(int(entry, 0)), qty.apply(int(entry, 8)));
            right &= one & other;
            Level::new(price, qty)
        }));
        if right {
            return Ok(start as u32..levels.len() as u32);
        }
        levels.truncate(start);
    }
    one_by_one(group, lifts, levels)?;
    Ok(start as u32..levels.len() as u32)
}

#[inline(never)]
fn one_by_one(group: Group<'_>, lifts: [Lift; 2], levels: &mut Vec<Level>) -> Result<(), FeedError> {
    for (at, entry) in group.entries() {
        levels.push(level(entry, 0, at, lifts)?);
    }
    Ok(())
}

/// Writes messages, for the simulated venue. Mantissas are in units of the scale.
#[derive(Debug)]
pub struct Written {
    bytes: Vec<u8>,
}

impl Written {
    fn new(block: u16, template: u16, root: &[i64], scale: Scale) -> Written {
        let mut bytes = Vec::with_capacity(128);
        for word in [block, template, SCHEMA, VERSION] {
            bytes.extend(word.to_le_bytes());
        }
        root.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        let exponent = (scale.digits() as i8).wrapping_neg();
        bytes.extend([exponent as u8; 2]);
        Written { bytes }
    }

    fn levels(&mut self, levels: &[Level]) {
        levels.iter().for_each(|level| {
            self.bytes.extend(level.price.0.to_le_bytes());
            self.bytes.extend(level.qty.0.to_le_bytes());
        });
    }

    fn end(mut self, symbol: &str) -> Vec<u8> {
        self.bytes.push(u8::try_from(symbol.len()).unwrap_or(u8::MAX));
        self.bytes.extend(symbol.bytes().take(usize::from(u8::MAX)));
        self.bytes
    }

    /// A depth update; a group's count is 16 bits, so levels beyond that are left out.
    pub fn depth(
        symbol: &str,
        scale: Scale,
        micros: i64,
        (first, last): (u64, u64),
        sides: [&[Level]; 2],
    ) -> Vec<u8> {
        let root = [micros, first as i64, last as i64];
        let mut written = Written::new(26, DEPTH, &root, scale);
        for side in sides {
            let side = side.get(..usize::from(u16::MAX)).unwrap_or(side);
            written.bytes.extend(16u16.to_le_bytes());
            written.bytes.extend((side.len() as u16).to_le_bytes());
            written.levels(side);
        }
        written.end(symbol)
    }

    /// Best bid and ask.
    pub fn best(symbol: &str, scale: Scale, micros: i64, update: u64, bid: Level, ask: Level) -> Vec<u8> {
        let mut written = Written::new(50, BEST, &[micros, update as i64], scale);
        written.levels(&[bid, ask]);
        written.end(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MICROS: i64 = 1_785_060_000_000_000;

    fn depth(scale: Scale) -> Vec<u8> {
        let bids = [Level::new(6_000_010, 150), Level::new(6_000_000, 0)];
        Written::depth("BTCUSDT", scale, MICROS, (157, 160), [&bids, &[Level::new(6_000_020, 7)]])
    }

    fn best() -> Vec<u8> {
        let (bid, ask) = (Level::new(6_000_010, 150), Level::new(6_000_020, 7));
        Written::best("BTCUSDT", Scale::DEFAULT, MICROS, 400_900_217, bid, ask)
    }

    /// As the venue lays it out: the same as a depth update, with one id and another template.
    fn top() -> Vec<u8> {
        let mut bytes = depth(Scale::DEFAULT);
        bytes.drain(24..32);
        bytes[0] = 18;
        bytes[2..4].copy_from_slice(&TOP_20.to_le_bytes());
        bytes
    }

    fn trades() -> Vec<u8> {
        let mut written = Written::new(18, TRADES, &[MICROS, MICROS], Scale::DEFAULT);
        written.bytes.extend(25u16.to_le_bytes());
        written.bytes.extend(1u32.to_le_bytes());
        written.bytes.extend([1; 25]);
        written.end("BTCUSDT")
    }

    /// What a message tells, in words.
    fn told(bytes: &[u8], scale: u8) -> Result<String, String> {
        let (scale, mut levels) = (Scale::new(scale).unwrap(), vec![Level::new(1, 2)]);
        let read = frame(bytes).and_then(|frame| frame.message(scale, &mut levels));
        let read = read.map_err(|error| error.to_string());
        assert!(read.is_ok() || levels.len() == 1, "levels are left as they were");
        let flat: Vec<_> = levels[1..].iter().map(|level| (level.price.0, level.qty.0)).collect();
        Ok(match read? {
            Message::Depth(depth) => format!(
                "{} {}..{} at {} {}+{} {flat:?}",
                String::from_utf8_lossy(depth.symbol),
                depth.first,
                depth.last,
                depth.event_ms,
                depth.bids.len(),
                depth.asks.len()
            ),
            Message::Ticker(ticker) => {
                let flat = [ticker.bid, ticker.ask].map(|level| (level.price.0, level.qty.0));
                format!(
                    "{} {} at {} {flat:?}",
                    String::from_utf8_lossy(ticker.symbol),
                    ticker.update_id,
                    ticker.event_ms
                )
            }
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn messages_are_read_as_they_are_laid_out() {
        // By hand, once: price exponent -2, quantity exponent -8.
        let mut by_hand = vec![50, 0, 0x11, 0x27, 1, 0, 0, 0];
        for value in [MICROS, 9] {
            by_hand.extend(value.to_le_bytes());
        }
        by_hand.extend([0xfe, 0xf8]);
        for value in [2_535i64, 31, 2_536, 40] {
            by_hand.extend(value.to_le_bytes());
        }
        by_hand.extend(b"\x07BNBUSDT");
        for (bytes, want) in [
            (by_hand, "BNBUSDT 9 at 1785060000000000 [(2535000000, 31), (2536000000, 40)]"),
            (best(), "BTCUSDT 400900217 at 1785060000000000 [(6000010, 150), (6000020, 7)]"),
            (top(), "BTCUSDT 157 at 1785060000000000 [(6000010, 150), (6000020, 7)]"),
            (
                depth(Scale::DEFAULT),
                "BTCUSDT 157..160 at 1785060000000000 2+1 [(6000010, 150), (6000000, 0), (6000020, 7)]",
            ),
            (trades(), "Other"),
        ] {
            assert_eq!(told(&bytes, 8).as_deref(), Ok(want));
        }
    }

    #[test]
    fn a_block_may_be_longer_than_is_known_and_is_stepped_over() {
        let mut bytes = depth(Scale::DEFAULT);
        // Four more bytes of root block, and a byte more in the one ask.
        bytes.splice(34..34, [9; 4]);
        bytes[0] = 30;
        let at = bytes.len() - 8;
        bytes.insert(at, 9);
        bytes[at - 20] = 17;
        assert_eq!(told(&bytes, 8), told(&depth(Scale::DEFAULT), 8));
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let sent = |price: i64, exponent: i8| {
            let mut bytes = best();
            bytes[24] = exponent as u8;
            bytes[26..34].copy_from_slice(&price.to_le_bytes());
            // The ask's price, which has the same exponent, fits everywhere.
            bytes[42..50].fill(0);
            bytes
        };
        for (mantissa, exponent, scale, want) in [
            (5, 0, 8, Ok(500_000_000)),
            (5, 2, 8, Ok(50_000_000_000)),
            (500, -10, 8, Ok(5)),
            (501, -10, 8, Err("more than 8 decimal places")),
            (0, -128, 8, Ok(0)),
            (0, 127, 8, Ok(0)),
            (i64::MAX, 127, 8, Err("too large")),
            (i64::MAX, -128, 8, Err("more than 8 decimal places")),
            (i64::MAX, -8, 8, Ok(i64::MAX)),
            (i64::MAX, -7, 8, Err("too large")),
            (-1, -8, 8, Err("negative")),
            (1, -12, 12, Ok(1)),
        ] {
            let got = told(&sent(mantissa, exponent), scale);
            match (got, want) {
                (Ok(got), Ok(want)) => assert!(got.contains(&format!("[({want}, ")), "{got} {want}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{got} {want}"),
                (got, want) => panic!("{mantissa}e{exponent}: {got:?} {want:?}"),
            }
        }
    }

    /// A side is read in one pass where it can be, and number by number for the place of a fault.
    #[test]
    fn the_number_that_does_not_fit_is_told() {
        let whole = depth(Scale::DEFAULT);
        let (bids, asks) = (38, 74);
        for (at, value, want) in [
            (bids, -1, "byte 38: no negative price or quantity"),
            (bids + 8, -1, "byte 46: no negative price or quantity"),
            (bids + 16, i64::MIN, "byte 54: no negative price or quantity"),
            (bids + 24, -5, "byte 62: no negative price or quantity"),
            (asks, -1, "byte 74: no negative price or quantity"),
        ] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&i64::to_le_bytes(value));
            assert_eq!(told(&bytes, 8), Err(want.to_owned()));
        }
        let mut bytes = whole.clone();
        bytes[asks..asks + 8].copy_from_slice(&i64::to_le_bytes(i64::MAX / 10 + 1));
        assert!(told(&bytes, 9).unwrap_err().starts_with("byte 74: "));
        assert!(told(&bytes, 8).is_ok());
        // Told with eight places, of which the scale has seven.
        assert!(told(&bytes, 7).unwrap_err().starts_with("byte 74: "));
        assert_eq!(
            told(&whole, 9).as_deref(),
            Ok("BTCUSDT 157..160 at 1785060000000000 2+1 [(60000100, 1500), (60000000, 0), (60000200, 70)]")
        );
    }

    #[test]
    fn what_is_something_else_is_refused_by_name() {
        for (at, byte, want) in [
            (0, 25, "byte 0: a root block"),
            (2, 0x20, "byte 2: a template"),
            (4, 3, "byte 4: SBE schema"),
            (6, 1, "byte 4: SBE schema"),
            (23, 0x80, "an update id"),
            (34, 15, "entries as long"),
            (36, 200, "the whole group"),
            (37, 200, "the whole group"),
        ] {
            let mut bytes = depth(Scale::DEFAULT);
            bytes[at] = byte;
            let got = told(&bytes, 8).unwrap_err();
            assert!(got.contains(want), "{at}: {got}");
        }
        let whole = depth(Scale::DEFAULT);
        for cut in 0..whole.len() {
            assert!(told(&whole[..cut], 8).is_err(), "{cut}");
        }
        assert!(told(&[whole, vec![0]].concat(), 8).unwrap_err().contains("nothing behind"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The one pass over a side tells what its numbers do one by one: entries that are a byte longer
        /// are read that way.
        #[test]
        fn a_side_is_read_alike_in_one_pass_and_by_its_numbers(
            mantissas in prop::collection::vec(
                prop_oneof![any::<i64>(), 0..=i64::MAX, 0..1_000_000i64, (0..100i64).prop_map(|n| n * 100_000_000)],
                0..12,
            ),
            exponents in any::<[i8; 2]>(),
            usual in any::<bool>(),
            scale in 0u8..13,
        ) {
            let levels: Vec<_> = mantissas.chunks_exact(2).map(|pair| Level::new(pair[0], pair[1])).collect();
            let mut bytes = Written::depth("BTCUSDT", Scale::DEFAULT, MICROS, (1, 2), [&levels, &[]]);
            let exponents = if usual { exponents.map(|exponent| exponent % 13) } else { exponents };
            bytes[32..34].copy_from_slice(&exponents.map(|exponent| exponent as u8));
            let mut longer = bytes.clone();
            longer[34] = 17;
            for index in (0..levels.len()).rev() {
                longer.insert(38 + 16 * (index + 1), 0xaa);
            }
            let why = |error: String| error.split_once(": ").map(|(_, why)| why.to_owned());
            prop_assert_eq!(told(&bytes, scale).map_err(why), told(&longer, scale).map_err(why));
        }

        /// Whatever comes is a message or an error.
        #[test]
        fn no_bytes_break_the_reader(
            noise in prop::collection::vec(any::<u8>(), 0..200),
            which in 0usize..4,
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
            scale in 0u8..13,
        ) {
            let _ = told(&noise, scale);
            let mut bytes = [depth(Scale::DEFAULT), best(), top(), trades()][which].clone();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = told(&bytes, scale);
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = told(&bytes, scale);
        }
    }
}
