//! TOML to a checked configuration; a refusal names file, key, value and what was expected.
//!
//! - Unknown keys are refused anywhere, and so are secrets: a key is named by the prefix of the
//!   environment variables that hold it.
//! - Decimals are taken from their text, in strings or as TOML numbers; none passes through a float.
//! - A venue id has a dot, so its table may be written `[venue."x.spot"]` or `[venue.x.spot]`.
//! - `--set a.b=c` replaces or adds one key before anything is checked.

mod delay;
mod error;
mod node;
mod parts;
mod quote;
mod read;
mod section;

pub use delay::DelayConfig;
pub use error::ConfigError;
pub use parts::{
    Delays, DetectConfig, ExecConfig, HedgePolicy, InstrumentConfig, LatencyConfig, Listing, Mode,
    QuoteConfig, RateConfig, RiskConfig, Roles, Rules, Run, SimConfig, TopSource, VenueConfig, Waiting,
};

use node::{Node, Table, Value};
use section::Section;

use crate::types::{Asset, Environment, InstrumentId, Money, VenueId};

/// The configuration that is compiled in: simulated venues, no keys, no network.
pub const DEMO: &str = include_str!("../../configs/demo.toml");

/// The name under which [`DEMO`] is spoken of in errors.
pub const DEMO_NAME: &str = "configs/demo.toml (compiled in)";

/// Everything a run needs to know, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Mode, seed, length, directories.
    pub run: Run,
    /// The venues; `VenueId(i)` is `venues[i]`. Sorted by name.
    pub venues: Vec<VenueConfig>,
    /// The instruments; `InstrumentId(i)` is `instruments[i]`. Sorted by name.
    pub instruments: Vec<InstrumentConfig>,
    /// How prices in several assets compare; without it each instrument has prices in one.
    pub quote: Option<QuoteConfig>,
    /// What is worth taking.
    pub detect: DetectConfig,
    /// What may be sent.
    pub risk: RiskConfig,
    /// How it is sent, and what follows.
    pub exec: ExecConfig,
    /// Cores and waiting.
    pub roles: Roles,
    /// Simulated exchanges and their market.
    pub sim: SimConfig,
    /// Stamps and reports.
    pub latency: LatencyConfig,
}

impl Config {
    /// Checks a configuration. `file` is what errors call it; `overrides` are the right sides of
    /// `--set`, `a.b=c` each.
    ///
    /// # Errors
    /// The first thing found wrong; see [`ConfigError`].
    pub fn parse(file: &str, text: &str, overrides: &[String]) -> Result<Config, ConfigError> {
        parse_with(file, text, overrides, &|id| crate::venue::find(id).is_some())
    }

    /// The compiled-in demo with overrides.
    ///
    /// # Errors
    /// As [`Config::parse`]: an override may be wrong.
    pub fn demo(overrides: &[String]) -> Result<Config, ConfigError> {
        Config::parse(DEMO_NAME, DEMO, overrides)
    }

    /// The same on these of its venues alone.
    ///
    /// # Errors
    /// As [`Config::parse`] and [`Config::keep_venues`].
    pub fn demo_on(venues: &[&str], overrides: &[String]) -> Result<Config, ConfigError> {
        let mut config = Config::demo(overrides)?;
        config.keep_venues(venues)?;
        Ok(config)
    }

    /// What all venues of this run are: one environment a run.
    pub fn environment(&self) -> Environment {
        self.venues.first().map_or(Environment::Sim, |venue| venue.environment)
    }

    /// A venue's number by its name.
    pub fn venue_id(&self, id: &str) -> Option<VenueId> {
        let at = self.venues.iter().position(|venue| venue.id == id)?;
        u8::try_from(at).ok().map(VenueId)
    }

    /// The venue of that number.
    pub fn venue(&self, id: VenueId) -> Option<&VenueConfig> {
        self.venues.get(usize::from(id.0))
    }

