//! Answers to HTTP requests: to orders, which are known by their ids, and to calls; and the calls
//! that follow from them.

use super::calls::{Call, Signer};
use super::error;
use super::gateway::CoinbaseGateway;
use super::rows::{FillRow, OrderRow, Page};
use super::{Product, advanced, exchange};
use crate::types::{Class, ClientId, Nanos, OrderState, Report, VenueRef};
use crate::venue::GatewayOut;

/// Pages that one question may need.
const PAGES: u32 = 8;
/// Rounds of cancelling all that a product has.
const ROUNDS: u32 = 10;
/// Orders named in one cancel.
const CANCELS: usize = 100;

/// The parts of an answer that matter.
struct Answer<'a> {
    body: &'a [u8],
    /// Where Exchange says that its list goes on.
    after: Option<&'a str>,
}

impl CoinbaseGateway {
    /// The answer to an order, or to a call.
    pub(super) fn response(
        &mut self,
        token: u128,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        if token >= 1 << 64 {
            return self.order_response(ClientId::from_bits(token), status, body, now, out);
        }
        // Given up: the answer to too old a call.
        let Some(call) = self.calls.take(token) else { return };
        let name = call.name();
        if status == 200 {
            let after = headers.iter().find(|(name, _)| name == "cb-after").map(|(_, value)| value.as_str());
            let place = out.reports.len();
            if self.answered(call.clone(), &Answer { body, after }, now, out).is_none() {
                out.reports.truncate(place);
                self.call_failed(&call, name, Class::Unknown, "unreadable answer", now, out);
            }
            return;
        }
        let (class, text, retry_at) = error::classify(status, body, now);
        self.rest(class, retry_at);
        match call {
            Call::Query { client, .. } if status == 404 => match self.memory.vanished(client, now) {
                Some(id) if self.product == Product::Exchange => {
                    self.call(Call::Vanished { client, id }, None, now, out);
                }
                _ => out.reports.push(Report::NotFound { client }),
            },
            // What the venue does not know is not ours to wait for.
            Call::Owner { id, list } if status == 404 => {
                self.memory.disown(id);
                self.tell_fills(list, now, out);
            }
            call => self.call_failed(&call, name, class, &text, now, out),
        }
    }

    /// The venue asked us to stay away: nothing is sent until then.
    fn rest(&mut self, class: Class, until: Option<Nanos>) {
        if let (Class::Throttled, Some(until)) = (class, until) {
            self.calls.turns.budget.pause(until);
        }
    }

    fn order_response(
        &mut self,
        client: ClientId,
        status: u16,
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        if status == 200 {
            let read = match self.product {
                Product::Advanced => advanced::read_placed(body).map(|placed| placed.map(|id| (id, true))),
                Product::Exchange => self.read_exchange_order(client, body),
            };
            match read {
                Some(Ok((venue_ref, accepted))) => {
                    self.memory.learn(venue_ref, client);
                    if accepted {
                        out.reports.push(Report::Accepted { client, venue_ref, at: now });
                    }
                }
                Some(Err((class, text))) => {
                    let code = error::code(&text);
                    out.reports.push(Report::OrderError { client, class, code, retry_at: None });
                }
                // An answer that cannot be read is no refusal.
                None => {
                    let code = error::code("unreadable answer");
                    out.reports.push(Report::OrderError {
                        client,
                        class: Class::Unknown,
                        code,
                        retry_at: None,
                    });
                }
            }
            return;
        }
        let (class, text, retry_at) = error::classify(status, body, now);
        self.rest(class, retry_at);
        out.reports.push(Report::OrderError { client, class, code: error::code(&text), retry_at });
        if status == 401 {
            // It may be our clock: nothing that was sent at a wrong time is taken.
            self.call(Call::Time(now), None, now, out);
        }
    }

    /// Exchange answers with the order. `pending` is no acceptance yet: that is told by the stream.
    fn read_exchange_order(
        &mut self,
        client: ClientId,
        body: &[u8],
    ) -> Option<Result<(VenueRef, bool), (Class, String)>> {
        let row = exchange::read_order(body, self.memory.specs())?;
        let terms = row.terms?;
        if terms.state == OrderState::Rejected {
            return Some(Err((Class::Refused, "rejected".to_owned())));
        }
        self.memory.merge(&OrderRow { client: Some(client), ..row });
        Some(Ok((row.id, terms.state != OrderState::Sent)))
    }

    pub(super) fn failed(&mut self, token: u128, sent: bool, now: Nanos, out: &mut GatewayOut) {
        let class = if sent { Class::Unknown } else { Class::Refused };
        let text = if sent { "no answer" } else { "not sent" };
        if token >= 1 << 64 {
            let (client, code) = (ClientId::from_bits(token), error::code(text));
            out.reports.push(Report::OrderError { client, class, code, retry_at: None });
        } else if let Some(call) = self.calls.take(token) {
            let name = call.name();
            self.call_failed(&call, name, class, text, now, out);
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
            Call::Cancel { client, .. }
            | Call::Amend { client, .. }
            | Call::Hunt { client: Some(client), .. } => {
                out.reports.push(Report::CancelError { client: *client, class, code: error::code(text) });
            }
            // It is asked again by and by.
            Call::Chase(id) => self.memory.chased(*id, now),
            _ => out.reports.push(Report::Malformed(format!("{name}: {}", error::code(text)))),
        }
    }

