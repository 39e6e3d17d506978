//! The words every other module speaks: exact numbers, names, orders, time, and the two doors to
//! the outside world ([`Link`] for bytes, [`Clock`] for time). Knows no other module.

mod decimal;
mod door;
mod id;
mod instrument;
mod level;
mod money;
mod order;
mod position;
mod price;
mod rate;
mod report;
mod text;
mod time;

pub use decimal::{DecimalError, Fixed, MAX_TEXT, format, parse};
pub use door::{Clock, Dial, Endpoint, EndpointError, Link, LinkError, Received, Stopwatch};
pub use id::{BookId, ClientId, ClientIdParts, Environment, InstrumentId, VenueId};
pub use instrument::{Contract, ContractKind, InstrumentSpec, SpecError};
pub use level::{BookView, Level};
pub use money::{Bps, FeeRate, Money, times};
pub use order::{Draft, Kind, OrderState, Side, Tif};
pub use position::Position;
pub use price::{Price, Qty, Scale};
pub use rate::{Rate, Round, Sides};
pub use report::{Class, KeyRights, OrderStatus, Report};
pub use text::{Asset, Symbol, Text, VenueRef};
pub use time::{Nanos, TimeError};

#[cfg(test)]
pub(crate) use instrument::tests::spec as btc_usdt;
