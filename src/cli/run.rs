//! `xarb run`: paper trading against configured endpoints. What it shares with the demo is here too:
//! loading metadata, starting threads, waiting.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::recording::{Background, Recording, Target};
use super::report::Report;
use super::{ConfigArgs, Exit, Failure, out};
use crate::config::{Config, Mode, VenueConfig};
use crate::engine::{Control, Crew, Endpoints, Helm, Identity, MakeDial, MetadataLoader, Plan, Role, Status};
use crate::host::{Dialer, HostClock, Stop, Threads, TlsRoots, cores, pinned, shared};
use crate::types::{Clock, Dial, Endpoint, Environment, InstrumentSpec, Nanos};
use crate::venue::Venue;

const AFTER_HELP: &str = "\
Paper trading reads real public feeds; orders are filled on paper against the books, after a
delay, and nothing but subscriptions and snapshot requests leaves this machine. Ctrl-C ends it
with a report.

Sending orders needs --live, and is refused in this version: the key vault, the reconciliation
with the venues and the recovery after a crash are not there yet.

Examples:
  xarb run -c configs/paper.toml
  xarb run -c configs/paper.toml --seconds 60 --json
  xarb run -c configs/paper.toml --record day.mcap   and every book that was traded on comes
                                                     back with `xarb replay day.mcap`";

/// Paper-trade on the feeds of a configuration
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, mut_arg("config", ConfigArgs::needed))]
pub struct Args {
    /// How long [default: the configuration's; 0 = until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Write every input of every stage to this container
    #[arg(long, value_name = "OUT.mcap")]
    pub record: Option<PathBuf>,
    /// Write over OUT.mcap if it is there
    #[arg(long, requires = "record")]
    pub force: bool,
    /// Send real orders (refused in this version)
    #[arg(long)]
    pub live: bool,
    /// Configuration
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How long paper accounts and feeds may take to be ready, and orders to end.
const READY_WITHIN: Nanos = Nanos::from_secs(20);
const DRAINED_WITHIN: Nanos = Nanos::from_secs(10);

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let mut config = args.config.load()?;
    config.run.seconds = args.seconds.unwrap_or(config.run.seconds);
    let environment = config.environment();
    if args.live || matches!(environment, Environment::Live | Environment::Sandbox) {
        let instead = match environment {
            Environment::Paper => "leave out --live to trade on paper",
            _ => "`xarb run -c configs/paper.toml` trades on paper",
        };
        return Err(Failure::refused(format!(
            "sending orders to a venue is refused in this version: key vault, reconciliation and crash recovery \
             are not there yet; {instead}"
        )));
    }
    if environment == Environment::Sim {
        return Err(Failure::usage(
            "simulated venues live inside `xarb demo`; run needs `environment = \"paper\"`",
        ));
    }
    if config.run.mode == Mode::Stepped {
        return Err(Failure::usage(
            "run.mode: `stepped` is for `xarb demo --stepped`: real feeds do not wait",
        ));
    }
    check_cores(&config)?;
    let record = args.record.as_deref().map(|path| Target::beside_a_run(path, args.force)).transpose()?;
    let clock = HostClock::new();
    let mut rows = Vec::new();
    let mut endpoints = Vec::new();
    for venue in &config.venues {
        let row = crate::venue::find(&venue.id)
            .ok_or_else(|| Failure::usage(format!("venue.{}: no such venue", venue.id)))?;
        endpoints.push(public_endpoints(venue, row)?);
        rows.push(row);
    }
    let roots = TlsRoots::new(&[]).map_err(|error| Failure::failed(error.to_string()))?;
    let dialer = Dialer::new(roots, clock.clone()).with_kernel_stamps(config.latency.kernel_stamps);
    let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
    let metadata = load_metadata(&rows, &endpoints, &mut dial, &clock)?;
    let plan =
        Plan::new(&config, &endpoints, &metadata).map_err(|error| Failure::usage(error.to_string()))?;
    let began = clock.now();
    let identity = Identity {
        run: began.millis() as u32,
        tag_key: [0; 32],
        seed: config.run.seed ^ began.0.unsigned_abs(),
        nonce_from: 0,
        keep_journal: false,
    };
    let (mut crew, helm) = Crew::new(&plan, &[], &identity, &mut dial, &clock)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let recording = Recording::of(record, &plan, "paper", &mut crew)?.map(Recording::spawn).transpose()?;
    stop_on_ctrl_c()?;
    let stop = Stop::new();
    let threads = start(&config, crew.into_roles(), &clock, &stop)?;
    wait_for(&helm, Status::Ready, READY_WITHIN);
    show_progress("paper trading", length(&config), &mut || {});
    helm.tell(Control::Drain);
    wait_for(&helm, Status::Drained, DRAINED_WITHIN);
    stop.stop();
    let mut crew: Crew<HostClock> =
        Crew::from_roles(threads.join()).ok_or_else(|| Failure::failed("a role did not come back"))?;
    let recorded = recording.map(Background::finish).transpose()?;
    let now = clock.now();
    let (run, hops) = crew.report(&plan, now);
    for alert in &run.alerts {
        eprintln!("xarb: {alert}");
    }
    let seconds = (now - began).0.unsigned_abs() / 1_000_000_000;
    let report = Report { seconds, seed: config.run.seed, run, hops: hops.report(), violations: Vec::new() };
    if json {
        out::json(&report.json());
    } else {
        out::line(&report.text());
    }
    let whole = recorded.is_none_or(|recorded| recorded.tell());
    Ok(if whole { Exit::Done } else { Exit::Integrity })
}

