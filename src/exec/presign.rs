//! Orders made ready: signed ahead where each must be signed; elsewhere begun ahead, and completed
//! when they fire.
//!
//! A signed order is as good as money until it lapses, so its bytes move and are never copied:
//! [`Ready`] joins them to the gate's [`Admitted`] and is consumed by [`send`] together with the
//! journal's [`Recorded`], and [`Outgoing`] shows its bytes once, behind the caps and the kill flag.
//! What is left is [`Spent`]: a buffer to be wiped and used again.
//!
//! The pool holds whole orders for the likeliest prices and sizes, signed in idle time. One that is
//! taken is gone; one that nears its end is wiped and signed anew; a miss costs what signing costs.
//! In a session nothing is signed: a few orders of each market and side wait with all but the time
//! written down, masked and given an id. Their price and size are what the next order will likely
//! have; when it has others, those two are written anew.

use zeroize::Zeroize;

use super::{Ids, Recorded};
use crate::account::Market;
use crate::risk::{Admitted, Caps, Stopped};
use crate::types::{ClientId, Draft, Kind, Nanos, Price, Qty, Side, Tif, VenueId};
use crate::venue::{EncodeError, Gateway, Lane, OrderBytes};

/// An admitted order's bytes, ready to go. Used once:
///
/// ```compile_fail,E0382
/// # use xarb::exec::{Ready, Recorded, send};
/// # fn twice(ready: Ready, recorded: Recorded, other: Recorded) {
/// let first = send(ready, recorded);
/// let again = send(ready, other); // `ready` has moved
/// # }
/// ```
/// ```compile_fail,E0061
/// # use xarb::exec::{Ready, send};
/// # fn unproven(ready: Ready) {
/// let outgoing = send(ready); // no record, no order
/// # }
/// ```
/// ```compile_fail,E0599
/// # fn twice(ready: xarb::exec::Ready) {
/// let copy = ready.clone();
/// # }
/// ```
#[must_use]
pub struct Ready {
    bytes: OrderBytes,
    admitted: Admitted,
    ahead: bool,
}

impl Ready {
    /// The order as the gate let it pass.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    /// The order.
    pub fn draft(&self) -> &Draft {
        self.admitted.draft()
    }

    /// The key generation that signed it.
    pub fn generation(&self) -> u32 {
        self.bytes.generation
    }

    /// It must not be sent after this time.
    pub fn expires(&self) -> Nanos {
        self.bytes.expires
    }

    /// It was signed before it was needed.
    pub fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// How many bytes it is.
    pub fn size(&self) -> usize {
        self.bytes.as_slice().len()
    }

    /// It will not be sent after all.
    pub fn give_up(self) -> Spent {
        Spent(self.bytes)
    }
}

/// A buffer whose order was sent or given up.
#[must_use]
pub struct Spent(OrderBytes);

/// An order with all its proofs, on its way out.
///
/// ```compile_fail,E0382
/// # use xarb::{exec::Outgoing, risk::Caps, account::Market, types::Nanos};
/// # fn twice(outgoing: Outgoing, caps: &mut Caps, market: &Market) {
/// let first = outgoing.release(caps, market, Nanos(0), |_, _| ());
/// let again = outgoing.release(caps, market, Nanos(0), |_, _| ()); // it has moved
/// # }
/// ```
#[must_use]
pub struct Outgoing(Ready);

/// Joins an admitted order's bytes with the proof that it was recorded.
///
/// # Errors
/// Gives the buffer back when the two are not of one order.
pub fn send(ready: Ready, recorded: Recorded) -> Result<Outgoing, Spent> {
    let client = ready.draft().client;
    let same = recorded.client() == client && ready.bytes.client == client;
    if same { Ok(Outgoing(ready)) } else { Err(ready.give_up()) }
}

impl Outgoing {
    /// The order.
    pub fn draft(&self) -> &Draft {
        self.0.draft()
    }

    /// It must not be sent after this time.
    pub fn expires(&self) -> Nanos {
        self.0.expires()
    }

    /// Shows the bytes to `hand_over`, once, if they are still good and the caps let them pass. The
    /// kill flag is the last thing that is looked at before.
    pub fn release<R>(
        self,
        caps: &mut Caps,
        market: &Market,
        now: Nanos,
        hand_over: impl FnOnce(Lane, &[u8]) -> R,
    ) -> (Result<R, Stopped>, Spent) {
        let Ready { bytes, admitted, .. } = self.0;
        if now > bytes.expires {
            return (Err(Stopped::Lapsed), Spent(bytes));
        }
        match caps.pass(admitted.draft(), market, admitted.mid(), now) {
            Ok(()) => (Ok(hand_over(bytes.lane, bytes.as_slice())), Spent(bytes)),
            Err(stopped) => (Err(stopped), Spent(bytes)),
        }
    }
}

