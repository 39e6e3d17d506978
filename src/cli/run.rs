//! `xarb run`: paper trading against configured endpoints. What it shares with the demo is here too:
//! loading metadata, starting threads, waiting.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::config::{Config, Mode};
use crate::engine::{Endpoints, Helm, MakeDial, MetadataLoader, Role, Status};
use crate::host::{HostClock, Stop, Threads, cores, pinned, shared};
use crate::types::{Clock, InstrumentSpec, Nanos};
use crate::venue::Venue;

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
        pinned(roles.into_iter().zip(cores).collect(), clock, stop)
    } else {
        let threads = (cores.len() / 2).max(1);
        shared(roles, threads, clock, stop)
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

/// Sleeps, with a bar on stderr where a person may be looking.
pub fn show_progress(what: &'static str, length: Duration) {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} s").expect("a template that parses");
    let bar = ProgressBar::new(length.as_secs()).with_style(style).with_message(what);
    let began = Instant::now();
    while began.elapsed() < length {
        std::thread::sleep((length - began.elapsed().min(length)).min(Duration::from_millis(250)));
        bar.set_position(began.elapsed().as_secs());
    }
    bar.finish_and_clear();
}
