//! The exchange's views in the venue's words.

use serde_json::{Value, json};

use super::Failure;
use crate::types::{
    ContractKind, InstrumentSpec, KeyRights, Kind, Level, Money, Nanos, OrderState, Position, Qty, Scale,
    Side, SpecError, Tif,
};
use crate::venue::bybit::symbol::Market;
use crate::venue::{Balance, BookSnapshot, EndReason, FillView, OrderView, PositionView, Refusal};

/// A scaled integer without trailing zeros, as spot writes them.
pub fn decimal(value: i64, scale: Scale) -> String {
    crate::types::Fixed(value, scale).to_string()
}

/// A side's name.
pub fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

/// The order number as the market writes it: an integer in spot, a UUID elsewhere.
pub fn number(market: Market, id: u64) -> String {
    match market {
        Market::Spot => id.to_string(),
        Market::Linear | Market::Inverse => {
            format!("{:08x}-0000-4000-8000-{:012x}", id >> 48, id & 0xffff_ffff_ffff)
        }
    }
}

/// The number in such a text.
pub fn parse_number(market: Market, text: &str) -> Option<u64> {
    match market {
        Market::Spot => text.parse().ok(),
        Market::Linear | Market::Inverse => {
            let (high, rest) = text.split_once('-')?;
            let low = rest.strip_prefix("0000-4000-8000-")?;
            let hex = |text: &str| u64::from_str_radix(text, 16).ok();
            Some(hex(high)? << 48 | hex(low)?)
        }
    }
}

/// How an order stands.
pub fn status(market: Market, view: &OrderView) -> &'static str {
    match view.state {
        OrderState::PartFilled => "PartiallyFilled",
        OrderState::Filled => "Filled",
        OrderState::Rejected => "Rejected",
        OrderState::Cancelled if market == Market::Spot && view.filled > Qty::ZERO => {
            "PartiallyFilledCanceled"
        }
        OrderState::Cancelled => "Cancelled",
        _ => "New",
    }
}

/// Why it ended: `rejectReason` and `cancelType`.
fn reasons(view: &OrderView) -> (&'static str, &'static str) {
    match (view.state, view.reason) {
        (OrderState::Rejected, _) => ("EC_Others", "UNKNOWN"),
        // Only a post-only order ends without a reason of the exchange's.
        (OrderState::Cancelled, None) => ("EC_PostOnlyWillTakeLiquidity", "UNKNOWN"),
        (_, Some(EndReason::Cancelled)) => ("EC_PerCancelRequest", "CancelByUser"),
        (_, Some(EndReason::Ioc)) if view.filled == Qty::ZERO => ("EC_NoImmediateQtyToFill", "UNKNOWN"),
        (_, Some(EndReason::Fok)) => ("EC_NoEnoughQtyToFill", "UNKNOWN"),
        (_, Some(EndReason::SelfTrade)) => ("EC_BySelfMatch", "CancelBySmp"),
        (_, Some(EndReason::ReduceOnly)) => ("EC_NoError", "CancelByReduceOnly"),
        (_, Some(EndReason::DeadMan)) => ("EC_PerCancelRequest", "CancelByDCP"),
        _ => ("EC_NoError", "UNKNOWN"),
    }
}

/// An order, in events and answers.
pub fn order(market: Market, spec: &InstrumentSpec, view: &OrderView) -> Value {
    let number_of = |value: i64| decimal(value, spec.scale);
    let (reject_reason, cancel_type) = reasons(view);
    let left = if view.state.is_final() { 0 } else { view.order.qty.0 - view.filled.0 };
    let left_value = spec.contract.value(view.order.price, Qty(left), spec.scale).unwrap_or_default();
    let average = if view.filled.0 > 0 {
        // Rounded down to the scale, as a price for people.
        let unit = 10i128.pow(24 - 2 * u32::from(spec.scale.digits()));
        let price = view.filled_value.0 / unit / i128::from(view.filled.0);
        number_of(i64::try_from(price).unwrap_or(0))
    } else {
        String::new()
    };
    json!({
        "category": market.category(),
        "orderId": number(market, view.id),
        "orderLinkId": view.order.client,
        "symbol": spec.symbol.as_str(),
        "price": number_of(view.order.price.0),
        "qty": number_of(view.order.qty.0),
        "side": side(view.order.side),
        "isLeverage": if market == Market::Spot { "0" } else { "" },
        "positionIdx": 0,
        "orderStatus": status(market, view),
        "cancelType": cancel_type,
        "rejectReason": reject_reason,
        "avgPrice": average,
        "leavesQty": number_of(left),
        "leavesValue": left_value.to_string(),
        "cumExecQty": number_of(view.filled.0),
        "cumExecValue": view.filled_value.to_string(),
        "cumExecFee": "",
        "timeInForce": match (view.order.kind, view.order.tif) {
            (Kind::PostOnly, _) => "PostOnly",
            (_, Tif::Ioc) => "IOC",
            (_, Tif::Fok) => "FOK",
            (_, Tif::Gtc) => "GTC",
        },
        "orderType": if view.order.kind == Kind::Market { "Market" } else { "Limit" },
        "reduceOnly": view.order.reduce_only,
        "smpType": "CancelTaker",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": view.created.millis().to_string(),
        "updatedTime": view.updated.millis().to_string(),
    })
}

