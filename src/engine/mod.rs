//! The stages feed, detect and exec, each with a `turn`; and how roles are wired together.

pub mod connection;
mod detect;
mod feed;
mod feed_role;
mod journey;
mod offset;
mod report;
mod role;
mod signal;
mod tap;

pub use detect::{DetectRole, DetectStage};
pub use feed::{FeedBook, FeedCounters, FeedStage};
pub use feed_role::{FeedRole, FeedRoleParts};
pub use journey::JourneyCell;
pub use offset::ClockOffset;
pub use report::{RunReport, VenueReport};
pub use role::Role;
pub use signal::{Control, Signal, Status};
pub use tap::Tap;
