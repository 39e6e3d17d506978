//! What a run consists of, checked before any stage exists: the configuration joined with the
//! venues' rules and addresses.

use crate::config::{Config, RateConfig, TopSource, VenueConfig};
use crate::detect::{
    Bases, BookSlot, Contracts, Detector, Market, MergeError, RateBook, RatePlan, Rates, Terms, Watch,
    Watched,
};
use crate::types::{
    Asset, Contract, ContractKind, Endpoint, FeeRate, InstrumentId, InstrumentSpec, Nanos, Qty, Symbol,
    VenueId,
};
use crate::venue::{SimProfile, Venue};

/// Where a venue's parts are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// Market data.
    pub stream: Endpoint,
    /// Snapshots, metadata and REST requests.
    pub rest: Endpoint,
    /// Orders over WebSocket.
    pub orders: Endpoint,
    /// The private stream.
    pub private: Endpoint,
}

impl Endpoints {
    /// Those of a simulated venue: all parts at one address, told apart by their paths.
    pub fn simulated(host: &str, port: u16, profile: &SimProfile) -> Endpoints {
        let at = |websocket, path: &str| Endpoint {
            tls: false,
            websocket,
            host: host.to_owned(),
            port,
            target: path.to_owned(),
        };
        Endpoints {
            stream: at(true, profile.stream_path),
            rest: at(false, "/"),
            orders: at(true, profile.orders_path),
            private: at(true, profile.private_path),
        }
    }
}

/// A venue of the run, with its rules for what it trades.
#[derive(Clone)]
pub struct PlannedVenue {
    /// Its number.
    pub id: VenueId,
    /// How its parts are made.
    pub row: &'static Venue,
    /// What the configuration says of it.
    pub config: VenueConfig,
    /// Where its parts are.
    pub endpoints: Endpoints,
    /// Its instruments: the feed's `BookId(i)` is the i-th.
    pub instruments: Vec<PlannedBook>,
}

/// An instrument on a venue.
#[derive(Clone)]
pub struct PlannedBook {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The venue's rules.
    pub spec: InstrumentSpec,
    /// The book's number at the detector.
    pub slot: BookSlot,
}

/// A run.
#[derive(Clone)]
pub struct Plan {
    /// The configuration.
    pub config: Config,
    /// The venues; `VenueId(i)` is `venues[i]`.
    pub venues: Vec<PlannedVenue>,
    /// How many books there are; their slots are `0..books`.
    pub books: u16,
    /// The rates between the assets that prices are in; `None` where each instrument has one of its own.
    pub rates: Option<RatePlan>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The registry has no such venue.
    #[error("venue.{0}: no such venue")]
    UnknownVenue(String),
    /// The venue's metadata has no such symbol.
    #[error("instrument.{instrument}: {venue} lists no symbol `{symbol}`")]
    UnknownSymbol {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
        /// The symbol of the configuration.
        symbol: Symbol,
    },
    /// The venue does not take orders for it.
    #[error("instrument.{instrument}: {venue} does not trade `{symbol}` now")]
    NotOpen {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
        /// The symbol of the configuration.
        symbol: Symbol,
    },
    /// The venue's rules do not fit the instrument's scale.
    #[error("instrument.{instrument}: scale {scale} cannot hold the tick, lot or minimum of {venue}")]
    Scale {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
        /// The configured scale.
        scale: u8,
    },
    /// Prices on the venue are in another asset than the instrument's, and there is no `[quote]`: they
    /// are not comparable.
    #[error(
        "instrument.{instrument}: {venue} prices `{symbol}` in {quote}, and the instrument is priced in {wanted}: \
         without [quote] there is no rate between them"
    )]
    Quote {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
        /// The symbol of the configuration.
        symbol: Symbol,
        /// What the venue says.
        quote: Asset,
        /// What the instrument's name says.
        wanted: Asset,
    },
    /// No rate book leads from an asset that prices are in to the common one.
    #[error(
        "quote.rates: no books lead from {quote}, which instrument.{instrument} has prices in, to {common}"
    )]
    NoRate {
        /// The instrument.
        instrument: String,
        /// What its prices are in, somewhere.
        quote: Asset,
        /// What limits and totals are in.
        common: Asset,
    },
    /// A rate's book is on a venue that this run does not have.
    #[error("quote.rates.{0}: its venue does not list it in this run")]
    NoRateBook(String),
    /// What is traded on two venues cannot be compared.
    #[error("instrument.{instrument}: {error}")]
    Pair {
        /// The instrument.
        instrument: String,
        /// Why.
        error: MergeError,
    },
}

