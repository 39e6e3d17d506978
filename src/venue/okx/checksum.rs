//! The book checksum of before June 2026; since then the venue sends zero, which is none.
//!
//! The venue's rule: the 25 best levels of each side, bid and ask in turn, the best first, each as
//! `price:size`, all joined by `:`; where one side is shorter it is passed over. The CRC-32 of that
//! text, read as a signed number. The venue writes no trailing zeros, so a number's text follows from
//! its value.

use crate::types::{BookView, Level, Scale, Side};
use crate::types::{MAX_TEXT, format};

/// Levels a side that the checksum looks at.
const LEVELS: usize = 25;

/// The checksum of a book whose numbers are in units of `scale`.
pub fn checksum(book: &dyn BookView, scale: Scale) -> u32 {
    let (mut bids, mut asks) = ([Level::default(); LEVELS], [Level::default(); LEVELS]);
    let bid_count = book.best(Side::Buy, &mut bids).min(LEVELS);
    let ask_count = book.best(Side::Sell, &mut asks).min(LEVELS);
    let mut hash = crc32fast::Hasher::new();
    let mut text = [0; MAX_TEXT];
    let mut first = true;
    for place in 0..LEVELS {
        for level in [bids[..bid_count].get(place), asks[..ask_count].get(place)].into_iter().flatten() {
            for value in [level.price.0, level.qty.0] {
                if !std::mem::take(&mut first) {
                    hash.update(b":");
                }
                let n = format(value, scale, &mut text);
                hash.update(&text[..n]);
            }
        }
    }
    hash.finalize()
}

/// A checksum as it was sent: signed, zero = none; `None` too for what is no 32 bits.
pub fn sent(value: Option<i64>) -> Option<u32> {
    value.filter(|value| *value != 0).and_then(|value| i32::try_from(value).ok()).map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::parse;

    struct Sides<'a>(&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

    impl BookView for Sides<'_> {
        fn best(&self, side: Side, out: &mut [Level]) -> usize {
            let rows = if side == Side::Buy { self.0 } else { self.1 };
            let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
            out.iter_mut().zip(rows).map(|(to, (px, sz))| *to = Level::new(number(px), number(sz))).count()
        }
    }

    #[test]
    fn the_documents_examples_are_met() {
        let asks = [("3366.8", "9"), ("3368", "8"), ("3372", "8")];
        let even = Sides(&[("3366.1", "7"), ("3366", "6")], &asks[..2]);
        assert_eq!(checksum(&even, Scale::DEFAULT), 2_413_953_002);
        assert_eq!(sent(Some(-1_881_014_294)), Some(2_413_953_002));
        let uneven = Sides(&[("3366.1", "7")], &asks);
        assert_eq!(checksum(&uneven, Scale::DEFAULT), 831_078_360);
        assert_eq!((sent(Some(0)), sent(None), sent(Some(1 << 40))), (None, None, None));
    }
}
