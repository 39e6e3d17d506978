//! The first tier: the spellings of book messages that the venue's servers use, every byte compared.

use std::ops::Range;

use super::{Book, Channel, Message};
use crate::types::Level;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::template::Template;

/// A message in one of the spellings.
#[inline(always)]
pub(super) fn message<'a, K: Kernel>(
    template: Template<'a, K>,
    levels: &mut Vec<Level>,
) -> Option<Message<'a>> {
    let at = template.literal(0, b"{\"arg\":{\"channel\":\"b")?;
    let (name, at) = template.name(at - 1, b"\",\"instId\":\"")?;
    let channel = Channel::of(name)?;
    let (symbol, at) = template.name(at, b"\"},\"")?;
    let (snapshot, at) = if channel.is_whole() {
        (true, template.literal(at, b"data\":[{\"asks\":[")?)
    } else {
        match template.literal(at, b"action\":\"update\",\"data\":[{\"asks\":[") {
            Some(at) => (false, at),
            None => (true, template.literal(at, b"action\":\"snapshot\",\"data\":[{\"asks\":[")?),
        }
    };
    let (asks, at) = side(template, at, levels)?;
    let (bids, at) = side(template, template.literal(at, b",\"bids\":[")?, levels)?;
    let (time_ms, at) = template.time(template.literal(at, b",\"ts\":\"")?)?;
    let mut at = template.literal(at, b"\"")?;
    let (mut checksum, mut seq, mut prev) = (None, None, None);
    if let Some(behind) = template.literal(at, b",\"checksum\":") {
        let (value, end) = signed(template, behind)?;
        (checksum, at) = (Some(value), end);
    }
    // Both orders of the two numbers have been seen.
    if let Some(behind) = template.literal(at, b",\"seqId\":") {
        let (value, end) = signed(template, behind)?;
        (seq, at) = (Some(value), end);
    }
    if let Some(behind) = template.literal(at, b",\"prevSeqId\":") {
        let (value, end) = signed(template, behind)?;
        (prev, at) = (Some(value), end);
        if seq.is_none()
            && let Some(behind) = template.literal(at, b",\"seqId\":")
        {
            let (value, end) = signed(template, behind)?;
            (seq, at) = (Some(value), end);
        }
    }
    template.end(template.literal(at, b"}]}")?)?;
    (time_ms <= 999_999_999_999_999).then_some(())?;
    Some(Message::Book(Book { channel, symbol, snapshot, seq, prev, checksum, time_ms, bids, asks }))
}

/// A plain integer with a sign; what follows it must be compared.
#[inline(always)]
fn signed<K: Kernel>(template: Template<'_, K>, at: usize) -> Option<(i64, usize)> {
    match template.literal(at, b"-") {
        Some(at) => {
            let (value, at) = template.time(at)?;
            (value > 0).then_some((-value, at))
        }
        None => template.time(at),
    }
}

/// Levels of price, size, a dead field and a count, from behind the list's bracket.
#[inline(always)]
fn side<K: Kernel>(
    template: Template<'_, K>,
    at: usize,
    levels: &mut Vec<Level>,
) -> Option<(Range<u32>, usize)> {
    let start = levels.len() as u32;
    if let Some(at) = template.literal(at, b"]") {
        return Some((start..start, at));
    }
    let mut at = template.literal(at, b"[\"")?;
    loop {
        let (level, behind) = template.level(at, b"\",\"", b"\",\"0\",\"")?;
        levels.push(level);
        let (_, end) = template.integer(behind)?;
        match template.literal(end, b"\"],[\"") {
            Some(next) => at = next,
            None => return Some((start..levels.len() as u32, template.literal(end, b"\"]]")?)),
        }
    }
}
