//! The rules of Kraken's derivatives: `GET /derivatives/api/v3/instruments`.
//!
//! Symbols say what a contract is: `PI_` and `FI_` are inverse, perpetual and dated, in contracts of
//! one unit of the quote asset; `PF_` and `FF_` are linear, in units of the base asset and with
//! several kinds of collateral. Old answers spell symbols in lower case, the stream in upper case,
//! and leave the assets to the symbol.

use serde::Deserialize;
use std::borrow::Cow;

use crate::types::{Asset, Contract, ContractKind, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text};
use crate::venue::kraken::json::Number;
use crate::venue::kraken::symbol::{asset_name, places};

/// What old symbols end with.
const QUOTES: &[&str] = &["USD", "EUR", "GBP", "XBT"];

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    instruments: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    tradeable: bool,
    #[serde(default)]
    post_only: bool,
    #[serde(borrow)]
    base: Option<Cow<'a, str>>,
    #[serde(borrow)]
    quote: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tick_size: Option<Number<'a>>,
    #[serde(borrow)]
    contract_size: Option<Number<'a>>,
    /// Decimals of a quantity; below zero, whole tens, hundreds and so on.
    contract_value_trade_precision: Option<i8>,
}

/// Reads the answer. What is no contract (indices), or cannot be held by this engine, is left out.
/// `None` when the text is no such answer.
pub fn instruments(text: &[u8]) -> Option<Vec<InstrumentSpec>> {
    let answer: Answer = serde_json::from_slice(text).ok()?;
    Some(answer.instruments.iter().filter_map(spec).collect())
}

