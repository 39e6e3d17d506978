//! `xarb instruments`: the venues' rules for what a configuration trades, as the engine loads them.

use serde_json::{Value, json};

use super::run::{load_metadata, public_endpoints};
use super::{ConfigArgs, Exit, Failure, out};
use crate::config::{Config, InstrumentConfig, VenueConfig};
use crate::engine::{Endpoints, PlanError};
use crate::host::{Dialer, HostClock, ListenConfig, TlsRoots, serve};
use crate::sim::setup::simulate;
use crate::telemetry::Table;
use crate::types::{Clock, ContractKind, Dial, Environment, FeeRate, Fixed, InstrumentSpec, Scale};

const AFTER_HELP: &str = "\
Without -c the demo's simulated exchanges are asked, over loopback sockets; with -c FILE the venues of
the file are, at their public REST endpoints. No key is needed and no order is sent. Fees are those of
the configuration, which the engine counts with.

With --json:
  {\"venues\": [{\"venue\", \"environment\", \"rest\", \"listed\"}],
   \"instruments\": [{\"instrument\", \"venue\", \"symbol\", \"base\", \"quote\", \"contract\", \"multiplier\",
     \"settle\", \"scale\", \"tick\", \"lot\", \"min_qty\", \"max_qty\", \"min_notional\", \"price_digits\",
     \"qty_digits\", \"open\", \"taker_bps\", \"maker_bps\"}]}
Decimals are strings; `max_qty` is null where the venue tells none; `contract` is spot, linear or
inverse, and `multiplier` base units (inverse: quote units) a contract; `listed` counts all that the
venue lists.

Examples:
  xarb instruments
  xarb instruments --json --set detect.max_notional=500
  xarb instruments -c configs/paper.toml";

/// Show ticks, lots, minimums, contracts and fees as the engine sees them
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Only this venue of the configuration, for example binance.spot
    #[arg(long, value_name = "V")]
    pub venue: Option<String>,
    /// Configuration
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, as_json: bool) -> Result<Exit, Failure> {
    let mut config = args.config.load()?;
    if let Some(wanted) = &args.venue {
        if !config.venues.iter().any(|venue| venue.id == *wanted) {
            let known: Vec<_> = config.venues.iter().map(|venue| venue.id.as_str()).collect();
            let known = known.join(", ");
            return Err(Failure::usage(format!("--venue: `{wanted}`: expected one of {known}")));
        }
        config.keep_venues(&[wanted])?;
    }
    let (endpoints, told) = ask(&config)?;
    let rows = rows(&config, &told)?;
    if as_json {
        let venues = config.venues.iter().zip(&endpoints).zip(&told);
        let venues: Vec<_> = venues
            .map(|((venue, endpoints), told)| {
                json!({
                    "venue": venue.id, "environment": environment(venue.environment),
                    "rest": endpoints.rest.to_string(), "listed": told.len(),
                })
            })
            .collect();
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        out::json(&json!({ "venues": venues, "instruments": rows }));
    } else {
        out::line(table(&rows).to_string().trim_end());
    }
    Ok(Exit::Done)
}

/// Every venue's own list: of simulated ones, that are served for as long as it takes, or of those
/// that the configuration points to.
fn ask(config: &Config) -> Result<(Vec<Endpoints>, Vec<Vec<InstrumentSpec>>), Failure> {
    let clock = HostClock::new();
    let rows = super::demo::rows(config)?;
    let roots = TlsRoots::new(&[]).map_err(|error| Failure::failed(error.to_string()))?;
    let dialer = Dialer::new(roots, clock.clone());
    let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
    if config.environment() != Environment::Sim {
        let venues = config.venues.iter().zip(&rows);
        let endpoints =
            venues.map(|(venue, row)| public_endpoints(venue, row)).collect::<Result<Vec<_>, _>>()?;
        let told = load_metadata(&rows, &endpoints, &mut dial, &clock)?;
        return Ok((endpoints, told));
    }
    let (sim, _) = simulate(config, clock.now()).map_err(|error| Failure::usage(error.to_string()))?;
    let served = serve(sim, ListenConfig::default(), clock.clone())
        .map_err(|error| Failure::failed(format!("cannot listen on loopback: {error}")))?;
    let parts = served.addresses().iter().zip(&rows);
    let endpoints: Vec<_> = parts
        .map(|(address, row)| Endpoints::simulated(&address.ip().to_string(), address.port(), &row.sim))
        .collect();
    let told = load_metadata(&rows, &endpoints, &mut dial, &clock)?;
    Ok((endpoints, told))
}

