//! The exchange's views in the words of futures, where they are not spot's. What USD-M tells in the quote
//! asset COIN-M tells in the base asset, by names of its own.

use serde_json::{Value, json};

use super::Failure;
use super::words::{self, Fields, amount, decimal, side, status, tif};
use crate::types::{Asset, FeeRate, InstrumentSpec, Kind, Money, Position, Qty, Scale, Side, SpecError};
use crate::venue::binance::symbol::Market;
use crate::venue::{Balance, BookSnapshot, FillView, OrderChange, OrderView, PositionView, Refusal};

fn kind(kind: Kind) -> &'static str {
    if kind == Kind::Market { "MARKET" } else { "LIMIT" }
}

fn lifetime(view: &OrderView) -> &'static str {
    if view.order.kind == Kind::PostOnly { "GTX" } else { tif(view.order.tif) }
}

/// The pair that a contract is of: `BTCUSD` of `BTCUSD_PERP`.
pub fn pair(spec: &InstrumentSpec) -> &str {
    let symbol = spec.symbol.as_str();
    symbol.split_once('_').map_or(symbol, |(pair, _)| pair)
}

/// What an order's fills cost on average, by the unit of the base asset.
fn average(spec: &InstrumentSpec, filled: Qty, value: Money) -> String {
    let position = Position { qty: filled, cost: value };
    amount(shortened(spec.contract.entry(&position, spec.scale).unwrap_or_default()))
}

/// An average price with the eight places that the venue shows.
fn shortened(price: Money) -> Money {
    price.floor_to_scaled(Scale::DEFAULT).map_or(price, |price| Money::from_scaled(price, Scale::DEFAULT))
}

/// What all answers about an order share.
pub fn order(spec: &InstrumentSpec, view: &OrderView) -> Value {
    let mut order = json!({
        "orderId": view.id,
        "symbol": spec.symbol.as_str(),
        "status": status(view),
        "clientOrderId": view.order.client,
        "price": decimal(view.order.price.0, spec.scale),
        "avgPrice": average(spec, view.filled, view.filled_value),
        "origQty": decimal(view.order.qty.0, spec.scale),
        "executedQty": decimal(view.filled.0, spec.scale),
        "cumQty": decimal(view.filled.0, spec.scale),
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
    });
    order[cumulated(spec)] = amount(view.filled_value).into();
    if spec.contract.is_inverse() {
        order["pair"] = pair(spec).into();
    }
    order
}

/// The name of what an order's fills are worth.
fn cumulated(spec: &InstrumentSpec) -> &'static str {
    if spec.contract.is_inverse() { "cumBase" } else { "cumQuote" }
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
        for name in ["avgPrice", cumulated(spec)] {
            value[name] = amount(Money::ZERO).into();
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
    let mut trade = json!({
        "buyer": view.side == Side::Buy,
        "commission": amount(view.fee),
        "commissionAsset": view.fee_asset.as_str(),
        "id": view.trade,
        "maker": view.maker,
        "orderId": view.order,
        "price": decimal(view.price.0, spec.scale),
        "qty": decimal(view.qty.0, spec.scale),
        "realizedPnl": "0",
        "side": side(view.side),
        "positionSide": "BOTH",
        "symbol": spec.symbol.as_str(),
        "time": view.at.millis(),
    });
    match spec.contract.is_inverse() {
        true => {
            trade["baseQty"] = amount(value).into();
            trade["marginAsset"] = spec.contract.settle.as_str().into();
            trade["pair"] = pair(spec).into();
        }
        false => trade["quoteQty"] = amount(value).into(),
    }
    trade
}

