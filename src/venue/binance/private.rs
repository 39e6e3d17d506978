//! Answers and account events to reports.
//!
//! The answer to an order and the events about it may come in either order, and both tell its
//! fills: all are reported, and whoever keeps the orders tells doubles by their trade id. An event
//! names an order by the client id it was placed with: `C` when a cancel or amendment brought an id of
//! its own, else `c`. An order whose id is not shaped as ours is foreign.
//!
//! Futures tell of orders in `ORDER_TRADE_UPDATE`, of balances and positions in `ACCOUNT_UPDATE`. Their
//! `TRADE_LITE` is left alone: it comes a little earlier, but without the fee.
//!
//! A status or execution type that this code does not know makes the order Unknown; it is never taken
//! for success or failure.

mod records;

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::records::Envelope;
use self::records::{
    AccountPosition, AccountUpdate, ExecutionReport, FuturesAccount, Kind, OrderAnswer, OrderTradeUpdate,
    PositionBalance, PositionRisk, Trade,
};
use super::symbol::Market;
use crate::types::{
    Asset, Class, ClientId, Money, Nanos, OrderState, OrderStatus, Price, Qty, Report, Scale, Side, Symbol,
    VenueRef, parse,
};

/// What an event asks of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Nothing.
    None,
    /// The account's events stopped: subscribe again.
    StreamEnded,
    /// The server is about to close the connection.
    Shutdown,
}

/// Turns the venue's words into reports.
pub struct Reader {
    market: Market,
    /// Symbols traded, sorted, with their scales.
    scales: Vec<(Symbol, Scale)>,
    /// Order numbers of our orders, newest last: the trade list names orders by nothing else.
    known: VecDeque<(u64, ClientId)>,
}

/// Orders remembered by number.
const MAX_KNOWN: usize = 8_192;

/// Why a text could not be read; the text itself is not in it.
pub(super) type Unreadable = &'static str;

