//! What the venue's limits mean for this gateway's requests: their costs, their turn, and what answers
//! tell of the limits.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, BinanceGateway, PATIENCE, What};
use crate::types::{Nanos, Report};
use crate::venue::binance::call::Call;
use crate::venue::binance::limits::{self, Stop};
use crate::venue::binance::symbol::Market;
use crate::venue::{Costs, GatewayOut, Lane, Urgency};

/// What opening a connection of the WebSocket API weighs, and what its login and subscription do.
const CONNECT: u32 = 2 + 2 + 2;

fn urgency(what: What) -> Urgency {
    match what {
        What::Cancel(_) | What::Replace { .. } | What::Amend(_) | What::CancelAll | What::DeadMan => {
            Urgency::Urgent
        }
        _ => Urgency::Question,
    }
}

/// What a request costs. Weights are those of the venue's table, without a symbol where we send none.
fn costs(market: Market, what: What) -> Costs {
    let weight = match (market, what) {
        (_, What::Replace { .. }) => return limits::ORDER,
        (Market::UsdM | Market::CoinM, What::Amend(_)) => return limits::ORDER,
        (Market::Spot, What::Amend(_) | What::Query(_)) => 4,
        (Market::Spot, What::OpenOrders) => 80,
        (Market::Spot, What::Fills | What::Balances | What::Fees) => 20,
        (_, What::Fees) => 20,
        (_, What::OpenOrders) => 40,
        (_, What::Mode) => 30,
        (_, What::DeadMan) => 10,
        (Market::CoinM, What::Fills) => 20,
        (_, What::Fills | What::Balances | What::Positions) => 5,
        _ => 1,
    };
    limits::request(weight)
}

impl BinanceGateway {
    /// A connection was opened: it is counted whatever is left.
    pub(super) fn connected(&mut self, lane: Lane, now: Nanos) {
        if lane != Lane::Rest {
            self.turns.budget.note(&limits::request(CONNECT), 0, now);
        }
    }

    /// Sends a request, now or when the limits have room for it.
    pub(super) fn send(&mut self, call: Call, what: What, now: Nanos, out: &mut GatewayOut) {
        let costs = costs(self.desk.market, what);
        if let Some((_, what)) = self.turns.push((call, what), urgency(what), costs, 0, now) {
            self.unanswered(what, out);
        }
        self.take_turns(now, out);
    }

    /// Sends what there is room for by now, and gives up what has waited too long.
    pub(super) fn take_turns(&mut self, now: Nanos, out: &mut GatewayOut) {
        while let Some((call, what)) = self.turns.next(now) {
            self.send_now(call, what, now, out);
        }
        while let Some((_, what)) = self.turns.late(PATIENCE, now) {
            self.unanswered(what, out);
        }
    }

    /// Stops what an answer says must stop.
    pub(super) fn obey(&mut self, answer: &Answer<'_>, now: Nanos) {
        match limits::stop(answer.status, answer.error.as_ref(), answer.retry_at, now) {
            Some(Stop::All(until)) => self.turns.budget.pause(until),
            Some(Stop::Orders(until)) => self.turns.budget.block(limits::ORDERS, 0, until),
            None => {}
        }
    }

    /// The venue says how much of a limit is used, and over WebSocket what the limit is.
    pub(super) fn told(
        &mut self,
        name: &'static str,
        used: u64,
        most: Option<u64>,
        now: Nanos,
        reports: &mut Vec<Report>,
    ) {
        reports.push(Report::Used { limit: name, used });
        if let Some(rule) = limits::find(self.desk.limits, name) {
            if let Some(most) = most {
                self.turns.budget.limit(rule, most);
            }
            self.turns.budget.told(rule, 0, used, now);
        }
    }

    /// `rateLimits` of a WebSocket answer.
    pub(super) fn used(&mut self, limits: &RawValue, now: Nanos, reports: &mut Vec<Report>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Limit {
            rate_limit_type: String,
            interval: String,
            interval_num: u32,
            limit: Option<u64>,
            count: u64,
        }
        for limit in serde_json::from_str::<Vec<Limit>>(limits.get()).unwrap_or_default() {
            let name = match (&*limit.rate_limit_type, &*limit.interval, limit.interval_num) {
                ("REQUEST_WEIGHT", "MINUTE", 1) => "weight 1m",
                ("RAW_REQUESTS", "MINUTE", 5) => "raw 5m",
                ("ORDERS", "SECOND", 10) => "orders 10s",
                ("ORDERS", "MINUTE", 1) => "orders 1m",
                ("ORDERS", "DAY", 1) => "orders 1d",
                _ => continue,
            };
            self.told(name, limit.count, limit.limit, now, reports);
        }
    }
}
