//! Messages with readable bytes behind them, so that wide loads never run off the end.

/// Readable bytes that stand behind every [`Padded`] message. Their values mean nothing.
pub const PADDING: usize = 64;

/// A message and the slack behind it.
#[derive(Clone, Copy, Debug)]
pub struct Padded<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Padded<'a> {
    /// The first `len` bytes of `buffer` as a message; `None` when fewer than [`PADDING`] bytes
    /// stand behind them.
    pub fn new(buffer: &'a [u8], len: usize) -> Option<Padded<'a>> {
        (len.checked_add(PADDING)? <= buffer.len()).then_some(Padded { bytes: buffer, len })
    }

    /// The message.
    pub fn message(&self) -> &'a [u8] {
        &self.bytes[..self.len]
    }

    /// The message and at least [`PADDING`] bytes more.
    pub fn with_slack(&self) -> &'a [u8] {
        self.bytes
    }

    /// Length of the message.
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
        (range.start <= range.end && range.end <= self.len)
            .then(|| Padded { bytes: &self.bytes[range.start..], len: range.end - range.start })
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
        Padded { bytes: &self.0, len: message.len() }
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
        assert_eq!(PaddedBuf::default().fill(b"abc").message(), b"abc");
    }
}
