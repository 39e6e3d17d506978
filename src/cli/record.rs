//! `xarb record`: the feeds of a configuration to disk, and nothing else.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::import::Chunks;
use super::recording::{Progress, Recorded, Recording, Target};
use super::{ConfigArgs, Exit, Failure, demo, out, run};
use crate::config::{Config, Mode};
use crate::engine::{Crew, Endpoints, Plan, Role};
use crate::host::{Dialer, HostClock, ListenConfig, Listening, Stop, TlsRoots, serve};
use crate::sim::setup::simulate;
use crate::sim::venue::Sim;
use crate::telemetry::{Table, table::count};
use crate::types::{Clock, Dial, Environment};
use crate::venue::Credentials;

const AFTER_HELP: &str = "\
Connects to the public feeds of the configuration's venues (`environment = \"paper\"`), or to
simulated ones (`\"sim\"`), and writes every message, snapshot, opening and closing as it came, with
its receive time, into a container that `xarb replay`, `xarb stats` and `xarb export` read. No order is
made and no account is touched.

Writing has a thread of its own and never holds up the feeds: what it cannot keep up with is lost,
counted, told in the container, and makes this command and every replay end with exit code 3.
Once a second what was received is on disk as a whole chunk. Several files of one recording are
replayed together, in their order: only the first begins with snapshots.

Examples:
  xarb record -c configs/paper.toml -o day.mcap --rotate-mb 1000 --rotate-minutes 60
  xarb record -c configs/demo.toml -o sim.mcap --seconds 10";

/// Write the feeds of a configuration to disk
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, mut_arg("config", ConfigArgs::needed))]
pub struct Args {
    /// The container to write; later files get a number before the extension
    #[arg(short, long, value_name = "OUT.mcap")]
    pub out: PathBuf,
    /// How long [default: the configuration's; 0 = until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// How chunks are compressed
    #[arg(long, value_enum, default_value_t = Chunks::Lz4)]
    pub compression: Chunks,
    /// Begin a new file beyond this size; 0 = never
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub rotate_mb: u64,
    /// Begin a new file after this long; 0 = never
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    pub rotate_minutes: u64,
    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
    /// Configuration
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    recorded: &'a Recorded,
    seconds: f64,
    venues: Vec<VenueCounts>,
}

#[derive(Serialize)]
struct VenueCounts {
    venue: String,
    frames: u64,
    updates: u64,
    resyncs: u64,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let mut config = args.config.load()?;
    config.run.seconds = args.seconds.unwrap_or(config.run.seconds);
    if config.run.mode == Mode::Stepped {
        return Err(Failure::usage("run.mode: `stepped` has no feeds to wait for; see `xarb demo --record`"));
    }
    run::check_cores(&config)?;
    let target = Target {
        path: args.out.clone(),
        force: args.force,
        options: args.compression.into(),
        rotate_bytes: args.rotate_mb.saturating_mul(1_000_000),
        rotate_every: Duration::from_secs(args.rotate_minutes.saturating_mul(60)),
    };
    target.check()?;
    let clock = HostClock::new();
    let rows = demo::rows(&config)?;
    let (served, credentials, endpoints) = sources(&config, &rows, &clock)?;
    let roots = TlsRoots::new(&[]).map_err(|error| Failure::failed(error.to_string()))?;
    let dialer = Dialer::new(roots, clock.clone()).with_kernel_stamps(config.latency.kernel_stamps);
    let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
    let metadata = run::load_metadata(&rows, &endpoints, &mut dial, &clock)?;
    let plan =
        Plan::new(&config, &endpoints, &metadata).map_err(|error| Failure::usage(error.to_string()))?;
    let identity = demo::identity(&config);
    let (mut crew, _helm) = Crew::new(&plan, &credentials, &identity, &mut dial, &clock)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let recording = Recording::new(target, &plan, "record")?;
    let progress = recording.progress();
    crew.tap(&mut || recording.tap());
    let background = recording.spawn()?;

