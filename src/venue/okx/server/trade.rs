//! Orders, amendments and cancels, one or a batch, over the socket or REST.

use serde_json::{Map, Value, json};

use super::auth::{self, Needs};
use super::limits::{Limit, Whose};
use super::{OkxServer, Params, Refused, words};
use crate::types::{InstrumentSpec, Kind, Nanos, OrderState, Price, Side};
use crate::venue::okx::symbol::Market;
use crate::venue::{AccountId, ApiKey, Exchange, NewOrder, OrderChange, OrderRef, Refusal, ServerOut};

/// Orders of one request.
const BATCH: usize = 20;
/// Longest client id.
const CLIENT: usize = 32;

/// What a request does to orders, and how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    action: Action,
    batch: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Place,
    Amend,
    Cancel,
}

/// Operation over the socket, path over REST, what it does, whether to many.
const CHANGES: [(&str, &str, Action, bool); 6] = [
    ("order", "/api/v5/trade/order", Action::Place, false),
    ("batch-orders", "/api/v5/trade/batch-orders", Action::Place, true),
    ("amend-order", "/api/v5/trade/amend-order", Action::Amend, false),
    ("batch-amend-orders", "/api/v5/trade/amend-batch-orders", Action::Amend, true),
    ("cancel-order", "/api/v5/trade/cancel-order", Action::Cancel, false),
    ("batch-cancel-orders", "/api/v5/trade/cancel-batch-orders", Action::Cancel, true),
];

impl Change {
    /// By its name over the socket.
    pub fn of_op(op: &str) -> Option<Change> {
        let row = CHANGES.iter().find(|(own, ..)| *own == op);
        row.map(|&(_, _, action, batch)| Change { action, batch })
    }

    /// By its path over REST.
    pub fn of_path(path: &str) -> Option<Change> {
        let row = CHANGES.iter().find(|(_, own, ..)| *own == path);
        row.map(|&(_, _, action, batch)| Change { action, batch })
    }

    /// A batch of one counts as a single one.
    fn limit(self, orders: usize) -> Limit {
        match (self.action, orders > 1) {
            (Action::Place, false) => Limit::of("order", 60),
            (Action::Amend, false) => Limit::of("amend-order", 60),
            (Action::Cancel, false) => Limit::of("cancel-order", 60),
            (Action::Place, true) => Limit::of("batch-orders", 300),
            (Action::Amend, true) => Limit::of("batch-amend-orders", 300),
            (Action::Cancel, true) => Limit::of("batch-cancel-orders", 300),
        }
    }
}

/// How requests name instruments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// By symbol.
    Symbol,
    /// By number: over the socket a symbol is not enough.
    Code,
}