impl Plan {
    /// Joins the configuration with what the venues told: `endpoints[i]` and `metadata[i]` belong
    /// to `config.venues[i]`.
    ///
    /// # Errors
    /// [`PlanError`], which names the key of the configuration.
    pub fn new(
        config: &Config,
        endpoints: &[Endpoints],
        metadata: &[Vec<InstrumentSpec>],
    ) -> Result<Plan, PlanError> {
        let mut venues = Vec::new();
        let mut books = 0;
        let told = endpoints.iter().zip(metadata);
        for ((index, venue), (endpoints, specs)) in config.venues.iter().enumerate().zip(told) {
            let id = VenueId(index as u8);
            let row =
                crate::venue::find(&venue.id).ok_or_else(|| PlanError::UnknownVenue(venue.id.clone()))?;
            let mut instruments = Vec::new();
            for (number, instrument) in config.instruments.iter().enumerate() {
                for listing in instrument.listings.iter().filter(|listing| listing.venue == id) {
                    let name = instrument.name.to_string();
                    let found = specs.iter().find(|spec| spec.symbol == listing.symbol);
                    let (venue, symbol) = (venue.id.clone(), listing.symbol);
                    let Some(spec) = found else {
                        return Err(PlanError::UnknownSymbol { instrument: name, venue, symbol });
                    };
                    if !spec.open {
                        return Err(PlanError::NotOpen { instrument: name, venue, symbol });
                    }
                    if spec.quote != instrument.quote && config.quote.is_none() {
                        let (quote, wanted) = (spec.quote, instrument.quote);
                        return Err(PlanError::Quote { instrument: name, venue, symbol, quote, wanted });
                    }
                    let scale = instrument.scale;
                    let Some(spec) = spec.rescaled(scale) else {
                        return Err(PlanError::Scale { instrument: name, venue, scale: scale.digits() });
                    };
                    let instrument = InstrumentId(number as u16);
                    instruments.push(PlannedBook { instrument, spec, slot: BookSlot(books) });
                    books += 1;
                }
            }
            let (config, endpoints) = (venue.clone(), endpoints.clone());
            venues.push(PlannedVenue { id, row, config, endpoints, instruments });
        }
        let plan = Plan { config: config.clone(), venues, books, rates: None };
        let rates = plan.find_rates()?;
        for watch in plan.watches() {
            let instrument = config.instruments[usize::from(watch.instrument.0)].name.to_string();
            let quotes = watch.books.iter().map(|book| book.quote);
            if let Some(plan) = &rates
                && let rates = Rates::new(plan)
                && let Some(quote) =
                    quotes.into_iter().find(|quote| rates.needs(*quote, plan.common).is_none())
            {
                return Err(PlanError::NoRate { instrument, quote, common: plan.common });
            }
            Detector::across(std::slice::from_ref(&watch), rates.as_ref())
                .map_err(|error| PlanError::Pair { instrument, error })?;
        }
        Ok(Plan { rates, ..plan })
    }

    /// The rate books of the configuration.
    fn find_rates(&self) -> Result<Option<RatePlan>, PlanError> {
        let Some(quote) = &self.config.quote else { return Ok(None) };
        let book = |rate: &RateConfig| {
            let venue = self.venues.iter().find(|venue| venue.id == rate.venue);
            let book = venue.and_then(|venue| {
                venue.instruments.iter().find(|book| {
                    let config = self.config.instruments.get(usize::from(book.instrument.0));
                    config.is_some_and(|config| config.name == rate.instrument)
                })
            });
            let book = book.ok_or_else(|| PlanError::NoRateBook(rate.instrument.to_string()))?;
            Ok(RateBook {
                base: book.spec.base,
                quote: book.spec.quote,
                scale: book.spec.scale,
                haircut: rate.haircut,
                max_age: rate.max_age,
                slot: book.slot,
                venue: rate.venue,
                instrument: book.instrument,
            })
        };
        let books = quote.rates.iter().map(book).collect::<Result<_, _>>()?;
        Ok(Some(RatePlan { common: quote.common, books }))
    }