/// A fill, in events and answers.
pub fn execution(market: Market, spec: &InstrumentSpec, fill: &FillView, order: Option<&OrderView>) -> Value {
    let number_of = |value: i64| decimal(value, spec.scale);
    let value = spec.contract.value(fill.price, fill.qty, spec.scale).unwrap_or_default();
    let (price, qty, left) = order
        .map_or((0, 0, 0), |view| (view.order.price.0, view.order.qty.0, view.order.qty.0 - view.filled.0));
    json!({
        "category": market.category(),
        "symbol": spec.symbol.as_str(),
        "orderId": number(market, fill.order),
        "orderLinkId": fill.client,
        "side": side(fill.side),
        "orderPrice": number_of(price),
        "orderQty": number_of(qty),
        "leavesQty": number_of(left),
        "orderType": "Limit",
        "execId": number(market, fill.trade),
        "execPrice": number_of(fill.price.0),
        "execQty": number_of(fill.qty.0),
        "execValue": value.to_string(),
        "execFee": fill.fee.to_string(),
        // The futures markets leave it out: their fees are in the settlement coin.
        "feeCurrency": if market == Market::Spot { fill.fee_asset.as_str() } else { "" },
        "execType": "Trade",
        "execTime": fill.at.millis().to_string(),
        "isMaker": fill.maker,
        "seq": fill.trade,
    })
}

/// A position in a contract.
pub fn position(market: Market, spec: &InstrumentSpec, view: &PositionView, now: Nanos) -> Value {
    let Position { qty, cost } = view.position;
    let side = match qty.0 {
        0 => "",
        1.. => side(Side::Buy),
        _ => side(Side::Sell),
    };
    let base = spec.contract.base_amount(qty, spec.scale).unwrap_or_default();
    let entry = view.position.entry(base).and_then(|entry| entry.floor_to_scaled(spec.scale));
    let entry = entry.map_or("0".to_owned(), |entry| decimal(entry, spec.scale));
    json!({
        "category": market.category(),
        "symbol": spec.symbol.as_str(),
        "positionIdx": 0,
        "side": side,
        "size": decimal(qty.0.saturating_abs(), spec.scale),
        "avgPrice": entry,
        "entryPrice": entry,
        "positionValue": cost.abs().to_string(),
        "positionIM": view.margin.to_string(),
        "leverage": view.leverage.to_string(),
        "tradeMode": 0,
        "positionStatus": "Normal",
        "updatedTime": now.millis().to_string(),
        "seq": -1,
    })
}

/// A coin of the wallet. What spot orders hold and what margin holds are told apart.
pub fn coin(market: Market, balance: &Balance) -> Value {
    let total = balance.free + balance.locked;
    let (locked, margin) = match market {
        Market::Spot => (balance.locked, Money::ZERO),
        Market::Linear | Market::Inverse => (Money::ZERO, balance.locked),
    };
    json!({
        "coin": balance.asset.as_str(),
        "equity": total.to_string(),
        "walletBalance": total.to_string(),
        "locked": locked.to_string(),
        "borrowAmount": "0",
        "spotBorrow": "0",
        "totalOrderIM": "0",
        "totalPositionIM": margin.to_string(),
        "unrealisedPnl": "0",
        "collateralSwitch": true,
    })
}

/// The unified account.
pub fn wallet(coins: Vec<Value>) -> Value {
    json!({"accountType": "UNIFIED", "totalAvailableBalance": "", "coin": coins})
}

/// Levels as pairs of texts.
pub fn levels(levels: &[Level], scale: Scale) -> Value {
    levels.iter().map(|level| json!([decimal(level.price.0, scale), decimal(level.qty.0, scale)])).collect()
}

/// A REST book.
pub fn book(spec: &InstrumentSpec, book: &BookSnapshot, now: Nanos) -> Value {
    json!({
        "s": spec.symbol.as_str(),
        "b": levels(&book.bids, spec.scale),
        "a": levels(&book.asks, spec.scale),
        "ts": now.millis(),
        "u": book.seq,
        "seq": book.seq,
        "cts": book.at.millis(),
    })
}

