//! Commands as requests of the venue.

use super::{BinanceGateway, VENUE, What};
use crate::types::{ClientId, Draft, InstrumentId, VenueRef};
use crate::venue::binance::call::Call;
use crate::venue::{Command, Unsupported};

impl BinanceGateway {
    /// The request that a command is, and what its answer will be about.
    pub(super) fn call(&self, command: &Command) -> Result<(Call, What), Unsupported> {
        Ok(match command {
            Command::Cancel { client, venue_ref, instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                let call = Call::new("order.cancel", "DELETE", "/api/v3/order").with("symbol", symbol);
                let names = ["orderId", "origClientOrderId"];
                (Self::naming(call, names, *venue_ref, *client), What::Cancel(*client))
            }
            Command::Replace { cancel, order } => {
                (self.replace(*cancel, order)?, What::Replace { cancel: *cancel, order: order.client })
            }
            Command::Amend { price: Some(_), .. } => {
                return Err(Unsupported { venue: VENUE, what: "amendment of the price" });
            }
            Command::Amend { client, instrument, price: None, qty } => {
                let what = "amendment of an unknown instrument";
                let symbol = self.symbol(*instrument, what)?;
                let qty =
                    self.encoder.qty_text(*instrument, *qty).ok_or(Unsupported { venue: VENUE, what })?;
                let call = Call::new("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority")
                    .with("symbol", symbol)
                    .with("origClientOrderId", client.to_string())
                    .with("newQty", qty)
                    // Without it the venue makes one up.
                    .with("newClientOrderId", client.to_string());
                (call, What::Amend(*client))
            }
            Command::CancelAll { instrument } => {
                let symbol = self.symbol(*instrument, "cancel of an unknown instrument")?;
                let call = Call::new("openOrders.cancelAll", "DELETE", "/api/v3/openOrders");
                (call.with("symbol", symbol), What::CancelAll)
            }
            Command::Query { client, instrument } => {
                let symbol = self.symbol(*instrument, "query of an unknown instrument")?;
                let call = Call::new("order.status", "GET", "/api/v3/order").with("symbol", symbol);
                (call.with("origClientOrderId", client.to_string()), What::Query(*client))
            }
            Command::OpenOrders => {
                (Call::new("openOrders.status", "GET", "/api/v3/openOrders"), What::OpenOrders)
            }
            Command::Fills { instrument, since } => {
                let symbol = self.symbol(*instrument, "trade list of an unknown instrument")?;
                let start = since.millis().max(0);
                let call = Call::new("myTrades", "GET", "/api/v3/myTrades").with("symbol", symbol);
                (call.with("startTime", start).with("limit", 1_000), What::Fills)
            }
            Command::Balances => {
                let call = Call::new("account.status", "GET", "/api/v3/account");
                (call.with("omitZeroBalances", true), What::Balances)
            }
            Command::Fees { instrument } => {
                let symbol = self.symbol(*instrument, "commission of an unknown instrument")?;
                let call = Call::new("account.commission", "GET", "/api/v3/account/commission");
                (call.with("symbol", symbol), What::Fees)
            }
            Command::Rights => (Call::new("", "GET", "/sapi/v1/account/apiRestrictions"), What::Rights),
            Command::ServerTime => (Call::new("time", "GET", "/api/v3/time").public(), What::ServerTime),
            Command::DeadMan { .. } => {
                return Err(Unsupported { venue: VENUE, what: "dead-man switch" });
            }
        })
    }

    fn symbol(&self, instrument: InstrumentId, what: &'static str) -> Result<String, Unsupported> {
        let spec = self.encoder.spec(instrument).ok_or(Unsupported { venue: VENUE, what })?;
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
        let symbol = self.symbol(order.instrument, what)?;
        let params = self.encoder.params(order).ok_or(Unsupported { venue: VENUE, what })?;
        let mut call = Call::new("order.cancelReplace", "POST", "/api/v3/order/cancelReplace")
            .with("symbol", symbol)
            .with("cancelReplaceMode", "STOP_ON_FAILURE")
            .with("cancelOrigClientOrderId", cancel.to_string());
        for (name, value) in params {
            call = call.with(name, value);
        }
        Ok(call.with("newClientOrderId", order.client.to_string()))
    }
}
