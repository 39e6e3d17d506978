//! What became of each opportunity: how long it lasted, why it was not traded or what trading it was to
//! bring, what it brought, and where the difference went.
//!
//! The difference between what an intent was predicted to bring and what it brought falls into parts
//! that add up to it exactly:
//!
//! - `cut`: what the gate took off its size (balances, limits, lots);
//! - `depth_gone`: what of the sent size did not fill on both sides;
//! - `latency`: what filled on both sides, at other prices than were seen;
//! - `fees`: the fees on that, beyond the predicted ones;
//! - `hedge`: what evening out the rest cost, or brought;
//! - `rounding`: the units that the divisions above leave over.
//!
//! What is left of the base asset is valued at the mid that the orders were judged by; what it is worth at
//! the end beyond that is `revalued`, of all intents together, so that profit and loss is the sum of what
//! they realised, of what evening out their rests brought later, and of that. Inverse contracts
//! are counted as what they stood for when they were found: so many contracts for so much of the base
//! asset; what they are worth beyond that, or below, is in `rounding`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::report::Observed;
use super::rows::{Names, row};
use crate::config::Config;
use crate::detect::Opportunity;
use crate::exec::{Entry, Record, RecordKind};
use crate::risk::Refusal;
use crate::types::{Asset, ClientId, Contract, InstrumentId, Money, Nanos, Price, Qty, Scale, Side, VenueId};

/// The columns of the ledger, of which each event fills its own.
pub const LEDGER_COLUMNS: &str = "event,episode,t_ns,instrument,buy_venue,sell_venue,qty,buy_price,sell_price,\
    gross_bps,net_bps,net_quote,contracts,outcome,detail,intent,duration_ns,evaluations,predicted,cut,depth_gone,latency,\
    fees,hedge,rounding,realised";

/// A direction: what, and a bit for each venue bought and sold on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Way {
    instrument: InstrumentId,
    buys: u32,
    sells: u32,
}

impl Way {
    fn of(found: &Opportunity) -> Way {
        let bits = |side| {
            let legs = found.legs().iter().filter(|leg| leg.side == side);
            legs.fold(0, |bits, leg| bits | 1u32.checked_shl(u32::from(leg.venue.0)).unwrap_or(0))
        };
        Way { instrument: found.instrument, buys: bits(Side::Buy), sells: bits(Side::Sell) }
    }
}

/// A run of consecutive evaluations with an opportunity in one direction.
#[derive(Clone, Copy, Debug)]
struct Episode {
    number: u64,
    since: Nanos,
    evaluations: u64,
    /// The most that any of them was predicted to bring.
    best: Opportunity,
    /// It was found again in the evaluation at hand.
    fresh: bool,
}

/// What an intent was to bring and brought so far.
#[derive(Clone, Debug)]
struct Intent {
    found: Opportunity,
    episode: u64,
    since: Nanos,
    mid: Price,
    ordered: [Qty; 2],
    /// Of its own legs, by side.
    legs: [Filled; 2],
    /// Of its hedges, by side.
    hedges: [Filled; 2],
}

impl Intent {
    /// What its fills brought of the quote asset, net of fees, and what they left of the base asset at the
    /// mid of its orders.
    fn cash_and_left(&self, scale: Scale) -> (Money, Money) {
        let (mut cash, mut base) = (Money::ZERO, Money::ZERO);
        for [buy, sell] in [&self.legs, &self.hedges] {
            cash += sell.cash - buy.cash - buy.fee_quote - sell.fee_quote;
            base += buy.base - sell.base - buy.fee_base - sell.fee_base;
        }
        (cash, worth(base, self.mid, scale))
    }
}

/// Fills of one side.
#[derive(Clone, Copy, Default, Debug)]
struct Filled {
    qty: Qty,
    value: Money,
    /// What of the base and the quote asset changed sides: of inverse contracts what they stand for at
    /// the price, and their face.
    base: Money,
    cash: Money,
    /// In the quote asset.
    fee_quote: Money,
    /// In the base asset.
    fee_base: Money,
}

/// An order of an intent.
#[derive(Clone, Copy, Debug)]
struct Order {
    intent: u64,
    side: Side,
    hedge: bool,
    instrument: InstrumentId,
    mid: Price,
}

