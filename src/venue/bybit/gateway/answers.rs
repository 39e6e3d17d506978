//! Answers to requests, the same whichever way they came.

use serde_json::value::RawValue;

use super::super::account;
use super::super::errors::{self, classify, reference};
use super::super::private::{Limits, Page, Reply, Unreadable, malformed, millis};
use super::{Answer, BybitGateway, List, Of, Pending, Switch, What, limits, turn};
use crate::types::{Class, ClientId, Nanos, Report};
use crate::venue::GatewayOut;
use crate::venue::bybit::call::Call;

/// Most pages of one list: an account has no more open orders, and more fills than that are asked
/// for in parts.
const MAX_PAGES: usize = 200;

impl BybitGateway {
    pub(super) fn answered(&mut self, token: u64, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) {
        let Some(Pending { asked, what, .. }) = self.take(token) else {
            return; // given up before
        };
        if let Some(text) = answer.result {
            return self.succeeded(what, text, asked, now, out);
        }
        self.check_time(answer.code, now, out);
        let class = classify(answer.status, answer.code);
        let code = reference(answer.status, answer.code, answer.text);
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class, code });
            }
            What::Query(client, past) if errors::is_gone(answer.code) => {
                self.send(past, What::QueryPast(client), now, out);
            }
            What::QueryPast(client) if errors::is_gone(answer.code) => {
                out.reports.push(Report::NotFound { client });
            }
            // Most accounts have no such switch: it is not asked for again.
            What::Switch(_) => {
                let for_good = matches!(class, Class::Refused | Class::Halt);
                self.switch = if for_good { Switch::Refused } else { Switch::Off };
                out.reports.push(Report::Malformed(format!("the dead-man switch was refused: {code}")));
            }
            _ => out.reports.push(Report::Malformed(format!("{} was refused: {code}", name(&what)))),
        }
    }

    fn succeeded(&mut self, what: What, text: &str, asked: Nanos, now: Nanos, out: &mut GatewayOut) {
        let reports = &mut out.reports;
        let read = match what {
            // Received; what became of it comes over the private stream.
            What::Cancel(client) | What::Amend(client) => {
                let read = self.reader.received(client, text);
                if read.is_err() {
                    self.unanswered(what, out);
                }
                read
            }
            What::CancelAll => serde_json::from_str::<Page>(text)
                .map(|page| reports.push(Report::CancelledAll { count: Some(page.list.len() as u64) }))
                .map_err(|_| "the answer to a cancel of all"),
            What::Query(client, past) => match self.found(text, reports) {
                Ok(false) => {
                    self.send(past, What::QueryPast(client), now, out);
                    Ok(())
                }
                Ok(true) => Ok(()),
                Err(what) => Err(what),
            },
            What::QueryPast(client) => self.found(text, reports).map(|found| {
                if !found {
                    reports.push(Report::NotFound { client });
                }
            }),
            What::List(list) => self.page(list, text, now, out),
            What::Wallet(mut positions) if !positions.is_empty() => {
                // Wallet and positions are told together.
                let call = positions.remove(0);
                let mut list = List::new(Of::Positions, call.clone(), positions);
                let read = self.reader.account(text, &mut list.reports);
                if read.is_ok() {
                    self.send(call, What::List(list), now, out);
                }
                read
            }
            What::Wallet(_) => self.reader.account(text, reports),
            What::Fees => account::fees(text).map(|report| reports.push(report)),
            What::Rights => account::rights(self.market, text).map(|report| reports.push(report)),
            What::ServerTime => {
                account::server_time(text).map(|venue| reports.push(Report::ServerTime { venue, asked }))
            }
            What::Switch(timeout) => {
                let new = !matches!(self.switch, Switch::Set(_));
                self.switch = Switch::Set(timeout);
                reports.push(Report::DeadMan { until: now + timeout });
                if new && self.private.usable {
                    self.subscribe_switch(out);
                }
                Ok(())
            }
        };
        if let Err(what) = read {
            malformed(what, &mut out.reports);
        }
    }

    /// Reports the one order that was asked for; false when the list is empty.
    fn found(&mut self, text: &str, reports: &mut Vec<Report>) -> Result<bool, Unreadable> {
        let page: Page = serde_json::from_str(text).map_err(|_| "an order's status")?;
        for order in &page.list {
            self.reader.status(order.get(), reports)?;
        }
        Ok(!page.list.is_empty())
    }

    /// Takes a page, and asks for the next; nothing is reported unless all could be read.
    fn page(
        &mut self,
        mut list: List,
        text: &str,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unreadable> {
        let page: Page = serde_json::from_str(text).map_err(|_| "a page of a list")?;
        for item in &page.list {
            match list.of {
                Of::OpenOrders => self.reader.status(item.get(), &mut list.reports)?,
                Of::Fills => self.reader.listed(item.get(), &mut list.reports)?,
                Of::Positions => self.reader.position(item.get(), &mut list.reports)?,
            }
        }
        list.count += page.list.len();
        list.pages += 1;
        if list.pages >= MAX_PAGES {
            return Err("a list: it does not end");
        }
        let cursor = page.next_page_cursor.as_deref().unwrap_or_default();
        let next = match (cursor, list.rest.is_empty()) {
            // The last page may come with a cursor to an empty one.
            (cursor, _) if !cursor.is_empty() && !page.list.is_empty() => {
                list.call.clone().with("cursor", cursor)
            }
            (_, false) => {
                list.call = list.rest.remove(0);
                list.call.clone()
            }
            (_, true) => {
                match list.of {
                    Of::OpenOrders => list.reports.push(Report::OpenOrdersEnd { count: list.count }),
                    Of::Positions => self.reader.flat(&mut list.reports),
                    Of::Fills => {}
                }
                out.reports.append(&mut list.reports);
                return Ok(());
            }
        };
        self.send(next, What::List(list), now, out);
        Ok(())
    }

    /// Asks for the venue's time when it says that ours is off: whoever hands us `now` goes by the
    /// answer.
    pub(super) fn check_time(&mut self, code: i64, now: Nanos, out: &mut GatewayOut) {
        let asked = self.pending.iter().any(|pending| matches!(pending.what, What::ServerTime));
        let under_way = asked || self.turns.waiting().any(turn::Waiting::is_time);
        if errors::BAD_TIME.contains(&code) && !under_way {
            self.send(Call::get("/v5/market/time").public(), What::ServerTime, now, out);
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
        let header = |name: &str| {
            let found = headers.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| std::borrow::Cow::Borrowed(value.as_str()))
        };
        let counts = Limits {
            cap: header("x-bapi-limit"),
            left: header("x-bapi-limit-status"),
            reset: header("x-bapi-limit-reset-timestamp"),
        };
        let retry_at = counts.reset.as_deref().and_then(|text| millis(text).ok());
        let reply = serde_json::from_slice::<Reply>(body).ok();
        let answer = match &reply {
            Some(reply) => Answer {
                status,
                code: reply.ret_code,
                text: &reply.ret_msg,
                // Some answers of success are nothing but that.
                result: (status == 200 && reply.ret_code == 0)
                    .then(|| reply.result.map_or("{}", RawValue::get)),
                retry_at,
            },
            // A limit or a block may be told by the status alone.
            None => Answer { status, code: 0, text: "", result: None, retry_at },
        };
        let own = u64::try_from(token);
        let rule = match own {
            Ok(own) => {
                let asked = self.pending.iter().find(|pending| pending.token == own);
                asked.and_then(|pending| turn::rule(&pending.what))
            }
            Err(_) => Some(limits::CREATE),
        };
        self.obey(rule, turn::counts(&counts), &answer, now, &mut out.reports);
        match own {
            Ok(token) => self.answered(token, &answer, now, out),
            Err(_) if status == 200 && reply.is_none() => {
                out.reports.push(Report::unknown(ClientId::from_bits(token), "unreadable answer"));
            }
            Err(_) => self.placed(ClientId::from_bits(token), &answer, now, out),
        }
    }
}

/// What a request was, for people.
fn name(what: &What) -> &'static str {
    match what {
        What::Cancel(_) => "a cancel",
        What::Amend(_) => "an amendment",
        What::CancelAll => "a cancel of all",
        What::Query(..) | What::QueryPast(_) => "a question about an order",
        What::List(List { of: Of::OpenOrders, .. }) => "the question for open orders",
        What::List(List { of: Of::Fills, .. }) => "the question for executions",
        What::List(List { of: Of::Positions, .. }) => "the question for positions",
        What::Wallet(_) => "the question for balances",
        What::Fees => "the question for fees",
        What::Rights => "the question for the key's rights",
        What::ServerTime => "the question for the time",
        What::Switch(_) => "the dead-man switch",
    }
}
