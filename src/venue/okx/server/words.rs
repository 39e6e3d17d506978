//! The exchange's views in the venue's words.

use serde_json::{Value, json};

use super::Refused;
use crate::types::{
    ContractKind, Fixed, InstrumentSpec, KeyRights, Kind, Level, Money, Nanos, OrderState, Position, Qty,
    Scale, SpecError, Tif, parse,
};
use crate::venue::okx::size::Sizes;
use crate::venue::okx::symbol::Market;
use crate::venue::{Balance, EndReason, FillView, OrderChange, OrderView, PositionView, Refusal};

/// The account's number.
pub const UID: &str = "44705892343619584";
/// The group that all fees are of.
pub const GROUP: &str = "1";
/// What the venue's numbers of instruments start from: they are no indexes.
const FIRST_CODE: u64 = 10_011;

/// A decimal without trailing zeros.
pub fn decimal(value: i64, scale: Scale) -> String {
    Fixed(value, scale).to_string()
}

/// A quantity as the venue counts it.
pub fn size(qty: Qty, spec: &InstrumentSpec) -> String {
    // Quantities are of whole lots, which are sizes.
    decimal(Sizes::of(spec).size_of(qty.0).unwrap_or(0), spec.scale)
}

/// The quantity in such a text, which must be plain digits with at most a point.
pub fn parse_size(text: &str, spec: &InstrumentSpec) -> Option<Qty> {
    parse_price(text, spec).and_then(|size| Sizes::of(spec).qty_of(size)).map(Qty)
}

/// The price in a text of plain digits with at most a point.
pub fn parse_price(text: &str, spec: &InstrumentSpec) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { parse(text.as_bytes(), spec.scale).ok() } else { None }
}

/// A time in ms, as text.
pub fn millis(at: Nanos) -> String {
    at.millis().to_string()
}

/// A time in microseconds, as text.
pub fn micros(at: Nanos) -> String {
    (at.0 / 1_000).to_string()
}

/// The number of an instrument.
pub fn code(place: usize) -> u64 {
    FIRST_CODE + place as u64
}

/// Where the instrument of a number is listed.
pub fn place(code: u64) -> Option<usize> {
    usize::try_from(code.checked_sub(FIRST_CODE)?).ok()
}

/// Levels, best first.
pub fn levels(levels: &[Level], spec: &InstrumentSpec) -> String {
    let rows: Vec<String> = levels
        .iter()
        .map(|level| {
            let (price, size) = (decimal(level.price.0, spec.scale), size(level.qty, spec));
            format!("[\"{price}\",\"{size}\",\"0\",\"{}\"]", u8::from(level.qty.0 > 0))
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn order_type(kind: Kind, tif: Tif) -> &'static str {
    match (kind, tif) {
        (Kind::Market, _) => "market",
        (Kind::PostOnly, _) => "post_only",
        (Kind::Limit, Tif::Ioc) => "ioc",
        (Kind::Limit, Tif::Fok) => "fok",
        (Kind::Limit, Tif::Gtc) => "limit",
    }
}

/// Kind and lifetime of an `ordType`.
pub fn parse_order_type(text: &str) -> Option<(Kind, Tif)> {
    Some(match text {
        "market" => (Kind::Market, Tif::Ioc),
        "post_only" => (Kind::PostOnly, Tif::Gtc),
        "ioc" => (Kind::Limit, Tif::Ioc),
        "fok" => (Kind::Limit, Tif::Fok),
        "limit" => (Kind::Limit, Tif::Gtc),
        _ => return None,
    })
}

fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::PartFilled => "partially_filled",
        OrderState::Filled => "filled",
        OrderState::Cancelled | OrderState::Rejected => "canceled",
        _ => "live",
    }
}

fn cancel_source(view: &OrderView) -> &'static str {
    match (view.state, view.reason) {
        (OrderState::Cancelled, Some(reason)) => match reason {
            EndReason::Cancelled => "1",
            EndReason::ReduceOnly => "2",
            EndReason::Fok => "13",
            EndReason::Ioc => "14",
            EndReason::DeadMan => "20",
            EndReason::SelfTrade => "32",
        },
        // Only a post-only order ends without a reason of the exchange's.
        (OrderState::Cancelled, None) => "31",
        _ => "",
    }
}

