//! What simulated servers share: addresses, orders that never reached the exchange, and what changed
//! of a book.

use std::collections::{BTreeMap, VecDeque};

use super::{AccountId, Exchange, NewOrder, OrderRef, OrderView};
use crate::types::{Level, Nanos, OrderState};

/// Orders that never reached the exchange, remembered for questions.
const GHOSTS_MAX: usize = 4_096;
/// Their numbers start here.
const GHOSTS_FROM: u64 = 1 << 47;

/// The address of a peer, which may come with its port.
pub fn address(peer: &str) -> String {
    match peer.parse::<core::net::SocketAddr>() {
        Ok(peer) => peer.ip().to_string(),
        Err(_) => peer.to_owned(),
    }
}

/// The levels that make `new` of `old`: those that are gone have quantity zero. In the order of
/// `new`, then what is gone.
pub fn difference(old: &[Level], new: &[Level]) -> Vec<Level> {
    let quantity = |levels: &[Level]| -> BTreeMap<i64, i64> {
        levels.iter().map(|level| (level.price.0, level.qty.0)).collect()
    };
    let (before, after) = (quantity(old), quantity(new));
    let changed = new.iter().filter(|level| before.get(&level.price.0) != Some(&level.qty.0)).copied();
    let gone = old.iter().filter(|level| !after.contains_key(&level.price.0));
    changed.chain(gone.map(|level| Level::new(level.price.0, 0))).collect()
}

/// Orders that a venue accepted, and ended before they reached the exchange.
pub struct Ghosts {
    views: VecDeque<OrderView>,
    next: u64,
}

impl Default for Ghosts {
    fn default() -> Ghosts {
        Ghosts { views: VecDeque::new(), next: GHOSTS_FROM }
    }
}

impl Ghosts {
    /// An order that ends so without ever reaching the exchange.
    pub fn end(&mut self, account: AccountId, order: &NewOrder, state: OrderState, now: Nanos) -> OrderView {
        let view = OrderView {
            id: self.next,
            account,
            order: order.clone(),
            state,
            filled: Default::default(),
            filled_value: Default::default(),
            reason: None,
            created: now,
            updated: now,
            fills: Vec::new(),
        };
        self.next += 1;
        if self.views.len() == GHOSTS_MAX {
            self.views.pop_front();
        }
        self.views.push_back(view.clone());
        view
    }

    /// An account's, oldest first.
    pub fn of(&self, account: AccountId) -> impl Iterator<Item = OrderView> + '_ {
        self.views.iter().filter(move |ghost| ghost.account == account).cloned()
    }

    /// An order, open or ended, at the exchange or here; of those here the last that had the id.
    pub fn find(
        &self,
        account: AccountId,
        order: &OrderRef,
        exchange: &(impl Exchange + ?Sized),
    ) -> Option<OrderView> {
        let is = |ghost: &&OrderView| {
            ghost.account == account
                && match order {
                    OrderRef::Id(id) => ghost.id == *id,
                    OrderRef::Client(client) => ghost.order.client == *client,
                }
        };
        exchange.order(account, order).or_else(|| self.views.iter().rev().find(is).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_turns_one_book_into_the_other() {
        let level = Level::new;
        let old = [level(10, 1), level(9, 1), level(8, 1)];
        let new = [level(11, 1), level(10, 1), level(9, 2)];
        assert_eq!(difference(&old, &new), [level(11, 1), level(9, 2), level(8, 0)]);
        assert_eq!(difference(&new, &new), []);
        assert_eq!(address("10.0.0.1:4444"), "10.0.0.1");
        assert_eq!(address("10.0.0.1"), "10.0.0.1");
    }
}
