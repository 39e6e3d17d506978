//! All roles of a run, wired together: who they are, and what they say of it in the end.

use std::any::Any;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::books::Books;
use super::connection::ConnectionConfig;
use super::detect::DetectRole;
use super::exec::ExecStage;
use super::exec_role::ExecRole;
use super::feed::FeedCounters;
use super::feed_role::{FeedRole, FeedRoleParts};
use super::lanes::Lanes;
use super::paper::{PaperConfig, PaperGateway, PaperMarket};
use super::plan::{Plan, PlannedVenue};
use super::queue::Inbox;
use super::report::{ConnectionReport, RunReport, VenueReport};
use super::role::Role;
use super::signal::{Control, Status};
use super::tap::Tap;
use crate::config::HedgePolicy;
use crate::detect::MergeError;
use crate::exec::{Absence, Executor, ExecutorConfig, ExecutorError, HedgeRules, Patience, Policy};
use crate::risk::{Kill, Limits};
use crate::telemetry::HopRecorder;
use crate::types::{Bps, Dial, Environment, Money, Nanos, Stopwatch};
use crate::venue::{Credentials, Gateway, GatewayConfig, NoInverse, PreviewError};

/// Makes a dialler: one for each connection.
pub type MakeDial<'a> = dyn FnMut() -> Box<dyn Dial> + 'a;

/// What makes this run different from any other.
#[derive(Clone)]
pub struct Identity {
    /// In every client order id; differs between any two runs.
    pub run: u32,
    /// Key of the tags in client order ids.
    pub tag_key: [u8; 32],
    /// Seed of back-off pauses and WebSocket masks.
    pub seed: u64,
    /// Where nonces start: above all that were used before, across restarts.
    pub nonce_from: u64,
    /// Keep the journal's records in memory, to be checked against the venues' own ledgers.
    pub keep_journal: bool,
}

impl Identity {
    /// The seed for one use.
    fn seed_of(&self, use_: u64) -> u64 {
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(use_)
    }
}

/// Why there is no crew.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// Orders cannot go to this venue.
    #[error("venue.{0}: takes no orders, only books are supported")]
    NoGateway(String),
    /// Orders there cannot be in inverse contracts.
    #[error(transparent)]
    Inverse(#[from] NoInverse),
    /// There is no key for this venue.
    #[error("venue.{0}: no key to sign orders with")]
    NoKey(String),
    /// Two venues would count on the same money.
    #[error(
        "venue.{0} and venue.{1}: one key, and so one account: expected a key of another (sub-)account each"
    )]
    OneAccount(String, String),
    /// The venue's key.
    #[error("venue.{venue}: {error}")]
    Key {
        /// The venue.
        venue: String,
        /// Why.
        error: PreviewError,
    },
    /// What is traded.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Limits and markets.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

/// The roles of a run.
pub struct Crew<W> {
    /// One a venue.
    pub feeds: Vec<FeedRole<W>>,
    /// The one that detects.
    pub detect: DetectRole<W>,
    /// The one that trades.
    pub exec: ExecRole<W>,
}

/// How to talk to a crew that runs.
pub struct Helm {
    control: Vec<Sender<Control>>,
    status: Receiver<Status>,
    /// Stops every order, at once.
    pub kill: Kill,
}

impl Helm {
    /// Tells every role; a role that is gone needs no telling.
    pub fn tell(&self, control: Control) {
        for role in &self.control {
            let _ = role.send(control);
        }
    }

    /// What roles said since the last call.
    pub fn status(&self) -> Option<Status> {
        self.status.try_recv().ok()
    }
}

