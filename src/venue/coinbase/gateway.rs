//! The private side of both products: session, orders, account.
//!
//! Orders and questions go over REST, news come over a WebSocket. On Advanced Trade each request
//! carries a token; those of orders are made ahead (see [`super::tokens`]). On Exchange each request
//! is signed, with a time that the venue takes for 30 seconds. Neither cancels anything when a
//! connection is lost, and neither has a dead-man switch.

use super::calls::{Call, Calls, Signer};
use super::order;
use super::preview::self_trade_group;
use super::private::Memory;
use super::session::Session;
use super::tokens::Tokens;
use super::{Product, jwt, limits, sign};
use crate::types::{Class, Draft, InstrumentId, Nanos, Report};
use crate::venue::{
    Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, Lane, LaneSpec, Limited,
    OrderBytes, PreviewError, Transport, Unsupported, Urgency,
};

/// An order on Exchange is not to be sent in the last second of its time.
const SPARE: Nanos = Nanos::from_secs(1);

/// How orders of the products are written.
enum Encoder {
    Advanced { templates: Vec<order::Advanced>, tokens: Tokens },
    Exchange { templates: Vec<order::Exchange> },
}

/// Orders and account of one key.
pub struct CoinbaseGateway {
    pub(super) product: Product,
    pub(super) config: GatewayConfig,
    encoder: Encoder,
    pub(super) calls: Calls,
    pub(super) memory: Memory,
    pub(super) session: Session,
    /// An order could be written when this was last looked at.
    stocked: bool,
    pub(super) was_ready: bool,
}

impl CoinbaseGateway {
    /// # Errors
    /// When the secret is not what the venue hands out, or orders are to go over a WebSocket.
    pub fn new(product: Product, config: &GatewayConfig) -> Result<CoinbaseGateway, PreviewError> {
        if config.transport == Transport::Ws {
            return Err(PreviewError::Unsupported(format!(
                "{}: orders go over REST alone (transport = \"rest\")",
                product.id()
            )));
        }
        let host = config.rest.host_header();
        let specs = || config.instruments.iter().map(|(_, spec)| spec);
        let (signer, encoder) = match product {
            Product::Advanced => {
                let signer = jwt::Signer::new(&config.credentials, config.mask_seed)?;
                let group = self_trade_group(&config.credentials.key);
                let templates =
                    specs().map(|spec| order::Advanced::new(spec, &config.rest, &group)).collect();
                let uri = format!("POST {host}{}", order::ADVANCED_ORDERS);
                let tokens = Tokens::new(uri, token_life(config.window_ms));
                (Signer::Advanced(signer), Encoder::Advanced { templates, tokens })
            }
            Product::Exchange => {
                let signer = sign::Signer::new(&config.credentials)?;
                let templates =
                    specs().map(|spec| order::Exchange::new(spec, &config.rest, &signer)).collect();
                (Signer::Exchange(signer), Encoder::Exchange { templates })
            }
        };
        Ok(CoinbaseGateway {
            product,
            encoder,
            calls: Calls::new(product, signer, host),
            memory: Memory::new(specs().cloned().collect()),
            session: Session::default(),
            stocked: false,
            was_ready: false,
            config: config.clone(),
        })
    }

    pub(super) fn place(&self, instrument: InstrumentId) -> Option<usize> {
        self.config.instruments.iter().position(|(id, _)| *id == instrument)
    }

    /// Where an order's product is, when the venue has such orders at all.
    fn takes(&self, order: &Draft) -> Result<usize, EncodeError> {
        if order.reduce_only {
            return Err(EncodeError::Unsupported);
        }
        self.place(order.instrument).ok_or(EncodeError::UnknownInstrument)
    }

    /// The venue's filters.
    fn check(&self, place: usize, order: &Draft) -> Result<(), EncodeError> {
        let (_, spec) = self.config.instruments.get(place).ok_or(EncodeError::UnknownInstrument)?;
        spec.check(order.price, order.qty)?;
        Ok(())
    }

    /// Says whose and where bytes are.
    fn mark(&self, order: &Draft, out: &mut OrderBytes) {
        out.lane = Lane::Orders;
        out.client = order.client;
        out.generation = self.config.credentials.generation;
    }