/// An instrument of `instruments-info`.
pub fn instrument(market: Market, spec: &InstrumentSpec) -> Value {
    let number_of = |value: i64| decimal(value, spec.scale);
    let most = if spec.max_qty.0 > 0 { number_of(spec.max_qty.0) } else { String::new() };
    let mut value = json!({
        "symbol": spec.symbol.as_str(),
        "baseCoin": spec.base.as_str(),
        "quoteCoin": spec.quote.as_str(),
        "status": if spec.open { "Trading" } else { "Closed" },
        "priceFilter": {"tickSize": number_of(spec.tick.0)},
    });
    if spec.contract.kind == ContractKind::Spot {
        value["lotSizeFilter"] = json!({
            "basePrecision": number_of(spec.lot.0),
            "minOrderAmt": spec.min_notional.to_string(),
            "maxLimitOrderQty": most,
        });
        return value;
    }
    let kind = if market == Market::Linear { "LinearPerpetual" } else { "InversePerpetual" };
    value["contractType"] = kind.into();
    value["settleCoin"] = spec.contract.settle.as_str().into();
    value["isPreListing"] = false.into();
    value["lotSizeFilter"] = json!({
        "qtyStep": number_of(spec.lot.0),
        "minOrderQty": number_of(spec.min_qty.0),
        "maxOrderQty": most,
        "minNotionalValue": spec.min_notional.to_string(),
    });
    value
}

/// `query-api`.
pub fn key(market: Market, name: &str, rights: &KeyRights) -> Value {
    let has = |right: Option<bool>, otherwise: bool| right.unwrap_or(otherwise);
    let trade = has(rights.trade, true);
    let list = |names: &[(&str, bool)]| -> Vec<String> {
        names.iter().filter(|(_, granted)| *granted).map(|(name, _)| (*name).to_owned()).collect()
    };
    let (spot, linear) = (trade && market == Market::Spot, trade && market != Market::Spot);
    let withdraw = has(rights.withdraw, false);
    let mut permissions = json!({
        "ContractTrade": list(&[("Order", linear), ("Position", linear)]),
        "Spot": list(&[("SpotTrade", spot)]),
        "Wallet": list(&[("AccountTransfer", has(rights.transfer, false)), ("Withdraw", withdraw)]),
        "Options": [], "Derivatives": [], "Exchange": [], "Earn": [], "CopyTrading": [],
    });
    for right in &rights.excess {
        let (group, name) = right.split_once('.').unwrap_or((right, "All"));
        if let Some(permissions) = permissions.as_object_mut()
            && let Some(list) = permissions.entry(group).or_insert_with(|| json!([])).as_array_mut()
        {
            list.push(name.into());
        }
    }
    let ips = if rights.ips.is_empty() { vec!["*".to_owned()] } else { rights.ips.clone() };
    json!({
        "id": "1", "note": "", "apiKey": name, "readOnly": u8::from(!trade), "secret": "",
        "permissions": permissions,
        "ips": ips, "type": 1, "deadlineDay": -2,
        "expiredAt": rights.expires.unwrap_or(Nanos::ZERO).rfc3339(0),
        "createdAt": "2023-08-09T06:05:11Z", "uta": 1, "userID": 1, "isMaster": false,
    })
}

/// Why the exchange refused, as the market puts it.
pub fn refusal(market: Market, why: Refusal) -> Failure {
    let spot = market == Market::Spot;
    let (code, text) = match why {
        Refusal::UnknownInstrument => (10_029, "The requested symbol is invalid."),
        Refusal::Halted if spot => (170_151, "This trading pair is not available."),
        Refusal::Halted => (110_074, "This contract is not live."),
        Refusal::Balance if spot => (170_131, "Insufficient balance."),
        Refusal::Balance | Refusal::Margin => (110_007, "Available balance is insufficient."),
        Refusal::DuplicateClient if spot => (170_141, "Duplicate clientOrderId."),
        Refusal::DuplicateClient => (110_072, "OrderLinkedID is duplicate."),
        Refusal::WouldTake => (170_218, "The LIMIT-MAKER order is rejected due to invalid price."),
        Refusal::UnknownOrder if spot => (170_213, "Order does not exist."),
        Refusal::UnknownOrder => (110_001, "Order does not exist."),
        Refusal::ReduceOnly => (110_017, "Reduce-only rule not satisfied."),
        Refusal::Leverage => (110_013, "Cannot set leverage due to risk limit level."),
        Refusal::BadAmend => (10_001, "The order would not be changed by this."),
        Refusal::Random => (10_001, "Order was rejected."),
        Refusal::Filter(SpecError::BelowMinNotional) if spot => {
            (170_140, "Order value exceeded lower limit.")
        }
        Refusal::Filter(SpecError::BelowMinNotional) => {
            (110_094, "Order notional value below the lower limit.")
        }
        Refusal::Filter(SpecError::OffTick) if spot => (170_134, "Order price has too many decimals."),
        Refusal::Filter(SpecError::OffLot) if spot => (170_137, "Order quantity has too many decimals."),
        Refusal::Filter(SpecError::BelowMinQty) if spot => (170_136, "Order quantity exceeded lower limit."),
        Refusal::Filter(SpecError::AboveMaxQty | SpecError::Overflow) if spot => {
            (170_124, "Order amount too large.")
        }
        Refusal::Filter(SpecError::PriceNotPositive | SpecError::OffTick) => (10_001, "Price invalid."),
        Refusal::Filter(_) => (10_001, "Qty invalid."),
    };
    Failure::new(code, text)
}
