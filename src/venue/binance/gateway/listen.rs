//! What futures ask of a gateway beyond spot: the listen key of the account's stream, the account's
//! mode, and a memory of orders, since a change of one has to repeat its side and price.
//!
//! A listen key lives 60 minutes and is renewed every 30. Asking for one while one is alive hands out
//! the same and renews it, so it is asked for again whenever the stream is lost.

use std::collections::VecDeque;

use super::{BinanceGateway, What};
use crate::types::{Class, ClientId, Draft, Endpoint, Nanos, Price, Report, Side};
use crate::venue::binance::account;
use crate::venue::binance::call::Call;
use crate::venue::binance::private::Unreadable;
use crate::venue::binance::symbol::Market;
use crate::venue::{GatewayOut, GatewayWant, Lane};

/// Between two renewals of the listen key.
const RENEW_EVERY: Nanos = Nanos::from_secs(30 * 60);
/// After a question that failed, and after one that the venue refused us altogether.
const ASK_AGAIN: Nanos = Nanos::from_secs(5);
const ASK_REFUSED: Nanos = Nanos::from_secs(300);
/// Orders remembered.
const RECENT_MAX: usize = 1_024;

/// The listen key, and what was asked about it and the mode.
#[derive(Default)]
pub(super) struct Listening {
    key: Option<String>,
    /// The key may be gone: ask for one.
    doubted: bool,
    renew_at: Nanos,
    /// Nothing is asked before.
    ask_at: Nanos,
    asking: bool,
    /// The account has one position a symbol.
    pub one_way: bool,
}

impl Listening {
    /// Where the stream is; without a target while no key is known.
    pub fn endpoint(&self, base: &Endpoint) -> Endpoint {
        match &self.key {
            Some(key) => base.with_target(&format!("{}/ws/{key}", base.target.trim_end_matches('/'))),
            None => Endpoint { target: String::new(), ..base.clone() },
        }
    }

    /// There is a key to listen with.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The stream is lost: its key may be no good any more.
    pub fn ask_again(&mut self) {
        self.doubted = true;
    }

    /// What was asked is asked again in a while.
    pub fn unanswered(&mut self) {
        self.asking = false;
    }

    /// The key is no good any more.
    pub fn expired(&mut self) {
        self.key = None;
        self.doubted = true;
    }
}

impl BinanceGateway {
    /// Asks for what is missing: the mode, a listen key, its renewal. One question at a time.
    pub(super) fn listen(&mut self, now: Nanos, out: &mut GatewayOut) {
        let Some(path) = self.desk.listen_key else { return };
        let own = &mut self.listening;
        if own.asking || now < own.ask_at {
            return;
        }
        let call = match self.desk.mode {
            Some(names) if !own.one_way => (Call::of(names), What::Mode),
            _ if own.key.is_none() || own.doubted => (Call::new("", "POST", path).keyed(), What::StartStream),
            _ if now >= own.renew_at => (Call::new("", "PUT", path).keyed(), What::KeepStream),
            _ => return,
        };
        own.asking = true;
        own.ask_at = now + ASK_AGAIN;
        self.send(call.0, call.1, now, out);
    }

    /// One of the questions was answered.
    pub(super) fn listening(
        &mut self,
        what: What,
        text: &str,
        now: Nanos,
        out: &mut GatewayOut,
    ) -> Result<(), Unreadable> {
        self.listening.unanswered();
        match what {
            What::Mode if account::is_dual(text)? => {
                out.reports.push(Report::Down("the account must be in one-way mode"));
                self.listening.ask_at = now + ASK_REFUSED;
            }
            What::Mode => {
                self.listening.one_way = true;
                self.listening.ask_at = now;
                self.settle_ready("", out);
            }
            What::StartStream => {
                let key = account::listen_key(text)?;
                let own = &mut self.listening;
                let new = own.key.as_ref() != Some(&key);
                own.key = Some(key);
                own.doubted = false;
                own.renew_at = now + RENEW_EVERY;
                own.ask_at = now;
                if new {
                    out.wants.push(GatewayWant::Reconnect(Lane::Private, "a new listen key"));
                }
            }
            _ => self.listening.renew_at = now + RENEW_EVERY,
        }
        // What the mode lets begin need not wait for the next tick.
        self.listen(now, out);
        Ok(())
    }

    /// One of the questions was refused, or has no answer.
    pub(super) fn listening_failed(&mut self, what: What, class: Class, now: Nanos, out: &mut GatewayOut) {
        let own = &mut self.listening;
        own.unanswered();
        if what == What::KeepStream {
            own.doubted = true;
        }
        if class == Class::Halt {
            own.ask_at = now + ASK_REFUSED;
            out.reports.push(Report::Down("the venue refused the key"));
        }
    }
}

/// Side and price of the latest orders, where a change has to repeat them.
pub(super) struct Recent {
    orders: VecDeque<(ClientId, Side, Price)>,
    most: usize,
}

impl Recent {
    /// All memory is taken here.
    pub fn new(market: Market) -> Recent {
        let most = if market == Market::Spot { 0 } else { RECENT_MAX };
        Recent { orders: VecDeque::with_capacity(most), most }
    }

    pub fn remember(&mut self, order: &Draft) {
        if self.most == 0 {
            return;
        }
        if self.orders.len() == self.most {
            self.orders.pop_front();
        }
        self.orders.push_back((order.client, order.side, order.price));
    }

    pub fn amended(&mut self, client: ClientId, price: Price) {
        if let Some(own) = self.orders.iter_mut().rev().find(|own| own.0 == client) {
            own.2 = price;
        }
    }

    pub fn find(&self, client: ClientId) -> Option<(Side, Price)> {
        self.orders.iter().rev().find(|own| own.0 == client).map(|own| (own.1, own.2))
    }
}
