//! Answers to account calls, as reports; and the calls that follow from them.

use serde_json::value::RawValue;

use super::calls::{self, Trade};
use super::error;
use super::gateway::KrakenGateway;
use super::order;
use super::requests::Call;
use crate::types::{Class, Nanos, Report, VenueRef};
use crate::venue::GatewayOut;

/// Orders that one query may name.
const QUERY: usize = 50;

impl KrakenGateway {
    /// Takes the result of a call; false when it cannot be read.
    pub(super) fn answered(
        &mut self,
        call: Call,
        result: &RawValue,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> bool {
        self.read(call, result, now, out).is_some()
    }

    fn read(&mut self, call: Call, result: &RawValue, now: Nanos, out: &mut GatewayOut) -> Option<()> {
        match call {
            Call::Token(session) => {
                #[derive(serde::Deserialize)]
                struct Token<'a> {
                    #[serde(borrow)]
                    token: std::borrow::Cow<'a, str>,
                }
                match serde_json::from_str::<Token>(result.get()) {
                    Ok(answer) if !answer.token.is_empty() => self.token(session, &answer.token, out),
                    _ => {
                        self.no_token(session, Class::Unknown, now, out);
                        return None;
                    }
                }
            }
            Call::Balances => out.reports.extend(calls::balances(result)?),
            Call::Fees(place) => out.reports.push(calls::fees(result, self.spec(place)?.symbol)?),
            Call::Rights => out.reports.push(Report::Rights(calls::rights(result)?)),
            Call::Open => self.open_orders(result, out)?,
            Call::QueryOpen(client) | Call::QueryClosed(client) => {
                let orders = calls::orders(result)?;
                let own: Vec<_> = orders.iter().filter(|(_, order)| order.client() == Some(client)).collect();
                for (id, order) in &own {
                    let status = order.status(id, &self.stream)?;
                    self.stream.learn(status.venue_ref, client);
                    out.reports.push(Report::Status(status));
                }
                match call {
                    _ if !own.is_empty() => {}
                    Call::QueryOpen(_) => {
                        let form = format!("&cl_ord_id={}", order::uuid(client));
                        let next = Call::QueryClosed(client);
                        self.calls.post("ClosedOrders", form, next, now, &mut out.wants);
                    }
                    _ => out.reports.push(Report::NotFound { client }),
                }
            }
            Call::Trades { place, since, seen, mut list } => {
                let (page, rows, count) = calls::trades(result, &self.stream)?;
                list.extend(page);
                let seen = seen + rows as u64;
                if rows > 0 && seen < count {
                    self.ask_trades(place, since, seen, list, now, out);
                } else {
                    let symbol = self.spec(place)?.symbol;
                    // The list's times are cut to a tenth of a millisecond.
                    let slack = Nanos::from_millis(1);
                    list.retain(|trade| trade.symbol == symbol && trade.at + slack > since);
                    list.sort_by_key(|trade| trade.at);
                    self.tell_trades(list, now, out);
                }
            }
            Call::Owners { asked, list } => {
                let orders = calls::orders(result)?;
                for (id, order) in &orders {
                    let venue_ref = VenueRef::new(id)?;
                    match order.client() {
                        Some(client) => self.stream.learn(venue_ref, client),
                        None => self.stream.disown(venue_ref),
                    }
                }
                // What the venue did not name is not ours to wait for.
                for order in asked {
                    if !self.stream.has(&order) {
                        self.stream.disown(order);
                    }
                }
                self.tell_trades(list, now, out);
            }
            // What became of the order comes over the stream.
            Call::Change(_) => {}
            Call::CancelAll => {
                #[derive(serde::Deserialize)]
                struct Count {
                    count: Option<u64>,
                }
                let count = serde_json::from_str::<Count>(result.get()).ok()?.count;
                out.reports.push(Report::CancelledAll { count });
            }
            Call::DeadMan => {
                #[derive(serde::Deserialize)]
                struct Switch<'a> {
                    #[serde(borrow, rename = "triggerTime")]
                    trigger_time: Option<std::borrow::Cow<'a, str>>,
                }
                let switch = serde_json::from_str::<Switch>(result.get()).ok()?;
                let until = switch.trigger_time.as_deref().map(|text| Nanos::parse_rfc3339(text.as_bytes()));
                // Switched off, the venue answers with "0".
                out.reports.push(Report::DeadMan { until: until.and_then(Result::ok).unwrap_or_default() });
            }
        }
        Some(())
    }

    fn open_orders(&mut self, result: &RawValue, out: &mut GatewayOut) -> Option<()> {
        let orders = calls::orders(result)?;
        let mut reports = Vec::with_capacity(orders.len() + 1);
        for (id, order) in &orders {
            let venue_ref = VenueRef::new(id)?;
            // An order on a pair that we do not trade, or without an id of our shape.
            if order.client().is_none() {
                reports.push(Report::Foreign { venue_ref });
                continue;
            }
            match order.status(id, &self.stream) {
                Some(status) => {
                    if let Some(client) = status.client {
                        self.stream.learn(venue_ref, client);
                    }
                    reports.push(Report::Status(status));
                }
                None => reports.push(Report::Foreign { venue_ref }),
            }
        }
        out.reports.extend(reports);
        out.reports.push(Report::OpenOrdersEnd { count: orders.len() });
        Some(())
    }

    /// Asks for a page of the trade list.
    pub(super) fn ask_trades(
        &mut self,
        place: usize,
        since: Nanos,
        seen: u64,
        list: Vec<Trade>,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        // The venue's `start` is exclusive, and in seconds.
        let start = (since.0.max(0) / 1_000_000_000 - 1).max(0);
        let form = format!("&start={start}&ofs={seen}");
        let call = Call::Trades { place, since, seen, list };
        self.calls.post("TradesHistory", form, call, now, &mut out.wants);
    }

    /// Reports trades, once it is known whose all of them are.
    fn tell_trades(&mut self, list: Vec<Trade>, now: Nanos, out: &mut GatewayOut) {
        let mut unknown: Vec<VenueRef> =
            list.iter().map(|trade| trade.order).filter(|order| !self.stream.has(order)).collect();
        unknown.sort();
        unknown.dedup();
        if !unknown.is_empty() {
            unknown.truncate(QUERY);
            let ids: Vec<&str> = unknown.iter().map(|order| order.as_str()).collect();
            let form = format!("&txid={}", ids.join("%2C"));
            let call = Call::Owners { asked: unknown, list };
            return self.calls.post("QueryOrders", form, call, now, &mut out.wants);
        }
        for trade in &list {
            out.reports.push(match self.stream.client(&trade.order) {
                Some(client) => trade.report(client),
                None => Report::Foreign { venue_ref: trade.order },
            });
        }
    }

    /// A call that was answered with an error, or not at all.
    pub(super) fn call_failed(
        &mut self,
        call: &Call,
        name: &'static str,
        class: Class,
        text: &str,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        match call {
            Call::Token(session) => self.no_token(*session, class, now, out),
            Call::Change(client) => {
                out.reports.push(Report::CancelError { client: *client, class, code: error::code(text) });
            }
            _ => out.reports.push(Report::Malformed(format!("{name}: {text}"))),
        }
    }
}
