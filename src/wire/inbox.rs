//! Bytes that arrived and are not yet used, in one piece, with slack behind them.
//!
//! Bytes are written at the end and used from the front; nothing moves for a message. Only when
//! the end comes near is the unread rest (as a rule a part of one frame) moved to the front, and
//! only when that rest fills the buffer does the buffer grow, up to its bound. So memory follows
//! the bytes that came, never a length that a peer merely announced.

use super::PADDING;

/// Least room worth receiving into.
const ROOM_MIN: usize = 4096;

pub(crate) struct Inbox {
    /// The last [`PADDING`] bytes are never filled.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    most: usize,
}

impl Inbox {
    /// Holds `first` bytes at once, and grows as far as needed for a piece of `largest` bytes.
    pub fn new(first: usize, largest: usize) -> Inbox {
        let most = largest.saturating_add(2 * ROOM_MIN + PADDING);
        let first = first.clamp(2 * ROOM_MIN + PADDING, most);
        Inbox { buffer: vec![0; first], start: 0, end: 0, most }
    }

    /// Where received bytes go. Empty only when the bound is reached and nothing was used.
    /// Positions given out before are void afterwards.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.room() < ROOM_MIN {
            self.make_room();
        }
        let room = self.room();
        &mut self.buffer[self.end..self.end + room]
    }

    fn room(&self) -> usize {
        self.buffer.len() - PADDING - self.end
    }

    #[cold]
    fn make_room(&mut self) {
        let unread = self.end - self.start;
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, unread);
        }
        // More than half in use even so: with no growth every few bytes would move it again.
        if unread > self.buffer.len() / 2 && self.buffer.len() < self.most {
            let grown = self.buffer.len().saturating_mul(2).min(self.most);
            self.buffer.resize(grown, 0);
        }
    }

    /// `count` bytes were written to the front of [`Inbox::space`].
    pub fn filled(&mut self, count: usize) {
        debug_assert!(count <= self.room(), "{count} bytes in a room of {}", self.room());
        self.end += count.min(self.room());
    }

    /// Puts bytes in, as far as there is room; returns how many.
    pub fn put(&mut self, mut bytes: &[u8]) -> usize {
        let all = bytes.len();
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            if count == 0 {
                break;
            }
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
        all - bytes.len()
    }

    /// What is not yet used.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// What is not yet used, to be changed in place.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// The unread bytes and the slack behind them.
    pub fn unread_with_slack(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The first bytes, of which as many have arrived as told.
    #[inline]
    pub fn front(&self) -> (&[u8; 16], usize) {
        // The slack behind `end` makes the chunk always whole.
        let front = self.buffer.get(self.start..).and_then(|rest| rest.first_chunk());
        (front.unwrap_or(&[0; 16]), self.end - self.start)
    }

    /// Position of the first unread byte, for [`Inbox::from`].
    pub fn position(&self) -> usize {
        self.start
    }

    /// Everything from a position on, slack included.
    pub fn from(&self, position: usize) -> &[u8] {
        self.buffer.get(position..).unwrap_or_default()
    }

    /// The first `count` unread bytes are used.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_and_memory_is_bounded() {
        let mut inbox = Inbox::new(0, 20_000);
        let bytes: Vec<u8> = (0..200_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let (mut put, mut got) = (0, Vec::new());
        let mut step = 1;
        while got.len() < bytes.len() {
            step = step % 4099 + 13;
            put += inbox.put(&bytes[put..bytes.len().min(put + step)]);
            assert!(inbox.unread_with_slack().len() >= inbox.unread().len() + PADDING);
            let used = inbox.unread().len().min(step / 2 + 7);
            got.extend_from_slice(&inbox.unread()[..used]);
            inbox.consume(used);
        }
        assert!(got == bytes);
        let mut full = Inbox::new(0, 20_000);
        let taken = full.put(&bytes);
        assert!((20_000..40_000).contains(&taken), "{taken}");
        assert!(full.space().is_empty());
    }
}
