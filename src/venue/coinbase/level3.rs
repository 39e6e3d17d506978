//! Exchange's books order by order: channels `full` and `level3`.
//!
//! The venue's rule: hold what comes; fetch the book with all its orders, which stands at a number;
//! drop what is held up to that number; from then on each message of the product has the number after
//! the one before. A later one means that something was lost, and all starts again; an earlier one is
//! old. `full` names its fields; `level3` tells once in which order they stand, and then sends bare
//! lists.
//!
//! Both want a login, which a feed has not, so they are read where a recording has them: a product
//! is followed order by order once the venue says that one of the channels is subscribed to.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use super::rows::side;
use crate::types::{Level, Nanos, Scale, Side, Symbol, VenueRef, parse};
use crate::venue::Lost;
use crate::venue::kraken::json::Number;

/// Messages held for a book that waits to be fetched; the oldest go first, and are then missing.
const MOST_HELD: usize = 100_000;

/// All products that are followed order by order.
#[derive(Default)]
pub struct Level3 {
    /// The columns of each kind of row.
    schema: BTreeMap<String, Vec<String>>,
    books: BTreeMap<Symbol, Orders>,
}

/// What a message came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do with a book.
    Nothing,
    /// The orders of this product must be fetched.
    Fetch(Symbol),
    /// These levels of a product changed.
    Update {
        /// Which.
        product: Symbol,
        /// The number of the message.
        sequence: u64,
        /// Its time.
        time: Nanos,
        /// Bids and asks with what rests there now.
        levels: [Vec<Level>; 2],
    },
    /// The product's book is lost, and its orders must be fetched again.
    Lost(Symbol, Lost),
    /// It cannot be read.
    Malformed,
}

/// The orders of one product.
struct Orders {
    /// The number of the last message; `None` while the orders are to be fetched.
    at: Option<u64>,
    held: VecDeque<Event>,
    resting: BTreeMap<VenueRef, Resting>,
    /// What rests at each price: bids and asks.
    levels: [BTreeMap<i64, i64>; 2],
}

#[derive(Clone, Copy)]
struct Resting {
    side: Side,
    price: i64,
    qty: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    sequence: u64,
    time: Nanos,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Open {
        order: VenueRef,
        side: Side,
        price: i64,
        qty: i64,
    },
    Done {
        order: VenueRef,
    },
    Match {
        maker: VenueRef,
        qty: i64,
    },
    Change {
        order: VenueRef,
        price: Option<i64>,
        qty: i64,
    },
    /// It takes a number, and changes nothing.
    Noop,
}

/// A message of `full`.
#[derive(Deserialize)]
struct Full<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    product_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sequence: Option<Number<'a>>,
    #[serde(borrow)]
    order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    maker_order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<Number<'a>>,
    #[serde(borrow)]
    new_price: Option<Number<'a>>,
    #[serde(borrow)]
    size: Option<Number<'a>>,
    #[serde(borrow)]
    remaining_size: Option<Number<'a>>,
    #[serde(borrow)]
    new_size: Option<Number<'a>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    schema: Option<BTreeMap<String, Vec<String>>>,
    #[serde(borrow)]
    channels: Option<Vec<Channel<'a>>>,
}

#[derive(Deserialize)]
struct Channel<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    product_ids: Vec<Cow<'a, str>>,
}

impl Level3 {
    /// True when the orders of this product are to be fetched.
    pub fn waits(&self, product: Symbol) -> bool {
        self.books.get(&product).is_some_and(|orders| orders.at.is_none())
    }

    /// The connection is gone, and what was followed on it.
    pub fn clear(&mut self) {
        *self = Level3::default();
    }