impl OkxServer {
    /// Runs a request: the code of the whole, and how each order was taken.
    ///
    /// # Errors
    /// When it is refused as a whole.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request and what it may touch")]
    pub fn change(
        &mut self,
        change: Change,
        args: &[Value],
        key: &ApiKey,
        naming: Naming,
        expires: Option<&str>,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Result<(u32, Vec<Value>), Refused> {
        let most = if change.batch { BATCH } else { 1 };
        let args: Option<Vec<&Map<String, Value>>> = args.iter().map(Value::as_object).collect();
        let args = args.filter(|args| (1..=most).contains(&args.len()));
        let args = args.ok_or_else(|| Refused::new(60_013, "Invalid args"))?;
        auth::may(key, Needs::Trading)?;
        if let Some(expires) = expires.filter(|text| !text.is_empty()) {
            let at = expires.parse().map_err(|_| Refused::parameter("expTime"))?;
            if Nanos::from_millis(at) < now {
                let text = "The expTime can't be earlier than the current system time. Please adjust the expTime \
                            and try again.";
                return Err(Refused::new(50_036, text));
            }
        }
        let (mut data, mut failed) = (Vec::new(), 0);
        let limit = change.limit(args.len());
        for fields in &args {
            let params = Params(fields);
            let done = self.instrument(&params, naming, &*exchange).and_then(|(place, spec)| {
                self.limits.take(Whose::Instrument(key.account, place), limit, now)?;
                if self.market != Market::Spot && change.action != Action::Cancel {
                    self.limits.take_of_sub_account(key.account, now)?;
                }
                match change.action {
                    Action::Place => self.place(&params, place, &spec, key.account, now, exchange, out),
                    Action::Amend => self.amend(&params, place, &spec, key.account, now, exchange),
                    Action::Cancel => self.cancel(&params, place, key.account, now, exchange),
                }
            });
            let text = |name: &str| params.get(name).unwrap_or_default();
            let (order, client, code, why) = match done {
                Ok((order, client)) => (order, client, 0, String::new()),
                // One alone that comes too often is refused as a whole.
                Err(why) if matches!(why.code, 50_011 | 50_061) && args.len() == 1 => return Err(why),
                Err(why) => (text("ordId").to_owned(), text("clOrdId").to_owned(), why.code, why.text),
            };
            failed += usize::from(code != 0);
            data.push(json!({
                "ordId": order, "clOrdId": client, "tag": text("tag"), "reqId": text("reqId"),
                "ts": words::millis(now), "sCode": code.to_string(), "sMsg": why,
            }));
        }
        let code = match failed {
            0 => 0,
            all if all == args.len() => 1,
            _ => 2,
        };
        Ok((code, data))
    }

    fn instrument(
        &self,
        params: &Params<'_>,
        naming: Naming,
        exchange: &dyn Exchange,
    ) -> Result<(usize, InstrumentSpec), Refused> {
        let found = match naming {
            Naming::Symbol => OkxServer::find(exchange, params.need("instId")?),
            Naming::Code => {
                let code = params.0.get("instIdCode").and_then(Value::as_u64);
                let place = words::place(code.ok_or_else(|| Refused::parameter("instIdCode"))?);
                place.and_then(|place| Some((place, exchange.instruments().get(place)?.clone())))
            }
        };
        found.ok_or_else(|| words::refusal(Refusal::UnknownInstrument))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one order and what it may touch")]
    fn place(
        &mut self,
        params: &Params<'_>,
        instrument: usize,
        spec: &InstrumentSpec,
        account: AccountId,
        now: Nanos,
        exchange: &mut dyn Exchange,
        out: &mut Vec<ServerOut>,
    ) -> Result<(String, String), Refused> {
        let order = self.new_order(params, instrument, spec)?;
        let client = order.client.clone();
        match exchange.place(account, &order, now) {
            Ok(view) => Ok((view.id.to_string(), client)),
            // Taken, and ended afterwards.
            Err(Refusal::WouldTake) => {
                let view = self.ghosts.end(account, &order, OrderState::Cancelled, now);
                let told = words::change(self.market, spec, &view, &OrderChange::Ended);
                self.tell(account, "orders", Some(spec), &json!([told]), out);
                Ok((view.id.to_string(), client))
            }
            Err(why) => Err(words::refusal(why)),
        }
    }

    fn new_order(
        &mut self,
        params: &Params<'_>,
        instrument: usize,
        spec: &InstrumentSpec,
    ) -> Result<NewOrder, Refused> {
        let spot = self.market == Market::Spot;
        if params.need("tdMode")? != self.market.mode() {
            return Err(Refused::parameter("tdMode"));
        }
        if !matches!(params.get("posSide"), None | Some("net")) {
            return Err(Refused::parameter("posSide"));
        }
        // The account's own default, and all that is simulated.
        if !matches!(params.get("stpMode"), None | Some("cancel_taker")) {
            return Err(Refused::parameter("stpMode"));
        }
        let name = params.need("side")?;
        let side = Side::BOTH.into_iter().find(|side| side.name() == name);
        let side = side.ok_or_else(|| Refused::parameter("side"))?;
        let (kind, tif) =
            words::parse_order_type(params.need("ordType")?).ok_or_else(|| Refused::parameter("ordType"))?;
        // Sizes in the quote asset are not simulated.
        if kind == Kind::Market && spot && side == Side::Buy && params.get("tgtCcy") != Some("base_ccy") {
            return Err(Refused::parameter("tgtCcy"));
        }
        let qty = words::parse_size(params.need("sz")?, spec).ok_or_else(|| Refused::parameter("sz"))?;
        let price = match kind {
            Kind::Market => Price(0),
            Kind::Limit | Kind::PostOnly => {
                let price = words::parse_price(params.need("px")?, spec);
                Price(price.ok_or_else(|| Refused::parameter("px"))?)
            }
        };
        let client = match params.get("clOrdId") {
            Some(client) => {
                if client.len() > CLIENT || !client.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return Err(Refused::parameter("clOrdId"));
                }
                client.to_owned()
            }
            None => {
                self.next_client += 1;
                format!("sim{}", self.next_client)
            }
        };
        let reduce_only = params.flag("reduceOnly")? && !spot;
        Ok(NewOrder { instrument, side, kind, tif, price, qty, reduce_only, client })
    }

    /// An order of an instrument, named by the venue's number, which counts first, or by the client's
    /// id; and how it is called in answers.
    fn named(
        &self,
        params: &Params<'_>,
        instrument: usize,
        account: AccountId,
        exchange: &dyn Exchange,
    ) -> Result<Option<(OrderRef, String, String)>, Refused> {
        let order = match (params.get("ordId"), params.get("clOrdId")) {
            (Some(id), _) => OrderRef::Id(id.parse().map_err(|_| Refused::parameter("ordId"))?),
            (None, Some(client)) => OrderRef::Client(client.to_owned()),
            (None, None) => return Err(Refused::parameter("ordId or clOrdId")),
        };
        let view = self.ghosts.find(account, &order, exchange);
        let open = view.filter(|view| view.order.instrument == instrument && !view.state.is_final());
        Ok(open.map(|view| (order, view.id.to_string(), view.order.client)))
    }

    fn amend(
        &mut self,
        params: &Params<'_>,
        instrument: usize,
        spec: &InstrumentSpec,
        account: AccountId,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<(String, String), Refused> {
        let (price, qty) = (params.get("newPx"), params.get("newSz"));
        let price =
            price.map(|text| words::parse_price(text, spec).ok_or_else(|| Refused::parameter("newPx")));
        let qty = qty.map(|text| words::parse_size(text, spec).ok_or_else(|| Refused::parameter("newSz")));
        let (price, qty) = (price.transpose()?.map(Price), qty.transpose()?);
        let text = "Order modification failed as the order has been filled, canceled or does not exist.";
        let Some((order, id, client)) = self.named(params, instrument, account, exchange)? else {
            return Err(Refused::new(51_503, text));
        };
        exchange.amend(account, &order, price, qty, now).map_err(words::refusal)?;
        Ok((id, client))
    }

    fn cancel(
        &mut self,
        params: &Params<'_>,
        instrument: usize,
        account: AccountId,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<(String, String), Refused> {
        let gone = || words::refusal(Refusal::UnknownOrder);
        let (order, id, client) = self.named(params, instrument, account, exchange)?.ok_or_else(gone)?;
        exchange.cancel(account, &order, now).map_err(words::refusal)?;
        Ok((id, client))
    }
}