/// Where a venue's public side is: the configuration's words, else the venue's own.
///
/// # Errors
/// [`Failure`] names the venue whose endpoint is none.
pub fn public_endpoints(venue: &VenueConfig, row: &Venue) -> Result<Endpoints, Failure> {
    let known = |url: &str| {
        Endpoint::parse(url).map_err(|error| Failure::usage(format!("venue.{}: {error}", venue.id)))
    };
    let stream = venue.stream.clone().map_or_else(|| known(row.endpoints.0), Ok)?;
    let rest = venue.rest.clone().map_or_else(|| known(row.endpoints.1), Ok)?;
    // Paper orders go nowhere; the plan wants an address all the same.
    Ok(Endpoints { orders: stream.clone(), private: stream.clone(), stream, rest })
}

/// Set by the first Ctrl-C; a second one ends the process at once.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C asks for the end.
///
/// # Errors
/// [`Failure`] when the system does not tell of it.
pub fn stop_on_ctrl_c() -> Result<(), Failure> {
    crate::host::on_interrupt(|| INTERRUPTED.swap(true, Ordering::Relaxed))
        .map_err(|error| Failure::failed(format!("cannot wait for Ctrl-C: {error}")))
}

/// True once Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// How long a venue may take to tell its instruments.
const METADATA_WITHIN: Nanos = Nanos::from_secs(20);