    /// Takes a message that may be of one of the channels.
    pub fn message(&mut self, text: &[u8], scale: Scale) -> Vec<Outcome> {
        if text.first() == Some(&b'[') {
            return vec![self.row(text, scale)];
        }
        let Ok(full) = serde_json::from_slice::<Full>(text) else {
            return vec![Outcome::Nothing];
        };
        if let Some(schema) = full.schema {
            self.schema = schema;
            return vec![Outcome::Nothing];
        }
        if let ("subscriptions", Some(channels)) = (&*full.kind, &full.channels) {
            let followed =
                channels.iter().filter(|channel| channel.name == "full" || channel.name == "level3");
            let products = followed.flat_map(|channel| &channel.product_ids);
            let new = products.filter_map(|product| {
                let product = Symbol::new(product).filter(|product| !self.books.contains_key(product))?;
                self.books.insert(product, Orders::new());
                Some(Outcome::Fetch(product))
            });
            return new.collect();
        }
        let product = full.product_id.as_deref().and_then(Symbol::new);
        let Some(product) = product.filter(|product| self.books.contains_key(product)) else {
            return vec![Outcome::Nothing];
        };
        match full_event(&full, scale) {
            Some(event) => vec![self.event(product, event)],
            None => vec![Outcome::Malformed],
        }
    }

    /// A bare list, read by the columns that the venue told.
    fn row(&mut self, text: &[u8], scale: Scale) -> Outcome {
        let Ok(row) = serde_json::from_slice::<Vec<Cow<'_, str>>>(text) else { return Outcome::Nothing };
        let Some(columns) = row.first().and_then(|kind| self.schema.get(&**kind)) else {
            return Outcome::Nothing;
        };
        let field = |name: &str| {
            let at = columns.iter().position(|column| column == name)?;
            row.get(at).map(|text| &**text)
        };
        let Some(product) = field("product_id").and_then(Symbol::new) else { return Outcome::Malformed };
        let order = |name| field(name).and_then(VenueRef::new);
        let number = |name| parse(field(name)?.as_bytes(), scale).ok();
        let what = match &*row[0] {
            "open" => order("order_id")
                .zip(field("side").and_then(side))
                .zip(number("price").zip(number("size")))
                .map(|((order, side), (price, qty))| What::Open { order, side, price, qty }),
            "done" => order("order_id").map(|order| What::Done { order }),
            "match" => {
                order("maker_order_id").zip(number("size")).map(|(maker, qty)| What::Match { maker, qty })
            }
            "change" => order("order_id").zip(number("size")).map(|(order, qty)| What::Change {
                order,
                price: number("price"),
                qty,
            }),
            _ => Some(What::Noop),
        };
        let sequence = field("sequence").and_then(|text| text.parse().ok());
        let time = super::rows::time(field("time")).unwrap_or_default();
        // Rows come of no other channel: their product is followed from the first one on.
        let new = !self.books.contains_key(&product);
        self.books.entry(product).or_insert_with(Orders::new);
        match what.zip(sequence) {
            Some((what, sequence)) => match self.event(product, Event { sequence, time, what }) {
                Outcome::Nothing if new => Outcome::Fetch(product),
                outcome => outcome,
            },
            None => Outcome::Malformed,
        }
    }

    fn event(&mut self, product: Symbol, event: Event) -> Outcome {
        let Some(orders) = self.books.get_mut(&product) else { return Outcome::Nothing };
        orders.event(product, event)
    }

    /// The orders of a product as they were fetched: its whole book, and then what had been held.
    /// `None` when the answer cannot be read, or is of no product that waits for one.
    pub fn fetched(&mut self, product: Symbol, body: &[u8], scale: Scale) -> Option<Fetched> {
        let orders = self.books.get_mut(&product).filter(|orders| orders.at.is_none())?;
        orders.fetched(product, body, scale)
    }
}

/// A fetched book, and what follows from the messages that were held.
pub struct Fetched {
    /// The number it stands at.
    pub sequence: u64,
    /// Bids and asks, best first.
    pub levels: [Vec<Level>; 2],
    /// What came of the messages held.
    pub then: Vec<Outcome>,
}

