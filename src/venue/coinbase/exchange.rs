//! Exchange's requests, and what its answers and its private stream say.

use serde::Deserialize;
use std::borrow::Cow;

use super::advanced::{Ask, rate};
use super::rows::{FillRow, Loose, OrderRow, Page, Specs, Terms, client, price, qty, side, time};
use crate::types::{Asset, ClientId, FeeRate, Nanos, OrderState, Qty, Report, Scale, Symbol, VenueRef};
use crate::venue::binance::sign::percent_encode as escape;
use crate::venue::kraken::json::Number;

/// Rows of a page.
const PAGE: usize = 1_000;

fn get(target: String) -> Ask {
    ("GET", target, String::new())
}

fn after(next: Option<&str>) -> String {
    next.map_or(String::new(), |next| format!("&after={}", escape(next)))
}

/// How a request names an order: by the venue's id, or by ours.
fn name(id: Option<&VenueRef>, client: ClientId) -> String {
    match id {
        Some(id) => escape(id.as_str()),
        None => format!("client:{}", super::order::uuid(client)),
    }
}

/// Cancels an order. With its product the venue finds it sooner.
pub fn cancel(id: Option<&VenueRef>, client: ClientId, product: &str) -> Ask {
    ("DELETE", format!("/orders/{}?product_id={}", name(id, client), escape(product)), String::new())
}

/// Cancels all orders of a product, as far as one request goes.
pub fn cancel_all(product: &str) -> Ask {
    ("DELETE", format!("/orders?product_id={}", escape(product)), String::new())
}

/// One order.
pub fn order(id: Option<&VenueRef>, client: ClientId) -> Ask {
    get(format!("/orders/{}", name(id, client)))
}

/// All open orders.
pub fn open_orders(next: Option<&str>) -> Ask {
    get(format!("/orders?status=open&status=pending&status=active&limit={PAGE}{}", after(next)))
}

/// Fills of a product, the newest first.
pub fn fills(product: &str, next: Option<&str>) -> Ask {
    get(format!("/fills?product_id={}&limit={PAGE}{}", escape(product), after(next)))
}

/// Fills of an order.
pub fn fills_of(id: &VenueRef, next: Option<&str>) -> Ask {
    get(format!("/fills?order_id={}&limit={PAGE}{}", escape(id.as_str()), after(next)))
}

/// Balances.
pub fn accounts() -> Ask {
    get("/accounts".to_owned())
}

/// Fees.
pub fn fees() -> Ask {
    get("/fees".to_owned())
}

/// The venue's time.
pub fn server_time() -> Ask {
    get("/time".to_owned())
}

#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    client_oid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    done_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<Number<'a>>,
    #[serde(borrow)]
    size: Option<Number<'a>>,
    #[serde(borrow)]
    filled_size: Option<Number<'a>>,
}

impl Order<'_> {
    fn row(&self, specs: &Specs) -> Option<OrderRow> {
        let terms = match specs.find(&self.product_id) {
            Some((place, spec)) => {
                let filled = qty(self.filled_size, spec)?;
                Some(Terms {
                    place,
                    side: side(&self.side)?,
                    state: self.state(filled),
                    price: price(self.price, spec)?,
                    qty: qty(self.size, spec)?,
                    filled,
                })
            }
            None => None,
        };
        Some(OrderRow { id: VenueRef::new(&self.id)?, client: client(self.client_oid.as_deref()), terms })
    }

    /// `pending` is the gateway's word: the matching has not looked at the order yet.
    fn state(&self, filled: Qty) -> OrderState {
        match &*self.status {
            "pending" | "received" if filled == Qty::ZERO => OrderState::Sent,
            "pending" | "received" | "open" | "active" => {
                if filled > Qty::ZERO {
                    OrderState::PartFilled
                } else {
                    OrderState::Accepted
                }
            }
            "rejected" if filled == Qty::ZERO => OrderState::Rejected,
            "done" | "settled" if self.done_reason.as_deref() == Some("filled") => OrderState::Filled,
            "done" | "settled" | "rejected" => OrderState::Cancelled,
            _ => OrderState::Unknown,
        }
    }
}

/// An order's own answer, or the answer to a new order.
pub fn read_order(body: &[u8], specs: &Specs) -> Option<OrderRow> {
    serde_json::from_slice::<Order>(body).ok()?.row(specs)
}

/// A list of orders, with the header that names the next page.
pub fn read_orders(body: &[u8], next: Option<&str>, specs: &Specs) -> Option<Page<OrderRow>> {
    let list: Vec<Order> = serde_json::from_slice(body).ok()?;
    let rows = list.iter().map(|order| order.row(specs)).collect::<Option<Vec<_>>>()?;
    let next = next.filter(|_| rows.len() >= PAGE).map(str::to_owned);
    Some(Page { rows, next })
}