    // Who detects and who trades stand by: books alone are turned.
    let Crew { feeds, detect, exec } = crew;
    let began = Instant::now();
    run::stop_on_ctrl_c()?;
    let stop = Stop::new();
    let feeds = feeds.into_iter().map(|feed| Box::new(feed) as Box<dyn Role>).collect();
    let threads = run::start(&config, feeds, &clock, &stop)?;
    show(run::length(&config), &progress);
    stop.stop();
    let mut roles = threads.join();
    roles.extend([Box::new(detect) as Box<dyn Role>, Box::new(exec)]);
    let crew: Option<Crew<HostClock>> = Crew::from_roles(roles);
    let mut crew = crew.ok_or_else(|| Failure::failed("a role did not come back"))?;
    let recorded = background.finish()?;
    drop(served);
    let (report, _) = crew.report(&plan, clock.now());
    for alert in &report.alerts {
        eprintln!("xarb: {alert}");
    }
    let venues = report.venues.into_iter().map(|venue| VenueCounts {
        venue: venue.venue,
        frames: venue.frames,
        updates: venue.updates,
        resyncs: venue.resyncs,
    });
    let seconds = (began.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    let report = Report { recorded: &recorded, seconds, venues: venues.collect() };
    if json {
        out::json(&report);
    } else {
        out::line(&text(&report));
    }
    Ok(if recorded.dropped == 0 { Exit::Done } else { Exit::Integrity })
}

/// Where the feeds are: the venues' own, or simulated ones that are started here.
type Sources = (Option<Listening<Sim>>, Vec<Credentials>, Vec<Endpoints>);

fn sources(
    config: &Config,
    rows: &[&'static crate::venue::Venue],
    clock: &HostClock,
) -> Result<Sources, Failure> {
    match config.environment() {
        Environment::Paper => {
            let parts = config.venues.iter().zip(rows);
            let endpoints =
                parts.map(|(venue, row)| run::public_endpoints(venue, row)).collect::<Result<_, _>>()?;
            Ok((None, Vec::new(), endpoints))
        }
        Environment::Sim => {
            let (sim, credentials) =
                simulate(config, clock.now()).map_err(|error| Failure::usage(error.to_string()))?;
            let served = serve(sim, ListenConfig::default(), clock.clone())
                .map_err(|error| Failure::failed(format!("cannot listen on loopback: {error}")))?;
            let parts = served.addresses().iter().zip(rows);
            let endpoints = parts.map(|(address, row)| {
                Endpoints::simulated(&address.ip().to_string(), address.port(), &row.sim)
            });
            let endpoints = endpoints.collect();
            Ok((Some(served), credentials, endpoints))
        }
        Environment::Live | Environment::Sandbox => Err(Failure::usage(
            "record reads public feeds: `environment` must be \"paper\" for the venues' own, or \"sim\"",
        )),
    }
}

/// Waits until the time is over or Ctrl-C is pressed, with a line on stderr where a person looks.
fn show(length: Duration, progress: &Arc<Progress>) {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("recording: {elapsed}, {msg}") {
        bar.set_style(style);
    }
    let began = Instant::now();
    while began.elapsed() < length && !run::interrupted() {
        let rest = length - began.elapsed().min(length);
        std::thread::sleep(rest.min(Duration::from_millis(250)));
        let (messages, bytes, dropped) = progress.read();
        bar.set_message(format!(
            "{} messages, {} kB, {} lost",
            count(messages),
            count(bytes / 1_000),
            count(dropped)
        ));
        bar.tick();
    }
    bar.finish_and_clear();
}

fn text(report: &Report<'_>) -> String {
    let mut venues = Table::new(&["venue", "frames", "updates", "resyncs"]);
    for venue in &report.venues {
        let counts = [venue.frames, venue.updates, venue.resyncs].map(count);
        venues.row([venue.venue.clone()].into_iter().chain(counts));
    }
    let mut files = Table::new(&["file", "messages", "bytes"]);
    for file in &report.recorded.files {
        files.row([file.path.clone(), count(file.messages), count(file.bytes)]);
    }
    let lost = count(report.recorded.dropped);
    format!(
        "{venues}\n{files}\n{} messages in {:.1} s, {lost} lost",
        count(report.recorded.messages),
        report.seconds
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn without_a_configuration_there_is_nothing_to_record() {
        let refused = Line::try_parse_from(["record", "-o", "x.mcap"]).unwrap_err().to_string();
        assert!(refused.contains("--config <FILE>"), "{refused}");
    }
}