    /// Sends a call, or says that it cannot be sent.
    pub(super) fn call(&mut self, call: Call, next: Option<&str>, now: Nanos, out: &mut GatewayOut) -> bool {
        self.calls.send(call, next, self.memory.specs(), now, &mut out.wants)
    }

    /// Makes tokens where some are due.
    pub(super) fn stock(&mut self, now: Nanos) {
        match (&mut self.encoder, &mut self.calls.signer) {
            (Encoder::Advanced { tokens, .. }, Signer::Advanced(signer)) => {
                tokens.refill(signer, now);
                self.stocked = tokens.any(now);
            }
            _ => self.stocked = true,
        }
    }

    /// Reports a change of readiness.
    pub(super) fn settle_ready(&mut self, why: &'static str, out: &mut GatewayOut) {
        let ready = self.ready();
        if ready && !self.was_ready {
            out.reports.push(Report::Ready);
        } else if !ready && self.was_ready {
            out.reports.push(Report::Down(why));
        }
        self.was_ready = ready;
    }

    fn tick(&mut self, now: Nanos, out: &mut GatewayOut) {
        if self.session.open {
            self.stock(now);
            self.watch(now, out);
            self.settle_ready("no token for an order", out);
        }
        self.calls.take_turns(now, &mut out.wants);
        while let Some(call) = self.calls.late(now) {
            self.call_failed(&call, call.name(), Class::Refused, limits::NO_ROOM, now, out);
        }
        self.follow_up(now, out);
    }

    /// Asks for what the private stream has promised and not told.
    pub(super) fn follow_up(&mut self, now: Nanos, out: &mut GatewayOut) {
        while let Some(id) = self.memory.due(now) {
            self.call(Call::Chase(id), None, now, out);
        }
        for id in self.memory.strangers() {
            self.call(Call::Owner { id, list: Vec::new() }, None, now, out);
        }
    }
}

/// How long an order's token lives, in seconds: long enough to be made ahead, and not much longer
/// than the request may be on its way, since the venue takes the order as long as the token.
fn token_life(window_ms: u32) -> i64 {
    (30 + i64::from(window_ms.div_ceil(1_000))).min(jwt::LIFE_MAX)
}

