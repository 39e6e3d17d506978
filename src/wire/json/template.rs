//! The first tier: steps over a message whose every byte is known but for its values. Each step
//! takes an offset and gives the one behind what it took; `None` leaves the message to the next
//! tier.

use std::ops::Range;

use super::kernel::{Kernel, is, starts_with, window};
use super::scan;
use super::time::usual_time;
use crate::types::{Level, Nanos};
use crate::wire::decimal::Number;
use crate::wire::{Padded, decimal};

/// A message that is compared with its usual spelling. An offset may run into the slack behind the
/// message: [`Template::end`] refuses it then.
#[derive(Clone, Copy)]
pub struct Template<'a, K> {
    /// The message.
    pub text: Padded<'a>,
    /// How it is read.
    pub kernel: K,
}

impl<'a, K: Kernel> Template<'a, K> {
    /// Exactly these bytes.
    #[inline(always)]
    pub fn literal<const N: usize>(self, at: usize, literal: &[u8; N]) -> Option<usize> {
        is(self.text, at, literal).then_some(at + N)
    }

    /// The message ends at `at`.
    #[inline(always)]
    pub fn end(self, at: usize) -> Option<()> {
        (at == self.text.len()).then_some(())
    }

    /// The string whose first byte is at `at`, and the offset behind its quote.
    #[inline(always)]
    pub fn string(self, at: usize) -> Option<(&'a [u8], usize)> {
        let end = self.kernel.string_end(self.text, at)?;
        let bytes = self.text.message().get(at..end.quote)?;
        if !end.ascii && std::str::from_utf8(bytes).is_err() {
            return None;
        }
        Some((bytes, end.quote + 1))
    }

    /// The string whose first byte is at `at`, nearly always a short plain name, with exactly `next`
    /// behind it, of which the first byte is the string's closing quote; the offset behind `next`.
    #[inline(always)]
    pub fn name<const N: usize>(self, at: usize, next: &[u8; N]) -> Option<(&'a [u8], usize)> {
        match self.kernel.name(self.text, at) {
            Some(name) if starts_with(name.behind, next) => Some((name.text, at + name.text.len() + N)),
            _ => {
                let (name, behind) = self.string(at)?;
                Some((name, self.literal(behind - 1, next)?))
            }
        }
    }

    /// The `len` bytes that stand at `from`, which were read already, once more at `at`; the offset behind
    /// them.
    #[inline(always)]
    pub fn again(self, at: usize, from: usize, len: usize) -> Option<usize> {
        self.kernel.same(self.text, at, from, len).then_some(at + len)
    }

    /// A plain unsigned integer; what follows it must be compared.
    #[inline(always)]
    pub fn integer(self, at: usize) -> Option<(u64, usize)> {
        self.kernel.integer(self.text, at)
    }

    /// A time as a plain integer, in whatever unit; what follows it must be compared.
    #[inline(always)]
    pub fn time(self, at: usize) -> Option<(i64, usize)> {
        let (time, end) = self.integer(at)?;
        Some((i64::try_from(time).ok()?, end))
    }

    /// A time as text, `2026-07-26T17:35:55.440295Z`; what follows it must be compared.
    #[inline(always)]
    pub fn timestamp(self, at: usize) -> Option<(Nanos, usize)> {
        usual_time(self.text, at)
    }

    /// A JSON number that is not read; what follows it must be compared.
    #[inline(always)]
    pub fn past_number(self, at: usize) -> Option<usize> {
        scan::number_end(self.text, at).ok()
    }

    /// Two decimals with exactly `gap` between them and `end` behind them, which the second one's
    /// end does not include. `json`: they are JSON numbers, which have no leading zeros.
    #[inline(always)]
    pub fn pair<const GAP: usize, const END: usize>(
        self,
        at: usize,
        gap: &[u8; GAP],
        end: &[u8; END],
        json: bool,
    ) -> Option<[Number; 2]> {
        match self.kernel.pair(self.text, at, gap, json) {
            Some(pair) if starts_with(pair.behind, end) => Some(pair.numbers),
            _ => {
                let numbers = decimal::any_pair(self.text, at, gap, json, self.kernel.scale())?;
                is(self.text, numbers[1].end, end).then_some(numbers)
            }
        }
    }

    /// A level whose price and quantity are strings with `gap` between them and `end` behind them,
    /// and the offset behind `end`.
    #[inline(always)]
    pub fn level<const GAP: usize, const END: usize>(
        self,
        at: usize,
        gap: &[u8; GAP],
        end: &[u8; END],
    ) -> Option<(Level, usize)> {
        let [price, qty] = self.pair(at, gap, end, false)?;
        Some((Level::new(price.value, qty.value), qty.end + END))
    }

    /// The levels of a list like `[["1.5","2"],["1.4","3"]]`, from behind its first bracket, and
    /// the offset behind its last.
    #[inline(always)]
    pub fn levels(self, at: usize, levels: &mut Vec<Level>) -> Option<(Range<u32>, usize)> {
        let start = levels.len() as u32;
        if let Some(end) = self.literal(at, b"]") {
            return Some((start..start, end));
        }
        let mut at = self.literal(at, b"[\"")?;
        loop {
            let (numbers, behind) = match self.kernel.pair(self.text, at, b"\",\"", false) {
                Some(pair) if starts_with(pair.behind, b"\"]") => (pair.numbers, pair.behind),
                _ => {
                    let numbers = decimal::any_pair(self.text, at, b"\",\"", false, self.kernel.scale())?;
                    (numbers, window(self.text, numbers[1].end)?)
                }
            };
            levels.push(Level::new(numbers[0].value, numbers[1].value));
            let end = numbers[1].end;
            if starts_with(behind, b"\"],[\"") {
                at = end + 5;
            } else if starts_with(behind, b"\"]]") {
                return Some((start..levels.len() as u32, end + 3));
            } else {
                return None;
            }
        }
    }
}
