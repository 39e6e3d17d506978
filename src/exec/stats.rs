//! What the executor counted: for reports, never for decisions.

use super::{PoolCounts, journal};
use crate::detect::Refused;
use crate::types::{Asset, Money};

/// A venue's counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VenueCounts {
    /// Orders whose bytes were handed over.
    pub orders: u64,
    /// Orders that the venue said it has (in whatever way it said so first).
    pub acks: u64,
    /// Fills, each once.
    pub fills: u64,
    /// Orders that it refused.
    pub rejects: u64,
    /// Orders that became Unknown.
    pub unknown: u64,
    /// Orders whose bytes could not be handed over.
    pub not_sent: u64,
    /// Orders stopped in the last function before the socket.
    pub stopped: u64,
}

/// Counts of the run so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// By venue.
    pub venues: Vec<VenueCounts>,
    /// Opportunities admitted.
    pub intents: u64,
    /// Intents by outcome: done, unwound, kept, capped and halted.
    pub outcomes: [u64; 4],
    /// Hedges sent.
    pub hedges: u64,
    /// News that came twice.
    pub duplicates: u64,
    /// News of orders that ended long ago.
    pub old_news: u64,
    /// Orders and fills on our accounts that are not ours.
    pub foreign: u64,
    /// Messages that could not be read.
    pub malformed: u64,
}

/// All that a report on the run needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecReport {
    /// The counts.
    pub counts: Counts,
    /// Refusals: reason, how often, edge given up in the quote asset, or in the common one.
    pub refused: Vec<(Refused, u64, Money)>,
    /// Orders that are Unknown now.
    pub unknown: usize,
    /// Orders that have not ended.
    pub open_orders: usize,
    /// Intents that have not ended.
    pub open_intents: usize,
    /// Profit and loss by quote asset: cash flows, and the residual marked at the mid, which is in the
    /// common asset where there are rates.
    pub pnl: Vec<(Asset, Money)>,
    /// All of that in the common asset at the fair rates of now; `None` without rates, and while one of
    /// them was never told.
    pub pnl_common: Option<(Asset, Money)>,
    /// Fees by asset.
    pub fees: Vec<(Asset, Money)>,
    /// End minus start, by asset.
    pub net_exposure: Vec<(Asset, Money)>,
    /// What is left over of each instrument and too small to hedge, of the base asset.
    pub dust: Vec<(Asset, Money)>,
    /// How the pool of orders signed ahead served.
    pub pool: PoolCounts,
    /// Records in the journal.
    pub journal_records: u64,
    /// SHA-256 over them.
    pub journal_sha256: [u8; 32],
}

/// Bytes of a journal record; for tools that read the records kept.
pub const JOURNAL_RECORD: usize = journal::RECORD;