/// Parts of a difference, see the module documentation; or sums of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Parts {
    /// What was to come of it.
    pub predicted: Money,
    /// Less, by size.
    pub cut: Money,
    /// Less, not filled on both sides.
    pub depth_gone: Money,
    /// Less, at worse prices.
    pub latency: Money,
    /// Less, by fees.
    pub fees: Money,
    /// Less, by evening out.
    pub hedge: Money,
    /// Less, by rounding.
    pub rounding: Money,
    /// What came of it.
    pub realised: Money,
}

impl Parts {
    /// By name, in the order of the ledger's columns.
    pub fn named(&self) -> [(&'static str, Money); 8] {
        [
            ("predicted", self.predicted),
            ("cut", self.cut),
            ("depth_gone", self.depth_gone),
            ("latency", self.latency),
            ("fees", self.fees),
            ("hedge", self.hedge),
            ("rounding", self.rounding),
            ("realised", self.realised),
        ]
    }

    fn add(&mut self, other: &Parts) {
        self.predicted += other.predicted;
        self.cut += other.cut;
        self.depth_gone += other.depth_gone;
        self.latency += other.latency;
        self.fees += other.fees;
        self.hedge += other.hedge;
        self.rounding += other.rounding;
        self.realised += other.realised;
    }
}

/// From seen to earned, in one table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Funnel {
    /// Evaluations with an opportunity, and what all of them were predicted to bring together.
    pub opportunities: (u64, Money),
    /// Runs of them, and what each was predicted to bring at its best.
    pub episodes: (u64, Money),
    /// How long they lasted together.
    pub lasted: Nanos,
    /// The longest.
    pub longest: Nanos,
    /// Opportunities that were not traded, by reason, and what they were predicted to bring.
    pub refused: BTreeMap<&'static str, (u64, Money)>,
    /// Intents that ended, by outcome.
    pub intents: BTreeMap<&'static str, u64>,
    /// Orders sent; those that filled at all; those that filled in full.
    pub orders: [u64; 3],
    /// Of intents that ended.
    pub parts: Parts,
    /// What hedging the rests that intents left cost later, and fills after an intent's end, against
    /// the mid of the time; and fills of intents that were still open at the end.
    pub leftovers: Money,
    /// What of the base asset is left of all fills, at the last mid instead of the mids of their orders.
    pub revalued: Money,
    /// Intents that were still open at the end.
    pub unfinished: u64,
}

impl Funnel {
    /// The sum of its parts.
    pub fn profit(&self) -> Money {
        self.parts.realised + self.leftovers + self.revalued
    }
}

/// The account of a backtest.
pub struct Account {
    names: Names,
    instruments: Vec<(Asset, Scale)>,
    out: Option<Box<dyn Write>>,
    episodes: BTreeMap<Way, Episode>,
    last_episode: u64,
    intents: BTreeMap<u64, Intent>,
    orders: BTreeMap<ClientId, (Order, Qty, Qty)>,
    funnel: Funnel,
    /// What is left of fills, at the mids of their orders.
    valued: Money,
    /// For a report, where one was asked for.
    pub(super) observed: Option<Box<Observed>>,
}

/// What of an opportunity became of it at once.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// An intent of that number.
    Sent(u64),
    /// Nothing.
    Refused(Refusal),
}

