//! How the venue writes things down.

use serde_json::{Value, json};

use super::{FIRST_CODE, Refused};
use crate::types::{
    ContractKind, Fixed, InstrumentSpec, KeyRights, Kind, Level, Money, OrderState, Scale, Side, SpecError, Tif,
};
use crate::venue::{Balance, EndReason, FillView, OrderChange, OrderView, Refusal};

/// A decimal without trailing zeros.
pub fn decimal(value: i64, scale: Scale) -> String {
    Fixed(value, scale).to_string()
}

/// A time in ms, as text.
pub fn millis(at: crate::types::Nanos) -> String {
    at.millis().to_string()
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
pub fn levels(levels: &[Level], scale: Scale) -> String {
    let rows: Vec<String> = levels
        .iter()
        .map(|level| {
            let count = u8::from(level.qty.0 > 0);
            format!("[\"{}\",\"{}\",\"0\",\"{count}\"]", decimal(level.price.0, scale), decimal(level.qty.0, scale))
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn kind(kind: Kind, tif: Tif) -> &'static str {
    match (kind, tif) {
        (Kind::Market, _) => "market",
        (Kind::PostOnly, _) => "post_only",
        (Kind::Limit, Tif::Ioc) => "ioc",
        (Kind::Limit, Tif::Fok) => "fok",
        (Kind::Limit, Tif::Gtc) => "limit",
    }
}

/// Kind and lifetime of an `ordType`.
pub fn kind_of(text: &str) -> Option<(Kind, Tif)> {
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

fn source(view: &OrderView) -> &'static str {
    match view.reason {
        Some(EndReason::Cancelled) => "1",
        Some(EndReason::Ioc) => "14",
        Some(EndReason::Fok) => "13",
        Some(EndReason::SelfTrade) => "32",
        Some(EndReason::DeadMan) => "20",
        None => "",
    }
}

/// Spot or a kind of contract.
fn inst_type(spec: &InstrumentSpec) -> &'static str {
    if spec.contract.kind == ContractKind::Spot { "SPOT" } else { "SWAP" }
}

/// How the margin of an instrument is held.
pub fn mode(spec: &InstrumentSpec) -> &'static str {
    if spec.contract.kind == ContractKind::Spot { "cash" } else { "cross" }
}

/// What all words about an order share.
pub fn order(spec: &InstrumentSpec, view: &OrderView) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    let average = if view.filled.0 > 0 {
        let average = view.filled_value.0 / Money::from_scaled(view.filled.0, spec.scale).0.max(1).div_euclid(Money::ONE.0).max(1);
        Money(average).to_string()
    } else {
        String::new()
    };
    json!({
        "instType": inst_type(spec), "instId": spec.symbol.as_str(), "ordId": view.id.to_string(),
        "clOrdId": view.order.client, "tag": "", "side": view.order.side.name(), "posSide": "net",
        "ordType": kind(view.order.kind, view.order.tif), "tdMode": mode(spec),
        "px": if view.order.kind == Kind::Market { String::new() } else { number(view.order.price.0) },
        "sz": number(view.order.qty.0), "state": state(view.state), "accFillSz": number(view.filled.0),
        "avgPx": average, "fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "",
        "fee": "0", "feeCcy": "", "rebate": "0", "rebateCcy": "", "reduceOnly": "false",
        "cancelSource": if view.state == OrderState::Cancelled { source(view) } else { "" },
        "stpMode": "cancel_taker", "cTime": millis(view.created), "uTime": millis(view.updated),
    })
}

