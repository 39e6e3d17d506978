//! What is known of a market and side before an order: whether it may be traded at all, and with how
//! much. Worked out when nobody waits, read when an order fires.
//!
//! A pass says yes to nothing that the long way would not let through whole. All else goes the long
//! way, which decides, cuts, and names the reason. A pass is good while nothing moved of what it was
//! worked out from.

use super::Caps;
use crate::account::{Ledger, Market, Markets};
use crate::types::{InstrumentId, Money, Price, Qty, Side};

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

    /// What it was worked out from, as far as it may move.
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
            value > Money::ZERO && value <= self.order_max && market.spent(side, qty, value) <= self.free
        })
    }
}

/// The passes of all markets.
#[derive(Debug)]
pub(super) struct Passes {
    /// By instrument and venue, to buy and to sell.
    rows: Vec<[Pass; 2]>,
    venues: usize,
}

impl Passes {
    /// None is made yet.
    pub fn new(venues: usize, instruments: usize) -> Passes {
        Passes { rows: vec![[Pass::NO; 2]; venues * instruments], venues }
    }

    #[inline]
    fn place(&self, market: &Market) -> usize {
        usize::from(market.instrument.0) * self.venues + usize::from(market.venue.0)
    }

    #[inline]
    pub fn get(&self, market: &Market, side: Side) -> Option<&Pass> {
        self.rows.get(self.place(market)).map(|row| &row[side as usize])
    }

    /// Makes those of an instrument anew that are not good any more.
    pub fn renew(&mut self, instrument: InstrumentId, markets: &Markets, ledger: &Ledger, caps: &Caps) {
        for market in markets.of(instrument) {
            let at = self.place(market);
            for (pass, side) in self.rows.get_mut(at).into_iter().flatten().zip(Side::BOTH) {
                if !pass.is_good(market, ledger, caps) {
                    *pass = Pass::new(market, side, ledger, caps);
                }
            }
        }
    }
}
