//! Answers to HTTP requests and to account calls, as reports; and the calls that follow from them.

use serde_json::value::RawValue;

use super::calls;
use super::error::{self, classify_http};
use super::gateway::OkxGateway;
use super::order::Socket;
use super::private::{Envelope, FillRow, OrderRow, Unreadable, balances, malformed};
use super::requests::{BATCH, Call, PAGE, PAGES, SWEEPS, Sweep};
use super::symbol;
use crate::types::{Class, ClientId, Nanos, Report, VenueRef};
use crate::venue::GatewayOut;

impl OkxGateway {
    /// An answer over HTTP: to an order, which is known by its id, or to a call.
    pub(super) fn response(
        &mut self,
        token: u128,
        status: u16,
        body: &[u8],
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let nothing = Envelope { code: None, msg: None, data: None };
        let envelope = serde_json::from_slice::<Envelope>(body).unwrap_or(nothing);
        let Ok(number) = u64::try_from(token) else {
            let client = ClientId::from_bits(token);
            return match &envelope.code {
                Some(_) => self.placed(client, &envelope, status, now, out),
                // No envelope: only the status tells.
                None => {
                    self.order_error(client, status, 0, VenueRef::cut(&format!("HTTP {status}")), now, out)
                }
            };
        };
        let Some((call, asked)) = self.calls.take(number) else {
            return out.reports.push(malformed("an answer: to what"));
        };
        // The list of instruments is read by its own reader.
        if call == Call::Instruments && status == 200 {
            return self.instruments(body, now, out);
        }
        if envelope.code.is_none() {
            return self.call_failed(
                &call,
                classify_http(status, 0),
                VenueRef::cut(&format!("HTTP {status}")),
                now,
                out,
            );
        }
        self.answered(call, &envelope, status, asked, now, out);
    }

    /// No answer will come.
    pub(super) fn failed(&mut self, token: u128, sent: bool, now: Nanos, out: &mut GatewayOut) {
        let (class, why) = if sent { (Class::Unknown, "no answer") } else { (Class::Refused, "not sent") };
        match u64::try_from(token) {
            Ok(number) => {
                if let Some((call, _)) = self.calls.take(number) {
                    self.call_failed(&call, class, VenueRef::cut(why), now, out);
                }
            }
            Err(_) => {
                let client = ClientId::from_bits(token);
                out.reports.push(Report::OrderError {
                    client,
                    class,
                    code: VenueRef::cut(why),
                    retry_at: None,
                });
            }
        }
    }

    /// A request over the session that will not be answered.
    pub(super) fn unanswered(&mut self, call: Call, out: &mut GatewayOut) {
        if let Call::Cancel(client) | Call::Amend(client) = call {
            out.reports.push(Report::CancelError {
                client,
                class: Class::Unknown,
                code: VenueRef::cut("no answer"),
            });
        }
    }

    /// The answer to a call.
    pub(super) fn answered(
        &mut self,
        call: Call,
        envelope: &Envelope<'_>,
        status: u16,
        asked: Nanos,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        // Acks of changes have codes of their own; in a batch some may fail and some not.
        let fault = match &call {
            Call::Cancel(_) | Call::Amend(_) => envelope.single().err(),
            Call::SweepBatch(_) if !envelope.acks().is_empty() => None,
            _ => envelope.fault(),
        };
        if let Some(fault) = fault {
            self.check_clock(fault.code, now, out);
            let class = classify_http(status, fault.code);
            return match call {
                Call::Query(client) if fault.code == error::NO_SUCH_ORDER && status == 200 => {
                    out.reports.push(Report::NotFound { client });
                }
                _ => self.call_failed(&call, class, fault.text, now, out),
            };
        }
        let name = call.name();
        let Some(data) = envelope.data else {
            return out.reports.push(malformed(name));
        };
        let before = out.reports.len();
        if let Err(what) = self.read(call, envelope, data, asked, now, out) {
            out.reports.truncate(before);
            out.reports.push(Report::Malformed(format!("{name}: cannot read {what}")));
        }
    }

