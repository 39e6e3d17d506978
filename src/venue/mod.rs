//! The exchanges: a folder per operator with both ends of its wire, and the seams behind which
//! the engine sees them. Nothing outside this folder names a venue.
//!
//! - [`Feed`]: public market data of one connection, bytes to book changes.
//! - [`Gateway`]: orders and the private side of one account, drafts to bytes and bytes to reports.
//! - [`Server`]: the venue's own end of both, for simulated exchanges.
//! - [`Budget`], [`Turns`]: rate limits as venues count them, and requests that wait for room.
//! - [`Secrets`]: what of a venue's private texts must never be kept.
//! - [`Exchange`]: what a server needs of the matching behind it; `sim/exchange` is one. `served` is what
//!   servers share.

pub mod binance;
mod blank;
pub mod bybit;
pub mod coinbase;
mod credentials;
mod feed;
mod gateway;
pub mod kraken;
mod limits;
mod names;
pub mod okx;
mod preview;
mod pulse;
mod recognise;
mod registry;
mod served;
mod server;
mod stream;
mod tardis;
mod trade;
mod turns;

pub use blank::Secrets;
pub use credentials::Credentials;
pub use feed::{
    BookChange, BookConfig, ChangeKind, Channels, Discovered, Encoding, Feed, FeedConfig, FeedError,
    FeedInput, FeedOut, Lost, Sequence, TierUse, Verdict, Want, to_book_scale,
};
pub use gateway::{
    Begun, Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Guess,
    HttpRequest, Lane, LaneSpec, OrderBytes, Unsupported,
};
pub use limits::{Budget, Costs, Forget, Limited, RULES_MAX, Rule, Urgency, cost};
pub use names::BookNames;
pub use preview::{OrderText, PREVIEW_EXAMPLES, Preview, PreviewError, SignRequest, Signed, Transport};
pub use recognise::{Clue, HostKind, host_kind, of_symbol, recognise};
pub use registry::{FeeIn, KeyForm, NoInverse, SimProfile, VENUES, Venue, find, speaks_sbe};
pub use server::{
    AccountId, ApiKey, Balance, BookSnapshot, ConnId, EndReason, Event, Exchange, FillView, KeySecret,
    NewOrder, OrderChange, OrderRef, OrderView, PositionView, Refusal, RequestId, Server, ServerInput,
    ServerOut,
};
pub use stream::stream_name;
pub use tardis::{from_archive, to_archive};
pub use trade::{ReadTrades, Taker, Trade};
pub use turns::Turns;