/// How the pool serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolCounts {
    /// Orders found signed.
    pub hits: u64,
    /// Orders that had to be signed on the spot, on venues that sign each order.
    pub misses: u64,
    /// Orders signed ahead that were never used.
    pub lapses: u64,
    /// Orders signed ahead.
    pub signed: u64,
    /// Orders begun ahead whose price and size were guessed right.
    pub guessed: u64,
}

/// A whole order that was signed ahead: nobody asked for it yet.
struct Signed {
    bytes: OrderBytes,
    draft: Draft,
}

/// What an order signed ahead is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    price: i64,
    qty: i64,
    /// Reduce-only, venue, instrument, side, kind, lifetime.
    what: u64,
}

impl Key {
    fn of(draft: &Draft) -> Key {
        let what = u64::from(draft.reduce_only) << 48
            | u64::from(draft.venue.0) << 40
            | u64::from(draft.instrument.0) << 24
            | (draft.side as u64) << 16
            | (draft.kind as u64) << 8
            | draft.tif as u64;
        Key { price: draft.price.0, qty: draft.qty.0, what }
    }
}

/// Orders begun ahead for each market and side.
pub const BEGUN: usize = 4;

/// An order begun, and the price and size that it was begun with.
struct Waiting {
    bytes: OrderBytes,
    guess: (Price, Qty),
}

/// Orders begun for one market and side.
#[derive(Default)]
struct Seat {
    /// The one to be used first is last.
    begun: Vec<Waiting>,
    /// The venue's orders cannot be begun, or not in this session.
    refused: bool,
}

impl Seat {
    fn lacks(&self) -> bool {
        !self.refused && self.begun.len() < BEGUN
    }
}

/// What is to be done in idle time about the orders begun for one market and side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Fewer than enough of them wait.
    Another,
    /// The first of them has a price or size that is not likely any more.
    AnotherGuess,
}

/// The buffers, the orders signed ahead, and those begun.
pub struct Presign {
    /// By instrument, venue and side.
    seats: Vec<Seat>,
    venues: usize,
    free: Vec<OrderBytes>,
    /// Used and not yet wiped.
    dirty: Vec<OrderBytes>,
    /// Beside `pool`, so that a search reads little memory.
    keys: Vec<Key>,
    pool: Vec<Signed>,
    capacity: usize,
    /// An order signed ahead is renewed when it has less than this left.
    renew_before: Nanos,
    counts: PoolCounts,
}

impl Presign {
    /// A pool of so many orders, and `spare` buffers for orders encoded on the spot, beside those that
    /// are begun ahead for each instrument and venue.
    pub fn new(
        capacity: usize,
        spare: usize,
        (instruments, venues): (usize, usize),
        renew_before: Nanos,
    ) -> Presign {
        let seats = instruments * venues * Side::BOTH.len();
        let buffers = capacity + spare + seats * BEGUN;
        Presign {
            seats: (0..seats).map(|_| Seat { begun: Vec::with_capacity(BEGUN), refused: false }).collect(),
            venues,
            free: (0..buffers).map(|_| OrderBytes::new()).collect(),
            dirty: Vec::with_capacity(buffers),
            keys: Vec::with_capacity(capacity),
            pool: Vec::with_capacity(capacity),
            capacity,
            renew_before,
            counts: PoolCounts::default(),
        }
    }

    /// How the pool serves.
    pub fn counts(&self) -> PoolCounts {
        self.counts
    }

    /// Orders signed ahead and not used yet.
    pub fn waiting(&self) -> usize {
        self.pool.len()
    }

    /// Where orders like this one wait that were begun; `None` for kinds that are not.
    #[inline]
    fn seat(&self, draft: &Draft) -> Option<usize> {
        let usual = draft.kind == Kind::Limit && draft.tif == Tif::Ioc && !draft.reduce_only;
        let market = usize::from(draft.instrument.0) * self.venues + usize::from(draft.venue.0);
        let seat = market * Side::BOTH.len() + draft.side as usize;
        (usual && seat < self.seats.len()).then_some(seat)
    }