    /// What a venue trades: the engine's number, the instrument, and its listing there.
    pub fn listings(
        &self,
        venue: VenueId,
    ) -> impl Iterator<Item = (InstrumentId, &InstrumentConfig, &Listing)> {
        self.instruments.iter().enumerate().flat_map(move |(at, instrument)| {
            let id = InstrumentId(u16::try_from(at).unwrap_or(u16::MAX));
            let here = instrument.listings.iter().filter(move |listing| listing.venue == venue);
            here.map(move |listing| (id, instrument, listing))
        })
    }

    /// What a simulated account starts with of an asset.
    pub fn start_balance(&self, asset: Asset) -> Money {
        self.sim.balances.iter().find(|(name, _)| *name == asset).map_or(Money::ZERO, |(_, amount)| *amount)
    }

    /// Puts these venues behind the others, and behind the other instruments those that trade nowhere
    /// else. Which venue is where now, by their old numbers.
    pub fn put_last(&mut self, last: impl Fn(&VenueConfig) -> bool) -> Vec<usize> {
        let (behind, mut order): (Vec<_>, Vec<_>) =
            (0..self.venues.len()).partition(|at| self.venues.get(*at).is_some_and(&last));
        let first_behind = order.len();
        order.extend(behind);
        let place = |old: VenueId| {
            let new = order.iter().position(|own| *own == usize::from(old.0));
            new.and_then(|new| u8::try_from(new).ok()).map_or(old, VenueId)
        };
        for instrument in &mut self.instruments {
            instrument.listings.iter_mut().for_each(|listing| listing.venue = place(listing.venue));
        }
        for rate in self.quote.iter_mut().flat_map(|quote| &mut quote.rates) {
            rate.venue = place(rate.venue);
        }
        self.venues = order.iter().filter_map(|old| self.venues.get(*old).cloned()).collect();
        self.latency.venues = order.iter().filter_map(|old| self.latency.venues.get(*old).cloned()).collect();
        self.instruments.sort_by_key(|instrument| {
            instrument.listings.iter().all(|listing| usize::from(listing.venue.0) >= first_behind)
        });
        order
    }

    /// Keeps only these venues (and what still trades somewhere), for `--venues`.
    ///
    /// # Errors
    /// The first name that the configuration does not have.
    pub fn keep_venues(&mut self, ids: &[&str]) -> Result<(), ConfigError> {
        if let Some(unknown) = ids.iter().find(|id| self.venue_id(id).is_none()) {
            let names: Vec<_> = self.venues.iter().map(|venue| venue.id.as_str()).collect();
            return Err(ConfigError {
                file: "--venues".to_owned(),
                line: None,
                key: "venues".to_owned(),
                value: format!("{unknown:?}"),
                expected: format!("some of {}", names.join(", ")),
            });
        }
        let kept: Vec<bool> = self.venues.iter().map(|venue| ids.contains(&venue.id.as_str())).collect();
        let renumbered = |old: VenueId| {
            let old = usize::from(old.0);
            let new = kept.iter().take(old).filter(|kept| **kept).count();
            kept.get(old).copied().unwrap_or(false).then(|| VenueId(u8::try_from(new).unwrap_or(u8::MAX)))
        };
        for instrument in &mut self.instruments {
            instrument.listings = std::mem::take(&mut instrument.listings)
                .into_iter()
                .filter_map(|listing| Some(Listing { venue: renumbered(listing.venue)?, ..listing }))
                .collect();
        }
        self.instruments.retain(|instrument| !instrument.listings.is_empty());
        if let Some(quote) = &mut self.quote {
            let rates = std::mem::take(&mut quote.rates).into_iter();
            quote.rates = rates
                .filter_map(|rate| Some(RateConfig { venue: renumbered(rate.venue)?, ..rate }))
                .collect();
        }
        self.venues.retain(|venue| ids.contains(&venue.id.as_str()));
        let mut kept = kept.iter();
        self.latency.venues.retain(|_| kept.next().copied().unwrap_or(false));
        Ok(())
    }
}

