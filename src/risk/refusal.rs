//! Why the gate said no: the reason that is counted, and the detail behind it.

use crate::detect::Refused;
use crate::types::{Money, SpecError, VenueId};

/// What exactly stood in the way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Detail {
    /// The kill flag is set.
    Killed,
    /// The engine is winding down.
    Draining,
    /// As many intents as allowed are open.
    OpenIntents,
    /// No slot is left for another order.
    TableFull,
    /// The instrument is halted after a hedge that failed, or a loss.
    InstrumentHalted,
    /// The venue does not trade this instrument.
    NoMarket,
    /// The venue takes no orders for it now.
    MarketClosed,
    /// The venue's session is not ready.
    Session,
    /// The venue asked us to wait.
    Throttled,
    /// The venue did what it must not do.
    Frozen,
    /// The venue's balance is not ours.
    Drift,
    /// What is held of the contract is not known yet: an order could close what it should open.
    Position,
    /// There is no live book.
    NoBook,
    /// The book is older than its bound.
    BookAge,
    /// The book's bid is at or above its ask.
    BookCrossed,
    /// The market moved: the order would not fill any more.
    Moved,
    /// The edge is below what the inventory asks.
    Inventory,
    /// The limit is too far from the consolidated mid.
    Band,
    /// The order is worth more than one order may be.
    Notional,
    /// Too many orders in a second.
    Rate,
    /// The exposure could become too large.
    Exposure,
    /// The venue's filters.
    Filter(SpecError),
    /// Free balance.
    Balance,
    /// What is left after cuts is below a minimum.
    Remainder,
    /// One of the same direction is open.
    SameDirection,
    /// The direction rests.
    Resting,
    /// A hedge that would not reduce the exposure.
    NotReducing,
    /// The order could not be written for the venue.
    Encode,
    /// The order would break a rate limit of the venue.
    RateLimit,
    /// What prices are in cannot be converted or valued now.
    QuoteRate,
}

/// A refusal of an opportunity or a hedge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("refused: {} ({detail:?})", reason.name())]
pub struct Refusal {
    /// The reason that is counted.
    pub reason: Refused,
    /// What exactly.
    pub detail: Detail,
    /// Where, when it is one venue.
    pub venue: Option<VenueId>,
}

impl Refusal {
    /// A refusal that concerns no single venue.
    #[cold] // what leads here stands out of the way of orders that pass
    pub const fn new(reason: Refused, detail: Detail) -> Refusal {
        Refusal { reason, detail, venue: None }
    }

    /// A refusal because of one venue.
    #[cold]
    pub const fn at(reason: Refused, detail: Detail, venue: VenueId) -> Refusal {
        Refusal { reason, detail, venue: Some(venue) }
    }
}

/// Refusals by reason, with the edge that was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refusals {
    rows: [(u64, Money); Refused::ALL.len()],
}

impl Refusals {
    /// Counts one.
    pub fn count(&mut self, reason: Refused, edge: Money) {
        let row = &mut self.rows[reason as usize];
        row.0 += 1;
        row.1 = row.1.checked_add(edge).unwrap_or(row.1);
    }

    /// How many there were for a reason, and the edge given up, in the quote asset; in the common one
    /// where there are rates.
    pub fn of(&self, reason: Refused) -> (u64, Money) {
        self.rows[reason as usize]
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.rows.iter().map(|row| row.0).sum()
    }
}
