//! Who asks, and may they: key, address, time, signature, rights.

use super::Failure;
use crate::types::Nanos;
use crate::venue::bybit::sign::{login_text, request_text};
use crate::venue::served::address;
use crate::venue::{AccountId, ApiKey, Exchange, KeySecret};
use crate::wire::hmac::MacKey;

/// How far ahead of the venue's clock a request may be: less than this.
const AHEAD: Nanos = Nanos::from_secs(1);
/// The venue's own window.
const WINDOW_MS: i64 = 5_000;

/// What a request needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing: public data.
    Nothing,
    /// Any key.
    Reading,
    /// A key that may trade.
    Trading,
}

/// A key that may be used from there.
pub fn key<'a>(exchange: &'a dyn Exchange, name: &str, peer: &str) -> Result<&'a ApiKey, Failure> {
    let key = exchange.key(name).ok_or_else(|| Failure::new(10_003, "API key is invalid."))?;
    let address = address(peer);
    if !key.rights.ips.is_empty() && !key.rights.ips.contains(&address) {
        return Err(Failure::new(10_010, "Unmatched IP, please check your API key's bound IP addresses."));
    }
    Ok(key)
}

/// Whether the key may do that.
pub fn permit(key: &ApiKey, needs: Needs) -> Result<(), Failure> {
    let granted = match needs {
        Needs::Nothing => true,
        Needs::Reading => key.rights.read != Some(false),
        Needs::Trading => key.rights.trade != Some(false),
    };
    let refused = "Permission denied, please check your API key permissions.";
    if granted { Ok(()) } else { Err(Failure::new(10_005, refused)) }
}

/// The account of a signed HTTP request. `payload` is the query or the body as it came.
pub fn request(
    exchange: &dyn Exchange,
    headers: &[(String, String)],
    payload: &str,
    peer: &str,
    needs: Needs,
    now: Nanos,
) -> Result<AccountId, Failure> {
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
    };
    let key = key(exchange, header("x-bapi-api-key"), peer)?;
    let (stamp, window) = (header("x-bapi-timestamp"), header("x-bapi-recv-window"));
    time(stamp, window, now)?;
    let (stamp, window) = (number(stamp).unwrap_or(0), number(window).unwrap_or(WINDOW_MS));
    let text = request_text(stamp, &key.key, u32::try_from(window).unwrap_or(0), payload);
    if !verify(&key.secret, &text, header("x-bapi-sign")) {
        return Err(Failure::new(10_004, "Error sign, please check your signature generation algorithm."));
    }
    permit(key, needs)?;
    Ok(key.account)
}

/// The account of a login that expires at the given time.
pub fn login(
    exchange: &dyn Exchange,
    name: &str,
    expires: i64,
    signature: &str,
    peer: &str,
    now: Nanos,
) -> Result<AccountId, Failure> {
    let key = key(exchange, name, peer)?;
    if expires <= now.millis() {
        return Err(Failure::new(10_001, "Params Error: expires"));
    }
    if !verify(&key.secret, &login_text(expires), signature) {
        return Err(Failure::new(10_004, "Error sign, please check your signature generation algorithm."));
    }
    Ok(key.account)
}

/// The window: less than a second ahead, and no older than asked for.
pub fn time(stamp: &str, window: &str, now: Nanos) -> Result<(), Failure> {
    let sent = number(stamp).ok_or_else(|| Failure::new(10_001, "params error: X-BAPI-TIMESTAMP"))?;
    let window = if window.is_empty() { Some(WINDOW_MS) } else { number(window) };
    let window = window.ok_or_else(|| Failure::new(10_001, "params error: X-BAPI-RECV-WINDOW"))?;
    let server = now.millis();
    if sent < server - window || sent >= server + AHEAD.millis() {
        return Err(Failure::new(
            10_002,
            &format!(
                "invalid request, please check your server timestamp or recv_window param. \
                 req_timestamp[{sent}],server_timestamp[{server}],recv_window[{window}]"
            ),
        ));
    }
    Ok(())
}

fn number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn verify(secret: &KeySecret, text: &str, signature: &str) -> bool {
    let KeySecret::Shared(secret) = secret else { return false };
    let mut sent = [0; 32];
    // Lower case, as the venue compares texts.
    let lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    let decoded = lower && const_hex::decode_to_slice(signature, &mut sent).is_ok();
    let own = MacKey::new(secret).mac(text.as_bytes());
    decoded && aws_lc_rs::constant_time::verify_slices_are_equal(&own, &sent).is_ok()
}