/// Fetches every venue's instruments; `endpoints[i]` is `rows[i]`'s.
///
/// # Errors
/// [`Failure`] names the venue and what went wrong.
pub fn load_metadata(
    rows: &[&'static Venue],
    endpoints: &[Endpoints],
    dial: &mut MakeDial<'_>,
    clock: &HostClock,
) -> Result<Vec<Vec<InstrumentSpec>>, Failure> {
    let until = clock.now() + METADATA_WITHIN;
    let mut loaders: Vec<_> = rows
        .iter()
        .zip(endpoints)
        .map(|(row, endpoints)| MetadataLoader::new(row, &endpoints.rest, dial(), until, 0))
        .collect();
    let mut told = vec![None; loaders.len()];
    while told.iter().any(Option::is_none) {
        for (loader, slot) in loaders.iter_mut().zip(&mut told).filter(|(_, slot)| slot.is_none()) {
            if let Some(answer) = loader.poll(clock.now()) {
                *slot = Some(answer.map_err(|error| Failure::failed(error.to_string()))?);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(told.into_iter().flatten().collect())
}

/// How long a run goes on: where the configuration says 0, until Ctrl-C.
pub fn length(config: &Config) -> Duration {
    match config.run.seconds {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    }
}

/// Refuses cores that this machine lacks: threads that were meant for them would run anywhere.
///
/// # Errors
/// [`Failure`] names them.
pub fn check_cores(config: &Config) -> Result<(), Failure> {
    let have = cores();
    // Where the system does not tell its cores, nothing is known against any.
    if have.is_empty() || matches!(config.run.mode, Mode::Shared | Mode::Stepped) {
        return Ok(());
    }
    let list = |cores: &mut dyn Iterator<Item = &usize>| {
        cores.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let lacking = list(&mut config.roles.cores.iter().filter(|core| !have.contains(core)));
    if lacking.is_empty() {
        return Ok(());
    }
    let have = list(&mut have.iter());
    Err(Failure::usage(format!("roles.cores: {lacking}: expected some of this machine's cores, {have}")))
}

/// Starts the roles as the configuration says: a core each where there are enough, else few threads.
///
/// # Errors
/// When threads cannot be had.
pub fn start(
    config: &Config,
    roles: Vec<Box<dyn Role>>,
    clock: &HostClock,
    stop: &Stop,
) -> Result<Threads, Failure> {
    let cores = if config.roles.cores.is_empty() { cores() } else { config.roles.cores.clone() };
    // One core is left to everything else: a spinning thread gives up its core to nobody.
    let pin = match config.run.mode {
        Mode::Pinned => true,
        Mode::Auto => cores.len() > roles.len(),
        Mode::Shared | Mode::Stepped => false,
    };
    let threads = if pin {
        let cores = cores.into_iter().map(Some).chain(std::iter::repeat(None));
        pinned(roles.into_iter().zip(cores).collect(), config.roles.rehearse, clock, stop)
    } else {
        let threads = (cores.len() / 2).max(1);
        shared(roles, threads, config.roles.waiting, clock, stop)
    };
    threads.map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}

/// Waits until a role says `wanted`; false when it does not in time.
pub fn wait_for(helm: &Helm, wanted: Status, within: Nanos) -> bool {
    let until = Instant::now() + Duration::from_nanos(within.0.unsigned_abs());
    while Instant::now() < until {
        match helm.status() {
            Some(status) if status == wanted => return true,
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    false
}

/// Sleeps until the time is over or Ctrl-C is pressed, with a bar on stderr where a person looks. Every
/// quarter of a second `meanwhile` is called: the slow lane.
pub fn show_progress(what: &'static str, length: Duration, meanwhile: &mut dyn FnMut()) {
    let template = if length == Duration::MAX {
        "{msg}: {elapsed}, Ctrl-C ends it"
    } else {
        "{msg} {bar:40} {pos}/{len} s"
    };
    let style = ProgressStyle::with_template(template).expect("a template that parses");
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(length.as_secs()).with_style(style).with_message(what)
    } else {
        ProgressBar::hidden()
    };
    let began = Instant::now();
    while began.elapsed() < length && !interrupted() {
        let rest = length - began.elapsed().min(length);
        std::thread::sleep(rest.min(Duration::from_millis(250)));
        bar.set_position(began.elapsed().as_secs());
        meanwhile();
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_that_the_machine_lacks_are_named() {
        let with = |changes: [&str; 2]| Config::demo(&changes.map(str::to_owned)).unwrap();
        for (mode, refused) in [("pinned", true), ("auto", true), ("shared", false), ("stepped", false)] {
            let config = with(["roles.cores=[1023]", &format!("run.mode={mode}")]);
            let refused = refused && !cores().is_empty();
            match check_cores(&config) {
                Ok(()) => assert!(!refused, "{mode}"),
                Err(failure) => {
                    assert!(refused && failure.message.contains("roles.cores: 1023"), "{failure:?}")
                }
            }
        }
        for core in cores() {
            let config = with([&format!("roles.cores=[{core}]"), "run.mode=pinned"]);
            assert_eq!(check_cores(&config), Ok(()));
        }
    }
}
