//! What a venue tells us about orders, balances and keys, in one vocabulary.

use super::{Asset, ClientId, FeeRate, Money, Nanos, OrderState, Price, Qty, Side, Symbol, VenueRef};

/// What an error of a venue means for the order it answers, and for the venue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Certainly not accepted, and sending it again would be refused again.
    Refused,
    /// It may or may not be there: only evidence decides.
    Unknown,
    /// Certainly not accepted, because of a limit; wait before sending anything.
    Throttled,
    /// Certainly not accepted, and no order may follow: keys, signature, account, ban.
    Halt,
}

/// An order's standing as the venue reports it in answer to a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderStatus {
    /// Our id, when the order carries one of ours.
    pub client: Option<ClientId>,
    /// The venue's id.
    pub venue_ref: VenueRef,
    /// The venue's symbol.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Its state.
    pub state: OrderState,
    /// Its limit.
    pub price: Price,
    /// Ordered.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
}

/// What an API key may do, as its venue says. A field that the venue did not tell is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyRights {
    /// May read the account.
    pub read: Option<bool>,
    /// May place and cancel orders of this kind of market.
    pub trade: Option<bool>,
    /// May withdraw.
    pub withdraw: Option<bool>,
    /// May move funds between accounts.
    pub transfer: Option<bool>,
    /// Is bound to a list of addresses.
    pub ip_bound: Option<bool>,
    /// The addresses, where the venue lists them.
    pub ips: Vec<String>,
    /// When it stops working.
    pub expires: Option<Nanos>,
    /// Rights beyond those above that a trading key should not have, by the venue's name.
    pub excess: Vec<String>,
}

/// One piece of news from a venue's private side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// The gateway is logged in and may send orders.
    Ready,
    /// The gateway lost its session: orders in flight there are Unknown.
    Down(&'static str),
    /// The private stream is proven live (subscription confirmed).
    Streaming,
    /// The venue has the order.
    Accepted {
        /// Our id.
        client: ClientId,
        /// The venue's.
        venue_ref: VenueRef,
        /// The venue's time.
        at: Nanos,
    },
    /// Some of the order filled. De-duplicated by `trade` in the order table.
    Filled {
        /// Our id.
        client: ClientId,
        /// The venue's order id.
        venue_ref: VenueRef,
        /// The venue's trade id, unique per symbol.
        trade: VenueRef,
        /// The symbol.
        symbol: Symbol,
        /// Side of the order.
        side: Side,
        /// Price of this fill.
        price: Price,
        /// Quantity of this fill.
        qty: Qty,
        /// Filled in total after it, as the venue counts.
        total: Option<Qty>,
        /// Fee of this fill; negative = rebate.
        fee: Money,
        /// What the fee was paid in.
        fee_asset: Asset,
        /// The venue's time.
        at: Nanos,
    },
    /// The order ended. A `filled` total, where the venue tells it, must be covered by fills.
    Ended {
        /// Our id.
        client: ClientId,
        /// Filled, cancelled or rejected.
        state: OrderState,
        /// Filled in total, as the venue counts.
        filled: Option<Qty>,
        /// The venue's time.
        at: Nanos,
    },
    /// An order request was answered with an error.
    OrderError {
        /// Our id.
        client: ClientId,
        /// What it means.
        class: Class,
        /// The venue's code, or its text cut short.
        code: VenueRef,
        /// When to go on, for throttles.
        retry_at: Option<Nanos>,
    },
    /// A cancel or amend was answered with an error; the order itself is as it was.
    CancelError {
        /// Our id.
        client: ClientId,
        /// What it means for the cancel.
        class: Class,
        /// The venue's code, or its text cut short.
        code: VenueRef,
    },
    /// An amendment took effect.
    Amended {
        /// Our id.
        client: ClientId,
        /// The new limit.
        price: Price,
        /// The new total quantity.
        qty: Qty,
    },
    /// A query by client id: the order as the venue knows it.
    Status(OrderStatus),
    /// A query by client id: the venue knows no such order *now*. Not proof on its own.
    NotFound {
        /// Our id.
        client: ClientId,
    },
    /// All open orders, each as a `Status` before; failure of a page sends none of this.
    OpenOrdersEnd {
        /// How many there were.
        count: usize,
    },
    /// An order or fill on this account that is not ours.
    Foreign {
        /// The venue's order id.
        venue_ref: VenueRef,
    },
    /// A balance, absolute.
    Balance {
        /// The asset, in the engine's spelling.
        asset: Asset,
        /// Free to trade, where the venue tells; else the total.
        free: Money,
        /// Held by open orders, where the venue tells.
        locked: Option<Money>,
    },
    /// A position in a contract. An answer to a question for balances holds one for every contract
    /// that the gateway trades, those without a position too. On such venues a balance is the
    /// wallet: what is realised, without what open positions would bring.
    Position {
        /// The symbol.
        symbol: Symbol,
        /// Signed, in the instrument's quantity units.
        qty: Qty,
        /// The average entry price, where told, rounded as the venue does.
        entry: Option<Price>,
    },
    /// A venue moved money of the account otherwise than by a trade: the funding of positions.
    Funding {
        /// In what.
        asset: Asset,
        /// Received; negative = paid.
        amount: Money,
        /// The venue's time.
        at: Nanos,
    },
    /// The account's taker and maker fee for a symbol.
    Fees {
        /// The symbol.
        symbol: Symbol,
        /// Taker.
        taker: FeeRate,
        /// Maker.
        maker: FeeRate,
    },
    /// What the key may do.
    Rights(KeyRights),
    /// The venue's clock, with the local time that its request left.
    ServerTime {
        /// The venue's time.
        venue: Nanos,
        /// Local time the question left.
        asked: Nanos,
    },
    /// The dead-man switch is armed until then (zero = off).
    DeadMan {
        /// When it fires, by the venue's clock.
        until: Nanos,
    },
    /// How much of a limit is used, as the venue counts.
    Used {
        /// Which limit.
        limit: &'static str,
        /// Used.
        used: u64,
    },
    /// Everything of a symbol was cancelled.
    CancelledAll {
        /// How many orders, where told.
        count: Option<u64>,
    },
    /// A message that could not be understood: counted, alerted, and never taken for success.
    Malformed(String),
}

impl Report {
    /// Something happened to an order, or was said of it, and nobody can tell what.
    pub fn unknown(client: ClientId, why: &str) -> Report {
        Report::OrderError { client, class: Class::Unknown, code: VenueRef::cut(why), retry_at: None }
    }
}
