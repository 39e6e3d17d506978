//! Where one book stands in its stream of updates.
//!
//! The venue's rule. Updates carry the ids of the first and last change in them. Hold updates until a
//! snapshot comes, which stands at some id. Spot: drop updates that end at or before it; the next
//! must start at or before the id after it, and from then on each must start right after the one
//! before. Futures: drop updates that end before it; the next must straddle it, and from then on each
//! names the end of the one before (`pu`). A snapshot older than the first update held is of no use:
//! another is needed. An update that does not follow is a gap: the book is worthless from that
//! message on, and all starts again with it as the first update held.

use std::ops::Range;

use crate::types::{Level, Nanos};

/// The ids of one update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ids {
    /// First change in it.
    pub first: u64,
    /// Last change in it.
    pub last: u64,
    /// Last change of the update before; futures only.
    pub prev: Option<u64>,
}

/// What to do with an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It follows: apply it.
    Apply,
    /// It is older than the book: nothing to do.
    Old,
    /// No book to apply it to yet: hold it.
    Hold,
    /// It does not follow: the book is lost, and the update is to be held.
    Gap {
        /// Where the book stood.
        have: u64,
        /// The start of what came.
        got: u64,
    },
}

/// What a snapshot came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joined {
    /// Updates between it and the first one held are missing: another is needed.
    TooOld,
    /// The book is live already.
    NotNeeded,
    /// Taken, and whatever is left of the held updates with it.
    Taken,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Updates are held; there is no snapshot.
    Waiting,
    /// A snapshot is in the book, no update has joined it yet.
    Joining(u64),
    /// The book is whole up to this id.
    Live(u64),
}

/// An update that waits for its snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its ids.
    pub ids: Ids,
    /// Its time by the venue.
    pub time: Nanos,
    /// Bid levels among the place's own.
    pub bids: Range<u32>,
    /// Ask levels among the place's own.
    pub asks: Range<u32>,
}

/// Most updates held; a snapshot that takes longer than these would be too old anyway.
const MAX_HELD: usize = 4_096;
/// Most levels held.
const MAX_LEVELS: usize = 1 << 17;
/// So many updates in a row older than a live book mean that its id ran ahead of the stream.
const MAX_OLD_LIVE: u32 = 64;
/// The same for a snapshot that no update has joined: it may be seconds ahead of the stream.
const MAX_OLD_JOINING: u32 = 10_000;

/// One book's place. The rule is the same for both families but for how updates join and follow.
#[derive(Debug)]
pub struct Place {
    futures: bool,
    at: At,
    held: Vec<Held>,
    levels: Vec<Level>,
    old_in_row: u32,
}

impl Place {
    /// A book that waits for its first update. `futures` picks the rule.
    pub fn new(futures: bool) -> Place {
        Place { futures, at: At::Waiting, held: Vec::new(), levels: Vec::new(), old_in_row: 0 }
    }

    /// True when the book is whole.
    pub fn is_live(&self) -> bool {
        matches!(self.at, At::Live(_))
    }

    /// True when there is no snapshot in the book.
    pub fn is_waiting(&self) -> bool {
        self.at == At::Waiting
    }

    /// Forgets everything: a new stream, or a book not trusted.
    pub fn reset(&mut self) {
        self.at = At::Waiting;
        self.old_in_row = 0;
        self.clear_held();
    }

    fn clear_held(&mut self) {
        self.held.clear();
        self.levels.clear();
    }

