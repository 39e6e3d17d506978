//! Answers to orders and requests, the same whichever way they came.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Answer, BinanceGateway, Pending, What};
use crate::types::{Class, ClientId, Nanos, Report};
use crate::venue::GatewayOut;
use crate::venue::binance::account;
use crate::venue::binance::call::Call;
use crate::venue::binance::errors::{self, ApiError, classify, reference};
use crate::venue::binance::private::Unreadable;
use crate::venue::binance::symbol::Market;

/// How long to stop when the venue throttles us and does not say for how long.
const DEFAULT_PAUSE: Nanos = Nanos::from_secs(10);

impl BinanceGateway {
    /// The answer to a new order, by either transport.
    pub(super) fn placed(&mut self, client: ClientId, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        match (answer.result, &answer.error) {
            (Some(text), _) => {
                let read = self.reader.placed(client, text, &mut out.reports);
                malformed(read, &mut out.reports);
            }
            (None, Some(error)) => self.order_error(client, answer, error, now, out),
            (None, None) => out.reports.push(Report::unknown(client, "unreadable answer")),
        }
    }

    pub(super) fn order_error(
        &mut self,
        client: ClientId,
        answer: &Answer<'_>,
        error: &ApiError,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let class = classify(self.desk.market, answer.status, error.code, &error.msg);
        let retry_at = match class {
            Class::Throttled => Some(answer.retry_at.unwrap_or(now + DEFAULT_PAUSE)),
            _ => answer.retry_at,
        };
        let code = reference(error.code, &error.msg);
        out.reports.push(Report::OrderError { client, class, code, retry_at });
        self.check_time(error, now, out);
    }

