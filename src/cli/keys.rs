//! Before the first order: what do the keys allow, and may they be traded with?

use super::Failure;
use crate::engine::{Identity, MakeDial, Plan, RIGHTS_NONCES, RightsLoader};
use crate::risk::{Concern, judge};
use crate::types::{Environment, Nanos};
use crate::venue::Credentials;

/// How long a venue may take to tell what a key may do.
const WITHIN: Nanos = Nanos::from_secs(15);

/// Asks every venue that orders would be sent to what its key may do, and says on stderr what speaks
/// against it. `pass` lets a moment pass and tells the time. Gives who trades: above the nonces that
/// this took.
///
/// # Errors
/// [`Failure`] of exit code 4 names the venue and what is wrong with its key.
pub fn check(
    plan: &Plan,
    credentials: &[Credentials],
    identity: &Identity,
    dial: &mut MakeDial<'_>,
    pass: &mut dyn FnMut() -> Nanos,
) -> Result<Identity, Failure> {
    let until = pass() + WITHIN;
    let mut loaders = Vec::new();
    for (venue, credentials) in plan.venues.iter().zip(credentials) {
        if venue.config.environment != Environment::Paper {
            let loader = RightsLoader::new(venue, credentials, identity, dial(), until);
            loaders.push((venue, Some(loader.map_err(|error| Failure::usage(error.to_string()))?)));
        }
    }
    let mut refused = Vec::new();
    while loaders.iter().any(|(_, loader)| loader.is_some()) {
        let now = pass();
        for (venue, slot) in &mut loaders {
            let Some(told) = slot.as_mut().and_then(|loader| loader.poll(now)) else { continue };
            *slot = None;
            let id = &venue.config.id;
            match judge(&told, venue.config.allow_unread_rights, now) {
                Ok(concerns) => {
                    let simulated = venue.config.environment == Environment::Sim;
                    // Of a made-up key that is of no use to anybody.
                    concerns
                        .iter()
                        .filter(|own| !(simulated && **own == Concern::AddressesNotTold))
                        .for_each(|concern| eprintln!("xarb: venue.{id}: {concern}"));
                }
                Err(bad) => refused.push(format!("venue.{id}: {bad}")),
            }
        }
    }
    if !refused.is_empty() {
        return Err(Failure::refused(refused.join("; ")));
    }
    Ok(Identity { nonce_from: identity.nonce_from + RIGHTS_NONCES, ..identity.clone() })
}
