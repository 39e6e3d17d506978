//! The list of opportunities: a row for each evaluation and direction that has one.

use std::io::{self, Write};

use crate::config::Config;
use crate::detect::{Leg, Opportunity};
use crate::types::{Bps, Contract, Fixed, InstrumentId, Price, Qty, Scale, Side, VenueId};

/// The columns.
pub const COLUMNS: &str =
    "t_ns,instrument,buy_venue,sell_venue,qty,buy_price,sell_price,gross_bps,net_bps,net_quote";

/// Names of what rows speak of.
pub struct Names {
    instruments: Vec<(String, Scale)>,
    /// Where instruments are inverse contracts, and their legs in contracts.
    contracts: Vec<(InstrumentId, VenueId, Contract)>,
    venues: Vec<String>,
}

impl Names {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Names {
        let instruments = config.instruments.iter();
        let listings = (0..).map(InstrumentId).zip(&config.instruments).flat_map(|(id, own)| {
            own.listings.iter().filter_map(move |listing| {
                let contract = own.spec(listing)?.contract;
                contract.is_inverse().then_some((id, listing.venue, contract))
            })
        });
        Names {
            contracts: listings.collect(),
            instruments: instruments.map(|own| (own.name.to_string(), own.scale)).collect(),
            venues: config.venues.iter().map(|venue| venue.id.clone()).collect(),
        }
    }

    /// An instrument's.
    pub fn instrument(&self, id: InstrumentId) -> &str {
        self.instruments.get(usize::from(id.0)).map_or("", |(name, _)| name)
    }

    /// A venue's.
    pub fn venue(&self, id: VenueId) -> &str {
        self.venues.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// The inverse contracts that quantities are, where they are not of the base asset.
    pub fn inverse(&self, instrument: InstrumentId, venue: VenueId) -> Option<Contract> {
        let own = |(id, at, _): &&(InstrumentId, VenueId, Contract)| (*id, *at) == (instrument, venue);
        self.contracts.iter().find(own).map(|(.., contract)| *contract)
    }

    /// Whether quantities of a leg are inverse contracts, and not of the base asset.
    fn in_contracts(&self, found: &Opportunity, leg: &Leg) -> bool {
        self.inverse(found.instrument, leg.venue).is_some()
    }

    /// How much of the base asset an opportunity has, which at least one side is counted in.
    pub fn base(&self, found: &Opportunity) -> Qty {
        let of = |side: Side| found.legs().iter().filter(move |leg| leg.side == side);
        let counted =
            if of(Side::Buy).any(|leg| self.in_contracts(found, leg)) { Side::Sell } else { Side::Buy };
        Qty(of(counted).map(|leg| leg.qty.0).sum())
    }

    /// How many inverse contracts an opportunity has, where it has any.
    pub fn contracts(&self, found: &Opportunity) -> String {
        let legs = found.legs().iter().filter(|leg| self.in_contracts(found, leg));
        let count: i64 = legs.map(|leg| leg.qty.0).sum();
        if count == 0 { String::new() } else { Fixed(count, self.scale(found.instrument)).to_string() }
    }

    fn scale(&self, id: InstrumentId) -> Scale {
        self.instruments.get(usize::from(id.0)).map_or(Scale::DEFAULT, |(_, scale)| *scale)
    }

    /// The venues of one side of an opportunity, joined where several are walked as one.
    pub fn venues(&self, found: &Opportunity, side: Side) -> String {
        let legs = found.legs().iter().filter(|leg| leg.side == side);
        legs.map(|leg| self.venue(leg.venue)).collect::<Vec<_>>().join("+")
    }
}

/// Writes rows as they are found.
pub struct Rows {
    out: Box<dyn Write>,
    line: Vec<u8>,
}

impl Rows {
    /// Begins with the columns.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(mut out: Box<dyn Write>) -> io::Result<Rows> {
        writeln!(out, "{COLUMNS}")?;
        Ok(Rows { out, line: Vec::new() })
    }

    /// One row.
    ///
    /// # Errors
    /// What the writer says.
    pub fn add(&mut self, names: &Names, found: &Opportunity) -> io::Result<()> {
        self.line.clear();
        row(&mut self.line, names, found)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Hands over all that is still held.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The fields of [`COLUMNS`].
///
/// # Errors
/// What the writer says.
pub fn row(out: &mut dyn Write, names: &Names, found: &Opportunity) -> io::Result<()> {
    let of = |side: Side| found.legs().iter().filter(move |leg| leg.side == side);
    let worst = |side: Side, worse: fn(Price, Price) -> Price| {
        of(side).map(|leg: &Leg| leg.price).reduce(worse).unwrap_or_default()
    };
    let scale = names.scale(found.instrument);
    let shown = |value: i64| Fixed(value, scale);
    let qty = names.base(found);
    let (gross, net): (Bps, Bps) = (found.sums.gross_bps(), found.sums.net_bps());
    write!(
        out,
        "{},{},{},{},{},{},{},{gross},{net},{}",
        found.at.0,
        names.instrument(found.instrument),
        names.venues(found, Side::Buy),
        names.venues(found, Side::Sell),
        shown(qty.0),
        shown(worst(Side::Buy, Price::max).0),
        shown(worst(Side::Sell, Price::min).0),
        found.sums.net(),
    )
}