fn spec(row: &Row<'_>) -> Option<InstrumentSpec> {
    let kind = match &*row.kind {
        "futures_inverse" => ContractKind::Inverse,
        "futures_vanilla" | "flexible_futures" => ContractKind::Linear,
        _ => return None,
    };
    let lower = !row.symbol.bytes().any(|byte| byte.is_ascii_uppercase());
    let symbol = if lower { row.symbol.to_uppercase() } else { row.symbol.to_string() };
    // PI_XBTUSD, FI_XBTUSD_210924
    let mut parts = symbol.split('_').skip(1);
    let (pair, term) = (parts.next()?, parts.next());
    let (base, quote) = match (&row.base, &row.quote) {
        (Some(base), Some(quote)) => (&**base, &**quote),
        _ => QUOTES.iter().find_map(|quote| Some((pair.strip_suffix(quote)?, *quote)))?,
    };
    let (base, quote) = (asset_name(base), asset_name(quote));

    let (tick, size) = (row.tick_size.as_ref()?, row.contract_size.as_ref()?);
    let precision = row.contract_value_trade_precision.unwrap_or(0);
    let (price_digits, qty_digits) = (places(tick), u8::try_from(precision).unwrap_or(0));
    let digits = price_digits.max(qty_digits).max(places(size)).max(Scale::DEFAULT.digits());
    let scale = Scale::new(digits)?;
    let lot = 10i64.checked_pow(u32::try_from(i16::from(digits) - i16::from(precision)).ok()?)?;
    let settle = if kind == ContractKind::Inverse { base } else { quote };
    let contract = Contract {
        kind,
        multiplier: size.scaled(scale)?,
        wire_unit: scale.one(),
        settle: Asset::new(settle)?,
    };
    let inverse = if kind == ContractKind::Inverse { ":inverse" } else { "" };
    Some(InstrumentSpec {
        name: Text::new(&format!("{base}-{quote}-{}{inverse}", term.unwrap_or("PERP")))?,
        symbol: Symbol::new(&symbol)?,
        base: Asset::new(base)?,
        quote: Asset::new(quote)?,
        scale,
        tick: Price(tick.scaled(scale).filter(|tick| *tick > 0)?),
        lot: Qty(lot),
        min_qty: Qty(lot),
        max_qty: Qty::ZERO,
        min_notional: Money::ZERO,
        price_digits,
        qty_digits,
        contract,
        // Where only passive orders are taken, this engine's are not.
        open: row.tradeable && !row.post_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"result":"success","instruments":[
        {"symbol":"pi_xbtusd","type":"futures_inverse","underlying":"rr_xbtusd","tickSize":0.5,"contractSize":1,"tradeable":true},
        {"symbol":"fi_ethusd_210924","type":"futures_inverse","lastTradingTime":"2021-09-24T15:00:00.000Z","tickSize":0.05,"contractSize":1,"tradeable":false},
        {"symbol":"fv_xrpxbt_180615","type":"futures_vanilla","tickSize":0.00000001,"contractSize":1,"tradeable":true},
        {"symbol":"in_xbtusd","type":"spot index","tradeable":false}],"serverTime":"2021-07-22T23:02:07.000Z"}"#;

    const NEW: &str = r#"{"result":"success","instruments":[
        {"symbol":"PI_XBTUSD","type":"futures_inverse","tickSize":0.5,"contractSize":1,"tradeable":true,"contractValueTradePrecision":0,"postOnly":false,"base":"BTC","quote":"USD","pair":"BTC:USD"},
        {"symbol":"PF_XBTUSD","type":"flexible_futures","tickSize":1,"contractSize":1,"tradeable":true,"contractValueTradePrecision":4,"postOnly":false,"base":"XBT","quote":"USD"},
        {"symbol":"PF_PEPEUSD","type":"flexible_futures","tickSize":1e-10,"contractSize":1,"tradeable":true,"contractValueTradePrecision":-3,"postOnly":true,"base":"PEPE","quote":"USD"},
        {"symbol":"PF_AAPLxUSD","type":"flexible_futures","tickSize":0.01,"contractSize":1,"tradeable":true,"contractValueTradePrecision":2,"base":"AAPLx","quote":"USD"}]}"#;

    #[test]
    fn contracts_are_what_their_rows_say() {
        let all: Vec<_> = [OLD, NEW].iter().flat_map(|text| instruments(text.as_bytes()).unwrap()).collect();
        let told: Vec<_> = all
            .iter()
            .map(|spec| {
                let unit = spec.scale.one();
                let lot = if spec.lot.0 >= unit { spec.lot.0 / unit } else { -(unit / spec.lot.0) };
                (spec.symbol.as_str(), spec.name.as_str(), spec.tick.0, lot, spec.contract.settle, spec.open)
            })
            .collect();
        let asset = |name| Asset::new(name).unwrap();
        assert_eq!(
            told,
            [
                ("PI_XBTUSD", "BTC-USD-PERP:inverse", 50_000_000, 1, asset("BTC"), true),
                ("FI_ETHUSD_210924", "ETH-USD-210924:inverse", 5_000_000, 1, asset("ETH"), false),
                ("FV_XRPXBT_180615", "XRP-BTC-180615", 1, 1, asset("BTC"), true),
                ("PI_XBTUSD", "BTC-USD-PERP:inverse", 50_000_000, 1, asset("BTC"), true),
                ("PF_XBTUSD", "BTC-USD-PERP", 100_000_000, -10_000, asset("USD"), true),
                ("PF_PEPEUSD", "PEPE-USD-PERP", 1, 1_000, asset("USD"), false),
                ("PF_AAPLxUSD", "AAPLx-USD-PERP", 1_000_000, -100, asset("USD"), true),
            ]
        );
        assert_eq!((all[5].scale.digits(), all[5].price_digits, all[5].qty_digits), (10, 10, 0));
        assert_eq!(all[4].contract.kind, ContractKind::Linear);
    }

    #[test]
    fn other_texts_are_no_instruments() {
        for text in ["", "{}", "[]", r#"{"result":"error","error":"x"}"#, r#"{"instruments":[1]}"#] {
            assert_eq!(instruments(text.as_bytes()), None, "{text}");
        }
        let bad = NEW.replace("\"tickSize\":0.5", "\"tickSize\":0");
        assert_eq!(instruments(bad.as_bytes()).unwrap().len(), 3, "a contract without a tick is left out");
    }
}