impl Account {
    /// An empty account; events are written to `out`.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(config: &Config, mut out: Option<Box<dyn Write>>) -> io::Result<Account> {
        if let Some(out) = &mut out {
            writeln!(out, "{LEDGER_COLUMNS}")?;
        }
        Ok(Account {
            names: Names::new(config),
            instruments: config.instruments.iter().map(|own| (own.base, own.scale)).collect(),
            out,
            episodes: BTreeMap::new(),
            last_episode: 0,
            intents: BTreeMap::new(),
            orders: BTreeMap::new(),
            funnel: Funnel::default(),
            valued: Money::ZERO,
            observed: None,
        })
    }

    /// What was counted so far.
    pub fn funnel(&self) -> &Funnel {
        &self.funnel
    }

    /// An evaluation found this: the number of the episode that it belongs to.
    pub fn found(&mut self, found: &Opportunity) -> u64 {
        if let Some(observed) = &mut self.observed {
            observed.found(found);
        }
        let (count, net) = &mut self.funnel.opportunities;
        (*count, *net) = (*count + 1, *net + found.sums.net());
        let episode = self.episodes.entry(Way::of(found)).or_insert_with(|| {
            self.last_episode += 1;
            Episode { number: self.last_episode, since: found.at, evaluations: 0, best: *found, fresh: true }
        });
        episode.evaluations += 1;
        episode.fresh = true;
        if found.sums.net() > episode.best.sums.net() {
            episode.best = *found;
        }
        episode.number
    }

    /// An evaluation of the books of `venue` and all others of the instrument is over: episodes in
    /// directions that it looked at without finding anything are over too.
    ///
    /// # Errors
    /// What the writer says.
    pub fn evaluated(&mut self, instrument: InstrumentId, venue: VenueId, now: Nanos) -> io::Result<()> {
        let bit = 1u32.checked_shl(u32::from(venue.0)).unwrap_or(0);
        let mut over = Vec::new();
        for (way, episode) in &mut self.episodes {
            let looked_at = way.instrument == instrument && (way.buys | way.sells) & bit != 0;
            if looked_at && !std::mem::take(&mut episode.fresh) {
                over.push(*way);
            }
        }
        over.into_iter().try_for_each(|way| self.end_episode(way, now))
    }

    fn end_episode(&mut self, way: Way, now: Nanos) -> io::Result<()> {
        let Some(episode) = self.episodes.remove(&way) else { return Ok(()) };
        let lasted = now - episode.since;
        let funnel = &mut self.funnel;
        funnel.episodes = (funnel.episodes.0 + 1, funnel.episodes.1 + episode.best.sums.net());
        funnel.lasted = funnel.lasted + lasted;
        funnel.longest = funnel.longest.max(lasted);
        if let Some(observed) = &mut self.observed {
            observed.lasted(lasted);
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        write!(out, "episode,{},", episode.number)?;
        row(out, &self.names, &episode.best)?;
        let contracts = self.names.contracts(&episode.best);
        writeln!(out, ",{contracts},,,,{},{},,,,,,,,", lasted.0, episode.evaluations)
    }

    /// What became of an opportunity at once.
    ///
    /// # Errors
    /// What the writer says.
    pub fn taken(&mut self, found: &Opportunity, episode: u64, taken: Taken) -> io::Result<()> {
        let net = found.sums.net();
        let (outcome, detail, intent) = match taken {
            Taken::Sent(intent) => {
                let own = Intent {
                    found: *found,
                    episode,
                    since: found.at,
                    mid: Price(0),
                    ordered: [Qty::ZERO; 2],
                    legs: Default::default(),
                    hedges: Default::default(),
                };
                self.intents.insert(intent, own);
                ("sent", String::new(), intent.to_string())
            }
            Taken::Refused(refusal) => {
                let (count, given) = self.funnel.refused.entry(refusal.reason.name()).or_default();
                (*count, *given) = (*count + 1, *given + net);
                (refusal.reason.name(), format!("{:?}", refusal.detail), String::new())
            }
        };
        let Some(out) = &mut self.out else { return Ok(()) };
        write!(out, "opportunity,{episode},")?;
        row(out, &self.names, found)?;
        // A detail may hold a comma.
        let detail = detail.replace(',', ";");
        let contracts = self.names.contracts(found);
        writeln!(out, ",{contracts},{outcome},{detail},{intent},,,,,,,,,,")
    }

    /// Takes in what the journal recorded since the last call.
    ///
    /// # Errors
    /// What the writer says.
    pub fn records(&mut self, bytes: &[u8]) -> io::Result<()> {
        for record in Record::all(bytes) {
            if record.is(RecordKind::Order) {
                self.order(&record);
            } else if record.is(RecordKind::Filled) {
                self.fill(&record);
            } else if record.is(RecordKind::IntentEnd) {
                self.end_intent(&record)?;
            }
        }
        Ok(())
    }

    fn order(&mut self, record: &Record<'_>) {
        let Some(side) = record.side() else { return };
        let hedge = record.flags() & Entry::HEDGE != 0;
        self.funnel.orders[0] += 1;
        let contract = self.names.inverse(record.instrument(), record.venue());
        if let Some(intent) = self.intents.get_mut(&record.intent()).filter(|_| !hedge) {
            let qty = in_base(contract.as_ref(), &self.names, &intent.found, record);
            let ordered = &mut intent.ordered[side as usize];
            *ordered = Qty(ordered.0 + qty.0);
            intent.mid = Price(record.total());
        }
        let (intent, instrument, mid) = (record.intent(), record.instrument(), Price(record.total()));
        let order = Order { intent, side, hedge, instrument, mid };
        self.orders.insert(record.client(), (order, record.qty(), Qty::ZERO));
    }

    fn fill(&mut self, record: &Record<'_>) {
        if let Some(observed) = &mut self.observed {
            observed.fill(record);
        }
        let Some((order, ordered, filled)) = self.orders.get_mut(&record.client()) else {
            return self.leftover(record, record.price());
        };
        let order = *order;
        let before = *filled;
        *filled = Qty(before.0 + record.qty().0);
        self.funnel.orders[1] += u64::from(before == Qty::ZERO);
        self.funnel.orders[2] += u64::from(*filled >= *ordered);
        let at = usize::from(order.instrument.0);
        let (Some(&(base, scale)), Some(intent)) =
            (self.instruments.get(at), self.intents.get_mut(&order.intent))
        else {
            return self.leftover(record, order.mid);
        };
        let contract = self.names.inverse(record.instrument(), record.venue());
        let qty = in_base(contract.as_ref(), &self.names, &intent.found, record);
        let (amount, paid) = amounts(contract.as_ref(), record, scale);
        let sides = if order.hedge { &mut intent.hedges } else { &mut intent.legs };
        let own = &mut sides[order.side as usize];
        own.qty = Qty(own.qty.0 + qty.0);
        own.value += Money::notional(record.price(), qty, scale).unwrap_or_default();
        (own.base, own.cash) = (own.base + amount, own.cash + paid);
        match record.amount() {
            (fee, asset) if asset == base => own.fee_base += fee,
            (fee, _) => own.fee_quote += fee,
        }
    }

    /// A fill that belongs to no open intent: what it brought against a mid.
    fn leftover(&mut self, record: &Record<'_>, mid: Price) {
        let at = usize::from(record.instrument().0);
        let (Some(&(base, scale)), Some(side)) = (self.instruments.get(at), record.side()) else { return };
        let contract = self.names.inverse(record.instrument(), record.venue());
        let (amount, paid) = amounts(contract.as_ref(), record, scale);
        let at_mid = worth(amount, mid, scale);
        let (cash, left) = if side == Side::Sell { (paid, -at_mid) } else { (-paid, at_mid) };
        let (cash, left) = match record.amount() {
            (fee, asset) if asset == base => (cash, left - worth(fee, mid, scale)),
            (fee, _) => (cash - fee, left),
        };
        self.funnel.leftovers += cash + left;
        self.valued += left;
    }

    fn end_intent(&mut self, record: &Record<'_>) -> io::Result<()> {
        let number = record.intent();
        self.orders.retain(|_, (order, ..)| order.intent != number);
        let Some(intent) = self.intents.remove(&number) else { return Ok(()) };
        let scale = scale_of(&self.instruments, &intent);
        let parts = parts(&intent, self.names.base(&intent.found), scale);
        self.valued += intent.cash_and_left(scale).1;
        let outcome = OUTCOMES.get(usize::from(record.code())).copied().unwrap_or("unknown");
        *self.funnel.intents.entry(outcome).or_default() += 1;
        self.funnel.parts.add(&parts);
        if let Some(observed) = &mut self.observed {
            let legs = intent.legs.map(|leg| (leg.qty, leg.value));
            observed.ended(&intent.found, legs, parts.predicted, parts.realised);
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        write!(out, "intent,{},", intent.episode)?;
        row(out, &self.names, &intent.found)?;
        write!(out, ",,{outcome},,{number},{},", (record.at() - intent.since).0)?;
        parts.named().iter().try_for_each(|(_, amount)| write!(out, ",{amount}"))?;
        writeln!(out)
    }

    /// Ends what is still open, and hands over all that is still held. `held`: what is left of all fills,
    /// at the last mids.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(&mut self, held: Money, now: Nanos) -> io::Result<()> {
        let ways: Vec<_> = self.episodes.keys().copied().collect();
        ways.into_iter().try_for_each(|way| self.end_episode(way, now))?;
        self.funnel.unfinished = self.intents.len() as u64;
        for intent in self.intents.values() {
            let (cash, left) = intent.cash_and_left(scale_of(&self.instruments, intent));
            self.funnel.leftovers += cash + left;
            self.valued += left;
        }
        self.funnel.revalued = held - self.valued;
        self.out.as_mut().map_or(Ok(()), |out| out.flush())
    }
}

