//! What is traded, and a venue's rules for it.

use super::{Asset, Money, Position, Price, Qty, Scale, Side, Symbol, Text};

/// How a contract's value follows from price and quantity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ContractKind {
    /// The base asset itself changes hands.
    #[default]
    Spot,
    /// A derivative settled in the quote asset.
    Linear,
    /// A derivative settled in the base asset; quantities are contracts of a fixed quote value.
    Inverse,
}

/// The contract behind an instrument: value goes through [`Contract::value`], nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contract {
    /// Spot, linear or inverse.
    pub kind: ContractKind,
    /// Base units per contract (spot and linear) or quote units per contract (inverse), in units
    /// of the instrument's scale; spot is always one.
    pub multiplier: i64,
    /// What one unit of the venue's own sizes is in quantities, in units of the scale: one, but for
    /// venues that count contracts of a fixed base amount where quantities count the base asset.
    /// Nothing but the venue's edge looks at it.
    pub wire_unit: i64,
    /// What P&L and fees are paid in: the quote asset but for inverse contracts.
    pub settle: Asset,
}

impl Contract {
    /// The plain spot contract of a quote asset.
    pub const fn spot(quote: Asset, scale: Scale) -> Contract {
        let one = scale.one();
        Contract { kind: ContractKind::Spot, multiplier: one, wire_unit: one, settle: quote }
    }

    /// How much of the base asset a quantity stands for; `None` for inverse contracts, whose
    /// quantities stand for an amount of the quote asset, and on overflow.
    pub fn base_amount(&self, qty: Qty, scale: Scale) -> Option<Money> {
        match self.kind {
            ContractKind::Spot => Some(Money::from_scaled(qty.0, scale)),
            ContractKind::Linear => {
                let product = i128::from(qty.0) * i128::from(self.multiplier);
                product.checked_mul(10i128.pow(24 - 2 * u32::from(scale.digits()))).map(Money)
            }
            ContractKind::Inverse => None,
        }
    }

    /// Quantities are inverse contracts.
    pub const fn is_inverse(&self) -> bool {
        matches!(self.kind, ContractKind::Inverse)
    }

    /// How much of the base asset a trade of `qty` at `price` stands for: of inverse contracts their
    /// face over the price, rounded towards zero at 1e-24. `None` on overflow, and for inverse contracts
    /// at price zero.
    pub fn base_amount_at(&self, price: Price, qty: Qty, scale: Scale) -> Option<Money> {
        match self.kind {
            ContractKind::Inverse => self.value(price, qty, scale),
            ContractKind::Spot | ContractKind::Linear => self.base_amount(qty, scale),
        }
    }

    /// What `qty` at `price` is worth in what prices are in. Of inverse contracts that is their face, at
    /// any price. `None` on overflow.
    pub fn notional(&self, price: Price, qty: Qty, scale: Scale) -> Option<Money> {
        match self.kind {
            ContractKind::Inverse => {
                let face = i128::from(qty.0) * i128::from(self.multiplier);
                face.checked_mul(10i128.pow(24 - 2 * u32::from(scale.digits()))).map(Money)
            }
            ContractKind::Spot | ContractKind::Linear => self.value(price, qty, scale),
        }
    }

    /// The average entry price of a position, in what prices are in; `None` when nothing is held, or out
    /// of range.
    pub fn entry(&self, position: &Position, scale: Scale) -> Option<Money> {
        match self.kind {
            // The face that was bought, by what it bought.
            ContractKind::Inverse => {
                let face = self.notional(Price(0), position.qty, scale)?;
                Position { cost: face, ..*position }.entry(position.cost)
            }
            ContractKind::Spot | ContractKind::Linear => {
                position.entry(self.base_amount(position.qty, scale)?)
            }
        }
    }

    /// The value of `qty` at `price`, in the settlement asset. `None` on overflow, for inverse
    /// contracts at price zero, and where a scale beyond 8 needs more than 24 decimals. Inverse values are rounded towards zero at 1e-24.
    pub fn value(&self, price: Price, qty: Qty, scale: Scale) -> Option<Money> {
        match self.kind {
            ContractKind::Spot => Money::notional(price, qty, scale),
            ContractKind::Linear => {
                let contracts = i128::from(price.0).checked_mul(i128::from(qty.0))?;
                let product = contracts.checked_mul(i128::from(self.multiplier))?;
                // Three factors of scale: exact up to scale 8, and beyond it where the digits allow.
                let places = 24 - 3 * i32::from(scale.digits());
                let lift = 10i128.pow(places.unsigned_abs());
                match places >= 0 {
                    true => product.checked_mul(lift).map(Money),
                    false => (product % lift == 0).then_some(Money(product / lift)),
                }
            }
            ContractKind::Inverse => {
                if price.0 <= 0 {
                    return None;
                }
                // qty * multiplier / price; two factors of scale on top, one below.
                let quote = i128::from(qty.0).checked_mul(i128::from(self.multiplier))?;
                let lift = 10i128.pow(24 - u32::from(scale.digits()));
                let price = i128::from(price.0);
                match quote.checked_mul(lift) {
                    Some(lifted) => Some(Money(lifted / price)),
                    // Beyond a million or so of the quote asset: a remainder is below the price.
                    None => {
                        let whole = (quote / price).checked_mul(lift)?;
                        whole.checked_add(quote % price * lift / price).map(Money)
                    }
                }
            }
        }
    }
}