/// What all words about an order share.
pub fn order(market: Market, spec: &InstrumentSpec, view: &OrderView) -> Value {
    let price = match view.order.kind {
        Kind::Market => String::new(),
        Kind::Limit | Kind::PostOnly => decimal(view.order.price.0, spec.scale),
    };
    json!({
        "instType": market.kind(), "instId": spec.symbol.as_str(), "ordId": view.id.to_string(),
        "clOrdId": view.order.client, "tag": "", "side": view.order.side.name(),
        "posSide": if market == Market::Spot { "" } else { "net" }, "tdMode": market.mode(),
        "ordType": order_type(view.order.kind, view.order.tif), "px": price,
        "sz": size(view.order.qty, spec), "state": state(view.state), "accFillSz": size(view.filled, spec),
        "avgPx": average(spec, view), "fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "",
        "fee": "0", "feeCcy": "", "rebate": "0", "rebateCcy": "",
        "reduceOnly": view.order.reduce_only.to_string(), "cancelSource": cancel_source(view),
        "cancelSourceReason": "", "stpMode": "cancel_taker",
        "cTime": millis(view.created), "uTime": millis(view.updated),
    })
}

/// The average price of what filled, rounded down to the scale, as a price for people.
fn average(spec: &InstrumentSpec, view: &OrderView) -> String {
    let one = spec.contract.value(crate::types::Price(1), view.filled, spec.scale).unwrap_or_default();
    if one.0 <= 0 {
        return String::new();
    }
    i64::try_from(view.filled_value.0 / one.0).map_or(String::new(), |price| decimal(price, spec.scale))
}

/// A change of an order, as the stream tells it.
pub fn change(market: Market, spec: &InstrumentSpec, view: &OrderView, change: &OrderChange) -> Value {
    let mut value = order(market, spec, view);
    for name in ["amendResult", "reqId", "amendSource", "msg"] {
        value[name] = "".into();
    }
    value["code"] = "0".into();
    match change {
        OrderChange::Trade(fill) => {
            value["fillPx"] = decimal(fill.price.0, spec.scale).into();
            value["fillSz"] = size(fill.qty, spec).into();
            value["fillTime"] = millis(fill.at).into();
            value["tradeId"] = fill.trade.to_string().into();
            value["execType"] = if fill.maker { "M" } else { "T" }.into();
            value["fillFee"] = (-fill.fee).to_string().into();
            value["fillFeeCcy"] = fill.fee_asset.as_str().into();
        }
        OrderChange::Amended => value["amendResult"] = "0".into(),
        OrderChange::New | OrderChange::Ended => {}
    }
    value
}

/// Names a row of the list of fills: both sides of a trade have one of their own.
pub fn bill(fill: &FillView) -> u64 {
    fill.trade.wrapping_mul(2).wrapping_add(u64::from(fill.maker))
}

/// A row of the list of fills.
pub fn fill(market: Market, spec: &InstrumentSpec, view: &FillView) -> Value {
    json!({
        "instType": market.kind(), "instId": spec.symbol.as_str(), "tradeId": view.trade.to_string(),
        "ordId": view.order.to_string(), "clOrdId": view.client, "billId": bill(view).to_string(), "tag": "",
        "fillPx": decimal(view.price.0, spec.scale), "fillSz": size(view.qty, spec),
        "side": view.side.name(), "posSide": if market == Market::Spot { "" } else { "net" },
        "execType": if view.maker { "M" } else { "T" }, "feeCcy": view.fee_asset.as_str(),
        "fee": (-view.fee).to_string(), "ts": millis(view.at), "fillTime": millis(view.at),
    })
}

/// A position in a contract.
pub fn position(market: Market, spec: &InstrumentSpec, view: &PositionView, at: Nanos) -> Value {
    let Position { qty, cost } = view.position;
    let base = spec.contract.base_amount(qty, spec.scale).unwrap_or_default();
    let entry = view.position.entry(base).and_then(|entry| entry.floor_to_scaled(spec.scale));
    let sign = if qty < Qty::ZERO { "-" } else { "" };
    json!({
        "instType": market.kind(), "instId": spec.symbol.as_str(), "mgnMode": market.mode(), "posSide": "net",
        "posId": "1", "pos": format!("{sign}{}", size(Qty(qty.0.saturating_abs()), spec)), "posCcy": "",
        "avgPx": entry.map_or(String::new(), |entry| decimal(entry, spec.scale)),
        "ccy": spec.contract.settle.as_str(), "lever": view.leverage.to_string(),
        "notionalUsd": cost.abs().to_string(), "imr": view.margin.to_string(), "margin": "", "upl": "",
        "cTime": millis(at), "uTime": millis(at),
    })
}

/// The account, with some of its balances.
pub fn account(balances: &[Balance], at: Nanos) -> Value {
    let details: Vec<Value> = balances
        .iter()
        .map(|balance| {
            let total = balance.free.checked_add(balance.locked).unwrap_or_default().to_string();
            let (free, locked) = (balance.free.to_string(), balance.locked.to_string());
            json!({
                "ccy": balance.asset.as_str(), "eq": total, "cashBal": total, "availBal": free, "availEq": free,
                "frozenBal": locked, "ordFrozen": locked, "liab": "0", "upl": "0", "uTime": millis(at),
            })
        })
        .collect();
    json!([{"uTime": millis(at), "totalEq": "", "details": details}])
}

