//! The exchange's views in the venue's words.

use serde_json::{Value, json};

use crate::types::{
    Asset, InstrumentSpec, KeyRights, Kind, Level, Money, OrderState, Scale, Side, SpecError, Tif,
};
use crate::venue::{Balance, BookSnapshot, EndReason, FillView, OrderChange, OrderView, Refusal};

use super::Failure;

/// A scaled integer with all places of its scale: `0.01000000`.
pub fn decimal(value: i64, scale: Scale) -> String {
    let (one, magnitude) = (scale.one().unsigned_abs(), value.unsigned_abs());
    let sign = if value < 0 { "-" } else { "" };
    match usize::from(scale.digits()) {
        0 => format!("{sign}{magnitude}"),
        places => format!("{sign}{}.{:0places$}", magnitude / one, magnitude % one),
    }
}

/// An amount with at least eight places.
pub fn amount(value: Money) -> String {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}.{fraction:0<8}")
}

pub fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Limit => "LIMIT",
        Kind::Market => "MARKET",
        Kind::PostOnly => "LIMIT_MAKER",
    }
}

pub fn tif(tif: Tif) -> &'static str {
    match tif {
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::Gtc => "GTC",
    }
}

pub fn status(view: &OrderView) -> &'static str {
    match (view.state, view.reason) {
        (OrderState::PartFilled, _) => "PARTIALLY_FILLED",
        (OrderState::Filled, _) => "FILLED",
        (OrderState::Cancelled, Some(EndReason::Ioc | EndReason::Fok)) => "EXPIRED",
        (OrderState::Cancelled, Some(EndReason::SelfTrade)) => "EXPIRED_IN_MATCH",
        (OrderState::Cancelled, _) => "CANCELED",
        (OrderState::Rejected, _) => "REJECTED",
        _ => "NEW",
    }
}

/// The id that a cancel of the order has; the venue makes one up when none was sent.
pub fn cancel_id(view: &OrderView) -> String {
    format!("cancel{}", view.id)
}

/// What all answers about an order share.
pub fn order(spec: &InstrumentSpec, view: &OrderView) -> Value {
    json!({
        "symbol": spec.symbol.as_str(),
        "orderId": view.id,
        "orderListId": -1,
        "clientOrderId": view.order.client,
        "price": decimal(view.order.price.0, spec.scale),
        "origQty": decimal(view.order.qty.0, spec.scale),
        "executedQty": decimal(view.filled.0, spec.scale),
        "origQuoteOrderQty": "0.000000",
        "cummulativeQuoteQty": amount(view.filled_value),
        "status": status(view),
        "timeInForce": tif(view.order.tif),
        "type": kind(view.order.kind),
        "side": side(view.order.side),
        "workingTime": view.created.millis(),
        "selfTradePreventionMode": "EXPIRE_TAKER",
    })
}

/// The answer to a query.
pub fn queried(spec: &InstrumentSpec, view: &OrderView) -> Value {
    let mut value = order(spec, view);
    value["stopPrice"] = "0.00000000".into();
    value["icebergQty"] = "0.00000000".into();
    value["time"] = view.created.millis().into();
    value["updateTime"] = view.updated.millis().into();
    value["isWorking"] = true.into();
    value
}

/// The answer to a cancel.
pub fn cancelled(spec: &InstrumentSpec, view: &OrderView) -> Value {
    let mut value = order(spec, view);
    value["origClientOrderId"] = view.order.client.clone().into();
    value["clientOrderId"] = cancel_id(view).into();
    value["transactTime"] = view.updated.millis().into();
    value
}

/// The answer to a new order, as long as was asked for.
pub fn placed(spec: &InstrumentSpec, view: &OrderView, form: &str) -> Value {
    let mut value = match form {
        "ACK" => json!({
            "symbol": spec.symbol.as_str(),
            "orderId": view.id,
            "orderListId": -1,
            "clientOrderId": view.order.client,
        }),
        _ => order(spec, view),
    };
    value["transactTime"] = view.updated.millis().into();
    if form == "FULL" {
        value["fills"] = view.fills.iter().map(|view| fill(spec, view)).collect();
    }
    value
}

fn fill(spec: &InstrumentSpec, view: &FillView) -> Value {
    json!({
        "price": decimal(view.price.0, spec.scale),
        "qty": decimal(view.qty.0, spec.scale),
        "commission": amount(view.fee),
        "commissionAsset": view.fee_asset.as_str(),
        "tradeId": view.trade,
    })
}

