//! How the venue writes things down.

use super::super::Product;
use crate::types::{Fixed, InstrumentSpec, Kind, Money, OrderState, Price, Qty, Side, SpecError, Tif};
use crate::venue::kraken::json::quoted;
use crate::venue::{EndReason, FillView, OrderView, Refusal};

/// The venue's spelling of a number of its own: a UUID.
pub fn order_id(id: u64) -> String {
    format!("00000000-0000-4000-8000-{id:012x}")
}

/// The number in an order's id.
pub fn order_number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("00000000-0000-4000-8000-").filter(|rest| rest.len() == 12)?, 16)
        .ok()
}

/// The other side's order of a trade, which the exchange does not tell.
pub fn other_id(trade: u64) -> String {
    format!("ffffffff-0000-4000-8000-{trade:012x}")
}

/// A price of a product.
pub fn price(price: Price, spec: &InstrumentSpec) -> String {
    Fixed(price.0, spec.scale).to_string()
}

/// A quantity of a product.
pub fn qty(qty: Qty, spec: &InstrumentSpec) -> String {
    Fixed(qty.0, spec.scale).to_string()
}

/// The side as each product spells it.
pub fn side(side: Side, product: Product) -> &'static str {
    match (product, side) {
        (Product::Advanced, Side::Buy) => "BUY",
        (Product::Advanced, Side::Sell) => "SELL",
        (Product::Exchange, side) => side.name(),
    }
}

/// A share as a decimal.
pub fn rate(rate: crate::types::FeeRate) -> String {
    Fixed(rate.0, crate::types::Scale::DEFAULT).to_string()
}

/// The mean price of what is filled, cut at the product's scale.
pub fn average(view: &OrderView, spec: &InstrumentSpec) -> String {
    let filled = Money::from_scaled(view.filled.0, spec.scale).0 / i128::from(spec.scale.one());
    let mean = if filled == 0 { 0 } else { view.filled_value.0 / filled };
    Fixed(i64::try_from(mean).unwrap_or(0), spec.scale).to_string()
}

/// Advanced Trade's status of an order.
pub fn advanced_status(view: &OrderView) -> &'static str {
    match view.state {
        OrderState::Filled => "FILLED",
        OrderState::Cancelled | OrderState::Rejected => "CANCELLED",
        _ => "OPEN",
    }
}

/// An order as Advanced Trade's queries tell of it.
pub fn advanced_order(view: &OrderView, spec: &InstrumentSpec) -> String {
    let order = &view.order;
    let (size, limit) = (qty(order.qty, spec), price(order.price, spec));
    let configuration = match (order.kind, order.tif) {
        (Kind::Market, _) => format!("\"market_market_ioc\":{{\"base_size\":\"{size}\"}}"),
        (_, Tif::Ioc) => {
            format!("\"sor_limit_ioc\":{{\"base_size\":\"{size}\",\"limit_price\":\"{limit}\"}}")
        }
        (_, Tif::Fok) => {
            format!("\"limit_limit_fok\":{{\"base_size\":\"{size}\",\"limit_price\":\"{limit}\"}}")
        }
        (kind, Tif::Gtc) => format!(
            "\"limit_limit_gtc\":{{\"base_size\":\"{size}\",\"limit_price\":\"{limit}\",\"post_only\":{}}}",
            kind == Kind::PostOnly
        ),
    };
    format!(
        "{{\"order_id\":\"{}\",\"product_id\":{},\"user_id\":\"sim\",\"order_configuration\":{{{configuration}}},\"side\":\"{}\",\
         \"client_order_id\":{},\"status\":\"{}\",\"created_time\":\"{}\",\"filled_size\":\"{}\",\"average_filled_price\":\"{}\",\
         \"filled_value\":\"{}\"}}",
        order_id(view.id),
        quoted(spec.symbol.as_str()),
        side(order.side, Product::Advanced),
        quoted(&order.client),
        advanced_status(view),
        view.created.rfc3339(6),
        qty(view.filled, spec),
        average(view, spec),
        view.filled_value,
    )
}