/// An event's kind where it is the first field, as the venue writes it: no need to read all of the
/// event to find it.
fn first_kind(text: &str) -> Option<&str> {
    let (kind, _) = text.strip_prefix(r#"{"e":""#)?.split_once('"')?;
    (!kind.contains('\\')).then_some(kind)
}

impl Reader {
    /// A reader for those symbols.
    pub fn new(market: Market, symbols: impl Iterator<Item = (Symbol, Scale)>) -> Reader {
        let mut scales: Vec<_> = symbols.collect();
        scales.sort();
        Reader { market, scales, known: VecDeque::new() }
    }

    fn scale(&self, symbol: &str) -> Option<(Symbol, Scale)> {
        let at = self.scales.binary_search_by(|(other, _)| other.as_str().cmp(symbol)).ok()?;
        self.scales.get(at).copied()
    }

    fn remember(&mut self, order: u64, client: ClientId) {
        if self.known.back() != Some(&(order, client)) {
            if self.known.len() == MAX_KNOWN {
                self.known.pop_front();
            }
            self.known.push_back((order, client));
        }
    }

    /// An event of the account or the connection.
    pub fn event(&mut self, text: &str, out: &mut Vec<Report>) -> Notice {
        let kind = match first_kind(text) {
            Some(kind) => Ok(kind.into()),
            None => serde_json::from_str::<Kind>(text).map(|kind| kind.e),
        };
        let read = match kind.as_deref() {
            Ok("executionReport") => serde_json::from_str::<ExecutionReport>(text)
                .map_err(|_| "executionReport")
                .and_then(|report| self.execution(&report, out)),
            Ok("ORDER_TRADE_UPDATE") => serde_json::from_str::<OrderTradeUpdate>(text)
                .map_err(|_| "ORDER_TRADE_UPDATE")
                .and_then(|update| self.execution(&update.order, out)),
            Ok("ACCOUNT_UPDATE") => self.account_update(text, out),
            Ok("outboundAccountPosition") => serde_json::from_str::<AccountPosition>(text)
                .map_err(|_| "outboundAccountPosition")
                .and_then(|position| balances(&position.balances, out)),
            Ok("eventStreamTerminated" | "listenKeyExpired") => return Notice::StreamEnded,
            Ok("serverShutdown") => return Notice::Shutdown,
            // Deposits and locks come as outboundAccountPosition too; lists are not used.
            Ok("balanceUpdate" | "externalLockUpdate" | "listStatus") => Ok(()),
            // What they tell is in the events above too, or is about things that are not used.
            Ok(
                "TRADE_LITE" | "ACCOUNT_CONFIG_UPDATE" | "MARGIN_CALL" | "STRATEGY_UPDATE" | "GRID_UPDATE",
            )
            | Ok("CONDITIONAL_ORDER_TRIGGER_REJECT" | "ALGO_UPDATE") => Ok(()),
            Ok(_) => Err("an event of an unknown kind"),
            Err(_) => Err("an event without its kind"),
        };
        if let Err(what) = read {
            out.push(Report::Malformed(format!("cannot read {what}")));
        }
        Notice::None
    }

    fn execution(&mut self, report: &ExecutionReport<'_>, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let own = if report.original.is_empty() { &report.client } else { &report.original };
        let venue_ref = number(report.order);
        let client = ClientId::parse(own.as_bytes());
        let (Some(client), Some((symbol, scale))) = (client, self.scale(&report.symbol)) else {
            out.push(Report::Foreign { venue_ref });
            return Ok(());
        };
        self.remember(report.order, client);
        let before = out.len();
        let read = execution_of(report, client, venue_ref, symbol, scale, out);
        if read.is_err() {
            // Something happened to our order, and we cannot say what.
            out.truncate(before);
            out.push(Report::unknown(client, "unreadable executionReport"));
        }
        read
    }

    /// The answer to a new order.
    pub(super) fn placed(
        &mut self,
        client: ClientId,
        text: &str,
        out: &mut Vec<Report>,
    ) -> Result<(), Unreadable> {
        let before = out.len();
        let read = self.placed_of(client, text, out);
        if read.is_err() {
            out.truncate(before);
            out.push(Report::unknown(client, "unreadable answer"));
        }
        read
    }

    fn placed_of(&mut self, client: ClientId, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let answer: OrderAnswer = serde_json::from_str(text).map_err(|_| "the answer to an order")?;
        if ClientId::parse(answer.client_order_id.as_bytes()) != Some(client) {
            return Err("the answer to an order: it names another");
        }
        let (symbol, scale) = self.scale(&answer.symbol).ok_or("the answer to an order: its symbol")?;
        self.remember(answer.order_id, client);
        let venue_ref = number(answer.order_id);
        let at = answer.time();
        out.push(Report::Accepted { client, venue_ref, at });
        let mut total = 0i64;
        for fill in &answer.fills {
            let (price, qty) = (price(&fill.price, scale)?, qty(&fill.qty, scale)?);
            total = total.checked_add(qty.0).ok_or("the answer to an order: its fills")?;
            out.push(Report::Filled {
                client,
                venue_ref,
                trade: signed_number(fill.trade_id),
                symbol,
                side: side(answer.side.as_deref().unwrap_or_default())?,
                price,
                qty,
                total: Some(Qty(total)),
                fee: money(&fill.commission)?,
                fee_asset: asset(&fill.commission_asset)?,
                at,
            });
        }
        let filled = answer.executed_qty.as_deref().map(|text| qty(text, scale)).transpose()?;
        if let Some(status) = answer.status.as_deref() {
            let state = state(status).ok_or("the answer to an order: its status")?;
            if state.is_final() {
                out.push(Report::Ended { client, state, filled, at });
            }
        }
        Ok(())
    }

    /// The answer to a cancel: what became of the order.
    pub(super) fn cancelled(
        &mut self,
        client: ClientId,
        text: &str,
        out: &mut Vec<Report>,
    ) -> Result<(), Unreadable> {
        let answer: OrderAnswer = serde_json::from_str(text).map_err(|_| "the answer to a cancel")?;
        let own = answer.orig_client_order_id.as_deref().unwrap_or(&answer.client_order_id);
        if ClientId::parse(own.as_bytes()) != Some(client) {
            return Err("the answer to a cancel: it names another order");
        }
        let (_, scale) = self.scale(&answer.symbol).ok_or("the answer to a cancel: its symbol")?;
        let filled = answer.executed_qty.as_deref().map(|text| qty(text, scale)).transpose()?;
        let state = answer.status.as_deref().and_then(state).ok_or("the answer to a cancel: its status")?;
        if !state.is_final() {
            return Err("the answer to a cancel: the order is still open");
        }
        out.push(Report::Ended { client, state, filled, at: answer.time() });
        Ok(())
    }

    /// The answer to an amendment.
    pub(super) fn amended(
        &mut self,
        client: ClientId,
        text: &str,
        out: &mut Vec<Report>,
    ) -> Result<(), Unreadable> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, rename = "amendedOrder")]
            order: OrderAnswer<'a>,
        }
        let order = match self.market {
            Market::Spot => serde_json::from_str::<Answer>(text).map(|answer| answer.order),
            Market::UsdM | Market::CoinM => serde_json::from_str::<OrderAnswer>(text),
        };
        let order = order.map_err(|_| "the answer to an amendment")?;
        let (_, scale) = self.scale(&order.symbol).ok_or("the answer to an amendment: its symbol")?;
        let text = |value: &Option<Cow<'_, str>>| value.as_deref().unwrap_or_default().to_owned();
        let (price, total) = (price(&text(&order.price), scale)?, qty(&text(&order.orig_qty), scale)?);
        // A change may end an order: futures cancel one that is left with nothing to fill.
        let state = order.status.as_deref().map(|status| state(status).ok_or("an amended order's status"));
        let ended = state.transpose()?.filter(|state| state.is_final());
        let filled = order.executed_qty.as_deref().map(|text| qty(text, scale)).transpose()?;
        match ended {
            Some(state) => out.push(Report::Ended { client, state, filled, at: order.time() }),
            None => out.push(Report::Amended { client, price, qty: total }),
        }
        Ok(())
    }

    /// An order asked for, by itself or in a list.
    pub(super) fn status(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let answer: OrderAnswer = serde_json::from_str(text).map_err(|_| "an order's status")?;
        let venue_ref = number(answer.order_id);
        let client = ClientId::parse(answer.client_order_id.as_bytes());
        let Some((symbol, scale)) = self.scale(&answer.symbol) else {
            out.push(Report::Foreign { venue_ref });
            return Ok(());
        };
        if let Some(client) = client {
            self.remember(answer.order_id, client);
        }
        let text = |value: &Option<Cow<'_, str>>| value.as_deref().unwrap_or_default().to_owned();
        out.push(Report::Status(OrderStatus {
            client,
            venue_ref,
            symbol,
            side: side(&text(&answer.side))?,
            state: state(&text(&answer.status)).unwrap_or(OrderState::Unknown),
            price: price(&text(&answer.price), scale)?,
            qty: qty(&text(&answer.orig_qty), scale)?,
            filled: qty(&text(&answer.executed_qty), scale)?,
        }));
        Ok(())
    }

    /// All open orders; nothing is reported unless all could be read.
    pub(super) fn open_orders(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let orders: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| "the open orders")?;
        let before = out.len();
        for order in &orders {
            self.status(order.get(), out).inspect_err(|_| out.truncate(before))?;
        }
        out.push(Report::OpenOrdersEnd { count: orders.len() });
        Ok(())
    }

    /// Orders cancelled by one request. Futures do not tell which.
    pub(super) fn cancelled_all(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        if self.market != Market::Spot {
            let done: super::errors::ApiError =
                serde_json::from_str(text).map_err(|_| "the answer to a cancel of all")?;
            if done.code != 200 {
                return Err("the answer to a cancel of all");
            }
            out.push(Report::CancelledAll { count: None });
            return Ok(());
        }
        let orders: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| "the cancelled orders")?;
        for order in &orders {
            let answer: OrderAnswer = serde_json::from_str(order.get()).map_err(|_| "a cancelled order")?;
            let own = answer.orig_client_order_id.as_deref().unwrap_or(&answer.client_order_id);
            match ClientId::parse(own.as_bytes()) {
                Some(client) => self.cancelled(client, order.get(), out)?,
                None => out.push(Report::Foreign { venue_ref: number(answer.order_id) }),
            }
        }
        out.push(Report::CancelledAll { count: Some(orders.len() as u64) });
        Ok(())
    }

    /// The trade list; nothing is reported unless all of it could be read.
    pub(super) fn trades(&mut self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let trades: Vec<Trade> = serde_json::from_str(text).map_err(|_| "the trade list")?;
        let before = out.len();
        for trade in &trades {
            let report = self.trade(trade).inspect_err(|_| out.truncate(before))?;
            out.push(report);
        }
        Ok(())
    }

    fn trade(&self, trade: &Trade<'_>) -> Result<Report, Unreadable> {
        let venue_ref = number(trade.order_id);
        let client = self.known.iter().rev().find(|(order, _)| *order == trade.order_id);
        let (Some((_, client)), Some((symbol, scale))) = (client, self.scale(&trade.symbol)) else {
            return Ok(Report::Foreign { venue_ref });
        };
        Ok(Report::Filled {
            client: *client,
            venue_ref,
            trade: signed_number(trade.id),
            symbol,
            side: if trade.is_buyer { Side::Buy } else { Side::Sell },
            price: price(&trade.price, scale)?,
            qty: qty(&trade.qty, scale)?,
            total: None,
            fee: money(&trade.commission)?,
            fee_asset: asset(&trade.commission_asset)?,
            at: Nanos::from_millis(trade.time),
        })
    }

    /// All balances of the account.
    pub(super) fn account(&self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        #[derive(Deserialize)]
        struct Account<'a> {
            #[serde(borrow)]
            balances: Vec<PositionBalance<'a>>,
        }
        if self.market != Market::Spot {
            let account: FuturesAccount = serde_json::from_str(text).map_err(|_| "the account")?;
            return wallets(account.assets.iter().map(|own| (&*own.asset, &*own.wallet_balance)), out);
        }
        let account: Account = serde_json::from_str(text).map_err(|_| "the account")?;
        balances(&account.balances, out)
    }

    /// All positions. The venue leaves out what is flat; every symbol traded is reported.
    pub(super) fn positions(&self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let told: Vec<PositionRisk> = serde_json::from_str(text).map_err(|_| "the positions")?;
        let before = out.len();
        for (symbol, _) in &self.scales {
            let mut own = told.iter().filter(|position| position.symbol == symbol.as_str());
            let report = match own.next() {
                Some(own) => {
                    self.position(&own.symbol, &own.position_side, &own.position_amt, &own.entry_price)
                }
                None => Ok(Some(Report::Position { symbol: *symbol, qty: Qty::ZERO, entry: None })),
            };
            let report = report.inspect_err(|_| out.truncate(before))?;
            out.extend(report);
        }
        Ok(())
    }

    /// A position; `None` for symbols that are not traded.
    fn position(
        &self,
        symbol: &str,
        side: &str,
        qty: &str,
        entry: &str,
    ) -> Result<Option<Report>, Unreadable> {
        if side != "BOTH" {
            return Err("a position of an account that has two a symbol");
        }
        let Some((symbol, scale)) = self.scale(symbol) else { return Ok(None) };
        let qty = signed_qty(qty, scale)?;
        // More places than a price has: an average.
        let entry = money(entry)?.floor_to_scaled(scale).map(Price).filter(|_| qty != Qty::ZERO);
        Ok(Some(Report::Position { symbol, qty, entry }))
    }

    fn account_update(&self, text: &str, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let update: AccountUpdate = serde_json::from_str(text).map_err(|_| "ACCOUNT_UPDATE")?;
        let before = out.len();
        let read = self.account_of(&update, out);
        read.inspect_err(|_| out.truncate(before))
    }

    fn account_of(&self, update: &AccountUpdate<'_>, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let at = Nanos::from_millis(update.time);
        if update.account.reason == "FUNDING_FEE" {
            for own in &update.account.balances {
                let (asset, amount) = (asset(&own.asset)?, money(&own.change)?);
                out.push(Report::Funding { asset, amount, at });
            }
        }
        let told = update.account.balances.iter().map(|own| (&*own.asset, &*own.wallet));
        wallets(told, out)?;
        for own in &update.account.positions {
            out.extend(self.position(&own.symbol, &own.side, &own.amount, &own.entry)?);
        }
        Ok(())
    }
}

