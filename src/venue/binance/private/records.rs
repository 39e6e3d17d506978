//! The venue's private messages, field by field as it names them. Texts are borrowed from the
//! message; fields that are not used are not listed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a message on a private connection is, its parts still in their own text.
#[derive(Deserialize, Default)]
pub struct Envelope<'a> {
    /// The request's id; null and numbers pass too.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    /// As HTTP's.
    #[serde(default)]
    pub status: Option<u16>,
    /// The answer.
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
    /// Why there is none.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    /// An event of the account, or of the connection.
    #[serde(borrow, default)]
    pub event: Option<&'a RawValue>,
    /// How much of the limits is used.
    #[serde(borrow, default, rename = "rateLimits")]
    pub rate_limits: Option<&'a RawValue>,
}

/// What kind of event it is.
#[derive(Deserialize)]
pub struct Kind<'a> {
    #[serde(borrow)]
    pub e: Cow<'a, str>,
}

/// Something happened to an order. Decimals are texts.
#[derive(Deserialize)]
pub struct ExecutionReport<'a> {
    #[serde(borrow, rename = "s")]
    pub symbol: Cow<'a, str>,
    #[serde(borrow, rename = "c")]
    pub client: Cow<'a, str>,
    #[serde(borrow, rename = "C", default)]
    pub original: Cow<'a, str>,
    #[serde(borrow, rename = "S")]
    pub side: Cow<'a, str>,
    #[serde(borrow, rename = "x")]
    pub execution: Cow<'a, str>,
    #[serde(borrow, rename = "X")]
    pub status: Cow<'a, str>,
    #[serde(borrow, rename = "r", default)]
    pub reject: Cow<'a, str>,
    #[serde(rename = "i")]
    pub order: u64,
    #[serde(borrow, rename = "p")]
    pub price: Cow<'a, str>,
    #[serde(borrow, rename = "q")]
    pub qty: Cow<'a, str>,
    #[serde(borrow, rename = "l")]
    pub last_qty: Cow<'a, str>,
    #[serde(borrow, rename = "L")]
    pub last_price: Cow<'a, str>,
    #[serde(borrow, rename = "z")]
    pub filled: Cow<'a, str>,
    #[serde(borrow, rename = "n", default)]
    pub fee: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "N", default)]
    pub fee_asset: Option<Cow<'a, str>>,
    #[serde(rename = "t", default)]
    pub trade: i64,
    #[serde(rename = "T")]
    pub time: i64,
}

/// Balances that changed, absolute.
#[derive(Deserialize)]
pub struct AccountPosition<'a> {
    #[serde(borrow, rename = "B")]
    pub balances: Vec<PositionBalance<'a>>,
}

/// One balance, of an event or of the account.
#[derive(Deserialize)]
pub struct PositionBalance<'a> {
    #[serde(borrow, rename = "a", alias = "asset")]
    pub asset: Cow<'a, str>,
    #[serde(borrow, rename = "f", alias = "free")]
    pub free: Cow<'a, str>,
    #[serde(borrow, rename = "l", alias = "locked")]
    pub locked: Cow<'a, str>,
}

/// An order in an answer: of placing, cancelling, amending or asking.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAnswer<'a> {
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    pub order_id: u64,
    #[serde(borrow)]
    pub client_order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub orig_client_order_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub transact_time: i64,
    #[serde(borrow, default)]
    pub price: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "qty")]
    pub orig_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub executed_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub side: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub fills: Vec<Fill<'a>>,
}

/// A fill in the answer to a new order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fill<'a> {
    #[serde(borrow)]
    pub price: Cow<'a, str>,
    #[serde(borrow)]
    pub qty: Cow<'a, str>,
    #[serde(borrow)]
    pub commission: Cow<'a, str>,
    #[serde(borrow)]
    pub commission_asset: Cow<'a, str>,
    pub trade_id: i64,
}

/// An entry of the trade list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade<'a> {
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    pub id: i64,
    pub order_id: u64,
    #[serde(borrow)]
    pub price: Cow<'a, str>,
    #[serde(borrow)]
    pub qty: Cow<'a, str>,
    #[serde(borrow)]
    pub commission: Cow<'a, str>,
    #[serde(borrow)]
    pub commission_asset: Cow<'a, str>,
    pub time: i64,
    pub is_buyer: bool,
}
