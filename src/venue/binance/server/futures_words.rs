//! The exchange's views in the words of USD-M, where they are not spot's.

use serde_json::{Value, json};

use super::Failure;
use super::words::{self, amount, decimal, side, status, tif};
use crate::types::{Asset, FeeRate, InstrumentSpec, Kind, Money, Qty, Scale, Side, SpecError};
use crate::venue::{Balance, BookSnapshot, FillView, OrderChange, OrderView, PositionView, Refusal};

fn kind(kind: Kind) -> &'static str {
    if kind == Kind::Market { "MARKET" } else { "LIMIT" }
}

fn lifetime(view: &OrderView) -> &'static str {
    if view.order.kind == Kind::PostOnly { "GTX" } else { tif(view.order.tif) }
}

/// What an order's fills cost on average, by the unit of the base asset.
fn average(spec: &InstrumentSpec, filled: Qty, value: Money) -> String {
    let base = spec.contract.base_amount(filled, spec.scale).unwrap_or_default();
    let position = crate::types::Position { qty: filled, cost: value };
    amount(shortened(position.entry(base).unwrap_or_default()))
}

/// An average price with the eight places that the venue shows.
fn shortened(price: Money) -> Money {
    price.floor_to_scaled(Scale::DEFAULT).map_or(price, |price| Money::from_scaled(price, Scale::DEFAULT))
}

/// What all answers about an order share.
pub fn order(spec: &InstrumentSpec, view: &OrderView) -> Value {
    json!({
        "orderId": view.id,
        "symbol": spec.symbol.as_str(),
        "status": status(view),
        "clientOrderId": view.order.client,
        "price": decimal(view.order.price.0, spec.scale),
        "avgPrice": average(spec, view.filled, view.filled_value),
        "origQty": decimal(view.order.qty.0, spec.scale),
        "executedQty": decimal(view.filled.0, spec.scale),
        "cumQty": decimal(view.filled.0, spec.scale),
        "cumQuote": amount(view.filled_value),
        "timeInForce": lifetime(view),
        "type": kind(view.order.kind),
        "origType": kind(view.order.kind),
        "reduceOnly": view.order.reduce_only,
        "closePosition": false,
        "side": side(view.order.side),
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": false,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_TAKER",
        "goodTillDate": 0,
        "updateTime": view.updated.millis(),
    })
}

/// The answer to a query.
pub fn queried(spec: &InstrumentSpec, view: &OrderView) -> Value {
    let mut value = order(spec, view);
    value["time"] = view.created.millis().into();
    value
}

/// The answer to a new order. An acknowledgement tells nothing of what became of it.
pub fn placed(spec: &InstrumentSpec, view: &OrderView, form: &str) -> Value {
    let mut value = order(spec, view);
    if form == "ACK" {
        value["status"] = "NEW".into();
        for (name, none) in [("avgPrice", Money::ZERO), ("cumQuote", Money::ZERO)] {
            value[name] = amount(none).into();
        }
        for name in ["executedQty", "cumQty"] {
            value[name] = decimal(0, spec.scale).into();
        }
    }
    value
}

/// One entry of the trade list.
pub fn trade(spec: &InstrumentSpec, view: &FillView) -> Value {
    let value = spec.contract.value(view.price, view.qty, spec.scale).unwrap_or_default();
    json!({
        "buyer": view.side == Side::Buy,
        "commission": amount(view.fee),
        "commissionAsset": view.fee_asset.as_str(),
        "id": view.trade,
        "maker": view.maker,
        "orderId": view.order,
        "price": decimal(view.price.0, spec.scale),
        "qty": decimal(view.qty.0, spec.scale),
        "quoteQty": amount(value),
        "realizedPnl": "0",
        "side": side(view.side),
        "positionSide": "BOTH",
        "symbol": spec.symbol.as_str(),
        "time": view.at.millis(),
    })
}

