//! Rate limits as venues count them: known before a request leaves, corrected by what the venue says.
//!
//! A venue writes its limits down as [`Rule`]s, and what each request costs as [`Costs`]; a [`Budget`]
//! holds the counts. There are two kinds of rule. Some count what came within a window, be it one of
//! the clock (each full minute anew) or one that rolls; some count up and forget steadily.
//!
//! Windows are kept as slots of a tenth, and a slot is forgotten after twelve: so no stretch of eleven
//! tenths of a window ever holds more than the limit, wherever the venue's own windows begin, and clocks
//! and the network may be off by a tenth of it. What the venue reports of a window is taken for a floor
//! under our count, never for less: others may share the address or the account, and a report may be
//! older than what was sent since. All of it is whole numbers; time that runs backwards stands still.
//!
//! Orders come first: questions leave a share of each limit to orders, and orders leave one to what is
//! urgent, cancels and hedges.

use crate::types::Nanos;

/// Most rules of one budget.
pub const RULES_MAX: usize = 8;

/// What one request costs by each rule, in the order of the rules; zero = nothing.
pub type Costs = [u32; RULES_MAX];

/// The cost of a request that one rule alone counts.
pub const fn cost(rule: usize, units: u32) -> Costs {
    let mut costs = [0; RULES_MAX];
    costs[rule] = units;
    costs
}

/// Who goes first when little is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Urgency {
    /// Snapshots and questions: they wait.
    Question,
    /// New orders: they are refused.
    Order,
    /// What makes risk less: cancels, amendments, hedges, the dead-man switch.
    Urgent,
}

/// How a count is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forget {
    /// Wholly, so long after it was counted, or at the end of a window of the clock of this length.
    After(Nanos),
    /// Wholly, so long after it was counted: what the venue reports is of the last such span.
    Rolling(Nanos),
    /// Steadily, in thousandths of a unit a second.
    Steadily(u32),
}

/// One limit of a venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name in refusals and reports.
    pub name: &'static str,
    /// Most that may be counted at any time.
    pub most: u32,
    /// How it is forgotten.
    pub forget: Forget,
    /// Each instrument has a count of its own.
    pub each: bool,
    /// Of a hundred: how much this budget may use. The rest is for others who share the limit (the
    /// feed, of a limit by address) and for what clocks and networks shift.
    pub share: u32,
    /// Of a hundred of the share: what questions leave to orders.
    pub orders: u32,
    /// Of a hundred of the share: what orders and questions leave to what is urgent.
    pub urgent: u32,
}

