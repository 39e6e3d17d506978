//! What one asset is worth in another: a fraction of whole numbers, and its two sides.

use super::{FeeRate, Money, Price, Scale};

/// How many units of one asset are worth how many of another, exactly: positive, in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    num: u64,
    den: u64,
}

/// Where a fraction goes that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// To the next smaller one that fits.
    Down,
    /// To the next larger one that fits.
    Up,
}

impl Rate {
    /// One for one.
    pub const ONE: Rate = Rate { num: 1, den: 1 };

    /// `num / den`; rounded where that takes more than 64 bits a side, by less than one part in
    /// 2^62 while neither is 2^62 times the other. `None` when either is zero, or would become it.
    pub fn new(num: u128, den: u128, round: Round) -> Option<Rate> {
        if num == 0 || den == 0 {
            return None;
        }
        let divisor = greatest_divisor(num, den);
        let (num, den) = (num / divisor, den / divisor);
        let bits = 128 - (num | den).leading_zeros();
        // One bit less than fits, since rounding up may carry.
        let shift = if bits > 64 { bits - 63 } else { 0 };
        let up = |value: u128| (value >> shift) + u128::from(value.trailing_zeros() < shift);
        let (num, den) = match round {
            Round::Down => (num >> shift, up(den)),
            Round::Up => (up(num), den >> shift),
        };
        let (num, den) = (u64::try_from(num).ok()?, u64::try_from(den).ok()?);
        (num > 0 && den > 0).then_some(Rate { num, den })
    }

    /// Units of the asset that it is told in.
    pub const fn num(self) -> u64 {
        self.num
    }

    /// Units of the asset that is told of.
    pub const fn den(self) -> u64 {
        self.den
    }

    /// The other way round.
    pub const fn inverse(self) -> Rate {
        Rate { num: self.den, den: self.num }
    }

    /// One after the other; `None` when the product is out of range.
    pub fn then(self, next: Rate, round: Round) -> Option<Rate> {
        let (num, den) = (u128::from(self.num), u128::from(self.den));
        Rate::new(num * u128::from(next.num), den * u128::from(next.den), round)
    }

    /// This many units at the rate, rounded; `None` when that does not fit.
    pub fn of(self, value: i128, round: Round) -> Option<i128> {
        let up = (round == Round::Up) != (value < 0);
        let (num, den, value_abs) = (u128::from(self.num), u128::from(self.den), value.unsigned_abs());
        let (whole, rest) = (value_abs / den, value_abs % den * num);
        let part = if up { rest.div_ceil(den) } else { rest / den };
        let scaled = i128::try_from(whole.checked_mul(num)?.checked_add(part)?).ok()?;
        Some(if value < 0 { -scaled } else { scaled })
    }

    /// An amount at the rate, rounded to 1e-24; `None` when that does not fit.
    pub fn money(self, amount: Money, round: Round) -> Option<Money> {
        self.of(amount.0, round).map(Money)
    }

    /// A price in the one asset as a price in the other, rounded down; `None` when that does not fit.
    pub fn price(self, price: Price) -> Option<Price> {
        i64::try_from(self.of(i128::from(price.0), Round::Down)?).ok().map(Price)
    }
}

/// What a unit of an asset brings, is worth, and costs in another. What it brings is never more than
/// what it costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sides {
    /// What one gets for it: the bid, less the haircut.
    pub low: Rate,
    /// The middle of bid and ask: what things are valued at, and nothing is decided by alone.
    pub fair: Rate,
    /// What one pays for it: the ask, and the haircut on top, so that the way back is the inverse.
    pub high: Rate,
}

impl Sides {
    /// An asset in itself.
    pub const ONE: Sides = Sides { low: Rate::ONE, fair: Rate::ONE, high: Rate::ONE };

    /// What a book says, base in quote. `None` for prices that are not positive or crossed, and for a
    /// haircut outside of 0 to 1 (in units of 1e-8, 1 excluded).
    pub fn of_book(bid: Price, ask: Price, scale: Scale, haircut: FeeRate) -> Option<Sides> {
        if bid.0 <= 0 || bid > ask || !(0..FeeRate::ONE).contains(&haircut.0) {
            return None;
        }
        let wide = |value: i64| u128::from(value.unsigned_abs());
        let (one, whole, left) = (wide(scale.one()), wide(FeeRate::ONE), wide(FeeRate::ONE - haircut.0));
        Some(Sides {
            low: Rate::new(wide(bid.0) * left, one * whole, Round::Down)?,
            fair: Rate::new(wide(bid.0) + wide(ask.0), 2 * one, Round::Down)?,
            high: Rate::new(wide(ask.0) * whole, one * left, Round::Up)?,
        })
    }

