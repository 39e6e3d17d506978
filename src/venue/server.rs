//! The venue's own end of the wire, for simulated exchanges: it knows the protocol and no
//! matching. What it needs of the matching is the [`Exchange`] behind it.

use crate::types::{
    Asset, FeeRate, InstrumentSpec, KeyRights, Kind, Level, Money, Nanos, OrderState, Position, Price, Qty,
    Side, Tif,
};

/// A simulated venue: connections and requests in, messages out. Checks what the real one checks:
/// signature, timestamp window, nonce, key rights, addresses, filters, and answers with the
/// venue's own errors.
pub trait Server: Send {
    /// Takes one input; what follows is appended to `out`.
    fn on(
        &mut self,
        input: ServerInput<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    );
}

/// A WebSocket connection to the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// An HTTP request to the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What reached the server.
#[derive(Clone, Copy, Debug)]
pub enum ServerInput<'a> {
    /// A WebSocket connection was opened.
    Opened {
        /// Its id.
        conn: ConnId,
        /// Path and query.
        target: &'a str,
        /// Headers, names in lower case.
        headers: &'a [(String, String)],
        /// The peer's address.
        peer: &'a str,
    },
    /// A text message.
    Text(ConnId, &'a str),
    /// A WebSocket connection is gone.
    Closed(ConnId),
    /// An HTTP request.
    Request {
        /// Its id.
        id: RequestId,
        /// The method.
        method: &'a str,
        /// Path and query.
        target: &'a str,
        /// Headers, names in lower case.
        headers: &'a [(String, String)],
        /// The body.
        body: &'a [u8],
        /// The peer's address.
        peer: &'a str,
    },
    /// Something happened in the exchange.
    Event(&'a Event),
    /// Time passed: at least every 10 ms of simulated time.
    Tick,
}

/// What the server sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerOut {
    /// A text message.
    Text(ConnId, String),
    /// A binary message.
    Binary(ConnId, Vec<u8>),
    /// The answer to an HTTP request.
    Response {
        /// Which.
        id: RequestId,
        /// HTTP status.
        status: u16,
        /// Headers beyond the length.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Close the connection.
    Close(ConnId),
}

/// An account of the exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountId(pub u32);

/// What the exchange knows of an API key, to check requests with.
#[derive(Clone)]
pub struct ApiKey {
    /// Whose it is.
    pub account: AccountId,
    /// The public half.
    pub key: String,
    /// What signatures are checked with.
    pub secret: KeySecret,
    /// What requests must name beside the key, where the venue wants that.
    pub passphrase: Option<String>,
    /// What it may do. An empty list of addresses = from anywhere.
    pub rights: KeyRights,
}

/// The checking half of a key.
#[derive(Clone)]
pub enum KeySecret {
    /// A shared secret, decoded.
    Shared(Vec<u8>),
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
    /// A public key of ECDSA over P-256: a point, not compressed.
    Es256([u8; 65]),
}

/// What is behind a server: matching, balances, positions, order life; no protocol. Instruments are indexes
/// into [`Exchange::instruments`].
pub trait Exchange {
    /// The key, if there is one.
    fn key(&self, api_key: &str) -> Option<&ApiKey>;
    /// What is traded.
    fn instruments(&self) -> &[InstrumentSpec];
    /// Places an order; fills and rests it at once. Events follow.
    fn place(&mut self, account: AccountId, order: &NewOrder, now: Nanos) -> Result<OrderView, Refusal>;
    /// Cancels an open order.
    fn cancel(&mut self, account: AccountId, order: &OrderRef, now: Nanos) -> Result<OrderView, Refusal>;
    /// Cancels all open orders of an instrument, or of the account.
    fn cancel_all(&mut self, account: AccountId, instrument: Option<usize>, now: Nanos) -> Vec<OrderView>;
    /// Changes price or total quantity of an open order. Price changes and increases lose priority.
    fn amend(
        &mut self,
        account: AccountId,
        order: &OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
        now: Nanos,
    ) -> Result<OrderView, Refusal>;
    /// An order, open or ended.
    fn order(&self, account: AccountId, order: &OrderRef) -> Option<OrderView>;
    /// Open orders, oldest first.
    fn open_orders(&self, account: AccountId) -> Vec<OrderView>;
    /// Orders that ended since, oldest first.
    fn ended_orders(&self, account: AccountId, since: Nanos) -> Vec<OrderView>;
    /// Fills since, oldest first.
    fn fills(&self, account: AccountId, since: Nanos) -> Vec<FillView>;
    /// All balances, by name.
    fn balances(&self, account: AccountId) -> Vec<Balance>;
    /// Positions in contracts that are not flat, by instrument.
    fn positions(&self, account: AccountId) -> Vec<PositionView>;
    /// The leverage of an account's positions in a contract; 1 for spot.
    fn leverage(&self, account: AccountId, instrument: usize) -> u32;
    /// Changes it, for open orders and the position too. Events follow.
    fn set_leverage(
        &mut self,
        account: AccountId,
        instrument: usize,
        leverage: u32,
        now: Nanos,
    ) -> Result<(), Refusal>;
    /// Maker and taker fee.
    fn fees(&self, account: AccountId, instrument: usize) -> (FeeRate, FeeRate);
    /// The best levels of a book.
    fn book(&self, instrument: usize, levels: usize) -> BookSnapshot;
}

/// A new order at the exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// Of what.
    pub instrument: usize,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market or post-only.
    pub kind: Kind,
    /// How long it lives.
    pub tif: Tif,
    /// The limit.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// It may only reduce a position in a contract.
    pub reduce_only: bool,
    /// The client's id, empty when none was given.
    pub client: String,
}