/// A venue's rules for one instrument, loaded before any hot stage exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstrumentSpec {
    /// The engine's name: `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-PERP:inverse`.
    pub name: Text<31>,
    /// The venue's own symbol, as its orders and streams spell it.
    pub symbol: Symbol,
    /// What is bought.
    pub base: Asset,
    /// What prices are in.
    pub quote: Asset,
    /// Decimal places of prices and quantities.
    pub scale: Scale,
    /// Prices are multiples of this.
    pub tick: Price,
    /// Quantities are multiples of this.
    pub lot: Qty,
    /// Smallest order, in quantity.
    pub min_qty: Qty,
    /// Largest order, in quantity; zero = no limit known.
    pub max_qty: Qty,
    /// Smallest order, in value.
    pub min_notional: Money,
    /// Decimals in which the venue writes prices (its checksum may depend on them).
    pub price_digits: u8,
    /// Decimals in which the venue writes quantities.
    pub qty_digits: u8,
    /// How value is computed.
    pub contract: Contract,
    /// The venue takes orders for it now.
    pub open: bool,
}

/// Why an order does not fit a venue's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpecError {
    /// Zero or negative price.
    #[error("price is not positive")]
    PriceNotPositive,
    /// Zero or negative quantity.
    #[error("quantity is not positive")]
    QtyNotPositive,
    /// Not a multiple of the tick.
    #[error("price is off the tick")]
    OffTick,
    /// Not a multiple of the lot.
    #[error("quantity is off the lot")]
    OffLot,
    /// Below the smallest quantity.
    #[error("quantity is below the venue's minimum")]
    BelowMinQty,
    /// Above the largest quantity.
    #[error("quantity is above the venue's maximum")]
    AboveMaxQty,
    /// Below the smallest value.
    #[error("value is below the venue's minimum")]
    BelowMinNotional,
    /// The value does not fit.
    #[error("value is out of range")]
    Overflow,
}

impl InstrumentSpec {
    /// Whether the venue's filters take this limit order; its value, if so.
    pub fn check(&self, price: Price, qty: Qty) -> Result<Money, SpecError> {
        self.check_worth(price, qty, || self.contract.value(price, qty, self.scale))
    }

    /// As [`InstrumentSpec::check`], with the order's value from whoever knows it faster.
    #[inline]
    pub fn check_worth(
        &self,
        price: Price,
        qty: Qty,
        value: impl FnOnce() -> Option<Money>,
    ) -> Result<Money, SpecError> {
        if price.0 <= 0 {
            return Err(SpecError::PriceNotPositive);
        }
        if qty.0 <= 0 {
            return Err(SpecError::QtyNotPositive);
        }
        if !price.is_on(self.tick) {
            return Err(SpecError::OffTick);
        }
        if qty.0 % self.lot.0 != 0 {
            return Err(SpecError::OffLot);
        }
        if qty < self.min_qty {
            return Err(SpecError::BelowMinQty);
        }
        if self.max_qty.0 > 0 && qty > self.max_qty {
            return Err(SpecError::AboveMaxQty);
        }
        let value = value().ok_or(SpecError::Overflow)?;
        if value < self.min_notional {
            return Err(SpecError::BelowMinNotional);
        }
        Ok(value)
    }

    /// The same rules in units of another scale; `None` when something does not fit it exactly.
    pub fn rescaled(&self, scale: Scale) -> Option<InstrumentSpec> {
        let (from, to) = (self.scale.digits(), scale.digits());
        let convert = |value: i64| {
            if to >= from {
                value.checked_mul(10i64.pow(u32::from(to - from)))
            } else {
                let unit = 10i64.pow(u32::from(from - to));
                (value % unit == 0).then_some(value / unit)
            }
        };
        Some(InstrumentSpec {
            scale,
            tick: Price(convert(self.tick.0)?),
            lot: Qty(convert(self.lot.0)?),
            min_qty: Qty(convert(self.min_qty.0)?),
            max_qty: Qty(convert(self.max_qty.0)?),
            contract: Contract {
                multiplier: convert(self.contract.multiplier)?,
                wire_unit: convert(self.contract.wire_unit)?,
                ..self.contract
            },
            ..self.clone()
        })
    }

