//! Balances of all accounts of one exchange. Nothing is made or lost here: what one account pays,
//! another receives, and only deposits change the sum.

use crate::types::{Asset, Money};
use crate::venue::{AccountId, Balance};

#[derive(Clone, Copy, Default)]
struct Slot {
    free: Money,
    locked: Money,
}

/// All balances.
pub(super) struct Wallets {
    /// Sorted, so that what is listed is in order.
    assets: Vec<Asset>,
    accounts: Vec<Vec<Slot>>,
    /// Sum of the deposits of each asset.
    deposited: Vec<Money>,
    /// What changed since [`Wallets::changes`].
    changed: Vec<(AccountId, usize)>,
}

impl Wallets {
    pub fn new(mut assets: Vec<Asset>) -> Wallets {
        assets.sort();
        assets.dedup();
        Wallets {
            deposited: vec![Money::ZERO; assets.len()],
            assets,
            accounts: Vec::new(),
            changed: Vec::new(),
        }
    }

    pub fn open(&mut self) -> AccountId {
        self.accounts.push(vec![Slot::default(); self.assets.len()]);
        AccountId(self.accounts.len() as u32 - 1)
    }

    pub fn has(&self, account: AccountId) -> bool {
        (account.0 as usize) < self.accounts.len()
    }

    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// Brings an asset in from outside. A new asset is added to every account.
    pub fn deposit(&mut self, account: AccountId, asset: Asset, amount: Money) {
        if let Err(at) = self.assets.binary_search(&asset) {
            self.assets.insert(at, asset);
            self.deposited.insert(at, Money::ZERO);
            self.accounts.iter_mut().for_each(|slots| slots.insert(at, Slot::default()));
            self.changed.iter_mut().filter(|(_, slot)| *slot >= at).for_each(|(_, slot)| *slot += 1);
        }
        let at = self.index(asset);
        self.deposited[at] += amount;
        self.settle(account, asset, amount);
    }

    pub fn free(&self, account: AccountId, asset: Asset) -> Money {
        self.slot(account, asset).free
    }

    pub fn locked(&self, account: AccountId, asset: Asset) -> Money {
        self.slot(account, asset).locked
    }

    /// Adds to what is free; a negative amount takes away.
    pub fn give(&mut self, account: AccountId, asset: Asset, amount: Money) {
        let slot = self.touch(account, asset);
        slot.free += amount;
        // The account for fees, the first, may owe: rebates can exceed fees.
        let sound = account.0 == 0 || !slot.free.is_negative();
        assert!(sound, "account {} has paid {asset} that it did not have", account.0);
    }

    /// Moves from free to locked; a negative amount moves back.
    pub fn lock(&mut self, account: AccountId, asset: Asset, amount: Money) {
        if amount == Money::ZERO {
            return;
        }
        let slot = self.touch(account, asset);
        slot.free -= amount;
        slot.locked += amount;
        let sound = !slot.free.is_negative() && !slot.locked.is_negative();
        assert!(sound, "account {} has locked {asset} that it did not have", account.0);
    }

    /// Adds a realised profit or takes a loss, fees included. A loss may be more than is free.
    pub fn settle(&mut self, account: AccountId, asset: Asset, amount: Money) {
        self.touch(account, asset).free += amount;
    }

    /// Moves from free to locked, as margin; a negative amount moves back. After a loss what is free
    /// may be less than nothing.
    pub fn set_margin(&mut self, account: AccountId, asset: Asset, amount: Money) {
        if amount == Money::ZERO {
            return;
        }
        let slot = self.touch(account, asset);
        slot.free -= amount;
        slot.locked += amount;
        assert!(!slot.locked.is_negative(), "account {} has unlocked too much {asset}", account.0);
    }

    pub fn balance(&self, account: AccountId, at: usize) -> Balance {
        let slot = self.accounts[account.0 as usize][at];
        Balance { asset: self.assets[at], free: slot.free, locked: slot.locked }
    }

    /// What changed since the last call, each once, by account and asset.
    pub fn changes(&mut self, into: &mut Vec<(AccountId, usize)>) {
        into.clear();
        std::mem::swap(into, &mut self.changed);
        into.sort_unstable();
        into.dedup();
    }

    /// The sum over all accounts, and what it must be.
    pub fn totals(&self) -> impl Iterator<Item = (Asset, Money, Money)> + '_ {
        self.assets.iter().enumerate().map(|(at, asset)| {
            let held = self.accounts.iter().map(|slots| slots[at].free + slots[at].locked).sum();
            (*asset, held, self.deposited[at])
        })
    }

    fn index(&self, asset: Asset) -> usize {
        self.assets.binary_search(&asset).expect("an asset of this exchange")
    }

    fn slot(&self, account: AccountId, asset: Asset) -> &Slot {
        &self.accounts[account.0 as usize][self.index(asset)]
    }

    fn touch(&mut self, account: AccountId, asset: Asset) -> &mut Slot {
        let at = self.index(asset);
        self.changed.push((account, at));
        &mut self.accounts[account.0 as usize][at]
    }
}
