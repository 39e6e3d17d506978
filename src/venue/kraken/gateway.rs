//! Kraken's private side: session, orders, account.
//!
//! The venue's rule: a token is got by REST for each new connection and used at once in a private
//! subscription; it then lives as long as that connection. Orders over the socket carry it and
//! need no signature. Orders over REST are signed, and share their nonces with every other call of
//! the key, so all of them go over one connection, in order. Losing the connection cancels
//! nothing: what rests there keeps resting, which is what the dead-man switch is for.

use super::json::quoted;
use super::limits::{self, Stop};
use super::order::{self, DEADLINE_MS, Rest, Socket};
use super::private::Stream;
use super::requests::{Asked, Call, Calls, Ring};
use super::session::{Session, TOKEN_WAIT};
use super::sign::Signer;
use super::symbol;
use crate::types::{Class, ClientId, Draft, InstrumentId, InstrumentSpec, Nanos};
use crate::venue::{
    Budget, Command, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, GatewayWant, Lane,
    LaneSpec, Limited, OrderBytes, PreviewError, Transport, Unsupported, Urgency,
};
use crate::wire::pen::Stamp;
use crate::wire::ws::Masks;

const VENUE: &str = "kraken.spot";
/// Orders and account of one key.
pub struct KrakenGateway {
    pub(super) config: GatewayConfig,
    generation: u32,
    window_ms: u32,
    pub(super) calls: Calls,
    pub(super) ring: Ring,
    pub(super) stream: Stream,
    pub(super) sockets: Vec<Socket>,
    rests: Vec<Rest>,
    stamp: Stamp,
    masks: Masks,
    pub(super) session: Session,
    pub(super) nonces_refused: u32,
    /// Points of each pair.
    pub(super) trading: Budget,
}

impl KrakenGateway {
    /// # Errors
    /// When the secret is not what the venue hands out.
    pub fn new(config: &GatewayConfig) -> Result<KrakenGateway, PreviewError> {
        let signer = Signer::new(&config.credentials)?;
        let specs = || config.instruments.iter().map(|(_, spec)| spec);
        let key = config.credentials.key.as_str();
        let rests = specs().map(|spec| {
            Rest::new(spec, &config.rest, key).ok_or_else(|| PreviewError::Value {
                key: "symbol",
                value: spec.symbol.to_string(),
                expected: "a pair such as BTC/USD",
            })
        });
        Ok(KrakenGateway {
            generation: config.credentials.generation,
            window_ms: config.window_ms.clamp(*DEADLINE_MS.start(), *DEADLINE_MS.end()),
            calls: Calls::new(key, signer, config.nonce_from),
            ring: Ring::new(),
            stream: Stream::new(specs().cloned().collect()),
            sockets: Vec::new(),
            rests: rests.collect::<Result<_, _>>()?,
            stamp: Stamp::new(),
            masks: Masks::new(config.mask_seed),
            session: Session { token_wait: TOKEN_WAIT.0, ..Session::default() },
            nonces_refused: 0,
            trading: Budget::new(&limits::TRADING_RULES, config.instruments.len()),
            config: config.clone(),
        })
    }

    /// The lane that carries the private stream.
    pub(super) fn lane(&self) -> Lane {
        match self.config.transport {
            Transport::Ws => Lane::Orders,
            Transport::Rest => Lane::Private,
        }
    }

    /// The venue said how many points an account may have on a pair.
    pub(super) fn set_tier(&mut self, points: u64) {
        limits::set_tier(points, &mut self.trading, &mut self.calls.turns.budget);
    }

    /// Stops what an error of the venue says must stop.
    pub(super) fn obey(&mut self, error: &str, now: Nanos) {
        let full = u64::from(u32::MAX);
        match limits::stop(error, now) {
            // Of which pair is not told.
            Some(Stop::Points) => {
                for place in 0..self.config.instruments.len() {
                    self.trading.told(limits::POINTS, place, full, now);
                }
            }
            Some(Stop::Calls) => self.calls.turns.budget.told(limits::CALLS, 0, full, now),
            Some(Stop::All(until)) => {
                self.trading.pause(until);
                self.calls.turns.budget.pause(until);
            }
            None => {}
        }
    }

    #[inline]
    fn place(&self, instrument: InstrumentId) -> Option<usize> {
        self.config.instruments.iter().position(|(id, _)| *id == instrument)
    }

    pub(super) fn spec(&self, place: usize) -> Option<&InstrumentSpec> {
        self.config.instruments.get(place).map(|(_, spec)| spec)
    }

    /// Sends a request over the socket, unless there is no session, or orders do not go over it.
    fn over_socket(&mut self, method: &str, params: &str, asked: Asked, out: &mut GatewayOut) -> bool {
        if self.config.transport != Transport::Ws || !self.session.streaming {
            return false;
        }
        let Some(token) = &self.session.token else { return false };
        let token = zeroize::Zeroizing::new(quoted(token));
        let id = self.ring.ask(asked);
        let text = format!(
            "{{\"method\":\"{method}\",\"params\":{{{params}\"token\":{}}},\"req_id\":{id}}}",
            token.as_str()
        );
        out.wants.push(GatewayWant::Send(self.lane(), text));
        true
    }

