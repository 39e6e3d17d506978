//! What differs between the markets in the requests of orders and of the account: a row each.

use super::limits;
use super::symbol::Market;
use crate::venue::Rule;

/// A request by its names: WebSocket API method (empty where it has none), HTTP method, REST path.
pub type Names = (&'static str, &'static str, &'static str);

/// One market's requests.
pub struct Desk {
    /// Which.
    pub market: Market,
    /// Its name in configuration and reports.
    pub venue: &'static str,
    /// Where its REST requests go, in production.
    pub rest: &'static str,
    /// New orders. The method is part of the templates.
    pub place: Names,
    /// One order's cancel.
    pub cancel: Names,
    /// An order's change in place.
    pub amend: Names,
    /// A cancel and a new order in one, where there is such a thing.
    pub replace: Option<Names>,
    /// The cancel of all orders of a symbol.
    pub cancel_all: Names,
    /// One order's status.
    pub query: Names,
    /// The open orders.
    pub open_orders: Names,
    /// The trade list.
    pub fills: Names,
    /// Balances.
    pub account: Names,
    /// Positions, where there are any.
    pub positions: Option<Names>,
    /// Whether the account has one position a symbol or two, where that can be chosen.
    pub mode: Option<Names>,
    /// Fees.
    pub fees: Names,
    /// The key's rights; told by the spot host alone.
    pub rights: Option<Names>,
    /// The venue's time.
    pub time: Names,
    /// The switch that cancels all orders of a symbol unless it is set anew.
    pub dead_man: Option<Names>,
    /// REST path of the listen key, where account events come over a stream that one opens.
    pub listen_key: Option<&'static str>,
    /// A post-only order's type and lifetime.
    pub post_only: (&'static str, Option<&'static str>),
    /// What is asked of the answer to an order; `None` leaves it at the venue's default.
    pub answer: Option<&'static str>,
    /// Orders may be reduce-only.
    pub reduce_only: bool,
    /// Its rate limits as documented.
    pub limits: &'static [Rule],
    /// The weight that an address may spend in a minute, as the simulation has it.
    pub weight_per_minute: u32,
    /// Orders that an account may place in ten seconds, as the simulation has it.
    pub orders_per_window: u32,
    /// Where the simulated WebSocket API is.
    pub api_path: &'static str,
    /// What comes before `/stream` and `/ws` in the simulated paths of market streams, and of account
    /// streams.
    pub stream_paths: [&'static str; 2],
}

/// Spot.
pub static SPOT: Desk = Desk {
    market: Market::Spot,
    venue: "binance.spot",
    rest: "https://api.binance.com/",
    place: ("order.place", "POST", "/api/v3/order"),
    cancel: ("order.cancel", "DELETE", "/api/v3/order"),
    amend: ("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority"),
    replace: Some(("order.cancelReplace", "POST", "/api/v3/order/cancelReplace")),
    cancel_all: ("openOrders.cancelAll", "DELETE", "/api/v3/openOrders"),
    query: ("order.status", "GET", "/api/v3/order"),
    open_orders: ("openOrders.status", "GET", "/api/v3/openOrders"),
    fills: ("myTrades", "GET", "/api/v3/myTrades"),
    account: ("account.status", "GET", "/api/v3/account"),
    positions: None,
    mode: None,
    fees: ("account.commission", "GET", "/api/v3/account/commission"),
    rights: Some(("", "GET", "/sapi/v1/account/apiRestrictions")),
    time: ("time", "GET", "/api/v3/time"),
    dead_man: None,
    listen_key: None,
    post_only: ("LIMIT_MAKER", None),
    answer: None,
    reduce_only: false,
    limits: &limits::SPOT,
    weight_per_minute: 6_000,
    orders_per_window: 200,
    api_path: "/ws-api/v3",
    stream_paths: ["", ""],
};

/// USD-M futures. Their WebSocket API knows orders only: everything else goes over REST, and account
/// events over a stream of their own.
pub static USDM: Desk = Desk {
    market: Market::UsdM,
    venue: "binance.usdm",
    rest: "https://fapi.binance.com/",
    place: ("order.place", "POST", "/fapi/v1/order"),
    cancel: ("order.cancel", "DELETE", "/fapi/v1/order"),
    amend: ("order.modify", "PUT", "/fapi/v1/order"),
    replace: None,
    cancel_all: ("", "DELETE", "/fapi/v1/allOpenOrders"),
    query: ("order.status", "GET", "/fapi/v1/order"),
    open_orders: ("", "GET", "/fapi/v1/openOrders"),
    fills: ("", "GET", "/fapi/v1/userTrades"),
    account: ("", "GET", "/fapi/v3/account"),
    positions: Some(("", "GET", "/fapi/v3/positionRisk")),
    mode: Some(("", "GET", "/fapi/v1/positionSide/dual")),
    fees: ("", "GET", "/fapi/v1/commissionRate"),
    rights: None,
    time: ("", "GET", "/fapi/v1/time"),
    dead_man: Some(("", "POST", "/fapi/v1/countdownCancelAll")),
    listen_key: Some("/fapi/v1/listenKey"),
    post_only: ("LIMIT", Some("GTX")),
    answer: Some("RESULT"),
    reduce_only: true,
    limits: &limits::USDM,
    weight_per_minute: 2_400,
    orders_per_window: 300,
    api_path: "/ws-fapi/v1",
    stream_paths: ["/public", "/private"],
};

/// COIN-M futures: the protocol of USD-M on other hosts, with contracts for quantities and the base asset
/// for money. One host has both market and account streams.
///
/// What the documents leave open is taken to be as on USD-M, and is in these places: `limits` (orders in
/// ten seconds), `errors` and `server/futures_words` (a client id that is in use, and fill-or-kill and
/// post-only orders that cannot be: codes that COIN-M's table does not list).
pub static COINM: Desk = Desk {
    market: Market::CoinM,
    venue: "binance.coinm",
    rest: "https://dapi.binance.com/",
    place: ("order.place", "POST", "/dapi/v1/order"),
    cancel: ("order.cancel", "DELETE", "/dapi/v1/order"),
    amend: ("order.modify", "PUT", "/dapi/v1/order"),
    cancel_all: ("", "DELETE", "/dapi/v1/allOpenOrders"),
    query: ("order.status", "GET", "/dapi/v1/order"),
    open_orders: ("", "GET", "/dapi/v1/openOrders"),
    fills: ("", "GET", "/dapi/v1/userTrades"),
    account: ("", "GET", "/dapi/v1/account"),
    positions: Some(("", "GET", "/dapi/v1/positionRisk")),
    mode: Some(("", "GET", "/dapi/v1/positionSide/dual")),
    fees: ("", "GET", "/dapi/v1/commissionRate"),
    time: ("", "GET", "/dapi/v1/time"),
    dead_man: Some(("", "POST", "/dapi/v1/countdownCancelAll")),
    listen_key: Some("/dapi/v1/listenKey"),
    limits: &limits::COINM,
    orders_per_window: 200,
    api_path: "/ws-dapi/v1",
    stream_paths: ["", ""],
    ..USDM
};
