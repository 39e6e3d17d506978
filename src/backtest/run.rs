//! A backtest from the first captured message to the last, and to the end of what it set off.

use super::account::{Account, Funnel, Taken};
use super::feeds::Feeds;
use super::market::{Ahead, Places};
use super::report::Observed;
use super::rows::{Names, Rows};
use super::timeline::Timeline;
use super::trade::{Tradable, Trade, VenueDelays, Venues};
use crate::book::{Counters, Trust};
use crate::capture::FileReport;
use crate::config::Config;
use crate::detect::{Bases, BookSlot, Detector, MergeError, Opportunity, Refused};
use crate::engine::{Books, CapturedStage, CrewError, Endpoints, Plan, PlanError, RunReport};
use crate::risk::{Detail, Refusal};
use crate::sim::delay::Delay;
use crate::sim::setup::{SetupError, listed};
use crate::telemetry::{Hop, HopRecorder, HopReport, Stamps};
use crate::types::{InstrumentId, InstrumentSpec, Nanos, Price, Side, Stopwatch, VenueId};

/// Why a backtest cannot be done, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The configuration cannot be simulated: a rule of a venue is missing, for example.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The configuration makes no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What is to be detected.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// How it is to be traded.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The simulated venues' sessions did not open.
    #[error("the simulated venues' sessions were not ready in time")]
    NotReady,
    /// A list could not be written.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

/// A book as a backtest left it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookOutcome {
    /// Whose.
    pub venue: String,
    /// The venue's symbol.
    pub symbol: String,
    /// The engine's name.
    pub instrument: String,
    /// Whether it could be traded on at the end.
    pub trust: Trust,
    /// What happened to it.
    pub counters: Counters,
    /// A message named it.
    pub met: bool,
}

/// What a backtest found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The files as they were read.
    pub files: Vec<FileReport>,
    /// By file: something in it was of a book of the configuration.
    pub fed: Vec<bool>,
    /// The books of the configuration.
    pub books: Vec<BookOutcome>,
    /// Messages over all files.
    pub messages: u64,
    /// From the first message that was looked at to the last.
    pub span: Nanos,
    /// Directions that were looked at.
    pub evaluations: u64,
    /// What the engine did.
    pub run: RunReport,
    /// From seen to earned.
    pub funnel: Funnel,
    /// How long the hops took.
    pub hops: HopReport,
}

/// A backtest that runs.
pub struct Backtest<W> {
    plan: Plan,
    names: Names,
    feeds: Feeds,
    seeker: Seeker,
    trade: Trade<W>,
    /// Venues from this one on are looked at only.
    traded: usize,
    /// Where any venue has a feed latency: what is on its way to us, and our books.
    ahead: Option<(Ahead, CapturedStage)>,
    places: Places,
    account: Account,
    rows: Option<Rows>,
    watch: W,
}

/// Evaluates, and keeps what it finds until the message is done.
struct Seeker {
    detector: Detector,
    bases: Option<Bases>,
    /// By slot.
    books: Vec<(InstrumentId, VenueId)>,
    found: Vec<(Opportunity, Stamps)>,
    /// Books whose directions were all looked at, and how much was found by then.
    looked: Vec<(BookSlot, usize)>,
    hops: HopRecorder,
    /// Before it, messages only build the books.
    from: Nanos,
}

/// Where a backtest writes, if at all.
#[derive(Default)]
pub struct Lists {
    /// Every opportunity.
    pub opportunities: Option<Box<dyn std::io::Write>>,
    /// What became of each.
    pub ledger: Option<Box<dyn std::io::Write>>,
}

