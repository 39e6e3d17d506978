//! A seeded market over any number of exchanges: something to arbitrage.
//!
//! Each traded asset has one fair price, which walks at random, and on each exchange a maker who
//! quotes a ladder around the fair price, brought to what the listing is quoted in, plus an offset of
//! that exchange's own. Offsets jump now and
//! then and decay; what takers take from a maker moves its offset against them, so arbitrage closes
//! the very spread it lives on. A level that was eaten comes back 50 to 200 ms later; the rest of the
//! ladder follows the price, and some of it moves anyway, every 20 to 50 ms.
//!
//! Driven by time alone: [`Market::step`] does what fell due, in order of time, each listing from a
//! stream of randomness of its own.

use oorandom::Rand64;

use super::exchange::{AccountKind, HouseFill, SimExchange};
use crate::types::{InstrumentSpec, Kind, Money, Nanos, Price, Qty, Scale, Side, Tif};
use crate::venue::{AccountId, Exchange, NewOrder, OrderRef};

/// A share in units of 1e-8: one basis point is 10,000.
pub type Share = i64;

/// What is quoted, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarketConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// One fair price each.
    pub assets: Vec<FairConfig>,
}

/// One fair price and the listings that follow it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FairConfig {
    /// Where the fair price starts.
    pub start: Price,
    /// Its decimals.
    pub scale: Scale,
    /// How far it moves at most in 10 ms, either way.
    pub step: Share,
    /// Where it is quoted.
    pub listings: Vec<ListingConfig>,
}

/// One maker on one exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListingConfig {
    /// Which exchange.
    pub venue: usize,
    /// Which of its instruments.
    pub instrument: usize,
    /// Where it is quoted in another asset than the fair price: the fair prices that lead there, and
    /// whether each is the price of the asset to go to (so that it divides) or of the one to leave.
    pub through: Vec<(usize, bool)>,
    /// Levels a side.
    pub levels: usize,
    /// From the centre to the first level.
    pub half_spread: Share,
    /// From a level to the next one, at the top; it widens further out.
    pub gap: Share,
    /// Smallest and largest size of a level at the top; they grow further out.
    pub size: (Qty, Qty),
    /// Shortest and longest time between two looks at the ladder.
    pub refresh: (Nanos, Nanos),
    /// Shortest and longest time until an eaten level comes back.
    pub requote: (Nanos, Nanos),
    /// Levels that are quoted anew at each look, without a reason.
    pub restless: usize,
    /// Mean time between jumps of the offset.
    pub jump_every: Nanos,
    /// Smallest and largest jump, either way.
    pub jump: (Share, Share),
    /// Time in which an offset falls to about a third.
    pub decay: Nanos,
    /// How far one whole unit taken moves the offset.
    pub impact: Share,
}

impl ListingConfig {
    /// A lively market in something that costs tens of thousands, such as BTC: jumps of 8 to 20 bp
    /// about every second, which a few hundredths of a unit close.
    pub fn lively(venue: usize, instrument: usize) -> ListingConfig {
        ListingConfig {
            venue,
            instrument,
            through: Vec::new(),
            levels: 25,
            half_spread: 3_000,
            gap: 3_000,
            size: (Qty(1_000_000), Qty(20_000_000)),
            refresh: (Nanos::from_millis(20), Nanos::from_millis(50)),
            requote: (Nanos::from_millis(50), Nanos::from_millis(200)),
            restless: 6,
            jump_every: Nanos::from_millis(900),
            jump: (80_000, 200_000),
            decay: Nanos::from_millis(1_500),
            impact: 2_000_000,
        }
    }
}

/// Time between two steps of the fair prices and the offsets.
const WALK: Nanos = Nanos::from_millis(10);
/// Offsets stay within this, either way: 60 bp.
const OFFSET_MAX: Share = 600_000;
/// What a house account has of each asset.
const HOUSE_FUNDS: Money = Money(Money::ONE.0 * 1_000_000_000);

/// One quote of a ladder.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The resting order and its price.
    quote: Option<(u64, Price)>,
    /// Not quoted again before this.
    from: Nanos,
}

struct Listing {
    config: ListingConfig,
    fair: usize,
    account: AccountId,
    spec: InstrumentSpec,
    offset: Share,
    slots: [Vec<Slot>; 2],
    next_look: Nanos,
    rng: Rand64,
}

struct Fair {
    price: i64,
    scale: Scale,
    start: i64,
    step: Share,
    rng: Rand64,
}

/// The market.
pub struct Market {
    fairs: Vec<Fair>,
    listings: Vec<Listing>,
    next_walk: Nanos,
    frozen: bool,
    hits: Vec<HouseFill>,
}