/// How an intent ended, by the journal's code.
const OUTCOMES: [&str; 4] = ["done", "unwound", "kept", "halted"];

/// `amount * part / whole`, rounded towards zero.
fn share(amount: Money, part: Qty, whole: Qty) -> Money {
    if whole.0 <= 0 {
        return Money::ZERO;
    }
    let (part, whole) = (i128::from(part.0), i128::from(whole.0));
    let exact = amount.0.checked_mul(part).map(|product| product / whole);
    Money(exact.unwrap_or_else(|| amount.0 / whole * part))
}

/// What an amount of the base asset is worth at a price.
pub(super) fn worth(base: Money, price: Price, scale: Scale) -> Money {
    // Down to 1e-16 of the base asset, so that the product fits.
    const FINE: i128 = 100_000_000;
    Money(base.0 / FINE * i128::from(price.0) / i128::from(scale.one()) * FINE)
}

/// What of the base and the quote asset a fill was.
pub(super) fn amounts(contract: Option<&Contract>, record: &Record<'_>, scale: Scale) -> (Money, Money) {
    let (price, qty) = (record.price(), record.qty());
    let (base, quote) = match contract {
        None => {
            return (
                Money::from_scaled(qty.0, scale),
                Money::notional(price, qty, scale).unwrap_or_default(),
            );
        }
        Some(own) => (own.base_amount_at(price, qty, scale), own.notional(price, qty, scale)),
    };
    (base.unwrap_or_default(), quote.unwrap_or_default())
}

