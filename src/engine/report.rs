//! What a run did, in numbers: collected from the roles when they have stopped.

use std::collections::BTreeMap;

use super::redundant::ConnectionCounters;
use crate::detect::Refused;
use crate::types::{Asset, Money};

/// One venue's share of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VenueReport {
    /// Its name.
    pub venue: String,
    /// WebSocket messages of the public feed.
    pub frames: u64,
    /// Book changes applied.
    pub updates: u64,
    /// Times a book was lost and built anew.
    pub resyncs: u64,
    /// Orders sent.
    pub orders: u64,
    /// Orders that the venue accepted.
    pub acks: u64,
    /// Fills.
    pub fills: u64,
    /// Orders that the venue refused.
    pub rejects: u64,
}

/// One of several connections for one venue's public stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectionReport {
    /// The venue's name.
    pub venue: String,
    /// Counts from one.
    pub connection: usize,
    /// What it did.
    pub counters: ConnectionCounters,
}

/// A whole run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunReport {
    /// The venues, in the order of the configuration.
    pub venues: Vec<VenueReport>,
    /// The connections of venues that have several.
    pub connections: Vec<ConnectionReport>,
    /// Opportunities detected.
    pub opportunities: u64,
    /// What was not taken, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Intents: opportunities that were acted upon.
    pub intents: u64,
    /// Orders that were Unknown at some time.
    pub unknown: u64,
    /// Orders that are still not final.
    pub unresolved: u64,
    /// Profit and loss by asset: cash flows after fees.
    pub pnl: BTreeMap<Asset, Money>,
    /// All of it in the common asset at the fair rates of the end; `None` without rates.
    pub pnl_common: Option<(Asset, Money)>,
    /// Fees paid by asset.
    pub fees: BTreeMap<Asset, Money>,
    /// End minus start by asset, but for the assets that prices are in; with rates, but for the common
    /// one.
    pub net_exposure: BTreeMap<Asset, Money>,
    /// SHA-256 over the journal's records, in hex.
    pub journal_sha256: String,
    /// Things that a person should know, in order.
    pub alerts: Vec<String>,
}

impl RunReport {
    /// Adds refusals of one kind.
    pub fn refuse(&mut self, reason: Refused, times: u64) {
        if times > 0 {
            *self.refused.entry(reason.name()).or_default() += times;
        }
    }
}