/// `ORDER_TRADE_UPDATE`.
pub fn order_update(spec: &InstrumentSpec, view: &OrderView, change: &OrderChange, now_ms: i64) -> Value {
    let execution = match change {
        OrderChange::New => "NEW",
        OrderChange::Trade(_) => "TRADE",
        OrderChange::Amended => "AMENDMENT",
        OrderChange::Ended if status(view) == "CANCELED" => "CANCELED",
        OrderChange::Ended => "EXPIRED",
    };
    let number = |value: i64| decimal(value, spec.scale);
    let mut order = json!({
        "s": spec.symbol.as_str(), "c": view.order.client, "S": side(view.order.side),
        "o": kind(view.order.kind), "f": lifetime(view),
        "q": number(view.order.qty.0), "p": number(view.order.price.0),
        "ap": average(spec, view.filled, view.filled_value), "sp": "0",
        "x": execution, "X": status(view), "i": view.id,
        "l": number(0), "z": number(view.filled.0), "L": number(0),
        "T": view.updated.millis(), "t": 0, "b": "0", "a": "0", "m": false,
        "R": view.order.reduce_only, "wt": "CONTRACT_PRICE", "ot": kind(view.order.kind), "ps": "BOTH",
        "cp": false, "rp": "0", "pP": false, "si": 0, "ss": 0, "V": "EXPIRE_TAKER", "pm": "NONE", "gtd": 0,
    });
    if let OrderChange::Trade(fill) = change {
        order["l"] = number(fill.qty.0).into();
        order["L"] = number(fill.price.0).into();
        order["n"] = amount(fill.fee).into();
        order["N"] = fill.fee_asset.as_str().into();
        order["t"] = fill.trade.into();
        order["T"] = fill.at.millis().into();
        order["m"] = fill.maker.into();
    }
    json!({"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": order["T"], "o": order})
}

/// `TRADE_LITE`: a fill without its fee, ahead of the whole news.
pub fn trade_lite(spec: &InstrumentSpec, view: &OrderView, fill: &FillView, now_ms: i64) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    json!({
        "e": "TRADE_LITE", "E": now_ms, "T": fill.at.millis(), "s": spec.symbol.as_str(),
        "q": number(view.order.qty.0), "p": number(view.order.price.0), "m": fill.maker,
        "c": view.order.client, "S": side(fill.side), "L": number(fill.price.0), "l": number(fill.qty.0),
        "t": fill.trade, "i": view.id,
    })
}

/// `ACCOUNT_UPDATE` of a wallet.
pub fn wallet_update(asset: Asset, wallet: Money, now_ms: i64) -> Value {
    let wallet = amount(wallet);
    json!({"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": {
        "m": "ORDER", "B": [{"a": asset.as_str(), "wb": wallet, "cw": wallet, "bc": "0"}], "P": [],
    }})
}

/// `ACCOUNT_UPDATE` of a position.
pub fn position_update(spec: &InstrumentSpec, view: &PositionView, now_ms: i64) -> Value {
    let entry = amount(entry(spec, view));
    json!({"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": {
        "m": "ORDER", "B": [], "P": [{
            "s": spec.symbol.as_str(), "pa": decimal(view.position.qty.0, spec.scale), "ep": entry,
            "bep": entry, "cr": "0", "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH",
        }],
    }})
}

fn entry(spec: &InstrumentSpec, view: &PositionView) -> Money {
    let base = spec.contract.base_amount(view.position.qty, spec.scale).unwrap_or_default();
    shortened(view.position.entry(base).unwrap_or_default())
}

/// A row of `positionRisk`. The mark is the middle of the book.
pub fn position_risk(spec: &InstrumentSpec, view: &PositionView, book: &BookSnapshot, now_ms: i64) -> Value {
    let best = |levels: &[crate::types::Level]| levels.first().map_or(0, |level| level.price.0);
    let mark = crate::types::Price(best(&book.bids).midpoint(best(&book.asks)));
    let size = Qty(view.position.qty.0.saturating_abs());
    let worth = spec.contract.value(mark, size, spec.scale).unwrap_or_default();
    let worth = if view.position.qty.0 < 0 { -worth } else { worth };
    let entry = amount(entry(spec, view));
    json!({
        "symbol": spec.symbol.as_str(), "positionSide": "BOTH",
        "positionAmt": decimal(view.position.qty.0, spec.scale),
        "entryPrice": entry, "breakEvenPrice": entry, "markPrice": decimal(mark.0, spec.scale),
        "unRealizedProfit": amount(worth - view.position.cost), "liquidationPrice": "0",
        "isolatedMargin": "0", "notional": amount(worth), "marginAsset": spec.contract.settle.as_str(),
        "isolatedWallet": "0", "initialMargin": amount(view.margin), "maintMargin": "0",
        "positionInitialMargin": amount(view.margin), "openOrderInitialMargin": "0", "adl": 0,
        "bidNotional": "0", "askNotional": "0", "updateTime": now_ms,
    })
}