/// `ORDER_TRADE_UPDATE`.
pub fn order_update(spec: &InstrumentSpec, view: &OrderView, change: &OrderChange, now_ms: i64) -> String {
    let execution = match change {
        OrderChange::New => "NEW",
        OrderChange::Trade(_) => "TRADE",
        OrderChange::Amended => "AMENDMENT",
        OrderChange::Ended if status(view) == "CANCELED" => "CANCELED",
        OrderChange::Ended => "EXPIRED",
    };
    let number = |value: i64| decimal(value, spec.scale);
    let fill = if let OrderChange::Trade(fill) = change { Some(fill) } else { None };
    let (last, price) = fill.map_or((0, 0), |fill| (fill.qty.0, fill.price.0));
    let at = fill.map_or(view.updated, |fill| fill.at).millis();
    let mut order = Fields::inner();
    order.text("s", spec.symbol.as_str()).text("c", &view.order.client);
    order.text("S", side(view.order.side)).text("o", kind(view.order.kind)).text("f", lifetime(view));
    order.text("q", &number(view.order.qty.0)).text("p", &number(view.order.price.0));
    order.text("ap", &average(spec, view.filled, view.filled_value)).text("sp", "0");
    order.text("x", execution).text("X", status(view)).plain("i", view.id);
    order.text("l", &number(last)).text("z", &number(view.filled.0)).text("L", &number(price));
    if spec.contract.is_inverse() {
        order.text("ma", spec.contract.settle.as_str());
    }
    if let Some(fill) = fill {
        order.text("N", fill.fee_asset.as_str()).text("n", &amount(fill.fee));
    }
    order.plain("T", at).plain("t", fill.map_or(0, |fill| fill.trade)).text("b", "0").text("a", "0");
    order.plain("m", fill.is_some_and(|fill| fill.maker)).plain("R", view.order.reduce_only);
    order.text("wt", "CONTRACT_PRICE").text("ot", kind(view.order.kind)).text("ps", "BOTH");
    order.plain("cp", false).text("rp", "0").plain("pP", false).plain("si", 0).plain("ss", 0);
    order.text("V", "EXPIRE_TAKER").text("pm", "NONE");
    if !spec.contract.is_inverse() {
        order.plain("gtd", 0);
    }
    let mut event = Fields::event("ORDER_TRADE_UPDATE", now_ms);
    event.plain("T", at).json("o", &order.end());
    event.end()
}

/// `TRADE_LITE`: a fill without its fee, ahead of the whole news.
pub fn trade_lite(spec: &InstrumentSpec, view: &OrderView, fill: &FillView, now_ms: i64) -> String {
    let number = |value: i64| decimal(value, spec.scale);
    let mut event = Fields::event("TRADE_LITE", now_ms);
    event.plain("T", fill.at.millis()).text("s", spec.symbol.as_str());
    event.text("q", &number(view.order.qty.0)).text("p", &number(view.order.price.0)).plain("m", fill.maker);
    event.text("c", &view.order.client).text("S", side(fill.side));
    event.text("L", &number(fill.price.0)).text("l", &number(fill.qty.0));
    event.plain("t", fill.trade).plain("i", view.id);
    event.end()
}

/// `ACCOUNT_UPDATE` of a wallet.
pub fn wallet_update(asset: Asset, wallet: Money, now_ms: i64) -> String {
    let wallet = amount(wallet);
    let mut own = Fields::inner();
    own.text("a", asset.as_str()).text("wb", &wallet).text("cw", &wallet).text("bc", "0");
    account_update(&[&own.end()], &[], now_ms)
}

/// `ACCOUNT_UPDATE` of a position.
pub fn position_update(spec: &InstrumentSpec, view: &PositionView, now_ms: i64) -> String {
    let entry = amount(entry(spec, view));
    let mut own = Fields::inner();
    own.text("s", spec.symbol.as_str()).text("pa", &decimal(view.position.qty.0, spec.scale));
    own.text("ep", &entry).text("bep", &entry).text("cr", "0").text("up", "0").text("mt", "cross");
    own.text("iw", "0").text("ps", "BOTH");
    account_update(&[], &[&own.end()], now_ms)
}

fn account_update(wallets: &[&str], positions: &[&str], now_ms: i64) -> String {
    let mut account = Fields::inner();
    account.text("m", "ORDER").list("B", wallets).list("P", positions);
    let mut event = Fields::event("ACCOUNT_UPDATE", now_ms);
    event.plain("T", now_ms).json("a", &account.end());
    event.end()
}