impl<W: Stopwatch + Clone + Send + 'static> Crew<W> {
    /// Wires everything; nothing connects before the first turn. `credentials[i]` is venue `i`'s;
    /// venues on paper need none.
    ///
    /// # Errors
    /// [`CrewError`] names the venue or limit.
    pub fn new(
        plan: &Plan,
        credentials: &[Credentials],
        identity: &Identity,
        dial: &mut MakeDial<'_>,
        watch: &W,
    ) -> Result<(Crew<W>, Helm), CrewError> {
        let mut books = Books::new(plan);
        let connection = ConnectionConfig::DEFAULT;
        let mut feeds = Vec::new();
        for (number, venue) in plan.venues.iter().enumerate() {
            let stage = books.feed_stage(venue);
            let key = credentials.get(number).map_or("", |credentials| &credentials.key);
            let headers = stage.feed().headers(key);
            feeds.push(FeedRole::new(FeedRoleParts {
                name: format!("feed {}", venue.config.id),
                venue: venue.id,
                stage,
                headers,
                rest: venue.endpoints.rest.clone(),
                dials: [dial(), dial()],
                more_dials: (1..venue.config.connections).map(|_| dial()).collect(),
                connection,
                seed: identity.seed_of(number as u64),
                tap: None,
                watch: watch.clone(),
            }));
        }
        let (detect_control, detect_orders) = bounded(4);
        let (stage, queue) = books.detect_stage(plan)?;
        let detect = DetectRole::new(stage, detect_orders, watch.clone());

        let (exec, mut helm) = Crew::exec_role(plan, credentials, identity, dial, watch, &books, queue)?;
        helm.control.insert(0, detect_control);
        Ok((Crew { feeds, detect, exec }, helm))
    }

    /// The role that trades, alone: for whoever detects by hand. Opportunities reach it over `queue`,
    /// or by its stage.
    ///
    /// # Errors
    /// As [`Crew::new`].
    pub fn exec_role(
        plan: &Plan,
        credentials: &[Credentials],
        identity: &Identity,
        dial: &mut MakeDial<'_>,
        watch: &W,
        books: &Books,
        queue: Inbox,
    ) -> Result<(ExecRole<W>, Helm), CrewError> {
        let connection = ConnectionConfig::DEFAULT;
        let mut lanes = Vec::new();
        for (number, venue) in plan.venues.iter().enumerate() {
            let gateway: Box<dyn Gateway> = if venue.config.environment == Environment::Paper {
                Box::new(paper(plan, venue, books))
            } else {
                let own = credentials.get(number);
                let own = own.ok_or_else(|| CrewError::NoKey(venue.config.id.clone()))?;
                let before = plan.venues.iter().zip(credentials).take(number);
                let mut shared = before.filter(|(other, key)| {
                    venue.row.unified
                        && other.row.operator() == venue.row.operator()
                        && other.config.environment != Environment::Paper
                        && key.key == own.key
                });
                if let Some((other, _)) = shared.next() {
                    return Err(CrewError::OneAccount(other.config.id.clone(), venue.config.id.clone()));
                }
                gateway(venue, own, identity)?
            };
            let seed = identity.seed_of(0x200 + 16 * number as u64);
            lanes.push(Lanes::new(venue.id, &venue.config.id, gateway, dial, connection, seed));
        }
        let kill = Kill::new();
        let executor = Executor::new(executor_config(plan, identity), kill.clone())?;
        let stage = ExecStage::new(executor, lanes, books.by_venue(plan), watch.clone());
        let (exec_control, exec_orders) = bounded(4);
        let (status_out, status) = bounded(16);
        let exec = ExecRole::new(stage, queue, exec_orders, status_out);
        Ok((exec, Helm { control: vec![exec_control], status, kill }))
    }

    /// Shows every input of every stage to a tap, one for each thread that there may be.
    pub fn tap(&mut self, make: &mut dyn FnMut() -> Box<dyn Tap>) {
        self.feeds.iter_mut().for_each(|feed| feed.set_tap(make()));
        self.exec.stage().set_taps(make);
    }

    /// Lets go of all connections: the feeds take what [`FeedRole::replay`] is told, the gateways what
    /// their lanes are. With the inputs of a run and its rounds, in their order, and the same plan and
    /// identity, what one thread did happens again.
    pub fn forget_connections(&mut self) {
        self.exec.stage().lanes().iter_mut().for_each(super::Lanes::forget_connections);
    }

    /// The roles in the order of a frame's journey.
    pub fn roles(&mut self) -> Vec<&mut dyn Role> {
        let feeds = self.feeds.iter_mut().map(|feed| feed as &mut dyn Role);
        feeds.chain([&mut self.detect as &mut dyn Role, &mut self.exec]).collect()
    }

    /// The roles, for threads to own.
    pub fn into_roles(self) -> Vec<Box<dyn Role>> {
        let feeds = self.feeds.into_iter().map(|feed| Box::new(feed) as Box<dyn Role>);
        feeds.chain([Box::new(self.detect) as Box<dyn Role>, Box::new(self.exec)]).collect()
    }

    /// The crew again, from what threads gave back in any order. `None` when a role is missing.
    pub fn from_roles(roles: Vec<Box<dyn Role>>) -> Option<Crew<W>> {
        let (mut feeds, mut detect, mut exec) = (Vec::new(), None, None);
        for role in roles {
            let role: Box<dyn Any> = role;
            match role.downcast::<FeedRole<W>>() {
                Ok(feed) => feeds.push(*feed),
                Err(role) => match role.downcast::<DetectRole<W>>() {
                    Ok(role) => detect = Some(*role),
                    Err(role) => exec = role.downcast::<ExecRole<W>>().ok().map(|role| *role),
                },
            }
        }
        feeds.sort_by_key(FeedRole::venue);
        Some(Crew { feeds, detect: detect?, exec: exec? })
    }

    /// What the run did, and how long its hops took.
    pub fn report(&mut self, plan: &Plan, now: Nanos) -> (RunReport, HopRecorder) {
        let mut hops = HopRecorder::new();
        let counters: Vec<_> = self.feeds.iter().map(|feed| feed.stage().counters()).collect();
        let mut report = self.exec.report(plan, &counters, now, &mut hops);
        let mut alerts = Vec::new();
        for (venue, feed) in plan.venues.iter().zip(&self.feeds) {
            hops.merge(feed.stage().hops());
            report.connections.extend(feed.stage().copies().iter().enumerate().map(|(at, counters)| {
                ConnectionReport { venue: venue.config.id.clone(), connection: at + 1, counters: *counters }
            }));
            alerts.extend_from_slice(feed.alerts());
        }
        alerts.append(&mut report.alerts);
        report.alerts = alerts;
        let detect = self.detect.stage();
        hops.merge(detect.hops());
        report.opportunities = detect.opportunities();
        for (reason, entry) in detect.refused().iter() {
            report.refuse(reason, entry.count);
        }
        (report, hops)
    }
}

