//! The venue's private messages, field by field as it names them. Texts are borrowed from the
//! message; fields that are not used are not listed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::Nanos;

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

/// What futures wrap an order's news in.
#[derive(Deserialize)]
pub struct OrderTradeUpdate<'a> {
    #[serde(borrow, rename = "o")]
    pub order: ExecutionReport<'a>,
}

/// What changed of a futures account.
#[derive(Deserialize)]
pub struct AccountUpdate<'a> {
    #[serde(rename = "T")]
    pub time: i64,
    #[serde(borrow, rename = "a")]
    pub account: AccountChange<'a>,
}

/// Why, and to what.
#[derive(Deserialize)]
pub struct AccountChange<'a> {
    #[serde(borrow, rename = "m", default)]
    pub reason: Cow<'a, str>,
    #[serde(borrow, rename = "B", default)]
    pub balances: Vec<WalletChange<'a>>,
    #[serde(borrow, rename = "P", default)]
    pub positions: Vec<PositionChange<'a>>,
}

/// A wallet: what is in it, and what came to it otherwise than by profit and commission.
#[derive(Deserialize)]
pub struct WalletChange<'a> {
    #[serde(borrow, rename = "a")]
    pub asset: Cow<'a, str>,
    #[serde(borrow, rename = "wb")]
    pub wallet: Cow<'a, str>,
    #[serde(borrow, rename = "bc", default)]
    pub change: Cow<'a, str>,
}

/// A position as it is now.
#[derive(Deserialize)]
pub struct PositionChange<'a> {
    #[serde(borrow, rename = "s")]
    pub symbol: Cow<'a, str>,
    #[serde(borrow, rename = "pa")]
    pub amount: Cow<'a, str>,
    #[serde(borrow, rename = "ep")]
    pub entry: Cow<'a, str>,
    #[serde(borrow, rename = "ps")]
    pub side: Cow<'a, str>,
}

/// A futures account.
#[derive(Deserialize)]
pub struct FuturesAccount<'a> {
    #[serde(borrow)]
    pub assets: Vec<FuturesAsset<'a>>,
}

/// One asset of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FuturesAsset<'a> {
    #[serde(borrow)]
    pub asset: Cow<'a, str>,
    #[serde(borrow)]
    pub wallet_balance: Cow<'a, str>,
}

/// A position as it was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionRisk<'a> {
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub position_side: Cow<'a, str>,
    #[serde(borrow)]
    pub position_amt: Cow<'a, str>,
    #[serde(borrow)]
    pub entry_price: Cow<'a, str>,
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
    /// Spot's.
    #[serde(default)]
    pub transact_time: i64,
    /// That of futures.
    #[serde(default)]
    pub update_time: i64,
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

impl OrderAnswer<'_> {
    /// When it happened, by the venue's clock.
    pub fn time(&self) -> Nanos {
        Nanos::from_millis(if self.transact_time > 0 { self.transact_time } else { self.update_time })
    }
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
    #[serde(alias = "buyer")]
    pub is_buyer: bool,
}
