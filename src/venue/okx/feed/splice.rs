//! The way into a book where a subscription brings no snapshot: updates are held until one comes by
//! REST, and those that are not in it follow it.
//!
//! The venue's rule: a snapshot must not be older than the message before the first update held; of the
//! held ones those that it covers are dropped, and the first one left begins at or before it and ends
//! behind it. From there on each names the one before.

use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;

use super::super::size::Sizes;
use crate::types::{Level, Nanos, Scale, parse};

/// Most updates held, and most levels in them: a quarter of a minute's. A snapshot that takes longer
/// is not waited for.
const HELD_MAX: usize = 256;
const LEVELS_MAX: usize = 1 << 15;

/// An update that waits for its snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub prev: i64,
    pub seq: i64,
    pub time: Nanos,
    bids: Range<usize>,
    asks: Range<usize>,
}

/// What is held of one book, each linked to the one before.
#[derive(Default)]
pub struct Splice {
    held: Vec<Held>,
    levels: Vec<Level>,
    /// A snapshot was asked for, and has not come.
    pub asked: bool,
}

/// A book by REST, in a scale.
#[derive(PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub seq: i64,
    pub time: Nanos,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

impl Splice {
    /// True when there is something to find a snapshot for.
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Forgets what is held.
    pub fn clear(&mut self) {
        self.held.clear();
        self.levels.clear();
    }

    /// Holds an update. One that does not follow those before it starts anew, and one with which the
    /// venue begins to count anew can be compared with nothing.
    pub fn hold(&mut self, prev: i64, seq: i64, time: Nanos, bids: &[Level], asks: &[Level]) {
        let follows = self.held.last().is_none_or(|last| last.seq == prev);
        let full = self.held.len() >= HELD_MAX || self.levels.len() + bids.len() + asks.len() > LEVELS_MAX;
        if !follows || full || seq < prev {
            self.clear();
        }
        if seq < prev {
            return;
        }
        let start = self.levels.len();
        self.levels.extend_from_slice(bids);
        let middle = self.levels.len();
        self.levels.extend_from_slice(asks);
        let (bids, asks) = (start..middle, middle..self.levels.len());
        self.held.push(Held { prev, seq, time, bids, asks });
    }

    /// The updates that follow a snapshot of that number; `None` when it is too old for what is held.
    pub fn behind(&self, seq: i64) -> Option<&[Held]> {
        if self.held.first()?.prev > seq {
            return None;
        }
        let covered = self.held.iter().take_while(|held| held.seq <= seq).count();
        self.held.get(covered..)
    }

    /// Bids and asks of one that is held.
    pub fn levels(&self, held: &Held) -> [&[Level]; 2] {
        [&held.bids, &held.asks].map(|range| self.levels.get(range.clone()).unwrap_or_default())
    }
}

/// Reads the answer to a question for a book; `None` when it is none, or does not fit the scale.
pub fn read(body: &[u8], scale: Scale, sizes: Sizes) -> Option<Snapshot> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        data: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        asks: Vec<Vec<Cow<'a, str>>>,
        #[serde(borrow)]
        bids: Vec<Vec<Cow<'a, str>>>,
        #[serde(borrow)]
        ts: Cow<'a, str>,
        seq_id: i64,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let [row] = &answer.data[..] else { return None };
    let side = |rows: &[Vec<Cow<str>>]| -> Option<Vec<Level>> {
        let level = |row: &Vec<Cow<str>>| {
            let [price, size, ..] = &row[..] else { return None };
            let number = |text: &str| parse(text.as_bytes(), scale).ok().filter(|number| *number > 0);
            Some(Level::new(number(price)?, sizes.qty_of(number(size)?)?))
        };
        rows.iter().map(level).collect()
    };
    let time = Nanos::from_millis(row.ts.parse().ok().filter(|ms| (0..1_000_000_000_000_000).contains(ms))?);
    Some(Snapshot { seq: row.seq_id, time, bids: side(&row.bids)?, asks: side(&row.asks)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_updates_join_a_snapshot_or_it_is_too_old() {
        let mut splice = Splice::default();
        let mut hold = |links: &[(i64, i64)]| {
            splice.clear();
            for (at, (prev, seq)) in links.iter().enumerate() {
                let level = Level::new(at as i64, 1);
                splice.hold(*prev, *seq, Nanos::ZERO, &[level], &[]);
            }
            let mut joined = Vec::new();
            for seq in [9, 10, 12, 15, 20, 99] {
                let behind = splice.behind(seq);
                joined.push(behind.map(|held| {
                    held.iter().map(|held| splice.levels(held)[0][0].price.0).collect::<Vec<_>>()
                }));
            }
            joined
        };
        let behind = |all: &[i64]| Some(all.to_vec());
        // Too old, from the very start, within the first one, at its end, past all.
        assert_eq!(
            hold(&[(10, 15), (15, 20), (20, 23)]),
            [None, behind(&[0, 1, 2]), behind(&[0, 1, 2]), behind(&[1, 2]), behind(&[2]), behind(&[])]
        );
        // A hole: what is before it is of no use. A count from anew: neither is what begins it.
        assert_eq!(hold(&[(1, 5), (15, 20)]), [None, None, None, behind(&[1]), behind(&[]), behind(&[])]);
        assert_eq!(hold(&[(90, 99), (99, 3), (3, 9)])[0], behind(&[]));
        assert_eq!(hold(&[(90, 99), (99, 3)]), [const { None }; 6]);
        assert_eq!(hold(&[]), [const { None }; 6]);
        let many: Vec<(i64, i64)> = (0..HELD_MAX as i64 + 5).map(|at| (at, at + 1)).collect();
        assert_eq!(hold(&many)[0], None, "the oldest were given up");
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let body = r#"{"code":"0","msg":"","data":[{"asks":[["41006.8","0.60038921","0","1"]],"bids":[["41006.3","0.30178218","0","2"]],
            "ts":"1629966436396","seqId":3235851742}]}"#;
        let read = |body: &str| read(body.as_bytes(), Scale::DEFAULT, Sizes::SAME);
        let snapshot = read(body).unwrap();
        assert_eq!((snapshot.seq, snapshot.time), (3_235_851_742, Nanos::from_millis(1_629_966_436_396)));
        assert_eq!(snapshot.asks, [Level::new(4_100_680_000_000, 60_038_921)]);
        assert_eq!(snapshot.bids, [Level::new(4_100_630_000_000, 30_178_218)]);
        for (old, new) in [
            ("0.60038921", "0"),
            ("0.60038921", "-1"),
            ("41006.8", "41006.8000000001"),
            ("\"41006.8\",\"0.60038921\"", "\"41006.8\""),
            ("3235851742", "\"x\""),
            ("1629966436396", ""),
            ("1629966436396", "99999999999999999"),
            ("\"data\":[", "\"data\":[{\"asks\":[],\"bids\":[],\"ts\":\"1\",\"seqId\":1},"),
            ("\"data\"", "\"other\""),
        ] {
            assert_eq!(read(&body.replacen(old, new, 1)), None, "{old} {new}");
        }
    }
}