    /// The id of an order like this one that was begun, or that was signed ahead and is just this one and
    /// still good. `fits` says whether an id may be used; what was begun with another is given up.
    #[inline]
    pub fn find(&mut self, draft: &Draft, now: Nanos, fits: impl Fn(ClientId) -> bool) -> Option<ClientId> {
        if let Some(seat) = self.seat(draft) {
            let begun = &mut self.seats[seat].begun;
            while let Some(waiting) = begun.last() {
                if fits(waiting.bytes.client) {
                    return Some(waiting.bytes.client);
                }
                self.dirty.extend(begun.pop().map(|waiting| waiting.bytes));
            }
        }
        if self.keys.is_empty() { None } else { self.signed(draft, now).filter(|id| fits(*id)) }
    }

    /// The order begun that an order like this one would be made of: its id, and the price and size that
    /// were guessed.
    pub(super) fn likely(&self, draft: &Draft) -> Option<(ClientId, Price, Qty)> {
        let Waiting { bytes, guess: (price, qty) } = self.seats[self.seat(draft)?].begun.last()?;
        Some((bytes.client, *price, *qty))
    }

    /// Shows what was begun for an order that is not meant to its gateway. It stays where it is.
    pub(super) fn rehearse(&mut self, gateway: &mut dyn Gateway, draft: &Draft, now: Nanos) {
        let Some(seat) = self.seat(draft) else { return };
        if let Some(waiting) = self.seats[seat].begun.last_mut()
            && waiting.bytes.client == draft.client
        {
            gateway.rehearse(draft, now, &mut waiting.bytes);
        }
    }

    fn signed(&self, draft: &Draft, now: Nanos) -> Option<ClientId> {
        let key = Key::of(draft);
        let at = self.keys.iter().position(|own| *own == key)?;
        let Signed { bytes, draft } = &self.pool[at];
        (now < bytes.expires).then_some(draft.client)
    }

    fn remove(&mut self, at: usize) -> Signed {
        self.keys.swap_remove(at);
        self.pool.swap_remove(at)
    }

    /// A buffer; made now in the unlikely case that all are out.
    fn buffer(&mut self) -> OrderBytes {
        self.free.pop().or_else(|| self.dirty.pop()).unwrap_or_default()
    }

    /// Makes an admitted order ready: with bytes from the pool, or from what was begun, when its id was
    /// given there; else encoded now.
    ///
    /// # Errors
    /// Gives the order back when the gateway cannot write it down.
    #[inline]
    pub fn prepare(
        &mut self,
        gateway: &mut dyn Gateway,
        signs_each: bool,
        admitted: Admitted,
        now: Nanos,
    ) -> Result<Ready, Admitted> {
        let draft = admitted.draft();
        if signs_each {
            let key = Key::of(draft);
            let at = self.keys.iter().position(|own| *own == key);
            if let Some(at) = at.filter(|at| self.pool[*at].draft == *draft) {
                self.counts.hits += 1;
                let Signed { bytes, .. } = self.remove(at);
                return Ok(Ready { bytes, admitted, ahead: true });
            }
            self.counts.misses += 1;
        }
        let begun = self.seat(draft).map(|seat| &mut self.seats[seat].begun);
        let own = |waiting: &mut Waiting| waiting.bytes.client == draft.client;
        let Some(Waiting { mut bytes, guess }) = begun.and_then(|begun| begun.pop_if(own)) else {
            return match self.encode(gateway, draft, now) {
                Ok(bytes) => Ok(Ready { bytes, admitted, ahead: false }),
                Err(_) => Err(admitted),
            };
        };
        self.counts.guessed += u64::from(guess == (draft.price, draft.qty));
        match gateway.complete(draft, now, &mut bytes) {
            Ok(()) => Ok(Ready { bytes, admitted, ahead: false }),
            Err(_) => {
                self.recycle(Spent(bytes));
                Err(admitted)
            }
        }
    }

    /// Begins an order like this one; its id is taken from `ids`. False when enough of them wait, or when
    /// that cannot be done: it is not tried again before the venue's orders are retired.
    pub fn begin(&mut self, draft: &Draft, gateway: &mut dyn Gateway, ids: &mut Ids) -> bool {
        let Some(seat) = self.seat(draft).filter(|seat| self.seats[*seat].lacks()) else { return false };
        let mut bytes = self.buffer();
        let own = Draft { client: ids.take(draft.side as u8), ..*draft };
        match gateway.begin(&own, &mut bytes) {
            Ok(()) => {
                // The oldest is used first, so that counters leave in order.
                self.seats[seat].begun.insert(0, Waiting { bytes, guess: (draft.price, draft.qty) });
                true
            }
            Err(_) => {
                self.seats[seat].refused = true;
                self.recycle(Spent(bytes));
                false
            }
        }
    }