    /// The books of an instrument, each with its venue.
    pub fn books_of(&self, instrument: InstrumentId) -> impl Iterator<Item = (&PlannedVenue, &PlannedBook)> {
        self.venues.iter().flat_map(move |venue| {
            let own = venue.instruments.iter().filter(move |book| book.instrument == instrument);
            own.map(move |book| (venue, book))
        })
    }

    /// The bases that edges are measured against; `None` where they are taken outright.
    pub fn bases(&self) -> Option<Bases> {
        let detect = &self.config.detect;
        let half_life = detect.basis_half_life;
        (half_life > Nanos::ZERO).then(|| Bases::new(&self.watches(), half_life, detect.min_edge))
    }

    /// A detector of all that is planned.
    ///
    /// # Errors
    /// [`MergeError`] for terms that cannot be worked with.
    pub fn detector(&self, watches: &[Watch]) -> Result<Detector, MergeError> {
        let mut detector = Detector::across(watches, self.rates.as_ref())?;
        let books = self.venues.iter().flat_map(|venue| &venue.instruments);
        for book in books.filter(|book| is_inverse(book)) {
            let InstrumentSpec { contract, lot, min_qty, scale, .. } = book.spec;
            let contracts = Contracts { face: contract.multiplier, lot, min_qty, scale };
            detector.count_contracts(book.slot, contracts);
        }
        Ok(detector)
    }

    /// What the detector looks at.
    pub fn watches(&self) -> Vec<Watch> {
        let detect = &self.config.detect;
        let instruments = self.config.instruments.iter().enumerate();
        instruments
            .map(|(number, config)| {
                let instrument = InstrumentId(number as u16);
                // Inverse contracts are looked at in the base asset, which the others count anyhow.
                let contracts = || self.books_of(instrument).map(|(_, book)| book);
                let linear = contracts().find(|book| !is_inverse(book)).or_else(|| contracts().next());
                let contract = linear.map(|book| book.spec.contract);
                let rules = |book: &PlannedBook| match is_inverse(book) {
                    true => (Qty(1), Qty::ZERO),
                    false => (book.spec.lot, book.spec.min_qty),
                };
                let books = self.books_of(instrument).map(|(venue, book)| Watched {
                    slot: book.slot,
                    market: Market {
                        venue: venue.id,
                        taker_fee: venue.config.taker,
                        lot: rules(book).0,
                        min_qty: rules(book).1,
                        min_notional: book.spec.min_notional,
                    },
                    quote: book.spec.quote,
                    max_age: venue.config.max_age,
                });
                Watch {
                    instrument,
                    terms: Terms {
                        scale: config.scale,
                        contract: contract.unwrap_or(Contract::spot(config.quote, config.scale)),
                        min_edge: detect.min_edge,
                        max_notional: detect.max_notional,
                        haircut: FeeRate(detect.haircut),
                    },
                    books: books.collect(),
                    // Pairs have a basis each, and contracts are counted by pair.
                    merge: detect.merge
                        && detect.basis_half_life == Nanos::ZERO
                        && !contracts().any(is_inverse),
                }
            })
            .collect()
    }
}

fn is_inverse(book: &PlannedBook) -> bool {
    book.spec.contract.kind == ContractKind::Inverse
}

impl PlannedVenue {
    /// Whether the ticker stream has a say in the top, and whether it is all there is.
    pub fn top(&self) -> (bool, bool) {
        match self.config.top {
            TopSource::Depth => (false, false),
            TopSource::Overlay => (true, false),
            TopSource::Ticker => (true, true),
        }
    }
}
