//! One order: the facts about it, and the state that follows from them.
//!
//! Venues tell the story out of order, twice, or in part: a fill before the acknowledgement, an end
//! before the last fill. So an order keeps *facts*, which only ever grow (accepted, fills by trade
//! id, the highest total told, ended), and its state is computed from them. Whatever order the news
//! comes in, the same facts give the same state; a final state never reopens and the filled
//! quantity never falls.

use crate::risk::Exposure;
use crate::types::{
    ClientId, Draft, InstrumentId, Money, Nanos, OrderState, Price, Qty, Side, Symbol, Tif, VenueId, VenueRef,
};

/// What a venue must never do. It is not absorbed: the news is kept as evidence and the venue
/// frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(u8)]
pub enum Misconduct {
    /// More was filled than was ordered.
    #[error("filled more than was ordered")]
    Overfill,
    /// A fill beyond the limit.
    #[error("filled at a price worse than the limit")]
    WorsePrice,
    /// A fill of another symbol than ordered.
    #[error("filled another symbol than was ordered")]
    WrongSymbol,
    /// A buy for a sell, or the reverse.
    #[error("filled the wrong side")]
    WrongSide,
    /// News of an order that was sent elsewhere.
    #[error("reported an order that was sent to another venue")]
    WrongVenue,
    /// News of an order with our tag that was never sent.
    #[error("reported an order that was never sent")]
    NeverSent,
    /// An order lives on that was refused.
    #[error("reported an order as live that it had refused")]
    AfterRefusal,
    /// The total of an ended order and its fills cannot both be true.
    #[error("told totals that contradict its fills")]
    Totals,
    /// One trade id with two prices or sizes.
    #[error("told one trade in two ways")]
    TradeChanged,
    /// An order became larger, or its limit worse, and nobody had asked for it.
    #[error("amended an order against us, unasked")]
    Amended,
    /// A sum or position that no account has.
    #[error("told an amount beyond all sense")]
    Absurd,
}

/// One fill as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FillNews {
    /// The venue's trade id; may be empty, and the rest tells fills apart then.
    pub trade: VenueRef,
    /// The symbol.
    pub symbol: Symbol,
    /// Side of our order.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Filled in total after it, where told.
    pub total: Option<Qty>,
    /// The venue's time.
    pub at: Nanos,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trade {
    trade: VenueRef,
    price: Price,
    qty: Qty,
    /// Tells fills without an id apart.
    total: Option<Qty>,
    at: Nanos,
}

/// What is needed before "no such order" is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Absence {
    /// How long after an order's window has passed the venue may still process it.
    pub processing_bound: Nanos,
    /// Two answers must be at least so far apart.
    pub apart: Nanos,
}

/// How long silence is borne, and how often we ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Without news for so long an order that should have ended is Unknown.
    pub silence: Nanos,
    /// The first question is repeated after so long, then after twice that, and so on.
    pub ask_again: Nanos,
    /// The longest pause between questions.
    pub ask_again_max: Nanos,
    /// When "no such order" is believed.
    pub absence: Absence,
}

/// An order and the facts about it.
#[derive(Clone, Debug)]
pub struct Order {
    /// As it was sent.
    pub draft: Draft,
    /// The symbol that its fills must carry.
    pub(super) symbol: Symbol,
    /// The face of the inverse contracts that its quantity counts, in units of the scale; zero where it
    /// counts the base asset.
    pub(super) face: i64,
    /// The number of the intent that it belongs to.
    pub intent: u64,
    /// It hedges, rather than being a leg.
    pub hedge: bool,
    pub(super) sent_at: Option<Nanos>,
    pub(super) expires: Nanos,
    pub(super) news_at: Nanos,
    pub(super) accepted: bool,
    pub(super) refused: bool,
    pub(super) ended: bool,
    /// The total that the end told.
    pub(super) final_total: Option<Qty>,
    /// The highest total told by anything.
    pub(super) told: Qty,
    pub(super) filled: Qty,
    /// What the fills brought of the base asset, signed, less fees in it.
    pub received: Money,
    pub(super) trades: Vec<Trade>,
    pub(super) doubt: bool,
    pub(super) ask_at: Nanos,
    pub(super) asked: u32,
    pub(super) absent_first: Option<Nanos>,
    pub(super) absent_again: Option<Nanos>,
    pub(super) used: bool,
}

