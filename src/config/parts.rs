//! What a checked configuration holds, section by section.

use std::path::PathBuf;

use super::DelayConfig;
use crate::types::{
    Asset, Bps, Contract, ContractKind, Endpoint, Environment, FeeRate, InstrumentSpec, KeyRights, Money,
    Nanos, Price, Qty, Scale, SpecError, Symbol, Text, VenueId,
};
use crate::venue::{Channels, Encoding, Transport};

/// Who calls the stages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `Pinned` where there are more cores than roles, else `Shared`.
    Auto,
    /// A core and a spinning thread for each role.
    Pinned,
    /// Several roles on few threads.
    Shared,
    /// One thread in virtual time: the same seed gives the same journal.
    Stepped,
}

/// `[run]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Who calls the stages.
    pub mode: Mode,
    /// Seed of everything random.
    pub seed: u64,
    /// How long to run; zero = until stopped.
    pub seconds: u64,
    /// Where journals are kept.
    pub data_dir: PathBuf,
    /// Where what must outlive a run is kept: which nonces were used. None: nowhere, and nonces follow
    /// the clock alone.
    pub state_dir: Option<PathBuf>,
}

/// Where a venue's best bid and ask come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopSource {
    /// The depth stream alone.
    Depth,
    /// The ticker stream alone: one level a side.
    Ticker,
    /// Depth, with the best level replaced by a newer ticker.
    Overlay,
}

/// `[venue.<id>]`
#[derive(Clone, PartialEq, Debug)]
pub struct VenueConfig {
    /// Its name in the registry.
    pub id: String,
    /// What its orders and keys are.
    pub environment: Environment,
    /// Market data; `None` where the environment gives it (simulated, on ports of the run).
    pub stream: Option<Endpoint>,
    /// Snapshots, metadata and REST orders.
    pub rest: Option<Endpoint>,
    /// Orders over WebSocket.
    pub orders: Option<Endpoint>,
    /// The private stream.
    pub private: Option<Endpoint>,
    /// What to subscribe to.
    pub channels: Channels,
    /// Connections for the same public stream; the first copy of an update counts.
    pub connections: usize,
    /// How market data is written.
    pub encoding: Encoding,
    /// Where its top comes from.
    pub top: TopSource,
    /// Taker fee.
    pub taker: FeeRate,
    /// Maker fee.
    pub maker: FeeRate,
    /// A book older than this is not traded on.
    pub max_age: Nanos,
    /// How long a request may be on its way before the venue must refuse it.
    pub window_ms: u32,
    /// How orders travel.
    pub transport: Transport,
    /// PREFIX of the environment variables that hold the key; `None` without orders.
    pub credentials_env: Option<String>,
    /// Orders are sent to be checked by the venue, not to be traded.
    pub validate: bool,
    /// Trade with a key of which the venue does not tell what it may do.
    pub allow_unread_rights: bool,
}

/// `[instrument.<name>]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstrumentConfig {
    /// `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-PERP:inverse`.
    pub name: Text<31>,
    /// What is bought.
    pub base: Asset,
    /// What prices are in.
    pub quote: Asset,
    /// Spot, linear or inverse.
    pub kind: ContractKind,
    /// Decimals of prices and quantities, the same on all its venues.
    pub scale: Scale,
    /// Where it trades.
    pub listings: Vec<Listing>,
}

/// An instrument on one venue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Index into [`super::Config::venues`].
    pub venue: VenueId,
    /// The venue's symbol, as its orders spell it.
    pub symbol: Symbol,
    /// The venue's rules, where the file tells them (simulated venues, runs without metadata).
    pub rules: Option<Rules>,
}

/// A venue's filters as the file tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Prices are multiples of this.
    pub tick: Price,
    /// Quantities are multiples of this.
    pub lot: Qty,
    /// Smallest order.
    pub min_qty: Qty,
    /// Largest order; zero = none known.
    pub max_qty: Qty,
    /// Smallest value of an order.
    pub min_notional: Money,
    /// What trades there, where the instrument's name does not tell.
    pub contract: Option<ContractKind>,
    /// What one contract is, where the venue counts contracts and not the base asset: in quantities, or,
    /// for inverse contracts, in the quote asset.
    pub contract_size: Option<Qty>,
    /// What prices are in there, where that is not what the instrument's name tells.
    pub quote: Option<Asset>,
}

impl InstrumentConfig {
    /// The venue's rules in full; `None` where the file does not tell them.
    pub fn spec(&self, listing: &Listing) -> Option<InstrumentSpec> {
        let rules = listing.rules?;
        let places = |value: i64| {
            let digits = self.scale.digits();
            (0..digits).rev().take_while(|_| value != 0).fold((value, digits), |(value, digits), _| {
                if value % 10 == 0 { (value / 10, digits - 1) } else { (value, digits) }
            })
        };
        let kind = rules.contract.unwrap_or(self.kind);
        let quote = rules.quote.unwrap_or(self.quote);
        let (one, size) = (self.scale.one(), rules.contract_size.map_or(self.scale.one(), |size| size.0));
        let (settle, multiplier, wire_unit) = match kind {
            ContractKind::Inverse => (self.base, size, one),
            ContractKind::Spot | ContractKind::Linear => (quote, one, size),
        };
        Some(InstrumentSpec {
            name: self.name,
            symbol: listing.symbol,
            base: self.base,
            quote,
            scale: self.scale,
            tick: rules.tick,
            lot: rules.lot,
            min_qty: rules.min_qty,
            max_qty: rules.max_qty,
            min_notional: rules.min_notional,
            price_digits: places(rules.tick.0).1,
            qty_digits: places(rules.lot.0).1,
            contract: Contract { kind, multiplier, wire_unit, settle },
            open: true,
        })
    }