impl Market {
    /// Opens a house account for each listing and quotes its first ladder. Listings of exchanges or
    /// instruments that do not exist are left out.
    pub fn new(config: &MarketConfig, now: Nanos, exchanges: &mut [SimExchange]) -> Market {
        let mut fairs = Vec::new();
        let mut listings = Vec::new();
        let mut stream = 0;
        let mut rng = || {
            stream += 1;
            Rand64::new((u128::from(config.seed) << 64) | stream)
        };
        for (at, asset) in config.assets.iter().enumerate() {
            let start = asset.start.0;
            fairs.push(Fair { price: start, scale: asset.scale, start, step: asset.step, rng: rng() });
            for listing in &asset.listings {
                let Some(exchange) = exchanges.get_mut(listing.venue) else { continue };
                let Some(spec) = exchange.instruments().get(listing.instrument).cloned() else { continue };
                let account = exchange.open_account(AccountKind::House);
                for asset in exchange.assets_of(listing.instrument) {
                    exchange.deposit(account, asset, HOUSE_FUNDS);
                }
                let slots = || vec![Slot::default(); listing.levels];
                listings.push(Listing {
                    config: listing.clone(),
                    fair: at,
                    account,
                    spec,
                    offset: 0,
                    slots: [slots(), slots()],
                    next_look: now,
                    rng: rng(),
                });
            }
        }
        let mut market = Market { fairs, listings, next_walk: now + WALK, frozen: false, hits: Vec::new() };
        market.step(now, exchanges);
        market
    }

    /// Stops the market for good: makers leave their quotes as they are. For looking at books that
    /// must come to agree.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// When [`Market::step`] next has something to do.
    pub fn next_at(&self) -> Nanos {
        // Where nothing is quoted, as in front of a captured book, nothing ever falls due.
        if self.frozen || self.fairs.is_empty() {
            return Nanos::MAX;
        }
        self.listings.iter().map(|listing| listing.next_look).fold(self.next_walk, Ord::min)
    }

    /// The fair price of an asset.
    pub fn fair(&self, asset: usize) -> Option<Price> {
        self.fairs.get(asset).map(|fair| Price(fair.price))
    }

    /// How far a listing's centre is from the fair price, in the order of the configuration.
    pub fn offset(&self, listing: usize) -> Option<Share> {
        self.listings.get(listing).map(|listing| listing.offset)
    }

    /// Does everything that fell due up to `now`, in order of time.
    pub fn step(&mut self, now: Nanos, exchanges: &mut [SimExchange]) {
        self.feel(exchanges);
        loop {
            let due = self.next_at();
            if due > now {
                return;
            }
            if due == self.next_walk {
                self.walk();
                self.next_walk = due + WALK;
            }
            for listing in &mut self.listings {
                if listing.next_look == due {
                    let fair = priced(&self.fairs, listing.fair, &listing.config.through);
                    listing.look(fair, due, &mut exchanges[listing.config.venue]);
                }
            }
            self.feel(exchanges);
        }
    }

    /// Moves fair prices and offsets by one step.
    fn walk(&mut self) {
        for fair in &mut self.fairs {
            let step = between(&mut fair.rng, -fair.step, fair.step);
            let moved = fair.price + share(fair.price, step);
            fair.price = moved.clamp(fair.start / 2, fair.start.saturating_mul(2));
        }
        for listing in &mut self.listings {
            let ListingConfig { jump_every, jump, decay, .. } = listing.config;
            let fall = i128::from(listing.offset) * i128::from(WALK.0) / i128::from(decay.0.max(WALK.0));
            listing.offset -= fall as i64;
            if between(&mut listing.rng, 0, jump_every.0.max(1) - 1) < WALK.0 {
                let size = between(&mut listing.rng, jump.0, jump.1);
                listing.offset += if listing.rng.rand_u64() & 1 == 0 { size } else { -size };
            }
            listing.offset = listing.offset.clamp(-OFFSET_MAX, OFFSET_MAX);
        }
    }

    /// Lets the makers notice what was taken from them.
    fn feel(&mut self, exchanges: &mut [SimExchange]) {
        for (venue, exchange) in exchanges.iter_mut().enumerate() {
            self.hits.clear();
            exchange.drain_house_fills(&mut self.hits);
            for hit in &self.hits {
                let own =
                    |listing: &&mut Listing| listing.config.venue == venue && listing.account == hit.account;
                if let Some(listing) = self.listings.iter_mut().find(own) {
                    listing.hit(hit);
                }
            }
        }
    }
}

