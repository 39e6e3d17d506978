//! Which books moved: from many feed threads to the one that detects, without locks or a bound
//! that could be hit.
//!
//! A bit a book. Setting one that is set already conflates: the detector reads the newest top
//! anyhow. Both ends are wait-free, so a feed thread that is preempted in the middle of telling
//! holds up nobody (a queue with tickets would stop at its unfilled slot). The taker goes round
//! the books in the order of their slots: each waits at most one round.

use crate::sync::{Arc, AtomicU64, Ordering::*};

/// Makes a ring for books `0..books`.
pub fn ring(books: usize) -> (Notifier, Taker) {
    let words: Vec<_> = (0..books.div_ceil(64)).map(|_| Padded(AtomicU64::new(0))).collect();
    let words = Arc::new(words);
    (Notifier { words: Arc::clone(&words) }, Taker { words, at: 0, pending: 0 })
}

/// A word of flags with two cache lines to itself: feeds of different words do not disturb each
/// other.
#[repr(align(128))]
struct Padded(AtomicU64);

/// Says that a book moved. One a feed thread.
#[derive(Clone)]
pub struct Notifier {
    words: Arc<Vec<Padded>>,
}

/// Takes the books that moved. There is one.
pub struct Taker {
    words: Arc<Vec<Padded>>,
    /// The word after the one that `pending` was taken from.
    at: usize,
    /// Flags taken from the ring and not given out yet.
    pending: u64,
}

impl Notifier {
    /// Says that a book was published; false when that was said and not taken yet (conflated), or
    /// when there is no such book.
    #[inline]
    pub fn moved(&self, book: u16) -> bool {
        let Some(word) = self.words.get(usize::from(book) / 64) else { return false };
        let bit = 1 << (book % 64);
        // ORDERING: with the swap in `Taker::take`: who takes this flag sees what was published
        // before it was set.
        word.0.fetch_or(bit, Release) & bit == 0
    }
}

impl Taker {
    /// The next book that moved since it was last given out.
    #[inline]
    pub fn take(&mut self) -> Option<u16> {
        let mut words = self.words.len();
        while self.pending == 0 {
            if words == 0 {
                return None;
            }
            words -= 1;
            self.at = if self.at >= self.words.len() { 1 } else { self.at + 1 };
            let word = &self.words[self.at - 1].0;
            // A look costs nothing while nobody writes; a swap would take the line each time.
            if word.load(Relaxed) != 0 {
                self.pending = word.swap(0, Acquire); // ORDERING: with `Notifier::moved`.
            }
        }
        let bit = self.pending.trailing_zeros();
        self.pending &= self.pending - 1;
        Some((self.at - 1) as u16 * 64 + bit as u16)
    }
}
