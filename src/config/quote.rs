//! `[quote]`: how prices in several assets compare.

use super::ConfigError;
use super::parts::{InstrumentConfig, QuoteConfig, RateConfig, VenueConfig};
use super::read::asset;
use super::section::Section;
use crate::types::{Asset, ContractKind, Nanos};

/// The most rate books: the detector keeps sets of them in a word.
const RATES_MAX: usize = 16;

/// An asset by its name.
pub(super) fn asset_of(s: &Section<'_>, key: &'static str) -> Result<Option<Asset>, ConfigError> {
    let Some(name) = s.text(key)? else { return Ok(None) };
    let refuse = || s.refuse_key(key, "the name of an asset in capitals, such as \"USDT\"");
    asset(name).ok_or_else(refuse).map(Some)
}

pub(super) fn read(
    s: Section<'_>,
    instruments: &[InstrumentConfig],
    venues: &[VenueConfig],
) -> Result<Option<QuoteConfig>, ConfigError> {
    if !s.is_there() {
        return Ok(None);
    }
    let common = asset_of(&s, "common")?;
    let common = common.ok_or_else(|| s.missing("common", "the asset that limits and totals are in"))?;
    let mut rates = Vec::new();
    for (name, section) in s.named("rates")? {
        let known = instruments.iter().find(|instrument| instrument.name.as_str() == name);
        let Some(instrument) = known.filter(|instrument| instrument.kind == ContractKind::Spot) else {
            let expected = "a spot instrument that the file has, such as USDT-USD";
            let mut error = s.refuse_key("rates", expected);
            (error.key, error.value) = (format!("quote.rates.{name}"), format!("{name:?}"));
            return Err(error);
        };
        rates.push(rate(section, instrument, venues)?);
    }
    if rates.len() > RATES_MAX {
        return Err(s.refuse_key("rates", &format!("at most {RATES_MAX} tables")));
    }
    s.finish()?;
    Ok(Some(QuoteConfig { common, rates }))
}

fn rate(
    s: Section<'_>,
    instrument: &InstrumentConfig,
    venues: &[VenueConfig],
) -> Result<RateConfig, ConfigError> {
    let listed: Vec<_> = instrument.listings.iter().map(|listing| listing.venue).collect();
    let named = s.text("venue")?;
    let id = |at: usize| venues.get(at).map_or("", |venue| venue.id.as_str());
    let names: Vec<_> = listed.iter().map(|venue| id(usize::from(venue.0))).collect();
    let one_of = format!("one of the venues that {} is listed on: {}", instrument.name, names.join(", "));
    let venue = match (named, listed.as_slice()) {
        (None, [only]) => *only,
        (None, _) => return Err(s.missing("venue", &one_of)),
        (Some(name), _) => {
            let at = names.iter().position(|own| *own == name);
            at.map(|at| listed[at]).ok_or_else(|| s.refuse_key("venue", &one_of))?
        }
    };
    let haircut = s.part("haircut_bps")?.ok_or_else(|| {
        s.missing("haircut_bps", "what a conversion may cost beyond the touch, in basis points (0 to 1000)")
    })?;
    let max_age = s.int("max_age_ms", 1..=3_600_000, 2_000)?;
    s.finish()?;
    let max_age = Nanos::from_millis(i64::try_from(max_age).unwrap_or(i64::MAX));
    Ok(RateConfig { instrument: instrument.name, venue, haircut, max_age })
}
