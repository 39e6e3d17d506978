//! The venue's private messages, field by field as it names them. Texts are borrowed from the
//! message; fields that are not used are not listed. Numbers are texts, and empty ones mean none.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a message on a session is, its parts still in their own text: an answer of the order
/// session (`retCode`), one of the private stream (`success`), or news (`topic`).
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Envelope<'a> {
    #[serde(borrow)]
    pub topic: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub op: Option<Cow<'a, str>>,
    pub success: Option<bool>,
    #[serde(borrow)]
    pub ret_msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub req_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "reqId")]
    pub request: Option<Cow<'a, str>>,
    #[serde(rename = "retCode")]
    pub code: Option<i64>,
    #[serde(borrow, rename = "retMsg")]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub header: Option<&'a RawValue>,
}

/// The limits in an answer's header.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Limits<'a> {
    #[serde(borrow, rename = "X-Bapi-Limit")]
    pub cap: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "X-Bapi-Limit-Status")]
    pub left: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "X-Bapi-Limit-Reset-Timestamp")]
    pub reset: Option<Cow<'a, str>>,
}

/// An HTTP answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply<'a> {
    pub ret_code: i64,
    #[serde(borrow, default)]
    pub ret_msg: Cow<'a, str>,
    #[serde(borrow, default)]
    pub result: Option<&'a RawValue>,
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<'a> {
    #[serde(borrow)]
    pub list: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub next_page_cursor: Option<Cow<'a, str>>,
}

/// Which order an acknowledgement is about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed<'a> {
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(borrow)]
    pub order_link_id: Cow<'a, str>,
}

/// An order, in an event or in an answer; answers do not name the market.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order<'a> {
    #[serde(borrow, default)]
    pub category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub order_link_id: Cow<'a, str>,
    #[serde(borrow)]
    pub side: Cow<'a, str>,
    #[serde(borrow)]
    pub order_status: Cow<'a, str>,
    #[serde(borrow, default)]
    pub reject_reason: Cow<'a, str>,
    #[serde(borrow)]
    pub price: Cow<'a, str>,
    #[serde(borrow)]
    pub qty: Cow<'a, str>,
    #[serde(borrow)]
    pub cum_exec_qty: Cow<'a, str>,
    #[serde(borrow, default)]
    pub updated_time: Cow<'a, str>,
}

/// A fill, or something else that moves a position.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution<'a> {
    #[serde(borrow, default)]
    pub category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub order_link_id: Cow<'a, str>,
    #[serde(borrow)]
    pub side: Cow<'a, str>,
    #[serde(borrow)]
    pub exec_id: Cow<'a, str>,
    #[serde(borrow)]
    pub exec_type: Cow<'a, str>,
    #[serde(borrow)]
    pub exec_price: Cow<'a, str>,
    #[serde(borrow)]
    pub exec_qty: Cow<'a, str>,
    #[serde(borrow, default)]
    pub exec_fee: Cow<'a, str>,
    #[serde(borrow, default)]
    pub fee_currency: Cow<'a, str>,
    #[serde(borrow)]
    pub exec_time: Cow<'a, str>,
}

/// A wallet, of an event or of the account.
#[derive(Deserialize)]
pub struct Wallet<'a> {
    #[serde(borrow)]
    pub coin: Vec<Coin<'a>>,
}

/// One coin of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coin<'a> {
    #[serde(borrow)]
    pub coin: Cow<'a, str>,
    #[serde(borrow)]
    pub wallet_balance: Cow<'a, str>,
    #[serde(borrow, default)]
    pub locked: Cow<'a, str>,
    #[serde(borrow, default, rename = "totalOrderIM")]
    pub order_margin: Cow<'a, str>,
    #[serde(borrow, default, rename = "totalPositionIM")]
    pub position_margin: Cow<'a, str>,
}

/// A position in a contract; events and answers name its entry price differently.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding<'a> {
    #[serde(borrow, default)]
    pub category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    #[serde(default)]
    pub position_idx: i64,
    #[serde(borrow)]
    pub side: Cow<'a, str>,
    #[serde(borrow)]
    pub size: Cow<'a, str>,
    #[serde(borrow, default)]
    pub avg_price: Cow<'a, str>,
    #[serde(borrow, default)]
    pub entry_price: Cow<'a, str>,
}
