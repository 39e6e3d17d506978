//! Who asks, and may they: key, address, time, passphrase, signature, rights.

use super::Refused;
use crate::types::Nanos;
use crate::venue::okx::sign::{LOGIN_PATH, Signer};
use crate::venue::served::address;
use crate::venue::{ApiKey, Exchange, KeySecret};

/// How far a request's time may be off, either way.
const WINDOW: Nanos = Nanos::from_secs(30);

/// What a request needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// A key that may read.
    Reading,
    /// A key that may trade.
    Trading,
}

/// What a request or a login says of itself.
pub struct Claim<'a> {
    pub key: &'a str,
    pub passphrase: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
    /// Method, path with query, and body.
    pub signed: [&'a [u8]; 3],
    pub peer: &'a str,
}

/// The codes of a complaint: requests and logins have their own.
struct Codes {
    key: u32,
    timestamp: u32,
    late: u32,
    passphrase: u32,
    signature: u32,
}

/// The key behind a signed request.
pub fn request(
    exchange: &dyn Exchange,
    claim: &Claim<'_>,
    needs: Needs,
    now: Nanos,
) -> Result<ApiKey, Refused> {
    for (text, code, name) in [
        (claim.key, 50_103, "OK-ACCESS-KEY"),
        (claim.passphrase, 50_104, "OK-ACCESS-PASSPHRASE"),
        (claim.signature, 50_106, "OK-ACCESS-SIGN"),
        (claim.timestamp, 50_107, "OK-ACCESS-TIMESTAMP"),
    ] {
        if text.is_empty() {
            return Err(refused(code, &format!("Request header {name} can not be empty.")));
        }
    }
    let codes = Codes { key: 50_119, timestamp: 50_112, late: 50_102, passphrase: 50_105, signature: 50_113 };
    let at = Nanos::parse_rfc3339(claim.timestamp.as_bytes()).ok();
    let key = check(exchange, claim, at, &codes, now)?;
    may(&key, needs)?;
    Ok(key)
}

/// The key behind a login.
pub fn login(exchange: &dyn Exchange, claim: &Claim<'_>, now: Nanos) -> Result<ApiKey, Refused> {
    let codes = Codes { key: 60_005, timestamp: 60_004, late: 60_006, passphrase: 60_024, signature: 60_007 };
    let at = claim.timestamp.parse::<i64>().ok().map(Nanos::from_secs);
    let claim = Claim { signed: [b"GET", LOGIN_PATH.as_bytes(), b""], ..*claim };
    check(exchange, &claim, at, &codes, now)
}

/// Whether a key has the right.
pub fn may(key: &ApiKey, needs: Needs) -> Result<(), Refused> {
    let granted = match needs {
        Needs::Reading => key.rights.read != Some(false),
        Needs::Trading => key.rights.trade != Some(false),
    };
    let text = "This API key does not have permission to use this function.";
    if granted { Ok(()) } else { Err(refused(50_120, text)) }
}

fn check(
    exchange: &dyn Exchange,
    claim: &Claim<'_>,
    at: Option<Nanos>,
    codes: &Codes,
    now: Nanos,
) -> Result<ApiKey, Refused> {
    let key = exchange.key(claim.key).filter(|key| key.rights.expires.is_none_or(|until| until > now));
    let key = key.ok_or_else(|| refused(codes.key, "API key does not exist."))?;
    let address = address(claim.peer);
    if !key.rights.ips.is_empty() && !key.rights.ips.contains(&address) {
        return Err(refused(
            50_110,
            &format!("Your IP {address} is not included in your API key's IP whitelist."),
        ));
    }
    let at = at.ok_or_else(|| refused(codes.timestamp, "Invalid timestamp."))?;
    if (now - at).max(at - now) > WINDOW {
        return Err(refused(codes.late, "Timestamp request expired."));
    }
    if key.passphrase.as_deref() != Some(claim.passphrase) {
        return Err(refused(codes.passphrase, "Passphrase incorrect."));
    }
    let KeySecret::Shared(secret) = &key.secret else { return Err(refused(codes.key, "Invalid API key.")) };
    let [method, path, body] = claim.signed;
    if !Signer::from_bytes(secret).verify(&[claim.timestamp.as_bytes(), method, path, body], claim.signature)
    {
        return Err(refused(codes.signature, "Invalid sign."));
    }
    Ok(key.clone())
}

fn refused(code: u32, text: &str) -> Refused {
    Refused { status: 401, ..Refused::new(code, text) }
}
