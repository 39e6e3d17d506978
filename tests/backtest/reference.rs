//! The ledger rule again, written from its text alone: slow, plain, and sharing nothing with the
//! engine. Own parsing, whole books in maps, every number an integer.

use std::collections::BTreeMap;

use serde_json::Value;

/// Prices and quantities are in units of 1e-8, values in units of 1e-16.
const E8: i128 = 100_000_000;
const E16: i128 = E8 * E8;

/// What the rule needs to know of a run.
pub struct Terms {
    pub venues: [Venue; 2],
    /// In basis points, units of 1e-4.
    pub min_edge_bps_e4: i128,
    /// In whole units of the quote asset.
    pub max_notional: i128,
    /// In units of 1e-8.
    pub haircut: i128,
}

/// One of the two.
pub struct Venue {
    pub name: &'static str,
    /// The rules of futures for how updates join and follow.
    pub futures: bool,
    /// In units of 1e-8.
    pub fee: i128,
    pub lot: i128,
    pub min_qty: i128,
    /// In whole units of the quote asset.
    pub min_notional: i128,
    /// Of inverse contracts, what one is worth, in whole units of the quote asset: lot and minimum are in
    /// contracts then.
    pub face: Option<i128>,
}

/// Exact decimals as integers in units of 1e-8.
fn decimal(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= 8, "{text}");
    whole.parse::<i128>().unwrap() * E8 + format!("{part:0<8}").parse::<i128>().unwrap()
}