/// One entry of the trade list.
pub fn trade(spec: &InstrumentSpec, view: &FillView) -> Value {
    let value = Money::notional(view.price, view.qty, spec.scale).unwrap_or_default();
    json!({
        "symbol": spec.symbol.as_str(),
        "id": view.trade,
        "orderId": view.order,
        "orderListId": -1,
        "price": decimal(view.price.0, spec.scale),
        "qty": decimal(view.qty.0, spec.scale),
        "quoteQty": amount(value),
        "commission": amount(view.fee),
        "commissionAsset": view.fee_asset.as_str(),
        "time": view.at.millis(),
        "isBuyer": view.side == Side::Buy,
        "isMaker": view.maker,
        "isBestMatch": true,
    })
}

/// `executionReport`.
pub fn execution(
    spec: &InstrumentSpec,
    view: &OrderView,
    change: &OrderChange,
    execution_id: u64,
    now_ms: i64,
) -> Value {
    let by_request = matches!(view.reason, Some(EndReason::Cancelled | EndReason::DeadMan));
    let (client, original) = match change {
        OrderChange::Ended if by_request => (cancel_id(view), view.order.client.clone()),
        OrderChange::Amended => (view.order.client.clone(), view.order.client.clone()),
        _ => (view.order.client.clone(), String::new()),
    };
    let execution = match (change, view.reason) {
        (OrderChange::New, _) => "NEW",
        (OrderChange::Trade(_), _) => "TRADE",
        (OrderChange::Amended, _) => "REPLACED",
        (OrderChange::Ended, Some(EndReason::Ioc | EndReason::Fok)) => "EXPIRED",
        (OrderChange::Ended, Some(EndReason::SelfTrade)) => "TRADE_PREVENTION",
        (OrderChange::Ended, _) => "CANCELED",
    };
    let number = |value: i64| decimal(value, spec.scale);
    let mut value = json!({
        "e": "executionReport", "E": now_ms, "s": spec.symbol.as_str(), "c": client,
        "S": side(view.order.side), "o": kind(view.order.kind), "f": tif(view.order.tif),
        "q": number(view.order.qty.0), "p": number(view.order.price.0),
        "P": "0.00000000", "F": "0.00000000", "g": -1, "C": original,
        "x": execution, "X": status(view), "r": "NONE", "i": view.id,
        "l": number(0), "z": number(view.filled.0), "L": number(0), "n": "0", "N": Value::Null,
        "T": view.updated.millis(), "t": -1, "I": execution_id,
        "w": matches!(view.state, OrderState::Accepted | OrderState::PartFilled), "m": false, "M": false,
        "O": view.created.millis(), "Z": amount(view.filled_value), "Y": "0.00000000",
        "Q": "0.00000000", "W": view.created.millis(), "V": "EXPIRE_TAKER",
    });
    if let OrderChange::Trade(fill) = change {
        let last = Money::notional(fill.price, fill.qty, spec.scale).unwrap_or_default();
        value["l"] = number(fill.qty.0).into();
        value["L"] = number(fill.price.0).into();
        value["Y"] = amount(last).into();
        value["n"] = amount(fill.fee).into();
        value["N"] = fill.fee_asset.as_str().into();
        value["t"] = fill.trade.into();
        value["T"] = fill.at.millis().into();
        value["m"] = fill.maker.into();
    }
    match view.reason {
        Some(EndReason::Ioc) => value["eR"] = "UNFILLED_IOC_QUANTITY_EXPIRED".into(),
        Some(EndReason::Fok) => value["eR"] = "UNFILLED_FOK_ORDER_EXPIRED".into(),
        _ => {}
    }
    value
}

/// `outboundAccountPosition` of one balance.
pub fn position(balance: &Balance, now_ms: i64) -> Value {
    json!({
        "e": "outboundAccountPosition", "E": now_ms, "u": now_ms,
        "B": [{"a": balance.asset.as_str(), "f": amount(balance.free), "l": amount(balance.locked)}],
    })
}

/// Levels as pairs of texts.
pub fn levels(levels: &[Level], scale: Scale) -> Value {
    levels.iter().map(|level| json!([decimal(level.price.0, scale), decimal(level.qty.0, scale)])).collect()
}

/// A REST depth answer.
pub fn depth(book: &BookSnapshot, scale: Scale) -> Value {
    json!({
        "lastUpdateId": book.seq,
        "bids": levels(&book.bids, scale),
        "asks": levels(&book.asks, scale),
    })
}

