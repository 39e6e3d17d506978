//! The second tier: JSON of a known schema in any spelling without escapes. Everything that is
//! passed over is checked, read or not.

use super::kernel::{Kernel, is, starts_with, window};
use super::time::usual_time;
use super::{Error, MAX_DEPTH};
use crate::types::{Level, Nanos};
use crate::wire::Padded;
use crate::wire::decimal::{self, Number};

/// What a scanner says of a string that it leaves to the library.
const ESCAPE: &str = "a string without escapes";

/// True when the scanner gave up on a string that may be sound, rather than found a fault.
pub fn gave_up(error: &Error) -> bool {
    matches!(error, Error::Malformed { what: ESCAPE, .. })
}

/// Walks a message by offsets. An offset may run into the slack behind the message, where nothing
/// that is read counts: [`Scanner::finish`] refuses the message then.
#[derive(Clone, Copy)]
pub struct Scanner<'a, K> {
    /// The message.
    pub text: Padded<'a>,
    /// How it is read.
    pub kernel: K,
    ascii: bool,
}

/// A place inside an array or an object. Loops over these, not closures, because a closure cannot
/// be made to be inlined, and what is not inlined loses the kernel's instructions.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Where the walk stands.
    pub at: usize,
    fresh: bool,
}

impl<'a, K: Kernel> Scanner<'a, K> {
    /// A scanner over a message.
    #[inline(always)]
    pub fn new(text: Padded<'a>, kernel: K) -> Scanner<'a, K> {
        Scanner { text, kernel, ascii: true }
    }

    /// The byte at `at`, or zero behind the slack.
    #[inline(always)]
    pub fn byte(&self, at: usize) -> u8 {
        self.text.with_slack().get(at).copied().unwrap_or(0)
    }

    /// The bytes of the message from `start` to `end`; empty where that is not inside it.
    #[inline(always)]
    pub fn bytes(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.message().get(start..end).unwrap_or_default()
    }

    /// The first offset from `at` on that holds no white space.
    #[inline(always)]
    pub fn space(&self, mut at: usize) -> usize {
        while self.byte(at) <= b' ' && matches!(self.byte(at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }

    /// Ends the message at `at`: only white space may follow, and all must have been UTF-8.
    ///
    /// # Errors
    /// [`Error::Malformed`] otherwise.
    #[inline(always)]
    pub fn finish(&self, at: usize) -> Result<(), Error> {
        let Some(rest) = self.text.message().get(at..) else {
            return Err(Error::expected("more of the message", self.text.len()));
        };
        if !rest.is_empty() {
            let space = rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')).count();
            if space != rest.len() {
                return Err(Error::expected("nothing behind the message", at + space));
            }
        }
        if self.ascii {
            return Ok(());
        }
        match std::str::from_utf8(self.text.message()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::expected("UTF-8", error.valid_up_to())),
        }
    }

    /// The string that opens at `at`: its bytes and the offset behind its closing quote.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is none, or one with an escape.
    #[inline(always)]
    pub fn string(&mut self, at: usize) -> Result<(&'a [u8], usize), Error> {
        if self.byte(at) != b'"' {
            return Err(Error::expected("a string", at));
        }
        match self.kernel.string_end(self.text, at + 1) {
            Some(end) => {
                self.ascii &= end.ascii;
                Ok((self.bytes(at + 1, end.quote), end.quote + 1))
            }
            None => Err(bad_string(self.text, at + 1)),
        }
    }

    /// Enters the object that opens at `at`; its fields come by [`Scanner::field`].
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is none.
    #[inline(always)]
    pub fn object(&self, at: usize) -> Result<Walk, Error> {
        if self.byte(at) != b'{' {
            return Err(Error::expected("an object", at));
        }
        Ok(Walk { at: self.space(at + 1), fresh: true })
    }

    /// The next field of an object: its key and where its value begins. The caller sets
    /// [`Walk::at`] to where the value ends. `None` at the object's end; [`Walk::at`] is behind it.
    ///
    /// # Errors
    /// [`Error::Malformed`], or a key with an escape.
    #[inline(always)]
    pub fn field(&mut self, walk: &mut Walk) -> Result<Option<(&'a [u8], usize)>, Error> {
        // Without white space, as all venues write: few compares tell where key and value are.
        let comma = usize::from(!walk.fresh);
        if let Some(next) = window::<2>(self.text, walk.at)
            && next[comma] == b'"'
            && (walk.fresh || next[0] == b',')
            && let Some(key) = self.kernel.name(self.text, walk.at + comma + 1)
            && starts_with(key.behind, b"\":")
            && key.behind[2] > b' '
        {
            walk.fresh = false;
            return Ok(Some((key.text, walk.at + comma + 1 + key.text.len() + 2)));
        }
        if !self.step(walk, b'}')? {
            return Ok(None);
        }
        let (key, end) = self.string(walk.at)?;
        Ok(Some((key, self.colon(end)?)))
    }

    /// Enters the array that opens at `at`; its elements come by [`Scanner::element`].
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is none.
    #[inline(always)]
    pub fn array(&self, at: usize) -> Result<Walk, Error> {
        if self.byte(at) != b'[' {
            return Err(Error::expected("an array", at));
        }
        Ok(Walk { at: self.space(at + 1), fresh: true })
    }

    /// Where the next element of an array begins; as [`Scanner::field`].
    ///
    /// # Errors
    /// [`Error::Malformed`].
    #[inline(always)]
    pub fn element(&self, walk: &mut Walk) -> Result<Option<usize>, Error> {
        Ok(self.step(walk, b']')?.then_some(walk.at))
    }

    /// Over the comma, or, false, over the end.
    #[inline(always)]
    fn step(&self, walk: &mut Walk, end: u8) -> Result<bool, Error> {
        let fresh = std::mem::take(&mut walk.fresh);
        if !fresh {
            walk.at = self.space(walk.at);
        }
        let byte = self.byte(walk.at);
        if byte == end {
            walk.at += 1;
            return Ok(false);
        }
        if !fresh {
            if byte != b',' {
                return Err(Error::expected("a comma or the end of what is open", walk.at));
            }
            walk.at = self.space(walk.at + 1);
        }
        Ok(true)
    }

    #[inline(always)]
    fn colon(&self, at: usize) -> Result<usize, Error> {
        let at = self.space(at);
        if self.byte(at) != b':' {
            return Err(Error::expected("a colon", at));
        }
        Ok(self.space(at + 1))
    }

    /// Passes over the value at `at`, which stands inside `depth` arrays and objects, and gives the
    /// offset behind it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no value, has an escape, or is nested too deep.
    #[inline(always)]
    pub fn skip(&mut self, mut at: usize, depth: usize) -> Result<usize, Error> {
        // A short string of plain characters, as nearly all values are: one compare finds its end.
        if self.byte(at) == b'"'
            && let Some(plain) = self.kernel.name(self.text, at + 1)
            && plain.behind[0] == b'"'
        {
            return Ok(at + plain.text.len() + 2);
        }
        // One bit for each container that is open, the innermost lowest: set for objects.
        let mut objects = 0u64;
        let mut open = 0;
        'value: loop {
            let first = self.byte(at);
            match first {
                b'"' => at = self.string(at)?.1,
                b'{' | b'[' => {
                    if depth + open >= MAX_DEPTH {
                        return Err(Error::expected("less nesting", at));
                    }
                    at = self.space(at + 1);
                    if self.byte(at) == first + 2 {
                        at += 1;
                    } else {
                        objects = objects << 1 | u64::from(first == b'{');
                        open += 1;
                        if first == b'{' {
                            let (_, end) = self.string(at)?;
                            at = self.colon(end)?;
                        }
                        continue 'value;
                    }
                }
                b'-' | b'0'..=b'9' => {
                    at = match self.kernel.integer(self.text, at) {
                        Some((_, end)) if !in_number(self.byte(end)) => end,
                        _ => number_end(self.text, at)?,
                    }
                }
                b't' if is(self.text, at, b"true") => at += 4,
                b'n' if is(self.text, at, b"null") => at += 4,
                b'f' if is(self.text, at, b"false") => at += 5,
                _ => return Err(Error::expected("a value", at)),
            }
            while open > 0 {
                at = self.space(at);
                let object = objects & 1 == 1;
                match self.byte(at) {
                    b',' => {
                        at = self.space(at + 1);
                        if object {
                            let (_, end) = self.string(at)?;
                            at = self.colon(end)?;
                        }
                        continue 'value;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return Err(Error::expected("a comma or the end of what is open", at)),
                }
                objects >>= 1;
                open -= 1;
                at += 1;
            }
            return Ok(at);
        }
    }

    /// The decimal in the string that opens at `at`; its `end` is behind the closing quote.
    ///
    /// # Errors
    /// [`Error`] when it is no string, has an escape, or holds no decimal of the scale.
    #[inline(always)]
    pub fn text_decimal(&mut self, at: usize) -> Result<Number, Error> {
        if self.byte(at) == b'"'
            && let Some(number) = self.kernel.number(self.text, at + 1, false)
            && self.byte(number.end) == b'"'
        {
            return Ok(Number { end: number.end + 1, ..number });
        }
        let (text, end) = self.string(at)?;
        let value = decimal::exact(text, at + 1, self.kernel.scale())?;
        Ok(Number { value, end, places: decimal::places(text) })
    }

    /// The decimal that the number at `at` is.
    ///
    /// # Errors
    /// [`Error`] when it is no number, or not one of the scale.
    #[inline(always)]
    pub fn number_decimal(&mut self, at: usize) -> Result<Number, Error> {
        if let Some(number) = self.kernel.number(self.text, at, true)
            && !in_number(self.byte(number.end))
        {
            return Ok(number);
        }
        decimal::any(self.text, at, true, self.kernel.scale())
    }

    /// The unsigned integer at `at`, written plainly, and the offset behind it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is none, or one above 64 bits.
    #[inline(always)]
    pub fn integer(&mut self, at: usize) -> Result<(u64, usize), Error> {
        match self.kernel.integer(self.text, at) {
            Some((value, end)) if !in_number(self.byte(end)) => Ok((value, end)),
            _ => Err(Error::expected("a plain integer", at)),
        }
    }

    /// The RFC 3339 time in the string that opens at `at`, and the offset behind it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no string, has an escape, or holds no such time.
    #[inline(always)]
    pub fn timestamp(&mut self, at: usize) -> Result<(Nanos, usize), Error> {
        if self.byte(at) == b'"'
            && let Some((time, end)) = usual_time(self.text, at + 1)
            && self.byte(end) == b'"'
        {
            return Ok((time, end + 1));
        }
        let (text, end) = self.string(at)?;
        let time = Nanos::parse_rfc3339(text).map_err(|_| Error::expected("a time", at))?;
        Ok((time, end))
    }

    /// The list of levels that opens at `at` inside `depth` arrays and objects, each an array of
    /// price and quantity as decimals in strings and of whatever follows; the offset behind it.
    ///
    /// # Errors
    /// [`Error`] when it is no such list, has an escape, or a decimal that the scale cannot hold.
    #[inline(always)]
    pub fn levels(&mut self, at: usize, depth: usize, levels: &mut Vec<Level>) -> Result<usize, Error> {
        let mut list = self.array(at)?;
        while let Some(at) = self.element(&mut list)? {
            if is(self.text, at, b"[\"")
                && let Some(pair) = self.kernel.pair(self.text, at + 2, b"\",\"", false)
                && starts_with(pair.behind, b"\"]")
            {
                let [price, qty] = pair.numbers;
                levels.push(Level::new(price.value, qty.value));
                list.at = qty.end + 2;
                continue;
            }
            let mut level = [0; 2];
            let mut count = 0;
            let mut parts = self.array(at)?;
            while let Some(at) = self.element(&mut parts)? {
                if let Some(value) = level.get_mut(count) {
                    let number = self.text_decimal(at)?;
                    (*value, parts.at) = (number.value, number.end);
                } else {
                    parts.at = self.skip(at, depth + 2)?;
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
}

/// A byte that a number may go on with.
#[inline(always)]
pub fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

/// The offset behind the number at `at`, by JSON's grammar.
///
/// # Errors
/// [`Error::Malformed`] when there is none.
pub fn number_end(text: Padded<'_>, start: usize) -> Result<usize, Error> {
    let bytes = text.message();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let digits = |mut at: usize| {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    };
    let mut at = start + usize::from(byte(start) == b'-');
    let end = digits(at);
    if end == at || (byte(at) == b'0' && end > at + 1) {
        return Err(Error::expected("a number", at));
    }
    at = end;
    if byte(at) == b'.' {
        let end = digits(at + 1);
        if end == at + 1 {
            return Err(Error::expected("a digit", end));
        }
        at = end;
    }
    if matches!(byte(at), b'e' | b'E') {
        at += 1;
        at += usize::from(matches!(byte(at), b'+' | b'-'));
        let end = digits(at);
        if end == at {
            return Err(Error::expected("a digit", end));
        }
        at = end;
    }
    Ok(at)
}

#[cold]
#[inline(never)]
fn bad_string(text: Padded<'_>, at: usize) -> Error {
    let rest = text.message().get(at..).unwrap_or_default();
    match rest.iter().position(|&b| b < 0x20 || b == b'\\') {
        Some(len) if rest[len] == b'\\' => Error::expected(ESCAPE, at + len),
        Some(len) => Error::expected("no control character", at + len),
        None => Error::expected("the string's end", text.len()),
    }
}
