//! What is traded: the `instruments` answer to instrument rules.
//!
//! One protocol and one host serve every kind of instrument: spot `BTC-USDT`, perpetual swaps
//! `BTC-USDT-SWAP` (linear) and `BTC-USD-SWAP` (inverse), dated futures `BTC-USD-261225`. Sizes there are
//! in the base asset for spot, and in contracts for everything else; quantities here are in the base
//! asset for linear contracts too (see `size`). Prices and sizes are written
//! without trailing zeros. There is no least value of an order.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::size::Sizes;
use crate::types::{
    Asset, Contract, ContractKind, DecimalError, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text,
    parse,
};

/// The markets that are traded here: one protocol, two kinds of instruments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Market {
    /// The asset itself.
    Spot,
    /// Perpetual swaps.
    Swap,
}

impl Market {
    /// The registry's name.
    pub const fn id(self) -> &'static str {
        match self {
            Market::Spot => "okx.spot",
            Market::Swap => "okx.swap",
        }
    }

    /// `instType` in requests.
    pub const fn kind(self) -> &'static str {
        match self {
            Market::Spot => "SPOT",
            Market::Swap => "SWAP",
        }
    }

    /// `tdMode` of orders: swaps share the margin of the account.
    pub const fn mode(self) -> &'static str {
        match self {
            Market::Spot => "cash",
            Market::Swap => "cross",
        }
    }
}

/// A row of the answer. All texts; empty where it does not apply.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<'a> {
    #[serde(borrow)]
    inst_type: Cow<'a, str>,
    /// The venue's symbol.
    #[serde(borrow)]
    pub inst_id: Cow<'a, str>,
    #[serde(borrow, default)]
    base_ccy: Cow<'a, str>,
    #[serde(borrow, default)]
    quote_ccy: Cow<'a, str>,
    #[serde(borrow, default)]
    settle_ccy: Cow<'a, str>,
    #[serde(borrow, default)]
    ct_type: Cow<'a, str>,
    #[serde(borrow, default)]
    ct_val: Cow<'a, str>,
    #[serde(borrow, default)]
    ct_mult: Cow<'a, str>,
    #[serde(borrow, default)]
    ct_val_ccy: Cow<'a, str>,
    #[serde(borrow)]
    tick_sz: Cow<'a, str>,
    #[serde(borrow)]
    lot_sz: Cow<'a, str>,
    #[serde(borrow)]
    min_sz: Cow<'a, str>,
    #[serde(borrow, default)]
    max_lmt_sz: Cow<'a, str>,
    #[serde(borrow, default)]
    state: Cow<'a, str>,
    /// The number that orders over a session name the instrument by.
    pub inst_id_code: Option<u64>,
    /// The group that its fees belong to.
    #[serde(borrow, default)]
    pub group_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// The rows of an `instruments` answer or message that can be read; `None` when the text is neither.
pub fn rows(text: &[u8]) -> Option<Vec<Row<'_>>> {
    let answer: Answer = serde_json::from_slice(text).ok()?;
    let rows: Vec<Row> = answer.data.iter().filter_map(|row| serde_json::from_str(row.get()).ok()).collect();
    (!rows.is_empty()).then_some(rows)
}

/// Reads an `instruments` answer, or a message of that channel, of any kind of instrument but
/// options. What the engine's numbers cannot hold is left out.
pub fn instruments(text: &[u8]) -> Option<Vec<InstrumentSpec>> {
    Some(rows(text)?.iter().filter_map(spec).collect())
}