    /// The other way round: what it brings is what the way here costs.
    pub const fn inverse(self) -> Sides {
        Sides { low: self.high.inverse(), fair: self.fair.inverse(), high: self.low.inverse() }
    }

    /// One after the other; `None` when out of range.
    pub fn then(self, next: Sides) -> Option<Sides> {
        Some(Sides {
            low: self.low.then(next.low, Round::Down)?,
            fair: self.fair.then(next.fair, Round::Down)?,
            high: self.high.then(next.high, Round::Up)?,
        })
    }
}

/// By shifts and subtractions: a division of such numbers costs more than all of a round.
fn greatest_divisor(a: u128, b: u128) -> u128 {
    let twos = (a | b).trailing_zeros();
    let (mut a, mut b) = (a >> a.trailing_zeros(), b);
    while b != 0 {
        b >>= b.trailing_zeros();
        if a > b {
            (a, b) = (b, a);
        }
        b -= a;
    }
    a << twos
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const E8: i64 = 100_000_000;

    #[test]
    fn a_book_gives_three_sides_and_the_way_back() {
        let book = Sides::of_book(Price(E8 / 2), Price(E8), Scale::DEFAULT, FeeRate(E8 / 10)).unwrap();
        let of = |rate: Rate| (rate.num(), rate.den());
        assert_eq!([book.low, book.fair, book.high].map(of), [(9, 20), (3, 4), (10, 9)]);
        assert_eq!([book.inverse().low, book.inverse().high].map(of), [(9, 10), (20, 9)]);
        let round_trip = book.then(book.inverse()).unwrap();
        assert_eq!([round_trip.low, round_trip.fair].map(of), [(81, 200), (1, 1)]);
        for (bid, ask, haircut) in [(0, 1, 0), (2, 1, 0), (1, 1, E8), (1, 1, -1)] {
            assert_eq!(Sides::of_book(Price(bid), Price(ask), Scale::DEFAULT, FeeRate(haircut)), None);
        }
    }

    #[test]
    fn amounts_are_rounded_as_asked() {
        let third = Rate::new(1, 3, Round::Down).unwrap();
        for (value, down, up) in [(7, 2, 3), (-7, -3, -2), (9, 3, 3), (0, 0, 0)] {
            assert_eq!(third.of(value, Round::Down), Some(down), "{value}");
            assert_eq!(third.of(value, Round::Up), Some(up), "{value}");
        }
        assert_eq!(third.inverse().of(i128::MAX / 2, Round::Down), None);
        assert_eq!(third.price(Price(10)), Some(Price(3)));
    }

    proptest! {
        #[test]
        fn what_does_not_fit_is_rounded_by_next_to_nothing(num in 1u128.., den in 1u128.., divisor in 1u128..99) {
            let (num, den) = (num >> 8, den >> 8);
            let exact = |rate: Rate| {
                // num * rate.den against den * rate.num, by their leading bits.
                let (left, right) = ((num >> 56) * u128::from(rate.den() >> 8), (den >> 56) * u128::from(rate.num() >> 8));
                (left, right)
            };
            if let (Some(down), Some(up)) = (Rate::new(num, den, Round::Down), Rate::new(num, den, Round::Up)) {
                let at_least = u128::from(down.num()) * u128::from(up.den());
                prop_assert!(at_least <= u128::from(up.num()) * u128::from(down.den()));
                let near = num.leading_zeros().abs_diff(den.leading_zeros()) < 20;
                for rate in [down, up].into_iter().filter(|_| near) {
                    let (left, right) = exact(rate);
                    prop_assert!(left.abs_diff(right) <= left.max(right) >> 30, "{rate:?}");
                }
            }
            // What fits is exact, in lowest terms, whatever it was multiplied by.
            let (num, den) = (num >> 64, den >> 64);
            if num > 0 && den > 0 {
                let rate = Rate::new(num * divisor, den * divisor, Round::Down).unwrap();
                prop_assert_eq!(u128::from(rate.num()) * den, num * u128::from(rate.den()));
                prop_assert_eq!(Rate::new(num, den, Round::Up), Some(rate));
                prop_assert_eq!(greatest_divisor(u128::from(rate.num()), u128::from(rate.den())), 1);
            }
        }

        #[test]
        fn an_amount_at_a_rate_is_exact(value in -(1i128 << 60)..1i128 << 60, num in 1u64..1 << 30, den in 1u64..1 << 30) {
            let rate = Rate::new(u128::from(num), u128::from(den), Round::Down).unwrap();
            let product = value * i128::from(num);
            let den = i128::from(den);
            prop_assert_eq!(rate.of(value, Round::Down), Some(product.div_euclid(den)));
            prop_assert_eq!(rate.of(value, Round::Up), Some(-(-product).div_euclid(den)));
        }
    }
}
