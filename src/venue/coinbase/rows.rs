//! Orders and fills in words of neither product.

use serde::Deserialize;
use std::borrow::Cow;

use crate::types::{
    ClientId, InstrumentSpec, Money, Nanos, OrderState, OrderStatus, Price, Qty, Side, VenueRef,
};
use crate::venue::kraken::json::Number;

/// The instruments of a gateway, found by their names.
pub struct Specs(pub Vec<InstrumentSpec>);

impl Specs {
    /// Which instrument that is.
    pub fn find(&self, product: &str) -> Option<(usize, &InstrumentSpec)> {
        self.0.iter().enumerate().find(|(_, spec)| spec.symbol.as_str() == product)
    }

    /// The instrument of that place.
    pub fn get(&self, place: usize) -> Option<&InstrumentSpec> {
        self.0.get(place)
    }
}

/// An order as the venue tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRow {
    /// The venue's id.
    pub id: VenueRef,
    /// Ours, where it has one of our shape.
    pub client: Option<ClientId>,
    /// The rest; `None` for a product that is not ours.
    pub terms: Option<Terms>,
}

/// What an order is, and how far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Which instrument.
    pub place: usize,
    /// Buy or sell.
    pub side: Side,
    /// Where it stands. `Sent` = the venue has not looked at it yet.
    pub state: OrderState,
    /// Its limit; zero where it is not told.
    pub price: Price,
    /// Ordered; zero where it is not told.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
}

impl OrderRow {
    /// As a report; `None` for a product that is not ours.
    pub fn status(&self, specs: &Specs) -> Option<OrderStatus> {
        let terms = self.terms?;
        Some(OrderStatus {
            client: self.client,
            venue_ref: self.id,
            symbol: specs.get(terms.place)?.symbol,
            side: terms.side,
            state: terms.state,
            price: terms.price,
            qty: terms.qty,
            filled: terms.filled,
        })
    }
}

/// A fill as the trade list tells of it: without our id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FillRow {
    /// The order.
    pub order: VenueRef,
    /// The trade.
    pub trade: VenueRef,
    /// Which instrument.
    pub place: usize,
    /// Side of the order.
    pub side: Side,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// The fee.
    pub fee: Money,
    /// The order rested.
    pub maker: bool,
    /// When.
    pub at: Nanos,
}

/// Rows of one answer, and where the next ones are.
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What to ask with for more.
    pub next: Option<String>,
}

/// `buy` or `sell`, in any case.
pub fn side(text: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| side.name().eq_ignore_ascii_case(text))
}

/// A time; `None` where there is none, or an unreadable one.
pub fn time(text: Option<&str>) -> Option<Nanos> {
    Nanos::parse_rfc3339(text?.as_bytes()).ok()
}

/// Our id in a text that may be none of ours.
pub fn client(text: Option<&str>) -> Option<ClientId> {
    ClientId::parse(text?.as_bytes())
}

/// A number that may be missing, or an empty text, which is the same.
pub fn given<'a>(number: Option<Number<'a>>) -> Option<Number<'a>> {
    number.filter(|number| !number.text().is_empty() && number.text() != "null")
}

/// A quantity that may be missing: zero then.
pub fn qty(number: Option<Number<'_>>, spec: &InstrumentSpec) -> Option<Qty> {
    given(number).map_or(Some(Qty::ZERO), |number| number.qty(spec.scale))
}

/// A price that may be missing: zero then.
pub fn price(number: Option<Number<'_>>, spec: &InstrumentSpec) -> Option<Price> {
    given(number).map_or(Some(Price(0)), |number| number.price(spec.scale))
}

/// A text that may be a number: the venue spells some ids both ways.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub enum Loose<'a> {
    /// A number.
    Number(u64),
    /// A text.
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Loose<'_> {
    /// As an id of the venue.
    pub fn reference(&self) -> Option<VenueRef> {
        match self {
            Loose::Number(number) => VenueRef::new(&number.to_string()),
            Loose::Text(text) => VenueRef::new(text),
        }
    }
}
