//! `xarb demo`: the whole engine against simulated exchanges, on this machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::again;
use super::nonces::NonceKeeper;
use super::out;
use super::recording::{Background, Recorded, Recording, Target};
use super::report::Report;
use super::{ConfigArgs, Exit, Failure};
use crate::config::{Config, DEMO, Mode};
use crate::engine::{Crew, Endpoints, Helm, Identity, MetadataLoader, Plan, Role, Rounds, Status};
use crate::host::{Dialer, HostClock, ListenConfig, Stop, Threads, TlsRoots, serve};
use crate::sim::audit::engine_view;
use crate::sim::checks::{OrderCaps, check};
use crate::sim::net::Path;
use crate::sim::setup::simulate;
use crate::sim::venue::Sim;
use crate::sim::world::World;
use crate::types::{Clock, Dial, Environment, InstrumentSpec, Nanos};
use crate::venue::{Credentials, Venue};

const AFTER_HELP: &str = "\
The exchanges, their makers and their prices are simulated in this process; sockets, WebSocket
and HTTP framing, logins, signatures, order codecs and checks are the real ones. With --stepped
there are no sockets and time is virtual: the same seed then gives the same journal, byte for byte.

Examples:
  xarb demo                                20 seconds, real loopback sockets
  xarb demo --venues {venues}
                                           two of its venues; `xarb instruments` prints all names
  xarb demo --seconds 60 --set detect.min_edge_bps=3
  xarb demo --stepped --seed 7 --json      deterministic, in a second or two
  xarb demo -c configs/demo-quotes.toml    prices in USD and in USDT, with a rate book between them
  xarb demo --seconds 5 --record run.mcap  writes what came in, for `xarb replay run.mcap`
  xarb demo --stepped --record run.mcap    and then, with the same options,
  xarb demo --again run.mcap               decides and sends the same on what was recorded";

fn after_help() -> String {
    // The first two of the configuration that is compiled in.
    let names = DEMO.split("[venue.\"").skip(1).filter_map(|rest| rest.split('"').next());
    AFTER_HELP.replace("{venues}", &names.take(2).collect::<Vec<_>>().join(","))
}

/// Trade between simulated exchanges: no key, no network
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = after_help())]
pub struct Args {
    /// How long to trade [default: the configuration's, 20 in the built-in one; 0 = until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// What everything random follows from [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Only these venues, two or more, by name, with commas between
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub venues: Vec<String>,
    /// One thread, virtual time, no sockets: deterministic
    #[arg(long)]
    pub stepped: bool,
    /// Write every input of every stage to this container
    #[arg(long, value_name = "OUT.mcap")]
    pub record: Option<PathBuf>,
    /// Write over OUT.mcap if it is there
    #[arg(long, requires = "record")]
    pub force: bool,
    /// Run a recorded stepped demo again on its recorded inputs, without venues; give it the options that
    /// it was recorded with. Fails when its journal comes out different
    #[arg(long, value_name = "RUN.mcap", conflicts_with = "record")]
    pub again: Option<PathBuf>,
    /// Configuration
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let mut config = args.config.load()?;
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    config.run.seconds = args.seconds.unwrap_or(config.run.seconds);
    if !args.venues.is_empty() {
        keep_venues(&mut config, &args.venues)?;
    }
    if config.environment() != Environment::Sim {
        return Err(Failure::usage("the demo runs on simulated venues: `environment` must be \"sim\""));
    }
    let stepped = args.stepped || config.run.mode == Mode::Stepped;
    if config.run.seconds == 0 && (stepped || args.again.is_some()) {
        return Err(Failure::usage(
            "run.seconds: 0 is until Ctrl-C, which virtual time does not wait for: expected 1 or more",
        ));
    }
    if let Some(path) = &args.again {
        let again = again::run(&config, path)?;
        if json {
            out::json(&again.json());
        } else {
            out::line(&again.text());
        }
        return Ok(if again.is_same() { Exit::Done } else { Exit::Integrity });
    }
    let record = args.record.as_deref().map(|path| Target::beside_a_run(path, args.force)).transpose()?;
    let (report, recorded) = if stepped { stepped_run(&config, record)? } else { live_run(&config, record)? };
    if json {
        out::json(&report.json());
    } else {
        out::line(&report.text());
    }
    let whole = recorded.is_none_or(|recorded| recorded.tell());
    let sound = report.violations.is_empty() && report.run.unresolved == 0 && whole;
    Ok(if sound { Exit::Done } else { Exit::Integrity })
}

/// What `--venues` leaves of a configuration.
fn keep_venues(config: &mut Config, names: &[String]) -> Result<(), Failure> {
    let names: Vec<_> = names.iter().map(|name| name.trim()).collect();
    config.keep_venues(&names)?;
    if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Failure::usage(format!("--venues: `{twice}` is named twice")));
    }
    if let [alone] = names[..] {
        return Err(Failure::usage(format!(
            "--venues: `{alone}` alone: expected two or more to trade between"
        )));
    }
    Ok(())
}

