//! Two streams of one venue, held against each other: the rebuilt book's best levels after a depth
//! update must be those of the last ticker that is no newer than it.

use std::collections::VecDeque;

use crate::types::Level;

/// Best bid and best ask.
pub(super) type Best = [Option<Level>; 2];

/// Compares as tickers arrive: a depth update is judged once a newer ticker shows that no older
/// one can still come.
#[derive(Default)]
pub(super) struct TickerCheck {
    last: Option<(u64, Best)>,
    waiting: VecDeque<(u64, Best)>,
    compared: u64,
    agreed: u64,
}

/// Updates that wait for a ticker, at most: where the ticker stream stopped, the oldest are let go.
const MOST_WAITING: usize = 4096;

impl TickerCheck {
    /// The book after the depth update `seq`.
    pub fn depth(&mut self, seq: u64, best: Best) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((seq, best));
    }

    /// The ticker of `seq`.
    pub fn ticker(&mut self, seq: u64, best: Best) {
        while let Some(&(depth_seq, depth_best)) = self.waiting.front()
            && depth_seq < seq
        {
            self.waiting.pop_front();
            self.judge(depth_best);
        }
        self.last = Some((seq, best));
    }

    /// The book was lost: nothing of it is compared any more.
    pub fn lost(&mut self) {
        self.waiting.clear();
    }

    /// How many updates were compared, and how many agreed; with those that no newer ticker
    /// followed.
    pub fn counts(&self) -> (u64, u64) {
        let mut rest = TickerCheck { last: self.last, ..TickerCheck::default() };
        for &(_, best) in &self.waiting {
            rest.judge(best);
        }
        (self.compared + rest.compared, self.agreed + rest.agreed)
    }

    fn judge(&mut self, best: Best) {
        if let Some((_, ticker)) = self.last {
            self.compared += 1;
            self.agreed += u64::from(ticker == best);
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
        check.depth(20, at(5));
        assert_eq!(check.counts(), (2, 1));
        check.lost();
        assert_eq!(check.counts(), (1, 1));
    }
}
