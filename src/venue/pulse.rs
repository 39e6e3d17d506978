//! Signs of life: of a connection, by what comes over it and by pings; and of each of its books, which
//! is said to be alive while the connection is, and subscribed to anew when it lost its place.

use crate::types::Nanos;

/// A book of a living connection is said to be alive at least this often.
const SIGN: Nanos = Nanos::from_millis(500);
/// Silent for this long, a connection's books are not said to be alive.
const FRESH: Nanos = Nanos::from_secs(2);
/// Nothing for this long after a ping: the connection is dead.
const SILENCE: Nanos = Nanos::from_secs(5);
/// A book is not subscribed to anew sooner than this after the last time: venues count subscriptions.
const RETRY: Nanos = Nanos::from_secs(1);
/// A subscription without a snapshot for this long is tried again.
pub const PATIENCE: Nanos = Nanos::from_secs(10);

/// A connection's signs of life.
#[derive(Clone, Debug)]
pub struct Pulse {
    quiet: Nanos,
    every: Nanos,
    open: bool,
    heard: Nanos,
    pinged: Nanos,
}

/// What a look at a connection's pulse leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beat {
    /// Nothing.
    Calm,
    /// It is to be pinged, and counts as pinged.
    Ping,
    /// A ping was not answered: it counts as closed.
    Dead,
}

impl Pulse {
    /// Of a connection that is pinged once it was quiet for so long, and otherwise at least every so
    /// often.
    pub fn new(quiet: Nanos, every: Nanos) -> Pulse {
        Pulse { quiet, every, open: false, heard: Nanos::ZERO, pinged: Nanos::ZERO }
    }

    /// It was opened.
    pub fn opened(&mut self, now: Nanos) {
        (self.open, self.heard, self.pinged) = (true, now, now);
    }

    /// It was closed, or is of no more use.
    pub fn closed(&mut self) {
        self.open = false;
    }

    /// Open, as far as is known.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Something came.
    #[inline]
    pub fn heard(&mut self, now: Nanos) {
        self.heard = now;
    }

    /// Looks at it; only of an open connection.
    pub fn beat(&mut self, now: Nanos) -> Beat {
        if self.heard < self.pinged && now - self.pinged >= SILENCE {
            self.open = false;
            return Beat::Dead;
        }
        let quiet = now - self.heard >= self.quiet && self.heard >= self.pinged;
        if quiet || now - self.pinged >= self.every {
            self.pinged = now;
            return Beat::Ping;
        }
        Beat::Calm
    }

    /// When the connection last showed that it lives; `None` where that is too long ago. Where a venue
    /// sends all that changes, a quiet book stood as it is until then.
    pub fn fresh(&self, now: Nanos) -> Option<Nanos> {
        (now - self.heard < FRESH).then_some(self.heard)
    }
}

/// What was told of one book, and when its subscription is due again.
#[derive(Clone, Debug)]
pub struct Tended {
    /// Something was told of it since it was last lost.
    told: bool,
    signed: Nanos,
    asked: Nanos,
    /// When to subscribe anew unless a snapshot comes; `MAX` = never.
    again: Nanos,
}

impl Tended {
    /// Nothing is known of it, and nothing is asked for.
    pub fn new() -> Tended {
        Tended { told: false, signed: Nanos::ZERO, asked: Nanos::ZERO, again: Nanos::MAX }
    }

    /// Something of it is told, which is a sign of life.
    #[inline]
    pub fn tell(&mut self, now: Nanos) {
        (self.told, self.signed) = (true, now);
    }

    /// The same, by its subscription: that has not to be asked for again.
    #[inline]
    pub fn settle(&mut self, now: Nanos) {
        self.tell(now);
        self.again = Nanos::MAX;
    }

    /// Whether a sign of life of the connection at `heard` is to be told of the book too; it counts as
    /// told.
    pub fn sign(&mut self, heard: Nanos) -> bool {
        let due = heard - self.signed > SIGN;
        if due {
            self.signed = heard;
        }
        due
    }

    /// It is asked for, and again unless it comes within `patience`.
    pub fn ask(&mut self, now: Nanos, patience: Nanos) {
        (self.asked, self.again) = (now, now + patience);
    }

    /// How long ago it was asked for.
    pub fn waited(&self, now: Nanos) -> Nanos {
        now - self.asked
    }