/// Longest wait for logins, and for the end of what is in flight.
const READY_WITHIN: Nanos = Nanos::from_secs(15);
const DRAINED_WITHIN: Nanos = Nanos::from_secs(15);

/// Simulated orders carry a run number and tag from the seed: one seed, one journal.
pub fn identity(config: &Config) -> Identity {
    let mut tag_key = [0; 32];
    tag_key[..8].copy_from_slice(&config.run.seed.to_le_bytes());
    Identity {
        run: config.run.seed as u32,
        tag_key,
        seed: config.run.seed,
        nonce_from: 0,
        keep_journal: true,
    }
}

/// The registry's rows of a configuration's venues.
///
/// # Errors
/// [`Failure`] names the venue that is in no row.
pub fn rows(config: &Config) -> Result<Vec<&'static Venue>, Failure> {
    let find = |id: &String| {
        crate::venue::find(id).ok_or_else(|| Failure::usage(format!("venue.{id}: no such venue")))
    };
    config.venues.iter().map(|venue| find(&venue.id)).collect()
}

/// What a run came to, and what was recorded of it.
type Outcome = (Report, Option<Recorded>);

/// A crew whose time and links are virtual, before its first turn.
pub(super) struct Stepped {
    pub(super) plan: Plan,
    world: World,
    pub(super) crew: Crew<HostClock>,
    pub(super) helm: Helm,
}

impl Stepped {
    pub(super) fn new(config: &Config) -> Result<Stepped, Failure> {
        // Any start will do, as long as it is always the same.
        let start = Nanos::from_secs(1_767_225_600);
        let rows = rows(config)?;
        let (sim, credentials) =
            simulate(config, start).map_err(|error| Failure::usage(error.to_string()))?;
        let path =
            Path { latency: Nanos::from_micros(150), jitter: Nanos::from_micros(50), ..Path::default() };
        let mut world = World::new(sim, path, config.run.seed, start);
        let endpoints: Vec<_> =
            rows.iter().enumerate().map(|(venue, row)| world.endpoints(venue, &row.sim)).collect();
        let mut metadata = Vec::new();
        for (row, endpoints) in rows.iter().zip(&endpoints) {
            let until = world.now() + READY_WITHIN;
            let mut loader = MetadataLoader::new(row, &endpoints.rest, world.dial(), until, config.run.seed);
            let specs = loop {
                match loader.poll(world.now()) {
                    Some(answer) => break answer.map_err(|error| Failure::failed(error.to_string()))?,
                    None => world.step(&mut []),
                }
            };
            metadata.push(specs);
        }
        let plan = plan(config, &endpoints, &metadata)?;
        let clock = HostClock::new();
        let dial = world.net_mut().dialer();
        let mut dial = || Box::new(dial.clone()) as Box<dyn Dial>;
        let identity = super::keys::check(&plan, &credentials, &identity(config), &mut dial, &mut || {
            world.step(&mut []);
            world.now()
        })?;
        let (crew, helm) = crew(&plan, &credentials, &identity, &mut dial, &clock)?;
        Ok(Stepped { plan, world, crew, helm })
    }
}

/// Virtual time, virtual links.
fn stepped_run(config: &Config, record: Option<Target>) -> Result<Outcome, Failure> {
    let Stepped { plan, mut world, mut crew, helm } = Stepped::new(config)?;
    let mut recording = Recording::of(record, &plan, "demo", &mut crew)?;
    let mut rounds = recording.as_ref().map(|recording| Rounds::new(recording.tap()));

    // Until `deadline`, or until a role says `wanted`.
    let mut step_until = |world: &mut World, crew: &mut Crew<HostClock>, deadline: Nanos, wanted| {
        while world.now() < deadline {
            let mut roles = crew.roles();
            if let Some(rounds) = &mut rounds {
                roles.insert(0, rounds);
            }
            world.step(&mut roles);
            // Virtual time waits for the disk: nothing is ever lost.
            while recording.as_mut().map_or(Ok(false), Recording::pump)? {}
            if let Some(wanted) = wanted
                && helm.status() == Some(wanted)
            {
                return Ok(true);
            }
        }
        Ok::<bool, Failure>(wanted.is_none())
    };
    let ready = world.now() + READY_WITHIN;
    if !step_until(&mut world, &mut crew, ready, Some(Status::Ready))? {
        return Err(not_ready(&mut crew, &plan, world.now()));
    }
    let seconds = config.run.seconds;
    let end = world.now() + Nanos::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    step_until(&mut world, &mut crew, end, None)?;
    helm.tell(crate::engine::Control::Drain);
    let drained = world.now() + DRAINED_WITHIN;
    step_until(&mut world, &mut crew, drained, Some(Status::Drained))?;
    let report = report(config, seconds, &plan, &mut crew, world.sim(), world.now());
    if let Some(recording) = &mut recording {
        recording.say_journal(&report.run.journal_sha256)?;
    }
    let recorded = recording.map(Recording::finish).transpose()?;
    Ok((report, recorded))
}

