//! What was asked and is not answered yet: over the session, and over REST.

use std::collections::BTreeMap;

use super::order::DEMO_HEADER;
use super::sign::{Signer, passphrase, text, timestamp};
use crate::types::{ClientId, Nanos, Report, VenueRef};
use crate::venue::{Credentials, GatewayWant, HttpRequest};

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
    /// To cancel or amend an order.
    Change(ClientId),
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
            Call::Change(_) => "change of an order",
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

/// Requests under way, and what signs them.
pub struct Calls {
    credentials: Credentials,
    signer: Signer,
    /// Meant for the demo.
    demo: bool,
    pending: BTreeMap<u64, Pending>,
    last: u64,
}

impl Calls {
    /// For one key.
    pub fn new(credentials: &Credentials, signer: Signer, demo: bool) -> Calls {
        Calls { credentials: credentials.clone(), signer, demo, pending: BTreeMap::new(), last: 0 }
    }

    /// What signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Asks by a signed GET; `target` is path and query.
    pub fn get(&mut self, target: String, call: Call, now: Nanos, wants: &mut Vec<GatewayWant>) {
        self.http("GET", target, String::new(), true, call, now, wants);
    }

    /// Asks by a GET without a signature.
    pub fn get_public(&mut self, target: &str, call: Call, now: Nanos, wants: &mut Vec<GatewayWant>) {
        self.http("GET", target.to_owned(), String::new(), false, call, now, wants);
    }

    /// Asks by a signed POST.
    pub fn post(&mut self, path: &str, body: String, call: Call, now: Nanos, wants: &mut Vec<GatewayWant>) {
        self.http("POST", path.to_owned(), body, true, call, now, wants);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn http(
        &mut self,
        method: &'static str,
        target: String,
        body: String,
        signed: bool,
        call: Call,
        now: Nanos,
        wants: &mut Vec<GatewayWant>,
    ) {
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
        let token = u128::from(self.remember(call, now, false));
        let request = HttpRequest { method, target, headers, body: body.into_bytes() };
        wants.push(GatewayWant::Http { token, request });
    }

    /// Gives a request over the session its number.
    pub fn over_session(&mut self, call: Call, now: Nanos) -> u64 {
        self.remember(call, now, true)
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

    /// True while such a call is under way.
    pub fn is_under_way(&self, call: &Call) -> bool {
        self.pending.values().any(|pending| pending.call == *call)
    }

    /// Takes out the requests over the session that will not be answered: all of them when it is
    /// gone, else those that were asked too long ago. Requests over REST tell of their own failure.
    pub fn unanswered(&mut self, gone: bool, now: Nanos) -> Vec<Call> {
        let lost = |pending: &Pending| pending.session && (gone || now - pending.asked >= PATIENCE);
        let tokens: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| lost(pending)).map(|(token, _)| *token).collect();
        tokens
            .into_iter()
            .filter_map(|token| self.pending.remove(&token))
            .map(|pending| pending.call)
            .collect()
    }
}
