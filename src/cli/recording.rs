//! Recording a run: taps that hand inputs over, and the slow side that writes them to files.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Failure;
use super::files::may_write;
use crate::capture::{Intake, Recorder, StoreMeta, StoreOptions, StoreWriter, VenueMeta, recorder};
use crate::engine::{Crew, Plan, Tap};
use crate::types::{Nanos, Stopwatch, VenueId};
use crate::venue::{FeedInput, GatewayInput};

/// Inputs that may wait to be written: a second of a very busy minute.
const BUFFERS: usize = 16_384;
/// Inputs written in one go.
const BATCH: usize = 1_024;
/// What a crash may cost: the chunk at hand is ended that often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Between two looks for inputs when there were none.
const IDLE: Duration = Duration::from_millis(1);

/// Where and how a recording is written.
#[derive(Clone, Debug)]
pub struct Target {
    /// The first file; later ones have a number before the extension.
    pub path: PathBuf,
    /// Write over files that are there.
    pub force: bool,
    /// How the containers are written.
    pub options: StoreOptions,
    /// A file is followed by the next one beyond this many bytes; 0 = never.
    pub rotate_bytes: u64,
    /// And after this long; zero = never.
    pub rotate_every: Duration,
}

impl Target {
    /// One file beside a run.
    ///
    /// # Errors
    /// As [`Target::check`].
    pub fn beside_a_run(path: &Path, force: bool) -> Result<Target, Failure> {
        let target = Target {
            path: path.to_owned(),
            force,
            options: StoreOptions::default(),
            rotate_bytes: 0,
            rotate_every: Duration::ZERO,
        };
        target.check()?;
        Ok(target)
    }

    /// Whether it may be written: asked before anything is started for it. With the second file, where
    /// there may be one: hours of recording must not end at what an older one left.
    ///
    /// # Errors
    /// [`Failure`] names the file that may not.
    pub fn check(&self) -> Result<(), Failure> {
        may_write(&self.path, self.force)?;
        if self.rotate_bytes > 0 || !self.rotate_every.is_zero() {
            may_write(&numbered(&self.path, 1), self.force)?;
        }
        Ok(())
    }
}

/// A file that was written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Written {
    /// Its path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Inputs in it.
    pub messages: u64,
}

/// What a recording came to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Recorded {
    /// The files in order.
    pub files: Vec<Written>,
    /// Inputs written.
    pub messages: u64,
    /// Inputs lost because writing was too slow.
    pub dropped: u64,
}

impl Recorded {
    /// Says on stderr what was recorded; false when any of it was lost.
    pub fn tell(&self) -> bool {
        eprintln!("xarb: recorded {} inputs, lost {}", self.messages, self.dropped);
        self.dropped == 0
    }
}

/// What a run's metadata is: the rules and fees that it trades by.
pub fn plan_meta(plan: &Plan, source: &str) -> StoreMeta {
    let mut meta = StoreMeta {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: source.to_owned(),
        ..StoreMeta::default()
    };
    for venue in &plan.venues {
        let id = &venue.config.id;
        let (taker, encoding) = (Some(venue.config.taker), venue.config.encoding);
        meta.venues.push((id.clone(), VenueMeta { taker, clock_offset: None, encoding }));
        meta.instruments.extend(venue.instruments.iter().map(|book| (id.clone(), book.spec.clone())));
    }
    meta
}

struct RecordingTap(Intake);

impl Tap for RecordingTap {
    #[inline]
    fn feed(&mut self, venue: VenueId, now: Nanos, input: &FeedInput<'_>) {
        self.0.feed(venue, now, input);
    }

    #[inline]
    fn gateway(&mut self, venue: VenueId, now: Nanos, input: &GatewayInput<'_>) {
        self.0.gateway(venue, now, input);
    }
}

/// A recording, written by whoever calls [`Recording::pump`].
pub struct Recording {
    target: Target,
    meta: StoreMeta,
    intake: Intake,
    recorder: Recorder,
    store: Option<StoreWriter<BufWriter<File>>>,
    /// The file at hand, to ask for its size.
    file: File,
    path: PathBuf,
    opened: Instant,
    flushed: Instant,
    done: Recorded,
    progress: Arc<Progress>,
}