/// Real time, loopback sockets.
fn live_run(config: &Config, record: Option<Target>) -> Result<Outcome, Failure> {
    super::run::check_cores(config)?;
    let clock = HostClock::new();
    let rows = rows(config)?;
    let (sim, credentials) =
        simulate(config, clock.now()).map_err(|error| Failure::usage(error.to_string()))?;
    let served = serve(sim, ListenConfig::default(), clock.clone())
        .map_err(|error| Failure::failed(format!("cannot listen on loopback: {error}")))?;
    let parts = served.addresses().iter().zip(&rows);
    let endpoints: Vec<_> = parts
        .map(|(address, row)| Endpoints::simulated(&address.ip().to_string(), address.port(), &row.sim))
        .collect();
    let roots = TlsRoots::new(&[]).map_err(|error| Failure::failed(error.to_string()))?;
    let dialer = Dialer::new(roots, clock.clone()).with_kernel_stamps(config.latency.kernel_stamps);
    let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
    let metadata = super::run::load_metadata(&rows, &endpoints, &mut dial, &clock)?;
    let plan = plan(config, &endpoints, &metadata)?;
    let mut nonces = NonceKeeper::open(config.run.state_dir.as_deref(), clock.now())?;
    let identity = Identity { nonce_from: nonces.from(), ..identity(config) };
    let identity = super::keys::check(&plan, &credentials, &identity, &mut dial, &mut || {
        std::thread::sleep(Duration::from_millis(1));
        clock.now()
    })?;
    let (mut crew, helm) = crew(&plan, &credentials, &identity, &mut dial, &clock)?;
    let recording = Recording::of(record, &plan, "demo", &mut crew)?.map(Recording::spawn).transpose()?;
    nonces.begin(&helm);

    super::run::stop_on_ctrl_c()?;
    let stop = Stop::new();
    let threads = super::run::start(config, crew.into_roles(), &clock, &stop)?;
    let ready = super::run::wait_for(&helm, Status::Ready, READY_WITHIN);
    let began = Instant::now();
    let mut seconds = 0;
    if ready {
        let length = super::run::length(config);
        super::run::show_progress("trading", length, &mut || nonces.keep(clock.now(), &helm));
        seconds = began.elapsed().as_secs();
        helm.tell(crate::engine::Control::Drain);
        super::run::wait_for(&helm, Status::Drained, DRAINED_WITHIN);
    }
    let mut crew = end(threads, &stop)?;
    let recorded = recording.map(Background::finish).transpose()?;
    // A last look at the books while the venues still stand.
    let now = clock.now();
    let sim = served.stop().ok_or_else(|| Failure::failed("the simulated venues are gone"))?;
    if !ready {
        return Err(not_ready(&mut crew, &plan, now));
    }
    Ok((report(config, seconds, &plan, &mut crew, &sim, now), recorded))
}

fn plan(config: &Config, endpoints: &[Endpoints], metadata: &[Vec<InstrumentSpec>]) -> Result<Plan, Failure> {
    Plan::new(config, endpoints, metadata).map_err(|error| Failure::usage(error.to_string()))
}

fn crew(
    plan: &Plan,
    credentials: &[Credentials],
    identity: &Identity,
    dial: &mut dyn FnMut() -> Box<dyn Dial>,
    clock: &HostClock,
) -> Result<(Crew<HostClock>, Helm), Failure> {
    Crew::new(plan, credentials, identity, dial, clock).map_err(|error| Failure::usage(error.to_string()))
}

fn end(threads: Threads, stop: &Stop) -> Result<Crew<HostClock>, Failure> {
    stop.stop();
    let roles: Vec<Box<dyn Role>> = threads.join();
    Crew::from_roles(roles).ok_or_else(|| Failure::failed("a role did not come back"))
}

fn not_ready(crew: &mut Crew<HostClock>, plan: &Plan, now: Nanos) -> Failure {
    let (run, _) = crew.report(plan, now);
    Failure::failed(format!("the venues' sessions were not ready in time: {}", run.alerts.join("; ")))
}

fn report(
    config: &Config,
    seconds: u64,
    plan: &Plan,
    crew: &mut Crew<HostClock>,
    sim: &Sim,
    now: Nanos,
) -> Report {
    let (run, hops) = crew.report(plan, now);
    let view = engine_view(plan, crew.exec.stage().executor());
    let caps = OrderCaps { notional_max: config.risk.max_order_notional, band: config.risk.price_band };
    let violations = check(sim, &view, &caps).iter().map(ToString::to_string).collect();
    for alert in &run.alerts {
        eprintln!("xarb: {alert}");
    }
    Report { seconds, seed: config.run.seed, run, hops: hops.report(), violations }
}
