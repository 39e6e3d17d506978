//! The parameters that each request reads: one that is not read is refused, as the venue does.

use super::Failure;
use super::auth::Params;
use crate::venue::binance::symbol::Market;

/// Read of every request.
const ALWAYS: [&str; 5] = ["apiKey", "signature", "timestamp", "recvWindow", "returnRateLimits"];

const ORDER: [&str; 8] =
    ["symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId", "newOrderRespType"];
const NAMED: [&str; 3] = ["symbol", "orderId", "origClientOrderId"];

/// What a request reads beyond [`ALWAYS`], in parts.
fn read_by(market: Market, method: &str) -> &'static [&'static [&'static str]] {
    match (market, method) {
        (Market::Spot, "order.place" | "order.test") => &[&ORDER, &["selfTradePreventionMode"]],
        (_, "order.place") => &[&ORDER, &["selfTradePreventionMode", "reduceOnly", "positionSide"]],
        (Market::Spot, "order.cancel") => &[&NAMED, &["newClientOrderId"]],
        (_, "order.modify") => &[&NAMED, &["side", "quantity", "price"]],
        (_, "order.cancel" | "order.status") => &[&NAMED],
        (_, "order.cancelReplace") => &[
            &ORDER,
            &["cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId"],
        ],
        (_, "order.amend.keepPriority") => &[&NAMED, &["newQty", "newClientOrderId"]],
        (_, "myTrades") => &[&["symbol", "orderId", "startTime", "endTime", "fromId", "limit"]],
        (_, "account.status") => &[&["omitZeroBalances"]],
        (_, "depth") => &[&["symbol", "limit"]],
        (_, "leverage") => &[&["symbol", "leverage"]],
        (_, "positionSide") => &[&["dualSidePosition"]],
        (_, "countdown") => &[&["symbol", "countdownTime"]],
        (_, "userDataStream.ping" | "userDataStream.stop") => &[&["listenKey"]],
        (
            _,
            "exchangeInfo"
            | "openOrders.status"
            | "openOrders.cancelAll"
            | "account.commission"
            | "positions",
        ) => &[&["symbol"]],
        _ => &[],
    }
}

/// Refuses what is sent and not read.
pub fn check(market: Market, method: &str, params: &Params) -> Result<(), Failure> {
    let own = read_by(market, method);
    let known = |name: &str| ALWAYS.contains(&name) || own.iter().any(|part| part.contains(&name));
    let (sent, read) = (params.0.len(), params.0.keys().filter(|name| known(name)).count());
    if read == sent {
        return Ok(());
    }
    let text =
        format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
    Err(Failure::bad(-1104, &text))
}
