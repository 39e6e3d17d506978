//! Which of a feed's books a symbol names.

use crate::types::{BookId, Symbol};

/// Books by symbol: a table of places, open addressing. A message's symbol is found by one compare
/// nearly always, however many books a connection carries.
#[derive(Clone, Debug)]
pub struct BookNames {
    names: Vec<(Symbol, BookId)>,
    /// Number of the name plus one; zero where there is none. A power of two, at most half full.
    table: Vec<u32>,
}

impl BookNames {
    /// No book yet.
    pub fn new() -> BookNames {
        BookNames { names: Vec::new(), table: vec![0; 16] }
    }

    /// Names a book; one that a symbol named before keeps that name.
    pub fn insert(&mut self, symbol: Symbol, book: BookId) {
        if self.find(symbol.as_bytes()).is_some() {
            return;
        }
        self.names.push((symbol, book));
        if self.names.len() * 2 > self.table.len() {
            self.table = vec![0; self.table.len() * 2];
            for number in 0..self.names.len() {
                self.enter(number);
            }
        } else {
            self.enter(self.names.len() - 1);
        }
    }

    fn enter(&mut self, number: usize) {
        let mask = self.table.len() - 1;
        let mut slot = hash(self.names[number].0.as_bytes()) & mask;
        while self.table[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.table[slot] = number as u32 + 1;
    }

    /// The book of that symbol.
    #[inline]
    pub fn find(&self, symbol: &[u8]) -> Option<BookId> {
        let mask = self.table.len() - 1;
        let mut slot = hash(symbol);
        loop {
            let number = *self.table.get(slot & mask)?;
            // Zero wraps beyond all names.
            let (name, book) = self.names.get((number as usize).wrapping_sub(1))?;
            if name.as_bytes() == symbol {
                return Some(*book);
            }
            slot += 1;
        }
    }
}

impl Default for BookNames {
    fn default() -> BookNames {
        BookNames::new()
    }
}

/// The ends of a symbol, mixed: what lies between is rarely all that differs.
#[inline]
fn hash(symbol: &[u8]) -> usize {
    let bits = if let (Some(first), Some(last)) = (symbol.first_chunk(), symbol.last_chunk()) {
        u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
    } else if let (Some(first), Some(last)) = (symbol.first_chunk(), symbol.last_chunk()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
    } else {
        symbol.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    };
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_finds_its_book_and_no_other_does() {
        let mut names = BookNames::new();
        assert_eq!(names.find(b""), None);
        let symbol = |i: u16| match i % 3 {
            0 => format!("{i}"),
            1 => format!("1000{i}USDT"),
            _ => format!("LONGPREFIX{i}LONGSUFFIX"),
        };
        for i in 0..1_000 {
            assert_eq!(names.find(symbol(i).as_bytes()), None, "{i}");
            names.insert(Symbol::new(&symbol(i)).unwrap(), BookId(i));
        }
        for i in 0..1_000 {
            assert_eq!(names.find(symbol(i).as_bytes()), Some(BookId(i)));
            names.insert(Symbol::new(&symbol(i)).unwrap(), BookId(7));
            assert_eq!(names.find(symbol(i).as_bytes()), Some(BookId(i)), "the first stays");
        }
        assert_eq!(names.find(b"a symbol longer than any name that there can be"), None);
    }
}