/// A record's quantity as the base asset: of inverse contracts in the proportion in which they were found.
fn in_base(contract: Option<&Contract>, names: &Names, found: &Opportunity, record: &Record<'_>) -> Qty {
    if contract.is_none() {
        return record.qty();
    }
    let legs = found.legs().iter().filter(|leg| leg.venue == record.venue());
    let contracts = i128::from(legs.map(|leg| leg.qty.0).sum::<i64>()).max(1);
    let qty = i128::from(record.qty().0) * i128::from(names.base(found).0) / contracts;
    Qty(i64::try_from(qty).unwrap_or(i64::MAX))
}

/// The scale of an intent's instrument, by their numbers.
fn scale_of(instruments: &[(Asset, Scale)], intent: &Intent) -> Scale {
    let at = usize::from(intent.found.instrument.0);
    instruments.get(at).map_or(Scale::DEFAULT, |own| own.1)
}

fn parts(intent: &Intent, seen: Qty, scale: Scale) -> Parts {
    let Intent { found, mid, ordered, legs, hedges, .. } = intent;
    let sums = &found.sums;
    let predicted = sums.net();
    let sent = ordered[0].min(ordered[1]);
    let [buy, sell] = legs;
    let both = buy.qty.min(sell.qty);
    let cost = |filled: &Filled| filled.fee_quote + worth(filled.fee_base, *mid, scale);

    let of_sent = share(predicted, sent, seen);
    let of_both = share(predicted, both, seen);
    let gross = share(sums.sold - sums.bought, both, seen);
    let gross_filled = share(sell.value, both, sell.qty) - share(buy.value, both, buy.qty);
    let fees = share(sums.buy_fees + sums.sell_fees, both, seen);
    let fees_filled = share(cost(buy), both, buy.qty) + share(cost(sell), both, sell.qty);

    let (cash, left) = intent.cash_and_left(scale);
    let realised = cash + left;

    let mut parts = Parts {
        predicted,
        cut: predicted - of_sent,
        depth_gone: of_sent - of_both,
        latency: gross - gross_filled,
        fees: fees_filled - fees,
        realised,
        ..Parts::default()
    };
    let rest = predicted - parts.cut - parts.depth_gone - parts.latency - parts.fees - realised;
    let evened = buy.qty != sell.qty || hedges.iter().any(|hedge| hedge.qty > Qty::ZERO);
    *(if evened { &mut parts.hedge } else { &mut parts.rounding }) = rest;
    parts
}
