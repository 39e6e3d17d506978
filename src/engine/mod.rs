//! The stages feed, detect and exec, each with a `turn`; and how roles are wired together.

mod books;
pub mod connection;
mod crew;
mod detect;
mod exec;
mod exec_role;
mod feed;
mod feed_role;
mod journey;
mod lanes;
mod metadata;
mod paper;
mod plan;
mod report;
mod role;
mod signal;
mod tap;
mod venue_time;

pub use books::Books;
pub use crew::{Crew, CrewError, Helm, Identity, MakeDial};
pub use detect::{DetectRole, DetectStage};
pub use exec::ExecStage;
pub use exec_role::ExecRole;
pub use feed::{FeedBook, FeedCounters, FeedStage};
pub use feed_role::{FeedRole, FeedRoleParts};
pub use journey::JourneyCell;
pub use lanes::Lanes;
pub use metadata::{MetadataError, MetadataLoader};
pub use paper::{PaperConfig, PaperGateway, PaperMarket};
pub use plan::{Endpoints, Plan, PlanError, PlannedBook, PlannedVenue};
pub use report::{RunReport, VenueReport};
pub use role::Role;
pub use signal::{Control, Signal, Status};
pub use tap::Tap;
pub use venue_time::InVenueTime;