/// Which order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrderRef {
    /// By the exchange's number.
    Id(u64),
    /// By the client's id: the open one, else the last one that had it.
    Client(String),
}

/// Why the exchange refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// No such instrument.
    UnknownInstrument,
    /// Trading is halted.
    Halted,
    /// Not enough of what the order would spend.
    Balance,
    /// Not enough margin for the position that the order may open.
    Margin,
    /// A reduce-only order with nothing to reduce, or for more than there is.
    ReduceOnly,
    /// A leverage that the exchange does not offer.
    Leverage,
    /// A client id that an open order has.
    DuplicateClient,
    /// A filter of the instrument.
    Filter(crate::types::SpecError),
    /// A post-only order that would take.
    WouldTake,
    /// No such open order.
    UnknownOrder,
    /// The amendment asks for less than is filled, or for nothing at all.
    BadAmend,
    /// Refused at random, by the simulation's knob.
    Random,
}

/// An order as the exchange knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderView {
    /// The exchange's number.
    pub id: u64,
    /// Whose.
    pub account: AccountId,
    /// The order as placed (price and quantity as last amended).
    pub order: NewOrder,
    /// Accepted, part-filled, filled, cancelled.
    pub state: OrderState,
    /// Filled so far.
    pub filled: Qty,
    /// Value filled so far, in the quote asset.
    pub filled_value: Money,
    /// Why it ended, where not by filling.
    pub reason: Option<EndReason>,
    /// When it was placed.
    pub created: Nanos,
    /// When it last changed.
    pub updated: Nanos,
    /// The fills that the placing itself caused, in order; empty in later views.
    pub fills: Vec<FillView>,
}

/// Why an order ended unfilled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// By request.
    Cancelled,
    /// Immediate-or-cancel remainder.
    Ioc,
    /// Fill-or-kill that could not fill.
    Fok,
    /// Would have traded with the same account.
    SelfTrade,
    /// By the dead-man switch.
    DeadMan,
    /// A reduce-only order whose position is gone.
    ReduceOnly,
}

/// One fill, from the side of one of its two orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FillView {
    /// The exchange's trade number; both sides share it.
    pub trade: u64,
    /// The order's number.
    pub order: u64,
    /// The order's client id.
    pub client: String,
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub instrument: usize,
    /// Side of the order.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Fee; negative = rebate.
    pub fee: Money,
    /// Paid in.
    pub fee_asset: Asset,
    /// The order rested.
    pub maker: bool,
    /// When.
    pub at: Nanos,
}

/// A balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// Of what, in the engine's spelling.
    pub asset: Asset,
    /// Free to use.
    pub free: Money,
    /// Held by open orders, and as margin of positions.
    pub locked: Money,
}

/// A position in a contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionView {
    /// In what.
    pub instrument: usize,
    /// How much, and what it cost.
    pub position: Position,
    /// What of the settlement asset is held for it and for open orders of the instrument.
    pub margin: Money,
    /// Its leverage.
    pub leverage: u32,
}

/// A book at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookSnapshot {
    /// Number of the last update in it.
    pub seq: u64,
    /// When it last changed.
    pub at: Nanos,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

/// Something that happened in the exchange, for the server to tell to those who subscribed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Levels changed, each to its absolute quantity. Updates are numbered without gaps.
    Book {
        /// Of what.
        instrument: usize,
        /// This update's number.
        seq: u64,
        /// When.
        at: Nanos,
        /// Changed bids.
        bids: Vec<Level>,
        /// Changed asks.
        asks: Vec<Level>,
    },
    /// An order changed.
    Order {
        /// The order after the change.
        view: OrderView,
        /// What changed.
        change: OrderChange,
    },
    /// A balance changed.
    Balance {
        /// Whose.
        account: AccountId,
        /// The new balance.
        balance: Balance,
        /// When.
        at: Nanos,
    },
    /// A position changed.
    Position {
        /// Whose.
        account: AccountId,
        /// As it is now; it may be flat.
        view: PositionView,
        /// When.
        at: Nanos,
    },
}

/// What changed about an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrderChange {
    /// It is in the book, or about to be matched.
    New,
    /// It traded.
    Trade(FillView),
    /// It was amended.
    Amended,
    /// It ended otherwise than by filling.
    Ended,
}
