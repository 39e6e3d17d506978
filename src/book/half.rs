//! One side of a book, by key: the smaller the key, the better the price.
//!
//! A flat ring of quantities covers a window of keys around the best; a bitmap says which are
//! alive, a second one which of its words are not empty. The ring follows the price: moving the
//! window leaves what stays inside where it is. Everything outside is in [`Far`], better keys too,
//! so a book is right wherever the window stands, and merely slower when it stands badly.
//!
//! Whether a message sets a level, removes one, or removes one that is not there is anybody's guess,
//! and a wrong guess costs a processor as much as several levels: all three take the same
//! instructions. So the best key is not followed while levels are set, and found once after them: it
//! is no smaller than what it was, or than the smallest key that was set.

use super::far::{Cursor, Far, Full, NONE};
use super::tick::Tick;
use crate::types::Level;

/// Ticks in a word of the bitmap.
const WORD: u64 = 64;

/// One side of a book.
pub(super) struct Half {
    /// The window's first key, a multiple of 64.
    base: u64,
    /// Quantities of the keys from `base` on, each at its key modulo the length; one without its
    /// bit is whatever was there before.
    qtys: Vec<i64>,
    /// A bit for each key, laid out as `qtys`.
    words: Vec<u64>,
    /// A bit for each word that is not zero.
    summary: Vec<u64>,
    /// The smallest key in the window, or [`NONE`].
    best: u64,
    /// Levels in the window.
    count: usize,
    far: Far,
    /// Levels set since the window last moved: moving costs about as much as the levels there are,
    /// so it must not happen more often than that.
    since: usize,
}

/// The window, borrowed part by part: in a loop its places stay in registers.
struct Window<'a> {
    qtys: &'a mut [i64],
    words: &'a mut [u64],
    summary: &'a mut [u64],
    count: usize,
}

impl Window<'_> {
    /// Sets the quantity at a key of the window; zero removes it.
    #[inline(always)]
    fn put(&mut self, key: u64, qty: i64) {
        let slot = key as usize & (self.qtys.len() - 1);
        let (index, bit) = ((key / WORD) as usize & (self.words.len() - 1), key % WORD);
        let alive = u64::from(qty != 0);
        let word = &mut self.words[index];
        let (before, was) = (*word, *word >> bit & 1);
        let after = before ^ (was ^ alive) << bit;
        *word = after;
        // Rare: the levels of a book stand close together. One question, not two: removals of what is not
        // there, from words that are empty, are as common as not.
        if (before == 0) != (after == 0) {
            self.summary[index / 64] ^= 1 << (index % 64);
        }
        self.qtys[slot] = qty;
        self.count = self.count + alive as usize - was as usize;
    }
}

/// Where an iteration over a side stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Next key in the window, or [`NONE`].
    near: u64,
    far: Cursor,
}

