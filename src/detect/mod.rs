//! What is worth taking: the net edge of a size over two books, or over many walked as one, and what
//! to look at when one moved.

mod basis;
mod edge;
mod ledger;
mod merge;
mod opportunity;
mod ring;
mod scan;

pub use basis::{Bases, Basis};
pub use edge::{Market, Pair, PairError, Taken, Terms};
pub use ledger::{Entry, RefusalLedger};
pub use merge::{Merge, MergeError, Merged, MergedLeg};
pub use opportunity::{Leg, Opportunity, Refused, Sums};
pub use ring::{Notifier, Taker, ring};
pub use scan::{BookSlot, Books, Cells, Detector, DirectionReport, Own, Watch, Watched};