/// A request that would break a limit. It must not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the venue's limit `{0}` has no room")]
pub struct Limited(pub &'static str);

/// The limits of one address or account, and what is used of them.
#[derive(Clone, Debug)]
pub struct Budget {
    rows: Vec<Row>,
    /// Nothing at all is sent before.
    paused: Nanos,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Row {
    rule: Rule,
    /// All bits where each instrument has a count of its own, none where all share the first.
    each: usize,
    /// By urgency: most that we may count, and most that the venue may count.
    own: [u32; 3],
    all: [u32; 3],
    counts: Vec<Count>,
}

/// One rule's count, of one instrument or of all.
#[derive(Clone, Debug)]
struct Count {
    /// Nothing that this rule counts is sent before.
    blocked: Nanos,
    of: Of,
}

#[derive(Clone, Debug)]
enum Of {
    Window(Window),
    Level(Level),
}

impl Budget {
    /// Nothing is used yet. Rules beyond [`RULES_MAX`] would never be looked at: there are none.
    pub fn new(rules: &[Rule], instruments: usize) -> Budget {
        debug_assert!(rules.len() <= RULES_MAX);
        let row = |rule: &Rule| {
            let of = match rule.forget {
                Forget::After(length) => Of::Window(Window::new(length, false)),
                Forget::Rolling(length) => Of::Window(Window::new(length, true)),
                Forget::Steadily(rate) => {
                    Of::Level(Level { rate: i64::from(rate), level: 0, at: Nanos(i64::MIN) })
                }
            };
            let count = Count { blocked: Nanos(i64::MIN), of };
            let counts = vec![count; if rule.each { instruments } else { 1 }];
            let each = if rule.each { usize::MAX } else { 0 };
            let mut row = Row { rule: *rule, each, own: [0; 3], all: [0; 3], counts };
            row.set(rule.most);
            row
        };
        Budget { rows: rules.iter().map(row).collect(), paused: Nanos(i64::MIN), refused: 0 }
    }

    /// Counts a request that is about to be sent. Hot for orders.
    ///
    /// # Errors
    /// [`Limited`] names the rule without room; nothing is counted then.
    #[inline]
    pub fn spend(
        &mut self,
        costs: &Costs,
        urgency: Urgency,
        instrument: usize,
        now: Nanos,
    ) -> Result<(), Limited> {
        let limited = if now < self.paused { Some((0, "pause")) } else { None };
        // Asked and counted in one walk: what was counted before a rule without room is taken back.
        let limited = limited.or_else(|| {
            self.rows.iter_mut().zip(costs).enumerate().find_map(|(at, (row, &units))| {
                let room = units == 0 || row.spend(units, urgency, instrument, now);
                (!room).then_some((at, row.rule.name))
            })
        });
        match limited {
            None => Ok(()),
            Some((rules, name)) => {
                self.take_back(costs, rules, instrument, now);
                self.refused += 1;
                Err(Limited(name))
            }
        }
    }

    /// Asks as for an order that is about to be sent, and counts nothing.
    pub fn rehearse(&mut self, costs: &Costs, instrument: usize, now: Nanos) {
        let refused = self.refused;
        if self.spend(costs, Urgency::Order, instrument, now).is_ok() {
            self.refund(costs, instrument, now);
        }
        self.refused = refused;
    }

    /// Counts a request that is sent whatever is left, such as a login.
    #[inline]
    pub fn note(&mut self, costs: &Costs, instrument: usize, now: Nanos) {
        for (row, &units) in self.rows.iter_mut().zip(costs) {
            if units > 0
                && let Some(count) = row.at(instrument)
            {
                match &mut count.of {
                    Of::Window(window) => window.add(units, now),
                    Of::Level(level) => level.add(units, now),
                }
            }
        }
    }

    /// Takes back what was counted at this very `now`: the request was not sent after all.
    pub fn refund(&mut self, costs: &Costs, instrument: usize, now: Nanos) {
        self.take_back(costs, self.rows.len(), instrument, now);
    }

    /// The same of the first few rules.
    fn take_back(&mut self, costs: &Costs, rules: usize, instrument: usize, now: Nanos) {
        for (row, &units) in self.rows.iter_mut().zip(costs).take(rules) {
            if units > 0
                && let Some(count) = row.at(instrument)
            {
                match &mut count.of {
                    Of::Window(window) => window.take(units, now),
                    Of::Level(level) => level.take(units, now),
                }
            }
        }
    }

    /// Whether each instrument has a count of its own by that rule.
    pub fn is_by_instrument(&self, rule: usize) -> bool {
        self.rows.get(rule).is_some_and(|row| row.rule.each)
    }

    /// The venue says how much of a rule it has counted.
    pub fn told(&mut self, rule: usize, instrument: usize, used: u64, now: Nanos) {
        let Some(row) = self.rows.get_mut(rule) else { return };
        // More than the limit is as good as the limit, and is forgotten as fast.
        let used = u32::try_from(used).unwrap_or(u32::MAX).min(row.rule.most);
        if let Some(count) = row.at(instrument) {
            match &mut count.of {
                Of::Window(window) => window.told(used, now),
                Of::Level(level) => level.told(used, now),
            }
        }
    }

    /// The venue says what a rule's limit is.
    pub fn limit(&mut self, rule: usize, most: u64) {
        if let Some(row) = self.rows.get_mut(rule) {
            row.set(u32::try_from(most).unwrap_or(u32::MAX));
        }
    }

    /// The venue says how fast a rule forgets, in thousandths of a unit a second.
    pub fn decay(&mut self, rule: usize, rate: u32) {
        for count in self.rows.get_mut(rule).into_iter().flat_map(|row| &mut row.counts) {
            if let Of::Level(level) = &mut count.of {
                level.rate = i64::from(rate);
            }
        }
    }

    /// The venue refused by one rule: nothing that the rule counts is sent before `until`.
    pub fn block(&mut self, rule: usize, instrument: usize, until: Nanos) {
        if let Some(count) = self.rows.get_mut(rule).and_then(|row| row.at(instrument)) {
            count.blocked = count.blocked.max(until);
        }
    }

    /// The venue asked us to stop: nothing at all is sent before `until`.
    pub fn pause(&mut self, until: Nanos) {
        self.paused = self.paused.max(until);
    }

    /// How much of a rule we count ourselves.
    pub fn used(&mut self, rule: usize, instrument: usize, now: Nanos) -> u32 {
        match self.rows.get_mut(rule).and_then(|row| row.at(instrument)) {
            Some(Count { of: Of::Window(window), .. }) => window.used(now),
            Some(Count { of: Of::Level(level), .. }) => level.used(now),
            None => 0,
        }
    }

    /// Requests that were refused or had to wait, each time that they asked.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl Row {
    fn set(&mut self, most: u32) {
        let part = |of: u32, percent: u32| (u64::from(of) * u64::from(percent.min(100)) / 100) as u32;
        let Rule { share, orders, urgent, .. } = self.rule;
        let ceilings = |most: u32| {
            let for_orders = part(most, 100 - urgent.min(100));
            [part(most, 100 - (urgent + orders).min(100)), for_orders, most]
        };
        self.rule.most = most;
        self.own = ceilings(part(most, share));
        self.all = ceilings(most);
    }

    #[inline]
    fn at(&mut self, instrument: usize) -> Option<&mut Count> {
        self.counts.get_mut(instrument & self.each)
    }

    /// Counts so much if there is room for it; false, and nothing counted, if not.
    #[inline(always)] // on every order's way
    fn spend(&mut self, units: u32, urgency: Urgency, instrument: usize, now: Nanos) -> bool {
        let (own, all) = (self.own[urgency as usize], self.all[urgency as usize]);
        // An instrument that we do not trade has no count, and so no room.
        let Some(count) = self.at(instrument) else { return false };
        if now < count.blocked {
            return false;
        }
        match &mut count.of {
            Of::Window(window) => {
                let room = window.has(units, own, all, now);
                if room {
                    window.count(units);
                }
                room
            }
            Of::Level(level) => {
                let room = level.has(units, own, now);
                if room {
                    level.count(units);
                }
                room
            }
        }
    }
}

/// Slots in a window, and slots that are remembered.
const SLOTS: i64 = 10;
const KEPT: usize = 12;

/// What was counted lately.
#[derive(Clone, Debug)]
struct Window {
    /// A tenth of the window, in ns.
    step: i64,
    /// The slot of now, counted from the epoch, where it is in the ring, and its end.
    slot: i64,
    here: usize,
    ends: i64,
    ring: [u32; KEPT],
    sum: u32,
    /// What the venue counts in its window of the clock: our own, or more where it said so. The window
    /// is taken to begin a slot late, since a report right after its start may be of the one before.
    venue: u32,
    window: i64,
    /// The venue's window has no start: what it counts beyond our own is of others, and is taken to have
    /// come just now.
    rolls: bool,
}

impl Window {
    fn new(length: Nanos, rolls: bool) -> Window {
        let step = (length.0 / SLOTS).max(1);
        let (slot, here, ends, window) = (0, 0, i64::MIN, i64::MIN);
        Window { step, slot, here, ends, ring: [0; KEPT], sum: 0, venue: 0, window, rolls }
    }

    #[inline]
    fn roll(&mut self, now: Nanos) {
        if now.0 >= self.ends {
            self.turn(now.0.div_euclid(self.step));
        }
    }

    #[cold]
    fn turn(&mut self, slot: i64) {
        let gone = slot.saturating_sub(self.slot).clamp(0, KEPT as i64);
        for late in 0..gone {
            let at = Window::place(slot - late);
            self.sum -= std::mem::take(&mut self.ring[at]);
        }
        (self.slot, self.here) = (slot, Window::place(slot));
        self.ends = slot.saturating_add(1).saturating_mul(self.step);
        let window = (slot - 1).div_euclid(SLOTS);
        if window != self.window {
            self.window = window;
            let (first, kept) = (window * SLOTS, KEPT as i64);
            let own = (first.max(slot - kept + 1)..=slot).map(|slot| self.ring[Window::place(slot)]);
            self.venue = own.sum();
        }
    }

    fn place(slot: i64) -> usize {
        slot.rem_euclid(KEPT as i64) as usize
    }

    #[inline]
    fn has(&mut self, units: u32, own: u32, all: u32, now: Nanos) -> bool {
        self.roll(now);
        let (mine, theirs) = (self.sum.saturating_add(units), self.venue.saturating_add(units));
        mine <= own && theirs <= all
    }

    #[inline]
    fn add(&mut self, units: u32, now: Nanos) {
        self.roll(now);
        self.count(units);
    }

    /// Adds to the slot of now.
    #[inline]
    fn count(&mut self, units: u32) {
        // What does not fit is far beyond any limit.
        let units = units.min(u32::MAX - self.sum);
        self.ring[self.here % KEPT] += units;
        self.sum += units;
        self.venue = self.venue.saturating_add(units);
    }

    fn take(&mut self, units: u32, now: Nanos) {
        self.roll(now);
        let slot = &mut self.ring[self.here % KEPT];
        let units = units.min(*slot);
        *slot -= units;
        self.sum -= units;
        self.venue = self.venue.saturating_sub(units);
    }

    fn told(&mut self, used: u32, now: Nanos) {
        self.roll(now);
        if self.rolls {
            return self.add(used.saturating_sub(self.sum), now);
        }
        // Within the first slot of a window it may be the count of the one before.
        if self.slot.rem_euclid(SLOTS) != 0 {
            self.venue = self.venue.max(used);
        }
    }

    fn used(&mut self, now: Nanos) -> u32 {
        self.roll(now);
        self.sum.max(self.venue)
    }
}

/// Parts of a unit, so that a nanosecond forgets a whole number of them at any rate.
const UNIT: i64 = 1_000_000_000_000;

/// A count that is forgotten steadily.
#[derive(Clone, Debug)]
struct Level {
    /// Thousandths of a unit a second.
    rate: i64,
    level: i64,
    at: Nanos,
}

impl Level {
    #[inline]
    fn drain(&mut self, now: Nanos) {
        let elapsed = now.0.saturating_sub(self.at.0);
        if elapsed > 0 {
            self.level = self.level.saturating_sub(elapsed.saturating_mul(self.rate)).max(0);
            self.at = now;
        }
    }

    #[inline]
    fn has(&mut self, units: u32, own: u32, now: Nanos) -> bool {
        self.drain(now);
        self.level.saturating_add(i64::from(units).saturating_mul(UNIT))
            <= i64::from(own).saturating_mul(UNIT)
    }

    #[inline]
    fn add(&mut self, units: u32, now: Nanos) {
        self.drain(now);
        self.count(units);
    }

    /// Adds without forgetting first.
    #[inline]
    fn count(&mut self, units: u32) {
        self.level = self.level.saturating_add(i64::from(units).saturating_mul(UNIT));
    }

    fn take(&mut self, units: u32, now: Nanos) {
        self.drain(now);
        self.level = self.level.saturating_sub(i64::from(units).saturating_mul(UNIT)).max(0);
    }

    fn told(&mut self, used: u32, now: Nanos) {
        self.drain(now);
        self.level = self.level.max(i64::from(used).saturating_mul(UNIT));
    }

    fn used(&mut self, now: Nanos) -> u32 {
        self.drain(now);
        u32::try_from((self.level + UNIT - 1) / UNIT).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: Nanos = Nanos::from_secs(10);

    const fn rule(name: &'static str, most: u32, forget: Forget) -> Rule {
        Rule { name, most, forget, each: false, share: 100, orders: 0, urgent: 0 }
    }

    fn ms(ms: i64) -> Nanos {
        Nanos::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn questions_leave_room_for_orders_and_orders_for_cancels() {
        for forget in [Forget::After(TEN), Forget::Steadily(1)] {
            let rules = [Rule { orders: 30, urgent: 20, ..rule("r", 100, forget) }];
            let mut budget = Budget::new(&rules, 0);
            let mut most =
                |urgency| (0..200).filter(|_| budget.spend(&cost(0, 1), urgency, 0, ms(0)).is_ok()).count();
            let got = [Urgency::Question, Urgency::Order, Urgency::Question, Urgency::Urgent].map(&mut most);
            assert_eq!(got, [50, 30, 0, 20], "{forget:?}");
            assert_eq!(budget.spend(&cost(0, 1), Urgency::Urgent, 0, ms(0)), Err(Limited("r")));
            assert_eq!(budget.refused(), 150 + 170 + 200 + 180 + 1);
        }
    }

    #[test]
    fn a_request_is_counted_by_all_its_rules_or_by_none() {
        let each = Rule { each: true, ..rule("each", 2, Forget::After(TEN)) };
        let mut budget = Budget::new(&[each, rule("all", 3, Forget::After(TEN))], 2);
        let both = [1, 1, 0, 0, 0, 0, 0, 0];
        for (instrument, want) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(Limited("each"))),
            (1, Ok(())),
            (1, Err(Limited("all"))),
            (7, Err(Limited("each"))),
        ] {
            assert_eq!(budget.spend(&both, Urgency::Order, instrument, ms(0)), want, "{instrument}");
        }
        assert_eq!([budget.used(0, 0, ms(0)), budget.used(0, 1, ms(0)), budget.used(1, 0, ms(0))], [2, 1, 3]);
        budget.refund(&both, 1, ms(0));
        let before = format!("{budget:?}");
        budget.rehearse(&both, 0, ms(0)); // has no room
        budget.rehearse(&both, 1, ms(0)); // has
        assert_eq!(format!("{budget:?}"), before, "rehearsals count nothing");
        assert_eq!(budget.spend(&both, Urgency::Order, 1, ms(0)), Ok(()));
    }

    #[test]
    fn what_the_venue_counts_is_a_floor() {
        let mut budget = Budget::new(&[rule("r", 100, Forget::After(TEN))], 0);
        // 1,700,000,000 s is the start of a window: in its first slot a report may be of the last one.
        budget.told(0, 0, 99, ms(500));
        assert_eq!(budget.used(0, 0, ms(500)), 0);
        budget.told(0, 0, 98, ms(2_000));
        budget.told(0, 0, 10, ms(2_000)); // an older one
        let spend = |budget: &mut Budget, at| budget.spend(&cost(0, 1), Urgency::Order, 0, ms(at));
        assert_eq!([0; 3].map(|_| spend(&mut budget, 2_000).is_ok()), [true, true, false]);
        // It is held for a slot beyond the window's end.
        assert_eq!(spend(&mut budget, 10_900), Err(Limited("r")));
        assert_eq!(spend(&mut budget, 11_000), Ok(()));
        // Another limit than the documented one.
        budget.limit(0, 3);
        assert_eq!(spend(&mut budget, 11_000), Err(Limited("r")), "two of before, one of now");
        // A window without a start: what others used is held as long as if it had come just now.
        let mut rolling = Budget::new(&[rule("r", 100, Forget::Rolling(TEN))], 0);
        assert_eq!([0; 10].map(|_| spend(&mut rolling, 0)), [Ok(()); 10]);
        rolling.told(0, 0, 99, ms(1_500));
        rolling.told(0, 0, 12, ms(1_600)); // an older one
        assert_eq!([0; 2].map(|_| spend(&mut rolling, 1_600).is_ok()), [true, false]);
        assert_eq!(rolling.used(0, 0, ms(12_000)), 90, "ours have lapsed, theirs have not");
        assert_eq!(rolling.used(0, 0, ms(12_999)), 90);
        assert_eq!(rolling.used(0, 0, ms(13_000)), 0);
        let mut level = Budget::new(&[rule("r", 100, Forget::Steadily(1_000))], 0);
        level.told(0, 0, 5_000, ms(0));
        assert_eq!(spend(&mut level, 999), Err(Limited("r")));
        assert_eq!(spend(&mut level, 1_000), Ok(()));
    }

    #[test]
    fn pauses_hold() {
        let mut budget =
            Budget::new(&[rule("a", 9, Forget::After(TEN)), rule("b", 9, Forget::After(TEN))], 0);
        budget.block(0, 0, ms(100));
        let at = |budget: &mut Budget, rule, now| budget.spend(&cost(rule, 1), Urgency::Urgent, 0, ms(now));
        assert_eq!(at(&mut budget, 0, 99), Err(Limited("a")));
        assert_eq!(at(&mut budget, 1, 99), Ok(()));
        assert_eq!(at(&mut budget, 0, 100), Ok(()));
        budget.pause(ms(500));
        budget.pause(ms(300)); // the longer one holds
        assert_eq!(at(&mut budget, 1, 499), Err(Limited("pause")));
        assert_eq!(at(&mut budget, 1, 500), Ok(()));
    }

    /// A step of the clock in ms, what a request costs, its urgency, and what the venue reports then.
    fn steps() -> impl Strategy<Value = Vec<(i64, u32, u8, u32)>> {
        let step = prop_oneof![4 => 0i64..400, 2 => -3_000i64..0, 1 => 0i64..30_000];
        proptest::collection::vec((step, 1u32..8, 0u8..3, 0u32..60), 1..400)
    }

    fn urgency(at: u8) -> Urgency {
        [Urgency::Question, Urgency::Order, Urgency::Urgent][usize::from(at)]
    }

    proptest! {
        /// Wherever a window starts, and whatever clock, urgency and reports do: never more than the limit.
        #[test]
        fn no_window_is_ever_exceeded(steps in steps(), start in 0i64..20_000, rolls in any::<bool>()) {
            let forget = if rolls { Forget::Rolling(TEN) } else { Forget::After(TEN) };
            let rules = [Rule { orders: 20, urgent: 10, ..rule("r", 40, forget) }];
            let mut budget = Budget::new(&rules, 0);
            let (mut now, mut latest) = (ms(start), Nanos(i64::MIN / 2));
            let mut sent: Vec<(Nanos, u32)> = Vec::new();
            for (step, units, kind, reported) in steps {
                now = now + Nanos::from_millis(step);
                latest = latest.max(now);
                budget.told(0, 0, u64::from(reported), now);
                if budget.spend(&cost(0, units), urgency(kind), 0, now).is_ok() {
                    sent.push((latest, units));
                }
            }
            for (at, (from, _)) in sent.iter().enumerate() {
                // A tenth more than the window: what the venue's clock may differ by.
                let within = sent[at..].iter().take_while(|(to, _)| *to < *from + TEN + Nanos::from_secs(1));
                prop_assert!(within.map(|(_, units)| units).sum::<u32>() <= 40);
            }
        }

        /// The same of a count that decays: recomputed by the venue's own rule it is never above the limit.
        #[test]
        fn no_level_is_ever_exceeded(steps in steps(), rate in 1u32..10_000) {
            let mut budget = Budget::new(&[rule("r", 40, Forget::Steadily(rate))], 0);
            let (mut now, mut latest) = (ms(0), Nanos(i64::MIN / 2));
            let mut level = 0i128;
            for (step, units, kind, _) in steps {
                now = now + Nanos::from_millis(step);
                let elapsed = i128::from((now - latest).0.max(0));
                latest = latest.max(now);
                level = (level - elapsed * i128::from(rate)).max(0);
                if budget.spend(&cost(0, units), urgency(kind), 0, now).is_ok() {
                    level += i128::from(units) * i128::from(UNIT);
                    prop_assert!(level <= 40 * i128::from(UNIT));
                }
            }
        }

        /// With others on the same account the venue's own windows hold too, once it has told of them.
        #[test]
        fn reports_leave_no_room_for_what_others_used(own in 0u32..50, others in 0u32..50, late in 1_000i64..9_999) {
            let mut budget = Budget::new(&[rule("r", 60, Forget::After(TEN))], 0);
            let mut used = others;
            let mut spend = |budget: &mut Budget, at| {
                let taken = budget.spend(&cost(0, 1), Urgency::Order, 0, ms(at)).is_ok();
                used += u32::from(taken);
                used
            };
            for _ in 0..own.min(60 - others) {
                spend(&mut budget, 0);
            }
            let so_far = own.min(60 - others) + others;
            budget.told(0, 0, u64::from(so_far), ms(late));
            for at in late..10_000 {
                prop_assert!(spend(&mut budget, at) <= 60);
            }
        }

        /// What is given back at once is as if it had never been counted.
        #[test]
        fn refunds_are_exact(steps in steps()) {
            let rules = [rule("w", 40, Forget::After(TEN)), rule("l", 40, Forget::Steadily(700))];
            let (mut with, mut without) = (Budget::new(&rules, 0), Budget::new(&rules, 0));
            let costs = |units| [units, units, 0, 0, 0, 0, 0, 0];
            let mut now = ms(0);
            for (step, units, kind, _) in steps {
                now = now + Nanos::from_millis(step);
                if kind == 0 && with.spend(&costs(units), Urgency::Urgent, 0, now).is_ok() {
                    with.refund(&costs(units), 0, now);
                }
                let got = with.spend(&costs(units), Urgency::Urgent, 0, now);
                prop_assert_eq!(got, without.spend(&costs(units), Urgency::Urgent, 0, now));
            }
        }
    }
}