impl<W: Stopwatch + Clone + Send + 'static> Backtest<W> {
    /// A backtest of this configuration that begins at `start`; `delays` are by venue.
    ///
    /// # Errors
    /// [`BacktestError`] names the key of the configuration.
    pub fn new(
        config: &Config,
        delays: Vec<VenueDelays>,
        lists: Lists,
        start: Nanos,
        watch: W,
    ) -> Result<Backtest<W>, BacktestError> {
        let Tradable { config, delays, traded } = Tradable::new(config, &delays);
        let (plan, trade_plan, venues) = plans(&config, &traded, &delays, start)?;
        let mut watches = plan.watches();
        for watched in watches.iter_mut().flat_map(|watch| &mut watch.books) {
            // An old book may refuse an opportunity from being traded, never from being listed.
            watched.max_age = Nanos::ZERO;
        }
        let mut books = Books::new(&plan);
        let own = CapturedStage::new(&plan, &mut books);
        let mut trade = Trade::new(&trade_plan, venues, &books, &watch)?;
        if !trade.open() {
            return Err(BacktestError::NotReady);
        }
        let mut of_slot = vec![(InstrumentId(0), VenueId(0)); usize::from(plan.books)];
        for (venue, own) in
            plan.venues.iter().flat_map(|own| own.instruments.iter().map(move |book| (own.id, book)))
        {
            of_slot[usize::from(own.slot.0)] = (own.instrument, venue);
        }
        let seeker = Seeker {
            detector: plan.detector(&watches)?,
            bases: plan.bases(),
            books: of_slot,
            found: Vec::new(),
            looked: Vec::new(),
            hops: HopRecorder::new(),
            from: Nanos(i64::MIN),
        };
        let feed_delays: Vec<Delay> = delays.into_iter().map(|venue| venue.feed).collect();
        let late = feed_delays.iter().any(|delay| delay.most() > Nanos::ZERO);
        let (read, ahead) = if late {
            let mut far = CapturedStage::new(&plan, &mut Books::new(&plan));
            far.lead();
            (far, Some((Ahead::new(&plan, feed_delays), own)))
        } else {
            (own, None)
        };
        Ok(Backtest {
            names: Names::new(&plan.config),
            feeds: Feeds::new(&plan, read),
            seeker,
            trade,
            traded: traded.venues.len(),
            ahead,
            places: Places::new(&plan),
            account: Account::new(&plan.config, lists.ledger)?,
            rows: lists.opportunities.map(Rows::new).transpose()?,
            plan,
            watch,
        })
    }

    /// Also keeps what a report needs, from the time of the first message on.
    pub fn observe(&mut self, start: Nanos) {
        let observed = Observed::new(&self.plan.config, &self.seeker.books, start);
        self.account.observed = Some(Box::new(observed));
    }

    /// What was kept for a report, if any.
    pub fn take_observed(&mut self) -> Option<Box<Observed>> {
        self.account.observed.take()
    }

    /// Looks for opportunities from that time on; messages before it only build the books, and the
    /// basis where there is one.
    pub fn look_from(&mut self, from: Nanos) {
        self.seeker.from = from;
    }

    /// Plays all of it. `progress` is told now and then how many messages and bytes are done.
    ///
    /// # Errors
    /// [`BacktestError::Write`].
    pub fn run(
        &mut self,
        timeline: &mut Timeline<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Outcome, BacktestError> {
        let start = timeline.next_at().unwrap_or_default();
        // The sessions were opened some time before the first message.
        let (mut now, mut told) = (self.trade.now(), 0);
        while let Some(next) = self.next_at(timeline) {
            // A capture may step back where its recorder's clock did; time does not.
            let next = next.max(now);
            let change = self.ahead.as_ref().map_or(Nanos::MAX, |(ahead, _)| ahead.next_change());
            let due = self.trade.next_at();
            now = next.min(change.max(now)).min(due.max(now));
            if change <= now
                && let Some((ahead, _)) = &mut self.ahead
            {
                ahead.show(now, self.trade.sim_mut());
            }
            if due <= now {
                self.trade.turn(now);
                self.account.records(&self.trade.take_records())?;
            }
            if next > now {
                continue;
            }
            if self.ahead.is_some() {
                self.reach(now);
            } else {
                self.play(now, timeline);
            }
            self.take_found(now)?;
            if timeline.messages() >= told + PROGRESS_EVERY {
                told = timeline.messages();
                progress(told, timeline.position());
            }
        }
        let end = self.trade.close(now);
        self.account.records(&self.trade.take_records())?;
        self.account.finish(self.trade.held(), now)?;
        if let Some(rows) = &mut self.rows {
            rows.finish()?;
        }
        debug_assert!(end >= now);
        let span = now - start.max(self.seeker.from);
        Ok(self.outcome(timeline, span.max(Nanos::ZERO)))
    }

    fn next_at(&mut self, timeline: &mut Timeline<'_>) -> Option<Nanos> {
        match &mut self.ahead {
            Some((ahead, _)) => ahead.next_at(&mut self.feeds, timeline, &self.watch),
            None => timeline.next_at(),
        }
    }

    /// One message reaches us as it leaves the venues: their books, ours, and evaluations.
    fn play(&mut self, now: Nanos, timeline: &mut Timeline<'_>) {
        let Backtest { feeds, seeker, trade, places, account, watch, .. } = self;
        let Some((file, _)) = timeline.next() else { return };
        let Some((view, is_symbol)) = timeline.view(file) else { return };
        feeds.play(&view, (file, now), is_symbol, watch, &mut |stage, turned| {
            places.show(stage, turned.connection, trade.sim_mut());
            seeker.see(stage, turned.at, turned.stamps, account.observed.as_deref_mut(), watch);
        });
        timeline.pass(file);
        for (file, error) in feeds.take_errors() {
            timeline.malformed(file, error);
        }
    }

    /// One message that was read ahead reaches us: our books, and evaluations.
    fn reach(&mut self, now: Nanos) {
        let Backtest { seeker, ahead, account, watch, .. } = self;
        let Some((ahead, stage)) = ahead else { return };
        let Some(handed) = ahead.take() else { return };
        let stamps = stage.follow(&handed, now, watch);
        ahead.done(handed);
        seeker.see(stage, now, stamps, account.observed.as_deref_mut(), watch);
    }

    /// What evaluations found becomes orders, or a refusal.
    fn take_found(&mut self, now: Nanos) -> Result<(), BacktestError> {
        let (found, mut looked) =
            (std::mem::take(&mut self.seeker.found), std::mem::take(&mut self.seeker.looked));
        let mut rest = found.iter();
        let mut done = 0;
        for (BookSlot(slot), upto) in looked.drain(..) {
            for (found, stamps) in rest.by_ref().take(upto - done) {
                self.opportunity(found, *stamps, now)?;
            }
            done = upto;
            if let Some(&(instrument, venue)) = self.seeker.books.get(usize::from(slot)) {
                self.account.evaluated(instrument, venue, now)?;
            }
        }
        self.seeker.looked = looked;
        self.seeker.found = found;
        self.seeker.found.clear();
        Ok(())
    }

    fn opportunity(&mut self, found: &Opportunity, stamps: Stamps, now: Nanos) -> Result<(), BacktestError> {
        if let Some(rows) = &mut self.rows {
            rows.add(&self.names, found)?;
        }
        let episode = self.account.found(found);
        let only_seen = found.legs().iter().find(|leg| usize::from(leg.venue.0) >= self.traded);
        let taken = match only_seen {
            Some(leg) => Taken::Refused(Refusal::at(Refused::Risk, Detail::NoMarket, leg.venue)),
            None => match self.trade.take(found, stamps, now) {
                Ok((intent, _)) => Taken::Sent(intent),
                Err(refusal) => Taken::Refused(refusal),
            },
        };
        self.account.taken(found, episode, taken)?;
        if matches!(taken, Taken::Sent(_)) {
            self.account.records(&self.trade.take_records())?;
        }
        Ok(())
    }

    fn outcome(&mut self, timeline: &Timeline<'_>, span: Nanos) -> Outcome {
        let Backtest { plan, names, feeds, seeker, trade, ahead, account, .. } = self;
        let stage = feeds.stage();
        let mut hops = seeker.hops.clone();
        hops.merge(ahead.as_ref().map_or(stage, |(_, own)| own).hops());
        let counters: Vec<_> = (0..plan.venues.len()).map(|venue| stage.counters(venue)).collect();
        let mut run = trade.report(plan, &counters, &mut hops);
        run.opportunities = account.funnel().opportunities.0;
        for (reason, entry) in seeker.detector.refused().iter() {
            run.refuse(reason, entry.count);
        }
        let books =
            plan.venues.iter().flat_map(|venue| venue.instruments.iter().map(move |own| (venue, own)));
        let books = books.filter_map(|(venue, own)| {
            let book = stage.book(own.slot)?;
            Some(BookOutcome {
                venue: venue.config.id.clone(),
                symbol: own.spec.symbol.to_string(),
                instrument: names.instrument(own.instrument).to_owned(),
                trust: book.trust(),
                counters: *book.counters(),
                met: feeds.is_met(own.slot),
            })
        });
        let tallies: Vec<_> = (0..timeline.files().count()).map(|file| feeds.tally(file)).collect();
        let files = timeline.files().zip(&tallies);
        Outcome {
            files: files.map(|(file, own)| FileReport { ignored: own.ignored, ..file.clone() }).collect(),
            fed: tallies.iter().map(|own| own.fed).collect(),
            books: books.collect(),
            messages: timeline.messages(),
            span,
            evaluations: seeker.detector.evaluations(),
            run,
            funnel: account.funnel().clone(),
            hops: hops.report(),
        }
    }
}

