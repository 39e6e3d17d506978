//! A position in a contract: signed, one per account and instrument, with what it cost.
//!
//! A linear contract earns what its value rose by. The value of an inverse one is an amount of the base
//! asset that *falls* when the price rises: `contracts * face / price`; and it earns what that fell by,
//! `contracts * face * (1 / entry - 1 / exit)` for a long. So both are kept alike, and what is realised
//! and tied up has the opposite sign.

use super::{ContractKind, Money, Qty, Side};

/// What is held of a contract, and its entry value. Both are below zero for shorts.
///
/// Reducing it gives up the same share of its cost (the average entry price stays), rounded towards
/// zero at 1e-24. However a realised profit is rounded, what a fill pays or brings is the change of
/// the realised sum less the change of the cost, to the last unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Signed, in the instrument's quantity units.
    pub qty: Qty,
    /// Signed entry value, in the asset that the contract settles in.
    pub cost: Money,
}

impl Position {
    /// Nothing held.
    pub const FLAT: Position = Position { qty: Qty(0), cost: Money(0) };

    /// Books a fill of a linear contract worth `value` and hands out the profit it realised.
    ///
    /// # Panics
    /// When the position no longer fits its integers, as arithmetic with [`Money`] does.
    pub fn fill(&mut self, side: Side, qty: Qty, value: Money) -> Money {
        let held = self.qty.0;
        let after = held.checked_add(side.sign() * qty.0).expect("a position beyond 64 bits");
        let signed = |amount: Money| if side == Side::Buy { amount } else { -amount };
        if held.signum() != -side.sign() || qty.0 <= 0 {
            *self = Position { qty: Qty(after), cost: self.cost + signed(value) };
            return Money::ZERO;
        }
        let closed = qty.0.min(held.abs());
        let released = portion(self.cost, closed, held.abs());
        let paid = signed(portion(value, closed, qty.0));
        self.qty = Qty(after);
        self.cost = self.cost - released + (signed(value) - paid);
        -(released + paid)
    }

    /// As [`Position::fill`] of a contract of any kind, with `value` in the asset that it settles in.
    ///
    /// # Panics
    /// As [`Position::fill`].
    pub fn fill_of(&mut self, kind: ContractKind, side: Side, qty: Qty, value: Money) -> Money {
        let realised = self.fill(side, qty, value);
        if kind == ContractKind::Inverse { -realised } else { realised }
    }

    /// What the profits realised so far owe to the position while it is open, signed: its entry value,
    /// of inverse contracts less than zero for longs. Over both sides of all trades, what is realised
    /// less what is tied up is nothing.
    pub fn tied_up(&self, kind: ContractKind) -> Money {
        if kind == ContractKind::Inverse { -self.cost } else { self.cost }
    }

    /// How much an order of this side would close at most.
    pub fn closable(&self, side: Side) -> Qty {
        if self.qty.0.signum() == -side.sign() { Qty(self.qty.0.saturating_abs()) } else { Qty::ZERO }
    }

    /// The average entry price, as an amount of the asset settled in for each unit of the base
    /// asset that `base` says is held; `None` when nothing is, or out of range.
    pub fn entry(&self, base: Money) -> Option<Money> {
        let (cost, base) = (self.cost.0.checked_abs()?, base.0.checked_abs()?);
        // Units of 1e-12 of the base asset: the finest quantity of any scale.
        let base = base / 10i128.pow(12);
        if base == 0 {
            return None;
        }
        let whole = (cost / base).checked_mul(10i128.pow(12))?;
        let rest = (cost % base).checked_mul(10i128.pow(12))? / base;
        whole.checked_add(rest).map(Money)
    }

    /// The most that the position may come to be worth at entry prices, when open buys and sells of
    /// these values fill, either side alone. What margin is asked for.
    pub fn at_most(&self, open: [Money; 2]) -> Money {
        let [buys, sells] = open;
        self.cost.abs().max((self.cost + buys).abs()).max((self.cost - sells).abs())
    }
}

