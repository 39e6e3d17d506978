//! Orders from plan to end: legs, ready requests, order states, hedging, and the journal of it all.
//!
//! [`Executor`] is the whole of it, without I/O: opportunities, reports and time go in; bytes,
//! commands and alerts come out through [`Context`]. What happens to an order:
//!
//! 1. [`Executor::admit`]: the gate makes orders of the opportunity, or refuses it;
//! 2. [`Executor::encode`]: each order's bytes are taken from the pool of orders signed ahead, or
//!    made now; [`Executor::enter`]: each is entered in the table and the journal;
//! 3. [`Executor::send`]: the bytes leave, both legs before any answer is read, each through the
//!    caps and the kill flag;
//! 4. [`Executor::on_report`]: the venue's news move the order's state, the positions, and, once
//!    all legs of the intent have ended, the hedge of what is left over;
//! 5. [`Executor::tick`]: time passes: silence becomes Unknown, questions are asked, hedges are
//!    tried again; and [`Executor::idle`]: orders are signed ahead, records hashed, buffers wiped.

mod config;
mod context;
mod executor;
mod hedge;
mod ids;
mod journal;
mod news;
mod order;
mod orders;
mod plan;
mod presign;
mod rates;
mod rehearsal;
mod report;
mod stats;
mod upkeep;

pub use config::{ExecutorConfig, ExecutorError};
pub use context::{Alert, Context, SendOutcome, VenueClock};
pub use executor::{Encoded, Executor, Prepared};
pub use hedge::{Decision, HedgeRuleError, HedgeRules, Policy, Residual, decide, is_dust};
pub use ids::{Ids, Origin};
pub use journal::{Entry, Journal, Kind as RecordKind, Record, Recorded};
pub use order::{Absence, FillNews, Misconduct, Order, Patience};
pub use orders::{Lookup, Orders, Question};
pub use plan::{Intent, Intents, Outcome};
pub use presign::{Outgoing, PoolCounts, Presign, Ready, Spent, send};
pub use stats::{Counts, ExecReport, JOURNAL_RECORD, VenueCounts};