fn entry(spec: &InstrumentSpec, view: &PositionView) -> Money {
    shortened(spec.contract.entry(&view.position, spec.scale).unwrap_or_default())
}

/// A row of `positionRisk`. The mark is the middle of the book.
pub fn position_risk(spec: &InstrumentSpec, view: &PositionView, book: &BookSnapshot, now_ms: i64) -> Value {
    let best = |levels: &[crate::types::Level]| levels.first().map_or(0, |level| level.price.0);
    let mark = crate::types::Price(best(&book.bids).midpoint(best(&book.asks)));
    let size = Qty(view.position.qty.0.saturating_abs());
    let worth = spec.contract.value(mark, size, spec.scale).unwrap_or_default();
    let worth = if view.position.qty.0 < 0 { -worth } else { worth };
    let entry = amount(entry(spec, view));
    let kind = spec.contract.kind;
    let profit = Position { cost: worth, ..view.position }.tied_up(kind) - view.position.tied_up(kind);
    if spec.contract.is_inverse() {
        return json!({
            "symbol": spec.symbol.as_str(), "positionSide": "BOTH",
            "positionAmt": decimal(view.position.qty.0, spec.scale),
            "entryPrice": entry, "breakEvenPrice": entry, "markPrice": decimal(mark.0, spec.scale),
            "unRealizedProfit": amount(profit), "liquidationPrice": "0",
            "leverage": view.leverage.to_string(), "maxQty": "0", "marginType": "cross",
            "isolatedMargin": "0", "isAutoAddMargin": "false", "isolatedWallet": "0",
            "notionalValue": amount(worth), "updateTime": now_ms,
        });
    }
    json!({
        "symbol": spec.symbol.as_str(), "positionSide": "BOTH",
        "positionAmt": decimal(view.position.qty.0, spec.scale),
        "entryPrice": entry, "breakEvenPrice": entry, "markPrice": decimal(mark.0, spec.scale),
        "unRealizedProfit": amount(profit), "liquidationPrice": "0",
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
    let mut symbol = json!({
        "symbol": spec.symbol.as_str(), "pair": pair(spec), "contractType": "PERPETUAL",
        "baseAsset": spec.base.as_str(), "quoteAsset": spec.quote.as_str(),
        "marginAsset": spec.contract.settle.as_str(),
        "pricePrecision": 8, "quantityPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": number(spec.tick.0), "maxPrice": "4529764",
             "tickSize": number(spec.tick.0)},
            {"filterType": "LOT_SIZE", "minQty": number(spec.min_qty.0), "maxQty": number(max_qty),
             "stepSize": number(spec.lot.0)},
        ],
    });
    let status = if spec.open { "TRADING" } else { "PENDING_TRADING" };
    if spec.contract.is_inverse() {
        symbol["contractStatus"] = status.into();
        // A number, of whole units of the quote asset.
        symbol["contractSize"] = (spec.contract.multiplier / spec.scale.one()).into();
        return symbol;
    }
    symbol["status"] = status.into();
    if let Some(filters) = symbol["filters"].as_array_mut() {
        filters.push(json!({"filterType": "MIN_NOTIONAL", "notional": amount(spec.min_notional)}));
    }
    symbol
}

/// A fill-or-kill order that cannot fill.
pub fn fok_failed() -> Failure {
    let text = "Due to the order could not be filled immediately, the FOK order has been rejected. \
                The order will not be recorded in the order history.";
    Failure::bad(-5021, text)
}

/// Why the exchange refused, as a market of futures puts it.
pub fn refusal(market: Market, why: Refusal) -> Failure {
    let coinm = market == Market::CoinM;
    let (code, text) = match why {
        Refusal::BadAmend if coinm => (-4197, "No need to modify the order."),
        Refusal::Filter(SpecError::BelowMinNotional) if coinm => {
            (-4178, "Order's notional must be no smaller than one (unless you choose reduce only)")
        }
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
