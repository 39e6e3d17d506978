//! What was asked over REST and is not answered yet.

use std::collections::BTreeMap;

use super::advanced::{self, Ask};
use super::jwt;
use super::rows::{FillRow, Specs};
use super::{Product, exchange, limits, sign};
use crate::types::{ClientId, Nanos, Price, Qty, Report, VenueRef};
use crate::venue::{Budget, GatewayWant, HttpRequest, Turns};

/// Calls that may wait for their answers.
const CALLS: usize = 256;
/// How long a call waits for the venue's limits.
const PATIENCE: Nanos = Nanos::from_secs(15);
/// Life of a token that is used at once, in seconds.
const LIFE: i64 = 60;

/// A call and what its answer is needed for.
#[derive(Clone, Debug)]
pub enum Call {
    /// To cancel an order.
    Cancel {
        /// Ours.
        client: ClientId,
        /// The venue's id, where it is known: Advanced Trade needs it.
        id: Option<VenueRef>,
        /// Of which instrument.
        place: usize,
    },
    /// The open orders of an instrument, to cancel one of them, or all.
    Hunt {
        /// Which one; all, where none is named.
        client: Option<ClientId>,
        /// Of which instrument.
        place: usize,
        /// Found so far.
        found: Vec<VenueRef>,
    },
    /// To cancel all that was found (Advanced Trade), or all there is (Exchange).
    CancelAll {
        /// Of which instrument.
        place: usize,
        /// What this call and those after it name.
        ids: Vec<VenueRef>,
        /// Cancelled so far.
        count: u64,
        /// Calls so far.
        round: u32,
    },
    /// To change an order.
    Amend {
        /// Ours.
        client: ClientId,
        /// The venue's id.
        id: VenueRef,
        /// Of which instrument.
        place: usize,
        /// The new limit.
        price: Price,
        /// The new quantity.
        qty: Qty,
    },
    /// What became of an order?
    Query {
        /// Ours.
        client: ClientId,
        /// The venue's id, where it is known.
        id: Option<VenueRef>,
    },
    /// Fills of an order that the venue had and has no more.
    Vanished {
        /// Ours.
        client: ClientId,
        /// The venue's id.
        id: VenueRef,
    },
    /// The same where only lists can be searched (Advanced Trade): open orders, then all.
    Search {
        /// Ours.
        client: ClientId,
        /// Of which instrument.
        place: usize,
        /// Among the open ones.
        open: bool,
        /// Pages so far.
        pages: u32,
    },
    /// All open orders.
    Open {
        /// Reports of the pages so far.
        told: Vec<Report>,
        /// Orders so far.
        count: usize,
    },
    /// Fills of an instrument.
    Fills {
        /// Of which instrument.
        place: usize,
        /// Since when.
        since: Nanos,
        /// Rows so far.
        list: Vec<FillRow>,
        /// Pages so far.
        pages: u32,
    },
    /// Fills of an order whose total promises more than was seen.
    Chase(VenueRef),
    /// Whose an order is; what to tell of fills once it is known.
    Owner {
        /// The order.
        id: VenueRef,
        /// Fills of this and other orders, oldest first.
        list: Vec<FillRow>,
    },
    /// Balances.
    Balances {
        /// Those of the pages so far.
        told: Vec<Report>,
    },
    /// Fees of an instrument.
    Fees(usize),
    /// What the key may do.
    Rights,
    /// The time; when it was asked.
    Time(Nanos),
}

impl Call {
    /// What it is, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Cancel { .. } | Call::Hunt { .. } | Call::CancelAll { .. } => "cancel",
            Call::Amend { .. } => "amend",
            Call::Query { .. } | Call::Search { .. } | Call::Owner { .. } => "order",
            Call::Open { .. } => "open orders",
            Call::Fills { .. } | Call::Chase(_) | Call::Vanished { .. } => "fills",
            Call::Balances { .. } => "accounts",
            Call::Fees(_) => "fees",
            Call::Rights => "key permissions",
            Call::Time(_) => "time",
        }
    }
}

/// The key of either product.
pub enum Signer {
    /// Makes tokens.
    Advanced(jwt::Signer),
    /// Signs requests.
    Exchange(sign::Signer),
}

/// Calls under way.
pub struct Calls {
    /// The key.
    pub signer: Signer,
    /// The host that tokens name.
    host: String,
    pending: BTreeMap<u128, Call>,
    last: u64,
    pub turns: Turns<(Call, Ask)>,
}

impl Calls {
    /// For one key at a host.
    pub fn new(product: Product, signer: Signer, host: String) -> Calls {
        let turns = Turns::new(Budget::new(&limits::rules(product), 1));
        Calls { signer, host, pending: BTreeMap::new(), last: 0, turns }
    }

