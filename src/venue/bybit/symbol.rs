//! What is traded: `instruments-info` to instrument rules.
//!
//! One protocol serves several markets, called categories, that share symbol texts: `BTCUSDT` is a
//! coin in one and a perpetual in another, so a symbol means something within one market only. Base
//! and quote come from the metadata, never from cutting the symbol in two: the perpetual of BTC
//! against USDC is `BTCPERP`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::percent_encode;
use crate::types::{
    Asset, Contract, ContractKind, DecimalError, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text,
    parse,
};

/// The operator's markets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Market {
    /// Spot.
    Spot,
    /// Perpetuals and futures settled in a dollar coin.
    Linear,
    /// Perpetuals and futures settled in their base coin.
    Inverse,
}

impl Market {
    /// The market's name in requests and messages.
    pub const fn category(self) -> &'static str {
        match self {
            Market::Spot => "spot",
            Market::Linear => "linear",
            Market::Inverse => "inverse",
        }
    }

    /// Its name in configuration and reports.
    pub const fn venue(self) -> &'static str {
        match self {
            Market::Spot => "bybit.spot",
            Market::Linear => "bybit.linear",
            Market::Inverse => "bybit.inverse",
        }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Page<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    category: String,
    #[serde(borrow)]
    list: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    next_page_cursor: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    symbol: String,
    status: String,
    base_coin: String,
    quote_coin: String,
    #[serde(default)]
    settle_coin: String,
    #[serde(default)]
    contract_type: String,
    #[serde(default)]
    is_pre_listing: bool,
    price_filter: PriceFilter,
    lot_size_filter: LotFilter,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceFilter {
    tick_size: String,
}

/// The two markets name the same things differently; `minOrderQty` and `maxOrderQty` are of no use
/// in spot, where the venue checks the value instead.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct LotFilter {
    base_precision: String,
    min_order_amt: String,
    max_limit_order_qty: String,
    qty_step: String,
    min_order_qty: String,
    max_order_qty: String,
    min_notional_value: String,
}

/// Reads an answer of `instruments-info`. Symbols that the engine's numbers cannot hold (more than
/// 12 decimals, names too long) are left out. `None` when the text is no such answer, or one of
/// another market.
pub fn instruments(market: Market, body: &[u8]) -> Option<Vec<InstrumentSpec>> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.result.category != market.category() {
        return None;
    }
    let listed = answer.result.list.iter().filter_map(|raw| serde_json::from_str::<Info>(raw.get()).ok());
    Some(listed.filter_map(|info| spec(market, &info)).collect())
}

/// Path and query of the page after this one, when it names one; `first` is the first page's.
pub fn next_page(market: Market, first: &str, body: &[u8]) -> Option<String> {
    let Page { category, list, next_page_cursor } = serde_json::from_slice::<Answer>(body).ok()?.result;
    // The last page may come with a cursor to an empty one.
    let goes_on = category == market.category() && !list.is_empty();
    let cursor = next_page_cursor.filter(|cursor| goes_on && !cursor.is_empty())?;
    Some(format!("{first}&cursor={}", percent_encode(&cursor)))
}

fn spec(market: Market, info: &Info) -> Option<InstrumentSpec> {
    let lots = &info.lot_size_filter;
    let (lot, min_qty, max_qty, min_value) = match market {
        Market::Spot => {
            (&lots.base_precision, &lots.base_precision, &lots.max_limit_order_qty, &lots.min_order_amt)
        }
        Market::Linear | Market::Inverse => {
            (&lots.qty_step, &lots.min_order_qty, &lots.max_order_qty, &lots.min_notional_value)
        }
    };
    let tick = &info.price_filter.tick_size;
    let (price_digits, qty_digits) = (decimals(tick), decimals(lot));
    let scale = Scale::new(price_digits.max(qty_digits).max(Scale::DEFAULT.digits()))?;
    let number = |text: &str| match parse(text.as_bytes(), scale) {
        Err(DecimalError::TooLarge(_)) => Some(i64::MAX),
        other => other.ok(),
    };
    let step = |text: &str| number(text).filter(|step| *step > 0);
    // What the venue does not tell is no rule. It makes some of its largest quantities with floats
    // (`1542.6000000000001`): what does not fit is cut off, which is on the safe side.
    let limit = |text: &str| match text.split_once('.') {
        _ if text.is_empty() => Some(0),
        Some((whole, fraction)) if fraction.len() > usize::from(scale.digits()) => {
            number(text.get(..whole.len() + 1 + usize::from(scale.digits()))?)
        }
        _ => number(text),
    };

    let (base, quote) = (Asset::new(&info.base_coin)?, Asset::new(&info.quote_coin)?);
    let settle = if info.settle_coin.is_empty() { quote } else { Asset::new(&info.settle_coin)? };
    let kind = match market {
        Market::Spot => ContractKind::Spot,
        Market::Linear => ContractKind::Linear,
        // Quantities are in the quote currency: a contract is worth one of it.
        Market::Inverse => ContractKind::Inverse,
    };
    Some(InstrumentSpec {
        name: Text::new(&name(market, info))?,
        symbol: Symbol::new(&info.symbol)?,
        base,
        quote,
        scale,
        tick: Price(step(tick)?),
        lot: Qty(step(lot)?),
        min_qty: Qty(limit(min_qty)?),
        max_qty: Qty(limit(max_qty)?),
        min_notional: if min_value.is_empty() || market == Market::Inverse {
            Money::ZERO
        } else {
            Money::parse(min_value)?
        },
        price_digits,
        qty_digits,
        contract: Contract { kind, multiplier: scale.one(), wire_unit: scale.one(), settle },
        open: info.status == "Trading" && !info.is_pre_listing,
    })
}