impl Order {
    /// Makes it the order of a draft, in the memory of the one before.
    pub(super) fn restart(
        &mut self,
        draft: &Draft,
        what: (Symbol, i64),
        intent: u64,
        hedge: bool,
        now: Nanos,
    ) {
        let Order {
            draft: own_draft,
            symbol: own_symbol,
            face: own_face,
            intent: own_intent,
            hedge: own_hedge,
            sent_at,
            expires,
            news_at,
            accepted,
            refused,
            ended,
            final_total,
            told,
            filled,
            received,
            trades,
            doubt,
            ask_at,
            asked,
            absent_first,
            absent_again,
            used,
        } = self;
        (*own_draft, *own_intent, *own_hedge) = (*draft, intent, hedge);
        (*own_symbol, *own_face) = what;
        (*sent_at, *expires, *news_at, *used) = (None, Nanos::ZERO, now, true);
        (*accepted, *refused, *ended, *doubt) = (false, false, false, false);
        (*final_total, *told, *filled, *received) = (None, Qty(0), Qty(0), Money::ZERO);
        (*ask_at, *asked, *absent_first, *absent_again) = (Nanos::ZERO, 0, None, None);
        trades.clear();
    }

    pub(super) fn empty() -> Order {
        Order {
            draft: Draft {
                client: ClientId::default(),
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                kind: crate::types::Kind::Limit,
                tif: Tif::Ioc,
                price: Price(0),
                qty: Qty(0),
                reduce_only: false,
            },
            symbol: Symbol::EMPTY,
            face: 0,
            intent: 0,
            hedge: false,
            sent_at: None,
            expires: Nanos::ZERO,
            news_at: Nanos::ZERO,
            accepted: false,
            refused: false,
            ended: false,
            final_total: None,
            told: Qty(0),
            filled: Qty(0),
            received: Money::ZERO,
            trades: Vec::new(),
            doubt: false,
            ask_at: Nanos::ZERO,
            asked: 0,
            absent_first: None,
            absent_again: None,
            used: false,
        }
    }

    /// Where it stands: a function of the facts alone.
    pub fn state(&self) -> OrderState {
        if self.is_over() {
            return if self.filled >= self.draft.qty {
                OrderState::Filled
            } else if self.refused {
                OrderState::Rejected
            } else {
                OrderState::Cancelled
            };
        }
        if self.sent_at.is_none() {
            OrderState::Ready
        } else if self.doubt || self.refused {
            OrderState::Unknown
        } else if self.told.0 > 0 {
            OrderState::PartFilled
        } else if self.accepted {
            OrderState::Accepted
        } else {
            OrderState::Sent
        }
    }

    /// Nothing more can come: all filled, or ended with every fill seen, or refused.
    pub(super) fn is_over(&self) -> bool {
        let ended = self.ended && self.final_total.is_some_and(|total| self.filled >= total);
        let refused = self.refused && !self.accepted && self.told.0 == 0;
        self.filled >= self.draft.qty || ended || refused
    }

    /// Filled as far as fills were seen.
    pub fn filled(&self) -> Qty {
        self.filled
    }

    /// The venue has shown that it has, or had, the order.
    pub fn is_known(&self) -> bool {
        self.accepted
    }

    /// What the venue says was filled, and no fill was seen for yet.
    pub fn missing(&self) -> Qty {
        Qty(self.told.max(self.final_total.unwrap_or_default()).0 - self.filled.0).max(Qty::ZERO)
    }

    /// What may be filled in total: at least, at most. Without sign.
    pub(super) fn bounds(&self) -> (i64, i64) {
        if self.is_over() {
            return (self.filled.0, self.filled.0);
        }
        let least = self.filled.0.max(self.told.0);
        match self.final_total {
            Some(total) => (total.0.max(least), total.0.max(least)),
            None => (least, self.draft.qty.0.max(least)),
        }
    }

    /// What it may add to the exposure beyond the fills seen, signed, in units of the base asset.
    pub fn open_exposure(&self) -> Exposure {
        let (least, most) = self.bounds();
        let (mut least, mut most) = (least - self.filled.0, most - self.filled.0);
        if self.face != 0 {
            (least, most) = (self.in_base(least), self.in_base(most));
        }
        match self.draft.side {
            Side::Buy => Exposure { least, most },
            Side::Sell => Exposure { least: -most, most: -least },
        }
    }