fn spec(row: &Row<'_>) -> Option<InstrumentSpec> {
    let face = face(row)?;
    // A quantity of linear contracts has the decimals of the contract behind those of the size.
    let behind = if face.kind == ContractKind::Linear { face.places } else { 0 };
    let sizes = [&*row.lot_sz, &row.min_sz].into_iter().map(|text| decimals(text).saturating_add(behind));
    let places = sizes.chain([decimals(&row.tick_sz), face.places]).max()?;
    let scale = Scale::new(places.max(Scale::DEFAULT.digits()))?;
    let number = |text: &str| match parse(text.as_bytes(), scale) {
        Err(DecimalError::TooLarge(_)) => Some(i64::MAX),
        other => other.ok(),
    };
    let one = scale.one();
    let value = || {
        let value = face.value.checked_mul(10i128.pow(u32::from(scale.digits() - face.places)))?;
        i64::try_from(value).ok()
    };
    let (multiplier, wire_unit) = match face.kind {
        ContractKind::Spot => (one, one),
        ContractKind::Linear => (one, value()?),
        ContractKind::Inverse => (value()?, one),
    };
    let (tick, size) = (number(&row.tick_sz)?, number(&row.lot_sz)?);
    if tick <= 0 || size <= 0 || multiplier <= 0 || wire_unit <= 0 {
        return None;
    }
    let spec = InstrumentSpec {
        name: Text::new(&name(row, &face))?,
        symbol: Symbol::new(&row.inst_id)?,
        base: face.base,
        quote: face.quote,
        scale,
        tick: Price(tick),
        lot: Qty(size),
        min_qty: Qty(number(&row.min_sz)?),
        max_qty: Qty(if row.max_lmt_sz.is_empty() { 0 } else { number(&row.max_lmt_sz)? }),
        min_notional: Money::ZERO,
        price_digits: decimals(&row.tick_sz),
        qty_digits: decimals(&row.lot_sz),
        contract: Contract { kind: face.kind, multiplier, wire_unit, settle: face.settle },
        open: row.state == "live",
    };
    let sizes = Sizes::of(&spec);
    Some(InstrumentSpec {
        lot: Qty(sizes.qty_of(spec.lot.0)?),
        min_qty: Qty(sizes.qty_of(spec.min_qty.0)?),
        // More than fits is no limit that could be met.
        max_qty: Qty(sizes.qty_of(spec.max_qty.0).unwrap_or(i64::MAX)),
        ..spec
    })
}

/// What one unit of size stands for.
struct Face {
    kind: ContractKind,
    base: Asset,
    quote: Asset,
    settle: Asset,
    /// `ctVal` times `ctMult`, in units of 10^-places.
    value: i128,
    places: u8,
}

fn face(row: &Row<'_>) -> Option<Face> {
    if row.inst_type == "SPOT" {
        let (base, quote) = (asset(&row.base_ccy)?, asset(&row.quote_ccy)?);
        return Some(Face { kind: ContractKind::Spot, base, quote, settle: quote, value: 1, places: 0 });
    }
    if row.inst_type != "SWAP" && row.inst_type != "FUTURES" {
        return None;
    }
    let settle = asset(&row.settle_ccy)?;
    let valued_in = asset(&row.ct_val_ccy)?;
    let (kind, base, quote) = match &*row.ct_type {
        "linear" => (ContractKind::Linear, valued_in, settle),
        "inverse" => (ContractKind::Inverse, settle, valued_in),
        _ => return None,
    };
    let (mut value, mut places) = (1i128, 0);
    for text in [&*row.ct_val, if row.ct_mult.is_empty() { "1" } else { &*row.ct_mult }] {
        let digits = decimals(text);
        value = value.checked_mul(i128::from(parse(text.as_bytes(), Scale::new(digits)?).ok()?))?;
        places += digits;
    }
    while places > 0 && value % 10 == 0 {
        (value, places) = (value / 10, places - 1);
    }
    Some(Face { kind, base, quote, settle, value, places })
}

fn asset(text: &str) -> Option<Asset> {
    Asset::new(text).filter(|asset| !asset.is_empty())
}

/// `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-PERP:inverse`; dated futures carry their date.
fn name(row: &Row<'_>, face: &Face) -> String {
    let pair = format!("{}-{}", face.base, face.quote);
    let term = match row.inst_id.rsplit_once('-') {
        Some((_, "SWAP")) | None => "PERP",
        Some((_, date)) => date,
    };
    match face.kind {
        ContractKind::Spot => pair,
        ContractKind::Linear => format!("{pair}-{term}"),
        ContractKind::Inverse => format!("{pair}-{term}:inverse"),
    }
}

