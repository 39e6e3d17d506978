//! OKX's private side: session, orders, account.
//!
//! The venue's rule: one WebSocket connection logs in once and then carries both orders, which need no
//! signature, and the account's events. Over it, instruments go by numbers that only the account's
//! own list of instruments tells, so no order leaves before that list is read; relisting changes
//! them. Orders over REST are signed one by one. Losing the connection cancels nothing: what rests
//! there keeps resting, which is what the dead-man switch is for. Requests to the demo go to the
//! real market's REST host, with a header that says so; which is meant follows from the stream's host.

use super::limits;
use super::order::{self, Rest, Socket, WINDOW_MS};
use super::private::Reader;
use super::requests::{Call, Calls, Sweep};
use super::session::Session;
use super::sign::{Signer, passphrase};
use super::size::Sizes;
use super::symbol::Market;
use crate::types::{
    Class, ClientId, Draft, Endpoint, Fixed, InstrumentId, InstrumentSpec, Nanos, Price, Qty, Report,
    VenueRef,
};
use crate::venue::{
    Command, Costs, EncodeError, Form, Gateway, GatewayConfig, GatewayInput, GatewayOut, HostKind, Lane,
    LaneSpec, Limited, OrderBytes, PreviewError, Transport, Unsupported, Urgency, host_kind,
};
use crate::wire::pen::Stamp;
use crate::wire::ws::Masks;

/// Shortest and longest time that the dead-man switch takes, in seconds.
const SWITCH_SECS: std::ops::RangeInclusive<i64> = 10..=120;

/// Orders and account of one key.
pub struct OkxGateway {
    pub(super) market: Market,
    pub(super) config: GatewayConfig,
    window_ms: u32,
    pub(super) calls: Calls,
    pub(super) reader: Reader,
    pub(super) session: Session,
    pub(super) traded: Vec<Traded>,
    /// How often the instruments' numbers were read: what was written with those of before is void.
    pub(super) numberings: u32,
    stamp: Stamp,
    mask: Masks,
    /// What an order costs.
    costs: Costs,
}

/// An instrument that orders are made for.
pub(super) struct Traded {
    id: InstrumentId,
    pub(super) spec: InstrumentSpec,
    /// The number that it goes by over a session.
    pub(super) code: Option<u64>,
    /// The group of its fees.
    pub(super) group: Option<String>,
    /// Made once its number is known.
    pub(super) socket: Option<Socket>,
    rest: Rest,
}

impl OkxGateway {
    /// # Errors
    /// When key, secret or passphrase are not what the venue hands out.
    pub fn new(market: Market, config: &GatewayConfig) -> Result<OkxGateway, PreviewError> {
        let signer = Signer::new(&config.credentials)?;
        let sandbox = |endpoint: &Endpoint| host_kind(market.id(), &endpoint.host) == Some(HostKind::Sandbox);
        let demo = sandbox(&config.orders) || sandbox(&config.private);
        let (key, phrase) = (config.credentials.key.as_str(), passphrase(&config.credentials));
        let traded = config.instruments.iter().map(|(id, spec)| Traded {
            id: *id,
            spec: spec.clone(),
            code: None,
            group: None,
            socket: None,
            rest: Rest::new(spec, market, &config.rest, key, phrase, demo),
        });
        Ok(OkxGateway {
            market,
            window_ms: config.window_ms.clamp(*WINDOW_MS.start(), *WINDOW_MS.end()),
            calls: Calls::new(
                &config.credentials,
                signer,
                demo,
                market == Market::Spot,
                config.instruments.len(),
            ),
            costs: limits::request(limits::PLACE, market == Market::Spot),
            reader: Reader::new(config.instruments.iter().map(|(_, spec)| spec.clone()).collect()),
            session: Session::default(),
            traded: traded.collect(),
            numberings: 0,
            stamp: Stamp::new(),
            mask: Masks::new(config.mask_seed),
            config: config.clone(),
        })
    }

    /// The lane of the session.
    pub(super) fn lane(&self) -> Lane {
        match self.config.transport {
            Transport::Ws => Lane::Orders,
            Transport::Rest => Lane::Private,
        }
    }

    pub(super) fn is_spot(&self) -> bool {
        self.market == Market::Spot
    }

    fn place(&self, instrument: InstrumentId) -> Result<usize, Unsupported> {
        let place = self.traded.iter().position(|traded| traded.id == instrument);
        place.ok_or(self.lacks("such instrument"))
    }

    #[inline]
    fn traded(&self, instrument: InstrumentId) -> Result<&Traded, EncodeError> {
        self.traded.iter().find(|traded| traded.id == instrument).ok_or(EncodeError::UnknownInstrument)
    }

    #[inline]
    fn deadline(&self, now: Nanos) -> Nanos {
        now + Nanos::from_millis(i64::from(self.window_ms))
    }

