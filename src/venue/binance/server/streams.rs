//! Account streams of futures: listen keys, the connections opened under them, and what is told there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::auth::Params;
use super::{Failure, futures_words as words};
use crate::types::{Asset, InstrumentSpec, Money, Nanos};
use crate::venue::binance::desk::Desk;
use crate::venue::binance::symbol::Market;
use crate::venue::{AccountId, Balance, ConnId, Event, OrderChange, ServerOut};

/// How long a listen key lives after it was last asked for or renewed.
const KEY_LIFE: Nanos = Nanos::from_secs(60 * 60);

struct Key {
    account: AccountId,
    until: Nanos,
}

/// Listen keys and streams.
pub struct Streams {
    market: Market,
    /// Before `/ws` in their paths.
    path: &'static str,
    keys: BTreeMap<String, Key>,
    conns: BTreeMap<ConnId, String>,
    made: u64,
    /// Wallets as they were last told: margin alone is no news.
    told: BTreeMap<(AccountId, Asset), Money>,
}

impl Streams {
    /// None yet.
    pub fn new(desk: &Desk) -> Streams {
        Streams {
            market: desk.market,
            path: desk.stream_paths[1],
            keys: BTreeMap::new(),
            conns: BTreeMap::new(),
            made: 0,
            told: BTreeMap::new(),
        }
    }

    /// A stream opened at `target`; `None` when that is no place for one, `Some(false)` when its key
    /// is none.
    pub fn open(&mut self, conn: ConnId, target: &str, now: Nanos) -> Option<bool> {
        let rest = target.strip_prefix(self.path)?.strip_prefix("/ws")?;
        let key = match rest.strip_prefix('/') {
            Some(key) => key.split('?').next().unwrap_or_default(),
            None => rest.strip_prefix('?')?.split('&').find_map(|part| part.strip_prefix("listenKey="))?,
        };
        // Where market streams have the same path, theirs are of something, or of all.
        if key.is_empty() || key.contains(['@', '!']) {
            return None;
        }
        let good = self.keys.get(key).is_some_and(|own| now < own.until);
        if good {
            self.conns.insert(conn, key.to_owned());
        }
        Some(good)
    }

    /// A connection is gone.
    pub fn close(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }

    /// Asks for a key, renews or gives one up. One that is alive is handed out again.
    pub fn request(
        &mut self,
        method: &str,
        params: &Params,
        account: AccountId,
        now: Nanos,
    ) -> Result<Value, Failure> {
        let until = now + KEY_LIFE;
        let named = params.get("listenKey");
        let mut own = self.keys.iter_mut().filter(|(key, own)| {
            own.account == account && now < own.until && named.is_none_or(|named| named == key.as_str())
        });
        match (method, own.next()) {
            ("userDataStream.stop", Some((key, _))) => {
                let key = key.clone();
                self.keys.remove(&key);
                Ok(json!({}))
            }
            ("userDataStream.start", Some((key, own))) => {
                own.until = until;
                Ok(json!({"listenKey": key}))
            }
            ("userDataStream.ping", Some((key, own))) => {
                own.until = until;
                Ok(if self.market == Market::CoinM { json!({}) } else { json!({"listenKey": key}) })
            }
            ("userDataStream.start", None) => {
                self.made += 1;
                let key = format!("pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf{:08}", self.made);
                self.keys.insert(key.clone(), Key { account, until });
                Ok(json!({"listenKey": key}))
            }
            _ => Err(Failure::bad(-1125, "This listenKey does not exist.")),
        }
    }

    /// Ends what has expired, and tells of it.
    pub fn tick(&mut self, now: Nanos, out: &mut Vec<ServerOut>) {
        let gone: Vec<String> =
            self.keys.extract_if(.., |_, own| now >= own.until).map(|(key, _)| key).collect();
        for key in gone {
            let event = json!({"e": "listenKeyExpired", "E": now.millis(), "listenKey": key}).to_string();
            let own: Vec<ConnId> =
                self.conns.extract_if(.., |_, own| *own == key).map(|(conn, _)| conn).collect();
            for conn in own {
                out.push(ServerOut::Text(conn, event.clone()));
                out.push(ServerOut::Close(conn));
            }
        }
    }

    /// Tells an event of the exchange to those whom it concerns.
    pub fn event(
        &mut self,
        event: &Event,
        instruments: &[InstrumentSpec],
        now: Nanos,
        out: &mut Vec<ServerOut>,
    ) {
        let time = now.millis();
        match event {
            Event::Order { view, change } if self.listens(view.account) => {
                let Some(spec) = instruments.get(view.order.instrument) else { return };
                if let OrderChange::Trade(fill) = change
                    && self.market == Market::UsdM
                {
                    self.tell(view.account, &words::trade_lite(spec, view, fill, time), out);
                }
                self.tell(view.account, &words::order_update(spec, view, change, time), out);
            }
            Event::Balance { account, balance: Balance { asset, free, locked }, .. } => {
                let wallet = *free + *locked;
                if self.told.insert((*account, *asset), wallet) != Some(wallet) {
                    self.tell(*account, &words::wallet_update(*asset, wallet, time), out);
                }
            }
            Event::Position { account, view, .. } if self.listens(*account) => {
                let Some(spec) = instruments.get(view.instrument) else { return };
                self.tell(*account, &words::position_update(spec, view, time), out);
            }
            Event::Order { .. } | Event::Position { .. } | Event::Book { .. } => {}
        }
    }

    /// The connections under an account's keys.
    fn listeners(&self, account: AccountId) -> impl Iterator<Item = ConnId> {
        let own = move |key: &String| self.keys.get(key).is_some_and(|own| own.account == account);
        self.conns.iter().filter(move |(_, key)| own(key)).map(|(conn, _)| *conn)
    }

    fn listens(&self, account: AccountId) -> bool {
        self.listeners(account).next().is_some()
    }

    fn tell(&self, account: AccountId, event: &str, out: &mut Vec<ServerOut>) {
        out.extend(self.listeners(account).map(|conn| ServerOut::Text(conn, event.to_owned())));
    }
}
