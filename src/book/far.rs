//! Levels outside the flat window: few of them change, but thousands are alive and any may be next.
//!
//! Sorted pages of at most 64 levels under a sorted directory, all memory taken at start: a search
//! is two short binary searches, an insertion moves at most half a page. Every page but a lone one
//! holds at least a quarter, so the pages reserved for the capacity always suffice.

/// Levels in a page.
const PAGE: usize = 64;
/// Levels that a page has at least, unless it is the only one.
const LEAST: usize = PAGE / 4;
/// Two pages with no more than this together become one.
const MERGED: usize = PAGE * 3 / 4;

/// No key: larger than every real one.
pub(super) const NONE: u64 = u64::MAX;

/// The capacity is used up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A sorted map from key to quantity.
pub(super) struct Far {
    /// `PAGE` a page.
    keys: Vec<u64>,
    qtys: Vec<i64>,
    /// Levels in each page.
    lens: Vec<u8>,
    /// Lower bound of each page in use, in order; exact but after removals.
    firsts: Vec<u64>,
    /// Which page that is.
    pages: Vec<u32>,
    free: Vec<u32>,
    len: usize,
    capacity: usize,
}

/// A place in the order of levels; any change of the levels invalidates it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    page: usize,
    at: usize,
}

impl Cursor {
    /// Before the smallest key.
    pub const FIRST: Cursor = Cursor { page: 0, at: 0 };
}