    fn lacks(&self, what: &'static str) -> Unsupported {
        Unsupported { venue: self.market.id(), what }
    }

    pub(super) fn symbol(&self, place: usize) -> &str {
        self.traded.get(place).map_or("", |traded| traded.spec.symbol.as_str())
    }

    /// Cancels or amends one order: over the session, unless there is none, or orders do not go over
    /// it. `terms` starts with a comma.
    fn change(
        &mut self,
        (op, path): (&'static str, &str),
        place: usize,
        call: Call,
        terms: &str,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let code = self.traded.get(place).and_then(|traded| traded.code);
        let over_session = self.config.transport == Transport::Ws && self.calls.session.is_some();
        match code.filter(|_| over_session) {
            Some(code) => {
                let fields = format!("\"instIdCode\":{code}{terms}");
                self.calls.over_session((op, fields), call, place, now, &mut out.wants);
            }
            None => {
                let symbol = serde_json::Value::from(self.symbol(place));
                let body = format!("{{\"instId\":{symbol}{terms}}}");
                self.calls.post(path, body, call, place, now, &mut out.wants);
            }
        }
    }

    fn cancel(
        &mut self,
        client: ClientId,
        venue_ref: Option<VenueRef>,
        place: usize,
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let number = venue_ref.filter(|id| !id.is_empty() && id.as_bytes().iter().all(u8::is_ascii_digit));
        let terms = match number {
            Some(number) => format!(",\"ordId\":\"{number}\""),
            None => format!(",\"clOrdId\":\"{client}\""),
        };
        self.change(
            ("cancel-order", "/api/v5/trade/cancel-order"),
            place,
            Call::Cancel(client),
            &terms,
            now,
            out,
        );
    }

    fn amend(
        &mut self,
        client: ClientId,
        place: usize,
        (price, qty): (Option<Price>, Qty),
        now: Nanos,
        out: &mut GatewayOut,
    ) {
        let Some(spec) = self.traded.get(place).map(|traded| &traded.spec) else { return };
        let scale = spec.scale;
        let Some(size) = Sizes::of(spec).size_of(qty.0) else {
            let code = VenueRef::cut("no whole number of the venue's sizes");
            return out.reports.push(Report::CancelError { client, class: Class::Refused, code });
        };
        let price = price.map_or(String::new(), |price| format!(",\"newPx\":\"{}\"", Fixed(price.0, scale)));
        let terms = format!(
            ",\"clOrdId\":\"{client}\",\"newSz\":\"{}\"{price},\"cxlOnFail\":false",
            Fixed(size, scale)
        );
        self.change(
            ("amend-order", "/api/v5/trade/amend-order"),
            place,
            Call::Amend(client),
            &terms,
            now,
            out,
        );
    }
}

impl Gateway for OkxGateway {
    fn lanes(&self) -> Vec<LaneSpec> {
        let session = match self.config.transport {
            Transport::Ws => &self.config.orders,
            Transport::Rest => &self.config.private,
        };
        [(self.lane(), session), (Lane::Rest, &self.config.rest)]
            .map(|(lane, endpoint)| LaneSpec { lane, endpoint: endpoint.clone(), headers: Vec::new() })
            .into()
    }

    fn form(&self) -> Form {
        match self.config.transport {
            Transport::Ws => Form::Session,
            Transport::Rest => Form::Signed,
        }
    }

