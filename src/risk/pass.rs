//! What is known of a market and side before an order: whether it may be traded at all, and with how
//! much. Worked out when nobody waits, read when an order fires.
//!
//! A pass says yes to nothing that the long way would not let through whole. All else goes the long
//! way, which decides, cuts, and names the reason. A pass is good while nothing moved of what it was
//! worked out from.

use super::Caps;
use crate::account::{Ledger, Market};
use crate::types::{Money, Price, Qty, Side};

/// See the module documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// What the ledger and the caps counted.
    of: (u64, u64),
    /// What there is to spend: of what pays for a buy, or of the base asset.
    free: Money,
    /// The most that one order may be worth.
    order_max: Money,
}

impl Pass {
    /// No to everything, and never good.
    pub const NO: Pass = Pass { of: (u64::MAX, u64::MAX), free: Money::ZERO, order_max: Money::ZERO };

    /// A pass as things stand. It says no to everything on markets that need the long way: contracts,
    /// whose positions count by the price of the moment, those that are closed, and those with balances
    /// that are not what they should be.
    pub fn new(market: &Market, side: Side, ledger: &Ledger, caps: &Caps) -> Pass {
        let of = Pass::sources(market, ledger, caps);
        let drifted = [market.base, market.quote].iter().any(|asset| ledger.drifted(market.venue, *asset));
        if market.is_contract() || !market.spec.open || drifted {
            return Pass { of, ..Pass::NO };
        }
        // Without a position the price has no say.
        Pass { of, free: market.budget(ledger, side, Price(0)), order_max: caps.order_max(market) }
    }

    fn sources(market: &Market, ledger: &Ledger, caps: &Caps) -> (u64, u64) {
        (ledger.changes(market.venue), caps.changes())
    }

    /// Nothing moved since it was made.
    #[inline]
    pub fn is_good(&self, market: &Market, ledger: &Ledger, caps: &Caps) -> bool {
        self.of == Pass::sources(market, ledger, caps)
    }

    /// Yes to this limit order, whole.
    #[inline]
    pub fn takes(&self, market: &Market, side: Side, price: Price, qty: Qty) -> bool {
        market.check(price, qty).is_ok_and(|value| {
            let spent = match side {
                Side::Buy => value + market.fee_at_most(value),
                Side::Sell => market.amount(qty),
            };
            value > Money::ZERO && value <= self.order_max && spent <= self.free
        })
    }
}
