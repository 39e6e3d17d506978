//! Who asks, and may they: key, address, time, signature, rights, in the order that the venue
//! complains in.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;

use super::Failure;
use crate::types::Nanos;
use crate::venue::binance::sign::percent_decode;
use crate::venue::served::address;
use crate::venue::{AccountId, ApiKey, Exchange, KeySecret};
use crate::wire::hmac::MacKey;

/// A request's parameters in plain text.
#[derive(Default, Clone, Debug)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// Reads the parts of a query or form; broken encoding is refused.
    pub fn add_form(&mut self, form: &str) -> Result<(), Failure> {
        for part in form.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decoded = percent_decode(name).zip(percent_decode(value));
            let (name, value) =
                decoded.ok_or_else(|| Failure::bad(-1100, "Illegal characters found in a parameter."))?;
            // Of a parameter sent twice, the first (the query's) counts.
            self.0.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// A parameter that was sent and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::missing(name))
    }

    /// An integer, when it was sent.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.parse().map(Some).map_err(|_| Failure::missing(name)),
        }
    }
}

/// What a request needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing: public data.
    Nothing,
    /// A key, without a signature.
    Key,
    /// A key that may read.
    Reading,
    /// A key that may trade.
    Trading,
}

/// A key that may be used from there, for that.
pub fn key<'a>(
    exchange: &'a dyn Exchange,
    name: &str,
    peer: &str,
    needs: Needs,
) -> Result<&'a ApiKey, Failure> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure { status: 401, ..Failure::bad(-2014, "API-key format invalid.") });
    }
    let refused = || {
        let text = "Invalid API-key, IP, or permissions for action.";
        Failure { status: 401, ..Failure::bad(-2015, text) }
    };
    let key = exchange.key(name).ok_or_else(refused)?;
    let address = address(peer);
    let from_there = key.rights.ips.is_empty() || key.rights.ips.contains(&address);
    let granted = match needs {
        Needs::Nothing => true,
        Needs::Key | Needs::Reading => key.rights.read != Some(false),
        Needs::Trading => key.rights.trade != Some(false),
    };
    if from_there && granted { Ok(key) } else { Err(refused()) }
}

/// The account of a signed request. `payload` is what was signed.
pub fn check(
    exchange: &dyn Exchange,
    name: &str,
    peer: &str,
    needs: Needs,
    params: &Params,
    payload: &str,
    now: Nanos,
) -> Result<AccountId, Failure> {
    let key = key(exchange, name, peer, needs)?;
    let signature = params.need("signature")?;
    time(params, now)?;
    if !verify(&key.secret, payload, signature) {
        return Err(Failure::bad(-1022, "Signature for this request is not valid."));
    }
    Ok(key.account)
}

/// The time window: not a second ahead, and no older than `recvWindow`.
pub fn time(params: &Params, now: Nanos) -> Result<(), Failure> {
    let sent = params.integer("timestamp")?.ok_or_else(|| Failure::missing("timestamp"))?;
    const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
    let sent = if sent >= MICROSECONDS_FROM { Nanos::from_micros(sent) } else { Nanos::from_millis(sent) };
    let window = match params.get("recvWindow") {
        None => Nanos::from_millis(5_000),
        Some(text) => {
            let three = crate::types::Scale::new(3).unwrap_or_default();
            let micros = crate::types::parse(text.as_bytes(), three);
            Nanos::from_micros(micros.map_err(|_| Failure::missing("recvWindow"))?)
        }
    };
    if window > Nanos::from_millis(60_000) {
        return Err(Failure::bad(-1131, "recvWindow must be less than 60000."));
    }
    if sent >= now + Nanos::from_millis(1_000) {
        let text = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(Failure::bad(-1021, text));
    }
    if now - sent > window {
        return Err(Failure::bad(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}

/// Whether a signature is the key's over the payload: hex for shared secrets, base64 for Ed25519.
pub fn verify(secret: &KeySecret, payload: &str, signature: &str) -> bool {
    match secret {
        KeySecret::Shared(secret) => {
            let mut sent = [0; 32];
            let decoded = const_hex::decode_to_slice(signature, &mut sent).is_ok();
            let own = MacKey::new(secret).mac(payload.as_bytes());
            decoded && aws_lc_rs::constant_time::verify_slices_are_equal(&own, &sent).is_ok()
        }
        KeySecret::Ed25519(public) => {
            base64::engine::general_purpose::STANDARD.decode(signature).is_ok_and(|sent| {
                UnparsedPublicKey::new(&ED25519, public).verify(payload.as_bytes(), &sent).is_ok()
            })
        }
        // The venue has no such keys.
        KeySecret::Es256(_) => false,
    }
}
