//! What is worth taking: the net edge of a size over two books, or over many walked as one, in one
//! quote asset or across several, and what to look at when a book moved.

mod basis;
mod contracts;
mod crossing;
mod edge;
mod ledger;
mod merge;
mod opportunity;
mod rates;
mod ring;
mod scan;

pub use basis::{Bases, Basis};
pub use contracts::Contracts;
pub use edge::{Market, Pair, PairError, Taken, Terms};
pub use ledger::{Entry, RefusalLedger};
pub use merge::{ByRate, Merge, MergeError, Merged, MergedLeg};
pub use opportunity::{Leg, Opportunity, Refused, Sums};
pub use rates::{RateBook, RatePlan, RateQuote, RateSet, Rates};
pub use ring::{Notifier, Taker, ring};
pub use scan::{BookSlot, Books, Cells, Detector, DirectionReport, Own, Watch, Watched};
