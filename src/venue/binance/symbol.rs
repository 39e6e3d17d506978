//! What is traded: `exchangeInfo` to instrument rules, and the two spellings of a symbol.
//!
//! Base and quote come from the metadata, never from cutting the symbol in two. The spot and the
//! USD-M perpetual market share symbol texts, so a symbol means something within one market only.
//! Orders and REST spell symbols in upper case, streams in lower case.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::{
    Asset, Contract, ContractKind, DecimalError, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text,
    parse,
};

/// The operator's markets: one protocol family, three sets of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Market {
    /// Spot.
    Spot,
    /// Futures settled in a dollar coin.
    UsdM,
    /// Futures settled in their base coin.
    CoinM,
}

#[derive(Deserialize)]
struct ExchangeInfo<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolInfo {
    symbol: String,
    #[serde(alias = "contractStatus")]
    status: Option<String>,
    base_asset: String,
    quote_asset: String,
    margin_asset: Option<String>,
    contract_type: Option<String>,
    contract_size: Option<serde_json::Number>,
    filters: Vec<FilterInfo>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FilterInfo {
    filter_type: String,
    tick_size: String,
    step_size: String,
    min_qty: String,
    max_qty: String,
    min_notional: String,
    notional: String,
}

/// Reads an `exchangeInfo` answer, REST body or WebSocket reply. Symbols that the engine's numbers
/// cannot hold (more than 12 decimals, names too long) are left out. `None` when the text is no
/// such answer, or one of another market.
pub fn instruments(market: Market, body: &[u8]) -> Option<Vec<InstrumentSpec>> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        result: ExchangeInfo<'a>,
    }
    let info = match serde_json::from_slice::<ExchangeInfo>(body) {
        Ok(info) => info,
        Err(_) => serde_json::from_slice::<Reply>(body).ok()?.result,
    };
    let mut of_market = info.symbols.is_empty();
    let mut specs = Vec::new();
    for raw in info.symbols {
        let Ok(symbol) = serde_json::from_str::<SymbolInfo>(raw.get()) else { continue };
        let found = match (&symbol.contract_type, &symbol.contract_size) {
            (None, None) => Market::Spot,
            (Some(_), None) => Market::UsdM,
            (_, Some(_)) => Market::CoinM,
        };
        if found == market {
            of_market = true;
            specs.extend(spec(market, &symbol));
        }
    }
    of_market.then_some(specs)
}

fn spec(market: Market, info: &SymbolInfo) -> Option<InstrumentSpec> {
    let filter = |kind: &str| info.filters.iter().find(|filter| filter.filter_type == kind);
    let (price, lot) = (filter("PRICE_FILTER")?, filter("LOT_SIZE")?);
    let price_digits = decimals(&price.tick_size);
    let qty_digits = decimals(&lot.step_size);
    let scale = Scale::new(price_digits.max(qty_digits).max(Scale::DEFAULT.digits()))?;
    let number = |text: &str| match parse(text.as_bytes(), scale) {
        Err(DecimalError::TooLarge(_)) => Some(i64::MAX),
        other => other.ok(),
    };
    // A step of zero switches the rule off: any number that the scale holds will do.
    let step = |text: &str| number(text).map(|step| step.max(1));

    let (base, quote) = (Asset::new(&info.base_asset)?, Asset::new(&info.quote_asset)?);
    let settle = info.margin_asset.as_deref().map_or(Some(quote), Asset::new)?;
    let (kind, multiplier) = match market {
        Market::Spot => (ContractKind::Spot, scale.one()),
        Market::UsdM => (ContractKind::Linear, scale.one()),
        Market::CoinM => (ContractKind::Inverse, number(&info.contract_size.as_ref()?.to_string())?),
    };
    let notional = filter("NOTIONAL").or(filter("MIN_NOTIONAL"));
    let min_notional = match notional {
        Some(filter) if !filter.min_notional.is_empty() => Money::parse(&filter.min_notional)?,
        Some(filter) if !filter.notional.is_empty() => Money::parse(&filter.notional)?,
        _ => Money::ZERO,
    };
    Some(InstrumentSpec {
        name: Text::new(&name(market, info))?,
        symbol: Symbol::new(&info.symbol)?,
        base,
        quote,
        scale,
        tick: Price(step(&price.tick_size)?),
        lot: Qty(step(&lot.step_size)?),
        min_qty: Qty(number(&lot.min_qty)?),
        max_qty: Qty(number(&lot.max_qty)?),
        min_notional,
        price_digits,
        qty_digits,
        contract: Contract { kind, multiplier, wire_unit: scale.one(), settle },
        open: info.status.as_deref() == Some("TRADING"),
    })
}

