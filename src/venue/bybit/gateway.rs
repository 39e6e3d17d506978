//! Orders and the private side of one account in one market.
//!
//! Orders go over the order session, which logs in once and signs nothing after, or over REST, each a
//! signed request; cancels and amendments go the way that orders go. Account events come over the
//! private stream, a session of its own. Everything else is asked over REST.
//!
//! The venue answers a request once it has received it, not once it has done it: an acknowledgement
//! changes no order's state. What became of an order comes over the private stream, or in answer to a
//! question.
//!
//! Every `now` is the venue's time, as whoever hands it to us estimates it.
//!
//! The gateway is ready once its order session is logged in, where it has one, and the subscriptions
//! of the private stream are confirmed. Both sessions want a ping every 20 seconds.

mod answers;
mod commands;
mod session;
mod turn;

use self::session::Session;
use self::turn::Waiting;
use super::call::Call;
use super::limits;
use super::order::Encoder;
use super::private::Reader;
use super::sign::Signer;
use super::symbol::Market;
use crate::types::{Class, ClientId, Draft, Nanos, Report, VenueRef};
use crate::venue::{
    Budget, Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane,
    LaneSpec, Limited, OrderBytes, PreviewError, Transport, Turns, Unsupported, Urgency,
};

/// A request not answered by then is given up.
const PATIENCE: Nanos = Nanos::from_secs(15);
/// Most requests waiting for an answer.
const MAX_PENDING: usize = 4_096;

/// A gateway to one market.
pub struct BybitGateway {
    market: Market,
    config: GatewayConfig,
    signer: Signer,
    encoder: Encoder,
    reader: Reader,
    orders: Session,
    private: Session,
    streaming: bool,
    was_ready: bool,
    /// The dead-man switch: the window that the venue took, or that it refused one.
    switch: Switch,
    pending: Vec<Pending>,
    next_token: u64,
    turns: Turns<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Switch {
    Off,
    Asked,
    Set(Nanos),
    Refused,
}

/// A request without its answer.
struct Pending {
    token: u64,
    lane: Lane,
    asked: Nanos,
    what: What,
}

/// What a request is about. Lists come in pages: what was read of them is kept until all is there.
#[derive(Debug)]
enum What {
    Cancel(ClientId),
    Amend(ClientId),
    CancelAll,
    /// Asked of the open and just ended orders; then of those before.
    Query(ClientId, Call),
    QueryPast(ClientId),
    List(List),
    /// The wallet; of contracts, the questions for the positions in them.
    Wallet(Vec<Call>),
    Fees,
    Rights,
    ServerTime,
    Switch(Nanos),
}

/// What a list is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    OpenOrders,
    Fills,
    Positions,
}

/// A list that comes in pages.
#[derive(Debug)]
struct List {
    of: Of,
    /// The question, without its cursor.
    call: Call,
    /// Questions still to be asked after this one.
    rest: Vec<Call>,
    reports: Vec<Report>,
    count: usize,
    pages: usize,
}

/// An answer from either transport.
struct Answer<'a> {
    status: u16,
    code: i64,
    text: &'a str,
    /// The answer's own text, when it is one of success.
    result: Option<&'a str>,
    retry_at: Option<Nanos>,
}

impl BybitGateway {
    /// A gateway; not yet connected.
    ///
    /// # Errors
    /// [`PreviewError::Secret`] when the secret is not one of the venue's.
    pub fn new(market: Market, config: &GatewayConfig) -> Result<BybitGateway, PreviewError> {
        Ok(BybitGateway {
            market,
            signer: Signer::new(&config.credentials.secret)?,
            encoder: Encoder::new(market, config),
            reader: Reader::new(market, config.instruments.iter().map(|(_, spec)| spec)),
            config: config.clone(),
            orders: Session::default(),
            private: Session::default(),
            streaming: false,
            was_ready: false,
            switch: Switch::Off,
            pending: Vec::new(),
            next_token: 1,
            turns: Turns::new(Budget::new(
                match market {
                    Market::Spot => &limits::SPOT,
                    Market::Linear | Market::Inverse => &limits::CONTRACTS,
                },
                1,
            )),
        })
    }

    fn over_session(&self) -> bool {
        self.config.transport == Transport::Ws
    }

    /// Reports a change of readiness.
    fn settle_ready(&mut self, why: &'static str, out: &mut GatewayOut) {
        let ready = self.ready();
        if ready && !self.was_ready {
            out.reports.push(Report::Ready);
        } else if !ready && self.was_ready {
            out.reports.push(Report::Down(why));
        }
        self.was_ready = ready;
    }

