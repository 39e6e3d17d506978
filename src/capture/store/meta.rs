//! What a container says beside its messages: version, venues, instruments, what was lost.

use std::collections::BTreeMap;

use crate::types::{
    Asset, Contract, ContractKind, FeeRate, Fixed, InstrumentSpec, Money, Nanos, Price, Qty, Scale, Symbol,
    Text, parse,
};
use crate::venue::Encoding;

/// The metadata of a container, as far as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreMeta {
    /// The version of xarb that wrote it.
    pub version: String,
    /// `record`, `demo`, `paper` or `import`.
    pub source: String,
    /// Venues, by their names.
    pub venues: Vec<(String, VenueMeta)>,
    /// Rules of instruments, each with its venue's name.
    pub instruments: Vec<(String, InstrumentSpec)>,
    /// Messages that the recorder lost.
    pub dropped: u64,
    /// The digest of the journal of a run that one thread stepped, in hex: whoever runs it again must
    /// come to the same. Empty for other recordings, and until the run is over.
    pub journal: String,
}

/// What a container says of a venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VenueMeta {
    /// The taker fee of the recorder's configuration.
    pub taker: Option<FeeRate>,
    /// The venue's clock minus the recorder's.
    pub clock_offset: Option<Nanos>,
    /// How its market data is written.
    pub encoding: Encoding,
}

type Words = BTreeMap<String, String>;

fn words<const N: usize>(pairs: [(&str, String); N]) -> Words {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Fee rates and shares are in units of this.
const SHARE: Scale = Scale::DEFAULT;

impl StoreMeta {
    /// The records to write, by name; what was dropped is left out when it is nothing.
    pub(super) fn records(&self) -> Vec<(&'static str, Words)> {
        let head = words([("version", self.version.clone()), ("source", self.source.clone())]);
        let mut records = vec![("xarb", head)];
        for (venue, meta) in &self.venues {
            let mut words = words([("venue", venue.clone())]);
            if let Some(taker) = meta.taker {
                words.insert("taker_fee".to_owned(), Fixed(taker.0, SHARE).to_string());
            }
            if let Some(offset) = meta.clock_offset {
                words.insert("clock_offset_ns".to_owned(), offset.0.to_string());
            }
            if meta.encoding == Encoding::Sbe {
                words.insert("encoding".to_owned(), "sbe".to_owned());
            }
            records.push(("xarb.venue", words));
        }
        for (venue, spec) in &self.instruments {
            records.push(("xarb.instrument", instrument_words(venue, spec)));
        }
        if self.dropped > 0 {
            records.push(("xarb.integrity", words([("dropped", self.dropped.to_string())])));
        }
        if !self.journal.is_empty() {
            records.push(("xarb.journal", words([("sha256", self.journal.clone())])));
        }
        records
    }

    /// Takes one record in; one of another program is passed over.
    ///
    /// # Errors
    /// What is wrong with one of ours.
    pub(super) fn take(&mut self, name: &str, words: &Words) -> Result<(), String> {
        let word = |key: &str| words.get(key).map(String::as_str);
        let wrong = |key: &str| format!("metadata `{name}`: expected `{key}`, got {:?}", word(key));
        match name {
            "xarb" => {
                self.version = word("version").unwrap_or_default().to_owned();
                self.source = word("source").unwrap_or_default().to_owned();
            }
            "xarb.venue" => {
                let venue = word("venue").ok_or_else(|| wrong("venue"))?.to_owned();
                let taker = word("taker_fee").map(|text| parse(text.as_bytes(), SHARE));
                let taker = taker.transpose().map_err(|_| wrong("taker_fee"))?.map(FeeRate);
                let offset = word("clock_offset_ns").map(str::parse);
                let clock_offset = offset.transpose().map_err(|_| wrong("clock_offset_ns"))?.map(Nanos);
                let encoding = match word("encoding") {
                    None | Some("json") => Encoding::Json,
                    Some("sbe") => Encoding::Sbe,
                    Some(_) => return Err(wrong("encoding")),
                };
                self.venues.push((venue, VenueMeta { taker, clock_offset, encoding }));
            }
            "xarb.instrument" => {
                let venue = word("venue").ok_or_else(|| wrong("venue"))?.to_owned();
                self.instruments.push((venue, instrument(words).map_err(&wrong)?));
            }
            "xarb.integrity" => {
                let dropped = word("dropped").and_then(|text| text.parse().ok());
                self.dropped = dropped.ok_or_else(|| wrong("dropped"))?;
            }
            "xarb.journal" => {
                self.journal = word("sha256").ok_or_else(|| wrong("sha256"))?.to_owned();
            }
            _ => {}
        }
        Ok(())
    }
}

const CONTRACTS: [(ContractKind, &str); 3] =
    [(ContractKind::Spot, "spot"), (ContractKind::Linear, "linear"), (ContractKind::Inverse, "inverse")];

fn instrument_words(venue: &str, spec: &InstrumentSpec) -> Words {
    let number = |value: i64| Fixed(value, spec.scale).to_string();
    let kind = CONTRACTS.iter().find(|(kind, _)| *kind == spec.contract.kind).map_or("", |kind| kind.1);
    words([
        ("venue", venue.to_owned()),
        ("symbol", spec.symbol.to_string()),
        ("name", spec.name.to_string()),
        ("base", spec.base.to_string()),
        ("quote", spec.quote.to_string()),
        ("scale", spec.scale.digits().to_string()),
        ("tick", number(spec.tick.0)),
        ("lot", number(spec.lot.0)),
        ("min_qty", number(spec.min_qty.0)),
        ("max_qty", number(spec.max_qty.0)),
        ("min_notional", spec.min_notional.to_string()),
        ("price_digits", spec.price_digits.to_string()),
        ("qty_digits", spec.qty_digits.to_string()),
        ("kind", kind.to_owned()),
        ("multiplier", number(spec.contract.multiplier)),
        ("wire_unit", number(spec.contract.wire_unit)),
        ("settle", spec.contract.settle.to_string()),
        ("open", spec.open.to_string()),
    ])
}

/// The key that is missing or wrong, if one is.
fn instrument(words: &Words) -> Result<InstrumentSpec, &'static str> {
    let word = |key: &'static str| words.get(key).map(String::as_str).ok_or(key);
    let asset = |key| Asset::new(word(key)?).ok_or(key);
    let digits = |key| word(key)?.parse::<u8>().map_err(|_| key);
    let scale = Scale::new(digits("scale")?).ok_or("scale")?;
    let number = |key| parse(word(key)?.as_bytes(), scale).map_err(|_| key);
    let kind = word("kind")?;
    let kind = CONTRACTS.iter().find(|(_, name)| *name == kind).map(|kind| kind.0).ok_or("kind")?;
    Ok(InstrumentSpec {
        name: Text::new(word("name")?).ok_or("name")?,
        symbol: Symbol::new(word("symbol")?).ok_or("symbol")?,
        base: asset("base")?,
        quote: asset("quote")?,
        scale,
        tick: Price(number("tick")?),
        lot: Qty(number("lot")?),
        min_qty: Qty(number("min_qty")?),
        max_qty: Qty(number("max_qty")?),
        min_notional: Money::parse(word("min_notional")?).ok_or("min_notional")?,
        price_digits: digits("price_digits")?,
        qty_digits: digits("qty_digits")?,
        contract: Contract {
            kind,
            multiplier: number("multiplier")?,
            wire_unit: number("wire_unit")?,
            settle: asset("settle")?,
        },
        open: word("open")?.parse().map_err(|_| "open")?,
    })
}