    fn read(
        &mut self,
        call: Call,
        envelope: &Envelope<'_>,
        data: &RawValue,
        asked: Nanos,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unreadable> {
        match call {
            // Read before it comes to this.
            Call::Instruments => {}
            // What became of the order comes over the stream.
            Call::Cancel(_) | Call::Amend(_) => {}
            Call::Balances => {
                balances(data, self.is_spot(), &mut out.reports)?;
                if !self.is_spot() {
                    let target = format!("/api/v5/account/positions?instType={}", self.market.kind());
                    self.calls.get(target, Call::Positions, now, &mut out.wants);
                }
            }
            Call::Positions => {
                let mut told = Vec::new();
                self.reader.positions(data, &mut told)?;
                self.reader.flat(&mut told);
                out.reports.append(&mut told);
            }
            Call::Fees(place) => {
                let traded = self.traded.get(place).ok_or("an instrument")?;
                out.reports.push(calls::fees(data, traded.spec.symbol, traded.group.as_deref())?);
            }
            Call::Rights => {
                out.reports.push(Report::Rights(calls::rights(data, !self.is_spot())?));
            }
            Call::ServerTime => out.reports.push(Report::ServerTime { venue: calls::time(data)?, asked }),
            Call::DeadMan => out.reports.push(Report::DeadMan { until: calls::trigger(data)? }),
            Call::Query(client) => match orders(data)?.first() {
                Some(row) => out.reports.push(self.reader.status(row)?),
                None => out.reports.push(Report::NotFound { client }),
            },
            Call::Open { pages, mut list } => {
                let rows = orders(data)?;
                for row in &rows {
                    list.push(self.reader.status(row)?);
                }
                match rows.last() {
                    Some(last) if rows.len() >= PAGE => {
                        if pages + 1 >= PAGES {
                            return Err("so many open orders");
                        }
                        self.ask_open(pages + 1, list, Some(&last.ord_id), now, out);
                    }
                    _ => {
                        let count = list.len();
                        out.reports.extend(list);
                        out.reports.push(Report::OpenOrdersEnd { count });
                    }
                }
            }
            Call::Fills { place, since, pages, mut list } => {
                let rows: Vec<FillRow> = serde_json::from_str(data.get()).map_err(|_| "the fills")?;
                for row in &rows {
                    list.push(self.reader.fill(row)?);
                }
                match rows.last() {
                    Some(last) if rows.len() >= PAGE => {
                        if pages + 1 >= PAGES {
                            return Err("so many fills");
                        }
                        self.ask_fills(place, since, pages + 1, list, Some(&last.bill_id), now, out);
                    }
                    // The venue lists the newest first.
                    _ => out.reports.extend(list.into_iter().rev()),
                }
            }
            Call::Sweep(mut sweep) => {
                let rows = orders(data)?;
                sweep.more = rows.len() >= PAGE;
                sweep.pages += 1;
                sweep.rest = rows.iter().filter_map(|row| VenueRef::new(&row.ord_id)).collect();
                self.sweep_on(sweep, now, out);
            }
            Call::SweepBatch(mut sweep) => {
                sweep.count += envelope.acks().iter().filter(|ack| ack.s_code == "0").count() as u64;
                self.sweep_on(sweep, now, out);
            }
        }
        Ok(())
    }

    /// The account's instruments came: sessions know them by these numbers.
    fn instruments(&mut self, body: &[u8], now: Nanos, out: &mut GatewayOut) {
        let Some(rows) = symbol::rows(body) else {
            self.no_instruments(now);
            return out.reports.push(malformed("instruments"));
        };
        self.numberings = self.numberings.wrapping_add(1);
        for traded in &mut self.traded {
            let row = rows.iter().find(|row| row.inst_id == traded.spec.symbol.as_str());
            traded.code = row.and_then(|row| row.inst_id_code);
            traded.group = row.map(|row| row.group_id.to_string()).filter(|group| !group.is_empty());
            traded.socket = traded.code.map(|code| Socket::new(&traded.spec, self.market, code));
            if traded.code.is_none() {
                let what = format!("instruments: this account has no {}", traded.spec.symbol);
                out.reports.push(Report::Malformed(what));
            }
        }
        self.instruments_known(out);
    }

    /// A call that was answered with an error, or not at all.
    fn call_failed(&mut self, call: &Call, class: Class, code: VenueRef, now: Nanos, out: &mut GatewayOut) {
        match call {
            Call::Cancel(client) | Call::Amend(client) => {
                out.reports.push(Report::CancelError { client: *client, class, code });
            }
            Call::Instruments => {
                self.no_instruments(now);
                out.reports.push(Report::Malformed(format!("instruments: {code}")));
            }
            // Nobody knows of these: another list will tell what is left.
            Call::SweepBatch(sweep) => {
                out.reports.push(Report::Malformed(format!("{}: {code}", call.name())));
                self.sweep_on(Sweep { more: true, ..sweep.clone() }, now, out);
            }
            _ => out.reports.push(Report::Malformed(format!("{}: {code}", call.name()))),
        }
    }

    /// Asks for a page of the open orders, behind an order.
    pub(super) fn ask_open(
        &mut self,
        pages: usize,
        list: Vec<Report>,
        after: Option<&str>,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let after = after.map_or(String::new(), |order| format!("&after={order}"));
        let target = format!("/api/v5/trade/orders-pending?instType={}{after}", self.market.kind());
        self.calls.get(target, Call::Open { pages, list }, now, &mut out.wants);
    }

    /// Asks for a page of the fills, behind a row.
    #[expect(clippy::too_many_arguments, reason = "the parts of one question")]
    pub(super) fn ask_fills(
        &mut self,
        place: usize,
        since: Nanos,
        pages: usize,
        list: Vec<Report>,
        after: Option<&str>,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let after = after.map_or(String::new(), |row| format!("&after={row}"));
        let target = format!(
            "/api/v5/trade/fills?instType={}&instId={}&begin={}{after}",
            self.market.kind(),
            self.symbol(place),
            since.millis().max(0),
        );
        self.calls.get(target, Call::Fills { place, since, pages, list }, now, &mut out.wants);
    }

    /// Lists the orders of an instrument, to cancel them.
    pub(super) fn sweep(&mut self, sweep: Sweep, now: Nanos, out: &mut GatewayOut) {
        let target = format!(
            "/api/v5/trade/orders-pending?instType={}&instId={}",
            self.market.kind(),
            self.symbol(sweep.place)
        );
        self.calls.get(target, Call::Sweep(sweep), now, &mut out.wants);
    }

    /// Cancels the next batch of a list, or makes the next list, or ends.
    fn sweep_on(&mut self, mut sweep: Sweep, now: Nanos, out: &mut GatewayOut) {
        if sweep.rest.is_empty() {
            if sweep.more && sweep.pages < SWEEPS {
                return self.sweep(sweep, now, out);
            }
            return out.reports.push(match sweep.more {
                false => Report::CancelledAll { count: Some(sweep.count) },
                true => Report::Malformed("cancel of all orders: some are left".to_owned()),
            });
        }
        let batch = sweep.rest.split_off(sweep.rest.len().saturating_sub(BATCH));
        let symbol = serde_json::Value::from(self.symbol(sweep.place));
        let rows: Vec<String> =
            batch.iter().map(|order| format!("{{\"instId\":{symbol},\"ordId\":\"{order}\"}}")).collect();
        let body = format!("[{}]", rows.join(","));
        let place = sweep.place;
        sweep.is_single = batch.len() == 1;
        self.calls.post(
            "/api/v5/trade/cancel-batch-orders",
            body,
            Call::SweepBatch(sweep),
            place,
            now,
            &mut out.wants,
        );
    }
}

fn orders(data: &RawValue) -> Result<Vec<OrderRow<'_>>, Unreadable> {
    serde_json::from_str(data.get()).map_err(|_| "the orders")
}