    /// The tick at or beyond `price` for someone who must pay no worse: down for buys, up for sells.
    pub fn round_passive(&self, side: Side, price: Price) -> Price {
        let below = Price(price.0 - price.0.rem_euclid(self.tick.0));
        match side {
            Side::Sell if below != price => Price(below.0 + self.tick.0),
            _ => below,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// BTC against USDT, with a tick of a cent.
    pub fn spec() -> InstrumentSpec {
        let quote = Asset::new("USDT").unwrap();
        InstrumentSpec {
            name: Text::new("BTC-USDT").unwrap(),
            symbol: Symbol::new("BTCUSDT").unwrap(),
            base: Asset::new("BTC").unwrap(),
            quote,
            scale: Scale::DEFAULT,
            tick: Price(1_000_000),
            lot: Qty(1_000),
            min_qty: Qty(1_000),
            max_qty: Qty(900_000_000_000),
            min_notional: Money::parse("5").unwrap(),
            price_digits: 2,
            qty_digits: 5,
            contract: Contract::spot(quote, Scale::DEFAULT),
            open: true,
        }
    }

    #[test]
    fn filters_refuse_by_name() {
        for (price, qty, want) in [
            (6_000_000_000_000, 1_000_000, Ok("600")),
            (0, 1_000_000, Err(SpecError::PriceNotPositive)),
            (6_000_000_000_001, 1_000_000, Err(SpecError::OffTick)),
            (6_000_000_000_000, 1_000_001, Err(SpecError::OffLot)),
            (6_000_000_000_000, 0, Err(SpecError::QtyNotPositive)),
            (6_000_000_000_000, 1_000, Err(SpecError::BelowMinNotional)),
            (6_000_000_000_000, 900_000_001_000, Err(SpecError::AboveMaxQty)),
        ] {
            let got = spec().check(Price(price), Qty(qty)).map(|value| value.to_string());
            assert_eq!(got, want.map(String::from), "{price} {qty}");
        }
    }

    #[test]
    fn rules_change_their_scale_exactly_or_not_at_all() {
        let ten = Scale::new(10).unwrap();
        let wide = spec().rescaled(ten).unwrap();
        assert_eq!((wide.tick, wide.lot, wide.scale), (Price(100_000_000), Qty(100_000), ten));
        assert_eq!(wide.rescaled(Scale::DEFAULT), Some(spec()));
        assert_eq!(spec().rescaled(Scale::new(4).unwrap()), None, "the lot has five decimals");
    }

    #[test]
    fn inverse_contracts_are_valued_in_the_base_asset() {
        let btc = Asset::new("BTC").unwrap();
        let scale = Scale::DEFAULT;
        let spot = Contract::spot(btc, scale);
        let inverse = Contract { kind: ContractKind::Inverse, multiplier: 100 * scale.one(), ..spot };
        let value = inverse.value(Price(50_000 * scale.one()), Qty(5 * scale.one()), scale);
        assert_eq!(value.unwrap().to_string(), "0.01");
        let linear = Contract { kind: ContractKind::Linear, multiplier: scale.one() / 1000, ..spot };
        let value = linear.value(Price(50_000 * scale.one()), Qty(2 * scale.one()), scale);
        assert_eq!(value.unwrap().to_string(), "100");
        let amount = linear.base_amount(Qty(-2 * scale.one()), scale);
        assert_eq!(amount.unwrap().to_string(), "-0.002");
        assert_eq!(inverse.base_amount(Qty(1), scale), None);
        // 60 million of face: more than the product of face and places holds.
        let many = inverse.value(Price(90_000 * scale.one()), Qty(600_000 * scale.one()), scale);
        assert_eq!(many.unwrap().to_string(), "666.666666666666666666666666");
        let (price, three) = (Price(60_000 * scale.one()), Qty(-3 * scale.one()));
        let base = inverse.base_amount_at(price, three, scale).unwrap();
        assert_eq!(base.to_string(), "-0.005");
        assert_eq!(inverse.notional(price, three, scale).unwrap().to_string(), "-300");
        assert_eq!(inverse.base_amount_at(Price(0), three, scale), None);
        let entry = |contract: &Contract, qty, cost| {
            let position = Position { qty, cost: Money::parse(cost).unwrap() };
            contract.entry(&position, scale).map(|price| price.to_string())
        };
        assert_eq!(entry(&inverse, three, "-0.005").as_deref(), Some("60000"));
        assert_eq!(entry(&inverse, Qty(0), "0"), None);
        assert_eq!(entry(&linear, three, "-180").as_deref(), Some("60000"));
        assert_eq!(linear.base_amount_at(price, three, scale), linear.base_amount(three, scale));
        assert_eq!(linear.notional(price, three, scale), linear.value(price, three, scale));
    }
}
