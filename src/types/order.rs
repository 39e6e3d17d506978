//! Orders: what is asked for, and the states that an order passes through.

use super::{ClientId, InstrumentId, Price, Qty, VenueId};

/// The side of an order, or of a book (`Buy` = bids, `Sell` = asks).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Side {
    /// Bids; buys the base asset.
    Buy = 0,
    /// Asks; sells the base asset.
    Sell = 1,
}

impl Side {
    /// Both sides, bids first.
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    /// The other side.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// `buy` or `sell`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    /// +1 for buys, -1 for sells.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }
}

/// How long an order lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Tif {
    /// Immediate or cancel: what does not fill at once is cancelled.
    Ioc,
    /// Fill or kill: all at once or nothing.
    Fok,
    /// Good till cancelled.
    Gtc,
}

/// Limit, market, or limit that must not take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// At the price or better.
    Limit,
    /// At any price. The engine itself never sends one: every order has a price bound.
    Market,
    /// At the price, as maker only.
    PostOnly,
}

/// An order as it would be sent. A draft alone has no way onto the wire: it needs the risk gate's
/// `Admitted` and the journal's `Recorded` as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Our id for it.
    pub client: ClientId,
    /// Where it goes.
    pub venue: VenueId,
    /// What is traded.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// How long it lives.
    pub tif: Tif,
    /// The limit; ignored for market orders.
    pub price: Price,
    /// How much, in the base asset (or contracts).
    pub qty: Qty,
    /// It may only reduce a position, never open or turn one. For contracts; a gateway that cannot
    /// say so to its venue refuses the draft.
    pub reduce_only: bool,
}

/// Where an order stands. `Unknown` is left only by evidence: the private stream, a query by
/// client id, the trade list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum OrderState {
    /// Made, not yet handed to the kernel.
    Ready,
    /// Handed to the kernel, at least in part.
    Sent,
    /// The venue said that it has it.
    Accepted,
    /// Some of it filled, the rest working.
    PartFilled,
    /// A timeout, a 5xx, a lost connection, an answer that could not be read.
    Unknown,
    /// All of it filled.
    Filled,
    /// Ended with some or all of it unfilled (cancelled, expired, IOC remainder).
    Cancelled,
    /// Refused by the venue; nothing of it ever rested or filled.
    Rejected,
}

impl OrderState {
    /// Nothing more can happen to such an order.
    pub const fn is_final(self) -> bool {
        matches!(self, OrderState::Filled | OrderState::Cancelled | OrderState::Rejected)
    }
}
