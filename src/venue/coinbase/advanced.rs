//! Advanced Trade's requests, and what its answers and its private stream say.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error;
use super::order::PREFIX;
use super::rows::{FillRow, OrderRow, Page, Specs, Terms, client, price, qty, side, time};
use crate::types::{
    Asset, Class, FeeRate, KeyRights, Nanos, OrderState, Qty, Report, Scale, Symbol, VenueRef,
};
use crate::venue::kraken::json::{Number, quoted};

/// Rows of a page.
const PAGE: usize = 250;

/// A request: method, path with query, body.
pub type Ask = (&'static str, String, String);

fn get(path: &str) -> Ask {
    ("GET", format!("{PREFIX}{path}"), String::new())
}

fn cursor(next: Option<&str>) -> String {
    next.map_or(String::new(), |next| format!("&cursor={}", escape(next)))
}

/// Percent-encodes what a query cannot hold.
fn escape(text: &str) -> String {
    crate::venue::binance::sign::percent_encode(text)
}

/// Cancels orders, by the venue's ids.
pub fn cancel(ids: &[VenueRef]) -> Ask {
    let ids: Vec<String> = ids.iter().map(|id| quoted(id.as_str())).collect();
    ("POST", format!("{PREFIX}/orders/batch_cancel"), format!("{{\"order_ids\":[{}]}}", ids.join(",")))
}

/// Changes an order: both numbers must be there.
pub fn edit(id: &VenueRef, price: &str, size: &str) -> Ask {
    let body = format!(
        "{{\"order_id\":{},\"price\":{},\"size\":{}}}",
        quoted(id.as_str()),
        quoted(price),
        quoted(size)
    );
    ("POST", format!("{PREFIX}/orders/edit"), body)
}

/// One order, by the venue's id.
pub fn order(id: &VenueRef) -> Ask {
    get(&format!("/orders/historical/{}", escape(id.as_str())))
}

/// Orders, the newest first: of a product, the open ones alone, or both.
pub fn orders(product: Option<&str>, open: bool, next: Option<&str>) -> Ask {
    let product = product.map_or(String::new(), |product| format!("&product_ids={}", escape(product)));
    let open = if open { "&order_status=OPEN" } else { "" };
    get(&format!("/orders/historical/batch?limit={PAGE}{open}{product}{}", cursor(next)))
}

/// Fills of a product since a time, the newest first.
pub fn fills(product: &str, since: Nanos, next: Option<&str>) -> Ask {
    let since = escape(&since.max(Nanos::ZERO).rfc3339(6));
    get(&format!(
        "/orders/historical/fills?product_ids={}&start_sequence_timestamp={since}&limit={PAGE}{}",
        escape(product),
        cursor(next)
    ))
}

/// Fills of an order.
pub fn fills_of(id: &VenueRef, next: Option<&str>) -> Ask {
    get(&format!("/orders/historical/fills?order_ids={}&limit={PAGE}{}", escape(id.as_str()), cursor(next)))
}

/// Balances.
pub fn accounts(next: Option<&str>) -> Ask {
    get(&format!("/accounts?limit={PAGE}{}", cursor(next)))
}

/// Fees.
pub fn fees() -> Ask {
    get("/transaction_summary?product_type=SPOT")
}

/// What the key may do.
pub fn rights() -> Ask {
    get("/key_permissions")
}

/// The venue's time.
pub fn server_time() -> Ask {
    get("/time")
}

/// Where an order stands by its status.
fn state(status: &str, filled: Qty) -> OrderState {
    match status {
        "PENDING" | "QUEUED" if filled == Qty::ZERO => OrderState::Sent,
        "PENDING" | "QUEUED" | "OPEN" | "CANCEL_QUEUED" | "EDIT_QUEUED" => {
            if filled > Qty::ZERO {
                OrderState::PartFilled
            } else {
                OrderState::Accepted
            }
        }
        "FILLED" => OrderState::Filled,
        "FAILED" if filled == Qty::ZERO => OrderState::Rejected,
        "CANCELLED" | "EXPIRED" | "FAILED" => OrderState::Cancelled,
        _ => OrderState::Unknown,
    }
}

#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow)]
    client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow, alias = "order_side")]
    side: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, alias = "cumulative_quantity")]
    filled_size: Option<Number<'a>>,
    #[serde(borrow)]
    leaves_quantity: Option<Number<'a>>,
    #[serde(borrow)]
    limit_price: Option<Number<'a>>,
    #[serde(borrow)]
    order_configuration: Option<BTreeMap<Cow<'a, str>, Configuration<'a>>>,
}