impl<W: Stopwatch> ExecRole<W> {
    /// The private side's share of a report: all but what was detected. `counters[i]` is what venue
    /// `i`'s public side did.
    pub fn report(
        &mut self,
        plan: &Plan,
        counters: &[FeedCounters],
        now: Nanos,
        hops: &mut HopRecorder,
    ) -> RunReport {
        let stage = self.stage();
        let exec = stage.report(now);
        let mut report = RunReport::default();
        for (venue, counters) in plan.venues.iter().zip(counters) {
            let counts = exec.counts.venues.get(usize::from(venue.id.0)).copied().unwrap_or_default();
            report.unknown += counts.unknown;
            report.venues.push(VenueReport {
                venue: venue.config.id.clone(),
                frames: counters.frames,
                updates: counters.updates,
                resyncs: counters.resyncs,
                orders: counts.orders,
                acks: counts.acks,
                fills: counts.fills,
                rejects: counts.rejects,
            });
        }
        for (reason, count, _) in &exec.refused {
            report.refuse(*reason, *count);
        }
        report.intents = exec.counts.intents;
        report.unresolved = exec.open_orders as u64;
        report.pnl = exec.pnl.iter().copied().collect();
        report.pnl_common = exec.pnl_common;
        report.fees = exec.fees.iter().copied().collect();
        // What profits are counted in is no exposure: with rates that is the common asset alone.
        let counted: Vec<_> = match &plan.rates {
            None => plan.config.instruments.iter().map(|instrument| instrument.quote).collect(),
            Some(rates) => vec![rates.common],
        };
        let exposed = exec.net_exposure.iter().filter(|(asset, _)| !counted.contains(asset));
        report.net_exposure = exposed.copied().collect();
        report.journal_sha256 = const_hex::encode(stage.executor().journal().digest());
        report.alerts.extend(stage.alerts().cloned());
        hops.merge(stage.hops());
        report
    }
}