/// `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-PERP:inverse`; dated futures carry their date.
fn name(market: Market, info: &Info) -> String {
    let pair = format!("{}-{}", info.base_coin, info.quote_coin);
    let term = match info.contract_type.as_str() {
        "LinearPerpetual" | "InversePerpetual" => "PERP",
        // `BTCUSDT-25DEC26` and `BTCUSDZ26`.
        _ => match info.symbol.split_once('-') {
            Some((_, date)) => date,
            None => info.symbol.get(info.base_coin.len() + info.quote_coin.len()..).unwrap_or("DATED"),
        },
    };
    match market {
        Market::Spot => pair,
        Market::Linear => format!("{pair}-{term}"),
        Market::Inverse => format!("{pair}-{term}:inverse"),
    }
}

/// Decimals up to the last digit that is not zero: 1 for `0.10`.
fn decimals(text: &str) -> u8 {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    u8::try_from(fraction.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT: &str = include_str!("../../../tests/data/bybit/instruments_spot.json");
    const LINEAR: &str = include_str!("../../../tests/data/bybit/instruments_linear.json");
    const INVERSE: &str = include_str!("../../../tests/data/bybit/instruments_inverse.json");

    /// Name, symbol, tick, lot, least and most quantity, least value, open.
    type Rules<'a> = (&'a str, &'a str, i64, i64, i64, i64, &'a str, bool);

    #[track_caller]
    fn check(market: Market, body: &str, want: &[Rules<'_>]) {
        let got = instruments(market, body.as_bytes()).expect("an answer of this market");
        let shown: Vec<_> = got.iter().map(|spec| (spec, spec.min_notional.to_string())).collect();
        let shown: Vec<Rules<'_>> = shown
            .iter()
            .map(|(s, value)| {
                let (name, symbol) = (s.name.as_str(), s.symbol.as_str());
                (name, symbol, s.tick.0, s.lot.0, s.min_qty.0, s.max_qty.0, value.as_str(), s.open)
            })
            .collect();
        assert_eq!(shown, want);
    }

    #[test]
    fn rules_come_from_the_filters() {
        check(
            Market::Spot,
            SPOT,
            &[
                ("BTC-USDT", "BTCUSDT", 10_000_000, 100, 100, 23_000_000_000, "5", true),
                // Ten decimals: one scale for price and quantity, larger than the default.
                ("PEPE-USDT", "PEPEUSDT", 1, 1_000_000_000_000, 1_000_000_000_000, i64::MAX, "5", true),
                ("NEW-USDT", "NEWUSDT", 1_000_000, 1_000_000, 1_000_000, 0, "1", false),
            ],
        );
        check(
            Market::Linear,
            LINEAR,
            &[
                ("BTC-USDT-PERP", "BTCUSDT", 10_000_000, 100_000, 100_000, 150_000_000_000, "5", true),
                ("BTC-USDC-PERP", "BTCPERP", 10_000_000, 100_000, 100_000, 100_000_000_000, "5", true),
                (
                    "BTC-USDT-25DEC26",
                    "BTCUSDT-25DEC26",
                    10_000_000,
                    100_000,
                    100_000,
                    1_000_000_000,
                    "5",
                    true,
                ),
                ("PRE-USDT-PERP", "PREUSDT", 100_000, 100_000_000, 100_000_000, 0, "5", false),
            ],
        );
        check(
            Market::Inverse,
            INVERSE,
            &[(
                "BTC-USD-PERP:inverse",
                "BTCUSD",
                10_000_000,
                100_000_000,
                100_000_000,
                2_500_000_000_000_000,
                "0",
                true,
            )],
        );
        let inverse = &instruments(Market::Inverse, INVERSE.as_bytes()).unwrap()[0];
        let value =
            inverse.contract.value(Price(50_000 * 100_000_000), Qty(500 * 100_000_000), inverse.scale);
        assert_eq!((value.unwrap().to_string().as_str(), inverse.contract.settle.as_str()), ("0.01", "BTC"));
    }

    #[test]
    fn other_answers_are_not_taken_for_one() {
        let refused = r#"{"retCode":10001,"retMsg":"params error","result":{},"retExtInfo":{},"time":1}"#;
        for body in ["", "{}", "[]", r#"{"result":{"category":"spot"}}"#, LINEAR, refused] {
            assert!(instruments(Market::Spot, body.as_bytes()).is_none());
        }
    }
}
