//! The journal: what was decided and what came back, in the order it happened, with a running
//! SHA-256. No order leaves without its record: sending takes a [`Recorded`], and only
//! [`Journal::append_order`] makes one.
//!
//! A record is [`RECORD`] bytes, little-endian, unused fields zero (or all ones where zero would
//! mean something):
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 1 | kind, see [`Kind`] |
//! | 1 | 1 | venue; 255 = none |
//! | 2 | 1 | side: 0 buy, 1 sell; 255 = none |
//! | 3 | 1 | code: order state, refusal reason, misconduct or outcome, by kind |
//! | 4 | 2 | instrument; 65535 = none |
//! | 6 | 1 | leg |
//! | 7 | 1 | flags: 1 = hedge, 2 = signed ahead |
//! | 8 | 8 | number of the record, from 0 |
//! | 16 | 8 | time, ns since the epoch |
//! | 24 | 16 | client id |
//! | 40 | 8 | intent |
//! | 48 | 8 | price |
//! | 56 | 8 | quantity |
//! | 64 | 8 | total filled; count of refusals; of an order, the mid it was judged by |
//! | 72 | 8 | key generation; venue's time |
//! | 80 | 16 | amount, in units of 1e-24: fee, edge, residual |
//! | 96 | 16 | asset of the amount: length, then its text |
//! | 112 | 48 | text: length, then the venue's id of order or trade, or its code |
//!
//! Appending copies the bytes into a buffer made at start; hashing waits for
//! [`Journal::catch_up`], off the hot path. The digest is over the records in order either way.

use sha2::{Digest, Sha256};

use super::presign::Ready;
use crate::types::{Asset, ClientId, InstrumentId, Money, Nanos, Price, Qty, Side, Text, VenueId, VenueRef};

/// Bytes of a record.
pub const RECORD: usize = 160;

/// What a record is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// An opportunity was admitted: instrument, intent, edge.
    Intent = 1,
    /// An order is about to leave: all of it. Written before its first byte is handed over.
    Order = 2,
    /// What became of the bytes (`code`: 0 sent, 1 not sent, 2 unclear, 16+ stopped by a cap).
    Sent = 3,
    /// The venue has an order.
    Accepted = 4,
    /// A fill: price, quantity, fee, trade id.
    Filled = 5,
    /// An order ended: state, total.
    Ended = 6,
    /// An order was refused: the venue's code.
    Refused = 7,
    /// An order is in doubt.
    Doubt = 8,
    /// A question left about an order.
    Asked = 9,
    /// A venue's answer to it: state, total; or not found.
    Answered = 10,
    /// A hedge was decided: residual.
    Hedge = 11,
    /// An intent ended (`code`: its outcome): residual left.
    IntentEnd = 12,
    /// How often a reason refused since the last such record, and the edge given up.
    Refusals = 13,
    /// A venue's session (`code`: 0 ready, 1 down, 2 streaming).
    Session = 14,
    /// A venue misbehaved (`code`).
    Frozen = 15,
    /// A balance as reported; flagged when it differs from ours.
    Balance = 16,
    /// An instrument was halted: residual.
    Halted = 17,
    /// An order was amended.
    Amended = 18,
    /// An order or fill that is not ours.
    Foreign = 19,
    /// The kill flag was seen set.
    Killed = 20,
}

/// One record, as fields. Made by [`Entry::new`] and filled in by those that follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    kind: Kind,
    at: Nanos,
    venue: u8,
    side: u8,
    code: u8,
    instrument: u16,
    leg: u8,
    flags: u8,
    client: ClientId,
    intent: u64,
    price: Price,
    qty: Qty,
    total: i64,
    extra: i64,
    amount: Money,
    asset: Asset,
    text: VenueRef,
}

impl Entry {
    /// An order that hedges.
    pub const HEDGE: u8 = 1;
    /// An order whose bytes were signed ahead.
    pub const SIGNED_AHEAD: u8 = 2;
    /// An order that may only reduce a position.
    pub const REDUCE_ONLY: u8 = 4;