    /// Whether a price and quantity pass the rules of a listing; `None` without rules.
    pub fn check(&self, listing: &Listing, price: Price, qty: Qty) -> Option<Result<Money, SpecError>> {
        Some(self.spec(listing)?.check(price, qty))
    }
}

/// `[quote]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuoteConfig {
    /// What limits and totals are in.
    pub common: Asset,
    /// The books that tell what assets are worth in each other; of several ways the shortest is taken,
    /// and of those the first.
    pub rates: Vec<RateConfig>,
}

/// `[quote.rates.<instrument>]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateConfig {
    /// Whose book it is: its base asset in its quote asset.
    pub instrument: Text<31>,
    /// Where the book is.
    pub venue: VenueId,
    /// Taken off whatever is converted, in units of 1e-8.
    pub haircut: FeeRate,
    /// An older rate is not traded by.
    pub max_age: Nanos,
}

/// `[detect]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DetectConfig {
    /// Smallest marginal edge taken, net of fees.
    pub min_edge: Bps,
    /// Share of a level's quantity that is counted on, in units of 1e-8.
    pub haircut: i64,
    /// Most value of one opportunity, in the quote asset; with `[quote]`, in the common one.
    pub max_notional: Money,
    /// An instrument on more than two venues is walked as one market, and not pair by pair.
    pub merge: bool,
    /// Edges are measured against the mean difference between the mids, whose past weighs half after
    /// this; zero: outright.
    pub basis_half_life: Nanos,
}

/// `[risk]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskConfig {
    /// Most value of one order, in the quote asset; with `[quote]`, in the common one.
    pub max_order_notional: Money,
    /// Most orders in any second, on each venue.
    pub max_orders_per_s: u32,
    /// Most intents in flight, over all instruments.
    pub max_open_intents: u32,
    /// Furthest that an order's limit may lie from the consolidated mid.
    pub price_band: Bps,
    /// Least time between intents of one instrument and direction.
    pub cooldown: Nanos,
    /// What an instrument's exposure may be worth in the worst case, in the same asset.
    pub max_exposure: Money,
    /// An instrument that lost this much stops, in the same asset; zero = no such limit.
    pub max_loss: Money,
}

/// What is done with a leg that filled less than the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HedgePolicy {
    /// Take what is missing at a worse price, within the bound.
    Finish,
    /// Undo what is too much.
    Reverse,
    /// Keep it, up to a limit; undo what is beyond.
    Keep,
}

/// `[exec]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecConfig {
    /// An order without an answer for this long is Unknown.
    pub ack_timeout: Nanos,
    /// An Unknown order is asked after at this interval.
    pub query_every: Nanos,
    /// Opportunities that may wait for the executor; more are dropped and counted.
    pub queue: usize,
    /// What is done about an imbalance.
    pub hedge: HedgePolicy,
    /// Furthest that a hedge may pay beyond the touch.
    pub hedge_bound: Bps,
    /// Most value kept as inventory under [`HedgePolicy::Keep`].
    pub keep_max: Money,
    /// Whole orders signed ahead for each side and venue that signs each request; zero = none.
    pub presign: usize,
}

/// How a role waits for work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Never gives up its core.
    Spin,
    /// Spins a little, then lets others run.
    Yield,
    /// Spins and yields a little, then sleeps for up to a millisecond.
    Park,
}

/// `[roles]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roles {
    /// Cores for the roles, in the order feeds, detector, executor; empty = chosen.
    pub cores: Vec<usize>,
    /// How roles that share a thread wait; a role with a core of its own always spins.
    pub waiting: Waiting,
    /// A role with a core of its own rehearses each time that it had no work for so long; zero = never.
    pub rehearse: Nanos,
}

/// `[sim]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimConfig {
    /// What each account starts with on each venue.
    pub balances: Vec<(Asset, Money)>,
    /// One way, between us and a venue.
    pub latency: Nanos,
    /// Added to it at random, at most.
    pub jitter: Nanos,
    /// Orders refused at random, of a million.
    pub reject_ppm: u32,
    /// Fills cut short at random, of a million.
    pub partial_ppm: u32,
    /// Connections cut at random, of a million messages.
    pub disconnect_ppm: u32,
    /// Updates lost at random, of a million.
    pub gap_ppm: u32,
    /// The fair price at the start, of instruments that are not in `prices`.
    pub price: Money,
    /// The fair prices at the start, by instrument.
    pub prices: Vec<(Text<31>, Money)>,
    /// How far the fair price wanders in a second, typically.
    pub volatility: Bps,
    /// How far a venue's own price strays from the fair one, typically.
    pub offset: Bps,
    /// How fast it comes back: half of it in this time.
    pub offset_half_life: Nanos,
    /// Makers quote again this long after being hit, at the least and at the most.
    pub requote: (Nanos, Nanos),
    /// Market updates a second on each venue.
    pub updates_per_s: u32,
    /// What positions in contracts are worth at most, as a multiple of their margin.
    pub leverage: u32,
    /// What its own keys may do.
    pub key_rights: KeyRights,
}

/// `[latency]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LatencyConfig {
    /// Ask the kernel when it had the bytes.
    pub kernel_stamps: bool,
    /// In a backtest, by venue: what messages and orders took on their way.
    pub venues: Vec<Delays>,
}

/// What a backtest supposes of the way to a venue and back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delays {
    /// From a change of the venue's book to our receiving it.
    pub feed: DelayConfig,
    /// From our sending of an order to its meeting the book.
    pub entry: DelayConfig,
    /// From the venue's answer to our receiving it.
    pub response: DelayConfig,
}
