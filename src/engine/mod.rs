//! The stages feed, detect and exec, each with a `turn`; and how roles are wired together.

mod feed;
mod journey;
mod offset;
mod report;
mod signal;

pub use feed::{FeedBook, FeedCounters, FeedStage};
pub use journey::JourneyCell;
pub use offset::ClockOffset;
pub use report::{RunReport, VenueReport};
pub use signal::{Control, Signal, Status};
