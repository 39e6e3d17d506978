//! The requests of futures that are not spot's: orders over positions, margin, leverage, the switch.

use serde_json::{Value, json};

use super::api::Request;
use super::{Failure, futures_words as words};
use crate::types::{InstrumentSpec, Kind, OrderState, Price, Qty, Side, Tif};
use crate::venue::{AccountId, NewOrder, OrderRef, OrderView, Refusal};

impl Request<'_> {
    /// Answers a request of futures.
    pub(super) fn answer_futures(&mut self, method: &str, account: AccountId) -> Result<Value, Failure> {
        match method {
            "order.place" => {
                let (spec, order) = self.futures_order()?;
                let form = match self.params.get("newOrderRespType") {
                    None | Some("ACK") => "ACK",
                    Some("RESULT") => "RESULT",
                    Some(_) => return Err(Failure::missing("newOrderRespType")),
                };
                if order.tif == Tif::Fok && !self.fills_at_once(&order) {
                    return Err(words::fok_failed());
                }
                let view = self.exchange.place(account, &order, self.now).map_err(|why| self.refusal(why))?;
                Ok(words::placed(&spec, &view, form))
            }
            "order.modify" => self.modify(account),
            "order.cancel" => {
                let (_, spec) = self.instrument()?;
                let order = self.named("orderId", "origClientOrderId")?;
                let view =
                    self.exchange.cancel(account, &order, self.now).map_err(|why| self.refusal(why))?;
                Ok(words::order(&spec, &view))
            }
            "order.status" => {
                let (_, spec) = self.instrument()?;
                let order = self.named("orderId", "origClientOrderId")?;
                let view = self.exchange.order(account, &order);
                let view = view.ok_or_else(|| Failure::bad(-2013, "Order does not exist."))?;
                Ok(words::queried(&spec, &view))
            }
            "openOrders.status" => {
                let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
                let orders = self.exchange.open_orders(account);
                let wanted =
                    |view: &&OrderView| only.as_ref().is_none_or(|(at, _)| *at == view.order.instrument);
                let wanted = orders.iter().filter(wanted);
                Ok(wanted.filter_map(|view| self.with_spec(view, words::queried)).collect())
            }
            "openOrders.cancelAll" => {
                let (at, _) = self.instrument()?;
                self.exchange.cancel_all(account, Some(at), self.now);
                Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
            }
            "myTrades" => {
                let (at, spec) = self.instrument()?;
                let fills = self.wanted_fills(account, at)?;
                Ok(fills.iter().map(|fill| words::trade(&spec, fill)).collect())
            }
            "account.status" => {
                let positions = self.exchange.positions(account);
                let specs = self.exchange.instruments();
                let rows = positions.iter().filter_map(|view| Some((specs.get(view.instrument)?, view)));
                Ok(words::account(&self.exchange.balances(account), rows))
            }
            "positions" => {
                let only = self.params.get("symbol").map(|_| self.instrument()).transpose()?;
                let positions = self.exchange.positions(account);
                let wanted = positions
                    .iter()
                    .filter(|view| only.as_ref().is_none_or(|(at, _)| *at == view.instrument));
                let row = |view: &crate::venue::PositionView| {
                    let spec = self.exchange.instruments().get(view.instrument)?;
                    let book = self.exchange.book(view.instrument, 1);
                    Some(words::position_risk(spec, view, &book, self.now.millis()))
                };
                Ok(wanted.filter_map(row).collect())
            }
            "account.commission" => {
                let (at, spec) = self.instrument()?;
                let (maker, taker) = self.exchange.fees(account, at);
                Ok(words::commission(&spec, maker, taker))
            }
            "leverage" => {
                let (at, spec) = self.instrument()?;
                let leverage = self.params.integer("leverage")?.and_then(|n| u32::try_from(n).ok());
                let leverage = leverage.ok_or_else(|| Failure::missing("leverage"))?;
                self.exchange
                    .set_leverage(account, at, leverage, self.now)
                    .map_err(|why| self.refusal(why))?;
                let symbol = spec.symbol.as_str();
                Ok(json!({"leverage": leverage, "maxNotionalValue": "1000000000", "symbol": symbol}))
            }
            "positionSide.status" => Ok(json!({"dualSidePosition": false})),
            "positionSide" => match self.params.need("dualSidePosition")? {
                "false" => Err(Failure::bad(-4059, "No need to change position side.")),
                _ => Err(Failure::bad(-4068, "Hedge mode is not simulated.")),
            },
            _ => Err(Failure::unknown_method()),
        }
    }

    fn refusal(&self, why: Refusal) -> Failure {
        words::refusal(self.market, why)
    }

    fn futures_order(&mut self) -> Result<(InstrumentSpec, NewOrder), Failure> {
        let (instrument, spec) = self.instrument()?;
        let side = self.side()?;
        let market = match self.params.need("type")? {
            "LIMIT" => false,
            "MARKET" => true,
            _ => return Err(Failure::bad(-1116, "Invalid orderType.")),
        };
        let (kind, tif) = match (market, self.params.get("timeInForce")) {
            (true, None) => (Kind::Market, Tif::Ioc),
            (true, Some(_)) => {
                return Err(Failure::bad(-1106, "Parameter 'timeInForce' sent when not required."));
            }
            (false, None) => return Err(Failure::missing("timeInForce")),
            (false, Some("GTC")) => (Kind::Limit, Tif::Gtc),
            (false, Some("IOC")) => (Kind::Limit, Tif::Ioc),
            (false, Some("FOK")) => (Kind::Limit, Tif::Fok),
            (false, Some("GTX")) => (Kind::PostOnly, Tif::Gtc),
            (false, Some(_)) => return Err(Failure::bad(-1115, "Invalid timeInForce.")),
        };
        if self.params.get("positionSide").is_some_and(|side| side != "BOTH") {
            let text = "Order's position side does not match user's setting.";
            return Err(Failure::bad(-4061, text));
        }
        let reduce_only = match self.params.get("reduceOnly") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Failure::missing("reduceOnly")),
        };
        let qty = Qty(self.number("quantity", &spec)?);
        let price = if market { Price(0) } else { Price(self.number("price", &spec)?) };
        let client = self.client()?;
        Ok((spec, NewOrder { instrument, side, kind, tif, price, qty, reduce_only, client }))
    }

    /// Whether what the book shows within the limit is enough for all of it.
    fn fills_at_once(&self, order: &NewOrder) -> bool {
        let book = self.exchange.book(order.instrument, usize::MAX);
        let (levels, sign) = match order.side {
            Side::Buy => (&book.asks, 1),
            Side::Sell => (&book.bids, -1),
        };
        let within = levels.iter().take_while(|level| sign * (level.price.0 - order.price.0) <= 0);
        within.map(|level| i128::from(level.qty.0)).sum::<i128>() >= i128::from(order.qty.0)
    }

    /// Changes price and quantity of an order; one that is left with nothing to fill ends.
    fn modify(&mut self, account: AccountId) -> Result<Value, Failure> {
        let (_, spec) = self.instrument()?;
        let order: OrderRef = self.named("orderId", "origClientOrderId")?;
        let side = self.side()?;
        let (price, qty) = (Price(self.number("price", &spec)?), Qty(self.number("quantity", &spec)?));
        let known = self.exchange.order(account, &order).filter(|view| !view.state.is_final());
        let before = known.ok_or_else(|| self.refusal(Refusal::UnknownOrder))?;
        if before.order.side != side {
            return Err(Failure::bad(-1117, "Invalid side."));
        }
        if (before.order.price, before.order.qty) == (price, qty) {
            return Err(self.refusal(Refusal::BadAmend));
        }
        let amended = match qty > before.filled {
            true => self.exchange.amend(account, &order, Some(price), Some(qty), self.now),
            false => Err(Refusal::WouldTake),
        };
        let view = match amended {
            Err(Refusal::WouldTake) => self.exchange.cancel(account, &order, self.now),
            other => other,
        };
        let view = view.map_err(|why| self.refusal(why))?;
        debug_assert!(view.state != OrderState::Rejected);
        Ok(words::order(&spec, &view))
    }
}