    /// A record with nothing but kind and time.
    #[inline]
    pub fn new(kind: Kind, at: Nanos) -> Entry {
        Entry {
            kind,
            at,
            venue: u8::MAX,
            side: u8::MAX,
            code: 0,
            instrument: u16::MAX,
            leg: 0,
            flags: 0,
            client: ClientId::from_bits(0),
            intent: 0,
            price: Price(0),
            qty: Qty(0),
            total: 0,
            extra: 0,
            amount: Money::ZERO,
            asset: Asset::EMPTY,
            text: VenueRef::EMPTY,
        }
    }

    /// Where.
    #[inline]
    pub fn venue(self, venue: VenueId) -> Entry {
        Entry { venue: venue.0, ..self }
    }

    /// Of what.
    #[inline]
    pub fn instrument(self, instrument: InstrumentId) -> Entry {
        Entry { instrument: instrument.0, ..self }
    }

    /// Which order.
    #[inline]
    pub fn client(self, client: ClientId) -> Entry {
        Entry { client, leg: client.leg(), ..self }
    }

    /// Which intent.
    #[inline]
    pub fn intent(self, intent: u64) -> Entry {
        Entry { intent, ..self }
    }

    /// State, reason or outcome, by kind.
    #[inline]
    pub fn code(self, code: u8) -> Entry {
        Entry { code, ..self }
    }

    /// [`Entry::HEDGE`], [`Entry::SIGNED_AHEAD`], [`Entry::REDUCE_ONLY`].
    #[inline]
    pub fn flags(self, flags: u8) -> Entry {
        Entry { flags, ..self }
    }

    /// Side, price and quantity.
    #[inline]
    pub fn order(self, side: Side, price: Price, qty: Qty) -> Entry {
        Entry { side: side as u8, price, qty, ..self }
    }

    /// Total filled, or a count.
    #[inline]
    pub fn total(self, total: i64) -> Entry {
        Entry { total, ..self }
    }

    /// Key generation, or the venue's time.
    #[inline]
    pub fn extra(self, extra: i64) -> Entry {
        Entry { extra, ..self }
    }

    /// An amount of an asset.
    #[inline]
    pub fn amount(self, amount: Money, asset: Asset) -> Entry {
        Entry { amount, asset, ..self }
    }

    /// The venue's own id or code.
    #[inline]
    pub fn text(self, text: VenueRef) -> Entry {
        Entry { text, ..self }
    }

    fn write(&self, number: u64, out: &mut [u8; RECORD]) {
        // All bytes of a text, those that it does not use are zero.
        fn text<const N: usize>(out: &mut [u8], text: &Text<N>) {
            let (len, bytes) = text.padded();
            out[0] = len;
            out[1..=N].copy_from_slice(bytes);
        }
        out[0] = self.kind as u8;
        out[1] = self.venue;
        out[2] = self.side;
        out[3] = self.code;
        out[4..6].copy_from_slice(&self.instrument.to_le_bytes());
        out[6] = self.leg;
        out[7] = self.flags;
        out[8..16].copy_from_slice(&number.to_le_bytes());
        out[16..24].copy_from_slice(&self.at.0.to_le_bytes());
        out[24..40].copy_from_slice(&self.client.bits().to_le_bytes());
        out[40..48].copy_from_slice(&self.intent.to_le_bytes());
        out[48..56].copy_from_slice(&self.price.0.to_le_bytes());
        out[56..64].copy_from_slice(&self.qty.0.to_le_bytes());
        out[64..72].copy_from_slice(&self.total.to_le_bytes());
        out[72..80].copy_from_slice(&self.extra.to_le_bytes());
        out[80..96].copy_from_slice(&self.amount.0.to_le_bytes());
        text(&mut out[96..112], &self.asset);
        text(&mut out[112..160], &self.text);
    }
}

/// Proof that an order's record stands in the journal. Sending consumes it.
///
/// ```compile_fail,E0599
/// # fn twice(recorded: xarb::exec::Recorded) {
/// let copy = recorded.clone();
/// # }
/// ```
#[must_use]
#[derive(Debug)]
pub struct Recorded {
    client: ClientId,
    number: u64,
}