/// An event of `full`; `None` when a field that it needs is missing.
fn full_event(full: &Full<'_>, scale: Scale) -> Option<Event> {
    let order = |text: &Option<Cow<'_, str>>| VenueRef::new(text.as_deref()?);
    let number = |number: Option<Number<'_>>| number?.scaled(scale);
    let what = match &*full.kind {
        "open" => What::Open {
            order: order(&full.order_id)?,
            side: side(full.side.as_deref()?)?,
            price: number(full.price)?,
            qty: number(full.remaining_size)?,
        },
        "done" => What::Done { order: order(&full.order_id)? },
        "match" => What::Match { maker: order(&full.maker_order_id)?, qty: number(full.size)? },
        // A change of funds is one of a market order, which rests nowhere.
        "change" => match number(full.new_size) {
            Some(qty) => What::Change { order: order(&full.order_id)?, price: number(full.new_price), qty },
            None => What::Noop,
        },
        _ => What::Noop,
    };
    let time = super::rows::time(full.time.as_deref()).unwrap_or_default();
    Some(Event { sequence: full.sequence?.count()?, time, what })
}

impl Orders {
    fn new() -> Orders {
        Orders { at: None, held: VecDeque::new(), resting: BTreeMap::new(), levels: Default::default() }
    }

    fn event(&mut self, product: Symbol, event: Event) -> Outcome {
        let Some(have) = self.at else {
            if self.held.len() >= MOST_HELD {
                self.held.pop_front();
            }
            self.held.push_back(event);
            return Outcome::Nothing;
        };
        if event.sequence <= have {
            return Outcome::Nothing;
        }
        if have.checked_add(1) != Some(event.sequence) {
            self.start_anew(event);
            return Outcome::Lost(product, Lost::Gap { have, got: event.sequence });
        }
        self.at = Some(event.sequence);
        match self.apply(&event.what) {
            Some(touched) => {
                let mut levels = [Vec::new(), Vec::new()];
                for (side, price) in touched {
                    let at = side as usize;
                    let qty = self.levels[at].get(&price).copied().unwrap_or(0);
                    levels[at].push(Level::new(price, qty));
                }
                Outcome::Update { product, sequence: event.sequence, time: event.time, levels }
            }
            None => {
                self.start_anew(event);
                Outcome::Lost(product, Lost::Malformed)
            }
        }
    }

    /// The book is worthless from this message on, which may yet follow what is fetched.
    fn start_anew(&mut self, event: Event) {
        *self = Orders::new();
        self.held.push_back(event);
    }

    /// Does what an event says; the prices that it touched, or `None` when it cannot be true.
    fn apply(&mut self, what: &What) -> Option<Vec<(Side, i64)>> {
        let mut touched = Vec::with_capacity(2);
        match *what {
            What::Open { order, side, price, qty } => {
                if price <= 0 || qty <= 0 || self.resting.contains_key(&order) {
                    return None;
                }
                self.resting.insert(order, Resting { side, price, qty });
                self.add(side, price, qty)?;
                touched.push((side, price));
            }
            What::Done { order } => {
                // Orders that never rested are done too.
                if let Some(resting) = self.resting.remove(&order) {
                    self.add(resting.side, resting.price, -resting.qty)?;
                    touched.push((resting.side, resting.price));
                }
            }
            What::Match { maker, qty } => {
                let resting = self.resting.get_mut(&maker)?;
                resting.qty = resting.qty.checked_sub(qty).filter(|left| *left >= 0 && qty > 0)?;
                let Resting { side, price, .. } = *resting;
                self.add(side, price, -qty)?;
                touched.push((side, price));
            }
            What::Change { order, price, qty } => {
                // Orders that are not in the book yet are changed too.
                if let Some(old) = self.resting.get(&order).copied() {
                    let new = Resting { price: price.unwrap_or(old.price), qty, ..old };
                    if new.price <= 0 || new.qty < 0 {
                        return None;
                    }
                    self.resting.insert(order, new);
                    self.add(old.side, old.price, -old.qty)?;
                    self.add(new.side, new.price, new.qty)?;
                    touched.push((old.side, old.price));
                    if new.price != old.price {
                        touched.push((new.side, new.price));
                    }
                }
            }
            What::Noop => {}
        }
        Some(touched)
    }

    fn add(&mut self, side: Side, price: i64, qty: i64) -> Option<()> {
        let level = self.levels[side as usize].entry(price).or_insert(0);
        *level = level.checked_add(qty).filter(|level| *level >= 0)?;
        if *level == 0 {
            self.levels[side as usize].remove(&price);
        }
        Some(())
    }