#[derive(Deserialize)]
struct Configuration<'a> {
    #[serde(borrow)]
    base_size: Option<Number<'a>>,
    #[serde(borrow)]
    limit_price: Option<Number<'a>>,
}

impl Order<'_> {
    fn row(&self, specs: &Specs) -> Option<OrderRow> {
        let terms = match specs.find(&self.product_id) {
            Some((place, spec)) => {
                let filled = qty(self.filled_size, spec)?;
                let configuration = self.order_configuration.as_ref().and_then(|all| all.values().next());
                let (size, limit) = match configuration {
                    Some(own) => (qty(own.base_size, spec)?, own.limit_price),
                    // The stream tells what is left, and only that.
                    None => {
                        (Qty(filled.0.checked_add(qty(self.leaves_quantity, spec)?.0)?), self.limit_price)
                    }
                };
                Some(Terms {
                    place,
                    side: side(&self.side)?,
                    state: state(&self.status, filled),
                    price: price(limit, spec)?,
                    qty: size,
                    filled,
                })
            }
            None => None,
        };
        let id = VenueRef::new(&self.order_id)?;
        Some(OrderRow { id, client: client(self.client_order_id.as_deref()), terms })
    }
}

/// An order's own answer.
pub fn read_order(body: &[u8], specs: &Specs) -> Option<OrderRow> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        order: Order<'a>,
    }
    serde_json::from_slice::<Answer>(body).ok()?.order.row(specs)
}

/// A list of orders.
pub fn read_orders(body: &[u8], specs: &Specs) -> Option<Page<OrderRow>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        orders: Vec<Order<'a>>,
        #[serde(default)]
        has_next: bool,
        cursor: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let rows = answer.orders.iter().map(|order| order.row(specs)).collect::<Option<_>>()?;
    Some(Page { rows, next: answer.cursor.filter(|next| answer.has_next && !next.is_empty()) })
}

/// A list of fills. Fills of other products are left out.
pub fn read_fills(body: &[u8], specs: &Specs) -> Option<Page<FillRow>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        fills: Vec<Fill<'a>>,
        cursor: Option<String>,
    }
    #[derive(Deserialize)]
    struct Fill<'a> {
        #[serde(borrow)]
        trade_id: Cow<'a, str>,
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        trade_time: Cow<'a, str>,
        #[serde(borrow)]
        trade_type: Option<Cow<'a, str>>,
        #[serde(borrow)]
        price: Number<'a>,
        #[serde(borrow)]
        size: Number<'a>,
        #[serde(borrow)]
        commission: Number<'a>,
        #[serde(borrow)]
        product_id: Cow<'a, str>,
        #[serde(borrow)]
        liquidity_indicator: Option<Cow<'a, str>>,
        #[serde(default)]
        size_in_quote: bool,
        #[serde(borrow)]
        side: Cow<'a, str>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let full = answer.fills.len() >= PAGE;
    let mut rows = Vec::with_capacity(answer.fills.len());
    for fill in &answer.fills {
        let Some((place, spec)) = specs.find(&fill.product_id) else { continue };
        // A reversal or a correction is nothing that an order's own fills can hold, and a size in
        // the quote asset no quantity.
        if fill.size_in_quote || fill.trade_type.as_deref().is_some_and(|kind| kind != "FILL") {
            return None;
        }
        rows.push(FillRow {
            order: VenueRef::new(&fill.order_id)?,
            trade: VenueRef::new(&fill.trade_id)?,
            place,
            side: side(&fill.side)?,
            price: fill.price.price(spec.scale)?,
            qty: fill.size.qty(spec.scale)?,
            fee: fill.commission.money()?,
            maker: fill.liquidity_indicator.as_deref() == Some("MAKER"),
            at: time(Some(&fill.trade_time))?,
        });
    }
    Some(Page { rows, next: answer.cursor.filter(|next| full && !next.is_empty()) })
}

