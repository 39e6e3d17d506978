//! One direction of a virtual connection: bytes on their way.

use std::collections::VecDeque;

use oorandom::Rand64;

use crate::types::Nanos;

/// Bytes in order, each with the time at which it arrives; the times never fall.
#[derive(Default)]
pub(super) struct Pipe {
    chunks: VecDeque<(Nanos, Vec<u8>)>,
    /// Bytes of the first chunk that were taken.
    taken: usize,
    /// When the end of the stream arrives; nothing can be put in once it is set.
    end: Option<Nanos>,
    last: Nanos,
}

impl Pipe {
    /// Puts bytes in that arrive at `due`, or later when bytes before them do.
    pub fn put(&mut self, due: Nanos, bytes: &[u8]) {
        if self.end.is_none() && !bytes.is_empty() {
            self.last = self.last.max(due);
            self.chunks.push_back((self.last, bytes.to_vec()));
        }
    }

    /// Ends the stream behind what is in it.
    pub fn finish(&mut self, due: Nanos) {
        self.end.get_or_insert(self.last.max(due));
    }

    /// Takes what has arrived, as far as it fits: how much, and when the last of it came.
    pub fn take(&mut self, now: Nanos, into: &mut [u8]) -> Option<(usize, Nanos)> {
        let (mut count, mut at) = (0, Nanos::ZERO);
        while let Some((due, bytes)) = self.chunks.front() {
            let rest = &bytes[self.taken..];
            let fits = rest.len().min(into.len() - count);
            if *due > now || fits == 0 {
                break;
            }
            into[count..count + fits].copy_from_slice(&rest[..fits]);
            (count, at) = (count + fits, *due);
            self.taken += fits;
            if self.taken == bytes.len() {
                self.chunks.pop_front();
                self.taken = 0;
            }
        }
        (count > 0).then_some((count, at))
    }

    /// True when there is something to take.
    pub fn has_arrived(&self, now: Nanos) -> bool {
        self.chunks.front().is_some_and(|(due, _)| *due <= now)
    }

    /// True when all was taken and the end has arrived.
    pub fn is_over(&self, now: Nanos) -> bool {
        self.chunks.is_empty() && self.end.is_some_and(|end| end <= now)
    }

    /// When something arrives next, after `after`.
    pub fn next(&self, after: Nanos) -> Nanos {
        let chunks = self.chunks.iter().map(|(due, _)| *due);
        chunks.chain(self.end).find(|due| *due > after).unwrap_or(Nanos::MAX)
    }

    /// Breaks off at some byte of what is under way: what was sent after it never arrives.
    pub fn cut(&mut self, now: Nanos, rng: &mut Rand64) {
        let under_way = self.chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() - self.taken;
        let mut keep = rng.rand_range(0..under_way as u64 + 1) as usize + self.taken;
        self.chunks.retain_mut(|(_, bytes)| {
            bytes.truncate(keep);
            keep -= bytes.len();
            !bytes.is_empty()
        });
        if self.chunks.front().is_some_and(|(_, bytes)| bytes.len() == self.taken) {
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            self.taken = 0;
        }
        let end = self.chunks.back().map_or(now, |(due, _)| (*due).max(now));
        self.end = Some(end);
    }

    /// Makes zero of one byte of what is under way; false when nothing is.
    pub fn spoil(&mut self, rng: &mut Rand64) -> bool {
        let under_way = self.chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() - self.taken;
        if under_way == 0 {
            return false;
        }
        let at = rng.rand_range(0..under_way as u64) as usize + self.taken;
        let byte = self.chunks.iter_mut().flat_map(|(_, bytes)| bytes).nth(at);
        byte.map(|byte| *byte = 0).is_some()
    }

    /// Nothing arrives before `until`.
    pub fn stall(&mut self, until: Nanos) {
        self.chunks.iter_mut().for_each(|(due, _)| *due = (*due).max(until));
        self.end = self.end.map(|end| end.max(until));
        self.last = self.last.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pipe: &mut Pipe, now: i64, room: usize) -> String {
        let mut into = vec![0; room];
        let count = pipe.take(Nanos(now), &mut into).map_or(0, |(count, _)| count);
        String::from_utf8(into[..count].to_vec()).unwrap()
    }

    #[test]
    fn bytes_arrive_in_order_and_in_time() {
        let mut pipe = Pipe::default();
        pipe.put(Nanos(10), b"abc");
        pipe.put(Nanos(5), b"def");
        pipe.finish(Nanos(12));
        pipe.put(Nanos(13), b"too late");
        assert_eq!((all(&mut pipe, 9, 9), pipe.next(Nanos(0))), (String::new(), Nanos(10)));
        assert_eq!(all(&mut pipe, 10, 4), "abcd");
        pipe.stall(Nanos(20));
        assert_eq!(all(&mut pipe, 19, 9), "");
        assert_eq!(all(&mut pipe, 20, 9), "ef");
        assert!(pipe.is_over(Nanos(20)) && !pipe.is_over(Nanos(19)));
    }

    #[test]
    fn a_spoilt_byte_is_one_of_those_under_way() {
        for seed in 0..50 {
            let (mut pipe, mut rng) = (Pipe::default(), Rand64::new(seed));
            assert!(!pipe.spoil(&mut rng));
            pipe.put(Nanos(1), b"abc");
            pipe.put(Nanos(2), b"de");
            assert_eq!(all(&mut pipe, 1, 2), "ab");
            assert!(pipe.spoil(&mut rng));
            let rest = all(&mut pipe, 2, 9);
            let kept = rest.chars().zip("cde".chars()).filter(|(got, sent)| got == sent).count();
            assert_eq!((kept, rest.len(), rest.matches('\0').count()), (2, 3, 1), "seed {seed}: {rest:?}");
        }
    }

    #[test]
    fn a_cut_keeps_a_front_part() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut pipe = Pipe::default();
            pipe.put(Nanos(10), b"abc");
            pipe.put(Nanos(11), b"defg");
            assert_eq!(all(&mut pipe, 10, 2), "ab");
            pipe.cut(Nanos(10), &mut Rand64::new(seed));
            let rest = all(&mut pipe, 11, 9);
            assert!("cdefg".starts_with(&rest), "seed {seed}: {rest}");
            assert!(pipe.is_over(Nanos(11)), "seed {seed}");
            lengths.insert(rest.len());
        }
        assert_eq!(lengths.len(), 6);
    }
}