impl Recorded {
    /// Whose record it is.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// The record's number.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// The journal of a run.
pub struct Journal {
    pending: Box<[[u8; RECORD]]>,
    waiting: usize,
    count: u64,
    hash: Sha256,
    kept: Option<Vec<u8>>,
    stalls: u64,
}

impl Journal {
    /// A journal with room for so many records between two calls of [`Journal::catch_up`]. With
    /// `keep` all records stay in memory, for tests and tools.
    pub fn new(pending: usize, keep: bool) -> Journal {
        Journal {
            pending: vec![[0; RECORD]; pending.max(1)].into_boxed_slice(),
            waiting: 0,
            count: 0,
            hash: Sha256::new(),
            kept: keep.then(Vec::new),
            stalls: 0,
        }
    }

    /// Appends a record and returns its number.
    #[inline]
    pub fn append(&mut self, entry: &Entry) -> u64 {
        if self.waiting == self.pending.len() {
            self.stalls += 1;
            self.catch_up();
        }
        let number = self.count;
        entry.write(number, &mut self.pending[self.waiting]);
        self.waiting += 1;
        self.count += 1;
        number
    }

    /// Appends the record of an order that is about to leave.
    pub fn append_order(&mut self, ready: &Ready, intent: u64, now: Nanos) -> Recorded {
        let (draft, admitted) = (ready.draft(), ready.admitted());
        let hedge = if admitted.is_hedge() { Entry::HEDGE } else { 0 };
        let ahead = if ready.is_ahead() { Entry::SIGNED_AHEAD } else { 0 };
        let reduce_only = if draft.reduce_only { Entry::REDUCE_ONLY } else { 0 };
        let entry = Entry::new(Kind::Order, now)
            .venue(draft.venue)
            .instrument(draft.instrument)
            .client(draft.client)
            .intent(intent)
            .order(draft.side, draft.price, draft.qty)
            .total(admitted.mid().0)
            .extra(i64::from(ready.generation()))
            .flags(hedge | ahead | reduce_only);
        Recorded { client: draft.client, number: self.append(&entry) }
    }

    /// Hashes what was appended since. Call it off the hot path.
    pub fn catch_up(&mut self) {
        let records = &self.pending[..self.waiting];
        for record in records {
            self.hash.update(record);
        }
        if let Some(kept) = &mut self.kept {
            kept.extend(records.iter().flatten());
        }
        self.waiting = 0;
    }

    /// SHA-256 over all records so far.
    pub fn digest(&mut self) -> [u8; 32] {
        self.catch_up();
        self.hash.clone().finalize().into()
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How often the buffer was full, and the hashing had to be done on the hot path.
    pub fn stalls(&self) -> u64 {
        self.stalls
    }

    /// Gives out the records that were kept since the last call, as [`Journal::kept`] has them, and
    /// keeps them no longer.
    pub fn take_kept(&mut self) -> Vec<u8> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// All records' bytes, where they are kept; those not yet hashed are left out.
    pub fn kept(&self) -> Option<&[u8]> {
        self.kept.as_deref()
    }
}

/// A record's bytes, read field by field.
#[derive(Clone, Copy)]
pub struct Record<'a>(&'a [u8; RECORD]);

impl<'a> Record<'a> {
    /// The records in these bytes, oldest first; a torn last one is left out.
    pub fn all(bytes: &'a [u8]) -> impl Iterator<Item = Record<'a>> {
        bytes.as_chunks::<RECORD>().0.iter().map(Record)
    }

    fn word(&self, at: usize) -> [u8; 8] {
        std::array::from_fn(|i| self.0[at + i])
    }

    fn wide(&self, at: usize) -> [u8; 16] {
        std::array::from_fn(|i| self.0[at + i])
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.0[0] == kind as u8
    }

    /// The venue; 255 = none.
    pub fn venue(&self) -> VenueId {
        VenueId(self.0[1])
    }

    /// The side, where there is one.
    pub fn side(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| *side as u8 == self.0[2])
    }