    fn ready(&self) -> bool {
        // Orders over REST name their instruments by symbol.
        self.session.streaming && (self.session.numbered || self.config.transport == Transport::Rest)
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        match input {
            GatewayInput::Opened(lane) if lane == self.lane() => self.opened(now, out),
            GatewayInput::Closed(lane) if lane == self.lane() => self.closed(now, out),
            GatewayInput::Text(lane, text) if lane == self.lane() => self.text(text.message(), now, out),
            GatewayInput::Response { token, status, body, .. } => {
                self.response(token, status, body, now, out)
            }
            GatewayInput::Failed { token, sent } => self.failed(token, sent, now, out),
            GatewayInput::Tick => self.tick(now, out),
            GatewayInput::Opened(_) | GatewayInput::Closed(_) | GatewayInput::Text(..) => {}
        }
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.config.transport == Transport::Ws {
            self.begin(order, out)?;
            return self.complete(order, now, out);
        }
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        let deadline = self.deadline(now);
        let traded = self.traded.iter().find(|traded| traded.id == order.instrument);
        let traded = traded.ok_or(EncodeError::UnknownInstrument)?;
        traded.spec.check(order.price, order.qty)?;
        let stamp = self.stamp.write(now);
        traded.rest.encode(order, stamp, deadline, self.calls.signer(), out)?;
        out.lane = Lane::Rest;
        out.expires = order::expires(now, self.window_ms);
        out.client = order.client;
        out.generation = self.config.credentials.generation;
        Ok(())
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.config.transport != Transport::Ws {
            return Err(EncodeError::Unsupported);
        }
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        let mask = self.mask.next_key();
        let traded = self.traded(order.instrument)?;
        let likely = traded.spec.check(order.price, order.qty).is_ok();
        // The account's list of instruments may lack it.
        let template = traded.socket.as_ref().ok_or(EncodeError::NotReady)?;
        template.begin(order, likely, self.numberings, mask, out)?;
        out.lane = Lane::Orders;
        out.client = order.client;
        out.generation = self.config.credentials.generation;
        Ok(())
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        if self.config.transport != Transport::Ws {
            return self.encode(order, now, out);
        }
        if !self.ready() {
            return Err(EncodeError::NotReady);
        }
        if out.begun.session != self.numberings {
            // Begun with a number of before, which another instrument may have now.
            self.begin(order, out)?;
        }
        let traded = self.traded(order.instrument)?;
        // A guess was checked when it was written.
        if out.begun.guessed(order).is_none() {
            traded.spec.check(order.price, order.qty)?;
        }
        let template = traded.socket.as_ref().ok_or(EncodeError::NotReady)?;
        template.complete(order, self.deadline(now), out)?;
        out.expires = order::expires(now, self.window_ms);
        Ok(())
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        let begun = out.begun;
        if begun.session == self.numberings
            && begun.guessed(order).is_some()
            && let Ok(Traded { socket: Some(template), .. }) = self.traded(order.instrument)
        {
            // A guess that is there was checked: nothing can fail.
            let _ = template.complete(order, self.deadline(now), out);
        }
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.calls.turns.budget.rehearse(&self.costs, place, now);
    }

    #[inline]
    fn spend(&mut self, order: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.calls.turns.budget.spend(&self.costs, urgency, place, now)
    }

    fn refund(&mut self, order: &Draft, now: Nanos) {
        let place = self.place(order.instrument).unwrap_or(usize::MAX);
        self.calls.turns.budget.refund(&self.costs, place, now);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        match *command {
            Command::Cancel { client, venue_ref, instrument } => {
                let place = self.place(instrument)?;
                self.cancel(client, venue_ref, place, now, out);
            }
            Command::Replace { .. } => return Err(self.lacks("replacement of an order by another")),
            Command::Amend { client, instrument, price, qty } => {
                let place = self.place(instrument)?;
                self.amend(client, place, (price, qty), now, out);
            }
            Command::CancelAll { instrument } => {
                let place = self.place(instrument)?;
                let sweep =
                    Sweep { place, count: 0, pages: 0, rest: Vec::new(), more: false, is_single: false };
                self.sweep(sweep, now, out);
            }
            Command::Query { client, instrument } => {
                let place = self.place(instrument)?;
                let target = format!("{}?instId={}&clOrdId={client}", order::PLACE, self.symbol(place));
                self.calls.get(target, Call::Query(client), now, &mut out.wants);
            }
            Command::OpenOrders => self.ask_open(0, Vec::new(), None, now, out),
            Command::Fills { instrument, since } => {
                let place = self.place(instrument)?;
                self.ask_fills(place, since, 0, Vec::new(), None, now, out);
            }
            Command::Balances => {
                self.calls.get("/api/v5/account/balance".to_owned(), Call::Balances, now, &mut out.wants);
            }
            Command::Fees { instrument } => {
                let place = self.place(instrument)?;
                let group = self.traded.get(place).and_then(|traded| traded.group.as_deref());
                let about = match group {
                    Some(group) => format!("groupId={group}"),
                    None => format!("instId={}", self.symbol(place)),
                };
                let target = format!("/api/v5/account/trade-fee?instType={}&{about}", self.market.kind());
                self.calls.get(target, Call::Fees(place), now, &mut out.wants);
            }
            Command::Rights => {
                self.calls.get("/api/v5/account/config".to_owned(), Call::Rights, now, &mut out.wants);
            }
            Command::ServerTime => self.ask_time(now, out),
            Command::DeadMan { timeout } => {
                // Whole seconds, rounded up: a switch of half a second must not be one of none.
                let seconds = match (timeout.0.max(0) + 999_999_999) / 1_000_000_000 {
                    0 => 0,
                    seconds => seconds.clamp(*SWITCH_SECS.start(), *SWITCH_SECS.end()),
                };
                let body = format!("{{\"timeOut\":\"{seconds}\"}}");
                self.calls.post(
                    "/api/v5/trade/cancel-all-after",
                    body,
                    Call::DeadMan,
                    0,
                    now,
                    &mut out.wants,
                );
            }
        }
        Ok(())
    }
}