/// How far a recording is, for whoever waits for its end.
#[derive(Debug, Default)]
pub struct Progress {
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl Progress {
    /// Inputs written, bytes on disk, inputs lost.
    pub fn read(&self) -> (u64, u64, u64) {
        // ORDERING: figures for people.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.messages), read(&self.bytes), read(&self.dropped))
    }
}

impl Recording {
    /// Begins a recording of a plan's venues.
    ///
    /// # Errors
    /// [`Failure`] names the file.
    pub fn new(target: Target, plan: &Plan, source: &str) -> Result<Recording, Failure> {
        let meta = plan_meta(plan, source);
        let (intake, recorder) = recorder(plan.venues.iter().map(|venue| venue.row).collect(), BUFFERS);
        let path = target.path.clone();
        let (store, file) = create(&target, &path, &meta)?;
        let now = Instant::now();
        Ok(Recording {
            target,
            meta,
            intake,
            recorder,
            store: Some(store),
            file,
            path,
            opened: now,
            flushed: now,
            done: Recorded::default(),
            progress: Arc::default(),
        })
    }

    /// Begins a recording of a crew's run, if one is wanted, and shows it every input from now on.
    ///
    /// # Errors
    /// As [`Recording::new`].
    pub fn of<W: Stopwatch + Clone + Send + 'static>(
        target: Option<Target>,
        plan: &Plan,
        source: &str,
        crew: &mut Crew<W>,
    ) -> Result<Option<Recording>, Failure> {
        let recording = target.map(|target| Recording::new(target, plan, source)).transpose()?;
        if let Some(recording) = &recording {
            crew.tap(&mut || recording.tap());
        }
        Ok(recording)
    }

    /// A tap of this recording: one for each stage.
    pub fn tap(&self) -> Box<dyn Tap> {
        Box::new(RecordingTap(self.intake.clone()))
    }

    /// How far it is, while it goes on.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Writes what waits; true when there was anything.
    ///
    /// # Errors
    /// [`Failure`] names the file that cannot be written.
    pub fn pump(&mut self) -> Result<bool, Failure> {
        let Some(store) = &mut self.store else { return Ok(false) };
        let written = self.recorder.turn(store, BATCH).map_err(|error| failed(&self.path, &error))?;
        if self.flushed.elapsed() >= FLUSH_EVERY {
            self.flushed = Instant::now();
            store.flush().map_err(|error| failed(&self.path, &error))?;
            let bytes = self.size();
            let of_file = self.store.as_ref().map_or(0, StoreWriter::messages);
            let before: u64 = self.done.files.iter().map(|file| file.bytes).sum();
            self.progress.messages.store(self.done.messages + of_file, Ordering::Relaxed);
            self.progress.bytes.store(before + bytes, Ordering::Relaxed);
            self.progress.dropped.store(self.recorder.dropped(), Ordering::Relaxed);
            let (most, longest) = (self.target.rotate_bytes, self.target.rotate_every);
            let full = most > 0 && bytes >= most || !longest.is_zero() && self.opened.elapsed() >= longest;
            if full && of_file > 0 {
                self.rotate()?;
            }
        }
        Ok(written > 0)
    }

    /// Says, at the end of the last file, what the run's journal came to.
    ///
    /// # Errors
    /// As [`Recording::pump`].
    pub fn say_journal(&mut self, sha256: &str) -> Result<(), Failure> {
        while self.pump()? {}
        let Some(store) = &mut self.store else { return Ok(()) };
        store.journal(sha256).map_err(|error| failed(&self.path, &error))
    }

    /// Writes everything that waits, and ends the last file.
    ///
    /// # Errors
    /// As [`Recording::pump`].
    pub fn finish(mut self) -> Result<Recorded, Failure> {
        while self.pump()? {}
        self.close()?;
        self.done.dropped = self.recorder.dropped();
        Ok(self.done)
    }

    /// Lets a thread of its own do the writing.
    ///
    /// # Errors
    /// [`Failure`] when there is no thread to be had.
    pub fn spawn(mut self) -> Result<Background, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let body = move || {
            // ORDERING: the threads whose inputs count have ended before the flag is set.
            while !told.load(Ordering::Acquire) {
                if !self.pump()? {
                    std::thread::sleep(IDLE);
                }
            }
            self.finish()
        };
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(body);
        let thread = thread.map_err(|error| Failure::failed(format!("cannot start a thread: {error}")))?;
        Ok(Background { stop, thread })
    }

    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Ends the file at hand and begins the next one.
    fn rotate(&mut self) -> Result<(), Failure> {
        self.close()?;
        self.recorder.rotate();
        self.path = numbered(&self.target.path, self.done.files.len());
        let (store, file) = create(&self.target, &self.path, &self.meta)?;
        (self.store, self.file, self.opened) = (Some(store), file, Instant::now());
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        let Some(store) = self.store.take() else { return Ok(()) };
        let messages = store.messages();
        let file = store.finish().map_err(|error| failed(&self.path, &error))?;
        let file = file.into_inner().map_err(|error| failed(&self.path, error.error()))?;
        file.sync_all().map_err(|error| failed(&self.path, &error))?;
        let written = Written { path: self.path.display().to_string(), bytes: self.size(), messages };
        self.done.messages += messages;
        self.done.files.push(written);
        Ok(())
    }
}