/// The account: wallets, and what positions hold of them.
pub fn account<'a>(
    balances: &[Balance],
    positions: impl Iterator<Item = (&'a InstrumentSpec, &'a PositionView)>,
) -> Value {
    let assets: Vec<Value> = balances
        .iter()
        .map(|own| {
            let wallet = amount(own.free + own.locked);
            json!({
                "asset": own.asset.as_str(), "walletBalance": wallet, "unrealizedProfit": "0",
                "marginBalance": wallet, "maintMargin": "0", "initialMargin": amount(own.locked),
                "positionInitialMargin": amount(own.locked), "openOrderInitialMargin": "0",
                "crossWalletBalance": wallet, "crossUnPnl": "0",
                "availableBalance": amount(own.free.max(Money::ZERO)),
                "maxWithdrawAmount": amount(own.free.max(Money::ZERO)), "updateTime": 0,
            })
        })
        .collect();
    let positions: Vec<Value> = positions
        .map(|(spec, view)| {
            json!({
                "symbol": spec.symbol.as_str(), "positionSide": "BOTH",
                "positionAmt": decimal(view.position.qty.0, spec.scale), "unrealizedProfit": "0",
                "isolatedMargin": "0", "notional": amount(view.position.cost), "isolatedWallet": "0",
                "initialMargin": amount(view.margin), "maintMargin": "0", "updateTime": 0,
            })
        })
        .collect();
    json!({"assets": assets, "positions": positions})
}

/// `commissionRate`.
pub fn commission(spec: &InstrumentSpec, maker: FeeRate, taker: FeeRate) -> Value {
    let rate = |rate: FeeRate| decimal(rate.0, Scale::DEFAULT);
    json!({
        "symbol": spec.symbol.as_str(),
        "makerCommissionRate": rate(maker),
        "takerCommissionRate": rate(taker),
    })
}

/// A symbol of `exchangeInfo`.
pub fn symbol(spec: &InstrumentSpec) -> Value {
    let number = |value: i64| decimal(value, spec.scale);
    let max_qty = if spec.max_qty.0 > 0 { spec.max_qty.0 } else { i64::MAX };
    json!({
        "symbol": spec.symbol.as_str(), "pair": spec.symbol.as_str(), "contractType": "PERPETUAL",
        "status": if spec.open { "TRADING" } else { "PENDING_TRADING" },
        "baseAsset": spec.base.as_str(), "quoteAsset": spec.quote.as_str(),
        "marginAsset": spec.contract.settle.as_str(),
        "pricePrecision": 8, "quantityPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": number(spec.tick.0), "maxPrice": "4529764",
             "tickSize": number(spec.tick.0)},
            {"filterType": "LOT_SIZE", "minQty": number(spec.min_qty.0), "maxQty": number(max_qty),
             "stepSize": number(spec.lot.0)},
            {"filterType": "MIN_NOTIONAL", "notional": amount(spec.min_notional)},
        ],
    })
}

/// A fill-or-kill order that cannot fill.
pub fn fok_failed() -> Failure {
    let text = "Due to the order could not be filled immediately, the FOK order has been rejected. \
                The order will not be recorded in the order history.";
    Failure::bad(-5021, text)
}

/// Why the exchange refused, as USD-M puts it.
pub fn refusal(why: Refusal) -> Failure {
    let (code, text) = match why {
        Refusal::Halted => (-4140, "Invalid symbol status for opening position."),
        Refusal::Balance | Refusal::Margin => (-2019, "Margin is insufficient."),
        Refusal::ReduceOnly => (-2022, "ReduceOnly Order is rejected."),
        Refusal::Leverage => (-4028, "Leverage is not valid."),
        Refusal::DuplicateClient => (-4116, "ClientOrderId is duplicated."),
        Refusal::WouldTake => (
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. \
             The order will not be recorded in the order history.",
        ),
        Refusal::BadAmend => (-5027, "No need to modify the order."),
        Refusal::Random => (-2020, "Unable to fill."),
        Refusal::Filter(SpecError::PriceNotPositive) => (-4001, "Price less than 0."),
        Refusal::Filter(SpecError::QtyNotPositive) => (-4003, "Quantity less than or equal to zero."),
        Refusal::Filter(SpecError::OffTick) => (-4014, "Price not increased by tick size."),
        Refusal::Filter(SpecError::OffLot) => (-4023, "Qty not increased by step size."),
        Refusal::Filter(SpecError::BelowMinQty) => (-4004, "Quantity less than minimum quantity."),
        Refusal::Filter(SpecError::AboveMaxQty) => (-4005, "Quantity greater than maximum quantity."),
        Refusal::Filter(SpecError::BelowMinNotional | SpecError::Overflow) => {
            (-4164, "Order's notional must be no smaller than the minimum (unless you choose reduce only).")
        }
        Refusal::UnknownInstrument | Refusal::UnknownOrder => return words::refusal(why),
    };
    Failure::bad(code, text)
}