/// A row of `instruments`.
pub fn instrument(market: Market, place: usize, spec: &InstrumentSpec) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    let spot = spec.contract.kind == ContractKind::Spot;
    let of_spot = |text: &str| if spot { text.to_owned() } else { String::new() };
    let of_contract = |text: String| if spot { String::new() } else { text };
    let valued_in = match spec.contract.kind {
        ContractKind::Inverse => spec.quote,
        ContractKind::Spot | ContractKind::Linear => spec.base,
    };
    json!({
        "instType": market.kind(), "instId": spec.symbol.as_str(), "instIdCode": code(place),
        "uly": of_contract(format!("{}-{}", spec.base, spec.quote)), "groupId": GROUP,
        "baseCcy": of_spot(spec.base.as_str()), "quoteCcy": of_spot(spec.quote.as_str()),
        "settleCcy": of_contract(spec.contract.settle.to_string()),
        "ctVal": of_contract(number(match spec.contract.kind {
            ContractKind::Inverse => spec.contract.multiplier,
            ContractKind::Spot | ContractKind::Linear => spec.contract.wire_unit,
        })), "ctMult": of_contract("1".to_owned()),
        "ctValCcy": of_contract(valued_in.to_string()),
        "ctType": match spec.contract.kind {
            ContractKind::Spot => "",
            ContractKind::Linear => "linear",
            ContractKind::Inverse => "inverse",
        },
        "tickSz": number(spec.tick.0), "lotSz": size(spec.lot, spec), "minSz": size(spec.min_qty, spec),
        "maxLmtSz": if spec.max_qty.0 > 0 { size(spec.max_qty, spec) } else { "9999999999".to_owned() },
        "maxMktSz": "1000000", "state": if spec.open { "live" } else { "suspend" }, "ruleType": "normal",
        "tradeQuoteCcyList": if spot { json!([spec.quote.as_str()]) } else { json!([]) },
    })
}

/// `account/config`.
pub fn config(market: Market, rights: &KeyRights) -> Value {
    let granted = [
        (rights.read.unwrap_or(true), "read_only"),
        (rights.trade.unwrap_or(true), "trade"),
        (rights.withdraw.unwrap_or(false), "withdraw"),
    ];
    let mut perms: Vec<&str> = granted.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
    perms.extend(rights.excess.iter().map(String::as_str));
    json!([{
        "uid": UID, "mainUid": "44705892343619580",
        "acctLv": if market == Market::Spot { "1" } else { "2" }, "posMode": "net_mode",
        "acctStpMode": "cancel_taker", "autoLoan": false, "enableSpotBorrow": false, "feeType": "0",
        "level": "Lv1", "label": "sim", "perm": perms.join(","), "ip": rights.ips.join(","), "kycLv": "2",
    }])
}

/// A fee rate; what is paid is negative there.
pub fn rate(rate: crate::types::FeeRate) -> String {
    (-Money::from_scaled(rate.0, Scale::DEFAULT)).to_string()
}

/// Why the exchange refused.
pub fn refusal(why: Refusal) -> Refused {
    let (code, text) = match why {
        Refusal::UnknownInstrument => (51_001, "Instrument ID or Instrument ID code doesn't exist."),
        Refusal::Halted => (51_022, "Trading of this instrument is suspended."),
        Refusal::Balance => (51_008, "Order failed. Insufficient account balance."),
        Refusal::Margin => (51_008, "Order failed. Insufficient margin in the account."),
        Refusal::ReduceOnly => {
            (51_205, "Reduce Only is not available: there is no position that the order would reduce.")
        }
        Refusal::Leverage => (51_014, "Leverage is not offered for this instrument."),
        Refusal::DuplicateClient => (51_016, "Client order ID already exists."),
        Refusal::WouldTake => (51_511, "Operation failed: a post-only order must not take."),
        Refusal::UnknownOrder => {
            (51_400, "Cancellation failed as the order has been filled, canceled or does not exist.")
        }
        Refusal::BadAmend => (51_510, "Modification failed: less than is filled, or nothing to change."),
        Refusal::Random => (51_006, "Order price is not within the price limit."),
        Refusal::Filter(SpecError::OffTick) => (51_150, "Order price is off the tick size."),
        Refusal::Filter(SpecError::OffLot) => (51_121, "Order quantity must be a multiple of the lot size."),
        Refusal::Filter(SpecError::BelowMinQty | SpecError::BelowMinNotional) => {
            (51_020, "Order amount should be greater than the min available amount.")
        }
        Refusal::Filter(SpecError::AboveMaxQty) => (51_202, "Order amount exceeds the maximum."),
        Refusal::Filter(_) => (51_000, "Parameter px or sz error"),
    };
    Refused::new(code, text)
}
