//! Order books: the full-depth ladder that one thread owns, and the published top that others read.

mod far;
mod half;
mod ladder;
mod resync;
mod tick;
mod top;

pub use ladder::{Ladder, LadderConfig, LadderError, Levels, Touched};
pub use resync::{Book, BookConfig, BookLevels, Counters, Loss, Stamp};
pub use top::{Glance, Reader, Top, Trust, Writer, cell};

/// Most levels a side in a published top.
pub const LEVELS: usize = 10;
