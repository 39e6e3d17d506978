//! Commands as requests of the venue.

use super::{BinanceGateway, What};
use crate::types::{ClientId, Draft, InstrumentId, Nanos, Price, Qty, Side, VenueRef};
use crate::venue::binance::call::Call;
use crate::venue::binance::desk::Names;
use crate::venue::binance::symbol::Market;
use crate::venue::{Command, GatewayOut, Unsupported};

impl BinanceGateway {
    /// The request that a command is, and what its answer will be about.
    pub(super) fn call(&self, command: &Command) -> Result<(Call, What), Unsupported> {
        let desk = self.desk;
        Ok(match command {
            Command::Cancel { client, venue_ref, instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                let call = Call::of(desk.cancel).with("symbol", symbol);
                let names = ["orderId", "origClientOrderId"];
                (Self::naming(call, names, *venue_ref, *client), What::Cancel(*client))
            }
            Command::Replace { cancel, order } => {
                (self.replace(*cancel, order)?, What::Replace { cancel: *cancel, order: order.client })
            }
            Command::Amend { client, instrument, price, qty } if desk.market != Market::Spot => {
                (self.modify(*client, *instrument, *price, *qty)?, What::Amend(*client))
            }
            Command::Amend { price: Some(_), .. } => {
                return Err(self.lacks("amendment of the price"));
            }
            Command::Amend { client, instrument, price: None, qty } => {
                let what = "amendment of an unknown instrument";
                let symbol = self.symbol(*instrument, what)?;
                let qty = self.encoder.qty_text(*instrument, *qty).ok_or(self.lacks(what))?;
                let call = Call::of(desk.amend)
                    .with("symbol", symbol)
                    .with("origClientOrderId", client.to_string())
                    .with("newQty", qty)
                    // Without it the venue makes one up.
                    .with("newClientOrderId", client.to_string());
                (call, What::Amend(*client))
            }
            Command::CancelAll { instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                (Call::of(desk.cancel_all).with("symbol", symbol), What::CancelAll)
            }
            Command::Query { client, instrument } => {
                let symbol = self.symbol(*instrument, "query of an unknown instrument")?;
                let call = Call::of(desk.query).with("symbol", symbol);
                (call.with("origClientOrderId", client.to_string()), What::Query(*client))
            }
            Command::OpenOrders => (Call::of(desk.open_orders), What::OpenOrders),
            Command::Fills { instrument, since } => {
                let symbol = self.symbol(*instrument, "trade list of an unknown instrument")?;
                let start = since.millis().max(0);
                let call = Call::of(desk.fills).with("symbol", symbol);
                (call.with("startTime", start).with("limit", 1_000), What::Fills)
            }
            Command::Balances if desk.market == Market::Spot => {
                (Call::of(desk.account).with("omitZeroBalances", true), What::Balances)
            }
            Command::Balances => (Call::of(desk.account), What::Balances),
            Command::Fees { instrument } => {
                let symbol = self.symbol(*instrument, "commission of an unknown instrument")?;
                (Call::of(desk.fees).with("symbol", symbol), What::Fees)
            }
            Command::Rights => {
                let names = desk.rights.ok_or(self.lacks("list of a key's rights at this host"))?;
                (Call::of(names), What::Rights)
            }
            Command::ServerTime => (Call::of(desk.time).public(), What::ServerTime),
            Command::DeadMan { .. } => {
                return Err(self.lacks("dead-man switch"));
            }
        })
    }

    fn lacks(&self, what: &'static str) -> Unsupported {
        Unsupported { venue: self.desk.venue, what }
    }

    /// An order's change on futures: side and price must be told, whether they change or not.
    fn modify(
        &self,
        client: ClientId,
        instrument: InstrumentId,
        price: Option<Price>,
        qty: Qty,
    ) -> Result<Call, Unsupported> {
        let what = "amendment of an order that is not among the latest";
        let (side, was) = self.recent.find(client).ok_or(self.lacks(what))?;
        let symbol = self.symbol(instrument, "amendment of an unknown instrument")?;
        let price = self.encoder.price_text(instrument, price.unwrap_or(was));
        let qty = self.encoder.qty_text(instrument, qty);
        let (price, qty) = price.zip(qty).ok_or(self.lacks("amendment off the tick or the lot"))?;
        let call = Call::of(self.desk.amend).with("symbol", symbol);
        let call = call.with("side", if side == Side::Buy { "BUY" } else { "SELL" });
        Ok(call.with("origClientOrderId", client.to_string()).with("quantity", qty).with("price", price))
    }

    /// Sets the switch of each symbol.
    pub(super) fn dead_man(&mut self, names: Names, timeout: Nanos, now: Nanos, out: &mut GatewayOut) {
        let symbols: Vec<_> = self.encoder.specs().map(|spec| spec.symbol).collect();
        for symbol in symbols {
            let call = Call::of(names).with("symbol", symbol.as_str());
            self.send(call.with("countdownTime", timeout.millis().max(0)), What::DeadMan, now, out);
        }
    }

    fn symbol(&self, instrument: InstrumentId, what: &'static str) -> Result<String, Unsupported> {
        let spec = self.encoder.spec(instrument).ok_or(self.lacks(what))?;
        Ok(spec.symbol.as_str().to_owned())
    }

    /// Names one order in a call: by the venue's number, which is the faster form, or by ours.
    fn naming(call: Call, prefix: [&'static str; 2], venue_ref: Option<VenueRef>, client: ClientId) -> Call {
        match venue_ref.and_then(|venue_ref| venue_ref.as_str().parse::<u64>().ok()) {
            Some(number) => call.with(prefix[0], number),
            None => call.with(prefix[1], client.to_string()),
        }
    }

    fn replace(&self, cancel: ClientId, order: &Draft) -> Result<Call, Unsupported> {
        let what = "cancel-replace of such an order";
        let names = self.desk.replace.ok_or(self.lacks(what))?;
        let symbol = self.symbol(order.instrument, what)?;
        let params = self.encoder.params(order).ok_or(self.lacks(what))?;
        let mut call = Call::of(names)
            .with("symbol", symbol)
            .with("cancelReplaceMode", "STOP_ON_FAILURE")
            .with("cancelOrigClientOrderId", cancel.to_string());
        for (name, value) in params {
            call = call.with(name, value);
        }
        Ok(call.with("newClientOrderId", order.client.to_string()))
    }
}
