//! What the venue limits.
//!
//! The venue's rules: on Exchange a profile may send 15 requests a second, with bursts of 30; on Advanced
//! Trade a user 30 a second. Orders, cancels and questions draw from the same bucket, which refills as
//! time goes. Public requests have one of their own, by address; few are sent here.

use super::Product;
use super::calls::Call;
use crate::venue::{Costs, Forget, Rule, Urgency, cost};

/// A tenth is for what the network shifts; of the rest a sixth, five requests at most, is for cancels and
/// hedges, and a fifth is what questions leave to orders.
const fn private(rate: u32) -> [Rule; 1] {
    let forget = Forget::Steadily(rate * 1_000);
    [Rule { name: "private requests", most: 30, forget, each: false, share: 90, orders: 20, urgent: 17 }]
}

/// The rules of a product.
pub const fn rules(product: Product) -> [Rule; 1] {
    match product {
        Product::Advanced => private(30),
        Product::Exchange => private(15),
    }
}

/// What is said of a call that waited too long.
pub const NO_ROOM: &str = "not sent: the venue's limits had no room";

/// One private request, an order among them.
pub const REQUEST: Costs = cost(0, 1);

/// What a call costs, and who goes first.
pub fn of(call: &Call) -> (Costs, Urgency) {
    match call {
        Call::Time(_) => (cost(0, 0), Urgency::Question),
        Call::Cancel { .. } | Call::CancelAll { .. } | Call::Amend { .. } | Call::Hunt { .. } => {
            (REQUEST, Urgency::Urgent)
        }
        _ => (REQUEST, Urgency::Question),
    }
}