    /// The next update. On [`Step::Hold`] and [`Step::Gap`] the caller passes it to
    /// [`Place::hold`].
    pub fn step(&mut self, ids: Ids) -> Step {
        let (at, follows, most_old) = match self.at {
            At::Waiting => return Step::Hold,
            At::Joining(at) => (at, self.joins(ids, at), MAX_OLD_JOINING),
            At::Live(at) => (at, self.follows(ids, at), MAX_OLD_LIVE),
        };
        let old = ids.last < at || (ids.last == at && !(self.futures && matches!(self.at, At::Joining(_))));
        if old {
            self.old_in_row += 1;
            if self.old_in_row <= most_old {
                return Step::Old;
            }
        } else if follows {
            self.old_in_row = 0;
            self.at = At::Live(ids.last);
            return Step::Apply;
        }
        self.reset();
        Step::Gap { have: at, got: ids.first }
    }

    fn follows(&self, ids: Ids, at: u64) -> bool {
        if self.futures { ids.prev == Some(at) } else { at.checked_add(1) == Some(ids.first) }
    }

    /// Whether an update that is not old joins a snapshot.
    fn joins(&self, ids: Ids, at: u64) -> bool {
        if self.futures {
            self.follows(ids, at) || (ids.first <= at && at <= ids.last)
        } else {
            ids.first <= at.saturating_add(1) && ids.last > at
        }
    }

    /// Keeps an update, whose levels are given, until a snapshot comes.
    pub fn hold(&mut self, ids: Ids, time: Nanos, bids: &[Level], asks: &[Level]) {
        if let Some(before) = self.held.last().map(|held| held.ids.last) {
            if ids.last <= before {
                return;
            }
            let full =
                self.held.len() >= MAX_HELD || self.levels.len() + bids.len() + asks.len() > MAX_LEVELS;
            if full || !self.follows(ids, before) {
                self.clear_held();
            }
        }
        let mut keep = |levels: &[Level]| {
            let start = self.levels.len() as u32;
            self.levels.extend_from_slice(levels);
            start..self.levels.len() as u32
        };
        let (bids, asks) = (keep(bids), keep(asks));
        self.held.push(Held { ids, time, bids, asks });
    }

    /// A snapshot at `id` came. When it is taken, [`Place::held`] are the updates to apply to it.
    pub fn snapshot(&mut self, id: u64) -> Joined {
        if !self.is_waiting() {
            return Joined::NotNeeded;
        }
        let is_old = |held: &Held| if self.futures { held.ids.last < id } else { held.ids.last <= id };
        let stale = self.held.iter().take_while(|held| is_old(held)).count();
        match self.held.get(stale) {
            None => self.at = At::Joining(id),
            Some(first) if self.joins(first.ids, id) => {
                let last = self.held.last().map_or(id, |held| held.ids.last);
                self.at = At::Live(last);
            }
            Some(_) => return Joined::TooOld,
        }
        self.old_in_row = 0;
        self.held.drain(..stale);
        Joined::Taken
    }

    /// Updates held, oldest first.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Levels of a held update.
    pub fn held_levels(&self, range: &Range<u32>) -> &[Level] {
        &self.levels[range.start as usize..range.end as usize]
    }

    /// The held updates were applied.
    pub fn release(&mut self) {
        self.clear_held();
    }