impl Listing {
    fn hit(&mut self, hit: &HouseFill) {
        let one = i128::from(self.spec.scale.one());
        let moved = i128::from(self.config.impact) * i128::from(hit.qty.0) / one;
        let moved = moved.clamp(0, i128::from(OFFSET_MAX)) as i64;
        // A maker who sold asks for more, one who bought bids less.
        let sign = if hit.side == Side::Sell { 1 } else { -1 };
        self.offset = (self.offset + sign * moved).clamp(-OFFSET_MAX, OFFSET_MAX);
        if hit.done {
            let wait = between(&mut self.rng, self.config.requote.0.0, self.config.requote.1.0);
            for slot in self.slots.iter_mut().flatten() {
                if slot.quote.is_some_and(|(order, _)| order == hit.order) {
                    *slot = Slot { quote: None, from: hit.at + Nanos(wait) };
                }
            }
        }
    }

    /// Looks at the whole ladder: what no longer fits goes, what is missing comes.
    fn look(&mut self, fair: i64, now: Nanos, exchange: &mut SimExchange) {
        let wait = between(&mut self.rng, self.config.refresh.0.0, self.config.refresh.1.0);
        self.next_look = now + Nanos(wait.max(1));
        let centre = fair + share(fair, self.offset);
        exchange.batch(now, |exchange| {
            for side in Side::BOTH {
                for at in 0..self.config.levels {
                    let Some((order, price)) = self.slots[side as usize][at].quote else { continue };
                    // How far inside its place (towards the other side) the quote has come to stand.
                    let place = self.place(side, at, centre);
                    let inside = (price.0 - place) * side.sign();
                    let (too_near, too_far) = (share(fair, self.config.half_spread / 2), self.gap(fair, at));
                    if inside > too_near || inside < -too_far {
                        self.drop_quote(side, at, order, now, exchange);
                    }
                }
            }
            for _ in 0..self.config.restless {
                let side = Side::BOTH[(self.rng.rand_u64() & 1) as usize];
                // Near the top more often than not, as in real books.
                let last = self.config.levels.saturating_sub(1) as i64;
                let (one, two) = (between(&mut self.rng, 0, last), between(&mut self.rng, 0, last));
                let at = one.min(two) as usize;
                if let Some((order, _)) = self.slots[side as usize].get(at).and_then(|slot| slot.quote) {
                    self.drop_quote(side, at, order, now, exchange);
                }
            }
            for side in Side::BOTH {
                for at in 0..self.config.levels {
                    let slot = self.slots[side as usize][at];
                    if slot.quote.is_none() && slot.from <= now {
                        self.quote(side, at, fair, centre, now, exchange);
                    }
                }
            }
        });
    }

    /// The price that a level aims at.
    fn place(&self, side: Side, at: usize, centre: i64) -> i64 {
        let at = at as i64;
        let away = self.config.half_spread + self.config.gap * (at + at * at / 8);
        centre - side.sign() * share(centre, away)
    }

    /// The room between a level and the next.
    fn gap(&self, fair: i64, at: usize) -> i64 {
        share(fair, self.config.gap * (1 + at as i64 / 4))
    }

    fn drop_quote(&mut self, side: Side, at: usize, order: u64, now: Nanos, exchange: &mut SimExchange) {
        // It may have been filled in this very instant: then its hit is still to be felt.
        let _ = exchange.cancel(self.account, &OrderRef::Id(order), now);
        self.slots[side as usize][at].quote = None;
    }

    fn quote(
        &mut self,
        side: Side,
        at: usize,
        fair: i64,
        centre: i64,
        now: Nanos,
        exchange: &mut SimExchange,
    ) {
        let room = self.gap(fair, at) / 2;
        let outwards = between(&mut self.rng, 0, room);
        let price = Price((self.place(side, at, centre) - side.sign() * outwards).max(self.spec.tick.0));
        let (least, most) = (self.config.size.0.0, self.config.size.1.0);
        let size = between(&mut self.rng, least, most);
        let size = size.saturating_add(size / 5 * at as i64);
        let size = match &self.spec.contract {
            contract if contract.is_inverse() => contracts(contract.multiplier, size, price),
            _ => size,
        };
        let order = NewOrder {
            instrument: self.config.instrument,
            side,
            kind: Kind::Limit,
            tif: Tif::Gtc,
            price: self.spec.round_passive(side, price),
            qty: Qty(size.max(self.spec.min_qty.0)).floor_to(self.spec.lot),
            reduce_only: false,
            client: String::new(),
        };
        // A refusal (a size below the minimum, say) leaves the level empty until the next look.
        if let Ok(view) = exchange.place(self.account, &order, now)
            && !view.state.is_final()
        {
            self.slots[side as usize][at].quote = Some((view.id, view.order.price));
        }
    }
}