    /// So many inverse contracts as units of the base asset at the order's limit, rounded up. A buy that
    /// fills below it stands for more, by the share that its price improved.
    #[cold]
    fn in_base(&self, contracts: i64) -> i64 {
        let face = i128::from(contracts) * i128::from(self.face);
        let price = i128::from(self.draft.price.0.max(1));
        i64::try_from((face + price - 1) / price).unwrap_or(i64::MAX)
    }

    /// What is still to be held for it.
    pub fn open_qty(&self) -> Qty {
        Qty(self.bounds().1 - self.filled.0)
    }

    /// When it was sent.
    pub fn sent_at(&self) -> Option<Nanos> {
        self.sent_at
    }

    /// Its end needs no more news than a working order's: silence is suspicious.
    pub(super) fn should_have_news(&self) -> bool {
        self.draft.tif != Tif::Gtc || !self.accepted || self.ended || self.missing().0 > 0
    }

    pub(super) fn accept(&mut self, now: Nanos) {
        self.accepted = true;
        self.news_at = now;
        self.doubt = false;
        (self.absent_first, self.absent_again) = (None, None);
    }

    pub(super) fn tell(&mut self, total: Qty) -> Result<(), Misconduct> {
        if total > self.draft.qty {
            return Err(Misconduct::Overfill);
        }
        if self.final_total.is_some_and(|last| total > last) {
            return Err(Misconduct::Totals);
        }
        self.told = self.told.max(total);
        Ok(())
    }

    pub(super) fn fill(&mut self, news: &FillNews, now: Nanos) -> Result<bool, Misconduct> {
        let trade =
            Trade { trade: news.trade, price: news.price, qty: news.qty, total: news.total, at: news.at };
        let seen = if news.trade.is_empty() {
            self.trades.iter().find(|own| **own == trade)
        } else {
            self.trades.iter().find(|own| own.trade == news.trade)
        };
        if let Some(own) = seen {
            let same = own.price == news.price && own.qty == news.qty;
            return if same { Ok(false) } else { Err(Misconduct::TradeChanged) };
        }
        if news.symbol != self.symbol {
            return Err(Misconduct::WrongSymbol);
        }
        if news.side != self.draft.side {
            return Err(Misconduct::WrongSide);
        }
        if self.refused {
            return Err(Misconduct::AfterRefusal);
        }
        let worse = match self.draft.side {
            Side::Buy => news.price > self.draft.price,
            Side::Sell => news.price < self.draft.price,
        };
        if worse || news.price.0 <= 0 {
            return Err(Misconduct::WorsePrice);
        }
        let filled = self.filled.0.checked_add(news.qty.0).map(Qty);
        let Some(filled) = filled.filter(|filled| news.qty.0 > 0 && *filled <= self.draft.qty) else {
            return Err(Misconduct::Overfill);
        };
        if self.final_total.is_some_and(|last| filled > last) {
            return Err(Misconduct::Totals);
        }
        // The total told may be ahead of the fills seen, never behind this one.
        self.tell(news.total.unwrap_or(filled).max(news.qty))?;
        self.accept(now);
        self.trades.push(trade);
        self.filled = filled;
        Ok(true)
    }

    pub(super) fn end(
        &mut self,
        state: OrderState,
        total: Option<Qty>,
        now: Nanos,
    ) -> Result<(), Misconduct> {
        let total = match state {
            OrderState::Filled => Some(total.unwrap_or(self.draft.qty)),
            _ => total,
        };
        if self.refused {
            // Ended with nothing filled is what a refusal is; anything else contradicts it.
            let nothing = total.is_none_or(|total| total.0 == 0);
            return if nothing { Ok(()) } else { Err(Misconduct::AfterRefusal) };
        }
        if let Some(total) = total {
            if total > self.draft.qty {
                return Err(Misconduct::Overfill);
            }
            let changed = self.final_total.is_some_and(|last| last != total);
            if total < self.filled || total < self.told || changed {
                return Err(Misconduct::Totals);
            }
            self.final_total = Some(total);
            self.told = self.told.max(total);
        }
        self.accept(now);
        self.ended = true;
        Ok(())
    }
}