/// Decimals up to the last digit that is not zero: 2 for `0.01000`.
fn decimals(text: &str) -> u8 {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    u8::try_from(fraction.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"{"code":"0","msg":"","data":[
        {"instType":"SPOT","instId":"BTC-USDT","instIdCode":12345,"baseCcy":"BTC","quoteCcy":"USDT","settleCcy":"","ctVal":"","ctMult":"",
         "ctValCcy":"","ctType":"","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","maxLmtSz":"9999999999","state":"live","groupId":"1"},
        {"instType":"SPOT","instId":"PEPE-USDT","baseCcy":"PEPE","quoteCcy":"USDT","tickSz":"0.0000000001","lotSz":"1","minSz":"100","state":"suspend"},
        {"instType":"SPOT","instId":"TINY-USDT","baseCcy":"TINY","quoteCcy":"USDT","tickSz":"0.0000000000001","lotSz":"1","minSz":"1","state":"live"},
        {"instType":"SWAP","instId":"BTC-USDT-SWAP","baseCcy":"","quoteCcy":"","settleCcy":"USDT","ctVal":"0.01","ctMult":"1","ctValCcy":"BTC",
         "ctType":"linear","tickSz":"0.1","lotSz":"0.01","minSz":"0.01","maxLmtSz":"100000000","state":"live","uly":"BTC-USDT"},
        {"instType":"SWAP","instId":"BTC-USD-SWAP","settleCcy":"BTC","ctVal":"100","ctMult":"1","ctValCcy":"USD","ctType":"inverse",
         "tickSz":"0.1","lotSz":"1","minSz":"1","maxLmtSz":"100000000","state":"live"},
        {"instType":"FUTURES","instId":"BTC-USD-261225","settleCcy":"BTC","ctVal":"100","ctMult":"1","ctValCcy":"USD","ctType":"inverse",
         "tickSz":"0.1","lotSz":"1","minSz":"1","state":"preopen"},
        {"instType":"OPTION","instId":"BTC-USD-261225-90000-C","settleCcy":"BTC","ctVal":"1","ctMult":"0.01","ctValCcy":"BTC","ctType":"",
         "tickSz":"0.0005","lotSz":"1","minSz":"1","state":"live"},
        {"instType":"SWAP","instId":"X-USDT-SWAP"}]}"#;

    #[test]
    fn rules_come_from_the_answer() {
        let specs = instruments(ROWS.as_bytes()).unwrap();
        let told: Vec<String> = specs
            .iter()
            .map(|spec| {
                let contract = &spec.contract;
                format!(
                    "{} {} {} {} {} {} {} {:?} {} {} {}",
                    spec.name,
                    spec.symbol,
                    spec.scale.digits(),
                    spec.tick.0,
                    spec.lot.0,
                    spec.min_qty.0,
                    spec.max_qty.0,
                    contract.kind,
                    contract.multiplier,
                    contract.settle,
                    spec.open,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "BTC-USDT BTC-USDT 8 10000000 1 1000 999999999900000000 Spot 100000000 USDT true",
                "PEPE-USDT PEPE-USDT 10 1 10000000000 1000000000000 0 Spot 10000000000 USDT false",
                "BTC-USDT-PERP BTC-USDT-SWAP 8 10000000 10000 10000 100000000000000 Linear 100000000 USDT true",
                "BTC-USD-PERP:inverse BTC-USD-SWAP 8 10000000 100000000 100000000 10000000000000000 Inverse 10000000000 BTC true",
                "BTC-USD-261225:inverse BTC-USD-261225 8 10000000 100000000 100000000 0 Inverse 10000000000 BTC false",
            ]
        );
        assert_eq!((specs[0].price_digits, specs[0].qty_digits), (1, 8));
        // A hundred contracts of 0.01 BTC at 60,000.
        let value = specs[2].contract.value(Price(6_000_000_000_000), Qty(100_000_000), specs[2].scale);
        assert_eq!(Sizes::of(&specs[2]).size_of(100_000_000), Some(10_000_000_000));
        assert_eq!(value.unwrap().to_string(), "60000");
        let rows = rows(ROWS.as_bytes()).unwrap();
        assert_eq!(
            (rows[0].inst_id_code, &*rows[0].group_id, rows[1].inst_id_code),
            (Some(12_345), "1", None)
        );
    }

    #[test]
    fn other_answers_are_not_taken_for_one() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"code":"0","data":[]}"#,
            r#"{"code":"0","data":[{"asks":[],"bids":[],"ts":"1","seqId":3}]}"#,
            r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","px":"1"}]}"#,
            r#"{"code":"50011","msg":"Too many requests","data":[]}"#,
        ] {
            assert_eq!(instruments(text.as_bytes()), None, "{text}");
        }
    }
}