/// An amount of the base asset at a price as contracts of a face.
fn contracts(face: i64, size: i64, price: Price) -> i64 {
    let count = i128::from(size) * i128::from(price.0) / i128::from(face.max(1));
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A fair price in another asset than its own.
fn priced(fairs: &[Fair], of: usize, through: &[(usize, bool)]) -> i64 {
    let through = through.iter().filter_map(|(at, divides)| Some((fairs.get(*at)?, *divides)));
    through.fold(fairs[of].price, |price, (rate, divides)| {
        let (rate, one) = (i128::from(rate.price.max(1)), i128::from(rate.scale.one()));
        let (by, over) = if divides { (one, rate) } else { (rate, one) };
        i64::try_from(i128::from(price) * by / over).unwrap_or(i64::MAX / 4).max(1)
    })
}

/// A share of a price, in its units.
fn share(price: i64, of: Share) -> i64 {
    (i128::from(price) * i128::from(of) / 100_000_000) as i64
}

/// A number from `least` to `most`, both included.
fn between(rng: &mut Rand64, least: i64, most: i64) -> i64 {
    if most <= least {
        return least;
    }
    least + rng.rand_range(0..(most - least) as u64 + 1) as i64
}

#[cfg(test)]
mod tests {
    use super::super::exchange::{ExchangeConfig, FeeIn, Knobs, Rates};
    use super::super::fixture;
    use super::*;
    use crate::types::btc_usdt;
    use crate::venue::Event;

    fn start(seed: u64) -> (Market, Vec<SimExchange>) {
        let exchange = |fee_in| {
            let instruments = vec![btc_usdt()];
            let (rates, knobs) = (Rates::default(), Knobs::default());
            SimExchange::new(ExchangeConfig { instruments, fee_in, rates, knobs }, Rand64::new(1)).unwrap()
        };
        let mut exchanges = vec![exchange(FeeIn::Received), exchange(FeeIn::Quote)];
        let config = fixture::market(seed);
        (Market::new(&config, Nanos::ZERO, &mut exchanges), exchanges)
    }

    #[test]
    fn books_are_deep_uncrossed_and_busy() {
        let (mut market, mut exchanges) = start(42);
        let mut events = Vec::new();
        let mut apart = 0;
        for ms in 1..=5_000 {
            market.step(Nanos::from_millis(ms), &mut exchanges);
            let tops = [0, 1].map(|venue: usize| {
                let book = exchanges[venue].book(0, 50);
                assert!(book.bids.len() >= 15 && book.asks.len() >= 15, "{ms} ms");
                assert!(book.bids[0].price < book.asks[0].price, "{ms} ms");
                (book.bids[0].price.0, book.asks[0].price.0)
            });
            // 8 bp between one's bid and the other's ask.
            let beats = |bid: i64, ask: i64| bid - ask > ask / 1_250;
            apart += usize::from(beats(tops[0].0, tops[1].1) || beats(tops[1].0, tops[0].1));
        }
        exchanges.iter_mut().for_each(|exchange| {
            exchange.audit().unwrap();
            exchange.drain_events(&mut events);
        });
        let sizes: Vec<usize> = events
            .iter()
            .map(|event| match event {
                Event::Book { bids, asks, .. } => bids.len() + asks.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!((250..600).contains(&sizes.len()), "{} updates in 5 s", sizes.len());
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((8..60).contains(&mean), "{mean} levels an update");
        assert!((500..4_500).contains(&apart), "8 bp apart in {apart} of 5,000 ms");
    }

    #[test]
    fn taking_closes_the_spread_and_eaten_levels_come_back() {
        let (mut market, mut exchanges) = start(7);
        let taker = exchanges[0].open_account(AccountKind::Trader);
        exchanges[0].deposit(taker, btc_usdt().quote, Money::parse("10000000").unwrap());
        let now = Nanos::from_millis(1);
        market.step(now, &mut exchanges);
        let before = market.offset(0).unwrap();
        let best = exchanges[0].book(0, 1).asks[0];
        let order = NewOrder {
            instrument: 0,
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: best.price,
            qty: best.qty,
            reduce_only: false,
            client: String::new(),
        };
        assert_eq!(exchanges[0].place(taker, &order, now).unwrap().filled, best.qty);
        market.step(now, &mut exchanges);
        assert!(market.offset(0).unwrap() > before);
        market.step(Nanos::from_millis(300), &mut exchanges);
        assert!(exchanges[0].book(0, 50).asks.len() >= 20);
    }

    #[test]
    fn one_seed_gives_one_market_however_it_is_stepped() {
        let run = |seed, every: i64| {
            let (mut market, mut exchanges) = start(seed);
            for ms in (0..=2_000).step_by(every as usize) {
                market.step(Nanos::from_millis(ms), &mut exchanges);
            }
            let mut events = Vec::new();
            exchanges.iter_mut().for_each(|exchange| exchange.drain_events(&mut events));
            events
        };
        assert_eq!(run(3, 1), run(3, 500));
        assert_ne!(run(3, 1), run(4, 1));
    }
}