/// An instrument on a venue.
struct Row<'a> {
    instrument: &'a InstrumentConfig,
    venue: &'a VenueConfig,
    spec: InstrumentSpec,
}

/// What the configuration trades, with the venues' rules in the instrument's scale, as the plan of a
/// run joins them. What is closed now is shown: a run would refuse it.
fn rows<'a>(config: &'a Config, told: &[Vec<InstrumentSpec>]) -> Result<Vec<Row<'a>>, Failure> {
    let mut rows = Vec::new();
    for instrument in &config.instruments {
        for listing in &instrument.listings {
            let at = usize::from(listing.venue.0);
            let (Some(venue), Some(told)) = (config.venues.get(at), told.get(at)) else { continue };
            let name = || instrument.name.to_string();
            let found = told.iter().find(|spec| spec.symbol == listing.symbol).ok_or_else(|| {
                let (venue, symbol) = (venue.id.clone(), listing.symbol);
                PlanError::UnknownSymbol { instrument: name(), venue, symbol }
            });
            let spec = found.and_then(|spec| {
                let (venue, scale) = (venue.id.clone(), instrument.scale.digits());
                let scaled = spec.rescaled(instrument.scale);
                scaled.ok_or_else(|| PlanError::Scale { instrument: name(), venue, scale })
            });
            let spec = spec.map_err(|error| Failure::usage(error.to_string()))?;
            rows.push(Row { instrument, venue, spec });
        }
    }
    Ok(rows)
}

impl Row<'_> {
    fn shown(&self, value: i64) -> String {
        Fixed(value, self.spec.scale).to_string()
    }

    /// `None` = no limit known.
    fn max_qty(&self) -> Option<String> {
        let most = self.spec.max_qty.0;
        (most > 0).then(|| self.shown(most))
    }

    fn json(&self) -> Value {
        let spec = &self.spec;
        json!({
            "instrument": self.instrument.name.to_string(),
            "venue": self.venue.id,
            "symbol": spec.symbol.to_string(),
            "base": spec.base.to_string(),
            "quote": spec.quote.to_string(),
            "contract": kind(spec.contract.kind),
            "multiplier": self.shown(spec.contract.multiplier),
            "settle": spec.contract.settle.to_string(),
            "scale": spec.scale.digits(),
            "tick": self.shown(spec.tick.0),
            "lot": self.shown(spec.lot.0),
            "min_qty": self.shown(spec.min_qty.0),
            "max_qty": self.max_qty(),
            "min_notional": spec.min_notional.to_string(),
            "price_digits": spec.price_digits,
            "qty_digits": spec.qty_digits,
            "open": spec.open,
            "taker_bps": bps(self.venue.taker),
            "maker_bps": bps(self.venue.maker),
        })
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new(&[
        "instrument",
        "venue",
        "symbol",
        "contract",
        "settle",
        "tick",
        "lot",
        "min qty",
        "max qty",
        "min value",
        "taker bps",
        "maker bps",
        "open",
    ]);
    for row in rows {
        let spec = &row.spec;
        let contract = match spec.contract.kind {
            ContractKind::Spot => "spot".to_owned(),
            other => format!("{} x {}", kind(other), row.shown(spec.contract.multiplier)),
        };
        table.row([
            row.instrument.name.to_string(),
            row.venue.id.clone(),
            spec.symbol.to_string(),
            contract,
            spec.contract.settle.to_string(),
            row.shown(spec.tick.0),
            row.shown(spec.lot.0),
            row.shown(spec.min_qty.0),
            row.max_qty().unwrap_or_else(|| "-".to_owned()),
            spec.min_notional.to_string(),
            bps(row.venue.taker),
            bps(row.venue.maker),
            if spec.open { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

fn kind(kind: ContractKind) -> &'static str {
    match kind {
        ContractKind::Spot => "spot",
        ContractKind::Linear => "linear",
        ContractKind::Inverse => "inverse",
    }
}

fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Sim => "sim",
        Environment::Paper => "paper",
        Environment::Sandbox => "sandbox",
        Environment::Live => "live",
    }
}

/// A share in units of 1e-8 has four decimals in basis points.
fn bps(rate: FeeRate) -> String {
    Fixed(rate.0, Scale::new(4).unwrap_or_default()).to_string()
}