    fn fetched(&mut self, product: Symbol, body: &[u8], scale: Scale) -> Option<Fetched> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            bids: Vec<(Number<'a>, Number<'a>, Cow<'a, str>)>,
            #[serde(borrow)]
            asks: Vec<(Number<'a>, Number<'a>, Cow<'a, str>)>,
            sequence: u64,
        }
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let held = std::mem::take(&mut self.held);
        *self = Orders::new();
        for (side, rows) in [(Side::Buy, &answer.bids), (Side::Sell, &answer.asks)] {
            for (price, qty, order) in rows {
                let (price, qty) = (price.scaled(scale)?, qty.scaled(scale)?);
                self.apply(&What::Open { order: VenueRef::new(order)?, side, price, qty })?;
            }
        }
        self.at = Some(answer.sequence);
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        let levels =
            [self.levels[0].iter().rev().map(level).collect(), self.levels[1].iter().map(level).collect()];
        let mut then = Vec::new();
        for event in held {
            match self.event(product, event) {
                Outcome::Nothing => {}
                outcome => then.push(outcome),
            }
        }
        Some(Fetched { sequence: answer.sequence, levels, then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product() -> Symbol {
        Symbol::new("BTC-USD").unwrap()
    }

    fn show(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Nothing => String::new(),
            Outcome::Update { sequence, levels, .. } => {
                let one = Scale::DEFAULT.one();
                let side = |levels: &[Level]| {
                    let levels: Vec<String> = levels
                        .iter()
                        .map(|level| format!("{}x{}", level.price.0 / one, level.qty.0 / one))
                        .collect();
                    levels.join(",")
                };
                format!("{sequence}: {} | {}", side(&levels[0]), side(&levels[1]))
            }
            Outcome::Lost(_, why) => format!("lost: {why}"),
            other => format!("{other:?}"),
        }
    }

    fn play(books: &mut Level3, messages: &[(&str, &str)]) {
        for (message, want) in messages {
            let got: Vec<String> =
                books.message(message.as_bytes(), Scale::DEFAULT).iter().map(show).collect();
            assert_eq!(got.join(" "), *want, "{message}");
        }
    }

    const BOOK: &str = r#"{"bids":[["100","1","b1"],["100","2","b2"],["99","5","b3"]],"asks":[["101","4","a1"]],"sequence":10}"#;

    #[test]
    fn full_is_followed_by_its_numbers() {
        let mut books = Level3::default();
        play(
            &mut books,
            &[
                // Without the subscription a match is one of another channel.
                (
                    r#"{"type":"match","trade_id":1,"sequence":3,"maker_order_id":"x","taker_order_id":"y","product_id":"BTC-USD","size":"1","price":"1","side":"sell"}"#,
                    "",
                ),
                (
                    r#"{"type":"subscriptions","channels":[{"name":"full","product_ids":["BTC-USD"]},{"name":"ticker","product_ids":["ETH-USD"]}]}"#,
                    "Fetch(\"BTC-USD\")",
                ),
                (
                    r#"{"type":"open","product_id":"BTC-USD","sequence":10,"order_id":"old","side":"buy","price":"98","remaining_size":"1"}"#,
                    "",
                ),
                (
                    r#"{"type":"received","product_id":"BTC-USD","sequence":11,"order_id":"t1","side":"sell","size":"1","price":"100"}"#,
                    "",
                ),
                (
                    r#"{"type":"match","trade_id":2,"product_id":"BTC-USD","sequence":12,"maker_order_id":"b1","taker_order_id":"t1","size":"1","price":"100","side":"buy"}"#,
                    "",
                ),
            ],
        );
        let fetched = books.fetched(product(), BOOK.as_bytes(), Scale::DEFAULT).unwrap();
        let depth = fetched.levels.each_ref().map(Vec::len);
        assert_eq!((fetched.sequence, depth), (10, [2, 1]));
        let then: Vec<String> = fetched.then.iter().map(show).collect();
        assert_eq!(then, ["11:  | ", "12: 100x2 | "]);
        assert!(books.fetched(product(), BOOK.as_bytes(), Scale::DEFAULT).is_none(), "it waits for none");
        play(
            &mut books,
            &[
                (
                    r#"{"type":"done","product_id":"BTC-USD","sequence":13,"order_id":"b1","reason":"filled","remaining_size":"0"}"#,
                    "13: 100x2 | ",
                ),
                (
                    r#"{"type":"done","product_id":"BTC-USD","sequence":14,"order_id":"t1","reason":"filled"}"#,
                    "14:  | ",
                ),
                (
                    r#"{"type":"open","product_id":"BTC-USD","sequence":15,"order_id":"a2","side":"sell","price":"102","remaining_size":"3"}"#,
                    "15:  | 102x3",
                ),
                (
                    r#"{"type":"change","reason":"STP","product_id":"BTC-USD","sequence":16,"order_id":"a2","side":"sell","price":"102","old_size":"3","new_size":"2"}"#,
                    "16:  | 102x2",
                ),
                (
                    r#"{"type":"change","reason":"modify_order","product_id":"BTC-USD","sequence":17,"order_id":"a2","side":"sell","new_price":"101","new_size":"1"}"#,
                    "17:  | 102x0,101x5",
                ),
                (
                    r#"{"type":"done","product_id":"BTC-USD","sequence":18,"order_id":"b2","reason":"canceled"}"#,
                    "18: 100x0 | ",
                ),
                // An old one, and then a gap.
                (r#"{"type":"activate","product_id":"BTC-USD","sequence":18,"order_id":"s"}"#, ""),
                (
                    r#"{"type":"received","product_id":"BTC-USD","sequence":20,"order_id":"t2"}"#,
                    "lost: update 20 does not follow 18",
                ),
                (r#"{"type":"received","product_id":"BTC-USD","sequence":21,"order_id":"t3"}"#, ""),
            ],
        );
        let later = BOOK.replace(":10}", ":20}");
        let fetched = books.fetched(product(), later.as_bytes(), Scale::DEFAULT).unwrap();
        assert_eq!(fetched.then.iter().map(show).collect::<Vec<_>>(), ["21:  | "]);
    }

    #[test]
    fn level3_rows_are_read_by_their_schema() {
        let mut books = Level3::default();
        play(
            &mut books,
            &[
                (r#"["open","BTC-USD","11","o","sell","102","3","2026-07-26T10:11:12.123456Z"]"#, ""),
                (
                    r#"{"type":"level3","schema":{"change":["type","product_id","sequence","order_id","price","size","time"],
                   "done":["type","product_id","sequence","order_id","time"],
                   "match":["type","product_id","sequence","maker_order_id","taker_order_id","price","size","time"],
                   "noop":["type","product_id","sequence","time"],
                   "open":["type","product_id","sequence","order_id","side","price","size","time"]}}"#,
                    "",
                ),
                (
                    r#"["open","BTC-USD","11","o","sell","102","3","2026-07-26T10:11:12.123456Z"]"#,
                    "Fetch(\"BTC-USD\")",
                ),
            ],
        );
        let fetched = books.fetched(product(), BOOK.as_bytes(), Scale::DEFAULT).unwrap();
        assert_eq!(fetched.then.iter().map(show).collect::<Vec<_>>(), ["11:  | 102x3"]);
        play(
            &mut books,
            &[
                (r#"["noop","BTC-USD","12","2026-07-26T10:11:12.123456Z"]"#, "12:  | "),
                (
                    r#"["match","BTC-USD","13","b3","t","99","2","2026-07-26T10:11:12.123456Z"]"#,
                    "13: 99x3 | ",
                ),
                (r#"["change","BTC-USD","14","o","102","1","2026-07-26T10:11:12.123456Z"]"#, "14:  | 102x1"),
                (r#"["done","BTC-USD","15","o","2026-07-26T10:11:12.123456Z"]"#, "15:  | 102x0"),
                (r#"["open","BTC-USD","x"]"#, "Malformed"),
                // More than the order has: the book is wrong.
                (
                    r#"["match","BTC-USD","16","b3","t","99","9","2026-07-26T10:11:12.123456Z"]"#,
                    "lost: malformed message",
                ),
            ],
        );
    }
}
