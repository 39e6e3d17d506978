//! What is worth taking: the net edge of a size over two books, and what to look at when one moved.

mod opportunity;
mod ring;

pub use opportunity::{Leg, Opportunity, Refused};
pub use ring::{Notifier, Taker, ring};