/// Balances.
pub fn read_accounts(body: &[u8]) -> Option<Page<Report>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        accounts: Vec<Account<'a>>,
        #[serde(default)]
        has_next: bool,
        cursor: Option<String>,
    }
    #[derive(Deserialize)]
    struct Account<'a> {
        #[serde(borrow)]
        currency: Cow<'a, str>,
        #[serde(borrow)]
        available_balance: Amount<'a>,
        #[serde(borrow)]
        hold: Option<Amount<'a>>,
    }
    #[derive(Deserialize)]
    struct Amount<'a> {
        #[serde(borrow)]
        value: Number<'a>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let mut rows = Vec::with_capacity(answer.accounts.len());
    for account in &answer.accounts {
        let Some(asset) = Asset::new(&account.currency) else { continue };
        let locked = match &account.hold {
            Some(hold) => Some(hold.value.money()?),
            None => None,
        };
        rows.push(Report::Balance { asset, free: account.available_balance.value.money()?, locked });
    }
    Some(Page { rows, next: answer.cursor.filter(|next| answer.has_next && !next.is_empty()) })
}

/// A share in units of 1e-8.
pub fn rate(number: Number<'_>) -> Option<FeeRate> {
    number.scaled(Scale::DEFAULT).map(FeeRate)
}

/// Fees of the account, the same for every product of its kind.
pub fn read_fees(body: &[u8], symbol: Symbol) -> Option<Report> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        fee_tier: Tier<'a>,
    }
    #[derive(Deserialize)]
    struct Tier<'a> {
        #[serde(borrow)]
        taker_fee_rate: Number<'a>,
        #[serde(borrow)]
        maker_fee_rate: Number<'a>,
    }
    let tier = serde_json::from_slice::<Answer>(body).ok()?.fee_tier;
    Some(Report::Fees { symbol, taker: rate(tier.taker_fee_rate)?, maker: rate(tier.maker_fee_rate)? })
}

/// What the key may do. Transfers include withdrawals; the venue tells nothing of addresses.
pub fn read_rights(body: &[u8]) -> Option<KeyRights> {
    #[derive(Deserialize)]
    struct Answer {
        can_view: bool,
        can_trade: bool,
        can_transfer: bool,
        #[serde(default)]
        can_receive: bool,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    Some(KeyRights {
        read: Some(answer.can_view),
        trade: Some(answer.can_trade),
        withdraw: Some(answer.can_transfer),
        transfer: Some(answer.can_transfer),
        excess: if answer.can_receive { vec!["can_receive".to_owned()] } else { Vec::new() },
        ..KeyRights::default()
    })
}

/// The venue's time.
pub fn read_time(body: &[u8]) -> Option<Nanos> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, rename = "epochMillis")]
        millis: Option<Number<'a>>,
        #[serde(borrow)]
        iso: Option<Cow<'a, str>>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let millis = answer.millis.and_then(|millis| i64::try_from(millis.count()?).ok()).map(Nanos::from_millis);
    millis.or_else(|| time(answer.iso.as_deref()))
}

/// The answer to a new order: its id, or why there is none.
pub fn read_placed(body: &[u8]) -> Option<Result<VenueRef, (Class, String)>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        success: bool,
        #[serde(borrow)]
        success_response: Option<Placed<'a>>,
        #[serde(borrow)]
        order_id: Option<Cow<'a, str>>,
        #[serde(borrow)]
        error_response: Option<Refused<'a>>,
    }
    #[derive(Deserialize)]
    struct Placed<'a> {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Refused<'a> {
        #[serde(borrow)]
        error: Option<Cow<'a, str>>,
        #[serde(borrow)]
        message: Option<Cow<'a, str>>,
        #[serde(borrow)]
        preview_failure_reason: Option<Cow<'a, str>>,
        #[serde(borrow)]
        new_order_failure_reason: Option<Cow<'a, str>>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.success {
        let id = answer.success_response.map(|placed| placed.order_id).or(answer.order_id)?;
        return Some(Ok(VenueRef::new(&id)?));
    }
    let refused = answer.error_response?;
    let reasons = [&refused.error, &refused.new_order_failure_reason, &refused.preview_failure_reason];
    let known = reasons.into_iter().flatten().find(|name| !name.is_empty() && !name.starts_with("UNKNOWN"));
    let name = known.map_or("UNKNOWN_FAILURE_REASON", |name| name);
    let class = error::classify_name(name, refused.message.as_deref().unwrap_or(""));
    Some(Err((class, name.to_owned())))
}