/// What is looked at, and the part of it that is traded, whose books have the same slots.
fn plans(
    config: &Config,
    traded: &Config,
    delays: &[VenueDelays],
    start: Nanos,
) -> Result<(Plan, Plan, Venues), BacktestError> {
    let venues = Venues::new(traded, delays, start)?;
    let count = traded.venues.len();
    let mut rules: Vec<Vec<InstrumentSpec>> =
        (0..count).map(|venue| venues.world.instruments(venue)).collect();
    let trade_plan = Plan::new(traded, &venues.endpoints, &rules)?;
    let mut endpoints = venues.endpoints.clone();
    for venue in config.venues.iter().skip(count) {
        let row = crate::venue::find(&venue.id).ok_or_else(|| PlanError::UnknownVenue(venue.id.clone()))?;
        // Nothing ever connects to it.
        endpoints.push(Endpoints::simulated(&venue.id, 0, &row.sim));
        rules.push(listed(config, rules.len())?.into_iter().map(|(_, spec)| spec).collect());
    }
    Ok((Plan::new(config, &endpoints, &rules)?, trade_plan, venues))
}

/// A book's best bid and ask, where it has both and can be traded on.
fn best(stage: &CapturedStage, slot: BookSlot) -> Option<(Price, Price)> {
    let book = stage.book(slot).filter(|book| book.trust() == Trust::Live)?;
    let best = |side| Some(book.ladder().best_level(side)?.price);
    Some((best(Side::Buy)?, best(Side::Sell)?))
}

