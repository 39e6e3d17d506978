//! What was asked and is not answered yet: over the session, and over REST.

use std::collections::BTreeMap;

use super::limits::{self, RULES};
use super::order::DEMO_HEADER;
use super::sign::{Signer, passphrase, text, timestamp};
use crate::types::{ClientId, Nanos, Report, VenueRef};
use crate::venue::{Budget, Credentials, GatewayWant, HttpRequest, Lane, Turns};

/// Requests that may wait for their answers.
const WAITING: usize = 4_096;
/// A request over the session that is not answered by then is given up.
const PATIENCE: Nanos = Nanos::from_secs(15);

/// Rows of a full page of orders or fills.
pub const PAGE: usize = 100;
/// Orders that one request may cancel.
pub const BATCH: usize = 20;
/// Lists that cancelling all orders may take: an instrument has 500 at most.
pub const SWEEPS: usize = 10;
/// Pages that a question may go through.
pub const PAGES: usize = 50;

/// A request that is not a new order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// The account's list of instruments: numbers for the session, groups for fees.
    Instruments,
    /// Balances.
    Balances,
    /// Fees of an instrument.
    Fees(usize),
    /// Rights of the key.
    Rights,
    /// The venue's clock.
    ServerTime,
    /// A page of the open orders, behind those read so far.
    Open {
        /// Pages so far.
        pages: usize,
        /// Orders so far.
        list: Vec<Report>,
    },
    /// One order.
    Query(ClientId),
    /// A page of the list of fills, behind those read so far.
    Fills {
        /// Of which instrument.
        place: usize,
        /// Since when.
        since: Nanos,
        /// Pages so far.
        pages: usize,
        /// Fills so far.
        list: Vec<Report>,
    },
    /// To cancel an order.
    Cancel(ClientId),
    /// To amend one.
    Amend(ClientId),
    /// A page of the orders that are to be cancelled.
    Sweep(Sweep),
    /// To cancel some of them.
    SweepBatch(Sweep),
    /// The dead-man switch.
    DeadMan,
}

/// Cancelling all orders of an instrument: the venue has no such request, so they are listed and
/// cancelled in batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sweep {
    /// Of which instrument.
    pub place: usize,
    /// Cancelled so far.
    pub count: u64,
    /// Lists so far.
    pub pages: usize,
    /// Of the last list, what is still to be cancelled.
    pub rest: Vec<VenueRef>,
    /// The last list was full: there may be more.
    pub more: bool,
    /// One order alone is being cancelled, which counts as a single request.
    pub is_single: bool,
}

impl Call {
    /// Its name in news.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Instruments => "instruments",
            Call::Balances => "balance",
            Call::Fees(_) => "trade-fee",
            Call::Rights => "config",
            Call::ServerTime => "time",
            Call::Open { .. } => "orders-pending",
            Call::Query(_) => "order",
            Call::Fills { .. } => "fills",
            Call::Cancel(_) => "cancel of an order",
            Call::Amend(_) => "amendment of an order",
            Call::Sweep(_) => "orders-pending",
            Call::SweepBatch(_) => "cancel-batch-orders",
            Call::DeadMan => "cancel-all-after",
        }
    }
}

/// A request without its answer.
struct Pending {
    call: Call,
    asked: Nanos,
    session: bool,
}

/// A request that is to be made.
pub struct Ask {
    call: Call,
    by: By,
}