impl Far {
    pub fn new(capacity: usize) -> Far {
        let pages = capacity / LEAST + 2;
        Far {
            keys: vec![0; pages * PAGE],
            qtys: vec![0; pages * PAGE],
            lens: vec![0; pages],
            firsts: Vec::with_capacity(pages),
            pages: Vec::with_capacity(pages),
            free: (0..pages as u32).rev().collect(),
            len: 0,
            capacity,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// How many more levels fit.
    pub fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// The smallest key, or [`NONE`].
    #[inline]
    pub fn first(&self) -> u64 {
        match self.pages.first() {
            Some(&page) => self.keys[page as usize * PAGE],
            None => NONE,
        }
    }

    /// The largest key.
    pub fn last(&self) -> Option<u64> {
        let page = *self.pages.last()? as usize;
        Some(self.keys[page * PAGE + usize::from(self.lens[page]) - 1])
    }

    pub fn clear(&mut self) {
        self.free.append(&mut self.pages);
        self.firsts.clear();
        self.len = 0;
    }

    /// Sets the quantity at a key; zero removes it.
    pub fn set(&mut self, key: u64, qty: i64) -> Result<(), Full> {
        if self.pages.is_empty() {
            if qty != 0 {
                self.start(key, qty)?;
            }
            return Ok(());
        }
        let entry = self.entry_of(key);
        let page = self.pages[entry] as usize;
        let (at, len) = (self.position(page, key), usize::from(self.lens[page]));
        let slot = page * PAGE + at;
        let here = at < len && self.keys[slot] == key;
        match (here, qty != 0) {
            (true, true) => self.qtys[slot] = qty,
            (true, false) => self.remove(entry, page, at),
            (false, true) => return self.insert(entry, page, at, key, qty),
            (false, false) => {}
        }
        Ok(())
    }

    /// The place of the first level at or after a key.
    pub fn seek(&self, key: u64) -> Cursor {
        if self.pages.is_empty() {
            return Cursor::FIRST;
        }
        let entry = self.entry_of(key);
        let page = self.pages[entry] as usize;
        match self.position(page, key) {
            at if at == usize::from(self.lens[page]) => Cursor { page: entry + 1, at: 0 },
            at => Cursor { page: entry, at },
        }
    }

    /// The level at a place.
    #[inline]
    pub fn at(&self, cursor: Cursor) -> Option<(u64, i64)> {
        let page = *self.pages.get(cursor.page)? as usize;
        let slot = page * PAGE + cursor.at;
        Some((self.keys[slot], self.qtys[slot]))
    }

    /// The place after one that holds a level.
    #[inline]
    pub fn after(&self, cursor: Cursor) -> Cursor {
        let len = self.pages.get(cursor.page).map_or(0, |&page| usize::from(self.lens[page as usize]));
        if cursor.at + 1 < len {
            Cursor { page: cursor.page, at: cursor.at + 1 }
        } else {
            Cursor { page: cursor.page + 1, at: 0 }
        }
    }

    /// The directory entry whose page holds `key`, or would.
    #[inline]
    fn entry_of(&self, key: u64) -> usize {
        self.firsts.partition_point(|&first| first <= key).saturating_sub(1)
    }

    /// Where in a page `key` is, or would be.
    #[inline]
    fn position(&self, page: usize, key: u64) -> usize {
        let from = page * PAGE;
        self.keys[from..from + usize::from(self.lens[page])].partition_point(|&have| have < key)
    }

    fn start(&mut self, key: u64, qty: i64) -> Result<(), Full> {
        if self.capacity == 0 {
            return Err(Full);
        }
        let page = self.free.pop().ok_or(Full)?;
        let from = page as usize * PAGE;
        (self.keys[from], self.qtys[from]) = (key, qty);
        self.lens[page as usize] = 1;
        self.firsts.push(key);
        self.pages.push(page);
        self.len = 1;
        Ok(())
    }

    fn insert(&mut self, entry: usize, page: usize, at: usize, key: u64, qty: i64) -> Result<(), Full> {
        if self.len == self.capacity {
            return Err(Full);
        }
        let (mut entry, mut page, mut at) = (entry, page, at);
        if usize::from(self.lens[page]) == PAGE {
            // Levels that come in order leave full pages behind, not half-empty ones.
            let keep = if at == PAGE { MERGED } else { PAGE / 2 };
            let new = self.free.pop().ok_or(Full)?;
            self.lens[new as usize] = 0;
            self.pages.insert(entry + 1, new);
            self.shift(page, keep, new as usize, 0, PAGE - keep);
            self.firsts.insert(entry + 1, self.keys[new as usize * PAGE]);
            if at > keep {
                (entry, page, at) = (entry + 1, new as usize, at - keep);
            }
        }
        let (from, len) = (page * PAGE, usize::from(self.lens[page]));
        self.keys.copy_within(from + at..from + len, from + at + 1);
        self.qtys.copy_within(from + at..from + len, from + at + 1);
        (self.keys[from + at], self.qtys[from + at]) = (key, qty);
        self.lens[page] += 1;
        self.firsts[entry] = self.firsts[entry].min(key);
        self.len += 1;
        Ok(())
    }

    fn remove(&mut self, entry: usize, page: usize, at: usize) {
        let (from, len) = (page * PAGE, usize::from(self.lens[page]));
        self.keys.copy_within(from + at + 1..from + len, from + at);
        self.qtys.copy_within(from + at + 1..from + len, from + at);
        self.lens[page] -= 1;
        self.len -= 1;
        if len > LEAST {
            return;
        }
        if self.pages.len() == 1 {
            if len == 1 {
                self.clear();
            }
            return;
        }
        // Too small beside others: join it with a neighbour, or even the two out.
        let left = if entry + 1 < self.pages.len() { entry } else { entry - 1 };
        let (a, b) = (self.pages[left] as usize, self.pages[left + 1] as usize);
        let (have_a, have_b) = (usize::from(self.lens[a]), usize::from(self.lens[b]));
        if have_a + have_b <= MERGED {
            self.shift(b, 0, a, have_a, have_b);
            self.firsts.remove(left + 1);
            let gone = self.pages.remove(left + 1);
            self.free.push(gone);
            return;
        }
        let half = (have_a + have_b) / 2;
        if have_a > half {
            self.shift(a, half, b, 0, have_a - half);
        } else {
            let moved = half - have_a;
            self.shift(b, 0, a, have_a, moved);
        }
        self.firsts[left + 1] = self.keys[b * PAGE];
    }

    /// Moves `count` levels from place `at` of one page (its head or its tail) to place `to` of
    /// another, making room there.
    fn shift(&mut self, page: usize, at: usize, into: usize, to: usize, count: usize) {
        let (source, target) = (page * PAGE, into * PAGE);
        let (have, there) = (usize::from(self.lens[page]), usize::from(self.lens[into]));
        fn moved<T: Copy>(
            items: &mut [T],
            (source, at, have): (usize, usize, usize),
            (target, to, there): (usize, usize, usize),
            count: usize,
        ) {
            items.copy_within(target + to..target + there, target + to + count);
            items.copy_within(source + at..source + at + count, target + to);
            items.copy_within(source + at + count..source + have, source + at);
        }
        moved(&mut self.keys, (source, at, have), (target, to, there), count);
        moved(&mut self.qtys, (source, at, have), (target, to, there), count);
        self.lens[page] -= count as u8;
        self.lens[into] += count as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn all(far: &Far) -> Vec<(u64, i64)> {
        let mut cursor = far.seek(0);
        let mut out = Vec::new();
        while let Some(level) = far.at(cursor) {
            out.push(level);
            cursor = far.after(cursor);
        }
        out
    }

    fn check(far: &Far, want: &BTreeMap<u64, i64>) -> Result<(), TestCaseError> {
        prop_assert_eq!(all(far), want.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        prop_assert_eq!(far.len(), want.len());
        prop_assert_eq!(far.first(), want.keys().next().copied().unwrap_or(NONE));
        prop_assert_eq!(far.last(), want.keys().last().copied());
        for (entry, &page) in far.pages.iter().enumerate() {
            let len = usize::from(far.lens[page as usize]);
            prop_assert!(len >= LEAST || far.pages.len() == 1, "page {} has {}", entry, len);
        }
        prop_assert_eq!(far.pages.len() + far.free.len(), far.lens.len());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn pages_behave_like_a_sorted_map(
            steps in prop::collection::vec((0u64..700, prop_oneof![Just(0i64), 1i64..9]), 0..3_000),
            seeks in prop::collection::vec(0u64..720, 20),
        ) {
            let (mut far, mut map) = (Far::new(400), BTreeMap::new());
            for (step, (key, qty)) in steps.into_iter().enumerate() {
                let full = qty != 0 && !map.contains_key(&key) && map.len() == 400;
                prop_assert_eq!(far.set(key, qty), if full { Err(Full) } else { Ok(()) });
                match qty {
                    0 => { map.remove(&key); }
                    _ if !full => { map.insert(key, qty); }
                    _ => {}
                }
                if step % 64 == 0 {
                    check(&far, &map)?;
                }
            }
            check(&far, &map)?;
            for key in seeks {
                let want = map.range(key..).next().map(|(k, v)| (*k, *v));
                prop_assert_eq!(far.at(far.seek(key)), want);
            }
        }
    }

    #[test]
    fn the_whole_capacity_fits_in_any_order_and_empties_again() {
        for step in [1u64, 7, 389, 998] {
            let mut far = Far::new(1_000);
            let mut map = BTreeMap::new();
            // 997 is prime and 998 = -1 modulo 999: forwards, scattered and backwards.
            for i in 0..1_000u64 {
                let key = i * step % 1_009;
                far.set(key, 1).unwrap();
                map.insert(key, 1);
            }
            check(&far, &map).unwrap();
            assert_eq!(far.set(5_000, 1), if map.len() == 1_000 { Err(Full) } else { Ok(()) });
            for key in 0..1_009 {
                far.set(key, 0).unwrap();
            }
            far.set(5_000, 0).unwrap();
            assert_eq!((far.len(), far.first(), far.last()), (0, NONE, None));
        }
    }
}