    /// Begins the order anew that will be used first, where its price and size are not the likely ones
    /// any more. Those behind it follow when they are the first.
    pub fn renew(&mut self, draft: &Draft, gateway: &mut dyn Gateway) {
        let Some(seat) = self.seat(draft) else { return };
        let Some(Waiting { bytes, guess }) = self.seats[seat].begun.last_mut() else { return };
        *guess = (draft.price, draft.qty);
        if gateway.begin(&Draft { client: bytes.client, ..*draft }, bytes).is_err() {
            let waiting = self.seats[seat].begun.pop();
            self.dirty.extend(waiting.map(|waiting| waiting.bytes));
        }
    }

    /// What is to be done about orders like this one.
    pub fn need(&self, draft: &Draft) -> Need {
        let Some(seat) = self.seat(draft).map(|seat| &self.seats[seat]) else { return Need::Nothing };
        match seat.begun.last() {
            _ if seat.lacks() => Need::Another,
            Some(waiting) if waiting.guess != (draft.price, draft.qty) => Need::AnotherGuess,
            _ => Need::Nothing,
        }
    }

    fn encode(
        &mut self,
        gateway: &mut dyn Gateway,
        draft: &Draft,
        now: Nanos,
    ) -> Result<OrderBytes, EncodeError> {
        let mut bytes = self.buffer();
        match gateway.encode(draft, now, &mut bytes) {
            Ok(()) => {
                bytes.client = draft.client;
                Ok(bytes)
            }
            Err(error) => {
                self.recycle(Spent(bytes));
                Err(error)
            }
        }
    }

    /// Signs up to `budget` of the wanted orders that are not there yet (their ids are given here),
    /// and returns how many. When the pool is full, orders of the same venue and instrument that
    /// are no longer wanted make room.
    pub fn refill(
        &mut self,
        wanted: &[Draft],
        gateway: &mut dyn Gateway,
        ids: &mut Ids,
        now: Nanos,
        budget: usize,
    ) -> usize {
        let mut signed = 0;
        for draft in wanted {
            if signed == budget {
                break;
            }
            if self.keys.contains(&Key::of(draft)) {
                continue;
            }
            if self.pool.len() >= self.capacity && !self.make_room(wanted) {
                break;
            }
            let draft = Draft { client: ids.take(draft.side as u8), ..*draft };
            // A gateway that is not ready, or an order that it would refuse: nothing to sign.
            let Ok(bytes) = self.encode(gateway, &draft, now) else { break };
            self.keys.push(Key::of(&draft));
            self.pool.push(Signed { bytes, draft });
            self.counts.signed += 1;
            signed += 1;
        }
        signed
    }

    fn make_room(&mut self, wanted: &[Draft]) -> bool {
        let stale = self.pool.iter().position(|signed| {
            let same = |draft: &&Draft| {
                (draft.venue, draft.instrument) == (signed.draft.venue, signed.draft.instrument)
            };
            wanted.iter().any(|draft| same(&draft))
                && !wanted.iter().any(|draft| Key::of(draft) == Key::of(&signed.draft))
        });
        stale.is_some_and(|at| {
            self.lapse(at);
            true
        })
    }

    fn lapse(&mut self, at: usize) {
        let Signed { bytes, .. } = self.remove(at);
        self.recycle(Spent(bytes));
        self.counts.lapses += 1;
    }

    /// Lets go of orders that near their end.
    pub fn expire(&mut self, now: Nanos) {
        let mut at = 0;
        while at < self.pool.len() {
            if now + self.renew_before >= self.pool[at].bytes.expires {
                self.lapse(at);
            } else {
                at += 1;
            }
        }
    }

    /// Lets go of all orders of a venue: its session, its key or its rules changed.
    pub fn retire(&mut self, venue: VenueId) {
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if at / Side::BOTH.len() % self.venues == usize::from(venue.0) {
                self.dirty.extend(seat.begun.drain(..).map(|waiting| waiting.bytes));
                seat.refused = false;
            }
        }
        let mut at = 0;
        while at < self.pool.len() {
            if self.pool[at].draft.venue == venue {
                self.lapse(at);
            } else {
                at += 1;
            }
        }
    }

    /// Takes a buffer back. It is wiped in idle time: that costs a microsecond.
    pub fn recycle(&mut self, spent: Spent) {
        self.dirty.push(spent.0);
    }

    /// Wipes one used buffer; false when there was none.
    pub fn wipe_one(&mut self) -> bool {
        let Some(mut bytes) = self.dirty.pop() else { return false };
        bytes.wipe();
        bytes.client = ClientId::default();
        bytes.expires.0.zeroize();
        self.free.push(bytes);
        true
    }
}
