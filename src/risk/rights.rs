//! Whether a key may be traded with: decided before anything is sent with it.
//!
//! A key that can withdraw turns a bug or a theft into a loss of everything, one that cannot trade is no
//! use; and a key of which the venue tells nothing may be either. What else speaks against a key is told,
//! and does not stop a start.

use core::fmt;

use crate::types::{KeyRights, Nanos};

/// A key that ends within this time is spoken of.
const SOON: Nanos = Nanos::from_secs(14 * 86_400);

/// Why nothing is sent with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadKey {
    /// It may withdraw.
    Withdraw,
    /// It may not trade.
    NoTrade,
    /// The venue did not tell what it may do; why.
    Unread(String),
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadKey::Withdraw => {
                f.write_str("the key may withdraw: make one without that right, for trading alone")
            }
            BadKey::NoTrade => f.write_str("the key may not trade: it lacks the right to place orders"),
            BadKey::Unread(why) => write!(f, "what the key may do is not known: {why}"),
        }
    }
}

/// What speaks against a key that is traded with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Concern {
    /// It may be used from any address.
    AnyAddress,
    /// The venue does not tell whether it is bound to addresses.
    AddressesNotTold,
    /// It may move funds between accounts.
    Transfer,
    /// Rights that trading does not need, by the venue's names.
    Excess(Vec<String>),
    /// It ends soon.
    Ends(Nanos),
    /// The configuration allows that its rights are not known; why they are not.
    Unread(String),
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concern::AnyAddress => f.write_str("the key may be used from any address: bind it to yours"),
            Concern::AddressesNotTold => {
                f.write_str("the venue does not tell whether the key is bound to addresses")
            }
            Concern::Transfer => f.write_str("the key may move funds between accounts"),
            Concern::Excess(rights) => {
                write!(f, "the key may do more than trading needs: {}", rights.join(", "))
            }
            Concern::Ends(at) => write!(f, "the key ends at {}", at.rfc3339(0)),
            Concern::Unread(why) => {
                write!(f, "what the key may do is not known, as the configuration allows: {why}")
            }
        }
    }
}

/// Judges a key by what the venue told of it, or by why it told nothing. Rights that are known and wrong
/// are never forgiven; `allow_unread` forgives those that are not known.
///
/// # Errors
/// [`BadKey`]: nothing may be sent with it.
pub fn judge(
    told: &Result<KeyRights, String>,
    allow_unread: bool,
    now: Nanos,
) -> Result<Vec<Concern>, BadKey> {
    let unread = |why: &str| match allow_unread {
        true => Ok(Concern::Unread(why.to_owned())),
        false => Err(BadKey::Unread(why.to_owned())),
    };
    let rights = match told {
        Ok(rights) => rights,
        Err(why) => return Ok(vec![unread(why)?]),
    };
    if rights.withdraw == Some(true) {
        return Err(BadKey::Withdraw);
    }
    if rights.trade == Some(false) {
        return Err(BadKey::NoTrade);
    }
    let mut concerns = Vec::new();
    if rights.withdraw.is_none() {
        concerns.push(unread("the venue does not say whether it may withdraw")?);
    }
    if rights.trade.is_none() {
        concerns.push(unread("the venue does not say whether it may trade")?);
    }
    match rights.ip_bound {
        Some(true) => {}
        Some(false) => concerns.push(Concern::AnyAddress),
        None => concerns.push(Concern::AddressesNotTold),
    }
    if rights.transfer == Some(true) {
        concerns.push(Concern::Transfer);
    }
    if !rights.excess.is_empty() {
        concerns.push(Concern::Excess(rights.excess.clone()));
    }
    if let Some(at) = rights.expires.filter(|at| *at - now <= SOON) {
        concerns.push(Concern::Ends(at));
    }
    Ok(concerns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_secs(1_800_000_000);

    fn good() -> KeyRights {
        KeyRights {
            read: Some(true),
            trade: Some(true),
            withdraw: Some(false),
            transfer: Some(false),
            ip_bound: Some(true),
            ..KeyRights::default()
        }
    }

    #[test]
    fn only_keys_for_trading_alone_are_traded_with() {
        let excess = vec!["Earn.Earn".to_owned()];
        let ends = NOW + Nanos::from_secs(86_400);
        let unread = |why: &str| Concern::Unread(why.to_owned());
        let bad = |why: &str| Err(BadKey::Unread(why.to_owned()));
        let (no_withdraw, no_trade) =
            ("the venue does not say whether it may withdraw", "the venue does not say whether it may trade");
        // What is told, and the verdict without and with leave for what is not.
        for (told, strict, lenient) in [
            (Ok(good()), Ok(vec![]), Ok(vec![])),
            (Ok(KeyRights { withdraw: Some(true), ..good() }), Err(BadKey::Withdraw), Err(BadKey::Withdraw)),
            (Ok(KeyRights { trade: Some(false), ..good() }), Err(BadKey::NoTrade), Err(BadKey::NoTrade)),
            (Ok(KeyRights { withdraw: None, ..good() }), bad(no_withdraw), Ok(vec![unread(no_withdraw)])),
            (Ok(KeyRights { trade: None, ..good() }), bad(no_trade), Ok(vec![unread(no_trade)])),
            (Err("no answer".to_owned()), bad("no answer"), Ok(vec![unread("no answer")])),
            (
                Ok(KeyRights { ip_bound: Some(false), transfer: Some(true), ..good() }),
                Ok(vec![Concern::AnyAddress, Concern::Transfer]),
                Ok(vec![Concern::AnyAddress, Concern::Transfer]),
            ),
            (
                Ok(KeyRights { ip_bound: None, excess: excess.clone(), expires: Some(ends), ..good() }),
                Ok(vec![Concern::AddressesNotTold, Concern::Excess(excess.clone()), Concern::Ends(ends)]),
                Ok(vec![Concern::AddressesNotTold, Concern::Excess(excess), Concern::Ends(ends)]),
            ),
            (
                Ok(KeyRights { expires: Some(NOW + Nanos::from_secs(30 * 86_400)), ..good() }),
                Ok(vec![]),
                Ok(vec![]),
            ),
        ] {
            assert_eq!(judge(&told, false, NOW), strict, "{told:?}");
            assert_eq!(judge(&told, true, NOW), lenient, "{told:?}");
        }
    }
}