/// A symbol of `exchangeInfo`.
pub fn symbol(spec: &InstrumentSpec) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    let max_qty = if spec.max_qty.0 > 0 { spec.max_qty.0 } else { i64::MAX };
    json!({
        "symbol": spec.symbol.as_str(),
        "status": if spec.open { "TRADING" } else { "HALT" },
        "baseAsset": spec.base.as_str(), "baseAssetPrecision": 8,
        "quoteAsset": spec.quote.as_str(), "quotePrecision": 8, "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "cancelReplaceAllowed": true, "amendAllowed": true, "isSpotTradingAllowed": true,
        "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_TAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": number(spec.tick.0), "maxPrice": "1000000.00000000",
             "tickSize": number(spec.tick.0)},
            {"filterType": "LOT_SIZE", "minQty": number(spec.min_qty.0), "maxQty": number(max_qty),
             "stepSize": number(spec.lot.0)},
            {"filterType": "NOTIONAL", "minNotional": amount(spec.min_notional), "applyMinToMarket": true,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5},
        ],
    })
}

/// `account.status`.
pub fn account(balances: &[Balance], omit_zero: bool, rights: &KeyRights, now_ms: i64) -> Value {
    let shown = balances.iter().filter(|b| !omit_zero || b.free != Money::ZERO || b.locked != Money::ZERO);
    let list: Vec<Value> = shown
        .map(|b| json!({"asset": b.asset.as_str(), "free": amount(b.free), "locked": amount(b.locked)}))
        .collect();
    json!({
        "canTrade": rights.trade != Some(false),
        "canWithdraw": rights.withdraw == Some(true),
        "canDeposit": true,
        "accountType": "SPOT",
        "updateTime": now_ms,
        "permissions": ["SPOT"],
        "balances": list,
    })
}

/// `apiRestrictions`.
pub fn restrictions(rights: &KeyRights) -> Value {
    let excess = |name: &str| rights.excess.iter().any(|other| other == name);
    let mut value = json!({
        "ipRestrict": rights.ip_bound.unwrap_or(!rights.ips.is_empty()),
        "createTime": 1_698_645_219_000i64,
        "enableReading": rights.read.unwrap_or(true),
        "enableSpotAndMarginTrading": rights.trade.unwrap_or(true),
        "enableWithdrawals": rights.withdraw.unwrap_or(false),
        "enableInternalTransfer": rights.transfer.unwrap_or(false),
        "permitsUniversalTransfer": rights.transfer.unwrap_or(false),
    });
    for name in [
        "enableMargin",
        "enableFutures",
        "enableVanillaOptions",
        "enablePortfolioMarginTrading",
        "enableFixApiTrade",
        "enableFixReadOnly",
    ] {
        value[name] = excess(name).into();
    }
    if let Some(expires) = rights.expires {
        value["tradingAuthorityExpirationTime"] = expires.millis().into();
    }
    value
}

/// A commission class of `account.commission`.
pub fn rates(maker: i64, taker: i64) -> Value {
    let rate = |value| decimal(value, Scale::DEFAULT);
    json!({"maker": rate(maker), "taker": rate(taker), "buyer": rate(0), "seller": rate(0)})
}

/// Why the exchange refused, as the venue puts it.
pub fn refusal(why: Refusal) -> Failure {
    let (code, text) = match why {
        Refusal::UnknownInstrument => (-1121, "Invalid symbol."),
        Refusal::Halted => (-2010, "Market is closed."),
        Refusal::Balance => (-2010, "Account has insufficient balance for requested action."),
        Refusal::Margin => (-2019, "Margin is insufficient."),
        Refusal::ReduceOnly => (-2022, "ReduceOnly Order is rejected."),
        Refusal::Leverage => (-4028, "Leverage is not valid."),
        Refusal::DuplicateClient => (-2010, "Duplicate order sent."),
        Refusal::WouldTake => (-2010, "Order would immediately match and take."),
        Refusal::UnknownOrder => (-2011, "Unknown order sent."),
        Refusal::BadAmend => (-2038, "The requested amendment of the order was rejected."),
        Refusal::Random => (-2010, "Order was rejected."),
        Refusal::Filter(SpecError::PriceNotPositive) => (-1013, "Invalid price."),
        Refusal::Filter(SpecError::QtyNotPositive) => (-1013, "Invalid quantity."),
        Refusal::Filter(SpecError::OffTick) => (-1013, "Filter failure: PRICE_FILTER"),
        Refusal::Filter(SpecError::OffLot | SpecError::BelowMinQty | SpecError::AboveMaxQty) => {
            (-1013, "Filter failure: LOT_SIZE")
        }
        Refusal::Filter(SpecError::BelowMinNotional | SpecError::Overflow) => {
            (-1013, "Filter failure: NOTIONAL")
        }
    };
    Failure::bad(code, text)
}

/// An asset that fees of a symbol could be paid in besides its own; the simulation has none.
pub fn discount() -> Value {
    json!({"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": Asset::EMPTY.as_str(),
           "discount": "0.00000000"})
}
