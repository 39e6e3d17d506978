//! The exchange's views in the venue's words.
//!
//! Answers are trees; events, of which every order has several, are written as they stand, with the
//! fields in the venue's own order.

use std::fmt::{Display, Write};

use serde_json::{Value, json};

use crate::types::{
    Asset, InstrumentSpec, KeyRights, Kind, Level, Money, OrderState, Scale, Side, SpecError, Tif,
};
use crate::venue::{Balance, BookSnapshot, EndReason, FillView, OrderChange, OrderView, Refusal};

use super::Failure;

/// An object in JSON, written field by field.
pub struct Fields(String);

impl Fields {
    /// An event's first fields: its kind and the time at which it is told.
    pub fn event(kind: &str, now_ms: i64) -> Fields {
        // Enough for the longest event.
        let mut text = String::with_capacity(768);
        text.push('{');
        let mut fields = Fields(text);
        fields.text("e", kind).plain("E", now_ms);
        fields
    }

    /// An object within another.
    pub fn inner() -> Fields {
        Fields(String::from("{"))
    }

    fn name(&mut self, name: &str) {
        let first = if self.0.len() > 1 { ",\"" } else { "\"" };
        self.0.push_str(first);
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    /// A number or a flag.
    pub fn plain(&mut self, name: &str, value: impl Display) -> &mut Fields {
        self.name(name);
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{value}");
        self
    }

    /// JSON that was written before.
    pub fn json(&mut self, name: &str, value: &str) -> &mut Fields {
        self.name(name);
        self.0.push_str(value);
        self
    }

    /// A list of JSON that was written before.
    pub fn list(&mut self, name: &str, items: &[&str]) -> &mut Fields {
        self.name(name);
        for (at, item) in items.iter().enumerate() {
            self.0.push(if at == 0 { '[' } else { ',' });
            self.0.push_str(item);
        }
        self.0.push_str(if items.is_empty() { "[]" } else { "]" });
        self
    }

    /// A tree.
    pub fn tree(&mut self, name: &str, value: &Value) -> &mut Fields {
        // A tree of texts and numbers can always be written.
        self.json(name, &serde_json::to_string(value).unwrap_or_default())
    }

    /// A text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Fields {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if !value.bytes().all(is_plain) {
            return self.tree(name, &Value::from(value));
        }
        self.name(name);
        self.0.push('"');
        self.0.push_str(value);
        self.0.push('"');
        self
    }

    /// The object.
    pub fn end(&mut self) -> String {
        self.0.push('}');
        std::mem::take(&mut self.0)
    }
}

/// A scaled integer with all places of its scale: `0.01000000`.
pub fn decimal(value: i64, scale: Scale) -> String {
    let places = usize::from(scale.digits());
    // A sign, a point, and no more digits than a number or a scale has.
    let mut text = [b'0'; 64];
    let (mut at, mut rest, mut digits) = (text.len(), value.unsigned_abs(), 0);
    while rest > 0 || digits <= places {
        if digits == places && places > 0 {
            at -= 1;
            text[at] = b'.';
        }
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        (rest, digits) = (rest / 10, digits + 1);
    }
    if value < 0 {
        at -= 1;
        text[at] = b'-';
    }
    text[at..].iter().map(|&byte| char::from(byte)).collect()
}