    /// Sends a call, now or when the limits have room for it; `next` is where its list goes on. False when the product has no such call.
    pub fn send(
        &mut self,
        call: Call,
        next: Option<&str>,
        specs: &Specs,
        now: Nanos,
        wants: &mut Vec<GatewayWant>,
    ) -> bool {
        let ask = match &self.signer {
            Signer::Advanced(_) => advanced_ask(&call, next, specs),
            Signer::Exchange(_) => exchange_ask(&call, next, specs),
        };
        let Some(ask) = ask else { return false };
        let (costs, urgency) = limits::of(&call);
        // What has no place is asked again by whoever needs it.
        self.turns.push((call, ask), urgency, costs, 0, now);
        self.take_turns(now, wants);
        true
    }

    /// Sends the calls that there is room for by now.
    pub fn take_turns(&mut self, now: Nanos, wants: &mut Vec<GatewayWant>) {
        while let Some((call, ask)) = self.turns.next(now) {
            self.send_now(call, ask, now, wants);
        }
    }

    /// A call that has waited too long for the venue's limits: it will not be sent.
    pub fn late(&mut self, now: Nanos) -> Option<Call> {
        self.turns.late(PATIENCE, now).map(|(call, _)| call)
    }

    fn send_now(&mut self, call: Call, ask: Ask, now: Nanos, wants: &mut Vec<GatewayWant>) {
        let (method, target, body) = ask;
        let mut headers = vec![("User-Agent", "xarb".to_owned())];
        // The time is public, and asked for before anything is known to work.
        if !matches!(call, Call::Time(_)) {
            match &mut self.signer {
                Signer::Advanced(signer) => {
                    let path = target.split('?').next().unwrap_or("");
                    let token = signer.token(Some(&format!("{method} {}{path}", self.host)), now, LIFE);
                    headers.push(("Authorization", format!("Bearer {}", token.as_str())));
                }
                Signer::Exchange(signer) => {
                    headers.extend(signer.headers(sign::second(now), method, &target, &body));
                }
            }
        }
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        if self.pending.len() >= CALLS {
            self.pending.pop_first();
        }
        self.last += 1;
        let token = u128::from(self.last);
        self.pending.insert(token, call);
        let request = HttpRequest { method, target, headers, body: body.into_bytes() };
        wants.push(GatewayWant::Http { token, request });
    }

    /// The call that was answered.
    pub fn take(&mut self, token: u128) -> Option<Call> {
        self.pending.remove(&token)
    }
}

/// A product's name.
fn product(specs: &Specs, place: usize) -> Option<&str> {
    Some(specs.get(place)?.symbol.as_str())
}

fn advanced_ask(call: &Call, next: Option<&str>, specs: &Specs) -> Option<Ask> {
    Some(match call {
        Call::Cancel { id, .. } => advanced::cancel(&[(*id)?]),
        Call::Hunt { place, .. } => advanced::orders(Some(product(specs, *place)?), true, next),
        Call::CancelAll { ids, .. } => advanced::cancel(ids.get(..ids.len().min(100))?),
        Call::Amend { id, place, price, qty, .. } => {
            let spec = specs.get(*place)?;
            let show = |value| crate::types::Fixed(value, spec.scale).to_string();
            advanced::edit(id, &show(price.0), &show(qty.0))
        }
        Call::Query { id, .. } => advanced::order(id.as_ref()?),
        Call::Search { place, open, .. } => advanced::orders(Some(product(specs, *place)?), *open, next),
        Call::Open { .. } => advanced::orders(None, true, next),
        Call::Fills { place, since, .. } => advanced::fills(product(specs, *place)?, *since, next),
        Call::Chase(id) | Call::Vanished { id, .. } => advanced::fills_of(id, next),
        Call::Owner { id, .. } => advanced::order(id),
        Call::Balances { .. } => advanced::accounts(next),
        Call::Fees(_) => advanced::fees(),
        Call::Rights => advanced::rights(),
        Call::Time(_) => advanced::server_time(),
    })
}

fn exchange_ask(call: &Call, next: Option<&str>, specs: &Specs) -> Option<Ask> {
    Some(match call {
        Call::Cancel { client, id, place } => exchange::cancel(id.as_ref(), *client, product(specs, *place)?),
        Call::CancelAll { place, .. } => exchange::cancel_all(product(specs, *place)?),
        Call::Query { client, id } => exchange::order(id.as_ref(), *client),
        Call::Vanished { id, .. } => exchange::fills_of(id, None),
        Call::Open { .. } => exchange::open_orders(next),
        Call::Fills { place, .. } => exchange::fills(product(specs, *place)?, next),
        Call::Chase(id) => exchange::fills_of(id, next),
        Call::Owner { id, .. } => exchange::order(Some(id), ClientId::default()),
        Call::Balances { .. } => exchange::accounts(),
        Call::Fees(_) => exchange::fees(),
        Call::Time(_) => exchange::server_time(),
        Call::Hunt { .. } | Call::Amend { .. } | Call::Search { .. } | Call::Rights => return None,
    })
}
