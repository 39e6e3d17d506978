//! Messages with readable bytes behind them, so that wide loads never run off the end.

use std::fmt;
use std::marker::PhantomData;

/// Readable bytes that stand behind every [`Padded`] message. Their values mean nothing.
pub const PADDING: usize = 64;

/// A message and the slack behind it. Two words, so that it travels in registers.
#[derive(Clone, Copy)]
pub struct Padded<'a> {
    /// First of `len` + [`PADDING`] bytes that are borrowed for `'a`.
    start: *const u8,
    len: usize,
    borrowed: PhantomData<&'a [u8]>,
}

// SAFETY: a `Padded` is a shared borrow of bytes, as `&[u8]` is.
unsafe impl Send for Padded<'_> {}
// SAFETY: as above.
unsafe impl Sync for Padded<'_> {}

impl<'a> Padded<'a> {
    /// The first `len` bytes of `buffer` as a message; `None` when fewer than [`PADDING`] bytes
    /// stand behind them.
    #[inline]
    pub fn new(buffer: &'a [u8], len: usize) -> Option<Padded<'a>> {
        let all = len.checked_add(PADDING)?;
        (all <= buffer.len()).then_some(Padded { start: buffer.as_ptr(), len, borrowed: PhantomData })
    }

    /// The message.
    #[inline]
    pub fn message(&self) -> &'a [u8] {
        // SAFETY: `start` is the first of more bytes than these, borrowed for `'a`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// The message and [`PADDING`] bytes more.
    #[inline]
    pub fn with_slack(&self) -> &'a [u8] {
        // SAFETY: `start` is the first of so many bytes, borrowed for `'a`.
        unsafe { std::slice::from_raw_parts(self.start, self.len + PADDING) }
    }

    /// Length of the message.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for an empty message.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of the message; what follows it in the message is its slack. `None` when the range
    /// is not inside the message.
    pub fn part(&self, range: std::ops::Range<usize>) -> Option<Padded<'a>> {
        let len = range.end.checked_sub(range.start)?;
        let from = self.with_slack().get(range.start..)?;
        let part = Padded { start: from.as_ptr(), len, borrowed: PhantomData };
        // What is there behind the part is at least what stands behind the whole.
        (range.end <= self.len).then_some(part)
    }
}

impl Default for Padded<'_> {
    /// An empty message.
    fn default() -> Self {
        static SLACK: [u8; PADDING] = [0; PADDING];
        Padded { start: SLACK.as_ptr(), len: 0, borrowed: PhantomData }
    }
}

impl fmt::Debug for Padded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Padded(\"{}\")", self.message().escape_ascii())
    }
}

/// A reusable buffer that gives any text the slack it lacks, by copying it once.
#[derive(Default, Debug)]
pub struct PaddedBuf(Vec<u8>);

impl PaddedBuf {
    /// An empty buffer that takes messages of up to `capacity` bytes without allocating.
    pub fn with_capacity(capacity: usize) -> PaddedBuf {
        PaddedBuf(Vec::with_capacity(capacity + PADDING))
    }

    /// Copies `message` in, replacing what was there.
    pub fn fill(&mut self, message: &[u8]) -> Padded<'_> {
        self.0.clear();
        self.0.extend_from_slice(message);
        self.0.extend_from_slice(&[0; PADDING]);
        self.message()
    }

    /// What was copied in last; empty before the first.
    pub fn message(&self) -> Padded<'_> {
        let len = self.0.len().saturating_sub(PADDING);
        Padded::new(&self.0, len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_always_there() {
        let buffer = [b'x'; 100];
        assert!(Padded::new(&buffer, 37).is_none());
        assert!(Padded::new(&buffer, usize::MAX).is_none());
        let whole = Padded::new(&buffer, 36).unwrap();
        assert_eq!((whole.len(), whole.message().len(), whole.with_slack().len()), (36, 36, 100));
        let part = whole.part(30..36).unwrap();
        assert_eq!((part.len(), part.with_slack().len()), (6, 70));
        assert!(whole.part(30..37).is_none());
        let mut buffer = PaddedBuf::default();
        assert!(buffer.message().is_empty());
        assert_eq!(buffer.fill(b"abc").message(), b"abc");
        assert_eq!(buffer.message().message(), b"abc");
    }
}