/// An amount with at least eight places.
pub fn amount(value: Money) -> String {
    // Nearly all have no more, and a word holds them.
    if let Some(scaled) = value.floor_to_scaled(Scale::DEFAULT)
        && Money::from_scaled(scaled, Scale::DEFAULT) == value
    {
        return decimal(scaled, Scale::DEFAULT);
    }
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
) -> String {
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
    let (mut last, mut price, mut value) = (number(0), number(0), "0.00000000".to_owned());
    let (mut fee, mut fee_asset) = ("0".to_owned(), None);
    let (mut trade, mut at, mut maker) = (-1, view.updated, false);
    if let OrderChange::Trade(fill) = change {
        (last, price) = (number(fill.qty.0), number(fill.price.0));
        value = amount(Money::notional(fill.price, fill.qty, spec.scale).unwrap_or_default());
        (fee, fee_asset) = (amount(fill.fee), Some(fill.fee_asset));
        (trade, at, maker) = (fill.trade.cast_signed(), fill.at, fill.maker);
    }
    let mut event = Fields::event("executionReport", now_ms);
    event.text("s", spec.symbol.as_str()).text("c", &client);
    event.text("S", side(view.order.side)).text("o", kind(view.order.kind)).text("f", tif(view.order.tif));
    event.text("q", &number(view.order.qty.0)).text("p", &number(view.order.price.0));
    event.text("P", "0.00000000").text("F", "0.00000000").plain("g", -1).text("C", &original);
    event.text("x", execution).text("X", status(view)).text("r", "NONE").plain("i", view.id);
    event.text("l", &last).text("z", &number(view.filled.0)).text("L", &price).text("n", &fee);
    match &fee_asset {
        Some(asset) => event.text("N", asset.as_str()),
        None => event.json("N", "null"),
    };
    event.plain("T", at.millis()).plain("t", trade).plain("I", execution_id);
    event.plain("w", matches!(view.state, OrderState::Accepted | OrderState::PartFilled));
    event.plain("m", maker).plain("M", false).plain("O", view.created.millis());
    event.text("Z", &amount(view.filled_value)).text("Y", &value).text("Q", "0.00000000");
    event.plain("W", view.created.millis()).text("V", "EXPIRE_TAKER");
    match view.reason {
        Some(EndReason::Ioc) => event.text("eR", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        Some(EndReason::Fok) => event.text("eR", "UNFILLED_FOK_ORDER_EXPIRED"),
        _ => &mut event,
    };
    event.end()
}

/// `outboundAccountPosition` of one balance.
pub fn position(balance: &Balance, now_ms: i64) -> String {
    let mut own = Fields::inner();
    own.text("a", balance.asset.as_str()).text("f", &amount(balance.free)).text("l", &amount(balance.locked));
    let mut event = Fields::event("outboundAccountPosition", now_ms);
    event.plain("u", now_ms).list("B", &[&own.end()]);
    event.end()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_all_places_of_their_scale() {
        for (value, digits, want) in [
            (0, 8, "0.00000000"),
            (1_000_000, 8, "0.01000000"),
            (-1, 2, "-0.01"),
            (123_456, 3, "123.456"),
            (1_000, 0, "1000"),
            (0, 0, "0"),
            (i64::MAX, 12, "9223372.036854775807"),
            (i64::MIN, 1, "-922337203685477580.8"),
        ] {
            assert_eq!(decimal(value, Scale::new(digits).unwrap()), want);
        }
    }

    #[test]
    fn amounts_have_eight_places_and_more_where_they_need_them() {
        for (value, want) in [
            ("0", "0.00000000"),
            ("-1.5", "-1.50000000"),
            ("-0.00000001", "-0.00000001"),
            ("0.000000001", "0.000000001"),
            ("-2.1234567891", "-2.1234567891"),
            ("92233720368.54775807", "92233720368.54775807"),
            ("92233720368.54775808", "92233720368.54775808"),
            ("1000000000000", "1000000000000.00000000"),
        ] {
            assert_eq!(amount(Money::parse(value).unwrap()), want);
        }
    }

    #[test]
    fn what_is_written_field_by_field_is_json() {
        let mut inner = Fields::inner();
        let inner = inner.text("a", "b").end();
        let mut event = Fields::event("x", 7);
        event.text("plain", "Ω-1").text("odd", "a\"b\\c\n").plain("n", -1).plain("f", false);
        event.json("o", &inner).list("l", &[]).list("m", &[&inner, "1"]).tree("t", &json!([null]));
        let read: Value = serde_json::from_str(&event.end()).unwrap();
        let want = json!({
            "e": "x", "E": 7, "plain": "Ω-1", "odd": "a\"b\\c\n", "n": -1, "f": false, "o": {"a": "b"}, "l": [],
            "m": [{"a": "b"}, 1], "t": [null],
        });
        assert_eq!(read, want);
    }
}
