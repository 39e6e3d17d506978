//! What was asked and is not answered yet: over the socket, and over REST.

use std::collections::BTreeMap;

use super::calls::Trade;
use super::limits::{self, CALL_RULES};
use super::sign::{Nonce, Signer};
use crate::types::{ClientId, Nanos, VenueRef};
use crate::venue::{Budget, GatewayWant, HttpRequest, Turns, Urgency};

/// Requests over the socket that may wait for their answers; a power of two. One that is still
/// unanswered when this many have followed is given up: its order is known by its own id anyway.
const WAITING: usize = 4096;

/// REST calls that may wait for their answers.
const CALLS: usize = 256;

/// How long a call waits for the venue's limits.
const PATIENCE: Nanos = Nanos::from_secs(15);

/// A request over the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Asked {
    /// Nothing, or answered.
    #[default]
    Nothing,
    /// A new order.
    Order(ClientId),
    /// To cancel or amend one.
    Change(ClientId),
    /// To cancel everything.
    CancelAll,
    /// The dead-man switch.
    DeadMan,
    /// A subscription to `executions`.
    Executions,
    /// A subscription to `balances`.
    Balances,
    /// The time, when it was asked.
    Time(Nanos),
}

/// Requests over the socket, found by their ids; memory is taken once.
pub struct Ring {
    slots: Box<[(u64, Asked)]>,
    last: u64,
}

impl Ring {
    /// Empty.
    pub fn new() -> Ring {
        Ring { slots: vec![(0, Asked::Nothing); WAITING].into_boxed_slice(), last: 0 }
    }

    /// Gives a request its id.
    pub fn ask(&mut self, asked: Asked) -> u64 {
        self.last += 1;
        self.slots[self.last as usize % WAITING] = (self.last, asked);
        self.last
    }

    /// What the answered request was. Cancels have an answer for each order, so it stays.
    pub fn find(&self, id: u64) -> Asked {
        match self.slots[id as usize % WAITING] {
            (own, asked) if own == id => asked,
            _ => Asked::Nothing,
        }
    }

    /// The session is gone, and what was asked in it.
    pub fn clear(&mut self) {
        self.slots.fill((0, Asked::Nothing));
    }
}

/// A call over REST.
#[derive(Clone, Debug)]
pub enum Call {
    /// A token for the socket; of which session.
    Token(u64),
    /// Balances with what is held.
    Balances,
    /// Fees of an instrument.
    Fees(usize),
    /// Rights of the key.
    Rights,
    /// All open orders.
    Open,
    /// One order among the open ones.
    QueryOpen(ClientId),
    /// One order among those that ended.
    QueryClosed(ClientId),
    /// A page of the trade list.
    Trades {
        /// Of which instrument.
        place: usize,
        /// Since when.
        since: Nanos,
        /// Rows seen so far.
        seen: u64,
        /// Trades so far.
        list: Vec<Trade>,
    },
    /// Whose some orders are.
    Owners {
        /// The orders.
        asked: Vec<VenueRef>,
        /// Trades of these and other orders, oldest first.
        list: Vec<Trade>,
    },
    /// To cancel or amend an order.
    Change(ClientId),
    /// To cancel everything.
    CancelAll,
    /// The dead-man switch.
    DeadMan,
}

/// A call that is not answered yet, with what it takes to send it once more.
pub struct Pending {
    /// What it is.
    pub call: Call,
    name: &'static str,
    rest: String,
    /// Sent again after its nonce was refused; that happens once.
    pub again: bool,
}

impl Pending {
    /// The method that was called.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// REST calls under way.
pub struct Calls {
    key: String,
    signer: Signer,
    nonce: Nonce,
    pending: BTreeMap<u128, Pending>,
    last: u64,
    pub turns: Turns<Pending>,
}

/// Without a token there is no session, and what rests there cannot be cancelled.
fn urgency(call: &Call) -> Urgency {
    match call {
        Call::Token(_) | Call::Change(_) | Call::CancelAll | Call::DeadMan => Urgency::Urgent,
        _ => Urgency::Question,
    }
}

impl Calls {
    /// For one key.
    pub fn new(key: &str, signer: Signer, nonce_from: u64) -> Calls {
        Calls {
            key: key.to_owned(),
            signer,
            nonce: Nonce::starting(nonce_from),
            pending: BTreeMap::new(),
            last: 0,
            turns: Turns::new(Budget::new(&CALL_RULES, 1)),
        }
    }

    /// The next nonce, and what signs with it.
    pub fn nonce(&mut self, now: Nanos) -> Option<(u64, &Signer)> {
        Some((self.nonce.take(now)?, &self.signer))
    }

    /// Calls a private method. `rest` is the form behind the nonce, starting with `&` unless empty.
    /// Nothing is sent once nonces have run out: the caller's session never becomes ready then.
    pub fn post(
        &mut self,
        name: &'static str,
        rest: String,
        call: Call,
        now: Nanos,
        wants: &mut Vec<GatewayWant>,
    ) {
        self.turn(Pending { call, name, rest, again: false }, now, wants);
    }

    /// Sends a call, now or when the limits have room for it. One that waits already is not asked twice.
    fn turn(&mut self, pending: Pending, now: Nanos, wants: &mut Vec<GatewayWant>) {
        if !self.turns.waiting().any(|own| own.name == pending.name && own.rest == pending.rest) {
            let (urgency, costs) = (urgency(&pending.call), limits::call(pending.name));
            // A question without an answer is asked again by whoever needs it.
            self.turns.push(pending, urgency, costs, 0, now);
        }
        self.take_turns(now, wants);
    }

    /// None from here on may be used.
    pub fn nonces_below(&mut self, below: u64) {
        self.nonce.stop_below(below);
    }

    /// Sends the calls that there is room for by now. Without a nonce they wait.
    pub fn take_turns(&mut self, now: Nanos, wants: &mut Vec<GatewayWant>) {
        while self.nonce.has(now)
            && let Some(first) = self.turns.next(now)
        {
            self.send(first, now, wants);
        }
    }

    /// A call that has waited too long for the venue's limits: it will not be sent.
    pub fn late(&mut self, now: Nanos) -> Option<Pending> {
        self.turns.late(PATIENCE, now)
    }

    /// Sends a call once more, with a higher nonce.
    pub fn repeat(&mut self, pending: Pending, now: Nanos, wants: &mut Vec<GatewayWant>) {
        self.turn(Pending { again: true, ..pending }, now, wants);
    }

    fn send(&mut self, pending: Pending, now: Nanos, wants: &mut Vec<GatewayWant>) {
        let Some(nonce) = self.nonce.take(now) else { return };
        let nonce = nonce.to_string();
        let target = format!("/0/private/{}", pending.name);
        let body = format!("nonce={nonce}{}", pending.rest);
        let signature = self.signer.sign(&target, nonce.as_bytes(), body.as_bytes());
        let headers = vec![
            ("API-Key", self.key.clone()),
            ("API-Sign", signature.iter().map(|&byte| char::from(byte)).collect()),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let request = HttpRequest { method: "POST", target, headers, body: body.into_bytes() };
        let token = self.remember(pending);
        wants.push(GatewayWant::Http { token, request });
    }

    fn remember(&mut self, pending: Pending) -> u128 {
        if self.pending.len() >= CALLS {
            self.pending.pop_first();
        }
        self.last += 1;
        self.pending.insert(u128::from(self.last), pending);
        u128::from(self.last)
    }

    /// The call that was answered.
    pub fn take(&mut self, token: u128) -> Option<Pending> {
        self.pending.remove(&token)
    }
}