/// How it goes.
enum By {
    /// Path and query, and the body of a POST; signed when it goes.
    Rest { method: &'static str, target: String, body: String, signed: bool },
    /// Over the session: its operation and the fields of its one argument.
    Session { op: &'static str, fields: String },
}

/// Requests under way, those that wait for the venue's limits, and what signs them.
pub struct Calls {
    credentials: Credentials,
    signer: Signer,
    /// Meant for the demo.
    demo: bool,
    is_spot: bool,
    /// The lane of the session, while it is logged in.
    pub session: Option<Lane>,
    pub turns: Turns<Ask>,
    /// What was not sent, and never will be.
    unsent: Vec<Call>,
    pending: BTreeMap<u64, Pending>,
    last: u64,
}

impl Calls {
    /// For one key, and so many instruments.
    pub fn new(
        credentials: &Credentials,
        signer: Signer,
        demo: bool,
        is_spot: bool,
        instruments: usize,
    ) -> Calls {
        Calls {
            credentials: credentials.clone(),
            signer,
            demo,
            is_spot,
            session: None,
            turns: Turns::new(Budget::new(&RULES, instruments)),
            unsent: Vec::new(),
            pending: BTreeMap::new(),
            last: 0,
        }
    }

    /// What signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Asks by a signed GET; `target` is path and query.
    pub fn get(&mut self, target: String, call: Call, now: Nanos, wants: &mut Vec<GatewayWant>) {
        let by = By::Rest { method: "GET", target, body: String::new(), signed: true };
        self.ask(Ask { call, by }, 0, now, wants);
    }

    /// Asks by a GET without a signature.
    pub fn get_public(&mut self, target: &str, call: Call, now: Nanos, wants: &mut Vec<GatewayWant>) {
        let by = By::Rest { method: "GET", target: target.to_owned(), body: String::new(), signed: false };
        self.ask(Ask { call, by }, 0, now, wants);
    }

    /// Asks by a signed POST that is about an instrument, by its place, or about none.
    pub fn post(
        &mut self,
        path: &str,
        body: String,
        call: Call,
        instrument: usize,
        now: Nanos,
        wants: &mut Vec<GatewayWant>,
    ) {
        let by = By::Rest { method: "POST", target: path.to_owned(), body, signed: true };
        self.ask(Ask { call, by }, instrument, now, wants);
    }

    /// Asks over the session about an instrument.
    pub fn over_session(
        &mut self,
        (op, fields): (&'static str, String),
        call: Call,
        instrument: usize,
        now: Nanos,
        wants: &mut Vec<GatewayWant>,
    ) {
        self.ask(Ask { call, by: By::Session { op, fields } }, instrument, now, wants);
    }

    fn ask(&mut self, ask: Ask, instrument: usize, now: Nanos, wants: &mut Vec<GatewayWant>) {
        let (costs, urgency) = limits::of(&ask.call, self.is_spot);
        if let Some(last) = self.turns.push(ask, urgency, costs, instrument, now) {
            self.unsent.push(last.call);
        }
        self.take_turns(now, wants);
    }

    /// Makes the requests that there is room for by now, and gives up those that waited too long.
    pub fn take_turns(&mut self, now: Nanos, wants: &mut Vec<GatewayWant>) {
        while let Some(Ask { call, by }) = self.turns.next(now) {
            match (by, self.session) {
                (By::Rest { method, target, body, signed }, _) => {
                    let headers = self.headers(method, &target, &body, signed, now);
                    let token = u128::from(self.remember(call, now, false));
                    let request = HttpRequest { method, target, headers, body: body.into_bytes() };
                    wants.push(GatewayWant::Http { token, request });
                }
                (By::Session { op, fields }, Some(lane)) => {
                    let token = self.remember(call, now, true);
                    let text = format!("{{\"id\":\"n{token}\",\"op\":\"{op}\",\"args\":[{{{fields}}}]}}");
                    wants.push(GatewayWant::Send(lane, text));
                }
                (By::Session { .. }, None) => self.unsent.push(call),
            }
        }
        while let Some(late) = self.turns.late(PATIENCE, now) {
            self.unsent.push(late.call);
        }
    }

    fn headers(
        &self,
        method: &str,
        target: &str,
        body: &str,
        signed: bool,
        now: Nanos,
    ) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(6);
        if signed {
            let at = timestamp(now);
            let parts = [at.as_bytes(), method.as_bytes(), target.as_bytes(), body.as_bytes()];
            let signature = text(&self.signer.sign(&parts));
            headers.push(("OK-ACCESS-KEY", self.credentials.key.clone()));
            headers.push(("OK-ACCESS-SIGN", signature));
            headers.push(("OK-ACCESS-TIMESTAMP", at));
            headers.push(("OK-ACCESS-PASSPHRASE", passphrase(&self.credentials).to_owned()));
        }
        if self.demo {
            headers.push((DEMO_HEADER.0, DEMO_HEADER.1.to_owned()));
        }
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        headers
    }

    fn remember(&mut self, call: Call, asked: Nanos, session: bool) -> u64 {
        if self.pending.len() >= WAITING {
            self.pending.pop_first();
        }
        self.last += 1;
        self.pending.insert(self.last, Pending { call, asked, session });
        self.last
    }

    /// The call that was answered, and when it was asked.
    pub fn take(&mut self, token: u64) -> Option<(Call, Nanos)> {
        self.pending.remove(&token).map(|pending| (pending.call, pending.asked))
    }

    /// True while such a call is under way, or waits.
    pub fn is_under_way(&self, call: &Call) -> bool {
        self.pending
            .values()
            .map(|pending| &pending.call)
            .chain(self.turns.waiting().map(|ask| &ask.call))
            .any(|own| own == call)
    }

    /// Takes out the requests that were never sent, and of those over the session the ones that will
    /// not be answered: all of them when it is gone, else those that were asked too long ago. Requests
    /// over REST tell of their own failure.
    pub fn unanswered(&mut self, gone: bool, now: Nanos) -> Vec<Call> {
        let lost = |pending: &Pending| pending.session && (gone || now - pending.asked >= PATIENCE);
        let tokens: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| lost(pending)).map(|(token, _)| *token).collect();
        let lost = tokens.into_iter().filter_map(|token| self.pending.remove(&token));
        let lost: Vec<Call> = lost.map(|pending| pending.call).collect();
        self.unsent.drain(..).chain(lost).collect()
    }
}
