//! The first tier: the spellings that Binance's servers use, every byte compared.

use std::ops::Range;

use super::{Depth, Message, Ticker};
use crate::types::Level;
use crate::wire::json::kernel::{Job, Kernel, is};
use crate::wire::{Padded, decimal};

/// The first tier: the spellings that the venue's servers use.
pub(super) struct Template<'a, 'l> {
    pub(super) text: Padded<'a>,
    pub(super) levels: &'l mut Vec<Level>,
}

impl<'a> Job for Template<'a, '_> {
    type Out = Option<Message<'a>>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Option<Message<'a>> {
        let text = self.text;
        let template = Spelling { text, kernel };
        let wrapped = is(text, 0, b"{\"stream\":\"");
        let mut at = 0;
        if wrapped {
            at = template.string(11)?.1;
            at = template.literal(at, b",\"data\":")?;
        }
        match template.literal(at, b"{\"e\":\"depthUpdate\",\"E\":") {
            Some(behind) => template.depth(behind, wrapped, self.levels),
            None => template.ticker(at, wrapped),
        }
    }
}

#[derive(Clone, Copy)]
struct Spelling<'a, K> {
    text: Padded<'a>,
    kernel: K,
}

impl<'a, K: Kernel> Spelling<'a, K> {
    /// The offset behind a literal.
    #[inline(always)]
    fn literal<const N: usize>(self, at: usize, literal: &[u8; N]) -> Option<usize> {
        is(self.text, at, literal).then_some(at + N)
    }

    /// The string whose first byte is at `at`, and the offset behind its quote.
    #[inline(always)]
    fn string(self, at: usize) -> Option<(&'a [u8], usize)> {
        let end = self.kernel.string_end(self.text, at)?;
        let bytes = self.text.message().get(at..end.quote)?;
        if !end.ascii && std::str::from_utf8(bytes).is_err() {
            return None;
        }
        Some((bytes, end.quote + 1))
    }

    #[inline(always)]
    fn time(self, at: usize) -> Option<(i64, usize)> {
        let (time, end) = self.kernel.integer(self.text, at)?;
        Some((i64::try_from(time).ok()?, end))
    }

    /// The braces that end the message.
    #[inline(always)]
    fn finish(self, at: usize, wrapped: bool) -> Option<()> {
        let mut end = self.literal(at, b"}")?;
        if wrapped {
            end = self.literal(end, b"}")?;
        }
        (end == self.text.len()).then_some(())
    }

    /// From the event time on.
    #[inline(always)]
    fn depth(self, at: usize, wrapped: bool, levels: &mut Vec<Level>) -> Option<Message<'a>> {
        let text = self.text;
        let (event_ms, mut at) = self.time(at)?;
        let mut transaction_ms = 0;
        if let Some(behind) = self.literal(at, b",\"T\":") {
            (transaction_ms, at) = self.time(behind)?;
        }
        let (symbol, mut at) = self.string(self.literal(at, b",\"s\":\"")?)?;
        if let Some(behind) = self.literal(at, b",\"ps\":\"") {
            at = self.string(behind)?.1;
        }
        let (first, at) = self.kernel.integer(text, self.literal(at, b",\"U\":")?)?;
        let (last, mut at) = self.kernel.integer(text, self.literal(at, b",\"u\":")?)?;
        let mut prev = None;
        if let Some(behind) = self.literal(at, b",\"pu\":") {
            let (id, end) = self.kernel.integer(text, behind)?;
            (prev, at) = (Some(id), end);
        }
        let (bids, at) = self.levels(self.literal(at, b",\"b\":[")?, levels)?;
        let (asks, at) = self.levels(self.literal(at, b",\"a\":[")?, levels)?;
        self.finish(at, wrapped)?;
        Some(Message::Depth(Depth { symbol, first, last, prev, event_ms, transaction_ms, bids, asks }))
    }

    /// Levels, from behind the list's bracket.
    #[inline(always)]
    fn levels(self, at: usize, levels: &mut Vec<Level>) -> Option<(Range<u32>, usize)> {
        let text = self.text;
        let start = levels.len() as u32;
        if let Some(end) = self.literal(at, b"]") {
            return Some((start..start, end));
        }
        let mut at = self.literal(at, b"[\"")?;
        loop {
            let end = match self.kernel.pair(text, at, b"\",\"", false) {
                Some([price, qty]) if is(text, qty.end, b"\"],[\"") => {
                    levels.push(Level::new(price.value, qty.value));
                    at = qty.end + 5;
                    continue;
                }
                Some([price, qty]) if is(text, qty.end, b"\"]]") => {
                    levels.push(Level::new(price.value, qty.value));
                    return Some((start..levels.len() as u32, qty.end + 3));
                }
                _ => {
                    let pair = decimal::any_pair(text, at, b"\",\"", false, self.kernel.scale())?;
                    levels.push(Level::new(pair[0].value, pair[1].value));
                    pair[1].end
                }
            };
            match self.literal(end, b"\"],[\"") {
                Some(behind) => at = behind,
                None => return Some((start..levels.len() as u32, self.literal(end, b"\"]]")?)),
            }
        }
    }

    #[inline(always)]
    fn ticker(self, at: usize, wrapped: bool) -> Option<Message<'a>> {
        let text = self.text;
        let (update_id, at) = if let Some(behind) = self.literal(at, b"{\"u\":") {
            let (id, end) = self.kernel.integer(text, behind)?;
            (id, self.literal(end, b",\"e\":\"bookTicker\"").unwrap_or(end))
        } else {
            self.kernel.integer(text, self.literal(at, b"{\"e\":\"bookTicker\",\"u\":")?)?
        };
        let (symbol, mut at) = self.string(self.literal(at, b",\"s\":\"")?)?;
        if let Some(behind) = self.literal(at, b",\"ps\":\"") {
            at = self.string(behind)?.1;
        }
        let (bid, at) = self.level(self.literal(at, b",\"b\":\"")?, b"\",\"B\":\"")?;
        let (ask, mut at) = self.level(self.literal(at, b",\"a\":\"")?, b"\",\"A\":\"")?;
        let mut event_ms = 0;
        if let Some(behind) = self.literal(at, b",\"T\":") {
            let end = self.time(behind)?.1;
            (event_ms, at) = self.time(self.literal(end, b",\"E\":")?)?;
        }
        self.finish(at, wrapped)?;
        Some(Message::Ticker(Ticker { symbol, update_id, bid, ask, event_ms }))
    }

    /// A level of the ticker, and the offset behind its closing quote.
    #[inline(always)]
    fn level(self, at: usize, gap: &[u8; 7]) -> Option<(Level, usize)> {
        let (text, kernel) = (self.text, self.kernel);
        let pair = match kernel.pair(text, at, gap, false) {
            Some(pair) if is(text, pair[1].end, b"\"") => pair,
            _ => decimal::any_pair(text, at, gap, false, kernel.scale())
                .filter(|p| is(text, p[1].end, b"\""))?,
        };
        Some((Level::new(pair[0].value, pair[1].value), pair[1].end + 1))
    }
}