impl Gateway for CoinbaseGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let spec = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: vec![],
        };
        // Orders have a connection of their own: on one an answer must come before the next request.
        vec![
            spec(Lane::Private, &self.config.private),
            spec(Lane::Orders, &self.config.rest),
            spec(Lane::Rest, &self.config.rest),
        ]
    }

    fn form(&self) -> Form {
        match self.product {
            Product::Advanced => Form::Session,
            Product::Exchange => Form::Signed,
        }
    }

    fn ready(&self) -> bool {
        self.session.open && self.session.streaming && self.stocked
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(Lane::Private) => self.opened(now, out),
            GatewayInput::Closed(Lane::Private) => self.closed("connection closed", out),
            GatewayInput::Text(Lane::Private, text) => {
                self.text(text.message(), now, out);
                self.follow_up(now, out);
            }
            GatewayInput::Response { token, status, headers, body } => {
                self.response(token, status, headers, body, now, out);
                self.follow_up(now, out);
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, now, out),
            GatewayInput::Tick => self.tick(now, out),
            GatewayInput::Opened(_) | GatewayInput::Closed(_) | GatewayInput::Text(..) => {}
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.product == Product::Advanced {
            self.begin(order, out)?;
            return self.complete(order, now, out);
        }
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        let place = self.takes(order)?;
        self.check(place, order)?;
        let (Encoder::Exchange { templates }, Signer::Exchange(signer)) =
            (&mut self.encoder, &self.calls.signer)
        else {
            return Err(EncodeError::NotReady);
        };
        let template = templates.get_mut(place).ok_or(EncodeError::UnknownInstrument)?;
        template.encode(order, now, signer, out)?;
        out.expires = Nanos::from_secs(sign::second(now)) + sign::WINDOW - SPARE;
        self.mark(order, out);
        Ok(())
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        let Encoder::Advanced { templates, .. } = &self.encoder else {
            return Err(EncodeError::Unsupported);
        };
        let place = self.takes(order)?;
        let template = templates.get(place).ok_or(EncodeError::UnknownInstrument)?;
        template.begin(order, self.check(place, order).is_ok(), out)?;
        self.mark(order, out);
        Ok(())
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.product != Product::Advanced {
            return self.encode(order, now, out);
        }
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        let place = self.takes(order)?;
        // A guess was checked when it was written.
        if out.begun.guessed(order).is_none() {
            self.check(place, order)?;
        }
        let Encoder::Advanced { templates, tokens } = &mut self.encoder else {
            return Err(EncodeError::NotReady);
        };
        let template = templates.get(place).ok_or(EncodeError::UnknownInstrument)?;
        let (token, expires) = tokens.take(now).ok_or(EncodeError::NotReady)?;
        template.complete(order, token, out)?;
        out.expires = expires;
        Ok(())
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        let place = self.place(order.instrument);
        if let Encoder::Advanced { templates, tokens } = &self.encoder
            && out.begun.guessed(order).is_some()
            && let Some(template) = place.and_then(|place| templates.get(place))
            && let Some(token) = tokens.next(now)
        {
            // A guess that is there was checked: nothing can fail.
            let _ = template.complete(order, token, out);
        }
        self.calls.turns.budget.rehearse(&limits::REQUEST, 0, now);
    }

    #[inline]
    fn spend(&mut self, _: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        self.calls.turns.budget.spend(&limits::REQUEST, urgency, 0, now)
    }

    fn refund(&mut self, _: &Draft, now: Nanos) {
        self.calls.turns.budget.refund(&limits::REQUEST, 0, now);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let venue = self.product.id();
        let lacks = |what| Err(Unsupported { venue, what });
        let place = |instrument: InstrumentId| {
            self.place(instrument).ok_or(Unsupported { venue, what: "such instrument" })
        };
        let call = match *command {
            Command::Cancel { client, venue_ref, instrument } => {
                let place = place(instrument)?;
                let id = venue_ref.or_else(|| self.memory.id(client));
                match self.product {
                    // It is found by its own id in no other way.
                    Product::Advanced if id.is_none() => {
                        Call::Hunt { client: Some(client), place, found: Vec::new() }
                    }
                    _ => Call::Cancel { client, id, place },
                }
            }
            Command::Replace { .. } => return lacks("replacement of an order by another"),
            Command::Amend { .. } if self.product == Product::Exchange => {
                return lacks("amendment of an order over REST");
            }
            Command::Amend { client, instrument, price, qty } => {
                let place = place(instrument)?;
                let id = self.memory.id(client);
                let price = price.or_else(|| self.memory.price(&id?));
                let (Some(id), Some(price)) = (id, price) else {
                    let code = super::error::code("the venue's id of it is not known");
                    out.reports.push(Report::CancelError { client, class: Class::Refused, code });
                    return Ok(());
                };
                Call::Amend { client, id, place, price, qty }
            }
            Command::CancelAll { instrument } => {
                let place = place(instrument)?;
                match self.product {
                    Product::Advanced => Call::Hunt { client: None, place, found: Vec::new() },
                    Product::Exchange => Call::CancelAll { place, ids: Vec::new(), count: 0, round: 0 },
                }
            }
            Command::Query { client, instrument } => {
                let place = place(instrument)?;
                let id = self.memory.id(client);
                match self.product {
                    Product::Advanced if id.is_none() => Call::Search { client, place, open: true, pages: 0 },
                    _ => Call::Query { client, id },
                }
            }
            Command::OpenOrders => Call::Open { told: Vec::new(), count: 0 },
            Command::Fills { instrument, since } => {
                Call::Fills { place: place(instrument)?, since, list: Vec::new(), pages: 0 }
            }
            Command::Balances => Call::Balances { told: Vec::new() },
            Command::Fees { instrument } => Call::Fees(place(instrument)?),
            Command::Rights if self.product == Product::Exchange => {
                return lacks("look-up of a key's rights");
            }
            Command::Rights => Call::Rights,
            Command::ServerTime => Call::Time(now),
            Command::DeadMan { .. } => return lacks("dead-man switch"),
        };
        self.call(call, None, now, out);
        Ok(())
    }
}