/// An integer in units of 10^-places as people write it, without trailing zeros.
fn plain(value: i128, places: usize) -> String {
    let one = 10i128.pow(places as u32);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.abs() / one, value.abs() % one);
    let text = format!("{sign}{whole}.{part:0places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in basis points with six decimals, rounded down.
fn bps(part: i128, whole: i128) -> String {
    let value = (part * 10_000_000_000).div_euclid(whole);
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", value.abs() / 1_000_000, value.abs() % 1_000_000)
}

#[derive(Clone)]
struct Update {
    first: u64,
    last: u64,
    prev: Option<u64>,
    bids: Vec<(i128, i128)>,
    asks: Vec<(i128, i128)>,
}

/// A book and its place in the stream.
#[derive(Default)]
struct Book {
    futures: bool,
    bids: BTreeMap<i128, i128>,
    asks: BTreeMap<i128, i128>,
    /// A snapshot is in the book, at this id.
    snapshot: Option<u64>,
    /// The last update applied: the book is live.
    live: Option<u64>,
    held: Vec<Update>,
}

impl Book {
    fn set(&mut self, update: &Update) {
        for (side, levels) in [(&mut self.bids, &update.bids), (&mut self.asks, &update.asks)] {
            for (price, qty) in levels {
                if *qty == 0 {
                    side.remove(price);
                } else {
                    side.insert(*price, *qty);
                }
            }
        }
        self.live = Some(update.last);
    }

    fn is_old(&self, update: &Update, id: u64) -> bool {
        if self.futures { update.last < id } else { update.last <= id }
    }

    fn joins(&self, update: &Update, id: u64) -> bool {
        if self.futures { update.first <= id && id <= update.last } else { update.first <= id + 1 }
    }

    /// True when the book changed.
    fn update(&mut self, update: Update) -> bool {
        let follows = match (self.snapshot, self.live) {
            (None, _) => {
                self.held.push(update);
                return false;
            }
            (Some(id), None) if self.is_old(&update, id) => return false,
            (Some(id), None) => self.joins(&update, id),
            (_, Some(last)) if update.last <= last => return false,
            (_, Some(last)) if self.futures => update.prev == Some(last),
            (_, Some(last)) => update.first == last + 1,
        };
        if !follows {
            // A gap: worthless until the next snapshot, which this one may follow.
            *self = Book { futures: self.futures, held: vec![update], ..Book::default() };
            return false;
        }
        self.set(&update);
        true
    }

    fn snapshot(&mut self, id: u64, bids: Vec<(i128, i128)>, asks: Vec<(i128, i128)>) -> bool {
        if self.snapshot.is_some() {
            return false;
        }
        let held: Vec<Update> = self.held.iter().filter(|held| !self.is_old(held, id)).cloned().collect();
        if held.first().is_some_and(|first| !self.joins(first, id)) {
            return false;
        }
        self.held.clear();
        self.bids = bids.into_iter().collect();
        self.asks = asks.into_iter().collect();
        self.snapshot = Some(id);
        held.iter().for_each(|update| self.set(update));
        true
    }

    /// Twice the mid.
    fn mids(&self) -> Option<i128> {
        Some(self.bids.last_key_value()?.0 + self.asks.first_key_value()?.0)
    }

    fn usable(&self) -> bool {
        let crossed = match (self.bids.last_key_value(), self.asks.first_key_value()) {
            (Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        };
        self.live.is_some() && !crossed
    }
}

fn levels(value: &Value) -> Vec<(i128, i128)> {
    let rows = value.as_array().unwrap().iter();
    rows.map(|row| (decimal(row[0].as_str().unwrap()), decimal(row[1].as_str().unwrap()))).collect()
}

/// One captured line, as the formats' description has it: true when the book changed.
fn line(book: &mut Book, message: &Value) -> bool {
    if let Some(id) = message["lastUpdateId"].as_u64() {
        return book.snapshot(id, levels(&message["bids"]), levels(&message["asks"]));
    }
    let data = &message["data"];
    if data["e"] != "depthUpdate" {
        return false;
    }
    book.update(Update {
        first: data["U"].as_u64().unwrap(),
        last: data["u"].as_u64().unwrap(),
        prev: data["pu"].as_u64(),
        bids: levels(&data["b"]),
        asks: levels(&data["a"]),
    })
}

/// The rows after each message of two captures, the texts of which are given in the order of files.
pub fn rows(terms: &Terms, captures: [&str; 2]) -> Vec<String> {
    let mut found = Vec::new();
    evaluations(terms, captures, |at, books| {
        for way in [(0, 1), (1, 0)] {
            found.extend(row(terms, terms.min_edge_bps_e4, at, way, books));
        }
    });
    found
}

/// As [`rows`], with the edge counted from where the books usually stand. The mean is that of the rule
/// in plain floating point; a mean in integers may differ from it in its last digit. So each evaluation
/// has three rows or none, by a mean that is one lower, the same, and one higher.
pub fn basis_rows(terms: &Terms, half_life_ns: i64, captures: [&str; 2]) -> Vec<[Option<String>; 3]> {
    let mut means = [Mean::default(), Mean::default()];
    let mut found = Vec::new();
    evaluations(terms, captures, |at, books| {
        for (mean, (buy, sell)) in means.iter_mut().zip([(0, 1), (1, 0)]) {
            if let (Some(buy), Some(sell)) = (books[buy].mids(), books[sell].mids()) {
                mean.observe(((sell - buy) * 100_000_000).div_euclid(buy) as f64, at, half_life_ns);
            }
            let Some(mean) = mean.value(half_life_ns) else { continue };
            let edges = [-1, 0, 1].map(|off| terms.min_edge_bps_e4 + mean + off);
            found.push(edges.map(|edge| row(terms, edge, at, (buy, sell), books)));
        }
    });
    found
}

/// The mean, by time, of a value that holds until it is seen anew; the past's weight halves with every
/// half-life.
#[derive(Default)]
struct Mean {
    since: Option<i64>,
    at: i64,
    last: f64,
    sum: f64,
    weight: f64,
}

impl Mean {
    fn observe(&mut self, value: f64, at: i64, half_life_ns: i64) {
        if self.since.is_some() {
            let kept = (-((at - self.at) as f64) / half_life_ns as f64).exp2();
            self.sum = self.sum * kept + self.last * (1.0 - kept);
            self.weight = self.weight * kept + 1.0 - kept;
        }
        self.since.get_or_insert(at);
        (self.at, self.last) = (at, value);
    }

    /// In units of 1e-4 bp, rounded down; none before it spans a half-life.
    fn value(&self, half_life_ns: i64) -> Option<i128> {
        let spans = self.since.is_some_and(|since| self.at - since >= half_life_ns);
        spans.then(|| (self.sum / self.weight).floor() as i128)
    }
}

/// Both books after each message that changed one of them, while both can be used.
fn evaluations(terms: &Terms, captures: [&str; 2], mut evaluate: impl FnMut(i64, &[Book; 2])) {
    let mut messages: Vec<(i64, usize, &str)> = Vec::new();
    for (file, text) in captures.iter().enumerate() {
        for text in text.lines() {
            let (at, message) = text.split_once(' ').unwrap();
            messages.push((at.parse().unwrap(), file, message));
        }
    }
    messages.sort_by_key(|(at, file, _)| (*at, *file)); // stable: lines stay in order
    let mut books = terms.venues.each_ref().map(|venue| Book { futures: venue.futures, ..Book::default() });
    for (at, file, message) in messages {
        // Most messages are of other channels: they need not be parsed to be passed over.
        if !message.contains("depthUpdate") && !message.contains("lastUpdateId") {
            continue;
        }
        let message = serde_json::from_str(message).unwrap();
        if line(&mut books[file], &message) && books.iter().all(Book::usable) {
            evaluate(at, &books);
        }
    }
}

/// A row, when there is an opportunity of that edge.
fn row(terms: &Terms, edge: i128, at: i64, (buy, sell): (usize, usize), books: &[Book; 2]) -> Option<String> {
    let fields = evaluate(terms, edge, buy, sell, books)?;
    Some(format!("{at},BTC-USDT,{},{},{fields}", terms.venues[buy].name, terms.venues[sell].name))
}

/// The rest of a row, when there is an opportunity.
fn evaluate(terms: &Terms, edge: i128, buy: usize, sell: usize, books: &[Book; 2]) -> Option<String> {
    let offer = |face: Option<i128>| {
        move |(price, qty): (&i128, &i128)| {
            let base = face.map_or(*qty, |face| qty * face * E8 / price);
            (*price, base * terms.haircut / E8)
        }
    };
    let asks = books[buy].asks.iter().map(offer(terms.venues[buy].face));
    let bids = books[sell].bids.iter().rev().map(offer(terms.venues[sell].face));
    let mut asks: Vec<(i128, i128)> = asks.filter(|(_, qty)| *qty > 0).collect();
    let mut bids: Vec<(i128, i128)> = bids.filter(|(_, qty)| *qty > 0).collect();
    let (buy, sell) = (&terms.venues[buy], &terms.venues[sell]);
    let max = terms.max_notional * E16;
    // Quantity, ask, bid.
    let mut slices: Vec<(i128, i128, i128)> = Vec::new();
    let (mut bought, mut ask_at, mut bid_at) = (0, 0, 0);
    while ask_at < asks.len() && bid_at < bids.len() {
        let ((ask, ask_qty), (bid, bid_qty)) = (asks[ask_at], bids[bid_at]);
        let gets = bid * (E8 - sell.fee);
        let pays = ask * (E8 + buy.fee);
        // (gets - pays) / pays >= edge, in units of 1e-8 on both sides.
        if (gets - pays) * E8 < edge * pays {
            break;
        }
        let mut qty = ask_qty.min(bid_qty);
        let full = bought + qty * ask > max;
        if full {
            qty = (max - bought) / ask;
        }
        slices.push((qty, ask, bid));
        bought += qty * ask;
        if full {
            break;
        }
        asks[ask_at].1 -= qty;
        bids[bid_at].1 -= qty;
        ask_at += usize::from(asks[ask_at].1 == 0);
        bid_at += usize::from(bids[bid_at].1 == 0);
    }
    let total: i128 = slices.iter().map(|slice| slice.0).sum();
    let lot = [buy, sell].iter().filter(|venue| venue.face.is_none()).map(|venue| venue.lot).max()?;
    let mut total = cut(&mut slices, total - total % lot);
    // Whole contracts, and the most of the base asset that they are worth, best levels first.
    let mut contracts = None;
    for (venue, at) in [(buy, 1), (sell, 2)] {
        let Some(face) = venue.face else { continue };
        let price = |slice: &(i128, i128, i128)| if at == 1 { slice.1 } else { slice.2 };
        let value: i128 = slices.iter().map(|slice| slice.0 * price(slice)).sum();
        let count = value / (face * E8) / venue.lot * venue.lot;
        if count == 0 || count < venue.min_qty {
            return None;
        }
        contracts = Some(count * face * E8);
        let mut left = count * face * E8;
        let mut base = 0;
        // A level is worth what it is worth as a whole, however many slices it was walked in.
        let mut levels: Vec<(i128, i128)> = Vec::new();
        for slice in &slices {
            match levels.last_mut().filter(|level| level.0 == price(slice)) {
                Some(level) => level.1 += slice.0,
                None => levels.push((price(slice), slice.0)),
            }
        }
        for (price, qty) in levels {
            let part = qty.min(left / price);
            left -= part * price;
            base += part;
            if part < qty {
                break;
            }
        }
        total = cut(&mut slices, base - base % lot);
    }
    let counted = |venue: &Venue| venue.face.is_none() && total < venue.min_qty;
    if total == 0 || counted(buy) || counted(sell) {
        return None;
    }
    let bought: i128 = slices.iter().map(|(qty, ask, _)| qty * ask).sum();
    let sold: i128 = slices.iter().map(|(qty, _, bid)| qty * bid).sum();
    if bought < buy.min_notional * E16 || sold < sell.min_notional * E16 {
        return None;
    }
    let up = |value: i128, rate: i128| (value * rate).div_ceil_to(E16) * E8;
    // The fee on contracts is that on their whole face.
    let charged = |venue: &Venue, value: i128| match (venue.face, contracts) {
        (Some(_), Some(face)) => up(face, venue.fee),
        _ => up(value, venue.fee),
    };
    let (buy_fee, sell_fee) = (charged(buy, bought), charged(sell, sold));
    let net = sold - bought - buy_fee - sell_fee;
    let buy_price = slices.iter().map(|slice| slice.1).max()?;
    let sell_price = slices.iter().map(|slice| slice.2).min()?;
    Some(format!(
        "{},{},{},{},{},{}",
        plain(total, 8),
        plain(buy_price, 8),
        plain(sell_price, 8),
        bps(sold - bought, bought),
        bps(net, bought + buy_fee),
        plain(net, 16),
    ))
}

/// Takes off the last slices what is beyond a total; that total.
fn cut(slices: &mut Vec<(i128, i128, i128)>, total: i128) -> i128 {
    let mut off = slices.iter().map(|slice| slice.0).sum::<i128>() - total;
    while off > 0 {
        let last = slices.last_mut().unwrap();
        let less = off.min(last.0);
        last.0 -= less;
        off -= less;
        if last.0 == 0 {
            slices.pop();
        }
    }
    slices.retain(|slice| slice.0 > 0);
    total
}

trait DivCeil {
    fn div_ceil_to(self, by: i128) -> i128;
}

impl DivCeil for i128 {
    fn div_ceil_to(self, by: i128) -> i128 {
        -(-self).div_euclid(by)
    }
}