/// A gateway for one key of a venue.
pub(super) fn gateway(
    venue: &PlannedVenue,
    credentials: &Credentials,
    identity: &Identity,
) -> Result<Box<dyn Gateway>, CrewError> {
    let make = venue.row.gateway.ok_or_else(|| CrewError::NoGateway(venue.config.id.clone()))?;
    venue.row.takes(venue.instruments.iter().map(|book| &book.spec))?;
    let made = make(&GatewayConfig {
        venue: venue.id,
        instruments: venue.instruments.iter().map(|b| (b.instrument, b.spec.clone())).collect(),
        credentials: credentials.clone(),
        transport: venue.config.transport,
        rest: venue.endpoints.rest.clone(),
        orders: venue.endpoints.orders.clone(),
        private: venue.endpoints.private.clone(),
        window_ms: venue.config.window_ms,
        nonce_from: identity.nonce_from,
        mask_seed: identity.seed_of(0x100 + u64::from(venue.id.0)),
    });
    made.map_err(|error| CrewError::Key { venue: venue.config.id.clone(), error })
}

/// An account on paper, filled against the books of the run.
fn paper(plan: &Plan, venue: &PlannedVenue, books: &Books) -> PaperGateway {
    let markets = venue.instruments.iter().filter_map(|book| {
        let reader = books.readers.get(usize::from(book.slot.0))?.clone();
        Some(PaperMarket { instrument: book.instrument, spec: book.spec.clone(), book: reader })
    });
    PaperGateway::new(PaperConfig {
        markets: markets.collect(),
        balances: plan.config.sim.balances.clone(),
        taker: venue.config.taker,
        fee_in: venue.row.sim.fee_in,
        latency: plan.config.sim.latency.max(PAPER_LATENCY),
    })
}

/// The least that a paper order takes to its venue.
const PAPER_LATENCY: Nanos = Nanos::from_millis(5);

/// How long after an order's window a venue may still be working on it.
const PROCESSING_BOUND: Nanos = Nanos::from_secs(10);

fn executor_config(plan: &Plan, identity: &Identity) -> ExecutorConfig {
    let config = &plan.config;
    let (risk, exec) = (&config.risk, &config.exec);
    let markets = plan.venues.iter().flat_map(|venue| {
        let books = venue.instruments.iter();
        books.map(|book| (venue.id, book.instrument, book.spec.clone(), venue.config.taker))
    });
    ExecutorConfig {
        venues: plan.venues.len(),
        markets: markets.collect(),
        environment: plan.venues.first().map_or(Environment::Sim, |venue| venue.config.environment),
        run: identity.run,
        tag_key: identity.tag_key,
        limits: Limits {
            order_notional_max: risk.max_order_notional,
            orders_per_second: risk.max_orders_per_s,
            orders_burst: risk.max_orders_per_s.max(4),
            hedge_reserve: (risk.max_orders_per_s / 4).max(1),
            open_intents_max: risk.max_open_intents,
            price_band: risk.price_band,
            exposure_max: risk.max_exposure,
            book_age_max: plan.venues.iter().map(|venue| venue.config.max_age).collect(),
            cooldown: risk.cooldown,
            min_edge: config.detect.min_edge,
            loss_max: if risk.max_loss == Money::ZERO { Money(i128::MAX / 4) } else { risk.max_loss },
        },
        rates: plan.rates.clone(),
        hedge: HedgeRules {
            policy: match exec.hedge {
                HedgePolicy::Finish => Policy::Finish,
                HedgePolicy::Reverse => Policy::Reverse,
                HedgePolicy::Keep => Policy::Keep,
            },
            bound: exec.hedge_bound,
            slippage_max: Bps(exec.hedge_bound.0.saturating_mul(2)),
            attempts_max: 5,
            retry_after: Nanos::from_millis(50),
            life: Nanos::from_secs(30),
            keep_max: exec.keep_max,
        },
        patience: Patience {
            silence: exec.ack_timeout,
            ask_again: exec.query_every,
            ask_again_max: Nanos::from_secs(5),
            absence: Absence { processing_bound: PROCESSING_BOUND, apart: Nanos::from_secs(1) },
        },
        inventory: Vec::new(),
        orders_kept: 4_096,
        pool: exec.presign,
        renew_before: Nanos::from_millis(200),
        ticks_ahead: 2,
        settle: Nanos::from_millis(500),
        drift_max: Money(Money::ONE.0 / 1_000_000),
        journal_pending: 4_096,
        journal_keep: identity.keep_journal,
    }
}