/// Messages between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

impl Seeker {
    /// Looks at what a message moved, and shows it to whoever observes the run.
    fn see(
        &mut self,
        stage: &CapturedStage,
        now: Nanos,
        stamps: Stamps,
        observed: Option<&mut Observed>,
        watch: &impl Stopwatch,
    ) {
        if let Some(observed) = observed {
            for &slot in stage.moved() {
                observed.moved(slot, best(stage, slot), now);
            }
        }
        self.look(stage, now, stamps, watch);
    }

    /// Looks at both directions of every pair of each book that the last turn moved.
    fn look(&mut self, stage: &CapturedStage, now: Nanos, stamps: Stamps, watch: &impl Stopwatch) {
        let Seeker { detector, bases, found, looked, hops, from, .. } = self;
        for &slot in stage.moved() {
            let (mut books, began) = (stage, watch.ticks());
            if let Some(bases) = bases {
                bases.follow(&mut books, slot, now, detector);
            }
            if now < *from {
                continue;
            }
            detector.evaluate(&mut books, slot, now, |opportunity| {
                let mut stamps = stamps;
                stamps.mark(Hop::Detect, watch.ticks());
                found.push((*opportunity, stamps));
            });
            hops.record(Hop::Detect, watch.nanos(began, watch.ticks()));
            looked.push((slot, found.len()));
            // The move of a rate concerns more than one pair.
            while let Some(slot) = detector.due() {
                detector.resume(&mut books, slot, now, |opportunity| found.push((*opportunity, stamps)));
                looked.push((slot, found.len()));
            }
        }
    }
}
