//! The mark above all nonces that were ever used, on disk.
//!
//! Where a venue wants numbers that rise from request to request, they follow the clock; a clock that was
//! set back between two runs would repeat them, and the venue would refuse the key. So a block of numbers
//! is set aside in this file before any of it is used, and the next run starts above it. The file is
//! written by whoever has time, never on the way of an order.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::types::Nanos;

/// The file in the directory of states.
const NAME: &str = "nonces";
/// How far above what may be in use the mark is set, in microseconds of the clock: a write that is late
/// by less than half of it delays nothing.
const BLOCK: u64 = 120_000_000;

/// How far above the clock the nonces of a run start whose mark was damaged: quick restarts leave
/// those in use ahead of it, by [`BLOCK`] each at most.
const MARGIN: u64 = 86_400_000_000;

/// The file, and what it says. One process at a time may use it.
#[derive(Debug)]
pub struct NonceFile {
    path: PathBuf,
    /// Nothing below was free when this run began.
    from: u64,
    /// Everything below may be used by this run.
    below: u64,
}

/// What was found where the file should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A mark.
    Mark(u64),
    /// No file.
    Nothing,
    /// A file that was cut short or altered.
    Torn,
}

/// The nonces of a moment, as far as the clock tells them.
fn by_clock(now: Nanos) -> u64 {
    u64::try_from(now.micros()).unwrap_or(0)
}

fn text(mark: u64) -> String {
    let line = format!("xarb nonces 1 {mark}");
    let sum = const_hex::encode(&Sha256::digest(line.as_bytes())[..8]);
    format!("{line} {sum}\n")
}

fn read(path: &Path) -> io::Result<Found> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let mark = std::str::from_utf8(&bytes).ok().and_then(|text| text.split(' ').nth(3)?.parse().ok());
    Ok(match mark {
        Some(mark) if text(mark).as_bytes() == bytes => Found::Mark(mark),
        _ => Found::Torn,
    })
}

impl NonceFile {
    /// Reads the mark of the last run, or falls to the clock where there is none (a day ahead of it, where
    /// there was one), and sets the first block of this one aside.
    ///
    /// # Errors
    /// When the file cannot be read or written: nothing may be signed then.
    pub fn open(folder: &Path, now: Nanos) -> io::Result<(NonceFile, Found)> {
        fs::create_dir_all(folder)?;
        let path = folder.join(NAME);
        let found = read(&path)?;
        let from = match found {
            Found::Mark(mark) => mark,
            Found::Torn => by_clock(now).saturating_add(MARGIN),
            Found::Nothing => 0,
        };
        let mut file = NonceFile { path, from, below: 0 };
        file.renew(now)?;
        Ok((file, found))
    }

    /// The least nonce that this run may use.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Where a block would end that was set aside at this moment of the clock.
    pub fn below_by_clock(&self, now: Nanos) -> u64 {
        by_clock(now).saturating_add(BLOCK)
    }

    /// No nonce from here on may be used, until [`NonceFile::renew`] says another number.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// Sets more aside when less than half a block is left, by what the clock has used. True when the
    /// mark rose.
    ///
    /// # Errors
    /// When it cannot be written: the mark is as it was.
    pub fn renew(&mut self, now: Nanos) -> io::Result<bool> {
        let used = by_clock(now).max(self.from);
        if self.below.saturating_sub(used) >= BLOCK / 2 {
            return Ok(false);
        }
        let below = self.below_by_clock(now).max(self.from.saturating_add(BLOCK)).max(self.below);
        self.write(below)?;
        self.below = below;
        Ok(true)
    }

    /// Whole or not at all, also when the power fails.
    fn write(&self, mark: u64) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        let mut file = File::create(&draft)?;
        file.write_all(text(mark).as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        // The name is durable once its directory is.
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_secs(1_800_000_000);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("xarb-nonces-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Folder(folder)
        }
        fn file(&self) -> PathBuf {
            self.0.join(NAME)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_run_starts_above_all_that_the_last_one_may_have_used() {
        let folder = Folder::new("runs");
        let (mut first, found) = NonceFile::open(&folder.0, NOW).unwrap();
        assert_eq!((found, first.from()), (Found::Nothing, 0));
        let begun = by_clock(NOW);
        assert_eq!(first.below(), begun + BLOCK);
        // As time passes more is set aside, always before it is used.
        for second in 1..=600 {
            let now = NOW + Nanos::from_secs(second);
            first.renew(now).unwrap();
            assert!(first.below() >= by_clock(now) + BLOCK / 2, "{second}");
            assert_eq!(read(&folder.file()).unwrap(), Found::Mark(first.below()));
        }
        let mark = first.below();
        drop(first);
        // Whatever the clock says then: an hour on, at once, a year back.
        for seconds in [3_600, 600, -31_536_000] {
            let now = NOW + Nanos::from_secs(seconds);
            let was = read(&folder.file()).unwrap();
            let (next, found) = NonceFile::open(&folder.0, now).unwrap();
            assert_eq!(found, was);
            assert!(next.from() >= mark && next.below() >= next.from() + BLOCK, "{seconds}");
            assert!(next.below() >= by_clock(now) + BLOCK);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_in_a_run_takes_nothing_back() {
        let folder = Folder::new("back");
        let (mut file, _) = NonceFile::open(&folder.0, NOW).unwrap();
        let below = file.below();
        assert!(!file.renew(NOW + Nanos::from_secs(-86_400)).unwrap());
        assert_eq!((file.below(), read(&folder.file()).unwrap()), (below, Found::Mark(below)));
    }

    #[test]
    fn a_torn_file_is_none_and_says_so() {
        let folder = Folder::new("torn");
        let (file, _) = NonceFile::open(&folder.0, NOW).unwrap();
        let whole = fs::read(folder.file()).unwrap();
        drop(file);
        for cut in 0..whole.len() {
            fs::write(folder.file(), &whole[..cut]).unwrap();
            assert_eq!(read(&folder.file()).unwrap(), Found::Torn, "{cut} bytes");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(folder.file(), &bytes).unwrap();
            assert_eq!(read(&folder.file()).unwrap(), Found::Torn, "byte {at}");
        }
        let (file, found) = NonceFile::open(&folder.0, NOW).unwrap();
        let from = by_clock(NOW) + MARGIN;
        assert_eq!((found, file.from(), file.below()), (Found::Torn, from, from + BLOCK));
        // A half-written successor is not looked at.
        fs::write(folder.0.join("nonces.new"), b"xarb non").unwrap();
        assert_eq!(NonceFile::open(&folder.0, NOW).unwrap().1, Found::Mark(file.below()));
    }

    #[test]
    fn a_mark_that_cannot_be_written_is_an_error() {
        let folder = Folder::new("unwritable");
        fs::create_dir_all(folder.file()).unwrap();
        assert!(NonceFile::open(&folder.0, NOW).is_err());
    }
}
