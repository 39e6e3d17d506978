//! Two streams of one venue, held against each other: the rebuilt book's best levels after a depth
//! update must be those of the last ticker that is no newer than it.

use std::collections::VecDeque;

use crate::types::Level;

/// Best bid and best ask.
pub(super) type Best = [Option<Level>; 2];

/// Compares in the order of sequence numbers, in whatever order the two streams arrive: a depth
/// update is judged once a newer ticker shows that no older one can still come.
#[derive(Default)]
pub(super) struct TickerCheck {
    /// The last ticker no newer than any depth to come, and those behind it.
    tickers: VecDeque<(u64, Best)>,
    depths: VecDeque<(u64, Best)>,
    compared: u64,
    agreed: u64,
}

/// Messages kept of a stream while the other one says nothing; the oldest are let go.
const MOST_WAITING: usize = 4096;
/// The same of depths before the first ticker: nothing tells that there will be one.
const MOST_BEFORE: usize = 64;

impl TickerCheck {
    /// The book after the depth update `seq`.
    pub fn depth(&mut self, seq: u64, best: Best) {
        let most = if self.tickers.is_empty() { MOST_BEFORE } else { MOST_WAITING };
        if self.depths.len() >= most {
            self.depths.pop_front();
        }
        self.depths.push_back((seq, best));
        self.settle(false);
    }

    /// The ticker of `seq`.
    pub fn ticker(&mut self, seq: u64, best: Best) {
        if self.tickers.len() == MOST_WAITING {
            self.tickers.pop_front();
        }
        self.tickers.push_back((seq, best));
        self.settle(false);
    }

    /// The book was lost: what waits is not compared any more.
    pub fn lost(&mut self) {
        self.depths.clear();
    }

    /// How many updates were compared, and how many agreed; with those that no newer ticker
    /// followed.
    pub fn counts(&self) -> (u64, u64) {
        let mut all = TickerCheck {
            tickers: self.tickers.clone(),
            depths: self.depths.clone(),
            compared: self.compared,
            agreed: self.agreed,
        };
        all.settle(true);
        (all.compared, all.agreed)
    }

    /// Judges the depths that no ticker can come for any more, or all of them.
    #[inline]
    fn settle(&mut self, all: bool) {
        let newest = if all { u64::MAX } else { self.tickers.back().map_or(0, |ticker| ticker.0) };
        if self.depths.front().is_some_and(|depth| depth.0 < newest) {
            self.judge(newest);
        }
    }

    /// Judges the depths before a sequence number.
    fn judge(&mut self, newest: u64) {
        while let Some(&(seq, best)) = self.depths.front()
            && seq < newest
        {
            self.depths.pop_front();
            while self.tickers.get(1).is_some_and(|ticker| ticker.0 <= seq) {
                self.tickers.pop_front();
            }
            if let Some(ticker) = self.tickers.front().filter(|ticker| ticker.0 <= seq) {
                self.compared += 1;
                self.agreed += u64::from(ticker.1 == best);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_compared_with_the_last_ticker_no_newer_than_it() {
        let at = |price| [Some(Level::new(price, 1)), None];
        let mut check = TickerCheck::default();
        check.depth(5, at(1)); // no ticker is that old
        check.ticker(10, at(2));
        check.depth(12, at(3)); // ticker 11 comes later, and is the one
        check.ticker(11, at(3));
        assert_eq!(check.counts(), (1, 1));
        check.ticker(13, at(4));
        check.ticker(14, at(9));
        check.depth(13, at(4)); // ticker 14 came before it, and is too new
        assert_eq!(check.counts(), (2, 2));
        check.depth(20, at(5));
        assert_eq!(check.counts(), (3, 2));
        check.lost();
        assert_eq!(check.counts(), (2, 2));
    }
}
