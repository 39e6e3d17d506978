//! Sizes as the venue counts them, and as the engine does.
//!
//! The venue counts derivatives in contracts; a linear one stands for a fixed amount of the base asset
//! (`ctVal` times `ctMult`: 0.01 BTC). The engine counts the base asset, so that such an instrument can be
//! set against any other; nothing but the wire knows of contracts. The lot is that of the contracts, so
//! every quantity of whole lots is one of theirs, and what is not is refused, never rounded. Spot counts
//! the base asset on both sides, inverse contracts are contracts on both.

use crate::types::{InstrumentSpec, Level};

/// How many units of the engine's quantities are how many of the venue's sizes, in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    ours: i64,
    theirs: i64,
}

impl Sizes {
    /// One is one.
    pub const SAME: Sizes = Sizes { ours: 1, theirs: 1 };

    /// By an instrument's rules.
    pub fn of(spec: &InstrumentSpec) -> Sizes {
        let (ours, theirs) = (spec.contract.wire_unit.max(1), spec.scale.one());
        let (mut divisor, mut rest) = (ours, theirs);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Sizes { ours: ours / divisor, theirs: theirs / divisor }
    }

    /// A size of the venue's as a quantity; `None` when it is none that fits.
    #[inline]
    pub fn qty_of(self, size: i64) -> Option<i64> {
        if self == Sizes::SAME {
            return Some(size);
        }
        if size % self.theirs != 0 { None } else { (size / self.theirs).checked_mul(self.ours) }
    }

    /// A quantity as a size of the venue's; `None` when it is none.
    #[inline]
    pub fn size_of(self, qty: i64) -> Option<i64> {
        if self == Sizes::SAME {
            return Some(qty);
        }
        if qty % self.ours != 0 { None } else { (qty / self.ours).checked_mul(self.theirs) }
    }

    /// The same of levels of the venue's; false when one does not fit.
    #[inline]
    pub fn levels_in_base(self, levels: &mut [Level]) -> bool {
        self == Sizes::SAME
            || levels.iter_mut().all(|level| {
                let qty = self.qty_of(level.qty.0);
                level.qty.0 = qty.unwrap_or(0);
                qty.is_some()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Contract, ContractKind, Scale, btc_usdt};

    #[test]
    fn what_does_not_divide_is_refused() {
        let of = |wire_unit| {
            let spec = btc_usdt();
            let contract = Contract { kind: ContractKind::Linear, wire_unit, ..spec.contract };
            Sizes::of(&InstrumentSpec { contract, scale: Scale::DEFAULT, ..spec })
        };
        let one = Scale::DEFAULT.one();
        // 0.01 of the base a contract; ten; a thousand million; one.
        for (unit, size, qty) in [
            (one / 100, one, one / 100),
            (one / 100, 1_000_000, 10_000),
            (one * 10, 1, 10),
            (one * 1_000_000_000, 5, 5_000_000_000),
            (one, 7, 7),
            (one / 100, -one, -one / 100),
        ] {
            assert_eq!((of(unit).qty_of(size), of(unit).size_of(qty)), (Some(qty), Some(size)), "{unit}");
        }
        assert_eq!((of(one / 100).qty_of(99), of(one * 10).size_of(5)), (None, None));
        assert_eq!((of(one * 10).qty_of(i64::MAX), of(one / 100).size_of(i64::MAX / 10)), (None, None));
        let mut levels = [Level::new(1, 500), Level::new(2, 0)];
        assert!(of(one / 100).levels_in_base(&mut levels));
        assert_eq!(levels, [Level::new(1, 5), Level::new(2, 0)]);
        assert!(!of(one / 100).levels_in_base(&mut [Level::new(1, 501)]));
    }
}