    /// How far a snapshot's id is from the updates held; `None` when there are none.
    pub fn distance(&self, id: u64) -> Option<u64> {
        self.held.last().map(|held| held.ids.last.abs_diff(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(first: u64, last: u64) -> Ids {
        Ids { first, last, prev: None }
    }

    fn futures(prev: u64, first: u64, last: u64) -> Ids {
        Ids { first, last, prev: Some(prev) }
    }

    /// Holds updates, then takes a snapshot, then steps through more.
    #[track_caller]
    fn check(
        is_futures: bool,
        held: &[Ids],
        snapshot: u64,
        joined: Joined,
        left: usize,
        then: &[(Ids, Step)],
    ) {
        let mut place = Place::new(is_futures);
        for ids in held {
            assert_eq!(place.step(*ids), Step::Hold);
            place.hold(*ids, Nanos::ZERO, &[], &[]);
        }
        assert_eq!(place.snapshot(snapshot), joined);
        assert_eq!(place.held().len(), left, "held after the snapshot");
        place.release();
        for (ids, want) in then {
            assert_eq!(place.step(*ids), *want, "{ids:?}");
        }
    }

    #[test]
    fn spot_updates_join_the_snapshot_and_then_follow_one_another() {
        use Joined::*;
        use Step::*;
        // Straddling, exactly adjacent, and all older than the snapshot.
        check(false, &[spot(5, 8), spot(9, 12)], 10, Taken, 1, &[(spot(13, 13), Apply)]);
        check(false, &[spot(11, 12)], 10, Taken, 1, &[(spot(13, 14), Apply), (spot(13, 14), Old)]);
        check(false, &[spot(5, 8)], 10, Taken, 0, &[(spot(9, 10), Old), (spot(11, 12), Apply)]);
        check(false, &[spot(5, 8)], 10, Taken, 0, &[(spot(9, 14), Apply), (spot(15, 15), Apply)]);
        check(false, &[], 10, Taken, 0, &[(spot(12, 13), Gap { have: 10, got: 12 }), (spot(14, 15), Hold)]);
        // The first update held starts too late.
        check(false, &[spot(12, 13)], 10, TooOld, 1, &[]);
        // A live book takes only what follows.
        check(false, &[spot(9, 12)], 10, Taken, 1, &[(spot(14, 15), Gap { have: 12, got: 14 })]);
        check(false, &[spot(9, 12)], 10, Taken, 1, &[(spot(12, 15), Gap { have: 12, got: 12 })]);
    }

    #[test]
    fn futures_updates_straddle_the_snapshot_and_then_name_the_one_before() {
        use Joined::*;
        use Step::*;
        check(true, &[futures(1, 5, 8), futures(8, 9, 12)], 10, Taken, 1, &[(futures(12, 20, 21), Apply)]);
        // An update that ends at the snapshot is the one that joins it.
        check(true, &[futures(1, 5, 10)], 10, Taken, 1, &[(futures(10, 12, 13), Apply)]);
        check(true, &[], 10, Taken, 0, &[(futures(1, 5, 8), Old), (futures(8, 9, 10), Apply)]);
        check(true, &[], 10, Taken, 0, &[(futures(10, 12, 13), Apply), (futures(13, 15, 15), Apply)]);
        check(true, &[futures(11, 12, 13)], 10, TooOld, 1, &[]);
        check(
            true,
            &[futures(8, 9, 12)],
            10,
            Taken,
            1,
            &[(futures(13, 14, 15), Gap { have: 12, got: 14 }), (futures(15, 16, 17), Hold)],
        );
    }

    #[test]
    fn a_hole_among_held_updates_drops_those_before_it() {
        check(false, &[spot(1, 2), spot(3, 4), spot(9, 12)], 10, Joined::Taken, 1, &[]);
        check(false, &[spot(1, 2), spot(9, 12)], 5, Joined::TooOld, 1, &[]);
    }

    #[test]
    fn an_id_that_ran_ahead_of_the_stream_is_found_out() {
        let mut place = Place::new(false);
        place.snapshot(10);
        assert_eq!(place.step(spot(11, 1 << 60)), Step::Apply);
        let gap =
            (0..200).map(|i| place.step(spot(12 + i, 12 + i))).position(|s| matches!(s, Step::Gap { .. }));
        assert_eq!(gap, Some(MAX_OLD_LIVE as usize));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut place = Place::new(false);
        let levels = [Level::default(); 100];
        for i in 0..100_000 {
            place.hold(spot(i, i), Nanos::ZERO, &levels, &levels);
            assert!(place.held.len() <= MAX_HELD && place.levels.len() <= MAX_LEVELS);
        }
        let huge = vec![Level::default(); MAX_LEVELS + 1];
        place.hold(spot(100_000, 100_000), Nanos::ZERO, &huge, &[]);
        assert_eq!(place.held.len(), 1);
    }
}