/// An order as Advanced Trade's stream tells of it.
pub fn advanced_update(view: &OrderView, spec: &InstrumentSpec) -> String {
    let order = &view.order;
    let left = Qty(order.qty.0 - view.filled.0);
    format!(
        "{{\"order_id\":\"{}\",\"client_order_id\":{},\"status\":\"{}\",\"product_id\":{},\"order_side\":\"{}\",\"order_type\":\"Limit\",\
         \"limit_price\":\"{}\",\"cumulative_quantity\":\"{}\",\"leaves_quantity\":\"{}\",\"avg_price\":\"{}\",\"filled_value\":\"{}\",\
         \"cancel_reason\":\"{}\",\"creation_time\":\"{}\"}}",
        order_id(view.id),
        quoted(&order.client),
        advanced_status(view),
        quoted(spec.symbol.as_str()),
        side(order.side, Product::Advanced),
        price(order.price, spec),
        qty(view.filled, spec),
        qty(left, spec),
        average(view, spec),
        view.filled_value,
        view.reason.map_or("", reason),
        view.created.rfc3339(6),
    )
}

/// A fill as Advanced Trade tells of it.
pub fn advanced_fill(fill: &FillView, spec: &InstrumentSpec) -> String {
    let maker = if fill.maker { "MAKER" } else { "TAKER" };
    format!(
        "{{\"entry_id\":\"{}-{maker}\",\"trade_id\":\"{}\",\"order_id\":\"{}\",\"trade_time\":\"{time}\",\"trade_type\":\"FILL\",\
         \"price\":\"{}\",\"size\":\"{}\",\"commission\":\"{}\",\"product_id\":{},\"sequence_timestamp\":\"{time}\",\
         \"liquidity_indicator\":\"{maker}\",\"size_in_quote\":false,\"side\":\"{}\"}}",
        fill.trade,
        fill.trade,
        order_id(fill.order),
        price(fill.price, spec),
        qty(fill.qty, spec),
        fill.fee,
        quoted(spec.symbol.as_str()),
        side(fill.side, Product::Advanced),
        time = fill.at.rfc3339(9),
    )
}

/// An order as Exchange tells of it.
pub fn exchange_order(view: &OrderView, spec: &InstrumentSpec, pending: bool) -> String {
    let order = &view.order;
    let (status, done) = match view.state {
        _ if pending => ("pending", String::new()),
        OrderState::Filled => ("done", done("filled", view)),
        OrderState::Cancelled | OrderState::Rejected => ("done", done("canceled", view)),
        _ => ("open", String::new()),
    };
    let client = match order.client.is_empty() {
        true => String::new(),
        false => format!("\"client_oid\":{},", quoted(&order.client)),
    };
    let (filled, value) = match pending {
        true => ("0".to_owned(), "0".to_owned()),
        false => (qty(view.filled, spec), view.filled_value.to_string()),
    };
    format!(
        "{{\"id\":\"{}\",{client}\"price\":\"{}\",\"size\":\"{}\",\"product_id\":{},\"profile_id\":\"sim\",\"side\":\"{}\",\"type\":\"limit\",\
         \"time_in_force\":\"{}\",\"post_only\":{},\"created_at\":\"{}\",\"fill_fees\":\"0\",\"filled_size\":\"{filled}\",\"executed_value\":\"{value}\",\
         \"status\":\"{status}\"{done},\"settled\":{}}}",
        order_id(view.id),
        price(order.price, spec),
        qty(order.qty, spec),
        quoted(spec.symbol.as_str()),
        order.side.name(),
        match order.tif {
            Tif::Ioc => "IOC",
            Tif::Fok => "FOK",
            Tif::Gtc => "GTC",
        },
        order.kind == Kind::PostOnly,
        view.created.rfc3339(6),
        !pending && view.state.is_final(),
    )
}

fn done(reason: &str, view: &OrderView) -> String {
    format!(",\"done_at\":\"{}\",\"done_reason\":\"{reason}\"", view.updated.rfc3339(6))
}

/// A fill as Exchange tells of it.
pub fn exchange_fill(fill: &FillView, spec: &InstrumentSpec) -> String {
    format!(
        "{{\"created_at\":\"{}\",\"trade_id\":{},\"product_id\":{},\"order_id\":\"{}\",\"user_id\":\"sim\",\"profile_id\":\"sim\",\
         \"liquidity\":\"{}\",\"price\":\"{}\",\"size\":\"{}\",\"fee\":\"{}\",\"side\":\"{}\",\"settled\":true,\"usd_volume\":\"0\"}}",
        fill.at.rfc3339(6),
        fill.trade,
        quoted(spec.symbol.as_str()),
        order_id(fill.order),
        if fill.maker { "M" } else { "T" },
        price(fill.price, spec),
        qty(fill.qty, spec),
        fill.fee,
        fill.side.name(),
    )
}