    /// The code; its meaning depends on the kind.
    pub fn code(&self) -> u8 {
        self.0[3]
    }

    /// Flags; see [`Entry::HEDGE`] and its neighbours.
    pub fn flags(&self) -> u8 {
        self.0[7]
    }

    /// When it was written.
    pub fn at(&self) -> Nanos {
        Nanos(i64::from_le_bytes(self.word(16)))
    }

    /// The instrument; 65535 = none.
    pub fn instrument(&self) -> InstrumentId {
        InstrumentId(u16::from_le_bytes([self.0[4], self.0[5]]))
    }

    /// The order.
    pub fn client(&self) -> ClientId {
        ClientId::from_bits(u128::from_le_bytes(self.wide(24)))
    }

    /// The intent; 0 = none.
    pub fn intent(&self) -> u64 {
        u64::from_le_bytes(self.word(40))
    }

    /// The price.
    pub fn price(&self) -> Price {
        Price(i64::from_le_bytes(self.word(48)))
    }

    /// The quantity.
    pub fn qty(&self) -> Qty {
        Qty(i64::from_le_bytes(self.word(56)))
    }

    /// Total, count or mid, by kind.
    pub fn total(&self) -> i64 {
        i64::from_le_bytes(self.word(64))
    }

    /// The amount and what it is of.
    pub fn amount(&self) -> (Money, Asset) {
        let text = self.wide(96);
        let asset = text.get(1..1 + usize::from(text[0])).and_then(Asset::from_bytes);
        (Money(i128::from_le_bytes(self.wide(80))), asset.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(i: i64) -> Entry {
        Entry::new(Kind::Filled, Nanos(i))
            .venue(VenueId(1))
            .order(Side::Sell, Price(i), Qty(-1))
            .amount(Money(-5), Asset::new("USDT").unwrap())
            .text(VenueRef::new("trade-77").unwrap())
    }

    #[test]
    fn the_digest_does_not_depend_on_when_it_is_computed() {
        let run = |pending, often: i64| {
            let mut journal = Journal::new(pending, true);
            for i in 0..100 {
                assert_eq!(journal.append(&entry(i)), i as u64);
                if i % often == 0 {
                    journal.catch_up();
                }
            }
            let digest = journal.digest();
            assert_eq!(digest, journal.digest());
            let kept = journal.kept().unwrap();
            assert_eq!(kept.len(), 100 * RECORD);
            assert_eq!(<[u8; 32]>::from(Sha256::digest(kept)), digest);
            (digest, journal.stalls() > 0)
        };
        let (digest, stalled) = run(1_000, 1_000);
        assert!(!stalled);
        assert_eq!(run(4, 1_000), (digest, true));
        assert_eq!(run(4, 2), (digest, false));
    }

    #[test]
    fn fields_stand_where_the_table_says() {
        let client = ClientId::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let mut out = [7; RECORD];
        entry(258)
            .client(client)
            .instrument(InstrumentId(3))
            .intent(9)
            .code(4)
            .flags(3)
            .total(11)
            .extra(12)
            .write(513, &mut out);
        assert_eq!(out[..8], [5, 1, 1, 4, 3, 0, client.parts().leg, 3]);
        assert_eq!(out[8..24], [1, 2, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[24..40], client.bits().to_le_bytes());
        assert_eq!((out[40], out[48], out[49], out[56], out[64], out[72]), (9, 2, 1, 255, 11, 12));
        assert_eq!(out[80..96], (-5i128).to_le_bytes());
        assert_eq!(out[96..102], *b"\x04USDT\0");
        assert_eq!(out[112..122], *b"\x08trade-77\0");
        assert_eq!(out[122..], [0; 38]);
    }

    #[test]
    fn the_longest_texts_fit() {
        let mut out = [0; RECORD];
        Entry::new(Kind::Filled, Nanos(0))
            .amount(Money(1), Asset::new(&"A".repeat(15)).unwrap())
            .text(VenueRef::new(&"t".repeat(47)).unwrap())
            .write(0, &mut out);
        assert_eq!((out[96], out[111], out[112], out[159]), (15, b'A', 47, b't'));
    }
}