    pub(super) fn answered(&mut self, token: u64, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        let Some(at) = self.pending.iter().position(|pending| pending.token == token) else {
            return; // given up before
        };
        let Pending { asked, what, .. } = self.pending.swap_remove(at);
        if let Some(text) = answer.result {
            let read = self.succeeded(what, text, asked, now, out);
            if read.is_err() {
                self.unanswered(what, out);
            }
            return malformed(read, &mut out.reports);
        }
        let Some(error) = &answer.error else {
            return self.unanswered(what, out);
        };
        self.check_time(error, now, out);
        let class = classify(self.desk.market, answer.status, error.code, &error.msg);
        let code = reference(error.code, &error.msg);
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class, code });
            }
            What::StartStream | What::KeepStream | What::Mode => self.listening_failed(what, class, now, out),
            What::Replace { cancel, order } => self.replace_failed(cancel, order, answer, error, now, out),
            What::Query(client) if error.code == errors::NO_SUCH_ORDER => {
                out.reports.push(Report::NotFound { client });
            }
            // There was nothing to cancel.
            What::CancelAll if error.code == errors::UNKNOWN_ORDER => {
                out.reports.push(Report::CancelledAll { count: Some(0) });
            }
            _ => out.reports.push(Report::Malformed(format!("{what:?} was refused: {code}"))),
        }
    }

    pub(super) fn succeeded(
        &mut self,
        what: What,
        text: &str,
        asked: Nanos,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unreadable> {
        if let What::StartStream | What::KeepStream | What::Mode = what {
            return self.listening(what, text, now, out);
        }
        let reports = &mut out.reports;
        match what {
            What::StartStream | What::KeepStream | What::Mode => Ok(()),
            What::Positions => self.reader.positions(text, reports),
            What::DeadMan => account::dead_man(text, asked).map(|report| reports.push(report)),
            What::Cancel(client) => self.reader.cancelled(client, text, reports),
            What::Amend(client) => {
                let before = reports.len();
                self.reader.amended(client, text, reports)?;
                if let Some(Report::Amended { price, .. }) = reports.get(before) {
                    self.recent.amended(client, *price);
                }
                Ok(())
            }
            What::CancelAll => self.reader.cancelled_all(text, reports),
            What::Query(_) => self.reader.status(text, reports),
            What::OpenOrders => self.reader.open_orders(text, reports),
            What::Fills => self.reader.trades(text, reports),
            What::Balances => self.reader.account(text, reports),
            What::Fees if self.desk.market != Market::Spot => {
                account::futures_fees(text).map(|report| reports.push(report))
            }
            What::Fees => account::fees(text).map(|report| reports.push(report)),
            What::Rights => account::rights(text).map(|report| reports.push(report)),
            What::ServerTime => {
                let venue = account::server_time(text)?;
                reports.push(Report::ServerTime { venue, asked });
                Ok(())
            }
            What::Replace { cancel, order } => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Both<'a> {
                    #[serde(borrow)]
                    cancel_response: &'a RawValue,
                    #[serde(borrow)]
                    new_order_response: &'a RawValue,
                }
                let both: Both = serde_json::from_str(text).map_err(|_| "the answer to a cancel-replace")?;
                let before = reports.len();
                self.reader.cancelled(cancel, both.cancel_response.get(), reports)?;
                let read = self.reader.placed(order, both.new_order_response.get(), reports);
                read.inspect_err(|_| reports.truncate(before))
            }
        }
    }

    /// A cancel-replace of which one or both halves failed: each half has its own result.
    pub(super) fn replace_failed(
        &mut self,
        cancel: ClientId,
        order: ClientId,
        answer: &Answer<'_>,
        error: &ApiError,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let data = error.data.as_ref();
        let part = |name: &str| data.and_then(|data| data.get(name));
        let result = |name: &str| part(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let half = |name: &str| {
            let text = part(name).map(Value::to_string);
            let error = text.as_deref().and_then(|text| serde_json::from_str::<ApiError>(text).ok());
            (text.unwrap_or_default(), error)
        };
        let (text, failure) = half("cancelResponse");
        let read = match result("cancelResult").as_str() {
            "SUCCESS" => self.reader.cancelled(cancel, &text, &mut out.reports),
            _ => {
                let error = failure.as_ref().unwrap_or(error);
                let class = classify(self.desk.market, answer.status, error.code, &error.msg);
                let code = reference(error.code, &error.msg);
                out.reports.push(Report::CancelError { client: cancel, class, code });
                Ok(())
            }
        };
        malformed(read, &mut out.reports);
        let (text, failure) = half("newOrderResponse");
        match (result("newOrderResult").as_str(), failure) {
            ("SUCCESS", _) => {
                let read = self.reader.placed(order, &text, &mut out.reports);
                malformed(read, &mut out.reports);
            }
            ("NOT_ATTEMPTED", _) => {
                let code = reference(error.code, &error.msg);
                let class = Class::Refused;
                out.reports.push(Report::OrderError { client: order, class, code, retry_at: None });
            }
            ("FAILURE", Some(failure)) => self.order_error(order, answer, &failure, now, out),
            // No word on the halves: limits and bad requests fail both, the rest is Unknown.
            _ => self.order_error(order, answer, error, now, out),
        }
    }

    /// Asks for the venue's time when it says that ours is off: whoever hands us `now` goes by the
    /// answer.
    pub(super) fn check_time(&mut self, error: &ApiError, now: Nanos, out: &mut GatewayOut) {
        let under_way = self.pending.iter().any(|pending| pending.what == What::ServerTime);
        if error.code == errors::BAD_TIME && !under_way {
            let call = Call::of(self.desk.time).public();
            self.send(call, What::ServerTime, now, out);
        }
    }

    pub(super) fn response(
        &mut self,
        token: u128,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        for (name, limit) in [
            ("x-mbx-used-weight-1m", "weight 1m"),
            ("x-mbx-order-count-10s", "orders 10s"),
            ("x-mbx-order-count-1m", "orders 1m"),
            ("x-mbx-order-count-1d", "orders 1d"),
        ] {
            if let Some(used) = header(name).and_then(|value| value.parse().ok()) {
                self.told(limit, used, None, now, &mut out.reports);
            }
        }
        let text = std::str::from_utf8(body).ok();
        let retry_after = header("retry-after").and_then(|value| value.parse().ok());
        let answer = Answer {
            status,
            result: text.filter(|_| status == 200),
            error: text.filter(|_| status != 200).and_then(|text| serde_json::from_str(text).ok()),
            retry_at: retry_after.map(|secs: i64| now + Nanos::from_secs(secs)),
        };
        self.obey(&answer, now);
        match u64::try_from(token) {
            Ok(token) => self.answered(token, &answer, now, out),
            Err(_) => {
                let client = ClientId::from_bits(token);
                // A limit or ban may be told by the status alone.
                if matches!(status, 418 | 429) && answer.error.is_none() {
                    let error = ApiError { code: -1003, msg: String::new(), data: None };
                    return self.order_error(client, &answer, &error, now, out);
                }
                self.placed(client, &answer, now, out);
            }
        }
    }
}

fn malformed(read: Result<(), Unreadable>, reports: &mut Vec<Report>) {
    if let Err(what) = read {
        reports.push(Report::Malformed(format!("cannot read {what}")));
    }
}
