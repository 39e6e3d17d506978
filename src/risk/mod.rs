//! The gate that every order passes, the limits that it applies, and the kill flag.
//!
//! [`Gate::admit`] and [`Gate::admit_hedge`] are the only makers of [`Admitted`], and nothing else
//! gets onto the wire. [`Caps`] stands behind them, in the last function before the socket, and
//! does not trust them: it knows an order, its market and the consolidated mid, and no strategy.

mod caps;
mod contracts;
mod fit;
mod gate;
mod kill;
mod limits;
mod pass;
mod refusal;
mod rights;
mod view;
mod worth;

pub use caps::{Bucket, Caps, Stopped};
pub use gate::{Admitted, AdmittedIntent, Direction, Gate, NotMeant, ioc};
pub use kill::Kill;
pub use limits::{Exposure, LimitError, Limits};
pub use refusal::{Detail, Refusal, Refusals};
pub use rights::{BadKey, Concern, judge};
pub use view::{GateView, Quote, Standing, consolidated_mid};
pub use worth::{RateView, Worth};