    /// The place of an order's pair, whose rules it keeps.
    #[inline]
    fn checked(&self, order: &Draft) -> Result<usize, EncodeError> {
        let place = self.place(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        let (_, spec) = self.config.instruments.get(place).ok_or(EncodeError::UnknownInstrument)?;
        spec.check(order.price, order.qty)?;
        if order.reduce_only {
            return Err(EncodeError::Unsupported);
        }
        Ok(place)
    }

    fn amend(
        &mut self,
        client: ClientId,
        place: usize,
        price: Option<crate::types::Price>,
        qty: crate::types::Qty,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let Some(spec) = self.spec(place) else { return };
        let show = |value| crate::types::Fixed(value, spec.scale).to_string();
        let (qty, price) = (show(qty.0), price.map(|price| show(price.0)));
        let deadline = now + Nanos::from_millis(i64::from(self.window_ms));
        let (uuid, deadline) = (order::uuid(client), deadline.rfc3339(3));
        let limit = price.as_ref().map_or(String::new(), |price| format!("\"limit_price\":{price},"));
        let params =
            format!("\"cl_ord_id\":\"{uuid}\",\"order_qty\":{qty},{limit}\"deadline\":\"{deadline}\",");
        if !self.over_socket("amend_order", &params, Asked::Change(client), out) {
            let limit = price.map_or(String::new(), |price| format!("&limit_price={price}"));
            let deadline = deadline.replace(':', "%3A");
            let form = format!("&cl_ord_id={uuid}&order_qty={qty}{limit}&deadline={deadline}");
            self.calls.post("AmendOrder", form, Call::Change(client), now, &mut out.wants);
        }
    }
}

impl Gateway for KrakenGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let spec = |lane, endpoint: &crate::types::Endpoint| LaneSpec {
            lane,
            endpoint: endpoint.clone(),
            headers: vec![],
        };
        match self.config.transport {
            Transport::Ws => {
                vec![spec(Lane::Orders, &self.config.orders), spec(Lane::Rest, &self.config.rest)]
            }
            Transport::Rest => {
                vec![spec(Lane::Private, &self.config.private), spec(Lane::Rest, &self.config.rest)]
            }
        }
    }

    fn form(&self) -> Form {
        match self.config.transport {
            Transport::Ws => Form::Session,
            Transport::Rest => Form::Numbered,
        }
    }

    fn ready(&self) -> bool {
        self.session.open && self.session.streaming && self.session.online
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(lane) if lane == self.lane() => self.opened(now, out),
            GatewayInput::Closed(lane) if lane == self.lane() => {
                // After a reconnect of our own making the news is out already.
                if std::mem::take(&mut self.session.open) {
                    self.down("connection closed", out);
                }
            }
            GatewayInput::Text(lane, text) if lane == self.lane() => self.text(text.message(), now, out),
            GatewayInput::Response { token, status, body, .. } => {
                self.response(token, status, body, now, out)
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, now, out),
            GatewayInput::Tick => {
                self.calls.take_turns(now, &mut out.wants);
                while let Some(late) = self.calls.late(now) {
                    self.call_failed(&late.call, late.name(), Class::Refused, limits::NO_ROOM, now, out);
                }
                self.tick(now, out);
            }
            GatewayInput::Opened(_) | GatewayInput::Closed(_) | GatewayInput::Text(..) => {}
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        if self.config.transport == Transport::Ws {
            self.begin(order, out)?;
            return self.complete(order, now, out);
        }
        let place = self.checked(order)?;
        let deadline = *self.stamp.write(now + Nanos::from_millis(i64::from(self.window_ms)));
        let template = self.rests.get(place).ok_or(EncodeError::NotReady)?;
        let (nonce, signer) = self.calls.nonce(now).ok_or(EncodeError::NotReady)?;
        template.encode(order, &deadline, nonce, signer, out)?;
        // With every other call of the key: nonces must arrive in order.
        out.lane = Lane::Rest;
        out.client = order.client;
        out.generation = self.generation;
        out.expires = order::expires(now, self.window_ms);
        Ok(())
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.config.transport != Transport::Ws || order.reduce_only {
            return Err(EncodeError::Unsupported);
        }
        let place = self.place(order.instrument).ok_or(EncodeError::UnknownInstrument)?;
        let mask = self.masks.next_key();
        let template = self.sockets.get(place).ok_or(EncodeError::NotReady)?;
        let likely = self.checked(order).is_ok();
        template.begin(order, likely, self.session.tokens, mask, out)?;
        out.lane = Lane::Orders;
        out.client = order.client;
        out.generation = self.generation;
        Ok(())
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        if self.config.transport != Transport::Ws {
            return self.encode(order, now, out);
        }
        if out.begun.session != self.session.tokens {
            // Begun with a token of before.
            self.begin(order, out)?;
        }
        // A guess was checked when it was written.
        let place = match out.begun.guessed(order) {
            Some(_) => self.place(order.instrument).ok_or(EncodeError::UnknownInstrument)?,
            None => self.checked(order)?,
        };
        let template = self.sockets.get(place).ok_or(EncodeError::NotReady)?;
        let deadline = *self.stamp.write(now + Nanos::from_millis(i64::from(self.window_ms)));
        let id = self.ring.ask(Asked::Order(order.client));
        template.complete(order, &deadline, id, out)?;
        out.expires = order::expires(now, self.window_ms);
        Ok(())
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        let begun = out.begun;
        if begun.session == self.session.tokens
            && begun.guessed(order).is_some()
            && let Some(template) = self.place(order.instrument).and_then(|place| self.sockets.get(place))
        {
            let deadline = *self.stamp.write(now + Nanos::from_millis(i64::from(self.window_ms)));
            // A guess that is there was checked: nothing can fail. No request has this number.
            let _ = template.complete(order, &deadline, 0, out);
        }
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.trading.rehearse(&limits::ORDER, place, now);
    }

    #[inline]
    fn spend(&mut self, order: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.trading.spend(&limits::ORDER, urgency, place, now)
    }

    fn refund(&mut self, order: &Draft, now: Nanos) {
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.trading.refund(&limits::ORDER, place, now);
    }

    fn nonces_below(&mut self, below: u64) {
        self.calls.nonces_below(below);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let unknown = Unsupported { venue: VENUE, what: "such instrument" };
        let place = |instrument: InstrumentId| self.place(instrument).ok_or(unknown);
        match *command {
            Command::Cancel { client, instrument, .. } => {
                // It goes whatever is left: this is the most that it may cost, and most cost less.
                if let Some(place) = self.place(instrument) {
                    self.trading.note(&limits::CANCEL, place, now);
                }
                let uuid = order::uuid(client);
                let params = format!("\"cl_ord_id\":[\"{uuid}\"],");
                if !self.over_socket("cancel_order", &params, Asked::Change(client), out) {
                    let form = format!("&cl_ord_id={uuid}");
                    self.calls.post("CancelOrder", form, Call::Change(client), now, &mut out.wants);
                }
            }
            Command::Replace { .. } => {
                return Err(Unsupported { venue: VENUE, what: "replacement of an order by another" });
            }
            Command::Amend { client, instrument, price, qty } => {
                let place = place(instrument)?;
                self.trading.note(&limits::AMEND, place, now);
                self.amend(client, place, price, qty, now, out);
            }
            // The venue knows no less than the whole account.
            Command::CancelAll { .. } => {
                if !self.over_socket("cancel_all", "", Asked::CancelAll, out) {
                    self.calls.post("CancelAll", String::new(), Call::CancelAll, now, &mut out.wants);
                }
            }
            Command::Query { client, .. } => {
                let form = format!("&cl_ord_id={}", order::uuid(client));
                self.calls.post("OpenOrders", form, Call::QueryOpen(client), now, &mut out.wants);
            }
            Command::OpenOrders => {
                self.calls.post("OpenOrders", String::new(), Call::Open, now, &mut out.wants);
            }
            Command::Fills { instrument, since } => {
                let place = place(instrument)?;
                self.ask_trades(place, since, 0, vec![], now, out);
            }
            Command::Balances => {
                self.calls.post("BalanceEx", String::new(), Call::Balances, now, &mut out.wants);
            }
            Command::Fees { instrument } => {
                let place = place(instrument)?;
                let name = self.spec(place).and_then(|spec| symbol::rest_name(spec.symbol.as_str()));
                let form = format!("&pair={}", name.ok_or(unknown)?);
                self.calls.post("TradeVolume", form, Call::Fees(place), now, &mut out.wants);
            }
            Command::Rights => {
                self.calls.post("GetApiKeyInfo", String::new(), Call::Rights, now, &mut out.wants);
            }
            Command::ServerTime => {
                // Over the socket, which tells microseconds; REST tells whole seconds.
                self.session.time_wanted = !self.session.open;
                if self.session.open {
                    self.ask_time(now, out);
                }
            }
            Command::DeadMan { timeout } => {
                // Whole seconds, rounded up: a switch of half a second must not be one of none.
                let seconds = (timeout.0.max(0) + 999_999_999) / 1_000_000_000;
                let params = format!("\"timeout\":{seconds},");
                if !self.over_socket("cancel_all_orders_after", &params, Asked::DeadMan, out) {
                    let form = format!("&timeout={seconds}");
                    self.calls.post("CancelAllOrdersAfter", form, Call::DeadMan, now, &mut out.wants);
                }
            }
        }
        Ok(())
    }
}