/// `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-PERP:inverse`; dated futures carry their date.
fn name(market: Market, info: &SymbolInfo) -> String {
    let pair = format!("{}-{}", info.base_asset, info.quote_asset);
    let term = match info.contract_type.as_deref() {
        Some("PERPETUAL") | None => "PERP",
        Some(_) => info.symbol.rsplit_once('_').map_or("DATED", |(_, date)| date),
    };
    match market {
        Market::Spot => pair,
        Market::UsdM => format!("{pair}-{term}"),
        Market::CoinM => format!("{pair}-{term}:inverse"),
    }
}

/// Decimals up to the last digit that is not zero: 2 for `0.01000000`.
fn decimals(text: &str) -> u8 {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    u8::try_from(fraction.len()).unwrap_or(u8::MAX)
}

/// A symbol as streams spell it.
pub fn stream_name(symbol: &str) -> String {
    symbol.to_lowercase()
}

/// A symbol as orders spell it.
pub fn order_name(symbol: &str) -> String {
    symbol.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT: &str = include_str!("../../../tests/data/binance/exchange_info_spot.json");
    const USDM: &str = include_str!("../../../tests/data/binance/exchange_info_usdm.json");
    const COINM: &str = include_str!("../../../tests/data/binance/exchange_info_coinm.json");

    #[track_caller]
    fn check(market: Market, body: &str, want: &[(&str, &str, i64, i64, &str, bool)]) {
        let got = instruments(market, body.as_bytes()).expect("an answer of this market");
        let got: Vec<_> = got
            .iter()
            .map(|spec| {
                let name = spec.name.as_str();
                (
                    name,
                    spec.symbol.as_str(),
                    spec.tick.0,
                    spec.lot.0,
                    spec.min_notional.to_string(),
                    spec.open,
                )
            })
            .collect();
        let want: Vec<_> = want.iter().map(|w| (w.0, w.1, w.2, w.3, w.4.to_owned(), w.5)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn rules_come_from_the_filters() {
        check(
            Market::Spot,
            SPOT,
            &[
                ("BTC-USDT", "BTCUSDT", 1_000_000, 1_000, "5", true),
                ("ETH-BTC", "ETHBTC", 1_000, 10_000, "0.0001", false),
                // Nine decimals: one scale for price and quantity, larger than the default.
                ("PEPE-BTC", "PEPEBTC", 1, 1_000_000_000, "0.0001", true),
            ],
        );
        check(
            Market::UsdM,
            USDM,
            &[
                ("BTC-USDT-PERP", "BTCUSDT", 10_000_000, 100_000, "100", true),
                ("BTC-USDT-261225", "BTCUSDT_261225", 10_000_000, 100_000, "5", true),
            ],
        );
        check(
            Market::CoinM,
            COINM,
            &[("BTC-USD-PERP:inverse", "BTCUSD_PERP", 10_000_000, 100_000_000, "0", true)],
        );
        let coin = &instruments(Market::CoinM, COINM.as_bytes()).unwrap()[0];
        assert_eq!((coin.contract.multiplier, coin.contract.settle.as_str()), (10_000_000_000, "BTC"));
    }

    #[test]
    fn other_answers_are_not_taken_for_one() {
        for body in ["", "{}", "[]", r#"{"symbols":3}"#, r#"{"symbols":[1]}"#, USDM] {
            assert!(instruments(Market::Spot, body.as_bytes()).is_none());
        }
    }
}