fn execution_of(
    report: &ExecutionReport<'_>,
    client: ClientId,
    venue_ref: VenueRef,
    symbol: Symbol,
    scale: Scale,
    out: &mut Vec<Report>,
) -> Result<(), Unreadable> {
    let at = Nanos::from_millis(report.time);
    let filled = qty(&report.filled, scale)?;
    let state = state(&report.status).ok_or("executionReport: its status")?;
    match &*report.execution {
        "NEW" => out.push(Report::Accepted { client, venue_ref, at }),
        "TRADE" => out.push(Report::Filled {
            client,
            venue_ref,
            trade: signed_number(report.trade),
            symbol,
            side: side(&report.side)?,
            price: price(&report.last_price, scale)?,
            qty: qty(&report.last_qty, scale)?,
            total: Some(filled),
            fee: report.fee.as_deref().map_or(Ok(Money::ZERO), money)?,
            fee_asset: report.fee_asset.as_deref().map_or(Ok(Asset::EMPTY), asset)?,
            at,
        }),
        "REPLACED" | "AMENDMENT" => out.push(Report::Amended {
            client,
            price: price(&report.price, scale)?,
            qty: qty(&report.qty, scale)?,
        }),
        "REJECTED" => {
            out.push(Report::OrderError {
                client,
                class: Class::Refused,
                code: VenueRef::cut(&report.reject),
                retry_at: None,
            });
        }
        "CANCELED" | "EXPIRED" | "TRADE_PREVENTION" => {}
        _ => return Err("executionReport: its type"),
    }
    if state.is_final() {
        out.push(Report::Ended { client, state, filled: Some(filled), at });
    }
    Ok(())
}