    /// It is to be asked for again then.
    pub fn ask_again(&mut self, at: Nanos) {
        self.again = at;
    }

    /// It is to be asked for again then, unless that is to be done sooner.
    pub fn ask_again_by(&mut self, at: Nanos) {
        self.again = self.again.min(at);
    }

    /// It is to be asked for again now.
    pub fn is_due(&self, now: Nanos) -> bool {
        self.again <= now
    }

    /// It lost its place: whether it may be asked for at once. If not, it is due as soon as it may.
    pub fn may_retry(&mut self, now: Nanos) -> bool {
        let may = now - self.asked >= RETRY;
        if !may {
            self.again = self.asked + RETRY;
        }
        may
    }

    /// Somebody else doubts it: its loss is news, whatever was told.
    pub fn doubt(&mut self) {
        self.told = true;
    }

    /// Nothing counts that was told of it; whether anything was.
    pub fn lose(&mut self) -> bool {
        std::mem::take(&mut self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Nanos = Nanos::from_secs(1);

    fn at(ms: i64) -> Nanos {
        Nanos::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn a_quiet_connection_is_pinged_once_and_dies_unanswered() {
        let mut pulse = Pulse::new(QUIET, Nanos::MAX);
        assert!(!pulse.is_open());
        pulse.opened(at(0));
        for (ms, want) in [
            (0, Beat::Calm),
            (999, Beat::Calm),
            (1_000, Beat::Ping),
            (1_001, Beat::Calm),
            (5_999, Beat::Calm),
            (6_000, Beat::Dead),
        ] {
            assert!(pulse.is_open(), "{ms}");
            assert_eq!(pulse.beat(at(ms)), want, "{ms}");
            assert_eq!(pulse.fresh(at(ms)), (ms < 2_000).then_some(at(0)), "{ms}");
        }
        assert!(!pulse.is_open());
        // An answer is as good as anything else that comes.
        pulse.opened(at(0));
        assert_eq!(pulse.beat(at(1_000)), Beat::Ping);
        pulse.heard(at(5_900));
        assert_eq!((pulse.beat(at(6_000)), pulse.fresh(at(6_000))), (Beat::Calm, Some(at(5_900))));
        assert_eq!(pulse.beat(at(6_900)), Beat::Ping);
        pulse.closed();
        assert!(!pulse.is_open());
    }

    #[test]
    fn a_lively_connection_is_pinged_as_often_as_its_venue_asks() {
        let mut pulse = Pulse::new(QUIET, Nanos::from_secs(20));
        pulse.opened(at(0));
        let mut pings = Vec::new();
        for ms in (0..60_000).step_by(100) {
            pulse.heard(at(ms));
            match pulse.beat(at(ms)) {
                Beat::Calm => {}
                Beat::Ping => pings.push(ms),
                Beat::Dead => panic!("{ms}"),
            }
        }
        assert_eq!(pings, [20_000, 40_000]);
    }

    #[test]
    fn a_book_is_asked_for_again_when_it_may_and_must() {
        let mut book = Tended::new();
        assert!(!book.is_due(at(0)) && !book.lose());
        book.ask(at(0), PATIENCE);
        assert_eq!((book.is_due(at(9_999)), book.is_due(at(10_000))), (false, true));
        book.ask_again_by(at(20_000));
        assert!(book.is_due(at(10_000)), "sooner already");
        book.settle(at(500));
        assert!(!book.is_due(at(1_000_000)));
        // Lost soon after it was asked for: later. Then at once.
        assert!(book.lose() && !book.lose());
        assert!(!book.may_retry(at(999)));
        assert_eq!((book.is_due(at(999)), book.is_due(at(1_000))), (false, true));
        assert!(book.may_retry(at(1_000)));
        assert_eq!(book.waited(at(1_000)), Nanos::from_secs(1));
        book.ask_again(at(1_500));
        assert_eq!((book.is_due(at(1_499)), book.is_due(at(1_500))), (false, true));
    }

    #[test]
    fn signs_of_life_are_told_no_more_often_than_needed() {
        let mut book = Tended::new();
        book.tell(at(0));
        let told: Vec<_> = (0..2_000).step_by(100).filter(|ms| book.sign(at(*ms))).collect();
        assert_eq!(told, [600, 1_200, 1_800]);
    }
}