/// A list of fills, with the header that names the next page. Fills of other products are left out.
pub fn read_fills(body: &[u8], next: Option<&str>, specs: &Specs) -> Option<Page<FillRow>> {
    #[derive(Deserialize)]
    struct Fill<'a> {
        #[serde(borrow)]
        trade_id: Loose<'a>,
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        product_id: Cow<'a, str>,
        #[serde(borrow)]
        created_at: Cow<'a, str>,
        #[serde(borrow)]
        liquidity: Option<Cow<'a, str>>,
        #[serde(borrow)]
        price: Number<'a>,
        #[serde(borrow)]
        size: Number<'a>,
        #[serde(borrow)]
        fee: Number<'a>,
        #[serde(borrow)]
        side: Cow<'a, str>,
    }
    let list: Vec<Fill> = serde_json::from_slice(body).ok()?;
    let mut rows = Vec::with_capacity(list.len());
    for fill in &list {
        let Some((place, spec)) = specs.find(&fill.product_id) else { continue };
        rows.push(FillRow {
            order: VenueRef::new(&fill.order_id)?,
            trade: fill.trade_id.reference()?,
            place,
            side: side(&fill.side)?,
            price: fill.price.price(spec.scale)?,
            qty: fill.size.qty(spec.scale)?,
            fee: fill.fee.money()?,
            maker: fill.liquidity.as_deref() == Some("M"),
            at: time(Some(&fill.created_at))?,
        });
    }
    let next = next.filter(|_| list.len() >= PAGE).map(str::to_owned);
    Some(Page { rows, next })
}

/// Balances.
pub fn read_accounts(body: &[u8]) -> Option<Page<Report>> {
    #[derive(Deserialize)]
    struct Account<'a> {
        #[serde(borrow)]
        currency: Cow<'a, str>,
        #[serde(borrow)]
        available: Number<'a>,
        #[serde(borrow)]
        hold: Number<'a>,
    }
    let list: Vec<Account> = serde_json::from_slice(body).ok()?;
    let mut rows = Vec::with_capacity(list.len());
    for account in &list {
        let Some(asset) = Asset::new(&account.currency) else { continue };
        let (free, locked) = (account.available.money()?, Some(account.hold.money()?));
        rows.push(Report::Balance { asset, free, locked });
    }
    Some(Page { rows, next: None })
}

/// Fees of the account, the same for every product.
pub fn read_fees(body: &[u8], symbol: Symbol) -> Option<Report> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        taker_fee_rate: Number<'a>,
        #[serde(borrow)]
        maker_fee_rate: Number<'a>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    Some(Report::Fees { symbol, taker: rate(answer.taker_fee_rate)?, maker: rate(answer.maker_fee_rate)? })
}

/// The venue's time.
pub fn read_time(body: &[u8]) -> Option<Nanos> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        iso: Option<Cow<'a, str>>,
        #[serde(borrow)]
        epoch: Option<Number<'a>>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    time(answer.iso.as_deref()).or_else(|| answer.epoch?.scaled(Scale::new(9)?).map(Nanos))
}

/// How many orders an answer says were cancelled.
pub fn read_cancelled(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(body).ok().map(|list| list.len() as u64)
}

/// A message of the private stream.
#[derive(Deserialize)]
pub struct UserMessage<'a> {
    /// What it is.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The product.
    #[serde(borrow)]
    pub product_id: Option<Cow<'a, str>>,
    /// The order (all but matches).
    #[serde(borrow)]
    pub order_id: Option<Cow<'a, str>>,
    /// Our id, when it was received.
    #[serde(borrow)]
    pub client_oid: Option<Cow<'a, str>>,
    /// The order's side; in a match the resting order's.
    #[serde(borrow)]
    pub side: Option<Cow<'a, str>>,
    /// Its limit, or the price of the match.
    #[serde(borrow)]
    pub price: Option<Number<'a>>,
    /// Its size when it was received, or that of the match.
    #[serde(borrow)]
    pub size: Option<Number<'a>>,
    /// What is left of it.
    #[serde(borrow)]
    pub remaining_size: Option<Number<'a>>,
    /// What is left of it after a change.
    #[serde(borrow)]
    pub new_size: Option<Number<'a>>,
    /// Its limit after a change.
    #[serde(borrow)]
    pub new_price: Option<Number<'a>>,
    /// Why it is done.
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    /// Why it was cancelled, `103:Admin`.
    #[serde(borrow)]
    pub cancel_reason: Option<Cow<'a, str>>,
    /// The trade.
    #[serde(borrow)]
    pub trade_id: Option<Loose<'a>>,
    /// The resting order.
    #[serde(borrow)]
    pub maker_order_id: Option<Cow<'a, str>>,
    /// The order that took.
    #[serde(borrow)]
    pub taker_order_id: Option<Cow<'a, str>>,
    /// Told to the maker.
    #[serde(borrow)]
    pub maker_fee_rate: Option<Number<'a>>,
    /// Told to the taker.
    #[serde(borrow)]
    pub taker_fee_rate: Option<Number<'a>>,
    /// When.
    #[serde(borrow)]
    pub time: Option<Cow<'a, str>>,
    /// What an error says.
    #[serde(borrow)]
    pub message: Option<Cow<'a, str>>,
    /// The subscriptions in force.
    #[serde(borrow)]
    pub channels: Option<Vec<Channel<'a>>>,
}

/// A subscription.
#[derive(Deserialize)]
pub struct Channel<'a> {
    /// Its channel.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

impl UserMessage<'_> {
    /// The share that the fee of a match is.
    pub fn rate(&self, maker: bool) -> Option<FeeRate> {
        rate(if maker { self.maker_fee_rate } else { self.taker_fee_rate }?)
    }
}