    /// Takes the answer of a call; `None` when it cannot be read.
    fn answered(&mut self, call: Call, answer: &Answer<'_>, now: Nanos, out: &mut GatewayOut) -> Option<()> {
        match call {
            Call::Cancel { client, .. } => {
                if self.product == Product::Advanced {
                    for (_, refused) in advanced::read_cancels(answer.body)? {
                        let Some(why) = refused else { continue };
                        let code = error::code(&why);
                        out.reports.push(Report::CancelError { client, class: Class::Refused, code });
                    }
                }
                // What became of the order comes over the stream.
            }
            Call::Hunt { client, place, mut found } => {
                let page = self.read_orders(answer)?;
                let wanted = |row: &&OrderRow| client.is_none() || row.client == client;
                found.extend(page.rows.iter().filter(wanted).map(|row| row.id));
                if let Some(next) = page.next {
                    self.call(Call::Hunt { client, place, found }, Some(&next), now, out);
                } else if let Some(client) = client {
                    match found.first() {
                        Some(id) => {
                            self.memory.learn(*id, client);
                            self.call(Call::Cancel { client, id: Some(*id), place }, None, now, out);
                        }
                        None => {
                            let code = error::code("no such open order");
                            out.reports.push(Report::CancelError { client, class: Class::Refused, code });
                        }
                    }
                } else if found.is_empty() {
                    out.reports.push(Report::CancelledAll { count: Some(0) });
                } else {
                    self.call(Call::CancelAll { place, ids: found, count: 0, round: 0 }, None, now, out);
                }
            }
            Call::CancelAll { place, mut ids, count, round } => {
                let (more, cancelled) = match self.product {
                    Product::Advanced => {
                        let rows = advanced::read_cancels(answer.body)?;
                        let cancelled = rows.iter().filter(|(_, refused)| refused.is_none()).count() as u64;
                        ids.drain(..ids.len().min(CANCELS));
                        (!ids.is_empty(), cancelled)
                    }
                    Product::Exchange => {
                        // As far as one request goes: again until nothing is left.
                        let cancelled = exchange::read_cancelled(answer.body)?;
                        (cancelled > 0 && round < ROUNDS, cancelled)
                    }
                };
                let count = count + cancelled;
                if more {
                    self.call(Call::CancelAll { place, ids, count, round: round + 1 }, None, now, out);
                } else {
                    out.reports.push(Report::CancelledAll { count: Some(count) });
                }
            }
            Call::Amend { client, id, price, qty, .. } => match advanced::read_edit(answer.body)? {
                Ok(()) => {
                    self.memory.amended(id, price, qty);
                    out.reports.push(Report::Amended { client, price, qty });
                }
                Err(why) => {
                    let code = error::code(&why);
                    out.reports.push(Report::CancelError { client, class: Class::Refused, code });
                }
            },
            Call::Query { client, .. } => {
                let row = self.read_order(answer)?;
                // Advanced Trade was asked by its own id, and tells ours.
                let row = OrderRow { client: row.client.or(Some(client)), ..row };
                self.tell_order(&row, now, out)?;
            }
            Call::Vanished { client, id } => {
                let page = self.read_fills(answer)?;
                if page.rows.is_empty() {
                    let (state, filled) = (OrderState::Cancelled, Some(crate::types::Qty::ZERO));
                    out.reports.push(Report::Ended { client, state, filled, at: now });
                }
                let own = page.rows.iter().filter(|row| row.order == id);
                out.reports.extend(own.filter_map(|row| self.memory.on_fill(row, true)));
            }
            Call::Search { client, place, open, pages } => {
                let page = self.read_orders(answer)?;
                if let Some(row) = page.rows.iter().find(|row| row.client == Some(client)) {
                    self.tell_order(row, now, out)?;
                } else if let (Some(next), true) = (page.next, pages + 1 < PAGES) {
                    self.call(Call::Search { client, place, open, pages: pages + 1 }, Some(&next), now, out);
                } else if open {
                    self.call(Call::Search { client, place, open: false, pages: 0 }, None, now, out);
                } else {
                    out.reports.push(Report::NotFound { client });
                }
            }
            Call::Open { mut told, count } => {
                let page = self.read_orders(answer)?;
                for row in &page.rows {
                    // An order of a product that we do not trade, or without an id of our shape.
                    let status = row.status(self.memory.specs()).filter(|_| row.client.is_some());
                    told.push(match status {
                        Some(status) => {
                            self.memory.merge(row);
                            Report::Status(status)
                        }
                        None => Report::Foreign { venue_ref: row.id },
                    });
                }
                let count = count + page.rows.len();
                match page.next {
                    Some(next) => {
                        self.call(Call::Open { told, count }, Some(&next), now, out);
                    }
                    None => {
                        out.reports.extend(told);
                        out.reports.push(Report::OpenOrdersEnd { count });
                    }
                }
            }
            Call::Fills { place, since, mut list, pages } => {
                let page = self.read_fills(answer)?;
                let past = page.rows.iter().any(|row| row.at < since);
                list.extend(page.rows);
                match page.next {
                    Some(next) if !past && pages + 1 < PAGES => {
                        self.call(
                            Call::Fills { place, since, list, pages: pages + 1 },
                            Some(&next),
                            now,
                            out,
                        );
                    }
                    _ => {
                        list.retain(|row| row.place == place && row.at >= since);
                        list.sort_by_key(|row| row.at);
                        self.tell_fills(list, now, out);
                    }
                }
            }
            Call::Chase(id) => {
                let mut page = self.read_fills(answer)?;
                page.rows.retain(|row| row.order == id);
                page.rows.sort_by_key(|row| row.at);
                for row in &page.rows {
                    out.reports.extend(self.memory.on_fill(row, false));
                }
                match page.next {
                    Some(next) => {
                        self.call(Call::Chase(id), Some(&next), now, out);
                    }
                    None => self.memory.chased(id, now),
                }
            }
            Call::Owner { id, list } => {
                let row = self.read_order(answer)?;
                let stranger = list.is_empty();
                if row.id == id {
                    self.memory.merge(&row);
                } else {
                    self.memory.disown(id);
                }
                match row.client {
                    // It was spoken of before it was known: what it is, and then its fills.
                    Some(_) if stranger => self.tell_order(&row, now, out)?,
                    None if stranger => out.reports.push(Report::Foreign { venue_ref: id }),
                    _ => self.tell_fills(list, now, out),
                }
            }
            Call::Balances { mut told } => {
                let page = match self.product {
                    Product::Advanced => advanced::read_accounts(answer.body)?,
                    Product::Exchange => exchange::read_accounts(answer.body)?,
                };
                told.extend(page.rows);
                match page.next {
                    Some(next) => {
                        self.call(Call::Balances { told }, Some(&next), now, out);
                    }
                    None => out.reports.extend(told),
                }
            }
            Call::Fees(place) => {
                let symbol = self.memory.specs().get(place)?.symbol;
                out.reports.push(match self.product {
                    Product::Advanced => advanced::read_fees(answer.body, symbol)?,
                    Product::Exchange => exchange::read_fees(answer.body, symbol)?,
                });
            }
            Call::Rights => out.reports.push(Report::Rights(advanced::read_rights(answer.body)?)),
            Call::Time(asked) => {
                let venue = match self.calls.signer {
                    Signer::Advanced(_) => advanced::read_time(answer.body)?,
                    Signer::Exchange(_) => exchange::read_time(answer.body)?,
                };
                out.reports.push(Report::ServerTime { venue, asked });
            }
        }
        Some(())
    }