/// A recording whose thread writes.
pub struct Background {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Recorded, Failure>>,
}

impl Background {
    /// Waits until everything is written; call it when no input can come any more.
    ///
    /// # Errors
    /// As [`Recording::pump`].
    pub fn finish(self) -> Result<Recorded, Failure> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|_| Err(Failure::failed("the recording's thread is gone")))
    }
}

/// `a/b.mcap`, `a/b.0001.mcap`, `a/b.0002.mcap`, …
fn numbered(first: &Path, number: usize) -> PathBuf {
    match first.extension() {
        Some(extension) => first.with_extension(format!("{number:04}.{}", extension.to_string_lossy())),
        None => first.with_extension(format!("{number:04}")),
    }
}

fn create(
    target: &Target,
    path: &Path,
    meta: &StoreMeta,
) -> Result<(StoreWriter<BufWriter<File>>, File), Failure> {
    may_write(path, target.force)?;
    let file = File::create(path).map_err(|error| failed(path, &error))?;
    let asked = file.try_clone().map_err(|error| failed(path, &error))?;
    let store = StoreWriter::new(BufWriter::new(file), target.options, meta);
    Ok((store.map_err(|error| failed(path, &error))?, asked))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Capture, Record};
    use crate::config::Config;
    use crate::sim::net::Path as Way;
    use crate::sim::setup::simulate;
    use crate::sim::world::World;

    fn plan() -> Plan {
        let config = Config::demo_on(&["binance.spot", "kraken.spot"], &[]).unwrap();
        let (sim, _) = simulate(&config, Nanos::ZERO).unwrap();
        let world = World::new(sim, Way::default(), 1, Nanos::ZERO);
        let rows = config.venues.iter().map(|venue| crate::venue::find(&venue.id).unwrap());
        let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
        let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
        Plan::new(&config, &endpoints, &metadata).unwrap()
    }

    /// By size and by time: nothing is lost between two files, and each stands for itself.
    #[test]
    fn a_recording_goes_on_in_the_next_file() {
        let plan = plan();
        for (rotate_bytes, rotate_every) in [(1, Duration::ZERO), (0, Duration::from_millis(1))] {
            let name = format!("xarb-{}-rotated-{rotate_bytes}.mcap", std::process::id());
            let path = std::env::temp_dir().join(name);
            let options = StoreOptions::default();
            let target = Target { path: path.clone(), force: true, options, rotate_bytes, rotate_every };
            let older = Target { force: false, ..target.clone() };
            let mut recording = Recording::new(target, &plan, "record").unwrap();
            let mut tap = recording.tap();
            let mut taken = 0;
            while recording.done.files.is_empty() {
                taken += 1;
                tap.feed(VenueId(taken as u8 % 2), Nanos(taken), &FeedInput::Tick);
                recording.pump().unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
            tap.feed(VenueId(0), Nanos(taken + 1), &FeedInput::Tick);
            let done = recording.finish().unwrap();
            assert_eq!((done.messages, done.dropped), (taken as u64 + 1, 0));
            let files: Vec<_> = done.files.iter().map(|file| PathBuf::from(&file.path)).collect();
            assert_eq!(files, [path.clone(), numbered(&path, 1)]);
            // Its second file is in the way of another recording, even without the first.
            std::fs::rename(&path, path.with_extension("moved")).unwrap();
            let refused = older.check().unwrap_err().message;
            assert!(refused.contains(".0001.mcap is there already; --force"), "{refused}");
            std::fs::rename(path.with_extension("moved"), &path).unwrap();
            let mut times = Vec::new();
            for (file, written) in files.iter().zip(&done.files) {
                let mut capture = Capture::new(Box::new(File::open(file).unwrap())).unwrap();
                let (mut record, mut count) = (Record::default(), 0);
                while capture.next(&mut record).unwrap() {
                    times.push(record.ts.unwrap().0);
                    count += 1;
                }
                let meta = capture.meta().unwrap();
                assert_eq!((count, meta), (written.messages, &plan_meta(&plan, "record")));
                std::fs::remove_file(file).unwrap();
            }
            assert!(times.into_iter().eq(1..=taken + 1));
        }
    }

    #[test]
    fn files_are_numbered_before_their_extension() {
        for (first, want) in [("a/b.mcap", "a/b.0003.mcap"), ("b", "b.0003"), ("b.c.d", "b.c.0003.d")] {
            assert_eq!(numbered(Path::new(first), 3), Path::new(want));
        }
    }
}
