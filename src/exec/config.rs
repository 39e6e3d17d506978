//! What an executor is made from, and why that may be refused.

use super::Patience;
use super::hedge::{HedgeRuleError, HedgeRules};
use crate::account::{Inventory, MarketError};
use crate::detect::RatePlan;
use crate::risk::{LimitError, Limits};
use crate::types::{Environment, FeeRate, InstrumentId, InstrumentSpec, Money, Nanos, VenueId};

/// What an executor is made from.
#[derive(Clone)]
pub struct ExecutorConfig {
    /// How many venues there are.
    pub venues: usize,
    /// What is traded where, and our taker fee there.
    pub markets: Vec<(VenueId, InstrumentId, InstrumentSpec, FeeRate)>,
    /// Where orders go.
    pub environment: Environment,
    /// Differs between any two runs.
    pub run: u32,
    /// Key of the tag in client ids.
    pub tag_key: [u8; 32],
    /// Risk limits.
    pub limits: Limits,
    /// The rates between the assets that prices are in, where instruments have prices in several:
    /// limits are then in their common one.
    pub rates: Option<RatePlan>,
    /// Bounds of hedging.
    pub hedge: HedgeRules,
    /// How long silence is borne.
    pub patience: Patience,
    /// Where inventory should stand, by instrument; may be shorter than the list of instruments.
    pub inventory: Vec<Option<Inventory>>,
    /// How many orders are remembered.
    pub orders_kept: usize,
    /// How many orders are signed ahead at most.
    pub pool: usize,
    /// An order signed ahead is renewed when it has less than this left.
    pub renew_before: Nanos,
    /// How many ticks around the best price orders are signed ahead for.
    pub ticks_ahead: u8,
    /// A venue must be quiet for so long before its balances are compared.
    pub settle: Nanos,
    /// Differences of balances up to this are rounding.
    pub drift_max: Money,
    /// Records that fit between two calls of [`Executor::idle`](super::Executor::idle).
    pub journal_pending: usize,
    /// Keep all records in memory.
    pub journal_keep: bool,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// A limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A market.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// A rule of hedging.
    #[error(transparent)]
    Hedge(#[from] HedgeRuleError),
    /// Too many venues.
    #[error("{0} venues: at most 32")]
    TooManyVenues(usize),
}
