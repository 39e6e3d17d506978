//! Tokens made ahead, so that an order costs no signature when it fires.
//!
//! A token is good for one kind of request and for a time. Whether the venue takes one twice is not
//! documented; its own libraries make one for each request, so each is handed out once here. How
//! many there are bounds a burst: between two ticks no more orders can be written than tokens wait,
//! and one that finds none is refused.

use zeroize::Zeroizing;

use super::jwt::{LIFE_MAX, Signer};
use crate::types::Nanos;

/// Tokens kept ready: what the venue's own limit lets through in a second.
const READY: usize = 32;

/// Tokens made in one go, so that a tick stays short.
const MADE: usize = 8;

/// Ready tokens for one kind of request.
pub struct Tokens {
    uri: String,
    life: i64,
    slots: Vec<Slot>,
}

struct Slot {
    text: Zeroizing<String>,
    /// The venue refuses it from then on.
    expires: Nanos,
    used: bool,
}

impl Tokens {
    /// For requests to `uri` (`POST api.coinbase.com/path`). Tokens live `life` seconds and are
    /// made anew when half of that is over.
    pub fn new(uri: String, life: i64) -> Tokens {
        let empty = || Slot { text: Zeroizing::default(), expires: Nanos::ZERO, used: true };
        Tokens { uri, life: life.clamp(2, LIFE_MAX), slots: (0..READY).map(|_| empty()).collect() }
    }

    /// True when an order could be written now.
    pub fn any(&self, now: Nanos) -> bool {
        self.next(now).is_some()
    }

    /// A token, for once, and the time from which the venue refuses it.
    pub fn take(&mut self, now: Nanos) -> Option<(&str, Nanos)> {
        let slot = self.slots.iter_mut().find(|slot| slot.is_good(now))?;
        slot.used = true;
        Some((slot.text.as_str(), slot.expires))
    }

    /// The next token, which stays where it is.
    pub fn next(&self, now: Nanos) -> Option<&str> {
        self.slots.iter().find(|slot| slot.is_good(now)).map(|slot| slot.text.as_str())
    }

    /// Replaces some of those that are used or past the half of their life.
    pub fn refill(&mut self, signer: &mut Signer, now: Nanos) {
        let half = Nanos::from_secs(self.life / 2);
        let due = |slot: &&mut Slot| slot.used || slot.expires - now < half;
        for slot in self.slots.iter_mut().filter(due).take(MADE) {
            let second = now.0.div_euclid(1_000_000_000);
            slot.text = signer.token(Some(&self.uri), now, self.life);
            (slot.expires, slot.used) = (Nanos::from_secs(second + self.life), false);
        }
    }
}

impl Slot {
    /// A second is left for the way.
    fn is_good(&self, now: Nanos) -> bool {
        !self.used && self.expires - now > Nanos::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::keys::{KeyForm, make_key, trading_rights};
    use crate::venue::AccountId;
    use crate::venue::coinbase::jwt;

    #[test]
    fn a_token_is_given_once_and_replaced_before_it_ends() {
        let rng = &mut oorandom::Rand64::new(5);
        let (checks, signs) = make_key(rng, KeyForm::Ed25519, AccountId(0), trading_rights());
        let mut signer = Signer::new(&signs, 1).unwrap();
        let mut tokens = Tokens::new("POST h/orders".to_owned(), 30);
        let mut now = Nanos::from_millis(1_700_000_000_700);
        assert!(!tokens.any(now) && tokens.take(now).is_none());
        for _ in 0..READY / MADE {
            tokens.refill(&mut signer, now);
        }
        let mut seen = std::collections::BTreeSet::new();
        while let Some((token, expires)) = tokens.take(now) {
            assert_eq!(expires, Nanos::from_secs(1_700_000_030));
            let (claims, nonce) = jwt::verify(&checks.secret, &checks.key, token, now).unwrap();
            assert_eq!((claims.uri.as_deref(), claims.exp), (Some("POST h/orders"), 1_700_000_030));
            assert!(seen.insert(nonce), "used twice");
        }
        assert_eq!(seen.len(), READY);
        tokens.refill(&mut signer, now);
        // Whenever one is taken, however late, the venue takes it for a while yet.
        for _ in 0..100 {
            now = now + Nanos::from_millis(900);
            tokens.refill(&mut signer, now);
            let (_, expires) = tokens.take(now).unwrap();
            assert!(expires - now > Nanos::from_secs(13), "{:?}", expires - now);
        }
        assert!(!tokens.any(now + Nanos::from_secs(30)));
    }
}