fn parse_with(
    file: &str,
    text: &str,
    overrides: &[String],
    known: &dyn Fn(&str) -> bool,
) -> Result<Config, ConfigError> {
    let mut table = node::parse(file, text)?;
    join_ids(&mut table);
    for text in overrides {
        set(&mut table, text)?;
    }
    join_ids(&mut table);
    let root = Node { line: None, value: Value::Table(table) };
    let mut outcome = Section::new(file, "", Some(&root)).and_then(|section| read::config(section, known));
    if let Err(error) = &mut outcome {
        // A value without a line that somebody set on the command line came from there.
        let from_there = |text: &String| {
            text.split('=').next().is_some_and(|key| key.replace('"', "").trim() == error.key)
        };
        if error.line.is_none() && overrides.iter().any(from_there) {
            error.file = "--set".to_owned();
        }
    }
    outcome
}

/// `[venue.x.spot]` reads as a table `spot` within a table `x`: joins them to `x.spot`, under
/// `venue` and under an instrument's `symbols` and `rules`.
fn join_ids(root: &mut Table) {
    if let Some(Value::Table(venues)) = root.get_mut("venue").map(|node| &mut node.value) {
        join(venues, |inner| matches!(inner, Value::Table(_)));
    }
    let latency = root.get_mut("latency").map(|node| &mut node.value);
    if let Some(Value::Table(latency)) = latency
        && let Some(Value::Table(venues)) = latency.get_mut("venue").map(|node| &mut node.value)
    {
        join(venues, |inner| matches!(inner, Value::Table(_)));
    }
    if let Some(Value::Table(instruments)) = root.get_mut("instrument").map(|node| &mut node.value) {
        for instrument in instruments.values_mut() {
            let Value::Table(instrument) = &mut instrument.value else { continue };
            for key in ["symbols", "rules"] {
                let table = instrument.get_mut(key).map(|node| &mut node.value);
                if let Some(Value::Table(table)) = table {
                    join(table, |inner| matches!(inner, Value::Table(_)) || key == "symbols");
                }
            }
        }
    }
}

/// Moves `a = { b = X }` to `"a.b" = X` for every `a` without a dot that holds such `X` only.
fn join(table: &mut Table, is_leaf: impl Fn(&Value) -> bool) {
    let halves: Vec<String> = table
        .iter()
        .filter(|(key, node)| {
            let inner = match &node.value {
                Value::Table(inner) => inner,
                _ => return false,
            };
            !key.contains('.') && !inner.is_empty() && inner.values().all(|node| is_leaf(&node.value))
        })
        .map(|(key, _)| key.clone())
        .collect();
    for half in halves {
        if let Some(Node { value: Value::Table(inner), .. }) = table.remove(&half) {
            for (rest, node) in inner {
                table.insert(format!("{half}.{rest}"), node);
            }
        }
    }
}

/// Applies one `a.b=c`. Where keys hold dots (`venue.x.spot.taker_bps`), the longest key that the
/// table has wins.
fn set(root: &mut Table, text: &str) -> Result<(), ConfigError> {
    let refusal = |expected: &str| ConfigError {
        file: "--set".to_owned(),
        line: None,
        key: text.split('=').next().unwrap_or_default().to_owned(),
        value: String::new(),
        expected: expected.to_owned(),
    };
    let (path, value) = text.split_once('=').ok_or_else(|| refusal("a.b=value"))?;
    let path = path.replace('"', "");
    let parts: Vec<&str> = path.split('.').map(str::trim).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(refusal("a key such as detect.min_edge_bps, an equals sign and a value"));
    }
    let mut table = root;
    let mut at = 0;
    loop {
        let rest = &parts[at..];
        let known = (1..=rest.len()).rev().find(|n| table.contains_key(&rest[..*n].join(".")));
        let taken = known.unwrap_or(1);
        let key = rest[..taken].join(".");
        at += taken;
        if at == parts.len() {
            table.insert(key, node::parse_value(value.trim()));
            return Ok(());
        }
        let empty = || Node { line: None, value: Value::Table(Table::new()) };
        match &mut table.entry(key).or_insert_with(empty).value {
            Value::Table(inner) => table = inner,
            _ => return Err(refusal("a key below a table, not below a value")),
        }
    }
}

#[cfg(test)]
mod tests;