/// Why an order ended, in Exchange's words.
pub fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Cancelled | EndReason::DeadMan => "",
        EndReason::Ioc | EndReason::Fok | EndReason::ReduceOnly => "101:Time In Force",
        EndReason::SelfTrade => "102:Self Trade Prevention",
    }
}

/// Advanced Trade's names for a refusal: the error, and the reason of the preview.
pub fn advanced_refusal(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::UnknownInstrument => ("INVALID_PRODUCT_ID", ""),
        Refusal::Halted => ("ORDER_ENTRY_DISABLED", ""),
        Refusal::Balance | Refusal::Margin => ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND"),
        Refusal::ReduceOnly | Refusal::Leverage => ("UNSUPPORTED_ORDER_CONFIGURATION", ""),
        Refusal::DuplicateClient => ("DUPLICATE_CLIENT_ORDER_ID", ""),
        Refusal::Filter(SpecError::OffTick | SpecError::PriceNotPositive) => ("INVALID_PRICE_PRECISION", ""),
        Refusal::Filter(SpecError::OffLot) => ("INVALID_SIZE_PRECISION", ""),
        Refusal::Filter(SpecError::AboveMaxQty | SpecError::Overflow) => {
            ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE")
        }
        Refusal::Filter(_) => ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
        Refusal::WouldTake => ("INVALID_LIMIT_PRICE_POST_ONLY", ""),
        Refusal::UnknownOrder => ("UNKNOWN_CANCEL_ORDER", ""),
        Refusal::BadAmend => ("CANNOT_EDIT_TO_BELOW_FILLED_SIZE", ""),
        Refusal::Random => ("COMMANDER_REJECTED_NEW_ORDER", ""),
    }
}

/// Exchange's words for a refusal.
pub fn exchange_refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownInstrument => "Invalid product_id",
        Refusal::Halted => "Cancel only mode",
        Refusal::Balance | Refusal::Margin => "Insufficient funds",
        Refusal::ReduceOnly | Refusal::Leverage => "Bad Request",
        Refusal::DuplicateClient => "client_oid is in use",
        Refusal::Filter(SpecError::OffTick) => "price is too precise",
        Refusal::Filter(SpecError::PriceNotPositive) => "price is too small",
        Refusal::Filter(SpecError::OffLot) => "size is too precise",
        Refusal::Filter(SpecError::BelowMinNotional) => "funds is too small",
        Refusal::Filter(SpecError::AboveMaxQty | SpecError::Overflow) => "size is too large",
        Refusal::Filter(_) => "size is too small",
        Refusal::WouldTake => "Post only mode",
        Refusal::UnknownOrder => "order not found",
        Refusal::BadAmend => "Bad Request",
        Refusal::Random => "Order rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Nanos;
    use crate::venue::coinbase::symbol;
    use crate::venue::{AccountId, NewOrder};

    #[test]
    fn ids_are_uuids() {
        assert_eq!(order_id(17), "00000000-0000-4000-8000-000000000011");
        assert_eq!(order_number(&order_id(17)), Some(17));
        assert_eq!(order_number("00000000-0000-4000-8000-11"), None);
        assert_eq!(order_number(&other_id(17)), None);
    }

    #[test]
    fn the_mean_price_is_cut_at_the_scale() {
        let product = br#"{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001"}"#;
        let spec = symbol::exchange(product).unwrap().remove(0);
        let order = NewOrder {
            instrument: 0,
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Gtc,
            price: Price(0),
            qty: Qty(300_000_000),
            reduce_only: false,
            client: String::new(),
        };
        let view = |filled, value: &str| OrderView {
            id: 1,
            account: AccountId(0),
            order: order.clone(),
            state: OrderState::PartFilled,
            filled: Qty(filled),
            filled_value: Money::parse(value).unwrap(),
            reason: None,
            created: Nanos::ZERO,
            updated: Nanos::ZERO,
            fills: Vec::new(),
        };
        for (filled, value, want) in
            [(0, "0", "0"), (300_000_000, "1", "0.33333333"), (50_000_000, "50.005", "100.01")]
        {
            assert_eq!(average(&view(filled, value), &spec), want);
        }
    }
}
