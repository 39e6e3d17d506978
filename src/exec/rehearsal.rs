//! Rehearsals: orders that are not meant, walked as far as their bytes, so that the way is warm when one
//! comes that is.
//!
//! Opportunities are rare, and what is not used for a millisecond has left the caches: an order out of
//! the blue costs several times what one after the other does. So a thread that spins for nothing may
//! rehearse. Books are read and the gate judges as for a real opportunity, by the same code; then the
//! bytes that wait for the next real order are completed where they lie. No order comes of it: the gate
//! hands out no proof, no id and no room is used up, nothing is counted, written down or sent, and what
//! comes next is the same as if there had been no rehearsal.

use super::Executor;
use super::context::Context;
use super::executor::AtGate;
use crate::account::Market;
use crate::detect::{Leg, Opportunity, Sums};
use crate::risk::{Admitted, ioc};
use crate::types::{ClientId, InstrumentId, Money, Nanos, Price, Qty, Side, VenueId};

impl Executor {
    /// Rehearses one direction of one instrument; the next call takes the next one. False when there was
    /// none to be had.
    pub fn rehearse(&mut self, now: Nanos, ctx: &mut (impl Context + ?Sized)) -> bool {
        let Some((instrument, venues)) = self.next_rehearsal() else { return false };
        if self.draining || self.caps.kill().is_tripped() {
            return false;
        }
        self.look(instrument, now, ctx);
        let Some(opportunity) = self.not_meant(instrument, venues, now) else { return false };
        let AtGate { gate, view, caps, presign, .. } = self.at_gate(instrument);
        let admitted = gate.rehearse(&opportunity, &view, caps, now, &mut |draft, _| {
            presign.likely(draft).map_or_else(ClientId::default, |(client, ..)| client)
        });
        let Some(admitted) = admitted else { return false };
        for draft in admitted.legs().iter().map(Admitted::draft) {
            presign.rehearse(ctx.gateway(draft.venue), draft, now);
        }
        gate.end_rehearsal(admitted);
        true
    }

    /// Which instrument, bought and sold where, comes next: all in turn.
    fn next_rehearsal(&mut self) -> Option<(InstrumentId, [VenueId; 2])> {
        let (instruments, venues) = (self.halted.len(), self.config.venues);
        let directions = instruments * venues * venues;
        (0..venues * venues).find_map(|_| {
            let at = self.rehearsed.checked_rem(directions)?;
            self.rehearsed = at + 1;
            let (pair, instrument) = (at % (venues * venues), InstrumentId((at / (venues * venues)) as u16));
            let pair = [pair / venues, pair % venues].map(|venue| VenueId(venue as u8));
            let traded = pair.iter().all(|venue| self.markets.get(*venue, instrument).is_some());
            (pair[0] != pair[1] && traded).then_some((instrument, pair))
        })
    }

    /// An opportunity in which nobody believes: at the prices and in the size that orders begun ahead were
    /// given, or else at the touch in the least size that the market takes.
    fn not_meant(&self, instrument: InstrumentId, venues: [VenueId; 2], now: Nanos) -> Option<Opportunity> {
        let likely = |side: Side| -> Option<(Price, Qty, u64)> {
            let venue = venues[side as usize];
            let quote = self.quotes.get(usize::from(venue.0))?.as_ref()?;
            let begun = self.presign.likely(&ioc(venue, instrument, side, Price(0), Qty(0)));
            let begun = begun.filter(|(_, price, qty)| price.0 > 0 && qty.0 > 0);
            let touch = if side == Side::Buy { quote.ask } else { quote.bid };
            let (price, qty) = match begun {
                Some((_, price, qty)) => (price, qty),
                None => (touch.price, least(self.markets.get(venue, instrument)?, touch.price)?),
            };
            Some((price, qty, quote.version))
        };
        let [buy, sell] = [likely(Side::Buy)?, likely(Side::Sell)?];
        // Where one side counts contracts and the other coins, each stays as it is.
        let counts = |venue: VenueId| self.markets.get(venue, instrument).is_some_and(Market::is_inverse);
        let same = if venues.into_iter().any(counts) { Qty::ZERO } else { buy.1.max(sell.1) };
        let leg = |side: Side, (price, qty, book_version): (Price, Qty, u64)| Leg {
            venue: venues[side as usize],
            side,
            price,
            qty: qty.max(same),
            book_version,
        };
        let sums = Sums { bought: Money::ONE, sold: Money::ONE, ..Sums::default() };
        Opportunity::new(instrument, now, &[leg(Side::Buy, buy), leg(Side::Sell, sell)], sums, false)
    }
}

/// The least that a market takes at a price, or a lot more.
fn least(market: &Market, price: Price) -> Option<Qty> {
    let lot = market.spec.lot;
    let lots = market.spec.min_notional.0 / market.value(price, lot)?.0.max(1) + 1;
    let qty = i64::try_from(lots).ok()?.checked_mul(lot.0)?;
    Some(Qty(qty).max(market.spec.min_qty))
}
