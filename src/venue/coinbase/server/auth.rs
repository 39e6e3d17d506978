//! Who asks, and whether he may: tokens, signatures, addresses, rights, limits.

use std::collections::BTreeMap;

use super::super::{jwt, sign};
use super::CoinbaseServer;
use crate::types::Nanos;
use crate::venue::kraken::json::quoted;
use crate::venue::{AccountId, ApiKey, Exchange, KeySecret};
use crate::wire::hmac::MacKey;

/// A request as it came.
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    pub peer: &'a str,
}

impl Request<'_> {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    /// The query's fields, unescaped, in order; those that cannot be are dropped.
    pub fn query(&self) -> Vec<(String, String)> {
        let decode = crate::venue::binance::sign::percent_decode;
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        query
            .split('&')
            .filter_map(|field| field.split_once('='))
            .filter_map(|(name, value)| Some((decode(name)?, decode(value)?)))
            .collect()
    }
}

/// Status, headers and body of an answer.
pub type Answer = (u16, Vec<(String, String)>, String);

/// What a right is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To look.
    Read,
    /// To place and cancel.
    Trade,
}

/// A bucket of requests, which refills.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// In thousandths of a request.
    left: i64,
    at: Nanos,
}

impl Bucket {
    /// Takes one request out, of `burst` at most, refilled by `per_s`.
    fn take(
        limits: &mut BTreeMap<AccountId, Bucket>,
        account: AccountId,
        per_s: i64,
        burst: i64,
        now: Nanos,
    ) -> bool {
        let bucket = limits.entry(account).or_insert(Bucket { left: burst * 1_000, at: now });
        let millis = (now - bucket.at).millis().max(0);
        bucket.left = bucket.left.saturating_add(millis.saturating_mul(per_s)).min(burst * 1_000);
        bucket.at = bucket.at + Nanos::from_millis(millis);
        if bucket.left < 1_000 {
            return false;
        }
        bucket.left -= 1_000;
        true
    }
}

fn from_where(key: &ApiKey, peer: &str) -> bool {
    let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
    key.rights.ips.is_empty() || key.rights.ips.iter().any(|ip| ip == host || ip == peer)
}

fn may(key: &ApiKey, need: Need) -> bool {
    let right = if need == Need::Read { key.rights.read } else { key.rights.trade };
    right != Some(false)
}

/// Exchange's error body.
pub fn message(status: u16, text: &str) -> Answer {
    (status, Vec::new(), format!("{{\"message\":{}}}", quoted(text)))
}

/// Advanced Trade's error body.
pub fn error(status: u16, name: &str, text: &str) -> Answer {
    let body = format!(
        "{{\"error\":{},\"code\":0,\"message\":{},\"error_details\":{}}}",
        quoted(name),
        quoted(text),
        quoted(text)
    );
    (status, Vec::new(), body)
}

impl CoinbaseServer {
    /// The key behind a token that is good for that use (`None`: a subscription). Each is taken once.
    pub(super) fn token(
        &mut self,
        token: &str,
        uri: Option<&str>,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Option<ApiKey> {
        let key = exchange.key(&jwt::claimed_key(token)?)?;
        let (claims, nonce) = jwt::verify(&key.secret, &key.key, token, now)?;
        let alive = key.rights.expires.is_none_or(|until| until > now);
        if claims.uri.as_deref() != uri || !alive || self.nonces.contains_key(&nonce) {
            return None;
        }
        self.nonces.insert(nonce, Nanos::from_secs(claims.exp));
        Some(key.clone())
    }

    /// Who asks on Advanced Trade.
    pub(super) fn bearer(
        &mut self,
        request: &Request<'_>,
        need: Need,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<ApiKey, Answer> {
        let token = request.header("authorization").strip_prefix("Bearer ").unwrap_or("");
        let uri = format!("{} {}{}", request.method, request.header("host"), request.path());
        let unauthorized = || (401, Vec::new(), "Unauthorized\n".to_owned());
        let key = self.token(token, Some(&uri), now, exchange).ok_or_else(unauthorized)?;
        if !from_where(&key, request.peer) {
            return Err(unauthorized());
        }
        if !may(&key, need) {
            return Err(error(403, "PERMISSION_DENIED", "Missing required scopes"));
        }
        if !Bucket::take(&mut self.limits, key.account, 30, 30, now) {
            return Err(error(429, "rate_limit_exceeded", "rate limit exceeded"));
        }
        Ok(key)
    }

    /// Who asks on Exchange.
    pub(super) fn signed(
        &mut self,
        request: &Request<'_>,
        need: Need,
        now: Nanos,
        exchange: &dyn Exchange,
    ) -> Result<ApiKey, Answer> {
        if request.header("user-agent").is_empty() {
            return Err(message(400, "User-Agent header is required."));
        }
        let text = std::str::from_utf8(request.body).map_err(|_| message(400, "Invalid body"))?;
        let key = proven(
            &Proof {
                key: request.header("cb-access-key"),
                signature: request.header("cb-access-sign"),
                timestamp: request.header("cb-access-timestamp"),
                passphrase: request.header("cb-access-passphrase"),
            },
            &format!("{}{}{text}", request.method, request.target),
            now,
            exchange,
        )
        .map_err(|text| message(401, text))?;
        if !from_where(&key, request.peer) {
            return Err(message(403, "IP does not match IP whitelist"));
        }
        if !may(&key, need) {
            return Err(message(403, "Forbidden"));
        }
        if !Bucket::take(&mut self.limits, key.account, 15, 30, now) {
            return Err(message(429, "Private rate limit exceeded"));
        }
        Ok(key)
    }
}

/// What proves a request of Exchange.
pub struct Proof<'a> {
    pub key: &'a str,
    pub signature: &'a str,
    pub timestamp: &'a str,
    pub passphrase: &'a str,
}

/// The key of a proof over `what`, which follows the time.
pub fn proven(
    proof: &Proof<'_>,
    what: &str,
    now: Nanos,
    exchange: &dyn Exchange,
) -> Result<ApiKey, &'static str> {
    let key = exchange.key(proof.key).ok_or("Invalid API Key")?;
    if key.passphrase.as_deref() != Some(proof.passphrase) {
        return Err("invalid passphrase");
    }
    let scale = crate::types::Scale::new(9).unwrap_or_default();
    let at = crate::types::parse(proof.timestamp.as_bytes(), scale).map_err(|_| "invalid timestamp")?;
    let off = now - Nanos(at);
    if off > sign::WINDOW || Nanos::ZERO - off > sign::WINDOW {
        return Err("request timestamp expired");
    }
    let KeySecret::Shared(secret) = &key.secret else { return Err("Invalid API Key") };
    let own = MacKey::new(secret).mac(format!("{}{what}", proof.timestamp).as_bytes());
    let sent = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, proof.signature);
    let sound = sent.is_ok_and(|sent| aws_lc_rs::constant_time::verify_slices_are_equal(&own, &sent).is_ok());
    if !sound {
        return Err("invalid signature");
    }
    if key.rights.expires.is_some_and(|until| until <= now) {
        return Err("Invalid API Key");
    }
    Ok(key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills() {
        let mut limits = BTreeMap::new();
        let (one, now) = (AccountId(1), Nanos::from_secs(10));
        let mut take = |at| Bucket::take(&mut limits, one, 15, 30, at);
        assert!((0..30).all(|_| take(now)) && !take(now));
        assert!(!take(now + Nanos::from_millis(66)));
        assert!(take(now + Nanos::from_millis(67)) && !take(now + Nanos::from_millis(67)));
        assert!((0..30).all(|_| take(now + Nanos::from_secs(9))));
    }
}