/// A change of an order, as the stream tells it.
pub fn change(spec: &InstrumentSpec, view: &OrderView, change: &OrderChange) -> Value {
    let mut value = order(spec, view);
    for name in ["amendResult", "reqId", "amendSource"] {
        value[name] = "".into();
    }
    (value["code"], value["msg"]) = ("0".into(), "".into());
    match change {
        OrderChange::Trade(fill) => {
            value["fillPx"] = decimal(fill.price.0, spec.scale).into();
            value["fillSz"] = decimal(fill.qty.0, spec.scale).into();
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
pub fn fill(spec: &InstrumentSpec, view: &FillView) -> Value {
    json!({
        "instType": inst_type(spec), "instId": spec.symbol.as_str(), "tradeId": view.trade.to_string(),
        "ordId": view.order.to_string(), "clOrdId": view.client, "billId": bill(view).to_string(), "tag": "",
        "fillPx": decimal(view.price.0, spec.scale), "fillSz": decimal(view.qty.0, spec.scale),
        "side": if view.side == Side::Buy { "buy" } else { "sell" }, "posSide": "net",
        "execType": if view.maker { "M" } else { "T" }, "feeCcy": view.fee_asset.as_str(),
        "fee": (-view.fee).to_string(), "ts": millis(view.at), "fillTime": millis(view.at),
    })
}

/// The account, with some of its balances.
pub fn account(balances: &[Balance], at: crate::types::Nanos) -> Value {
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
pub fn instrument(place: usize, spec: &InstrumentSpec) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    let spot = spec.contract.kind == ContractKind::Spot;
    let of_spot = |text: &str| if spot { text.to_owned() } else { String::new() };
    let of_contract = |text: String| if spot { String::new() } else { text };
    let valued_in = match spec.contract.kind {
        ContractKind::Inverse => spec.quote,
        _ => spec.base,
    };
    json!({
        "instType": inst_type(spec), "instId": spec.symbol.as_str(), "instIdCode": code(place),
        "uly": of_contract(format!("{}-{}", spec.base, spec.quote)), "groupId": "1",
        "baseCcy": of_spot(spec.base.as_str()), "quoteCcy": of_spot(spec.quote.as_str()),
        "settleCcy": of_contract(spec.contract.settle.to_string()),
        "ctVal": of_contract(number(spec.contract.multiplier)), "ctMult": of_contract("1".to_owned()),
        "ctValCcy": of_contract(valued_in.to_string()),
        "ctType": match spec.contract.kind {
            ContractKind::Spot => "",
            ContractKind::Linear => "linear",
            ContractKind::Inverse => "inverse",
        },
        "tickSz": number(spec.tick.0), "lotSz": number(spec.lot.0), "minSz": number(spec.min_qty.0),
        "maxLmtSz": if spec.max_qty.0 > 0 { number(spec.max_qty.0) } else { "9999999999".to_owned() },
        "maxMktSz": "1000000", "state": if spec.open { "live" } else { "suspend" }, "ruleType": "normal",
        "tradeQuoteCcyList": if spot { json!([spec.quote.as_str()]) } else { json!([]) },
    })
}

/// `account/config`.
pub fn config(rights: &KeyRights, level: &str) -> Value {
    let mut perms = Vec::new();
    let named = [(rights.read, "read_only"), (rights.trade, "trade"), (rights.withdraw, "withdraw")];
    perms.extend(named.iter().filter(|(right, _)| *right == Some(true)).map(|(_, name)| *name));
    perms.extend(rights.excess.iter().map(String::as_str));
    json!([{
        "uid": "44705892343619584", "mainUid": "44705892343619584", "acctLv": level, "posMode": "net_mode",
        "acctStpMode": "cancel_maker", "autoLoan": false, "enableSpotBorrow": false, "feeType": "0", "level": "Lv1",
        "label": "sim", "perm": perms.join(","), "ip": rights.ips.join(","), "kycLv": "2",
    }])
}

/// Why the exchange refused.
pub fn refusal(why: Refusal) -> Refused {
    let (code, text) = match why {
        Refusal::UnknownInstrument => (51_001, "Instrument ID does not exist."),
        Refusal::Halted => (51_022, "Trading of this instrument is suspended."),
        Refusal::Balance => (51_008, "Order failed. Insufficient account balance."),
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

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
