//! Commands as requests of the venue.

use super::super::call::Call;
use super::super::symbol::Market;
use super::{BybitGateway, List, Of, Switch, What};
use crate::types::{Asset, ClientId, InstrumentId, Nanos, VenueRef};
use crate::venue::{Command, GatewayOut, Unsupported};

/// The longest span of one question for executions.
const SPAN: Nanos = Nanos::from_secs(7 * 86_400);
/// What the dead-man switch can be set to.
const SWITCH: std::ops::RangeInclusive<i64> = 3..=300;

impl BybitGateway {
    pub(super) fn start(
        &mut self,
        command: &Command,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unsupported> {
        let category = self.market.category();
        let (call, what) = match command {
            Command::Cancel { client, venue_ref, instrument } => {
                let call = Call::post("order.cancel", "/v5/order/cancel").with("category", category);
                let call = call.with("symbol", self.symbol(*instrument)?);
                (named(call, *venue_ref, *client), What::Cancel(*client))
            }
            Command::Replace { .. } => return Err(self.lacks("replacement of an order by another")),
            Command::Amend { client, instrument, price, qty } => {
                let what = "amendment to such a price or quantity";
                let qty = self.encoder.qty_text(*instrument, *qty).ok_or(self.lacks(what))?;
                let call = Call::post("order.amend", "/v5/order/amend").with("category", category);
                let call = call.with("symbol", self.symbol(*instrument)?);
                let mut call = call.with("orderLinkId", client.to_string()).with("qty", qty);
                if let Some(price) = price {
                    let price = self.encoder.price_text(*instrument, *price).ok_or(self.lacks(what))?;
                    call = call.with("price", price);
                }
                (call, What::Amend(*client))
            }
            Command::CancelAll { instrument } => {
                let call = Call::post("", "/v5/order/cancel-all").with("category", category);
                (call.with("symbol", self.symbol(*instrument)?), What::CancelAll)
            }
            Command::Query { client, instrument } => {
                let symbol = self.symbol(*instrument)?;
                let ask = |path| {
                    let call = Call::get(path).with("category", category).with("symbol", symbol.clone());
                    call.with("orderLinkId", client.to_string())
                };
                (ask("/v5/order/realtime"), What::Query(*client, ask("/v5/order/history")))
            }
            Command::OpenOrders => {
                let mut calls = self.open_orders();
                if calls.is_empty() {
                    return Err(self.lacks("open orders without instruments"));
                }
                let call = calls.remove(0);
                (call.clone(), What::List(List::new(Of::OpenOrders, call, calls)))
            }
            Command::Fills { instrument, since } => {
                let mut calls = self.fills(*instrument, *since, now)?;
                let call = calls.remove(0);
                (call.clone(), What::List(List::new(Of::Fills, call, calls)))
            }
            Command::Balances => {
                let call = Call::get("/v5/account/wallet-balance").with("accountType", "UNIFIED");
                (call, What::Wallet(self.positions()))
            }
            Command::Fees { instrument } => {
                let call = Call::get("/v5/account/fee-rate").with("category", category);
                (call.with("symbol", self.symbol(*instrument)?), What::Fees)
            }
            Command::Rights => (Call::get("/v5/user/query-api"), What::Rights),
            Command::ServerTime => (Call::get("/v5/market/time").public(), What::ServerTime),
            Command::DeadMan { timeout } => return self.dead_man(*timeout, now, out),
        };
        self.send(call, what, now, out);
        Ok(())
    }

    fn lacks(&self, what: &'static str) -> Unsupported {
        Unsupported { venue: self.market.venue(), what }
    }

    fn symbol(&self, instrument: InstrumentId) -> Result<String, Unsupported> {
        let spec = self.encoder.spec(instrument).ok_or(self.lacks("such instrument"))?;
        Ok(spec.symbol.as_str().to_owned())
    }

    /// The questions for all open orders. Futures answer by the coin that they settle in.
    fn open_orders(&self) -> Vec<Call> {
        let ask = || {
            let call = Call::get("/v5/order/realtime").with("category", self.market.category());
            call.with_integer("openOnly", 0).with_integer("limit", 50)
        };
        if self.market == Market::Spot {
            return vec![ask()];
        }
        self.coins().iter().map(|coin| ask().with("settleCoin", coin.as_str())).collect()
    }

    /// The coins that our contracts settle in.
    fn coins(&self) -> Vec<Asset> {
        let mut coins: Vec<_> = self.encoder.specs().map(|spec| spec.contract.settle).collect();
        coins.sort_unstable();
        coins.dedup();
        coins
    }

    /// The questions for all positions; spot has none.
    fn positions(&self) -> Vec<Call> {
        if self.market == Market::Spot {
            return Vec::new();
        }
        let ask = |coin: &Asset| {
            let call = Call::get("/v5/position/list").with("category", self.market.category());
            call.with("settleCoin", coin.as_str()).with_integer("limit", 200)
        };
        self.coins().iter().map(ask).collect()
    }

    /// The questions for executions since a time: one for each week.
    fn fills(&self, instrument: InstrumentId, since: Nanos, now: Nanos) -> Result<Vec<Call>, Unsupported> {
        let symbol = self.symbol(instrument)?;
        let mut calls = Vec::new();
        // Two years is as far back as the venue keeps them.
        let mut from = since.max(now - Nanos(SPAN.0 * 104)).max(Nanos::ZERO);
        loop {
            let to = from + SPAN;
            let call = Call::get("/v5/execution/list").with("category", self.market.category());
            let mut call = call.with("symbol", symbol.clone()).with_integer("startTime", from.millis());
            if to < now {
                call = call.with_integer("endTime", to.millis());
            }
            calls.push(call.with_integer("limit", 100));
            if to >= now {
                return Ok(calls);
            }
            from = to;
        }
    }

    /// The venue's switch goes by the life of the private stream: it is set once, and as long as the
    /// stream lives it does not fire. It is there for institutional accounts only, and cannot be
    /// switched off.
    fn dead_man(&mut self, timeout: Nanos, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let seconds = (timeout.0.max(0) + 999_999_999) / 1_000_000_000;
        if seconds == 0 {
            return Err(self.lacks("way to switch the dead-man switch off"));
        }
        let seconds = seconds.clamp(*SWITCH.start(), *SWITCH.end());
        let window = Nanos::from_secs(seconds);
        match self.switch {
            Switch::Refused => return Err(self.lacks("dead-man switch for this account")),
            Switch::Set(own) if own == window => {
                if self.streaming {
                    out.reports.push(crate::types::Report::DeadMan { until: now + window });
                }
            }
            Switch::Asked => {}
            Switch::Off | Switch::Set(_) => {
                let product = if self.market == Market::Spot { "SPOT" } else { "DERIVATIVES" };
                let call = Call::post("", "/v5/order/disconnected-cancel-all").with("product", product);
                if self.switch == Switch::Off {
                    self.switch = Switch::Asked;
                }
                self.send(call.with_integer("timeWindow", seconds), What::Switch(window), now, out);
            }
        }
        Ok(())
    }
}

impl List {
    pub(super) fn new(of: Of, call: Call, rest: Vec<Call>) -> List {
        List { of, call, rest, reports: Vec::new(), count: 0, pages: 0 }
    }
}

/// Names one order in a call: by the venue's number, or by ours.
fn named(call: Call, venue_ref: Option<VenueRef>, client: ClientId) -> Call {
    match venue_ref.filter(|venue_ref| !venue_ref.is_empty()) {
        Some(number) => call.with("orderId", number.as_str()),
        None => call.with("orderLinkId", client.to_string()),
    }
}