/// Wallets of futures: what is realised. What of it is free depends on prices, and is not reported.
fn wallets<'a>(
    told: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<Report>,
) -> Result<(), Unreadable> {
    let before = out.len();
    for (asset, wallet) in told {
        let Some(asset) = Asset::new(asset) else { continue };
        let free = money(wallet).inspect_err(|_| out.truncate(before))?;
        out.push(Report::Balance { asset, free, locked: None });
    }
    Ok(())
}

fn balances(balances: &[PositionBalance<'_>], out: &mut Vec<Report>) -> Result<(), Unreadable> {
    let before = out.len();
    for balance in balances {
        // Names that the engine cannot hold are of assets that it cannot trade.
        let Some(asset) = Asset::new(&balance.asset) else { continue };
        let read = money(&balance.free).and_then(|free| Ok((free, money(&balance.locked)?)));
        let (free, locked) = read.inspect_err(|_| out.truncate(before))?;
        out.push(Report::Balance { asset, free, locked: Some(locked) });
    }
    Ok(())
}

fn state(status: &str) -> Option<OrderState> {
    Some(match status {
        "NEW" | "PENDING_NEW" => OrderState::Accepted,
        "PARTIALLY_FILLED" => OrderState::PartFilled,
        "FILLED" => OrderState::Filled,
        "CANCELED" | "EXPIRED" | "EXPIRED_IN_MATCH" => OrderState::Cancelled,
        "PENDING_CANCEL" => OrderState::Unknown,
        "REJECTED" => OrderState::Rejected,
        _ => return None,
    })
}

fn side(text: &str) -> Result<Side, Unreadable> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err("a side"),
    }
}

fn price(text: &str, scale: Scale) -> Result<Price, Unreadable> {
    parse(text.as_bytes(), scale).map(Price).map_err(|_| "a price")
}

fn qty(text: &str, scale: Scale) -> Result<Qty, Unreadable> {
    parse(text.as_bytes(), scale).map(Qty).map_err(|_| "a quantity")
}

/// A quantity that may be below zero.
fn signed_qty(text: &str, scale: Scale) -> Result<Qty, Unreadable> {
    match text.strip_prefix('-') {
        Some(rest) => qty(rest, scale).map(|qty| Qty(-qty.0)),
        None => qty(text, scale),
    }
}

fn money(text: &str) -> Result<Money, Unreadable> {
    Money::parse(text).ok_or("an amount")
}

fn asset(text: &str) -> Result<Asset, Unreadable> {
    Asset::new(text).ok_or("an asset")
}

fn number(id: u64) -> VenueRef {
    VenueRef::cut(&id.to_string())
}

fn signed_number(id: i64) -> VenueRef {
    VenueRef::cut(&id.to_string())
}