    fn read_order(&self, answer: &Answer<'_>) -> Option<OrderRow> {
        let row = match self.product {
            Product::Advanced => advanced::read_order(answer.body, self.memory.specs()),
            Product::Exchange => exchange::read_order(answer.body, self.memory.specs()),
        };
        row.map(|row| self.memory.named(row))
    }

    fn read_orders(&self, answer: &Answer<'_>) -> Option<Page<OrderRow>> {
        let page = match self.product {
            Product::Advanced => advanced::read_orders(answer.body, self.memory.specs()),
            Product::Exchange => exchange::read_orders(answer.body, answer.after, self.memory.specs()),
        };
        page.map(|page| Page {
            rows: page.rows.into_iter().map(|row| self.memory.named(row)).collect(),
            next: page.next,
        })
    }

    fn read_fills(&self, answer: &Answer<'_>) -> Option<Page<FillRow>> {
        match self.product {
            Product::Advanced => advanced::read_fills(answer.body, self.memory.specs()),
            Product::Exchange => exchange::read_fills(answer.body, answer.after, self.memory.specs()),
        }
    }

    /// Reports an order as it was found, and sets out after its fills.
    fn tell_order(&mut self, row: &OrderRow, now: Nanos, out: &mut GatewayOut) -> Option<()> {
        let status = row.status(self.memory.specs())?;
        self.memory.merge(row);
        out.reports.push(Report::Status(status));
        self.memory.chase(row.id, now);
        Some(())
    }

    /// Reports fills, once it is known whose all of them are.
    fn tell_fills(&mut self, list: Vec<FillRow>, now: Nanos, out: &mut GatewayOut) {
        let unknown = list.iter().map(|row| row.order).find(|order| self.memory.owner(order).is_none());
        if let Some(id) = unknown {
            self.call(Call::Owner { id, list }, None, now, out);
            return;
        }
        let mut strangers: Vec<VenueRef> = Vec::new();
        for row in &list {
            match self.memory.owner(&row.order) {
                Some(Some(_)) => out.reports.extend(self.memory.on_fill(row, true)),
                _ if strangers.contains(&row.order) => {}
                _ => {
                    strangers.push(row.order);
                    out.reports.push(Report::Foreign { venue_ref: row.order });
                }
            }
        }
    }
}