impl Half {
    /// `window` is rounded up to a power of two, at least 128.
    pub fn new(window: usize, far_capacity: usize) -> Half {
        let window = window.next_power_of_two().max(128);
        let words = window / 64;
        Half {
            base: 0,
            qtys: vec![0; window],
            words: vec![0; words],
            summary: vec![0; words.div_ceil(64)],
            best: NONE,
            count: 0,
            far: Far::new(far_capacity),
            since: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.count + self.far.len()
    }

    /// The best key, or [`NONE`].
    #[inline]
    pub fn best(&self) -> u64 {
        self.best.min(self.far.first())
    }

    pub fn clear(&mut self) {
        self.words.fill(0);
        self.summary.fill(0);
        (self.best, self.count, self.since) = (NONE, 0, 0);
        self.far.clear();
    }

    /// Empties the side and puts the window where `best` will be the best key.
    pub fn restart(&mut self, best: u64) {
        self.clear();
        self.base = self.base_for(best);
    }

    /// Sets levels until one is refused: the best key set, and the place of the refused one. Keys are
    /// tick numbers, mirrored.
    pub fn set_all(&mut self, tick: Tick, mirror: u64, levels: &[Level]) -> (u64, Result<(), usize>) {
        let Half { base, qtys, words, summary, count, far, .. } = self;
        let mut window = Window { qtys, words, summary, count: *count };
        let (mut touched, mut refused) = (NONE, false);
        let mut rest = levels.iter();
        for level in rest.by_ref() {
            let (price, qty) = (level.price.0, level.qty.0);
            let Some(ticks) = tick.index(price).filter(|_| qty >= 0) else {
                refused = true;
                break;
            };
            let key = ticks ^ mirror;
            if key.wrapping_sub(*base) < window.qtys.len() as u64 {
                window.put(key, qty);
            } else if far.set(key, qty).is_err() {
                refused = true;
                break;
            }
            touched = touched.min(key);
        }
        *count = window.count;
        self.find_best(touched);
        (touched, if refused { Err(levels.len() - rest.len() - 1) } else { Ok(()) })
    }

    /// Sets the quantity at a key; zero removes it.
    fn set(&mut self, key: u64, qty: i64) -> Result<(), Full> {
        if key.wrapping_sub(self.base) >= self.qtys.len() as u64 {
            return self.far.set(key, qty);
        }
        self.set_near(key, qty);
        self.find_best(key);
        Ok(())
    }

    /// Leaves the best key as it was.
    fn set_near(&mut self, key: u64, qty: i64) {
        let Half { qtys, words, summary, count, .. } = self;
        let mut window = Window { qtys, words, summary, count: *count };
        window.put(key, qty);
        *count = window.count;
    }

    /// Finds the best key anew, after keys were set of which `touched` was the smallest, in the window or
    /// out of it.
    #[inline]
    fn find_best(&mut self, touched: u64) {
        let low = touched.max(self.base);
        if low < self.base + self.qtys.len() as u64 {
            self.best = self.best.min(low);
        }
        let slot = self.best as usize & (self.qtys.len() - 1);
        if self.best != NONE && self.words[slot / 64] >> (slot % 64) & 1 == 0 {
            self.best = self.next(self.best + 1);
        }
    }

    /// Called after each message, with the number of levels it set: moves the window when the best
    /// has left its middle.
    #[inline]
    pub fn settle(&mut self, set: usize) {
        self.since += set;
        let (best, window) = (self.best(), self.qtys.len() as u64);
        let middle = best.wrapping_sub(self.base + window / 8) < window / 8 * 3;
        if !middle && best != NONE && self.since >= self.len() {
            self.follow(best);
        }
    }

    /// A quarter of the window is for prices better than the best, the rest for worse ones.
    fn base_for(&self, best: u64) -> u64 {
        best.saturating_sub(self.qtys.len() as u64 / 4) / WORD * WORD
    }

    #[cold]
    fn follow(&mut self, best: u64) {
        self.since = 0;
        let (old, new, window) = (self.base, self.base_for(best), self.qtys.len() as u64);
        let leaving = match new.abs_diff(old).min(window) {
            0 => return,
            step if new > old => old..old + step,
            step => old + window - step..old + window,
        };
        let words = || leaving.clone().step_by(WORD as usize);
        let index = |key: u64, words: &[u64]| (key / WORD) as usize & (words.len() - 1);
        let count: u32 = words().map(|key| self.words[index(key, &self.words)].count_ones()).sum();
        if count as usize > self.far.room() {
            return; // The book stays right where the window is.
        }
        for first in words() {
            let at = index(first, &self.words);
            let mut word = std::mem::take(&mut self.words[at]);
            self.summary[at / 64] &= !(1 << (at % 64));
            while word != 0 {
                let key = first + u64::from(word.trailing_zeros());
                word &= word - 1;
                let qty = self.qtys[key as usize & (self.qtys.len() - 1)];
                let moved = self.far.set(key, qty);
                debug_assert!(moved.is_ok(), "room was checked");
            }
        }
        self.count -= count as usize;
        self.base = new;
        self.best = NONE;
        while let Some((key, qty)) = self.far.at(self.far.seek(new)).filter(|(key, _)| *key < new + window) {
            self.set_near(key, qty);
            let gone = self.far.set(key, 0);
            debug_assert!(gone.is_ok(), "removals always fit");
        }
        self.best = self.next(new);
    }

    /// The smallest key in the window at or after `key`, which is in the window or its end.
    #[inline]
    fn next(&self, key: u64) -> u64 {
        let end = self.base + self.qtys.len() as u64;
        if key >= end {
            return NONE;
        }
        let (first, start) = ((key / WORD) as usize & (self.words.len() - 1), key / WORD * WORD);
        let word = self.words[first] & (u64::MAX << (key % WORD));
        if word != 0 {
            return start + u64::from(word.trailing_zeros());
        }
        let start = start + self.words_to_next(first) as u64 * WORD;
        if start >= end {
            return NONE;
        }
        let word = self.words[(start / WORD) as usize & (self.words.len() - 1)];
        start + u64::from(word.trailing_zeros())
    }

    /// How far the next word with a bit is after word `from`, around the ring; its whole length
    /// when there is none.
    #[inline]
    fn words_to_next(&self, from: usize) -> usize {
        let (group, mask) = (from / 64, self.words.len() - 1);
        let above = (u64::MAX << (from % 64)) << 1;
        for step in 0..=self.summary.len() {
            let at = (group + step) & (self.summary.len() - 1);
            let wanted = match step {
                0 => above,
                _ if step == self.summary.len() => !above & !(1 << (from % 64)),
                _ => u64::MAX,
            };
            let bits = self.summary[at] & wanted;
            if bits != 0 {
                let found = at * 64 + bits.trailing_zeros() as usize;
                return found.wrapping_sub(from) & mask;
            }
        }
        self.words.len()
    }

    /// The largest key in the window.
    fn last_near(&self) -> Option<u64> {
        let mask = self.words.len() - 1;
        let from = (self.base / WORD) as usize & mask;
        let below = (1u64 << (from % 64)) - 1;
        for step in 0..=self.summary.len() {
            // Backwards around the ring: it ends just before the word where it begins.
            let at = (from / 64).wrapping_sub(step) & (self.summary.len() - 1);
            let wanted = match step {
                0 => below,
                _ if step == self.summary.len() => !below,
                _ => u64::MAX,
            };
            let bits = self.summary[at] & wanted;
            if bits != 0 {
                let found = at * 64 + bits.ilog2() as usize;
                let key = self.base + (found.wrapping_sub(from) & mask) as u64 * WORD;
                return Some(key + u64::from(self.words[found].ilog2()));
            }
        }
        None
    }

    /// Removes the worst levels beyond the best `keep`.
    pub fn truncate(&mut self, keep: usize) {
        while self.len() > keep {
            let Some(worst) = self.last_near().max(self.far.last()) else { return };
            let gone = self.set(worst, 0);
            debug_assert!(gone.is_ok(), "removals always fit");
        }
    }

    /// Hands the best levels to `take`, at most `most`, and returns how many there were.
    #[inline]
    pub fn gather(&self, most: usize, mut take: impl FnMut(usize, u64, i64)) -> usize {
        let mut count = 0;
        let mut walk = self.start();
        if self.far.first() > self.best {
            // Nothing is better than the window: its words in order, each bit by bit. The words that are
            // not empty are read off the summary, which is held while a group of them lasts.
            let (qtys, words, summary) = (&self.qtys[..], &self.words[..], &self.summary[..]);
            let (first, end) = (self.best / WORD, self.base / WORD + words.len() as u64);
            let span = WORD.min(words.len() as u64); // of a group, a power of two as the ring is
            let mut group = first & !(span - 1);
            let mut wanted = u64::MAX << (first & (span - 1));
            let mut left = u64::MAX << (self.best % WORD);
            while group < end {
                let mut alive = summary[(group / WORD) as usize & (summary.len() - 1)] & wanted;
                while alive != 0 {
                    let number = group + u64::from(alive.trailing_zeros());
                    if number >= end {
                        break; // what is there in the ring was before the window's first word
                    }
                    let mut word = words[number as usize & (words.len() - 1)] & left;
                    while word != 0 {
                        if count == most {
                            return count;
                        }
                        let key = number * WORD + u64::from(word.trailing_zeros());
                        take(count, key, qtys[key as usize & (qtys.len() - 1)]);
                        count += 1;
                        word &= word - 1;
                    }
                    (alive, left) = (alive & (alive - 1), u64::MAX);
                }
                if count == most {
                    return count;
                }
                (group, wanted) = (group + span, u64::MAX);
            }
            walk.near = NONE;
        }
        while count < most {
            let Some((key, qty)) = self.step(&mut walk) else { break };
            take(count, key, qty);
            count += 1;
        }
        count
    }

    /// The best level.
    #[inline]
    pub fn first(&self) -> Option<(u64, i64)> {
        if self.far.first() < self.best {
            return self.far.at(Cursor::FIRST);
        }
        (self.best != NONE).then(|| (self.best, self.qtys[self.best as usize & (self.qtys.len() - 1)]))
    }

    /// Before the best level.
    #[inline]
    pub fn start(&self) -> Walk {
        Walk { near: self.best, far: Cursor::FIRST }
    }

    /// The level at a place in the order, and moves the place on.
    #[inline]
    pub fn step(&self, walk: &mut Walk) -> Option<(u64, i64)> {
        match self.far.at(walk.far) {
            Some((key, qty)) if key < walk.near => {
                walk.far = self.far.after(walk.far);
                Some((key, qty))
            }
            _ if walk.near == NONE => None,
            _ => {
                let key = walk.near;
                walk.near = self.next(key + 1);
                Some((key, self.qtys[key as usize & (self.qtys.len() - 1)]))
            }
        }
    }
}