    /// A request that will not be answered.
    fn unanswered(&mut self, what: What, out: &mut GatewayOut) {
        let code = VenueRef::cut("no answer");
        match what {
            What::Cancel(client) | What::Amend(client) => {
                out.reports.push(Report::CancelError { client, class: Class::Unknown, code });
            }
            What::Switch(_) => self.switch = Switch::Off,
            // No news is no information.
            _ => {}
        }
    }

    fn send_now(&mut self, lane: Lane, call: Call, what: What, now: Nanos, out: &mut GatewayOut) {
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.remove(0);
            self.unanswered(oldest.what, out);
        }
        let token = self.next_token;
        self.next_token += 1;
        self.pending.push(Pending { token, lane, asked: now, what });
        let window = self.config.window_ms;
        out.wants.push(match lane {
            Lane::Orders => GatewayWant::Send(lane, call.frame(&format!("n{token}"), window, now)),
            _ => {
                let request = call.http(&self.config.credentials.key, &self.signer, window, now);
                GatewayWant::Http { token: u128::from(token), request }
            }
        });
    }

    /// Takes a pending request out, unless it was given up before.
    fn take(&mut self, token: u64) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.token == token)?;
        Some(self.pending.swap_remove(at))
    }

    fn failed(&mut self, token: u128, sent: bool, out: &mut GatewayOut) {
        match u64::try_from(token) {
            Ok(token) => {
                if let Some(pending) = self.take(token) {
                    self.unanswered(pending.what, out);
                }
            }
            Err(_) if sent => out.reports.push(Report::unknown(ClientId::from_bits(token), "no answer")),
            Err(_) => out.reports.push(Report::OrderError {
                client: ClientId::from_bits(token),
                class: Class::Refused,
                code: VenueRef::cut("not sent"),
                retry_at: None,
            }),
        }
    }

    /// What was asked over a connection that is gone, or too long ago, is given up.
    fn give_up(&mut self, is_lost: impl Fn(&Pending) -> bool, out: &mut GatewayOut) {
        let lost = self.pending.extract_if(.., |pending| is_lost(pending));
        let lost: Vec<What> = lost.map(|pending| pending.what).collect();
        for what in lost {
            self.unanswered(what, out);
        }
    }
}

impl Gateway for BybitGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let lane = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: Vec::new(),
        };
        let mut lanes = vec![lane(Lane::Private, &self.config.private), lane(Lane::Rest, &self.config.rest)];
        if self.over_session() {
            lanes.insert(0, lane(Lane::Orders, &self.config.orders));
        }
        lanes
    }

    fn form(&self) -> Form {
        if self.over_session() { Form::Session } else { Form::Signed }
    }

    fn ready(&self) -> bool {
        // An HTTP connection is opened again for the asking; a session is not.
        self.streaming && (!self.over_session() || self.orders.usable)
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(lane) => self.opened(lane, now, out),
            GatewayInput::Closed(lane) => self.closed(lane, out),
            GatewayInput::Text(lane, text) => self.text(lane, text.message(), now, out),
            GatewayInput::Response { token, status, headers, body } => {
                self.response(token, status, headers, body, now, out);
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, out),
            GatewayInput::Tick => {
                self.give_up(|pending| now - pending.asked >= PATIENCE, out);
                self.take_turns(now, out);
                self.tick(now, out);
            }
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.over_session() && !self.orders.usable {
            return Err(EncodeError::NotReady);
        }
        self.encoder.encode(&self.signer, order, now, out)
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.encoder.begin(order, out)
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if !self.over_session() {
            return self.encode(order, now, out);
        }
        if !self.orders.usable {
            return Err(EncodeError::NotReady);
        }
        self.encoder.complete(order, now, out)
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        if self.over_session() && out.begun.guessed(order).is_some() {
            // A guess that is there was checked: nothing can fail.
            let _ = self.encoder.complete(order, now, out);
        }
        self.turns.budget.rehearse(&self.order_costs(), 0, now);
    }

    #[inline]
    fn spend(&mut self, _: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        self.turns.budget.spend(&self.order_costs(), urgency, 0, now)
    }

    fn refund(&mut self, _: &Draft, now: Nanos) {
        self.turns.budget.refund(&self.order_costs(), 0, now);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        self.start(command, now, out)
    }
}
