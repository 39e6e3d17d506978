//! How the venue writes things down.

use std::fmt::Write;

use super::super::json::quoted;
use crate::types::{InstrumentSpec, Level, Nanos, OrderState, Price, Qty, Scale, SpecError, Tif};
use crate::venue::{EndReason, FillView, OrderView, Refusal};

/// A decimal with a fixed number of places; more where fewer would not be exact.
pub fn fixed(value: i64, scale: Scale, digits: u8) -> String {
    let mut text = crate::types::Fixed(value, scale).to_string();
    let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let missing = usize::from(digits).saturating_sub(places);
    if missing > 0 {
        if places == 0 {
            text.push('.');
        }
        text.extend(std::iter::repeat_n('0', missing));
    }
    text
}

/// A price of a pair.
pub fn price(price: Price, spec: &InstrumentSpec) -> String {
    fixed(price.0, spec.scale, spec.price_digits)
}

/// A quantity of a pair.
pub fn qty(qty: Qty, spec: &InstrumentSpec) -> String {
    fixed(qty.0, spec.scale, spec.qty_digits)
}

/// Levels as a JSON list.
pub fn levels(levels: &[Level], spec: &InstrumentSpec) -> String {
    let rows: Vec<String> = levels
        .iter()
        .map(|level| format!("{{\"price\":{},\"qty\":{}}}", price(level.price, spec), qty(level.qty, spec)))
        .collect();
    format!("[{}]", rows.join(","))
}

/// A time in microseconds.
pub fn time(at: Nanos) -> String {
    at.rfc3339(6)
}

/// Seconds since the epoch with four decimals, as REST has it.
pub fn seconds(at: Nanos) -> String {
    format!("{}.{:04}", at.0.div_euclid(1_000_000_000), at.0.rem_euclid(1_000_000_000) / 100_000)
}

/// The venue's spelling of an order's number, `O` and sixteen digits in three groups.
pub fn order_id(id: u64) -> String {
    grouped('O', id)
}

/// The venue's spelling of one side of a trade.
pub fn trade_id(fill: &FillView) -> String {
    // Both orders of a trade have an entry of their own.
    grouped('T', fill.trade.wrapping_mul(2).wrapping_add(u64::from(fill.maker)))
}

fn grouped(letter: char, id: u64) -> String {
    let digits = format!("{id:016}");
    let (head, tail) = digits.split_at(digits.len() - 11);
    format!("{letter}{head}-{}-{}", &tail[..5], &tail[5..])
}

/// The number in an order's id.
pub fn order_number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('O')?.replace('-', "");
    digits.parse().ok()
}

/// Why an order ended, in the stream's words.
pub fn reason(reason: Option<EndReason>) -> &'static str {
    match reason {
        Some(EndReason::Cancelled) | None => "User requested",
        Some(EndReason::Ioc) => "Immediate-or-cancel remainder",
        Some(EndReason::Fok) => "Fill-or-kill could not be filled",
        Some(EndReason::SelfTrade) => "Self trade prevention",
        Some(EndReason::DeadMan) => "Cancel all orders timeout",
        Some(EndReason::ReduceOnly) => "Reduce only order closed",
    }
}

/// An order's lifetime.
pub fn tif(tif: Tif) -> &'static str {
    match tif {
        Tif::Ioc => "ioc",
        Tif::Fok => "fok",
        Tif::Gtc => "gtc",
    }
}

/// An order's status on the stream.
pub fn stream_status(state: OrderState) -> &'static str {
    match state {
        OrderState::PartFilled => "partially_filled",
        OrderState::Filled => "filled",
        OrderState::Cancelled | OrderState::Rejected => "canceled",
        _ => "new",
    }
}

/// An order's status in answers of REST.
pub fn rest_status(state: OrderState) -> &'static str {
    match state {
        OrderState::Filled => "closed",
        OrderState::Cancelled | OrderState::Rejected => "canceled",
        _ => "open",
    }
}

/// The venue's words for a refusal.
pub fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownInstrument => "EQuery:Unknown asset pair",
        Refusal::Halted => "EService:Market in cancel_only mode",
        Refusal::Balance => "EOrder:Insufficient funds",
        Refusal::Margin => "EOrder:Insufficient initial margin",
        Refusal::ReduceOnly => "EOrder:Reduce only:No position exists",
        Refusal::Leverage => "EGeneral:Invalid arguments:leverage",
        Refusal::DuplicateClient => "EGeneral:Invalid arguments:cl_ord_id",
        Refusal::Filter(SpecError::OffTick) => "EOrder:Tick size check failed",
        Refusal::Filter(SpecError::PriceNotPositive) => "EOrder:Invalid price",
        Refusal::Filter(SpecError::BelowMinQty) => "EOrder:Order minimum not met",
        Refusal::Filter(SpecError::BelowMinNotional) => "EOrder:Cost minimum not met",
        Refusal::Filter(_) => "EGeneral:Invalid arguments:volume",
        Refusal::WouldTake => "EOrder:Post only order",
        Refusal::UnknownOrder => "EOrder:Unknown order",
        Refusal::BadAmend => "EGeneral:Invalid arguments:order_qty",
        Refusal::Random => "EOrder:Orders limit exceeded",
    }
}

/// An order as REST tells of it, behind its id.
pub fn order_record(view: &OrderView, spec: &InstrumentSpec, pair: &str) -> String {
    let order = &view.order;
    let mut text = format!(
        "{{\"refid\":null,\"userref\":0,\"cl_ord_id\":{},\"status\":\"{}\",\"opentm\":{},\"starttm\":0,\"expiretm\":0,\
         \"descr\":{{\"pair\":\"{pair}\",\"type\":\"{}\",\"ordertype\":\"limit\",\"price\":\"{}\",\"price2\":\"0\",\"leverage\":\"none\"}},\
         \"vol\":\"{}\",\"vol_exec\":\"{}\",\"cost\":\"{}\",\"oflags\":\"fciq\"",
        if order.client.is_empty() { "null".to_owned() } else { quoted(&order.client) },
        rest_status(view.state),
        seconds(view.created),
        order.side.name(),
        price(order.price, spec),
        qty(order.qty, spec),
        qty(view.filled, spec),
        view.filled_value,
    );
    if view.state.is_final() {
        let _ = write!(text, ",\"closetm\":{},\"reason\":", seconds(view.updated));
        let reason = view.reason.map_or("null".to_owned(), |why| quoted(reason(Some(why))));
        text.push_str(&reason);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_are_in_the_venue_s_shape() {
        assert_eq!(order_id(17), "O00000-00000-000017");
        assert_eq!(order_number(&order_id(17)), Some(17));
        assert_eq!(order_number(&order_id(u64::MAX)), Some(u64::MAX));
        assert_eq!(order_number("OÜ-1"), None);
        assert_eq!(fixed(3_000_000_000_000, Scale::DEFAULT, 1), "30000.0");
        assert_eq!(fixed(1, Scale::DEFAULT, 1), "0.00000001");
        assert_eq!(seconds(Nanos(1_785_060_000_123_456_789)), "1785060000.1234");
    }
}
