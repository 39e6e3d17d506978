//! A spread worth taking, with the legs that would take it.

use std::fmt;

use crate::types::{Bps, InstrumentId, Money, Nanos, Price, Qty, Side, VenueId};

/// One order of an opportunity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Where.
    pub venue: VenueId,
    /// Buy or sell.
    pub side: Side,
    /// The worst price taken: the limit that the order carries.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Version of the published book that it was computed from.
    pub book_version: u64,
}

impl Leg {
    pub(super) const NONE: Leg =
        Leg { venue: VenueId(0), side: Side::Buy, price: Price(0), qty: Qty(0), book_version: 0 };
}

/// What the legs of an opportunity are worth together, at the prices of the levels taken, in the
/// quote asset; where rates are configured, in their common one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Value bought, before fees.
    pub bought: Money,
    /// Fees on it, each leg's rounded up.
    pub buy_fees: Money,
    /// Value sold, before fees.
    pub sold: Money,
    /// Fees on it, each leg's rounded up.
    pub sell_fees: Money,
}

impl Sums {
    /// Value sold less value bought less fees.
    #[inline]
    pub fn net(&self) -> Money {
        self.sold - self.bought - self.buy_fees - self.sell_fees
    }

    /// Value sold less value bought, as a share of the value bought; rounded down.
    pub fn gross_bps(&self) -> Bps {
        share(self.sold - self.bought, self.bought)
    }

    /// [`Sums::net`] as a share of the value bought with its fees; rounded down.
    pub fn net_bps(&self) -> Bps {
        share(self.net(), self.bought + self.buy_fees)
    }
}

/// In basis points; beyond what those can hold, their end.
fn share(part: Money, whole: Money) -> Bps {
    Bps::of(part, whole).unwrap_or(Bps(if part.is_negative() { i64::MIN } else { i64::MAX }))
}

/// A spread worth taking: one to eight legs on one instrument, buys before sells. It is copied
/// through a queue, so it holds what was found and not what follows from it.
#[derive(Clone, Copy)]
pub struct Opportunity {
    /// Of what.
    pub instrument: InstrumentId,
    /// The published levels ran out with edge left.
    pub depth_limited: bool,
    count: u8,
    /// When it was seen.
    pub at: Nanos,
    /// Values and fees.
    pub sums: Sums,
    /// Of which the first `count` are its own.
    legs: [Leg; Opportunity::MAX_LEGS],
}

impl PartialEq for Opportunity {
    fn eq(&self, other: &Opportunity) -> bool {
        let parts = |own: &Opportunity| (own.instrument, own.depth_limited, own.at, own.sums);
        parts(self) == parts(other) && self.legs() == other.legs()
    }
}

impl Eq for Opportunity {}

impl fmt::Debug for Opportunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opportunity")
            .field("instrument", &self.instrument)
            .field("depth_limited", &self.depth_limited)
            .field("at", &self.at)
            .field("sums", &self.sums)
            .field("legs", &self.legs())
            .finish()
    }
}

impl Opportunity {
    /// The most legs an opportunity has.
    pub const MAX_LEGS: usize = 8;

    /// Nothing: what a place for one holds before the first.
    pub const NONE: Opportunity = Opportunity {
        instrument: InstrumentId(0),
        depth_limited: false,
        count: 0,
        at: Nanos::ZERO,
        sums: Sums { bought: Money::ZERO, buy_fees: Money::ZERO, sold: Money::ZERO, sell_fees: Money::ZERO },
        legs: [Leg::NONE; Opportunity::MAX_LEGS],
    };

    /// `None` when nothing of value is bought, or with more than [`Opportunity::MAX_LEGS`].
    #[inline]
    pub fn new(
        instrument: InstrumentId,
        at: Nanos,
        legs: &[Leg],
        sums: Sums,
        depth_limited: bool,
    ) -> Option<Opportunity> {
        let mut own = [Leg::NONE; Opportunity::MAX_LEGS];
        own.get_mut(..legs.len())?.copy_from_slice(legs);
        let count = legs.len() as u8;
        (sums.bought > Money::ZERO).then_some(Opportunity {
            instrument,
            depth_limited,
            count,
            at,
            sums,
            legs: own,
        })
    }

    /// Becomes the other one. No more is copied than the other one has.
    #[inline]
    pub fn set(&mut self, other: &Opportunity) {
        let legs = other.legs();
        self.legs[..legs.len()].copy_from_slice(legs);
        (self.instrument, self.depth_limited, self.count) =
            (other.instrument, other.depth_limited, other.count);
        (self.at, self.sums) = (other.at, other.sums);
    }

    /// The legs, buys before sells.
    #[inline]
    pub fn legs(&self) -> &[Leg] {
        &self.legs[..usize::from(self.count).min(Opportunity::MAX_LEGS)]
    }
}

/// Why something that moved is not taken. Counted by reason, with the edge that was given up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Refused {
    /// A book is older than its venue's bound.
    Stale,
    /// A book is not live.
    Unsynced,
    /// A book's own bid is at or above its own ask.
    Crossed,
    /// Net edge below the minimum.
    BelowEdge,
    /// Below a venue's minimum once rounded to the lot.
    TooSmall,
    /// Not enough balance.
    NoBalance,
    /// A risk limit.
    Risk,
    /// One intent of this instrument and direction is already in flight.
    InFlight,
    /// Too soon after the last one.
    Cooldown,
    /// The executor's queue is full: what is in it is stale already.
    QueueFull,
    /// A venue's session is not ready to take orders.
    NotReady,
    /// A rate between the assets that prices are in is older than its bound.
    RateStale,
    /// There is no rate: its book is not live, is crossed, or has an empty side.
    RateUnsynced,
}

impl Refused {
    /// All reasons.
    pub const ALL: [Refused; 13] = [
        Refused::Stale,
        Refused::Unsynced,
        Refused::Crossed,
        Refused::BelowEdge,
        Refused::TooSmall,
        Refused::NoBalance,
        Refused::Risk,
        Refused::InFlight,
        Refused::Cooldown,
        Refused::QueueFull,
        Refused::NotReady,
        Refused::RateStale,
        Refused::RateUnsynced,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Refused::Stale => "stale",
            Refused::Unsynced => "unsynced",
            Refused::Crossed => "crossed",
            Refused::BelowEdge => "below_edge",
            Refused::TooSmall => "too_small",
            Refused::NoBalance => "no_balance",
            Refused::Risk => "risk",
            Refused::InFlight => "in_flight",
            Refused::Cooldown => "cooldown",
            Refused::QueueFull => "queue_full",
            Refused::NotReady => "not_ready",
            Refused::RateStale => "rate_stale",
            Refused::RateUnsynced => "rate_unsynced",
        }
    }
}