/// The answer to cancels: each order's id, and why it was refused where it was.
pub fn read_cancels(body: &[u8]) -> Option<Vec<(VenueRef, Option<String>)>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        results: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        success: bool,
        #[serde(borrow)]
        failure_reason: Option<Cow<'a, str>>,
        #[serde(borrow)]
        order_id: Cow<'a, str>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let row = |row: &Row<'_>| {
        let why = row.failure_reason.as_deref().unwrap_or("UNKNOWN_CANCEL_FAILURE_REASON");
        Some((VenueRef::new(&row.order_id)?, (!row.success).then(|| why.to_owned())))
    };
    answer.results.iter().map(row).collect()
}

/// The answer to a change: nothing, or why it was refused.
pub fn read_edit(body: &[u8]) -> Option<Result<(), String>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        success: bool,
        #[serde(borrow, default)]
        errors: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        edit_failure_reason: Option<Cow<'a, str>>,
        #[serde(borrow)]
        preview_failure_reason: Option<Cow<'a, str>>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.success {
        return Some(Ok(()));
    }
    let reasons =
        answer.errors.iter().flat_map(|row| [&row.edit_failure_reason, &row.preview_failure_reason]);
    Some(Err(reasons.flatten().next().map_or("UNKNOWN_EDIT_FAILURE_REASON", |why| why).to_owned()))
}

/// A message of the private connection.
pub struct UserMessage {
    /// Its number on the connection.
    pub sequence: Option<u64>,
    /// What it says.
    pub news: UserNews,
}

/// What a message of the private connection says.
pub enum UserNews {
    /// Orders as they stand; `true` for those of the beginning. Of one that cannot be read the id is
    /// left, where it can.
    Orders(Vec<(bool, Result<OrderRow, Option<VenueRef>>)>),
    /// The subscriptions in force, the one to the account's orders among them or not.
    Subscriptions {
        /// It is among them.
        user: bool,
    },
    /// Something was refused.
    Error(String),
    /// Anything else.
    Other,
}

/// Reads a message of the private connection. The venue says that fields may be missing.
pub fn read_user(text: &[u8], specs: &Specs) -> Option<UserMessage> {
    use serde_json::value::RawValue;
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        channel: Option<Cow<'a, str>>,
        sequence_num: Option<u64>,
        #[serde(borrow, default)]
        events: Option<Vec<&'a RawValue>>,
        #[serde(borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
        #[serde(borrow)]
        message: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow, default)]
        orders: Option<Vec<&'a RawValue>>,
    }
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct InForce<'a> {
        #[serde(borrow)]
        subscriptions: BTreeMap<Cow<'a, str>, &'a RawValue>,
    }
    let message: Message = serde_json::from_slice(text).ok()?;
    let events = message.events.unwrap_or_default();
    let news = match message.channel.as_deref() {
        Some("user") => {
            let mut rows = Vec::new();
            for event in events {
                let event: Event = serde_json::from_str(event.get()).ok()?;
                let snapshot = event.kind == "snapshot";
                for order in event.orders.unwrap_or_default() {
                    let row = serde_json::from_str::<Order>(order.get()).ok();
                    let id = || {
                        serde_json::from_str::<Id>(order.get())
                            .ok()
                            .and_then(|id| VenueRef::new(&id.order_id))
                    };
                    rows.push((snapshot, row.and_then(|order| order.row(specs)).ok_or_else(id)));
                }
            }
            UserNews::Orders(rows)
        }
        Some("subscriptions") => {
            let event = events.first().and_then(|event| serde_json::from_str::<InForce>(event.get()).ok())?;
            UserNews::Subscriptions { user: event.subscriptions.contains_key("user") }
        }
        Some(_) => UserNews::Other,
        None if message.kind.as_deref() == Some("error") => {
            UserNews::Error(message.message.map_or(String::new(), Cow::into_owned))
        }
        None => return None,
    };
    Some(UserMessage { sequence: message.sequence_num, news })
}