/// `part` of `whole` of an amount, rounded towards zero; both positive, part no more than whole.
fn portion(amount: Money, part: i64, whole: i64) -> Money {
    if part == whole {
        return amount;
    }
    let (part, whole) = (i128::from(part), i128::from(whole));
    Money(amount.0 / whole * part + amount.0 % whole * part / whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn profit_is_realised_where_a_fill_reduces() {
        use Side::{Buy, Sell};
        let mut position = Position::default();
        for (side, qty, value, realised, held, cost) in [
            (Buy, 2, "200", "0", 2, "200"),
            (Buy, 2, "240", "0", 4, "440"),
            (Sell, 1, "100", "-10", 3, "330"),
            (Sell, 5, "600", "30", -2, "-240"),
            (Sell, 1, "90", "0", -3, "-330"),
            (Buy, 1, "80", "30", -2, "-220"),
            (Buy, 2, "250", "-30", 0, "0"),
        ] {
            let got = position.fill(side, Qty(qty), money(value));
            assert_eq!((got, position.qty.0, position.cost), (money(realised), held, money(cost)), "{qty}");
        }
    }

    /// The venues' formula, `contracts * face * (1 / entry - 1 / exit)` for longs, by hand: contracts of
    /// 100, worth 0.002 at 50,000, 0.0016 at 62,500 and 0.0025 at 40,000.
    #[test]
    fn inverse_contracts_earn_what_their_value_falls_by() {
        use Side::{Buy, Sell};
        let mut position = Position::default();
        for (side, qty, value, realised, held, cost) in [
            (Buy, 10, "0.02", "0", 10, "0.02"),
            // 4 * 100 * (1 / 50,000 - 1 / 62,500)
            (Sell, 4, "0.0064", "0.0016", 6, "0.012"),
            // 6 * 100 * (1 / 50,000 - 1 / 40,000), and 2 short at 40,000
            (Sell, 8, "0.02", "-0.003", -2, "-0.005"),
            // 2 * 100 * (1 / 50,000 - 1 / 40,000), turned round
            (Buy, 2, "0.004", "-0.001", 0, "0"),
        ] {
            let got = position.fill_of(ContractKind::Inverse, side, Qty(qty), money(value));
            assert_eq!((got, position.qty.0, position.cost), (money(realised), held, money(cost)), "{qty}");
            assert_eq!(position.tied_up(ContractKind::Inverse), -money(cost));
        }
    }

    #[test]
    fn the_entry_price_is_the_cost_of_one_unit() {
        for (cost, base, want) in [
            ("200", "2", Some("100")),
            ("-1", "-3", Some("0.333333333333333333333333")),
            ("99999999999999", "99999999999999", Some("1")),
            ("0.0000012", "0.000000000001", Some("1200000")),
            ("0", "0", None),
        ] {
            let position = Position { qty: Qty(0), cost: money(cost) };
            assert_eq!(position.entry(money(base)), want.map(money), "{cost} of {base}");
        }
    }

    #[test]
    fn margin_is_for_the_worst_side() {
        let at_most = |cost: &str, buys: &str, sells: &str| {
            let position = Position { qty: Qty(1), cost: money(cost) };
            position.at_most([money(buys), money(sells)]).to_string()
        };
        assert_eq!(at_most("0", "5", "7"), "7");
        assert_eq!(at_most("10", "5", "7"), "15");
        assert_eq!(at_most("10", "0", "20"), "10");
        assert_eq!(at_most("-10", "25", "1"), "15");
    }

    proptest! {
        /// What was paid and received is what was realised less what is still tied up.
        #[test]
        fn no_unit_is_lost_to_rounding(fills in proptest::collection::vec(
            (any::<bool>(), 1i64..1_000_000_000_000, 1i128..1_000_000_000_000_000_000_000_000_000_000), 0..60,
        )) {
            let mut position = Position::default();
            let (mut realised, mut cash, mut held) = (Money::ZERO, Money::ZERO, 0);
            for (buys, qty, value) in fills {
                let side = if buys { Side::Buy } else { Side::Sell };
                realised += position.fill(side, Qty(qty), Money(value));
                cash += if buys { Money(-value) } else { Money(value) };
                held += side.sign() * qty;
                prop_assert_eq!(position.qty, Qty(held));
                prop_assert_eq!(realised - position.cost, cash);
                prop_assert!(held != 0 || position.cost == Money::ZERO);
                prop_assert!(position.cost.0.signum() as i64 * held.signum() >= 0);
            }
        }

        /// What one side of each trade realises, the other lost, or it is tied up: of any contract.
        #[test]
        fn both_sides_of_all_trades_add_up_to_nothing(inverse: bool, fills in proptest::collection::vec(
            (0usize..3, 0usize..3, 1i64..1_000_000_000, 1i128..1_000_000_000_000_000_000_000_000), 0..60,
        )) {
            let kind = if inverse { ContractKind::Inverse } else { ContractKind::Linear };
            let (mut accounts, mut realised) = ([Position::FLAT; 3], Money::ZERO);
            for (buyer, seller, qty, value) in fills {
                for (account, side) in [(buyer, Side::Buy), (seller, Side::Sell)] {
                    realised += accounts[account].fill_of(kind, side, Qty(qty), Money(value));
                }
                let tied_up: Money = accounts.iter().map(|own| own.tied_up(kind)).sum();
                prop_assert_eq!(realised, tied_up);
            }
        }
    }
}
